/* rnn_options.h -- the command line of bench_rnn. */
#ifndef TL_TESTS_BENCH_RNN_OPTIONS_H
#define TL_TESTS_BENCH_RNN_OPTIONS_H

#include "tests/bench/rnn_case.h"

enum { MOST_THREADS = 8 };

typedef struct rnn_options {
    unsigned cases, cells, passes, impls; /* bit k: the k-th */
    int threads[MOST_THREADS], nthreads;
    int json, quick;
    int cpu;           /* one thread: count its processor time */
    int rounds;        /* at least; 0: as many as fit into seconds */
    double seconds;    /* for each case, cell, pass, number of threads */
    const char *child; /* what a process started by this program has to do, or NULL */
} rnn_options;

/* rnn_options_parse -- the defaults, changed by the arguments; impl[] are the names that --impl
 * knows. On a mistake argp explains it and ends the program. */
rnn_options rnn_options_parse(int argc, char **argv, int nimpls, const char *const *impl);

#endif
