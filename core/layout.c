/* layout.c -- strides: row-major, repeated, and of the same elements under another shape. */
#include "core/layout.h"

tl_layout tl__layout_dense(const tl_shape *s)
{
    tl_layout l = {0};
    int64_t step = 1;
    for (int a = s->rank - 1; a >= 0; a--) {
        l.stride[a] = step;
        if (s->dim[a] > 0)
            step *=
                s->dim[a]; /* an empty axis does not matter; tl_shape_count checked the product */
    }
    return l;
}

int tl__layout_is_dense(const tl_shape *s, const tl_layout *l)
{
    for (int a = 0; a < s->rank; a++)
        if (s->dim[a] == 0)
            return 1;
    int64_t step = 1;
    for (int a = s->rank - 1; a >= 0; a--) {
        if (s->dim[a] == 1)
            continue;
        if (l->stride[a] != step)
            return 0;
        step *= s->dim[a];
    }
    return 1;
}

void tl__layout_broadcast(const tl_shape *from, const tl_layout *in, const tl_shape *to,
                          tl_layout *out)
{
    tl_layout l = {0};
    l.offset = in->offset;
    for (int i = 1; i <= from->rank && i <= to->rank; i++) {
        int f = from->rank - i, t = to->rank - i;
        if (from->dim[f] == to->dim[t] && from->dim[f] != 1)
            l.stride[t] = in->stride[f];
    }
    *out = l;
}

/* Both shapes are cut into the shortest groups of axes with equal products; the axes of a group
 * of `from` must be one run, stride[a] = dim[a+1] * stride[a+1], and the axes of its partner
 * divide that run anew:
 *
 *     from [6, 4,5]      groups  6 | 4,5        4,5 is a run when stride[1] = 5 * stride[2]
 *     to   [2,3, 20]            2,3 | 20 */
int tl__layout_reshape(const tl_shape *from, const tl_layout *in, const tl_shape *to,
                       tl_layout *out)
{
    if (tl_shape_count(*from) == 0) {
        *out = tl__layout_dense(to);
        out->offset = in->offset;
        return 0;
    }
    tl_layout l = {0};
    l.offset = in->offset;
    int64_t dim[TL_MAX_RANK], stride[TL_MAX_RANK];
    int rank = 0; /* of `from` without axes of extent 1 */
    for (int a = 0; a < from->rank; a++) {
        if (from->dim[a] == 1)
            continue;
        dim[rank] = from->dim[a];
        stride[rank++] = in->stride[a];
    }
    int f = 0, t = 0;
    while (f < rank) {
        int f1 = f + 1, t1 = t + 1;
        int64_t product_f = dim[f], product_t = to->dim[t];
        while (product_f != product_t) {
            if (product_t < product_f)
                product_t *= to->dim[t1++];
            else
                product_f *= dim[f1++];
        }
        for (int a = f; a + 1 < f1; a++)
            if (stride[a] != dim[a + 1] * stride[a + 1])
                return 1;
        int64_t step = stride[f1 - 1];
        for (int a = t1 - 1; a >= t; a--) {
            l.stride[a] = to->dim[a] == 1 ? 0 : step;
            step *= to->dim[a];
        }
        f = f1;
        t = t1;
    }
    *out = l; /* axes of `to` behind the last group have extent 1 and stride 0 */
    return 0;
}
