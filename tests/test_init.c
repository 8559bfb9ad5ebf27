/* test_init.c -- initialisers: ranges, moments, orthogonality, gate blocks, independence of order.
 * */
#include "nn/init.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { ROWS = 120, COLS = 80, N = ROWS * COLS };

static double value[N];

/* Fills a [rows,cols] parameter of this name and reads it into value. */
static void fill(const char *name, tl_init init, int64_t rows, int64_t cols, int blocks,
                 uint64_t seed)
{
    tl_err err = {0};
    tl_params *set = tl_params_new(TL_F64);
    tl_param *p = tl_param_new(set, name, tl_shape2(rows, cols), &err);
    cr_assert_not_null(p, "%s", err.message);
    cr_assert_eq(tl_param_init(p, init, seed, blocks, 16, 0, &err), TL_OK, "%s", err.message);
    cr_assert_eq(tl_param_get_f64(p, value, rows * cols), TL_OK);
    tl_params_free(set);
}

static void moments(double *mean, double *deviation, double *least, double *most)
{
    double s = 0, q = 0;
    *least = *most = value[0];
    for (int i = 0; i < N; i++) {
        s += value[i];
        q += value[i] * value[i];
        *least = fmin(*least, value[i]);
        *most = fmax(*most, value[i]);
    }
    *mean = s / N;
    *deviation = sqrt(q / N - *mean * *mean);
}

/* Uniform on (mean - limit, mean + limit): inside it, near its ends, and of its moments. */
static void is_uniform(tl_init init, double mean, double limit)
{
    double m, d, least, most;
    fill("w", init, ROWS, COLS, 1, 3);
    moments(&m, &d, &least, &most);
    cr_assert(least >= mean - limit && most <= mean + limit, "[%g,%g], want +-%g", least, most,
              limit);
    cr_assert(least < mean - 0.99 * limit && most > mean + 0.99 * limit, "[%g,%g]", least, most);
    cr_assert(fabs(m - mean) < 0.03 * limit, "mean %g", m);
    cr_assert(fabs(d - limit / sqrt(3)) < 0.02 * limit, "deviation %g", d);
}

static void is_normal(tl_init init, double mean, double deviation)
{
    double m, d, least, most;
    fill("w", init, ROWS, COLS, 1, 3);
    moments(&m, &d, &least, &most);
    cr_assert(fabs(m - mean) < 0.05 * deviation, "mean %g", m);
    cr_assert(fabs(d - deviation) < 0.03 * deviation, "deviation %g", d);
    cr_assert(most > mean + 3 * deviation && least < mean - 3 * deviation);
}

Test(init, ranges_and_moments)
{
    is_uniform(tl_init_uniform(1, 5), 3, 2);
    is_uniform(tl_init_glorot_uniform(), 0, sqrt(6.0 / (ROWS + COLS)));
    is_uniform(tl_init_he_uniform(), 0, sqrt(6.0 / COLS));
    is_uniform(tl_init_fan_in(), 0, 1 / sqrt(COLS));
    is_uniform(tl_init_recurrent(), 0, 0.25);
    is_normal(tl_init_normal(-1, 0.5), -1, 0.5);
    is_normal(tl_init_glorot_normal(), 0, sqrt(2.0 / (ROWS + COLS)));
    is_normal(tl_init_he_normal(), 0, sqrt(2.0 / COLS));
    fill("w", tl_init_constant(-2.5), ROWS, COLS, 1, 0);
    for (int i = 0; i < N; i++)
        cr_assert_eq(value[i], -2.5);
}

/* Inner product of rows or columns i and j of a [rows,cols] matrix. */
static double product(const double *a, int64_t rows, int64_t cols, int by_rows, int64_t i,
                      int64_t j)
{
    double s = 0;
    for (int64_t k = 0; k < (by_rows ? cols : rows); k++)
        s += by_rows ? a[i * cols + k] * a[j * cols + k] : a[k * cols + i] * a[k * cols + j];
    return s;
}

static void is_orthogonal(const double *a, int64_t rows, int64_t cols, double gain)
{
    int by_rows = rows <= cols;
    int64_t n = by_rows ? rows : cols;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) {
            double want = i == j ? gain * gain : 0, got = product(a, rows, cols, by_rows, i, j);
            cr_assert(fabs(got - want) < 1e-13 * gain * gain, "[%d,%d] %g", (int)i, (int)j,
                      got - want);
        }
}

Test(init, orthogonal_matrices_wide_tall_and_in_blocks)
{
    fill("w", tl_init_orthogonal(2), 20, 50, 1, 1);
    is_orthogonal(value, 20, 50, 2);
    fill("w", tl_init_orthogonal(0.5), 50, 20, 1, 1);
    is_orthogonal(value, 50, 20, 0.5);
    fill("w", tl_init_orthogonal(1), 1, 1, 1, 1);
    cr_assert(fabs(fabs(value[0]) - 1) < 1e-15);
    fill("w", tl_init_orthogonal(1), 4 * 15, 15, 4, 1);
    for (int k = 0; k < 4; k++)
        is_orthogonal(value + k * 15 * 15, 15, 15, 1);
    cr_assert(memcmp(value, value + 15 * 15, 15 * 15 * sizeof *value) != 0, "blocks are equal");
}

Test(init, blocks_have_their_own_fans)
{
    double limit = sqrt(6.0 / (ROWS / 4 + COLS)), most = 0;
    fill("w", tl_init_glorot_uniform(), ROWS, COLS, 4, 1);
    for (int i = 0; i < N; i++)
        most = fmax(most, fabs(value[i]));
    cr_assert(most <= limit && most > 0.99 * limit, "%g, want %g", most, limit);
}

Test(init, a_value_can_be_added_to_one_block)
{
    double before[N];
    fill("b", tl_init_recurrent(), 4 * 5, 1, 4, 1);
    memcpy(before, value, sizeof before);
    fill("b", tl_init_plus(tl_init_recurrent(), 1, 1.5), 4 * 5, 1, 4, 1);
    for (int i = 0; i < 20; i++)
        cr_assert_eq(value[i], before[i] + (i / 5 == 1 ? 1.5 : 0));
}

Test(init, numbers_depend_on_seed_and_name_only)
{
    double first[N];
    fill("encoder.w", tl_init_normal(0, 1), 6, 5, 1, 7);
    memcpy(first, value, sizeof first);
    fill("encoder.w", tl_init_normal(0, 1), 6, 5, 1, 7);
    cr_assert_eq(memcmp(first, value, 30 * sizeof *value), 0);
    fill("encoder.w", tl_init_normal(0, 1), 6, 5, 1, 8);
    cr_assert_neq(memcmp(first, value, 30 * sizeof *value), 0);
    fill("decoder.w", tl_init_normal(0, 1), 6, 5, 1, 7);
    cr_assert_neq(memcmp(first, value, 30 * sizeof *value), 0);
}

Test(init, a_bias_takes_its_fan_from_the_caller)
{
    tl_err err = {0};
    double b[400], most = 0;
    tl_params *set = tl_params_new(TL_F64);
    tl_param *p = tl_param_new(set, "b", tl_shape1(400), &err);
    cr_assert_eq(tl_param_init(p, tl_init_fan_in(), 0, 1, 0, 100, &err), TL_OK);
    tl_param_get_f64(p, b, 400);
    for (int i = 0; i < 400; i++)
        most = fmax(most, fabs(b[i]));
    cr_assert(most <= 0.1 && most > 0.098, "%g", most);
    tl_params_free(set);
}

Test(init, wrong_arguments_are_refused)
{
    tl_err err = {0};
    tl_params *set = tl_params_new(TL_F32);
    tl_param *p = tl_param_new(set, "w", tl_shape2(6, 2), &err);
    tl_init nothing = {0};
    cr_assert_eq(tl_param_init(NULL, tl_init_constant(1), 0, 1, 0, 0, &err), TL_EINVAL);
    cr_assert_eq(tl_param_init(p, nothing, 0, 1, 0, 0, &err), TL_EINVAL);
    cr_assert_eq(tl_param_init(p, tl_init_constant(1), 0, 4, 0, 0, &err), TL_EINVAL);
    cr_assert(strstr(err.message, "4 blocks"), "%s", err.message);
    cr_assert_eq(tl_param_init(p, tl_init_constant(1), 0, 0, 0, 0, NULL), TL_EINVAL);
    cr_assert_eq(tl_param_init(p, tl_init_plus(tl_init_constant(1), 3, 1), 0, 3, 0, 0, NULL),
                 TL_EINVAL);
    tl_params_free(set);
}
