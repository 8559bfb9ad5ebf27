/* part_softmax.c -- the output layer of a word model: 640 rows of 256 to 10,000 classes, softmax,
 * cross-entropy, gradients of all three operands. */
#include "core/gemm.h"
#include "tests/bench/hand_loops.h"
#include "tests/bench/part.h"
#include "tests/bench/rnn_data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 640, H = 256, V = 10000 };

typedef struct output {
    tl_tape *tape;
    tl_params *set;
    tl_param *w, *b;    /* [V,H], [V] */
    float *result;      /* where the next gradient of the first operand goes, or NULL */
    float *h, *z, *dz;  /* [N,H], [N,V] twice */
    float *W, *dW, *dh; /* of the bare products */
    int32_t *c;         /* [N] classes */
} output;

/* train -- the loss and its gradients for in[n]: the first is wanted, the others are parameters'.
 */
static void train(output *k, tl_tensor loss, int n, const tl_tensor *in)
{
    tl_param *const to[] = {NULL, k->w, k->b};
    tl_tensor grad[3];
    tl_want(loss);
    tl_no_grad_open(k->tape);
    tl_grad(1, &loss, NULL, n, in, grad);
    tl_no_grad_close(k->tape);
    tl_want(grad[0]);
    for (int i = 1; i < n; i++)
        tl_set_param_grad(k->tape, to[i], grad[i]);
    tl_commit(k->tape);
    if (k->result)
        tl_read_f32(grad[0], k->result, tl_shape_count(tl_shape_of(grad[0])));
}

static tl_tensor input(output *k, int64_t cols, const float *data)
{
    return tl_input_borrow(k->tape, TL_F32, tl_shape2(N, cols), data);
}

static tl_tensor classes(output *k)
{
    return tl_input_borrow(k->tape, TL_I32, tl_shape1(N), k->c);
}

static int full(void *arg)
{
    output *k = arg;
    const tl_tensor in[] = {input(k, H, k->h), tl_use(k->tape, k->w), tl_use(k->tape, k->b)};
    tl_tensor z = tl_linear(in[0], in[1], in[2]);
    train(k, tl_cross_entropy(z, classes(k), -1), 3, in);
    return part_finish(k->tape, "softmax");
}

/* Blocks of classes, never a row of all logits; one product of four more. */
static int chunked(void *arg)
{
    output *k = arg;
    const tl_tensor in[] = {input(k, H, k->h), tl_use(k->tape, k->w), tl_use(k->tape, k->b)};
    train(k, tl_linear_cross_entropy(in[0], in[1], in[2], classes(k), -1, 0), 3, in);
    return part_finish(k->tape, "softmax in chunks");
}

static int logits(void *arg)
{
    output *k = arg;
    tl_tensor z = input(k, V, k->z);
    train(k, tl_cross_entropy(z, classes(k), -1), 1, &z);
    return part_finish(k->tape, "cross-entropy");
}

static int products(void *arg)
{
    output *k = arg;
    tl_matrix h = {k->h, H, 1}, wt = {k->W, 1, H}, z = {k->z, V, 1}, dz = {k->dz, V, 1},
              w = {k->W, H, 1}, dh = {k->dh, H, 1}, dzt = {k->dz, 1, V}, dw = {k->dW, H, 1};
    return tl__gemm(TL_F32, N, V, H, h, wt, 0, z) || tl__gemm(TL_F32, N, H, V, dz, w, 0, dh) ||
           tl__gemm(TL_F32, V, H, N, dzt, h, 0, dw);
}

static int traffic(void *arg)
{
    output *k = arg;
    hand_map((size_t)N * V, k->z, k->dz);
    return 0;
}

/* is_same -- dL/dz of the first rows by its formula, (softmax(z) - [class]) / N; then dL/dh with
 * all logits and in chunks. */
static int is_same(output *k)
{
    enum { ROWS = 8 }; /* no more numbers than N H */
    float *want = floats_new(N * H);
    k->result = floats_new((size_t)N * V);
    int ok = want && k->result && !logits(k);
    for (size_t n = 0; ok && n < ROWS; n++) {
        const float *z = k->z + n * V;
        double sum = 0;
        for (int j = 0; j < V; j++)
            sum += exp((double)z[j]);
        for (int j = 0; j < V; j++)
            want[n * V + (size_t)j] = (float)((exp((double)z[j]) / sum - (j == k->c[n])) / N);
    }
    ok = ok && part_same("cross-entropy", ROWS * V, k->result, want) && !full(k);
    if (ok)
        memcpy(want, k->result, N * H * sizeof *want);
    ok = ok && !chunked(k) && part_same("cross-entropy in chunks", N * H, k->result, want);
    free(want);
    free(k->result);
    k->result = NULL;
    return ok;
}

static double prepared(output *k, int (*f)(void *))
{
    tl_param_clear_grad(k->w);
    tl_param_clear_grad(k->b);
    return part_timed(f, k);
}

static double full_step(void *arg)
{
    return prepared(arg, full);
}

static double chunked_step(void *arg)
{
    return prepared(arg, chunked);
}

static double logits_step(void *arg)
{
    return prepared(arg, logits);
}

static double products_step(void *arg)
{
    return part_timed(products, arg);
}

static double traffic_step(void *arg)
{
    return part_timed(traffic, arg);
}

static int run(const part_options *o)
{
    tl_err err = {0};
    output k = {.tape = tl_tape_new(NULL), .set = tl_params_new(TL_F32)};
    k.w = tl_param_new(k.set, "w", tl_shape2(V, H), &err);
    k.b = tl_param_new(k.set, "b", tl_shape1(V), &err);
    float **const all[] = {&k.h, &k.z, &k.dz, &k.W, &k.dW, &k.dh};
    const size_t size[] = {N * H, N * V, N * V, V * H, V * H, N * H};
    k.c = calloc(N + 16, sizeof *k.c);
    int bad = !k.tape || !k.w || !k.b || !k.c;
    for (size_t i = 0; i < 6; i++) {
        *all[i] = floats_new(size[i]);
        bad = bad || !*all[i];
        for (size_t j = 0; !bad && j < size[i]; j++)
            (*all[i])[j] = 1e-3f * (float)((j * 7919) % 2003) - 1;
    }
    for (int i = 0; i < N && !bad; i++)
        k.c[i] = (int32_t)((unsigned)i * 2654435761u % V);
    bad = bad || tl_param_set_f32(k.w, k.W, V * H);
    if (bad)
        fprintf(stderr, "softmax: no memory%s\n", err.message);
    static contender layer[] = {{.impl = "full logits", .step = full_step},
                                {.impl = "chunks of classes", .step = chunked_step},
                                {.impl = "products, our gemm", .step = products_step}};
    static contender loss[] = {{.impl = "tapeloop", .step = logits_step},
                               {.impl = "read once, write once", .step = traffic_step}};
    for (int i = 0; i < 3; i++)
        layer[i].arg = loss[i % 2].arg = &k;
    race a = {"softmax V 10000", "train", 3, layer, 6e-6 * N * V * H, "GF/s", 0};
    race b = {"cross-entropy from logits", "train", 2, loss, 8e-6 * N * V, "GB/s", 0};
    bad = bad || !is_same(&k) || race_run(o, &a) || race_run(o, &b);
    for (size_t i = 0; i < 6; i++)
        free(*all[i]);
    free(k.c);
    tl_params_free(k.set);
    tl_tape_free(k.tape);
    return bad;
}

const part part_softmax = {"softmax", "output layer of 10,000 classes with cross-entropy", run};
