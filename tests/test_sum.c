/* test_sum.c -- sums: values, the same bits from any strides, accuracy, and gradients back to
 * smaller shapes. */
#include "core/grad.h"
#include "core/random.h"
#include "core/space.h"
#include "core/sum.h"
#include "ops/elementwise.h"
#include "tests/check.h"
#include "tests/optest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define VALUES(...) ((const double[]){__VA_ARGS__})

/* plain_sum -- the definition, in double, element by element. */
static void plain_sum(const tl_shape *s, uint32_t mask, const double *x, double *out,
                      const tl_shape *to)
{
    const int64_t count = tl_shape_count(*s);
    memset(out, 0, (size_t)tl_shape_count(*to) * sizeof *out);
    for (int64_t i = 0; i < count; i++) {
        int64_t rest = i, at = 0, step = 1;
        for (int a = s->rank - 1; a >= 0; rest /= s->dim[a], a--) {
            if (!(mask >> (s->rank - 1 - a) & 1))
                at += rest % s->dim[a] * step;
            step *= to->dim[a];
        }
        out[at] += x[i];
    }
}

static const tl_shape shapes[] = {
    {2, {3, 5}},       {2, {70, 130}}, {2, {200, 4}},        {3, {2, 3, 4}}, {3, {5, 70, 33}},
    {4, {2, 3, 4, 5}}, {1, {5000}},    {2, {1, 9}},          {3, {4, 1, 6}}, {2, {3, 0}},
    {2, {0, 3}},       {0, {0}},       {5, {2, 1, 3, 2, 2}},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0], MOST = 12000 };

Test(sum, any_axes_of_any_shape)
{
    static double x[MOST], got[MOST], want[MOST];
    static float x32[MOST], got32[MOST];
    numbers(MOST, x);
    for (int i = 0; i < MOST; i++)
        x32[i] = (float)x[i];
    for (int k = 0; k < SHAPES; k++)
        for (uint32_t mask = 0; mask < 1u << shapes[k].rank; mask++) {
            const int64_t i[] = {mask};
            const tl_attr attr = {1, i, 0, NULL};
            void *const data[] = {x}, *const data32[] = {x32};
            const tl_dtype f64 = TL_F64, f32 = TL_F32;
            tl_shape to;
            cr_assert_eq(run_dense(&tl_op_sum, &attr, 1, &f64, &shapes[k], data, &to, got, NULL),
                         TL_OK);
            plain_sum(&shapes[k], mask, x, want, &to);
            assert_allclose(tl_shape_count(to), got, want, 1e-13, 1e-13);
            cr_assert_eq(
                run_dense(&tl_op_sum, &attr, 1, &f32, &shapes[k], data32, &to, got32, NULL), TL_OK);
            for (int64_t e = 0; e < tl_shape_count(to); e++)
                got[e] = (double)got32[e];
            assert_allclose(tl_shape_count(to), got, want, 1e-5, 1e-4);
        }
}

Test(sum, bits_do_not_depend_on_strides)
{
    static double x[MOST];
    static float x32[MOST];
    numbers(MOST, x);
    for (int i = 0; i < MOST; i++)
        x32[i] = (float)x[i];
    for (int k = 0; k < SHAPES; k++)
        for (uint32_t mask = 0; mask < 1u << shapes[k].rank; mask++) {
            const int64_t i[] = {mask};
            const tl_attr attr = {1, i, 0, NULL};
            const tl_dtype f64 = TL_F64, f32 = TL_F32;
            int64_t out = 1;
            for (int a = 0; a < shapes[k].rank; a++)
                out *= mask >> (shapes[k].rank - 1 - a) & 1 ? 1 : shapes[k].dim[a];
            if (out > 4096)
                continue; /* more than the helper holds */
            same_on_odd_layouts(&tl_op_sum, &attr, 1, &f64, &shapes[k], (void *const[]){x});
            same_on_odd_layouts(&tl_op_sum, &attr, 1, &f32, &shapes[k], (void *const[]){x32});
        }
}

/* Adding 0.1 a million times one after the other gives 105892 in f32 instead of 104858, wrong
 * in the second digit. */
Test(sum, is_accurate_in_f32)
{
    enum { N = 1 << 20 };
    float *x = malloc(N * sizeof *x), total;
    cr_assert_not_null(x);
    for (int i = 0; i < N; i++)
        x[i] = 0.1f;
    for (uint32_t mask = 1; mask <= 3; mask += 2) {
        const tl_shape s = mask == 1 ? tl_shape1(N) : tl_shape2(N / 4, 4);
        const int64_t i[] = {mask};
        const tl_attr attr = {1, i, 0, NULL};
        const tl_dtype f32 = TL_F32;
        tl_shape to;
        cr_assert_eq(
            run_dense(&tl_op_sum, &attr, 1, &f32, &s, (void *const[]){x}, &to, &total, NULL),
            TL_OK);
        assert_allclose(1, VALUES((double)total), VALUES((double)0.1f * N), 5e-6, 0);
    }
    free(x);
}

Test(sum, on_the_tape)
{
    tl_tape *tape = check_tape(1);
    const tl_tensor a = tl_input_f64(tape, tl_shape2(2, 3), (const double[]){1, 2, 3, 4, 5, 6});
    assert_tensor(tl_sum_keep(a, 1), 2, VALUES(6, 15), 0, 0);
    assert_tensor(tl_sum_keep(a, 2), 3, VALUES(5, 7, 9), 0, 0);
    assert_tensor(tl_sum_keep(a, 3), 1, VALUES(21), 0, 0);
    cr_assert_eq(tl_sum_keep(a, 0).slot, a.slot);
    assert_tensor(tl_sum_to(a, tl_shape1(3)), 3, VALUES(5, 7, 9), 0, 0);
    assert_tensor(tl_sum_to(a, tl_shape2(2, 1)), 2, VALUES(6, 15), 0, 0);
    assert_tensor(tl_sum_to(a, tl_shape0()), 1, VALUES(21), 0, 0);
    cr_assert_eq(tl_rank(tl_sum_to(a, tl_shape0())), 0);
    /* of a view that repeats */
    assert_tensor(tl_sum_keep(tl_broadcast_to(a, tl_shape3(5, 2, 3)), 4), 6,
                  VALUES(5, 10, 15, 20, 25, 30), 0, 0);
    assert_ok(tape);
    tl_sum_to(a, tl_shape1(2));
    assert_fails(tape, TL_ESHAPE, "sum_to: got [2,3], want a shape that [2] repeats to");
    tl_tape_reset(tape);
    tl_sum_keep(tl_input_f64(tape, tl_shape1(1), (const double[]){1}), 2);
    assert_fails(tape, TL_ERANGE, "sum: got axes 0x2 of [1]");
    tl_tape_free(tape);
}

/* What broadcasting repeated is summed back: to the operand's shape, rank included. */
Test(sum, gradients_come_back_in_the_operands_shape)
{
    tl_tape *tape = check_tape(1);
    const tl_tensor a = tl_input_f64(tape, tl_shape2(3, 1), (const double[]){1, 2, 3});
    const tl_tensor b = tl_input_f64(tape, tl_shape1(2), (const double[]){10, 20});
    const tl_tensor c = tl_scalar(tape, TL_F64, 5);
    const tl_tensor y = tl_mul(tl_mul(a, b), c), by[] = {a, b, c};
    tl_tensor g[3];
    tl_grad(1, &y, NULL, 3, by, g);
    cr_assert(tl_shape_equal(tl_shape_of(g[0]), tl_shape2(3, 1)));
    cr_assert_eq(tl_rank(g[2]), 0);
    assert_tensor(g[0], 3, VALUES(150, 150, 150), 1e-15, 0);
    assert_tensor(g[1], 2, VALUES(30, 30), 1e-15, 0);
    assert_tensor(g[2], 1, VALUES(180), 1e-15, 0);
    tl_tape_free(tape);
}

Test(sum, rows_that_come_some_at_a_time_give_the_same_bits)
{
    static float x[MOST], want[MOST], got[MOST], partial[MOST];
    static const int64_t sizes[][2] = {{9000, 1}, {4096, 1}, {64, 20},
                                       {200, 33}, {65, 140}, {1, 7}};
    static double wide[MOST];
    tl_rng r = {.seed = 3};
    numbers(MOST, wide);
    for (int i = 0; i < MOST; i++)
        x[i] = (float)wide[i];
    for (int turn = 0; turn < 300; turn++) {
        const int64_t N = sizes[turn % 6][0], q = sizes[turn % 6][1],
                      unit = q == 1 ? tl__sum_block(TL_F32, q) : 1;
        const tl_shape shape = tl_shape2(N, q);
        const int64_t i[] = {2};
        const tl_attr attr = {1, i, 0, NULL};
        const tl_dtype f32 = TL_F32;
        void *const data[] = {x};
        tl_shape to;
        cr_assert_eq(run_dense(&tl_op_sum, &attr, 1, &f32, &shape, data, &to, want, NULL), TL_OK);
        memset(partial, 0x7f, sizeof partial);
        for (int64_t at = 0, n; at < N; at += n) {
            n = unit * (1 + (int64_t)tl__rng_below(&r, (uint64_t)(N / unit + 1)));
            n = n < N - at ? n : N - at;
            tl__sum_partial(TL_F32, q, at, n, x + at * q, q, partial);
        }
        tl__sum_finish(TL_F32, q, N, partial, got);
        cr_assert_eq(memcmp(got, want, (size_t)q * sizeof *got), 0, "[%d,%d]", (int)N, (int)q);
    }
}
