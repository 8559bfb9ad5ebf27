/* test_attention.c -- attention against its formula in loops, and at its corners. */
#include "nn/attention.h"

#include "core/grad.h"
#include "ops/ops.h"
#include "tests/check.h"
#include "tests/gradcheck.h"

#include <math.h>

enum { N = 2, T = 3, S = 4, D = 5, E = 2 };

/* by_hand -- the formula, element by element; sees[t][s]. */
static void by_hand(const double *q, const double *k, const double *v, const int32_t *sees,
                    double *y)
{
    for (int n = 0; n < N; n++)
        for (int t = 0; t < T; t++) {
            double w[S], all = 0;
            for (int s = 0; s < S; s++) {
                double dot = 0;
                for (int d = 0; d < D; d++)
                    dot += q[(n * T + t) * D + d] * k[s * D + d];
                w[s] = sees[t * S + s] ? exp(dot / sqrt((double)D)) : 0;
                all += w[s];
            }
            for (int e = 0; e < E; e++) {
                double sum = 0;
                for (int s = 0; s < S; s++)
                    sum += w[s] * v[(n * S + s) * E + e];
                y[(n * T + t) * E + e] = all > 0 ? sum / all : 0;
            }
        }
}

static void fill(int n, double *x, double phase)
{
    for (int i = 0; i < n; i++)
        x[i] = sin(1.7 * i + phase);
}

/* Keys are shared by the N of the queries; one query sees all, one some, one nothing. */
Test(attention, is_its_formula)
{
    static const int32_t some[T * S] = {1, 1, 1, 1, 0, 1, 0, 5, 0, 0, 0, 0},
                                  all[T * S] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    double q[N * T * D], k[S * D], v[N * S * E], want[N * T * E];
    fill(N * T * D, q, 0);
    fill(S * D, k, 1);
    fill(N * S * E, v, 2);
    tl_tape *tape = check_tape(1);
    const tl_tensor tq = tl_input_f64(tape, tl_shape3(N, T, D), q),
                    tk = tl_input_f64(tape, tl_shape2(S, D), k),
                    tv = tl_input_f64(tape, tl_shape3(N, S, E), v),
                    mask = tl_input_i32(tape, tl_shape2(T, S), some);
    by_hand(q, k, v, some, want);
    const tl_tensor y = tl_attention(tq, tk, tv, mask);
    assert_tensor(y, N * T * E, want, 1e-13, 1e-13);
    assert_same(tl_attention(tq, tk, tv, tl_cast(mask, TL_F64)), y, 0, 0);
    by_hand(q, k, v, all, want);
    assert_tensor(tl_attention(tq, tk, tv, (tl_tensor){0}), N * T * E, want, 1e-13, 1e-13);
    /* the query that sees nothing: gradient 0, and no NaN anywhere */
    const tl_tensor in[3] = {tq, tk, tv};
    tl_tensor d[3];
    cr_assert_eq(tl_grad(1, &y, NULL, 3, in, d), TL_OK, "%s", tl_tape_error(tape));
    const double none[N * D] = {0};
    assert_tensor(tl_slice(d[0], 1, T - 1, 1), N * D, none, 0, 0);
    cr_assert(isfinite(tl_item(tl_sum_all(tl_square(d[1])))));
    cr_assert(isfinite(tl_item(tl_sum_all(tl_square(d[2])))));
    tl_tape_free(tape);
}

static tl_tensor causal(const tl_tensor *in)
{
    return tl_attention(in[0], in[1], in[2],
                        tl_tril(tl_ones(in[0].tape, TL_F64, tl_shape2(3, 3)), 0));
}

Test(attention, gradient_is_right_at_orders_1_and_2)
{
    static const tl_case c = {
        3, {{3, {2, 3, 2}}, {2, {3, 2}}, {3, {2, 3, 2}}}, {TL_ANY, TL_ANY, TL_ANY}, 0, causal};
    char message[CHECK_MESSAGE];
    cr_expect(gradcheck(NULL, &c, 2, 1, message), "%s", message);
}
