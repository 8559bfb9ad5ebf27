/* test_draw.c -- tapes drawn: every node in one box, every edge once, no box on another, no line
 * through a box; what is written is well-formed. */
#include "tapeloop.h"

#include "drawtest.h"
#include "svgtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* unrolled -- T steps of a plain RNN in scopes of their own, with or without the gradient. */
static tl_tape *unrolled(int T, int with_gradient)
{
    tl_tape *tape = tl_tape_new(NULL);
    static const double v[9] = {.1, .2, .3, .4, .5, .6, .7, .8, .9};
    tl_tensor U = tl_name(tl_input_f64(tape, tl_shape2(3, 3), v), "U"), g;
    tl_tensor h = tl_name(tl_zeros(tape, TL_F64, tl_shape2(1, 3)), "h0");
    for (int t = 1; t <= T; t++) {
        char text[32];
        snprintf(text, sizeof text, "t = %d", t);
        tl_scope_open(tape, text);
        tl_tensor x = tl_name(tl_input_f64(tape, tl_shape2(1, 3), v), "x");
        tl_tensor a = tl_name(tl_add(x, tl_matmul_t(h, 0, U, 1)), "a");
        tl_tensor q = tl_name(tl_mul(tl_tanh(a), tl_sigmoid(a)), "q");
        h = tl_name(tl_add(q, a), "h"); /* the line from a has to go around q */
        tl_scope_close(tape);
    }
    tl_tensor loss = tl_name(tl_sum_all(tl_mul(h, h)), "L");
    if (with_gradient)
        cr_assert_eq(tl_grad(1, &loss, NULL, 1, &U, &g), TL_OK);
    return tape;
}

/* scanned -- the same as a scan. */
static tl_tape *scanned(int64_t T)
{
    tl_tape *tape = tl_tape_new(NULL);
    static const double v[9] = {.1, .2, .3, .4, .5, .6, .7, .8, .9};
    tl_tensor U = tl_name(tl_input_f64(tape, tl_shape2(3, 3), v), "U"), g;
    tl_tensor xs = tl_name(tl_zeros(tape, TL_F64, tl_shape3(T, 1, 3)), "xs");
    tl_scan s = tl_scan_open(tape, T, NULL);
    tl_tensor h = tl_name(tl_scan_carry(s, tl_zeros(tape, TL_F64, tl_shape2(1, 3))), "h");
    tl_tensor a = tl_name(tl_add(tl_scan_each(s, xs), tl_matmul_t(h, 0, U, 1)), "a");
    tl_scan_next(s, h, tl_name(tl_tanh(a), "h'"));
    tl_scan_close(s);
    tl_tensor loss = tl_name(tl_sum_all(tl_scan_last(s, h)), "L");
    cr_assert_eq(tl_grad(1, &loss, NULL, 1, &U, &g), TL_OK);
    return tape;
}

/* nested -- scopes in scopes, one of them twice, with the gradient. */
static tl_tape *nested(void)
{
    tl_tape *tape = tl_tape_new(NULL);
    static const double v[9] = {.1, .2, .3, .4, .5, .6, .7, .8, .9};
    tl_tensor U = tl_name(tl_input_f64(tape, tl_shape2(3, 3), v), "U"), g;
    tl_tensor h = tl_name(tl_input_f64(tape, tl_shape2(1, 3), v), "x");
    tl_scope_open(tape, "net");
    for (int k = 0; k < 2; k++) {
        tl_scope_open(tape, "cell");
        tl_tensor z = tl_name(tl_matmul(h, U), "z");
        tl_tensor b = tl_name(tl_input_f64(tape, tl_shape1(3), v), "b"); /* used in two places */
        tl_scope_open(tape, "gates");
        tl_tensor i = tl_name(tl_sigmoid(tl_add(z, b)), "i");
        tl_tensor o = tl_name(tl_tanh(tl_mul(z, b)), "o");
        tl_scope_close(tape);
        h = tl_name(tl_mul(i, o), "h");
        tl_scope_close(tape);
        h = tl_name(tl_tanh(tl_add(h, z)), "y");
        tl_scope_open(tape, "a scope with a name that is wider than all that is in it");
        h = tl_name(tl_mul(h, h), "n");
        tl_scope_close(tape);
    }
    tl_scope_close(tape);
    tl_scope_open(tape, "loss");
    tl_tensor loss = tl_name(tl_sum_all(h), "L");
    tl_scope_close(tape);
    cr_assert_eq(tl_grad(1, &loss, NULL, 1, &U, &g), TL_OK);
    return tape;
}

Test(draw, boxes_and_lines_are_where_they_should_be)
{
    for (int detail = 0; detail < 2; detail++)
        for (int T = 1; T <= 4; T++) {
            tl_draw_opts o = tl_draw_defaults();
            o.detail = detail;
            tl_tape *tape = unrolled(T, 1);
            hold_drawing(tape, &o);
            o.adjoint = 0;
            hold_drawing(tape, &o);
            tl_tape_free(tape);
            tape = scanned(T);
            o.adjoint = 1;
            hold_drawing(tape, &o);
            o.unroll = 0;
            hold_drawing(tape, &o);
            tl_tape_free(tape);
            tape = nested();
            hold_drawing(tape, &o);
            o.from = (uint32_t)(2 * T);
            hold_drawing(tape, &o);
            tl_tape_free(tape);
        }
}

Test(draw, svg_has_each_box_and_line_once)
{
    tl_tape *tape = unrolled(3, 1);
    tl_drawing d;
    tl_err err;
    char *svg = tl_tape_svg(tape, NULL, &err), text[60];
    cr_assert_not_null(svg);
    svg_hold_balanced(svg);
    cr_assert_eq(tl__draw_open(&d, tape, NULL, "drawing", &err), TL_OK);
    int adjoint = 0;
    for (uint32_t k = 0; k < d.nboxes; k++) {
        adjoint += d.boxes[k].mirror != TL_NONE;
        snprintf(text, sizeof text, "<g class=\"%s\" data-box=\"%u\">",
                 d.boxes[k].mirror != TL_NONE                                        ? "adjoint"
                 : tape->nodes[d.vertices[d.boxes[k].root].slot].op->kind == TL_LEAF ? "leaf"
                                                                                     : "forward",
                 k);
        cr_assert_eq(svg_count(svg, text), 1, "%s", text);
    }
    cr_assert_eq(svg_count(svg, "class=\"adjoint\""), adjoint);
    for (uint32_t e = 0; e < d.nedges; e++) {
        snprintf(text, sizeof text, "data-edge=\"%u-%u\"", d.edges[e].from, d.edges[e].to);
        cr_assert_eq(svg_count(svg, text), d.edges[e].kind != TL_EDGE_READ, "%s", text);
    }
    tl__draw_close(&d);
    tl_string_free(svg);
    tl_tape_free(tape);
}

Test(draw, boxes_say_what_they_compute)
{
    tl_tape *tape = unrolled(2, 1);
    char *svg = tl_tape_svg(tape, NULL, NULL);
    cr_assert(strstr(svg, ">x + h @ U\xe1\xb5\x80<"), "%s", svg);
    cr_assert(strstr(svg, ">tanh(a)\xc2\xb7\xcf\x83(a)<"), "%s", svg);
    cr_assert(strstr(svg, "U: \xce\xb4\xe1\xb5\x80 @ h<"), "%s", svg);
    cr_assert(strstr(svg, ">sum of 2<"), "%s", svg);
    tl_string_free(svg);
    tl_tape_free(tape);
}

Test(draw, a_scan_is_steps_or_one_box)
{
    tl_tape *tape = scanned(3);
    tl_draw_opts o = tl_draw_defaults();
    char *svg = tl_tape_svg(tape, &o, NULL);
    cr_assert(strstr(svg, "scan, t = 0") && strstr(svg, "scan, t = 2"), "%s", svg);
    cr_assert(!strstr(svg, "scan, 3 steps"), "%s", svg);
    cr_assert(strstr(svg, ">xs[1] + h&#39;[0] @ U"), "%s", svg);
    cr_assert(strstr(svg, ">dU<") && strstr(svg, ">sum of 3<"), "summed over the steps: %s", svg);
    tl_string_free(svg);
    o.unroll = 2;
    svg = tl_tape_svg(tape, &o, NULL);
    cr_assert(!strstr(svg, "t = 0") && strstr(svg, "scan, 3 steps"), "%s", svg);
    tl_string_free(svg);
    tl_tape_free(tape);
}

/* hold_latex -- braces, dollars and environments are closed, in order; no character that TeX has
 * its own use for stands in a node's text but as a command of ours. */
static void hold_latex(const char *tex)
{
    char open[8][24];
    int depth = 0, braces = 0, dollars = 0;
    for (const char *at = tex; *at; at++) {
        if (*at == '\\' && (at[1] == '{' || at[1] == '}' || at[1] == '%')) {
            at++;
        } else if (strncmp(at, "\\begin{", 7) == 0 || strncmp(at, "\\end{", 5) == 0) {
            const int is_end = at[1] == 'e', n = (int)strcspn(at + (is_end ? 5 : 7), "}");
            const char *name = at + (is_end ? 5 : 7);
            if (is_end) {
                cr_assert(depth > 0 && (int)strlen(open[depth - 1]) == n &&
                              strncmp(open[depth - 1], name, (size_t)n) == 0,
                          "%.40s", at);
                depth--;
            } else {
                cr_assert_lt(depth, 8);
                snprintf(open[depth++], sizeof open[0], "%.*s", n, name);
            }
            at = name + n;
        } else if (*at == '%') { /* a comment */
            at += strcspn(at, "\n") - 1;
        } else {
            braces += (*at == '{') - (*at == '}');
            dollars += *at == '$';
            cr_assert(braces >= 0 && !strchr("#&~\"\t", *at), "%.40s", at);
        }
        if (*at == '\n')
            cr_assert_eq(dollars % 2, 0, "before %.60s", at);
        if (*at == '\\' && strchr("#&~^_\\", at[1]))
            at++;
    }
    cr_assert_eq(depth, 0);
    cr_assert_eq(braces, 0);
}

Test(draw, scopes_in_scopes)
{
    tl_tape *tape = nested();
    tl_drawing d;
    cr_assert_eq(tl__draw_open(&d, tape, NULL, "drawing", NULL), TL_OK);
    cr_assert_eq(d.nnests, 6, "twice: cell, gates in it, and the wide one: %u", d.nnests);
    cr_assert(strcmp(d.nests[1].title, "gates") == 0 && d.nests[1].parent == 0);
    cr_assert(strcmp(d.nests[2].title, "cell") != 0 && d.nests[2].parent == TL_NONE);
    for (uint32_t k = 0; k < 6; k++)
        cr_assert(k < 3 || d.nests[k].top > d.nests[k - 3].bottom, "%u: one after the other", k);
    for (uint32_t k = 0; k < d.nboxes; k++) /* the loss beside the end of what it is of */
        cr_assert(d.columns[d.boxes[k].column].title[0] != 'l' || d.boxes[k].row + 1 == d.nrows);
    tl__draw_close(&d);
    char *svg = tl_tape_svg(tape, NULL, NULL), *tex = tl_tape_latex(tape, NULL, NULL), text[40];
    char *dot = tl_tape_dot(tape, NULL, NULL);
    svg_hold_balanced(svg);
    cr_assert_eq(svg_count(svg, ">gates<"), 4, "in both halves");
    cr_assert_eq(svg_count(dot, "label=\"gates\""), 4);
    cr_assert_eq(svg_count(dot, "subgraph"), svg_count(dot, "\n  }"), "%s", dot);
    cr_assert_eq(svg_count(dot, "subgraph"), 2 * (6 + 2), "and two columns: %s", dot);
    cr_assert_eq(svg_count(tex, " {gates};"), 4);
    for (uint32_t k = 0; k < 6; k++) {
        snprintf(text, sizeof text, "data-nest=\"%u\"", k);
        cr_assert_eq(svg_count(svg, text), 2, "%s", text);
        snprintf(text, sizeof text, "%% scope %u\n", k);
        cr_assert_eq(svg_count(tex, text), 2, "%s", text);
    }
    tl_string_free(dot);
    tl_string_free(svg);
    tl_string_free(tex);
    tl_tape_free(tape);
}

Test(draw, a_page_stands_or_lies)
{
    tl_tape *tape = nested();
    char *svg = tl_tape_svg(tape, NULL, NULL), *tex = tl_tape_latex(tape, NULL, NULL);
    cr_assert(strstr(svg, "width=\"210mm\" height=\"297mm\"") && !strstr(tex, "landscape"));
    tl_string_free(svg);
    tl_string_free(tex);
    tl_tape_free(tape);
    tape = unrolled(3, 1);
    svg = tl_tape_svg(tape, NULL, NULL);
    tex = tl_tape_latex(tape, NULL, NULL);
    cr_assert(strstr(svg, "width=\"297mm\" height=\"210mm\"") && strstr(tex, "landscape"));
    tl_string_free(svg);
    tl_string_free(tex);
    tl_tape_free(tape);
}

Test(draw, names_are_escaped)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scope_open(tape, "<&>_#%");
    tl_name(tl_zeros(tape, TL_F64, tl_shape1(2)), "a<b>&\"c\"\\_{$%");
    tl_name(tl_zeros(tape, TL_F64, tl_shape1(2)), "}~^#|`--'");
    tl_scope_close(tape);
    char *svg = tl_tape_svg(tape, NULL, NULL), *dot = tl_tape_dot(tape, NULL, NULL);
    char *tex = tl_tape_latex(tape, NULL, NULL);
    svg_hold_balanced(svg);
    hold_latex(tex);
    cr_assert(strstr(svg, "a&#60;b&#62;&#38;&#34;c&#34;\\_{$%"), "%s", svg);
    cr_assert(strstr(dot, "label=\"a<b>&\\\"c\\\"\\\\_{$%"), "%s", dot);
    cr_assert(strstr(tex, "{a$<$b$>$\\&{''}c{''}$\\backslash$\\_$\\{$\\char36{}\\%};"), "%s", tex);
    cr_assert(strstr(tex, "{$\\}$\\~{}\\^{}\\#$|${`}{-}{-}{'}};"), "%s", tex);
    cr_assert(strstr(tex, "{$<$\\&$>$\\_\\#\\%};"), "%s", tex);
    tl_string_free(svg);
    tl_string_free(dot);
    tl_string_free(tex);
    tl_tape_free(tape);
}

Test(draw, letters_beyond_ascii)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_name(tl_zeros(tape, TL_F64, tl_shape1(2)), "\xc3\xa9\xce\xb8\xce\x93\xe6\xbc\xa2");
    tl_name(tl_zeros(tape, TL_F64, tl_shape1(2)), "a\xff\x01\n\xe6\xbc");
    char *svg = tl_tape_svg(tape, NULL, NULL), *dot = tl_tape_dot(tape, NULL, NULL);
    char *tex = tl_tape_latex(tape, NULL, NULL);
    hold_latex(tex);
    cr_assert(strstr(svg, ">\xc3\xa9\xce\xb8\xce\x93\xe6\xbc\xa2<"), "%s", svg);
    cr_assert(strstr(tex, "{\xc3\xa9$\\theta$$\\Gamma$?};"), "%s", tex);
    cr_assert(strstr(svg, ">a????"
                          "?<"),
              "%s", svg); /* no file is broken by a broken name */
    cr_assert(strstr(dot, "label=\"a?????\\n"), "%s", dot);
    cr_assert(strstr(tex, "{a?????};"), "%s", tex);
    tl_string_free(svg);
    tl_string_free(dot);
    tl_string_free(tex);
    tl_tape_free(tape);
}

Test(draw, a_latex_document_has_all_it_needs)
{
    tl_tape *tape[4] = {unrolled(3, 1), scanned(20), tl_tape_new(NULL), nested()};
    for (int k = 0; k < 4; k++) {
        char *tex = tl_tape_latex(tape[k], NULL, NULL);
        hold_latex(tex);
        cr_assert_eq(svg_count(tex, "\\usepackage"), 2, "tikz, geometry: what every TeX has");
        cr_assert_eq(strncmp(tex, "\\documentclass{article}\n", 24), 0, "%s", tex);
        for (const char *at = tex; (at = strchr(at, '\\')); at++) {
            char style[32]; /* is one of those that the head declares */
            const int is_style = !strncmp(at, "\\draw[", 6) || !strncmp(at, "\\node[", 6);
            snprintf(style, sizeof style, "%.*s/.style=", (int)strcspn(at + 6, ",]"), at + 6);
            cr_assert(!is_style || strstr(tex, style) || strncmp(style, "draw=", 5) == 0, "%s",
                      style);
        }
        tl_string_free(tex);
        tl_tape_free(tape[k]);
    }
}

Test(draw, dot_and_latex_have_all_boxes)
{
    tl_tape *tape = unrolled(2, 1);
    tl_drawing d;
    tl_err err;
    tl_draw_opts o = tl_draw_defaults();
    o.reads = 1;
    cr_assert_eq(tl__draw_open(&d, tape, NULL, "drawing", &err), TL_OK);
    char *dot = tl_tape_dot(tape, &o, NULL), *tex = tl_tape_latex(tape, NULL, NULL), text[40];
    for (uint32_t k = 0; k < d.nboxes; k++) {
        snprintf(text, sizeof text, "  b%u [label", k);
        cr_assert_eq(svg_count(dot, text), 1);
        snprintf(text, sizeof text, "%% box %u\n", k);
        cr_assert_eq(svg_count(tex, text), 1);
    }
    for (uint32_t e = 0; e < d.nedges; e++) {
        snprintf(text, sizeof text, "  b%u -> b%u [", d.edges[e].from, d.edges[e].to);
        cr_assert_eq(svg_count(dot, text), 1);
    }
    cr_assert_eq(svg_count(dot, "{"), svg_count(dot, "}"));
    cr_assert_eq(svg_count(dot, "subgraph"), 4, "two scopes, forward and adjoint: %s", dot);
    tl_string_free(dot);
    dot = tl_tape_dot(tape, NULL, NULL);
    for (uint32_t e = 0; e < d.nedges; e++) {
        snprintf(text, sizeof text, "  b%u -> b%u [", d.edges[e].from, d.edges[e].to);
        cr_assert_eq(svg_count(dot, text), d.edges[e].kind != TL_EDGE_READ);
    }
    tl__draw_close(&d);
    tl_string_free(dot);
    tl_string_free(tex);
    tl_tape_free(tape);
}

Test(draw, empty_and_broken_tapes)
{
    tl_tape *tape = tl_tape_new(NULL);
    char *svg = tl_tape_svg(tape, NULL, NULL);
    svg_hold_balanced(svg);
    tl_string_free(svg);
    tl_draw_opts o = tl_draw_defaults();
    tl_tensor x = tl_zeros(tape, TL_F64, tl_shape1(2));
    o.from = tl_tape_mark(tape);
    tl_tanh(tl_add(x, x)); /* its operand lies before the part that is drawn */
    hold_drawing(tape, &o);
    tl_matmul(x, tl_zeros(tape, TL_F64, tl_shape1(3))); /* an error: what there is is drawn */
    cr_assert_neq(tl_tape_status(tape), TL_OK);
    hold_drawing(tape, NULL);
    tl_tape_free(tape);
}
