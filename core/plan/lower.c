/* lower.c -- turns what a loop means into values and places: carries get rooms, results and
 * assembled pieces get their places.
 *
 *     carry i, also asked for at every step: one room of T+1 rows, nothing is ever copied
 *
 *         room     [ init | h1 | h2 | ... | hT ]
 *         carry      ^p                           read in row p, next written to row p+1
 *         stacked(next)   [-------------------]   stacked(carry): rows 0 .. T-1, last: row T
 *                                                 (in reverse read in row p+1, written to row p)
 *
 *     (not in a loop with a budget, which stacks its carries like all else)
 *
 *     carry i, only handed on   one room of one row; arrange.c has next written into it if safe
 *     stacked(v)                v is written into row p of the result, or settles (settle.c)
 *     summed(v)                 a carry that starts at zero, s' = s + v; a product adds by itself
 *     assemble                  its pieces are written into their parts of the result */
#include "core/plan/graph.h"

#include "core/space.h"

#include <string.h>

/* ---- pieces and places ----------------------------------------------------------------------- */

/* is_placeable -- whether v can be made to lie somewhere else: it is computed, and has no place
 * yet. */
static int is_placeable(const tl_graph *g, uint32_t v, uint32_t block)
{
    const tl_val *x = &g->val[tl__home_of(g, v)];
    return x->block == block && x->via == TL_OWN && x->op != &tl__op_iota && tl__is_computed(x);
}

void tl__place(tl_graph *g, uint32_t v, tl_via via, uint32_t base, int64_t row, int64_t pace)
{
    tl_val *x = &g->val[tl__home_of(g, v)];
    x->via = via;
    x->base = base;
    x->row = row;
    x->pace = pace;
}

/* Looks behind views that only add or drop axes of extent 1. */
uint32_t tl__placeable(tl_graph *g, uint32_t v, uint32_t block)
{
    for (uint32_t u = v;;) {
        const tl_val *x = &g->val[u];
        if (is_placeable(g, u, block))
            return u;
        if (x->block != block || x->via != TL_OWN ||
            (x->op != &tl_op_reshape && x->op != &tl_op_detach))
            break;
        tl_shape a = x->shape, b = g->val[x->in[0]].shape;
        int i = 0, j = 0, same = 1;
        while (same && (i < a.rank || j < b.rank)) {
            if (i < a.rank && a.dim[i] == 1)
                i++;
            else if (j < b.rank && b.dim[j] == 1)
                j++;
            else
                same = i < a.rank && j < b.rank && a.dim[i++] == b.dim[j++];
        }
        if (!same)
            break;
        u = x->in[0];
    }
    return tl__graph_copy(g, v, block, g->val[v].shape);
}

/* ---- results and carries --------------------------------------------------------------------- */

static tl_shape with_rows(int64_t rows, tl_shape s)
{
    tl_shape out = {.rank = s.rank + 1, .dim = {rows}};
    memcpy(out.dim + 1, s.dim, (size_t)s.rank * sizeof *s.dim);
    return out;
}

void tl__become(tl_graph *g, uint32_t r, tl_via via, uint32_t base, int64_t row)
{
    const uint32_t loop = g->block[g->val[r].loop].loop, in[2] = {loop, base};
    uint32_t *copy = tl__graph_alloc(g, 2, sizeof *copy);
    if (!copy)
        return;
    memcpy(copy, in, sizeof in);
    g->val[r].in = copy;
    g->val[r].nin = 2;
    tl__place(g, r, via, base, row, 0);
}

/* find_stacked -- the needed stacked results of value v of block b, chained: returns the first
 * behind `from`. */
static uint32_t find_stacked(const tl_graph *g, uint32_t b, uint32_t v, uint32_t from)
{
    for (uint32_t r = from; r < g->nvals; r++)
        if (g->val[r].needed && g->val[r].op == &tl_op_stacked && g->val[r].loop == b &&
            g->val[r].of == v && g->val[r].via == TL_OWN)
            return r;
    return TL_NONE;
}

/* sum_carry -- a summed result as a new carry of its block. */
static void sum_carry(tl_graph *g, uint32_t r)
{
    const uint32_t b = g->val[r].loop, parent = g->block[b].parent, v = g->val[r].of;
    const tl_val x = g->val[v];
    uint32_t zero = tl__graph_const(g, parent, x.dtype);
    uint32_t source = tl__graph_add(g, &tl_op_carry, b, x.dtype, x.shape, 0, NULL), next;
    if (g->code)
        return;
    if (x.op->kind == TL_CONTRACTION && x.block == b && x.uses == 1 && x.nin == 2) {
        const uint32_t in[3] = {x.in[0], x.in[1], source};
        next = tl__graph_add(g, x.op, b, x.dtype, x.shape, 3, in);
        if (next != TL_NONE) {
            g->val[next].ni = x.ni;
            g->val[next].i = x.i;
            g->val[next].accumulate = 1;
        }
    } else {
        const uint32_t in[2] = {source, v};
        next = tl__graph_add(g, &tl_op_add, b, x.dtype, x.shape, 2, in);
    }
    tl_block *block = &g->block[b];
    if (tl__grow(&block->carry, &block->carries_capacity, block->ncarries + 1,
                 sizeof *block->carry))
        tl__graph_fail(g, TL_ENOMEM, "no memory for a sum");
    if (g->code)
        return;
    g->val[next].node = x.node;
    g->val[source].of = block->ncarries;
    g->val[r].op = &tl_op_last;
    g->val[r].of = block->ncarries;
    block->carry[block->ncarries++] = (tl_gcarry){source, zero, next, TL_NONE};
}

/* make_room -- where carry i lives: its room, the copy of init into it, and how the carry and
 * its last value read it. */
static void make_room(tl_graph *g, uint32_t b, uint32_t i)
{
    const tl_block block = g->block[b];
    tl_gcarry c = block.carry[i];
    const tl_shape shape = g->val[c.source].shape;
    if (g->val[c.next].block != b) /* the same outer value after each step */
        c.next = tl__graph_copy(g, c.next, b, shape);
    if (g->code)
        return;
    /* in segments the state is kept where a segment begins: no row of another one is read */
    const int history = block.budget == 0 && (find_stacked(g, b, c.source, 0) != TL_NONE ||
                                              find_stacked(g, b, c.next, 0) != TL_NONE);
    const int64_t read = block.reverse ? 1 : 0, first = block.reverse ? block.T : 0,
                  last = block.reverse ? 0 : block.T;
    uint32_t start = tl__graph_copy(g, c.init, block.parent, shape);
    c.room = tl__graph_add(g, &tl__op_room, block.parent, g->val[c.source].dtype,
                           history ? with_rows(block.T + 1, shape) : shape, 1, &start);
    uint32_t *in = tl__graph_alloc(g, 1, sizeof *in);
    if (g->code)
        return;
    *in = c.room;
    g->val[c.source].in = in;
    g->val[c.source].nin = 1;
    if (history) {
        tl__place(g, start, TL_VIA_ROW, c.room, first, 0);
        tl__place(g, c.source, TL_VIA_ROW, c.room, read, 1);
        for (uint32_t r; (r = find_stacked(g, b, c.source, 0)) != TL_NONE && !g->code;)
            tl__become(g, r, TL_VIA_ROWS, c.room, read);
        for (uint32_t r; (r = find_stacked(g, b, c.next, 0)) != TL_NONE && !g->code;)
            tl__become(g, r, TL_VIA_ROWS, c.room, 1 - read);
        uint32_t next = tl__placeable(g, c.next, b);
        if (g->code)
            return;
        tl__place(g, next, TL_VIA_ROW, c.room, 1 - read, 1);
        c.next = next;
    } else {
        tl__place(g, start, TL_VIA_SAME, c.room, 0, 0);
        tl__place(g, c.source, TL_VIA_SAME, c.room, 0, 0);
    }
    for (uint32_t r = 0; r < g->nvals && !g->code; r++)
        if (g->val[r].needed && g->val[r].op == &tl_op_last && g->val[r].loop == b &&
            g->val[r].of == i)
            tl__become(g, r, history ? TL_VIA_ROW : TL_VIA_SAME, c.room, history ? last : 0);
    g->block[b].carry[i] = c;
}

/* place_stacked -- the other stacked results: written row by row, or a view of what they repeat. */
static void place_stacked(tl_graph *g, uint32_t r)
{
    const uint32_t b = g->val[r].loop;
    uint32_t v = g->val[r].of;
    const tl_val x = g->val[v];
    for (uint32_t s = 0; s < r; s++)
        if (g->val[s].needed && g->val[s].op == &tl_op_stacked && g->val[s].loop == b &&
            g->val[s].of == v) {
            tl__become(g, r, TL_VIA_SAME, s, 0);
            return;
        }
    if (x.block != b) {
        tl__become(g, r, TL_VIA_NONE, v, 0);
    } else if (x.op == &tl_op_each) {
        tl__become(g, r, TL_VIA_SAME, x.in[0], 0);
    } else {
        uint32_t p = tl__placeable(g, v, b);
        if (p == TL_NONE)
            return;
        tl__place(g, p, TL_VIA_ROW, r, 0, 1);
        g->val[r].of = p;
    }
}

/* ---- assemble -------------------------------------------------------------------------------- */

/* has_overlap, is_full -- of the pieces' boxes in the result. */
static int has_overlap(const tl_graph *g, const tl_val *x)
{
    const int rank = x->shape.rank;
    for (uint32_t p = 0; p < x->nin; p++)
        for (uint32_t q = p + 1; q < x->nin; q++) {
            int apart = 0;
            for (int a = 0; a < rank && !apart; a++) {
                int64_t op = x->i[2 + (int64_t)p * rank + a], oq = x->i[2 + (int64_t)q * rank + a];
                apart = op + g->val[x->in[p]].shape.dim[a] <= oq ||
                        oq + g->val[x->in[q]].shape.dim[a] <= op;
            }
            if (!apart)
                return 1;
        }
    return 0;
}

static int is_full(const tl_graph *g, const tl_val *x)
{
    int64_t covered = 0;
    for (uint32_t p = 0; p < x->nin; p++)
        covered += tl_shape_count(g->val[x->in[p]].shape);
    return covered == tl_shape_count(x->shape);
}

/* A long assemble is checked along one axis only, if its pieces are in order there: T pieces,
 * not T^2 pairs. */
static int is_row_of_pieces(const tl_graph *g, const tl_val *x)
{
    const int rank = x->shape.rank;
    for (int a = 0; a < rank; a++) {
        int64_t end = 0;
        uint32_t p = 0;
        for (; p < x->nin && x->i[2 + (int64_t)p * rank + a] >= end; p++)
            end = x->i[2 + (int64_t)p * rank + a] + g->val[x->in[p]].shape.dim[a];
        if (p == x->nin)
            return 1;
    }
    return 0;
}

/* lower_assemble -- places the pieces. With gaps zeros come first; pieces that overlap are added
 * one after the other:
 *     zeros --> part 0 += piece 0 --> part 1 += piece 1 --> ... */
static void lower_assemble(tl_graph *g, uint32_t v)
{
    const tl_val x = g->val[v];
    const int overlaps = !is_row_of_pieces(g, &x) && has_overlap(g, &x);
    uint32_t former = x.after; /* an assemble inside another one: behind the zeros of that */
    if (overlaps || !is_full(g, &x)) {
        uint32_t zero = tl__graph_const(g, x.block, x.dtype);
        former = tl__graph_copy(g, zero, x.block, x.shape);
        if (g->code)
            return;
        tl__place(g, former, TL_VIA_SAME, v, 0, 0);
        g->val[former].solo = 1;
        g->val[former].after = x.after;
    }
    uint32_t *in = tl__graph_alloc(g, x.nin + 1, sizeof *in);
    for (uint32_t p = 0; p < x.nin && !g->code; p++) {
        uint32_t piece = x.in[p];
        const int64_t *at = x.i + 2 + (int64_t)p * x.shape.rank;
        if (overlaps) {
            uint32_t part =
                tl__graph_add(g, &tl__op_room, x.block, x.dtype, g->val[piece].shape, 0, NULL);
            if (part == TL_NONE)
                return;
            tl__place(g, part, TL_VIA_PIECE, v, 0, 0);
            g->val[part].at = at;
            g->val[part].as = g->val[part].shape;
            g->val[part].after = former;
            const uint32_t sum[2] = {part, piece};
            piece = tl__graph_add(g, &tl_op_add, x.block, x.dtype, g->val[piece].shape, 2, sum);
            if (piece == TL_NONE)
                return;
            g->val[piece].solo = 1;
        } else {
            uint32_t p0 = tl__placeable(g, piece, x.block);
            if (p0 == TL_NONE)
                return;
            piece = p0;
        }
        tl__place(g, piece, TL_VIA_PIECE, v, 0, 0);
        tl_val *home = &g->val[tl__home_of(g, piece)];
        home->at = at;
        home->as = g->val[x.in[p]].shape;
        home->after = former;
        if (overlaps)
            former = piece;
        in[p] = piece;
    }
    if (g->code)
        return;
    g->val[v].in = in;
}

/* choose_next -- of a carry that is only handed on: what arrange.c tries to have written into
 * the room. */
static void choose_next(tl_graph *g, uint32_t b, uint32_t i)
{
    const tl_gcarry c = g->block[b].carry[i];
    uint32_t m = c.next;
    if (g->val[c.room].shape.rank != g->val[c.source].shape.rank)
        return;
    const uint32_t home = tl__home_of(g, m);
    if (!is_placeable(g, m, b) || g->val[m].op->kind == TL_ASSEMBLE || g->val[home].candidate)
        m = tl__graph_copy(g, m, b, g->val[m].shape);
    if (m == TL_NONE)
        return;
    g->val[tl__home_of(g, m)].candidate = 1;
    g->block[b].carry[i].next = m;
}

/* ---- the pass -------------------------------------------------------------------------------- */

static int is_view(const tl_val *v)
{
    return v->op->kind == TL_VIEW || v->op == &tl_op_each;
}

void tl__pass_lower(tl_graph *g)
{
    tl__graph_mark(g);
    uint32_t n = g->nvals;
    for (uint32_t r = 0; r < n && !g->code; r++)
        if (g->val[r].needed && g->val[r].op == &tl_op_summed)
            sum_carry(g, r);
    tl__graph_mark(g);
    for (uint32_t b = 1; b < g->nblocks && !g->code; b++)
        for (uint32_t i = 0; i < g->block[b].ncarries && !g->code; i++)
            if (g->val[g->block[b].carry[i].source].needed)
                make_room(g, b, i);
    n = g->nvals;
    for (uint32_t r = 0; r < n && !g->code; r++)
        if (g->val[r].needed && g->val[r].op == &tl_op_stacked && g->val[r].via == TL_OWN)
            place_stacked(g, r);
    for (uint32_t v = n; v-- > 0 && !g->code;) /* an assemble inside another one: the outer first */
        if (g->val[v].needed && g->val[v].op->kind == TL_ASSEMBLE)
            lower_assemble(g, v);
    for (uint32_t b = 1; b < g->nblocks && !g->code; b++)
        for (uint32_t i = 0; i < g->block[b].ncarries && !g->code; i++)
            if (g->block[b].carry[i].room != TL_NONE)
                choose_next(g, b, i);
    for (uint32_t v = 0; v < g->nvals && !g->code; v++) {
        tl_val *x = &g->val[v];
        if (!is_view(x) || x->via != TL_OWN)
            continue;
        x->base = x->in[0];
        x->via = x->op->kind == TL_VIEW ? TL_VIA_VIEW : TL_VIA_ROW;
        x->row = 0;
        x->pace = 1;
    }
}
