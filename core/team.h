/* team.h -- one function on several threads at once, and the barrier at which they meet. How many
 * threads there may be is the host's choice: threads.h. Private. */
#ifndef TL_CORE_TEAM_H
#define TL_CORE_TEAM_H

#include "core/threads.h"

#include <stdatomic.h>

/* tl_team_fn -- the work of one of `workers` threads, 0 <= worker < workers. All of them run at
 * the same time. It must not fork. */
typedef void (*tl_team_fn)(void *context, int worker, int workers);

/* tl__team_run -- runs fn on up to `wanted` threads, and at most tl_threads(), at once; the caller
 * is worker 0. Returns how many there were, after all of them have returned: what they wrote is
 * the caller's to read, and what the caller wrote before is theirs. They compute in the caller's
 * floating-point environment (rounding, flushing of subnormal numbers), so that a share has the
 * same bits on any thread.
 *
 * Never waits for others: while the team works for somebody else, as in a call from inside fn, or
 * when a thread cannot be made, fn runs with workers = 1 on the caller. */
TL_API int tl__team_run(int wanted, tl_team_fn fn, void *context);

/* tl__team_close -- ends the threads and frees what they had; the next run makes them again. Does
 * nothing while the team works. (The threads also end when the process or the library does.) */
TL_API void tl__team_close(void);

/* tl_barrier -- where `workers` threads wait for each other, again and again. All zero is ready to
 * use; it needs no closing. It may be used by another number of threads once all have come.
 *
 *     | arrived ....... 64 bytes | passed ........ 64 bytes |
 *       counts up: who comes       counts the meetings: who waits reads it alone, so that arriving
 *       last starts it again       disturbs no one */
typedef struct tl_barrier {
    _Alignas(64) atomic_int arrived;
    _Alignas(64) atomic_uint passed;
} tl_barrier;

/* tl__barrier_wait -- returns when all `workers` threads have called it; what any of them wrote
 * before is then visible to all. Spins for some 5 us, then gives the processor away between
 * looks. With workers == 1 it costs a comparison. */
TL_API void tl__barrier_wait(tl_barrier *barrier, int workers);

#endif
