/* curves.c -- learning curves as CSV and SVG.
 *
 * A curve is told from another by colour, dash pattern and marker at once, so that the picture also
 * reads in black and white. The colours are those of Okabe and Ito, distinct for every kind of
 * colour vision. */
#include "curves.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct pen {
    const char *colour, *dash;
    int marker; /* 0 circle, 1 square, 2 triangle, 3 diamond */
} pens[] = {
    {"#009E73", "2 4", 2},
    {"#0072B2", "9 5", 1},
    {"#D55E00", "", 0},
    {"#CC79A7", "9 4 2 4", 3},
};

/* The plot's box inside the 900 x 540 picture. */
enum { WIDTH = 900, HEIGHT = 540, LEFT = 80, TOP = 56, RIGHT = 870, BOTTOM = 470 };

int curve_add(curve *c, curve_point point)
{
    if (c->count == c->capacity) {
        int capacity = c->capacity ? 2 * c->capacity : 64;
        curve_point *points = realloc(c->points, (size_t)capacity * sizeof *points);
        if (!points)
            return -1;
        c->points = points;
        c->capacity = capacity;
    }
    c->points[c->count++] = point;
    return 0;
}

void curve_close(curve *c)
{
    free(c->points);
    memset(c, 0, sizeof *c);
}

double curve_last_valid(const curve *c)
{
    for (int i = c->count; i-- > 0;)
        if (!isnan(c->points[i].valid))
            return c->points[i].valid;
    return (double)NAN;
}

/* close_file -- fclose that also reports what went wrong while writing. */
static int close_file(FILE *f)
{
    int failed = ferror(f);
    if (fclose(f) != 0 || failed) {
        if (!errno)
            errno = EIO;
        return -1;
    }
    return 0;
}

static void csv_number(FILE *f, double x)
{
    if (isnan(x))
        fputc(',', f);
    else
        fprintf(f, ",%.6f", x);
}

int curves_csv(const char *path, int n, const curve *curves)
{
    FILE *f = fopen(path, "w");
    if (!f)
        return -1;
    fputs("cell,step,characters,seconds,train_bits,valid_bits\n", f);
    for (int k = 0; k < n; k++) {
        for (int i = 0; i < curves[k].count; i++) {
            const curve_point *p = &curves[k].points[i];
            fprintf(f, "%s,%lld,%lld,%.3f", curves[k].name, (long long)p->step,
                    (long long)p->characters, p->seconds);
            csv_number(f, p->train);
            csv_number(f, p->valid);
            fputc('\n', f);
        }
    }
    return close_file(f);
}

/* axis -- maps [low, high] to [from, to] in pixels, with ticks every `tick`. */
struct axis {
    double low, high, tick;
    double from, to;
};

static double place(const struct axis *a, double value)
{
    return a->from + (value - a->low) / (a->high - a->low) * (a->to - a->from);
}

/* nice_tick -- 1, 2 or 5 times a power of ten, so that about `ticks` of them span `range`. */
static double nice_tick(double range, int ticks)
{
    double raw = range / ticks;
    double power = pow(10, floor(log10(raw)));
    double lead = raw / power;
    return power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
}

/* fit_axes -- x: all steps. y: from below the best value to what validation starts at; the first
 * training values are far above (log2 of the vocabulary) and are cut off, so that the differences
 * at the end stay visible. */
static void fit_axes(int n, const curve *curves, struct axis *x, struct axis *y)
{
    double steps = 0, low = HUGE_VAL, high = -HUGE_VAL, top = -HUGE_VAL;
    for (int k = 0; k < n; k++) {
        for (int i = 0; i < curves[k].count; i++) {
            const curve_point *p = &curves[k].points[i];
            steps = fmax(steps, (double)p->step);
            low = fmin(low, fmin(p->train, p->valid));
            if (p->step > 0)
                high = fmax(high, p->valid);
            top = fmax(top, p->train);
        }
    }
    if (!isfinite(high))
        high = top;
    if (!isfinite(low) || !isfinite(high))
        low = 0, high = 8;
    *x = (struct axis){.low = 0, .high = fmax(steps, 1), .from = LEFT, .to = RIGHT};
    x->tick = fmax(nice_tick(x->high, 8), 1);
    high += fmax(0.15 * (high - low), 0.1);
    y->tick = nice_tick(fmax(high - low, 0.1), 7);
    y->low = floor(low / y->tick) * y->tick;
    y->high = ceil(high / y->tick) * y->tick;
    y->from = BOTTOM;
    y->to = TOP;
}

/* put_text -- the text with the characters that XML reserves replaced. */
static void put_text(FILE *f, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", f);
            break;
        case '>':
            fputs("&gt;", f);
            break;
        case '&':
            fputs("&amp;", f);
            break;
        default:
            fputc(*text, f);
        }
    }
}

static void draw_axes(FILE *f, const char *title, const struct axis *x, const struct axis *y)
{
    fprintf(
        f,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d "
        "%d\" "
        "font-family=\"Helvetica, Arial, sans-serif\" font-size=\"15\" fill=\"#222\">\n"
        "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
        "<clipPath id=\"box\"><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/></clipPath>\n",
        WIDTH, HEIGHT, WIDTH, HEIGHT, LEFT, TOP, RIGHT - LEFT, BOTTOM - TOP);
    fprintf(f, "<text x=\"%d\" y=\"32\" font-size=\"19\" font-weight=\"bold\">", LEFT);
    put_text(f, title);
    fputs("</text>\n", f);
    int digits = y->tick < 0.095 ? 2 : y->tick < 0.95 ? 1 : 0;
    for (int i = 0; y->low + i * y->tick <= y->high + 1e-9; i++) {
        double value = y->low + i * y->tick;
        fprintf(f,
                "<path d=\"M%d %.1fH%d\" stroke=\"#ddd\"/>"
                "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.*f</text>\n",
                LEFT, place(y, value), RIGHT, LEFT - 9, place(y, value) + 5, digits, value);
    }
    for (int i = 0; i * x->tick <= x->high + 1e-9; i++)
        fprintf(f,
                "<path d=\"M%.1f %dv6\" stroke=\"#222\"/>"
                "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g</text>\n",
                place(x, i * x->tick), BOTTOM, place(x, i * x->tick), BOTTOM + 23, i * x->tick);
    fprintf(f,
            "<path d=\"M%d %dV%dH%d\" fill=\"none\" stroke=\"#222\" stroke-width=\"1.2\"/>\n"
            "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">training steps</text>\n"
            "<text transform=\"translate(24 %d) rotate(-90)\" text-anchor=\"middle\">"
            "bits per character</text>\n",
            LEFT, TOP, BOTTOM, RIGHT, (LEFT + RIGHT) / 2, HEIGHT - 18, (TOP + BOTTOM) / 2);
}

static void draw_marker(FILE *f, const struct pen *pen, double x, double y)
{
    switch (pen->marker) {
    case 0:
        fprintf(f, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\"", x, y);
        break;
    case 1:
        fprintf(f, "<rect x=\"%.1f\" y=\"%.1f\" width=\"8\" height=\"8\"", x - 4, y - 4);
        break;
    case 2:
        fprintf(f, "<path d=\"M%.1f %.1fl5.5 9h-11z\"", x, y - 5.5);
        break;
    default:
        fprintf(f, "<path d=\"M%.1f %.1fl5.5 5.5l-5.5 5.5l-5.5-5.5z\"", x, y - 5.5);
    }
    fprintf(f, " fill=\"%s\" stroke=\"#fff\"/>\n", pen->colour);
}

static void draw_path(FILE *f, const curve *c, const struct axis *x, const struct axis *y,
                      int valid, const char *style)
{
    char command = 'M';
    fputs("<path d=\"", f);
    for (int i = 0; i < c->count; i++) {
        double value = valid ? c->points[i].valid : c->points[i].train;
        if (isnan(value))
            continue;
        fprintf(f, "%c%.1f %.1f", command, place(x, (double)c->points[i].step), place(y, value));
        command = 'L';
    }
    fprintf(f, "\" fill=\"none\" stroke-linejoin=\"round\" %s/>\n", style);
}

static void draw_curve(FILE *f, const curve *c, const struct pen *pen, const struct axis *x,
                       const struct axis *y)
{
    char style[160];
    fputs("<g clip-path=\"url(#box)\">\n", f);
    snprintf(style, sizeof style, "stroke=\"%s\" stroke-width=\"1\" stroke-opacity=\"0.45\"",
             pen->colour);
    draw_path(f, c, x, y, 0, style);
    snprintf(style, sizeof style, "stroke=\"%s\" stroke-width=\"2.4\" stroke-dasharray=\"%s\"",
             pen->colour, *pen->dash ? pen->dash : "none");
    draw_path(f, c, x, y, 1, style);
    fputs("</g>\n", f);
    for (int i = 0; i < c->count; i++) {
        double value = c->points[i].valid;
        if (!isnan(value) && value <= y->high)
            draw_marker(f, pen, place(x, (double)c->points[i].step), place(y, value));
    }
}

/* draw_legend -- top right, where learning curves leave room: sample of the line, label, last
 * value. */
static void draw_legend(FILE *f, int n, const curve *curves)
{
    int left = RIGHT - 470, row = TOP + 24;
    fprintf(
        f,
        "<rect x=\"%d\" y=\"%d\" width=\"464\" height=\"%d\" fill=\"#fff\" fill-opacity=\"0.9\" "
        "stroke=\"#bbb\"/>\n",
        left, row - 18, 25 * n + 30);
    for (int k = 0; k < n; k++, row += 25) {
        const struct pen *pen = &pens[(size_t)k % (sizeof pens / sizeof *pens)];
        double valid = curve_last_valid(&curves[k]);
        fprintf(f,
                "<path d=\"M%d %dh44\" stroke=\"%s\" stroke-width=\"2.4\" "
                "stroke-dasharray=\"%s\"/>\n",
                left + 12, row, pen->colour, *pen->dash ? pen->dash : "none");
        draw_marker(f, pen, left + 34, row);
        fprintf(f, "<text x=\"%d\" y=\"%d\">", left + 68, row + 5);
        put_text(f, curves[k].label);
        fputs("</text>\n", f);
        if (!isnan(valid))
            fprintf(
                f, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" font-weight=\"bold\">%.3f</text>\n",
                RIGHT - 18, row + 5, valid);
    }
    fprintf(f,
            "<text x=\"%d\" y=\"%d\" font-size=\"13\" fill=\"#555\">"
            "with markers: held-out text; thin: training text</text>\n",
            left + 12, row + 3);
}

int curves_svg(const char *path, const char *title, int n, const curve *curves)
{
    FILE *f = fopen(path, "w");
    if (!f)
        return -1;
    struct axis x, y;
    fit_axes(n, curves, &x, &y);
    draw_axes(f, title, &x, &y);
    for (int k = 0; k < n; k++)
        draw_curve(f, &curves[k], &pens[(size_t)k % (sizeof pens / sizeof *pens)], &x, &y);
    draw_legend(f, n, curves);
    fputs("</svg>\n", f);
    return close_file(f);
}
