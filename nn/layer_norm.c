/* layer_norm.c -- normalisation over the last axis. */
#include "nn/layer_norm.h"

#include "core/memory.h"
#include "ops/ops.h"

tl_tensor tl_layer_norm(tl_tensor x, tl_tensor w, tl_tensor b, double eps)
{
    const int last = -1;
    const tl_tensor given[3] = {x, w.tape ? w : x, b.tape ? b : x};
    if (!tl__same_tape("layer_norm", 3, given))
        return tl__inert(x);
    const tl_shape sx = tl_shape_of(x), sw = tl_shape_of(w), sb = tl_shape_of(b);
    const tl_shape want = tl_shape1(tl_dim(x, -1));
    if (sx.rank < 1 || (w.tape && !tl_shape_equal(sw, want)) ||
        (b.tape && !tl_shape_equal(sb, want))) {
        char tx[TL_SHAPE_TEXT], tw[TL_SHAPE_TEXT], tb[TL_SHAPE_TEXT];
        return tl_fail_tensor(
            x, TL_ESHAPE, "layer_norm", "got x %s, w %s, b %s, want x [...,N], w [N], b [N]",
            tl_shape_text(sx, tx, sizeof tx), w.tape ? tl_shape_text(sw, tw, sizeof tw) : "none",
            b.tape ? tl_shape_text(sb, tb, sizeof tb) : "none");
    }
    if (!(eps >= 0))
        return tl_fail_tensor(x, TL_ERANGE, "layer_norm", "got eps %g, want 0 or more", eps);
    tl_tensor d = tl_sub(x, tl_mean(x, 1, &last, 1));
    tl_tensor variance = tl_mean(tl_mul(d, d), 1, &last, 1);
    tl_tensor y = tl_mul(d, tl_rsqrt(tl_add_scalar(variance, eps)));
    if (w.tape)
        y = tl_mul(y, w);
    return b.tape ? tl_add(y, b) : y;
}

tl_norm_opts tl_norm_defaults(void)
{
    tl_norm_opts o = {1e-5};
    return o;
}

tl_norm_layer *tl_norm_layer_new(tl_params *set, const char *name, int64_t N,
                                 const tl_norm_opts *opts, tl_err *err)
{
    tl_norm_opts o = opts ? *opts : tl_norm_defaults();
    if (!set || !name || !*name || N < 1) {
        tl__fail(err, TL_EINVAL,
                 "norm layer: got set %s, name %s, N %lld; want all given and N >= 1",
                 set ? "given" : "NULL", name ? name : "NULL", (long long)N);
        return NULL;
    }
    tl_norm_layer *layer = tl__calloc(1, sizeof *layer);
    if (!layer) {
        tl__fail(err, TL_ENOMEM, "norm layer %s: out of memory", name);
        return NULL;
    }
    layer->eps = o.eps;
    tl_params_scope_open(set, name);
    layer->weight = tl_param_new(set, "weight", tl_shape1(N), err);
    layer->bias = layer->weight ? tl_param_new(set, "bias", tl_shape1(N), err) : NULL;
    tl_params_scope_close(set);
    if (!layer->bias ||
        tl_param_init(layer->weight, tl_init_constant(1), 0, 1, 0, 0, err) != TL_OK) {
        tl_norm_layer_free(layer);
        return NULL;
    }
    return layer;
}

void tl_norm_layer_free(tl_norm_layer *layer)
{
    tl__free(layer);
}

tl_tensor tl_norm_layer_apply(const tl_norm_layer *layer, tl_tensor x)
{
    if (!layer || !tl__same_tape("norm layer", 1, &x))
        return tl__inert(x);
    return tl_layer_norm(x, tl_use(x.tape, layer->weight), tl_use(x.tape, layer->bias), layer->eps);
}
