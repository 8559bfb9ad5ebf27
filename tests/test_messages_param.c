/* test_messages_param.c -- every message of parameters and states off the tape, and of printing. */
#include "tests/messages.h"

static tl_params *params; /* one parameter, "W" f32 [2] */
static tl_param *weight;
static tl_state *state; /* f32 [2] */
static double wide[8];

static tl_tensor zeros(tl_tape *tape, int64_t a, int64_t b)
{
    return tl_zeros(tape, TL_F32, tl_shape2(a, b));
}

static void make_things(void)
{
    params = tl_params_new(TL_F32);
    weight = tl_param_new(params, "W", tl_shape1(2), NULL);
    state = tl_state_new(TL_F32, tl_shape1(2));
}

static void free_things(void)
{
    tl_state_free(state);
    tl_params_free(params);
}

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

static int print_plan_to(FILE *file)
{
    tl_tensor x = tl_neg(zeros(to_print, 2, 3));
    cr_assert_eq(tl_eval(1, &x), TL_OK);
    return tl_plan_print(to_print, file);
}

/* print_no_plan_of -- of a tape that has run nothing. */
static int print_no_plan_of(void)
{
    tl_tape *tape = check_tape(1);
    int code = tl_plan_print(tape, stderr);
    tl_tape_free(tape);
    return code;
}

RETURNS(print_plan_full, (to_print = tape, full(print_plan_to)))
RETURNS(print_no_plan, print_no_plan_of())
RETURNS(print_tensor_full, (to_print = tape, full(print_tensor_to)))
RETURNS(print_tape_full, (to_print = tape, full(print_tape_to)))

RETURNS(print_tensor_nowhere, tl_tensor_print(zeros(tape, 2, 3), NULL))
RETURNS(print_tape_nowhere, tl_tape_print(tape, NULL, NULL))
RETURNS(print_no_tape, tl_tape_print(NULL, NULL, stdout))
RETURNS(print_plan_nowhere, tl_plan_print(tape, NULL))
RETURNS(print_plan_no_tape, tl_plan_print(NULL, stdout))

/* drawn -- the code of a drawing that failed; it has no text. */
static int drawn(char *text, const tl_err *err)
{
    cr_assert_null(text);
    return err->code;
}

static int draw_limit(tl_tape *tape, tl_err *err)
{
    tl_draw_opts o = tl_draw_defaults();
    o.limit = 1;
    tl_neg(tl_name(tl_neg(zeros(tape, 2, 3)), "x"));
    return drawn(tl_tape_svg(tape, &o, err), err);
}

static int draw_svg_no_tape(tl_tape *tape, tl_err *err)
{
    (void)tape;
    return drawn(tl_tape_svg(NULL, NULL, err), err);
}

static int draw_dot_no_tape(tl_tape *tape, tl_err *err)
{
    (void)tape;
    return drawn(tl_tape_dot(NULL, NULL, err), err);
}

static int draw_latex_no_tape(tl_tape *tape, tl_err *err)
{
    (void)tape;
    return drawn(tl_tape_latex(NULL, NULL, err), err);
}

/* ---- the table ------------------------------------------------------------------------------- */

static const row rows[] = {
    ROW(params_dtype, EDTYPE, "tl_params_new: got dtype i32, want f32 or f64"),
    ROW(param_no_set, EINVAL, "tl_param_new: no parameter set (NULL)"),
    ROW(param_no_name, ENAME, "tl_param_new: a parameter needs a name"),
    ROW(param_shape, ESHAPE, "tl_param_new: U has the invalid or too large shape [2,-3]"),
    ROW(param_twice, ENAME, "tl_param_new: the set already has a parameter named W"),
    ROW(param_get_count, ESHAPE, "tl_param_get_f64: got 3 elements, but W is [2] with 2"),
    ROW(param_set_nothing, EINVAL, "tl_param_set_f32: no array (NULL) for W"),
    ROW(param_no_grad, ESTATE,
        "tl_param_grad_f64: W has no stored gradient; tl_backward and tl_commit come first"),
    ROW(state_shape, ESHAPE, "tl_state_new: invalid or too large shape [-1]"),
    ROW(state_dtype, EDTYPE, "tl_state_new: got element type 9, want TL_F32, TL_F64 or TL_I32"),
    ROW(state_get_dtype, EDTYPE, "tl_state_get_f64: the state is i32, want f32 or f64"),
    ROW(state_set_dtype, EDTYPE, "tl_state_set_f64: the state is i32, want f32 or f64"),
    ROW(state_get_count, ESHAPE, "tl_state_get_f64: got 1 elements, but the state is [2] with 2"),
    ROW(print_tensor_full, EIO, "tl_tensor_print: writing failed"),
    ROW(print_tape_full, EIO, "tl_tape_print: writing failed"),
    ROW(print_plan_full, EIO, "tl_plan_print: writing failed"),
    ROW(print_tensor_nowhere, EINVAL, "tl_tensor_print: no file (NULL)"),
    ROW(print_tape_nowhere, EINVAL, "tl_tape_print: no file (NULL)"),
    ROW(print_no_tape, EINVAL, "tl_tape_print: no tape (NULL)"),
    ROW(print_plan_nowhere, EINVAL, "tl_plan_print: no file (NULL)"),
    ROW(print_plan_no_tape, EINVAL, "tl_plan_print: no tape (NULL)"),
    ROW(draw_limit, ERANGE,
        "tl_tape_svg: 2 boxes, want at most 1 (draw a part, from .. to; fewer steps; or change "
        "tl_draw_opts.limit)"),
    ROW(draw_svg_no_tape, EINVAL, "tl_tape_svg: no tape"),
    ROW(draw_dot_no_tape, EINVAL, "tl_tape_dot: no tape"),
    ROW(draw_latex_no_tape, EINVAL, "tl_tape_latex: no tape"),
    ROW(print_no_plan, ESTATE, "tl_plan_print: nothing was run on this tape, or memory is short"),
};

static const char *const here[] = {"param.c",    "print.c",      "draw.c", "draw_svg.c",
                                   "draw_dot.c", "draw_latex.c", NULL};

Test(messages_param, say_what_came_and_what_was_wanted)
{
    make_things();
    walk_rows(COUNT(rows), rows);
    free_things();
}

Test(messages_param, no_message_without_a_row)
{
    make_things();
    walk_rows(COUNT(rows), rows);
    free_things();
    check_sources("core", 1, here, 0, NULL);
}
