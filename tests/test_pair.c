/* test_pair.c -- two operations in one kernel give the bits of one after the other. */
#include "core/pair.h"
#include "core/random.h"
#include "ops/ops.h"
#include "ops/registry.h"
#include "tests/check.h"

#include <string.h>

enum { MOST = 300 };

static const struct {
    const char *name;
    tl_form form;
} arithmetic[] = {{"add", TL_FORM_SUM}, {"sub", TL_FORM_DIFFERENCE}, {"mul", TL_FORM_PRODUCT}};

/* check_pair -- n elements, at any place. */
static void check_pair(int first, int second, int side, tl_dtype dtype, tl_rng *r)
{
    static double array[3][MOST], between[MOST], want[MOST], got[MOST];
    const tl_dtype types[2] = {dtype, dtype};
    const tl_op *one = tl_ops_find(arithmetic[first].name),
                *other = tl_ops_find(arithmetic[second].name);
    const tl_tile_fn fn = tl__pair(arithmetic[first].form, arithmetic[second].form, side, dtype);
    cr_assert_eq((int)one->form, (int)arithmetic[first].form);
    cr_assert_not_null(fn);
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < MOST; i++)
            if (dtype == TL_F64)
                array[k][i] = tl__rng_uniform(r) - 0.5;
            else
                ((float *)array[k])[i] = (float)tl__rng_uniform(r) - 0.5f;
    const int64_t n = (int64_t)tl__rng_below(r, 140);
    const void *in[3] = {array[0], array[1], array[2]};
    const void *reads[2] = {side ? array[2] : between, side ? between : array[2]};
    memset(want, 0, sizeof want);
    memset(got, 0, sizeof got);
    one->tile(types, dtype)(n, between, in);
    other->tile(types, dtype)(n, want, reads);
    fn(n, got, in);
    cr_assert_eq(memcmp(got, want, sizeof got), 0, "%s, then %s on side %d, %d elements", one->name,
                 other->name, side, (int)n);
}

Test(pair, the_bits_of_one_after_the_other)
{
    tl_rng r = {.seed = 4};
    for (int turn = 0; turn < 720; turn++)
        check_pair(turn % 3, turn / 3 % 3, turn / 9 % 2, turn / 18 % 2 ? TL_F64 : TL_F32, &r);
    cr_assert_null(tl__pair(TL_FORM_OTHER, TL_FORM_SUM, 0, TL_F32));
    cr_assert_null(tl__pair(TL_FORM_SUM, TL_FORM_OTHER, 1, TL_F32));
    cr_assert_null(tl__pair(TL_FORM_SUM, TL_FORM_SUM, 0, TL_I32));
}
