/* gemm.h -- matrix products. Private. */
#ifndef TL_CORE_GEMM_H
#define TL_CORE_GEMM_H

#include "core/machine.h"
#include "core/op.h"

/* tl_matrix -- element (i,j) at data[i*rs + j*cs], in elements; rs and cs may be anything, 0
 * included (for operands that are read). */
typedef struct tl_matrix {
    void *data;
    int64_t rs, cs;
} tl_matrix;

/* tl__gemm -- C[m,n] = A[m,k] B[k,n], or C += with accumulate, f32 or f64. k = 0 gives zeros (or
 * leaves C). The bits of an element depend on k only: they are the same whatever the strides and
 * the other extents are, so also in a part of a product. Returns TL_OK or TL_ENOMEM. */
TL_API int tl__gemm(tl_dtype dtype, int64_t m, int64_t n, int64_t k, tl_matrix a, tl_matrix b,
                    int accumulate, tl_matrix c);

/* A right operand packed once for many products, k x n as panels of `width` columns (two vectors)
 * in blocks of KC rows; a panel is k rows of a block one behind the other, the last one of a block
 * filled with zeros:
 *
 *     block 0: | panel 0: KC x width | panel 1: KC x width | ...    rows 0 .. KC - 1
 *     block 1: | panel 0: KC x width | panel 1: KC x width | ...    rows KC .. 2 KC - 1
 *     ...
 *     width zeros, since kernels that begin inside a panel read whole rows
 *
 * tl__panels_bytes -- the room; 0 where this machine does not read panels: then do not pack.
 * tl__panels_pack -- packs b to `to`, 64-byte aligned. tl__panels_pack_part -- panels lo .. hi - 1 of
 * the tl__panels_count there are; parts may be packed at the same time, and all of them are the whole.
 *
 * tl__gemm_packed -- C[m,n] (+)= A[m,k] B[k, first .. first + n) with a B of `all` columns that was
 * packed; c.cs must be 1 and c be where column `first` goes. The bits of tl__gemm. Returns TL_OK or
 * TL_ENOMEM. */
TL_API size_t tl__panels_bytes(tl_dtype dtype, int64_t k, int64_t n);
TL_API int64_t tl__panels_count(tl_dtype dtype, int64_t n);
TL_API void tl__panels_pack(tl_dtype dtype, int64_t k, int64_t n, tl_matrix b, void *to);
TL_API void tl__panels_pack_part(tl_dtype dtype, int64_t k, int64_t n, tl_matrix b, void *to,
                                 int64_t lo, int64_t hi);
TL_API int tl__gemm_packed(tl_dtype dtype, int64_t all, int64_t m, int64_t first, int64_t n,
                           int64_t k, tl_matrix a, const void *panels, int accumulate, tl_matrix c);

/* tl__gemm_family -- "skx", "haswell", "zen3", ...: the kernel family BLIS chose. */
TL_API const char *tl__gemm_family(void);

/* tl__gemm_init -- starts BLIS, once; called by tl__machine_init, with the kernel family for isa
 * unless the user or the host program chose one. */
TL_API void tl__gemm_init(tl_isa isa);

#endif
