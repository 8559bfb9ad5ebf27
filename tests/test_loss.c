/* test_loss.c -- losses and their gradients against the formulas written out. */
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

TestSuite(loss, .init = tape_open, .fini = tape_close);

enum { N = 4, K = 3 };
static const double logits[N * K] = {1, 2, 3, 0, 0, 0, -1, 4, 0.5, 2, -2, 1};

/* softmax of row n, the plain way */
static void softmax_row(int n, double *p)
{
    double s = 0;
    for (int k = 0; k < K; k++)
        s += exp(logits[n * K + k]);
    for (int k = 0; k < K; k++)
        p[k] = exp(logits[n * K + k]) / s;
}

#define CLASSES(shape, ...) tl_input_i32(tape, shape, (const int32_t[]){__VA_ARGS__})

/* loss = mean of -log p[c],  dloss/dz = (p - onehot(c)) / N */
Test(loss, cross_entropy_with_a_label_left_out)
{
    const int32_t c[N] = {2, -1, 0, 1};
    double want = 0, dz[N * K] = {0}, p[K];
    for (int n = 0; n < N; n++) {
        if (c[n] < 0)
            continue;
        softmax_row(n, p);
        want -= log(p[c[n]]) / 3;
        for (int k = 0; k < K; k++)
            dz[n * K + k] = (p[k] - (k == c[n])) / 3;
    }
    tl_tensor z = tl_input_f64(tape, tl_shape2(N, K), logits), d;
    tl_tensor loss = tl_cross_entropy(z, tl_input_i32(tape, tl_shape1(N), c), -1);
    expect(loss, tl_shape0(), want);
    cr_assert_eq(tl_grad(1, &loss, NULL, 1, &z, &d), TL_OK);
    expect_array(d, tl_shape2(N, K), dz);
    /* the same rows in another arrangement */
    tl_tensor cube = tl_reshape(z, tl_shape3(2, 2, K));
    expect(tl_cross_entropy(cube, CLASSES(tl_shape2(2, 2), 2, -1, 0, 1), -1), tl_shape0(), want);
    /* a class may be the label that is left out */
    const double one = (log(exp(1) + exp(2) + exp(3)) - 3 + log(3)) / 2;
    expect(tl_cross_entropy(z, CLASSES(tl_shape1(N), 2, 2, 0, 0), 0), tl_shape0(), one);
}

/* The Hessian of one row is diag(p) - p p', so times v it is p (v - <p,v>). */
Test(loss, second_derivative_of_cross_entropy)
{
    const int32_t c[N] = {2, -1, 0, 1};
    double v[N * K], want[N * K] = {0}, p[K];
    numbers(N * K, v);
    for (int n = 0; n < N; n++) {
        if (c[n] < 0)
            continue;
        softmax_row(n, p);
        double pv = 0;
        for (int k = 0; k < K; k++)
            pv += p[k] * v[n * K + k];
        for (int k = 0; k < K; k++)
            want[n * K + k] = p[k] * (v[n * K + k] - pv) / 3;
    }
    tl_tensor z = tl_input_f64(tape, tl_shape2(N, K), logits), d, h;
    tl_tensor direction = tl_input_f64(tape, tl_shape2(N, K), v);
    tl_tensor loss = tl_cross_entropy(z, tl_input_i32(tape, tl_shape1(N), c), -1);
    cr_assert_eq(tl_grad(1, &loss, NULL, 1, &z, &d), TL_OK);
    cr_assert_eq(tl_grad(1, &d, &direction, 1, &z, &h), TL_OK);
    expect_array(h, tl_shape2(N, K), want);
}

Test(loss, cross_entropy_of_nothing_is_zero)
{
    tl_tensor z = tl_input_f64(tape, tl_shape2(N, K), logits), d;
    tl_tensor loss = tl_cross_entropy(z, CLASSES(tl_shape1(N), -1, -1, -1, -1), -1);
    expect(loss, tl_shape0(), 0);
    cr_assert_eq(tl_grad(1, &loss, NULL, 1, &z, &d), TL_OK);
    const double zero[N * K] = {0};
    expect_array(d, tl_shape2(N, K), zero);
    expect(tl_cross_entropy(tl_zeros(tape, TL_F64, tl_shape2(0, K)), CLASSES(tl_shape1(0), 0), -1),
           tl_shape0(), 0);
}

Test(loss, cross_entropy_does_not_overflow)
{
    const double v[4] = {1000, -1000, -1e300, 1e300};
    tl_tensor z = tl_input_f64(tape, tl_shape2(2, 2), v);
    expect(tl_cross_entropy(z, CLASSES(tl_shape1(2), 0, 1), -1), tl_shape0(), 0);
    expect(tl_cross_entropy(z, CLASSES(tl_shape1(2), 1, -1), -1), tl_shape0(), 2000);
}

Test(loss, cross_entropy_in_single_precision)
{
    float v[N * K];
    double want = 0, p[K];
    const int32_t c[N] = {0, 1, 2, 2};
    for (int i = 0; i < N * K; i++)
        v[i] = (float)logits[i];
    for (int n = 0; n < N; n++) {
        softmax_row(n, p);
        want -= log(p[c[n]]) / N;
    }
    double got = tl_item(tl_cross_entropy(tl_input_f32(tape, tl_shape2(N, K), v),
                                          tl_input_i32(tape, tl_shape1(N), c), -1));
    cr_assert(fabs(got - want) < 1e-6 * want, "got %g, want %g", got, want);
}

Test(loss, cross_entropy_against_a_distribution)
{
    const double t[N * K] = {0, 0, 1, 0.5, 0.25, 0.25, 1, 0, 0, 0.1, 0.2, 0.7};
    double want = 0, dz[N * K], p[K];
    for (int n = 0; n < N; n++) {
        softmax_row(n, p);
        for (int k = 0; k < K; k++) {
            want -= t[n * K + k] * log(p[k]) / N;
            dz[n * K + k] = (p[k] - t[n * K + k]) / N;
        }
    }
    tl_tensor z = tl_input_f64(tape, tl_shape2(N, K), logits), d;
    tl_tensor loss = tl_cross_entropy_soft(z, tl_input_f64(tape, tl_shape2(N, K), t));
    expect(loss, tl_shape0(), want);
    cr_assert_eq(tl_grad(1, &loss, NULL, 1, &z, &d), TL_OK);
    expect_array(d, tl_shape2(N, K), dz);
}

/* d/dz = (sigmoid(z) - y) / N, at z = 0 as well */
Test(loss, bce_with_logits)
{
    const double v[5] = {0, 2, -3, 800, -800}, y[5] = {1, 0, 0.25, 0, 0};
    double want = 0, dz[5];
    for (int i = 0; i < 3; i++) {
        double s = 1 / (1 + exp(-v[i]));
        want -= (y[i] * log(s) + (1 - y[i]) * log(1 - s)) / 5;
    }
    want += 800.0 / 5;
    for (int i = 0; i < 5; i++)
        dz[i] = (1 / (1 + exp(-v[i])) - y[i]) / 5;
    tl_tensor z = tl_input_f64(tape, tl_shape1(5), v), d;
    tl_tensor loss = tl_bce_with_logits(z, tl_input_f64(tape, tl_shape1(5), y));
    expect(loss, tl_shape0(), want);
    cr_assert_eq(tl_grad(1, &loss, NULL, 1, &z, &d), TL_OK);
    expect_array(d, tl_shape1(5), dz);
}

Test(loss, bce_of_sure_and_right_is_small_not_zero)
{
    const double v[1] = {30}, y[1] = {1};
    double got = tl_item(tl_bce_with_logits(tl_input_f64(tape, tl_shape1(1), v),
                                            tl_input_f64(tape, tl_shape1(1), y)));
    cr_assert(fabs(got / log1p(exp(-30)) - 1) < 1e-12, "got %g", got);
}

Test(loss, bce_of_probabilities)
{
    const double v[2] = {0.8, 0.3}, y[2] = {1, 0.5};
    tl_tensor p = tl_input_f64(tape, tl_shape1(2), v), d;
    tl_tensor loss = tl_bce(p, tl_input_f64(tape, tl_shape1(2), y));
    expect(loss, tl_shape0(), -(log(0.8) + 0.5 * log(0.3) + 0.5 * log(0.7)) / 2);
    cr_assert_eq(tl_grad(1, &loss, NULL, 1, &p, &d), TL_OK);
    expect(d, tl_shape1(2), -0.5 / 0.8, -0.25 / 0.3 + 0.25 / 0.7);
    const double sure[2] = {0, 1}, wrong[2] = {1, 0}; /* log of 0 is held at -708.4 */
    loss =
        tl_bce(p = tl_input_f64(tape, tl_shape1(2), sure), tl_input_f64(tape, tl_shape1(2), wrong));
    expect(loss, tl_shape0(), 708.39641853226408);
    cr_assert_eq(tl_grad(1, &loss, NULL, 1, &p, &d), TL_OK);
    expect(d, tl_shape1(2), 0, 0);
}

Test(loss, distances)
{
    const double v[4] = {1, -2, 0.5, 3}, t[4] = {1, 1, 0, -1};
    tl_tensor a = tl_input_f64(tape, tl_shape2(2, 2), v),
              y = tl_input_f64(tape, tl_shape2(2, 2), t), d;
    tl_tensor loss = tl_mse(a, y);
    expect(loss, tl_shape0(), (0 + 9 + 0.25 + 16) / 4);
    cr_assert_eq(tl_grad(1, &loss, NULL, 1, &a, &d), TL_OK);
    expect(d, tl_shape2(2, 2), 0, -1.5, 0.25, 2);
    loss = tl_l1(a, y);
    expect(loss, tl_shape0(), (0 + 3 + 0.5 + 4) / 4);
    cr_assert_eq(tl_grad(1, &loss, NULL, 1, &a, &d), TL_OK);
    expect(d, tl_shape2(2, 2), 0, -0.25, 0.25, 0.25);
    loss = tl_huber(a, y, 2);
    expect(loss, tl_shape0(), (0 + 2 * (3 - 1) + 0.125 + 2 * (4 - 1)) / 4);
    cr_assert_eq(tl_grad(1, &loss, NULL, 1, &a, &d), TL_OK);
    expect(d, tl_shape2(2, 2), 0, -0.5, 0.125, 0.5);
    expect(tl_mse(tl_zeros(tape, TL_F64, tl_shape1(0)), tl_zeros(tape, TL_F64, tl_shape1(0))),
           tl_shape0(), 0);
}

/* The second derivative of Huber is 1/N where |d| < delta, 0 included, and 0 outside. */
Test(loss, huber_is_smooth_at_zero)
{
    const double v[3] = {0, 0.5, 5};
    tl_tensor a = tl_input_f64(tape, tl_shape1(3), v), d, h;
    tl_tensor loss = tl_huber(a, tl_zeros(tape, TL_F64, tl_shape1(3)), 1);
    cr_assert_eq(tl_grad(1, &loss, NULL, 1, &a, &d), TL_OK);
    cr_assert_eq(tl_grad(1, &d, NULL, 1, &a, &h), TL_OK);
    expect(h, tl_shape1(3), 1.0 / 3, 1.0 / 3, 0);
}

Test(loss, messages)
{
#define ZEROS(...) tl_zeros(tape, TL_F64, __VA_ARGS__)
    tl_cross_entropy(ZEROS(tl_shape2(32, 10)), CLASSES(tl_shape1(2), 0, 0), -1);
    expect_error(tape, TL_ESHAPE,
                 "cross_entropy: got logits [32,10], classes [2], want [...,K], [...]");
    tl_cross_entropy(ZEROS(tl_shape2(2, 10)), ZEROS(tl_shape1(2)), -1);
    expect_error(tape, TL_EDTYPE,
                 "cross_entropy: got f64 logits, f64 classes, want f32 or f64, i32");
    tl_item(tl_cross_entropy(ZEROS(tl_shape2(2, 10)), CLASSES(tl_shape1(2), 0, 10), -1));
    expect_error(tape, TL_ERANGE, "got index 10 at [1,0], want one in [0,10)");
    tl_mse(ZEROS(tl_shape1(32)), ZEROS(tl_shape2(32, 1)));
    expect_error(tape, TL_ESHAPE, "mse: got [32] and [32,1], want equal shapes");
    tl_l1(ZEROS(tl_shape1(3)), tl_zeros(tape, TL_F32, tl_shape1(3)));
    expect_error(tape, TL_EDTYPE, "l1: got f64 and f32");
    tl_huber(ZEROS(tl_shape1(3)), ZEROS(tl_shape1(3)), 0);
    expect_error(tape, TL_ERANGE, "huber: got delta 0, want more than 0");
    tl_bce(ZEROS(tl_shape1(3)), ZEROS(tl_shape1(4)));
    expect_error(tape, TL_ESHAPE, "bce: got [3] and [4], want equal shapes");
    tl_cross_entropy_soft(ZEROS(tl_shape0()), ZEROS(tl_shape0()));
    expect_error(tape, TL_ESHAPE, "cross_entropy_soft: got logits []");
    cr_assert_not(tl_mse((tl_tensor){0}, (tl_tensor){0}).tape);
}
