/* vocab_loss.h -- the output layer and its cross-entropy in one, for vocabularies so large that the
 * logits of all rows would not fit the memory. A composition, as all losses are. */
#ifndef TL_OPS_VOCAB_LOSS_H
#define TL_OPS_VOCAB_LOSS_H

#include "core/tape.h"

TL_BEGIN_DECLS

/* tl_linear_cross_entropy -- tl_cross_entropy(tl_linear(h, w, b), c, skip) without its logits.
 *
 *     z[n,:] = w h[n,:] + b,   loss = -(1/N) sum over n of log softmax(z[n,:])[c[n]],
 *     rows with c[n] == skip left out
 *
 *   h       [...,H]  what the output layer reads
 *   w       [V,H]    its weights, one row for each class
 *   b       [V]      its bias, or {0}: none
 *   c       [...]    i32 class of each row, 0 <= c < V, or skip
 *   skip    a label that means "no label here", usually -1; N counts the rows with another
 *   chunk   classes whose logits are there at a time; 0: so many that those of all rows take
 *           about 1 MB, or some 256; V or more: all of them, as tl_cross_entropy
 *   return  []       0 when every row is skipped
 *
 * A scan over blocks of classes that recomputes: memory for [N,chunk] logits and one number for
 * each row and block, in values and gradients of any order; one product of four more than with all
 * logits kept. Blocks are of classes and not of rows, so every row of w is read, and its gradient
 * written, once in a pass. A chunk that divides V saves the copy of that gradient which the rest
 * costs; 0 chooses one where it can. Equal to the whole form up to rounding.
 * Errors: TL_ESHAPE; TL_EDTYPE; TL_ERANGE for chunk < 0, and if some c is outside [0,V) when run.
 * Source: Milakov and Gimelshein 2018 (arXiv:1805.02867), algorithm 3. */
TL_API tl_tensor tl_linear_cross_entropy(tl_tensor h, tl_tensor w, tl_tensor b, tl_tensor c,
                                         int32_t skip, int64_t chunk);

TL_END_DECLS
#endif
