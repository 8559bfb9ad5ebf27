/* loader.c -- worker threads that make batches ahead of time, delivered in order.
 *
 *     ticket      7      8      9      10     11          next_out = 8: what the caller gets next
 *     slot       [7]    [8]    [9]    [10]   [ ]          next_ticket = 11: made next
 *                held   ready  busy   ready  free
 *
 * Ticket n is made in slot n mod P, which must be free; so no worker runs more than P ahead, and
 * the batch that is due next is always made, being made, or the next to be taken: no deadlock. P >
 * workers. Errors travel in their batch's slot. One mutex guards all but the inside of busy slots
 * (their worker's) and of the held one (the caller's). */
#include "data/loader.h"

#include "core/memory.h"

#include <pthread.h>
#include <signal.h>
#include <uv.h>

typedef enum { FREE, BUSY, READY, HELD } slot_state;

typedef struct slot {
    slot_state state;
    int code;
    tl_err err;
    tl_batch batch;
} slot;

struct tl_loader {
    const tl_batches *b;
    int workers; /* asked for */
    int running; /* threads there are; 0: batches are made by the caller */
    uv_thread_t *thread;
    uv_mutex_t lock;
    uv_cond_t space; /* a slot became free, or stop: for workers */
    uv_cond_t ready; /* a batch is made: for the caller */
    int stop;
    slot *slots;
    int nslots;     /* P */
    tl_place start; /* of ticket 0 */
    int64_t next_out, next_ticket;
    slot *held;
};

tl_loader_opts tl_loader_defaults(void)
{
    return (tl_loader_opts){.workers = 1, .prefetch = 4};
}

static tl_place place_of(const tl_loader *l, int64_t ticket)
{
    const int64_t index = l->start.index + ticket;
    return (tl_place){l->start.seed, l->start.epoch + index / l->b->count, index % l->b->count};
}

static void fill(const tl_loader *l, slot *s, int64_t ticket)
{
    s->err = (tl_err){0};
    s->code = tl_batches_make(l->b, place_of(l, ticket), &s->batch, &s->err);
}

static void work(void *user)
{
    tl_loader *l = user;
    uv_mutex_lock(&l->lock);
    while (!l->stop) {
        const int64_t ticket = l->next_ticket;
        slot *s = &l->slots[ticket % l->nslots];
        if (s->state != FREE) {
            uv_cond_wait(&l->space, &l->lock);
            continue;
        }
        s->state = BUSY;
        l->next_ticket++;
        uv_mutex_unlock(&l->lock);
        fill(l, s, ticket);
        uv_mutex_lock(&l->lock);
        s->state = READY;
        uv_cond_signal(&l->ready);
    }
    uv_mutex_unlock(&l->lock);
}

/* stop -- ends the workers and forgets what they made. */
static void stop(tl_loader *l)
{
    uv_mutex_lock(&l->lock);
    l->stop = 1;
    uv_cond_broadcast(&l->space);
    uv_mutex_unlock(&l->lock);
    for (int i = 0; i < l->running; i++)
        uv_thread_join(&l->thread[i]);
    l->running = 0;
    l->stop = 0;
    l->held = NULL;
    for (int i = 0; i < l->nslots; i++)
        l->slots[i].state = FREE;
}

/* start -- from place on. Workers take no signals: those are the host's, and its threads'. */
static int start(tl_loader *l, tl_place place, tl_err *err)
{
    l->start = place;
    l->next_out = l->next_ticket = 0;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    while (l->running < l->workers && uv_thread_create(&l->thread[l->running], work, l) == 0)
        l->running++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (l->running == l->workers)
        return TL_OK;
    const int got = l->running;
    stop(l);
    l->next_ticket = 0;
    return tl__fail(err, TL_EUNSUPPORTED, "loader: could start only %d of %d workers", got,
                    l->workers);
}

static void release(tl_loader *l)
{
    for (int i = 0; l->slots && i < l->nslots; i++)
        tl_batch_close(&l->slots[i].batch);
    tl__free(l->slots);
    tl__free(l->thread);
    tl__free(l);
}

/* make_locks -- all three or none. */
static int make_locks(tl_loader *l)
{
    if (uv_mutex_init(&l->lock) != 0)
        return TL_ENOMEM;
    if (uv_cond_init(&l->space) == 0) {
        if (uv_cond_init(&l->ready) == 0)
            return TL_OK;
        uv_cond_destroy(&l->space);
    }
    uv_mutex_destroy(&l->lock);
    return TL_ENOMEM;
}

tl_loader *tl_loader_new(const tl_batches *b, const tl_loader_opts *opts, tl_err *err)
{
    enum { WORKERS_MAX = 256, PREFETCH_MAX = 4096 };
    const tl_loader_opts o = opts ? *opts : tl_loader_defaults();
    if (o.workers < 0 || o.workers > WORKERS_MAX || o.prefetch < 0 || o.prefetch > PREFETCH_MAX) {
        tl__fail(err, TL_EINVAL, "loader: got %d workers, prefetch %d; want 0..%d and 0..%d",
                 o.workers, o.prefetch, WORKERS_MAX, PREFETCH_MAX);
        return NULL;
    }
    if (tl__place_check(b, o.start, err))
        return NULL;
    tl_loader *l = tl__calloc(1, sizeof *l);
    if (l) {
        l->b = b;
        l->workers = o.workers;
        l->nslots = o.workers == 0
                        ? 1
                        : 1 + (o.prefetch > o.workers ? o.prefetch
                                                      : o.workers); /* one is held by the caller */
        l->slots = tl__calloc((size_t)l->nslots, sizeof *l->slots);
        l->thread = tl__calloc((size_t)o.workers + 1, sizeof *l->thread);
    }
    if (!l || !l->slots || !l->thread || make_locks(l)) {
        tl__fail(err, TL_ENOMEM, "loader: no memory");
        if (l)
            release(l);
        return NULL;
    }
    if (start(l, o.start, err)) {
        tl_loader_free(l);
        return NULL;
    }
    return l;
}

void tl_loader_free(tl_loader *l)
{
    if (!l)
        return;
    stop(l);
    uv_cond_destroy(&l->ready);
    uv_cond_destroy(&l->space);
    uv_mutex_destroy(&l->lock);
    release(l);
}

/* take -- the slot of the batch that is due, made. */
static slot *take(tl_loader *l)
{
    slot *s = &l->slots[l->next_out % l->nslots];
    if (l->running == 0) {
        fill(l, s, l->next_out++);
        l->next_ticket = l->next_out;
        return s;
    }
    uv_mutex_lock(&l->lock);
    if (l->held) {
        l->held->state = FREE;
        uv_cond_signal(&l->space);
    }
    while (s->state != READY)
        uv_cond_wait(&l->ready, &l->lock);
    l->next_out++;
    s->state = HELD;
    uv_mutex_unlock(&l->lock);
    l->held = s;
    return s;
}

int tl_loader_next(tl_loader *l, const tl_batch **batch, tl_err *err)
{
    if (batch)
        *batch = NULL;
    if (!l || !batch)
        return tl__fail(err, TL_EINVAL, "tl_loader_next: no %s (NULL)", l ? "batch" : "loader");
    slot *s = take(l);
    if (s->code == TL_OK)
        *batch = &s->batch;
    else if (err)
        *err = s->err; /* passed through tl__fail when it happened */
    return s->code;
}

tl_place tl_loader_place(const tl_loader *l)
{
    return l ? place_of(l, l->next_out) : (tl_place){0};
}

int tl_loader_seek(tl_loader *l, tl_place place, tl_err *err)
{
    if (!l)
        return tl__fail(err, TL_EINVAL, "tl_loader_seek: no loader (NULL)");
    int code = tl__place_check(l->b, place, err);
    if (code)
        return code;
    stop(l);
    return start(l, place, err);
}

int64_t tl_loader_count(const tl_loader *l)
{
    return l ? l->b->count : 0;
}
