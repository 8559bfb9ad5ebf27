/* part_embedding.c -- look-up of 3,200 tokens in a table of 10,000 rows of 256, and its gradient.
 */
#include "tests/bench/hand_loops.h"
#include "tests/bench/part.h"
#include "tests/bench/rnn_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { V = 10000, E = 256, TOKENS = 3200 };

typedef struct lookup {
    tl_tape *tape;
    tl_params *set;
    tl_param *table;
    tl_optim *sgd;
    int32_t *idx;           /* [TOKENS] */
    float *dy, *y, *w, *dw; /* [TOKENS,E] twice, [V,E] twice */
} lookup;

/* record -- y, wanted, and the gradient of the table for a given dy, queued. */
static void record(lookup *k)
{
    tl_tensor idx = tl_input_borrow(k->tape, TL_I32, tl_shape1(TOKENS), k->idx);
    tl_tensor w = tl_use(k->tape, k->table), y = tl_want(tl_embedding(w, idx, -1)), dw;
    tl_no_grad_open(k->tape);
    tl_tensor dy = tl_input_borrow(k->tape, TL_F32, tl_shape2(TOKENS, E), k->dy);
    tl_grad(1, &y, &dy, 1, &w, &dw);
    tl_no_grad_close(k->tape);
    tl_set_param_grad(k->tape, k->table, dw);
}

static int gradient(void *arg)
{
    lookup *k = arg;
    record(k);
    tl_commit(k->tape);
    return part_finish(k->tape, "embedding");
}

static int gradient_by_hand(void *arg)
{
    lookup *k = arg;
    hand_gather(TOKENS, E, k->w, k->idx, k->y);
    memset(k->dw, 0, V * E * sizeof(float));
    hand_scatter_add(TOKENS, E, k->dy, k->idx, 1, k->dw);
    return 0;
}

static int step(void *arg)
{
    lookup *k = arg;
    record(k);
    tl_optim_step(k->sgd, k->tape);
    return part_finish(k->tape, "embedding");
}

static int step_by_hand(void *arg)
{
    lookup *k = arg;
    hand_gather(TOKENS, E, k->w, k->idx, k->y);
    hand_scatter_add(TOKENS, E, k->dy, k->idx, -1e-2f, k->w);
    return 0;
}

/* is_same -- the gradient, and the table after a step from zeros. */
static int is_same(lookup *k)
{
    double *wide = calloc(V * E, sizeof *wide);
    float *got = floats_new(V * E);
    int ok = wide && got && !gradient(k) && !gradient_by_hand(k) &&
             tl_param_grad_f64(k->table, wide, V * E) == TL_OK;
    for (size_t i = 0; ok && i < V * E; i++)
        got[i] = (float)wide[i];
    ok = ok && part_same("embedding gradient", V * E, got, k->dw);
    tl_param_clear_grad(k->table);
    ok = ok && !step(k) && !step_by_hand(k) && tl_param_get_f32(k->table, got, V * E) == TL_OK &&
         part_same("embedding after a step", V * E, got, k->w);
    free(wide);
    free(got);
    return ok;
}

static double time_gradient(void *arg)
{
    tl_param_clear_grad(((lookup *)arg)->table);
    return part_timed(gradient, arg);
}

static double time_gradient_by_hand(void *arg)
{
    return part_timed(gradient_by_hand, arg);
}

static double time_step(void *arg)
{
    return part_timed(step, arg);
}

static double time_step_by_hand(void *arg)
{
    return part_timed(step_by_hand, arg);
}

static int run(const part_options *o)
{
    tl_err err = {0};
    lookup k = {.tape = tl_tape_new(NULL), .set = tl_params_new(TL_F32)};
    k.table = tl_param_new(k.set, "table", tl_shape2(V, E), &err);
    k.sgd = k.table ? tl_sgd_new(k.set, NULL, &err) : NULL;
    k.idx = calloc(TOKENS + 16, sizeof *k.idx);
    k.dy = floats_new(TOKENS * E);
    k.y = floats_new(TOKENS * E);
    k.w = floats_new(V * E);
    k.dw = floats_new(V * E);
    int bad = !k.tape || !k.sgd || !k.idx || !k.dy || !k.y || !k.w || !k.dw;
    if (bad)
        fprintf(stderr, "embedding: no memory%s\n", err.message);
    for (int i = 0; i < TOKENS && !bad; i++)
        k.idx[i] = (int32_t)((unsigned)i * 2654435761u % V);
    for (size_t i = 0; i < TOKENS * E && !bad; i++)
        k.dy[i] = 0.01f * (float)(i % 101) - 0.5f;
    static contender gradients[2] = {{.impl = "tapeloop", .step = time_gradient},
                                     {.impl = "hand loop", .step = time_gradient_by_hand}};
    static contender steps[2] = {{.impl = "tapeloop", .step = time_step},
                                 {.impl = "hand loop, rows used", .step = time_step_by_hand}};
    for (int i = 0; i < 2; i++)
        gradients[i].arg = steps[i].arg = &k;
    race a = {"embedding gradient", "train", 2, gradients, 1e-3 * TOKENS, "tokens/us", 0};
    race b = {"embedding sgd step", "train", 2, steps, 1e-3 * TOKENS, "tokens/us", 0};
    bad = bad || !is_same(&k) || race_run(o, &a) || race_run(o, &b);
    tl_optim_free(k.sgd);
    tl_params_free(k.set);
    tl_tape_free(k.tape);
    free(k.idx);
    float *const all[] = {k.dy, k.y, k.w, k.dw};
    for (size_t i = 0; i < 4; i++)
        free(all[i]);
    return bad;
}

const part part_embedding = {"embedding", "look-up in a table of 10,000 rows, and its gradient",
                             run};
