/* elementwise.c -- pointwise operations: value, name and adjoint of each on adjacent lines,
 * then what is composed of them.
 *
 * An operation is stamped here when it is elementary, or when the composition would be wrong
 * somewhere (softplus at 0) or slow; core/pointwise.h explains the blocks and how this file is
 * compiled. */
#include "ops/elementwise.h"

#include "core/attr_text.h"
#include "core/pointwise.h"
#include "core/space.h"
#include "ops/registry.h"

#if !defined(TL_KERNELS)

/* Formulas that several adjoints share. */

static tl_tensor zero(tl_tensor like)
{
    return tl_scalar(like.tape, tl_dtype_of(like), 0);
}

static tl_tensor one_minus(tl_tensor a)
{
    return tl_rsub_scalar(a, 1);
}

/* log_base -- log(a), 0 where a is 0, so that 0 log 0 is 0. */
static tl_tensor log_base(tl_tensor a)
{
    return tl_log(tl_where(a, a, tl_scalar(a.tape, tl_dtype_of(a), 1)));
}

#endif

/* clang-format off */

/* ---- two operands ---------------------------------------------------------------------------- */

TL_BINARY_OP(sub, FLOATING, DIFFERENCE, "a - b", a - b,
             "da = g, db = -g", g, tl_neg(g),
             TL_ANY, TL_ANY, 0)

TL_BINARY_OP(mul, FLOATING, PRODUCT, "a b", a * b,
             "da = g b, db = g a", tl_mul(g, b), tl_mul(g, a),
             TL_ANY, TL_ANY, TL_READS(0) | TL_READS(1))

TL_BINARY_OP(div, FLOATING, OTHER, "a / b", a / b,
             "da = g / b, db = -g out / b", tl_div(g, b), tl_neg(tl_div(tl_mul(g, out), b)),
             TL_ANY, TL_ANY, TL_READS(1) | TL_READS_OUT)

TL_BINARY_OP(pow, FLOATING, OTHER, "a^b", v_pow(a, b),
             "da = g b a^(b-1), db = g out log(a)",
             tl_mul(tl_mul(g, b), tl_pow(a, tl_sub_scalar(b, 1))),
             tl_mul(tl_mul(g, out), log_base(a)),
             TL_POSITIVE, TL_ANY, TL_READS(0) | TL_READS(1) | TL_READS_OUT)

TL_BINARY_OP(maximum, FLOATING, OTHER, "max(a, b)", v_max(a, b),
             "da = 0 where a < b, else g; db = g where a < b, else 0",
             tl_where(tl_less(a, b), zero(g), g), tl_where(tl_less(a, b), g, zero(g)),
             TL_ANY, TL_ANY, TL_READS(0) | TL_READS(1))

TL_BINARY_OP(minimum, FLOATING, OTHER, "min(a, b)", v_min(a, b),
             "da = 0 where b < a, else g; db = g where b < a, else 0",
             tl_where(tl_less(b, a), zero(g), g), tl_where(tl_less(b, a), g, zero(g)),
             TL_ANY, TL_ANY, TL_READS(0) | TL_READS(1))

TL_BINARY_OP(less_equal, NUMBERS, OTHER, "1 where a <= b, else 0", v_one(a <= b, a),
             "none", TL_INERT, TL_INERT,
             TL_ANY, TL_ANY, TL_NO_GRADIENT)

TL_BINARY_OP(equal, NUMBERS, OTHER, "1 where a = b, else 0", v_one(a == b, a),
             "none", TL_INERT, TL_INERT,
             TL_ANY, TL_ANY, TL_NO_GRADIENT)

TL_BINARY_OP(not_equal, NUMBERS, OTHER, "0 where a = b, else 1", v_one(a != b, a),
             "none", TL_INERT, TL_INERT,
             TL_ANY, TL_ANY, TL_NO_GRADIENT)

/* ---- one operand ----------------------------------------------------------------------------- */

TL_UNARY_OP(neg, "-a", -a,
            "da = -g", tl_neg(g),
            TL_ANY, 0)

TL_UNARY_OP(abs, "|a|", v_abs(a),
            "da = g sign(a)", tl_mul(g, tl_sign(a)),
            TL_ANY, TL_READS(0))

TL_UNARY_OP(sign, "-1, 0 or 1 as a < 0, a = 0, a > 0", v_sign(a),
            "none", TL_INERT,
            TL_ANY, TL_NO_GRADIENT)

TL_UNARY_OP(sqrt, "sqrt(a)", v_sqrt(a),
            "da = g / (2 out)", tl_div(g, tl_scale(out, 2)),
            TL_POSITIVE, TL_READS_OUT)

TL_UNARY_OP(exp, "exp(a)", v_exp(a),
            "da = g out", tl_mul(g, out),
            TL_ANY, TL_READS_OUT)

TL_UNARY_OP(expm1, "exp(a) - 1", v_expm1(a),
            "da = g (out + 1)", tl_mul(g, tl_add_scalar(out, 1)),
            TL_ANY, TL_READS_OUT)

TL_UNARY_OP(log, "log(a)", v_log(a),
            "da = g / a", tl_div(g, a),
            TL_POSITIVE, TL_READS(0))

TL_UNARY_OP(log1p, "log(1 + a)", v_log1p(a),
            "da = g / (1 + a)", tl_div(g, tl_add_scalar(a, 1)),
            TL_INNER, TL_READS(0))

TL_UNARY_OP(sin, "sin(a)", v_sin(a),
            "da = g cos(a)", tl_mul(g, tl_cos(a)),
            TL_ANY, TL_READS(0))

TL_UNARY_OP(cos, "cos(a)", v_cos(a),
            "da = -g sin(a)", tl_neg(tl_mul(g, tl_sin(a))),
            TL_ANY, TL_READS(0))

/* 2/sqrt(pi) = 1.12837916709551257390 */
TL_UNARY_OP(erf, "erf(a)", v_erf(a),
            "da = g 2/sqrt(pi) exp(-a^2)",
            tl_mul(tl_scale(g, 1.12837916709551257390), tl_exp(tl_neg(tl_mul(a, a)))),
            TL_ANY, TL_READS(0))

TL_UNARY_OP(tanh, "tanh(a)", v_tanh(a),
            "da = g (1 - out^2)", tl_mul(g, one_minus(tl_mul(out, out))),
            TL_ANY, TL_READS_OUT)

TL_UNARY_OP(sigmoid, "1 / (1 + exp(-a))", 1 / (1 + v_exp(-a)),
            "da = g out (1 - out)", tl_mul(g, tl_mul(out, one_minus(out))),
            TL_ANY, TL_READS_OUT)

/* As max(a, 0) + log(1 + exp(-|a|)). Composed of those it would have the gradient 0 at 0. */
TL_UNARY_OP(softplus, "log(1 + exp(a))", v_max(a, v_number(a, 0)) + v_log1p(v_exp(-v_abs(a))),
            "da = g sigmoid(a)", tl_mul(g, tl_sigmoid(a)),
            TL_ANY, TL_READS(0))

/* clang-format on */

#if !defined(TL_KERNELS)

/* ---- cast ------------------------------------------------------------------------------------ */

/* Attribute: {the dtype to cast to}. Conversions are exact or rounded to nearest by definition,
 * so plain loops do. */

#define CAST_TILE(FROM, TO, VALUE)                                                                 \
    static void cast_##FROM##_##TO(int64_t n, void *out, const void *const *in)                    \
    {                                                                                              \
        const FROM *x = in[0];                                                                     \
        TO *o = out;                                                                               \
        for (int64_t i = 0; i < n; i++)                                                            \
            o[i] = (TO)(VALUE);                                                                    \
    }
CAST_TILE(float, float, x[i])
CAST_TILE(double, double, x[i])
CAST_TILE(int32_t, int32_t, x[i])
CAST_TILE(float, double, x[i])
CAST_TILE(double, float, x[i])
CAST_TILE(int32_t, float, x[i])
CAST_TILE(int32_t, double, x[i])
CAST_TILE(float, int32_t, x[i] >= -2147483648.0f && x[i] < 2147483648.0f ? x[i] : -2147483648.0f)
CAST_TILE(double, int32_t, x[i] > -2147483649.0 && x[i] < 2147483648.0 ? x[i] : -2147483648.0)

static tl_tile_fn cast_tile(const tl_dtype *in, tl_dtype out)
{
    static const tl_tile_fn tile[3][3] = {
        [TL_F32] = {cast_float_float, cast_float_double, cast_float_int32_t},
        [TL_F64] = {cast_double_float, cast_double_double, cast_double_int32_t},
        [TL_I32] = {cast_int32_t_float, cast_int32_t_double, cast_int32_t_int32_t},
    };
    return tile[in[0]][out];
}

static int infer_cast(tl_infer *q)
{
    const int64_t to = q->attr->i[0];
    if (to < TL_F32 || to > TL_I32)
        return tl_infer_fail(q, TL_EDTYPE, "got %lld, want TL_F32, TL_F64 or TL_I32",
                             (long long)to);
    q->dtype = (tl_dtype)to;
    return TL_OK;
}

static void cast_adjoint(tl_adj *q)
{
    if (q->in_dtype[0] != TL_I32 && q->dtype != TL_I32)
        q->d[0] = tl_cast(q->g, q->in_dtype[0]);
}

/* Through f32 the differences that the gradient check takes would be lost; f64 to f64 is
 * recorded all the same. */
static tl_tensor cast_call(const tl_tensor *in)
{
    const int64_t i[] = {TL_F64};
    const tl_attr attr = {1, i, 0, NULL};
    return tl_record(&tl_op_cast, 1, in, &attr);
}

static const tl_case cast_cases[] = {
    {1, {{2, {3, 4}}}, {TL_ANY}, 0, cast_call},
};

const tl_op tl_op_cast = {
    .name = "cast",
    .doc = "a in another dtype",
    .grad_doc = "da = g, cast back",
    .shape_doc = "[...] -> [...]",
    .kind = TL_POINTWISE,
    .nin = 1,
    .shape = infer_cast,
    .tile = cast_tile,
    .lead = tl_lead_same,
    .adjoint = cast_adjoint,
    .ncases = 1,
    .cases = cast_cases,
    .attr_text = tl__text_dtype,
};

tl_tensor tl_cast(tl_tensor a, tl_dtype dtype)
{
    const int64_t i[] = {dtype};
    const tl_attr attr = {1, i, 0, NULL};
    if (tl_tensor_ok(a) && tl_dtype_of(a) == dtype)
        return a;
    return tl_record(&tl_op_cast, 1, &a, &attr);
}

/* ---- compositions ---------------------------------------------------------------------------- */

/* number -- c as a constant that goes with a. */
static tl_tensor number(tl_tensor a, double c)
{
    return tl_scalar(a.tape, tl_dtype_of(a), c);
}

tl_tensor tl_add_scalar(tl_tensor a, double c)
{
    return tl_add(a, number(a, c));
}

tl_tensor tl_sub_scalar(tl_tensor a, double c)
{
    return tl_sub(a, number(a, c));
}

tl_tensor tl_rsub_scalar(tl_tensor a, double c)
{
    return tl_sub(number(a, c), a);
}

tl_tensor tl_scale(tl_tensor a, double c)
{
    return tl_mul(a, number(a, c));
}

tl_tensor tl_div_scalar(tl_tensor a, double c)
{
    return tl_div(a, number(a, c));
}

tl_tensor tl_rdiv_scalar(tl_tensor a, double c)
{
    return tl_div(number(a, c), a);
}

tl_tensor tl_pow_scalar(tl_tensor a, double c)
{
    return c == 2 ? tl_square(a) : tl_pow(a, number(a, c));
}

tl_tensor tl_lerp(tl_tensor a, tl_tensor b, tl_tensor w)
{
    return tl_add(a, tl_mul(w, tl_sub(b, a)));
}

tl_tensor tl_square(tl_tensor a)
{
    return tl_mul(a, a);
}

tl_tensor tl_reciprocal(tl_tensor a)
{
    return tl_rdiv_scalar(a, 1);
}

tl_tensor tl_rsqrt(tl_tensor a)
{
    return tl_reciprocal(tl_sqrt(a));
}

/* 0 is the first operand: it gets the gradient of a tie. */
tl_tensor tl_relu(tl_tensor a)
{
    return tl_maximum(number(a, 0), a);
}

tl_tensor tl_silu(tl_tensor a)
{
    return tl_mul(a, tl_sigmoid(a));
}

/* Source: Hendrycks and Gimpel 2016, eq. 2. 1/sqrt(2) = 0.70710678118654752440 */
tl_tensor tl_gelu(tl_tensor a)
{
    const tl_tensor half_plus = tl_add_scalar(tl_erf(tl_scale(a, 0.70710678118654752440)), 1);
    return tl_mul(tl_scale(a, 0.5), half_plus);
}

/* a is the first operand both times: it gets the gradient at the bounds. */
tl_tensor tl_clamp(tl_tensor a, double lo, double hi)
{
    return tl_minimum(tl_maximum(a, number(a, lo)), number(a, hi));
}

tl_tensor tl_greater(tl_tensor a, tl_tensor b)
{
    return tl_less(b, a);
}

tl_tensor tl_greater_equal(tl_tensor a, tl_tensor b)
{
    return tl_less_equal(b, a);
}

#endif
