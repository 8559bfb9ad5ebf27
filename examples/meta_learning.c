/* meta_learning.c -- a training is a program on the tape too: five steps of Adam on a small recurrent
 * network, the loss after them, and the gradient of that loss with respect to the learning rate and
 * to the weights it all started from.
 *
 * First the meta-gradient is held to central differences. Then the learning rate learns: a hundred
 * trainings, each from other weights on another signal, and after each one a step on log(rate). */
#include <math.h>
#include <stdio.h>
#include <tapeloop.h>

enum { T = 12, B = 8, H = 8, STEPS = 5, W = 5 };

/* signals -- [T+1,B,1]: waves of random phase and pace, drawn on the tape. */
static tl_tensor signals(tl_tape *tape)
{
    double t[T + 1];
    for (int i = 0; i <= T; i++)
        t[i] = i;
    tl_tensor time = tl_input_f64(tape, tl_shape3(T + 1, 1, 1), t);
    tl_tensor pace = tl_add_scalar(tl_rand(tape, TL_F64, tl_shape3(1, B, 1)), 0.3);
    tl_tensor phase = tl_scale(tl_rand(tape, TL_F64, tl_shape3(1, B, 1)), 6.28);
    return tl_detach(tl_sin(tl_add(tl_mul(time, pace), phase)));
}

/* prediction -- how badly the network w foretells the next value. */
static tl_tensor prediction(const tl_tensor *w, tl_tensor signal)
{
    tl_tape *tape = signal.tape;
    tl_tensor now = tl_slice(signal, 0, 0, T), then = tl_slice(signal, 0, 1, T);
    tl_scan s = tl_scan_open(tape, T, NULL);
    tl_tensor h = tl_scan_carry(s, tl_zeros(tape, TL_F64, tl_shape2(B, H)));
    tl_tensor x = tl_scan_each(s, now);
    tl_tensor next = tl_tanh(tl_add(tl_add(tl_matmul(x, w[0]), tl_matmul(h, w[1])), w[2]));
    tl_tensor y = tl_add(tl_matmul(next, w[3]), w[4]);
    tl_scan_next(s, h, next);
    tl_scan_close(s);
    return tl_mse(tl_scan_stacked(s, y), then);
}

/* weights -- where a training starts, drawn on the tape. */
static void weights(tl_tape *tape, tl_tensor *w)
{
    const tl_shape shape[W] = {tl_shape2(1, H), tl_shape2(H, H), tl_shape1(H), tl_shape2(H, 1),
                               tl_shape1(1)};
    for (int i = 0; i < W; i++)
        w[i] = tl_detach(tl_scale(tl_randn(tape, TL_F64, shape[i]), 0.4));
}

/* trained -- the loss on a second signal after STEPS steps of Adam on a first one. */
static tl_tensor trained(tl_tape *tape, const tl_tensor *start, tl_tensor rate)
{
    tl_tensor w[W], g[W], m[W], v[W], here = signals(tape), there = signals(tape);
    for (int i = 0; i < W; i++) {
        w[i] = start[i];
        m[i] = v[i] = tl_zeros(tape, TL_F64, tl_shape_of(w[i]));
    }
    for (int t = 1; t <= STEPS; t++) {
        tl_tensor loss = prediction(w, here);
        tl_grad(1, &loss, NULL, W, w, g);
        for (int i = 0; i < W; i++) {
            tl_adam_values after = tl_adam_update_lr(w[i], g[i], m[i], v[i], t, rate, NULL);
            w[i] = after.p, m[i] = after.m, v[i] = after.v;
        }
    }
    return prediction(w, there);
}

/* after_training -- the number, for this logarithm of the rate and with one weight moved; slope[0]
 * and [1], if asked for, its derivatives with respect to these two. NAN after an error. */
static double after_training(tl_tape *tape, double log_rate, double moved, double *slope)
{
    tl_tensor w[W], in[2], d[2];
    tl_set_draws(tape, 0); /* the same weights and signals every time */
    weights(tape, w);
    in[0] = tl_scalar(tape, TL_F64, log_rate);
    in[1] = tl_scalar(tape, TL_F64, moved);
    w[2] = tl_add(w[2], in[1]); /* all biases together */
    tl_tensor loss = trained(tape, w, tl_exp(in[0]));
    if (slope && tl_grad(1, &loss, NULL, 2, in, d) == TL_OK) {
        slope[0] = tl_item(d[0]);
        slope[1] = tl_item(d[1]);
    }
    const double value = tl_item(loss);
    if (tl_tape_status(tape) != TL_OK)
        fprintf(stderr, "%s\n", tl_tape_error(tape));
    tl_tape_reset(tape);
    return value;
}

/* agree -- the meta-gradient beside differences; whether they are equal to 1e-7. */
static int agree(tl_tape *tape)
{
    const char *const name[2] = {"log of the learning rate", "biases at the start"};
    const double h = 3e-4, at[2] = {log(0.02), 0};
    double slope[2];
    int all = 1;
    after_training(tape, at[0], at[1], slope);
    printf("d(loss after %d steps of Adam)    by the tape        by differences     relative\n",
           STEPS);
    for (int k = 0; k < 2; k++) {
        double f[4];
        for (int i = 0; i < 4; i++) {
            const double by = h * (double[]){-2, -1, 1, 2}[i];
            f[i] = after_training(tape, at[0] + (k == 0 ? by : 0), k == 1 ? by : 0, NULL);
        }
        const double want = (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h);
        const double off = fabs(slope[k] - want) / fabs(want);
        printf("by %-27s  %17.12f  %17.12f   %.1e\n", name[k], slope[k], want, off);
        all &= off < 1e-7;
    }
    return all;
}

int main(void)
{
    tl_tape *tape = tl_tape_new(NULL);
    if (!tape || !agree(tape)) {
        tl_tape_free(tape);
        return puts("the meta-gradient and differences do not agree"), 1;
    }
    double log_rate = log(1e-4), sum = 0, first = 0;
    tl_tensor w[W], d;
    printf("\ntrainings  learning rate  loss after %d steps (mean of ten)\n", STEPS);
    for (int n = 1; n <= 100; n++) {
        weights(tape, w);
        tl_tensor log_of_rate = tl_scalar(tape, TL_F64, log_rate);
        tl_tensor loss = trained(tape, w, tl_exp(log_of_rate));
        tl_grad(1, &loss, NULL, 1, &log_of_rate, &d);
        sum += tl_item(loss);
        log_rate -= 1.0 * fmax(-0.3, fmin(0.3, tl_item(d) * 2));
        if (tl_tape_status(tape) != TL_OK)
            return fprintf(stderr, "%s\n", tl_tape_error(tape)), 1;
        tl_tape_reset(tape);
        if (n % 10 == 0) {
            printf("%9d  %13.5f  %.4f\n", n, exp(log_rate), sum / 10);
            first = n == 10 ? sum : first;
            if (n == 100 && !(sum < first))
                return puts("the learned rate is no better"), 1;
            sum = 0;
        }
    }
    tl_tape_free(tape);
    return 0;
}
