/* noise.h -- random draws on the tape, and what is made of them.
 *
 * A draw is numbered when it is recorded (in a scan: per step) and is a pure function of the tape's
 * seed and that number, so computing it again, or an adjoint's use of it, gives the same values.
 * Draws are constants for every gradient. */
#ifndef TL_OPS_NOISE_H
#define TL_OPS_NOISE_H

#include "core/tape.h"

TL_BEGIN_DECLS

/* tl_rand -- uniform in [0,1). tl_randn -- standard normal. dtype TL_F32 or TL_F64. */
TL_API tl_tensor tl_rand(tl_tape *tape, tl_dtype dtype, tl_shape shape);
TL_API tl_tensor tl_randn(tl_tape *tape, tl_dtype dtype, tl_shape shape);
/* tl_bernoulli -- 1 with probability p, else 0. */
TL_API tl_tensor tl_bernoulli(tl_tape *tape, tl_dtype dtype, tl_shape shape, double p);

/* tl_dropout -- while training, each element is 0 with probability p, else x/(1-p); in evaluation
 * (tl_train), and for p = 0, x itself. Dropped elements are 0 whatever x holds. Errors: TL_ERANGE
 * unless 0 <= p <= 1.   Source: Srivastava et al. 2014. */
TL_API tl_tensor tl_dropout(tl_tensor x, double p);
/* tl_dropout_mask -- the mask alone, 0 or 1/(1-p), ones in evaluation: for masks that are drawn
 * once and used at every step. */
TL_API tl_tensor tl_dropout_mask(tl_tape *tape, tl_dtype dtype, tl_shape shape, double p);

/* tl_categorical -- draws a class from softmax(logits) for each row: logits [...,K], return [...]
 * i32. One draw, by the largest of logits plus Gumbel noise; scale the logits by 1/temperature
 * before. No gradient.   Source: Maddison et al. 2014, "A* sampling". */
TL_API tl_tensor tl_categorical(tl_tensor logits);

TL_END_DECLS
#endif
