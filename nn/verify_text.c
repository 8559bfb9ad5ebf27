/* verify_text.c -- the report of tl_cell_verify as a table: checks, then parameters by time steps.
 * */
#include "nn/verify.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { COLUMNS = 6 }; /* time steps side by side */

typedef struct writer {
    char *text;
    size_t size, used;
    int full;
} writer;

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

char *tl_verify_text(const tl_verify_report *r, char *text, size_t size)
{
    writer w = {text, size, 0, 0};
    if (size)
        text[0] = 0;
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
