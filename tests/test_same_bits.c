/* test_same_bits.c -- a whole training run, twice: the parameters must have the same bits whatever
 * the number of loader threads, whether somebody looks at values on the way, and whether the run
 * was stopped, saved, loaded by another process and continued. */
#include "tapeloop.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { B = 4, T = 6, E = 5, H = 7, STEPS = 9, MOST = 4096 };

static const char TEXT[] = "In the beginning God created the heaven and the earth. And the earth "
                           "was without form, and void; and darkness was upon the "
                           "face of the deep. And the Spirit of God moved upon the face of the "
                           "waters. And God said, Let there be light: and there "
                           "was light. And God saw the light, that it was good: and God divided "
                           "the light from the darkness. And God called the "
                           "light Day, and the darkness he called Night. And the evening and the "
                           "morning were the first day.";

/* run -- everything a training program owns. */
typedef struct run {
    tl_text *text;
    tl_batches *batches;
    tl_loader *loader;
    tl_params *set;
    tl_embedding_layer *embedding;
    tl_sequence *lstm;
    tl_linear_layer *output;
    tl_sequence_memory *memory;
    tl_optim *adam;
    tl_tape *tape;
} run;

static run run_new(int workers, tl_place start)
{
    run r = {0};
    tl_err err = {0};
    r.text = tl_text_new(TEXT, sizeof TEXT - 1, NULL, NULL, &err);
    cr_assert_not_null(r.text, "%s", err.message);
    tl_stream_opts so = tl_stream_defaults();
    so.batch = B;
    so.steps = T;
    r.batches = tl_batches_of_stream(tl_text_stream(r.text), &so, &err);
    cr_assert_not_null(r.batches, "%s", err.message);
    tl_loader_opts lo = tl_loader_defaults();
    lo.workers = workers;
    lo.start = start;
    r.loader = tl_loader_new(r.batches, &lo, &err);
    cr_assert_not_null(r.loader, "%s", err.message);

    int64_t V = tl_vocab_size(tl_text_vocab(r.text));
    tl_sequence_opts sq = tl_sequence_defaults();
    sq.layers = 2;
    sq.dropout = 0.25;
    sq.seed = 11;
    tl_cell lstm = tl_lstm_cell(NULL);
    r.set = tl_params_new(TL_F32);
    r.embedding = tl_embedding_layer_new(r.set, "embedding", V, E, NULL, &err);
    r.lstm = tl_sequence_new(r.set, "lstm", &lstm, E, H, &sq, &err);
    r.output = tl_linear_layer_new(r.set, "output", H, V, NULL, &err);
    r.memory = tl_sequence_memory_new(r.lstm, B, &err);
    tl_adam_opts ao = tl_adam_defaults();
    ao.lr = 0.01;
    r.adam = tl_adam_new(r.set, &ao, &err);
    cr_assert(r.embedding && r.lstm && r.output && r.memory && r.adam, "%s", err.message);
    tl_tape_opts to = tl_tape_defaults();
    to.seed = 42;
    r.tape = tl_tape_new(&to);
    return r;
}

static void run_free(run r)
{
    tl_tape_free(r.tape);
    tl_optim_free(r.adam);
    tl_sequence_memory_free(r.memory);
    tl_linear_layer_free(r.output);
    tl_sequence_free(r.lstm);
    tl_embedding_layer_free(r.embedding);
    tl_params_free(r.set);
    tl_loader_free(r.loader);
    tl_batches_free(r.batches);
    tl_text_free(r.text);
}

static void train(run *r, int steps, int look)
{
    for (int k = 0; k < steps; k++) {
        const tl_batch *batch;
        tl_err err = {0};
        cr_assert_eq(tl_loader_next(r->loader, &batch, &err), TL_OK, "%s", err.message);
        if (batch->place.index == 0)
            tl_sequence_memory_zero(r->memory);
        tl_tensor x = tl_array_input(r->tape, &batch->x), y = tl_array_input(r->tape, &batch->y);
        tl_sequence_args args = tl_sequence_args_defaults();
        args.memory = r->memory;
        tl_tensor in = tl_embedding_layer_apply(r->embedding, x);
        tl_sequence_out out = tl_sequence_apply(r->lstm, in, &args);
        tl_tensor loss = tl_cross_entropy(tl_linear_layer_apply(r->output, out.y), y, -1);
        if (look) { /* values, a tape, a gradient: nothing of it may leave a trace */
            cr_assert(isfinite(tl_item(loss)));
            char *text = tl_tensor_text(out.y);
            tl_string_free(text);
            text = tl_tape_text(r->tape, NULL);
            tl_string_free(text);
            tl_tensor g;
            cr_assert_eq(tl_grad(1, &loss, NULL, 1, &in, &g), TL_OK);
            cr_assert_eq(tl_eval(1, &g), TL_OK);
        }
        cr_assert_eq(tl_backward(loss), TL_OK);
        tl_tensor norm = tl_clip_grad_norm(r->tape, r->set, 0.5);
        cr_assert_eq(tl_optim_step(r->adam, r->tape), TL_OK, "%s", tl_tape_error(r->tape));
        if (look)
            cr_assert(isfinite(tl_item(norm)));
        cr_assert_eq(tl_tape_reset(r->tape), TL_OK);
    }
}

/* digest -- all parameters, one after the other. */
static int64_t digest(const run *r, float *out)
{
    int64_t n = 0;
    for (int i = 0; i < tl_params_count(r->set); i++) {
        tl_param *p = tl_params_at(r->set, i);
        int64_t count = tl_shape_count(tl_param_shape(p));
        cr_assert_leq(n + count, MOST);
        cr_assert_eq(tl_param_get_f32(p, out + n, count), TL_OK);
        n += count;
    }
    return n;
}

static int64_t whole_run(int workers, int look, float *out)
{
    const tl_place start = {5, 0, 0};
    run r = run_new(workers, start);
    train(&r, STEPS, look);
    int64_t n = digest(&r, out);
    run_free(r);
    return n;
}

static float one[MOST], two[MOST];

Test(same_bits, any_number_of_workers)
{
    int64_t n = whole_run(0, 0, one);
    cr_assert(n > 500);
    const int workers[] = {0, 1, 4};
    for (int k = 0; k < 3; k++) {
        cr_assert_eq(whole_run(workers[k], 0, two), n);
        cr_assert_eq(memcmp(one, two, (size_t)n * sizeof *one), 0, "%d workers", workers[k]);
    }
}

Test(same_bits, with_and_without_looking)
{
    int64_t n = whole_run(0, 0, one);
    whole_run(0, 1, two);
    cr_assert_eq(memcmp(one, two, (size_t)n * sizeof *one), 0);
}

Test(same_bits, stopped_saved_loaded_and_continued)
{
    int64_t n = whole_run(1, 0, one);
    char path[] = "/tmp/tapeloop_same_bits_XXXXXX";
    int file = mkstemp(path);
    cr_assert_geq(file, 0);
    close(file);
    tl_err err = {0};
    for (int stop = 1; stop < STEPS; stop += 3) {
        const tl_place start = {5, 0, 0};
        run r = run_new(1, start);
        train(&r, stop, 0);
        tl_weights_part parts[4] = {{"", r.set, NULL},
                                    {"adam.", tl_optim_state(r.adam), NULL},
                                    {"memory.h", NULL, tl_sequence_memory_state(r.memory, 0)},
                                    {"memory.c", NULL, tl_sequence_memory_state(r.memory, 1)}};
        tl_meta *meta = tl_meta_new();
        tl_meta_set_u64(meta, "draws", tl_draws(r.tape));
        tl_place_save(tl_loader_place(r.loader), meta, "place");
        cr_assert_eq(tl_weights_save(path, 4, parts, meta, &err), TL_OK, "%s", err.message);
        tl_meta_free(meta);
        run_free(r);

        meta = tl_meta_new();
        cr_assert_eq(tl_weights_meta(path, meta, &err), TL_OK, "%s", err.message);
        tl_place place;
        uint64_t draws;
        cr_assert_eq(tl_place_load(&place, meta, "place", &err), TL_OK, "%s", err.message);
        cr_assert_eq(tl_meta_get_u64(meta, "draws", &draws, &err), TL_OK, "%s", err.message);
        run s = run_new(0, place);
        tl_set_draws(s.tape, draws);
        tl_weights_part again[4] = {{"", s.set, NULL},
                                    {"adam.", tl_optim_state(s.adam), NULL},
                                    {"memory.h", NULL, tl_sequence_memory_state(s.memory, 0)},
                                    {"memory.c", NULL, tl_sequence_memory_state(s.memory, 1)}};
        cr_assert_eq(tl_weights_load(path, 4, again, NULL, NULL, NULL, &err), TL_OK, "%s",
                     err.message);
        train(&s, STEPS - stop, 0);
        digest(&s, two);
        cr_assert_eq(memcmp(one, two, (size_t)n * sizeof *one), 0, "stopped after %d steps", stop);
        tl_meta_free(meta);
        run_free(s);
    }
    unlink(path);
}
