/* test_random.c -- Philox against published values, distributions against their moments. */
#include "core/random.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Source: Random123 1.14, tests/kat_vectors, philox 4x32 10. counter = block, draw; key = seed;
 * low words first. */
Test(random, philox_gives_the_published_words)
{
    const struct {
        uint32_t counter[4], key[2], word[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const uint32_t *c = known[i].counter, *k = known[i].key;
        uint32_t out[4];
        tl__philox((uint64_t)k[1] << 32 | k[0], (uint64_t)c[3] << 32 | c[2],
                   (uint64_t)c[1] << 32 | c[0], out);
        cr_assert_arr_eq(out, known[i].word, sizeof out);
    }
}

typedef void (*fill)(tl_dtype dtype, uint64_t seed, uint64_t draw, int64_t first, int64_t n,
                     void *out);

/* The fills make blocks side by side, where the processor can; the numbers are those of
 * tl__philox. */
static void words_of_fill(uint64_t seed, uint64_t draw)
{
    double x[400];
    tl__uniform_fill(TL_F64, seed, draw, 0, 400, x);
    for (uint64_t b = 0; b < 200; b++) {
        uint32_t w[4];
        tl__philox(seed, draw, b, w);
        for (int h = 0; h < 2; h++) {
            uint64_t bits = (uint64_t)w[2 * h] << 32 | w[2 * h + 1];
            cr_assert(x[2 * b + (uint64_t)h] == (double)(bits >> 11) / 9007199254740992.0);
        }
    }
}

Test(random, every_instruction_set_makes_the_same_numbers)
{
    words_of_fill(1, 2);
    words_of_fill(UINT64_MAX, UINT64_MAX - 1);
    words_of_fill(0x123456789abcdef0, 0xfedcba9876543210);
}

Test(random, the_lowest_instruction_set_makes_the_same_numbers)
{
    setenv("TL_ISA", "base", 1);
    words_of_fill(1, 2);
    words_of_fill(UINT64_MAX, UINT64_MAX - 1);
}

/* Element i is a function of seed, draw and i: a shorter fill is a prefix, and nothing behind it
 * is written. */
Test(random, a_fill_is_a_prefix_of_a_longer_one)
{
    const fill fills[2] = {tl__uniform_fill, tl__normal_fill};
    for (int f = 0; f < 2; f++)
        for (int n = 0; n < 41; n++) {
            float x[101], y[101];
            double u[101], v[101];
            memset(x, 0x7f, sizeof x);
            memset(u, 0x7f, sizeof u);
            fills[f](TL_F32, 5, 6, 0, n, x);
            fills[f](TL_F32, 5, 6, 0, 100, y);
            fills[f](TL_F64, 5, 6, 0, n, u);
            fills[f](TL_F64, 5, 6, 0, 100, v);
            cr_assert_arr_eq(x, y, (size_t)n * sizeof *x);
            cr_assert_arr_eq(u, v, (size_t)n * sizeof *u);
            float guard;
            double guard64;
            memset(&guard, 0x7f, sizeof guard);
            memset(&guard64, 0x7f, sizeof guard64);
            for (int i = n; i < 101; i++) {
                cr_assert_arr_eq(&x[i], &guard, sizeof guard);
                cr_assert_arr_eq(&u[i], &guard64, sizeof guard64);
            }
        }
}

Test(random, a_fill_that_begins_later_has_the_same_numbers)
{
    const fill fills[2] = {tl__uniform_fill, tl__normal_fill};
    float x[101], y[102];
    double u[101], v[102];
    for (int f = 0; f < 2; f++) {
        fills[f](TL_F32, 5, 6, 0, 101, x);
        fills[f](TL_F64, 5, 6, 0, 101, u);
        for (int first = 0; first < 101; first++)
            for (int n = 0; n <= 101 - first; n++) {
                memset(y, 0x7f, sizeof y);
                memset(v, 0x7f, sizeof v);
                fills[f](TL_F32, 5, 6, first, n, y);
                fills[f](TL_F64, 5, 6, first, n, v);
                cr_assert(memcmp(y, x + first, (size_t)n * sizeof *x) == 0);
                cr_assert(memcmp(v, u + first, (size_t)n * sizeof *u) == 0);
                cr_assert(memcmp(y + n, y + 101, sizeof *y) == 0, "written behind the end");
                cr_assert(memcmp(v + n, v + 101, sizeof *v) == 0, "written behind the end");
            }
    }
}

Test(random, a_fill_uses_the_words_of_its_blocks)
{
    float x[11];
    double y[5];
    tl__uniform_fill(TL_F32, 11, 12, 0, 11, x);
    tl__uniform_fill(TL_F64, 11, 12, 0, 5, y);
    for (int i = 0; i < 11; i++) {
        uint32_t w[4];
        tl__philox(11, 12, (uint64_t)i / 4, w);
        cr_assert_float_eq(x[i], (float)(w[i % 4] >> 8) / 16777216.0f, 0);
    }
    for (int i = 0; i < 5; i++) {
        uint32_t w[4];
        tl__philox(11, 12, (uint64_t)i / 2, w);
        uint64_t bits = (uint64_t)w[i % 2 * 2] << 32 | w[i % 2 * 2 + 1];
        cr_assert_float_eq(y[i], (double)(bits >> 11) / 9007199254740992.0, 0);
    }
}

Test(random, seeds_and_draws_differ)
{
    float a[8], b[8];
    tl__uniform_fill(TL_F32, 1, 1, 0, 8, a);
    tl__uniform_fill(TL_F32, 1, 2, 0, 8, b);
    cr_assert_arr_neq(a, b, sizeof a);
    tl__uniform_fill(TL_F32, 2, 1, 0, 8, b);
    cr_assert_arr_neq(a, b, sizeof a);
    tl__uniform_fill(TL_F32, 1, UINT64_C(1) << 40 | 1, 0, 8, b);
    cr_assert_arr_neq(a, b, sizeof a);
}

enum { N = 200000 };

static double element(tl_dtype dtype, const void *x, int i)
{
    return dtype == TL_F64 ? ((const double *)x)[i] : (double)((const float *)x)[i];
}

Test(random, uniform_fills_the_interval_evenly)
{
    void *x = malloc(N * sizeof(double));
    for (int d = 0; d < 2; d++) {
        tl_dtype dtype = d ? TL_F64 : TL_F32;
        tl__uniform_fill(dtype, 42, 7, 0, N, x);
        int bin[10] = {0};
        double sum = 0;
        for (int i = 0; i < N; i++) {
            double u = element(dtype, x, i);
            cr_assert(u >= 0 && u < 1);
            sum += u;
            bin[(int)(u * 10)]++;
        }
        cr_assert(fabs(sum / N - 0.5) < 0.003);
        for (int b = 0; b < 10; b++)
            cr_assert(abs(bin[b] - N / 10) < 5 * 135); /* five standard deviations */
    }
    free(x);
}

Test(random, normal_has_its_moments)
{
    void *x = malloc(N * sizeof(double));
    for (int d = 0; d < 2; d++) {
        tl_dtype dtype = d ? TL_F64 : TL_F32;
        tl__normal_fill(dtype, 42, 8, 0, N, x);
        double m1 = 0, m2 = 0, m3 = 0, m4 = 0, neighbours = 0;
        int inside = 0;
        for (int i = 0; i < N; i++) {
            double z = element(dtype, x, i);
            cr_assert(isfinite(z));
            m1 += z;
            m2 += z * z;
            m3 += z * z * z;
            m4 += z * z * z * z;
            inside += fabs(z) < 1;
            if (i)
                neighbours += z * element(dtype, x, i - 1);
        }
        cr_assert(fabs(m1 / N) < 0.012);
        cr_assert(fabs(m2 / N - 1) < 0.02);
        cr_assert(fabs(m3 / N) < 0.05);
        cr_assert(fabs(m4 / N - 3) < 0.15);
        cr_assert(fabs(neighbours / N) < 0.012);
        cr_assert(fabs((double)inside / N - 0.682689) < 0.006);
    }
    free(x);
}

Test(random, the_stream_runs_through_the_words)
{
    tl_rng r = {.seed = 3, .stream = 4};
    for (uint64_t i = 0; i < 10; i++) {
        uint32_t w[4];
        tl__philox(3, 4, i / 4, w);
        cr_assert_eq(tl__rng_u32(&r), w[i % 4]);
    }
    cr_assert_eq(r.position, 10);
    tl_rng again = {.seed = 3, .stream = 4, .position = 9};
    uint32_t w[4];
    tl__philox(3, 4, 2, w);
    cr_assert_eq(tl__rng_u32(&again), w[1]);
}

Test(random, below_is_even)
{
    tl_rng r = {.seed = 1};
    int count[7] = {0};
    for (int i = 0; i < 70000; i++) {
        uint64_t x = tl__rng_below(&r, 7);
        cr_assert(x < 7);
        count[x]++;
    }
    for (int i = 0; i < 7; i++)
        cr_assert(abs(count[i] - 10000) < 5 * 93);
    cr_assert_eq(tl__rng_below(&r, 1), 0);
    /* With x mod n alone a third of 2^64 would come twice as often in the lower half. */
    uint64_t n = UINT64_C(3) << 62;
    int low = 0;
    for (int i = 0; i < 20000; i++) {
        uint64_t x = tl__rng_below(&r, n);
        cr_assert(x < n);
        low += x < n / 2;
    }
    cr_assert(abs(low - 10000) < 5 * 71);
}

Test(random, the_stream_has_uniform_and_normal_numbers)
{
    tl_rng r = {.seed = 9, .stream = 1};
    double u = 0, z1 = 0, z2 = 0;
    for (int i = 0; i < 50000; i++) {
        double x = tl__rng_uniform(&r), z = tl__rng_normal(&r);
        cr_assert(x >= 0 && x < 1);
        u += x;
        z1 += z;
        z2 += z * z;
    }
    cr_assert(fabs(u / 50000 - 0.5) < 0.007);
    cr_assert(fabs(z1 / 50000) < 0.023);
    cr_assert(fabs(z2 / 50000 - 1) < 0.032);
}
