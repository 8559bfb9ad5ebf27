/* team.c -- the threads that run plans: started when first needed, kept, asleep when idle.
 *
 *     caller     claim | post .. fn(0) .............. wait | release
 *     worker 1           take .. fn(1) ....... done         look, look, sleep
 *     worker 2           take .. fn(2) .............. done  look, look, sleep
 *
 * Each worker has a state on a cache line of its own. IDLE: it looks there. The caller puts WORK
 * (or STOP) there; only when it takes ASLEEP away must it also wake the worker. A worker that has
 * looked for SLEEP_NS in vain puts ASLEEP itself. So in a loop of short runs nobody calls the
 * kernel, and idle threads cost nothing.
 *
 * `claimed` is a lock that nobody waits for: who does not get it works alone. It guards the team
 * but for the insides of a run, and makes calls from inside fn run alone without asking.
 *
 * A child after fork() has none of the threads: it forgets them and makes new ones in the same
 * places. */
#include "core/team.h"

#include "core/memory.h"

#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <uv.h>

enum { YIELD_NS = 5000, SLEEP_NS = 50000, LOOKS = 32 };
enum { IDLE, ASLEEP, WORK, STOP };

/* Padded, not aligned: so that leak checkers find its beginning in team.worker. */
typedef struct worker {
    char before[64];
    atomic_int state;
    int number; /* in the team: 1.. */
    uv_sem_t wake;
    uv_thread_t thread;
    char after[64];
} worker;

/* What the workers of a run read. */
typedef struct job {
    tl_team_fn fn;
    void *context;
    int workers;
    fenv_t env;
} job;

static struct {
    uv_once_t once;
    int usable; /* since `once`: a child after fork can be told */
    atomic_int claimed;
    int count;                      /* threads there are */
    worker *worker[TL_THREADS_MAX]; /* [k]: worker k + 1; memory stays after its thread is gone */
    _Alignas(64) job job;
    _Alignas(64) atomic_int working; /* workers that have not returned from fn yet */
} team = {.once = UV_ONCE_INIT};

/* ---- waiting --------------------------------------------------------------------------------- */

/* vigil -- how long somebody has looked already. */
typedef struct vigil {
    int looks, late;
    uint64_t since; /* ns */
} vigil;

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* linger -- a pause between two looks; after YIELD_NS, or a moment when there are more threads than
 * processors, the processor is given away in it, since who is waited for may need this one. Returns
 * 0 when looking has lasted long enough to sleep: SLEEP_NS, or that moment. */
static int linger(vigil *v, int workers)
{
    if (v->late)
        sched_yield();
    else
        relax();
    if (!v->late && ++v->looks % LOOKS != 0)
        return 1;
    uint64_t now = uv_hrtime();
    if (v->since == 0)
        v->since = now;
    const int crowded = workers > tl__processors();
    v->late = crowded || now - v->since > YIELD_NS;
    return !crowded && now - v->since <= SLEEP_NS;
}

void tl__barrier_wait(tl_barrier *b, int workers)
{
    if (workers == 1)
        return;
    /* This meeting cannot pass before this thread has arrived. */
    const unsigned meeting = atomic_load_explicit(&b->passed, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&b->arrived, 1, memory_order_acq_rel) == workers - 1) {
        atomic_store_explicit(&b->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&b->passed, meeting + 1, memory_order_release);
        return;
    }
    vigil v = {0};
    while (atomic_load_explicit(&b->passed, memory_order_acquire) == meeting)
        linger(&v, workers);
}

/* ---- workers --------------------------------------------------------------------------------- */

static int state_of(worker *w)
{
    return atomic_load_explicit(&w->state, memory_order_acquire);
}

/* next -- waits for WORK or STOP; `workers` is the number in the last run. */
static int next(worker *w, int workers)
{
    vigil v = {0};
    int state;
    while ((state = state_of(w)) == IDLE)
        if (!linger(&v, workers)) {
            if (atomic_compare_exchange_strong(&w->state, &state, ASLEEP))
                uv_sem_wait(&w->wake);
            return state_of(w);
        }
    return state;
}

static void work(void *user)
{
    worker *w = user;
    int workers = 1;
    while (next(w, workers) == WORK) {
        atomic_store_explicit(&w->state, IDLE, memory_order_relaxed);
        workers = team.job.workers;
        fesetenv(&team.job.env);
        team.job.fn(team.job.context, w->number, workers);
        atomic_fetch_sub_explicit(&team.working, 1, memory_order_release);
    }
}

static void tell(worker *w, int state)
{
    if (atomic_exchange(&w->state, state) == ASLEEP)
        uv_sem_post(&w->wake);
}

/* start -- one more thread. It takes no signals: those are the host's, and its threads'. */
static int start(void)
{
    worker *w = team.worker[team.count];
    if (!w && !(w = tl__alloc(sizeof *w)))
        return TL_ENOMEM;
    team.worker[team.count] = w;
    atomic_init(&w->state, IDLE);
    w->number = team.count + 1;
    if (uv_sem_init(&w->wake, 0) != 0)
        return TL_ENOMEM;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int code = uv_thread_create(&w->thread, work, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0) {
        uv_sem_destroy(&w->wake);
        return TL_EUNSUPPORTED;
    }
    team.count++;
    return TL_OK;
}

/* ---- the team -------------------------------------------------------------------------------- */

static void forget(void)
{
    team.count = 0;
    atomic_store(&team.claimed, 0);
}

static void init(void)
{
    team.usable = pthread_atfork(NULL, NULL, forget) == 0;
}

static int claim(void)
{
    uv_once(&team.once, init);
    return team.usable && !atomic_exchange_explicit(&team.claimed, 1, memory_order_acquire);
}

static void release(void)
{
    atomic_store_explicit(&team.claimed, 0, memory_order_release);
}

/* gather -- at least n threads; 0 when they cannot be had. */
static int gather(int n)
{
    while (team.count < n)
        if (start())
            return 0;
    return 1;
}

/* run -- with the team claimed and gathered. */
static void run(int workers, tl_team_fn fn, void *context)
{
    team.job.fn = fn;
    team.job.context = context;
    team.job.workers = workers;
    fegetenv(&team.job.env);
    atomic_store_explicit(&team.working, workers - 1, memory_order_relaxed);
    for (int k = 0; k < workers - 1; k++)
        tell(team.worker[k], WORK);
    fn(context, 0, workers);
    vigil v = {0};
    while (atomic_load_explicit(&team.working, memory_order_acquire) > 0)
        linger(&v, workers);
}

int tl__team_run(int wanted, tl_team_fn fn, void *context)
{
    const int most = tl_threads();
    int workers = wanted < most ? wanted : most;
    if (workers < 2 || !claim()) {
        fn(context, 0, 1);
        return 1;
    }
    if (gather(workers - 1)) {
        run(workers, fn, context);
        release();
        return workers;
    }
    release();
    fn(context, 0, 1);
    return 1;
}

static void end_threads(void)
{
    for (int k = 0; k < team.count; k++)
        tell(team.worker[k], STOP);
    for (int k = 0; k < team.count; k++) {
        uv_thread_join(&team.worker[k]->thread);
        uv_sem_destroy(&team.worker[k]->wake);
    }
    team.count = 0;
}

void tl__team_close(void)
{
    if (!claim())
        return;
    end_threads();
    for (int k = 0; k < TL_THREADS_MAX; k++) {
        worker *w = team.worker[k];
        team.worker[k] = NULL; /* first: a child made just now must not find it */
        tl__free(w);
    }
    release();
}

/* Stays claimed: what still runs then runs alone. A host's allocator may be gone by now, so no
 * memory is given back. */
__attribute__((destructor)) static void at_exit(void)
{
    if (claim())
        end_threads();
}
