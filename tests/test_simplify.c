/* test_simplify.c -- the laws of the planner: that they are found, that they change no bit, and what
 * they leave alone. */
#include "core/grad.h"
#include "core/memory.h"
#include "core/run.h"
#include "core/scan.h"
#include "core/space.h"
#include "ops/ops.h"
#include "tests/check.h"

#include <math.h>
#include <string.h>

enum { N = 16 };

/* Numbers where a law that is one only nearly shows. */
static const double numbers[N] = {0.0,  -0.0, 1.0,   -1.0,  0.3,   -0.7,     2.5,       -3.5,
                                  1e-9, 40.0, -40.0, 800.0, -800., HUGE_VAL, -HUGE_VAL, 1e-320};

/* An expression of two values, and the words of its plan with the laws. */
typedef struct expression {
    tl_tensor (*make)(tl_tensor x, tl_tensor y);
    const char *plan, *without;
} expression;

static tl_tensor logistic(tl_tensor x, tl_tensor y)
{
    (void)y;
    return tl_rdiv_scalar(tl_add_scalar(tl_exp(tl_neg(x)), 1), 1);
}

static tl_tensor turned_logistic(tl_tensor x, tl_tensor y)
{
    (void)y;
    return tl_div(tl_scalar(x.tape, TL_F64, 1), tl_add(tl_scalar(x.tape, TL_F64, 1), tl_exp(x)));
}

static tl_tensor full_logistic(tl_tensor x, tl_tensor y)
{
    (void)y;
    const tl_tensor one = tl_ones(x.tape, TL_F64, tl_shape1(N));
    return tl_div(one, tl_add(one, tl_exp(tl_neg(x))));
}

static tl_tensor times_one(tl_tensor x, tl_tensor y)
{
    return tl_mul(tl_scale(x, 1), tl_div_scalar(y, 1));
}

static tl_tensor twice_neg(tl_tensor x, tl_tensor y)
{
    return tl_mul(tl_neg(tl_neg(x)), y);
}

static tl_tensor plus_neg(tl_tensor x, tl_tensor y)
{
    return tl_add(tl_neg(x), y);
}

static tl_tensor minus_neg(tl_tensor x, tl_tensor y)
{
    return tl_sub(x, tl_neg(y));
}

static tl_tensor signs(tl_tensor x, tl_tensor y) /* as the adjoint of a quotient writes them */
{
    return tl_neg(tl_mul(tl_neg(tl_div(x, tl_neg(y))), tl_neg(x)));
}

static const expression expressions[] = {
    {logistic, "sigmoid  f64", "exp"},        {turned_logistic, "neg, sigmoid", "exp"},
    {full_logistic, "sigmoid  f64", "exp"},   {times_one, "tile      mul  f64", "div"},
    {twice_neg, "tile      mul  f64", "neg"}, {plus_neg, "tile      sub  f64", "neg"},
    {minus_neg, "tile      add  f64", "neg"}, {signs, "tile      div, mul  f64", "neg"},
};
enum { EXPRESSIONS = sizeof expressions / sizeof *expressions };

/* value_of -- the expression's N values, in one line of numbers against the same shifted. */
static char *value_of(const expression *e, int shift, double *out)
{
    double other[N];
    for (int k = 0; k < N; k++)
        other[k] = numbers[(k + shift) % N];
    tl_tape *tape = check_tape(1);
    tl_no_grad_open(tape);
    tl_tensor t =
        e->make(tl_input_f64(tape, tl_shape1(N), numbers), tl_input_f64(tape, tl_shape1(N), other));
    tl_no_grad_close(tape);
    cr_assert_eq(tl_read_f64(t, out, N), TL_OK, "%s", tl_tape_error(tape));
    char *text = tl__plan_dump(tape);
    tl_tape_free(tape);
    return text;
}

static int same_bits(const double *a, const double *b, int n)
{
    for (int k = 0; k < n; k++)
        if (!(isnan(a[k]) && isnan(b[k])) && memcmp(&a[k], &b[k], sizeof *a) != 0)
            return 0;
    return 1;
}

Test(simplify, no_bit_changes_and_the_plan_is_the_shorter_one)
{
    const unsigned all = tl__passes();
    for (int k = 0; k < EXPRESSIONS; k++)
        for (int shift = 0; shift < N; shift++) {
            double with[N], without[N];
            char *text[2];
            text[0] = value_of(&expressions[k], shift, with);
            tl__set_passes(all & ~(unsigned)TL_PASS_SIMPLIFY);
            text[1] = value_of(&expressions[k], shift, without);
            tl__set_passes(all);
            cr_assert(same_bits(with, without, N), "expression %d, shift %d", k, shift);
            cr_assert_not_null(strstr(text[0], expressions[k].plan), "%d: %s", k, text[0]);
            cr_assert_null(strstr(text[0], expressions[k].without), "%d: %s", k, text[0]);
            tl__free(text[0]);
            tl__free(text[1]);
        }
}

/* halves -- 1 / (c + exp(-x)) at x = 0. */
static double at_zero(tl_tape *tape, double c)
{
    tl_no_grad_open(tape);
    tl_tensor x = tl_zeros(tape, TL_F64, tl_shape1(2));
    tl_tensor t = tl_rdiv_scalar(tl_add_scalar(tl_exp(tl_neg(x)), c), 1);
    tl_no_grad_close(tape);
    const double v = tl_item(tl_sum_all(t));
    tl_tape_reset(tape);
    return v;
}

Test(simplify, a_plan_for_one_serves_no_other_number)
{
    tl_tape *tape = check_tape(1);
    cr_assert(fabs(at_zero(tape, 1) - 1) < 1e-15);
    cr_assert(fabs(at_zero(tape, 3) - 0.5) < 1e-15);
    cr_assert(fabs(at_zero(tape, 7) - 0.25) < 1e-15);
    cr_assert_eq(tl__run_stats(tape).plans, 2);
    cr_assert(fabs(at_zero(tape, 1) - 1) < 1e-15);
    cr_assert_eq(tl__run_stats(tape).plans, 2);
    tl_tape_free(tape);
}

Test(simplify, what_is_read_elsewhere_is_not_computed_a_second_time)
{
    tl_tape *tape = check_tape(1);
    tl_no_grad_open(tape);
    tl_tensor x = check_random(tape, TL_F64, tl_shape1(N), 1), e = tl_exp(tl_neg(x));
    tl_tensor t = tl_mul(tl_rdiv_scalar(tl_add_scalar(e, 1), 1), e);
    tl_no_grad_close(tape);
    cr_assert_eq(tl_eval(1, &t), TL_OK, "%s", tl_tape_error(tape));
    char *text = tl__plan_dump(tape);
    cr_assert_null(strstr(text, "sigmoid"), "%s", text);
    tl__free(text);
    tl_tape_free(tape);
}

Test(simplify, what_is_kept_keeps_its_value)
{
    tl_tape *tape = check_tape(1);
    tl_tensor x = tl_input_f64(tape, tl_shape1(N), numbers), all[4];
    all[0] = tl_neg(x);
    all[1] = tl_neg(all[0]);
    all[2] = tl_scale(all[1], 1);
    all[3] = tl_add(all[2], all[0]);
    cr_assert_eq(tl_eval(4, all), TL_OK, "%s", tl_tape_error(tape));
    double got[N], want[N];
    for (int k = 0; k < 3; k++) {
        cr_assert_eq(tl_read_f64(all[k], got, N), TL_OK);
        for (int i = 0; i < N; i++)
            want[i] = k ? numbers[i] : -numbers[i];
        cr_assert(same_bits(got, want, N), "value %d", k);
    }
    tl_tape_free(tape);
}

Test(simplify, shapes_that_a_constant_gives_stay)
{
    tl_tape *tape = check_tape(1);
    tl_no_grad_open(tape);
    tl_tensor t = tl_mul(tl_scalar(tape, TL_F64, 2), tl_ones(tape, TL_F64, tl_shape2(2, 3)));
    tl_no_grad_close(tape);
    double got[6];
    cr_assert_eq(tl_read_f64(t, got, 6), TL_OK, "%s", tl_tape_error(tape));
    for (int k = 0; k < 6; k++)
        cr_assert_eq(got[k], 2);
    tl_tape_free(tape);
}

/* Carries that become what they were, or what another one is. */
Test(simplify, carries_may_be_renamed)
{
    tl_tape *tape = check_tape(1);
    tl_tensor a0 = check_random(tape, TL_F64, tl_shape1(3), 1),
              b0 = check_random(tape, TL_F64, tl_shape1(3), 2);
    tl_scan s = tl_scan_open(tape, 5, NULL);
    tl_tensor a = tl_scan_carry(s, a0), b = tl_scan_carry(s, b0);
    tl_tensor same = tl_scale(a, 1), other = tl_neg(tl_neg(b));
    tl_scan_next(s, a, other);
    tl_scan_next(s, b, same);
    tl_scan_close(s);
    tl_tensor both[] = {tl_scan_last(s, a), tl_scan_last(s, b), tl_scan_stacked(s, same)};
    cr_assert_eq(tl_eval(3, both), TL_OK, "%s", tl_tape_error(tape));
    double got[3], want[3], rows[15];
    cr_assert_eq(tl_read_f64(both[0], got, 3), TL_OK); /* after five steps they are exchanged */
    cr_assert_eq(tl_read_f64(b0, want, 3), TL_OK);
    cr_assert_eq(memcmp(got, want, sizeof got), 0);
    cr_assert_eq(tl_read_f64(both[2], rows, 15), TL_OK);
    cr_assert_eq(memcmp(rows + 3, want, sizeof want), 0);
    tl_tape_free(tape);
}
