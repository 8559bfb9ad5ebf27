/* test_nomem.c -- the n-th allocation fails, for n = 1, 2, 3, ... until a whole training step goes
 * through: recording, gradient, planning, running and commit. Every failure is TL_ENOMEM, no
 * parameter has changed, and after a reset the same step succeeds. Leaks are for the sanitizer run
 * to find. */
#include "core/memory.h"
#include "tapeloop.h"

#include <criterion/criterion.h>
#include <string.h>

enum { T = 3, B = 2, H = 4 };

/* step_once -- an RNN over T steps by scan, squared loss, gradient descent on w. */
static int step_once(tl_tape *tape, tl_param *w, const float *x)
{
    tl_scope_open(tape, "rnn");
    tl_tensor xs = tl_input_f32(tape, tl_shape3(T, B, H), x);
    tl_scan s = tl_scan_open(tape, T, NULL);
    tl_tensor h = tl_scan_carry(s, tl_zeros(tape, TL_F32, tl_shape2(B, H)));
    tl_tensor h1 =
        tl_tanh(tl_linear(tl_add(tl_scan_each(s, xs), h), tl_use(tape, w), (tl_tensor){0}));
    tl_scan_next(s, h, h1);
    tl_scan_close(s);
    tl_tensor hs = tl_scan_stacked(s, h1);
    tl_tensor loss = tl_sum_all(tl_mul(hs, hs));
    tl_scope_close(tape);
    tl_backward(loss);
    tl_tensor g = tl_param_grad(tape, w);
    tl_no_grad_open(tape);
    tl_assign(w, tl_sub(tl_use(tape, w), tl_scale(g, 0.1)));
    tl_no_grad_close(tape);
    tl_set_param_grad(tape, w, (tl_tensor){0});
    return tl_commit(tape);
}

/* fresh -- a set with one parameter of known values. */
static tl_param *fresh(tl_params *set, float *values)
{
    tl_param *w = tl_param_new(set, "w", tl_shape2(H, H), NULL);
    for (int i = 0; i < H * H; i++)
        values[i] = 0.05f * (float)(i % 7 - 3);
    tl_param_set_f32(w, values, H * H);
    return w;
}

Test(nomem, every_allocation_of_a_training_step_may_fail)
{
    float x[T * B * H], before[H * H], after[H * H], want[H * H];
    for (int i = 0; i < T * B * H; i++)
        x[i] = 0.1f * (float)(i % 11 - 5);
    tl_params *set = tl_params_new(TL_F32);
    tl_param *w = fresh(set, before);
    tl_tape *tape = tl_tape_new(NULL);
    cr_assert_eq(step_once(tape, w, x), TL_OK, "%s", tl_tape_error(tape));
    tl_param_get_f32(w, want, H * H);
    tl_tape_free(tape);

    int failures = 0;
    for (long n = 1; n < 100000; n++) {
        tl_param_set_f32(w, before, H * H);
        tl__fail_after(n);
        tape = tl_tape_new(NULL);
        int code = tape ? step_once(tape, w, x) : TL_ENOMEM;
        tl__fail_after(0);
        tl_param_get_f32(w, after, H * H);
        if (code == TL_OK) {
            cr_assert_eq(memcmp(after, want, sizeof want), 0);
            tl_tape_free(tape);
            break;
        }
        failures++;
        cr_assert_eq(code, TL_ENOMEM, "allocation %ld: got %d (%s)", n, code, tl_tape_error(tape));
        cr_assert_eq(memcmp(after, before, sizeof before), 0,
                     "allocation %ld changed the parameter", n);
        if (tape) {
            cr_assert_eq(tl_tape_reset(tape), TL_OK);
            cr_assert_eq(step_once(tape, w, x), TL_OK, "after allocation %ld: %s", n,
                         tl_tape_error(tape));
            tl_param_get_f32(w, after, H * H);
            cr_assert_eq(memcmp(after, want, sizeof want), 0, "after allocation %ld", n);
        }
        tl_tape_free(tape);
    }
    cr_assert(failures > 20, "only %d allocations failed", failures);
    tl_params_free(set);
}

Test(nomem, a_tape_that_is_warm_survives_a_failure_in_any_later_step)
{
    float x[T * B * H], start[H * H], before[H * H], after[H * H];
    for (int i = 0; i < T * B * H; i++)
        x[i] = 0.1f * (float)(i % 11 - 5);
    tl_params *set = tl_params_new(TL_F32);
    tl_param *w = fresh(set, start);
    tl_tape *tape = tl_tape_new(NULL);
    for (long n = 1; n < 200; n++) {
        tl_param_get_f32(w, before, H * H);
        tl__fail_after(n);
        int code = step_once(tape, w, x);
        tl__fail_after(0);
        if (code) {
            cr_assert_eq(code, TL_ENOMEM);
            tl_param_get_f32(w, after, H * H);
            cr_assert_eq(memcmp(after, before, sizeof before), 0);
        }
        cr_assert_eq(tl_tape_reset(tape), TL_OK);
    }
    cr_assert_eq(step_once(tape, w, x), TL_OK);
    tl_tape_free(tape);
    tl_params_free(set);
}

/* directions -- a tangent through a loop in a loop, a product with the Hessian and a Jacobian; their
 * sum to *out. */
static int directions(tl_tape *tape, const double *x, double *out)
{
    tl_tensor w = tl_input_f64(tape, tl_shape2(2, 2), x),
              v = tl_input_f64(tape, tl_shape2(2, 2), x + 4);
    tl_tensor xs = tl_input_f64(tape, tl_shape3(2, 1, 2), x + 8), d, hv;
    tl_scan s = tl_scan_open(tape, 2, NULL);
    tl_tensor h = tl_scan_carry(s, tl_zeros(tape, TL_F64, tl_shape2(1, 2)));
    tl_tensor e = tl_scan_each(s, xs);
    tl_scan inner = tl_scan_open(tape, 3, NULL);
    tl_tensor k = tl_scan_carry(inner, h);
    tl_scan_next(inner, k, tl_tanh(tl_add(tl_matmul(k, w), e)));
    tl_scan_close(inner);
    tl_scan_next(s, h, tl_scan_last(inner, k));
    tl_scan_close(s);
    tl_tensor y = tl_scan_last(s, h), loss = tl_sum_all(tl_mul(y, y));
    tl_jvp(1, &w, &v, 1, &y, &d);
    tl_hvp(loss, 1, &w, &v, &hv);
    tl_tensor j = tl_jacobian(y, w, TL_BY_COLUMNS);
    *out = tl_item(tl_add(tl_add(tl_sum_all(d), tl_sum_all(hv)), tl_sum_all(j)));
    return tl_tape_status(tape);
}

Test(nomem, every_allocation_of_forward_mode_may_fail, .timeout = 300)
{
    const double x[12] = {.5, -.3, .2, .7, 1, -2, .5, .3, .1, .4, -.6, .9};
    double want, got;
    tl_tape *tape = tl_tape_new(NULL);
    cr_assert_eq(directions(tape, x, &want), TL_OK, "%s", tl_tape_error(tape));
    tl_tape_free(tape);
    int failures = 0, code = TL_ENOMEM;
    for (long n = 1; n < 100000 && code; n++, failures += code != TL_OK) {
        tl__fail_after(n);
        tape = tl_tape_new(NULL);
        code = tape ? directions(tape, x, &got) : TL_ENOMEM;
        tl__fail_after(0);
        cr_assert(code == TL_ENOMEM || code == TL_OK, "allocation %ld: got %d (%s)", n, code,
                  tl_tape_error(tape));
        if (tape && code) {
            cr_assert_eq(tl_tape_reset(tape), TL_OK);
            cr_assert_eq(directions(tape, x, &got), TL_OK, "after allocation %ld: %s", n,
                         tl_tape_error(tape));
        }
        if (tape)
            cr_assert_eq(memcmp(&got, &want, sizeof want), 0, "after allocation %ld", n);
        tl_tape_free(tape);
    }
    cr_assert(failures > 50, "only %d allocations failed", failures);
}
