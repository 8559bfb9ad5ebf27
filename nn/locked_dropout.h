/* locked_dropout.h -- dropout with one mask for all time steps. Plain dropout is the operation
 * tl_dropout. */
#ifndef TL_NN_LOCKED_DROPOUT_H
#define TL_NN_LOCKED_DROPOUT_H

#include "core/tape.h"

TL_BEGIN_DECLS

/* tl_locked_dropout -- x times a mask drawn once and shared along the first axis (time).
 *
 *     y[t,...] = x[t,...] * m,   m = 0 with probability p, else 1 / (1 - p)
 *
 *   x  [T,...]
 *   p  in [0,1)
 *
 * Passes through when the tape is not in training mode.   Source: Gal and Ghahramani 2016. */
TL_API tl_tensor tl_locked_dropout(tl_tensor x, double p);

TL_END_DECLS
#endif
