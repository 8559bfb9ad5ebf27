/* cut.h -- an endless tape of bounded length: forgets what came before some values and keeps what
 * came after, with its numbers. */
#ifndef TL_CORE_CUT_H
#define TL_CORE_CUT_H

#include "core/tape.h"

TL_BEGIN_DECLS

/* tl_cut -- ends gradients at some values for good, and forgets what only they depend on.
 *
 *     x1 -> h1 -> x2 -> h2 -> x3 -> h3        tl_cut(tape, 1, &h1, 2, (h3, l3))
 *           ^cut                              h1 is an input now; x1 is gone; x2 h2 x3 h3 l3 stay
 *
 *   at[n]         values outside scans that become leaves, like inputs: same bits, no gradient
 *                 beyond. Computed if they are not yet
 *   keep[nkeep]   values outside scans that stay, with all that they were computed from up to at[]
 *                 and leaves; what of that was computed is not computed again. Kept scans stay with
 *                 all their results
 *   return        TL_OK; at[] and keep[] are handles of the same values in their new places. All
 *                 other tensors and all scans of this tape are dead after it, like after
 *                 tl_tape_reset, and marks are none any more: tl_tape_release refuses them
 *
 * With it truncated backpropagation over k2 steps every k1 < k2 steps runs each step forward once:
 * evaluate a step's values when it is recorded, take the gradient (tl_grad, read, tl_tape_release
 * back to the mark before it), cut at the state k2 - k1 steps ago. The tape holds k2 steps however
 * long the stream is. What leads from older values to keep[] by a way around at[] stays, too.
 *
 * A parameter that was assigned in between is another leaf in later steps: older steps keep the
 * value they were computed with, and tl_backward differentiates with respect to the last leaf alone
 * (tl_grad by each of the tl_use tensors, kept in keep[], gives every part).
 *
 * Errors: TL_EDEAD, TL_EFRAME for at[] and keep[], TL_EINVAL for an inert or foreign one and for
 * lists that are not there: the tape's. TL_ESTATE, with the tape left as it was, while effects are
 * queued or a scan or no_grad section is open. TL_ENOMEM: the tape's, nothing is cut. Source:
 * Williams and Peng 1990, "An efficient gradient-based algorithm for on-line training of recurrent
 * network trajectories". */
TL_API int tl_cut(tl_tape *tape, int n, tl_tensor *at, int nkeep, tl_tensor *keep);

TL_END_DECLS
#endif
