/* clip.c -- limits on the gradients. */
#include "optim/clip.h"

#include "core/op.h"
#include "ops/ops.h"

/* p's gradient, or the inert tensor for a frozen parameter and one without gradient. */
static tl_tensor gradient(tl_tape *tape, tl_param *p)
{
    tl_tensor none = {0};
    return tl_param_is_frozen(p) ? none : tl_param_grad(tape, p);
}

static tl_tensor norm_of(tl_tape *tape, tl_params *params)
{
    tl_tensor square = tl_scalar(tape, tl_params_dtype(params), 0);
    for (int i = 0; i < tl_params_count(params); i++) {
        tl_tensor g = gradient(tape, tl_params_at(params, i));
        if (g.tape)
            square = tl_add(square, tl_sum_all(tl_mul(g, g)));
    }
    return tl_sqrt(square);
}

/* is_limit -- whether there are parameters, and a limit that is no NaN and not negative; the error if
 * not. */
static int is_limit(tl_tape *tape, const tl_params *params, const char *what, double limit)
{
    if (!params)
        tl_tape_fail(tape, TL_EINVAL, what, "no parameters (NULL)");
    else if (!(limit >= 0))
        tl_tape_fail(tape, TL_ERANGE, what, "got limit %g, want 0 or more", limit);
    return params && limit >= 0;
}

tl_tensor tl_grad_norm(tl_tape *tape, tl_params *params)
{
    if (!is_limit(tape, params, "tl_grad_norm", 0))
        return tl__inert_on(tape);
    tl_no_grad_open(tape);
    tl_tensor norm = norm_of(tape, params);
    tl_no_grad_close(tape);
    return norm;
}

/* check_any -- that there is a gradient to change: after an error the tape has it. */
static int check_any(tl_tape *tape, tl_params *params, const char *what)
{
    int code = tl_tape_status(tape);
    for (int i = 0; !code && i < tl_params_count(params); i++)
        if (gradient(tape, tl_params_at(params, i)).tape)
            return TL_OK;
    return code ? code
                : tl_tape_fail(tape, TL_ENOGRAD, what,
                               "no parameter has a gradient on this tape: tl_backward comes first");
}

tl_tensor tl_clip_grad_norm(tl_tape *tape, tl_params *params, double max_norm)
{
    if (!is_limit(tape, params, "tl_clip_grad_norm", max_norm) ||
        check_any(tape, params, "tl_clip_grad_norm"))
        return tl__inert_on(tape);
    tl_no_grad_open(tape);
    tl_tensor norm = norm_of(tape, params), limit = tl_scalar(tape, tl_dtype_of(norm), max_norm);
    tl_tensor factor = tl_clamp(tl_div(limit, tl_add_scalar(norm, 1e-6)), 0, 1);
    for (int i = 0; i < tl_params_count(params); i++) {
        tl_param *p = tl_params_at(params, i);
        tl_tensor g = gradient(tape, p);
        if (g.tape)
            tl_set_param_grad(tape, p, tl_mul(g, factor));
    }
    tl_no_grad_close(tape);
    return norm;
}

void tl_clip_grad_value(tl_tape *tape, tl_params *params, double limit)
{
    if (!is_limit(tape, params, "tl_clip_grad_value", limit) ||
        check_any(tape, params, "tl_clip_grad_value"))
        return;
    tl_no_grad_open(tape);
    for (int i = 0; i < tl_params_count(params); i++) {
        tl_param *p = tl_params_at(params, i);
        tl_tensor g = gradient(tape, p);
        if (g.tape)
            tl_set_param_grad(tape, p, tl_clamp(g, -limit, limit));
    }
    tl_no_grad_close(tape);
}
