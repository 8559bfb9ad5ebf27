/* lstm.c -- long short-term memory, as in the textbook. */
#include "nn/cells.h"
#include "nn/gates.h"

#include "ops/ops.h"

static tl_tensor lstm_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *state,
                           const tl_tensor *aux)
{
    (void)aux;
    tl_tensor h = state[0], c = state[1]; /* [B,H] each */
    tl_tensor z =
        tl_add(tl_linear(x, w[TL_W_IH], tl__bias(cell, w, TL_B_IH)),
               tl_linear(h, w[TL_W_HH], tl__bias(cell, w, TL_B_HH))); /* [B,4H]: i f g o */
    tl_name(z, "z");
    tl_tensor i = tl_name(tl_sigmoid(tl_chunk(z, 4, 0)), "i");
    tl_tensor f = tl_name(tl_sigmoid(tl_chunk(z, 4, 1)), "f");
    tl_tensor g = tl_name(tl_tanh(tl_chunk(z, 4, 2)), "g");
    tl_tensor o = tl_name(tl_sigmoid(tl_chunk(z, 4, 3)), "o");
    state[1] = tl_add(tl_mul(f, c), tl_mul(i, g));
    return state[0] = tl_mul(o, tl_tanh(state[1]));
}

tl_lstm_opts tl_lstm_defaults(void)
{
    tl_lstm_opts o = {0, 1};
    return o;
}

tl_cell tl_lstm_cell(const tl_lstm_opts *opts)
{
    tl_lstm_opts o = opts ? *opts : tl_lstm_defaults();
    tl_cell cell = tl_cell_make("lstm", lstm_step);
    cell.gates = "i f g o";
    tl__gate_params(&cell, "4H,I", "4H,H", o.bias ? "4H" : NULL);
    tl_cell_state_add(&cell, "h", "H");
    tl_cell_state_add(&cell, "c", "H");
    if (o.bias)
        cell.param[TL_B_IH].init = tl_init_plus(cell.param[TL_B_IH].init, 1, o.forget_bias);
    return cell;
}
