/* loss.h -- what training makes small. All are compositions of other operations and return one
 * number, the mean; logarithms are natural. */
#ifndef TL_OPS_LOSS_H
#define TL_OPS_LOSS_H

#include "core/tape.h"

TL_BEGIN_DECLS

/* tl_cross_entropy -- mean negative log-likelihood of the true classes, in nats.
 *
 *     loss = -(1/N) sum over n of log softmax(z[n,:])[c[n]],  rows with c[n] == skip left out
 *
 *   z       [...,K]  logits, usually [N,K]
 *   c       [...]    i32 class of each row, 0 <= c < K, or skip
 *   skip    a label that means "no label here", usually -1; N counts the rows with another
 *   return  []       0 when every row is skipped
 *
 * Computed as logsumexp(z) - z[c] with the row maximum taken out: no overflow, no log of zero.
 * Errors: TL_ESHAPE; TL_EDTYPE; TL_ERANGE if some c is outside [0,K).
 * Source: Bishop 2006, eq. 4.108. */
TL_API tl_tensor tl_cross_entropy(tl_tensor z, tl_tensor c, int32_t skip);

/* tl_cross_entropy_soft -- the same against a distribution over the classes in each row.
 *
 *     loss = -(1/N) sum over n, k of p[n,k] log softmax(z[n,:])[k]
 *
 *   z, p    [...,K]  logits; targets, each row summing to 1 (not checked)
 *   return  []       0 when there are no rows. p has a gradient too. */
TL_API tl_tensor tl_cross_entropy_soft(tl_tensor z, tl_tensor p);

/* tl_bce_with_logits -- binary cross-entropy of sigmoid(z), any z without overflow.
 *
 *     loss = mean of -(y log s + (1 - y) log(1 - s)) with s = sigmoid(z)
 *          = mean of y softplus(-z) + (1 - y) softplus(z)
 *
 *   z, y    equal shapes; y in [0,1], of z's dtype */
TL_API tl_tensor tl_bce_with_logits(tl_tensor z, tl_tensor y);

/* tl_bce -- binary cross-entropy of probabilities: mean of -(y log p + (1 - y) log(1 - p)). The
 * logarithms' arguments are held above the smallest normal number (f32: log >= -87.3, f64: -708.4),
 * where the gradient is zero; train on tl_bce_with_logits instead where you can. */
TL_API tl_tensor tl_bce(tl_tensor p, tl_tensor y);

/* The next three take two tensors of equal shapes, which must be equal on purpose: [N] against
 * [N,1] would quietly broadcast to [N,N]. */

/* tl_mse -- mean of (a - y)^2. */
TL_API tl_tensor tl_mse(tl_tensor a, tl_tensor y);
/* tl_l1 -- mean of |a - y|; gradient 0 where a = y. */
TL_API tl_tensor tl_l1(tl_tensor a, tl_tensor y);
/* tl_huber -- mean of d^2/2 where |d| < delta, else delta (|d| - delta/2); d = a - y, delta > 0.
 * Source: Huber 1964. */
TL_API tl_tensor tl_huber(tl_tensor a, tl_tensor y, double delta);

TL_END_DECLS
#endif
