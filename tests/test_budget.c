/* test_budget.c -- scans with a budget give the bits of scans without one. */
#include "core/print.h"
#include "core/threads.h"
#include "tests/budgettest.h"

/* hold -- the same for several budgets; returns whether the loop ran in segments at all. Bits are
 * those of a training step. Where more is asked of the loop without a budget, which keeps it for a
 * further gradient, passes may find another order of sums: then to rounding, unless `bits`. */
static int hold(problem p, int bits, const char *name)
{
    static double want[MOST], got[MOST];
    static const double times[] = {1, 1.1, 1.3, 1.7, 2.5, 4, 100};
    char error[500];
    const int64_t enough = least(p);
    problem without = p;
    without.look = 0;
    without.budget = 0;
    without.commit = 1;
    const int n = result(&without, want, error);
    cr_assert(n > 0, "%s: %s", name, error);
    for (int k = 0; k < 7; k++) {
        p.budget = enough ? (int64_t)(times[k] * (double)enough) : 1;
        cr_assert_eq(result(&p, got, error), n, "%s: %s", name, error);
        if (!bits && (p.look || !p.commit))
            assert_allclose(n, got, want, 1e-11, 1e-11);
        else
            for (int i = 0; i < n; i++)
                cr_assert(memcmp(&got[i], &want[i], sizeof *got) == 0,
                          "%s, budget %lld: number %d of %d: got %.17g, want %.17g", name,
                          (long long)p.budget, i, n, got[i], want[i]);
        if (!enough)
            break;
    }
    return enough > 0;
}

static int hold_all(problem p, const char *what)
{
    int segments = 0;
    for (int k = 0; k < 32; k++) {
        char name[100];
        p.reverse = k & 1;
        p.lengths = k >> 1 & 1;
        p.outside = k >> 2 & 1;
        p.look = k >> 3 & 1;
        p.commit = k >> 4 & 1;
        snprintf(name, sizeof name, "%s: reverse %d lengths %d outside %d look %d commit %d", what,
                 p.reverse, p.lengths, p.outside, p.look, p.commit);
        segments += hold(p, 1, name);
    }
    return segments;
}

/* ---- tests ----------------------------------------------------------------------------------- */

Test(budget, no_bit_differs)
{
    tl__set_period_rows(2 * B); /* two steps */
    for (int64_t steps = T - 4; steps <= T; steps++)
        cr_assert_eq(hold_all((problem){.T = steps}, "periods of two"), 32);
    cr_assert_eq(hold_all((problem){.T = T, .tied = 1}, "tied to the last state"), 32);
    tl__set_period_rows(5 * B);
    cr_assert_eq(hold_all((problem){.T = T}, "periods of five"), 32);
    tl__set_period_rows(0);
}

Test(budget, whatever_passes_are_on)
{
    const unsigned all = tl__passes();
    const unsigned off[] = {TL_PASS_FUSE,      TL_PASS_HOIST,
                            TL_PASS_LAYOUT,    TL_PASS_SINK,
                            TL_PASS_REDUCE,    TL_PASS_SIMPLIFY,
                            TL_PASS_RECOMPUTE, TL_PASS_PACK,
                            TL_PASS_PERIOD,    TL_PASS_HOIST | TL_PASS_SINK | TL_PASS_FUSE};
    tl__set_period_rows(3 * B);
    for (int k = 0; k < (int)(sizeof off / sizeof *off); k++) {
        tl__set_passes(all & ~off[k]);
        hold_all((problem){.T = T}, "without a pass");
    }
    tl__set_passes(all);
    tl__set_period_rows(0);
}

Test(budget, random_steps)
{
    int segments = 0, n = 0;
    tl__set_period_rows(2 * B);
    for (uint64_t seed = 1; seed <= 150; seed++, n++) {
        char name[60];
        const problem p = {.T = 31 + (int64_t)(seed % 7),
                           .reverse = (int)(seed & 1),
                           .lengths = seed % 5 == 0,
                           .outside = seed % 3 == 0,
                           .look = seed % 4 == 0,
                           .commit = seed % 8 < 3,
                           .seed = seed};
        snprintf(name, sizeof name, "seed %d", (int)seed);
        segments += hold(p, 0, name);
    }
    tl__set_period_rows(0);
    cr_assert(segments > n * 9 / 10, "%d of %d programs ran in segments", segments, n);
}

Test(budget, threads)
{
    const unsigned all = tl__passes();
    tl_set_threads(2);
    tl__set_passes(all | TL_SHARE_ALL);
    tl__set_period_rows(2 * B);
    cr_assert_eq(hold_all((problem){.T = T}, "two threads"), 32);
    for (uint64_t seed = 1; seed <= 20; seed++)
        hold((problem){.T = 40, .seed = seed, .commit = 1}, 1, "two threads, a random step");
    tl__set_period_rows(0);
    tl__set_passes(all);
    tl_set_threads(1);
}

Test(budget, gradients_of_gradients_are_as_without)
{
    static double out[2][MOST];
    tl__set_period_rows(2 * B);
    for (int budget = 0; budget < 2; budget++) {
        const problem p = {.T = 20, .budget = budget ? 20000 : 0};
        world m = world_new(p.T);
        tl_tensor loss = loss_of(&m, &p), g[WEIGHTS], norm = {0};
        cr_assert_eq(tl_grad(1, &loss, NULL, WEIGHTS, m.w, g), TL_OK);
        for (int k = 0; k < WEIGHTS; k++)
            norm = k ? tl_add(norm, tl_sum_all(tl_square(g[k]))) : tl_sum_all(tl_square(g[k]));
        cr_assert_eq(tl_grad(1, &norm, NULL, WEIGHTS, m.w, g), TL_OK);
        int n = 0;
        for (int k = 0; k < WEIGHTS; k++) {
            const int64_t count = tl_shape_count(tl_shape_of(g[k]));
            cr_assert_eq(tl_read_f64(g[k], out[budget] + n, count), TL_OK, "%s",
                         tl_tape_error(m.tape));
            n += (int)count;
        }
        world_free(&m);
        if (budget)
            assert_allclose(n, out[1], out[0], 1e-12, 1e-12);
    }
    tl__set_period_rows(0);
}

static void hold_loops(int beside)
{
    static double out[3][MOST];
    tl__set_period_rows(2 * B);
    for (int way = 0; way < 3; way++) {
        const int64_t budget[] = {0, 3000, 6000};
        world m = world_new(T);
        tl_tensor loss = two_loops(&m, T, beside, budget[way]), in[4], g[4];
        memcpy(in, m.w + 1, sizeof in);
        in[2] = m.xs;
        tl_no_grad_open(m.tape);
        cr_assert_eq(tl_grad(1, &loss, NULL, 4, in, g), TL_OK, "%s", tl_tape_error(m.tape));
        tl_no_grad_close(m.tape);
        int n = 0;
        for (int k = 0; k < 4; k++) {
            const int64_t count = tl_shape_count(tl_shape_of(g[k]));
            cr_assert_eq(tl_read_f64(g[k], out[way] + n, count), TL_OK);
            n += (int)count;
        }
        assert_allclose(n, out[way], out[0], 0, 0);
        world_free(&m);
    }
    tl__set_period_rows(0);
}

Test(budget, several_loops)
{
    const unsigned passes = tl__passes();
    for (int beside = 0; beside < 2; beside++) {
        hold_loops(beside);
        /* gates overwrite what they were made of */
        tl__set_passes(passes & ~(unsigned)TL_PASS_PERIOD);
        hold_loops(beside);
        tl__set_passes(passes & ~(unsigned)(TL_PASS_PERIOD | TL_PASS_RECOMPUTE | TL_PASS_SINK));
        hold_loops(beside);
        tl__set_passes(passes);
    }
}

/* The adjoint reads the last state, which is not there any more when the loop has run again. */
Test(budget, a_state_that_the_adjoint_reads)
{
    static double out[2][MOST];
    tl__set_period_rows(2 * B);
    for (int budget = 0; budget < 2; budget++) {
        world m = world_new(T);
        tl_scan_opts o = tl_scan_defaults();
        o.budget = budget * 3000;
        tl_scan s = tl_scan_open(m.tape, T, &o);
        tl_tensor h = tl_scan_carry(s, tl_zeros(m.tape, TL_F64, tl_shape2(B, H))),
                  x = tl_scan_each(s, m.xs), h1 = tl_tanh(tl_add(tl_matmul(h, m.w[1]), x)),
                  y = tl_sin(h1);
        tl_scan_next(s, h, h1);
        tl_scan_close(s);
        tl_tensor hs = tl_scan_stacked(s, y), g[2], in[2] = {m.w[1], m.xs};
        tl_tensor seed = tl_broadcast_to(tl_scan_last(s, h), tl_shape3(T, B, H));
        cr_assert_eq(tl_grad(1, &hs, &seed, 2, in, g), TL_OK, "%s", tl_tape_error(m.tape));
        cr_assert_eq(tl_eval(2, g), TL_OK, "%s", tl_tape_error(m.tape));
        cr_assert_eq(tl_read_f64(g[0], out[budget], H * H), TL_OK);
        cr_assert_eq(tl_read_f64(g[1], out[budget] + H * H, T * B * H), TL_OK);
        world_free(&m);
    }
    assert_allclose(H * H + T * B * H, out[1], out[0], 1e-12, 1e-12);
    tl__set_period_rows(0);
}

/* looked_up -- a loop whose input is looked up before the products of all its steps. */
static tl_tensor looked_up(const world *m, int64_t budget)
{
    tl_scan_opts o = tl_scan_defaults();
    o.name = "reader";
    o.budget = budget;
    tl_scan s = tl_scan_open(m->tape, T, &o);
    tl_tensor h = tl_scan_carry(s, tl_zeros(m->tape, TL_F64, tl_shape2(B, H)));
    tl_tensor x = tl_matmul(tl_gather(m->w[0], tl_scan_each(s, m->ids)), m->w[1]);
    tl_scan_next(s, h, tl_tanh(tl_add(x, tl_mul(h, m->w[4]))));
    tl_scan_close(s);
    return tl_sum_all(tl_scan_last(s, h));
}

Test(budget, an_error_in_a_step_is_found)
{
    static int32_t id[T * B];
    id[31 * B + 1] = V;
    tl__set_period_rows(2 * B);
    for (int budget = 0; budget < 2; budget++) {
        world m = world_new(T);
        m.ids = tl_input_i32(m.tape, tl_shape2(T, B), id);
        tl_tensor loss = looked_up(&m, budget * 3000), g[2];
        tl_grad(1, &loss, NULL, 2, m.w, g);
        cr_assert_eq(tl_eval(2, g), TL_ERANGE, "%s", tl_tape_error(m.tape));
        assert_fails(m.tape, TL_ERANGE, "reader: gather: got index 5 at [");
        if (budget)
            assert_fails(m.tape, TL_ERANGE, "of the steps from t=");
        cr_assert_eq(tl_tape_reset(m.tape), TL_OK);
        world_free(&m);
    }
    tl__set_period_rows(0);
}

/* says -- whether the plan of a gradient by w[1] of h <- tanh(h W), T times, inside a loop of two
 * steps if `nested`, says `what`. */
static int says(int nested, int64_t budget, const char *what)
{
    world m = world_new(T);
    tl_scan_opts o = tl_scan_defaults();
    tl_scan outer = {0};
    tl_tensor x = tl_slice(tl_reshape(m.xs, tl_shape2(T * B, H)), 0, 0, B), h = x, g;
    if (nested) {
        outer = tl_scan_open(m.tape, 2, NULL);
        x = h = tl_scan_carry(outer, x);
    }
    o.budget = budget;
    tl_scan s = tl_scan_open(m.tape, T, &o);
    h = tl_scan_carry(s, h);
    tl_scan_next(s, h, tl_tanh(tl_matmul(h, m.w[1])));
    tl_scan_close(s);
    tl_tensor last = tl_scan_last(s, h);
    if (nested) {
        tl_scan_next(outer, x, last);
        tl_scan_close(outer);
        last = tl_scan_last(outer, x);
    }
    last = tl_sum_all(last);
    tl_grad(1, &last, NULL, 1, &m.w[1], &g);
    cr_assert_eq(tl_eval(1, &g), TL_OK, "%s", tl_tape_error(m.tape));
    char *text = tl_plan_text(m.tape);
    const int found = strstr(text, what) != NULL;
    tl_string_free(text);
    world_free(&m);
    return found;
}

Test(budget, a_plan_says_what_became_of_it)
{
    tl__set_period_rows(2 * B);
    cr_expect(says(0, 2000, " at a time, run again from "));
    cr_expect(!says(0, 0, " at a time"));
    cr_expect(!says(0, 2000, "no budget"));
    cr_expect(says(1, 2000, "all at once: no budget"));
    cr_expect(!says(0, 1000000, "no budget"), "all of it fits");
    tl__set_period_rows(0);
}

Test(budget, of_what_size)
{
    tl_tape *tape = check_tape(1);
    tl_scan_opts o = tl_scan_defaults();
    cr_assert_eq(o.budget, 0);
    o.budget = -5;
    tl_scan_open(tape, 3, &o);
    assert_fails(tape, TL_ERANGE, "tl_scan_open: got a budget of -5 bytes, want one > 0, or 0");
    tl_tape_free(tape);
    cr_assert_gt(least((problem){.T = T}), 0);
}
