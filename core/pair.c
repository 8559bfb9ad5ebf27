/* pair.c -- kernels of two arithmetic operations, one of which reads the other.
 *
 *     mul  t = a b      load a, load b, store t         mul, sub    load a, load b, load c, store y
 *     sub  y = c - t    load c, load t, store y
 *
 * A pass over a tile in L1 costs what it stores, so one operation less is one store less. Both are
 * rounded, as if they were apart. Compiled as core/pointwise.h says. */
#include "core/pair.h"

#include "core/pointwise.h"

#define PAIR_NAME(NAME, T, ISA) tl__pair_##NAME##_##T##_##ISA

/* EACH_PAIR(X, ...) -- X(name, formula in a, b, c, ...). */
#define EACH_SECOND(X, NAME, P, ...)                                                               \
    X(NAME##_sum, (P) + c, __VA_ARGS__)                                                            \
    X(NAME##_minus, (P)-c, __VA_ARGS__)                                                            \
    X(NAME##_from, c - (P), __VA_ARGS__) X(NAME##_times, (P)*c, __VA_ARGS__)
#define EACH_PAIR(X, ...)                                                                          \
    EACH_SECOND(X, sum, a + b, __VA_ARGS__)                                                        \
    EACH_SECOND(X, difference, a - b, __VA_ARGS__) EACH_SECOND(X, product, a *b, __VA_ARGS__)

#if defined(TL_KERNELS)

#include "core/simd.h"

#define THIS_PAIR(NAME, T) THIS_PAIR_NOW(NAME, T, TL_KERNELS)
#define THIS_PAIR_NOW(NAME, T, ISA) PAIR_NAME(NAME, T, ISA)

#define PAIR_KERNEL(NAME, FORMULA, T)                                                              \
    static inline v##T NAME##_of_##T(v##T a, v##T b, v##T c)                                       \
    {                                                                                              \
        return FORMULA;                                                                            \
    }                                                                                              \
    static inline v##T NAME##_at_##T(const v_element_##T *x, const v_element_##T *y,               \
                                     const v_element_##T *z)                                       \
    {                                                                                              \
        return NAME##_of_##T(v_load_##T(x), v_load_##T(y), v_load_##T(z));                         \
    }                                                                                              \
    void THIS_PAIR(NAME, T)(int64_t n, void *out, const void *const *in);                          \
    void THIS_PAIR(NAME, T)(int64_t n, void *out, const void *const *in)                           \
    {                                                                                              \
        enum { W = V_LANES_##T };                                                                  \
        v_element_##T *o = out;                                                                    \
        const v_element_##T *x = in[0], *y = in[1], *z = in[2];                                    \
        for (; n >= 2 * W; n -= 2 * W, o += 2 * W, x += 2 * W, y += 2 * W, z += 2 * W) {           \
            v_store_##T(o, NAME##_at_##T(x, y, z));                                                \
            v_store_##T(o + W, NAME##_at_##T(x + W, y + W, z + W));                                \
        }                                                                                          \
        for (; n >= W; n -= W, o += W, x += W, y += W, z += W)                                     \
            v_store_##T(o, NAME##_at_##T(x, y, z));                                                \
        if (n > 0)                                                                                 \
            v_store_part_##T(o, n,                                                                 \
                             NAME##_of_##T(v_load_part_##T(x, n), v_load_part_##T(y, n),           \
                                           v_load_part_##T(z, n)));                                \
    }

EACH_PAIR(PAIR_KERNEL, f32)
EACH_PAIR(PAIR_KERNEL, f64)

#else

#define PAIR_DECLARED(ISA, NAME, T)                                                                \
    void PAIR_NAME(NAME, T, ISA)(int64_t n, void *out, const void *const *in);
#define PAIR_ENTRY(ISA, NAME, T) PAIR_NAME(NAME, T, ISA),
#define DECLARED_EACH(NAME, FORMULA, T) TL_EACH_ISA(PAIR_DECLARED, NAME, T)
#define ENTRY_EACH(NAME, FORMULA, T) {TL_EACH_ISA(PAIR_ENTRY, NAME, T)},
EACH_PAIR(DECLARED_EACH, f32)
EACH_PAIR(DECLARED_EACH, f64)

enum { FIRSTS = 3, SECONDS = 4 };
static const tl_tile_fn pairs[2][FIRSTS * SECONDS][TL_ISAS] = {
    [TL_F32] = {EACH_PAIR(ENTRY_EACH, f32)},
    [TL_F64] = {EACH_PAIR(ENTRY_EACH, f64)},
};

tl_tile_fn tl__pair(tl_form first, tl_form second, int side, tl_dtype dtype)
{
    /* in the order of EACH_SECOND; sums and products do not mind the side */
    static const int column[][2] = {
        [TL_FORM_SUM] = {0, 0}, [TL_FORM_DIFFERENCE] = {1, 2}, [TL_FORM_PRODUCT] = {3, 3}};
    if (first == TL_FORM_OTHER || second == TL_FORM_OTHER || dtype == TL_I32)
        return NULL;
    return pairs[dtype][(first - 1) * SECONDS + column[second][side]][tl__isa()];
}

#endif
