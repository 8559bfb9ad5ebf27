/* rnn_tape.c -- ours: the built-in cell, the user's cell, the plain loop. They differ in two
 * functions, the cell with its weights and how the sequence is recorded; the step is one. */
#include "core/run.h"
#include "tests/bench/rnn_impl.h"
#include "tests/bench/rnn_model.h"
#include "tests/bench/stopwatch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct tape_run {
    rnn_model m;
    const rnn_data *d;
    rnn_pass pass;
    int loop; /* how it is recorded */
    tl_tape *tape;
    tl_tensor *ys; /* [T] of the loop */
    rnn_costs costs;
} tape_run;

static void tape_close(void *run)
{
    tape_run *t = run;
    if (!t)
        return;
    free(t->ys);
    tl_tape_free(t->tape);
    rnn_model_close(&t->m);
    free(t);
}

static void tape_prepare(void *run)
{
    tape_run *t = run;
    if (t->pass == RNN_TRAIN)
        rnn_model_renew(&t->m);
}

static void *tape_open(const rnn_data *d, rnn_pass pass, int user, int loop, const char **why)
{
    tape_run *t = calloc(1, sizeof *t);
    *why = "no memory";
    if (!t)
        return NULL;
    t->d = d;
    t->pass = pass;
    t->loop = loop;
    t->costs = (rnn_costs){(double)NAN, (double)NAN, (double)NAN};
    t->tape = tl_tape_new(NULL);
    t->ys = calloc((size_t)d->shape->T, sizeof *t->ys);
    if (rnn_model_open(&t->m, d, user) || !t->tape || !t->ys) {
        tape_close(t);
        return NULL;
    }
    return t;
}

/* one_loop -- a layer in one direction as a plain loop over t. x [T,B,I]; return [T,B,H]. */
static tl_tensor one_loop(tape_run *t, int run, tl_tensor x)
{
    const tl_cell *cell = tl_sequence_cell(t->m.seq);
    const rnn_case *c = t->d->shape;
    tl_tensor w[TL_CELL_PARAMS], state[TL_CELL_STATES];
    for (int k = 0; k < cell->nparams; k++)
        w[k] = tl_use(t->tape, tl_sequence_param(t->m.seq, run / c->D, run % c->D, k));
    for (int k = 0; k < cell->nstates; k++)
        state[k] = tl_zeros(t->tape, TL_F32, tl_shape2(c->B, c->H));
    for (int i = 0; i < c->T; i++) {
        int s = run % c->D ? c->T - 1 - i : i;
        t->ys[s] = cell->step(cell, w, tl_index(x, 0, s), state, NULL);
    }
    return tl_stack(c->T, t->ys, 0);
}

/* forward -- x [T,B,I] to y [T,B,D*H]. */
static tl_tensor forward(tape_run *t, tl_tensor x)
{
    if (!t->loop)
        return tl_sequence_apply(t->m.seq, x, NULL).y;
    const rnn_case *c = t->d->shape;
    for (int l = 0; l < c->L; l++) {
        tl_tensor y[2];
        for (int k = 0; k < c->D; k++)
            y[k] = one_loop(t, l * c->D + k, x);
        x = c->D == 2 ? tl_concat(2, y, -1) : y[0];
    }
    return x;
}

static tl_tensor input(const tape_run *t, int width, const float *data)
{
    const rnn_case *c = t->d->shape;
    return tl_input_borrow(t->tape, TL_F32, tl_shape3(c->T, c->B, width), data);
}

/* infer_once -- y, computed. */
static tl_tensor infer_once(tape_run *t)
{
    tl_no_grad_open(t->tape);
    tl_tensor y = forward(t, input(t, t->d->shape->I, t->d->x));
    tl_no_grad_close(t->tape);
    tl_eval(1, &y);
    return y;
}

/* train_once -- dx, computed; the gradients of the parameters are where a commit leaves them. */
static tl_tensor train_once(tape_run *t)
{
    const rnn_case *c = t->d->shape;
    tl_tensor in[MOST_PARAMS + 1], grad[MOST_PARAMS + 1];
    in[0] = input(t, c->I, t->d->x);
    tl_tensor y = forward(t, in[0]);
    for (int k = 0; k < t->m.nparams; k++)
        in[1 + k] = tl_use(t->tape, tl_params_at(t->m.set, k));
    tl_no_grad_open(t->tape);
    tl_tensor dy = input(t, c->D * c->H, t->d->dy);
    tl_grad(1, &y, &dy, 1 + t->m.nparams, in, grad);
    tl_no_grad_close(t->tape);
    for (int k = 0; k < t->m.nparams; k++)
        tl_set_param_grad(t->tape, tl_params_at(t->m.set, k), grad[1 + k]);
    tl_want(grad[0]);
    tl_commit(t->tape);
    return grad[0];
}

/* once -- one step, and what of it was no arithmetic. */
static tl_tensor once(tape_run *t)
{
    double start = now_ms();
    tl_tensor v = t->pass == RNN_TRAIN ? train_once(t) : infer_once(t);
    double whole = now_ms() - start;
    tl_run_stats s = tl__run_stats(t->tape);
    t->costs.key = 1e3 * s.key_seconds;
    if (s.plan_seconds > 0)
        t->costs.plan = 1e3 * s.plan_seconds;
    t->costs.record = whole - 1e3 * (s.key_seconds + s.plan_seconds + s.run_seconds);
    return v;
}

/* finish -- empties the tape; the reason if it had failed. */
static int finish(tape_run *t, const char **why)
{
    static char message[400];
    int code = tl_tape_status(t->tape);
    if (code) {
        strncpy(message, tl_tape_error(t->tape), sizeof message - 1);
        *why = message;
    }
    tl_tape_reset(t->tape);
    return code;
}

static int tape_step(void *run, const char **why)
{
    tape_run *t = run;
    once(t);
    return finish(t, why);
}

static int tape_read(void *run, rnn_result *out, const char **why)
{
    tape_run *t = run;
    const rnn_data *d = t->d;
    tape_prepare(t);
    tl_tensor v = once(t);
    if (t->pass == RNN_INFER)
        tl_read_f32(v, out->y, (int64_t)d->ny);
    else
        tl_read_f32(v, out->dx, (int64_t)d->nx);
    for (int k = 0; t->pass == RNN_TRAIN && k < t->m.nparams && !tl_tape_status(t->tape); k++) {
        int64_t n = rnn_model_elements(&t->m, k);
        double *wide = malloc((size_t)n * sizeof *wide);
        float *g = malloc((size_t)n * sizeof *g);
        int ok = wide && g && tl_param_grad_f64(tl_params_at(t->m.set, k), wide, n) == TL_OK;
        for (int64_t i = 0; ok && i < n; i++)
            g[i] = (float)wide[i];
        if (ok)
            rnn_model_gather(&t->m, &out->d, k, g);
        free(wide);
        free(g);
        if (!ok) {
            *why = "a gradient is missing";
            tl_tape_reset(t->tape);
            return 1;
        }
    }
    return finish(t, why);
}

static rnn_costs tape_costs(void *run)
{
    const tape_run *t = run;
    return t->costs;
}

static void *tapeloop_open(const rnn_data *d, rnn_pass pass, const char **why)
{
    return tape_open(d, pass, 0, 0, why);
}

static void *user_cell_open(const rnn_data *d, rnn_pass pass, const char **why)
{
    return tape_open(d, pass, 1, 0, why);
}

static void *loop_open(const rnn_data *d, rnn_pass pass, const char **why)
{
    return tape_open(d, pass, 0, 1, why);
}

const rnn_impl rnn_tapeloop = {"tapeloop", tapeloop_open, tape_prepare, tape_step,
                               tape_read,  tape_costs,    tape_close};
const rnn_impl rnn_user_cell = {"user_cell", user_cell_open, tape_prepare, tape_step,
                                tape_read,   tape_costs,     tape_close};
const rnn_impl rnn_loop = {"loop",    loop_open,  tape_prepare, tape_step,
                           tape_read, tape_costs, tape_close};
