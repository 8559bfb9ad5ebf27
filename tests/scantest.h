/* scantest.h -- what the tests of scans share: numbers to put in, and a look at what comes out. */
#ifndef TL_TESTS_SCANTEST_H
#define TL_TESTS_SCANTEST_H

#include "core/scan_record.h"
#include "ops/ops.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { ROOM = 256 };

/* numbers -- first, first + 1, ... */
static inline tl_tensor numbers(tl_tape *tape, tl_shape shape, double first)
{
    double v[ROOM];
    int64_t n = tl_shape_count(shape);
    for (int64_t i = 0; i < n; i++)
        v[i] = first + (double)i;
    return tl_input_f64(tape, shape, v);
}

/* holds -- the elements of t, computed now, are want[0..n). */
static inline void holds(tl_tensor t, int n, const double *want)
{
    double got[ROOM];
    cr_assert_eq(tl_read_f64(t, got, n), TL_OK, "%s", t.tape ? tl_tape_error(t.tape) : "inert");
    for (int i = 0; i < n; i++)
        cr_assert(fabs(got[i] - want[i]) <= 1e-12 * (1 + fabs(want[i])),
                  "element %d: got %.17g, want %.17g", i, got[i], want[i]);
}

#endif
