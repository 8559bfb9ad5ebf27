/* convert.c -- a tensor of a file, a piece at a time, to elements of a parameter. */
#include "core/convert.h"

#include "core/halffloat.h"
#include "core/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PIECE = 1 << 16 }; /* elements */

/* index_text -- "[3,17]" of the element with this number in row-major order. */
static char *index_text(tl_shape shape, int64_t element, char *text, size_t size)
{
    tl_shape index = shape;
    for (int a = shape.rank - 1; a >= 0; a--) {
        index.dim[a] = element % shape.dim[a];
        element /= shape.dim[a];
    }
    return tl_shape_text(index, text, size);
}

static int refuse(const tl_reader *file, const tl_stored_tensor *t, int64_t element, double value,
                  tl_err *err)
{
    char text[TL_SHAPE_TEXT];
    index_text(t->shape, element, text, sizeof text);
    if (isfinite(value))
        return tl__fail(err, TL_ERANGE, "%s: %.100s%s is %g, too large for f32", file->path,
                        t->name, text, value);
    return tl__fail(err, TL_ERANGE,
                    "%s: %.100s%s is %s; to load such values all the same, set allow_nonfinite",
                    file->path, t->name, text,
                    isnan(value) ? "NaN"
                    : value > 0  ? "infinite"
                                 : "minus infinite");
}

/* Each of these converts n elements and returns the number of the first one that is refused, or n.
 * An f32 that goes to f32 keeps its bits, a NaN's too. */
#define CONVERT(name, from, to, value_of)                                                          \
    static int64_t name(int64_t n, const void *in, void *out, int allow)                           \
    {                                                                                              \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const from x = ((const from *)in)[i];                                                  \
            const to y = (to)value_of(x);                                                          \
            if (!isfinite(y) && !(allow && !isfinite(value_of(x))))                                \
                return i;                                                                          \
            memcpy((to *)out + i, &y, sizeof y);                                                   \
        }                                                                                          \
        return n;                                                                                  \
    }
#define SAME(x) (x)
CONVERT(f16_to_f32, uint16_t, float, tl__f16_value)
CONVERT(f16_to_f64, uint16_t, double, tl__f16_value)
CONVERT(bf16_to_f32, uint16_t, float, tl__bf16_value)
CONVERT(bf16_to_f64, uint16_t, double, tl__bf16_value)
CONVERT(f32_to_f32, float, float, SAME)
CONVERT(f32_to_f64, float, double, SAME)
CONVERT(f64_to_f32, double, float, SAME)
CONVERT(f64_to_f64, double, double, SAME)

typedef int64_t (*convert_fn)(int64_t n, const void *in, void *out, int allow);

static const struct {
    int size;
    convert_fn to_f32, to_f64;
} converters[] = {
    [TL_STORED_F16] = {2, f16_to_f32, f16_to_f64},
    [TL_STORED_BF16] = {2, bf16_to_f32, bf16_to_f64},
    [TL_STORED_F32] = {4, f32_to_f32, f32_to_f64},
    [TL_STORED_F64] = {8, f64_to_f32, f64_to_f64},
};

static double value_at(tl_stored type, const void *in, int64_t i)
{
    switch (type) {
    case TL_STORED_F16:
        return (double)tl__f16_value(((const uint16_t *)in)[i]);
    case TL_STORED_BF16:
        return (double)tl__bf16_value(((const uint16_t *)in)[i]);
    case TL_STORED_F32:
        return (double)((const float *)in)[i];
    default:
        return ((const double *)in)[i];
    }
}

int tl__convert(const tl_reader *file, const tl_stored_tensor *t, int allow_nonfinite, tl_dtype to,
                void *out, tl_err *err)
{
    if (to == TL_I32 && t->type == TL_STORED_I32)
        return tl__reader_get(file, t->at, out, (size_t)t->bytes, err);
    if (to == TL_I32 || t->type > TL_STORED_F64)
        return tl__fail(err, TL_EDTYPE, "%s: %.100s is %s, want %s", file->path, t->name,
                        t->type_name, tl_dtype_name(to));
    const convert_fn convert =
        to == TL_F32 ? converters[t->type].to_f32 : converters[t->type].to_f64;
    const size_t size = (size_t)converters[t->type].size;
    void *piece = tl__aligned_alloc(PIECE * size);
    if (!piece)
        return tl__fail(err, TL_ENOMEM, "%s: no memory for %.100s", file->path, t->name);
    int code = TL_OK;
    for (int64_t i = 0; i < t->count && code == TL_OK; i += PIECE) {
        int64_t n = t->count - i < PIECE ? t->count - i : PIECE;
        code = tl__reader_get(file, t->at + (uint64_t)i * size, piece, (size_t)n * size, err);
        int64_t good =
            code == TL_OK
                ? convert(n, piece, (char *)out + (size_t)i * tl_dtype_size(to), allow_nonfinite)
                : n;
        if (good < n)
            code = refuse(file, t, i + good, value_at(t->type, piece, good), err);
    }
    tl__aligned_free(piece);
    return code;
}
