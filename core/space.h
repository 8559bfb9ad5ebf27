/* space.h -- the few operations that the tape, its reverse sweep and scan themselves need. All
 * others are in ops/. */
#ifndef TL_CORE_SPACE_H
#define TL_CORE_SPACE_H

#include "core/op.h"

TL_BEGIN_DECLS

/* tl_add -- a + b, broadcast. */
TL_API tl_tensor tl_add(tl_tensor a, tl_tensor b);
/* tl_less -- 1 where a < b, else 0, in the operands' dtype (i32 gives i32). No gradient. */
TL_API tl_tensor tl_less(tl_tensor a, tl_tensor b);
/* tl_where -- a where cond is not 0, else b: a choice, so NaN on the other side does not come
 * through. cond has a's dtype or is i32. */
TL_API tl_tensor tl_where(tl_tensor cond, tl_tensor a, tl_tensor b);
/* tl_reshape -- the same elements in row-major order under another shape; one extent may be -1. */
TL_API tl_tensor tl_reshape(tl_tensor a, tl_shape shape);
/* tl_broadcast_to -- repeats by the NumPy rule, without a copy. */
TL_API tl_tensor tl_broadcast_to(tl_tensor a, tl_shape shape);
/* tl_sum_to -- sums the axes that broadcasting `shape` to a's shape would repeat. */
TL_API tl_tensor tl_sum_to(tl_tensor a, tl_shape shape);
/* tl_sum_keep -- sums the axes in `axes` (bit k: axis k+1 from the end); they stay with extent 1.
 * Fixed tree of additions. */
TL_API tl_tensor tl_sum_keep(tl_tensor a, uint32_t axes);
/* tl_slice -- elements [start, start+count) of one axis, a view. */
TL_API tl_tensor tl_slice(tl_tensor a, int axis, int64_t start, int64_t count);
/* tl_assemble -- zeros of this shape with each piece added in at its offset (offset[p] has
 * shape.rank entries); overlaps add. Adjoint: slices. Pieces have the rank of shape. O(sum of
 * pieces + shape). */
TL_API tl_tensor tl_assemble(tl_shape shape, int n, const tl_tensor *piece,
                             const int64_t (*offset)[TL_MAX_RANK]);
/* tl_check_range -- the same i32 values, checked when run: outside [lo, hi] is TL_ERANGE, under the
 * scope it was recorded in. */
TL_API tl_tensor tl_check_range(tl_tensor a, int64_t lo, int64_t hi);

TL_END_DECLS

/* Descriptors that tape, scan and planner compare against. Private. */
extern TL_API const tl_op tl_op_const, tl_op_input, tl_op_use, tl_op_state, tl_op_detach, tl_op_add,
    tl_op_less, tl_op_where, tl_op_reshape, tl_op_broadcast_to, tl_op_slice, tl_op_assemble,
    tl_op_sum, tl_op_check_range, tl_op_carry, tl_op_each, tl_op_time, tl_op_loop, tl_op_last,
    tl_op_stacked, tl_op_summed, tl_op_stay;

/* tl__record_shaped -- tl_record for an operation whose result's shape its operands and attributes
 * do not say; dtype as in[0]. */
TL_API tl_tensor tl__record_shaped(const tl_op *op, int nin, const tl_tensor *in, tl_shape shape,
                                   const tl_attr *attr);
struct tl_node;
/* tl__assemble_offset -- where piece `piece` of an assemble begins, to offset[rank]. */
TL_API void tl__assemble_offset(const struct tl_node *n, uint32_t piece, int64_t *offset);

#endif
