/* test_join.c -- gates that are joined: one product a step instead of one for each gate, the
 * numbers those without the pass, and what is left alone. */
#include "core/grad.h"
#include "core/memory.h"
#include "core/run.h"
#include "core/scan.h"
#include "core/space.h"
#include "ops/ops.h"
#include "tests/check.h"

#include <string.h>

enum { T = 150, B = 2, MANY = 400, I = 6, H = 5, GATES = 4, MOST = 20000 };

/* How the cells of this file differ. */
typedef enum variant {
    LSTM,    /* four gates that are alike */
    GRU,     /* two of three are; the adjoint's sums have different parts */
    TURNED,  /* weights [H,I] */
    UNEQUAL, /* one gate without a bias, one with another input */
    REUSED,  /* a weight serves two gates, a sum is read twice */
    VARIANTS
} variant;

typedef struct cell {
    tl_tensor w[GATES], u[GATES], b[GATES];
} cell;

static tl_tensor gate(const cell *c, int k, tl_tensor x, tl_tensor h)
{
    return tl_add(tl_add(tl_matmul(x, c->w[k]), tl_matmul(h, c->u[k])), c->b[k]);
}

static tl_tensor turned_gate(const cell *c, int k, tl_tensor x, tl_tensor h)
{
    const tl_tensor none = {0};
    return tl_add(tl_linear(x, c->w[k], c->b[k]), tl_linear(h, c->u[k], none));
}

static tl_tensor lstm_of(const tl_tensor *z, tl_tensor h)
{
    tl_tensor a = tl_add(tl_mul(tl_sigmoid(z[1]), h), tl_mul(tl_sigmoid(z[0]), tl_tanh(z[2])));
    return tl_mul(tl_sigmoid(z[3]), tl_tanh(a));
}

static tl_tensor step(variant which, const cell *c, tl_tensor x, tl_tensor h)
{
    tl_tensor z[GATES];
    for (int k = 0; k < GATES; k++)
        z[k] = which == TURNED ? turned_gate(c, k, x, h) : gate(c, k, x, h);
    if (which == GRU) {
        tl_tensor r = tl_sigmoid(z[0]), u = tl_sigmoid(z[1]);
        tl_tensor m = tl_add(tl_matmul(h, c->u[2]), c->b[3]);
        tl_tensor n = tl_tanh(tl_add(tl_add(tl_matmul(x, c->w[2]), c->b[2]), tl_mul(r, m)));
        return tl_add(n, tl_mul(u, tl_sub(h, n)));
    }
    if (which == UNEQUAL) {
        z[1] = tl_add(tl_matmul(x, c->w[1]), tl_matmul(h, c->u[1]));
        z[2] = tl_add(tl_add(tl_matmul(x, c->w[2]), tl_matmul(tl_sin(h), c->u[2])), c->b[2]);
    }
    if (which == REUSED) {
        z[1] = tl_add(tl_add(tl_matmul(x, c->w[0]), tl_matmul(h, c->u[1])), c->b[1]);
        return tl_tanh(tl_add(lstm_of(z, h), tl_mul(z[3], tl_sin(z[3]))));
    }
    return lstm_of(z, h);
}

/* results -- h of all steps and the gradients, as doubles; *text receives the last plan. */
static int results(variant which, int64_t steps, int64_t rows, int reverse, double *out,
                   char **text)
{
    tl_tape *tape = check_tape(1);
    tl_tensor by[2 + 3 * GATES] = {check_random(tape, TL_F64, tl_shape3(steps, rows, I), 1),
                                   check_random(tape, TL_F64, tl_shape2(rows, H), 2)};
    cell c;
    for (int k = 0; k < GATES; k++) {
        const tl_shape shape = which == TURNED ? tl_shape2(H, I) : tl_shape2(I, H);
        c.w[k] = by[2 + k] = check_random(tape, TL_F64, shape, 10 + (uint64_t)k);
        c.u[k] = by[2 + GATES + k] = check_random(tape, TL_F64, tl_shape2(H, H), 20 + (uint64_t)k);
        c.b[k] = by[2 + 2 * GATES + k] = check_random(tape, TL_F64, tl_shape1(H), 30 + (uint64_t)k);
    }
    tl_scan_opts o = tl_scan_defaults();
    o.reverse = reverse;
    tl_scan s = tl_scan_open(tape, steps, &o);
    tl_tensor x = tl_scan_each(s, by[0]), h = tl_scan_carry(s, by[1]), h1 = step(which, &c, x, h);
    tl_scan_next(s, h, h1);
    tl_scan_close(s);
    tl_tensor all[3 + 3 * GATES] = {tl_scan_last(s, h)};
    tl_tensor loss = tl_add(tl_sum_all(tl_sin(all[0])), tl_mean_all(tl_scan_stacked(s, h1)));
    cr_assert_eq(tl_grad(1, &loss, NULL, 2 + 3 * GATES, by, all + 1), TL_OK, "%s",
                 tl_tape_error(tape));
    for (int k = 0; k < 3 + 3 * GATES; k++)
        tl_want(all[k]);
    cr_assert_eq(tl_commit(tape), TL_OK, "%s", tl_tape_error(tape));
    *text = tl__plan_dump(tape);
    int n = 0;
    for (int k = 0; k < 3 + 3 * GATES; k++) {
        const int64_t count = tl_shape_count(tl_shape_of(all[k]));
        cr_assert(n + count <= MOST);
        cr_assert_eq(tl_read_f64(all[k], out + n, count), TL_OK, "%s", tl_tape_error(tape));
        n += (int)count;
    }
    tl_tape_free(tape);
    return n;
}

/* products_in_loops -- how many products run in every step. */
static int products_in_loops(const char *text)
{
    int n = 0;
    for (; (text = strstr(text, "\n  contract")); text++)
        n++;
    return n;
}

/* compare -- results with and without the pass agree; products in steps of both plans. */
static void compare(variant which, int64_t steps, int64_t rows, int reverse, int *with,
                    int *without)
{
    static double got[MOST], want[MOST];
    const unsigned all = tl__passes() & ~(unsigned)TL_PASS_PERIOD; /* which moves products about */
    char *text[2];
    tl__set_passes(all);
    const int n = results(which, steps, rows, reverse, got, &text[0]);
    tl__set_passes(all & ~(unsigned)TL_PASS_JOIN);
    cr_assert_eq(results(which, steps, rows, reverse, want, &text[1]), n);
    tl__set_passes(all | TL_PASS_PERIOD);
    assert_allclose(n, got, want, 1e-10, 1e-12);
    *with = products_in_loops(text[0]);
    *without = products_in_loops(text[1]);
    tl__free(text[0]);
    tl__free(text[1]);
}

Test(join, results_agree_with_and_without_the_pass)
{
    for (int k = 0; k < 2 * VARIANTS; k++) {
        int with, without;
        compare((variant)(k / 2), T, B, k % 2, &with, &without);
        cr_assert_leq(with, without, "variant %d: %d, %d", k / 2, with, without);
    }
}

Test(join, gates_that_are_alike_are_one_product)
{
    int with, without;
    compare(LSTM, T, B, 0, &with, &without);
    cr_assert_eq(without, 8, "%d", without);
    cr_assert_eq(with, 2, "h U and dz U': %d", with);
    compare(TURNED, T, B, 0, &with, &without);
    cr_assert_eq(with, 2, "%d", with);
}

Test(join, of_other_gates_those_that_are_alike)
{
    int with, without;
    compare(GRU, T, B, 0, &with, &without);
    cr_assert_eq(without, 6, "%d", without);
    cr_assert_eq(with, 5, "h [U_r U_z]: %d", with);
    compare(UNEQUAL, T, B, 0, &with, &without);
    cr_assert_eq(with, without - 1, "two of four: %d, %d", with, without);
}

Test(join, products_that_take_long_are_left_alone)
{
    int with, without;
    compare(LSTM, 5, B, 0, &with, &without);
    cr_assert_eq(with, 2, "%d", with);
    compare(LSTM, 5, MANY, 0, &with, &without);
    cr_assert_eq(with, without, "%d, %d", with, without);
}
