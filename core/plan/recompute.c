/* recompute.c -- computes a cheap residual again where the adjoint reads it, instead of storing it
 * at every step.
 *
 *     before   step      e = exp(-z)   d = 1 + e   s = 1 / d     stacked: e, d, s
 *              adjoint   e'            d'          s'            each of those
 *
 *     after    step      e = exp(-z)   d = 1 + e   s = 1 / d     stacked: e
 *              adjoint   e'            d' = 1 + e' s' = 1 / d'
 *
 * Cheap is arithmetic (law.h) of at most two operations in a row, on what the adjoint has at hand:
 * other residuals, inputs of the step, what lies outside of both loops, constants. Nothing is stored
 * for it that was not before. Done when the adjoint's pointwise values are all that reads the
 * residual: a product would have it stored again. The same operations on the same operands, so not a
 * bit changes. */
#include "core/plan/graph.h"
#include "core/plan/law.h"

#include "core/space.h"

enum { DEEPEST = 2 };

typedef struct tl_again {
    tl_graph *g;
    uint32_t body, target; /* blocks: of the loop that stores, of the one that reads */
    uint32_t *shows;       /* by value: the value of a body that it stands for, TL_NONE */
    uint32_t n;            /* of them */
} tl_again;

/* at_hand -- the target's value for u of the body; TL_NONE if it has none. */
static uint32_t at_hand(const tl_again *a, uint32_t u)
{
    for (uint32_t w = 0; w < a->n; w++)
        if (a->shows[w] == u && a->g->val[w].block == a->target && a->g->val[w].needed)
            return w;
    return TL_NONE;
}

/* stored -- the stacked result that holds u at all steps, in a block that the target sees. */
static uint32_t stored(const tl_again *a, uint32_t u)
{
    const tl_graph *g = a->g;
    for (uint32_t r = 0; r < a->n; r++)
        if (g->val[r].needed && g->val[r].op == &tl_op_stacked && g->val[r].loop == a->body &&
            g->val[r].of == u && tl__graph_within(g, a->target, g->val[r].block))
            return r;
    return TL_NONE;
}

/* is_seen -- whether u lies around both loops. */
static int is_seen(const tl_again *a, uint32_t u)
{
    return a->g->val[u].block != a->body && tl__graph_within(a->g, a->target, a->g->val[u].block);
}

/* can_have -- whether the target can have u, by at most `depth` operations. */
static int can_have(const tl_again *a, uint32_t u, int depth)
{
    const tl_graph *g = a->g;
    const tl_val *x = &g->val[u];
    if (tl__const_behind(g, u) != TL_NONE || is_seen(a, u) || at_hand(a, u) != TL_NONE)
        return 1;
    if (x->op == &tl_op_each && x->block == a->body)
        return is_seen(a, x->in[0]);
    if (stored(a, u) != TL_NONE)
        return 1;
    if (x->block != a->body || depth == 0 || !tl__is_pointwise(x) || !tl__is_cheap(x->op))
        return 0;
    for (uint32_t k = 0; k < x->nin; k++)
        if (!can_have(a, x->in[k], depth - 1))
            return 0;
    return 1;
}

static uint32_t have(tl_again *a, uint32_t u);

static uint32_t *operands_of(tl_again *a, uint32_t v)
{
    const tl_val x = a->g->val[v];
    uint32_t *in = tl__graph_alloc(a->g, x.nin, sizeof *in);
    for (uint32_t k = 0; in && k < x.nin; k++)
        in[k] = have(a, x.in[k]);
    return a->g->code ? NULL : in;
}

/* have -- u in the target, as can_have() has found it. */
static uint32_t have(tl_again *a, uint32_t u)
{
    tl_graph *g = a->g;
    const tl_val x = g->val[u];
    const uint32_t c = tl__const_behind(g, u);
    if (c != TL_NONE) {
        const uint32_t v = tl__graph_const(g, a->target, g->val[c].dtype);
        if (v != TL_NONE) {
            g->val[v].node = g->val[c].node; /* whose number it is */
            g->val[v].numbers = g->val[c].numbers;
            g->val[v].one = g->val[c].one;
        }
        return v;
    }
    const uint32_t w = at_hand(a, u);
    if (w != TL_NONE) {
        g->val[w].uses++;
        return w;
    }
    if (is_seen(a, u))
        return u;
    if (x.op == &tl_op_each)
        return tl__graph_add(g, x.op, a->target, x.dtype, x.shape, 1, x.in);
    const uint32_t r = stored(a, u);
    if (r != TL_NONE) {
        g->val[r].uses++;
        return tl__graph_add(g, &tl_op_each, a->target, x.dtype, x.shape, 1, &r);
    }
    const uint32_t *in = operands_of(a, u);
    return in ? tl__graph_add(g, x.op, a->target, x.dtype, x.shape, x.nin, in) : TL_NONE;
}

/* is_read_by_arithmetic -- whether all that reads e is pointwise, in its own block. */
static int is_read_by_arithmetic(const tl_graph *g, uint32_t e)
{
    uint32_t found = 0;
    for (uint32_t v = 0; v < g->nvals; v++) {
        const tl_val *x = &g->val[v];
        if (!x->needed || !tl__is_pointwise(x) || x->block != g->val[e].block)
            continue;
        for (uint32_t k = 0; k < x->nin; k++)
            found += x->in[k] == e;
    }
    return found == g->val[e].uses;
}

/* recompute -- e reads residual r row by row: it becomes the operation that r was stacked of, if it
 * can be. */
static void recompute(tl_again *a, uint32_t e)
{
    tl_graph *g = a->g;
    const uint32_t r = g->val[e].in[0], v = g->val[r].of;
    const tl_val x = g->val[v];
    if (g->val[r].keep || g->val[r].uses != 1 || x.block != a->body || !tl__is_pointwise(&x) ||
        !tl__is_cheap(x.op) || tl__is_carried(g, a->body, v) || !is_read_by_arithmetic(g, e))
        return;
    for (uint32_t k = 0; k < x.nin; k++)
        if (!can_have(a, x.in[k], DEEPEST - 1))
            return;
    uint32_t *in = operands_of(a, v);
    if (!in)
        return;
    tl_val *to = &g->val[e];
    to->op = x.op;
    to->node = x.node;
    to->nin = x.nin;
    to->in = in;
    to->ni = x.ni;
    to->i = x.i;
}

/* is_residual -- whether e reads, row by row, what another loop of the same block has stacked. */
static int is_residual(const tl_graph *g, uint32_t e)
{
    const tl_val *x = &g->val[e];
    if (!x->needed || x->op != &tl_op_each)
        return 0;
    const tl_val *r = &g->val[x->in[0]];
    return r->op == &tl_op_stacked && g->block[r->loop].T == g->block[x->block].T;
}

void tl__pass_recompute(tl_graph *g)
{
    tl__graph_mark(g);
    tl__graph_order(g);
    tl_again a = {.g = g, .n = g->nvals};
    a.shows = tl__graph_alloc(g, a.n + 1, sizeof *a.shows);
    if (g->code)
        return;
    for (uint32_t v = 0; v < a.n; v++)
        a.shows[v] = is_residual(g, v) ? g->val[g->val[v].in[0]].of : TL_NONE;
    for (uint32_t v = 0; v < a.n && !g->code; v++) {
        if (a.shows[v] == TL_NONE)
            continue;
        a.body = g->val[g->val[v].in[0]].loop;
        a.target = g->val[v].block;
        recompute(&a, v);
    }
}
