/* running.h -- sums along an axis that keep every step. */
#ifndef TL_OPS_RUNNING_H
#define TL_OPS_RUNNING_H

#include "core/tape.h"

TL_BEGIN_DECLS

/* tl_cumsum -- sums along one axis up to and with each element:
 *
 *     y[i] = a[0] + a[1] + ... + a[i]
 *
 * Shape and dtype (f32 or f64) are a's. Added from the front to the end, one after the other: same
 * bits always. Gradient: the same sums of g from the end to the front. Errors: TL_ESHAPE, TL_EDTYPE.
 */
TL_API tl_tensor tl_cumsum(tl_tensor a, int axis);

TL_END_DECLS
#endif
