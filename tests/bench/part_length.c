/* part_length.c -- a training step of an LSTM for each time step of it, short and long. Both do not
 * fit into the last cache, so nothing but the length differs. */
#include "tests/bench/part.h"
#include "tests/bench/rnn_data.h"

#include <stdio.h>
#include <stdlib.h>

/* Values kept for each time step: about 11 B H and 3 B I, 50 MB in 1,000 of them. */
enum { B = 16, I = 32, H = 64, SHORT = 1000, LONG = 100000, LONG_QUICK = 10000 };

typedef struct length {
    tl_tape *tape;
    tl_params *set;
    tl_sequence *lstm;
    const float *x, *dy;
    int64_t T;
} length;

static double step(void *arg)
{
    length *k = arg;
    tl_tensor in[5], grad[5];
    int n = tl_params_count(k->set);
    for (int i = 0; i < n; i++)
        tl_param_clear_grad(tl_params_at(k->set, i));
    double start = now_ms();
    in[0] = tl_input_borrow(k->tape, TL_F32, tl_shape3(k->T, B, I), k->x);
    tl_tensor y = tl_sequence_apply(k->lstm, in[0], NULL).y;
    for (int i = 0; i < n; i++)
        in[1 + i] = tl_use(k->tape, tl_params_at(k->set, i));
    tl_no_grad_open(k->tape);
    tl_tensor dy = tl_input_borrow(k->tape, TL_F32, tl_shape3(k->T, B, H), k->dy);
    tl_grad(1, &y, &dy, 1 + n, in, grad);
    tl_no_grad_close(k->tape);
    tl_want(grad[0]);
    for (int i = 0; i < n; i++)
        tl_set_param_grad(k->tape, tl_params_at(k->set, i), grad[1 + i]);
    tl_commit(k->tape);
    double ms = (now_ms() - start) / (double)k->T;
    return part_finish(k->tape, "length") ? -1 : ms;
}

static int run(const part_options *o)
{
    tl_err err = {0};
    tl_cell cell = tl_lstm_cell(NULL);
    int64_t T = o->quick ? LONG_QUICK : LONG;
    float *x = floats_new((size_t)T * B * I), *dy = floats_new((size_t)T * B * H);
    length near = {.tape = tl_tape_new(NULL), .set = tl_params_new(TL_F32), .x = x, .dy = dy};
    near.lstm = near.set ? tl_sequence_new(near.set, "lstm", &cell, I, H, NULL, &err) : NULL;
    near.T = SHORT;
    length far = near;
    far.T = T;
    int bad = !near.tape || !near.lstm || !x || !dy;
    if (bad)
        fprintf(stderr, "length: no memory%s\n", err.message);
    for (int64_t i = 0; i < T * B * I && !bad; i++)
        x[i] = 0.01f * (float)(i % 101) - 0.5f;
    for (int64_t i = 0; i < T * B * H && !bad; i++)
        dy[i] = 0.001f * (float)(i % 103) - 0.05f;
    char long_name[16];
    snprintf(long_name, sizeof long_name, "T %d", (int)T);
    static contender c[2] = {{.step = step}, {.impl = "T 1000", .step = step}};
    c[0].impl = long_name;
    c[0].arg = &far;
    c[1].arg = &near;
    race r = {"one time step of an lstm", "train", 2, c, 0, NULL, 0};
    bad = bad || race_run(o, &r);
    free(x);
    free(dy);
    tl_sequence_free(near.lstm);
    tl_params_free(near.set);
    tl_tape_free(near.tape);
    return bad;
}

const part part_length = {"length", "time for each step of short and long sequences", run};
