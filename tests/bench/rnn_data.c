/* rnn_data.c -- draws and compares the arrays of a case. */
#include "tests/bench/rnn_data.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static size_t padded(size_t n)
{
    return (n * sizeof(float) + 127) / 64 * 64;
}

float *floats_room(size_t n)
{
    return aligned_alloc(64, padded(n));
}

float *floats_new(size_t n)
{
    float *a = floats_room(n);
    if (a)
        memset(a, 0, padded(n));
    return a;
}

/* fill -- numbers in [-scale, scale] from a multiplicative generator (Knuth's MMIX). */
static void fill(float *a, size_t n, float scale, uint64_t seed)
{
    for (size_t i = 0; a && i < n; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        a[i] = scale * ((float)(int32_t)(seed >> 32) * 0x1p-31f);
    }
}

/* sizes -- elements of the four arrays of a run. */
static void sizes(const rnn_data *d, int run, size_t n[4])
{
    const rnn_case *c = d->shape;
    size_t rows = (size_t)d->gates * (size_t)c->H;
    n[0] = rows * (size_t)rnn_case_input(c, run / c->D);
    n[1] = rows * (size_t)c->H;
    n[2] = n[3] = rows;
}

static void arrays(rnn_weights *w, int run, float **a[4])
{
    a[0] = &w->w_ih[run];
    a[1] = &w->w_hh[run];
    a[2] = &w->b_ih[run];
    a[3] = &w->b_hh[run];
}

static int weights_open(const rnn_data *d, rnn_weights *w)
{
    int ok = 1;
    for (int run = 0; run < d->runs; run++) {
        size_t n[4];
        float **a[4];
        sizes(d, run, n);
        arrays(w, run, a);
        for (int k = 0; k < 4; k++)
            ok = (*a[k] = floats_new(n[k])) && ok;
    }
    return ok;
}

static void weights_close(rnn_weights *w)
{
    for (int run = 0; run < RNN_RUNS; run++) {
        float **a[4];
        arrays(w, run, a);
        for (int k = 0; k < 4; k++)
            free(*a[k]);
    }
}

rnn_data *rnn_data_new(const rnn_case *c, rnn_cell cell)
{
    rnn_data *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->shape = c;
    d->cell = cell;
    d->gates = rnn_cell_gates(cell);
    d->runs = c->L * c->D;
    d->nx = (size_t)c->T * (size_t)c->B * (size_t)c->I;
    d->ny = (size_t)c->T * (size_t)c->B * (size_t)c->D * (size_t)c->H;
    d->x = floats_new(d->nx);
    d->dy = floats_new(d->ny);
    if (!weights_open(d, &d->w) || !d->x || !d->dy) {
        rnn_data_free(d);
        return NULL;
    }
    fill(d->x, d->nx, 1, 1);
    fill(d->dy, d->ny, 0.1f, 2);
    for (int run = 0; run < d->runs; run++) {
        size_t n[4];
        float **a[4], scale = 1 / sqrtf((float)c->H);
        sizes(d, run, n);
        arrays(&d->w, run, a);
        for (int k = 0; k < 4; k++)
            fill(*a[k], n[k], scale, (uint64_t)(10 + 4 * run + k));
    }
    return d;
}

void rnn_data_free(rnn_data *d)
{
    if (!d)
        return;
    weights_close(&d->w);
    free(d->x);
    free(d->dy);
    free(d);
}

rnn_result *rnn_result_new(const rnn_data *d)
{
    rnn_result *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->y = floats_new(d->ny);
    r->dx = floats_new(d->nx);
    if (!weights_open(d, &r->d) || !r->y || !r->dx) {
        rnn_result_free(r);
        return NULL;
    }
    return r;
}

void rnn_result_free(rnn_result *r)
{
    if (!r)
        return;
    weights_close(&r->d);
    free(r->y);
    free(r->dx);
    free(r);
}

static double difference(const float *a, const float *b, size_t n)
{
    double largest = 1e-30, error = 0;
    for (size_t i = 0; i < n; i++) {
        double x = (double)a[i], y = (double)b[i];
        if (!isfinite(x) || !isfinite(y))
            return (double)INFINITY;
        largest = fmax(largest, fmax(fabs(x), fabs(y)));
        error = fmax(error, fabs(x - y));
    }
    return error / largest;
}

/* keep -- the worst array so far. */
static void keep(double e, const char *name, double *worst, const char **where)
{
    if (e >= *worst) {
        *worst = e;
        *where = name;
    }
}

double rnn_result_difference(const rnn_data *d, rnn_pass pass, const rnn_result *a,
                             const rnn_result *b, const char **where)
{
    static const char *const name[4] = {"dW_ih", "dW_hh", "db_ih", "db_hh"};
    double worst = 0;
    if (pass == RNN_INFER) {
        keep(difference(a->y, b->y, d->ny), "y", &worst, where);
        return worst;
    }
    keep(difference(a->dx, b->dx, d->nx), "dx", &worst, where);
    for (int run = 0; run < d->runs; run++) {
        size_t n[4];
        sizes(d, run, n);
        const float *u[4] = {a->d.w_ih[run], a->d.w_hh[run], a->d.b_ih[run], a->d.b_hh[run]};
        const float *v[4] = {b->d.w_ih[run], b->d.w_hh[run], b->d.b_ih[run], b->d.b_hh[run]};
        for (int k = 0; k < 4; k++)
            keep(difference(u[k], v[k], n[k]), name[k], &worst, where);
    }
    return worst;
}
