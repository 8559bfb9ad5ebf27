/* test_torch_operations.c -- single operations against PyTorch's numbers
 * (fixtures/make_torch_operations.py made them): values and gradients, f64. */
#include "tapeloop.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST = 512 };

/* operation -- one row of the fixture: operands a, b, d of these shapes, the result y and its
 * cotangent c of the shape that the call says. */
typedef struct operation {
    const char *name;
    int nin;
    tl_shape shape[3];
    tl_tensor (*call)(const tl_tensor *in);
} operation;

#define CALL(NAME, ...)                                                                            \
    static tl_tensor NAME(const tl_tensor *in)                                                     \
    {                                                                                              \
        return __VA_ARGS__;                                                                        \
    }
#define I32(SHAPE, ...) tl_input_i32(in[0].tape, SHAPE, (const int32_t[]){__VA_ARGS__})
#define AXES(...) ((const int[]){__VA_ARGS__})

CALL(sum, tl_sum(in[0], 2, AXES(0, 2), 0))
CALL(mean, tl_mean(in[0], 2, AXES(0, 2), 1))
CALL(amax, tl_amax(in[0], 2, AXES(0, 2), 0))
CALL(amin, tl_amin(in[0], 1, AXES(1), 0))
CALL(logsumexp, tl_logsumexp(in[0], 2, AXES(1, 2), 0))
CALL(softmax, tl_softmax(in[0], 1))
CALL(var0, tl_var(in[0], 2, AXES(0, 2), 0, 0))
CALL(var1, tl_var(in[0], 1, AXES(1), 1, 1))
CALL(std1, tl_std(in[0], 2, AXES(0, 1), 1, 0))
CALL(norm1, tl_norm(in[0], 1, 2, AXES(0, 2), 0))
CALL(norm2, tl_norm(in[0], 2, 1, AXES(1), 0))
CALL(norm3, tl_norm(in[0], 3, 2, AXES(1, 2), 0))
CALL(norm_max, tl_norm(in[0], HUGE_VAL, 1, AXES(1), 0))
CALL(prod, tl_prod(in[0], 1, AXES(1), 0))
CALL(prod_odd, tl_prod(in[0], 2, AXES(0, 2), 0))
CALL(cumsum0, tl_cumsum(in[0], 0))
CALL(cumsum2, tl_cumsum(in[0], -1))
CALL(tril, tl_tril(in[0], -1))
CALL(triu, tl_triu(in[0], 1))
CALL(masked_fill, tl_masked_fill(in[0], I32(tl_shape2(4, 2), 1, 0, 0, 0, 0, 1, 1, 1), -3.5))
CALL(index_select, tl_index_select(in[0], 1, I32(tl_shape1(3), 3, 0, 3)))
CALL(index_add, tl_index_add(in[0], 1, I32(tl_shape1(3), 3, 0, 3), in[1]))
CALL(gather, tl_gather(in[0], I32(tl_shape2(2, 3), 2, 0, 2, 1, 1, 0)))
CALL(scatter_add, tl_scatter_add(in[0], I32(tl_shape1(3), 3, 0, 3), 4))
CALL(take_along, tl_take_along(in[0], I32(tl_shape2(2, 3), 2, 0, 2, 1, 1, 0), 1))
CALL(put_along, tl_put_along(in[0], I32(tl_shape2(2, 3), 2, 0, 2, 1, 1, 0), 1, 4))
CALL(matmul, tl_matmul(in[0], in[1]))
CALL(matmul_t, tl_matmul_t(in[0], 1, in[1], 1))
CALL(linear, tl_linear(in[0], in[1], in[2]))
CALL(outer, tl_outer(in[0], in[1]))
CALL(dot, tl_dot(in[0], in[1]))
CALL(contract, tl_contract(in[0], in[1], "tbi,bhi->hbt"))
CALL(permute, tl_permute(in[0], 3, AXES(2, 0, 1)))
CALL(flip, tl_flip(in[0], 1))
CALL(concat, tl_concat(2, in, 1))
CALL(stack, tl_stack(2, in, 1))
CALL(pad, tl_pad(in[0], 1, 1, 2))
CALL(expand, tl_broadcast_to(in[0], tl_shape3(3, 2, 4)))
CALL(divide, tl_div(in[0], in[1]))
CALL(power, tl_pow(in[0], in[1]))
CALL(maximum, tl_maximum(in[0], in[1]))
CALL(where, tl_where(I32(tl_shape2(4, 1), 1, 0, 0, 1), in[0], in[1]))
CALL(lerp, tl_lerp(in[0], in[1], in[2]))
CALL(clamp, tl_clamp(in[0], -0.5, 0.7))
CALL(t_abs, tl_abs(in[0]))
CALL(t_exp, tl_exp(in[0]))
CALL(t_expm1, tl_expm1(in[0]))
CALL(t_sin, tl_sin(in[0]))
CALL(t_cos, tl_cos(in[0]))
CALL(t_erf, tl_erf(in[0]))
CALL(t_tanh, tl_tanh(in[0]))
CALL(sigmoid, tl_sigmoid(in[0]))
CALL(relu, tl_relu(in[0]))
CALL(square, tl_square(in[0]))
CALL(t_sqrt, tl_sqrt(in[0]))
CALL(rsqrt, tl_rsqrt(in[0]))
CALL(t_log, tl_log(in[0]))
CALL(t_log1p, tl_log1p(in[0]))
CALL(reciprocal, tl_reciprocal(in[0]))

static tl_tensor attention(const tl_tensor *in)
{
    const tl_tensor sees = tl_tril(tl_ones(in[0].tape, TL_F64, tl_shape2(4, 4)), 0);
    return tl_attention(in[0], in[1], in[2], sees);
}

/* Scaled dot-product attention with a causal mask, of what is here. */
static tl_tensor attention_composed(const tl_tensor *in)
{
    const tl_tensor sees = tl_tril(tl_ones(in[0].tape, TL_F64, tl_shape2(4, 4)), 0);
    const tl_tensor scores = tl_div_scalar(tl_matmul_t(in[0], 0, in[1], 1), sqrt(5.0));
    const tl_tensor seen = tl_masked_fill(scores, tl_rsub_scalar(sees, 1), -HUGE_VAL);
    return tl_matmul(tl_softmax(seen, -1), in[2]);
}

#define CUBE                                                                                       \
    {                                                                                              \
        3,                                                                                         \
        {                                                                                          \
            3, 4, 2                                                                                \
        }                                                                                          \
    }

static const operation operations[] = {
    {"sum", 1, {CUBE}, sum},
    {"mean", 1, {CUBE}, mean},
    {"amax", 1, {CUBE}, amax},
    {"amin", 1, {CUBE}, amin},
    {"logsumexp", 1, {CUBE}, logsumexp},
    {"softmax", 1, {CUBE}, softmax},
    {"var0", 1, {CUBE}, var0},
    {"var1", 1, {CUBE}, var1},
    {"std1", 1, {CUBE}, std1},
    {"norm1", 1, {CUBE}, norm1},
    {"norm2", 1, {CUBE}, norm2},
    {"norm3", 1, {CUBE}, norm3},
    {"norm_max", 1, {CUBE}, norm_max},
    {"prod", 1, {CUBE}, prod},
    {"prod_zeros", 1, {CUBE}, prod},
    {"prod_odd", 1, {{3, {7, 2, 3}}}, prod_odd},
    {"cumsum0", 1, {CUBE}, cumsum0},
    {"cumsum2", 1, {CUBE}, cumsum2},
    {"tril", 1, {{3, {2, 4, 3}}}, tril},
    {"triu", 1, {{3, {2, 4, 5}}}, triu},
    {"masked_fill", 1, {CUBE}, masked_fill},
    {"index_select", 1, {CUBE}, index_select},
    {"index_add", 2, {CUBE, {3, {3, 3, 2}}}, index_add},
    {"gather", 1, {{2, {3, 2}}}, gather},
    {"scatter_add", 1, {{2, {3, 2}}}, scatter_add},
    {"take_along", 1, {{2, {2, 3}}}, take_along},
    {"put_along", 1, {{2, {2, 3}}}, put_along},
    {"matmul", 2, {{4, {2, 1, 3, 4}}, {3, {3, 4, 2}}}, matmul},
    {"matmul_row", 2, {{1, {4}}, {3, {3, 4, 2}}}, matmul},
    {"matmul_t", 2, {{3, {2, 4, 3}}, {2, {2, 4}}}, matmul_t},
    {"linear", 3, {{3, {2, 3, 4}}, {2, {5, 4}}, {1, {5}}}, linear},
    {"outer", 2, {{2, {2, 3}}, {1, {4}}}, outer},
    {"dot", 2, {{1, {9}}, {1, {9}}}, dot},
    {"contract", 2, {{3, {2, 3, 4}}, {3, {3, 5, 4}}}, contract},
    {"permute", 1, {CUBE}, permute},
    {"flip", 1, {CUBE}, flip},
    {"concat", 2, {{2, {2, 3}}, {2, {2, 1}}}, concat},
    {"stack", 2, {{2, {2, 3}}, {2, {2, 3}}}, stack},
    {"pad", 1, {{2, {2, 3}}}, pad},
    {"expand", 1, {{2, {2, 1}}}, expand},
    {"div", 2, {CUBE, {3, {3, 1, 2}}}, divide},
    {"pow", 2, {CUBE, {2, {4, 1}}}, power},
    {"maximum", 2, {CUBE, {2, {4, 2}}}, maximum},
    {"where", 2, {CUBE, CUBE}, where},
    {"lerp", 3, {{1, {5}}, {1, {5}}, {1, {5}}}, lerp},
    {"clamp", 1, {CUBE}, clamp},
    {"abs", 1, {CUBE}, t_abs},
    {"exp", 1, {CUBE}, t_exp},
    {"expm1", 1, {CUBE}, t_expm1},
    {"sin", 1, {CUBE}, t_sin},
    {"cos", 1, {CUBE}, t_cos},
    {"erf", 1, {CUBE}, t_erf},
    {"tanh", 1, {CUBE}, t_tanh},
    {"sigmoid", 1, {CUBE}, sigmoid},
    {"relu", 1, {CUBE}, relu},
    {"square", 1, {CUBE}, square},
    {"sqrt", 1, {CUBE}, t_sqrt},
    {"rsqrt", 1, {CUBE}, rsqrt},
    {"log", 1, {CUBE}, t_log},
    {"log1p", 1, {CUBE}, t_log1p},
    {"reciprocal", 1, {CUBE}, reciprocal},
    {"attention", 3, {{4, {2, 3, 4, 5}}, {4, {2, 1, 4, 5}}, {4, {2, 3, 4, 2}}}, attention},
    {"attention", 3, {{4, {2, 3, 4, 5}}, {4, {2, 1, 4, 5}}, {4, {2, 3, 4, 2}}}, attention_composed},
};

/* fixture -- an entry of the file into a new parameter of this shape. */
static tl_param *fixture(tl_params *set, const char *name, const char *entry, tl_shape shape)
{
    char text[64];
    snprintf(text, sizeof text, "%s.%s", name, entry);
    tl_param *p = tl_param_new(set, text, shape, NULL);
    cr_assert_not_null(p, "%s", text);
    return p;
}

/* read -- all entries of set from the file. */
static void read_fixture(tl_params *set)
{
    const char *root = getenv("TL_SOURCE_ROOT");
    char path[600];
    snprintf(path, sizeof path, "%s/tests/fixtures/torch_operations_f64.safetensors",
             root ? root : ".");
    const tl_weights_part part = {"", set, NULL};
    tl_weights_opts opts = tl_weights_defaults();
    opts.strict = 0;
    tl_weights_report report;
    tl_err err = {0};
    cr_assert_eq(tl_weights_load(path, 1, &part, &opts, NULL, &report, &err), TL_OK, "%s",
                 err.message);
    cr_assert_eq(report.missing, 0, "%s", report.text);
}

/* same -- a tensor against an entry: 1e-12 of the largest element, or of 1. */
static void same(tl_tensor got, const tl_param *want)
{
    static double a[MOST], b[MOST];
    const int64_t n = tl_shape_count(tl_shape_of(got));
    double size = 1;
    cr_assert_leq(n, MOST);
    cr_assert_eq(tl_read_f64(got, a, n), TL_OK, "%s: %s", tl_param_name(want),
                 tl_tape_error(got.tape));
    cr_assert_eq(tl_param_get_f64(want, b, n), TL_OK, "%s", tl_param_name(want));
    for (int64_t i = 0; i < n; i++)
        size = fmax(size, fabs(b[i]));
    for (int64_t i = 0; i < n; i++)
        cr_expect(fabs(a[i] - b[i]) <= 1e-12 * size, "%s[%d]: got %.17g, PyTorch has %.17g",
                  tl_param_name(want), (int)i, a[i], b[i]);
}

static void check(const operation *o)
{
    static const char *const entry[3][2] = {{"a", "grad.a"}, {"b", "grad.b"}, {"d", "grad.d"}};
    tl_params *set = tl_params_new(TL_F64);
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor in[3], grad[3];
    tl_param *want[3];
    for (int k = 0; k < o->nin; k++) { /* the result's shape, before any number is known */
        fixture(set, o->name, entry[k][0], o->shape[k]);
        want[k] = fixture(set, o->name, entry[k][1], o->shape[k]);
        in[k] = tl_zeros(tape, TL_F64, o->shape[k]);
    }
    const tl_shape shape = tl_shape_of(o->call(in));
    cr_assert_eq(tl_tape_status(tape), TL_OK, "%s: %s", o->name, tl_tape_error(tape));
    tl_param *value = fixture(set, o->name, "y", shape), *c = fixture(set, o->name, "c", shape);
    read_fixture(set);
    tl_tape_reset(tape);
    for (int k = 0; k < o->nin; k++)
        in[k] = tl_use(tape, tl_params_at(set, 2 * k));
    const tl_tensor y = o->call(in), seed = tl_use(tape, c);
    cr_assert_eq(tl_grad(1, &y, &seed, o->nin, in, grad), TL_OK, "%s: %s", o->name,
                 tl_tape_error(tape));
    same(y, value);
    for (int k = 0; k < o->nin; k++)
        same(grad[k], want[k]);
    tl_tape_free(tape);
    tl_params_free(set);
}

Test(torch_operations, values_and_gradients)
{
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        check(&operations[i]);
}
