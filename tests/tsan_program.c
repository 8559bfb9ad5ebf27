/* tsan_program.c -- sessions of one program under ThreadSanitizer: two threads step their own
 * sessions at the same time, are made and freed there, and get what one thread alone gets; so again
 * after the parameter has changed. A plain main program, since Criterion does not start there.
 * Prints what differed and returns 1, or returns 0. */
#include "core/session.h"
#include "ops/ops.h"

#include <stdio.h>
#include <string.h>
#include <uv.h>

enum { THREADS = 2, B = 4, H = 24, STEPS = 40 };

/* stream -- what a thread does, and what comes out. */
typedef struct stream {
    tl_program *program;
    int number;
    float y[STEPS][B * H];
    char failed[500];
} stream;

static void run(void *argument)
{
    stream *a = argument;
    tl_err err = {0};
    tl_session *s = tl_session_new(a->program, &err);
    if (!s) {
        snprintf(a->failed, sizeof a->failed, "%s", err.message);
        return;
    }
    float *x = tl_session_input(s, 0);
    for (int t = 0; t < STEPS; t++) {
        for (int k = 0; k < B * H; k++)
            x[k] = (float)((k * 7 + t * 13 + a->number * 5) % 11 - 5) * 0.1f;
        if (tl_session_step(s) != TL_OK) {
            snprintf(a->failed, sizeof a->failed, "%s", tl_session_error(s));
            break;
        }
        memcpy(a->y[t], tl_session_output(s, 2), sizeof a->y[t]);
    }
    tl_session_free(s);
}

/* rnn -- h' = dropout(tanh((x + h) W)), with W a parameter. */
static tl_program *rnn(tl_tape *tape, tl_param *w, tl_err *err)
{
    tl_tensor x = tl_zeros(tape, TL_F32, tl_shape2(B, H)),
              h = tl_zeros(tape, TL_F32, tl_shape2(B, H));
    tl_tensor h1 = tl_dropout(tl_tanh(tl_matmul_t(tl_add(x, h), 0, tl_use(tape, w), 1)), 0.25);
    tl_program *p = tl_program_new(tape, "rnn");
    tl_program_input(p, "x", x);
    tl_program_state(p, "h", h, h1);
    tl_program_output(p, "y", h1);
    tl_program_close(p, err);
    return p;
}

static void set_weight(tl_param *w, int round)
{
    float value[H * H];
    for (int i = 0; i < H * H; i++)
        value[i] = (float)((i + round) % 13 - 6) * 0.05f;
    tl_param_set_f32(w, value, H * H);
}

/* compare -- streams one after the other, with a program of their own each round, and at once. */
static int compare(tl_param *w, tl_program *together, int round)
{
    static stream a[THREADS], b[THREADS];
    tl_err err = {0};
    tl_tape *tape = tl_tape_new(NULL);
    set_weight(w, round);
    tl_program *alone = rnn(tape, w, &err);
    int started = 0, wrong = err.code != TL_OK;
    for (int i = 0; i < THREADS; i++) {
        a[i] = (stream){.program = alone, .number = i};
        b[i] = (stream){.program = together, .number = i};
        run(&a[i]);
    }
    uv_thread_t thread[THREADS];
    while (started < THREADS && uv_thread_create(&thread[started], run, &b[started]) == 0)
        started++;
    for (int i = 0; i < started; i++)
        uv_thread_join(&thread[i]);
    wrong |= started < THREADS;
    for (int i = 0; i < THREADS; i++) {
        const int differs = memcmp(a[i].y, b[i].y, sizeof a[i].y) != 0;
        if (a[i].failed[0] || b[i].failed[0] || differs) {
            printf("round %d, stream %d: %s%s%s\n", round, i, a[i].failed, b[i].failed,
                   differs ? " other numbers than alone" : "");
            wrong = 1;
        }
    }
    if (memcmp(a[0].y, a[1].y, sizeof a[0].y) == 0) {
        printf("the streams are the same\n");
        wrong = 1;
    }
    tl_program_free(alone);
    tl_tape_free(tape);
    return wrong;
}

int main(void)
{
    tl_err err = {0};
    tl_tape *tape = tl_tape_new(NULL);
    tl_params *set = tl_params_new(TL_F32);
    tl_param *w = tl_param_new(set, "w", tl_shape2(H, H), &err);
    set_weight(w, 100);
    tl_program *p = rnn(tape, w, &err);
    tl_tape_free(tape);
    int wrong = err.code != TL_OK;
    for (int round = 0; round < 3 && !wrong; round++)
        wrong = compare(w, p, round);
    if (err.code)
        printf("%s\n", err.message);
    tl_program_free(p);
    tl_params_free(set);
    return wrong;
}
