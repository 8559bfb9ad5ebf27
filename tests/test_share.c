/* test_share.c -- plans shared among threads have the same bits for any number of them. */
#include "core/grad.h"
#include "core/scan.h"
#include "nn/nn.h"
#include "ops/ops.h"
#include "optim/optim.h"
#include "tests/random_program.h"
#include "tests/sharetest.h"
#include "tests/unroll.h"

static int64_t put_params(const tl_params *set, int64_t n, double *out)
{
    for (int k = 0; k < tl_params_count(set); k++) {
        const tl_param *p = tl_params_at(set, k);
        const int64_t count = tl_shape_count(tl_param_shape(p));
        cr_assert(n + count <= ROOM);
        cr_assert_eq(tl_param_get_f64(p, out + n, count), TL_OK);
        n += count;
    }
    return n;
}

/* ---- random programs, and models -------------------------------------------------------------- */

static int64_t random_numbers(uint64_t seed, double *out)
{
    return random_program(seed, seed % 3 == 0, out);
}

Test(share, random_programs_have_the_same_bits)
{
    for (uint64_t seed = 1; seed <= 60; seed++)
        hold_same("program", random_numbers, seed);
}

static int64_t model_numbers(uint64_t variant, double *out)
{
    model m = variant % 2 ? lstm_model : rnn_model;
    const how way = {1 + (int)(variant / 2 % 2), 0};
    m.reverse = (int)(variant / 4 % 2);
    recorded r = record(&m, way);
    int64_t n = put(r.ys, 0, out);
    for (int i = 0; i < m.nstate; i++)
        n = put(r.last[i], n, out);
    for (int order = 0; order < m.orders; order++)
        for (int i = 0; i < r.nin; i++)
            n = put(r.grad[order][i], n, out);
    tl_tape_free(r.tape);
    return n;
}

Test(share, gradients_of_gradients_of_loops_have_the_same_bits)
{
    for (uint64_t variant = 0; variant < 8; variant++)
        hold_same("model", model_numbers, variant);
}

/* ---- sequences: all cells, both types, lengths, directions, layers, dropout, steps ------------- */

enum { T = 5, B = 3, I = 2, H = 5, CELLS = 5, KINDS = 4 };

static tl_cell cell_of(int k)
{
    tl_rnn_opts relu = tl_rnn_defaults();
    tl_gru_opts before = tl_gru_defaults();
    relu.relu = 1;
    before.reset_before = 1;
    switch (k) {
    case 0:
        return tl_rnn_cell(NULL);
    case 1:
        return tl_rnn_cell(&relu);
    case 2:
        return tl_lstm_cell(NULL);
    case 3:
        return tl_gru_cell(NULL);
    default:
        return tl_gru_cell(&before);
    }
}

/* sequence_numbers -- two training steps with clipping and Adam: losses, gradients by x, states, and
 * all parameters. */
static int64_t sequence_numbers(uint64_t variant, double *out)
{
    const int kind = (int)(variant / CELLS % KINDS);
    const tl_dtype dtype = variant / CELLS / KINDS ? TL_F32 : TL_F64;
    const int32_t lengths[B] = {4, 0, 5}, classes[T * B] = {1, 4, 0, 0, 3, 2, 2, 1};
    tl_err err = {0};
    tl_params *set = tl_params_new(dtype);
    tl_cell cell = cell_of((int)(variant % CELLS));
    tl_sequence_opts o = tl_sequence_defaults();
    o.layers = 1 + kind % 2;
    o.bidirectional = kind >= 2;
    o.dropout = kind % 2 ? 0.25 : 0;
    o.locked = kind == 3;
    tl_sequence *s = tl_sequence_new(set, "s", &cell, I, H, &o, &err);
    tl_norm_layer *norm = tl_norm_layer_new(set, "norm", (1 + o.bidirectional) * H, NULL, &err);
    tl_optim *adam = tl_adam_new(set, NULL, &err);
    cr_assert(s && norm && adam, "%s", err.message);
    tl_tape *tape = check_tape(5);
    int64_t n = 0;
    for (int k = 0; k < 2; k++) {
        tl_tensor x = check_random(tape, dtype, tl_shape3(T, B, I), 1), dx;
        tl_sequence_args a = tl_sequence_args_defaults();
        if (kind % 2)
            a.lengths = tl_input_i32(tape, tl_shape1(B), lengths);
        tl_sequence_out y = tl_sequence_apply(s, x, &a);
        tl_tensor c = tl_input_i32(tape, tl_shape2(T, B), classes);
        tl_tensor loss = tl_cross_entropy(tl_norm_layer_apply(norm, y.y), c, -1);
        cr_assert_eq(tl_grad(1, &loss, NULL, 1, &x, &dx), TL_OK);
        cr_assert_eq(tl_backward(loss), TL_OK);
        tl_clip_grad_norm(tape, set, 0.5);
        cr_assert_eq(tl_optim_step(adam, tape), TL_OK, "%s", tl_tape_error(tape));
        n = put(loss, n, out);
        n = put(dx, n, out);
        n = put(y.state[0], n, out);
        cr_assert_eq(tl_tape_reset(tape), TL_OK);
    }
    n = put_params(set, n, out);
    tl_tape_free(tape);
    tl_optim_free(adam);
    tl_norm_layer_free(norm);
    tl_sequence_free(s);
    tl_params_free(set);
    return n;
}

Test(share, training_steps_of_all_cells_have_the_same_bits)
{
    for (uint64_t variant = 0; variant < 2 * CELLS * KINDS; variant++)
        hold_same("sequence", sequence_numbers, variant);
}

/* ---- bodies that look at everything ------------------------------------------------------------ */

/* attend -- a loop whose step reads all of what earlier steps wrote, by weights of its own: rows of a
 * memory [S,H] that it also writes, transposed operands, a sum over the batch, a draw. */
static int64_t attention_numbers(uint64_t variant, double *out)
{
    enum { S = 4, W = 6 };
    tl_tape *tape = check_tape(variant);
    tl_tensor xs = check_random(tape, TL_F64, tl_shape3(T, S, W), 1),
              m0 = check_random(tape, TL_F64, tl_shape2(S, W), 2),
              u = check_random(tape, TL_F64, tl_shape2(W, W), 3), in[] = {xs, m0, u}, g[3];
    tl_scan_opts o = tl_scan_defaults();
    o.reverse = (int)(variant % 2);
    o.recompute = (int)(variant / 2 % 2);
    tl_scan s = tl_scan_open(tape, T, &o);
    tl_tensor m = tl_scan_carry(s, m0), x = tl_scan_each(s, xs);
    tl_tensor score = tl_scale(tl_matmul_t(tl_matmul(x, u), 0, m, 1), 0.3);
    tl_tensor weight = tl_softmax(score, (int)(variant / 4 % 2)),
              seen = tl_matmul_t(weight, 1, m, 0);
    tl_tensor mean = tl_sum_keep(seen, ROWS), turned = tl_transpose(seen, 0, 1);
    tl_tensor next = tl_tanh(tl_add(tl_sub(m, tl_scale(mean, 0.2)), tl_dropout(seen, 0.2)));
    tl_scan_next(s, m, next);
    tl_scan_close(s);
    tl_tensor all = tl_scan_stacked(s, weight), sum = tl_scan_summed(s, turned);
    tl_tensor loss = tl_add(tl_sum_all(tl_square(all)),
                            tl_sum_all(tl_mul(tl_transpose(sum, 0, 1), tl_scan_last(s, m))));
    cr_assert_eq(tl_grad(1, &loss, NULL, 3, in, g), TL_OK, "%s", tl_tape_error(tape));
    int64_t n = put(all, put(loss, 0, out), out);
    for (int k = 0; k < 3; k++)
        n = put(g[k], n, out);
    tl_tape_free(tape);
    return n;
}

Test(share, attention_inside_a_loop_has_the_same_bits)
{
    for (uint64_t variant = 0; variant < 8; variant++)
        hold_same("attention", attention_numbers, variant);
}

/* rows_numbers -- rows enough for bands, in both types; a sum over them, too. */
static int64_t rows_numbers(uint64_t variant, double *out)
{
    enum { N = 5003, K = 70 };
    const tl_dtype dtype = variant ? TL_F32 : TL_F64;
    tl_tape *tape = check_tape(3);
    tl_tensor z = tl_randn(tape, dtype, tl_shape2(N, K)),
              c = tl_argmax(tl_rand(tape, dtype, tl_shape2(N, K)), 1), p = tl_softmax(z, 1),
              loss = tl_cross_entropy(tl_mul(z, p), c, 7), g;
    tl_tensor columns = tl_sum_keep(tl_square(p), ROWS), rows = tl_sum_keep(tl_mul(p, z), 1);
    cr_assert_eq(tl_grad(1, &loss, NULL, 1, &z, &g), TL_OK, "%s", tl_tape_error(tape));
    int64_t n = put(tl_sum_keep(g, 1), put(loss, 0, out), out);
    n = put(columns, n, out);
    n = put(rows, n, out);
    tl_tape_free(tape);
    return n;
}

Test(share, bands_have_the_same_bits)
{
    hold_same("rows", rows_numbers, 0);
    hold_same("rows", rows_numbers, 1);
}

/* ---- calls ------------------------------------------------------------------------------------- */

/* calls_numbers -- draws in and outside of loops, rows of a table, packs of weights. */
static int64_t calls_numbers(uint64_t variant, double *out)
{
    const tl_dtype dtype = variant ? TL_F32 : TL_F64;
    tl_tape *tape = check_tape(3);
    int32_t index[T * B];
    for (int k = 0; k < T * B; k++)
        index[k] = k * 5 % 11;
    tl_tensor table = tl_randn(tape, dtype, tl_shape2(11, 37)),
              w = tl_randn(tape, dtype, tl_shape2(37, 37)),
              xs = tl_gather(table, tl_input_i32(tape, tl_shape2(T, B), index)), g;
    tl_tensor read[] = {tl_detach(w), tl_zeros(tape, dtype, tl_shape2(B, 37))};
    tl_scan s = tl_scan_open(tape, T, NULL);
    tl_tensor h = tl_scan_carry(s, read[1]), x = tl_scan_each(s, xs);
    tl_tensor noise = tl_randn(tape, dtype, tl_shape2(B, 37)),
              wide = tl_concat(2, (const tl_tensor[]){noise, tl_rand(tape, dtype, tl_shape2(B, 3))},
                               1);
    tl_scan_next(
        s, h,
        tl_tanh(tl_add(tl_mul(x, tl_slice(wide, 1, 3, 37)), tl_scale(tl_matmul(h, read[0]), 0.1))));
    tl_scan_close(s);
    tl_tensor all = tl_scan_stacked(s, wide), loss = tl_sum_all(tl_square(tl_scan_last(s, h)));
    cr_assert_eq(tl_grad(1, &loss, NULL, 1, &table, &g), TL_OK, "%s", tl_tape_error(tape));
    int64_t n = put(all, put(loss, 0, out), out);
    n = put(g, n, out);
    tl_tape_free(tape);
    return n;
}

Test(share, calls_have_the_same_bits)
{
    hold_same("calls", calls_numbers, 0);
    hold_same("calls", calls_numbers, 1);
}
