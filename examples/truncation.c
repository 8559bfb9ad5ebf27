/* truncation.c -- truncated backpropagation through time over a stream, TBPTT(k1, k2): every k1 = 8
 * steps the gradient of the newest loss goes back over the last k2 = 32 steps.
 *
 *     stream   |  8  |  8  |  8  |  8  |  8  |  8  |  ...
 *     window 1 <---------------------->
 *     window 2       <---------------------->
 *
 * Windows overlap. Computing each anew runs every step k2/k1 = 4 times. With tl_cut each step runs
 * once: the tape forgets the oldest k1 steps and keeps the other k2 - k1 with all that their
 * gradient reads. Both ways give the same gradients; prints their greatest difference and the time.
 * Returns 1 if they differ. */
#include "tapeloop.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { K1 = 8, K2 = 32, CHUNKS = K2 / K1, WINDOWS = 60, B = 8, H = 48 };

static float gradient[2][WINDOWS * H * H];

static double now(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static tl_tensor weight(tl_tape *tape)
{
    float w[H * H];
    for (int k = 0; k < H * H; k++)
        w[k] = 0.2F * (float)cos(1.3 * k);
    return tl_input_f32(tape, tl_shape2(H, H), w);
}

/* chunk -- k1 steps h = tanh(h W + x_t); the state after them and, in *loss, mean h^2. */
static tl_tensor chunk(tl_tensor w, tl_tensor h, int first, tl_tensor *loss)
{
    static float x[K1 * B * H];
    for (int k = 0; k < K1 * B * H; k++)
        x[k] = (float)sin(0.7 * (first * B * H + k));
    tl_scan s = tl_scan_open(w.tape, K1, NULL);
    tl_tensor c = tl_scan_carry(s, h),
              now_x = tl_scan_each(s, tl_input_f32(w.tape, tl_shape3(K1, B, H), x));
    tl_scan_next(s, c, tl_tanh(tl_add(tl_matmul(c, w), now_x)));
    tl_scan_close(s);
    h = tl_scan_last(s, c);
    *loss = tl_mean_all(tl_square(h));
    return h;
}

/* with_cuts -- one tape for the whole stream. */
static int with_cuts(tl_tape *tape)
{
    /* state[0] is where the window begins, state[k] the state after its chunk k */
    tl_tensor w = weight(tape), state[CHUNKS + 1], loss, g;
    int have = 0;
    state[0] = tl_zeros(tape, TL_F32, tl_shape2(B, H));
    for (int c = 0; c < WINDOWS + CHUNKS - 1; c++) {
        state[have + 1] = chunk(w, state[have], c * K1, &loss);
        have++;
        const tl_tensor both[] = {state[have], loss};
        tl_eval(2, both); /* the only time that these steps run */
        if (have < CHUNKS)
            continue;
        const uint32_t mark = tl_tape_mark(tape);
        tl_grad(1, &loss, NULL, 1, &w, &g);
        tl_read_f32(g, gradient[0] + (c - CHUNKS + 1) * H * H, H * H);
        tl_tape_release(tape, mark);
        tl_tensor keep[CHUNKS];
        memcpy(keep, state + 2, (CHUNKS - 1) * sizeof *state);
        keep[CHUNKS - 1] = w;
        if (tl_cut(tape, 1, &state[1], CHUNKS, keep) != TL_OK)
            return tl_tape_status(tape);
        state[0] = state[1];
        memcpy(state + 1, keep, (CHUNKS - 1) * sizeof *state);
        w = keep[CHUNKS - 1];
        have--;
    }
    return tl_tape_status(tape);
}

/* anew -- every window from the state it begins with. */
static int anew(tl_tape *tape)
{
    float start[B * H] = {0};
    for (int k = 0; k < WINDOWS; k++) {
        tl_tensor w = weight(tape), h = tl_input_f32(tape, tl_shape2(B, H), start), next = h, loss,
                  g;
        for (int c = 0; c < CHUNKS; c++) {
            h = chunk(w, h, (k + c) * K1, &loss);
            next = c == 0 ? h : next;
        }
        tl_grad(1, &loss, NULL, 1, &w, &g);
        const tl_tensor both[] = {next, g};
        tl_eval(2, both);
        tl_read_f32(g, gradient[1] + k * H * H, H * H);
        if (tl_read_f32(next, start, B * H) != TL_OK || tl_tape_reset(tape) != TL_OK)
            return tl_tape_status(tape);
    }
    return TL_OK;
}

int main(void)
{
    int (*const way[])(tl_tape *) = {with_cuts, anew};
    double seconds[2] = {1e9, 1e9}, most = 0, size = 0;
    for (int turn = 0; turn < 6; turn++) { /* the better of three each */
        tl_tape *tape = tl_tape_new(NULL);
        const double start = now();
        if (!tape || way[turn % 2](tape) != TL_OK)
            return printf("%s\n", tl_tape_error(tape)), 1;
        const double took = now() - start;
        seconds[turn % 2] = took < seconds[turn % 2] ? took : seconds[turn % 2];
        tl_tape_free(tape);
    }
    for (int k = 0; k < WINDOWS * H * H; k++) {
        const double a = (double)gradient[0][k], b = (double)gradient[1][k];
        most = fmax(most, fabs(a - b));
        size = fmax(size, fabs(b));
    }
    printf("%d windows of %d steps, a new one every %d\n", WINDOWS, K2, K1);
    printf("greatest difference of gradients %.2g, greatest gradient %.2g\n", most, size);
    printf("with cuts %.4f s, every window anew %.4f s: %.2f times as long\n", seconds[0],
           seconds[1], seconds[1] / seconds[0]);
    return !(size > 0 && most <= 1e-5 * size);
}
