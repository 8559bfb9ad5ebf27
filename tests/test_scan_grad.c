/* test_scan_grad.c -- gradients through a scan, of orders 1, 2 and 3, against the unrolled loop
 * (unroll.h). Nesting and draws are in test_scan_nested.c. */
#include "tests/unroll.h"

#include <criterion/criterion.h>
#include <math.h>

/* ---- models ---------------------------------------------------------------------------------- */

Test(scan_grad, rnn)
{
    hold_equal(&rnn_model);
}

Test(scan_grad, lstm)
{
    hold_equal(&lstm_model);
}

Test(scan_grad, reverse)
{
    model m = rnn_model;
    m.reverse = 1;
    hold_equal(&m);
    m = lstm_model;
    m.reverse = 1;
    hold_equal(&m);
}

Test(scan_grad, no_step_and_one_step)
{
    for (int64_t T = 0; T < 2; T++) {
        model m = rnn_model;
        m.T = T;
        m.name = T ? "one step" : "no step";
        hold_equal(&m);
        m = lstm_model;
        m.T = T;
        hold_equal(&m);
    }
}

static tl_tensor scalar_step(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x,
                             tl_tensor *state)
{
    (void)tape, (void)h;
    return state[0] = tl_tanh(tl_add(tl_mul(w[0], state[0]), x));
}

Test(scan_grad, third_order)
{
    const model m = {.name = "scalar",
                     .T = 4,
                     .x = {0, {0}},
                     .nstate = 1,
                     .nw = 1,
                     .state = {{0, {0}}},
                     .w = {{0, {0}}},
                     .step = scalar_step,
                     .orders = 3};
    hold_equal(&m);
}

/* (a, b) <- (b, w a + x): the leaves themselves change places. */
static tl_tensor swap_step(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x, tl_tensor *state)
{
    (void)tape, (void)h;
    tl_tensor a = state[0], b = state[1];
    state[0] = b;
    state[1] = tl_tanh(tl_add(tl_mul(w[0], a), x));
    return tl_mul(a, b);
}

/* pure exchange: no node in between. */
static tl_tensor exchange_step(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x,
                               tl_tensor *state)
{
    (void)tape, (void)h;
    tl_tensor a = state[0];
    state[0] = state[1];
    state[1] = a;
    return tl_mul(tl_mul(a, w[0]), x);
}

Test(scan_grad, carries_that_change_places)
{
    model m = {.name = "swap",
               .T = 5,
               .x = {1, {3}},
               .nstate = 2,
               .nw = 1,
               .state = {{1, {3}}, {1, {3}}},
               .w = {{1, {3}}},
               .step = swap_step,
               .orders = 2};
    hold_equal(&m);
    m.step = exchange_step;
    m.name = "exchange";
    hold_equal(&m);
}

/* three carries in a chain: c learns of a only two steps later; the dependence is a fixpoint. */
static tl_tensor chain_step(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x, tl_tensor *state)
{
    (void)tape, (void)h;
    tl_tensor a = state[0], b = state[1], c = state[2];
    state[0] = tl_tanh(tl_add(tl_mul(a, w[0]), x));
    state[1] = tl_sin(tl_add(a, b));
    state[2] = tl_mul(b, w[1]); /* not of c */
    return tl_mul(c, c);
}

Test(scan_grad, a_chain_of_carries)
{
    const model m = {.name = "chain",
                     .T = 5,
                     .x = {1, {2}},
                     .nstate = 3,
                     .nw = 2,
                     .state = {{1, {2}}, {1, {2}}, {1, {2}}},
                     .w = {{1, {2}}, {1, {2}}},
                     .step = chain_step,
                     .orders = 2};
    hold_equal(&m);
}

/* the carry becomes a capture, x or a constant. */
static tl_tensor outer_step(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x, tl_tensor *state)
{
    (void)h;
    tl_tensor y = tl_mul(tl_tanh(tl_add(state[0], state[1])), state[2]);
    state[0] = w[0];
    state[1] = x;
    state[2] = tl_full(tape, TL_F64, tl_shape1(3), 2.0);
    return y;
}

Test(scan_grad, a_carry_that_becomes_something_from_outside)
{
    const model m = {.name = "outer",
                     .T = 4,
                     .x = {1, {3}},
                     .nstate = 3,
                     .nw = 1,
                     .state = {{1, {3}}, {1, {3}}, {1, {3}}},
                     .w = {{1, {3}}},
                     .step = outer_step,
                     .orders = 2};
    hold_equal(&m);
}

/* a capture used twice, its slices, a function of it alone, and x used twice. */
static tl_tensor capture_step(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x,
                              tl_tensor *state)
{
    (void)tape, (void)h;
    tl_tensor a = tl_chunk(w[0], 2, 0), b = tl_chunk(w[0], 2, 1); /* [3] each of [6] */
    tl_tensor v =
        tl_matmul(tl_tanh(tl_transpose(w[1], 0, 1)), tl_exp(w[1])); /* [3,3], of captures alone */
    tl_tensor z = tl_add(tl_mul(a, tl_mul(x, x)), tl_mul(b, tl_matmul(state[0], v)));
    return state[0] = tl_tanh(tl_add(z, tl_sum_to(w[0], tl_shape1(1))));
}

Test(scan_grad, captures_and_inputs_used_twice)
{
    const model m = {.name = "capture",
                     .T = 4,
                     .x = {1, {3}},
                     .nstate = 1,
                     .nw = 2,
                     .state = {{1, {3}}},
                     .w = {{1, {6}}, {2, {3, 3}}},
                     .step = capture_step,
                     .orders = 2};
    hold_equal(&m);
}

/* y does not depend on the state at all, and the state on nothing but itself. */
static tl_tensor apart_step(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x, tl_tensor *state)
{
    (void)tape, (void)h, (void)w;
    state[0] = tl_sin(state[0]);
    return tl_exp(x);
}

Test(scan_grad, an_output_apart_from_the_carry)
{
    const model m = {.name = "apart",
                     .T = 3,
                     .x = {1, {2}},
                     .nstate = 1,
                     .nw = 1,
                     .state = {{1, {2}}},
                     .w = {{1, {2}}},
                     .step = apart_step,
                     .orders = 2};
    hold_equal(&m);
}

/* no x, no y of its own: y is the carry itself. */
static tl_tensor alone_step(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x, tl_tensor *state)
{
    (void)tape, (void)h, (void)x;
    tl_tensor before = state[0];
    state[0] = tl_add(tl_mul(state[0], w[0]), tl_sin(w[0]));
    return before;
}

Test(scan_grad, the_carry_before_the_step_is_an_output)
{
    const model m = {.name = "alone",
                     .T = 4,
                     .x = {-1, {0}},
                     .nstate = 1,
                     .nw = 1,
                     .state = {{1, {2}}},
                     .w = {{1, {2}}},
                     .step = alone_step,
                     .orders = 2};
    hold_equal(&m);
}

/* a long chain of x alone, longer than what an adjoint records again. */
static tl_tensor deep_step(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x, tl_tensor *state)
{
    (void)tape, (void)h;
    tl_tensor v = w[0];
    for (int k = 0; k < 50; k++) {
        x = tl_sin(tl_add(x, x));
        v = tl_reshape(tl_tanh(tl_add(v, w[0])), tl_shape1(2));
    }
    return state[0] = tl_add(tl_mul(state[0], v), x);
}

Test(scan_grad, long_chains_in_a_body)
{
    const model m = {.name = "deep",
                     .T = 3,
                     .x = {1, {2}},
                     .nstate = 1,
                     .nw = 1,
                     .state = {{1, {2}}},
                     .w = {{1, {2}}},
                     .step = deep_step,
                     .orders = 2,
                     .scale = 0.1};
    hold_equal(&m);
}

/* parts of the step are constants: detached, and recorded without gradient. */
static tl_tensor cut_step(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x, tl_tensor *state)
{
    (void)h;
    tl_no_grad_open(tape);
    tl_tensor k = tl_sin(tl_mul(x, w[0])), k2 = tl_exp(x);
    tl_no_grad_close(tape);
    tl_tensor d = tl_detach(tl_tanh(state[0]));
    return state[0] = tl_add(tl_mul(tl_mul(state[0], k), d), tl_mul(tl_mul(k2, w[0]), x));
}

Test(scan_grad, constants_inside_the_body)
{
    const model m = {.name = "cut",
                     .T = 4,
                     .x = {1, {3}},
                     .nstate = 1,
                     .nw = 1,
                     .state = {{1, {3}}},
                     .w = {{1, {3}}},
                     .step = cut_step,
                     .orders = 2};
    hold_equal(&m);
}

/* reductions, rank changes, contractions over the batch: operands that were broadcast. */
static tl_tensor broad_step(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x, tl_tensor *state)
{
    (void)tape, (void)h;
    const int last = -1;
    tl_tensor a = tl_softmax(tl_add(tl_matmul(state[0], w[0]), x), -1); /* [2,3] */
    tl_tensor m = tl_sum(tl_mul(a, w[1]), 1, &last, 1);                 /* [2,1] */
    state[0] = tl_add(tl_mul(a, m), tl_reshape(tl_transpose(state[0], 0, 1), tl_shape2(2, 3)));
    return tl_reshape(m, tl_shape1(2));
}

Test(scan_grad, broadcast_and_reduced)
{
    const model m = {.name = "broad",
                     .T = 3,
                     .x = {1, {3}},
                     .nstate = 1,
                     .nw = 2,
                     .state = {{2, {2, 3}}},
                     .w = {{2, {3, 3}}, {1, {3}}},
                     .step = broad_step,
                     .orders = 2};
    hold_equal(&m);
}

/* Only x is an input and only the last c an output: that c depends on x, and that a has a
 * gradient, is learned step by step. */
Test(scan_grad, what_depends_only_through_other_carries)
{
    const model m = {.name = "chain",
                     .T = 5,
                     .x = {1, {2}},
                     .nstate = 3,
                     .nw = 2,
                     .state = {{1, {2}}, {1, {2}}, {1, {2}}},
                     .w = {{1, {2}}, {1, {2}}},
                     .step = chain_step};
    double got[2][10];
    for (int scan = 0; scan < 2; scan++) {
        recorded r = record(&m, (how){scan, scan});
        tl_tensor y = tl_sum_all(tl_mul(r.last[2], r.last[2])), g;
        tl_grad(1, &y, NULL, 1, &r.in[0], &g);
        cr_assert_eq(tl_read_f64(g, got[scan], 10), TL_OK, "%s", tl_tape_error(r.tape));
        tl_tape_free(r.tape);
    }
    for (int i = 0; i < 10; i++) {
        cr_assert(fabs(got[0][i] - got[1][i]) < 1e-13, "[%d]: loop %.17g, scan %.17g", i, got[0][i],
                  got[1][i]);
        cr_assert((fabs(got[0][i]) > 1e-6) == (i < 6)); /* c lags two steps behind a */
    }
}

/* Inside the body, the gradient of a value that was computed around it: g_t = d(sum v x_t)/dw, v =
 * w w. */
Test(scan_grad, a_gradient_inside_the_body_of_what_lies_around_it)
{
    const double w0[2] = {3, 5}, x0[4] = {1, 10, 100, 1000};
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor w = tl_input_f64(tape, tl_shape1(2), w0), v = tl_mul(w, w), g;
    tl_scan s = tl_scan_open(tape, 2, NULL);
    tl_tensor y = tl_sum_all(tl_mul(v, tl_scan_each(s, tl_input_f64(tape, tl_shape2(2, 2), x0))));
    tl_grad(1, &y, NULL, 1, &w, &g);
    tl_scan_close(s);
    double got[4];
    cr_assert_eq(tl_read_f64(tl_scan_stacked(s, g), got, 4), TL_OK, "%s", tl_tape_error(tape));
    for (int i = 0; i < 4; i++)
        cr_assert(fabs(got[i] - 2 * w0[i % 2] * x0[i]) < 1e-12);
    tl_tape_free(tape);
}

/* Leaves recorded without gradient are constants: x_t here, and what the carry was before the
 * step. */
Test(scan_grad, leaves_without_gradient)
{
    const double x0[3] = {2, 3, 4}, h0 = 5;
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor xs = tl_input_f64(tape, tl_shape1(3), x0),
              init = tl_input_f64(tape, tl_shape0(), &h0), g[2];
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_no_grad_open(tape);
    tl_tensor c = tl_scan_carry(s, init), x = tl_scan_each(s, xs);
    tl_no_grad_close(tape);
    tl_scan_next(s, c, tl_mul(tl_mul(c, x), tl_scan_each(s, xs)));
    tl_scan_close(s);
    tl_tensor y = tl_scan_last(s, c), in[2] = {xs, init};
    tl_grad(1, &y, NULL, 2, in, g);
    double got[3];
    cr_assert_eq(tl_read_f64(g[0], got, 3), TL_OK, "%s", tl_tape_error(tape));
    cr_assert(got[0] == 0 && got[1] == 0 && fabs(got[2] - 180.0 * 4) < 1e-10, "%g %g %g", got[0],
              got[1], got[2]);
    cr_assert(tl_item(g[1]) == 0);
    tl_tape_free(tape);
}
