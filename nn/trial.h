/* trial.h -- a small program around a cell, all of whose numbers lie in one vector. Private; what
 * verify.c experiments with.
 *
 *     value   | weight_ih | ... | x | h | c | weight_ih[0] ... weight_ih[T-1] | ... | h[0] ...
 *             h[T-1] | ...
 *               '- parameters -'  '-  '- initial states    '- probes: zeros added in one time step
 *               only
 *
 *     out     | y [T,B,H] | last state 0 | ... | state 0 after every step [T,B,width] | ...
 *
 * Its loss is curved in everything it reads, so that a missing second derivative shows:
 *
 *     loss = sum of y (r + y/2) + sum over the states of last (r + last/2),  r random weights */
#ifndef TL_NN_TRIAL_H
#define TL_NN_TRIAL_H

#include "nn/cell.h"

#define TL_TRIAL_GROUPS (2 * TL_CELL_PARAMS + 1 + 2 * TL_CELL_STATES)

/* tl_group -- one tensor of the vector. */
typedef struct tl_group {
    const char *name;
    int64_t at;    /* where it starts in the vector */
    int64_t steps; /* T for x and probes, else 1 */
    int64_t each;  /* elements per step */
    tl_shape shape;
    int timed; /* its first axis is time */
} tl_group;

typedef struct tl_trial {
    const tl_cell *cell;
    int64_t I, H, T, B;
    tl_tape *tape;
    int nplain, ngroups; /* groups without and with probes */
    tl_group group[TL_TRIAL_GROUPS];
    int64_t size, nloss, nout; /* lengths of value; of weight: y and last states; of out */
    double *value;
    double *weight; /* r */
} tl_trial;

typedef struct tl_trial_run {
    int reverse, unroll, evaluation;
    const int32_t *lengths;  /* [B], or NULL; without probes then */
    const double *value;     /* [size], NULL: the trial's */
    double *loss;            /* the rest is wanted where it is not NULL */
    double *out;             /* [nout] */
    double *grad;            /* [size] */
    const double *direction; /* [size] */
    double *along;           /* derivative of the loss in that direction, by forward mode; alone:
                                without out, grad and second */
    double *second;          /* [size] gradient of <grad, direction>; needs grad */
} tl_trial_run;

/* tl__trial_open -- random data, and parameters near their initialisers. The tape stays the
 * caller's: all trials of one cell share it, so that a tensor which a step keeps from call to call
 * is found dead. Returns TL_OK or a code with err, which must not be NULL. */
int tl__trial_open(tl_trial *t, tl_tape *tape, const tl_cell *cell, int64_t I, int64_t H, int64_t T,
                   int64_t B, uint64_t seed, tl_err *err);
/* tl__trial_row -- row b of `from` alone, cut to `length` steps; on the same tape. */
int tl__trial_row(tl_trial *t, const tl_trial *from, int64_t b, int64_t length, tl_err *err);
void tl__trial_close(tl_trial *t);

/* tl__trial_go -- records and runs. A failure leaves its sentence in tl_tape_error(t->tape). */
int tl__trial_go(tl_trial *t, const tl_trial_run *run);

/* tl__trial_state -- where state k after every step starts in out; tl__trial_last -- after the last
 * step. */
int64_t tl__trial_state(const tl_trial *t, int k);
int64_t tl__trial_last(const tl_trial *t, int k);

#endif
