/* rnn_bench.h -- one case, cell, pass and number of threads with all ways to compute it, and what
 * their rounds took. */
#ifndef TL_TESTS_BENCH_RNN_BENCH_H
#define TL_TESTS_BENCH_RNN_BENCH_H

#include "tests/bench/rnn_impl.h"
#include "tests/bench/rnn_options.h"
#include "tests/bench/stopwatch.h"

enum { TAPELOOP, USER_CELL, LOOP, PROGRAM, ONEDNN, IMPLS };

/* rnn_impls -- the ways, at the indices above. */
extern const rnn_impl *const rnn_impls[IMPLS];

typedef struct rnn_bench {
    const rnn_options *o;
    int threads;
    rnn_data *d;
    rnn_pass pass;
    double (*clock)(void);
    void *run[IMPLS];      /* NULL: not in this process */
    int measured[IMPLS];   /* has numbers below */
    series best[IMPLS];    /* of each round: the shortest block, */
    series median[IMPLS];  /* the block in the middle (one thread: a round has one block) */
    series products;       /* one thread only */
    double peak_mb[IMPLS]; /* NaN: not measured */
    rnn_costs costs;       /* of tapeloop's last step */
} rnn_bench;

/* rnn_bench_wants -- whether way k exists and is asked for. */
int rnn_bench_wants(const rnn_bench *b, int k);

/* rnn_bench_open -- data and all ways that are wanted. rnn_bench_open_data -- data only. All that
 * return a number return 0, or non-zero after a message on stderr. */
int rnn_bench_open(rnn_bench *b, const rnn_options *o, const rnn_case *c, rnn_cell cell,
                   rnn_pass pass, int threads);
int rnn_bench_open_data(rnn_bench *b, const rnn_options *o, const rnn_case *c, rnn_cell cell,
                        rnn_pass pass, int threads);
int rnn_bench_start(rnn_bench *b, int k);
void rnn_bench_close(rnn_bench *b);

/* rnn_bench_verify -- all ways that are open compute the same as the first of them. */
int rnn_bench_verify(rnn_bench *b);

/* rnn_bench_block -- the mean time of a step of way k over a few milliseconds, one step at least;
 * negative after a failure, which is said. */
double rnn_bench_block(rnn_bench *b, int k);

#endif
