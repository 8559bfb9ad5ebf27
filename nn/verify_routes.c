/* verify_routes.c -- the checks whose two routes agree up to rounding: scan and plain loop, batch
 * with lengths and rows alone. */
#include "nn/verify_check.h"

#include "core/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void label(char *text, size_t size, const char *what, const char *name, int reverse)
{
    snprintf(text, size, "%s%s%s", what, name, reverse ? " reverse" : "");
}

/* y and states, at every step and at the end: out vectors a, b. */
static void compare_outputs(tl_verify *v, tl_verify_check check, int reverse, const double *a,
                            const double *b)
{
    const tl_trial *t = &v->trial;
    char name[48];
    label(name, sizeof name, "", "y", reverse);
    const tl_verify_place y = {.shape = tl_shape3(t->T, t->B, t->H)};
    tl__verify_compare(v, check, name, -1, t->T * t->B * t->H, a, b, 0, &y);
    for (int k = 0; k < t->cell->nstates; k++) {
        int64_t n = t->group[t->cell->nparams + 1 + k].each, last = tl__trial_last(t, k),
                every = tl__trial_state(t, k);
        const tl_verify_place one = {.shape = tl_shape2(t->B, n / t->B)},
                              all = {.shape = tl_shape3(t->T, t->B, n / t->B)};
        label(name, sizeof name, "last ", t->cell->state[k].name, reverse);
        tl__verify_compare(v, check, name, -1, n, a + last, b + last, 0, &one);
        label(name, sizeof name, "every ", t->cell->state[k].name, reverse);
        tl__verify_compare(v, check, name, -1, t->T * n, a + every, b + every, 0, &all);
    }
}

/* Gradients of the first n groups, whole. */
static void compare_gradients(tl_verify *v, tl_verify_check check, int reverse, int n,
                              const double *a, const double *b)
{
    const tl_trial *t = &v->trial;
    double floor = 1e-3 * tl__verify_largest(t->size, b);
    for (int i = 0; i < n; i++) {
        const tl_group *g = &t->group[i];
        char own[40], name[80];
        label(name, sizeof name, i < t->nplain ? "grad " : "grad per step ",
              tl__verify_group(t, i, own, sizeof own), reverse);
        const tl_verify_place at = tl__verify_place_of(t, i, 1);
        tl__verify_compare(v, check, name, -1, g->steps * g->each, a + g->at, b + g->at, floor,
                           &at);
    }
}

void tl__verify_loop(tl_verify *v)
{
    tl__verify_open(v, TL_VERIFY_LOOP);
    for (int reverse = 0; reverse < 2; reverse++) {
        for (int unroll = 0; unroll < 2; unroll++) {
            tl_trial_run run = {0};
            run.reverse = reverse;
            run.unroll = unroll;
            run.out = v->out[unroll];
            run.grad = v->grad[unroll];
            if (!tl__verify_go(v, TL_VERIFY_LOOP, unroll ? "plain loop" : "scan", &v->trial, &run))
                return;
        }
        compare_outputs(v, TL_VERIFY_LOOP, reverse, v->out[0], v->out[1]);
        compare_gradients(v, TL_VERIFY_LOOP, reverse, v->trial.ngroups, v->grad[0], v->grad[1]);
    }
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* to[t, b, :] = from[t, 0, :] for t < steps. */
static void paste_row(double *to, const double *from, int64_t steps, int64_t B, int64_t b,
                      int64_t n)
{
    for (int64_t t = 0; t < steps; t++)
        memcpy(to + (t * B + b) * n, from + t * n, (size_t)n * sizeof *to);
}

/* Runs row b alone and pastes its results into out[1] and grad[1]; parameter gradients add. */
static int row_alone(tl_verify *v, int reverse, int64_t b, int64_t length, double *out,
                     double *grad)
{
    const tl_trial *t = &v->trial;
    const tl_cell *cell = t->cell;
    tl_trial row;
    tl_err err = {0};
    v->code = tl__trial_row(&row, t, b, length, &err);
    if (v->code != TL_OK)
        return 0;
    tl_trial_run run = {0};
    run.reverse = reverse;
    run.evaluation = 1;
    run.out = out;
    run.grad = grad;
    int ok = tl__verify_go(v, TL_VERIFY_ROWS, "row alone", &row, &run);
    for (int i = 0; ok && i < t->nplain; i++) {
        const tl_group *from = &row.group[i], *to = &t->group[i];
        for (int64_t j = 0; i < cell->nparams && j < to->each; j++)
            v->grad[1][to->at + j] += grad[from->at + j];
        if (i >= cell->nparams)
            paste_row(v->grad[1] + to->at, grad + from->at, from->steps, t->B, b, from->each);
    }
    if (ok)
        paste_row(v->out[1], out, length, t->B, b, t->H);
    for (int k = 0; ok && k < cell->nstates; k++) {
        int64_t n = row.group[cell->nparams + 1 + k].each;
        paste_row(v->out[1] + tl__trial_last(t, k), out + tl__trial_last(&row, k), 1, t->B, b, n);
        paste_row(v->out[1] + tl__trial_state(t, k), out + tl__trial_state(&row, k), length, t->B,
                  b, n);
    }
    tl__trial_close(&row);
    return ok;
}

/* The batch with NaN wherever a row has ended, in one direction. v->value and v->second serve as
 * scratch for the rows alone. */
static void check_rows_in(tl_verify *v, int reverse, const int32_t *lengths)
{
    tl_trial *t = &v->trial;
    const tl_group *x = &t->group[t->cell->nparams];
    double *value = v->direction;
    memcpy(value, t->value, (size_t)t->size * sizeof *value);
    for (int64_t s = 0; s < t->T; s++)
        for (int64_t b = 0; b < t->B; b++)
            for (int64_t i = 0; s >= lengths[b] && i < t->I; i++)
                value[x->at + (s * t->B + b) * t->I + i] = (double)NAN;

    tl_trial_run run = {0};
    run.reverse = reverse;
    run.evaluation = 1;
    run.lengths = lengths;
    run.value = value;
    run.out = v->out[0];
    run.grad = v->grad[0];
    if (!tl__verify_go(v, TL_VERIFY_ROWS, "batch with lengths", t, &run))
        return;
    memset(v->out[1], 0, (size_t)t->nout * sizeof(double));
    memset(v->grad[1], 0, (size_t)t->size * sizeof(double));
    for (int64_t b = 0; b < t->B; b++)
        if (!row_alone(v, reverse, b, lengths[b], v->value, v->second))
            return;
    compare_outputs(v, TL_VERIFY_ROWS, reverse, v->out[0], v->out[1]);
    compare_gradients(v, TL_VERIFY_ROWS, reverse, t->nplain, v->grad[0], v->grad[1]);
}

void tl__verify_rows(tl_verify *v)
{
    int64_t T = v->trial.T, B = v->trial.B;
    tl__verify_open(v, TL_VERIFY_ROWS);
    int32_t *lengths = tl__calloc((size_t)B, sizeof *lengths);
    if (!lengths) {
        v->code = TL_ENOMEM;
        return;
    }
    /* T, about half of it, one, none, then anything */
    for (int64_t b = 0; b < B; b++)
        lengths[b] = (int32_t)(b == 0   ? T
                               : b == 1 ? (T + 1) / 2
                               : b == 2 ? 1
                               : b == 3 ? 0
                                        : (int64_t)tl__rng_below(&v->rng, (uint64_t)T + 1));
    for (int reverse = 0; reverse < 2 && v->code == TL_OK; reverse++)
        check_rows_in(v, reverse, lengths);
    tl__free(lengths);
}
