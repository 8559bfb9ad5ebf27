/* grad.c -- tl_grad: the gradient of outputs with respect to inputs, recorded by the sweep
 * (sweep.c).
 *
 * Only what lies between the inputs and the outputs is looked at. Inside an open scan the level is
 * its body with all around it: carries and x_t are inputs of the step there, the steps before are
 * not part of the gradient. */
#include "core/grad.h"
#include "core/sweep.h"

#include <string.h>

int tl__check_floating(tl_tape *tape, const char *what, const char *role, int n, const tl_tensor *t)
{
    char text[160];
    if (n < 0)
        return tl_tape_fail(tape, TL_EINVAL, what, "got %d %ss, want 0 or more", n, role);
    if (n > 0 && !t)
        return tl_tape_fail(tape, TL_EINVAL, what, "no %ss (NULL), want %d", role, n);
    for (int i = 0; i < n; i++) {
        if (!t[i].tape)
            return tl_tape_fail(tape, TL_EINVAL, what, "%s %d is the inert tensor", role, i);
        if (t[i].tape != tape) {
            tl_tape_fail(t[i].tape, TL_ETAPE, what, "%s %d lives on this tape, output 0 on another",
                         role, i);
            return tl_tape_fail(tape, TL_ETAPE, what, "%s %d lives on another tape than output 0",
                                role, i);
        }
        const tl_node *node = tl__node(t[i], what);
        if (!node)
            return tape->code;
        if (!tl__visible(tape, node->frame, tape->frame))
            return tl_tape_fail(tape, TL_EFRAME, what,
                                "%s %d, %s, belongs to the body of scan \"%s\"", role, i,
                                tl__describe(tape, t[i].slot, text, sizeof text),
                                tape->scopes[tape->frames[node->frame].scope]);
        if (node->dtype == TL_I32)
            return tl_tape_fail(tape, TL_EDTYPE, what, "%s %d, %s, is i32, want f32 or f64", role,
                                i, tl__describe(tape, t[i].slot, text, sizeof text));
    }
    return TL_OK;
}

int tl__check_like(tl_tape *tape, const char *what, const char *role, const tl_tensor *t,
                   const char *as, int n, const tl_tensor *like)
{
    char got[TL_SHAPE_TEXT], want[TL_SHAPE_TEXT];
    const int code = tl__check_floating(tape, what, role, n, t);
    for (int i = 0; i < n && code == TL_OK; i++)
        if (tl_dtype_of(like[i]) != tl_dtype_of(t[i]) ||
            !tl_shape_equal(tl_shape_of(like[i]), tl_shape_of(t[i])))
            return tl_tape_fail(tape, TL_ESHAPE, what, "%s %d is %s %s, want %s %s as %s %d", role,
                                i, tl_dtype_name(tl_dtype_of(t[i])),
                                tl_shape_text(tl_shape_of(t[i]), got, sizeof got),
                                tl_dtype_name(tl_dtype_of(like[i])),
                                tl_shape_text(tl_shape_of(like[i]), want, sizeof want), as, i);
    return code;
}

int tl__no_room(tl_tape *tape, const char *what, const char *results, int n)
{
    return tl_tape_fail(tape, TL_EINVAL, what, "no room for the %s (NULL), want %d", results, n);
}

/* fill -- the level's slots: everything visible here from the first input to the last output. */
static int fill(tl_sweep *w, tl_tape *tape, int nout, const tl_tensor *out, int nin,
                const tl_tensor *in)
{
    uint32_t low = TL_NONE, high = 0;
    for (int i = 0; i < nin; i++)
        low = in[i].slot < low ? in[i].slot : low;
    for (int i = 0; i < nout; i++)
        high = out[i].slot > high ? out[i].slot : high;
    for (int i = 0; i < nin; i++)
        high = in[i].slot > high ? in[i].slot : high;
    if (tl__sweep_open(w, tape, NULL, tape->frame, (size_t)high - low + 1))
        return tape->code;
    for (uint32_t slot = low; slot <= high; slot++)
        if (tl__visible(tape, tape->nodes[slot].frame, tape->frame))
            w->slot[w->n++] = slot;
    for (int i = 0; i < nin; i++)
        w->flags[tl__sweep_find(w, in[i].slot)] = TL_SWEEP_WANTED;
    tl__sweep_spread(w);
    return TL_OK;
}

/* sweep -- seeds, the backward pass, and the gradients of the inputs. */
static void sweep(tl_sweep *w, int nout, const tl_tensor *out, const tl_tensor *seed, int nin,
                  const tl_tensor *in, tl_tensor *grad)
{
    tl_tape *tape = w->tape;
    const uint32_t of = tape->of;
    for (int i = 0; i < nout; i++) {
        tape->of = out[i].slot;
        if (tl__sweep_flags(w, out[i].slot))
            tl__sweep_add(w, out[i].slot,
                          seed ? seed[i] : tl_ones(tape, tl_dtype_of(out[i]), tl_shape_of(out[i])),
                          TL_NONE);
    }
    tl__sweep_run(w);
    for (int i = 0; i < nin; i++) {
        const tl_tensor input = in[i];
        tape->of = input.slot;
        tl_tensor g = tl__sweep_sum(w, tl__sweep_find(w, input.slot));
        grad[i] = g.tape ? g : tl_zeros(tape, tl_dtype_of(input), tl_shape_of(input));
    }
    tape->of = of;
}

int tl_grad(int nout, const tl_tensor *out, const tl_tensor *seed, int nin, const tl_tensor *in,
            tl_tensor *grad)
{
    const tl_tensor first = nout > 0 && out ? out[0] : (tl_tensor){0};
    tl_tape *tape = first.tape;
    if (nin > 0 && !grad)
        return tl__no_room(tape, "tl_grad", "gradients", nin);
    int code = tape ? tape->code : tl__inert_code(first);
    if (!code && nin != 0)
        code = tl__check_floating(tape, "tl_grad", "output", nout, out);
    if (!code && nin != 0)
        code = tl__check_floating(tape, "tl_grad", "input", nin, in);
    if (!code && seed)
        code = tl__check_like(tape, "tl_grad", "seed", seed, "output", nout, out);
    if (!code && nin > 0) {
        tl_sweep w;
        const uint32_t frame = tape->frame, scope = tape->scope;
        if (fill(&w, tape, nout, out, nin, in) == TL_OK)
            sweep(&w, nout, out, seed, nin, in, grad);
        tl__sweep_close(&w);
        tl__spot_leave(tape, (tl_spot){frame, scope});
        code = tape->code;
    }
    for (int i = 0; code && i < nin; i++)
        grad[i] = tl__inert(first);
    return code;
}

tl_tensor tl_gradient(tl_tensor out, tl_tensor in)
{
    const tl_node *n = tl__node(out, "tl_gradient");
    tl_tensor g = tl__inert(out);
    char text[TL_SHAPE_TEXT];
    if (n && tl_shape_count(n->shape) != 1)
        tl_tape_fail(out.tape, TL_ESHAPE, "tl_gradient",
                     "got a value of shape %s, want a single number (tl_grad takes others)",
                     tl_shape_text(n->shape, text, sizeof text));
    else if (n)
        tl_grad(1, &out, NULL, 1, &in, &g);
    return out.tape && out.tape->code ? tl__inert_on(out.tape) : g;
}
