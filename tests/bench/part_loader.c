/* part_loader.c -- batches from data/loader with no, one and two worker threads, nothing done with
 * them. */
#include "tests/bench/part.h"
#include "tests/bench/rnn_data.h"

#include <stdio.h>
#include <stdlib.h>

enum { ITEMS = 10000, PIXELS = 784, BATCH = 128, SYMBOLS = 2000000, WORKERS = 3, DRAWN = 50 };

/* Milliseconds for each batch. */
static double step(void *arg)
{
    double start = now_ms();
    for (int i = 0; i < DRAWN; i++) {
        const tl_batch *batch;
        tl_err err = {0};
        if (tl_loader_next(arg, &batch, &err)) {
            fprintf(stderr, "loader: %s\n", err.message);
            return -1;
        }
    }
    return (now_ms() - start) / DRAWN;
}

static int race_workers(const part_options *o, const char *name, const tl_batches *b, double mb)
{
    tl_loader *l[WORKERS] = {NULL};
    tl_err err = {0};
    int bad = !b;
    for (int k = 0; k < WORKERS && !bad; k++) {
        tl_loader_opts opts = tl_loader_defaults();
        opts.workers = WORKERS - 1 - k;
        l[k] = tl_loader_new(b, &opts, &err);
        bad = !l[k];
    }
    if (bad)
        fprintf(stderr, "loader: %s\n", err.message);
    static contender c[WORKERS] = {{.impl = "2 workers", .step = step},
                                   {.impl = "1 worker", .step = step},
                                   {.impl = "no worker", .step = step}};
    for (int k = 0; k < WORKERS; k++)
        c[k].arg = l[k];
    race r = {name, NULL, WORKERS, c, mb, "GB/s", 0};
    bad = bad || race_run(o, &r);
    for (int k = 0; k < WORKERS; k++)
        tl_loader_free(l[k]);
    return bad;
}

static int run(const part_options *o)
{
    tl_err err = {0};
    float *pixels = floats_new((size_t)ITEMS * PIXELS);
    int32_t *labels = calloc(ITEMS, sizeof *labels), *ids = calloc(SYMBOLS, sizeof *ids);
    int bad = !pixels || !labels || !ids;
    tl_dataset d = {0};
    tl_batches *items = NULL, *text = NULL;
    if (!bad) {
        tl_array x = tl_array_f32(tl_shape2(ITEMS, PIXELS), pixels);
        tl_array y = tl_array_i32(tl_shape1(ITEMS), labels);
        tl_items_opts opts = tl_items_defaults();
        opts.batch = BATCH;
        bad = tl_dataset_arrays(&d, &x, &y, &err);
        items = bad ? NULL : tl_batches_of_items(&d, &opts, &err);
        text = tl_batches_of_stream((tl_stream){ids, SYMBOLS}, NULL, &err);
    }
    if (!items || !text) {
        fprintf(stderr, "loader: %s\n", err.code ? err.message : "no memory");
        bad = 1;
    }
    bad = bad || race_workers(o, "loader, batch of 128 images", items, 4e-6 * BATCH * PIXELS) ||
          race_workers(o, "loader, batch of text 100x32", text, 8e-6 * 100 * 32);
    tl_batches_free(items);
    tl_batches_free(text);
    tl_dataset_close(&d);
    free(pixels);
    free(labels);
    free(ids);
    return bad;
}

const part part_loader = {"loader", "batches made ahead of time", run};
