/* test_life.c -- sequences of events in the life of values, parameters and states. Each test is a
 * story that a training program may tell; the rules are in core/README.md. */
#include "core/memory.h"
#include "tapeloop.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static const float X[6] = {0.5f, -1.0f, 2.0f, 1.5f, 0.25f, -0.75f};

typedef struct world {
    tl_tape *tape;
    tl_params *set;
    tl_param *w;
} world;

static world world_new(void)
{
    world k;
    k.tape = tl_tape_new(NULL);
    k.set = tl_params_new(TL_F32);
    k.w = tl_param_new(k.set, "w", tl_shape2(4, 3), NULL);
    float w[12];
    for (int i = 0; i < 12; i++)
        w[i] = 0.1f * (float)(i - 5);
    cr_assert_eq(tl_param_set_f32(k.w, w, 12), TL_OK);
    return k;
}

static void world_free(world k)
{
    tl_tape_free(k.tape);
    tl_params_free(k.set);
}

/* loss_of -- sum of tanh(x w')^2 on the tape. */
static tl_tensor loss_of(tl_tape *tape, tl_tensor w)
{
    tl_tensor x = tl_input_f32(tape, tl_shape2(2, 3), X);
    tl_tensor y = tl_tanh(tl_linear(x, w, (tl_tensor){0}));
    return tl_sum_all(tl_mul(y, y));
}

/* descend -- w := w - 0.1 dloss/dw, queued and committed. */
static int descend(world k, tl_tensor loss)
{
    int code = tl_backward(loss);
    if (code)
        return code;
    tl_tensor g = tl_param_grad(k.tape, k.w);
    tl_no_grad_open(k.tape);
    tl_assign(k.w, tl_sub(tl_use(k.tape, k.w), tl_scale(g, 0.1)));
    tl_no_grad_close(k.tape);
    tl_set_param_grad(k.tape, k.w, (tl_tensor){0});
    return tl_commit(k.tape);
}

static void get(world k, float *w)
{
    cr_assert_eq(tl_param_get_f32(k.w, w, 12), TL_OK);
}

Test(life, printing_the_loss_before_the_gradient_changes_no_bit)
{
    float plain[12], printed[12];
    for (int print = 0; print < 2; print++) {
        world k = world_new();
        for (int step = 0; step < 3; step++) {
            tl_tensor loss = loss_of(k.tape, tl_use(k.tape, k.w));
            if (print)
                cr_assert(isfinite(tl_item(loss)));
            cr_assert_eq(descend(k, loss), TL_OK, "%s", tl_tape_error(k.tape));
            if (print)
                cr_assert(isfinite(tl_item(loss)));
            cr_assert_eq(tl_tape_reset(k.tape), TL_OK);
        }
        get(k, print ? printed : plain);
        world_free(k);
    }
    cr_assert_eq(memcmp(plain, printed, sizeof plain), 0);
}

Test(life, a_tensor_recorded_before_a_step_keeps_its_meaning_after_it)
{
    world k = world_new();
    tl_tensor w = tl_use(k.tape, k.w);
    tl_tensor loss = loss_of(k.tape, w);
    tl_tensor unread = tl_sum_all(w); /* pending when the step happens */
    double before = tl_item(loss);
    float old[12], sum = 0;
    get(k, old);
    for (int i = 0; i < 12; i++)
        sum += old[i];
    cr_assert_eq(descend(k, loss), TL_OK);
    cr_assert_eq(tl_item(loss), before);
    cr_assert_float_eq(tl_item(unread), sum, 1e-6);
    float kept[12], now[12];
    cr_assert_eq(tl_read_f32(w, kept, 12), TL_OK);
    cr_assert_eq(memcmp(kept, old, sizeof old), 0);
    get(k, now);
    cr_assert_neq(memcmp(now, old, sizeof old), 0);
    world_free(k);
}

Test(life, a_use_after_a_commit_reads_the_new_version)
{
    world k = world_new();
    tl_tensor before = tl_use(k.tape, k.w);
    cr_assert_eq(tl_use(k.tape, k.w).slot, before.slot);
    tl_assign(k.w, tl_scale(before, 2.0));
    cr_assert_eq(tl_use(k.tape, k.w).slot, before.slot); /* queued is not yet committed */
    cr_assert_eq(tl_param_version(k.w), 2);              /* 1 and one tl_param_set */
    cr_assert_eq(tl_commit(k.tape), TL_OK);
    cr_assert_eq(tl_param_version(k.w), 3);
    tl_tensor after = tl_use(k.tape, k.w);
    cr_assert_neq(after.slot, before.slot);
    float a[12], b[12];
    cr_assert_eq(tl_read_f32(before, a, 12), TL_OK);
    cr_assert_eq(tl_read_f32(after, b, 12), TL_OK);
    for (int i = 0; i < 12; i++)
        cr_assert_eq(b[i], 2.0f * a[i]);
    world_free(k);
}

Test(life, dropped_values_are_computed_again_even_after_a_step)
{
    world k = world_new();
    tl_no_grad_open(k.tape);
    tl_tensor w = tl_use(k.tape, k.w);
    tl_tensor y = tl_exp(w); /* dropped: nobody reads it, no gradient can */
    tl_tensor s = tl_sum_all(y);
    tl_no_grad_close(k.tape);
    (void)tl_item(s);
    tl_assign(k.w, tl_scale(w, 3.0));
    cr_assert_eq(tl_commit(k.tape), TL_OK);
    float v[12];
    cr_assert_eq(tl_read_f32(y, v, 12), TL_OK, "%s", tl_tape_error(k.tape));
    for (int i = 0; i < 12; i++)
        cr_assert_float_eq(v[i], expf(0.1f * (float)(i - 5)), 1e-6);
    world_free(k);
}

Test(life, keep_carries_a_state_over_a_reset_and_cuts_the_gradient)
{
    world k = world_new();
    tl_state *h = tl_state_new(TL_F32, tl_shape1(3));
    for (int step = 0; step < 3; step++) {
        tl_tensor old = tl_state_use(k.tape, h);
        tl_keep(h, tl_add_scalar(old, 1.5));
        cr_assert_eq(tl_commit(k.tape), TL_OK);
        cr_assert_eq(tl_tape_reset(k.tape), TL_OK);
    }
    double v[3];
    cr_assert_eq(tl_state_get_f64(h, v, 3), TL_OK);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(v[i], 4.5);
    tl_tensor s = tl_state_use(k.tape, h);
    tl_tensor y = tl_sum_all(tl_mul(s, tl_slice(tl_use(k.tape, k.w), 0, 0, 1)));
    cr_assert_eq(tl_backward(y), TL_OK);
    cr_assert_eq(tl_commit(k.tape), TL_OK);
    double g[12];
    cr_assert_eq(tl_param_grad_f64(k.w, g, 12), TL_OK);
    for (int i = 0; i < 12; i++)
        cr_assert_eq(g[i], i < 3 ? 4.5 : 0.0);
    tl_state_free(h);
    world_free(k);
}

Test(life, two_tapes_share_a_parameter)
{
    world k = world_new();
    tl_tape *other = tl_tape_new(NULL);
    tl_tensor theirs = tl_sum_all(tl_use(other, k.w));
    tl_assign(k.w, tl_scale(tl_use(k.tape, k.w), 10.0));
    cr_assert_eq(tl_commit(k.tape), TL_OK);
    double sum = 0;
    for (int i = 0; i < 12; i++)
        sum += 0.1 * (i - 5);
    cr_assert_float_eq(tl_item(theirs), sum, 1e-6); /* their version */
    cr_assert_float_eq(tl_item(tl_sum_all(tl_use(other, k.w))), 10 * sum, 1e-5);
    tl_tape_free(other);
    world_free(k);
}

Test(life, gradients_of_two_tapes_add_up_in_the_parameter)
{
    world k = world_new();
    tl_tape *other = tl_tape_new(NULL);
    cr_assert_eq(tl_backward(tl_sum_all(tl_use(k.tape, k.w))), TL_OK);
    cr_assert_eq(tl_commit(k.tape), TL_OK);
    cr_assert_eq(tl_backward(tl_sum_all(tl_scale(tl_use(other, k.w), 2.0))), TL_OK);
    cr_assert_eq(tl_commit(other), TL_OK);
    double g[12];
    cr_assert_eq(tl_param_grad_f64(k.w, g, 12), TL_OK);
    for (int i = 0; i < 12; i++)
        cr_assert_eq(g[i], 3.0);
    tl_tape_free(other);
    world_free(k);
}

Test(life, a_failing_run_publishes_nothing_and_a_reset_recovers)
{
    world k = world_new();
    float old[12], now[12];
    get(k, old);
    tl_state *h = tl_state_new(TL_F32, tl_shape0());
    const int32_t bad[2] = {1, 9};
    tl_tensor i = tl_check_range(tl_input_i32(k.tape, tl_shape1(2), bad), 0, 4);
    tl_tensor w = tl_use(k.tape, k.w);
    tl_assign(k.w, tl_scale(w, 2.0));
    tl_keep(h, tl_sum_all(tl_gather(w, i)));
    uint64_t version = tl_param_version(k.w);
    cr_assert_eq(tl_commit(k.tape), TL_ERANGE);
    cr_assert(strstr(tl_tape_error(k.tape), "9"), "%s", tl_tape_error(k.tape));
    get(k, now);
    cr_assert_eq(memcmp(old, now, sizeof old), 0);
    cr_assert_eq(tl_param_version(k.w), version);
    cr_assert_eq(tl_commit(k.tape), TL_ERANGE); /* sticky */
    cr_assert_eq(tl_tape_reset(k.tape), TL_OK);
    cr_assert_eq(tl_tape_status(k.tape), TL_OK);
    cr_assert_eq(descend(k, loss_of(k.tape, tl_use(k.tape, k.w))), TL_OK);
    get(k, now);
    cr_assert_neq(memcmp(old, now, sizeof old), 0);
    tl_state_free(h);
    world_free(k);
}

Test(life, the_later_of_two_assignments_counts)
{
    world k = world_new();
    tl_tensor w = tl_use(k.tape, k.w);
    tl_assign(k.w, tl_scale(w, 5.0));
    tl_assign(k.w, tl_scale(w, 7.0));
    cr_assert_eq(tl_commit(k.tape), TL_OK);
    float v[12];
    get(k, v);
    cr_assert_float_eq(v[0], -3.5f, 1e-6);
    world_free(k);
}

Test(life, two_parameters_can_swap_their_values)
{
    world k = world_new();
    tl_param *u = tl_param_new(k.set, "u", tl_shape2(4, 3), NULL);
    tl_tensor a = tl_use(k.tape, k.w), b = tl_use(k.tape, u);
    tl_assign(k.w, b);
    tl_assign(u, a);
    cr_assert_eq(tl_commit(k.tape), TL_OK);
    float w[12], v[12];
    get(k, w);
    cr_assert_eq(tl_param_get_f32(u, v, 12), TL_OK);
    cr_assert_eq(w[0], 0.0f);
    cr_assert_float_eq(v[0], -0.5f, 1e-7);
    /* and do not share storage */
    tl_assign(u, tl_scale(tl_use(k.tape, u), 2.0));
    cr_assert_eq(tl_commit(k.tape), TL_OK);
    get(k, w);
    cr_assert_eq(w[0], 0.0f);
    world_free(k);
}

Test(life, reset_is_refused_while_effects_are_queued)
{
    world k = world_new();
    tl_tensor w = tl_use(k.tape, k.w);
    tl_assign(k.w, tl_scale(w, 2.0));
    cr_assert_eq(tl_tape_reset(k.tape), TL_ESTATE);
    cr_assert_eq(tl_tape_status(k.tape), TL_OK); /* the tape is as it was */
    cr_assert(tl_tensor_ok(w));
    cr_assert_eq(tl_commit(k.tape), TL_OK);
    cr_assert_eq(tl_tape_reset(k.tape), TL_OK);
    cr_assert_eq(tl_backward(tl_sum_all(tl_use(k.tape, k.w))), TL_OK);
    cr_assert_eq(tl_tape_reset(k.tape), TL_ESTATE);
    cr_assert_eq(tl_commit(k.tape), TL_OK);
    cr_assert_eq(tl_tape_reset(k.tape), TL_OK);
    world_free(k);
}

Test(life, a_tensor_kept_over_a_reset_is_a_named_error)
{
    world k = world_new();
    tl_scope_open(k.tape, "lstm");
    tl_tensor h = tl_name(tl_tanh(tl_use(k.tape, k.w)), "h");
    tl_scope_close(k.tape);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(tl_tape_reset(k.tape), TL_OK);
    h = (tl_tensor){0};
    tl_scope_open(k.tape, "lstm");
    h = tl_name(tl_tanh(tl_use(k.tape, k.w)), "h");
    tl_scope_close(k.tape);
    cr_assert_eq(tl_tape_reset(k.tape), TL_OK);
    cr_assert(!tl_tensor_ok(h));
    tl_use(k.tape, k.w); /* the slot has a new tenant */
    tl_tanh(tl_use(k.tape, k.w));
    tl_tensor y = tl_add(h, h);
    cr_assert(!tl_tensor_ok(y));
    cr_assert_eq(tl_tape_status(k.tape), TL_EDEAD);
    const char *message = tl_tape_error(k.tape);
    cr_assert(strstr(message, "h, recorded in lstm at step 3"), "%s", message);
    world_free(k);
}

Test(life, release_ends_what_came_after_the_mark_and_nothing_else)
{
    world k = world_new();
    tl_tensor w = tl_use(k.tape, k.w);
    tl_tensor y = tl_exp(w);
    for (int i = 0; i < 1000; i++) {
        uint32_t mark = tl_tape_mark(k.tape);
        tl_tensor z = tl_sum_all(tl_scale(y, (double)i));
        cr_assert(isfinite(tl_item(z)));
        cr_assert_eq(tl_tape_release(k.tape, mark), TL_OK);
        cr_assert(!tl_tensor_ok(z));
    }
    cr_assert_lt(tl_tape_nodes(k.tape), 8);
    float v[12];
    cr_assert_eq(tl_read_f32(y, v, 12), TL_OK);
    cr_assert_float_eq(v[11], expf(0.6f), 1e-6);
    world_free(k);
}

Test(life, backward_twice_adds_and_a_commit_without_a_step_stores)
{
    world k = world_new();
    double g[12];
    cr_assert_eq(tl_param_grad_f64(k.w, g, 12), TL_ESTATE);
    for (int round = 1; round <= 2; round++) {
        tl_tensor w = tl_use(k.tape, k.w);
        cr_assert_eq(tl_backward(tl_sum_all(w)), TL_OK);
        cr_assert_eq(tl_backward(tl_sum_all(tl_scale(w, 2.0))), TL_OK);
        cr_assert_eq(tl_commit(k.tape), TL_OK);
        cr_assert_eq(tl_param_grad_f64(k.w, g, 12), TL_OK);
        for (int i = 0; i < 12; i++)
            cr_assert_eq(g[i], 3.0 * round); /* stored gradients add up too */
        cr_assert_eq(tl_tape_reset(k.tape), TL_OK);
    }
    cr_assert_eq(descend(k, tl_sum_all(tl_use(k.tape, k.w))),
                 TL_OK); /* the step takes 6 + 1 and clears */
    float w[12];
    get(k, w);
    cr_assert_float_eq(w[0], -0.5f - 0.7f, 1e-6);
    cr_assert_eq(tl_param_grad_f64(k.w, g, 12), TL_ESTATE);
    world_free(k);
}

Test(life, a_frozen_parameter_gets_no_gradient)
{
    world k = world_new();
    tl_param *b = tl_param_new(k.set, "b", tl_shape1(4), NULL);
    tl_param_freeze(k.w, 1);
    cr_assert_eq(
        tl_backward(tl_add(tl_sum_all(tl_use(k.tape, k.w)), tl_sum_all(tl_use(k.tape, b)))), TL_OK);
    cr_assert(!tl_tensor_ok(tl_param_grad(k.tape, k.w)));
    cr_assert(tl_tensor_ok(tl_param_grad(k.tape, b)));
    cr_assert_eq(tl_tape_status(k.tape), TL_OK);
    world_free(k);
}

Test(life, what_no_grad_recorded_is_a_constant)
{
    world k = world_new();
    tl_tensor w = tl_use(k.tape, k.w);
    tl_no_grad_open(k.tape);
    tl_tensor c = tl_exp(w);
    tl_no_grad_close(k.tape);
    tl_tensor g;
    tl_tensor y = tl_sum_all(tl_mul(w, c));
    cr_assert_eq(tl_grad(1, &y, NULL, 1, &w, &g), TL_OK);
    float a[12], b[12];
    cr_assert_eq(tl_read_f32(g, a, 12), TL_OK);
    cr_assert_eq(tl_read_f32(c, b, 12), TL_OK);
    cr_assert_eq(memcmp(a, b, sizeof a), 0);
    world_free(k);
}

Test(life, a_bound_tensor_stands_for_the_parameter_until_reset)
{
    world k = world_new();
    tl_tensor half = tl_scale(tl_use(k.tape, k.w), 0.5);
    tl_bind(k.tape, k.w, half);
    cr_assert_eq(tl_use(k.tape, k.w).slot, half.slot);
    tl_tensor g, y = tl_sum_all(tl_use(k.tape, k.w));
    cr_assert_eq(tl_grad(1, &y, NULL, 1, &half, &g), TL_OK);
    cr_assert_float_eq(tl_item(tl_sum_all(g)), 12.0, 0);
    tl_bind_clear(k.tape, k.w);
    cr_assert_neq(tl_use(k.tape, k.w).slot, half.slot);
    tl_bind(k.tape, k.w, half);
    cr_assert_eq(tl_tape_reset(k.tape), TL_OK);
    tl_use(k.tape, k.w);
    float v[12];
    cr_assert_eq(tl_read_f32(tl_use(k.tape, k.w), v, 12), TL_OK);
    cr_assert_float_eq(v[0], -0.5f, 1e-7);
    world_free(k);
}

/* w' = w - r w^2 in the place of w: the gradient of sum(3 w') is by w, and a step starts from w. */
Test(life, a_gradient_goes_through_a_bound_tensor_to_the_stored_value)
{
    world k = world_new();
    float before[12], after[12];
    get(k, before);
    const tl_tensor w = tl_use(k.tape, k.w);
    tl_bind(k.tape, k.w, tl_sub(w, tl_scale(tl_square(w), 0.1)));
    cr_assert_eq(tl_use_stored(k.tape, k.w).slot, w.slot);
    cr_assert_eq(tl_backward(tl_sum_all(tl_scale(tl_use(k.tape, k.w), 3))), TL_OK);
    tl_assign(k.w, tl_sub(tl_use_stored(k.tape, k.w), tl_param_grad(k.tape, k.w)));
    tl_set_param_grad(k.tape, k.w, (tl_tensor){0});
    cr_assert_eq(tl_commit(k.tape), TL_OK, "%s", tl_tape_error(k.tape));
    get(k, after);
    for (int i = 0; i < 12; i++)
        cr_assert_float_eq(after[i], before[i] - 3 * (1 - 0.2f * before[i]), 1e-5);
    world_free(k);
}

static int warnings;

static void count_warning(void *user, const char *line)
{
    (void)user;
    warnings += strstr(line, "tl_tape_reset") != NULL;
}

Test(life, a_tape_that_only_grows_warns_once)
{
    tl_set_log(count_warning, NULL);
    tl_tape_opts opts = tl_tape_defaults();
    opts.warn_at = 100;
    tl_tape *tape = tl_tape_new(&opts);
    tl_tensor x = tl_scalar(tape, TL_F32, 1.0);
    for (int i = 0; i < 500; i++)
        x = tl_add(x, x);
    cr_assert_eq(warnings, 1);
    tl_tape_free(tape);
    tl_set_log(NULL, NULL);
}

Test(life, a_tape_that_is_reset_does_not_grow)
{
    tl_tape *tape = tl_tape_new(NULL);
    for (int step = 0; step < 200; step++) {
        if (step == 3)
            tl__fail_after(0); /* counts from here */
        tl_tensor x = tl_scalar(tape, TL_F32, 1.0);
        for (int i = 0; i < 300; i++)
            x = tl_name(tl_slice(tl_reshape(tl_add(x, x), tl_shape1(1)), 0, 0, 1), "x");
        cr_assert_eq(tl_tape_reset(tape), TL_OK);
    }
    cr_assert_eq(tl__alloc_count(), 0, "%ld allocations in steps like those before",
                 tl__alloc_count());
    tl_tape_free(tape);
}
