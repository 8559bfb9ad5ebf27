/* test_gemv.c -- thin products, to the bit, against the sum that gemv.h promises. */
#include "core/gemv.h"

#include "core/machine.h"
#include "core/memory.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

static int lanes(tl_dtype d)
{
    static const int f32[TL_ISAS] = {1, 8, 16};
    return d == TL_F64 && f32[tl__isa()] > 1 ? f32[tl__isa()] / 2 : f32[tl__isa()];
}

/* W chains, then halves added. Lowest instruction set: one chain without a fused step. */
static float chains_f32(int64_t k, const float *a, const float *b, int w)
{
    float s[16] = {0};
    for (int64_t p = 0; p < k; p++) {
        float product = a[p] * b[p];
        s[p % w] = w == 1 ? s[0] + product : fmaf(a[p], b[p], s[p % w]);
    }
    for (int h = w / 2; h > 0; h /= 2)
        for (int l = 0; l < h; l++)
            s[l] += s[l + h];
    return s[0];
}

static double chains_f64(int64_t k, const double *a, const double *b, int w)
{
    double s[16] = {0};
    for (int64_t p = 0; p < k; p++) {
        double product = a[p] * b[p];
        s[p % w] = w == 1 ? s[0] + product : fma(a[p], b[p], s[p % w]);
    }
    for (int h = w / 2; h > 0; h /= 2)
        for (int l = 0; l < h; l++)
            s[l] += s[l + h];
    return s[0];
}

enum { N = 150, K = 100 };

/* Rows of b are the columns of the product's second operand; across: stored the other way round;
 * apart: neither is contiguous. */
static void check_f32(int64_t m, int64_t n, int64_t k, int way)
{
    static float a[3 * K], b[N * K], stored[2 * N * K], c[3 * N];
    for (int i = 0; i < 3 * K; i++)
        a[i] = (float)(rand() % 2001) / 1000 - 1;
    for (int i = 0; i < N * K; i++)
        b[i] = (float)(rand() % 2001) / 1000 - 1;
    int64_t rs = way == 0 ? 1 : way == 1 ? n : 2, cs = way == 0 ? k : way == 1 ? 1 : 2 * k;
    for (int64_t j = 0; j < n; j++)
        for (int64_t p = 0; p < k; p++)
            stored[p * rs + j * cs] = b[j * k + p];
    tl_matrix x = {a, k, 1}, y = {stored, rs, cs}, z = {c, n, 1};
    cr_assert_eq(tl__gemv(TL_F32, m, n, k, x, y, 0, z), TL_OK);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            float want = chains_f32(k, a + i * k, b + j * k, lanes(TL_F32));
            cr_assert(c[i * n + j] == want, "m %d n %d k %d way %d", (int)m, (int)n, (int)k, way);
        }
}

static void check_f64(int64_t m, int64_t n, int64_t k, int way)
{
    static double a[3 * K], b[N * K], stored[2 * N * K], c[3 * N];
    for (int i = 0; i < 3 * K; i++)
        a[i] = rand() % 2001 / 1000.0 - 1;
    for (int i = 0; i < N * K; i++)
        b[i] = rand() % 2001 / 1000.0 - 1;
    int64_t rs = way == 0 ? 1 : way == 1 ? n : 2, cs = way == 0 ? k : way == 1 ? 1 : 2 * k;
    for (int64_t j = 0; j < n; j++)
        for (int64_t p = 0; p < k; p++)
            stored[p * rs + j * cs] = b[j * k + p];
    tl_matrix x = {a, k, 1}, y = {stored, rs, cs}, z = {c, n, 1};
    cr_assert_eq(tl__gemv(TL_F64, m, n, k, x, y, 0, z), TL_OK);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double want = chains_f64(k, a + i * k, b + j * k, lanes(TL_F64));
            cr_assert(c[i * n + j] == want, "m %d n %d k %d way %d", (int)m, (int)n, (int)k, way);
        }
}

static void check_all(void)
{
    srand(7);
    const int64_t ns[] = {1, 2, 7, 8, 9, 16, 31, 64, 127, 129, 150};
    for (int64_t m = 1; m <= 3; m++)
        for (int n = 0; n < 11; n++)
            for (int64_t k = 1; k <= K; k += 1 + k / 8)
                for (int way = 0; way < 3; way++) {
                    check_f32(m, ns[n], k, way);
                    check_f64(m, ns[n], k, way);
                }
}

Test(gemv, sums_chains_in_this_processors_lanes)
{
    check_all();
}

Test(gemv, sums_chains_in_eight_lanes)
{
    setenv("TL_ISA", "avx2", 1);
    check_all();
}

Test(gemv, sums_one_chain_elsewhere)
{
    setenv("TL_ISA", "base", 1);
    check_all();
}

Test(gemv, memory_runs_out_with_a_code)
{
    enum { LONG = 3000 };
    float *x = tl__aligned_alloc(LONG * 4 * sizeof *x), y[4] = {0};
    for (int i = 0; i < LONG * 4; i++)
        x[i] = 1;
    tl__fail_after(1);
    cr_assert_eq(tl__gemv(TL_F32, 1, 2, LONG, (tl_matrix){x, 0, 2}, (tl_matrix){x, 2, 2}, 0,
                          (tl_matrix){y, 2, 1}),
                 TL_ENOMEM);
    tl__fail_after(0);
    cr_assert_eq(tl__gemv(TL_F32, 1, 2, LONG, (tl_matrix){x, 0, 2}, (tl_matrix){x, 2, 2}, 0,
                          (tl_matrix){y, 2, 1}),
                 TL_OK);
    cr_assert(y[0] == LONG && y[1] == LONG);
    tl__aligned_free(x);
}
