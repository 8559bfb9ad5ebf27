/* bench_rnn.c -- what recurrent layers cost, forward and backward or forward only, against oneDNN's
 * fused primitives and against the bare matrix products.
 *
 *     for each case, cell, pass, number of threads
 *         verify      every way computes the same outputs or gradients, or the program fails
 *         rounds      one thread: a block of steps of each way in turn, in one process
 *                     more: a process of each way in turn
 *         memory      of one step, in a fresh process for each way
 *         table       best and median of the rounds, ratio to oneDNN
 *
 * rnn_impl.h has what a way to compute is, rnn_tape.c and rnn_onednn.c are the ways. */
#include "tests/bench/rnn_bench.h"
#include "tests/bench/rnn_child.h"
#include "tests/bench/rnn_products.h"
#include "tests/bench/rnn_table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* one_thread -- interleaved. Verifying has made plans and run each way once. */
static int one_thread(rnn_bench *b)
{
    int least = b->o->quick ? 3 : 7, done = 0, bad = rnn_bench_verify(b);
    double end = now_ms() + 1e3 * b->o->seconds;
    while (!bad && (b->o->rounds ? done < b->o->rounds
                                 : (done < least || now_ms() < end) && done < MOST_ROUNDS)) {
        for (int k = 0; k < IMPLS && !bad; k++) {
            if (!b->run[k])
                continue;
            double ms = rnn_bench_block(b, k);
            bad = ms < 0;
            series_add(&b->best[k], ms);
            series_add(&b->median[k], ms);
            b->measured[k] = 1;
        }
        series_add(&b->products, products_step(b->d, b->pass, b->clock));
        done++;
    }
    return bad;
}

/* many_threads -- processes that take turns; quickly, only those that the goals name. */
static int many_threads(rnn_bench *b)
{
    int rounds = b->o->rounds ? b->o->rounds : b->o->quick ? 2 : 5, bad = rnn_child_verify(b);
    double seconds = b->o->seconds / (rounds * IMPLS);
    for (int i = 0; i < rounds && !bad; i++)
        for (int k = 0; k < IMPLS && !bad; k++)
            bad = rnn_bench_wants(b, k) && (!b->o->quick || (k != USER_CELL && k != LOOP)) &&
                  rnn_child_time(b, k, seconds);
    return bad;
}

/* has_memory -- where memory is measured: everywhere, or, quickly, where it is large. */
static int has_memory(const rnn_bench *b, int k)
{
    const char *name = b->d->shape->name;
    if (!b->measured[k])
        return 0;
    return !b->o->quick ||
           ((k == TAPELOOP || k == PROGRAM || k == ONEDNN) && b->threads == 1 &&
            b->pass == RNN_TRAIN && (!strcmp(name, "char") || !strcmp(name, "big")));
}

static int measure(const rnn_options *o, const rnn_case *c, rnn_cell cell, rnn_pass pass,
                   int threads)
{
    static rnn_bench b;
    int bad = threads == 1 && !o->child ? rnn_bench_open(&b, o, c, cell, pass, threads)
                                        : rnn_bench_open_data(&b, o, c, cell, pass, threads);
    if (bad || o->child) {
        bad = bad || rnn_child_main(&b);
        rnn_bench_close(&b);
        return bad;
    }
    bad = threads == 1 ? one_thread(&b) : many_threads(&b);
    for (int k = 0; k < IMPLS && !bad; k++)
        bad = has_memory(&b, k) && rnn_child_memory(&b, k);
    if (!bad && b.run[TAPELOOP])
        b.costs = rnn_impls[TAPELOOP]->costs(b.run[TAPELOOP]);
    if (!bad && o->json)
        rnn_table_json(&b);
    else if (!bad)
        rnn_table_print(&b);
    fflush(stdout);
    rnn_bench_close(&b);
    return bad;
}

int main(int argc, char **argv)
{
    const char *names[IMPLS];
    for (int k = 0; k < IMPLS; k++)
        names[k] = rnn_impls[k]->name;
    rnn_options o = rnn_options_parse(argc, argv, IMPLS, names);
    /* Both sides read their number of threads once, when they are loaded. */
    if (!o.child && !getenv("TL_BENCH")) {
        setenv("TL_BENCH", "1", 1);
        rnn_child_setenv(1);
        execv("/proc/self/exe", argv);
    }
    if (!o.json && !o.child)
        printf("peak of one core: %.1f GF/s (product of 1024^3)\n", peak_gflops());
    int bad = 0;
    for (int c = 0; c < rnn_case_count(); c++)
        for (rnn_cell cell = 0; cell < RNN_CELLS; cell++)
            for (rnn_pass pass = 0; pass < RNN_PASSES; pass++)
                for (int k = 0; k < o.nthreads; k++)
                    if (o.cases & 1u << c && o.cells & 1u << cell && o.passes & 1u << pass)
                        bad |= measure(&o, rnn_case_at(c), cell, pass, o.threads[k]);
    return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
