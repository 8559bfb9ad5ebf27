/* test_replay.c -- scans that recompute: the same numbers as scans that keep, and no memory for
 * what lies between their carries. Against the unrolled loop they are held by all tests that use
 * unroll.h. */
#include "core/grad.h"
#include "core/run.h"
#include "core/scan_record.h"
#include "core/space.h"
#include "ops/ops.h"
#include "tests/check.h"

#include <stdlib.h>
#include <string.h>

enum { T = 64, B = 4, I = 8, H = 8, WIDE = 512, IN = 4 };

/* wide_step -- h' = tanh(x a' + h b') c', through a layer of WIDE units. */
static tl_tensor wide_step(tl_tensor x, tl_tensor h, const tl_tensor *w)
{
    const tl_tensor none = {0};
    tl_tensor z = tl_tanh(tl_add(tl_linear(x, w[0], none), tl_linear(h, w[1], none)));
    return tl_linear(tl_dropout(z, 0.1), w[2], none);
}

/* inputs -- xs and three weights, inputs all of them. */
static void inputs(tl_tape *tape, tl_tensor in[IN])
{
    in[0] = check_random(tape, TL_F32, tl_shape3(T, B, I), 1);
    in[1] = tl_scale(check_random(tape, TL_F32, tl_shape2(WIDE, I), 2), 0.1);
    in[2] = tl_scale(check_random(tape, TL_F32, tl_shape2(WIDE, H), 3), 0.1);
    in[3] = tl_scale(check_random(tape, TL_F32, tl_shape2(H, WIDE), 4), 0.02);
}

/* loss_of -- of a scan over the wide step. */
static tl_tensor loss_of(const tl_tensor in[IN], int recompute, int reverse, tl_tensor lengths)
{
    tl_scan_opts o = tl_scan_defaults();
    o.recompute = recompute;
    o.reverse = reverse;
    o.lengths = lengths;
    tl_tape *tape = in[0].tape;
    tl_scan s = tl_scan_open(tape, T, &o);
    tl_tensor h = tl_scan_carry(s, tl_zeros(tape, TL_F32, tl_shape2(B, H)));
    tl_tensor h1 = wide_step(tl_scan_each(s, in[0]), h, in + 1);
    tl_tensor square = tl_square(h1);
    tl_scan_next(s, h, h1);
    tl_scan_close(s);
    return tl_add(tl_sum_all(tl_scan_summed(s, square)), tl_sum_all(tl_scan_last(s, h)));
}

/* blocks_loss -- the same loop as a scan over eight blocks around a scan over eight steps. */
static tl_tensor blocks_loss(const tl_tensor in[IN], int recompute)
{
    enum { N = 8 };
    tl_scan_opts o = tl_scan_defaults();
    o.recompute = recompute;
    tl_tape *tape = in[0].tape;
    tl_tensor xs = tl_reshape(in[0], tl_shape4(N, T / N, B, I));
    tl_scan outer = tl_scan_open(tape, N, &o);
    tl_tensor h = tl_scan_carry(outer, tl_zeros(tape, TL_F32, tl_shape2(B, H)));
    tl_tensor x = tl_scan_each(outer, xs);
    tl_scan inner = tl_scan_open(tape, T / N, NULL);
    tl_tensor g = tl_scan_carry(inner, h), g1 = wide_step(tl_scan_each(inner, x), g, in + 1);
    tl_tensor square = tl_square(g1);
    tl_scan_next(inner, g, g1);
    tl_scan_close(inner);
    tl_tensor sum = tl_scan_summed(inner, square);
    tl_scan_next(outer, h, tl_scan_last(inner, g));
    tl_scan_close(outer);
    return tl_add(tl_sum_all(tl_scan_summed(outer, sum)), tl_sum_all(tl_scan_last(outer, h)));
}

/* commit_bytes -- the slab of a commit that computes the gradients of a loss by three parameters
 * into stores. */
static size_t commit_bytes(int recompute, int blocks)
{
    tl_tape *tape = check_tape(5);
    tl_params *set = tl_params_new(TL_F32);
    tl_tensor in[IN];
    inputs(tape, in);
    for (int i = 1; i < IN; i++) {
        tl_param *p = tl_param_new(set, &"abc"[i - 1], tl_shape_of(in[i]), NULL);
        cr_assert_not_null(p);
        double *v = check_values(in[i]);
        cr_assert_eq(tl_param_set_f64(p, v, tl_shape_count(tl_shape_of(in[i]))), TL_OK);
        free(v);
        in[i] = tl_use(tape, p);
    }
    tl_tensor loss =
        blocks ? blocks_loss(in, recompute) : loss_of(in, recompute, 0, (tl_tensor){0});
    cr_assert_eq(tl_backward(loss), TL_OK, "%s", tl_tape_error(tape));
    cr_assert_eq(tl_commit(tape), TL_OK, "%s", tl_tape_error(tape));
    const size_t bytes = tl__run_stats(tape).slab_bytes;
    tl_tape_free(tape);
    tl_params_free(set);
    return bytes;
}

Test(replay, what_lies_between_the_carries_needs_no_memory_for_all_steps)
{
    const size_t all = (size_t)T * B * WIDE * sizeof(float);
    const size_t kept = commit_bytes(0, 0), again = commit_bytes(1, 0);
    cr_assert(kept > all, "%zu bytes, one residual has %zu", kept, all);
    cr_assert(again < all / 4, "%zu bytes, one residual has %zu", again, all);
}

Test(replay, a_block_of_steps_is_what_nested_loops_need)
{
    const size_t all = (size_t)T * B * WIDE * sizeof(float);
    const size_t kept = commit_bytes(0, 1), again = commit_bytes(1, 1);
    cr_assert(kept > all, "%zu bytes, one residual has %zu", kept, all);
    cr_assert(again < all, "%zu bytes, one residual has %zu", again, all);
}

/* The arithmetic is the same but for what hoisting and lifting do to the scan that keeps; without
 * them so are the bits. Reading the loss before the gradient changes none. (The gradient of the
 * gradient adds the same terms in another order.) */
Test(replay, the_same_bits_as_a_scan_that_keeps)
{
    const unsigned passes = tl__passes();
    const int32_t length[B] = {64, 3, 0, 40};
    for (int way = 0; way < 12; way++) {
        tl_tape *tape[2] = {check_tape(5), check_tape(5)};
        tl_tensor grad[2][IN], second[2][IN];
        tl__set_passes(way % 2 ? passes & ~(unsigned)TL_PASS_HOIST : passes);
        for (int k = 0; k < 2; k++) {
            tl_tensor in[IN], lengths = {0};
            inputs(tape[k], in);
            if (way / 4 == 1)
                lengths = tl_input_i32(tape[k], tl_shape1(B), length);
            tl_tensor loss =
                way / 4 == 2 ? blocks_loss(in, k) : loss_of(in, k, way / 2 % 2, lengths);
            if (way / 2 % 2)
                tl_item(loss);
            tl_grad(1, &loss, NULL, IN, in, grad[k]);
            tl_tensor sum = tl_sum_all(tl_square(grad[k][1]));
            tl_grad(1, &sum, NULL, IN, in, second[k]);
            assert_ok(tape[k]);
        }
        for (int i = 0; i < IN; i++) {
            const double tolerance = way % 2 ? 0 : 1e-4;
            assert_same(grad[1][i], grad[0][i], tolerance, tolerance);
            assert_same(second[1][i], second[0][i], 1e-3, 1e-3);
        }
        cr_assert_eq(tl_draws(tape[0]), tl_draws(tape[1]));
        tl_tape_free(tape[0]);
        tl_tape_free(tape[1]);
    }
    tl__set_passes(passes);
}

/* stacked_of -- how many values of a body somebody asks for at every step, and how many of those
 * are not carries. */
static int stacked_of(const tl_tape *tape, uint32_t frame, int *others)
{
    const tl_frame *f = &tape->frames[frame];
    int n = 0;
    for (uint32_t k = 0; k < f->nresults; k++) {
        const tl_node *r = &tape->nodes[f->results[k]];
        n += r->op == &tl_op_stacked;
        *others += r->op == &tl_op_stacked && tape->nodes[r->attr.i[0]].op != &tl_op_carry;
    }
    return n;
}

Test(replay, only_carries_are_asked_for)
{
    tl_tape *tape = check_tape(5);
    tl_tensor in[IN], grad[IN];
    int others = 0;
    inputs(tape, in);
    const uint32_t frame = tape->nframes;
    tl_tensor loss = loss_of(in, 1, 0, (tl_tensor){0});
    cr_assert_eq(tl__scan_want_residuals(tape, frame), TL_OK);
    cr_assert_eq(stacked_of(tape, frame, &others), 1);
    const uint32_t nodes = tl_tape_nodes(tape);
    cr_assert_eq(tl__scan_want_residuals(tape, frame), TL_OK);
    cr_assert_eq(tl_tape_nodes(tape), nodes);
    tl_grad(1, &loss, NULL, IN, in, grad);
    cr_assert_eq(stacked_of(tape, frame, &others), 1);
    cr_assert_eq(others, 0);
    assert_ok(tape);
    tl_tape_free(tape);
}

/* Bringing values over takes no stack that grows with the body. */
Test(replay, a_body_of_many_nodes)
{
    enum { LONG = 100000 };
    tl_tape *tape = check_tape(5);
    tl_tensor x = check_random(tape, TL_F64, tl_shape1(2), 1), g;
    tl_scan_opts o = tl_scan_defaults();
    o.recompute = 1;
    tl_scan s = tl_scan_open(tape, 2, &o);
    tl_tensor h = tl_scan_carry(s, x), v = h;
    for (int k = 0; k < LONG; k++)
        v = tl_sin(v);
    tl_scan_next(s, h, v);
    tl_scan_close(s);
    tl_tensor sum = tl_sum_all(tl_scan_last(s, h));
    cr_assert_eq(tl_grad(1, &sum, NULL, 1, &x, &g), TL_OK, "%s", tl_tape_error(tape));
    tl_tape_free(tape);
}

/* An index out of range is found in the forward loop, with its step; the gradient alone, which
 * reads the same labels again, finds it too. */
Test(replay, errors_of_the_body)
{
    const int32_t c[3] = {0, 7, 1};
    tl_tape *tape = check_tape(5);
    tl_tensor w = check_random(tape, TL_F64, tl_shape2(3, 2), 1), g;
    tl_scan_opts o = tl_scan_defaults();
    o.recompute = 1;
    tl_scan s = tl_scan_open(tape, 3, &o);
    tl_tensor row = tl_gather(w, tl_scan_each(s, tl_input_i32(tape, tl_shape1(3), c)));
    tl_tensor square = tl_square(row);
    tl_scan_close(s);
    tl_tensor sum = tl_sum_all(tl_scan_summed(s, square));
    tl_grad(1, &sum, NULL, 1, &w, &g);
    cr_assert_neq(tl_eval(1, &g), TL_OK);
    assert_fails(tape, TL_ERANGE, "7");
    tl_tape_free(tape);
}

/* memory: every allocation on the way fails once, and what is left over is freed. */
Test(replay, without_memory)
{
    int code = TL_ENOMEM;
    for (int k = 1; code == TL_ENOMEM; k++) {
        cr_assert(k < 3000);
        tl_tape *tape = check_tape(5);
        tl_tensor in[IN], grad[IN];
        inputs(tape, in);
        tl_tensor loss = blocks_loss(in, 1);
        assert_ok(tape);
        tl__fail_after(k);
        code = tl_grad(1, &loss, NULL, IN, in, grad);
        tl__fail_after(0);
        tl_tape_free(tape);
    }
    cr_assert_eq(code, TL_OK);
}
