/* test_plan.c -- the key and the cache: what is planned again, what is found, what is bound anew
 * at each run. */
#include "core/memory.h"
#include "core/run.h"
#include "core/space.h"
#include "ops/ops.h"
#include "tests/check.h"

#include <string.h>

/* mean_square -- mean of (x - a)^2 over 2 x n numbers. */
static double mean_square(tl_tape *tape, int64_t n, double a)
{
    double x[64];
    for (int i = 0; i < 64; i++)
        x[i] = i;
    tl_tensor t = tl_input_f64(tape, tl_shape2(2, n), x);
    double value = tl_item(tl_mean_all(tl_square(tl_sub_scalar(t, a))));
    tl_tape_reset(tape);
    return value;
}

Test(plan, the_same_program_is_planned_once)
{
    tl_tape *tape = check_tape(1);
    double first = mean_square(tape, 8, 1.0);
    for (int k = 0; k < 10; k++)
        cr_assert_eq(memcmp(&first, &(double){mean_square(tape, 8, 1.0)}, sizeof first), 0);
    tl_run_stats s = tl__run_stats(tape);
    cr_assert_eq(s.plans, 1);
    cr_assert_eq(s.hits, 10);
    cr_assert_eq(s.runs, 11);
    tl_tape_free(tape);
}

Test(plan, numbers_are_bound_when_run_and_shapes_are_not)
{
    tl_tape *tape = check_tape(1);
    double at0 = mean_square(tape, 8, 0.0), at2 = mean_square(tape, 8, 2.0);
    cr_assert_eq(tl__run_stats(tape).plans, 1);
    cr_assert(fabs(at0 - 77.5) < 1e-12);
    cr_assert(fabs(at2 - 51.5) < 1e-12);
    mean_square(tape, 9, 0.0);
    cr_assert_eq(tl__run_stats(tape).plans, 2);
    tl_tape_free(tape);
}

Test(plan, a_switch_of_the_passes_is_part_of_the_key)
{
    tl_tape *tape = check_tape(1);
    const unsigned all = tl__passes();
    mean_square(tape, 8, 0.0);
    tl__set_passes(all & ~(unsigned)TL_PASS_FUSE);
    mean_square(tape, 8, 0.0);
    cr_assert_eq(tl__run_stats(tape).plans, 2);
    tl__set_passes(all);
    mean_square(tape, 8, 0.0);
    cr_assert_eq(tl__run_stats(tape).plans, 2);
    tl_tape_free(tape);
}

Test(plan, the_cache_is_bounded_and_drops_what_was_not_used_longest)
{
    tl_tape_opts o = tl_tape_defaults();
    o.plans = 3;
    tl_tape *tape = tl_tape_new(&o);
    for (int n = 1; n <= 3; n++)
        mean_square(tape, n, 0.0);
    mean_square(tape, 1, 0.0); /* 2 is the oldest now */
    mean_square(tape, 4, 0.0);
    cr_assert_eq(tl__run_stats(tape).plans, 4);
    mean_square(tape, 1, 0.0);
    mean_square(tape, 3, 0.0);
    cr_assert_eq(tl__run_stats(tape).plans, 4);
    mean_square(tape, 2, 0.0);
    cr_assert_eq(tl__run_stats(tape).plans, 5);
    tl_tape_free(tape);
}

/* total_of_steps -- sum over T steps of T carried numbers; its plan depends on T. */
static double total_of_steps(tl_tape *tape, int64_t T, int reverse)
{
    tl_scan_opts o = tl_scan_defaults();
    o.reverse = reverse;
    tl_scan s = tl_scan_open(tape, T, &o);
    tl_tensor c = tl_scan_carry(s, tl_scalar(tape, TL_F64, 1.0));
    tl_scan_next(s, c, tl_add(tl_scale(c, 0.5), tl_cast(tl_scan_time(s), TL_F64)));
    tl_scan_close(s);
    double value = tl_item(tl_scan_last(s, c));
    tl_tape_reset(tape);
    return value;
}

Test(plan, length_and_direction_of_a_scan_are_part_of_the_key)
{
    tl_tape *tape = check_tape(1);
    for (int turn = 0; turn < 2; turn++)
        for (int reverse = 0; reverse < 2; reverse++)
            for (int64_t T = 0; T < 5; T++) {
                double want = 1.0;
                for (int64_t k = 0; k < T; k++)
                    want = 0.5 * want + (double)(reverse ? T - 1 - k : k);
                cr_assert(fabs(total_of_steps(tape, T, reverse) - want) < 1e-12);
            }
    cr_assert_eq(tl__run_stats(tape).plans, 10);
    cr_assert_eq(tl__run_stats(tape).hits, 10);
    tl_tape_free(tape);
}

Test(plan, strides_of_live_values_are_part_of_the_key_and_offsets_are_not)
{
    tl_tape *tape = check_tape(1);
    const double x[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    tl_tensor t = tl_input_f64(tape, tl_shape2(3, 3), x);
    for (int k = 0; k < 3; k++) {
        tl_tensor row = tl_slice(t, 0, k, 1);
        cr_assert_eq(tl_eval(1, &row), TL_OK);
        cr_assert(fabs(tl_item(tl_sum_all(row)) - (6 + 9 * k)) < 1e-12);
    }
    tl_run_stats s = tl__run_stats(tape);
    tl_tensor column = tl_slice(t, 1, 0, 1);
    cr_assert_eq(tl_eval(1, &column), TL_OK);
    cr_assert(fabs(tl_item(tl_sum_all(column)) - 12) < 1e-12);
    cr_assert_eq(s.plans, 4); /* three slices, attributes differ; one sum */
    cr_assert_eq(tl__run_stats(tape).plans, 6);
    tl_tape_free(tape);
}

/* count_of -- how often the dump of the plan of t has these words. */
static int count_of(tl_tape *tape, tl_tensor t, const char *words)
{
    cr_assert_eq(tl_eval(1, &t), TL_OK, "%s", tl_tape_error(tape));
    char *text = tl__plan_dump(tape);
    int n = 0;
    for (const char *p = text; p && (p = strstr(p, words)) != NULL; p++)
        n++;
    tl__free(text);
    return n;
}

Test(plan, what_is_written_twice_is_computed_once)
{
    tl_tape *tape = check_tape(1);
    tl_tensor a = check_random(tape, TL_F64, tl_shape2(3, 3), 1);
    tl_no_grad_open(tape);
    tl_tensor x = tl_tanh(tl_matmul(a, a)), y = tl_tanh(tl_matmul(a, a));
    tl_no_grad_close(tape);
    cr_assert_eq(count_of(tape, tl_add(x, y), "contract  contract"), 1);
    tl_tape_free(tape);
}

Test(plan, what_is_written_twice_and_kept_is_computed_once)
{
    tl_tape *tape = check_tape(1);
    tl_tensor x = check_random(tape, TL_F64, tl_shape2(4, 3), 1);
    tl_tensor both[] = {tl_exp(tl_sin(x)), tl_exp(tl_sin(x))};
    cr_assert_eq(tl_eval(2, both), TL_OK, "%s", tl_tape_error(tape));
    char *text = tl__plan_dump(tape);
    cr_assert_not_null(strstr(text, "fused 2 operations"), "%s", text);
    double one[12], other[12];
    cr_assert_eq(tl_read_f64(both[0], one, 12), TL_OK);
    cr_assert_eq(tl_read_f64(both[1], other, 12), TL_OK);
    cr_assert_eq(memcmp(one, other, sizeof one), 0);
    tl__free(text);
    tl_tape_free(tape);
}

Test(plan, draws_and_constants_written_twice_stay_two)
{
    tl_tape *tape = check_tape(1);
    tl_no_grad_open(tape);
    tl_tensor x = tl_randn(tape, TL_F64, tl_shape1(8)), y = tl_randn(tape, TL_F64, tl_shape1(8));
    tl_tensor apart = tl_sum_all(tl_abs(tl_sub(x, y)));
    tl_tensor a = tl_add_scalar(x, 1.0), b = tl_add_scalar(x, 2.0);
    tl_no_grad_close(tape);
    cr_assert(1e-3 < tl_item(apart));
    cr_assert(fabs(tl_item(tl_sum_all(tl_sub(b, a))) - 8) < 1e-12);
    tl_tape_free(tape);
}

Test(plan, a_dump_names_what_runs)
{
    tl_tape *tape = check_tape(1);
    tl_tensor x = check_random(tape, TL_F32, tl_shape2(4, 5), 1),
              w = check_random(tape, TL_F32, tl_shape2(5, 6), 2);
    tl_tensor y = tl_tanh(tl_matmul(x, w));
    cr_assert_eq(tl__plan_dump(tape), NULL);
    cr_assert_eq(tl_eval(1, &y), TL_OK);
    char *text = tl__plan_dump(tape);
    cr_assert_not_null(text);
    cr_assert_not_null(strstr(text, "contract  contract  f32 [4,6]"));
    cr_assert_not_null(strstr(text, "tanh"));
    tl__free(text);
    tl_tape_free(tape);
}
