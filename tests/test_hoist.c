/* test_hoist.c -- what leaves a loop and what stays, read off the plan's text; and that the
 * numbers stay the same to rounding. */
#include "core/grad.h"
#include "core/memory.h"
#include "core/run.h"
#include "core/scan.h"
#include "core/space.h"
#include "ops/ops.h"
#include "tests/check.h"

#include <stdlib.h>
#include <string.h>

enum { T = 5, B = 3, I = 4, H = 6 };

/* parts -- what several tests make a body of. */
typedef struct parts {
    tl_tape *tape;
    tl_tensor xs, w, u, h0;
} parts;

static parts parts_new(void)
{
    tl_tape *tape = check_tape(1);
    return (parts){tape, check_random(tape, TL_F64, tl_shape3(T, B, I), 1),
                   check_random(tape, TL_F64, tl_shape2(H, I), 2),
                   tl_scale(check_random(tape, TL_F64, tl_shape2(H, H), 3), 0.3),
                   check_random(tape, TL_F64, tl_shape2(B, H), 4)};
}

static int has(const char *text, const char *words)
{
    return strstr(text, words) != NULL;
}

/* plan_of -- the plan's text after computing t. */
static char *plan_of(tl_tape *tape, tl_tensor t)
{
    cr_assert_eq(tl_eval(1, &t), TL_OK, "%s", tl_tape_error(tape));
    char *text = tl__plan_dump(tape);
    cr_assert_not_null(text);
    return text;
}

/* rnn -- h' = tanh(f(x) w' + h u'), stacked. */
static tl_tensor rnn(parts p, int64_t reverse, tl_tensor lengths)
{
    tl_scan_opts o = tl_scan_defaults();
    o.reverse = (int)reverse;
    o.lengths = lengths;
    tl_scan s = tl_scan_open(p.tape, T, &o);
    tl_tensor h = tl_scan_carry(s, p.h0), x = tl_scan_each(s, p.xs);
    tl_tensor h1 = tl_tanh(
        tl_add(tl_linear(tl_square(x), p.w, (tl_tensor){0}), tl_linear(h, p.u, (tl_tensor){0})));
    tl_scan_next(s, h, h1);
    tl_scan_close(s);
    return tl_scan_stacked(s, h1);
}

Test(hoist, products_of_inputs_leave_the_loop_and_products_of_carries_stay)
{
    tl__set_period_rows(384); /* all steps of these loops are one period */
    parts p = parts_new();
    char *text = plan_of(p.tape, rnn(p, 0, (tl_tensor){0}));
    const char *loop = strstr(text, "loop, ");
    cr_assert_not_null(loop);
    cr_assert(has(text, "\ncontract  contract  f64 [5,3,6]"), "%s", text);
    cr_assert(has(loop, "\n  contract  contract  f64 [3,6]"), "%s", text);
    cr_assert(!has(loop, "[5,3,6]"), "%s", text);
    cr_assert(has(text, "hoisted: all steps at once, before the loop"), "%s", text);
    tl__free(text);
    tl_tape_free(p.tape);
}

Test(hoist, without_the_pass_everything_stays)
{
    const unsigned all = tl__passes();
    parts p = parts_new();
    tl__set_passes(all & ~(unsigned)TL_PASS_HOIST);
    char *text = plan_of(p.tape, rnn(p, 0, (tl_tensor){0}));
    tl__set_passes(all);
    cr_assert(!has(text, "contract  f64 [5,3,6]"), "%s", text);
    tl__free(text);
    tl_tape_free(p.tape);
}

Test(hoist, what_depends_on_captures_only_runs_once)
{
    parts p = parts_new();
    tl_scan s = tl_scan_open(p.tape, T, NULL);
    tl_tensor h = tl_scan_carry(s, p.h0);
    tl_scan_next(s, h, tl_linear(h, tl_tanh(tl_matmul(p.u, p.u)), (tl_tensor){0}));
    tl_scan_close(s);
    char *text = plan_of(p.tape, tl_scan_last(s, h));
    const char *loop = strstr(text, "loop, ");
    const char *once = strstr(text, "\ntile      tanh");
    cr_assert(loop && once && once < loop, "%s", text);
    cr_assert(has(once, "moved out of the loop: the same in every step"), "%s", text);
    tl__free(text);
    tl_tape_free(p.tape);
}

Test(hoist, random_draws_stay_with_their_step)
{
    parts p = parts_new();
    tl_scan s = tl_scan_open(p.tape, T, NULL);
    tl_tensor h = tl_scan_carry(s, p.h0), x = tl_scan_each(s, p.xs);
    tl_tensor noise = tl_dropout(x, 0.5);
    tl_scan_next(s, h, tl_tanh(tl_add(h, tl_linear(noise, p.w, (tl_tensor){0}))));
    tl_scan_close(s);
    char *text = plan_of(p.tape, tl_scan_last(s, h));
    cr_assert(!has(text, "contract  f64 [5,3,6]"), "%s", text);
    tl__free(text);
    tl_tape_free(p.tape);
}

Test(hoist, weight_gradients_are_products_over_all_steps)
{
    tl__set_period_rows(384); /* all steps of these loops are one period */
    parts p = parts_new();
    tl_tensor loss = tl_sum_all(tl_square(rnn(p, 0, (tl_tensor){0}))), g[2];
    const tl_tensor by[] = {p.w, p.u};
    tl_no_grad_open(p.tape);
    cr_assert_eq(tl_grad(1, &loss, NULL, 2, by, g), TL_OK);
    tl_no_grad_close(p.tape);
    cr_assert_eq(tl_eval(2, g), TL_OK);
    char *text = tl__plan_dump(p.tape);
    cr_assert(has(text, "\ncontract  contract  f64 [6,4]"), "%s", text);
    cr_assert(has(text, "\ncontract  contract  f64 [6,6]"), "%s", text);
    cr_assert(has(text, "lifted: all steps at once, after the loop"), "%s", text);
    cr_assert(!has(text, "[6,4] accumulating") && !has(text, "[6,6] accumulating"), "%s", text);
    tl__free(text);
    tl_tape_free(p.tape);
}

Test(hoist, a_sum_of_products_is_lifted_term_by_term_and_read)
{
    const unsigned all = tl__passes();
    double got[2][T * B * I];
    for (int k = 0; k < 2; k++) {
        parts p = parts_new();
        tl__set_passes(k ? all : all & ~(unsigned)TL_PASS_HOIST);
        tl_scan s = tl_scan_open(p.tape, T, NULL);
        tl_tensor h = tl_scan_carry(s, p.h0), x = tl_scan_each(s, p.xs), none = {0};
        tl_tensor a = tl_sigmoid(tl_linear(x, p.w, none)), b = tl_tanh(tl_linear(x, p.w, none));
        tl_scan_next(s, h, tl_add(tl_mul(a, tl_linear(h, p.u, none)), b));
        tl_scan_close(s);
        tl_tensor loss = tl_sum_all(tl_square(tl_scan_last(s, h))), dx;
        tl_no_grad_open(p.tape);
        cr_assert_eq(tl_grad(1, &loss, NULL, 1, &p.xs, &dx), TL_OK);
        tl_no_grad_close(p.tape);
        cr_assert_eq(tl_read_f64(dx, got[k], T * B * I), TL_OK, "%s", tl_tape_error(p.tape));
        tl_tape_free(p.tape);
    }
    tl__set_passes(all);
    assert_allclose(T * B * I, got[1], got[0], 1e-12, 1e-13);
}

/* results -- values and gradients of a model, as doubles. */
static int results(tl_tensor (*model)(parts p), double *out)
{
    parts p = parts_new();
    tl_tensor y = model(p), loss = tl_sum_all(tl_mul(y, tl_sin(y))), g[4];
    const tl_tensor by[] = {p.xs, p.w, p.u, p.h0};
    cr_assert_eq(tl_grad(1, &loss, NULL, 4, by, g), TL_OK, "%s", tl_tape_error(p.tape));
    int n = 0;
    for (int k = -1; k < 4; k++) {
        tl_tensor t = k < 0 ? y : g[k];
        int64_t count = tl_shape_count(tl_shape_of(t));
        cr_assert_eq(tl_read_f64(t, out + n, count), TL_OK, "%s", tl_tape_error(p.tape));
        n += (int)count;
    }
    tl_tape_free(p.tape);
    return n;
}

static tl_tensor forward(parts p)
{
    return rnn(p, 0, (tl_tensor){0});
}

static tl_tensor backward(parts p)
{
    return rnn(p, 1, (tl_tensor){0});
}

static tl_tensor ragged(parts p)
{
    return rnn(p, 0, tl_input_i32(p.tape, tl_shape1(B), (const int32_t[]){5, 2, 0}));
}

/* low_rank -- operands of fewer axes than the result, time, and pieces: all get their axis in
 * the right place. */
static tl_tensor low_rank(parts p)
{
    tl_tensor rows = tl_reshape(tl_slice(p.xs, 1, 0, 1), tl_shape2(T, I));
    tl_scan s = tl_scan_open(p.tape, T, NULL);
    tl_tensor h = tl_scan_carry(s, p.h0), x = tl_scan_each(s, p.xs), row = tl_scan_each(s, rows);
    tl_tensor t = tl_scale(tl_cast(tl_scan_time(s), TL_F64), 0.1);
    const tl_tensor piece[] = {tl_slice(tl_mul(x, row), 1, 0, 2),
                               tl_broadcast_to(t, tl_shape2(B, 1)),
                               tl_slice(tl_broadcast_to(row, tl_shape2(B, I)), 1, 3, 1)};
    tl_tensor wide = tl_add(tl_concat(3, piece, 1), tl_mul(row, t));
    tl_scan_next(
        s, h,
        tl_tanh(tl_add(tl_linear(wide, p.w, (tl_tensor){0}), tl_linear(h, p.u, (tl_tensor){0}))));
    tl_scan_close(s);
    return tl_scan_last(s, h);
}

/* in_two_loops -- the inner body's product over both loops' inputs. */
static tl_tensor in_two_loops(parts p)
{
    tl_scan s = tl_scan_open(p.tape, T, NULL);
    tl_tensor h = tl_scan_carry(s, p.h0), x = tl_scan_each(s, p.xs);
    tl_scan inner = tl_scan_open(p.tape, B, NULL);
    tl_tensor g = tl_scan_carry(inner, h), row = tl_scan_each(inner, x);
    tl_tensor y = tl_linear(row, p.w, (tl_tensor){0});
    tl_scan_next(inner, g, tl_tanh(tl_add(tl_linear(g, p.u, (tl_tensor){0}), y)));
    tl_scan_close(inner);
    tl_scan_next(s, h, tl_add(tl_scan_last(inner, g), tl_scale(tl_scan_stacked(inner, y), 0.1)));
    tl_scan_close(s);
    return tl_scan_last(s, h);
}

Test(hoist, the_numbers_are_those_without_it)
{
    tl_tensor (*const models[])(parts) = {forward, backward, ragged, low_rank, in_two_loops};
    const unsigned all = tl__passes();
    for (size_t k = 0; k < sizeof models / sizeof *models; k++) {
        double with[1000], without[1000];
        int n = results(models[k], with);
        tl__set_passes(all & ~(unsigned)TL_PASS_HOIST);
        cr_assert_eq(results(models[k], without), n);
        tl__set_passes(all);
        assert_allclose(n, with, without, 1e-12, 1e-13);
    }
}
