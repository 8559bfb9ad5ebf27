/* statistics.c -- variance, norms, products over axes: compositions all. */
#include "ops/statistics.h"

#include "core/space.h"
#include "ops/axes.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"

#include <math.h>

/* full_like -- c in the shape of a. */
static tl_tensor full_like(tl_tensor a, double c)
{
    return tl_full(a.tape, tl_dtype_of(a), tl_shape_of(a), c);
}

/* safe_power -- a^p of a >= 0 with gradient 0 where a is 0: the power of a 1 that is not chosen. */
static tl_tensor safe_power(tl_tensor a, double p)
{
    tl_tensor is_zero = tl_equal(a, full_like(a, 0)), base = tl_where(is_zero, full_like(a, 1), a);
    return tl_where(is_zero, full_like(a, 0), p == 0.5 ? tl_sqrt(base) : tl_pow_scalar(base, p));
}

/* ---- variance -------------------------------------------------------------------------------- */

/* variance -- over a mask, axes kept; inert on an error, which names `what`. */
static tl_tensor variance(const char *what, tl_tensor a, int naxes, const int *axes, int correction,
                          uint32_t *mask)
{
    if (!tl__axes_mask(a, what, naxes, axes, mask))
        return tl__inert(a);
    double n = tl__axes_count(a, *mask);
    char text[TL_SHAPE_TEXT];
    if (correction < 0 || correction >= n)
        return tl_fail_tensor(a, TL_ERANGE, what,
                              "got correction %d for %.0f elements of %s, want 0 or more and less "
                              "than the elements",
                              correction, n, tl_shape_text(tl_shape_of(a), text, sizeof text));
    tl_tensor away = tl_sub(a, tl_scale(tl_sum_keep(a, *mask), 1 / n));
    return tl_scale(tl_sum_keep(tl_square(away), *mask), 1 / (n - correction));
}

tl_tensor tl_var(tl_tensor a, int naxes, const int *axes, int correction, int keepdims)
{
    uint32_t mask;
    tl_tensor v = variance("var", a, naxes, axes, correction, &mask);
    return v.tape ? tl__axes_drop(v, mask, keepdims) : v;
}

tl_tensor tl_std(tl_tensor a, int naxes, const int *axes, int correction, int keepdims)
{
    uint32_t mask;
    tl_tensor v = variance("std", a, naxes, axes, correction, &mask);
    return v.tape ? tl__axes_drop(safe_power(v, 0.5), mask, keepdims) : v;
}

/* ---- norm ------------------------------------------------------------------------------------ */

tl_tensor tl_norm(tl_tensor a, double p, int naxes, const int *axes, int keepdims)
{
    uint32_t mask;
    if (!tl__axes_mask(a, "norm", naxes, axes, &mask))
        return tl__inert(a);
    if (!(p > 0))
        return tl_fail_tensor(a, TL_ERANGE, "norm",
                              "got p = %g, want more than 0 (INFINITY: the greatest)", p);
    if (isinf(p))
        return tl_amax(tl_abs(a), naxes, axes, keepdims);
    tl_tensor power = p == 1 ? tl_abs(a) : p == 2 ? tl_square(a) : safe_power(tl_abs(a), p);
    tl_tensor sum = tl_sum_keep(power, mask);
    return tl__axes_drop(p == 1 ? sum : safe_power(sum, 1 / p), mask, keepdims);
}

/* ---- product --------------------------------------------------------------------------------- */

/* product_along -- over one axis, which stays with extent 1:
 *
 *     a b c d e   ->   a*c b*d, e aside   ->   a*c*b*d, e aside   ->   (a*c*b*d)*e */
static tl_tensor product_along(tl_tensor a, int axis)
{
    tl_tensor aside = {0};
    tl_shape one = tl_shape_of(a);
    int64_t n = one.dim[axis];
    one.dim[axis] = 1;
    if (n == 0)
        return tl_full(a.tape, tl_dtype_of(a), one, 1);
    for (; n > 1; n /= 2) {
        int64_t half = n / 2;
        if (n % 2) {
            tl_tensor last = tl_slice(a, axis, n - 1, 1);
            aside = aside.tape ? tl_mul(last, aside) : last;
        }
        a = tl_mul(tl_slice(a, axis, 0, half), tl_slice(a, axis, half, half));
    }
    return aside.tape ? tl_mul(a, aside) : a;
}

static tl_tensor product(tl_tensor a, uint32_t mask, int keepdims)
{
    tl_tensor y = a;
    int rank = tl_rank(a);
    for (int axis = rank - 1; axis >= 0; axis--)
        if (tl__axes_has(mask, rank, axis))
            y = product_along(y, axis);
    return tl__axes_drop(y, mask, keepdims);
}

tl_tensor tl_prod(tl_tensor a, int naxes, const int *axes, int keepdims)
{
    uint32_t mask;
    return tl__axes_mask(a, "prod", naxes, axes, &mask) ? product(a, mask, keepdims) : tl__inert(a);
}

tl_tensor tl_prod_all(tl_tensor a)
{
    uint32_t none;
    return tl__axes_mask(a, "prod_all", 0, NULL, &none) ? product(a, tl__axes_all(a), 0)
                                                        : tl__inert(a);
}
