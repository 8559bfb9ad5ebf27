/* optimtest.h -- for tests of optimizers: two parameters, a curved loss, and its gradient in plain
 * C. Private to tests. */
#ifndef TL_TESTS_OPTIMTEST_H
#define TL_TESTS_OPTIMTEST_H

#include "ops/ops.h"
#include "optim/optim.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { A = 3, C = 4, BOTH = A + C };

/* loss = sum over both parameters of p^4/4 + k p, k = 1, 2, 3, ... over the elements of each. */
typedef struct optimtest {
    tl_tape *tape;
    tl_params *params;
    tl_param *a, *c; /* [A], [2,C/2] */
    double p[BOTH];  /* the reference's copy */
} optimtest;

static inline void optimtest_open(optimtest *o)
{
    tl_err err = {0};
    o->tape = tl_tape_new(NULL);
    o->params = tl_params_new(TL_F64);
    o->a = tl_param_new(o->params, "a", tl_shape1(A), &err);
    o->c = tl_param_new(o->params, "layer.c", tl_shape2(2, C / 2), &err);
    cr_assert(o->tape && o->a && o->c, "%s", err.message);
    for (int i = 0; i < BOTH; i++)
        o->p[i] = 0.3 * i - 1;
    tl_param_set_f64(o->a, o->p, A);
    tl_param_set_f64(o->c, o->p + A, C);
}

static inline void optimtest_close(optimtest *o)
{
    tl_params_free(o->params);
    tl_tape_free(o->tape);
}

static inline tl_tensor optimtest_loss_of(tl_tape *tape, tl_param *p)
{
    double k[BOTH];
    for (int i = 0; i < BOTH; i++)
        k[i] = i + 1;
    tl_tensor v = tl_use(tape, p), square = tl_mul(v, v);
    tl_tensor slope = tl_input_f64(tape, tl_param_shape(p), k);
    return tl_sum_all(tl_add(tl_scale(tl_mul(square, square), 0.25), tl_mul(slope, v)));
}

static inline tl_tensor optimtest_loss(optimtest *o)
{
    return tl_add(optimtest_loss_of(o->tape, o->a), optimtest_loss_of(o->tape, o->c));
}

/* The gradient at the reference's parameters. */
static inline void optimtest_gradient(const optimtest *o, double *g)
{
    for (int i = 0; i < BOTH; i++)
        g[i] = pow(o->p[i], 3) + (i < A ? i : i - A) + 1;
}

/* The library's parameters are the reference's. */
static inline void optimtest_same(int line, const optimtest *o)
{
    double got[BOTH];
    tl_param_get_f64(o->a, got, A);
    tl_param_get_f64(o->c, got + A, C);
    for (int i = 0; i < BOTH; i++)
        cr_assert(fabs(got[i] - o->p[i]) <= 1e-13 * (1 + fabs(o->p[i])),
                  "line %d: element %d: got %.17g, want %.17g", line, i, got[i], o->p[i]);
}

#endif
