/* test_batches.c -- places as text, recipes of the user's own. */
#include "core/memory.h"
#include "data/batches.h"

#include <criterion/criterion.h>
#include <string.h>

Test(batches, a_place_comes_back_from_metadata)
{
    static const tl_place places[] = {{0, 0, 0}, {UINT64_MAX, INT64_MAX, INT64_MAX}, {42, 3, 17}};
    tl_meta *meta = tl_meta_new();
    tl_err err;
    for (int i = 0; i < 3; i++) {
        tl_place back;
        cr_assert_eq(tl_place_save(places[i], meta, "data"), TL_OK);
        cr_assert_eq(tl_place_load(&back, meta, "data", &err), TL_OK, "%s", err.message);
        cr_assert(back.seed == places[i].seed && back.epoch == places[i].epoch &&
                  back.index == places[i].index);
    }
    static const char *const bad[] = {"",
                                      "1",
                                      "1 2",
                                      "1 2 3 ",
                                      "1  2 3",
                                      "1 -2 3",
                                      "x 2 3",
                                      "1 2 9223372036854775808",
                                      "1 2 3 4",
                                      " 1 2 3",
                                      "99999999999999999999 1 1"};
    tl_place kept = {1, 2, 3};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        tl_meta_set(meta, "data", bad[i]);
        cr_assert_eq(tl_place_load(&kept, meta, "data", &err), TL_EFORMAT, "%s", bad[i]);
        cr_assert(kept.seed == 1 && kept.epoch == 2 && kept.index == 3);
    }
    cr_assert_eq(tl_place_load(&kept, meta, "nothing", &err), TL_ENAME);
    tl_meta_free(meta);
}

static int counter(const tl_batches *b, tl_place place, tl_batch *batch, tl_err *err)
{
    (void)err;
    if (place.index == 2)
        return -1000;
    if (tl_array_resize(&batch->x, TL_I32, tl_shape0()) || tl_batch_items(batch, 1))
        return TL_ENOMEM;
    *(int32_t *)batch->x.data = *(const int32_t *)b->user + (int32_t)place.index;
    return TL_OK;
}

Test(batches, a_recipe_of_ones_own)
{
    int32_t base = 100;
    tl_batches b = {.count = 3, .user = &base, .make = counter};
    tl_batch batch = {0};
    tl_err err;
    cr_assert_eq(tl_batches_make(&b, (tl_place){0, 4, 1}, &batch, &err), TL_OK);
    cr_assert(*(int32_t *)batch.x.data == 101 && batch.place.epoch == 4 && batch.count == 3);
    cr_assert_eq(tl_batches_make(&b, (tl_place){0, 4, 2}, &batch, &err), -1000);
    cr_assert_str_eq(err.message, "batch 2 of epoch 4: unknown error");
    tl_batches_free(&b); /* nothing to free */
    b.count = 0;
    cr_assert_eq(tl_batches_make(&b, (tl_place){0, 0, 0}, &batch, &err), TL_EINVAL);
    cr_assert_eq(tl_batches_make(NULL, (tl_place){0, 0, 0}, &batch, &err), TL_EINVAL);
    cr_assert_eq(tl_batch_items(&batch, -1), TL_EINVAL);
    tl__fail_after(1);
    cr_assert_eq(tl_batch_items(&batch, 1000), TL_ENOMEM);
    tl__fail_after(0);
    tl_batch_close(&batch);
}
