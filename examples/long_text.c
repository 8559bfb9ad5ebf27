/* long_text.c -- backpropagation through a million steps in 64 MB, text and weights included.
 *
 * A character model as one scan over the whole text: tokens are looked up, the LSTM steps, logits
 * and losses are computed and summed inside the loop (in double precision: a million of them), so
 * nothing of the model has T rows. The gradient reads what every step computed, some 3 KB of it; the
 * scan's budget says how much of that may lie in memory at once, the rest is computed again
 * (core/scan.h).
 *
 *     1. T = 2000 without a budget and with several: loss and gradients have the same bits
 *     2. T = 1000, B = 16: memory against time
 *     3. T = 1000000, B = 1: steps of Adam
 *
 *     long_text [file [T of the last part, 1000000 [steps, 3]]]
 *
 * Without a file, or with "-", the text is made up. Memory is what the library has allocated at most,
 * the text and the weights included. Returns 1 if a bit differs, if the loss does not fall or if the
 * last part takes more than 64 MB. */
#include "counting.h"

#include <tapeloop.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { H = 64, MB = 1 << 20, BUDGET = 48 * MB, LEAST = 20000, MOST = 200000 };

static double seconds(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- the model ------------------------------------------------------------------------------- */

typedef struct model {
    tl_text *text;
    const int32_t *ids;
    tl_params *params;
    tl_embedding_layer *embedding;
    tl_cell cell;
    tl_sequence *lstm; /* whose parameters the step uses */
    tl_linear_layer *output;
    tl_optim *adam;
} model;

/* text_open -- n symbols: the first bytes of a file; without one, words that follow one another by a
 * rule with exceptions. */
static tl_text *text_open(const char *file, size_t n, tl_err *err)
{
    const tl_vocab_opts bytes = {.symbols = TL_BYTES, .min_count = 1};
    char *symbol = malloc(n);
    size_t got = n;
    unsigned seed = 1, word = 0;
    tl_text *text = NULL;
    FILE *f = file ? fopen(file, "rb") : NULL;
    if (file && symbol)
        got = f ? fread(symbol, 1, n, f) : 0;
    for (size_t k = 0; symbol && !file && k < n; k++) {
        seed = seed * 1664525u + 1013904223u;
        if (k % 6 == 0)
            word = seed >> 28 ? word * 5 % 97 + 1 : seed >> 20 & 63;
        symbol[k] = (char)('0' + (word * 7 + (unsigned)(k % 6) * 11) % 73);
    }
    if (symbol && got < n)
        snprintf(err->message, sizeof err->message, "%s: got %zu bytes, want %zu", file, got, n);
    else if (symbol)
        text = tl_text_new(symbol, n, NULL, &bytes, err);
    if (f)
        fclose(f);
    free(symbol);
    return text;
}

static int model_open(model *m, const char *file, size_t symbols, tl_err *err)
{
    tl_adam_opts o = tl_adam_defaults();
    o.lr = 0.002;
    *m = (model){.cell = tl_lstm_cell(NULL)};
    m->text = text_open(file, symbols, err);
    if (!m->text)
        return 0;
    const int32_t V = tl_vocab_size(tl_text_vocab(m->text));
    m->ids = tl_text_stream(m->text).ids;
    m->params = tl_params_new(TL_F32);
    if (m->params)
        m->embedding = tl_embedding_layer_new(m->params, "embedding", V, H, NULL, err);
    if (m->embedding)
        m->lstm = tl_sequence_new(m->params, "lstm", &m->cell, H, H, NULL, err);
    if (m->lstm)
        m->output = tl_linear_layer_new(m->params, "output", H, V, NULL, err);
    if (m->output)
        m->adam = tl_adam_new(m->params, &o, err);
    return m->adam != NULL;
}

static void model_close(model *m)
{
    tl_optim_free(m->adam);
    tl_linear_layer_free(m->output);
    tl_sequence_free(m->lstm);
    tl_embedding_layer_free(m->embedding);
    tl_params_free(m->params);
    tl_text_free(m->text);
}

/* loss_of -- mean cross-entropy of the symbol that follows B symbols later, in nats. */
static tl_tensor loss_of(const model *m, tl_tape *tape, int64_t T, int64_t B, int64_t budget)
{
    const tl_tensor x = tl_input_i32(tape, tl_shape2(T, B), m->ids),
                    y = tl_input_i32(tape, tl_shape2(T, B), m->ids + B),
                    zero = tl_zeros(tape, TL_F32, tl_shape2(B, H));
    tl_tensor w[TL_CELL_PARAMS] = {{0}};
    for (int k = 0; k < m->cell.nparams; k++)
        w[k] = tl_use(tape, tl_sequence_param(m->lstm, 0, 0, k));
    tl_scan_opts o = tl_scan_defaults();
    o.budget = budget;
    tl_scan s = tl_scan_open(tape, T, &o);
    const tl_tensor h = tl_scan_carry(s, zero), c = tl_scan_carry(s, zero);
    tl_tensor state[2] = {h, c};
    const tl_tensor e = tl_embedding_layer_apply(m->embedding, tl_scan_each(s, x)),
                    out = m->cell.step(&m->cell, w, e, state, NULL),
                    each = tl_cross_entropy(tl_linear_layer_apply(m->output, out),
                                            tl_scan_each(s, y), -1),
                    loss = tl_cast(each, TL_F64);
    tl_scan_next(s, h, state[0]);
    tl_scan_next(s, c, state[1]);
    tl_scan_close(s);
    return tl_scale(tl_scan_summed(s, loss), 1.0 / (double)T);
}

/* train -- one step of Adam over T symbols of B columns. Returns the loss before it, negative after
 * an error; *took are the seconds. */
static double train(const model *m, tl_tape *tape, int64_t T, int64_t B, int64_t budget,
                    double *took)
{
    const double start = seconds();
    double value = -1;
    tl_state *kept = tl_state_new(TL_F64, tl_shape0());
    const tl_tensor loss = loss_of(m, tape, T, B, budget);
    tl_keep(kept, loss);
    tl_backward(loss);
    if (tl_optim_step(m->adam, tape) == TL_OK)
        tl_state_get_f64(kept, &value, 1);
    else
        printf("%s\n", tl_tape_error(tape));
    tl_tape_reset(tape);
    tl_state_free(kept);
    *took = seconds() - start;
    return value;
}

/* ---- the parts ------------------------------------------------------------------------------- */

/* gradient -- the bits of loss and gradients in one array; how many, 0 after an error. */
static int64_t gradient(const model *m, int64_t T, int64_t budget, double *out)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_state *kept = tl_state_new(TL_F64, tl_shape0());
    int64_t n = 1;
    const tl_tensor loss = loss_of(m, tape, T, 1, budget);
    tl_keep(kept, loss);
    tl_backward(loss);
    if (tl_commit(tape) != TL_OK) {
        printf("%s\n", tl_tape_error(tape));
        n = 0;
    }
    tl_state_get_f64(kept, out, 1);
    for (int k = 0; n && k < tl_params_count(m->params); k++) {
        tl_param *p = tl_params_at(m->params, k);
        const int64_t count = tl_shape_count(tl_param_shape(p));
        tl_param_grad_f64(p, out + n, count);
        tl_param_clear_grad(p);
        n += count;
    }
    tl_tape_free(tape);
    tl_state_free(kept);
    return n;
}

static int same_bits(const model *m)
{
    static double want[MOST], got[MOST];
    static const double budget[] = {1.5, 2, 3, 5};
    const int64_t n = gradient(m, 2000, 0, want);
    int same = n > 0;
    if (!same)
        return 0;
    for (int k = 0; k < 4 && same; k++)
        same = gradient(m, 2000, (int64_t)(budget[k] * MB), got) == n &&
               memcmp(got, want, (size_t)n * sizeof *want) == 0;
    printf("T = 2000, budgets of 1.5 to 5 MB: loss and %lld gradients %s\n", (long long)n - 1,
           same ? "have the bits of the run without" : "DIFFER");
    return same;
}

enum { STEPS = 1000, COLUMNS = 16, ROWS = 8, TURNS = 7 };

/* peak -- bytes that a training step takes at most beyond what was there before; 0 after an error. */
static size_t peak(const model *m, int64_t budget)
{
    tl_tape *tape = tl_tape_new(NULL);
    const size_t before = counting_now();
    double took;
    counting_reset();
    const double loss = train(m, tape, STEPS, COLUMNS, budget, &took);
    tl_tape_free(tape);
    return loss < 0 ? 0 : counting_most() - before;
}

/* table -- memory against time, beside the run without a budget. Times are the best of some turns
 * through all rows. */
static int table(const model *m)
{
    static const double share[ROWS] = {0, 0.5, 0.25, 0.15, 0.1, 0.07, 0.05, 0.04};
    double memory[ROWS] = {0}, best[ROWS], took;
    for (int k = 0; k < ROWS; k++) {
        memory[k] = (double)peak(m, (int64_t)(share[k] * memory[0]));
        best[k] = 1e9;
        if (memory[k] <= 0)
            return 0;
    }
    tl_tape *tape = tl_tape_new(NULL);
    for (int turn = 0; turn < TURNS; turn++)
        for (int k = 0; k < ROWS; k++) {
            train(m, tape, STEPS, COLUMNS, (int64_t)(share[k] * memory[0]), &took);
            best[k] = took < best[k] ? took : best[k];
        }
    tl_tape_free(tape);
    printf("\nT = %d, B = %d\n   budget MB   memory MB   less by   time ms   longer by\n", STEPS,
           COLUMNS);
    for (int k = 0; k < ROWS; k++)
        printf("   %9.2f   %9.2f   %6.0f%%   %7.1f   %8.0f%%\n", share[k] * memory[0] / MB,
               memory[k] / MB, 100 * (1 - memory[k] / memory[0]), 1e3 * best[k],
               100 * (best[k] / best[0] - 1));
    return 1;
}

/* long_loop -- steps of Adam through T symbols; whether the loss falls and 64 MB are enough. */
static int long_loop(const model *m, int64_t T, int steps)
{
    tl_tape *tape = tl_tape_new(NULL);
    double first = 0, last = 0, took = 0;
    printf("\nT = %lld in one scan, a budget of %d MB\n", (long long)T, BUDGET / MB);
    counting_reset();
    for (int k = 0; k < steps && last >= 0; k++) {
        last = train(m, tape, T, 1, BUDGET, &took);
        first = k ? first : last;
        printf("  step %d: %.5f nats a symbol, %.1f s, %.1f MB at most\n", k, last, took,
               (double)counting_most() / MB);
    }
    tl_tape_free(tape);
    return last >= 0 && (steps < 2 || last < first) && counting_most() < (size_t)64 * MB;
}

int main(int argc, char **argv)
{
    const char *file = argc > 1 && strcmp(argv[1], "-") != 0 ? argv[1] : NULL;
    const int64_t T = argc > 2 ? strtoll(argv[2], NULL, 10) : 1000000;
    const int steps = argc > 3 ? atoi(argv[3]) : 3;
    model m;
    tl_err err = {0};
    if (T < 3 || steps < 1)
        return printf("usage: long_text [file [T >= 3 [steps >= 1]]]\n"), 2;
    counting_start();
    int good = model_open(&m, file, (size_t)(T > LEAST ? T : LEAST) + 1, &err);
    if (!good)
        printf("%s\n", err.message);
    good = good && same_bits(&m) && table(&m) && long_loop(&m, T, steps);
    model_close(&m);
    return !good;
}
