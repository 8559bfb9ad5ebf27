/* test_torch_weights.c -- a state dict that PyTorch saved loads unchanged and gives PyTorch's
 * outputs (fixtures/make_torch_weights.py made both); what torch.save writes is refused. */
#include "tapeloop.h"
#include "tests/check.h"
#include "tests/scratch.h"

enum { T = 5, B = 3, I = 4, H = 3, V = 7, MOST = 400 };

TestSuite(torch_weights, .init = scratch_open, .fini = scratch_close);

static const char *fixture(const char *name)
{
    static char path[600];
    const char *root = getenv("TL_SOURCE_ROOT");
    snprintf(path, sizeof path, "%s/tests/fixtures/%s", root ? root : ".", name);
    return path;
}

/* net -- the modules of the fixture, under the names that PyTorch gives them. */
typedef struct net {
    tl_params *set;
    tl_embedding_layer *embedding;
    tl_sequence *seq[4]; /* lstm, gru, rnn, relu */
    tl_linear_layer *linear;
} net;

static const char *const names[4] = {"lstm", "gru", "rnn", "relu"};

static net net_new(tl_dtype dtype)
{
    tl_rnn_opts relu = tl_rnn_defaults();
    relu.relu = 1;
    const tl_cell cells[4] = {tl_lstm_cell(NULL), tl_gru_cell(NULL), tl_rnn_cell(NULL),
                              tl_rnn_cell(&relu)};
    tl_sequence_opts both = tl_sequence_defaults();
    both.layers = 2;
    both.bidirectional = 1;
    net n = {.set = tl_params_new(dtype)};
    tl_err err = {0};
    n.embedding = tl_embedding_layer_new(n.set, "embedding", V, I, NULL, &err);
    for (int k = 0; k < 4; k++)
        n.seq[k] = tl_sequence_new(n.set, names[k], &cells[k], I, H, k < 3 ? &both : NULL, &err);
    n.linear = tl_linear_layer_new(n.set, "linear", 2 * H, V, NULL, &err);
    cr_assert(n.embedding && n.seq[0] && n.seq[1] && n.seq[2] && n.seq[3] && n.linear, "%s",
              err.message);
    return n;
}

static void net_free(net n)
{
    tl_embedding_layer_free(n.embedding);
    tl_linear_layer_free(n.linear);
    for (int k = 0; k < 4; k++)
        tl_sequence_free(n.seq[k]);
    tl_params_free(n.set);
}

/* want -- PyTorch's outputs, as a set that has their names and shapes, and the indices they are
 * for. */
typedef struct want {
    tl_params *set;
    tl_state *index;
} want;

static want want_load(tl_dtype dtype, const char *file)
{
    want w = {tl_params_new(dtype), tl_state_new(TL_I32, tl_shape2(T, B))};
    tl_param_new(w.set, "embedding", tl_shape3(T, B, I), NULL);
    tl_param_new(w.set, "linear", tl_shape3(T, B, V), NULL);
    for (int k = 0; k < 4; k++) {
        const int D = k < 3 ? 2 : 1, L = k < 3 ? 2 : 1;
        tl_params_scope_open(w.set, names[k]);
        tl_param_new(w.set, "y", tl_shape3(T, B, D * H), NULL);
        tl_param_new(w.set, "h", tl_shape3(L * D, B, H), NULL);
        if (k == 0)
            tl_param_new(w.set, "c", tl_shape3(L * D, B, H), NULL);
        tl_params_scope_close(w.set);
    }
    const tl_weights_part parts[] = {{"", w.set, NULL}, {"index", NULL, w.index}};
    tl_err err = {0};
    cr_assert_eq(tl_weights_load(fixture(file), 2, parts, NULL, NULL, NULL, &err), TL_OK, "%s",
                 err.message);
    return w;
}

static void compare(tl_tensor got, const want *w, const char *name, double tolerance)
{
    double expected[MOST];
    const tl_param *p = tl_params_find(w->set, name);
    cr_assert_not_null(p, "%s", name);
    cr_assert(tl_shape_equal(tl_shape_of(got), tl_param_shape(p)), "%s: %s", name,
              tl_tape_error(got.tape));
    const int64_t n = tl_shape_count(tl_param_shape(p));
    cr_assert_leq(n, MOST);
    cr_assert_eq(tl_param_get_f64(p, expected, n), TL_OK);
    assert_tensor(got, n, expected, 0, tolerance);
}

static void run(tl_dtype dtype, const char *state, const char *output, double tolerance)
{
    net n = net_new(dtype);
    want w = want_load(dtype, output);
    const tl_weights_part part = {"", n.set, NULL};
    tl_weights_report report;
    tl_err err = {0};
    cr_assert_eq(tl_weights_load(fixture(state), 1, &part, NULL, NULL, &report, &err), TL_OK, "%s",
                 err.message);
    cr_assert_eq(report.loaded, tl_params_count(n.set));
    cr_assert_eq(report.outside, 0);

    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor x = tl_embedding_layer_apply(n.embedding, tl_state_use(tape, w.index));
    compare(x, &w, "embedding", 0);
    for (int k = 0; k < 4; k++) {
        char name[20];
        tl_sequence_out out = tl_sequence_apply(n.seq[k], x, NULL);
        sprintf(name, "%s.y", names[k]);
        compare(out.y, &w, name, tolerance);
        sprintf(name, "%s.h", names[k]);
        compare(out.state[0], &w, name, tolerance);
        if (k > 0)
            continue;
        compare(out.state[1], &w, "lstm.c", tolerance);
        compare(tl_linear_layer_apply(n.linear, out.y), &w, "linear", tolerance);
    }
    tl_tape_free(tape);
    tl_state_free(w.index);
    tl_params_free(w.set);
    net_free(n);
}

Test(torch_weights, f32)
{
    run(TL_F32, "torch_state_f32.safetensors", "torch_output_f32.safetensors", 1e-6);
}

Test(torch_weights, f64)
{
    run(TL_F64, "torch_state_f64.safetensors", "torch_output_f64.safetensors", 1e-14);
}

Test(torch_weights, f32_into_f64_and_back)
{
    run(TL_F64, "torch_state_f32.safetensors", "torch_output_f32.safetensors", 1e-6);
    run(TL_F32, "torch_state_f64.safetensors", "torch_output_f64.safetensors", 1e-6);
}

Test(torch_weights, bf16_is_f32_rounded_to_eight_bits)
{
    net half = net_new(TL_F32), full = net_new(TL_F32);
    const tl_weights_part parts[] = {{"", half.set, NULL}, {"", full.set, NULL}};
    tl_err err = {0};
    cr_assert_eq(tl_weights_load(fixture("torch_state_bf16.safetensors"), 1, &parts[0], NULL, NULL,
                                 NULL, &err),
                 TL_OK, "%s", err.message);
    cr_assert_eq(tl_weights_load(fixture("torch_state_f32.safetensors"), 1, &parts[1], NULL, NULL,
                                 NULL, &err),
                 TL_OK, "%s", err.message);
    for (int i = 0; i < tl_params_count(half.set); i++) {
        double h[MOST], f[MOST];
        const int64_t n = tl_shape_count(tl_param_shape(tl_params_at(half.set, i)));
        tl_param_get_f64(tl_params_at(half.set, i), h, n);
        tl_param_get_f64(tl_params_at(full.set, i), f, n);
        for (int64_t k = 0; k < n; k++)
            cr_assert(fabs(h[k] - f[k]) <= fabs(f[k]) * 0x1p-8);
    }
    net_free(half);
    net_free(full);
}

/* What we save has the names, types, shapes and bits that PyTorch saved. */
Test(torch_weights, saved_again_it_is_the_same_state_dict)
{
    net a = net_new(TL_F64), b = net_new(TL_F64);
    const tl_weights_part pa = {"", a.set, NULL}, pb = {"", b.set, NULL};
    const char *path = scratch_path("again.safetensors");
    tl_err err = {0};
    cr_assert_eq(
        tl_weights_load(fixture("torch_state_f64.safetensors"), 1, &pa, NULL, NULL, NULL, &err),
        TL_OK, "%s", err.message);
    cr_assert_eq(tl_weights_save(path, 1, &pa, NULL, &err), TL_OK, "%s", err.message);
    cr_assert_eq(tl_weights_load(path, 1, &pb, NULL, NULL, NULL, &err), TL_OK, "%s", err.message);
    for (int i = 0; i < tl_params_count(a.set); i++) {
        double x[MOST], y[MOST];
        const int64_t n = tl_shape_count(tl_param_shape(tl_params_at(a.set, i)));
        tl_param_get_f64(tl_params_at(a.set, i), x, n);
        tl_param_get_f64(tl_params_at(b.set, i), y, n);
        cr_assert_eq(memcmp(x, y, (size_t)n * sizeof *x), 0);
    }
    net_free(a);
    net_free(b);
}

Test(torch_weights, files_of_torch_save_are_refused_with_the_command)
{
    static const char *const files[] = {"torch_state.pt", "torch_state_old.pt"};
    tl_params *set = tl_params_new(TL_F32);
    const tl_weights_part part = {"", set, NULL};
    for (int i = 0; i < 2; i++) {
        tl_err err = {0};
        cr_assert_eq(tl_weights_load(fixture(files[i]), 1, &part, NULL, NULL, NULL, &err),
                     TL_EFORMAT);
        cr_assert_not_null(strstr(err.message, files[i]), "%s", err.message);
        cr_assert_not_null(strstr(err.message, "python3 -c \"import torch"), "%s", err.message);
    }
    tl_params_free(set);
}
