/* test_meta_gradient.c -- the gradient through a training: five steps of Adam or SGD on the tape, by
 * the values it starts from and by the learning rate, against differences. In double precision. */
#include "tapeloop.h"
#include "tests/check.h"

#include <criterion/criterion.h>
#include <math.h>

enum { T = 4, B = 3, H = 3, STEPS = 5, W = 3, COUNT = H + H * H + H };

typedef enum rule { ADAM, ADAMW, MOMENTUM, RULES } rule;

/* inner -- what the training is of: h' = tanh(x u + h w + b), its last h near a target. */
static tl_tensor inner(tl_tape *tape, const tl_tensor *w, uint64_t seed)
{
    tl_tensor xs = check_random(tape, TL_F64, tl_shape3(T, B, 1), seed);
    tl_scan s = tl_scan_open(tape, T, NULL);
    tl_tensor h = tl_scan_carry(s, tl_zeros(tape, TL_F64, tl_shape2(B, H)));
    tl_tensor z = tl_add(tl_matmul(tl_scan_each(s, xs), w[0]), tl_matmul(h, w[1]));
    tl_scan_next(s, h, tl_tanh(tl_add(z, w[2])));
    tl_scan_close(s);
    return tl_mse(tl_scan_last(s, h), check_random(tape, TL_F64, tl_shape2(B, H), seed + 1));
}

/* step -- one step of every weight; slot[2][W] as the rule wants them. */
static void step(rule r, tl_tensor *w, const tl_tensor *g, tl_tensor slot[2][W], int t,
                 tl_tensor lr)
{
    tl_adam_opts adam = r == ADAMW ? tl_adamw_defaults() : tl_adam_defaults();
    tl_sgd_opts sgd = tl_sgd_defaults();
    sgd.momentum = 0.9;
    sgd.nesterov = 1;
    for (int i = 0; i < W; i++)
        if (r == MOMENTUM) {
            tl_sgd_values after = tl_sgd_update_lr(w[i], g[i], slot[0][i], t, lr, &sgd);
            w[i] = after.p, slot[0][i] = after.m;
        } else {
            tl_adam_values after =
                tl_adam_update_lr(w[i], g[i], slot[0][i], slot[1][i], t, lr, &adam);
            w[i] = after.p, slot[0][i] = after.m, slot[1][i] = after.v;
        }
}

/* outer -- the loss on other data after the training from start, with its gradients if asked
 * for. */
static double outer(rule r, const double *start, double rate, double *dstart, double *drate)
{
    tl_tape *tape = check_tape(1);
    const tl_shape shape[W] = {tl_shape2(1, H), tl_shape2(H, H), tl_shape1(H)};
    tl_tensor first[W + 1], w[W], g[W], slot[2][W], d[W + 1];
    for (int i = 0, at = 0; i < W; at += (int)tl_shape_count(shape[i]), i++) {
        w[i] = first[i] = tl_input_f64(tape, shape[i], start + at);
        slot[0][i] = slot[1][i] = tl_zeros(tape, TL_F64, shape[i]);
    }
    first[W] = tl_scalar(tape, TL_F64, rate);
    for (int t = 1; t <= STEPS; t++) {
        tl_tensor loss = inner(tape, w, 10);
        cr_assert_eq(tl_grad(1, &loss, NULL, W, w, g), TL_OK, "%s", tl_tape_error(tape));
        step(r, w, g, slot, t, first[W]);
    }
    tl_tensor loss = inner(tape, w, 20);
    const double value = tl_item(loss);
    if (dstart) {
        cr_assert_eq(tl_grad(1, &loss, NULL, W + 1, first, d), TL_OK, "%s", tl_tape_error(tape));
        for (int i = 0, at = 0; i < W; at += (int)tl_shape_count(shape[i]), i++)
            cr_assert_eq(tl_read_f64(d[i], dstart + at, tl_shape_count(shape[i])), TL_OK, "%s",
                         tl_tape_error(tape));
        *drate = tl_item(d[W]);
    }
    cr_assert_eq(tl_tape_status(tape), TL_OK, "%s", tl_tape_error(tape));
    tl_tape_free(tape);
    return value;
}

/* slope -- of outer along one number, by four points. */
static double slope(rule r, double *start, double *rate, double *moved)
{
    const double h = 1e-4, middle = *moved, place[4] = {-2, -1, 1, 2};
    double at[4];
    for (int i = 0; i < 4; i++) {
        *moved = middle + h * place[i];
        at[i] = outer(r, start, *rate, NULL, NULL);
    }
    *moved = middle;
    return (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * h);
}

static void check(rule r)
{
    double start[COUNT], d[COUNT], rate = 0.05, drate, most = 0;
    for (int i = 0; i < COUNT; i++)
        start[i] = 0.6 * sin(1 + 1.7 * i);
    outer(r, start, rate, d, &drate);
    for (int i = 0; i < COUNT; i++)
        most = fmax(most, fabs(d[i]));
    cr_assert(most > 1e-2 && fabs(drate) > 1e-2, "%g %g", most, drate);
    for (int i = 0; i < COUNT; i++) {
        const double want = slope(r, start, &rate, &start[i]);
        cr_expect(fabs(d[i] - want) <= 1e-7 * most, "rule %d, weight %d: %.12g, differences %.12g",
                  r, i, d[i], want);
    }
    const double want = slope(r, start, &rate, &rate);
    cr_expect(fabs(drate - want) <= 1e-7 * fabs(want),
              "rule %d, learning rate: %.12g, differences %.12g", r, drate, want);
}

Test(meta_gradient, five_steps_of_adam)
{
    check(ADAM);
}

Test(meta_gradient, five_steps_of_adam_with_decoupled_decay)
{
    check(ADAMW);
}

Test(meta_gradient, five_steps_of_momentum)
{
    check(MOMENTUM);
}

/* A weight that no loss depends on: g = 0, v = 0, and the slope of sqrt there is infinite. */
Test(meta_gradient, a_weight_without_gradient_is_no_nan)
{
    tl_tape *tape = check_tape(1);
    tl_tensor p = tl_ones(tape, TL_F64, tl_shape1(2)), lr = tl_scalar(tape, TL_F64, 0.1), d[2];
    const double half[2] = {1, 0};
    tl_tensor keep = tl_input_f64(tape, tl_shape1(2), half), q = p;
    tl_tensor m = tl_zeros(tape, TL_F64, tl_shape1(2)), v = m;
    for (int t = 1; t <= 2; t++) {
        tl_tensor loss = tl_sum_all(tl_mul(tl_mul(q, q), keep)), g;
        cr_assert_eq(tl_grad(1, &loss, NULL, 1, &q, &g), TL_OK);
        tl_adam_values after = tl_adam_update_lr(q, g, m, v, t, lr, NULL);
        q = after.p, m = after.m, v = after.v;
    }
    tl_tensor sum = tl_sum_all(tl_mul(q, q)), in[2] = {p, lr};
    cr_assert_eq(tl_grad(1, &sum, NULL, 2, in, d), TL_OK);
    double got[2];
    cr_assert_eq(tl_read_f64(d[0], got, 2), TL_OK, "%s", tl_tape_error(tape));
    cr_assert(isfinite(got[0]) && isfinite(tl_item(d[1])));
    cr_assert_float_eq(got[1], 2.0, 1e-12, "%g", got[1]);
    tl_tape_free(tape);
}

/* The function and the optimizer are one formula: the same numbers. */
Test(meta_gradient, a_rate_on_the_tape_is_the_rate_of_the_options)
{
    tl_tape *tape = check_tape(1);
    tl_tensor p = check_random(tape, TL_F64, tl_shape1(5), 1);
    tl_tensor g = check_random(tape, TL_F64, tl_shape1(5), 2);
    tl_tensor m = check_random(tape, TL_F64, tl_shape1(5), 3), v = tl_mul(m, m);
    tl_adam_opts opts = tl_adamw_defaults();
    opts.lr = 0.03;
    tl_tensor a = tl_adam_update(p, g, m, v, 3, &opts).p;
    tl_tensor b = tl_adam_update_lr(p, g, m, v, 3, tl_scalar(tape, TL_F64, 0.03), &opts).p;
    char message[CHECK_MESSAGE];
    cr_assert(check_same(a, b, 1e-14, 1e-14, message), "%s", message);
    tl_tape_free(tape);
}
