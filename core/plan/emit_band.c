/* emit_band.c -- compiles a band: the parts, how their operands move from row to row, and what lies
 * in scratch.
 *
 *     part exp(z - m)    z   leaf 1 + row * 40000        m   scratch 0        e   scratch 64
 *     part sum           e   scratch 64                  s   scratch 64 + ... */
#include "core/plan/emit.h"

#include "core/space.h"
#include "core/sum.h"

#include <string.h>

enum { ALIGN = 64, PAD = 64 };

/* tl_banding -- a band in the making. */
typedef struct tl_banding {
    tl_emitter *e;
    tl_instr *to;
    tl_band *band;
    const tl_step *step;
    int64_t *local; /* by root: where it lies in scratch, -1 */
} tl_banding;

/* row_axes -- how many first axes are the rows. */
static int row_axes(const tl_shape *s, int64_t rows)
{
    int64_t n = 1;
    int a = 0;
    while (n < rows)
        n *= s->dim[a++];
    return a;
}

/* row_step -- the stride of the last of them that has one. */
static int64_t row_step(const tl_shape *s, const int64_t *stride, int axes)
{
    while (axes > 0 && s->dim[axes - 1] == 1)
        axes--;
    return axes > 0 ? stride[axes - 1] : 0;
}

/* place -- operand o shows value v: whether it moves with the rows, or lies in scratch. */
static void place(tl_banding *b, uint32_t o, uint32_t v, int64_t step)
{
    const tl_graph *g = b->e->g;
    const tl_address *a = &g->val[v].address;
    const tl_val *root = &g->val[a->root];
    const int64_t size = (int64_t)tl_dtype_size(g->val[v].dtype);
    b->band->step[o] = step * size;
    b->band->local[o] = -1;
    if (!root->inside)
        return;
    if (b->local[a->root] < 0) {
        const int64_t bytes = tl_shape_count(root->shape) / b->band->rows * b->band->length *
                              (int64_t)tl_dtype_size(root->dtype);
        b->local[a->root] = (int64_t)b->band->local_bytes;
        b->band->local_bytes += (size_t)((bytes + PAD + ALIGN - 1) / ALIGN * ALIGN);
    }
    b->band->local[o] = b->local[a->root] + a->layout.offset * size;
}

static void tile_part(tl_banding *b, tl_band_part *p, const tl_step *s, tl_group *t)
{
    tl_emitter *e = b->e;
    const tl_shape dims = tl__iteration(&e->g->val[s->val.at[0]].shape);
    const int axes = row_axes(&dims, b->band->rows), more = dims.rank - axes;
    int64_t dim[TL_MAX_RANK] = {b->band->rows};
    memcpy(dim + 1, dims.dim + axes, (size_t)more * sizeof *dim);
    for (uint32_t k = 0; k < t->nin + t->nout; k++) {
        const int out = k >= t->nin;
        int64_t *stride = t->stride[out ? TL_GROUP_ARRAYS + k - t->nin : k];
        stride[0] = stride[axes - 1];
        memmove(stride + 1, stride + axes, (size_t)more * sizeof *stride);
    }
    p->tile = tl__tile_new(&e->p->arena, 1 + more, dim, 0, (int)t->nin, t->array, (int)t->nsteps,
                           t->step, (int)t->nout, t->result);
    if (!p->tile) {
        tl__graph_fail(e->g, TL_ENOMEM, "no memory for a tile of the plan");
        return;
    }
    tl__emit_group_operands(e, b->to, p->first, t);
    for (uint32_t k = 0; k < t->nin; k++)
        place(b, p->first + k, t->in[k], t->scalar[k] ? 0 : t->stride[k][0]);
    for (uint32_t o = 0; o < t->nout; o++)
        place(b, p->first + t->nin + o, t->out[o], t->stride[TL_GROUP_ARRAYS + o][0]);
    const size_t bytes = tl__tile_scratch(p->tile);
    b->band->register_bytes = bytes > b->band->register_bytes ? bytes : b->band->register_bytes;
}

/* array_of -- operand k of a call, its rows one axis. */
static void array_of(tl_banding *b, tl_band_part *p, uint32_t k, uint32_t v, int axes)
{
    const tl_val *x = &b->e->g->val[v];
    const int more = x->shape.rank - axes;
    int64_t *stride = tl__emit_alloc(b->e, TL_MAX_RANK, sizeof *stride);
    if (!stride)
        return;
    const int64_t step = row_step(&x->shape, x->address.layout.stride, axes);
    p->shape[k] = (tl_shape){.rank = 1 + more, .dim = {b->band->length}};
    memcpy(p->shape[k].dim + 1, x->shape.dim + axes, (size_t)more * sizeof *stride);
    stride[0] = step;
    memcpy(stride + 1, x->address.layout.stride + axes, (size_t)more * sizeof *stride);
    p->array[k] = (tl_strided){NULL, x->dtype, &p->shape[k], stride};
    tl__emit_set(b->e, b->to, p->first + k, v);
    place(b, p->first + k, v, step);
}

static void call_part(tl_banding *b, tl_band_part *p, const tl_step *s)
{
    tl_emitter *e = b->e;
    const uint32_t v = s->val.at[0];
    const tl_val *x = &e->g->val[v];
    const tl_shape *first = &e->g->val[x->in[0]].shape;
    const int axes = row_axes(first, b->band->rows);
    int64_t *attr = tl__emit_alloc(e, (size_t)x->ni + 1, sizeof *attr);
    p->array = tl__emit_alloc(e, p->n, sizeof *p->array);
    p->shape = tl__emit_alloc(e, p->n, sizeof *p->shape);
    if (e->g->code)
        return;
    memcpy(attr, x->i, (size_t)x->ni * sizeof *attr);
    p->attr = (tl_attr){x->ni, attr, 0, NULL};
    p->op = x->op;
    p->node = x->node;
    p->row_axes = tl_shape_of_dims(axes, first->dim);
    for (uint32_t k = 0; k < p->n && !e->g->code; k++)
        array_of(b, p, k, k < x->nin ? x->in[k] : v, axes);
}

static void sum_part(tl_banding *b, tl_band_part *p, const tl_step *s)
{
    tl_emitter *e = b->e;
    const uint32_t v = s->val.at[0];
    const tl_val *x = &e->g->val[v];
    const tl_val *a = &e->g->val[x->in[0]];
    const int axes = row_axes(&a->shape, b->band->rows);
    p->array = tl__emit_alloc(e, p->n, sizeof *p->array);
    p->shape = tl__emit_alloc(e, p->n, sizeof *p->shape);
    if (e->g->code)
        return;
    p->is_sum = 1;
    p->q = tl_shape_count(a->shape) / b->band->rows;
    p->op = x->op;
    p->node = x->node;
    array_of(b, p, 0, x->in[0], axes);
    if (e->g->code)
        return;
    p->row_stride = p->array[0].stride[0];
    tl__emit_set(e, b->to, p->first + 1, s->partial);
    place(b, p->first + 1, s->partial, 0);
    tl__emit_set(e, b->to, p->first + 2, v);
    place(b, p->first + 2, v, 0);
    if (p->q > 1 && b->band->unit < tl__sum_block(x->dtype, p->q))
        b->band->unit = tl__sum_block(x->dtype, p->q);
}

void tl__emit_band(tl_emitter *e, tl_instr *to, const tl_step *s)
{
    tl_graph *g = e->g;
    tl_band *band = tl__emit_alloc(e, 1, sizeof *band);
    tl_group **group = tl__graph_alloc(g, s->part.n, sizeof *group);
    tl_banding b = {e, to, band, s, tl__graph_alloc(g, g->nvals, sizeof *b.local)};
    if (g->code)
        return;
    memset(b.local, 0xff, g->nvals * sizeof *b.local);
    *band = (tl_band){.rows = s->rows, .length = s->length, .unit = s->length, .nparts = s->part.n};
    band->part = tl__emit_alloc(e, band->nparts, sizeof *band->part);
    for (uint32_t k = 0; k < band->nparts && !g->code; k++) {
        const tl_step *part = &g->step[s->part.at[k]];
        tl_band_part *p = &band->part[k];
        if (part->kind == TL_STEP_TILE)
            group[k] = tl__emit_group(e, part);
        p->first = band->noperands;
        p->n = group[k]                   ? group[k]->nin + group[k]->nout
               : part->partial != TL_NONE ? 3
                                          : g->val[part->val.at[0]].nin + 1;
        band->noperands += p->n;
    }
    to->kind = TL_INSTR_BAND;
    to->noperands = band->noperands;
    to->operand = tl__emit_alloc(e, band->noperands + 1, sizeof *to->operand);
    band->step = tl__emit_alloc(e, band->noperands + 1, sizeof *band->step);
    band->local = tl__emit_alloc(e, band->noperands + 1, sizeof *band->local);
    for (uint32_t k = 0; k < band->nparts && !g->code; k++) {
        const tl_step *part = &g->step[s->part.at[k]];
        if (group[k])
            tile_part(&b, &band->part[k], part, group[k]);
        else if (part->partial != TL_NONE)
            sum_part(&b, &band->part[k], part);
        else
            call_part(&b, &band->part[k], part);
    }
    to->band = band;
}
