/* test_layers.c -- linear and embedding layers, layer norm, locked dropout. */
#include "core/grad.h"
#include "nn/nn.h"
#include "ops/ops.h"
#include "tests/optest.h"

static tl_tape *tape;
static tl_params *set;

static void open(void)
{
    tape = tl_tape_new(NULL);
    set = tl_params_new(TL_F64);
}

static void done(void)
{
    tl_params_free(set);
    tl_tape_free(tape);
}

TestSuite(layers, .init = open, .fini = done);

enum { N = 4, IN = 3, OUT = 2, V = 5, E = 3 };

Test(layers, linear)
{
    tl_err err = {0};
    tl_linear_layer *l = tl_linear_layer_new(set, "head", IN, OUT, NULL, &err);
    cr_assert_not_null(l, "%s", err.message);
    cr_assert_eq(l->weight, tl_params_find(set, "head.weight"));
    cr_assert_eq(l->bias, tl_params_find(set, "head.bias"));
    double x[N * IN], w[OUT * IN], b[OUT], y[N * OUT];
    numbers(N * IN, x);
    tl_param_get_f64(l->weight, w, OUT * IN);
    tl_param_get_f64(l->bias, b, OUT);
    for (int i = 0; i < OUT * IN; i++)
        cr_assert(w[i] != 0 && fabs(w[i]) <= 1 / sqrt(IN));
    cr_assert(b[0] != 0 && fabs(b[0]) <= 1 / sqrt(IN));
    for (int n = 0; n < N * OUT; n++) {
        y[n] = b[n % OUT];
        for (int i = 0; i < IN; i++)
            y[n] += x[n / OUT * IN + i] * w[n % OUT * IN + i];
    }
    expect_array(tl_linear_layer_apply(l, tl_input_f64(tape, tl_shape2(N, IN), x)),
                 tl_shape2(N, OUT), y);
    expect_array(tl_linear_layer_apply(l, tl_input_f64(tape, tl_shape3(2, N / 2, IN), x)),
                 tl_shape3(2, N / 2, OUT), y);
    tl_linear_layer_apply(l, tl_zeros(tape, TL_F64, tl_shape2(N, IN + 1)));
    expect_error(tape, TL_ESHAPE, "linear");
    tl_linear_layer_free(l);
}

Test(layers, linear_without_bias)
{
    tl_linear_opts o = tl_linear_defaults();
    o.bias = 0;
    o.weight_init = tl_init_constant(2);
    tl_linear_layer *l = tl_linear_layer_new(set, "head", 1, 2, &o, NULL);
    cr_assert_null(l->bias);
    cr_assert_eq(tl_params_count(set), 1);
    const double x[2] = {1, -3};
    expect(tl_linear_layer_apply(l, tl_input_f64(tape, tl_shape2(2, 1), x)), tl_shape2(2, 2), 2, 2,
           -6, -6);
    tl_linear_layer_free(l);
}

Test(layers, embedding_with_padding)
{
    tl_err err = {0};
    tl_embedding_opts o = tl_embedding_defaults();
    o.padding = 2;
    tl_embedding_layer *l = tl_embedding_layer_new(set, "embed", V, E, &o, &err);
    cr_assert_not_null(l, "%s", err.message);
    double w[V * E], y[4 * E], g[V * E];
    tl_param_get_f64(l->weight, w, V * E);
    for (int i = 0; i < V * E; i++)
        cr_assert((w[i] == 0) == (i / E == 2));
    const int32_t index[4] = {4, 2, 0, 4};
    for (int i = 0; i < 4; i++)
        memcpy(y + i * E, w + index[i] * E, E * sizeof *y);
    tl_tensor found = tl_embedding_layer_apply(l, tl_input_i32(tape, tl_shape2(2, 2), index));
    expect_array(found, tl_shape3(2, 2, E), y);

    tl_tensor loss = tl_sum_all(found), weight = tl_use(tape, l->weight), d;
    cr_assert_eq(tl_grad(1, &loss, NULL, 1, &weight, &d), TL_OK);
    const double times[V] = {1, 0, 0, 0, 2};
    for (int i = 0; i < V * E; i++)
        g[i] = times[i / E];
    expect_array(d, tl_shape2(V, E), g);

    const int32_t outside[1] = {V};
    found = tl_embedding_layer_apply(l, tl_input_i32(tape, tl_shape1(1), outside));
    cr_assert_eq(tl_eval(1, &found), TL_ERANGE);
    expect_error(tape, TL_ERANGE, "5");
    tl_embedding_layer_free(l);
}

Test(layers, the_output_layer_can_be_tied_to_the_embedding)
{
    tl_err err = {0};
    tl_embedding_layer *e = tl_embedding_layer_new(set, "embed", V, E, NULL, &err);
    tl_linear_opts o = tl_linear_defaults();
    o.tied = e->weight;
    tl_linear_layer *l = tl_linear_layer_new(set, "head", E, V, &o, &err);
    cr_assert_not_null(l, "%s", err.message);
    cr_assert_eq(l->weight, e->weight);
    cr_assert_eq(tl_params_count(set), 2);
    cr_assert_null(tl_params_find(set, "head.weight"));

    /* the gradient is the sum of both uses */
    const int32_t index[1] = {1};
    double w[V * E], g[V * E];
    tl_param_get_f64(e->weight, w, V * E);
    tl_tensor h = tl_embedding_layer_apply(e, tl_input_i32(tape, tl_shape1(1), index));
    tl_tensor loss = tl_sum_all(tl_linear_layer_apply(l, h)), weight = tl_use(tape, e->weight), d;
    cr_assert_eq(tl_grad(1, &loss, NULL, 1, &weight, &d), TL_OK);
    for (int i = 0; i < V * E; i++) {
        g[i] = w[1 * E + i % E];
        for (int v = 0; v < V && i / E == 1; v++)
            g[i] += w[v * E + i % E];
    }
    expect_array(d, tl_shape2(V, E), g);

    cr_assert_null(tl_linear_layer_new(set, "other", V, E, &o, &err));
    cr_assert_eq(err.code, TL_ESHAPE);
    cr_assert(strstr(err.message, "[5,3]") && strstr(err.message, "[3,5]"), "%s", err.message);
    tl_linear_layer_free(l);
    tl_embedding_layer_free(e);
}

Test(layers, norm)
{
    tl_err err = {0};
    tl_norm_layer *l = tl_norm_layer_new(set, "norm", 4, NULL, &err);
    cr_assert_not_null(l, "%s", err.message);
    const double scale[4] = {1, 2, 3, 4}, shift[4] = {0.5, 0, 0, -1};
    double x[12], y[12], plain[12];
    numbers(12, x);
    for (int r = 0; r < 3; r++) {
        double mean = 0, variance = 0;
        for (int i = 0; i < 4; i++)
            mean += x[r * 4 + i] / 4;
        for (int i = 0; i < 4; i++)
            variance += (x[r * 4 + i] - mean) * (x[r * 4 + i] - mean) / 4;
        for (int i = 0; i < 4; i++) {
            plain[r * 4 + i] = (x[r * 4 + i] - mean) / sqrt(variance + 1e-5);
            y[r * 4 + i] = plain[r * 4 + i] * scale[i] + shift[i];
        }
    }
    tl_tensor none = {0}, in = tl_input_f64(tape, tl_shape2(3, 4), x);
    expect_array(tl_norm_layer_apply(l, in), tl_shape2(3, 4), plain);
    expect_array(tl_layer_norm(in, none, none, 1e-5), tl_shape2(3, 4), plain);
    tl_param_set_f64(l->weight, scale, 4);
    tl_param_set_f64(l->bias, shift, 4);
    expect_array(tl_norm_layer_apply(l, in), tl_shape2(3, 4), y);
    tl_norm_layer_free(l);
}

Test(layers, locked_dropout_shares_its_mask_over_time)
{
    enum { T = 3, B = 50 };
    double y[T * B];
    tl_tensor x = tl_ones(tape, TL_F64, tl_shape2(T, B));
    cr_assert_eq(tl_read_f64(tl_locked_dropout(x, 0.5), y, T * B), TL_OK);
    int zeros = 0;
    for (int i = 0; i < B; i++) {
        cr_assert(y[i] == 0 || y[i] == 2, "%g", y[i]);
        zeros += y[i] == 0;
        for (int t = 1; t < T; t++)
            cr_assert_eq(y[t * B + i], y[i]);
    }
    cr_assert(zeros > 10 && zeros < 40, "%d", zeros);
    tl_train(tape, 0);
    cr_assert_eq(tl_read_f64(tl_locked_dropout(x, 0.5), y, T * B), TL_OK);
    for (int i = 0; i < T * B; i++)
        cr_assert_eq(y[i], 1);
    tl_locked_dropout(tl_scalar(tape, TL_F64, 1), 0.5);
    expect_error(tape, TL_ESHAPE, "locked_dropout");
}

Test(layers, wrong_arguments_are_refused)
{
    tl_err err = {0};
    cr_assert_null(tl_linear_layer_new(NULL, "a", 1, 1, NULL, &err));
    cr_assert_eq(err.code, TL_EINVAL);
    cr_assert_null(tl_linear_layer_new(set, "", 1, 1, NULL, &err));
    cr_assert_null(tl_linear_layer_new(set, "a", 0, 1, NULL, NULL));
    tl_embedding_opts o = tl_embedding_defaults();
    o.padding = V;
    cr_assert_null(tl_embedding_layer_new(set, "e", V, E, &o, &err));
    cr_assert(strstr(err.message, "padding 5"), "%s", err.message);
    cr_assert_null(tl_norm_layer_new(set, NULL, 3, NULL, &err));
    cr_assert_eq(tl_params_count(set), 0);
    tl_linear_layer *l = tl_linear_layer_new(set, "a", 1, 1, NULL, &err);
    cr_assert_null(tl_linear_layer_new(set, "a", 1, 1, NULL, &err));
    cr_assert_eq(err.code, TL_ENAME);
    tl_tensor none = {0};
    cr_assert(!tl_linear_layer_apply(NULL, tl_zeros(tape, TL_F64, tl_shape2(1, 1))).tape);
    cr_assert(!tl_linear_layer_apply(l, none).tape);
    tl_linear_layer_free(l);
    tl_linear_layer_free(NULL);
    tl_embedding_layer_free(NULL);
    tl_norm_layer_free(NULL);
}
