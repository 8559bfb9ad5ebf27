/* attention.h -- scaled dot-product attention, a composition of operations: the weights are rows of
 * a softmax, nothing has parameters. */
#ifndef TL_NN_ATTENTION_H
#define TL_NN_ATTENTION_H

#include "core/tape.h"

TL_BEGIN_DECLS

/* tl_attention -- what each query finds among keys and their values.
 *
 *     y = softmax(q k' / sqrt(D)) v,  over the S keys that the mask lets it see
 *
 *   q       [...,T,D]  axes before the last two broadcast, heads for instance: [B,H,T,D]
 *   k       [...,S,D]
 *   v       [...,S,E]
 *   mask    broadcasts to [...,T,S], of q's dtype or i32: not 0 where query t sees key s; {0}: each
 *           sees all. tl_tril(tl_ones(tape, dtype, tl_shape2(T, T)), 0) is the causal one
 *   return  [...,T,E]
 *
 * A query that sees nothing gets zeros, and gradient 0. Scores are kept, T S numbers for each of the
 * leading axes. Errors: TL_ESHAPE, TL_EDTYPE.   Source: Vaswani et al. 2017, eq. 1. */
TL_API tl_tensor tl_attention(tl_tensor q, tl_tensor k, tl_tensor v, tl_tensor mask);

TL_END_DECLS
#endif
