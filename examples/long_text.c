/* long_text.c -- backpropagation through a million steps in 64 MB, text and weights included.
 *
 * A character model as one scan over the whole text: tokens are looked up, the LSTM steps, logits
 * and losses are computed and summed inside the loop, so nothing of the model has T rows. The
 * gradient reads what every step computed, some 3 KB of it; the scan's budget says how much of that
 * may lie in memory at once, the rest is computed again (core/scan.h).
 *
 *     1. T = 2000 without a budget and with several: loss and gradients have the same bits
 *     2. T = 1000, 16 texts side by side: memory against time
 *     3. T = 1000000: steps of Adam
 *
 *     long_text [T of the last part, 1000000] [file]
 *
 * Without a file the text is made up. Memory is what the library has allocated at most, the text and
 * the weights included. Returns 1 if a bit differs or if the last part takes more than 64 MB. */
#include <tapeloop.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { V = 73, H = 64, MB = 1 << 20, MOST = 100000 };

/* ---- memory and time ------------------------------------------------------------------------- */

static size_t now_bytes, most_bytes;

/* counted -- malloc, realloc and free, counting. One thread allocates at a time here. */
static void *counted(void *user, void *memory, size_t size)
{
    enum { HEAD = 64 };
    char *block = memory ? (char *)memory - HEAD : NULL;
    size_t before = 0;
    (void)user;
    if (block)
        memcpy(&before, block, sizeof before);
    char *to = NULL;
    if (size == 0)
        free(block);
    else if (!(to = realloc(block, size + HEAD)))
        return NULL;
    else
        memcpy(to, &size, sizeof size);
    now_bytes += size - before;
    most_bytes = now_bytes > most_bytes ? now_bytes : most_bytes;
    return to ? to + HEAD : NULL;
}

static double seconds(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- the model ------------------------------------------------------------------------------- */

typedef struct model {
    tl_params *params;
    tl_embedding_layer *embedding;
    tl_cell cell;
    tl_sequence *lstm; /* whose parameters the step uses */
    tl_linear_layer *output;
    tl_optim *adam;
} model;

static int model_open(model *m, tl_err *err)
{
    tl_adam_opts o = tl_adam_defaults();
    o.lr = 0.002;
    *m = (model){.params = tl_params_new(TL_F32), .cell = tl_lstm_cell(NULL)};
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
}

/* loss_of -- mean cross-entropy of the next symbol, in nats; ids [T+1,B]. */
static tl_tensor loss_of(const model *m, tl_tape *tape, const int32_t *ids, int64_t T, int64_t B,
                         int64_t budget)
{
    const tl_tensor x = tl_input_i32(tape, tl_shape2(T, B), ids),
                    y = tl_input_i32(tape, tl_shape2(T, B), ids + B),
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
                    loss = tl_cross_entropy(tl_linear_layer_apply(m->output, out),
                                            tl_scan_each(s, y), -1);
    tl_scan_next(s, h, state[0]);
    tl_scan_next(s, c, state[1]);
    tl_scan_close(s);
    return tl_scale(tl_scan_summed(s, loss), 1.0 / (double)T);
}

/* train -- `steps` steps of Adam over the whole text; prints each if
 * `shows`. Returns the seconds of the last one, negative after an error. */
static double train(const model *m, tl_tape *tape, const int32_t *ids, int64_t T, int64_t B,
                    int64_t budget, int steps, int shows)
{
    double took = 0;
    for (int k = 0; k < steps; k++) {
        const double start = seconds();
        double value = 0;
        tl_state *kept = tl_state_new(TL_F32, tl_shape0());
        const tl_tensor loss = loss_of(m, tape, ids, T, B, budget);
        tl_keep(kept, loss);
        tl_backward(loss);
        const int code = tl_optim_step(m->adam, tape);
        if (code == TL_OK)
            tl_state_get_f64(kept, &value, 1);
        else
            printf("%s\n", tl_tape_error(tape));
        tl_tape_reset(tape);
        tl_state_free(kept);
        if (code != TL_OK)
            return -1;
        took = seconds() - start;
        if (shows)
            printf("  step %d: %.5f nats a symbol, %.1f s, %.1f MB at most\n", k, value, took,
                   (double)most_bytes / MB);
    }
    return took;
}

/* ---- the parts ------------------------------------------------------------------------------- */

/* gradient -- the bits of loss and gradients in one array; how many, 0 after an error. */
static int64_t gradient(const model *m, const int32_t *ids, int64_t T, int64_t budget, double *out)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_state *kept = tl_state_new(TL_F32, tl_shape0());
    int64_t n = 1;
    const tl_tensor loss = loss_of(m, tape, ids, T, 1, budget);
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

static int same_bits(const model *m, const int32_t *ids)
{
    static double want[MOST], got[MOST];
    static const double budget[] = {1.5, 2, 3, 5};
    const int64_t n = gradient(m, ids, 2000, 0, want);
    int same = n > 0;
    for (int k = 0; k < 4 && same; k++)
        same = gradient(m, ids, 2000, (int64_t)(budget[k] * MB), got) == n &&
               memcmp(got, want, (size_t)n * sizeof *want) == 0;
    printf("T = 2000, budgets of 1.5 to 5 MB: loss and %lld gradients %s\n", (long long)n - 1,
           same ? "have the bits of the run without" : "DIFFER");
    return same;
}

/* table -- memory against time, beside the run without a budget. */
static int table(const model *m, const int32_t *ids)
{
    enum { STEPS = 1000, B = 16 };
    static const double share[] = {0, 0.5, 0.25, 0.15, 0.1, 0.07, 0.05, 0.04};
    const int n = sizeof share / sizeof *share;
    double all = 0, took = 0;
    printf("\nT = %d, %d texts side by side\n   budget MB   memory MB   less by   time ms   longer "
           "by\n",
           STEPS, B);
    for (int k = 0; k < n; k++) {
        tl_tape *tape = tl_tape_new(NULL);
        const size_t before = now_bytes;
        const double budget = share[k] * all;
        double best = 1e9;
        most_bytes = now_bytes;
        for (int turn = 0; turn < 7; turn++) {
            const double t = train(m, tape, ids, STEPS, B, (int64_t)(budget * MB), 1, 0);
            if (t < 0)
                return 0;
            best = t < best ? t : best;
        }
        const double memory = (double)(most_bytes - before) / MB;
        all = k ? all : memory;
        took = k ? took : best;
        printf("   %9.2f   %9.2f   %6.0f%%   %7.1f   %8.0f%%\n", budget, memory,
               100 * (1 - memory / all), 1e3 * best, 100 * (best / took - 1));
        tl_tape_free(tape);
    }
    return 1;
}

/* ids_make -- n symbols below V: those of a file, byte by byte, again from its start when it ends;
 * else words that follow one another by a rule with exceptions. */
static int32_t *ids_make(int64_t n, const char *file)
{
    int32_t *ids = malloc((size_t)n * sizeof *ids);
    FILE *f = file ? fopen(file, "rb") : NULL;
    unsigned seed = 1, word = 0;
    for (int64_t k = 0; ids && k < n; k++) {
        if (f) {
            int c = fgetc(f);
            if (c == EOF) {
                rewind(f);
                c = fgetc(f);
            }
            ids[k] = c % V;
            continue;
        }
        seed = seed * 1664525u + 1013904223u;
        if (k % 6 == 0)
            word = seed >> 28 ? word * 5 % 97 + 1 : seed >> 20 & 63;
        ids[k] = (int32_t)((word * 7 + (unsigned)(k % 6) * 11) % V);
    }
    if (f)
        fclose(f);
    return ids;
}

int main(int argc, char **argv)
{
    const int64_t T = argc > 1 ? strtoll(argv[1], NULL, 10) : 1000000, budget = 48 * MB;
    const int64_t symbols = T + 1 > 20000 ? T + 1 : 20000;
    model m;
    tl_err err = {0};
    tl_set_allocator(counted, NULL);
    int32_t *ids = ids_make(symbols, argc > 2 ? argv[2] : NULL);
    if (!ids || !model_open(&m, &err))
        return printf("%s\n", ids ? err.message : "no memory"), 1;
    int good = same_bits(&m, ids) && table(&m, ids);
    tl_tape *tape = tl_tape_new(NULL);
    printf("\nT = %lld in one scan, a budget of %d MB\n", (long long)T, (int)(budget / MB));
    most_bytes = now_bytes;
    good = good && train(&m, tape, ids, T, 1, budget, 3, 1) >= 0;
    good = good && most_bytes < (size_t)64 * MB;
    tl_tape_free(tape);
    model_close(&m);
    free(ids);
    return !good;
}
