/* join_back.c -- joins the adjoints of gates that are alike.
 *
 *     before   for t:  dh = dz_i U_i' + dz_f U_f' + ..   dU_i += h' dz_i   db_i += sum(dz_i)  ...
 *     after    for t:  dz = [dz_i dz_f ..]   dh = dz U'   dU += h' dz   db += sum(dz)
 *              dU_i = dU[:, 0:H]  ...
 *
 * It starts from the sum: its products must be all alike, and every other sum of the same dz_i must
 * have all of them, so that each lies in one row. Then what is summed over the steps follows.
 * Results are equal to rounding. */
#include "core/plan/gate.h"

#include "core/space.h"

#include <string.h>

/* row_of -- the row of these pieces; NULL when there is no room for one more. */
static const tl_row *row_of(tl_join *j, uint32_t n, const uint32_t *piece)
{
    for (uint32_t r = 0; r < j->nrows; r++)
        if (j->row[r].n == n && memcmp(j->row[r].piece, piece, n * sizeof *piece) == 0)
            return &j->row[r];
    if (j->nrows == TL_GATES)
        return NULL;
    tl_row *row = &j->row[j->nrows];
    row->n = n;
    memcpy(row->piece, piece, n * sizeof *piece);
    row->whole = tl__beside(j->g, j->block, n, piece, j->g->val[piece[0]].shape.rank - 1);
    if (row->whole == TL_NONE)
        return NULL;
    j->nrows++;
    return row;
}

/* is_summand -- whether product x sums over the last axis of what is computed in the body. */
static int is_summand(const tl_graph *g, const tl_val *x)
{
    const int64_t label = tl__label_last(x, 0);
    return tl__is_pointwise(&g->val[x->in[0]]) && label >= 0 && tl__label_axis(x, 2, label) < 0 &&
           tl__label_axis(x, 1, label) >= 0;
}

/* rebuild -- the sum's root adds product p to the terms that are no products. */
static void rebuild(tl_join *j, const tl_gate *t, uint32_t p)
{
    tl_graph *g = j->g;
    uint32_t rest[2 * TL_GATE_TERMS], n = 0, *in = tl__graph_alloc(g, 2, sizeof *in);
    for (uint32_t k = 0; k < t->nshared; k++)
        rest[n++] = t->shared[k];
    for (uint32_t k = 0; k < t->nothers; k++)
        rest[n++] = t->other[k];
    const tl_val root = g->val[t->root];
    for (uint32_t k = 0; k + 1 < n && !g->code; k++) {
        const uint32_t pair[2] = {p, rest[k]};
        p = tl__graph_add(g, &tl_op_add, j->block, root.dtype, root.shape, 2, pair);
    }
    if (!in || g->code)
        return;
    tl_val *to = &g->val[t->root];
    if (n == 0) { /* the products were all there was */
        const tl_val *x = &g->val[p];
        to->op = x->op;
        to->ni = x->ni;
        to->i = x->i;
        memcpy(in, x->in, 2 * sizeof *in);
    } else {
        in[0] = p;
        in[1] = rest[n - 1];
    }
    to->in = in;
    to->nin = 2;
}

/* is_split -- whether some sum of the block has a part of these pieces, but not all, or others. */
static int is_split(const tl_join *j, const tl_gate *gate, uint32_t ngates, uint32_t n,
                    const uint32_t *piece)
{
    for (uint32_t i = 0; i < ngates; i++) {
        uint32_t found = 0;
        for (uint32_t k = 0; k < gate[i].nproducts; k++)
            for (uint32_t p = 0; p < n; p++)
                found += j->g->val[gate[i].product[k]].in[0] == piece[p];
        if (found && (found != n || gate[i].nproducts != n))
            return 1;
    }
    return 0;
}

/* join_sum -- a sum whose products differ in both operands becomes one product over a longer
 * axis. */
static void join_sum(tl_join *j, const tl_gate *gate, uint32_t ngates, uint32_t which)
{
    tl_graph *g = j->g;
    const tl_gate t = gate[which];
    const uint32_t n = t.nproducts;
    uint32_t a[TL_GATES], b[TL_GATES];
    const tl_val first = g->val[t.product[0]];
    for (uint32_t k = 0; k < n; k++) {
        const tl_val *x = &g->val[t.product[k]];
        if (!is_summand(g, x) || !tl__product_same(x, &first) ||
            !tl_shape_equal(g->val[x->in[0]].shape, g->val[first.in[0]].shape) ||
            !tl_shape_equal(g->val[x->in[1]].shape, g->val[first.in[1]].shape))
            return;
        uint32_t q = k; /* weights in their order, as the gates have them */
        for (; q > 0 && b[q - 1] > x->in[1]; q--) {
            a[q] = a[q - 1];
            b[q] = b[q - 1];
        }
        a[q] = x->in[0];
        b[q] = x->in[1];
    }
    if (n < 2 || !tl__join_pays(j, &first, n, 1) || is_split(j, gate, ngates, n, a))
        return;
    const int axis = tl__label_axis(&first, 1, tl__label_last(&first, 0));
    const tl_row *row = row_of(j, n, a);
    const uint32_t w = row ? tl__beside(g, g->block[j->block].parent, n, b, axis) : TL_NONE;
    const uint32_t p =
        w == TL_NONE ? TL_NONE : tl__product_like(g, &first, row->whole, w, first.shape);
    if (p == TL_NONE)
        return;
    rebuild(j, &t, p);
}

/* tl_part -- what is summed over the steps of the k-th piece of a row: value and result. */
typedef struct tl_part {
    uint32_t value, result;
} tl_part;

/* summed_value -- the value that result r sums over the steps, if it is a product or a sum of
 * `piece` that nothing else reads; *side receives which operand that is. */
static uint32_t summed_value(const tl_join *j, uint32_t r, uint32_t piece, uint32_t *side)
{
    const tl_graph *g = j->g;
    const tl_val *x = &g->val[r];
    if (!x->needed || x->op != &tl_op_summed || x->loop != j->block || g->val[x->of].uses != 1)
        return TL_NONE;
    const uint32_t v = tl__through_views(g, x->of);
    const tl_val *y = &g->val[v];
    if (y->block != j->block || y->uses != 1 || y->keep)
        return TL_NONE;
    if (y->op == &tl_op_sum && y->in[0] == piece && !(y->i[0] & 1)) {
        *side = 0;
        return v;
    }
    for (*side = 0; y->op->kind == TL_CONTRACTION && y->nin == 2 && v == x->of && *side < 2;
         ++*side)
        if (y->in[*side] == piece && y->in[1 - *side] != piece) {
            const int64_t label = tl__label_last(y, (int)*side);
            return label >= 0 && tl__label_axis(y, 2, label) >= 0 &&
                           tl__label_axis(y, 1 - (int)*side, label) < 0
                       ? v
                       : TL_NONE;
        }
    return TL_NONE;
}

static int is_same_use(const tl_graph *g, tl_part a, tl_part b, uint32_t side)
{
    const tl_val *x = &g->val[a.value], *y = &g->val[b.value];
    return tl__product_same(x, y) && x->nin == y->nin &&
           tl_shape_equal(g->val[a.result].shape, g->val[b.result].shape) &&
           (x->nin < 2 || x->in[1 - side] == y->in[1 - side]);
}

/* join_results -- what all pieces of a row have in common with result r of the first one becomes
 * parts of what the whole row gives. */
static void join_results(tl_join *j, const tl_row *row, uint32_t r)
{
    tl_graph *g = j->g;
    tl_part part[TL_GATES] = {{TL_NONE, r}};
    uint32_t side, other, n = 1;
    part[0].value = summed_value(j, r, row->piece[0], &side);
    if (part[0].value == TL_NONE)
        return;
    for (; n < row->n; n++) {
        part[n].result = 0;
        for (; part[n].result < j->nvals; part[n].result++) {
            part[n].value = summed_value(j, part[n].result, row->piece[n], &other);
            if (part[n].value != TL_NONE && other == side && is_same_use(g, part[0], part[n], side))
                break;
        }
        if (part[n].result == j->nvals)
            return;
    }
    const tl_val x = g->val[part[0].value], first = g->val[r];
    const int axis = x.op == &tl_op_sum ? x.shape.rank - 1
                                        : tl__label_axis(&x, 2, tl__label_last(&x, (int)side));
    const int shown = x.op == &tl_op_sum ? first.shape.rank - 1 : axis;
    tl_shape shape = x.shape, whole = first.shape;
    if (shown < 0 || whole.dim[shown] != shape.dim[axis])
        return;
    uint32_t in[2] = {x.in[0], x.nin > 1 ? x.in[1] : TL_NONE};
    in[side] = row->whole;
    shape.dim[axis] *= row->n;
    whole.dim[shown] *= row->n;
    const uint32_t v = tl__graph_add(g, x.op, j->block, x.dtype, shape, x.nin, in);
    if (v == TL_NONE)
        return;
    g->val[v].node = x.node;
    g->val[v].ni = x.ni;
    g->val[v].i = x.i;
    uint32_t of = v;
    if (!tl_shape_equal(shape, whole))
        of = tl__graph_add(g, &tl_op_reshape, j->block, x.dtype, whole, 1, &v);
    const uint32_t sum =
        g->code ? TL_NONE
                : tl__graph_add(g, &tl_op_summed, first.block, x.dtype, whole, first.nin, first.in);
    if (sum == TL_NONE)
        return;
    g->val[sum].loop = j->block;
    g->val[sum].of = of;
    for (uint32_t k = 0; k < row->n; k++)
        tl__become_part(g, part[k].result, sum, shown, k);
}

void tl__join_adjoints(tl_join *j)
{
    tl_gate *gate;
    const uint32_t n = tl__gates_of(j, &gate);
    for (uint32_t k = 0; k < n && !j->g->code; k++)
        join_sum(j, gate, n, k);
    for (uint32_t k = 0; k < j->nrows && !j->g->code; k++)
        for (uint32_t r = 0; r < j->nvals && !j->g->code; r++)
            join_results(j, &j->row[k], r);
}
