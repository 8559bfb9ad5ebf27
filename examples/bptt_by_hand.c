/* bptt_by_hand.c -- backpropagation through time, twice: as the textbooks derive it and as it falls
 * out of the tape.
 *
 * For a plain RNN, an LSTM and a GRU over T = 6 steps, with the loss
 *
 *     L = 1/2 sum over t of |h_t - target_t|^2
 *
 * it prints, for every time step, the total derivative dL/dh_t from both routes and their
 * difference, then the gradients of the weights, and last the adjoint that the tape recorded: the
 * backward loop that nobody wrote. Exits with 1 if any two numbers differ by more than 1e-10,
 * relative to the largest of their kind.
 *
 * How to get dL/dh_t from a tape.  h_t is used twice: by the loss, and by step t+1. The gradient
 * with respect to the stacked outputs of the scan counts the first use only; it is the *direct*
 * derivative. For the total one, add a probe e_t = 0 to h_t inside the loop: e_t reaches the loss
 * in exactly the ways h_t does, so dL/de_t = dL/dh_t. */
#include "by_hand.h"

#include <tapeloop.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { T = 6, I = 3, H = 4, MOST = 4 * H * (I + H + 2) };
static const double TOLERANCE = 1e-10;

/* numbers -- one route's results. */
typedef struct numbers {
    double dh[T * H], dx[T * I], dw_ih[4 * H * I], dw_hh[4 * H * H], db_ih[4 * H], db_hh[4 * H];
} numbers;

/* problem -- inputs, targets and weights, the same for both routes. */
typedef struct problem {
    double x[T * I], target[T * H], w_ih[4 * H * I], w_hh[4 * H * H], b_ih[4 * H], b_hh[4 * H];
} problem;

/* spread -- n numbers in [-0.8, 0.8], different every time. */
static void spread(double *a, int n, unsigned *seed)
{
    for (int i = 0; i < n; i++) {
        *seed = *seed * 1664525u + 1013904223u;
        a[i] = 1.6 * (double)(*seed >> 8) / (double)(1u << 24) - 0.8;
    }
}

static void problem_make(problem *p, unsigned seed)
{
    spread(p->x, T * I, &seed);
    spread(p->target, T * H, &seed);
    spread(p->w_ih, 4 * H * I, &seed);
    spread(p->w_hh, 4 * H * H, &seed);
    spread(p->b_ih, 4 * H, &seed);
    spread(p->b_hh, 4 * H, &seed);
}

/* ---- route 1: the textbook ------------------------------------------------------------------- */

static int by_hand(hand_kind kind, const problem *p, numbers *out)
{
    const hand_weights w = {I, H, p->w_ih, p->w_hh, p->b_ih, p->b_hh};
    memset(out, 0, sizeof *out);
    const hand_grads g = {out->dw_ih, out->dw_hh, out->db_ih, out->db_hh};
    hand_run run;
    if (hand_forward(&run, kind, &w, T, p->x, NULL, NULL))
        return -1;
    double dy[T * H];
    for (int k = 0; k < T * H; k++)
        dy[k] = run.h[H + k] - p->target[k]; /* dL/dh_t, directly */
    int bad = hand_backward(&run, &w, dy, NULL, NULL, &g, out->dx, out->dh, NULL, NULL, NULL);
    hand_run_free(&run);
    return bad;
}

/* ---- route 2: the tape ----------------------------------------------------------------------- */

/* by_tape -- records the loop and the loss, asks for six gradients. *adjoint receives the recorded
 * adjoint as text. */
static int by_tape(const tl_cell *cell, int blocks, const problem *p, numbers *out, char **adjoint)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor w[4] = {
        tl_name(tl_input_f64(tape, tl_shape2(blocks * H, I), p->w_ih), "W_ih"),
        tl_name(tl_input_f64(tape, tl_shape2(blocks * H, H), p->w_hh), "W_hh"),
        tl_name(tl_input_f64(tape, tl_shape1(blocks * H), p->b_ih), "b_ih"),
        tl_name(tl_input_f64(tape, tl_shape1(blocks * H), p->b_hh), "b_hh"),
    };
    tl_tensor xs = tl_name(tl_input_f64(tape, tl_shape3(T, 1, I), p->x), "x");
    tl_tensor es = tl_name(tl_zeros(tape, TL_F64, tl_shape3(T, 1, H)), "e");
    tl_tensor targets = tl_name(tl_input_f64(tape, tl_shape3(T, 1, H), p->target), "target");

    tl_scan s = tl_scan_open(tape, T, NULL);
    tl_tensor before[TL_CELL_STATES], state[TL_CELL_STATES];
    for (int k = 0; k < cell->nstates; k++)
        before[k] = state[k] =
            tl_name(tl_scan_carry(s, tl_zeros(tape, TL_F64, tl_shape2(1, H))), cell->state[k].name);
    cell->step(cell, w, tl_scan_each(s, xs), state, NULL);
    state[0] = tl_add(state[0], tl_scan_each(s, es)); /* the probe */
    for (int k = 0; k < cell->nstates; k++)
        tl_scan_next(s, before[k], state[k]);
    tl_scan_close(s);

    tl_tensor miss = tl_sub(tl_scan_stacked(s, state[0]), targets);
    tl_tensor loss = tl_scale(tl_sum_all(tl_mul(miss, miss)), 0.5);

    const tl_tensor in[6] = {es, xs, w[0], w[1], w[2], w[3]};
    tl_tensor grad[6];
    tl_print_opts from = tl_print_defaults();
    from.from = tl_tape_mark(tape);
    tl_grad(1, &loss, NULL, 6, in, grad);
    *adjoint = tl_tape_text(tape, &from);

    double *to[6] = {out->dh, out->dx, out->dw_ih, out->dw_hh, out->db_ih, out->db_hh};
    for (int k = 0; k < 6; k++)
        tl_read_f64(grad[k], to[k], tl_shape_count(tl_shape_of(grad[k])));
    int code = tl_tape_status(tape);
    if (code)
        fprintf(stderr, "tape: %s\n", tl_tape_error(tape));
    tl_tape_free(tape);
    return code;
}

/* ---- side by side ---------------------------------------------------------------------------- */

/* difference -- the largest |a - b|, relative to the largest |b|. */
static double difference(const double *a, const double *b, int n)
{
    double miss = 0, size = 1e-300;
    for (int k = 0; k < n; k++) {
        double d = fabs(a[k] - b[k]);
        if (!(d <= miss)) /* takes NaN as well */
            miss = d;
        size = fmax(size, fabs(b[k]));
    }
    return miss / size;
}

static double show_steps(const numbers *tape, const numbers *hand)
{
    double worst = 0;
    printf("  dL/dh_t, total     from the tape                            by hand                  "
           "                difference\n");
    for (int t = 0; t < T; t++) {
        printf("  t = %d ", t);
        for (int j = 0; j < H; j++)
            printf(" %+9.6f", tape->dh[t * H + j]);
        printf(" |");
        for (int j = 0; j < H; j++)
            printf(" %+9.6f", hand->dh[t * H + j]);
        double d = difference(tape->dh + t * H, hand->dh + t * H, H);
        printf(" | %.1e\n", d);
        if (!(d <= worst))
            worst = d;
    }
    return worst;
}

static double show_weights(const numbers *tape, const numbers *hand, int blocks)
{
    const struct {
        const char *name;
        const double *a, *b;
        int n;
    } row[5] = {{"x", tape->dx, hand->dx, T * I},
                {"W_ih", tape->dw_ih, hand->dw_ih, blocks * H * I},
                {"W_hh", tape->dw_hh, hand->dw_hh, blocks * H * H},
                {"b_ih", tape->db_ih, hand->db_ih, blocks * H},
                {"b_hh", tape->db_hh, hand->db_hh, blocks * H}};
    double worst = 0;
    for (int k = 0; k < 5; k++) {
        double d = difference(row[k].a, row[k].b, row[k].n);
        printf("  dL/d%-5s %3d numbers, largest difference %.1e\n", row[k].name, row[k].n, d);
        if (!(d <= worst))
            worst = d;
    }
    return worst;
}

int main(void)
{
    tl_set_on_error("print");
    const struct {
        const char *title;
        hand_kind kind;
        tl_cell cell;
    } row[3] = {
        {"RNN   h' = tanh(x W_ih' + b_ih + h W_hh' + b_hh)", HAND_RNN_TANH, tl_rnn_cell(NULL)},
        {"LSTM  c' = f c + i g,  h' = o tanh(c')", HAND_LSTM, tl_lstm_cell(NULL)},
        {"GRU   h' = (1 - z) n + z h", HAND_GRU, tl_gru_cell(NULL)}};
    int bad = 0;
    for (int k = 0; k < 3; k++) {
        problem p;
        numbers tape, hand;
        char *adjoint = NULL;
        problem_make(&p, 17u + (unsigned)k);
        int blocks = hand_blocks(row[k].kind);
        printf("%s\n\n", row[k].title);
        if (by_hand(row[k].kind, &p, &hand) || by_tape(&row[k].cell, blocks, &p, &tape, &adjoint))
            return 1;
        double steps = show_steps(&tape, &hand), weights = show_weights(&tape, &hand, blocks);
        int equal = steps <= TOLERANCE && weights <= TOLERANCE;
        printf("  %s\n\n", equal ? "equal" : "NOT EQUAL");
        printf("The adjoint as the tape recorded it; the body of its scan is one step of "
               "BPTT:\n\n%s\n",
               adjoint ? adjoint : "");
        tl_string_free(adjoint);
        bad |= !equal;
    }
    return bad;
}
