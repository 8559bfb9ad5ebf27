/* adam.c -- Adam and AdamW. */
#include "optim/adam.h"

#include "core/op.h"
#include "ops/ops.h"
#include "optim/operands.h"

#include <float.h>
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

/* rates -- the numbers of one step, as operands: lr / (1 - b1^t), and for decoupled decay what p is
 * multiplied by, 1 - lr lambda; inert without it. */
typedef struct rates {
    tl_tensor rate, keep;
} rates;

static rates rates_of(tl_tensor p, int64_t t, double lr, const tl_adam_opts *o)
{
    const double rate = lr / (1 - pow(o->beta1, (double)t));
    rates r = {tl_scalar(p.tape, tl_dtype_of(p), rate), {0}};
    if (o->decoupled && o->weight_decay != 0)
        r.keep = tl_scalar(p.tape, tl_dtype_of(p), 1 - lr * o->weight_decay);
    return r;
}

/* root -- sqrt(v). To be differentiated, it has the slope 0 at 0, where v came from g = 0 and the
 * slope of sqrt times that of g^2 would be infinity times 0. */
static tl_tensor root(tl_tensor v, int smooth)
{
    if (smooth)
        v = tl_maximum(v, tl_scalar(v.tape, tl_dtype_of(v),
                                    tl_dtype_of(v) == TL_F32 ? (double)FLT_MIN : DBL_MIN));
    return tl_sqrt(v);
}

static tl_adam_values update(tl_tensor p, tl_tensor g, tl_tensor m, tl_tensor v, int64_t t, rates r,
                             int smooth, const tl_adam_opts *o)
{
    const double correct = 1 / sqrt(1 - pow(o->beta2, (double)t));
    if (r.keep.tape)
        p = tl_mul(p, r.keep);
    else if (o->weight_decay != 0)
        g = tl_add(g, tl_scale(p, o->weight_decay));

    tl_adam_values after;
    after.m = tl_add(tl_scale(m, o->beta1), tl_scale(g, 1 - o->beta1));
    after.v = tl_add(tl_scale(v, o->beta2), tl_scale(tl_mul(g, g), 1 - o->beta2));
    tl_tensor size = tl_add_scalar(tl_scale(root(after.v, smooth), correct), o->eps);
    after.p = tl_sub(p, tl_mul(tl_div(after.m, size), r.rate));
    return after;
}

/* check -- TL_OK, or what is wrong with the options. */
static int check(const tl_adam_opts *o, tl_err *err)
{
    if (!(o->beta1 >= 0 && o->beta1 < 1) || !(o->beta2 >= 0 && o->beta2 < 1) || !(o->eps >= 0))
        return tl__fail(err, TL_EINVAL,
                        "adam: got beta1 %g, beta2 %g, eps %g; want betas in [0,1), eps >= 0",
                        o->beta1, o->beta2, o->eps);
    if (o->sparse_rows && o->weight_decay != 0)
        return tl__fail(err, TL_EINVAL,
                        "adam: got sparse_rows with weight_decay %g, which is for all rows; want "
                        "one of the two",
                        o->weight_decay);
    return TL_OK;
}

/* fits -- whether a step can be made of this; the tape's error if not. */
static int fits(const char *what, tl_tensor p, tl_tensor g, tl_tensor m, tl_tensor v, int64_t t,
                tl_tensor *lr, const tl_adam_opts *o)
{
    const tl_operand like[] = {{"g", g}, {"m", m}, {"v", v}};
    tl_err err = {0};
    if (!tl__operands_fit(what, p, 3, like, t, lr))
        return 0;
    if (check(o, &err) || (!lr && tl__rate_fits("adam", o->lr, &err)))
        return tl_tape_fail(p.tape, err.code, what, "%s", err.message) == TL_OK;
    if (o->sparse_rows)
        tl_tape_fail(p.tape, TL_EINVAL, what,
                     "got sparse_rows, which is for tl_adam_new; want all rows, or p, g, m and v "
                     "gathered");
    return !o->sparse_rows;
}

/* nothing -- what is returned after an error. */
static tl_adam_values nothing(tl_tensor p)
{
    const tl_tensor none = tl__inert(p);
    return (tl_adam_values){none, none, none};
}

tl_adam_values tl_adam_update(tl_tensor p, tl_tensor g, tl_tensor m, tl_tensor v, int64_t t,
                              const tl_adam_opts *opts)
{
    const tl_adam_opts o = opts ? *opts : tl_adam_defaults();
    if (!fits("tl_adam_update", p, g, m, v, t, NULL, &o))
        return nothing(p);
    return update(p, g, m, v, t, rates_of(p, t, o.lr, &o), 1, &o);
}

tl_adam_values tl_adam_update_lr(tl_tensor p, tl_tensor g, tl_tensor m, tl_tensor v, int64_t t,
                                 tl_tensor lr, const tl_adam_opts *opts)
{
    const tl_adam_opts o = opts ? *opts : tl_adam_defaults();
    if (!fits("tl_adam_update_lr", p, g, m, v, t, &lr, &o))
        return nothing(p);
    rates r = {tl_scale(lr, 1 / (1 - pow(o.beta1, (double)t))), {0}};
    if (o.decoupled && o.weight_decay != 0)
        r.keep = tl_rsub_scalar(tl_scale(lr, o.weight_decay), 1);
    return update(p, g, m, v, t, r, 1, &o);
}

static tl_tensor adam_rule(const void *opts, double lr, int64_t t, tl_tensor p, tl_tensor g,
                           tl_tensor *slot)
{
    const tl_adam_opts *o = opts;
    tl_adam_values after = update(p, g, slot[0], slot[1], t, rates_of(p, t, lr, o), 0, o);
    slot[0] = after.m;
    slot[1] = after.v;
    return after.p;
}

static const tl_rule adam = {"adam", 2, {"m", "v"}, adam_rule};

tl_optim *tl_adam_new(tl_params *params, const tl_adam_opts *opts, tl_err *err)
{
    tl_adam_opts o = opts ? *opts : tl_adam_defaults();
    if (check(&o, err) || tl__rate_fits("adam", o.lr, err))
        return NULL;
    tl_optim *optim = tl_optim_new(params, &adam, o.lr, &o, sizeof o, err);
    tl_optim_set_rows(optim, o.sparse_rows ? TL_ROWS_ONLY : TL_ROWS_ALL);
    return optim;
}

tl_optim *tl_adamw_new(tl_params *params, const tl_adam_opts *opts, tl_err *err)
{
    tl_adam_opts o = opts ? *opts : tl_adamw_defaults();
    return tl_adam_new(params, &o, err);
}
