/* by_hand.c -- textbook BPTT: see by_hand.h. Read it beside nn/rnn.c, nn/lstm.c and nn/gru.c: there
 * the same networks have no backward part. */
#include "by_hand.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double sigm(double a)
{
    return 1.0 / (1.0 + exp(-a));
}

int hand_blocks(hand_kind kind)
{
    return kind == HAND_LSTM ? 4 : kind == HAND_GRU || kind == HAND_GRU_BEFORE ? 3 : 1;
}

/* affine -- row j of v W' + b: sum over k of v[k] W[j,k], plus b[j]. */
static double affine(const double *w, const double *b, const double *v, int j, int n)
{
    double sum = b[j];
    for (int k = 0; k < n; k++)
        sum += w[j * n + k] * v[k];
    return sum;
}

/* ---- one step forward ------------------------------------------------------------------------ */

static void rnn_step(const hand_weights *w, int relu, const double *x, const double *h, double *a,
                     double *h1)
{
    for (int j = 0; j < w->H; j++) {
        double z = affine(w->w_ih, w->b_ih, x, j, w->I) + affine(w->w_hh, w->b_hh, h, j, w->H);
        a[j] = relu ? (z > 0 ? z : 0) : tanh(z);
        h1[j] = a[j];
    }
}

static void lstm_step(const hand_weights *w, const double *x, const double *h, const double *c,
                      double *gate, double *h1, double *c1)
{
    int H = w->H;
    for (int j = 0; j < 4 * H; j++) {
        double z = affine(w->w_ih, w->b_ih, x, j, w->I) + affine(w->w_hh, w->b_hh, h, j, H);
        gate[j] = j / H == 2 ? tanh(z) : sigm(z);
    }
    const double *i = gate, *f = gate + H, *g = gate + 2 * H, *o = gate + 3 * H;
    for (int j = 0; j < H; j++) {
        c1[j] = f[j] * c[j] + i[j] * g[j];
        h1[j] = o[j] * tanh(c1[j]);
    }
}

static void gru_step(const hand_weights *w, int before, const double *x, const double *h,
                     double *gate, double *inner, double *h1)
{
    int H = w->H;
    double *r = gate, *z = gate + H, *n = gate + 2 * H;
    for (int j = 0; j < 2 * H; j++)
        gate[j] = sigm(affine(w->w_ih, w->b_ih, x, j, w->I) + affine(w->w_hh, w->b_hh, h, j, H));
    for (int j = 0; j < H; j++) {
        int row = 2 * H + j;
        double xn = affine(w->w_ih, w->b_ih, x, row, w->I);
        if (before) { /* W_hn (r h) + b_hn */
            double sum = w->b_hh[row];
            for (int k = 0; k < H; k++)
                sum += w->w_hh[row * H + k] * (r[k] * h[k]);
            n[j] = tanh(xn + sum);
        } else { /* r (W_hn h + b_hn) */
            inner[j] = affine(w->w_hh, w->b_hh, h, row, H);
            n[j] = tanh(xn + r[j] * inner[j]);
        }
    }
    for (int j = 0; j < H; j++)
        h1[j] = (1 - z[j]) * n[j] + z[j] * h[j];
}

int hand_forward(hand_run *run, hand_kind kind, const hand_weights *w, int T, const double *x,
                 const double *h0, const double *c0)
{
    int H = w->H, g = hand_blocks(kind);
    *run = (hand_run){.kind = kind, .T = T, .I = w->I, .H = H, .x = x};
    run->h = calloc((size_t)(T + 1) * H, sizeof(double));
    run->c = calloc((size_t)(T + 1) * H, sizeof(double));
    run->gate = calloc((size_t)T * g * H + 1, sizeof(double));
    run->inner = calloc((size_t)T * H + 1, sizeof(double));
    if (!run->h || !run->c || !run->gate || !run->inner) {
        hand_run_free(run);
        return -1;
    }
    if (h0)
        memcpy(run->h, h0, (size_t)H * sizeof(double));
    if (c0)
        memcpy(run->c, c0, (size_t)H * sizeof(double));
    for (int t = 0; t < T; t++) {
        const double *xt = x + t * w->I, *h = run->h + t * H, *c = run->c + t * H;
        double *gate = run->gate + t * g * H, *inner = run->inner + t * H;
        double *h1 = run->h + (t + 1) * H, *c1 = run->c + (t + 1) * H;
        if (kind == HAND_LSTM)
            lstm_step(w, xt, h, c, gate, h1, c1);
        else if (kind == HAND_GRU || kind == HAND_GRU_BEFORE)
            gru_step(w, kind == HAND_GRU_BEFORE, xt, h, gate, inner, h1);
        else
            rnn_step(w, kind == HAND_RNN_RELU, xt, h, gate, h1);
    }
    return 0;
}

void hand_run_free(hand_run *run)
{
    free(run->h);
    free(run->c);
    free(run->gate);
    free(run->inner);
    *run = (hand_run){0};
}

/* ---- one step backward: from dh (and dc) after the step to those before it
 *
 * dz[gH] is the gradient of the loss with respect to what goes into each gate's nonlinearity. */

static void rnn_back(int H, int relu, const double *a, const double *dh, double *dz)
{
    for (int j = 0; j < H; j++) /* tanh' = 1 - tanh^2;  relu' = 1 where relu > 0 */
        dz[j] = dh[j] * (relu ? (a[j] > 0 ? 1.0 : 0.0) : 1 - a[j] * a[j]);
}

static void lstm_back(int H, const double *gate, const double *c, const double *c1,
                      const double *dh, double *dc, double *dz)
{
    const double *i = gate, *f = gate + H, *g = gate + 2 * H, *o = gate + 3 * H;
    for (int j = 0; j < H; j++) {
        double s = tanh(c1[j]);
        double d_o = dh[j] * s;
        double d_c =
            dc[j] + dh[j] * o[j] *
                        (1 - s * s); /* c' reaches the loss directly and through h' = o tanh(c') */
        double d_i = d_c * g[j], d_g = d_c * i[j], d_f = d_c * c[j];
        dz[j] = d_i * i[j] * (1 - i[j]); /* sigm' = sigm (1 - sigm) */
        dz[H + j] = d_f * f[j] * (1 - f[j]);
        dz[2 * H + j] = d_g * (1 - g[j] * g[j]);
        dz[3 * H + j] = d_o * o[j] * (1 - o[j]);
        dc[j] = d_c * f[j]; /* what flows on to c of the step before */
    }
}

/* gru_back -- dz for the gates' inputs; dn_inner[H] is the gradient of the recurrent part of n (of
 * (r h) W_hn' or h W_hn'); dh_direct[H] what flows to the state before without passing through a
 * matrix of the r and z gates. */
static void gru_back(int H, int before, const hand_weights *w, const double *gate,
                     const double *inner, const double *h, const double *dh, double *dz,
                     double *dn_inner, double *dh_direct)
{
    const double *r = gate, *z = gate + H, *n = gate + 2 * H;
    const double *w_hn = w->w_hh + 2 * H * H;
    for (int j = 0; j < H; j++) {
        double d_n = dh[j] * (1 - z[j]), d_z = dh[j] * (h[j] - n[j]);
        dh_direct[j] = dh[j] * z[j];
        dz[2 * H + j] = d_n * (1 - n[j] * n[j]);
        dz[H + j] = d_z * z[j] * (1 - z[j]);
        dn_inner[j] = before ? dz[2 * H + j] : dz[2 * H + j] * r[j];
    }
    for (int k = 0; k < H; k++) {
        double sum = 0; /* gradient of the vector that W_hn multiplies */
        for (int j = 0; j < H; j++)
            sum += dn_inner[j] * w_hn[j * H + k];
        double d_r = before ? sum * h[k] : dz[2 * H + k] * inner[k];
        dh_direct[k] += before ? sum * r[k] : sum;
        dz[k] = d_r * r[k] * (1 - r[k]);
    }
}

/* outer_add -- dW[j,k] += d[j] v[k] and db[j] += d[j], for n rows. */
static void outer_add(double *dw, double *db, const double *d, const double *v, int n, int m)
{
    for (int j = 0; j < n; j++) {
        for (int k = 0; k < m; k++)
            dw[j * m + k] += d[j] * v[k];
        db[j] += d[j];
    }
}

/* back_through -- out[k] = sum over j < n of d[j] W[j,k], added to what is there. */
static void back_through(double *out, const double *w, const double *d, int n, int m)
{
    for (int j = 0; j < n; j++)
        for (int k = 0; k < m; k++)
            out[k] += d[j] * w[j * m + k];
}

int hand_backward(const hand_run *run, const hand_weights *w, const double *dy, const double *dhT,
                  const double *dcT, const hand_grads *g, double *dx, double *dh_out,
                  double *dc_out, double *dh0, double *dc0)
{
    int I = run->I, H = run->H, G = hand_blocks(run->kind) * H;
    int gru = run->kind == HAND_GRU || run->kind == HAND_GRU_BEFORE,
        before = run->kind == HAND_GRU_BEFORE;
    size_t bytes = (size_t)H * sizeof(double);
    double *memory = calloc((size_t)(4 * H + G), sizeof(double));
    if (!memory)
        return -1;
    double *dh = memory, *dc = dh + H, *dn = dc + H, *rest = dn + H, *dz = rest + H;
    if (dhT)
        memcpy(dh, dhT, bytes);
    if (dcT)
        memcpy(dc, dcT, bytes);
    memset(dx, 0, (size_t)run->T * I * sizeof(double));
    for (int t = run->T - 1; t >= 0; t--) {
        const double *x = run->x + t * I, *h = run->h + t * H, *gate = run->gate + t * G;
        for (int j = 0; j < H; j++) /* total derivative: what the output is used for now, and what
                                       later steps make of it */
            dh[j] += dy[t * H + j];
        if (dh_out)
            memcpy(dh_out + t * H, dh, bytes);
        memset(rest, 0, bytes);
        if (run->kind == HAND_LSTM) {
            const double *c = run->c + t * H, *c1 = c + H;
            if (dc_out)
                for (int j = 0; j < H; j++)
                    dc_out[t * H + j] =
                        dc[j] + dh[j] * gate[3 * H + j] * (1 - tanh(c1[j]) * tanh(c1[j]));
            lstm_back(H, gate, c, c1, dh, dc, dz);
        } else if (gru) {
            gru_back(H, before, w, gate, run->inner + t * H, h, dh, dz, dn, rest);
        } else {
            rnn_back(H, run->kind == HAND_RNN_RELU, gate, dh, dz);
        }
        outer_add(g->w_ih, g->b_ih, dz, x, G, I);
        back_through(dx + t * I, w->w_ih, dz, G, I);
        if (gru) { /* r and z see h; W_hn sees r h (before) or h, and its product is reset (after)
                    */
            outer_add(g->w_hh, g->b_hh, dz, h, 2 * H, H);
            for (int j = 0; j < H; j++) {
                for (int k = 0; k < H; k++)
                    g->w_hh[(2 * H + j) * H + k] += dn[j] * (before ? gate[k] * h[k] : h[k]);
                g->b_hh[2 * H + j] += dn[j];
            }
            memcpy(dh, rest, bytes);
            back_through(dh, w->w_hh, dz, 2 * H, H);
        } else {
            outer_add(g->w_hh, g->b_hh, dz, h, G, H);
            memset(dh, 0, bytes);
            back_through(dh, w->w_hh, dz, G, H);
        }
    }
    if (dh0)
        memcpy(dh0, dh, bytes);
    if (dc0)
        memcpy(dc0, dc, bytes);
    free(memory);
    return 0;
}
