/* test_along.c -- take_along and put_along: values, adjoints, layouts, messages. */
#include "tests/indextest.h"

TestSuite(along, .init = tape_open, .fini = tape_close);

Test(along, elements_along_an_axis)
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

Test(along, kernels_on_every_layout)
{
    double src[4 * 3 * 5];
    float srcf[4 * 3 * 5];
    int32_t idx[4 * 2 * 5];
    numbers(60, src);
    for (int i = 0; i < 60; i++)
        srcf[i] = (float)src[i];
    for (int i = 0; i < 40; i++)
        idx[i] = i * 2 % 3;
    const int64_t axis = 2, put[2] = {2, 6};
    const tl_attr middle = {1, &axis, 0, NULL}, putting = {2, put, 0, NULL};
    const tl_dtype f64[2] = {TL_F64, TL_I32}, f32[2] = {TL_F32, TL_I32};
    void *d64[2] = {src, idx}, *d32[2] = {srcf, idx};
    const tl_shape take[2] = {tl_shape3(4, 3, 5), tl_shape3(4, 2, 5)},
                   puts[2] = {tl_shape3(4, 2, 5), tl_shape3(4, 2, 5)};
    same_on_odd_layouts(&tl_op_take_along, &middle, 2, f64, take, d64);
    same_on_odd_layouts(&tl_op_take_along, &middle, 2, f32, take, d32);
    same_on_odd_layouts(&tl_op_put_along, &putting, 2, f64, puts, d64);
    same_on_odd_layouts(&tl_op_put_along, &putting, 2, f32, puts, d32);
}

Test(along, messages)
{
    tl_take_along(table(), INDICES(tl_shape2(3, 1), 0, 0, 0), 1);
    expect_error(tape, TL_ESHAPE,
                 "take_along: got [4,2], indices [3,1], want equal extents but along axis 1");
    tl_take_along(table(), INDICES(tl_shape2(4, 1), 0, 0, 0, 0), 2);
    expect_error(tape, TL_ESHAPE, "take_along: got axis 2 of [4,2], want one in [-2,2)");
    tl_put_along(table(), INDICES(tl_shape2(4, 1), 0, 0, 0, 0), 1, 2);
    expect_error(tape, TL_ESHAPE, "put_along: got [4,2], indices [4,1], want equal shapes");
}

Test(along, both_operands_get_a_leading_axis_or_none)
{
    tl_lead q = {.nin = 2, .led = 1};
    cr_assert_eq(tl_op_take_along.lead(&q), 0);
    cr_assert_eq(tl_op_put_along.lead(&q), 0);
    q.led = 3;
    cr_assert_eq(tl_op_take_along.lead(&q), 1);
    cr_assert_eq(tl_op_put_along.lead(&q), 1);
}
