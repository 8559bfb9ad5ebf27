/* test_mask.c -- masked fill and triangles: values, gradients, nothing comes through. */
#include "ops/mask.h"

#include "tests/indextest.h"

TestSuite(mask, .init = tape_open, .fini = tape_close);

Test(mask, triangles_at_every_diagonal)
{
    enum { M = 4, N = 3 };
    const tl_dtype dtype[3] = {TL_F32, TL_F64, TL_I32};
    for (int t = 0; t < 3; t++)
        for (int k = -M - 2; k <= N + 2; k++) {
            tl_tensor a = tl_full(tape, dtype[t], tl_shape3(2, M, N), 7);
            double lower[2 * M * N], upper[2 * M * N];
            for (int e = 0; e < 2 * M * N; e++) {
                int i = e / N % M, j = e % N;
                lower[e] = j <= i + k ? 7 : 0;
                upper[e] = j >= i + k ? 7 : 0;
            }
            expect_array(tl_tril(a, k), tl_shape3(2, M, N), lower);
            expect_array(tl_triu(a, k), tl_shape3(2, M, N), upper);
        }
    expect(tl_tril(tl_ones(tape, TL_F64, tl_shape2(2, 2)), INT64_MIN), tl_shape2(2, 2), 0, 0, 0, 0);
    expect(tl_tril(tl_ones(tape, TL_F64, tl_shape2(2, 2)), INT64_MAX), tl_shape2(2, 2), 1, 1, 1, 1);
    expect(tl_triu(tl_ones(tape, TL_F64, tl_shape2(0, 2)), 0), tl_shape2(0, 2), 0);
}

Test(mask, what_is_left_out_does_not_come_through)
{
    const double v[4] = {1, CHECK_NAN, CHECK_INF, 4};
    tl_tensor a = tl_input_f64(tape, tl_shape2(2, 2), v), d;
    tl_tensor y = tl_masked_fill(a, INDICES(tl_shape2(2, 2), 0, 1, 5, 0), -2);
    expect(y, tl_shape2(2, 2), 1, -2, -2, 4);
    cr_assert_eq(tl_grad(1, &y, NULL, 1, &a, &d), TL_OK);
    expect(d, tl_shape2(2, 2), 1, 0, 0, 1);
    const double w[4] = {1, CHECK_NAN, 3, 4};
    y = tl_tril(tl_input_f64(tape, tl_shape2(2, 2), w), 0);
    expect(y, tl_shape2(2, 2), 1, 0, 3, 4);
    expect(tl_masked_fill(a, tl_input_f64(tape, tl_shape1(2), (const double[]){1, 1}), 0),
           tl_shape2(2, 2), 0, 0, 0, 0);
}
