/* primal.c -- brings values of a swept body into the body of its adjoint.
 *
 *   of the body             in the adjoint's body
 *   each(xs)                each(xs), the same x_t: the adjoint runs over the same t
 *   time, const             again
 *   tanh(x), x of each      again: cheaper than a trip through memory
 *   W', W a capture         again: the same in every step
 *   reshape(z)              a reshape of what z is brought over as
 *   all else, h, z, draws   each(stacked(z)): the residuals of the loop
 *
 * A scan that recomputes brings all but its carries over anew: replay.c.
 *
 * xs and stacked(z) belong to the frame around, and are themselves brought over by the level above
 * when that is the body of another scan. At the outermost level a value is itself. */
#include "core/sweep.h"

#include "core/space.h"

enum {
    RESIDUAL = 0,
    AGAIN = 1,     /* recorded again; so are its operands */
    INVARIANT = 2, /* beside AGAIN: the same in every step */
    VIEW = 4,      /* recorded again on whatever its operand is brought over as */
    DEPTH = 8,     /* how[] is one of the above + DEPTH * (length of the chain recorded again) */
    DEEPEST = 31   /* a longer chain starts from a residual: bounds the recursion */
};

/* how_node -- how the node of slot is brought over, given that for its operands. */
static uint8_t how_node(const tl_sweep *w, const tl_node *n)
{
    const tl_node *nodes = w->tape->nodes;
    if (n->op == &tl_op_each || n->op == &tl_op_time)
        return AGAIN;
    const tl_kind kind = n->op->kind;
    if (kind == TL_LEAF || kind == TL_RANDOM || kind == TL_LOOP || kind == TL_RESULT)
        return RESIDUAL;
    unsigned common = AGAIN | INVARIANT, depth = 0;
    for (uint32_t i = 0; i < n->nin; i++) {
        if (nodes[n->in[i]].frame != w->frame)
            continue;
        const unsigned how = w->how[tl__sweep_find(w, n->in[i])];
        common &= how;
        depth = how / DEPTH > depth ? how / DEPTH : depth;
    }
    if (++depth > DEEPEST)
        return RESIDUAL;
    if (common & INVARIANT)
        return (uint8_t)(AGAIN + INVARIANT + DEPTH * depth);
    if ((common & AGAIN) && (kind == TL_POINTWISE || kind == TL_VIEW))
        return (uint8_t)(AGAIN + DEPTH * depth);
    const int is_whole =
        kind == TL_VIEW && tl_shape_count(n->shape) >= tl_shape_count(nodes[n->in[0]].shape);
    return is_whole ? (uint8_t)(VIEW + DEPTH * depth) : RESIDUAL;
}

void tl__primal_plan(tl_sweep *w)
{
    for (uint32_t p = 0; p < w->n && !w->tape->frames[w->frame].recompute; p++) {
        const tl_node *n = &w->tape->nodes[w->slot[p]];
        if (n->frame == w->frame)
            w->how[p] = how_node(w, n);
    }
}

tl_tensor tl__residual(tl_sweep *w, uint32_t slot)
{
    tl_tensor none = {0};
    tl_tensor stacked = tl__scan_stacked_raw(w->tape, w->frame, slot);
    if (!stacked.tape)
        return none;
    tl_tensor xs = tl__primal(w->up, stacked.slot);
    if (!w->asking)
        return tl_scan_each(w->adjoint, xs);
    if (!w->up)
        w->tape->nodes[stacked.slot].want = 1;
    return none;
}

/* again -- the same operation on operands brought over. What was a constant for gradients stays
 * one. */
static tl_tensor again(tl_sweep *w, const tl_node *n)
{
    enum { MOST = 8 };
    tl_tape *tape = w->tape;
    tl_tensor few[MOST], *in = few, t = {0};
    if (n->op == &tl_op_time)
        return w->asking ? t : tl_scan_time(w->adjoint);
    if (n->nin > MOST) {
        in = tl__calloc(n->nin, sizeof *in);
        if (!in) {
            tl_tape_fail(tape, TL_ENOMEM, "tl_grad", "no memory for %u operands", n->nin);
            return t;
        }
    }
    for (uint32_t i = 0; i < n->nin; i++)
        in[i] = n->op == &tl_op_each ? tl__primal(w->up, n->in[i]) : tl__primal(w, n->in[i]);
    if (!w->asking && !tape->code) {
        tl_spot former = tl__spot_enter(tape, w->adjoint.frame);
        tape->no_grad += n->no_grad;
        t = tl__record_node(tape, n->op, n->nin, in, n->dtype, n->shape, &n->attr);
        tape->no_grad -= n->no_grad;
        tl__spot_leave(tape, former);
    }
    if (in != few)
        tl__free(in);
    return t;
}

tl_tensor tl__primal(tl_sweep *w, uint32_t slot)
{
    if (!w || !w->body)
        return w ? tl__at(w->tape, slot) : (tl_tensor){0};
    tl_tape *tape = w->tape;
    const tl_node n = tape->nodes[slot]; /* a copy: recording moves the nodes */
    if (n.frame != w->frame)
        return tl__primal(w->up, slot);
    const uint32_t p = tl__sweep_find(w, slot); /* none: a residual recorded during this sweep */
    if (p != TL_NONE && w->memo[p] != TL_NONE)
        return tl__at(tape, w->memo[p]);
    if (tape->frames[w->frame].recompute)
        return tl__replay(w, slot);
    tl_tensor t = p == TL_NONE || w->how[p] == RESIDUAL ? tl__residual(w, slot) : again(w, &n);
    if (p != TL_NONE)
        w->memo[p] = t.tape ? t.slot : slot;
    return t;
}
