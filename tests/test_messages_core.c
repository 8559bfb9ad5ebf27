/* test_messages_core.c -- every message of the tape, its values, gradients and effects, and of the
 * operations that live in core. Scans are in test_messages_scan.c, files in test_messages_files.c. */
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
RECORDS(outer_too_large,
        tl_outer(tl_zeros(tape, TL_F32, tl_shape1(INT64_MAX / 16)),
                 tl_zeros(tape, TL_F32, tl_shape1(INT64_MAX / 16))))
RECORDS(unknown_dtype, tl_scalar(tape, (tl_dtype)9, 0))
RECORDS(bind_shape, tl_bind(tape, weight, tl_zeros(tape, TL_F32, tl_shape1(3))))
RECORDS(bind_dtype, tl_bind(tape, weight, tl_zeros(tape, TL_F64, tl_shape1(2))))
RECORDS(bind_tape, tl_bind(tape, weight, elsewhere()))

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
static double wide[8];

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

/* An operation of the user's that says neither how it is differentiated nor that it is not. */
static const tl_op unfinished = {.name = "unfinished", .kind = TL_VIEW};

static int grad_no_rule(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_tensor x = zeros(tape, 2, 3);
    return grad_of(tape, tl_record(&unfinished, 1, &x, NULL), x);
}

static int refuses(tl_infer *q)
{
    (void)q;
    return TL_ESHAPE;
}

static const tl_op silent = {.name = "silent", .kind = TL_VIEW, .shape = refuses};

RECORDS(own_op_silent, tl_tensor x = zeros(tape, 2, 3); tl_record(&silent, 1, &x, NULL))

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

/* ---- parameters and states ------------------------------------------------------------------- */

static int params_dtype(tl_tape *tape, tl_err *err)
{
    (void)tape, (void)err;
    return tl_params_new(TL_I32) ? TL_OK : TL_EDTYPE;
}

MAKES(param_no_set, tl_param_new(NULL, "W", tl_shape1(2), err))
MAKES(param_no_name, tl_param_new(params, "", tl_shape1(2), err))
MAKES(param_shape, tl_param_new(params, "U", tl_shape2(2, -3), err))
MAKES(param_twice, tl_param_new(params, "W", tl_shape1(2), err))
RETURNS(param_get_count, tl_param_get_f64(weight, wide, 3))
RETURNS(param_set_nothing, tl_param_set_f32(weight, NULL, 2))
RETURNS(param_no_grad, tl_param_grad_f64(weight, wide, 2))

static int state_shape(tl_tape *tape, tl_err *err)
{
    (void)tape, (void)err;
    return tl_state_new(TL_F32, tl_shape1(-1)) ? TL_OK : TL_ESHAPE;
}

static int state_dtype(tl_tape *tape, tl_err *err)
{
    (void)tape, (void)err;
    return tl_state_new((tl_dtype)9, tl_shape1(2)) ? TL_OK : TL_EDTYPE;
}

static int of_index_state(int (*call)(tl_state *s))
{
    tl_state *s = tl_state_new(TL_I32, tl_shape1(2));
    int code = call(s);
    tl_state_free(s);
    return code;
}

static int get_f64(tl_state *s)
{
    return tl_state_get_f64(s, wide, 2);
}

static int set_f64(tl_state *s)
{
    return tl_state_set_f64(s, wide, 2);
}

RETURNS(state_get_dtype, of_index_state(get_f64))
RETURNS(state_set_dtype, of_index_state(set_f64))
RETURNS(state_get_count, tl_state_get_f64(state, wide, 1))

/* ---- printing -------------------------------------------------------------------------------- */

/* full -- writes to a device that is always full. */
static int full(int code_of(FILE *file))
{
    FILE *file = fopen("/dev/full", "w");
    cr_assert_not_null(file);
    setvbuf(file, NULL, _IONBF, 0);
    int code = code_of(file);
    fclose(file);
    return code;
}

static tl_tape *to_print;

static int print_tensor_to(FILE *file)
{
    return tl_tensor_print(zeros(to_print, 2, 3), file);
}

static int print_tape_to(FILE *file)
{
    zeros(to_print, 2, 3);
    return tl_tape_print(to_print, NULL, file);
}

RETURNS(print_tensor_full, (to_print = tape, full(print_tensor_to)))
RETURNS(print_tape_full, (to_print = tape, full(print_tape_to)))

/* ---- operations of core ---------------------------------------------------------------------- */

RECORDS(add_shapes, tl_add(zeros(tape, 2, 3), zeros(tape, 2, 4)))
RECORDS(add_dtypes, tl_add(zeros(tape, 2, 3), tl_zeros(tape, TL_F64, tl_shape2(2, 3))))
RECORDS(add_indices, tl_add(ints(tape, 2), ints(tape, 2)))
RECORDS(where_dtypes, tl_where(ints(tape, 2), zeros(tape, 2, 2), tl_zeros(tape, TL_F64, tl_shape0())))
RECORDS(where_shapes, tl_where(ints(tape, 3), zeros(tape, 2, 2), zeros(tape, 2, 2)))
RECORDS(reshape_count, tl_reshape(zeros(tape, 2, 3), tl_shape2(4, -1)))
RECORDS(broadcast_shape, tl_broadcast_to(zeros(tape, 2, 3), tl_shape1(3)))
RECORDS(slice_axis, tl_slice(zeros(tape, 2, 3), 2, 0, 1))
RECORDS(slice_range, tl_slice(zeros(tape, 2, 3), 1, 2, 2))
RECORDS(sum_to_shape, tl_sum_to(zeros(tape, 2, 3), tl_shape1(2)))
RECORDS(sum_keep_axes, tl_sum_keep(zeros(tape, 2, 3), 4))
RECORDS(sum_indices, tl_sum_keep(ints(tape, 3), 1))
RECORDS(check_range_dtype, tl_check_range(zeros(tape, 2, 3), 0, 1))
RECORDS(check_range_value, tl_item(tl_sum_all(tl_cast(tl_check_range(ints(tape, 3), 1, 5), TL_F32))))

static void assemble(tl_tape *tape, tl_shape shape, tl_dtype second, int64_t at)
{
    tl_tensor piece[] = {zeros(tape, 1, 3), tl_zeros(tape, second, tl_shape2(1, 3))};
    const int64_t offset[2][TL_MAX_RANK] = {{0, 0}, {at, 0}};
    tl_assemble(shape, 2, piece, offset);
}

RECORDS(assemble_dtype, assemble(tape, tl_shape2(2, 3), TL_F64, 1))
RECORDS(assemble_outside, assemble(tape, tl_shape2(2, 3), TL_F32, 2))
RECORDS(assemble_shape, assemble(tape, tl_shape2(2, -3), TL_F32, 1))

/* ---- the table ------------------------------------------------------------------------------- */

/* clang-format off */
static const row rows[] = {
    ROW(input_bad_shape, ESHAPE, "?"),
    ROW(input_no_data, EINVAL, "?"),
    ROW(broadcast_too_large, ESHAPE, "?"),
    ROW(zeros_too_large, ESHAPE, "?"),
    ROW(outer_too_large, ESHAPE, "?"),
    ROW(unknown_dtype, EDTYPE, "?"),
    ROW(bind_shape, ESHAPE, "?"),
    ROW(bind_dtype, EDTYPE, "?"),
    ROW(bind_tape, ETAPE, "?"),
    ROW(two_tapes, ETAPE, "?"),
    ROW(two_tapes_second, ETAPE, "?"),
    ROW(dead_named, EDEAD, "?"),
    ROW(dead_unnamed, EDEAD, "?"),
    ROW(dead_long_ago, EDEAD, "?"),
    ROW(of_a_body, EFRAME, "?"),
    ROW(of_a_body_shaped, EFRAME, "?"),
    ROW(scope_in_front, ESHAPE, "?"),
    ROW(scope_not_open, ESTATE, "?"),
    ROW(no_grad_not_open, ESTATE, "?"),
    ROW(draws_in_scan, EFRAME, "?"),
    ROW(reset_in_scan, ESTATE, "?"),
    ROW(reset_in_no_grad, ESTATE, "?"),
    ROW(reset_with_keep, ESTATE, "?"),
    ROW(reset_with_assign, ESTATE, "?"),
    ROW(release_with_gradient, ESTATE, "?"),
    ROW(release_bad_mark, EINVAL, "?"),
    ROW(read_dtype, EDTYPE, "?"),
    ROW(read_count, ESHAPE, "?"),
    ROW(read_nowhere, ESHAPE, "?"),
    ROW(item_shape, ESHAPE, "?"),
    ROW(read_of_body, EFRAME, "?"),
    ROW(read_in_scan, EFRAME, "?"),
    ROW(eval_two_tapes, ETAPE, "?"),
    ROW(grad_inert, EINVAL, "?"),
    ROW(grad_two_tapes, ETAPE, "?"),
    ROW(grad_two_tapes_second, ETAPE, "?"),
    ROW(grad_of_body, EFRAME, "?"),
    ROW(grad_by_index, EDTYPE, "?"),
    ROW(grad_seed, ESHAPE, "?"),
    ROW(grad_seed_dtype, ESHAPE, "?"),
    ROW(grad_no_rule, ENOGRAD, "?"),
    ROW(own_op_silent, ESHAPE, "?"),
    ROW(backward_shape, ESHAPE, "?"),
    ROW(backward_in_scan, EFRAME, "?"),
    ROW(set_grad_shape, ESHAPE, "?"),
    ROW(set_grad_dtype, EDTYPE, "?"),
    ROW(set_grad_tape, ETAPE, "?"),
    ROW(assign_shape, ESHAPE, "?"),
    ROW(assign_dtype, EDTYPE, "?"),
    ROW(keep_shape, ESHAPE, "?"),
    ROW(keep_of_body, EFRAME, "?"),
    ROW(keep_in_scan, EFRAME, "?"),
    ROW(commit_in_scan, EFRAME, "?"),
    ROW(params_dtype, EDTYPE, "?"),
    ROW(param_no_set, EINVAL, "?"),
    ROW(param_no_name, ENAME, "?"),
    ROW(param_shape, ESHAPE, "?"),
    ROW(param_twice, ENAME, "?"),
    ROW(param_get_count, ESHAPE, "?"),
    ROW(param_set_nothing, EINVAL, "?"),
    ROW(param_no_grad, ESTATE, "?"),
    ROW(state_shape, ESHAPE, "?"),
    ROW(state_dtype, EDTYPE, "?"),
    ROW(state_get_dtype, EDTYPE, "?"),
    ROW(state_set_dtype, EDTYPE, "?"),
    ROW(state_get_count, ESHAPE, "?"),
    ROW(print_tensor_full, EIO, "?"),
    ROW(print_tape_full, EIO, "?"),
    ROW(add_shapes, ESHAPE, "?"),
    ROW(add_dtypes, EDTYPE, "?"),
    ROW(add_indices, EDTYPE, "?"),
    ROW(where_dtypes, EDTYPE, "?"),
    ROW(where_shapes, ESHAPE, "?"),
    ROW(reshape_count, ESHAPE, "?"),
    ROW(broadcast_shape, ESHAPE, "?"),
    ROW(slice_axis, ERANGE, "?"),
    ROW(slice_range, ERANGE, "?"),
    ROW(sum_to_shape, ESHAPE, "?"),
    ROW(sum_keep_axes, ERANGE, "?"),
    ROW(sum_indices, EDTYPE, "?"),
    ROW(check_range_dtype, EDTYPE, "?"),
    ROW(check_range_value, ERANGE, "?"),
    ROW(assemble_dtype, EDTYPE, "?"),
    ROW(assemble_outside, ESHAPE, "?"),
    ROW(assemble_shape, ESHAPE, "?"),
};
/* clang-format on */

static const left_out core_left_out[] = {
    {"the tape is being run", "a kernel would have to call the library while it runs"},
    {"a scan has no value of its own", "no public call returns the tensor of a loop"},
};

/* Of these the messages are in the other two tables. */
static const char *const elsewhere_tested[] = {
    "scan.c", "scan_result.c", "scan_adjoint.c", "file.c", "safetensors.c", "weights.c",
    "convert.c", "meta.c", NULL,
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
