/* test_select.c -- entries of any axis by number: values, every axis, indices of any rank. */
#include "ops/select.h"

#include "tests/indextest.h"

TestSuite(select, .init = tape_open, .fini = tape_close);

Test(select, entries_of_every_axis_are_those_counted_by_hand)
{
    enum { P = 2, N = 4, Q = 3 };
    static const int32_t pick[2][2] = {{1, 0}, {1, 1}};
    double v[P * N * Q];
    numbers(P * N * Q, v);
    const int64_t dim[3] = {P, N, Q}, stride[3] = {N * Q, Q, 1};
    tl_tensor a = tl_input_f64(tape, tl_shape3(P, N, Q), v),
              idx = tl_input_i32(tape, tl_shape2(2, 2), pick[0]);
    for (int axis = 0; axis < 3; axis++) {
        double want[64];
        tl_shape shape = {0};
        int n = 0;
        int64_t outer = 1, inner = 1;
        for (int j = 0; j < 3; j++) {
            outer *= j < axis ? dim[j] : 1;
            inner *= j > axis ? dim[j] : 1;
            shape.dim[shape.rank++] = j == axis ? 2 : dim[j];
            if (j == axis)
                shape.dim[shape.rank++] = 2;
        }
        for (int64_t o = 0; o < outer; o++)
            for (int i = 0; i < 4; i++)
                for (int64_t q = 0; q < inner; q++)
                    want[n++] = v[o * dim[axis] * inner + pick[i / 2][i % 2] * stride[axis] + q];
        expect_array(tl_index_select(a, axis, idx), shape, want);
        expect_array(tl_index_select(a, axis - 3, idx), shape, want);
    }
    expect_array(tl_index_select(a, 1, INDICES(tl_shape0(), 2)), tl_shape2(P, Q),
                 ((const double[]){v[6], v[7], v[8], v[18], v[19], v[20]}));
}

Test(select, adding_to_entries)
{
    const double one[6] = {1, 2, 3, 4, 5, 6};
    tl_tensor src = tl_input_f64(tape, tl_shape2(2, 3), one),
              a = tl_full(tape, TL_F64, tl_shape2(2, 4), 10);
    expect(tl_index_add(a, 1, INDICES(tl_shape1(3), 3, 0, 3), src), tl_shape2(2, 4), 12, 10, 10, 14,
           15, 10, 10, 20);
    tl_tensor rows = tl_transpose(tl_full(tape, TL_F64, tl_shape2(2, 4), 10), 0, 1);
    expect(tl_index_add(rows, 0, INDICES(tl_shape1(3), 1, 1, 1), tl_transpose(src, 0, 1)),
           tl_shape2(4, 2), 10, 10, 16, 25, 10, 10, 10, 10);
    expect(
        tl_index_add(a, -1, INDICES(tl_shape2(1, 3), 1, 1, 2), tl_reshape(src, tl_shape3(2, 1, 3))),
        tl_shape2(2, 4), 10, 13, 13, 10, 10, 19, 16, 10);
}

Test(select, one_is_the_adjoint_of_the_other)
{
    double v[24], g[18];
    numbers(24, v);
    numbers(18, g);
    tl_tensor a = tl_input_f64(tape, tl_shape3(2, 4, 3), v), d;
    tl_tensor idx = INDICES(tl_shape1(3), 3, 0, 3), y = tl_index_select(a, 1, idx);
    tl_tensor seed = tl_input_f64(tape, tl_shape3(2, 3, 3), g);
    cr_assert_eq(tl_grad(1, &y, &seed, 1, &a, &d), TL_OK);
    tl_tensor want = tl_index_add(tl_zeros(tape, TL_F64, tl_shape3(2, 4, 3)), 1, idx, seed);
    assert_same(d, want, 1e-15, 1e-15);
}
