/* test_compositions.c -- what is public and composed of others has no block with cases: its gradient
 * at orders 1 and 2 is checked here. */
#include "ops/ops.h"
#include "tests/check.h"
#include "tests/gradcheck.h"

#include <math.h>

#define CALL(NAME, ...)                                                                            \
    static tl_tensor NAME(const tl_tensor *in)                                                     \
    {                                                                                              \
        return __VA_ARGS__;                                                                        \
    }
#define AXES(...) ((const int[]){__VA_ARGS__})

CALL(mean, tl_mean(in[0], 2, AXES(0, 2), 0))
CALL(logsumexp, tl_logsumexp(in[0], 1, AXES(1), 0))
CALL(softmax, tl_softmax(in[0], -1))
CALL(log_softmax, tl_log_softmax(in[0], 0))
CALL(var0, tl_var(in[0], 2, AXES(0, 2), 0, 0))
CALL(var1, tl_var(in[0], 1, AXES(-2), 1, 1))
CALL(standard, tl_std(in[0], 1, AXES(1), 1, 0))
CALL(norm1, tl_norm(in[0], 1, 1, AXES(1), 0))
CALL(norm2, tl_norm(in[0], 2, 2, AXES(0, 1), 0))
CALL(norm3, tl_norm(in[0], 3, 1, AXES(2), 1))
CALL(norm_half, tl_norm(in[0], 0.5, 1, AXES(1), 0))
CALL(norm_max, tl_norm(in[0], HUGE_VAL, 1, AXES(1), 0))
CALL(prod, tl_prod(in[0], 1, AXES(1), 0))
CALL(prod_ends, tl_prod(in[0], 2, AXES(0, 2), 1))
CALL(fill, tl_masked_fill(in[0], in[1], 3))
CALL(tril, tl_tril(in[0], -1))
CALL(triu, tl_triu(in[0], 1))
CALL(select1, tl_index_select(in[0], 1, in[1]))
CALL(select2, tl_index_select(in[0], 2, in[1]))
CALL(add1, tl_index_add(in[0], 1, in[1], in[2]))
CALL(matmul, tl_matmul(in[0], in[1]))
CALL(lerp, tl_lerp(in[0], in[1], in[2]))
CALL(gelu, tl_gelu(in[0]))
CALL(silu, tl_silu(in[0]))

/* A zero in each row: the gradient of the others is not lost. */
static tl_tensor prod_zero(const tl_tensor *in)
{
    return tl_prod(tl_mul(in[0], tl_sub_scalar(in[1], 1)), 1, AXES(1), 0);
}

/* clang-format off */
#define CUBE {3, {2, 3, 2}}
/* clang-format on */

static const tl_case cases[] = {
    {1, {CUBE}, {TL_ANY}, 0, mean},
    {1, {CUBE}, {TL_ANY}, 0, logsumexp},
    {1, {CUBE}, {TL_ANY}, 0, softmax},
    {1, {CUBE}, {TL_ANY}, 0, log_softmax},
    {1, {CUBE}, {TL_ANY}, 0, var0},
    {1, {CUBE}, {TL_ANY}, 0, var1},
    {1, {CUBE}, {TL_ANY}, 0, standard},
    {1, {CUBE}, {TL_ANY}, 0, norm1},
    {1, {CUBE}, {TL_ANY}, 0, norm2},
    {1, {CUBE}, {TL_ANY}, 0, norm3},
    {1, {CUBE}, {TL_POSITIVE}, 0, norm_half},
    {1, {CUBE}, {TL_ANY}, 0, norm_max},
    {1, {CUBE}, {TL_ANY}, 0, prod},
    {1, {CUBE}, {TL_ANY}, 0, prod_ends},
    {2, {{2, {2, 5}}, {2, {2, 5}}}, {TL_ANY, TL_BINARY}, 0, prod_zero},
    {2, {CUBE, {2, {3, 2}}}, {TL_ANY, TL_BINARY}, 0, fill},
    {1, {{3, {2, 3, 4}}}, {TL_ANY}, 0, tril},
    {1, {{3, {2, 3, 4}}}, {TL_ANY}, 0, triu},
    {2, {CUBE, {2, {2, 2}}}, {TL_ANY, TL_INDEX}, 3, select1},
    {2, {CUBE, {1, {3}}}, {TL_ANY, TL_INDEX}, 2, select2},
    {3, {CUBE, {1, {4}}, {3, {2, 4, 2}}}, {TL_ANY, TL_INDEX, TL_ANY}, 3, add1},
    {2, {{4, {2, 1, 2, 3}}, {3, {2, 3, 2}}}, {TL_ANY, TL_ANY}, 0, matmul},
    {3, {CUBE, CUBE, CUBE}, {TL_ANY, TL_ANY, TL_ANY}, 0, lerp},
    {1, {CUBE}, {TL_ANY}, 0, gelu},
    {1, {CUBE}, {TL_ANY}, 0, silu},
};

Test(compositions, gradients_are_right_at_orders_1_and_2, .timeout = 300)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (uint64_t seed = 1; seed <= 2; seed++) {
            char message[CHECK_MESSAGE];
            cr_expect(gradcheck(NULL, &cases[i], 2, seed, message), "case %d: %s", (int)i, message);
        }
}
