/* test_recompute.c -- residuals that are computed again: not a bit changes, less is stored, and what
 * a product reads stays stored. */
#include "core/grad.h"
#include "core/memory.h"
#include "core/run.h"
#include "core/scan.h"
#include "core/space.h"
#include "ops/ops.h"
#include "tests/check.h"

#include <string.h>

enum { T = 7, B = 3, H = 5, MOST = 600 };

typedef struct inputs {
    tl_tensor xs, u, d, h0;
} inputs;

/* A step: h' from x and h. */
typedef tl_tensor (*step_fn)(inputs p, tl_tensor x, tl_tensor h);

static tl_tensor hand_sigmoid(tl_tensor x)
{
    return tl_rdiv_scalar(tl_add_scalar(tl_exp(tl_neg(x)), 1), 1);
}

static tl_tensor spelled(inputs p, tl_tensor x, tl_tensor h) /* 1 + e and 1 / (1 + e) from e */
{
    return hand_sigmoid(tl_add(tl_matmul(h, p.u), x));
}

static tl_tensor mixed(inputs p, tl_tensor x, tl_tensor h) /* h - n, from a carry and a residual */
{
    tl_tensor z = tl_sigmoid(tl_add(tl_matmul(h, p.u), p.d)),
              n = tl_tanh(tl_add(tl_mul(h, p.d), x));
    return tl_add(tl_mul(tl_rsub_scalar(z, 1), n), tl_mul(z, tl_sub(h, n)));
}

static tl_tensor multiplied(inputs p, tl_tensor x, tl_tensor h) /* a product reads the residual */
{
    tl_tensor s = tl_add(tl_tanh(h), p.d);
    return tl_tanh(tl_add(tl_matmul(s, p.u), x));
}

static tl_tensor outside(inputs p, tl_tensor x, tl_tensor h) /* from captures and inputs */
{
    tl_tensor t = tl_tanh(h), a = tl_add(t, x), b = tl_mul(t, p.d);
    return tl_mul(tl_mul(a, b), tl_sin(b));
}

static const step_fn steps[] = {spelled, mixed, multiplied, outside};
enum { STEPS = sizeof steps / sizeof *steps };

/* results -- h of all steps and the gradients, as doubles; *text receives the last plan. */
static int results(step_fn step, int reverse, int second, double *out, char **text)
{
    tl_tape *tape = check_tape(1);
    const inputs p = {check_random(tape, TL_F64, tl_shape3(T, B, H), 1),
                      tl_scale(check_random(tape, TL_F64, tl_shape2(H, H), 2), 0.4),
                      check_random(tape, TL_F64, tl_shape1(H), 3),
                      check_random(tape, TL_F64, tl_shape2(B, H), 4)};
    tl_scan_opts o = tl_scan_defaults();
    o.reverse = reverse;
    tl_scan s = tl_scan_open(tape, T, &o);
    tl_tensor h = tl_scan_carry(s, p.h0), h1 = step(p, tl_scan_each(s, p.xs), h);
    tl_scan_next(s, h, h1);
    tl_scan_close(s);
    tl_tensor y = tl_scan_stacked(s, h1), loss = tl_sum_all(tl_mul(y, tl_sin(y))), all[5] = {y};
    const tl_tensor by[] = {p.xs, p.u, p.d, p.h0};
    cr_assert_eq(tl_grad(1, &loss, NULL, 4, by, all + 1), TL_OK, "%s", tl_tape_error(tape));
    if (second) {
        tl_tensor square = tl_sum_all(tl_square(all[2]));
        cr_assert_eq(tl_grad(1, &square, NULL, 4, by, all + 1), TL_OK, "%s", tl_tape_error(tape));
    }
    for (int k = 0; k < 5; k++)
        tl_want(all[k]);
    cr_assert_eq(tl_commit(tape), TL_OK, "%s", tl_tape_error(tape)); /* keeps no residuals */
    *text = tl__plan_dump(tape);
    int n = 0;
    for (int k = 0; k < 5; k++) {
        const int64_t count = tl_shape_count(tl_shape_of(all[k]));
        cr_assert_eq(tl_read_f64(all[k], out + n, count), TL_OK);
        n += (int)count;
    }
    tl_tape_free(tape);
    return n;
}

/* count -- how often the words stand in the text. */
static int count(const char *text, const char *words)
{
    int n = 0;
    for (; (text = strstr(text, words)); text++)
        n++;
    return n;
}

static int stacks(const char *text)
{
    return count(text, " stacked ");
}

Test(recompute, no_bit_changes)
{
    const unsigned all = tl__passes();
    for (int k = 0; k < 4 * STEPS; k++) {
        double got[MOST], want[MOST];
        char *text[2];
        const int n = results(steps[k / 4], k % 2, k / 2 % 2, got, &text[0]);
        tl__set_passes(all & ~(unsigned)TL_PASS_RECOMPUTE);
        cr_assert_eq(results(steps[k / 4], k % 2, k / 2 % 2, want, &text[1]), n);
        tl__set_passes(all);
        cr_assert_eq(memcmp(got, want, (size_t)n * sizeof *got), 0, "step %d", k);
        tl__free(text[0]);
        tl__free(text[1]);
    }
}

/* compare -- arrays over all steps in the plan of a gradient. */
static void compare(step_fn step, int *with, int *without)
{
    const unsigned all = tl__passes();
    double out[MOST];
    char *text[2];
    results(step, 0, 0, out, &text[0]);
    tl__set_passes(all & ~(unsigned)TL_PASS_RECOMPUTE);
    results(step, 0, 0, out, &text[1]);
    tl__set_passes(all);
    *with = stacks(text[0]);
    *without = stacks(text[1]);
    tl__free(text[0]);
    tl__free(text[1]);
}

Test(recompute, what_is_cheap_is_not_stored)
{
    int with, without;
    compare(spelled, &with, &without);
    cr_assert_eq(with, without - 1, "1 + e; its quotient is the carry: %d, %d", with, without);
    compare(mixed, &with, &without);
    cr_assert_eq(with, without - 2, "1 - z and h - n: %d, %d", with, without);
    compare(outside, &with, &without);
    cr_assert_eq(with, without - 3, "t + x, t d and their product: %d, %d", with, without);
}

Test(recompute, what_a_product_reads_is_stored)
{
    int with, without;
    compare(multiplied, &with, &without);
    cr_assert_eq(with, without, "%d, %d", with, without);
}
