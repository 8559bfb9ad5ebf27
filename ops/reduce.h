/* reduce.h -- operations that make axes go away: sums, means, extrema, logsumexp, softmax.
 *
 * Axes count from the front (>= 0) or from the end (< 0) and may be given in any order, none twice.
 * With keepdims a reduced axis stays with extent 1. Summation is core's (space.h); everything but
 * the maxima is composed of it. A negative number of axes, and some without a list (NULL), is
 * TL_EINVAL. */
#ifndef TL_OPS_REDUCE_H
#define TL_OPS_REDUCE_H

#include "core/tape.h"

TL_BEGIN_DECLS

/* tl_sum -- sum over axes. tl_sum_all -- over all of them, rank 0. Fixed tree of additions: same
 * bits always. */
TL_API tl_tensor tl_sum(tl_tensor a, int naxes, const int *axes, int keepdims);
TL_API tl_tensor tl_sum_all(tl_tensor a);

/* tl_mean -- sum / number of elements summed; NaN when there are none. */
TL_API tl_tensor tl_mean(tl_tensor a, int naxes, const int *axes, int keepdims);
TL_API tl_tensor tl_mean_all(tl_tensor a);

/* tl_amax, tl_amin -- greatest and least element over axes; NaN if one is NaN. Gradient: all of it
 * to the first extremal element in row-major order, so it stays differentiable (ties are not shared
 * out). Reducing no element at all is TL_ESHAPE. */
TL_API tl_tensor tl_amax(tl_tensor a, int naxes, const int *axes, int keepdims);
TL_API tl_tensor tl_amin(tl_tensor a, int naxes, const int *axes, int keepdims);

/* tl_argmax -- i32 position of the first greatest element (of the first NaN, if any) along one
 * axis, which is gone after. No gradient. */
TL_API tl_tensor tl_argmax(tl_tensor a, int axis);

/* tl_logsumexp -- log of the sum of exp(a) over axes, with the maximum taken out: no overflow; -inf
 * where all are -inf. */
TL_API tl_tensor tl_logsumexp(tl_tensor a, int naxes, const int *axes, int keepdims);

/* tl_softmax -- exp(a) / sum of exp(a) along one axis, with the maximum taken out. tl_softmax_over
 * -- over several axes together. */
TL_API tl_tensor tl_softmax(tl_tensor a, int axis);
TL_API tl_tensor tl_softmax_over(tl_tensor a, int naxes, const int *axes);

/* tl_log_softmax -- a - logsumexp(a): log(tl_softmax(a)) without its underflow. */
TL_API tl_tensor tl_log_softmax(tl_tensor a, int axis);
TL_API tl_tensor tl_log_softmax_over(tl_tensor a, int naxes, const int *axes);

TL_END_DECLS
#endif
