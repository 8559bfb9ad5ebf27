/* sink.c -- lets products add into what they are added to.
 *
 *     before   z = (each(X) + b) + (contract(h, U) + d)      X = contract(xs, W), before the loop
 *
 *     after    a = each(X) += contract(h, U)                 in X's own rows: one array, not three
 *              z = a + (b + d)                               b + d once, before the loop
 *
 * A sum of several terms is taken apart; its products are put behind one another, each adding into
 * the place of the former, the first into a term that has memory of its own and no other reader:
 * a row of a product made before the loop, another product, or, when nothing else is left to add, a
 * pointwise value. What all steps share is added up before the loop. The order of a sum changes,
 * so results are equal to rounding. */
#include "core/plan/graph.h"

#include "core/space.h"

#include <string.h>

enum { TERMS = 16 };

typedef struct tl_terms {
    tl_graph *g;
    uint32_t block;
    tl_shape shape;
    uint32_t product[TERMS], shared[TERMS], other[TERMS];
    uint32_t nproducts, nshared, nothers;
    uint8_t *done; /* by value: part of a sum that was taken apart */
    int full;
} tl_terms;

static int is_sum(const tl_val *x)
{
    return x->op == &tl_op_add && (x->dtype == TL_F32 || x->dtype == TL_F64);
}

static int is_inner(const tl_terms *t, const tl_val *x)
{
    return is_sum(x) && x->block == t->block && x->uses == 1 && !x->keep &&
           tl_shape_equal(x->shape, t->shape);
}

static int is_product(const tl_terms *t, const tl_val *x)
{
    return x->op->kind == TL_CONTRACTION && x->block == t->block && x->uses == 1 && !x->keep &&
           !x->accumulate && tl_shape_equal(x->shape, t->shape);
}

static void put(tl_terms *t, uint32_t *list, uint32_t *n, uint32_t v)
{
    if (*n < TERMS)
        list[(*n)++] = v;
    else
        t->full = 1;
}

static void collect(tl_terms *t, uint32_t v)
{
    for (uint32_t k = 0; k < 2 && !t->full; k++) {
        const uint32_t u = t->g->val[v].in[k];
        const tl_val *x = &t->g->val[u];
        if (is_inner(t, x)) {
            t->done[u] = 1;
            collect(t, u);
        } else if (is_product(t, x)) {
            put(t, t->product, &t->nproducts, u);
        } else if (x->block != t->block) {
            put(t, t->shared, &t->nshared, u);
        } else {
            put(t, t->other, &t->nothers, u);
        }
    }
}

/* is_row -- reads a row of a product that nothing else reads. */
static int is_row(const tl_terms *t, const tl_val *x)
{
    const tl_graph *g = t->g;
    if (x->op != &tl_op_each || x->uses != 1 || x->keep || !tl_shape_equal(x->shape, t->shape))
        return 0;
    const tl_val *rows = &g->val[x->in[0]];
    return rows->op->kind == TL_CONTRACTION && rows->uses == 1 && !rows->keep &&
           rows->block == g->block[t->block].parent;
}

static int is_private(const tl_terms *t, const tl_val *x)
{
    return tl__is_pointwise(x) && x->uses == 1 && !x->keep && tl_shape_equal(x->shape, t->shape);
}

/* take_base -- the term that the products add into, taken out of its list; TL_NONE if there is
 * none. */
static uint32_t take_base(tl_terms *t)
{
    const int alone = t->nshared == 0 && t->nothers == 1;
    for (uint32_t k = 0; k < t->nothers; k++) {
        const tl_val *x = &t->g->val[t->other[k]];
        if (!is_row(t, x) && !(alone && is_private(t, x)))
            continue;
        const uint32_t v = t->other[k];
        t->other[k] = t->other[--t->nothers];
        return v;
    }
    return t->nproducts > 1 ? t->product[--t->nproducts] : TL_NONE;
}

static uint32_t add(tl_terms *t, uint32_t block, tl_shape shape, uint32_t a, uint32_t b)
{
    const uint32_t in[2] = {a, b};
    return tl__graph_add(t->g, &tl_op_add, block, t->g->val[a].dtype, shape, 2, in);
}

/* add_shared -- terms of equal shape from outside become one, outside. */
static void add_shared(tl_terms *t)
{
    tl_graph *g = t->g;
    const uint32_t parent = g->block[t->block].parent;
    if (parent == TL_NONE)
        return;
    for (uint32_t i = 0; i < t->nshared; i++)
        for (uint32_t j = i + 1; j < t->nshared && !g->code;) {
            const tl_shape shape = g->val[t->shared[i]].shape;
            if (!tl_shape_equal(shape, g->val[t->shared[j]].shape)) {
                j++;
                continue;
            }
            t->shared[i] = add(t, parent, shape, t->shared[i], t->shared[j]);
            t->shared[j] = t->shared[--t->nshared];
        }
}

/* accumulate -- product p adds into `base`. */
static uint32_t accumulate(tl_terms *t, uint32_t p, uint32_t base)
{
    tl_graph *g = t->g;
    const tl_val x = g->val[p];
    const uint32_t in[3] = {x.in[0], x.in[1], base};
    const uint32_t v = tl__graph_add(g, x.op, t->block, x.dtype, x.shape, 3, in);
    if (v == TL_NONE)
        return base;
    tl_val *to = &g->val[v];
    to->node = x.node;
    to->ni = x.ni;
    to->i = x.i;
    to->accumulate = 1;
    to->via = TL_VIA_SAME;
    to->base = base;
    return v;
}

/* rebuild -- v becomes the sum of the terms in the new order; its last addition is v itself. */
static void rebuild(tl_terms *t, uint32_t v, uint32_t sum)
{
    tl_graph *g = t->g;
    uint32_t rest[2 * TERMS], n = 0;
    for (uint32_t k = 0; k < t->nproducts; k++)
        sum = accumulate(t, t->product[k], sum);
    for (uint32_t k = 0; k < t->nshared; k++)
        rest[n++] = t->shared[k];
    for (uint32_t k = 0; k < t->nothers; k++)
        rest[n++] = t->other[k];
    for (uint32_t k = 0; k + 1 < n && !g->code; k++)
        sum = add(t, t->block, t->shape, sum, rest[k]);
    uint32_t *in = tl__graph_alloc(g, 2, sizeof *in);
    if (!in || g->code)
        return;
    in[0] = sum;
    in[1] = n ? rest[n - 1] : TL_NONE;
    tl_val *to = &g->val[v];
    to->in = in;
    to->nin = n ? 2 : 1;
    if (n == 0) /* the products were all there was */
        to->op = &tl_op_detach;
}

static void sink_sum(tl_graph *g, uint32_t v, uint8_t *done)
{
    tl_terms t = {.g = g, .block = g->val[v].block, .shape = g->val[v].shape, .done = done};
    collect(&t, v);
    if (t.full || t.nproducts == 0)
        return;
    const uint32_t base = take_base(&t);
    if (base == TL_NONE)
        return;
    add_shared(&t);
    rebuild(&t, v, base);
}

void tl__pass_sink(tl_graph *g)
{
    tl__graph_mark(g);
    tl__graph_order(g);
    uint8_t *done = tl__graph_alloc(g, g->nvals + 1, 1);
    for (uint32_t b = 0; b < g->nblocks && !g->code; b++)
        for (uint32_t k = g->block[b].norder; k-- > 0 && !g->code;) {
            const uint32_t v = g->block[b].order[k]; /* users before operands */
            if (is_sum(&g->val[v]) && !done[v])
                sink_sum(g, v, done);
        }
}
