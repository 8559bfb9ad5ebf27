/* bench_stream.c -- what a step of a streamed LSTM costs, one row at a time: the session, and the
 * same arithmetic by nothing but calls of kernels, interleaved.
 *
 *     bench_stream [I H] [rounds]
 *
 *   empty      a program that computes nothing: a state that stays as it is
 *   cell       the built-in LSTM's step as a program
 *   sequence   the same through tl_sequence, a scan of one step
 *   bare       two products and the gates' pointwise kernels over whole rows, called in a row: what
 *              cell computes, without a plan
 *   laid       the same with weights that lie as the kernel of products reads them, [I,4H] */
#include "core/gemm.h"
#include "ops/registry.h"
#include "tapeloop.h"
#include "tests/bench/stopwatch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 2000, MOST = 1024 };

static int fail(const char *message)
{
    fprintf(stderr, "%s\n", message);
    exit(1);
}

/* ---- programs -------------------------------------------------------------------------------- */

static tl_session *session_of(tl_program *p)
{
    tl_err err = {0};
    if (tl_program_close(p, &err))
        fail(err.message);
    tl_session *s = tl_session_new(p, &err);
    tl_program_free(p);
    return s ? s : (fail(err.message), NULL);
}

static tl_session *empty_session(tl_tape *tape, int H)
{
    tl_tensor h = tl_zeros(tape, TL_F32, tl_shape2(1, H));
    tl_program *p = tl_program_new(tape, "empty");
    tl_program_state(p, "h", h, h);
    return session_of(p);
}

static tl_session *cell_session(tl_tape *tape, const tl_sequence *seq, int I, int H)
{
    const tl_cell *cell = tl_sequence_cell(seq);
    tl_tensor w[TL_CELL_PARAMS], x = tl_zeros(tape, TL_F32, tl_shape2(1, I)),
                                 h = tl_zeros(tape, TL_F32, tl_shape2(1, H)),
                                 c = tl_zeros(tape, TL_F32, tl_shape2(1, H)), state[] = {h, c};
    for (int k = 0; k < cell->nparams; k++)
        w[k] = tl_use(tape, tl_sequence_param(seq, 0, 0, k));
    tl_tensor y = cell->step(cell, w, x, state, NULL);
    tl_program *p = tl_program_new(tape, "cell");
    tl_program_input(p, "x", x);
    tl_program_state(p, "h", h, state[0]);
    tl_program_state(p, "c", c, state[1]);
    tl_program_output(p, "y", y);
    return session_of(p);
}

static tl_session *sequence_session(tl_tape *tape, const tl_sequence *seq, int I, int H)
{
    tl_sequence_args in = tl_sequence_args_defaults();
    tl_tensor x = tl_zeros(tape, TL_F32, tl_shape3(1, 1, I));
    for (int k = 0; k < 2; k++)
        in.initial[k] = tl_zeros(tape, TL_F32, tl_shape3(1, 1, H));
    tl_sequence_out out = tl_sequence_apply(seq, x, &in);
    tl_program *p = tl_program_new(tape, "sequence");
    tl_program_input(p, "x", x);
    tl_program_state(p, "h", in.initial[0], out.state[0]);
    tl_program_state(p, "c", in.initial[1], out.state[1]);
    tl_program_output(p, "y", out.y);
    return session_of(p);
}

static double time_session(tl_session *s)
{
    double start = now_ms();
    for (int t = 0; t < STEPS; t++)
        if (tl_session_step(s))
            fail(tl_session_error(s));
    return (now_ms() - start) / STEPS;
}

/* ---- bare ------------------------------------------------------------------------------------ */

typedef struct bare {
    int I, H;
    float *w, *u;   /* as they lie: [4H,I], [4H,H] */
    float *wt, *ut; /* [I,4H], [H,4H] */
    float *bias, *x, *h, *c, *z, *t;
    tl_tile_fn sigmoid, tanh, mul, add;
} bare;

static float *room(int n)
{
    float *a = aligned_alloc(64, ((size_t)n * sizeof *a + 127) / 64 * 64);
    return a ? memset(a, 0, (size_t)n * sizeof *a) : (fail("no memory"), NULL);
}

static tl_tile_fn kernel(const tl_op *op)
{
    const tl_dtype in[] = {TL_F32, TL_F32};
    return op->tile(in, TL_F32);
}

/* values -- of a parameter [n,k], as it lies or as [k,n]. */
static float *values(const tl_param *p, int n, int k, int turn)
{
    float *from = room(n * k), *to = room(n * k);
    tl_param_get_f32(p, from, (int64_t)n * k);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < k; j++)
            to[turn ? j * n + i : i * k + j] = from[i * k + j];
    free(from);
    return to;
}

static bare bare_new(const tl_sequence *seq, int I, int H)
{
    bare b = {.I = I, .H = H};
    float *second = room(4 * H);
    b.w = values(tl_sequence_param(seq, 0, 0, 0), 4 * H, I, 0);
    b.u = values(tl_sequence_param(seq, 0, 0, 1), 4 * H, H, 0);
    b.wt = values(tl_sequence_param(seq, 0, 0, 0), 4 * H, I, 1);
    b.ut = values(tl_sequence_param(seq, 0, 0, 1), 4 * H, H, 1);
    b.bias = room(4 * H);
    tl_param_get_f32(tl_sequence_param(seq, 0, 0, 2), b.bias, 4 * H);
    tl_param_get_f32(tl_sequence_param(seq, 0, 0, 3), second, 4 * H);
    for (int k = 0; k < 4 * H; k++)
        b.bias[k] += second[k];
    free(second);
    b.x = room(I), b.h = room(H), b.c = room(H), b.z = room(4 * H), b.t = room(H);
    b.sigmoid = kernel(&tl_op_sigmoid), b.tanh = kernel(&tl_op_tanh), b.mul = kernel(&tl_op_mul);
    b.add = kernel(&tl_op_add);
    return b;
}

/* product -- c [n] += a [k] times b [n,k], or times turned [k,n] where there is one. */
static void product(int n, int k, float *a, float *b, float *turned, float *c)
{
    const tl_matrix right = turned ? (tl_matrix){turned, n, 1} : (tl_matrix){b, 1, k};
    tl__gemm(TL_F32, 1, n, k, (tl_matrix){a, k, 1}, right, 1, (tl_matrix){c, n, 1});
}

static void bare_step(const bare *b, int laid)
{
    const int H = b->H;
    float *i = b->z, *f = i + H, *g = f + H, *o = g + H;
    memcpy(b->z, b->bias, (size_t)(4 * H) * sizeof *b->z);
    product(4 * H, b->I, b->x, b->w, laid ? b->wt : NULL, b->z);
    product(4 * H, H, b->h, b->u, laid ? b->ut : NULL, b->z);
    b->sigmoid(2 * H, i, (const void *[]){i});
    b->tanh(H, g, (const void *[]){g});
    b->sigmoid(H, o, (const void *[]){o});
    b->mul(H, i, (const void *[]){i, g});
    b->mul(H, b->c, (const void *[]){b->c, f});
    b->add(H, b->c, (const void *[]){b->c, i});
    b->tanh(H, b->t, (const void *[]){b->c});
    b->mul(H, b->h, (const void *[]){o, b->t});
}

static double time_bare(const bare *b, int laid)
{
    double start = now_ms();
    for (int t = 0; t < STEPS; t++)
        bare_step(b, laid);
    return (now_ms() - start) / STEPS;
}

static void bare_free(bare *b)
{
    float *const all[] = {b->w, b->u, b->wt, b->ut, b->bias, b->x, b->h, b->c, b->z, b->t};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        free(all[k]);
}

/* ---- comparing ------------------------------------------------------------------------------- */

enum { EMPTY, CELL, SEQUENCE, SESSIONS };

/* check -- all give the same y after some steps from x = 0, 0.1, 0.2, ... */
static void check(tl_session *const *s, bare *b)
{
    float y[MOST];
    for (int k = 0; k < b->I; k++)
        b->x[k] = 0.1f * (float)(k % 7);
    for (int t = 0; t < 5; t++)
        bare_step(b, t % 2);
    for (int i = CELL; i <= SEQUENCE; i++) {
        memcpy(tl_session_input(s[i], 0), b->x, (size_t)b->I * sizeof *b->x);
        for (int t = 0; t < 5; t++)
            tl_session_step(s[i]);
        if (tl_session_get_f32(s[i], "y", y, b->H))
            fail(tl_session_error(s[i]));
        for (int k = 0; k < b->H; k++)
            if (!(y[k] - b->h[k] < 1e-5f && b->h[k] - y[k] < 1e-5f))
                fail("the ways to compute do not agree");
    }
}

int main(int argc, char **argv)
{
    static const char *const name[] = {"empty", "cell", "sequence"};
    static series times[SESSIONS], bare_times[2];
    const int I = argc > 2 ? atoi(argv[1]) : 32, H = argc > 2 ? atoi(argv[2]) : 32;
    const int rounds = argc > 3 ? atoi(argv[3]) : argc == 2 ? atoi(argv[1]) : 200;
    if (I < 1 || H < 1 || I > MOST || H > MOST || rounds < 1 || rounds > MOST_ROUNDS) {
        fprintf(stderr, "usage: %s [I H] [rounds]\n", argv[0]);
        return 2;
    }
    tl_set_on_error("print");
    tl_tape *tape = tl_tape_new(NULL);
    tl_params *set = tl_params_new(TL_F32);
    tl_cell lstm = tl_lstm_cell(NULL);
    tl_sequence *seq = tl_sequence_new(set, "lstm", &lstm, I, H, NULL, NULL);
    tl_session *s[SESSIONS] = {empty_session(tape, H), cell_session(tape, seq, I, H),
                               sequence_session(tape, seq, I, H)};
    bare b = bare_new(seq, I, H);
    tl_tape_free(tape);
    check(s, &b);
    for (int r = 0; r < rounds; r++) {
        for (int i = 0; i < SESSIONS; i++)
            series_add(&times[i], time_session(s[i]));
        for (int laid = 0; laid < 2; laid++)
            series_add(&bare_times[laid], time_bare(&b, laid));
    }
    printf("LSTM, B=1 I=%d H=%d, ns for each step   best   median   beside bare\n", I, H);
    const double least = series_best(&bare_times[0]);
    for (int laid = 0; laid < 2; laid++)
        printf("%-38s %6.0f   %6.0f\n", laid ? "laid" : "bare",
               series_best(&bare_times[laid]) * 1e6, series_median(&bare_times[laid]) * 1e6);
    for (int i = 0; i < SESSIONS; i++) {
        printf("%-38s %6.0f   %6.0f", name[i], series_best(&times[i]) * 1e6,
               series_median(&times[i]) * 1e6);
        printf(i == EMPTY ? "\n" : "   %+6.0f\n", (series_best(&times[i]) - least) * 1e6);
        tl_session_free(s[i]);
    }
    bare_free(&b);
    tl_sequence_free(seq);
    tl_params_free(set);
    return 0;
}
