/* test_forward.c -- forward mode: known numbers, against reverse mode, in and over loops. Every
 * operation is in test_registry (gradcheck.c), loops against their unrolled selves in
 * test_scan_grad, test_scan_nested and test_scan_random (unroll.c). */
#include "core/run.h"
#include "tapeloop.h"
#include "tests/check.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static tl_tensor f64(tl_tape *tape, tl_shape shape, uint64_t seed)
{
    return check_random(tape, TL_F64, shape, seed);
}

/* close_to -- two tensors are the same to 1e-12 of the largest element. */
static void close_to(tl_tensor a, tl_tensor b)
{
    char message[CHECK_MESSAGE];
    cr_assert(check_same(a, b, 1e-12, 1e-12, message), "%s", message);
}

/* dot -- <a, b>. */
static tl_tensor dot(tl_tensor a, tl_tensor b)
{
    return tl_sum_all(tl_mul(a, b));
}

Test(forward, a_product_by_hand)
{
    tl_tape *tape = check_tape(1);
    const double x[2] = {2, 3}, v[2] = {5, 7};
    tl_tensor a = tl_input_f64(tape, tl_shape1(2), x), t = tl_input_f64(tape, tl_shape1(2), v),
              d[2];
    tl_tensor out[2] = {tl_mul(tl_mul(a, a), a), tl_zeros(tape, TL_F64, tl_shape1(3))};
    cr_assert_eq(tl_jvp(1, &a, &t, 2, out, d), TL_OK, "%s", tl_tape_error(tape));
    double got[3];
    cr_assert_eq(tl_read_f64(d[0], got, 2), TL_OK);
    cr_assert(fabs(got[0] - 3 * 4 * 5) < 1e-12 && fabs(got[1] - 3 * 9 * 7) < 1e-12);
    cr_assert_eq(tl_read_f64(d[1], got, 3), TL_OK);
    cr_assert(got[0] == 0 && got[1] == 0 && got[2] == 0, "what does not depend has zeros");
    tl_tape_free(tape);
}

Test(forward, tangents_that_are_not_given_are_ones)
{
    tl_tape *tape = check_tape(1);
    tl_tensor in[2] = {f64(tape, tl_shape1(3), 1), f64(tape, tl_shape1(3), 2)}, d[2], h[2], want[2];
    const tl_tensor one = tl_ones(tape, TL_F64, tl_shape1(3)), ones[2] = {one, one};
    tl_tensor y = tl_sum_all(tl_mul(tl_exp(in[0]), tl_sin(in[1])));
    cr_assert_eq(tl_jvp(2, in, NULL, 1, &y, &d[0]), TL_OK);
    cr_assert_eq(tl_jvp(2, in, ones, 1, &y, &d[1]), TL_OK);
    close_to(d[0], d[1]);
    close_to(d[0], tl_sum_all(tl_mul(tl_exp(in[0]), tl_add(tl_sin(in[1]), tl_cos(in[1])))));
    cr_assert_eq(tl_hvp(y, 2, in, NULL, h), TL_OK);
    cr_assert_eq(tl_hvp(y, 2, in, ones, want), TL_OK);
    close_to(h[0], want[0]);
    close_to(h[1], tl_mul(tl_exp(in[0]), tl_sub(tl_cos(in[1]), tl_sin(in[1]))));
    tl_tape_free(tape);
}

/* Inputs that depend on one another: the derivative is the one tl_grad means. */
Test(forward, an_input_made_of_an_input)
{
    tl_tape *tape = check_tape(1);
    tl_tensor a = f64(tape, tl_shape1(3), 1), b = tl_exp(a), y = tl_mul(b, tl_sin(a)), d, g[2];
    tl_tensor in[2] = {a, b}, v[2] = {f64(tape, tl_shape1(3), 2), f64(tape, tl_shape1(3), 3)};
    tl_tensor u = f64(tape, tl_shape1(3), 4);
    cr_assert_eq(tl_jvp(2, in, v, 1, &y, &d), TL_OK);
    cr_assert_eq(tl_vjp(1, &y, &u, 2, in, g), TL_OK);
    close_to(dot(u, d), tl_add(dot(g[0], v[0]), dot(g[1], v[1])));
    tl_tape_free(tape);
}

Test(forward, constants_have_no_tangent)
{
    tl_tape *tape = check_tape(1);
    tl_tensor a = f64(tape, tl_shape1(3), 1), v = f64(tape, tl_shape1(3), 2), d[3];
    tl_no_grad_open(tape);
    tl_tensor fixed = tl_exp(a);
    tl_no_grad_close(tape);
    tl_tensor out[3] = {tl_detach(a), fixed, tl_mul(fixed, a)};
    cr_assert_eq(tl_jvp(1, &a, &v, 3, out, d), TL_OK);
    close_to(d[0], tl_zeros(tape, TL_F64, tl_shape1(3)));
    close_to(d[1], tl_zeros(tape, TL_F64, tl_shape1(3)));
    close_to(d[2], tl_mul(fixed, v));
    tl_tape_free(tape);
}

/* A recurrence with dropout and lengths; loss and last state. */
static tl_tensor noisy(tl_tape *tape, int reverse, tl_tensor xs, tl_tensor h0, tl_tensor w,
                       tl_tensor lengths, tl_tensor *last)
{
    tl_scan_opts opts = tl_scan_defaults();
    opts.lengths = lengths;
    opts.reverse = reverse;
    tl_scan s = tl_scan_open(tape, tl_dim(xs, 0), &opts);
    tl_tensor h = tl_scan_carry(s, h0), x = tl_scan_each(s, xs);
    tl_tensor z = tl_tanh(tl_add(tl_matmul(h, w), tl_dropout(x, 0.4)));
    tl_scan_next(s, h, z);
    tl_scan_close(s);
    *last = tl_scan_last(s, h);
    return tl_add(dot(tl_scan_stacked(s, z), tl_scan_stacked(s, z)), tl_sum_all(*last));
}

Test(forward, dropout_and_lengths_as_in_reverse_mode)
{
    for (int reverse = 0; reverse < 2; reverse++) {
        tl_tape *tape = check_tape(3);
        const int32_t length[3] = {4, 0, 2};
        tl_tensor in[3] = {f64(tape, tl_shape3(5, 3, 2), 1), f64(tape, tl_shape2(3, 2), 2),
                           f64(tape, tl_shape2(2, 2), 3)};
        tl_tensor v[3] = {f64(tape, tl_shape3(5, 3, 2), 4), f64(tape, tl_shape2(3, 2), 5),
                          f64(tape, tl_shape2(2, 2), 6)};
        tl_tensor out[2], d[2], g[3], lengths = tl_input_i32(tape, tl_shape1(3), length);
        out[0] = noisy(tape, reverse, in[0], in[1], in[2], lengths, &out[1]);
        const uint64_t draws = tl_draws(tape);
        cr_assert_eq(tl_jvp(3, in, v, 2, out, d), TL_OK, "%s", tl_tape_error(tape));
        cr_assert_eq(tl_draws(tape), draws, "the tangent draws nothing new");
        cr_assert_eq(tl_grad(1, out, NULL, 3, in, g), TL_OK);
        tl_tensor want = tl_add(tl_add(dot(g[0], v[0]), dot(g[1], v[1])), dot(g[2], v[2]));
        close_to(d[0], want);
        tl_tensor u = f64(tape, tl_shape2(3, 2), 7);
        cr_assert_eq(tl_vjp(1, &out[1], &u, 3, in, g), TL_OK);
        close_to(dot(u, d[1]), tl_add(tl_add(dot(g[0], v[0]), dot(g[1], v[1])), dot(g[2], v[2])));
        tl_tape_free(tape);
    }
}

/* Nothing is kept over time: the slab of a run does not grow with T. */
static size_t slab_of(int64_t T)
{
    tl_tape *tape = check_tape(1);
    tl_tensor w = f64(tape, tl_shape2(8, 8), 1), h0 = f64(tape, tl_shape2(4, 8), 2), last, d;
    tl_tensor v = f64(tape, tl_shape2(8, 8), 3);
    tl_scan s = tl_scan_open(tape, T, NULL);
    tl_tensor h = tl_scan_carry(s, h0);
    tl_scan_next(s, h, tl_tanh(tl_matmul(h, tl_scale(w, 0.1))));
    tl_scan_close(s);
    last = tl_scan_last(s, h);
    cr_assert_eq(tl_jvp(1, &w, &v, 1, &last, &d), TL_OK);
    double got[32];
    cr_assert_eq(tl_read_f64(d, got, 32), TL_OK, "%s", tl_tape_error(tape));
    cr_assert(isfinite(got[0]));
    const size_t bytes = tl__run_stats(tape).slab_bytes;
    tl_tape_free(tape);
    return bytes;
}

Test(forward, a_loop_keeps_nothing_over_time)
{
    const size_t few = slab_of(100), many = slab_of(100000);
    cr_assert(many <= few + 4096, "%zu bytes for 100 steps, %zu for 100000", few, many);
}

/* The step's own derivative, inside the body: dh' = (1 - h'^2) (W dh). */
Test(forward, inside_an_open_loop)
{
    tl_tape *tape = check_tape(1);
    tl_tensor w = f64(tape, tl_shape2(3, 3), 1), h0 = f64(tape, tl_shape2(2, 3), 2);
    tl_tensor v = f64(tape, tl_shape2(2, 3), 3), d, through;
    tl_scan s = tl_scan_open(tape, 6, NULL);
    tl_tensor h = tl_scan_carry(s, h0), dh = tl_scan_carry(s, v);
    tl_tensor next = tl_tanh(tl_matmul(h, w));
    cr_assert_eq(tl_jvp(1, &h, &dh, 1, &next, &d), TL_OK, "%s", tl_tape_error(tape));
    tl_scan_next(s, h, next);
    tl_scan_next(s, dh, d);
    tl_scan_close(s);
    tl_tensor last = tl_scan_last(s, h);
    cr_assert_eq(tl_jvp(1, &h0, &v, 1, &last, &through), TL_OK, "%s", tl_tape_error(tape));
    close_to(tl_scan_last(s, dh), through);
    tl_tape_free(tape);
}

static tl_tensor curved(tl_tensor a, tl_tensor w)
{
    return tl_sum_all(tl_sin(tl_matmul(tl_mul(a, a), w)));
}

Test(forward, a_hessian_times_a_vector)
{
    tl_tape *tape = check_tape(1);
    tl_tensor in[2] = {f64(tape, tl_shape2(2, 3), 1), f64(tape, tl_shape2(3, 2), 2)};
    tl_tensor v[2] = {f64(tape, tl_shape2(2, 3), 3), f64(tape, tl_shape2(3, 2), 4)};
    tl_tensor loss = curved(in[0], in[1]), hv[2], g[2], pushed[2];
    cr_assert_eq(tl_hvp(loss, 2, in, v, hv), TL_OK, "%s", tl_tape_error(tape));
    cr_assert_eq(tl_grad(1, &loss, NULL, 2, in, g), TL_OK);
    cr_assert_eq(tl_jvp(2, in, v, 2, g, pushed), TL_OK); /* another route to the same */
    close_to(hv[0], pushed[0]);
    close_to(hv[1], pushed[1]);
    tl_tape_free(tape);
}

/* The gradient of a tangent, and its Hessian vector product by differences. */
Test(forward, a_tangent_has_a_gradient)
{
    tl_tape *tape = check_tape(1);
    tl_tensor in[2] = {f64(tape, tl_shape2(2, 3), 1), f64(tape, tl_shape2(3, 2), 2)};
    tl_tensor v[2] = {f64(tape, tl_shape2(2, 3), 3), f64(tape, tl_shape2(3, 2), 4)};
    tl_tensor loss = curved(in[0], in[1]), d, g[2], hv[2];
    cr_assert_eq(tl_jvp(2, in, v, 1, &loss, &d), TL_OK);
    cr_assert_eq(tl_grad(1, &d, NULL, 2, in, g), TL_OK);
    cr_assert_eq(tl_hvp(loss, 2, in, v, hv), TL_OK);
    close_to(g[0], hv[0]);
    close_to(g[1], hv[1]);
    tl_tape_free(tape);
}

Test(forward, a_jacobian_by_rows_and_by_columns)
{
    tl_tape *tape = check_tape(1);
    tl_tensor a = f64(tape, tl_shape2(2, 3), 1), w = f64(tape, tl_shape2(3, 2), 2);
    tl_tensor y = tl_tanh(tl_matmul(a, w));
    tl_tensor rows = tl_jacobian(y, a, TL_BY_ROWS), columns = tl_jacobian(y, a, TL_BY_COLUMNS);
    cr_assert_eq(tl_rank(rows), 4, "%s", tl_tape_error(tape));
    close_to(rows, columns);
    double *j = check_values(rows), *value = check_values(y), *weight = check_values(w);
    for (int r = 0; r < 2; r++) /* dy[r,c] / da[p,q] = [r = p] (1 - y^2) w[q,c] */
        for (int c = 0; c < 2; c++)
            for (int p = 0; p < 2; p++)
                for (int q = 0; q < 3; q++) {
                    const double slope = 1 - value[2 * r + c] * value[2 * r + c];
                    const double want = r == p ? slope * weight[2 * q + c] : 0;
                    cr_assert_float_eq(j[((r * 2 + c) * 2 + p) * 3 + q], want, 1e-12);
                }
    free(j), free(value), free(weight);
    tl_tensor none = tl_jacobian(tl_zeros(tape, TL_F64, tl_shape1(0)), a, TL_BY_ROWS);
    cr_assert(tl_rank(none) == 3 && tl_dim(none, 0) == 0);
    tl_tape_free(tape);
}

/* f = sum a^3 b: d2f/da2 is diagonal, 6 a b. */
Test(forward, gradient_and_hessian_of_one_number)
{
    const double a[] = {1, -2, 0.5}, b[] = {3, 1, -1};
    tl_tape *tape = check_tape(1);
    const tl_tensor x = tl_input_f64(tape, tl_shape1(3), a),
                    y = tl_input_f64(tape, tl_shape1(3), b),
                    f = tl_sum_all(tl_mul(tl_mul(x, tl_square(x)), y));
    double first[3], second[9] = {0}, got[9];
    for (int k = 0; k < 3; k++) {
        first[k] = 3 * a[k] * a[k] * b[k];
        second[4 * k] = 6 * a[k] * b[k];
    }
    cr_assert_eq(tl_read_f64(tl_gradient(f, x), got, 3), TL_OK, "%s", tl_tape_error(tape));
    assert_allclose(3, got, first, 0, 1e-14);
    cr_assert_eq(tl_read_f64(tl_hessian(f, x), got, 9), TL_OK, "%s", tl_tape_error(tape));
    assert_allclose(9, got, second, 0, 1e-13);
    tl_tape_free(tape);
}

Test(forward, all_parameters_of_a_set)
{
    tl_tape *tape = check_tape(1);
    tl_params *set = tl_params_new(TL_F64);
    tl_tensor w[3], d[3];
    for (int k = 0; k < 3; k++)
        tl_param_new(set, (const char *[]){"a", "b", "c"}[k], tl_shape1(k + 1), NULL);
    tl_param_freeze(tl_params_at(set, 1), 1);
    cr_assert_eq(tl_use_all(tape, set, w), 2);
    cr_assert_eq(tl_shape_of(w[1]).dim[0], 3);
    const tl_tensor loss = tl_add(tl_sum_all(tl_exp(w[0])), tl_sum_all(tl_exp(w[1])));
    cr_assert_eq(tl_grad(1, &loss, NULL, 2, w, d), TL_OK);
    assert_tensor(d[1], 3, ((const double[]){1, 1, 1}), 0, 0);
    tl_tape_free(tape);
    tl_params_free(set);
}

Test(forward, under_no_grad_the_tangent_is_a_constant)
{
    tl_tape *tape = check_tape(1);
    tl_tensor a = f64(tape, tl_shape1(3), 1), v = f64(tape, tl_shape1(3), 2), y = tl_exp(a), d, g;
    tl_no_grad_open(tape);
    cr_assert_eq(tl_jvp(1, &a, &v, 1, &y, &d), TL_OK);
    tl_no_grad_close(tape);
    close_to(d, tl_mul(y, v));
    cr_assert_eq(tl_grad(1, &d, NULL, 1, &a, &g), TL_OK);
    close_to(g, tl_zeros(tape, TL_F64, tl_shape1(3)));
    tl_tape_free(tape);
}

/* After an error what is asked for is inert, so that calls around it stay clean. */
Test(forward, after_an_error_the_results_are_inert)
{
    tl_tape *tape = check_tape(1);
    tl_tensor a = f64(tape, tl_shape1(3), 1), y = tl_sum_all(tl_exp(a)), none = {0};
    tl_tensor d = a, hv = a, g = a;
    cr_assert_eq(tl_jvp(1, &a, &a, 1, &none, &d), TL_EINVAL);
    cr_assert_eq(tl_hvp(none, 1, &a, &a, &hv), TL_EINVAL);
    assert_ok(tape);
    cr_assert_eq(tl_vjp(1, &y, NULL, 1, &a, &g), TL_EINVAL);
    cr_assert(!d.tape && !hv.tape && !g.tape);
    hv = a;
    cr_assert_eq(tl_hvp(y, 1, &a, &a, &hv), TL_EINVAL);
    cr_assert_null(hv.tape);
    tl_tape_free(tape);
}
