/* budgettest.h -- what the tests of budgets share: a loop, its loss and its gradient, within a budget
 * or without. The least budget there can be is what the error says; a loop that fails at no budget
 * runs as without. */
#ifndef TL_TESTS_BUDGETTEST_H
#define TL_TESTS_BUDGETTEST_H

#include "core/grad.h"
#include "core/random.h"
#include "core/run.h"
#include "core/scan.h"
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
static inline tl_tensor parameter(world *m, tl_shape shape, int k)
{
    const char name[] = {(char)('a' + k), '\0'};
    tl_param *p = tl_param_new(m->set, name, shape, NULL);
    double *v = check_values(check_random(m->tape, TL_F64, shape, 10 + (uint64_t)k));
    cr_assert_eq(tl_param_set_f64(p, v, tl_shape_count(shape)), TL_OK);
    free(v);
    return tl_use(m->tape, p);
}

static inline world world_new(int64_t steps)
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

static inline void world_free(world *m)
{
    tl_tape_free(m->tape);
    tl_params_free(m->set);
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* gated -- tokens looked up, products of input and state, gates, dropout; h[0] and h[1] carried. */
static inline tl_tensor gated(const world *m, tl_tensor id, tl_tensor x, tl_tensor *h)
{
    tl_tensor e = tl_dropout(tl_gather(m->w[0], id), 0.3);
    tl_tensor z = tl_add(tl_add(tl_matmul(e, m->w[1]), tl_matmul(h[0], m->w[2])), m->w[4]);
    tl_tensor u = tl_sigmoid(z), n = tl_tanh(tl_add(tl_matmul(x, m->w[2]), tl_mul(u, h[1])));
    h[1] = tl_lerp(h[1], n, u);
    h[0] = tl_mul(u, tl_tanh(h[1]));
    return h[0];
}

static inline int below(tl_rng *choice, int n)
{
    return (int)tl__rng_below(choice, (uint64_t)n);
}

/* total -- a small loop inside the step. */
static inline tl_tensor total(tl_tensor a, tl_tensor b)
{
    tl_scan s = tl_scan_open(a.tape, 3, NULL);
    tl_tensor c = tl_scan_carry(s, a);
    tl_tensor d = tl_tanh(tl_add(tl_mul(c, b), tl_scale(a, 0.5)));
    tl_scan_next(s, c, d);
    tl_scan_close(s);
    return tl_add(tl_scan_last(s, c), tl_scan_summed(s, d));
}

/* operation -- of two values [B,H]. */
static inline tl_tensor operation(const world *m, tl_rng *choice, tl_tensor a, tl_tensor b,
                                  tl_tensor id)
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

static inline tl_tensor random_step(const world *m, uint64_t seed, tl_tensor id, tl_tensor x,
                                    tl_tensor *h)
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
static inline tl_tensor loss_of(world *m, const problem *p)
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
static inline int committed(world *m, tl_tensor loss, double *out)
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

static inline int asked(world *m, tl_tensor loss, double *out)
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
static inline int result(const problem *p, double *out, char *error)
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
static inline int64_t least(problem p)
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

/* two_loops -- one over the stacked results of the other, or both over xs in both directions. */
static inline tl_tensor two_loops(const world *m, int64_t steps, int beside, int64_t budget)
{
    tl_tensor xs = m->xs, ys[2];
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
        ys[layer] = tl_scan_stacked(s, n);
        xs = beside ? xs : ys[layer];
    }
    return tl_sum_all(tl_square(beside ? tl_mul(ys[0], ys[1]) : xs));
}

#endif
