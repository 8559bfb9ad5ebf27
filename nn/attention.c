/* attention.c -- scaled dot-product attention. */
#include "nn/attention.h"

#include "ops/ops.h"

#include <math.h>

/* leading -- the shape without its last two axes. */
static tl_shape leading(tl_shape s)
{
    s.rank -= 2;
    return s;
}

/* fit -- whether the shapes go together; *scores: [...,T,S]. */
static int fit(tl_shape q, tl_shape k, tl_shape v, const tl_shape *mask, tl_shape *scores)
{
    tl_shape all, both;
    if (q.rank < 2 || k.rank < 2 || v.rank < 2 || q.dim[q.rank - 1] != k.dim[k.rank - 1] ||
        q.dim[q.rank - 1] == 0 || k.dim[k.rank - 2] != v.dim[v.rank - 2] ||
        k.dim[k.rank - 2] == 0 || tl_shape_broadcast(leading(q), leading(k), scores) ||
        tl_shape_broadcast(*scores, leading(v), &all))
        return 0;
    scores->dim[scores->rank++] = q.dim[q.rank - 2];
    scores->dim[scores->rank++] = k.dim[k.rank - 2];
    return !mask || (!tl_shape_broadcast(*scores, *mask, &both) && tl_shape_equal(both, *scores));
}

tl_tensor tl_attention(tl_tensor q, tl_tensor k, tl_tensor v, tl_tensor mask)
{
    const tl_tensor given[4] = {q, k, v, mask.tape ? mask : q};
    if (!tl__same_tape("attention", 4, given))
        return tl__inert(q);
    const tl_shape sq = tl_shape_of(q), sk = tl_shape_of(k), sv = tl_shape_of(v),
                   sm = tl_shape_of(mask);
    const tl_dtype dtype = tl_dtype_of(q);
    tl_shape s;
    if (!fit(sq, sk, sv, mask.tape ? &sm : NULL, &s)) {
        char tq[TL_SHAPE_TEXT], tk[TL_SHAPE_TEXT], tv[TL_SHAPE_TEXT], tm[TL_SHAPE_TEXT];
        return tl_fail_tensor(
            q, TL_ESHAPE, "attention",
            "got q %s, k %s, v %s, mask %s, want [...,T,D], [...,S,D], [...,S,E], [T,S]; D, S >= 1",
            tl_shape_text(sq, tq, sizeof tq), tl_shape_text(sk, tk, sizeof tk),
            tl_shape_text(sv, tv, sizeof tv),
            mask.tape ? tl_shape_text(sm, tm, sizeof tm) : "none");
    }
    if (dtype == TL_I32 || tl_dtype_of(k) != dtype || tl_dtype_of(v) != dtype ||
        (mask.tape && tl_dtype_of(mask) != dtype && tl_dtype_of(mask) != TL_I32))
        return tl_fail_tensor(
            q, TL_EDTYPE, "attention",
            "got q %s, k %s, v %s, mask %s, want f32 or f64 all, the mask also i32",
            tl_dtype_name(dtype), tl_dtype_name(tl_dtype_of(k)), tl_dtype_name(tl_dtype_of(v)),
            mask.tape ? tl_dtype_name(tl_dtype_of(mask)) : "none");
    tl_scope_open(q.tape, "attention");
    tl_tensor scores = tl_scale(tl_matmul_t(q, 0, k, 1), 1 / sqrt((double)tl_dim(q, -1)));
    if (mask.tape) /* finite: a row of -inf alone would be NaN; exp of it is 0 beside any score */
        scores = tl_where(mask, scores, tl_scalar(q.tape, dtype, -1e30));
    tl_tensor weights = tl_softmax(scores, -1);
    if (mask.tape)
        weights = tl_where(mask, weights, tl_scalar(q.tape, dtype, 0));
    const tl_tensor y = tl_matmul(weights, v);
    tl_scope_close(q.tape);
    return y;
}
