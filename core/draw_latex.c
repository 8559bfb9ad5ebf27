/* draw_latex.c -- the drawing of draw_svg.c in TikZ: a document that pdflatex takes as it is, one
 * page of A4. It asks for nothing but tikz, geometry and the fonts of TeX itself.
 *
 * Units and places are those of the SVG: formulas are cmtt at 10pt, whose characters are a little
 * narrower than those that the layout counts with. The picture as a whole is scaled to the page. */
#include "core/drawing.h"
#include "core/utf8.h"

#include <math.h>
#include <string.h>

enum { SHORT_SIDE = 540 }; /* bp, of A4 but for 8 mm all around and some air */

/* greek -- letter of a code point, "" for the others. */
static const char *greek(uint32_t code)
{
    static const char *const small[25] = {
        "alpha", "beta",   "gamma",   "delta", "epsilon", "zeta", "eta",  "theta", "iota",
        "kappa", "lambda", "mu",      "nu",    "xi",      "",     "pi",   "rho",   "varsigma",
        "sigma", "tau",    "upsilon", "phi",   "chi",     "psi",  "omega"};
    static const char *const large[25] = {
        "",   "", "Gamma", "Delta", "", "",      "", "Theta",   "",    "", "Lambda", "",     "",
        "Xi", "", "Pi",    "",      "", "Sigma", "", "Upsilon", "Phi", "", "Psi",    "Omega"};
    if (code >= 0x3b1 && code <= 0x3c9)
        return small[code - 0x3b1];
    return code >= 0x391 && code <= 0x3a9 ? large[code - 0x391] : "";
}

/* put_beyond -- a character that is not ASCII. Letters of Latin 1 are known to every LaTeX of
 * today, Greek ones are mathematics; all others are a question mark. */
static void put_beyond(tl_text *t, uint32_t code, const char *text, int n)
{
    static const struct {
        uint32_t code;
        const char *tex;
    } sign[] = {
        {0xb7, "$\\cdot$"},  {0x2192, "$\\to$"},      {0x1d40, "$^\\top$"},
        {0xd7, "$\\times$"}, {0x2202, "$\\partial$"},
    };
    for (size_t k = 0; k < sizeof sign / sizeof *sign; k++)
        if (sign[k].code == code) {
            tl__put(t, "%s", sign[k].tex);
            return;
        }
    const int is_foreign = code == 0xd0 || code == 0xde || code == 0xf0 || code == 0xf7 ||
                           code == 0xfe; /* eth and thorn are not in TeX's own fonts */
    if (greek(code)[0])
        tl__put(t, "$\\%s$", greek(code));
    else if (code >= 0xc0 && code <= 0xff && !is_foreign)
        tl__put(t, "%.*s", n, text);
    else
        tl__put(t, "?");
}

/* put_latex -- text with what TeX would take for its own; - and ` in braces, or two of them would
 * be one sign. */
static void put_latex(tl_text *t, const char *text)
{
    static const struct {
        char is;
        const char *tex;
    } sign[] = {
        {'\\', "$\\backslash$"},
        {'{', "$\\{$"},
        {'}', "$\\}$"},
        {'$', "\\char36{}"}, /* a "\$" may be of another font */
        {'&', "\\&"},
        {'#', "\\#"},
        {'_', "\\_"},
        {'%', "\\%"},
        {'^', "\\^{}"},
        {'~', "\\~{}"},
        {'<', "$<$"},
        {'>', "$>$"},
        {'|', "$|$"},
        {'"', "{''}"},
        {'-', "{-}"},
        {'`', "{`}"},
        {'\'', "{'}"},
    };
    while (*text) {
        const char *tex = NULL;
        uint32_t code;
        const int n = tl__utf8_next(text, strlen(text), &code);
        for (size_t k = 0; k < sizeof sign / sizeof *sign; k++)
            tex = *text == sign[k].is ? sign[k].tex : tex;
        if (tex)
            tl__put(t, "%s", tex);
        else if (n > 1)
            put_beyond(t, code, text, n);
        else
            tl__put(t, "%c", *text);
        text += n ? n : 1;
    }
}

static void put_columns(tl_text *t, const tl_drawing *d)
{
    for (uint32_t c = 0; c < d->ncolumns; c++) {
        const tl_column *o = &d->columns[c];
        if (!o->title[0])
            continue;
        tl__put(t, "\\draw[scope] (%.1f,%.1f) rectangle (%.1f,%.1f);\n\\node[head] at (%.1f,35) {",
                o->x - 6, 40.0, o->x + o->w + 6, d->height - 24, o->x + o->w / 2);
        put_latex(t, o->title);
        tl__put(t, "};\n");
    }
}

static void put_nests(tl_text *t, const tl_drawing *d)
{
    for (uint32_t k = 0; k < 2 * d->nnests; k++) {
        const tl_nest *n = &d->nests[k / 2];
        const int half = k % 2;
        if (n->h[half] > 0)
            tl__put(t, "\\draw[nest] (%.1f,%.1f) rectangle (%.1f,%.1f); %% scope %u\n", n->x,
                    n->y[half], n->x + n->w, n->y[half] + n->h[half], k / 2);
    }
}

static void put_nest_titles(tl_text *t, const tl_drawing *d)
{
    for (uint32_t k = 0; k < 2 * d->nnests; k++) {
        const tl_nest *n = &d->nests[k / 2];
        const int half = k % 2;
        if (!(n->h[half] > 0))
            continue;
        tl__put(t, "\\node[title] at (%.1f,%.1f) {", n->label[half], tl__draw_title_y(n, half));
        put_latex(t, n->title);
        tl__put(t, "};\n");
    }
}

static void put_box(tl_text *t, const tl_drawing *d, uint32_t k)
{
    const tl_box *b = &d->boxes[k];
    const int is_leaf = d->tape->nodes[d->vertices[b->root].slot].op->kind == TL_LEAF;
    const char *style = b->mirror != TL_NONE ? "adjoint" : is_leaf ? "leaf" : "forward";
    tl__put(t, "\\draw[%s] (%.1f,%.1f) rectangle (%.1f,%.1f); %% box %u\n", style, b->x, b->y,
            b->x + b->w, b->y + b->h, k);
    for (int i = 0; i < b->nlines; i++) {
        tl__put(t, "\\node[%s] at (%.1f,%.1f) {", i ? "line" : "name", b->x + b->w / 2,
                b->y + 5 + TL_DRAW_LINE + i * (TL_DRAW_LINE + 2) - (i ? 0.0 : 0.5));
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

static void put_head(tl_text *t, const tl_drawing *d)
{
    double w, h;
    const int is_high = tl__draw_page(d, &w, &h);
    tl__put(t,
            "\\documentclass{article}\n"
            "\\usepackage[a4paper,%smargin=8mm,nohead,nofoot]{geometry}\n",
            is_high ? "" : "landscape,");
    tl__put(t, "\\usepackage{tikz}\n"
               "\\definecolor{ink}{HTML}{1F4E79}\n\\definecolor{back}{HTML}{A8321E}\n"
               "\\definecolor{inkfill}{HTML}{E3EEF8}\n\\definecolor{backfill}{HTML}{FBE9E4}\n"
               "\\pagestyle{empty}\\frenchspacing\n\\setlength\\parindent{0pt}\\topskip=0pt\n"
               "\\begin{document}\n");
    tl__put(t,
            "\\centering\\vspace*{\\fill}\n\\scalebox{%.4f}{%%\n"
            "\\begin{tikzpicture}[x=1bp,y=-1bp,line width=.7bp,\n"
            "  scope/.style={draw=black!20,fill=black!3},\n"
            "  nest/.style={draw=black!35,fill=black,fill opacity=.035,rounded corners=4bp},\n"
            "  forward/.style={draw=ink,fill=inkfill,rounded corners=3bp},\n"
            "  leaf/.style={draw=black!60,fill=white,rounded corners=3bp},\n"
            "  adjoint/.style={draw=back,fill=backfill,rounded corners=3bp},\n"
            "  fore/.style={draw=ink,->,>=latex,rounded corners=3bp},\n"
            "  back/.style={draw=back,->,>=latex,rounded corners=3bp},\n",
            is_high ? SHORT_SIDE / w : SHORT_SIDE / h);
    tl__put(t,
            "  every node/.style={inner sep=0pt,anchor=base},\n"
            "  name/.style={font=\\sffamily\\bfseries\\fontsize{10.95}{12}\\selectfont},\n"
            "  line/.style={font=\\ttfamily\\fontsize{10}{12}\\selectfont},\n"
            "  head/.style={line,text=black!70},\n"
            "  title/.style={line,text=black!70,anchor=base west},\n"
            "  half/.style={line,text=black!60,anchor=base west}]\n"
            "\\path (0,0) (%.1f,%.1f);\n",
            d->width, d->height);
}

static void put_halves(tl_text *t, const tl_drawing *d)
{
    if (!(d->middle + 30 < d->height))
        return;
    tl__put(t,
            "\\draw[draw=black!40,dashed] (14,%.1f) -- (%.1f,%.1f);\n"
            "\\node[half] at (16,%.1f) {forward};\n\\node[half] at (16,%.1f) {adjoint};\n",
            d->middle, d->width - 14, d->middle, d->middle - 5, d->middle + 13);
    tl__put(t,
            "\\node[half] at (16,%.1f) {$\\delta$ in a box: the gradient that comes in, all lines "
            "added up};\n",
            d->height - 6);
}

char *tl_tape_latex(const tl_tape *tape, const tl_draw_opts *opts, tl_err *err)
{
    tl_drawing d;
    tl_text t = {0};
    const int code = tl__draw_place(&d, tape, opts, "tl_tape_latex", err);
    if (!code) {
        put_head(&t, &d);
        put_columns(&t, &d);
        put_nests(&t, &d);
        put_halves(&t, &d);
        for (uint32_t e = 0; e < d.nedges; e++)
            put_line(&t, &d.edges[e]);
        put_nest_titles(&t, &d);
        for (uint32_t k = 0; k < d.nboxes; k++)
            put_box(&t, &d, k);
        tl__put(&t, "\\end{tikzpicture}}\n\\vspace*{\\fill}\n\\end{document}\n");
    }
    return tl__draw_end(&d, &t, code, "tl_tape_latex", err);
}
