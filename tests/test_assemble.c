/* test_assemble.c -- pieces put into zeros: values, overlaps, leading axes, gradients, messages. */
#include "core/grad.h"
#include "core/space.h"
#include "ops/elementwise.h"
#include "tests/check.h"
#include "tests/optest.h"

#define VALUES(...) ((const double[]){__VA_ARGS__})

Test(assemble, gaps_are_zero_and_overlaps_add)
{
    tl_tape *tape = check_tape(1);
    const tl_tensor piece[] = {tl_input_f64(tape, tl_shape1(3), (const double[]){1, 2, 3}),
                               tl_input_f64(tape, tl_shape1(2), (const double[]){10, 20})};
    const int64_t at[2][TL_MAX_RANK] = {{0}, {2}};
    assert_tensor(tl_assemble(tl_shape1(6), 2, piece, at), 6, VALUES(1, 2, 13, 20, 0, 0), 0, 0);
    /* rank 0: pieces just add */
    const tl_tensor number[] = {tl_scalar(tape, TL_F64, 1), tl_scalar(tape, TL_F64, 2)};
    assert_tensor(tl_assemble(tl_shape0(), 2, number, at), 1, VALUES(3), 0, 0);
    assert_ok(tape);
    tl_tape_free(tape);
}

Test(assemble, kernel_on_other_layouts)
{
    static double x[3][64];
    for (int k = 0; k < 3; k++)
        numbers(64, x[k]);
    const tl_shape shape[] = {{3, {2, 3, 4}}, {3, {1, 2, 2}}, {3, {2, 3, 4}}};
    const tl_dtype d[] = {TL_F64, TL_F64, TL_F64};
    /* without a shape rule the helper takes the first piece's shape for the result's */
    const int64_t i[] = {3, 3, 0, 0, 0, 1, 1, 2, 0, 0, 0};
    const tl_attr attr = {11, i, 0, NULL};
    same_on_odd_layouts(&tl_op_assemble, &attr, 3, d, shape, (void *const[]){x[0], x[1], x[2]});
}

Test(assemble, a_leading_axis_begins_at_0)
{
    const int64_t i[] = {2, 1, 0, 3};
    const tl_attr attr = {4, i, 0, NULL};
    const tl_shape in[] = {{1, {3}}, {1, {2}}};
    tl_lead q = {.attr = &attr, .nin = 2, .in = in, .led = 3, .ni = 4};
    cr_assert(tl_op_assemble.lead(&q));
    const int64_t want[] = {2, 2, 0, 0, 0, 3};
    cr_assert_eq(q.ni, 6);
    cr_assert_arr_eq(q.i, want, sizeof want);
    q.led = 1;
    cr_assert_not(tl_op_assemble.lead(&q), "a piece without the axis");
}

Test(assemble, gradients_are_slices)
{
    tl_tape *tape = check_tape(1);
    const tl_tensor x = tl_input_f64(tape, tl_shape2(2, 2), (const double[]){1, 2, 3, 4});
    const int64_t at[1][TL_MAX_RANK] = {{1, 0}};
    const tl_tensor w = tl_input_f64(tape, tl_shape2(3, 2), (const double[]){1, 2, 3, 4, 5, 6});
    const tl_tensor y = tl_mul(tl_assemble(tl_shape2(3, 2), 1, &x, at), w);
    tl_tensor g;
    tl_grad(1, &y, NULL, 1, &x, &g);
    assert_tensor(g, 4, VALUES(3, 4, 5, 6), 0, 0);
    tl_tape_free(tape);
}

/* More pieces than a rule is asked for one by one, and than a lead has room for. */
Test(assemble, fifty_slices_of_one_tensor)
{
    enum { N = 50 };
    tl_tape *tape = check_tape(1);
    double values[N], want[N];
    tl_tensor piece[N], g;
    int64_t at[N][TL_MAX_RANK] = {{0}};
    for (int k = 0; k < N; k++) {
        values[k] = k;
        want[k] = 2 * k * (double)(N - k);
    }
    const tl_tensor x = tl_input_f64(tape, tl_shape1(N), values);
    for (int k = 0; k < N; k++) {
        piece[k] = tl_scale(tl_square(tl_slice(x, 0, k, 1)), N - k);
        at[k][0] = N - 1 - k;
    }
    const tl_tensor y = tl_assemble(tl_shape1(N), N, piece, (const int64_t(*)[TL_MAX_RANK])at);
    tl_grad(1, &y, NULL, 1, &x, &g);
    assert_tensor(g, N, want, 1e-15, 0);
    assert_ok(tape);
    tl_tape_free(tape);
}

Test(assemble, errors_name_the_piece)
{
    tl_tape *tape = check_tape(1);
    const int64_t at[2][TL_MAX_RANK] = {{0}, {5}};
    const double v[2] = {0};
    tl_tensor piece[] = {tl_input_f64(tape, tl_shape1(2), v), tl_input_f64(tape, tl_shape1(2), v)};
    tl_assemble(tl_shape1(6), 2, piece, at);
    assert_fails(tape, TL_ESHAPE, "assemble: got [2] at [5] as piece 1, want a part of [6]");
    tl_tape_reset(tape);
    piece[0] = tl_input_f64(tape, tl_shape1(2), v);
    piece[1] = tl_input_f32(tape, tl_shape1(1), (const float[]){0});
    tl_assemble(tl_shape1(6), 2, piece, at);
    assert_fails(tape, TL_EDTYPE, "assemble: got f32 as piece 1, want f64");
    tl_tape_free(tape);
}

/* What is assembled goes into a larger one: its pieces and zeros are written there, behind the
 * zeros of the larger. */
Test(assemble, one_inside_another)
{
    tl_tape *tape = check_tape(1);
    const double v[2] = {3, 4};
    for (int gap = 0; gap < 2; gap++) {
        const tl_tensor x = tl_input_f64(tape, tl_shape1(2), v);
        const tl_tensor two[] = {tl_scale(x, 2), tl_scale(x, -1)};
        const int64_t at[2][TL_MAX_RANK] = {{0}, {2 + gap}};
        tl_tensor inner = tl_assemble(tl_shape1(4 + gap), 2, two, at);
        inner = tl_reshape(inner, tl_shape2(1, 4 + gap));
        const int64_t row[1][TL_MAX_RANK] = {{1, 1}};
        const tl_tensor outer = tl_assemble(tl_shape2(3, 6), 1, &inner, row);
        const double want[2][18] = {{[7] = 6, 8, -3, -4}, {[7] = 6, 8, 0, -3, -4}};
        assert_tensor(outer, 18, want[gap], 0, 0);
    }
    assert_ok(tape);
    tl_tape_free(tape);
}
