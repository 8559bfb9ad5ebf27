/* test_clip.c -- clipping by global norm and by value. */
#include "tests/optimtest.h"

static optimtest o;
static double g[BOTH], norm;

static void open(void)
{
    optimtest_open(&o);
    optimtest_gradient(&o, g);
    double square = 0;
    for (int i = 0; i < BOTH; i++)
        square += g[i] * g[i];
    norm = sqrt(square);
    tl_backward(optimtest_loss(&o));
}

static void done(void)
{
    optimtest_close(&o);
}

TestSuite(clip, .init = open, .fini = done);

/* Steps by SGD with lr 1, so that what is taken off is the gradient that came through. */
static void gradient_is(const double *want)
{
    tl_sgd_opts s = tl_sgd_defaults();
    s.lr = 1;
    tl_optim *sgd = tl_sgd_new(o.params, &s, NULL);
    cr_assert_eq(tl_optim_step(sgd, o.tape), TL_OK, "%s", tl_tape_error(o.tape));
    for (int i = 0; i < BOTH; i++)
        o.p[i] -= want[i];
    optimtest_same(__LINE__, &o);
    tl_optim_free(sgd);
}

Test(clip, a_norm_above_the_limit_is_scaled_down)
{
    tl_tensor before = tl_clip_grad_norm(o.tape, o.params, 0.5);
    for (int i = 0; i < BOTH; i++)
        g[i] *= 0.5 / (norm + 1e-6);
    gradient_is(g);
    cr_assert(fabs(tl_item(before) - norm) < 1e-13 * norm);
}

Test(clip, a_norm_below_the_limit_stays)
{
    tl_tensor before = tl_clip_grad_norm(o.tape, o.params, 1000);
    cr_assert(fabs(tl_item(before) - norm) < 1e-13 * norm);
    gradient_is(g);
}

Test(clip, the_norm_alone_changes_nothing)
{
    cr_assert(fabs(tl_item(tl_grad_norm(o.tape, o.params)) - norm) < 1e-13 * norm);
    gradient_is(g);
}

Test(clip, by_value)
{
    tl_clip_grad_value(o.tape, o.params, 2.5);
    for (int i = 0; i < BOTH; i++)
        g[i] = fmax(-2.5, fmin(2.5, g[i]));
    cr_assert(g[BOTH - 1] == 2.5 && g[0] < 2.5);
    gradient_is(g);
}

Test(clip, frozen_parameters_do_not_count)
{
    tl_param_freeze(o.c, 1);
    double square = 0;
    for (int i = 0; i < A; i++)
        square += g[i] * g[i];
    cr_assert(fabs(tl_item(tl_grad_norm(o.tape, o.params)) - sqrt(square)) < 1e-13);
}

Test(clip, without_gradients_there_is_nothing_to_clip)
{
    tl_params *empty = tl_params_new(TL_F64);
    cr_assert_eq(tl_item(tl_grad_norm(o.tape, empty)), 0);
    cr_assert_eq(tl_tape_status(o.tape), TL_OK);
    cr_assert_null(tl_clip_grad_norm(o.tape, empty, 1).tape);
    cr_assert_eq(tl_tape_status(o.tape), TL_ENOGRAD);
    tl_tape_reset(o.tape);
    tl_clip_grad_value(o.tape, empty, 1);
    cr_assert_eq(tl_tape_status(o.tape), TL_ENOGRAD);
    tl_params_free(empty);
}
