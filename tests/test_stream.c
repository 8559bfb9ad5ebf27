/* test_stream.c -- contiguous batches: every row goes on where it ended. */
#include "core/memory.h"
#include "data/batches.h"

#include <criterion/criterion.h>
#include <string.h>

static const int32_t IDS[13] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

static tl_batches *of(int64_t count, int64_t B, int64_t T, int keep_last, tl_err *err)
{
    tl_stream_opts o = tl_stream_defaults();
    o.batch = B;
    o.steps = T;
    o.keep_last = keep_last;
    return tl_batches_of_stream((tl_stream){IDS, count}, &o, err);
}

Test(stream, the_drawing_in_the_header)
{
    static const int32_t x[2][3][2] = {{{0, 6}, {1, 7}, {2, 8}}, {{3, 9}, {4, 10}, {5, 11}}};
    static const int32_t y[2][3][2] = {{{1, 7}, {2, 8}, {3, 9}}, {{4, 10}, {5, 11}, {6, 12}}};
    tl_err err;
    tl_batches *b = of(13, 2, 3, 0, &err);
    tl_batch batch = {0};
    cr_assert_not_null(b, "%s", err.message);
    cr_assert_eq(b->count, 2);
    for (int k = 0; k < 2; k++) {
        cr_assert_eq(tl_batches_make(b, (tl_place){k, 5, k}, &batch, &err), TL_OK);
        cr_assert(tl_shape_equal(batch.x.shape, tl_shape2(3, 2)) && batch.x.dtype == TL_I32);
        cr_assert(tl_shape_equal(batch.y.shape, tl_shape2(3, 2)) && batch.y.dtype == TL_I32);
        cr_assert(batch.size == 2 && batch.steps == 3 && batch.lengths.data == NULL &&
                  batch.place.index == k);
        cr_assert_eq(memcmp(batch.x.data, x[k], sizeof x[k]), 0);
        cr_assert_eq(memcmp(batch.y.data, y[k], sizeof y[k]), 0);
    }
    tl_batch_close(&batch);
    tl_batches_free(b);
}

Test(stream, rows_are_continuous_for_any_size)
{
    int32_t ids[500];
    for (int i = 0; i < 500; i++)
        ids[i] = i;
    tl_batch batch = {0};
    for (int64_t count = 2; count <= 500; count += 83)
        for (int64_t B = 1; B <= 5; B++)
            for (int64_t T = 1; T <= 17; T += 4)
                for (int keep = 0; keep < 2; keep++) {
                    tl_stream_opts o = {.batch = B, .steps = T, .keep_last = keep};
                    tl_batches *b = tl_batches_of_stream((tl_stream){ids, count}, &o, NULL);
                    const int64_t L = (count - 1) / B;
                    if (!b) {
                        cr_assert(keep ? L < 1 : L < T);
                        continue;
                    }
                    int64_t t0 = 0;
                    for (int64_t k = 0; k < b->count; k++, t0 += batch.steps) {
                        cr_assert_eq(tl_batches_make(b, (tl_place){0, 0, k}, &batch, NULL), TL_OK);
                        cr_assert(batch.steps == T || (keep && k == b->count - 1 &&
                                                       batch.steps > 0 && batch.steps < T));
                        for (int64_t t = 0; t < batch.steps; t++)
                            for (int64_t r = 0; r < B; r++) {
                                cr_assert_eq(((int32_t *)batch.x.data)[t * B + r], r * L + t0 + t);
                                cr_assert_eq(((int32_t *)batch.y.data)[t * B + r],
                                             r * L + t0 + t + 1);
                            }
                    }
                    cr_assert(keep ? t0 == L : t0 == L / T * T);
                    tl_batches_free(b);
                }
    tl_batch_close(&batch);
}

Test(stream, too_short_a_stream_is_refused)
{
    tl_err err;
    tl_batches *b = of(7, 2, 3, 0, &err);
    cr_assert_not_null(b);
    tl_batches_free(b);
    cr_assert_null(of(6, 2, 3, 0, &err));
    cr_assert_eq(err.code, TL_ERANGE);
    cr_assert_not_null(strstr(err.message, "6 symbols do not fill one batch of 2 rows and 3 steps"),
                       "%s", err.message);
    b = of(6, 2, 3, 1, &err);
    cr_assert_not_null(b);
    tl_batches_free(b);
    cr_assert_null(of(1, 1, 1, 1, &err));
    cr_assert_null(of(0, 1, 1, 1, &err));
    cr_assert_null(of(13, 0, 3, 0, &err));
    cr_assert_eq(err.code, TL_EINVAL);
    cr_assert_null(of(13, 2, 0, 0, &err));
    cr_assert_null(tl_batches_of_stream((tl_stream){NULL, 13}, NULL, &err));
    tl__fail_after(1);
    cr_assert_null(of(13, 2, 3, 0, &err));
    tl__fail_after(0);
    cr_assert_eq(err.code, TL_ENOMEM);
}
