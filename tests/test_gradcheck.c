/* test_gradcheck.c -- the gradient check finds what is planted: wrong rules of several kinds. */
#include "tests/gradcheck.h"

#include "core/grad.h"
#include "ops/elementwise.h"
#include "ops/registry.h"
#include "tests/check.h"

#include <math.h>
#include <string.h>

static tl_op planted; /* one test is one process */

static tl_tensor planted_call(const tl_tensor *in)
{
    return tl_record(&planted, planted.reads & TL_READS(1) ? 2 : 1, in, NULL);
}

static const tl_case one_operand = {1, {{2, {2, 3}}}, {TL_ANY}, 0, planted_call};

/* plant -- a copy of an operation with another rule. */
static void plant(const tl_op *op, void (*adjoint)(tl_adj *), uint32_t reads)
{
    planted = *op;
    planted.adjoint = adjoint;
    planted.reads = reads;
}

static void cos_rule(tl_adj *q)
{
    q->d[0] = tl_mul(q->g, tl_cos(q->in[0]));
}

Test(gradcheck, passes_a_right_rule)
{
    char message[CHECK_MESSAGE];
    plant(&tl_op_sin, cos_rule, TL_READS(0));
    cr_assert(gradcheck(&planted, &one_operand, 2, 1, message), "%s", message);
}

static void double_rule(tl_adj *q)
{
    q->d[0] = tl_scale(tl_mul(q->g, tl_cos(q->in[0])), 1.0001);
}

Test(gradcheck, finds_a_wrong_factor)
{
    char message[CHECK_MESSAGE];
    plant(&tl_op_sin, double_rule, TL_READS(0));
    cr_assert_not(gradcheck(&planted, &one_operand, 1, 1, message));
    cr_assert(strstr(message, "order 1, input 0, element [0,0]"), "%s", message);
}

Test(gradcheck, finds_an_undeclared_read)
{
    char message[CHECK_MESSAGE];
    plant(&tl_op_sin, cos_rule, 0);
    cr_assert_not(gradcheck(&planted, &one_operand, 1, 1, message));
}

static void no_rule(tl_adj *q)
{
    (void)q;
}

Test(gradcheck, finds_a_missing_gradient)
{
    char message[CHECK_MESSAGE];
    plant(&tl_op_sin, no_rule, 0);
    cr_assert_not(gradcheck(&planted, &one_operand, 1, 1, message));
}

/* Right at order 1, but a constant for the next. */
static void detached_rule(tl_adj *q)
{
    q->d[0] = tl_mul(q->g, tl_detach(tl_cos(q->in[0])));
}

Test(gradcheck, finds_an_error_that_only_order_2_shows)
{
    char message[CHECK_MESSAGE];
    plant(&tl_op_sin, detached_rule, TL_READS(0));
    cr_assert(gradcheck(&planted, &one_operand, 1, 1, message), "%s", message);
    cr_assert_not(gradcheck(&planted, &one_operand, 2, 1, message));
    cr_assert(strstr(message, "order 2"), "%s", message);
}

/* The right number, but not linear in g: what forward mode makes of it is another. */
static void bent_rule(tl_adj *q)
{
    const tl_tensor g = tl_sub(tl_relu(q->g), tl_relu(tl_neg(q->g)));
    q->d[0] = tl_mul(g, tl_cos(q->in[0]));
}

Test(gradcheck, finds_a_rule_that_forward_mode_cannot_use)
{
    char message[CHECK_MESSAGE];
    plant(&tl_op_sin, bent_rule, TL_READS(0));
    cr_assert_not(gradcheck(&planted, &one_operand, 1, 1, message));
    cr_assert(strstr(message, "order 1: forward mode has"), "%s", message);
}

/* Right when both gradients are asked for, forgets operand 1 otherwise. */
static void needy_rule(tl_adj *q)
{
    q->d[0] = tl_mul(q->g, q->in[1]);
    if (q->need & 1u)
        q->d[1] = tl_mul(q->g, q->in[0]);
}

Test(gradcheck, finds_a_rule_that_mistakes_what_is_needed)
{
    static const tl_case two = {2, {{1, {3}}, {1, {3}}}, {TL_ANY, TL_ANY}, 0, planted_call};
    char message[CHECK_MESSAGE];
    plant(&tl_op_mul, needy_rule, TL_READS(0) | TL_READS(1));
    cr_assert_not(gradcheck(&planted, &two, 1, 1, message));
    cr_assert(strstr(message, "input 1"), "%s", message);
}

static tl_tensor other_call(const tl_tensor *in)
{
    return tl_cos(in[0]);
}

Test(gradcheck, finds_a_case_that_does_not_record_the_operation)
{
    static const tl_case other = {1, {{1, {3}}}, {TL_ANY}, 0, other_call};
    char message[CHECK_MESSAGE];
    cr_assert_not(gradcheck(&tl_op_sin, &other, 1, 1, message));
    cr_assert(strstr(message, "does not record sin"), "%s", message);
}

Test(gradcheck, allclose_rejects_nan_and_says_where)
{
    const double got[] = {1, CHECK_NAN, 3}, want[] = {1, 2, 3}, inf[] = {CHECK_INF},
                 minus[] = {-CHECK_INF};
    char message[CHECK_MESSAGE];
    cr_assert_not(check_allclose(3, got, want, 1, 1, message));
    cr_assert(strstr(message, "element 1: got nan, want 2"), "%s", message);
    cr_assert_not(check_allclose(3, want, got, 1, 1, message));
    cr_assert_not(check_allclose(1, inf, minus, 1, 1, message));
    cr_assert(check_allclose(1, inf, inf, 0, 0, message));
    cr_assert(check_allclose(3, got, got, 0, 0, message));
    cr_assert_not(
        check_allclose(1, (const double[]){1.1}, (const double[]){1}, 0.05, 0.04, message));
    cr_assert(check_allclose(1, (const double[]){1.1}, (const double[]){1}, 0.05, 0.06, message));
}
