/* rnn.c -- the plain recurrent network. */
#include "nn/cells.h"
#include "nn/gates.h"

#include "ops/ops.h"

/* x W_ih' + b_ih + h W_hh' + b_hh */
static tl_tensor sum_of_inputs(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor h)
{
    return tl_add(tl_linear(x, w[TL_W_IH], tl__bias(cell, w, TL_B_IH)),
                  tl_linear(h, w[TL_W_HH], tl__bias(cell, w, TL_B_HH)));
}

static tl_tensor tanh_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *state,
                           const tl_tensor *aux)
{
    (void)aux;
    return state[0] = tl_tanh(sum_of_inputs(cell, w, x, state[0]));
}

static tl_tensor relu_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *state,
                           const tl_tensor *aux)
{
    (void)aux;
    return state[0] = tl_relu(sum_of_inputs(cell, w, x, state[0]));
}

tl_rnn_opts tl_rnn_defaults(void)
{
    tl_rnn_opts o = {0, 1};
    return o;
}

tl_cell tl_rnn_cell(const tl_rnn_opts *opts)
{
    tl_rnn_opts o = opts ? *opts : tl_rnn_defaults();
    tl_cell cell = tl_cell_make(o.relu ? "rnn_relu" : "rnn", o.relu ? relu_step : tanh_step);
    tl__gate_params(&cell, "H,I", "H,H", o.bias ? "H" : NULL);
    tl_cell_state_add(&cell, "h", "H");
    return cell;
}
