/* test_walk.c -- the order of visiting, merging of axes, copies between layouts. */
#include "ops/walk.h"
#include "tests/optest.h"

Test(walk, visits_in_row_major_order)
{
    const int64_t dim[3] = {2, 1, 3}, dense[3] = {3, 3, 1}, turned[3] = {1, 7, 2};
    tl_walk w = tl__walk(3, dim, dense, turned, NULL);
    int64_t n = 0;
    for (int more = tl__walk_start(&w); more; more = tl__walk_next(&w), n++) {
        cr_assert_eq(w.offset[0], n);
        cr_assert_eq(w.offset[1], n / 3 + n % 3 * 2);
        cr_assert_eq(w.offset[2], 0);
        cr_assert(w.at[0] == n / 3 && w.at[1] == 0 && w.at[2] == n % 3);
    }
    cr_assert_eq(n, 6);
}

Test(walk, a_scalar_is_visited_once_and_an_empty_shape_never)
{
    const int64_t dim[2] = {3, 0}, stride[2] = {0, 1};
    tl_walk scalar = tl__walk(0, NULL, NULL, NULL, NULL),
            empty = tl__walk(2, dim, stride, NULL, NULL);
    cr_assert(tl__walk_start(&scalar));
    cr_assert_not(tl__walk_next(&scalar));
    cr_assert_not(tl__walk_start(&empty));
    tl__walk_merge(&empty);
    cr_assert_not(tl__walk_start(&empty));
}

Test(walk, merges_what_every_array_runs_through_in_one_step)
{
    const int64_t dim[4] = {2, 3, 1, 4}, dense[4] = {12, 4, 9, 1}, gap[4] = {15, 5, 9, 1};
    tl_walk w = tl__walk(4, dim, dense, NULL, NULL);
    tl__walk_merge(&w);
    cr_assert(w.rank == 1 && w.dim[0] == 24 && w.stride[0][0] == 1);
    w = tl__walk(4, dim, dense, gap, NULL);
    tl__walk_merge(&w);
    cr_assert(w.rank == 2 && w.dim[0] == 6 && w.dim[1] == 4);
    cr_assert(w.stride[0][0] == 4 && w.stride[1][0] == 5);
    int64_t step[TL_WALK_ARRAYS];
    cr_assert_eq(tl__walk_last(&w, step), 4);
    cr_assert(w.rank == 1 && step[0] == 1 && step[1] == 1 && step[2] == 0);
    w.rank = 0;
    cr_assert_eq(tl__walk_last(&w, step), 1);
}

Test(walk, copies_between_layouts_and_zeroes_only_its_own)
{
    const tl_dtype dtypes[2] = {TL_F32, TL_F64};
    for (int i = 0; i < 2; i++) {
        const tl_shape shape = tl_shape3(2, 3, 4);
        const size_t size = tl_dtype_size(dtypes[i]), bytes = 24 * size;
        double x[24], y[24] = {0};
        numbers(24, x);
        tl_layout dense = tl__layout_dense(&shape);
        odd_array o;
        odd_make(&o, dtypes[i], shape);
        tl__copy_strided(size, 3, shape.dim, x, dense.stride, o.view.data, o.stride);
        odd_copy(&o.view, y, 1);
        cr_assert_eq(memcmp(x, y, bytes), 0);
        memset(y, 0, sizeof y);
        tl__copy_strided(size, 3, shape.dim, o.view.data, o.stride, y, dense.stride);
        cr_assert_eq(memcmp(x, y, bytes), 0);
        tl__zero_strided(&o.view);
        odd_copy(&o.view, y, 1);
        for (size_t k = 0; k < bytes; k++)
            cr_assert_eq(((char *)y)[k], 0);
        odd_free(&o);
    }
}
