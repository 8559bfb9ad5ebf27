/* axes.c -- the axes of a reduction as bits. */
#include "ops/axes.h"

#include "core/space.h"

int tl__axes_mask(tl_tensor a, const char *what, int naxes, const int *axes, uint32_t *mask)
{
    *mask = 0;
    if (!tl__same_tape(what, 1, &a))
        return 0;
    int rank = tl_rank(a);
    char text[TL_SHAPE_TEXT];
    if (naxes < 0 || (naxes > 0 && !axes)) {
        tl_fail_tensor(a, TL_EINVAL, what, "got %d axes%s, want 0 or more and their numbers", naxes,
                       axes ? "" : " (NULL)");
        return 0;
    }
    for (int i = 0; i < naxes; i++) {
        int axis = tl__shape_axis(rank, axes[i]);
        if (axis < 0) {
            tl_fail_tensor(a, TL_ESHAPE, what, "got axis %d of %s, want one in [%d,%d)", axes[i],
                           tl_shape_text(tl_shape_of(a), text, sizeof text), -rank, rank);
            return 0;
        }
        uint32_t bit = 1u << (rank - axis - 1);
        if (*mask & bit) {
            tl_fail_tensor(a, TL_ESHAPE, what, "got axis %d of %s twice", axes[i],
                           tl_shape_text(tl_shape_of(a), text, sizeof text));
            return 0;
        }
        *mask |= bit;
    }
    if (tl_dtype_of(a) == TL_I32) { /* named here: what is composed of others would name those */
        tl_fail_tensor(a, TL_EDTYPE, what, "got i32 %s, want f32 or f64 (tl_cast converts)",
                       tl_shape_text(tl_shape_of(a), text, sizeof text));
        return 0;
    }
    return 1;
}

uint32_t tl__axes_all(tl_tensor a)
{
    return (1u << tl_rank(a)) - 1;
}

int tl__axes_has(uint32_t mask, int rank, int axis)
{
    return mask >> (rank - axis - 1) & 1;
}

tl_shape tl__axes_shape(tl_shape s, uint32_t mask, int keepdims)
{
    tl_shape r = {0};
    for (int a = 0; a < s.rank; a++)
        if (!tl__axes_has(mask, s.rank, a))
            r.dim[r.rank++] = s.dim[a];
        else if (keepdims)
            r.dim[r.rank++] = 1;
    return r;
}

tl_tensor tl__axes_drop(tl_tensor kept, uint32_t mask, int keepdims)
{
    return keepdims || !mask ? kept : tl_reshape(kept, tl__axes_shape(tl_shape_of(kept), mask, 0));
}

double tl__axes_count(tl_tensor a, uint32_t mask)
{
    tl_shape s = tl_shape_of(a);
    double n = 1;
    for (int i = 0; i < s.rank; i++)
        if (tl__axes_has(mask, s.rank, i))
            n *= (double)s.dim[i];
    return n;
}
