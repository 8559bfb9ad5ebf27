/* settle.c -- finds a stacked value a place in the array that it was computed from.
 *
 *     X [T,B,4H]     row p:  [ x_i | x_f | x_g | x_o ]      a product made before the loop
 *     step p                    |     |     |     |         += h U  (sink.c)
 *                             sigm  sigm  tanh  sigm
 *     after step p           [  i  |  f  |  g  |  o  ]      where they came from
 *
 *     stacked(i) is X[:, :, 0:H]
 *
 * So the gates of all steps, which the adjoint reads, take no memory of their own and are written
 * to lines that are in the cache already. Done when the slice is read by one chain of pointwise
 * values only, whose last one is the stacked one: it reads the very element that it overwrites. */
#include "core/plan/graph.h"

#include "core/space.h"

/* chain_start -- from pointwise v back through operands that only the chain reads, to the slice of
 * (or all of) a value with a place in a row of X; TL_NONE if there is none. */
static uint32_t chain_start(const tl_graph *g, uint32_t v, uint32_t block)
{
    for (uint32_t steps = 0; steps < 8; steps++) {
        const tl_val *x = &g->val[v];
        uint32_t next = TL_NONE;
        for (uint32_t k = 0; k < x->nin; k++) {
            const tl_val *u = &g->val[x->in[k]];
            if (u->block != block || u->keep || u->uses != 1 ||
                !tl_shape_equal(u->shape, x->shape) || u->dtype != x->dtype)
                continue;
            if (u->op == &tl_op_slice || u->accumulate)
                return x->in[k];
            if (tl__is_pointwise(u) && u->via == TL_OWN)
                next = x->in[k];
        }
        if (next == TL_NONE)
            return TL_NONE;
        v = next;
    }
    return TL_NONE;
}

/* is_apart -- whether all that reads `sum` are slices along one axis, and none but `slice` reads
 * its part. */
static int is_apart(const tl_graph *g, uint32_t sum, uint32_t slice)
{
    const int64_t *a = g->val[slice].i;
    uint32_t found = 0;
    for (uint32_t v = 0; v < g->nvals; v++) {
        const tl_val *x = &g->val[v];
        if (!x->needed || x->op != &tl_op_slice || x->in[0] != sum)
            continue;
        found++;
        if (v != slice && (x->i[0] != a[0] || (x->i[1] < a[1] + a[2] && a[1] < x->i[1] + x->i[2])))
            return 0;
    }
    return found == g->val[sum].uses;
}

/* rows_of -- X, if the sum's home is a row of it and nothing else reads or keeps it. */
static uint32_t rows_of(const tl_graph *g, uint32_t sum)
{
    if (!g->val[sum].accumulate)
        return TL_NONE;
    const tl_val *row = &g->val[tl__home_of(g, sum)];
    if (row->op != &tl_op_each || row->uses > 2) /* as operand and as place */
        return TL_NONE;
    const tl_val *rows = &g->val[row->in[0]];
    return rows->op->kind == TL_CONTRACTION && rows->via == TL_OWN && rows->uses == 1 && !rows->keep
               ? row->in[0]
               : TL_NONE;
}

/* shown -- the part of X that holds the stacked value. */
static uint32_t shown(tl_graph *g, uint32_t rows, uint32_t start, tl_shape shape)
{
    if (g->val[start].op != &tl_op_slice)
        return rows;
    const uint32_t v =
        tl__graph_add(g, &tl_op_slice, g->val[rows].block, g->val[rows].dtype, shape, 1, &rows);
    if (v != TL_NONE) {
        g->val[v].ni = g->val[start].ni;
        g->val[v].i = g->val[start].i;
    }
    return v;
}

static void settle(tl_graph *g, uint32_t r)
{
    const uint32_t block = g->val[r].loop, v = g->val[r].of;
    const tl_val x = g->val[v];
    if (x.block != block || !tl__is_pointwise(&x) || x.via != TL_OWN || x.keep ||
        tl__is_carried(g, block, v))
        return;
    const uint32_t start = chain_start(g, v, block);
    if (start == TL_NONE)
        return;
    const int is_part = g->val[start].op == &tl_op_slice;
    const uint32_t sum = is_part ? g->val[start].in[0] : start;
    const uint32_t rows = rows_of(g, sum);
    if (rows == TL_NONE || (is_part && !is_apart(g, sum, start)))
        return;
    const uint32_t place = shown(g, rows, start, g->val[r].shape);
    if (place == TL_NONE)
        return;
    g->val[v].via = TL_VIA_SAME;
    g->val[v].base = start;
    g->val[rows].settled = 1;
    tl__become(g, r, TL_VIA_SAME, place, 0);
}

void tl__pass_settle(tl_graph *g)
{
    tl__graph_mark(g);
    const uint32_t n = g->nvals;
    for (uint32_t r = 0; r < n && !g->code; r++)
        if (g->val[r].needed && g->val[r].op == &tl_op_stacked && g->val[r].via == TL_OWN)
            settle(g, r);
}
