/* test_sgd.c -- SGD against plain C, and what all optimizers share: states, frozen parameters,
 * failed steps. */
#include "tests/optimtest.h"

static optimtest o;

static void open(void)
{
    optimtest_open(&o);
}

static void done(void)
{
    optimtest_close(&o);
}

TestSuite(sgd, .init = open, .fini = done);

/* torch.optim.SGD, element by element. */
static void reference(tl_sgd_opts s, int steps)
{
    double g[BOTH], m[BOTH] = {0};
    for (int t = 1; t <= steps; t++) {
        optimtest_gradient(&o, g);
        for (int i = 0; i < BOTH; i++) {
            g[i] += s.weight_decay * o.p[i];
            m[i] = t == 1 ? g[i] : s.momentum * m[i] + (1 - s.dampening) * g[i];
            double d = s.momentum == 0 ? g[i] : s.nesterov ? g[i] + s.momentum * m[i] : m[i];
            o.p[i] -= s.lr * d;
        }
    }
}

static void equals_reference(tl_sgd_opts s)
{
    tl_err err = {0};
    tl_optim *sgd = tl_sgd_new(o.params, &s, &err);
    cr_assert_not_null(sgd, "%s", err.message);
    for (int t = 0; t < 4; t++) {
        cr_assert_eq(tl_backward(optimtest_loss(&o)), TL_OK);
        cr_assert_eq(tl_optim_step(sgd, o.tape), TL_OK, "%s", tl_tape_error(o.tape));
        cr_assert_eq(tl_tape_reset(o.tape), TL_OK);
    }
    reference(s, 4);
    optimtest_same(__LINE__, &o);
    cr_assert_eq(tl_optim_steps(sgd), 4);
    tl_optim_free(sgd);
}

Test(sgd, plain)
{
    equals_reference(tl_sgd_defaults());
}

Test(sgd, weight_decay)
{
    tl_sgd_opts s = tl_sgd_defaults();
    s.weight_decay = 0.3;
    equals_reference(s);
}

Test(sgd, momentum_dampening_and_decay)
{
    tl_sgd_opts s = tl_sgd_defaults();
    s.momentum = 0.9;
    s.dampening = 0.4;
    s.weight_decay = 0.1;
    equals_reference(s);
}

Test(sgd, nesterov)
{
    tl_sgd_opts s = tl_sgd_defaults();
    s.momentum = 0.8;
    s.nesterov = 1;
    equals_reference(s);
}

Test(sgd, update_returns_new_values_and_assigns_nothing)
{
    const double p0[2] = {1, -2}, g0[2] = {0.5, 1}, m0[2] = {2, 4};
    tl_sgd_opts s = tl_sgd_defaults();
    s.lr = 0.5;
    s.momentum = 0.25;
    tl_tensor p = tl_input_f64(o.tape, tl_shape1(2), p0),
              g = tl_input_f64(o.tape, tl_shape1(2), g0);
    tl_tensor m = tl_input_f64(o.tape, tl_shape1(2), m0);
    tl_sgd_values v = tl_sgd_update(p, g, m, 2, &s);
    double got[4];
    cr_assert_eq(tl_read_f64(v.m, got, 2), TL_OK);
    cr_assert_eq(tl_read_f64(v.p, got + 2, 2), TL_OK);
    const double want[4] = {1, 2, 0.5, -3};
    cr_assert_eq(memcmp(got, want, sizeof got), 0);
    cr_assert_eq(tl_tape_reset(o.tape), TL_OK, "nothing is queued");
}

/* A learning rate of one element, of whatever rank, and one for each element of p. */
Test(sgd, a_step_has_the_shape_of_the_parameter)
{
    const double p0[2] = {1, -2}, g0[2] = {0.5, 1}, lr0[2] = {0.5, 0.25};
    const tl_tensor p = tl_input_f64(o.tape, tl_shape1(2), p0), none = {0},
                    g = tl_input_f64(o.tape, tl_shape1(2), g0);
    for (int rank = 0; rank < 3; rank++) {
        const tl_shape one = {rank, {1, 1}};
        tl_tensor lr = tl_input_f64(o.tape, one, lr0);
        double got[2];
        cr_assert_eq(tl_read_f64(tl_sgd_update_lr(p, g, none, 1, lr, NULL).p, got, 2), TL_OK);
        cr_assert(got[0] == 0.75 && got[1] == -2.5);
        tl_tensor m = tl_zeros(o.tape, TL_F64, tl_shape1(2));
        tl_tensor after = tl_adam_update_lr(p, g, m, m, 1, lr, NULL).p;
        cr_assert(tl_shape_equal(tl_shape_of(after), tl_shape_of(p)));
    }
    double got[2];
    const tl_tensor each = tl_input_f64(o.tape, tl_shape1(2), lr0);
    cr_assert_eq(tl_read_f64(tl_sgd_update_lr(p, g, none, 1, each, NULL).p, got, 2), TL_OK);
    cr_assert(got[0] == 0.75 && got[1] == -2.25);
}

Test(sgd, wrong_options_are_refused)
{
    tl_err err = {0};
    tl_sgd_opts s = tl_sgd_defaults();
    s.nesterov = 1;
    cr_assert_null(tl_sgd_new(o.params, &s, &err));
    cr_assert(strstr(err.message, "nesterov"), "%s", err.message);
    cr_assert_null(tl_sgd_new(NULL, NULL, &err));
    cr_assert_eq(err.code, TL_EINVAL);
    cr_assert_null(tl_optim_new(o.params, NULL, 1, NULL, 0, &err));
    tl_optim_free(NULL);
}

/* ---- what all optimizers share --------------------------------------------------------------- */

static double value_of(const tl_param *p, int i)
{
    double v[C];
    tl_param_get_f64(p, v, tl_shape_count(tl_param_shape(p)));
    return v[i];
}

Test(sgd, frozen_and_unused_parameters_are_left_alone)
{
    tl_sgd_opts s = tl_sgd_defaults();
    s.momentum = 0.9;
    s.weight_decay = 0.5;
    tl_optim *sgd = tl_sgd_new(o.params, &s, NULL);
    tl_param_freeze(o.a, 1);
    tl_backward(optimtest_loss(&o));
    cr_assert_eq(tl_optim_step(sgd, o.tape), TL_OK);
    cr_assert_eq(value_of(o.a, 0), -1);
    cr_assert_neq(value_of(o.c, 0), o.p[A]);
    tl_tape_reset(o.tape);

    tl_param_freeze(o.a, 0);
    double before = value_of(o.c, 0);
    tl_backward(optimtest_loss_of(o.tape, o.a));
    cr_assert_eq(tl_optim_step(sgd, o.tape), TL_OK);
    cr_assert_neq(value_of(o.a, 0), -1);
    cr_assert_eq(value_of(o.c, 0), before, "no gradient, no decay, no momentum");
    tl_params *state = tl_optim_state(sgd);
    cr_assert_eq(value_of(tl_params_find(state, "a.step"), 0), 1);
    cr_assert_eq(value_of(tl_params_find(state, "layer.c.step"), 0), 1);
    tl_optim_free(sgd);
}

Test(sgd, gradients_of_several_losses_add_and_are_consumed)
{
    tl_optim *sgd = tl_sgd_new(o.params, NULL, NULL);
    tl_backward(optimtest_loss(&o));
    tl_backward(optimtest_loss(&o));
    cr_assert_eq(tl_optim_step(sgd, o.tape), TL_OK);
    double g[BOTH];
    optimtest_gradient(&o, g);
    for (int i = 0; i < BOTH; i++)
        o.p[i] -= 0.01 * 2 * g[i];
    optimtest_same(__LINE__, &o);
    cr_assert_eq(tl_optim_step(sgd, o.tape), TL_ENOGRAD);
    optimtest_same(__LINE__, &o);
    cr_assert_eq(tl_param_grad_f64(o.a, g, A), TL_ESTATE);
    tl_optim_free(sgd);
}

Test(sgd, a_gradient_stored_by_an_earlier_commit_is_used)
{
    tl_optim *sgd = tl_sgd_new(o.params, NULL, NULL);
    double g[BOTH];
    tl_backward(optimtest_loss(&o));
    cr_assert_eq(tl_commit(o.tape), TL_OK);
    tl_tape_reset(o.tape);
    cr_assert_eq(tl_param_grad_f64(o.a, g, A), TL_OK);
    tl_backward(optimtest_loss(&o));
    cr_assert_eq(tl_optim_step(sgd, o.tape), TL_OK);
    optimtest_gradient(&o, g);
    for (int i = 0; i < BOTH; i++)
        o.p[i] -= 0.01 * 2 * g[i];
    optimtest_same(__LINE__, &o);
    tl_optim_free(sgd);
}

Test(sgd, the_learning_rate_changes_between_steps)
{
    tl_optim *sgd = tl_sgd_new(o.params, NULL, NULL);
    double g[BOTH];
    for (int t = 0; t < 3; t++) {
        tl_optim_set_lr(sgd, 0.1 / (t + 1));
        cr_assert_eq(tl_optim_lr(sgd), 0.1 / (t + 1));
        tl_backward(optimtest_loss(&o));
        cr_assert_eq(tl_optim_step(sgd, o.tape), TL_OK);
        tl_tape_reset(o.tape);
        optimtest_gradient(&o, g);
        for (int i = 0; i < BOTH; i++)
            o.p[i] -= 0.1 / (t + 1) * g[i];
    }
    optimtest_same(__LINE__, &o);
    tl_optim_free(sgd);
}

Test(sgd, a_step_after_an_error_does_nothing)
{
    tl_sgd_opts s = tl_sgd_defaults();
    s.momentum = 0.5;
    tl_optim *sgd = tl_sgd_new(o.params, &s, NULL);
    tl_backward(optimtest_loss(&o));
    tl_add(tl_zeros(o.tape, TL_F64, tl_shape1(2)), tl_zeros(o.tape, TL_F64, tl_shape1(3)));
    cr_assert_eq(tl_optim_step(sgd, o.tape), TL_ESHAPE);
    optimtest_same(__LINE__, &o);
    cr_assert_eq(tl_optim_steps(sgd), 0);
    cr_assert_eq(tl_tape_reset(o.tape), TL_OK);
    cr_assert_eq(tl_optim_step(NULL, o.tape), TL_EINVAL);

    /* and one that fails when it runs */
    const int32_t outside = 7;
    tl_tensor loss =
        tl_sum_all(tl_gather(tl_use(o.tape, o.a), tl_input_i32(o.tape, tl_shape1(1), &outside)));
    tl_backward(tl_add(loss, optimtest_loss(&o)));
    cr_assert_eq(tl_optim_step(sgd, o.tape), TL_ERANGE);
    optimtest_same(__LINE__, &o);
    cr_assert_eq(tl_optim_steps(sgd), 0);
    tl_optim_free(sgd);
}

Test(sgd, parameters_added_later_are_taken_up)
{
    tl_err err = {0};
    tl_optim *sgd = tl_sgd_new(o.params, NULL, &err);
    tl_param *late = tl_param_new(o.params, "late", tl_shape1(2), &err);
    tl_backward(optimtest_loss_of(o.tape, late));
    cr_assert_eq(tl_optim_step(sgd, o.tape), TL_OK);
    cr_assert_eq(value_of(late, 0), -0.01);
    cr_assert_eq(value_of(late, 1), -0.02);
    tl_optim_free(sgd);
}

/* A rule of one's own: p -= lr sign(g). */
static tl_tensor sign_rule(const void *opts, double lr, int64_t t, tl_tensor p, tl_tensor g,
                           tl_tensor *slot)
{
    const double *scale = opts;
    (void)t;
    slot[0] = tl_add_scalar(slot[0], 1);
    return tl_sub(p, tl_scale(tl_sign(g), lr * *scale));
}

Test(sgd, a_rule_of_ones_own)
{
    const tl_rule rule = {"signs", 1, {"count"}, sign_rule};
    const double scale = 2;
    tl_err err = {0};
    tl_optim *signs = tl_optim_new(o.params, &rule, 0.25, &scale, sizeof scale, &err);
    cr_assert_not_null(signs, "%s", err.message);
    double g[BOTH];
    for (int t = 0; t < 2; t++) {
        tl_backward(optimtest_loss(&o));
        cr_assert_eq(tl_optim_step(signs, o.tape), TL_OK);
        tl_tape_reset(o.tape);
        optimtest_gradient(&o, g);
        for (int i = 0; i < BOTH; i++)
            o.p[i] -= 0.5 * (g[i] > 0 ? 1 : -1);
    }
    optimtest_same(__LINE__, &o);
    cr_assert_eq(value_of(tl_params_find(tl_optim_state(signs), "a.count"), 1), 2);
    tl_optim_free(signs);
}

Test(sgd, a_step_without_any_gradient_is_an_error)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_params *set = tl_params_new(TL_F32);
    tl_param_new(set, "w", tl_shape1(2), NULL);
    tl_optim *optim = tl_sgd_new(set, NULL, NULL);
    cr_assert_eq(tl_optim_step(optim, tape), TL_ENOGRAD);
    cr_assert(strstr(tl_tape_error(tape), "did you forget tl_backward"));
    tl_tape_reset(tape);
    cr_assert_eq(tl_backward(tl_sum_all(tl_use(tape, tl_params_at(set, 0)))), TL_OK);
    cr_assert_eq(tl_optim_step(optim, tape), TL_OK);
    tl_optim_free(optim);
    tl_params_free(set);
    tl_tape_free(tape);
}
