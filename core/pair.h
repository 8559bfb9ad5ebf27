/* pair.h -- kernels of two arithmetic operations, one of which reads the other. Private. */
#ifndef TL_CORE_PAIR_H
#define TL_CORE_PAIR_H

#include "core/op.h"

/* tl__pair -- of operands a, b, c: first(a, b) as operand `side` (0 or 1) of second, c the other
 * one, each rounded by itself. NULL: there is none. */
TL_API tl_tile_fn tl__pair(tl_form first, tl_form second, int side, tl_dtype dtype);

#endif
