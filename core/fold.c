/* fold.c -- kernels of sums: one block of a row, and rows onto one another.
 *
 *     row     x 0 1 2 .. L-1 | L ..        element j goes to lane j % L; lanes in halves at the end
 *     rows    x[0,:]  + x[1,:] + ...       each column by itself, in order
 *
 * Lanes take the same bytes for every instruction set, so the tree of additions is the same.
 * Compiled as core/pointwise.h says. */
#include "core/fold.h"

#include "core/pointwise.h"

#include <string.h>

#define ROW_NAME(T, ISA) tl__fold_row_##T##_##ISA
#define ROWS_NAME(T, ISA) tl__fold_rows_##T##_##ISA

#if defined(TL_KERNELS)

#define THIS_ROW(T, ISA) ROW_NAME(T, ISA)
#define THIS_ROWS(T, ISA) ROWS_NAME(T, ISA)

/* The TL_FOLD_LANE_BYTES of lanes are as many vectors as that takes, each in a register of its own.
 */
/* clang-format off */
#define EACH_OF_4(X, T) X(0, T) X(1, T) X(2, T) X(3, T)
#define EACH_OF_8(X, T) EACH_OF_4(X, T) X(4, T) X(5, T) X(6, T) X(7, T)
#define EACH_OF_16(X, T)                                                                           \
    EACH_OF_8(X, T) X(8, T) X(9, T) X(10, T) X(11, T) X(12, T) X(13, T) X(14, T) X(15, T)
#if TL_VECTOR_BYTES == 64
#define EACH_ACC EACH_OF_4
#elif TL_VECTOR_BYTES == 32
#define EACH_ACC EACH_OF_8
#else
#define EACH_ACC EACH_OF_16
#endif
/* clang-format on */
#define ACC_ZERO(K, T) v##T acc##K = {0};
#define ACC_START(K, T) v##T acc##K = goes_on ? v_load_##T(s + K * W) : (v##T){0};
#define ACC_ADD(K, T) acc##K += v_load_##T(x + K * W);
#define ACC_ADD_PART(K, T)                                                                         \
    if (n >= (K + 1) * W)                                                                          \
        acc##K += v_load_##T(x + K * W);                                                           \
    else if (n > K * W)                                                                            \
        acc##K += v_load_zeros_##T(x + K * W, n - K * W);
#define ACC_ADD_ROW(K, T) acc##K += v_load_##T(row + K * W);
#define ACC_SUM(K, T) v_store_##T(s + K * W, goes_on ? acc##K : v_load_##T(s + K * W) + acc##K);
#define ACC_STORE(K, T) v_store_##T(lane + K * W, acc##K);

/* add_quad -- 16 bytes of lanes onto others: as wide as every instruction set of x86-64. */
#define ADD_QUAD(T)                                                                                \
    static inline void add_quad_##T(v_element_##T *to, const v_element_##T *from)                  \
    {                                                                                              \
        typedef v_element_##T quad __attribute__((vector_size(16)));                               \
        quad a, b;                                                                                 \
        memcpy(&a, to, sizeof a);                                                                  \
        memcpy(&b, from, sizeof b);                                                                \
        a += b;                                                                                    \
        memcpy(to, &a, sizeof a);                                                                  \
    }
ADD_QUAD(f32)
ADD_QUAD(f64)

#define FOLD_KERNELS(T)                                                                            \
    void THIS_ROW(T, TL_KERNELS)(int64_t n, const void *from, void *sum);                          \
    void THIS_ROW(T, TL_KERNELS)(int64_t n, const void *from, void *sum)                           \
    {                                                                                              \
        enum {                                                                                     \
            W = V_LANES_##T,                                                                       \
            LANES = TL_FOLD_LANE_BYTES / (int)sizeof(v_element_##T),                               \
            QUAD = 16 / (int)sizeof(v_element_##T)                                                 \
        };                                                                                         \
        const v_element_##T *x = from;                                                             \
        int used = LANES; /* lanes behind them are 0 */                                            \
        while (used > QUAD && used / 2 >= n)                                                       \
            used /= 2;                                                                             \
        EACH_ACC(ACC_ZERO, T)                                                                      \
        for (; n >= LANES; n -= LANES, x += LANES) {                                               \
            EACH_ACC(ACC_ADD, T)                                                                   \
        }                                                                                          \
        EACH_ACC(ACC_ADD_PART, T)                                                                  \
        v_element_##T lane[LANES];                                                                 \
        EACH_ACC(ACC_STORE, T)                                                                     \
        for (; used > QUAD; used /= 2)                                                             \
            for (int l = 0; l < used / 2; l += QUAD)                                               \
                add_quad_##T(lane + l, lane + l + used / 2);                                       \
        for (int half = QUAD / 2; half > 0; half /= 2)                                             \
            for (int l = 0; l < half; l++)                                                         \
                lane[l] += lane[l + half];                                                         \
        *(v_element_##T *)sum += lane[0];                                                          \
    }                                                                                              \
    void THIS_ROWS(T, TL_KERNELS)(int64_t n, int64_t q, const void *from, int64_t stride,          \
                                  void *sum, int goes_on);                                         \
    void THIS_ROWS(T, TL_KERNELS)(int64_t n, int64_t q, const void *from, int64_t stride,          \
                                  void *sum, int goes_on)                                          \
    {                                                                                              \
        enum { W = V_LANES_##T };                                                                  \
        const v_element_##T *x = from;                                                             \
        v_element_##T *s = sum;                                                                    \
        for (; q >= 8 * W; q -= 8 * W, x += 8 * W, s += 8 * W) {                                   \
            EACH_OF_8(ACC_START, T)                                                                \
            for (int64_t k = 0; k < n; k++) {                                                      \
                const v_element_##T *row = x + k * stride;                                         \
                EACH_OF_8(ACC_ADD_ROW, T)                                                          \
            }                                                                                      \
            EACH_OF_8(ACC_SUM, T)                                                                  \
        }                                                                                          \
        for (; q >= W; q -= W, x += W, s += W) {                                                   \
            v##T a = goes_on ? v_load_##T(s) : (v##T){0};                                          \
            for (int64_t k = 0; k < n; k++)                                                        \
                a += v_load_##T(x + k * stride);                                                   \
            v_store_##T(s, goes_on ? a : v_load_##T(s) + a);                                       \
        }                                                                                          \
        if (q > 0) {                                                                               \
            v##T a = goes_on ? v_load_part_##T(s, q) : (v##T){0};                                  \
            for (int64_t k = 0; k < n; k++)                                                        \
                a += v_load_part_##T(x + k * stride, q);                                           \
            v_store_part_##T(s, q, goes_on ? a : v_load_part_##T(s, q) + a);                       \
        }                                                                                          \
    }

FOLD_KERNELS(f32)
FOLD_KERNELS(f64)

#else

#define FOLD_DECLARED(ISA, T)                                                                      \
    void ROW_NAME(T, ISA)(int64_t n, const void *from, void *sum);                                 \
    void ROWS_NAME(T, ISA)(int64_t n, int64_t q, const void *from, int64_t stride, void *sum,      \
                           int goes_on);
TL_EACH_ISA(FOLD_DECLARED, f32)
TL_EACH_ISA(FOLD_DECLARED, f64)

#define FOLD_ENTRY(ISA, T) {ROW_NAME(T, ISA), ROWS_NAME(T, ISA)},
static const tl_fold folds[2][TL_ISAS] = {
    [TL_F32] = {TL_EACH_ISA(FOLD_ENTRY, f32)},
    [TL_F64] = {TL_EACH_ISA(FOLD_ENTRY, f64)},
};

const tl_fold *tl__fold(tl_dtype dtype)
{
    return &folds[dtype][tl__isa()];
}

#endif
