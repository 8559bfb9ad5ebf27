/* sharetest.h -- what the tests of shared plans have in common: everything is shared that can be,
 * however small, so that clashes which large programs rarely show are the rule. */
#ifndef TL_TESTS_SHARETEST_H
#define TL_TESTS_SHARETEST_H

#include "core/run.h"
#include "core/threads.h"
#include "tests/check.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM = 1 << 16, MOST = 4, ROWS = 2 /* the axis before the last, for sums */ };

/* share -- whether plans made from now on share everything, among so many threads. */
static inline void share(int threads)
{
    const unsigned passes = tl__passes() & ~(unsigned)TL_SHARE_ALL;
    tl__set_period_rows(7); /* periods of a few steps */
    tl__set_passes(threads ? passes | TL_SHARE_ALL : passes);
    cr_assert_eq(tl_set_threads(threads ? threads : 1), TL_OK);
}

/* numbers_fn -- computes numbers to out[0..ROOM); returns how many. */
typedef int64_t (*numbers_fn)(uint64_t variant, double *out);

/* hold_same -- they have the same bits with an unshared plan and with any number of threads. */
static inline void hold_same(const char *name, numbers_fn compute, uint64_t variant)
{
    static double want[ROOM], got[ROOM];
    share(0);
    const int64_t n = compute(variant, want);
    cr_assert(0 < n && n <= ROOM);
    for (int threads = 1; threads <= MOST; threads++) {
        share(threads);
        cr_assert_eq(compute(variant, got), n);
        for (int64_t k = 0; k < n; k++)
            cr_assert(memcmp(&got[k], &want[k], sizeof *got) == 0,
                      "%s %d, %d threads: number %lld: got %.17g, want %.17g", name, (int)variant,
                      threads, (long long)k, got[k], want[k]);
    }
    share(0);
}

/* put -- t's elements behind the n numbers there are. */
static inline int64_t put(tl_tensor t, int64_t n, double *out)
{
    double *v = check_values(t);
    const int64_t count = tl_shape_count(tl_shape_of(t));
    cr_assert_not_null(v, "%s", t.tape ? tl_tape_error(t.tape) : "inert");
    cr_assert(n + count <= ROOM);
    memcpy(out + n, v, (size_t)count * sizeof *v);
    free(v);
    return n + count;
}

#endif
