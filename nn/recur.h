/* recur.h -- one cell over time, in one direction: by a scan, or by the plain loop that the scan
 * must equal. Private. */
#ifndef TL_NN_RECUR_H
#define TL_NN_RECUR_H

#include "nn/cell.h"

typedef struct tl_recur {
    const tl_cell *cell;
    int64_t H;
    const tl_tensor *w;    /* [nparams] parameters */
    tl_tensor x;           /* [T,B,I] */
    const tl_tensor *init; /* [nstates] states before the first step, [B,width] */
    tl_tensor lengths;     /* [B] i32, or inert */
    int reverse, unroll;
    int recompute; /* of the scan, see tl_scan_opts */
    int64_t budget;

    /* Probes: tensors of zeros that make derivatives with respect to one time step visible; NULL
     * without. Not together with lengths. */
    const tl_tensor *w_probe; /* [nparams], each [T,...]: added to the parameter in step t */
    const tl_tensor
        *state_probe; /* [nstates], each [T,B,width]: added to the state before step t */
} tl_recur;

typedef struct tl_recur_out {
    tl_tensor y;                     /* [T,B,H] */
    tl_tensor last[TL_CELL_STATES];  /* [B,width] */
    tl_tensor every[TL_CELL_STATES]; /* [T,B,width] after every step, if asked for */
} tl_recur_out;

/* tl__recur -- records it. Errors go to the tape; results are inert then. */
TL_API tl_recur_out tl__recur(const tl_recur *r, int every);

#endif
