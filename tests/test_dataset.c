/* test_dataset.c -- items of each kind of dataset, asked for one by one. */
#include "core/memory.h"
#include "data/dataset.h"

#include <criterion/criterion.h>
#include <string.h>

static const float X[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
static const int32_t Y[6] = {0, 10, 20, 30, 40, 50};

Test(dataset, rows_of_arrays)
{
    tl_array x = tl_array_f32(tl_shape3(3, 2, 2), X), y = tl_array_i32(tl_shape1(3), Y);
    tl_dataset d;
    tl_err err;
    float row[4];
    int32_t label = -1;
    cr_assert_eq(tl_dataset_arrays(&d, &x, &y, &err), TL_OK, "%s", err.message);
    cr_assert(d.count == 3 && d.has_y && d.length == NULL);
    cr_assert(tl_shape_equal(d.x.shape, tl_shape2(2, 2)) && d.x.dtype == TL_F32);
    cr_assert(tl_shape_equal(d.y.shape, tl_shape0()) && d.y.dtype == TL_I32);
    cr_assert_eq(d.get(d.user, 2, 0, 1, row, &label, &err), TL_OK);
    cr_assert(row[0] == 8 && row[3] == 11 && label == 20);
    tl_dataset_close(&d);
    cr_assert_null(d.get);
    cr_assert_eq(tl_dataset_arrays(&d, &x, NULL, &err), TL_OK);
    cr_assert_eq(d.has_y, 0);
    cr_assert_eq(d.get(d.user, 0, 0, 1, row, NULL, &err), TL_OK);
    tl_dataset_close(&d);
    tl_dataset_close(NULL);
}

Test(dataset, arrays_that_do_not_fit_are_refused)
{
    tl_array x = tl_array_f32(tl_shape2(3, 4), X), four = tl_array_i32(tl_shape1(4), Y),
             scalar = tl_array_i32(tl_shape0(), Y);
    tl_array nothing = tl_array_f32(tl_shape1(3), NULL);
    tl_dataset d;
    tl_err err;
    cr_assert_eq(tl_dataset_arrays(&d, &x, &four, &err), TL_ESHAPE);
    cr_assert_not_null(strstr(err.message, "y is [4], want 3"), "%s", err.message);
    cr_assert_eq(tl_dataset_arrays(&d, &scalar, NULL, &err), TL_ESHAPE);
    cr_assert_eq(tl_dataset_arrays(&d, NULL, NULL, &err), TL_EINVAL);
    cr_assert_eq(tl_dataset_arrays(&d, &nothing, NULL, &err), TL_EINVAL);
    tl__fail_after(1);
    cr_assert_eq(tl_dataset_arrays(&d, &x, NULL, &err), TL_ENOMEM);
    tl__fail_after(0);
    tl_dataset_close(&d); /* a failed one may be closed */
}

Test(dataset, sequences_of_unequal_length)
{
    static const int64_t length[4] = {2, 0, 3, 1};
    tl_array x = tl_array_f32(tl_shape2(6, 2), X), last = tl_array_i32(tl_shape1(4), Y),
             each = tl_array_i32(tl_shape1(6), Y);
    tl_dataset d;
    tl_err err;
    float steps[12];
    int32_t labels[6] = {-1, -1, -1, -1, -1, -1};
    cr_assert_eq(tl_dataset_sequences(&d, 4, length, &x, &last, 0, &err), TL_OK, "%s", err.message);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(d.length(d.user, i, 0, &err), length[i]);
    cr_assert_eq(d.get(d.user, 2, 0, 3, steps, labels, &err), TL_OK);
    cr_assert_eq(memcmp(steps, X + 4, 6 * sizeof *X), 0);
    cr_assert(labels[0] == 20 && labels[1] == -1);
    tl_dataset_close(&d);
    cr_assert_eq(tl_dataset_sequences(&d, 4, length, &x, &each, 1, &err), TL_OK);
    cr_assert(d.y.per_step);
    cr_assert_eq(d.get(d.user, 2, 0, 3, steps, labels, &err), TL_OK);
    cr_assert(labels[0] == 20 && labels[1] == 30 && labels[2] == 40 && labels[3] == -1);
    tl_dataset_close(&d);

    static const int64_t negative[4] = {2, -1, 3, 1}, short_sum[4] = {2, 0, 2, 1};
    cr_assert_eq(tl_dataset_sequences(&d, 4, negative, &x, &last, 0, &err), TL_ERANGE);
    cr_assert_not_null(strstr(err.message, "length[1] is -1"), "%s", err.message);
    cr_assert_eq(tl_dataset_sequences(&d, 4, short_sum, &x, &last, 0, &err), TL_ESHAPE);
    cr_assert_eq(tl_dataset_sequences(&d, 4, length, &x, &last, 1, NULL), TL_ESHAPE);
    cr_assert_eq(tl_dataset_sequences(&d, 4, NULL, &x, &last, 1, NULL), TL_EINVAL);
    for (long n = 1; n <= 2; n++) {
        tl__fail_after(n);
        cr_assert_eq(tl_dataset_sequences(&d, 4, length, &x, &last, 0, NULL), TL_ENOMEM);
        tl__fail_after(0);
    }
}

Test(dataset, windows_of_a_series)
{
    tl_array series = tl_array_f32(tl_shape2(6, 2), X);
    tl_dataset d;
    tl_err err;
    float x[6], y[2];
    cr_assert_eq(tl_dataset_windows(&d, &series, 3, 1, 1, &err), TL_OK, "%s", err.message);
    cr_assert_eq(d.count, 3);
    cr_assert_eq(d.length(d.user, 0, 0, &err), 3);
    cr_assert_eq(d.get(d.user, 2, 0, 3, x, y, &err), TL_OK);
    cr_assert(x[0] == 4 && x[5] == 9 && y[0] == 10 && y[1] == 11);
    tl_dataset_close(&d);
    cr_assert_eq(tl_dataset_windows(&d, &series, 2, 2, 2, &err), TL_OK);
    cr_assert_eq(d.count, 2);
    cr_assert_eq(d.get(d.user, 1, 0, 2, x, y, &err), TL_OK);
    cr_assert(x[0] == 4 && x[3] == 7 && y[0] == 10);
    tl_dataset_close(&d);
    cr_assert_eq(tl_dataset_windows(&d, &series, 6, 0, 1, &err), TL_OK);
    cr_assert_eq(d.count, 1);
    tl_dataset_close(&d);
    cr_assert_eq(tl_dataset_windows(&d, &series, 6, 1, 1, &err), TL_ERANGE);
    cr_assert_eq(tl_dataset_windows(&d, &series, 7, 0, 1, &err), TL_ERANGE);
    cr_assert_eq(tl_dataset_windows(&d, &series, 0, 1, 1, &err), TL_EINVAL);
    cr_assert_eq(tl_dataset_windows(&d, &series, 2, 1, 0, &err), TL_EINVAL);
    cr_assert_eq(tl_dataset_windows(&d, &series, INT64_MAX, INT64_MAX, 1, &err), TL_ERANGE);
}

Test(dataset, a_subset_of_a_subset)
{
    static const int64_t length[4] = {2, 0, 3, 1}, first[3] = {3, 2, 0}, second[2] = {1, 1},
                         bad[1] = {4};
    tl_array x = tl_array_f32(tl_shape2(6, 2), X);
    tl_dataset d, s, ss;
    tl_err err;
    float steps[12];
    cr_assert_eq(tl_dataset_sequences(&d, 4, length, &x, NULL, 0, &err), TL_OK);
    cr_assert_eq(tl_dataset_subset(&s, &d, 3, first, &err), TL_OK, "%s", err.message);
    cr_assert_eq(tl_dataset_subset(&ss, &s, 2, second, &err), TL_OK);
    cr_assert(s.count == 3 && ss.count == 2);
    cr_assert_eq(ss.length(ss.user, 1, 0, &err), 3);
    cr_assert_eq(ss.get(ss.user, 1, 0, 3, steps, NULL, &err), TL_OK);
    cr_assert_eq(memcmp(steps, X + 4, 6 * sizeof *X), 0);
    tl_dataset_close(&ss);
    tl_dataset_close(&s);
    cr_assert_eq(tl_dataset_subset(&s, &d, 1, bad, &err), TL_ERANGE);
    cr_assert_not_null(strstr(err.message, "index[0] is 4"), "%s", err.message);
    cr_assert_eq(tl_dataset_subset(&s, NULL, 1, bad, &err), TL_EINVAL);
    tl_dataset_close(&d);
}
