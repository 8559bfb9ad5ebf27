/* rnn_impl.h -- one way to run a case: what bench_rnn times. */
#ifndef TL_TESTS_BENCH_RNN_IMPL_H
#define TL_TESTS_BENCH_RNN_IMPL_H

#include "tests/bench/rnn_data.h"

/* rnn_costs -- milliseconds of the last step that are no arithmetic; plan: of the first step. NaN
 * where not known. */
typedef struct rnn_costs {
    double record, key, plan;
} rnn_costs;

/* rnn_impl -- a way to compute. open gives what the other functions take as run, or NULL and the
 * reason in *why.
 *
 *   prepare  what a user's program does between two steps and is no part of the time: in training
 *            all weights get new values
 *   step     the timed part. train: y, then dx and the gradients of all weights and biases for the
 *            given dy; infer: y. Weights come and gradients go row-major; inputs are read where
 *            they lie
 *   read     out of another step: its results. Returns 0
 *   costs    may be NULL
 * step, read return 0, or non-zero with the reason in *why. */
typedef struct rnn_impl {
    const char *name;
    void *(*open)(const rnn_data *d, rnn_pass pass, const char **why);
    void (*prepare)(void *run);
    int (*step)(void *run, const char **why);
    int (*read)(void *run, rnn_result *out, const char **why);
    rnn_costs (*costs)(void *run);
    void (*close)(void *run);
} rnn_impl;

/* The ways. open is NULL of those that cannot be had: oneDNN where it is not installed. */
extern const rnn_impl rnn_tapeloop;  /* built-in cell through tl_sequence, recorded in every step */
extern const rnn_impl rnn_user_cell; /* the cells of user_cells.h */
extern const rnn_impl rnn_loop;      /* the built-in step in a plain C loop over t */
extern const rnn_impl rnn_program;   /* the same, recorded once and replayed */
extern const rnn_impl rnn_onednn;    /* the fused primitive */

/* onednn_product -- C = A B of three row-major [n,n] arrays by oneDNN. Non-zero where that is not
 * to be had. */
int onednn_product(int n, const float *a, const float *b, float *c);

#endif
