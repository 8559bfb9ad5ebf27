/* test_orders.c -- gradients of gradients through everything a network is made of: every cell, every
 * layer, lengths, both directions, dropout; LSTM and GRU a third time.
 *
 *     s_0 = loss      s_k = sum over parameters of <c_k, gradient of s_(k-1)>       c_k random
 *
 * s_k is the slope of s_(k-1) along c_k, so it is held to differences of four points of s_(k-1), and
 * the scan is held to the unrolled loop. In double precision. */
#include "tapeloop.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

enum { V = 5, E = 3, H = 3, T = 4, B = 3, PARAMS = 40, ROOM = 256, ORDERS = 3 };

typedef struct subject {
    const char *name;
    tl_cell cell;
    int orders, layers, both, lengths, locked;
    double dropout;
} subject;

/* network -- embedding, layer norm, locked dropout, recurrent layers, linear output. */
typedef struct network {
    tl_params *params;
    tl_embedding_layer *embedding;
    tl_norm_layer *norm;
    tl_sequence *sequence;
    tl_linear_layer *output;
} network;

static network network_new(const subject *s)
{
    network n = {.params = tl_params_new(TL_F64)};
    tl_sequence_opts opts = tl_sequence_defaults();
    opts.layers = s->layers;
    opts.bidirectional = s->both;
    opts.dropout = s->dropout;
    opts.locked = s->locked;
    n.embedding = tl_embedding_layer_new(n.params, "embedding", V, E, NULL, NULL);
    n.norm = tl_norm_layer_new(n.params, "norm", E, NULL, NULL);
    n.sequence = tl_sequence_new(n.params, "cell", &s->cell, E, H, &opts, NULL);
    cr_assert_not_null(n.sequence);
    n.output =
        tl_linear_layer_new(n.params, "output", tl_sequence_output_size(n.sequence), V, NULL, NULL);
    cr_assert_leq(tl_params_count(n.params), PARAMS);
    return n;
}

static void network_free(network *n)
{
    tl_linear_layer_free(n->output);
    tl_sequence_free(n->sequence);
    tl_norm_layer_free(n->norm);
    tl_embedding_layer_free(n->embedding);
    tl_params_free(n->params);
}

/* direction -- number i of parameter p in c_k. */
static double direction(int k, int p, int i)
{
    return sin(1.0 + 2.7 * k + 1.3 * p + 0.9 * i);
}

/* shift -- every parameter moves along c_k. */
static void shift(const network *n, int k, double by)
{
    for (int p = 0; p < tl_params_count(n->params); p++) {
        tl_param *param = tl_params_at(n->params, p);
        const int count = (int)tl_shape_count(tl_param_shape(param));
        double v[ROOM];
        cr_assert_leq(count, ROOM);
        cr_assert_eq(tl_param_get_f64(param, v, count), TL_OK);
        for (int i = 0; i < count; i++)
            v[i] += by * direction(k, p, i);
        cr_assert_eq(tl_param_set_f64(param, v, count), TL_OK);
    }
}

static tl_tensor loss_of(const network *n, const subject *s, int unroll, tl_tape *tape)
{
    const int32_t token[T * B] = {0, 1, 2, 3, 4, 0, 1, 1, 3, 2, 0, 4}, length[B] = {4, 2, 3};
    const int32_t next[T * B] = {1, 2, 0, 4, 0, -1, 2, 3, 4, 1, 1, 0};
    tl_sequence_args args = tl_sequence_args_defaults();
    args.unroll = unroll;
    if (s->lengths)
        args.lengths = tl_input_i32(tape, tl_shape1(B), length);
    tl_tensor x =
        tl_embedding_layer_apply(n->embedding, tl_input_i32(tape, tl_shape2(T, B), token));
    x = tl_locked_dropout(tl_norm_layer_apply(n->norm, x), s->dropout);
    tl_sequence_out out = tl_sequence_apply(n->sequence, x, &args);
    tl_tensor z = tl_linear_layer_apply(n->output, out.y);
    tl_tensor loss = tl_cross_entropy(z, tl_input_i32(tape, tl_shape2(T, B), next), -1);
    return tl_add(loss, tl_mean_all(tl_mul(out.state[0], out.state[0])));
}

/* slopes -- s_0 ... s_orders of a fresh tape. */
static void slopes(const network *n, const subject *s, int unroll, int orders, double *out)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor sum = loss_of(n, s, unroll, tape), all[ORDERS + 1] = {sum}, in[PARAMS], g[PARAMS];
    const int count = tl_params_count(n->params);
    for (int p = 0; p < count; p++)
        in[p] = tl_use(tape, tl_params_at(n->params, p));
    for (int k = 1; k <= orders; k++) {
        cr_assert_eq(tl_grad(1, &sum, NULL, count, in, g), TL_OK, "%s", tl_tape_error(tape));
        sum = tl_scalar(tape, TL_F64, 0);
        for (int p = 0; p < count; p++) {
            double c[ROOM];
            for (int i = 0; i < ROOM; i++)
                c[i] = direction(k, p, i);
            sum = tl_add(sum, tl_sum_all(tl_mul(g[p], tl_input_f64(tape, tl_shape_of(in[p]), c))));
        }
        all[k] = sum;
    }
    cr_assert_eq(tl_eval(orders + 1, all), TL_OK, "%s", tl_tape_error(tape));
    for (int k = 0; k <= orders; k++)
        out[k] = tl_item(all[k]);
    tl_tape_free(tape);
}

static void check(subject s)
{
    network n = network_new(&s);
    double scan[ORDERS + 1], loop[ORDERS + 1], at[4][ORDERS + 1];
    slopes(&n, &s, 0, s.orders, scan);
    slopes(&n, &s, 1, s.orders, loop);
    for (int k = 0; k <= s.orders; k++)
        cr_expect(fabs(scan[k] - loop[k]) <= 1e-10 * fmax(1, fabs(loop[k])),
                  "%s, order %d: by scan %.15g, by loop %.15g", s.name, k, scan[k], loop[k]);
    const double step = 1e-4;
    for (int k = 1; k <= s.orders; k++) {
        const double place[4] = {-2 * step, -step, step, 2 * step};
        for (int i = 0; i < 4; i++) {
            shift(&n, k, place[i]);
            slopes(&n, &s, 0, k - 1, at[i]);
            shift(&n, k, -place[i]);
        }
        const int j = k - 1;
        const double want = (at[0][j] - 8 * at[1][j] + 8 * at[2][j] - at[3][j]) / (12 * step);
        cr_expect(fabs(scan[k] - want) <= 1e-8 * fmax(1, fabs(want)),
                  "%s, order %d: by tl_grad %.15g, by differences %.15g", s.name, k, scan[k], want);
        cr_expect(fabs(want) > 1e-3, "%s, order %d: a slope of %g shows nothing", s.name, k, want);
    }
    network_free(&n);
}

/* every_way -- lengths, both directions and dropout, alone and together. */
static void every_way(const char *name, tl_cell cell)
{
    check((subject){name, cell, 2, 1, 0, 0, 0, 0});
    check((subject){name, cell, 2, 1, 1, 1, 0, 0});
    check((subject){name, cell, 2, 2, 0, 0, 1, 0.3});
    check((subject){name, cell, 2, 2, 1, 1, 0, 0.3});
}

Test(orders, rnn_twice)
{
    tl_rnn_opts opts = tl_rnn_defaults();
    every_way("rnn", tl_rnn_cell(&opts));
    opts.relu = 1;
    every_way("rnn with relu", tl_rnn_cell(&opts));
}

Test(orders, lstm_twice)
{
    every_way("lstm", tl_lstm_cell(NULL));
}

Test(orders, gru_twice)
{
    tl_gru_opts opts = tl_gru_defaults();
    every_way("gru", tl_gru_cell(&opts));
    opts.reset_before = 1;
    every_way("gru, reset before", tl_gru_cell(&opts));
}

Test(orders, lstm_and_gru_three_times)
{
    check((subject){"lstm", tl_lstm_cell(NULL), 3, 1, 0, 0, 0, 0});
    check((subject){"lstm, all of it", tl_lstm_cell(NULL), 3, 2, 1, 1, 0, 0.3});
    check((subject){"gru", tl_gru_cell(NULL), 3, 1, 0, 0, 0, 0});
    check((subject){"gru, all of it", tl_gru_cell(NULL), 3, 2, 1, 1, 0, 0.3});
}
