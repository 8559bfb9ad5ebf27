#!/bin/sh
# ./run.sh [file] [options]   builds, gets the text (or takes the file), trains rnn, gru and lstm on
#                             it; options: gru_vs_lstm's
# ./run.sh test        unit tests, the same under sanitizers, thread tests, installed copy, examples
# ./run.sh bench [options]   the benchmarks of tests/bench; --help says which options
set -eu
start=$PWD
cd "$(dirname "$0")"

packages="build-essential meson ninja-build pkg-config libblis-dev libuv1-dev libjansson-dev \
bible-kjv"
test_packages="libcriterion-dev clang libomp-dev python3"
text=build/data/kjv.txt
text_sha256=cd45f0c9cedab8e4439bd6486c8952c77cc8b0ecc5d1f6ae3513f2039f47229d

say() {
    printf '== %s\n' "$*"
}

# install_packages NAME... -- by apt-get when root, otherwise says which line does it.
install_packages() {
    command -v dpkg-query >/dev/null || return 0
    missing=
    for package; do
        case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
        "install ok installed") ;;
        *) missing="$missing $package" ;;
        esac
    done
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        echo "missing packages; please run: apt-get install --no-install-recommends$missing" >&2
        exit 1
    fi
    say "installing$missing"
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
}

# configure DIRECTORY OPTION... -- once; later changes of the build files are seen by ninja.
configure() {
    directory=$1
    shift
    if [ ! -f "$directory/build.ninja" ]; then
        mkdir -p "$directory"
        meson setup "$directory" "$@" >"$directory/setup.txt" 2>&1 || {
            cat "$directory/setup.txt" >&2
            exit 1
        }
    fi
}

# get_text -- the King James Bible as the package bible-kjv prints it, checked and kept.
get_text() {
    if [ ! -f "$text" ]; then
        mkdir -p "$(dirname "$text")"
        bible -f gen1:1-rev22:21 >"$text.part"
        echo "$text_sha256  $text.part" | sha256sum --check --quiet
        mv "$text.part" "$text"
    fi
}

# build_all DIRECTORY -- a failure is one result among others: the sums are printed in every case.
build_all() {
    if ninja -C "$1" --quiet -k 0; then
        echo "ok - $1 builds without a warning"
    else
        echo "not ok - $1 builds without a warning"
    fi >>$results/builds.tap
}

# run_meson_tests DIRECTORY OPTION... -- failures are counted at the end, from the log.
run_meson_tests() {
    directory=$1
    shift
    meson test -C "$directory" --no-rebuild --quiet --print-errorlogs "$@" || true
}

run_all_tests() {
    results=build/results
    rm -rf $results
    mkdir -p $results

    say "unit tests"
    configure build -Dtests=enabled
    meson configure build -Dtests=enabled
    build_all build
    get_text
    run_meson_tests build --logbase unit
    cp build/meson-logs/unit.json $results/ || true

    # A sanitizer's finding must abort: the test runner does not see an exit code or a line.
    export ASAN_OPTIONS=abort_on_error=1 TSAN_OPTIONS=halt_on_error=1
    export UBSAN_OPTIONS=halt_on_error=1:abort_on_error=1:print_stacktrace=1
    say "unit tests under AddressSanitizer and UndefinedBehaviorSanitizer"
    configure build-asan -Dtests=enabled -Dexamples=false -Db_sanitize=address,undefined \
        -Db_lundef=false -Db_ndebug=false -Doptimization=1 -Dc_args=-fno-sanitize-recover=all
    build_all build-asan
    run_meson_tests build-asan --logbase asan --timeout-multiplier 3
    cp build-asan/meson-logs/asan.json $results/ || true

    say "threads under ThreadSanitizer"
    configure build-tsan -Dtests=disabled -Dexamples=false -Db_sanitize=thread -Db_lundef=false \
        -Doptimization=1
    build_all build-tsan
    run_meson_tests build-tsan --logbase tsan --suite threads
    cp build-tsan/meson-logs/tsan.json $results/ || true

    say "clang"
    (export CC=clang && configure build-clang -Dtests=enabled)
    build_all build-clang

    say "installed copy, in C and C++"
    tests/test_install.sh build >$results/install.tap || true
    say "examples"
    tests/test_examples.sh build "$text" >$results/examples.tap || true

    python3 tests/count.py $results/unit.json $results/asan.json $results/tsan.json \
        $results/builds.tap $results/install.tap $results/examples.tap
}

# run_benches OPTION... -- options are bench_rnn's; with others than --quick and --json it is the
# only one asked for.
run_benches() {
    all=1 impls= json= quick=
    for option; do
        case $option in
        --quick | -q) quick=--quick ;;
        --json | -j) json=--json ;;
        *) all= ;;
        esac
        case $option in --impl*) impls=1 ;; esac
    done
    # With --json nothing but records goes to stdout.
    exec 3>&1
    [ -z "$json" ] || exec 3>&2
    {
        install_packages $packages libdnnl-dev
        configure build
        ninja -C build --quiet benches
    } >&3
    # What fails says so, and the rest runs all the same.
    status=0
    say "recurrent layers" >&3
    build/tests/bench_rnn "$@" || status=1
    if [ -n "$impls" ]; then
        say "PyTorch: not asked for" >&3
    elif python3 -c 'import torch' 2>/dev/null; then
        say "PyTorch" >&3
        python3 tests/bench/torch_rnn.py "$@" || status=1
    else
        say "PyTorch is not installed (python3-torch): not compared" >&3
    fi
    if [ -n "$all" ]; then
        for program in bench_gemm bench_parts; do
            [ -x build/tests/$program ] || continue
            say "$program" >&3
            build/tests/$program $quick $json || status=1
        done
    fi
    if [ -n "$all" ] && [ -z "$json" ]; then
        say "bench_stream" >&3
        build/tests/bench_stream || status=1
    fi
    return $status
}

case ${1:-} in
test)
    install_packages $packages $test_packages
    run_all_tests
    ;;
bench)
    shift
    run_benches "$@"
    ;;
*)
    install_packages $packages
    say "building"
    configure build
    ninja -C build --quiet examples/gru_vs_lstm
    case ${1-} in
    "" | -*) get_text ;;
    /*) text=$1 && shift ;;
    *) text=$start/$1 && shift ;;
    esac
    mkdir -p out
    exec build/examples/gru_vs_lstm --csv=out/gru_vs_lstm.csv --svg=out/gru_vs_lstm.svg "$@" "$text"
    ;;
esac
