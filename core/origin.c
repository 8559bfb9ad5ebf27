/* origin.c -- walks from an element back over operations that only move: views by their strides,
 * pieces by their offsets, rows by their indices, in and out of scans by the time step. */
#include "core/origin.h"

#include "core/layout.h"
#include "core/plan/graph.h"
#include "core/scan_record.h"
#include "core/space.h"

#include <math.h>
#include <string.h>

enum { FAR = 64 }; /* operations, one after the other */

int tl__moves(const tl_op *op)
{
    return op->kind == TL_VIEW || op->kind == TL_ASSEMBLE || op == &tl__op_copy ||
           op == &tl_op_each || (op->kind == TL_GATHER && op->source) ||
           (op->kind == TL_RESULT && op != &tl_op_summed);
}

/* ---- elements -------------------------------------------------------------------------------- */

static void index_of(const tl_shape *s, int64_t number, int64_t *index)
{
    for (int a = s->rank; a-- > 0; number /= s->dim[a])
        index[a] = number % s->dim[a];
}

static int64_t number_of(const tl_shape *s, const int64_t *index)
{
    int64_t number = 0;
    for (int a = 0; a < s->rank; a++)
        number = number * s->dim[a] + index[a];
    return number;
}

/* place_of -- the element of a layout's array that element `number` is. */
static int64_t place_of(const tl_shape *s, const tl_layout *l, int64_t number)
{
    int64_t index[TL_MAX_RANK], at = l->offset;
    index_of(s, number, index);
    for (int a = 0; a < s->rank; a++)
        at += index[a] * l->stride[a];
    return at;
}

/* viewed -- the number of the operand's element that element `number` of a view is; -1: it has
 * none. */
static int64_t viewed(const tl_tape *tape, const tl_node *n, int64_t number)
{
    const tl_shape *from = &tape->nodes[n->in[0]].shape;
    const tl_layout dense = tl__layout_dense(from);
    tl_layout l;
    if (number < 0 || n->op->view(&n->attr, from, &dense, &n->shape, &l))
        return -1;
    return place_of(&n->shape, &l, number);
}

static int is_live(const tl_node *n)
{
    return n->buf && n->life == TL_LIVE && n->op->kind != TL_VIEW;
}

static double element(const tl_node *n, int64_t number)
{
    return tl__number_at(n->dtype,
                         (const char *)n->buf->data + place_of(&n->shape, &n->layout, number) *
                                                          (int64_t)tl_dtype_size(n->dtype));
}

/* index_at -- an element of indices; -1: they are not live any more. */
static int64_t index_at(const tl_tape *tape, uint32_t slot, int64_t number)
{
    const tl_node *n = &tape->nodes[slot];
    for (int far = 0; n->op->kind == TL_VIEW && far < FAR && number >= 0; far++) {
        number = viewed(tape, n, number);
        n = &tape->nodes[n->in[0]];
    }
    return is_live(n) && number >= 0 ? (int64_t)element(n, number) : -1;
}

/* ---- the way back ---------------------------------------------------------------------------- */

static const tl_source unknown = {TL_NONE, -1};

static tl_source back(const tl_tape *tape, uint32_t slot, int64_t number, tl_steps steps, int far);

/* back_live -- the value itself, if the element, or any, is not finite. */
static tl_source back_live(const tl_node *n, uint32_t slot, int64_t number)
{
    if (n->dtype == TL_I32)
        return unknown;
    if (number >= 0)
        return isfinite(element(n, number)) ? unknown : (tl_source){slot, number};
    const int64_t count = tl_shape_count(n->shape);
    for (int64_t k = 0; k < count; k++)
        if (!isfinite(element(n, k)))
            return (tl_source){slot, -1};
    return unknown;
}

/* back_pieces -- of pieces that overlap the first that is not finite. */
static tl_source back_pieces(const tl_tape *tape, const tl_node *n, int64_t number, tl_steps steps,
                             int far)
{
    int64_t index[TL_MAX_RANK], offset[TL_MAX_RANK];
    tl_source found = unknown;
    if (number >= 0)
        index_of(&n->shape, number, index);
    for (uint32_t k = 0; k < n->nin && found.slot == TL_NONE; k++) {
        const tl_shape *s = &tape->nodes[n->in[k]].shape;
        int64_t inside[TL_MAX_RANK], piece = -1;
        int is_inside = 1;
        tl__assemble_offset(n, k, offset);
        for (int a = 0; a < s->rank && number >= 0; a++) {
            inside[a] = index[a] - offset[a];
            is_inside = is_inside && inside[a] >= 0 && inside[a] < s->dim[a];
        }
        if (number >= 0 && is_inside)
            piece = number_of(s, inside);
        if (is_inside)
            found = back(tape, n->in[k], piece, steps, far);
    }
    return found;
}

static int64_t gathered(const tl_tape *tape, const tl_node *n, int64_t number)
{
    const tl_shape in[2] = {tape->nodes[n->in[0]].shape, tape->nodes[n->in[1]].shape};
    if (number < 0)
        return -1;
    const tl_from from = n->op->source(&n->attr, in, &n->shape, number);
    const int64_t v = index_at(tape, n->in[1], from.index);
    return v < 0 ? -1 : from.first + v * from.step;
}

static uint32_t init_of(const tl_tape *tape, uint32_t slot)
{
    const tl_frame *f = &tape->frames[tape->nodes[slot].frame];
    for (uint32_t i = 0; i < f->ncarries; i++)
        if (f->carries[i].source == slot)
            return f->carries[i].init;
    return TL_NONE;
}

/* level -- loops around a value of this frame. */
static uint32_t level(const tl_tape *tape, uint32_t frame)
{
    uint32_t n = 0;
    for (; frame != 0; frame = tape->frames[frame].parent)
        n++;
    return n;
}

/* back_in -- from x_t to the t-th entry of what it is taken from. */
static tl_source back_in(const tl_tape *tape, const tl_node *n, int64_t number, tl_steps steps,
                         int far)
{
    const uint32_t loops = level(tape, n->frame);
    if (number >= 0)
        number =
            loops <= steps.depth ? steps.at[loops - 1] * tl_shape_count(n->shape) + number : -1;
    return back(tape, n->in[0], number, steps, far);
}

/* back_out -- from an entry of a stacked value to the value of that step. */
static tl_source back_out(const tl_tape *tape, const tl_node *n, int64_t number, tl_steps steps,
                          int far)
{
    const uint32_t slot = (uint32_t)n->attr.i[0], loops = level(tape, tape->nodes[slot].frame);
    const int64_t size = tl_shape_count(tape->nodes[slot].shape);
    int64_t at[TL_DEPTH];
    if (number < 0 || loops > TL_DEPTH || loops - 1 > steps.depth)
        return back(tape, slot, -1, steps, far);
    memcpy(at, steps.at, (loops - 1) * sizeof *at);
    at[loops - 1] = number / size;
    return back(tape, slot, number % size, (tl_steps){loops, at}, far);
}

static tl_source back(const tl_tape *tape, uint32_t slot, int64_t number, tl_steps steps, int far)
{
    if (slot == TL_NONE || far == FAR)
        return unknown;
    const tl_node *n = &tape->nodes[slot];
    far++;
    if (is_live(n))
        return back_live(n, slot, number);
    if (n->op == &tl_op_const)
        return isfinite(n->attr.r[0]) ? unknown : (tl_source){slot, -1};
    if (n->op->kind == TL_LEAF && n->nin == 0)
        return back(tape, init_of(tape, slot), number, steps, far);
    if (n->op == &tl_op_stacked)
        return back_out(tape, n, number, steps, far);
    if (n->op == &tl_op_each)
        return back_in(tape, n, number, steps, far);
    if (n->op->kind == TL_ASSEMBLE)
        return back_pieces(tape, n, number, steps, far);
    if (!tl__moves(n->op) || n->nin == 0)
        return unknown;
    if (n->op->kind == TL_VIEW)
        return back(tape, n->in[0], viewed(tape, n, number), steps, far);
    if (n->op->kind == TL_GATHER)
        return back(tape, n->in[0], gathered(tape, n, number), steps, far);
    tl_source found = unknown;
    for (uint32_t k = 0; k < n->nin && found.slot == TL_NONE; k++)
        found = back(tape, n->in[k], -1, steps, far);
    return found;
}

tl_source tl__origin(const tl_tape *tape, uint32_t slot, int64_t number, tl_steps steps)
{
    const tl_source found = back(tape, slot, number, steps, 0);
    return found.slot == TL_NONE && number >= 0 ? back(tape, slot, -1, steps, 0) : found;
}
