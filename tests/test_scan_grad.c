/* test_scan_grad.c -- a scan against the plain C loop that records the body T times: two routes to the same numbers.
 *
 * A model is data: shapes and a step. It is recorded as a scan or as a loop; of both come every output, the loss
 *
 *     L = sum over t of <c_t, y_t> + 1/2 |y_t|^2 + sum over i of <c_i, last_i> + 1/2 |last_i|^2
 *
 * its gradient g for every input, and the gradients of sum <r, g>, and of sum <r', gradients of that>: orders 1, 2 and 3. */
#include "ops/ops.h"

#include "core/node.h"
#include "core/random.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 8, ROOM = 4096 };

/* How a body is to be recorded: `inner` loops of a step may be scans or plain loops too. */
typedef struct how {
    int scan, inner_scan;
} how;

typedef struct model model;
struct model {
    const char *name;
    int64_t T;
    int reverse;
    tl_shape x;              /* of one step; rank -1: no input */
    int nstate, nw;
    tl_shape state[3], w[4];
    /* step -- replaces state[] and returns y */
    tl_tensor (*step)(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x, tl_tensor *state);
    int orders;
    double scale;            /* of the random inputs; 0: 0.7 */
};

/* draw -- n numbers in [-scale, scale], always the same for a stream. */
static void draw(uint64_t stream, double scale, int64_t n, double *out)
{
    tl_rng r = {.seed = 7, .stream = stream};
    for (int64_t i = 0; i < n; i++)
        out[i] = scale * (2.0 * tl__rng_uniform(&r) - 1.0);
}

static tl_tensor constant(tl_tape *tape, uint64_t stream, double scale, tl_shape shape)
{
    int64_t n = tl_shape_count(shape);
    double *v = malloc(sizeof(double) * (size_t)(n + 1));
    draw(stream, scale, n, v);
    tl_tensor t = tl_input_f64(tape, shape, v);
    free(v);
    return t;
}

static tl_shape with_time(int64_t T, tl_shape s)
{
    memmove(s.dim + 1, s.dim, sizeof s.dim[0] * (TL_MAX_RANK - 1));
    s.dim[0] = T;
    s.rank++;
    return s;
}

/* squared -- <c, v> + 1/2 |v|^2 */
static tl_tensor squared(tl_tape *tape, uint64_t stream, tl_tensor v)
{
    tl_tensor c = constant(tape, stream, 1.0, tl_shape_of(v));
    return tl_sum_all(tl_add(tl_mul(c, v), tl_scale(tl_mul(v, v), 0.5)));
}

/* recorded -- what a model gives on one tape. */
typedef struct recorded {
    tl_tape *tape;
    int nin;
    tl_tensor in[MOST]; /* xs, initial states, captures */
    tl_tensor last[3], ys;
    tl_tensor loss;
    tl_tensor grad[3][MOST]; /* by order */
} recorded;

static void record_scan(const model *m, how h, recorded *r, tl_tensor xs, const tl_tensor *init, const tl_tensor *w)
{
    tl_scan_opts o = tl_scan_defaults();
    o.reverse = m->reverse;
    o.name = m->name;
    tl_scan s = tl_scan_open(r->tape, m->T, &o);
    tl_tensor carry[3], state[3];
    for (int i = 0; i < m->nstate; i++)
        state[i] = carry[i] = tl_scan_carry(s, init[i]);
    tl_tensor x = xs.tape ? tl_scan_each(s, xs) : xs;
    tl_tensor y = m->step(r->tape, h, w, x, state);
    for (int i = 0; i < m->nstate; i++)
        tl_scan_next(s, carry[i], state[i]);
    tl_scan_close(s);
    for (int i = 0; i < m->nstate; i++)
        r->last[i] = tl_scan_last(s, carry[i]);
    r->ys = tl_scan_stacked(s, y);
}

static void record_loop(const model *m, how h, recorded *r, tl_tensor xs, const tl_tensor *init, const tl_tensor *w)
{
    tl_tensor *ys = calloc((size_t)m->T + 1, sizeof *ys);
    for (int i = 0; i < m->nstate; i++)
        r->last[i] = init[i];
    for (int64_t k = 0; k < m->T; k++) {
        int64_t t = m->reverse ? m->T - 1 - k : k;
        ys[t] = m->step(r->tape, h, w, xs.tape ? tl_index(xs, 0, t) : xs, r->last);
    }
    r->ys = m->T > 0 ? tl_stack((int)m->T, ys, 0) : (tl_tensor){0};
    free(ys);
}

static recorded record(const model *m, how h)
{
    recorded r = {.tape = tl_tape_new(NULL)};
    const double scale = m->scale > 0 ? m->scale : 0.7;
    tl_tensor xs = {0}, init[3], w[4];
    if (m->x.rank >= 0)
        r.in[r.nin++] = xs = constant(r.tape, 1, scale, with_time(m->T, m->x));
    for (int i = 0; i < m->nstate; i++)
        r.in[r.nin++] = init[i] = constant(r.tape, 10 + (uint64_t)i, scale, m->state[i]);
    for (int i = 0; i < m->nw; i++)
        r.in[r.nin++] = w[i] = constant(r.tape, 20 + (uint64_t)i, scale, m->w[i]);
    if (h.scan)
        record_scan(m, h, &r, xs, init, w);
    else
        record_loop(m, h, &r, xs, init, w);

    r.loss = tl_scalar(r.tape, TL_F64, 0.0);
    if (r.ys.tape)
        r.loss = tl_add(r.loss, squared(r.tape, 30, r.ys));
    for (int i = 0; i < m->nstate; i++)
        r.loss = tl_add(r.loss, squared(r.tape, 40 + (uint64_t)i, r.last[i]));
    tl_tensor out = r.loss;
    for (int order = 0; order < m->orders; order++) {
        tl_grad(1, &out, NULL, r.nin, r.in, r.grad[order]);
        out = tl_scalar(r.tape, TL_F64, 0.0);
        for (int i = 0; i < r.nin; i++) {
            tl_tensor c = constant(r.tape, 50 + 10 * (uint64_t)order + (uint64_t)i, 1.0, tl_shape_of(r.in[i]));
            out = tl_add(out, tl_sum_all(tl_mul(c, r.grad[order][i])));
        }
    }
    cr_assert_eq(tl_tape_status(r.tape), TL_OK, "%s: %s", m->name, tl_tape_error(r.tape));
    return r;
}

/* same -- both tensors have the same finite elements, to 1e-10 of the largest. */
static void same(const char *name, const char *part, int index, tl_tensor a, tl_tensor b)
{
    static double x[ROOM], y[ROOM];
    int64_t n = tl_shape_count(tl_shape_of(a));
    cr_assert(tl_shape_equal(tl_shape_of(a), tl_shape_of(b)), "%s: %s %d: shapes differ", name, part, index);
    cr_assert(n <= ROOM);
    cr_assert_eq(tl_read_f64(a, x, n), TL_OK, "%s: %s %d: %s", name, part, index, tl_tape_error(a.tape));
    cr_assert_eq(tl_read_f64(b, y, n), TL_OK, "%s: %s %d: %s", name, part, index, tl_tape_error(b.tape));
    double most = 1e-3;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs(y[i]));
    for (int64_t i = 0; i < n; i++)
        cr_assert(isfinite(x[i]) && isfinite(y[i]) && fabs(x[i] - y[i]) <= 1e-10 * most,
                  "%s: %s %d, element %lld: scan %.17g, loop %.17g", name, part, index, (long long)i, x[i], y[i]);
}

/* hold_equal -- scan and loop give the same everything; the inner loop, if the step has one, in all four combinations. */
static void hold_equal(const model *m)
{
    const how ways[3] = {{1, 1}, {1, 0}, {0, 1}}, plain = {0, 0};
    for (int k = 0; k < 3; k++) {
        recorded loop = record(m, plain), scan = record(m, ways[k]);
        if (loop.ys.tape)
            same(m->name, "ys", 0, scan.ys, loop.ys);
        for (int i = 0; i < m->nstate; i++)
            same(m->name, "last", i, scan.last[i], loop.last[i]);
        same(m->name, "loss", 0, scan.loss, loop.loss);
        for (int order = 0; order < m->orders; order++)
            for (int i = 0; i < loop.nin; i++) {
                const char *part[3] = {"first gradient of input", "second gradient of input", "third gradient of input"};
                same(m->name, part[order], i, scan.grad[order][i], loop.grad[order][i]);
            }
        cr_assert_eq(tl_draws(scan.tape), tl_draws(loop.tape), "%s: draw counters differ", m->name);
        tl_tape_free(loop.tape);
        tl_tape_free(scan.tape);
    }
}

/* ---- models --------------------------------------------------------------------------------------- */

static tl_tensor rnn_step(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x, tl_tensor *state)
{
    (void)tape, (void)h;
    return state[0] = tl_tanh(tl_add(tl_linear(x, w[0], w[2]), tl_linear(state[0], w[1], (tl_tensor){0})));
}

static const model rnn = {
    .name = "rnn", .T = 5, .x = {2, {2, 3}}, .nstate = 1, .nw = 3, .state = {{2, {2, 4}}},
    .w = {{2, {4, 3}}, {2, {4, 4}}, {1, {4}}}, .step = rnn_step, .orders = 2,
};

static tl_tensor lstm_step(tl_tape *tape, how hw, const tl_tensor *w, tl_tensor x, tl_tensor *state)
{
    (void)tape, (void)hw;
    tl_tensor z = tl_add(tl_linear(x, w[0], w[2]), tl_linear(state[0], w[1], w[2]));
    tl_tensor i = tl_sigmoid(tl_chunk(z, 4, 0)), f = tl_sigmoid(tl_chunk(z, 4, 1));
    tl_tensor g = tl_tanh(tl_chunk(z, 4, 2)), o = tl_sigmoid(tl_chunk(z, 4, 3));
    state[1] = tl_add(tl_mul(f, state[1]), tl_mul(i, g));
    return state[0] = tl_mul(o, tl_tanh(state[1]));
}

static const model lstm = {
    .name = "lstm", .T = 4, .x = {2, {2, 3}}, .nstate = 2, .nw = 3, .state = {{2, {2, 2}}, {2, {2, 2}}},
    .w = {{2, {8, 3}}, {2, {8, 2}}, {1, {8}}}, .step = lstm_step, .orders = 2,
};

Test(scan_grad, rnn)
{
    hold_equal(&rnn);
}

Test(scan_grad, lstm)
{
    hold_equal(&lstm);
}

Test(scan_grad, reverse)
{
    model m = rnn;
    m.reverse = 1;
    hold_equal(&m);
    m = lstm;
    m.reverse = 1;
    hold_equal(&m);
}

Test(scan_grad, no_step_and_one_step)
{
    for (int64_t T = 0; T < 2; T++) {
        model m = rnn;
        m.T = T;
        m.name = T ? "one step" : "no step";
        hold_equal(&m);
        m = lstm;
        m.T = T;
        hold_equal(&m);
    }
}

static tl_tensor scalar_step(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x, tl_tensor *state)
{
    (void)tape, (void)h;
    return state[0] = tl_tanh(tl_add(tl_mul(w[0], state[0]), x));
}

Test(scan_grad, third_order)
{
    const model m = {.name = "scalar", .T = 4, .x = {0, {0}}, .nstate = 1, .nw = 1, .state = {{0, {0}}},
                     .w = {{0, {0}}}, .step = scalar_step, .orders = 3};
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
static tl_tensor exchange_step(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x, tl_tensor *state)
{
    (void)tape, (void)h;
    tl_tensor a = state[0];
    state[0] = state[1];
    state[1] = a;
    return tl_mul(tl_mul(a, w[0]), x);
}

Test(scan_grad, carries_that_change_places)
{
    model m = {.name = "swap", .T = 5, .x = {1, {3}}, .nstate = 2, .nw = 1, .state = {{1, {3}}, {1, {3}}},
               .w = {{1, {3}}}, .step = swap_step, .orders = 2};
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
    const model m = {.name = "chain", .T = 5, .x = {1, {2}}, .nstate = 3, .nw = 2,
                     .state = {{1, {2}}, {1, {2}}, {1, {2}}}, .w = {{1, {2}}, {1, {2}}}, .step = chain_step, .orders = 2};
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
    const model m = {.name = "outer", .T = 4, .x = {1, {3}}, .nstate = 3, .nw = 1,
                     .state = {{1, {3}}, {1, {3}}, {1, {3}}}, .w = {{1, {3}}}, .step = outer_step, .orders = 2};
    hold_equal(&m);
}

/* a capture used twice, its slices, a function of it alone, and x used twice. */
static tl_tensor capture_step(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x, tl_tensor *state)
{
    (void)tape, (void)h;
    tl_tensor a = tl_chunk(w[0], 2, 0), b = tl_chunk(w[0], 2, 1);            /* [3] each of [6] */
    tl_tensor v = tl_matmul(tl_tanh(tl_transpose(w[1], 0, 1)), tl_exp(w[1])); /* [3,3], of captures alone */
    tl_tensor z = tl_add(tl_mul(a, tl_mul(x, x)), tl_mul(b, tl_matmul(state[0], v)));
    return state[0] = tl_tanh(tl_add(z, tl_sum_to(w[0], tl_shape1(1))));
}

Test(scan_grad, captures_and_inputs_used_twice)
{
    const model m = {.name = "capture", .T = 4, .x = {1, {3}}, .nstate = 1, .nw = 2, .state = {{1, {3}}},
                     .w = {{1, {6}}, {2, {3, 3}}}, .step = capture_step, .orders = 2};
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
    const model m = {.name = "apart", .T = 3, .x = {1, {2}}, .nstate = 1, .nw = 1, .state = {{1, {2}}}, .w = {{1, {2}}},
                     .step = apart_step, .orders = 2};
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
    const model m = {.name = "alone", .T = 4, .x = {-1, {0}}, .nstate = 1, .nw = 1, .state = {{1, {2}}}, .w = {{1, {2}}},
                     .step = alone_step, .orders = 2};
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
    const model m = {.name = "deep", .T = 3, .x = {1, {2}}, .nstate = 1, .nw = 1, .state = {{1, {2}}}, .w = {{1, {2}}},
                     .step = deep_step, .orders = 2, .scale = 0.1};
    hold_equal(&m);
}

/* draws: two in each step, one of them under the state. */
static tl_tensor noisy_step(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x, tl_tensor *state)
{
    (void)h;
    tl_tensor noise = tl_randn(tape, TL_F64, tl_shape1(4));
    tl_tensor d = tl_dropout(tl_mul(tl_add(state[0], x), w[0]), 0.5);
    return state[0] = tl_tanh(tl_add(d, tl_mul(noise, tl_sin(d))));
}

Test(scan_grad, draws_of_a_step)
{
    model m = {.name = "noisy", .T = 6, .x = {1, {4}}, .nstate = 1, .nw = 1, .state = {{1, {4}}}, .w = {{1, {4}}},
               .step = noisy_step, .orders = 2};
    hold_equal(&m);
    m.reverse = 1;
    hold_equal(&m);
    m.T = 0;
    hold_equal(&m);
}

/* loop_or_scan -- h <- f(h, rows_k) over the leading axis of rows, recorded either way. */
static tl_tensor loop_or_scan(tl_tape *tape, int scan, tl_tensor rows, tl_tensor h, tl_tensor w,
                              tl_tensor (*f)(tl_tape *, tl_tensor h, tl_tensor row, tl_tensor w), tl_tensor *sum)
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

/* the inner loop runs over the rows of x, starts from the state, reads a capture of both loops and a value of the outer body. */
static tl_tensor nested_step(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x, tl_tensor *state)
{
    tl_tensor sum = {0};
    tl_tensor gain = tl_mul(tl_tanh(w[0]), tl_sin(state[1]));
    tl_tensor last = loop_or_scan(tape, h.inner_scan, tl_mul(x, w[0]), state[0], gain, inner_f, &sum);
    state[0] = tl_tanh(tl_add(last, sum));
    state[1] = tl_mul(sum, w[1]);
    return tl_mul(last, sum);
}

Test(scan_grad, nested)
{
    model m = {.name = "nested", .T = 3, .x = {2, {4, 2}}, .nstate = 2, .nw = 2, .state = {{1, {2}}, {1, {2}}},
               .w = {{1, {2}}, {1, {2}}}, .step = nested_step, .orders = 2};
    hold_equal(&m);
    m.reverse = 1;
    hold_equal(&m);
    m.x = (tl_shape){2, {1, 2}};
    hold_equal(&m);
}

/* the inner loop runs over a capture of the outer one: its xs lie two frames out; and draws numbers of its own. */
static tl_tensor noisy_inner(tl_tape *tape, tl_tensor h, tl_tensor row, tl_tensor w)
{
    return tl_tanh(tl_add(tl_mul(h, w), tl_mul(row, tl_randn(tape, TL_F64, tl_shape1(2)))));
}

static tl_tensor far_step(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x, tl_tensor *state)
{
    tl_tensor sum = {0};
    tl_tensor before = tl_rand(tape, TL_F64, tl_shape1(2));
    tl_tensor last = loop_or_scan(tape, h.inner_scan, w[0], tl_mul(state[0], before), w[1], noisy_inner, &sum);
    tl_tensor after = tl_rand(tape, TL_F64, tl_shape1(2));
    return state[0] = tl_add(tl_mul(last, after), tl_mul(sum, x));
}

Test(scan_grad, nested_over_a_capture_with_draws)
{
    const model m = {.name = "far", .T = 3, .x = {1, {2}}, .nstate = 1, .nw = 2, .state = {{1, {2}}},
                     .w = {{2, {3, 2}}, {1, {2}}}, .step = far_step, .orders = 2};
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

Test(scan_grad, a_gradient_inside_the_body)
{
    const model m = {.name = "learn", .T = 4, .x = {1, {3}}, .nstate = 1, .nw = 2, .state = {{1, {3}}},
                     .w = {{1, {3}}, {1, {3}}}, .step = learn_step, .orders = 2};
    hold_equal(&m);
}

/* the inner loss runs through an inner scan: an adjoint scan inside the body. */
static tl_tensor learn_nested_step(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x, tl_tensor *state)
{
    tl_tensor sum = {0}, fast = state[0], g;
    tl_tensor last = loop_or_scan(tape, h.inner_scan, x, w[0], fast, inner_f, &sum);
    tl_tensor loss = tl_sum_all(tl_mul(last, sum));
    tl_grad(1, &loss, NULL, 1, &fast, &g);
    state[0] = tl_sub(fast, tl_scale(g, 0.3));
    return last;
}

Test(scan_grad, a_gradient_of_an_inner_scan_inside_the_body)
{
    const model m = {.name = "learn nested", .T = 3, .x = {2, {3, 2}}, .nstate = 1, .nw = 1, .state = {{1, {2}}},
                     .w = {{1, {2}}}, .step = learn_nested_step, .orders = 2};
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
    const model m = {.name = "cut", .T = 4, .x = {1, {3}}, .nstate = 1, .nw = 1, .state = {{1, {3}}}, .w = {{1, {3}}},
                     .step = cut_step, .orders = 2};
    hold_equal(&m);
}

/* reductions, rank changes, contractions over the batch: operands that were broadcast. */
static tl_tensor broad_step(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x, tl_tensor *state)
{
    (void)tape, (void)h;
    const int last = -1;
    tl_tensor a = tl_softmax(tl_add(tl_matmul(state[0], w[0]), x), -1);                 /* [2,3] */
    tl_tensor m = tl_sum(tl_mul(a, w[1]), 1, &last, 1);                                 /* [2,1] */
    state[0] = tl_add(tl_mul(a, m), tl_reshape(tl_transpose(state[0], 0, 1), tl_shape2(2, 3)));
    return tl_reshape(m, tl_shape1(2));
}

Test(scan_grad, broadcast_and_reduced)
{
    const model m = {.name = "broad", .T = 3, .x = {1, {3}}, .nstate = 1, .nw = 2, .state = {{2, {2, 3}}},
                     .w = {{2, {3, 3}}, {1, {3}}}, .step = broad_step, .orders = 2};
    hold_equal(&m);
}
