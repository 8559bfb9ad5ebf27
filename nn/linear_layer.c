/* linear_layer.c -- the affine map with its parameters. */
#include "nn/linear_layer.h"

#include "core/memory.h"
#include "ops/ops.h"

tl_linear_opts tl_linear_defaults(void)
{
    tl_linear_opts o = {1, NULL, tl_init_fan_in(), tl_init_fan_in(), 0};
    return o;
}

static int make_params(tl_linear_layer *layer, tl_params *set, int64_t in, int64_t out,
                       const tl_linear_opts *o, tl_err *err)
{
    layer->weight = o->tied ? o->tied : tl_param_new(set, "weight", tl_shape2(out, in), err);
    if (!layer->weight ||
        (!o->tied && tl_param_init(layer->weight, o->weight_init, o->seed, 1, 0, 0, err)))
        return 0;
    if (!o->bias)
        return 1;
    layer->bias = tl_param_new(set, "bias", tl_shape1(out), err);
    return layer->bias && tl_param_init(layer->bias, o->bias_init, o->seed, 1, 0, in, err) == TL_OK;
}

tl_linear_layer *tl_linear_layer_new(tl_params *set, const char *name, int64_t in, int64_t out,
                                     const tl_linear_opts *opts, tl_err *err)
{
    tl_linear_opts o = opts ? *opts : tl_linear_defaults();
    if (!set || !name || !*name || in < 1 || out < 1) {
        tl__fail(err, TL_EINVAL,
                 "linear layer: got set %s, name %s, [%lld,%lld]; want all given and extents >= 1",
                 set ? "given" : "NULL", name ? name : "NULL", (long long)out, (long long)in);
        return NULL;
    }
    tl_shape want = tl_shape2(out, in), got = o.tied ? tl_param_shape(o.tied) : want;
    if (!tl_shape_equal(got, want) || (o.tied && tl_param_dtype(o.tied) != tl_params_dtype(set))) {
        char text[2][TL_SHAPE_TEXT];
        tl__fail(err, TL_ESHAPE, "linear layer %s: got tied weight %s %s, want %s %s", name,
                 tl_shape_text(got, text[0], sizeof text[0]), tl_dtype_name(tl_param_dtype(o.tied)),
                 tl_shape_text(want, text[1], sizeof text[1]), tl_dtype_name(tl_params_dtype(set)));
        return NULL;
    }
    tl_linear_layer *layer = tl__calloc(1, sizeof *layer);
    if (!layer) {
        tl__fail(err, TL_ENOMEM, "linear layer %s: out of memory", name);
        return NULL;
    }
    tl_params_scope_open(set, name);
    int ok = make_params(layer, set, in, out, &o, err);
    tl_params_scope_close(set);
    if (!ok) {
        tl_linear_layer_free(layer);
        return NULL;
    }
    return layer;
}

void tl_linear_layer_free(tl_linear_layer *layer)
{
    tl__free(layer);
}

tl_tensor tl_linear_layer_apply(const tl_linear_layer *layer, tl_tensor x)
{
    tl_tensor none = {0};
    if (!layer || !tl__same_tape("linear layer", 1, &x))
        return tl__inert(x);
    return tl_linear(x, tl_use(x.tape, layer->weight),
                     layer->bias ? tl_use(x.tape, layer->bias) : none);
}
