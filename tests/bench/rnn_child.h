/* rnn_child.h -- measurements that need a process of their own.
 *
 *     bench_rnn --threads 2 --child time --impl onednn ...     prints "best median peak"
 *
 * Both sides read their number of threads when they are loaded, and threads of the one that spin
 * would disturb the other: two threads are timed in processes that take turns. What memory a step
 * takes is seen only where nothing else has run. */
#ifndef TL_TESTS_BENCH_RNN_CHILD_H
#define TL_TESTS_BENCH_RNN_CHILD_H

#include "tests/bench/rnn_bench.h"

/* rnn_child_setenv -- what both sides read when they are loaded. */
void rnn_child_setenv(int threads);

/* rnn_child_time -- a process that times way k for so many seconds: a round is added to b's series.
 * rnn_child_memory -- one that sets b->peak_mb[k]. rnn_child_verify -- one that compares all ways.
 * All return 0, or non-zero after a message. */
int rnn_child_time(rnn_bench *b, int k, double seconds);
int rnn_child_memory(rnn_bench *b, int k);
int rnn_child_verify(rnn_bench *b);

/* rnn_child_main -- what such a process does; b is open_data's. Returns its exit code. */
int rnn_child_main(rnn_bench *b);

#endif
