/* scan.c -- the loop on the tape: opening a body, its leaves, closing it.
 *
 *   slot     0   1   2    3      4     5       6     7      8       9        10
 *   node     h0  xs  W    carry  each  matmul  tanh  scan   last    where    stacked
 *   frame    0   0   0    1      1     1       1     0      0       1        0
 *                         '---------- body --------'                '- appended
 *
 * What is appended to a closed body are outputs masked by lengths, and results of inner scans.
 *
 * The loop's operands are the inits, the xs of the each leaves, then the captures: whatever else
 * the body reads of outer frames. Lengths are operations of the body like all others: x = where(t
 * < length, x, 0), h' = where(t < length, h', h). So neither the gradient nor the planner knows of
 * them. Results are in scan_result.c, the adjoint is in scan_adjoint.c, how a scan runs in the
 * plan. */
#include "core/scan_record.h"
#include "core/space.h"

#include <stdlib.h>
#include <string.h>

tl_scan_opts tl_scan_defaults(void)
{
    tl_scan_opts o = {.reverse = 0, .lengths = {0}, .name = "scan", .recompute = 0, .budget = 0};
    return o;
}

tl_spot tl__spot_enter(tl_tape *tape, uint32_t frame)
{
    tl_spot former = {tape->frame, tape->scope};
    tl__frame_enter(tape, frame);
    if (frame != 0)
        tape->scope = tape->frames[frame].scope;
    return former;
}

void tl__spot_leave(tl_tape *tape, tl_spot former)
{
    tl__frame_enter(tape, former.frame);
    tape->scope = former.scope;
}

tl_scan tl__scan_of(tl_tape *tape, uint32_t frame)
{
    return (tl_scan){tape, frame, tape->frames[frame].generation};
}

/* ---- checks ---------------------------------------------------------------------------------- */

tl_frame *tl__scan_frame(tl_scan s, const char *what)
{
    if (!s.tape || s.tape->code)
        return NULL;
    if (s.frame != 0 && s.frame < s.tape->nframes &&
        s.tape->frames[s.frame].generation == s.generation) {
        tl_frame *f = &s.tape->frames[s.frame];
        if (f->open || (f->loop < s.tape->nnodes && s.tape->nodes[f->loop].op == &tl_op_loop))
            return f;
    }
    tl_tape_fail(s.tape, TL_EDEAD, what, "the scan is gone: its tape was reset or released");
    return NULL;
}

static tl_frame *open_frame(tl_scan s, const char *what)
{
    tl_frame *f = tl__scan_frame(s, what);
    if (f && !f->open) {
        tl_tape_fail(
            s.tape, TL_ESTATE, what,
            "scan \"%s\" is closed: carries, inputs and next values come before tl_scan_close",
            s.tape->scopes[f->scope]);
        return NULL;
    }
    return f;
}

static void fail_inert(tl_scan s, const char *what)
{
    tl_tape_fail(s.tape, TL_EINVAL, what,
                 "got the inert tensor: it was never set, or comes from a call that failed");
}

const tl_node *tl__scan_operand(tl_scan s, tl_tensor t, uint32_t frame, const char *what)
{
    if (!t.tape) {
        fail_inert(s, what);
        return NULL;
    }
    if (t.tape != s.tape) {
        tl_tape_fail(s.tape, TL_ETAPE, what, "the tensor lives on another tape than the scan");
        tl_tape_fail(t.tape, TL_ETAPE, what, "the tensor lives on this tape, the scan on another");
        return NULL;
    }
    const tl_node *n = tl__node(t, what);
    if (!n || tl__visible(s.tape, n->frame, frame))
        return n;
    char text[160];
    tl_tape_fail(s.tape, TL_EFRAME, what,
                 "%s belongs to the body of scan \"%s\" and cannot be read here%s",
                 tl__describe(s.tape, t.slot, text, sizeof text),
                 s.tape->scopes[s.tape->frames[n->frame].scope],
                 n->frame == s.frame ? ": record it before tl_scan_open" : "");
    return NULL;
}

/* lift_constant -- a constant that was recorded in the open body, as in tl_scan_carry(s,
 * tl_zeros(...)), recorded again around it; anything else as it is. */
static tl_tensor lift_constant(tl_scan s, tl_tensor t)
{
    const tl_node *n = t.tape == s.tape ? tl__peek(t) : NULL;
    if (!n || n->frame != s.frame)
        return t;
    const tl_node *c = n;
    while (c->op->kind == TL_VIEW && c->frame == s.frame)
        c = &s.tape->nodes[c->in[0]];
    if (c->op != &tl_op_const)
        return t;
    const tl_shape shape = n->shape;
    const tl_dtype dtype = n->dtype;
    const double value = c->attr.r[0];
    tl_spot former = tl__spot_enter(s.tape, s.tape->frames[s.frame].parent);
    tl_tensor out = tl_full(s.tape, dtype, shape, value);
    tl__spot_leave(s.tape, former);
    return out;
}

int tl__scan_has_rows(tl_tape *tape, uint32_t mask, const tl_shape *shape, const char *what)
{
    if (mask == TL_NONE)
        return 1;
    int64_t B = tape->nodes[mask].shape.dim[0];
    if (shape->rank >= 1 && shape->dim[0] == B)
        return 1;
    char text[TL_SHAPE_TEXT];
    tl_tape_fail(tape, TL_ESHAPE, what,
                 "got %s in a step of a scan with lengths [%lld], want [%lld,...]",
                 tl_shape_text(*shape, text, sizeof text), (long long)B, (long long)B);
    return 0;
}

/* ---- lengths --------------------------------------------------------------------------------- */

/* check_lengths -- lengths as an i32 vector of 0..T, checked again when run; inert after an error.
 */
static tl_tensor check_lengths(tl_tape *tape, tl_tensor lengths, int64_t T)
{
    char text[TL_SHAPE_TEXT];
    const tl_scan here = {tape, tape->frame, 0};
    const tl_node *n = tl__scan_operand(here, lengths, tape->frame, "tl_scan_open");
    if (!n)
        return tl__inert(lengths);
    if (n->dtype != TL_I32 || n->shape.rank != 1) {
        tl_tape_fail(tape, n->dtype != TL_I32 ? TL_EDTYPE : TL_ESHAPE, "tl_scan_open",
                     "lengths: got %s %s, want i32 [B]", tl_dtype_name(n->dtype),
                     tl_shape_text(n->shape, text, sizeof text));
        return tl__inert(lengths);
    }
    tl_scope_open(tape, "lengths"); /* for the message of the run */
    lengths = tl_check_range(lengths, 0, T);
    tl_scope_close(tape);
    return lengths;
}

/* mask_for -- the mask [B] as [B,1,...,1] of this rank, in the body. */
static tl_tensor mask_for(tl_tape *tape, uint32_t mask, int rank)
{
    tl_shape shape = tape->nodes[mask].shape;
    while (shape.rank < rank)
        shape.dim[shape.rank++] = 1;
    return shape.rank > 1 ? tl_reshape(tl__at(tape, mask), shape) : tl__at(tape, mask);
}

tl_tensor tl__scan_masked(tl_scan s, tl_tensor v, tl_tensor other)
{
    tl_spot former = tl__spot_enter(s.tape, s.frame);
    tl_tensor mask = mask_for(s.tape, s.tape->frames[s.frame].mask, tl_rank(v));
    tl_tensor out = tl_where(mask, v, other.tape ? other : tl_scalar(s.tape, tl_dtype_of(v), 0.0));
    tl__spot_leave(s.tape, former);
    return out;
}

/* ---- the body -------------------------------------------------------------------------------- */

tl_scan tl_scan_open(tl_tape *tape, int64_t T, const tl_scan_opts *opts)
{
    tl_scan none = {tape, 0, 0};
    if (!tape || tape->code)
        return none;
    const tl_scan_opts o = opts ? *opts : tl_scan_defaults();
    if (T < 0) {
        tl_tape_fail(tape, TL_ERANGE, "tl_scan_open", "got T = %lld, want T >= 0", (long long)T);
        return none;
    }
    if (o.budget < 0) {
        tl_tape_fail(tape, TL_ERANGE, "tl_scan_open",
                     "got a budget of %lld bytes, want one > 0, or 0 for no limit",
                     (long long)o.budget);
        return none;
    }
    tl_tensor lengths = o.lengths.tape ? check_lengths(tape, o.lengths, T) : o.lengths;
    uint32_t outer_scope = tape->scope;
    tl_scope_open(tape, o.name ? o.name : "scan");
    if (tape->code)
        return none;
    uint32_t index = tl__frame_push(tape);
    if (index == TL_NONE)
        return none;
    tl_frame *f = &tape->frames[index];
    f->T = T;
    f->reverse = o.reverse != 0;
    f->recompute = o.recompute != 0;
    f->budget = o.budget;
    f->scope = tape->scope;
    f->outer_scope = outer_scope;
    tl_scan s = tl__scan_of(tape, index);
    if (lengths.tape) {
        tl_tensor mask = tl_less(tl_scan_time(s), lengths);
        tape->frames[index].mask = mask.tape ? mask.slot : TL_NONE;
    }
    return s;
}

tl_tensor tl_scan_carry(tl_scan s, tl_tensor init)
{
    static const char what[] = "tl_scan_carry";
    tl_frame *f = open_frame(s, what);
    if (f)
        init = lift_constant(s, init);
    const tl_node *n = f ? tl__scan_operand(s, init, f->parent, what) : NULL;
    if (!n || !tl__scan_has_rows(s.tape, f->mask, &n->shape, what))
        return tl__inert_on(s.tape);
    if (tl__grow(&f->carries, &f->carries_capacity, f->ncarries + 1, sizeof *f->carries)) {
        tl_tape_fail(s.tape, TL_ENOMEM, what, "no memory for carry %u", f->ncarries);
        return tl__inert_on(s.tape);
    }
    const int64_t index = f->ncarries;
    const tl_attr attr = {1, &index, 0, NULL};
    tl_spot former = tl__spot_enter(s.tape, s.frame);
    tl_tensor t = tl__record_node(s.tape, &tl_op_carry, 0, NULL, n->dtype, n->shape, &attr);
    tl__spot_leave(s.tape, former);
    if (t.tape)
        f->carries[f->ncarries++] = (tl_carry){t.slot, init.slot, TL_NONE};
    return t;
}

tl_tensor tl_scan_each(tl_scan s, tl_tensor xs)
{
    static const char what[] = "tl_scan_each";
    tl_tensor none = {0};
    const tl_frame *f = open_frame(s, what);
    if (f)
        xs = lift_constant(s, xs);
    const tl_node *n = f ? tl__scan_operand(s, xs, f->parent, what) : NULL;
    if (!n)
        return tl__inert_on(s.tape);
    char text[TL_SHAPE_TEXT];
    if (n->shape.rank < 1 || n->shape.dim[0] != f->T) {
        tl_tape_fail(s.tape, TL_ESHAPE, what, "got %s, want [%lld,...]: one entry for each step",
                     tl_shape_text(n->shape, text, sizeof text), (long long)f->T);
        return tl__inert_on(s.tape);
    }
    tl_shape shape = tl_shape_of_dims(n->shape.rank - 1, n->shape.dim + 1);
    if (!tl__scan_has_rows(s.tape, f->mask, &shape, what))
        return tl__inert_on(s.tape);
    const int is_ragged = f->mask != TL_NONE;
    tl_spot former = tl__spot_enter(s.tape, s.frame);
    tl_tensor x = tl__record_node(s.tape, &tl_op_each, 1, &xs, n->dtype, shape, NULL);
    if (s.tape->frames[s.frame].recompute)
        x = tl__stay(x);
    tl__spot_leave(s.tape, former);
    return is_ragged && x.tape ? tl__scan_masked(s, x, none) : x;
}

tl_tensor tl_scan_time(tl_scan s)
{
    tl_frame *f = open_frame(s, "tl_scan_time");
    if (!f)
        return tl__inert_on(s.tape);
    if (f->time != TL_NONE)
        return tl__at(s.tape, f->time);
    tl_spot former = tl__spot_enter(s.tape, s.frame);
    tl_tensor t = tl__record_node(s.tape, &tl_op_time, 0, NULL, TL_I32, tl_shape0(), NULL);
    tl__spot_leave(s.tape, former);
    if (t.tape)
        f->time = t.slot;
    return t;
}

int64_t tl__scan_carry_of(tl_scan s, tl_tensor t, const char *what)
{
    const tl_node *n = t.tape == s.tape ? tl__node(t, what) : NULL;
    if (n && n->op == &tl_op_carry && n->frame == s.frame)
        return n->attr.i[0];
    char text[160];
    if (n)
        tl_tape_fail(s.tape, TL_EINVAL, what,
                     "%s is not a carry of scan \"%s\"; want what tl_scan_carry returned",
                     tl__describe(s.tape, t.slot, text, sizeof text),
                     s.tape->scopes[s.tape->frames[s.frame].scope]);
    else if (t.tape)
        tl_tape_fail(s.tape, TL_ETAPE, what, "the tensor lives on another tape than the scan");
    else
        fail_inert(s, what);
    return -1;
}

/* check_next -- whether n can be what carry `index` becomes. */
static int check_next(tl_tape *tape, const tl_carry *c, const tl_node *n)
{
    static const char what[] = "tl_scan_next";
    const tl_node *source = &tape->nodes[c->source];
    char text[160], got[TL_SHAPE_TEXT], want[TL_SHAPE_TEXT];
    tl__describe(tape, c->source, text, sizeof text);
    if (c->next != TL_NONE)
        return tl_tape_fail(tape, TL_ESTATE, what, "carry %s has its next value already", text);
    if (n->dtype != source->dtype)
        return tl_tape_fail(tape, TL_EDTYPE, what, "got %s, but carry %s is %s",
                            tl_dtype_name(n->dtype), text, tl_dtype_name(source->dtype));
    if (!tl_shape_equal(n->shape, source->shape))
        return tl_tape_fail(
            tape, TL_ESHAPE, what,
            "got %s, but carry %s is %s; its initial value has the shape of every step",
            tl_shape_text(n->shape, got, sizeof got), text,
            tl_shape_text(source->shape, want, sizeof want));
    return TL_OK;
}

/* own -- a value of an outer frame as one of the body: a view of it. */
static tl_tensor own(tl_scan s, tl_tensor t)
{
    const tl_node *n = tl__peek(t);
    tl_spot former = tl__spot_enter(s.tape, s.frame);
    tl_tensor view = tl__record_node(s.tape, &tl_op_reshape, 1, &t, n->dtype, n->shape, NULL);
    tl__spot_leave(s.tape, former);
    return view;
}

void tl_scan_next(tl_scan s, tl_tensor carry, tl_tensor next)
{
    static const char what[] = "tl_scan_next";
    const tl_frame *f = open_frame(s, what);
    int64_t index = f && next.tape ? tl__scan_carry_of(s, carry, what) : -1;
    const tl_node *n = index >= 0 ? tl__scan_operand(s, next, s.frame, what) : NULL;
    if (!n || check_next(s.tape, &f->carries[index], n))
        return;
    if (f->mask != TL_NONE)
        next = tl__scan_masked(s, next, carry);
    else if (n->frame != s.frame)
        next = own(s, next);
    if (next.tape)
        s.tape->frames[s.frame].carries[index].next = next.slot;
}

/* ---- closing --------------------------------------------------------------------------------- */

/* tl_seen -- an outer slot that the body reads, and when it was first seen. */
typedef struct tl_seen {
    uint32_t slot, order;
} tl_seen;

static int by_slot(const void *a, const void *b)
{
    const tl_seen *x = a, *y = b;
    return x->slot != y->slot ? (x->slot < y->slot ? -1 : 1)
                              : (x->order < y->order ? -1 : x->order > y->order);
}

static int by_order(const void *a, const void *b)
{
    const tl_seen *x = a, *y = b;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* find_captures -- fills seen[] (room for every operand of the body) with the captures in order of
 * first appearance. */
static uint32_t find_captures(const tl_tape *tape, uint32_t frame, tl_seen *seen)
{
    const tl_frame *f = &tape->frames[frame];
    uint32_t n = 0, unique = 0;
    for (uint32_t k = 0; k < f->nnodes; k++) {
        const tl_node *node = &tape->nodes[f->nodes[k]];
        for (uint32_t i = 0; node->op != &tl_op_each && i < node->nin; i++)
            if (tape->nodes[node->in[i]].frame != frame) {
                seen[n] = (tl_seen){node->in[i], n};
                n++;
            }
    }
    if (n == 0)
        return 0;
    qsort(seen, n, sizeof *seen, by_slot);
    for (uint32_t k = 0; k < n; k++)
        if (k == 0 || seen[k].slot != seen[unique - 1].slot)
            seen[unique++] = seen[k];
    qsort(seen, unique, sizeof *seen, by_order);
    return unique;
}

/* record_loop -- the loop's node in the parent: inits, xs, captures. */
static void record_loop(tl_tape *tape, uint32_t frame)
{
    const tl_frame *f = &tape->frames[frame];
    size_t operands = 0;
    for (uint32_t k = 0; k < f->nnodes; k++)
        operands += tape->nodes[f->nodes[k]].nin;
    size_t most = f->ncarries + operands + 1;
    tl_tensor *in = tl__calloc(most, sizeof *in + sizeof(tl_seen));
    if (!in) {
        tl_tape_fail(tape, TL_ENOMEM, "tl_scan_close", "no memory for %zu operands", most);
        return;
    }
    tl_seen *seen = (tl_seen *)(in + most);
    uint32_t n = 0;
    for (uint32_t i = 0; i < f->ncarries; i++)
        in[n++] = tl__at(tape, f->carries[i].init);
    for (uint32_t k = 0; k < f->nnodes; k++)
        if (tape->nodes[f->nodes[k]].op == &tl_op_each)
            in[n++] = tl__at(tape, tape->nodes[f->nodes[k]].in[0]);
    uint32_t captures = find_captures(tape, frame, seen);
    for (uint32_t k = 0; k < captures; k++)
        in[n++] = tl__at(tape, seen[k].slot);
    const int64_t index = frame;
    const tl_attr attr = {1, &index, 0, NULL};
    tl_tensor loop = tl__record_node(tape, &tl_op_loop, n, in, TL_F32, tl_shape0(), &attr);
    if (loop.tape)
        tape->frames[frame].loop = loop.slot;
    tl__free(in);
}

void tl_scan_close(tl_scan s)
{
    static const char what[] = "tl_scan_close";
    tl_frame *f = open_frame(s, what);
    if (!f)
        return;
    tl_tape *tape = s.tape;
    char text[160];
    if (tape->frame != s.frame) {
        tl_tape_fail(tape, TL_ESTATE, what, "scan \"%s\" is open inside it and closes first",
                     tape->scopes[tape->frames[tape->frame].scope]);
        return;
    }
    if (tape->scope != f->scope) {
        tl_tape_fail(tape, TL_ESTATE, what, "scope \"%s\" was opened in the body and is still open",
                     tape->scopes[tape->scope]);
        return;
    }
    for (uint32_t i = 0; i < f->ncarries; i++)
        if (f->carries[i].next == TL_NONE) {
            tl_tape_fail(tape, TL_ESTATE, what,
                         "carry %s has no next value: tl_scan_next is missing",
                         tl__describe(tape, f->carries[i].source, text, sizeof text));
            return;
        }
    if (!f->replays) {
        f->draws = tape->draw - f->draw0;
        tape->draw = f->draw0 + (uint64_t)f->T * f->draws;
    }
    f->open = 0;
    tl__frame_enter(tape, f->parent);
    record_loop(tape, s.frame);
    tape->scope = tape->frames[s.frame].outer_scope;
}
