/* walk.c -- visits the elements of strided arrays in row-major order. */
#include "ops/walk.h"

#include <string.h>

tl_walk tl__walk(int rank, const int64_t *dim, const int64_t *stride0, const int64_t *stride1,
                 const int64_t *stride2)
{
    tl_walk w = {.rank = rank};
    const int64_t *stride[TL_WALK_ARRAYS] = {stride0, stride1, stride2};
    for (int a = 0; a < rank; a++) {
        w.dim[a] = dim[a];
        for (int k = 0; k < TL_WALK_ARRAYS; k++)
            w.stride[k][a] = stride[k] && dim[a] != 1 ? stride[k][a] : 0;
    }
    return w;
}

int tl__walk_start(tl_walk *w)
{
    memset(w->at, 0, sizeof w->at);
    memset(w->offset, 0, sizeof w->offset);
    for (int a = 0; a < w->rank; a++)
        if (w->dim[a] == 0)
            return 0;
    return 1;
}

int tl__walk_next(tl_walk *w)
{
    for (int a = w->rank - 1; a >= 0; a--) {
        if (++w->at[a] < w->dim[a]) {
            for (int k = 0; k < TL_WALK_ARRAYS; k++)
                w->offset[k] += w->stride[k][a];
            return 1;
        }
        w->at[a] = 0;
        for (int k = 0; k < TL_WALK_ARRAYS; k++)
            w->offset[k] -= (w->dim[a] - 1) * w->stride[k][a];
    }
    return 0;
}

void tl__walk_merge(tl_walk *w)
{
    int n = 0; /* axes kept so far */
    for (int a = 0; a < w->rank; a++) {
        if (w->dim[a] == 1)
            continue;
        int one = n > 0;
        for (int k = 0; k < TL_WALK_ARRAYS && one; k++)
            one = w->stride[k][n - 1] == w->dim[a] * w->stride[k][a];
        if (!one)
            n++;
        w->dim[n - 1] = one ? w->dim[n - 1] * w->dim[a] : w->dim[a];
        for (int k = 0; k < TL_WALK_ARRAYS; k++)
            w->stride[k][n - 1] = w->stride[k][a];
    }
    w->rank = n;
}

int64_t tl__walk_last(tl_walk *w, int64_t stride[TL_WALK_ARRAYS])
{
    int a = w->rank - 1;
    for (int k = 0; k < TL_WALK_ARRAYS; k++)
        stride[k] = a < 0 ? 0 : w->stride[k][a];
    if (a < 0)
        return 1;
    w->rank = a;
    return w->dim[a];
}

void tl__copy_strided(size_t size, int rank, const int64_t *dim, const void *in,
                      const int64_t *in_stride, void *out, const int64_t *out_stride)
{
    tl_walk w = tl__walk(rank, dim, in_stride, out_stride, NULL);
    tl__walk_merge(&w);
    int64_t step[TL_WALK_ARRAYS], n = tl__walk_last(&w, step);
    int dense = n == 1 || (step[0] == 1 && step[1] == 1);
    for (int more = tl__walk_start(&w); more; more = tl__walk_next(&w)) {
        const char *x = (const char *)in + w.offset[0] * (int64_t)size;
        char *y = (char *)out + w.offset[1] * (int64_t)size;
        if (dense)
            memcpy(y, x, (size_t)n * size);
        else if (size == 4)
            for (int64_t i = 0; i < n; i++)
                memcpy(y + i * step[1] * 4, x + i * step[0] * 4, 4);
        else
            for (int64_t i = 0; i < n; i++)
                memcpy(y + i * step[1] * 8, x + i * step[0] * 8, 8);
    }
}

void tl__zero_strided(const tl_strided *out)
{
    static const uint64_t zero = 0;
    static const int64_t still[TL_MAX_RANK] = {0};
    tl_layout l = {0};
    for (int a = 0; a < out->shape->rank; a++)
        l.stride[a] = out->stride[a];
    size_t size = tl_dtype_size(out->dtype);
    size_t bytes = (size_t)tl_shape_count(*out->shape) * size;
    if (bytes == 0)
        return;
    if (tl__layout_is_dense(out->shape, &l))
        memset(out->data, 0, bytes);
    else
        tl__copy_strided(size, out->shape->rank, out->shape->dim, &zero, still, out->data,
                         out->stride);
}
