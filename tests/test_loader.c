/* test_loader.c -- the same batches, errors and places for any number of workers. */
#include "core/memory.h"
#include "core/random.h"
#include "data/loader.h"

#include <criterion/criterion.h>
#include <string.h>
#include <uv.h>

/* A dataset of sequences made up from the item's seed alone, so that any dependence on workers
 * would show. */
static int64_t random_length(void *user, int64_t i, uint64_t seed, tl_err *err)
{
    (void)user, (void)i, (void)err;
    tl_rng r = {seed, 0, 0};
    return (int64_t)tl__rng_below(&r, 9);
}

static int random_item(void *user, int64_t i, uint64_t seed, int64_t length, void *x, void *y,
                       tl_err *err)
{
    const int *bad = user;
    tl_rng r = {seed, 1, 0};
    if (bad && i % *bad == *bad - 1)
        return tl__fail(err, TL_EIO, "item %lld is damaged", (long long)i);
    for (int64_t t = 0; t < length; t++)
        ((float *)x)[t] = (float)tl__rng_uniform(&r);
    *(int32_t *)y = (int32_t)i;
    return TL_OK;
}

static tl_dataset made_up(int64_t count, int *bad)
{
    return (tl_dataset){.count = count,
                        .x = {TL_F32, tl_shape0(), 0},
                        .y = {TL_I32, tl_shape0(), 0},
                        .has_y = 1,
                        .user = bad,
                        .length = random_length,
                        .get = random_item};
}

static tl_batches *batches_of(const tl_dataset *d, int64_t size)
{
    tl_items_opts o = tl_items_defaults();
    o.batch = size;
    tl_err err;
    tl_batches *b = tl_batches_of_items(d, &o, &err);
    cr_assert_not_null(b, "%s", err.message);
    return b;
}

static tl_loader *loader_of(const tl_batches *b, int workers, int prefetch, tl_place start)
{
    tl_loader_opts o = tl_loader_defaults();
    o.workers = workers;
    o.prefetch = prefetch;
    o.start = start;
    tl_err err;
    tl_loader *l = tl_loader_new(b, &o, &err);
    cr_assert_not_null(l, "%s", err.message);
    return l;
}

static uint64_t hash(uint64_t h, const void *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        h = (h ^ ((const unsigned char *)data)[i]) * 1099511628211u; /* FNV-1a */
    return h;
}

static uint64_t hash_array(uint64_t h, const tl_array *a)
{
    h = hash(h, &a->shape, sizeof a->shape);
    return a->data ? hash(h, a->data, (size_t)tl_shape_count(a->shape) * tl_dtype_size(a->dtype))
                   : h;
}

/* next_hash -- everything the next batch, or its error, consists of. */
static uint64_t next_hash(tl_loader *l)
{
    const tl_batch *b;
    tl_err err = {0};
    uint64_t h = 14695981039346656037u;
    int code = tl_loader_next(l, &b, &err);
    cr_assert_eq(b == NULL, code != TL_OK);
    if (code)
        return hash(hash(h, &code, sizeof code), err.message, strlen(err.message));
    h = hash(hash(h, &b->place, sizeof b->place), &b->count, sizeof b->count);
    h = hash_array(hash_array(hash_array(h, &b->x), &b->y), &b->lengths);
    return hash(h, b->items, (size_t)b->size * sizeof b->items[0]);
}

static const struct {
    int workers, prefetch;
} kinds[] = {{0, 0}, {1, 0}, {1, 4}, {2, 1}, {4, 0}, {4, 16}};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

Test(loader, batches_do_not_depend_on_workers)
{
    enum { STEPS = 60 };
    for (int errors = 0; errors < 2; errors++) {
        int bad = 10;
        tl_dataset d = made_up(50, errors ? &bad : NULL);
        tl_batches *b = batches_of(
            &d, 7); /* 8 in an epoch, the last of one item: 60 are seven epochs and a half */
        uint64_t want[STEPS];
        for (int k = 0; k < KINDS; k++) {
            tl_loader *l = loader_of(b, kinds[k].workers, kinds[k].prefetch, (tl_place){11, 0, 0});
            cr_assert_eq(tl_loader_count(l), 8);
            for (int i = 0; i < STEPS; i++) {
                const tl_place p = tl_loader_place(l);
                cr_assert(p.seed == 11 && p.epoch == i / 8 && p.index == i % 8);
                const uint64_t h = next_hash(l);
                if (k == 0)
                    want[i] = h;
                cr_assert_eq(h, want[i], "batch %d with %d workers", i, kinds[k].workers);
            }
            tl_loader_free(l);
        }
        for (int i = 0; i < STEPS; i++)
            for (int j = 0; j < i; j++)
                cr_assert_neq(want[i], want[j]);
        tl_batches_free(b);
    }
}

Test(loader, text_comes_in_the_same_order_too)
{
    int32_t ids[1000];
    for (int i = 0; i < 1000; i++)
        ids[i] = i;
    tl_stream_opts o = {.batch = 3, .steps = 10};
    tl_batches *b = tl_batches_of_stream((tl_stream){ids, 1000}, &o, NULL);
    uint64_t want[70];
    for (int k = 0; k < KINDS; k++) {
        tl_loader *l = loader_of(b, kinds[k].workers, kinds[k].prefetch, (tl_place){0, 0, 0});
        for (int i = 0; i < 70; i++) {
            const tl_batch *batch;
            cr_assert_eq(tl_loader_next(l, &batch, NULL), TL_OK);
            uint64_t h = hash_array(
                hash_array(hash(0, &batch->place, sizeof batch->place), &batch->x), &batch->y);
            if (k == 0)
                want[i] = h;
            cr_assert_eq(h, want[i]);
        }
        tl_loader_free(l);
    }
    tl_batches_free(b);
}

Test(loader, errors_come_at_their_batch_and_the_rest_goes_on)
{
    int bad = 5; /* items 4, 9, 14, ... */
    tl_dataset d = made_up(20, &bad);
    tl_items_opts o = tl_items_defaults();
    o.batch = 3;
    o.shuffle = 0;
    tl_batches *b = tl_batches_of_items(&d, &o, NULL);
    for (int k = 0; k < KINDS; k++) {
        tl_loader *l = loader_of(b, kinds[k].workers, kinds[k].prefetch, (tl_place){0, 0, 0});
        for (int i = 0; i < 30; i++) {
            const tl_batch *batch;
            tl_err err = {0};
            const int first = i % 7 * 3, last = first + 3 < 20 ? first + 3 : 20;
            int damaged = -1;
            for (int item = last - 1; item >= first; item--)
                damaged = item % 5 == 4 ? item : damaged;
            const int code = tl_loader_next(l, &batch, &err);
            cr_assert_eq(code, damaged < 0 ? TL_OK : TL_EIO);
            if (damaged < 0)
                continue;
            char want[100];
            sprintf(want, "batch %d of epoch %d: item %d: item %d is damaged", i % 7, i / 7,
                    damaged, damaged);
            cr_assert_str_eq(err.message, want);
            cr_assert_eq(err.code, TL_EIO);
        }
        tl_loader_free(l);
    }
    tl_batches_free(b);
}

Test(loader, a_saved_place_is_restored_exactly)
{
    tl_dataset d = made_up(50, NULL);
    tl_batches *b = batches_of(&d, 7);
    uint64_t want[40];
    tl_loader *all = loader_of(b, 0, 0, (tl_place){3, 0, 0});
    for (int i = 0; i < 40; i++)
        want[i] = next_hash(all);
    tl_loader_free(all);
    for (int k = 0; k < KINDS; k++)
        for (int stopped = 0; stopped < 30; stopped += 3) {
            tl_meta *meta = tl_meta_new();
            tl_place place;
            tl_loader *l = loader_of(b, kinds[k].workers, kinds[k].prefetch, (tl_place){3, 0, 0});
            for (int i = 0; i < stopped; i++)
                next_hash(l);
            cr_assert_eq(tl_place_save(tl_loader_place(l), meta, "data"), TL_OK);
            tl_loader_free(l);
            cr_assert_eq(tl_place_load(&place, meta, "data", NULL), TL_OK);
            l = loader_of(b, kinds[KINDS - 1 - k].workers, 2, place);
            for (int i = stopped; i < stopped + 10; i++)
                cr_assert_eq(next_hash(l), want[i]);
            /* and back, in the same loader */
            tl_err err;
            cr_assert_eq(tl_loader_seek(l, (tl_place){3, 1, 2}, &err), TL_OK, "%s", err.message);
            cr_assert_eq(next_hash(l), want[10]);
            cr_assert_eq(tl_loader_seek(l, (tl_place){3, 0, 8}, &err), TL_ERANGE);
            cr_assert_eq(next_hash(l), want[11], "a seek that was refused has changed nothing");
            tl_loader_free(l);
            tl_meta_free(meta);
        }
    tl_batches_free(b);
}

Test(loader, a_batch_stays_until_the_next_call)
{
    tl_dataset d = made_up(50, NULL);
    tl_batches *b = batches_of(&d, 7);
    for (int k = 0; k < KINDS; k++) {
        tl_loader *l = loader_of(b, kinds[k].workers, kinds[k].prefetch, (tl_place){3, 0, 0});
        for (int i = 0; i < 20; i++) {
            const tl_batch *batch;
            cr_assert_eq(tl_loader_next(l, &batch, NULL), TL_OK);
            const uint64_t before = hash_array(hash_array(0, &batch->x), &batch->y);
            uv_sleep(i % 5 == 0); /* time for workers to do harm */
            cr_assert_eq(hash_array(hash_array(0, &batch->x), &batch->y), before);
        }
        tl_loader_free(l);
    }
    tl_batches_free(b);
}

Test(loader, stops_anywhere_many_times, .timeout = 120)
{
    tl_dataset d = made_up(200, NULL);
    tl_batches *b = batches_of(&d, 2);
    for (int round = 0; round < 300; round++) {
        tl_loader *l =
            loader_of(b, round % 5, round % 7, (tl_place){(uint64_t)round, 0, round % 100});
        for (int i = 0; i < round % 11; i++)
            next_hash(l);
        if (round % 3 == 0)
            cr_assert_eq(tl_loader_seek(l, (tl_place){1, 2, 3}, NULL), TL_OK);
        tl_loader_free(l);
    }
    tl_loader_free(NULL);
    tl_batches_free(b);
}

/* Prefetch is bounded: workers make no more than the ring holds while the caller waits. */
static uv_mutex_t made_lock;
static int made;

static int count_made(const tl_batches *b, tl_place place, tl_batch *batch, tl_err *err)
{
    (void)b, (void)place, (void)batch, (void)err;
    uv_mutex_lock(&made_lock);
    made++;
    uv_mutex_unlock(&made_lock);
    return TL_OK;
}

static int made_now(void)
{
    uv_mutex_lock(&made_lock);
    int n = made;
    uv_mutex_unlock(&made_lock);
    return n;
}

Test(loader, prefetch_is_bounded)
{
    tl_batches b = {.count = 1000, .make = count_made};
    const tl_batch *batch;
    uv_mutex_init(&made_lock);
    tl_loader *l = loader_of(&b, 2, 5, (tl_place){0, 0, 0});
    for (int i = 0; i < 2000 && made_now() < 6; i++)
        uv_sleep(1);
    uv_sleep(20);
    cr_assert_eq(made_now(), 6);
    cr_assert_eq(tl_loader_next(l, &batch, NULL), TL_OK);
    uv_sleep(20);
    cr_assert_eq(made_now(), 6, "the batch that the caller holds keeps its place");
    cr_assert_eq(tl_loader_next(l, &batch, NULL), TL_OK);
    for (int i = 0; i < 2000 && made_now() < 7; i++)
        uv_sleep(1);
    cr_assert_eq(made_now(), 7);
    tl_loader_free(l);
    uv_mutex_destroy(&made_lock);
}

Test(loader, impossible_options_are_refused)
{
    tl_dataset d = made_up(5, NULL);
    tl_batches *b = batches_of(&d, 2);
    tl_loader_opts o = tl_loader_defaults();
    tl_err err;
    const tl_batch *batch;
    o.workers = -1;
    cr_assert_null(tl_loader_new(b, &o, &err));
    cr_assert_eq(err.code, TL_EINVAL);
    o.workers = 257;
    cr_assert_null(tl_loader_new(b, &o, &err));
    o = tl_loader_defaults();
    o.prefetch = -1;
    cr_assert_null(tl_loader_new(b, &o, &err));
    o = tl_loader_defaults();
    o.start.index = 3;
    cr_assert_null(tl_loader_new(b, &o, &err));
    cr_assert_eq(err.code, TL_ERANGE);
    cr_assert_null(tl_loader_new(NULL, NULL, &err));
    cr_assert_eq(tl_loader_next(NULL, &batch, &err), TL_EINVAL);
    cr_assert_eq(tl_loader_seek(NULL, (tl_place){0}, &err), TL_EINVAL);
    cr_assert_eq(tl_loader_count(NULL), 0);
    for (long n = 1; n <= 3; n++) {
        tl__fail_after(n);
        tl_loader *l = tl_loader_new(b, NULL, &err);
        tl__fail_after(0);
        cr_assert_null(l);
        cr_assert_eq(err.code, TL_ENOMEM);
    }
    tl_batches_free(b);
}

/* Memory that runs out in a worker is an error of that batch, and no other. */
Test(loader, no_memory_in_a_worker_is_an_error_of_its_batch)
{
    tl_dataset d = made_up(50, NULL);
    tl_batches *b = batches_of(&d, 7);
    const tl_batch *batch;
    tl_err err;
    tl_loader *l = loader_of(b, 1, 0, (tl_place){3, 0, 0});
    cr_assert_eq(tl_loader_next(l, &batch, &err), TL_OK);
    tl__fail_after(1);
    int failed = 0, code = TL_OK;
    for (int i = 0; i < 6; i++) {
        code = tl_loader_next(l, &batch, &err);
        cr_assert(code == TL_OK || code == TL_ENOMEM);
        failed += code != TL_OK;
    }
    tl__fail_after(0);
    cr_assert_lt(1, failed);
    for (int i = 0; i < 3; i++) /* those made while it failed may still stand in the ring */
        code = tl_loader_next(l, &batch, &err);
    cr_assert_eq(code, TL_OK);
    tl_loader_free(l);
    tl_batches_free(b);
}
