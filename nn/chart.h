/* chart.h -- lines over time steps, in panels one below the other, as SVG. Private.
 *
 *     title                                            chart.c: title, panels
 *     panel title
 *       1 |------.          -- first line              chart_axis.c: ranges, ticks, grid
 *         |       '-----    .. second line
 *       0 +-------------        2 zeros left out
 *         0      5     10 */
#ifndef TL_NN_CHART_H
#define TL_NN_CHART_H

#include "core/prose.h"

#define TL_CHART_LINES 16

/* tl_chart_line -- a number for each step. What is not finite is left out, on a logarithmic axis
 * what is not above zero too; the legend says how many. */
typedef struct tl_chart_line {
    const char *before, *name; /* "dL/d", "h": one text; what is too long for the legend is cut */
    int64_t T;
    const double *y;    /* [T] */
    const double *down; /* [T] of a mirror panel: drawn below its middle */
} tl_chart_line;

typedef struct tl_chart_panel {
    const char *title, *unit; /* unit: along the vertical axis; of a mirror of its upper half */
    const char *down;         /* of the lower one */
    int log;
    int mirror;  /* from 1 over 0 to 1, the lines' `down` below the middle */
    double mark; /* a value with a line all the way across, NaN: none */
    int nlines;
    tl_chart_line line[TL_CHART_LINES];
} tl_chart_panel;

/* tl_chart_axis -- values low .. high at the pixels from .. to; of log these are exponents. */
typedef struct tl_chart_axis {
    int log, mirror;
    double low, high, tick;
    double from, to;
} tl_chart_axis;

/* tl__chart_svg -- to be freed with tl__free; NULL when memory is short. */
TL_API char *tl__chart_svg(const char *title, const char *subtitle, int n,
                           const tl_chart_panel *panel);

/* tl__chart_steps, tl__chart_values -- the axes that show all of them; pixels are the caller's. */
tl_chart_axis tl__chart_steps(int n, const tl_chart_panel *panel);
tl_chart_axis tl__chart_values(const tl_chart_panel *panel);
double tl__chart_place(const tl_chart_axis *a, double value);
/* tl__chart_can_show -- whether the value has a place there. */
int tl__chart_can_show(const tl_chart_axis *a, double value);

/* tl__chart_put_steps -- grid, ticks and numbers of the horizontal axis.
 * tl__chart_put_values -- of the vertical one. Both across the other one. */
void tl__chart_put_steps(tl_text *out, const tl_chart_axis *x, const tl_chart_axis *y);
void tl__chart_put_values(tl_text *out, const tl_chart_axis *y, const tl_chart_axis *x);

#endif
