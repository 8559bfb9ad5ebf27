/* test_period.c -- products of a period at a time: what of the plan shows them, that the numbers
 * agree with those of whole products, and that less memory is taken. */
#include "core/grad.h"
#include "core/memory.h"
#include "core/run.h"
#include "core/scan.h"
#include "core/space.h"
#include "ops/ops.h"
#include "tests/check.h"

#include <string.h>

enum { T = 11, B = 3, I = 4, H = 5, MOST = 8000, INPUTS = 6 };

typedef struct inputs {
    tl_tape *tape;
    tl_tensor at[INPUTS]; /* xs, w, u, b, h0, lengths */
} inputs;

static inputs inputs_new(void)
{
    static const int32_t lengths[B] = {T, 4, 7};
    tl_tape *tape = check_tape(1);
    return (inputs){tape,
                    {check_random(tape, TL_F64, tl_shape3(T, B, I), 1),
                     check_random(tape, TL_F64, tl_shape2(3 * H, I), 2),
                     tl_scale(check_random(tape, TL_F64, tl_shape2(3 * H, H), 3), 0.3),
                     check_random(tape, TL_F64, tl_shape1(3 * H), 4),
                     check_random(tape, TL_F64, tl_shape2(B, H), 5),
                     tl_input_i32(tape, tl_shape1(B), lengths)}};
}

/* gated -- a cell with three gates and a reset, over xs. */
static tl_tensor gated(const inputs *p, tl_tensor xs, tl_tensor u, int reverse, int lengths)
{
    tl_scan_opts o = tl_scan_defaults();
    o.reverse = reverse;
    if (lengths)
        o.lengths = p->at[5];
    tl_scan s = tl_scan_open(p->tape, T, &o);
    tl_tensor h = tl_scan_carry(s, p->at[4]), x = tl_scan_each(s, xs), none = {0};
    tl_tensor a = tl_linear(x, p->at[1], p->at[3]), b = tl_linear(h, u, none);
    tl_tensor r = tl_sigmoid(tl_add(tl_chunk(a, 3, 0), tl_chunk(b, 3, 0)));
    tl_tensor z = tl_sigmoid(tl_add(tl_chunk(a, 3, 1), tl_chunk(b, 3, 1)));
    tl_tensor n = tl_tanh(tl_add(tl_chunk(a, 3, 2), tl_mul(r, tl_chunk(b, 3, 2))));
    tl_tensor h1 = tl_add(tl_mul(z, h), tl_mul(tl_rsub_scalar(z, 1), n));
    tl_scan_next(s, h, h1);
    tl_scan_close(s);
    return tl_scan_stacked(s, h1);
}

typedef enum program {
    FORWARD,
    BACKWARD,
    RAGGED,
    BOTH,
    TWO_LAYERS,
    SECOND_ORDER,
    PROGRAMS
} program;

static tl_tensor run_program(const inputs *p, program which)
{
    const tl_tensor xs = p->at[0], u = p->at[2];
    switch (which) {
    case BACKWARD:
        return gated(p, xs, u, 1, 0);
    case RAGGED:
        return gated(p, xs, u, 1, 1);
    case BOTH:
        return tl_concat(2, (const tl_tensor[]){gated(p, xs, u, 0, 0), gated(p, xs, u, 1, 0)}, 2);
    case TWO_LAYERS:
        return gated(p, tl_slice(gated(p, xs, u, 0, 0), 2, 0, I), tl_sin(u), 1, 0);
    default:
        return gated(p, xs, u, 0, 0);
    }
}

static int results(program which, double *out, size_t *bytes)
{
    inputs p = inputs_new();
    tl_tensor y = run_program(&p, which), loss = tl_sum_all(tl_mul(y, tl_sin(y))), all[INPUTS];
    cr_assert_eq(tl_grad(1, &loss, NULL, 5, p.at, all + 1), TL_OK, "%s", tl_tape_error(p.tape));
    all[0] = y;
    if (which == SECOND_ORDER) {
        tl_tensor norm = tl_add(tl_sum_all(tl_square(all[2])), tl_sum_all(tl_square(all[3])));
        cr_assert_eq(tl_grad(1, &norm, NULL, 5, p.at, all + 1), TL_OK, "%s", tl_tape_error(p.tape));
    }
    cr_assert_eq(tl_eval(INPUTS, all), TL_OK, "%s", tl_tape_error(p.tape));
    if (bytes)
        *bytes = tl__run_stats(p.tape).slab_bytes;
    int n = 0;
    for (int k = 0; k < INPUTS; k++) {
        int64_t count = tl_shape_count(tl_shape_of(all[k]));
        cr_assert_eq(tl_read_f64(all[k], out + n, count), TL_OK, "%s", tl_tape_error(p.tape));
        n += (int)count;
    }
    tl_tape_free(p.tape);
    return n;
}

Test(period, results_agree_for_any_length_of_a_period)
{
    const unsigned all = tl__passes();
    for (program k = FORWARD; k < PROGRAMS; k++) {
        double want[MOST], got[MOST];
        tl__set_passes(all & ~(unsigned)TL_PASS_PERIOD);
        int n = results(k, want, NULL);
        tl__set_passes(all);
        for (int64_t rows = 1; rows <= 15; rows += 2) { /* periods of 2, 2, 2, 2, 3, 3, 4, 5 */
            tl__set_period_rows(rows);
            results(k, got, NULL);
            assert_allclose(n, got, want, 1e-10, 1e-12);
        }
        tl__set_period_rows(0);
    }
}

Test(period, products_stand_before_and_after_the_steps_of_a_period)
{
    inputs p = inputs_new();
    tl__set_period_rows(4 * B);
    tl_tensor y = run_program(&p, FORWARD), loss = tl_sum_all(tl_square(y)), g[3];
    tl_no_grad_open(p.tape);
    cr_assert_eq(tl_grad(1, &loss, NULL, 3, p.at, g), TL_OK);
    tl_no_grad_close(p.tape);
    cr_assert_eq(tl_eval(3, g), TL_OK, "%s", tl_tape_error(p.tape));
    char *text = tl__plan_dump(p.tape);
    cr_assert_not_null(text);
    const char *loop = strstr(text, "loop, "), *lead = strstr(text, "contract  f64 [4,3,15]");
    const char *way_back = strstr(text, "last to first"),
               *dw = strstr(text, "contract  f64 [15,4]");
    cr_assert(loop && lead && lead > loop && way_back && lead < way_back, "%s", text);
    cr_assert(dw && dw > way_back && strstr(dw, "accumulating"), "%s", text);
    cr_assert_null(strstr(text, "[11,3,15]"), "%s", text);
    tl__free(text);
    tl_tape_free(p.tape);
    tl__set_period_rows(0);
}

Test(period, what_only_a_period_reads_has_the_rows_of_a_period)
{
    const unsigned all = tl__passes();
    double some[MOST];
    size_t with, without;
    tl__set_period_rows(2 * B);
    results(FORWARD, some, &with);
    tl__set_passes(all & ~(unsigned)TL_PASS_PERIOD);
    results(FORWARD, some, &without);
    tl__set_passes(all);
    tl__set_period_rows(0);
    cr_assert(with + T * B * H * sizeof(double) < without, "%zu of %zu bytes", with, without);
}

/* In the last period there are fewer steps: what comes after them must not come before. */
Test(period, a_second_layer_reads_what_the_period_has_made)
{
    const unsigned all = tl__passes();
    enum { LONG = 35, ROWS = 20, WIDE = 16 };
    static float got[2][LONG * ROWS * WIDE];
    for (int k = 0; k < 2; k++) {
        tl__set_passes(k ? all : all & ~(unsigned)TL_PASS_PERIOD);
        tl_tape *tape = check_tape(1);
        tl_tensor x = check_random(tape, TL_F32, tl_shape3(LONG, ROWS, WIDE), 1), none = {0};
        tl_no_grad_open(tape);
        for (int layer = 0; layer < 2; layer++) {
            tl_scan s = tl_scan_open(tape, LONG, NULL);
            tl_tensor h = tl_scan_carry(s, tl_zeros(tape, TL_F32, tl_shape2(ROWS, WIDE)));
            tl_tensor in = tl_scan_each(s, x), gate[2];
            for (int i = 0; i < 2; i++) {
                const uint64_t seed = (uint64_t)(10 + 4 * layer + 2 * i);
                tl_tensor w = check_random(tape, TL_F32, tl_shape2(WIDE, WIDE), seed);
                tl_tensor u = check_random(tape, TL_F32, tl_shape2(WIDE, WIDE), seed + 1);
                gate[i] = tl_add(tl_linear(in, w, none), tl_linear(h, u, none));
            }
            tl_tensor h1 = tl_mul(tl_sigmoid(gate[0]), tl_tanh(gate[1]));
            tl_scan_next(s, h, h1);
            tl_scan_close(s);
            x = tl_scan_stacked(s, h1);
        }
        tl_no_grad_close(tape);
        cr_assert_eq(tl_read_f32(x, got[k], LONG * ROWS * WIDE), TL_OK);
        tl_tape_free(tape);
    }
    tl__set_passes(all);
    double a[LONG], b[LONG];
    for (int t = 0; t < LONG; t++) {
        a[t] = (double)got[1][t * ROWS * WIDE];
        b[t] = (double)got[0][t * ROWS * WIDE];
    }
    assert_allclose(LONG, a, b, 1e-4, 1e-5);
}

Test(period, loops_in_loops_agree)
{
    const unsigned all = tl__passes();
    double got[2][MOST];
    int n = 0;
    for (int k = 0; k < 2; k++) {
        inputs p = inputs_new();
        tl__set_passes(k ? all : all & ~(unsigned)TL_PASS_PERIOD);
        tl__set_period_rows(2 * B);
        tl_scan s = tl_scan_open(p.tape, 4, NULL);
        tl_tensor u = tl_scan_carry(s, p.at[2]);
        tl_tensor y = gated(&p, p.at[0], u, 0, 0);
        tl_scan_next(s, u, tl_add(u, tl_scale(tl_sum_all(tl_square(y)), 1e-3)));
        tl_scan_close(s);
        tl_tensor loss = tl_sum_all(tl_sin(tl_scan_stacked(s, y))), g[5];
        cr_assert_eq(tl_grad(1, &loss, NULL, 5, p.at, g), TL_OK, "%s", tl_tape_error(p.tape));
        n = 0;
        for (int i = 0; i < 5; i++) {
            int64_t count = tl_shape_count(tl_shape_of(g[i]));
            cr_assert_eq(tl_read_f64(g[i], got[k] + n, count), TL_OK, "%s", tl_tape_error(p.tape));
            n += (int)count;
        }
        tl_tape_free(p.tape);
    }
    tl__set_passes(all);
    tl__set_period_rows(0);
    assert_allclose(n, got[1], got[0], 1e-10, 1e-12);
}
