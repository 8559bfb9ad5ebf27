/* watch.h -- a look at the operands and the result of one instruction, for core/anomaly.c.
 * Private.
 *
 *     before   x [3,4]: 12 finite, from -1 to 2        W [4,4]: ...
 *     run
 *     after    y [3,4]: 2 NaN, the first [0,3]         operands were finite: made here */
#ifndef TL_CORE_PLAN_WATCH_H
#define TL_CORE_PLAN_WATCH_H

#include "core/plan/plan.h"

enum { TL_WATCHED_MOST = 9 }; /* operands that are looked at, the result among them */

/* tl_seen -- what an array holds. */
typedef struct tl_seen {
    const char *at; /* its element 0 */
    const tl_place *place;
    double least, most; /* of the finite ones */
    int64_t count, nans, infinities;
    int64_t first; /* row-major number of the first that is not finite, -1 */
} tl_seen;

typedef struct tl_watch {
    tl_tape *tape;
    const tl_member *member;
    const tl_note *note;
    uint32_t n;   /* operands seen; the result is behind them */
    int is_whole; /* these are all */
    tl_seen seen[TL_WATCHED_MOST];
    uint32_t depth; /* loops around, and their time steps */
    const int64_t *position;
    /* of an anomaly */
    const tl_op *op;
    uint32_t node; /* ordinal */
    char message[460];
} tl_watch;

/* tl__watch_before -- looks at the operands; at[] are the addresses of the first TL_WATCHED_MOST - 1
 * of n, and the result's last. */
TL_API void tl__watch_before(tl_watch *w, uint32_t n, const char *const *at);
/* tl__watch_after -- looks at the result; whether it is an anomaly, with op, node and message. */
TL_API int tl__watch_after(tl_watch *w, uint32_t depth, const int64_t *position);

#endif
