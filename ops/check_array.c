/* check_array.c -- arrays between margins. */
#include "ops/check_array.h"

#include "core/layout.h"
#include "core/memory.h"
#include "ops/walk.h"

#include <stdio.h>
#include <string.h>

enum { NOTHING = 0xFF, WIDEST = 8, LINE = 64 };

/* strides_of -- of the layout; returns the place of element (0,0,...) in a buffer that begins with
 * the lowest one. */
static int64_t strides_of(const tl_shape *s, int lay, int64_t *stride)
{
    tl_shape room = *s;
    int64_t first = 0, step = 1;
    for (int a = 0; lay == TL_LAY_SLICED && a < s->rank; a++)
        room.dim[a] = 2 * s->dim[a] + 1;
    const tl_layout dense = tl__layout_dense(&room);
    for (int a = 0; a < s->rank; a++) {
        stride[a] = dense.stride[a] * (lay == TL_LAY_SLICED ? 2 : 1);
        if (lay == TL_LAY_TURNED) {
            stride[a] = step;
            step *= s->dim[a];
        }
        if (lay == TL_LAY_FLIPPED) {
            first += stride[a] * (s->dim[a] - 1);
            stride[a] = -stride[a];
        }
        if (lay == TL_LAY_REPEATED + a)
            stride[a] = 0;
    }
    return first;
}

static void put(const tl_check_array *a, int64_t at, double value)
{
    char *to = a->data + at * (int64_t)tl_dtype_size(a->dtype);
    const float single = (float)value;
    const int32_t whole = a->dtype == TL_I32 ? (int32_t)value : 0;
    memcpy(to,
           a->dtype == TL_F64   ? (const void *)&value
           : a->dtype == TL_F32 ? (const void *)&single
                                : (const void *)&whole,
           tl_dtype_size(a->dtype));
}

static double get(const tl_check_array *a, int64_t at)
{
    return tl__number_at(a->dtype, a->data + at * (int64_t)tl_dtype_size(a->dtype));
}

int tl__check_array_open(tl_check_array *a, tl_dtype dtype, tl_shape shape, int lay,
                         const double *values)
{
    *a = (tl_check_array){.dtype = dtype, .shape = shape};
    const int64_t first = strides_of(&shape, lay, a->stride);
    int64_t span = 1;
    for (int k = 0; k < shape.rank; k++)
        span += (a->stride[k] < 0 ? -a->stride[k] : a->stride[k]) *
                (shape.dim[k] > 0 ? shape.dim[k] - 1 : 0);
    /* a margin holds the whole array in its widest type, and a vector */
    const size_t body = ((size_t)span * WIDEST + LINE - 1) / LINE * LINE, margin = body + LINE;
    a->bytes = margin + body + margin;
    a->block = tl__alloc(a->bytes);
    if (!a->block)
        return TL_ENOMEM;
    memset(a->block, NOTHING, a->bytes);
    a->data = a->block + margin + (size_t)first * tl_dtype_size(dtype);
    tl_walk w = tl__walk(shape.rank, shape.dim, a->stride, NULL, NULL);
    for (int more = values && tl__walk_start(&w); more; more = tl__walk_next(&w))
        put(a, w.offset[0], *values++);
    return TL_OK;
}

void tl__check_array_close(tl_check_array *a)
{
    tl__free(a->block);
    *a = (tl_check_array){0};
}

tl_strided tl__check_array_strided(const tl_check_array *a)
{
    return (tl_strided){a->data, a->dtype, &a->shape, a->stride};
}

void tl__check_array_read(const tl_check_array *a, double *values)
{
    tl_walk w = tl__walk(a->shape.rank, a->shape.dim, a->stride, NULL, NULL);
    for (int more = tl__walk_start(&w); more; more = tl__walk_next(&w))
        *values++ = get(a, w.offset[0]);
}

int tl__check_array_holds(const tl_check_array *a, int64_t offset, const tl_shape *shape,
                          const int64_t *stride)
{
    const int64_t size = (int64_t)tl_dtype_size(a->dtype);
    int64_t low = offset, high = offset;
    for (int k = 0; k < shape->rank; k++) {
        if (shape->dim[k] == 0)
            return 1;
        *(stride[k] < 0 ? &low : &high) += stride[k] * (shape->dim[k] - 1);
    }
    return (a->data - a->block) + low * size >= 0 &&
           (a->data - a->block) + (high + 1) * size <= (int64_t)a->bytes;
}

int tl__check_array_spilled(tl_check_array *a)
{
    tl_walk w = tl__walk(a->shape.rank, a->shape.dim, a->stride, NULL, NULL);
    const size_t size = tl_dtype_size(a->dtype);
    for (int more = tl__walk_start(&w); more; more = tl__walk_next(&w))
        memset(a->data + w.offset[0] * (int64_t)size, NOTHING, size);
    for (size_t k = 0; k < a->bytes; k++)
        if ((unsigned char)a->block[k] != NOTHING)
            return 1;
    return 0;
}

const char *tl__check_lay_text(int lay, char *text, size_t size)
{
    static const char *const name[] = {"contiguous", "transposed", "sliced", "flipped"};
    if (lay < TL_LAY_REPEATED)
        snprintf(text, size, "%s", name[lay]);
    else
        snprintf(text, size, "broadcast along axis %d", lay - TL_LAY_REPEATED);
    return text;
}

int tl__check_lay_suits(int lay, const tl_shape *shape)
{
    int wide = 0;
    for (int a = 0; a < shape->rank; a++) {
        wide += shape->dim[a] > 1;
        if (shape->dim[a] == 0)
            return 0;
    }
    if (lay >= TL_LAY_REPEATED)
        return lay - TL_LAY_REPEATED < shape->rank && shape->dim[lay - TL_LAY_REPEATED] > 1;
    return wide > (lay == TL_LAY_TURNED);
}
