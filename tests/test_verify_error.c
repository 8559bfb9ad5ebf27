/* test_verify_error.c -- tl_cell_verify where a cell does not run, arguments are wrong or memory is
 * short. */
#include "core/memory.h"
#include "tests/verifytest.h"

static tl_tensor misshapen_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x,
                                tl_tensor *state, const tl_tensor *aux)
{
    (void)cell, (void)aux;
    return state[0] = tl_matmul(w[U], state[0]);
    (void)x;
}

Test(verify_error, a_step_that_does_not_record_is_reported_with_the_tapes_message)
{
    fails(cell_of(misshapen_step), TL_VERIFY_RECORD, "matmul");
}

static tl_tensor infinite_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x,
                               tl_tensor *state, const tl_tensor *aux)
{
    (void)cell, (void)aux;
    return state[0] = tl_log(tl_sub(tl_tanh(sum_of_inputs(w, x, state[0])),
                                    tl_ones(x.tape, TL_F64, tl_shape0())));
}

Test(verify_error, numbers_that_are_not_finite_are_reported)
{
    fails(cell_of(infinite_step), TL_VERIFY_RECORD, "not finite");
}

Test(verify_error, wrong_arguments_are_refused)
{
    tl_err err = {0};
    tl_cell c = tl_rnn_cell(NULL), wrong = tl_cell_make("wrong", NULL);
    tl_verify_opts o = tl_verify_defaults();
    cr_assert_eq(tl_cell_verify(&c, 2, 3, NULL, NULL, &err), TL_EINVAL);
    cr_assert_eq(tl_cell_verify(NULL, 2, 3, NULL, &report, &err), TL_EINVAL);
    cr_assert_eq(tl_cell_verify(&wrong, 2, 3, NULL, &report, &err), TL_EINVAL);
    cr_assert_eq(tl_cell_verify(&c, 0, 3, NULL, &report, &err), TL_EINVAL);
    o.T = 1;
    cr_assert_eq(tl_cell_verify(&c, 2, 3, &o, &report, &err), TL_EINVAL);
    cr_assert(strstr(err.message, "T 1"), "%s", err.message);
    tl_verify_report_close(&report);
    tl_verify_report_close(NULL);
}

Test(verify_error, text_is_cut_off_where_it_does_not_fit)
{
    tl_cell c = tl_rnn_cell(NULL);
    char small[64], none[1] = {'x'};
    verify(&c, 2, 3, NULL, TL_OK);
    tl_verify_text(&report, small, sizeof small);
    cr_assert_eq(strlen(small), sizeof small - 1);
    cr_assert_str_eq(small + sizeof small - 4, "...");
    tl_verify_text(&report, none, sizeof none);
    cr_assert_eq(none[0], 0);
    tl_verify_report_close(&report);
    cr_assert_str_eq(tl_verify_text(&report, small, sizeof small), "nothing was verified\n");
    cr_assert_str_eq(tl_verify_name(TL_VERIFY_ROWS), "rows");
    cr_assert_str_eq(tl_verify_name((tl_verify_check)99), "unknown");
}

/* Allocations fail one after the other, more and more sparsely tried: never a pass, never a crash.
 * */
Test(verify_error, a_lack_of_memory_is_an_error)
{
    tl_cell c = tl_rnn_cell(NULL);
    for (long n = 1; n < 100000; n += 1 + n / 4) {
        tl_err err = {0};
        tl__fail_after(n);
        int code = tl_cell_verify(&c, 2, 3, NULL, &report, &err);
        tl__fail_after(0);
        tl_verify_report_close(&report);
        if (code == TL_OK)
            return;
        cr_assert_eq(code, TL_ENOMEM, "%ld: %s", n, err.message);
    }
    cr_assert_fail("never enough memory");
}
