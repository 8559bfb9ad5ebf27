/* tsan_team.c -- the team under ThreadSanitizer: runs of every size with barriers, two threads of
 * the host at once, the number of threads changed and the team closed meanwhile. A plain main
 * program, since Criterion does not start there. Prints what differed and returns 1, or returns
 * 0. */
#include "tests/phases.h"

#include <stdio.h>
#include <uv.h>

enum { MOST = 4, PHASES = 30, RUNS = 1500, HOSTS = 2 };

static void host(void *result)
{
    phases p = {.count = PHASES};
    int wrong = 0;
    for (int i = 0; i < RUNS; i++) {
        int n = tl__team_run(1 + i % MOST, pass_phases, &p);
        for (int k = 0; k < n; k++)
            wrong += p.wrong[k];
        if (i % 50 == 49)
            uv_sleep(1); /* workers fall asleep */
    }
    *(int *)result = wrong;
}

int main(void)
{
    int wrong[HOSTS + 1] = {0};
    uv_thread_t thread[HOSTS];
    tl_set_threads(MOST);
    host(&wrong[HOSTS]);
    for (int h = 0; h < HOSTS; h++)
        if (uv_thread_create(&thread[h], host, &wrong[h])) {
            printf("no threads\n");
            return 1;
        }
    for (int i = 0; i < 40; i++) {
        tl_set_threads(1 + i % MOST);
        if (i % 8 == 7)
            tl__team_close();
        uv_sleep(1);
    }
    for (int h = 0; h < HOSTS; h++)
        uv_thread_join(&thread[h]);
    int sum = 0;
    for (int h = 0; h <= HOSTS; h++)
        sum += wrong[h];
    if (sum)
        printf("%d numbers of other workers were old\n", sum);
    return sum != 0;
}
