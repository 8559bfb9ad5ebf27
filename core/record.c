/* record.c -- recording: a call becomes a node. Shapes are checked here, at the caller's line;
 * numbers come in run.c. */
#include "core/node.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FEW = 8 }; /* operands handled without allocation */

int tl_infer_fail(tl_infer *q, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(q->message, sizeof q->message, format, args);
    va_end(args);
    return code;
}

int tl_call_fail(tl_call *c, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(c->message, sizeof c->message, format, args);
    va_end(args);
    return code;
}

int tl_lead_same(tl_lead *q)
{
    (void)q;
    return 1;
}

int tl_tape_fail(tl_tape *tape, int code, const char *what, const char *format, ...)
{
    if (!tape)
        return code;
    if (tape->code)
        return tape->code;
    char text[sizeof tape->message];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *scope = tape->scopes[tape->scope];
    tl_err err;
    tl__fail(&err, code, "%s%s%s: %s", scope, scope[0] ? ": " : "", what, text);
    memcpy(tape->message, err.message, sizeof tape->message);
    tape->message[sizeof tape->message - 1] = '\0';
    tape->code = code;
    return code;
}

tl_tensor tl_fail_tensor(tl_tensor t, int code, const char *what, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tl_tape_fail(t.tape, code, what, "%s", text);
    return tl__inert(t);
}

tl_tensor tl__inert_on(const tl_tape *tape)
{
    return (tl_tensor){NULL, 0, tape ? (uint32_t)-tape->code : 0};
}

tl_tensor tl__inert(tl_tensor t)
{
    return t.tape ? tl__inert_on(t.tape) : t;
}

tl_tensor tl__inert_of(int n, const tl_tensor *t)
{
    tl_tensor none = {0};
    for (int i = 0; t && i < n && none.generation == 0; i++)
        none = tl__inert(t[i]);
    return none;
}

int tl__inert_code(tl_tensor t)
{
    return t.generation ? -(int)t.generation : TL_EINVAL;
}

tl_tensor tl__at(tl_tape *tape, uint32_t slot)
{
    if (slot == TL_NONE || slot >= tape->nnodes)
        return (tl_tensor){0};
    return (tl_tensor){tape, slot, tape->generations[slot]};
}

static int is_alive(tl_tensor t)
{
    return t.tape && t.slot < t.tape->nnodes && t.tape->generations[t.slot] == t.generation;
}

const tl_node *tl__peek(tl_tensor t)
{
    return is_alive(t) ? &t.tape->nodes[t.slot] : NULL;
}

const char *tl__describe(tl_tape *tape, uint32_t slot, char *text, size_t size)
{
    const tl_node *n = &tape->nodes[slot];
    const char *scope = tape->scopes[n->scope];
    if (!n->name)
        snprintf(text, size, scope[0] ? "%%%u (%s, recorded in %s)" : "%%%u (%s)", slot,
                 n->op->name, scope);
    else
        snprintf(text, size, scope[0] ? "%s (recorded in %s)" : "%s", n->name, scope);
    return text;
}

/* fail_dead -- the message about a handle that outlived its slot. */
static void fail_dead(tl_tensor t, const char *what)
{
    tl_tape *tape = t.tape;
    if (t.slot < tape->slots_capacity && tape->last[t.slot].name &&
        tape->generations[t.slot] == t.generation + 1) {
        const tl_tenant *last = &tape->last[t.slot];
        const char *scope = tape->scopes[last->scope];
        tl_tape_fail(tape, TL_EDEAD, what, "%s, recorded%s%s at step %llu, is gone: %s", last->name,
                     scope[0] ? " in " : "", scope, (unsigned long long)last->step,
                     last->was_cut
                         ? "tl_cut ended it (name in keep[] what is to stay, and go on with "
                           "the handles that are in at[] and keep[] after it)"
                         : "its tape was reset or released (carry values over with "
                           "tl_keep, or read them before)");
    } else {
        tl_tape_fail(tape, TL_EDEAD, what,
                     "slot %u of an earlier step is gone: its tape was reset, released or cut",
                     t.slot);
    }
}

tl_node *tl__node(tl_tensor t, const char *what)
{
    if (!t.tape || t.tape->code)
        return NULL;
    if (!is_alive(t)) {
        fail_dead(t, what);
        return NULL;
    }
    return &t.tape->nodes[t.slot];
}

int tl__given(const char *what, int n, const tl_tensor *t)
{
    if (n < 1)
        tl__fail(NULL, TL_EINVAL, "%s: got %d operands, want 1 or more", what, n);
    else if (!t)
        tl__fail(NULL, TL_EINVAL, "%s: no operands (NULL), want %d", what, n);
    return n >= 1 && t;
}

/* note_inert -- an inert operand among others is an error of the others' tape, if that has none: it
 * was never set, or what was to give it failed on another tape or said no by its value. */
static void note_inert(const char *what, int n, const tl_tensor *t, int inert)
{
    for (int i = 0; i < n; i++)
        if (t[i].tape) {
            tl_tape_fail(t[i].tape, TL_EINVAL, what,
                         "operand %d is the inert tensor: it was never set, or comes from a call "
                         "that failed",
                         inert);
            return;
        }
}

int tl__same_tape(const char *what, int n, const tl_tensor *t)
{
    if (!tl__given(what, n, t))
        return 0;
    for (int i = 0; i < n; i++)
        if (!t[i].tape) {
            note_inert(what, n, t, i);
            return 0;
        }
    tl_tape *tape = t[0].tape;
    for (int i = 1; i < n; i++)
        if (t[i].tape != tape) {
            tl_tape_fail(tape, TL_ETAPE, what,
                         "operand %d lives on another tape than operand 0 (record both on one, or "
                         "read its numbers and take them in by tl_input_f32)",
                         i);
            tl_tape_fail(t[i].tape, TL_ETAPE, what,
                         "operand %d lives on this tape, operand 0 on another", i);
            return 0;
        }
    for (int i = 0; i < n; i++)
        if (!tl__node(t[i], what))
            return 0;
    return 1;
}

int tl__operands_ok(const tl_op *op, int n, const tl_tensor *in)
{
    if (!tl__same_tape(op->name, n, in))
        return 0;
    tl_tape *tape = in[0].tape;
    for (int i = 0; i < n; i++) {
        uint32_t f = tape->nodes[in[i].slot].frame;
        if (!tl__visible(tape, f, tape->frame)) {
            char text[160];
            tl_tape_fail(tape, TL_EFRAME, op->name,
                         "operand %d, %s, belongs to the body of scan \"%s\"; outside it ask "
                         "tl_scan_last, tl_scan_stacked or tl_scan_summed",
                         i, tl__describe(tape, in[i].slot, text, sizeof text),
                         tape->scopes[tape->frames[f].scope]);
            return 0;
        }
    }
    return 1;
}

/* slots_reserve -- room for one more node in every array indexed by slot. */
static int slots_reserve(tl_tape *tape)
{
    if (tape->nnodes == TL_NONE - 1)
        return TL_ENOMEM;
    if (tl__grow(&tape->nodes, &tape->nodes_capacity, tape->nnodes + 1, sizeof *tape->nodes))
        return TL_ENOMEM;
    if (tape->slots_capacity >= tape->nodes_capacity)
        return TL_OK;
    uint32_t old = tape->slots_capacity, fresh = tape->nodes_capacity, capacity;
    capacity = old;
    if (tl__grow(&tape->last, &capacity, fresh, sizeof *tape->last))
        return TL_ENOMEM;
    capacity = old;
    if (tl__grow(&tape->generations, &capacity, fresh, sizeof *tape->generations))
        return TL_ENOMEM;
    memset(tape->generations + old, 0, (fresh - old) * sizeof *tape->generations);
    memset(tape->last + old, 0, (fresh - old) * sizeof *tape->last);
    tape->slots_capacity = fresh;
    return TL_OK;
}

/* fill_arrays -- copies operands and attributes into the tape's arena. */
static int fill_arrays(tl_tape *tape, tl_node *n, const tl_tensor *in, const tl_attr *attr)
{
    size_t ni = attr ? (size_t)attr->ni : 0, nr = attr ? (size_t)attr->nr : 0;
    size_t bytes = nr * sizeof(double) + ni * sizeof(int64_t) + n->nin * sizeof(uint32_t);
    if (bytes == 0)
        return TL_OK;
    char *memory = tl__arena_alloc(&tape->arena, bytes);
    if (!memory)
        return TL_ENOMEM;
    double *r = (double *)memory;
    int64_t *i = (int64_t *)(memory + nr * sizeof(double));
    n->in = (uint32_t *)(memory + nr * sizeof(double) + ni * sizeof(int64_t));
    if (nr)
        memcpy(r, attr->r, nr * sizeof(double));
    if (ni)
        memcpy(i, attr->i, ni * sizeof(int64_t));
    for (uint32_t k = 0; k < n->nin; k++)
        n->in[k] = in[k].slot;
    n->attr = (tl_attr){(int)ni, i, (int)nr, r};
    return TL_OK;
}

tl_tensor tl__record_node(tl_tape *tape, const tl_op *op, uint32_t nin, const tl_tensor *in,
                          tl_dtype dtype, tl_shape shape, const tl_attr *attr)
{
    if (!tape || tape->code)
        return tl__inert_on(tape);
    if (tape->running) {
        tl_tape_fail(tape, TL_ESTATE, op->name, "the tape is being run; nothing can be recorded");
        return tl__inert_on(tape);
    }
    if ((unsigned)dtype > TL_I32) {
        tl_tape_fail(tape, TL_EDTYPE, op->name,
                     "got element type %d, want TL_F32, TL_F64 or TL_I32", (int)dtype);
        return tl__inert_on(tape);
    }
    if (tl_shape_count(shape) < 0) {
        char text[TL_SHAPE_TEXT];
        tl_tape_fail(tape, TL_ESHAPE, op->name, "invalid or too large shape %s",
                     tl_shape_text(shape, text, sizeof text));
        return tl__inert_on(tape);
    }
    tl_frame *frame = &tape->frames[tape->frame];
    op = frame->recompute && op->in_step ? op->in_step : op;
    if (slots_reserve(tape) || (tape->frame && tl__grow(&frame->nodes, &frame->nodes_capacity,
                                                        frame->nnodes + 1, sizeof *frame->nodes))) {
        tl_tape_fail(tape, TL_ENOMEM, op->name, "no memory for node %u", tape->nnodes);
        return tl__inert_on(tape);
    }
    uint32_t slot = tape->nnodes;
    tl_node *n = &tape->nodes[slot];
    memset(n, 0, sizeof *n);
    n->op = op;
    n->nin = nin;
    n->shape = shape;
    n->dtype = dtype;
    n->frame = tape->frame;
    n->scope = tape->scope;
    n->of = tape->of;
    n->goal = TL_NONE;
    n->no_grad = tape->no_grad > 0;
    n->arena = tl__arena_mark(&tape->arena);
    if (fill_arrays(tape, n, in, attr)) {
        tl_tape_fail(tape, TL_ENOMEM, op->name, "no memory for node %u", slot);
        return tl__inert_on(tape);
    }
    if (op->kind == TL_RANDOM) {
        n->draw = tape->draw++;
        n->seed = tape->seed;
    }
    tape->nnodes++;
    if (tape->frame)
        frame->nodes[frame->nnodes++] = slot;
    if (tape->opts.warn_at && slot + 1 == tape->opts.warn_at && !tape->warned) {
        tape->warned = 1;
        tl__log("tape has %u nodes and only grows (the last is %s in scope \"%s\"): did you forget "
                "tl_tape_reset after each step, or tl_keep for a carried state?",
                slot + 1, op->name, tape->scopes[tape->scope]);
    }
    return tl__at(tape, slot);
}

/* infer -- runs the shape rule; the arrays are the caller's. */
static int infer(tl_tape *tape, const tl_op *op, tl_infer *q)
{
    q->op = op;
    q->message[0] = '\0';
    int code = op->shape ? op->shape(q) : TL_OK;
    if (code)
        tl_tape_fail(tape, code, op->name, "%s", q->message[0] ? q->message : tl_strerror(code));
    return code;
}

tl_tensor tl_record(const tl_op *op, int nin, const tl_tensor *in, const tl_attr *attr)
{
    if (!tl__given(op && op->name ? op->name : "tl_record", nin, in) ||
        !tl__op_recordable(in[0].tape, op, nin) || !tl__operands_ok(op, nin, in) ||
        !tl__op_has_numbers(in[0].tape, op, attr))
        return tl__inert_of(nin, in);
    tl_tape *tape = in[0].tape;
    tl_shape few_shapes[FEW], *shapes = few_shapes;
    tl_dtype few_dtypes[FEW], *dtypes = few_dtypes;
    if (nin > FEW) {
        shapes = tl__alloc((size_t)nin * (sizeof *shapes + sizeof *dtypes));
        if (!shapes)
            return tl_fail_tensor(in[0], TL_ENOMEM, op->name, "no memory for %d operands", nin);
        dtypes = (tl_dtype *)(shapes + nin);
    }
    for (int i = 0; i < nin; i++) {
        const tl_node *n = &tape->nodes[in[i].slot];
        shapes[i] = n->shape;
        dtypes[i] = n->dtype;
    }
    static const tl_attr none = {0, NULL, 0, NULL};
    tl_infer q;
    q.nin = nin;
    q.in = shapes;
    q.in_dtype = dtypes;
    q.attr = attr ? attr : &none;
    q.shape = shapes[0];
    q.dtype = dtypes[0];
    const int fits = infer(tape, op, &q) == TL_OK && tl__op_has_tile(tape, op, &q);
    const tl_tensor t = fits ? tl__record_node(tape, op, (uint32_t)nin, in, q.dtype, q.shape, attr)
                             : tl__inert_on(tape);
    if (shapes != few_shapes)
        tl__free(shapes);
    return t;
}

tl_tensor tl_record_source(tl_tape *tape, const tl_op *op, tl_dtype dtype, tl_shape shape,
                           const tl_attr *attr)
{
    if (!tape || tape->code || ((!op || op->nin) && !tl__op_recordable(tape, op, 0)) ||
        !tl__op_has_numbers(tape, op, attr))
        return tl__inert_on(tape);
    static const tl_attr none = {0, NULL, 0, NULL};
    tl_infer q;
    q.nin = 0;
    q.in = &shape;
    q.in_dtype = &dtype;
    q.attr = attr ? attr : &none;
    q.shape = shape;
    q.dtype = dtype;
    if (infer(tape, op, &q))
        return tl__inert_on(tape);
    return tl__record_node(tape, op, 0, NULL, q.dtype, q.shape, attr);
}

int tl_tensor_ok(tl_tensor t)
{
    return is_alive(t) && t.tape->code == TL_OK;
}

const char *tl_tensor_op(tl_tensor t)
{
    return is_alive(t) ? t.tape->nodes[t.slot].op->name : "";
}

const char *tl_tensor_name(tl_tensor t)
{
    return is_alive(t) && t.tape->nodes[t.slot].name ? t.tape->nodes[t.slot].name : "";
}

const char *tl_tensor_scope(tl_tensor t)
{
    return is_alive(t) ? t.tape->scopes[t.tape->nodes[t.slot].scope] : "";
}

tl_shape tl_shape_of(tl_tensor t)
{
    return is_alive(t) ? t.tape->nodes[t.slot].shape : tl_shape0();
}

tl_dtype tl_dtype_of(tl_tensor t)
{
    return is_alive(t) ? t.tape->nodes[t.slot].dtype : TL_F32;
}

int tl_rank(tl_tensor t)
{
    return is_alive(t) ? t.tape->nodes[t.slot].shape.rank : 0;
}

int64_t tl_dim(tl_tensor t, int axis)
{
    if (!is_alive(t))
        return 0;
    const tl_shape *s = &t.tape->nodes[t.slot].shape;
    int k = tl__shape_axis(s->rank, axis);
    return k < 0 ? 0 : s->dim[k];
}

tl_tensor tl_name(tl_tensor t, const char *name)
{
    tl_node *n = tl__node(t, "tl_name");
    if (n && name && !(n->name && strcmp(n->name, name) == 0))
        n->name = tl__intern(t.tape, name);
    return t;
}

tl_tensor tl_want(tl_tensor t)
{
    tl_node *n = tl__node(t, "tl_want");
    if (n)
        n->want = 1;
    return t;
}
