/* gradcheck.c -- a case as a function for tl_check_grad, and its forward mode beside it. */
#include "tests/gradcheck.h"

#include "core/forward.h"
#include "core/node.h"
#include "core/space.h"
#include "ops/check_grad.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { OPERANDS = sizeof((tl_case *)0)->shape / sizeof((tl_case *)0)->shape[0] };

/* tl_trial -- one case with its operands drawn: all elements one after the other in x. */
typedef struct tl_trial {
    const tl_op *op;
    const tl_case *c;
    uint64_t seed;
    int64_t first[OPERANDS + 1]; /* operand i is x[first[i] .. first[i + 1]) */
    double *x;
    char *message;
} tl_trial;

static int is_smooth(tl_domain domain)
{
    return domain != TL_INDEX && domain != TL_BINARY;
}

static int occurs(const tl_tape *tape, const tl_op *op)
{
    for (uint32_t i = 0; i < tape->nnodes; i++)
        if (tape->nodes[i].op == op)
            return 1;
    return 0;
}

/* record -- the case as a tl_function. */
static int record(void *ctx, tl_tape *tape, int nin, const tl_tensor *in, int nout, tl_tensor *out)
{
    const tl_trial *t = ctx;
    (void)nin, (void)nout;
    out[0] = t->c->call(in);
    if (t->op && tl_tape_status(tape) == TL_OK && !occurs(tape, t->op))
        tl_tape_fail(tape, TL_EINVAL, "gradcheck", "the case does not record %s", t->op->name);
    return tl_tape_status(tape);
}

/* curved -- sum over all elements of w (y + y^2 / 2), w drawn. */
static tl_tensor curved(const tl_trial *t, tl_tensor y, uint64_t number)
{
    const tl_tensor w = check_random(y.tape, TL_F64, tl_shape_of(y), t->seed + number);
    return tl_sum_all(tl_mul(w, tl_add(y, tl_scale(tl_mul(y, y), 0.5))));
}

/* scalar -- s0 or s1 of the case, and its smooth operands in by[n], whose places go to place. */
static tl_tensor scalar(const tl_trial *t, tl_tape *tape, int order, tl_tensor *by, int *place,
                        int *n)
{
    tl_tensor in[OPERANDS], g[OPERANDS], sum;
    *n = 0;
    for (int i = 0; i < t->c->nin; i++) {
        in[i] = check_input(tape, t->c->domain[i] == TL_INDEX ? TL_I32 : TL_F64, t->c->shape[i],
                            t->x + t->first[i]);
        if (is_smooth(t->c->domain[i]))
            place[*n] = i, by[(*n)++] = in[i];
    }
    const tl_tensor s0 = curved(t, t->c->call(in), 1000);
    if (order == 1)
        return s0;
    tl_grad(1, &s0, NULL, *n, by, g);
    sum = curved(t, g[0], 2000);
    for (int i = 1; i < *n; i++)
        sum = tl_add(sum, curved(t, g[i], 2000 + (uint64_t)i));
    return sum;
}

/* pushes_alike -- forward mode against reverse mode: the tangent of the scalar of this order along
 * random v is <v, g>; g has the shapes of the operands. */
static int pushes_alike(const tl_trial *t, int order)
{
    tl_tensor by[OPERANDS], v[OPERANDS], g[OPERANDS], pushed;
    int place[OPERANDS], n, ok = 1;
    const size_t count = (size_t)(t->first[t->c->nin] + 1);
    double *x = malloc(2 * count * sizeof *x), got = 0, want = 0, scale = 1, sum = 1;
    cr_assert_not_null(x);
    double *dx = x + count;
    tl_tape *tape = check_tape(t->seed);
    const tl_tensor s = scalar(t, tape, order, by, place, &n);
    for (int i = 0; i < n; i++) {
        const int64_t first = t->first[place[i]], end = t->first[place[i] + 1];
        check_draw(t->seed + 77, TL_ANY, 0, end, end - first, x);
        v[i] = tl_input_f64(tape, t->c->shape[place[i]], x + first);
    }
    tl_grad(1, &s, NULL, n, by, g);
    tl_jvp(n, by, v, 1, &s, &pushed);
    for (int i = 0; i < n && ok; i++) {
        const int64_t first = t->first[place[i]], end = t->first[place[i] + 1];
        if (tl_read_f64(g[i], dx + first, end - first))
            break;
        ok = tl_shape_equal(tl_shape_of(g[i]), t->c->shape[place[i]]);
        for (int64_t k = first; k < end; k++) {
            want += x[k] * dx[k];
            sum += fabs(x[k] * dx[k]);
            scale = fmax(scale, fabs(dx[k]));
        }
    }
    tl_read_f64(pushed, &got, 1);
    if (!ok)
        snprintf(t->message, CHECK_MESSAGE, "order %d: a gradient has another shape", order);
    else if (tl_tape_status(tape))
        ok = 0, snprintf(t->message, CHECK_MESSAGE, "%s", tl_tape_error(tape));
    else if (!(fabs(got - want) <= 1e-10 * (sum + scale)))
        ok = 0, snprintf(t->message, CHECK_MESSAGE,
                         "order %d: forward mode has %.15g, reverse mode %.15g", order, got, want);
    free(x);
    tl_tape_free(tape);
    return ok;
}

int gradcheck(const tl_op *op, const tl_case *c, int order, uint64_t seed, char *message)
{
    tl_trial t = {.op = op, .c = c, .seed = seed, .message = message};
    tl_check_input in[OPERANDS];
    for (int i = 0; i < c->nin; i++)
        t.first[i + 1] = t.first[i] + tl_shape_count(c->shape[i]);
    t.x = malloc((size_t)(t.first[c->nin] + 1) * sizeof *t.x);
    cr_assert_not_null(t.x);
    for (int i = 0; i < c->nin; i++) {
        check_draw(seed + (uint64_t)i, c->domain[i], c->bound, t.first[i + 1],
                   t.first[i + 1] - t.first[i], t.x);
        in[i] = (tl_check_input){c->shape[i], c->domain[i], c->bound, t.x + t.first[i]};
    }
    tl_check_opts o = tl_check_defaults();
    o.order = order;
    o.seed = seed;
    o.atol = o.rtol = 0.5e-7; /* both together at most 1e-7 max(1, the largest derivative) */
    int ok = tl_check_grad(record, &t, c->nin, in, 1, &o, message, CHECK_MESSAGE) == TL_OK;
    for (int k = 1; k <= order && ok; k++)
        ok = (op && op->nonlinear) || pushes_alike(&t, k);
    free(t.x);
    return ok;
}
