/* index.h -- picking rows by number, and adding them back: the i32 operands have no gradient.
 *
 * Every index is checked when it runs; one outside its range is TL_ERANGE, a message with the
 * index, its position and the range, and nothing is published. Additions to one element happen in
 * the row-major order of the indices: same bits always. */
#ifndef TL_OPS_INDEX_H
#define TL_OPS_INDEX_H

#include "core/tape.h"

TL_BEGIN_DECLS

/* tl_gather -- rows of a table: out[i...,:] = table[idx[i...],:]. table [V,...], idx [I...] i32,
 * return [I...,...]. */
TL_API tl_tensor tl_gather(tl_tensor table, tl_tensor idx);
/* tl_scatter_add -- the adjoint of gather: zeros [V,...] with src[i...,:] added to row idx[i...].
 * src [I...,...], idx [I...] i32. */
TL_API tl_tensor tl_scatter_add(tl_tensor src, tl_tensor idx, int64_t V);
/* tl_embedding -- tl_gather(w, idx) whose row `padding` gets no gradient; padding -1: no such row.
 * w [V,E], idx [I...] i32, return [I...,E]. */
TL_API tl_tensor tl_embedding(tl_tensor w, tl_tensor idx, int64_t padding);

/* tl_one_hot -- 1 at [i..., idx[i...]], else 0: [I...,K] of any dtype. No gradient. */
TL_API tl_tensor tl_one_hot(tl_tensor idx, int64_t K, tl_dtype dtype);

TL_END_DECLS
#endif
