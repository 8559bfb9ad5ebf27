/* test_anomaly.c -- anomaly mode: one NaN planted in each kind of place, and what the message says
 * of it; what is no anomaly; that results are the same with it. */
#include "core/anomaly.h"
#include "core/grad.h"
#include "core/program.h"
#include "core/scan.h"
#include "core/space.h"
#include "ops/ops.h"
#include "tests/check.h"

#include <stdlib.h>

enum { T = 20, B = 3, H = 4 };

static tl_tape *watched(void)
{
    tl_tape *tape = check_tape(1);
    tl_anomaly(tape, 1);
    return tape;
}

static tl_tensor numbers(tl_tape *tape, int64_t a, int64_t b, int64_t bad, double value)
{
    double x[64];
    for (int k = 0; k < a * b; k++)
        x[k] = k == bad ? value : 0.1 * (k + 1);
    return tl_input_f64(tape, tl_shape2(a, b), x);
}

Test(anomaly, is_off_at_first_and_reports_nothing_then)
{
    tl_tape *tape = check_tape(1);
    cr_assert(!tl_is_anomaly(tape));
    cr_assert(isinf(tl_item(tl_sum_all(tl_log(tl_zeros(tape, TL_F64, tl_shape1(2)))))));
    assert_ok(tape);
    tl_anomaly(tape, 1);
    cr_assert(tl_is_anomaly(tape));
    tl_anomaly(tape, 0);
    tl_item(tl_sum_all(tl_log(tl_zeros(tape, TL_F64, tl_shape1(3)))));
    assert_ok(tape);
    tl_tape_free(tape);
}

Test(anomaly, nan_in_an_input)
{
    tl_tape *tape = watched();
    tl_tensor x = tl_name(numbers(tape, B, H, 1 + 2 * H, CHECK_NAN), "x"),
              w = tl_name(numbers(tape, H, H, -1, 0), "W");
    tl_scope_open(tape, "layer");
    tl_tensor y = tl_name(tl_matmul(x, w), "y");
    tl_scope_close(tape);
    cr_assert_eq(tl_eval(1, &y), TL_ENAN);
    cr_assert_str_eq(tl_tape_error(tape),
                     "layer: contract: NaN, forward, of input x f64 [3,4], which holds it already: "
                     "element [2,1], 1 of 12 not finite; result y f64 [3,4], 4 of 12 not finite, "
                     "the first [2,0]; of x f64 [3,4] from 0.1 to 1.2 and 1 not finite, W f64 "
                     "[4,4] from 0.1 to 1.6");
    tl_tape_free(tape);
}

/* weight -- a weight with NaN, in a scan, read at t=0. */
static void weight(tl_tape *tape)
{
    double v[H * H];
    for (int k = 0; k < H * H; k++)
        v[k] = k == 13 ? CHECK_NAN : 0.01 * k;
    tl_params *params = tl_params_new(TL_F64);
    tl_param *w = tl_param_new(params, "weight_hh_l0", tl_shape2(H, H), NULL);
    cr_assert_eq(tl_param_set_f64(w, v, H * H), TL_OK);
    tl_scan_opts o = tl_scan_defaults();
    o.name = "rnn";
    tl_scan s = tl_scan_open(tape, T, &o);
    tl_tensor h = tl_scan_carry(s, tl_zeros(tape, TL_F64, tl_shape2(B, H)));
    tl_scan_next(
        s, h, tl_tanh(tl_matmul(tl_add(h, tl_ones(tape, TL_F64, tl_shape1(H))), tl_use(tape, w))));
    tl_scan_close(s);
    tl_tensor last = tl_scan_last(s, h);
    cr_assert_eq(tl_eval(1, &last), TL_ENAN);
    assert_fails(tape, TL_ENAN,
                 "rnn: contract: NaN at t=0, forward, of parameter weight_hh_l0 f64 "
                 "[4,4] (recorded in rnn), which holds it already: element [3,1], 1 of 16");
    tl_params_free(params);
}

Test(anomaly, nan_in_a_weight)
{
    tl_tape *tape = watched();
    weight(tape);
    tl_tape_free(tape);
}

Test(anomaly, nan_in_a_weight_through_the_environment)
{
    setenv("TL_ANOMALY", "1", 1);
    tl_tape *tape = check_tape(1);
    unsetenv("TL_ANOMALY");
    weight(tape);
    tl_tape_free(tape);
}

/* logs -- the sum over t of log xs[t], xs zero at t=17 in element [1]. */
static tl_tensor logs(tl_tape *tape)
{
    double x[T * B];
    for (int k = 0; k < T * B; k++)
        x[k] = k == 17 * B + 1 ? 0 : 1 + k;
    tl_tensor xs = tl_name(tl_input_f64(tape, tl_shape2(T, B), x), "xs");
    tl_scan_opts o = tl_scan_defaults();
    o.name = "walk";
    tl_scan s = tl_scan_open(tape, T, &o);
    tl_tensor h = tl_scan_carry(s, tl_zeros(tape, TL_F64, tl_shape1(B)));
    tl_scan_next(s, h, tl_add(h, tl_name(tl_log(tl_scan_each(s, xs)), "l")));
    tl_scan_close(s);
    return tl_scan_last(s, h);
}

Test(anomaly, log_of_zero_in_one_step)
{
    tl_tape *tape = watched();
    tl_tensor y = logs(tape);
    cr_assert_eq(tl_eval(1, &y), TL_ENAN);
    cr_assert_str_eq(tl_tape_error(tape),
                     "walk: log: infinity at t=17, forward: result l f64 [3], 1 of 3 not finite, "
                     "the first [1]; of xs f64 [3] from 0 to 54");
    cr_assert_eq(tl_tape_reset(tape), TL_OK);
    tl_tensor z = logs(tape); /* the plan is found again */
    cr_assert_eq(tl_eval(1, &z), TL_ENAN);
    assert_fails(tape, TL_ENAN, "at t=17, forward");
    tl_tape_free(tape);
}

Test(anomaly, log_of_zero_in_a_nested_scan)
{
    tl_tape *tape = watched();
    tl_scan outer = tl_scan_open(tape, 3, NULL);
    tl_tensor a = tl_scan_carry(outer, tl_scalar(tape, TL_F64, 2));
    tl_scan inner = tl_scan_open(tape, 2, NULL);
    tl_tensor b = tl_scan_carry(inner, a);
    tl_scan_next(inner, b, tl_sub(b, tl_exp(tl_mul(tl_log(b), tl_scalar(tape, TL_F64, 0)))));
    tl_scan_close(inner);
    tl_scan_next(outer, a, tl_scan_last(inner, b)); /* 2 1 | 0: the log of it fails */
    tl_scan_close(outer);
    tl_tensor y = tl_scan_last(outer, a);
    cr_assert_eq(tl_eval(1, &y), TL_ENAN);
    assert_fails(tape, TL_ENAN, "log: infinity at t=1, 0, forward");
    tl_tape_free(tape);
}

/* steep -- the sum over t of sqrt xs[t], of which only the slope is infinite, at t=5. */
static tl_tensor steep(tl_tape *tape, tl_tensor *xs)
{
    double x[T];
    for (int k = 0; k < T; k++)
        x[k] = k == 5 ? 0 : 1 + 0.1 * k;
    *xs = tl_name(tl_input_f64(tape, tl_shape1(T), x), "xs");
    tl_scan_opts o = tl_scan_defaults();
    o.name = "roots";
    tl_scan s = tl_scan_open(tape, T, &o);
    tl_tensor h = tl_scan_carry(s, tl_scalar(tape, TL_F64, 0));
    tl_scan_next(s, h, tl_add(h, tl_name(tl_sqrt(tl_scan_each(s, *xs)), "root")));
    tl_scan_close(s);
    return tl_scan_last(s, h);
}

Test(anomaly, infinity_in_the_adjoint)
{
    tl_tape *tape = watched();
    tl_tensor xs, y = steep(tape, &xs), g;
    cr_assert_eq(tl_eval(1, &y), TL_OK, "%s", tl_tape_error(tape));
    cr_assert_eq(tl_grad(1, &y, NULL, 1, &xs, &g), TL_OK);
    cr_assert_eq(tl_eval(1, &g), TL_ENAN);
    assert_fails(tape, TL_ENAN, "infinity at t=5, adjoint of sqrt root in roots: result");
    tl_tape_free(tape);
}

/* h' = 1e30 h from 1e-300 on: 1e300 after 20 steps, but the slope is 1e30 to the power 20. */
Test(anomaly, overflow_in_the_adjoint_and_nothing_is_committed)
{
    tl_tape *tape = watched();
    const double before = 1e-300;
    double after = 0;
    tl_params *params = tl_params_new(TL_F64);
    tl_param *p = tl_param_new(params, "h0", tl_shape1(1), NULL),
             *q = tl_param_new(params, "other", tl_shape1(1), NULL);
    cr_assert_eq(tl_param_set_f64(p, &before, 1), TL_OK);
    cr_assert_eq(tl_param_set_f64(q, &before, 1), TL_OK);
    tl_scan_opts o = tl_scan_defaults();
    o.name = "grow";
    tl_scan s = tl_scan_open(tape, T, &o);
    tl_tensor h = tl_scan_carry(s, tl_use(tape, p));
    tl_scan_next(s, h, tl_name(tl_mul(h, tl_scalar(tape, TL_F64, 1e30)), "h'"));
    tl_scan_close(s);
    tl_tensor y = tl_sum_all(tl_scan_last(s, h));
    cr_assert_eq(tl_backward(y), TL_OK);
    tl_assign(q, tl_ones(tape, TL_F64, tl_shape1(1)));
    tl_assign(p, tl_sub(tl_use(tape, p), tl_param_grad(tape, p)));
    cr_assert_eq(tl_commit(tape), TL_ENAN, "%s", tl_tape_error(tape));
    assert_fails(tape, TL_ENAN, "mul: infinity at t=9, adjoint of mul h' in grow: result");
    cr_assert_eq(tl_param_get_f64(p, &after, 1), TL_OK);
    cr_assert_eq(after, before);
    cr_assert_eq(tl_param_get_f64(q, &after, 1), TL_OK);
    cr_assert_eq(after, before);
    tl_tape_free(tape);
    tl_params_free(params);
}

Test(anomaly, second_order_says_so)
{
    tl_tape *tape = watched();
    const double zero = 0;
    tl_tensor x = tl_name(tl_input_f64(tape, tl_shape0(), &zero), "x"), g, gg,
              y = tl_name(tl_pow_scalar(x, 1.5), "y"); /* 1.5 sqrt x, then 0.75 / sqrt x */
    cr_assert_eq(tl_grad(1, &y, NULL, 1, &x, &g), TL_OK);
    cr_assert_eq(tl_eval(1, &g), TL_OK, "%s", tl_tape_error(tape));
    cr_assert_eq(tl_grad(1, &g, NULL, 1, &x, &gg), TL_OK);
    cr_assert_eq(tl_eval(1, &gg), TL_ENAN);
    assert_fails(tape, TL_ENAN, "adjoint of order 2, of ");
    tl_tape_free(tape);
}

Test(anomaly, padding_may_hold_nan)
{
    tl_tape *tape = watched();
    double x[T * B * H];
    for (int t = 0; t < T; t++)
        for (int b = 0; b < B; b++)
            for (int k = 0; k < H; k++)
                x[(t * B + b) * H + k] = t >= 5 + b ? CHECK_NAN : 0.1 * k;
    const int32_t length[B] = {5, 6, 7};
    tl_tensor xs = tl_input_f64(tape, tl_shape3(T, B, H), x), w = numbers(tape, H, H, -1, 0), g;
    tl_scan_opts o = tl_scan_defaults();
    o.lengths = tl_input_i32(tape, tl_shape1(B), length);
    tl_scan s = tl_scan_open(tape, T, &o);
    tl_tensor h = tl_scan_carry(s, tl_zeros(tape, TL_F64, tl_shape2(B, H)));
    tl_scan_next(s, h, tl_tanh(tl_matmul(tl_add(h, tl_scan_each(s, xs)), w)));
    tl_scan_close(s);
    tl_tensor y = tl_sum_all(tl_scan_last(s, h));
    cr_assert_eq(tl_grad(1, &y, NULL, 1, &w, &g), TL_OK);
    const tl_tensor both[] = {y, g};
    cr_assert_eq(tl_eval(2, both), TL_OK, "%s", tl_tape_error(tape));
    cr_assert(isfinite(tl_item(y)));
    tl_tape_free(tape);
}

Test(anomaly, constant_infinity_is_none)
{
    tl_tape *tape = watched();
    const int32_t seen[] = {1, 0, 1, 1};
    tl_tensor mask = tl_input_i32(tape, tl_shape1(4), seen), x = numbers(tape, B, 4, -1, 0), g,
              never = tl_full(tape, TL_F64, tl_shape1(4), -CHECK_INF);
    tl_tensor y = tl_softmax(tl_where(tl_cast(mask, TL_F64), x, never), -1),
              z = tl_sum_all(tl_square(y));
    cr_assert_eq(tl_grad(1, &z, NULL, 1, &x, &g), TL_OK);
    const tl_tensor both[] = {y, g};
    cr_assert_eq(tl_eval(2, both), TL_OK, "%s", tl_tape_error(tape));
    tl_tensor bad = tl_sub(never, never); /* NaN of infinities is one */
    cr_assert_eq(tl_eval(1, &bad), TL_ENAN);
    assert_fails(tape, TL_ENAN, "sub: NaN, forward");
    tl_tape_free(tape);
}

Test(anomaly, results_are_the_same)
{
    tl_tensor xs, y[2], g[2];
    double value[2], slope[2][T * B];
    for (int on = 0; on < 2; on++) {
        tl_tape *tape = check_tape(1);
        tl_anomaly(tape, on);
        xs = check_random(tape, TL_F64, tl_shape3(T, 1, B), 3);
        tl_tensor w = check_random(tape, TL_F64, tl_shape2(B, B), 4);
        tl_scan s = tl_scan_open(tape, T, NULL);
        tl_tensor h = tl_scan_carry(s, tl_zeros(tape, TL_F64, tl_shape2(1, B)));
        tl_scan_next(s, h, tl_tanh(tl_add(tl_matmul(h, w), tl_scan_each(s, xs))));
        tl_scan_close(s);
        y[on] = tl_sum_all(tl_scan_stacked(s, h));
        cr_assert_eq(tl_grad(1, &y[on], NULL, 1, &xs, &g[on]), TL_OK);
        value[on] = tl_item(y[on]);
        cr_assert_eq(tl_read_f64(g[on], slope[on], T * B), TL_OK, "%s", tl_tape_error(tape));
        tl_tape_free(tape);
    }
    assert_allclose(1, &value[0], &value[1], 1e-13, 0);
    assert_allclose(T * B, slope[0], slope[1], 1e-12, 1e-14);
}

Test(anomaly, programs_refuse_it)
{
    tl_tape *tape = watched();
    tl_tensor x = numbers(tape, B, H, -1, 0);
    tl_program *p = tl_program_new(tape, NULL);
    tl_program_input(p, "x", x);
    tl_program_output(p, "y", tl_tanh(x));
    tl_err err;
    cr_assert_eq(tl_program_close(p, &err), TL_EUNSUPPORTED);
    cr_assert_str_eq(err.message, "tl_program_close: the tape is in anomaly mode, which programs "
                                  "do not have; switch it off (tl_anomaly, TL_ANOMALY)");
    tl_program_free(p);
    tl_tape_free(tape);
}
