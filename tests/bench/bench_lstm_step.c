/* bench_lstm_step.c -- what a training step of one LSTM layer costs: forward, backward (weights,
 * biases and input) and Adam, on one thread, against oneDNN's fused LSTM primitive (forward and
 * backward, no optimizer), interleaved in one process.
 *
 *     bench_lstm_step [T B I H] [rounds]
 */
#include "core/run.h"
#include "tapeloop.h"
#ifdef HAVE_DNNL
#include "tests/bench/onednn_lstm.h"
#endif

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

typedef struct sizes {
    int T, B, I, H;
} sizes;

/* times -- of one step of ours, in milliseconds. */
typedef struct times {
    double record, key, plan, run, whole;
} times;

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static float *numbers(int64_t n, float scale)
{
    float *a = calloc((size_t)n + 16, sizeof *a);
    for (int64_t i = 0; a && i < n; i++)
        a[i] = scale * (float)((i * 7919) % 2003 - 1001) / 1001.0f;
    return a;
}

/* our_step -- records, runs and commits one training step. */
static int our_step(tl_tape *tape, const tl_sequence *seq, tl_params *set, tl_optim *adam, sizes z,
                    const float *x, const float *dh, times *out)
{
    double start = now_ms();
    tl_tensor xs = tl_input_f32(tape, tl_shape3(z.T, z.B, z.I), x);
    tl_sequence_out y = tl_sequence_apply(seq, xs, NULL);
    tl_tensor in[16] = {xs}, grad[16];
    int n = tl_params_count(set) + 1;
    for (int k = 1; k < n; k++)
        in[k] = tl_use(tape, tl_params_at(set, k - 1));
    tl_no_grad_open(tape);
    tl_tensor seed = tl_input_f32(tape, tl_shape3(z.T, z.B, z.H), dh);
    tl_grad(1, &y.y, &seed, n, in, grad);
    tl_no_grad_close(tape);
    tl_want(grad[0]);
    for (int k = 1; k < n; k++)
        tl_set_param_grad(tape, tl_params_at(set, k - 1), grad[k]);
    double recorded = now_ms();
    int code = tl_optim_step(adam, tape);
    double end = now_ms();
    tl_run_stats stats = tl__run_stats(tape);
    out->run = stats.run_seconds * 1e3;
    out->key = stats.key_seconds * 1e3;
    out->plan = stats.plan_seconds * 1e3;
    out->record = recorded - start + (end - recorded - out->run - out->key - out->plan);
    out->whole = end - start;
    if (code)
        fprintf(stderr, "%s\n", tl_tape_error(tape));
    tl_tape_reset(tape);
    return code;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *a, int n)
{
    qsort(a, (size_t)n, sizeof *a, by_value);
    return n % 2 ? a[n / 2] : 0.5 * (a[n / 2 - 1] + a[n / 2]);
}

enum { MOST_ROUNDS = 1000 };

int main(int argc, char **argv)
{
    /* oneDNN's threads are OpenMP's, whose number is read once, when the library is loaded. */
    if (!getenv("OMP_NUM_THREADS")) {
        setenv("OMP_NUM_THREADS", "1", 1);
        execv("/proc/self/exe", argv);
    }
    sizes z = {100, 32, 128, 128};
    if (argc >= 5)
        z = (sizes){atoi(argv[1]), atoi(argv[2]), atoi(argv[3]), atoi(argv[4])};
    int rounds = argc >= 6 ? atoi(argv[5]) : argc == 2 ? atoi(argv[1]) : 40;
    if (z.T < 1 || z.B < 1 || z.I < 1 || z.H < 1 || rounds < 1 || rounds > MOST_ROUNDS) {
        fprintf(stderr, "usage: %s [T B I H] [rounds]\n", argv[0]);
        return 2;
    }
    tl_set_on_error("print");
    tl_tape *tape = tl_tape_new(NULL);
    tl_params *set = tl_params_new(TL_F32);
    tl_cell cell = tl_lstm_cell(NULL);
    tl_err err = {0};
    tl_sequence *seq = tl_sequence_new(set, "lstm", &cell, z.I, z.H, NULL, &err);
    tl_optim *adam = seq ? tl_adam_new(set, NULL, &err) : NULL;
    int64_t nx = (int64_t)z.T * z.B * z.I, ny = (int64_t)z.T * z.B * z.H;
    float *x = numbers(nx, 0.5f), *dh = numbers(ny, 0.01f);
    if (!adam || !x || !dh) {
        fprintf(stderr, "set-up failed: %s\n", err.message);
        return 1;
    }
#ifdef HAVE_DNNL
    const char *why = "";
    onednn_lstm *other = onednn_lstm_new(z.T, z.B, z.I, z.H, &why);
    if (!other)
        fprintf(stderr, "oneDNN: %s\n", why);
    float *w_ih = numbers(4LL * z.H * z.I, 0.08f), *w_hh = numbers(4LL * z.H * z.H, 0.08f),
          *bias = numbers(4LL * z.H, 0.08f);
    float *h = numbers(ny, 0), *dx = numbers(nx, 0), *dw_ih = numbers(4LL * z.H * z.I, 0),
          *dw_hh = numbers(4LL * z.H * z.H, 0), *dbias = numbers(4LL * z.H, 0);
#endif
    static double ours[MOST_ROUNDS], theirs[MOST_ROUNDS], ratio[MOST_ROUNDS], record[MOST_ROUNDS],
        key[MOST_ROUNDS];
    times first = {0};
    if (our_step(tape, seq, set, adam, z, x, dh, &first))
        return 1;
    for (int k = 0; k < rounds; k++) {
        times t = {0};
        if (our_step(tape, seq, set, adam, z, x, dh, &t))
            return 1;
        ours[k] = t.whole;
        record[k] = t.record;
        key[k] = t.key;
#ifdef HAVE_DNNL
        double start = now_ms();
        if (other && onednn_lstm_step(other, x, w_ih, w_hh, bias, dh, h, dx, dw_ih, dw_hh, dbias))
            return 1;
        theirs[k] = now_ms() - start;
        ratio[k] = ours[k] / theirs[k];
#endif
    }
    printf("LSTM training step, T=%d B=%d I=%d H=%d, f32, one thread, %d rounds\n", z.T, z.B, z.I,
           z.H, rounds);
    printf("%-44s %10s\n", "", "median ms");
    printf("%-44s %10.3f\n", "tapeloop: forward, backward, Adam", median(ours, rounds));
    printf("%-44s %10.3f\n", "  of it recording and publishing", median(record, rounds));
    printf("%-44s %10.3f\n", "  of it key and look-up", median(key, rounds));
    printf("%-44s %10.3f\n", "planning, in the first step only", first.plan);
#ifdef HAVE_DNNL
    if (other) {
        double best_ours = ours[0], best_theirs = (median(theirs, rounds), theirs[0]);
        printf("%-44s %10.3f\n", "oneDNN fused: forward, backward", median(theirs, rounds));
        printf("%-44s %10.2f\n", "ratio, median of pairs", median(ratio, rounds));
        printf("%-44s %10.2f\n", "ratio, best of each", best_ours / best_theirs);
    }
    onednn_lstm_free(other);
    float *all[] = {w_ih, w_hh, bias, h, dx, dw_ih, dw_hh, dbias};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        free(all[k]);
#else
    (void)theirs;
    (void)ratio;
    printf("oneDNN is not installed (libdnnl-dev): no comparison\n");
#endif
    free(x);
    free(dh);
    tl_optim_free(adam);
    tl_sequence_free(seq);
    tl_params_free(set);
    tl_tape_free(tape);
    return 0;
}
