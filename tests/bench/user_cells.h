/* user_cells.h -- the mathematics of the built-in LSTM and GRU as a user might write it who has not
 * read the library: a matrix for each gate, x W + h U, the sigmoid spelled out. */
#ifndef TL_TESTS_BENCH_USER_CELLS_H
#define TL_TESTS_BENCH_USER_CELLS_H

#include "tapeloop.h"
#include "tests/bench/rnn_data.h"

/* user_cell -- parameters: W of each gate [I,H], then U of each [H,H], then the biases [H] (LSTM:
 * one for each gate; GRU: one for each, and a fourth for n's product with h). Gates i f g o, r z n.
 */
tl_cell user_cell(rnn_cell cell);

/* user_cell_scatter -- PyTorch's weights of a run as parameter k, to out; returns its elements.
 * user_cell_gather -- the way back for gradients: what lies in from goes into d. */
size_t user_cell_scatter(const rnn_data *d, const rnn_weights *w, int run, int k, float *out);
void user_cell_gather(const rnn_data *d, rnn_weights *w, int run, int k, const float *from);

#endif
