/* test_sequence.c -- cells over time: layers, directions, lengths and states against plain C; scan
 * against loop. Errors are in test_sequence_error.c. */
#include "core/print.h"
#include "core/run.h"
#include "tests/sequencetest.h"

TestSuite(sequence, .init = sequencetest_open, .fini = sequencetest_close);

/* ---- the reference --------------------------------------------------------------------------- */

static double sigm(double v)
{
    return 1 / (1 + exp(-v));
}

/* One step of one row: h, c in place. */
static void lstm_row(const double *W, const double *U, const double *b, const double *u, int n,
                     const double *x, double *h, double *c)
{
    double z[4 * H];
    for (int j = 0; j < 4 * H; j++) {
        z[j] = b[j] + u[j];
        for (int i = 0; i < n; i++)
            z[j] += x[i] * W[j * n + i];
        for (int i = 0; i < H; i++)
            z[j] += h[i] * U[j * H + i];
    }
    for (int j = 0; j < H; j++) {
        c[j] = sigm(z[H + j]) * c[j] + sigm(z[j]) * tanh(z[2 * H + j]);
        h[j] = sigm(z[3 * H + j]) * tanh(c[j]);
    }
}

/* The whole network as plain loops over rows. h, c: states in, final states out. y [T,B,D*H]. */
static void lstm_network(const tl_sequence *s, int layers, int D, const int32_t *length, double *h,
                         double *c, double *y)
{
    double in[T * B * 2 * H], W[4 * H * 2 * H], U[4 * H * H], b[4 * H], u[4 * H];
    memcpy(in, xs, sizeof xs);
    for (int l = 0; l < layers; l++) {
        int n = l ? D * H : I;
        memset(y, 0, (size_t)(T * B * D * H) * sizeof *y);
        for (int d = 0; d < D; d++) {
            double *const to[4] = {W, U, b, u};
            const int count[4] = {4 * H * n, 4 * H * H, 4 * H, 4 * H};
            for (int k = 0; k < 4; k++)
                tl_param_get_f64(tl_sequence_param(s, l, d, k), to[k], count[k]);
            for (int row = 0; row < B; row++) {
                double *hr = h + ((l * D + d) * B + row) * H, *cr = c + ((l * D + d) * B + row) * H;
                int steps = length ? length[row] : T;
                for (int i = 0; i < steps; i++) {
                    int t = d ? steps - 1 - i : i;
                    lstm_row(W, U, b, u, n, in + (t * B + row) * n, hr, cr);
                    memcpy(y + (t * B + row) * D * H + d * H, hr, H * sizeof *y);
                }
            }
        }
        memcpy(in, y, (size_t)(T * B * D * H) * sizeof *y);
    }
}

static void equals_reference(int layers, int D, const int32_t *length, int unroll)
{
    tl_sequence_opts o = tl_sequence_defaults();
    o.layers = layers;
    o.bidirectional = D == 2;
    tl_sequence *s = lstm_of(&o);
    double h[2 * L * B * H], c[2 * L * B * H], y[T * B * 2 * H];
    memcpy(h, first_h, sizeof h);
    memcpy(c, first_c, sizeof c);
    lstm_network(s, layers, D, length, h, c, y);

    tl_sequence_args a = tl_sequence_args_defaults();
    tl_shape states = tl_shape3(layers * D, B, H);
    a.initial[0] = tl_input_f64(tape, states, first_h);
    a.initial[1] = tl_input_f64(tape, states, first_c);
    a.unroll = unroll;
    if (length)
        a.lengths = tl_input_i32(tape, tl_shape1(B), length);
    tl_sequence_out out = tl_sequence_apply(s, input(), &a);
    expect_array(out.y, tl_shape3(T, B, D * H), y);
    expect_array(out.state[0], states, h);
    expect_array(out.state[1], states, c);
    cr_assert(!out.every[0].tape);
    tl_sequence_free(s);
}

Test(sequence, one_layer)
{
    equals_reference(1, 1, NULL, 0);
}

Test(sequence, both_directions)
{
    equals_reference(1, 2, NULL, 0);
}

Test(sequence, layers_and_directions)
{
    equals_reference(L, 2, NULL, 0);
}

Test(sequence, lengths)
{
    equals_reference(L, 2, lengths, 0);
}

Test(sequence, unrolled_layers_and_directions)
{
    equals_reference(L, 2, NULL, 1);
}

Test(sequence, unrolled_lengths)
{
    equals_reference(L, 2, lengths, 1);
}

/* ---- parameters ------------------------------------------------------------------------------ */

Test(sequence, parameters_have_pytorchs_names_and_shapes)
{
    tl_sequence_opts o = tl_sequence_defaults();
    o.layers = 2;
    o.bidirectional = 1;
    tl_sequence *s = lstm_of(&o);
    cr_assert_eq(tl_params_count(set), 16);
    cr_assert_eq(tl_sequence_output_size(s), 2 * H);
    tl_param *p = tl_params_find(set, "lstm.weight_ih_l0");
    cr_assert(p && p == tl_sequence_param(s, 0, 0, TL_W_IH));
    cr_assert(tl_shape_equal(tl_param_shape(p), tl_shape2(4 * H, I)));
    p = tl_params_find(set, "lstm.weight_ih_l1_reverse");
    cr_assert(p && p == tl_sequence_param(s, 1, 1, TL_W_IH));
    cr_assert(tl_shape_equal(tl_param_shape(p), tl_shape2(4 * H, 2 * H)));
    p = tl_params_find(set, "lstm.bias_hh_l0_reverse");
    cr_assert(p && p == tl_sequence_param(s, 0, 1, TL_B_HH));
    cr_assert_null(tl_sequence_param(s, 2, 0, 0));
    cr_assert_null(tl_sequence_param(s, 0, 2, 0));
    cr_assert_null(tl_sequence_param(s, 0, 0, 4));
    cr_assert_null(tl_sequence_param(NULL, 0, 0, 0));
    cr_assert_str_eq(tl_sequence_cell(s)->name, "lstm");
    tl_sequence_free(s);
}

Test(sequence, names_without_prefix_and_initial_values_from_seed_and_name)
{
    tl_err err = {0};
    tl_cell cell = tl_gru_cell(NULL);
    tl_params *other = tl_params_new(TL_F64);
    tl_sequence *a = tl_sequence_new(set, NULL, &cell, I, H, NULL, &err);
    tl_param_new(other, "made_before", tl_shape1(5), &err);
    tl_sequence *b = tl_sequence_new(other, "", &cell, I, H, NULL, &err);
    cr_assert(a && b, "%s", err.message);
    double x[3 * H * I], y[3 * H * I];
    tl_param_get_f64(tl_params_find(set, "weight_ih_l0"), x, 3 * H * I);
    tl_param_get_f64(tl_params_find(other, "weight_ih_l0"), y, 3 * H * I);
    cr_assert_eq(memcmp(x, y, sizeof x), 0);
    for (int i = 0; i < 3 * H * I; i++)
        cr_assert(x[i] != 0 && fabs(x[i]) <= 1 / sqrt(H));
    tl_sequence_free(a);
    tl_sequence_free(b);
    tl_params_free(other);
}

Test(sequence, the_forget_bias_is_added)
{
    tl_err err = {0};
    tl_lstm_opts o = tl_lstm_defaults();
    double plain[4 * H], raised[4 * H];
    for (int i = 0; i < 2; i++) {
        tl_params *own = tl_params_new(TL_F64);
        o.forget_bias = i;
        tl_cell cell = tl_lstm_cell(&o);
        tl_sequence *s = tl_sequence_new(own, "lstm", &cell, I, H, NULL, &err);
        tl_param_get_f64(tl_sequence_param(s, 0, 0, TL_B_IH), i ? raised : plain, 4 * H);
        tl_sequence_free(s);
        tl_params_free(own);
    }
    for (int j = 0; j < 4 * H; j++)
        cr_assert_eq(raised[j], plain[j] + (j / H == 1 ? 1 : 0));
}

/* ---- arrangement of inputs and outputs ------------------------------------------------------- */

Test(sequence, batch_first_is_the_same_transposed)
{
    tl_err err = {0};
    double swapped[B * T * I], y[T * B * H], want[B * T * H];
    for (int t = 0; t < T; t++)
        for (int b = 0; b < B; b++)
            memcpy(swapped + (b * T + t) * I, xs + (t * B + b) * I, I * sizeof *xs);
    tl_sequence *s = lstm_of(NULL);
    tl_sequence_opts o = tl_sequence_defaults();
    o.batch_first = 1;
    tl_params *other = tl_params_new(TL_F64);
    tl_cell cell = tl_lstm_cell(NULL);
    tl_sequence *r = tl_sequence_new(other, "lstm", &cell, I, H, &o, &err);
    cr_assert_eq(tl_read_f64(tl_sequence_apply(s, input(), NULL).y, y, T * B * H), TL_OK);
    for (int t = 0; t < T; t++)
        for (int b = 0; b < B; b++)
            memcpy(want + (b * T + t) * H, y + (t * B + b) * H, H * sizeof *y);
    tl_tensor x = tl_input_f64(tape, tl_shape3(B, T, I), swapped);
    expect_array(tl_sequence_apply(r, x, NULL).y, tl_shape3(B, T, H), want);
    tl_sequence_free(s);
    tl_sequence_free(r);
    tl_params_free(other);
}

Test(sequence, every_state_is_stacked_on_request)
{
    tl_sequence_opts o = tl_sequence_defaults();
    o.layers = 2;
    tl_sequence *s = lstm_of(&o);
    for (int unroll = 0; unroll < 2; unroll++) {
        tl_sequence_args a = tl_sequence_args_defaults();
        a.every_state = 1;
        a.unroll = unroll;
        tl_sequence_out out = tl_sequence_apply(s, input(), &a);
        double y[T * B * H], h[2 * T * B * H], c[2 * T * B * H], last[2 * B * H];
        cr_assert(tl_shape_equal(tl_shape_of(out.every[1]), tl_shape4(2, T, B, H)));
        cr_assert_eq(tl_read_f64(out.y, y, T * B * H), TL_OK);
        cr_assert_eq(tl_read_f64(out.every[0], h, 2 * T * B * H), TL_OK);
        cr_assert_eq(tl_read_f64(out.every[1], c, 2 * T * B * H), TL_OK);
        cr_assert_eq(tl_read_f64(out.state[1], last, 2 * B * H), TL_OK);
        cr_assert_eq(memcmp(y, h + T * B * H, sizeof y), 0, "h of the last layer is the output");
        for (int l = 0; l < 2; l++)
            cr_assert_eq(memcmp(last + l * B * H, c + (l * T + T - 1) * B * H, B * H * sizeof *c),
                         0);
    }
    tl_sequence_free(s);
}

Test(sequence, zero_and_one_steps)
{
    tl_sequence *s = lstm_of(NULL);
    for (int unroll = 0; unroll < 2; unroll++) {
        tl_sequence_args a = tl_sequence_args_defaults();
        a.initial[0] = tl_input_f64(tape, tl_shape3(1, B, H), first_h);
        a.unroll = unroll;
        tl_sequence_out out = tl_sequence_apply(s, tl_zeros(tape, TL_F64, tl_shape3(0, B, I)), &a);
        cr_assert(tl_shape_equal(tl_shape_of(out.y), tl_shape3(0, B, H)), "%s",
                  tl_tape_error(tape));
        expect_array(out.state[0], tl_shape3(1, B, H), first_h);
        out = tl_sequence_apply(s, tl_zeros(tape, TL_F64, tl_shape3(1, B, I)), &a);
        cr_assert(tl_shape_equal(tl_shape_of(out.y), tl_shape3(1, B, H)));
        cr_assert_eq(tl_eval(1, &out.y), TL_OK);
    }
    tl_sequence_free(s);
}

/* ---- gradients ------------------------------------------------------------------------------- */

/* Gradients of sum of y y + sum of states for all parameters, x and initial states, one after the
 * other; by a scan (0), a loop (1), a scan that recomputes (2). */
static int64_t gradients(const tl_sequence *s, int way, double *to)
{
    tl_sequence_args a = tl_sequence_args_defaults();
    a.unroll = way == 1;
    a.recompute = way == 2;
    a.lengths = tl_input_i32(tape, tl_shape1(B), lengths);
    tl_tensor in[40] = {input(), tl_input_f64(tape, tl_shape3(2 * L, B, H), first_h),
                        tl_input_f64(tape, tl_shape3(2 * L, B, H), first_c)};
    a.initial[0] = in[1];
    a.initial[1] = in[2];
    int n = 3;
    for (int i = 0; i < tl_params_count(set); i++)
        in[n++] = tl_use(tape, tl_params_at(set, i));
    tl_sequence_out out = tl_sequence_apply(s, in[0], &a);
    tl_tensor loss = tl_add(tl_sum_all(tl_mul(out.y, out.y)),
                            tl_add(tl_sum_all(out.state[0]), tl_sum_all(out.state[1]))),
              g[40];
    cr_assert_eq(tl_grad(1, &loss, NULL, n, in, g), TL_OK, "%s", tl_tape_error(tape));
    int64_t at = 0;
    for (int i = 0; i < n; i++) {
        int64_t count = tl_shape_count(tl_shape_of(g[i]));
        cr_assert_eq(tl_read_f64(g[i], to + at, count), TL_OK, "%s", tl_tape_error(tape));
        at += count;
    }
    return at;
}

Test(sequence, gradients_of_scan_and_loop_agree)
{
    static double scan[4096], loop[4096], again[4096];
    tl_sequence_opts o = tl_sequence_defaults();
    o.layers = L;
    o.bidirectional = 1;
    tl_sequence *s = lstm_of(&o);
    int64_t n = gradients(s, 0, scan);
    cr_assert_eq(gradients(s, 1, loop), n);
    cr_assert_eq(gradients(s, 2, again), n);
    cr_assert_lt(n, 4096);
    double size = 0;
    for (int64_t i = 0; i < n; i++) {
        cr_assert(fabs(scan[i] - loop[i]) <= 1e-12 * (1 + fabs(loop[i])), "%d: %g, %g", (int)i,
                  scan[i], loop[i]);
        cr_assert(fabs(again[i] - loop[i]) <= 1e-12 * (1 + fabs(loop[i])), "%d: %g, %g", (int)i,
                  again[i], loop[i]);
        size += fabs(loop[i]);
    }
    cr_assert_gt(size, 1);
    tl_sequence_free(s);
}

/* slab_of -- bytes that a gradient by all parameters takes while it is computed. */
static size_t slab_of(const tl_sequence *s, int recompute, int64_t budget)
{
    cr_assert_eq(tl_tape_reset(tape), TL_OK);
    tl_sequence_args a = tl_sequence_args_defaults();
    a.recompute = recompute;
    a.budget = budget;
    tl_tensor x = tl_ones(tape, TL_F64, tl_shape3(400, B, I));
    cr_assert_eq(tl_backward(tl_sum_all(tl_sequence_apply(s, x, &a).state[0])), TL_OK);
    cr_assert_eq(tl_commit(tape), TL_OK, "%s", tl_tape_error(tape));
    return tl__run_stats(tape).slab_bytes;
}

Test(sequence, recomputing_keeps_the_states_only)
{
    tl_sequence *s = lstm_of(NULL);
    const size_t kept = slab_of(s, 0, 0), again = slab_of(s, 1, 0);
    cr_assert(again < kept / 2, "%zu bytes, %zu when recomputing", kept, again);
    tl_sequence_free(s);
}

Test(sequence, a_budget_is_kept)
{
    const size_t states = 2 * (size_t)B * H * sizeof(double);
    tl_sequence *s = lstm_of(NULL);
    tl__set_period_rows(4 * B);
    const size_t kept = slab_of(s, 0, 0), few = slab_of(s, 0, (int64_t)(60 * states));
    cr_assert(few < kept / 2, "%zu bytes, %zu with a budget", kept, few);
    tl__set_period_rows(0);
    tl_sequence_free(s);
}

/* ---- names ----------------------------------------------------------------------------------- */

Test(sequence, states_and_gates_have_names_on_the_tape)
{
    static const char *const scanned[] = {" c' ", " h' ", " z ", "mul(f, c)"}, *const unrolled[] = {
                                                                                   " c1 ", " h2 ",
                                                                                   "mul(f, c1)"};
    tl_sequence *s = lstm_of(NULL);
    for (int loop = 0; loop < 2; loop++) {
        cr_assert_eq(tl_tape_reset(tape), TL_OK);
        tl_sequence_args a = tl_sequence_args_defaults();
        a.unroll = loop;
        tl_sequence_apply(s, tl_ones(tape, TL_F64, tl_shape3(2, B, I)), &a);
        char *text = tl_tape_text(tape, NULL);
        for (int k = 0; k < 4 - loop; k++)
            cr_expect(strstr(text, loop ? unrolled[k] : scanned[k]), "%s: %s",
                      loop ? unrolled[k] : scanned[k], text);
        tl_string_free(text);
    }
    tl_sequence_free(s);
}

/* ---- truncated backpropagation --------------------------------------------------------------- */

static tl_tensor part_of_input(int64_t from, int64_t count)
{
    return tl_slice(input(), 0, from, count);
}

Test(sequence, a_memory_continues_where_the_last_stretch_ended)
{
    tl_err err = {0};
    tl_sequence_opts o = tl_sequence_defaults();
    o.layers = 2;
    tl_sequence *s = lstm_of(&o);
    double whole[T * B * H], halves[T * B * H], again[2 * B * H];
    cr_assert_eq(tl_read_f64(tl_sequence_apply(s, input(), NULL).y, whole, T * B * H), TL_OK);

    tl_sequence_args a = tl_sequence_args_defaults();
    a.memory = tl_sequence_memory_new(s, B, &err);
    cr_assert_not_null(a.memory, "%s", err.message);
    cr_assert_eq(tl_sequence_memory_state(a.memory, 2), NULL);
    for (int round = 0; round < 2; round++) {
        tl_sequence_out out = tl_sequence_apply(s, part_of_input(0, 2), &a);
        cr_assert_eq(tl_read_f64(out.y, halves, 2 * B * H), TL_OK);
        cr_assert_eq(tl_tape_reset(tape), TL_ESTATE, "states are queued");
        cr_assert_eq(tl_commit(tape), TL_OK);
        cr_assert_eq(tl_tape_reset(tape), TL_OK);
        out = tl_sequence_apply(s, part_of_input(2, T - 2), &a);
        cr_assert_eq(tl_read_f64(out.y, halves + 2 * B * H, (T - 2) * B * H), TL_OK);
        cr_assert_eq(tl_commit(tape), TL_OK);
        assert_allclose(T * B * H, halves, whole, 1e-12, 1e-12);
        tl_state_get_f64(tl_sequence_memory_state(a.memory, 0), again, 2 * B * H);
        assert_allclose(B * H, again + B * H, whole + (T - 1) * B * H, 1e-12, 1e-12);
        tl_sequence_memory_zero(a.memory);
    }
    tl_sequence_memory_free(a.memory);
    tl_sequence_free(s);
}

Test(sequence, a_memory_cuts_the_gradient)
{
    tl_err err = {0};
    tl_sequence *s = lstm_of(NULL);
    tl_sequence_args a = tl_sequence_args_defaults();
    a.memory = tl_sequence_memory_new(s, B, &err);
    tl_sequence_apply(s, part_of_input(0, 2), &a);
    cr_assert_eq(tl_commit(tape), TL_OK);
    tl_tensor x = tl_input_f64(tape, tl_shape3(T, B, I), xs), g, h[2];
    tl_sequence_memory_use(a.memory, tape, h);
    tl_tensor loss = tl_sum_all(tl_sequence_apply(s, x, &a).y);
    cr_assert_eq(tl_grad(1, &loss, NULL, 1, &x, &g), TL_OK);
    double d[T * B * I], sum = 0;
    cr_assert_eq(tl_read_f64(g, d, T * B * I), TL_OK);
    for (int i = 0; i < T * B * I; i++)
        sum += fabs(d[i]);
    cr_assert_gt(sum, 0);
    cr_assert_eq(tl_commit(tape), TL_OK);
    tl_sequence_memory_free(a.memory);
    tl_sequence_free(s);
}

/* ---- dropout --------------------------------------------------------------------------------- */

Test(sequence, dropout_acts_between_layers_while_training)
{
    tl_err err = {0};
    double with[T * B * H], without[T * B * H];
    tl_cell cell = tl_lstm_cell(NULL);
    for (int locked = 0; locked < 2; locked++) {
        tl_params *own = tl_params_new(TL_F64);
        tl_sequence_opts o = tl_sequence_defaults();
        o.layers = 2;
        o.dropout = 0.5;
        o.locked = locked;
        tl_sequence *s = tl_sequence_new(own, "lstm", &cell, I, H, &o, &err);
        tl_train(tape, 1);
        cr_assert_eq(tl_read_f64(tl_sequence_apply(s, input(), NULL).y, with, T * B * H), TL_OK,
                     "%s", tl_tape_error(tape));
        tl_train(tape, 0);
        cr_assert_eq(tl_read_f64(tl_sequence_apply(s, input(), NULL).y, without, T * B * H), TL_OK);
        cr_assert_neq(memcmp(with, without, sizeof with), 0);
        double h[2 * L * B * H] = {0}, c[2 * L * B * H] = {0}, y[T * B * 2 * H];
        lstm_network(s, 2, 1, NULL, h, c, y);
        assert_allclose(T * B * H, without, y, 1e-12, 1e-12);
        cr_assert_eq(tl_tape_reset(tape), TL_OK);
        tl_sequence_free(s);
        tl_params_free(own);
    }
}

/* ---- begin ----------------------------------------------------------------------------------- */

/* h' = tanh(m h + x W'), m the mean of |x| over time: what all steps share. */
static void mean_begin(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *aux)
{
    (void)cell;
    const int axes[2] = {0, 2};
    aux[0] = tl_mean(tl_abs(x), 2, axes, 0);
    aux[1] = tl_transpose(w[0], 0, 1);
}

static tl_tensor mean_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *state,
                           const tl_tensor *aux)
{
    (void)cell, (void)w;
    tl_tensor scaled = tl_mul(state[0], tl_expand_dims(aux[0], 1));
    return state[0] = tl_tanh(tl_add(scaled, tl_matmul(x, aux[1])));
}

Test(sequence, begin_runs_once_and_its_tensors_reach_every_step)
{
    tl_err err = {0};
    tl_cell cell = tl_cell_make("mean", mean_step);
    tl_cell_param_add(&cell, "w", "H,I", tl_init_recurrent());
    tl_cell_state_add(&cell, "h", "H");
    tl_cell_begin(&cell, mean_begin, 2);
    tl_sequence *s = tl_sequence_new(set, "s", &cell, I, H, NULL, &err);
    double W[H * I], y[T * B * H], h[B * H] = {0};
    tl_param_get_f64(tl_sequence_param(s, 0, 0, 0), W, H * I);
    for (int t = 0; t < T; t++)
        for (int b = 0; b < B; b++) {
            double m = 0;
            for (int u = 0; u < T * I; u++)
                m += fabs(xs[(u / I * B + b) * I + u % I]) / (T * I);
            for (int j = 0; j < H; j++) {
                double z = m * h[b * H + j];
                for (int i = 0; i < I; i++)
                    z += xs[(t * B + b) * I + i] * W[j * I + i];
                h[b * H + j] = y[(t * B + b) * H + j] = tanh(z);
            }
        }
    for (int unroll = 0; unroll < 2; unroll++) {
        tl_sequence_args a = tl_sequence_args_defaults();
        a.unroll = unroll;
        expect_array(tl_sequence_apply(s, input(), &a).y, tl_shape3(T, B, H), y);
    }
    tl_sequence_free(s);
}
