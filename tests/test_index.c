/* test_index.c -- gather and its kin: values, adjoints, bounds, layouts. */
#include "core/grad.h"
#include "ops/ops.h"
#include "tests/optest.h"

static tl_tape *tape;

static void tape_open(void)
{
    tape = tl_tape_new(NULL);
}

static void tape_close(void)
{
    tl_tape_free(tape);
}

TestSuite(index, .init = tape_open, .fini = tape_close);

static tl_tensor table(void)
{
    static const double v[8] = {10, 11, 20, 21, 30, 31, 40, 41};
    return tl_input_f64(tape, tl_shape2(4, 2), v);
}

#define INDICES(shape, ...) tl_input_i32(tape, shape, (const int32_t[]){__VA_ARGS__})

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

Test(index, elements_along_an_axis)
{
    const double v[6] = {1, 2, 3, 4, 5, 6};
    tl_tensor a = tl_input_f64(tape, tl_shape2(2, 3), v), d;
    tl_tensor idx = INDICES(tl_shape2(2, 2), 2, 0, 1, 1), y = tl_take_along(a, idx, -1);
    expect(y, tl_shape2(2, 2), 3, 1, 5, 5);
    expect(tl_take_along(a, INDICES(tl_shape2(1, 3), 1, 0, 1), 0), tl_shape2(1, 3), 4, 2, 6);
    expect(tl_put_along(y, idx, 1, 4), tl_shape2(2, 4), 1, 0, 3, 0, 0, 10, 0, 0);
    const double g[4] = {1, 2, 3, 4};
    tl_tensor seed = tl_input_f64(tape, tl_shape2(2, 2), g);
    cr_assert_eq(tl_grad(1, &y, &seed, 1, &a, &d), TL_OK);
    expect(d, tl_shape2(2, 3), 2, 0, 1, 0, 7, 0);
}

Test(index, kernels_on_every_layout)
{
    double src[4 * 3 * 5];
    float srcf[4 * 3 * 5];
    int32_t idx[4 * 3], along[4 * 2 * 5];
    numbers(60, src);
    for (int i = 0; i < 60; i++)
        srcf[i] = (float)src[i];
    for (int i = 0; i < 12; i++)
        idx[i] = i * 5 % 4;
    for (int i = 0; i < 40; i++)
        along[i] = i * 2 % 3;
    const int64_t V = 4, axis = 2, hot[2] = {4, TL_F32}, put[2] = {2, 6};
    const tl_attr none = {0, NULL, 0, NULL}, rows = {1, &V, 0, NULL}, middle = {1, &axis, 0, NULL};
    const tl_attr classes = {2, hot, 0, NULL}, putting = {2, put, 0, NULL};
    const tl_dtype f64[2] = {TL_F64, TL_I32}, f32[2] = {TL_F32, TL_I32}, i32[1] = {TL_I32};
    void *d64[2] = {src, idx}, *d32[2] = {srcf, idx}, *a64[2] = {src, along},
         *a32[2] = {srcf, along}, *only[1] = {idx};
    const tl_shape gather[2] = {tl_shape3(4, 3, 5), tl_shape2(4, 3)},
                   scatter[2] = {tl_shape3(4, 3, 5), tl_shape2(4, 3)};
    const tl_shape take[2] = {tl_shape3(4, 3, 5), tl_shape3(4, 2, 5)},
                   puts[2] = {tl_shape3(4, 2, 5), tl_shape3(4, 2, 5)};
    const tl_shape flat[1] = {tl_shape2(4, 3)};
    same_on_odd_layouts(&tl_op_gather, &none, 2, f64, gather, d64);
    same_on_odd_layouts(&tl_op_gather, &none, 2, f32, gather, d32);
    same_on_odd_layouts(&tl_op_scatter_add, &rows, 2, f64, scatter, d64);
    same_on_odd_layouts(&tl_op_scatter_add, &rows, 2, f32, scatter, d32);
    same_on_odd_layouts(&tl_op_take_along, &middle, 2, f64, take, a64);
    same_on_odd_layouts(&tl_op_take_along, &middle, 2, f32, take, a32);
    same_on_odd_layouts(&tl_op_put_along, &putting, 2, f64, puts, a64);
    same_on_odd_layouts(&tl_op_put_along, &putting, 2, f32, puts, a32);
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

Test(index, an_index_outside_is_named)
{
    tl_eval(1, (tl_tensor[]){tl_gather(table(), INDICES(tl_shape2(2, 2), 0, 1, 4, 0))});
    expect_error(tape, TL_ERANGE, "gather: got index 4 at [1,0], want one in [0,4)");
    tl_eval(1, (tl_tensor[]){tl_gather(table(), INDICES(tl_shape1(1), -1))});
    expect_error(tape, TL_ERANGE, "gather: got index -1 at [0], want one in [0,4)");
    tl_eval(1, (tl_tensor[]){tl_scatter_add(table(), INDICES(tl_shape1(4), 0, 1, 2, 3), 3)});
    expect_error(tape, TL_ERANGE, "scatter_add: got index 3 at [3], want one in [0,3)");
    tl_eval(1, (tl_tensor[]){tl_one_hot(INDICES(tl_shape1(2), 0, 9), 3, TL_F32)});
    expect_error(tape, TL_ERANGE, "one_hot: got index 9 at [1], want one in [0,3)");
    tl_eval(1, (tl_tensor[]){tl_take_along(table(), INDICES(tl_shape2(4, 1), 0, 1, 2, 0), 1)});
    expect_error(tape, TL_ERANGE, "take_along: got index 2 at [2,0], want one in [0,2)");
    tl_eval(1, (tl_tensor[]){
                   tl_put_along(table(), INDICES(tl_shape2(4, 2), 0, 0, 0, 0, 0, 0, 0, -7), 1, 2)});
    expect_error(tape, TL_ERANGE, "put_along: got index -7 at [3,1], want one in [0,2)");
}

Test(index, messages)
{
    tl_gather(tl_scalar(tape, TL_F32, 1), INDICES(tl_shape1(1), 0));
    expect_error(tape, TL_ESHAPE, "gather: got table [], indices [1]");
    tl_gather(table(), table());
    expect_error(tape, TL_EDTYPE, "gather: got f64 indices, want i32");
    tl_scatter_add(table(), INDICES(tl_shape1(3), 0, 0, 0), 2);
    expect_error(tape, TL_ESHAPE, "scatter_add: got rows [4,2], indices [3]");
    tl_take_along(table(), INDICES(tl_shape2(3, 1), 0, 0, 0), 1);
    expect_error(tape, TL_ESHAPE,
                 "take_along: got [4,2], indices [3,1], want equal extents but along axis 1");
    tl_take_along(table(), INDICES(tl_shape2(4, 1), 0, 0, 0, 0), 2);
    expect_error(tape, TL_ESHAPE, "take_along: got axis 2 of [4,2], want one in [-2,2)");
    tl_put_along(table(), INDICES(tl_shape2(4, 1), 0, 0, 0, 0), 1, 2);
    expect_error(tape, TL_ESHAPE, "put_along: got [4,2], indices [4,1], want equal shapes");
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
    cr_assert_eq(tl_op_take_along.lead(&q), 1);
}
