/* test_scan_nested.c -- scans whose bodies hold draws, other scans and gradients, against the
 * unrolled loop (unroll.h). */
#include "tests/unroll.h"

#include <criterion/criterion.h>

/* draws: two in each step, one of them under the state. */
static tl_tensor noisy_step(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x, tl_tensor *state)
{
    (void)h;
    tl_tensor noise = tl_randn(tape, TL_F64, tl_shape1(4));
    tl_tensor d = tl_dropout(tl_mul(tl_add(state[0], x), w[0]), 0.5);
    return state[0] = tl_tanh(tl_add(d, tl_mul(noise, tl_sin(d))));
}

Test(scan_nested, draws_of_a_step)
{
    model m = {.name = "noisy",
               .T = 6,
               .x = {1, {4}},
               .nstate = 1,
               .nw = 1,
               .state = {{1, {4}}},
               .w = {{1, {4}}},
               .step = noisy_step,
               .orders = 2};
    hold_equal(&m);
    m.reverse = 1;
    hold_equal(&m);
    m.T = 0;
    hold_equal(&m);
}

/* loop_or_scan -- h <- f(h, rows_k) over the leading axis of rows, recorded either way. */
static tl_tensor loop_or_scan(tl_tape *tape, int scan, tl_tensor rows, tl_tensor h, tl_tensor w,
                              tl_tensor (*f)(tl_tape *, tl_tensor h, tl_tensor row, tl_tensor w),
                              tl_tensor *sum)
{
    int64_t n = tl_dim(rows, 0);
    if (!scan) {
        for (int64_t k = 0; k < n; k++) {
            h = f(tape, h, tl_index(rows, 0, k), w);
            *sum = sum->tape ? tl_add(*sum, tl_sin(h)) : tl_sin(h);
        }
        return h;
    }
    tl_scan_opts o = tl_scan_defaults();
    o.name = "inner";
    o.recompute = scan == 2;
    tl_scan s = tl_scan_open(tape, n, &o);
    tl_tensor c = tl_scan_carry(s, h);
    tl_tensor next = f(tape, c, tl_scan_each(s, rows), w);
    tl_tensor sine = tl_sin(next);
    tl_scan_next(s, c, next);
    tl_scan_close(s);
    *sum = tl_scan_summed(s, sine);
    return tl_scan_last(s, c);
}

static tl_tensor inner_f(tl_tape *tape, tl_tensor h, tl_tensor row, tl_tensor w)
{
    (void)tape;
    return tl_tanh(tl_add(tl_mul(h, w), row));
}

/* the inner loop runs over the rows of x, starts from the state, reads a capture of both loops and
 * a value of the outer body. */
static tl_tensor nested_step(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x,
                             tl_tensor *state)
{
    tl_tensor sum = {0};
    tl_tensor gain = tl_mul(tl_tanh(w[0]), tl_sin(state[1]));
    tl_tensor last =
        loop_or_scan(tape, h.inner_scan, tl_mul(x, w[0]), state[0], gain, inner_f, &sum);
    state[0] = tl_tanh(tl_add(last, sum));
    state[1] = tl_mul(sum, w[1]);
    return tl_mul(last, sum);
}

Test(scan_nested, nested)
{
    model m = {.name = "nested",
               .T = 3,
               .x = {2, {4, 2}},
               .nstate = 2,
               .nw = 2,
               .state = {{1, {2}}, {1, {2}}},
               .w = {{1, {2}}, {1, {2}}},
               .step = nested_step,
               .orders = 2};
    hold_equal(&m);
    m.reverse = 1;
    hold_equal(&m);
    m.x = (tl_shape){2, {1, 2}};
    hold_equal(&m);
}

/* the inner loop runs over a capture of the outer one: its xs lie two frames out; and draws
 * numbers of its own. */
static tl_tensor noisy_inner(tl_tape *tape, tl_tensor h, tl_tensor row, tl_tensor w)
{
    return tl_tanh(tl_add(tl_mul(h, w), tl_mul(row, tl_randn(tape, TL_F64, tl_shape1(2)))));
}

static tl_tensor far_step(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x, tl_tensor *state)
{
    tl_tensor sum = {0};
    tl_tensor before = tl_rand(tape, TL_F64, tl_shape1(2));
    tl_tensor last =
        loop_or_scan(tape, h.inner_scan, w[0], tl_mul(state[0], before), w[1], noisy_inner, &sum);
    tl_tensor after = tl_rand(tape, TL_F64, tl_shape1(2));
    return state[0] = tl_add(tl_mul(last, after), tl_mul(sum, x));
}

Test(scan_nested, nested_over_a_capture_with_draws)
{
    const model m = {.name = "far",
                     .T = 3,
                     .x = {1, {2}},
                     .nstate = 1,
                     .nw = 2,
                     .state = {{1, {2}}},
                     .w = {{2, {3, 2}}, {1, {2}}},
                     .step = far_step,
                     .orders = 2};
    hold_equal(&m);
}

/* a gradient inside the body: one step of descent on an inner loss, differentiated through. */
static tl_tensor learn_step(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x, tl_tensor *state)
{
    (void)tape, (void)h;
    tl_tensor fast = state[0], e = tl_sub(tl_tanh(tl_mul(fast, x)), w[0]);
    tl_tensor loss = tl_sum_all(tl_mul(e, e)), g;
    tl_grad(1, &loss, NULL, 1, &fast, &g);
    state[0] = tl_sub(fast, tl_mul(g, w[1]));
    return e;
}

Test(scan_nested, a_gradient_inside_the_body)
{
    const model m = {.name = "learn",
                     .T = 4,
                     .x = {1, {3}},
                     .nstate = 1,
                     .nw = 2,
                     .state = {{1, {3}}},
                     .w = {{1, {3}}, {1, {3}}},
                     .step = learn_step,
                     .orders = 2};
    hold_equal(&m);
}

/* the inner loss runs through an inner scan: an adjoint scan inside the body. */
static tl_tensor learn_nested_step(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x,
                                   tl_tensor *state)
{
    tl_tensor sum = {0}, fast = state[0], g;
    tl_tensor last = loop_or_scan(tape, h.inner_scan, x, w[0], fast, inner_f, &sum);
    tl_tensor loss = tl_sum_all(tl_mul(last, sum));
    tl_grad(1, &loss, NULL, 1, &fast, &g);
    state[0] = tl_sub(fast, tl_scale(g, 0.3));
    return last;
}

Test(scan_nested, a_gradient_of_an_inner_scan_inside_the_body)
{
    const model m = {.name = "learn nested",
                     .T = 3,
                     .x = {2, {3, 2}},
                     .nstate = 1,
                     .nw = 1,
                     .state = {{1, {2}}},
                     .w = {{1, {2}}},
                     .step = learn_nested_step,
                     .orders = 2};
    hold_equal(&m);
}
