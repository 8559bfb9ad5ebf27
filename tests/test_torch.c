/* test_torch.c -- cells, optimizers and functions against PyTorch's numbers
 * (fixtures/make_torch_cells.py made them): outputs, final states and every gradient; two layers,
 * both directions, with and without lengths, f32 and f64. */
#include "tapeloop.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { T = 6, B = 3, I = 4, H = 5, L = 2, D = 2, MOST = 4096 };

#ifndef FIXTURES
#define FIXTURES "tests/fixtures"
#endif

/* file_path -- a fixture's path; TL_SOURCE_ROOT is set by the build's test environment. */
static const char *file_path(const char *name)
{
    static char path[600];
    const char *root = getenv("TL_SOURCE_ROOT");
    snprintf(path, sizeof path, "%s/%s/%s", root ? root : ".", FIXTURES, name);
    return path;
}

/* load -- all parameters of set from the fixture, under prefix. */
static void load(tl_params *set, const char *file, const char *prefix)
{
    const tl_weights_part part = {prefix, set, NULL};
    tl_weights_opts opts = tl_weights_defaults();
    opts.strict = 0;
    tl_weights_report report;
    tl_err err = {0};
    cr_assert_eq(tl_weights_load(file_path(file), 1, &part, &opts, NULL, &report, &err), TL_OK,
                 "%s", err.message);
    cr_assert_eq(report.missing, 0, "%s", report.text);
}

static double worst(const double *a, const double *b, int64_t n)
{
    double miss = 0, size = 1;
    for (int64_t i = 0; i < n; i++) {
        double d = fabs(a[i] - b[i]);
        if (!(d <= miss))
            miss = d;
        size = fmax(size, fabs(b[i]));
    }
    return miss / size;
}

/* read_any -- a tensor's elements as double. */
static int64_t read_any(tl_tensor t, double *out)
{
    static float single[MOST];
    int64_t n = tl_shape_count(tl_shape_of(t));
    cr_assert_leq(n, MOST);
    if (tl_dtype_of(t) == TL_F64) {
        cr_assert_eq(tl_read_f64(t, out, n), TL_OK, "%s", tl_tape_error(t.tape));
        return n;
    }
    cr_assert_eq(tl_read_f32(t, single, n), TL_OK, "%s", tl_tape_error(t.tape));
    for (int64_t i = 0; i < n; i++)
        out[i] = (double)single[i];
    return n;
}

static void expect(const char *what, tl_tensor got, const tl_param *want, double tolerance)
{
    static double a[MOST], b[MOST];
    cr_assert_not_null(want, "%s", what);
    cr_assert_not_null(got.tape, "%s", what);
    int64_t n = read_any(got, a);
    cr_assert_eq(tl_param_get_f64(want, b, n), TL_OK, "%s", what);
    double d = worst(a, b, n);
    cr_assert(d <= tolerance, "%s %s: relative difference %.3g to PyTorch", what,
              tl_param_name(want), d);
}

static void add(tl_params *set, const char *name, tl_shape shape)
{
    cr_assert_not_null(tl_param_new(set, name, shape, NULL));
}

static void recurrent(const char *name, tl_cell cell, tl_dtype dtype, int lengths)
{
    const char *file =
        dtype == TL_F64 ? "torch_cells_f64.safetensors" : "torch_cells_f32.safetensors";
    double tolerance = dtype == TL_F64 ? 1e-12 : 3e-6;
    char prefix[64], text[96];
    snprintf(prefix, sizeof prefix, "%s.%s.", name, lengths ? "lengths" : "full");
    tl_params *model = tl_params_new(dtype), *data = tl_params_new(dtype);
    tl_sequence_opts opts = tl_sequence_defaults();
    opts.layers = L;
    opts.bidirectional = 1;
    tl_err err = {0};
    tl_sequence *seq = tl_sequence_new(model, NULL, &cell, I, H, &opts, &err);
    cr_assert_not_null(seq, "%s", err.message);
    load(model, file, prefix);

    const tl_shape x = tl_shape3(T, B, I), y = tl_shape3(T, B, D * H),
                   state = tl_shape3(L * D, B, H);
    add(data, "x", x);
    add(data, "grad.x", x);
    add(data, "y", y);
    add(data, "cy", y);
    for (int k = 0; k < cell.nstates; k++)
        for (int i = 0; i < 4; i++) {
            static const char *const form[4] = {"%s0", "grad.%s0", "%sn", "c%sn"};
            snprintf(text, sizeof text, form[i], cell.state[k].name);
            add(data, text, state);
        }
    for (int i = 0; i < tl_params_count(model); i++) {
        snprintf(text, sizeof text, "grad.%s", tl_param_name(tl_params_at(model, i)));
        add(data, text, tl_param_shape(tl_params_at(model, i)));
    }
    load(data, file, prefix);

    tl_tape *tape = tl_tape_new(NULL);
    tl_sequence_args args = tl_sequence_args_defaults();
    const int32_t length[B] = {6, 3, 1};
    if (lengths)
        args.lengths = tl_input_i32(tape, tl_shape1(B), length);
    tl_tensor in[64], grad[64];
    int n = 0;
    in[n++] = tl_use(tape, tl_params_find(data, "x"));
    for (int k = 0; k < cell.nstates; k++) {
        snprintf(text, sizeof text, "%s0", cell.state[k].name);
        in[n++] = args.initial[k] = tl_use(tape, tl_params_find(data, text));
    }
    for (int i = 0; i < tl_params_count(model); i++)
        in[n++] = tl_use(tape, tl_params_at(model, i));
    tl_sequence_out out = tl_sequence_apply(seq, in[0], &args);
    tl_tensor loss = tl_sum_all(tl_mul(out.y, tl_use(tape, tl_params_find(data, "cy"))));
    for (int k = 0; k < cell.nstates; k++) {
        snprintf(text, sizeof text, "c%sn", cell.state[k].name);
        loss = tl_add(loss,
                      tl_sum_all(tl_mul(out.state[k], tl_use(tape, tl_params_find(data, text)))));
    }
    cr_assert_eq(tl_grad(1, &loss, NULL, n, in, grad), TL_OK, "%s", tl_tape_error(tape));
    expect(prefix, out.y, tl_params_find(data, "y"), tolerance);
    expect(prefix, grad[0], tl_params_find(data, "grad.x"), tolerance);
    for (int k = 0; k < cell.nstates; k++) {
        snprintf(text, sizeof text, "%sn", cell.state[k].name);
        expect(prefix, out.state[k], tl_params_find(data, text), tolerance);
        snprintf(text, sizeof text, "grad.%s0", cell.state[k].name);
        expect(prefix, grad[1 + k], tl_params_find(data, text), tolerance);
    }
    for (int i = 0; i < tl_params_count(model); i++) {
        snprintf(text, sizeof text, "grad.%s", tl_param_name(tl_params_at(model, i)));
        expect(prefix, grad[1 + cell.nstates + i], tl_params_find(data, text), tolerance);
    }
    tl_tape_free(tape);
    tl_sequence_free(seq);
    tl_params_free(model);
    tl_params_free(data);
}

static void recurrent_all(const char *name, tl_cell cell)
{
    for (int lengths = 0; lengths < 2; lengths++) {
        recurrent(name, cell, TL_F64, lengths);
        recurrent(name, cell, TL_F32, lengths);
    }
}

Test(torch, rnn_tanh)
{
    recurrent_all("rnn_tanh", tl_rnn_cell(NULL));
}

Test(torch, rnn_relu)
{
    tl_rnn_opts o = tl_rnn_defaults();
    o.relu = 1;
    recurrent_all("rnn_relu", tl_rnn_cell(&o));
}

Test(torch, lstm)
{
    recurrent_all("lstm", tl_lstm_cell(NULL));
}

Test(torch, gru)
{
    recurrent_all("gru", tl_gru_cell(NULL));
}

/* ---- optimizers ------------------------------------------------------------------------------ */

enum { N = 7, STEPS = 5 };

static void optimizer(const char *name, tl_optim *(*make)(tl_params *set))
{
    char prefix[64];
    snprintf(prefix, sizeof prefix, "%s.", name);
    tl_params *set = tl_params_new(TL_F64), *data = tl_params_new(TL_F64);
    add(set, "p", tl_shape1(N));
    add(data, "g", tl_shape2(STEPS, N));
    add(data, "after", tl_shape2(STEPS, N));
    load(set, "torch_functions_f64.safetensors", prefix);
    load(data, "torch_functions_f64.safetensors", prefix);
    tl_optim *optim = make(set);
    cr_assert_not_null(optim);
    tl_tape *tape = tl_tape_new(NULL);
    tl_param *p = tl_params_at(set, 0);
    double want[STEPS * N], got[N];
    tl_param_get_f64(tl_params_find(data, "after"), want, STEPS * N);
    for (int step = 0; step < STEPS; step++) {
        tl_tensor g = tl_slice(tl_use(tape, tl_params_find(data, "g")), 0, step, 1);
        tl_set_param_grad(tape, p, tl_reshape(g, tl_shape1(N)));
        cr_assert_eq(tl_optim_step(optim, tape), TL_OK, "%s", tl_tape_error(tape));
        tl_tape_reset(tape);
        tl_param_get_f64(p, got, N);
        cr_assert(worst(got, want + step * N, N) < 1e-13, "%s, step %d: relative difference %.3g",
                  name, step, worst(got, want + step * N, N));
    }
    tl_optim_free(optim);
    tl_tape_free(tape);
    tl_params_free(set);
    tl_params_free(data);
}

static tl_optim *sgd(tl_params *set)
{
    tl_sgd_opts o = tl_sgd_defaults();
    o.lr = 0.1;
    return tl_sgd_new(set, &o, NULL);
}

static tl_optim *momentum(tl_params *set)
{
    tl_sgd_opts o = tl_sgd_defaults();
    o.lr = 0.1;
    o.momentum = 0.9;
    o.weight_decay = 0.01;
    return tl_sgd_new(set, &o, NULL);
}

static tl_optim *nesterov(tl_params *set)
{
    tl_sgd_opts o = tl_sgd_defaults();
    o.lr = 0.1;
    o.momentum = 0.9;
    o.nesterov = 1;
    return tl_sgd_new(set, &o, NULL);
}

static tl_optim *dampening(tl_params *set)
{
    tl_sgd_opts o = tl_sgd_defaults();
    o.lr = 0.1;
    o.momentum = 0.9;
    o.dampening = 0.3;
    return tl_sgd_new(set, &o, NULL);
}

static tl_optim *adam(tl_params *set)
{
    tl_adam_opts o = tl_adam_defaults();
    o.lr = 0.05;
    o.beta1 = 0.8;
    o.beta2 = 0.95;
    o.eps = 1e-6;
    o.weight_decay = 0.1;
    return tl_adam_new(set, &o, NULL);
}

static tl_optim *adamw(tl_params *set)
{
    tl_adam_opts o = tl_adamw_defaults();
    o.lr = 0.05;
    o.weight_decay = 0.1;
    return tl_adamw_new(set, &o, NULL);
}

Test(torch, optimizers)
{
    optimizer("sgd", sgd);
    optimizer("momentum", momentum);
    optimizer("nesterov", nesterov);
    optimizer("dampening", dampening);
    optimizer("adam", adam);
    optimizer("adamw", adamw);
}

/* ---- functions ------------------------------------------------------------------------------- */

typedef tl_tensor (*function)(const tl_tensor *in);

/* check -- f at the fixture's inputs, and its gradients for the cotangent c. shape[k] belongs to
 * name[k]. */
static void check(const char *label, function f, int n, const char *const *name,
                  const tl_shape *shape, tl_shape out)
{
    char prefix[64], text[32];
    snprintf(prefix, sizeof prefix, "%s.", label);
    tl_params *data = tl_params_new(TL_F64);
    for (int k = 0; k < n; k++) {
        add(data, name[k], shape[k]);
        snprintf(text, sizeof text, "grad.%s", name[k]);
        add(data, text, shape[k]);
    }
    add(data, "y", out);
    add(data, "c", out);
    load(data, "torch_functions_f64.safetensors", prefix);
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor in[4], grad[4];
    for (int k = 0; k < n; k++)
        in[k] = tl_use(tape, tl_params_find(data, name[k]));
    tl_tensor y = f(in), c = tl_use(tape, tl_params_find(data, "c"));
    cr_assert_eq(tl_grad(1, &y, &c, n, in, grad), TL_OK, "%s: %s", label, tl_tape_error(tape));
    expect(label, y, tl_params_find(data, "y"), 1e-13);
    for (int k = 0; k < n; k++) {
        snprintf(text, sizeof text, "grad.%s", name[k]);
        expect(label, grad[k], tl_params_find(data, text), 1e-12);
    }
    tl_tape_free(tape);
    tl_params_free(data);
}

static tl_tensor cross_entropy(const tl_tensor *in)
{
    const int32_t classes[6] = {1, 4, -100, 0, 2, -100};
    return tl_cross_entropy(in[0], tl_input_i32(in[0].tape, tl_shape1(6), classes), -100);
}

static tl_tensor cross_entropy_soft(const tl_tensor *in)
{
    return tl_cross_entropy_soft(in[0], in[1]);
}

static tl_tensor bce_with_logits(const tl_tensor *in)
{
    return tl_bce_with_logits(in[0], in[1]);
}

static tl_tensor huber(const tl_tensor *in)
{
    return tl_huber(in[0], in[1], 0.7);
}

static tl_tensor gelu(const tl_tensor *in)
{
    return tl_gelu(in[0]);
}

static tl_tensor softplus(const tl_tensor *in)
{
    return tl_softplus(in[0]);
}

static tl_tensor silu(const tl_tensor *in)
{
    return tl_silu(in[0]);
}

static tl_tensor log_softmax(const tl_tensor *in)
{
    return tl_log_softmax(in[0], 1);
}

static tl_tensor layer_norm(const tl_tensor *in)
{
    return tl_layer_norm(in[0], in[1], in[2], 1e-5);
}

Test(torch, functions)
{
    const char *const z[] = {"z", "p"}, *const a[] = {"a", "b"}, *const norm[] = {"a", "w", "b"};
    const tl_shape two[] = {tl_shape2(6, 5), tl_shape2(6, 5)},
                   nine[] = {tl_shape1(9), tl_shape1(9)}, twenty[] = {tl_shape1(20), tl_shape1(20)},
                   cube[] = {tl_shape3(3, 4, 2)},
                   row[] = {tl_shape2(4, 5), tl_shape1(5), tl_shape1(5)};
    check("cross_entropy", cross_entropy, 1, z, two, tl_shape0());
    check("cross_entropy_soft", cross_entropy_soft, 2, z, two, tl_shape0());
    check("bce_with_logits", bce_with_logits, 2, z, nine, tl_shape0());
    check("huber", huber, 2, a, twenty, tl_shape0());
    check("gelu", gelu, 1, a, twenty, twenty[0]);
    check("softplus", softplus, 1, a, twenty, twenty[0]);
    check("silu", silu, 1, a, twenty, twenty[0]);
    check("log_softmax", log_softmax, 1, a, cube, cube[0]);
    check("layer_norm", layer_norm, 3, norm, row, row[0]);
}
