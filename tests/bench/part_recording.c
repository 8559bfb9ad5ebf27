/* part_recording.c -- what a call such as tl_mul costs before anything is computed, and whether it
 * depends on the length of a loop. */
#include "tests/bench/part.h"
#include "tests/bench/rnn_data.h"

#include <stdio.h>
#include <stdlib.h>

enum { CALLS = 3000, B = 4, I = 8, H = 8, SHORT = 1000, LONG = 100000 };

typedef struct recording {
    tl_tape *tape;
    tl_sequence *lstm;
    const float *x;
    int64_t T;
} recording;

static double finish(recording *k, double ms)
{
    return part_finish(k->tape, "recording") ? -1 : ms;
}

static tl_tensor start_of_chain(recording *k)
{
    return tl_zeros(k->tape, TL_F32, tl_shape2(B, H));
}

/* Each of the three returns the time of one call. */
static double pointwise_step(void *arg)
{
    recording *k = arg;
    tl_tensor a = start_of_chain(k), b = tl_ones(k->tape, TL_F32, tl_shape2(B, H)), v = a;
    double start = now_ms();
    for (int i = 0; i < CALLS; i += 3)
        v = tl_tanh(tl_add(tl_mul(v, b), a));
    return finish(k, (now_ms() - start) / CALLS);
}

static double product_step(void *arg)
{
    recording *k = arg;
    tl_tensor v = start_of_chain(k), w = tl_ones(k->tape, TL_F32, tl_shape2(H, H));
    double start = now_ms();
    for (int i = 0; i < CALLS; i++)
        v = tl_matmul(v, w);
    return finish(k, (now_ms() - start) / CALLS);
}

static double gradient_step(void *arg)
{
    recording *k = arg;
    tl_tensor a = tl_ones(k->tape, TL_F32, tl_shape2(B, H)), v = a, g;
    for (int i = 0; i < CALLS; i += 3)
        v = tl_tanh(tl_add(tl_mul(v, a), a));
    double start = now_ms();
    tl_grad(1, &v, NULL, 1, &a, &g);
    return finish(k, (now_ms() - start) / CALLS);
}

/* An LSTM over T steps and its gradient; nothing is run. */
static double lstm_step(void *arg)
{
    recording *k = arg;
    double start = now_ms();
    tl_tensor x = tl_input_borrow(k->tape, TL_F32, tl_shape3(k->T, B, I), k->x), dx;
    tl_tensor y = tl_sequence_apply(k->lstm, x, NULL).y;
    tl_grad(1, &y, NULL, 1, &x, &dx);
    return finish(k, now_ms() - start);
}

static int run(const part_options *o)
{
    tl_err err = {0};
    tl_cell cell = tl_lstm_cell(NULL);
    tl_params *set = tl_params_new(TL_F32);
    recording k = {.tape = tl_tape_new(NULL)}, far;
    float *x = floats_new((size_t)LONG * B * I);
    k.lstm = set ? tl_sequence_new(set, "lstm", &cell, I, H, NULL, &err) : NULL;
    k.x = x;
    k.T = SHORT;
    far = k;
    far.T = LONG;
    int bad = !k.tape || !k.lstm || !x;
    if (bad)
        fprintf(stderr, "recording: no memory%s\n", err.message);
    static contender calls[] = {{.impl = "gradient of a call", .step = gradient_step},
                                {.impl = "matmul", .step = product_step},
                                {.impl = "mul, add, tanh", .step = pointwise_step}};
    static contender lengths[] = {{.impl = "T 100000", .step = lstm_step},
                                  {.impl = "T 1000", .step = lstm_step}};
    for (int i = 0; i < 3; i++)
        calls[i].arg = &k;
    lengths[0].arg = &far;
    lengths[1].arg = &k;
    race a = {"recording, of one call", NULL, 3, calls, 1e-3, "calls/us", 1};
    race b = {"recording of an lstm in a scan", "train", 2, lengths, 0, NULL, 0};
    bad = bad || race_run(o, &a) || race_run(o, &b);
    free(x);
    tl_sequence_free(k.lstm);
    tl_params_free(set);
    tl_tape_free(k.tape);
    return bad;
}

const part part_recording = {"recording", "what recording costs", run};
