/* test_layout_pass.c -- buffers share places when their lives do not meet, and that changes no
 * bit. */
#include "core/run.h"
#include "core/space.h"
#include "ops/ops.h"
#include "tests/check.h"

#include <stdlib.h>

enum { LENGTH = 40, N = 64 };

/* chain -- x = tanh(x w), many times over. */
static tl_tensor chain(tl_tape *tape)
{
    tl_tensor x = check_random(tape, TL_F64, tl_shape2(N, N), 1),
              w = tl_scale(check_random(tape, TL_F64, tl_shape2(N, N), 2), 0.1);
    tl_no_grad_open(tape);
    for (int k = 0; k < LENGTH; k++)
        x = tl_tanh(tl_matmul(x, w));
    tl_no_grad_close(tape);
    return x;
}

static double *run_with(unsigned mask, size_t *bytes)
{
    const unsigned all = tl__passes();
    tl__set_passes(mask);
    tl_tape *tape = check_tape(1);
    tl_tensor y = chain(tape);
    double *values = check_values(y);
    assert_ok(tape);
    *bytes = tl__run_stats(tape).slab_bytes;
    tl_tape_free(tape);
    tl__set_passes(all);
    return values;
}

Test(layout_pass, a_long_chain_takes_a_few_buffers)
{
    const unsigned all = tl__passes();
    const size_t one = N * N * sizeof(double);
    size_t with, without;
    double *a = run_with(all, &with), *b = run_with(all & ~(unsigned)TL_PASS_LAYOUT, &without);
    assert_allclose(N * N, a, b, 0, 0);
    cr_assert(with < 8 * one, "%zu bytes", with);
    cr_assert(LENGTH * one < without, "%zu bytes", without);
    free(a);
    free(b);
}

/* A body reads values from outside through the whole loop, and its own buffers must not lie on
 * them. */
static tl_tensor nested(tl_tape *tape)
{
    tl_tensor x = check_random(tape, TL_F64, tl_shape2(3, 5), 1),
              w = check_random(tape, TL_F64, tl_shape2(5, 5), 2);
    tl_tensor u = tl_matmul(x, w), v = tl_exp(tl_scale(u, 0.1));
    tl_scan s = tl_scan_open(tape, 4, NULL);
    tl_tensor h = tl_scan_carry(s, u);
    tl_tensor start = tl_add(h, v);
    tl_scan inner = tl_scan_open(tape, 3, NULL);
    tl_tensor g = tl_scan_carry(inner, start);
    tl_scan_next(inner, g, tl_tanh(tl_add(tl_matmul(g, w), tl_mul(v, h))));
    tl_scan_close(inner);
    tl_tensor last = tl_scan_last(inner, g);
    tl_scan_next(s, h, tl_sub(last, tl_scale(tl_matmul(h, w), 0.01)));
    tl_scan_close(s);
    tl_tensor total = tl_add(tl_scan_summed(s, last), tl_scan_last(s, h));
    return tl_add(total, tl_matmul(v, w));
}

Test(layout_pass, bodies_and_what_they_read_keep_apart)
{
    const unsigned all = tl__passes();
    tl_tape *one = check_tape(1), *other = check_tape(1);
    tl_tensor a = nested(one), b = nested(other);
    double *with = check_values(a);
    assert_ok(one);
    tl__set_passes(all & ~(unsigned)TL_PASS_LAYOUT);
    double *without = check_values(b);
    tl__set_passes(all);
    assert_allclose(15, with, without, 0, 0);
    free(with);
    free(without);
    tl_tape_free(one);
    tl_tape_free(other);
}
