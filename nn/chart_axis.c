/* chart_axis.c -- what range is shown, and its grid. */
#include "nn/chart.h"

#include <math.h>

/* nice -- 1, 2 or 5 times a power of ten, so that at most `most` ticks span the range. */
static double nice(double range, int most)
{
    double raw = range / most, power = pow(10, floor(log10(raw))), lead = raw / power;
    return power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
}

int tl__chart_can_show(const tl_chart_axis *a, double value)
{
    return isfinite(value) && (!a->log || value > 0);
}

double tl__chart_place(const tl_chart_axis *a, double value)
{
    double at = a->log ? log10(value) : value;
    return a->from + (at - a->low) / (a->high - a->low) * (a->to - a->from);
}

tl_chart_axis tl__chart_steps(int n, const tl_chart_panel *panel)
{
    tl_chart_axis x = {0};
    int64_t last = 0;
    for (int p = 0; p < n; p++)
        for (int k = 0; k < panel[p].nlines; k++)
            last = panel[p].line[k].T - 1 > last ? panel[p].line[k].T - 1 : last;
    x.low = last ? 0 : -1; /* a single step in the middle */
    x.high = last ? (double)last : 1;
    x.tick = last ? fmax(nice(x.high, 10), 1) : 2;
    return x;
}

/* has_halves -- whether there are so few decades that 2 and 5 are labelled, too. */
static int has_halves(const tl_chart_axis *y)
{
    return y->high - y->low < 2.5;
}

static int labels_between(const tl_chart_axis *y)
{
    int n = 0;
    for (double e = floor(y->low); e <= y->high; e++)
        for (int k = 1; k < (has_halves(y) ? 6 : 2); k++)
            n += (k < 3 || k == 5) && e + log10(k) >= y->low && e + log10(k) <= y->high;
    return n;
}

/* decades -- an axis of exponents a little wider than the values, a label every 1, 2, 3, 5, 10 ...;
 * whole decades if there were less than two labels. */
static void decades(tl_chart_axis *y, double least, double most)
{
    static const int every[] = {1, 2, 3, 5, 10, 20, 50, 100};
    size_t k = 0;
    const double low = log10(least), high = log10(most), room = 0.04 * (high - low);
    y->low = low - room;
    y->high = high + room;
    if (labels_between(y) < 2) {
        y->low = floor(low);
        y->high = ceil(high);
        if (y->low >= y->high)
            y->low--, y->high++;
    }
    while (k + 1 < sizeof every / sizeof *every && (y->high - y->low) / every[k] > 8)
        k++;
    y->tick = every[k];
}

tl_chart_axis tl__chart_values(const tl_chart_panel *panel)
{
    tl_chart_axis y = {.log = panel->log, .mirror = panel->mirror};
    double least = (double)INFINITY, most = -least;
    for (int k = 0; k < panel->nlines; k++)
        for (int64_t t = 0; t < panel->line[k].T; t++) {
            double value = panel->line[k].y[t];
            if (!tl__chart_can_show(&y, value))
                continue;
            least = fmin(least, value);
            most = fmax(most, value);
        }
    if (tl__chart_can_show(&y, panel->mark)) {
        least = fmin(least, panel->mark);
        most = fmax(most, panel->mark);
    }
    if (panel->mirror) {
        y.low = -1, y.high = 1, y.tick = 0.5;
    } else if (panel->log) {
        decades(&y, most > 0 ? least : 1, most > 0 ? most : 1);
    } else {
        most = most > 0 ? most : 1;
        y.tick = nice(most * 1.04, 5);
        y.high = ceil(most * 1.04 / y.tick) * y.tick;
    }
    return y;
}

void tl__chart_put_steps(tl_text *out, const tl_chart_axis *x, const tl_chart_axis *y)
{
    for (double t = 0; t <= x->high; t += x->tick) {
        double at = tl__chart_place(x, t);
        tl__put(out,
                "<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/><text class=\"tick\" x=\"%.1f\" "
                "y=\"%.1f\" text-anchor=\"middle\">%.0f</text>\n",
                at, y->from, y->to, at, y->from + 15, t);
    }
}

/* put_number -- a tick's; of log 10 with its exponent where that is shorter. */
static void put_number(tl_text *out, const tl_chart_axis *y, double value)
{
    if (!y->log)
        tl__put(out, "%.3g", y->mirror ? fabs(value) : value);
    else if (fabs(value) < 1.5 || has_halves(y))
        tl__put(out, "%.3g", pow(10, value));
    else
        tl__put(out, "10<tspan dy=\"-5\" font-size=\"8.5\">%.0f</tspan>", value);
}

/* put_label -- a line across the picture and its number. */
static void put_label(tl_text *out, const tl_chart_axis *y, const tl_chart_axis *x, double value)
{
    double at = y->from + (value - y->low) / (y->high - y->low) * (y->to - y->from);
    tl__put(out,
            "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/><text class=\"tick\" x=\"%.1f\" "
            "y=\"%.1f\" text-anchor=\"end\">",
            x->from, at, x->to, x->from - 7, at + 4);
    put_number(out, y, value);
    tl__put(out, "</text>\n");
}

/* put_minor -- of log, between the labels: short ticks at all decades; if each has a label, at 2 to
 * 9 of it, and where there are few decades 2 and 5 have their numbers. */
static void put_minor(tl_text *out, const tl_chart_axis *y, const tl_chart_axis *x)
{
    const double span = y->high - y->low;
    for (double e = floor(y->low); span < 60 && e < y->high; e++)
        for (int k = 1; k < (y->tick > 1 || span > 5 ? 2 : 10); k++) {
            double value = e + log10(k);
            if (value < y->low || value > y->high)
                continue;
            if (has_halves(y) && (k == 2 || k == 5))
                put_label(out, y, x, value);
            else
                tl__put(out, "<path class=\"minor\" d=\"M%.1f %.1fh4\"/>\n", x->from,
                        y->from + (value - y->low) / span * (y->to - y->from));
        }
}

void tl__chart_put_values(tl_text *out, const tl_chart_axis *y, const tl_chart_axis *x)
{
    const int last = (int)floor(y->high / y->tick + 1e-9);
    for (int k = (int)ceil(y->low / y->tick - 1e-9); k <= last; k++)
        put_label(out, y, x, k * y->tick);
    if (y->log)
        put_minor(out, y, x);
}
