/* test_strip.c -- every kernel, to the bit, against the chain of fused multiply-adds that strip.h
 * promises, with numbers around C that must stay. */
#include "core/strip.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

enum { K = 40, COLUMNS = 128, LDC = COLUMNS + 7 };

static double number(void)
{
    return rand() % 2001 / 1000.0 - 1;
}

/* A strip of f32 and the same in f64: rows x n columns of C, the left operand at two strides, the
 * right one in panels or as it would lie in a matrix. */
#define CHECK(T, dtype, fma_of)                                                                    \
    static void check_##dtype(int rows, int wide, int64_t n, int64_t k, int64_t rs, int64_t cs,    \
                              int in_place, int add)                                               \
    {                                                                                              \
        static T left[4096], right[K * COLUMNS], c[(TL_STRIP_ROWS + 2) * LDC],                     \
            before[(TL_STRIP_ROWS + 2) * LDC];                                                     \
        const tl_strips *t = tl__strips(dtype);                                                    \
        for (int i = 0; i < 4096; i++)                                                             \
            left[i] = (T)number();                                                                 \
        for (int i = 0; i < K * COLUMNS; i++)                                                      \
            right[i] = (T)number();                                                                \
        for (int i = 0; i < (TL_STRIP_ROWS + 2) * LDC; i++)                                        \
            before[i] = c[i] = (T)number();                                                        \
        T *corner = c + LDC + 3;                                                                   \
        tl_strip s = {.k = k,                                                                      \
                      .left = left + 600,                                                          \
                      .rs = rs,                                                                    \
                      .cs = cs,                                                                    \
                      .right = right,                                                              \
                      .ldb = in_place ? COLUMNS : t->width,                                        \
                      .step = in_place ? t->width : t->width * k,                                  \
                      .n = n,                                                                      \
                      .add = add,                                                                  \
                      .c = corner,                                                                 \
                      .ldc = LDC};                                                                 \
        (wide ? t->wide : t->one)[rows](&s);                                                       \
        for (int i = 0; i < rows; i++)                                                             \
            for (int64_t j = 0; j < n; j++) {                                                      \
                T sum = 0, *at = &before[LDC + 3 + i * LDC + j];                                   \
                for (int64_t p = 0; p < k; p++)                                                    \
                    sum = fma_of(left[600 + i * rs + p * cs],                                      \
                                 right[p * s.ldb + j % t->width + j / t->width * s.step], sum);    \
                *at = add ? *at + sum : sum;                                                       \
            }                                                                                      \
        for (int i = 0; i < (TL_STRIP_ROWS + 2) * LDC; i++)                                        \
            cr_assert(c[i] == before[i], "%d rows, wide %d, n %d k %d: at %d", rows, wide, (int)n, \
                      (int)k, i - LDC - 3);                                                        \
    }

CHECK(float, TL_F32, fmaf)
CHECK(double, TL_F64, fma)

/* The same with columns of the right operand contiguous, and a panel packed from them. */
#define CHECK_DOWN(T, dtype, fma_of)                                                               \
    static void check_down_##dtype(int rows, int64_t k, int add)                                   \
    {                                                                                              \
        const tl_strips *t = tl__strips(dtype);                                                    \
        const int64_t ldb = k + 3, rs = k + 1, ldc = t->width + 5;                                 \
        static T left[TL_STRIP_DOWN * 100], right[64 * 100], c[6 * 64], want[6 * 64],              \
            to[64 * 100];                                                                          \
        for (int i = 0; i < TL_STRIP_DOWN * 100; i++)                                              \
            left[i] = (T)number();                                                                 \
        for (int i = 0; i < 64 * 100; i++)                                                         \
            right[i] = (T)number();                                                                \
        for (int i = 0; i < 6 * 64; i++)                                                           \
            want[i] = c[i] = (T)number();                                                          \
        tl_strip s = {.k = k,                                                                      \
                      .left = left,                                                                \
                      .rs = rs,                                                                    \
                      .cs = 1,                                                                     \
                      .right = right,                                                              \
                      .ldb = ldb,                                                                  \
                      .n = t->width,                                                               \
                      .add = add,                                                                  \
                      .c = c + 3,                                                                  \
                      .ldc = ldc};                                                                 \
        t->down[rows](&s);                                                                         \
        for (int i = 0; i < rows; i++)                                                             \
            for (int j = 0; j < t->width; j++) {                                                   \
                T sum = 0, *at = &want[3 + i * ldc + j];                                           \
                for (int64_t p = 0; p < k; p++)                                                    \
                    sum = fma_of(left[i * rs + p], right[p + j * ldb], sum);                       \
                *at = add ? *at + sum : sum;                                                       \
            }                                                                                      \
        cr_assert_arr_eq(c, want, sizeof c, "%d rows, k %d", rows, (int)k);                        \
        to[k * t->width] = 77;                                                                     \
        t->pack(k, right, ldb, to);                                                                \
        for (int64_t p = 0; p < k; p++)                                                            \
            for (int j = 0; j < t->width; j++)                                                     \
                cr_assert(to[p * t->width + j] == right[p + j * ldb]);                             \
        cr_assert(to[k * t->width] == 77, "nothing is written behind the panel");                  \
    }

CHECK_DOWN(float, TL_F32, fmaf)
CHECK_DOWN(double, TL_F64, fma)

static void check_all(void)
{
    srand(7);
    const int64_t strides[][2] = {{K, 1}, {1, 12}, {0, 3}, {-41, 2}, {7, -1}, {5, 0}};
    for (int d = 0; d < 2; d++) {
        const tl_strips *t = tl__strips(d ? TL_F64 : TL_F32);
        if (!t)
            return;
        for (int64_t k = 0; k < 90; k++)
            (d ? check_down_TL_F64 : check_down_TL_F32)(1 + rand() % TL_STRIP_DOWN, k, rand() % 2);
        for (int rows = 1; rows <= t->rows; rows++)
            for (int wide = 0; wide < 2; wide++)
                for (int64_t n = 1; n <= t->width * (wide ? t->panels[rows] : 1); n++) {
                    const int64_t *s = strides[rand() % 6];
                    (d ? check_TL_F64 : check_TL_F32)(rows, wide, n, rand() % (K + 1), s[0], s[1],
                                                      rand() % 2, rand() % 2);
                }
    }
}

Test(strip, is_one_chain_in_this_processors_vectors)
{
    check_all();
}

Test(strip, is_one_chain_in_vectors_of_256_bits)
{
    setenv("TL_ISA", "avx2", 1);
    check_all();
}

Test(strip, does_not_exist_elsewhere)
{
    setenv("TL_ISA", "base", 1);
    cr_assert_null(tl__strips(TL_F32));
    cr_assert_null(tl__strips(TL_F64));
}
