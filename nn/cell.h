/* cell.h -- a recurrent cell as data: write the step, get everything else.
 *
 * The minimal gated unit (Zhou et al. 2016), a user's cell:
 *
 *     enum { W_f, U_f, B_f, W_n, U_n, B_n };
 *     static tl_tensor mgu_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x,
 *                               tl_tensor *state, const tl_tensor *aux)
 *     {
 *         tl_tensor h = state[0];
 *         tl_tensor f = tl_sigmoid(tl_add(tl_linear(x, w[W_f], w[B_f]),
 *                                         tl_matmul_t(h, 0, w[U_f], 1)));
 *         tl_tensor n = tl_tanh(tl_add(tl_linear(x, w[W_n], w[B_n]),
 *                                      tl_matmul_t(tl_mul(f, h), 0, w[U_n], 1)));
 *         return state[0] = tl_lerp(h, n, f);
 *     }
 *
 *     tl_cell mgu = tl_cell_make("mgu", mgu_step);
 *     tl_cell_param_add(&mgu, "weight_fx", "H,I", tl_init_recurrent());   ... in the enum's order
 *     tl_cell_state_add(&mgu, "h", "H");
 *
 * sequence.h runs it over time, verify.h proves it right. The cells that come with the library are
 * in cells.h and are made in the same way. */
#ifndef TL_NN_CELL_H
#define TL_NN_CELL_H

#include "nn/init.h"

TL_BEGIN_DECLS

#define TL_CELL_PARAMS 24
#define TL_CELL_STATES 4
#define TL_CELL_AUX 16
#define TL_CELL_RANK 4

typedef struct tl_cell tl_cell;

/* tl_extent -- an extent in terms of a cell's sizes: i*I + h*H + n. */
typedef struct tl_extent {
    int i, h, n;
} tl_extent;

/* tl_step_fn -- records one step of the cell.
 *
 *   w      the parameters as tensors, in the order in which they were added
 *   x      [B,I]
 *   state  in: the states before the step, [B,...] each; out: after it
 *   aux    what begin recorded; NULL without begin
 *   return [B,H], the output of this step
 *
 * The step is recorded once for the whole sequence (or once per time step when unrolled), so it
 * must be a function of its arguments only: no tensor and no counter kept from call to call. Row b
 * of every result may depend on row b only. */
typedef tl_tensor (*tl_step_fn)(const tl_cell *cell, const tl_tensor *w, tl_tensor x,
                                tl_tensor *state, const tl_tensor *aux);

/* tl_begin_fn -- records what all steps share (masks, normalised weights, attention keys), once per
 * sequence and outside the loop. x is the whole input [T,B,I]; aux[naux] is to be filled. */
typedef void (*tl_begin_fn)(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *aux);

typedef struct tl_cell_param {
    const char *name; /* as in weight files, without "_l0": "weight_ih" */
    int rank;
    tl_extent dim[TL_CELL_RANK]; /* the first extent's h (4 in "4H") is the number of gate blocks */
    tl_init init;
} tl_cell_param;

typedef struct tl_cell_state {
    const char *name; /* "h" */
    tl_extent width;  /* of [B,width] */
} tl_cell_state;

/* tl_cell -- a plain value: copy it, change its fields. Strings and user data must outlive it. */
struct tl_cell {
    const char *name;
    tl_step_fn step;
    tl_begin_fn begin; /* or NULL */
    int nparams, nstates, naux;
    tl_cell_param param[TL_CELL_PARAMS];
    tl_cell_state state[TL_CELL_STATES];
    void *user;        /* the cell's own constants */
    const char *gates; /* what the gate blocks are called, "i f g o"; NULL: nothing. For reports, of
                          parameters with as many blocks */
    /* The first mistake in the calls below, reported by whatever takes the cell: what, in which
     * parameter or state, and what was written there; NULL where there is nothing to say. */
    const char *wrong, *wrong_name, *wrong_text;
};

/* tl_cell_make -- a cell without parameters and states. */
TL_API tl_cell tl_cell_make(const char *name, tl_step_fn step);

/* tl_cell_param_add -- adds a parameter; its index in w[] is the number of those added before.
 *
 *   shape   its extents separated by commas, each a sum of multiples of I, H and 1: "4H,I", "H",
 *           "I+H,2", "" (scalar) */
TL_API void tl_cell_param_add(tl_cell *cell, const char *name, const char *shape, tl_init init);

/* tl_cell_state_add -- adds a state [B,width], width written as an extent above. */
TL_API void tl_cell_state_add(tl_cell *cell, const char *name, const char *width);

/* tl_cell_begin -- sets begin and the number of tensors it fills. */
TL_API void tl_cell_begin(tl_cell *cell, tl_begin_fn begin, int naux);

/* tl_cell_check -- TL_OK, or TL_EINVAL with the reason: a mistake in the calls above, no step, no
 * state, a name used twice. */
TL_API int tl_cell_check(const tl_cell *cell, tl_err *err);

/* tl_cell_param_shape, tl_cell_state_width -- a parameter's shape, a state's width for these sizes.
 * tl_cell_param_blocks -- how many gate blocks are stacked along the first axis, at least 1. Of a
 * parameter or state that is not there: rank -1, width 0, 0 blocks. */
TL_API tl_shape tl_cell_param_shape(const tl_cell *cell, int k, int64_t I, int64_t H);
TL_API int tl_cell_param_blocks(const tl_cell *cell, int k);
TL_API int64_t tl_cell_state_width(const tl_cell *cell, int k, int64_t I, int64_t H);

TL_END_DECLS
#endif
