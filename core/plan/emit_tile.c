/* emit_tile.c -- compiles the steps of pointwise values.
 *
 *     step TILE {add v7, tanh v8}             instruction TILE
 *         v7 reads v3 (slab), v1 (leaf)           in   slab+0, leaf 2+0
 *         v7 is read here only                    a register of the tile
 *         v8 is read by others                    out  slab+4096 */
#include "core/plan/emit.h"

#include "core/space.h"

#include <string.h>

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
    *s = (tl_tile_step){x->op->tile(dtype, x->dtype), x->op->form, x->dtype, (int)x->nin, {0}};
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
            int64_t *stride = t->stride[TL_GROUP_ARRAYS + t->nout];
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
                memcmp(t->stride[k], t->stride[TL_GROUP_ARRAYS + o], sizeof t->stride[k]) == 0)
                t->result[o].alias = (int)k;
    }
}

tl_group *tl__emit_group(tl_emitter *e, const tl_step *s)
{
    tl_group *t = tl__graph_alloc(e->g, 1, sizeof *t);
    if (t)
        gather_group(e, t, s);
    return e->g->code ? NULL : t;
}

void tl__emit_group_operands(tl_emitter *e, tl_instr *to, uint32_t first, const tl_group *t)
{
    for (uint32_t k = 0; k < t->nin; k++) {
        tl__emit_set(e, to, first + k, t->in[k]);
        if (t->scalar[k])
            to->operand[first + k] = tl__emit_scalar(e, t->in[k]);
    }
    for (uint32_t o = 0; o < t->nout; o++)
        tl__emit_set(e, to, first + t->nin + o, t->out[o]);
}

void tl__emit_tile(tl_emitter *e, tl_instr *to, const tl_step *s)
{
    tl_graph *g = e->g;
    const tl_group *t = tl__emit_group(e, s);
    if (!t)
        return;
    const tl_shape dims = tl__iteration(&g->val[s->val.at[0]].shape);
    to->kind = TL_INSTR_TILE;
    to->clip = g->val[s->val.at[0]].clip;
    to->noperands = t->nin + t->nout;
    to->extent = dims.rank > 0 ? dims.dim[0] : 1;
    to->tile =
        tl__tile_new(&e->p->arena, dims.rank, dims.dim, s->shared || to->clip ? 0 : -1, (int)t->nin,
                     t->array, (int)t->nsteps, t->step, (int)t->nout, t->result);
    to->operand = tl__emit_alloc(e, to->noperands + 1, sizeof *to->operand);
    if (!to->tile)
        tl__graph_fail(g, TL_ENOMEM, "no memory for a tile of the plan");
    if (!g->code)
        tl__emit_group_operands(e, to, 0, t);
}
