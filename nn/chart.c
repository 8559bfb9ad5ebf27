/* chart.c -- the picture: panels, lines, legends.
 *
 * A line is told from another by colour and dashes at once, so that the picture also reads in black
 * and white and where lines lie upon one another. The colours are near those of Okabe and Ito,
 * distinct for every kind of colour vision. Names stand in a font of fixed pitch and are cut to
 * what there is room for. */
#include "nn/chart.h"

#include "core/utf8.h"

#include <math.h>
#include <string.h>

/* The plots lie between LEFT and RIGHT, legends from LEGEND on. */
enum {
    WIDTH = 960,
    LEFT = 86,
    RIGHT = 690,
    LEGEND = 710,
    TOP = 48,
    SUBTITLE = 18,
    PLOT = 180,
    ROW = 19,
    NOTE = 14
};
enum { COLUMNS = 28, TITLE = 64 }; /* characters of a name in the legend, of a title */
enum { FEW = 40 };                 /* steps up to which every one has a dot */
enum { MANY = 1200 };              /* points of a line at most, two of each stretch */

static const char *const colours[] = {"#0072B2", "#D55E00", "#009E73", "#B5489A",
                                      "#333333", "#C79A00", "#56B4E9"};
static const char *const dashes[] = {"none", "9 4", "2 3", "9 3 2 3", "16 4"};

static const char *colour_of(int pen)
{
    return colours[pen % 7];
}

static const char *dash_of(int pen)
{
    return dashes[(pen + pen / 7) % 5];
}

/* ---- names ----------------------------------------------------------------------------------- */

/* next -- bytes of the character at text, and how many columns it takes. */
static int next(const char *text, int *columns)
{
    uint32_t code = 0;
    int n = tl__utf8_next(text, strlen(text), &code);
    *columns = code >= 0x1100 ? 2 : 1;
    return n ? n : 1;
}

static int columns_of(const char *text)
{
    int all = 0, one;
    for (; *text; text += next(text, &one), all += one)
        ;
    return all;
}

/* put_name -- what is longer than `most` columns has dots for its middle. */
static void put_name(tl_text *out, const char *text, int most)
{
    int all = columns_of(text), at = 0, dots = 0, one;
    for (int n; *text; text += n, at += one) {
        n = next(text, &one);
        if (all <= most || at + one <= (most - 1) / 2 || all - at <= most / 2)
            tl__put_xml(out, (size_t)n, text);
        else if (!dots++)
            tl__put(out, "\xE2\x80\xA6");
    }
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* put_dots -- of steps without neighbours, which no line shows; of all where there are few. */
static void put_dots(tl_text *out, int64_t T, const double *v, double sign, int pen,
                     const tl_chart_axis *x, const tl_chart_axis *y)
{
    for (int64_t t = 0; t < T; t++) {
        int alone = (t == 0 || !tl__chart_can_show(y, v[t - 1])) &&
                    (t + 1 == T || !tl__chart_can_show(y, v[t + 1]));
        if (tl__chart_can_show(y, v[t]) && (T <= FEW || alone))
            tl__put(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\" fill=\"%s\"/>\n",
                    tl__chart_place(x, (double)t), tl__chart_place(y, sign * v[t]), colour_of(pen));
    }
}

/* put_path -- the line; of many steps the least and the greatest of every stretch. */
static void put_path(tl_text *out, int64_t T, const double *v, double sign, int pen,
                     const tl_chart_axis *x, const tl_chart_axis *y)
{
    const int64_t each = T <= MANY ? 1 : (2 * T + MANY - 1) / MANY;
    char command = 'M';
    tl__put(out, "<path class=\"line\" stroke=\"%s\" stroke-dasharray=\"%s\" d=\"", colour_of(pen),
            dash_of(pen));
    for (int64_t from = 0; from < T; from += each) {
        int64_t at[2] = {-1, -1};
        for (int64_t t = from; t < T && t < from + each; t++)
            if (tl__chart_can_show(y, v[t])) {
                at[0] = at[0] < 0 || v[t] < v[at[0]] ? t : at[0];
                at[1] = at[1] < 0 || v[t] > v[at[1]] ? t : at[1];
            }
        int swap = at[0] > at[1];
        for (int i = 0; i < 2 && at[0] >= 0 && (i == 0 || at[0] != at[1]); i++) {
            int64_t t = at[i ^ swap];
            tl__put(out, "%c%.1f %.1f", command, tl__chart_place(x, (double)t),
                    tl__chart_place(y, sign * v[t]));
            command = 'L';
        }
        command = at[0] < 0 ? 'M' : 'L';
    }
    tl__put(out, "\"/>\n");
    put_dots(out, T, v, sign, pen, x, y);
}

/* ---- legend ---------------------------------------------------------------------------------- */

/* left_out -- how many steps have no place on the axis: zeros (or below), and not finite. */
static void left_out(const tl_chart_line *line, const tl_chart_axis *y, int64_t n[2])
{
    n[0] = n[1] = 0;
    for (int64_t t = 0; t < line->T; t++) {
        double value = line->y[t] + (line->down ? line->down[t] : 0);
        if (!tl__chart_can_show(y, value))
            n[!isfinite(value)]++;
    }
}

/* put_legend -- lines from `top` down; returns where it ends. Without out: only that. */
static double put_legend(tl_text *out, const tl_chart_panel *panel, const tl_chart_axis *y,
                         double top)
{
    static const char *const what[2] = {"zero", "NaN or infinite"};
    double at = top + 8;
    for (int k = 0; k < panel->nlines; k++, at += ROW) {
        const tl_chart_line *line = &panel->line[k];
        int64_t n[2];
        if (out) {
            tl__put(out,
                    "<path class=\"line\" stroke=\"%s\" stroke-dasharray=\"%s\" d=\"M%d %.1fh32\"/>"
                    "<text class=\"name\" x=\"%d\" y=\"%.1f\">",
                    colour_of(k), dash_of(k), LEGEND, at, LEGEND + 40, at + 4);
            tl__put_xml(out, strlen(line->before), line->before);
            put_name(out, line->name, COLUMNS - columns_of(line->before));
            tl__put(out, "</text>\n");
        }
        left_out(line, y, n);
        for (int i = 0; i < 2; i++) {
            if (n[i] && out)
                tl__put(out, "<text class=\"note\" x=\"%d\" y=\"%.1f\">%lld %s%s left out</text>\n",
                        LEGEND + 40, at + 4 + NOTE, (long long)n[i], what[i],
                        i == 0 && n[i] > 1 ? "s" : "");
            at += n[i] ? NOTE : 0;
        }
    }
    return at;
}

/* ---- panels ---------------------------------------------------------------------------------- */

static void put_unit(tl_text *out, double y, const char *unit)
{
    tl__put(out,
            "<text class=\"unit\" transform=\"translate(22 %.1f) rotate(-90)\" "
            "text-anchor=\"middle\">",
            y);
    tl__put_xml(out, strlen(unit), unit);
    tl__put(out, "</text>\n");
}

/* put_panel -- from `top` down; returns where it ends. */
static double put_panel(tl_text *out, const tl_chart_panel *panel, tl_chart_axis *x, double top)
{
    tl_chart_axis y = tl__chart_values(panel);
    int64_t shown = 0;
    y.to = top + 26;
    y.from = fmax(y.to + PLOT, put_legend(NULL, panel, &y, y.to) - ROW / 2);
    tl__put(out, "<g>\n<text class=\"head\" x=\"%d\" y=\"%.1f\">", LEFT, top + 16);
    tl__put_xml(out, strlen(panel->title), panel->title);
    tl__put(out, "</text>\n");
    tl__chart_put_steps(out, x, &y);
    tl__chart_put_values(out, &y, x);
    tl__put(out, "<path class=\"frame\" d=\"M%.1f %.1fV%.1fH%.1f\"/>\n", x->from, y.to, y.from,
            x->to);
    if (panel->mirror) {
        tl__put(out, "<path class=\"mark\" d=\"M%.1f %.1fH%.1f\"/>\n", x->from, (y.from + y.to) / 2,
                x->to);
        put_unit(out, y.to + (y.from - y.to) / 4, panel->unit);
        put_unit(out, y.from - (y.from - y.to) / 4, panel->down);
    } else {
        put_unit(out, (y.from + y.to) / 2, panel->unit);
    }
    if (tl__chart_can_show(&y, panel->mark))
        tl__put(out, "<path class=\"mark\" d=\"M%.1f %.1fH%.1f\"/>\n", x->from,
                tl__chart_place(&y, panel->mark), x->to);
    for (int k = 0; k < panel->nlines; k++) {
        const tl_chart_line *line = &panel->line[k];
        int64_t n[2];
        put_path(out, line->T, line->y, 1, k, x, &y);
        if (line->down)
            put_path(out, line->T, line->down, -1, k, x, &y);
        left_out(line, &y, n);
        shown += line->T - n[0] - n[1];
    }
    if (shown == 0)
        tl__put(out,
                "<text class=\"unit\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">nothing to "
                "draw: all points are left out</text>\n",
                (x->from + x->to) / 2, (y.from + y.to) / 2 - 8);
    put_legend(out, panel, &y, y.to);
    tl__put(out, "</g>\n");
    return y.from + 26;
}

/* height_of -- of panels from `top` down, and what stands below them. */
static double height_of(double top, int n, const tl_chart_panel *panel)
{
    double height = top;
    for (int p = 0; p < n; p++) {
        tl_chart_axis y = tl__chart_values(&panel[p]);
        height += 52 + fmax(PLOT, put_legend(NULL, &panel[p], &y, 0) - ROW / 2);
    }
    return height + 24;
}

char *tl__chart_svg(const char *title, const char *subtitle, int n, const tl_chart_panel *panel)
{
    tl_text out = {0};
    double top = TOP + (subtitle[0] ? SUBTITLE : 0);
    const double height = height_of(top, n, panel);
    tl_chart_axis x = tl__chart_steps(n, panel);
    x.from = LEFT, x.to = RIGHT;
    tl__put(&out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%.0f\" "
            "viewBox=\"0 0 %d %.0f\" font-family=\"'DejaVu Sans',Verdana,Arial,sans-serif\" "
            "fill=\"#222\">\n<style>\n",
            WIDTH, height, WIDTH, height);
    tl__put(&out,
            ".title{font-size:18px;font-weight:bold}\n.head{font-size:13px;font-weight:bold}\n"
            ".sub,.unit{font-size:12px;fill:#444}\n.tick{font-size:11px}\n"
            ".name{font-size:11px}\n.note{font-size:9.5px;fill:#777}\n"
            ".name,.note{font-family:'DejaVu Sans Mono',Menlo,Consolas,monospace}\n"
            ".grid{fill:none;stroke:#e4e4e4}\n.frame{fill:none;stroke:#444}\n"
            ".minor{fill:none;stroke:#777;stroke-width:.7}\n"
            ".mark{fill:none;stroke:#222;stroke-width:1.2}\n"
            ".line{fill:none;stroke-width:1.9;stroke-linejoin:round}\n</style>\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n");
    tl__put(&out, "<text class=\"title\" x=\"%d\" y=\"32\">", LEFT);
    put_name(&out, title, TITLE);
    tl__put(&out, "</text>\n<text class=\"sub\" x=\"%d\" y=\"52\">", LEFT);
    tl__put_xml(&out, strlen(subtitle), subtitle);
    tl__put(&out, "</text>\n");
    for (int p = 0; p < n; p++)
        top = put_panel(&out, &panel[p], &x, top);
    tl__put(&out,
            "<text class=\"unit\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">time step "
            "t</text>\n</svg>\n",
            (x.from + x.to) / 2, top + 6);
    return tl__text_end(&out);
}
