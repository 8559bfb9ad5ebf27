/* test_dump.c -- a plan as text: names, places and lives are those of the run. */
#include "core/memory.h"
#include "core/print.h"
#include "core/run.h"
#include "core/scan.h"
#include "core/space.h"
#include "ops/ops.h"
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { T = 4, B = 3, H = 5, LINES = 200 };

/* plan -- its text, cut into lines. */
typedef struct plan {
    char *text;
    char *line[LINES];
    int n;
} plan;

static plan plan_of(const tl_tape *tape)
{
    plan p = {.text = tl_plan_text(tape)};
    cr_assert_not_null(p.text);
    for (char *at = p.text; *at && p.n < LINES; p.n++) {
        p.line[p.n] = at;
        at += strcspn(at, "\n");
        if (*at)
            *at++ = '\0';
    }
    return p;
}

/* line_with -- the first line that has both. */
static const char *line_with(const plan *p, const char *a, const char *b)
{
    for (int k = 0; k < p->n; k++)
        if (strstr(p->line[k], a) && strstr(p->line[k], b))
            return p->line[k];
    cr_assert_fail("no line with \"%s\" and \"%s\"", a, b);
    return "";
}

/* walk -- c' = c + tanh(h u), h' = c' x_t, in scope "walk"; h at all steps, or its last. */
static tl_tensor walk(tl_tape *tape, int stacked)
{
    tl_tensor u = tl_name(check_random(tape, TL_F32, tl_shape2(H, H), 1), "U"),
              xs = tl_name(check_random(tape, TL_F32, tl_shape3(T, B, H), 2), "xs"),
              zero = tl_zeros(tape, TL_F32, tl_shape2(B, H));
    tl_scan_opts o = tl_scan_defaults();
    o.name = "walk";
    tl_no_grad_open(tape);
    tl_scan s = tl_scan_open(tape, T, &o);
    tl_tensor h = tl_name(tl_scan_carry(s, zero), "h"), c = tl_name(tl_scan_carry(s, zero), "c");
    tl_tensor c1 = tl_add(c, tl_tanh(tl_matmul(h, u)));
    tl_tensor h1 = tl_mul(c1, tl_scan_each(s, xs));
    tl_scan_next(s, h, h1);
    tl_scan_next(s, c, c1);
    tl_scan_close(s);
    tl_tensor y = stacked ? tl_scan_stacked(s, h1) : tl_scan_last(s, h);
    tl_no_grad_close(tape);
    return y;
}

Test(dump, operands_are_called_by_name_and_move_with_the_loop)
{
    tl_tape *tape = check_tape(1);
    tl_tensor y = walk(tape, 1);
    cr_assert_eq(tl_eval(1, &y), TL_OK);
    plan p = plan_of(tape);
    const char *product = line_with(&p, "  contract  contract", "f32 [3,5]");
    cr_assert_not_null(strstr(product, " h[t] x U -> "), "%s", product);
    cr_assert_not_null(strstr(product, "| walk"), "%s", product);
    const char *tile = line_with(&p, "  tile  ", "tanh");
    cr_assert_not_null(strstr(tile, "xs[t]"), "%s", tile);
    cr_assert_not_null(strstr(tile, "h[t+1]"), "%s", tile);
    cr_assert_not_null(strstr(tile, "c in place"), "%s", tile);
    cr_assert_not_null(strstr(tile, "fused 3 operations"), "%s", tile);
    line_with(&p, "loop, 4 steps", "| #");
    tl_string_free(p.text);
    tl_tape_free(tape);
}

Test(dump, slices_say_where_they_begin)
{
    tl_tape *tape = check_tape(1);
    tl_tensor z = tl_name(check_random(tape, TL_F32, tl_shape2(B, 4 * H), 1), "z");
    tl_tensor y = tl_mul(tl_chunk(z, 4, 1), tl_chunk(z, 4, 3));
    cr_assert_eq(tl_eval(1, &y), TL_OK);
    plan p = plan_of(tape);
    line_with(&p, "tile  ", "z+5, z+15 -> ");
    tl_string_free(p.text);
    tl_tape_free(tape);
}

Test(dump, buffers_say_what_they_are_and_where)
{
    tl_tape *tape = check_tape(1);
    tl_tensor y = tl_name(walk(tape, 0), "y");
    cr_assert_eq(tl_eval(1, &y), TL_OK);
    plan p = plan_of(tape);
    cr_assert_not_null(strstr(line_with(&p, " U ", "[5,5]"), "100 B  leaf"));
    cr_assert_not_null(strstr(line_with(&p, " xs ", "[4,3,5]"), "240 B  leaf"));
    cr_assert_not_null(strstr(line_with(&p, " c ", "carry"), "60 B  slab+"));
    cr_assert_not_null(strstr(line_with(&p, " h ", "carry"), "60 B  survivor"));
    tl_string_free(p.text);
    tl_tape_free(tape);
}

/* number_in -- behind the words; -1 if they are not there. */
static long number_in(const char *line, const char *words)
{
    const char *at = strstr(line, words);
    return at ? strtol(at + strlen(words), NULL, 10) : -1;
}

Test(dump, no_two_buffers_share_a_place_while_both_live)
{
    tl_tape *tape = check_tape(1);
    tl_no_grad_open(tape);
    tl_tensor x = check_random(tape, TL_F64, tl_shape2(9, 9), 1), w = x;
    for (int k = 0; k < 12; k++)
        x = tl_tanh(tl_matmul(x, k % 3 ? w : x));
    tl_no_grad_close(tape);
    cr_assert_eq(tl_eval(1, &x), TL_OK);
    plan p = plan_of(tape);
    long at[LINES], first[LINES], last[LINES];
    int n = 0, shared = 0;
    for (int k = 0; k < p.n; k++) {
        if (!strstr(p.line[k], "slab+"))
            continue;
        at[n] = number_in(p.line[k], "slab+");
        first[n] = number_in(p.line[k], "#");
        last[n] = strstr(p.line[k], "..#") ? number_in(p.line[k], "..#") : first[n];
        for (int j = 0; j < n; j++) { /* all have one size */
            const int meet = first[j] <= last[n] && first[n] <= last[j];
            cr_assert(!meet || at[j] != at[n], "%s", p.line[k]);
            shared += at[j] == at[n];
        }
        n++;
    }
    cr_assert(n > 10 && shared > 0, "%d buffers, %d share", n, shared);
    tl_string_free(p.text);
    tl_tape_free(tape);
}

Test(dump, what_a_body_reads_lives_through_the_loop)
{
    tl_tape *tape = check_tape(1);
    tl_tensor y = walk(tape, 0);
    cr_assert_eq(tl_eval(1, &y), TL_OK);
    plan p = plan_of(tape);
    const long loop = number_in(line_with(&p, "loop, ", "steps"), "| #");
    const char *u = line_with(&p, " U ", "leaf");
    cr_assert_eq(number_in(u, "#"), loop, "%s", u);
    cr_assert_eq(number_in(u, "..#"), loop + 2, "%s", u);
    tl_string_free(p.text);
    tl_tape_free(tape);
}

Test(dump, fits_in_its_columns_up_to_the_instructions)
{
    tl_tape *tape = check_tape(1);
    tl_tensor y = walk(tape, 1);
    cr_assert_eq(tl_eval(1, &y), TL_OK);
    plan p = plan_of(tape);
    int k = 0;
    for (; k < p.n && strcmp(p.line[k], "instructions") != 0; k++)
        cr_assert_leq(strlen(p.line[k]), 100, "%s", p.line[k]);
    cr_assert_lt(k, p.n);
    tl_string_free(p.text);
    tl_tape_free(tape);
}

Test(dump, can_be_printed_and_outlives_a_reset)
{
    char text[8192];
    tl_tape *tape = check_tape(1);
    FILE *file = tmpfile();
    cr_assert_not_null(file);
    cr_assert_null(tl_plan_text(tape));
    cr_assert_eq(tl_plan_print(tape, file), TL_ESTATE);
    tl_tensor y = walk(tape, 0);
    cr_assert_eq(tl_eval(1, &y), TL_OK);
    tl_tape_reset(tape);
    cr_assert_eq(tl_plan_print(tape, file), TL_OK);
    rewind(file);
    const size_t n = fread(text, 1, sizeof text - 1, file);
    text[n] = '\0';
    fclose(file);
    char *want = tl_plan_text(tape);
    cr_assert_str_eq(text, want);
    cr_assert_not_null(strstr(text, " x U"), "%s", text);
    tl_string_free(want);
    tl_tape_free(tape);
}

Test(dump, without_memory_there_is_none)
{
    tl_tape *tape = check_tape(1);
    tl_tensor y = walk(tape, 1);
    cr_assert_eq(tl_eval(1, &y), TL_OK);
    int failures = 0;
    for (long n = 1; n < 100; n++) {
        tl__fail_after(n);
        char *text = tl_plan_text(tape);
        tl__fail_after(0);
        failures += text == NULL;
        tl_string_free(text);
    }
    cr_assert(0 < failures && failures < 99, "%d", failures);
    tl_tape_free(tape);
}
