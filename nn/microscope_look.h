/* microscope_look.h -- what the files of the microscope share. Private. */
#ifndef TL_NN_MICROSCOPE_LOOK_H
#define TL_NN_MICROSCOPE_LOOK_H

#include "nn/microscope.h"

/* tl_look -- one run: what was asked, and the states that were met. */
typedef struct tl_look {
    const tl_cell *cell;
    tl_microscope *m;
    tl_microscope_opts o;
    const double *const *values;
    const double *x;
    tl_tape *tape;
    double *before[TL_CELL_STATES]; /* [T,B,width] states before every step */
} tl_look;

/* tl__look_inputs -- parameters, x and what begin records, on the emptied tape; aux[TL_CELL_AUX].
 * Returns x. */
tl_tensor tl__look_inputs(tl_look *l, tl_tensor *w, tl_tensor *aux);

/* tl__look_jacobians -- fills radius and spectral_norm. Returns TL_OK or the tape's error, or
 * TL_ENOMEM. */
int tl__look_jacobians(tl_look *l);

#endif
