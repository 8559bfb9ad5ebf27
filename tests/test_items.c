/* test_items.c -- a dataset's items in batches: order, padding, layouts, seeds, errors. */
#include "core/memory.h"
#include "data/batches.h"
#include "data/order.h"

#include <criterion/criterion.h>
#include <string.h>

static const float X[20] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19};
static const int32_t Y[10] = {0, 10, 20, 30, 40, 50, 60, 70, 80, 90};

static tl_dataset rows(void)
{
    tl_dataset d;
    tl_array x = tl_array_f32(tl_shape2(10, 2), X), y = tl_array_i32(tl_shape1(10), Y);
    cr_assert_eq(tl_dataset_arrays(&d, &x, &y, NULL), TL_OK);
    return d;
}

static tl_batches *make_batches(const tl_dataset *d, tl_items_opts o)
{
    tl_err err;
    tl_batches *b = tl_batches_of_items(d, &o, &err);
    cr_assert_not_null(b, "%s", err.message);
    return b;
}

static void make(const tl_batches *b, uint64_t seed, int64_t epoch, int64_t index, tl_batch *batch)
{
    tl_err err;
    cr_assert_eq(tl_batches_make(b, (tl_place){seed, epoch, index}, batch, &err), TL_OK, "%s",
                 err.message);
}

Test(items, in_order_and_the_last_one_smaller)
{
    tl_dataset d = rows();
    tl_items_opts o = tl_items_defaults();
    o.batch = 4;
    o.shuffle = 0;
    tl_batches *b = make_batches(&d, o);
    tl_batch batch = {0};
    cr_assert_eq(b->count, 3);
    make(b, 1, 0, 1, &batch);
    cr_assert(batch.size == 4 && batch.steps == 0 && batch.count == 3 && batch.place.index == 1);
    cr_assert(tl_shape_equal(batch.x.shape, tl_shape2(4, 2)) &&
              tl_shape_equal(batch.y.shape, tl_shape1(4)));
    cr_assert_null(batch.lengths.data);
    cr_assert_eq(memcmp(batch.x.data, X + 8, 8 * sizeof *X), 0);
    cr_assert_eq(memcmp(batch.y.data, Y + 4, 4 * sizeof *Y), 0);
    make(b, 1, 7, 2, &batch);
    cr_assert_eq(batch.size, 2);
    cr_assert_eq(memcmp(batch.x.data, X + 16, 4 * sizeof *X), 0);
    tl_batches_free(b);
    o.drop_last = 1;
    b = make_batches(&d, o);
    cr_assert_eq(b->count, 2);
    tl_batches_free(b);
    tl_batches_free(NULL);
    tl_batch_close(&batch);
    tl_batch_close(NULL);
    tl_dataset_close(&d);
}

Test(items, every_epoch_has_every_item_once_in_its_own_order)
{
    tl_dataset d = rows();
    tl_items_opts o = tl_items_defaults();
    o.batch = 3;
    tl_batches *b = make_batches(&d, o);
    tl_batch batch = {0};
    for (int64_t epoch = 0; epoch < 5; epoch++) {
        int64_t order[10], at = 0;
        tl_shuffle(9, epoch, 10, order);
        for (int64_t k = 0; k < b->count; k++) {
            make(b, 9, epoch, k, &batch);
            for (int64_t r = 0; r < batch.size; r++, at++) {
                cr_assert_eq(batch.items[r], order[at]);
                cr_assert_eq(((float *)batch.x.data)[2 * r], (float)(2 * order[at]));
                cr_assert_eq(((int32_t *)batch.y.data)[r], (int32_t)(10 * order[at]));
            }
        }
        cr_assert_eq(at, 10);
    }
    tl_batches_free(b);
    tl_batch_close(&batch);
    tl_dataset_close(&d);
}

/* Three sequences of 2, 0 and 3 steps with two values each; padding -1, targets per step padded by
 * -2. */
static tl_dataset sequences(int per_step)
{
    static const int64_t length[3] = {2, 0, 3};
    tl_dataset d;
    tl_array x = tl_array_f32(tl_shape2(5, 2), X), y = tl_array_i32(tl_shape1(per_step ? 5 : 3), Y);
    cr_assert_eq(tl_dataset_sequences(&d, 3, length, &x, &y, per_step, NULL), TL_OK);
    return d;
}

Test(items, sequences_are_padded_time_first)
{
    static const float x[3][3][2] = {
        {{0, 1}, {-1, -1}, {4, 5}}, {{2, 3}, {-1, -1}, {6, 7}}, {{-1, -1}, {-1, -1}, {8, 9}}};
    static const int32_t y[3][3] = {{0, -2, 20}, {10, -2, 30}, {-2, -2, 40}},
                         lengths[3] = {2, 0, 3};
    tl_dataset d = sequences(1);
    tl_items_opts o = tl_items_defaults();
    o.shuffle = 0;
    o.pad_x = -1;
    o.pad_y = -2;
    tl_batches *b = make_batches(&d, o);
    tl_batch batch = {0};
    make(b, 1, 0, 0, &batch);
    cr_assert(batch.size == 3 && batch.steps == 3);
    cr_assert(tl_shape_equal(batch.x.shape, tl_shape3(3, 3, 2)) &&
              tl_shape_equal(batch.y.shape, tl_shape2(3, 3)));
    cr_assert(tl_shape_equal(batch.lengths.shape, tl_shape1(3)) && batch.lengths.dtype == TL_I32);
    cr_assert_eq(memcmp(batch.x.data, x, sizeof x), 0);
    cr_assert_eq(memcmp(batch.y.data, y, sizeof y), 0);
    cr_assert_eq(memcmp(batch.lengths.data, lengths, sizeof lengths), 0);
    tl_batches_free(b);
    tl_batch_close(&batch);
    tl_dataset_close(&d);
}

Test(items, sequences_are_padded_batch_first_to_a_fixed_length)
{
    static const float x[3][4][2] = {{{0, 1}, {2, 3}}, {{0}}, {{4, 5}, {6, 7}, {8, 9}}};
    tl_dataset d = sequences(0);
    tl_items_opts o = tl_items_defaults();
    o.shuffle = 0;
    o.batch_first = 1;
    o.steps = 4;
    tl_batches *b = make_batches(&d, o);
    tl_batch batch = {0};
    make(b, 1, 0, 0, &batch);
    cr_assert(tl_shape_equal(batch.x.shape, tl_shape3(3, 4, 2)) &&
              tl_shape_equal(batch.y.shape, tl_shape1(3)));
    cr_assert_eq(memcmp(batch.x.data, x, sizeof x), 0);
    cr_assert_eq(memcmp(batch.y.data, Y, 3 * sizeof *Y), 0);
    tl_batches_free(b);
    o.steps = 2;
    b = make_batches(&d, o);
    tl_err err;
    cr_assert_eq(tl_batches_make(b, (tl_place){1, 0, 0}, &batch, &err), TL_ERANGE);
    cr_assert_not_null(strstr(err.message, "item 2: has 3 steps, at most 2 fit"), "%s",
                       err.message);
    tl_batches_free(b);
    tl_batch_close(&batch);
    tl_dataset_close(&d);
}

Test(items, every_type_is_padded)
{
    static const int64_t length[2] = {1, 2};
    static const double xd[3] = {1, 2, 3};
    static const int32_t xi[3] = {1, 2, 3};
    tl_array arrays[2] = {tl_array_f64(tl_shape1(3), xd), tl_array_i32(tl_shape1(3), xi)};
    tl_items_opts o = tl_items_defaults();
    o.shuffle = 0;
    o.pad_x = 7;
    tl_batch batch = {0};
    for (int k = 0; k < 2; k++) {
        tl_dataset d;
        cr_assert_eq(tl_dataset_sequences(&d, 2, length, &arrays[k], NULL, 0, NULL), TL_OK);
        tl_batches *b = make_batches(&d, o);
        make(b, 1, 0, 0, &batch);
        cr_assert_null(batch.y.data);
        for (int i = 0; i < 4; i++) {
            static const int want[4] = {1, 2, 7, 3};
            cr_assert_eq(k == 0 ? ((double *)batch.x.data)[i] : ((int32_t *)batch.x.data)[i],
                         want[i]);
        }
        tl_batches_free(b);
        tl_dataset_close(&d);
    }
    tl_batch_close(&batch);
}

/* ---- a dataset of the user's own ------------------------------------------------------------- */

static int noisy(void *user, int64_t i, uint64_t seed, int64_t length, void *x, void *y,
                 tl_err *err)
{
    (void)user, (void)length, (void)y, (void)err;
    if (i == 3)
        return tl__fail(err, TL_EIO, "picture 3 is damaged");
    if (i == 4)
        return 17;
    memcpy(x, &seed, sizeof seed);
    return TL_OK;
}

static int64_t no_length(void *user, int64_t i, uint64_t seed, tl_err *err)
{
    (void)user, (void)seed, (void)err;
    return i == 1 ? TL_EIO : 1;
}

Test(items, an_item_has_a_seed_of_its_own)
{
    tl_dataset d = {.count = 3, .x = {TL_F64, tl_shape0(), 0}, .get = noisy};
    tl_items_opts o = tl_items_defaults();
    o.batch = 2;
    tl_batches *b = make_batches(&d, o);
    tl_batch batch = {0};
    uint64_t seen[12];
    int n = 0;
    for (int64_t epoch = 0; epoch < 2; epoch++)
        for (int64_t k = 0; k < 2; k++) {
            make(b, 5, epoch, k, &batch);
            for (int64_t r = 0; r < batch.size; r++) {
                memcpy(&seen[n], (double *)batch.x.data + r, sizeof seen[n]);
                cr_assert_eq(seen[n], tl__item_seed(5, epoch, batch.items[r]));
                n++;
            }
        }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++)
            cr_assert_neq(seen[i], seen[j]);
    tl_batches_free(b);
    tl_batch_close(&batch);
}

Test(items, errors_name_item_batch_and_reason)
{
    tl_dataset d = {.count = 6, .x = {TL_F64, tl_shape0(), 0}, .get = noisy};
    tl_items_opts o = tl_items_defaults();
    o.batch = 1;
    o.shuffle = 0;
    tl_batches *b = make_batches(&d, o);
    tl_batch batch = {0};
    tl_err err;
    cr_assert_eq(tl_batches_make(b, (tl_place){0, 2, 3}, &batch, &err), TL_EIO);
    cr_assert_str_eq(err.message, "batch 3 of epoch 2: item 3: picture 3 is damaged");
    cr_assert_eq(tl_batches_make(b, (tl_place){0, 0, 4}, &batch, &err), TL_EINVAL,
                 "a positive code is no code of ours");
    cr_assert_eq(tl_batches_make(b, (tl_place){0, 0, 6}, &batch, &err), TL_ERANGE);
    cr_assert_eq(tl_batches_make(b, (tl_place){0, 0, -1}, &batch, &err), TL_ERANGE);
    cr_assert_eq(tl_batches_make(b, (tl_place){0, -1, 0}, &batch, &err), TL_ERANGE);
    tl_batches_free(b);
    d.length = no_length;
    b = make_batches(&d, o);
    cr_assert_eq(tl_batches_make(b, (tl_place){0, 0, 1}, &batch, &err), TL_EIO);
    cr_assert_not_null(strstr(err.message, "item 1: its length"), "%s", err.message);
    tl_batches_free(b);
    tl_batch_close(&batch);
}

Test(items, impossible_options_are_refused)
{
    tl_dataset d = rows(), none = {0};
    tl_items_opts o = tl_items_defaults();
    tl_err err;
    cr_assert_null(tl_batches_of_items(&none, &o, &err));
    cr_assert_null(tl_batches_of_items(NULL, &o, &err));
    o.batch = 0;
    cr_assert_null(tl_batches_of_items(&d, &o, &err));
    cr_assert_eq(err.code, TL_EINVAL);
    o.batch = 11;
    o.drop_last = 1;
    cr_assert_null(tl_batches_of_items(&d, &o, &err));
    cr_assert_eq(err.code, TL_ERANGE);
    o = tl_items_defaults();
    d.y.per_step = 1;
    cr_assert_null(tl_batches_of_items(&d, &o, &err));
    d.y.per_step = 0;
    d.x.shape.rank = 8;
    for (int i = 0; i < 8; i++)
        d.x.shape.dim[i] = 1;
    cr_assert_null(tl_batches_of_items(&d, &o, &err));
    cr_assert_eq(err.code, TL_ESHAPE);
    tl_dataset_close(&d);
}

Test(items, no_memory_is_an_error_of_that_batch)
{
    tl_dataset d = sequences(1);
    tl_items_opts o = tl_items_defaults();
    tl_err err;
    for (long n = 1;; n++) {
        tl_batch batch = {0};
        tl__fail_after(n);
        tl_batches *b = tl_batches_of_items(&d, &o, &err);
        int code = b ? tl_batches_make(b, (tl_place){0, 0, 0}, &batch, &err) : err.code;
        long used = tl__alloc_count();
        tl__fail_after(0);
        cr_assert_eq(code, used < n ? TL_OK : TL_ENOMEM, "allocation %ld gave %d", n, code);
        tl_batches_free(b);
        tl_batch_close(&batch);
        if (used < n)
            break;
    }
    tl_dataset_close(&d);
}
