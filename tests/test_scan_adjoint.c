/* test_scan_adjoint.c -- the adjoint of a scan against differences and the textbook, and what is
 * recorded of it. Against the unrolled loop it is held in test_scan_grad.c. */
#include "tests/gradcheck.h"
#include "tests/unroll.h"

#include "core/scan_record.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* ---- against differences --------------------------------------------------------------------- */

/* all three kinds of results, of an RNN in either direction. */
static tl_tensor all_results(const tl_tensor *in, int reverse)
{
    tl_scan_opts o = tl_scan_defaults();
    o.reverse = reverse;
    tl_scan s = tl_scan_open(in[0].tape, tl_dim(in[0], 0), &o);
    tl_tensor h = tl_scan_carry(s, in[1]), x = tl_scan_each(s, in[0]);
    tl_tensor h1 =
        tl_tanh(tl_add(tl_linear(x, in[2], (tl_tensor){0}), tl_linear(h, in[3], (tl_tensor){0})));
    tl_tensor product = tl_mul(h, h1);
    tl_scan_next(s, h, h1);
    tl_scan_close(s);
    return tl_add(tl_mul(tl_scan_stacked(s, h1), tl_scan_last(s, h)), tl_scan_summed(s, product));
}

static tl_tensor all_forward(const tl_tensor *in)
{
    return all_results(in, 0);
}

static tl_tensor all_reverse(const tl_tensor *in)
{
    return all_results(in, 1);
}

Test(scan_adjoint, differences_agree)
{
    static const tl_op *const ops[] = {&tl_op_loop, &tl_op_carry,   &tl_op_each,
                                       &tl_op_last, &tl_op_stacked, &tl_op_summed};
    tl_case c = {4,
                 {{3, {4, 2, 3}}, {2, {2, 2}}, {2, {2, 3}}, {2, {2, 2}}},
                 {TL_ANY, TL_ANY, TL_ANY, TL_ANY},
                 0,
                 all_forward};
    char message[400];
    for (int k = 0; k < 6; k++)
        cr_assert(gradcheck(ops[k], &c, 2, 1, message), "%s", message);
    c.call = all_reverse;
    cr_assert(gradcheck(NULL, &c, 2, 2, message), "%s", message);
}

/* ---- against the textbook -------------------------------------------------------------------- */

/* h_t = tanh(w h_{t-1} + x_t), L = sum over t of c_t h_t. With zeros e_t added to the state,
 * dL/de_t is the total derivative delta_t = c_t + w (1 - h_{t+1}^2) delta_{t+1}; dL/d(stacked h)
 * is c_t, the direct part only. */
Test(scan_adjoint, total_derivatives_by_probes)
{
    enum { T = 6 };
    const double w = 0.8, h0 = 0.3;
    double x[T], c[T], zero[T] = {0}, h[T], delta[T], dw = 0;
    for (int t = 0; t < T; t++) {
        x[t] = 0.3 * t - 0.7;
        c[t] = 1.0 / (1 + t);
        h[t] = tanh(w * (t ? h[t - 1] : h0) + x[t]);
    }
    for (int t = T - 1; t >= 0; t--) {
        delta[t] = c[t] + (t + 1 < T ? w * (1 - h[t + 1] * h[t + 1]) * delta[t + 1] : 0);
        dw += delta[t] * (1 - h[t] * h[t]) * (t ? h[t - 1] : h0);
    }
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor e = tl_input_f64(tape, tl_shape1(T), zero), W = tl_input_f64(tape, tl_shape0(), &w);
    tl_scan s = tl_scan_open(tape, T, NULL);
    tl_tensor carry = tl_scan_carry(s, tl_input_f64(tape, tl_shape0(), &h0));
    tl_tensor next = tl_add(
        tl_tanh(tl_add(tl_mul(W, carry), tl_scan_each(s, tl_input_f64(tape, tl_shape1(T), x)))),
        tl_scan_each(s, e));
    tl_scan_next(s, carry, next);
    tl_scan_close(s);
    tl_tensor hs = tl_scan_stacked(s, next),
              loss = tl_sum_all(tl_mul(hs, tl_input_f64(tape, tl_shape1(T), c)));
    tl_tensor in[3] = {e, hs, W}, g[3];
    cr_assert_eq(tl_grad(1, &loss, NULL, 3, in, g), TL_OK, "%s", tl_tape_error(tape));
    double total[T], direct[T];
    cr_assert_eq(tl_read_f64(g[0], total, T), TL_OK, "%s", tl_tape_error(tape));
    cr_assert_eq(tl_read_f64(g[1], direct, T), TL_OK);
    for (int t = 0; t < T; t++) {
        cr_assert(fabs(total[t] - delta[t]) < 1e-14, "delta[%d]: got %.17g, want %.17g", t,
                  total[t], delta[t]);
        cr_assert(fabs(direct[t] - c[t]) < 1e-15);
    }
    cr_assert(fabs(tl_item(g[2]) - dw) < 1e-14);
    tl_tape_free(tape);
}

/* ---- what is recorded ------------------------------------------------------------------------ */

/* The gradient of a capture is summed over the steps: the adjoint carries dh and nothing of a
 * weight's size. */
Test(scan_adjoint, the_gradient_of_a_capture_is_no_carry)
{
    model m = lstm_model;
    m.orders = 1;
    recorded r = record(&m, (how){1, 1});
    cr_assert_eq(r.tape->nframes, 4u); /* the tape itself, the body, its adjoint, its tangent */
    const tl_frame *adjoint = &r.tape->frames[2];
    cr_assert_eq(adjoint->ncarries, 2);
    cr_assert_eq(adjoint->reverse, 1);
    for (uint32_t i = 0; i < adjoint->ncarries; i++)
        cr_assert(
            tl_shape_equal(r.tape->nodes[adjoint->carries[i].source].shape, lstm_model.state[0]));
    uint32_t sums = 0;
    for (uint32_t k = 0; k < adjoint->nresults; k++)
        sums += r.tape->nodes[adjoint->results[k]].op == &tl_op_summed;
    cr_assert(sums >= 3, "%u", sums);
    tl_tape_free(r.tape);
}

/* No gradient of what nobody asks for: only the state's way back is recorded. */
Test(scan_adjoint, only_what_is_asked_for_is_recorded)
{
    recorded r = {.tape = tl_tape_new(NULL)};
    model m = lstm_model;
    m.orders = 0;
    record_on(&m, (how){1, 1}, &r);
    tl_tensor g;
    tl_grad(1, &r.loss, NULL, 1, &r.in[0], &g);
    const tl_frame *adjoint = &r.tape->frames[r.tape->nframes - 1];
    for (uint32_t k = 0; k < adjoint->nresults; k++)
        cr_assert_neq(r.tape->nodes[adjoint->results[k]].op, &tl_op_summed);
    tl_tape_free(r.tape);
}

/* The length of the loop changes nothing that is recorded. */
Test(scan_adjoint, the_tape_does_not_grow_with_T)
{
    model m = rnn_model;
    recorded few = record(&m, (how){1, 1});
    m.T = 50;
    recorded many = record(&m, (how){1, 1});
    cr_assert_eq(tl_tape_nodes(few.tape), tl_tape_nodes(many.tape));
    tl_tape_free(few.tape);
    tl_tape_free(many.tape);
}

/* Asking twice gives the same expression of the same residuals: the body is not asked for more. */
Test(scan_adjoint, a_second_gradient_of_the_same_scan_asks_for_no_more)
{
    recorded r = {.tape = tl_tape_new(NULL)};
    model m = lstm_model;
    m.orders = 0;
    record_on(&m, (how){1, 1}, &r);
    tl_tensor g[8];
    tl_no_grad_open(r.tape);
    tl_grad(1, &r.loss, NULL, r.nin, r.in, g);
    tl_no_grad_close(r.tape);
    uint32_t results = r.tape->frames[1].nresults;
    tl_grad(1, &r.loss, NULL, r.nin, r.in, g);
    cr_assert_eq(r.tape->frames[1].nresults, results);
    cr_assert_eq(tl_tape_status(r.tape), TL_OK, "%s", tl_tape_error(r.tape));
    tl_tape_free(r.tape);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* Recording a scan with its first and second gradient, the n-th allocation failing: TL_ENOMEM, and
 * after a reset it goes through. */
Test(scan_adjoint, every_allocation_of_recording_may_fail)
{
    model m = lstm_model;
    m.orders = 2;
    int failures = 0;
    for (long n = 1;; n++) {
        tl__fail_after(n);
        recorded r = {.tape = tl_tape_new(NULL)};
        if (r.tape)
            record_on(&m, (how){1, 1}, &r);
        tl__fail_after(0);
        if (!r.tape)
            continue;
        int code = tl_tape_status(r.tape);
        cr_assert(code == TL_OK || code == TL_ENOMEM, "allocation %ld: %s", n,
                  tl_tape_error(r.tape));
        failures += code != TL_OK;
        if (code) {
            cr_assert_eq(tl_tape_reset(r.tape), TL_OK);
            recorded again = {.tape = r.tape};
            record_on(&m, (how){1, 1}, &again);
            cr_assert_eq(tl_tape_status(r.tape), TL_OK, "after allocation %ld: %s", n,
                         tl_tape_error(r.tape));
        }
        tl_tape_free(r.tape);
        if (!code)
            break;
    }
    cr_assert(failures > 30, "only %d allocations failed", failures);
}
