/* order.c -- permutations and splits as functions of a seed. */
#include "data/order.h"

#include "core/random.h"

/* The tape draws with (seed, draw number) too; other keys keep its numbers and these apart. */
static const uint64_t SHUFFLE_KEY = 0x53687566666C6500, SPLIT_KEY = 0x53706C6974000000,
                      ITEM_KEY = 0x4974656D00000000;

void tl_shuffle(uint64_t seed, int64_t epoch, int64_t n, int64_t *order)
{
    tl_rng r = {seed ^ SHUFFLE_KEY, (uint64_t)epoch, 0};
    /* inside out: item i goes to a random place among the first i + 1 */
    for (int64_t i = 0; order && i < n; i++) {
        int64_t j = (int64_t)tl__rng_below(&r, (uint64_t)i + 1);
        order[i] = order[j];
        order[j] = i;
    }
}

int tl__split_starts(const char *what, int64_t n, int64_t least, int nparts, const double *fraction,
                     int64_t *start, tl_err *err)
{
    if (n < 0 || nparts < 1 || !fraction || !start)
        return tl__fail(
            err, TL_EINVAL,
            "split: got %lld %s, %d parts; want at least one part and an array of fractions",
            (long long)n, what, nparts);
    double sum = 0;
    start[0] = 0;
    for (int p = 0; p < nparts; p++) {
        if (!(fraction[p] > 0 && fraction[p] <= 1))
            return tl__fail(err, TL_EINVAL, "split: fraction %d is %g, want above 0, at most 1", p,
                            fraction[p]);
        sum += fraction[p];
        if (sum > 1 + 1e-9)
            return tl__fail(err, TL_EINVAL,
                            "split: the fractions sum to %.12g, at most 1 is possible", sum);
        int64_t end = (int64_t)((double)n * sum + 0.5);
        start[p + 1] = end < n ? end : n;
        if (start[p + 1] - start[p] < least)
            return tl__fail(err, TL_ERANGE,
                            "split: part %d (fraction %g) of %lld %s has %lld, want at least %lld",
                            p, fraction[p], (long long)n, what,
                            (long long)(start[p + 1] - start[p]), (long long)least);
    }
    return TL_OK;
}

int tl_split(uint64_t seed, int64_t n, int nparts, const double *fraction, int64_t *order,
             int64_t *start, tl_err *err)
{
    if (!order)
        return tl__fail(err, TL_EINVAL, "split: no array for the order");
    int code = tl__split_starts("items", n, 1, nparts, fraction, start, err);
    if (code == TL_OK)
        tl_shuffle(seed ^ SPLIT_KEY, 0, n, order);
    return code;
}

uint64_t tl__item_seed(uint64_t seed, int64_t epoch, int64_t i)
{
    uint32_t w[4];
    tl__philox(seed ^ ITEM_KEY, (uint64_t)epoch, (uint64_t)i, w);
    return (uint64_t)w[0] << 32 | w[1];
}
