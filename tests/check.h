/* check.h -- what the tests share: comparisons that reject NaN and say where, and tensors to
 * compute with.
 *
 * Comparisons are macros around functions that fill a message, so that Criterion reports the
 * line of the test. */
#ifndef TL_TESTS_CHECK_H
#define TL_TESTS_CHECK_H

#include "core/op.h"

#include <criterion/criterion.h>
#include <math.h>

enum { CHECK_MESSAGE = 400 };

/* math.h has them as floats, of which some compilers warn among doubles. */
#define CHECK_NAN ((double)NAN)
#define CHECK_INF ((double)INFINITY)

/* assert_allclose -- |got - want| <= atol + rtol |want| for each of n elements (arrays of
 * double); equal infinities pass, NaN fails unless both are. assert_allclose_f32 -- arrays of
 * float. */
#define assert_allclose(n, got, want, rtol, atol)                                                  \
    do {                                                                                           \
        char check_text[CHECK_MESSAGE];                                                            \
        cr_assert(check_allclose(n, got, want, rtol, atol, check_text), "%s", check_text);         \
    } while (0)
#define assert_allclose_f32(n, got, want, rtol, atol)                                              \
    do {                                                                                           \
        char check_text[CHECK_MESSAGE];                                                            \
        cr_assert(check_allclose_f32(n, got, want, rtol, atol, check_text), "%s", check_text);     \
    } while (0)

/* assert_tensor -- t's value, of any dtype, against n doubles; n must be its number of elements. */
#define assert_tensor(t, n, want, rtol, atol)                                                      \
    do {                                                                                           \
        char check_text[CHECK_MESSAGE];                                                            \
        cr_assert(check_tensor(t, n, want, rtol, atol, check_text), "%s", check_text);             \
    } while (0)

/* assert_same -- two tensors have the same shape, dtype and values to the tolerances; 0, 0:
 * same bits (but for NaN). */
#define assert_same(a, b, rtol, atol)                                                              \
    do {                                                                                           \
        char check_text[CHECK_MESSAGE];                                                            \
        cr_assert(check_same(a, b, rtol, atol, check_text), "%s", check_text);                     \
    } while (0)

/* assert_ok -- the tape has no error. assert_fails -- it has this one, and the message contains
 * `words`. */
#define assert_ok(tape) cr_assert(tl_tape_status(tape) == TL_OK, "%s", tl_tape_error(tape))
#define assert_fails(tape, code, words)                                                            \
    do {                                                                                           \
        char check_text[CHECK_MESSAGE];                                                            \
        cr_assert(check_fails(tape, code, words, check_text), "%s", check_text);                   \
    } while (0)

int check_allclose(int64_t n, const double *got, const double *want, double rtol, double atol,
                   char *message);
int check_allclose_f32(int64_t n, const float *got, const float *want, double rtol, double atol,
                       char *message);
int check_tensor(tl_tensor t, int64_t n, const double *want, double rtol, double atol,
                 char *message);
int check_same(tl_tensor a, tl_tensor b, double rtol, double atol, char *message);
int check_fails(tl_tape *tape, int code, const char *words, char *message);

/* check_tape -- a tape with all defaults and this seed; fails the test when there is no memory. */
tl_tape *check_tape(uint64_t seed);

/* check_values -- t's elements as doubles, row-major, computed now; freed by the caller with
 * free(). NULL after an error. */
double *check_values(tl_tensor t);

/* check_input -- an input of any dtype from doubles. */
tl_tensor check_input(tl_tape *tape, tl_dtype dtype, tl_shape shape, const double *values);

/* check_draw -- n doubles from a domain, a pure function of the seed: no two of all `total`
 * values in values[0 .. total) closer than 1e-3 where the domain is continuous; the first
 * `total - n` were drawn before. */
void check_draw(uint64_t seed, tl_domain domain, int64_t bound, int64_t total, int64_t n,
                double *values);

/* check_random -- an input of this dtype drawn so, from TL_ANY unless it is i32: then 0 .. 9. */
tl_tensor check_random(tl_tape *tape, tl_dtype dtype, tl_shape shape, uint64_t seed);

/* check_first_cause -- whether a case, called on operands of a tape that has an error, and on what
 * calls return after one, gives an inert tensor that tl_eval says that error of. */
int check_first_cause(const tl_case *c);

#endif
