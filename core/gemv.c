/* gemv.c -- products with at most three rows or columns: which loop for which layout, and the
 * vectors of each instruction set. */
#include "core/gemv.h"

#include "core/machine.h"
#include "core/memory.h"

typedef struct table_f32 {
    int lanes;
    void (*dot8)(int64_t k, const float *a, const float *b, int64_t ldb, float *y);
    float (*dot)(int64_t k, const float *a, const float *b);
    void (*across)(int64_t k, int n, const float *a, const float *b, int64_t ldb, float *y);
} table_f32;

typedef struct table_f64 {
    int lanes;
    void (*dot8)(int64_t k, const double *a, const double *b, int64_t ldb, double *y);
    double (*dot)(int64_t k, const double *a, const double *b);
    void (*across)(int64_t k, int n, const double *a, const double *b, int64_t ldb, double *y);
} table_f64;

enum {
    ACROSS = 8,
    LANES_MAX = 16
}; /* vectors of outputs that go together; lanes of the widest vector */

#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,fma")))
#define AVX2 __attribute__((target("avx2,fma")))

AVX2 static inline float sum4_f32(__m128 v)
{
    v = _mm_add_ps(v, _mm_movehl_ps(v, v));
    return _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)));
}

AVX2 static inline float sum8_f32(__m256 v)
{
    return sum4_f32(_mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)));
}

AVX2 static inline double sum4_f64(__m256d v)
{
    __m128d h = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
    return _mm_cvtsd_f64(_mm_add_sd(h, _mm_unpackhi_pd(h, h)));
}

AVX512 static inline float sum16_f32(__m512 v)
{
    return sum8_f32(_mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1)));
}

AVX512 static inline double sum8_f64(__m512d v)
{
    return sum4_f64(_mm256_add_pd(_mm512_castpd512_pd256(v), _mm512_extractf64x4_pd(v, 1)));
}

/* -1 in the first n lanes of 8 (of 4 pairs: a lane of f64 is two of these). */
AVX2 static inline __m256i first(int n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

#define TABLE table_f32
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
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define ADD(a, b) _mm512_add_ps(a, b)
#define SUM(v) sum16_f32(v)
#include "core/gemv_kernel.h"

#define TABLE table_f64
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
#define FMA(a, b, c) _mm512_fmadd_pd(a, b, c)
#define ADD(a, b) _mm512_add_pd(a, b)
#define SUM(v) sum8_f64(v)
#include "core/gemv_kernel.h"

#define TABLE table_f32
#define NAME(x) x##_f32_avx2
#define TARGET AVX2
#define T float
#define V __m256
#define W 8
#define ZERO _mm256_setzero_ps()
#define SET1(x) _mm256_set1_ps(x)
#define LOAD(p) _mm256_loadu_ps(p)
#define LOADN(p, n) _mm256_maskload_ps(p, first(n))
#define STORE(p, v) _mm256_storeu_ps(p, v)
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define ADD(a, b) _mm256_add_ps(a, b)
#define SUM(v) sum8_f32(v)
#include "core/gemv_kernel.h"

#define TABLE table_f64
#define NAME(x) x##_f64_avx2
#define TARGET AVX2
#define T double
#define V __m256d
#define W 4
#define ZERO _mm256_setzero_pd()
#define SET1(x) _mm256_set1_pd(x)
#define LOAD(p) _mm256_loadu_pd(p)
#define LOADN(p, n) _mm256_maskload_pd(p, first(2 * (n)))
#define STORE(p, v) _mm256_storeu_pd(p, v)
#define FMA(a, b, c) _mm256_fmadd_pd(a, b, c)
#define ADD(a, b) _mm256_add_pd(a, b)
#define SUM(v) sum4_f64(v)
#include "core/gemv_kernel.h"
#endif

/* Elsewhere one lane, one chain. */
#define TABLE table_f32
#define NAME(x) x##_f32_base
#define TARGET
#define T float
#define V float
#define W 1
#define ZERO 0
#define SET1(x) (x)
#define LOAD(p) (*(p))
#define LOADN(p, n) (*(p))
#define STORE(p, v) (*(p) = (v))
#define FMA(a, b, c) ((a) * (b) + (c))
#define ADD(a, b) ((a) + (b))
#define SUM(v) (v)
#include "core/gemv_kernel.h"

#define TABLE table_f64
#define NAME(x) x##_f64_base
#define TARGET
#define T double
#define V double
#define W 1
#define ZERO 0
#define SET1(x) (x)
#define LOAD(p) (*(p))
#define LOADN(p, n) (*(p))
#define STORE(p, v) (*(p) = (v))
#define FMA(a, b, c) ((a) * (b) + (c))
#define ADD(a, b) ((a) + (b))
#define SUM(v) (v)
#include "core/gemv_kernel.h"

static const table_f32 *const tables_f32[TL_ISAS] = {
    &table_f32_base,
#if defined(__x86_64__)
    &table_f32_avx2,
    &table_f32_avx512,
#endif
};

static const table_f64 *const tables_f64[TL_ISAS] = {
    &table_f64_base,
#if defined(__x86_64__)
    &table_f64_avx2,
    &table_f64_avx512,
#endif
};

/* m rows of a, contiguous and lda apart, times b; c as given. spare: room for 8 k elements, used
 * when b is contiguous in neither direction. A block of outputs is done for all rows while its
 * part of b is in the nearest cache. */
#define ROWS(T, name)                                                                              \
    static void rows_##name(const table_##name *t, int64_t m, int64_t n, int64_t k, const T *a,    \
                            int64_t lda, tl_matrix b, int add, tl_matrix c, T *spare)              \
    {                                                                                              \
        const T *from = b.data;                                                                    \
        int across = b.rs != 1 && b.cs == 1;                                                       \
        int64_t step = across ? ACROSS * t->lanes : 8;                                             \
        for (int64_t j = 0; j < n; j += step) {                                                    \
            int64_t nj = n - j < step ? n - j : step, ldb = b.cs;                                  \
            const T *bj = from + j * b.cs;                                                         \
            if (!across && b.rs != 1) {                                                            \
                for (int64_t q = 0; q < nj; q++)                                                   \
                    for (int64_t p = 0; p < k; p++)                                                \
                        spare[q * k + p] = bj[p * b.rs + q * b.cs];                                \
                bj = spare;                                                                        \
                ldb = k;                                                                           \
            }                                                                                      \
            for (int64_t i = 0; i < m; i++) {                                                      \
                T y[ACROSS * LANES_MAX];                                                           \
                if (across)                                                                        \
                    t->across(k, (int)nj, a + i * lda, bj, b.rs, y);                               \
                else if (nj == 8)                                                                  \
                    t->dot8(k, a + i * lda, bj, ldb, y);                                           \
                else                                                                               \
                    for (int64_t q = 0; q < nj; q++)                                               \
                        y[q] = t->dot(k, a + i * lda, bj + q * ldb);                               \
                T *to = (T *)c.data + i * c.rs + j * c.cs;                                         \
                for (int64_t q = 0; q < nj; q++)                                                   \
                    to[q * c.cs] = add ? to[q * c.cs] + y[q] : y[q];                               \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    static void copy_##name(int64_t m, int64_t k, tl_matrix a, T *to)                              \
    {                                                                                              \
        const T *from = a.data;                                                                    \
        for (int64_t i = 0; i < m; i++)                                                            \
            for (int64_t p = 0; p < k; p++)                                                        \
                to[i * k + p] = from[i * a.rs + p * a.cs];                                         \
    }

ROWS(float, f32)
ROWS(double, f64)

int tl__gemv(tl_dtype dtype, int64_t m, int64_t n, int64_t k, tl_matrix a, tl_matrix b,
             int accumulate, tl_matrix c)
{
    if (m > TL_GEMV_ROWS && n <= TL_GEMV_ROWS) { /* C' = B'A' */
        tl_matrix a1 = {b.data, b.cs, b.rs}, b1 = {a.data, a.cs, a.rs}, c1 = {c.data, c.cs, c.rs};
        return tl__gemv(dtype, n, m, k, a1, b1, accumulate, c1);
    }
    tl_isa isa = tl__isa();
    int copy_a = a.cs != 1 && k > 1, copy_b = b.rs != 1 && b.cs != 1;
    size_t size = tl_dtype_size(dtype), room_a, room = 0;
    if (tl__mul_size(copy_a ? (size_t)m * size : 0, (size_t)k, &room_a) ||
        tl__mul_size(copy_b ? 8 * size : 0, (size_t)k, &room))
        return TL_ENOMEM;
    room += room_a;
    _Alignas(64) char local[8192];
    tl_buf *buf = NULL;
    char *spare = local;
    if (room > sizeof local) {
        buf = tl__buf_new(room);
        if (!buf)
            return TL_ENOMEM;
        spare = buf->data;
    }
    if (dtype == TL_F64) {
        if (copy_a)
            copy_f64(m, k, a, (double *)(void *)spare);
        const double *from = copy_a ? (const double *)(void *)spare : a.data;
        rows_f64(tables_f64[isa], m, n, k, from, copy_a ? k : a.rs, b, accumulate, c,
                 (double *)(void *)(spare + room_a));
    } else {
        if (copy_a)
            copy_f32(m, k, a, (float *)(void *)spare);
        const float *from = copy_a ? (const float *)(void *)spare : a.data;
        rows_f32(tables_f32[isa], m, n, k, from, copy_a ? k : a.rs, b, accumulate, c,
                 (float *)(void *)(spare + room_a));
    }
    tl__buf_unref(buf);
    return TL_OK;
}
