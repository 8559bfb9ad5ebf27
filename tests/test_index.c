/* test_index.c -- gather, scatter_add, one_hot: values, adjoints, layouts. */
#include "tests/indextest.h"

TestSuite(index, .init = tape_open, .fini = tape_close);

Test(index, rows_of_a_table)
{
    expect(tl_gather(table(), INDICES(tl_shape1(3), 3, 0, 3)), tl_shape2(3, 2), 40, 41, 10, 11, 40,
           41);
    expect(tl_gather(table(), INDICES(tl_shape2(2, 1), 1, 2)), tl_shape3(2, 1, 2), 20, 21, 30, 31);
    expect(tl_gather(table(), INDICES(tl_shape0(), 2)), tl_shape1(2), 30, 31);
    const double v[3] = {5, 6, 7};
    expect(tl_gather(tl_input_f64(tape, tl_shape1(3), v), INDICES(tl_shape1(2), 2, 0)),
           tl_shape1(2), 7, 5);
    expect(tl_gather(tl_transpose(table(), 0, 1), INDICES(tl_shape1(1), 1)), tl_shape2(1, 4), 11,
           21, 31, 41);
    expect_i32(tl_gather(INDICES(tl_shape1(3), 7, 8, 9), INDICES(tl_shape1(2), 2, 0)), tl_shape1(2),
               9, 7);
}

Test(index, rows_added_where_they_came_from)
{
    const double v[6] = {1, 2, 10, 20, 100, 200};
    tl_tensor src = tl_input_f64(tape, tl_shape2(3, 2), v);
    expect(tl_scatter_add(src, INDICES(tl_shape1(3), 3, 0, 3), 4), tl_shape2(4, 2), 10, 20, 0, 0, 0,
           0, 101, 202);
    expect(tl_scatter_add(src, INDICES(tl_shape2(3, 2), 0, 1, 0, 1, 0, 0), 2), tl_shape1(2), 311,
           22);
}

Test(index, gradient_of_gather)
{
    tl_tensor w = table(), y = tl_gather(w, INDICES(tl_shape1(3), 3, 0, 3)), d;
    const double v[6] = {1, 2, 10, 20, 100, 200};
    tl_tensor seed = tl_input_f64(tape, tl_shape2(3, 2), v);
    cr_assert_eq(tl_grad(1, &y, &seed, 1, &w, &d), TL_OK);
    expect(d, tl_shape2(4, 2), 10, 20, 0, 0, 0, 0, 101, 202);
}

Test(index, the_padding_row_of_an_embedding_gets_no_gradient)
{
    tl_tensor w = table(), y = tl_embedding(w, INDICES(tl_shape2(2, 2), 1, 3, 0, 1), 1), d;
    expect(y, tl_shape3(2, 2, 2), 20, 21, 40, 41, 10, 11, 20, 21);
    cr_assert_eq(tl_grad(1, &y, NULL, 1, &w, &d), TL_OK);
    expect(d, tl_shape2(4, 2), 1, 1, 0, 0, 0, 0, 1, 1);
    y = tl_embedding(w, INDICES(tl_shape1(2), 1, 1), -1);
    cr_assert_eq(tl_grad(1, &y, NULL, 1, &w, &d), TL_OK);
    expect(d, tl_shape2(4, 2), 0, 0, 2, 2, 0, 0, 0, 0);
}

Test(index, one_hot)
{
    expect(tl_one_hot(INDICES(tl_shape1(2), 2, 0), 3, TL_F64), tl_shape2(2, 3), 0, 0, 1, 1, 0, 0);
    expect_i32(tl_one_hot(INDICES(tl_shape0(), 1), 2, TL_I32), tl_shape1(2), 0, 1);
}

Test(index, kernels_on_every_layout)
{
    double src[4 * 3 * 5];
    float srcf[4 * 3 * 5];
    int32_t idx[4 * 3];
    numbers(60, src);
    for (int i = 0; i < 60; i++)
        srcf[i] = (float)src[i];
    for (int i = 0; i < 12; i++)
        idx[i] = i * 5 % 4;
    const int64_t V = 4, hot[2] = {4, TL_F32};
    const tl_attr none = {0, NULL, 0, NULL}, rows = {1, &V, 0, NULL}, classes = {2, hot, 0, NULL};
    const tl_dtype f64[2] = {TL_F64, TL_I32}, f32[2] = {TL_F32, TL_I32}, i32[1] = {TL_I32};
    void *d64[2] = {src, idx}, *d32[2] = {srcf, idx}, *only[1] = {idx};
    const tl_shape both[2] = {tl_shape3(4, 3, 5), tl_shape2(4, 3)}, flat[1] = {tl_shape2(4, 3)};
    same_on_odd_layouts(&tl_op_gather, &none, 2, f64, both, d64);
    same_on_odd_layouts(&tl_op_gather, &none, 2, f32, both, d32);
    same_on_odd_layouts(&tl_op_scatter_add, &rows, 2, f64, both, d64);
    same_on_odd_layouts(&tl_op_scatter_add, &rows, 2, f32, both, d32);
    same_on_odd_layouts(&tl_op_one_hot, &classes, 1, i32, flat, only);
}

Test(index, long_rows_are_added_whole)
{
    enum { N = 3, E = 37 };
    static double src[N * E], out[2 * E];
    int32_t idx[N] = {1, 0, 1};
    numbers(N * E, src);
    const int64_t V = 2;
    const tl_attr attr = {1, &V, 0, NULL};
    const tl_dtype dtype[2] = {TL_F64, TL_I32};
    const tl_shape shape[2] = {tl_shape2(N, E), tl_shape1(N)};
    void *data[2] = {src, idx};
    tl_shape got;
    cr_assert_eq(run_dense(&tl_op_scatter_add, &attr, 2, dtype, shape, data, &got, out, NULL),
                 TL_OK);
    for (int j = 0; j < E; j++) {
        cr_assert_eq(out[j], src[E + j]);
        cr_assert_eq(out[E + j], src[j] + src[2 * E + j]);
    }
}

Test(index, messages)
{
    tl_gather(tl_scalar(tape, TL_F32, 1), INDICES(tl_shape1(1), 0));
    expect_error(tape, TL_ESHAPE, "gather: got table [], indices [1]");
    tl_gather(table(), table());
    expect_error(tape, TL_EDTYPE, "gather: got f64 indices, want i32");
    tl_scatter_add(table(), INDICES(tl_shape1(3), 0, 0, 0), 2);
    expect_error(tape, TL_ESHAPE, "scatter_add: got rows [4,2], indices [3]");
    tl_one_hot(table(), 3, TL_F32);
    expect_error(tape, TL_EDTYPE, "one_hot: got f64 indices, want i32");
    tl_embedding(table(), INDICES(tl_shape1(1), 0), 4);
    expect_error(tape, TL_ERANGE, "embedding: got padding row 4, want -1 or one in [0,4)");
    cr_assert_not(tl_gather((tl_tensor){0}, (tl_tensor){0}).tape);
}

Test(index, only_the_indices_of_gather_may_get_a_leading_axis)
{
    tl_lead q = {.nin = 2, .led = 2};
    cr_assert_eq(tl_op_gather.lead(&q), 1);
    q.led = 1;
    cr_assert_eq(tl_op_gather.lead(&q), 0);
    q.led = 3;
    cr_assert_eq(tl_op_gather.lead(&q), 0);
}
