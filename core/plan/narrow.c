/* narrow.c -- moves slices up through pointwise operations, so that the parts of a wide value are
 * computed where they are read.
 *
 *     before   z = a + b  [B,4H]                       z goes through memory
 *              i = sigmoid(z[:, 0:H])   f = sigmoid(z[:, H:2H])  ...
 *
 *     after    i = sigmoid(a[:, 0:H] + b[:, 0:H])      one group, no z
 *              f = sigmoid(a[:, H:2H] + b[:, H:2H])  ...
 *
 * Done when slices along one axis are all that reads the value, and no two of them overlap:
 * nothing is computed twice. */
#include "core/plan/graph.h"

#include "core/space.h"

#include <string.h>

typedef struct tl_users {
    uint32_t *first, *next; /* chains of slices, by the value they read */
    uint32_t *slices;       /* how many */
} tl_users;

static int is_slice(const tl_val *v)
{
    return v->op == &tl_op_slice;
}

/* is_narrowable -- whether v is pointwise and only read by slices of one axis that do not
 * overlap. */
static int is_narrowable(const tl_graph *g, const tl_users *u, uint32_t v)
{
    const tl_val *x = &g->val[v];
    if (!tl__is_pointwise(x) || x->keep || x->uses == 0 || u->slices[v] != x->uses)
        return 0;
    const int64_t axis = g->val[u->first[v]].i[0];
    for (uint32_t s = u->first[v]; s != TL_NONE; s = u->next[s]) {
        const tl_val *a = &g->val[s];
        if (a->i[0] != axis || a->block != x->block)
            return 0;
        for (uint32_t t = u->next[s]; t != TL_NONE; t = u->next[t]) {
            const tl_val *b = &g->val[t];
            if (a->i[1] < b->i[1] + b->i[2] && b->i[1] < a->i[1] + a->i[2])
                return 0;
        }
    }
    return 1;
}

static void add_user(tl_graph *g, tl_users *u, uint32_t s)
{
    uint32_t v = g->val[s].in[0];
    u->next[s] = u->first[v];
    u->first[v] = s;
    u->slices[v]++;
}

/* operand_slice -- the part of operand a that slice s of the result reads: a itself where it
 * repeats along the axis. */
static uint32_t operand_slice(tl_graph *g, uint32_t a, uint32_t s, uint32_t block)
{
    const int64_t *attr = g->val[s].i;
    tl_shape shape = g->val[a].shape;
    const int axis = shape.rank - (int)attr[0];
    if (axis < 0 || shape.dim[axis] == 1)
        return a;
    shape.dim[axis] = attr[2];
    uint32_t part = tl__graph_add(g, &tl_op_slice, block, g->val[a].dtype, shape, 1, &a);
    if (part != TL_NONE) {
        g->val[part].ni = 3;
        g->val[part].i = attr;
    }
    return part;
}

/* narrow -- slice s becomes v's operation on slices. */
static void narrow(tl_graph *g, uint32_t s, uint32_t v)
{
    const tl_val x = g->val[v];
    uint32_t *in = tl__graph_alloc(g, x.nin, sizeof *in);
    for (uint32_t k = 0; in && k < x.nin; k++)
        in[k] = operand_slice(g, x.in[k], s, x.block);
    if (g->code)
        return;
    tl_val *to = &g->val[s];
    to->op = x.op;
    to->node = to->node == TL_NONE ? x.node : to->node;
    to->nin = x.nin;
    to->in = in;
    to->ni = x.ni;
    to->i = x.i;
}

/* One turn narrows every value that can be; its operands may become so in the next. */
static int narrow_all(tl_graph *g)
{
    tl__graph_mark(g);
    const uint32_t n = g->nvals;
    tl_users u = {tl__graph_alloc(g, n + 1, sizeof(uint32_t)),
                  tl__graph_alloc(g, n + 1, sizeof(uint32_t)),
                  tl__graph_alloc(g, n + 1, sizeof(uint32_t))};
    int changed = 0;
    if (g->code)
        return 0;
    for (uint32_t v = 0; v < n; v++)
        u.first[v] = TL_NONE;
    for (uint32_t v = 0; v < n; v++)
        if (g->val[v].needed && is_slice(&g->val[v]))
            add_user(g, &u, v);
    for (uint32_t v = 0; v < n && !g->code; v++) {
        if (!g->val[v].needed || u.first[v] == TL_NONE || !is_narrowable(g, &u, v))
            continue;
        changed = 1;
        for (uint32_t s = u.first[v], next; s != TL_NONE && !g->code; s = next) {
            next = u.next[s];
            narrow(g, s, v);
        }
    }
    return changed;
}

void tl__pass_narrow(tl_graph *g)
{
    for (int turn = 0; turn < 8 && !g->code && narrow_all(g); turn++)
        ;
}
