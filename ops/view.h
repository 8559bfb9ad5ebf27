/* view.h -- the same elements in another order, and tensors put side by side.
 *
 * permute, flip and what core/space.h has (reshape, slice, broadcast_to) are other strides over the
 * same buffer and copy nothing. What puts pieces together is core's assemble, whose gradient is
 * slices. Axes count from the front (>= 0) or the end (< 0). */
#ifndef TL_OPS_VIEW_H
#define TL_OPS_VIEW_H

#include "core/tape.h"

TL_BEGIN_DECLS

/* tl_permute -- axis j of the result is axis order[j] of a; n is a's rank, order a permutation of
 * its axes. */
TL_API tl_tensor tl_permute(tl_tensor a, int n, const int *order);
/* tl_transpose -- swaps two axes. */
TL_API tl_tensor tl_transpose(tl_tensor a, int axis0, int axis1);
/* tl_flip -- reverses the order along one axis. */
TL_API tl_tensor tl_flip(tl_tensor a, int axis);
/* tl_squeeze -- drops an axis of extent 1. tl_expand_dims -- puts one in, at this position of the
 * result. */
TL_API tl_tensor tl_squeeze(tl_tensor a, int axis);
TL_API tl_tensor tl_expand_dims(tl_tensor a, int axis);

/* tl_part -- the k-th (from 0) of n equal parts of one axis. tl_chunk -- of the last axis: gate k
 * of z [B,nH] is [B,H]. */
TL_API tl_tensor tl_part(tl_tensor a, int axis, int n, int k);
TL_API tl_tensor tl_chunk(tl_tensor z, int n, int k);

/* tl_index -- element k of one axis (k < 0: from the end), which is gone after: tl_index(xs, 0, t)
 * is x_t. Loops over t record T nodes; tl_scan_each records one. */
TL_API tl_tensor tl_index(tl_tensor a, int axis, int64_t k);
/* tl_unbind -- all n = tl_dim(a, 0) elements of the leading axis, to out[n]. On an error all of out
 * is inert. */
TL_API void tl_unbind(tl_tensor a, int n, tl_tensor *out);

/* tl_concat -- n >= 1 tensors, equal but for this axis, one after the other along it. */
TL_API tl_tensor tl_concat(int n, const tl_tensor *t, int axis);
/* tl_stack -- n >= 1 tensors of equal shape along a new axis, at this position of the result. */
TL_API tl_tensor tl_stack(int n, const tl_tensor *t, int axis);
/* tl_pad -- zeros put before and after along one axis. */
TL_API tl_tensor tl_pad(tl_tensor a, int axis, int64_t before, int64_t after);

TL_END_DECLS
#endif
