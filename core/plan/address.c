/* address.c -- resolves every value to a place in the buffer of the value that owns it.
 *
 *     gate i [B,H] --piece at (0,0)--> dz [B,4H] --row p--> stacked dz [T,B,4H], owns the buffer
 *
 *     address of i:   root stacked dz   offset 0   strides (4H, 1)   + p * B*4H
 *
 * Chains lead towards the operand for views and towards the consumer for placed values, so they
 * end. A view that no strides can show gets a copy of its operand. */
#include "core/plan/graph.h"

#include "core/space.h"

#include <string.h>

/* spread -- strides for a shape that differs from `from` only in axes of extent 1. */
static void spread(const tl_shape *from, const tl_layout *in, const tl_shape *to, tl_layout *out)
{
    tl_layout l = {.offset = in->offset};
    int i = 0;
    for (int a = 0; a < to->rank; a++) {
        if (to->dim[a] == 1)
            continue;
        while (i < from->rank && from->dim[i] == 1)
            i++;
        if (i < from->rank)
            l.stride[a] = in->stride[i++];
    }
    *out = l;
}

static tl_shape without_first(tl_shape s)
{
    tl_shape out = {.rank = s.rank - 1};
    memcpy(out.dim, s.dim + 1, (size_t)out.rank * sizeof *s.dim);
    return out;
}

/* advance -- moves with the position of the loop. */
static void advance(const tl_graph *g, const tl_val *x, int64_t step, tl_address *to)
{
    if (x->pace == 0)
        return;
    const uint32_t depth = g->block[x->block].depth - 1;
    to->coef[depth] += x->pace * step;
    if (x->within)
        to->coef[TL_DEPTH + depth] -= x->pace * step;
}

/* row_of -- one entry of the first axis; rows that change with the loop get a coefficient. */
static void row_of(const tl_graph *g, const tl_val *x, const tl_val *base, tl_address *to)
{
    const int64_t step = to->layout.stride[0];
    tl_layout rest = {.offset = to->layout.offset + x->row * step};
    const tl_shape shape = without_first(base->shape);
    memcpy(rest.stride, to->layout.stride + 1, (size_t)shape.rank * sizeof *rest.stride);
    advance(g, x, step, to);
    spread(&shape, &rest, &x->shape, &to->layout);
}

static void piece_of(const tl_val *x, tl_address *to)
{
    tl_layout l = to->layout;
    for (int a = 0; a < x->as.rank; a++)
        l.offset += x->at[a] * l.stride[a];
    spread(&x->as, &l, &x->shape, &to->layout);
}

/* view_of -- by the operation; copies the operand first when there is no other way. */
static void view_of(tl_graph *g, uint32_t v, tl_address *to)
{
    const tl_val x = g->val[v];
    const tl_attr attr = {x.ni, x.i, 0, NULL};
    tl_layout l;
    if (x.op->view(&attr, &g->val[x.base].shape, &to->layout, &x.shape, &l) == 0) {
        to->layout = l;
        return;
    }
    uint32_t copy = tl__graph_copy(g, x.base, x.block, g->val[x.base].shape);
    uint32_t *in = tl__graph_alloc(g, 1, sizeof *in);
    if (!in || copy == TL_NONE)
        return;
    *in = copy;
    g->val[copy].needed = 1;
    g->val[v].in = in;
    g->val[v].base = copy;
    *to = *tl__address_of(g, copy);
    if (x.op->view(&attr, &g->val[copy].shape, &to->layout, &x.shape, &l))
        tl__graph_fail(g, TL_EUNSUPPORTED, "%s: no strides for a dense operand", x.op->name);
    else
        to->layout = l;
}

const tl_address *tl__address_of(tl_graph *g, uint32_t v)
{
    if (g->val[v].resolved)
        return &g->val[v].address;
    tl_address to = {.root = v};
    if (g->val[v].via == TL_OWN)
        to.layout = tl__layout_dense(&g->val[v].shape);
    else
        to = *tl__address_of(g, g->val[v].base);
    const tl_val x = g->val[v];
    tl_layout l;
    switch (x.via) {
    case TL_OWN:
    case TL_BOUND:
        break;
    case TL_VIA_VIEW:
        view_of(g, v, &to);
        break;
    case TL_VIA_SAME:
        spread(&g->val[x.base].shape, &to.layout, &x.shape, &l);
        to.layout = l;
        break;
    case TL_VIA_ROW:
        row_of(g, &x, &g->val[x.base], &to);
        break;
    case TL_VIA_ROWS:
        to.layout.offset += x.row * to.layout.stride[0];
        advance(g, &x, to.layout.stride[0], &to);
        break;
    case TL_VIA_PIECE:
        piece_of(&x, &to);
        break;
    case TL_VIA_NONE:
        memset(&l, 0, sizeof l);
        l.offset = to.layout.offset;
        memcpy(l.stride + 1, to.layout.stride, (size_t)(x.shape.rank - 1) * sizeof *l.stride);
        to.layout = l;
        break;
    }
    g->val[v].address = to;
    g->val[v].resolved = 1;
    return &g->val[v].address;
}

void tl__pass_address(tl_graph *g)
{
    for (uint32_t b = 0; b < g->nblocks; b++)
        for (uint32_t k = 0; k < g->block[b].norder && !g->code; k++) {
            const tl_val *x = &g->val[g->block[b].order[k]];
            if (x->op->kind != TL_LOOP)
                tl__address_of(g, g->block[b].order[k]);
        }
}

/* keeps_order -- a view whose elements are its operand's in the same row-major order. */
static int keeps_order(const tl_graph *g, const tl_val *x)
{
    if (x->op == &tl_op_reshape || x->op == &tl_op_detach)
        return 1;
    return x->op == &tl_op_broadcast_to &&
           tl_shape_count(x->shape) == tl_shape_count(g->val[x->in[0]].shape);
}

uint32_t tl__through_views(const tl_graph *g, uint32_t v)
{
    while (g->val[v].op->kind == TL_VIEW && g->val[v].nin > 0 && keeps_order(g, &g->val[v]))
        v = g->val[v].in[0];
    return v;
}

uint32_t tl__const_behind(const tl_graph *g, uint32_t v)
{
    while (g->val[v].op->kind == TL_VIEW && g->val[v].nin > 0) /* a live view is a leaf here */
        v = g->val[v].in[0];
    return g->val[v].op == &tl_op_const ? v : TL_NONE;
}
