/* gru.c -- the gated recurrent unit in its two variants. */
#include "nn/cells.h"
#include "nn/gates.h"

#include "ops/ops.h"

/* The reset gate multiplies the product with W_hn, its bias included: one product with all of W_hh.
 * */
static tl_tensor after_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *state,
                            const tl_tensor *aux)
{
    (void)aux;
    tl_tensor h = state[0];                                             /* [B,H] */
    tl_tensor a = tl_linear(x, w[TL_W_IH], tl__bias(cell, w, TL_B_IH)); /* [B,3H]: r z n */
    tl_tensor b = tl_linear(h, w[TL_W_HH], tl__bias(cell, w, TL_B_HH)); /* [B,3H]: r z n */
    tl_tensor r = tl_name(tl_sigmoid(tl_add(tl_chunk(a, 3, 0), tl_chunk(b, 3, 0))), "r");
    tl_tensor z = tl_name(tl_sigmoid(tl_add(tl_chunk(a, 3, 1), tl_chunk(b, 3, 1))), "z");
    tl_tensor n = tl_name(tl_tanh(tl_add(tl_chunk(a, 3, 2), tl_mul(r, tl_chunk(b, 3, 2)))), "n");
    return state[0] = tl_add(tl_mul(tl_rsub_scalar(z, 1), n), tl_mul(z, h));
}

/* It multiplies h before that product, which must wait for it: two products. */
static tl_tensor before_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *state,
                             const tl_tensor *aux)
{
    (void)aux;
    tl_tensor h = state[0];                                             /* [B,H] */
    tl_tensor a = tl_linear(x, w[TL_W_IH], tl__bias(cell, w, TL_B_IH)); /* [B,3H]: r z n */
    tl_tensor W_rz = tl_slice(w[TL_W_HH], 0, 0, 2 * tl_dim(h, -1));     /* [2H,H] */
    tl_tensor W_n = tl_part(w[TL_W_HH], 0, 3, 2);                       /* [H,H] */
    tl_tensor bias = tl__bias(cell, w, TL_B_HH), b_rz = bias, b_n = bias;
    if (cell->nparams > TL_B_HH) {
        b_rz = tl_slice(bias, 0, 0, 2 * tl_dim(h, -1));
        b_n = tl_part(bias, 0, 3, 2);
    }
    tl_tensor b = tl_linear(h, W_rz, b_rz); /* [B,2H]: r z */
    tl_tensor r = tl_name(tl_sigmoid(tl_add(tl_chunk(a, 3, 0), tl_chunk(b, 2, 0))), "r");
    tl_tensor z = tl_name(tl_sigmoid(tl_add(tl_chunk(a, 3, 1), tl_chunk(b, 2, 1))), "z");
    tl_tensor n =
        tl_name(tl_tanh(tl_add(tl_chunk(a, 3, 2), tl_linear(tl_mul(r, h), W_n, b_n))), "n");
    return state[0] = tl_add(tl_mul(tl_rsub_scalar(z, 1), n), tl_mul(z, h));
}

tl_gru_opts tl_gru_defaults(void)
{
    tl_gru_opts o = {0, 1};
    return o;
}

tl_cell tl_gru_cell(const tl_gru_opts *opts)
{
    tl_gru_opts o = opts ? *opts : tl_gru_defaults();
    tl_cell cell = tl_cell_make(o.reset_before ? "gru_before" : "gru",
                                o.reset_before ? before_step : after_step);
    cell.gates = "r z n";
    tl__gate_params(&cell, "3H,I", "3H,H", o.bias ? "3H" : NULL);
    tl_cell_state_add(&cell, "h", "H");
    return cell;
}
