/* rnn_bench.c -- opens, verifies and runs all ways of one case. */
#include "tests/bench/rnn_bench.h"

#include <math.h>
#include <stdio.h>

const rnn_impl *const rnn_impls[IMPLS] = {&rnn_tapeloop, &rnn_user_cell, &rnn_loop, &rnn_program,
                                          &rnn_onednn};

/* Largest difference of outputs and gradients, relative to an array's largest element. */
static const double tolerance = 2e-4;

/* A block takes about so long, or is one step. */
static const double block_ms = 3;

/* complain -- "char lstm train: " and what is wrong. Returns 1. */
static int complain(const rnn_bench *b, int k, const char *why)
{
    fprintf(stderr, "%s %s %s, threads %d: %s: %s\n", b->d->shape->name, rnn_cell_name(b->d->cell),
            rnn_pass_name(b->pass), b->threads, rnn_impls[k]->name, why);
    return 1;
}

int rnn_bench_wants(const rnn_bench *b, int k)
{
    return rnn_impls[k]->open && b->o->impls & 1u << k;
}

int rnn_bench_open_data(rnn_bench *b, const rnn_options *o, const rnn_case *c, rnn_cell cell,
                        rnn_pass pass, int threads)
{
    *b = (rnn_bench){.o = o, .pass = pass, .threads = threads};
    b->clock = o->cpu && threads == 1 ? cpu_ms : now_ms;
    for (int k = 0; k < IMPLS; k++)
        b->peak_mb[k] = (double)NAN;
    b->costs = (rnn_costs){(double)NAN, (double)NAN, (double)NAN};
    b->d = rnn_data_new(c, cell);
    if (!b->d)
        fprintf(stderr, "%s: no memory\n", c->name);
    return !b->d;
}

int rnn_bench_start(rnn_bench *b, int k)
{
    const char *why = "";
    b->run[k] = rnn_impls[k]->open(b->d, b->pass, &why);
    return b->run[k] ? 0 : complain(b, k, why);
}

int rnn_bench_open(rnn_bench *b, const rnn_options *o, const rnn_case *c, rnn_cell cell,
                   rnn_pass pass, int threads)
{
    int bad = rnn_bench_open_data(b, o, c, cell, pass, threads);
    for (int k = 0; k < IMPLS && !bad; k++)
        bad = rnn_bench_wants(b, k) && rnn_bench_start(b, k);
    return bad;
}

void rnn_bench_close(rnn_bench *b)
{
    for (int k = 0; k < IMPLS; k++)
        if (b->run[k])
            rnn_impls[k]->close(b->run[k]);
    rnn_data_free(b->d);
}

int rnn_bench_verify(rnn_bench *b)
{
    rnn_result *first = NULL;
    int known = 0, bad = 0;
    for (int k = 0; k < IMPLS && !bad; k++) {
        if (!b->run[k])
            continue;
        const char *why = "no memory", *where = "";
        rnn_result *r = rnn_result_new(b->d);
        bad = (!r || rnn_impls[k]->read(b->run[k], r, &why)) && complain(b, k, why);
        if (!bad && !first) {
            first = r;
            known = k;
            continue;
        }
        double e = bad ? 0 : rnn_result_difference(b->d, b->pass, first, r, &where);
        if (!(e < tolerance)) {
            char text[160];
            snprintf(text, sizeof text,
                     "%s differs from that of %s by %.2g of its largest element, "
                     "want %.2g at most",
                     where, rnn_impls[known]->name, e, tolerance);
            bad = complain(b, k, text);
        }
        rnn_result_free(r);
    }
    rnn_result_free(first);
    return bad;
}

double rnn_bench_block(rnn_bench *b, int k)
{
    double sum = 0;
    int n = 0;
    while (n == 0 || sum < block_ms) {
        const char *why = "";
        rnn_impls[k]->prepare(b->run[k]);
        double start = b->clock();
        if (rnn_impls[k]->step(b->run[k], &why)) {
            complain(b, k, why);
            return -1;
        }
        sum += b->clock() - start;
        n++;
    }
    return sum / n;
}
