/* locked_dropout.c -- dropout with one mask for all time steps. */
#include "nn/locked_dropout.h"

#include "ops/ops.h"

tl_tensor tl_locked_dropout(tl_tensor x, double p)
{
    if (!tl__same_tape("locked_dropout", 1, &x))
        return tl__inert(x);
    tl_shape one = tl_shape_of(x);
    if (one.rank < 1)
        return tl_fail_tensor(x, TL_ESHAPE, "locked_dropout", "got a scalar, want [T,...]");
    if (!tl_is_train(x.tape) && p >= 0 && p < 1)
        return x;
    one.dim[0] = 1;
    return tl_mul(x, tl_dropout_mask(x.tape, tl_dtype_of(x), one, p));
}
