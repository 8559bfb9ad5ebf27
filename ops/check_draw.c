/* check_draw.c -- numbers from the domains of core/op.h. */
#include "ops/check_draw.h"

#include "core/memory.h"

#include <math.h>

double tl__check_draw(tl_rng *r, tl_domain domain, int64_t bound)
{
    const double u = tl__rng_uniform(r);
    const int both = domain == TL_ANY || domain == TL_INNER;
    const double sign = both && !tl__rng_below(r, 2) ? -1 : 1;
    switch (domain) {
    case TL_ANY:
        return sign * (0.1 + 1.9 * u);
    case TL_POSITIVE:
        return 0.3 + 1.7 * u;
    case TL_UNIT:
    case TL_INNER:
        return sign * (0.1 + 0.8 * u);
    case TL_INDEX:
        return (double)tl__rng_below(r, (uint64_t)(bound > 0 ? bound : 1));
    case TL_BINARY:
        return (double)tl__rng_below(r, 2);
    }
    return u;
}

int tl__check_is_smooth(tl_domain domain)
{
    return domain != TL_INDEX && domain != TL_BINARY;
}

void tl__check_fill(uint64_t seed, tl_domain domain, int64_t bound, int64_t first, int64_t end,
                    double *x)
{
    enum { TRIES = 100 };
    tl_rng r = {seed, 0, 0};
    for (int64_t k = first; k < end; k++) {
        int tie = 1;
        for (int tries = 0; tie && tries < TRIES; tries++) {
            x[k] = tl__check_draw(&r, domain, bound);
            tie = 0;
            for (int64_t j = 0; tl__check_is_smooth(domain) && j < k && !tie; j++)
                tie = fabs(x[k] - x[j]) < 1e-3;
        }
    }
}

tl_tensor tl__check_input(tl_tape *tape, tl_shape shape, tl_domain domain, const double *x)
{
    if (domain != TL_INDEX)
        return tl_input_f64(tape, shape, x);
    const int64_t n = tl_shape_count(shape);
    int32_t *whole = tl__alloc((size_t)(n + 1) * sizeof *whole);
    if (!whole) {
        tl_tape_fail(tape, TL_ENOMEM, "input", "no memory for %lld indices", (long long)n);
        return (tl_tensor){0};
    }
    for (int64_t k = 0; k < n; k++)
        whole[k] = (int32_t)x[k];
    const tl_tensor in = tl_input_i32(tape, shape, whole);
    tl__free(whole);
    return in;
}

char *tl__check_element(tl_shape shape, int64_t k, char *text, size_t size)
{
    for (int a = shape.rank - 1; a >= 0; a--) {
        const int64_t extent = shape.dim[a];
        shape.dim[a] = k % extent;
        k /= extent;
    }
    return tl_shape_text(shape, text, size);
}
