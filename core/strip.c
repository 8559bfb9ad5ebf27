/* strip.c -- the kernels of matrix products for each instruction set that has vectors: 12 rows x 2
 * vectors with AVX-512 (24 sums, 2 of the right operand and 1 of the left in 32 registers), 6 x 2
 * with AVX2 (12 + 2 + 1 in 16). */
#include "core/strip.h"

#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,fma")))
#define AVX2 __attribute__((target("avx2,fma")))

/* -1 in the first n lanes of 8 (of 4 pairs: a lane of f64 is two of these). */
AVX2 static inline __m256i first(int n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

#define ROWS 12
#define NAME(x) x##_f32_avx512
#define TARGET AVX512
#define T float
#define V __m512
#define W 16
#define ZERO _mm512_setzero_ps()
#define SET1(x) _mm512_set1_ps(x)
#define LOAD(p) _mm512_loadu_ps(p)
#define LOADN(p, n) _mm512_maskz_loadu_ps((__mmask16)((1u << (n)) - 1), p)
#define STORE(p, v) _mm512_storeu_ps(p, v)
#define STOREN(p, n, v) _mm512_mask_storeu_ps(p, (__mmask16)((1u << (n)) - 1), v)
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define ADD(a, b) _mm512_add_ps(a, b)
#include "core/strip_kernel.h"

#define ROWS 12
#define NAME(x) x##_f64_avx512
#define TARGET AVX512
#define T double
#define V __m512d
#define W 8
#define ZERO _mm512_setzero_pd()
#define SET1(x) _mm512_set1_pd(x)
#define LOAD(p) _mm512_loadu_pd(p)
#define LOADN(p, n) _mm512_maskz_loadu_pd((__mmask8)((1u << (n)) - 1), p)
#define STORE(p, v) _mm512_storeu_pd(p, v)
#define STOREN(p, n, v) _mm512_mask_storeu_pd(p, (__mmask8)((1u << (n)) - 1), v)
#define FMA(a, b, c) _mm512_fmadd_pd(a, b, c)
#define ADD(a, b) _mm512_add_pd(a, b)
#include "core/strip_kernel.h"

#define ROWS 6
#define NAME(x) x##_f32_avx2
#define TARGET AVX2
#define T float
#define V __m256
#define W 8
#define ZERO _mm256_setzero_ps()
#define SET1(x) _mm256_set1_ps(x)
#define LOAD(p) _mm256_loadu_ps(p)
#define LOADN(p, n) _mm256_maskload_ps(p, first((int)(n)))
#define STORE(p, v) _mm256_storeu_ps(p, v)
#define STOREN(p, n, v) _mm256_maskstore_ps(p, first((int)(n)), v)
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define ADD(a, b) _mm256_add_ps(a, b)
#include "core/strip_kernel.h"

#define ROWS 6
#define NAME(x) x##_f64_avx2
#define TARGET AVX2
#define T double
#define V __m256d
#define W 4
#define ZERO _mm256_setzero_pd()
#define SET1(x) _mm256_set1_pd(x)
#define LOAD(p) _mm256_loadu_pd(p)
#define LOADN(p, n) _mm256_maskload_pd(p, first(2 * (int)(n)))
#define STORE(p, v) _mm256_storeu_pd(p, v)
#define STOREN(p, n, v) _mm256_maskstore_pd(p, first(2 * (int)(n)), v)
#define FMA(a, b, c) _mm256_fmadd_pd(a, b, c)
#define ADD(a, b) _mm256_add_pd(a, b)
#include "core/strip_kernel.h"
#endif

const tl_strips *tl__strips(tl_dtype dtype)
{
    static const tl_strips *const table[TL_ISAS][2] = {
        {NULL, NULL},
#if defined(__x86_64__)
        {&strips_f32_avx2, &strips_f64_avx2},
        {&strips_f32_avx512, &strips_f64_avx512},
#endif
    };
    return table[tl__isa()][dtype == TL_F64];
}
