/* test_statistics.c -- variance, norms, products: values by hand, gradients at their corners. */
#include "ops/statistics.h"

#include "tests/indextest.h"

TestSuite(statistics, .init = tape_open, .fini = tape_close);

static const int zero[] = {0}, one[] = {1}, both[] = {0, 1};

/* gradient -- of the sum of y by a. */
static tl_tensor gradient(tl_tensor y, tl_tensor a)
{
    tl_tensor d;
    cr_assert_eq(tl_grad(1, &y, NULL, 1, &a, &d), TL_OK, "%s", tl_tape_error(tape));
    return d;
}

Test(statistics, variance)
{
    const double v[6] = {1, 2, 6, 4, 4, 4};
    tl_tensor a = tl_input_f64(tape, tl_shape2(2, 3), v);
    expect(tl_var(a, 1, one, 0, 0), tl_shape1(2), 14.0 / 3, 0);
    expect(tl_var(a, 1, one, 1, 1), tl_shape2(2, 1), 7, 0);
    expect(tl_var(a, 1, zero, 1, 0), tl_shape1(3), 4.5, 2, 2);
    expect(tl_var(a, 0, NULL, 0, 0), tl_shape2(2, 3), 0, 0, 0, 0, 0, 0);
    expect(tl_std(a, 1, one, 1, 0), tl_shape1(2), sqrt(7.0), 0);
    tl_tensor far = tl_add_scalar(a, 1e8); /* the mean of squares would have lost it all */
    assert_same(tl_var(far, 1, one, 1, 0), tl_var(a, 1, one, 1, 0), 1e-7, 0);
    /* dvar = 2 (a - mean)/(N - 1); dstd = dvar / (2 std), 0 where all are equal */
    expect(gradient(tl_var(a, 1, one, 1, 0), a), tl_shape2(2, 3), -2, -1, 3, 0, 0, 0);
    expect(gradient(tl_std(a, 1, one, 1, 0), a), tl_shape2(2, 3), -1 / sqrt(7.0), -0.5 / sqrt(7.0),
           1.5 / sqrt(7.0), 0, 0, 0);
}

Test(statistics, norms_and_their_gradients_at_zero)
{
    const double v[6] = {3, -4, 0, 0, 0, 0};
    tl_tensor a = tl_input_f64(tape, tl_shape2(2, 3), v);
    const double p[5] = {1, 2, HUGE_VAL, 3, 0.5};
    const double want[5] = {7, 5, 4, cbrt(91.0), pow(sqrt(3.0) + 2, 2)};
    for (int k = 0; k < 5; k++) {
        expect(tl_norm(a, p[k], 1, one, 0), tl_shape1(2), want[k], 0);
        expect(tl_norm(a, p[k], 2, both, 1), tl_shape2(1, 1), want[k]);
    }
    expect(gradient(tl_norm(a, 1, 1, one, 0), a), tl_shape2(2, 3), 1, -1, 0, 0, 0, 0);
    expect(gradient(tl_norm(a, 2, 1, one, 0), a), tl_shape2(2, 3), 0.6, -0.8, 0, 0, 0, 0);
    expect(gradient(tl_norm(a, HUGE_VAL, 1, one, 0), a), tl_shape2(2, 3), 0, -1, 0, 0, 0, 0);
    expect(gradient(tl_norm(a, 3, 1, one, 0), a), tl_shape2(2, 3), 9 / pow(91, 2.0 / 3),
           -16 / pow(91, 2.0 / 3), 0, 0, 0, 0);
    tl_tensor d = gradient(tl_norm(a, 0.5, 1, one, 0), a);
    expect(tl_slice(d, 1, 2, 1), tl_shape2(2, 1), 0, 0);
    expect(gradient(gradient(tl_norm(a, 2, 1, one, 0), a), a), tl_shape2(2, 3),
           /* row sums of (1 - n n')/5, n = (0.6,-0.8,0) */ (0.64 + 0.48) / 5, (0.36 + 0.48) / 5,
           0.2, 0, 0, 0);
}

Test(statistics, products_with_zeros_to_the_second_order)
{
    const double v[5] = {2, 0, 3, 0, 5};
    tl_tensor a = tl_input_f64(tape, tl_shape1(5), v), y = tl_prod_all(a);
    tl_tensor d = gradient(y, a);
    expect(y, tl_shape0(), 0);
    expect(d, tl_shape1(5), 0, 0, 0, 0, 0);
    /* of two zeros, one has a gradient where the other is taken out: d2 y / da1 da3 = 30 */
    expect(gradient(d, a), tl_shape1(5), 0, 30, 0, 30, 0);
    for (int n = 0; n <= 9; n++) { /* every way that halves come out */
        double x[9], all = 1;
        numbers(9, x);
        for (int i = 0; i < n; i++)
            all *= x[i];
        tl_tensor b = tl_input_f64(tape, tl_shape1(n), x);
        expect(tl_prod(b, 1, zero, 1), tl_shape1(1), all);
    }
    const double m[6] = {1, 2, 3, 4, 5, 6};
    tl_tensor b = tl_input_f64(tape, tl_shape2(2, 3), m);
    expect(tl_prod(b, 1, one, 0), tl_shape1(2), 6, 120);
    expect(tl_prod(b, 1, zero, 0), tl_shape1(3), 4, 10, 18);
    expect(tl_prod(b, 2, both, 0), tl_shape0(), 720);
}
