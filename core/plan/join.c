/* join.c -- products that are alike become one: gates written one by one run as one wide gate.
 *
 *     before   for t:  z_i = x W_i + h U_i + b_i                  z_f = x W_f + h U_f + b_f  ...
 *     after    W = [W_i W_f ..]   U = [U_i U_f ..]   b = [b_i b_f ..]       once, before the loop
 *              for t:  z = x W + h U + b   z_i = z[:, 0:H]   z_f = z[:, H:2H]  ...
 *
 * Alike are sums of products with the same left operands, of weights of one shape, and of what
 * comes from outside. The price is a copy of the weights in every run, the gain a call less for
 * each product and step; so it is done only where steps are many and products small. No bit changes
 * here; of the adjoints, join_back.c, the order of sums does. */
#include "core/plan/gate.h"

#include "core/space.h"

/* ---- gates ----------------------------------------------------------------------------------- */

static int is_alike(const tl_graph *g, const tl_gate *a, const tl_gate *b)
{
    if (a->nproducts != b->nproducts || a->nshared != b->nshared || b->nothers ||
        !tl_shape_equal(g->val[a->root].shape, g->val[b->root].shape))
        return 0;
    for (uint32_t k = 0; k < a->nproducts; k++) {
        const tl_val *x = &g->val[a->product[k]], *y = &g->val[b->product[k]];
        if (!tl__product_same(x, y) || x->in[0] != y->in[0] ||
            !tl_shape_equal(g->val[x->in[1]].shape, g->val[y->in[1]].shape))
            return 0;
    }
    for (uint32_t k = 0; k < a->nshared; k++)
        if (!tl_shape_equal(g->val[a->shared[k]].shape, g->val[b->shared[k]].shape))
            return 0;
    return 1;
}

/* is_joinable -- whether a gate could lie beside others: the last axis of all of it is its own. */
static int is_joinable(const tl_graph *g, const tl_gate *a)
{
    const tl_shape shape = g->val[a->root].shape;
    if (a->nothers || shape.rank == 0)
        return 0;
    for (uint32_t k = 0; k < a->nproducts; k++) {
        const tl_val *x = &g->val[a->product[k]];
        const int64_t label = tl__label_last(x, 2);
        if (label < 0 || tl__label_axis(x, 1, label) < 0 || tl__label_axis(x, 0, label) >= 0)
            return 0;
    }
    for (uint32_t k = 0; k < a->nshared; k++) {
        const tl_shape s = g->val[a->shared[k]].shape;
        if (s.rank == 0 || s.dim[s.rank - 1] != shape.dim[shape.rank - 1])
            return 0;
    }
    return 1;
}

/* join_gates -- n gates that are alike become parts of one. */
static void join_gates(tl_join *j, uint32_t n, const tl_gate *const *gate)
{
    tl_graph *g = j->g;
    const tl_gate *first = gate[0];
    const uint32_t parent = g->block[j->block].parent;
    const tl_val root = g->val[first->root];
    tl_shape shape = root.shape;
    uint32_t sum = TL_NONE;
    shape.dim[shape.rank - 1] *= n;
    for (uint32_t k = 0; k < first->nproducts + first->nshared && !g->code; k++) {
        uint32_t piece[TL_GATES], term;
        if (k < first->nproducts) {
            const tl_val x = g->val[first->product[k]];
            for (uint32_t p = 0; p < n; p++)
                piece[p] = g->val[gate[p]->product[k]].in[1];
            term = tl__beside(g, parent, n, piece, tl__label_axis(&x, 1, tl__label_last(&x, 2)));
            term = tl__product_like(g, &x, x.in[0], term, shape);
        } else {
            for (uint32_t p = 0; p < n; p++)
                piece[p] = gate[p]->shared[k - first->nproducts];
            term = tl__beside(g, parent, n, piece, g->val[piece[0]].shape.rank - 1);
        }
        if (term == TL_NONE)
            return;
        const uint32_t in[2] = {sum, term};
        sum = k == 0 ? term : tl__graph_add(g, &tl_op_add, j->block, root.dtype, shape, 2, in);
    }
    for (uint32_t p = 0; p < n && !g->code; p++)
        tl__become_part(g, gate[p]->root, sum, shape.rank - 1, p);
}

static void join_all_gates(tl_join *j)
{
    tl_gate *gate;
    const uint32_t n = tl__gates_of(j, &gate);
    for (uint32_t k = 0; k < n && !j->g->code; k++) {
        const tl_gate *alike[TL_GATES] = {&gate[k]};
        uint32_t found = 1;
        if (gate[k].root == TL_NONE || !is_joinable(j->g, &gate[k]))
            continue;
        for (uint32_t i = k + 1; i < n && found < TL_GATES; i++)
            if (gate[i].root != TL_NONE && is_alike(j->g, &gate[k], &gate[i]))
                alike[found++] = &gate[i];
        for (uint32_t i = 1; i < found; i++) /* as they were recorded */
            for (uint32_t q = i; q > 0 && alike[q]->root < alike[q - 1]->root; q--) {
                const tl_gate *swap = alike[q];
                alike[q] = alike[q - 1];
                alike[q - 1] = swap;
            }
        if (found < 2 ||
            !tl__join_pays(j, &j->g->val[gate[k].product[0]], found, gate[k].nproducts))
            continue;
        join_gates(j, found, alike);
        for (uint32_t i = 0; i < n; i++)
            for (uint32_t q = 0; q < found; q++)
                if (&gate[i] == alike[q])
                    gate[i].root = i == k ? gate[i].root : TL_NONE;
    }
}

/* ---- the pass -------------------------------------------------------------------------------- */

static void join_block(tl_graph *g, uint32_t block, int forth)
{
    tl_join j = {.g = g, .block = block, .nvals = g->nvals};
    j.done = tl__graph_alloc(g, g->nvals + 1, 1);
    if (g->code)
        return;
    if (forth)
        join_all_gates(&j);
    else
        tl__join_adjoints(&j);
}

void tl__pass_join(tl_graph *g)
{
    for (int forth = 1; forth >= 0; forth--)
        for (uint32_t b = 1; b < g->nblocks && !g->code; b++) {
            tl__graph_mark(g);
            tl__graph_order(g);
            if (!g->code && g->val[g->block[b].loop].needed && g->block[b].T > 1)
                join_block(g, b, forth);
        }
}
