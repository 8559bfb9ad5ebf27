/* shape.c -- extents: construction, broadcasting, checked sizes, text. */
#include "core/shape.h"

#include <string.h>

#include <inttypes.h>
#include <stdio.h>

tl_shape tl_shape0(void)
{
    return (tl_shape){0};
}

tl_shape tl_shape1(int64_t a)
{
    return (tl_shape){1, {a}};
}

tl_shape tl_shape2(int64_t a, int64_t b)
{
    return (tl_shape){2, {a, b}};
}

tl_shape tl_shape3(int64_t a, int64_t b, int64_t c)
{
    return (tl_shape){3, {a, b, c}};
}

tl_shape tl_shape4(int64_t a, int64_t b, int64_t c, int64_t d)
{
    return (tl_shape){4, {a, b, c, d}};
}

tl_shape tl_shape_of_dims(int rank, const int64_t *dim)
{
    tl_shape s = {0};
    if (rank < 0 || rank > TL_MAX_RANK || (rank > 0 && !dim)) {
        s.rank = -1;
        return s;
    }
    s.rank = rank;
    for (int a = 0; a < rank; a++)
        s.dim[a] = dim[a];
    return s;
}

/* An extent of 0 makes the count 0, but the other extents must still fit: strides are computed
 * from them. */
int64_t tl_shape_count(tl_shape s)
{
    if (s.rank < 0 || s.rank > TL_MAX_RANK)
        return -1;
    int64_t product = 1;
    int empty = 0;
    for (int a = 0; a < s.rank; a++) {
        int64_t d = s.dim[a];
        if (d < 0)
            return -1;
        if (d == 0)
            empty = 1;
        else if (product > INT64_MAX / 8 / d)
            return -1;
        else
            product *= d;
    }
    return empty ? 0 : product;
}

int tl_shape_equal(tl_shape a, tl_shape b)
{
    if (a.rank != b.rank || a.rank > TL_MAX_RANK)
        return 0;
    for (int i = 0; i < a.rank; i++)
        if (a.dim[i] != b.dim[i])
            return 0;
    return 1;
}

int tl_shape_broadcast(tl_shape a, tl_shape b, tl_shape *out)
{
    if (a.rank < 0 || a.rank > TL_MAX_RANK || b.rank < 0 || b.rank > TL_MAX_RANK)
        return TL_ESHAPE;
    tl_shape s = {0};
    s.rank = a.rank > b.rank ? a.rank : b.rank;
    for (int i = 1; i <= s.rank; i++) { /* from the right */
        int64_t x = i <= a.rank ? a.dim[a.rank - i] : 1;
        int64_t y = i <= b.rank ? b.dim[b.rank - i] : 1;
        if (x != y && x != 1 && y != 1)
            return TL_ESHAPE;
        s.dim[s.rank - i] = x == 1 ? y : x;
    }
    if (out)
        *out = s;
    return TL_OK;
}

size_t tl_dtype_size(tl_dtype d)
{
    return d == TL_F64 ? 8 : 4;
}

const char *tl_dtype_name(tl_dtype d)
{
    switch (d) {
    case TL_F32:
        return "f32";
    case TL_F64:
        return "f64";
    case TL_I32:
        return "i32";
    }
    return "?";
}

char *tl_shape_text(tl_shape s, char *text, size_t size)
{
    if (size == 0 || !text)
        return text;
    if (s.rank < 0 || s.rank > TL_MAX_RANK) {
        snprintf(text, size, "[invalid]");
        return text;
    }
    size_t at = (size_t)snprintf(text, size, "[");
    for (int a = 0; a < s.rank && at < size; a++)
        at += (size_t)snprintf(text + at, size - at, a ? ",%" PRId64 : "%" PRId64, s.dim[a]);
    if (at < size)
        snprintf(text + at, size - at, "]");
    return text;
}

int tl__shape_axis(int rank, int axis)
{
    int a = axis < 0 ? rank + axis : axis;
    return a >= 0 && a < rank ? a : -1;
}

int tl__first_axis(const tl_shape *s)
{
    for (int a = 0; a < s->rank; a++)
        if (s->dim[a] > 1)
            return a;
    return -1;
}

int tl__mul_size(size_t a, size_t b, size_t *out)
{
    return __builtin_mul_overflow(a, b, out) ? TL_ENOMEM : 0;
}

double tl__number_at(tl_dtype d, const void *at)
{
    double wide = 0;
    float narrow;
    int32_t whole;
    switch (d) {
    case TL_F64:
        memcpy(&wide, at, sizeof wide);
        return wide;
    case TL_F32:
        memcpy(&narrow, at, sizeof narrow);
        return (double)narrow;
    case TL_I32:
        memcpy(&whole, at, sizeof whole);
        return (double)whole;
    }
    return wide;
}
