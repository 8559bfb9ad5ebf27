/* test_adam.c -- Adam and AdamW against plain C; states saved and restored; no planning for a new
 * learning rate. */
#include "core/memory.h"
#include "core/run.h"
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

TestSuite(adam, .init = open, .fini = done);

static double m[BOTH], v[BOTH];

/* torch.optim.Adam and AdamW, element by element. */
static void reference_step(tl_adam_opts a, int t)
{
    double g[BOTH];
    optimtest_gradient(&o, g);
    for (int i = 0; i < BOTH; i++) {
        if (a.decoupled)
            o.p[i] *= 1 - a.lr * a.weight_decay;
        else
            g[i] += a.weight_decay * o.p[i];
        m[i] = a.beta1 * m[i] + (1 - a.beta1) * g[i];
        v[i] = a.beta2 * v[i] + (1 - a.beta2) * g[i] * g[i];
        double c1 = 1 - pow(a.beta1, t), c2 = 1 - pow(a.beta2, t);
        o.p[i] -= a.lr / c1 * m[i] / (sqrt(v[i]) / sqrt(c2) + a.eps);
    }
}

static void step(tl_optim *adam)
{
    cr_assert_eq(tl_backward(optimtest_loss(&o)), TL_OK);
    cr_assert_eq(tl_optim_step(adam, o.tape), TL_OK, "%s", tl_tape_error(o.tape));
    cr_assert_eq(tl_tape_reset(o.tape), TL_OK);
}

static void equals_reference(tl_optim *adam, tl_adam_opts a)
{
    cr_assert_not_null(adam);
    for (int t = 1; t <= 5; t++) {
        step(adam);
        reference_step(a, t);
        optimtest_same(__LINE__, &o);
    }
    double got[A];
    tl_param_get_f64(tl_params_find(tl_optim_state(adam), "a.m"), got, A);
    for (int i = 0; i < A; i++)
        cr_assert(fabs(got[i] - m[i]) <= 1e-13 * (1 + fabs(m[i])));
    tl_param_get_f64(tl_params_find(tl_optim_state(adam), "a.v"), got, A);
    for (int i = 0; i < A; i++)
        cr_assert(fabs(got[i] - v[i]) <= 1e-13 * (1 + fabs(v[i])));
    cr_assert_eq(tl_optim_steps(adam), 5);
    tl_optim_free(adam);
}

Test(adam, defaults)
{
    equals_reference(tl_adam_new(o.params, NULL, NULL), tl_adam_defaults());
}

Test(adam, large_steps_with_decay_in_the_gradient)
{
    tl_adam_opts a = tl_adam_defaults();
    a.lr = 0.3;
    a.beta1 = 0.5;
    a.beta2 = 0.7;
    a.eps = 0.1;
    a.weight_decay = 0.4;
    equals_reference(tl_adam_new(o.params, &a, NULL), a);
}

Test(adam, betas_of_zero)
{
    tl_adam_opts a = tl_adam_defaults();
    a.beta1 = a.beta2 = 0;
    equals_reference(tl_adam_new(o.params, &a, NULL), a);
}

Test(adam, adamw)
{
    tl_adam_opts a = tl_adamw_defaults();
    cr_assert(a.decoupled && a.weight_decay == 0.01);
    a.lr = 0.1;
    a.weight_decay = 0.5;
    equals_reference(tl_adamw_new(o.params, &a, NULL), a);
}

Test(adam, adamw_by_default)
{
    equals_reference(tl_adamw_new(o.params, NULL, NULL), tl_adamw_defaults());
}

Test(adam, its_state_is_a_parameter_set_and_can_be_carried_over)
{
    tl_adam_opts a = tl_adam_defaults();
    tl_optim *first = tl_adam_new(o.params, &a, NULL), *second = tl_adam_new(o.params, &a, NULL);
    tl_params *from = tl_optim_state(first), *to = tl_optim_state(second);
    cr_assert_eq(tl_params_count(from), 6);
    for (int t = 1; t <= 3; t++) {
        step(first);
        reference_step(a, t);
    }
    for (int i = 0; i < tl_params_count(from); i++) {
        double x[C];
        const tl_param *p = tl_params_at(from, i);
        int64_t n = tl_shape_count(tl_param_shape(p));
        cr_assert_eq(tl_param_get_f64(p, x, n), TL_OK);
        cr_assert_eq(tl_param_set_f64(tl_params_find(to, tl_param_name(p)), x, n), TL_OK);
    }
    cr_assert_eq(tl_optim_steps(second), 3);
    step(second);
    reference_step(a, 4);
    optimtest_same(__LINE__, &o);
    tl_optim_free(first);
    tl_optim_free(second);
}

Test(adam, update_returns_new_values_and_assigns_nothing)
{
    tl_adam_opts a = tl_adam_defaults();
    double g[BOTH];
    optimtest_gradient(&o, g);
    tl_tensor gradient = tl_input_f64(o.tape, tl_shape1(A), g);
    tl_tensor zero = tl_zeros(o.tape, TL_F64, tl_shape1(A));
    tl_adam_values after = tl_adam_update(tl_use(o.tape, o.a), gradient, zero, zero, 1, &a);
    double got[3][A];
    cr_assert_eq(tl_read_f64(after.p, got[0], A), TL_OK);
    cr_assert_eq(tl_read_f64(after.m, got[1], A), TL_OK);
    cr_assert_eq(tl_read_f64(after.v, got[2], A), TL_OK);
    optimtest_same(__LINE__, &o);
    reference_step(a, 1);
    for (int i = 0; i < A; i++)
        cr_assert(fabs(got[0][i] - o.p[i]) < 1e-15 && fabs(got[1][i] - m[i]) < 1e-15 &&
                  fabs(got[2][i] - v[i]) < 1e-15);
    cr_assert_eq(tl_tape_reset(o.tape), TL_OK, "nothing is queued");
}

/* The functional form is differentiable: dp'/dg through one step, against a difference. */
Test(adam, update_can_be_differentiated)
{
    const double at = 0.7, h = 1e-6;
    double p[2], slope = 0;
    for (int side = 0; side < 3; side++) {
        double gv = at + (side == 1 ? h : side == 2 ? -h : 0);
        tl_tensor g = tl_input_f64(o.tape, tl_shape0(), &gv), zero = tl_scalar(o.tape, TL_F64, 0),
                  d;
        tl_tensor some = tl_scalar(o.tape, TL_F64, 0.5);
        tl_adam_values after = tl_adam_update(zero, g, some, some, 2, NULL);
        if (side == 0) {
            cr_assert_eq(tl_grad(1, &after.p, NULL, 1, &g, &d), TL_OK);
            slope = tl_item(d);
        } else {
            p[side - 1] = tl_item(after.p);
        }
    }
    cr_assert(fabs(slope - (p[0] - p[1]) / (2 * h)) < 1e-9, "%g", slope);
    cr_assert_neq(slope, 0);
}

Test(adam, a_new_learning_rate_makes_no_new_plan)
{
    tl_optim *adam = tl_adam_new(o.params, NULL, NULL);
    step(adam);
    step(adam);
    uint64_t plans = tl__run_stats(o.tape).plans;
    for (int t = 0; t < 3; t++) {
        tl_optim_set_lr(adam, 1e-3 * (t + 2));
        step(adam);
    }
    cr_assert_eq(tl__run_stats(o.tape).plans, plans);
    tl_optim_free(adam);
}

Test(adam, f32_parameters)
{
    tl_err err = {0};
    tl_params *set = tl_params_new(TL_F32);
    tl_param *p = tl_param_new(set, "p", tl_shape1(1), &err);
    tl_optim *adam = tl_adam_new(set, NULL, &err);
    cr_assert_not_null(adam, "%s", err.message);
    cr_assert_eq(tl_params_dtype(tl_optim_state(adam)), TL_F32);
    tl_backward(tl_sum_all(tl_add_scalar(tl_use(o.tape, p), 1)));
    cr_assert_eq(tl_optim_step(adam, o.tape), TL_OK);
    double value;
    tl_param_get_f64(p, &value, 1);
    cr_assert(fabs(value + 1e-3) < 1e-9, "%g", value);
    tl_optim_free(adam);
    tl_params_free(set);
}

Test(adam, wrong_options_are_refused)
{
    tl_err err = {0};
    tl_adam_opts a = tl_adam_defaults();
    a.beta2 = 1;
    cr_assert_null(tl_adam_new(o.params, &a, &err));
    cr_assert(strstr(err.message, "beta2 1"), "%s", err.message);
    cr_assert_null(tl_adam_new(NULL, NULL, &err));
    cr_assert_null(tl_adamw_new(NULL, NULL, NULL));
}

Test(adam, the_constructor_survives_a_lack_of_memory)
{
    int made = 0;
    for (long n = 1; !made; n++) {
        tl_err err = {0};
        tl__fail_after(n);
        tl_optim *adam = tl_adam_new(o.params, NULL, &err);
        made = adam != NULL;
        tl__fail_after(0);
        cr_assert(made || err.code == TL_ENOMEM, "%ld: %s", n, err.message);
        cr_assert_lt(n, 1000);
        tl_optim_free(adam);
    }
}
