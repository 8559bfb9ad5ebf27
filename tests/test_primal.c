/* test_primal.c -- what the adjoint of a scan asks the scan for, and that asking before does not
 * change it. */
#include "ops/ops.h"

#include "core/scan_record.h"

#include <criterion/criterion.h>

enum { ROOM = 64 };

static tl_tensor numbers(tl_tape *tape, tl_shape shape, double first)
{
    double v[ROOM];
    int64_t n = tl_shape_count(shape);
    for (int64_t i = 0; i < n; i++)
        v[i] = first + (double)i;
    return tl_input_f64(tape, shape, v);
}

static uint32_t wanted(const tl_tape *tape, uint32_t frame)
{
    uint32_t n = 0;
    for (uint32_t k = 0; k < tape->frames[frame].nresults; k++)
        n += tape->nodes[tape->frames[frame].results[k]].want;
    return n;
}

Test(primal, what_the_adjoint_will_ask_for_is_wanted)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor x = numbers(tape, tl_shape2(3, 2), 0), w = numbers(tape, tl_shape1(2), 1), g;
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, w), u = tl_mul(h, w); /* reads h; w is the same in every step */
    tl_tensor h1 =
        tl_tanh(tl_add(u, tl_sin(tl_scan_each(s, x)))); /* reads its result; x lies outside */
    tl_scan_next(s, h, h1);
    tl_scan_close(s);
    tl_tensor last = tl_scan_last(s, h);
    cr_assert_eq(tl__scan_want_residuals(tape, s.frame), TL_OK);
    cr_assert_eq(wanted(tape, s.frame), 2); /* h and h1 */
    uint32_t nodes = tl_tape_nodes(tape), results = tape->frames[s.frame].nresults;
    cr_assert_eq(tl__scan_want_residuals(tape, s.frame), TL_OK);
    cr_assert_eq(tl_tape_nodes(tape), nodes);
    tl_tensor in[2] = {x, w}, gs[2];
    tl_grad(1, &last, NULL, 2, in, gs);
    cr_assert_eq(tape->frames[s.frame].nresults, results);
    tl_grad(1, &gs[1], NULL, 1, &w, &g);
    cr_assert_eq(tl_tape_status(tape), TL_OK, "%s", tl_tape_error(tape));
    tl_tape_free(tape);
}

Test(primal, residuals_of_inner_scans_are_asked_along)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor x = numbers(tape, tl_shape3(3, 4, 2), 0), w = numbers(tape, tl_shape1(2), 1), gs[2];
    tl_scan outer = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(outer, w), rows = tl_mul(tl_scan_each(outer, x), h);
    tl_scan inner = tl_scan_open(tape, 4, NULL);
    tl_tensor c = tl_scan_carry(inner, h),
              c1 = tl_tanh(tl_mul(tl_mul(c, w), tl_scan_each(inner, rows)));
    tl_scan_next(inner, c, c1);
    tl_scan_close(inner);
    tl_scan_next(outer, h, tl_scan_last(inner, c));
    tl_scan_close(outer);
    tl_tensor last = tl_scan_last(outer, h), in[2] = {x, w};
    cr_assert_eq(tl__scan_want_residuals(tape, outer.frame), TL_OK, "%s", tl_tape_error(tape));
    uint32_t results = tape->frames[outer.frame].nresults,
             inner_results = tape->frames[inner.frame].nresults;
    cr_assert(wanted(tape, outer.frame) >= 3);
    tl_grad(1, &last, NULL, 2, in, gs);
    cr_assert_eq(tape->frames[outer.frame].nresults, results);
    cr_assert_eq(tape->frames[inner.frame].nresults, inner_results);
    tl_tape_free(tape);
}

/* A reshape is recorded again on the residual of its operand, which is asked for anyway; a product
 * of x is a residual, not computed twice. */
Test(primal, views_are_recorded_again_and_products_are_not)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor x = numbers(tape, tl_shape3(3, 2, 2), 0), w = numbers(tape, tl_shape2(2, 2), 1),
              gs[2];
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, w), h1 = tl_tanh(tl_matmul(h, w));
    tl_tensor flat = tl_reshape(h1, tl_shape1(4)), square = tl_mul(flat, flat);
    tl_tensor product = tl_matmul(tl_scan_each(s, x), w);
    tl_scan_next(s, h, tl_add(tl_mul(product, product), tl_reshape(square, tl_shape2(2, 2))));
    tl_scan_close(s);
    cr_assert_eq(tl__scan_want_residuals(tape, s.frame), TL_OK, "%s", tl_tape_error(tape));
    const uint32_t want[3] = {h.slot, h1.slot, product.slot};
    const tl_frame *f = &tape->frames[s.frame];
    cr_assert_eq(f->nresults, 3);
    for (int i = 0; i < 3; i++) {
        int found = 0;
        for (uint32_t k = 0; k < f->nresults; k++)
            found += tape->nodes[f->results[k]].attr.i[0] == want[i];
        cr_assert_eq(found, 1, "residual %d", i);
    }
    tl_tensor last = tl_scan_last(s, h), in[2] = {x, w};
    tl_grad(1, &last, NULL, 2, in, gs);
    cr_assert_eq(tape->frames[s.frame].nresults, 4);
    tl_tape_free(tape);
}
