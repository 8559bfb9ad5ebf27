/* rnn_table.c -- lines for people, objects for programs. */
#include "tests/bench/rnn_table.h"

#include "tests/bench/bench_record.h"
#include "tests/bench/rnn_products.h"

#include <math.h>
#include <stdio.h>

/* row -- one line of the table; what is NaN stays empty. */
typedef struct row {
    const char *name;
    double best, median, gflops, ratio, pairs, peak_mb;
} row;

static void cell(const char *format, int width, double value)
{
    if (isfinite(value))
        printf(format, width, value);
    else
        printf(" %*s", width, "");
}

static void print_row(const row *r)
{
    printf("  %-20s", r->name);
    cell(" %*.3f", 10, r->best);
    cell(" %*.3f", 10, r->median);
    cell(" %*.1f", 8, r->gflops);
    cell(" %*.2f", 8, r->ratio);
    cell(" %*.2f", 8, r->pairs);
    cell(" %*.1f", 9, r->peak_mb);
    printf("\n");
}

/* wall_ms -- the products at the rate of a large one, on all threads. */
static double wall_ms(const rnn_bench *b)
{
    return 1e-6 * rnn_case_flops(b->d->shape, b->d->cell, b->pass) / (peak_gflops() * b->threads);
}

static void print_head(const rnn_bench *b)
{
    const rnn_case *c = b->d->shape;
    printf("\n%s %s %s, %d thread%s: T %d B %d I %d H %d", c->name, rnn_cell_name(b->d->cell),
           rnn_pass_name(b->pass), b->threads, b->threads == 1 ? "" : "s", c->T, c->B, c->I, c->H);
    printf("%s%s", c->L == 2 ? ", two layers" : "", c->D == 2 ? ", both directions" : "");
    int rounds = 0;
    for (int k = 0; k < IMPLS; k++)
        rounds = b->best[k].n > rounds ? b->best[k].n : rounds;
    printf(" (%s), %d %s\n", c->what, rounds, b->threads == 1 ? "rounds" : "processes each");
    printf("  %-20s %10s %10s %8s %8s %8s %9s\n", "", "best ms", "median ms", "GF/s", "/onednn",
           "pairs", "peak MiB");
}

void rnn_table_print(const rnn_bench *b)
{
    const double none = (double)NAN;
    double flops = rnn_case_flops(b->d->shape, b->d->cell, b->pass),
           mark = series_best(&b->best[ONEDNN]);
    print_head(b);
    for (int k = 0; k < IMPLS; k++) {
        double best = series_best(&b->best[k]);
        row r = {rnn_impls[k]->name,  best,        series_median(&b->median[k]),
                 1e-6 * flops / best, best / mark, series_pairs(&b->median[k], &b->median[ONEDNN]),
                 b->peak_mb[k]};
        if (b->measured[k])
            print_row(&r);
    }
    double alone = series_best(&b->products), wall = wall_ms(b);
    row products = {"products, our gemm",
                    alone,
                    series_median(&b->products),
                    1e-6 * flops / alone,
                    alone / mark,
                    series_pairs(&b->products, &b->median[ONEDNN]),
                    none};
    row peak = {"products, at peak", wall, none, 1e-6 * flops / wall, wall / mark, none, none};
    if (b->products.n)
        print_row(&products);
    print_row(&peak);
    if (isfinite(b->costs.record))
        printf("  of tapeloop's step: recording %.3f ms, key and look-up %.3f ms; planning, in the "
               "first step only, %.2f ms\n",
               b->costs.record, b->costs.key, b->costs.plan);
}

void rnn_table_json(const rnn_bench *b)
{
    double flops = rnn_case_flops(b->d->shape, b->d->cell, b->pass),
           mark = series_best(&b->best[ONEDNN]);
    bench_record r = {.name = b->d->shape->name,
                      .cell = rnn_cell_name(b->d->cell),
                      .pass = rnn_pass_name(b->pass),
                      .threads = b->threads};
    for (int k = 0; k < IMPLS; k++) {
        if (!b->measured[k])
            continue;
        r.impl = rnn_impls[k]->name;
        r.ms = series_best(&b->best[k]);
        r.gflops = 1e-6 * flops / r.ms;
        r.peak_mb = b->peak_mb[k];
        r.ratio_onednn = r.ms / mark;
        bench_record_print(&r);
    }
    r.impl = "products";
    r.ms = wall_ms(b);
    r.gflops = 1e-6 * flops / r.ms;
    r.peak_mb = (double)NAN;
    r.ratio_onednn = r.ms / mark;
    bench_record_print(&r);
}
