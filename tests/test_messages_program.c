/* test_messages_program.c -- every message of programs and sessions. */
#include "tests/messages.h"

static float two[2];

/* ---- naming ---------------------------------------------------------------------------------- */

/* program -- an open one in which h, f32 [1,2], is the input "x". */
typedef struct program {
    tl_program *p;
    tl_tensor h;
} program;

static program open_program(tl_tape *tape)
{
    program q = {tl_program_new(tape, "rnn"), tl_zeros(tape, TL_F32, tl_shape2(1, 2))};
    tl_program_input(q.p, "x", q.h);
    return q;
}

/* closes -- the code of closing; frees. */
static int closes(tl_program *p, tl_err *err)
{
    int code = tl_program_close(p, err);
    tl_program_free(p);
    return code;
}

#define NAMES(NAME, ...)                                                                           \
    static int NAME(tl_tape *tape, tl_err *err)                                                    \
    {                                                                                              \
        program q = open_program(tape);                                                            \
        __VA_ARGS__;                                                                               \
        return closes(q.p, err);                                                                   \
    }

NAMES(no_name, tl_program_output(q.p, "", q.h))
NAMES(name_twice, tl_program_output(q.p, "x", q.h))
NAMES(inert, tl_program_output(q.p, "y", (tl_tensor){0}))
NAMES(twice, tl_program_state(q.p, "h", q.h, q.h))
NAMES(no_result, (void)0)

static int open_scan(tl_tape *tape, tl_err *err)
{
    program q = open_program(tape);
    tl_program_output(q.p, "y", q.h);
    tl_scan s = tl_scan_open(tape, 2, NULL);
    int code = closes(q.p, err);
    tl_scan_close(s);
    return code;
}

static int other_tape(tl_tape *tape, tl_err *err)
{
    program q = open_program(tape);
    tl_tape *second = check_tape(1);
    tl_program_output(q.p, "y", tl_zeros(second, TL_F32, tl_shape0()));
    tl_tape_free(second);
    return closes(q.p, err);
}

static int released(tl_tape *tape, tl_err *err)
{
    program q = open_program(tape);
    tl_program_output(q.p, "y", tl_exp(q.h));
    tl_tape_release(tape, 0);
    return closes(q.p, err);
}

static int in_body(tl_tape *tape, tl_err *err)
{
    program q = open_program(tape);
    tl_scan s = tl_scan_open(tape, 2, NULL);
    tl_tensor c = tl_scan_carry(s, q.h), next = tl_exp(c);
    tl_scan_next(s, c, next);
    tl_scan_close(s);
    tl_program_output(q.p, "y", next);
    return closes(q.p, err);
}

static int next_of(tl_tape *tape, tl_err *err, tl_dtype dtype, int64_t n)
{
    program q = open_program(tape);
    tl_tensor h = tl_zeros(tape, TL_F32, tl_shape1(2));
    tl_program_state(q.p, "h", h, tl_zeros(tape, dtype, tl_shape1(n)));
    return closes(q.p, err);
}

RETURNS(next_shape, next_of(tape, err, TL_F32, 3))
RETURNS(next_dtype, next_of(tape, err, TL_F64, 2))
RETURNS(close_nothing, tl_program_close(NULL, err))

static const tl_op empty_leaf = {.name = "empty", .kind = TL_LEAF, .no_gradient = 1};

static int no_value(tl_tape *tape, tl_err *err)
{
    program q = open_program(tape);
    tl_tensor leaf = tl_record_source(tape, &empty_leaf, TL_F32, tl_shape1(2), NULL);
    tl_program_output(q.p, "y", tl_exp(leaf));
    return closes(q.p, err);
}

static int in_anomaly_mode(tl_tape *tape, tl_err *err)
{
    program q = open_program(tape);
    tl_program_output(q.p, "y", tl_ones(tape, TL_F32, tl_shape1(2)));
    tl_anomaly(tape, 1);
    const int code = closes(q.p, err);
    tl_anomaly(tape, 0);
    return code;
}

/* ---- sessions -------------------------------------------------------------------------------- */

/* after -- an err of what a call on a session said; frees the session. */
static int after(tl_session *s, int code, tl_err *err)
{
    err->code = code;
    snprintf(err->message, sizeof err->message, "%s", tl_session_error(s));
    tl_session_free(s);
    return code;
}

/* session -- x f32 [1,2] and y; rows of a table by i, i32 [1]. */
static tl_session *session(tl_tape *tape)
{
    program q = open_program(tape);
    tl_tensor i = tl_zeros(tape, TL_I32, tl_shape1(1));
    tl_program_input(q.p, "i", i);
    tl_scope_open(tape, "look");
    tl_tensor taken = tl_gather(tl_ones(tape, TL_F32, tl_shape2(3, 2)), i);
    tl_scope_close(tape);
    tl_program_output(q.p, "y", tl_add(q.h, taken));
    cr_assert_eq(tl_program_close(q.p, NULL), TL_OK);
    tl_session *s = tl_session_new(q.p, NULL);
    tl_program_free(q.p);
    return s;
}

#define CALLS(NAME, CALL)                                                                          \
    static int NAME(tl_tape *tape, tl_err *err)                                                    \
    {                                                                                              \
        tl_session *s = session(tape);                                                             \
        return after(s, CALL, err);                                                                \
    }

CALLS(unknown, tl_session_set_f32(s, "z", two, 2))
CALLS(other_dtype, tl_session_get_f64(s, "x", NULL, 2))
CALLS(other_count, tl_session_set_f32(s, "x", two, 1))
CALLS(no_array, tl_session_set_f32(s, "x", NULL, 2))
CALLS(set_output, tl_session_set_f32(s, "y", two, 2))
CALLS(out_of_range, (*(int32_t *)tl_session_input(s, 1) = 7, tl_session_step(s)))
MAKES(session_of_nothing, tl_session_new(NULL, err))

static int session_too_early(tl_tape *tape, tl_err *err)
{
    program q = open_program(tape);
    cr_expect_null(tl_session_new(q.p, err));
    tl_program_free(q.p);
    return err->code;
}

static int closed_before(tl_tape *tape, tl_err *err, int name)
{
    program q = open_program(tape);
    tl_program_output(q.p, "y", q.h);
    cr_assert_eq(tl_program_close(q.p, NULL), TL_OK);
    int code = name ? tl_program_output(q.p, "z", q.h) : tl_program_close(q.p, err);
    tl_program_free(q.p);
    return code;
}

RETURNS(close_twice, closed_before(tape, err, 0))
RETURNS(name_closed, closed_before(tape, err, 1))

/* ---- the table ------------------------------------------------------------------------------- */

static const row rows[] = {
    ROW(no_name, ENAME, "tl_program_output: a value of a program needs a name"),
    ROW(name_twice, ENAME, "tl_program_output: the program already has an input named \"x\""),
    ROW(inert, EINVAL, "tl_program_output: got the inert tensor for \"y\""),
    ROW(twice, EINVAL, "tl_program_state: got for \"h\" what is \"x\" already"),
    ROW(no_result, EINVAL,
        "tl_program_close: nothing to compute: the program has neither output nor state"),
    ROW(open_scan, EFRAME, "tl_program_close: inside an open scan; tl_scan_close comes first"),
    ROW(other_tape, ETAPE, "tl_program_output: \"y\" lives on another tape than the program"),
    ROW(released, EDEAD,
        "tl_program_close: \"x\" is gone: its tape was reset or released before the program was "
        "closed"),
    ROW(in_body, EFRAME,
        "tl_program_output: got %~ (exp, recorded in scan) for \"y\", a value of a scan's body; "
        "ask tl_scan_last or tl_scan_stacked"),
    ROW(next_shape, ESHAPE, "tl_program_state: got f32 [3] as the next \"h\", which is f32 [2]"),
    ROW(next_dtype, EDTYPE, "tl_program_state: got f64 [2] as the next \"h\", which is f32 [2]"),
    ROW(close_nothing, EINVAL, "tl_program_close: no program (NULL)"),
    ROW(no_value, EUNSUPPORTED, "tl_program_close: empty has no value"),
    ROW(in_anomaly_mode, EUNSUPPORTED,
        "tl_program_close: the tape is in anomaly mode, which programs do not have; switch it off "
        "(tl_anomaly, TL_ANOMALY)"),
    ROW(close_twice, ESTATE, "tl_program_close: the program is closed"),
    ROW(name_closed, ESTATE, "tl_program_output: the program is closed"),
    ROW(session_of_nothing, EINVAL, "tl_session_new: no program (NULL)"),
    ROW(session_too_early, ESTATE,
        "tl_session_new: the program is not closed; tl_program_close comes first"),
    ROW(unknown, ENAME, "tl_session_set_f32: the program has nothing named \"z\""),
    ROW(other_dtype, EDTYPE, "tl_session_get_f64: got f64 for \"x\", which is f32"),
    ROW(other_count, ESHAPE, "tl_session_set_f32: got 1 elements, but \"x\" is [1,2] with 2"),
    ROW(no_array, EINVAL, "tl_session_set_f32: no array (NULL) for \"x\""),
    ROW(set_output, EINVAL, "tl_session_set_f32: \"y\" is an output, want an input or a state"),
    ROW(out_of_range, ERANGE, "rnn: look: gather: got index 7~"),
};

static const left_out not_shown[] = {
    {"the tape has an error", "a row shows the tape's own message: test_program.c"},
};

static const char *const here[] = {"freeze.c", "program.c", "session.c", NULL};

Test(messages_program, say_what_came_and_what_was_wanted)
{
    walk_rows(COUNT(rows), rows);
}

Test(messages_program, no_message_without_a_row)
{
    walk_rows(COUNT(rows), rows);
    check_sources("core", 1, here, COUNT(not_shown), not_shown);
}
