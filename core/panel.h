/* panel.h -- packs a matrix into the panels that kernels read. Private to gemm.c and blis.c. */
#ifndef TL_CORE_PANEL_H
#define TL_CORE_PANEL_H

#include "core/shape.h"

/* tl__panel_pack -- element (i,p) of from, at from[i*rs + p*cs], i < extent, p < k, goes to
 * panel i / width:
 *
 *     to[(i / width) * ld * k + p * ld + i % width]
 *
 * The last panel is filled with zeros up to ld. f32 or f64. */
TL_API void tl__panel_pack(tl_dtype dtype, int64_t extent, int64_t k, int64_t width, int64_t ld,
                           const void *from, int64_t rs, int64_t cs, void *to);

#endif
