/* phases.h -- work for a team that meets at a barrier again and again. Private to tests. */
#ifndef TL_TESTS_PHASES_H
#define TL_TESTS_PHASES_H

#include "core/team.h"

enum { PHASES_WORKERS = 6 };

typedef struct phases {
    tl_barrier barrier;
    int count;
    int number[2][PHASES_WORKERS];
    int wrong
        [PHASES_WORKERS]; /* numbers that were not those of the phase, as each worker saw them */
} phases;

/* pass_phases -- in each, everybody writes a number and reads those of all. */
static inline void pass_phases(void *context, int worker, int workers)
{
    phases *p = context;
    for (int i = 0; i < p->count; i++) {
        p->number[i % 2][worker] = i * workers + worker;
        tl__barrier_wait(&p->barrier, workers);
        for (int k = 0; k < workers; k++)
            p->wrong[worker] += p->number[i % 2][k] != i * workers + k;
    }
}

#endif
