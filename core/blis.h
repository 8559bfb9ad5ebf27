/* blis.h -- products on BLIS's micro-kernels, for processors without strips of our own, and to
 * compare with. Private to gemm.c. */
#ifndef TL_CORE_BLIS_H
#define TL_CORE_BLIS_H

#include "core/gemm.h"

/* tl__blis_gemm -- tl__gemm for m, n, k >= 1. */
TL_API int tl__blis_gemm(tl_dtype dtype, int64_t m, int64_t n, int64_t k, tl_matrix a, tl_matrix b,
                         int accumulate, tl_matrix c);

/* tl__blis_family -- "skx", "haswell", "zen3", ...: the kernel family BLIS chose. */
TL_API const char *tl__blis_family(void);

/* tl__blis_init -- starts BLIS, once; called by tl__machine_init, with the kernel family for isa
 * unless the user or the host program chose one. */
TL_API void tl__blis_init(tl_isa isa);

#endif
