/* hoist.c -- takes out of a loop what does not depend on its carries.
 *
 *     before   for t:  x = each(xs)   z = contract(x, W) + contract(h, U)   u = exp(s)
 *
 *     after    u = exp(s)                      s from outside: the same in every step
 *              Z = contract(xs, W)             depends on t: once, with one more leading axis
 *              for t:  z = each(Z) + contract(h, U)
 *
 * Only contractions are worth a leading axis, and what they need of the body; pointwise work is
 * left where the rest of the step reads it from the cache. Inner loops come first, so what leaves
 * one may leave the next. Random draws stay: their numbers are those of the step. */
#include "core/plan/graph.h"

#include "core/space.h"

#include <string.h>

typedef enum tl_class { CLASS_STAYS, CLASS_SAME, CLASS_LED } tl_class;

typedef struct tl_hoist {
    tl_graph *g;
    uint32_t block;
    uint8_t *kind;   /* tl_class of values of the block; values outside count as CLASS_SAME */
    uint8_t *wanted; /* to be computed for all steps at once */
    uint32_t *led;   /* its value with the leading axis, TL_NONE */
} tl_hoist;

int tl__lead_of(tl_graph *g, uint32_t v, uint32_t led, int *ni, const int64_t **i)
{
    const tl_val *x = &g->val[v];
    tl_shape shapes[8];
    tl_lead q;
    if (!x->op->lead || x->nin > 8 || x->shape.rank >= TL_MAX_RANK ||
        x->ni > (int)(sizeof q.i / sizeof *q.i))
        return 0;
    for (uint32_t k = 0; k < x->nin; k++) {
        shapes[k] = g->val[x->in[k]].shape;
        if (shapes[k].rank >= TL_MAX_RANK)
            return 0;
    }
    const tl_attr attr = {x->ni, x->i, 0, NULL};
    q.attr = &attr;
    q.nin = (int)x->nin;
    q.in = shapes;
    q.led = led;
    q.ni = x->ni;
    if (x->ni)
        memcpy(q.i, x->i, (size_t)x->ni * sizeof *q.i);
    if (!x->op->lead(&q))
        return 0;
    if (i) {
        int64_t *copy = tl__graph_alloc(g, (size_t)q.ni + 1, sizeof *copy);
        if (!copy)
            return 0;
        memcpy(copy, q.i, (size_t)q.ni * sizeof *copy);
        *ni = q.ni;
        *i = copy;
    }
    return 1;
}

static int is_inside(const tl_hoist *h, uint32_t v)
{
    return h->g->val[v].block == h->block;
}

static tl_class class_of(const tl_hoist *h, uint32_t v)
{
    return is_inside(h, v) ? (tl_class)h->kind[v] : CLASS_SAME;
}

static int is_movable(const tl_val *x)
{
    switch (x->op->kind) {
    case TL_POINTWISE:
    case TL_VIEW:
    case TL_CONTRACTION:
    case TL_REDUCTION:
    case TL_GATHER:
    case TL_ASSEMBLE:
    case TL_OTHER:
        return 1;
    default:
        return 0;
    }
}

/* led_mask -- which operands have the leading axis when all that can has it. An assemble's all
 * do: those without are repeated. */
static uint32_t led_mask(const tl_hoist *h, const tl_val *x)
{
    uint32_t led = 0;
    for (uint32_t k = 0; k < x->nin && k < 31; k++)
        if (class_of(h, x->in[k]) == CLASS_LED || x->op->kind == TL_ASSEMBLE)
            led |= 1u << k;
    return led;
}

static tl_class classify(const tl_hoist *h, uint32_t v)
{
    const tl_val *x = &h->g->val[v];
    if (x->op == &tl_op_each || x->op == &tl_op_time)
        return CLASS_LED;
    if (!is_movable(x))
        return CLASS_STAYS;
    tl_class kind = CLASS_SAME;
    for (uint32_t k = 0; k < x->nin; k++) {
        tl_class c = class_of(h, x->in[k]);
        if (c == CLASS_STAYS)
            return CLASS_STAYS;
        kind = c == CLASS_LED ? CLASS_LED : kind;
    }
    if (kind == CLASS_LED && (x->nin > 8 || !tl__lead_of(h->g, v, led_mask(h, x), NULL, NULL)))
        return CLASS_STAYS;
    return kind;
}

/* want -- v and what it needs of the body get the leading axis. */
static void want(tl_hoist *h, uint32_t v)
{
    if (!is_inside(h, v) || h->kind[v] != CLASS_LED || h->wanted[v])
        return;
    h->wanted[v] = 1;
    for (uint32_t k = 0; k < h->g->val[v].nin && h->g->val[v].op != &tl_op_each; k++)
        want(h, h->g->val[v].in[k]);
}

static tl_shape with_axis(int64_t T, tl_shape s)
{
    tl_shape out = {.rank = s.rank + 1, .dim = {T}};
    memcpy(out.dim + 1, s.dim, (size_t)s.rank * sizeof *s.dim);
    return out;
}

/* padded -- a led operand of fewer axes than the result, so that the leading axes stand under
 * one another: [T,H] as [T,1,H]. */
static uint32_t padded(tl_hoist *h, uint32_t v, int rank)
{
    tl_graph *g = h->g;
    tl_shape s = g->val[v].shape, to = {.rank = rank};
    if (s.rank == rank)
        return v;
    for (int a = 0; a < rank; a++)
        to.dim[a] = 1;
    to.dim[0] = s.dim[0];
    memcpy(to.dim + rank - (s.rank - 1), s.dim + 1, (size_t)(s.rank - 1) * sizeof *s.dim);
    return tl__graph_add(g, &tl_op_reshape, g->block[h->block].parent, g->val[v].dtype, to, 1, &v);
}

/* led_operand -- operand u of a led value, in the block around. */
static uint32_t led_operand(tl_hoist *h, uint32_t u, int rank, int aligns, int repeat)
{
    tl_graph *g = h->g;
    const tl_block *b = &g->block[h->block];
    if (class_of(h, u) == CLASS_LED)
        return aligns ? padded(h, h->led[u], rank) : h->led[u];
    if (!repeat)
        return u;
    return tl__graph_add(g, &tl_op_broadcast_to, b->parent, g->val[u].dtype,
                         with_axis(b->T, g->val[u].shape), 1, &u);
}

/* lead -- makes the value with the leading axis; the one in the body becomes a leaf that reads
 * it. */
static void lead(tl_hoist *h, uint32_t v)
{
    tl_graph *g = h->g;
    const uint32_t parent = g->block[h->block].parent;
    const int64_t T = g->block[h->block].T;
    tl_val x = g->val[v];
    if (x.op == &tl_op_each) {
        h->led[v] = x.in[0];
        return;
    }
    uint32_t w;
    if (x.op == &tl_op_time) {
        w = tl__graph_add(g, &tl__op_iota, parent, TL_I32, tl_shape1(T), 0, NULL);
    } else {
        uint32_t in[8];
        int ni = 0;
        const int64_t *i = NULL;
        const int aligns = x.op->kind == TL_POINTWISE || x.op == &tl_op_broadcast_to;
        if (!tl__lead_of(g, v, led_mask(h, &x), &ni, &i))
            return;
        for (uint32_t k = 0; k < x.nin; k++)
            in[k] = led_operand(h, x.in[k], x.shape.rank + 1, aligns, x.op->kind == TL_ASSEMBLE);
        w = tl__graph_add(g, x.op, parent, x.dtype, with_axis(T, x.shape), x.nin, in);
        if (w == TL_NONE)
            return;
        g->val[w].ni = ni;
        g->val[w].i = i;
        g->val[w].node = x.node;
        g->val[w].origin = TL_ORIGIN_HOISTED;
        g->val[w].led = led_mask(h, &x);
    }
    h->led[v] = w;
    uint32_t *in = tl__graph_alloc(g, 1, sizeof *in);
    if (!in || w == TL_NONE)
        return;
    *in = w;
    g->val[v].op = &tl_op_each;
    g->val[v].in = in;
    g->val[v].nin = 1;
    g->val[v].ni = 0;
}

static void hoist_block(tl_graph *g, uint32_t block)
{
    const tl_block *b = &g->block[block];
    const uint32_t n = b->norder, *order = b->order, parent = b->parent;
    tl_hoist h = {g, block, tl__graph_alloc(g, g->nvals, 1), tl__graph_alloc(g, g->nvals, 1),
                  tl__graph_alloc(g, g->nvals, sizeof *h.led)};
    if (b->T == 0 || g->code)
        return;
    for (uint32_t k = 0; k < n; k++)
        h.kind[order[k]] = (uint8_t)classify(&h, order[k]);
    for (uint32_t k = 0; k < n; k++) {
        const tl_val *x = &g->val[order[k]];
        if (h.kind[order[k]] == CLASS_LED && x->op->kind == TL_CONTRACTION)
            want(&h, order[k]);
    }
    for (uint32_t k = 0; k < n && !g->code; k++)
        if (h.wanted[order[k]])
            lead(&h, order[k]);
    for (uint32_t k = 0; k < n && !g->code; k++)
        if (h.kind[order[k]] == CLASS_SAME) {
            g->val[order[k]].block = parent;
            g->val[order[k]].origin = TL_ORIGIN_MOVED;
        }
}

void tl__pass_hoist(tl_graph *g)
{
    for (uint32_t b = g->nblocks; b-- > 1 && !g->code;) {
        tl__graph_mark(g);
        tl__graph_order(g);
        if (!g->code && g->val[g->block[b].loop].needed)
            hoist_block(g, b);
    }
}
