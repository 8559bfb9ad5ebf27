/* along.h -- picking elements along an axis by number, and adding them back: the i32 operands have
 * no gradient. Indices are checked, and additions ordered, as index.h says. */
#ifndef TL_OPS_ALONG_H
#define TL_OPS_ALONG_H

#include "core/tape.h"

TL_BEGIN_DECLS

/* tl_take_along -- out[i,j,k] = a[i,idx[i,j,k],k] for axis 1, and likewise for others. idx i32 has
 * a's rank and extents but for this axis, and the result idx's shape. */
TL_API tl_tensor tl_take_along(tl_tensor a, tl_tensor idx, int axis);
/* tl_put_along -- its adjoint: zeros of src's shape but with `extent` along this axis, src[i,j,k]
 * added at [i,idx[i,j,k],k]. idx has src's shape. */
TL_API tl_tensor tl_put_along(tl_tensor src, tl_tensor idx, int axis, int64_t extent);

TL_END_DECLS
#endif
