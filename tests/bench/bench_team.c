/* bench_team.c -- what it costs to run nothing on several threads, back to back and after a rest,
 * and to meet at a barrier. Best and median of many.
 *
 *     bench_team [workers]
 */
#include "core/team.h"
#include "tests/bench/stopwatch.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

enum { RUNS = 2000, RESTED_RUNS = 200, MEETINGS = 2000, ROUNDS = 50 };

static void nothing(void *context, int worker, int workers)
{
    (void)context, (void)worker, (void)workers;
}

/* meeting -- MEETINGS barriers; worker 0 writes what one took. */
typedef struct meeting {
    tl_barrier barrier;
    double ms;
} meeting;

static void meet(void *context, int worker, int workers)
{
    meeting *m = context;
    tl__barrier_wait(&m->barrier, workers);
    double start = now_ms();
    for (int i = 0; i < MEETINGS; i++)
        tl__barrier_wait(&m->barrier, workers);
    if (worker == 0)
        m->ms = (now_ms() - start) / MEETINGS;
}

static void show(const char *what, series *s)
{
    printf("%-30s best %7.0f ns   median %7.0f ns\n", what, series_best(s) * 1e6,
           series_median(s) * 1e6);
    s->n = 0;
}

static void time_runs(series *s, int workers, int n, unsigned rest_ms)
{
    for (int i = 0; i < n; i++) {
        if (rest_ms)
            uv_sleep(rest_ms);
        double start = now_ms();
        tl__team_run(workers, nothing, NULL);
        series_add(s, now_ms() - start);
    }
}

int main(int argc, char **argv)
{
    static series s;
    int workers = argc > 1 ? atoi(argv[1]) : tl__processors();
    if (tl_set_threads(workers)) {
        fprintf(stderr, "usage: %s [workers, 1..%d]\n", argv[0], TL_THREADS_MAX);
        return 2;
    }
    printf("%d threads, %d processors\n", tl__team_run(workers, nothing, NULL), tl__processors());
    time_runs(&s, workers, RUNS, 0);
    show("empty run, back to back", &s);
    time_runs(&s, workers, RESTED_RUNS, 1);
    show("empty run, after 1 ms of rest", &s);
    meeting m = {0};
    for (int i = 0; i < ROUNDS; i++) {
        tl__team_run(workers, meet, &m);
        series_add(&s, m.ms);
    }
    show("barrier", &s);
    tl__team_close();
    return 0;
}
