/* adam.c -- Adam and AdamW. */
#include "optim/adam.h"

#include "ops/ops.h"

#include <math.h>

tl_adam_opts tl_adam_defaults(void)
{
    tl_adam_opts o = {1e-3, 0.9, 0.999, 1e-8, 0, 0, 0};
    return o;
}

tl_adam_opts tl_adamw_defaults(void)
{
    tl_adam_opts o = tl_adam_defaults();
    o.weight_decay = 0.01;
    o.decoupled = 1;
    return o;
}

tl_adam_values tl_adam_update(tl_tensor p, tl_tensor g, tl_tensor m, tl_tensor v, int64_t t,
                              const tl_adam_opts *opts)
{
    tl_adam_opts o = opts ? *opts : tl_adam_defaults();
    double rate = o.lr / (1 - pow(o.beta1, (double)t));
    double root = 1 / sqrt(1 - pow(o.beta2, (double)t));
    if (o.weight_decay != 0 && o.decoupled)
        p = tl_scale(p, 1 - o.lr * o.weight_decay);
    else if (o.weight_decay != 0)
        g = tl_add(g, tl_scale(p, o.weight_decay));

    tl_adam_values after;
    after.m = tl_add(tl_scale(m, o.beta1), tl_scale(g, 1 - o.beta1));
    after.v = tl_add(tl_scale(v, o.beta2), tl_scale(tl_mul(g, g), 1 - o.beta2));
    tl_tensor size = tl_add_scalar(tl_scale(tl_sqrt(after.v), root), o.eps);
    after.p = tl_sub(p, tl_scale(tl_div(after.m, size), rate));
    return after;
}

static tl_tensor adam_rule(const void *opts, double lr, int64_t t, tl_tensor p, tl_tensor g,
                           tl_tensor *slot)
{
    tl_adam_opts o = *(const tl_adam_opts *)opts;
    o.lr = lr;
    tl_adam_values after = tl_adam_update(p, g, slot[0], slot[1], t, &o);
    slot[0] = after.m;
    slot[1] = after.v;
    return after.p;
}

static const tl_rule adam = {"adam", 2, {"m", "v"}, adam_rule};

tl_optim *tl_adam_new(tl_params *params, const tl_adam_opts *opts, tl_err *err)
{
    tl_adam_opts o = opts ? *opts : tl_adam_defaults();
    if (!(o.beta1 >= 0 && o.beta1 < 1) || !(o.beta2 >= 0 && o.beta2 < 1) || !(o.eps >= 0)) {
        tl__fail(err, TL_EINVAL,
                 "adam: got beta1 %g, beta2 %g, eps %g; want betas in [0,1), eps >= 0", o.beta1,
                 o.beta2, o.eps);
        return NULL;
    }
    if (o.sparse_rows && o.weight_decay != 0) {
        tl__fail(err, TL_EINVAL,
                 "adam: got sparse_rows with weight_decay %g, which is for all rows; want one of "
                 "the two",
                 o.weight_decay);
        return NULL;
    }
    tl_optim *optim = tl_optim_new(params, &adam, o.lr, &o, sizeof o, err);
    tl_optim_set_rows(optim, o.sparse_rows ? TL_ROWS_ONLY : TL_ROWS_ALL);
    return optim;
}

tl_optim *tl_adamw_new(tl_params *params, const tl_adam_opts *opts, tl_err *err)
{
    tl_adam_opts o = opts ? *opts : tl_adamw_defaults();
    return tl_adam_new(params, &o, err);
}
