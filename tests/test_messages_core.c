/* test_messages_core.c -- every message of the tape, its values, gradients and effects, and of the
 * operations that live in core. Scans, parameters and files have tables of their own. */
#include "tests/messages.h"

/* ---- helpers --------------------------------------------------------------------------------- */

static tl_tensor zeros(tl_tape *tape, int64_t a, int64_t b)
{
    return tl_zeros(tape, TL_F32, tl_shape2(a, b));
}

static tl_tensor ints(tl_tape *tape, int64_t n)
{
    return tl_zeros(tape, TL_I32, tl_shape1(n));
}

static tl_params *params; /* one set for all rows, with one parameter */
static tl_param *weight;  /* "W" f32 [2] */
static tl_state *state;   /* f32 [2] */
static tl_tape *other;    /* a second tape */

static void make_things(void)
{
    params = tl_params_new(TL_F32);
    weight = tl_param_new(params, "W", tl_shape1(2), NULL);
    state = tl_state_new(TL_F32, tl_shape1(2));
    other = check_tape(2);
}

static void free_things(void)
{
    tl_tape_free(other);
    tl_state_free(state);
    tl_params_free(params);
}

/* elsewhere -- a tensor of the second tape. */
static tl_tensor elsewhere(void)
{
    cr_assert_eq(tl_tape_reset(other), TL_OK);
    return tl_zeros(other, TL_F32, tl_shape1(2));
}

/* body_value -- a value of the body of a closed scan. */
static tl_tensor body_value(tl_tape *tape)
{
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, tl_zeros(tape, TL_F32, tl_shape1(2)));
    tl_tensor next = tl_name(tl_add(h, h), "h1");
    tl_scan_next(s, h, next);
    tl_scan_close(s);
    return next;
}

/* ---- leaves ---------------------------------------------------------------------------------- */

RECORDS(input_bad_shape, tl_input_f32(tape, tl_shape2(2, -1), NULL))
RECORDS(input_no_data, tl_input_f64(tape, tl_shape2(2, 3), NULL))
RECORDS(broadcast_too_large, tl_broadcast_to(tl_scalar(tape, TL_F32, 0), tl_shape1(-2)))
RECORDS(zeros_too_large, tl_zeros(tape, TL_F32, tl_shape2(INT64_MAX / 2, INT64_MAX / 2)))
RECORDS(outer_too_large, tl_outer(tl_zeros(tape, TL_F32, tl_shape1(INT64_MAX / 16)),
                                  tl_zeros(tape, TL_F32, tl_shape1(INT64_MAX / 16))))
RECORDS(unknown_dtype, tl_scalar(tape, (tl_dtype)9, 0))
RECORDS(bind_shape, tl_bind(tape, weight, tl_zeros(tape, TL_F32, tl_shape1(3))))
RECORDS(bind_dtype, tl_bind(tape, weight, tl_zeros(tape, TL_F64, tl_shape1(2))))
RECORDS(bind_tape, tl_bind(tape, weight, elsewhere()))

/* ---- cuts ------------------------------------------------------------------------------------ */

static int cut_inert(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_tensor t = {0};
    return tl_cut(tape, 1, &t, 0, NULL);
}

static int cut_elsewhere(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_tensor t = elsewhere();
    return tl_cut(tape, 1, &t, 0, NULL);
}

static int cut_in_body(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_tensor t = body_value(tape);
    return tl_cut(tape, 0, NULL, 1, &t);
}

/* ---- operands -------------------------------------------------------------------------------- */

RECORDS(two_tapes, tl_add(tl_zeros(tape, TL_F32, tl_shape1(2)), elsewhere()))

static int two_tapes_second(tl_tape *tape, tl_err *err)
{
    tl_add(tl_zeros(tape, TL_F32, tl_shape1(2)), elsewhere());
    return of_the_other(tape, other, err);
}

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

/* ---- the tape -------------------------------------------------------------------------------- */

RECORDS(scope_not_open, tl_scope_close(tape))
RECORDS(no_grad_not_open, tl_no_grad_close(tape))
RECORDS(draws_in_scan, tl_scan_open(tape, 2, NULL); tl_set_draws(tape, 7))

static int closed_then(tl_tape *tape, int code, tl_scan s)
{
    tl_scan_close(s);
    return tl_tape_status(tape) ? tl_tape_status(tape) : code;
}

static int reset_in_scan(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_scan s = tl_scan_open(tape, 2, NULL);
    return closed_then(tape, tl_tape_reset(tape), s);
}

static int reset_in_no_grad(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_no_grad_open(tape);
    int code = tl_tape_reset(tape);
    tl_no_grad_close(tape);
    return code;
}

/* refused -- what a function says while an effect is queued, which is then committed. */
static int refused(tl_tape *tape, int (*call)(tl_tape *tape))
{
    int code = call(tape);
    return tl_commit(tape) == TL_OK ? code : tl_tape_status(tape);
}

static int release_all(tl_tape *tape)
{
    return tl_tape_release(tape, 0);
}

static int reset_with_keep(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_keep(state, tl_zeros(tape, TL_F32, tl_shape1(2)));
    return refused(tape, tl_tape_reset);
}

static int reset_with_assign(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_assign(weight, tl_zeros(tape, TL_F32, tl_shape1(2)));
    return refused(tape, tl_tape_reset);
}

static int release_with_gradient(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_backward(tl_sum_all(tl_use(tape, weight)));
    int code = refused(tape, release_all);
    tl_param_clear_grad(weight);
    return code;
}

RETURNS(release_bad_mark, tl_tape_release(tape, 10))

/* ---- reading --------------------------------------------------------------------------------- */

static float room[8];

RETURNS(read_dtype, tl_read_f32(tl_zeros(tape, TL_F64, tl_shape1(2)), room, 2))
RETURNS(read_count, tl_read_f32(zeros(tape, 2, 3), room, 5))
RETURNS(read_nowhere, tl_read_f32(zeros(tape, 2, 3), NULL, 6))
RECORDS(item_shape, tl_item(zeros(tape, 2, 3)))
RETURNS(read_of_body, tl_read_f32(body_value(tape), room, 2))

static int read_in_scan(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_tensor x = tl_zeros(tape, TL_F32, tl_shape1(2));
    tl_scan_open(tape, 2, NULL);
    return tl_read_f32(x, room, 2);
}

static int eval_two_tapes(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_tensor t[] = {tl_zeros(tape, TL_F32, tl_shape1(2)), elsewhere()};
    return tl_eval(2, t);
}

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

RETURNS(grad_seed, grad_seed_with(tape, zeros(tape, 3, 2)))
RETURNS(grad_seed_dtype, grad_seed_with(tape, tl_zeros(tape, TL_F64, tl_shape2(2, 3))))

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

RETURNS(backward_no_parameter, tl_backward(tl_zeros(tape, TL_F32, tl_shape0())))
RETURNS(backward_unreached, tl_backward(tl_sum_all(tl_detach(tl_use(tape, weight)))))
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

RECORDS(assemble_dtype, assemble(tape, tl_shape2(2, 3), TL_F64, 1))
RECORDS(assemble_outside, assemble(tape, tl_shape2(2, 3), TL_F32, 2))
RECORDS(assemble_shape, assemble(tape, tl_shape2(2, -3), TL_F32, 1))

/* ---- threads --------------------------------------------------------------------------------- */

static int too_many_threads(tl_tape *tape, tl_err *err)
{
    (void)tape, (void)err;
    return tl_set_threads(TL_THREADS_MAX + 1);
}

/* ---- the table ------------------------------------------------------------------------------- */

static const row rows[] = {
    ROW(input_bad_shape, ESHAPE, "tl_input: invalid or too large shape [2,-1]"),
    ROW(input_no_data, EINVAL, "tl_input: no data (NULL) for shape [2,3]"),
    ROW(broadcast_too_large, ESHAPE, "broadcast_to: invalid or too large shape [-2]"),
    ROW(zeros_too_large, ESHAPE,
        "tl_full: invalid or too large shape [4611686018427387903,4611686018427387903]"),
    ROW(outer_too_large, ESHAPE,
        "contract: invalid or too large shape [576460752303423487,576460752303423487]"),
    ROW(unknown_dtype, EDTYPE, "const: got element type 9, want TL_F32, TL_F64 or TL_I32"),
    ROW(bind_shape, ESHAPE, "tl_bind: got f32 [3], but W is f32 [2]"),
    ROW(bind_dtype, EDTYPE, "tl_bind: got f64 [2], but W is f32 [2]"),
    ROW(bind_tape, ETAPE, "tl_bind: the tensor for W lives on another tape"),
    ROW(two_tapes, ETAPE,
        "add: operand 1 lives on another tape than operand 0 (record both "
        "on one, or read its numbers and take them in by tl_input_f32)"),
    ROW(two_tapes_second, ETAPE, "add: operand 1 lives on this tape, operand 0 on another"),
    ROW(dead_named, EDEAD,
        "tanh: h, recorded in encoder at step 0, is gone: its tape was reset or released (carry "
        "values over with tl_keep, or read them before)"),
    ROW(dead_unnamed, EDEAD,
        "tanh: broadcast_to, recorded at step 0, is gone: its tape was reset or released (carry "
        "values over with tl_keep, or read them before)"),
    ROW(dead_long_ago, EDEAD,
        "tanh: slot 1 of an earlier step is gone: its tape was reset or released"),
    ROW(of_a_body, EFRAME,
        "tanh: operand 0, h1 (recorded in scan), belongs to the body of scan \"scan\"; outside it "
        "ask tl_scan_last, tl_scan_stacked or tl_scan_summed"),
    ROW(of_a_body_shaped, EFRAME,
        "reshape: operand 0, h1 (recorded in scan), belongs to the body of scan \"scan\"; outside "
        "it ask tl_scan_last, tl_scan_stacked or tl_scan_summed"),
    ROW(scope_in_front, ESHAPE, "lstm/step: matmul: got [32,100] x [128,512], want [m,k] x [k,n]"),
    ROW(scope_not_open, ESTATE, "tl_scope_close: no scope is open"),
    ROW(no_grad_not_open, ESTATE, "tl_no_grad_close: no tl_no_grad_open before it"),
    ROW(draws_in_scan, EFRAME, "scan: tl_set_draws: not allowed inside an open scan"),
    ROW(reset_in_scan, ESTATE, "tl_tape_reset: inside an open scan; tl_scan_close comes first"),
    ROW(reset_in_no_grad, ESTATE, "tl_tape_reset: inside tl_no_grad; tl_no_grad_close comes first"),
    ROW(reset_with_keep, ESTATE,
        "tl_tape_reset: a tl_keep is queued; tl_commit (or an optimizer step) comes first"),
    ROW(reset_with_assign, ESTATE,
        "tl_tape_reset: a tl_assign is queued; tl_commit (or an optimizer step) comes first"),
    ROW(release_with_gradient, ESTATE,
        "tl_tape_release: a gradient of tl_backward is queued; tl_commit (or an optimizer step) "
        "comes first"),
    ROW(release_bad_mark, EINVAL, "tl_tape_release: mark 10, but only 0 nodes are recorded"),
    ROW(read_dtype, EDTYPE,
        "tl_read_f32: got f64 [2], want f32 (tl_cast converts, tl_read_f64 reads it)"),
    ROW(read_count, ESHAPE, "tl_read_f32: got room for 5 elements, shape [2,3] has 6"),
    ROW(read_nowhere, ESHAPE, "tl_read_f32: got room for 0 elements, shape [2,3] has 6"),
    ROW(item_shape, ESHAPE, "tl_item: got [2,3], want a single element"),
    ROW(read_of_body, EFRAME,
        "tl_read_f32: got h1 (recorded in scan), a value of a scan's body; ask tl_scan_stacked"),
    ROW(read_in_scan, EFRAME,
        "scan: tl_read_f32: not allowed inside an open scan: the body has only been recorded, it "
        "runs later (tl_scan_close, then tl_scan_stacked gives the value of every step)"),
    ROW(eval_two_tapes, ETAPE,
        "tl_eval: operand 1 lives on another tape than operand 0 (record both "
        "on one, or read its numbers and take them in by tl_input_f32)"),
    ROW(grad_inert, EINVAL, "tl_grad: input 0 is the inert tensor"),
    ROW(grad_two_tapes, ETAPE, "tl_grad: input 0 lives on another tape than output 0"),
    ROW(grad_two_tapes_second, ETAPE, "tl_grad: input 0 lives on this tape, output 0 on another"),
    ROW(grad_of_body, EFRAME,
        "tl_grad: input 0, h1 (recorded in scan), belongs to the body of scan \"scan\""),
    ROW(grad_by_index, EDTYPE, "tl_grad: input 0, labels, is i32, want f32 or f64"),
    ROW(grad_seed, ESHAPE, "tl_grad: seed 0 is f32 [3,2], want f32 [2,3] as output 0"),
    ROW(grad_seed_dtype, ESHAPE, "tl_grad: seed 0 is f64 [2,3], want f32 [2,3] as output 0"),
    ROW(own_op_silent, ESHAPE, "silent: shapes do not fit"),
    ROW(backward_no_parameter, ENOGRAD,
        "tl_backward: the loss, %0 (const), depends on no parameter: none is used on this tape "
        "(tl_use brings one in)"),
    ROW(backward_unreached, ENOGRAD,
        "tl_backward: the loss, ~ (reshape), depends on none of the 1 unfrozen parameters used on "
        "this "
        "tape (was it recorded inside tl_no_grad, or of tensors that went through tl_detach or "
        "tl_state_use?)"),
    ROW(backward_shape, ESHAPE,
        "tl_backward: the loss has shape [2,3], want a single number (take a sum or mean, or use "
        "tl_grad)"),
    ROW(backward_in_scan, EFRAME, "scan: tl_backward: not allowed inside an open scan; tl_grad is"),
    ROW(set_grad_shape, ESHAPE, "tl_set_param_grad: got f32 [2,3], but W is f32 [2]"),
    ROW(set_grad_dtype, EDTYPE, "tl_set_param_grad: got f64 [2], but W is f32 [2]"),
    ROW(set_grad_tape, ETAPE, "tl_set_param_grad: the gradient for W lives on another tape"),
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
    ROW(check_range_dtype, EDTYPE, "check_range: got f32, want i32"),
    ROW(check_range_value, ERANGE, "check_range: got 0 as element 0, want 1 to 5"),
    ROW(assemble_dtype, EDTYPE, "assemble: got f64 as piece 1, want f32 as piece 0"),
    ROW(assemble_outside, ESHAPE, "assemble: got [1,3] at [2,0] as piece 1, want a part of [2,3]"),
    ROW(assemble_shape, ESHAPE, "assemble: invalid or too large shape [2,-3]"),
    ROW(cut_inert, EINVAL, "tl_cut: at 0 is the inert tensor"),
    ROW(cut_elsewhere, EINVAL, "tl_cut: at 0 is a tensor of another tape"),
    ROW(cut_in_body, EFRAME,
        "tl_cut: keep 0, h1 (recorded in scan), belongs to the body of a scan, want a value "
        "outside (tl_scan_last, tl_scan_stacked)"),
    ROW(too_many_threads, EINVAL, "tl_set_threads: got 65 threads, want 0..64"),
};

static const left_out core_left_out[] = {
    {"this operation has no gradient rule", "tl_record refuses such a descriptor"},
    {"the tape is being run", "a kernel would have to call the library while it runs"},
    {"a scan has no value of its own", "no public call returns the tensor of a loop"},
};

/* Of these the messages are in other tables. */
static const char *const elsewhere_tested[] = {
    "scan.c",
    "scan_result.c",
    "scan_adjoint.c",
    "file.c",
    "safetensors.c",
    "weights.c",
    "convert.c",
    "meta.c",
    "param.c",
    "print.c",
    "draw.c",
    "draw_svg.c",
    "draw_dot.c",
    "draw_latex.c",
    "freeze.c",
    "program.c",
    "session.c",
    "forward.c",
    "tangent.c",
    "tangent_scan.c",
    NULL,
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
    check_sources("core", 0, elsewhere_tested, COUNT(core_left_out), core_left_out);
}
