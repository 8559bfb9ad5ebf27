/* ring.c -- finds what of a loop and its adjoint is touched a row a step.
 *
 *     loop       writes row p of c                       c, d, e are rings
 *     around     d = f(c), row by row: it moves
 *     adjoint    reads row p of c and of d, writes and reads row p of e
 *
 * Everything that could be a ring is one at first; then whatever somebody touches in another way is
 * taken away, with what cannot move without it, until all that is left fits. What the loop writes
 * otherwise is state, or an array that is written again as it was. */
#include "core/plan/ring.h"

#include "core/space.h"

enum { MOST_OPERANDS = 7 }; /* of what moves: bits of clip */

/* ---- who touches what ------------------------------------------------------------------------ */

static int who(const tl_pair *p, uint32_t block)
{
    if (tl__graph_within(p->g, block, p->ahead))
        return TL_AHEAD;
    if (tl__graph_within(p->g, block, p->back))
        return TL_BACK;
    return block == 0 ? TL_AROUND : TL_OTHERS;
}

/* row_of -- elements of a row of root r. */
static int64_t row_of(const tl_pair *p, uint32_t r)
{
    return tl_shape_count(p->g->val[r].shape) / p->T;
}

/* is_row -- whether v, of one of the loops, lies in its step's row of root r, or, over the rows of a
 * period, in those. */
static int is_row(const tl_pair *p, uint32_t v, uint32_t r)
{
    const tl_graph *g = p->g;
    const tl_val *x = &g->val[v];
    const tl_address *a = &x->address;
    const int64_t row = row_of(p, r);
    int64_t last = a->layout.offset;
    if (a->coef[0] != row || last < 0)
        return 0;
    for (uint32_t b = x->block; g->block[b].depth > 1; b = g->block[b].parent) {
        const int64_t coef = a->coef[g->block[b].depth - 1];
        if (coef < 0)
            return 0;
        last += coef * (g->block[b].T > 0 ? g->block[b].T - 1 : 0);
    }
    for (uint32_t k = TL_DEPTH; k < TL_POSITIONS; k++)
        if (a->coef[k])
            return 0;
    for (int k = 0; k < x->shape.rank; k++) {
        const int64_t n = x->shape.dim[k], stride = a->layout.stride[k];
        const tl_block *b = &g->block[x->block];
        if (n == 1 || (k == 0 && stride == row && b->period && n == b->period && b->depth == 1))
            continue;
        if (stride < 0)
            return 0;
        last += (n - 1) * stride;
    }
    return last < row;
}

int tl__pair_leads(const tl_pair *p, const tl_val *x, uint32_t k)
{
    const tl_val *u = &p->g->val[x->in[k]];
    if (tl__const_behind(p->g, x->in[k]) != TL_NONE)
        return 0;
    if (tl__is_pointwise(x))
        return u->shape.rank == x->shape.rank && u->shape.dim[0] == p->T;
    return x->led >> k & 1;
}

/* is_by_rows -- whether row t of x, in block 0, is made of the rows t of its operands. */
static int is_by_rows(const tl_pair *p, const tl_val *x)
{
    if (x->shape.rank == 0 || x->shape.dim[0] != p->T || x->nin > MOST_OPERANDS || x->solo ||
        x->after != TL_NONE || x->op->kind == TL_CONTRACTION || x->op->kind == TL_RANDOM ||
        x->op->kind == TL_ASSEMBLE || x->op == &tl__op_iota)
        return 0;
    if (!tl__is_pointwise(x) && (x->origin != TL_ORIGIN_HOISTED || !x->led))
        return 0;
    for (uint32_t k = 0; k < x->nin; k++) {
        const tl_shape s = p->g->val[x->in[k]].shape;
        if (tl__pair_leads(p, x, k) && (s.rank == 0 || s.dim[0] != p->T))
            return 0;
    }
    return 1;
}

/* is_whole -- whether v, in block 0, shows all rows of root r, in order. */
static int is_whole(const tl_pair *p, uint32_t v, uint32_t r)
{
    const tl_val *x = &p->g->val[v];
    int64_t last = x->address.layout.offset;
    if (x->shape.rank == 0 || x->shape.dim[0] != p->T ||
        x->address.layout.stride[0] != row_of(p, r) || last < 0)
        return 0;
    for (int k = 1; k < x->shape.rank; k++) {
        if (x->shape.dim[k] > 1 && x->address.layout.stride[k] < 0)
            return 0;
        last += (x->shape.dim[k] - 1) * x->address.layout.stride[k];
    }
    return last < row_of(p, r);
}

/* ---- which arrays have the rows of a segment ------------------------------------------------- */

/* fits -- whether value w may touch what v shows, if that is a ring. k: the operand, nin the
 * result. */
static int fits(const tl_pair *p, uint32_t w, uint32_t v, uint32_t k)
{
    const tl_val *x = &p->g->val[w];
    const uint32_t r = tl__root_of(p->g, v);
    const int by = who(p, x->block);
    if (r == TL_NONE || !p->ring[r])
        return 1;
    if (by == TL_AHEAD || by == TL_BACK)
        return is_row(p, v, r);
    return by == TL_AROUND && p->moves[w] && is_whole(p, v, r) &&
           (k == x->nin || tl__pair_leads(p, x, k));
}

/* sift -- takes away what does not fit until all that is left does. */
static void sift(tl_pair *p)
{
    const tl_graph *g = p->g;
    for (int changed = 1; changed;) {
        changed = 0;
        for (uint32_t w = 0; w < p->n; w++) {
            const tl_val *x = &g->val[w];
            if (!x->needed || !tl__is_computed(x))
                continue;
            for (uint32_t k = 0; k <= x->nin; k++) {
                const uint32_t v = k < x->nin ? x->in[k] : w;
                if (!fits(p, w, v, k)) {
                    p->ring[tl__root_of(p->g, v)] = 0;
                    changed = 1;
                }
            }
            if (p->moves[w] && !p->ring[tl__root_of(p->g, w)]) {
                p->moves[w] = 0;
                changed = 1;
            }
        }
    }
}

/* note_touches -- writes[], reads[], and what `ahead` hands from step to step. */
static void note_touches(tl_pair *p)
{
    const tl_graph *g = p->g;
    for (uint32_t w = 0; w < p->n; w++) {
        const tl_val *x = &g->val[w];
        if (!x->needed || !tl__is_computed(x))
            continue;
        for (uint32_t k = 0; k <= x->nin; k++) {
            const uint32_t r = tl__root_of(p->g, k < x->nin ? x->in[k] : w);
            if (r != TL_NONE)
                *(k < x->nin ? &p->reads[r] : &p->writes[r]) |= (uint8_t)who(p, x->block);
        }
        const uint32_t r = tl__root_of(p->g, w);
        if (r != TL_NONE && who(p, x->block) == TL_AHEAD && who(p, g->val[r].block) != TL_AHEAD &&
            x->address.coef[0] == 0)
            p->is_state[r] = 1;
    }
    const tl_block *b = &g->block[p->ahead];
    for (uint32_t i = 0; i < b->ncarries; i++)
        if (b->carry[i].room != TL_NONE) {
            p->is_state[tl__root_of(p->g, b->carry[i].room)] = 1;
            p->writes[tl__root_of(p->g, b->carry[i].room)] |= TL_AHEAD;
        }
}

/* reads_state -- whether w has an operand that changes when the loop runs again. */
static int reads_state(const tl_pair *p, uint32_t w)
{
    const tl_val *x = &p->g->val[w];
    for (uint32_t k = 0; k < x->nin; k++) {
        const uint32_t r = tl__root_of(p->g, x->in[k]);
        if (r != TL_NONE && p->is_state[r])
            return 1;
    }
    return 0;
}

/* begin -- everything that could be a ring is one. */
static void begin(tl_pair *p)
{
    const tl_graph *g = p->g;
    for (uint32_t r = 0; r < p->n; r++) {
        const tl_val *x = &g->val[r];
        p->ring[r] = x->needed && x->resolved && x->block == 0 && x->address.root == r &&
                     x->via == TL_OWN && !p->fresh[r] && x->shape.rank > 0 &&
                     x->shape.dim[0] == p->T && x->op->kind != TL_ASSEMBLE &&
                     (p->writes[r] & (TL_AHEAD | TL_BACK | TL_AROUND)) && !p->is_state[r] &&
                     row_of(p, r) > 0;
    }
    for (uint32_t w = 0; w < p->n; w++) {
        const tl_val *x = &g->val[w];
        const uint32_t r = tl__root_of(p->g, w);
        p->moves[w] = x->needed && x->block == 0 && tl__is_computed(x) && r != TL_NONE &&
                      p->ring[r] && !(p->later[w] & 2) && is_by_rows(p, x) && !reads_state(p, w);
    }
}

/* ---- whether the loop can run again ---------------------------------------------------------- */

/* can_run_again -- whether nothing else changes what `ahead` reads or needs what it changes. */
static int can_run_again(const tl_pair *p)
{
    const tl_graph *g = p->g;
    for (uint32_t r = 0; r < p->n; r++) {
        if (g->val[r].address.root != r || p->ring[r])
            continue;
        if (p->is_state[r] &&
            (g->val[r].block != 0 || ((p->reads[r] | p->writes[r]) & (TL_BACK | TL_OTHERS))))
            return 0;
        if (!p->is_state[r] && p->writes[r] & TL_AHEAD && g->val[r].block == 0 &&
            p->writes[r] & ~TL_AHEAD)
            return 0;
        if (p->reads[r] & TL_AHEAD && p->writes[r] & TL_BACK)
            return 0;
    }
    for (uint32_t w = 0; w < p->n; w++) {
        const tl_val *x = &g->val[w];
        if (!x->needed || x->block != 0 || !tl__is_computed(x))
            continue;
        const uint32_t r = tl__root_of(p->g, w);
        if (r != TL_NONE && !p->ring[r] && p->later[w] & 1 &&
            (p->is_state[r] || p->reads[r] & TL_AHEAD))
            return 0;
    }
    return 1;
}

static size_t rounded(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static void measure(tl_pair *p)
{
    const tl_graph *g = p->g;
    p->row_bytes = p->state_bytes = 0;
    for (uint32_t r = 0; r < p->n; r++) {
        const tl_val *x = &g->val[r];
        if (p->ring[r])
            p->row_bytes += row_of(p, r) * (int64_t)tl_dtype_size(x->dtype);
        if (p->is_state[r])
            p->state_bytes +=
                (int64_t)rounded((size_t)tl_shape_count(x->shape) * tl_dtype_size(x->dtype));
    }
}

/* find_later -- bit 0: comes after `ahead`, bit 1: after `back`. */
static void find_later(tl_pair *p)
{
    const tl_graph *g = p->g;
    const tl_block *around = &g->block[0];
    const uint32_t loop[2] = {g->block[p->ahead].loop, g->block[p->back].loop};
    for (uint32_t k = 0; k < around->norder; k++) {
        const uint32_t v = around->order[k];
        const tl_val *x = &g->val[v];
        for (uint32_t i = 0; i < x->nin; i++)
            p->later[v] |=
                (uint8_t)(p->later[x->in[i]] | (x->in[i] == loop[0]) | (x->in[i] == loop[1]) << 1);
        if (x->base != TL_NONE)
            p->later[v] |= p->later[x->base];
    }
}

int tl__pair_look(tl_pair *p)
{
    tl_graph *g = p->g;
    uint8_t *bytes = tl__graph_alloc(g, p->n + 1, 6);
    if (!bytes)
        return 0;
    p->ring = bytes;
    p->moves = p->ring + p->n;
    p->later = p->moves + p->n;
    p->writes = p->later + p->n;
    p->reads = p->writes + p->n;
    p->is_state = p->reads + p->n;
    find_later(p);
    if (!(p->later[g->block[p->back].loop] & 1) || p->later[g->block[p->ahead].loop])
        return 0;
    note_touches(p);
    begin(p);
    sift(p);
    measure(p);
    return p->row_bytes > 0 && can_run_again(p);
}
