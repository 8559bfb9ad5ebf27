/* check_kernel.h -- what a descriptor says of its kernels, held to what they compute: the checks of
 * tl_check_op that need no gradient. Private.
 *
 * The kernel in f64 on contiguous operands is taken for right, since its gradient has been checked.
 * Each of the others equals it, or what it says of a loop; check_op.h lists them. */
#ifndef TL_OPS_CHECK_KERNEL_H
#define TL_OPS_CHECK_KERNEL_H

#include "core/op.h"

enum { TL_CHECK_OPERANDS = 8 };

/* tl_specimen -- one node of the operation, with the numbers that its operands have. */
typedef struct tl_specimen {
    const tl_op *op;
    int nin; /* 1 to TL_CHECK_OPERANDS */
    tl_shape in_shape[TL_CHECK_OPERANDS];
    tl_dtype in_dtype[TL_CHECK_OPERANDS];
    double *in[TL_CHECK_OPERANDS];
    tl_shape shape;
    tl_dtype dtype;
    tl_attr attr;
    uint64_t seed, draw; /* of TL_RANDOM */
} tl_specimen;

/* tl__check_kernel -- makes all checks. single: how far f32 may be from f64, times the largest
 * number of the result. types: bit TL_F32 and so on is set for each element type that the operation
 * takes in place of f64. The report, a sentence, is written only if something is wrong.
 * Returns TL_OK, TL_EINVAL or TL_ENOMEM. */
TL_API int tl__check_kernel(const tl_specimen *s, double single, unsigned *types, char *report,
                            size_t size);

/* tl__check_retyped -- the element types of operands and result with `to` in place of f64, as the
 * shape rule has it; 0 if it refuses. */
TL_API int tl__check_retyped(const tl_specimen *s, tl_dtype to, tl_dtype *in, tl_dtype *out);

/* tl__check_rounded -- a number as operands of type `to` have it: i32 away from zero. */
TL_API double tl__check_rounded(double value, tl_dtype to);

#endif
