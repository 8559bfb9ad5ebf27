/* transform.c -- functions of the gradients of named parameters. */
#include "optim/transform.h"

#include "ops/ops.h"

int tl_name_like(const char *pattern, const char *name)
{
    if (!pattern || !name)
        return name != NULL;
    if (*pattern != '*')
        return *pattern == *name && (!*name || tl_name_like(pattern + 1, name + 1));
    while (pattern[1] == '*')
        pattern++;
    do
        if (tl_name_like(pattern + 1, name))
            return 1;
    while (*name++);
    return 0;
}

int tl_freeze_like(tl_params *params, const char *pattern, int frozen)
{
    int n = 0;
    for (int i = 0; i < tl_params_count(params); i++) {
        tl_param *p = tl_params_at(params, i);
        if (!tl_name_like(pattern, tl_param_name(p)))
            continue;
        tl_param_freeze(p, frozen);
        n++;
    }
    return n;
}

int tl_transform_grads(tl_tape *tape, tl_params *params, const char *pattern, tl_grad_fn fn,
                       void *ctx)
{
    if (!tape || !fn)
        return TL_EINVAL;
    const char *fault = tl__transform_fault(fn, ctx);
    if (fault)
        return tl_tape_fail(tape, TL_EINVAL, "tl_transform_grads", "%s", fault);
    tl_no_grad_open(tape);
    for (int i = 0; i < tl_params_count(params) && tl_tape_status(tape) == TL_OK; i++) {
        tl_param *p = tl_params_at(params, i);
        if (tl_param_is_frozen(p) || !tl_name_like(pattern, tl_param_name(p)))
            continue;
        tl_tensor g = tl_param_grad(tape, p);
        if (g.tape)
            tl_set_param_grad(tape, p, fn(ctx, tape, p, g));
    }
    tl_no_grad_close(tape);
    return tl_tape_status(tape);
}

const char *tl__transform_fault(tl_grad_fn fn, const void *ctx)
{
    const int reads = fn == tl_grad_scaled || fn == tl_grad_decayed || fn == tl_grad_noisy;
    return reads && !ctx ? "got ctx NULL, want the double that this function multiplies by" : NULL;
}

/* scaled -- t times the number in ctx; an error without one, for calls by hand. */
static tl_tensor scaled(void *ctx, const char *what, tl_tensor t)
{
    if (!ctx)
        return tl_fail_tensor(t, TL_EINVAL, what, "%s", tl__transform_fault(tl_grad_scaled, NULL));
    return tl_scale(t, *(const double *)ctx);
}

tl_tensor tl_grad_scaled(void *ctx, tl_tape *tape, tl_param *p, tl_tensor g)
{
    (void)tape, (void)p;
    return scaled(ctx, "tl_grad_scaled", g);
}

tl_tensor tl_grad_decayed(void *ctx, tl_tape *tape, tl_param *p, tl_tensor g)
{
    return tl_add(g, scaled(ctx, "tl_grad_decayed", tl_use(tape, p)));
}

tl_tensor tl_grad_noisy(void *ctx, tl_tape *tape, tl_param *p, tl_tensor g)
{
    tl_tensor noise = tl_randn(tape, tl_param_dtype(p), tl_param_shape(p));
    return tl_add(g, scaled(ctx, "tl_grad_noisy", noise));
}

tl_tensor tl_grad_centred(void *ctx, tl_tape *tape, tl_param *p, tl_tensor g)
{
    (void)ctx, (void)tape, (void)p;
    int axes[TL_MAX_RANK], n = tl_shape_of(g).rank - 1;
    if (n < 1)
        return g;
    for (int i = 0; i < n; i++)
        axes[i] = i + 1;
    return tl_sub(g, tl_mean(g, n, axes, 1));
}
