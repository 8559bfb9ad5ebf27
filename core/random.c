/* random.c -- Philox 4x32-10 and the distributions drawn from it.
 *
 *     key      seed (2 words)
 *     counter  block (2 words), draw (2 words)
 *
 * so that two draws, two seeds or two blocks never share a counter. Source: Salmon et al. 2011, section 3.3. */
#include "core/random.h"

#include <math.h>

static const double TWO_PI = 6.283185307179586476925;

void tl__philox(uint64_t seed, uint64_t draw, uint64_t block, uint32_t out[4])
{
    uint32_t c0 = (uint32_t)block, c1 = (uint32_t)(block >> 32);
    uint32_t c2 = (uint32_t)draw, c3 = (uint32_t)(draw >> 32);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u; /* golden ratio */
        k1 += 0xBB67AE85u; /* sqrt(3) - 1 */
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

static float unit_f32(uint32_t w)
{
    return (float)(w >> 8) * 0x1p-24f;
}

static double unit_f64(uint32_t high, uint32_t low)
{
    return (double)(((uint64_t)high << 32 | low) >> 11) * 0x1p-53;
}

/* Box-Muller: u in (0,1], v in [0,1) give two independent standard normals sqrt(-2 ln u) (cos, sin)(2 pi v). */
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

static void uniform_block_f32(const uint32_t w[4], float *u)
{
    for (int i = 0; i < 4; i++) u[i] = unit_f32(w[i]);
}

static void uniform_block_f64(const uint32_t w[4], double *u)
{
    u[0] = unit_f64(w[0], w[1]);
    u[1] = unit_f64(w[2], w[3]);
}

static void normal_block_f32(const uint32_t w[4], float *z)
{
    pair_f32(w, z);
    pair_f32(w + 2, z + 2);
}

/* One block of 16 bytes of random words gives 16 bytes of elements, four f32 or two f64; the last block may be cut. */
#define FILL(type, block_fn)                                                                       \
    do {                                                                                           \
        enum { PER = 16 / sizeof(type) };                                                          \
        type *to = out, last[PER];                                                                 \
        uint32_t w[4];                                                                             \
        int64_t i = 0;                                                                             \
        for (; i + PER <= n; i += PER) {                                                           \
            tl__philox(seed, draw, (uint64_t)i / PER, w);                                          \
            block_fn(w, to + i);                                                                   \
        }                                                                                          \
        if (i < n) {                                                                               \
            tl__philox(seed, draw, (uint64_t)i / PER, w);                                          \
            block_fn(w, last);                                                                     \
            for (int64_t j = i; j < n; j++) to[j] = last[j - i];                                   \
        }                                                                                          \
    } while (0)

void tl__uniform_fill(tl_dtype dtype, uint64_t seed, uint64_t draw, int64_t n, void *out)
{
    if (dtype == TL_F64)
        FILL(double, uniform_block_f64);
    else
        FILL(float, uniform_block_f32);
}

void tl__normal_fill(tl_dtype dtype, uint64_t seed, uint64_t draw, int64_t n, void *out)
{
    if (dtype == TL_F64)
        FILL(double, pair_f64);
    else
        FILL(float, normal_block_f32);
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
    if (n <= 1) return 0;
    uint64_t surplus = (UINT64_MAX % n + 1) % n; /* 2^64 mod n */
    uint64_t x;
    do x = u64(r);
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
