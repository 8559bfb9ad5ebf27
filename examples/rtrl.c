/* rtrl.c -- real-time recurrent learning: the exact gradient of a recurrent network while it runs,
 * without going back in time.
 *
 * A network with weights w [P] and state s [N] reads x_t and pays l_t at every step:
 *
 *     s_t = f(s_{t-1}, x_t, w),      L = sum over t of l_t(s_t)
 *
 * Backpropagation through time runs to the end and then back; it must keep what every step
 * computed. Williams and Zipser (1989) carry the *influence matrix* S_t = ds_t/dw [N,P] along
 * instead. The chain rule, applied to one step, is all there is to it:
 *
 *     S_t = J S_{t-1} + M            J = df/ds [N,N],  M = df/dw [N,P], both of this step alone
 *     g_t = g_{t-1} + dl_t/ds S_t    the gradient of the losses up to now, at every t
 *
 * What it keeps does not grow with the number of steps; the price is N N P products a step, where
 * backpropagation has about P.
 *
 * Three routes to one gradient, for a plain RNN, an LSTM and a GRU:
 *
 *     online     the two lines above, in a scan; the tape writes J and M
 *     backward   tl_grad of the loss: the reverse scan, backpropagation through time
 *     forward    tl_jacobian by columns: one tl_jvp through the whole loop for each weight, that
 *                is, each column of S for itself
 *
 * Prints the gradient of the first two after each step, and the memory each takes for longer and
 * longer sequences. Exits with 1 if any two differ by more than 1e-10, relative to the largest
 * element, or if the memory of the first grows.
 *
 * How to get J and M from a tape.  Inside an open scan the carries are inputs of the step, for
 * tl_grad, tl_jvp and tl_jacobian alike: the steps before are no part of the derivative. So the
 * Jacobian of the new state with respect to the carry is J, and that with respect to the weights,
 * which are captured from outside, is M, the direct part only. */
#include "counting.h"

#include <tapeloop.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { T = 8, I = 3, H = 4, MOST = 4 * H * (I + H + 2) };
static const double TOLERANCE = 1e-10;

/* ---- the network ----------------------------------------------------------------------------- */

static int count_weights(const tl_cell *cell)
{
    int64_t n = 0;
    for (int k = 0; k < cell->nparams; k++)
        n += tl_shape_count(tl_cell_param_shape(cell, k, I, H));
    return (int)n;
}

/* weights_make -- n numbers in [-0.8, 0.8]. */
static void weights_make(double *w, int n, unsigned seed)
{
    for (int i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        w[i] = 1.6 * (double)(seed >> 8) / (double)(1u << 24) - 0.8;
    }
}

/* weights_split -- the cell's parameters as parts of one vector, so that there is one S. */
static void weights_split(const tl_cell *cell, tl_tensor all, tl_tensor *w)
{
    int64_t at = 0;
    for (int k = 0; k < cell->nparams; k++) {
        const tl_shape shape = tl_cell_param_shape(cell, k, I, H);
        const int64_t n = tl_shape_count(shape);
        w[k] = tl_reshape(tl_slice(all, 0, at, n), shape);
        at += n;
    }
}

/* waves -- [1,width] sines of this step's number t. An input that the step makes itself: no array
 * over time is there for any route. */
static tl_tensor waves(tl_tensor t, int width, double speed)
{
    double rate[I > H ? I : H];
    for (int k = 0; k < width; k++)
        rate[k] = speed + 0.37 * k;
    tl_tensor r = tl_input_f64(t.tape, tl_shape2(1, width), rate);
    return tl_sin(tl_mul(r, tl_add_scalar(tl_cast(t, TL_F64), 1)));
}

/* step -- one step of the cell: the next state [1,N] of a state [1,N]. */
static tl_tensor step(const tl_cell *cell, const tl_tensor *w, tl_tensor t, tl_tensor before)
{
    tl_tensor state[TL_CELL_STATES];
    for (int k = 0; k < cell->nstates; k++)
        state[k] = tl_chunk(before, cell->nstates, k); /* h, and c of the LSTM */
    cell->step(cell, w, waves(t, I, 0.9), state, NULL);
    return tl_concat(cell->nstates, state, -1);
}

/* loss_of -- what the state costs after step t: half the squared distance of h from a target. */
static tl_tensor loss_of(const tl_cell *cell, tl_tensor t, tl_tensor s)
{
    tl_tensor miss = tl_sub(tl_chunk(s, cell->nstates, 0), waves(t, H, 0.2));
    return tl_scale(tl_sum_all(tl_mul(miss, miss)), 0.5);
}

/* ---- route 1: online ------------------------------------------------------------------------- */

/* online -- records the loop that carries the influence matrix; g after each step [T,P] if `each`,
 * else after the last [P]. */
static tl_tensor online(const tl_cell *cell, tl_tensor all, int64_t steps, int each)
{
    tl_tape *tape = all.tape;
    const int64_t N = (int64_t)cell->nstates * H, P = tl_dim(all, 0);
    tl_tensor w[TL_CELL_PARAMS], dl;
    weights_split(cell, all, w);

    tl_scan_opts opts = tl_scan_defaults();
    opts.name = "online";
    opts.recompute = 1; /* and nothing is computed ahead for all steps at once */
    tl_scan loop = tl_scan_open(tape, steps, &opts);
    tl_tensor s = tl_name(tl_scan_carry(loop, tl_zeros(tape, TL_F64, tl_shape2(1, N))), "s");
    tl_tensor S = tl_name(tl_scan_carry(loop, tl_zeros(tape, TL_F64, tl_shape2(N, P))), "S");
    tl_tensor g = tl_name(tl_scan_carry(loop, tl_zeros(tape, TL_F64, tl_shape1(P))), "g");

    tl_tensor t = tl_scan_time(loop), s1 = step(cell, w, t, s), loss = loss_of(cell, t, s1);
    tl_tensor J = tl_reshape(tl_jacobian(s1, s, TL_BY_ROWS), tl_shape2(N, N));
    tl_tensor M = tl_reshape(tl_jacobian(s1, all, TL_BY_ROWS), tl_shape2(N, P));
    tl_tensor S1 = tl_add(tl_matmul(J, S), M);

    tl_grad(1, &loss, NULL, 1, &s1, &dl);
    tl_tensor g1 = tl_add(g, tl_reshape(tl_matmul(dl, S1), tl_shape1(P)));

    tl_scan_next(loop, s, s1);
    tl_scan_next(loop, S, S1);
    tl_scan_next(loop, g, g1);
    tl_scan_close(loop);
    return each ? tl_scan_stacked(loop, g1) : tl_scan_last(loop, g);
}

/* ---- routes 2 and 3: the loss of the loop, differentiated afterwards -------------------------- */

/* losses -- the plain loop; *each receives l_t of each step [T] if it is not NULL. Returns L. */
static tl_tensor losses(const tl_cell *cell, tl_tensor all, int64_t steps, tl_tensor *each)
{
    tl_tape *tape = all.tape;
    tl_tensor w[TL_CELL_PARAMS];
    weights_split(cell, all, w);
    tl_scan loop = tl_scan_open(tape, steps, NULL);
    tl_tensor s =
        tl_scan_carry(loop, tl_zeros(tape, TL_F64, tl_shape2(1, (int64_t)cell->nstates * H)));
    tl_tensor t = tl_scan_time(loop), s1 = step(cell, w, t, s), loss = loss_of(cell, t, s1);
    tl_scan_next(loop, s, s1);
    tl_scan_close(loop);
    if (each)
        *each = tl_scan_stacked(loop, loss);
    return tl_scan_summed(loop, loss);
}

/* backward -- the gradient of the losses of steps 0 .. t, for each t, [T,P]. The first route has
 * all of them; here each costs a sweep. */
static tl_tensor backward(const tl_cell *cell, tl_tensor all)
{
    tl_tensor each, row[T];
    losses(cell, all, T, &each);
    for (int t = 0; t < T; t++) {
        tl_tensor until = tl_sum_all(tl_slice(each, 0, 0, t + 1));
        tl_grad(1, &until, NULL, 1, &all, &row[t]);
    }
    return tl_stack(T, row, 0);
}

/* forward -- dL/dw, one weight after the other: the Jacobian of one number is its gradient, and by
 * columns it is P forward passes. */
static tl_tensor forward(const tl_cell *cell, tl_tensor all)
{
    return tl_jacobian(losses(cell, all, T, NULL), all, TL_BY_COLUMNS);
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

static int failed(const tl_tape *tape)
{
    if (tl_tape_status(tape))
        fprintf(stderr, "tape: %s\n", tl_tape_error(tape));
    return tl_tape_status(tape) != TL_OK;
}

static double worse(double worst, double d)
{
    return d <= worst ? worst : d;
}

/* show_steps -- the three routes over T steps; returns the largest difference. */
static double show_steps(const tl_cell *cell, const double *weights)
{
    static double by_online[T * MOST], by_backward[T * MOST], by_forward[MOST];
    const int P = count_weights(cell);
    double worst = 0;
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor all = tl_name(tl_input_f64(tape, tl_shape1(P), weights), "w");
    tl_read_f64(online(cell, all, T, 1), by_online, (int64_t)T * P);
    tl_read_f64(backward(cell, all), by_backward, (int64_t)T * P);
    tl_read_f64(forward(cell, all), by_forward, P);
    const int bad = failed(tape);
    tl_tape_free(tape);
    if (bad)
        return HUGE_VAL;

    printf("  dL/dw up to step t  online                          backward                        "
           "difference\n");
    for (int t = 0; t < T; t++) {
        const double *a = by_online + (ptrdiff_t)t * P, *b = by_backward + (ptrdiff_t)t * P;
        const double d = difference(a, b, P);
        printf("  t = %d              ", t);
        for (int k = 0; k < 3; k++)
            printf(" %+9.6f", a[k]);
        printf(" |");
        for (int k = 0; k < 3; k++)
            printf(" %+9.6f", b[k]);
        printf(" | %.1e\n", d);
        worst = worse(worst, d);
    }
    const double d = difference(by_forward, by_backward + (ptrdiff_t)(T - 1) * P, P);
    printf("  (3 of %d weights; the difference is that of all.)  Forward, at the end: %.1e\n", P,
           d);
    return worse(worst, d);
}

/* ---- memory ---------------------------------------------------------------------------------- */

enum { LENGTHS = 3 };
static const int64_t LENGTH[LENGTHS] = {1000, 10000, 50000};

/* whole -- the gradient of a long sequence by one route; the kilobytes it took to *kb. */
static int whole(const tl_cell *cell, const double *weights, int64_t steps, int is_online,
                 double *gradient, double *kb)
{
    const int P = count_weights(cell);
    counting_reset();
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor all = tl_input_f64(tape, tl_shape1(P), weights), g;
    if (is_online) {
        g = online(cell, all, steps, 0);
    } else {
        tl_tensor loss = losses(cell, all, steps, NULL);
        tl_grad(1, &loss, NULL, 1, &all, &g);
    }
    /* A read alone would keep what the gradient of g reads, should somebody ask for it. After a
     * commit nobody can. */
    tl_want(g);
    tl_commit(tape);
    tl_read_f64(g, gradient, P);
    const int bad = failed(tape);
    tl_tape_free(tape);
    *kb = (double)counting_most() / 1024;
    return bad;
}

/* show_memory -- the same for sequences of more and more steps. Whether the first route stays as
 * small as it was; the largest difference to *worst. */
static int show_memory(const tl_cell *cell, const double *weights, double *worst)
{
    static double g[2][LENGTHS][MOST];
    double kb[2][LENGTHS];
    /* All of the first route first: blocks that the second gave back would serve it. */
    for (int route = 0; route < 2; route++)
        for (int k = 0; k < LENGTHS; k++)
            if (whole(cell, weights, LENGTH[k], route == 0, g[route][k], &kb[route][k]))
                return 0;
    printf("      steps    memory, online    backward      difference\n");
    for (int k = 0; k < LENGTHS; k++) {
        const double d = difference(g[0][k], g[1][k], count_weights(cell));
        printf("  %9lld    %11.0f kB  %7.0f kB         %.1e\n", (long long)LENGTH[k], kb[0][k],
               kb[1][k], d);
        *worst = worse(*worst, d);
    }
    return kb[0][LENGTHS - 1] <= 1.1 * kb[0][0];
}

int main(void)
{
    counting_start();
    tl_set_on_error("print");
    const struct {
        const char *title;
        tl_cell cell;
    } row[3] = {{"RNN   h' = tanh(x W_ih' + b_ih + h W_hh' + b_hh)", tl_rnn_cell(NULL)},
                {"LSTM  c' = f c + i g,  h' = o tanh(c')", tl_lstm_cell(NULL)},
                {"GRU   h' = (1 - z) n + z h", tl_gru_cell(NULL)}};
    double weights[MOST], worst = 0;
    const tl_cell *gru = &row[2].cell;
    weights_make(weights, count_weights(gru), 20);
    printf("GRU: memory for the gradient of a long sequence, planning included\n\n");
    const int flat = show_memory(gru, weights, &worst);
    for (unsigned k = 0; k < 3; k++) {
        printf("\n%s\n\n", row[k].title);
        weights_make(weights, count_weights(&row[k].cell), 23 + k);
        worst = worse(worst, show_steps(&row[k].cell, weights));
    }
    printf("\nThe largest difference is %.1e: %s; the memory of the online gradient %s.\n", worst,
           worst <= TOLERANCE ? "equal" : "NOT EQUAL", flat ? "stays as it is" : "GROWS");
    return !(worst <= TOLERANCE && flat);
}
