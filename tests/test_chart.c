/* test_chart.c -- where lines are drawn, what is left out and said so, what does not fit. */
#include "nn/chart.h"
#include "tests/check.h"
#include "tests/svgtest.h"

enum { MANY = 4000 };

static tl_chart_panel panel_of(int log, int64_t T, const double *y)
{
    tl_chart_panel p = {.title = "panel", .unit = "unit", .log = log, .mark = CHECK_NAN};
    p.line[p.nlines++] = (tl_chart_line){"", "line", T, y, NULL};
    return p;
}

static char *draw(const tl_chart_panel *panel)
{
    char *svg = tl__chart_svg("title", "", 1, panel);
    cr_assert_not_null(svg);
    svg_hold(svg);
    return svg;
}

/* tick -- where the grid line is whose label is this. */
static double tick(const char *svg, const char *label)
{
    char text[80];
    snprintf(text, sizeof text, " text-anchor=\"end\">%s</text>", label);
    const char *at = strstr(svg, text);
    cr_assert_not_null(at, "no tick %s", label);
    while (strncmp(at, "y=\"", 3) != 0)
        at--;
    return strtod(at + 3, NULL) - 4;
}

Test(chart, powers_of_ten_lie_on_their_ticks)
{
    const double v[5] = {1, 100, 1e-4, 10, 1e-2};
    double x[5], y[5];
    int pieces;
    tl_chart_panel p = panel_of(1, 5, v);
    char *svg = draw(&p);
    cr_assert_eq(svg_line(svg, 0, 5, x, y, &pieces), 5);
    static const char *const label[5] = {"1", "10<tspan dy=\"-5\" font-size=\"8.5\">2</tspan>",
                                         "10<tspan dy=\"-5\" font-size=\"8.5\">-4</tspan>", "10",
                                         "10<tspan dy=\"-5\" font-size=\"8.5\">-2</tspan>"};
    for (int k = 0; k < 5; k++) {
        cr_assert(fabs(y[k] - tick(svg, label[k])) < 0.11, "%d: %g and %g", k, y[k],
                  tick(svg, label[k]));
        cr_assert(fabs(x[k] - (x[0] + k * (x[4] - x[0]) / 4)) < 0.11);
    }
    cr_assert_eq(pieces, 1);
    cr_assert_eq(svg_count(svg, "<circle"), 5);
    cr_assert_eq(svg_count(svg, "left out"), 0);
    tl__free(svg);
}

Test(chart, numbers_lie_between_the_ticks)
{
    const double v[3] = {0, 0.7, 1.5};
    double x[3], y[3];
    int pieces;
    tl_chart_panel p = panel_of(0, 3, v);
    p.mark = 1;
    char *svg = draw(&p);
    cr_assert_eq(svg_line(svg, 0, 3, x, y, &pieces), 3);
    double zero = tick(svg, "0"), one = tick(svg, "1");
    for (int k = 0; k < 3; k++)
        cr_assert(fabs(y[k] - (zero + v[k] * (one - zero))) < 0.11);
    char mark[64];
    snprintf(mark, sizeof mark, "class=\"mark\" d=\"M%.1f %.1f", x[0], one);
    cr_assert_not_null(strstr(svg, mark));
    tl__free(svg);
}

Test(chart, a_mirror_has_two_halves)
{
    const double up[3] = {0, 0.5, 1}, down[3] = {1, 0.5, 0};
    double x[2][3], y[2][3];
    int pieces;
    tl_chart_panel p = panel_of(0, 3, up);
    p.mirror = 1;
    p.down = "shut";
    p.line[0].down = down;
    char *svg = draw(&p);
    for (int k = 0; k < 2; k++)
        cr_assert_eq(svg_line(svg, k, 3, x[k], y[k], &pieces), 3);
    double zero = tick(svg, "0");
    for (int t = 0; t < 3; t++) {
        double room = fabs(zero - tick(svg, "1"));
        cr_assert(fabs(y[0][t] - (zero - up[t] * room)) < 0.11);
        cr_assert(fabs(y[1][t] - (zero + down[t] * room)) < 0.11);
    }
    cr_assert(strstr(svg, ">unit<") && strstr(svg, ">shut<"));
    tl__free(svg);
}

Test(chart, what_has_no_place_is_left_out_and_counted)
{
    double v[50], x[50], y[50];
    int pieces;
    for (int t = 0; t < 50; t++)
        v[t] = 1 + t;
    v[0] = CHECK_NAN, v[10] = 0, v[12] = -1, v[30] = CHECK_INF; /* 11 stands alone */
    tl_chart_panel p = panel_of(1, 50, v);
    char *svg = draw(&p);
    cr_assert_eq(svg_line(svg, 0, 50, x, y, &pieces), 46);
    cr_assert_eq(pieces, 4);
    cr_assert_eq(svg_count(svg, "<circle"), 1);
    cr_assert_not_null(strstr(svg, ">2 zeros left out<"));
    cr_assert_not_null(strstr(svg, ">2 NaN or infinite left out<"));
    tl__free(svg);
    p.log = 0;
    svg = draw(&p);
    cr_assert_null(strstr(svg, "zeros"));
    tl__free(svg);
    memset(v, 0, sizeof v);
    p.log = 1;
    svg = draw(&p);
    cr_assert_not_null(strstr(svg, "nothing to draw"));
    cr_assert_not_null(strstr(svg, ">50 zeros left out<"));
    tl__free(svg);
}

Test(chart, any_range_has_ticks)
{
    static const double ends[][2] = {{1, 1},          {3, 3},      {1, 1.001},     {0.2, 11},
                                     {1e-300, 1e300}, {5e-324, 1}, {1e-12, 2e-12}, {7e5, 9e7}};
    for (size_t k = 0; k < sizeof ends / sizeof *ends; k++)
        for (int log = 0; log < 2; log++) {
            tl_chart_panel p = panel_of(log, 2, ends[k]);
            char *svg = draw(&p);
            int ticks = svg_count(svg, "class=\"grid\"");
            cr_assert(ticks >= 2 + 2 && ticks <= 2 + 12, "%g to %g: %d ticks", ends[k][0],
                      ends[k][1], ticks);
            tl__free(svg);
        }
}

Test(chart, a_single_step_is_a_dot_in_the_middle)
{
    const double v[1] = {3};
    double x, y;
    int pieces;
    tl_chart_panel p = panel_of(1, 1, v);
    char *svg = draw(&p);
    cr_assert_eq(svg_line(svg, 0, 1, &x, &y, &pieces), 1);
    cr_assert_eq(svg_count(svg, "<circle"), 1);
    cr_assert_eq(svg_count(svg, "text-anchor=\"middle\">0<"), 1);
    cr_assert_eq(svg_count(svg, "text-anchor=\"middle\">1<"), 0);
    tl__free(svg);
}

Test(chart, many_steps_keep_their_extremes)
{
    static double v[MANY], x[MANY], y[MANY];
    int pieces;
    for (int t = 0; t < MANY; t++)
        v[t] = t % 2 ? 0.5 : 0.25;
    v[1717] = 1, v[3001] = 0;
    tl_chart_panel p = panel_of(0, MANY, v);
    char *svg = draw(&p);
    int n = svg_line(svg, 0, MANY, x, y, &pieces), top = 0, floor = 0;
    cr_assert(n > 500 && n <= 1200, "%d points", n);
    for (int k = 0; k < n; k++) {
        cr_assert(k == 0 || x[k] >= x[k - 1]);
        top += fabs(y[k] - tick(svg, "1")) < 0.11;
        floor += fabs(y[k] - tick(svg, "0")) < 0.11;
    }
    cr_assert(top == 1 && floor == 1 && pieces == 1);
    tl__free(svg);
}

Test(chart, names_do_no_harm)
{
    static const char *const names[] = {
        "a<b & \"c\">", "no UTF-8: \xff\xc3", "\xe4\xb8\xad\xe6\x96\x87 \xce\xb4",
        "a name that is much, much longer than what the legend of a picture has room for", ""};
    const double v[2] = {1, 2};
    tl_chart_panel p = panel_of(0, 2, v);
    p.nlines = 0;
    for (int k = 0; k < 5; k++)
        p.line[p.nlines++] = (tl_chart_line){"dL/d", names[k], 2, v, NULL};
    p.title = p.unit = names[0];
    char *svg = tl__chart_svg(names[3], names[0], 1, &p);
    svg_hold(svg);
    cr_assert_not_null(strstr(svg, "dL/da&#60;b &#38; &#34;c&#34;&#62;<"));
    cr_assert_not_null(strstr(svg, "dL/da name that\xe2\x80\xa6has room for<"));
    tl__free(svg);
    for (; p.nlines < TL_CHART_LINES; p.nlines++)
        p.line[p.nlines] = p.line[0];
    tl__free(draw(&p));
}

Test(chart, without_memory_there_is_no_picture)
{
    const double v[2] = {1, 2};
    tl_chart_panel p = panel_of(0, 2, v);
    int failures = 0;
    for (char *svg = NULL; !svg; failures++) {
        tl__fail_after(failures + 1);
        svg = tl__chart_svg("title", "", 1, &p);
        tl__fail_after(0);
        tl__free(svg);
    }
    cr_assert(failures > 3, "only %d allocations failed", failures - 1);
}
