/* gru_vs_lstm.c -- a plain RNN, a GRU and an LSTM of equal size learn the same text.
 *
 *     gru_vs_lstm --csv=out/curves.csv --svg=out/curves.svg text.txt
 *
 * Equal means: the same number of parameters (hidden sizes differ), the same batches in the same
 * order, the same optimizer, the same number of steps. Each model reads B rows of the text side by
 * side, T characters at a time, keeps its state from one stretch to the next and cuts the gradient
 * there (truncated backpropagation through time). The measure is bits per character of text that no
 * training has seen.
 *
 * Reading order: train, then charmodel.c. */
#include "charmodel.h"
#include "checkpoint.h"
#include "curves.h"
#include "options.h"
#include "progress.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* run -- one cell's training: what goes in, what comes out. */
typedef struct run {
    const options *o;
    const tl_text *text;
    tl_stream train, valid;
    tl_stream_opts stream; /* B and T */
    const char *cell;
    charmodel_sizes sizes;
    charmodel model;
    int64_t parameters;
    int64_t first;  /* step that this run began with; not 0 after --load */
    int64_t steps;  /* done */
    int trained;    /* to the end, or as far as Ctrl-C and the limits let it */
    double seconds; /* of training, without evaluation */
    curve curve;
} run;

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

/* catch_interrupt -- the first Ctrl-C asks for the results so far, a second one ends the program.
 */
static void catch_interrupt(void)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

static int complain(const char *what, const tl_err *err)
{
    fprintf(stderr, "gru_vs_lstm: %s: %s\n", what,
            err->message[0] ? err->message : tl_strerror(err->code));
    return -1;
}

static int diverged(const char *what)
{
    const tl_err err = {0, "the loss is no finite number; a lower --rate may help"};
    return complain(what, &err);
}

/* learning_rate -- up for the first twentieth of the way, then down along a cosine to a tenth. */
static double learning_rate(const options *o, int64_t step)
{
    return tl_schedule_cosine(step, o->rate, o->steps / 20, o->steps, o->rate / 10);
}

/* train_step -- forward, backward, clip, step: one stretch of T characters in B rows. Returns bits
 * per character, NaN after an error. */
static double train_step(run *r, tl_tape *tape, tl_optim *adam, tl_sequence_memory *memory,
                         const tl_batch *batch)
{
    if (batch->place.index == 0)
        tl_sequence_memory_zero(memory);
    tl_tensor x = tl_array_borrow(tape, &batch->x); /* [T,B] */
    tl_tensor y = tl_array_borrow(tape, &batch->y); /* [T,B], the characters that follow */
    tl_tensor loss = charmodel_loss(&r->model, x, y, memory);
    tl_backward(loss);
    tl_clip_grad_norm(tape, r->model.params, r->o->clip);
    tl_optim_set_lr(adam, learning_rate(r->o, r->steps));
    if (tl_optim_step(adam, tape) != TL_OK)
        return (double)NAN;
    return tl_item(loss) / M_LN2;
}

/* characters -- trained on in this run. */
static int64_t characters(const run *r)
{
    return (r->steps - r->first) * r->o->batch * r->o->length;
}

/* measure -- a point of the learning curve; `bits` is the training text's, NaN at the start. */
static int measure(run *r, progress *bar, double bits, int with_valid)
{
    tl_err err = {0};
    curve_point point = {.step = r->steps,
                         .characters = characters(r),
                         .seconds = r->seconds,
                         .train = bits,
                         .valid = (double)NAN};
    if (with_valid) {
        progress_pause(bar);
        if (charmodel_evaluate(&r->model, r->valid, &r->stream, &point.valid, &err) != TL_OK)
            return complain("evaluation", &err);
        if (!isfinite(point.valid))
            return diverged("evaluation");
        progress_resume(bar);
        progress_line(bar, "%-5s step %5lld  held-out text: %.3f bits/char", r->cell,
                      (long long)r->steps, point.valid);
    }
    if (curve_add(&r->curve, point) != 0)
        return complain("learning curve", &(tl_err){.code = TL_ENOMEM});
    return 0;
}

/* train_loop -- all steps; a curve point every hundredth, an evaluation every tenth of the way and
 * at the end. */
static int train_loop(run *r, tl_tape *tape, tl_optim *adam, tl_sequence_memory *memory,
                      tl_loader *loader)
{
    const options *o = r->o;
    const int64_t every = o->steps < 100 ? 1 : o->steps / 100;
    const int64_t evaluate = o->steps < 10 ? 1 : o->steps / 10;
    double sum = 0, bits = (double)NAN; /* sum over the steps since the last curve point */
    int64_t summed = 0;
    progress bar;
    progress_open(&bar, r->cell, r->first, o->steps, o->seconds);
    if (measure(r, &bar, bits, 1) != 0)
        return -1;
    int stop = 0;
    while (!stop && r->steps < o->steps) {
        tl_err err = {0};
        const tl_batch *batch;
        if (tl_loader_next(loader, &batch, &err) != TL_OK)
            return complain("reading", &err);
        double now = train_step(r, tape, adam, memory, batch);
        if (!isfinite(now) && tl_tape_status(tape) == TL_OK)
            return diverged("training");
        if (!isfinite(now)) {
            snprintf(err.message, sizeof err.message, "%s", tl_tape_error(tape));
            return complain("training", &err);
        }
        tl_tape_reset(tape);
        r->steps++;
        r->seconds = progress_seconds(&bar);
        sum += now;
        summed++;
        stop = interrupted || r->steps == o->steps || (o->seconds > 0 && r->seconds >= o->seconds);
        if (stop || r->steps % every == 0) {
            bits = sum / (double)summed;
            if (measure(r, &bar, bits, stop || r->steps % evaluate == 0) != 0)
                return -1;
            sum = 0, summed = 0;
        }
        progress_show(&bar, r->steps, isnan(bits) ? now : bits, characters(r));
    }
    if (r->steps > r->first)
        progress_close(&bar, r->steps, bits, characters(r));
    return 0;
}

/* name_curve -- what the legend says about this run. */
static void name_curve(run *r)
{
    r->parameters = tl_params_elements(r->model.params);
    snprintf(r->curve.name, sizeof r->curve.name, "%s", r->cell);
    snprintf(r->curve.label, sizeof r->curve.label, "%s, %lld units, %lld parameters", r->cell,
             (long long)r->sizes.H, (long long)r->parameters);
}

/* restore, keep -- --load and --save: PREFIX-CELL.safetensors. */
static int restore(run *r, tl_loader *loader, checkpoint *c)
{
    char path[4096];
    tl_err err = {0};
    snprintf(path, sizeof path, "%s-%s.safetensors", r->o->load, r->cell);
    if (checkpoint_load(c, path, &err) != TL_OK || tl_loader_seek(loader, c->place, &err) != TL_OK)
        return complain("loading", &err);
    r->steps = r->first = c->steps;
    return 0;
}

static int keep(const run *r, const tl_loader *loader, checkpoint *c)
{
    char path[4096];
    tl_err err = {0};
    snprintf(path, sizeof path, "%s-%s.safetensors", r->o->save, r->cell);
    c->steps = r->steps;
    c->place = tl_loader_place(loader);
    if (checkpoint_save(c, path, &err) != TL_OK)
        return complain("saving", &err);
    printf("saved: %s\n", path);
    return 0;
}

/* train -- makes everything that training needs, trains, frees it. The model stays. */
static int train(run *r)
{
    const options *o = r->o;
    tl_err err = {0};
    tl_loader_opts loader_opts = tl_loader_defaults();
    loader_opts.workers = o->workers;
    tl_cell cell = charmodel_cell(r->cell);
    if (charmodel_open(&r->model, &cell, r->sizes, o->seed, &err) != TL_OK)
        return complain(r->cell, &err);
    name_curve(r);

    tl_tape *tape = tl_tape_new(NULL);
    tl_optim *adam = tl_adam_new(r->model.params, NULL, &err);
    tl_sequence_memory *memory = tl_sequence_memory_new(r->model.sequence, o->batch, &err);
    tl_batches *batches = tl_batches_of_stream(r->train, &r->stream, &err);
    tl_loader *loader = batches ? tl_loader_new(batches, &loader_opts, &err) : NULL;
    checkpoint c = {&r->model, adam, memory, tl_text_vocab(r->text), 0, {0}};
    int code = tape && adam && memory && loader ? 0 : complain(r->cell, &err);
    if (code == 0 && o->load)
        code = restore(r, loader, &c);
    if (code == 0)
        code = train_loop(r, tape, adam, memory, loader);
    r->trained = code == 0;
    if (code == 0 && o->save)
        code = keep(r, loader, &c);
    tl_loader_free(loader);
    tl_batches_free(batches);
    tl_sequence_memory_free(memory);
    tl_optim_free(adam);
    tl_tape_free(tape);
    return code;
}

/* show_sample -- generated text, beginning after the symbol that the held-out text begins with. */
static int show_sample(run *r)
{
    const options *o = r->o;
    int64_t n = o->sample;
    tl_err err = {0};
    int32_t *ids = malloc((size_t)(n + 1) * sizeof *ids);
    char *text = malloc((size_t)(4 * n + 1)); /* UTF-8 takes at most 4 bytes */
    int code = !ids || !text ? complain("sample", &(tl_err){.code = TL_ENOMEM}) : 0;
    if (code == 0 && charmodel_sample(&r->model, r->valid.ids[0], o->temperature, o->seed, n, ids,
                                      &err) != TL_OK)
        code = complain("sample", &err);
    if (code == 0) {
        tl_vocab_decode(tl_text_vocab(r->text), n, ids, text, (size_t)(4 * n + 1));
        printf("\n---- %s writes:\n%s\n", r->cell, text);
    }
    free(text);
    free(ids);
    return code;
}

/* number_text -- a number with three digits behind the point, "-" for one that was not measured. */
static const char *number_text(double x, char text[32])
{
    snprintf(text, 32, "%.3f", x);
    return isnan(x) ? "-" : text;
}

static void show_table(int n, const run *runs)
{
    printf("\n%-5s %6s %11s %6s %8s %8s %12s %15s\n", "cell", "units", "parameters", "steps",
           "seconds", "chars/s", "train bits", "held-out bits");
    for (int k = 0; k < n; k++) {
        const run *r = &runs[k];
        char train_bits[32], valid_bits[32];
        if (!r->trained)
            continue;
        const curve_point *last = &r->curve.points[r->curve.count - 1];
        printf("%-5s %6lld %11lld %6lld %8.1f %8.0f %12s %15s\n", r->cell, (long long)r->sizes.H,
               (long long)r->parameters, (long long)r->steps, r->seconds,
               r->seconds > 0 ? (double)last->characters / r->seconds : 0,
               number_text(last->train, train_bits),
               number_text(curve_last_valid(&r->curve), valid_bits));
    }
    printf("bits per character; held-out: the last %lld characters of the text\n",
           (long long)runs[0].valid.count);
}

static int write_files(const options *o, int n, const run *runs)
{
    const char *name = strrchr(o->text, '/') ? strrchr(o->text, '/') + 1 : o->text;
    char title[200];
    int code = 0;
    curve curves[MAX_CELLS];
    for (int k = 0; k < n; k++)
        curves[k] = runs[k].curve;
    snprintf(title, sizeof title, "Predicting the next character of %.100s", name);
    if (o->csv) {
        if (curves_csv(o->csv, n, curves) == 0)
            printf("numbers: %s\n", o->csv);
        else
            perror(o->csv), code = -1;
    }
    if (o->svg) {
        if (curves_svg(o->svg, title, n, curves) == 0)
            printf("picture: %s\n", o->svg);
        else
            perror(o->svg), code = -1;
    }
    return code;
}

/* can_write -- whether path (NULL: nothing) can be opened: better known before training. */
static int can_write(const char *path)
{
    FILE *file = path ? fopen(path, "a") : NULL;
    if (path && !file)
        perror(path);
    if (file)
        fclose(file);
    return !path || file;
}

/* split -- training text first, then the last `valid` symbols held out. */
static int split(const options *o, const tl_text *text, tl_stream *train, tl_stream *valid)
{
    tl_stream all = tl_text_stream(text);
    if (all.count < o->valid + o->batch * (o->length + 1)) {
        fprintf(stderr,
                "gru_vs_lstm: %s has %lld characters: too few to hold out %lld and train on %lld "
                "rows of %lld\n",
                o->text, (long long)all.count, (long long)o->valid, (long long)o->batch,
                (long long)o->length);
        return -1;
    }
    *train = (tl_stream){all.ids, all.count - o->valid};
    *valid = (tl_stream){all.ids + train->count, o->valid};
    return 0;
}

/* run_all -- trains the cells one after the other; after Ctrl-C or a failure the rest are left
 * out. What has been trained is shown in every case. */
static int run_all(const options *o, const tl_text *text, run *runs)
{
    tl_stream train_text, valid_text;
    if (split(o, text, &train_text, &valid_text) != 0)
        return -1;
    charmodel_sizes sizes = {tl_vocab_size(tl_text_vocab(text)), o->embed, o->hidden, o->layers};
    tl_cell lstm = charmodel_cell("lstm");
    int64_t target = charmodel_count(&lstm, sizes);
    printf("%s: %lld characters, %lld different ones; %lld held out\n", o->text,
           (long long)(train_text.count + valid_text.count), (long long)sizes.V,
           (long long)valid_text.count);
    printf("%lld steps of %lld rows x %lld characters for each cell\n", (long long)o->steps,
           (long long)o->batch, (long long)o->length);
    int n = 0, code = 0;
    while (n < o->ncells && !interrupted && code == 0) {
        run *r = &runs[n];
        *r = (run){.o = o,
                   .text = text,
                   .train = train_text,
                   .valid = valid_text,
                   .cell = o->cells[n],
                   .sizes = sizes};
        r->stream = tl_stream_defaults();
        r->stream.batch = o->batch;
        r->stream.steps = o->length;
        tl_cell cell = charmodel_cell(r->cell);
        r->sizes.H = charmodel_units(&cell, sizes, target);
        n++;
        code = train(r);
    }
    if (interrupted)
        printf("\ninterrupted: the results so far\n");
    for (int k = 0; k < n && o->sample > 0; k++)
        if (runs[k].trained && show_sample(&runs[k]) != 0)
            code = -1;
    if (runs[0].trained) {
        show_table(n, runs);
        code |= write_files(o, n, runs);
    }
    return code;
}

int main(int argc, char **argv)
{
    options o = options_parse(argc, argv);
    tl_err err = {0};
    tl_set_on_error("print");
    setvbuf(stdout, NULL, _IOLBF, 0); /* in order with stderr, also in a file */
    tl_text *text = tl_text_load(o.text, NULL, NULL, &err);
    if (!text) {
        complain("text", &err);
        return 1;
    }
    catch_interrupt();
    run runs[MAX_CELLS] = {{0}};
    int code = can_write(o.csv) && can_write(o.svg) ? run_all(&o, text, runs) : -1;
    for (int k = 0; k < MAX_CELLS; k++) {
        curve_close(&runs[k].curve);
        charmodel_close(&runs[k].model);
    }
    tl_text_free(text);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "gru_vs_lstm: not all could be written to the standard output\n");
        return 1;
    }
    return code == 0 ? 0 : 1;
}
