/* test_messages_tape.c -- every message of the tape itself: leaves, sections, reset and release, cuts,
 * reading, threads. */
#include "tests/coremessages.h"

/* ---- leaves ---------------------------------------------------------------------------------- */

RECORDS(input_bad_shape, tl_input_f32(tape, tl_shape2(2, -1), NULL))
RECORDS(input_no_data, tl_input_f64(tape, tl_shape2(2, 3), NULL))
RECORDS(broadcast_too_large, tl_broadcast_to(tl_scalar(tape, TL_F32, 0), tl_shape1(-2)))
RECORDS(zeros_too_large, tl_zeros(tape, TL_F32, tl_shape2(INT64_MAX / 2, INT64_MAX / 2)))
RECORDS(outer_too_large, tl_outer(tl_zeros(tape, TL_F32, tl_shape1(INT64_MAX / 16)),
                                  tl_zeros(tape, TL_F32, tl_shape1(INT64_MAX / 16))))
RECORDS(state_use_nothing, tl_state_use(tape, NULL))
RECORDS(use_all_of_none, tl_tensor t[1]; tl_use_all(tape, NULL, t))
RECORDS(use_nothing, tl_use(tape, NULL))
RECORDS(bind_inert, tl_bind(tape, weight, (tl_tensor){0}))
RECORDS(bind_shape, tl_bind(tape, weight, tl_zeros(tape, TL_F32, tl_shape1(3))))
RECORDS(bind_dtype, tl_bind(tape, weight, tl_zeros(tape, TL_F64, tl_shape1(2))))
RECORDS(bind_tape, tl_bind(tape, weight, elsewhere()))

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

RETURNS(eval_nothing, tl_eval(2, NULL))
RETURNS(eval_fewer_than_none, tl_eval(-1, NULL))

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

/* ---- cuts ------------------------------------------------------------------------------------ */

static int cut_inert(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_tensor t = {0};
    return tl_cut(tape, 1, &t, 0, NULL);
}

RETURNS(cut_nothing, tl_cut(tape, 1, NULL, 0, NULL))

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

static int release_before_cut(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_tensor a = tl_tanh(zeros(tape, 2, 3));
    const uint32_t mark = tl_tape_mark(tape);
    tl_tensor b = tl_exp(a);
    tl_cut(tape, 1, &a, 1, &b);
    tl_exp(tl_exp(b));
    return tl_tape_release(tape, mark);
}

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
    ROW(state_use_nothing, EINVAL, "tl_state_use: got no state but NULL"),
    ROW(use_all_of_none, EINVAL, "tl_use_all: got no set of parameters but NULL"),
    ROW(use_nothing, EINVAL,
        "tl_use: got no parameter but NULL (tl_params_find gives that for a name that the set does "
        "not have)"),
    ROW(bind_inert, EINVAL, "tl_bind: the tensor for W is the inert tensor"),
    ROW(bind_shape, ESHAPE, "tl_bind: got f32 [3], but W is f32 [2]"),
    ROW(bind_dtype, EDTYPE, "tl_bind: got f64 [2], but W is f32 [2]"),
    ROW(bind_tape, ETAPE, "tl_bind: the tensor for W lives on another tape"),
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
    ROW(release_before_cut, EINVAL,
        "tl_tape_release: mark ~ was not taken after tl_cut, which "
        "moved the nodes (take it behind the cut; 0 releases all)"),
    ROW(read_dtype, EDTYPE,
        "tl_read_f32: got f64 [2], want f32 (tl_cast converts, tl_read_f64 reads it)"),
    ROW(read_count, ESHAPE, "tl_read_f32: got room for 5 elements, shape [2,3] has 6"),
    ROW(read_nowhere, ESHAPE, "tl_read_f32: got room for 0 elements, shape [2,3] has 6"),
    ROW(eval_nothing, EINVAL, "tl_eval: no operands (NULL), want 2"),
    ROW(eval_fewer_than_none, EINVAL, "tl_eval: got -1 operands, want 1 or more"),
    ROW(item_shape, ESHAPE, "tl_item: got [2,3], want a single element"),
    ROW(read_of_body, EFRAME,
        "tl_read_f32: got h1 (recorded in scan), a value of a scan's body; ask tl_scan_stacked"),
    ROW(read_in_scan, EFRAME,
        "scan: tl_read_f32: not allowed inside an open scan: the body has only been recorded, it "
        "runs later (tl_scan_close, then tl_scan_stacked gives the value of every step)"),
    ROW(eval_two_tapes, ETAPE,
        "tl_eval: operand 1 lives on another tape than operand 0 (record both "
        "on one, or read its numbers and take them in by tl_input_f32)"),
    ROW(cut_inert, EINVAL, "tl_cut: at 0 is the inert tensor"),
    ROW(cut_nothing, EINVAL,
        "tl_cut: got 1 values in at[] (NULL) and 0 in keep[] (NULL), want 0 or more and lists of "
        "that many"),
    ROW(cut_elsewhere, EINVAL, "tl_cut: at 0 is a tensor of another tape"),
    ROW(cut_in_body, EFRAME,
        "tl_cut: keep 0, h1 (recorded in scan), belongs to the body of a scan, want a value "
        "outside (tl_scan_last, tl_scan_stacked)"),
    ROW(too_many_threads, EINVAL, "tl_set_threads: got 65 threads, want 0..64"),
};

static const left_out tape_left_out[] = {
    {"the tape is being run", "a kernel would have to call the library while it runs"},
    {"a scan has no value of its own", "no public call returns the tensor of a loop"},
};

static const char *const files[] = {"cut.c", "leaf.c", "read.c", "tape.c", "threads.c", NULL};

Test(messages_tape, say_what_came_and_what_was_wanted)
{
    make_things();
    walk_rows(COUNT(rows), rows);
    free_things();
}

Test(messages_tape, no_message_without_a_row)
{
    make_things();
    walk_rows(COUNT(rows), rows);
    free_things();
    check_sources("core", 1, files, COUNT(tape_left_out), tape_left_out);
}
