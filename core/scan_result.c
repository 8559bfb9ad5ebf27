/* scan_result.c -- what a closed scan gives: the last value of a carry, a value of every step, the
 * sum of a value over the steps.
 *
 * A result is a node on the loop's node, recorded once however often it is asked for. Whatever
 * asks for one more residual, the adjoint above all, asks for one more result; the planner runs
 * the loop once with all of them. With lengths, a value of the body gets one more node in the
 * closed body: where(t < length, v, 0). */
#include "core/scan_record.h"
#include "core/space.h"

#include <string.h>

/* closed_frame -- for results: closed, and asked for where the scan itself can be seen. */
static tl_frame *closed_frame(tl_scan s, const char *what)
{
    tl_frame *f = tl__scan_frame(s, what);
    if (!f)
        return NULL;
    if (f->open) {
        tl_tape_fail(s.tape, TL_ESTATE, what,
                     "scan \"%s\" is still open: tl_scan_close comes first",
                     s.tape->scopes[f->scope]);
        return NULL;
    }
    if (!tl__visible(s.tape, f->parent, s.tape->frame)) {
        tl_tape_fail(
            s.tape, TL_EFRAME, what,
            "scan \"%s\" lies in the body of scan \"%s\": its results are values of that body",
            s.tape->scopes[f->scope], s.tape->scopes[s.tape->frames[f->parent].scope]);
        return NULL;
    }
    return f;
}

/* is_masked -- whether a slot is masked(v, 0) already, and as much a constant as what is recorded
 * now. */
static int is_masked(const tl_tape *tape, uint32_t mask, uint32_t slot, uint32_t v)
{
    const tl_node *n = &tape->nodes[slot];
    if (n->op != &tl_op_where || n->in[1] != v || n->no_grad != (tape->no_grad > 0))
        return 0;
    const tl_node *m = &tape->nodes[n->in[0]], *z = &tape->nodes[n->in[2]];
    int same_mask = n->in[0] == mask || (m->op == &tl_op_reshape && m->in[0] == mask);
    return same_mask && z->op == &tl_op_const && !(z->attr.r[0] < 0.0) && !(z->attr.r[0] > 0.0);
}

tl_tensor tl__scan_result(tl_scan s, const tl_op *op, uint32_t key, tl_dtype dtype, tl_shape shape)
{
    tl_tape *tape = s.tape;
    tl_frame *f = &tape->frames[s.frame];
    for (uint32_t k = 0; k < f->nresults; k++) {
        const tl_node *r = &tape->nodes[f->results[k]];
        if (r->op == op && r->attr.i[0] == key && r->no_grad == (tape->no_grad > 0)) {
            tape->nodes[f->results[k]].kept &= tape->keeping != 0;
            return tl__at(tape, f->results[k]);
        }
    }
    if (tl__grow(&f->results, &f->results_capacity, f->nresults + 1, sizeof *f->results)) {
        tl_tape_fail(tape, TL_ENOMEM, op->name, "no memory for result %u", f->nresults);
        return tl__inert_on(s.tape);
    }
    const tl_tensor loop = tl__at(tape, f->loop);
    const int64_t index = key;
    const tl_attr attr = {1, &index, 0, NULL};
    tl_spot former = tl__spot_enter(tape, f->parent);
    tape->scope = tape->nodes[f->loop].scope;
    tl_tensor t = tl__record_node(tape, op, 1, &loop, dtype, shape, &attr);
    tl__spot_leave(tape, former);
    if (t.tape) {
        f->results[f->nresults++] = t.slot;
        tape->nodes[t.slot].kept = tape->keeping != 0;
    }
    return t;
}

/* with_time -- [T,...]; rank -1, with the error recorded, when that is one axis too many. */
static tl_shape with_time(tl_tape *tape, int64_t T, const tl_shape *shape, const char *what)
{
    if (shape->rank == TL_MAX_RANK)
        tl_tape_fail(tape, TL_ESHAPE, what, "the value has rank %d already, want at most %d",
                     shape->rank, TL_MAX_RANK - 1);
    tl_shape out = {.rank = shape->rank < TL_MAX_RANK ? shape->rank + 1 : -1};
    if (out.rank > 0) {
        out.dim[0] = T;
        memcpy(out.dim + 1, shape->dim, (size_t)shape->rank * sizeof out.dim[0]);
    }
    return out;
}

static tl_tensor stacked(tl_scan s, uint32_t slot)
{
    const tl_node *n = &s.tape->nodes[slot];
    tl_shape shape = with_time(s.tape, s.tape->frames[s.frame].T, &n->shape, "tl_scan_stacked");
    if (shape.rank < 0)
        return tl__inert_on(s.tape);
    return tl__scan_result(s, &tl_op_stacked, slot, n->dtype, shape);
}

tl_tensor tl__scan_stacked_raw(tl_tape *tape, uint32_t frame, uint32_t slot)
{
    uint32_t no_grad = tape->no_grad;
    tape->no_grad = 0;
    tl_tensor t = stacked(tl__scan_of(tape, frame), slot);
    tape->no_grad = no_grad;
    return t;
}

tl_tensor tl_scan_last(tl_scan s, tl_tensor carry)
{
    if (!closed_frame(s, "tl_scan_last"))
        return tl__inert_on(s.tape);
    int64_t index = tl__scan_carry_of(s, carry, "tl_scan_last");
    if (index < 0)
        return tl__inert_on(s.tape);
    const tl_node *n = &s.tape->nodes[carry.slot];
    return tl__scan_result(s, &tl_op_last, (uint32_t)index, n->dtype, n->shape);
}

/* held -- in a scan that recomputes, a result of an inner scan as a view that stays: what the
 * planner has taken out of the inner loop is not to leave the outer one too. */
static tl_tensor held(tl_scan s, tl_tensor value)
{
    tl_tape *tape = s.tape;
    if (!tape->frames[s.frame].recompute || tape->nodes[value.slot].op->kind != TL_RESULT)
        return value;
    const tl_spot former = tl__spot_enter(tape, s.frame);
    value = tl__stay(value);
    tl__spot_leave(tape, former);
    return value;
}

/* asked -- the value of the body that a result is asked of, with zeros where rows take no part;
 * inert, with the error recorded, when it is none. */
static tl_tensor asked(tl_scan s, tl_tensor value, const char *what)
{
    tl_tape *tape = s.tape;
    tl_tensor none = {0};
    const tl_frame *f = &tape->frames[s.frame];
    const tl_node *n = tl__scan_operand(s, value, s.frame, what);
    if (!n)
        return tl__inert_on(s.tape);
    if (n->frame != s.frame) {
        char text[160];
        tl_tape_fail(tape, TL_EFRAME, what, "%s is not a value of the body of scan \"%s\"",
                     tl__describe(tape, value.slot, text, sizeof text), tape->scopes[f->scope]);
        return tl__inert_on(s.tape);
    }
    if (f->mask == TL_NONE)
        return held(s, value);
    if (!tl__scan_has_rows(tape, f->mask, &n->shape, what))
        return tl__inert_on(s.tape);
    for (uint32_t k = 0; k < f->nresults; k++) {
        const tl_node *r = &tape->nodes[f->results[k]];
        if (r->op != &tl_op_last && is_masked(tape, f->mask, (uint32_t)r->attr.i[0], value.slot))
            return tl__at(tape, (uint32_t)r->attr.i[0]);
    }
    return tl__scan_masked(s, value, none);
}

/* is_outside -- whether v is the same in every step because it lies around the body; lengths would
 * still mask it. */
static int is_outside(tl_scan s, tl_tensor v)
{
    const tl_node *n = tl__peek(v);
    return n && v.tape == s.tape && n->frame != s.frame &&
           s.tape->frames[s.frame].mask == TL_NONE &&
           tl__visible(s.tape, n->frame, s.tape->frames[s.frame].parent);
}

tl_tensor tl_scan_stacked(tl_scan s, tl_tensor value)
{
    const tl_frame *f = closed_frame(s, "tl_scan_stacked");
    if (!f)
        return tl__inert_on(s.tape);
    if (is_outside(s, value)) {
        tl_shape to = with_time(s.tape, f->T, &s.tape->nodes[value.slot].shape, "tl_scan_stacked");
        return tl_broadcast_to(value, to);
    }
    value = asked(s, value, "tl_scan_stacked");
    return value.tape ? stacked(s, value.slot) : value;
}

tl_tensor tl_scan_summed(tl_scan s, tl_tensor value)
{
    const tl_frame *f = closed_frame(s, "tl_scan_summed");
    if (!f)
        return tl__inert_on(s.tape);
    if (value.tape && tl_dtype_of(value) == TL_I32) {
        tl_tape_fail(s.tape, TL_EDTYPE, "tl_scan_summed", "got i32, want f32 or f64");
        return tl__inert_on(s.tape);
    }
    if (is_outside(s, value)) {
        tl_shape shape = s.tape->nodes[value.slot].shape;
        tl_shape to = with_time(s.tape, f->T, &shape, "tl_scan_summed");
        return tl_sum_to(tl_broadcast_to(value, to), shape);
    }
    value = asked(s, value, "tl_scan_summed");
    if (!value.tape)
        return tl__inert_on(s.tape);
    const tl_node *n = &s.tape->nodes[value.slot];
    return tl__scan_result(s, &tl_op_summed, value.slot, n->dtype, n->shape);
}
