/* cells.h -- the cells that come with the library: the textbook equations, recorded, in PyTorch's
 * layout and names.
 *
 * Parameters of each, in this order: weight_ih [gH,I], weight_hh [gH,H], bias_ih [gH], bias_hh
 * [gH]; g is 1, 4, 3. All are drawn from U(-1/sqrt(H), 1/sqrt(H)); to change that, change
 * param[k].init of the value returned. */
#ifndef TL_NN_CELLS_H
#define TL_NN_CELLS_H

#include "nn/cell.h"

TL_BEGIN_DECLS

/* Indices of the parameters of all cells below. */
enum { TL_W_IH, TL_W_HH, TL_B_IH, TL_B_HH };

typedef struct tl_rnn_opts {
    int relu; /* relu in place of tanh, default 0 */
    int bias; /* default 1; 0 leaves both biases out */
} tl_rnn_opts;

typedef struct tl_lstm_opts {
    double forget_bias; /* added to the forget gate's part of bias_ih at first; default 0 */
    int bias;           /* default 1 */
} tl_lstm_opts;

typedef struct tl_gru_opts {
    int reset_before; /* r multiplies h before the product with W_hn; default 0: after it */
    int bias;         /* default 1 */
} tl_gru_opts;

TL_API tl_rnn_opts tl_rnn_defaults(void);
TL_API tl_lstm_opts tl_lstm_defaults(void);
TL_API tl_gru_opts tl_gru_defaults(void);

/* tl_rnn_cell -- the plain recurrent network.
 *
 *     h' = tanh(x W_ih' + b_ih + h W_hh' + b_hh)          state h.   Source: Elman 1990 */
TL_API tl_cell tl_rnn_cell(const tl_rnn_opts *opts);

/* tl_lstm_cell -- long short-term memory; blocks i f g o, states h and c.
 *
 *     z = x W_ih' + b_ih + h W_hh' + b_hh
 *     i = sigm(z_i)  f = sigm(z_f)  g = tanh(z_g)  o = sigm(z_o)
 *     c' = f c + i g        h' = o tanh(c')
 *
 * Source: Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000; forget bias 1: Jozefowicz
 * et al. 2015. */
TL_API tl_cell tl_lstm_cell(const tl_lstm_opts *opts);

/* tl_gru_cell -- gated recurrent unit; blocks r z n, state h.
 *
 *     r = sigm(x W_ir' + b_ir + h W_hr' + b_hr)           z likewise
 *     n = tanh(x W_in' + b_in + r (h W_hn' + b_hn))       reset after (default)
 *     n = tanh(x W_in' + b_in + (r h) W_hn' + b_hn)       reset before
 *     h' = (1 - z) n + z h
 *
 * The variants are two different functions: weights of one are wrong in the other.   Source: Cho et
 * al. 2014, eq. 5-8. */
TL_API tl_cell tl_gru_cell(const tl_gru_opts *opts);

TL_END_DECLS
#endif
