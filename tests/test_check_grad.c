/* test_check_grad.c -- the public check of gradients finds what is planted, says where, and passes
 * what is right; descriptors that lack something are errors when recorded. */
#include "ops/check_grad.h"

#include "core/grad.h"
#include "core/space.h"
#include "ops/elementwise.h"
#include "ops/noise.h"
#include "ops/registry.h"
#include "tests/check.h"

#include <string.h>

static char report[CHECK_MESSAGE];

/* ---- functions ------------------------------------------------------------------------------- */

static int product(void *ctx, tl_tape *tape, int nin, const tl_tensor *in, int nout, tl_tensor *out)
{
    (void)ctx, (void)nin, (void)nout;
    out[0] = tl_mul(tl_sin(in[0]), in[1]);
    out[1] = tl_exp(in[1]);
    return tl_tape_status(tape);
}

static const tl_check_input two[] = {{{2, {2, 3}}, TL_ANY, 0, NULL}, {{1, {3}}, TL_UNIT, 0, NULL}};

Test(check_grad, passes_what_is_right)
{
    cr_assert_eq(tl_check_grad(product, NULL, 2, two, 2, NULL, report, sizeof report), TL_OK, "%s",
                 report);
    cr_assert(strstr(report, "right: 18 derivatives of orders 1 to 2"), "%s", report);
    tl_check_opts o = tl_check_defaults();
    o.directions = 3;
    o.order = 1;
    cr_assert_eq(tl_check_grad(product, NULL, 2, two, 2, &o, report, sizeof report), TL_OK, "%s",
                 report);
    cr_assert(strstr(report, "right: 6 derivatives of orders 1 to 1"), "%s", report);
    cr_assert_eq(tl_check_grad(product, NULL, 2, two, 2, &o, NULL, 0), TL_OK);
}

/* forgetful -- the gradient misses what column 2 of in[0] does. */
static int forgetful(void *ctx, tl_tape *tape, int nin, const tl_tensor *in, int nout,
                     tl_tensor *out)
{
    (void)ctx, (void)nin, (void)nout;
    const tl_tensor right = tl_slice(in[0], 1, 2, 1);
    out[0] = tl_add(tl_mul(tl_slice(in[0], 1, 0, 1), in[1]), tl_detach(right));
    return tl_tape_status(tape);
}

Test(check_grad, says_where_it_is_wrong)
{
    const double values[] = {1, 2, 3, 4, 5, 6};
    const tl_check_input in[] = {{{2, {2, 3}}, TL_ANY, 0, values}, {{0, {0}}, TL_ANY, 0, NULL}};
    cr_assert_eq(tl_check_grad(forgetful, NULL, 2, in, 1, NULL, report, sizeof report), TL_ENOGRAD);
    cr_assert(
        strstr(report, "order 1, input 0, element [0,2]: the gradient is 0, differences give"),
        "%s", report);
    /* w (1 + a) for elements [0,2] and [1,2], of which the second is larger, and input 1 is right */
    cr_assert(strstr(report, "; wrong in 2 of 7, worst at input 0, element [1,2]: 0 for "), "%s",
              report);
    tl_check_opts o = tl_check_defaults();
    o.directions = 1;
    cr_assert_eq(tl_check_grad(forgetful, NULL, 2, in, 1, &o, report, sizeof report), TL_ENOGRAD);
    cr_assert(strstr(report, "order 1, input 0, direction 0: the gradient is"), "%s", report);
    cr_assert(strstr(report, "; wrong in 1 of 2") && !strstr(report, "worst"), "%s", report);
}

/* The values of the inputs are those that were given: 2 x at x = 3. */
Test(check_grad, takes_the_values_that_it_is_given)
{
    const double three = 3;
    const tl_check_input in[] = {{{0, {0}}, TL_ANY, 0, &three}, {{0, {0}}, TL_ANY, 0, &three}};
    tl_check_opts o = tl_check_defaults();
    o.atol = o.rtol = 0;
    o.order = 1;
    cr_assert_eq(tl_check_grad(product, NULL, 2, in, 2, &o, report, sizeof report), TL_ENOGRAD,
                 "no tolerance at all: %s", report);
    cr_assert(strstr(report, "tolerance 0"), "%s", report);
}

static int noise(void *ctx, tl_tape *tape, int nin, const tl_tensor *in, int nout, tl_tensor *out)
{
    (void)nin, (void)nout;
    if (ctx)
        tl_set_draws(tape, (*(uint64_t *)ctx)++);
    out[0] = tl_dropout(in[0], 0.5);
    return tl_tape_status(tape);
}

Test(check_grad, draws_are_the_same_each_time)
{
    uint64_t number = 0;
    cr_assert_eq(tl_check_grad(noise, NULL, 1, two, 1, NULL, report, sizeof report), TL_OK, "%s",
                 report);
    cr_assert_eq(tl_check_grad(noise, &number, 1, two, 1, NULL, report, sizeof report), TL_EINVAL);
    cr_assert(strstr(report, "something else when it is called again"), "%s", report);
}

static int unset(void *ctx, tl_tape *tape, int nin, const tl_tensor *in, int nout, tl_tensor *out)
{
    (void)tape, (void)nin, (void)in, (void)nout, (void)out;
    return ctx ? TL_EIO : TL_OK;
}

static int misfit(void *ctx, tl_tape *tape, int nin, const tl_tensor *in, int nout, tl_tensor *out)
{
    (void)ctx, (void)tape, (void)nin, (void)nout;
    out[0] = tl_mul(in[0], tl_zeros(in[0].tape, TL_F64, tl_shape1(5)));
    return TL_OK;
}

static int whole(void *ctx, tl_tape *tape, int nin, const tl_tensor *in, int nout, tl_tensor *out)
{
    (void)ctx, (void)nin, (void)nout;
    out[0] = tl_cast(in[0], TL_I32);
    return tl_tape_status(tape);
}

Test(check_grad, failures_of_the_function_are_reported)
{
    int any = 0;
    cr_assert_eq(tl_check_grad(unset, NULL, 2, two, 1, NULL, report, sizeof report), TL_EINVAL);
    cr_assert(strstr(report, "left output 0 unset"), "%s", report);
    cr_assert_eq(tl_check_grad(unset, &any, 2, two, 1, NULL, report, sizeof report), TL_EIO);
    cr_assert(strstr(report, "the function returned -10"), "%s", report);
    cr_assert_eq(tl_check_grad(misfit, NULL, 2, two, 1, NULL, report, sizeof report), TL_ESHAPE);
    cr_assert(strstr(report, "mul: got [2,3] and [5]"), "%s", report);
    cr_assert_eq(tl_check_grad(whole, NULL, 2, two, 1, NULL, report, sizeof report), TL_EDTYPE);
    cr_assert(strstr(report, "nothing to differentiate"), "%s", report);
    cr_assert_eq(tl_check_grad(product, NULL, 17, two, 1, NULL, report, sizeof report), TL_EINVAL);
    tl_check_opts o = tl_check_defaults();
    o.order = 3;
    cr_assert_eq(tl_check_grad(product, NULL, 2, two, 2, &o, report, sizeof report), TL_EINVAL);
    cr_assert(strstr(report, "got order 3"), "%s", report);
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static tl_op planted; /* one test is one process */

static void plant(void (*adjoint)(tl_adj *), uint32_t reads)
{
    planted = tl_op_sin;
    planted.name = "planted";
    planted.adjoint = adjoint;
    planted.reads = reads;
}

static void cos_rule(tl_adj *q)
{
    q->d[0] = tl_mul(q->g, tl_cos(q->in[0]));
}

/* recorded -- the code of recording the planted descriptor with n operands of ones. */
static int recorded(int n, tl_dtype dtype, const char *words)
{
    tl_tape *tape = check_tape(1);
    const tl_tensor a = tl_ones(tape, dtype, tl_shape1(3)), in[] = {a, a};
    const tl_tensor t = tl_record(&planted, n, in, NULL);
    const int code = tl_tape_status(tape);
    cr_expect(!tl_tensor_ok(t) && strstr(tl_tape_error(tape), words), "%s", tl_tape_error(tape));
    cr_expect(tl_tape_reset(tape) == TL_OK);
    tl_tape_free(tape);
    return code;
}

static tl_tile_fn no_tile(const tl_dtype *in, tl_dtype out)
{
    (void)in, (void)out;
    return NULL;
}

Test(check_grad, a_descriptor_that_lacks_something_is_an_error_when_recorded)
{
    plant(NULL, 0);
    cr_expect_eq(recorded(1, TL_F64, "planted: the descriptor of this operation has no adjoint"),
                 TL_EINVAL);
    plant(cos_rule, TL_READS(0));
    planted.shape = NULL;
    planted.nin = 0;
    cr_expect_eq(recorded(2, TL_F64, "has no shape rule"), TL_EINVAL);
    plant(cos_rule, TL_READS(0));
    planted.nin = -1;
    cr_expect_eq(recorded(1, TL_F64, "wants a negative number of operands"), TL_EINVAL);
    planted.nin = 2;
    cr_expect_eq(recorded(1, TL_F64, "planted: got 1 operands, want 2"), TL_EINVAL);
    planted.nin = 0;
    planted.tile = NULL;
    cr_expect_eq(recorded(1, TL_F64, "is pointwise and has no tile"), TL_EINVAL);
    planted.kind = TL_VIEW;
    cr_expect_eq(recorded(1, TL_F64, "has no view rule"), TL_EINVAL);
    planted.kind = TL_OTHER;
    cr_expect_eq(recorded(1, TL_F64, "run is missing"), TL_EINVAL);
    planted.kind = TL_LEAF;
    cr_expect_eq(recorded(1, TL_F64, "only the library records"), TL_EINVAL);
    planted.kind = (tl_kind)99;
    cr_expect_eq(recorded(1, TL_F64, "unknown kind"), TL_EINVAL);
    plant(cos_rule, TL_READS(0));
    planted.tile = no_tile;
    cr_expect_eq(recorded(1, TL_F64, "there is no kernel from f64 to f64"), TL_EDTYPE);
    planted.name = NULL;
    cr_expect_eq(recorded(1, TL_F64, "tl_record: the descriptor of this operation has no name"),
                 TL_EINVAL);
    tl_tape *tape = check_tape(1);
    const tl_tensor a = tl_ones(tape, TL_F64, tl_shape1(3));
    tl_record(NULL, 1, &a, NULL);
    assert_fails(tape, TL_EINVAL, "tl_record: the descriptor of this operation is NULL");
    tl_tape_free(tape);
}
