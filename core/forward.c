/* forward.c -- tl_jvp: the forward sweep (tangent.c) from inputs to outputs; and what is made of
 * it and of tl_grad. */
#include "core/forward.h"

#include "core/space.h"
#include "core/sweep.h"
#include "core/tangent.h"

#include <string.h>

/* ---- tl_jvp ---------------------------------------------------------------------------------- */

/* mark -- what the outputs are made of, of this level. */
static void mark(tl_tangents *l, int nout, const tl_tensor *out)
{
    for (int i = 0; i < nout; i++)
        l->marked[tl__tangents_find(l, out[i].slot)] = 1;
    for (uint32_t p = l->n; p-- > 0;) {
        const tl_node *n = &l->tape->nodes[l->slot[p]];
        for (uint32_t i = 0; l->marked[p] && i < n->nin; i++) {
            const uint32_t o = tl__tangents_find(l, n->in[i]);
            if (o != TL_NONE)
                l->marked[o] = 1;
        }
    }
}

/* fill -- the level's slots: everything visible here up to the last output. */
static int fill(tl_tangents *l, tl_tape *tape, int nin, const tl_tensor *in,
                const tl_tensor *tangent, int nout, const tl_tensor *out)
{
    uint32_t low = TL_NONE, high = 0;
    for (int i = 0; i < nin; i++)
        low = in[i].slot < low ? in[i].slot : low;
    for (int i = 0; i < nout; i++) {
        low = out[i].slot < low ? out[i].slot : low;
        high = out[i].slot > high ? out[i].slot : high;
    }
    if (tl__tangents_open(l, tape, NULL, (size_t)high - low + 1))
        return tape->code;
    for (uint32_t slot = low; slot <= high; slot++)
        if (tl__visible(tape, tape->nodes[slot].frame, tape->frame))
            l->slot[l->n++] = slot;
    mark(l, nout, out);
    for (int i = 0; i < nin && !tape->code; i++) {
        const uint32_t p = tl__tangents_find(l, in[i].slot);
        if (p == TL_NONE)
            continue;
        const tl_tensor t =
            tangent ? tangent[i] : tl_ones(tape, tl_dtype_of(in[i]), tl_shape_of(in[i]));
        l->d[p] = l->d[p].tape ? tl_add(l->d[p], t) : t;
    }
    return tape->code;
}

int tl_jvp(int nin, const tl_tensor *in, const tl_tensor *tangent, int nout, const tl_tensor *out,
           tl_tensor *dout)
{
    const tl_tensor first = nout > 0 && out ? out[0] : (tl_tensor){0};
    tl_tape *tape = first.tape;
    if (nout > 0 && !dout)
        return tl__no_room(tape, "tl_jvp", "tangents", nout);
    int code = tape ? tape->code : tl__inert_code(first);
    if (!code)
        code = tl__check_floating(tape, "tl_jvp", "output", nout, out);
    if (!code)
        code = tl__check_floating(tape, "tl_jvp", "input", nin, in);
    if (!code && tangent)
        code = tl__check_like(tape, "tl_jvp", "tangent", tangent, "input", nin, in);
    if (!code) {
        tl_tangents l;
        if (fill(&l, tape, nin, in, tangent, nout, out) == TL_OK)
            tl__tangents_run(&l);
        for (int i = 0; i < nout && !tape->code; i++) {
            dout[i] = l.d[tl__tangents_find(&l, out[i].slot)];
            if (!dout[i].tape)
                dout[i] = tl_zeros(tape, tl_dtype_of(out[i]), tl_shape_of(out[i]));
        }
        tl__tangents_close(&l);
        code = tape->code;
    }
    for (int i = 0; code && i < nout; i++)
        dout[i] = tl__inert(first);
    return code;
}

/* ---- products -------------------------------------------------------------------------------- */

int tl_vjp(int nout, const tl_tensor *out, const tl_tensor *cotangent, int nin, const tl_tensor *in,
           tl_tensor *grad)
{
    if (nout > 0 && out && !cotangent && out[0].tape)
        tl_tape_fail(out[0].tape, TL_EINVAL, "tl_vjp",
                     "no cotangents (NULL), want one for each of %d outputs", nout);
    return tl_grad(nout, out, cotangent, nin, in, grad);
}

int tl_hvp(tl_tensor loss, int n, const tl_tensor *in, const tl_tensor *v, tl_tensor *hv)
{
    tl_tape *tape = loss.tape;
    if (n > 0 && !hv)
        return tl__no_room(tape, "tl_hvp", "products", n);
    int code = tape ? tape->code : tl__inert_code(loss);
    if (!code)
        code = tl__check_floating(tape, "tl_hvp", "output", 1, &loss);
    char text[TL_SHAPE_TEXT];
    if (!code && tl_shape_count(tl_shape_of(loss)) != 1)
        code =
            tl_tape_fail(tape, TL_ESHAPE, "tl_hvp", "the loss has shape %s, want a single number",
                         tl_shape_text(tl_shape_of(loss), text, sizeof text));
    if (!code)
        code = tl__check_floating(tape, "tl_hvp", "input", n, in);
    if (!code && v)
        code = tl__check_like(tape, "tl_hvp", "v", v, "input", n, in);
    if (!code && n > 0)
        code = tl_grad(1, &loss, NULL, n, in, hv);
    tl_tensor *g = code || n <= 0 ? NULL : tl__calloc((size_t)n, sizeof *g);
    if (!code && n > 0 && !g)
        code = tl_tape_fail(tape, TL_ENOMEM, "tl_hvp", "no memory for %d gradients", n);
    if (g) {
        memcpy(g, hv, (size_t)n * sizeof *g);
        code = tl_grad(n, g, v, n, in, hv);
    }
    tl__free(g);
    for (int i = 0; code && i < n; i++)
        hv[i] = tl__inert(loss);
    return code;
}

/* ---- the Jacobian ---------------------------------------------------------------------------- */

/* unit -- element k is one, the others zero: a piece of one element in zeros. */
static tl_tensor unit(tl_tensor like, int64_t k)
{
    const tl_shape shape = tl_shape_of(like);
    const int64_t offset[1][TL_MAX_RANK] = {{k}};
    const tl_tensor one = tl_ones(like.tape, tl_dtype_of(like), tl_shape1(1));
    return tl_reshape(tl_assemble(tl_shape1(tl_shape_count(shape)), 1, &one, offset), shape);
}

/* rows, columns -- fill piece[] with the rows [1,columns] or the columns [rows,1], offset[] with
 * their places. */
static void rows(tl_tensor out, tl_tensor in, int64_t n, tl_tensor *piece,
                 int64_t (*offset)[TL_MAX_RANK])
{
    for (int64_t k = 0; k < n && !out.tape->code; k++) {
        const tl_tensor seed = unit(out, k);
        tl_tensor g;
        if (tl_grad(1, &out, &seed, 1, &in, &g))
            return;
        piece[k] = tl_reshape(g, tl_shape2(1, tl_shape_count(tl_shape_of(in))));
        offset[k][0] = k;
    }
}

static void columns(tl_tensor out, tl_tensor in, int64_t n, tl_tensor *piece,
                    int64_t (*offset)[TL_MAX_RANK])
{
    for (int64_t k = 0; k < n && !out.tape->code; k++) {
        const tl_tensor direction = unit(in, k);
        tl_tensor d;
        if (tl_jvp(1, &in, &direction, 1, &out, &d))
            return;
        piece[k] = tl_reshape(d, tl_shape2(tl_shape_count(tl_shape_of(out)), 1));
        offset[k][1] = k;
    }
}

tl_tensor tl_jacobian(tl_tensor out, tl_tensor in, tl_jacobian_by by)
{
    tl_tensor j = {0};
    tl_tape *tape = out.tape;
    if (!tape || tape->code || tl__check_floating(tape, "tl_jacobian", "output", 1, &out) ||
        tl__check_floating(tape, "tl_jacobian", "input", 1, &in))
        return tl__inert(out);
    tl_shape shape = tl_shape_of(out);
    const tl_shape inner = tl_shape_of(in);
    char a[TL_SHAPE_TEXT], b[TL_SHAPE_TEXT];
    if (by != TL_BY_ROWS && by != TL_BY_COLUMNS) {
        tl_tape_fail(tape, TL_EINVAL, "tl_jacobian",
                     "got by = %d, want TL_BY_ROWS or TL_BY_COLUMNS", (int)by);
        return tl__inert(out);
    }
    if (shape.rank + inner.rank > TL_MAX_RANK) {
        tl_tape_fail(tape, TL_ESHAPE, "tl_jacobian",
                     "got output %s and input %s, want ranks of %d at most together",
                     tl_shape_text(shape, a, sizeof a), tl_shape_text(inner, b, sizeof b),
                     TL_MAX_RANK);
        return tl__inert(out);
    }
    const int64_t nout = tl_shape_count(shape), nin = tl_shape_count(inner);
    const int64_t n = by == TL_BY_ROWS ? nout : nin;
    memcpy(shape.dim + shape.rank, inner.dim, (size_t)inner.rank * sizeof inner.dim[0]);
    shape.rank += inner.rank;
    int64_t(*offset)[TL_MAX_RANK] =
        n > INT32_MAX ? NULL : tl__calloc((size_t)n + 1, sizeof *offset + sizeof(tl_tensor));
    if (!offset) {
        tl_tape_fail(tape, TL_ENOMEM, "tl_jacobian", "no memory for %lld directions", (long long)n);
        return tl__inert(out);
    }
    tl_tensor *piece = (tl_tensor *)(offset + n + 1);
    if (n == 0) {
        j = tl_zeros(tape, tl_dtype_of(out), shape);
    } else {
        (by == TL_BY_ROWS ? rows : columns)(out, in, n, piece, offset);
        if (!tape->code)
            j = tl_reshape(tl_assemble(tl_shape2(nout, nin), (int)n, piece,
                                       (const int64_t(*)[TL_MAX_RANK])offset),
                           shape);
    }
    tl__free(offset);
    return tape->code ? tl__inert_on(tape) : j;
}

tl_tensor tl_hessian(tl_tensor loss, tl_tensor in)
{
    return tl_jacobian(tl_gradient(loss, in), in, TL_BY_COLUMNS);
}
