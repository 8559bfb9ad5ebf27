#!/bin/sh
# tests/test_install.sh BUILD -- the installed copy as another project meets it, through pkg-config
# alone; prints TAP.
#
# Installs BUILD into a directory of its own, compiles every installed header by itself as C11 and
# C++17, and takes the programs out of README.md (code blocks that open with ```c NAME.c): each must
# build and run as C, as C++ and linked statically, so what the README shows is true. Programs with
# operations of their own (install_op.c, examples/custom_op.c) build and run as C, shared and
# statically.
set -u
build=$(cd "$1" && pwd) || exit 1
cd "$(dirname "$0")/.." || exit 1
installed=$build/installed
programs=$build/readme
log=$installed/log
count=0
failed=0

# check NAME COMMAND... -- one TAP line; what the command said follows a failure.
check() {
    title=$1
    shift
    count=$((count + 1))
    if "$@" >"$log" 2>&1; then
        echo "ok $count - $title"
    else
        failed=$((failed + 1))
        echo "not ok $count - $title"
        sed 's/^/# /' "$log"
    fi
}

# compile COMPILER... -- with the flags that pkg-config gives.
compile() {
    # shellcheck disable=SC2046
    "$@" $(pkg-config --cflags tapeloop) $(pkg-config $static --libs tapeloop)
}

runs_and_prints() {
    LD_LIBRARY_PATH=$(pkg-config --variable=libdir tapeloop) "$1" >"$log.run" 2>&1
    code=$?
    cat "$log.run"
    [ $code = 0 ] && [ -s "$log.run" ]
}

rm -rf "$installed" "$programs"
mkdir -p "$installed" "$programs"
check "meson install" meson install -C "$build" --no-rebuild --quiet --destdir "$installed"
pc=$(find "$installed" -name tapeloop.pc | head -n 1)
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
check "pkg-config finds tapeloop" pkg-config --exists --print-errors tapeloop
static=
include=$(pkg-config --variable=includedir tapeloop)/tapeloop

warnings="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -fsyntax-only"
# shellcheck disable=SC2046
headers=$(cd "$include" && find . -name '*.h' | sed 's,^\./,,' | sort)
for header in $headers; do
    printf '#include "%s"\ntypedef int not_empty;\n' "$header" >"$programs/header.c"
    # shellcheck disable=SC2086
    check "$header alone, C11" compile cc -std=c11 $warnings "$programs/header.c"
    # shellcheck disable=SC2086
    check "$header alone, C++17" \
        compile c++ -std=c++17 -x c++ $warnings "$programs/header.c" -x none
done

awk -v dir="$programs" '
    /^```c [a-z_0-9]+\.c$/ { file = dir "/" $2; next }
    /^```/                 { file = "" }
    file                   { print > file }
' README.md
rm -f "$programs/header.c"
check "README.md has programs" test -n "$(ls "$programs")"

strict="-Wall -Wextra -Wpedantic -Werror -O2"
own="install_op custom_op"
cp tests/install_op.c examples/custom_op.c "$programs"
for program in "$programs"/*.c; do
    name=$(basename "$program" .c)
    binary=$programs/$name
    # shellcheck disable=SC2086
    check "$name builds as C" compile cc -std=c11 $strict -o "$binary.c11" "$program" -lm
    check "$name runs" runs_and_prints "$binary.c11"
    case " $own " in
    *" $name "*) ;; # a descriptor names its fields, which C++17 does not have
    *)
        # shellcheck disable=SC2086
        check "$name builds as C++" \
            compile c++ -std=c++17 $strict -o "$binary.cxx" -x c++ "$program" -x none
        check "$name runs, built as C++" runs_and_prints "$binary.cxx"
        ;;
    esac
    static=--static
    # shellcheck disable=SC2086
    check "$name builds against the static library" \
        compile cc -std=c11 $strict -o "$binary.static" "$program" -Wl,-Bstatic \
        -L"$(pkg-config --variable=libdir tapeloop)" -ltapeloop -Wl,-Bdynamic
    static=
    check "$name runs, linked statically" "$binary.static"
done

echo "1..$count"
[ $failed = 0 ]
