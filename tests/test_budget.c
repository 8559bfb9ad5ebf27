/* test_budget.c -- scans with a budget give the bits of scans without one, for less memory. The
 * least budget there can be is what the error says, so tests go up from there; one that fails at no
 * budget runs as without. */
#include "core/grad.h"
#include "core/memory.h"
#include "core/node.h"
#include "core/random.h"
#include "core/run.h"
#include "core/scan.h"
#include "core/threads.h"
#include "ops/ops.h"
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { T = 53, LONG = 20000, B = 3, H = 4, V = 5, WEIGHTS = 5, MOST = 4000 };

/* problem -- one loop and what is asked of it. */
typedef struct problem {
    int64_t T;
    int reverse, lengths, outside; /* outside: the loss is that of stacked values */
    int tied;                      /* the loss multiplies all states by the last one */
    int look;                      /* the loss is read before its gradient is asked for */
    int commit;                    /* tl_backward and tl_commit: no further gradient */
    uint64_t seed;                 /* of the step; 0: gated */
    int64_t budget;
} problem;

typedef struct world {
    tl_tape *tape;
    tl_params *set;
    tl_tensor w[WEIGHTS]; /* [V,H] [H,H] [H,H] [H,V] [H] */
    tl_tensor ids, xs;    /* [T,B] [T,B,H] */
    tl_tensor last;       /* [B,H] state after the loop */
} world;

/* parameter -- the k-th, random. */
static tl_tensor parameter(world *m, tl_shape shape, int k)
{
    const char name[] = {(char)('a' + k), '\0'};
    tl_param *p = tl_param_new(m->set, name, shape, NULL);
    double *v = check_values(check_random(m->tape, TL_F64, shape, 10 + (uint64_t)k));
    cr_assert_eq(tl_param_set_f64(p, v, tl_shape_count(shape)), TL_OK);
    free(v);
    return tl_use(m->tape, p);
}

static world world_new(int64_t steps)
{
    static int32_t id[LONG * B];
    world m = {.tape = check_tape(7)};
    const tl_shape shape[WEIGHTS] = {tl_shape2(V, H), tl_shape2(H, H), tl_shape2(H, H),
                                     tl_shape2(H, V), tl_shape1(H)};
    m.set = tl_params_new(TL_F64);
    for (int k = 0; k < WEIGHTS; k++)
        m.w[k] = parameter(&m, shape[k], k);
    for (int k = 0; k < LONG * B; k++)
        id[k] = (k % 101 * (k % 89) + 3 * k) % V;
    m.ids = tl_input_i32(m.tape, tl_shape2(steps, B), id);
    m.xs = parameter(&m, tl_shape3(steps, B, H), WEIGHTS);
    return m;
}

static void world_free(world *m)
{
    tl_tape_free(m->tape);
    tl_params_free(m->set);
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* gated -- tokens looked up, products of input and state, gates, dropout; h[0] and h[1] carried. */
static tl_tensor gated(const world *m, tl_tensor id, tl_tensor x, tl_tensor *h)
{
    tl_tensor e = tl_dropout(tl_gather(m->w[0], id), 0.3);
    tl_tensor z = tl_add(tl_add(tl_matmul(e, m->w[1]), tl_matmul(h[0], m->w[2])), m->w[4]);
    tl_tensor u = tl_sigmoid(z), n = tl_tanh(tl_add(tl_matmul(x, m->w[2]), tl_mul(u, h[1])));
    h[1] = tl_lerp(h[1], n, u);
    h[0] = tl_mul(u, tl_tanh(h[1]));
    return h[0];
}

static int below(tl_rng *choice, int n)
{
    return (int)tl__rng_below(choice, (uint64_t)n);
}

/* total -- a small loop inside the step. */
static tl_tensor total(tl_tensor a, tl_tensor b)
{
    tl_scan s = tl_scan_open(a.tape, 3, NULL);
    tl_tensor c = tl_scan_carry(s, a);
    tl_tensor d = tl_tanh(tl_add(tl_mul(c, b), tl_scale(a, 0.5)));
    tl_scan_next(s, c, d);
    tl_scan_close(s);
    return tl_add(tl_scan_last(s, c), tl_scan_summed(s, d));
}

/* operation -- of two values [B,H]. */
static tl_tensor operation(const world *m, tl_rng *choice, tl_tensor a, tl_tensor b, tl_tensor id)
{
    const tl_tensor two[] = {tl_slice(a, 1, 1, 2), tl_slice(b, 1, 0, 2)};
    switch (below(choice, 14)) {
    case 0:
        return tl_add(a, b);
    case 1:
        return tl_mul(tl_tanh(a), b);
    case 2:
        return tl_tanh(tl_matmul(a, m->w[1]));
    case 3:
        return tl_sigmoid(tl_add(tl_matmul(a, m->w[2]), tl_matmul(b, m->w[1])));
    case 4:
        return tl_concat(2, two, 1);
    case 5:
        return tl_softmax(a, 1);
    case 6:
        return tl_dropout(tl_add(a, b), 0.2);
    case 7:
        return tl_mul(a, tl_gather(m->w[0], id));
    case 8:
        return tl_where(tl_less(a, b), a, tl_sin(b));
    case 9:
        return tl_mul(tl_sum_keep(a, 2), tl_tanh(b));
    case 10:
        return total(tl_tanh(a), b);
    case 11:
        return tl_matmul(tl_softmax(tl_matmul(a, m->w[3]), 1), m->w[0]);
    case 12:
        return tl_add(tl_sin(a), m->w[4]);
    default:
        return tl_sub(a, tl_tanh(tl_mul(a, b)));
    }
}

static tl_tensor random_step(const world *m, uint64_t seed, tl_tensor id, tl_tensor x, tl_tensor *h)
{
    tl_rng choice = {.seed = seed, .stream = 5};
    tl_tensor v[20] = {h[0], h[1], x, tl_gather(m->w[0], id)};
    int n = 4;
    for (; n < 7 + (int)(seed % 8); n++) {
        const tl_tensor a = v[n - 1 - below(&choice, 4)], b = v[below(&choice, n)];
        v[n] = operation(m, &choice, a, b, id);
    }
    h[0] = tl_tanh(v[n - 1]);
    h[1] = below(&choice, 2) ? tl_tanh(v[n - 2]) : h[1];
    return tl_add(v[n - 1 - below(&choice, 2)], x);
}

/* ---- loops ----------------------------------------------------------------------------------- */

/* loss_of -- cross-entropy of the tokens, summed inside the loop or outside of it, and a little of
 * the last state. */
static tl_tensor loss_of(world *m, const problem *p)
{
    const int32_t length[B] = {(int32_t)p->T, 5, (int32_t)p->T - 4};
    const tl_tensor zero = tl_zeros(m->tape, TL_F64, tl_shape2(B, H));
    tl_scan_opts o = tl_scan_defaults();
    o.reverse = p->reverse;
    o.budget = p->budget;
    if (p->lengths)
        o.lengths = tl_input_i32(m->tape, tl_shape1(B), length);
    tl_scan s = tl_scan_open(m->tape, p->T, &o);
    const tl_tensor carry[2] = {tl_scan_carry(s, zero), tl_scan_carry(s, zero)};
    tl_tensor h[2] = {carry[0], carry[1]}, id = tl_scan_each(s, m->ids), x = tl_scan_each(s, m->xs);
    tl_tensor y = p->seed ? random_step(m, p->seed, id, x, h) : gated(m, id, x, h), each = {0};
    if (!p->outside)
        each = tl_expand_dims(tl_cross_entropy(tl_matmul(y, m->w[3]), id, -1), 0);
    for (int k = 0; k < 2; k++)
        tl_scan_next(s, carry[k], h[k]);
    tl_scan_close(s);
    m->last = tl_scan_last(s, carry[0]);
    tl_tensor last = tl_sum_all(tl_square(tl_scan_last(s, carry[1])));
    if (!p->outside && !p->lengths)
        return tl_add(tl_reshape(tl_scan_summed(s, each), tl_shape0()), last);
    tl_tensor ys = tl_scan_stacked(s, y);
    if (p->tied)
        last = tl_add(last, tl_sum_all(tl_mul(ys, tl_tanh(tl_mul(m->last, ys)))));
    return tl_add(tl_sum_all(tl_mul(ys, tl_sin(ys))), last);
}

/* committed -- loss and gradients as a training step has them; asked -- as values of the tape. Both
 * return how many numbers, 0 after an error. */
static int committed(world *m, tl_tensor loss, double *out)
{
    tl_state *kept = tl_state_new(TL_F64, tl_shape0()),
             *last = tl_state_new(TL_F64, tl_shape2(B, H));
    int n = 0;
    tl_keep(kept, loss);
    tl_keep(last, m->last);
    tl_backward(loss);
    if (tl_commit(m->tape) == TL_OK) {
        cr_assert_eq(tl_state_get_f64(kept, out, 1), TL_OK);
        cr_assert_eq(tl_state_get_f64(last, out + 1, (int64_t)B * H), TL_OK);
        n = 1 + B * H;
        for (int k = 0; k <= WEIGHTS; k++) {
            const tl_param *p = tl_params_at(m->set, k);
            const int64_t count = tl_shape_count(tl_param_shape(p));
            if (tl_param_grad_f64(p, out + n, count) != TL_OK)
                memset(out + n, 0, (size_t)count * sizeof *out);
            n += (int)count;
        }
    }
    tl_state_free(kept);
    tl_state_free(last);
    return n;
}

static int asked(world *m, tl_tensor loss, double *out)
{
    tl_tensor all[WEIGHTS + 3] = {loss, m->last}, in[WEIGHTS + 1];
    memcpy(in, m->w, sizeof m->w);
    in[WEIGHTS] = m->xs;
    tl_grad(1, all, NULL, WEIGHTS + 1, in, all + 2);
    if (tl_eval(WEIGHTS + 3, all) != TL_OK)
        return 0;
    int n = 0;
    for (int k = 0; k < WEIGHTS + 3; k++) {
        const int64_t count = tl_shape_count(tl_shape_of(all[k]));
        cr_assert_eq(tl_read_f64(all[k], out + n, count), TL_OK);
        n += (int)count;
    }
    return n;
}

/* result -- loss and gradients by weights and xs to out; returns how many numbers, 0 after an
 * error, which *error receives. */
static int result(const problem *p, double *out, char *error)
{
    world m = world_new(p->T);
    const tl_tensor loss = loss_of(&m, p);
    if (p->look)
        tl_eval(1, &loss);
    const int n = p->commit ? committed(&m, loss, out) : asked(&m, loss, out);
    snprintf(error, 500, "%s", tl_tape_error(m.tape));
    world_free(&m);
    return n;
}

/* least -- the smallest budget that is enough; 0 when the loop runs as without one. */
static int64_t least(problem p)
{
    static double some[MOST];
    char error[500];
    p.budget = 1;
    if (result(&p, some, error) > 0)
        return 0;
    const char *at = strstr(error, "want at least ");
    cr_assert(at, "%s", error);
    return strtoll(at + strlen("want at least "), NULL, 10);
}

/* hold -- the same for several budgets; returns whether the loop ran in segments at all. Bits are
 * those of a training step. Where more is asked of the loop without a budget, which keeps it for a
 * further gradient, passes may find another order of sums: then to rounding, unless `bits`. */
static int hold(problem p, int bits, const char *name)
{
    static double want[MOST], got[MOST];
    static const double times[] = {1, 1.1, 1.3, 1.7, 2.5, 4, 100};
    char error[500];
    const int64_t enough = least(p);
    problem without = p;
    without.look = 0;
    without.budget = 0;
    without.commit = 1;
    const int n = result(&without, want, error);
    cr_assert(n > 0, "%s: %s", name, error);
    for (int k = 0; k < 7; k++) {
        p.budget = enough ? (int64_t)(times[k] * (double)enough) : 1;
        cr_assert_eq(result(&p, got, error), n, "%s: %s", name, error);
        if (!bits && (p.look || !p.commit))
            assert_allclose(n, got, want, 1e-11, 1e-11);
        else
            for (int i = 0; i < n; i++)
                cr_assert(memcmp(&got[i], &want[i], sizeof *got) == 0,
                          "%s, budget %lld: number %d of %d: got %.17g, want %.17g", name,
                          (long long)p.budget, i, n, got[i], want[i]);
        if (!enough)
            break;
    }
    return enough > 0;
}

static int hold_all(problem p, const char *what)
{
    int segments = 0;
    for (int k = 0; k < 32; k++) {
        char name[100];
        p.reverse = k & 1;
        p.lengths = k >> 1 & 1;
        p.outside = k >> 2 & 1;
        p.look = k >> 3 & 1;
        p.commit = k >> 4 & 1;
        snprintf(name, sizeof name, "%s: reverse %d lengths %d outside %d look %d commit %d", what,
                 p.reverse, p.lengths, p.outside, p.look, p.commit);
        segments += hold(p, 1, name);
    }
    return segments;
}

/* ---- tests ----------------------------------------------------------------------------------- */

Test(budget, no_bit_differs)
{
    tl__set_period_rows(2 * B); /* two steps */
    for (int64_t steps = T - 4; steps <= T; steps++)
        cr_assert_eq(hold_all((problem){.T = steps}, "periods of two"), 32);
    cr_assert_eq(hold_all((problem){.T = T, .tied = 1}, "tied to the last state"), 32);
    tl__set_period_rows(5 * B);
    cr_assert_eq(hold_all((problem){.T = T}, "periods of five"), 32);
    tl__set_period_rows(0);
}

Test(budget, whatever_passes_are_on)
{
    const unsigned all = tl__passes();
    const unsigned off[] = {TL_PASS_FUSE,      TL_PASS_HOIST,
                            TL_PASS_LAYOUT,    TL_PASS_SINK,
                            TL_PASS_REDUCE,    TL_PASS_SIMPLIFY,
                            TL_PASS_RECOMPUTE, TL_PASS_PACK,
                            TL_PASS_PERIOD,    TL_PASS_HOIST | TL_PASS_SINK | TL_PASS_FUSE};
    tl__set_period_rows(3 * B);
    for (int k = 0; k < (int)(sizeof off / sizeof *off); k++) {
        tl__set_passes(all & ~off[k]);
        hold_all((problem){.T = T}, "without a pass");
    }
    tl__set_passes(all);
    tl__set_period_rows(0);
}

Test(budget, random_steps)
{
    int segments = 0, n = 0;
    tl__set_period_rows(2 * B);
    for (uint64_t seed = 1; seed <= 150; seed++, n++) {
        char name[60];
        const problem p = {.T = 31 + (int64_t)(seed % 7),
                           .reverse = (int)(seed & 1),
                           .lengths = seed % 5 == 0,
                           .outside = seed % 3 == 0,
                           .look = seed % 4 == 0,
                           .commit = seed % 8 < 3,
                           .seed = seed};
        snprintf(name, sizeof name, "seed %d", (int)seed);
        segments += hold(p, 0, name);
    }
    tl__set_period_rows(0);
    cr_assert(segments > n * 9 / 10, "%d of %d programs ran in segments", segments, n);
}

Test(budget, threads)
{
    const unsigned all = tl__passes();
    tl_set_threads(2);
    tl__set_passes(all | TL_SHARE_ALL);
    tl__set_period_rows(2 * B);
    cr_assert_eq(hold_all((problem){.T = T}, "two threads"), 32);
    for (uint64_t seed = 1; seed <= 20; seed++)
        hold((problem){.T = 40, .seed = seed, .commit = 1}, 1, "two threads, a random step");
    tl__set_period_rows(0);
    tl__set_passes(all);
    tl_set_threads(1);
}

/* A loop over the stacked results of another one, each with its adjoint. */
static tl_tensor two_layers(const world *m, int64_t steps, int64_t budget)
{
    tl_tensor xs = m->xs;
    for (int layer = 0; layer < 2; layer++) {
        tl_scan_opts o = tl_scan_defaults();
        o.budget = budget;
        o.reverse = layer;
        tl_scan s = tl_scan_open(m->tape, steps, &o);
        tl_tensor h = tl_scan_carry(s, tl_zeros(m->tape, TL_F64, tl_shape2(B, H))),
                  x = tl_scan_each(s, xs);
        tl_tensor z = tl_add(tl_matmul(x, m->w[1 + layer]), tl_matmul(h, m->w[2 - layer]));
        tl_tensor u = tl_tanh(z), n = tl_mul(u, tl_sigmoid(tl_add(tl_mul(u, u), m->w[4])));
        tl_scan_next(s, h, n);
        tl_scan_close(s);
        xs = tl_scan_stacked(s, n);
    }
    return tl_sum_all(tl_square(xs));
}

/* tally -- what is allocated, now and at most. */
typedef struct tally {
    size_t now, most;
} tally;

static void *counted(void *user, void *memory, size_t size)
{
    enum { HEAD = 64 };
    tally *t = user;
    char *block = memory ? (char *)memory - HEAD : NULL;
    t->now -= block ? *(size_t *)(void *)block : 0;
    if (size == 0) {
        free(block);
        return NULL;
    }
    block = realloc(block, size + HEAD);
    cr_assert_not_null(block);
    *(size_t *)(void *)block = size;
    t->now += size;
    t->most = t->now > t->most ? t->now : t->most;
    return block + HEAD;
}

/* peak -- bytes that are allocated at most while the gradient of a long loop is computed, beyond
 * what was there before. */
static size_t peak(int layers, int look, int64_t budget)
{
    tally t = {0, 0};
    tl__memory_trim();
    tl_set_allocator(counted, &t);
    const problem p = {.T = LONG, .commit = 1, .look = look, .budget = budget};
    world m = world_new(LONG);
    const size_t before = t.now;
    tl_tensor loss = layers ? two_layers(&m, LONG, budget) : loss_of(&m, &p);
    if (look)
        tl_eval(1, &loss);
    tl_backward(loss);
    cr_assert_eq(tl_commit(m.tape), TL_OK, "%s", tl_tape_error(m.tape));
    const size_t most = t.most - before;
    world_free(&m);
    tl__memory_trim();
    cr_assert_eq(t.now, 0);
    tl_set_allocator(NULL, NULL);
    return most;
}

Test(budget, memory_is_that_of_the_budget)
{
    tl__set_period_rows(2 * B);
    peak(0, 0, 0); /* what is made once */
    const int64_t enough = least((problem){.T = LONG}),
                  plan = 6 << 20; /* memory of planning, twice if looked at */
    const int64_t all = (int64_t)peak(0, 0, 0);
    cr_assert(enough < all / 1000, "%lld of %lld bytes", (long long)enough, (long long)all);
    for (int k = 50; k < 2000; k *= 6) {
        const int64_t few = (int64_t)peak(0, k == 50, k * enough);
        cr_assert(few < k * enough + plan && few < all / 2, "%lld of %lld bytes", (long long)few,
                  (long long)all);
    }
    tl__set_period_rows(0);
}

/* live_bytes -- of all values that the tape holds. */
static size_t live_bytes(const tl_tape *tape)
{
    size_t bytes = 0;
    for (uint32_t k = 0; k < tape->nnodes; k++)
        if (tape->nodes[k].life == TL_LIVE && tape->nodes[k].frame == 0)
            bytes += tape->nodes[k].buf->bytes;
    return bytes;
}

Test(budget, a_loss_that_is_read_first_keeps_nothing_of_the_steps)
{
    for (int budget = 0; budget < 2; budget++) {
        const problem p = {.T = T, .budget = budget * 1000000};
        world m = world_new(T);
        tl_tensor loss = loss_of(&m, &p);
        const size_t before = live_bytes(m.tape);
        cr_assert_eq(tl_eval(1, &loss), TL_OK);
        const size_t kept = live_bytes(m.tape) - before;
        cr_assert(budget ? kept < 300 : kept > 5 * sizeof(double) * T * B * H, "%zu bytes", kept);
        world_free(&m);
    }
}

Test(budget, gradients_of_gradients_are_as_without)
{
    static double out[2][MOST];
    tl__set_period_rows(2 * B);
    for (int budget = 0; budget < 2; budget++) {
        const problem p = {.T = 20, .budget = budget ? 20000 : 0};
        world m = world_new(p.T);
        tl_tensor loss = loss_of(&m, &p), g[WEIGHTS], norm = {0};
        cr_assert_eq(tl_grad(1, &loss, NULL, WEIGHTS, m.w, g), TL_OK);
        for (int k = 0; k < WEIGHTS; k++)
            norm = k ? tl_add(norm, tl_sum_all(tl_square(g[k]))) : tl_sum_all(tl_square(g[k]));
        cr_assert_eq(tl_grad(1, &norm, NULL, WEIGHTS, m.w, g), TL_OK);
        int n = 0;
        for (int k = 0; k < WEIGHTS; k++) {
            const int64_t count = tl_shape_count(tl_shape_of(g[k]));
            cr_assert_eq(tl_read_f64(g[k], out[budget] + n, count), TL_OK, "%s",
                         tl_tape_error(m.tape));
            n += (int)count;
        }
        world_free(&m);
        if (budget)
            assert_allclose(n, out[1], out[0], 1e-12, 1e-12);
    }
    tl__set_period_rows(0);
}

static void hold_layers(void)
{
    static double out[3][MOST];
    tl__set_period_rows(2 * B);
    for (int way = 0; way < 3; way++) {
        const int64_t budget[] = {0, 3000, 6000};
        world m = world_new(T);
        tl_tensor loss = two_layers(&m, T, budget[way]), in[4], g[4];
        memcpy(in, m.w + 1, sizeof in);
        in[2] = m.xs;
        tl_no_grad_open(m.tape);
        cr_assert_eq(tl_grad(1, &loss, NULL, 4, in, g), TL_OK, "%s", tl_tape_error(m.tape));
        tl_no_grad_close(m.tape);
        int n = 0;
        for (int k = 0; k < 4; k++) {
            const int64_t count = tl_shape_count(tl_shape_of(g[k]));
            cr_assert_eq(tl_read_f64(g[k], out[way] + n, count), TL_OK);
            n += (int)count;
        }
        assert_allclose(n, out[way], out[0], 0, 0);
        world_free(&m);
    }
    tl__set_period_rows(0);
}

Test(budget, layers_of_loops)
{
    const unsigned passes = tl__passes();
    hold_layers();
    tl__set_passes(passes & ~(unsigned)TL_PASS_PERIOD); /* gates overwrite what they were made of */
    hold_layers();
    tl__set_passes(passes);
    tl__set_period_rows(2 * B);
    const size_t all = peak(1, 0, 0), some = peak(1, 0, 400000);
    cr_assert(some < all * 3 / 4, "%zu of %zu bytes", some, all);
    tl__set_period_rows(0);
}

/* The adjoint reads the last state, which is not there any more when the loop has run again. */
Test(budget, a_state_that_the_adjoint_reads)
{
    static double out[2][MOST];
    tl__set_period_rows(2 * B);
    for (int budget = 0; budget < 2; budget++) {
        world m = world_new(T);
        tl_scan_opts o = tl_scan_defaults();
        o.budget = budget * 3000;
        tl_scan s = tl_scan_open(m.tape, T, &o);
        tl_tensor h = tl_scan_carry(s, tl_zeros(m.tape, TL_F64, tl_shape2(B, H))),
                  x = tl_scan_each(s, m.xs), h1 = tl_tanh(tl_add(tl_matmul(h, m.w[1]), x)),
                  y = tl_sin(h1);
        tl_scan_next(s, h, h1);
        tl_scan_close(s);
        tl_tensor hs = tl_scan_stacked(s, y), g[2], in[2] = {m.w[1], m.xs};
        tl_tensor seed = tl_broadcast_to(tl_scan_last(s, h), tl_shape3(T, B, H));
        cr_assert_eq(tl_grad(1, &hs, &seed, 2, in, g), TL_OK, "%s", tl_tape_error(m.tape));
        cr_assert_eq(tl_eval(2, g), TL_OK, "%s", tl_tape_error(m.tape));
        cr_assert_eq(tl_read_f64(g[0], out[budget], H * H), TL_OK);
        cr_assert_eq(tl_read_f64(g[1], out[budget] + H * H, T * B * H), TL_OK);
        world_free(&m);
    }
    assert_allclose(H * H + T * B * H, out[1], out[0], 1e-12, 1e-12);
    tl__set_period_rows(0);
}

/* looked_up -- a loop whose input is looked up before the products of all its steps. */
static tl_tensor looked_up(const world *m, int64_t budget)
{
    tl_scan_opts o = tl_scan_defaults();
    o.name = "reader";
    o.budget = budget;
    tl_scan s = tl_scan_open(m->tape, T, &o);
    tl_tensor h = tl_scan_carry(s, tl_zeros(m->tape, TL_F64, tl_shape2(B, H)));
    tl_tensor x = tl_matmul(tl_gather(m->w[0], tl_scan_each(s, m->ids)), m->w[1]);
    tl_scan_next(s, h, tl_tanh(tl_add(x, tl_mul(h, m->w[4]))));
    tl_scan_close(s);
    return tl_sum_all(tl_scan_last(s, h));
}

Test(budget, an_error_in_a_step_is_found)
{
    static int32_t id[T * B];
    id[31 * B + 1] = V;
    tl__set_period_rows(2 * B);
    for (int budget = 0; budget < 2; budget++) {
        world m = world_new(T);
        m.ids = tl_input_i32(m.tape, tl_shape2(T, B), id);
        tl_tensor loss = looked_up(&m, budget * 3000), g[2];
        tl_grad(1, &loss, NULL, 2, m.w, g);
        cr_assert_eq(tl_eval(2, g), TL_ERANGE, "%s", tl_tape_error(m.tape));
        assert_fails(m.tape, TL_ERANGE, "reader: gather: got index 5 at [");
        if (budget)
            assert_fails(m.tape, TL_ERANGE, "of the steps from t=");
        cr_assert_eq(tl_tape_reset(m.tape), TL_OK);
        world_free(&m);
    }
    tl__set_period_rows(0);
}

Test(budget, of_what_size)
{
    tl_tape *tape = check_tape(1);
    tl_scan_opts o = tl_scan_defaults();
    cr_assert_eq(o.budget, 0);
    o.budget = -5;
    tl_scan_open(tape, 3, &o);
    assert_fails(tape, TL_ERANGE, "tl_scan_open: got a budget of -5 bytes, want one > 0, or 0");
    tl_tape_free(tape);
    cr_assert_gt(least((problem){.T = T}), 0);
}
