/* test_session.c -- running programs: the tape's own results bit for bit over several steps, states
 * and draws carried on, sessions apart, errors with their place, no allocation. */
#include "core/gemm.h"
#include "core/grad.h"
#include "core/memory.h"
#include "core/scan.h"
#include "ops/ops.h"
#include "tests/programtest.h"

enum { B = 2, I = 3, H = 4, T = 3, V = 5 };

/* ---- one step of an LSTM --------------------------------------------------------------------- */

typedef struct lstm {
    tl_params *set;
    tl_param *w_ih, *w_hh, *bias;
} lstm;

static lstm lstm_new(void)
{
    lstm m = {.set = tl_params_new(TL_F64)};
    m.w_ih = tl_param_new(m.set, "weight_ih", tl_shape2(4 * H, I), NULL);
    m.w_hh = tl_param_new(m.set, "weight_hh", tl_shape2(4 * H, H), NULL);
    m.bias = tl_param_new(m.set, "bias", tl_shape1(4 * H), NULL);
    double v[4 * H * H];
    for (int i = 0; i < 4 * H * H; i++)
        v[i] = sin(i);
    tl_param_set_f64(m.w_ih, v, 4 * H * I);
    tl_param_set_f64(m.w_hh, v, 4 * H * H);
    tl_param_set_f64(m.bias, v, 4 * H);
    return m;
}

static void lstm_step(tl_tape *tape, const lstm *m, tl_tensor x, tl_tensor *h, tl_tensor *c)
{
    tl_tensor z = tl_add(tl_linear(x, tl_use(tape, m->w_ih), tl_use(tape, m->bias)),
                         tl_linear(*h, tl_use(tape, m->w_hh), (tl_tensor){0}));
    tl_tensor i = tl_sigmoid(tl_chunk(z, 4, 0)), f = tl_sigmoid(tl_chunk(z, 4, 1)),
              g = tl_tanh(tl_chunk(z, 4, 2)), o = tl_sigmoid(tl_chunk(z, 4, 3));
    *c = tl_add(tl_mul(f, *c), tl_mul(i, g));
    *h = tl_mul(o, tl_tanh(*c));
}

static tl_program *lstm_program(tl_tape *tape, const lstm *m)
{
    tl_tensor x = tl_zeros(tape, TL_F64, tl_shape2(B, I)),
              h0 = tl_zeros(tape, TL_F64, tl_shape2(B, H)),
              c0 = tl_zeros(tape, TL_F64, tl_shape2(B, H)), h = h0, c = c0;
    lstm_step(tape, m, x, &h, &c);
    tl_program *p = tl_program_new(tape, "lstm");
    tl_program_input(p, "x", x);
    tl_program_state(p, "h", h0, h);
    tl_program_state(p, "c", c0, c);
    tl_program_output(p, "y", h);
    return p;
}

static void x_at(int t, double *x)
{
    for (int k = 0; k < B * I; k++)
        x[k] = cos(t * B * I + k);
}

Test(session, a_streamed_lstm_has_the_bits_of_the_tape)
{
    lstm m = lstm_new();
    tl_tape *tape = check_tape(1);
    tl_session *s = session_of(lstm_program(tape, &m));
    double h[B * H] = {0}, c[B * H] = {0};
    double *x = tl_session_input(s, 0);
    for (int t = 0; t < 7; t++) {
        tl_tape_reset(tape);
        if (t == 4) { /* training goes on meanwhile */
            tl_assign(m.w_hh, tl_scale(tl_use(tape, m.w_hh), 0.5));
            cr_assert_eq(tl_commit(tape), TL_OK);
        }
        x_at(t, x);
        tl_tensor h1 = tl_input_f64(tape, tl_shape2(B, H), h),
                  c1 = tl_input_f64(tape, tl_shape2(B, H), c);
        lstm_step(tape, &m, tl_input_f64(tape, tl_shape2(B, I), x), &h1, &c1);
        step(s);
        agrees(s, "h", h1);
        agrees(s, "c", c1);
        agrees(s, "y", h1);
        cr_assert_eq(memcmp(tl_session_output(s, 3), tl_session_state(s, 1), sizeof h), 0);
        tl_read_f64(h1, h, B * H);
        tl_read_f64(c1, c, B * H);
    }
    tl_session_free(s);
    tl_tape_free(tape);
    tl_params_free(m.set);
}

Test(session, a_step_allocates_nothing)
{
    lstm m = lstm_new();
    tl_tape *tape = check_tape(1);
    tl_session *s = session_of(lstm_program(tape, &m));
    tl__fail_after(0);
    for (int t = 0; t < 5; t++) {
        x_at(t, tl_session_input(s, 0));
        step(s);
    }
    cr_assert_eq(tl__alloc_count(), 0);
    tl_session_free(s);
    tl_tape_free(tape);
    tl_params_free(m.set);
}

Test(session, a_long_row_times_a_large_matrix_allocates_nothing)
{
    enum { WIDE = 1030, K = 600 };
    static float values[WIDE * K];
    if (tl__panels_bytes(TL_F32, K, WIDE) == 0)
        return; /* BLIS's products take what they need */
    tl_tape *tape = check_tape(1);
    tl_tensor x = check_random(tape, TL_F32, tl_shape2(1, K), 1),
              w = tl_input_f32(tape, tl_shape2(WIDE, K), values);
    tl_program *p = tl_program_new(tape, NULL);
    tl_program_input(p, "x", x);
    tl_program_output(p, "y", tl_matmul_t(x, 0, w, 1));
    tl_session *s = session_of(p);
    tl__fail_after(0);
    step(s);
    cr_assert_eq(tl__alloc_count(), 0);
    tl_session_free(s);
    tl_tape_free(tape);
}

Test(session, two_sessions_of_one_program_do_not_meet)
{
    enum { STEPS = 6 };
    lstm m = lstm_new();
    tl_tape *tape = check_tape(1);
    tl_program *p = lstm_program(tape, &m);
    cr_assert_eq(tl_program_close(p, NULL), TL_OK);
    tl_tape_free(tape);
    double want[2][STEPS][B * H], got[B * H];
    for (int k = 0; k < 2; k++) {
        tl_session *s = tl_session_new(p, NULL);
        for (int t = 0; t < STEPS; t++) {
            x_at(t + 100 * k, tl_session_input(s, 0));
            step(s);
            tl_session_get_f64(s, "y", want[k][t], B * H);
        }
        tl_session_free(s);
    }
    tl_session *s[2] = {tl_session_new(p, NULL), tl_session_new(p, NULL)};
    tl_program_free(p); /* the sessions keep it */
    int t[2] = {0};
    for (int n = 0; n < 2 * STEPS; n++) {
        const int k = t[0] == STEPS || (t[1] < STEPS && n % 3 == 0);
        x_at(t[k] + 100 * k, tl_session_input(s[k], 0));
        step(s[k]);
        tl_session_get_f64(s[k], "y", got, B * H);
        cr_assert_eq(memcmp(got, want[k][t[k]], sizeof got), 0, "session %d, step %d", k, t[k]);
        t[k]++;
    }
    tl_session_free(s[0]);
    tl_session_free(s[1]);
    tl_params_free(m.set);
}

Test(session, states_are_reset_set_and_carried_over)
{
    lstm m = lstm_new();
    tl_tape *tape = check_tape(1);
    tl_program *p = lstm_program(tape, &m);
    cr_assert_eq(tl_program_close(p, NULL), TL_OK);
    tl_session *s = tl_session_new(p, NULL), *other = tl_session_new(p, NULL);
    double first[B * H], third[B * H], h[B * H], c[B * H];
    x_at(1, tl_session_input(s, 0));
    x_at(1, tl_session_input(other, 0));
    step(s);
    tl_session_get_f64(s, "y", first, B * H);
    step(s);
    tl_session_get_f64(s, "h", h, B * H);
    tl_session_get_f64(s, "c", c, B * H);
    step(s);
    tl_session_get_f64(s, "y", third, B * H);
    tl_session_set_f64(other, "h", h, B * H);
    memcpy(tl_session_state(other, tl_program_find(p, "c")), c, sizeof c);
    step(other);
    holds(other, "y", B * H, third);
    for (int odd = 0; odd < 2; odd++) { /* whatever the number of steps before */
        tl_session_reset(s);
        step(s);
        holds(s, "y", B * H, first);
        tl_session_reset(other);
        step(other);
        holds(other, "y", B * H, first);
    }
    tl_session_free(s);
    tl_session_free(other);
    tl_program_free(p);
    tl_tape_free(tape);
    tl_params_free(m.set);
}

/* ---- a scan with everything in it ------------------------------------------------------------ */

typedef struct decoder {
    tl_tensor ids, lengths, h0, hs, hT, loss, grad[2];
} decoder;

/* decode -- T steps over embedded tokens with dropout and lengths; the loss's gradients by the
 * table and by h0. */
static decoder decode(tl_tape *tape, int recompute, const int32_t *ids, const int32_t *lengths,
                      const double *h0)
{
    decoder d = {.ids = tl_input_i32(tape, tl_shape2(T, B), ids),
                 .lengths = tl_input_i32(tape, tl_shape1(B), lengths),
                 .h0 = tl_input_f64(tape, tl_shape2(B, H), h0)};
    tl_tensor table = check_random(tape, TL_F64, tl_shape2(V, H), 1),
              w = check_random(tape, TL_F64, tl_shape2(H, H), 2);
    tl_scan_opts o = tl_scan_defaults();
    o.name = "decoder";
    o.lengths = d.lengths;
    o.recompute = recompute;
    tl_scan s = tl_scan_open(tape, T, &o);
    tl_tensor h = tl_scan_carry(s, d.h0), id = tl_scan_each(s, d.ids);
    tl_scope_open(tape, "look");
    tl_tensor x = tl_gather(table, id);
    tl_scope_close(tape);
    tl_tensor h1 = tl_tanh(tl_add(tl_dropout(x, 0.5), tl_scale(tl_matmul(h, w), 0.3)));
    tl_scan_next(s, h, h1);
    tl_scan_close(s);
    d.hs = tl_scan_stacked(s, h1);
    d.hT = tl_scan_last(s, h);
    d.loss = tl_sum_all(tl_square(tl_add(d.hs, tl_randn(tape, TL_F64, tl_shape1(H)))));
    const tl_tensor in[] = {table, d.h0};
    tl_grad(1, &d.loss, NULL, 2, in, d.grad);
    return d;
}

static tl_session *decoder_session(tl_tape *tape, int recompute)
{
    const int32_t ids[T * B] = {0}, lengths[B] = {T, T};
    const double h0[B * H] = {0};
    tl_program *p = tl_program_new(tape, "train");
    decoder d = decode(tape, recompute, ids, lengths, h0);
    tl_program_input(p, "ids", d.ids);
    tl_program_input(p, "lengths", d.lengths);
    tl_program_state(p, "h", d.h0, d.hT);
    tl_program_output(p, "loss", d.loss);
    tl_program_output(p, "hs", d.hs);
    tl_program_output(p, "dtable", d.grad[0]);
    tl_program_output(p, "dh", d.grad[1]);
    return session_of(p);
}

static void tokens_at(int k, int32_t *ids, int32_t *lengths)
{
    for (int i = 0; i < T * B; i++)
        ids[i] = (7 * k + 3 * i) % V;
    for (int b = 0; b < B; b++)
        lengths[b] = (k + b) % (T + 1);
}

static void train_beside_the_tape(int recompute)
{
    tl_tape *tape = check_tape(3);
    tl_tensor earlier = tl_randn(tape, TL_F64, tl_shape1(5)); /* draws before count, too */
    (void)earlier;
    tl_session *s = decoder_session(tape, recompute);
    tl_tape_free(tape);
    tape = check_tape(3);
    tl_randn(tape, TL_F64, tl_shape1(5));
    cr_assert_eq(tl_session_draws(s), tl_draws(tape));
    double h[B * H] = {0};
    for (int k = 0; k < 6; k++) {
        int32_t ids[T * B], lengths[B];
        tl_tape_reset(tape);
        tokens_at(k, ids, lengths);
        decoder d = decode(tape, recompute, ids, lengths, h);
        tl_tensor all[] = {d.loss, d.hs, d.hT, d.grad[0], d.grad[1]};
        cr_assert_eq(tl_eval(5, all), TL_OK);
        tl_session_set_i32(s, "ids", ids, T * B);
        tl_session_set_i32(s, "lengths", lengths, B);
        step(s);
        agrees(s, "loss", d.loss);
        agrees(s, "hs", d.hs);
        agrees(s, "dtable", d.grad[0]);
        agrees(s, "dh", d.grad[1]);
        agrees(s, "h", d.hT);
        cr_assert_eq(tl_session_draws(s), tl_draws(tape));
        tl_read_f64(d.hT, h, B * H);
    }
    tl_session_free(s);
    tl_tape_free(tape);
}

Test(session, a_training_step_has_the_bits_of_the_tape_draws_included)
{
    train_beside_the_tape(0);
}

Test(session, scans_that_recompute_draw_the_same_again)
{
    train_beside_the_tape(1);
}

Test(session, draws_are_set_to_go_on_elsewhere)
{
    tl_tape *tape = check_tape(3);
    tl_tensor r = tl_randn(tape, TL_F64, tl_shape1(4));
    tl_program *p = tl_program_new(tape, NULL);
    tl_program_output(p, "r", r);
    tl_session *s = session_of(p);
    double a[4], b[4];
    step(s);
    agrees(s, "r", r);
    step(s);
    cr_assert_eq(tl_session_draws(s), 2);
    tl_session_get_f64(s, "r", a, 4);
    step(s);
    tl_session_get_f64(s, "r", b, 4);
    cr_assert_neq(memcmp(a, b, sizeof a), 0);
    tl_session_set_draws(s, 1);
    step(s);
    holds(s, "r", 4, a);
    tl_session_free(s);
    tl_tape_free(tape);
}

Test(session, a_failed_step_names_its_place_and_changes_no_state)
{
    tl_tape *tape = check_tape(3);
    tl_session *s = decoder_session(tape, 0);
    int32_t ids[T * B], lengths[B] = {T, T};
    double h[B * H], want[B * H];
    tokens_at(0, ids, lengths);
    lengths[0] = lengths[1] = T;
    tl_session_set_i32(s, "ids", ids, T * B);
    step(s);
    tl_session_get_f64(s, "h", h, B * H);
    cr_assert_str_eq(tl_session_error(s), "");
    ids[B * 2] = V;
    tl_session_set_i32(s, "ids", ids, T * B);
    const uint64_t draws = tl_session_draws(s);
    cr_assert_eq(tl_session_step(s), TL_ERANGE);
    cr_assert_not_null(strstr(tl_session_error(s), "train: decoder/look: gather: got index 5"),
                       "%s", tl_session_error(s));
    cr_assert_not_null(strstr(tl_session_error(s), "at t=2"), "%s", tl_session_error(s));
    holds(s, "h", B * H, h);
    cr_assert_eq(tl_session_draws(s), draws);
    lengths[0] = T + 1;
    tl_session_set_i32(s, "lengths", lengths, B);
    cr_assert_eq(tl_session_step(s), TL_ERANGE);
    cr_assert_null(strstr(tl_session_error(s), "gather"), "%s", tl_session_error(s));
    holds(s, "h", B * H, h);
    ids[B * 2] = V - 1; /* and goes on as if nothing had been */
    lengths[0] = T;
    tl_session_set_i32(s, "ids", ids, T * B);
    tl_session_set_i32(s, "lengths", lengths, B);
    step(s);
    tl_session_get_f64(s, "h", want, B * H);
    tl_session_set_f64(s, "h", h, B * H);
    tl_session_set_draws(s, draws);
    step(s);
    holds(s, "h", B * H, want);
    tl_session_free(s);
    tl_tape_free(tape);
}

Test(session, scans_and_gradients_allocate_nothing)
{
    tl_tape *tape = check_tape(3);
    tl_session *s = decoder_session(tape, 0);
    tl__fail_after(0);
    step(s);
    step(s);
    cr_assert_eq(tl__alloc_count(), 0);
    tl_session_free(s);
    tl_tape_free(tape);
}

/* ---- copies ---------------------------------------------------------------------------------- */

Test(session, copies_are_checked)
{
    tl_tape *tape = check_tape(1);
    tl_tensor x = tl_ones(tape, TL_F32, tl_shape2(1, 2)), i = tl_ones(tape, TL_I32, tl_shape1(1));
    tl_program *p = tl_program_new(tape, NULL);
    tl_program_input(p, "x", x);
    tl_program_input(p, "i", i);
    tl_program_output(p, "y", tl_exp(x));
    tl_session *s = session_of(p);
    const float f[2] = {2, 3};
    float got[2];
    int32_t n = 5;
    cr_assert_eq(tl_session_set_f32(s, "x", f, 2), TL_OK);
    cr_assert_eq(tl_session_get_f32(s, "x", got, 2), TL_OK);
    cr_assert_eq(memcmp(f, got, sizeof f), 0);
    cr_assert_eq(tl_session_set_i32(s, "i", &n, 1), TL_OK);
    n = 0;
    cr_assert_eq(tl_session_get_i32(s, "i", &n, 1), TL_OK);
    cr_assert_eq(n, 5);
    cr_assert_eq(tl_session_set_f32(s, "z", f, 2), TL_ENAME);
    cr_assert_str_eq(tl_session_error(s), "tl_session_set_f32: the program has nothing named "
                                          "\"z\"");
    cr_assert_eq(tl_session_set_f32(s, NULL, f, 2), TL_ENAME);
    cr_assert_eq(tl_session_set_f32(s, "x", f, 1), TL_ESHAPE);
    cr_assert_str_eq(tl_session_error(s), "tl_session_set_f32: got 1 elements, but \"x\" is [1,2] "
                                          "with 2");
    cr_assert_eq(tl_session_set_f64(s, "x", NULL, 2), TL_EDTYPE);
    cr_assert_str_eq(tl_session_error(s), "tl_session_set_f64: got f64 for \"x\", which is f32");
    cr_assert_eq(tl_session_set_f32(s, "x", NULL, 2), TL_EINVAL);
    cr_assert_eq(tl_session_set_f32(s, "y", f, 2), TL_EINVAL);
    cr_assert_str_eq(tl_session_error(s), "tl_session_set_f32: \"y\" is an output, want an input "
                                          "or a state");
    cr_assert_eq(tl_session_get_f32(s, "y", got, 2), TL_OK); /* zeros before the first step */
    cr_assert_eq(got[0] != 0.0f || got[1] != 0.0f, 0);
    cr_assert_null(tl_session_input(s, 2));
    cr_assert_null(tl_session_input(s, -1));
    cr_assert_null(tl_session_input(s, 3));
    cr_assert_null(tl_session_state(s, 0));
    cr_assert_null(tl_session_output(s, 0));
    cr_assert_eq(tl_session_step(NULL), TL_EINVAL);
    cr_assert_eq(tl_session_set_f32(NULL, "x", f, 2), TL_EINVAL);
    tl_session_reset(NULL);
    tl_session_free(NULL);
    tl_session_free(s);
    tl_tape_free(tape);
}
