/* pointwise.h -- stamps out pointwise operations: value, name and adjoint of one stand on
 * adjacent lines. Private.
 *
 *     TL_UNARY_OP(tanh, "tanh(a)", v_tanh(a),
 *                 "da = g (1 - out^2)", tl_mul(g, one_minus(tl_mul(out, out))),
 *                 TL_ANY, TL_READS_OUT)
 *
 * makes tl_op_tanh, its kernels and the public tl_tanh. Nobody writes a loop: the kernel is the
 * formula in v_ functions of core/simd.h (operands a and b, vectors), the adjoint is the
 * formula in tl_ calls (g, a, b, out, tensors). Write it so that it is right for f32 and f64
 * alike: whole numbers as constants.
 *
 * HOW THE SOURCES ARE COMPILED. core/fold.c, core/move.c, core/pair.c, core/space.c and
 * ops/elementwise.c are each compiled
 *
 *     as they are                   descriptors, adjoints, public functions
 *     -DTL_KERNELS=base             kernels only, for any processor
 *     -DTL_KERNELS=avx2             kernels only; x86-64, with -mavx2 -mfma
 *     -DTL_KERNELS=avx512           kernels only; x86-64, with -mavx2 -mfma -mavx512f -mavx512dq
 *                                   -mavx512bw -mavx512vl
 *
 * all with -ffp-contract=off, and linked with -lmvec where there is one. Off x86-64 only the
 * first two. */
#ifndef TL_CORE_POINTWISE_H
#define TL_CORE_POINTWISE_H

#include "core/machine.h"
#include "core/op.h"

/* What a kernel of this operation, element type and instruction set is called:
 * tl__tile_tanh_f32_avx512. */
#define TL_TILE_NAME(NAME, T, ISA) tl__tile_##NAME##_##T##_##ISA

/* TL_EACH_ISA(X, ...) -- X(isa, ...) for each instruction set of this build, in the order of
 * tl_isa. */
#if defined(__x86_64__)
#define TL_EACH_ISA(X, ...) X(base, __VA_ARGS__) X(avx2, __VA_ARGS__) X(avx512, __VA_ARGS__)
#else
#define TL_EACH_ISA(X, ...) X(base, __VA_ARGS__)
#endif

/* FLOATING or NUMBERS, the element types of an operation: a list of those beside f32 and f64. */
#define TL_WITH_I32_FLOATING(X, ...)
#define TL_WITH_I32_NUMBERS(X, ...) X(__VA_ARGS__)

/* TL_NO_GRADIENT -- as `reads`: the gradient is zero or undefined everywhere; TL_INERT is its
 * adjoint. */
#define TL_NO_GRADIENT (1u << 30)
#define TL_INERT ((tl_tensor){0})

#define TL_INFER_FLOATING tl_infer_floating
#define TL_INFER_NUMBERS tl_infer_numbers

#if defined(TL_KERNELS)

#include "core/simd.h"

#define TL_THIS_TILE(NAME, T) TL_THIS_TILE_NOW(NAME, T, TL_KERNELS)
#define TL_THIS_TILE_NOW(NAME, T, ISA) TL_TILE_NAME(NAME, T, ISA)

/* One loop for all kernels: four vectors a turn, then one, then the same code on a part of one.
 * Nothing is read or written behind the n-th element. A unary kernel (LAST 0) has no use for b. */
#define TL_TILE(NAME, T, LAST, KERNEL)                                                             \
    static inline v##T NAME##_of_##T(v##T a, v##T b)                                               \
    {                                                                                              \
        (void)b;                                                                                   \
        return KERNEL;                                                                             \
    }                                                                                              \
    static inline v##T NAME##_at_##T(const v_element_##T *x, const v_element_##T *y)               \
    {                                                                                              \
        return NAME##_of_##T(v_load_##T(x), v_load_##T(y));                                        \
    }                                                                                              \
    void TL_THIS_TILE(NAME, T)(int64_t n, void *out, const void *const *in);                       \
    void TL_THIS_TILE(NAME, T)(int64_t n, void *out, const void *const *in)                        \
    {                                                                                              \
        enum { W = V_LANES_##T };                                                                  \
        v_element_##T *o = out;                                                                    \
        const v_element_##T *x = in[0], *y = in[LAST];                                             \
        for (; n >= 4 * W; n -= 4 * W, o += 4 * W, x += 4 * W, y += 4 * W) {                       \
            v_store_##T(o, NAME##_at_##T(x, y));                                                   \
            v_store_##T(o + W, NAME##_at_##T(x + W, y + W));                                       \
            v_store_##T(o + 2 * W, NAME##_at_##T(x + 2 * W, y + 2 * W));                           \
            v_store_##T(o + 3 * W, NAME##_at_##T(x + 3 * W, y + 3 * W));                           \
        }                                                                                          \
        for (; n >= W; n -= W, o += W, x += W, y += W)                                             \
            v_store_##T(o, NAME##_at_##T(x, y));                                                   \
        if (n > 0)                                                                                 \
            v_store_part_##T(o, n, NAME##_of_##T(v_load_part_##T(x, n), v_load_part_##T(y, n)));   \
    }

#define TL_UNARY_OP(NAME, DOC, KERNEL, GRAD_DOC, ADJOINT, DOMAIN, READS)                           \
    TL_TILE(NAME, f32, 0, KERNEL)                                                                  \
    TL_TILE(NAME, f64, 0, KERNEL)
#define TL_BINARY_OP(NAME, TYPES, FORM, DOC, KERNEL, GRAD_DOC, ADJOINT_A, ADJOINT_B, DOMAIN_A,     \
                     DOMAIN_B, READS)                                                              \
    TL_TILE(NAME, f32, 1, KERNEL)                                                                  \
    TL_TILE(NAME, f64, 1, KERNEL)                                                                  \
    TL_WITH_I32_##TYPES(TL_TILE, NAME, i32, 1, KERNEL)

#else

/* clang-format off */
/* The tables from which tile() of an operation picks by dtype and instruction set. */
#define TL_TILE_DECLARED(ISA, NAME, T)                                                             \
    void TL_TILE_NAME(NAME, T, ISA)(int64_t n, void *out, const void *const *in);
#define TL_TILE_ENTRY(ISA, NAME, T) TL_TILE_NAME(NAME, T, ISA),
#define TL_TILES(NAME, TYPES)                                                                      \
    TL_EACH_ISA(TL_TILE_DECLARED, NAME, f32)                                                       \
    TL_EACH_ISA(TL_TILE_DECLARED, NAME, f64)                                                       \
    TL_WITH_I32_##TYPES(TL_EACH_ISA, TL_TILE_DECLARED, NAME, i32)                                  \
    static tl_tile_fn NAME##_tile(const tl_dtype *in, tl_dtype out)                                \
    {                                                                                              \
        static const tl_tile_fn tile[3][TL_ISAS + 1] = {                                           \
            [TL_F32] = {TL_EACH_ISA(TL_TILE_ENTRY, NAME, f32)},                                    \
            [TL_F64] = {TL_EACH_ISA(TL_TILE_ENTRY, NAME, f64)},                                    \
            [TL_I32] = {TL_WITH_I32_##TYPES(TL_EACH_ISA, TL_TILE_ENTRY, NAME, i32) NULL},          \
        };                                                                                         \
        (void)out;                                                                                 \
        return tile[in[0]][tl__isa()];                                                             \
    }
/* clang-format on */

/* NAME(tl_tensor a): KERNEL in a, ADJOINT in g, a, out; gradient checked on operands from
 * DOMAIN. */
#define TL_UNARY_OP(NAME, DOC, KERNEL, GRAD_DOC, ADJOINT, DOMAIN, READS)                           \
    TL_TILES(NAME, FLOATING)                                                                       \
    static void NAME##_adjoint(tl_adj *q)                                                          \
    {                                                                                              \
        const tl_tensor g = q->g, a = q->in[0], out = q->out;                                      \
        (void)g, (void)a, (void)out;                                                               \
        q->d[0] = ADJOINT;                                                                         \
    }                                                                                              \
    static tl_tensor NAME##_call(const tl_tensor *in)                                              \
    {                                                                                              \
        return tl_##NAME(in[0]);                                                                   \
    }                                                                                              \
    static const tl_case NAME##_cases[] = {                                                        \
        {1, {{2, {3, 4}}}, {DOMAIN}, 0, NAME##_call},                                              \
        {1, {{0, {0}}}, {DOMAIN}, 0, NAME##_call},                                                 \
    };                                                                                             \
    const tl_op tl_op_##NAME = {                                                                   \
        .name = #NAME,                                                                             \
        .doc = DOC,                                                                                \
        .grad_doc = GRAD_DOC,                                                                      \
        .shape_doc = "[...] -> [...]",                                                             \
        .kind = TL_POINTWISE,                                                                      \
        .nin = 1,                                                                                  \
        .shape = TL_INFER_FLOATING,                                                                \
        .tile = NAME##_tile,                                                                       \
        .lead = tl_lead_same,                                                                      \
        .adjoint = (READS) == TL_NO_GRADIENT ? NULL : NAME##_adjoint,                              \
        .reads = (READS) & ~TL_NO_GRADIENT,                                                        \
        .no_gradient = (READS) == TL_NO_GRADIENT,                                                  \
        .ncases = 2,                                                                               \
        .cases = NAME##_cases,                                                                     \
    };                                                                                             \
    tl_tensor tl_##NAME(tl_tensor a)                                                               \
    {                                                                                              \
        return tl_record(&tl_op_##NAME, 1, &a, NULL);                                              \
    }

/* NAME(tl_tensor a, tl_tensor b), broadcast: KERNEL in a, b; ADJOINT_A and _B in g, a, b, out. */
#define TL_BINARY_OP(NAME, TYPES, FORM, DOC, KERNEL, GRAD_DOC, ADJOINT_A, ADJOINT_B, DOMAIN_A,     \
                     DOMAIN_B, READS)                                                              \
    TL_TILES(NAME, TYPES)                                                                          \
    static void NAME##_adjoint(tl_adj *q)                                                          \
    {                                                                                              \
        const tl_tensor g = q->g, a = q->in[0], b = q->in[1], out = q->out;                        \
        (void)g, (void)a, (void)b, (void)out;                                                      \
        if (q->need & 1u)                                                                          \
            q->d[0] = ADJOINT_A;                                                                   \
        if (q->need & 2u)                                                                          \
            q->d[1] = ADJOINT_B;                                                                   \
    }                                                                                              \
    static tl_tensor NAME##_call(const tl_tensor *in)                                              \
    {                                                                                              \
        return tl_##NAME(in[0], in[1]);                                                            \
    }                                                                                              \
    static const tl_case NAME##_cases[] = {                                                        \
        {2, {{2, {3, 4}}, {2, {3, 4}}}, {DOMAIN_A, DOMAIN_B}, 0, NAME##_call},                     \
        {2, {{2, {3, 1}}, {1, {4}}}, {DOMAIN_A, DOMAIN_B}, 0, NAME##_call},                        \
        {2, {{0, {0}}, {2, {2, 3}}}, {DOMAIN_A, DOMAIN_B}, 0, NAME##_call},                        \
    };                                                                                             \
    const tl_op tl_op_##NAME = {                                                                   \
        .name = #NAME,                                                                             \
        .doc = DOC,                                                                                \
        .grad_doc = GRAD_DOC,                                                                      \
        .shape_doc = "[...], [...] -> [...], broadcast",                                           \
        .kind = TL_POINTWISE,                                                                      \
        .nin = 2,                                                                                  \
        .shape = TL_INFER_##TYPES,                                                                 \
        .tile = NAME##_tile,                                                                       \
        .form = TL_FORM_##FORM,                                                                    \
        .lead = tl_lead_same,                                                                      \
        .adjoint = (READS) == TL_NO_GRADIENT ? NULL : NAME##_adjoint,                              \
        .reads = (READS) & ~TL_NO_GRADIENT,                                                        \
        .no_gradient = (READS) == TL_NO_GRADIENT,                                                  \
        .ncases = 3,                                                                               \
        .cases = NAME##_cases,                                                                     \
    };                                                                                             \
    tl_tensor tl_##NAME(tl_tensor a, tl_tensor b)                                                  \
    {                                                                                              \
        const tl_tensor in[] = {a, b};                                                             \
        return tl_record(&tl_op_##NAME, 2, in, NULL);                                              \
    }

#endif
#endif
