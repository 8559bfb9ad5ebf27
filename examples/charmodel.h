/* charmodel.h -- a character model: which symbol comes next?
 *
 *     symbol ids [T,B] -> embedding [T,B,E] -> cell over time [T,B,H] -> linear -> logits [T,B,V]
 *
 * Everything about it that gru_vs_lstm does not care to say: sizes, evaluation, sampling. */
#ifndef TL_EXAMPLES_CHARMODEL_H
#define TL_EXAMPLES_CHARMODEL_H

#include "tapeloop.h"

typedef struct charmodel_sizes {
    int64_t V; /* symbols */
    int64_t E; /* values per symbol */
    int64_t H; /* units */
    int layers;
} charmodel_sizes;

typedef struct charmodel {
    charmodel_sizes sizes;
    tl_params *params;
    tl_embedding_layer *embedding;
    tl_sequence *sequence;
    tl_linear_layer *output;
} charmodel;

/* charmodel_cell -- "rnn", "gru" or "lstm" with the defaults of the library, which are PyTorch's.
 */
tl_cell charmodel_cell(const char *name);

/* charmodel_count -- parameters of a model of these sizes.
 * charmodel_units -- the H for which this cell's count comes nearest to `target`; s.H is not looked
 * at. */
int64_t charmodel_count(const tl_cell *cell, charmodel_sizes s);
int64_t charmodel_units(const tl_cell *cell, charmodel_sizes s, int64_t target);

int charmodel_open(charmodel *m, const tl_cell *cell, charmodel_sizes s, uint64_t seed,
                   tl_err *err);
void charmodel_close(charmodel *m);

/* charmodel_loss -- mean cross-entropy, in nats, of predicting y [T,B] from x [T,B] and what memory
 * holds. The final states are kept in memory at the next commit. */
tl_tensor charmodel_loss(const charmodel *m, tl_tensor x, tl_tensor y, tl_sequence_memory *memory);

/* charmodel_evaluate -- bits per symbol of a whole stream, read in batches of these options from
 * zero states. */
int charmodel_evaluate(const charmodel *m, tl_stream stream, const tl_stream_opts *opts,
                       double *bits, tl_err *err);

/* charmodel_sample -- draws n symbols to ids[n], one after the other, from zero states and the
 * symbol `first`; each from softmax(logits / temperature). */
int charmodel_sample(const charmodel *m, int32_t first, double temperature, uint64_t seed,
                     int64_t n, int32_t *ids, tl_err *err);

#endif
