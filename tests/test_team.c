/* test_team.c -- all at once, everything visible, never waiting for others, asleep when idle. */
#include "core/memory.h"
#include "tests/phases.h"

#include <criterion/criterion.h>
#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

enum { MOST = PHASES_WORKERS };

/* count -- every worker comes once, with the right numbers; they meet, so they run at once. */
typedef struct counts {
    tl_barrier barrier;
    int came[MOST], workers[MOST];
} counts;

static void count(void *context, int worker, int workers)
{
    counts *c = context;
    tl__barrier_wait(&c->barrier, workers);
    c->came[worker]++;
    c->workers[worker] = workers;
}

static int ran_with(int wanted)
{
    counts c = {0};
    int n = tl__team_run(wanted, count, &c);
    for (int k = 0; k < MOST; k++)
        cr_assert(c.came[k] == (k < n) && c.workers[k] == (k < n ? n : 0),
                  "worker %d of %d came %d times and was told %d", k, n, c.came[k], c.workers[k]);
    return n;
}

Test(team, runs_on_all_workers_at_once)
{
    tl_set_threads(MOST);
    for (int n = 1; n <= MOST; n++)
        cr_assert_eq(ran_with(n), n);
    for (int n = MOST; n >= -1; n--)
        cr_assert_eq(ran_with(n), n < 1 ? 1 : n);
}

Test(team, is_never_larger_than_what_the_host_allows)
{
    tl_set_threads(2);
    cr_assert_eq(ran_with(5), 2);
    tl_set_threads(4);
    cr_assert_eq(ran_with(5), 4);
    tl_set_threads(1);
    cr_assert_eq(ran_with(5), 1);
    tl_set_threads(3);
    cr_assert_eq(ran_with(5), 3);
}

Test(team, meets_at_a_barrier_again_and_again)
{
    tl_set_threads(4);
    phases p = {.count = 3000};
    for (int n = 1; n <= 4; n++) {
        cr_assert_eq(tl__team_run(n, pass_phases, &p), n);
        for (int k = 0; k < n; k++)
            cr_assert_eq(p.wrong[k], 0, "%d workers: %d numbers were old", n, p.wrong[k]);
    }
}

static void add_one(void *context, int worker, int workers)
{
    (void)workers;
    ((int *)context)[16 * worker]++;
}

Test(team, thousands_of_runs)
{
    tl_set_threads(3);
    int sum[3 * 16] = {0};
    for (int i = 0; i < 20000; i++) {
        if (i % 5000 == 4999)
            uv_sleep(2); /* workers fall asleep */
        tl__team_run(2 + i % 2, add_one, sum);
    }
    cr_assert(sum[0] == 20000 && sum[16] == 20000 && sum[32] == 10000, "%d %d %d", sum[0], sum[16],
              sum[32]);
}

static void run_inside(void *context, int worker, int workers)
{
    (void)workers;
    ((int *)context)[worker] = ran_with(2);
}

Test(team, a_run_inside_a_run_is_alone)
{
    tl_set_threads(2);
    int inner[2] = {0};
    cr_assert_eq(tl__team_run(2, run_inside, inner), 2);
    cr_assert(inner[0] == 1 && inner[1] == 1);
    cr_assert_eq(ran_with(2), 2);
}

static void run_elsewhere(void *result)
{
    *(int *)result = ran_with(2);
}

/* If the second host's thread waited for the team, this would never end. */
static void wait_for_another_host(void *context, int worker, int workers)
{
    (void)workers;
    if (worker != 0)
        return;
    uv_thread_t other;
    cr_assert_eq(uv_thread_create(&other, run_elsewhere, context), 0);
    uv_thread_join(&other);
}

Test(team, another_thread_of_the_host_does_not_wait)
{
    tl_set_threads(2);
    int other = 0;
    cr_assert_eq(tl__team_run(2, wait_for_another_host, &other), 2);
    cr_assert_eq(other, 1);
    run_elsewhere(&other);
    cr_assert_eq(other, 2);
}

Test(team, without_memory_the_caller_is_alone)
{
    tl_set_threads(3);
    for (int n = 1; n <= 2; n++) {
        tl__fail_after(n);
        cr_assert_eq(ran_with(3), 1);
    }
    tl__fail_after(0);
    cr_assert_eq(ran_with(3), 3);
    tl__fail_after(1); /* nothing is allocated in a run */
    cr_assert_eq(ran_with(3), 3);
    tl__fail_after(0);
}

/* libuv gives threads stacks of the soft limit. */
Test(team, without_threads_the_caller_is_alone)
{
    struct rlimit before, huge;
    cr_assert_eq(getrlimit(RLIMIT_STACK, &before), 0);
    huge = before;
    huge.rlim_cur = (rlim_t)1 << 46;
    if (setrlimit(RLIMIT_STACK, &huge) != 0)
        cr_skip_test("the limit of stacks cannot be raised here");
    tl_set_threads(2);
    cr_assert_eq(ran_with(2), 1);
    setrlimit(RLIMIT_STACK, &before);
    cr_assert_eq(ran_with(2), 2);
}

static double seconds_of_processors(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

Test(team, idle_workers_sleep)
{
    for (int n = 2; n <= 4; n++) {
        tl_set_threads(n);
        cr_assert_eq(ran_with(n), n);
        double start = seconds_of_processors();
        uv_sleep(100);
        double used = seconds_of_processors() - start;
        cr_assert_lt(used, 0.01, "%d threads: %g s of 0.1 s", n, used);
    }
}

static void close_inside(void *context, int worker, int workers)
{
    tl__team_close();
    count(context, worker, workers);
}

Test(team, is_closed_and_made_again)
{
    tl__team_close(); /* before there is one */
    tl_set_threads(3);
    for (int i = 0; i < 20; i++) {
        cr_assert_eq(ran_with(2 + i % 2), 2 + i % 2);
        if (i % 3 == 0)
            uv_sleep(1);
        tl__team_close();
    }
    tl__team_close();
    counts c = {0};
    cr_assert_eq(tl__team_run(2, close_inside, &c), 2);
    cr_assert(c.came[0] == 1 && c.came[1] == 1);
}

/* child_runs -- whether a child has a team of its own, and ends. By _exit, since a leak checker
 * does not know what threads that a child lacks had. */
static int child_runs(void)
{
    pid_t child = fork();
    if (child == 0) {
        counts c = {0};
        alarm(20);
        int n = tl__team_run(2, count, &c);
        tl__team_close();
        _exit(n == 2 && c.came[0] == 1 && c.came[1] == 1 ? 0 : 1);
    }
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static void fork_elsewhere(void *result)
{
    *(int *)result = child_runs();
}

static void fork_from_another_host(void *context, int worker, int workers)
{
    (void)workers;
    uv_thread_t other;
    if (worker == 0 && uv_thread_create(&other, fork_elsewhere, context) == 0)
        uv_thread_join(&other);
}

Test(team, a_child_makes_its_own)
{
    tl_set_threads(2);
    cr_assert(child_runs(), "before the parent has a team");
    cr_assert_eq(ran_with(2), 2);
    cr_assert(child_runs(), "while the team is idle");
    uv_sleep(5);
    cr_assert(child_runs(), "while the team sleeps");
    int good = 0;
    cr_assert_eq(tl__team_run(2, fork_from_another_host, &good), 2);
    cr_assert(good, "while the team works");
    cr_assert_eq(ran_with(2), 2);
}

static void divide(void *context, int worker, int workers)
{
    (void)workers;
    volatile double one = 1, three = 3;
    ((double *)context)[worker] = one / three;
}

Test(team, rounds_as_the_caller_does)
{
    tl_set_threads(2);
    double near[2], up[2], again[2];
    cr_assert_eq(tl__team_run(2, divide, near), 2);
    fesetround(FE_UPWARD);
    cr_assert_eq(tl__team_run(2, divide, up), 2);
    fesetround(FE_TONEAREST);
    cr_assert_eq(tl__team_run(2, divide, again), 2);
    cr_assert(near[0] == near[1] && again[0] == near[0] && again[1] == near[0]);
    cr_assert(up[0] == up[1] && up[0] > near[0]);
}

static void signals_of(void *context, int worker, int workers)
{
    (void)workers;
    sigset_t now;
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    ((int *)context)[worker] = sigismember(&now, SIGINT);
}

Test(team, leaves_signals_to_the_host)
{
    tl_set_threads(2);
    int blocked[2] = {-1, -1};
    cr_assert_eq(tl__team_run(2, signals_of, blocked), 2);
    cr_assert(blocked[0] == 0 && blocked[1] == 1);
}
