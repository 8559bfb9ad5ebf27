/* again.h -- memory for time: a piece of tape whose values are not kept for the gradient, but
 * computed again when it is taken. */
#ifndef TL_OPS_AGAIN_H
#define TL_OPS_AGAIN_H

#include "core/function.h"

TL_BEGIN_DECLS

/* tl_checkpoint -- out = fn(in), with the values between in and out dropped as soon as they are
 * used.
 *
 *     forward    in -> . -> . -> out          only in and out are kept
 *     backward   in -> . -> . -> (out')       fn recorded again, behind the gradient of out,
 *                d in <- . <- . <- g          and swept
 *
 *   in[nin]    what fn is given, any dtype
 *   out[nout]  receives its results; floating, of one dtype
 *
 * Values and gradients have the same bits as without. Draws (dropout) are the same the second time.
 * Parameters that fn takes by tl_use, and other tensors that it uses and is not given, get their
 * gradients too; tl_use gives it the same leaf again, whatever was assigned or bound since.
 * Checkpoints may lie in one another and in a scan's body; there, what fn uses of the body must be
 * in in[]. With k pieces of a chain of n, memory is about n/k + k in place of n, for one more
 * forward computation. Inside a scan, tl_scan_opts.recompute does the like for each step.
 *
 * fn is called now, and once more for each backward pass that gets here: it and ctx must stay until
 * the tape is reset or freed, and it must record the same each time: TL_EINVAL, when the gradient
 * is asked for, if it records other operations, shapes or numbers, or uses a tensor that it did not
 * use before. It may take gradients (tl_grad and kin); it may not assign, keep or commit.
 * A tape that was cut (tl_cut) has new handles: tensors that fn uses beside in[] are then dead,
 * parameters by tl_use are not.
 * Errors: those of fn; TL_EINVAL for counts below 1, outputs above 16, or inputs and tensors used
 * beside them above 24; TL_EFRAME for a tensor of a scan's body that fn uses and is not given;
 * TL_EDTYPE for outputs that are i32 or of two dtypes. Returns TL_OK or the sticky error; after one
 * all of out[] is inert.
 * Source: Chen et al. 2016, "Training deep nets with sublinear memory cost". */
TL_API int tl_checkpoint(tl_function fn, void *ctx, int nin, const tl_tensor *in, int nout,
                         tl_tensor *out);

TL_END_DECLS
#endif
