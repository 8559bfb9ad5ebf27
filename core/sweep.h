/* sweep.h -- the reverse sweep: one engine for the tape and for the bodies of scans. Private.
 *
 *     slot[]   ascending        W     x     matmul   tanh    sum
 *     flags                  wanted    0   through  through through   forward: who depends on one
 *     gradients                <-----------  <-------  <------ seed   backward: last slot to first
 *
 * A level of the sweep is one frame. The outermost level is the frame that tl_grad was called in,
 * with all around it. When it comes to a scan, scan_adjoint.c opens the adjoint scan and runs the
 * next level over the body inside it. What an adjoint rule reads of the body that is swept is
 * brought into the adjoint's body by tl__primal. */
#ifndef TL_CORE_SWEEP_H
#define TL_CORE_SWEEP_H

#include "core/scan_record.h"

enum {
    TL_SWEEP_WANTED = 1,  /* its gradient is kept: an input of tl_grad, a leaf of the body */
    TL_SWEEP_THROUGH = 2, /* gradients go on to its operands */
    TL_SWEEP_OUTSIDE = 4  /* of the body that is swept: contributions are kept, one by one */
};

/* tl_part -- one contribution to a gradient, in a list. */
typedef struct tl_part {
    tl_tensor g;
    uint32_t from; /* of a loop's: slot of the result that g belongs to */
    uint32_t next; /* index of the next part, TL_NONE */
} tl_part;

/* tl_copy -- the body of an inner loop and its copy in the adjoint's body: replay.c. */
typedef struct tl_copy {
    uint32_t from, to; /* frames */
} tl_copy;

typedef struct tl_sweep tl_sweep;
struct tl_sweep {
    tl_tape *tape;
    tl_sweep *up;    /* level of the frame around; NULL for the outermost */
    uint32_t frame;  /* whose nodes are swept */
    int body;        /* the frame is a closed body */
    int asking;      /* nothing is recorded but the residuals: tl__scan_want_residuals */
    tl_scan adjoint; /* of a body: the open scan that its adjoint is recorded in */
    uint32_t fresh;  /* nodes from this slot on were recorded by this level */
    uint32_t n, capacity;
    uint32_t *slot;         /* [n] ascending */
    uint8_t *flags;         /* [n] 0: depends on no input */
    uint32_t *first, *last; /* [n] contributions, in order of arrival */
    uint8_t *how;           /* [n] of a body: how tl__primal brings it over, see primal.c */
    uint32_t *memo;         /* [n] of a body: slot of what it was brought over as, TL_NONE */
    tl_part *parts;
    uint32_t nparts, parts_capacity;
    tl_copy *copies;
    uint32_t ncopies, copies_capacity;
};

/* tl__sweep_open -- an empty level with room for `capacity` slots; fill slot[] and n, ascending,
 * then go on. Returns TL_OK or the sticky code. Close it in any case. */
int tl__sweep_open(tl_sweep *w, tl_tape *tape, tl_sweep *up, uint32_t frame, size_t capacity);
void tl__sweep_close(tl_sweep *w);
/* tl__sweep_find -- position of a slot, TL_NONE if it is not at this level. */
uint32_t tl__sweep_find(const tl_sweep *w, uint32_t slot);
/* tl__sweep_flags -- flags of a slot, 0 if it is not at this level. */
uint8_t tl__sweep_flags(const tl_sweep *w, uint32_t slot);
/* tl__sweep_spread -- one forward pass of TL_SWEEP_THROUGH; returns whether anything changed. */
int tl__sweep_spread(tl_sweep *w);
/* tl__sweep_add -- a contribution to the gradient of a slot; ignored where it is inert or nobody
 * wants it. */
void tl__sweep_add(tl_sweep *w, uint32_t slot, tl_tensor g, uint32_t from);
/* tl__sweep_sum -- the gradient so far, made one tensor; inert if there is none. */
tl_tensor tl__sweep_sum(tl_sweep *w, uint32_t position);
/* tl__sweep_merge -- makes one of those parts that are slices put back into zeros (assemble),
 * leaves the others. */
void tl__sweep_merge(tl_sweep *w, uint32_t position);
/* tl__sweep_run -- the backward pass. */
void tl__sweep_run(tl_sweep *w);

/* tl__primal -- the value of a slot where the adjoint of level w is recorded. */
tl_tensor tl__primal(tl_sweep *w, uint32_t slot);
/* tl__residual -- a value of the body as each(stacked(value)). */
tl_tensor tl__residual(tl_sweep *w, uint32_t slot);
/* tl__replay -- tl__primal for a value of the body of a recomputing scan that was not brought over
 * before. */
tl_tensor tl__replay(tl_sweep *w, uint32_t slot);
/* tl__body_copy -- a closed body again, in the frame that is open: its nodes in the same order, its
 * carries, no loop yet. Values around it are brought over as tl__primal does. TL_NONE after an
 * error. */
uint32_t tl__body_copy(tl_sweep *w, uint32_t from);
/* tl__primal_plan -- fills how[] of a body's level. */
void tl__primal_plan(tl_sweep *w);

/* tl__check_floating -- what a derivative is asked of: n tensors that are alive, on this tape,
 * visible here, floating; `role` and number name them. tl__check_like -- t[] is that and of the
 * shapes and dtypes of like[]. tl__no_room -- there is no array for n results. TL_OK or the sticky
 * code. */
int tl__check_floating(tl_tape *tape, const char *what, const char *role, int n,
                       const tl_tensor *t);
int tl__check_like(tl_tape *tape, const char *what, const char *role, const tl_tensor *t,
                   const char *as, int n, const tl_tensor *like);
int tl__no_room(tl_tape *tape, const char *what, const char *results, int n);

/* tl__fit_grad -- d, which the rule of `op` gave for operand i, as a gradient of this dtype and
 * shape: summed back if the rule left it broadcast. The sticky error if it is no such gradient. */
tl_tensor tl__fit_grad(const tl_op *op, uint32_t i, tl_tensor d, tl_dtype dtype, tl_shape shape);

/* tl__scan_adjoint -- the adjoint of a loop at level w, its results' gradients being there. */
void tl__scan_adjoint(tl_sweep *w, uint32_t position);

#endif
