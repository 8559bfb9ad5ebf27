/* test_scan.c -- recording a scan: its leaves, captures, results, draws, lengths, and every way to get it wrong. Gradients are in
 * test_scan_grad.c. */
#include "ops/ops.h"

#include "core/scan_record.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { ROOM = 256 };

static tl_tensor numbers(tl_tape *tape, tl_shape shape, double first)
{
    double v[ROOM];
    int64_t n = tl_shape_count(shape);
    for (int64_t i = 0; i < n; i++)
        v[i] = first + (double)i;
    return tl_input_f64(tape, shape, v);
}

static void holds(tl_tensor t, int n, const double *want)
{
    double got[ROOM];
    cr_assert_eq(tl_read_f64(t, got, n), TL_OK, "%s", t.tape ? tl_tape_error(t.tape) : "inert");
    for (int i = 0; i < n; i++)
        cr_assert(fabs(got[i] - want[i]) <= 1e-12 * (1 + fabs(want[i])), "element %d: got %.17g, want %.17g", i, got[i], want[i]);
}

/* ---- values --------------------------------------------------------------------------------------- */

Test(scan, a_running_sum)
{
    for (int reverse = 0; reverse < 2; reverse++) {
        tl_tape *tape = tl_tape_new(NULL);
        tl_scan_opts o = tl_scan_defaults();
        o.reverse = reverse;
        tl_tensor xs = numbers(tape, tl_shape2(3, 2), 1), h0 = numbers(tape, tl_shape1(2), 100);
        tl_scan s = tl_scan_open(tape, 3, &o);
        tl_tensor h = tl_scan_carry(s, h0), x = tl_scan_each(s, xs), h1 = tl_add(h, x);
        tl_scan_next(s, h, h1);
        tl_scan_close(s);
        holds(tl_scan_last(s, h), 2, (double[]){109, 113});
        const double forward[6] = {101, 103, 104, 107, 109, 113}, backward[6] = {109, 113, 108, 111, 105, 107};
        holds(tl_scan_stacked(s, h1), 6, reverse ? backward : forward);
        const double before_f[6] = {100, 101, 101, 103, 104, 107}, before_b[6] = {108, 111, 105, 107, 100, 101};
        holds(tl_scan_stacked(s, h), 6, reverse ? before_b : before_f);
        holds(tl_scan_summed(s, x), 2, (double[]){9, 12});
        tl_tape_free(tape);
    }
}

Test(scan, no_step_at_all)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor xs = numbers(tape, tl_shape2(0, 2), 1), h0 = numbers(tape, tl_shape1(2), 100);
    tl_scan s = tl_scan_open(tape, 0, NULL);
    tl_tensor h = tl_scan_carry(s, h0), h1 = tl_add(h, tl_scan_each(s, xs));
    tl_tensor d = tl_add(h1, tl_randn(tape, TL_F64, tl_shape1(2)));
    tl_scan_next(s, h, d);
    tl_scan_close(s);
    holds(tl_scan_last(s, h), 2, (double[]){100, 101});
    holds(tl_scan_summed(s, h1), 2, (double[]){0, 0});
    tl_tensor hs = tl_scan_stacked(s, h1);
    cr_assert(tl_shape_equal(tl_shape_of(hs), tl_shape2(0, 2)));
    holds(hs, 0, NULL);
    cr_assert_eq(tl_draws(tape), 0);
    tl_tape_free(tape);
}

Test(scan, time_counts_positions)
{
    for (int reverse = 0; reverse < 2; reverse++) {
        tl_tape *tape = tl_tape_new(NULL);
        tl_scan_opts o = tl_scan_defaults();
        o.reverse = reverse;
        tl_scan s = tl_scan_open(tape, 3, &o);
        tl_tensor t = tl_scan_time(s), again = tl_scan_time(s);
        cr_assert_eq(t.slot, again.slot);
        tl_scan_close(s);
        int32_t got[3];
        cr_assert_eq(tl_read_i32(tl_scan_stacked(s, t), got, 3), TL_OK, "%s", tl_tape_error(tape));
        for (int i = 0; i < 3; i++)
            cr_assert_eq(got[i], i);
        tl_tape_free(tape);
    }
}

/* an i32 carry: the place to read next; xs of i32 beside it. */
Test(scan, integer_carries_and_inputs)
{
    tl_tape *tape = tl_tape_new(NULL);
    const int32_t follow[4] = {2, 3, 1, 0}, offset[3] = {0, 0, 1}, start = 0;
    tl_tensor next_of = tl_input_i32(tape, tl_shape1(4), follow), xs = tl_input_i32(tape, tl_shape1(3), offset);
    tl_tensor table = numbers(tape, tl_shape1(4), 10);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor k = tl_scan_carry(s, tl_input_i32(tape, tl_shape0(), &start)), x = tl_scan_each(s, xs);
    tl_tensor read = tl_gather(table, k), flag = tl_where(x, tl_neg(read), read);
    tl_scan_next(s, k, tl_gather(next_of, k));
    tl_scan_close(s);
    holds(tl_scan_stacked(s, flag), 3, (double[]){10, 12, -11});
    int32_t last;
    cr_assert_eq(tl_read_i32(tl_scan_last(s, k), &last, 1), TL_OK);
    cr_assert_eq(last, 3);
    tl_tensor total = tl_scan_summed(s, flag), g;
    tl_grad(1, &total, NULL, 1, &table, &g);
    holds(g, 4, (double[]){1, -1, 1, 0});
    tl_tape_free(tape);
}

Test(scan, values_from_outside_are_the_same_in_every_step)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor w = numbers(tape, tl_shape1(2), 5);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, w);
    tl_scan_next(s, h, w);
    tl_scan_close(s);
    holds(tl_scan_stacked(s, w), 6, (double[]){5, 6, 5, 6, 5, 6});
    holds(tl_scan_summed(s, w), 2, (double[]){15, 18});
    tl_tape_free(tape);
}

/* ---- what is recorded ----------------------------------------------------------------------------- */

Test(scan, the_loops_operands_are_inits_inputs_captures)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor a = numbers(tape, tl_shape1(2), 1), b = numbers(tape, tl_shape1(2), 2), xs = numbers(tape, tl_shape2(3, 2), 3);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor x = tl_scan_each(s, xs), h = tl_scan_carry(s, a);
    tl_scan_next(s, h, tl_add(tl_mul(b, x), tl_mul(tl_add(h, a), b)));
    tl_scan_close(s);
    const tl_frame *f = &tape->frames[s.frame];
    const tl_node *loop = &tape->nodes[f->loop];
    cr_assert_eq(loop->op, &tl_op_loop);
    cr_assert_eq(loop->frame, 0);
    cr_assert_eq(loop->nin, 4);
    const uint32_t want[4] = {a.slot, xs.slot, b.slot, a.slot};
    cr_assert_eq(memcmp(loop->in, want, sizeof want), 0);
    cr_assert_eq(tape->frame, 0);
    tl_tape_free(tape);
}

Test(scan, a_result_is_recorded_once)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, numbers(tape, tl_shape1(2), 1)), h1 = tl_exp(h);
    tl_scan_next(s, h, h1);
    tl_scan_close(s);
    cr_assert_eq(tl_scan_last(s, h).slot, tl_scan_last(s, h).slot);
    cr_assert_eq(tl_scan_stacked(s, h1).slot, tl_scan_stacked(s, h1).slot);
    cr_assert_eq(tl_scan_summed(s, h1).slot, tl_scan_summed(s, h1).slot);
    cr_assert_neq(tl_scan_summed(s, h1).slot, tl_scan_stacked(s, h1).slot);
    cr_assert_eq(tl__scan_stacked_raw(tape, s.frame, h1.slot).slot, tl_scan_stacked(s, h1).slot);
    cr_assert_eq(tape->frames[s.frame].nresults, 3);
    tl_tape_free(tape);
}

/* A result asked for without gradient is a constant; the same one asked for with gradient must not be. */
Test(scan, results_with_and_without_gradient_are_two)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor x = numbers(tape, tl_shape1(2), 1), g;
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, x), h1 = tl_add(h, h);
    tl_scan_next(s, h, h1);
    tl_scan_close(s);
    tl_no_grad_open(tape);
    tl_tensor constant = tl_scan_stacked(s, h1);
    tl_no_grad_close(tape);
    tl_tensor both[2] = {constant, tl_scan_stacked(s, h1)};
    tl_grad(1, &both[0], NULL, 1, &x, &g);
    holds(g, 2, (double[]){0, 0});
    tl_grad(1, &both[1], NULL, 1, &x, &g);
    holds(g, 2, (double[]){14, 14});
    tl_tape_free(tape);
}

Test(scan, results_in_an_inner_body)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, numbers(tape, tl_shape1(2), 1)), h1 = tl_add(h, h);
    tl_scan_next(s, h, h1);
    tl_scan_close(s);
    tl_scan outer = tl_scan_open(tape, 2, NULL);
    tl_tensor c = tl_scan_carry(outer, numbers(tape, tl_shape1(2), 0));
    tl_scan_next(outer, c, tl_add(c, tl_scan_last(s, h)));
    tl_scan_close(outer);
    cr_assert_eq(tape->nodes[tl_scan_last(s, h).slot].frame, 0);
    holds(tl_scan_last(outer, c), 2, (double[]){16, 33});
    tl_tape_free(tape);
}

Test(scan, scopes_name_the_body)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan_opts o = tl_scan_defaults();
    o.name = "over time";
    tl_scope_open(tape, "rnn");
    tl_scan s = tl_scan_open(tape, 3, &o);
    tl_tensor h = tl_scan_carry(s, numbers(tape, tl_shape1(2), 1)), h1 = tl_exp(h);
    tl_scan_next(s, h, h1);
    tl_scan_close(s);
    cr_assert_str_eq(tape->scopes[tape->nodes[h1.slot].scope], "rnn/over time");
    cr_assert_str_eq(tape->scopes[tape->scope], "rnn");
    tl_scope_close(tape);
    tl_tensor x = tl_scan_last(s, h), y = tl_sum_all(x), in = tl__at(tape, tape->nodes[tape->frames[s.frame].loop].in[0]), g;
    uint32_t before = tl_tape_nodes(tape);
    tl_grad(1, &y, NULL, 1, &in, &g);
    int adjoints = 0;
    for (uint32_t slot = before; slot < tl_tape_nodes(tape); slot++)
        adjoints += strcmp(tape->scopes[tape->nodes[slot].scope], "rnn/over time'") == 0;
    cr_assert(adjoints > 3);
    cr_assert_eq(tape->scope, 0);
    tl_tape_free(tape);
}

/* ---- draws ---------------------------------------------------------------------------------------- */

Test(scan, the_counter_advances_by_steps_times_draws)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_set_draws(tape, 100);
    tl_scan outer = tl_scan_open(tape, 5, NULL);
    tl_randn(tape, TL_F64, tl_shape1(2));
    tl_scan inner = tl_scan_open(tape, 3, NULL);
    tl_randn(tape, TL_F64, tl_shape1(2));
    tl_randn(tape, TL_F64, tl_shape1(2));
    tl_scan_close(inner);
    tl_randn(tape, TL_F64, tl_shape1(2));
    tl_scan_close(outer);
    cr_assert_eq(tape->frames[inner.frame].draws, 2);
    cr_assert_eq(tape->frames[outer.frame].draws, 8);
    cr_assert_eq(tl_draws(tape), 140);
    tl_tape_free(tape);
}

Test(scan, every_step_draws_what_the_loop_would)
{
    enum { T = 4 };
    tl_tape *tape = tl_tape_new(NULL);
    tl_set_draws(tape, 7);
    tl_scan s = tl_scan_open(tape, T, NULL);
    tl_tensor a = tl_rand(tape, TL_F64, tl_shape1(3)), b = tl_randn(tape, TL_F64, tl_shape1(3));
    tl_scan_close(s);
    double as[3 * T], bs[3 * T], want[3];
    cr_assert_eq(tl_read_f64(tl_scan_stacked(s, a), as, 3 * T), TL_OK);
    cr_assert_eq(tl_read_f64(tl_scan_stacked(s, b), bs, 3 * T), TL_OK);
    tl_set_draws(tape, 7);
    for (int t = 0; t < T; t++) {
        tl_tensor at = tl_rand(tape, TL_F64, tl_shape1(3)), bt = tl_randn(tape, TL_F64, tl_shape1(3));
        cr_assert_eq(tl_read_f64(at, want, 3), TL_OK);
        cr_assert_eq(memcmp(as + 3 * t, want, sizeof want), 0);
        cr_assert_eq(tl_read_f64(bt, want, 3), TL_OK);
        cr_assert_eq(memcmp(bs + 3 * t, want, sizeof want), 0);
    }
    tl_tape_free(tape);
}

/* ---- lengths -------------------------------------------------------------------------------------- */

enum { LT = 5, LB = 4, LI = 2, LH = 3 };

/* masked_rnn -- h' = tanh(x W + h U) over rows [T,n,I] from row `first`; returns hs, the last h and sum over t of h'^2. */
static void masked_rnn(tl_tape *tape, int64_t T, int reverse, tl_tensor xs, tl_tensor h0, const tl_tensor *w, tl_tensor lengths,
                       tl_tensor out[3])
{
    tl_scan_opts o = tl_scan_defaults();
    o.reverse = reverse;
    o.lengths = lengths;
    tl_scan s = tl_scan_open(tape, T, &o);
    tl_tensor h = tl_scan_carry(s, h0), x = tl_scan_each(s, xs);
    tl_tensor h1 = tl_tanh(tl_add(tl_matmul(x, w[0]), tl_matmul(h, w[1])));
    tl_tensor square = tl_mul(h1, h1);
    tl_scan_next(s, h, h1);
    tl_scan_close(s);
    out[0] = tl_scan_stacked(s, h1);
    out[1] = tl_scan_last(s, h);
    out[2] = tl_scan_summed(s, square);
}

/* weighted -- a scalar that weighs every element differently. */
static tl_tensor weighted(tl_tape *tape, tl_tensor t, double first)
{
    return tl_sum_all(tl_mul(t, tl_scale(numbers(tape, tl_shape_of(t), first), 0.1)));
}

/* The padded batch against each row alone, without padding: values, gradients of rows, and their sum for the weights. */
static void lengths_are_rows_alone(int reverse)
{
    const int32_t length[LB] = {3, 0, 5, 1};
    tl_tape *tape = tl_tape_new(NULL);
    double x[LT * LB * LI];
    for (int t = 0; t < LT; t++)
        for (int b = 0; b < LB; b++)
            for (int i = 0; i < LI; i++)
                x[(t * LB + b) * LI + i] = t < length[b] ? sin(1.0 + t + 3 * b + 7 * i) : NAN;
    tl_tensor xs = tl_input_f64(tape, tl_shape3(LT, LB, LI), x), h0 = tl_scale(numbers(tape, tl_shape2(LB, LH), 1), 0.05);
    tl_tensor w[2] = {tl_scale(numbers(tape, tl_shape2(LI, LH), -3), 0.2), tl_scale(numbers(tape, tl_shape2(LH, LH), -4), 0.1)};
    tl_tensor out[3], in[4] = {xs, h0, w[0], w[1]}, g[4], gg[4];
    masked_rnn(tape, LT, reverse, xs, h0, w, tl_input_i32(tape, tl_shape1(LB), length), out);
    tl_tensor loss = tl_add(tl_add(weighted(tape, out[0], 1), weighted(tape, out[1], 2)), weighted(tape, out[2], 3));
    tl_grad(1, &loss, NULL, 4, in, g);
    tl_tensor second = tl_add(weighted(tape, g[2], 1), weighted(tape, g[3], 2));
    tl_grad(1, &second, NULL, 4, in, gg);
    double hs[LT * LB * LH], last[LB * LH], sum[LB * LH], gx[LT * LB * LI], gh[LB * LH], gw[LI * LH], gu[LH * LH], ggw[LI * LH];
    cr_assert_eq(tl_read_f64(out[0], hs, LT * LB * LH), TL_OK, "%s", tl_tape_error(tape));
    cr_assert_eq(tl_read_f64(out[1], last, LB * LH), TL_OK);
    cr_assert_eq(tl_read_f64(out[2], sum, LB * LH), TL_OK);
    cr_assert_eq(tl_read_f64(g[0], gx, LT * LB * LI), TL_OK);
    cr_assert_eq(tl_read_f64(g[1], gh, LB * LH), TL_OK);
    cr_assert_eq(tl_read_f64(g[2], gw, LI * LH), TL_OK);
    cr_assert_eq(tl_read_f64(g[3], gu, LH * LH), TL_OK);
    cr_assert_eq(tl_read_f64(gg[2], ggw, LI * LH), TL_OK);
    double sum_gw[LI * LH] = {0}, sum_gu[LH * LH] = {0}, sum_ggw[LI * LH] = {0};
    for (int b = 0; b < LB; b++) {
        const int n = length[b];
        tl_tensor row = tl_slice(tl_slice(xs, 0, 0, n), 1, b, 1), h = tl_slice(h0, 0, b, 1), one[3], rg[4], rgg[4];
        masked_rnn(tape, n, reverse, row, h, w, (tl_tensor){0}, one);
        /* the same weights as in the padded batch */
        tl_tensor c0 = tl_slice(tl_slice(tl_scale(numbers(tape, tl_shape3(LT, LB, LH), 1), 0.1), 0, 0, n), 1, b, 1);
        tl_tensor c1 = tl_slice(tl_scale(numbers(tape, tl_shape2(LB, LH), 2), 0.1), 0, b, 1);
        tl_tensor c2 = tl_slice(tl_scale(numbers(tape, tl_shape2(LB, LH), 3), 0.1), 0, b, 1);
        tl_tensor row_loss = tl_add(tl_add(tl_sum_all(tl_mul(one[0], c0)), tl_sum_all(tl_mul(one[1], c1))),
                                    tl_sum_all(tl_mul(one[2], c2)));
        tl_tensor rin[4] = {row, h, w[0], w[1]};
        tl_grad(1, &row_loss, NULL, 4, rin, rg);
        tl_tensor row_second = tl_add(weighted(tape, rg[2], 1), weighted(tape, rg[3], 2));
        tl_grad(1, &row_second, NULL, 4, rin, rgg);
        double v[ROOM];
        cr_assert_eq(tl_read_f64(one[0], v, n * LH), TL_OK, "%s", tl_tape_error(tape));
        for (int t = 0; t < LT; t++)
            for (int k = 0; k < LH; k++)
                cr_assert(fabs(hs[(t * LB + b) * LH + k] - (t < n ? v[t * LH + k] : 0)) < 1e-13, "hs[%d,%d,%d]", t, b, k);
        cr_assert_eq(tl_read_f64(one[1], v, LH), TL_OK);
        for (int k = 0; k < LH; k++)
            cr_assert(fabs(last[b * LH + k] - v[k]) < 1e-13, "last[%d,%d]", b, k);
        cr_assert_eq(tl_read_f64(one[2], v, LH), TL_OK);
        for (int k = 0; k < LH; k++)
            cr_assert(fabs(sum[b * LH + k] - v[k]) < 1e-13, "sum[%d,%d]", b, k);
        cr_assert_eq(tl_read_f64(rg[0], v, n * LI), TL_OK);
        for (int t = 0; t < LT; t++)
            for (int i = 0; i < LI; i++)
                cr_assert(fabs(gx[(t * LB + b) * LI + i] - (t < n ? v[t * LI + i] : 0)) < 1e-12, "gx[%d,%d,%d]", t, b, i);
        cr_assert_eq(tl_read_f64(rg[1], v, LH), TL_OK);
        for (int k = 0; k < LH; k++)
            cr_assert(fabs(gh[b * LH + k] - v[k]) < 1e-12, "gh[%d,%d]", b, k);
        cr_assert_eq(tl_read_f64(rg[2], v, LI * LH), TL_OK);
        for (int k = 0; k < LI * LH; k++)
            sum_gw[k] += v[k];
        cr_assert_eq(tl_read_f64(rg[3], v, LH * LH), TL_OK);
        for (int k = 0; k < LH * LH; k++)
            sum_gu[k] += v[k];
        cr_assert_eq(tl_read_f64(rgg[2], v, LI * LH), TL_OK);
        for (int k = 0; k < LI * LH; k++)
            sum_ggw[k] += v[k];
    }
    for (int k = 0; k < LI * LH; k++)
        cr_assert(fabs(gw[k] - sum_gw[k]) < 1e-11 && fabs(ggw[k] - sum_ggw[k]) < 1e-10, "gw[%d]", k);
    for (int k = 0; k < LH * LH; k++)
        cr_assert(fabs(gu[k] - sum_gu[k]) < 1e-11, "gu[%d]", k);
    tl_tape_free(tape);
}

Test(scan, lengths_are_rows_alone_forward)
{
    lengths_are_rows_alone(0);
}

Test(scan, lengths_are_rows_alone_in_reverse)
{
    lengths_are_rows_alone(1);
}

Test(scan, integers_and_time_with_lengths)
{
    const int32_t length[2] = {1, 3}, ids[6] = {1, 2, 99, 0, -7, 1};
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan_opts o = tl_scan_defaults();
    o.lengths = tl_input_i32(tape, tl_shape1(2), length);
    tl_tensor table = numbers(tape, tl_shape2(3, 1), 10);
    tl_scan s = tl_scan_open(tape, 3, &o);
    tl_tensor e = tl_gather(table, tl_scan_each(s, tl_input_i32(tape, tl_shape2(3, 2), ids))); /* padding is 0: a legal row */
    tl_scan_close(s);
    holds(tl_scan_stacked(s, e), 6, (double[]){11, 12, 0, 10, 0, 11});
    tl_tape_free(tape);
}

Test(scan, the_masked_value_is_recorded_once)
{
    const int32_t length[2] = {1, 3};
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan_opts o = tl_scan_defaults();
    o.lengths = tl_input_i32(tape, tl_shape1(2), length);
    tl_scan s = tl_scan_open(tape, 3, &o);
    tl_tensor h = tl_scan_carry(s, numbers(tape, tl_shape2(2, 2), 1)), h1 = tl_exp(h);
    tl_scan_next(s, h, h1);
    tl_scan_close(s);
    cr_assert_eq(tl_scan_stacked(s, h1).slot, tl_scan_stacked(s, h1).slot);
    cr_assert_eq(tape->nodes[tl_scan_stacked(s, h1).slot].attr.i[0], tape->nodes[tl_scan_summed(s, h1).slot].attr.i[0]);
    cr_assert_neq(tl__scan_stacked_raw(tape, s.frame, h1.slot).slot, tl_scan_stacked(s, h1).slot);
    tl_tape_free(tape);
}

Test(scan, lengths_outside_the_range_are_found_when_run)
{
    const int32_t length[2] = {1, 4};
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan_opts o = tl_scan_defaults();
    o.lengths = tl_input_i32(tape, tl_shape1(2), length);
    tl_scan s = tl_scan_open(tape, 3, &o);
    tl_tensor h = tl_scan_carry(s, numbers(tape, tl_shape2(2, 1), 1));
    tl_scan_next(s, h, tl_exp(h));
    tl_scan_close(s);
    double v[2];
    cr_assert_eq(tl_read_f64(tl_scan_last(s, h), v, 2), TL_ERANGE);
    cr_assert(strstr(tl_tape_error(tape), "4"), "%s", tl_tape_error(tape));
    tl_tape_free(tape);
}

/* ---- residuals ------------------------------------------------------------------------------------ */

static uint32_t wanted(const tl_tape *tape, uint32_t frame)
{
    uint32_t n = 0;
    for (uint32_t k = 0; k < tape->frames[frame].nresults; k++)
        n += tape->nodes[tape->frames[frame].results[k]].want;
    return n;
}

Test(scan, what_the_adjoint_will_ask_for_is_wanted)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor x = numbers(tape, tl_shape2(3, 2), 0), w = numbers(tape, tl_shape1(2), 1), g;
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, w), u = tl_mul(h, w);               /* reads h; w is the same in every step */
    tl_tensor h1 = tl_tanh(tl_add(u, tl_sin(tl_scan_each(s, x))));     /* reads its result; x lies outside */
    tl_scan_next(s, h, h1);
    tl_scan_close(s);
    tl_tensor last = tl_scan_last(s, h);
    cr_assert_eq(tl__scan_want_residuals(tape, s.frame), TL_OK);
    cr_assert_eq(wanted(tape, s.frame), 2); /* h and h1 */
    uint32_t nodes = tl_tape_nodes(tape), results = tape->frames[s.frame].nresults;
    cr_assert_eq(tl__scan_want_residuals(tape, s.frame), TL_OK);
    cr_assert_eq(tl_tape_nodes(tape), nodes);
    tl_tensor in[2] = {x, w}, gs[2];
    tl_grad(1, &last, NULL, 2, in, gs);
    cr_assert_eq(tape->frames[s.frame].nresults, results);
    tl_grad(1, &gs[1], NULL, 1, &w, &g);
    cr_assert_eq(tl_tape_status(tape), TL_OK, "%s", tl_tape_error(tape));
    tl_tape_free(tape);
}

Test(scan, residuals_of_inner_scans_are_asked_along)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor x = numbers(tape, tl_shape3(3, 4, 2), 0), w = numbers(tape, tl_shape1(2), 1), gs[2];
    tl_scan outer = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(outer, w), rows = tl_mul(tl_scan_each(outer, x), h);
    tl_scan inner = tl_scan_open(tape, 4, NULL);
    tl_tensor c = tl_scan_carry(inner, h), c1 = tl_tanh(tl_mul(tl_mul(c, w), tl_scan_each(inner, rows)));
    tl_scan_next(inner, c, c1);
    tl_scan_close(inner);
    tl_scan_next(outer, h, tl_scan_last(inner, c));
    tl_scan_close(outer);
    tl_tensor last = tl_scan_last(outer, h), in[2] = {x, w};
    cr_assert_eq(tl__scan_want_residuals(tape, outer.frame), TL_OK, "%s", tl_tape_error(tape));
    uint32_t results = tape->frames[outer.frame].nresults, inner_results = tape->frames[inner.frame].nresults;
    cr_assert(wanted(tape, outer.frame) >= 3);
    tl_grad(1, &last, NULL, 2, in, gs);
    cr_assert_eq(tape->frames[outer.frame].nresults, results);
    cr_assert_eq(tape->frames[inner.frame].nresults, inner_results);
    tl_tape_free(tape);
}

/* ---- errors --------------------------------------------------------------------------------------- */

static void refused(tl_tape *tape, int code, const char *words)
{
    cr_assert_eq(tl_tape_status(tape), code, "%s", tl_tape_error(tape));
    cr_assert(strstr(tl_tape_error(tape), words), "\"%s\" is not in \"%s\"", words, tl_tape_error(tape));
    cr_assert_eq(tl_tape_reset(tape), TL_OK);
    cr_assert_eq(tape->frame, 0);
    tl_tensor x = numbers(tape, tl_shape1(1), 3); /* and the tape goes on */
    holds(tl_add(x, x), 1, (double[]){6});
    tl_tape_free(tape);
}

Test(scan, negative_T)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, -1, NULL);
    cr_assert_null(tl_scan_time(s).tape);
    tl_scan_close(s);
    refused(tape, TL_ERANGE, "T = -1");
}

Test(scan, a_carry_without_next)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_name(tl_scan_carry(s, numbers(tape, tl_shape1(1), 1)), "cell state");
    tl_scan_close(s);
    refused(tape, TL_ESTATE, "cell state, recorded in scan has no next value");
}

Test(scan, next_twice)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, numbers(tape, tl_shape1(1), 1));
    tl_scan_next(s, h, h);
    tl_scan_next(s, h, h);
    refused(tape, TL_ESTATE, "has its next value already");
}

Test(scan, next_of_another_shape)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_name(tl_scan_carry(s, numbers(tape, tl_shape1(2), 1)), "h");
    tl_scan_next(s, h, numbers(tape, tl_shape1(3), 1));
    refused(tape, TL_ESHAPE, "got [3], but carry h, recorded in scan is [2]");
}

Test(scan, next_of_another_dtype)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, numbers(tape, tl_shape1(1), 1));
    tl_scan_next(s, h, tl_zeros(tape, TL_F32, tl_shape1(1)));
    refused(tape, TL_EDTYPE, "got f32, but carry");
}

Test(scan, next_of_what_is_no_carry)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, numbers(tape, tl_shape1(1), 1));
    tl_scan_next(s, tl_exp(h), h);
    refused(tape, TL_EINVAL, "is not a carry of scan \"scan\"");
}

Test(scan, an_input_of_the_wrong_length)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_scan_each(s, numbers(tape, tl_shape2(4, 2), 1));
    refused(tape, TL_ESHAPE, "scan: tl_scan_each: got [4,2], want [3,...]");
}

Test(scan, an_input_from_inside_the_body)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, numbers(tape, tl_shape1(3), 1));
    tl_scan_each(s, h);
    refused(tape, TL_EFRAME, "tl_scan_each: %");
}

Test(scan, results_before_close)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, numbers(tape, tl_shape1(1), 1));
    tl_scan_last(s, h);
    refused(tape, TL_ESTATE, "is still open: tl_scan_close comes first");
}

Test(scan, leaves_after_close)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_scan_close(s);
    tl_scan_carry(s, numbers(tape, tl_shape1(1), 1));
    refused(tape, TL_ESTATE, "is closed");
}

Test(scan, closing_the_outer_one_first)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan_opts o = tl_scan_defaults();
    tl_scan outer = tl_scan_open(tape, 3, &o);
    o.name = "inner";
    tl_scan_open(tape, 3, &o);
    tl_scan_close(outer);
    refused(tape, TL_ESTATE, "scan \"scan/inner\" is open inside it");
}

Test(scan, a_scope_left_open)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_scope_open(tape, "gate");
    tl_scan_close(s);
    refused(tape, TL_ESTATE, "scope \"scan/gate\" was opened in the body");
}

Test(scan, body_values_outside)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, numbers(tape, tl_shape1(1), 1)), h1 = tl_exp(h);
    tl_scan_next(s, h, h1);
    tl_scan_close(s);
    tl_add(h1, h1);
    refused(tape, TL_EFRAME, "belongs to the body of scan");
}

Test(scan, values_of_an_inner_body_as_results_of_the_outer)
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

Test(scan, results_of_an_inner_scan_outside)
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

Test(scan, a_scan_of_an_earlier_step)
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

Test(scan, an_init_of_another_tape)
{
    tl_tape *tape = tl_tape_new(NULL), *other = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_scan_carry(s, numbers(other, tl_shape1(1), 1));
    cr_assert_eq(tl_tape_status(other), TL_ETAPE);
    tl_tape_free(other);
    refused(tape, TL_ETAPE, "lives on another tape than the scan");
}

Test(scan, lengths_of_another_kind)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan_opts o = tl_scan_defaults();
    o.lengths = numbers(tape, tl_shape1(2), 1);
    tl_scan_open(tape, 3, &o);
    refused(tape, TL_EDTYPE, "lengths: got f64 [2], want i32 [B]");
}

Test(scan, a_carry_without_rows)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan_opts o = tl_scan_defaults();
    o.lengths = tl_input_i32(tape, tl_shape1(2), (const int32_t[]){1, 2});
    tl_scan s = tl_scan_open(tape, 3, &o);
    tl_scan_carry(s, numbers(tape, tl_shape1(3), 1));
    refused(tape, TL_ESHAPE, "got [3] in a step of a scan with lengths [2], want [2,...]");
}

Test(scan, a_sum_of_integers)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor t = tl_scan_time(s);
    tl_scan_close(s);
    tl_scan_summed(s, t);
    refused(tape, TL_EDTYPE, "tl_scan_summed: got i32");
}

Test(scan, a_value_of_the_highest_rank_cannot_be_stacked)
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

Test(scan, inert_operands_do_nothing)
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
    tl_scan s = tl_scan_open(tape, 3, NULL);
    cr_assert_null(tl_scan_carry(s, inert).tape);
    cr_assert_null(tl_scan_each(s, inert).tape);
    tl_scan_close(s);
    cr_assert_null(tl_scan_last(s, inert).tape);
    cr_assert_null(tl_scan_stacked(s, inert).tape);
    cr_assert_null(tl_scan_summed(s, inert).tape);
    cr_assert_eq(tl_tape_status(tape), TL_OK, "%s", tl_tape_error(tape));
    tl_tape_free(tape);
}
