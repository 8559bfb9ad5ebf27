/* tally.h -- what a run counts for the profile (core/profile.c). Private.
 *
 *     instruction   0     1     2            the plan's
 *     tally         [calls, ns]  ...         one for each plan and place where it runs, e.g. the
 *                                            cache's entry; NULL in the run when nobody asks */
#ifndef TL_CORE_PLAN_TALLY_H
#define TL_CORE_PLAN_TALLY_H

#include "core/plan/plan.h"

typedef struct tl_tally {
    uint64_t calls, ns; /* of this run; of a loop with its body */
    uint32_t row;       /* of the profile */
} tl_tally;

/* tl_tallies -- one for each instruction of a plan; zeros at first, closed by its owner. */
typedef struct tl_tallies {
    tl_tally *at;
    uint64_t epoch; /* of the rows that it knows */
} tl_tallies;

/* tl_run_time -- seconds of one run. */
typedef struct tl_run_time {
    double key, plan, run;
    int workers; /* threads that shared it */
    int planned; /* the plan was made for this run */
} tl_run_time;

/* tl__profile_clock -- nanoseconds of a clock that only goes forward. */
TL_API uint64_t tl__profile_clock(void);

/* tl__tally -- the time since *from goes to t; *from becomes now. */
static inline void tl__tally(tl_tally *t, uint64_t *from)
{
    const uint64_t now = tl__profile_clock();
    t->calls++;
    t->ns += now - *from;
    *from = now;
}

/* tl__profile_begin -- the tallies of a run of p, all zero; NULL when the profile is off or memory
 * is short. tl__profile_end -- adds them to the profile. tl__profile_close -- frees them. */
TL_API tl_tally *tl__profile_begin(tl_tallies *t, const tl_plan *p);
TL_API void tl__profile_end(tl_tallies *t, const tl_plan *p, const tl_run_time *time);
TL_API void tl__profile_close(tl_tallies *t);

/* tl__profile_enter, _leave -- a tape, or whatever else runs plans, is there or gone. With
 * TL_PROFILE=1 the last that leaves prints the profile and starts it anew. */
TL_API void tl__profile_enter(void);
TL_API void tl__profile_leave(void);

#endif
