/* test_scan_random.c -- random bodies against the unrolled loop (unroll.h): values of shape [3]
 * made of the captures, x and three carries by random operations, inner loops, draws, sections
 * without gradient and gradients. A seed is a program: the step that is recorded once and the step
 * that is recorded T times draw the same choices. */
#include "tests/unroll.h"

#include "core/random.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { PROGRAMS = 120, POOL = 100 };

/* pool -- what a step can choose from. */
typedef struct pool {
    tl_tape *tape;
    tl_rng *choice;
    int inner_scan, depth;
    int n;
    tl_tensor v[POOL];
} pool;

static uint64_t program; /* the seed; a step has no other way to learn it */

static int below(pool *p, int n)
{
    return (int)tl__rng_below(p->choice, (uint64_t)n);
}

/* pick -- one of the values, most often a late one. */
static tl_tensor pick(pool *p)
{
    int late = p->n < 4 ? p->n : 4;
    return p->v[below(p, 3) ? p->n - 1 - below(p, late) : below(p, p->n)];
}

static void grow(pool *p, int operations);

/* body -- one step of an inner loop: carries and row join the pool. */
static tl_tensor body(const pool *outer, tl_rng *choice, int ncarries, tl_tensor *carry,
                      tl_tensor row, int operations)
{
    pool p = *outer;
    p.choice = choice;
    p.depth++;
    for (int i = 0; i < ncarries; i++)
        p.v[p.n++] = carry[i];
    p.v[p.n++] = row;
    grow(&p, operations);
    for (int i = 0; i < ncarries; i++)
        carry[i] = pick(&p);
    return pick(&p);
}

/* inner -- a loop of one to three steps over values of the pool. */
static tl_tensor inner(pool *p)
{
    const int n = 1 + below(p, 3), ncarries = 1 + below(p, 2), reverse = below(p, 2);
    const int summed = below(p, 2), operations = 2 + below(p, 5);
    tl_tensor rows[3], carry[2], state[2], y[3], sum = {0};
    for (int i = 0; i < n; i++)
        rows[i] = pick(p);
    tl_tensor xs = tl_stack(n, rows, 0);
    for (int i = 0; i < 2; i++)
        state[i] = pick(p);
    const tl_rng start = *p->choice;
    if (p->inner_scan) {
        tl_scan_opts o = tl_scan_defaults();
        o.reverse = reverse;
        o.recompute = p->inner_scan == 2;
        tl_scan s = tl_scan_open(p->tape, n, &o);
        for (int i = 0; i < ncarries; i++)
            state[i] = carry[i] = tl_scan_carry(s, state[i]);
        y[0] = body(p, p->choice, ncarries, state, tl_scan_each(s, xs), operations);
        for (int i = 0; i < ncarries; i++)
            tl_scan_next(s, carry[i], state[i]);
        tl_scan_close(s);
        for (int i = 0; i < ncarries; i++)
            state[i] = tl_scan_last(s, carry[i]);
        sum =
            summed ? tl_scan_summed(s, y[0]) : tl_sum_to(tl_scan_stacked(s, y[0]), tl_shape2(1, 3));
    } else {
        for (int k = 0; k < n; k++) {
            int t = reverse ? n - 1 - k : k;
            *p->choice = start;
            y[t] = body(p, p->choice, ncarries, state, tl_index(xs, 0, t), operations);
        }
        for (int t = 0; t < n; t++)
            sum = t ? tl_add(sum, y[t]) : y[0];
    }
    sum = tl_reshape(sum, tl_shape1(3));
    return tl_tanh(ncarries == 2 ? tl_add(tl_mul(state[0], sum), state[1]) : tl_sub(state[0], sum));
}

/* own_gradient -- of a function of a, by a alone. */
static tl_tensor own_gradient(tl_tensor a, tl_tensor b)
{
    tl_tensor in = tl_scale(a, 1.5), g;
    tl_tensor y = tl_sum_all(tl_mul(tl_mul(tl_sin(in), in), tl_tanh(b)));
    tl_grad(1, &y, NULL, 1, &in, &g);
    return tl_tanh(g);
}

static tl_tensor operation(pool *p)
{
    const tl_shape three = tl_shape1(3);
    tl_tensor a = pick(p), b = pick(p), t;
    switch (below(p, 17)) {
    case 0:
        return tl_add(a, b);
    case 1:
        t = tl_sin(b);
        return tl_mul(tl_tanh(a), t);
    case 2:
        return tl_tanh(a);
    case 3:
        return tl_sub(a, tl_sigmoid(b));
    case 4:
        return tl_broadcast_to(tl_sum_to(tl_tanh(a), tl_shape1(1)), three);
    case 5:
        return tl_reshape(tl_tanh(tl_reshape(a, tl_shape2(1, 3))), three);
    case 6:
        return tl_concat(2, (const tl_tensor[]){tl_slice(a, 0, 1, 2), tl_slice(b, 0, 0, 1)}, 0);
    case 7:
        tl_no_grad_open(p->tape);
        t = tl_tanh(tl_mul(tl_sin(a), b));
        tl_no_grad_close(p->tape);
        return t;
    case 8:
        return tl_detach(tl_tanh(a));
    case 9:
        return tl_mul(a, tl_rand(p->tape, TL_F64, three));
    case 10:
        return tl_tanh(tl_matmul(a, tl_outer(tl_tanh(b), a)));
    case 11:
        return tl_scale(tl_sin(a), 0.5);
    case 12:
        return tl_tanh(tl_mul(tl_slice(a, 0, 1, 1), b));
    case 13:
        return own_gradient(a, b);
    case 14:
        return tl_where(tl_less(a, b), a, tl_tanh(b));
    default:
        return p->depth < 2 ? inner(p) : tl_sin(a);
    }
}

static void grow(pool *p, int operations)
{
    for (int i = 0; i < operations; i++) {
        tl_tensor t = operation(p);
        p->v[p->n++] = t;
    }
}

static tl_tensor random_step(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x,
                             tl_tensor *state)
{
    tl_rng choice = {.seed = program, .stream = 3};
    pool p = {.tape = tape, .choice = &choice, .inner_scan = h.inner_scan, .n = 6};
    const tl_tensor start[6] = {w[0], w[1], x, state[0], state[1], state[2]};
    for (int i = 0; i < 6; i++)
        p.v[i] = start[i];
    grow(&p, 3 + (int)(program % 9));
    for (int i = 0; i < 3; i++)
        state[i] = pick(&p);
    return pick(&p);
}

Test(scan_random, programs)
{
    for (program = 0; program < PROGRAMS; program++) {
        char name[40];
        snprintf(name, sizeof name, "program %d", (int)program);
        const model m = {
            .name = name,
            .T = (int64_t)(program % 5),
            .reverse = (int)(program / 5 % 2),
            .x = {1, {3}},
            .nstate = 3,
            .nw = 2,
            .state = {{1, {3}}, {1, {3}}, {1, {3}}},
            .w = {{1, {3}}, {1, {3}}},
            .step = random_step,
            .orders = 2,
        };
        hold_equal(&m);
    }
}
