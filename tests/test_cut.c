/* test_cut.c -- tl_cut: gradients of overlapping windows are those of a tape that computes the
 * window anew, nothing is computed twice, and the tape stays as long as the window. */
#include "core/cut.h"
#include "core/grad.h"
#include "core/memory.h"
#include "core/node.h"
#include "core/profile.h"
#include "core/scan.h"
#include "core/space.h"
#include "ops/ops.h"
#include "tests/check.h"
#include "tests/counting.h"

#include <stdlib.h>
#include <string.h>

enum { B = 2, H = 3, K1 = 2, CHUNKS = 4, K2 = K1 * CHUNKS, WINDOWS = 9, MOST = 64 };

static void input_of(int t, double *x)
{
    for (int k = 0; k < B * H; k++)
        x[k] = sin(1.7 * t + 0.9 * k);
}

static tl_tensor weight(tl_tape *tape)
{
    double w[H * H];
    for (int k = 0; k < H * H; k++)
        w[k] = 0.5 * cos(2.1 * k);
    return tl_name(tl_input_f64(tape, tl_shape2(H, H), w), "W");
}

/* chunk -- K1 steps h = tanh(h W + x_t) from `first` on, one by one or as a scan; the state after
 * them, and in *loss the mean of its squares. */
static tl_tensor chunk(tl_tensor w, tl_tensor h, int first, int scans, tl_tensor *loss)
{
    tl_tape *tape = w.tape;
    double x[K1 * B * H];
    for (int k = 0; k < K1; k++)
        input_of(first + k, x + k * B * H);
    tl_tensor xs = tl_input_f64(tape, tl_shape3(K1, B, H), x);
    if (scans) {
        tl_scan s = tl_scan_open(tape, K1, NULL);
        tl_tensor c = tl_scan_carry(s, h);
        tl_scan_next(s, c, tl_tanh(tl_add(tl_matmul(c, w), tl_scan_each(s, xs))));
        tl_scan_close(s);
        h = tl_scan_last(s, c);
    } else {
        for (int k = 0; k < K1; k++) {
            tl_tensor now = tl_input_f64(tape, tl_shape2(B, H), x + k * B * H);
            h = tl_tanh(tl_add(tl_matmul(h, w), now));
        }
    }
    *loss = tl_mean_all(tl_square(h));
    return h;
}

/* again -- the gradient by W of the last loss of a window that begins with chunk `first` at h. */
static void again(const double *h0, int first, int scans, double *out)
{
    tl_tape *tape = check_tape(1);
    tl_tensor w = weight(tape), h = tl_input_f64(tape, tl_shape2(B, H), h0), loss, g;
    for (int k = 0; k < CHUNKS; k++)
        h = chunk(w, h, (first + k) * K1, scans, &loss);
    cr_assert_eq(tl_grad(1, &loss, NULL, 1, &w, &g), TL_OK);
    cr_assert_eq(tl_read_f64(g, out, H * H), TL_OK, "%s", tl_tape_error(tape));
    tl_tape_free(tape);
}

/* steps_run -- how often a tanh was computed. */
static uint64_t steps_run(void)
{
    tl_profile_row row[MOST];
    uint64_t calls = 0;
    const int n = tl_profile_rows(row, MOST);
    for (int k = 0; k < n && k < MOST; k++)
        calls += strcmp(row[k].kind, "tile") == 0 && strstr(row[k].what, "tanh") ? row[k].calls : 0;
    return calls;
}

/* ---- streams --------------------------------------------------------------------------------- */

static tally held;

/* stream -- windows over a stream; compares each gradient if `compares`. Returns the most nodes
 * that the tape had. */
static uint32_t stream(int windows, int scans, int compares)
{
    tl_tape *tape = check_tape(1);
    const double zero[B * H] = {0};
    double start[CHUNKS + 1][B * H] = {{0}}, got[H * H], want[H * H];
    /* h[0] is where the window begins, h[k] the state after its chunk k */
    tl_tensor w = weight(tape), h[CHUNKS + 1], loss, g;
    uint32_t most = 0;
    int have = 0;
    h[0] = tl_input_f64(tape, tl_shape2(B, H), zero);
    for (int c = 0; c < windows + CHUNKS - 1; c++) {
        tl_scope_open(tape, "forward");
        h[have + 1] = chunk(w, h[have], c * K1, scans, &loss);
        tl_scope_close(tape);
        have++;
        const tl_tensor both[] = {h[have], loss};
        cr_assert_eq(tl_eval(2, both), TL_OK, "%s", tl_tape_error(tape));
        cr_assert_eq(tl_read_f64(h[have], start[have], B * H), TL_OK);
        if (have < CHUNKS)
            continue;
        const uint32_t mark = tl_tape_mark(tape);
        cr_assert_eq(tl_grad(1, &loss, NULL, 1, &w, &g), TL_OK, "%s", tl_tape_error(tape));
        cr_assert_eq(tl_read_f64(g, got, H * H), TL_OK, "%s", tl_tape_error(tape));
        most = tl_tape_nodes(tape) > most ? tl_tape_nodes(tape) : most;
        cr_assert_eq(tl_tape_release(tape, mark), TL_OK);
        if (compares) {
            again(start[0], c - CHUNKS + 1, scans, want);
            assert_allclose(H * H, got, want, 1e-12, 1e-15);
        }
        tl_tensor at = h[1], keep[CHUNKS];
        memcpy(keep, h + 2, (CHUNKS - 1) * sizeof *h);
        keep[CHUNKS - 1] = w;
        cr_assert_eq(tl_cut(tape, 1, &at, CHUNKS, keep), TL_OK, "%s", tl_tape_error(tape));
        cr_assert(!tl_tensor_ok(loss));
        held.most = c == windows / 2 ? held.now : held.most;
        h[0] = at;
        memcpy(h + 1, keep, (CHUNKS - 1) * sizeof *h);
        w = keep[CHUNKS - 1];
        memmove(start, start + 1, sizeof start - sizeof *start);
        have--;
    }
    tl_tape_free(tape);
    return most;
}

Test(cut, windows_have_the_gradients_of_windows_computed_anew)
{
    stream(WINDOWS, 0, 1);
}

Test(cut, windows_of_scans_too)
{
    stream(WINDOWS, 1, 1);
}

Test(cut, every_step_runs_once)
{
    tl_profile_on(1);
    for (int scans = 0; scans < 2; scans++) {
        tl_profile_reset();
        stream(WINDOWS, scans, 0);
        cr_assert_eq(steps_run(), (WINDOWS + CHUNKS - 1) * K1, "%llu",
                     (unsigned long long)steps_run());
    }
    tl_profile_on(0);
}

Test(cut, the_tape_stays_as_long_as_the_window)
{
    for (int scans = 0; scans < 2; scans++) {
        const uint32_t few = stream(3, scans, 0), many = stream(200, scans, 0);
        cr_assert_eq(few, many, "%u nodes, then %u", few, many);
    }
}

/* bytes -- held at most in the second half of a stream. */
static size_t bytes(int windows, int scans)
{
    stream(windows, scans, 0);
    return held.most;
}

Test(cut, memory_stays_as_large_as_the_window)
{
    count_with(&held);
    for (int scans = 0; scans < 2; scans++) {
        bytes(20, scans); /* what the library keeps for re-use is there now */
        const size_t few = bytes(20, scans), many = bytes(400, scans);
        cr_assert_eq(few, many, "%zu bytes, then %zu", few, many);
    }
}

Test(cut, values_stay_and_gradients_end)
{
    tl_tape *tape = check_tape(1);
    tl_tensor x = check_random(tape, TL_F64, tl_shape1(3), 1), a = tl_name(tl_exp(x), "a"),
              b = tl_mul(a, a), y = tl_sum_all(b), g;
    double before[3], after[3], slope[3], value;
    cr_assert_eq(tl_read_f64(a, before, 3), TL_OK);
    value = tl_item(y);
    tl_tensor old = x;
    cr_assert_eq(tl_cut(tape, 1, &a, 1, &y), TL_OK);
    cr_assert_eq(tl_tape_nodes(tape), 4);
    cr_assert_eq(tl_read_f64(a, after, 3), TL_OK);
    cr_assert_arr_eq(before, after, sizeof before);
    cr_assert_eq(tl_item(y), value);
    cr_assert_eq(tl_grad(1, &y, NULL, 1, &a, &g), TL_OK);
    cr_assert_eq(tl_read_f64(g, slope, 3), TL_OK);
    for (int k = 0; k < 3; k++)
        cr_assert_eq(slope[k], before[k] + before[k]);
    cr_assert(!tl_tensor_ok(old));
    tl_exp(old);
    assert_fails(tape, TL_EDEAD, "is gone: tl_cut ended it");
    tl_tape_free(tape);
}

/* Marks of before are refused, also where the number is one that a mark could have; those of after
 * work, and so does 0. */
Test(cut, marks_from_before_are_none)
{
    tl_tape *tape = check_tape(1);
    tl_tensor x = tl_ones(tape, TL_F64, tl_shape1(3)), a = tl_tanh(x);
    const uint32_t before = tl_tape_mark(tape);
    tl_tensor b = tl_exp(a);
    cr_assert_eq(tl_cut(tape, 1, &a, 1, &b), TL_OK);
    cr_assert_leq(before, 3u);
    tl_exp(b);
    cr_assert_eq(tl_tape_release(tape, before), TL_EINVAL);
    cr_assert_eq(tl_tape_status(tape), TL_OK, "the tape is as it was");
    const uint32_t after = tl_tape_mark(tape);
    tl_tensor c = tl_exp(b);
    cr_assert_eq(tl_tape_mark(tape), after + 1);
    cr_assert_eq(tl_tape_release(tape, after), TL_OK);
    cr_assert(tl_tensor_ok(b) && !tl_tensor_ok(c));
    c = tl_exp(b);
    cr_assert_eq(tl_tape_release(tape, after + 1), TL_EINVAL, "a mark that was released");
    cr_assert_eq(tl_tape_release(tape, 0), TL_OK);
    cr_assert_eq(tl_tape_nodes(tape), 0u);
    cr_assert_eq(tl_tape_reset(tape), TL_OK);
    tl_tanh(tl_ones(tape, TL_F64, tl_shape1(3)));
    cr_assert_eq(tl_tape_release(tape, 1), TL_OK, "a tape that was not cut since its reset");
    tl_tape_free(tape);
}

Test(cut, pending_values_are_computed_later_from_what_stays)
{
    tl_tape *tape = check_tape(1);
    tl_tensor a = tl_exp(tl_ones(tape, TL_F64, tl_shape1(2))), y = tl_sum_all(tl_square(a));
    cr_assert_eq(tl_cut(tape, 1, &a, 1, &y), TL_OK);
    cr_assert_float_eq(tl_item(y), 2 * exp(2), 1e-13);
    tl_tape_free(tape);
}

Test(cut, refusals)
{
    tl_tape *tape = check_tape(1);
    tl_tensor a = tl_ones(tape, TL_F64, tl_shape1(2)), inert = {0};
    tl_no_grad_open(tape);
    cr_assert_eq(tl_cut(tape, 1, &a, 0, NULL), TL_ESTATE);
    tl_no_grad_close(tape);
    assert_ok(tape);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    cr_assert_eq(tl_cut(tape, 1, &a, 0, NULL), TL_ESTATE);
    tl_tensor h = tl_scan_carry(s, a);
    tl_scan_next(s, h, tl_exp(h));
    tl_scan_close(s);
    assert_ok(tape);
    cr_assert_eq(tl_cut(NULL, 0, NULL, 0, NULL), TL_EINVAL);
    cr_assert_eq(tl_cut(tape, 1, &h, 0, NULL), TL_EFRAME);
    tl_tape_reset(tape);
    cr_assert_eq(tl_cut(tape, 1, &inert, 0, NULL), TL_EINVAL);
    tl_tape_reset(tape);
    cr_assert_eq(tl_cut(tape, 0, NULL, 0, NULL), TL_OK);
    tl_tape_free(tape);
}

/* ---- short of memory ------------------------------------------------------------------------- */

/* tl_window -- two chunks, the first by a scan; cut at a part of the state between them. */
typedef struct tl_window {
    tl_tensor at, keep[3], loss;
} tl_window;

static tl_window window_of(tl_tape *tape)
{
    const double zero[B * H] = {0};
    tl_window x;
    const tl_tensor w = weight(tape), h0 = tl_input_f64(tape, tl_shape2(B, H), zero);
    tl_tensor h = chunk(w, h0, 0, 1, &x.loss);
    x.at = tl_slice(tl_transpose(h, 0, 1), 1, 0, 1); /* a column of a larger buffer */
    h = chunk(w,
              tl_concat(2, (const tl_tensor[]){tl_transpose(x.at, 0, 1), tl_slice(h, 0, 0, 1)}, 0),
              K1, 1, &x.loss);
    x.keep[0] = x.loss;
    x.keep[1] = w;
    x.keep[2] = h;
    return x;
}

/* slope -- d loss / d at, to out[H]. */
static int slope(const tl_window *x, double *out)
{
    tl_tensor g;
    const int code = tl_grad(1, &x->keep[0], NULL, 1, &x->at, &g);
    return code ? code : tl_read_f64(g, out, H);
}

/* fails -- with at[] computed before (all that fails then is the cut's own) or not. */
static void fails(int is_computed, const double *want)
{
    double got[H];
    int failures = 0, code = TL_ENOMEM;
    for (long n = 1; n < 10000 && code; n++) {
        tl_tape *tape = check_tape(1);
        tl_window x = window_of(tape);
        cr_assert_eq(tl_eval(is_computed, &x.at), TL_OK);
        const tl_window before = x;
        const uint32_t nodes = tl_tape_nodes(tape);
        tl__fail_after(n);
        code = tl_cut(tape, 1, &x.at, 3, x.keep);
        tl__fail_after(0);
        if (code) {
            failures++;
            cr_assert_eq(code, TL_ENOMEM, "allocation %ld: %d (%s)", n, code, tl_tape_error(tape));
            cr_assert_eq(tl_tape_status(tape), TL_ENOMEM);
            cr_assert(tl_tape_nodes(tape) == nodes || !is_computed); /* a run may record some */
            cr_assert_eq(memcmp(&x, &before, sizeof x), 0);
            cr_assert(tl_dim(x.at, 0) == H && tl_dim(x.keep[2], 1) == H, "all are still there");
            cr_assert_eq(tl_tape_reset(tape), TL_OK);
            x = window_of(tape);
            cr_assert_eq(tl_cut(tape, 1, &x.at, 3, x.keep), TL_OK, "%s", tl_tape_error(tape));
        }
        cr_assert(tl_tape_nodes(tape) < nodes);
        cr_assert_eq(slope(&x, got), TL_OK, "%s", tl_tape_error(tape));
        assert_allclose(H, got, want, 1e-13, 0);
        tl_tape_free(tape);
    }
    cr_assert_eq(code, TL_OK);
    cr_assert(failures > 7, "only %d allocations failed", failures);
}

Test(cut, every_allocation_may_fail_and_nothing_is_cut_then)
{
    double want[H];
    tl_tape *tape = check_tape(1);
    const tl_window x = window_of(tape);
    cr_assert_eq(slope(&x, want), TL_OK, "%s", tl_tape_error(tape));
    tl_tape_free(tape);
    fails(0, want);
    fails(1, want);
}
