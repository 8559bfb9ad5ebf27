/* tsan_loader.c -- the loader under ThreadSanitizer: every number of workers, stops and seeks in
 * mid-epoch. A plain main program, since Criterion does not start there. Prints what differed and
 * returns 1, or returns 0. */
#include "core/memory.h"
#include "core/random.h"
#include "data/loader.h"

#include <stdio.h>
#include <string.h>

enum { ITEMS = 40, BATCH = 3, STEPS = 45 };

static int64_t length(void *user, int64_t i, uint64_t seed, tl_err *err)
{
    (void)user, (void)i, (void)err;
    tl_rng r = {seed, 0, 0};
    return (int64_t)tl__rng_below(&r, 5);
}

static int get(void *user, int64_t i, uint64_t seed, int64_t n, void *x, void *y, tl_err *err)
{
    (void)user;
    tl_rng r = {seed, 1, 0};
    if (i == 13)
        return tl__fail(err, TL_EIO, "item 13");
    for (int64_t t = 0; t < n; t++)
        ((double *)x)[t] = tl__rng_normal(&r);
    *(int32_t *)y = (int32_t)i;
    return TL_OK;
}

/* sum_next -- a number that depends on all of the next batch, or on its error. */
static double sum_next(tl_loader *l)
{
    const tl_batch *b;
    tl_err err = {0};
    int code = tl_loader_next(l, &b, &err);
    if (code)
        return (double)code * 1000 - (double)strlen(err.message);
    double sum = 0;
    const double *x = b->x.data;
    const int64_t n = tl_shape_count(b->x.shape);
    for (int64_t i = 0; i < n; i++)
        sum += x[i] * (double)(i + 1);
    for (int64_t r = 0; r < b->size; r++)
        sum += (double)(((const int32_t *)b->y.data)[r] + ((const int32_t *)b->lengths.data)[r]) *
               (double)(r + 1);
    return sum;
}

int main(void)
{
    tl_dataset d = {.count = ITEMS,
                    .x = {TL_F64, {0}, 0},
                    .y = {TL_I32, {0}, 0},
                    .has_y = 1,
                    .length = length,
                    .get = get};
    tl_items_opts o = tl_items_defaults();
    tl_err err;
    o.batch = BATCH;
    tl_batches *b = tl_batches_of_items(&d, &o, &err);
    double want[STEPS];
    int wrong = b == NULL;
    for (int round = 0; round < 24 && !wrong; round++) {
        tl_loader_opts lo = tl_loader_defaults();
        lo.workers = round % 6;
        lo.prefetch = round % 4;
        lo.start.seed = 1;
        tl_loader *l = tl_loader_new(b, &lo, &err);
        if (!l) {
            printf("%s\n", err.message);
            wrong = 1;
            break;
        }
        const int steps = round % 5 == 4 ? 7 : STEPS; /* now and then a stop in mid-epoch */
        for (int i = 0; i < steps; i++) {
            double sum = sum_next(l);
            if (round == 0)
                want[i] = sum;
            else if (sum != want[i]) {
                printf("%d workers: batch %d: got %.17g, want %.17g\n", lo.workers, i, sum,
                       want[i]);
                wrong = 1;
            }
        }
        if (tl_loader_seek(l, (tl_place){1, 0, 2}, &err) || sum_next(l) != want[2]) {
            printf("%d workers: seek went elsewhere\n", lo.workers);
            wrong = 1;
        }
        tl_loader_free(l);
    }
    tl_batches_free(b);
    return wrong;
}
