/* emit.c -- turns scheduled steps into instructions: tiles are compiled, addresses become bytes
 * behind a base.
 *
 *     step TILE {add v7, tanh v8}             instruction TILE
 *         v7 reads v3 (slab), v1 (leaf)           in   slab+0, leaf 2+0
 *         v7 is read here only                    a register of the tile
 *         v8 is read by others                    out  slab+4096 */
#include "core/plan/execute.h"
#include "core/plan/note.h"
#include "core/plan/steps.h"

#include "core/space.h"

#include <string.h>

typedef struct tl_emitter {
    tl_plan *p;
    tl_graph *g;
    int64_t *offset; /* by value: of roots in the slab */
    uint32_t *base;  /* by value: of roots elsewhere, and of constants read as scalars; TL_NONE */
    uint8_t *fresh;
    uint8_t *read_outside; /* by value: read by something that is not in its group */
    tl_notes notes;
} tl_emitter;

static void *plan_alloc(tl_emitter *e, size_t count, size_t size)
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

static void make_bases(tl_emitter *e)
{
    tl_graph *g = e->g;
    uint32_t most = 1;
    e->base = tl__graph_alloc(g, g->nvals + 1, sizeof *e->base);
    e->fresh = tl__fresh_roots(g);
    if (g->code)
        return;
    for (uint32_t v = 0; v < g->nvals; v++) {
        e->base[v] = TL_NONE;
        most += g->val[v].via == TL_BOUND || e->fresh[v];
        most += g->val[v].op == &tl_op_const; /* may be read as a number too */
    }
    e->p->base = plan_alloc(e, most, sizeof *e->p->base);
    if (g->code)
        return;
    add_base(e, (tl_base){TL_BASE_SLAB, TL_NONE, TL_F32, 0});
    for (uint32_t v = 0; v < g->nvals; v++) {
        const tl_val *x = &g->val[v];
        if (x->via == TL_BOUND)
            e->base[v] = add_base(e, (tl_base){TL_BASE_LEAF, x->node, x->dtype, 0});
        else if (e->fresh[v])
            e->base[v] =
                add_base(e, (tl_base){TL_BASE_FRESH, TL_NONE, x->dtype, tl__root_bytes(g, v)});
    }
}

/* scalar_base -- of a constant that is read as a number. */
static uint32_t scalar_base(tl_emitter *e, uint32_t v, uint32_t *scalars)
{
    if (scalars[v] == TL_NONE)
        scalars[v] =
            add_base(e, (tl_base){TL_BASE_SCALAR, e->g->val[v].node, e->g->val[v].dtype, 0});
    return scalars[v];
}

static tl_operand operand_of(tl_emitter *e, uint32_t v)
{
    const tl_graph *g = e->g;
    const tl_address *a = &g->val[v].address;
    const int64_t size = (int64_t)tl_dtype_size(g->val[v].dtype);
    tl_operand o = {0, 0, a->layout.offset * size, NULL};
    if (e->base[a->root] != TL_NONE)
        o.base = e->base[a->root];
    else
        o.offset += e->offset[a->root];
    for (uint32_t d = 0; d < TL_DEPTH; d++)
        if (a->coef[d])
            o.ncoef = d + 1;
    if (o.ncoef) {
        int64_t *coef = plan_alloc(e, o.ncoef, sizeof *coef);
        for (uint32_t d = 0; coef && d < o.ncoef; d++)
            coef[d] = a->coef[d] * size;
        o.coef = coef;
    }
    return o;
}

/* set_operand -- operand k of an instruction is where v lies. */
static void set_operand(tl_emitter *e, tl_instr *to, uint32_t k, uint32_t v)
{
    to->operand[k] = operand_of(e, v);
    tl__note_operand(&e->notes, v);
}

/* ---- tiles ----------------------------------------------------------------------------------- */

enum { ARRAYS = 256 }; /* inputs or outputs of a group: 48 values of 4 operands at most */

typedef struct tl_group {
    uint32_t nin, nout, nsteps;
    uint32_t in[ARRAYS]; /* the value read; a constant for scalars */
    uint8_t scalar[ARRAYS];
    uint32_t out[ARRAYS]; /* the value stored */
    tl_tile_array array[ARRAYS], result[ARRAYS];
    int64_t stride[2 * ARRAYS][TL_MAX_RANK];
    tl_tile_step step[64];
    int number
        /* by member: its value number; inputs are numbered last, so kept negative (-1 - index)
         * until then */
        [64];
} tl_group;

static int same_place(const tl_graph *g, uint32_t a, uint32_t b)
{
    const tl_address *x = &g->val[a].address, *y = &g->val[b].address;
    return x->root == y->root && x->layout.offset == y->layout.offset &&
           g->val[a].dtype == g->val[b].dtype && memcmp(x->coef, y->coef, sizeof x->coef) == 0;
}

/* input -- the number of an input array, found or added. */
static int input(tl_emitter *e, tl_group *t, uint32_t u, const tl_shape *shape)
{
    tl_graph *g = e->g;
    const uint32_t constant = tl__const_behind(g, u);
    const uint32_t v = constant != TL_NONE ? constant : u;
    int64_t stride[TL_MAX_RANK] = {0};
    if (constant == TL_NONE)
        tl__iteration_strides(g, u, shape, stride);
    for (uint32_t k = 0; k < t->nin; k++) {
        const int same = t->scalar[k] || constant != TL_NONE
                             ? t->in[k] == v && t->scalar[k] == (constant != TL_NONE)
                             : same_place(g, t->in[k], v);
        if (same && memcmp(t->stride[k], stride, sizeof stride) == 0)
            return -1 - (int)k;
    }
    const uint32_t k = t->nin++;
    t->in[k] = v;
    t->scalar[k] = constant != TL_NONE;
    memcpy(t->stride[k], stride, sizeof stride);
    t->array[k] = (tl_tile_array){g->val[v].dtype, t->stride[k], 0, -1};
    return -1 - (int)k;
}

/* operand_number -- of a value that x reads from its own group, or of an input. */
static int operand_number(tl_emitter *e, tl_group *t, const tl_step *s, const tl_val *x, uint32_t u)
{
    const uint32_t src = tl__through_views(e->g, u);
    if (tl__is_pointwise(&e->g->val[src]) && e->g->val[src].step == x->step)
        for (uint32_t k = 0; k < s->val.n; k++)
            if (s->val.at[k] == src)
                return t->number[k];
    return input(e, t, u, &x->shape);
}

static int add_tile_step(tl_emitter *e, tl_group *t, const tl_val *x, const int *in)
{
    tl_graph *g = e->g;
    tl_dtype dtype[TL_TILE_IN];
    if (x->nin > TL_TILE_IN)
        return tl__graph_fail(g, TL_EUNSUPPORTED,
                              "%s: got %u operands, pointwise operations have %d at most",
                              x->op->name, x->nin, TL_TILE_IN);
    for (uint32_t k = 0; k < x->nin; k++)
        dtype[k] = g->val[x->in[k]].dtype;
    tl_tile_step *s = &t->step[t->nsteps++];
    *s = (tl_tile_step){x->op->tile(dtype, x->dtype), x->dtype, (int)x->nin, {0}};
    for (uint32_t k = 0; k < x->nin; k++)
        s->in[k] = in[k];
    if (!s->fn)
        return tl__graph_fail(g, TL_EUNSUPPORTED, "%s: no kernel for %s", x->op->name,
                              tl_dtype_name(x->dtype));
    return TL_OK;
}

static int final_number(const tl_group *t, int n)
{
    return n < 0 ? -1 - n : n + (int)t->nin;
}

/* gather_group -- inputs, steps and outputs of a tile. */
static void gather_group(tl_emitter *e, tl_group *t, const tl_step *s)
{
    tl_graph *g = e->g;
    for (uint32_t k = 0; k < s->val.n && !g->code; k++) {
        const tl_val *x = &g->val[s->val.at[k]];
        int in[TL_TILE_IN];
        if (x->op == &tl_op_const) { /* one that lies in memory */
            t->number[k] = input(e, t, s->val.at[k], &x->shape);
        } else {
            for (uint32_t i = 0; i < x->nin && i < TL_TILE_IN; i++)
                in[i] = operand_number(e, t, s, x, x->in[i]);
            if (x->op == &tl__op_copy) {
                t->number[k] = in[0];
            } else {
                t->number[k] = (int)t->nsteps;
                add_tile_step(e, t, x, in);
            }
        }
        if (e->read_outside[s->val.at[k]]) {
            t->out[t->nout] = s->val.at[k];
            int64_t *stride = t->stride[ARRAYS + t->nout];
            memset(stride, 0, TL_MAX_RANK * sizeof *stride);
            tl__iteration_strides(g, s->val.at[k], &x->shape, stride);
            t->result[t->nout++] = (tl_tile_array){x->dtype, stride, t->number[k], -1};
        }
    }
    /* inputs are values 0 .. nin-1, steps follow */
    for (uint32_t k = 0; k < t->nsteps; k++)
        for (int i = 0; i < t->step[k].nin; i++)
            t->step[k].in[i] = final_number(t, t->step[k].in[i]);
    for (uint32_t o = 0; o < t->nout; o++) {
        t->result[o].value = final_number(t, t->result[o].value);
        for (uint32_t k = 0; k < t->nin; k++)
            if (!t->scalar[k] && same_place(g, t->in[k], t->out[o]) &&
                memcmp(t->stride[k], t->stride[ARRAYS + o], sizeof t->stride[k]) == 0)
                t->result[o].alias = (int)k;
    }
}

static void emit_tile(tl_emitter *e, tl_instr *to, const tl_step *s, uint32_t *scalars)
{
    tl_graph *g = e->g;
    tl_group *t = tl__graph_alloc(g, 1, sizeof *t);
    if (!t)
        return;
    gather_group(e, t, s);
    if (g->code)
        return;
    const tl_shape dims = tl__iteration(&g->val[s->val.at[0]].shape);
    to->kind = TL_INSTR_TILE;
    to->noperands = t->nin + t->nout;
    to->tile = tl__tile_new(&e->p->arena, dims.rank, dims.dim, -1, (int)t->nin, t->array,
                            (int)t->nsteps, t->step, (int)t->nout, t->result);
    to->operand = plan_alloc(e, to->noperands + 1, sizeof *to->operand);
    if (!to->tile)
        tl__graph_fail(g, TL_ENOMEM, "no memory for a tile of the plan");
    if (g->code)
        return;
    for (uint32_t k = 0; k < t->nin; k++) {
        set_operand(e, to, k, t->in[k]);
        if (t->scalar[k])
            to->operand[k] = (tl_operand){scalar_base(e, t->in[k], scalars), 0, 0, NULL};
    }
    for (uint32_t o = 0; o < t->nout; o++)
        set_operand(e, to, t->nin + o, t->out[o]);
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
    to->noperands = nin + 1;
    to->operand = plan_alloc(e, nin + 1, sizeof *to->operand);
    to->array = plan_alloc(e, nin + 1, sizeof *to->array);
    tl_shape *shape = plan_alloc(e, nin + 1, sizeof *shape);
    int64_t *stride = plan_alloc(e, (nin + 1) * TL_MAX_RANK, sizeof *stride);
    int64_t *attr = plan_alloc(e, (size_t)x->ni + 1, sizeof *attr);
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
        set_operand(e, to, k, u);
    }
}

static void emit_block(tl_emitter *e, uint32_t b, uint32_t *scalars)
{
    tl_graph *g = e->g;
    const tl_block *from = &g->block[b];
    tl_plan_block *to = &e->p->block[b];
    to->depth = from->depth;
    to->T = from->T;
    to->reverse = from->reverse;
    to->draws = from->draws;
    to->first = (uint32_t)e->p->ninstrs;
    to->instr = plan_alloc(e, from->nsteps + 1, sizeof *to->instr);
    for (uint32_t k = 0; k < from->nsteps && !g->code; k++) {
        const tl_step *s = &g->step[from->steps[k]];
        if (s->kind == TL_STEP_JOIN)
            continue;
        tl_instr *i = &to->instr[to->ninstrs++];
        i->node = g->val[s->val.at[0]].node;
        if (s->kind == TL_STEP_TILE) {
            emit_tile(e, i, s, scalars);
        } else if (s->kind == TL_STEP_LOOP) {
            i->kind = TL_INSTR_LOOP;
            i->block = g->val[s->val.at[0]].loop;
        } else {
            emit_call(e, i, s);
        }
        tl__note_make(&e->notes, i, s);
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
}

/* measure -- what a thread needs to run any instruction. */
static void measure(const tl_graph *g, tl_plan *p)
{
    size_t registers = 0;
    for (uint32_t b = 0; b < g->nblocks; b++)
        for (uint32_t k = 0; k < p->block[b].ninstrs; k++) {
            const tl_instr *i = &p->block[b].instr[k];
            const size_t bytes = i->tile ? tl__tile_scratch(i->tile) : 0;
            registers = bytes > registers ? bytes : registers;
            p->most = i->noperands > p->most ? i->noperands : p->most;
        }
    p->scratch_bytes = tl__operand_bytes(p->most) + (registers + 63) / 64 * 64;
}

static void emit_survivors(tl_emitter *e)
{
    tl_graph *g = e->g;
    uint32_t n = 0;
    for (uint32_t v = 0; v < g->nvals; v++)
        n += g->val[v].keep;
    e->p->survivor = plan_alloc(e, n + 1, sizeof *e->p->survivor);
    for (uint32_t v = 0; v < g->nvals && !g->code; v++) {
        const tl_val *x = &g->val[v];
        if (x->keep)
            e->p->survivor[e->p->nsurvivors++] =
                (tl_survivor){x->node, e->base[x->address.root], x->address.layout};
    }
}

void tl__emit(tl_plan *p, tl_graph *g)
{
    tl_emitter e = {.p = p, .g = g, .offset = tl__graph_alloc(g, g->nvals + 1, sizeof *e.offset)};
    uint32_t *scalars = tl__graph_alloc(g, g->nvals + 1, sizeof *scalars);
    if (g->code)
        return;
    memset(scalars, 0xff, (g->nvals + 1) * sizeof *scalars);
    make_bases(&e);
    find_outside(&e);
    tl__notes_open(&e.notes, p, g);
    if (g->code)
        return;
    p->slab_bytes = tl__plan_layout(g, 0, e.offset);
    p->block = plan_alloc(&e, g->nblocks, sizeof *p->block);
    p->nblocks = g->nblocks;
    for (uint32_t b = 0; b < g->nblocks && !g->code; b++)
        emit_block(&e, b, scalars);
    emit_survivors(&e);
    tl__notes_close(&e.notes, e.base, e.offset);
    if (!g->code)
        measure(g, p);
}
