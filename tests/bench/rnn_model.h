/* rnn_model.h -- a case's layers as ours: parameters, the sequence over them, and the way between
 * PyTorch's arrays and the parameters of the cell. */
#ifndef TL_TESTS_BENCH_RNN_MODEL_H
#define TL_TESTS_BENCH_RNN_MODEL_H

#include "tapeloop.h"
#include "tests/bench/rnn_data.h"

enum { MOST_PARAMS = RNN_RUNS * TL_CELL_PARAMS };

typedef struct rnn_model {
    const rnn_data *d;
    int user; /* the cell of user_cells.h, not the built-in one */
    tl_params *set;
    tl_sequence *seq;
    int nparams;               /* of all runs; run r has the r-th part */
    float *value[MOST_PARAMS]; /* the weights in the cell's layout */
} rnn_model;

/* rnn_model_open -- with d's weights. Returns 0, or non-zero when memory is short; to be closed in
 * both cases. */
int rnn_model_open(rnn_model *m, const rnn_data *d, int user);
void rnn_model_close(rnn_model *m);

/* rnn_model_renew -- all parameters get new versions (of the same numbers) and lose their
 * gradients: as after an optimizer's step. */
void rnn_model_renew(rnn_model *m);

/* rnn_model_gather -- the gradient of parameter k goes into d. */
void rnn_model_gather(const rnn_model *m, rnn_weights *d, int k, const float *grad);

/* rnn_model_elements -- of parameter k. */
int64_t rnn_model_elements(const rnn_model *m, int k);

#endif
