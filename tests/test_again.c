/* test_again.c -- tl_checkpoint: the same bits as without, at orders 1 and 2; draws, parameters,
 * scans, nesting; and less memory. */
#include "ops/again.h"

#include "core/forward.h"
#include "core/grad.h"
#include "core/memory.h"
#include "core/scan.h"
#include "core/space.h"
#include "ops/check_grad.h"
#include "ops/elementwise.h"
#include "ops/matmul.h"
#include "ops/noise.h"
#include "ops/reduce.h"
#include "tests/check.h"
#include "tests/counting.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* block -- a few layers: y = tanh(y W), W being what ctx points at, and dropout after each. */
typedef struct block {
    tl_tensor w;
    int layers;
    double drop;
    int nested; /* the second half is a checkpoint of its own */
} block;

static int layers(void *ctx, tl_tape *tape, int nin, const tl_tensor *in, int nout, tl_tensor *out)
{
    const block *b = ctx;
    (void)nin, (void)nout;
    block half = *b;
    half.layers = b->layers / 2;
    half.nested = 0;
    const int own = b->nested ? b->layers - half.layers : b->layers;
    out[0] = in[0];
    for (int k = 0; k < own; k++)
        out[0] = tl_dropout(tl_tanh(tl_matmul(out[0], b->w)), b->drop);
    if (b->nested) { /* lives as long as the tape of a test */
        static block inner[8];
        static int used;
        block *own_half = &inner[used++ % 8];
        *own_half = half;
        return tl_checkpoint(layers, own_half, 1, out, 1, out);
    }
    return tl_tape_status(tape);
}

/* chain -- pieces one after the other, with checkpoints or without. */
static tl_tensor chain(tl_tensor x, block *b, int pieces, int checkpoints)
{
    for (int k = 0; k < pieces; k++) {
        tl_tensor y = {0};
        if (checkpoints)
            tl_checkpoint(layers, b, 1, &x, 1, &y);
        else
            layers(b, x.tape, 1, &x, 1, &y);
        x = y;
    }
    return x;
}

static tl_tensor random_matrix(tl_tape *tape, tl_dtype dtype, int64_t n, uint64_t seed)
{
    const tl_tensor r = check_random(tape, dtype, tl_shape2(n, n), seed);
    return tl_scale(r, 0.3);
}

/* both -- values and gradients at orders 1 and 2, with and without, have the same bits. */
static void both(block b, int pieces)
{
    double *result[2][5];
    for (int with = 0; with < 2; with++) {
        tl_tape *tape = check_tape(5);
        const tl_tensor x = random_matrix(tape, TL_F64, 4, 1);
        b.w = random_matrix(tape, TL_F64, 4, 2);
        const tl_tensor y = chain(x, &b, pieces, with), in[] = {x, b.w};
        const uint64_t draws = tl_draws(tape);
        tl_tensor d[2], dd[2];
        tl_grad(1, &y, NULL, 2, in, d);
        tl_grad(1, &d[1], NULL, 2, in, dd);
        cr_expect_eq(tl_draws(tape), draws);
        const tl_tensor all[] = {y, d[0], d[1], dd[0], dd[1]};
        for (int k = 0; k < 5; k++) {
            result[with][k] = check_values(all[k]);
            cr_assert_not_null(result[with][k], "%s", tl_tape_error(tape));
        }
        tl_tape_free(tape);
    }
    for (int k = 0; k < 5; k++) {
        if (k < 3)
            cr_expect_eq(memcmp(result[0][k], result[1][k], 16 * sizeof(double)), 0, "%d", k);
        assert_allclose(16, result[1][k], result[0][k], 1e-12, 1e-14);
        free(result[0][k]);
        free(result[1][k]);
    }
}

Test(again, the_same_numbers)
{
    both((block){.layers = 2}, 3);
}

Test(again, draws_are_the_same_the_second_time)
{
    both((block){.layers = 2, .drop = 0.4}, 3);
}

Test(again, checkpoints_in_one_another)
{
    both((block){.layers = 4, .drop = 0.2, .nested = 1}, 2);
}

/* ---- parameters ------------------------------------------------------------------------------ */

static int by_parameter(void *ctx, tl_tape *tape, int nin, const tl_tensor *in, int nout,
                        tl_tensor *out)
{
    (void)nin, (void)nout;
    out[0] = tl_tanh(tl_matmul(in[0], tl_use(tape, ctx)));
    return tl_tape_status(tape);
}

Test(again, parameters_used_inside_get_their_gradients)
{
    const float x[] = {1, -2, 0.5f, 3}, w[] = {0.1f, 0.2f, -0.3f, 0.4f};
    float got[2][4];
    tl_params *set = tl_params_new(TL_F32);
    tl_param *p = tl_param_new(set, "W", tl_shape2(2, 2), NULL);
    cr_assert_not_null(p);
    cr_assert_eq(tl_param_set_f32(p, w, 4), TL_OK);
    for (int with = 0; with < 2; with++) {
        tl_tape *tape = check_tape(1);
        tl_tensor y = tl_input_f32(tape, tl_shape2(2, 2), x);
        for (int k = 0; k < 2; k++)
            if (with)
                tl_checkpoint(by_parameter, p, 1, &y, 1, &y);
            else
                by_parameter(p, tape, 1, &y, 1, &y);
        cr_assert_eq(tl_backward(tl_sum_all(y)), TL_OK, "%s", tl_tape_error(tape));
        cr_assert_eq(tl_read_f32(tl_param_grad(tape, p), got[with], 4), TL_OK);
        tl_tape_free(tape);
    }
    for (int k = 0; k < 4; k++)
        cr_expect(fabsf(got[0][k]) > 0.01f && fabsf(got[1][k] - got[0][k]) < 1e-5f, "%d: %g, %g", k,
                  (double)got[0][k], (double)got[1][k]);
    tl_params_free(set);
}

/* twice -- tanh(a b), where b is what ctx points at, or the parameter. */
typedef struct second {
    tl_tensor b;
    tl_param *p;
} second;

static int twice(void *ctx, tl_tape *tape, int nin, const tl_tensor *in, int nout, tl_tensor *out)
{
    const second *u = ctx;
    (void)nin, (void)nout;
    out[0] = tl_tanh(tl_mul(in[0], u->p ? tl_use(tape, u->p) : u->b));
    return tl_tape_status(tape);
}

static tl_param *three(tl_params *set)
{
    const double w[] = {0.5, -1, 2};
    tl_param *p = tl_param_new(set, "w", tl_shape1(3), NULL);
    cr_assert_not_null(p);
    cr_assert_eq(tl_param_set_f64(p, w, 3), TL_OK);
    return p;
}

/* d tanh(a a) / da = 2 a (1 - tanh(a a)^2): both ways to a count. */
Test(again, what_is_given_may_be_used_beside_that)
{
    const double x[] = {0.5, -1, 2};
    for (int by_parameter = 0; by_parameter < 2; by_parameter++) {
        tl_tape *tape = check_tape(1);
        tl_params *set = tl_params_new(TL_F64);
        second u = {.p = by_parameter ? three(set) : NULL};
        const tl_tensor a = u.p ? tl_use(tape, u.p) : tl_input_f64(tape, tl_shape1(3), x);
        tl_tensor y, d;
        double want[3];
        u.b = a;
        cr_assert_eq(tl_checkpoint(twice, &u, 1, &a, 1, &y), TL_OK);
        tl_grad(1, &y, NULL, 1, &a, &d);
        for (int k = 0; k < 3; k++)
            want[k] = 2 * x[k] * (1 - tanh(x[k] * x[k]) * tanh(x[k] * x[k]));
        assert_tensor(d, 3, want, 1e-12, 0);
        tl_tape_free(tape);
        tl_params_free(set);
    }
}

/* As in meta-learning: the gradient of the inner loss, a checkpoint, is taken again after the
 * parameter was bound to what that gradient made of it. */
Test(again, a_parameter_may_be_bound_between_recording_and_gradient)
{
    double got[2][3];
    for (int with = 0; with < 2; with++) {
        tl_tape *tape = check_tape(1);
        tl_params *set = tl_params_new(TL_F64);
        second u = {.p = three(set)};
        const tl_tensor w = tl_use(tape, u.p), a = check_random(tape, TL_F64, tl_shape1(3), 1);
        tl_tensor y = {0}, d, dd, inner = {0};
        for (int k = 0; k < 2; k++) {
            inner = y;
            if (with)
                tl_checkpoint(twice, &u, 1, &a, 1, &y);
            else
                twice(&u, tape, 1, &a, 1, &y);
            if (k == 0) {
                tl_grad(1, &y, NULL, 1, &w, &d);
                tl_bind(tape, u.p, tl_sub(w, d));
            }
        }
        y = tl_add(y, inner);
        tl_grad(1, &y, NULL, 1, &w, &dd);
        cr_assert_eq(tl_read_f64(dd, got[with], 3), TL_OK, "%s", tl_tape_error(tape));
        tl_tape_free(tape);
        tl_params_free(set);
    }
    assert_allclose(3, got[1], got[0], 1e-13, 0);
}

/* ---- gradients inside ------------------------------------------------------------------------ */

/* descend -- a step down the loss sum (tanh w - 1)^2: its own gradient is recorded in it. */
static int descend(void *ctx, tl_tape *tape, int nin, const tl_tensor *in, int nout, tl_tensor *out)
{
    (void)ctx, (void)nin, (void)nout;
    const tl_tensor loss = tl_sum_all(tl_square(tl_add_scalar(tl_tanh(in[0]), -1)));
    tl_tensor g;
    tl_grad(1, &loss, NULL, 1, in, &g);
    out[0] = tl_sub(in[0], tl_mul(in[1], g));
    return tl_tape_status(tape);
}

Test(again, a_gradient_inside_the_function)
{
    double *result[2][3];
    for (int with = 0; with < 2; with++) {
        tl_tape *tape = check_tape(5);
        tl_tensor w = random_matrix(tape, TL_F64, 4, 1), d[2];
        const tl_tensor rate = tl_scalar(tape, TL_F64, 0.3), by[] = {w, rate};
        for (int k = 0; k < 4; k++) {
            const tl_tensor in[] = {w, rate};
            if (with)
                tl_checkpoint(descend, NULL, 2, in, 1, &w);
            else
                descend(NULL, tape, 2, in, 1, &w);
        }
        tl_grad(1, &w, NULL, 2, by, d);
        const tl_tensor all[] = {w, d[0], d[1]};
        for (int k = 0; k < 3; k++) {
            result[with][k] = check_values(all[k]);
            cr_assert_not_null(result[with][k], "%s", tl_tape_error(tape));
        }
        tl_tape_free(tape);
    }
    for (int k = 0; k < 3; k++) {
        assert_allclose(k < 2 ? 16 : 1, result[1][k], result[0][k], 1e-13, 1e-14);
        cr_expect(fabs(result[0][k][0]) > 1e-3);
        free(result[0][k]);
        free(result[1][k]);
    }
}

/* other -- something else the second time: by *kind another number of operations, another
 * operation, another number. */
static int other(void *ctx, tl_tape *tape, int nin, const tl_tensor *in, int nout, tl_tensor *out)
{
    int *kind = ctx;
    const int again = *kind >= 10, of = *kind % 10;
    (void)nin, (void)nout;
    *kind = of + 10;
    out[0] = again && of == 1 ? tl_sin(in[0]) : tl_tanh(in[0]);
    out[0] = tl_scale(out[0], again && of == 2 ? 3 : 2);
    if (again && of == 0)
        out[0] = tl_neg(out[0]);
    return tl_tape_status(tape);
}

Test(again, another_recording_is_an_error)
{
    for (int of = 0; of < 4; of++) {
        tl_tape *tape = check_tape(5);
        int kind = of;
        const tl_tensor x = random_matrix(tape, TL_F64, 4, 1);
        tl_tensor y, d;
        cr_assert_eq(tl_checkpoint(other, &kind, 1, &x, 1, &y), TL_OK);
        const int code = tl_grad(1, &y, NULL, 1, &x, &d);
        cr_expect_eq(code, of < 3 ? TL_EINVAL : TL_OK);
        if (of < 3)
            assert_fails(tape, TL_EINVAL,
                         of ? "the gradient, recorded other operations, shapes or numbers"
                            : "the gradient, recorded 3 operations, want the 2 of the first time");
        tl_tape_free(tape);
    }
}

/* ---- scans ----------------------------------------------------------------------------------- */

static tl_tensor run_scan(tl_tensor x, block *b, int with, int recompute)
{
    tl_scan_opts o = tl_scan_defaults();
    o.recompute = recompute;
    const tl_scan s = tl_scan_open(x.tape, 5, &o);
    tl_tensor h = tl_scan_carry(s, x);
    tl_scan_next(s, h, chain(h, b, 2, with));
    tl_scan_close(s);
    return tl_scan_last(s, h);
}

Test(again, in_the_body_of_a_scan)
{
    for (int recompute = 0; recompute < 2; recompute++) {
        double *result[2][3];
        for (int with = 0; with < 2; with++) {
            tl_tape *tape = check_tape(5);
            const tl_tensor x = random_matrix(tape, TL_F64, 4, 1);
            block b = {.layers = 2, .drop = 0.3};
            b.w = random_matrix(tape, TL_F64, 4, 2);
            const tl_tensor y = run_scan(x, &b, with, recompute), in[] = {x, b.w};
            tl_tensor d[2];
            tl_grad(1, &y, NULL, 2, in, d);
            const tl_tensor all[] = {y, d[0], d[1]};
            for (int k = 0; k < 3; k++) {
                result[with][k] = check_values(all[k]);
                cr_assert_not_null(result[with][k], "%s", tl_tape_error(tape));
            }
            tl_tape_free(tape);
        }
        for (int k = 0; k < 3; k++) {
            assert_allclose(16, result[1][k], result[0][k], 1e-12, 1e-14);
            free(result[0][k]);
            free(result[1][k]);
        }
    }
}

/* run_nested -- a scan over a scan, with draws in and around the inner one. */
static tl_tensor run_nested(tl_tensor x, block *b, int with, int recompute)
{
    tl_scan_opts o = tl_scan_defaults();
    o.recompute = recompute;
    const tl_scan s = tl_scan_open(x.tape, 3, &o);
    tl_tensor h = tl_scan_carry(s, x), y = run_scan(chain(h, b, 1, with), b, with, recompute);
    tl_scan_next(s, h, chain(y, b, 1, with));
    tl_scan_close(s);
    return tl_scan_last(s, h);
}

/* derivatives -- of y = f(x, w): the gradient by x, that of its squares by w, the tangent of y and
 * the gradient of that one by w, the gradient's tangent. */
static void derivatives(tl_tensor y, tl_tensor x, tl_tensor w, tl_tensor *out)
{
    const tl_tensor in[] = {x, w}, v[] = {tl_sin(x), tl_cos(w)};
    tl_tensor d[2];
    tl_grad(1, &y, NULL, 2, in, d);
    const tl_tensor square = tl_sum_all(tl_add(tl_square(d[0]), tl_square(d[1])));
    out[0] = d[0];
    tl_grad(1, &square, NULL, 1, &w, &out[1]);
    tl_jvp(2, in, v, 1, &y, &out[2]);
    tl_grad(1, &out[2], NULL, 1, &w, &out[3]);
    tl_jvp(2, in, v, 1, d, &out[4]);
}

Test(again, draws_in_scans_at_order_2)
{
    enum { N = 5 };
    for (int way = 0; way < 4; way++) {
        double *result[2][N];
        for (int with = 0; with < 2; with++) {
            tl_tape *tape = check_tape(5);
            const tl_tensor x = random_matrix(tape, TL_F64, 4, 1);
            block b = {.layers = 2, .drop = 0.3};
            b.w = random_matrix(tape, TL_F64, 4, 2);
            tl_tensor all[N];
            derivatives((way & 2 ? run_nested : run_scan)(x, &b, with, way & 1), x, b.w, all);
            for (int k = 0; k < N; k++) {
                result[with][k] = check_values(all[k]);
                cr_assert_not_null(result[with][k], "%s", tl_tape_error(tape));
            }
            tl_tape_free(tape);
        }
        for (int k = 0; k < N; k++) {
            assert_allclose(16, result[1][k], result[0][k], 1e-11, 1e-13);
            free(result[0][k]);
            free(result[1][k]);
        }
    }
}

static int scale_by(void *ctx, tl_tape *tape, int nin, const tl_tensor *in, int nout,
                    tl_tensor *out)
{
    (void)nin, (void)nout;
    out[0] = tl_mul(in[0], *(const tl_tensor *)ctx);
    return tl_tape_status(tape);
}

Test(again, what_is_used_of_a_body_must_be_given)
{
    tl_tape *tape = check_tape(1);
    const tl_tensor one =
        tl_add(tl_ones(tape, TL_F64, tl_shape1(2)), tl_ones(tape, TL_F64, tl_shape1(2)));
    const tl_scan s = tl_scan_open(tape, 3, NULL);
    const tl_tensor h = tl_scan_carry(s, one);
    tl_tensor used = tl_exp(h), y;
    cr_assert_eq(tl_checkpoint(scale_by, &used, 1, &h, 1, &y), TL_EFRAME);
    assert_fails(tape, TL_EFRAME, "of a scan's body and is not given it: make it one of in[]");
    cr_assert_null(y.tape);
    tl_tape_free(tape);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* peak -- bytes held at most while the gradient of a chain of 64 layers is computed. */
static size_t peak(tally *t, int with)
{
    enum { N = 128 };
    tl_tape *tape = check_tape(1);
    block b = {.layers = 8};
    const tl_tensor x = check_random(tape, TL_F32, tl_shape2(1024, N), 1);
    b.w = random_matrix(tape, TL_F32, N, 2);
    const tl_tensor y = tl_sum_all(chain(x, &b, 8, with));
    tl_tensor d;
    tl_no_grad_open(tape); /* as tl_backward does */
    tl_grad(1, &y, NULL, 1, &x, &d);
    d = tl_sum_all(d);
    tl_no_grad_close(tape);
    const size_t before = t->most = t->now;
    cr_assert_eq(tl_eval(1, &d), TL_OK, "%s", tl_tape_error(tape));
    tl_tape_free(tape);
    return t->most - before;
}

Test(again, takes_less_memory)
{
    tally t = {0, 0};
    count_with(&t);
    const size_t without = peak(&t, 0), with = peak(&t, 1);
    cr_assert_lt(2 * with, without, "%zu without, %zu with checkpoints", without, with);
}
