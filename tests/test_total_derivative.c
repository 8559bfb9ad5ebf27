/* test_total_derivative.c -- the total derivatives dL/dh_t and dL/dc_t of every cell, in three ways:
 * by the scan, by the unrolled loop, by hand; equal to 1e-12.
 *
 * What a loss depends on is h_t in two ways, directly and through all later steps. The gradient with
 * respect to the stacked h is the direct part only; a tensor of zeros e_t added to the state after
 * each step has the total derivative as its gradient. Of an LSTM's c that is the derivative with
 * respect to the c that is handed on: by hand, dc without its way through h_t = o tanh(c_t). */
#include "examples/by_hand.h"
#include "tapeloop.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { B = 2, T = 6, I = 3, H = 4, STATES = 2, MOST = 4 * H * H };

/* numbers -- one problem: data, weights, coefficients of the loss <cy, y> + <clast, last>. */
typedef struct numbers {
    double x[T * B * I], first[STATES][B * H], weight[4][MOST];
    double cy[T * B * H], clast[STATES][B * H];
} numbers;

static unsigned seed;

static void fill(double *a, int n)
{
    for (int i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        a[i] = 1.4 * (double)(seed >> 8) / (double)(1u << 24) - 0.7;
    }
}

static void draw(numbers *n, unsigned from)
{
    seed = from;
    fill(n->x, T * B * I);
    fill(n->cy, T * B * H);
    for (int k = 0; k < STATES; k++) {
        fill(n->first[k], B * H);
        fill(n->clast[k], B * H);
    }
    for (int k = 0; k < 4; k++)
        fill(n->weight[k], MOST);
}

/* by_hand -- total[k][T,B,H] of state k: h, c. */
static void by_hand(const numbers *n, hand_kind kind, double total[STATES][T * B * H])
{
    static double unused[4][MOST];
    const hand_weights w = {I, H, n->weight[0], n->weight[1], n->weight[2], n->weight[3]};
    const hand_grads g = {unused[0], unused[1], unused[2], unused[3]};
    for (int b = 0; b < B; b++) {
        double x[T * I], dy[T * H], dx[T * I], dh[T * H], dc[T * H] = {0};
        for (int t = 0; t < T; t++) {
            memcpy(x + t * I, n->x + (t * B + b) * I, I * sizeof *x);
            memcpy(dy + t * H, n->cy + (t * B + b) * H, H * sizeof *dy);
        }
        hand_run run;
        const int is_lstm = kind == HAND_LSTM;
        cr_assert_eq(hand_forward(&run, kind, &w, T, x, n->first[0] + b * H, n->first[1] + b * H),
                     0);
        cr_assert_eq(hand_backward(&run, &w, dy, n->clast[0] + b * H,
                                   is_lstm ? n->clast[1] + b * H : NULL, &g, dx, dh,
                                   is_lstm ? dc : NULL, NULL, NULL),
                     0);
        for (int t = 0; t < T; t++) {
            memcpy(total[0] + (t * B + b) * H, dh + t * H, H * sizeof *dh);
            for (int j = 0; is_lstm && j < H; j++) {
                const double o = run.gate[(4 * t + 3) * H + j], c = tanh(run.c[(t + 1) * H + j]);
                total[1][(t * B + b) * H + j] = dc[t * H + j] - dh[t * H + j] * o * (1 - c * c);
            }
        }
        hand_run_free(&run);
    }
}

/* problem -- the tensors of one tape. */
typedef struct problem {
    tl_tape *tape;
    tl_cell cell;
    tl_tensor w[4], xs, first[STATES], probe[STATES];
    tl_tensor ys, last[STATES];
} problem;

static void by_scan(problem *p)
{
    tl_scan s = tl_scan_open(p->tape, T, NULL);
    tl_tensor carry[STATES], state[STATES];
    for (int k = 0; k < p->cell.nstates; k++)
        state[k] = carry[k] = tl_scan_carry(s, p->first[k]);
    p->cell.step(&p->cell, p->w, tl_scan_each(s, p->xs), state, NULL);
    for (int k = 0; k < p->cell.nstates; k++) {
        state[k] = tl_add(state[k], tl_scan_each(s, p->probe[k]));
        tl_scan_next(s, carry[k], state[k]);
    }
    tl_scan_close(s);
    p->ys = tl_scan_stacked(s, state[0]);
    for (int k = 0; k < p->cell.nstates; k++)
        p->last[k] = tl_scan_last(s, carry[k]);
}

static void by_loop(problem *p)
{
    tl_tensor y[T];
    for (int k = 0; k < p->cell.nstates; k++)
        p->last[k] = p->first[k];
    for (int t = 0; t < T; t++) {
        p->cell.step(&p->cell, p->w, tl_index(p->xs, 0, t), p->last, NULL);
        for (int k = 0; k < p->cell.nstates; k++)
            p->last[k] = tl_add(p->last[k], tl_index(p->probe[k], 0, t));
        y[t] = p->last[0];
    }
    p->ys = tl_stack(T, y, 0);
}

/* by_tape -- the same as by_hand, from the gradients of the probes. */
static void by_tape(const numbers *n, const tl_cell *cell, void (*record)(problem *),
                    double total[STATES][T * B * H])
{
    problem p = {.tape = tl_tape_new(NULL), .cell = *cell};
    for (int k = 0; k < 4; k++)
        p.w[k] = tl_input_f64(p.tape, tl_cell_param_shape(cell, k, I, H), n->weight[k]);
    p.xs = tl_input_f64(p.tape, tl_shape3(T, B, I), n->x);
    for (int k = 0; k < cell->nstates; k++) {
        p.first[k] = tl_input_f64(p.tape, tl_shape2(B, H), n->first[k]);
        p.probe[k] = tl_zeros(p.tape, TL_F64, tl_shape3(T, B, H));
    }
    record(&p);
    tl_tensor loss = tl_sum_all(tl_mul(p.ys, tl_input_f64(p.tape, tl_shape3(T, B, H), n->cy)));
    for (int k = 0; k < cell->nstates; k++)
        loss = tl_add(loss, tl_sum_all(tl_mul(p.last[k],
                                              tl_input_f64(p.tape, tl_shape2(B, H), n->clast[k]))));
    tl_tensor g[STATES];
    cr_assert_eq(tl_grad(1, &loss, NULL, cell->nstates, p.probe, g), TL_OK, "%s",
                 tl_tape_error(p.tape));
    for (int k = 0; k < cell->nstates; k++)
        cr_assert_eq(tl_read_f64(g[k], total[k], T * B * H), TL_OK, "%s", tl_tape_error(p.tape));
    tl_tape_free(p.tape);
}

static void agree(const char *what, const double *got, const double *want)
{
    double most = 1e-3;
    for (int i = 0; i < T * B * H; i++)
        most = fmax(most, fabs(want[i]));
    for (int i = 0; i < T * B * H; i++)
        cr_assert(fabs(got[i] - want[i]) <= 1e-12 * most,
                  "%s, t = %d, element %d: %.17g, want %.17g", what, i / (B * H), i % (B * H),
                  got[i], want[i]);
}

static void three_ways(hand_kind kind, tl_cell cell)
{
    static numbers n;
    static double hand[STATES][T * B * H], scan[STATES][T * B * H], loop[STATES][T * B * H];
    for (unsigned from = 1; from <= 5; from++) {
        draw(&n, 17 * from + (unsigned)kind);
        by_hand(&n, kind, hand);
        by_tape(&n, &cell, by_scan, scan);
        by_tape(&n, &cell, by_loop, loop);
        for (int k = 0; k < cell.nstates; k++) {
            agree(k ? "dL/dc by scan" : "dL/dh by scan", scan[k], hand[k]);
            agree(k ? "dL/dc by loop" : "dL/dh by loop", loop[k], hand[k]);
        }
    }
}

Test(total_derivative, rnn)
{
    tl_rnn_opts opts = tl_rnn_defaults();
    three_ways(HAND_RNN_TANH, tl_rnn_cell(&opts));
    opts.relu = 1;
    three_ways(HAND_RNN_RELU, tl_rnn_cell(&opts));
}

Test(total_derivative, lstm)
{
    three_ways(HAND_LSTM, tl_lstm_cell(NULL));
}

Test(total_derivative, gru)
{
    tl_gru_opts opts = tl_gru_defaults();
    three_ways(HAND_GRU, tl_gru_cell(&opts));
    opts.reset_before = 1;
    three_ways(HAND_GRU_BEFORE, tl_gru_cell(&opts));
}
