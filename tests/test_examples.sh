#!/bin/sh
# tests/test_examples.sh BUILD TEXT -- runs the programs of examples/ and looks at what they leave
# behind; prints TAP.
set -u
build=$(cd "$1" && pwd) || exit 1
text=$2
examples=$build/examples
out=$build/examples-out
log=$out/log
count=0
failed=0

check() {
    title=$1
    shift
    count=$((count + 1))
    if "$@" >"$log" 2>&1; then
        echo "ok $count - $title"
    else
        failed=$((failed + 1))
        echo "not ok $count - $title"
        tail -n 30 "$log" | sed 's/^/# /'
    fi
}

# train NAME OPTION... -- a main job of seconds; what it prints is kept in out/NAME.txt.
train() {
    file=$out/$1.txt
    shift
    "$examples/gru_vs_lstm" --hidden=24 --embed=16 --batch=8 --length=32 "$@" "$text" >"$file" 2>&1
    code=$?
    cat "$file"
    return $code
}

well_formed() {
    python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' "$1"
}

# compiles -- pdflatex takes the document as it is: one page, and nothing beyond its edge.
compiles() {
    max_print_line=1000 pdflatex -interaction=nonstopmode -halt-on-error \
        -output-directory="$(dirname "$1")" "$1" || return 1
    grep -q '(1 page' "${1%.tex}.log" && ! grep -q '^Overfull' "${1%.tex}.log"
}

# curves_fall -- the CSV has all three cells, and each one ends well below its first value.
curves_fall() {
    python3 - "$1" <<'END'
import csv, sys
first, last = {}, {}
for row in csv.DictReader(open(sys.argv[1])):
    if row["valid_bits"]:
        first.setdefault(row["cell"], float(row["valid_bits"]))
        last[row["cell"]] = float(row["valid_bits"])
print(first, last)
assert set(last) == {"rnn", "gru", "lstm"}
assert all(last[c] < first[c] - 0.5 for c in last)
END
}

# stops_cleanly -- Ctrl-C: exit code 0, and the table of what there is.
stops_cleanly() {
    "$examples/gru_vs_lstm" --steps=1000000 --cells=gru --hidden=24 --sample=20 "$text" \
        >"$out/stopped.txt" 2>&1 &
    pid=$!
    sleep 3
    kill -INT $pid
    wait $pid
    code=$?
    cat "$out/stopped.txt"
    [ $code = 0 ] && grep -q 'bits' "$out/stopped.txt"
}

# refuses FILE -- exit code 1 and a sentence with the file's name; the library says who called it.
refuses() {
    "$examples/gru_vs_lstm" "$1" >"$out/refused.txt" 2>&1
    [ $? = 1 ] && grep "$1" "$out/refused.txt" && grep 'called from .*gru_vs_lstm' "$out/refused.txt"
}

# same_numbers A B -- the two CSV files differ in nothing but the clock.
same_numbers() {
    cut -d, -f1-3,5- "$1" >"$1.cut"
    cut -d, -f1-3,5- "$2" >"$2.cut"
    [ -s "$1.cut" ] && cmp "$1.cut" "$2.cut"
}

# same_end A B -- both print the same sample and the same last value of the held-out text.
same_end() {
    sed -n '/writes:/,/^cell/p' "$1" >"$1.cut"
    sed -n '/writes:/,/^cell/p' "$2" >"$2.cut"
    awk '/^lstm / { bits = $NF } END { print bits }' "$1" >>"$1.cut"
    awk '/^lstm / { bits = $NF } END { print bits }' "$2" >>"$2.cut"
    grep 'writes:' "$1.cut" && cmp "$1.cut" "$2.cut"
}

# lines_are N FILE
lines_are() {
    [ "$(wc -l <"$2")" = "$1" ] && head -n 1 "$2" | grep '^t,h gradient,c gradient,spectral radius'
}

# not_into FOLDER -- exit code 1, and the name of the file that could not be written.
not_into() {
    "$examples/microscope" "$1" >"$out/refused.txt" 2>&1
    [ $? = 1 ] && grep "$1/microscope.svg: cannot be written" "$out/refused.txt"
}

# writes_the_rhyme -- the frozen model has its text by heart.
writes_the_rhyme() {
    "$examples/stream" >"$out/stream.txt"
    code=$?
    cat "$out/stream.txt"
    [ $code = 0 ] && [ "$(grep -c 'the bowl had been stronger' "$out/stream.txt")" -ge 2 ]
}

rm -rf "$out"
mkdir -p "$out"
short="--steps=60 --sample=40"
# shellcheck disable=SC2086
check "gru_vs_lstm trains" \
    train one $short --csv="$out/one.csv" --svg="$out/one.svg"
check "the curves fall" curves_fall "$out/one.csv"
check "the picture is well-formed" well_formed "$out/one.svg"
# shellcheck disable=SC2086
check "gru_vs_lstm again, four workers" train two $short --csv="$out/two.csv" --workers=4
check "the numbers are the same" same_numbers "$out/one.csv" "$out/two.csv"
# shellcheck disable=SC2086
check "a whole training" train whole --cells=lstm --steps=400 --sample=40
check "the same, stopped by the clock" \
    train half --cells=lstm --steps=400 --seconds=0.5 --save="$out/half" --sample=40
check "and gone on with" train rest --cells=lstm --steps=400 --load="$out/half" --sample=40
check "ends with the same numbers and text" same_end "$out/whole.txt" "$out/rest.txt"
check "gru_vs_lstm stops at Ctrl-C" stops_cleanly
check "gru_vs_lstm refuses a missing text" refuses "$out/none.txt"
check "bptt_by_hand agrees" "$examples/bptt_by_hand"
check "rtrl agrees and keeps nothing over time" "$examples/rtrl"
check "meta_learning: the gradient agrees, the rate learns" "$examples/meta_learning"
check "long_text: the same bits within a budget, 64 MB" "$examples/long_text" "$text" 50000
check "custom_cell learns" "$examples/custom_cell"
check "truncation: cuts and windows computed anew agree" "$examples/truncation"
check "read_the_tape prints and draws" "$examples/read_the_tape" "$out"
check "its picture is well-formed" well_formed "$out/lstm_tape.svg"
command -v pdflatex >/dev/null && check "its LaTeX compiles" compiles "$out/lstm_tape.tex"
command -v dot >/dev/null && check "Graphviz takes it" dot -Tpdf -o "$out/dot.pdf" "$out/lstm_tape.dot"
check "its picture is the one shown" cmp "$out/lstm_tape.svg" "$(dirname "$0")/../examples/lstm_tape.svg"
check "microscope: the bias of a gate brings the gradient back" "$examples/microscope" "$out"
for name in microscope microscope_rnn microscope_lstm_1 microscope_gru; do
    check "$name.svg is well-formed" well_formed "$out/$name.svg"
done
check "microscope.svg is the one shown" \
    cmp "$out/microscope.svg" "$(dirname "$0")/../examples/microscope.svg"
check "microscope_lstm_1.csv has a line for each step" lines_are 101 "$out/microscope_lstm_1.csv"
check "microscope refuses a missing folder" not_into "$out/none"
check "custom_op is right" "$examples/custom_op"
check "stream writes what it learned" writes_the_rhyme

echo "1..$count"
[ $failed = 0 ]
