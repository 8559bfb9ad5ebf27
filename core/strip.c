/* strip.c -- the kernels of matrix products for each instruction set that has vectors: 12 rows x 2
 * vectors with AVX-512 (24 sums, 2 of the right operand and 1 of the left in 32 registers), 6 x 2
 * with AVX2 (12 + 2 + 1 in 16). */
#include "core/strip.h"

enum { SOON = 24 };

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

/* Turning a block of W x W in two steps: within lanes of 128 bits, then lanes among vectors.
 * t[4 g + j] has, in lane l, column 4 l + j of rows 4 g .. 4 g + 3 (of f64: 2 for 4). Four rows
 * from each pointer, as in the strips. */
#define QUADS(T, V, load, unpack_low, unpack_high, as_pd, as_ps, low_pd, high_pd, W)               \
    UNROLL for (int i = 0; i < W; i += 4, b += 4 * ldb)                                            \
    {                                                                                              \
        V r0 = load((const T *)(const void *)b), r1 = load((const T *)(const void *)(b + ldb)),    \
          r2 = load((const T *)(const void *)(b + 2 * ldb)),                                       \
          r3 = load((const T *)(const void *)(b + 3 * ldb));                                       \
        V p = unpack_low(r0, r1), q = unpack_high(r0, r1), r = unpack_low(r2, r3),                 \
          s = unpack_high(r2, r3);                                                                 \
        t[i] = as_ps(low_pd(as_pd(p), as_pd(r)));                                                  \
        t[i + 1] = as_ps(high_pd(as_pd(p), as_pd(r)));                                             \
        t[i + 2] = as_ps(low_pd(as_pd(q), as_pd(s)));                                              \
        t[i + 3] = as_ps(high_pd(as_pd(q), as_pd(s)));                                             \
    }

#define PAIRS(T, V, load, low, high, W)                                                            \
    UNROLL for (int i = 0; i < W; i += 2, b += 2 * ldb)                                            \
    {                                                                                              \
        V r0 = load((const T *)(const void *)b), r1 = load((const T *)(const void *)(b + ldb));    \
        t[i] = low(r0, r1);                                                                        \
        t[i + 1] = high(r0, r1);                                                                   \
    }

/* Lanes 0 .. 3 of four vectors side by side, G columns from one lane to the next. */
#define LANES(V, shuffle, G)                                                                       \
    UNROLL for (int j = 0; j < G; j++)                                                             \
    {                                                                                              \
        V even = shuffle(t[j], t[G + j], 0x88), odd = shuffle(t[j], t[G + j], 0xdd);               \
        V even2 = shuffle(t[2 * G + j], t[3 * G + j], 0x88),                                       \
          odd2 = shuffle(t[2 * G + j], t[3 * G + j], 0xdd);                                        \
        y[j] = shuffle(even, even2, 0x88);                                                         \
        y[G + j] = shuffle(odd, odd2, 0x88);                                                       \
        y[2 * G + j] = shuffle(even, even2, 0xdd);                                                 \
        y[3 * G + j] = shuffle(odd, odd2, 0xdd);                                                   \
    }

AVX512 static inline void turn_f32_avx512(const char *b, int64_t ldb, __m512 *y)
{
    __m512 t[16];
    QUADS(float, __m512, _mm512_loadu_ps, _mm512_unpacklo_ps, _mm512_unpackhi_ps, _mm512_castps_pd,
          _mm512_castpd_ps, _mm512_unpacklo_pd, _mm512_unpackhi_pd, 16)
    LANES(__m512, _mm512_shuffle_f32x4, 4)
}

AVX512 static inline void turn_f64_avx512(const char *b, int64_t ldb, __m512d *y)
{
    __m512d t[8];
    PAIRS(double, __m512d, _mm512_loadu_pd, _mm512_unpacklo_pd, _mm512_unpackhi_pd, 8)
    LANES(__m512d, _mm512_shuffle_f64x2, 2)
}

AVX2 static inline void turn_f32_avx2(const char *b, int64_t ldb, __m256 *y)
{
    __m256 t[8];
    QUADS(float, __m256, _mm256_loadu_ps, _mm256_unpacklo_ps, _mm256_unpackhi_ps, _mm256_castps_pd,
          _mm256_castpd_ps, _mm256_unpacklo_pd, _mm256_unpackhi_pd, 8)
    UNROLL for (int j = 0; j < 4; j++)
    {
        y[j] = _mm256_permute2f128_ps(t[j], t[4 + j], 0x20);
        y[4 + j] = _mm256_permute2f128_ps(t[j], t[4 + j], 0x31);
    }
}

AVX2 static inline void turn_f64_avx2(const char *b, int64_t ldb, __m256d *y)
{
    __m256d t[4];
    PAIRS(double, __m256d, _mm256_loadu_pd, _mm256_unpacklo_pd, _mm256_unpackhi_pd, 4)
    UNROLL for (int j = 0; j < 2; j++)
    {
        y[j] = _mm256_permute2f128_pd(t[j], t[2 + j], 0x20);
        y[2 + j] = _mm256_permute2f128_pd(t[j], t[2 + j], 0x31);
    }
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
