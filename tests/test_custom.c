/* test_custom.c -- gradients of the user's: values, orders 1 and 2, scans, programs' passes, and
 * the ready-made ones. */
#include "ops/custom.h"

#include "core/forward.h"
#include "core/scan.h"
#include "core/space.h"
#include "ops/check_grad.h"
#include "ops/elementwise.h"
#include "tests/check.h"

#include <string.h>

static char report[CHECK_MESSAGE];

/* newton -- sqrt(a) by Newton's iteration y = (y + a/y) / 2, recorded step by step. */
static tl_tensor newton(tl_tensor a)
{
    tl_tensor y = tl_add_scalar(tl_scale(a, 0.5), 0.5);
    for (int k = 0; k < 8; k++)
        y = tl_scale(tl_add(y, tl_div(a, y)), 0.5);
    return y;
}

/* By the implicit function theorem: y^2 = a, so da = g / (2 y). */
static void sqrt_rule(tl_custom *q)
{
    q->d[0] = tl_div(q->g[0], tl_scale(q->out[0], 2));
}

static const tl_custom_rule sqrt_of = {"newton", sqrt_rule, NULL};

static tl_tensor implicit_sqrt(tl_tensor a)
{
    const tl_tensor y = newton(a);
    tl_tensor result = {0};
    tl_custom_grad(1, &a, 1, &y, &sqrt_of, &result);
    return result;
}

static int sqrt_function(void *ctx, tl_tape *tape, int nin, const tl_tensor *in, int nout,
                         tl_tensor *out)
{
    (void)ctx, (void)nin, (void)nout;
    out[0] = implicit_sqrt(in[0]);
    return tl_tape_status(tape);
}

static const tl_check_input positive[] = {{{2, {2, 3}}, TL_POSITIVE, 0, NULL},
                                          {{2, {2, 3}}, TL_ANY, 0, NULL}};

Test(custom, an_implicit_gradient_is_that_of_the_unrolled_solver)
{
    tl_tape *tape = check_tape(1);
    const double x[] = {0.5, 1, 2};
    const tl_tensor a = tl_input_f64(tape, tl_shape1(3), x), y = newton(a), z = implicit_sqrt(a);
    tl_tensor dy, dz, ddy, ddz;
    assert_same(y, z, 0, 0);
    tl_grad(1, &y, NULL, 1, &a, &dy);
    const uint32_t before = tl_tape_nodes(tape);
    tl_grad(1, &z, NULL, 1, &a, &dz);
    cr_expect(tl_tape_nodes(tape) - before < 8, "the solver is not swept");
    assert_same(dz, dy, 1e-12, 0);
    tl_grad(1, &dy, NULL, 1, &a, &ddy);
    tl_grad(1, &dz, NULL, 1, &a, &ddz);
    assert_same(ddz, ddy, 1e-10, 0);
    tl_tape_free(tape);
    cr_assert_eq(tl_check_grad(sqrt_function, NULL, 1, positive, 1, NULL, report, sizeof report),
                 TL_OK, "%s", report);
}

/* ---- several inputs and outputs -------------------------------------------------------------- */

/* y = a b, z = sum of a over columns; factor in ctx. */
static void pair_rule(tl_custom *q)
{
    const double k = *(const double *)q->ctx;
    cr_expect_eq(q->nout, 2);
    const tl_tensor da = tl_add(tl_mul(q->g[0], q->in[1]), q->g[1]);
    q->d[0] = tl_scale(da, k);
    if (q->need & 2u)
        q->d[1] = tl_scale(tl_mul(q->g[0], q->in[0]), k);
}

static int pair_function(void *ctx, tl_tape *tape, int nin, const tl_tensor *in, int nout,
                         tl_tensor *out)
{
    (void)nin, (void)nout;
    const tl_tensor y = tl_mul(in[0], in[1]), z = tl_sum_keep(in[0], 2u), of[] = {y, z};
    const tl_custom_rule rule = {"pair", pair_rule, ctx};
    tl_custom_grad(2, in, 2, of, &rule, out);
    return tl_tape_status(tape);
}

Test(custom, several_inputs_and_outputs)
{
    double k = 1;
    cr_assert_eq(tl_check_grad(pair_function, &k, 2, positive, 2, NULL, report, sizeof report),
                 TL_OK, "%s", report);
    k = 2;
    cr_assert_eq(tl_check_grad(pair_function, &k, 2, positive, 2, NULL, report, sizeof report),
                 TL_ENOGRAD);
}

/* ---- scans ----------------------------------------------------------------------------------- */

/* recurrence -- h' = sqrt(h + x_t + 1), by the operation or by the solver with its own gradient. */
static tl_tensor recurrence(tl_tensor x, tl_tensor h0, int own, int recompute)
{
    tl_scan_opts o = tl_scan_defaults();
    o.recompute = recompute;
    const tl_scan s = tl_scan_open(x.tape, tl_dim(x, 0), &o);
    const tl_tensor h = tl_scan_carry(s, h0), sum = tl_add_scalar(tl_add(h, tl_scan_each(s, x)), 1);
    tl_scan_next(s, h, own ? implicit_sqrt(sum) : tl_sqrt(sum));
    tl_scan_close(s);
    return tl_scan_last(s, h);
}

Test(custom, in_a_scans_body_and_in_one_that_recomputes)
{
    for (int recompute = 0; recompute < 2; recompute++) {
        tl_tape *tape = check_tape(1);
        const double x[] = {0.5, 1, 2, 0.25, 3, 1}, h[] = {1, 2};
        const tl_tensor in[] = {tl_input_f64(tape, tl_shape2(3, 2), x),
                                tl_input_f64(tape, tl_shape1(2), h)};
        const tl_tensor y = recurrence(in[0], in[1], 0, recompute),
                        z = recurrence(in[0], in[1], 1, recompute);
        tl_tensor dy[2], dz[2], ddy, ddz;
        tl_grad(1, &y, NULL, 2, in, dy);
        tl_grad(1, &z, NULL, 2, in, dz);
        assert_same(z, y, 1e-12, 0);
        assert_same(dz[0], dy[0], 1e-12, 0);
        assert_same(dz[1], dy[1], 1e-12, 0);
        tl_grad(1, &dy[0], NULL, 1, &in[1], &ddy);
        tl_grad(1, &dz[0], NULL, 1, &in[1], &ddz);
        assert_same(ddz, ddy, 1e-10, 0);
        assert_ok(tape);
        tl_tape_free(tape);
    }
}

/* The rule is the gradient in forward mode too, whatever the value is made of. */
Test(custom, forward_mode_goes_by_the_rule)
{
    tl_tape *tape = check_tape(1);
    const double x[] = {0.5, 1, 2}, one[] = {1, 1, 1}, minus[] = {-3, -3, -3};
    const tl_tensor a = tl_input_f64(tape, tl_shape1(3), x),
                    v = tl_input_f64(tape, tl_shape1(3), one), y = tl_grad_scale(a, -3),
                    z = implicit_sqrt(a), w = tl_sqrt(a);
    tl_tensor d, e;
    tl_jvp(1, &a, &v, 1, &y, &d);
    assert_tensor(d, 3, minus, 0, 0);
    tl_jvp(1, &a, &v, 1, &z, &d);
    tl_jvp(1, &a, &v, 1, &w, &e);
    assert_same(d, e, 1e-12, 0);
    tl_tape_free(tape);
}

/* ---- ready-made ------------------------------------------------------------------------------ */

Test(custom, ready_made_gradients)
{
    tl_tape *tape = check_tape(1);
    const double x[] = {-1.5, 0.25, 2}, w[] = {-5, 0.5, 7}, reversed[] = {5, -0.5, -7},
                 scaled[] = {-2.5, 0.25, 3.5}, clipped[] = {-1, 0.5, 2}, signs[] = {-1, 1, 1};
    const tl_tensor a = tl_input_f64(tape, tl_shape1(3), x),
                    g = tl_input_f64(tape, tl_shape1(3), w);
    const tl_tensor y[] = {tl_grad_reverse(a), tl_grad_scale(a, 0.5), tl_grad_clip(a, -1, 2),
                           tl_straight_through(tl_sign(a), a)};
    const double *const want[] = {reversed, scaled, clipped, w};
    for (int k = 0; k < 4; k++) {
        tl_tensor d;
        tl_grad(1, &y[k], &g, 1, &a, &d);
        assert_tensor(d, 3, want[k], 0, 0);
        assert_tensor(y[k], 3, k == 3 ? signs : x, 0, 0);
    }
    tl_tape_free(tape);
}

Test(custom, under_no_grad_it_is_a_constant)
{
    tl_tape *tape = check_tape(1);
    const double x[] = {4}, zero[] = {0};
    const tl_tensor a = tl_input_f64(tape, tl_shape1(1), x);
    tl_no_grad_open(tape);
    const tl_tensor y = implicit_sqrt(a);
    tl_no_grad_close(tape);
    tl_tensor d;
    tl_grad(1, &y, NULL, 1, &a, &d);
    assert_tensor(d, 1, zero, 0, 0);
    tl_tape_free(tape);
}

/* Two rules in turn on tapes of one shape: the second uses the first one's plan and its own rule. */
Test(custom, the_rule_is_no_part_of_a_plan)
{
    tl_tape *tape = check_tape(1);
    const double x[] = {3};
    for (int k = 1; k < 4; k++) {
        double factor = k;
        const tl_tensor a = tl_input_f64(tape, tl_shape1(1), x), of[] = {tl_mul(a, a), a},
                        in[] = {a, a};
        const tl_custom_rule rule = {"pair", pair_rule, &factor};
        tl_tensor y[2], d;
        tl_custom_grad(2, in, 2, of, &rule, y);
        tl_grad(2, y, NULL, 1, &a, &d);
        const double want[] = {(3 + 1 + 3) * factor};
        assert_tensor(d, 1, want, 0, 0);
        cr_assert_eq(tl_tape_reset(tape), TL_OK);
    }
    tl_tape_free(tape);
}

static void misshapen_rule(tl_custom *q)
{
    q->d[0] = tl_zeros(q->g[0].tape, TL_F64, tl_shape1(5));
}

Test(custom, errors)
{
    tl_tape *tape = check_tape(1);
    const tl_custom_rule rule = {"bent", misshapen_rule, NULL}, none = {"bent", NULL, NULL};
    tl_tensor a = tl_ones(tape, TL_F64, tl_shape1(3)), y, d;
    a = tl_add(a, a);
    cr_assert_eq(tl_custom_grad(1, &a, 1, &a, &rule, &y), TL_OK);
    cr_assert_eq(tl_grad(1, &y, NULL, 1, &a, &d), TL_ESHAPE);
    assert_fails(tape, TL_ESHAPE, "bent: the rule's gradient of input 0 is f64 [5], want f64 [3]");
    cr_assert_eq(tl_tape_reset(tape), TL_OK);
    a = tl_ones(tape, TL_F64, tl_shape1(3));
    cr_assert_eq(tl_custom_grad(1, &a, 1, &a, &none, &y), TL_EINVAL);
    cr_assert_null(y.tape);
    tl_tape_free(tape);
}
