/* test_messages_core.c -- every message of recording, of operations of one's own, and of the
 * operations that live in core. The tape, effects, scans, parameters and files have tables of their
 * own. */
#include "tests/coremessages.h"

/* ---- operands -------------------------------------------------------------------------------- */

RECORDS(unknown_dtype, tl_scalar(tape, (tl_dtype)9, 0))
RECORDS(two_tapes, tl_add(tl_zeros(tape, TL_F32, tl_shape1(2)), elsewhere()))

static int two_tapes_second(tl_tape *tape, tl_err *err)
{
    tl_add(tl_zeros(tape, TL_F32, tl_shape1(2)), elsewhere());
    return of_the_other(tape, other, err);
}

RECORDS(inert_operand, tl_add(tl_zeros(tape, TL_F32, tl_shape1(2)), (tl_tensor){0}))

static int dead_named(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_scope_open(tape, "encoder");
    tl_tensor h = tl_name(zeros(tape, 2, 3), "h");
    tl_scope_close(tape);
    tl_tape_reset(tape);
    tl_tanh(h);
    return tl_tape_status(tape);
}

static int dead_unnamed(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_tensor h = zeros(tape, 2, 3);
    tl_tape_reset(tape);
    tl_tanh(h);
    return tl_tape_status(tape);
}

static int dead_long_ago(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_tensor h = zeros(tape, 2, 3);
    for (int i = 0; i < 3; i++) {
        tl_tape_reset(tape);
        zeros(tape, 2, 3);
    }
    tl_tanh(h);
    return tl_tape_status(tape);
}

static int inert(tl_tensor t)
{
    return t.tape ? TL_OK : TL_EINVAL;
}

RETURNS(no_operands, inert(tl_record(&tl_op_add, 2, NULL, NULL)))
RETURNS(of_none, inert(tl_record(&tl_op_add, 0, &(tl_tensor){tape, 0, 0}, NULL)))
RETURNS(no_pieces, inert(tl_concat(2, NULL, 0)))
RETURNS(stack_of_none, inert(tl_stack(-1, NULL, 0)))
RECORDS(no_descriptor, tl_record_source(tape, NULL, TL_F32, tl_shape1(2), NULL))
static int dead_by_cut(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_tensor h = tl_name(zeros(tape, 2, 3), "h"), a = tl_tanh(h);
    tl_cut(tape, 1, &a, 0, NULL);
    tl_tanh(h);
    return tl_tape_status(tape);
}

RECORDS(of_a_body, tl_tanh(body_value(tape)))
RECORDS(of_a_body_shaped, tl_reshape(body_value(tape), tl_shape2(2, 1)))

static int scope_in_front(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_scope_open(tape, "lstm");
    tl_scope_open(tape, "step");
    tl_matmul(zeros(tape, 32, 100), zeros(tape, 128, 512));
    return tl_tape_status(tape);
}

/* ---- operations of core ---------------------------------------------------------------------- */

RECORDS(add_shapes, tl_add(zeros(tape, 2, 3), zeros(tape, 2, 4)))
RECORDS(add_dtypes, tl_add(zeros(tape, 2, 3), tl_zeros(tape, TL_F64, tl_shape2(2, 3))))
RECORDS(add_indices, tl_add(ints(tape, 2), ints(tape, 2)))
RECORDS(where_dtypes,
        tl_where(ints(tape, 2), zeros(tape, 2, 2), tl_zeros(tape, TL_F64, tl_shape0())))
RECORDS(where_shapes, tl_where(ints(tape, 3), zeros(tape, 2, 2), zeros(tape, 2, 2)))
RECORDS(reshape_count, tl_reshape(zeros(tape, 2, 3), tl_shape2(4, -1)))
RECORDS(broadcast_shape, tl_broadcast_to(zeros(tape, 2, 3), tl_shape1(3)))
RECORDS(slice_axis, tl_slice(zeros(tape, 2, 3), 2, 0, 1))
RECORDS(slice_range, tl_slice(zeros(tape, 2, 3), 1, 2, 2))
RECORDS(sum_to_shape, tl_sum_to(zeros(tape, 2, 3), tl_shape1(2)))
RECORDS(sum_keep_axes, tl_sum_keep(zeros(tape, 2, 3), 4))
RECORDS(sum_indices, tl_sum_keep(ints(tape, 3), 1))
static const tl_op without_kernel = {.name = "mine", .kind = TL_OTHER, .no_gradient = 1};

static tl_tile_fn never(const tl_dtype *in, tl_dtype out)
{
    (void)in, (void)out;
    return NULL;
}

static const tl_op without_tile = {
    .name = "mine", .kind = TL_POINTWISE, .tile = never, .no_gradient = 1};

RECORDS(op_incomplete, tl_tensor a = zeros(tape, 2, 3); tl_record(&without_kernel, 1, &a, NULL))
RECORDS(op_dtype, tl_tensor a = zeros(tape, 2, 3); tl_record(&without_tile, 1, &a, NULL))
RECORDS(check_range_dtype, tl_check_range(zeros(tape, 2, 3), 0, 1))
RECORDS(check_range_value,
        tl_item(tl_sum_all(tl_cast(tl_check_range(ints(tape, 3), 1, 5), TL_F32))))

static void assemble(tl_tape *tape, tl_shape shape, tl_dtype second, int64_t at)
{
    tl_tensor piece[] = {zeros(tape, 1, 3), tl_zeros(tape, second, tl_shape2(1, 3))};
    const int64_t offset[2][TL_MAX_RANK] = {{0, 0}, {at, 0}};
    tl_assemble(shape, 2, piece, offset);
}

RECORDS(op_operands, tl_tensor a = zeros(tape, 2, 3); tl_record(&tl_op_add, 1, &a, NULL))
RECORDS(op_no_operands, tl_record_source(tape, &tl_op_add, TL_F32, tl_shape1(2), NULL))
RECORDS(no_attributes, tl_tensor a = zeros(tape, 2, 3);
        tl_record(&tl_op_check_range, 1, &a, &(tl_attr){2, NULL, 0, NULL}))
RECORDS(assemble_nowhere, tl_tensor a = zeros(tape, 2, 3);
        tl_assemble(tl_shape2(2, 3), 1, &a, NULL))
RECORDS(assemble_dtype, assemble(tape, tl_shape2(2, 3), TL_F64, 1))
RECORDS(assemble_outside, assemble(tape, tl_shape2(2, 3), TL_F32, 2))
RECORDS(assemble_shape, assemble(tape, tl_shape2(2, -3), TL_F32, 1))

static int never_runs(tl_call *c)
{
    (void)c;
    return TL_OK;
}

static int refuses(tl_infer *q)
{
    (void)q;
    return TL_ESHAPE;
}

static const tl_op silent = {
    .name = "silent", .kind = TL_OTHER, .shape = refuses, .run = never_runs, .no_gradient = 1};

RECORDS(own_op_silent, tl_tensor x = zeros(tape, 2, 3); tl_record(&silent, 1, &x, NULL))

/* ---- the table ------------------------------------------------------------------------------- */

static const row rows[] = {
    ROW(unknown_dtype, EDTYPE, "const: got element type 9, want TL_F32, TL_F64 or TL_I32"),
    ROW(two_tapes, ETAPE,
        "add: operand 1 lives on another tape than operand 0 (record both "
        "on one, or read its numbers and take them in by tl_input_f32)"),
    ROW(two_tapes_second, ETAPE, "add: operand 1 lives on this tape, operand 0 on another"),
    ROW(no_operands, EINVAL, "add: no operands (NULL), want 2"),
    ROW(of_none, EINVAL, "add: got 0 operands, want 1 or more"),
    ROW(no_pieces, EINVAL, "concat: no operands (NULL), want 2"),
    ROW(stack_of_none, EINVAL, "stack: got -1 operands, want 1 or more"),
    ROW(no_descriptor, EINVAL, "tl_record: the descriptor of this operation is NULL"),
    ROW(inert_operand, EINVAL,
        "add: operand 1 is the inert tensor: it was never set, or comes from a call that failed"),
    ROW(dead_named, EDEAD,
        "tanh: h, recorded in encoder at step 0, is gone: its tape was reset or released (carry "
        "values over with tl_keep, or read them before)"),
    ROW(dead_unnamed, EDEAD,
        "tanh: broadcast_to, recorded at step 0, is gone: its tape was reset or released (carry "
        "values over with tl_keep, or read them before)"),
    ROW(dead_long_ago, EDEAD,
        "tanh: slot 1 of an earlier step is gone: its tape was reset, released or cut"),
    ROW(dead_by_cut, EDEAD,
        "tanh: h, recorded at step 0, is gone: tl_cut ended it (name in keep[] what is to stay, "
        "and "
        "go on with the handles that are in at[] and keep[] after it)"),
    ROW(of_a_body, EFRAME,
        "tanh: operand 0, h1 (recorded in scan), belongs to the body of scan \"scan\"; outside it "
        "ask tl_scan_last, tl_scan_stacked or tl_scan_summed"),
    ROW(of_a_body_shaped, EFRAME,
        "reshape: operand 0, h1 (recorded in scan), belongs to the body of scan \"scan\"; outside "
        "it ask tl_scan_last, tl_scan_stacked or tl_scan_summed"),
    ROW(scope_in_front, ESHAPE, "lstm/step: matmul: got [32,100] x [128,512], want [m,k] x [k,n]"),
    ROW(own_op_silent, ESHAPE, "silent: shapes do not fit"),
    ROW(add_shapes, ESHAPE, "add: got [2,3] and [2,4], want shapes that broadcast together"),
    ROW(add_dtypes, EDTYPE,
        "add: got f32 [2,3] and f64 [2,3], want equal element types (tl_cast converts)"),
    ROW(add_indices, EDTYPE, "add: got i32 [2], want f32 or f64 (tl_cast converts)"),
    ROW(where_dtypes, EDTYPE,
        "where: got i32 ? f32 : f64, want two equal types and a condition of theirs or i32"),
    ROW(where_shapes, ESHAPE,
        "where: got [3] ? [2,2] : [2,2], want shapes that broadcast together"),
    ROW(reshape_count, ESHAPE, "reshape: got [2,3] of 6 elements, want [4,-1]"),
    ROW(broadcast_shape, ESHAPE, "broadcast_to: got [2,3], want a shape that repeats to [3]"),
    ROW(slice_axis, ERANGE, "slice: got axis 2 of [2,3], want one in [-2,2)"),
    ROW(slice_range, ERANGE, "slice: got 2 elements from 2 on, want a part of axis 1 of [2,3]"),
    ROW(sum_to_shape, ESHAPE, "sum_to: got [2,3], want a shape that [2] repeats to"),
    ROW(sum_keep_axes, ERANGE, "sum: got axes 0x4 of [2,3], want bits 0 to 1 at most"),
    ROW(sum_indices, EDTYPE, "sum: got i32, want f32 or f64 (tl_cast converts)"),
    ROW(op_incomplete, EINVAL,
        "mine: the descriptor of this operation has no kernel: run is missing"),
    ROW(op_dtype, EDTYPE, "mine: there is no kernel from f32 to f32"),
    ROW(op_operands, EINVAL, "add: got 1 operands, want 2"),
    ROW(op_no_operands, EINVAL, "add: got 0 operands, want 2"),
    ROW(no_attributes, EINVAL,
        "check_range: got attributes of ni 2 (i NULL), nr 0 (r NULL), want counts of 0 or more and "
        "arrays of that many"),
    ROW(assemble_nowhere, EINVAL, "assemble: no offsets (NULL), want 1"),
    ROW(check_range_dtype, EDTYPE, "check_range: got f32, want i32"),
    ROW(check_range_value, ERANGE, "check_range: got 0 as element 0, want 1 to 5"),
    ROW(assemble_dtype, EDTYPE, "assemble: got f64 as piece 1, want f32 as piece 0"),
    ROW(assemble_outside, ESHAPE, "assemble: got [1,3] at [2,0] as piece 1, want a part of [2,3]"),
    ROW(assemble_shape, ESHAPE, "assemble: invalid or too large shape [2,-3]"),
};

static const left_out core_left_out = {"the tape is being run",
                                       "a kernel would have to call the library while it runs"};

/* Of these the messages are in other tables. */
static const char *const elsewhere_tested[] = {
    "backward.c", "cut.c",         "effect.c",   "grad.c",     "leaf.c",         "read.c",
    "sweep.c",    "tape.c",        "threads.c",  "scan.c",     "scan_result.c",  "scan_adjoint.c",
    "file.c",     "safetensors.c", "weights.c",  "convert.c",  "meta.c",         "param.c",
    "print.c",    "draw.c",        "draw_svg.c", "draw_dot.c", "draw_latex.c",   "freeze.c",
    "program.c",  "session.c",     "forward.c",  "tangent.c",  "tangent_scan.c", NULL,
};

Test(messages_core, say_what_came_and_what_was_wanted)
{
    make_things();
    walk_rows(COUNT(rows), rows);
    free_things();
}

Test(messages_core, no_message_without_a_row)
{
    make_things();
    walk_rows(COUNT(rows), rows);
    free_things();
    check_sources("core", 0, elsewhere_tested, 1, &core_left_out);
}
