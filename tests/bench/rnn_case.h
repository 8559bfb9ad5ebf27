/* rnn_case.h -- what is measured: sizes that people train, cells, passes. */
#ifndef TL_TESTS_BENCH_RNN_CASE_H
#define TL_TESTS_BENCH_RNN_CASE_H

typedef enum rnn_cell { RNN_LSTM, RNN_GRU, RNN_CELLS } rnn_cell;
typedef enum rnn_pass { RNN_TRAIN, RNN_INFER, RNN_PASSES } rnn_pass;

enum { RNN_RUNS = 2 }; /* layers times directions, at most */

typedef struct rnn_case {
    const char *name;
    int T, B, I, H, L, D; /* layers, directions */
    const char *what;
} rnn_case;

/* rnn_case_count, rnn_case_at -- the table. rnn_case_find -- by name, NULL if there is none. */
int rnn_case_count(void);
const rnn_case *rnn_case_at(int k);
const rnn_case *rnn_case_find(const char *name);

const char *rnn_cell_name(rnn_cell cell);
const char *rnn_pass_name(rnn_pass pass);

/* rnn_cell_gates -- blocks of a weight matrix: LSTM 4, GRU 3. */
int rnn_cell_gates(rnn_cell cell);

/* rnn_case_input -- values that a layer reads in each step: I, or D*H of the layer below. */
int rnn_case_input(const rnn_case *c, int layer);

/* rnn_case_flops -- of the matrix products alone.
 *
 *     infer: sum over layers and directions of 2 T B gH (I + H)
 *     train: three times that (output, gradient of the input, gradient of the weights) */
double rnn_case_flops(const rnn_case *c, rnn_cell cell, rnn_pass pass);

#endif
