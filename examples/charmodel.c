/* charmodel.c -- the character model of gru_vs_lstm. */
#include "charmodel.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

tl_cell charmodel_cell(const char *name)
{
    if (strcmp(name, "rnn") == 0)
        return tl_rnn_cell(NULL);
    if (strcmp(name, "gru") == 0)
        return tl_gru_cell(NULL);
    return tl_lstm_cell(NULL);
}

int64_t charmodel_count(const tl_cell *cell, charmodel_sizes s)
{
    int64_t count = s.V * s.E + s.V * s.H + s.V; /* embedding, output layer */
    for (int layer = 0; layer < s.layers; layer++)
        for (int k = 0; k < cell->nparams; k++)
            count += tl_shape_count(tl_cell_param_shape(cell, k, layer ? s.H : s.E, s.H));
    return count;
}

int64_t charmodel_units(const tl_cell *cell, charmodel_sizes s, int64_t target)
{
    int64_t low = 1,
            high = 1; /* count(low) <= target < count(high), unless even one unit is too many */
    for (s.H = high; charmodel_count(cell, s) <= target; s.H = high *= 2)
        low = high;
    while (high - low > 1) {
        s.H = low + (high - low) / 2;
        if (charmodel_count(cell, s) <= target)
            low = s.H;
        else
            high = s.H;
    }
    s.H = low;
    int64_t below = target - charmodel_count(cell, s);
    s.H = high;
    int64_t above = charmodel_count(cell, s) - target;
    return below <= above ? low : high;
}

static int out_of_memory(tl_err *err)
{
    snprintf(err->message, sizeof err->message, "%s", tl_strerror(TL_ENOMEM));
    return err->code = TL_ENOMEM;
}

int charmodel_open(charmodel *m, const tl_cell *cell, charmodel_sizes s, uint64_t seed, tl_err *err)
{
    *m = (charmodel){.sizes = s, .params = tl_params_new(TL_F32)};
    if (!m->params)
        return out_of_memory(err);
    tl_embedding_opts embedding = tl_embedding_defaults();
    tl_sequence_opts sequence = tl_sequence_defaults();
    tl_linear_opts output = tl_linear_defaults();
    embedding.seed = sequence.seed = output.seed = seed;
    sequence.layers = s.layers;
    m->embedding = tl_embedding_layer_new(m->params, "embedding", s.V, s.E, &embedding, err);
    if (m->embedding)
        m->sequence = tl_sequence_new(m->params, cell->name, cell, s.E, s.H, &sequence, err);
    if (m->sequence)
        m->output = tl_linear_layer_new(m->params, "output", s.H, s.V, &output, err);
    return m->output ? TL_OK : err->code;
}

void charmodel_close(charmodel *m)
{
    tl_linear_layer_free(m->output);
    tl_sequence_free(m->sequence);
    tl_embedding_layer_free(m->embedding);
    tl_params_free(m->params);
    memset(m, 0, sizeof *m);
}

/* logits -- [T,B,V] from x [T,B]. */
static tl_tensor logits(const charmodel *m, tl_tensor x, tl_sequence_memory *memory)
{
    tl_sequence_args args = tl_sequence_args_defaults();
    args.memory = memory;
    tl_tensor e = tl_embedding_layer_apply(m->embedding, x);
    tl_sequence_out h = tl_sequence_apply(m->sequence, e, &args);
    return tl_linear_layer_apply(m->output, h.y);
}

tl_tensor charmodel_loss(const charmodel *m, tl_tensor x, tl_tensor y, tl_sequence_memory *memory)
{
    return tl_cross_entropy(logits(m, x, memory), y, -1);
}

/* fail -- the tape's sticky error as an error record. */
static int fail(const tl_tape *tape, tl_err *err)
{
    err->code = tl_tape_status(tape);
    snprintf(err->message, sizeof err->message, "%s", tl_tape_error(tape));
    return err->code;
}

/* The sum of the losses is a state like the cell's own: each commit computes loss, sum and final
 * states in one go. */
int charmodel_evaluate(const charmodel *m, tl_stream stream, const tl_stream_opts *opts,
                       double *bits, tl_err *err)
{
    tl_batch batch = {0};
    tl_tape *tape = tl_tape_new(NULL);
    tl_state *sum = tl_state_new(TL_F32, tl_shape0());
    tl_batches *batches = tl_batches_of_stream(stream, opts, err);
    tl_sequence_memory *memory =
        batches ? tl_sequence_memory_new(m->sequence, opts->batch, err) : NULL;
    int code = !memory ? err->code : !tape || !sum ? out_of_memory(err) : TL_OK;
    if (tape)
        tl_train(tape, 0);
    tl_place place = {0};
    for (; code == TL_OK && place.index < batches->count; place.index++) {
        code = tl_batches_make(batches, place, &batch, err);
        if (code != TL_OK)
            break;
        tl_no_grad_open(tape);
        tl_tensor x = tl_array_borrow(tape, &batch.x), y = tl_array_borrow(tape, &batch.y);
        tl_keep(sum, tl_add(tl_state_use(tape, sum), charmodel_loss(m, x, y, memory)));
        tl_no_grad_close(tape);
        if (tl_commit(tape) != TL_OK)
            code = fail(tape, err);
        tl_tape_reset(tape);
    }
    if (code == TL_OK) {
        code = tl_state_get_f64(sum, bits, 1);
        *bits /= (double)batches->count * M_LN2;
    }
    tl_batch_close(&batch);
    tl_sequence_memory_free(memory);
    tl_batches_free(batches);
    tl_state_free(sum);
    tl_tape_free(tape);
    return code;
}

int charmodel_sample(const charmodel *m, int32_t first, double temperature, uint64_t seed,
                     int64_t n, int32_t *ids, tl_err *err)
{
    tl_tape_opts opts = tl_tape_defaults();
    opts.seed = seed;
    tl_tape *tape = tl_tape_new(&opts);
    tl_sequence_memory *memory = tl_sequence_memory_new(m->sequence, 1, err);
    int code = !memory ? err->code : !tape ? out_of_memory(err) : TL_OK;
    for (int64_t i = 0; code == TL_OK && i < n; i++) {
        int32_t last = i ? ids[i - 1] : first;
        tl_no_grad_open(tape);
        tl_tensor z = logits(m, tl_input_i32(tape, tl_shape2(1, 1), &last), memory); /* [1,1,V] */
        tl_tensor next = tl_want(tl_categorical(tl_scale(z, 1 / temperature)));
        tl_no_grad_close(tape);
        if (tl_commit(tape) != TL_OK || tl_read_i32(next, &ids[i], 1) != TL_OK)
            code = fail(tape, err);
        tl_tape_reset(tape);
    }
    tl_sequence_memory_free(memory);
    tl_tape_free(tape);
    return code;
}
