/* test_draw_scopes.c -- what stands in which column and row, and scans drawn step by step. */
#include "tapeloop.h"

#include "drawtest.h"

#include "check.h"
#include "core/memory.h"

#include <stdio.h>
#include <string.h>

/* two_scans -- y = x x, two scans over it one on the other, a loss of all steps of the second; with
 * the gradient for x and U, so that gradients go into the scans and come out of them by steps. */
static tl_tape *two_scans(int64_t T)
{
    tl_tape *tape = tl_tape_new(NULL);
    static const double v[12] = {.1, .2, .3, .4, .5, .6, .7, .8, .9, .1, .2, .3};
    tl_tensor x = tl_name(tl_input_f64(tape, tl_shape3(T, 1, 3), v), "x"), g[2];
    tl_tensor U = tl_name(tl_input_f64(tape, tl_shape2(3, 3), v), "U");
    tl_tensor all = tl_name(tl_mul(x, x), "y");
    tl_scope_open(tape, "net");
    for (int layer = 0; layer < 2; layer++) {
        tl_tensor zero = tl_zeros(tape, TL_F64, tl_shape2(1, 3));
        tl_scan_opts o = tl_scan_defaults();
        o.name = layer ? "above" : "below";
        tl_scan s = tl_scan_open(tape, T, &o);
        tl_tensor h = tl_name(tl_scan_carry(s, zero), "h");
        tl_tensor a = tl_name(tl_add(tl_scan_each(s, all), tl_matmul(h, U)), "a");
        tl_scope_open(tape, "squash");
        tl_tensor k = tl_name(tl_tanh(a), "k");
        tl_scan_next(s, h, k);
        tl_scope_close(tape);
        tl_scan_close(s);
        all = tl_scan_stacked(s, k);
    }
    tl_scope_close(tape);
    tl_scope_open(tape, "loss");
    tl_tensor L = tl_name(tl_sum_all(tl_mul(all, all)), "L");
    tl_scope_close(tape);
    const tl_tensor in[2] = {x, U};
    cr_assert_eq(tl_grad(1, &L, NULL, 2, in, g), TL_OK);
    return tape;
}

static uint32_t column(const tl_drawing *d, const char *title)
{
    for (uint32_t c = 0; c < d->ncolumns; c++)
        if (strcmp(d->columns[c].title, title) == 0)
            return c;
    return TL_NONE;
}

Test(draw_scopes, steps_are_columns_of_their_scan)
{
    tl_tape *tape = two_scans(3);
    tl_drawing d;
    cr_assert_eq(tl__draw_open(&d, tape, NULL, "drawing", NULL), TL_OK);
    cr_assert_neq(column(&d, "net/below, t = 0"), TL_NONE);
    cr_assert_neq(column(&d, "net/above, t = 2"), TL_NONE);
    cr_assert_eq(d.nnests, 6, "squash in every step, and nothing of the scan itself: %u", d.nnests);
    uint32_t row[3] = {0, 0, 0};
    for (uint32_t k = 0; k < d.nboxes; k++) {
        const tl_vertex *v = &d.vertices[d.boxes[k].root];
        const char *name = tape->nodes[v->slot].name;
        if (v->t >= 0 && name && strcmp(name, "a") == 0)
            row[v->t] = d.boxes[k].row;
        cr_assert(!name || strcmp(name, "U") || d.boxes[k].row == 0);
    }
    cr_assert(row[0] == 1 && row[1] == 1 && row[2] == 1, "side by side, below what they read");
    tl__draw_close(&d);
    tl_tape_free(tape);
}

/* The lines of the lower half are the whole way of the gradient: every box but the loss's has one
 * coming in, whether it comes from the step after, from behind the scan, or out of all steps. */
Test(draw_scopes, no_gradient_comes_from_nowhere)
{
    for (int64_t T = 1; T <= 4; T++)
        for (int64_t unroll = 0; unroll <= 4; unroll += 4) {
            tl_tape *tape = two_scans(T);
            tl_draw_opts o = tl_draw_defaults();
            o.unroll = unroll;
            tl_drawing d;
            cr_assert_eq(tl__draw_open(&d, tape, &o, "drawing", NULL), TL_OK);
            for (uint32_t k = 0; k < d.nboxes; k++) {
                const tl_box *b = &d.boxes[k];
                int in = 0, is_loss = d.columns[b->column].title[0] == 'l';
                for (uint32_t e = 0; e < d.nedges; e++)
                    in += d.edges[e].to == k && d.edges[e].kind == TL_EDGE_ADJOINT;
                cr_assert(b->mirror == TL_NONE || is_loss == (in == 0), "%s: %d lines", b->line[0],
                          in);
            }
            tl__draw_close(&d);
            char *svg = tl_tape_svg(tape, &o, NULL), text[40];
            snprintf(text, sizeof text, ">sum of %d<", (int)(2 * T));
            cr_assert(unroll < T || strstr(svg, text), "U is used in %s", text);
            cr_assert(!strstr(svg, "\xce\xb4+"), "a zero that a carry begins with: %s", svg);
            tl_string_free(svg);
            tl_tape_free(tape);
        }
}

Test(draw_scopes, long_scope_names_keep_their_end)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scope_open(tape, "a scope with a name of some length/");
    tl_scope_open(tape, "and another that is rather long as well");
    tl_scan s = tl_scan_open(tape, 2, NULL);
    tl_tensor h = tl_scan_carry(s, tl_zeros(tape, TL_F64, tl_shape1(2)));
    tl_scan_next(s, h, tl_name(tl_tanh(h), "k"));
    tl_scan_close(s);
    tl_drawing d;
    cr_assert_eq(tl__draw_open(&d, tape, NULL, "drawing", NULL), TL_OK);
    const char *title = d.columns[d.ncolumns - 1].title;
    cr_assert(strncmp(title, "...", 3) == 0, "%s", title);
    cr_assert(strstr(title, "rather long as well, t = 1"), "%s", title);
    tl__draw_close(&d);
    tl_tape_free(tape);
}

/* below -- a number under n, another one each time. */
static uint32_t below(uint32_t *seed, uint32_t n)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % n;
}

/* wild -- operations on whatever there is, in scopes that open and close at any time, with the
 * gradient. */
static tl_tape *wild(uint32_t seed)
{
    static const char *const name[] = {"a", "net", "cell", "gates", "a wider name", "x"};
    tl_tape *tape = tl_tape_new(NULL);
    static const double v[4] = {.1, .2, .3, .4};
    tl_tensor value[40], g;
    uint32_t depth = 0, n = 1 + below(&seed, 3);
    for (uint32_t k = 0; k < n; k++)
        value[k] = tl_input_f64(tape, tl_shape2(2, 2), v);
    while (n < 40) {
        const uint32_t dice = below(&seed, 12);
        const tl_tensor a = value[below(&seed, n)], b = value[below(&seed, n)];
        if (dice < 3 && depth < 4) {
            tl_scope_open(tape, name[below(&seed, 6)]);
            depth++;
        } else if (dice < 5 && depth > 0) {
            tl_scope_close(tape);
            depth--;
        } else if (dice >= 5) {
            const tl_tensor c = dice < 7    ? tl_tanh(a)
                                : dice < 9  ? tl_add(a, b)
                                : dice < 11 ? tl_matmul(a, b)
                                            : tl_input_f64(tape, tl_shape2(2, 2), v);
            value[n++] = below(&seed, 3) ? tl_name(c, name[below(&seed, 6)]) : c;
        }
    }
    while (depth-- > 0)
        tl_scope_close(tape);
    tl_tensor L = tl_sum_all(tl_mul(value[39], value[38]));
    tl_grad(1, &L, NULL, 1, value, &g);
    cr_assert_eq(tl_tape_status(tape), TL_OK, "%s", tl_tape_error(tape));
    return tape;
}

Test(draw_scopes, any_tape_has_room)
{
    for (uint32_t seed = 0; seed < 300; seed++) {
        tl_tape *tape = wild(seed);
        tl_draw_opts o = tl_draw_defaults();
        o.detail = seed & 1;
        hold_drawing(tape, &o);
        tl_tape_free(tape);
    }
}

/* made -- the tape in one of five forms. */
static char *made(tl_tape *tape, int form, tl_err *err)
{
    tl_print_opts o = tl_print_defaults();
    o.adjoint = form == 4;
    o.unroll = 2;
    return form == 0   ? tl_tape_svg(tape, NULL, err)
           : form == 1 ? tl_tape_dot(tape, NULL, err)
           : form == 2 ? tl_tape_latex(tape, NULL, err)
                       : tl_tape_text(tape, &o);
}

Test(draw_scopes, every_allocation_may_fail, .timeout = 300)
{
    tl_tape *tape = two_scans(2);
    for (int form = 0; form < 5; form++) {
        char *want = made(tape, form, NULL), *got = NULL;
        cr_assert_not_null(want);
        long n = 0;
        while (!got) {
            tl_err err = {0};
            tl__fail_after(++n);
            got = made(tape, form, &err);
            tl__fail_after(0);
            cr_assert(got || form > 2 || err.code == TL_ENOMEM, "allocation %ld: %s", n,
                      err.message);
        }
        cr_assert_gt(n, 5);
        cr_assert_str_eq(got, want);
        tl_string_free(got);
        tl_string_free(want);
    }
    tl_tape_free(tape);
}

/* u and h0 of one shape: what goes to which is known from the sweep, not from shapes. */
Test(draw_scopes, gradients_of_equal_shapes_are_told_apart)
{
    tl_tape *tape = check_tape(1);
    tl_tensor u = tl_name(check_random(tape, TL_F64, tl_shape1(1), 1), "u"),
              h0 = tl_name(check_random(tape, TL_F64, tl_shape1(1), 2), "h0"),
              xs = tl_name(check_random(tape, TL_F64, tl_shape2(3, 1), 3), "xs");
    const tl_scan s = tl_scan_open(tape, 3, NULL);
    const tl_tensor h = tl_name(tl_scan_carry(s, h0), "h"),
                    n = tl_name(tl_tanh(tl_add(tl_mul(u, h), tl_scan_each(s, xs))), "n");
    tl_scan_next(s, h, n);
    tl_scan_close(s);
    const tl_tensor loss = tl_sum_all(tl_scan_last(s, h)), by[] = {u, h0, xs};
    tl_tensor g[3];
    cr_assert_eq(tl_grad(1, &loss, NULL, 3, by, g), TL_OK);
    char *svg = tl_tape_svg(tape, NULL, NULL);
    cr_expect(strstr(svg, ">du<") && strstr(svg, ">sum of 3<"), "%s", svg);
    cr_expect(strstr(svg, ">dxs<") && strstr(svg, ">of 3 steps<"), "%s", svg);
    cr_expect(strstr(svg, "u: \xce\xb4\xc2\xb7(1-n\xc2\xb7n)\xc2\xb7h0<"), "%s", svg);
    cr_expect(strstr(svg, "h0: \xce\xb4\xc2\xb7(1-n\xc2\xb7n)\xc2\xb7u<"), "%s", svg);
    cr_expect(strstr(svg, "n[1]: \xce\xb4\xc2\xb7(1-n\xc2\xb7n)\xc2\xb7u<"), "%s", svg);
    tl_string_free(svg);
    tl_print_opts o = tl_print_defaults();
    o.adjoint = 1;
    char *text = tl_tape_text(tape, &o);
    for (int k = 0; k < 3; k++) {
        static const char *const want[] = {"  -> u\n", "  -> h0\n", "  -> xs\n"};
        char line[40];
        snprintf(line, sizeof line, "%%%u = ", g[k].slot);
        const char *at = strstr(text, line), *arrow = at ? strstr(at, "  -> ") : NULL;
        cr_expect(arrow && strncmp(arrow, want[k], strlen(want[k])) == 0, "%s", text);
    }
    tl_string_free(text);
    tl_tape_free(tape);
}

Test(draw_scopes, a_formula_has_parameters_without_their_module)
{
    tl_tape *tape = check_tape(1);
    tl_params *set = tl_params_new(TL_F64);
    tl_param *w = tl_param_new(set, "net.w", tl_shape2(2, 2), NULL);
    const tl_tensor x = tl_name(check_random(tape, TL_F64, tl_shape2(1, 2), 1), "x");
    tl_name(tl_matmul(x, tl_use(tape, w)), "y");
    char *svg = tl_tape_svg(tape, NULL, NULL);
    cr_expect(strstr(svg, ">net.w<") && strstr(svg, ">x @ w<"), "%s", svg);
    tl_string_free(svg);
    tl_tape_free(tape);
    tl_params_free(set);
}
