/* test_noise.c -- draws: the numbers of random.h, their order, what training mode does,
 * frequencies. */
#include "core/grad.h"
#include "core/random.h"
#include "ops/ops.h"
#include "tests/optest.h"

static tl_tape *tape;

static void tape_open(void)
{
    tl_tape_opts o = tl_tape_defaults();
    o.seed = 42;
    tape = tl_tape_new(&o);
}

static void tape_close(void)
{
    tl_tape_free(tape);
}

TestSuite(noise, .init = tape_open, .fini = tape_close);

Test(noise, draws_are_numbered_in_recording_order)
{
    double want[6];
    tl_tensor first = tl_rand(tape, TL_F64, tl_shape2(2, 3)),
              second = tl_randn(tape, TL_F64, tl_shape2(2, 3));
    cr_assert_eq(tl_draws(tape), 2u);
    tl__normal_fill(TL_F64, 42, 1, 0, 6, want);
    expect_array(second, tl_shape2(2, 3), want); /* read in the other order */
    tl__uniform_fill(TL_F64, 42, 0, 0, 6, want);
    expect_array(first, tl_shape2(2, 3), want);
    tl_tape_reset(tape);
    tl_set_draws(tape, 1);
    tl__uniform_fill(TL_F64, 42, 1, 0, 6, want);
    expect_array(tl_rand(tape, TL_F64, tl_shape1(6)), tl_shape1(6), want);
}

Test(noise, a_result_that_lies_oddly_has_the_same_numbers)
{
    const tl_attr none = {0, NULL, 0, NULL};
    const tl_op *op[2] = {&tl_op_uniform, &tl_op_normal};
    for (int i = 0; i < 2; i++) {
        double dense[30], again[30];
        const tl_shape shape = tl_shape3(2, 3, 5);
        const tl_dtype dtype = TL_F64;
        tl_shape got;
        cr_assert_eq(run_dense(op[i], &none, 0, &dtype, &shape, NULL, &got, dense, NULL), TL_OK);
        odd_array o;
        odd_make(&o, TL_F64, shape);
        tl_call c = {.op = op[i], .attr = &none, .out = o.view, .seed = 7, .draw = 3};
        cr_assert_eq(op[i]->run(&c), TL_OK);
        odd_copy(&o.view, again, 1);
        cr_assert_eq(memcmp(dense, again, sizeof dense), 0);
        odd_free(&o);

        tl_parts q = {&none, 0, NULL, shape, TL_F64, -1}; /* in parts, the last one first */
        cr_assert_eq(op[i]->parts(&q), 2);
        cr_assert_eq(q.axis, 0);
        odd_make(&o, TL_F64, shape);
        c.out = o.view;
        for (c.lo = 1; c.lo >= 0; c.lo--) {
            c.hi = c.lo + 1;
            cr_assert_eq(op[i]->run(&c), TL_OK);
        }
        odd_copy(&o.view, again, 1);
        cr_assert_eq(memcmp(dense, again, sizeof dense), 0);
        odd_free(&o);
    }
}

enum { MANY = 20000 };

Test(noise, dropout_keeps_the_mean_and_scales_what_is_kept)
{
    static float x[MANY], y[MANY];
    for (int i = 0; i < MANY; i++)
        x[i] = 2;
    tl_tensor t = tl_dropout(tl_input_f32(tape, tl_shape1(MANY), x), 0.25);
    cr_assert_eq(tl_read_f32(t, y, MANY), TL_OK);
    int kept = 0;
    for (int i = 0; i < MANY; i++) {
        cr_assert(y[i] == 0 || fabsf(y[i] - 2 / 0.75f) < 1e-6f);
        kept += y[i] != 0;
    }
    cr_assert(abs(kept - MANY * 3 / 4) < 300, "%d kept", kept); /* 4.9 standard deviations */
}

Test(noise, the_gradient_of_dropout_uses_the_same_mask)
{
    double x[64], y[64], g[64];
    numbers(64, x);
    for (int i = 0; i < 64; i++)
        x[i] += 3;
    tl_tensor t = tl_input_f64(tape, tl_shape1(64), x), d, out = tl_dropout(t, 0.5);
    cr_assert_eq(tl_grad(1, &out, NULL, 1, &t, &d), TL_OK);
    cr_assert_eq(tl_read_f64(d, g, 64), TL_OK);
    cr_assert_eq(tl_read_f64(out, y, 64), TL_OK);
    for (int i = 0; i < 64; i++)
        cr_assert(y[i] == g[i] * x[i] && (g[i] == 0 || g[i] == 2));
}

Test(noise, dropout_passes_through_in_evaluation_and_at_zero)
{
    tl_tensor x = tl_ones(tape, TL_F64, tl_shape1(3));
    cr_assert_eq(tl_dropout(x, 0).slot, x.slot);
    tl_train(tape, 0);
    cr_assert_eq(tl_dropout(x, 0.5).slot, x.slot);
    expect(tl_dropout_mask(tape, TL_F64, tl_shape1(2), 0.5), tl_shape1(2), 1, 1);
    cr_assert_eq(tl_draws(tape), 0u);
}

Test(noise, everything_dropped_is_zero_and_so_is_its_gradient)
{
    const double v[3] = {1, HUGE_VAL, (double)NAN};
    tl_tensor x = tl_input_f64(tape, tl_shape1(3), v), d, y = tl_dropout(x, 1);
    expect(y, tl_shape1(3), 0, 0, 0);
    cr_assert_eq(tl_grad(1, &y, NULL, 1, &x, &d), TL_OK);
    expect(d, tl_shape1(3), 0, 0, 0);
    expect(tl_dropout_mask(tape, TL_F64, tl_shape1(2), 1), tl_shape1(2), 0, 0);
}

Test(noise, bernoulli)
{
    static double m[MANY];
    cr_assert_eq(tl_read_f64(tl_bernoulli(tape, TL_F64, tl_shape1(MANY), 0.1), m, MANY), TL_OK);
    int ones = 0;
    for (int i = 0; i < MANY; i++) {
        cr_assert(m[i] == 0 || m[i] == 1);
        ones += m[i] == 1;
    }
    cr_assert(abs(ones - MANY / 10) < 210, "%d ones", ones);
    expect(tl_bernoulli(tape, TL_F64, tl_shape1(3), 0), tl_shape1(3), 0, 0, 0);
    expect(tl_bernoulli(tape, TL_F64, tl_shape1(3), 1), tl_shape1(3), 1, 1, 1);
}

Test(noise, categorical_draws_with_the_probabilities_of_softmax)
{
    const double p[4] = {0.5, 0.2, 0.3, 0};
    double z[4];
    static int32_t drawn[MANY];
    for (int k = 0; k < 4; k++)
        z[k] = log(p[k]) + 5;
    tl_tensor row = tl_input_f64(tape, tl_shape1(4), z);
    tl_tensor c = tl_categorical(tl_broadcast_to(row, tl_shape2(MANY, 4)));
    cr_assert(tl_shape_equal(tl_shape_of(c), tl_shape1(MANY)));
    cr_assert_eq(tl_read_i32(c, drawn, MANY), TL_OK);
    int count[4] = {0};
    for (int i = 0; i < MANY; i++) {
        cr_assert(drawn[i] >= 0 && drawn[i] < 4);
        count[drawn[i]]++;
    }
    for (int k = 0; k < 4; k++)
        cr_assert(fabs(count[k] - MANY * p[k]) <= 5 * sqrt(MANY * p[k] * (1 - p[k])),
                  "class %d: %d", k, count[k]);
    cr_assert_eq(tl_draws(tape), 1u);
}

Test(noise, messages)
{
    tl_dropout(tl_ones(tape, TL_F32, tl_shape1(2)), 1.5);
    expect_error(tape, TL_ERANGE, "dropout: got probability 1.5, want one in [0,1]");
    tl_bernoulli(tape, TL_F32, tl_shape1(2), (double)NAN);
    expect_error(tape, TL_ERANGE, "bernoulli: got probability");
    tl_rand(tape, TL_I32, tl_shape1(2));
    expect_error(tape, TL_EDTYPE, "uniform: got i32, want f32 or f64");
    tl_categorical(tl_scalar(tape, TL_F32, 0));
    expect_error(tape, TL_ESHAPE, "categorical: got logits [], want [...,K]");
    cr_assert_not(tl_rand(NULL, TL_F32, tl_shape1(2)).tape);
    cr_assert_not(tl_dropout((tl_tensor){0}, 0.5).tape);
}
