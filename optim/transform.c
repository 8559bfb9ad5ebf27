/* transform.c -- functions of the gradients of named parameters. */
#include "optim/transform.h"

#include "core/op.h"
#include "ops/ops.h"

#include <stdio.h>

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

int tl__no_such(const tl_params *params, const char *pattern, char *text)
{
    enum { SHOWN = 4 };
    const int n = tl_params_count(params);
    for (int i = 0; i < n; i++)
        if (tl_name_like(pattern, tl_param_name(tl_params_at(params, i))))
            return 0;
    if (!pattern)
        return 0;
    int used =
        snprintf(text, TL_NO_SUCH_TEXT, "no parameter is like \"%.60s\"; there are", pattern);
    for (int i = 0; i < n && i < SHOWN; i++)
        used += snprintf(text + used, TL_NO_SUCH_TEXT - (size_t)used, "%s %.60s", i ? "," : "",
                         tl_param_name(tl_params_at(params, i)));
    if (n == 0)
        snprintf(text + used, TL_NO_SUCH_TEXT - (size_t)used, " none");
    else if (n > SHOWN)
        snprintf(text + used, TL_NO_SUCH_TEXT - (size_t)used, " and %d more", n - SHOWN);
    return 1;
}

int tl_freeze_like(tl_params *params, const char *pattern, int frozen)
{
    int n = 0;
    char text[TL_NO_SUCH_TEXT];
    if (!params)
        return tl__fail(NULL, TL_EINVAL, "tl_freeze_like: no parameters (NULL)");
    if (tl__no_such(params, pattern, text))
        return tl__fail(NULL, TL_ENAME, "tl_freeze_like: %s", text);
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
    char text[TL_NO_SUCH_TEXT];
    if (!params)
        return tl_tape_fail(tape, TL_EINVAL, "tl_transform_grads", "no parameters (NULL)");
    if (tl__no_such(params, pattern, text))
        return tl_tape_fail(tape, TL_ENAME, "tl_transform_grads", "%s", text);
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
    return tl_add(g, scaled(ctx, "tl_grad_decayed", tl_use_stored(tape, p)));
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
