/* test_running.c -- cumsum: values, both directions, layouts, a second gradient. */
#include "ops/running.h"

#include "tests/indextest.h"

TestSuite(running, .init = tape_open, .fini = tape_close);

Test(running, sums_up_to_each_element)
{
    const double v[6] = {1, 2, 3, 4, 5, 6};
    tl_tensor a = tl_input_f64(tape, tl_shape2(2, 3), v), y = tl_cumsum(a, 1), d;
    expect(y, tl_shape2(2, 3), 1, 3, 6, 4, 9, 15);
    expect(tl_cumsum(a, -2), tl_shape2(2, 3), 1, 2, 3, 5, 7, 9);
    expect(tl_cumsum(tl_transpose(a, 0, 1), 0), tl_shape2(3, 2), 1, 4, 3, 9, 6, 15);
    expect(tl_cumsum(tl_zeros(tape, TL_F64, tl_shape2(3, 0)), 1), tl_shape2(3, 0), 0);
    expect(tl_cumsum(tl_zeros(tape, TL_F64, tl_shape2(0, 3)), 1), tl_shape2(0, 3), 0);
    cr_assert_eq(tl_grad(1, &y, &a, 1, &a, &d), TL_OK);
    expect(d, tl_shape2(2, 3), 6, 5, 3, 15, 11, 6);
}

Test(running, kernels_on_every_layout)
{
    double src[4 * 3 * 5];
    float srcf[4 * 3 * 5];
    numbers(60, src);
    for (int i = 0; i < 60; i++)
        srcf[i] = (float)src[i];
    const tl_shape shape = tl_shape3(4, 3, 5);
    const tl_dtype f64 = TL_F64, f32 = TL_F32;
    void *d64 = src, *d32 = srcf;
    for (int64_t axis = 1; axis <= 3; axis++)
        for (int64_t backwards = 0; backwards < 2; backwards++) {
            const int64_t i[2] = {axis, backwards};
            const tl_attr attr = {2, i, 0, NULL};
            same_on_odd_layouts(&tl_op_cumsum, &attr, 1, &f64, &shape, &d64);
            same_on_odd_layouts(&tl_op_cumsum, &attr, 1, &f32, &shape, &d32);
        }
}
