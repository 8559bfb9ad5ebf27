/* test_registry.c -- every operation of the library: complete, named, documented, and with the
 * right gradient at orders 1 and 2. */
#include "ops/registry.h"

#include "core/grad.h"
#include "core/print.h"
#include "core/space.h"
#include "ops/check_op.h"
#include "tests/check.h"
#include "tests/gradcheck.h"

#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* source_file -- a file of the source tree as text; freed by the caller. */
static char *source_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    cr_assert_eq(fseek(file, 0, SEEK_END), 0);
    const long size = ftell(file);
    rewind(file);
    char *text = malloc((size_t)size + 1);
    cr_assert_not_null(text);
    cr_assert_eq(fread(text, 1, (size_t)size, file), (size_t)size);
    text[size] = '\0';
    fclose(file);
    return text;
}

static const char *source_root(void)
{
    const char *root = getenv("TL_SOURCE_ROOT");
    return root ? root : ".";
}

Test(registry, each_operation_is_found_by_its_name_only)
{
    cr_assert(tl_ops_count() > 40);
    for (int i = 0; i < tl_ops_count(); i++)
        cr_expect_eq(tl_ops_find(tl_ops_at(i)->name), tl_ops_at(i), "%s", tl_ops_at(i)->name);
    cr_assert_null(tl_ops_find("no such operation"));
    cr_assert_null(tl_ops_find(NULL));
    cr_assert_null(tl_ops_at(-1));
    cr_assert_null(tl_ops_at(tl_ops_count()));
}

Test(registry, each_operation_is_complete)
{
    for (int i = 0; i < tl_ops_count(); i++) {
        const tl_op *op = tl_ops_at(i);
        const tl_kind k = op->kind;
        const int is_outside = k == TL_LEAF || k == TL_LOOP || k == TL_RESULT;
        cr_expect(op->name && *op->name && op->doc && *op->doc && op->grad_doc && *op->grad_doc,
                  "%s", op->name);
        cr_expect(op->shape_doc && strstr(op->shape_doc, "->"), "%s does not say its shapes",
                  op->name);
        cr_expect(k != TL_POINTWISE || op->tile || op == &tl_op_const, "%s has no tile", op->name);
        cr_expect(k != TL_VIEW || op->view, "%s has no view", op->name);
        cr_expect(is_outside || k == TL_POINTWISE || k == TL_VIEW || op->run, "%s has no kernel",
                  op->name);
        cr_expect(is_outside || op->adjoint || op->no_gradient,
                  "%s has no adjoint and does not say so", op->name);
        cr_expect(!(op->adjoint && op->no_gradient), "%s has an adjoint and says it has none",
                  op->name);
        cr_expect(!op->no_gradient || strcmp(op->grad_doc, "none") == 0, "%s says %s", op->name,
                  op->grad_doc);
        cr_expect(is_outside || k == TL_RANDOM || op == &tl_op_const || op->ncases > 0,
                  "%s has nothing to be checked on", op->name);
        cr_expect(op->ncases == 0 || op->cases, "%s", op->name);
    }
}

/* is_listed -- whether tl_op_<name> is in ops/list.h; an operation's own name may be another
 * (tl_op_loop is "scan"). */
static int is_listed(const char *name)
{
#define QUOTED(NAME) #NAME,
    static const char *const listed[] = {TL_CORE_OPS(QUOTED) TL_OPS(QUOTED)};
    for (size_t i = 0; i < sizeof listed / sizeof listed[0]; i++)
        if (strcmp(listed[i], name) == 0)
            return 1;
    return 0;
}

/* A definition that nobody listed: looked for in the sources, since nothing else knows of it. */
Test(registry, each_operation_that_is_defined_is_listed)
{
    static const char *const folder[] = {"/core/*.c", "/ops/*.c"};
    static const char *const opening[] = {"\nconst tl_op tl_op_", "\nTL_UNARY_OP(",
                                          "\nTL_BINARY_OP("};
    int found = 0;
    for (int f = 0; f < 2; f++) {
        char pattern[4096];
        glob_t paths;
        snprintf(pattern, sizeof pattern, "%s%s", source_root(), folder[f]);
        cr_assert_eq(glob(pattern, 0, NULL, &paths), 0, "no sources at %s", pattern);
        for (size_t p = 0; p < paths.gl_pathc; p++) {
            char *text = source_file(paths.gl_pathv[p]);
            for (int o = 0; o < 3; o++)
                for (const char *at = text; (at = strstr(at, opening[o]));) {
                    char name[64];
                    size_t n = 0;
                    at += strlen(opening[o]);
                    while (n < sizeof name - 1 && (isalnum((unsigned char)at[n]) || at[n] == '_'))
                        n++;
                    memcpy(name, at, n);
                    name[n] = '\0';
                    cr_expect(is_listed(name), "%s, defined in %s, is not in ops/list.h", name,
                              paths.gl_pathv[p]);
                    found++;
                }
            free(text);
        }
        globfree(&paths);
    }
    cr_assert_eq(found, tl_ops_count());
}

Test(registry, each_gradient_is_right_at_orders_1_and_2, .timeout = 300)
{
    for (int i = 0; i < tl_ops_count(); i++) {
        const tl_op *op = tl_ops_at(i);
        for (int c = 0; !op->no_gradient && c < op->ncases; c++)
            for (uint64_t seed = 1; seed <= 2; seed++) {
                char message[CHECK_MESSAGE];
                cr_expect(gradcheck(op, &op->cases[c], 2, seed, message), "%s, case %d: %s",
                          op->name, c, message);
            }
    }
}

/* The check that programs have for their own operations: gradients, reads, every element type,
 * strides, parts and leading axes. const has no kernel of its own. All that do not take indices
 * alone are checked in f32 as well. */
Test(registry, each_operation_passes_the_public_check, .timeout = 300)
{
    for (int i = 0; i < tl_ops_count(); i++) {
        char report[CHECK_MESSAGE];
        const tl_op *op = tl_ops_at(i);
        if (op == &tl_op_const)
            continue;
        for (uint64_t seed = 1; seed <= 2; seed++) {
            tl_check_opts o = tl_check_defaults();
            o.seed = seed;
            cr_expect_eq(tl_check_op(op, &o, report, sizeof report), TL_OK, "%s", report);
        }
        cr_expect(op->ncases == 0 || op->cases->domain[0] == TL_INDEX || strstr(report, " f32"),
                  "%s", report);
    }
}

/* Those that can be differentiated and are recorded by tl_record, but for the two that take any
 * number. */
Test(registry, operations_say_how_many_operands_they_have)
{
    for (int i = 0; i < tl_ops_count(); i++) {
        const tl_op *op = tl_ops_at(i);
        const int is_any = op->kind == TL_ASSEMBLE || strcmp(op->name, "custom") == 0;
        const int is_inside = op->kind == TL_LEAF || op->kind == TL_LOOP || op->kind == TL_RESULT;
        cr_expect(op->nin > 0 || op->no_gradient || is_any || is_inside, "%s", op->name);
    }
}

/* What has no gradient passes zeros on, and no error. */
Test(registry, what_has_no_gradient_gives_zeros)
{
    for (int i = 0; i < tl_ops_count(); i++) {
        const tl_op *op = tl_ops_at(i);
        if (!op->no_gradient || op->ncases == 0 || op->cases[0].domain[0] != TL_ANY)
            continue;
        tl_tape *tape = check_tape(1);
        tl_tensor in[4], g;
        for (int k = 0; k < op->cases[0].nin; k++)
            in[k] = op->cases[0].domain[k] == TL_INDEX
                        ? tl_zeros(tape, TL_I32, op->cases[0].shape[k])
                        : check_random(tape, TL_F64, op->cases[0].shape[k], (uint64_t)k + 1);
        const tl_tensor y = op->cases[0].call(in);
        if (tl_dtype_of(y) != TL_I32) {
            tl_grad(1, &y, NULL, 1, in, &g);
            cr_assert(tl_shape_equal(tl_shape_of(g), tl_shape_of(in[0])), "%s", op->name);
            double *values = check_values(g);
            cr_assert_not_null(values, "%s: %s", op->name, tl_tape_error(tape));
            for (int64_t k = 0; k < tl_shape_count(tl_shape_of(g)); k++)
                cr_expect_eq(values[k], 0.0, "%s", op->name);
            free(values);
        }
        tl_tape_free(tape);
    }
}

Test(registry, the_readme_has_the_table_of_today)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/ops/README.md", source_root());
    char *readme = source_file(path), *table = tl_ops_text();
    cr_assert_not_null(table);
    char *from = strstr(readme, "<!-- operations -->\n"),
         *to = strstr(readme, "<!-- end of operations -->");
    cr_assert(from && to && from < to, "%s has no place for the table", path);
    *to = '\0';
    from += strlen("<!-- operations -->\n");
    if (strcmp(from, table) != 0)
        cr_assert_fail("the table in ops/README.md is old; put this there:\n%s", table);
    tl_string_free(table);
    free(readme);
}

Test(registry, after_an_error_each_operation_passes_the_first_cause_on)
{
    for (int i = 0; i < tl_ops_count(); i++)
        for (int c = 0; c < tl_ops_at(i)->ncases; c++)
            cr_expect(check_first_cause(&tl_ops_at(i)->cases[c]), "%s, case %d", tl_ops_at(i)->name,
                      c);
}
