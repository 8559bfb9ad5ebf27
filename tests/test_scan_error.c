/* test_scan_error.c -- every way to get a scan wrong: a code, a sentence, and a tape that goes on
 * after reset. */
#include "tests/scantest.h"

static void refused(tl_tape *tape, int code, const char *words)
{
    cr_assert_eq(tl_tape_status(tape), code, "%s", tl_tape_error(tape));
    cr_assert(strstr(tl_tape_error(tape), words), "\"%s\" is not in \"%s\"", words,
              tl_tape_error(tape));
    cr_assert_eq(tl_tape_reset(tape), TL_OK);
    cr_assert_eq(tape->frame, 0);
    tl_tensor x = numbers(tape, tl_shape1(1), 3); /* and the tape goes on */
    holds(tl_add(x, x), 1, (double[]){6});
    tl_tape_free(tape);
}

Test(scan_error, negative_T)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, -1, NULL);
    cr_assert_null(tl_scan_time(s).tape);
    tl_scan_close(s);
    refused(tape, TL_ERANGE, "T = -1");
}

Test(scan_error, a_carry_without_next)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_name(tl_scan_carry(s, numbers(tape, tl_shape1(1), 1)), "cell state");
    tl_scan_close(s);
    refused(tape, TL_ESTATE, "cell state (recorded in scan) has no next value");
}

Test(scan_error, next_twice)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, numbers(tape, tl_shape1(1), 1));
    tl_scan_next(s, h, h);
    tl_scan_next(s, h, h);
    refused(tape, TL_ESTATE, "has its next value already");
}

Test(scan_error, next_of_another_shape)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_name(tl_scan_carry(s, numbers(tape, tl_shape1(2), 1)), "h");
    tl_scan_next(s, h, numbers(tape, tl_shape1(3), 1));
    refused(tape, TL_ESHAPE, "got [3], but carry h (recorded in scan) is [2]");
}

Test(scan_error, next_of_another_dtype)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, numbers(tape, tl_shape1(1), 1));
    tl_scan_next(s, h, tl_zeros(tape, TL_F32, tl_shape1(1)));
    refused(tape, TL_EDTYPE, "got f32, but carry");
}

Test(scan_error, next_of_what_is_no_carry)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, numbers(tape, tl_shape1(1), 1));
    tl_scan_next(s, tl_exp(h), h);
    refused(tape, TL_EINVAL, "is not a carry of scan \"scan\"");
}

Test(scan_error, an_input_of_the_wrong_length)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_scan_each(s, numbers(tape, tl_shape2(4, 2), 1));
    refused(tape, TL_ESHAPE, "scan: tl_scan_each: got [4,2], want [3,...]");
}

Test(scan_error, an_input_from_inside_the_body)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, numbers(tape, tl_shape1(3), 1));
    tl_scan_each(s, h);
    refused(tape, TL_EFRAME, "tl_scan_each: %");
}

Test(scan_error, results_before_close)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, numbers(tape, tl_shape1(1), 1));
    tl_scan_last(s, h);
    refused(tape, TL_ESTATE, "is still open: tl_scan_close comes first");
}

Test(scan_error, leaves_after_close)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_scan_close(s);
    tl_scan_carry(s, numbers(tape, tl_shape1(1), 1));
    refused(tape, TL_ESTATE, "is closed");
}

Test(scan_error, closing_the_outer_one_first)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan_opts o = tl_scan_defaults();
    tl_scan outer = tl_scan_open(tape, 3, &o);
    o.name = "inner";
    tl_scan_open(tape, 3, &o);
    tl_scan_close(outer);
    refused(tape, TL_ESTATE, "scan \"scan/inner\" is open inside it");
}

Test(scan_error, a_scope_left_open)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_scope_open(tape, "gate");
    tl_scan_close(s);
    refused(tape, TL_ESTATE, "scope \"scan/gate\" was opened in the body");
}

Test(scan_error, body_values_outside)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, numbers(tape, tl_shape1(1), 1)), h1 = tl_exp(h);
    tl_scan_next(s, h, h1);
    tl_scan_close(s);
    tl_add(h1, h1);
    refused(tape, TL_EFRAME, "belongs to the body of scan");
}

Test(scan_error, values_of_an_inner_body_as_results_of_the_outer)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan outer = tl_scan_open(tape, 3, NULL), inner = tl_scan_open(tape, 2, NULL);
    tl_tensor h = tl_scan_carry(inner, numbers(tape, tl_shape1(1), 1));
    tl_scan_next(inner, h, h);
    tl_scan_close(inner);
    tl_scan_close(outer);
    tl_scan_stacked(outer, h);
    refused(tape, TL_EFRAME, "belongs to the body of scan \"scan/scan\"");
}

Test(scan_error, results_of_an_inner_scan_outside)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan outer = tl_scan_open(tape, 3, NULL), inner = tl_scan_open(tape, 2, NULL);
    tl_tensor h = tl_scan_carry(inner, numbers(tape, tl_shape1(1), 1));
    tl_scan_next(inner, h, h);
    tl_scan_close(inner);
    tl_scan_close(outer);
    tl_scan_last(inner, h);
    refused(tape, TL_EFRAME, "its results are values of that body");
}

Test(scan_error, a_scan_of_an_earlier_step)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_scan_close(s);
    tl_tape_reset(tape);
    tl_scan again = tl_scan_open(tape, 3, NULL);
    tl_scan_close(again);
    tl_scan_time(s);
    refused(tape, TL_EDEAD, "the scan is gone");
}

Test(scan_error, a_scan_that_was_released)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor x = numbers(tape, tl_shape1(1), 1);
    uint32_t mark = tl_tape_mark(tape);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, x);
    tl_scan_next(s, h, tl_add(h, h));
    tl_scan_close(s);
    uint32_t closed = tl_tape_mark(tape);
    holds(tl_scan_last(s, h), 1, (double[]){8});
    cr_assert_eq(tl_tape_release(tape, closed), TL_OK); /* the result goes, the scan stays */
    holds(tl_scan_last(s, h), 1, (double[]){8});
    cr_assert_eq(tl_tape_release(tape, mark), TL_OK);
    tl_scan_last(s, h);
    refused(tape, TL_EDEAD, "the scan is gone");
}

Test(scan_error, a_scan_that_was_released_to_a_mark_in_its_body)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor x = numbers(tape, tl_shape1(1), 1);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, x);
    uint32_t mark = tl_tape_mark(tape);
    tl_scan_next(s, h, tl_add(h, h));
    tl_scan_close(s);
    cr_assert_eq(tl_tape_release(tape, mark), TL_OK);
    tl_scan_last(s, h);
    refused(tape, TL_EDEAD, "the scan is gone");
}

Test(scan_error, an_init_of_another_tape)
{
    tl_tape *tape = tl_tape_new(NULL), *other = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_scan_carry(s, numbers(other, tl_shape1(1), 1));
    cr_assert_eq(tl_tape_status(other), TL_ETAPE);
    tl_tape_free(other);
    refused(tape, TL_ETAPE, "lives on another tape than the scan");
}

Test(scan_error, lengths_of_another_kind)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan_opts o = tl_scan_defaults();
    o.lengths = numbers(tape, tl_shape1(2), 1);
    tl_scan_open(tape, 3, &o);
    refused(tape, TL_EDTYPE, "lengths: got f64 [2], want i32 [B]");
}

Test(scan_error, a_carry_without_rows)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan_opts o = tl_scan_defaults();
    o.lengths = tl_input_i32(tape, tl_shape1(2), (const int32_t[]){1, 2});
    tl_scan s = tl_scan_open(tape, 3, &o);
    tl_scan_carry(s, numbers(tape, tl_shape1(3), 1));
    refused(tape, TL_ESHAPE, "got [3] in a step of a scan with lengths [2], want [2,...]");
}

Test(scan_error, an_outer_value_as_a_result_with_lengths)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan_opts o = tl_scan_defaults();
    o.lengths = tl_input_i32(tape, tl_shape1(2), (const int32_t[]){1, 2});
    tl_tensor x = numbers(tape, tl_shape1(2), 1);
    tl_scan s = tl_scan_open(tape, 3, &o);
    tl_scan_close(s);
    tl_scan_stacked(s, x);
    refused(tape, TL_EFRAME, "is not a value of the body of scan \"scan\"");
}

Test(scan_error, a_sum_of_integers)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor t = tl_scan_time(s);
    tl_scan_close(s);
    tl_scan_summed(s, t);
    refused(tape, TL_EDTYPE, "tl_scan_summed: got i32");
}

Test(scan_error, a_value_of_the_highest_rank_cannot_be_stacked)
{
    tl_tape *tape = tl_tape_new(NULL);
    const int64_t dim[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, numbers(tape, tl_shape_of_dims(8, dim), 1));
    tl_scan_next(s, h, h);
    tl_scan_close(s);
    tl_scan_stacked(s, h);
    refused(tape, TL_ESHAPE, "has rank 8 already, want at most 7");
}

Test(scan_error, what_is_inert_does_nothing_or_is_an_error)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan none = {0};
    tl_tensor inert = {0};
    tl_scan_opts o = tl_scan_defaults();
    cr_assert_null(tl_scan_open(NULL, 3, &o).tape);
    cr_assert_null(tl_scan_carry(none, inert).tape);
    cr_assert_null(tl_scan_each(none, inert).tape);
    cr_assert_null(tl_scan_time(none).tape);
    tl_scan_next(none, inert, inert);
    tl_scan_close(none);
    cr_assert_null(tl_scan_last(none, inert).tape);
    cr_assert_null(tl_scan_stacked(none, inert).tape);
    cr_assert_null(tl_scan_summed(none, inert).tape);
    for (int call = 0; call < 5; call++) {
        tl_scan s = tl_scan_open(tape, 3, NULL);
        tl_tensor got = {0};
        if (call == 0)
            got = tl_scan_carry(s, inert);
        if (call == 1)
            got = tl_scan_each(s, inert);
        tl_scan_close(s);
        if (call == 2)
            got = tl_scan_last(s, inert);
        if (call == 3)
            got = tl_scan_stacked(s, inert);
        if (call == 4)
            got = tl_scan_summed(s, inert);
        cr_assert_null(got.tape);
        cr_assert_eq(tl_tape_status(tape), TL_EINVAL, "call %d: %s", call, tl_tape_error(tape));
        cr_assert_eq(tl_tape_reset(tape), TL_OK);
    }
    tl_tape_free(tape);
}
