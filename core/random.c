/* random.c -- Philox 4x32-10 and the distributions drawn from it.
 *
 *     key      seed (2 words)
 *     counter  block (2 words), draw (2 words)
 *
 * so that two draws, two seeds or two blocks never share a counter. Source: Salmon et al. 2011,
 * section 3.3. */
#include "core/random.h"

#include "core/machine.h"

#include <math.h>
#include <string.h>

/* Multipliers of the two halves, and what is added to the key after each round: golden ratio and
 * sqrt(3) - 1. */
static const uint32_t M0 = 0xD2511F53u, M1 = 0xCD9E8D57u, W0 = 0x9E3779B9u, W1 = 0xBB67AE85u;
enum { ROUNDS = 10, TOGETHER = 8 }; /* blocks made at a time by fills */

static const double TWO_PI = 6.283185307179586476925;

void tl__philox(uint64_t seed, uint64_t draw, uint64_t block, uint32_t out[4])
{
    uint32_t c0 = (uint32_t)block, c1 = (uint32_t)(block >> 32);
    uint32_t c2 = (uint32_t)draw, c3 = (uint32_t)(draw >> 32);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t p0 = (uint64_t)M0 * c0, p1 = (uint64_t)M1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += W0;
        k1 += W1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* several -- blocks block .. block + TOGETHER - 1, four words each. */
static void several_base(uint64_t seed, uint64_t draw, uint64_t block, uint32_t *w)
{
    for (int b = 0; b < TOGETHER; b++)
        tl__philox(seed, draw, block + (uint64_t)b, w + 4 * b);
}

#if defined(__x86_64__)
#include <immintrin.h>

/* Four blocks side by side, a word in the lower half of each 64-bit lane; what is in the upper
 * halves does not matter, as the product does not look there. */
__attribute__((target("avx2"))) static void several_avx2(uint64_t seed, uint64_t draw,
                                                         uint64_t block, uint32_t *w)
{
    const __m256i m0 = _mm256_set1_epi64x(M0), m1 = _mm256_set1_epi64x(M1),
                  low = _mm256_set1_epi64x(0xFFFFFFFF);
    for (int b = 0; b < TOGETHER; b += 4, block += 4, w += 16) {
        __m256i c0 =
            _mm256_add_epi64(_mm256_set1_epi64x((int64_t)block), _mm256_setr_epi64x(0, 1, 2, 3));
        __m256i c1 = _mm256_srli_epi64(c0, 32);
        __m256i c2 = _mm256_set1_epi64x((int64_t)draw), c3 = _mm256_srli_epi64(c2, 32);
        uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
        for (int round = 0; round < ROUNDS; round++) {
            __m256i p0 = _mm256_mul_epu32(m0, c0), p1 = _mm256_mul_epu32(m1, c2);
            c0 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p1, 32), c1),
                                  _mm256_set1_epi64x(k0));
            c2 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p0, 32), c3),
                                  _mm256_set1_epi64x(k1));
            c1 = p1;
            c3 = p0;
            k0 += W0;
            k1 += W1;
        }
        __m256i w01 = _mm256_or_si256(_mm256_and_si256(c0, low), _mm256_slli_epi64(c1, 32));
        __m256i w23 = _mm256_or_si256(_mm256_and_si256(c2, low), _mm256_slli_epi64(c3, 32));
        __m256i even = _mm256_unpacklo_epi64(w01, w23),
                odd = _mm256_unpackhi_epi64(w01, w23); /* blocks 0, 2 and 1, 3 */
        _mm256_storeu_si256((__m256i *)(void *)w, _mm256_permute2x128_si256(even, odd, 0x20));
        _mm256_storeu_si256((__m256i *)(void *)(w + 8), _mm256_permute2x128_si256(even, odd, 0x31));
    }
}
#else
#define several_avx2 several_base
#endif

static float unit_f32(uint32_t w)
{
    return (float)(int32_t)(w >> 8) *
           0x1p-24f; /* below 2^24: the signed conversion is exact, and a vector instruction */
}

static double unit_f64(uint32_t high, uint32_t low)
{
    return (double)(int64_t)(((uint64_t)high << 32 | low) >> 11) * 0x1p-53;
}

/* Box-Muller: u in (0,1], v in [0,1) give two independent standard normals sqrt(-2 ln u) (cos,
 * sin)(2 pi v). */
static void pair_f32(const uint32_t w[2], float z[2])
{
    float r = sqrtf(-2.0f * logf(((float)w[0] + 1.0f) * 0x1p-32f));
    float angle = (float)TWO_PI * unit_f32(w[1]);
    z[0] = r * cosf(angle);
    z[1] = r * sinf(angle);
}

static void pair_f64(const uint32_t w[4], double z[2])
{
    double r = sqrt(-2.0 * log(unit_f64(w[0], w[1]) + 0x1p-53));
    double angle = TWO_PI * unit_f64(w[2], w[3]);
    z[0] = r * cos(angle);
    z[1] = r * sin(angle);
}

/* What the words of TOGETHER blocks become: 32 f32 or 16 f64. */
static void uniform_f32(const uint32_t *w, float *u)
{
    for (int i = 0; i < 4 * TOGETHER; i++)
        u[i] = unit_f32(w[i]);
}

static void uniform_f64(const uint32_t *w, double *u)
{
    for (int i = 0; i < 2 * TOGETHER; i++)
        u[i] = unit_f64(w[2 * i], w[2 * i + 1]);
}

static void normal_f32(const uint32_t *w, float *z)
{
    for (int i = 0; i < 4 * TOGETHER; i += 2)
        pair_f32(w + i, z + i);
}

static void normal_f64(const uint32_t *w, double *z)
{
    for (int i = 0; i < 2 * TOGETHER; i += 2)
        pair_f64(w + 2 * i, z + i);
}

#define FILL(type, convert)                                                                        \
    do {                                                                                           \
        enum { BLOCK = 16 / sizeof(type), STEP = TOGETHER * BLOCK };                               \
        void (*several)(uint64_t, uint64_t, uint64_t, uint32_t *) =                                \
            tl__isa() >= TL_ISA_AVX2 ? several_avx2 : several_base;                                \
        type *to = out, last[STEP];                                                                \
        uint32_t w[4 * TOGETHER];                                                                  \
        for (int64_t i = first - first % STEP; i < first + n; i += STEP) {                         \
            const int64_t lo = i > first ? i : first;                                              \
            const int64_t hi = i + STEP < first + n ? i + STEP : first + n;                        \
            const int whole = hi - lo == STEP;                                                     \
            several(seed, draw, (uint64_t)i / BLOCK, w);                                           \
            convert(w, whole ? to + (i - first) : last);                                           \
            if (!whole)                                                                            \
                memcpy(to + (lo - first), last + (lo - i), (size_t)(hi - lo) * sizeof(type));      \
        }                                                                                          \
    } while (0)

void tl__uniform_fill(tl_dtype dtype, uint64_t seed, uint64_t draw, int64_t first, int64_t n,
                      void *out)
{
    if (dtype == TL_F64)
        FILL(double, uniform_f64);
    else
        FILL(float, uniform_f32);
}

void tl__normal_fill(tl_dtype dtype, uint64_t seed, uint64_t draw, int64_t first, int64_t n,
                     void *out)
{
    if (dtype == TL_F64)
        FILL(double, normal_f64);
    else
        FILL(float, normal_f32);
}

/* ---- stream ---------------------------------------------------------------------------------- */

uint32_t tl__rng_u32(tl_rng *r)
{
    uint32_t w[4];
    tl__philox(r->seed, r->stream, r->position / 4, w);
    return w[r->position++ % 4];
}

static uint64_t u64(tl_rng *r)
{
    uint64_t high = tl__rng_u32(r);
    return high << 32 | tl__rng_u32(r);
}

/* x mod n is uniform once the x above the largest multiple of n are thrown away. */
uint64_t tl__rng_below(tl_rng *r, uint64_t n)
{
    if (n <= 1)
        return 0;
    uint64_t surplus = (UINT64_MAX % n + 1) % n; /* 2^64 mod n */
    uint64_t x;
    do
        x = u64(r);
    while (x > UINT64_MAX - surplus);
    return x % n;
}

double tl__rng_uniform(tl_rng *r)
{
    uint64_t x = u64(r);
    return unit_f64((uint32_t)(x >> 32), (uint32_t)x);
}

double tl__rng_normal(tl_rng *r)
{
    double u = tl__rng_uniform(r) + 0x1p-53, v = tl__rng_uniform(r);
    return sqrt(-2.0 * log(u)) * cos(TWO_PI * v);
}
