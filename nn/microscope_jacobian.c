/* microscope_jacobian.c -- spectral radius and spectral norm of the step's Jacobian, for all steps
 * and rows at once.
 *
 * One step for every t: a scan without a carry, its states given. A vector is [T,B,width] for each
 * state; J v is a tangent, J'u a gradient. Row b of step t has a Jacobian of its own. */
#include "nn/microscope_look.h"

#include "core/forward.h"
#include "core/memory.h"
#include "core/random.h"
#include "core/scan.h"

#include <math.h>
#include <string.h>

/* vectors -- one for each row of each step, stored by state. */
typedef struct vectors {
    double *part[TL_CELL_STATES];
} vectors;

/* out = J v; or J'J v if twice. */
static int multiply(tl_look *l, int twice, const vectors *v, vectors *out)
{
    const tl_microscope *m = l->m;
    int S = m->nstates;
    tl_tensor w[TL_CELL_PARAMS] = {{0}}, aux[TL_CELL_AUX] = {{0}}, before[TL_CELL_STATES],
              tangent[TL_CELL_STATES], state[TL_CELL_STATES], got[TL_CELL_STATES],
              back[TL_CELL_STATES];
    tl_tensor x = tl__look_inputs(l, w, aux);
    for (int k = 0; k < S; k++) {
        tl_shape shape = tl_shape3(m->T, m->B, m->width[k]);
        before[k] = tl_input_f64(l->tape, shape, l->before[k]);
        tangent[k] = tl_input_f64(l->tape, shape, v->part[k]);
    }
    tl_scan s = tl_scan_open(l->tape, m->T, NULL);
    for (int k = 0; k < S; k++)
        state[k] = tl_scan_each(s, before[k]);
    l->cell->step(l->cell, w, tl_scan_each(s, x), state, l->cell->begin ? aux : NULL);
    tl_scan_close(s);
    for (int k = 0; k < S; k++)
        state[k] = tl_scan_stacked(s, state[k]);
    int code = tl_jvp(S, before, tangent, S, state, got);
    if (code == TL_OK && twice)
        code = tl_vjp(S, state, got, S, before, back);
    if (code == TL_OK)
        code = tl_eval(S, twice ? back : got);
    for (int k = 0; k < S && code == TL_OK; k++)
        code = tl_read_f64(twice ? back[k] : got[k], out->part[k], m->T * m->B * m->width[k]);
    return code;
}

/* <a, b> of row r = t B + b. */
static double dot(const tl_microscope *m, const vectors *a, const vectors *b, int64_t r)
{
    double sum = 0;
    for (int k = 0; k < m->nstates; k++)
        for (int64_t j = r * m->width[k]; j < (r + 1) * m->width[k]; j++)
            sum += a->part[k][j] * b->part[k][j];
    return sum;
}

/* a = (a - p b) / q in row r; q 0: zero. */
static void reduce(const tl_microscope *m, vectors *a, const vectors *b, double p, double q,
                   int64_t r)
{
    for (int k = 0; k < m->nstates; k++)
        for (int64_t j = r * m->width[k]; j < (r + 1) * m->width[k]; j++)
            a->part[k][j] = q > 0 ? (a->part[k][j] - p * b->part[k][j]) / q : 0;
}

static void draw(const tl_look *l, vectors *v, uint64_t stream)
{
    tl_rng rng = {l->o.seed, stream, 0};
    for (int k = 0; k < l->m->nstates; k++)
        for (int64_t j = 0; j < l->m->T * l->m->B * l->m->width[k]; j++)
            v->part[k][j] = 2 * tl__rng_uniform(&rng) - 1;
    for (int64_t r = 0; r < l->m->T * l->m->B; r++)
        reduce(l->m, v, v, 0, sqrt(dot(l->m, v, v, r)), r);
}

static void keep_largest(double *of, double a)
{
    if (a > *of || isnan(a))
        *of = a;
}

/* v <- J'J v / |J'J v|;  the norm of J'J v is the square of the largest singular value. */
static int spectral_norm(tl_look *l, vectors *v, vectors *u)
{
    tl_microscope *m = l->m;
    draw(l, v, 1);
    for (int i = 1; i <= l->o.iterations; i++) {
        int code = multiply(l, 1, v, u);
        if (code != TL_OK)
            return code;
        vectors turn = *v;
        for (int64_t r = 0; r < m->T * m->B; r++) {
            double norm = sqrt(dot(m, u, u, r));
            reduce(m, u, u, 0, norm, r);
            if (i == l->o.iterations)
                keep_largest(&m->spectral_norm[r / m->B], sqrt(norm));
        }
        *v = *u;
        *u = turn;
    }
    return TL_OK;
}

/* The larger |eigenvalue| of [a b; c d]. */
static double radius_of_two(double a, double b, double c, double d)
{
    double half = (a + d) / 2, square = (a - d) * (a - d) / 4 + b * c;
    return square < 0 ? sqrt(half * half - square) : fabs(half) + sqrt(square);
}

/* v <- J v / |J v|; at the end, in the plane of v and J v, with q the part of J v across v:
 *
 *     J v = a v + c q,  J q = b v + d q + what lies outside      ->  eigenvalues of [a b; c d] */
static int spectral_radius(tl_look *l, vectors *v, vectors *u, vectors *q, vectors *Jq)
{
    tl_microscope *m = l->m;
    int64_t rows = m->T * m->B;
    draw(l, v, 2);
    for (int i = 0; i < l->o.iterations; i++) {
        int code = multiply(l, 0, v, u);
        if (code != TL_OK)
            return code;
        vectors turn = *v;
        for (int64_t r = 0; r < rows; r++)
            reduce(m, u, u, 0, sqrt(dot(m, u, u, r)), r);
        *v = *u;
        *u = turn;
    }
    int code = multiply(l, 0, v, q);
    if (code != TL_OK)
        return code;
    for (int k = 0; k < m->nstates; k++) /* u = J v stays, q goes on from it */
        memcpy(u->part[k], q->part[k], (size_t)(rows * m->width[k]) * sizeof(double));
    for (int64_t r = 0; r < rows; r++) {
        double a = dot(m, v, u, r), size = sqrt(dot(m, u, u, r));
        reduce(m, q, v, a, 1, r);
        double c = sqrt(dot(m, q, q, r));
        reduce(m, q, q, 0, c > 1e-9 * size ? c : 0, r); /* along v alone: q is zero */
    }
    code = multiply(l, 0, q, Jq);
    for (int64_t r = 0; r < rows && code == TL_OK; r++) {
        double a = dot(m, v, u, r), c = dot(m, q, u, r), b = dot(m, v, Jq, r), d = dot(m, q, Jq, r);
        keep_largest(&m->radius[r / m->B], radius_of_two(a, b, c, d));
    }
    return code;
}

int tl__look_jacobians(tl_look *l)
{
    const tl_microscope *m = l->m;
    int64_t n = 0;
    for (int k = 0; k < m->nstates; k++)
        n += m->T * m->B * m->width[k];
    double *block = tl__calloc((size_t)(4 * n), sizeof *block), *at = block;
    vectors v[4];
    for (int i = 0; block && i < 4; i++)
        for (int k = 0; k < m->nstates; k++) {
            v[i].part[k] = at;
            at += m->T * m->B * m->width[k];
        }
    int code = block ? spectral_norm(l, &v[0], &v[1]) : TL_ENOMEM;
    if (code == TL_OK)
        code = spectral_radius(l, &v[0], &v[1], &v[2], &v[3]);
    tl__free(block);
    return code;
}
