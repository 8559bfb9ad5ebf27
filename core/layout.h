/* layout.h -- where the elements of a value lie in its buffer. Private to the library.
 *
 * Element (i0, i1, ...) is at offset + sum over axes of i_a * stride[a], counted in elements.
 * Stride 0 repeats (broadcasting), negative strides reverse. */
#ifndef TL_CORE_LAYOUT_H
#define TL_CORE_LAYOUT_H

#include "core/shape.h"

typedef struct tl_layout {
    int64_t offset;
    int64_t stride[TL_MAX_RANK];
} tl_layout;

/* tl__layout_dense -- row-major strides for s, offset 0. */
TL_API tl_layout tl__layout_dense(const tl_shape *s);

/* tl__layout_is_dense -- whether the strides are row-major without holes (offset is free; axes of
 * extent 1 may have any stride). */
TL_API int tl__layout_is_dense(const tl_shape *s, const tl_layout *l);

/* tl__layout_broadcast -- strides that read a value of shape `from` as shape `to` (NumPy
 * alignment). */
TL_API void tl__layout_broadcast(const tl_shape *from, const tl_layout *in, const tl_shape *to,
                                 tl_layout *out);

/* tl__layout_reshape -- strides that read a value of shape `from` as shape `to` of equal count
 * without a copy. Returns 0, or 1 when no such strides exist and the value must be copied first. */
TL_API int tl__layout_reshape(const tl_shape *from, const tl_layout *in, const tl_shape *to,
                              tl_layout *out);

#endif
