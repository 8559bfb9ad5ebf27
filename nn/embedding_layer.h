/* embedding_layer.h -- a table of V vectors of E values, looked up by index. The operation without
 * parameters is tl_embedding. */
#ifndef TL_NN_EMBEDDING_LAYER_H
#define TL_NN_EMBEDDING_LAYER_H

#include "nn/init.h"

TL_BEGIN_DECLS

typedef struct tl_embedding_layer {
    tl_param *weight; /* [V,E]; give it to tl_linear_opts.tied to share it with the output layer */
    int64_t padding;  /* index whose row gets no gradient, or -1 */
} tl_embedding_layer;

typedef struct tl_embedding_opts {
    int64_t
        padding;  /* default -1: none. Its row starts as zeros and gets no gradient from look-ups */
    tl_init init; /* default tl_init_normal(0, 1), as PyTorch */
    uint64_t seed; /* default 0 */
} tl_embedding_opts;

TL_API tl_embedding_opts tl_embedding_defaults(void);

/* tl_embedding_layer_new -- makes "<name>.weight" in set. NULL, and err filled, on failure. The set
 * owns the parameter. */
TL_API tl_embedding_layer *tl_embedding_layer_new(tl_params *set, const char *name, int64_t V,
                                                  int64_t E, const tl_embedding_opts *opts,
                                                  tl_err *err);
TL_API void tl_embedding_layer_free(tl_embedding_layer *layer);

/* tl_embedding_layer_apply -- index [...] i32 to [...,E]. Errors when run: TL_ERANGE if an index is
 * outside [0,V). */
TL_API tl_tensor tl_embedding_layer_apply(const tl_embedding_layer *layer, tl_tensor index);

TL_END_DECLS
#endif
