/* check_array.h -- an array as a kernel may meet it: laid out in some way, between margins. Private.
 *
 *     block   margin | element . element . element | margin       a slice: . are gaps
 *
 * Everything but the elements is NaN (-1 in i32), so what a kernel reads beside them shows in its
 * result, and what it writes there is found. */
#ifndef TL_OPS_CHECK_ARRAY_H
#define TL_OPS_CHECK_ARRAY_H

#include "core/op.h"

/* tl_lay -- a layout; of an operand, TL_LAY_REPEATED + a: stride 0 along axis a. */
typedef enum tl_lay {
    TL_LAY_DENSE,
    TL_LAY_TURNED,  /* the first axis is the innermost */
    TL_LAY_SLICED,  /* every other element of every axis of a larger array */
    TL_LAY_FLIPPED, /* all strides negative */
    TL_LAY_REPEATED
} tl_lay;

typedef struct tl_check_array {
    tl_dtype dtype;
    tl_shape shape;
    int64_t stride[TL_MAX_RANK];
    char *block; /* owned */
    size_t bytes;
    char *data; /* element (0,0,...) */
} tl_check_array;

/* tl__check_array_open -- with these elements, row-major; NULL: none. Returns TL_OK or TL_ENOMEM. */
TL_API int tl__check_array_open(tl_check_array *a, tl_dtype dtype, tl_shape shape, int lay,
                                const double *values);
TL_API void tl__check_array_close(tl_check_array *a);

TL_API tl_strided tl__check_array_strided(const tl_check_array *a);
TL_API void tl__check_array_read(const tl_check_array *a, double *values);

/* tl__check_array_holds -- whether elements of these strides, from `offset` on, lie in the block. */
TL_API int tl__check_array_holds(const tl_check_array *a, int64_t offset, const tl_shape *shape,
                                 const int64_t *stride);

/* tl__check_array_spilled -- whether anything was written beside the elements, which are lost. */
TL_API int tl__check_array_spilled(tl_check_array *a);

/* tl__check_lay_text -- "transposed"; returns text. tl__check_lay_suits -- whether the layout is
 * another than the dense one for this shape. */
TL_API const char *tl__check_lay_text(int lay, char *text, size_t size);
TL_API int tl__check_lay_suits(int lay, const tl_shape *shape);

#endif
