/* test_profile.c -- the profile: what a row counts, that its parts make the whole, that it changes
 * nothing, and when it prints. */
#include "core/memory.h"
#include "core/print.h"
#include "core/profile.h"
#include "core/run.h"
#include "core/scan.h"
#include "core/space.h"
#include "ops/ops.h"
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { T = 7, B = 3, H = 5, MOST = 64 };

/* rnn -- h' = tanh(h u), T times, in scope "walk"; the last. */
static tl_tensor rnn(tl_tape *tape)
{
    tl_tensor u = tl_name(check_random(tape, TL_F32, tl_shape2(H, H), 1), "U"),
              h0 = check_random(tape, TL_F32, tl_shape2(B, H), 2);
    tl_scan_opts o = tl_scan_defaults();
    o.name = "walk";
    tl_scan s = tl_scan_open(tape, T, &o);
    tl_tensor h = tl_name(tl_scan_carry(s, h0), "h");
    tl_scan_next(s, h, tl_tanh(tl_matmul(h, u)));
    tl_scan_close(s);
    return tl_scan_last(s, h);
}

static void run_rnn(float *out)
{
    tl_tape *tape = check_tape(1);
    tl_no_grad_open(tape);
    tl_tensor y = rnn(tape);
    tl_no_grad_close(tape);
    cr_assert_eq(tl_read_f32(y, out, B * H), TL_OK, "%s", tl_tape_error(tape));
    tl_tape_free(tape);
}

/* row_of -- the only row whose kind and text begin so. */
static tl_profile_row row_of(const char *kind, const char *what)
{
    tl_profile_row row[MOST], found = {0};
    const int n = tl_profile_rows(row, MOST);
    int times = 0;
    for (int k = 0; k < n && k < MOST; k++)
        if (strcmp(row[k].kind, kind) == 0 && strncmp(row[k].what, what, strlen(what)) == 0) {
            found = row[k];
            times++;
        }
    cr_assert_eq(times, 1, "%d rows %s %s of %d", times, kind, what, n);
    return found;
}

Test(profile, is_off_at_first_and_counts_nothing)
{
    float y[B * H];
    run_rnn(y);
    cr_assert(!tl_profile_is_on());
    cr_assert_eq(tl_profile_rows(NULL, 0), 0);
    cr_assert_eq(tl_profile_totals().runs, 0);
}

Test(profile, counts_calls_arithmetic_and_bytes_by_operation_and_scope)
{
    float y[B * H];
    tl_profile_on(1);
    run_rnn(y);
    run_rnn(y); /* another tape, another plan: the same rows */
    tl_profile_row product = row_of("contract", "h x U  f32 [3,5], k=5"),
                   tanh_row = row_of("tile", "tanh  f32 [3,5]");
    cr_assert_str_eq(product.scope, "walk");
    cr_assert_eq(product.calls, 2 * T);
    cr_assert(fabs(product.flops - 2.0 * T * 2 * B * H * H) < 0.5, "%g", product.flops);
    cr_assert(fabs(product.bytes - 2.0 * T * 4 * (2 * B * H + H * H)) < 0.5, "%g", product.bytes);
    cr_assert_eq(tanh_row.calls, 2 * T);
    cr_assert(fabs(tanh_row.flops - 2.0 * T * B * H) < 0.5);
    cr_assert(fabs(tanh_row.bytes - 2.0 * T * 4 * 2 * B * H) < 0.5);
    cr_assert_eq(row_of("loop", "7 steps").calls, 2);
    cr_assert_eq(tl_profile_totals().runs, 2);
    cr_assert_eq(tl_profile_totals().plans, 2);
}

Test(profile, an_operand_without_a_name_is_called_after_what_made_it)
{
    tl_tape *tape = check_tape(1);
    tl_tensor x = check_random(tape, TL_F32, tl_shape2(H, H), 1), h0 = tl_exp(x);
    tl_profile_on(1);
    tl_scan s = tl_scan_open(tape, T, NULL);
    tl_tensor h = tl_scan_carry(s, h0);
    tl_scan_next(s, h, tl_tanh(tl_matmul(h, tl_sin(x))));
    tl_scan_close(s);
    h = tl_scan_last(s, h);
    cr_assert_eq(tl_eval(1, &h), TL_OK);
    cr_assert_eq(row_of("contract", "carry x sin  f32 [5,5], k=5").calls, T);
    tl_tape_free(tape);
}

Test(profile, the_rows_make_the_whole_and_come_slowest_first)
{
    float y[B * H];
    tl_profile_on(1);
    for (int k = 0; k < 20; k++)
        run_rnn(y);
    tl_profile_row row[MOST];
    const int n = tl_profile_rows(row, MOST);
    double sum = 0;
    for (int k = 0; k < n; k++) {
        sum += row[k].seconds;
        cr_assert(k == 0 || row[k].seconds <= row[k - 1].seconds);
        cr_assert(0 <= row[k].peak && row[k].peak < 2, "%g", row[k].peak);
    }
    const tl_profile_total total = tl_profile_totals();
    cr_assert(0 < sum && sum <= total.running, "%g of %g", sum, total.running);
    cr_assert(total.running + total.look_up + total.planning <= total.elapsed);
}

Test(profile, off_again_it_stands_still_and_reset_forgets)
{
    float y[B * H];
    tl_profile_on(1);
    run_rnn(y);
    tl_profile_on(0);
    run_rnn(y);
    cr_assert_eq(row_of("tile", "tanh").calls, T);
    tl_profile_reset();
    cr_assert_eq(tl_profile_rows(NULL, 0), 0);
}

Test(profile, a_plan_that_is_found_again_knows_new_rows_after_a_reset)
{
    tl_tape *tape = check_tape(1);
    tl_profile_on(1);
    for (int k = 0; k < 4; k++) {
        tl_tensor x = check_random(tape, TL_F64, tl_shape1(9), 1), y = tl_exp(x);
        cr_assert_eq(tl_eval(1, &y), TL_OK);
        tl_tape_reset(tape);
        if (k == 1)
            tl_profile_reset();
    }
    cr_assert_eq(tl__run_stats(tape).plans, 1);
    cr_assert_eq(row_of("tile", "exp  f64 [9]").calls, 2);
    cr_assert_eq(tl_profile_totals().plans, 0);
    tl_tape_free(tape);
}

Test(profile, changes_no_bit)
{
    float off[B * H], on[B * H];
    run_rnn(off);
    tl_profile_on(1);
    run_rnn(on);
    cr_assert_eq(memcmp(on, off, sizeof on), 0);
}

Test(profile, the_text_has_totals_and_the_slowest_rows)
{
    float y[B * H];
    tl_profile_on(1);
    run_rnn(y);
    char *all = tl_profile_text(MOST), *one = tl_profile_text(1);
    cr_assert(all && one);
    cr_assert_not_null(strstr(all, "contract h x U  f32 [3,5], k=5"), "%s", all);
    cr_assert_not_null(strstr(all, "between instructions"), "%s", all);
    cr_assert_not_null(strstr(one, "rows more"), "%s", one);
    cr_assert_lt(strlen(one), strlen(all));
    tl_string_free(all);
    tl_string_free(one);
}

Test(profile, the_environment_has_it_printed_when_the_last_tape_is_gone)
{
    char text[4096];
    FILE *file = tmpfile();
    float y[B * H];
    cr_assert_not_null(file);
    setenv("TL_PROFILE", "1", 1);
    const int saved = dup(2);
    dup2(fileno(file), 2);
    tl_tape *other = check_tape(1);
    run_rnn(y);
    fflush(stderr);
    const off_t early = lseek(2, 0, SEEK_CUR);
    tl_tape_free(other);
    fflush(stderr);
    dup2(saved, 2);
    rewind(file);
    const size_t n = fread(text, 1, sizeof text - 1, file);
    text[n] = '\0';
    fclose(file);
    cr_assert_eq(early, 0);
    cr_assert_not_null(strstr(text, "h x U"), "%s", text);
    cr_assert_eq(tl_profile_totals().runs, 0);
}

Test(profile, without_memory_it_counts_less_and_nothing_breaks)
{
    float want[B * H];
    run_rnn(want);
    tl_profile_on(1);
    for (long n = 1; n < 200; n++) {
        tl_tape *tape = check_tape(1);
        tl_tensor y = rnn(tape);
        float got[B * H];
        tl__fail_after(n);
        int code = tl_eval(1, &y);
        tl_profile_rows(NULL, 0);
        tl__fail_after(0);
        if (code == TL_OK) {
            cr_assert_eq(tl_read_f32(y, got, B * H), TL_OK);
            cr_assert_eq(memcmp(got, want, sizeof got), 0);
        } else {
            cr_assert_eq(code, TL_ENOMEM);
        }
        tl_tape_free(tape);
        tl_profile_reset();
    }
}

Test(profile, the_peak_is_measured_once)
{
    const double peak = tl_profile_peak();
    cr_assert(1e8 < peak && peak < 1e13, "%g", peak);
    cr_assert_eq(memcmp(&peak, &(double){tl_profile_peak()}, sizeof peak), 0);
}
