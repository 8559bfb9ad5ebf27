/* forward.h -- derivatives in the direction of the computation, and products with Jacobians and
 * Hessians. Recorded on the tape like everything else: read them, print them, differentiate them.
 *
 * J is the derivative of the outputs with respect to the inputs; forward mode gives J v at about
 * the price of the computation itself for one v, reverse mode (tl_grad) J' u for one u. */
#ifndef TL_CORE_FORWARD_H
#define TL_CORE_FORWARD_H

#include "core/grad.h"

TL_BEGIN_DECLS

/* tl_jvp -- records the tangents of outputs for given tangents of inputs:
 *
 *     dout_i = sum over j of (d out_i / d in_j) applied to tangent_j
 *
 *   in[nin]       any floating tensors; they may be intermediate values, and depend on one another
 *   tangent[nin]  of the inputs' shapes, or NULL for ones
 *   out[nout]     floating outputs
 *   dout[nout]    receives tensors of the outputs' shapes; zeros where nothing depends on an input
 *
 * The tangent of a scan is a scan in the same direction that carries the tangent along and needs
 * nothing kept over time, whatever T is. (What is read outside tl_no_grad keeps what its own
 * gradient would read, a tangent like anything else: for long loops call this inside tl_no_grad, or
 * commit before reading.) Inside an open scan the carries and x_t are inputs of the step, as
 * for tl_grad. Returns TL_OK or the sticky error.
 * Source: Griewank and Walther 2008, chapter 3. */
TL_API int tl_jvp(int nin, const tl_tensor *in, const tl_tensor *tangent, int nout,
                  const tl_tensor *out, tl_tensor *dout);

/* tl_vjp -- J' u: tl_grad with a cotangent for every output (which NULL would make ones). */
TL_API int tl_vjp(int nout, const tl_tensor *out, const tl_tensor *cotangent, int nin,
                  const tl_tensor *in, tl_tensor *grad);

/* tl_hvp -- the Hessian of a single number times a vector, without the Hessian:
 *
 *     hv_i = sum over j of (d^2 loss / d in_i d in_j) applied to v_j
 *
 * The gradient of <gradient, v>: two backward passes, each at the price of one; the in[] are to be
 * independent of one another. v NULL: ones, which gives the sums of the Hessian's rows. Returns
 * TL_OK or the sticky error. */
TL_API int tl_hvp(tl_tensor loss, int n, const tl_tensor *in, const tl_tensor *v, tl_tensor *hv);

typedef enum tl_jacobian_by {
    TL_BY_ROWS,   /* one backward pass for each element of out */
    TL_BY_COLUMNS /* one forward pass for each element of in */
} tl_jacobian_by;

/* tl_jacobian -- d out / d in, all of it, [shape of out, shape of in]. By rows or by columns: the
 * same numbers; take the smaller of the two. Inert after an error; TL_EINVAL if `by` is neither,
 * TL_ESHAPE if the ranks come to more than TL_MAX_RANK. */
TL_API tl_tensor tl_jacobian(tl_tensor out, tl_tensor in, tl_jacobian_by by);

/* tl_hessian -- of a single number, [shape of in, shape of in]: the Jacobian by columns of its
 * gradient, one forward pass for each element of `in`. Errors as tl_gradient and tl_jacobian. */
TL_API tl_tensor tl_hessian(tl_tensor loss, tl_tensor in);

TL_END_DECLS
#endif
