/* rnn_data.h -- the numbers of a case, the same for everyone who is measured, and results to
 * compare.
 *
 * Weights are in PyTorch's (our) layout, row-major; run r is layer * D + direction. */
#ifndef TL_TESTS_BENCH_RNN_DATA_H
#define TL_TESTS_BENCH_RNN_DATA_H

#include "tests/bench/rnn_case.h"

#include <stddef.h>

typedef struct rnn_weights {
    float *w_ih[RNN_RUNS];                  /* [gH,I] */
    float *w_hh[RNN_RUNS];                  /* [gH,H] */
    float *b_ih[RNN_RUNS], *b_hh[RNN_RUNS]; /* [gH] */
} rnn_weights;

typedef struct rnn_data {
    const rnn_case *shape;
    rnn_cell cell;
    int gates, runs;
    size_t nx, ny; /* elements */
    float *x;      /* [T,B,I] */
    float *dy;     /* [T,B,D*H], the given gradient of the outputs */
    rnn_weights w;
} rnn_data;

/* rnn_result -- what came out. Of an LSTM, whose two biases have one gradient, both hold it. */
typedef struct rnn_result {
    float *y;      /* [T,B,D*H], infer */
    float *dx;     /* [T,B,I], train */
    rnn_weights d; /* train */
} rnn_result;

/* floats_new -- n zeros, 64-byte aligned, with 64 readable bytes behind; free() frees it. NULL when
 * memory is short. floats_room -- the same, but nothing is written: pages come when they are used.
 */
float *floats_new(size_t n);
float *floats_room(size_t n);

/* rnn_data_new, rnn_result_new -- NULL when memory is short. Every number is fixed. */
rnn_data *rnn_data_new(const rnn_case *c, rnn_cell cell);
void rnn_data_free(rnn_data *d);
rnn_result *rnn_result_new(const rnn_data *d);
void rnn_result_free(rnn_result *r);

/* rnn_result_difference -- the largest difference between a and b in what the pass computes, each
 * array's relative to its largest element; *where names the array. NaN counts as infinite. */
double rnn_result_difference(const rnn_data *d, rnn_pass pass, const rnn_result *a,
                             const rnn_result *b, const char **where);

#endif
