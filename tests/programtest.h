/* programtest.h -- what the tests of programs share: closing, sessions, and a look at what comes
 * out. */
#ifndef TL_TESTS_PROGRAMTEST_H
#define TL_TESTS_PROGRAMTEST_H

#include "core/session.h"
#include "tests/check.h"

#include <stdlib.h>
#include <string.h>

/* session_of -- closes p, gives it up to a session of its own. */
static inline tl_session *session_of(tl_program *p)
{
    tl_err err = {0};
    cr_assert_eq(tl_program_close(p, &err), TL_OK, "%s", err.message);
    tl_session *s = tl_session_new(p, &err);
    cr_assert_not_null(s, "%s", err.message);
    tl_program_free(p);
    return s;
}

static inline void step(tl_session *s)
{
    cr_assert_eq(tl_session_step(s), TL_OK, "%s", tl_session_error(s));
}

/* holds -- the named value is want[0..n), exactly. */
static inline void holds(tl_session *s, const char *name, int n, const double *want)
{
    double got[256];
    cr_assert_eq(tl_session_get_f64(s, name, got, n), TL_OK, "%s", tl_session_error(s));
    for (int i = 0; i < n; i++)
        cr_assert(memcmp(&got[i], &want[i], sizeof *got) == 0,
                  "%s: element %d: got %.17g, want "
                  "%.17g",
                  name, i, got[i], want[i]);
}

/* agrees -- the named value has the bits of t, computed on its tape. */
static inline void agrees(tl_session *s, const char *name, tl_tensor t)
{
    double *want = check_values(t);
    cr_assert_not_null(want, "%s", t.tape ? tl_tape_error(t.tape) : "inert");
    holds(s, name, (int)tl_shape_count(tl_shape_of(t)), want);
    free(want);
}

#endif
