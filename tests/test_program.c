/* test_program.c -- naming the values of a program: what is refused, and in which words; asking
 * for them. */
#include "core/print.h"
#include "core/scan.h"
#include "ops/ops.h"
#include "tests/programtest.h"

/* expect_mistake -- close returns this, with a message that contains `words`; the tape is as it
 * was. Frees both. */
static void expect_mistake(tl_program *p, tl_tape *tape, int code, const char *words)
{
    tl_err err = {0};
    cr_assert_eq(tl_program_close(p, &err), code, "got %d: %s", err.code, err.message);
    cr_assert_eq(err.code, code);
    cr_assert_not_null(strstr(err.message, words), "got \"%s\", want \"%s\"", err.message, words);
    cr_assert_null(tl_session_new(p, &err));
    cr_assert_eq(err.code, TL_ESTATE);
    assert_ok(tape);
    tl_program_free(p);
    tl_tape_free(tape);
}

Test(program, names_give_indices_shapes_and_types)
{
    tl_tape *tape = check_tape(1);
    tl_tensor x = tl_zeros(tape, TL_F32, tl_shape2(2, 3)), i = tl_zeros(tape, TL_I32, tl_shape1(4)),
              h = tl_zeros(tape, TL_F64, tl_shape0());
    tl_program *p = tl_program_new(tape, "p");
    cr_assert_eq(tl_program_input(p, "x", x), TL_OK);
    cr_assert_eq(tl_program_state(p, "h", h, tl_neg(h)), TL_OK);
    cr_assert_eq(tl_program_input(p, "i", i), TL_OK);
    cr_assert_eq(tl_program_output(p, "y", tl_exp(x)), TL_OK);
    cr_assert_eq(tl_program_close(p, NULL), TL_OK);
    tl_tape_free(tape);
    cr_assert_eq(tl_program_count(p), 4);
    cr_assert_eq(tl_program_find(p, "x"), 0);
    cr_assert_eq(tl_program_find(p, "h"), 1);
    cr_assert_eq(tl_program_find(p, "i"), 2);
    cr_assert_eq(tl_program_find(p, "y"), 3);
    cr_assert_eq(tl_program_find(p, "z"), TL_ENAME);
    cr_assert_eq(tl_program_find(p, NULL), TL_ENAME);
    cr_assert_str_eq(tl_program_name(p, 2), "i");
    cr_assert_null(tl_program_name(p, 4));
    cr_assert_null(tl_program_name(p, -1));
    cr_assert(tl_shape_equal(tl_program_shape(p, 3), tl_shape2(2, 3)));
    cr_assert_eq(tl_program_shape(p, 4).rank, -1);
    cr_assert_eq(tl_program_dtype(p, 2), TL_I32);
    cr_assert_eq(tl_program_dtype(p, 1), TL_F64);
    tl_program_free(p);
}

Test(program, without_a_program_nothing_happens)
{
    tl_err err = {0};
    cr_assert_null(tl_program_new(NULL, "p"));
    cr_assert_eq(tl_program_input(NULL, "x", (tl_tensor){0}), TL_EINVAL);
    cr_assert_eq(tl_program_close(NULL, &err), TL_EINVAL);
    cr_assert_not_null(strstr(err.message, "no program"));
    cr_assert_eq(tl_program_count(NULL), 0);
    cr_assert_eq(tl_program_find(NULL, "x"), TL_ENAME);
    cr_assert_null(tl_session_new(NULL, &err));
    tl_program_free(NULL);
}

Test(program, a_name_is_needed_and_taken_once)
{
    tl_tape *tape = check_tape(1);
    tl_tensor x = tl_ones(tape, TL_F64, tl_shape1(2));
    tl_program *p = tl_program_new(tape, NULL);
    tl_program_input(p, "x", x);
    cr_assert_eq(tl_program_output(p, "x", tl_exp(x)), TL_ENAME);
    expect_mistake(p, tape, TL_ENAME,
                   "tl_program_output: the program already has an input named \"x\"");
    for (int k = 0; k < 2; k++) {
        tape = check_tape(1);
        p = tl_program_new(tape, NULL);
        cr_assert_eq(tl_program_input(p, k ? "" : NULL, tl_ones(tape, TL_F64, tl_shape1(2))),
                     TL_ENAME);
        expect_mistake(p, tape, TL_ENAME, "tl_program_input: a value of a program needs a name");
    }
}

Test(program, a_value_is_input_or_state_once)
{
    tl_tape *tape = check_tape(1);
    tl_tensor x = tl_ones(tape, TL_F64, tl_shape1(2));
    tl_program *p = tl_program_new(tape, NULL);
    tl_program_input(p, "x", x);
    cr_assert_eq(tl_program_state(p, "h", x, tl_exp(x)), TL_EINVAL);
    expect_mistake(p, tape, TL_EINVAL, "got for \"h\" what is \"x\" already");
}

Test(program, the_next_state_has_the_shape_and_type_of_the_state)
{
    tl_tape *tape = check_tape(1);
    tl_tensor h = tl_ones(tape, TL_F64, tl_shape2(1, 4));
    tl_program *p = tl_program_new(tape, NULL);
    tl_program_state(p, "h", h, tl_chunk(h, 2, 0));
    expect_mistake(p, tape, TL_ESHAPE,
                   "tl_program_state: got f64 [1,2] as the next \"h\", which is f64 [1,4]");
    tape = check_tape(1);
    h = tl_ones(tape, TL_F64, tl_shape2(1, 4));
    p = tl_program_new(tape, NULL);
    tl_program_state(p, "h", h, tl_cast(h, TL_F32));
    expect_mistake(p, tape, TL_EDTYPE, "got f32 [1,4] as the next \"h\", which is f64 [1,4]");
}

Test(program, nothing_to_compute)
{
    tl_tape *tape = check_tape(1);
    tl_program *p = tl_program_new(tape, NULL);
    tl_program_input(p, "x", tl_ones(tape, TL_F64, tl_shape1(2)));
    expect_mistake(p, tape, TL_EINVAL, "nothing to compute");
}

Test(program, values_are_alive_outside_scans_and_on_the_tape_of_the_program)
{
    tl_tape *tape = check_tape(1), *other = check_tape(1);
    tl_program *p = tl_program_new(tape, NULL);
    tl_program_output(p, "y", tl_ones(other, TL_F64, tl_shape1(2)));
    expect_mistake(p, tape, TL_ETAPE, "\"y\" lives on another tape");
    tl_tape_free(other);

    tape = check_tape(1);
    p = tl_program_new(tape, NULL);
    cr_assert_eq(tl_program_output(p, "y", (tl_tensor){0}), TL_EINVAL);
    expect_mistake(p, tape, TL_EINVAL, "got the inert tensor for \"y\"");

    tape = check_tape(1);
    tl_tensor gone = tl_ones(tape, TL_F64, tl_shape1(2));
    tl_tape_reset(tape);
    p = tl_program_new(tape, NULL);
    cr_assert_eq(tl_program_output(p, "y", gone), TL_EDEAD);
    expect_mistake(p, tape, TL_EDEAD, "\"y\" is gone");

    tape = check_tape(1);
    p = tl_program_new(tape, NULL);
    const uint32_t mark = tl_tape_mark(tape);
    cr_assert_eq(tl_program_output(p, "y", tl_ones(tape, TL_F64, tl_shape1(2))), TL_OK);
    tl_tape_release(tape, mark);
    expect_mistake(p, tape, TL_EDEAD, "tl_program_close: \"y\" is gone");

    tape = check_tape(1);
    p = tl_program_new(tape, NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, tl_zeros(tape, TL_F64, tl_shape1(2))), h1 = tl_exp(h);
    tl_scan_next(s, h, h1);
    tl_scan_close(s);
    cr_assert_eq(tl_program_output(p, "y", h1), TL_EFRAME);
    expect_mistake(p, tape, TL_EFRAME, "a value of a scan's body; ask tl_scan_last");
}

Test(program, not_inside_an_open_scan)
{
    tl_tape *tape = check_tape(1);
    tl_program *p = tl_program_new(tape, NULL);
    tl_program_output(p, "y", tl_ones(tape, TL_F64, tl_shape1(2)));
    tl_scan_open(tape, 3, NULL);
    expect_mistake(p, tape, TL_EFRAME, "inside an open scan");
}

Test(program, a_tape_with_an_error_says_so)
{
    tl_tape *tape = check_tape(1);
    tl_err err = {0};
    tl_program *p = tl_program_new(tape, NULL);
    tl_tensor a = tl_ones(tape, TL_F64, tl_shape1(2)), b = tl_ones(tape, TL_F64, tl_shape1(3));
    cr_assert_eq(tl_program_output(p, "y", tl_mul(a, b)), TL_ESHAPE);
    cr_assert_eq(tl_program_close(p, &err), TL_ESHAPE);
    cr_assert_not_null(strstr(err.message, "tl_program_output: the tape has an error: mul: got"),
                       "%s", err.message);
    tl_program_free(p);
    tl_tape_free(tape);
}

Test(program, what_inputs_are_on_the_tape_may_fail)
{
    tl_tape *tape = check_tape(1);
    tl_err err = {0};
    const int32_t index[] = {7};
    tl_program *p = tl_program_new(tape, NULL);
    tl_tensor row =
        tl_gather(tl_ones(tape, TL_F64, tl_shape2(3, 2)), tl_input_i32(tape, tl_shape1(1), index));
    tl_program_input(p, "row", row);
    tl_program_output(p, "y", tl_exp(row));
    cr_assert_eq(tl_program_close(p, &err), TL_ERANGE);
    cr_assert_not_null(strstr(err.message, "gather: got index 7"), "%s", err.message);
    tl_program_free(p);
    tl_tape_free(tape);
}

/* A leaf of a user's own that was never given a value. */
static const tl_op empty_leaf = {.name = "empty", .kind = TL_LEAF, .no_gradient = 1};

Test(program, a_leaf_without_a_value_is_named)
{
    tl_tape *tape = check_tape(1);
    tl_tensor leaf = tl_record_source(tape, &empty_leaf, TL_F64, tl_shape1(2), NULL);
    tl_program *p = tl_program_new(tape, NULL);
    tl_program_output(p, "y", tl_exp(leaf));
    expect_mistake(p, tape, TL_EUNSUPPORTED, "tl_program_close: empty has no value");
}

Test(program, is_closed_once_and_runs_when_closed)
{
    tl_tape *tape = check_tape(1);
    tl_err err = {0};
    tl_program *p = tl_program_new(tape, NULL);
    tl_tensor y = tl_ones(tape, TL_F64, tl_shape1(2));
    tl_program_output(p, "y", y);
    cr_assert_null(tl_session_new(p, &err));
    cr_assert_eq(err.code, TL_ESTATE);
    cr_assert_not_null(strstr(err.message, "not closed"), "%s", err.message);
    cr_assert_null(tl_program_text(p));
    cr_assert_eq(tl_program_close(p, NULL), TL_OK);
    char *text = tl_program_text(p);
    cr_assert_not_null(strstr(text, "instructions"), "%s", text);
    tl_string_free(text);
    cr_assert_eq(tl_program_close(p, &err), TL_ESTATE);
    cr_assert_eq(tl_program_output(p, "z", y), TL_ESTATE);
    tl_session *s = tl_session_new(p, &err);
    cr_assert_not_null(s, "%s", err.message);
    tl_session_free(s);
    tl_program_free(p);
    tl_tape_free(tape);
}
