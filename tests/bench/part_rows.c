/* part_rows.c -- reductions and the chains around them: softmax, layer norm with its gradients,
 * sums of squares; in bands of rows, and one instruction after another. */
#include "core/run.h"
#include "tests/bench/part.h"
#include "tests/bench/rnn_data.h"

#include <stdio.h>
#include <stdlib.h>

/* rows -- [N,K] logits and a gradient, K weights. */
typedef struct rows {
    tl_tape *tape;
    int64_t N, K;
    float *z, *g, *w;
    int (*run)(struct rows *k);
} rows;

static tl_tensor input(rows *k, const float *data)
{
    return tl_input_borrow(k->tape, TL_F32, tl_shape2(k->N, k->K), data);
}

static int softmax(rows *k)
{
    tl_no_grad_open(k->tape);
    tl_tensor y = tl_softmax(input(k, k->z), -1);
    tl_no_grad_close(k->tape);
    tl_eval(1, &y);
    return part_finish(k->tape, "softmax");
}

static int layer_norm(rows *k)
{
    tl_tensor w = tl_input_borrow(k->tape, TL_F32, tl_shape1(k->K), k->w);
    tl_tensor in[] = {input(k, k->z), w, tl_mul(w, w)}, g = input(k, k->g), out[4];
    out[3] = tl_layer_norm(in[0], in[1], in[2], 1e-5);
    tl_no_grad_open(k->tape);
    tl_grad(1, &out[3], &g, 3, in, out);
    tl_no_grad_close(k->tape);
    tl_eval(4, out);
    return part_finish(k->tape, "layer norm");
}

static int squares(rows *k)
{
    tl_no_grad_open(k->tape);
    tl_tensor z = input(k, k->z), y = tl_sum_all(tl_mul(z, z));
    tl_no_grad_close(k->tape);
    tl_eval(1, &y);
    return part_finish(k->tape, "sum of squares");
}

static int call(void *arg)
{
    rows *k = arg;
    return k->run(k);
}

static double in_bands(void *arg)
{
    return part_timed(call, arg);
}

static double apart(void *arg)
{
    const unsigned all = tl__passes();
    tl__set_passes(all & ~(unsigned)TL_PASS_REDUCE);
    const double ms = part_timed(call, arg);
    tl__set_passes(all);
    return ms;
}

/* arrays -- how many of [N,K] are read and written at the least. */
static const struct rows_case {
    const char *name, *pass;
    int64_t N, K;
    int arrays;
    int (*run)(rows *k);
} cases[] = {
    {"softmax 640 x 10000", "infer", 640, 10000, 2, softmax},
    {"softmax 3200 x 100", "infer", 3200, 100, 2, softmax},
    {"layer norm 3200 x 128", "train", 3200, 128, 4, layer_norm},
    {"layer norm 4096 x 512", "train", 4096, 512, 4, layer_norm},
    {"sum of squares 5e6", "infer", 1, 5000000, 1, squares},
};

static int run(const part_options *o)
{
    int bad = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases && !bad; i++) {
        const size_t n = (size_t)(cases[i].N * cases[i].K);
        rows k = {tl_tape_new(NULL), cases[i].N,    cases[i].K,  floats_new(n),
                  floats_new(n),     floats_new(n), cases[i].run};
        bad = !k.tape || !k.z || !k.g || !k.w;
        for (size_t j = 0; !bad && j < n; j++)
            k.z[j] = k.g[j] = k.w[j] = 1e-3f * (float)((j * 7919) % 2003) - 1;
        if (bad)
            fprintf(stderr, "rows: no memory\n");
        contender c[] = {{.impl = "in bands", .step = in_bands, .arg = &k},
                         {.impl = "one after another", .step = apart, .arg = &k}};
        race r = {
            cases[i].name, cases[i].pass, 2, c, 4e-6 * (double)n * cases[i].arrays, "GB/s", 0};
        bad = bad || race_run(o, &r);
        free(k.z);
        free(k.g);
        free(k.w);
        tl_tape_free(k.tape);
    }
    return bad;
}

const part part_rows = {"rows", "softmax, layer norm, sums: in bands of rows or not", run};
