/* profile.h -- where the time went: by operation and scope, with arithmetic and bytes. */
#ifndef TL_CORE_PROFILE_H
#define TL_CORE_PROFILE_H

#include "core/status.h"

TL_BEGIN_DECLS

/* tl_profile_on -- switches the profile of the process on or off; off at first. TL_PROFILE=1 in the
 * environment switches it on from the start, and has it printed on stderr, and begun anew, whenever
 * the last tape of the process is freed.
 *
 * Costs some 40 ns for each instruction that runs while on, and nothing to speak of while off.
 * Changes no bit of any result. May be called from any thread. */
TL_API void tl_profile_on(int on);
TL_API int tl_profile_is_on(void);

/* tl_profile_reset -- forgets all rows and totals; the time begins now. */
TL_API void tl_profile_reset(void);

/* tl_profile_row -- all instructions of one kind that do the same in one scope.
 *
 *   kind     "contract" (a product), "tile" (pointwise operations in one pass), "call" (any other
 *            operation), "iota", "band", "loop" (a loop without its body)
 *   what     operations, names of operands, type and shape: "h x W_hh  f32 [32,512], k=128". Names
 *            are those of the tape when the plan was made.
 *   scope    of the first operation: "lstm/step"; "" outside all
 *   seconds  of the thread that began the run, also when several share it
 *   flops    2 m n k of products; one for each element and operation of a tile, exp and tanh too
 *   bytes    operands read and results written, each element once for each call, wherever it lay
 *   peak     share of the arithmetic that as many threads as ran it could do (tl_profile_peak; f64
 *            counts twice), 0 .. 1 */
typedef struct tl_profile_row {
    const char *kind, *what, *scope;
    uint64_t calls;
    double seconds, flops, bytes, peak;
} tl_profile_row;

/* tl_profile_rows -- copies the first `most` rows to rows[], the slowest first, and returns how
 * many there are. Strings are valid until tl_profile_reset, and until a tape is freed with
 * TL_PROFILE=1. */
TL_API int tl_profile_rows(tl_profile_row *rows, int most);

/* tl_profile_total -- of everything since the profile was switched on or reset.
 *
 *   elapsed  seconds by the clock: what is not in the other three is recording, loading data and
 *            whatever else the program does
 *   look_up  finding out what runs, and the plan for it
 *   planning making plans
 *   running  executing them; what is not in the rows lies between instructions */
typedef struct tl_profile_total {
    double elapsed, look_up, planning, running;
    uint64_t runs, plans;
} tl_profile_total;

TL_API tl_profile_total tl_profile_totals(void);

/* tl_profile_peak -- the most f32 operations a second that one thread does here: the best of some
 * products of 512 x 512 matrices, measured (some 30 ms) when first asked for. 0 when memory is
 * short. */
TL_API double tl_profile_peak(void);

/* tl_profile_text -- totals and the `most` slowest rows as a table, 100 columns and the operation.
 * Freed with tl_string_free (core/print.h); NULL when memory is short. */
TL_API char *tl_profile_text(int most);

TL_END_DECLS
#endif
