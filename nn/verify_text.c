/* verify_text.c -- the report of tl_cell_verify as a table: checks, then parameters by time steps.
 * */
#include "nn/verify.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 6 }; /* time steps side by side */

typedef struct writer {
    char *text;
    size_t size, used;
    int full;
} writer;

static writer writer_of(char *text, size_t size)
{
    writer w = {text, text ? size : 0, 0, 0};
    if (w.size)
        text[0] = 0;
    return w;
}

static void put(writer *w, const char *format, ...) TL_PRINTF(2, 3);

static void put(writer *w, const char *format, ...)
{
    if (w->full || !w->size)
        return;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(w->text + w->used, w->size - w->used, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= w->size - w->used) {
        w->full = 1;
        if (w->size > 4)
            strcpy(w->text + w->size - 4, "...");
        return;
    }
    w->used += (size_t)n;
}

static void put_checks(writer *w, const tl_verify_report *r)
{
    static const char *const what[TL_VERIFY_CHECKS] = {
        "the step records; shapes hold; numbers are finite",
        "the step replaces its states",
        "recorded twice, the same bits",
        "scan = plain loop, both directions",
        "batch with lengths and NaN padding = rows alone",
        "forward mode = reverse mode",
        "tape = central differences",
        "gradient of gradient = differences of gradient",
    };
    for (int c = 0; c < TL_VERIFY_CHECKS; c++) {
        double worst = 0;
        int n = 0;
        for (int i = 0; i < r->nlines; i++)
            if ((int)r->lines[i].check == c && ++n)
                worst = r->lines[i].error > worst ? r->lines[i].error : worst;
        const char *verdict = !r->ran[c] ? "not made" : r->passed[c] ? "pass" : "FAIL";
        put(w, "  %-9s %-8s ", tl_verify_name((tl_verify_check)c), verdict);
        if (r->ran[c] && c >= TL_VERIFY_LOOP)
            put(w, "%-49s %8.1e in %d lines", what[c], worst, n);
        else
            put(w, "%s", what[c]);
        put(w, "\n");
    }
}

static const tl_verify_line *find(const tl_verify_report *r, tl_verify_check check,
                                  const char *name, int64_t t)
{
    for (int i = 0; i < r->nlines; i++)
        if (r->lines[i].check == check && r->lines[i].t == t && !strcmp(r->lines[i].name, name))
            return &r->lines[i];
    return NULL;
}

static void put_cell(writer *w, const tl_verify_line *line)
{
    if (!line)
        put(w, " %9s ", "");
    else
        put(w, " %9.1e%c", line->error, line->pass ? ' ' : '!');
}

/* Rows are names in the order of their first line. */
static void put_block(writer *w, const tl_verify_report *r, tl_verify_check check, int64_t from)
{
    int64_t to = from + COLUMNS < r->T ? from + COLUMNS : r->T;
    put(w, "  %-20s", "");
    if (from == 0)
        put(w, " %9s ", "total");
    for (int64_t t = from; t < to; t++) {
        char when[24];
        snprintf(when, sizeof when, "t=%lld", (long long)t);
        put(w, " %9s ", when);
    }
    put(w, "\n");
    for (int i = 0; i < r->nlines; i++) {
        const tl_verify_line *line = &r->lines[i];
        int seen = 0, timed = 0;
        for (int j = 0; j < r->nlines; j++)
            if (r->lines[j].check == check && !strcmp(r->lines[j].name, line->name)) {
                seen |= j < i;
                timed |= r->lines[j].t >= 0;
            }
        if (line->check != check || seen || (from > 0 && !timed))
            continue;
        put(w, "  %-20s", line->name);
        if (from == 0)
            put_cell(w, find(r, check, line->name, -1));
        for (int64_t t = from; t < to; t++)
            put_cell(w, find(r, check, line->name, t));
        put(w, "\n");
    }
}

/* ---- for a paper ----------------------------------------------------------------------------- */

/* Text for LaTeX: what names may contain and it does not take as it is. */
static void put_escaped(writer *w, const char *s, int latex)
{
    for (; *s; s++)
        put(w, latex && strchr("_%&#$", *s) ? "\\%c" : "%c", *s);
}

static void put_number(writer *w, double a, int latex)
{
    char number[32];
    snprintf(number, sizeof number, "%.1e", a);
    char *e = strchr(number, 'e');
    if (latex && e) {
        *e = 0;
        put(w, " & $%s\\cdot10^{%ld}$", number, strtol(e + 1, NULL, 10));
    } else {
        put(w, latex ? " & %s" : " %9s", number);
    }
}

/* Where a line is: "weight_hh, t=3". */
static void put_place(writer *w, const tl_verify_line *line, int latex)
{
    put(w, latex ? " & " : "  ");
    if (!line)
        return;
    put_escaped(w, line->name, latex);
    if (line->t >= 0)
        put(w, latex ? ", $t=%lld$" : ", t=%lld", (long long)line->t);
}

static void put_row(writer *w, const tl_verify_report *r, int c, int latex)
{
    const tl_verify_line *relative = NULL;
    double absolute = 0;
    int n = 0;
    for (int i = 0; i < r->nlines; i++) {
        const tl_verify_line *line = &r->lines[i];
        if ((int)line->check != c)
            continue;
        n++;
        absolute = line->absolute > absolute ? line->absolute : absolute;
        relative = !relative || line->error > relative->error ? line : relative;
    }
    const char *verdict = !r->ran[c] ? "not made" : r->passed[c] ? "pass" : "FAIL";
    put(w, latex ? "%s & %d" : "%-9s %6d", tl_verify_name((tl_verify_check)c), n);
    if (r->ran[c] && c >= TL_VERIFY_LOOP && relative) {
        put_number(w, absolute, latex);
        put_number(w, relative->error, latex);
        put_number(w, c < TL_VERIFY_GRADIENT ? r->equal : r->tolerance, latex);
    } else {
        put(w, latex ? " & & & exact" : " %9s %9s %9s", "", "", "exact");
        relative = NULL;
    }
    put(w, latex ? " & %s" : "  %-8s", verdict);
    put_place(w, relative, latex);
    put(w, latex ? " \\\\\n" : "\n");
}

char *tl_verify_table(const tl_verify_report *r, int latex, char *text, size_t size)
{
    writer w = writer_of(text, size);
    if (!r || !r->cell) {
        put(&w, "nothing was verified\n");
        return text;
    }
    if (latex)
        put(&w, "\\begin{tabular}{lrrrrll}\n\\hline\ncheck & comparisons & absolute & relative & "
                "tolerance & & largest at \\\\\n\\hline\n");
    else
        put(&w, "%-9s %6s %9s %9s %9s  %-8s  %s\n", "check", "lines", "absolute", "relative",
            "tolerance", "", "largest at");
    for (int c = 0; c < TL_VERIFY_CHECKS; c++)
        put_row(&w, r, c, latex);
    if (latex)
        put(&w, "\\hline\n\\end{tabular}\n\\par ");
    put_escaped(&w, r->cell, latex);
    put(&w,
        ": I=%lld, H=%lld, T=%lld, B=%lld, f64, seed %llu, step of differences %g; Tapeloop "
        "%d.%d.%d\n",
        (long long)r->I, (long long)r->H, (long long)r->T, (long long)r->B,
        (unsigned long long)r->seed, r->step, TL_VERSION_MAJOR, TL_VERSION_MINOR, TL_VERSION_PATCH);
    return text;
}

char *tl_verify_text(const tl_verify_report *r, char *text, size_t size)
{
    writer w = writer_of(text, size);
    if (!r || !r->cell) {
        put(&w, "nothing was verified\n");
        return text;
    }
    put(&w, "%s: I=%lld H=%lld T=%lld B=%lld, f64, tolerance %.0e\n", r->cell, (long long)r->I,
        (long long)r->H, (long long)r->T, (long long)r->B, r->tolerance);
    put_checks(&w, r);
    for (int c = TL_VERIFY_GRADIENT; c <= TL_VERIFY_SECOND; c++) {
        if (!r->ran[c])
            continue;
        put(&w, "%s, largest relative error:\n",
            c == TL_VERIFY_GRADIENT ? "gradient" : "gradient of the gradient");
        for (int64_t from = 0; from < r->T; from += COLUMNS)
            put_block(&w, r, (tl_verify_check)c, from);
    }
    if (r->pass)
        put(&w, "PASS: %d comparisons\n", r->nlines);
    else
        put(&w, "FAIL: %d of %d comparisons, the first: %s\n", r->failed, r->nlines, r->message);
    return text;
}
