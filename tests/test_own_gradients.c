/* test_own_gradients.c -- gradients of one's own (tl_custom_grad) and checkpoints where the tape is
 * not what it was when they were recorded: in programs, that are recorded once and run on other
 * inputs; on a tape that was cut; behind a step of the parameters. Held to the same computation
 * without either, recorded anew. */
#include "core/cut.h"
#include "core/grad.h"
#include "core/scan.h"
#include "ops/ops.h"
#include "tests/programtest.h"

enum { B = 2, H = 3, K = 4, ALL = B * H, RUNS = 5 };

/* kind -- how the gradient of one step h' = tanh(h W + x) is taken. */
typedef enum kind {
    RULE,  /* tl_custom_grad */
    PAIR,  /* of two outputs, tanh a and a^2 */
    AGAIN, /* tl_checkpoint, W among its inputs */
    DROPS, /* with dropout */
    USES,  /* W by tl_use in the function */
    KINDS
} kind;

/* tl_cell -- what the functions of checkpoints are given; lives as long as the tape. */
typedef struct tl_cell {
    kind kind;
    int own; /* 0: the same without rule and checkpoint */
    int scans;
    tl_param *w;
} tl_cell;

static int layer(void *ctx, tl_tape *tape, int nin, const tl_tensor *in, int nout, tl_tensor *out)
{
    const tl_cell *c = ctx;
    (void)nin, (void)nout;
    const tl_tensor w = c->kind == USES ? tl_use(tape, c->w) : in[2];
    out[0] = tl_tanh(tl_add(tl_matmul(in[0], w), in[1]));
    if (c->kind == DROPS)
        out[0] = tl_dropout(out[0], 0.4);
    return tl_tape_status(tape);
}

/* d tanh a = 1 - tanh^2 a, da^2 = 2 a. */
static void tanh_rule(tl_custom *q)
{
    q->d[0] = tl_mul(q->g[0], tl_add_scalar(tl_neg(tl_square(q->out[0])), 1));
    if (q->nout > 1)
        q->d[0] = tl_add(q->d[0], tl_scale(tl_mul(q->g[1], q->in[0]), 2));
}

static tl_tensor step_of(tl_cell *c, tl_tensor h, tl_tensor x, tl_tensor w)
{
    static const tl_custom_rule rule = {"tanh", tanh_rule, NULL};
    const tl_tensor in[] = {h, x, w};
    tl_tensor y[2] = {{0}};
    if (c->kind >= AGAIN) {
        if (c->own)
            tl_checkpoint(layer, c, c->kind == USES ? 2 : 3, in, 1, y);
        else
            layer(c, h.tape, 3, in, 1, y);
        return y[0];
    }
    const tl_tensor a = tl_add(tl_matmul(h, w), x), out[] = {tl_tanh(a), tl_square(a)};
    const int n = c->kind == PAIR ? 2 : 1;
    memcpy(y, out, sizeof y);
    if (c->own)
        tl_custom_grad(1, &a, n, out, &rule, y);
    return n == 2 ? tl_add(y[0], tl_scale(y[1], 0.1)) : y[0];
}

/* steps -- all of xs [K,B,H] one after the other, or in a scan. */
static tl_tensor steps(tl_cell *c, tl_tensor h, tl_tensor xs, tl_tensor w)
{
    if (!c->scans) {
        for (int k = 0; k < K; k++)
            h = step_of(c, h, tl_reshape(tl_slice(xs, 0, k, 1), tl_shape2(B, H)), w);
        return h;
    }
    const tl_scan s = tl_scan_open(xs.tape, K, NULL);
    const tl_tensor now = tl_scan_carry(s, h);
    tl_scan_next(s, now, step_of(c, now, tl_scan_each(s, xs), w));
    tl_scan_close(s);
    return tl_scan_last(s, now);
}

static void numbers(int n, double phase, double *x)
{
    for (int k = 0; k < n; k++)
        x[k] = 0.7 * sin(1.7 * k + phase);
}

static tl_tensor input(tl_tape *tape, tl_shape shape, double phase)
{
    double x[K * ALL];
    const int n = (int)tl_shape_count(shape);
    numbers(n, phase, x);
    return tl_input_f64(tape, shape, x);
}

static tl_param *weight(tl_params *set)
{
    double w[H * H];
    numbers(H * H, 0.3, w);
    tl_param *p = tl_param_new(set, "W", tl_shape2(H, H), NULL);
    cr_assert_not_null(p);
    cr_assert_eq(tl_param_set_f64(p, w, H * H), TL_OK);
    return p;
}

static void each_kind(void (*test)(tl_cell *c))
{
    for (int scans = 0; scans < 2; scans++)
        for (int k = 0; k < KINDS; k++) {
            tl_params *set = tl_params_new(TL_F64);
            tl_cell c = {.kind = (kind)k, .own = 1, .scans = scans, .w = weight(set)};
            test(&c);
            tl_params_free(set);
        }
}

/* ---- programs -------------------------------------------------------------------------------- */

/* what a program gives: the loss, its gradients by W and h, and the gradient of that by W (but for
 * draws in a scan, which a second derivative through a checkpoint does not have). */
enum { LOSS, BY_W, BY_H, SECOND, OUTPUTS };

static int outputs(const tl_cell *c)
{
    return c->scans && c->kind == DROPS ? SECOND : OUTPUTS;
}

static void record(tl_cell *c, tl_tensor h, tl_tensor xs, tl_tensor *out)
{
    const tl_tensor w = tl_use(h.tape, c->w), by[] = {w, h};
    out[LOSS] = tl_mean_all(tl_square(steps(c, h, xs, w)));
    tl_grad(1, &out[LOSS], NULL, 2, by, out + BY_W);
    if (outputs(c) > SECOND)
        tl_grad(1, &out[BY_W], NULL, 1, &w, &out[SECOND]);
}

static const char *const names[OUTPUTS] = {"loss", "dW", "dh", "ddW"};

/* anew -- run k of the session against the same on a tape of its own: with the rule to the bit,
 * without to rounding. */
static void anew(const tl_cell *c, tl_session *s, int k, uint64_t draws)
{
    for (int own = 0; own < 2; own++) {
        tl_cell other = *c;
        tl_tensor out[OUTPUTS];
        tl_tape *tape = check_tape(3);
        other.own = own;
        tl_set_draws(tape, (uint64_t)k * draws);
        record(&other, input(tape, tl_shape2(B, H), k), input(tape, tl_shape3(K, B, H), 2.0 * k),
               out);
        tl_no_grad_open(tape); /* one plan, as in the program: nothing is kept for a gradient */
        cr_assert_eq(tl_eval(outputs(c), out), TL_OK, "%s", tl_tape_error(tape));
        tl_no_grad_close(tape);
        for (int i = 0; i < outputs(c); i++) {
            const int n = (int)tl_shape_count(tl_shape_of(out[i]));
            double got[ALL + H * H];
            cr_assert_eq(tl_session_get_f64(s, names[i], got, n), TL_OK, "%s", tl_session_error(s));
            char text[CHECK_MESSAGE];
            const int same = own && i < SECOND; /* products may add in another order at order 2 */
            cr_expect(check_tensor(out[i], n, got, same ? 0 : 1e-11, same ? 0 : 1e-14, text),
                      "kind %d, scans %d, run %d, own %d, %s: %s", (int)c->kind, c->scans, k, own,
                      names[i], text);
        }
        assert_ok(tape);
        tl_tape_free(tape);
    }
}

static void runs(tl_cell *c)
{
    tl_tape *tape = check_tape(3);
    tl_program *p = tl_program_new(tape, "step");
    const tl_tensor h = input(tape, tl_shape2(B, H), 0), xs = input(tape, tl_shape3(K, B, H), 0);
    tl_tensor out[OUTPUTS];
    record(c, h, xs, out);
    const uint64_t draws = tl_draws(tape);
    cr_assert_eq(draws > 0, c->kind == DROPS);
    cr_assert_eq(tl_program_input(p, "h", h), TL_OK, "%s", tl_tape_error(tape));
    tl_program_input(p, "x", xs);
    for (int i = 0; i < outputs(c); i++)
        tl_program_output(p, names[i], out[i]);
    tl_session *s = session_of(p);
    tl_tape_free(tape);
    for (int k = 0; k < RUNS; k++) {
        double x[K * ALL], w[H * H];
        numbers(ALL, k, x);
        cr_assert_eq(tl_session_set_f64(s, "h", x, ALL), TL_OK);
        numbers(K * ALL, 2.0 * k, x);
        cr_assert_eq(tl_session_set_f64(s, "x", x, K * ALL), TL_OK);
        step(s);
        anew(c, s, k, draws);
        numbers(H * H, 0.1 * k, w); /* a program follows training */
        cr_assert_eq(tl_param_set_f64(c->w, w, H * H), TL_OK);
    }
    tl_session_free(s);
}

Test(own_gradients, a_program_runs_on_new_inputs_as_if_recorded_anew)
{
    each_kind(runs);
}

/* ---- a tape that is cut ---------------------------------------------------------------------- */

enum { CHUNKS = 3, WINDOWS = 6, CHUNK_DRAWS = 100 };

static tl_tensor chunk(tl_cell *c, tl_tensor h, int number, tl_tensor *loss)
{
    tl_set_draws(h.tape, (uint64_t)number * CHUNK_DRAWS);
    h = steps(c, h, input(h.tape, tl_shape3(K, B, H), number), tl_use(h.tape, c->w));
    *loss = tl_mean_all(tl_square(h));
    return h;
}

/* window -- d loss / dW of the last of CHUNKS chunks from `first` on, recorded anew from h0 on. */
static void window(const tl_cell *c, const double *h0, int first, double *out)
{
    tl_cell other = *c;
    other.own = 0;
    tl_tape *tape = check_tape(3);
    tl_tensor h = tl_input_f64(tape, tl_shape2(B, H), h0), loss, g;
    const tl_tensor w = tl_use(tape, c->w);
    for (int k = 0; k < CHUNKS; k++)
        h = chunk(&other, h, first + k, &loss);
    tl_grad(1, &loss, NULL, 1, &w, &g);
    cr_assert_eq(tl_read_f64(g, out, H * H), TL_OK, "%s", tl_tape_error(tape));
    tl_tape_free(tape);
}

/* stream -- windows of CHUNKS over a stream, on one tape that is cut after each. */
static void stream(tl_cell *c)
{
    tl_tape *tape = check_tape(3);
    double start[CHUNKS + 1][ALL], got[H * H], want[H * H];
    tl_tensor h[CHUNKS + 1] = {input(tape, tl_shape2(B, H), 1)}, loss, g;
    uint32_t nodes = 0;
    numbers(ALL, 1, start[0]);
    for (int k = 0, have = 0; k < WINDOWS + CHUNKS - 1; k++) {
        h[have + 1] = chunk(c, h[have], k, &loss);
        have++;
        const tl_tensor both[] = {h[have], loss}, w = tl_use(tape, c->w);
        cr_assert_eq(tl_eval(2, both), TL_OK, "%s", tl_tape_error(tape));
        cr_assert_eq(tl_read_f64(h[have], start[have], ALL), TL_OK);
        if (have < CHUNKS)
            continue;
        const uint32_t mark = tl_tape_mark(tape);
        tl_grad(1, &loss, NULL, 1, &w, &g);
        cr_assert_eq(tl_read_f64(g, got, H * H), TL_OK, "%s", tl_tape_error(tape));
        nodes = k == CHUNKS ? tl_tape_nodes(tape) : nodes; /* before the first cut there are more */
        cr_assert(k < CHUNKS || tl_tape_nodes(tape) == nodes);
        cr_assert_eq(tl_tape_release(tape, mark), TL_OK);
        window(c, start[0], k - CHUNKS + 1, want);
        char text[CHECK_MESSAGE];
        cr_expect(check_allclose(H * H, got, want, 1e-11, 1e-15, text), "kind %d, scans %d: %s",
                  (int)c->kind, c->scans, text);
        cr_assert_eq(tl_cut(tape, 1, &h[1], CHUNKS - 1, h + 2), TL_OK, "%s", tl_tape_error(tape));
        memmove(h, h + 1, CHUNKS * sizeof *h);
        memmove(start, start + 1, CHUNKS * sizeof *start);
        have--;
    }
    tl_tape_free(tape);
}

Test(own_gradients, windows_of_a_tape_that_is_cut)
{
    each_kind(stream);
}

/* A tensor that the function has by a handle of its own is dead after the cut, and that is said. */
static int by_handle(void *ctx, tl_tape *tape, int nin, const tl_tensor *in, int nout,
                     tl_tensor *out)
{
    (void)nin, (void)nout;
    out[0] = tl_tanh(tl_mul(in[0], *(const tl_tensor *)ctx));
    return tl_tape_status(tape);
}

Test(own_gradients, a_handle_that_a_cut_has_ended_is_an_error)
{
    tl_tape *tape = check_tape(1);
    tl_tensor x = tl_exp(input(tape, tl_shape1(3), 0)), v = tl_exp(input(tape, tl_shape1(3), 1)), y,
              g;
    cr_assert_eq(tl_checkpoint(by_handle, &v, 1, &x, 1, &y), TL_OK);
    cr_assert_eq(tl_cut(tape, 1, &x, 1, &y), TL_OK);
    cr_assert_eq(tl_grad(1, &y, NULL, 1, &x, &g), TL_EDEAD);
    assert_fails(tape, TL_EDEAD, "is gone: tl_cut ended it");
    tl_tape_free(tape);
}

/* ---- behind a step --------------------------------------------------------------------------- */

/* L = mean of h2^2, h1 = steps(h0) with W, then W is doubled, h2 = steps(h1) with 2 W. By both
 * values of W and by h0; on a tape whose nodes a cut has moved, too. */
static void doubled(tl_cell *c, int cuts, double *out)
{
    tl_tape *tape = check_tape(3);
    tl_params *set = tl_params_new(TL_F64);
    c->w = weight(set);
    const tl_tensor h0 = input(tape, tl_shape2(B, H), 0);
    tl_tensor keep[4], loss, g[3];
    keep[0] = h0;
    keep[1] = tl_use(tape, c->w);
    tl_tensor h = chunk(c, h0, 0, &loss);
    tl_assign(c->w, tl_scale(keep[1], 2));
    cr_assert_eq(tl_commit(tape), TL_OK, "%s", tl_tape_error(tape));
    keep[2] = tl_use(tape, c->w);
    chunk(c, h, 1, &loss);
    keep[3] = loss;
    if (cuts)
        cr_assert_eq(tl_cut(tape, 0, NULL, 4, keep), TL_OK, "%s", tl_tape_error(tape));
    cr_assert_eq(tl_grad(1, &keep[3], NULL, 3, keep, g), TL_OK, "%s", tl_tape_error(tape));
    cr_assert_eq(tl_read_f64(g[0], out, ALL), TL_OK, "%s", tl_tape_error(tape));
    cr_assert_eq(tl_read_f64(g[1], out + ALL, H * H), TL_OK);
    cr_assert_eq(tl_read_f64(g[2], out + ALL + H * H, H * H), TL_OK);
    /* and the present value is still the present one */
    const tl_tensor now = tl_use(tape, c->w);
    cr_assert(now.slot == keep[2].slot);
    tl_tape_free(tape);
    tl_params_free(set);
}

static void behind_a_step(tl_cell *c)
{
    enum { N = ALL + 2 * H * H };
    double got[N], want[N];
    for (int cuts = 0; cuts < 2; cuts++) {
        tl_cell other = *c;
        other.own = 0;
        doubled(c, cuts, got);
        doubled(&other, 0, want);
        char text[CHECK_MESSAGE];
        cr_expect(check_allclose(N, got, want, 1e-11, 1e-15, text),
                  "kind %d, scans %d, cuts %d: %s", (int)c->kind, c->scans, cuts, text);
    }
}

Test(own_gradients, what_was_recorded_before_a_step_keeps_the_value_of_before)
{
    each_kind(behind_a_step);
}
