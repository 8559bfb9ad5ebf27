/* revolve.h -- in which order n steps are run again, from s kept states, so that they can be gone
 * through from the last to the first. Private.
 *
 *     n = 4, s = 2   keep 0, run to 2, keep 2, run to 4, back 3,
 *                    restore 2, run to 3, back 2,  restore 0, run to 2, back 1,
 *                    restore 0, run to 1, back 0
 *
 * A step that has just been run can be gone back over. The schedule is the binomial one, which runs
 * the fewest steps there are: with beta(s,r) = C(s+r,s) and the smallest r for which
 * n <= beta(s,r), it is
 *
 *     n + r n - beta(s+1,r-1)
 *
 * steps in all, none of them more than r + 1 times. (Griewank and Walther 2000, ACM TOMS 26(1),
 * section 2: algorithm 799, revolve.) */
#ifndef TL_CORE_PLAN_REVOLVE_H
#define TL_CORE_PLAN_REVOLVE_H

#include "core/tensor.h"

typedef enum tl_turn_kind {
    TL_TURN_KEEP,    /* the state before step `at`, where we are, to `slot` */
    TL_TURN_RUN,     /* steps [at, to) */
    TL_TURN_BACK,    /* over step `at`, which has been run last */
    TL_TURN_RESTORE, /* the state before step `at`, from `slot` */
    TL_TURN_END
} tl_turn_kind;

typedef struct tl_turn {
    tl_turn_kind kind;
    int64_t at, to, slot;
} tl_turn;

typedef struct tl_revolve {
    int64_t slots;
    int64_t *kept; /* [slots] step that each state comes before; ascending */
    int64_t nkept, now, end;
    int is_lost; /* no state is at hand */
} tl_revolve;

/* tl__revolve_open -- for n >= 1 steps and `slots` >= 1 states, the one before step 0 included.
 * `kept` has room for that many. tl__revolve_next -- what to do next. */
TL_API tl_revolve tl__revolve_open(int64_t n, int64_t slots, int64_t *kept);
TL_API tl_turn tl__revolve_next(tl_revolve *r);

/* tl__revolve_runs -- steps that are run in all, n included; as a double, which it may need. */
TL_API double tl__revolve_runs(int64_t n, int64_t slots);

#endif
