/* statistics.h -- variance, norms, products over axes. All are compositions, which the planner
 * fuses. Axes as in reduce.h: from the front or the end, none twice. */
#ifndef TL_OPS_STATISTICS_H
#define TL_OPS_STATISTICS_H

#include "core/tape.h"

TL_BEGIN_DECLS

/* tl_var -- variance over axes, in two passes: nothing cancels.
 *
 *     var = sum of (a - mean a)^2 / (N - correction),  N elements together
 *
 * correction: 0 divides by N, 1 is the unbiased estimate. Errors: TL_ERANGE unless 0 <= correction <
 * N; TL_ESHAPE, TL_EDTYPE. tl_std -- its square root, with gradient 0 where it is 0. */
TL_API tl_tensor tl_var(tl_tensor a, int naxes, const int *axes, int correction, int keepdims);
TL_API tl_tensor tl_std(tl_tensor a, int naxes, const int *axes, int correction, int keepdims);

/* tl_norm -- norm over axes:
 *
 *     (sum of |a|^p)^(1/p),  p = INFINITY: max of |a|
 *
 * p > 0: 1, 2, INFINITY or any other. Gradient 0 where the norm is 0 (a subgradient for p >= 1), and
 * by elements that are 0. The sum of powers can overflow, as it is not scaled. Errors: TL_ERANGE for
 * other p; TL_ESHAPE, TL_EDTYPE. */
TL_API tl_tensor tl_norm(tl_tensor a, double p, int naxes, const int *axes, int keepdims);

/* tl_prod -- product over axes; 1 of no elements. Multiplied in halves, a fixed tree of log2(N)
 * levels, so that no gradient divides: right to any order where elements are 0. */
TL_API tl_tensor tl_prod(tl_tensor a, int naxes, const int *axes, int keepdims);
TL_API tl_tensor tl_prod_all(tl_tensor a);

TL_END_DECLS
#endif
