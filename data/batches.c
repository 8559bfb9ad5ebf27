/* batches.c -- batches, places and recipes as such; the recipes themselves are in items.c and
 * stream.c. */
#include "data/batches.h"

#include "core/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int tl_place_save(tl_place place, tl_meta *meta, const char *key)
{
    char text[80];
    snprintf(text, sizeof text, "%llu %lld %lld", (unsigned long long)place.seed,
             (long long)place.epoch, (long long)place.index);
    return tl_meta_set(meta, key, text);
}

int tl_place_load(tl_place *place, const tl_meta *meta, const char *key, tl_err *err)
{
    const char *text = tl_meta_get(meta, key);
    if (!text)
        return tl__fail(err, TL_ENAME, "the metadata have no \"%s\"", key ? key : "");
    unsigned long long number[3];
    const char *at = text;
    for (int i = 0; i < 3; i++) {
        char *end = NULL;
        errno = 0;
        number[i] = *at >= '0' && *at <= '9' ? strtoull(at, &end, 10) : 0;
        if (!end || errno || *end != (i < 2 ? ' ' : '\0') || (i > 0 && number[i] > INT64_MAX))
            return tl__fail(err, TL_EFORMAT,
                            "metadata \"%s\" is \"%.60s\", want \"seed epoch index\"", key, text);
        at = end + 1;
    }
    *place = (tl_place){number[0], (int64_t)number[1], (int64_t)number[2]};
    return TL_OK;
}

void tl_batch_close(tl_batch *b)
{
    if (!b)
        return;
    tl_array_close(&b->x);
    tl_array_close(&b->y);
    tl_array_close(&b->lengths);
    tl__free(b->items);
    *b = (tl_batch){0};
}

int tl_batch_items(tl_batch *b, int64_t n)
{
    if (!b)
        return tl__fail(NULL, TL_EINVAL, "tl_batch_items: no batch (NULL)");
    if (n < 0 || n > UINT32_MAX)
        return tl__fail(NULL, TL_EINVAL, "tl_batch_items: got %lld items, want 0 to 4294967295",
                        (long long)n);
    if (tl__grow(&b->items, &b->items_room, (uint32_t)n, sizeof *b->items))
        return tl__fail(NULL, TL_ENOMEM, "tl_batch_items: no memory for %lld items", (long long)n);
    b->size = n;
    return TL_OK;
}

void tl_batches_free(tl_batches *b)
{
    if (b && b->free)
        b->free(b);
}

int tl__place_check(const tl_batches *b, tl_place place, tl_err *err)
{
    if (!b || !b->make || b->count < 1)
        return tl__fail(err, TL_EINVAL, "batches: got none, or some without make or count");
    if (place.epoch < 0 || place.index < 0 || place.index >= b->count)
        return tl__fail(err, TL_ERANGE,
                        "batch %lld of epoch %lld: want batch in [0,%lld), epoch 0 or more",
                        (long long)place.index, (long long)place.epoch, (long long)b->count);
    return TL_OK;
}

int tl_batches_make(const tl_batches *b, tl_place place, tl_batch *batch, tl_err *err)
{
    tl_err why = {0};
    int code = tl__place_check(b, place, err);
    if (code)
        return code;
    if (!batch)
        return tl__fail(err, TL_EINVAL, "tl_batches_make: no batch to fill (NULL)");
    batch->place = place;
    batch->count = b->count;
    code = b->make(b, place, batch, &why);
    if (code == TL_OK)
        return TL_OK;
    if (code > 0) /* a maker of the user's own */
        code = TL_EINVAL;
    return tl__fail(err, code, "batch %lld of epoch %lld: %s", (long long)place.index,
                    (long long)place.epoch, why.message[0] ? why.message : tl_strerror(code));
}
