/* test_elementwise.c -- kernels against libm on every instruction set of this machine, and what
 * the compositions mean. */
#include "ops/elementwise.h"

#include "core/grad.h"
#include "core/machine.h"
#include "core/space.h"
#include "ops/registry.h"
#include "tests/check.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- kernels, called directly ---------------------------------------------------------------- */

static double sigmoid_of(double x)
{
    return 1 / (1 + exp(-x));
}

static double softplus_of(double x)
{
    return isnan(x) ? x : fmax(x, 0) + log1p(exp(-fabs(x)));
}

static double sign_of(double x)
{
    return isnan(x) ? x : (x > 0) - (x < 0);
}

static double neg_of(double x)
{
    return -x;
}

typedef struct unary {
    const char *name;
    double (*of)(double);
} unary;

static const unary unaries[] = {
    {"exp", exp},
    {"expm1", expm1},
    {"log", log},
    {"log1p", log1p},
    {"sin", sin},
    {"cos", cos},
    {"erf", erf},
    {"tanh", tanh},
    {"sigmoid", sigmoid_of},
    {"softplus", softplus_of},
    {"sqrt", sqrt},
    {"abs", fabs},
    {"neg", neg_of},
    {"sign", sign_of},
};
enum { UNARIES = sizeof unaries / sizeof unaries[0], MANY = 4099 };

/* arguments -- zeros, NaN, infinities, subnormal and huge numbers, edges of overflow and
 * underflow, then random ones of all sizes. */
static void arguments(double *x)
{
    static const double special[] = {0,
                                     -0.0,
                                     1,
                                     -1,
                                     CHECK_NAN,
                                     CHECK_INF,
                                     -CHECK_INF,
                                     1e-40,
                                     -1e-40,
                                     1e-45,
                                     1e-310,
                                     -1e-310,
                                     (double)FLT_MAX,
                                     -(double)FLT_MAX,
                                     DBL_MAX,
                                     -DBL_MAX,
                                     (double)FLT_MIN,
                                     DBL_MIN,
                                     88.5,
                                     89,
                                     -87.5,
                                     -88.5,
                                     -103,
                                     -104,
                                     -110,
                                     700,
                                     709.5,
                                     710,
                                     -708,
                                     -745,
                                     -746,
                                     1e5,
                                     1e10,
                                     -1e10,
                                     1e22,
                                     0.5,
                                     1e-8,
                                     -1e-8,
                                     1e-20,
                                     20,
                                     -20,
                                     9.1,
                                     -0.999999,
                                     -1.5};
    enum { SPECIAL = sizeof special / sizeof special[0] };
    srand(1);
    for (int i = 0; i < MANY; i++) {
        const double u = 2.0 * rand() / RAND_MAX - 1;
        x[i] = i < SPECIAL ? special[i] : i % 2 ? 20 * u : ldexp(u, rand() % 60 - 30);
    }
}

/* close -- within `ulp` units of the last place of a number of `digits` bits, whose smallest is
 * `least`. */
static int is_near(double got, double want, double ulp, int digits, double least)
{
    if (isnan(want) || isinf(want) || isnan(got) || isinf(got))
        return isnan(want) ? isnan(got) : got == want;
    return fabs(got - want) <= ulp * fmax(ldexp(fabs(want), 1 - digits), least);
}

Test(elementwise, kernels_agree_with_libm)
{
    static double x64[MANY], y64[MANY];
    static float x32[MANY], y32[MANY];
    arguments(x64);
    for (int i = 0; i < MANY; i++)
        x32[i] = (float)x64[i];
    for (int k = 0; k < UNARIES; k++) {
        const tl_op *op = tl_ops_find(unaries[k].name);
        const tl_dtype f32 = TL_F32, f64 = TL_F64;
        const void *in32[] = {x32}, *in64[] = {x64};
        cr_assert_not_null(op, "%s", unaries[k].name);
        op->tile(&f32, f32)(MANY, y32, in32);
        op->tile(&f64, f64)(MANY, y64, in64);
        for (int i = 0; i < MANY; i++) {
            const double of_narrow = unaries[k].of((double)x32[i]), want = unaries[k].of(x64[i]);
            /* sigmoid loses what is below the smallest normal number */
            const double least = strcmp(op->name, "sigmoid") == 0 ? (double)FLT_MIN : 1.5e-45;
            cr_expect(is_near((double)y32[i], (double)(float)of_narrow, 4, 24, least),
                      "%s(%.9g) in f32: got %.9g, want %.9g", op->name, (double)x32[i],
                      (double)y32[i], of_narrow);
            cr_expect(is_near(y64[i], want, 4, 53, least > 1e-40 ? DBL_MIN : 5e-324),
                      "%s(%.17g): got %.17g, want %.17g", op->name, x64[i], y64[i], want);
        }
    }
}

/* An element's bits depend on nothing but its operands: not on n, position, neighbours or
 * alignment; and nothing is written behind the n-th. */
Test(elementwise, kernels_treat_each_element_alike)
{
    static double x[3][MANY + 64], whole[MANY], alone[80];
    arguments(x[0]);
    for (int i = 0; i < MANY; i++) {
        x[1][i] = x[0][(i + 7) % MANY];
        x[2][i] = x[0][(i * 5 + 3) % MANY];
    }
    static float narrow[3][MANY + 64];
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < MANY; i++)
            narrow[k][i] = (float)x[k][i];
    for (int o = 0; o < tl_ops_count(); o++) {
        const tl_op *op = tl_ops_at(o);
        if (op->kind != TL_POINTWISE || !op->tile)
            continue;
        for (tl_dtype d = TL_F32; d <= TL_F64; d++) {
            const size_t size = tl_dtype_size(d);
            const tl_dtype in_dtype[3] = {d, d, d};
            const tl_tile_fn tile = op->tile(in_dtype, d);
            const char *base[3];
            for (int k = 0; k < 3; k++)
                base[k] = d == TL_F32 ? (const char *)narrow[k] : (const char *)x[k];
            const void *in[] = {base[0], base[1], base[2]};
            cr_assert_not_null(tile, "%s", op->name);
            tile(MANY, whole, in);
            for (int at = 0; at < MANY - 70; at += 1 + at % 61) {
                const int n = 1 + at % 70;
                for (int k = 0; k < 3; k++)
                    in[k] = base[k] + (size_t)at * size;
                memset(alone, 0x5a, sizeof alone);
                tile(n, alone, in);
                for (int i = 0; i < n; i++) {
                    const char *got = (char *)alone + (size_t)i * size,
                               *want = (char *)whole + (size_t)(at + i) * size;
                    const double value =
                        d == TL_F32 ? (double)*(const float *)want : *(const double *)want;
                    cr_assert(isnan(value) || memcmp(got, want, size) == 0,
                              "%s %s, element %d of %d at %d", op->name, tl_dtype_name(d), i, n,
                              at);
                }
                cr_assert_eq(((unsigned char *)alone)[(size_t)n * size], 0x5a,
                             "%s writes behind element %d", op->name, n);
            }
        }
    }
}

Test(elementwise, kernels_work_in_place)
{
    float a[37], b[37], want[37];
    for (int i = 0; i < 37; i++) {
        a[i] = (float)i / 4;
        b[i] = 3 - (float)i;
        want[i] = a[i] * b[i];
    }
    const tl_dtype d[] = {TL_F32, TL_F32};
    const void *in[] = {a, b};
    tl_op_mul.tile(d, TL_F32)(37, b, in);
    assert_allclose_f32(37, b, want, 0, 0);
}

Test(elementwise, two_operands_meet_nan_and_infinity)
{
    const double a[] = {1, CHECK_NAN, 1, CHECK_INF, -CHECK_INF, 0, -0.0, 5, CHECK_NAN};
    const double b[] = {CHECK_NAN, 1, 2, 1, 1, 0, 1, 5, CHECK_NAN};
    const double max[] = {CHECK_NAN, CHECK_NAN, 2, CHECK_INF, 1, 0, 1, 5, CHECK_NAN},
                 min[] = {CHECK_NAN, CHECK_NAN, 1, 1, -CHECK_INF, 0, 0, 5, CHECK_NAN};
    const double less[] = {0, 0, 1, 0, 1, 0, 1, 0, 0}, equal[] = {0, 0, 0, 0, 0, 1, 0, 1, 0};
    const double power[] = {1, CHECK_NAN, 1, CHECK_INF, -CHECK_INF, 1, 0, 3125, CHECK_NAN};
    double out[9];
    float narrow[2][9], out32[9];
    const struct {
        const char *name;
        const double *want;
    } all[] = {
        {"maximum", max}, {"minimum", min}, {"less", less}, {"equal", equal}, {"pow", power}};
    for (int i = 0; i < 9; i++) {
        narrow[0][i] = (float)a[i];
        narrow[1][i] = (float)b[i];
    }
    for (size_t k = 0; k < sizeof all / sizeof all[0]; k++) {
        const tl_op *op = tl_ops_find(all[k].name);
        const tl_dtype f64[] = {TL_F64, TL_F64}, f32[] = {TL_F32, TL_F32};
        const void *in[] = {a, b}, *in32[] = {narrow[0], narrow[1]};
        op->tile(f64, TL_F64)(9, out, in);
        assert_allclose(9, out, all[k].want, 1e-15, 0);
        op->tile(f32, TL_F32)(9, out32, in32);
        for (int i = 0; i < 9; i++)
            out[i] = (double)out32[i];
        assert_allclose(9, out, all[k].want, 1e-6, 0);
    }
}

Test(elementwise, comparisons_take_i32)
{
    const int32_t a[] = {1, 2, 3, -5, INT32_MAX}, b[] = {2, 2, 2, INT32_MIN, INT32_MAX};
    const int32_t less[] = {1, 0, 0, 0, 0}, equal[] = {0, 1, 0, 0, 1},
                  less_equal[] = {1, 1, 0, 0, 1};
    const tl_dtype d[] = {TL_I32, TL_I32};
    const void *in[] = {a, b};
    int32_t out[5];
    tl_op_less.tile(d, TL_I32)(5, out, in);
    cr_assert_arr_eq(out, less, sizeof less);
    tl_op_equal.tile(d, TL_I32)(5, out, in);
    cr_assert_arr_eq(out, equal, sizeof equal);
    tl_op_less_equal.tile(d, TL_I32)(5, out, in);
    cr_assert_arr_eq(out, less_equal, sizeof less_equal);
    tl_op_not_equal.tile(d, TL_I32)(5, out, in);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(out[i], 1 - equal[i]);
}

Test(elementwise, cast_is_defined_everywhere)
{
    const double x[] = {1.9,           -1.9,      2147483647.9, -2147483648.9, 2147483648.0,
                        -2147483649.0, CHECK_NAN, CHECK_INF,    -CHECK_INF,    0.1};
    const int32_t want[] = {1,         -1,        INT32_MAX, INT32_MIN, INT32_MIN,
                            INT32_MIN, INT32_MIN, INT32_MIN, INT32_MIN, 0};
    const float narrow[] = {2147483520.0f, 2147483648.0f, -2147483648.0f, (float)CHECK_NAN, -0.9f};
    const int32_t want_narrow[] = {2147483520, INT32_MIN, INT32_MIN, INT32_MIN, 0};
    int32_t out[10];
    tl_dtype d = TL_F64;
    const void *in[] = {x};
    tl_op_cast.tile(&d, TL_I32)(10, out, in);
    cr_assert_arr_eq(out, want, sizeof want);
    d = TL_F32;
    in[0] = narrow;
    tl_op_cast.tile(&d, TL_I32)(5, out, in);
    cr_assert_arr_eq(out, want_narrow, sizeof want_narrow);
    float f[2];
    d = TL_F64;
    in[0] = (const double[]){0.1, 1e300};
    tl_op_cast.tile(&d, TL_F32)(2, f, in);
    cr_assert(f[0] == 0.1f && isinf(f[1]));
}

/* ---- on the tape ----------------------------------------------------------------------------- */

#define WITH_TAPE                                                                                  \
    tl_tape *tape = check_tape(1);                                                                 \
    const tl_tensor a = tl_input_f64(tape, tl_shape1(4), (const double[]){-1.5, 0, 0.25, 3});      \
    const tl_tensor b = tl_input_f64(tape, tl_shape1(4), (const double[]){2, 0, -1, 3});
#define VALUES(...) ((const double[]){__VA_ARGS__})

Test(elementwise, arithmetic)
{
    WITH_TAPE
    assert_tensor(tl_sub(a, b), 4, VALUES(-3.5, 0, 1.25, 0), 0, 0);
    assert_tensor(tl_mul(a, b), 4, VALUES(-3, 0, -0.25, 9), 0, 0);
    assert_tensor(tl_div(a, b), 4, VALUES(-0.75, CHECK_NAN, -0.25, 1), 0, 0);
    assert_tensor(tl_maximum(a, b), 4, VALUES(2, 0, 0.25, 3), 0, 0);
    assert_tensor(tl_minimum(a, b), 4, VALUES(-1.5, 0, -1, 3), 0, 0);
    assert_tensor(tl_lerp(a, b, tl_scalar(tape, TL_F64, 0.5)), 4, VALUES(0.25, 0, -0.375, 3), 0, 0);
    assert_tensor(tl_add_scalar(a, 1), 4, VALUES(-0.5, 1, 1.25, 4), 0, 0);
    assert_tensor(tl_sub_scalar(a, 1), 4, VALUES(-2.5, -1, -0.75, 2), 0, 0);
    assert_tensor(tl_rsub_scalar(a, 1), 4, VALUES(2.5, 1, 0.75, -2), 0, 0);
    assert_tensor(tl_scale(a, 2), 4, VALUES(-3, 0, 0.5, 6), 0, 0);
    assert_tensor(tl_div_scalar(a, 2), 4, VALUES(-0.75, 0, 0.125, 1.5), 0, 0);
    assert_tensor(tl_rdiv_scalar(b, 6), 4, VALUES(3, CHECK_INF, -6, 2), 0, 0);
    assert_tensor(tl_pow_scalar(a, 2), 4, VALUES(2.25, 0, 0.0625, 9), 0, 0);
    assert_tensor(tl_pow_scalar(a, 3), 4, VALUES(-3.375, 0, 0.015625, 27), 1e-15, 0);
    assert_tensor(tl_square(a), 4, VALUES(2.25, 0, 0.0625, 9), 0, 0);
    assert_tensor(tl_reciprocal(b), 4, VALUES(0.5, CHECK_INF, -1, 1.0 / 3), 1e-15, 0);
    assert_tensor(tl_rsqrt(tl_abs(b)), 4, VALUES(1 / sqrt(2), CHECK_INF, 1, 1 / sqrt(3)), 1e-15, 0);
    assert_ok(tape);
    tl_tape_free(tape);
}

Test(elementwise, comparisons_and_choice)
{
    WITH_TAPE
    assert_tensor(tl_less(a, b), 4, VALUES(1, 0, 0, 0), 0, 0);
    assert_tensor(tl_less_equal(a, b), 4, VALUES(1, 1, 0, 1), 0, 0);
    assert_tensor(tl_greater(a, b), 4, VALUES(0, 0, 1, 0), 0, 0);
    assert_tensor(tl_greater_equal(a, b), 4, VALUES(0, 1, 1, 1), 0, 0);
    assert_tensor(tl_equal(a, b), 4, VALUES(0, 1, 0, 1), 0, 0);
    assert_tensor(tl_not_equal(a, b), 4, VALUES(1, 0, 1, 0), 0, 0);
    assert_tensor(tl_cast(tl_cast(a, TL_I32), TL_F32), 4, VALUES(-1, 0, 0, 3), 0, 0);
    assert_ok(tape);
    tl_tape_free(tape);
}

Test(elementwise, activations)
{
    tl_tape *tape = check_tape(1);
    const tl_tensor a = tl_input_f64(tape, tl_shape1(4), (const double[]){-1.5, 0, 0.25, 3});
    assert_tensor(tl_relu(a), 4, VALUES(0, 0, 0.25, 3), 0, 0);
    assert_tensor(tl_clamp(a, -1, 1), 4, VALUES(-1, 0, 0.25, 1), 0, 0);
    assert_tensor(tl_silu(a), 4,
                  VALUES(-1.5 * sigmoid_of(-1.5), 0, 0.25 * sigmoid_of(0.25), 3 * sigmoid_of(3)),
                  1e-14, 0);
    assert_tensor(tl_gelu(a), 4,
                  VALUES(-0.75 * (1 + erf(-1.5 / sqrt(2))), 0, 0.125 * (1 + erf(0.25 / sqrt(2))),
                         1.5 * (1 + erf(3 / sqrt(2)))),
                  1e-14, 0);
    assert_ok(tape);
    tl_tape_free(tape);
}

/* gradient_of -- of the sum of f's values by x, at the given points. */
static tl_tensor gradient_of(tl_tensor (*f)(tl_tensor), tl_tensor x)
{
    const tl_tensor y = f(x);
    tl_tensor g;
    tl_grad(1, &y, NULL, 1, &x, &g);
    return g;
}

static tl_tensor clamped(tl_tensor x)
{
    return tl_clamp(x, -1, 1);
}

static tl_tensor fourth(tl_tensor x)
{
    return tl_pow_scalar(x, 4);
}

/* The gradient check keeps away from kinks; what happens on them is a promise of the header. */
Test(elementwise, gradients_at_kinks)
{
    tl_tape *tape = check_tape(1);
    const tl_tensor x = tl_input_f64(tape, tl_shape1(5), (const double[]){-2, -1, 0, 1, 2});
    assert_tensor(gradient_of(tl_relu, x), 5, VALUES(0, 0, 0, 1, 1), 0, 0);
    assert_tensor(gradient_of(tl_abs, x), 5, VALUES(-1, -1, 0, 1, 1), 0, 0);
    assert_tensor(gradient_of(clamped, x), 5, VALUES(0, 1, 1, 1, 0), 0, 0);
    assert_tensor(gradient_of(fourth, x), 5, VALUES(-32, -4, 0, 4, 32), 1e-15, 0);
    assert_tensor(gradient_of(tl_softplus, x), 5,
                  VALUES(sigmoid_of(-2), sigmoid_of(-1), 0.5, sigmoid_of(1), sigmoid_of(2)), 1e-15,
                  0);
    const tl_tensor tie[] = {x, tl_add_scalar(x, 0)};
    const tl_tensor most = tl_maximum(tie[0], tie[1]);
    tl_tensor g[2];
    tl_grad(1, &most, NULL, 2, tie, g);
    assert_tensor(g[0], 5, VALUES(1, 1, 1, 1, 1), 0, 0);
    assert_tensor(g[1], 5, VALUES(0, 0, 0, 0, 0), 0, 0);
    assert_ok(tape);
    tl_tape_free(tape);
}

/* The gradients stay finite where the values saturate, in f32. */
Test(elementwise, gradients_far_out)
{
    tl_tape *tape = check_tape(1);
    const tl_tensor x = tl_input_f32(tape, tl_shape1(4), (const float[]){-200, -90, 90, 200});
    assert_tensor(gradient_of(tl_sigmoid, x), 4, VALUES(0, 0, 0, 0), 0, 1e-38);
    assert_tensor(gradient_of(tl_tanh, x), 4, VALUES(0, 0, 0, 0), 0, 0);
    assert_tensor(gradient_of(tl_softplus, x), 4, VALUES(0, 0, 1, 1), 0, 1e-38);
    assert_tensor(tl_softplus(x), 4, VALUES(0, 0, 90, 200), 1e-7, 1e-38);
    assert_tensor(gradient_of(tl_gelu, x), 4, VALUES(0, 0, 1, 1), 1e-6, 1e-30);
    assert_ok(tape);
    tl_tape_free(tape);
}

Test(elementwise, gradient_of_pow_by_its_exponent_at_0)
{
    tl_tape *tape = check_tape(1);
    const tl_tensor a = tl_input_f64(tape, tl_shape1(2), (const double[]){0, 2});
    const tl_tensor b = tl_input_f64(tape, tl_shape1(2), (const double[]){3, 3});
    const tl_tensor y = tl_pow(a, b);
    tl_tensor g;
    tl_grad(1, &y, NULL, 1, &b, &g);
    assert_tensor(g, 2, VALUES(0, 8 * log(2)), 1e-15, 0);
    tl_tape_free(tape);
}

Test(elementwise, cast_back_and_through_i32)
{
    tl_tape *tape = check_tape(1);
    const tl_tensor x = tl_input_f32(tape, tl_shape1(2), (const float[]){1.5f, -2.5f});
    const tl_tensor y = tl_square(tl_cast(x, TL_F64)), z = tl_cast(tl_cast(x, TL_I32), TL_F32);
    tl_tensor g;
    tl_grad(1, &y, NULL, 1, &x, &g);
    cr_assert_eq(tl_dtype_of(g), TL_F32);
    assert_tensor(g, 2, VALUES(3, -5), 0, 0);
    tl_grad(1, &z, NULL, 1, &x, &g);
    assert_tensor(g, 2, VALUES(0, 0), 0, 0);
    cr_assert_eq(tl_cast(x, TL_F32).slot, x.slot);
    tl_tape_free(tape);
}

Test(elementwise, errors_say_what_came)
{
    tl_tape *tape = check_tape(1);
    const float v[6] = {0};
    const int32_t k[6] = {0};
    tl_mul(tl_input_f32(tape, tl_shape1(3), v), tl_input_f32(tape, tl_shape1(2), v));
    assert_fails(tape, TL_ESHAPE, "mul: got [3] and [2]");
    tl_tape_reset(tape);
    tl_mul(tl_input_f32(tape, tl_shape1(2), v), tl_input_i32(tape, tl_shape1(2), k));
    assert_fails(tape, TL_EDTYPE, "mul: got f32 [2] and i32 [2]");
    tl_tape_reset(tape);
    tl_tanh(tl_input_i32(tape, tl_shape1(2), k));
    assert_fails(tape, TL_EDTYPE, "tanh: got i32 [2], want f32 or f64");
    tl_tape_reset(tape);
    tl_cast(tl_input_i32(tape, tl_shape1(2), k), (tl_dtype)7);
    assert_fails(tape, TL_EDTYPE, "cast: got 7");
    const tl_tensor none = {0};
    cr_assert_null(tl_scale(none, 2).tape);
    cr_assert_null(tl_add(none, none).tape);
    tl_tape_free(tape);
}
