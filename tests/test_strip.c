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

static void check_all(void)
{
    srand(7);
    const int64_t strides[][2] = {{K, 1}, {1, 12}, {0, 3}, {-41, 2}, {7, -1}, {5, 0}};
    for (int d = 0; d < 2; d++) {
        const tl_strips *t = tl__strips(d ? TL_F64 : TL_F32);
        if (!t)
            return;
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
