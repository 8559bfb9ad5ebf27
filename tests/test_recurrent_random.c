/* test_recurrent_random.c -- random recurrent cells, made of what cells are made of: products of x
 * and of the carries with weights, sums of them, slices as gates, biases. With all passes, for
 * short periods and several threads, values, gradients and the tangent of the loss are those of the
 * plain plan; and forward mode and reverse mode agree.
 *
 *     narrow   [B,H]    x, the carries, and what is made of them
 *     wide     [B,2H]   products with stacked weights, their sums; read in halves */
#include "core/forward.h"
#include "core/random.h"
#include "core/run.h"
#include "core/scan.h"
#include "core/space.h"
#include "core/threads.h"
#include "ops/ops.h"
#include "tests/check.h"

#include <stdlib.h>

enum { B = 3, H = 4, PROGRAMS = 150, POOL = 64, WEIGHTS = 3, CARRIES = 2, MOST = 4000 };

typedef struct cell {
    tl_rng *choice;
    tl_tensor square[WEIGHTS], stacked[WEIGHTS], bias[WEIGHTS]; /* [H,H], [2H,H], [2H] */
    tl_tensor narrow[POOL], wide[POOL];
    int nnarrow, nwide;
    int apart; /* rows are not mixed: their lengths differ */
} cell;

static int below(cell *c, int n)
{
    return (int)tl__rng_below(c->choice, (uint64_t)n);
}

static tl_tensor pick(cell *c, const tl_tensor *v, int n)
{
    const int late = n < 4 ? n : 4;
    return below(c, 3) ? v[n - 1 - below(c, late)] : v[below(c, n)];
}

static tl_tensor pick_narrow(cell *c)
{
    return pick(c, c->narrow, c->nnarrow);
}

static tl_tensor make_wide(cell *c)
{
    const tl_tensor none = {0};
    const int k = below(c, WEIGHTS);
    if (c->nwide > 0 && below(c, 3) == 0)
        return tl_add(pick(c, c->wide, c->nwide), pick(c, c->wide, c->nwide));
    return tl_linear(pick_narrow(c), c->stacked[k], below(c, 2) ? c->bias[k] : none);
}

static tl_tensor make_narrow(cell *c)
{
    const tl_tensor a = pick_narrow(c), b = pick_narrow(c);
    switch (below(c, c->nwide > 0 ? 11 : 8)) {
    case 0:
        return tl_add(a, b);
    case 1:
        return tl_mul(tl_sigmoid(a), b);
    case 2:
        return tl_tanh(a);
    case 3:
        return tl_matmul(a, c->square[below(c, WEIGHTS)]);
    case 4:
        return tl_add(tl_matmul(a, c->square[0]), tl_matmul(b, c->square[1]));
    case 5:
        return tl_sub(a, tl_sigmoid(b));
    case 6:
        return tl_add(tl_matmul_t(a, 0, c->square[2], 1), b);
    case 7:
        return tl_scale(tl_add(c->apart ? a : tl_sum_keep(a, 2), b), 0.5);
    case 8:
        return tl_sigmoid(tl_chunk(pick(c, c->wide, c->nwide), 2, 0));
    case 9:
        return tl_tanh(tl_chunk(pick(c, c->wide, c->nwide), 2, 1));
    default: {
        const tl_tensor z = pick(c, c->wide, c->nwide);
        return tl_mul(tl_sigmoid(tl_chunk(z, 2, 0)), tl_tanh(tl_chunk(z, 2, 1)));
    }
    }
}

/* layer -- a random cell over xs [T,B,H]; adds some results to *loss. */
static tl_tensor layer(cell *c, tl_tape *tape, tl_tensor xs, const tl_tensor *start, int64_t T,
                       tl_tensor *loss)
{
    tl_scan_opts o = tl_scan_defaults();
    o.reverse = below(c, 2);
    if (below(c, 3) == 0) {
        int32_t lengths[B];
        for (int b = 0; b < B; b++)
            lengths[b] = (int32_t)below(c, (int)T + 1);
        o.lengths = tl_input_i32(tape, tl_shape1(B), lengths);
        c->apart = 1;
    }
    tl_scan s = tl_scan_open(tape, T, &o);
    tl_tensor carry[CARRIES];
    c->nnarrow = c->nwide = 0;
    c->narrow[c->nnarrow++] = tl_scan_each(s, xs);
    for (int k = 0; k < CARRIES; k++)
        c->narrow[c->nnarrow++] = carry[k] = tl_scan_carry(s, start[k]);
    const int operations = 4 + below(c, 14);
    for (int k = 0; k < operations; k++) {
        const int is_wide = below(c, 3) == 0;
        const tl_tensor t = is_wide ? make_wide(c) : make_narrow(c);
        if (is_wide)
            c->wide[c->nwide++] = t;
        else
            c->narrow[c->nnarrow++] = t;
    }
    for (int k = 0; k < CARRIES; k++)
        tl_scan_next(s, carry[k], tl_tanh(pick_narrow(c)));
    tl_tensor y = tl_tanh(pick_narrow(c)), more = pick_narrow(c), z = y;
    if (c->nwide > 0)
        z = pick(c, c->wide, c->nwide);
    tl_scan_close(s);
    if (below(c, 3) == 0)
        *loss = tl_add(*loss, tl_sum_all(tl_sin(tl_scan_summed(s, more))));
    if (below(c, 4) == 0)
        *loss = tl_add(*loss, tl_sum_all(tl_tanh(tl_scan_stacked(s, z))));
    if (below(c, 2))
        *loss = tl_add(*loss, tl_sum_all(tl_square(tl_scan_last(s, carry[below(c, CARRIES)]))));
    return tl_scan_stacked(s, y);
}

/* pushed -- the tangent of the loss along a random direction in all inputs, and the same by the
 * gradients. */
static double pushed(tl_tape *tape, uint64_t seed, tl_tensor loss, int n, const tl_tensor *in,
                     const tl_tensor *g)
{
    tl_tensor v[3 * WEIGHTS + CARRIES + 1], d, sum = tl_scalar(tape, TL_F64, 0);
    for (int k = 0; k < n; k++) {
        v[k] = check_random(tape, TL_F64, tl_shape_of(in[k]), 30 * seed + (uint64_t)k);
        sum = tl_add(sum, tl_sum_all(tl_mul(g[k], v[k])));
    }
    cr_assert_eq(tl_jvp(n, in, v, 1, &loss, &d), TL_OK, "program %d: %s", (int)seed,
                 tl_tape_error(tape));
    const double forward = tl_item(d), reverse = tl_item(sum);
    cr_assert(fabs(forward - reverse) <= 1e-10 * (1 + fabs(reverse)),
              "program %d: forward mode %.17g, reverse mode %.17g", (int)seed, forward, reverse);
    return forward;
}

/* results -- the output, all gradients and a tangent of one program. */
static int results(uint64_t seed, double *out)
{
    tl_tape *tape = check_tape(seed);
    tl_rng r = {.seed = seed};
    cell c = {.choice = &r};
    tl_tensor in[3 * WEIGHTS + CARRIES + 1], g[3 * WEIGHTS + CARRIES + 1];
    int n = 0;
    const int64_t T = 1 + below(&c, 9);
    tl_tensor xs = in[n++] = check_random(tape, TL_F64, tl_shape3(T, B, H), seed);
    for (int k = 0; k < WEIGHTS; k++) {
        const uint64_t w = 10 * seed + 3 * (uint64_t)k;
        in[n++] = c.square[k] = check_random(tape, TL_F64, tl_shape2(H, H), w);
        in[n++] = c.stacked[k] = check_random(tape, TL_F64, tl_shape2(2 * H, H), w + 1);
        in[n++] = c.bias[k] = check_random(tape, TL_F64, tl_shape1(2 * H), w + 2);
    }
    for (int k = 0; k < CARRIES; k++, n++)
        in[n] = check_random(tape, TL_F64, tl_shape2(B, H), 20 * seed + (uint64_t)k);
    tl_tensor loss = tl_scalar(tape, TL_F64, 0), y = xs;
    const int layers = 1 + below(&c, 2);
    for (int l = 0; l < layers; l++)
        y = layer(&c, tape, y, in + n - CARRIES, T, &loss);
    if (below(&c, 4) == 0) { /* looked at before the gradient is asked for */
        double some[10 * B * H];
        cr_assert_eq(tl_read_f64(y, some, T * B * H), TL_OK, "%s", tl_tape_error(tape));
    }
    loss = tl_add(loss, tl_sum_all(tl_mul(y, tl_cos(y))));
    cr_assert_eq(tl_grad(1, &loss, NULL, n, in, g), TL_OK, "%s", tl_tape_error(tape));
    int at = 0;
    for (int k = -1; k < n; k++) {
        const tl_tensor t = k < 0 ? y : g[k];
        const int64_t count = tl_shape_count(tl_shape_of(t));
        cr_assert(at + count <= MOST);
        cr_assert_eq(tl_read_f64(t, out + at, count), TL_OK, "program %d: %s", (int)seed,
                     tl_tape_error(tape));
        at += (int)count;
    }
    cr_assert(at < MOST);
    out[at++] = pushed(tape, seed, loss, n, in, g);
    tl_tape_free(tape);
    return at;
}

Test(recurrent_random, passes_and_threads_change_nothing)
{
    static double want[MOST], got[MOST], threads[MOST];
    const unsigned all = tl__passes() | TL_SHARE_ALL;
    const char *from = getenv("TL_FIRST_PROGRAM"); /* to look at more of them */
    const uint64_t first = from ? strtoull(from, NULL, 10) : 1;
    for (uint64_t k = 0; k <= PROGRAMS; k++) {
        const uint64_t seed = k < PROGRAMS ? first + k : 41139; /* a loop waited for itself */
        tl__set_passes(0);
        const int n = results(seed, want);
        tl__set_passes(all);
        tl__set_period_rows(B * (1 + (int64_t)(seed % 4)));
        cr_assert_eq(tl_set_threads(1), TL_OK);
        results(seed, got);
        cr_log_info("program %d", (int)seed);
        assert_allclose(n, got, want, 1e-9, 1e-10);
        cr_assert_eq(tl_set_threads(2 + (int)(seed % 2)), TL_OK);
        results(seed, threads);
        cr_assert_arr_eq(threads, got, (size_t)n * sizeof *got, "program %d: threads change bits",
                         (int)seed);
    }
    tl__set_passes(all & ~(unsigned)TL_SHARE_ALL);
    tl__set_period_rows(0);
}
