/* unroll.h -- a scan against the plain C loop that records the body T times: two routes to the
 * same numbers.
 *
 * A model is data: shapes and a step. It is recorded as a scan or as a loop; of both come every
 * output, the loss
 *
 *     L = sum over t of <c_t, y_t> + 1/2 |y_t|^2 + sum over i of <c_i, last_i> + 1/2 |last_i|^2
 *
 * its gradient g for every input, and the gradients of sum <r, g>, and of sum <r', gradients of
 * that>: orders 1, 2 and 3. Forward mode comes to <r, g> as well. */
#ifndef TL_TESTS_UNROLL_H
#define TL_TESTS_UNROLL_H

#include "core/scan.h"
#include "ops/ops.h"

/* How a body is to be recorded, as a plain loop (0), a scan (1) or a scan that recomputes (2); the
 * `inner` loops of a step likewise. */
typedef struct how {
    int scan, inner_scan;
} how;

typedef struct model {
    const char *name;
    int64_t T;
    int reverse;
    tl_shape x; /* of one step; rank -1: no input */
    int nstate, nw;
    tl_shape state[3], w[4];
    /* step -- replaces state[] and returns y. */
    tl_tensor (*step)(tl_tape *tape, how h, const tl_tensor *w, tl_tensor x, tl_tensor *state);
    int orders;
    double scale; /* of the random inputs; 0: 0.7 */
} model;

/* recorded -- what a model gives on one tape. */
typedef struct recorded {
    tl_tape *tape;
    int nin;
    tl_tensor in[8]; /* xs, initial states, captures */
    tl_tensor last[3], ys;
    tl_tensor loss;
    tl_tensor grad[3][8]; /* by order */
    tl_tensor dotted[2];  /* <r, g>, by order */
    tl_tensor pushed[2];  /* the same in forward mode: the tangent of what g is the gradient of,
                            along r */
} recorded;

/* record_on -- records the model on r->tape; the tape's error is left for the caller. record -- on
 * a new tape, and there is no error. */
void record_on(const model *m, how h, recorded *r);
recorded record(const model *m, how h);

/* hold_equal -- scan and loop give the same everything; the inner loop, if the step has one, in
 * all combinations. */
void hold_equal(const model *m);

/* rnn_model, lstm_model -- two cells that several tests use. */
extern const model rnn_model, lstm_model;

#endif
