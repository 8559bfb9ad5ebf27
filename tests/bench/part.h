/* part.h -- the parts of bench_parts: one thing each, measured against what it could cost at best.
 */
#ifndef TL_TESTS_BENCH_PART_H
#define TL_TESTS_BENCH_PART_H

#include "tapeloop.h"
#include "tests/bench/stopwatch.h"

typedef struct part_options {
    int quick, json;
    double seconds; /* for each race */
    int threads;    /* ours */
} part_options;

/* contender -- one way to do the thing. step does it once and returns the milliseconds that count,
 * negative after a failure (which it says). */
typedef struct contender {
    const char *impl;
    double (*step)(void *arg);
    void *arg;
    series times;
} contender;

/* race -- rounds of all contenders in turn, after one of each to warm up. */
typedef struct race {
    const char *name; /* "adam 60 tensors"; key "case" */
    const char *pass; /* "train", "infer", or NULL */
    int n;
    contender *c;
    double amount;    /* in one step, of ... */
    const char *unit; /* ... "GB/s": amount per millisecond is printed in it; NULL: none */
    int apart;        /* the contenders are different things: no ratios */
} race;

/* race_run -- and prints: a table, whose ratios are to the last contender, or records. Returns 0,
 * or 1 after a failure. */
int race_run(const part_options *o, race *r);

/* part_timed -- milliseconds that f(arg) takes; -1 if it returns non-zero. */
double part_timed(int (*f)(void *arg), void *arg);

/* part_same -- whether a[n] and b[n] agree to 1e-4 of the largest element; says so if not: what is
 * not the same need not be measured. */
int part_same(const char *name, size_t n, const float *a, const float *b);

/* part_finish -- empties the tape, and says on stderr what its error was. Returns its code. */
int part_finish(tl_tape *tape, const char *name);

/* part -- one part. Returns 0, or 1 after a failure, which is said. */
typedef struct part {
    const char *name, *what;
    int (*run)(const part_options *o);
} part;

extern const part part_pointwise, part_rows, part_softmax, part_embedding, part_optimizer,
    part_recording, part_planning, part_length, part_loader;

#endif
