/* linear_layer.h -- the affine map with its parameters: y = x W' + b. The operation without
 * parameters is tl_linear. */
#ifndef TL_NN_LINEAR_LAYER_H
#define TL_NN_LINEAR_LAYER_H

#include "nn/init.h"

TL_BEGIN_DECLS

typedef struct tl_linear_layer {
    tl_param *weight; /* [out,in] */
    tl_param *bias;   /* [out], or NULL */
} tl_linear_layer;

typedef struct tl_linear_opts {
    int bias;            /* default 1 */
    tl_param *tied;      /* use this parameter (an embedding's weight), default NULL */
    tl_init weight_init; /* default tl_init_fan_in(), as PyTorch */
    tl_init bias_init;   /* default tl_init_fan_in() */
    uint64_t seed;       /* default 0 */
} tl_linear_opts;

TL_API tl_linear_opts tl_linear_defaults(void);

/* tl_linear_layer_new -- makes "<name>.weight" and "<name>.bias" in set. NULL, and err filled, on
 * failure. The set owns the parameters. */
TL_API tl_linear_layer *tl_linear_layer_new(tl_params *set, const char *name, int64_t in,
                                            int64_t out, const tl_linear_opts *opts, tl_err *err);
TL_API void tl_linear_layer_free(tl_linear_layer *layer);

/* tl_linear_layer_apply -- x [...,in] to [...,out]. */
TL_API tl_tensor tl_linear_layer_apply(const tl_linear_layer *layer, tl_tensor x);

TL_END_DECLS
#endif
