/* verifytest.h -- tl_cell_verify run on a cell that is right or has something planted in it.
 * Private to tests. */
#ifndef TL_TESTS_VERIFYTEST_H
#define TL_TESTS_VERIFYTEST_H

#include "nn/nn.h"
#include "ops/ops.h"

#include <criterion/criterion.h>
#include <string.h>

static tl_verify_report report;
static char text[32768];

static inline void verify(const tl_cell *cell, int I, int H, const tl_verify_opts *o, int code)
{
    tl_err err = {0};
    int got = tl_cell_verify(cell, I, H, o, &report, &err);
    tl_verify_text(&report, text, sizeof text);
    cr_assert_eq(got, code, "got %d: %s\n%s", got, err.message, text);
    cr_assert_eq(report.pass, code == TL_OK);
}

/* The first failed check is this one, its sentence has this in it, and it is printed. */
static inline void fails(tl_cell cell, tl_verify_check check, const char *part)
{
    verify(&cell, 2, 3, NULL, TL_ESTATE);
    cr_assert_lt(report.first, report.nlines);
    cr_assert_eq(report.lines[report.first].check, check, "%s", text);
    cr_assert(strstr(report.message, part), "got \"%s\", want \"%s\" in it", report.message, part);
    cr_assert(report.ran[check] && !report.passed[check]);
    cr_assert(strstr(text, report.message) && strstr(text, "FAIL"), "%s", text);
    for (int i = 0; i < report.first; i++)
        cr_assert(report.lines[i].pass);
    cr_assert(!report.lines[report.first].pass);
    tl_verify_report_close(&report);
}

/* Planted cells: z = x W' + h U' + b, with something done to it. */
enum { W, U, BIAS };

static inline tl_tensor sum_of_inputs(const tl_tensor *w, tl_tensor x, tl_tensor h)
{
    tl_tensor none = {0};
    return tl_add(tl_linear(x, w[W], w[BIAS]), tl_linear(h, w[U], none));
}

static inline tl_cell cell_of(tl_step_fn step)
{
    tl_cell c = tl_cell_make("planted", step);
    tl_cell_param_add(&c, "w", "H,I", tl_init_recurrent());
    tl_cell_param_add(&c, "u", "H,H", tl_init_recurrent());
    tl_cell_param_add(&c, "b", "H", tl_init_constant(0));
    tl_cell_state_add(&c, "h", "H");
    return c;
}

#endif
