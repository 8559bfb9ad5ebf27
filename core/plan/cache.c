/* cache.c -- plans by key: a hash finds one, a comparison of the whole key confirms it, the longest
 * unused one makes room.
 *
 *     key  [ 7 | op 2 [32,128] ... ]  --hash-->  0x3f..
 *                                                [ 0x11.. | 0x3f.. | 0x90.. ]
 *
 * They are few, so they are simply looked through. */
#include "core/plan/cache.h"

#include <string.h>

tl_plan_cache *tl__cache_of(tl_tape *tape)
{
    if (!tape->plans) {
        tape->plans = tl__calloc(1, sizeof *tape->plans);
        if (!tape->plans)
            tl_tape_fail(tape, TL_ENOMEM, "run", "no memory for the plans' cache");
    }
    return tape->plans;
}

tl_cached *tl__cache_find(tl_plan_cache *c, const tl_stretch *s)
{
    for (uint32_t k = 0; k < c->nentries; k++) {
        tl_cached *e = &c->entry[k];
        if (e->hash == s->hash && e->nkey == s->nkey &&
            memcmp(e->key, s->key, s->nkey * sizeof *s->key) == 0) {
            e->used = c->stats.runs;
            return e;
        }
    }
    return NULL;
}

static void drop(tl_cached *e)
{
    tl__binding_close(&e->binding, e->plan);
    tl__profile_close(&e->tallies);
    tl__plan_free(e->plan);
    tl__free(e->key);
}

tl_cached *tl__cache_put(tl_plan_cache *c, const tl_stretch *s, tl_plan *p, uint32_t most)
{
    uint64_t *key = tl__alloc(s->nkey * sizeof *key);
    tl_binding binding = {0};
    if (most < 1)
        most = 1;
    if (!key || tl__binding_open(&binding, p) ||
        tl__grow(&c->entry, &c->entries_capacity, c->nentries + 1, sizeof *c->entry)) {
        tl__binding_close(&binding, p);
        tl__free(key);
        return NULL;
    }
    memcpy(key, s->key, s->nkey * sizeof *key);
    while (c->nentries >= most) {
        uint32_t oldest = 0;
        for (uint32_t k = 1; k < c->nentries; k++)
            if (c->entry[k].used < c->entry[oldest].used)
                oldest = k;
        drop(&c->entry[oldest]);
        c->entry[oldest] = c->entry[--c->nentries];
    }
    c->entry[c->nentries] = (tl_cached){s->hash, key, s->nkey, c->stats.runs, p, binding, {0}};
    return &c->entry[c->nentries++];
}

char *tl__cache_slab(tl_plan_cache *c, size_t bytes)
{
    if (c->slab && bytes <= c->slab_bytes)
        return c->slab;
    tl__aligned_free(c->slab);
    c->slab_bytes = 0;
    c->slab = tl__aligned_alloc(bytes);
    if (c->slab)
        c->slab_bytes = bytes;
    return c->slab;
}

void tl__plans_free(tl_tape *tape)
{
    tl_plan_cache *c = tape->plans;
    if (!c)
        return;
    for (uint32_t k = 0; k < c->nentries; k++)
        drop(&c->entry[k]);
    tl__free(c->entry);
    tl__stretch_close(&c->stretch);
    tl__aligned_free(c->slab);
    tl__free(c);
    tape->plans = NULL;
}
