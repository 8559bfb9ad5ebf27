/* sgd.c -- stochastic gradient descent, with momentum. */
#include "optim/sgd.h"

#include "core/op.h"
#include "ops/ops.h"
#include "optim/operands.h"

tl_sgd_opts tl_sgd_defaults(void)
{
    tl_sgd_opts o = {0.01, 0, 0, 0, 0};
    return o;
}

/* check -- TL_OK, or what is wrong with the options. */
static int check(const tl_sgd_opts *o, tl_err *err)
{
    if (o->momentum >= 0 && (!o->nesterov || (o->momentum != 0 && o->dampening == 0)))
        return TL_OK;
    return tl__fail(err, TL_EINVAL,
                    "sgd: got momentum %g, dampening %g, nesterov %d; want momentum >= 0, and with "
                    "nesterov momentum > 0 and dampening 0",
                    o->momentum, o->dampening, o->nesterov);
}

/* fits -- whether a step can be made of this; the tape's error if not. */
static int fits(const char *what, tl_tensor p, tl_tensor g, tl_tensor m, int64_t t, tl_tensor *lr,
                const tl_sgd_opts *o)
{
    const tl_operand like[] = {{"g", g}, {"m", m}};
    tl_err err = {0};
    if (!tl__operands_fit(what, p, o->momentum != 0 ? 2 : 1, like, t, lr))
        return 0;
    if (check(o, &err) || (!lr && tl__rate_fits("sgd", o->lr, &err)))
        tl_tape_fail(p.tape, err.code, what, "%s", err.message);
    return err.code == TL_OK;
}

static tl_sgd_values update(tl_tensor p, tl_tensor g, tl_tensor m, int64_t t, tl_tensor lr,
                            tl_sgd_opts o)
{
    if (o.weight_decay != 0)
        g = tl_add(g, tl_scale(p, o.weight_decay));
    if (o.momentum != 0) {
        /* m is zero before the first step, which is not dampened */
        m = tl_add(tl_scale(m, o.momentum), tl_scale(g, t > 1 ? 1 - o.dampening : 1));
        g = o.nesterov ? tl_add(g, tl_scale(m, o.momentum)) : m;
    }
    tl_sgd_values after = {tl_sub(p, tl_mul(g, lr)), m};
    return after;
}

tl_sgd_values tl_sgd_update_lr(tl_tensor p, tl_tensor g, tl_tensor m, int64_t t, tl_tensor lr,
                               const tl_sgd_opts *opts)
{
    const tl_sgd_opts o = opts ? *opts : tl_sgd_defaults();
    if (!fits("tl_sgd_update_lr", p, g, m, t, &lr, &o))
        return (tl_sgd_values){tl__inert(p), tl__inert(p)};
    return update(p, g, m, t, lr, o);
}

tl_sgd_values tl_sgd_update(tl_tensor p, tl_tensor g, tl_tensor m, int64_t t,
                            const tl_sgd_opts *opts)
{
    const tl_sgd_opts o = opts ? *opts : tl_sgd_defaults();
    if (!fits("tl_sgd_update", p, g, m, t, NULL, &o))
        return (tl_sgd_values){tl__inert(p), tl__inert(p)};
    return update(p, g, m, t, tl_scalar(p.tape, tl_dtype_of(p), o.lr), o);
}

static tl_tensor sgd_rule(const void *opts, double lr, int64_t t, tl_tensor p, tl_tensor g,
                          tl_tensor *slot)
{
    const tl_sgd_opts o = *(const tl_sgd_opts *)opts;
    const tl_tensor m = o.momentum != 0 ? slot[0] : (tl_tensor){0};
    tl_sgd_values after = update(p, g, m, t, tl_scalar(p.tape, tl_dtype_of(p), lr), o);
    if (o.momentum != 0)
        slot[0] = after.m;
    return after.p;
}

static const tl_rule plain = {"sgd", 0, {0}, sgd_rule};
static const tl_rule with_momentum = {"sgd", 1, {"m"}, sgd_rule};

tl_optim *tl_sgd_new(tl_params *params, const tl_sgd_opts *opts, tl_err *err)
{
    tl_sgd_opts o = opts ? *opts : tl_sgd_defaults();
    if (check(&o, err) || tl__rate_fits("sgd", o.lr, err))
        return NULL;
    tl_optim *optim =
        tl_optim_new(params, o.momentum != 0 ? &with_momentum : &plain, o.lr, &o, sizeof o, err);
    if (o.momentum == 0 && o.weight_decay == 0)
        tl_optim_set_rows(optim, TL_ROWS_SAME);
    return optim;
}
