/* part_pointwise.c -- a chain of eleven pointwise operations: in one pass over memory, or not. */
#include "tests/bench/hand_loops.h"
#include "tests/bench/part.h"
#include "tests/bench/rnn_data.h"

#include <stdlib.h>

enum { T = 100, ROW = 32 * 128, FLAT = 1000000 };

typedef struct chain {
    tl_tape *tape;
    size_t n;
    float *result;          /* where the next run of ours goes, or NULL */
    float *a, *b, *c, *out; /* [n]; of the scan b is [T,ROW], the others' first row is used */
} chain;

static tl_tensor record(tl_tensor a, tl_tensor b, tl_tensor c)
{
    tl_tensor top = tl_mul(tl_add(tl_mul(a, b), c), tl_sub(a, c));
    tl_tensor ratio = tl_div(top, tl_add_scalar(tl_square(a), 1));
    return tl_sub(tl_add(ratio, tl_scale(b, 0.5)), tl_abs(c));
}

static int flat(void *arg)
{
    chain *k = arg;
    tl_shape s = tl_shape1((int64_t)k->n);
    tl_no_grad_open(k->tape);
    tl_tensor y =
        record(tl_input_borrow(k->tape, TL_F32, s, k->a), tl_input_borrow(k->tape, TL_F32, s, k->b),
               tl_input_borrow(k->tape, TL_F32, s, k->c));
    tl_no_grad_close(k->tape);
    tl_eval(1, &y);
    if (k->result)
        tl_read_f32(y, k->result, FLAT);
    return part_finish(k->tape, "pointwise");
}

static int flat_by_hand(void *arg)
{
    chain *k = arg;
    hand_chain(k->n, k->a, k->b, k->c, k->out);
    return 0;
}

static int loop(void *arg)
{
    chain *k = arg;
    tl_shape row = tl_shape2(32, 128), all = tl_shape3(T, 32, 128);
    tl_no_grad_open(k->tape);
    tl_tensor a = tl_input_borrow(k->tape, TL_F32, row, k->a),
              b = tl_input_borrow(k->tape, TL_F32, all, k->b),
              c = tl_input_borrow(k->tape, TL_F32, row, k->c);
    tl_scan s = tl_scan_open(k->tape, T, NULL);
    tl_tensor h = tl_scan_carry(s, a);
    tl_tensor next = record(h, tl_scan_each(s, b), c);
    tl_scan_next(s, h, next);
    tl_scan_close(s);
    tl_tensor y = tl_scan_stacked(s, next);
    tl_no_grad_close(k->tape);
    tl_eval(1, &y);
    if (k->result)
        tl_read_f32(y, k->result, T * ROW);
    return part_finish(k->tape, "pointwise in a scan");
}

static int loop_by_hand(void *arg)
{
    chain *k = arg;
    for (size_t t = 0; t < T; t++)
        hand_chain(ROW, t ? k->out + (t - 1) * ROW : k->a, k->b + t * ROW, k->c, k->out + t * ROW);
    return 0;
}

static double flat_step(void *arg)
{
    return part_timed(flat, arg);
}

static double flat_by_hand_step(void *arg)
{
    return part_timed(flat_by_hand, arg);
}

static double loop_step(void *arg)
{
    return part_timed(loop, arg);
}

static double loop_by_hand_step(void *arg)
{
    return part_timed(loop_by_hand, arg);
}

static int is_same(chain *k)
{
    k->result = floats_new(FLAT);
    int same = k->result && !flat(k) && !flat_by_hand(k) &&
               part_same("pointwise", FLAT, k->result, k->out) && !loop(k) && !loop_by_hand(k) &&
               part_same("pointwise in a scan", T * ROW, k->result, k->out);
    free(k->result);
    k->result = NULL;
    return same;
}

static int run(const part_options *o)
{
    chain k = {.tape = tl_tape_new(NULL), .n = FLAT};
    float **const all[] = {&k.a, &k.b, &k.c, &k.out};
    int bad = !k.tape;
    for (size_t i = 0; i < 4; i++) {
        *all[i] = floats_new(FLAT);
        bad = bad || !*all[i];
        for (size_t j = 0; !bad && j < FLAT; j++)
            (*all[i])[j] = 0.01f * (float)((j * (i + 3)) % 101) - 0.5f;
    }
    static contender of_flat[2] = {{.impl = "tapeloop", .step = flat_step},
                                   {.impl = "hand loop", .step = flat_by_hand_step}};
    static contender of_loop[2] = {{.impl = "tapeloop", .step = loop_step},
                                   {.impl = "hand loop", .step = loop_by_hand_step}};
    for (int i = 0; i < 2; i++)
        of_flat[i].arg = of_loop[i].arg = &k;
    race flat_race = {"pointwise 1e6", "infer", 2, of_flat, 1e-6 * 16 * FLAT, "GB/s", 0};
    race loop_race = {"pointwise scan 100x32x128", "infer", 2, of_loop,
                      1e-6 * 12 * T * ROW,         "GB/s",  0};
    bad = bad || !is_same(&k) || race_run(o, &flat_race) || race_run(o, &loop_race);
    for (size_t i = 0; i < 4; i++)
        free(*all[i]);
    tl_tape_free(k.tape);
    return bad;
}

const part part_pointwise = {"pointwise", "eleven pointwise operations in one chain", run};
