/* test_reduce.c -- sums, means, extrema, logsumexp and softmax: values, axes, infinities,
 * gradients. */
#include "core/grad.h"
#include "ops/ops.h"
#include "tests/optest.h"

static tl_tape *tape;
static const int axis0 = 0, axis1 = 1, last = -1;
static const int both[2] = {0, 1}, outer[2] = {2, 0};

static void tape_open(void)
{
    tape = tl_tape_new(NULL);
}

static void tape_close(void)
{
    tl_tape_free(tape);
}

TestSuite(reduce, .init = tape_open, .fini = tape_close);

static tl_tensor matrix(void)
{
    static const double v[6] = {1, 5, 2, 7, 0, -3};
    return tl_input_f64(tape, tl_shape2(2, 3), v);
}

static tl_tensor cube(void)
{
    double v[24];
    for (int i = 0; i < 24; i++)
        v[i] = i * 7 % 24;
    return tl_input_f64(tape, tl_shape3(2, 3, 4), v);
}

Test(reduce, sums_and_means)
{
    tl_tensor a = matrix();
    expect(tl_sum(a, 1, &axis0, 0), tl_shape1(3), 8, 5, -1);
    expect(tl_sum(a, 1, &last, 0), tl_shape1(2), 8, 4);
    expect(tl_sum(a, 1, &last, 1), tl_shape2(2, 1), 8, 4);
    expect(tl_sum(a, 2, both, 0), tl_shape0(), 12);
    expect(tl_sum(a, 2, both, 1), tl_shape2(1, 1), 12);
    expect(tl_sum(a, 0, NULL, 0), tl_shape2(2, 3), 1, 5, 2, 7, 0, -3);
    expect(tl_sum_all(a), tl_shape0(), 12);
    expect(tl_mean(a, 1, &axis0, 0), tl_shape1(3), 4, 2.5, -0.5);
    expect(tl_mean(a, 1, &axis1, 1), tl_shape2(2, 1), 8.0 / 3, 4.0 / 3);
    expect(tl_mean_all(a), tl_shape0(), 2);
    expect(tl_sum_all(tl_scalar(tape, TL_F64, 3)), tl_shape0(), 3);
}

Test(reduce, an_empty_sum_is_zero_and_an_empty_mean_is_not_a_number)
{
    tl_tensor none = tl_zeros(tape, TL_F64, tl_shape2(2, 0));
    expect(tl_sum(none, 1, &last, 0), tl_shape1(2), 0, 0);
    expect(tl_mean(none, 1, &last, 0), tl_shape1(2), (double)NAN, (double)NAN);
}

Test(reduce, extrema_over_any_axes)
{
    expect(tl_amax(matrix(), 1, &axis0, 0), tl_shape1(3), 7, 5, 2);
    expect(tl_amax(matrix(), 1, &last, 1), tl_shape2(2, 1), 5, 7);
    expect(tl_amin(matrix(), 1, &last, 0), tl_shape1(2), 1, -3);
    expect(tl_amin(matrix(), 2, both, 0), tl_shape0(), -3);

    double want[3] = {-1, -1, -1};
    for (int i = 0; i < 24; i++)
        want[i / 4 % 3] = fmax(want[i / 4 % 3], i * 7 % 24);
    expect_array(tl_amax(cube(), 2, outer, 0), tl_shape1(3), want);
    expect_array(tl_amax(cube(), 2, outer, 1), tl_shape3(1, 3, 1), want);
}

Test(reduce, argmax_takes_the_first)
{
    const double v[8] = {1, 3, 3, 0, -1, -1, -2, -1};
    tl_tensor a = tl_input_f64(tape, tl_shape2(2, 4), v);
    expect_i32(tl_argmax(a, 1), tl_shape1(2), 1, 0);
    expect_i32(tl_argmax(a, 0), tl_shape1(4), 0, 0, 0, 0);
    const double w[3] = {1, (double)NAN, 5};
    expect_i32(tl_argmax(tl_input_f64(tape, tl_shape1(3), w), 0), tl_shape0(), 1);
}

Test(reduce, not_a_number_comes_through_the_maximum_wherever_it_stands)
{
    float x[40], out;
    tl_shape shape = tl_shape1(40), got;
    tl_dtype dtype = TL_F32;
    int64_t axes = 1;
    tl_attr attr = {1, &axes, 0, NULL};
    void *data[1] = {x};
    for (int at = 0; at < 40; at++) {
        for (int i = 0; i < 40; i++)
            x[i] = (float)i;
        x[at] = NAN;
        cr_assert_eq(run_dense(&tl_op_amax, &attr, 1, &dtype, &shape, data, &got, &out, NULL),
                     TL_OK);
        cr_assert(isnan(out), "NaN at %d was lost", at);
    }
}

Test(reduce, kernels_agree_with_a_plain_loop_on_every_layout)
{
    enum { A = 3, B = 5, C = 37 };
    static double x[A * B * C], out[A * B * C];
    static float xf[A * B * C];
    numbers(A * B * C, x);
    for (int i = 0; i < A * B * C; i++)
        xf[i] = (float)x[i];
    const tl_shape shape = tl_shape3(A, B, C);
    const tl_dtype f64 = TL_F64, f32 = TL_F32;
    void *data[1] = {x}, *dataf[1] = {xf};
    for (int64_t axes = 1; axes < 8; axes++) {
        tl_attr attr = {1, &axes, 0, NULL};
        tl_shape got;
        cr_assert_eq(run_dense(&tl_op_amax, &attr, 1, &f64, &shape, data, &got, out, NULL), TL_OK);
        for (int a = 0; a < A; a++)
            for (int b = 0; b < B; b++)
                for (int c = 0; c < C;
                     c++) { /* every element is at most its maximum, which is one of them */
                    int i = axes & 4 ? 0 : a, j = axes & 2 ? 0 : b, k = axes & 1 ? 0 : c;
                    double m = -HUGE_VAL;
                    for (int p = 0; p < A; p++)
                        for (int q = 0; q < B; q++)
                            for (int r = 0; r < C; r++)
                                if ((axes & 4 || p == a) && (axes & 2 || q == b) &&
                                    (axes & 1 || r == c))
                                    m = fmax(m, x[(p * B + q) * C + r]);
                    cr_assert_eq(out[(i * got.dim[1] + j) * got.dim[2] + k], m);
                }
        same_on_odd_layouts(&tl_op_amax, &attr, 1, &f64, &shape, data);
        same_on_odd_layouts(&tl_op_amax, &attr, 1, &f32, &shape, dataf);
        same_on_odd_layouts(&tl_op_first_max, &attr, 1, &f64, &shape, data);
        same_on_odd_layouts(&tl_op_first_max, &attr, 1, &f32, &shape, dataf);
        if ((axes & (axes - 1)) == 0)
            same_on_odd_layouts(&tl_op_argmax, &attr, 1, &f32, &shape, dataf);
    }
}

Test(reduce, the_gradient_of_a_maximum_goes_to_the_first)
{
    const double v[8] = {1, 3, 3, 0, -1, -1, -2, -1};
    tl_tensor a = tl_input_f64(tape, tl_shape2(2, 4), v), d;
    tl_tensor m = tl_amax(a, 1, &last, 0), loss = tl_mul(m, m);
    cr_assert_eq(tl_grad(1, &loss, NULL, 1, &a, &d), TL_OK);
    expect(d, tl_shape2(2, 4), 0, 6, 0, 0, -2, 0, 0, 0);
    m = tl_amin(a, 1, &axis0, 0);
    cr_assert_eq(tl_grad(1, &m, NULL, 1, &a, &d), TL_OK);
    expect(d, tl_shape2(2, 4), 0, 0, 0, 0, 1, 1, 1, 1);
}

Test(reduce, logsumexp_does_not_overflow)
{
    const double v[6] = {1000, 1000, -1000, -1000, 0, 1};
    tl_tensor a = tl_input_f64(tape, tl_shape2(3, 2), v);
    expect(tl_logsumexp(a, 1, &last, 0), tl_shape1(3), 1000 + log(2), -1000 + log(2),
           log(1 + exp(1)));
    expect(tl_logsumexp(a, 2, both, 1), tl_shape2(1, 1), 1000 + log(2));
    const double w[6] = {-HUGE_VAL, -HUGE_VAL, HUGE_VAL, 0, (double)NAN, 0};
    tl_tensor b = tl_input_f64(tape, tl_shape2(3, 2), w);
    expect(tl_logsumexp(b, 1, &last, 0), tl_shape1(3), -HUGE_VAL, HUGE_VAL, (double)NAN);
}

Test(reduce, softmax_and_its_logarithm)
{
    const double v[6] = {1, 2, 3, 1000, 1000, -HUGE_VAL};
    tl_tensor a = tl_input_f64(tape, tl_shape2(2, 3), v);
    double s = exp(1) + exp(2) + exp(3);
    expect(tl_softmax(a, -1), tl_shape2(2, 3), exp(1) / s, exp(2) / s, exp(3) / s, 0.5, 0.5, 0);
    expect(tl_log_softmax(a, 1), tl_shape2(2, 3), 1 - log(s), 2 - log(s), 3 - log(s), -log(2),
           -log(2), -HUGE_VAL);
    const double w[4] = {0, log(2), log(3), log(4)};
    tl_tensor b = tl_input_f64(tape, tl_shape2(2, 2), w);
    expect(tl_softmax(b, 0), tl_shape2(2, 2), 0.25, 1.0 / 3, 0.75, 2.0 / 3);
    expect(tl_softmax_over(b, 2, both), tl_shape2(2, 2), 0.1, 0.2, 0.3, 0.4);
    expect(tl_log_softmax_over(b, 2, both), tl_shape2(2, 2), log(0.1), log(0.2), log(0.3),
           log(0.4));
}

Test(reduce, gradients_of_logsumexp_and_softmax)
{
    const double w[4] = {0, log(2), log(3), log(4)}, c[4] = {1, -2, 0.5, 3},
                 p[4] = {0.1, 0.2, 0.3, 0.4};
    tl_tensor a = tl_input_f64(tape, tl_shape1(4), w), d, g = tl_input_f64(tape, tl_shape1(4), c);
    tl_tensor y = tl_logsumexp(a, 1, &last, 0);
    cr_assert_eq(tl_grad(1, &y, NULL, 1, &a, &d), TL_OK);
    expect_array(d, tl_shape1(4), p); /* d logsumexp = softmax */
    double dot = 0, want[4];
    for (int i = 0; i < 4; i++)
        dot += p[i] * c[i];
    for (int i = 0; i < 4; i++)
        want[i] = p[i] * (c[i] - dot);
    y = tl_softmax(a, 0);
    cr_assert_eq(tl_grad(1, &y, &g, 1, &a, &d), TL_OK);
    expect_array(d, tl_shape1(4), want);
    y = tl_log_softmax(a, 0);
    cr_assert_eq(tl_grad(1, &y, &g, 1, &a, &d), TL_OK);
    for (int i = 0; i < 4; i++)
        want[i] = c[i] - p[i] * 2.5;
    expect_array(d, tl_shape1(4), want);
}

Test(reduce, messages)
{
    const int twice[2] = {1, -1};
    tl_sum(matrix(), 1, &outer[0], 0);
    expect_error(tape, TL_ESHAPE, "sum: got axis 2 of [2,3], want one in [-2,2)");
    tl_amax(matrix(), 2, twice, 0);
    expect_error(tape, TL_ESHAPE, "amax: got axis -1 of [2,3] twice");
    tl_amax(tl_zeros(tape, TL_F64, tl_shape2(2, 0)), 1, &last, 0);
    expect_error(tape, TL_ESHAPE, "amax: got [2,0], want one element at least");
    const int32_t n[2] = {1, 2};
    tl_argmax(tl_input_i32(tape, tl_shape1(2), n), 0);
    expect_error(tape, TL_EDTYPE, "argmax: got i32");
    cr_assert_not(tl_sum_all((tl_tensor){0}).tape);
    cr_assert_eq(tl_tape_status(tape), TL_OK);
}
