/* sgd.h -- stochastic gradient descent, with momentum. */
#ifndef TL_OPTIM_SGD_H
#define TL_OPTIM_SGD_H

#include "optim/optimizer.h"

TL_BEGIN_DECLS

typedef struct tl_sgd_opts {
    double lr;           /* default 0.01 */
    double momentum;     /* mu, default 0 */
    double dampening;    /* default 0; not applied in the first step */
    double weight_decay; /* lambda, default 0 */
    int nesterov;        /* default 0 */
} tl_sgd_opts;

TL_API tl_sgd_opts tl_sgd_defaults(void);

/* tl_sgd_new -- PyTorch's SGD:
 *
 *     g += lambda p
 *     m  = mu m + (1 - dampening) g           (first step: m = g)
 *     p -= lr m                               Nesterov: p -= lr (g + mu m)
 *
 * Without momentum m is left out: p -= lr g. Without decay too, a table that was only looked up
 * (tl_embedding) is stepped in the rows that were used, the same numbers for less work.
 *
 * NULL, and err filled, on failure: TL_EINVAL, TL_ENOMEM; TL_ERANGE for a learning rate that is
 * negative or not finite.   Source: Sutskever et al. 2013. */
TL_API tl_optim *tl_sgd_new(tl_params *params, const tl_sgd_opts *opts, tl_err *err);

/* tl_sgd_values -- parameter and momentum after a step. */
typedef struct tl_sgd_values {
    tl_tensor p, m;
} tl_sgd_values;

/* tl_sgd_update -- step t (1 is the first) as a function: new values are returned, nothing is
 * assigned. g and m are of p's shape and dtype; m may be inert when momentum is 0.
 * Errors: TL_ESHAPE, TL_EDTYPE; TL_EINVAL for an operand that is inert and for options that
 * tl_sgd_new refuses; TL_ERANGE for t below 1, and a learning rate that is negative or not
 * finite. */
TL_API tl_sgd_values tl_sgd_update(tl_tensor p, tl_tensor g, tl_tensor m, int64_t t,
                                   const tl_sgd_opts *opts);
/* tl_sgd_update_lr -- the same with the learning rate as a tensor, of one element or one for each
 * element of p: it has a gradient. opts->lr is not looked at. */
TL_API tl_sgd_values tl_sgd_update_lr(tl_tensor p, tl_tensor g, tl_tensor m, int64_t t,
                                      tl_tensor lr, const tl_sgd_opts *opts);

TL_END_DECLS
#endif
