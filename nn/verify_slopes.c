/* verify_slopes.c -- the checks of gradients: forward against reverse mode, and against central
 * differences, of order one and two. */
#include "nn/verify_check.h"

#include <math.h>
#include <string.h>

/* (loss(value + h d) - loss(value - h d)) / 2h, d on [at, at+n). NaN when it does not run. */
static double slope(tl_verify *v, int64_t at, int64_t n, const double *d, double h)
{
    tl_trial *t = &v->trial;
    double loss[2] = {(double)NAN, (double)NAN};
    memcpy(v->value, t->value, (size_t)t->size * sizeof(double));
    for (int side = 0; side < 2; side++) {
        tl_trial_run run = {0};
        run.value = v->value;
        run.loss = &loss[side];
        for (int64_t i = 0; i < n; i++)
            v->value[at + i] = t->value[at + i] + (side ? -h : h) * d[i];
        if (tl__trial_go(t, &run) != TL_OK)
            return (double)NAN;
    }
    return (loss[0] - loss[1]) / (2 * h);
}

/* The same, tried again with other steps where it differs from `tape` by more than `allowed`: a
 * kink may lie within one step, not within all. */
static double best_slope(tl_verify *v, int64_t at, int64_t n, const double *d, double tape,
                         double allowed)
{
    double best = slope(v, at, n, d, v->o.step);
    for (int i = 0; i < 2 && !(fabs(best - tape) <= allowed); i++) {
        double other = slope(v, at, n, d, i ? v->o.step * 8 : v->o.step / 8);
        best = fabs(other - tape) < fabs(best - tape) ? other : best;
    }
    return best;
}

/* One line: group i at step s; element by element, or sampled and then as a whole along a random
 * direction. */
static void check_slopes(tl_verify *v, int i, int64_t s, double floor)
{
    const tl_group *g = &v->trial.group[i];
    const double *tape = v->grad[0] + g->at + s * g->each, one = 1;
    int64_t at = g->at + s * g->each, n = 0, most = v->o.samples;
    double *a = v->out[0], *b = v->out[1],
           allowed = v->o.tolerance * fmax(tl__verify_largest(g->each, tape), floor);
    char name[48];
    for (int64_t k = 0; k < g->each && k < most; k++, n++) {
        int64_t j = g->each <= most ? k : (int64_t)tl__rng_below(&v->rng, (uint64_t)g->each);
        v->sample[n] = j;
        a[n] = tape[j];
        b[n] = best_slope(v, at + j, 1, &one, a[n], allowed);
    }
    if (g->each > most) {
        double *d = v->direction, along = 0, size = 1 / sqrt((double)g->each);
        for (int64_t j = 0; j < g->each; j++) {
            d[j] = tl__rng_below(&v->rng, 2) ? size : -size;
            along += d[j] * tape[j];
        }
        v->sample[n] = -1;
        a[n] = along;
        b[n++] = best_slope(v, at, g->each, d, along, allowed);
    }
    tl_verify_place where = tl__verify_place_of(&v->trial, i, 0);
    where.sample = v->sample;
    tl__verify_compare(v, TL_VERIFY_GRADIENT, tl__verify_group(&v->trial, i, name, sizeof name),
                       g->timed ? s : -1, n, a, b, floor, &where);
}

/* One line: the derivative along a random v in group i, step s, and zero elsewhere. */
static void check_forward(tl_verify *v, int i, int64_t s, double floor)
{
    const tl_group *g = &v->trial.group[i];
    int64_t at = g->at + s * g->each;
    double forward = 0, reverse = 0;
    char name[48];
    memset(v->direction, 0, (size_t)v->trial.size * sizeof(double));
    for (int64_t j = at; j < at + g->each; j++) {
        v->direction[j] = 2 * tl__rng_uniform(&v->rng) - 1;
        reverse += v->direction[j] * v->grad[0][j];
    }
    tl__verify_group(&v->trial, i, name, sizeof name);
    tl_trial_run run = {0};
    run.direction = v->direction;
    run.along = &forward;
    if (tl__verify_go(v, TL_VERIFY_FORWARD, name, &v->trial, &run))
        tl__verify_compare(v, TL_VERIFY_FORWARD, name, g->timed ? s : -1, 1, &forward, &reverse,
                           floor, NULL);
}

void tl__verify_forward(tl_verify *v)
{
    tl_trial *t = &v->trial;
    tl_trial_run run = {0};
    run.grad = v->grad[0];
    tl__verify_open(v, TL_VERIFY_FORWARD);
    if (!tl__verify_go(v, TL_VERIFY_FORWARD, "gradient", t, &run))
        return;
    double floor = 1e-3 * tl__verify_largest(t->size, v->grad[0]);
    for (int i = 0; i < t->ngroups; i++)
        for (int64_t s = 0; s < t->group[i].steps && v->code == TL_OK; s++)
            check_forward(v, i, s, floor);
}

void tl__verify_gradient(tl_verify *v)
{
    tl_trial *t = &v->trial;
    tl_trial_run run = {0};
    run.grad = v->grad[0];
    tl__verify_open(v, TL_VERIFY_GRADIENT);
    if (!tl__verify_go(v, TL_VERIFY_GRADIENT, "gradient", t, &run))
        return;
    double floor = 1e-3 * tl__verify_largest(t->size, v->grad[0]);
    for (int i = 0; i < t->ngroups; i++)
        for (int64_t s = 0; s < t->group[i].steps && v->code == TL_OK; s++)
            check_slopes(v, i, s, floor);
}

/* ---- second ---------------------------------------------------------------------------------- */

/* H d from the tape against (gradient(value + h d) - gradient(value - h d)) / 2h, d random in
 * everything. */
void tl__verify_second(tl_verify *v)
{
    tl_trial *t = &v->trial;
    double h = v->o.step / 3;
    tl__verify_open(v, TL_VERIFY_SECOND);
    for (int64_t i = 0; i < t->size; i++)
        v->direction[i] = 2 * tl__rng_uniform(&v->rng) - 1;
    tl_trial_run run = {0};
    run.grad = v->grad[0];
    run.direction = v->direction;
    run.second = v->second;
    if (!tl__verify_go(v, TL_VERIFY_SECOND, "gradient of the gradient", t, &run))
        return;
    for (int side = 0; side < 2; side++) {
        tl_trial_run there = {0};
        there.grad = v->grad[side];
        there.value = v->value;
        for (int64_t i = 0; i < t->size; i++)
            v->value[i] = t->value[i] + (side ? -h : h) * v->direction[i];
        if (!tl__verify_go(v, TL_VERIFY_SECOND, "gradient", t, &there))
            return;
    }
    for (int64_t i = 0; i < t->size; i++)
        v->grad[0][i] = (v->grad[0][i] - v->grad[1][i]) / (2 * h);
    double floor = 1e-3 * tl__verify_largest(t->size, v->grad[0]);
    for (int i = 0; i < t->ngroups; i++) {
        const tl_group *g = &t->group[i];
        for (int64_t s = 0; s < g->steps; s++) {
            int64_t at = g->at + s * g->each;
            char name[48];
            const tl_verify_place where = tl__verify_place_of(t, i, 0);
            tl__verify_compare(v, TL_VERIFY_SECOND, tl__verify_group(t, i, name, sizeof name),
                               g->timed ? s : -1, g->each, v->second + at, v->grad[0] + at, floor,
                               &where);
        }
    }
}
