/* test_share_run.c -- shared plans: the errors of a single thread, sessions, several threads of the
 * host, and what a plan says of itself. */
#include "core/grad.h"
#include "core/memory.h"
#include "core/scan.h"
#include "ops/ops.h"
#include "tests/programtest.h"
#include "tests/sharetest.h"

#include <stdio.h>
#include <uv.h>

enum { T = 5, B = 3, H = 5 };

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

Test(share_run, an_error_in_a_loop_is_the_same_for_any_number_of_threads)
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

Test(share_run, of_errors_in_several_shares_the_first_row_counts)
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

Test(share_run, of_bad_indices_in_several_shares_the_first_counts)
{
    enum { N = 30000, E = 16 };
    static int32_t index[2][N / 2];
    for (int threads = 0; threads <= MOST; threads++) {
        share(threads);
        for (int turn = 0; turn < 20; turn++) {
            tl_tape *tape = check_tape(1);
            index[0][100] = -1;
            index[1][5] = 9;
            index[1][N / 2 - 1] = 8;
            tl_tensor table = tl_rand(tape, TL_F32, tl_shape2(4, E)),
                      rows = tl_gather(table, tl_input_i32(tape, tl_shape2(2, N / 2), index[0]));
            cr_assert_eq(tl_eval(1, &rows), TL_ERANGE);
            assert_fails(tape, TL_ERANGE, "gather: got index -1 at [0,100]");
            tl_tape_reset(tape);
            index[0][100] = 1;
            rows = tl_gather(tl_rand(tape, TL_F32, tl_shape2(4, E)),
                             tl_input_i32(tape, tl_shape2(2, N / 2), index[0]));
            cr_assert_eq(tl_eval(1, &rows), TL_ERANGE);
            assert_fails(tape, TL_ERANGE, "gather: got index 9 at [1,5]");
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

Test(share_run, sessions_have_the_same_bits_and_allocate_nothing)
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

Test(share_run, threads_of_the_host_run_side_by_side)
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
static tl_tensor walk(tl_tape *tape, int64_t n, int by_all)
{
    tl_tensor u = tl_rand(tape, TL_F32, tl_shape2(n, n)),
              xs = tl_rand(tape, TL_F32, tl_shape3(T, n, n));
    tl_scan s = tl_scan_open(tape, T, NULL);
    tl_tensor h = tl_scan_carry(s, tl_zeros(tape, TL_F32, tl_shape2(n, n)));
    tl_tensor z = by_all ? tl_matmul(u, h) : tl_matmul(h, u);
    tl_scan_next(s, h, tl_tanh(tl_add(z, tl_scan_each(s, xs))));
    tl_scan_close(s);
    return tl_scan_last(s, h);
}

Test(share_run, a_plan_says_what_is_shared_and_what_waits)
{
    for (int by_all = 0; by_all < 2; by_all++) {
        share(2);
        tl_tape *tape = check_tape(1);
        tl_no_grad_open(tape);
        tl_tensor y = walk(tape, 6, by_all);
        tl_no_grad_close(tape);
        cr_assert_eq(tl_eval(1, &y), TL_OK);
        cr_assert(says(tape, "  contract ", "shared"));
        cr_assert_eq(says(tape, "  contract ", "waits"), by_all);
        cr_assert(says(tape, "tanh", "shared"));
        cr_assert_eq(says(tape, "tanh", "waits"), by_all); /* over what the product still reads */
        tl_tape_free(tape);
    }
}

Test(share_run, a_plan_is_shared_if_it_is_worth_it)
{
    share(0);
    for (int large = 0; large < 2; large++) {
        tl_tape *tape = check_tape(1);
        tl_tensor y = walk(tape, large ? 160 : 20, 0);
        cr_assert_eq(tl_eval(1, &y), TL_OK);
        cr_assert_eq(says(tape, "tanh", "shared"), large);
        cr_assert_eq(says(tape, "uniform", "shared"), large);
        cr_assert_eq(says(tape, "tanh", "waits"), 0);
        tl_tape_free(tape);
    }
}
