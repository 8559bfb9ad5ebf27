/* gate.c -- takes the sums of a loop's body apart, and puts values side by side.
 *
 *     add(add(contract(x, W), contract(h, U)), b)      products x W, h U; shared b
 *
 * Labels are those of a contraction (core/op.h). */
#include "core/plan/gate.h"

#include "core/space.h"

#include <string.h>

/* ---- labels ---------------------------------------------------------------------------------- */

/* labels_of -- of operand k of a product, 2: of its result; *n receives how many. */
static const int64_t *labels_of(const tl_val *x, int k, int64_t *n)
{
    const int64_t *i = x->i;
    for (; k > 0; k--)
        i += 1 + *i;
    *n = *i;
    return i + 1;
}

int tl__label_axis(const tl_val *x, int k, int64_t label)
{
    int64_t n;
    const int64_t *at = labels_of(x, k, &n);
    for (int a = 0; a < n; a++)
        if (at[a] == label)
            return a;
    return -1;
}

int64_t tl__label_last(const tl_val *x, int k)
{
    int64_t n;
    const int64_t *at = labels_of(x, k, &n);
    return n ? at[n - 1] : -1;
}

int tl__product_same(const tl_val *x, const tl_val *y)
{
    return x->op == y->op && x->ni == y->ni && x->dtype == y->dtype &&
           memcmp(x->i, y->i, (size_t)x->ni * sizeof *x->i) == 0;
}

/* ---- taking sums apart ----------------------------------------------------------------------- */

static int is_sum(const tl_val *x)
{
    return x->op == &tl_op_add && (x->dtype == TL_F32 || x->dtype == TL_F64);
}

static int is_product(const tl_join *j, uint32_t v, tl_shape shape)
{
    const tl_graph *g = j->g;
    const tl_val *x = &g->val[v];
    return x->op->kind == TL_CONTRACTION && x->nin == 2 && x->block == j->block && x->uses == 1 &&
           !x->keep && tl_shape_equal(x->shape, shape) && g->val[x->in[0]].block == j->block &&
           g->val[x->in[1]].block != j->block;
}

static void put(tl_gate *t, uint32_t *list, uint32_t *n, uint32_t v)
{
    if (*n < TL_GATE_TERMS)
        list[(*n)++] = v;
    else
        t->full = 1;
}

static void collect(tl_join *j, tl_gate *t, uint32_t v)
{
    const tl_graph *g = j->g;
    const tl_shape shape = g->val[t->root].shape;
    for (uint32_t k = 0; k < 2 && !t->full; k++) {
        const uint32_t u = g->val[v].in[k];
        const tl_val *x = &g->val[u];
        if (is_sum(x) && x->block == j->block && x->uses == 1 && !x->keep &&
            tl_shape_equal(x->shape, shape)) {
            j->done[u] = 1;
            collect(j, t, u);
        } else if (is_product(j, u, shape)) {
            put(t, t->product, &t->nproducts, u);
        } else if (x->block != j->block) {
            put(t, t->shared, &t->nshared, u);
        } else {
            put(t, t->other, &t->nothers, u);
        }
    }
}

uint32_t tl__gates_of(tl_join *j, tl_gate **gates)
{
    tl_graph *g = j->g;
    const tl_block *b = &g->block[j->block];
    uint32_t n = 0;
    *gates = tl__graph_alloc(g, b->norder + 1, sizeof **gates);
    memset(j->done, 0, j->nvals);
    for (uint32_t k = b->norder; *gates && k-- > 0;) { /* users before operands */
        const uint32_t v = b->order[k];
        if (!is_sum(&g->val[v]) || j->done[v])
            continue;
        tl_gate t = {.root = v};
        collect(j, &t, v);
        if (!t.full && t.nproducts > 0)
            (*gates)[n++] = t;
    }
    return n;
}

/* ---- values side by side --------------------------------------------------------------------- */

uint32_t tl__beside(tl_graph *g, uint32_t block, uint32_t n, const uint32_t *piece, int axis)
{
    const tl_val x = g->val[piece[0]];
    const int rank = x.shape.rank;
    const size_t ni = 2 + (size_t)n * (size_t)rank;
    int64_t *i = tl__graph_alloc(g, ni, sizeof *i);
    tl_shape shape = x.shape;
    if (!i)
        return TL_NONE;
    i[0] = n;
    i[1] = rank;
    for (uint32_t p = 0; p < n; p++)
        i[2 + (int64_t)p * rank + axis] = p * x.shape.dim[axis];
    shape.dim[axis] *= n;
    for (uint32_t v = 0; v < g->nvals; v++) {
        const tl_val *y = &g->val[v];
        if (y->op == &tl_op_assemble && y->block == block && y->nin == n && (size_t)y->ni == ni &&
            tl_shape_equal(y->shape, shape) && memcmp(y->in, piece, n * sizeof *piece) == 0 &&
            memcmp(y->i, i, ni * sizeof *i) == 0)
            return v;
    }
    const uint32_t v = tl__graph_add(g, &tl_op_assemble, block, x.dtype, shape, n, piece);
    if (v != TL_NONE) {
        g->val[v].ni = (int)ni;
        g->val[v].i = i;
    }
    return v;
}

void tl__become_part(tl_graph *g, uint32_t v, uint32_t whole, int axis, uint32_t k)
{
    const tl_val x = g->val[v];
    int64_t *i = tl__graph_alloc(g, 3, sizeof *i);
    if (!i || g->code)
        return;
    const uint32_t part = tl__graph_add(g, &tl_op_slice, x.block, x.dtype, x.shape, 1, &whole);
    if (part == TL_NONE)
        return;
    i[0] = x.shape.rank - axis;
    i[1] = k * x.shape.dim[axis];
    i[2] = x.shape.dim[axis];
    g->val[part].ni = 3;
    g->val[part].i = i;
    tl__graph_show(g, v, part);
    if (x.keep)
        g->val[v].op = &tl__op_copy;
}

uint32_t tl__product_like(tl_graph *g, const tl_val *like, uint32_t a, uint32_t b, tl_shape shape)
{
    const uint32_t in[2] = {a, b};
    const uint32_t v =
        g->code ? TL_NONE : tl__graph_add(g, like->op, like->block, like->dtype, shape, 2, in);
    if (v != TL_NONE) {
        g->val[v].node = like->node;
        g->val[v].ni = like->ni;
        g->val[v].i = like->i;
    }
    return v;
}

int tl__join_pays(const tl_join *j, const tl_val *x, int64_t n, int64_t products)
{
    enum { CALL = 128, SMALL = 8192 }; /* elements that are copied, multiplied, in a call's time */
    const tl_graph *g = j->g;
    const int64_t weights = tl_shape_count(g->val[x->in[1]].shape), label = tl__label_last(x, 0);
    const int axis = tl__label_axis(x, 1, label);
    const int64_t k = axis < 0 ? 1 : g->val[x->in[1]].shape.dim[axis];
    return tl_shape_count(x->shape) * k <= SMALL &&
           n * products * weights <= CALL * (n - 1) * g->block[j->block].T;
}
