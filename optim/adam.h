/* adam.h -- Adam, and AdamW: the same with decoupled weight decay. */
#ifndef TL_OPTIM_ADAM_H
#define TL_OPTIM_ADAM_H

#include "optim/optimizer.h"

TL_BEGIN_DECLS

typedef struct tl_adam_opts {
    double lr;           /* default 1e-3 */
    double beta1, beta2; /* default 0.9, 0.999 */
    double eps;          /* default 1e-8 */
    double weight_decay; /* lambda, default 0 (AdamW: 0.01) */
    int decoupled;       /* weight decay acts on p, not through g: default 0 (AdamW: 1) */
    int sparse_rows;     /* of a table that was only looked up (tl_embedding) the rows used are
                            updated, and no others: default 0. Wants weight_decay 0 */
} tl_adam_opts;

TL_API tl_adam_opts tl_adam_defaults(void);
TL_API tl_adam_opts tl_adamw_defaults(void);

/* tl_adam_new -- PyTorch's Adam and, if decoupled, AdamW:
 *
 *     g += lambda p                           (decoupled: p *= 1 - lr lambda)
 *     m  = b1 m + (1 - b1) g
 *     v  = b2 v + (1 - b2) g^2
 *     p -= lr / (1 - b1^t)  m / (sqrt(v) / sqrt(1 - b2^t) + eps)
 *
 * With sparse_rows another rule for tables: m and v of a row stay as they are while it is not used,
 * where Adam lets them decay and goes on moving the row. t counts all steps. A step then costs
 * what the rows cost. (PyTorch's SparseAdam, but for eps, which is added here after the
 * correction of v as in Adam.) Where the gradient is not one of look-ups alone, as with tied
 * weights or after clipping, all rows are updated.
 *
 * NULL, and err filled, on failure: TL_EINVAL, TL_ENOMEM; TL_ERANGE for a learning rate that is
 * negative or not finite.   Source: Kingma and Ba 2015, algorithm 1; Loshchilov and
 * Hutter 2019, algorithm 2. */
TL_API tl_optim *tl_adam_new(tl_params *params, const tl_adam_opts *opts, tl_err *err);
/* tl_adamw_new -- tl_adam_new whose defaults (opts NULL) are AdamW's. */
TL_API tl_optim *tl_adamw_new(tl_params *params, const tl_adam_opts *opts, tl_err *err);

/* tl_adam_values -- parameter and both moments after a step. */
typedef struct tl_adam_values {
    tl_tensor p, m, v;
} tl_adam_values;

/* tl_adam_update -- step t (1 is the first) as a function: new values are returned, nothing is
 * assigned. All of it can be differentiated, any number of steps after one another: a training as
 * a function of where it started (examples/meta_learning.c). Where g has always been 0, the
 * derivative of the step with respect to g is taken to be that of m alone.
 *
 * g, m and v are of p's shape and dtype. sparse_rows is refused: gather rows of all four for it.
 * Errors: TL_ESHAPE, TL_EDTYPE; TL_EINVAL for an operand that is inert and for options that
 * tl_adam_new refuses; TL_ERANGE for t below 1, and a learning rate that is negative or not
 * finite. */
TL_API tl_adam_values tl_adam_update(tl_tensor p, tl_tensor g, tl_tensor m, tl_tensor v, int64_t t,
                                     const tl_adam_opts *opts);
/* tl_adam_update_lr -- the same with the learning rate as a tensor, of one element or one for each
 * element of p: it has a gradient. opts->lr is not looked at. */
TL_API tl_adam_values tl_adam_update_lr(tl_tensor p, tl_tensor g, tl_tensor m, tl_tensor v,
                                        int64_t t, tl_tensor lr, const tl_adam_opts *opts);

TL_END_DECLS
#endif
