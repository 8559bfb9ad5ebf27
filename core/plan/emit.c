/* emit.c -- turns scheduled steps into instructions: addresses become bytes behind a base.
 *
 *     step CONTRACT v5                        instruction CONTRACT
 *         v5 reads v3 (slab), v1 (leaf)           in   slab+0, leaf 2+0
 *         v5 lies in the slab                     out  slab+4096
 *
 * Tiles are compiled in emit_tile.c. */
#include "core/plan/emit.h"

#include "core/plan/execute.h"

#include "core/space.h"

#include <string.h>

void *tl__emit_alloc(tl_emitter *e, size_t count, size_t size)
{
    size_t bytes;
    void *memory = tl__mul_size(count, size, &bytes) ? NULL : tl__arena_alloc(&e->p->arena, bytes);
    if (memory)
        memset(memory, 0, bytes);
    else
        tl__graph_fail(e->g, TL_ENOMEM, "no memory for the plan");
    return memory;
}

/* ---- bases ----------------------------------------------------------------------------------- */

static uint32_t add_base(tl_emitter *e, tl_base base)
{
    e->p->base[e->p->nbases] = base;
    return e->p->nbases++;
}

static tl_base pack_base(const tl_graph *g, uint32_t v)
{
    const tl_val *x = &g->val[v];
    tl_base b = {TL_BASE_PACK,
                 g->val[g->val[x->in[0]].address.root].node,
                 x->dtype,
                 tl__root_bytes(g, v),
                 {0}};
    memcpy(&b.spec, x->i, sizeof b.spec);
    return b;
}

static void make_bases(tl_emitter *e)
{
    tl_graph *g = e->g;
    uint32_t most = 2;
    e->base = tl__graph_alloc(g, g->nvals + 1, sizeof *e->base);
    e->fresh = tl__fresh_roots(g);
    if (g->code)
        return;
    for (uint32_t v = 0; v < g->nvals; v++) {
        e->base[v] = TL_NONE;
        most += g->val[v].via == TL_BOUND || e->fresh[v];
        most += g->val[v].op == &tl_op_const; /* may be read as a number too */
    }
    e->p->base = tl__emit_alloc(e, most, sizeof *e->p->base);
    if (g->code)
        return;
    add_base(e, (tl_base){TL_BASE_SLAB, TL_NONE, TL_F32, 0, {0}});
    add_base(e, (tl_base){TL_BASE_WORKER, TL_NONE, TL_F32, 0, {0}});
    for (uint32_t v = 0; v < g->nvals; v++) {
        const tl_val *x = &g->val[v];
        if (x->op == &tl_op_time && x->needed)
            e->base[v] = TL_BASE_OF_WORKER;
        else if (x->via == TL_BOUND)
            e->base[v] = add_base(e, (tl_base){TL_BASE_LEAF, x->node, x->dtype, 0, {0}});
        else if (tl__is_leaf_pack(g, v))
            e->base[v] = add_base(e, pack_base(g, v));
        else if (e->fresh[v])
            e->base[v] =
                add_base(e, (tl_base){TL_BASE_FRESH, TL_NONE, x->dtype, tl__root_bytes(g, v), {0}});
    }
}

tl_operand tl__emit_scalar(tl_emitter *e, uint32_t v)
{
    if (e->scalar[v] == TL_NONE)
        e->scalar[v] =
            add_base(e, (tl_base){TL_BASE_SCALAR, e->g->val[v].node, e->g->val[v].dtype, 0, {0}});
    return (tl_operand){e->scalar[v], 0, 0, NULL};
}

static tl_operand operand_of(tl_emitter *e, uint32_t v)
{
    const tl_graph *g = e->g;
    const tl_address *a = &g->val[v].address;
    const int64_t size = (int64_t)tl_dtype_size(g->val[v].dtype);
    tl_operand o = {0, 0, a->layout.offset * size, NULL};
    if (e->base[a->root] != TL_NONE)
        o.base = e->base[a->root];
    if (o.base == TL_BASE_OF_WORKER || o.base == TL_BASE_OF_SLAB)
        o.offset += e->offset[a->root];
    for (uint32_t d = 0; d < TL_POSITIONS; d++)
        if (a->coef[d])
            o.ncoef = d + 1;
    if (o.ncoef) {
        int64_t *coef = tl__emit_alloc(e, o.ncoef, sizeof *coef);
        for (uint32_t d = 0; coef && d < o.ncoef; d++)
            coef[d] = a->coef[d] * size;
        o.coef = coef;
    }
    return o;
}

void tl__emit_set(tl_emitter *e, tl_instr *to, uint32_t k, uint32_t v)
{
    to->operand[k] = operand_of(e, v);
    tl__note_operand(&e->notes, v);
}

/* ---- other instructions ---------------------------------------------------------------------- */

static void emit_call(tl_emitter *e, tl_instr *to, const tl_step *s)
{
    const uint32_t v = s->val.at[0];
    const tl_val *x = &e->g->val[v];
    const uint32_t nin = x->accumulate ? 2 : x->nin;
    to->kind = s->kind == TL_STEP_CONTRACT ? TL_INSTR_CONTRACT
               : s->kind == TL_STEP_IOTA   ? TL_INSTR_IOTA
                                           : TL_INSTR_CALL;
    to->op = x->op;
    to->accumulate = x->accumulate;
    to->clip = x->clip;
    to->extent = s->parts;
    to->noperands = nin + 1;
    to->operand = tl__emit_alloc(e, nin + 1, sizeof *to->operand);
    to->array = tl__emit_alloc(e, nin + 1, sizeof *to->array);
    tl_shape *shape = tl__emit_alloc(e, nin + 1, sizeof *shape);
    int64_t *stride = tl__emit_alloc(e, (nin + 1) * TL_MAX_RANK, sizeof *stride);
    int64_t *attr = tl__emit_alloc(e, (size_t)x->ni + 1, sizeof *attr);
    if (e->g->code)
        return;
    if (x->ni)
        memcpy(attr, x->i, (size_t)x->ni * sizeof *attr);
    to->attr = (tl_attr){x->ni, attr, 0, NULL};
    for (uint32_t k = 0; k <= nin; k++, stride += TL_MAX_RANK) {
        const uint32_t u = k < nin ? x->in[k] : v;
        const tl_val *y = &e->g->val[u];
        shape[k] = y->shape;
        memcpy(stride, y->address.layout.stride, TL_MAX_RANK * sizeof *stride);
        to->array[k] = (tl_strided){NULL, y->dtype, &shape[k], stride};
        tl__emit_set(e, to, k, u);
    }
    if (x->op == &tl__op_pack && tl__is_leaf_pack(e->g, v))
        to->pack = e->base[v];
}

static void emit_product(tl_emitter *e, tl_instr *to, const tl_step *s)
{
    tl_contraction_def d;
    tl_attr labels;
    emit_call(e, to, s);
    if (e->g->code)
        return;
    tl__contraction_define(e->g, s->val.at[0], &d, &labels);
    d.split = s->shared ? s->label : TL_LABEL_NEVER;
    to->product = tl__contraction_new(&e->p->arena, &d);
    if (!to->product)
        tl__graph_fail(e->g, TL_ENOMEM, "no memory for a product of the plan");
}

static void emit_block(tl_emitter *e, uint32_t b)
{
    tl_graph *g = e->g;
    const tl_block *from = &g->block[b];
    tl_plan_block *to = &e->p->block[b];
    to->depth = from->depth;
    to->T = from->T;
    to->period = from->period;
    to->reverse = from->reverse;
    to->draws = from->draws;
    to->alone = from->alone;
    to->segments = from->segments;
    to->whole = from->adjoint && from->budget > 0 && from->segments == TL_NONE && !from->fits;
    to->first = (uint32_t)e->p->ninstrs;
    to->instr = tl__emit_alloc(e, from->nsteps + 1, sizeof *to->instr);
    for (uint32_t k = 0; k < from->nsteps && !g->code; k++) {
        const tl_step *s = &g->step[from->steps[k]];
        if (s->kind == TL_STEP_JOIN)
            continue;
        tl_instr *i = &to->instr[to->ninstrs++];
        i->node = g->val[s->val.at[0]].node;
        i->shared = s->shared;
        i->wait = s->wait;
        i->segments = g->val[s->val.at[0]].segments;
        i->phase = s->phase;
        if (s->kind == TL_STEP_TILE) {
            tl__emit_tile(e, i, s);
        } else if (s->kind == TL_STEP_BAND) {
            tl__emit_band(e, i, s);
        } else if (s->kind == TL_STEP_LOOP) {
            i->kind = TL_INSTR_LOOP;
            i->block = g->val[s->val.at[0]].loop;
        } else if (s->kind == TL_STEP_CONTRACT) {
            emit_product(e, i, s);
        } else {
            emit_call(e, i, s);
        }
        tl__note_make(&e->notes, i, s);
        if (s->phase == TL_PRE)
            to->steps = to->ninstrs;
        if (s->phase != TL_POST || b == 0)
            to->trail = to->ninstrs;
    }
    for (uint32_t k = 0; k < from->norder && !g->code; k++)
        if (g->val[from->order[k]].op == &tl_op_time) {
            to->has_time = 1;
            to->time = operand_of(e, from->order[k]);
        }
    e->p->ninstrs += to->ninstrs;
}

/* is_read_within -- whether x reads operand u in a register: w, behind views of the same order,
 * is of its own group. */
static int is_read_within(const tl_graph *g, const tl_val *x, uint32_t u, uint32_t w)
{
    return tl__is_pointwise(x) && tl__is_pointwise(&g->val[w]) && g->val[w].step == x->step &&
           tl__through_views(g, u) == w;
}

static uint32_t behind_views(const tl_graph *g, uint32_t v)
{
    while (g->val[v].op->kind == TL_VIEW)
        v = g->val[v].in[0];
    return v;
}

/* find_outside -- which values of groups must be stored: read from elsewhere, surviving, or
 * lying in somebody else's buffer. */
static void find_outside(tl_emitter *e)
{
    tl_graph *g = e->g;
    e->read_outside = tl__graph_alloc(g, g->nvals + 1, 1);
    for (uint32_t v = 0; v < g->nvals && !g->code; v++) {
        const tl_val *x = &g->val[v];
        if (!x->needed)
            continue;
        if (x->op->kind == TL_POINTWISE && (x->nin == 0 || x->address.root != v))
            e->read_outside[v] = 1;
        if (x->keep)
            e->read_outside[behind_views(g, v)] = 1;
        for (uint32_t k = 0; k < x->nin && x->op->kind != TL_VIEW;
             k++) { /* views count where they are read */
            const uint32_t w = behind_views(g, x->in[k]);
            if (!is_read_within(g, x, x->in[k], w))
                e->read_outside[w] = 1;
        }
    }
    for (uint32_t v = 0; v < g->nvals && !g->code; v++) { /* only ever in registers */
        tl_val *x = &g->val[v];
        if (tl__is_pointwise(x) && x->step != TL_NONE && x->address.root == v && x->via == TL_OWN &&
            !e->read_outside[v])
            x->inside = 1;
    }
}

/* measure -- what a thread needs to run any instruction. */
static void measure(const tl_graph *g, tl_plan *p)
{
    size_t registers = 0;
    for (uint32_t b = 0; b < g->nblocks; b++)
        for (uint32_t k = 0; k < p->block[b].ninstrs; k++) {
            const tl_instr *i = &p->block[b].instr[k];
            const size_t bytes = i->tile   ? tl__tile_scratch(i->tile)
                                 : i->band ? tl__band_scratch(i->band)
                                           : 0;
            registers = bytes > registers ? bytes : registers;
            p->most = i->noperands > p->most ? i->noperands : p->most;
        }
    for (uint32_t k = 0; k < p->nsegments; k++) {
        const size_t bytes = (size_t)p->segments[k].slots * sizeof(int64_t);
        p->turn_bytes = bytes > p->turn_bytes ? (bytes + 63) / 64 * 64 : p->turn_bytes;
    }
    p->scratch_bytes =
        tl__operand_bytes(p->most) + p->local_bytes + p->turn_bytes + (registers + 63) / 64 * 64;
}

/* emit_segments -- what runs in segments, and room for the states behind the slab's buffers. */
static void emit_segments(tl_emitter *e)
{
    tl_graph *g = e->g;
    e->p->segments = tl__emit_alloc(e, g->nsegments + 1, sizeof *e->p->segments);
    for (uint32_t k = 0; k < g->nsegments && !g->code; k++) {
        const tl_segments *from = &g->segments[k];
        tl_plan_segments *to = &e->p->segments[e->p->nsegments++];
        to->ahead = from->ahead;
        to->back = from->back;
        to->size = from->size;
        to->count = (g->block[from->ahead].T + from->size - 1) / from->size;
        to->slots = from->slots;
        to->nstate = from->nstate;
        to->state = tl__emit_alloc(e, from->nstate + 1, sizeof *to->state);
        to->bytes = tl__emit_alloc(e, from->nstate + 1, sizeof *to->bytes);
        for (uint32_t i = 0; i < from->nstate && !g->code; i++) {
            to->state[i] = operand_of(e, from->state[i]);
            to->bytes[i] = tl__root_bytes(g, from->state[i]);
            to->state_bytes += (to->bytes[i] + 63) / 64 * 64;
        }
        e->p->slab_bytes = (e->p->slab_bytes + 63) / 64 * 64;
        to->kept = (int64_t)e->p->slab_bytes;
        e->p->slab_bytes += (size_t)(to->slots + 1) * to->state_bytes;
    }
}

static void emit_survivors(tl_emitter *e)
{
    tl_graph *g = e->g;
    uint32_t n = 0;
    for (uint32_t v = 0; v < g->nvals; v++)
        n += g->val[v].keep;
    e->p->survivor = tl__emit_alloc(e, n + 1, sizeof *e->p->survivor);
    for (uint32_t v = 0; v < g->nvals && !g->code; v++) {
        const tl_val *x = &g->val[v];
        if (x->keep)
            e->p->survivor[e->p->nsurvivors++] =
                (tl_survivor){x->node, e->base[x->address.root], x->address.layout};
    }
}

void tl__emit(tl_plan *p, tl_graph *g)
{
    tl_emitter e = {.p = p,
                    .g = g,
                    .offset = tl__graph_alloc(g, g->nvals + 1, sizeof *e.offset),
                    .scalar = tl__graph_alloc(g, g->nvals + 1, sizeof *e.scalar)};
    if (g->code)
        return;
    memset(e.scalar, 0xff, (g->nvals + 1) * sizeof *e.scalar);
    make_bases(&e);
    find_outside(&e);
    tl__notes_open(&e.notes, p, g);
    if (g->code)
        return;
    p->slab_bytes = tl__plan_layout(g, 0, e.offset);
    for (uint32_t v = 0; v < g->nvals; v++)
        if (e.base[v] == TL_BASE_OF_WORKER) {
            e.offset[v] = (int64_t)p->local_bytes;
            p->local_bytes += 64;
        }
    p->block = tl__emit_alloc(&e, g->nblocks, sizeof *p->block);
    p->nblocks = g->nblocks;
    for (uint32_t b = 0; b < g->nblocks && !g->code; b++)
        emit_block(&e, b);
    emit_segments(&e);
    emit_survivors(&e);
    tl__notes_close(&e.notes, e.base, e.offset);
    if (!g->code)
        measure(g, p);
}
