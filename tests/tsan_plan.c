/* tsan_plan.c -- plans shared among threads, under ThreadSanitizer: training steps of cells, with a
 * budget too, bodies whose steps look at all rows, loops in loops, rows in bands, in one thread of the
 * host and in two at once. A plain main program, since Criterion does not start there. Prints what
 * differed from one thread's numbers and returns 1, or returns 0. */
#include "core/grad.h"
#include "core/run.h"
#include "core/scan.h"
#include "core/threads.h"
#include "nn/nn.h"
#include "ops/ops.h"
#include "optim/optim.h"

#include <stdio.h>
#include <string.h>
#include <uv.h>

enum { T = 6, B = 5, I = 3, H = 8, PROGRAMS = 8, ROUNDS = 6, HOSTS = 2, ROOM = 2048 };

static tl_tensor draw(tl_tape *tape, tl_shape shape)
{
    return tl_detach(tl_randn(tape, TL_F32, shape));
}

/* train -- two steps of Adam on a sequence; its parameters. */
static int train(tl_tape *tape, const tl_cell *cell, int lengths, int64_t budget, float *out)
{
    const int32_t length[B] = {6, 2, 0, 5, 4};
    tl_params *set = tl_params_new(TL_F32);
    tl_sequence_opts o = tl_sequence_defaults();
    o.layers = 2;
    o.dropout = 0.2;
    o.bidirectional = lengths;
    tl_sequence *s = tl_sequence_new(set, NULL, cell, I, H, &o, NULL);
    tl_optim *adam = tl_adam_new(set, NULL, NULL);
    tl_sequence_args a = tl_sequence_args_defaults();
    int n = 0;
    a.budget = budget;
    for (int k = 0; k < 2; k++) {
        if (lengths)
            a.lengths = tl_input_i32(tape, tl_shape1(B), length);
        tl_sequence_out y = tl_sequence_apply(s, draw(tape, tl_shape3(T, B, I)), &a);
        tl_backward(tl_sum_all(tl_square(y.y)));
        tl_clip_grad_norm(tape, set, 0.1);
        if (tl_optim_step(adam, tape) != TL_OK)
            printf("%s\n", tl_tape_error(tape));
        tl_tape_reset(tape);
    }
    for (int k = 0; k < tl_params_count(set); k++) {
        tl_param *p = tl_params_at(set, k);
        const int64_t count = tl_shape_count(tl_param_shape(p));
        if (n + count <= ROOM)
            tl_param_get_f32(p, out + n, count);
        n += n + count <= ROOM ? (int)count : 0;
    }
    tl_optim_free(adam);
    tl_sequence_free(s);
    tl_params_free(set);
    return n;
}

/* gradient -- of a loss by u; after it the tape is empty. */
static int gradient(tl_tape *tape, tl_tensor loss, tl_tensor u, float *out)
{
    const int n = (int)tl_shape_count(tl_shape_of(u));
    tl_tensor g;
    if (tl_grad(1, &loss, NULL, 1, &u, &g) || tl_read_f32(g, out, n)) {
        printf("%s\n", tl_tape_error(tape));
        return 0;
    }
    tl_tape_reset(tape);
    return n;
}

/* attend -- each row of a carry looks at all of them. */
static int attend(tl_tape *tape, int axis, float *out)
{
    tl_tensor u = draw(tape, tl_shape2(H, H)), xs = draw(tape, tl_shape3(T, B, H)),
              m0 = draw(tape, tl_shape2(B, H));
    tl_scan s = tl_scan_open(tape, T, NULL);
    tl_tensor m = tl_scan_carry(s, m0), x = tl_scan_each(s, xs);
    tl_tensor weight = tl_softmax(tl_matmul_t(tl_matmul(x, u), 0, m, 1), axis);
    tl_tensor seen = tl_matmul_t(weight, 1, m, 0);
    tl_scan_next(s, m, tl_tanh(tl_add(tl_sub(m, tl_sum_keep(seen, 2)), tl_dropout(seen, 0.2))));
    tl_scan_close(s);
    tl_tensor all = tl_scan_stacked(s, weight);
    return gradient(tape, tl_add(tl_sum_all(all), tl_sum_all(tl_scan_last(s, m))), u, out);
}

/* nest -- a loop in a loop. */
static int nest(tl_tape *tape, float *out)
{
    tl_tensor u = draw(tape, tl_shape2(H, H)), xs = draw(tape, tl_shape3(T, B, H)),
              h0 = draw(tape, tl_shape2(B, H));
    tl_scan s = tl_scan_open(tape, T, NULL);
    tl_tensor h = tl_scan_carry(s, h0), x = tl_scan_each(s, xs);
    tl_scan inner = tl_scan_open(tape, 3, NULL);
    tl_tensor g = tl_scan_carry(inner, h);
    tl_scan_next(inner, g, tl_tanh(tl_add(tl_matmul(g, u), x)));
    tl_scan_close(inner);
    tl_scan_next(s, h, tl_sub(tl_scan_last(inner, g), tl_sum_keep(h, 2)));
    tl_scan_close(s);
    return gradient(tape, tl_sum_all(tl_square(tl_scan_last(s, h))), u, out);
}

/* look_up -- rows of a table in bands, and their losses. */
static int look_up(tl_tape *tape, float *out)
{
    enum { N = 6000, K = 60 };
    tl_tensor b = draw(tape, tl_shape1(K)), z = tl_add(draw(tape, tl_shape2(N, K)), b);
    return gradient(tape, tl_cross_entropy(z, tl_argmax(tl_sin(z), 1), -1), b, out);
}

static int compute(tl_tape *tape, int program, float *out)
{
    tl_set_draws(tape, 0);
    const tl_cell lstm = tl_lstm_cell(NULL), gru = tl_gru_cell(NULL);
    switch (program) {
    case 0:
        return train(tape, &lstm, 0, 0, out);
    case 1:
        return train(tape, &lstm, 1, 0, out);
    case 2:
        return train(tape, &gru, 0, 0, out);
    case 3:
        return attend(tape, 0, out);
    case 4:
        return attend(tape, 1, out);
    case 5:
        return nest(tape, out);
    case 6:
        return train(tape, &lstm, 1, 5000, out);
    default:
        return look_up(tape, out);
    }
}

typedef struct host {
    int number, wrong;
    int n[PROGRAMS];
    float want[PROGRAMS][ROOM], got[ROOM];
} host;

/* run -- every program in every round; those of several rounds find their plans again. */
static void run(void *argument)
{
    host *a = argument;
    tl_tape *tape = tl_tape_new(NULL);
    for (int round = 0; tape && round < ROUNDS; round++)
        for (int k = 0; k < PROGRAMS; k++) {
            const int program = (k + a->number) % PROGRAMS, n = compute(tape, program, a->got);
            if (n != a->n[program] ||
                memcmp(a->got, a->want[program], (size_t)n * sizeof *a->got) != 0) {
                printf("host %d, program %d: other numbers than one thread\n", a->number, program);
                a->wrong = 1;
            }
        }
    tl_tape_free(tape);
}

int main(void)
{
    static host a[HOSTS];
    uv_thread_t thread[HOSTS];
    int wrong = 0;
    tl_set_threads(1);
    tl__set_period_rows(2 * B);
    tl_tape *tape = tl_tape_new(NULL);
    for (int h = 0; h < HOSTS; h++)
        for (int k = 0; k < PROGRAMS; k++) {
            a[h].number = h;
            a[h].n[k] = compute(tape, k, a[h].want[k]);
            wrong |= a[h].n[k] == 0;
        }
    tl_tape_free(tape);
    tl__set_passes(tl__passes() | TL_SHARE_ALL);
    tl_set_threads(2);
    run(&a[0]);
    for (int h = 0; h < HOSTS; h++)
        if (uv_thread_create(&thread[h], run, &a[h])) {
            printf("no threads\n");
            return 1;
        }
    for (int h = 0; h < HOSTS; h++) {
        uv_thread_join(&thread[h]);
        wrong |= a[h].wrong;
    }
    return wrong;
}
