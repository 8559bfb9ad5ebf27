/* part.c -- lets the contenders of a part run in turn; their table, their records. */
#include "tests/bench/part.h"

#include "tests/bench/bench_record.h"

#include <math.h>
#include <stdio.h>

/* A block of steps takes about so long, or is one step. */
static const double block_ms = 3;

double part_timed(int (*f)(void *arg), void *arg)
{
    double start = now_ms();
    return f(arg) ? -1 : now_ms() - start;
}

int part_finish(tl_tape *tape, const char *name)
{
    int code = tl_tape_status(tape);
    if (code)
        fprintf(stderr, "%s: %s\n", name, tl_tape_error(tape));
    tl_tape_reset(tape);
    return code;
}

int part_same(const char *name, size_t n, const float *a, const float *b)
{
    double largest = 1e-30, error = 0;
    for (size_t i = 0; i < n; i++) {
        double x = (double)a[i], y = (double)b[i], e = fabs(x - y);
        largest = fmax(largest, fmax(fabs(x), fabs(y)));
        error = e <= error ? error : e; /* NaN stays */
    }
    if (error <= 1e-4 * largest)
        return 1;
    fprintf(stderr, "%s: results differ by %.2g, largest element %.2g\n", name, error, largest);
    return 0;
}

/* block -- the mean of steps over block_ms of time of day; negative after a failure. */
static double block(contender *c)
{
    double sum = 0, end = now_ms() + block_ms;
    int n = 0;
    while (n == 0 || now_ms() < end) {
        double ms = c->step(c->arg);
        if (ms < 0)
            return -1;
        sum += ms;
        n++;
    }
    return sum / n;
}

static void print_table(const race *r)
{
    double mark = series_best(&r->c[r->n - 1].times);
    printf("\n%s%s%s, %d rounds\n", r->name, r->pass ? " " : "", r->pass ? r->pass : "",
           r->c[0].times.n);
    printf("  %-28s %12s %12s %10s %8s\n", "", "best ms", "median ms", r->unit ? r->unit : "",
           r->apart ? "" : "ratio");
    for (int k = 0; k < r->n; k++) {
        double best = series_best(&r->c[k].times);
        printf("  %-28s %12.6g %12.6g ", r->c[k].impl, best, series_median(&r->c[k].times));
        if (r->unit)
            printf("%10.4g", r->amount / best);
        else
            printf("%10s", "");
        if (!r->apart)
            printf(" %8.2f", best / mark);
        printf("\n");
    }
}

static void print_json(const part_options *o, const race *r)
{
    bench_record record = {.name = r->name,
                           .pass = r->pass,
                           .threads = o->threads,
                           .gflops = (double)NAN,
                           .peak_mb = (double)NAN,
                           .ratio_onednn = (double)NAN};
    for (int k = 0; k < r->n; k++) {
        record.impl = r->c[k].impl;
        record.ms = series_best(&r->c[k].times);
        bench_record_print(&record);
    }
}

int race_run(const part_options *o, race *r)
{
    int least = o->quick ? 3 : 7, done = 0;
    for (int k = 0; k < r->n; k++) {
        r->c[k].times.n = 0;
        if (r->c[k].step(r->c[k].arg) < 0)
            return 1;
    }
    double end = now_ms() + 1e3 * o->seconds;
    while ((done < least || now_ms() < end) && done < MOST_ROUNDS) {
        for (int k = 0; k < r->n; k++) {
            double ms = block(&r->c[k]);
            if (ms < 0)
                return 1;
            series_add(&r->c[k].times, ms);
        }
        done++;
    }
    if (o->json)
        print_json(o, r);
    else
        print_table(r);
    fflush(stdout);
    return 0;
}
