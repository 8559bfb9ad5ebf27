/* draw_latex.c -- the drawing of draw_svg.c in TikZ, a standalone document for pdflatex. */
#include "core/drawing.h"

#include <string.h>

/* put_latex -- text with what TeX would take for its own, and the few characters that formulas are
 * made of beside ASCII; others are a question mark, since pdflatex may not know them. */
static void put_latex(tl_text *t, const char *text)
{
    static const struct {
        const char *is, *tex;
    } sign[] = {
        {"\\", "\\textbackslash{}"},
        {"{", "\\{"},
        {"}", "\\}"},
        {"$", "\\$"},
        {"&", "\\&"},
        {"#", "\\#"},
        {"_", "\\_"},
        {"%", "\\%"},
        {"^", "\\textasciicircum{}"},
        {"~", "\\textasciitilde{}"},
        {"<", "$<$"},
        {">", "$>$"},
        {"\"", "''"},
        {"\xc2\xb7", "$\\cdot$"},
        {"\xcf\x83", "$\\sigma$"},
        {"\xce\xb4", "$\\delta$"},
        {"\xe2\x86\x92", "$\\to$"},
        {"\xe1\xb5\x80", "$^\\top$"},
    };
    while (*text) {
        size_t n = 0;
        for (size_t k = 0; k < sizeof sign / sizeof *sign && !n; k++)
            if (strncmp(text, sign[k].is, strlen(sign[k].is)) == 0) {
                tl__put(t, "%s", sign[k].tex);
                n = strlen(sign[k].is);
            }
        if (!n) {
            const int plain = (unsigned char)*text >= 32 && (unsigned char)*text < 127;
            tl__put(t, "%c", plain ? *text : '?');
            for (n = 1; ((unsigned char)text[n] & 0xc0) == 0x80;)
                n++;
        }
        text += n;
    }
}

static void put_columns(tl_text *t, const tl_drawing *d)
{
    for (uint32_t c = 0; c < d->ncolumns; c++) {
        const tl_column *o = &d->columns[c];
        if (!o->title[0])
            continue;
        tl__put(t,
                "\\draw[scope] (%.1f,%.1f) rectangle (%.1f,%.1f);\n\\node[font=\\small] at "
                "(%.1f,30) {",
                o->x - 6, 40.0, o->x + o->w + 6, d->height - 24, o->x + o->w / 2);
        put_latex(t, o->title);
        tl__put(t, "};\n");
    }
}

static void put_box(tl_text *t, const tl_drawing *d, uint32_t k)
{
    const tl_box *b = &d->boxes[k];
    const char *style = b->mirror != TL_NONE ? "adjoint" : "forward";
    tl__put(t, "\\draw[%s] (%.1f,%.1f) rectangle (%.1f,%.1f); %% box %u\n", style, b->x, b->y,
            b->x + b->w, b->y + b->h, k);
    for (int i = 0; i < b->nlines; i++) {
        tl__put(t, "\\node[%s] at (%.1f,%.1f) {", i ? "line" : "name", b->x + b->w / 2,
                b->y + 5 + TL_DRAW_LINE / 2 + i * (TL_DRAW_LINE + 2));
        put_latex(t, b->line[i]);
        tl__put(t, "};\n");
    }
}

static void put_line(tl_text *t, const tl_edge *e)
{
    if (e->npoints == 0)
        return;
    tl__put(t, "\\draw[%s]", e->kind == TL_EDGE_ADJOINT ? "back" : "fore");
    for (int i = 0; i < e->npoints; i++)
        tl__put(t, "%s(%.1f,%.1f)", i ? " -- " : " ", e->x[i], e->y[i]);
    tl__put(t, ";\n");
}

char *tl_tape_latex(const tl_tape *tape, const tl_draw_opts *opts, tl_err *err)
{
    tl_drawing d;
    tl_text t = {0};
    if (!tape) {
        tl__fail(err, TL_EINVAL, "tl_tape_latex: no tape");
        return NULL;
    }
    int code = tl__draw_open(&d, tape, opts, err);
    if (!code && tl__draw_layout(&d))
        code = tl__fail(err, TL_ENOMEM, "tl_tape_latex: no memory to place %u boxes", d.nboxes);
    if (!code) {
        tl__put(&t,
                "\\documentclass[tikz,border=4mm]{standalone}\n\\definecolor{ink}{HTML}{1f4e79}\n"
                "\\definecolor{back}{HTML}{a8321e}\n\\begin{document}\n"
                "\\begin{tikzpicture}[x=0.8pt,y=-0.8pt,\n"
                "  scope/.style={draw=black!20,fill=black!3},\n"
                "  forward/.style={draw=ink,fill=ink!10,rounded corners=2pt},\n"
                "  adjoint/.style={draw=back,fill=back!10,rounded corners=2pt},\n"
                "  fore/.style={draw=ink,->,>=latex,rounded corners=2pt},\n"
                "  back/.style={draw=back,->,>=latex,rounded corners=2pt},\n"
                "  every node/.style={inner sep=0pt},\n"
                "  name/.style={font=\\ttfamily\\bfseries\\fontsize{8}{9}\\selectfont},\n"
                "  line/.style={font=\\ttfamily\\fontsize{7}{8}\\selectfont}]\n");
        put_columns(&t, &d);
        for (uint32_t e = 0; e < d.nedges; e++)
            put_line(&t, &d.edges[e]);
        for (uint32_t k = 0; k < d.nboxes; k++)
            put_box(&t, &d, k);
        tl__put(&t, "\\end{tikzpicture}\n\\end{document}\n");
    }
    tl__draw_close(&d);
    return code ? NULL : tl__text_end(&t);
}
