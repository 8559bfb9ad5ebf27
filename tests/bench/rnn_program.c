/* rnn_program.c -- the built-in cell through tl_sequence, recorded and planned once, with its
 * gradients in training, and replayed by a session. */
#include "tests/bench/rnn_impl.h"
#include "tests/bench/rnn_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct program_run {
    rnn_model m;
    rnn_pass pass;
    tl_session *session;
} program_run;

static char message[512]; /* of the last failure */

static void program_close(void *run)
{
    program_run *p = run;
    if (!p)
        return;
    tl_session_free(p->session);
    rnn_model_close(&p->m);
    free(p);
}

static void grad_name(int k, char name[16])
{
    snprintf(name, 16, "d%d", k);
}

/* name_training -- the gradients of y for a given dy as outputs. */
static void name_training(program_run *p, tl_program *program, tl_tensor x, tl_tensor y)
{
    tl_tensor in[MOST_PARAMS + 1] = {x}, grad[MOST_PARAMS + 1];
    tl_tensor dy = tl_zeros(x.tape, TL_F32, tl_shape_of(y));
    for (int k = 0; k < p->m.nparams; k++)
        in[1 + k] = tl_use(x.tape, tl_params_at(p->m.set, k));
    tl_grad(1, &y, &dy, 1 + p->m.nparams, in, grad);
    tl_program_input(program, "dy", dy);
    tl_program_output(program, "dx", grad[0]);
    for (int k = 0; k < p->m.nparams; k++) {
        char name[16];
        grad_name(k, name);
        tl_program_output(program, name, grad[1 + k]);
    }
}

/* freeze -- the session; NULL, and err filled, on failure. */
static tl_session *freeze(program_run *p, tl_err *err)
{
    const rnn_case *c = p->m.d->shape;
    tl_tape *tape = tl_tape_new(NULL);
    tl_session *s = NULL;
    tl_program *program = tape ? tl_program_new(tape, "rnn") : NULL;
    if (program) {
        tl_tensor x = tl_zeros(tape, TL_F32, tl_shape3(c->T, c->B, c->I));
        tl_tensor y = tl_sequence_apply(p->m.seq, x, NULL).y;
        tl_program_input(program, "x", x);
        if (p->pass == RNN_TRAIN)
            name_training(p, program, x, y);
        else
            tl_program_output(program, "y", y);
        if (tl_program_close(program, err) == TL_OK)
            s = tl_session_new(program, err);
    }
    tl_program_free(program);
    tl_tape_free(tape);
    return s;
}

static void *program_open(const rnn_data *d, rnn_pass pass, const char **why)
{
    program_run *p = calloc(1, sizeof *p);
    tl_err err = {0};
    *why = "no memory";
    if (!p)
        return NULL;
    p->pass = pass;
    if (!rnn_model_open(&p->m, d, 0))
        p->session = freeze(p, &err);
    if (!p->session || tl_session_set_f32(p->session, "x", d->x, (int64_t)d->nx) != TL_OK ||
        (pass == RNN_TRAIN &&
         tl_session_set_f32(p->session, "dy", d->dy, (int64_t)d->ny) != TL_OK)) {
        snprintf(message, sizeof message, "%s", err.code ? err.message : "no memory");
        *why = message;
        program_close(p);
        return NULL;
    }
    return p;
}

static void program_prepare(void *run)
{
    program_run *p = run;
    if (p->pass == RNN_TRAIN)
        rnn_model_renew(&p->m);
}

static int program_step(void *run, const char **why)
{
    program_run *p = run;
    int code = tl_session_step(p->session);
    if (code)
        *why = tl_session_error(p->session);
    return code;
}

static int program_read(void *run, rnn_result *out, const char **why)
{
    program_run *p = run;
    const rnn_data *d = p->m.d;
    program_prepare(p);
    int code = program_step(p, why);
    if (code)
        return code;
    code = p->pass == RNN_INFER ? tl_session_get_f32(p->session, "y", out->y, (int64_t)d->ny)
                                : tl_session_get_f32(p->session, "dx", out->dx, (int64_t)d->nx);
    for (int k = 0; p->pass == RNN_TRAIN && k < p->m.nparams && !code; k++) {
        char name[16];
        grad_name(k, name);
        const float *g =
            tl_session_output(p->session, tl_program_find(tl_session_program(p->session), name));
        code = g ? TL_OK : TL_ENAME;
        if (g)
            rnn_model_gather(&p->m, &out->d, k, g);
    }
    if (code)
        *why = "a result is missing";
    return code;
}

const rnn_impl rnn_program = {"program",    program_open, program_prepare, program_step,
                              program_read, NULL,         program_close};
