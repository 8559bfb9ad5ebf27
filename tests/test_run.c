/* test_run.c -- runs: which values stay, that looking changes nothing, errors with their place,
 * no memory, no steps, no elements; and random programs computed with every combination of
 * passes. */
#include "core/grad.h"
#include "core/memory.h"
#include "core/node.h"
#include "core/random.h"
#include "core/run.h"
#include "core/space.h"
#include "ops/ops.h"
#include "tests/check.h"
#include "tests/random_program.h"

#include <stdlib.h>
#include <string.h>

static tl_life life_of(tl_tensor t)
{
    return (tl_life)tl__peek(t)->life;
}

Test(run, roots_scalars_wanted_values_and_what_is_pending_reads_stay)
{
    tl_tape *tape = check_tape(1);
    tl_no_grad_open(tape);
    tl_tensor a = check_random(tape, TL_F64, tl_shape2(3, 3), 1), e = tl_exp(a), s = tl_sin(e),
              wanted = tl_want(tl_cos(s));
    tl_tensor sum = tl_sum_all(wanted), y = tl_mul(wanted, sum), pending = tl_neg(s);
    tl_no_grad_close(tape);
    cr_assert_eq(tl_eval(1, &y), TL_OK);
    cr_assert_eq(life_of(e), TL_DROPPED);
    cr_assert_eq(life_of(s), TL_LIVE);
    cr_assert_eq(life_of(wanted), TL_LIVE);
    cr_assert_eq(life_of(sum), TL_LIVE);
    cr_assert_eq(life_of(y), TL_LIVE);
    cr_assert_eq(life_of(pending), TL_PENDING);
    tl_tape_free(tape);
}

Test(run, outside_no_grad_what_adjoints_read_stays)
{
    tl_tape *tape = check_tape(1);
    tl_tensor a = check_random(tape, TL_F64, tl_shape2(3, 3), 1), t = tl_tanh(a), n = tl_neg(t),
              y = tl_add(n, a);
    cr_assert_eq(tl_eval(1, &y), TL_OK);
    cr_assert_eq(life_of(t), TL_LIVE);
    cr_assert_eq(life_of(n), TL_DROPPED);
    tl_tape_free(tape);
}

Test(run, a_dropped_value_is_computed_again)
{
    tl_tape *tape = check_tape(1);
    tl_no_grad_open(tape);
    tl_tensor a = tl_randn(tape, TL_F64, tl_shape2(4, 4)), e = tl_exp(a), y = tl_sin(e);
    tl_no_grad_close(tape);
    double *want = check_values(y), *exps = check_values(e);
    for (int i = 0; i < 16; i++)
        cr_assert(fabs(sin(exps[i]) - want[i]) < 1e-14);
    cr_assert_eq(tl__run_stats(tape).runs, 2);
    free(want);
    free(exps);
    tl_tape_free(tape);
}

Test(run, an_error_names_operation_scope_and_step_and_changes_nothing)
{
    tl_tape *tape = check_tape(1);
    const int32_t index[] = {0, 1, 2, 7, 1};
    tl_tensor table = check_random(tape, TL_F64, tl_shape2(4, 2), 1),
              ids = tl_input_i32(tape, tl_shape1(5), index);
    tl_scan_opts o = tl_scan_defaults();
    o.name = "decoder";
    tl_scan s = tl_scan_open(tape, 5, &o);
    tl_tensor h = tl_scan_carry(s, tl_zeros(tape, TL_F64, tl_shape1(2))), id = tl_scan_each(s, ids);
    tl_scope_open(tape, "look");
    tl_scan_next(s, h, tl_add(h, tl_gather(table, id)));
    tl_scope_close(tape);
    tl_scan_close(s);
    tl_tensor y = tl_scan_last(s, h);
    cr_assert_eq(tl_eval(1, &y), TL_ERANGE);
    assert_fails(tape, TL_ERANGE, "decoder/look: gather: got index 7");
    cr_assert_not_null(strstr(tl_tape_error(tape), "at t=3"), "%s", tl_tape_error(tape));
    cr_assert_eq(tape->nodes[y.slot].life, TL_PENDING);
    tl_tape_free(tape);
}

/* program -- a bit of everything: two nested loops, a product, pieces, a sum, a draw. */
static tl_tensor program(tl_tape *tape, int64_t T, int64_t B)
{
    tl_tensor xs = check_random(tape, TL_F64, tl_shape3(T, B, 3), 1),
              w = check_random(tape, TL_F64, tl_shape2(3, 3), 2);
    tl_tensor start = tl_mul(tl_randn(tape, TL_F64, tl_shape2(B, 3)),
                             tl_tanh(tl_zeros(tape, TL_F64, tl_shape2(B, 3))));
    tl_scan s = tl_scan_open(tape, T, NULL);
    tl_tensor h = tl_scan_carry(s, start), x = tl_scan_each(s, xs);
    tl_scan inner = tl_scan_open(tape, 2, NULL);
    tl_tensor g = tl_scan_carry(inner, h);
    tl_scan_next(inner, g, tl_tanh(tl_add(tl_matmul(g, w), tl_dropout(x, 0.3))));
    tl_scan_close(inner);
    tl_tensor last = tl_scan_last(inner, g),
              parts[] = {tl_slice(last, 1, 2, 1), tl_slice(last, 1, 0, 2)};
    tl_scan_next(s, h, tl_concat(2, parts, 1));
    tl_scan_close(s);
    tl_tensor all = tl_scan_stacked(s, last);
    return tl_add(tl_sum_all(tl_square(all)),
                  tl_sum_all(tl_mul(tl_scan_last(s, h), tl_scan_summed(s, last))));
}

/* gradient_of -- of program by its w, with the value read before if `look`. */
static double *gradient_of(tl_tape *tape, int look)
{
    tl_tensor loss = program(tape, 4, 2), w = {0}, g;
    for (uint32_t k = 0; k < tl_tape_nodes(tape); k++)
        if (tape->nodes[k].op == &tl_op_input && tape->nodes[k].shape.rank == 2)
            w = tl__at(tape, k);
    if (look)
        tl_item(loss);
    cr_assert_eq(tl_grad(1, &loss, NULL, 1, &w, &g), TL_OK, "%s", tl_tape_error(tape));
    return check_values(g);
}

Test(run, looking_in_the_middle_changes_no_bit)
{
    tl_tape *one = check_tape(3), *other = check_tape(3);
    double *a = gradient_of(one, 0), *b = gradient_of(other, 1);
    cr_assert(a && b, "%s%s", tl_tape_error(one), tl_tape_error(other));
    assert_allclose(9, a, b, 0, 0);
    free(a);
    free(b);
    tl_tape_free(one);
    tl_tape_free(other);
}

Test(run, no_steps_and_no_rows)
{
    for (int64_t T = 0; T < 2; T++)
        for (int64_t B = 0; B < 2; B++) {
            tl_tape *tape = check_tape(1);
            tl_tensor loss = program(tape, T, B);
            double value = tl_item(loss);
            assert_ok(tape);
            cr_assert_eq(isnan(value), 0);
            if (T * B == 0)
                cr_assert(fabs(value) < 1e-300);
            tl_tape_free(tape);
        }
}

Test(run, the_nth_allocation_fails)
{
    tl_tape *warm = check_tape(3);
    double *want = gradient_of(warm, 1), *got = NULL;
    tl_tape_free(warm);
    int failures = 0;
    for (long n = 1; n < 100000 && !got; n++) {
        tl_tape *tape = check_tape(3);
        tl_tensor loss = program(tape, 4, 2), w = {0}, g;
        for (uint32_t k = 0; k < tl_tape_nodes(tape); k++)
            if (tape->nodes[k].op == &tl_op_input && tape->nodes[k].shape.rank == 2)
                w = tl__at(tape, k);
        cr_assert_eq(tl_grad(1, &loss, NULL, 1, &w, &g), TL_OK);
        tl__fail_after(n);
        int code = tl_eval(1, &g);
        tl__fail_after(0);
        if (code) {
            cr_assert_eq(code, TL_ENOMEM, "allocation %ld: %s", n, tl_tape_error(tape));
            cr_assert_neq(life_of(g), TL_LIVE);
            failures++;
        } else {
            got = check_values(g);
        }
        tl_tape_free(tape);
    }
    cr_assert(10 < failures);
    assert_allclose(9, got, want, 0, 0);
    free(want);
    free(got);
}

Test(run, a_failed_run_leaves_the_plans_usable)
{
    tl_tape *tape = check_tape(3);
    double *want = gradient_of(tape, 0);
    for (long n = 1; n < 60; n++) {
        tl_tape_reset(tape);
        tl_set_draws(tape, 0);
        tl__fail_after(n);
        tl_tensor loss = program(tape, 4, 2);
        tl_item(loss);
        tl__fail_after(0);
    }
    tl_tape_reset(tape);
    tl_set_draws(tape, 0);
    double *got = gradient_of(tape, 0);
    assert_allclose(9, got, want, 0, 0);
    free(want);
    free(got);
    tl_tape_free(tape);
}

Test(run, draws_are_the_same_wherever_they_lie)
{
    tl_tape *one = check_tape(9), *other = check_tape(9);
    tl_tensor a = tl_randn(one, TL_F32, tl_shape2(5, 37)),
              b = tl_randn(one, TL_F32, tl_shape2(5, 3));
    tl_tensor c[] = {tl_randn(other, TL_F32, tl_shape2(5, 37)),
                     tl_randn(other, TL_F32, tl_shape2(5, 3))};
    tl_tensor wide = tl_concat(2, c, 1); /* placed in it: rows with gaps */
    double *x = check_values(a), *y = check_values(b), *z = check_values(wide);
    cr_assert(x && y && z);
    for (int i = 0; i < 5; i++) {
        assert_allclose(37, z + 40 * i, x + 37 * i, 0, 0);
        assert_allclose(3, z + 40 * i + 37, y + 3 * i, 0, 0);
    }
    free(x);
    free(y);
    free(z);
    tl_tape_free(one);
    tl_tape_free(other);
}

/* ---- carries that exchange, shift, stay ------------------------------------------------------ */

Test(run, carries_exchange_places)
{
    for (int stack = 0; stack < 2; stack++) {
        tl_tape *tape = check_tape(1);
        tl_tensor a0 = check_input(tape, TL_F64, tl_shape1(3), (const double[]){1, 2, 3}),
                  b0 = check_input(tape, TL_F64, tl_shape1(3), (const double[]){4, 5, 6}),
                  c0 = check_input(tape, TL_F64, tl_shape1(3), (const double[]){7, 8, 9});
        tl_scan s = tl_scan_open(tape, 4, NULL);
        tl_tensor a = tl_scan_carry(s, a0), b = tl_scan_carry(s, b0), c = tl_scan_carry(s, c0),
                  d = tl_scan_carry(s, a0);
        tl_scan_next(s, a, b); /* a, b, c go round; d stays */
        tl_scan_next(s, b, c);
        tl_scan_next(s, c, a);
        tl_scan_next(s, d, d);
        tl_scan_close(s);
        tl_tensor all = stack ? tl_scan_stacked(s, b) : tl_scan_last(s, b);
        if (stack)
            assert_tensor(all, 12, ((const double[]){4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6}), 0, 0);
        else
            assert_tensor(all, 3, ((const double[]){7, 8, 9}), 0, 0);
        assert_tensor(tl_scan_last(s, a), 3, ((const double[]){4, 5, 6}), 0, 0);
        assert_tensor(tl_scan_last(s, c), 3, ((const double[]){1, 2, 3}), 0, 0);
        assert_tensor(tl_scan_last(s, d), 3, ((const double[]){1, 2, 3}), 0, 0);
        tl_tape_free(tape);
    }
}

Test(run, a_carry_read_after_its_next_is_known)
{
    tl_tape *tape = check_tape(1);
    tl_tensor m = check_input(tape, TL_F64, tl_shape2(2, 2), (const double[]){1, 1, 0, 1});
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor a = tl_scan_carry(s, m), b = tl_scan_carry(s, m);
    tl_tensor a1 = tl_add_scalar(a, 1);
    tl_scan_next(s, a, a1);
    tl_scan_next(
        s, b,
        tl_add(tl_matmul(a1, b), tl_transpose(a, 0, 1))); /* the old a, once more, transposed */
    tl_scan_close(s);
    double x[2][2] = {{1, 1}, {0, 1}}, y[2][2] = {{1, 1}, {0, 1}};
    for (int t = 0; t < 3; t++) {
        double z[2][2];
        for (int i = 0; i < 2; i++)
            for (int j = 0; j < 2; j++)
                z[i][j] = (x[i][0] + 1) * y[0][j] + (x[i][1] + 1) * y[1][j] + x[j][i];
        for (int i = 0; i < 2; i++)
            for (int j = 0; j < 2; j++)
                x[i][j] += 1;
        memcpy(y, z, sizeof y);
    }
    assert_tensor(tl_scan_last(s, b), 4, &y[0][0], 1e-14, 0);
    assert_tensor(tl_scan_last(s, a), 4, &x[0][0], 1e-14, 0);
    tl_tape_free(tape);
}

/* ---- random programs ------------------------------------------------------------------------- */

Test(run, random_programs_do_not_depend_on_passes_or_on_looking)
{
    const unsigned all = tl__passes();
    for (uint64_t seed = 1; seed <= 150; seed++) {
        double want[RANDOM_NUMBERS], got[RANDOM_NUMBERS];
        int n = random_program(seed, 0, want);
        random_program(seed, 1, got);
        assert_allclose(n, got, want, 1e-10, 1e-11);
        tl__set_passes(all & ~(unsigned)(TL_PASS_FUSE | TL_PASS_LAYOUT)); /* not a bit */
        random_program(seed, 0, got);
        tl__set_passes(all);
        assert_allclose(n, got, want, 0, 0);
        tl__set_passes(all & ~(unsigned)(TL_PASS_HOIST | TL_PASS_SINK));
        random_program(seed, 0, got);
        tl__set_passes(all);
        assert_allclose(n, got, want, 1e-10, 1e-11);
    }
}
