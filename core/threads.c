/* threads.c -- the number of threads a run may use: the environment's, the host's, or that of the
 * processors. The threads are in team.c. */
#include "core/threads.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

static uv_once_t once = UV_ONCE_INIT;
static int processors, by_default; /* written once */
static atomic_int chosen;          /* by the host; 0: not yet */

/* number_of -- 1..TL_THREADS_MAX from text, 0 when it is no whole number of at least 1. */
static int number_of(const char *text)
{
    char *end;
    if (!text || *text == '\0')
        return 0;
    long n = strtol(text, &end, 10);
    if (*end != '\0' || n < 1)
        return 0;
    return n < TL_THREADS_MAX ? (int)n : TL_THREADS_MAX;
}

static void init(void)
{
    unsigned n = uv_available_parallelism();
    processors = n < TL_THREADS_MAX ? (int)n : TL_THREADS_MAX;
    by_default = number_of(getenv("TL_THREADS"));
    if (by_default == 0)
        by_default = processors;
}

int tl__processors(void)
{
    uv_once(&once, init);
    return processors;
}

int tl_threads(void)
{
    uv_once(&once, init);
    int n = atomic_load_explicit(&chosen, memory_order_relaxed);
    return n ? n : by_default;
}

int tl_set_threads(int n)
{
    if (n < 0 || n > TL_THREADS_MAX)
        return tl__fail(NULL, TL_EINVAL, "tl_set_threads: got %d threads, want 0..%d", n,
                        TL_THREADS_MAX);
    atomic_store_explicit(&chosen, n ? n : tl__processors(), memory_order_relaxed);
    return TL_OK;
}
