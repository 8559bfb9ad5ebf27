/* replay.c -- brings values of the body of a recomputing scan into the body of its adjoint: only
 * carries are residuals, all else is computed again.
 *
 *   of the body                   in the adjoint's body
 *   carry                         each(stacked(carry))
 *   each(xs), time, operations    recorded again, on operands brought over likewise
 *   draws                         recorded again with the numbers they had
 *   an inner loop                 copied, body and all; its results asked of the copy
 *
 * A draw of step t is number base + t K. The adjoint runs the steps from the last to the first, so
 * there it starts at base + (T-1) K and each step counts K back (tl_frame.replays, and .moved for the
 * (T-1) K; the adjoint of the adjoint starts at base again).
 *
 * A copy of a body lists its nodes in the order of the original's: the same index, the same
 * value. What is appended to the original later, results of inner loops, is appended to the copy
 * when it is asked for. */
#include "core/sweep.h"

#include "core/space.h"

enum { NEEDED = 1 }; /* in how[] while values are brought over */

static uint32_t copy_of(const tl_sweep *w, uint32_t frame)
{
    for (uint32_t k = 0; k < w->ncopies; k++)
        if (w->copies[k].from == frame)
            return w->copies[k].to;
    return TL_NONE;
}

/* replayed -- the value of a slot of the body, of a loop in it, or around it, that has been brought
 * over. */
static tl_tensor replayed(tl_sweep *w, uint32_t slot)
{
    tl_tape *tape = w->tape;
    const uint32_t frame = tape->nodes[slot].frame, to = copy_of(w, frame);
    if (to == TL_NONE)
        return tl__primal(w, slot);
    const tl_frame *f = &tape->frames[frame];
    const uint32_t at = tl__find_slot(f->nodes, f->nnodes, slot);
    return tl__at(tape, tape->frames[to].nodes[at]);
}

/* record_again -- the operation of n in the frame that is open, on operands brought over. */
static tl_tensor record_again(tl_sweep *w, const tl_node *n)
{
    enum { MOST = 8 };
    tl_tape *tape = w->tape;
    tl_tensor few[MOST], *in = n->nin > MOST ? tl__calloc(n->nin, sizeof *in) : few;
    if (!in) {
        tl_tape_fail(tape, TL_ENOMEM, "tl_grad", "no memory for %u operands", n->nin);
        return (tl_tensor){0};
    }
    for (uint32_t i = 0; i < n->nin; i++)
        in[i] = replayed(w, n->in[i]);
    tape->no_grad += n->no_grad;
    tl_tensor t = tl__record_node(tape, n->op, n->nin, in, n->dtype, n->shape, &n->attr);
    tape->no_grad -= n->no_grad;
    if (t.tape) {
        tape->nodes[t.slot].name = n->name;
        if (n->op->kind == TL_RANDOM) {
            tape->nodes[t.slot].draw =
                n->draw + tl__moved(tape, tape->frame) - tl__moved(tape, n->frame);
            tape->nodes[t.slot].seed = n->seed;
            tape->draw--; /* no new number */
        }
    }
    if (in != few)
        tl__free(in);
    return t;
}

/* ---- inner loops ----------------------------------------------------------------------------- */

static tl_tensor copy_node(tl_sweep *w, uint32_t slot);

/* extend -- copies what the body of `from` has and its copy has not yet. */
static void extend(tl_sweep *w, uint32_t from)
{
    tl_tape *tape = w->tape;
    const uint32_t to = copy_of(w, from);
    const tl_spot former = tl__spot_enter(tape, to);
    while (tape->frames[to].nnodes < tape->frames[from].nnodes && !tape->code) {
        const uint32_t slot = tape->frames[from].nodes[tape->frames[to].nnodes];
        const tl_tensor t = copy_node(w, slot);
        if (slot == tape->frames[from].time)
            tape->frames[to].time = t.slot;
        if (slot == tape->frames[from].mask)
            tape->frames[to].mask = t.slot;
    }
    tl__spot_leave(tape, former);
}

/* open_copy -- an empty frame like `from`, in the frame that is open; TL_NONE, with the error
 * recorded, when memory is short. */
static uint32_t open_copy(tl_sweep *w, uint32_t from)
{
    tl_tape *tape = w->tape;
    const tl_spot former = {tape->frame, tape->scope};
    const uint32_t to = tl__frame_push(tape);
    tl__spot_leave(tape, former);
    if (to == TL_NONE)
        return TL_NONE;
    const tl_frame *f = &tape->frames[from];
    tl_frame *c = &tape->frames[to];
    c->T = f->T;
    c->reverse = f->reverse;
    c->recompute = f->recompute;
    c->budget = f->budget;
    c->draws = f->draws;
    c->moved = f->moved;
    c->scope = f->scope;
    c->outer_scope = f->outer_scope;
    c->open = 0;
    if (tl__grow(&c->carries, &c->carries_capacity, f->ncarries + 1, sizeof *c->carries) ||
        tl__grow(&w->copies, &w->copies_capacity, w->ncopies + 1, sizeof *w->copies)) {
        tl_tape_fail(tape, TL_ENOMEM, "tl_grad", "no memory to copy a body of %u nodes", f->nnodes);
        return TL_NONE;
    }
    w->copies[w->ncopies++] = (tl_copy){from, to};
    return to;
}

uint32_t tl__body_copy(tl_sweep *w, uint32_t from)
{
    tl_tape *tape = w->tape;
    const uint32_t to = open_copy(w, from);
    if (to == TL_NONE)
        return TL_NONE;
    extend(w, from);
    for (uint32_t i = 0; i < tape->frames[from].ncarries && !tape->code; i++) {
        const tl_carry c = tape->frames[from].carries[i];
        const tl_carry copy = {replayed(w, c.source).slot, replayed(w, c.init).slot,
                               replayed(w, c.next).slot};
        tape->frames[to].carries[tape->frames[to].ncarries++] = copy;
    }
    return tape->code ? TL_NONE : to;
}

static tl_tensor copy_loop(tl_sweep *w, const tl_node *n)
{
    tl_tape *tape = w->tape;
    const uint32_t to = tl__body_copy(w, (uint32_t)n->attr.i[0]);
    tl_tensor none = {0};
    if (to == TL_NONE)
        return none;
    const int64_t index = to;
    tl_node loop = *n;
    loop.attr = (tl_attr){1, &index, 0, NULL};
    tl_tensor t = record_again(w, &loop);
    if (t.tape)
        tape->frames[to].loop = t.slot;
    return t;
}

/* copy_result -- a result of an inner loop, asked of the loop's copy. */
static tl_tensor copy_result(tl_sweep *w, const tl_node *n)
{
    tl_tape *tape = w->tape;
    const uint32_t from = (uint32_t)tape->nodes[n->in[0]].attr.i[0];
    uint32_t key = (uint32_t)n->attr.i[0];
    replayed(w, n->in[0]);
    if (tape->code)
        return (tl_tensor){0};
    extend(w, from);
    if (n->op != &tl_op_last)
        key = replayed(w, key).slot;
    tape->no_grad += n->no_grad;
    tl_tensor t =
        tl__scan_result(tl__scan_of(tape, copy_of(w, from)), n->op, key, n->dtype, n->shape);
    tape->no_grad -= n->no_grad;
    return t;
}

static tl_tensor copy_node(tl_sweep *w, uint32_t slot)
{
    const tl_node n = w->tape->nodes[slot]; /* a copy: recording moves the nodes */
    if (n.op->kind == TL_LOOP)
        return copy_loop(w, &n);
    return n.op->kind == TL_RESULT ? copy_result(w, &n) : record_again(w, &n);
}

/* ---- the body -------------------------------------------------------------------------------- */

/* bring -- one value, those of its operands that belong to the body being there. */
static tl_tensor bring(tl_sweep *w, uint32_t slot)
{
    tl_tape *tape = w->tape;
    const tl_node n = tape->nodes[slot];
    if (n.op == &tl_op_carry)
        return tl__residual(w, slot);
    if (w->asking) {
        for (uint32_t i = 0; i < n.nin; i++)
            if (tape->nodes[n.in[i]].frame != w->frame)
                tl__primal(w->up, n.in[i]);
        return (tl_tensor){0};
    }
    if (n.op == &tl_op_time)
        return tl_scan_time(w->adjoint);
    const tl_spot former = tl__spot_enter(tape, w->adjoint.frame);
    tl_tensor t = copy_node(w, slot);
    tl__spot_leave(tape, former);
    return t;
}

/* need -- marks a value of the body that has not been brought over; whether it is a new mark. */
static uint32_t need(tl_sweep *w, uint32_t slot)
{
    const uint32_t p = tl__sweep_find(w, slot);
    if (p == TL_NONE || w->tape->nodes[slot].frame != w->frame || w->memo[p] != TL_NONE ||
        w->how[p] == NEEDED)
        return 0;
    w->how[p] = NEEDED;
    return 1;
}

tl_tensor tl__replay(tl_sweep *w, uint32_t slot)
{
    tl_tape *tape = w->tape;
    const uint32_t p = tl__sweep_find(w, slot);
    if (p == TL_NONE) { /* a result of an inner loop, recorded during this sweep */
        tl__primal(w, tape->nodes[slot].in[0]);
        return bring(w, slot);
    }
    uint32_t low = p;
    for (uint32_t q = p + 1, open = need(w, slot); open > 0 && q-- > 0;) {
        if (w->how[q] != NEEDED)
            continue;
        const tl_node *n = &tape->nodes[w->slot[q]];
        open--;
        low = q;
        for (uint32_t i = 0; n->op != &tl_op_carry && i < n->nin; i++)
            open += need(w, n->in[i]);
    }
    for (uint32_t q = low; q <= p; q++)
        if (w->how[q] == NEEDED) {
            const tl_tensor t = bring(w, w->slot[q]);
            w->memo[q] = t.tape ? t.slot : w->slot[q];
            w->how[q] = 0;
        }
    return w->asking ? (tl_tensor){0} : tl__at(tape, w->memo[p]);
}
