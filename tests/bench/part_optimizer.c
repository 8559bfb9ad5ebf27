/* part_optimizer.c -- a step of SGD and of Adam over 5e6 parameters, against a loop that reads and
 * writes the same arrays once. */
#include "tests/bench/hand_loops.h"
#include "tests/bench/part.h"
#include "tests/bench/rnn_data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARAMS = 5000000, MOST_TENSORS = 60 };

typedef struct optimizer {
    int adam, tensors;
    tl_tape *tape;
    tl_params *set;
    tl_optim *optim;
    float *p, *g, *m, *v;
} optimizer;

static int ours(void *arg)
{
    optimizer *k = arg;
    const float *at = k->g;
    for (int i = 0; i < tl_params_count(k->set); i++) {
        tl_param *p = tl_params_at(k->set, i);
        tl_shape s = tl_param_shape(p);
        tl_set_param_grad(k->tape, p, tl_input_borrow(k->tape, TL_F32, s, at));
        at += tl_shape_count(s);
    }
    tl_optim_step(k->optim, k->tape);
    return part_finish(k->tape, "optimizer");
}

/* The corrections of the first step in every step: the cost is the same. */
static int by_hand(void *arg)
{
    optimizer *k = arg;
    if (k->adam)
        hand_adam(PARAMS, k->p, k->g, k->m, k->v, 1e-3f / 0.1f, 1 / sqrtf(0.001f));
    else
        hand_sgd(PARAMS, k->p, k->g, 1e-2f);
    return 0;
}

static double our_step(void *arg)
{
    return part_timed(ours, arg);
}

static double hand_step(void *arg)
{
    return part_timed(by_hand, arg);
}

/* is_same -- after the first step from zeros. */
static int is_same(optimizer *k)
{
    float *p = floats_new(PARAMS), *at = p;
    memset(k->p, 0, PARAMS * sizeof(float));
    memset(k->m, 0, PARAMS * sizeof(float));
    memset(k->v, 0, PARAMS * sizeof(float));
    int ok = p && !ours(k) && !by_hand(k);
    for (int i = 0; ok && i < tl_params_count(k->set); i++) {
        const tl_param *w = tl_params_at(k->set, i);
        int64_t n = tl_shape_count(tl_param_shape(w));
        ok = tl_param_get_f32(w, at, n) == TL_OK;
        at += n;
    }
    ok = ok && part_same("optimizer", PARAMS, p, k->p);
    free(p);
    return ok;
}

static int run_one(const part_options *o, optimizer *k)
{
    tl_err err = {0};
    k->tape = tl_tape_new(NULL);
    k->set = tl_params_new(TL_F32);
    int bad = !k->tape || !k->set;
    for (int i = 0; i < k->tensors && !bad; i++) {
        char name[16];
        snprintf(name, sizeof name, "w%d", i);
        /* the last one takes what is left over */
        int64_t n = PARAMS / k->tensors + (i == k->tensors - 1 ? PARAMS % k->tensors : 0);
        bad = !tl_param_new(k->set, name, tl_shape1(n), &err);
    }
    if (!bad)
        k->optim = k->adam ? tl_adam_new(k->set, NULL, &err) : tl_sgd_new(k->set, NULL, &err);
    bad = bad || !k->optim;
    if (bad)
        fprintf(stderr, "optimizer: %s\n", err.message);
    static contender c[2] = {{.impl = "tapeloop", .step = our_step},
                             {.impl = "hand loop, in place", .step = hand_step}};
    c[0].arg = c[1].arg = k;
    char name[40];
    snprintf(name, sizeof name, "%s 5e6 in %d", k->adam ? "adam" : "sgd", k->tensors);
    race r = {name, "train", 2, c, 1e-6 * 4 * PARAMS * (k->adam ? 7 : 3), "GB/s", 0};
    bad = bad || !is_same(k) || race_run(o, &r);
    tl_optim_free(k->optim);
    tl_params_free(k->set);
    tl_tape_free(k->tape);
    return bad;
}

static int run(const part_options *o)
{
    float *p = floats_new(PARAMS), *g = floats_new(PARAMS), *m = floats_new(PARAMS),
          *v = floats_new(PARAMS);
    int bad = !p || !g || !m || !v;
    for (size_t i = 0; i < PARAMS && !bad; i++)
        g[i] = 0.01f * (float)(i % 101) - 0.5f;
    for (int adam = 0; adam < 2; adam++)
        for (int tensors = 1; tensors <= MOST_TENSORS && !bad; tensors += MOST_TENSORS - 1) {
            optimizer k = {adam, tensors, NULL, NULL, NULL, p, g, m, v};
            bad = run_one(o, &k);
        }
    free(p);
    free(g);
    free(m);
    free(v);
    return bad;
}

const part part_optimizer = {"optimizer", "a step over 5e6 parameters", run};
