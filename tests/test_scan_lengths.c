/* test_scan_lengths.c -- a padded batch against each of its rows alone; NaN in the padding comes
 * through nowhere. */
#include "tests/scantest.h"

enum { LT = 5, LB = 4, LI = 2, LH = 3 };

/* masked_rnn -- h' = tanh(x W + h U) over rows [T,n,I] from row `first`; returns hs, the last h
 * and sum over t of h'^2. */
static void masked_rnn(tl_tape *tape, int64_t T, int reverse, tl_tensor xs, tl_tensor h0,
                       const tl_tensor *w, tl_tensor lengths, tl_tensor out[3])
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

/* The padded batch against each row alone, without padding: values, gradients of rows, and their
 * sum for the weights. */
static void lengths_are_rows_alone(int reverse)
{
    const int32_t length[LB] = {3, 0, 5, 1};
    tl_tape *tape = tl_tape_new(NULL);
    double x[LT * LB * LI];
    for (int t = 0; t < LT; t++)
        for (int b = 0; b < LB; b++)
            for (int i = 0; i < LI; i++)
                x[(t * LB + b) * LI + i] =
                    t < length[b] ? sin(1.0 + t + 3 * b + 7 * i) : (double)NAN;
    tl_tensor xs = tl_input_f64(tape, tl_shape3(LT, LB, LI), x),
              h0 = tl_scale(numbers(tape, tl_shape2(LB, LH), 1), 0.05);
    tl_tensor w[2] = {tl_scale(numbers(tape, tl_shape2(LI, LH), -3), 0.2),
                      tl_scale(numbers(tape, tl_shape2(LH, LH), -4), 0.1)};
    tl_tensor out[3], in[4] = {xs, h0, w[0], w[1]}, g[4], gg[4];
    masked_rnn(tape, LT, reverse, xs, h0, w, tl_input_i32(tape, tl_shape1(LB), length), out);
    tl_tensor loss = tl_add(tl_add(weighted(tape, out[0], 1), weighted(tape, out[1], 2)),
                            weighted(tape, out[2], 3));
    tl_grad(1, &loss, NULL, 4, in, g);
    tl_tensor second = tl_add(weighted(tape, g[2], 1), weighted(tape, g[3], 2));
    tl_grad(1, &second, NULL, 4, in, gg);
    double hs[LT * LB * LH], last[LB * LH], sum[LB * LH], gx[LT * LB * LI], gh[LB * LH],
        gw[LI * LH], gu[LH * LH], ggw[LI * LH];
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
        tl_tensor row = tl_slice(tl_slice(xs, 0, 0, n), 1, b, 1), h = tl_slice(h0, 0, b, 1), one[3],
                  rg[4], rgg[4];
        masked_rnn(tape, n, reverse, row, h, w, (tl_tensor){0}, one);
        /* the same weights as in the padded batch */
        tl_tensor c0 = tl_slice(
            tl_slice(tl_scale(numbers(tape, tl_shape3(LT, LB, LH), 1), 0.1), 0, 0, n), 1, b, 1);
        tl_tensor c1 = tl_slice(tl_scale(numbers(tape, tl_shape2(LB, LH), 2), 0.1), 0, b, 1);
        tl_tensor c2 = tl_slice(tl_scale(numbers(tape, tl_shape2(LB, LH), 3), 0.1), 0, b, 1);
        tl_tensor row_loss =
            tl_add(tl_add(tl_sum_all(tl_mul(one[0], c0)), tl_sum_all(tl_mul(one[1], c1))),
                   tl_sum_all(tl_mul(one[2], c2)));
        tl_tensor rin[4] = {row, h, w[0], w[1]};
        tl_grad(1, &row_loss, NULL, 4, rin, rg);
        tl_tensor row_second = tl_add(weighted(tape, rg[2], 1), weighted(tape, rg[3], 2));
        tl_grad(1, &row_second, NULL, 4, rin, rgg);
        double v[ROOM];
        cr_assert_eq(tl_read_f64(one[0], v, n * LH), TL_OK, "%s", tl_tape_error(tape));
        for (int t = 0; t < LT; t++)
            for (int k = 0; k < LH; k++)
                cr_assert(fabs(hs[(t * LB + b) * LH + k] - (t < n ? v[t * LH + k] : 0)) < 1e-13,
                          "hs[%d,%d,%d]", t, b, k);
        cr_assert_eq(tl_read_f64(one[1], v, LH), TL_OK);
        for (int k = 0; k < LH; k++)
            cr_assert(fabs(last[b * LH + k] - v[k]) < 1e-13, "last[%d,%d]", b, k);
        cr_assert_eq(tl_read_f64(one[2], v, LH), TL_OK);
        for (int k = 0; k < LH; k++)
            cr_assert(fabs(sum[b * LH + k] - v[k]) < 1e-13, "sum[%d,%d]", b, k);
        cr_assert_eq(tl_read_f64(rg[0], v, n * LI), TL_OK);
        for (int t = 0; t < LT; t++)
            for (int i = 0; i < LI; i++)
                cr_assert(fabs(gx[(t * LB + b) * LI + i] - (t < n ? v[t * LI + i] : 0)) < 1e-12,
                          "gx[%d,%d,%d]", t, b, i);
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
        cr_assert(fabs(gw[k] - sum_gw[k]) < 1e-11 && fabs(ggw[k] - sum_ggw[k]) < 1e-10, "gw[%d]",
                  k);
    for (int k = 0; k < LH * LH; k++)
        cr_assert(fabs(gu[k] - sum_gu[k]) < 1e-11, "gu[%d]", k);
    tl_tape_free(tape);
}

Test(scan_lengths, lengths_are_rows_alone_forward)
{
    lengths_are_rows_alone(0);
}

Test(scan_lengths, lengths_are_rows_alone_in_reverse)
{
    lengths_are_rows_alone(1);
}

Test(scan_lengths, integers_and_time_with_lengths)
{
    const int32_t length[2] = {1, 3}, ids[6] = {1, 2, 99, 0, -7, 1};
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan_opts o = tl_scan_defaults();
    o.lengths = tl_input_i32(tape, tl_shape1(2), length);
    tl_tensor table = numbers(tape, tl_shape2(3, 1), 10);
    tl_scan s = tl_scan_open(tape, 3, &o);
    tl_tensor e = tl_gather(
        table,
        tl_scan_each(s, tl_input_i32(tape, tl_shape2(3, 2), ids))); /* padding is 0: a legal row */
    tl_scan_close(s);
    holds(tl_scan_stacked(s, e), 6, (double[]){11, 12, 0, 10, 0, 11});
    tl_tape_free(tape);
}

Test(scan_lengths, the_masked_value_is_recorded_once)
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
    cr_assert_eq(tape->nodes[tl_scan_stacked(s, h1).slot].attr.i[0],
                 tape->nodes[tl_scan_summed(s, h1).slot].attr.i[0]);
    cr_assert_neq(tl__scan_stacked_raw(tape, s.frame, h1.slot).slot, tl_scan_stacked(s, h1).slot);
    tl_tape_free(tape);
}

Test(scan_lengths, lengths_outside_the_range_are_found_when_run)
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

Test(scan_lengths, results_with_and_without_gradient_are_two)
{
    const int32_t length[2] = {1, 3};
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan_opts o = tl_scan_defaults();
    o.lengths = tl_input_i32(tape, tl_shape1(2), length);
    tl_tensor x = numbers(tape, tl_shape2(2, 1), 1), g;
    tl_scan s = tl_scan_open(tape, 3, &o);
    tl_tensor h = tl_scan_carry(s, x), h1 = tl_add(h, h);
    tl_scan_next(s, h, h1);
    tl_scan_close(s);
    tl_no_grad_open(tape);
    tl_scan_stacked(s, h1);
    tl_no_grad_close(tape);
    tl_tensor sum = tl_scan_summed(s, h1);
    tl_grad(1, &sum, NULL, 1, &x, &g);
    holds(g, 2, (double[]){2, 14});
    tl_tape_free(tape);
}
