/* test_freeze.c -- closing a program: what the tape has computed makes no difference; every shape
 * of result and next state ends up where it belongs; constants and parameters; packed weights; no
 * memory. */
#include "core/frozen.h"
#include "core/gemm.h"
#include "core/grad.h"
#include "core/memory.h"
#include "core/scan.h"
#include "ops/ops.h"
#include "tests/programtest.h"

/* ---- what is live ---------------------------------------------------------------------------- */

/* look -- ways of having computed part of a tape before. */
enum { LOOK_NOT, LOOK_MIDDLE, LOOK_LOSS, LOOK_GRADIENT, LOOKS };

/* gradient_at -- of sum(tanh(x w)^2) by w, at `x`, from a program closed after `look`. */
static void gradient_at(int look, const double *x, double *out)
{
    tl_tape *tape = check_tape(1);
    const double zero[3] = {0};
    tl_tensor xs = tl_input_f64(tape, tl_shape2(1, 3), zero),
              w = check_random(tape, TL_F64, tl_shape2(3, 2), 4);
    tl_tensor z = tl_matmul(xs, w), y = tl_tanh(z), loss = tl_sum_all(tl_square(y)), g;
    if (look == LOOK_MIDDLE)
        tl_eval(1, &z);
    if (look == LOOK_LOSS)
        tl_item(loss);
    tl_grad(1, &loss, NULL, 1, &w, &g);
    if (look == LOOK_GRADIENT)
        tl_eval(1, &g);
    tl_program *p = tl_program_new(tape, "gradient");
    tl_program_input(p, "x", xs);
    tl_program_output(p, "g", g);
    tl_session *s = session_of(p);
    tl_tape_free(tape);
    cr_assert_eq(tl_session_set_f64(s, "x", x, 3), TL_OK);
    step(s);
    cr_assert_eq(tl_session_get_f64(s, "g", out, 6), TL_OK);
    tl_session_free(s);
}

Test(freeze, what_is_live_on_the_tape_makes_no_difference)
{
    const double x[] = {0.3, -0.7, 1.1};
    double want[6], got[6];
    gradient_at(LOOK_NOT, x, want);
    cr_assert(fabs(want[0]) > 1e-3);
    for (int look = LOOK_NOT + 1; look < LOOKS; look++) {
        gradient_at(look, x, got);
        cr_assert_eq(memcmp(got, want, sizeof want), 0, "look %d", look);
    }
}

Test(freeze, a_program_leaves_the_tape_as_it_was)
{
    tl_tape *tape = check_tape(1);
    tl_tensor x = check_random(tape, TL_F64, tl_shape1(4), 1), e = tl_exp(x), y = tl_sin(e);
    const uint32_t nodes = tl_tape_nodes(tape);
    tl_program *p = tl_program_new(tape, NULL);
    tl_program_input(p, "x", x);
    tl_program_output(p, "y", y);
    tl_session *s = session_of(p);
    step(s);
    assert_ok(tape);
    cr_assert_eq(tl_tape_nodes(tape), nodes);
    agrees(s, "y", y);
    agrees(s, "x", x);
    tl_session_free(s);
    tl_tape_free(tape);
}

/* ---- inputs ---------------------------------------------------------------------------------- */

Test(freeze, a_named_value_is_cut_and_one_that_nothing_reads_is_allowed)
{
    tl_tape *tape = check_tape(1);
    tl_tensor a = tl_full(tape, TL_F64, tl_shape1(2), 3), b = tl_exp(a), c = tl_add(a, b);
    tl_program *p = tl_program_new(tape, NULL);
    tl_program_input(p, "a", a);
    tl_program_input(p, "b", b);
    tl_program_input(p, "unread", tl_zeros(tape, TL_F64, tl_shape1(5)));
    tl_program_output(p, "c", c);
    tl_session *s = session_of(p);
    tl_tape_free(tape);
    step(s); /* as on the tape */
    const double first[] = {3 + exp(3), 3 + exp(3)};
    holds(s, "c", 2, first);
    ((double *)tl_session_input(s, 0))[1] = 10; /* b does not follow a */
    ((double *)tl_session_input(s, 1))[0] = 0.5;
    step(s);
    holds(s, "c", 2, (const double[]){3.5, 10 + exp(3)});
    holds(s, "unread", 5, (const double[5]){0});
    tl_session_free(s);
}

Test(freeze, constants_are_kept_and_arrays_of_the_caller_copied)
{
    tl_tape *tape = check_tape(1);
    double mine[2 + 8] = {1, 2};
    tl_tensor x = tl_zeros(tape, TL_F64, tl_shape1(2)),
              a = tl_input_borrow(tape, TL_F64, tl_shape1(2), mine),
              b = tl_input_f64(tape, tl_shape1(2), mine);
    tl_program *p = tl_program_new(tape, NULL);
    tl_program_input(p, "x", x);
    tl_program_output(p, "y", tl_add(tl_add(x, a), tl_scale(b, 10)));
    tl_program_output(p, "a", a);
    tl_session *s = session_of(p);
    tl_tape_free(tape);
    memset(mine, 0, sizeof mine);
    tl_session_set_f64(s, "x", (const double[]){100, 200}, 2);
    step(s);
    holds(s, "y", 2, (const double[]){111, 222});
    holds(s, "a", 2, (const double[]){1, 2});
    tl_session_free(s);
}

Test(freeze, parameters_and_kept_states_are_read_at_each_run)
{
    tl_tape *tape = check_tape(1);
    tl_params *set = tl_params_new(TL_F64);
    tl_param *w = tl_param_new(set, "w", tl_shape1(2), NULL);
    tl_state *k = tl_state_new(TL_F64, tl_shape1(2));
    tl_tensor use = tl_use(tape, w), y = tl_add(tl_scale(use, 2), tl_state_use(tape, k));
    double *before = check_values(y); /* live, and of the version of now */
    tl_program *p = tl_program_new(tape, NULL);
    tl_program_output(p, "y", y);
    tl_program_output(p, "w", use);
    tl_session *s = session_of(p);
    step(s);
    holds(s, "y", 2, before);
    free(before);
    tl_param_set_f64(w, (const double[]){1, 2}, 2);
    tl_state_set_f64(k, (const double[]){0.5, 0}, 2);
    step(s);
    holds(s, "y", 2, (const double[]){2.5, 4});
    holds(s, "w", 2, (const double[]){1, 2});
    tl_tape_reset(tape);
    tl_assign(w, tl_full(tape, TL_F64, tl_shape1(2), 7));
    cr_assert_eq(tl_commit(tape), TL_OK);
    tl_tape_free(tape);
    step(s);
    holds(s, "y", 2, (const double[]){14.5, 14});
    tl_session_free(s);
    tl_params_free(set);
    tl_state_free(k);
}

/* ---- results --------------------------------------------------------------------------------- */

Test(freeze, outputs_may_be_views_leaves_constants_or_one_value_twice)
{
    tl_tape *tape = check_tape(1);
    tl_tensor x = check_random(tape, TL_F64, tl_shape2(2, 3), 1), e = tl_exp(x);
    tl_scan scan = tl_scan_open(tape, 2, NULL);
    tl_tensor h = tl_scan_carry(scan, tl_zeros(tape, TL_F64, tl_shape1(3))),
              h1 = tl_add(h, tl_scan_each(scan, e));
    tl_scan_next(scan, h, h1);
    tl_scan_close(scan);
    tl_tensor hs = tl_scan_stacked(scan, h1);
    struct {
        const char *name;
        tl_tensor t;
    } out[] = {{"input", x},
               {"view of the input", tl_transpose(x, 0, 1)},
               {"slice of the input", tl_slice(x, 1, 1, 2)},
               {"value", e},
               {"value again", e},
               {"transposed", tl_transpose(e, 0, 1)},
               {"row", tl_index(e, 0, 1)},
               {"column", tl_index(e, 1, 1)},
               {"repeated", tl_broadcast_to(tl_slice(e, 0, 0, 1), tl_shape2(4, 3))},
               {"zeros", tl_zeros(tape, TL_F64, tl_shape1(3))},
               {"number", tl_scalar(tape, TL_F64, 2.5)},
               {"sum", tl_sum_all(e)},
               {"last", tl_scan_last(scan, h)},
               {"all", hs},
               {"one of all", tl_index(hs, 0, 0)},
               {"nothing", tl_slice(e, 1, 0, 0)},
               {"detached", tl_detach(e)}};
    enum { N = sizeof out / sizeof *out };
    tl_program *p = tl_program_new(tape, NULL);
    tl_program_input(p, "x", x);
    for (int i = 0; i < N; i++)
        cr_assert_eq(tl_program_output(p, out[i].name, out[i].t), TL_OK);

    tl_session *s = session_of(p);
    for (int k = 0; k < 3; k++) {
        step(s);
        for (int i = 0; i < N; i++)
            agrees(s, out[i].name, out[i].t);
    }
    tl_session_free(s);
    tl_tape_free(tape);
}

/* Every kind of next state at once; the tape computes the same from what the states were. */
Test(freeze, states_may_be_anything_that_fits)
{
    enum { N = 11, STEPS = 5 };
    static const char *const name[N] = {"own",       "same",     "left",   "right",
                                        "again",     "whole",    "middle", "unchanged",
                                        "handed on", "constant", "input"};
    tl_tape *tape = check_tape(1);
    double now[N][4], x[4] = {0};
    for (int i = 0; i < N; i++)
        for (int k = 0; k < 4; k++)
            now[i][k] = 0.1 * i + 0.01 * k;
    tl_session *s = NULL;
    for (int t = 0; t <= STEPS; t++) {
        tl_tensor in = tl_input_f64(tape, tl_shape1(4), x), h[N], next[N];
        for (int i = 0; i < N; i++)
            h[i] = tl_input_f64(tape, tl_shape1(4), now[i]);
        tl_tensor own = tl_tanh(tl_add(h[0], in)), both[] = {h[2], h[3]},
                  wide = tl_cos(tl_concat(2, both, 0));
        next[0] = own;
        next[1] = own; /* the same value as another */
        next[2] = tl_slice(wide, 0, 0, 4);
        next[3] = tl_slice(wide, 0, 4, 4);
        next[4] = tl_slice(wide, 0, 0, 4);
        next[5] = tl_add(h[5], h[1]);
        next[6] = tl_slice(wide, 0, 2, 4); /* in the middle of two others */
        next[7] = h[7];
        next[8] = h[0];
        next[9] = tl_full(tape, TL_F64, tl_shape1(4), 0.25);
        next[10] = in;
        if (t == 0) {
            tl_program *p = tl_program_new(tape, NULL);
            tl_program_input(p, "x", in);
            for (int i = 0; i < N; i++)
                tl_program_state(p, name[i], h[i], next[i]);
            tl_program_output(p, "y", own);
            tl_program_output(p, "before", h[0]);
            s = session_of(p);
        } else {
            for (int i = 0; i < N; i++)
                holds(s, name[i], 4, now[i]);
            tl_session_set_f64(s, "x", x, 4);
            step(s);
            agrees(s, "y", own);
            holds(s, "before", 4, now[0]);
            for (int i = 0; i < N; i++)
                cr_assert_eq(tl_read_f64(next[i], now[i], 4), TL_OK, "%s", tl_tape_error(tape));
        }
        for (int k = 0; k < 4; k++)
            x[k] = sin(t + k);
        tl_tape_reset(tape);
    }
    tl_session_reset(s);
    for (int i = 0; i < N; i++)
        for (int k = 0; k < 4; k++)
            now[i][k] = 0.1 * i + 0.01 * k;
    for (int i = 0; i < N; i++)
        holds(s, name[i], 4, now[i]);
    tl_session_free(s);
    tl_tape_free(tape);
}

Test(freeze, a_state_may_be_the_last_row_of_a_history)
{
    tl_tape *tape = check_tape(1);
    tl_tensor x = check_random(tape, TL_F64, tl_shape2(3, 2), 1),
              h0 = tl_zeros(tape, TL_F64, tl_shape1(2));
    tl_scan scan = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(scan, h0), h1 = tl_tanh(tl_add(h, tl_scan_each(scan, x)));
    tl_scan_next(scan, h, h1);
    tl_scan_close(scan);
    tl_program *p = tl_program_new(tape, NULL);
    tl_program_input(p, "x", x);
    tl_program_state(p, "h", h0, tl_scan_last(scan, h));
    tl_program_output(p, "hs", tl_scan_stacked(scan, h1));
    tl_session *s = session_of(p);
    const double *xs = tl_session_input(s, 0);
    double want[2] = {0}, got[6];
    for (int k = 0; k < 4; k++) {
        step(s);
        for (int t = 0; t < 3; t++)
            for (int j = 0; j < 2; j++)
                want[j] = tanh(want[j] + xs[2 * t + j]);
        tl_session_get_f64(s, "h", got, 2);
        assert_allclose(2, got, want, 1e-12, 1e-12);
        tl_session_get_f64(s, "hs", got, 6);
        assert_allclose(2, got + 4, want, 1e-12, 1e-12);
    }
    tl_session_free(s);
    tl_tape_free(tape);
}

/* ---- weights --------------------------------------------------------------------------------- */

enum { N = 40, K = 6 };

static int pack_count(const tl_session *s)
{
    const tl_plan *plan = tl_session_program(s)->plan;
    int n = 0;
    for (uint32_t k = 0; k < plan->nbases; k++)
        n += plan->base[k].kind == TL_BASE_PACK;
    return n;
}

static tl_tensor product(tl_tape *tape, tl_param *w)
{
    return tl_matmul_t(check_random(tape, TL_F64, tl_shape2(2, K), 1), 0, tl_use(tape, w), 1);
}

Test(freeze, weights_are_packed_once_for_each_version_and_all_sessions)
{
    if (tl__panels_bytes(TL_F64, K, N) == 0)
        return; /* this machine does not read packs */
    tl_tape *tape = check_tape(1);
    tl_params *set = tl_params_new(TL_F64);
    tl_param *w = tl_param_new(set, "w", tl_shape2(N, K), NULL);
    tl_program *p = tl_program_new(tape, NULL);
    tl_program_output(p, "y", product(tape, w));
    cr_assert_eq(tl_program_close(p, NULL), TL_OK);
    tl_session *s[2] = {tl_session_new(p, NULL), tl_session_new(p, NULL)};
    cr_assert_eq(pack_count(s[0]), 1);
    for (int k = 0; k < 3; k++) {
        double v[N * K];
        for (int i = 0; i < N * K; i++)
            v[i] = sin(i + k);
        tl_param_set_f64(w, v, N * K);
        for (int i = 0; i < 4; i++) {
            tl__fail_after(0);
            step(s[i % 2]);
            cr_assert_eq(tl__alloc_count() > 0, i == 0, "step %d of version %d: %ld allocations", i,
                         k, tl__alloc_count());
        }
        agrees(s[0], "y", product(tape, w));
        agrees(s[1], "y", product(tape, w));
    }
    tl_session_free(s[0]);
    tl_session_free(s[1]);
    tl_program_free(p);
    tl_tape_free(tape);
    tl_params_free(set);
}

Test(freeze, inputs_are_not_packed)
{
    tl_tape *tape = check_tape(1);
    tl_tensor x = check_random(tape, TL_F64, tl_shape2(2, K), 1),
              w = check_random(tape, TL_F64, tl_shape2(N, K), 2), y = tl_matmul_t(x, 0, w, 1);
    tl_program *p = tl_program_new(tape, NULL);
    tl_program_input(p, "x", x);
    tl_program_input(p, "w", w);
    tl_program_output(p, "y", y);
    tl_session *s = session_of(p);
    cr_assert_eq(pack_count(s), 0);
    step(s);
    agrees(s, "y", y);
    tl_session_free(s);
    tl_tape_free(tape);
}

/* An input that all steps of a loop read is packed anew in each run. */
Test(freeze, an_input_that_a_loop_reads_may_change)
{
    tl_tape *tape = check_tape(1);
    tl_tensor w = check_random(tape, TL_F64, tl_shape2(N, N), 2);
    tl_scan scan = tl_scan_open(tape, 4, NULL);
    tl_tensor h = tl_scan_carry(scan, tl_ones(tape, TL_F64, tl_shape2(1, N)));
    tl_scan_next(scan, h, tl_tanh(tl_matmul_t(h, 0, w, 1)));
    tl_scan_close(scan);
    tl_tensor last = tl_scan_last(scan, h);
    tl_program *p = tl_program_new(tape, NULL);
    tl_program_input(p, "w", w);
    tl_program_output(p, "y", last);
    tl_session *s = session_of(p);
    step(s);
    agrees(s, "y", last);
    double got[N];
    memset(tl_session_input(s, 0), 0, N * N * sizeof *got);
    step(s);
    holds(s, "y", N, (const double[N]){0});
    tl_session_free(s);
    tl_tape_free(tape);
}

/* ---- no memory ------------------------------------------------------------------------------- */

/* run_once -- a program with one of everything, closed, and stepped twice; its output to *y. */
static int run_once(tl_tape *tape, tl_param *w, double *y)
{
    tl_scope_open(tape, "scope");
    tl_tensor x = tl_zeros(tape, TL_F64, tl_shape2(1, 2)), h = tl_exp(x);
    tl_tensor h1 = tl_tanh(tl_linear(tl_add(x, tl_dropout(h, 0.5)), tl_use(tape, w),
                                     tl_input_f64(tape, tl_shape1(2), (const double[]){1, 2})));
    tl_scope_close(tape);
    tl_program *p = tl_program_new(tape, "name");
    if (!p)
        return TL_ENOMEM;
    tl_err err = {0};
    tl_program_input(p, "x", x);
    tl_program_state(p, "h", h, h1);
    tl_program_output(p, "y", tl_transpose(h1, 0, 1));
    int code = tl_program_close(p, &err);
    tl_session *s = code ? NULL : tl_session_new(p, &err);
    code = code ? code : err.code;
    for (int k = 0; s && k < 2 && code == TL_OK; k++)
        code = tl_session_step(s);
    if (code == TL_OK)
        code = tl_session_get_f64(s, "y", y, 2);
    tl_session_free(s);
    tl_program_free(p);
    return code;
}

Test(freeze, every_allocation_may_fail)
{
    tl_params *set = tl_params_new(TL_F64);
    tl_param *w = tl_param_new(set, "w", tl_shape2(2, 2), NULL);
    tl_param_set_f64(w, (const double[]){1, 0.5, -0.5, 2}, 4);
    double want[2], got[2];
    tl_tape *tape = check_tape(1);
    cr_assert_eq(run_once(tape, w, want), TL_OK);
    tl_tape_free(tape);
    int failures = 0, code = TL_ENOMEM;
    for (long n = 1; code != TL_OK && n < 10000; n++) {
        tape = check_tape(1);
        tl__fail_after(n);
        code = run_once(tape, w, got);
        tl__fail_after(0);
        failures += code != TL_OK;
        cr_assert(code == TL_OK || code == TL_ENOMEM, "allocation %ld: got %d", n, code);
        tl_tape_free(tape);
    }
    cr_assert_eq(code, TL_OK);
    cr_assert_eq(memcmp(got, want, sizeof want), 0);
    cr_assert(failures > 20, "only %d allocations failed", failures);
    tl_params_free(set);
}
