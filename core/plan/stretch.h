/* stretch.h -- the part of a tape that one run computes, and its canonical description, the
 * plan's key. Private.
 *
 *     tape      %0 input  %1 use W  %2 matmul  %3 tanh  %4 sum (root)  %5 neg
 *     stretch    live      live      runs       runs     runs           -
 *     ordinal    0         1         2          3        4
 *
 * Everything is numbered in the order in which the key describes it, so a plan, which knows
 * ordinals only, fits every stretch with the same key: the k-th ordinal of this stretch is slot
 * order[k]. */
#ifndef TL_CORE_PLAN_STRETCH_H
#define TL_CORE_PLAN_STRETCH_H

#include "core/run.h"

/* STEADY: a leaf that will be the same in many runs. ONE: a constant that is 1. */
enum { TL_MEMBER_LEAF = 1, TL_MEMBER_KEEP = 2, TL_MEMBER_STEADY = 4, TL_MEMBER_ONE = 8 };

typedef struct tl_member {
    uint32_t slot;
    uint32_t flags;
} tl_member;

typedef struct tl_stretch {
    uint32_t *mark;    /* by slot: turn it was marked in, shifted by one, and whether it survives */
    uint32_t *ordinal; /* by slot, of members of this turn */
    uint32_t slots_capacity, ordinals_capacity;
    uint32_t turn;
    tl_member *member; /* by ordinal */
    uint32_t nmembers, members_capacity;
    uint64_t *key;
    uint32_t nkey, key_capacity;
    uint64_t hash;
    uint32_t *list; /* slots of frame 0 that run, ascending */
    uint32_t nlist, list_capacity;
    uint32_t loops; /* how many of them are scans */
} tl_stretch;

/* tl__stretch_make -- finds what runs and what survives, has scans record the residuals that
 * they are to keep, numbers all and writes the key. Returns TL_OK or the sticky error. */
TL_API int tl__stretch_make(tl_stretch *s, tl_tape *tape, int nroots, const uint32_t *roots,
                            const tl_run_opts *opts);
TL_API void tl__stretch_close(tl_stretch *s);

/* tl__key_write -- the second half of it: members, key and hash from list and marks. Returns
 * TL_OK or TL_ENOMEM. */
TL_API int tl__key_write(tl_stretch *s, const tl_tape *tape);

/* tl__stretch_has -- whether a slot runs; tl__stretch_keeps -- and survives. */
static inline int tl__stretch_has(const tl_stretch *s, uint32_t slot)
{
    return s->mark[slot] >> 1 == s->turn;
}
static inline int tl__stretch_keeps(const tl_stretch *s, uint32_t slot)
{
    return s->mark[slot] == (s->turn << 1 | 1u);
}

#endif
