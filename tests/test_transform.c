/* test_transform.c -- functions of gradients before the step, freezing by name, micro-batches. */
#include "tests/optimtest.h"

#include "core/memory.h"

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
    cr_assert(tl_name_like(NULL, "a") && !tl_name_like("*", NULL));
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

enum { MANY = 4096 };

/* noises -- what tl_grad_noisy adds to the gradients (ones) of two parameters, over sigma. */
static void noises(tl_params *set, double sigma, double (*x)[MANY])
{
    tl_param *p[] = {tl_params_at(set, 0), tl_params_at(set, 1)};
    tl_backward(tl_sum_all(tl_add(tl_use(o.tape, p[0]), tl_use(o.tape, p[1]))));
    tl_transform_grads(o.tape, set, NULL, tl_grad_noisy, &sigma);
    for (int k = 0; k < 2; k++) {
        cr_assert_eq(tl_read_f64(tl_param_grad(o.tape, p[k]), x[k], MANY), TL_OK);
        for (int i = 0; i < MANY; i++)
            x[k][i] = (x[k][i] - 1) / sigma;
        tl_set_param_grad(o.tape, p[k], (tl_tensor){0});
    }
    cr_assert_eq(tl_tape_reset(o.tape), TL_OK);
}

/* moment -- mean of x^a y^b. */
static double moment(const double *x, int a, const double *y, int b)
{
    double sum = 0;
    for (int i = 0; i < MANY; i++)
        sum += pow(x[i], a) * pow(y[i], b);
    return sum / MANY;
}

/* Moments of the normal distribution are 0, 1, 0, 3, and there is none of two different draws;
 * bounds are five standard deviations of such a mean. */
Test(transform, noise_is_normal_of_the_size_asked_for_and_new_each_time)
{
    static double x[4][MANY];
    tl_params *set = tl_params_new(TL_F64);
    cr_assert(tl_param_new(set, "p", tl_shape1(MANY), NULL) &&
              tl_param_new(set, "q", tl_shape1(MANY), NULL));
    noises(set, 3, x);
    noises(set, 0.5, x + 2);
    const double of_one = 1 / sqrt(MANY);
    for (int k = 0; k < 4; k++) {
        cr_expect(fabs(moment(x[k], 1, x[k], 0)) < 5 * of_one, "%d", k);
        cr_expect(fabs(moment(x[k], 2, x[k], 0) - 1) < 5 * sqrt(2) * of_one, "%d", k);
        cr_expect(fabs(moment(x[k], 3, x[k], 0)) < 5 * sqrt(15) * of_one, "%d", k);
        cr_expect(fabs(moment(x[k], 4, x[k], 0) - 3) < 5 * sqrt(96) * of_one, "%d", k);
        for (int j = 0; j < k; j++)
            cr_expect(fabs(moment(x[k], 1, x[j], 1)) < 5 * of_one, "%d, %d", k, j);
    }
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

/* Transforms see what clipping left: the norm that is limited is that of the raw gradient. */
Test(transform, applies_after_clipping)
{
    double ten = 10, norm = 0;
    for (int i = 0; i < BOTH; i++)
        norm += g[i] * g[i];
    norm = sqrt(norm);
    cr_assert_eq(tl_optim_transform(sgd, NULL, tl_grad_scaled, &ten), TL_OK);
    tl_backward(optimtest_loss(&o));
    const tl_tensor before = tl_clip_grad_norm(o.tape, o.params, 1);
    for (int i = 0; i < BOTH; i++)
        g[i] *= 10 / (norm + 1e-6); /* of norm 10, not 1 */
    step_takes(g);
    cr_assert(fabs(tl_item(before) - norm) < 1e-12 * norm);
}

/* ---- short of memory ------------------------------------------------------------------------- */

/* The list grows now and then: a transform that found no room is not in it, the others are. */
Test(transform, a_transform_that_found_no_memory_is_not_there)
{
    double twice = 2;
    int given = 0, failures = 0;
    for (int i = 0; i < 40; i++) {
        tl__fail_after(1);
        const int code = tl_optim_transform(sgd, "a", tl_grad_scaled, &twice);
        tl__fail_after(0);
        cr_assert(code == TL_OK || code == TL_ENOMEM, "%d", code);
        failures += code != TL_OK;
        given += code == TL_OK;
        if (code)
            given += tl_optim_transform(sgd, "a", tl_grad_scaled, &twice) == TL_OK;
    }
    cr_assert_eq(given, 40);
    cr_assert(failures > 1, "%d", failures);
    tl_backward(optimtest_loss(&o));
    for (int i = 0; i < A; i++)
        g[i] *= pow(2, 40);
    step_takes(g);
}

/* once -- a step with transforms, in which an allocation may fail. */
static int once(tl_optim *optim)
{
    tl_backward(optimtest_loss(&o));
    return tl_optim_step(optim, o.tape);
}

Test(transform, every_allocation_of_a_step_may_fail)
{
    double lambda = 0.5, sigma = 0;
    tl_optim_transform(sgd, "a", tl_grad_decayed, &lambda);
    tl_optim_transform(sgd, NULL, tl_grad_noisy, &sigma);
    tl_optim_transform(sgd, "layer.*", tl_grad_centred, NULL);
    int code = TL_ENOMEM, failures = 0;
    for (long n = 1; n < 10000 && code; n++) {
        tl_tape_free(o.tape);
        o.tape = tl_tape_new(NULL);
        tl__fail_after(n);
        code = once(sgd);
        tl__fail_after(0);
        cr_assert(code == TL_OK || code == TL_ENOMEM, "allocation %ld: %d", n, code);
        if (code) {
            failures++;
            optimtest_same(__LINE__, &o); /* nothing has changed */
            cr_assert_eq(tl_tape_reset(o.tape), TL_OK);
        }
    }
    cr_assert(failures > 20, "only %d allocations failed", failures);
    for (int i = 0; i < A; i++)
        o.p[i] -= g[i] + 0.5 * o.p[i];
    for (int i = A; i < BOTH; i++) {
        const int row = A + (i - A) / (C / 2) * (C / 2);
        double mean = 0;
        for (int k = 0; k < C / 2; k++)
            mean += g[row + k] / (C / 2);
        o.p[i] -= g[i] - mean;
    }
    optimtest_same(__LINE__, &o);
}
