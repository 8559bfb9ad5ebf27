/* unroll.c -- records models as scans and as loops, and compares. */
#include "tests/unroll.h"

#include "core/forward.h"
#include "core/random.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 4096 };

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

static void record_scan(const model *m, how h, recorded *r, tl_tensor xs, const tl_tensor *init,
                        const tl_tensor *w)
{
    tl_scan_opts o = tl_scan_defaults();
    o.reverse = m->reverse;
    o.name = m->name;
    o.recompute = h.scan == 2;
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

static void record_loop(const model *m, how h, recorded *r, tl_tensor xs, const tl_tensor *init,
                        const tl_tensor *w)
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

void record_on(const model *m, how h, recorded *r)
{
    const double scale = m->scale > 0 ? m->scale : 0.7;
    tl_tensor xs = {0}, init[3], w[4];
    if (m->x.rank >= 0)
        r->in[r->nin++] = xs = constant(r->tape, 1, scale, with_time(m->T, m->x));
    for (int i = 0; i < m->nstate; i++)
        r->in[r->nin++] = init[i] = constant(r->tape, 10 + (uint64_t)i, scale, m->state[i]);
    for (int i = 0; i < m->nw; i++)
        r->in[r->nin++] = w[i] = constant(r->tape, 20 + (uint64_t)i, scale, m->w[i]);
    if (h.scan)
        record_scan(m, h, r, xs, init, w);
    else
        record_loop(m, h, r, xs, init, w);

    r->loss = tl_scalar(r->tape, TL_F64, 0.0);
    if (r->ys.tape)
        r->loss = tl_add(r->loss, squared(r->tape, 30, r->ys));
    for (int i = 0; i < m->nstate; i++)
        r->loss = tl_add(r->loss, squared(r->tape, 40 + (uint64_t)i, r->last[i]));
    tl_tensor out = r->loss;
    for (int order = 0; order < m->orders; order++) {
        tl_tensor c[8];
        for (int i = 0; i < r->nin; i++)
            c[i] = constant(r->tape, 50 + 10 * (uint64_t)order + (uint64_t)i, 1.0,
                            tl_shape_of(r->in[i]));
        tl_grad(1, &out, NULL, r->nin, r->in, r->grad[order]);
        if (order < 2)
            tl_jvp(r->nin, r->in, c, 1, &out, &r->pushed[order]);
        out = tl_scalar(r->tape, TL_F64, 0.0);
        for (int i = 0; i < r->nin; i++)
            out = tl_add(out, tl_sum_all(tl_mul(c[i], r->grad[order][i])));
        if (order < 2)
            r->dotted[order] = out;
    }
}

recorded record(const model *m, how h)
{
    recorded r = {.tape = tl_tape_new(NULL)};
    record_on(m, h, &r);
    cr_assert_eq(tl_tape_status(r.tape), TL_OK, "%s: %s", m->name, tl_tape_error(r.tape));
    return r;
}

/* same -- both tensors have the same finite elements, to 1e-10 of the largest. */
static void same(const char *name, const char *part, int index, tl_tensor a, tl_tensor b)
{
    static double x[ROOM], y[ROOM];
    int64_t n = tl_shape_count(tl_shape_of(a));
    cr_assert(tl_shape_equal(tl_shape_of(a), tl_shape_of(b)), "%s: %s %d: shapes differ", name,
              part, index);
    cr_assert(n <= ROOM);
    cr_assert_eq(tl_read_f64(a, x, n), TL_OK, "%s: %s %d: %s", name, part, index,
                 tl_tape_error(a.tape));
    cr_assert_eq(tl_read_f64(b, y, n), TL_OK, "%s: %s %d: %s", name, part, index,
                 tl_tape_error(b.tape));
    double most = 1e-3;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs(y[i]));
    for (int64_t i = 0; i < n; i++)
        cr_assert(isfinite(x[i]) && isfinite(y[i]) && fabs(x[i] - y[i]) <= 1e-10 * most,
                  "%s: %s %d, element %lld: scan %.17g, loop %.17g", name, part, index,
                  (long long)i, x[i], y[i]);
}

void hold_equal(const model *m)
{
    const how ways[] = {{1, 1}, {1, 0}, {0, 1}, {2, 0}, {2, 1}, {1, 2}, {2, 2}}, plain = {0, 0};
    for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) {
        recorded loop = record(m, plain), scan = record(m, ways[k]);
        if (loop.ys.tape)
            same(m->name, "ys", 0, scan.ys, loop.ys);
        for (int i = 0; i < m->nstate; i++)
            same(m->name, "last", i, scan.last[i], loop.last[i]);
        same(m->name, "loss", 0, scan.loss, loop.loss);
        for (int order = 0; order < m->orders; order++)
            for (int i = 0; i < loop.nin; i++) {
                const char *part[3] = {"first gradient of input", "second gradient of input",
                                       "third gradient of input"};
                same(m->name, part[order], i, scan.grad[order][i], loop.grad[order][i]);
            }
        for (int order = 0; order < m->orders && order < 2; order++) {
            same(m->name, "forward mode of the loop, order", order, loop.pushed[order],
                 loop.dotted[order]);
            same(m->name, "forward mode, order", order, scan.pushed[order], loop.dotted[order]);
        }
        cr_assert_eq(tl_draws(scan.tape), tl_draws(loop.tape), "%s: draw counters differ", m->name);
        tl_tape_free(loop.tape);
        tl_tape_free(scan.tape);
    }
}

/* ---- two models that several tests use ------------------------------------------------- */

static tl_tensor rnn_step(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x, tl_tensor *state)
{
    (void)tape, (void)h;
    return state[0] =
               tl_tanh(tl_add(tl_linear(x, w[0], w[2]), tl_linear(state[0], w[1], (tl_tensor){0})));
}

const model rnn_model = {
    .name = "rnn",
    .T = 5,
    .x = {2, {2, 3}},
    .nstate = 1,
    .nw = 3,
    .state = {{2, {2, 4}}},
    .w = {{2, {4, 3}}, {2, {4, 4}}, {1, {4}}},
    .step = rnn_step,
    .orders = 2,
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

const model lstm_model = {
    .name = "lstm",
    .T = 4,
    .x = {2, {2, 3}},
    .nstate = 2,
    .nw = 3,
    .state = {{2, {2, 2}}, {2, {2, 2}}},
    .w = {{2, {8, 3}}, {2, {8, 2}}, {1, {8}}},
    .step = lstm_step,
    .orders = 2,
};
