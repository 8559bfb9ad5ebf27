/* select.h -- entries of any axis by number, and adding to them. Index and order rules as in
 * index.h: checked when run, additions in the order of the indices. */
#ifndef TL_OPS_SELECT_H
#define TL_OPS_SELECT_H

#include "core/tape.h"

TL_BEGIN_DECLS

/* tl_index_select -- entries idx of one axis: out[p,i...,q] = a[p,idx[i...],q].
 *
 *   a       [P...,n,Q...]      axis is that of n
 *   idx     [I...] i32         any rank; rank 0 drops the axis
 *   return  [P...,I...,Q...]
 *
 * Gradient: tl_index_add to zeros. Errors: TL_ESHAPE; TL_EDTYPE; TL_ERANGE when run. */
TL_API tl_tensor tl_index_select(tl_tensor a, int axis, tl_tensor idx);

/* tl_index_add -- a with entries of src added to entries idx of one axis:
 *
 *     out = a;  out[p,idx[i...],q] += src[p,i...,q]
 *
 *   a       [P...,n,Q...]      axis is that of n
 *   idx     [I...] i32
 *   src     [P...,I...,Q...]
 *   return  [P...,n,Q...]
 *
 * Equal indices add up. Zeros for a: a scatter along any axis. Gradient: da = g, dsrc =
 * tl_index_select(g, axis, idx). */
TL_API tl_tensor tl_index_add(tl_tensor a, int axis, tl_tensor idx, tl_tensor src);

TL_END_DECLS
#endif
