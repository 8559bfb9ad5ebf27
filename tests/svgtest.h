/* svgtest.h -- what the tests of pictures share: whether one is well-formed and keeps to its page,
 * and the points of its lines. */
#ifndef TL_TESTS_SVGTEST_H
#define TL_TESTS_SVGTEST_H

#include "core/utf8.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline int svg_count(const char *text, const char *what)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, what)); at++)
        n++;
    return n;
}

/* svg_hold_balanced -- every tag of the XML is closed by its own name. */
static inline void svg_hold_balanced(const char *xml)
{
    char open[16][32];
    int depth = 0;
    for (const char *at = strchr(xml, '<'); at; at = strchr(at + 1, '<')) {
        const char *end = strchr(at, '>');
        cr_assert_not_null(end);
        const int is_end = at[1] == '/', n = (int)strcspn(at + 1 + is_end, " />\n");
        if (is_end) {
            cr_assert(depth > 0 && (int)strlen(open[depth - 1]) == n &&
                          strncmp(open[depth - 1], at + 2, (size_t)n) == 0,
                      "%.40s", at);
            depth--;
        } else if (end[-1] != '/') {
            cr_assert_lt(depth, 16);
            snprintf(open[depth++], sizeof open[0], "%.*s", n, at + 1);
        }
    }
    cr_assert_eq(depth, 0);
}

/* svg_line -- points of the k-th line that has colour and data, at most `most`; how many there are,
 * -1: no such line. pieces: how many are joined to nothing before them. */
static inline int svg_line(const char *svg, int k, int most, double *x, double *y, int *pieces)
{
    static const char head[] = "<path class=\"line\"";
    int n = 0;
    *pieces = 0;
    const char *at = strstr(svg, head);
    for (; at; at = strstr(at + 1, head)) {
        const char *d = strstr(at, " d=\""), *end = strstr(at, "\"/>");
        if (memchr(d, 'h', (size_t)(end - d)) || k-- > 0) /* a sample of the legend */
            continue;
        for (d += 4; *d == 'M' || *d == 'L'; n++) {
            char *next;
            *pieces += *d == 'M';
            double px = strtod(d + 1, &next), py = strtod(next, &next);
            if (n < most)
                x[n] = px, y[n] = py;
            d = next;
        }
        cr_assert_eq(*d, '"', "%.40s", d);
        return n;
    }
    return -1;
}

static inline void svg_in(double at, double low, double high, const char *what)
{
    cr_assert(at >= low && at <= high, "%g is outside of %g to %g: %.60s", at, low, high, what);
}

/* svg_hold -- well-formed UTF-8, no attribute that is not finite, all on the page; of texts their
 * start, or the whole of those in the font of fixed pitch. */
static inline void svg_hold(const char *svg)
{
    double width, height, x, y;
    int n;
    cr_assert_eq(tl__utf8_check(svg, strlen(svg)), strlen(svg));
    svg_hold_balanced(svg);
    cr_assert_eq(sscanf(strstr(svg, "viewBox"), "viewBox=\"0 0 %lg %lg\"", &width, &height), 2);
    for (const char *at = svg; (at = strchr(at, '<')); at++) {
        const char *odd[2] = {strstr(at, "nan"), strstr(at, "inf")};
        for (int k = 0; k < 2; k++)
            cr_assert(!odd[k] || odd[k] > strchr(at, '>'), "%.60s", at);
        const char *px = strstr(at, " x=\""), *end = strchr(at, '>'), *text = end + 1;
        if (strncmp(at, "<text", 5) || px > end || sscanf(px, " x=\"%lg\" y=\"%lg\"", &x, &y) != 2)
            continue;
        int columns = 0, small = !strncmp(at, "<text class=\"note\"", 18);
        for (; *text != '<'; columns++)
            text = *text == '&' ? strchr(text, ';') + 1 : text + 1 + strspn(text + 1, "\x80");
        svg_in(x, 0, width, at);
        svg_in(y, 0, height, at);
        if (small || !strncmp(at, "<text class=\"name\"", 18))
            svg_in(x + columns * 0.602 * (small ? 9.5 : 11), 0, width, at);
    }
    for (const char *at = svg; (at = strstr(at, " d=\"")); at++)
        for (const char *p = at + 4; *p != '"'; p += n) {
            n = 1;
            if ((*p == 'M' || *p == 'L') && sscanf(p + 1, "%lg %lg%n", &x, &y, &n) == 2) {
                svg_in(x, 0, width, at);
                svg_in(y, 0, height, at);
                n++;
            }
        }
}

#endif
