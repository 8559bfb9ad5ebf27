/* test_scan.c -- recording a scan: its leaves, captures, results and draws. Errors are in
 * test_scan_error.c, lengths in test_scan_lengths.c, gradients in test_scan_grad.c. */
#include "tests/scantest.h"

/* ---- values ---------------------------------------------------------------------------------- */

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
        const double forward[6] = {101, 103, 104, 107, 109, 113},
                     backward[6] = {109, 113, 108, 111, 105, 107};
        holds(tl_scan_stacked(s, h1), 6, reverse ? backward : forward);
        const double before_f[6] = {100, 101, 101, 103, 104, 107},
                     before_b[6] = {108, 111, 105, 107, 100, 101};
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
    tl_tensor next_of = tl_input_i32(tape, tl_shape1(4), follow),
              xs = tl_input_i32(tape, tl_shape1(3), offset);
    tl_tensor table = numbers(tape, tl_shape1(4), 10);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor k = tl_scan_carry(s, tl_input_i32(tape, tl_shape0(), &start)),
              x = tl_scan_each(s, xs);
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

/* ---- what is recorded ------------------------------------------------------------------------ */

Test(scan, the_loops_operands_are_inits_inputs_captures)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor a = numbers(tape, tl_shape1(2), 1), b = numbers(tape, tl_shape1(2), 2),
              xs = numbers(tape, tl_shape2(3, 2), 3);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor x = tl_scan_each(s, xs), h = tl_scan_carry(s, a);
    tl_tensor bx = tl_mul(b, x), ha = tl_add(h, a);
    tl_scan_next(s, h, tl_add(bx, tl_mul(ha, b)));
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

/* A result asked for without gradient is a constant; the same one asked for with gradient must not
 * be. */
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
    tl_tensor x = tl_scan_last(s, h), y = tl_sum_all(x),
              in = tl__at(tape, tape->nodes[tape->frames[s.frame].loop].in[0]), g;
    uint32_t before = tl_tape_nodes(tape);
    tl_grad(1, &y, NULL, 1, &in, &g);
    int adjoints = 0;
    for (uint32_t slot = before; slot < tl_tape_nodes(tape); slot++)
        adjoints += strcmp(tape->scopes[tape->nodes[slot].scope], "rnn/over time'") == 0;
    cr_assert(adjoints > 3);
    cr_assert_eq(tape->scope, 0);
    tl_tape_free(tape);
}

/* ---- draws ----------------------------------------------------------------------------------- */

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
        tl_tensor at = tl_rand(tape, TL_F64, tl_shape1(3)),
                  bt = tl_randn(tape, TL_F64, tl_shape1(3));
        cr_assert_eq(tl_read_f64(at, want, 3), TL_OK);
        cr_assert_eq(memcmp(as + 3 * t, want, sizeof want), 0);
        cr_assert_eq(tl_read_f64(bt, want, 3), TL_OK);
        cr_assert_eq(memcmp(bs + 3 * t, want, sizeof want), 0);
    }
    tl_tape_free(tape);
}
