/* loss.c -- what training makes small: compositions, each with its equation above it. */
#include "ops/loss.h"

#include "core/op.h"
#include "core/space.h"
#include "ops/along.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"

#include <float.h>

/* number -- a constant of t's dtype. */
static tl_tensor number(tl_tensor t, double value)
{
    return tl_scalar(t.tape, tl_dtype_of(t), value);
}

/* mean -- of all elements; 0 when there are none. */
static tl_tensor mean(tl_tensor t)
{
    int64_t n = tl_shape_count(tl_shape_of(t));
    return tl_scale(tl_sum_all(t), 1.0 / (double)(n > 0 ? n : 1));
}

/* check_pair -- two floating tensors of one tape, shape and dtype. */
static int check_pair(const char *what, tl_tensor a, tl_tensor b)
{
    tl_tensor t[2] = {a, b};
    if (!tl__same_tape(what, 2, t))
        return 0;
    char text_a[TL_SHAPE_TEXT], text_b[TL_SHAPE_TEXT];
    if (!tl_shape_equal(tl_shape_of(a), tl_shape_of(b))) {
        tl_fail_tensor(a, TL_ESHAPE, what, "got %s and %s, want equal shapes (tl_reshape)",
                       tl_shape_text(tl_shape_of(a), text_a, sizeof text_a),
                       tl_shape_text(tl_shape_of(b), text_b, sizeof text_b));
        return 0;
    }
    if (tl_dtype_of(a) != tl_dtype_of(b) || tl_dtype_of(a) == TL_I32) {
        tl_fail_tensor(a, TL_EDTYPE, what, "got %s and %s, want f32 and f32 or f64 and f64",
                       tl_dtype_name(tl_dtype_of(a)), tl_dtype_name(tl_dtype_of(b)));
        return 0;
    }
    return 1;
}

/* ---- classes --------------------------------------------------------------------------------- */

tl_tensor tl_cross_entropy(tl_tensor z, tl_tensor c, int32_t skip)
{
    tl_tensor in[2] = {z, c};
    if (!tl__same_tape("cross_entropy", 2, in))
        return tl__inert(z);
    tl_shape rows = tl_shape_of(z), column = tl_shape_of(z); /* [...] and [...,1] */
    char text_z[TL_SHAPE_TEXT], text_c[TL_SHAPE_TEXT];
    if (rows.rank > 0) {
        rows.dim[--rows.rank] = 0;
        column.dim[rows.rank] = 1;
    }
    if (tl_rank(z) == 0 || !tl_shape_equal(rows, tl_shape_of(c)))
        return tl_fail_tensor(z, TL_ESHAPE, "cross_entropy",
                              "got logits %s, classes %s, want [...,K], [...]",
                              tl_shape_text(tl_shape_of(z), text_z, sizeof text_z),
                              tl_shape_text(tl_shape_of(c), text_c, sizeof text_c));
    if (tl_dtype_of(z) == TL_I32 || tl_dtype_of(c) != TL_I32)
        return tl_fail_tensor(z, TL_EDTYPE, "cross_entropy",
                              "got %s logits, %s classes, want f32 or f64, i32",
                              tl_dtype_name(tl_dtype_of(z)), tl_dtype_name(tl_dtype_of(c)));

    /* real = c != skip;   loss = sum of real (logsumexp z - z[c]) / max(sum of real, 1) */
    int last = -1;
    tl_scope_open(z.tape, "cross_entropy"); /* for the message about a class outside [0,K) */
    tl_tensor label = tl_reshape(c, column);
    tl_tensor one = number(z, 1), zero = number(z, 0);
    tl_tensor real = tl_not_equal(label, number(c, skip));
    tl_tensor safe = tl_where(real, label, number(c, 0));
    tl_tensor loss = tl_sub(tl_logsumexp(z, 1, &last, 1), tl_take_along(z, safe, -1));
    tl_tensor count = tl_sum_all(tl_where(real, one, zero));
    loss = tl_div(tl_sum_all(tl_where(real, loss, zero)), tl_maximum(count, one));
    tl_scope_close(z.tape);
    return loss;
}

tl_tensor tl_cross_entropy_soft(tl_tensor z, tl_tensor p)
{
    if (!check_pair("cross_entropy_soft", z, p))
        return tl__inert(z);
    if (tl_rank(z) == 0)
        return tl_fail_tensor(z, TL_ESHAPE, "cross_entropy_soft", "got logits [], want [...,K]");
    int64_t n = 1;
    for (int j = 0; j + 1 < tl_rank(z); j++)
        n *= tl_dim(z, j);
    return tl_scale(tl_sum_all(tl_mul(p, tl_log_softmax(z, -1))), -1.0 / (double)(n > 0 ? n : 1));
}

/* ---- yes or no ------------------------------------------------------------------------------- */

tl_tensor tl_bce_with_logits(tl_tensor z, tl_tensor y)
{
    if (!check_pair("bce_with_logits", z, y))
        return tl__inert(z);
    /* y softplus(-z) + (1 - y) softplus(z): exact for y of 0 and 1, where softplus(z) - y z would
     * cancel */
    tl_tensor yes = tl_mul(y, tl_softplus(tl_neg(z))),
              no = tl_mul(tl_rsub_scalar(y, 1), tl_softplus(z));
    return mean(tl_add(yes, no));
}

/* log_above -- log of t, held above the smallest normal number. */
static tl_tensor log_above(tl_tensor t)
{
    return tl_log(tl_maximum(t, number(t, tl_dtype_of(t) == TL_F32 ? (double)FLT_MIN : DBL_MIN)));
}

tl_tensor tl_bce(tl_tensor p, tl_tensor y)
{
    if (!check_pair("bce", p, y))
        return tl__inert(p);
    tl_tensor yes = tl_mul(y, log_above(p)),
              no = tl_mul(tl_rsub_scalar(y, 1), log_above(tl_rsub_scalar(p, 1)));
    return tl_neg(mean(tl_add(yes, no)));
}

/* ---- distances ------------------------------------------------------------------------------- */

tl_tensor tl_mse(tl_tensor a, tl_tensor y)
{
    if (!check_pair("mse", a, y))
        return tl__inert(a);
    return mean(tl_square(tl_sub(a, y)));
}

tl_tensor tl_l1(tl_tensor a, tl_tensor y)
{
    if (!check_pair("l1", a, y))
        return tl__inert(a);
    return mean(tl_abs(tl_sub(a, y)));
}

tl_tensor tl_huber(tl_tensor a, tl_tensor y, double delta)
{
    if (!check_pair("huber", a, y))
        return tl__inert(a);
    if (!(delta > 0))
        return tl_fail_tensor(a, TL_ERANGE, "huber", "got delta %g, want more than 0", delta);
    /* with m = d held in [-delta, delta] both branches are m (d - m/2), smooth at 0 */
    tl_tensor d = tl_sub(a, y), m = tl_clamp(d, -delta, delta);
    return mean(tl_mul(m, tl_sub(d, tl_scale(m, 0.5))));
}
