/* lift.c -- takes out of a loop what is only handed out of it: products that no later step reads.
 *
 *     before   for t:  dx = contract(dz, W)   stacked(dx)
 *                      dw = contract(dz, x)   summed(dw)
 *
 *     after    for t:  dz                     stacked(dz)
 *              contract(stacked(dz), W)       one large product
 *              contract(stacked(dz), xs)      t is one more summed axis
 *
 * A sum of products is lifted term by term. What is stacked anyway is added up after the loop, too:
 *
 *     before   for t:  db = sum(dz)           summed(db)        stacked(dz)
 *     after    sum(stacked(dz))               over t as well
 *
 * The counterpart of hoisting: there a product's operands are known before the loop, here its
 * result is not needed before the end. */
#include "core/plan/graph.h"

#include "core/space.h"

#include <string.h>

/* stacked_of -- value u of the body at all steps, in the block around. */
static uint32_t stacked_of(tl_graph *g, uint32_t block, uint32_t u)
{
    const uint32_t loop = g->block[block].loop, parent = g->block[block].parent;
    if (g->val[u].op == &tl_op_each)
        return g->val[u].in[0];
    for (uint32_t v = 0; v < g->nvals; v++)
        if (g->val[v].op == &tl_op_stacked && g->val[v].loop == block && g->val[v].of == u)
            return v;
    tl_shape s = g->val[u].shape, to = {.rank = s.rank + 1, .dim = {g->block[block].T}};
    memcpy(to.dim + 1, s.dim, (size_t)s.rank * sizeof *s.dim);
    uint32_t v = tl__graph_add(g, &tl_op_stacked, parent, g->val[u].dtype, to, 1, &loop);
    if (v != TL_NONE) {
        g->val[v].loop = block;
        g->val[v].of = u;
        g->val[u].uses++;
    }
    return v;
}

/* without_axis -- the labels of a contraction whose result has lost its first axis: that one is
 * summed now. */
static const int64_t *without_axis(tl_graph *g, int ni, const int64_t *i)
{
    int64_t *to = tl__graph_alloc(g, (size_t)ni, sizeof *to);
    if (!to)
        return NULL;
    int64_t ra = i[0], rb = i[1 + ra], at = 2 + ra + rb;
    memcpy(to, i, (size_t)at * sizeof *to);
    to[at] = i[at] - 1;
    memcpy(to + at + 1, i + at + 2, (size_t)to[at] * sizeof *to);
    return to;
}

/* is_liftable -- a product, or a sum of products, that only one value reads. */
static int is_liftable(const tl_graph *g, uint32_t v, uint32_t block)
{
    const tl_val *x = &g->val[v];
    if (x->block != block || x->uses > 1)
        return 0;
    if (x->op == &tl_op_add)
        return tl_shape_equal(g->val[x->in[0]].shape, g->val[x->in[1]].shape) &&
               is_liftable(g, x->in[0], block) && is_liftable(g, x->in[1], block);
    return x->op->kind == TL_CONTRACTION && x->nin == 2;
}

/* split -- a result of a sum becomes the sum of the terms' results; both are lifted in turn. */
static void split(tl_graph *g, uint32_t r)
{
    const tl_val x = g->val[r], sum = g->val[x.of];
    uint32_t *in = tl__graph_alloc(g, 2, sizeof *in);
    for (uint32_t k = 0; in && k < 2; k++) {
        in[k] = tl__graph_add(g, x.op, x.block, x.dtype, x.shape, x.nin, x.in);
        if (in[k] == TL_NONE)
            return;
        g->val[in[k]].loop = x.loop;
        g->val[in[k]].of = sum.in[k];
        g->val[in[k]].needed = 1;
    }
    if (!in)
        return;
    tl_val *to = &g->val[r];
    to->op = &tl_op_add;
    to->nin = 2;
    to->in = in;
    to->ni = 0;
    to->loop = to->of = TL_NONE;
    if (to->node == TL_NONE)
        to->node = sum.node;
}

/* lift_result -- turns result r of block b into the product over all steps, if it can be. */
static void lift_result(tl_graph *g, uint32_t r)
{
    const uint32_t block = g->val[r].loop, v = g->val[r].of;
    const int sums = g->val[r].op == &tl_op_summed;
    const tl_val x = g->val[v];
    uint32_t led = 0, in[2];
    int ni;
    const int64_t *i;
    if (x.block != block || x.op->kind != TL_CONTRACTION || x.nin != 2 || x.uses > 1)
        return;
    for (uint32_t k = 0; k < 2; k++)
        led |= (uint32_t)(g->val[x.in[k]].block == block) << k;
    if (led == 0 || (sums && led != 3) || !tl__lead_of(g, v, led, &ni, &i))
        return;
    for (uint32_t k = 0; k < 2; k++) {
        in[k] = led >> k & 1 ? stacked_of(g, block, x.in[k]) : x.in[k];
        if (in[k] == TL_NONE)
            return;
    }
    if (sums && !(i = without_axis(g, ni--, i)))
        return;
    uint32_t *operands = tl__graph_alloc(g, 2, sizeof *operands);
    if (!operands)
        return;
    memcpy(operands, in, sizeof in);
    tl_val *to = &g->val[r];
    to->op = x.op;
    to->origin = TL_ORIGIN_LIFTED;
    to->in = operands;
    to->nin = 2;
    to->ni = ni;
    to->i = i;
    to->loop = to->of = TL_NONE;
    if (to->node == TL_NONE)
        to->node = x.node;
}

/* lift_sum -- a sum of what is stacked anyway is taken over the steps as well. */
static void lift_sum(tl_graph *g, uint32_t r)
{
    const uint32_t block = g->val[r].loop, v = tl__through_views(g, g->val[r].of);
    const tl_val x = g->val[v];
    if (x.block != block || x.op != &tl_op_sum || x.uses > 1 || g->val[g->val[r].of].uses > 1 ||
        x.shape.rank >= TL_MAX_RANK)
        return;
    uint32_t from = TL_NONE;
    for (uint32_t u = 0; u < g->nvals && from == TL_NONE; u++)
        if (g->val[u].needed && g->val[u].op == &tl_op_stacked && g->val[u].loop == block &&
            g->val[u].of == x.in[0])
            from = u;
    int64_t *axes = from == TL_NONE ? NULL : tl__graph_alloc(g, 1, sizeof *axes);
    if (!axes)
        return;
    tl_shape shape = {.rank = x.shape.rank + 1, .dim = {1}};
    memcpy(shape.dim + 1, x.shape.dim, (size_t)x.shape.rank * sizeof *x.shape.dim);
    const uint32_t sum = tl__graph_add(g, x.op, g->block[block].parent, x.dtype, shape, 1, &from);
    uint32_t *in = tl__graph_alloc(g, 1, sizeof *in);
    if (sum == TL_NONE || !in)
        return;
    *axes = x.i[0] | (int64_t)1 << x.shape.rank;
    *in = sum;
    g->val[sum].node = x.node;
    g->val[sum].ni = 1;
    g->val[sum].i = axes;
    tl_val *to = &g->val[r];
    to->op = &tl_op_reshape;
    to->nin = 1;
    to->in = in;
    to->ni = 0;
    to->loop = to->of = TL_NONE;
}

static int is_result(const tl_graph *g, uint32_t r, const tl_op *op)
{
    const tl_val *x = &g->val[r];
    return x->needed && x->op == op && g->block[x->loop].T > 0;
}

void tl__pass_lift(tl_graph *g)
{
    tl__graph_mark(g);
    for (uint32_t r = 0; r < g->nvals && !g->code; r++) {
        if (!is_result(g, r, &tl_op_stacked) && !is_result(g, r, &tl_op_summed))
            continue;
        if (g->val[g->val[r].of].op == &tl_op_add && is_liftable(g, g->val[r].of, g->val[r].loop))
            split(g, r);
        else
            lift_result(g, r);
    }
    tl__graph_mark(g);
    for (uint32_t r = 0; r < g->nvals && !g->code; r++)
        if (is_result(g, r, &tl_op_summed))
            lift_sum(g, r);
}
