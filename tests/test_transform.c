/* test_transform.c -- functions of gradients before the step, freezing by name, micro-batches. */
#include "tests/optimtest.h"

static optimtest o;
static double g[BOTH];
static tl_optim *sgd;

static void open(void)
{
    tl_sgd_opts s = tl_sgd_defaults();
    s.lr = 1;
    optimtest_open(&o);
    optimtest_gradient(&o, g);
    sgd = tl_sgd_new(o.params, &s, NULL);
}

static void done(void)
{
    tl_optim_free(sgd);
    optimtest_close(&o);
}

TestSuite(transform, .init = open, .fini = done);

/* A step with rate 1 takes off the gradient that came through. */
static void step_takes(const double *want)
{
    cr_assert_eq(tl_optim_step(sgd, o.tape), TL_OK, "%s", tl_tape_error(o.tape));
    for (int i = 0; i < BOTH; i++)
        o.p[i] -= want[i];
    optimtest_same(__LINE__, &o);
}

Test(transform, names)
{
    cr_assert(tl_name_like("*", "") && tl_name_like("a.*", "a.b") && tl_name_like("*.b*", "a.bc"));
    cr_assert(tl_name_like("a*b*c", "axbybc") && tl_name_like("abc", "abc"));
    cr_assert(!tl_name_like("a", "ab") && !tl_name_like("ab", "a") && !tl_name_like("*.x", "a.xy"));
}

Test(transform, applies_to_named_gradients_in_order)
{
    double lambda = 0.5, twice = 2;
    cr_assert_eq(tl_optim_transform(sgd, "a", tl_grad_decayed, &lambda), TL_OK);
    cr_assert_eq(tl_optim_transform(sgd, NULL, tl_grad_scaled, &twice), TL_OK);
    tl_backward(optimtest_loss(&o));
    for (int i = 0; i < BOTH; i++)
        g[i] = 2 * (g[i] + (i < A ? 0.5 * o.p[i] : 0));
    step_takes(g);
}

Test(transform, centred_rows)
{
    tl_backward(optimtest_loss(&o));
    cr_assert_eq(tl_transform_grads(o.tape, o.params, NULL, tl_grad_centred, NULL), TL_OK);
    for (int row = 0; row < 2; row++) {
        double *r = g + A + row * (C / 2), mean = 0;
        for (int i = 0; i < C / 2; i++)
            mean += r[i] / (C / 2);
        for (int i = 0; i < C / 2; i++)
            r[i] -= mean;
    }
    step_takes(g);
}

Test(transform, noise_is_of_the_size_asked_for)
{
    enum { MANY = 4096 };
    tl_params *set = tl_params_new(TL_F64);
    tl_param *p = tl_param_new(set, "p", tl_shape1(MANY), NULL);
    double sigma = 3, x[MANY], sum = 0, square = 0;
    tl_backward(tl_sum_all(tl_use(o.tape, p)));
    tl_transform_grads(o.tape, set, NULL, tl_grad_noisy, &sigma);
    cr_assert_eq(tl_read_f64(tl_param_grad(o.tape, p), x, MANY), TL_OK);
    for (int i = 0; i < MANY; i++)
        sum += x[i] - 1, square += (x[i] - 1) * (x[i] - 1);
    cr_assert(fabs(sum / MANY) < 0.25 && fabs(sqrt(square / MANY) - 3) < 0.2);
    tl_set_param_grad(o.tape, p, (tl_tensor){0});
    tl_tape_reset(o.tape);
    tl_params_free(set);
}

static tl_tensor none(void *ctx, tl_tape *tape, tl_param *p, tl_tensor gradient)
{
    (void)ctx, (void)tape, (void)p, (void)gradient;
    return (tl_tensor){0};
}

static tl_tensor summed(void *ctx, tl_tape *tape, tl_param *p, tl_tensor gradient)
{
    (void)ctx, (void)tape, (void)p;
    return tl_sum_all(gradient);
}

Test(transform, an_inert_result_leaves_the_parameter_alone)
{
    tl_optim_transform(sgd, "layer.*", none, NULL);
    tl_backward(optimtest_loss(&o));
    memset(g + A, 0, C * sizeof *g);
    step_takes(g);
}

Test(transform, another_shape_is_an_error_and_nothing_changes)
{
    tl_optim_transform(sgd, "a", summed, NULL);
    tl_backward(optimtest_loss(&o));
    cr_assert_eq(tl_optim_step(sgd, o.tape), TL_ESHAPE);
    cr_assert(strstr(tl_tape_error(o.tape), "a is f64 [3]"), "%s", tl_tape_error(o.tape));
    optimtest_same(__LINE__, &o);
    cr_assert_eq(tl_optim_transform(sgd, "a", NULL, NULL), TL_EINVAL);
}

/* frozen by name: no step, no state; later it goes on. */
Test(transform, freezing_by_name)
{
    tl_optim *adam = tl_adam_new(o.params, NULL, NULL);
    double m[C], c[C];
    cr_assert_eq(tl_freeze_like(o.params, "layer.*", 1), 1);
    tl_backward(optimtest_loss(&o));
    cr_assert_eq(tl_optim_step(adam, o.tape), TL_OK);
    tl_tape_reset(o.tape);
    tl_param_get_f64(o.c, c, C);
    tl_param *kept = tl_params_find(tl_optim_state(adam), "layer.c.m");
    tl_param_get_f64(kept, m, C);
    for (int i = 0; i < C; i++)
        cr_assert(c[i] == o.p[A + i] && m[i] == 0);
    cr_assert_eq(tl_freeze_like(o.params, NULL, 0), 2);
    tl_backward(optimtest_loss(&o));
    cr_assert_eq(tl_optim_step(adam, o.tape), TL_OK);
    tl_param_get_f64(kept, m, C);
    for (int i = 0; i < C; i++)
        cr_assert(fabs(m[i] - 0.1 * g[A + i]) < 1e-14);
    tl_optim_free(adam);
}

/* Two micro-batches, each committed and reset, averaged: the step of the mean loss. */
Test(transform, micro_batches_are_the_full_batch)
{
    double half = 0.5;
    for (int k = 0; k < 2; k++) {
        tl_tape_reset(o.tape);
        tl_backward(tl_scale(optimtest_loss(&o), k ? 1.5 : 0.5));
        if (k == 0)
            cr_assert_eq(tl_commit(o.tape), TL_OK);
    }
    cr_assert_eq(tl_transform_grads(o.tape, o.params, NULL, tl_grad_scaled, &half), TL_OK);
    step_takes(g);
    tl_tape_reset(o.tape);
    cr_assert_eq(tl_param_grad_f64(o.a, g, A), TL_ESTATE, "the stored gradient is consumed");
}
