/* test_bptt.c -- every cell against hand-derived backpropagation through time (examples/by_hand.c),
 * in double precision, 1e-10 relative: layers, both directions, lengths with NaN in the padding, by
 * scan and by unrolled loop. */
#include "examples/by_hand.h"
#include "tapeloop.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { L_MAX = 2, D_MAX = 2, B = 3, T = 5, I = 3, H = 4 };

typedef struct setting {
    hand_kind kind;
    int layers, directions, lengths, unroll;
} setting;

/* network -- all numbers of one comparison; weights[l][d][k] in the order w_ih w_hh b_ih b_hh. */
typedef struct network {
    setting s;
    int states;
    double *weight[L_MAX][D_MAX][4], *dweight[L_MAX][D_MAX][4];
    int count[L_MAX][4];
    int32_t length[B];
    double x[T * B * I], dx[T * B * I];
    double y[T * B * D_MAX * H],
        cy[T * B * D_MAX * H]; /* outputs, their coefficients in the loss */
    double last[2][L_MAX * D_MAX * B * H],
        clast[2][L_MAX * D_MAX * B * H]; /* final h, c and theirs */
    double first[2][L_MAX * D_MAX * B * H], dfirst[2][L_MAX * D_MAX * B * H];
} network;

static unsigned seed;

static double draw(void)
{
    seed = seed * 1664525u + 1013904223u;
    return 1.4 * (double)(seed >> 8) / (double)(1u << 24) - 0.7;
}

static void fill(double *a, int n)
{
    for (int i = 0; i < n; i++)
        a[i] = draw();
}

static network *network_new(setting s)
{
    network *n = calloc(1, sizeof *n);
    n->s = s;
    n->states = s.kind == HAND_LSTM ? 2 : 1;
    seed = 1u + (unsigned)s.kind * 100u + (unsigned)(s.layers * 10 + s.directions);
    int g = hand_blocks(s.kind);
    for (int l = 0; l < s.layers; l++) {
        int in = l == 0 ? I : s.directions * H;
        const int count[4] = {g * H * in, g * H * H, g * H, g * H};
        memcpy(n->count[l], count, sizeof count);
        for (int d = 0; d < s.directions; d++)
            for (int k = 0; k < 4; k++) {
                n->weight[l][d][k] = malloc((size_t)count[k] * sizeof(double));
                n->dweight[l][d][k] = calloc((size_t)count[k], sizeof(double));
                fill(n->weight[l][d][k], count[k]);
            }
    }
    fill(n->x, T * B * I);
    fill(n->cy, T * B * D_MAX * H);
    for (int k = 0; k < 2; k++) {
        fill(n->clast[k], L_MAX * D_MAX * B * H);
        fill(n->first[k], L_MAX * D_MAX * B * H);
    }
    for (int b = 0; b < B; b++)
        n->length[b] = s.lengths ? (const int32_t[]){T, 2, 0}[b] : T;
    return n;
}

static void network_free(network *n)
{
    for (int l = 0; l < n->s.layers; l++)
        for (int d = 0; d < n->s.directions; d++)
            for (int k = 0; k < 4; k++) {
                free(n->weight[l][d][k]);
                free(n->dweight[l][d][k]);
            }
    free(n);
}

/* turn -- rows of [len, width] from a in the order of the direction. */
static void turn(double *out, const double *a, int len, int width, int reverse)
{
    for (int t = 0; t < len; t++)
        memcpy(out + t * width, a + (reverse ? len - 1 - t : t) * width,
               (size_t)width * sizeof(double));
}

/* by_hand_row -- row b through all layers and back, added to the gradients in n. */
static void by_hand_row(network *n, int b)
{
    const setting s = n->s;
    int len = n->length[b], D = s.directions, wide = D * H;
    static double in[L_MAX + 1][T * (D_MAX * H + I)], turned[L_MAX][D_MAX][T * (D_MAX * H + I)];
    static double din[T * (D_MAX * H + I)], dout[T * D_MAX * H];
    hand_run run[L_MAX][D_MAX];
    for (int t = 0; t < len; t++)
        memcpy(in[0] + t * I, n->x + (t * B + b) * I, I * sizeof(double));
    for (int l = 0; l < s.layers; l++) {
        int width = l == 0 ? I : wide;
        for (int d = 0; d < D; d++) {
            int at = ((l * D + d) * B + b) * H;
            double *const *w = n->weight[l][d];
            const hand_weights hw = {width, H, w[0], w[1], w[2], w[3]};
            turn(turned[l][d], in[l], len, width, d);
            cr_assert_eq(hand_forward(&run[l][d], s.kind, &hw, len, turned[l][d], n->first[0] + at,
                                      n->first[1] + at),
                         0);
            for (int t = 0; t < len; t++)
                memcpy(in[l + 1] + (d ? len - 1 - t : t) * wide + d * H, run[l][d].h + (t + 1) * H,
                       H * sizeof(double));
            memcpy(n->last[0] + at, run[l][d].h + len * H, H * sizeof(double));
            memcpy(n->last[1] + at, run[l][d].c + len * H, H * sizeof(double));
        }
    }
    for (int t = 0; t < len; t++) {
        memcpy(n->y + (t * B + b) * wide, in[s.layers] + t * wide, (size_t)wide * sizeof(double));
        memcpy(dout + t * wide, n->cy + (t * B + b) * wide, (size_t)wide * sizeof(double));
    }
    for (int l = s.layers - 1; l >= 0; l--) {
        int width = l == 0 ? I : wide;
        memset(din, 0, sizeof din);
        for (int d = 0; d < D; d++) {
            double dy[T * H], dx[T * (D_MAX * H + I)];
            int at = ((l * D + d) * B + b) * H;
            for (int t = 0; t < len; t++)
                memcpy(dy + t * H, dout + (d ? len - 1 - t : t) * wide + d * H, H * sizeof(double));
            double *const *w = n->weight[l][d], *const *dw = n->dweight[l][d];
            const hand_weights hw = {width, H, w[0], w[1], w[2], w[3]};
            const hand_grads hg = {dw[0], dw[1], dw[2], dw[3]};
            cr_assert_eq(hand_backward(&run[l][d], &hw, dy, n->clast[0] + at,
                                       n->states == 2 ? n->clast[1] + at : NULL, &hg, dx, NULL,
                                       NULL, n->dfirst[0] + at, n->dfirst[1] + at),
                         0);
            for (int t = 0; t < len; t++)
                for (int k = 0; k < width; k++)
                    din[(d ? len - 1 - t : t) * width + k] += dx[t * width + k];
            hand_run_free(&run[l][d]);
        }
        memcpy(dout, din, sizeof dout);
    }
    for (int t = 0; t < len; t++)
        memcpy(n->dx + (t * B + b) * I, din + t * I, I * sizeof(double));
}

/* expect -- got and want agree to 1e-10 of the largest of want. */
static void expect(const network *n, const char *what, const double *got, const double *want,
                   int count)
{
    double size = 1e-3;
    for (int i = 0; i < count; i++)
        size = fmax(size, fabs(want[i]));
    for (int i = 0; i < count; i++)
        cr_assert(
            fabs(got[i] - want[i]) <= 1e-10 * size,
            "kind %d layers %d directions %d lengths %d unroll %d: %s[%d] is %.15g, by hand %.15g",
            (int)n->s.kind, n->s.layers, n->s.directions, n->s.lengths, n->s.unroll, what, i,
            got[i], want[i]);
}

static tl_cell cell_of(hand_kind kind)
{
    tl_rnn_opts rnn = tl_rnn_defaults();
    tl_gru_opts gru = tl_gru_defaults();
    rnn.relu = kind == HAND_RNN_RELU;
    gru.reset_before = kind == HAND_GRU_BEFORE;
    return kind == HAND_LSTM                             ? tl_lstm_cell(NULL)
           : kind == HAND_GRU || kind == HAND_GRU_BEFORE ? tl_gru_cell(&gru)
                                                         : tl_rnn_cell(&rnn);
}

static void compare(setting s)
{
    network *n = network_new(s);
    for (int b = 0; b < B; b++)
        by_hand_row(n, b);
    if (s.lengths)
        for (int t = 0; t < T; t++)
            for (int b = 0; b < B; b++)
                if (t >= n->length[b])
                    for (int k = 0; k < I; k++)
                        n->x[(t * B + b) * I + k] = (double)NAN;

    tl_cell cell = cell_of(s.kind);
    tl_params *set = tl_params_new(TL_F64);
    tl_sequence_opts opts = tl_sequence_defaults();
    opts.layers = s.layers;
    opts.bidirectional = s.directions == 2;
    tl_err err = {0};
    tl_sequence *seq = tl_sequence_new(set, "", &cell, I, H, &opts, &err);
    cr_assert_not_null(seq, "%s", err.message);
    tl_tape *tape = tl_tape_new(NULL);
    int D = s.directions, wide = D * H, rows = s.layers * D * B * H;

    tl_tensor in[3 + L_MAX * D_MAX * 4], grad[3 + L_MAX * D_MAX * 4];
    int nin = 0;
    in[nin++] = tl_input_f64(tape, tl_shape3(T, B, I), n->x);
    tl_sequence_args args = tl_sequence_args_defaults();
    args.unroll = s.unroll;
    if (s.lengths)
        args.lengths = tl_input_i32(tape, tl_shape1(B), n->length);
    for (int k = 0; k < n->states; k++)
        in[nin++] = args.initial[k] =
            tl_input_f64(tape, tl_shape3(s.layers * D, B, H), n->first[k]);
    for (int l = 0; l < s.layers; l++)
        for (int d = 0; d < D; d++)
            for (int k = 0; k < 4; k++) {
                tl_param *p = tl_sequence_param(seq, l, d, k);
                cr_assert_eq(tl_param_set_f64(p, n->weight[l][d][k], n->count[l][k]), TL_OK);
                in[nin++] = tl_use(tape, p);
            }
    tl_sequence_out out = tl_sequence_apply(seq, in[0], &args);
    tl_tensor loss = tl_sum_all(tl_mul(out.y, tl_input_f64(tape, tl_shape3(T, B, wide), n->cy)));
    for (int k = 0; k < n->states; k++)
        loss = tl_add(
            loss, tl_sum_all(tl_mul(out.state[k], tl_input_f64(tape, tl_shape3(s.layers * D, B, H),
                                                               n->clast[k]))));
    cr_assert_eq(tl_grad(1, &loss, NULL, nin, in, grad), TL_OK, "%s", tl_tape_error(tape));

    double got[T * B * D_MAX * H + 4 * H * D_MAX * H];
    cr_assert_eq(tl_read_f64(out.y, got, T * B * wide), TL_OK, "%s", tl_tape_error(tape));
    expect(n, "y", got, n->y, T * B * wide);
    for (int k = 0; k < n->states; k++) {
        cr_assert_eq(tl_read_f64(out.state[k], got, rows), TL_OK);
        expect(n, "state", got, n->last[k], rows);
        cr_assert_eq(tl_read_f64(grad[1 + k], got, rows), TL_OK);
        expect(n, "d initial", got, n->dfirst[k], rows);
    }
    cr_assert_eq(tl_read_f64(grad[0], got, T * B * I), TL_OK);
    expect(n, "dx", got, n->dx, T * B * I);
    int at = 1 + n->states;
    static const char *const name[4] = {"dw_ih", "dw_hh", "db_ih", "db_hh"};
    for (int l = 0; l < s.layers; l++)
        for (int d = 0; d < D; d++)
            for (int k = 0; k < 4; k++) {
                cr_assert_eq(tl_read_f64(grad[at++], got, n->count[l][k]), TL_OK, "%s",
                             tl_tape_error(tape));
                expect(n, name[k], got, n->dweight[l][d][k], n->count[l][k]);
            }
    tl_tape_free(tape);
    tl_sequence_free(seq);
    tl_params_free(set);
    network_free(n);
}

static void compare_all(hand_kind kind)
{
    for (int layers = 1; layers <= L_MAX; layers++)
        for (int directions = 1; directions <= D_MAX; directions++)
            for (int lengths = 0; lengths < 2; lengths++)
                for (int unroll = 0; unroll < 2; unroll++)
                    compare((setting){kind, layers, directions, lengths, unroll});
}

Test(bptt, rnn_tanh)
{
    compare_all(HAND_RNN_TANH);
}

Test(bptt, rnn_relu)
{
    compare_all(HAND_RNN_RELU);
}

Test(bptt, lstm)
{
    compare_all(HAND_LSTM);
}

Test(bptt, gru_reset_after)
{
    compare_all(HAND_GRU);
}

Test(bptt, gru_reset_before)
{
    compare_all(HAND_GRU_BEFORE);
}

/* The hand-derived gradients themselves against central differences: the reference must not be
 * wrong in the same way. */
Test(bptt, the_reference_agrees_with_differences)
{
    for (int kind = HAND_RNN_TANH; kind <= HAND_GRU_BEFORE; kind++) {
        network *n = network_new((setting){(hand_kind)kind, 2, 2, 1, 0});
        for (int b = 0; b < B; b++)
            by_hand_row(n, b);
        const double step = 1e-6;
        double *const w = n->weight[0][1][1], dw = n->dweight[0][1][1][5], middle = w[5], loss[2];
        for (int side = 0; side < 2; side++) {
            w[5] = middle + (side ? step : -step);
            for (int b = 0; b < B; b++)
                by_hand_row(n, b);
            loss[side] = 0;
            for (int t = 0; t < T; t++)
                for (int b = 0; b < B; b++)
                    for (int k = 0; t < n->length[b] && k < 2 * H; k++)
                        loss[side] +=
                            n->y[(t * B + b) * 2 * H + k] * n->cy[(t * B + b) * 2 * H + k];
            for (int k = 0; k < n->states; k++)
                for (int i = 0; i < 4 * B * H; i++)
                    loss[side] += n->last[k][i] * n->clast[k][i];
        }
        cr_assert(fabs((loss[1] - loss[0]) / (2 * step) - dw) < 1e-7 * fmax(1, fabs(dw)),
                  "kind %d: differences %.10g, by hand %.10g", kind,
                  (loss[1] - loss[0]) / (2 * step), dw);
        network_free(n);
    }
}
