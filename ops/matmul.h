/* matmul.h -- sums of products. One primitive, the contraction of two tensors over labelled axes;
 * all else are ways to write the labels.
 *
 * Its gradients are contractions of the same labels in another order, so no transposed copy is ever
 * made. */
#ifndef TL_OPS_MATMUL_H
#define TL_OPS_MATMUL_H

#include "core/tape.h"

TL_BEGIN_DECLS

/* tl_contract -- sum of products over the labels (letters) that the result does not have.
 *
 *     tl_contract(x, w, "tbi,hi->tbh"):   y[t,b,h] = sum over i of x[t,b,i] w[h,i]
 *
 * No label twice in one operand, none in one place only. Errors: TL_EINVAL for such labels;
 * TL_ESHAPE; TL_EDTYPE. */
TL_API tl_tensor tl_contract(tl_tensor a, tl_tensor b, const char *labels);

/* tl_matmul -- matrix product over the last two axes, the axes before them broadcast: [...,m,k] x
 * [...,k,n] -> [...,m,n]. A vector a is a row [k], a vector b a column [k], and its axis is not in
 * the result. */
TL_API tl_tensor tl_matmul(tl_tensor a, tl_tensor b);
/* tl_matmul_t -- the same with the last two axes of a (if ta) or b (if tb) read transposed, without
 * a copy. */
TL_API tl_tensor tl_matmul_t(tl_tensor a, int ta, tl_tensor b, int tb);

/* tl_linear -- x w' + b.
 *
 *   x       [...,I]
 *   w       [H,I]
 *   b       [H], or {0}: none
 *   return  [...,H] */
TL_API tl_tensor tl_linear(tl_tensor x, tl_tensor w, tl_tensor b);

/* tl_dot -- sum of a[k] b[k] of two vectors, rank 0. */
TL_API tl_tensor tl_dot(tl_tensor a, tl_tensor b);
/* tl_outer -- a[i] b[j]: [A...] and [B...] give [A...,B...]. */
TL_API tl_tensor tl_outer(tl_tensor a, tl_tensor b);

TL_END_DECLS
#endif
