/* stopwatch.c -- clocks, the best and the median of many times. */
#include "tests/bench/stopwatch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double read_clock(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

double now_ms(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

double cpu_ms(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

void series_add(series *s, double ms)
{
    if (s->n < MOST_ROUNDS)
        s->ms[s->n++] = ms;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double series_best(const series *s)
{
    double best = s->n ? s->ms[0] : (double)NAN;
    for (int k = 1; k < s->n; k++)
        best = s->ms[k] < best ? s->ms[k] : best;
    return best;
}

double series_median(const series *s)
{
    double sorted[MOST_ROUNDS];
    int n = s->n;
    if (n == 0)
        return (double)NAN;
    memcpy(sorted, s->ms, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, by_value);
    return n % 2 ? sorted[n / 2] : 0.5 * (sorted[n / 2 - 1] + sorted[n / 2]);
}

double series_pairs(const series *a, const series *b)
{
    series ratio = {0};
    for (int k = 0; k < a->n && k < b->n; k++)
        series_add(&ratio, a->ms[k] / b->ms[k]);
    return series_median(&ratio);
}
