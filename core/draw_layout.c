/* draw_layout.c -- where boxes lie: sizes, the order in a row, x in the column.
 *
 * A box and its adjoint are one above the other, in one place of the row. Boxes of a row stand in
 * the order of what they are made of. */
#include "core/drawing.h"

#include <math.h>
#include <string.h>

enum { PAD = 5, BETWEEN = 9, NARROWEST = 34 };

/* characters -- of UTF-8. */
static int characters(const char *line)
{
    int n = 0;
    for (; *line; line++)
        n += ((unsigned char)*line & 0xc0) != 0x80;
    return n;
}

static void size_box(tl_box *b)
{
    double wide = characters(b->line[0]) * TL_DRAW_PITCH * TL_DRAW_TITLE;
    for (int i = 1; i < b->nlines; i++)
        wide = fmax(wide, characters(b->line[i]) * TL_DRAW_PITCH * TL_DRAW_LINE);
    b->w = fmax(NARROWEST, ceil(wide) + 2 * PAD);
    b->h = 2 * PAD + TL_DRAW_TITLE + (b->nlines - 1) * (TL_DRAW_LINE + 2);
}

/* pull -- where the box wants to be: the mean of what it is made of in its column, -1 if nothing
 * of it is there. */
static double pull(const tl_drawing *d, uint32_t k)
{
    double sum = 0;
    int n = 0;
    for (uint32_t e = 0; e < d->nedges; e++) {
        const tl_box *from = &d->boxes[d->edges[e].from];
        if (d->edges[e].to != k || d->edges[e].kind != TL_EDGE_FORWARD ||
            from->column != d->boxes[k].column || from->row >= d->boxes[k].row)
            continue;
        sum += from->x + from->w / 2;
        n++;
    }
    return n ? sum / n : -1;
}

/* place_row -- the boxes of one row of a column, side by side; returns the width. `row` and `want`
 * have room for all. */
static double place_row(tl_drawing *d, uint32_t column, uint32_t r, uint32_t *row, double *want)
{
    uint32_t n = 0;
    for (uint32_t k = 0; k < d->nboxes; k++) {
        if (d->boxes[k].mirror != TL_NONE || d->boxes[k].column != column || d->boxes[k].row != r)
            continue;
        uint32_t i = n++;
        const double p = pull(d, k);
        for (; i > 0 && want[i - 1] > p; i--) {
            row[i] = row[i - 1];
            want[i] = want[i - 1];
        }
        row[i] = k;
        want[i] = p;
    }
    double x = 0;
    for (uint32_t i = 0; i < n; i++) {
        tl_box *b = &d->boxes[row[i]];
        b->x = x;
        x += b->w + (i + 1 < n ? BETWEEN : 0);
    }
    return x;
}

/* centre -- the row in the middle of its column. */
static void centre(tl_drawing *d, uint32_t column, uint32_t r, double shift)
{
    for (uint32_t k = 0; k < d->nboxes; k++)
        if (d->boxes[k].mirror == TL_NONE && d->boxes[k].column == column && d->boxes[k].row == r)
            d->boxes[k].x += shift;
}

static int place_columns(tl_drawing *d)
{
    double *want = tl__calloc((size_t)d->nboxes + d->nrows + 1, sizeof *want + sizeof(uint32_t));
    if (!want)
        return TL_ENOMEM;
    double *wide = want + d->nboxes;
    uint32_t *row = (uint32_t *)(wide + d->nrows + 1);
    for (uint32_t c = 0; c < d->ncolumns; c++) {
        double w = characters(d->columns[c].title) * TL_DRAW_PITCH * TL_DRAW_TITLE;
        for (int pass = 0; pass < 2; pass++) /* the second time with the rows above centred */
            for (uint32_t r = 0; r < d->nrows; r++) {
                wide[r] = place_row(d, c, r, row, want);
                w = fmax(w, wide[r]);
                if (pass)
                    centre(d, c, r, (w - wide[r]) / 2);
            }
        d->columns[c].w = w;
    }
    tl__free(want);
    return TL_OK;
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
    return tl__draw_route(d);
}
