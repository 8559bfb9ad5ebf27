/* test_compositions.c -- what is public and composed of others has no block with cases: its gradient
 * at orders 1 and 2 is checked here, and that ops/README.md
 * has it. */
#include "ops/ops.h"
#include "ops/registry.h"
#include "tests/check.h"
#include "tests/gradcheck.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

Test(compositions, after_an_error_each_passes_the_first_cause_on)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect(check_first_cause(&cases[i]), "case %d", (int)i);
}

/* text_of -- a file of the source tree; freed by the caller. */
static char *text_of(const char *name)
{
    char path[4096];
    const char *root = getenv("TL_SOURCE_ROOT");
    snprintf(path, sizeof path, "%s/%s", root ? root : ".", name);
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    enum { MOST = 1 << 20 };
    char *text = calloc(1, MOST);
    cr_assert_not_null(text);
    cr_assert_lt(fread(text, 1, MOST - 1, file), (size_t)MOST - 1);
    fclose(file);
    return text;
}

/* has_word -- whether the name stands in text with no letter beside it. */
static int has_word(const char *text, const char *name)
{
    const size_t n = strlen(name);
    for (const char *at = text; (at = strstr(at, name)); at++)
        if (at > text && (at[-1] == ' ' || at[-1] == '\n') && (at[n] == ' ' || at[n] == ','))
            return 1;
    return 0;
}

/* Every public function of this folder that makes a tensor is an operation or in the table of
 * compositions. */
Test(compositions, the_readme_has_them_all)
{
    static const char *const header[] = {"ops/along.h",   "ops/custom.h", "ops/elementwise.h",
                                         "ops/index.h",   "ops/loss.h",   "ops/mask.h",
                                         "ops/matmul.h",  "ops/noise.h",  "ops/reduce.h",
                                         "ops/running.h", "ops/select.h", "ops/statistics.h",
                                         "ops/view.h",    "core/space.h", "ops/vocab_loss.h"};
    static const char opening[] = "\nTL_API tl_tensor tl_";
    char *readme = text_of("ops/README.md"), *table = strstr(readme, "| composition |");
    int found = 0;
    cr_assert_not_null(table);
    for (size_t h = 0; h < sizeof header / sizeof *header; h++) {
        char *text = text_of(header[h]);
        for (const char *at = text; (at = strstr(at, opening));) {
            char name[64] = "";
            at += strlen(opening);
            memcpy(name, at, strcspn(at, "(") < 63 ? strcspn(at, "(") : 63);
            cr_expect(name[0] == '_' || tl_ops_find(name) || has_word(table, name),
                      "%s: tl_%s is in no table", header[h], name);
            found++;
        }
        free(text);
    }
    cr_assert(found > 90, "%d", found);
    free(readme);
}
