/* stream.c -- a character model that writes by itself: trained on the tape, frozen, and run one
 * character at a time.
 *
 * What is frozen is one step, with everything that it hands on as a state: h and c of the LSTM, and
 * the character that was drawn, which is what the next step reads.
 *
 *     h, c, char --> [ embed | LSTM | logits | draw ] --> h', c', char'
 *
 * Random draws go on from step to step. Two streams of the one program begin with draws far apart,
 * so they write different texts; each could run in a thread of its own. */
#include "tapeloop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char text[] = "Three wise men of Gotham, they went to sea in a bowl; and if the bowl "
                           "had been stronger, my song would have been longer.\n";

enum { E = 16, H = 48, STEPS = 200, CHARACTERS = 240, MANY = 20000 };

/* ---- the model ------------------------------------------------------------------------------- */

typedef struct model {
    int V;
    char symbol[256];
    tl_params *params;
    tl_embedding_layer *embedding;
    tl_sequence *lstm;
    tl_linear_layer *output;
} model;

static int model_open(model *m, tl_err *err)
{
    memset(m, 0, sizeof *m);
    for (const char *c = text; *c; c++)
        if (!memchr(m->symbol, *c, (size_t)m->V))
            m->symbol[m->V++] = *c;
    tl_cell cell = tl_lstm_cell(NULL);
    m->params = tl_params_new(TL_F32);
    m->embedding = tl_embedding_layer_new(m->params, "embedding", m->V, E, NULL, err);
    m->lstm = tl_sequence_new(m->params, "lstm", &cell, E, H, NULL, err);
    m->output = tl_linear_layer_new(m->params, "output", H, m->V, NULL, err);
    return m->embedding && m->lstm && m->output ? TL_OK : TL_ENOMEM;
}

static void model_close(model *m)
{
    tl_linear_layer_free(m->output);
    tl_sequence_free(m->lstm);
    tl_embedding_layer_free(m->embedding);
    tl_params_free(m->params);
}

/* logits -- [T,1,V] from characters [T,1]; final states to *state. */
static tl_tensor logits(const model *m, tl_tensor x, const tl_sequence_args *args, tl_tensor *state)
{
    tl_sequence_out out =
        tl_sequence_apply(m->lstm, tl_embedding_layer_apply(m->embedding, x), args);
    memcpy(state, out.state, 2 * sizeof *state);
    return tl_linear_layer_apply(m->output, out.y);
}

/* train -- to predict each character of the text from those before it; the first follows the last.
 * Returns the loss, in nats. */
static double train(const model *m, tl_tape *tape)
{
    enum { T = sizeof text - 1 };
    int32_t x[T], y[T];
    for (int t = 0; t < T; t++) {
        x[(t + 1) % T] = y[t] =
            (int32_t)((const char *)memchr(m->symbol, text[t], (size_t)m->V) - m->symbol);
    }
    tl_adam_opts opts = tl_adam_defaults();
    opts.lr = 0.01;
    tl_optim *adam = tl_adam_new(m->params, &opts, NULL);
    double loss = 0;
    for (int step = 0; step < STEPS; step++) {
        tl_tensor state[2];
        tl_tensor z = logits(m, tl_input_i32(tape, tl_shape2(T, 1), x), NULL, state);
        tl_tensor l = tl_cross_entropy(z, tl_input_i32(tape, tl_shape2(T, 1), y), -1);
        tl_backward(l);
        tl_clip_grad_norm(tape, m->params, 1);
        if (tl_optim_step(adam, tape) != TL_OK)
            break;
        loss = tl_item(l);
        tl_tape_reset(tape);
    }
    tl_optim_free(adam);
    return loss;
}

/* ---- the program ----------------------------------------------------------------------------- */

static tl_program *freeze(const model *m, tl_tape *tape, tl_err *err)
{
    tl_program *p = tl_program_new(tape, "stream");
    tl_sequence_args in = tl_sequence_args_defaults();
    tl_tensor state[2], x = tl_full(tape, TL_I32, tl_shape2(1, 1), m->V - 1); /* the line's end */
    for (int k = 0; k < 2; k++)
        in.initial[k] = tl_zeros(tape, TL_F32, tl_shape3(1, 1, H));
    tl_tensor drawn = tl_categorical(logits(m, x, &in, state)); /* [1,1] */
    tl_program_state(p, "h", in.initial[0], state[0]);
    tl_program_state(p, "c", in.initial[1], state[1]);
    tl_program_state(p, "character", x, drawn);
    if (tl_program_close(p, err) == TL_OK)
        return p;
    tl_program_free(p);
    return NULL;
}

/* print -- what the next n characters are. */
static int print(const model *m, tl_session *s, int n)
{
    const int character = tl_program_find(tl_session_program(s), "character");
    for (int i = 0; i < n; i++) {
        if (tl_session_step(s) != TL_OK)
            return puts(tl_session_error(s)), 1;
        putchar(m->symbol[*(const int32_t *)tl_session_state(s, character)]);
    }
    puts("");
    return 0;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int run(const model *m, tl_program *p, tl_err *err)
{
    tl_session *one = tl_session_new(p, err), *two = one ? tl_session_new(p, err) : NULL;
    if (!two)
        return puts(err->message), tl_session_free(one), 1;
    tl_session_set_draws(two, (uint64_t)1 << 32);
    printf("one stream:\n\n");
    int failed = print(m, one, CHARACTERS);
    printf("\nanother:\n\n");
    failed = failed || print(m, two, CHARACTERS);
    const double start = now();
    for (int i = 0; i < MANY && !failed; i++)
        failed = tl_session_step(one) != TL_OK;
    printf("\n%.1f microseconds a character\n", (now() - start) / MANY * 1e6);
    tl_session_free(one);
    tl_session_free(two);
    return failed;
}

int main(void)
{
    tl_set_on_error("print");
    tl_err err = {0};
    model m;
    tl_tape *tape = tl_tape_new(NULL);
    int failed = model_open(&m, &err) != TL_OK;
    if (!failed) {
        printf("trained to %.3f nats a character\n\n", train(&m, tape));
        tl_program *p = freeze(&m, tape, &err);
        tl_tape_free(tape); /* the program needs the parameters only */
        tape = NULL;
        failed = !p || run(&m, p, &err);
        tl_program_free(p);
    }
    tl_tape_free(tape);
    model_close(&m);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
