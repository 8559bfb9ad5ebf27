/* embedding_layer.c -- a table of vectors, looked up by index. */
#include "nn/embedding_layer.h"

#include "core/memory.h"
#include "ops/ops.h"

#include <string.h>

tl_embedding_opts tl_embedding_defaults(void)
{
    tl_embedding_opts o = {-1, tl_init_normal(0, 1), 0};
    return o;
}

/* The row of the padding index starts as zeros. */
static int clear_row(tl_param *weight, int64_t row, tl_err *err)
{
    tl_shape s = tl_param_shape(weight);
    int64_t count = tl_shape_count(s);
    double *values = tl__calloc((size_t)count, sizeof *values);
    if (!values)
        return tl__fail(err, TL_ENOMEM, "embedding layer: out of memory");
    tl_param_get_f64(weight, values, count);
    memset(values + row * s.dim[1], 0, (size_t)s.dim[1] * sizeof *values);
    int code = tl_param_set_f64(weight, values, count);
    tl__free(values);
    return code == TL_OK ? TL_OK : tl__fail(err, code, "embedding layer: %s", tl_strerror(code));
}

tl_embedding_layer *tl_embedding_layer_new(tl_params *set, const char *name, int64_t V, int64_t E,
                                           const tl_embedding_opts *opts, tl_err *err)
{
    tl_embedding_opts o = opts ? *opts : tl_embedding_defaults();
    if (!set || !name || !*name || V < 1 || E < 1 || o.padding < -1 || o.padding >= V) {
        tl__fail(err, TL_EINVAL,
                 "embedding layer: got set %s, name %s, [%lld,%lld], padding %lld; want all given, "
                 "extents >= 1, "
                 "padding in [-1,V)",
                 set ? "given" : "NULL", name ? name : "NULL", (long long)V, (long long)E,
                 (long long)o.padding);
        return NULL;
    }
    tl_embedding_layer *layer = tl__calloc(1, sizeof *layer);
    if (!layer) {
        tl__fail(err, TL_ENOMEM, "embedding layer %s: out of memory", name);
        return NULL;
    }
    tl_params_scope_open(set, name);
    layer->padding = o.padding;
    layer->weight = tl_param_new(set, "weight", tl_shape2(V, E), err);
    tl_params_scope_close(set);
    if (!layer->weight || tl_param_init(layer->weight, o.init, o.seed, 1, 0, 0, err) != TL_OK ||
        (o.padding >= 0 && clear_row(layer->weight, o.padding, err) != TL_OK)) {
        tl_embedding_layer_free(layer);
        return NULL;
    }
    return layer;
}

void tl_embedding_layer_free(tl_embedding_layer *layer)
{
    tl__free(layer);
}

tl_tensor tl_embedding_layer_apply(const tl_embedding_layer *layer, tl_tensor index)
{
    if (!layer || !tl__same_tape("embedding layer", 1, &index))
        return tl__inert(index);
    return tl_embedding(tl_use(index.tape, layer->weight), index, layer->padding);
}
