/* bench_record.c -- one measured number as an object on a line. */
#include "tests/bench/bench_record.h"

#include <math.h>
#include <stdio.h>

/* Our names need no escapes. */
static void text(const char *key, const char *value)
{
    if (value)
        printf("\"%s\": \"%s\", ", key, value);
    else
        printf("\"%s\": null, ", key);
}

static void number(const char *key, double value, const char *end)
{
    if (isfinite(value))
        printf("\"%s\": %.6g%s", key, value, end);
    else
        printf("\"%s\": null%s", key, end);
}

void bench_record_print(const bench_record *r)
{
    printf("{");
    text("case", r->name);
    text("cell", r->cell);
    text("pass", r->pass);
    text("impl", r->impl);
    printf("\"threads\": %d, ", r->threads);
    number("ms", r->ms, ", ");
    number("gflops", r->gflops, ", ");
    number("peak_mb", r->peak_mb, ", ");
    number("ratio_onednn", r->ratio_onednn, "}\n");
    fflush(stdout);
}
