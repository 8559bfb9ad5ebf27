/* layer_norm.h -- normalisation over the last axis, a composition of operations, and the layer with
 * its parameters. */
#ifndef TL_NN_LAYER_NORM_H
#define TL_NN_LAYER_NORM_H

#include "nn/init.h"

TL_BEGIN_DECLS

/* tl_layer_norm -- mean 0 and variance 1 over the last axis, then scale and shift.
 *
 *     y = (x - mean(x)) / sqrt(mean((x - mean(x))^2) + eps) * w + b
 *
 *   x     [...,N]
 *   w, b  [N]; inert: left out
 *   eps   0 or more
 *
 * Errors: TL_ESHAPE, TL_EDTYPE; TL_ERANGE for eps.   Source: Ba et al. 2016, eq. 3. */
TL_API tl_tensor tl_layer_norm(tl_tensor x, tl_tensor w, tl_tensor b, double eps);

typedef struct tl_norm_layer {
    tl_param *weight, *bias; /* [N], ones and zeros at first */
    double eps;
} tl_norm_layer;

typedef struct tl_norm_opts {
    double eps; /* default 1e-5 */
} tl_norm_opts;

TL_API tl_norm_opts tl_norm_defaults(void);

/* tl_norm_layer_new -- makes "<name>.weight" and "<name>.bias" in set. NULL, and err filled, on
 * failure. */
TL_API tl_norm_layer *tl_norm_layer_new(tl_params *set, const char *name, int64_t N,
                                        const tl_norm_opts *opts, tl_err *err);
TL_API void tl_norm_layer_free(tl_norm_layer *layer);
TL_API tl_tensor tl_norm_layer_apply(const tl_norm_layer *layer, tl_tensor x);

TL_END_DECLS
#endif
