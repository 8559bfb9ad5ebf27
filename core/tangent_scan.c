/* tangent_scan.c -- the tangent of a scan, which is a scan in the same direction: a copy of the body
 * with the tangents beside the values.
 *
 *     body            h' = f(h, x_t, W)                      last(h), stacked(y), summed(z)
 *     its tangent     h' = f(h, x_t, W), dh' = f_h dh + f_x dx_t + f_W dW
 *                                                            last(dh), stacked(dy), summed(dz)
 *
 * A step needs the step before it and nothing else, so nothing is kept over time. Draws of the copy
 * have the numbers of the original. Lengths are operations of the body like all others. */
#include "core/space.h"
#include "core/sweep.h"
#include "core/tangent.h"

#include <stdio.h>
#include <string.h>

/* tl_pushed -- the copy of a body while its tangent is recorded. */
typedef struct tl_pushed {
    tl_tangents level;
    uint32_t from, to; /* frames: the original, the copy */
    tl_scan scan;      /* the copy */
    tl_tensor *carry;  /* [ncarries] of the original: tangent carries, inert: zero */
    uint8_t *depends;  /* [level.n] */
} tl_pushed;

static int operand_depends(const tl_pushed *q, uint32_t slot)
{
    const uint32_t p = tl__tangents_find(&q->level, slot);
    return p != TL_NONE ? q->depends[p] : tl__tangent(q->level.up, slot).tape != NULL;
}

/* spread -- one pass of depends[] over the body, carries left out. */
static void spread(tl_pushed *q)
{
    const tl_tape *tape = q->level.tape;
    for (uint32_t p = 0; p < q->level.n; p++) {
        const tl_node *n = &tape->nodes[q->level.slot[p]];
        const int is_each = n->op == &tl_op_each && !n->no_grad && n->dtype != TL_I32;
        for (uint32_t i = 0; i < n->nin && (is_each || tl__tangents_pass(n)); i++)
            q->depends[p] |= (uint8_t)operand_depends(q, n->in[i]);
    }
}

/* find_carries -- which carries have a tangent: a fixpoint, since a carry has one if its next value
 * has. Marks them in depends[]. */
static void find_carries(tl_pushed *q)
{
    const tl_tape *tape = q->level.tape;
    const tl_frame *f = &tape->frames[q->to];
    for (int changed = 1; changed;) {
        changed = 0;
        spread(q);
        for (uint32_t i = 0; i < f->ncarries; i++) {
            const tl_carry c = f->carries[i];
            const tl_node *leaf = &tape->nodes[c.source];
            const uint32_t p = tl__tangents_find(&q->level, c.source);
            if (q->depends[p] || leaf->no_grad || leaf->dtype == TL_I32)
                continue;
            if (operand_depends(q, c.init) || operand_depends(q, c.next))
                q->depends[p] = 1, changed = 1;
        }
    }
}

/* open_copy -- the copied body, open again, and its level. */
static int open_copy(tl_pushed *q, tl_tangents *up, uint32_t loop)
{
    tl_tape *tape = up->tape;
    const uint32_t scope = tape->scope;
    tl_sweep w = {.tape = tape};
    *q = (tl_pushed){.from = (uint32_t)tape->nodes[loop].attr.i[0], .to = TL_NONE};
    const uint32_t no_grad = tape->no_grad;
    tape->no_grad = 0; /* what is a constant in the original is one in the copy, and nothing else */
    q->to = tl__body_copy(&w, q->from);
    tape->no_grad = no_grad;
    tl__free(w.copies);
    if (q->to == TL_NONE)
        return tape->code;
    const uint32_t nnodes = tape->frames[q->to].nnodes;
    if (tl__tangents_open(&q->level, tape, up, nnodes))
        return tape->code;
    const size_t ncarries = tape->frames[q->to].ncarries;
    q->carry = tl__calloc(ncarries + 1, sizeof *q->carry);
    q->depends = tl__calloc((size_t)nnodes + 1, 1);
    if (!q->carry || !q->depends)
        return tl_tape_fail(tape, TL_ENOMEM, "tl_jvp", "no memory for the tangents of %u nodes",
                            nnodes);
    tl_frame *f = &tape->frames[q->to];
    q->level.n = nnodes;
    if (nnodes)
        memcpy(q->level.slot, f->nodes, nnodes * sizeof *f->nodes);
    find_carries(q);
    memcpy(q->level.marked, q->depends, nnodes);
    f->open = 1;
    f->replays = 1; /* draws keep their numbers */
    f->mask = TL_NONE;
    f->outer_scope = scope;
    q->scan = tl__scan_of(tape, q->to);
    tl__spot_enter(tape, q->to);
    return tape->code;
}

/* add_carries -- the tangents' carries and x_t. */
static void add_carries(tl_pushed *q)
{
    tl_tape *tape = q->level.tape;
    const uint32_t ncarries = tape->frames[q->from].ncarries;
    char text[80];
    for (uint32_t i = 0; i < ncarries && !tape->code; i++) {
        const tl_carry c = tape->frames[q->to].carries[i];
        const uint32_t p = tl__tangents_find(&q->level, c.source);
        if (!q->depends[p])
            continue;
        const tl_node *leaf = &tape->nodes[c.source];
        const char *name = leaf->name;
        tl_tensor d = tl__tangent(q->level.up, c.init);
        if (!d.tape)
            d = tl_zeros(tape, leaf->dtype, leaf->shape);
        q->level.d[p] = q->carry[i] = tl_scan_carry(q->scan, d);
        if (name) {
            snprintf(text, sizeof text, "d%s", name);
            tl_name(q->carry[i], text);
        }
    }
    for (uint32_t p = 0; p < q->level.n && !tape->code; p++) {
        const tl_node *n = &tape->nodes[q->level.slot[p]];
        if (n->op == &tl_op_each && q->depends[p])
            q->level.d[p] = tl_scan_each(q->scan, tl__tangent(q->level.up, n->in[0]));
    }
}

static void close_copy(tl_pushed *q)
{
    tl_tape *tape = q->level.tape;
    const uint32_t ncarries = tape->frames[q->from].ncarries;
    for (uint32_t i = 0; i < ncarries && !tape->code; i++) {
        const tl_carry c = tape->frames[q->to].carries[i];
        if (!q->carry[i].tape)
            continue;
        const tl_node *leaf = &tape->nodes[c.source];
        const tl_dtype dtype = leaf->dtype;
        const tl_shape shape = leaf->shape;
        const tl_tensor d = tl__tangent(&q->level, c.next);
        tl_scan_next(q->scan, q->carry[i], d.tape ? d : tl_zeros(tape, dtype, shape));
    }
    if (!tape->code)
        tl_scan_close(q->scan);
}

/* result_tangent -- of one result of the original; inert when it is zero. */
static tl_tensor result_tangent(const tl_pushed *q, const tl_node *r)
{
    const tl_frame *f = &q->level.tape->frames[q->from];
    const uint32_t key = (uint32_t)r->attr.i[0];
    tl_tensor none = {0};
    if (r->op == &tl_op_last)
        return q->carry[key].tape ? tl_scan_last(q->scan, q->carry[key]) : none;
    uint32_t k = 0;
    while (k < q->level.n && f->nodes[k] != key)
        k++;
    const tl_tensor d = k < q->level.n ? q->level.d[k] : none;
    if (!d.tape)
        return none;
    return r->op == &tl_op_stacked ? tl_scan_stacked(q->scan, d) : tl_scan_summed(q->scan, d);
}

void tl__tangent_scan(tl_tangents *up, uint32_t position)
{
    tl_pushed q;
    tl_tape *tape = up->tape;
    const tl_spot former = {tape->frame, tape->scope};
    int depends = 0;
    const tl_node *loop = &tape->nodes[up->slot[position]];
    for (uint32_t i = 0; i < loop->nin; i++)
        depends |= tl__tangent(up, loop->in[i]).tape != NULL;
    if (!depends)
        return;
    if (open_copy(&q, up, up->slot[position]) == TL_OK) {
        add_carries(&q);
        tl__tangents_run(&q.level);
        close_copy(&q);
    }
    tl__spot_leave(tape, former);
    for (uint32_t k = 0; !tape->code && k < tape->frames[q.from].nresults; k++) {
        const uint32_t slot = tape->frames[q.from].results[k];
        const uint32_t p = tl__tangents_find(up, slot);
        const tl_node r = tape->nodes[slot];
        if (p == TL_NONE || !up->marked[p] || r.no_grad)
            continue;
        const tl_tensor t = result_tangent(&q, &r);
        if (t.tape)
            up->d[p] = up->d[p].tape ? tl_add(up->d[p], t) : t;
    }
    tl__tangents_close(&q.level);
    tl__free(q.carry);
    tl__free(q.depends);
}
