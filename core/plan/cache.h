/* cache.h -- the plans a tape keeps, found by key; the slab they run in; what was counted.
 * Private. */
#ifndef TL_CORE_PLAN_CACHE_H
#define TL_CORE_PLAN_CACHE_H

#include "core/plan/execute.h"

typedef struct tl_cached {
    uint64_t hash;
    uint64_t *key;
    uint32_t nkey;
    uint64_t used; /* the run that used it last */
    tl_plan *plan;
    tl_binding binding;
    tl_tallies tallies;
} tl_cached;

struct tl_plan_cache {
    tl_cached *entry;
    uint32_t nentries, entries_capacity;
    tl_stretch stretch; /* re-used from run to run */
    char *slab;
    size_t slab_bytes;
    tl_run_stats stats;
    const tl_plan *last; /* that ran, or NULL */
};

/* tl__cache_of -- the tape's, made when first asked for; NULL, and the tape's error, when memory
 * is short. */
TL_API tl_plan_cache *tl__cache_of(tl_tape *tape);

/* tl__cache_find -- the entry with the stretch's key, or NULL; valid until the next put. */
TL_API tl_cached *tl__cache_find(tl_plan_cache *c, const tl_stretch *s);

/* tl__cache_put -- keeps a plan, instead of the one that was not used for the longest time if
 * there are `most` already. Returns its entry, or NULL when memory is short (the plan is then
 * still the caller's). */
TL_API tl_cached *tl__cache_put(tl_plan_cache *c, const tl_stretch *s, tl_plan *p, uint32_t most);

/* tl__cache_slab -- at least this many bytes, 64-byte aligned, contents undefined; NULL when
 * memory is short. */
TL_API char *tl__cache_slab(tl_plan_cache *c, size_t bytes);

#endif
