/* test_microscope.c -- tl_microscope_run against backpropagation by hand and against matrices whose
 * eigenvalues are known. */
#include "core/memory.h"
#include "core/print.h"
#include "examples/by_hand.h"
#include "nn/nn.h"
#include "ops/ops.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { T = 7, B = 2, I = 3, H = 4 };

static unsigned seed = 7;

static double draw(void)
{
    seed = seed * 1664525u + 1013904223u;
    return 1.4 * (double)(seed >> 8) / (double)(1u << 24) - 0.7;
}

static double number[4][4 * H * H], x[T * B * I];
static const double *const values[4] = {number[0], number[1], number[2], number[3]};

static void fill(void)
{
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < 4 * H * H; i++)
            number[k][i] = draw();
    for (int i = 0; i < T * B * I; i++)
        x[i] = draw();
}

static void near(double got, double want, const char *what, int t)
{
    cr_assert(fabs(got - want) <= 1e-12 * fmax(1, fabs(want)), "%s at %d: got %.17g, want %.17g",
              what, t, got, want);
}

/* ---- gradients ------------------------------------------------------------------------------- */

static void against_hand(tl_cell cell, hand_kind kind, int all_steps)
{
    tl_microscope m;
    tl_err err = {0};
    tl_microscope_opts o = tl_microscope_defaults();
    o.all_steps = all_steps;
    o.iterations = 0;
    fill();
    cr_assert_eq(tl_microscope_run(&cell, I, H, T, B, values, x, &o, &m, &err), TL_OK, "%s",
                 err.message);
    double square[2][T] = {{0}}, loss = 0;
    for (int b = 0; b < B; b++) {
        const hand_weights w = {I, H, number[0], number[1], number[2], number[3]};
        double row[T * I], dy[T * H] = {0}, dx[T * I], dh[T * H], dc[T * H];
        double g[4][4 * H * H] = {{0}};
        const hand_grads grads = {g[0], g[1], g[2], g[3]};
        hand_run run;
        for (int t = 0; t < T; t++)
            memcpy(row + t * I, x + (t * B + b) * I, sizeof *row * I);
        cr_assert_eq(hand_forward(&run, kind, &w, T, row, NULL, NULL), 0);
        for (int t = 0; t < T; t++)
            for (int j = 0; j < H; j++) {
                dy[t * H + j] = all_steps || t == T - 1;
                loss += dy[t * H + j] * run.h[(t + 1) * H + j];
            }
        cr_assert_eq(hand_backward(&run, &w, dy, NULL, NULL, &grads, dx, dh, dc, NULL, NULL), 0);
        for (int t = 0; t < T; t++)
            for (int j = 0; j < H; j++) {
                int at = t * H + j, in_m = (t * B + b) * H + j;
                near(m.grad[0][in_m], dh[at], "h", t);
                square[0][t] += dh[at] * dh[at];
                if (kind != HAND_LSTM)
                    continue;
                /* by hand dL/dc_t goes through h_t too: h = o tanh(c) */
                double s = tanh(run.c[(t + 1) * H + j]), gate = run.gate[t * 4 * H + 3 * H + j];
                double fixed_h = dc[at] - dh[at] * gate * (1 - s * s);
                near(m.grad[1][in_m], fixed_h, "c", t);
                square[1][t] += fixed_h * fixed_h;
            }
        hand_run_free(&run);
    }
    near(m.loss, loss, "loss", 0);
    for (int k = 0; k < m.nstates; k++)
        for (int t = 0; t < T; t++)
            near(m.norm[k][t], sqrt(square[k][t]), "norm", t);
    cr_assert_not(m.jacobians);
    tl_microscope_free(&m);
}

Test(microscope, gradients_of_states_are_those_by_hand)
{
    for (int all = 0; all < 2; all++) {
        against_hand(tl_rnn_cell(NULL), HAND_RNN_TANH, all);
        against_hand(tl_lstm_cell(NULL), HAND_LSTM, all);
        against_hand(tl_gru_cell(NULL), HAND_GRU, all);
    }
}

/* ---- gates ----------------------------------------------------------------------------------- */

Test(microscope, gates_are_counted)
{
    tl_microscope m;
    tl_err err = {0};
    tl_cell cell = tl_lstm_cell(NULL);
    fill();
    for (int k = 0; k < 4; k++)
        for (int j = 0; j < H; j++) /* i: all open, f: all shut, g: one element flat, o: neither */
            number[2][k * H + j] = k == 0 ? 90 : k == 1 ? -90 : k == 2 && j == 0 ? -90 : 0;
    memset(number[0], 0, sizeof number[0]);
    memset(number[1], 0, sizeof number[1]);
    memset(number[3], 0, sizeof number[3]);
    cr_assert_eq(tl_microscope_run(&cell, I, H, T, B, values, x, NULL, &m, &err), TL_OK, "%s",
                 err.message);
    cr_assert_eq(m.ngates, 5);
    static const double low[5] = {0, 1, 0.25, 0, 0}, high[5] = {1, 0, 0, 0, 0};
    for (int i = 0; i < 4; i++)
        for (int t = 0; t < T; t++) {
            near(m.gate[i].low[t], low[i], m.gate[i].name, t);
            near(m.gate[i].high[t], high[i], m.gate[i].name, t);
        }
    static const char *const name[5] = {"i", "f", "g", "o", "tanh 1"};
    for (int i = 0; i < 5; i++)
        cr_assert_str_eq(m.gate[i].name, name[i]);
    tl_microscope_free(&m);
}

/* h' = tanh(h + f1 f2 f3), with gates in the scopes that two of them are given; names may be NULL. */
static const char *scope[2], *name[3];
static tl_tensor three_gates(const tl_cell *cell, const tl_tensor *w, tl_tensor x_t,
                             tl_tensor *state, const tl_tensor *aux)
{
    (void)cell, (void)w, (void)x_t, (void)aux;
    tl_tensor y = state[0];
    for (int k = 0; k < 3; k++) {
        if (k < 2 && scope[k])
            tl_scope_open(state[0].tape, scope[k]);
        tl_tensor gate = tl_sigmoid(tl_add(state[0], y));
        y = tl_mul(y, name[k] ? tl_name(gate, name[k]) : gate);
        if (k < 2 && scope[k])
            tl_scope_close(state[0].tape);
    }
    return state[0] = tl_tanh(tl_add(state[0], y));
}

static void gates_are_called(const char *a, const char *b, const char *c, const char *d)
{
    tl_microscope m;
    tl_err err = {0};
    tl_cell cell = tl_cell_make("three", three_gates);
    tl_cell_state_add(&cell, "h", "H");
    tl_microscope_opts o = tl_microscope_defaults();
    o.iterations = 0;
    cr_assert_eq(tl_microscope_run(&cell, I, H, T, B, NULL, x, &o, &m, &err), TL_OK, "%s",
                 err.message);
    const char *const want[4] = {a, b, c, d};
    cr_assert_eq(m.ngates, 4);
    for (int i = 0; i < 4; i++)
        cr_assert_str_eq(m.gate[i].name, want[i]);
    tl_microscope_free(&m);
}

Test(microscope, gates_are_named_with_their_scope_where_there_are_several)
{
    gates_are_called("sigmoid 1", "sigmoid 2", "sigmoid 3", "tanh 1");
    scope[0] = scope[1] = "one";
    gates_are_called("one/sigmoid 1", "one/sigmoid 2", "sigmoid 1", "tanh 1");
    scope[1] = "two";
    gates_are_called("one/sigmoid 1", "two/sigmoid 1", "sigmoid 1", "tanh 1");
    name[0] = name[1] = name[2] = "f";
    gates_are_called("one/f", "two/f", "f", "tanh 1");
    scope[0] = scope[1] = NULL;
    gates_are_called("f", "f 2", "f 3", "tanh 1");
    /* what is too long: the end of the scope, the start of the name, nothing cut within a letter */
    scope[0] = "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4 first of all the cells there are";
    name[0] = "the gate that forgets what there was \xc3\xa4\xc3\xa4\xc3\xa4";
    gates_are_called("...\xc3\xa4 first of all the cells there are/the gate that forgets what "
                     "there was \xc3\xa4",
                     "f", "f 2", "tanh 1");
}

/* ---- as a table ------------------------------------------------------------------------------ */

Test(microscope, a_line_for_each_step)
{
    tl_microscope m;
    tl_err err = {0};
    tl_cell cell = tl_lstm_cell(NULL);
    fill();
    cr_assert_eq(tl_microscope_run(&cell, I, H, T, B, values, x, NULL, &m, &err), TL_OK, "%s",
                 err.message);
    char *csv = tl_microscope_csv(&m), *line = csv;
    cr_assert_not_null(csv);
    const char head[] = "t,h gradient,c gradient,spectral radius,spectral norm,i low,";
    cr_assert_eq(strncmp(csv, head, strlen(head)), 0, "%s", csv);
    for (int t = 0; t < T; t++) {
        double h, c, radius, norm;
        int at;
        line = strchr(line, '\n');
        cr_assert_not_null(line);
        cr_assert_eq(sscanf(++line, "%d,%lg,%lg,%lg,%lg,", &at, &h, &c, &radius, &norm), 5);
        cr_assert(at == t && fabs(h - m.norm[0][t]) <= 0 && fabs(c - m.norm[1][t]) <= 0);
        cr_assert(fabs(radius - m.radius[t]) <= 0 && fabs(norm - m.spectral_norm[t]) <= 0);
    }
    cr_assert_str_eq(strchr(line, '\n'), "\n");
    cr_assert_null(tl_microscope_csv(NULL));
    tl_string_free(csv);
    tl_microscope_free(&m);
}

/* ---- Jacobians ------------------------------------------------------------------------------- */

/* h' = h W' + x V' */
static tl_tensor linear_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x_t,
                             tl_tensor *state, const tl_tensor *aux)
{
    (void)cell, (void)aux;
    return state[0] = tl_add(tl_matmul_t(state[0], 0, w[1], 1), tl_matmul_t(x_t, 0, w[0], 1));
}

static void radius_is(const double w[H * H], double radius, double norm)
{
    tl_microscope m;
    tl_err err = {0};
    tl_microscope_opts o = tl_microscope_defaults();
    tl_cell cell = tl_cell_make("linear", linear_step);
    tl_cell_param_add(&cell, "v", "H,I", tl_init_recurrent());
    tl_cell_param_add(&cell, "w", "H,H", tl_init_recurrent());
    tl_cell_state_add(&cell, "h", "H");
    fill();
    memcpy(number[1], w, sizeof(double) * H * H);
    o.iterations = 200;
    cr_assert_eq(tl_microscope_run(&cell, I, H, T, B, values, x, &o, &m, &err), TL_OK, "%s",
                 err.message);
    cr_assert(m.jacobians);
    for (int t = 0; t < T; t++) {
        cr_assert(fabs(m.radius[t] - radius) < 1e-9, "got radius %.15g, want %.15g", m.radius[t],
                  radius);
        cr_assert(fabs(m.spectral_norm[t] - norm) < 1e-9, "got norm %.15g, want %.15g",
                  m.spectral_norm[t], norm);
    }
    tl_microscope_free(&m);
}

Test(microscope, radius_and_norm_of_known_matrices)
{
    const double diagonal[H * H] = {0.5, 0, 0, 0, 0, -1.25, 0, 0, 0, 0, 0.1, 0, 0, 0, 0, 0.9};
    radius_is(diagonal, 1.25, 1.25);
    /* 0.8 times a turn by 1 radian, beside 0.3 and 0.1 */
    double c = 0.8 * cos(1.0), s = 0.8 * sin(1.0);
    const double turn[H * H] = {c, -s, 0, 0, s, c, 0, 0, 0, 0, 0.3, 0, 0, 0, 0, 0.1};
    radius_is(turn, 0.8, 0.8);
    /* [0.5 3; 0 0.25]: radius and norm far apart; norm^2 = (p + sqrt(p^2 - 4 q^2)) / 2 with p the
     * sum of squares, q the determinant */
    const double sheared[H * H] = {0.5, 3, 0, 0, 0, 0.25};
    double p = 0.25 + 9 + 0.0625, q = 0.125;
    radius_is(sheared, 0.5, sqrt((p + sqrt(p * p - 4 * q * q)) / 2));
    const double none[H * H] = {0};
    radius_is(none, 0, 0);
}

/* ---- short of memory ------------------------------------------------------------------------- */

static int look_and_write(tl_microscope *m, char **csv)
{
    tl_microscope_opts o = tl_microscope_defaults();
    tl_err err = {0};
    tl_cell cell = tl_lstm_cell(NULL);
    o.iterations = 1;
    int code = tl_microscope_run(&cell, I, 2, 2, B, values, x, &o, m, &err);
    cr_assert(code == TL_OK || strstr(err.message, "memory"), "%s", err.message);
    *csv = code == TL_OK ? tl_microscope_csv(m) : NULL;
    return *csv ? TL_OK : code == TL_OK ? TL_ENOMEM : code;
}

Test(microscope, every_allocation_may_fail, .timeout = 300)
{
    tl_microscope m;
    char *want, *csv = NULL;
    fill();
    cr_assert_eq(look_and_write(&m, &want), TL_OK);
    tl_microscope_free(&m);
    int failures = 0, code = TL_ENOMEM;
    for (long n = 1; n < 100000 && code != TL_OK; n++, failures += code != TL_OK) {
        tl__fail_after(n);
        code = look_and_write(&m, &csv);
        tl__fail_after(0);
        cr_assert(code == TL_ENOMEM || code == TL_OK, "allocation %ld: got %d", n, code);
        tl_microscope_free(&m);
    }
    cr_assert_eq(code, TL_OK);
    cr_assert_str_eq(csv, want);
    cr_assert(failures > 100, "only %d allocations failed", failures);
    tl_string_free(csv);
    tl_string_free(want);
}
