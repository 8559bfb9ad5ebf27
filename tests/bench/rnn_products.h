/* rnn_products.h -- the bare matrix products of a case: the wall behind all who are measured. */
#ifndef TL_TESTS_BENCH_RNN_PRODUCTS_H
#define TL_TESTS_BENCH_RNN_PRODUCTS_H

#include "tests/bench/rnn_data.h"

/* peak_gflops -- of one core: the best of several products of 1024^3, ours and oneDNN's, measured
 * at the first call. */
double peak_gflops(void);

/* products_step -- milliseconds of the products of a pass through tl__gemm, in the shapes and the
 * order in which a recurrent layer has them, on one thread and nothing between them; NaN when
 * memory is short.
 *
 *     forward   z [TB,gH] = x W_ih'      each step: z_t += h W_hh'
 *     backward  each step: dh = dz_t W_hh      dx = dz W_ih      dW_ih = dz' x      dW_hh = dz' h */
double products_step(const rnn_data *d, rnn_pass pass, double (*clock)(void));

#endif
