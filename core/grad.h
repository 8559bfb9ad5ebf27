/* grad.h -- gradients, recorded on the tape like everything else. */
#ifndef TL_CORE_GRAD_H
#define TL_CORE_GRAD_H

#include "core/param.h"

TL_BEGIN_DECLS

/* tl_grad -- records the gradient of sum over i of <seed_i, out_i> with respect to each of in[].
 *
 *   out[nout]   outputs of any shape, floating
 *   seed[nout]  cotangents of the outputs' shapes, or NULL for ones
 *   in[nin]     any floating tensors the outputs may depend on; they may be intermediate values
 *   grad[nin]   receives tensors of the inputs' shapes; zeros where nothing depends on the input
 *
 * Inside an open scan the carries and x_t are inputs of the step: the steps before it are no part
 * of the gradient.
 *
 * The result is an ordinary expression: read it, print it, differentiate it again. Returns TL_OK or
 * the sticky error. */
TL_API int tl_grad(int nout, const tl_tensor *out, const tl_tensor *seed, int nin,
                   const tl_tensor *in, tl_tensor *grad);

/* tl_gradient -- the same for one number by one tensor: d out / d in, in the shape of `in`. Inert
 * after an error; TL_ESHAPE unless out is a single number. */
TL_API tl_tensor tl_gradient(tl_tensor out, tl_tensor in);

/* tl_backward -- records the gradient of a scalar loss for every unfrozen parameter used on its
 * tape and queues it; a second call adds. An optimizer step consumes it; a commit without one adds
 * it to the stored gradients. A loss that none of the unfrozen parameters used on the tape goes into,
 * or a tape on which all are frozen, is an error, TL_ENOGRAD: the gradients would be zeros. Of a
 * parameter that is bound (tl_bind) the gradient is that of the stored value. */
TL_API int tl_backward(tl_tensor loss);

/* tl_param_grad -- the gradient queued and stored for p so far as a tensor of this tape; inert, and
 * no error, if there is none. */
TL_API tl_tensor tl_param_grad(tl_tape *tape, tl_param *p);

/* tl_set_param_grad -- replaces the queued gradient (clipping, transforms); an inert g clears it,
 * and the stored one. */
TL_API void tl_set_param_grad(tl_tape *tape, tl_param *p, tl_tensor g);

/* tl_detach -- the same value, a constant for gradients. */
TL_API tl_tensor tl_detach(tl_tensor t);

TL_END_DECLS
#endif
