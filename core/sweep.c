/* sweep.c -- the reverse sweep over one frame: flags forward, gradients backward.
 *
 * An adjoint rule returns mathematics and nothing else. Summing back what was broadcast, adding
 * contributions up and leaving out operands that need no gradient happen here, once. Slices of one
 * tensor, T of them in an unrolled loop, come back as T assembles of one piece; they are made into
 * one of T pieces, so that the sweep is linear in T. */
#include "core/sweep.h"

#include "core/space.h"

#include <string.h>

enum { FEW = 8 }; /* operands handled without allocation */

int tl__sweep_open(tl_sweep *w, tl_tape *tape, tl_sweep *up, uint32_t frame, size_t capacity)
{
    *w = (tl_sweep){.tape = tape, .up = up, .frame = frame, .fresh = tape->nnodes};
    const size_t each = 4 * sizeof(uint32_t) + 2;
    w->slot = capacity < TL_NONE ? tl__calloc(capacity + 1, each) : NULL;
    if (!w->slot)
        return tl_tape_fail(tape, TL_ENOMEM, "tl_grad", "no memory to sweep %zu nodes", capacity);
    w->capacity = (uint32_t)capacity;
    w->first = w->slot + capacity + 1;
    w->last = w->first + capacity + 1;
    w->memo = w->last + capacity + 1;
    w->flags = (uint8_t *)(w->memo + capacity + 1);
    w->how = w->flags + capacity + 1;
    memset(w->first, 0xff, 3 * (capacity + 1) * sizeof(uint32_t)); /* TL_NONE */
    return TL_OK;
}

void tl__sweep_close(tl_sweep *w)
{
    tl__free(w->slot);
    tl__free(w->parts);
    tl__free(w->copies);
    w->slot = NULL;
    w->parts = NULL;
    w->copies = NULL;
}

uint32_t tl__sweep_find(const tl_sweep *w, uint32_t slot)
{
    return tl__find_slot(w->slot, w->n, slot);
}

uint8_t tl__sweep_flags(const tl_sweep *w, uint32_t slot)
{
    uint32_t p = tl__sweep_find(w, slot);
    return p == TL_NONE ? 0 : w->flags[p];
}

/* passes -- whether a gradient could go through this node at all. */
static int passes(const tl_node *n)
{
    if (n->no_grad || n->dtype == TL_I32 || n->op->kind == TL_LEAF)
        return 0;
    return n->op->kind == TL_LOOP || n->op->kind == TL_RESULT || !n->op->no_gradient;
}

int tl__sweep_spread(tl_sweep *w)
{
    int changed = 0;
    for (uint32_t p = 0; p < w->n; p++) {
        const tl_node *n = &w->tape->nodes[w->slot[p]];
        if ((w->flags[p] & (TL_SWEEP_THROUGH | TL_SWEEP_OUTSIDE)) || !passes(n))
            continue;
        for (uint32_t i = 0; i < n->nin; i++)
            if (tl__sweep_flags(w, n->in[i])) {
                w->flags[p] |= TL_SWEEP_THROUGH;
                changed = 1;
                break;
            }
    }
    return changed;
}

/* set_goal -- what g, of a sweep, is the gradient of; the first time: it may go on unchanged. */
static void set_goal(const tl_sweep *w, tl_tensor g, uint32_t slot)
{
    tl_node *n = g.tape ? &w->tape->nodes[g.slot] : NULL;
    if (n && n->of != TL_NONE && n->goal == TL_NONE)
        n->goal = slot;
}

void tl__sweep_add(tl_sweep *w, uint32_t slot, tl_tensor g, uint32_t from)
{
    uint32_t p = tl__sweep_find(w, slot);
    if (p == TL_NONE || !w->flags[p] || !g.tape || w->tape->code)
        return;
    set_goal(w, g, slot);
    if (tl__grow(&w->parts, &w->parts_capacity, w->nparts + 1, sizeof *w->parts)) {
        tl_tape_fail(w->tape, TL_ENOMEM, "tl_grad", "no memory for %u contributions", w->nparts);
        return;
    }
    w->parts[w->nparts] = (tl_part){g, from, TL_NONE};
    if (w->first[p] == TL_NONE)
        w->first[p] = w->nparts;
    else
        w->parts[w->last[p]].next = w->nparts;
    w->last[p] = w->nparts++;
}

/* ---- adding up ------------------------------------------------------------------------------- */

/* fresh_assemble -- the node of g if it is an assemble that this level recorded and nobody else
 * holds. */
static const tl_node *fresh_assemble(const tl_sweep *w, tl_tensor g)
{
    const tl_node *n = &w->tape->nodes[g.slot];
    return g.slot >= w->fresh && n->op == &tl_op_assemble ? n : NULL;
}

/* merged -- one assemble of all pieces of the fresh assembles at p, `pieces` of them. */
static tl_tensor merged(tl_sweep *w, uint32_t p, size_t pieces)
{
    tl_tape *tape = w->tape;
    int64_t(*offset)[TL_MAX_RANK] = tl__calloc(pieces, sizeof *offset + sizeof(tl_tensor));
    if (!offset) {
        tl_tape_fail(tape, TL_ENOMEM, "tl_grad", "no memory for %zu slices", pieces);
        return (tl_tensor){0};
    }
    tl_tensor *piece = (tl_tensor *)(offset + pieces);
    const tl_shape shape = tape->nodes[w->slot[p]].shape;
    int k = 0;
    for (uint32_t c = w->first[p]; c != TL_NONE; c = w->parts[c].next) {
        const tl_node *n = fresh_assemble(w, w->parts[c].g);
        for (uint32_t i = 0; n && i < n->nin; i++, k++) {
            piece[k] = tl__at(tape, n->in[i]);
            tl__assemble_offset(n, i, offset[k]);
        }
    }
    tl_tensor g = tl_assemble(shape, k, piece, (const int64_t(*)[TL_MAX_RANK])offset);
    tl__free(offset);
    return g;
}

void tl__sweep_merge(tl_sweep *w, uint32_t p)
{
    size_t assembles = 0, pieces = 0;
    for (uint32_t c = w->first[p]; c != TL_NONE; c = w->parts[c].next) {
        const tl_node *n = fresh_assemble(w, w->parts[c].g);
        assembles += n != NULL;
        pieces += n ? n->nin : 0;
    }
    if (assembles < 2)
        return;
    tl_tensor all = merged(w, p, pieces);
    set_goal(w, all, w->slot[p]);
    uint32_t keep = TL_NONE; /* the last part that stays */
    int placed = 0;
    for (uint32_t c = w->first[p]; all.tape && c != TL_NONE; c = w->parts[c].next) {
        const int is_assemble = fresh_assemble(w, w->parts[c].g) != NULL;
        if (is_assemble && placed)
            continue;
        if (is_assemble) {
            w->parts[c].g = all;
            placed = 1;
        }
        if (keep == TL_NONE)
            w->first[p] = c;
        else
            w->parts[keep].next = c;
        keep = c;
    }
    if (keep != TL_NONE) {
        w->parts[keep].next = TL_NONE;
        w->last[p] = keep;
    }
}

tl_tensor tl__sweep_sum(tl_sweep *w, uint32_t p)
{
    if (w->first[p] == TL_NONE)
        return (tl_tensor){0};
    tl__sweep_merge(w, p);
    tl_part *head = &w->parts[w->first[p]];
    for (uint32_t c = head->next; c != TL_NONE; c = w->parts[c].next) {
        head->g = tl_add(head->g, w->parts[c].g);
        set_goal(w, head->g, w->slot[p]);
    }
    head->next = TL_NONE;
    w->last[p] = w->first[p];
    return head->g;
}

/* ---- the backward pass ----------------------------------------------------------------------- */

tl_tensor tl__fit_grad(const tl_op *op, uint32_t i, tl_tensor d, tl_dtype dtype, tl_shape shape)
{
    const tl_shape got = tl_shape_of(d);
    tl_shape both;
    char text[2][TL_SHAPE_TEXT];
    if (tl_dtype_of(d) == dtype && tl_shape_equal(got, shape))
        return d;
    if (tl_dtype_of(d) == dtype && tl_shape_broadcast(got, shape, &both) == TL_OK &&
        tl_shape_equal(both, got))
        return tl_sum_to(d, shape);
    return tl_fail_tensor(
        d, tl_dtype_of(d) == dtype ? TL_ESHAPE : TL_EDTYPE, op->name,
        "its rule gave operand %u a gradient of %s %s, want %s %s, or a shape that "
        "this one repeats to",
        i, tl_dtype_name(tl_dtype_of(d)), tl_shape_text(got, text[0], sizeof text[0]),
        tl_dtype_name(dtype), tl_shape_text(shape, text[1], sizeof text[1]));
}

/* call_rule -- asks the operation for the gradients of its operands and hands them on. position,
 * shape, dtype, d and in have room for nin. */
static void call_rule(tl_sweep *w, const tl_node *n, tl_adj *a, uint32_t slot, tl_shape *shape,
                      tl_dtype *dtype, tl_tensor *in, tl_tensor *d)
{
    tl_tape *tape = w->tape;
    for (uint32_t i = 0; i < n->nin; i++) {
        const tl_node *o = &tape->nodes[n->in[i]];
        shape[i] = o->shape;
        dtype[i] = o->dtype;
        in[i] = d[i] = (tl_tensor){0};
        if (i < 32 && tl__sweep_flags(w, n->in[i]))
            a->need |= 1u << i;
    }
    for (uint32_t i = 0; i < n->nin && i < 31; i++)
        if (n->op->reads & TL_READS(i))
            in[i] = tl__primal(w, n->in[i]);
    if (n->op->reads & TL_READS_OUT)
        a->out = tl__primal(w, slot);
    a->in = in;
    a->d = d;
    a->in_shape = shape;
    a->in_dtype = dtype;
    if (tape->code)
        return;
    n->op->adjoint(a);
    for (uint32_t i = 0; i < n->nin && !tape->code; i++)
        if (d[i].tape && tl__sweep_flags(w, n->in[i]))
            tl__sweep_add(w, n->in[i], tl__fit_grad(n->op, i, d[i], dtype[i], shape[i]), TL_NONE);
}

/* visit -- the gradient g of one node goes to its operands. */
static void visit(tl_sweep *w, uint32_t slot, tl_tensor g)
{
    tl_tape *tape = w->tape;
    const tl_node n = tape->nodes[slot]; /* a copy: recording moves the nodes */
    if (n.op->kind == TL_RESULT) {
        tl__sweep_add(w, n.in[0], g, slot);
        return;
    }
    if (!n.op->adjoint) {
        tl_tape_fail(tape, TL_ENOGRAD, n.op->name, "this operation has no gradient rule");
        return;
    }
    tl_adj a = {.g = g, .nin = (int)n.nin, .shape = n.shape, .dtype = n.dtype, .attr = &n.attr};
    tl_shape few_shape[FEW];
    tl_dtype few_dtype[FEW];
    tl_tensor few[2 * FEW];
    if (n.nin <= FEW) {
        call_rule(w, &n, &a, slot, few_shape, few_dtype, few, few + FEW);
        return;
    }
    tl_shape *shape = tl__calloc(n.nin, sizeof *shape + 2 * sizeof(tl_tensor) + sizeof(tl_dtype));
    if (!shape) {
        tl_tape_fail(tape, TL_ENOMEM, "tl_grad", "no memory for the adjoint of %u operands", n.nin);
        return;
    }
    tl_tensor *many = (tl_tensor *)(shape + n.nin);
    call_rule(w, &n, &a, slot, shape, (tl_dtype *)(many + 2 * n.nin), many, many + n.nin);
    tl__free(shape);
}

void tl__sweep_run(tl_sweep *w)
{
    const uint32_t of = w->tape->of;
    for (uint32_t p = w->n; p-- > 0 && !w->tape->code;) {
        if (w->first[p] == TL_NONE || (w->flags[p] & TL_SWEEP_OUTSIDE))
            continue;
        w->tape->of = w->slot[p];
        if (w->tape->nodes[w->slot[p]].op->kind == TL_LOOP) {
            tl__scan_adjoint(w, p);
            continue;
        }
        tl_tensor g = tl__sweep_sum(w, p);
        if (g.tape && (w->flags[p] & TL_SWEEP_THROUGH))
            visit(w, w->slot[p], g);
    }
    w->tape->of = of;
}
