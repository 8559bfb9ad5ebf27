/* hand_loops.c -- compiled once for each instruction set, HAND_ISA, with -O3. */
#include "tests/bench/hand_table.h"

#include <math.h>

static void chain(size_t n, const float *restrict a, const float *restrict b,
                  const float *restrict c, float *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] =
            (a[i] * b[i] + c[i]) * (a[i] - c[i]) / (1 + a[i] * a[i]) + 0.5f * b[i] - fabsf(c[i]);
}

static void map(size_t n, const float *restrict in, float *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = 0.5f * in[i];
}

static void sgd(size_t n, float *restrict p, const float *restrict g, float lr)
{
    for (size_t i = 0; i < n; i++)
        p[i] -= lr * g[i];
}

static void adam(size_t n, float *restrict p, const float *restrict g, float *restrict m,
                 float *restrict v, float c1, float c2)
{
    for (size_t i = 0; i < n; i++) {
        m[i] = 0.9f * m[i] + 0.1f * g[i];
        v[i] = 0.999f * v[i] + 0.001f * g[i] * g[i];
        p[i] -= c1 * m[i] / (sqrtf(v[i]) * c2 + 1e-8f);
    }
}

static void scatter_add(size_t rows, size_t E, const float *restrict src,
                        const int32_t *restrict idx, float scale, float *restrict table)
{
    for (size_t i = 0; i < rows; i++) {
        float *to = table + (size_t)idx[i] * E;
        for (size_t j = 0; j < E; j++)
            to[j] += scale * src[i * E + j];
    }
}

#define THIS_TABLE(ISA) HAND_TABLE(ISA)
extern const hand_table THIS_TABLE(HAND_ISA);
const hand_table THIS_TABLE(HAND_ISA) = {chain, map, sgd, adam, scatter_add};
