/* graph.c -- the plan's graph: building it from a stretch, dead code, and topological order.
 *
 * Dead code is reachability from what survives. Through a loop it is a fixpoint over the
 * carries, which reachability finds by itself:
 *
 *     last(i), carry(i) --> init(i), next(i)      stacked(v), summed(v) --> v
 *     result --> loop                             each --> xs */
#include "core/plan/graph.h"

#include "core/space.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const tl_op tl__op_copy = {
    .name = "copy", .doc = "a", .grad_doc = "none", .kind = TL_POINTWISE, .no_gradient = 1};
const tl_op tl__op_room = {.name = "room",
                           .doc = "where a carry lives",
                           .grad_doc = "none",
                           .kind = TL_OTHER,
                           .no_gradient = 1};
const tl_op tl__op_iota = {
    .name = "iota", .doc = "0, 1, 2, ...", .grad_doc = "none", .kind = TL_OTHER, .no_gradient = 1};
const tl_op tl__op_rows = {.name = "rows",
                           .doc = "the rows of a period",
                           .grad_doc = "none",
                           .kind = TL_VIEW,
                           .no_gradient = 1};
const tl_op tl__op_shown = {.name = "shown",
                            .doc = "what a loop has left in a room",
                            .grad_doc = "none",
                            .kind = TL_RESULT,
                            .no_gradient = 1};

int tl__graph_fail(tl_graph *g, int code, const char *format, ...)
{
    if (g->code)
        return g->code;
    va_list args;
    va_start(args, format);
    vsnprintf(g->message, sizeof g->message, format, args);
    va_end(args);
    return g->code = code;
}

void *tl__graph_alloc(tl_graph *g, size_t count, size_t size)
{
    size_t bytes;
    void *memory = tl__mul_size(count, size, &bytes) ? NULL : tl__arena_alloc(&g->arena, bytes);
    if (memory)
        memset(memory, 0, bytes);
    else
        tl__graph_fail(g, TL_ENOMEM, "no memory for the plan");
    return memory;
}

void tl__graph_close(tl_graph *g)
{
    tl__free(g->val);
    for (uint32_t b = 0; b < g->nblocks; b++)
        tl__free(g->block[b].carry);
    tl__free(g->block);
    tl__free(g->step);
    tl__arena_close(&g->arena);
    *g = (tl_graph){0};
}

uint32_t tl__graph_add(tl_graph *g, const tl_op *op, uint32_t block, tl_dtype dtype, tl_shape shape,
                       uint32_t n, const uint32_t *in)
{
    if (g->code)
        return TL_NONE;
    if (tl__grow(&g->val, &g->vals_capacity, g->nvals + 1, sizeof *g->val)) {
        tl__graph_fail(g, TL_ENOMEM, "no memory for value %u of the plan", g->nvals);
        return TL_NONE;
    }
    uint32_t *operands = tl__graph_alloc(g, n + 1, sizeof *operands);
    if (!operands)
        return TL_NONE;
    if (n)
        memcpy(operands, in, n * sizeof *in);
    tl_val *v = &g->val[g->nvals];
    memset(v, 0, sizeof *v);
    v->op = op;
    v->block = block;
    v->dtype = dtype;
    v->shape = shape;
    v->nin = n;
    v->in = operands;
    v->node = v->loop = v->of = v->after = v->base = v->step = TL_NONE;
    return g->nvals++;
}

uint32_t tl__graph_const(tl_graph *g, uint32_t block, tl_dtype dtype)
{
    return tl__graph_add(g, &tl_op_const, block, dtype, tl_shape0(), 0, NULL);
}

uint32_t tl__graph_copy(tl_graph *g, uint32_t v, uint32_t block, tl_shape shape)
{
    return g->code ? TL_NONE : tl__graph_add(g, &tl__op_copy, block, g->val[v].dtype, shape, 1, &v);
}

void tl__graph_show(tl_graph *g, uint32_t v, uint32_t u)
{
    uint32_t *in = tl__graph_alloc(g, 1, sizeof *in);
    if (!in)
        return;
    *in = u;
    tl_val *x = &g->val[v];
    x->op = &tl_op_detach;
    x->nin = 1;
    x->in = in;
    x->ni = 0;
    x->loop = x->of = TL_NONE;
}

int tl__graph_within(const tl_graph *g, uint32_t b, uint32_t outer)
{
    while (b != TL_NONE && b != outer)
        b = g->block[b].parent;
    return b == outer;
}

/* ---- building -------------------------------------------------------------------------------- */

static uint32_t add_block(tl_graph *g, uint32_t parent, uint32_t loop)
{
    if (tl__grow(&g->block, &g->blocks_capacity, g->nblocks + 1, sizeof *g->block)) {
        tl__graph_fail(g, TL_ENOMEM, "no memory for a block of the plan");
        return TL_NONE;
    }
    tl_block *b = &g->block[g->nblocks];
    memset(b, 0, sizeof *b);
    b->parent = parent;
    b->depth = parent == TL_NONE ? 0 : g->block[parent].depth + 1;
    b->loop = loop;
    b->T = 1;
    b->segments = TL_NONE;
    if (b->depth > TL_DEPTH)
        tl__graph_fail(g, TL_EUNSUPPORTED, "scans inside scans: got %u, want %d at most", b->depth,
                       TL_DEPTH);
    return g->nblocks++;
}

/* add_loop -- the block of a loop; its carries refer to ordinals that come later. */
static void add_loop(tl_graph *g, const tl_tape *tape, const tl_stretch *s, uint32_t v,
                     uint32_t frame)
{
    const tl_frame *f = &tape->frames[frame];
    uint32_t b = add_block(g, g->val[v].block, v);
    if (g->code)
        return;
    tl_block *block = &g->block[b];
    g->val[v].loop = b;
    block->T = f->T;
    block->reverse = f->reverse;
    block->draws = f->draws;
    block->budget = f->budget;
    block->scope = tape->scopes[f->scope];
    block->adjoint = f->replays;
    if (tl__grow(&block->carry, &block->carries_capacity, f->ncarries + 1, sizeof *block->carry)) {
        tl__graph_fail(g, TL_ENOMEM, "no memory for %u carries", f->ncarries);
        return;
    }
    block->ncarries = f->ncarries;
    for (uint32_t i = 0; i < f->ncarries; i++)
        block->carry[i] =
            (tl_gcarry){s->ordinal[f->carries[i].source], s->ordinal[f->carries[i].init],
                        s->ordinal[f->carries[i].next], TL_NONE};
    for (uint32_t k = 0; k < f->nnodes; k++)
        g->slot_block[s->ordinal[f->nodes[k]]] = b;
}

static void add_member(tl_graph *g, const tl_tape *tape, const tl_stretch *s, uint32_t m)
{
    const tl_node *n = &tape->nodes[s->member[m].slot];
    const int is_leaf = (s->member[m].flags & TL_MEMBER_LEAF) != 0;
    uint32_t v = tl__graph_add(g, is_leaf ? &tl_op_input : n->op, is_leaf ? 0 : g->slot_block[m],
                               n->dtype, n->shape, 0, NULL);
    if (v == TL_NONE)
        return;
    tl_val *x = &g->val[v];
    x->node = m;
    x->keep = (s->member[m].flags & TL_MEMBER_KEEP) != 0;
    x->one = (s->member[m].flags & TL_MEMBER_ONE) != 0;
    x->steady = (s->member[m].flags & TL_MEMBER_STEADY) != 0;
    if (is_leaf) {
        x->via = TL_BOUND;
        x->address = (tl_address){.root = v, .layout = n->layout};
        x->address.layout.offset = 0;
        x->resolved = 1;
        return;
    }
    int64_t *attr = tl__graph_alloc(g, (size_t)n->attr.ni + 1, sizeof *attr);
    x->in = tl__graph_alloc(g, n->nin + 1, sizeof *x->in);
    if (!attr || !x->in)
        return;
    if (n->attr.ni)
        memcpy(attr, n->attr.i, (size_t)n->attr.ni * sizeof *attr);
    x->i = attr;
    x->ni = n->attr.ni;
    x->numbers = n->attr.nr > 0;
    if (n->op->kind == TL_LOOP) {
        add_loop(g, tape, s, v, (uint32_t)n->attr.i[0]); /* operands: tl__graph_order */
        return;
    }
    x->nin = n->op->kind == TL_VIEW ? 1 : n->nin; /* the others are for its gradient */
    for (uint32_t k = 0; k < n->nin; k++)
        x->in[k] = s->ordinal[n->in[k]];
    if (n->op->kind == TL_RESULT) {
        x->loop = g->val[x->in[0]].loop;
        x->of = n->op == &tl_op_last ? (uint32_t)attr[0] : s->ordinal[attr[0]];
    } else if (n->op == &tl_op_carry) {
        x->of = (uint32_t)attr[0];
    }
}

void tl__graph_build(tl_graph *g, const tl_tape *tape, const tl_stretch *s)
{
    g->slot_block = tl__graph_alloc(g, s->nmembers + 1, sizeof *g->slot_block);
    add_block(g, TL_NONE, TL_NONE);
    for (uint32_t m = 0; m < s->nmembers && !g->code; m++)
        add_member(g, tape, s, m);
}

/* ---- dead code ------------------------------------------------------------------------------- */

typedef struct tl_work {
    tl_graph *g;
    uint32_t *stack, n;
} tl_work;

static void use(tl_work *w, uint32_t v)
{
    if (v == TL_NONE)
        return;
    tl_val *x = &w->g->val[v];
    x->uses++;
    if (!x->needed) {
        x->needed = 1;
        w->stack[w->n++] = v;
    }
}

static void use_all(tl_work *w, uint32_t v)
{
    tl_graph *g = w->g;
    const tl_val *x = &g->val[v];
    if (x->op->kind != TL_LOOP)
        for (uint32_t k = 0; k < x->nin; k++)
            use(w, x->in[k]);
    use(w, x->base);
    use(w, x->after);
    if (x->op == &tl_op_stacked || x->op == &tl_op_summed || x->op == &tl__op_shown)
        use(w, x->of);
    if (x->op == &tl_op_last)
        use(w, g->block[x->loop].carry[x->of].source);
    if (x->op == &tl_op_carry) {
        const tl_gcarry *c = &g->block[x->block].carry[x->of];
        use(w, c->init);
        use(w, c->next);
    }
}

void tl__graph_mark(tl_graph *g)
{
    if (g->code)
        return;
    tl_work w = {g, tl__graph_alloc(g, g->nvals + 1, sizeof *w.stack), 0};
    if (!w.stack)
        return;
    for (uint32_t v = 0; v < g->nvals; v++)
        g->val[v].needed = 0, g->val[v].uses = 0;
    for (uint32_t v = 0; v < g->nvals; v++)
        if (g->val[v].keep)
            use(&w, v);
    while (w.n > 0)
        use_all(&w, w.stack[--w.n]);
}

/* ---- order ----------------------------------------------------------------------------------- */

/* note_outer -- a body in block b reads value u of a block around: it is an operand of each loop
 * between. */
static void note_outer(tl_graph *g, uint32_t b, uint32_t u, uint32_t *seen)
{
    for (; b != g->val[u].block; b = g->block[b].parent) {
        uint32_t loop = g->block[b].loop;
        tl_val *l = &g->val[loop];
        if (g->block[b].parent != g->val[u].block)
            continue;
        /* seen[] holds, per value, the loop that noted it last; different loops note it again,
         * at worst twice */
        if (seen[u] == loop + 1)
            return;
        seen[u] = loop + 1;
        if (l->nin >= l->in_room) {
            uint32_t room = l->in_room ? 2 * l->in_room : 8;
            uint32_t *in = tl__graph_alloc(g, room, sizeof *in);
            if (!in)
                return;
            if (l->nin)
                memcpy(in, l->in, l->nin * sizeof *in);
            l->in = in;
            l->in_room = room;
        }
        l->in[l->nin++] = u;
        return;
    }
}

static void find_loop_operands(tl_graph *g)
{
    uint32_t *seen = tl__graph_alloc(g, g->nvals + 1, sizeof *seen);
    if (!seen)
        return;
    for (uint32_t b = 1; b < g->nblocks; b++)
        g->val[g->block[b].loop].nin = 0;
    for (uint32_t v = 0; v < g->nvals && !g->code; v++) {
        const tl_val *x = &g->val[v];
        if (!x->needed || x->block == 0 || x->op->kind == TL_LOOP)
            continue;
        for (uint32_t k = 0; k < x->nin; k++)
            if (g->val[x->in[k]].block != x->block)
                note_outer(g, x->block, x->in[k], seen);
    }
}

/* visit -- v and, before it, what it needs in its block. Values are mostly in order already, so
 * the recursion stays flat. */
static void visit(tl_graph *g, uint32_t v, uint8_t *done)
{
    if (done[v])
        return;
    done[v] = 1;
    const uint32_t block = g->val[v].block;
    for (uint32_t k = 0; k < g->val[v].nin; k++)
        if (g->val[g->val[v].in[k]].block == block)
            visit(g, g->val[v].in[k], done);
    if (g->val[v].after != TL_NONE)
        visit(g, g->val[v].after, done);
    tl_block *b = &g->block[block];
    b->order[b->norder++] = v;
}

void tl__graph_order(tl_graph *g)
{
    if (g->code)
        return;
    find_loop_operands(g);
    uint8_t *done = tl__graph_alloc(g, g->nvals + 1, 1);
    uint32_t *count = tl__graph_alloc(g, g->nblocks, sizeof *count);
    if (g->code)
        return;
    for (uint32_t v = 0; v < g->nvals; v++)
        count[g->val[v].block] += g->val[v].needed;
    for (uint32_t b = 0; b < g->nblocks; b++) {
        g->block[b].order = tl__graph_alloc(g, count[b] + 1, sizeof *g->block[b].order);
        g->block[b].norder = 0;
        if (g->code)
            return;
    }
    for (uint32_t v = 0; v < g->nvals; v++)
        if (g->val[v].needed)
            visit(g, v, done);
}

int tl__is_computed(const tl_val *v)
{
    switch (v->op->kind) {
    case TL_POINTWISE:
        return v->nin > 0;
    case TL_CONTRACTION:
    case TL_REDUCTION:
    case TL_GATHER:
    case TL_RANDOM:
    case TL_ASSEMBLE:
        return 1;
    case TL_OTHER:
        return v->op == &tl__op_iota || v->op->run != NULL;
    default:
        return 0;
    }
}
