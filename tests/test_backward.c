/* test_backward.c -- the queue of parameter gradients. The sweep is tested in test_grad.c,
 * sequences in test_life.c. */
#include "core/run.h"
#include "tapeloop.h"

#include <criterion/criterion.h>
#include <string.h>

Test(backward, the_loss_must_be_one_number)
{
    tl_tape *tape = tl_tape_new(NULL);
    cr_assert_eq(tl_backward(tl_zeros(tape, TL_F32, tl_shape1(3))), TL_ESHAPE);
    cr_assert(strstr(tl_tape_error(tape), "[3]"), "%s", tl_tape_error(tape));
    tl_tape_reset(tape);
    tl_params *set = tl_params_new(TL_F32);
    tl_param *w = tl_param_new(set, "w", tl_shape2(1, 1), NULL);
    cr_assert_eq(tl_backward(tl_exp(tl_use(tape, w))), TL_OK);
    tl_tensor none = {0};
    cr_assert_eq(tl_backward(none), TL_EINVAL);
    tl_tape_free(tape);
    tl_params_free(set);
}

/* Zeros that are a gradient are not the zeros of what nothing depends on. */
Test(backward, a_loss_that_no_parameter_goes_into_is_an_error)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_params *set = tl_params_new(TL_F64);
    tl_param *w = tl_param_new(set, "w", tl_shape1(2), NULL);
    cr_assert_eq(tl_backward(tl_ones(tape, TL_F64, tl_shape0())), TL_ENOGRAD);
    tl_tape_reset(tape);
    cr_assert_eq(tl_backward(tl_sum_all(tl_detach(tl_use(tape, w)))), TL_ENOGRAD);
    cr_assert(strstr(tl_tape_error(tape), "tl_detach"), "%s", tl_tape_error(tape));
    tl_tape_reset(tape);
    cr_assert_eq(tl_backward(tl_sum_all(tl_scale(tl_use(tape, w), 0))), TL_OK);
    cr_assert_eq(tl_commit(tape), TL_OK);
    tl_param_freeze(w, 1);
    tl_tape_reset(tape);
    cr_assert_eq(tl_backward(tl_sum_all(tl_use(tape, w))), TL_ENOGRAD);
    cr_assert(strstr(tl_tape_error(tape), "all 1 parameters"), "%s", tl_tape_error(tape));
    tl_tape_free(tape);
    tl_params_free(set);
}

Test(backward, a_parameter_the_loss_does_not_reach_gets_zeros)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_params *set = tl_params_new(TL_F64);
    tl_param *a = tl_param_new(set, "a", tl_shape1(2), NULL),
             *b = tl_param_new(set, "b", tl_shape1(2), NULL);
    tl_use(tape, b);
    cr_assert_eq(tl_backward(tl_sum_all(tl_use(tape, a))), TL_OK);
    double g[2];
    cr_assert_eq(tl_read_f64(tl_param_grad(tape, a), g, 2), TL_OK);
    cr_assert(g[0] == 1 && g[1] == 1);
    cr_assert_eq(tl_read_f64(tl_param_grad(tape, b), g, 2), TL_OK);
    cr_assert(g[0] == 0 && g[1] == 0);
    tl_commit(tape);
    tl_tape_free(tape);
    tl_params_free(set);
}

Test(backward, a_gradient_can_be_transformed_before_it_is_stored)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_params *set = tl_params_new(TL_F64);
    tl_param *a = tl_param_new(set, "a", tl_shape1(2), NULL);
    tl_backward(tl_sum_all(tl_use(tape, a)));
    tl_set_param_grad(tape, a, tl_scale(tl_param_grad(tape, a), -3.0));
    cr_assert_eq(tl_commit(tape), TL_OK);
    double g[2];
    cr_assert_eq(tl_param_grad_f64(a, g, 2), TL_OK);
    cr_assert_eq(g[1], -3.0);
    tl_set_param_grad(tape, a, tl_zeros(tape, TL_F64, tl_shape1(3)));
    cr_assert_eq(tl_tape_status(tape), TL_ESHAPE);
    tl_tape_free(tape);
    tl_params_free(set);
}

Test(backward, the_loss_is_computed_with_the_commit)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_params *set = tl_params_new(TL_F64);
    tl_param *a = tl_param_new(set, "a", tl_shape1(2), NULL);
    /* [1], so that it is not kept for being a scalar; its gradient does not need its value */
    tl_tensor loss = tl_reshape(tl_add_scalar(tl_sum_all(tl_use(tape, a)), 4.0), tl_shape1(1));
    loss = tl_scale(loss, 2.0);
    cr_assert_eq(tl_backward(loss), TL_OK);
    cr_assert_eq(tl_commit(tape), TL_OK);
    const uint64_t runs = tl__run_stats(tape).runs;
    cr_assert_eq(tl_item(loss), 8.0);
    cr_assert_eq(tl__run_stats(tape).runs, runs, "the loss was computed a second time");
    tl_tape_free(tape);
    tl_params_free(set);
}

Test(backward, a_gradient_after_clearing_starts_from_nothing)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_params *set = tl_params_new(TL_F64);
    tl_param *a = tl_param_new(set, "a", tl_shape1(2), NULL);
    double g[2];
    tl_backward(tl_sum_all(tl_use(tape, a)));
    cr_assert_eq(tl_commit(tape), TL_OK); /* stored: 1 */
    tl_set_param_grad(tape, a, (tl_tensor){0});
    cr_assert(!tl_tensor_ok(tl_param_grad(tape, a)));
    tl_backward(tl_sum_all(tl_scale(tl_use(tape, a), 5.0)));
    cr_assert_eq(tl_read_f64(tl_param_grad(tape, a), g, 2), TL_OK);
    cr_assert_eq(g[0], 5.0);
    cr_assert_eq(tl_commit(tape), TL_OK);
    cr_assert_eq(tl_param_grad_f64(a, g, 2), TL_OK);
    cr_assert_eq(g[1], 5.0);
    tl_tape_free(tape);
    tl_params_free(set);
}

Test(backward, it_is_refused_inside_a_scan)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor x = tl_scalar(tape, TL_F32, 1.0);
    tl_scan_open(tape, 2, NULL);
    cr_assert_eq(tl_backward(x), TL_EFRAME);
    tl_tape_free(tape);
}
