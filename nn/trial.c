/* trial.c -- a small program around a cell. */
#include "nn/trial.h"
#include "nn/recur.h"

#include "core/forward.h"
#include "core/memory.h"
#include "core/random.h"
#include "ops/ops.h"

#include <string.h>

static int64_t width(const tl_trial *t, int k)
{
    return tl_cell_state_width(t->cell, k, t->I, t->H);
}

static void group_add(tl_trial *t, const char *name, tl_shape shape, int timed)
{
    tl_group *g = &t->group[t->ngroups++];
    g->name = name;
    g->at = t->size;
    g->shape = shape;
    g->timed = timed;
    g->steps = timed ? shape.dim[0] : 1;
    g->each = 1;
    for (int a = timed ? 1 : 0; a < shape.rank; a++)
        g->each *= shape.dim[a];
    t->size += g->steps * g->each;
}

static tl_shape with_time(int64_t T, tl_shape s)
{
    memmove(s.dim + 1, s.dim, (size_t)s.rank * sizeof *s.dim);
    s.dim[0] = T;
    s.rank++;
    return s;
}

/* Groups in the order of the drawing, and the vectors' lengths. */
static void lay_out(tl_trial *t)
{
    const tl_cell *cell = t->cell;
    for (int k = 0; k < cell->nparams; k++)
        group_add(t, cell->param[k].name, tl_cell_param_shape(cell, k, t->I, t->H), 0);
    group_add(t, "x", tl_shape3(t->T, t->B, t->I), 1);
    for (int k = 0; k < cell->nstates; k++)
        group_add(t, cell->state[k].name, tl_shape2(t->B, width(t, k)), 0);
    t->nplain = t->ngroups;
    for (int k = 0; k < cell->nparams; k++)
        group_add(t, cell->param[k].name, with_time(t->T, tl_cell_param_shape(cell, k, t->I, t->H)),
                  1);
    for (int k = 0; k < cell->nstates; k++)
        group_add(t, cell->state[k].name, tl_shape3(t->T, t->B, width(t, k)), 1);

    t->nloss = t->nout = t->T * t->B * t->H;
    for (int k = 0; k < cell->nstates; k++) {
        t->nloss += t->B * width(t, k);
        t->nout += (1 + t->T) * t->B * width(t, k);
    }
}

int64_t tl__trial_last(const tl_trial *t, int k)
{
    int64_t at = t->T * t->B * t->H;
    for (int j = 0; j < k; j++)
        at += t->B * width(t, j);
    return at;
}

int64_t tl__trial_state(const tl_trial *t, int k)
{
    int64_t at = tl__trial_last(t, t->cell->nstates);
    for (int j = 0; j < k; j++)
        at += t->T * t->B * width(t, j);
    return at;
}

static int prepare(tl_trial *t, tl_tape *tape, const tl_cell *cell, int64_t I, int64_t H, int64_t T,
                   int64_t B, tl_err *err)
{
    memset(t, 0, sizeof *t);
    t->cell = cell;
    t->I = I;
    t->H = H;
    t->T = T;
    t->B = B;
    lay_out(t);
    t->tape = tape;
    t->value = tl__calloc((size_t)t->size + 1, sizeof(double));
    t->weight = tl__calloc((size_t)t->nloss + 1, sizeof(double));
    if (t->value && t->weight)
        return TL_OK;
    tl__trial_close(t);
    return tl__fail(err, TL_ENOMEM, "verify %s: out of memory", cell->name);
}

static double between(tl_rng *r, double limit)
{
    return limit * (2 * tl__rng_uniform(r) - 1);
}

/* Initialisers keep a parameter in its domain; noise keeps zeros and ones from hiding mistakes. */
static int fill_params(tl_trial *t, uint64_t seed, tl_rng *r, tl_err *err)
{
    tl_params *set = tl_params_new(TL_F64);
    int code = set ? TL_OK : tl__fail(err, TL_ENOMEM, "verify %s: out of memory", t->cell->name);
    for (int k = 0; k < t->cell->nparams && code == TL_OK; k++) {
        const tl_group *g = &t->group[k];
        tl_param *p = tl_param_new(set, g->name, g->shape, err);
        code = p ? tl_param_init(p, t->cell->param[k].init, seed, tl_cell_param_blocks(t->cell, k),
                                 t->H, g->shape.rank > 1 ? 0 : t->H, err)
                 : err->code;
        if (code == TL_OK)
            code = tl_param_get_f64(p, t->value + g->at, g->each);
        for (int64_t i = 0; i < g->each; i++)
            t->value[g->at + i] += between(r, 0.3);
    }
    tl_params_free(set);
    return code;
}

int tl__trial_open(tl_trial *t, tl_tape *tape, const tl_cell *cell, int64_t I, int64_t H, int64_t T,
                   int64_t B, uint64_t seed, tl_err *err)
{
    int code = prepare(t, tape, cell, I, H, T, B, err);
    if (code != TL_OK)
        return code;
    tl_rng r = {seed, 1, 0};
    code = fill_params(t, seed, &r, err);
    if (code != TL_OK) {
        tl__trial_close(t);
        return code;
    }
    for (int i = cell->nparams; i < t->nplain; i++)
        for (int64_t j = 0; j < t->group[i].steps * t->group[i].each; j++)
            t->value[t->group[i].at + j] = between(&r, 0.9);
    for (int64_t i = 0; i < t->nloss; i++)
        t->weight[i] = between(&r, 1);
    return TL_OK;
}

/* to[t, 0, :] = from[t, b, :] for t < steps. */
static void copy_row(double *to, const double *from, int64_t steps, int64_t B, int64_t b, int64_t n)
{
    for (int64_t t = 0; t < steps; t++)
        memcpy(to + t * n, from + (t * B + b) * n, (size_t)n * sizeof *to);
}

int tl__trial_row(tl_trial *t, const tl_trial *from, int64_t b, int64_t length, tl_err *err)
{
    const tl_cell *cell = from->cell;
    int code = prepare(t, from->tape, cell, from->I, from->H, length, 1, err);
    if (code != TL_OK)
        return code;
    for (int i = 0; i < cell->nparams; i++)
        memcpy(t->value + t->group[i].at, from->value + from->group[i].at,
               (size_t)t->group[i].each * sizeof(double));
    for (int i = cell->nparams; i < t->nplain; i++) {
        const tl_group *g = &from->group[i];
        copy_row(t->value + t->group[i].at, from->value + g->at, t->group[i].steps, from->B, b,
                 g->each / from->B);
    }
    copy_row(t->weight, from->weight, length, from->B, b, from->H);
    for (int k = 0; k < cell->nstates; k++)
        copy_row(t->weight + tl__trial_last(t, k), from->weight + tl__trial_last(from, k), 1,
                 from->B, b, width(t, k));
    return TL_OK;
}

void tl__trial_close(tl_trial *t)
{
    if (!t)
        return;
    tl__free(t->value);
    tl__free(t->weight);
    memset(t, 0, sizeof *t);
}

/* v (r + v/2), summed; *r moves behind the weights used. */
static tl_tensor curved(tl_tensor v, const double **r)
{
    tl_shape s = tl_shape_of(v);
    tl_tensor weight = tl_input_f64(v.tape, s, *r);
    *r += tl_shape_count(s);
    return tl_sum_all(tl_mul(v, tl_add(weight, tl_scale(v, 0.5))));
}

static int read_into(tl_tensor v, double **to)
{
    int64_t n = tl_shape_count(tl_shape_of(v));
    int code = tl_read_f64(v, *to, n);
    *to += n;
    return code;
}

static tl_recur_out record(tl_trial *t, const tl_trial_run *run, const tl_tensor *in)
{
    const tl_cell *cell = t->cell;
    tl_recur r;
    memset(&r, 0, sizeof r);
    r.cell = cell;
    r.H = t->H;
    r.w = in;
    r.x = in[cell->nparams];
    r.init = in + cell->nparams + 1;
    r.reverse = run->reverse;
    r.unroll = run->unroll;
    if (run->lengths) {
        r.lengths = tl_input_i32(t->tape, tl_shape1(t->B), run->lengths);
    } else {
        r.w_probe = in + t->nplain;
        r.state_probe = in + t->nplain + cell->nparams;
    }
    return tl__recur(&r, run->out != NULL);
}

/* Reads everything that is wanted; all of it is computed in one run. */
static int read_all(tl_trial *t, const tl_trial_run *run, const tl_recur_out *o, tl_tensor loss,
                    int n, const tl_tensor *grad, const tl_tensor *second)
{
    tl_tensor want[1 + 2 * TL_CELL_STATES + 1 + 2 * TL_TRIAL_GROUPS];
    int nwant = 0, S = t->cell->nstates, code;
    want[nwant++] = loss;
    if (run->out) {
        want[nwant++] = o->y;
        for (int k = 0; k < 2 * S; k++)
            want[nwant++] = k < S ? o->last[k] : o->every[k - S];
    }
    for (int i = 0; run->grad && i < n; i++)
        want[nwant++] = grad[i];
    for (int i = 0; run->second && i < n; i++)
        want[nwant++] = second[i];

    double ignored, *to = run->loss ? run->loss : &ignored;
    code = tl_eval(nwant, want);
    for (int i = 0; i < nwant && code == TL_OK; i++) {
        if (run->out && i == 1)
            to = run->out;
        if (run->grad && i == nwant - (run->second ? 2 * n : n))
            to = run->grad;
        if (run->second && i == nwant - n)
            to = run->second;
        code = read_into(want[i], &to);
    }
    return code;
}

/* The derivative of the loss in run->direction, without a backward pass. */
static int read_along(tl_trial *t, const tl_trial_run *run, tl_tensor loss, int n,
                      const tl_tensor *in)
{
    tl_tensor tangent[TL_TRIAL_GROUPS], along = {0};
    for (int i = 0; i < n; i++)
        tangent[i] = tl_input_f64(t->tape, t->group[i].shape, run->direction + t->group[i].at);
    int code = tl_jvp(n, in, tangent, 1, &loss, &along);
    return code == TL_OK ? tl_read_f64(along, run->along, 1) : code;
}

int tl__trial_go(tl_trial *t, const tl_trial_run *run)
{
    const double *value = run->value ? run->value : t->value, *r = t->weight;
    int n = run->lengths ? t->nplain : t->ngroups;
    tl_tape *tape = t->tape;
    tl_tape_reset(tape);
    tl_set_draws(tape, 0);
    tl_train(tape, !run->evaluation);
    int constant = !run->grad && !run->along;
    if (constant)
        tl_no_grad_open(tape);

    tl_tensor in[TL_TRIAL_GROUPS], grad[TL_TRIAL_GROUPS], second[TL_TRIAL_GROUPS];
    for (int i = 0; i < n; i++)
        in[i] = tl_input_f64(tape, t->group[i].shape, value + t->group[i].at);
    tl_recur_out o = record(t, run, in);
    tl_tensor loss = curved(o.y, &r);
    for (int k = 0; k < t->cell->nstates; k++)
        loss = tl_add(loss, curved(o.last[k], &r));

    if (run->along)
        return read_along(t, run, loss, n, in);
    if (run->grad) {
        tl_grad(1, &loss, NULL, n, in, grad);
        memset(run->grad, 0, (size_t)t->size * sizeof(double));
    }
    if (run->grad && run->second) {
        tl_tensor along = tl_scalar(tape, TL_F64, 0);
        for (int i = 0; i < n; i++) {
            tl_tensor d = tl_input_f64(tape, t->group[i].shape, run->direction + t->group[i].at);
            along = tl_add(along, tl_sum_all(tl_mul(grad[i], d)));
        }
        tl_grad(1, &along, NULL, n, in, second);
    }
    if (constant)
        tl_no_grad_close(tape);
    if (tl_tape_status(tape) != TL_OK)
        return tl_tape_status(tape);
    return read_all(t, run, &o, loss, n, grad, second);
}
