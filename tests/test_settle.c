/* test_settle.c -- gates that lie where their sums were: the numbers do not change, and the plan
 * shows the place. */
#include "core/grad.h"
#include "core/node.h"
#include "core/run.h"
#include "core/scan.h"
#include "core/space.h"
#include "ops/ops.h"
#include "tests/check.h"

#include <string.h>

enum { T = 9, B = 4, I = 3, H = 6, MOST = 4000 };

typedef enum variant { PLAIN, REVERSED, OVERLAPPING, SHOWN, VARIANTS } variant;

/* model -- a gated cell over time; OVERLAPPING: two slices share a column; SHOWN: the gate's sum is
 * a result as well. */
static tl_tensor model(tl_tape *tape, variant how, const tl_tensor *w, tl_tensor *more)
{
    tl_scan_opts o = tl_scan_defaults();
    o.reverse = how == REVERSED;
    tl_scan s = tl_scan_open(tape, T, &o);
    tl_tensor h = tl_scan_carry(s, w[3]), x = tl_scan_each(s, w[0]);
    tl_tensor z = tl_add(tl_linear(x, w[1], (tl_tensor){0}), tl_linear(h, w[2], w[4]));
    const int64_t second = how == OVERLAPPING ? H - 1 : H;
    tl_tensor a = tl_slice(z, 1, 0, H), b = tl_slice(z, 1, second, H);
    tl_tensor i = tl_sigmoid(a), g = tl_tanh(b);
    tl_tensor h1 = tl_add(tl_mul(i, g), tl_mul(tl_rsub_scalar(i, 1), h));
    tl_scan_next(s, h, h1);
    tl_scan_close(s);
    *more = how == SHOWN ? tl_scan_stacked(s, z) : tl_scan_stacked(s, i);
    return tl_scan_stacked(s, h1);
}

/* draw -- x of all steps, the cell's weights, h and the bias. */
static void draw(tl_tape *tape, tl_tensor *w)
{
    w[0] = check_random(tape, TL_F64, tl_shape3(T, B, I), 1);
    w[1] = check_random(tape, TL_F64, tl_shape2(2 * H, I), 2);
    w[2] = check_random(tape, TL_F64, tl_shape2(2 * H, H), 3);
    w[3] = check_random(tape, TL_F64, tl_shape2(B, H), 4);
    w[4] = check_random(tape, TL_F64, tl_shape1(2 * H), 5);
}

/* results -- values and gradients as doubles. */
static int results(variant how, double *out)
{
    tl_tape *tape = check_tape(1);
    tl_tensor w[5];
    draw(tape, w);
    tl_tensor more, y = model(tape, how, w, &more);
    tl_tensor loss = tl_add(tl_sum_all(tl_mul(y, tl_sin(y))), tl_sum_all(tl_square(more)));
    tl_tensor all[7] = {y, more};
    cr_assert_eq(tl_grad(1, &loss, NULL, 5, w, all + 2), TL_OK, "%s", tl_tape_error(tape));
    cr_assert_eq(tl_eval(5, all + 2), TL_OK, "%s", tl_tape_error(tape));
    int n = 0;
    for (int k = 0; k < 7; k++) {
        int64_t count = tl_shape_count(tl_shape_of(all[k]));
        cr_assert_eq(tl_read_f64(all[k], out + n, count), TL_OK, "%s", tl_tape_error(tape));
        n += (int)count;
    }
    tl_tape_free(tape);
    return n;
}

Test(settle, results_agree_with_and_without)
{
    const unsigned all = tl__passes();
    for (variant v = PLAIN; v < VARIANTS; v++) {
        double want[MOST], got[MOST];
        int n = results(v, got);
        tl__set_passes(all & ~(unsigned)TL_PASS_SINK);
        results(v, want);
        tl__set_passes(all);
        assert_allclose(n, got, want, 1e-12, 1e-13);
    }
}

Test(settle, what_is_looked_at_keeps_its_value)
{
    tl_tape *tape = check_tape(1);
    tl_tensor w[5];
    draw(tape, w);
    tl_tensor i, y = model(tape, PLAIN, w, &i), g;
    double first[T * B * H], again[T * B * H], want[MOST], got[MOST];
    cr_assert_eq(tl_read_f64(i, first, T * B * H), TL_OK); /* forward alone: residuals stay */
    tl_tensor loss = tl_sum_all(tl_square(y));
    cr_assert_eq(tl_grad(1, &loss, NULL, 1, w, &g), TL_OK);
    cr_assert_eq(tl_read_f64(g, got, T * B * I), TL_OK);
    cr_assert_eq(tl_read_f64(i, again, T * B * H), TL_OK);
    assert_allclose(T * B * H, again, first, 0, 0);
    tl_tape_reset(tape);
    draw(tape, w);
    y = model(tape, PLAIN, w, &i);
    loss = tl_sum_all(tl_square(y));
    cr_assert_eq(tl_grad(1, &loss, NULL, 1, w, &g), TL_OK); /* both in one run */
    cr_assert_eq(tl_read_f64(g, want, T * B * I), TL_OK);
    assert_allclose(T * B * I, got, want, 0, 0);
    tl_tape_free(tape);
}

Test(settle, gates_are_views_of_the_product)
{
    tl_tape *tape = check_tape(1);
    tl_tensor w[5];
    draw(tape, w);
    tl_tensor i, y = model(tape, PLAIN, w, &i);
    cr_assert_eq(tl_eval(2, (const tl_tensor[]){y, i}), TL_OK, "%s", tl_tape_error(tape));
    const tl_node *n = tl__peek(i);
    cr_assert_eq(n->layout.stride[1], 2 * H, "a row of the product has both gates");
    cr_assert_eq(n->buf->bytes, T * B * 2 * H * sizeof(double));
    tl_tape_free(tape);
}
