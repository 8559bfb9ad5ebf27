/* rows.c -- new values of a few rows, noted by a commit and settled by the first reader. */
#include "core/rows.h"

#include "core/packs.h"

#include <string.h>
#include <uv.h>

struct tl_rows {
    tl_buf *idx;    /* [n] i32, in range */
    tl_buf *values; /* [n,...] */
    int64_t n;
    size_t size; /* of a row, in bytes */
};

static uv_once_t once = UV_ONCE_INIT;
static uv_mutex_t lock; /* of all settling */
static int has_lock;

static void init(void)
{
    has_lock = uv_mutex_init(&lock) == 0;
}

tl_rows *tl__rows_new(tl_buf *idx, tl_buf *values, int64_t n, size_t size)
{
    uv_once(&once, init);
    tl_rows *r = has_lock ? tl__alloc(sizeof *r) : NULL;
    if (r)
        *r = (tl_rows){idx, values, n, size};
    return r;
}

void tl__rows_free(tl_rows *r)
{
    if (!r)
        return;
    tl__buf_unref(r->idx);
    tl__buf_unref(r->values);
    tl__free(r);
}

void tl__rows_set(tl_store *store, tl_rows *rows)
{
    tl__rows_free(atomic_exchange_explicit(&store->rows, rows, memory_order_acq_rel));
}

/* write_rows -- of equal indices the first counts, so it is written last. */
static void write_rows(const tl_rows *r, char *data)
{
    const int32_t *idx = r->idx->data;
    const char *values = r->values->data;
    for (int64_t i = r->n; i-- > 0;)
        memcpy(data + (size_t)idx[i] * r->size, values + (size_t)i * r->size, r->size);
}

/* settle -- the lock is held. */
static int settle(tl_store *store)
{
    const tl_rows *r = atomic_load_explicit(&store->rows, memory_order_acquire);
    if (!r)
        return TL_OK; /* another thread was faster */
    /* Nobody takes a new reference before this is done: all of them settle first. */
    if (atomic_load_explicit(&store->value->refs, memory_order_acquire) > 1) {
        tl_buf *copy = tl__buf_new(store->value->bytes);
        if (!copy)
            return TL_ENOMEM;
        memcpy(copy->data, store->value->data, store->value->bytes);
        tl__buf_unref(store->value);
        store->value = copy;
    }
    tl__packs_drop(store->value);
    write_rows(r, store->value->data);
    tl__rows_set(store, NULL);
    return TL_OK;
}

int tl__rows_settle(const tl_store *store)
{
    if (!atomic_load_explicit(&store->rows, memory_order_acquire))
        return TL_OK;
    uv_mutex_lock(&lock);
    const int code = settle((tl_store *)store);
    uv_mutex_unlock(&lock);
    return code;
}
