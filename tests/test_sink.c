/* test_sink.c -- products that add into what they are added to: what of the plan shows it, and
 * that the numbers stay the same to rounding. */
#include "core/grad.h"
#include "core/memory.h"
#include "core/run.h"
#include "core/scan.h"
#include "core/space.h"
#include "ops/ops.h"
#include "tests/check.h"

#include <string.h>

enum { T = 7, B = 3, I = 4, H = 5, MOST = 2000 };

typedef struct weights {
    tl_tape *tape;
    tl_tensor xs, w, u, b, d, h0;
} weights;

static weights weights_new(void)
{
    tl_tape *tape = check_tape(1);
    return (weights){tape,
                     check_random(tape, TL_F64, tl_shape3(T, B, I), 1),
                     check_random(tape, TL_F64, tl_shape2(H, I), 2),
                     tl_scale(check_random(tape, TL_F64, tl_shape2(H, H), 3), 0.3),
                     check_random(tape, TL_F64, tl_shape1(H), 4),
                     check_random(tape, TL_F64, tl_shape1(H), 5),
                     check_random(tape, TL_F64, tl_shape2(B, H), 6)};
}

/* A step: h' from x and h. */
typedef tl_tensor (*step_fn)(weights p, tl_tensor x, tl_tensor h);

static tl_tensor textbook(weights p, tl_tensor x, tl_tensor h)
{
    return tl_tanh(tl_add(tl_linear(x, p.w, p.b), tl_linear(h, p.u, p.d)));
}

static tl_tensor linear(weights p, tl_tensor x, tl_tensor h) /* nothing but the two products */
{
    const tl_tensor none = {0};
    return tl_add(tl_linear(h, p.u, none), tl_linear(x, p.w, none));
}

static tl_tensor leaky(weights p, tl_tensor x, tl_tensor h) /* a product onto a pointwise value */
{
    const tl_tensor none = {0};
    return tl_add(tl_mul(tl_sigmoid(tl_linear(x, p.w, p.b)), h), tl_linear(tl_tanh(h), p.u, none));
}

static tl_tensor twice(weights p, tl_tensor x, tl_tensor h) /* the sum's parts have other readers */
{
    const tl_tensor none = {0};
    tl_tensor a = tl_linear(x, p.w, none), c = tl_linear(h, p.u, none);
    return tl_tanh(tl_add(tl_add(a, c), tl_mul(a, c)));
}

static tl_tensor crossed(weights p, tl_tensor x, tl_tensor h) /* two products of the carry */
{
    const tl_tensor none = {0};
    return tl_tanh(tl_add(tl_add(tl_linear(h, p.u, none), p.d),
                          tl_linear(tl_mul(h, tl_linear(x, p.w, p.b)), p.u, none)));
}

static const step_fn steps[] = {textbook, linear, leaky, twice, crossed};
enum { STEPS = sizeof steps / sizeof *steps };

static tl_tensor loop_of(weights p, step_fn step, int reverse)
{
    tl_scan_opts o = tl_scan_defaults();
    o.reverse = reverse;
    tl_scan s = tl_scan_open(p.tape, T, &o);
    tl_tensor h = tl_scan_carry(s, p.h0), h1 = step(p, tl_scan_each(s, p.xs), h);
    tl_scan_next(s, h, h1);
    tl_scan_close(s);
    return tl_scan_stacked(s, h1);
}

/* results -- values and gradients, as doubles; *text receives the last plan. */
static int results(step_fn step, int reverse, double *out, char **text)
{
    weights p = weights_new();
    tl_tensor y = loop_of(p, step, reverse), loss = tl_sum_all(tl_mul(y, tl_sin(y))), g[6];
    const tl_tensor by[] = {p.xs, p.w, p.u, p.b, p.d, p.h0};
    cr_assert_eq(tl_grad(1, &loss, NULL, 6, by, g), TL_OK, "%s", tl_tape_error(p.tape));
    tl_tensor all[7] = {y};
    memcpy(all + 1, g, sizeof g);
    cr_assert_eq(tl_eval(7, all), TL_OK, "%s", tl_tape_error(p.tape));
    *text = tl__plan_dump(p.tape);
    int n = 0;
    for (int k = 0; k < 7; k++) {
        int64_t count = tl_shape_count(tl_shape_of(all[k]));
        cr_assert_eq(tl_read_f64(all[k], out + n, count), TL_OK);
        n += (int)count;
    }
    tl_tape_free(p.tape);
    return n;
}

Test(sink, results_agree_with_and_without_the_pass)
{
    tl__set_period_rows(384); /* all steps of these loops are one period */
    const unsigned all = tl__passes();
    for (int k = 0; k < 2 * STEPS; k++) {
        double want[MOST], got[MOST];
        char *text[2];
        int n = results(steps[k / 2], k % 2, got, &text[0]);
        tl__set_passes(all & ~(unsigned)TL_PASS_SINK);
        results(steps[k / 2], k % 2, want, &text[1]);
        tl__set_passes(all);
        assert_allclose(n, got, want, 1e-12, 1e-13);
        cr_assert_null(strstr(text[1], "accumulating"), "%s", text[1]);
        tl__free(text[0]);
        tl__free(text[1]);
    }
}

/* count -- how often the words stand in the text. */
static int count(const char *text, const char *words)
{
    int n = 0;
    for (; (text = strstr(text, words)); text++)
        n++;
    return n;
}

static char *plan_of(step_fn step)
{
    weights p = weights_new();
    tl_tensor y = loop_of(p, step, 0);
    cr_assert_eq(tl_eval(1, &y), TL_OK, "%s", tl_tape_error(p.tape));
    char *text = tl__plan_dump(p.tape);
    tl_tape_free(p.tape);
    return text;
}

Test(sink, the_step_product_adds_into_the_row_of_the_input_product)
{
    char *text = plan_of(textbook);
    cr_assert_eq(count(text, "[3,5] accumulating"), 1, "%s", text);
    cr_assert_eq(count(text, "add, tanh"), 1, "one addition is left: %s", text);
    cr_assert_eq(count(text, "add  f64 [5]"), 1, "the biases are added once: %s", text);
    tl__free(text);
}

Test(sink, a_product_adds_into_another_one)
{
    char *text = plan_of(crossed);
    cr_assert_eq(count(text, "[3,5] accumulating"), 1, "%s", text);
    tl__free(text);
}

Test(sink, what_others_read_is_left_alone)
{
    char *text = plan_of(twice);
    cr_assert_eq(count(text, "accumulating"), 0, "%s", text);
    tl__free(text);
}
