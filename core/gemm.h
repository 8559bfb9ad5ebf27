/* gemm.h -- all use of BLIS. Private. */
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
 * leaves C). Same bits for an element whatever the strides and the other extents are, as long as
 * both extents are above three, or one is not. Returns TL_OK or TL_ENOMEM. */
TL_API int tl__gemm(tl_dtype dtype, int64_t m, int64_t n, int64_t k, tl_matrix a, tl_matrix b,
                    int accumulate, tl_matrix c);

/* tl__gemm_part -- a rectangle [m,n] of a product whose whole extents are whole_m, whole_n, in the
 * bits it has there: shares of threads, rows of a batch. Products with three rows or columns at
 * most take another path, which the whole extents decide. */
TL_API int tl__gemm_part(tl_dtype dtype, int64_t whole_m, int64_t whole_n, int64_t m, int64_t n,
                         int64_t k, tl_matrix a, tl_matrix b, int accumulate, tl_matrix c);

/* tl__contract -- runs a TL_CONTRACTION (labels as in op.h) over strided operands, merging axes
 * into as few and large products as the strides allow; what cannot be merged is looped over, and
 * summed axes that do not merge are copied together first, so the bits of an element depend on the
 * labels and extents only. accumulate adds into out instead of storing. Returns TL_OK, TL_ENOMEM,
 * or TL_EDTYPE for i32. */
TL_API int tl__contract(const tl_attr *labels, const tl_strided *a, const tl_strided *b,
                        int accumulate, const tl_strided *out);

/* tl__gemm_family -- "skx", "haswell", "zen3", ...: the kernel family BLIS chose. */
TL_API const char *tl__gemm_family(void);

/* tl__gemm_init -- starts BLIS, once; called by tl__machine_init, with the kernel family for isa
 * unless the user or the host program chose one. */
TL_API void tl__gemm_init(tl_isa isa);

#endif
