/* tsan_program.c -- sessions of one program under ThreadSanitizer: two threads step their own
 * sessions at the same time, are made and freed there, and get what one thread alone gets. A plain
 * main program, since Criterion does not start there. Prints what differed and returns 1, or
 * returns 0. */
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
    tl_tensor h1 = tl_dropout(tl_tanh(tl_matmul(tl_add(x, h), tl_use(tape, w))), 0.25);
    tl_program *p = tl_program_new(tape, "rnn");
    tl_program_input(p, "x", x);
    tl_program_state(p, "h", h, h1);
    tl_program_output(p, "y", h1);
    tl_program_close(p, err);
    return p;
}

int main(void)
{
    static stream alone[THREADS], together[THREADS];
    tl_err err = {0};
    tl_tape *tape = tl_tape_new(NULL);
    tl_params *set = tl_params_new(TL_F32);
    tl_param *w = tl_param_new(set, "w", tl_shape2(H, H), &err);
    float value[H * H];
    for (int i = 0; i < H * H; i++)
        value[i] = (float)(i % 13 - 6) * 0.05f;
    tl_param_set_f32(w, value, H * H);
    tl_program *p = rnn(tape, w, &err);
    tl_tape_free(tape);
    for (int i = 0; i < THREADS; i++) {
        alone[i].program = together[i].program = p;
        alone[i].number = together[i].number = i;
        run(&alone[i]);
    }
    uv_thread_t thread[THREADS];
    int started = 0, wrong = err.code != TL_OK;
    while (started < THREADS && uv_thread_create(&thread[started], run, &together[started]) == 0)
        started++;
    wrong |= started < THREADS;
    for (int i = 0; i < started; i++)
        uv_thread_join(&thread[i]);
    tl_program_free(p);
    for (int i = 0; i < THREADS; i++) {
        const int differs = memcmp(alone[i].y, together[i].y, sizeof alone[i].y) != 0;
        if (alone[i].failed[0] || together[i].failed[0] || differs) {
            printf("stream %d: %s%s%s\n", i, alone[i].failed, together[i].failed,
                   differs ? " other numbers than alone" : "");
            wrong = 1;
        }
    }
    if (err.code)
        printf("%s\n", err.message);
    if (memcmp(alone[0].y, alone[1].y, sizeof alone[0].y) == 0) {
        printf("the streams are the same\n");
        wrong = 1;
    }
    tl_params_free(set);
    return wrong;
}
