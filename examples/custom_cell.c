/* custom_cell.c -- a cell of your own: written in ten lines, proven right, trained.
 *
 * The cell is the minimal gated unit (Zhou et al. 2016): a GRU with one gate in place of two. The
 * task is the adding problem (Hochreiter and Schmidhuber 1997): a sequence of pairs (value, mark);
 * two of the marks are 1, and the sum of the two values marked is asked for at the end. Answering 1
 * to everything gives a mean squared error of 1/6 = 0.167; doing better takes memory. */
#include "tapeloop.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* ---- the cell: its parameters, its equations, its description -------------------------------- */

enum { W_f, U_f, B_f, W_n, U_n, B_n };

/*     f  = sigm(x W_f' + h U_f' + b_f)          forget: how much of h is replaced
 *     n  = tanh(x W_n' + (f h) U_n' + b_n)      new: by what
 *     h' = (1 - f) h + f n                                                              */
static tl_tensor mgu_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *state,
                          const tl_tensor *aux)
{
    (void)cell, (void)aux;
    tl_tensor h = state[0], no_bias = {0};
    tl_tensor f = tl_sigmoid(tl_add(tl_linear(x, w[W_f], w[B_f]), tl_linear(h, w[U_f], no_bias)));
    tl_tensor fh = tl_mul(f, h);
    tl_tensor n = tl_tanh(tl_add(tl_linear(x, w[W_n], w[B_n]), tl_linear(fh, w[U_n], no_bias)));
    return state[0] = tl_lerp(h, n, f);
}

static tl_cell mgu_cell(void)
{
    tl_cell cell = tl_cell_make("mgu", mgu_step);
    tl_cell_param_add(&cell, "weight_fx", "H,I", tl_init_recurrent()); /* in the enum's order */
    tl_cell_param_add(&cell, "weight_fh", "H,H", tl_init_recurrent());
    tl_cell_param_add(&cell, "bias_f", "H", tl_init_constant(-1)); /* remember, at first */
    tl_cell_param_add(&cell, "weight_nx", "H,I", tl_init_recurrent());
    tl_cell_param_add(&cell, "weight_nh", "H,H", tl_init_orthogonal(1));
    tl_cell_param_add(&cell, "bias_n", "H", tl_init_constant(0));
    tl_cell_state_add(&cell, "h", "H");
    return cell;
}

/* ---- is it right? ---------------------------------------------------------------------------- */

static int verify(const tl_cell *cell)
{
    static char text[16384];
    tl_verify_report report;
    tl_err err = {0};
    int code = tl_cell_verify(cell, 3, 4, NULL, &report, &err);
    if (code != TL_OK && code != TL_ESTATE)
        printf("%s\n", err.message);
    else
        fputs(tl_verify_text(&report, text, sizeof text), stdout);
    tl_verify_report_close(&report);
    return code;
}

/* ---- does it learn? -------------------------------------------------------------------------- */

enum { T = 60, B = 32, H = 32, STEPS = 3000 };
static const double good_enough = 0.01;

/* Numbers in [0,1) from a linear congruential generator. */
static double uniform(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(*seed >> 40) / (double)(1 << 24);
}

/* x [T,B,2], y [B,1]: one mark in each half of the sequence. */
static void adding_problem(uint64_t *seed, float *x, float *y)
{
    for (int b = 0; b < B; b++) {
        int first = (int)(uniform(seed) * (T / 2)), second = T / 2 + (int)(uniform(seed) * (T / 2));
        y[b] = 0;
        for (int t = 0; t < T; t++) {
            float *pair = x + (t * B + b) * 2;
            pair[0] = (float)uniform(seed);
            pair[1] = t == first || t == second;
            y[b] += pair[0] * pair[1];
        }
    }
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Trains until the error, averaged over about 50 fresh batches, is good enough; returns it. */
static double train(tl_tape *tape, const tl_sequence *seq, const tl_linear_layer *head,
                    tl_optim *adam, tl_params *params)
{
    static float x[T * B * 2], y[B];
    uint64_t seed = 1;
    double average = 1.0 / 6, start = now();
    for (int step = 1; step <= STEPS && average > good_enough; step++) {
        adding_problem(&seed, x, y);
        tl_tensor xs = tl_input_f32(tape, tl_shape3(T, B, 2), x);
        tl_tensor target = tl_input_f32(tape, tl_shape2(B, 1), y);

        tl_tensor h = tl_sequence_apply(seq, xs, NULL).state[0];          /* [1,B,H] */
        tl_tensor guess = tl_linear_layer_apply(head, tl_index(h, 0, 0)); /* [B,1] */
        tl_tensor loss = tl_mse(guess, target);
        tl_backward(loss);
        tl_clip_grad_norm(tape, params, 1);
        if (tl_optim_step(adam, tape) != TL_OK)
            return 1; /* said by tl_set_on_error */

        average += 0.02 * (tl_item(loss) - average);
        tl_tape_reset(tape);
        if (step % 200 == 0)
            printf("  step %4d   mean squared error %.4f   %.1f s\n", step, average, now() - start);
    }
    return average;
}

int main(void)
{
    tl_set_on_error("print");
    tl_cell mgu = mgu_cell();
    if (verify(&mgu) != TL_OK)
        return EXIT_FAILURE;

    tl_err err = {0};
    tl_tape *tape = tl_tape_new(NULL);
    tl_params *params = tl_params_new(TL_F32);
    tl_sequence *seq = tl_sequence_new(params, "mgu", &mgu, 2, H, NULL, &err);
    tl_linear_layer *head = tl_linear_layer_new(params, "head", H, 1, NULL, &err);
    tl_adam_opts opts = tl_adam_defaults();
    opts.lr = 5e-3;
    tl_optim *adam = tl_adam_new(params, &opts, &err);
    double error = 1;
    if (tape && seq && head && adam) {
        printf("\nadding problem, %d steps long, %lld parameters\n", T,
               (long long)tl_params_elements(params));
        error = train(tape, seq, head, adam, params);
        printf("mean squared error %.4f; answering 1 to everything gives 0.1667\n", error);
    } else {
        fprintf(stderr, "custom_cell: %s\n", err.message);
    }

    tl_optim_free(adam);
    tl_linear_layer_free(head);
    tl_sequence_free(seq);
    tl_params_free(params);
    tl_tape_free(tape);
    return error < 0.05 ? EXIT_SUCCESS : EXIT_FAILURE;
}
