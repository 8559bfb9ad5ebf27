/* indices.h -- what operations that pick elements by number ask of the numbers. Private. */
#ifndef TL_OPS_INDICES_H
#define TL_OPS_INDICES_H

#include "core/op.h"
#include "ops/walk.h"

/* tl__index_wanted -- for a shape rule: TL_EDTYPE unless operand `which`, the indices, is i32. */
int tl__index_wanted(tl_infer *q, int which);

/* tl__index_adds -- for a shape rule: TL_EDTYPE if operand 0, which is added up, is i32. */
int tl__index_adds(tl_infer *q);

/* tl__index_is_outside -- whether v is not in [0,n). */
static inline int tl__index_is_outside(int32_t v, int64_t n)
{
    return v < 0 || v >= n;
}

/* tl__index_fail -- reports an index that is not in [0,n), at the place where the walk over the
 * indices is; in a band, or in a part along the first axis, that of the whole array. Returns
 * TL_ERANGE. */
int tl__index_fail(tl_call *c, const tl_walk *w, int32_t got, int64_t n);

#endif
