/* axes.h -- the axes of a reduction as bits: bit k is axis k+1 from the end. Private. */
#ifndef TL_OPS_AXES_H
#define TL_OPS_AXES_H

#include "core/op.h"

/* tl__axes_mask -- the axes, from the front or the end, as bits into *mask. Returns whether a is
 * alive and floating, and they are right; else the error is recorded under `what`. */
TL_API int tl__axes_mask(tl_tensor a, const char *what, int naxes, const int *axes, uint32_t *mask);
/* tl__axes_all -- all axes of a. */
TL_API uint32_t tl__axes_all(tl_tensor a);
/* tl__axes_has -- whether axis (from the front) of a shape of this rank is one of them. */
TL_API int tl__axes_has(uint32_t mask, int rank, int axis);
/* tl__axes_shape -- s with the axes as 1 if they are kept, else without them. */
TL_API tl_shape tl__axes_shape(tl_shape s, uint32_t mask, int keepdims);
/* tl__axes_drop -- takes the axes, of extent 1 by now, out of the shape unless they are kept. */
TL_API tl_tensor tl__axes_drop(tl_tensor kept, uint32_t mask, int keepdims);
/* tl__axes_count -- how many elements the axes have together. */
TL_API double tl__axes_count(tl_tensor a, uint32_t mask);

#endif
