/* gates.c -- what the built-in cells share. */
#include "nn/gates.h"

void tl__gate_params(tl_cell *cell, const char *ih, const char *hh, const char *bias)
{
    tl_cell_param_add(cell, "weight_ih", ih, tl_init_recurrent());
    tl_cell_param_add(cell, "weight_hh", hh, tl_init_recurrent());
    if (!bias)
        return;
    tl_cell_param_add(cell, "bias_ih", bias, tl_init_recurrent());
    tl_cell_param_add(cell, "bias_hh", bias, tl_init_recurrent());
}

tl_tensor tl__bias(const tl_cell *cell, const tl_tensor *w, int k)
{
    tl_tensor none = {0};
    return k < cell->nparams ? w[k] : none;
}
