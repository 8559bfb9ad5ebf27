/* same.c -- computes once what is written down twice: values of one operation on the same
 * operands with the same attributes.
 *
 *     db1 = summed(sum(dz))   db2 = summed(sum(dz))          before: two sums in every step
 *     db1 = db2 = summed(sum(dz))                            after
 *
 * A table from what a value is to the first value that is so. Operands come first, so whole
 * equal expressions fall together. What is to be kept becomes a view of the first. Not for random
 * draws, each of which is another one, and not for constants, whose numbers a plan does not know.
 */
#include "core/plan/graph.h"

#include "core/space.h"

#include <string.h>

static int is_pure(const tl_val *x)
{
    switch (x->op->kind) {
    case TL_RANDOM:
    case TL_LEAF:
    case TL_LOOP:
        return 0;
    default:
        return x->nin > 0 && !x->numbers;
    }
}

static uint32_t hash(const tl_val *x)
{
    uint64_t h = (uint64_t)(uintptr_t)x->op ^ ((uint64_t)x->of << 32) ^ x->block;
    for (uint32_t k = 0; k < x->nin; k++)
        h = (h ^ x->in[k]) * 0x9e3779b97f4a7c15u;
    for (int k = 0; k < x->ni && x->op->kind != TL_RESULT; k++)
        h = (h ^ (uint64_t)x->i[k]) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(h >> 32);
}

static int is_same(const tl_graph *g, uint32_t a, uint32_t b)
{
    const tl_val *x = &g->val[a], *y = &g->val[b];
    if (x->op != y->op || x->block != y->block || x->nin != y->nin || x->ni != y->ni ||
        x->of != y->of || x->dtype != y->dtype || !tl_shape_equal(x->shape, y->shape))
        return 0;
    if (x->op->kind != TL_RESULT && x->ni && memcmp(x->i, y->i, (size_t)x->ni * sizeof *x->i) != 0)
        return 0;
    return memcmp(x->in, y->in, x->nin * sizeof *x->in) == 0;
}

void tl__pass_same(tl_graph *g)
{
    uint32_t size = 64, *table, *first;
    tl__graph_mark(g);
    tl__graph_order(g);
    while (size < 2 * g->nvals)
        size *= 2;
    table = tl__graph_alloc(g, size, sizeof *table);
    first = tl__graph_alloc(g, g->nvals + 1, sizeof *first);
    if (g->code)
        return;
    memset(table, 0xff, size * sizeof *table);
    for (uint32_t v = 0; v < g->nvals; v++)
        first[v] = v;
    for (uint32_t b = g->nblocks; b-- > 0;) /* bodies first: what a loop gives depends on them */
        for (uint32_t k = 0; k < g->block[b].norder; k++) {
            const uint32_t v = g->block[b].order[k];
            tl_val *x = &g->val[v];
            for (uint32_t i = 0; i < x->nin; i++)
                x->in[i] = first[x->in[i]];
            if (x->op == &tl_op_stacked || x->op == &tl_op_summed)
                x->of = first[x->of];
            if (!is_pure(x))
                continue;
            uint32_t at = hash(x) & (size - 1);
            while (table[at] != TL_NONE && !is_same(g, table[at], v))
                at = (at + 1) & (size - 1);
            if (table[at] == TL_NONE) {
                table[at] = v;
                continue;
            }
            first[v] = table[at];
            if (x->keep) /* a survivor goes by its own name */
                tl__graph_show(g, v, table[at]);
        }
    for (uint32_t b = 0; b < g->nblocks; b++)
        for (uint32_t i = 0; i < g->block[b].ncarries; i++) {
            g->block[b].carry[i].init = first[g->block[b].carry[i].init];
            g->block[b].carry[i].next = first[g->block[b].carry[i].next];
        }
}
