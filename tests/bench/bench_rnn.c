/* bench_rnn.c -- what recurrent layers cost, forward and backward or forward only, against oneDNN's
 * fused primitives and against the bare matrix products.
 *
 *     for each case, cell, pass, number of threads
 *         verify      every way computes the same outputs or gradients, or the program fails
 *         rounds      a block of steps of each way in turn, so that all meet the same machine
 *         table       best and median of the rounds, ratio to oneDNN
 */
#include "tests/bench/bench_record.h"
#include "tests/bench/rnn_impl.h"
#include "tests/bench/rnn_options.h"
#include "tests/bench/rnn_products.h"
#include "tests/bench/stopwatch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TAPELOOP, USER_CELL, LOOP, ONEDNN, IMPLS };

static const rnn_impl *const impls[IMPLS] = {&rnn_tapeloop, &rnn_user_cell, &rnn_loop, &rnn_onednn};

/* Largest difference of outputs and gradients, relative to an array's largest element. */
static const double tolerance = 2e-4;

/* A block takes about so long, or is one step. */
static const double block_ms = 3;

/* bench -- one line of the table's head: a case, cell, pass. */
typedef struct bench {
    const rnn_options *o;
    rnn_data *d;
    rnn_pass pass;
    double (*clock)(void);
    void *run[IMPLS]; /* NULL: not measured */
    series times[IMPLS];
    series products;
} bench;

static int is_loop_absurd(const rnn_case *c)
{
    return c->T * c->D * c->L > 400;
}

/* verify -- all that run against the first of them. */
static int verify(bench *b)
{
    const rnn_case *c = b->d->shape;
    rnn_result *first = NULL, *r = NULL;
    const char *first_name = NULL, *why = "no memory", *where = "";
    int bad = 0;
    for (int k = 0; k < IMPLS && !bad; k++) {
        if (!b->run[k])
            continue;
        r = rnn_result_new(b->d);
        bad = !r || impls[k]->read(b->run[k], r, &why);
        if (bad) {
            fprintf(stderr, "%s %s %s: %s: %s\n", c->name, rnn_cell_name(b->d->cell),
                    rnn_pass_name(b->pass), impls[k]->name, why);
        } else if (!first) {
            first = r;
            first_name = impls[k]->name;
            r = NULL;
        } else {
            double e = rnn_result_difference(b->d, b->pass, first, r, &where);
            bad = !(e < tolerance);
            if (bad)
                fprintf(stderr,
                        "%s %s %s: %s of %s and %s differ by %.2g of the largest element, "
                        "want %.2g at most\n",
                        c->name, rnn_cell_name(b->d->cell), rnn_pass_name(b->pass), where,
                        first_name, impls[k]->name, e, tolerance);
        }
        rnn_result_free(r);
        r = NULL;
    }
    rnn_result_free(first);
    return bad;
}

static void close_all(bench *b)
{
    for (int k = 0; k < IMPLS; k++)
        if (b->run[k])
            impls[k]->close(b->run[k]);
    rnn_data_free(b->d);
}

static int open_all(bench *b)
{
    for (int k = 0; k < IMPLS; k++) {
        const char *why = "";
        if (!impls[k]->open || !(b->o->impls & 1u << k) ||
            (k == LOOP && is_loop_absurd(b->d->shape)))
            continue;
        b->run[k] = impls[k]->open(b->d, b->pass, &why);
        if (!b->run[k]) {
            fprintf(stderr, "%s: %s: %s\n", b->d->shape->name, impls[k]->name, why);
            return 1;
        }
    }
    return 0;
}

/* block -- the mean time of a step over about block_ms; negative after a failure. */
static double block(const bench *b, const rnn_impl *impl, void *run)
{
    double sum = 0;
    int n = 0;
    while (n == 0 || sum < block_ms) {
        const char *why = "";
        impl->prepare(run);
        double start = b->clock();
        if (impl->step(run, &why)) {
            fprintf(stderr, "%s: %s\n", impl->name, why);
            return -1;
        }
        sum += b->clock() - start;
        n++;
    }
    return sum / n;
}

static int rounds(bench *b)
{
    double end = now_ms() + 1e3 * b->o->seconds;
    int least = b->o->quick ? 3 : 7, done = 0;
    while (b->o->rounds ? done < b->o->rounds
                        : (done < least || now_ms() < end) && done < MOST_ROUNDS) {
        for (int k = 0; k < IMPLS; k++) {
            double ms = b->run[k] ? block(b, impls[k], b->run[k]) : 0;
            if (ms < 0)
                return 1;
            if (b->run[k])
                series_add(&b->times[k], ms);
        }
        series_add(&b->products, products_step(b->d, b->pass, b->clock));
        done++;
    }
    return 0;
}

static void print_row(const char *name, double best, double median, double gflops, double ratio,
                      double pairs)
{
    printf("  %-24s %9.3f %9.3f %8.1f", name, best, median, gflops);
    if (isfinite(ratio))
        printf(" %8.2f %8.2f", ratio, pairs);
    printf("\n");
}

static void print_table(const bench *b, int threads)
{
    const rnn_case *c = b->d->shape;
    double flops = rnn_case_flops(c, b->d->cell, b->pass), mark = series_best(&b->times[ONEDNN]);
    printf("\n%s %s %s, %d thread%s: T %d B %d I %d H %d", c->name, rnn_cell_name(b->d->cell),
           rnn_pass_name(b->pass), threads, threads == 1 ? "" : "s", c->T, c->B, c->I, c->H);
    printf("%s%s (%s), %d rounds\n", c->L == 2 ? ", two layers" : "",
           c->D == 2 ? ", both directions" : "", c->what, b->products.n);
    printf("  %-24s %9s %9s %8s %8s %8s\n", "", "best ms", "median", "GF/s", "/onednn", "pairs");
    for (int k = 0; k < IMPLS; k++) {
        double best = series_best(&b->times[k]);
        if (b->run[k])
            print_row(impls[k]->name, best, series_median(&b->times[k]), 1e-6 * flops / best,
                      best / mark, series_pairs(&b->times[k], &b->times[ONEDNN]));
        else
            printf("  %-24s not measured\n", impls[k]->name);
    }
    double wall = 1e-6 * flops / peak_gflops(), alone = series_best(&b->products);
    print_row("products, our gemm", alone, series_median(&b->products), 1e-6 * flops / alone,
              alone / mark, series_pairs(&b->products, &b->times[ONEDNN]));
    print_row("products, at peak", wall, wall, peak_gflops(), wall / mark,
              wall / series_median(&b->times[ONEDNN]));
    if (b->run[TAPELOOP]) {
        rnn_costs costs = impls[TAPELOOP]->costs(b->run[TAPELOOP]);
        printf("  of tapeloop's step: recording %.3f ms, key and look-up %.3f ms\n", costs.record,
               costs.key);
    }
}

static void print_json(const bench *b, int threads)
{
    double flops = rnn_case_flops(b->d->shape, b->d->cell, b->pass);
    double mark = series_best(&b->times[ONEDNN]), wall = 1e-6 * flops / peak_gflops();
    bench_record r = {.name = b->d->shape->name,
                      .cell = rnn_cell_name(b->d->cell),
                      .pass = rnn_pass_name(b->pass),
                      .threads = threads,
                      .peak_mb = (double)NAN};
    for (int k = 0; k < IMPLS; k++) {
        if (!b->run[k])
            continue;
        r.impl = impls[k]->name;
        r.ms = series_best(&b->times[k]);
        r.gflops = 1e-6 * flops / r.ms;
        r.ratio_onednn = r.ms / mark;
        bench_record_print(&r);
    }
    r.impl = "products";
    r.ms = wall;
    r.gflops = peak_gflops();
    r.ratio_onednn = wall / mark;
    bench_record_print(&r);
}

static int measure(const rnn_options *o, const rnn_case *c, rnn_cell cell, rnn_pass pass)
{
    static bench b;
    b = (bench){.o = o, .pass = pass, .clock = o->cpu ? cpu_ms : now_ms};
    b.d = rnn_data_new(c, cell);
    int bad = !b.d || open_all(&b) || verify(&b);
    for (int k = 0; k < IMPLS && !bad; k++)
        bad = b.run[k] && block(&b, impls[k], b.run[k]) < 0; /* warm */
    bad = bad || rounds(&b);
    if (!bad && o->json)
        print_json(&b, 1);
    else if (!bad)
        print_table(&b, 1);
    fflush(stdout);
    close_all(&b);
    return bad;
}

int main(int argc, char **argv)
{
    const char *names[IMPLS];
    for (int k = 0; k < IMPLS; k++)
        names[k] = impls[k]->name;
    rnn_options o = rnn_options_parse(argc, argv, IMPLS, names);
    /* Both sides read their number of threads once, when they are loaded. */
    if (!getenv("OMP_NUM_THREADS")) {
        setenv("OMP_NUM_THREADS", "1", 1);
        setenv("TL_THREADS", "1", 1);
        execv("/proc/self/exe", argv);
    }
    if (!o.json)
        printf("peak of one core: %.1f GF/s (product of 1024^3)\n", peak_gflops());
    int bad = 0;
    for (int c = 0; c < rnn_case_count(); c++)
        for (rnn_cell cell = 0; cell < RNN_CELLS; cell++)
            for (rnn_pass pass = 0; pass < RNN_PASSES; pass++)
                if (o.cases & 1u << c && o.cells & 1u << cell && o.passes & 1u << pass)
                    bad |= measure(&o, rnn_case_at(c), cell, pass);
    return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
