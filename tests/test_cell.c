/* test_cell.c -- describing cells, and one step of each built-in cell against plain C. */
#include "nn/cells.h"
#include "ops/ops.h"
#include "tests/optest.h"

static tl_tensor some_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *state,
                           const tl_tensor *aux)
{
    (void)cell, (void)w, (void)x, (void)aux;
    return state[0];
}

static tl_cell small_cell(void)
{
    tl_cell c = tl_cell_make("small", some_step);
    tl_cell_state_add(&c, "h", "H");
    return c;
}

Test(cell, shapes_are_sums_of_multiples_of_the_sizes)
{
    tl_cell c = small_cell();
    const char *text[6] = {"4H,I", "H", "", "I+H,2", "3, 2I + 5H + 1", "2I,1"};
    for (int k = 0; k < 6; k++) {
        static const char *name[6] = {"a", "b", "c", "d", "e", "f"};
        tl_cell_param_add(&c, name[k], text[k], tl_init_constant(0));
    }
    tl_cell_state_add(&c, "wide", "2H+I");
    tl_err err = {0};
    cr_assert_eq(tl_cell_check(&c, &err), TL_OK, "%s", err.message);
    tl_shape want[6] = {tl_shape2(20, 3), tl_shape1(5),     tl_shape0(),
                        tl_shape2(8, 2),  tl_shape2(3, 32), tl_shape2(6, 1)};
    int blocks[6] = {4, 1, 1, 1, 1, 1};
    for (int k = 0; k < 6; k++) {
        cr_assert(tl_shape_equal(tl_cell_param_shape(&c, k, 3, 5), want[k]), "%s", text[k]);
        cr_assert_eq(tl_cell_param_blocks(&c, k), blocks[k], "%s", text[k]);
    }
    cr_assert_eq(tl_cell_param_shape(&c, c.nparams, 3, 5).rank, -1);
    cr_assert_eq(tl_cell_param_shape(NULL, 0, 3, 5).rank, -1);
    cr_assert_eq(tl_cell_param_blocks(&c, -1), 0);
    cr_assert_eq(tl_cell_state_width(NULL, 0, 3, 5), 0);
    cr_assert_eq(tl_cell_state_width(&c, 0, 3, 5), 5);
    cr_assert_eq(tl_cell_state_width(&c, 1, 3, 5), 13);
}

static void refused(tl_cell c, int code, const char *part)
{
    tl_err err = {0};
    cr_assert_eq(tl_cell_check(&c, &err), code, "%s", part);
    cr_assert(strstr(err.message, part), "got \"%s\", want \"%s\" in it", err.message, part);
    cr_assert_eq(err.code, code);
}

Test(cell, mistakes_are_named)
{
    tl_err err = {0};
    cr_assert_eq(tl_cell_check(NULL, &err), TL_EINVAL);

    const char *bad[6] = {"4H,", "h", "4H I", ",", "4H,I,H,H,H", "H+"};
    for (int i = 0; i < 6; i++) {
        tl_cell c = small_cell();
        tl_cell_param_add(&c, "w", bad[i], tl_init_constant(0));
        refused(c, TL_EINVAL, "small, w: got");
        refused(c, TL_EINVAL, bad[i]);
    }
    tl_cell c = small_cell();
    tl_cell_state_add(&c, "s", "H,2");
    refused(c, TL_EINVAL, "width");
    c = small_cell();
    tl_cell_param_add(&c, "h", "H", tl_init_constant(0));
    refused(c, TL_ENAME, "h is named twice");
    c = small_cell();
    tl_cell_param_add(&c, "", "H", tl_init_constant(0));
    refused(c, TL_EINVAL, "without name");
    refused(tl_cell_make("none", some_step), TL_EINVAL, "no state");
    c = small_cell();
    c.step = NULL;
    refused(c, TL_EINVAL, "no step");
    c = small_cell();
    for (int i = 0; i <= TL_CELL_PARAMS; i++)
        tl_cell_param_add(&c, "w", "H", tl_init_constant(0));
    refused(c, TL_EINVAL, "TL_CELL_PARAMS");
    c = small_cell();
    for (int i = 0; i < TL_CELL_STATES; i++)
        tl_cell_state_add(&c, "s", "H");
    refused(c, TL_EINVAL, "TL_CELL_STATES");
    c = small_cell();
    tl_cell_begin(&c, NULL, TL_CELL_AUX + 1);
    refused(c, TL_EINVAL, "TL_CELL_AUX");
}

Test(cell, the_first_mistake_counts_and_null_is_harmless)
{
    tl_cell c = small_cell();
    tl_cell_state_add(&c, "s", "?");
    tl_cell_param_add(&c, "w", "?", tl_init_constant(0));
    refused(c, TL_EINVAL, "s: got a width");
    tl_cell_param_add(NULL, "w", "H", tl_init_constant(0));
    tl_cell_state_add(NULL, "s", "H");
    tl_cell_begin(NULL, NULL, 0);
}

Test(cell, built_in_cells_have_pytorchs_parameters)
{
    tl_rnn_opts rnn = tl_rnn_defaults();
    rnn.relu = 1;
    tl_gru_opts gru = tl_gru_defaults();
    gru.reset_before = 1;
    tl_cell cell[5] = {tl_rnn_cell(NULL), tl_rnn_cell(&rnn), tl_lstm_cell(NULL), tl_gru_cell(NULL),
                       tl_gru_cell(&gru)};
    const int gates[5] = {1, 1, 4, 3, 3};
    static const char *name[4] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};
    for (int c = 0; c < 5; c++) {
        tl_err err = {0};
        int64_t G = gates[c] * 4;
        tl_shape want[4] = {tl_shape2(G, 3), tl_shape2(G, 4), tl_shape1(G), tl_shape1(G)};
        cr_assert_eq(tl_cell_check(&cell[c], &err), TL_OK, "%s", err.message);
        cr_assert_eq(cell[c].nparams, 4);
        cr_assert_eq(cell[c].nstates, c == 2 ? 2 : 1);
        for (int k = 0; k < 4; k++) {
            cr_assert_str_eq(cell[c].param[k].name, name[k]);
            cr_assert(tl_shape_equal(tl_cell_param_shape(&cell[c], k, 3, 4), want[k]));
            cr_assert_eq(tl_cell_param_blocks(&cell[c], k), gates[c]);
        }
    }
}

/* ---- one step against plain C ---------------------------------------------------------------- */

enum { B = 2, I = 3, H = 4, MOST = 4 * H };

static double W[MOST * I], U[MOST * H], bw[MOST], bu[MOST], x[B * I], h[B * H], c[B * H];

static double sigm(double v)
{
    return 1 / (1 + exp(-v));
}

/* Row j of x W' + b, and of h U' + b. */
static double from_x(int b, int j)
{
    double s = bw[j];
    for (int i = 0; i < I; i++)
        s += x[b * I + i] * W[j * I + i];
    return s;
}

static double from_h(const double *state, int b, int j)
{
    double s = bu[j];
    for (int i = 0; i < H; i++)
        s += state[b * H + i] * U[j * H + i];
    return s;
}

static void draw(int bias)
{
    numbers(MOST * I, W);
    numbers(MOST * H, U);
    numbers(MOST, bw);
    numbers(MOST, bu);
    numbers(B * I, x);
    numbers(B * H, h);
    numbers(B * H, c);
    for (int i = 0; i < MOST; i++) {
        bw[i] = bias ? bw[i] * 0.5 : 0;
        bu[i] = bias ? bu[i] * -0.25 : 0;
    }
}

/* Records one step; h1 is the new h expected, c1 the new c or NULL. */
static void step_gives(const tl_cell *cell, int gates, const double *h1, const double *c1)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor w[4] = {tl_input_f64(tape, tl_shape2(gates * H, I), W),
                      tl_input_f64(tape, tl_shape2(gates * H, H), U),
                      tl_input_f64(tape, tl_shape1(gates * H), bw),
                      tl_input_f64(tape, tl_shape1(gates * H), bu)};
    tl_tensor state[2] = {tl_input_f64(tape, tl_shape2(B, H), h),
                          tl_input_f64(tape, tl_shape2(B, H), c)};
    tl_tensor xs = tl_input_f64(tape, tl_shape2(B, I), x);
    tl_tensor y = cell->step(cell, w, xs, state, NULL);
    expect_array(y, tl_shape2(B, H), h1);
    expect_array(state[0], tl_shape2(B, H), h1);
    if (c1)
        expect_array(state[1], tl_shape2(B, H), c1);
    tl_tape_free(tape);
}

Test(cell, rnn_step)
{
    for (int variant = 0; variant < 4; variant++) {
        tl_rnn_opts o = tl_rnn_defaults();
        o.relu = variant & 1;
        o.bias = variant < 2;
        tl_cell cell = tl_rnn_cell(&o);
        draw(o.bias);
        double h1[B * H];
        for (int n = 0; n < B * H; n++) {
            double z = from_x(n / H, n % H) + from_h(h, n / H, n % H);
            h1[n] = o.relu ? (z > 0 ? z : 0) : tanh(z);
        }
        step_gives(&cell, 1, h1, NULL);
    }
}

Test(cell, lstm_step)
{
    for (int bias = 0; bias < 2; bias++) {
        tl_lstm_opts o = tl_lstm_defaults();
        o.bias = bias;
        tl_cell cell = tl_lstm_cell(&o);
        draw(bias);
        double h1[B * H], c1[B * H];
        for (int n = 0; n < B * H; n++) {
            double z[4];
            for (int k = 0; k < 4; k++)
                z[k] = from_x(n / H, k * H + n % H) + from_h(h, n / H, k * H + n % H);
            c1[n] = sigm(z[1]) * c[n] + sigm(z[0]) * tanh(z[2]);
            h1[n] = sigm(z[3]) * tanh(c1[n]);
        }
        step_gives(&cell, 4, h1, c1);
    }
}

Test(cell, gru_step_in_both_variants)
{
    for (int variant = 0; variant < 4; variant++) {
        tl_gru_opts o = tl_gru_defaults();
        o.reset_before = variant & 1;
        o.bias = variant < 2;
        tl_cell cell = tl_gru_cell(&o);
        draw(o.bias);
        double r[B * H], rh[B * H], h1[B * H];
        for (int n = 0; n < B * H; n++) {
            r[n] = sigm(from_x(n / H, n % H) + from_h(h, n / H, n % H));
            rh[n] = r[n] * h[n];
        }
        for (int n = 0; n < B * H; n++) {
            int b = n / H, j = n % H;
            double z = sigm(from_x(b, H + j) + from_h(h, b, H + j));
            double inner =
                o.reset_before ? from_h(rh, b, 2 * H + j) : r[n] * from_h(h, b, 2 * H + j);
            h1[n] = (1 - z) * tanh(from_x(b, 2 * H + j) + inner) + z * h[n];
        }
        step_gives(&cell, 3, h1, NULL);
    }
}
