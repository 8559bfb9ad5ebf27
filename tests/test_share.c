/* test_share.c -- plans shared among threads: the same bits for any number of them, the same errors,
 * and which instructions wait. Everything is shared that can be, however small, so that clashes which
 * large programs rarely show are the rule here. */
#include "core/grad.h"
#include "core/memory.h"
#include "core/run.h"
#include "core/scan.h"
#include "core/threads.h"
#include "nn/nn.h"
#include "ops/ops.h"
#include "optim/optim.h"
#include "tests/programtest.h"
#include "tests/random_program.h"
#include "tests/unroll.h"

#include <stdio.h>
#include <uv.h>

enum { ROOM = 1 << 16, MOST = 4, ROWS = 2 /* the axis before the last, for sums */ };

/* share -- whether plans made from now on share everything, among so many threads. */
static void share(int threads)
{
    const unsigned passes = tl__passes() & ~(unsigned)TL_SHARE_ALL;
    tl__set_period_rows(7); /* periods of a few steps */
    tl__set_passes(threads ? passes | TL_SHARE_ALL : passes);
    cr_assert_eq(tl_set_threads(threads ? threads : 1), TL_OK);
}

/* numbers_fn -- computes numbers to out[0..ROOM); returns how many. */
typedef int64_t (*numbers_fn)(uint64_t variant, double *out);

/* hold_same -- they have the same bits with an unshared plan and with any number of threads. */
static void hold_same(const char *name, numbers_fn compute, uint64_t variant)
{
    static double want[ROOM], got[ROOM];
    share(0);
    const int64_t n = compute(variant, want);
    cr_assert(0 < n && n <= ROOM);
    for (int threads = 1; threads <= MOST; threads++) {
        share(threads);
        cr_assert_eq(compute(variant, got), n);
        for (int64_t k = 0; k < n; k++)
            cr_assert(memcmp(&got[k], &want[k], sizeof *got) == 0,
                      "%s %d, %d threads: number %lld: got %.17g, want %.17g", name, (int)variant,
                      threads, (long long)k, got[k], want[k]);
    }
    share(0);
}

/* put -- t's elements behind the n numbers there are. */
static int64_t put(tl_tensor t, int64_t n, double *out)
{
    double *v = check_values(t);
    const int64_t count = tl_shape_count(tl_shape_of(t));
    cr_assert_not_null(v, "%s", t.tape ? tl_tape_error(t.tape) : "inert");
    cr_assert(n + count <= ROOM);
    memcpy(out + n, v, (size_t)count * sizeof *v);
    free(v);
    return n + count;
}

static int64_t put_params(const tl_params *set, int64_t n, double *out)
{
    for (int k = 0; k < tl_params_count(set); k++) {
        const tl_param *p = tl_params_at(set, k);
        const int64_t count = tl_shape_count(tl_param_shape(p));
        cr_assert(n + count <= ROOM);
        cr_assert_eq(tl_param_get_f64(p, out + n, count), TL_OK);
        n += count;
    }
    return n;
}

/* ---- random programs, and models -------------------------------------------------------------- */

static int64_t random_numbers(uint64_t seed, double *out)
{
    return random_program(seed, seed % 3 == 0, out);
}

Test(share, random_programs_have_the_same_bits)
{
    for (uint64_t seed = 1; seed <= 60; seed++)
        hold_same("program", random_numbers, seed);
}

static int64_t model_numbers(uint64_t variant, double *out)
{
    model m = variant % 2 ? lstm_model : rnn_model;
    const how way = {1 + (int)(variant / 2 % 2), 0};
    m.reverse = (int)(variant / 4 % 2);
    recorded r = record(&m, way);
    int64_t n = put(r.ys, 0, out);
    for (int i = 0; i < m.nstate; i++)
        n = put(r.last[i], n, out);
    for (int order = 0; order < m.orders; order++)
        for (int i = 0; i < r.nin; i++)
            n = put(r.grad[order][i], n, out);
    tl_tape_free(r.tape);
    return n;
}

Test(share, gradients_of_gradients_of_loops_have_the_same_bits)
{
    for (uint64_t variant = 0; variant < 8; variant++)
        hold_same("model", model_numbers, variant);
}

/* ---- sequences: all cells, both types, lengths, directions, layers, dropout, steps ------------- */

enum { T = 5, B = 3, I = 2, H = 5, CELLS = 5, KINDS = 4 };

static tl_cell cell_of(int k)
{
    tl_rnn_opts relu = tl_rnn_defaults();
    tl_gru_opts before = tl_gru_defaults();
    relu.relu = 1;
    before.reset_before = 1;
    switch (k) {
    case 0:
        return tl_rnn_cell(NULL);
    case 1:
        return tl_rnn_cell(&relu);
    case 2:
        return tl_lstm_cell(NULL);
    case 3:
        return tl_gru_cell(NULL);
    default:
        return tl_gru_cell(&before);
    }
}

/* sequence_numbers -- two training steps with clipping and Adam: losses, gradients by x, states, and
 * all parameters. */
static int64_t sequence_numbers(uint64_t variant, double *out)
{
    const int kind = (int)(variant / CELLS % KINDS);
    const tl_dtype dtype = variant / CELLS / KINDS ? TL_F32 : TL_F64;
    const int32_t lengths[B] = {4, 0, 5}, classes[T * B] = {1, 4, 0, 0, 3, 2, 2, 1};
    tl_err err = {0};
    tl_params *set = tl_params_new(dtype);
    tl_cell cell = cell_of((int)(variant % CELLS));
    tl_sequence_opts o = tl_sequence_defaults();
    o.layers = 1 + kind % 2;
    o.bidirectional = kind >= 2;
    o.dropout = kind % 2 ? 0.25 : 0;
    o.locked = kind == 3;
    tl_sequence *s = tl_sequence_new(set, "s", &cell, I, H, &o, &err);
    tl_norm_layer *norm = tl_norm_layer_new(set, "norm", (1 + o.bidirectional) * H, NULL, &err);
    tl_optim *adam = tl_adam_new(set, NULL, &err);
    cr_assert(s && norm && adam, "%s", err.message);
    tl_tape *tape = check_tape(5);
    int64_t n = 0;
    for (int k = 0; k < 2; k++) {
        tl_tensor x = check_random(tape, dtype, tl_shape3(T, B, I), 1), dx;
        tl_sequence_args a = tl_sequence_args_defaults();
        if (kind % 2)
            a.lengths = tl_input_i32(tape, tl_shape1(B), lengths);
        tl_sequence_out y = tl_sequence_apply(s, x, &a);
        tl_tensor c = tl_input_i32(tape, tl_shape2(T, B), classes);
        tl_tensor loss = tl_cross_entropy(tl_norm_layer_apply(norm, y.y), c, -1);
        cr_assert_eq(tl_grad(1, &loss, NULL, 1, &x, &dx), TL_OK);
        cr_assert_eq(tl_backward(loss), TL_OK);
        tl_clip_grad_norm(tape, set, 0.5);
        cr_assert_eq(tl_optim_step(adam, tape), TL_OK, "%s", tl_tape_error(tape));
        n = put(loss, n, out);
        n = put(dx, n, out);
        n = put(y.state[0], n, out);
        cr_assert_eq(tl_tape_reset(tape), TL_OK);
    }
    n = put_params(set, n, out);
    tl_tape_free(tape);
    tl_optim_free(adam);
    tl_norm_layer_free(norm);
    tl_sequence_free(s);
    tl_params_free(set);
    return n;
}

Test(share, training_steps_of_all_cells_have_the_same_bits)
{
    for (uint64_t variant = 0; variant < 2 * CELLS * KINDS; variant++)
        hold_same("sequence", sequence_numbers, variant);
}

/* ---- bodies that look at everything ------------------------------------------------------------ */

/* attend -- a loop whose step reads all of what earlier steps wrote, by weights of its own: rows of a
 * memory [S,H] that it also writes, transposed operands, a sum over the batch, a draw. */
static int64_t attention_numbers(uint64_t variant, double *out)
{
    enum { S = 4, W = 6 };
    tl_tape *tape = check_tape(variant);
    tl_tensor xs = check_random(tape, TL_F64, tl_shape3(T, S, W), 1),
              m0 = check_random(tape, TL_F64, tl_shape2(S, W), 2),
              u = check_random(tape, TL_F64, tl_shape2(W, W), 3), in[] = {xs, m0, u}, g[3];
    tl_scan_opts o = tl_scan_defaults();
    o.reverse = (int)(variant % 2);
    o.recompute = (int)(variant / 2 % 2);
    tl_scan s = tl_scan_open(tape, T, &o);
    tl_tensor m = tl_scan_carry(s, m0), x = tl_scan_each(s, xs);
    tl_tensor score = tl_scale(tl_matmul_t(tl_matmul(x, u), 0, m, 1), 0.3);
    tl_tensor weight = tl_softmax(score, (int)(variant / 4 % 2)),
              seen = tl_matmul_t(weight, 1, m, 0);
    tl_tensor mean = tl_sum_keep(seen, ROWS), turned = tl_transpose(seen, 0, 1);
    tl_tensor next = tl_tanh(tl_add(tl_sub(m, tl_scale(mean, 0.2)), tl_dropout(seen, 0.2)));
    tl_scan_next(s, m, next);
    tl_scan_close(s);
    tl_tensor all = tl_scan_stacked(s, weight), sum = tl_scan_summed(s, turned);
    tl_tensor loss = tl_add(tl_sum_all(tl_square(all)),
                            tl_sum_all(tl_mul(tl_transpose(sum, 0, 1), tl_scan_last(s, m))));
    cr_assert_eq(tl_grad(1, &loss, NULL, 3, in, g), TL_OK, "%s", tl_tape_error(tape));
    int64_t n = put(all, put(loss, 0, out), out);
    for (int k = 0; k < 3; k++)
        n = put(g[k], n, out);
    tl_tape_free(tape);
    return n;
}

Test(share, attention_inside_a_loop_has_the_same_bits)
{
    for (uint64_t variant = 0; variant < 8; variant++)
        hold_same("attention", attention_numbers, variant);
}

/* rows_numbers -- rows enough for bands, in both types; a sum over them, too. */
static int64_t rows_numbers(uint64_t variant, double *out)
{
    enum { N = 5003, K = 70 };
    const tl_dtype dtype = variant ? TL_F32 : TL_F64;
    tl_tape *tape = check_tape(3);
    tl_tensor z = tl_randn(tape, dtype, tl_shape2(N, K)),
              c = tl_argmax(tl_rand(tape, dtype, tl_shape2(N, K)), 1), p = tl_softmax(z, 1),
              loss = tl_cross_entropy(tl_mul(z, p), c, 7), g;
    tl_tensor columns = tl_sum_keep(tl_square(p), ROWS), rows = tl_sum_keep(tl_mul(p, z), 1);
    cr_assert_eq(tl_grad(1, &loss, NULL, 1, &z, &g), TL_OK, "%s", tl_tape_error(tape));
    int64_t n = put(tl_sum_keep(g, 1), put(loss, 0, out), out);
    n = put(columns, n, out);
    n = put(rows, n, out);
    tl_tape_free(tape);
    return n;
}

Test(share, bands_have_the_same_bits)
{
    hold_same("rows", rows_numbers, 0);
    hold_same("rows", rows_numbers, 1);
}

/* ---- errors ------------------------------------------------------------------------------------ */

/* look_up -- steps over tokens, the fourth of which is not in the table if `bad`. */
static tl_tensor look_up(tl_tape *tape, int bad)
{
    const int32_t ids[T * B] = {0, 1, 2, 3, 0, 1, 2, 3, 0, 1, bad ? 9 : 2, 3, 0, bad ? 8 : 1, 2};
    tl_tensor table = check_random(tape, TL_F64, tl_shape2(4, H), 1),
              w = check_random(tape, TL_F64, tl_shape2(H, H), 2),
              h0 = check_random(tape, TL_F64, tl_shape2(B, H), 3);
    tl_scan_opts o = tl_scan_defaults();
    o.name = "reader";
    tl_scan s = tl_scan_open(tape, T, &o);
    tl_tensor h = tl_scan_carry(s, h0),
              id = tl_scan_each(s, tl_input_i32(tape, tl_shape2(T, B), ids));
    tl_tensor x = tl_gather(tl_tanh(tl_add(table, tl_sum_keep(h, ROWS))), id);
    tl_scan_next(s, h, tl_tanh(tl_add(x, tl_matmul(h, w))));
    tl_scan_close(s);
    return tl_scan_last(s, h);
}

Test(share, an_error_in_a_loop_is_the_same_for_any_number_of_threads)
{
    char want[500] = "";
    for (int threads = 0; threads <= MOST; threads++) {
        share(threads);
        tl_tape *tape = check_tape(1);
        tl_tensor y = look_up(tape, 1), other = tl_exp(y), both[] = {y, other};
        cr_assert_eq(tl_eval(2, both), TL_ERANGE, "%s", tl_tape_error(tape));
        assert_fails(tape, TL_ERANGE,
                     "reader: gather: got index 9 at [1], want one in [0,4) at t=3");
        if (threads == 0)
            snprintf(want, sizeof want, "%s", tl_tape_error(tape));
        cr_assert_str_eq(tl_tape_error(tape), want);
        cr_assert_eq(tl__peek(y)->life, TL_PENDING);
        cr_assert_eq(tl__peek(other)->life, TL_PENDING);
        cr_assert_eq(tl_tape_reset(tape), TL_OK);
        double *after = check_values(look_up(tape, 0));
        cr_assert_not_null(after, "%d threads: %s", threads, tl_tape_error(tape));
        free(after);
        tl_tape_free(tape);
    }
}

Test(share, of_errors_in_several_shares_the_first_row_counts)
{
    enum { N = 40000, K = 16 };
    static int32_t classes[N];
    for (int threads = 0; threads <= MOST; threads++) {
        share(threads);
        for (int turn = 0; turn < 20; turn++) {
            tl_tape *tape = check_tape(1);
            classes[100] = 16;
            classes[N / 3 + 1] = 17;
            classes[N - 1] = 18; /* long before the first share is there */
            tl_tensor z = tl_rand(tape, TL_F32, tl_shape2(N, K)),
                      c = tl_input_i32(tape, tl_shape1(N), classes);
            cr_assert(isnan(tl_item(tl_cross_entropy(z, c, -1))));
            assert_fails(tape, TL_ERANGE, "index 16 at [100");
            tl_tape_free(tape);
        }
    }
}

/* ---- programs ---------------------------------------------------------------------------------- */

/* session_numbers -- steps of a program with a state, a draw and a gradient. */
static int64_t session_numbers(uint64_t variant, double *out)
{
    tl_tape *tape = check_tape(3);
    tl_params *set = tl_params_new(TL_F64);
    tl_param *w = tl_param_new(set, "w", tl_shape2(H, H), NULL);
    double v[H * H];
    for (int k = 0; k < H * H; k++)
        v[k] = sin(k) * 0.5;
    cr_assert_eq(tl_param_set_f64(w, v, H * H), TL_OK);
    tl_tensor xs = check_random(tape, TL_F64, tl_shape3(T, B, H), 1),
              h0 = tl_zeros(tape, TL_F64, tl_shape2(B, H)), u = tl_use(tape, w), g;
    tl_scan_opts o = tl_scan_defaults();
    o.reverse = (int)variant;
    tl_program *p = tl_program_new(tape, NULL);
    tl_scan s = tl_scan_open(tape, T, &o);
    tl_tensor h = tl_scan_carry(s, h0), x = tl_scan_each(s, xs);
    tl_scan_next(s, h, tl_tanh(tl_add(tl_dropout(x, 0.3), tl_matmul(h, u))));
    tl_scan_close(s);
    tl_tensor last = tl_scan_last(s, h), loss = tl_sum_all(tl_square(last));
    cr_assert_eq(tl_grad(1, &loss, NULL, 1, &u, &g), TL_OK);
    tl_program_input(p, "xs", xs);
    tl_program_state(p, "h", h0, last);
    tl_program_output(p, "dw", g);
    tl_session *run = session_of(p);
    tl__fail_after(0);
    int64_t n = 0;
    for (int k = 0; k < 4; k++) {
        step(run);
        cr_assert_eq(tl_session_get_f64(run, "h", out + n, B * H), TL_OK);
        n += B * H;
        cr_assert_eq(tl_session_get_f64(run, "dw", out + n, H * H), TL_OK);
        n += H * H;
    }
    cr_assert_eq(tl__alloc_count(), 0);
    tl_session_free(run);
    tl_tape_free(tape);
    tl_params_free(set);
    return n;
}

Test(share, sessions_have_the_same_bits_and_allocate_nothing)
{
    hold_same("session", session_numbers, 0);
    hold_same("session", session_numbers, 1);
}

/* ---- several threads of the host --------------------------------------------------------------- */

enum { HOSTS = 3, ROUNDS = 25 };

typedef struct host {
    int number;
    int64_t n;
    double want[MOST * 64], got[MOST * 64];
    int differ;
} host;

/* steps_of -- a loop over values of the host's own, its plan found again in every round. */
static int64_t steps_of(tl_tape *tape, int number, double *out)
{
    tl_tensor h0 = check_random(tape, TL_F64, tl_shape2(B, H), 10 + (uint64_t)number),
              w = check_random(tape, TL_F64, tl_shape2(H, H), 2), g;
    tl_scan s = tl_scan_open(tape, 20, NULL);
    tl_tensor h = tl_scan_carry(s, h0);
    tl_scan_next(s, h, tl_tanh(tl_matmul(tl_sub(h, tl_sum_keep(h, ROWS)), tl_scale(w, 0.2))));
    tl_scan_close(s);
    tl_tensor loss = tl_sum_all(tl_square(tl_scan_last(s, h)));
    tl_grad(1, &loss, NULL, 1, &w, &g);
    return tl_read_f64(g, out, H * H) == TL_OK ? H * H : -1;
}

static void run_host(void *argument)
{
    host *a = argument;
    tl_tape *tape = tl_tape_new(NULL);
    for (int round = 0; tape && round < ROUNDS; round++) {
        tl_tape_reset(tape);
        a->differ += steps_of(tape, a->number, a->got) != a->n ||
                     memcmp(a->got, a->want, (size_t)a->n * sizeof *a->got) != 0;
    }
    a->differ += tape == NULL;
    tl_tape_free(tape);
}

Test(share, threads_of_the_host_run_side_by_side)
{
    static host a[HOSTS];
    uv_thread_t thread[HOSTS];
    share(0);
    for (int k = 0; k < HOSTS; k++) {
        tl_tape *tape = check_tape(1);
        a[k].number = k;
        a[k].n = steps_of(tape, k, a[k].want);
        cr_assert_eq(a[k].n, H * H, "%s", tl_tape_error(tape));
        tl_tape_free(tape);
    }
    cr_assert_neq(memcmp(a[0].want, a[1].want, sizeof a[0].want), 0);
    share(2);
    for (int k = 0; k < HOSTS; k++)
        cr_assert_eq(uv_thread_create(&thread[k], run_host, &a[k]), 0);
    for (int k = 0; k < HOSTS; k++) {
        uv_thread_join(&thread[k]);
        cr_assert_eq(a[k].differ, 0, "host %d: %d rounds differ", k, a[k].differ);
    }
}

/* ---- what is written down ---------------------------------------------------------------------- */

/* line_with -- the line of the text that has `words`; the text is cut behind it. */
static const char *line_with(char *text, const char *words)
{
    char *at = strstr(text, words);
    cr_assert_not_null(at, "no \"%s\" in\n%s", words, text);
    at[strcspn(at, "\n")] = '\0';
    while (at > text && at[-1] != '\n')
        at--;
    return at;
}

/* says -- whether the plan that ran last says `remark` of the instruction with `words`. */
static int says(const tl_tape *tape, const char *words, const char *remark)
{
    char *text = tl__plan_dump(tape);
    cr_assert_not_null(text);
    const char *line = line_with(strstr(text, "\ninstructions\n"), words);
    const int found = strstr(line, remark) != NULL;
    tl__free(text);
    return found;
}

/* walk -- h' = tanh(h u + x): rows of h by rows of h. h' = tanh(u h + x): rows of h by all of h. */
static tl_tensor walk(tl_tape *tape, int by_all)
{
    tl_tensor u = check_random(tape, TL_F32, tl_shape2(6, 6), 1),
              xs = check_random(tape, TL_F32, tl_shape3(T, 6, 6), 2);
    tl_scan s = tl_scan_open(tape, T, NULL);
    tl_tensor h = tl_scan_carry(s, tl_zeros(tape, TL_F32, tl_shape2(6, 6)));
    tl_tensor z = by_all ? tl_matmul(u, h) : tl_matmul(h, u);
    tl_scan_next(s, h, tl_tanh(tl_add(z, tl_scan_each(s, xs))));
    tl_scan_close(s);
    return tl_scan_last(s, h);
}

Test(share, a_plan_says_what_is_shared_and_what_waits)
{
    for (int by_all = 0; by_all < 2; by_all++) {
        share(2);
        tl_tape *tape = check_tape(1);
        tl_no_grad_open(tape);
        tl_tensor y = walk(tape, by_all);
        tl_no_grad_close(tape);
        cr_assert_eq(tl_eval(1, &y), TL_OK);
        cr_assert(says(tape, "  contract ", "shared"));
        cr_assert_eq(says(tape, "  contract ", "waits"), by_all);
        cr_assert(says(tape, "tanh", "shared"));
        cr_assert_eq(says(tape, "tanh", "waits"), by_all); /* over what the product still reads */
        tl_tape_free(tape);
    }
    share(0);
    tl_tape *tape = check_tape(1);
    tl_tensor y = walk(tape, 0);
    cr_assert_eq(tl_eval(1, &y), TL_OK);
    cr_assert_eq(says(tape, "tanh", "shared"), 0);
    cr_assert_eq(says(tape, "tanh", "waits"), 0);
    tl_tape_free(tape);
}
