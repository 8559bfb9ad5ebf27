/* microscope.h -- what the gradient of a recurrent cell does on its way back through time.
 *
 *     tl_microscope m;
 *     int code = tl_microscope_run(&lstm, I, H, T, B, values, x, NULL, &m, &err);
 *     m.norm[0][t]    |dL/dh_t|        m.radius[t]   of d state_t / d state_(t-1)
 *     tl_microscope_free(&m);
 *
 * For any tl_cell, in f64 and evaluation mode, from states of zero. */
#ifndef TL_NN_MICROSCOPE_H
#define TL_NN_MICROSCOPE_H

#include "nn/cell.h"

TL_BEGIN_DECLS

#define TL_MICROSCOPE_GATES 16
#define TL_MICROSCOPE_RUNS 16

/* tl_microscope_loss -- records the loss, a single number, of the outputs y [T,B,H]. */
typedef tl_tensor (*tl_microscope_loss)(tl_tensor y, void *user);

typedef struct tl_microscope_opts {
    tl_microscope_loss loss; /* default NULL: the sum of y_(T-1), see all_steps */
    void *user;              /* of loss */
    int all_steps;           /* without loss: the sum of all y_t; default 0 */
    double low, high;        /* a sigmoid is shut below, open above: default 0.05 and 0.95 */
    double flat;             /* a tanh is flat where |tanh| is above: default 0.9 */
    int iterations;          /* of the power methods, default 60; 0: no Jacobians */
    uint64_t seed;           /* of their first vectors, default 1 */
} tl_microscope_opts;

TL_API tl_microscope_opts tl_microscope_defaults(void);

/* tl_microscope_gate -- how full one sigmoid or tanh of the step is. */
typedef struct tl_microscope_gate {
    /* its tl_name, or "sigmoid 2": the second one without. If the step opens scopes (two cells in
     * one), each scope counts for itself: "top/sigmoid 2" */
    char name[96];
    int is_tanh;
    double *low;  /* [T] fraction of elements below opts.low; tanh: below -opts.flat */
    double *high; /* [T] above opts.high; tanh: above opts.flat */
} tl_microscope_gate;

/* tl_microscope -- all that was seen. States of step t are those after it. */
typedef struct tl_microscope {
    const char *cell;
    int64_t I, H, T, B;
    double loss;
    int nstates;
    const char *state[TL_CELL_STATES];
    int64_t width[TL_CELL_STATES];
    double *grad[TL_CELL_STATES]; /* [T,B,width]: dL/d state_t, see tl_microscope_run */
    double *norm[TL_CELL_STATES]; /* [T]: its Euclidean norm over batch and elements */
    int jacobians;                /* whether the next two were computed */
    double *radius;               /* [T] spectral radius of J_t: largest |eigenvalue| */
    double *spectral_norm;        /* [T] spectral norm of J_t: largest singular value */
    double low, high, flat;       /* the options' */
    int ngates;
    tl_microscope_gate gate[TL_MICROSCOPE_GATES]; /* the first that the step records */
    double *numbers, *gate_numbers;               /* owned: what the pointers point into */
} tl_microscope;

/* tl_microscope_run -- looks.
 *
 *     dL/ds_t      s_t -> s_t + e_t after step t, e_t = 0; the gradient with respect to e_t
 *     J_t          d s_t / d s_(t-1) for all states side by side, at s_(t-1) of this run
 *
 *   values[nparams]  the parameters' numbers, in the cell's order and shapes
 *   x                [T,B,I]
 *   opts             NULL: all defaults
 *   result           filled in every case; to be freed
 *
 * dL/ds_t is total over time: through all later steps and, where the step returns one of its states
 * as its output (as all built-in cells do), through y_t. States of one step are independent of one
 * another: dL/dc_t of an LSTM is at fixed h_t. An output that the step computes besides its states
 * adds nothing in its own step.
 *
 * The rows of a batch have a J_t each; the largest of their numbers is given. The spectral norm
 * comes from v -> J'J v (from below); the radius from v -> J v and then the eigenvalues of J in the
 * plane of the last two vectors, which finds pairs of complex ones too. Where several eigenvalues
 * are nearly as large as the largest, more iterations are better.
 *
 * Returns TL_OK or a code with err: TL_EINVAL for arguments, otherwise what the tape says of the
 * cell's step.   Source: Pascanu, Mikolov and Bengio 2013; Arnoldi 1951. */
TL_API int tl_microscope_run(const tl_cell *cell, int64_t I, int64_t H, int64_t T, int64_t B,
                             const double *const *values, const double *x,
                             const tl_microscope_opts *opts, tl_microscope *result, tl_err *err);
TL_API void tl_microscope_free(tl_microscope *m);

/* tl_microscope_csv -- a line for each step, under a heading: t, the norm of each state's gradient,
 * spectral radius and norm if computed, low and high of each gate. 17 digits: the same numbers when
 * read. Freed with tl_string_free; NULL when memory is short. */
TL_API char *tl_microscope_csv(const tl_microscope *m);

/* tl_microscope_svg -- a picture of one run, three panels over t:
 *
 *     |dL/d state_t|        on a logarithmic axis, a line for each state
 *     J_t                   spectral radius and norm, with a line at 1; if computed
 *     gates                 above the middle the fraction that is open (a tanh: flat at +1),
 *                           below it what is shut (flat at -1); if the step has any
 *
 * tl_microscope_compare_svg -- n runs in one picture, at most TL_MICROSCOPE_RUNS: |dL/d state_t| of
 * the first state of each, and the spectral radius.
 *
 *   label[n]   what they are called; NULL: by their cells
 *
 * What is not finite has no point, a zero on a logarithmic axis neither; the legend counts them.
 * Freed with tl_string_free; NULL when memory is short, m or one of them is NULL, or n is out of
 * range. */
TL_API char *tl_microscope_svg(const tl_microscope *m);
TL_API char *tl_microscope_compare_svg(int n, const tl_microscope *const *m,
                                       const char *const *label);

TL_END_DECLS
#endif
