/* mask.h -- leaving elements out. Compositions of tl_where; the gradient of what is left out is 0,
 * and NaN or infinity there does not come through. */
#ifndef TL_OPS_MASK_H
#define TL_OPS_MASK_H

#include "core/tape.h"

TL_BEGIN_DECLS

/* tl_masked_fill -- value where mask is not 0, else a. mask broadcasts to a's shape and has a's dtype
 * or i32. Errors: TL_ESHAPE, TL_EDTYPE. */
TL_API tl_tensor tl_masked_fill(tl_tensor a, tl_tensor mask, double value);

/* tl_tril -- the lower triangle of the last two axes, else 0: a[...,i,j] where j <= i + diagonal.
 * tl_triu -- the upper one: where j >= i + diagonal. a [...,m,n] of any dtype. diagonal 0 is the main
 * one, more is above it. tl_tril of ones is a causal mask: position i sees 0 .. i. */
TL_API tl_tensor tl_tril(tl_tensor a, int64_t diagonal);
TL_API tl_tensor tl_triu(tl_tensor a, int64_t diagonal);

TL_END_DECLS
#endif
