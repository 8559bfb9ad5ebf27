/* gradcheck.c -- builds the scalar of some order, asks the tape for its gradient, and takes
 * differences of it. */
#include "tests/gradcheck.h"

#include "core/forward.h"
#include "core/node.h"
#include "core/space.h"
#include "ops/elementwise.h"
#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { OPERANDS = 4 };

/* tl_trial -- one case with its operands drawn: all elements one after the other in x. */
typedef struct tl_trial {
    const tl_op *op;
    const tl_case *c;
    uint64_t seed;
    tl_tape *tape;
    int64_t first[OPERANDS + 1]; /* operand i is x[first[i] .. first[i + 1]) */
    double *x;
    char *message;
} tl_trial;

static int is_smooth(tl_domain domain)
{
    return domain != TL_INDEX && domain != TL_BINARY;
}

/* curved -- sum over i of w_i (y_i + y_i^2 / 2), w drawn. */
static tl_tensor curved(const tl_trial *t, tl_tensor y, uint64_t number)
{
    const tl_shape s = tl_shape_of(y);
    const tl_tensor w = check_random(t->tape, TL_F64, s, t->seed + number);
    const tl_tensor bent = tl_add(y, tl_scale(tl_mul(y, y), 0.5));
    return tl_reshape(tl_sum_keep(tl_mul(w, bent), (1u << s.rank) - 1), tl_shape0());
}

/* fresh -- an empty tape with the same draws ahead each time. */
static void fresh(const tl_trial *t)
{
    tl_tape_reset(t->tape);
    tl_set_draws(t->tape, 0);
}

/* scalar -- records operands and the scalar of this level: 0 is s0, 1 is s1. */
static tl_tensor scalar(const tl_trial *t, int level, tl_tensor *in)
{
    if (level == 0) {
        for (int i = 0; i < t->c->nin; i++)
            in[i] = check_input(t->tape,
                                is_smooth(t->c->domain[i]) || t->c->domain[i] == TL_BINARY ? TL_F64
                                                                                           : TL_I32,
                                t->c->shape[i], t->x + t->first[i]);
        return curved(t, t->c->call(in), 1000);
    }
    const tl_tensor lower = scalar(t, level - 1, in);
    tl_tensor by[OPERANDS], g[OPERANDS], sum = {0};
    int n = 0;
    for (int i = 0; i < t->c->nin; i++)
        if (is_smooth(t->c->domain[i]))
            by[n++] = in[i];
    tl_grad(1, &lower, NULL, n, by, g);
    for (int i = 0; i < n; i++) {
        const tl_tensor part = curved(t, g[i], 2000 + (uint64_t)i);
        sum = i ? tl_add(sum, part) : part;
    }
    return sum;
}

/* value -- the scalar with element k of x moved by h. */
static double value(const tl_trial *t, int level, int64_t k, double h)
{
    tl_tensor in[OPERANDS];
    const double x = t->x[k];
    t->x[k] = x + h;
    fresh(t);
    const double s = tl_item(scalar(t, level, in));
    t->x[k] = x;
    return s;
}

/* difference -- ds/dx_k = (8 (s(h) - s(-h)) - (s(2h) - s(-2h))) / (12 h), error of order h^4. */
static double difference(const tl_trial *t, int level, int64_t k)
{
    const double h = 1e-4;
    const double near = value(t, level, k, h) - value(t, level, k, -h);
    const double far = value(t, level, k, 2 * h) - value(t, level, k, -2 * h);
    return (8 * near - far) / (12 * h);
}

static int occurs(const tl_tape *tape, const tl_op *op)
{
    for (uint32_t i = 0; i < tape->nnodes; i++)
        if (tape->nodes[i].op == op)
            return 1;
    return 0;
}

static int failed(const tl_trial *t)
{
    snprintf(t->message, CHECK_MESSAGE, "%s", tl_tape_error(t->tape));
    return 0;
}

/* gradients -- of the scalar of this level by all smooth operands, to g at each one's place in
 * x; `together` in one call of tl_grad, else one by one, which asks the rules for single
 * operands. */
static int gradients(const tl_trial *t, int level, int together, double *g)
{
    tl_tensor in[OPERANDS], by[OPERANDS], d[OPERANDS];
    int place[OPERANDS], n = 0;
    fresh(t);
    const tl_tensor s = scalar(t, level, in);
    for (int i = 0; i < t->c->nin; i++)
        if (is_smooth(t->c->domain[i])) {
            place[n] = i;
            by[n++] = in[i];
        }
    if (t->op && tl_tape_status(t->tape) == TL_OK && !occurs(t->tape, t->op)) {
        snprintf(t->message, CHECK_MESSAGE, "the case does not record %s", t->op->name);
        return 0;
    }
    if (together)
        tl_grad(1, &s, NULL, n, by, d);
    else
        for (int i = 0; i < n; i++)
            tl_grad(1, &s, NULL, 1, &by[i], &d[i]);
    for (int i = 0; i < n; i++) {
        const int64_t first = t->first[place[i]], count = t->first[place[i] + 1] - first;
        if (tl_tape_status(t->tape) == TL_OK &&
            !tl_shape_equal(tl_shape_of(d[i]), t->c->shape[place[i]])) {
            snprintf(t->message, CHECK_MESSAGE, "the gradient of operand %d has another shape",
                     place[i]);
            return 0;
        }
        if (tl_read_f64(d[i], g + first, count))
            return failed(t);
    }
    return tl_tape_status(t->tape) ? failed(t) : 1;
}

/* pushes_alike -- forward mode against reverse mode: the tangent of the scalar along random v is
 * <v, g>. */
static int pushes_alike(const tl_trial *t, int level, const double *g, double scale)
{
    tl_tensor in[OPERANDS], by[OPERANDS], v[OPERANDS], d;
    double *x = malloc(sizeof *x * (size_t)(t->first[t->c->nin] + 1)), want = 0, sum = 1, got = 0;
    int n = 0;
    cr_assert_not_null(x);
    fresh(t);
    const tl_tensor s = scalar(t, level, in);
    for (int i = 0; i < t->c->nin; i++) {
        const int64_t first = t->first[i], count = t->first[i + 1] - first;
        if (!is_smooth(t->c->domain[i]))
            continue;
        check_draw(t->seed + 77, TL_ANY, 0, first + count, count, x);
        for (int64_t k = first; k < first + count; k++) {
            want += x[k] * g[k];
            sum += fabs(x[k] * g[k]);
        }
        v[n] = tl_input_f64(t->tape, t->c->shape[i], x + first);
        by[n++] = in[i];
    }
    tl_jvp(n, by, v, 1, &s, &d);
    const int failure = tl_read_f64(d, &got, 1);
    free(x);
    if (failure)
        return failed(t);
    if (fabs(got - want) <= 1e-10 * (sum + scale))
        return 1;
    snprintf(t->message, CHECK_MESSAGE, "order %d: forward mode has %.15g, reverse mode %.15g",
             level + 1, got, want);
    return 0;
}

static int check_level(const tl_trial *t, int level)
{
    const int64_t count = t->first[t->c->nin];
    double *g = calloc((size_t)(2 * count + 2), sizeof *g);
    cr_assert_not_null(g);
    double *alone = g + count, scale = 1;
    int ok = gradients(t, level, 1, g) && gradients(t, level, 0, alone);
    for (int64_t k = 0; ok && k < count; k++)
        scale = fabs(g[k]) > scale ? fabs(g[k]) : scale;
    for (int i = 0; ok && i < t->c->nin; i++)
        for (int64_t k = t->first[i]; ok && is_smooth(t->c->domain[i]) && k < t->first[i + 1];
             k++) {
            const double want = difference(t, level, k);
            if (tl_tape_status(t->tape))
                ok = failed(t);
            else if (!(fabs(g[k] - want) <= 1e-7 * scale) ||
                     !(fabs(alone[k] - want) <= 1e-7 * scale))
                ok = 0, snprintf(t->message, CHECK_MESSAGE,
                                 "order %d, operand %d, element %lld: the tape has %.12g (%.12g "
                                 "asked alone), differences %.12g",
                                 level + 1, i, (long long)(k - t->first[i]), g[k], alone[k], want);
        }
    ok = ok && pushes_alike(t, level, g, scale);
    free(g);
    return ok;
}

int gradcheck(const tl_op *op, const tl_case *c, int order, uint64_t seed, char *message)
{
    tl_trial t = {.op = op, .c = c, .seed = seed, .tape = check_tape(seed), .message = message};
    for (int i = 0; i < c->nin; i++)
        t.first[i + 1] = t.first[i] + tl_shape_count(c->shape[i]);
    t.x = malloc((size_t)(t.first[c->nin] + 1) * sizeof *t.x);
    cr_assert_not_null(t.x);
    for (int i = 0; i < c->nin; i++)
        check_draw(seed + (uint64_t)i, c->domain[i], c->bound, t.first[i + 1],
                   t.first[i + 1] - t.first[i], t.x);
    message[0] = '\0';
    int ok = 1;
    for (int level = 0; ok && level < order; level++)
        ok = check_level(&t, level);
    free(t.x);
    tl_tape_free(t.tape);
    return ok;
}
