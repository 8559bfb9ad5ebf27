/* test_tangent_scan.c -- tangents of loops: random programs with loops in loops against reverse mode
 * and against themselves without the planner's passes; and the memory over a long loop.
 *
 * Loops against their unrolled selves are in test_scan_*.c (unroll.h), random cells with lengths in
 * test_recurrent_random.c. */
#include "core/forward.h"
#include "core/run.h"
#include "ops/ops.h"
#include "tests/check.h"
#include "tests/counting.h"
#include "tests/random_program.h"

#include <stdlib.h>
#include <string.h>

enum { PROGRAMS = 200, NUMBERS = 16 * RANDOM_OUTPUTS };

/* tangents -- of the outputs of a random program, along a direction in its three inputs; recorded as
 * constants, or else weighted by a random u and compared with <J' u, v>. */
static void tangents(uint64_t seed, int as_constants, double *out)
{
    tl_tape *tape = check_tape(seed);
    tl_tensor value[RANDOM_VALUES], v[3], u[RANDOM_OUTPUTS], d[RANDOM_OUTPUTS], g[3];
    random_values(tape, seed, value);
    const tl_tensor *y = value + RANDOM_VALUES - RANDOM_OUTPUTS;
    const uint64_t draws = tl_draws(tape);
    for (int k = 0; k < 3; k++)
        v[k] = check_random(tape, TL_F64, tl_shape2(4, 4), 100 + seed + (uint64_t)k);
    if (as_constants)
        tl_no_grad_open(tape);
    cr_assert_eq(tl_jvp(3, value, v, RANDOM_OUTPUTS, y, d), TL_OK, "program %d: %s", (int)seed,
                 tl_tape_error(tape));
    if (as_constants)
        tl_no_grad_close(tape);
    cr_assert_eq(tl_draws(tape), draws, "program %d: the tangent draws", (int)seed);
    tl_tensor forward = tl_scalar(tape, TL_F64, 0), reverse = forward;
    for (int k = 0; !as_constants && k < RANDOM_OUTPUTS; k++) {
        u[k] = check_random(tape, TL_F64, tl_shape2(4, 4), 200 + seed + (uint64_t)k);
        forward = tl_add(forward, tl_sum_all(tl_mul(u[k], d[k])));
    }
    if (!as_constants) {
        cr_assert_eq(tl_vjp(RANDOM_OUTPUTS, y, u, 3, value, g), TL_OK);
        for (int k = 0; k < 3; k++)
            reverse = tl_add(reverse, tl_sum_all(tl_mul(g[k], v[k])));
        const double a = tl_item(forward), b = tl_item(reverse);
        cr_assert(fabs(a - b) <= 1e-10 * (1 + fabs(b)),
                  "program %d: <u, J v> is %.17g, <J' u, v> %.17g", (int)seed, a, b);
    }
    for (int k = 0; k < RANDOM_OUTPUTS; k++)
        cr_assert_eq(tl_read_f64(d[k], out + (ptrdiff_t)k * 16, 16), TL_OK, "program %d: %s",
                     (int)seed, tl_tape_error(tape));
    tl_tape_free(tape);
}

Test(tangent_scan, random_programs, .timeout = 300)
{
    const unsigned all = tl__passes();
    const char *from = getenv("TL_FIRST_PROGRAM"); /* to look at more of them */
    const uint64_t first = from ? strtoull(from, NULL, 10) : 1;
    for (uint64_t seed = first; seed < first + PROGRAMS; seed++) {
        double with[NUMBERS], without[NUMBERS];
        tangents(seed, 0, with);
        cr_log_info("program %d", (int)seed);
        tangents(seed, 1, without);
        assert_allclose(NUMBERS, with, without, 1e-12, 1e-12);
        tl__set_passes(0);
        tangents(seed, 1, without);
        tl__set_passes(all);
        assert_allclose(NUMBERS, with, without, 1e-9, 1e-10);
    }
}

/* The tangent of a tangent, and gradients of it, through loops in loops: d/da d/db = d/db d/da. */
Test(tangent_scan, orders_of_random_programs, .timeout = 300)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        tl_tape *tape = check_tape(seed);
        tl_tensor value[RANDOM_VALUES], v[3], w[3], dv, dw, dvw, dwv, g[3];
        random_values(tape, seed, value);
        tl_tensor loss = tl_sum_all(tl_tanh(value[RANDOM_VALUES - 1]));
        for (uint64_t k = 0; k < 3; k++) {
            v[k] = check_random(tape, TL_F64, tl_shape2(4, 4), 300 + seed + k);
            w[k] = check_random(tape, TL_F64, tl_shape2(4, 4), 400 + seed + k);
        }
        tl_jvp(3, value, v, 1, &loss, &dv);
        tl_jvp(3, value, w, 1, &dv, &dvw);
        tl_jvp(3, value, w, 1, &loss, &dw);
        tl_grad(1, &dw, NULL, 3, value, g); /* reverse over forward */
        dwv = tl_scalar(tape, TL_F64, 0);
        for (int k = 0; k < 3; k++)
            dwv = tl_add(dwv, tl_sum_all(tl_mul(g[k], v[k])));
        assert_ok(tape);
        const double a = tl_item(dvw), b = tl_item(dwv);
        cr_assert(fabs(a - b) <= 1e-9 * (1 + fabs(b)), "program %d: %.17g and %.17g", (int)seed, a,
                  b);
        tl_tape_free(tape);
    }
}

/* ---- memory ---------------------------------------------------------------------------------- */

enum { B = 2, H = 8 };

/* How the tangent is recorded and read. */
typedef enum way { READ_ONLY, COMMITTED } way;

/* bytes_for -- what the tangent of a gated cell with dropout and lengths takes at most, for T
 * steps; the input is the program's own array. */
static size_t bytes_for(tally *t, int64_t T, const double *x, way how, double *tangent)
{
    t->most = t->now;
    tl_tape *tape = check_tape(5);
    const int32_t length[B] = {(int32_t)T, (int32_t)(T / 2)};
    tl_tensor xs = tl_input_borrow(tape, TL_F64, tl_shape3(T, B, H), x);
    tl_tensor in[2] = {check_random(tape, TL_F64, tl_shape2(H, H), 1),
                       check_random(tape, TL_F64, tl_shape2(H, H), 2)};
    tl_tensor v[2] = {check_random(tape, TL_F64, tl_shape2(H, H), 3),
                      check_random(tape, TL_F64, tl_shape2(H, H), 4)};
    tl_scan_opts o = tl_scan_defaults();
    o.lengths = tl_input_i32(tape, tl_shape1(B), length);
    o.recompute = 1;
    tl_scan s = tl_scan_open(tape, T, &o);
    tl_tensor h = tl_scan_carry(s, tl_zeros(tape, TL_F64, tl_shape2(B, H)));
    tl_tensor e = tl_dropout(tl_scan_each(s, xs), 0.2), d;
    tl_tensor a = tl_scale(tl_add(tl_matmul(h, in[0]), tl_matmul(e, in[1])), 0.2);
    tl_scan_next(s, h, tl_lerp(h, tl_tanh(a), tl_sigmoid(a)));
    tl_scan_close(s);
    tl_tensor last = tl_sum_all(tl_scan_last(s, h));
    if (how == READ_ONLY)
        tl_no_grad_open(tape);
    cr_assert_eq(tl_jvp(2, in, v, 1, &last, &d), TL_OK, "%s", tl_tape_error(tape));
    if (how == READ_ONLY)
        tl_no_grad_close(tape);
    else
        tl_want(d), tl_commit(tape);
    *tangent = tl_item(d);
    assert_ok(tape);
    tl_tape_free(tape);
    return t->most;
}

/* All that the library asks the host for, over T = 100 and T = 100,000 steps. */
Test(tangent_scan, a_long_loop_takes_the_memory_of_a_short_one)
{
    enum { LONG = 100000 };
    tally t = {0, 0};
    count_with(&t);
    double *x = malloc(sizeof *x * LONG * B * H), d[2];
    cr_assert_not_null(x);
    for (int64_t k = 0; k < (int64_t)LONG * B * H; k++)
        x[k] = sin(0.7 * (double)k);
    for (int how = READ_ONLY; how <= COMMITTED; how++) {
        const size_t few = bytes_for(&t, 100, x, (way)how, &d[how]);
        const size_t many = bytes_for(&t, LONG, x, (way)how, &d[how]);
        cr_assert(isfinite(d[how]) && d[how] != 0, "way %d: %g", how, d[how]);
        cr_assert(many <= few + few / 10, "way %d: %zu bytes for 100 steps, %zu for %d", how, few,
                  many, (int)LONG);
    }
    cr_assert(d[0] == d[1]);
    free(x);
}
