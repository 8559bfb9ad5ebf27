/* test_messages_custom.c -- every message of gradients of the user's: rules of one's own, checkpoints,
 * and what is ready-made. */
#include "tests/messages.h"

static tl_tensor vector(tl_tape *tape, int64_t n)
{
    return tl_zeros(tape, TL_F32, tl_shape1(n));
}

static tl_tensor ints(tl_tape *tape, int64_t n, int32_t value)
{
    return tl_full(tape, TL_I32, tl_shape1(n), value);
}

static void own_rule(tl_custom *q)
{
    q->d[0] = tl_zeros(q->g[0].tape, TL_F32, tl_shape1(5));
}

/* own_grad -- tl_custom_grad of nin times a, for one output. */
static int own_grad(int nin, tl_tensor a, tl_tensor out, int is_complete)
{
    const tl_custom_rule rule = {"mine", is_complete ? own_rule : NULL, NULL};
    tl_tensor y, d;
    const int code = tl_custom_grad(nin, &a, 1, &out, &rule, &y);
    return code ? code : tl_grad(1, &y, NULL, 1, &a, &d);
}

static int custom_dtypes(tl_tape *tape, tl_err *err)
{
    (void)err;
    const tl_custom_rule rule = {"mine", own_rule, NULL};
    const tl_tensor out[] = {vector(tape, 3), tl_zeros(tape, TL_F64, tl_shape1(3))};
    tl_tensor y[2];
    return tl_custom_grad(1, out, 2, out, &rule, y);
}

/* pieces -- functions for tl_checkpoint: ctx says which mistake. */
enum { RETURNS_A_CODE, LEAVES_IT_UNSET, TAKES_INDICES, USES_MUCH, USES_A_BODY, USES_ANOTHER };

static tl_tensor used_value;

static int piece(void *ctx, tl_tape *tape, int nin, const tl_tensor *in, int nout, tl_tensor *out)
{
    const int mistake = *(const int *)ctx;
    (void)nin, (void)nout;
    if (mistake == LEAVES_IT_UNSET)
        return TL_OK;
    out[0] = mistake >= USES_A_BODY ? tl_mul(in[0], used_value) : in[0];
    for (uint32_t k = 0; mistake == USES_MUCH && k < 24; k++) {
        tl_tensor t = used_value;
        t.slot += k;
        out[0] = tl_add(out[0], t);
    }
    return mistake == RETURNS_A_CODE ? TL_EIO : tl_tape_status(tape);
}

static int checkpoint_of(tl_tensor a, int nin, int mistake)
{
    tl_tensor in[25], out;
    for (int i = 0; i < 25; i++)
        in[i] = a;
    if (mistake == LEAVES_IT_UNSET && nin == 2)
        in[1] = (tl_tensor){0};
    return tl_checkpoint(piece, &mistake, nin, in, 1, &out);
}

static int checkpoint_uses_much(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_tensor a = vector(tape, 3);
    for (int k = 0; k < 30; k++) {
        a = tl_tanh(a);
        used_value = k ? used_value : a;
    }
    return checkpoint_of(a, 1, USES_MUCH);
}

static int checkpoint_uses_body(tl_tape *tape, tl_err *err)
{
    (void)err;
    const tl_scan s = tl_scan_open(tape, 2, NULL);
    const tl_tensor h = tl_scan_carry(s, vector(tape, 3));
    used_value = tl_name(tl_tanh(h), "u");
    return checkpoint_of(h, 1, USES_A_BODY);
}

static int checkpoint_uses_another(tl_tape *tape, tl_err *err)
{
    static const int mistake = USES_ANOTHER;
    (void)err;
    tl_tensor a = tl_tanh(vector(tape, 3)), y, d;
    used_value = tl_name(tl_tanh(a), "u");
    tl_checkpoint(piece, (void *)(uintptr_t)&mistake, 1, &a, 1, &y);
    used_value = tl_name(tl_tanh(used_value), "v");
    return tl_grad(1, &y, NULL, 1, &a, &d);
}

/* rescaled -- by ctx: one operation more, or another number, each time it is called. */
static int rescaled(void *ctx, tl_tape *tape, int nin, const tl_tensor *in, int nout,
                    tl_tensor *out)
{
    static int calls;
    (void)nin, (void)nout;
    out[0] = tl_tanh(in[0]);
    calls = *(const int *)ctx == 1 ? calls + 1 : 0;
    for (int k = 0; k < calls; k++)
        out[0] = tl_neg(out[0]);
    if (calls == 0)
        out[0] = tl_scale(out[0], (double)tl_tape_nodes(tape));
    return tl_tape_status(tape);
}

static int checkpoint_differs(tl_tensor a, int how)
{
    tl_tensor y, d;
    tl_checkpoint(rescaled, &how, 1, &a, 1, &y);
    return tl_grad(1, &y, NULL, 1, &a, &d);
}

RETURNS(checkpoint_longer, checkpoint_differs(vector(tape, 3), 1))
RETURNS(checkpoint_otherwise, checkpoint_differs(vector(tape, 3), 2))
RETURNS(checkpoint_indices, checkpoint_of(ints(tape, 3, 0), 1, TAKES_INDICES))
RETURNS(checkpoint_code, checkpoint_of(vector(tape, 3), 1, RETURNS_A_CODE))
RETURNS(checkpoint_unset, checkpoint_of(vector(tape, 3), 1, LEAVES_IT_UNSET))
RETURNS(checkpoint_inert, checkpoint_of(vector(tape, 3), 2, LEAVES_IT_UNSET))
RETURNS(checkpoint_counts, checkpoint_of(vector(tape, 3), 25, LEAVES_IT_UNSET))
RETURNS(custom_counts, own_grad(25, vector(tape, 3), vector(tape, 3), 1))
RETURNS(custom_rule, own_grad(1, vector(tape, 3), vector(tape, 3), 0))
RETURNS(custom_inert, own_grad(1, (tl_tensor){0}, vector(tape, 3), 1))
RETURNS(custom_indices, own_grad(1, vector(tape, 3), ints(tape, 3, 0), 1))
RETURNS(custom_converted,
        own_grad(1, tl_zeros(tape, TL_F64, tl_shape1(5)), tl_zeros(tape, TL_F64, tl_shape1(5)), 1))
RETURNS(custom_misshapen, own_grad(1, vector(tape, 3), vector(tape, 3), 1))
RECORDS(grad_clip_bounds, tl_grad_clip(vector(tape, 3), 1, -1))
RECORDS(straight_shapes, tl_straight_through(vector(tape, 3), vector(tape, 4)))

static const row rows[] = {
    ROW(custom_counts, EINVAL,
        "tl_custom_grad: got 25 inputs and 1 outputs, want 1 to 24 and 1 to 16"),
    ROW(custom_rule, EINVAL, "tl_custom_grad: there is no rule, or it has no name or adjoint"),
    ROW(custom_inert, EINVAL, "tl_custom_grad: one of the tensors is the inert tensor"),
    ROW(custom_indices, EDTYPE, "tl_custom_grad: output 0 is i32, want f32 or f64"),
    ROW(custom_dtypes, EDTYPE, "tl_custom_grad: output 1 is f64, want f32 as output 0"),
    ROW(custom_misshapen, ESHAPE, "mine: the rule's gradient of input 0 is f32 [5], want f32 [3]"),
    ROW(custom_converted, EDTYPE, "mine: the rule's gradient of input 0 is f32 [5], want f64 [5]"),
    ROW(checkpoint_indices, EDTYPE, "tl_checkpoint: output 0 is i32, want f32 or f64"),
    ROW(grad_clip_bounds, ERANGE, "grad_clip: got [1,-1], want lo <= hi"),
    ROW(straight_shapes, ESHAPE,
        "straight_through: got the value f32 [3] for f32 [4], want equal shapes, f32 or f64"),
    ROW(checkpoint_code, EIO, "tl_checkpoint: the function returned -10 (input or output failed)"),
    ROW(checkpoint_unset, EINVAL,
        "tl_checkpoint: the function left output 0 unset, or set it to a tensor of another tape"),
    ROW(checkpoint_inert, EINVAL,
        "tl_checkpoint: operand 1 is the inert tensor: it was never set, or comes from a call "
        "that failed"),
    ROW(checkpoint_counts, EINVAL,
        "tl_checkpoint: got 25 inputs and 1 outputs, want a function, 1 to 24 and 1 to 16"),
    ROW(checkpoint_uses_much, EINVAL,
        "tl_checkpoint: the function has 1 inputs and uses more than 23 tensors beside them, want "
        "at most 24 together"),
    ROW(checkpoint_uses_body, EFRAME,
        "scan: tl_checkpoint: the function uses u (recorded in scan) of a scan's body and is not "
        "given it: make it one of in[]"),
    ROW(checkpoint_longer, EINVAL,
        "tl_checkpoint: the function, called again for the gradient, recorded 3 operations, want "
        "the 2 of the first time"),
    ROW(checkpoint_otherwise, EINVAL,
        "tl_checkpoint: the function, called again for the gradient, recorded other operations, "
        "shapes or numbers, want those of the first time"),
    ROW(checkpoint_uses_another, EINVAL,
        "tl_checkpoint: the function, called again for the gradient, uses v, which it did not use "
        "the first time, want the same again (was a parameter bound or a handle changed since?)"),
};

static const char *const here[] = {"again.c", "custom.c", NULL};

Test(messages_custom, say_what_came_and_what_was_wanted)
{
    walk_rows(COUNT(rows), rows);
}

Test(messages_custom, no_message_without_a_row)
{
    walk_rows(COUNT(rows), rows);
    check_sources("ops", 1, here, 0, NULL);
}
