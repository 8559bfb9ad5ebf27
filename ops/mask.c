/* mask.c -- leaving elements out.
 *
 * A triangle is two counts, of rows [m,1] and of columns [n], compared while the elements are chosen:
 * no mask of [m,n] is kept. */
#include "ops/mask.h"

#include "core/space.h"
#include "ops/elementwise.h"
#include "ops/running.h"

tl_tensor tl_masked_fill(tl_tensor a, tl_tensor mask, double value)
{
    tl_tensor in[2] = {a, mask};
    if (!tl__same_tape("masked_fill", 2, in))
        return tl__inert(a);
    tl_shape sa = tl_shape_of(a), sm = tl_shape_of(mask), both;
    char ta[TL_SHAPE_TEXT], tm[TL_SHAPE_TEXT];
    if (tl_shape_broadcast(sa, sm, &both) || !tl_shape_equal(both, sa))
        return tl_fail_tensor(a, TL_ESHAPE, "masked_fill",
                              "got %s, mask %s, want a mask that repeats to the shape",
                              tl_shape_text(sa, ta, sizeof ta), tl_shape_text(sm, tm, sizeof tm));
    if (tl_dtype_of(mask) != TL_I32 && tl_dtype_of(mask) != tl_dtype_of(a))
        return tl_fail_tensor(a, TL_EDTYPE, "masked_fill",
                              "got %s, mask %s, want a mask of %s or i32",
                              tl_dtype_name(tl_dtype_of(a)), tl_dtype_name(tl_dtype_of(mask)),
                              tl_dtype_name(tl_dtype_of(a)));
    return tl_where(mask, tl_scalar(a.tape, tl_dtype_of(a), value), a);
}

/* count_up -- 0, 1, ..., n-1. */
static tl_tensor count_up(tl_tape *tape, tl_dtype dtype, int64_t n)
{
    return tl_sub_scalar(tl_cumsum(tl_ones(tape, dtype, tl_shape1(n)), 0), 1);
}

static tl_tensor triangle(const char *what, tl_tensor a, int64_t diagonal, int is_lower)
{
    const int64_t exact_in_f32 = (int64_t)1 << 24;
    char text[TL_SHAPE_TEXT];
    if (!tl__same_tape(what, 1, &a))
        return tl__inert(a);
    if (tl_rank(a) < 2)
        return tl_fail_tensor(a, TL_ESHAPE, what, "got %s, want [...,m,n]",
                              tl_shape_text(tl_shape_of(a), text, sizeof text));
    int64_t m = tl_dim(a, -2), n = tl_dim(a, -1);
    diagonal = diagonal < -m ? -m : diagonal > n ? n : diagonal; /* all or nothing beyond */
    int is_long = m + n > exact_in_f32;
    tl_dtype dtype = tl_dtype_of(a), count = dtype == TL_F32 && !is_long ? TL_F32 : TL_F64;
    tl_tensor row =
        tl_add_scalar(tl_reshape(count_up(a.tape, count, m), tl_shape2(m, 1)), (double)diagonal);
    tl_tensor column = count_up(a.tape, count, n);
    tl_tensor keep = is_lower ? tl_less_equal(column, row) : tl_greater_equal(column, row);
    if (count != dtype)
        keep = tl_cast(keep, TL_I32);
    return tl_where(keep, a, tl_scalar(a.tape, dtype, 0));
}

tl_tensor tl_tril(tl_tensor a, int64_t diagonal)
{
    return triangle("tril", a, diagonal, 1);
}

tl_tensor tl_triu(tl_tensor a, int64_t diagonal)
{
    return triangle("triu", a, diagonal, 0);
}
