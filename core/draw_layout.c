/* draw_layout.c -- where boxes lie: sizes, the order in a row, x in the column.
 *
 * A box and its adjoint are one above the other, in one place of the row. Boxes of a row stand in
 * the order of what they are made of; a nested scope is laid out first and then is as a box of
 * several rows in the scope around it. */
#include "core/drawing.h"

#include <math.h>
#include <string.h>

enum { PAD = 5, BETWEEN = 9, NARROWEST = 34 };

int tl__draw_characters(const char *line)
{
    int n = 0;
    for (; *line; line++)
        n += ((unsigned char)*line & 0xc0) != 0x80;
    return n;
}

static void size_box(tl_box *b)
{
    double wide = tl__draw_characters(b->line[0]) * TL_DRAW_PITCH * TL_DRAW_TITLE;
    for (int i = 1; i < b->nlines; i++)
        wide = fmax(wide, tl__draw_characters(b->line[i]) * TL_DRAW_PITCH * TL_DRAW_LINE);
    b->w = fmax(NARROWEST, ceil(wide) + 2 * PAD);
    b->h = 2 * PAD + TL_DRAW_TITLE + (b->nlines - 1) * (TL_DRAW_LINE + 2);
}

/* tl_part -- what is placed: a box, or a nested scope with all that is in it. */
typedef struct tl_part {
    uint32_t nest, box; /* box only if nest is TL_NONE */
    uint32_t top, bottom;
    double w, want;
} tl_part;

/* tl_scope -- whose parts are placed: a nested scope, or a column. All arrays have room for all. */
typedef struct tl_scope {
    tl_drawing *d;
    uint32_t column, nest;
    tl_part *parts, *band; /* all parts; those that are being placed, in order */
    uint32_t nparts, nband;
    double *ends; /* [nrows] where the row ends so far */
} tl_scope;

static double *x_of(const tl_scope *s, const tl_part *p)
{
    return p->nest == TL_NONE ? &s->d->boxes[p->box].x : &s->d->nests[p->nest].x;
}

/* is_of -- whether a box of the column is, or lies in, the part. */
static int is_of(const tl_drawing *d, uint32_t k, const tl_part *p)
{
    uint32_t nest = d->boxes[k].nest;
    if (p->nest == TL_NONE)
        return k == p->box;
    while (nest != TL_NONE && nest != p->nest)
        nest = d->nests[nest].parent;
    return nest == p->nest;
}

/* x_in -- the middle of a box, from the left end of the scope; -1 if it is elsewhere. */
static double x_in(const tl_scope *s, uint32_t k)
{
    const tl_drawing *d = s->d;
    double x = d->boxes[k].x + d->boxes[k].w / 2;
    uint32_t nest = d->boxes[k].nest;
    for (; nest != TL_NONE && nest != s->nest; nest = d->nests[nest].parent)
        x += d->nests[nest].x;
    return nest == s->nest && d->boxes[k].column == s->column ? x : -1;
}

/* pull -- where the part wants to be: the mean of what it is made of in the scope, -1 if nothing of
 * it is there. */
static double pull(const tl_scope *s, const tl_part *p)
{
    const tl_drawing *d = s->d;
    double sum = 0;
    int n = 0;
    for (uint32_t e = 0; e < d->nedges; e++) {
        const uint32_t from = d->edges[e].from, to = d->edges[e].to;
        if (d->edges[e].kind != TL_EDGE_FORWARD || !is_of(d, to, p) || is_of(d, from, p) ||
            d->boxes[from].row >= p->top)
            continue;
        const double x = x_in(s, from);
        sum += x < 0 ? 0 : x;
        n += x >= 0;
    }
    return n ? sum / n : -1;
}

static void gather(tl_scope *s)
{
    const tl_drawing *d = s->d;
    s->nparts = 0;
    for (uint32_t k = 0; k < d->nboxes; k++) {
        const tl_box *b = &d->boxes[k];
        if (b->mirror == TL_NONE && b->column == s->column && b->nest == s->nest)
            s->parts[s->nparts++] = (tl_part){TL_NONE, k, b->row, b->row, b->w, 0};
    }
    for (uint32_t k = 0; k < d->nnests; k++) {
        const tl_nest *n = &d->nests[k];
        if (n->column == s->column && n->parent == s->nest)
            s->parts[s->nparts++] = (tl_part){k, 0, n->top, n->bottom, n->w, 0};
    }
}

static int is_before(const tl_part *a, const tl_part *b)
{
    return a->top < b->top || (a->top == b->top && a->want < b->want);
}

/* place_band -- the parts of rows [top, bottom], which nested scopes tie together, side by side;
 * returns the width. */
static double place_band(tl_scope *s, uint32_t top, uint32_t bottom)
{
    double wide = 0;
    s->nband = 0;
    for (uint32_t k = 0; k < s->nparts; k++) {
        tl_part p = s->parts[k];
        if (p.top < top || p.top > bottom)
            continue;
        p.want = pull(s, &p);
        uint32_t i = s->nband++;
        for (; i > 0 && is_before(&p, &s->band[i - 1]); i--)
            s->band[i] = s->band[i - 1];
        s->band[i] = p;
    }
    for (uint32_t r = top; r <= bottom; r++)
        s->ends[r] = 0;
    for (uint32_t i = 0; i < s->nband; i++) {
        const tl_part *p = &s->band[i];
        double x = 0;
        for (uint32_t r = p->top; r <= p->bottom; r++)
            x = fmax(x, s->ends[r]);
        *x_of(s, p) = x;
        for (uint32_t r = p->top; r <= p->bottom; r++)
            s->ends[r] = x + p->w + BETWEEN;
        wide = fmax(wide, x + p->w);
    }
    return wide;
}

/* band_end -- the last row that nested scopes tie to this one. */
static uint32_t band_end(const tl_scope *s, uint32_t row)
{
    for (int grown = 1; grown;) {
        grown = 0;
        for (uint32_t k = 0; k < s->nparts; k++)
            if (s->parts[k].top <= row && s->parts[k].bottom > row) {
                row = s->parts[k].bottom;
                grown = 1;
            }
    }
    return row;
}

/* place_scope -- the parts of a scope, band by band, each in the middle; `least`: no narrower.
 * Returns the width. */
static double place_scope(tl_scope *s, double least, double left)
{
    double w = least;
    gather(s);
    for (int pass = 0; pass < 2; pass++) /* the second time with the bands above centred */
        for (uint32_t top = 0; top < s->d->nrows;) {
            const uint32_t bottom = band_end(s, top);
            const double wide = place_band(s, top, bottom);
            w = fmax(w, wide); /* in the second pass, too: another order may be wider */
            for (uint32_t i = 0; i < s->nband; i++)
                *x_of(s, &s->band[i]) += pass ? left + (w - wide) / 2 : left;
            top = bottom + 1;
        }
    return w;
}

static double title_width(const char *title, double size)
{
    return tl__draw_characters(title) * TL_DRAW_PITCH * size;
}

/* place_columns -- inner scopes first, since they are as wide as what is in them. */
static int place_columns(tl_drawing *d)
{
    const size_t most = (size_t)d->nboxes + d->nnests + 1;
    tl_scope s = {.d = d};
    s.parts = tl__calloc(2 * most, sizeof *s.parts);
    s.band = s.parts + most;
    s.ends = tl__calloc((size_t)d->nrows + 1, sizeof *s.ends);
    const int code = s.parts && s.ends ? TL_OK : TL_ENOMEM;
    for (uint32_t k = d->nnests; k-- > 0 && !code;) {
        tl_nest *n = &d->nests[k];
        s.column = n->column;
        s.nest = k;
        n->w = 2 * TL_DRAW_RIM + place_scope(&s, title_width(n->title, TL_DRAW_LINE), TL_DRAW_RIM);
    }
    s.nest = TL_NONE;
    for (uint32_t c = 0; c < d->ncolumns && !code; c++) {
        s.column = c;
        d->columns[c].w = place_scope(&s, title_width(d->columns[c].title, TL_DRAW_TITLE), 0);
    }
    for (uint32_t k = 0; k < d->nnests && !code; k++) /* from the column's left end, outer first */
        if (d->nests[k].parent != TL_NONE)
            d->nests[k].x += d->nests[d->nests[k].parent].x;
    for (uint32_t k = 0; k < d->nboxes && !code; k++)
        if (d->boxes[k].mirror == TL_NONE && d->boxes[k].nest != TL_NONE)
            d->boxes[k].x += d->nests[d->boxes[k].nest].x;
    tl__free(s.parts);
    tl__free(s.ends);
    return code;
}

int tl__draw_page(const tl_drawing *d, double *w, double *h)
{
    enum { SHORT = 500 }; /* of the shorter side, at least */
    const int is_high = d->height > 1.15 * d->width;
    const double across = is_high ? 210 : 297, down = is_high ? 297 : 210;
    const double unit = fmax(SHORT / 210.0, fmax(d->width / across, d->height / down));
    *w = across * unit;
    *h = down * unit;
    return is_high;
}

/* set_labels -- a nested scope's title at its left corner, or at the right one if lines come in
 * there. */
static void set_labels(tl_drawing *d, int half)
{
    for (uint32_t k = 0; k < d->nnests; k++) {
        tl_nest *n = &d->nests[k];
        const double w = tl__draw_characters(n->title) * TL_DRAW_PITCH * TL_DRAW_LINE + 4;
        const double y = half ? n->y[1] + n->h[1] - TL_DRAW_STRIP / 2 : n->y[0] + TL_DRAW_STRIP / 2;
        int hit[2] = {0, 0};
        for (uint32_t e = 0; e < d->nedges; e++)
            for (int i = 1; i < d->edges[e].npoints; i++) {
                const tl_edge *o = &d->edges[e];
                if ((o->y[i - 1] - y) * (o->y[i] - y) > 0)
                    continue;
                hit[0] += o->x[i] > n->x && o->x[i] < n->x + 4 + w;
                hit[1] += o->x[i] > n->x + n->w - 4 - w && o->x[i] < n->x + n->w;
            }
        n->label[half] = hit[1] < hit[0] ? n->x + n->w - 2 - w : n->x + 6;
    }
}

int tl__draw_layout(tl_drawing *d)
{
    for (uint32_t k = 0; k < d->nboxes; k++)
        size_box(&d->boxes[k]);
    for (uint32_t k = 0; k < d->nboxes; k++) {
        tl_box *b = &d->boxes[k];
        if (b->mirror != TL_NONE)
            b->w = d->boxes[b->mirror].w = fmax(b->w, d->boxes[b->mirror].w);
    }
    if (place_columns(d))
        return TL_ENOMEM;
    for (uint32_t k = 0; k < d->nboxes; k++) {
        tl_box *b = &d->boxes[k];
        if (b->mirror != TL_NONE)
            b->x = d->boxes[b->mirror].x;
        b->out = b->w / 2;
    }
    const int code = tl__draw_route(d);
    for (int half = 0; half < 2 && !code; half++)
        set_labels(d, half);
    return code;
}

double tl__draw_title_y(const tl_nest *n, int half)
{
    return half ? n->y[1] + n->h[1] - 4.5 : n->y[0] + TL_DRAW_STRIP - 4.5;
}
