/* gates.h -- what the built-in cells share: the four parameters of PyTorch's layout. Private. */
#ifndef TL_NN_GATES_H
#define TL_NN_GATES_H

#include "nn/cells.h"

/* tl__gate_params -- adds weight_ih, weight_hh and, if bias is not NULL, bias_ih, bias_hh of these
 * shapes. */
void tl__gate_params(tl_cell *cell, const char *ih, const char *hh, const char *bias);

/* tl__bias -- w[k], or the inert tensor in a cell without biases. */
tl_tensor tl__bias(const tl_cell *cell, const tl_tensor *w, int k);

#endif
