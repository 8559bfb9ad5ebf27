/* move.c -- elements between two layouts.
 *
 *     copy    a b c d    -->  a b c d      contiguous rows, vector by vector
 *     fill    a          -->  a a a a      one number a row
 *     else    a . b . c  -->  a b c        element by element
 *
 * Kernels take all rows in one call, since the rows of a tile are short. Compiled as
 * core/pointwise.h says. */
#include "core/move.h"

#include "core/pointwise.h"

#include <string.h>

#define COPY_NAME(T, ISA) tl__copy_rows_##T##_##ISA
#define FILL_NAME(T, ISA) tl__fill_rows_##T##_##ISA

#if defined(TL_KERNELS)

#include "core/simd.h"

#define THIS_COPY(T, ISA) COPY_NAME(T, ISA)
#define THIS_FILL(T, ISA) FILL_NAME(T, ISA)

/* T: the vector's name for loads and stores, M: integers of its width, in which a number is
 * repeated without a change of its bits. */
#define MOVE_KERNELS(T, M, INTEGER)                                                                \
    static inline void copy_row_##T(int64_t n, v_element_##T *o, const v_element_##T *x)           \
    {                                                                                              \
        enum { W = V_LANES_##T };                                                                  \
        for (; n >= W; n -= W, o += W, x += W)                                                     \
            v_store_##T(o, v_load_##T(x));                                                         \
        if (n > 0)                                                                                 \
            v_store_part_##T(o, n, v_load_part_##T(x, n));                                         \
    }                                                                                              \
    void THIS_COPY(T, TL_KERNELS)(int64_t rows, int64_t n, char *to, int64_t to_row,               \
                                  const char *from, int64_t from_row);                             \
    void THIS_COPY(T, TL_KERNELS)(int64_t rows, int64_t n, char *to, int64_t to_row,               \
                                  const char *from, int64_t from_row)                              \
    {                                                                                              \
        for (; rows > 0; rows--, to += to_row, from += from_row)                                   \
            copy_row_##T(n, (v_element_##T *)(void *)to,                                           \
                         (const v_element_##T *)(const void *)from);                               \
    }                                                                                              \
    static inline void fill_row_##T(int64_t n, v_element_##T *o, v##T v)                           \
    {                                                                                              \
        enum { W = V_LANES_##T };                                                                  \
        for (; n >= W; n -= W, o += W)                                                             \
            v_store_##T(o, v);                                                                     \
        if (n > 0)                                                                                 \
            v_store_part_##T(o, n, v);                                                             \
    }                                                                                              \
    void THIS_FILL(T, TL_KERNELS)(int64_t rows, int64_t n, char *to, int64_t to_row,               \
                                  const char *from, int64_t from_row);                             \
    void THIS_FILL(T, TL_KERNELS)(int64_t rows, int64_t n, char *to, int64_t to_row,               \
                                  const char *from, int64_t from_row)                              \
    {                                                                                              \
        for (; rows > 0; rows--, to += to_row, from += from_row) {                                 \
            INTEGER x;                                                                             \
            memcpy(&x, from, sizeof x);                                                            \
            fill_row_##T(n, (v_element_##T *)(void *)to, (v##T)((v##M){0} + x));                   \
        }                                                                                          \
    }

MOVE_KERNELS(f32, i32, int32_t)
MOVE_KERNELS(f64, i64, int64_t)

#else

typedef void (*tl_rows_fn)(int64_t rows, int64_t n, char *to, int64_t to_row, const char *from,
                           int64_t from_row);

#define ROWS_DECLARED(ISA, T)                                                                      \
    void COPY_NAME(T, ISA)(int64_t rows, int64_t n, char *to, int64_t to_row, const char *from,    \
                           int64_t from_row);                                                      \
    void FILL_NAME(T, ISA)(int64_t rows, int64_t n, char *to, int64_t to_row, const char *from,    \
                           int64_t from_row);
TL_EACH_ISA(ROWS_DECLARED, f32)
TL_EACH_ISA(ROWS_DECLARED, f64)

#define COPY_ENTRY(ISA, T) COPY_NAME(T, ISA),
#define FILL_ENTRY(ISA, T) FILL_NAME(T, ISA),
static const tl_rows_fn copy_rows[2][TL_ISAS] = {{TL_EACH_ISA(COPY_ENTRY, f32)},
                                                 {TL_EACH_ISA(COPY_ENTRY, f64)}};
static const tl_rows_fn fill_rows[2][TL_ISAS] = {{TL_EACH_ISA(FILL_ENTRY, f32)},
                                                 {TL_EACH_ISA(FILL_ENTRY, f64)}};

#define MOVE_EACH(T)                                                                               \
    static void move_##T(int64_t n, char *to, int64_t to_step, const char *from,                   \
                         int64_t from_step)                                                        \
    {                                                                                              \
        for (int64_t i = 0; i < n; i++, to += to_step, from += from_step)                          \
            *(T *)(void *)to = *(const T *)(const void *)from;                                     \
    }

MOVE_EACH(uint32_t)
MOVE_EACH(uint64_t)

void tl__move(int64_t size, int64_t rows, int64_t n, char *to, int64_t to_row, int64_t to_step,
              const char *from, int64_t from_row, int64_t from_step)
{
    if (to_step == size && from_step == size)
        copy_rows[size == 8][tl__isa()](rows, n, to, to_row, from, from_row);
    else if (to_step == size && from_step == 0)
        fill_rows[size == 8][tl__isa()](rows, n, to, to_row, from, from_row);
    else
        for (int64_t r = 0; r < rows; r++, to += to_row, from += from_row)
            if (size == 4)
                move_uint32_t(n, to, to_step, from, from_step);
            else
                move_uint64_t(n, to, to_step, from, from_step);
}

#endif
