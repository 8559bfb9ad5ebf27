/* draw_svg.c -- a drawing as SVG: one page of A4. */
#include "core/drawing.h"

#include <math.h>
#include <string.h>

#define INK_FORWARD "#1f4e79"
#define INK_ADJOINT "#a8321e"

static void put_columns(tl_text *t, const tl_drawing *d)
{
    for (uint32_t c = 0; c < d->ncolumns; c++) {
        const tl_column *o = &d->columns[c];
        if (!o->title[0])
            continue;
        tl__put(t, "<rect class=\"scope\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
                o->x - 6, 40.0, o->w + 12, d->height - 64);
        tl__put(t, "<text class=\"head\" x=\"%.1f\" y=\"35\">", o->x + o->w / 2);
        tl__put_xml(t, strlen(o->title), o->title);
        tl__put(t, "</text>\n");
    }
}

static void put_nests(tl_text *t, const tl_drawing *d)
{
    for (uint32_t k = 0; k < 2 * d->nnests; k++) {
        const tl_nest *n = &d->nests[k / 2];
        const int half = k % 2;
        if (n->h[half] > 0)
            tl__put(t,
                    "<rect class=\"nest\" data-nest=\"%u\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                    "height=\"%.1f\" rx=\"4\"/>\n",
                    k / 2, n->x, n->y[half], n->w, n->h[half]);
    }
}

/* put_nest_titles -- on top of lines: with a rim in the colour of what lies below. */
static void put_nest_titles(tl_text *t, const tl_drawing *d)
{
    for (uint32_t k = 0; k < 2 * d->nnests; k++) {
        const tl_nest *n = &d->nests[k / 2];
        const int half = k % 2;
        if (!(n->h[half] > 0))
            continue;
        tl__put(t, "<text class=\"scope-name\" x=\"%.1f\" y=\"%.1f\">", n->label[half],
                tl__draw_title_y(n, half));
        tl__put_xml(t, strlen(n->title), n->title);
        tl__put(t, "</text>\n");
    }
}

/* put_line -- a line with rounded corners. */
static void put_line(tl_text *t, const tl_edge *e)
{
    enum { ROUND = 3 };
    if (e->npoints == 0)
        return;
    const char *class = e->kind == TL_EDGE_ADJOINT ? "back" : "fore";
    tl__put(t, "<path class=\"%s\" data-edge=\"%u-%u\" d=\"M%.1f %.1f", class, e->from, e->to,
            e->x[0], e->y[0]);
    for (int i = 1; i < e->npoints; i++) {
        const double x = e->x[i], y = e->y[i];
        if (i + 1 == e->npoints) {
            tl__put(t, "L%.1f %.1f", x, y);
            break;
        }
        const double ax = e->x[i - 1] - x, ay = e->y[i - 1] - y;
        const double bx = e->x[i + 1] - x, by = e->y[i + 1] - y;
        const double a = hypot(ax, ay), b = hypot(bx, by);
        const double r = fmin(ROUND, fmin(a, b) / 2);
        if (r < 0.05)
            continue;
        tl__put(t, "L%.1f %.1fQ%.1f %.1f %.1f %.1f", x + ax / a * r, y + ay / a * r, x, y,
                x + bx / b * r, y + by / b * r);
    }
    tl__put(t, "\" marker-end=\"url(#%s)\"/>\n", class);
}

static void put_box(tl_text *t, const tl_drawing *d, uint32_t k)
{
    const tl_box *b = &d->boxes[k];
    const int is_leaf = d->tape->nodes[d->vertices[b->root].slot].op->kind == TL_LEAF;
    const char *class = b->mirror != TL_NONE ? "adjoint" : is_leaf ? "leaf" : "forward";
    tl__put(t,
            "<g class=\"%s\" data-box=\"%u\"><rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
            "height=\"%.1f\" rx=\"3\"/>",
            class, k, b->x, b->y, b->w, b->h);
    for (int i = 0; i < b->nlines; i++) {
        tl__put(t, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", i ? "line" : "name",
                b->x + b->w / 2,
                b->y + 5 + TL_DRAW_LINE + i * (TL_DRAW_LINE + 2) - (i ? 0.0 : 0.5));
        tl__put_xml(t, strlen(b->line[i]), b->line[i]);
        tl__put(t, "</text>");
    }
    tl__put(t, "</g>\n");
}

static void put_marker(tl_text *t, const char *name, const char *ink)
{
    tl__put(t,
            "<marker id=\"%s\" viewBox=\"0 0 6 6\" refX=\"5.5\" refY=\"3\" markerWidth=\"5\" "
            "markerHeight=\"5\" orient=\"auto\"><path d=\"M0 0L6 3L0 6z\" fill=\"%s\"/></marker>\n",
            name, ink);
}

static void put_head(tl_text *t, const tl_drawing *d)
{
    double w = d->width, h = d->height;
    const int is_high = tl__draw_page(d, &w, &h);
    tl__put(t,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%s\" height=\"%s\" "
            "viewBox=\"%.1f %.1f %.1f %.1f\">\n<style>\n",
            is_high ? "210mm" : "297mm", is_high ? "297mm" : "210mm", (d->width - w) / 2,
            (d->height - h) / 2, w, h);
    tl__put(t,
            "text{font-family:'DejaVu Sans Mono',Menlo,Consolas,monospace;text-anchor:middle;"
            "font-size:%.1fpx;fill:#222}\n"
            ".name{font-weight:bold;font-size:%.1fpx}\n.head{font-size:11px;fill:#555}\n"
            ".half{font-size:11px;fill:#777;text-anchor:start}\n",
            TL_DRAW_LINE, TL_DRAW_TITLE);
    tl__put(t, ".scope{fill:#f6f6f3;stroke:#ccc;stroke-width:.6}\n"
               ".nest{fill:#000;fill-opacity:.035;stroke:#aaa;stroke-width:.7}\n"
               ".scope-name{fill:#555;text-anchor:start;paint-order:stroke;stroke:#efefec;"
               "stroke-width:3px}\n"
               ".leaf rect{fill:#fff;stroke:#666}\n"
               ".forward rect{fill:#e3eef8;stroke:" INK_FORWARD "}\n"
               ".adjoint rect{fill:#fbe9e4;stroke:" INK_ADJOINT "}\n"
               ".fore,.back{fill:none;stroke:" INK_FORWARD ";stroke-width:.9}\n"
               ".back{stroke:" INK_ADJOINT "}\n</style>\n<defs>\n");
    put_marker(t, "fore", INK_FORWARD);
    put_marker(t, "back", INK_ADJOINT);
    tl__put(t,
            "</defs>\n<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#fff\"/>\n",
            (d->width - w) / 2, (d->height - h) / 2, w, h);
}

char *tl_tape_svg(const tl_tape *tape, const tl_draw_opts *opts, tl_err *err)
{
    tl_drawing d;
    tl_text t = {0};
    const int code = tl__draw_place(&d, tape, opts, "tl_tape_svg", err);
    if (!code) {
        put_head(&t, &d);
        put_columns(&t, &d);
        put_nests(&t, &d);
        const int both = d.middle + 30 < d.height;
        if (both)
            tl__put(&t,
                    "<path d=\"M14 %.1fH%.1f\" stroke=\"#999\" stroke-width=\".7\" "
                    "stroke-dasharray=\"4 3\"/>\n<text class=\"half\" x=\"16\" y=\"%.1f\">forward"
                    "</text>\n<text class=\"half\" x=\"16\" y=\"%.1f\">adjoint</text>\n",
                    d.middle, d.width - 14, d.middle - 5, d.middle + 13);
        tl__put(&t, "<text class=\"half\" x=\"16\" y=\"%.1f\">%s</text>\n", d.height - 6,
                both ? "\xce\xb4 in a box: the gradient that comes in, all lines added up" : "");
        for (uint32_t e = 0; e < d.nedges; e++)
            put_line(&t, &d.edges[e]);
        put_nest_titles(&t, &d);
        for (uint32_t k = 0; k < d.nboxes; k++)
            put_box(&t, &d, k);
        tl__put(&t, "</svg>\n");
    }
    return tl__draw_end(&d, &t, code, "tl_tape_svg", err);
}
