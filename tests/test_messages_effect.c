/* test_messages_effect.c -- every message of gradients, of what is done with them, and of effects:
 * assign, keep, commit. */
#include "core/anomaly.h"
#include "tests/coremessages.h"

#include <math.h>

/* ---- gradients ------------------------------------------------------------------------------- */

static int grad_of(tl_tape *tape, tl_tensor out, tl_tensor in)
{
    tl_tensor g;
    int code = tl_grad(1, &out, NULL, 1, &in, &g);
    cr_expect_null(g.tape);
    return code ? code : tl_tape_status(tape);
}

RETURNS(grad_inert, grad_of(tape, tl_scalar(tape, TL_F32, 1), (tl_tensor){0}))
RETURNS(grad_two_tapes, grad_of(tape, tl_scalar(tape, TL_F32, 1), elsewhere()))

static int grad_two_tapes_second(tl_tape *tape, tl_err *err)
{
    grad_of(tape, tl_scalar(tape, TL_F32, 1), elsewhere());
    return of_the_other(tape, other, err);
}

RETURNS(grad_of_body, grad_of(tape, tl_scalar(tape, TL_F32, 1), body_value(tape)))
RETURNS(grad_by_index, grad_of(tape, tl_scalar(tape, TL_F32, 1), tl_name(ints(tape, 2), "labels")))

static int grad_seed_with(tl_tape *tape, tl_tensor seed)
{
    tl_tensor x = zeros(tape, 2, 3), y = tl_mul(x, x), g;
    return tl_grad(1, &y, &seed, 1, &x, &g);
}

static int grad_with(tl_tape *tape, int nin, int is_given, int has_room)
{
    tl_tensor x = zeros(tape, 2, 3), g;
    return tl_grad(1, &x, NULL, nin, is_given ? &x : NULL, has_room ? &g : NULL);
}

RETURNS(grad_nowhere, grad_with(tape, 1, 1, 0))
RETURNS(grad_by_nothing, grad_with(tape, 1, 0, 1))
RETURNS(grad_by_fewer, grad_with(tape, -1, 1, 1))
RETURNS(grad_seed, grad_seed_with(tape, zeros(tape, 3, 2)))
RETURNS(grad_seed_dtype, grad_seed_with(tape, tl_zeros(tape, TL_F64, tl_shape2(2, 3))))

/* Operations of one's own whose rule gives a gradient that is none. */
static void summed_rule(tl_adj *q)
{
    q->d[0] = tl_sum_all(q->g);
}

static void converted_rule(tl_adj *q)
{
    q->d[0] = tl_cast(q->g, TL_F64);
}

static int never(tl_call *c)
{
    (void)c;
    return TL_OK;
}

static int grad_by_rule(tl_tape *tape, void (*rule)(tl_adj *q), int is_forward)
{
    static tl_op mine[2]; /* a descriptor stays as long as its tape */
    tl_op *op = &mine[rule == summed_rule];
    *op = (tl_op){.name = "mine", .kind = TL_OTHER, .nin = 1, .run = never, .adjoint = rule};
    tl_tensor x = zeros(tape, 2, 3), y = tl_record(op, 1, &x, NULL), g;
    return is_forward ? tl_jvp(1, &x, NULL, 1, &y, &g) : tl_grad(1, &y, NULL, 1, &x, &g);
}

RETURNS(rule_shape, grad_by_rule(tape, summed_rule, 0))
RETURNS(rule_shape_forward, grad_by_rule(tape, summed_rule, 1))
RETURNS(rule_dtype, grad_by_rule(tape, converted_rule, 0))

RETURNS(backward_no_parameter, tl_backward(tl_zeros(tape, TL_F32, tl_shape0())))
RETURNS(backward_unreached, tl_backward(tl_sum_all(tl_detach(tl_use(tape, weight)))))
static int backward_frozen(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_param_freeze(weight, 1);
    const int code = tl_backward(tl_sum_all(tl_use(tape, weight)));
    tl_param_freeze(weight, 0);
    return code;
}

RECORDS(gradient_of_many, tl_gradient(zeros(tape, 2, 3), zeros(tape, 2, 3)))
RETURNS(backward_shape, tl_backward(zeros(tape, 2, 3)))

static int backward_in_scan(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_tensor x = tl_scalar(tape, TL_F32, 1);
    tl_scan_open(tape, 2, NULL);
    return tl_backward(x);
}

RECORDS(set_grad_shape, tl_set_param_grad(tape, weight, zeros(tape, 2, 3)))
RECORDS(set_grad_dtype, tl_set_param_grad(tape, weight, tl_zeros(tape, TL_F64, tl_shape1(2))))
RECORDS(set_grad_tape, tl_set_param_grad(tape, weight, elsewhere()))

/* ---- effects --------------------------------------------------------------------------------- */

static int commits_infinity(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_anomaly(tape, 1);
    tl_assign(weight, tl_add_scalar(tl_use(tape, weight), -(double)INFINITY));
    const int code = tl_commit(tape);
    tl_anomaly(tape, 0);
    return code;
}

static int commits_infinite_rows(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_anomaly(tape, 1);
    tl_assign_rows(weight, ints(tape, 1), tl_full(tape, TL_F32, tl_shape1(1), (double)INFINITY));
    const int code = tl_commit(tape);
    tl_anomaly(tape, 0);
    return code;
}

RECORDS(assign_nothing, tl_assign(NULL, zeros(tape, 2, 3)))
RECORDS(keep_nothing, tl_keep(NULL, zeros(tape, 2, 3)))
RECORDS(assign_shape, tl_assign(weight, zeros(tape, 2, 3)))
RECORDS(assign_rows_shapes, tl_assign_rows(weight, ints(tape, 3), zeros(tape, 3, 2)))
RECORDS(assign_rows_dtypes, tl_assign_rows(weight, tl_zeros(tape, TL_F32, tl_shape1(3)),
                                           tl_zeros(tape, TL_F32, tl_shape1(3))))
static int assign_rows_outside(tl_tape *tape, tl_err *err)
{
    (void)err;
    const int32_t outside = 2;
    tl_assign_rows(weight, tl_input_i32(tape, tl_shape1(1), &outside),
                   tl_zeros(tape, TL_F32, tl_shape1(1)));
    return tl_commit(tape);
}
RECORDS(assign_dtype, tl_assign(weight, tl_zeros(tape, TL_F64, tl_shape1(2))))
RECORDS(keep_shape, tl_keep(state, zeros(tape, 2, 3)))
RECORDS(keep_of_body, tl_keep(state, body_value(tape)))

static int keep_in_scan(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_tensor x = tl_zeros(tape, TL_F32, tl_shape1(2));
    tl_scan_open(tape, 2, NULL);
    tl_keep(state, x);
    return tl_tape_status(tape);
}

RETURNS(commit_in_scan, (tl_scan_open(tape, 2, NULL), tl_commit(tape)))

/* ---- the table ------------------------------------------------------------------------------- */

static const row rows[] = {
    ROW(grad_inert, EINVAL, "tl_grad: input 0 is the inert tensor"),
    ROW(grad_two_tapes, ETAPE, "tl_grad: input 0 lives on another tape than output 0"),
    ROW(grad_two_tapes_second, ETAPE, "tl_grad: input 0 lives on this tape, output 0 on another"),
    ROW(grad_of_body, EFRAME,
        "tl_grad: input 0, h1 (recorded in scan), belongs to the body of scan \"scan\""),
    ROW(grad_by_index, EDTYPE, "tl_grad: input 0, labels, is i32, want f32 or f64"),
    ROW(grad_seed, ESHAPE, "tl_grad: seed 0 is f32 [3,2], want f32 [2,3] as output 0"),
    ROW(grad_nowhere, EINVAL, "tl_grad: no room for the gradients (NULL), want 1"),
    ROW(grad_by_nothing, EINVAL, "tl_grad: no inputs (NULL), want 1"),
    ROW(grad_by_fewer, EINVAL, "tl_grad: got -1 inputs, want 0 or more"),
    ROW(rule_shape, ESHAPE,
        "mine: its rule gave operand 0 a gradient of f32 [], want f32 [2,3], or a shape that this "
        "one repeats to"),
    ROW(rule_shape_forward, ESHAPE,
        "mine: its rule gave operand 0 a gradient of f32 [], want f32 [2,3], or a shape that this "
        "one repeats to"),
    ROW(rule_dtype, EDTYPE,
        "mine: its rule gave operand 0 a gradient of f64 [2,3], want f32 [2,3], or a shape that "
        "this one repeats to"),
    ROW(grad_seed_dtype, ESHAPE, "tl_grad: seed 0 is f64 [2,3], want f32 [2,3] as output 0"),
    ROW(backward_no_parameter, ENOGRAD,
        "tl_backward: the loss, %0 (const), depends on no parameter: none is used on this tape "
        "(tl_use brings one in)"),
    ROW(backward_unreached, ENOGRAD,
        "tl_backward: the loss, ~ (reshape), depends on none of the 1 unfrozen parameters used on "
        "this "
        "tape (was it recorded inside tl_no_grad, or of tensors that went through tl_detach or "
        "tl_state_use?)"),
    ROW(backward_frozen, ENOGRAD,
        "tl_backward: the loss, ~ (reshape), has no gradient: all 1 parameters used on this tape "
        "are frozen"),
    ROW(gradient_of_many, ESHAPE,
        "tl_gradient: got a value of shape [2,3], want a single number (tl_grad takes others)"),
    ROW(backward_shape, ESHAPE,
        "tl_backward: the loss has shape [2,3], want a single number (take a sum or mean, or use "
        "tl_grad)"),
    ROW(backward_in_scan, EFRAME, "scan: tl_backward: not allowed inside an open scan; tl_grad is"),
    ROW(set_grad_shape, ESHAPE, "tl_set_param_grad: got f32 [2,3], but W is f32 [2]"),
    ROW(set_grad_dtype, EDTYPE, "tl_set_param_grad: got f64 [2], but W is f32 [2]"),
    ROW(set_grad_tape, ETAPE, "tl_set_param_grad: the gradient for W lives on another tape"),
    ROW(commits_infinity, ENAN,
        "tl_commit: W would become -inf at element 0 of 2: passed on from a constant, such as a "
        "learning rate, or only moved"),
    ROW(commits_infinite_rows, ENAN,
        "tl_commit: W would become inf at element 0 of the rows' 1: passed on from a constant, "
        "such "
        "as a learning rate, or only moved"),
    ROW(assign_nothing, EINVAL, "tl_assign: got no parameter but NULL"),
    ROW(keep_nothing, EINVAL, "tl_keep: got no state but NULL"),
    ROW(assign_shape, ESHAPE, "tl_assign: got f32 [2,3], but W is f32 [2]"),
    ROW(assign_rows_shapes, ESHAPE,
        "tl_assign_rows: got indices [3], rows [3,2] for W [2], want [n], [n,...] for [V,...]"),
    ROW(assign_rows_dtypes, EDTYPE,
        "tl_assign_rows: got f32 indices, f32 rows, want i32, f32 as W"),
    ROW(assign_rows_outside, ERANGE, "tl_assign_rows: got index 2 at [0], want one in [0,2)"),
    ROW(assign_dtype, EDTYPE, "tl_assign: got f64 [2], but W is f32 [2]"),
    ROW(keep_shape, ESHAPE, "tl_keep: got f32 [2,3], but the state is f32 [2]"),
    ROW(keep_of_body, EFRAME,
        "tl_keep: got h1 (recorded in scan), a value of a scan's body; ask tl_scan_last"),
    ROW(keep_in_scan, EFRAME,
        "scan: tl_keep: not allowed inside an open scan: effects happen once, after the run"),
    ROW(commit_in_scan, EFRAME, "scan: tl_commit: not allowed inside an open scan"),
};

static const left_out effect_left_out = {"this operation has no gradient rule",
                                         "tl_record refuses such a descriptor"};

static const char *const files[] = {"backward.c", "effect.c", "grad.c", "sweep.c", NULL};

Test(messages_effect, say_what_came_and_what_was_wanted)
{
    make_things();
    walk_rows(COUNT(rows), rows);
    free_things();
}

Test(messages_effect, no_message_without_a_row)
{
    make_things();
    walk_rows(COUNT(rows), rows);
    free_things();
    check_sources("core", 1, files, 1, &effect_left_out);
}
