/* simd.h -- vectors of numbers, as wide as the instruction set this file is compiled for.
 * Private, for kernels.
 *
 * The kernels are written once in GNU vector arithmetic (a + b, a < b) and the functions below,
 * which take vf32 or vf64 alike; three compilations of a source (core/pointwise.h says which)
 * make SSE2, AVX2 and AVX-512 of it. The transcendental functions are libmvec's vector symbols,
 * called by name, but for exp in f32 with AVX-512: 1 to 4 ulp, NaN and infinity right, and a
 * lane's value does not depend on its neighbours. Where the C library has none, libm does each
 * lane. */
#ifndef TL_CORE_SIMD_H
#define TL_CORE_SIMD_H

#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define TL_VECTOR_BYTES 64
#elif defined(__AVX2__)
#define TL_VECTOR_BYTES 32
#else
#define TL_VECTOR_BYTES 16
#endif

typedef float vf32 __attribute__((vector_size(TL_VECTOR_BYTES)));
typedef double vf64 __attribute__((vector_size(TL_VECTOR_BYTES)));
typedef int32_t vi32 __attribute__((vector_size(TL_VECTOR_BYTES)));
typedef int64_t vi64 __attribute__((vector_size(TL_VECTOR_BYTES)));

enum {
    V_LANES_f32 = TL_VECTOR_BYTES / 4,
    V_LANES_f64 = TL_VECTOR_BYTES / 8,
    V_LANES_i32 = TL_VECTOR_BYTES / 4
};

/* The element types by the names that kernels carry. */
typedef float v_element_f32;
typedef double v_element_f64;
typedef int32_t v_element_i32;

/* v_load_<type>, v_store_<type> -- a whole vector, any alignment. */
#define V_MEMORY(T)                                                                                \
    static inline v##T v_load_##T(const v_element_##T *p)                                          \
    {                                                                                              \
        v##T v;                                                                                    \
        memcpy(&v, p, sizeof v);                                                                   \
        return v;                                                                                  \
    }                                                                                              \
    static inline void v_store_##T(v_element_##T *p, v##T v)                                       \
    {                                                                                              \
        memcpy(p, &v, sizeof v);                                                                   \
    }
V_MEMORY(f32)
V_MEMORY(f64)
V_MEMORY(i32)
#undef V_MEMORY

/* v_load_part_<type>, v_store_part_<type> -- the first n lanes only, 0 < n < lanes; lanes
 * behind them are loaded with the first element, so that they take no slow path of their own. */
#if defined(__AVX512F__)
#define V_PART(T, MASK, LOAD, STORE, ALL)                                                          \
    static inline v##T v_load_part_##T(const v_element_##T *p, int64_t n)                          \
    {                                                                                              \
        return (v##T)LOAD(ALL(*p), (MASK)((1u << n) - 1), p);                                      \
    }                                                                                              \
    static inline void v_store_part_##T(v_element_##T *p, int64_t n, v##T v)                       \
    {                                                                                              \
        STORE(p, (MASK)((1u << n) - 1), V_REGISTER_##T v);                                         \
    }
#define V_REGISTER_f32 (__m512)
#define V_REGISTER_f64 (__m512d)
#define V_REGISTER_i32 (__m512i)
V_PART(f32, __mmask16, _mm512_mask_loadu_ps, _mm512_mask_storeu_ps, _mm512_set1_ps)
V_PART(f64, __mmask8, _mm512_mask_loadu_pd, _mm512_mask_storeu_pd, _mm512_set1_pd)
V_PART(i32, __mmask16, _mm512_mask_loadu_epi32, _mm512_mask_storeu_epi32, _mm512_set1_epi32)
#else
#define V_PART(T)                                                                                  \
    static inline v##T v_load_part_##T(const v_element_##T *p, int64_t n)                          \
    {                                                                                              \
        v_element_##T lane[V_LANES_##T];                                                           \
        for (int64_t i = 0; i < V_LANES_##T; i++)                                                  \
            lane[i] = p[i < n ? i : 0];                                                            \
        return v_load_##T(lane);                                                                   \
    }                                                                                              \
    static inline void v_store_part_##T(v_element_##T *p, int64_t n, v##T v)                       \
    {                                                                                              \
        v_element_##T lane[V_LANES_##T];                                                           \
        v_store_##T(lane, v);                                                                      \
        for (int64_t i = 0; i < n; i++)                                                            \
            p[i] = lane[i];                                                                        \
    }
V_PART(f32)
V_PART(f64)
V_PART(i32)
#endif
#undef V_PART

/* v_load_zeros_<type> -- the same, zeros behind the n-th. */
#if defined(__AVX512F__)
#define V_ZEROS(T, MASK, LOAD)                                                                     \
    static inline v##T v_load_zeros_##T(const v_element_##T *p, int64_t n)                         \
    {                                                                                              \
        return (v##T)LOAD((MASK)((1u << n) - 1), p);                                               \
    }
V_ZEROS(f32, __mmask16, _mm512_maskz_loadu_ps)
V_ZEROS(f64, __mmask8, _mm512_maskz_loadu_pd)
#else
#define V_ZEROS(T)                                                                                 \
    static inline v##T v_load_zeros_##T(const v_element_##T *p, int64_t n)                         \
    {                                                                                              \
        v_element_##T lane[V_LANES_##T] = {0};                                                     \
        for (int64_t i = 0; i < n; i++)                                                            \
            lane[i] = p[i];                                                                        \
        return v_load_##T(lane);                                                                   \
    }
V_ZEROS(f32)
V_ZEROS(f64)
#endif
#undef V_ZEROS

/* v_select(mask, a, b) -- a where the lane of mask (of a comparison) is set, else b.
 * v_one(mask, a) -- 1 there, else 0, of a's type. */
#define V_CHOICE(T, M)                                                                             \
    static inline v##T v_select_##T(v##M mask, v##T a, v##T b)                                     \
    {                                                                                              \
        return (v##T)((mask & (v##M)a) | (~mask & (v##M)b));                                       \
    }                                                                                              \
    static inline v##T v_one_##T(v##M mask)                                                        \
    {                                                                                              \
        return (v##T)(mask & (v##M)((v##T){0} + 1));                                               \
    }
V_CHOICE(f32, i32)
V_CHOICE(f64, i64)
V_CHOICE(i32, i32)
#undef V_CHOICE
#define v_select(mask, a, b)                                                                       \
    _Generic((a), vf32 : v_select_f32, vf64 : v_select_f64, vi32 : v_select_i32)(mask, a, b)
#define v_one(mask, a) _Generic((a), vf32 : v_one_f32, vf64 : v_one_f64, vi32 : v_one_i32)(mask)

/* v_max, v_min -- NaN if either is. v_abs. v_sign -- -1, 0 or 1; NaN for NaN. */
#define V_ORDER(T, M, SIGN_BIT)                                                                    \
    static inline v##T v_max_##T(v##T a, v##T b)                                                   \
    {                                                                                              \
        return v_select_##T((a > b) | (a != a), a, b);                                             \
    }                                                                                              \
    static inline v##T v_min_##T(v##T a, v##T b)                                                   \
    {                                                                                              \
        return v_select_##T((a < b) | (a != a), a, b);                                             \
    }                                                                                              \
    static inline v##T v_abs_##T(v##T a)                                                           \
    {                                                                                              \
        return (v##T)((v##M)a & ~SIGN_BIT);                                                        \
    }                                                                                              \
    static inline v##T v_sign_##T(v##T a)                                                          \
    {                                                                                              \
        return v_select_##T(a != a, a, v_one_##T(a > 0) - v_one_##T(a < 0));                       \
    }
V_ORDER(f32, i32, INT32_MIN)
V_ORDER(f64, i64, INT64_MIN)
#undef V_ORDER
/* v_number -- c in all lanes of a vector of a's type. */
#define v_number(a, c) _Generic((a), vf32 : (vf32){0} + (c), vf64 : (vf64){0} + (c))
#define v_max(a, b) _Generic((a), vf32 : v_max_f32, vf64 : v_max_f64)(a, b)
#define v_min(a, b) _Generic((a), vf32 : v_min_f32, vf64 : v_min_f64)(a, b)
#define v_abs(a) _Generic((a), vf32 : v_abs_f32, vf64 : v_abs_f64)(a)
#define v_sign(a) _Generic((a), vf32 : v_sign_f32, vf64 : v_sign_f64)(a)

/* ---- functions of the C library -------------------------------------------------------------- */

#define V_EACH_LANE1(NAME, T, FUNCTION)                                                            \
    static inline v##T v_##NAME##_##T(v##T a)                                                      \
    {                                                                                              \
        for (int i = 0; i < V_LANES_##T; i++)                                                      \
            a[i] = FUNCTION(a[i]);                                                                 \
        return a;                                                                                  \
    }
#define V_EACH_LANE2(NAME, T, FUNCTION)                                                            \
    static inline v##T v_##NAME##_##T(v##T a, v##T b)                                              \
    {                                                                                              \
        for (int i = 0; i < V_LANES_##T; i++)                                                      \
            a[i] = FUNCTION(a[i], b[i]);                                                           \
        return a;                                                                                  \
    }

#if defined(__x86_64__) && defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 35)
#if defined(__AVX512F__)
#define V_SYMBOL(ARGUMENTS, NAME, TYPE)                                                            \
    V_SYMBOL_##TYPE(_ZGVeN16##ARGUMENTS, _ZGVeN8##ARGUMENTS, NAME)
#elif defined(__AVX2__)
#define V_SYMBOL(ARGUMENTS, NAME, TYPE)                                                            \
    V_SYMBOL_##TYPE(_ZGVdN8##ARGUMENTS, _ZGVdN4##ARGUMENTS, NAME)
#else
#define V_SYMBOL(ARGUMENTS, NAME, TYPE)                                                            \
    V_SYMBOL_##TYPE(_ZGVbN4##ARGUMENTS, _ZGVbN2##ARGUMENTS, NAME)
#endif
#define V_SYMBOL_f32(F32, F64, NAME) V_PASTE(F32, _##NAME##f)
#define V_SYMBOL_f64(F32, F64, NAME) V_PASTE(F64, _##NAME)
#define V_PASTE(A, B) V_PASTE_NOW(A, B)
#define V_PASTE_NOW(A, B) A##B
#define V_LIBRARY1(NAME, T)                                                                        \
    v##T V_SYMBOL(v, NAME, T)(v##T);                                                               \
    static inline v##T v_##NAME##_##T(v##T a)                                                      \
    {                                                                                              \
        return V_SYMBOL(v, NAME, T)(a);                                                            \
    }
#define V_LIBRARY2(NAME, T)                                                                        \
    v##T V_SYMBOL(vv, NAME, T)(v##T, v##T);                                                        \
    static inline v##T v_##NAME##_##T(v##T a, v##T b)                                              \
    {                                                                                              \
        return V_SYMBOL(vv, NAME, T)(a, b);                                                        \
    }
#define V_FUNCTION_F64(NAME) V_LIBRARY1(NAME, f64)
#define V_FUNCTION1(NAME) V_LIBRARY1(NAME, f32) V_LIBRARY1(NAME, f64)
#define V_FUNCTION2(NAME) V_LIBRARY2(NAME, f32) V_LIBRARY2(NAME, f64)
#else
#define V_FUNCTION_F64(NAME) V_EACH_LANE1(NAME, f64, NAME)
#define V_FUNCTION1(NAME) V_EACH_LANE1(NAME, f32, NAME##f) V_EACH_LANE1(NAME, f64, NAME)
#define V_FUNCTION2(NAME) V_EACH_LANE2(NAME, f32, NAME##f) V_EACH_LANE2(NAME, f64, NAME)
#endif

#if defined(__AVX512F__)
V_FUNCTION_F64(exp)

/* exp(a) = 2^n exp(r),  n = a / ln 2 rounded,  r = a - n ln 2,  exp(r) = 1 + (r + r^2 q(r))
 *
 * ln 2 in two parts, n times the first is exact; q has the least relative error in r + r^2 q(r) on
 * [-ln 2 / 2, ln 2 / 2], 2^-26.2 (Remez). 1.04 ulp, where libmvec has 2.6, in 0.6 of its time: a
 * call for each vector is saved, too. Beyond the bounds the result is 0 or infinity; NaN stays. */
static inline vf32 v_exp_f32(vf32 a)
{
    __m512 x = _mm512_min_ps(_mm512_set1_ps(89.0f), (__m512)a); /* the second if one is NaN */
    x = _mm512_max_ps(_mm512_set1_ps(-105.0f), x);
    const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), 8);
    __m512 r = _mm512_fmadd_ps(n, _mm512_set1_ps(-0.693359375f), x);
    r = _mm512_fmadd_ps(n, _mm512_set1_ps(2.12194440e-4f), r);
    __m512 q = _mm512_set1_ps(1.38825216e-3f);
    q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(8.36653821e-3f));
    q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(4.16672004e-2f));
    q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(1.66665435e-1f));
    q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(4.99999982e-1f));
    q = _mm512_fmadd_ps(q, _mm512_mul_ps(r, r), r);
    return (vf32)_mm512_scalef_ps(_mm512_add_ps(q, _mm512_set1_ps(1.0f)), n);
}
#else
V_FUNCTION1(exp)
#endif
V_FUNCTION1(expm1)
V_FUNCTION1(log)
V_FUNCTION1(log1p)
V_FUNCTION1(tanh)
V_FUNCTION1(erf)
V_FUNCTION1(sin)
V_FUNCTION1(cos)
V_FUNCTION2(pow)

#if defined(__x86_64__)
#define V_SQRT(T, INTRINSIC)                                                                       \
    static inline v##T v_sqrt_##T(v##T a)                                                          \
    {                                                                                              \
        return (v##T)INTRINSIC(a);                                                                 \
    }
#if defined(__AVX512F__)
V_SQRT(f32, _mm512_sqrt_ps)
V_SQRT(f64, _mm512_sqrt_pd)
#elif defined(__AVX2__)
V_SQRT(f32, _mm256_sqrt_ps)
V_SQRT(f64, _mm256_sqrt_pd)
#else
V_SQRT(f32, _mm_sqrt_ps)
V_SQRT(f64, _mm_sqrt_pd)
#endif
#else
V_EACH_LANE1(sqrt, f32, sqrtf)
V_EACH_LANE1(sqrt, f64, sqrt)
#endif

#define V_OF1(NAME, a) _Generic((a), vf32 : v_##NAME##_f32, vf64 : v_##NAME##_f64)(a)
#define v_exp(a) V_OF1(exp, a)
#define v_expm1(a) V_OF1(expm1, a)
#define v_log(a) V_OF1(log, a)
#define v_log1p(a) V_OF1(log1p, a)
#define v_tanh(a) V_OF1(tanh, a)
#define v_erf(a) V_OF1(erf, a)
#define v_sin(a) V_OF1(sin, a)
#define v_cos(a) V_OF1(cos, a)
#define v_sqrt(a) V_OF1(sqrt, a)
#define v_pow(a, b) _Generic((a), vf32 : v_pow_f32, vf64 : v_pow_f64)(a, b)

#endif
