/* microscope.c -- where the gradient goes: a plain RNN, an LSTM and a GRU over 100 steps, before
 * any training.
 *
 * The loss is the sum of the last output. What of it reaches step t is dL/dh_t, the total
 * derivative through all later steps. It is printed for some t, with the mean factor of a step, with the
 * spectral radius of the step's Jacobian, and with how many elements of each gate are full.
 *
 *     microscope            two tables, to the terminal
 *     microscope out        and out/microscope.svg, all networks in one picture; of each its own
 *                           picture and its numbers, out/microscope_rnn.svg, .csv, and so on (the
 *                           folder has to be there)
 *
 * What one sees:
 *
 *   rnn                 a step multiplies the gradient by about the radius, 0.7: after 100 steps
 *                       1e-16 of it is left, less than the rounding error of what later steps give
 *   lstm, forget bias 0 no better. c' = f c + i g, so the way back through c multiplies by f, and
 *                       an untrained gate is f = sigm(0) = 1/2
 *   lstm, forget bias 1 f = sigm(1) = 0.73, and h adds to it: eleven orders of magnitude more
 *   lstm, forget bias 4 f = 0.98. With a bias of log T, 1/e is left of c after T steps (Tallec and
 *                       Ollivier 2018). The price: c adds up all that came in, tanh(c) becomes flat
 *   gru                 h' = (1 - z) n + z h has the same way back, with z for f: 1/2 at first
 *   gru, update bias 4  and the same cure: z = 0.98
 *
 * Exits with 1 after an error, or if the forget bias does not help. */
#include <tapeloop.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { T = 100, B = 4, I = 8, H = 32, NETWORKS = 6 };

typedef struct network {
    const char *label, *file;
    tl_cell cell;
} network;

static void networks_make(network n[NETWORKS])
{
    tl_lstm_opts bias1 = tl_lstm_defaults(), bias4 = tl_lstm_defaults();
    bias1.forget_bias = 1;
    bias4.forget_bias = 4;
    n[0] = (network){"rnn", "rnn", tl_rnn_cell(NULL)};
    n[1] = (network){"lstm, forget bias 0", "lstm_0", tl_lstm_cell(NULL)};
    n[2] = (network){"lstm, forget bias 1", "lstm_1", tl_lstm_cell(&bias1)};
    n[3] = (network){"lstm, forget bias 4", "lstm_4", tl_lstm_cell(&bias4)};
    n[4] = (network){"gru", "gru", tl_gru_cell(NULL)};
    n[5] = (network){"gru, update bias 4", "gru_4", tl_gru_cell(NULL)};
    tl_init *bias = &n[5].cell.param[TL_B_IH].init; /* blocks r z n */
    *bias = tl_init_plus(*bias, 1, 4);
    for (int k = 0; k < NETWORKS; k++)
        n[k].cell.name = n[k].label; /* for titles and messages */
}

/* inputs -- [T,B,I] numbers in [-1,1), without any structure. */
static void inputs(double *x)
{
    unsigned seed = 1;
    for (int i = 0; i < T * B * I; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (double)(seed >> 8) / (double)(1u << 23) - 1;
    }
}

/* look -- draws the cell's parameters as a training would, and runs the microscope. */
static int look(const tl_cell *cell, const double *x, tl_microscope *m, tl_err *err)
{
    static double number[TL_CELL_PARAMS][4 * H * H];
    const double *values[TL_CELL_PARAMS];
    tl_params *params = tl_params_new(TL_F64);
    int code = params ? TL_OK : TL_ENOMEM;
    for (int k = 0; k < cell->nparams && code == TL_OK; k++) {
        tl_shape shape = tl_cell_param_shape(cell, k, I, H);
        tl_param *p = tl_param_new(params, cell->param[k].name, shape, err);
        code =
            p ? tl_param_init(p, cell->param[k].init, 1, tl_cell_param_blocks(cell, k), H, 0, err)
              : err->code;
        if (code == TL_OK)
            code = tl_param_get_f64(p, number[k], tl_shape_count(shape));
        values[k] = number[k];
    }
    tl_params_free(params);
    return code == TL_OK ? tl_microscope_run(cell, I, H, T, B, values, x, NULL, m, err) : code;
}

/* ---- tables ---------------------------------------------------------------------------------- */

static double mean(const double *v)
{
    double sum = 0;
    for (int t = 0; t < T; t++)
        sum += v[t];
    return sum / T;
}

/* left -- how much of the gradient at the last step is left at the first. */
static double left(const tl_microscope *m)
{
    return m->norm[0][0] / m->norm[0][T - 1];
}

static void print_gradients(const network *n, const tl_microscope *m)
{
    static const int at[] = {0, 25, 50, 75, 90, T - 1};
    printf("%-20s", "|dL/dh_t| at t =");
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        printf("%9d", at[i]);
    printf("%11s%8s%8s\n", "first/last", "a step", "radius");
    for (int k = 0; k < NETWORKS; k++) {
        printf("%-20s", n[k].label);
        for (size_t i = 0; i < sizeof at / sizeof *at; i++)
            printf("%9.1e", m[k].norm[0][at[i]]);
        printf("%11.1e%8.3f%8.3f\n", left(&m[k]), pow(left(&m[k]), 1.0 / (T - 1)),
               mean(m[k].radius));
    }
}

static void print_gates(const network *n, const tl_microscope *m)
{
    printf("\nfull gates, percent: sigmoid > %g / < %g, tanh > %g / < %g\n", m->high, m->low,
           m->flat, -m->flat);
    for (int k = 0; k < NETWORKS; k++) {
        printf("%-20s", n[k].label);
        for (int g = 0; g < m[k].ngates; g++)
            printf("  %s %.0f/%.0f", m[k].gate[g].name, 100 * mean(m[k].gate[g].high),
                   100 * mean(m[k].gate[g].low));
        printf("\n");
    }
}

/* ---- files ----------------------------------------------------------------------------------- */

/* save -- text to folder/microscope[_name].ending. */
static int save(char *text, const char *folder, const char *name, const char *ending)
{
    char path[512];
    snprintf(path, sizeof path, "%s/microscope%s%s.%s", folder, name[0] ? "_" : "", name, ending);
    FILE *file = text ? fopen(path, "w") : NULL;
    int bad = !file || fputs(text, file) < 0;
    bad |= file && fclose(file) != 0;
    if (bad)
        fprintf(stderr, "%s: %s\n", path, text ? "cannot be written" : "no memory");
    else
        printf("wrote %s\n", path);
    tl_string_free(text);
    return bad;
}

static int save_all(const network *n, const tl_microscope *m, const char *folder)
{
    const tl_microscope *all[NETWORKS];
    for (int k = 0; k < NETWORKS; k++)
        all[k] = &m[k];
    int bad = save(tl_microscope_compare_svg(NETWORKS, all, NULL), folder, "", "svg");
    for (int k = 0; k < NETWORKS; k++) {
        bad |= save(tl_microscope_svg(&m[k]), folder, n[k].file, "svg");
        bad |= save(tl_microscope_csv(&m[k]), folder, n[k].file, "csv");
    }
    return bad;
}

int main(int argc, char **argv)
{
    static double x[T * B * I];
    static network n[NETWORKS];
    static tl_microscope m[NETWORKS];
    int bad = 0;
    inputs(x);
    networks_make(n);
    for (int k = 0; k < NETWORKS && !bad; k++) {
        tl_err err = {0};
        bad = look(&n[k].cell, x, &m[k], &err) != TL_OK;
        if (bad)
            fprintf(stderr, "%s: %s\n", n[k].label, err.message);
    }
    if (!bad) {
        printf("T %d, B %d, I %d, H %d; the loss is the sum of the last output\n\n", T, B, I, H);
        print_gradients(n, m);
        print_gates(n, m);
        if (argc > 1)
            bad = save_all(n, m, argv[1]);
        /* each forget bias brings more of the gradient to the first step */
        bad |= !(left(&m[2]) > 1e6 * left(&m[1]) && left(&m[3]) > 1e3 * left(&m[2]));
        bad |= !(left(&m[5]) > 1e6 * left(&m[4]));
    }
    for (int k = 0; k < NETWORKS; k++)
        tl_microscope_free(&m[k]);
    return bad;
}
