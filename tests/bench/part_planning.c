/* part_planning.c -- making a plan, for each recorded node: an LSTM's training step as a scan and
 * as a plain loop of 100 steps. A plan is made once for each structure and kept. */
#include "core/run.h"
#include "tests/bench/part.h"
#include "tests/bench/rnn_data.h"

#include <stdio.h>
#include <stdlib.h>

enum { T = 100, B = 2, I = 8, H = 8 };

typedef struct planning {
    tl_params *set;
    tl_sequence *lstm;
    float *x;
    int unroll, key; /* key: the time of the second look-up instead */
    int nodes;
} planning;

static void record(planning *k, tl_tape *tape)
{
    tl_sequence_args args = tl_sequence_args_defaults();
    args.unroll = k->unroll;
    tl_tensor x = tl_input_borrow(tape, TL_F32, tl_shape3(T, B, I), k->x);
    tl_tensor y = tl_sequence_apply(k->lstm, x, &args).y;
    tl_backward(tl_mean_all(y));
    k->nodes = (int)tl_tape_nodes(tape);
    tl_commit(tape);
}

/* Milliseconds for each node. */
static double step(void *arg)
{
    planning *k = arg;
    tl_tape *tape = tl_tape_new(NULL);
    if (!tape)
        return -1;
    double ms = -1;
    for (int i = 0; i <= k->key; i++) {
        for (int j = 0; j < tl_params_count(k->set); j++)
            tl_param_clear_grad(tl_params_at(k->set, j));
        record(k, tape);
        tl_run_stats s = tl__run_stats(tape);
        ms = 1e3 * (k->key ? s.key_seconds : s.plan_seconds) / k->nodes;
        if (part_finish(tape, "planning"))
            ms = -1;
    }
    tl_tape_free(tape);
    return ms;
}

static int run(const part_options *o)
{
    tl_err err = {0};
    tl_cell cell = tl_lstm_cell(NULL);
    planning scan = {.set = tl_params_new(TL_F32), .x = floats_new(T * B * I)};
    scan.lstm = scan.set ? tl_sequence_new(scan.set, "lstm", &cell, I, H, NULL, &err) : NULL;
    int bad = !scan.lstm || !scan.x;
    if (bad)
        fprintf(stderr, "planning: no memory%s\n", err.message);
    planning loop = scan, scan_key = scan, loop_key = scan;
    loop.unroll = loop_key.unroll = 1;
    scan_key.key = loop_key.key = 1;
    static contender c[] = {{.impl = "plan of a scan", .step = step},
                            {.impl = "plan of a plain loop", .step = step},
                            {.impl = "look-up of a scan", .step = step},
                            {.impl = "look-up of a plain loop", .step = step}};
    c[0].arg = &scan;
    c[1].arg = &loop;
    c[2].arg = &scan_key;
    c[3].arg = &loop_key;
    race r = {"planning, of one node", "train", 4, c, 1e-3, "nodes/us", 1};
    bad = bad || race_run(o, &r);
    if (!bad && !o->json)
        printf("  nodes: scan %d, plain loop %d\n", scan.nodes, loop.nodes);
    free(scan.x);
    tl_sequence_free(scan.lstm);
    tl_params_free(scan.set);
    return bad;
}

const part part_planning = {"planning", "what a plan costs", run};
