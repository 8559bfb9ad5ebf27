/* test_table_steps.c -- steps that touch only the rows of a table that were used: the numbers of
 * steps on all of it, for SGD; Adam's other rule against plain C. */
#include "ops/ops.h"
#include "optim/optim.h"

#include "core/run.h"
#include "tests/check.h"

#include <stdlib.h>
#include <string.h>

enum { V = 50, E = 3, N = 8, STEPS = 5 };

/* model -- a table that is looked up, and a matrix. */
typedef struct model {
    tl_tape *tape;
    tl_params *set;
    tl_param *table, *w;
    tl_optim *optim;
} model;

static model model_new(tl_dtype dtype)
{
    model m = {check_tape(1), tl_params_new(dtype), NULL, NULL, NULL};
    m.table = tl_param_new(m.set, "table", tl_shape2(V, E), NULL);
    m.w = tl_param_new(m.set, "w", tl_shape2(E, E), NULL);
    double v[V * E];
    for (int i = 0; i < V * E; i++)
        v[i] = sin(i);
    tl_param_set_f64(m.table, v, V * E);
    tl_param_set_f64(m.w, v + 9, E * E);
    return m;
}

static void model_free(model *m)
{
    tl_optim_free(m->optim);
    tl_tape_free(m->tape);
    tl_params_free(m->set);
}

/* at -- the indices of a step, some of them equal, half of them of the step before. */
static void at(int step, int32_t *idx)
{
    for (int i = 0; i < N; i++)
        idx[i] = (int32_t)((7 * (i % 5) * (i % 5) + 3 * (step / 2)) % V);
}

static tl_tensor loss_of(model *m, int step, int64_t padding, int lookups)
{
    int32_t idx[N];
    at(step, idx);
    tl_tensor i = tl_reshape(tl_input_i32(m->tape, tl_shape1(N), idx), tl_shape2(2, N / 2)), sum;
    tl_tensor e = tl_embedding(tl_use(m->tape, m->table), i, padding);
    sum = tl_sum_all(tl_tanh(tl_matmul(e, tl_use(m->tape, m->w))));
    if (lookups == 2)
        sum = tl_add(
            sum, tl_sum_all(tl_square(tl_gather(tl_use(m->tape, m->table), tl_slice(i, 0, 1, 1)))));
    return sum;
}

/* has_scatter -- whether the last plan made the gradient of the whole table. */
static int has_scatter(const model *m)
{
    char *plan = tl__plan_dump(m->tape);
    const int has = plan && strstr(plan, "scatter_add");
    tl__free(plan);
    return has;
}

/* train -- steps, with whole gradients if `dense`. */
static void train(model *m, int64_t padding, int lookups, int dense, int reset)
{
    for (int k = 0; k < STEPS; k++) {
        cr_assert_eq(tl_backward(loss_of(m, k, padding, lookups)), TL_OK);
        if (dense)
            tl_optim_set_rows(m->optim, TL_ROWS_ALL);
        cr_assert_eq(tl_optim_step(m->optim, m->tape), TL_OK, "%s", tl_tape_error(m->tape));
        cr_assert_eq(has_scatter(m), dense);
        if (reset)
            cr_assert_eq(tl_tape_reset(m->tape), TL_OK);
    }
}

/* same -- both models' parameters, to a tolerance; 0: their bits. */
static void same(const model *a, const model *b, double tolerance)
{
    double x[V * E], y[V * E];
    tl_param_get_f64(a->table, x, V * E);
    tl_param_get_f64(b->table, y, V * E);
    assert_allclose(V * E, x, y, tolerance, tolerance);
    cr_assert(tolerance > 0 || memcmp(x, y, sizeof x) == 0);
    tl_param_get_f64(a->w, x, E * E);
    tl_param_get_f64(b->w, y, E * E);
    assert_allclose(E * E, x, y, tolerance, tolerance);
}

Test(table_steps, sgd_has_the_bits_of_whole_gradients)
{
    for (int way = 0; way < 8; way++) {
        const tl_dtype dtype = way % 2 ? TL_F64 : TL_F32;
        model m[2] = {model_new(dtype), model_new(dtype)};
        tl_sgd_opts o = tl_sgd_defaults();
        o.lr = 0.3;
        for (int k = 0; k < 2; k++) {
            m[k].optim = tl_sgd_new(m[k].set, &o, NULL);
            train(&m[k], way / 2 % 2 ? 0 : -1, 1, k, way / 4 == 0);
        }
        same(&m[0], &m[1], 0);
        model_free(&m[0]);
        model_free(&m[1]);
    }
}

Test(table_steps, several_look_ups)
{
    model m[2] = {model_new(TL_F64), model_new(TL_F64)};
    for (int k = 0; k < 2; k++) {
        m[k].optim = tl_sgd_new(m[k].set, NULL, NULL);
        train(&m[k], -1, 2, k, 1);
    }
    same(&m[0], &m[1], 1e-14);
    model_free(&m[0]);
    model_free(&m[1]);
}

/* Whatever needs all rows gets them: momentum, decay, clipping, a gradient that was read, a table
 * so small that rows do not pay. */
Test(table_steps, whole_gradients_where_they_are_needed)
{
    for (int way = 0; way < 5; way++) {
        model m = model_new(TL_F64);
        tl_sgd_opts o = tl_sgd_defaults();
        double g[V * E];
        if (way == 0)
            o.momentum = 0.9;
        if (way == 1)
            o.weight_decay = 0.1;
        m.optim = tl_sgd_new(m.set, &o, NULL);
        tl_tensor loss = loss_of(&m, 0, -1, 1);
        for (int k = 1; way == 4 && k < 4; k++)
            loss = tl_add(loss, loss_of(&m, k, -1, 1));
        cr_assert_eq(tl_backward(loss), TL_OK);
        if (way == 2)
            tl_clip_grad_norm(m.tape, m.set, 0.1);
        if (way == 3)
            cr_assert_eq(tl_read_f64(tl_param_grad(m.tape, m.table), g, V * E), TL_OK);
        cr_assert_eq(tl_optim_step(m.optim, m.tape), TL_OK, "%s", tl_tape_error(m.tape));
        cr_assert_eq(has_scatter(&m), way != 3, "way %d", way);
        model_free(&m);
    }
}

Test(table_steps, two_backward_passes_before_a_step)
{
    model m[2] = {model_new(TL_F64), model_new(TL_F64)};
    for (int k = 0; k < 2; k++) {
        m[k].optim = tl_sgd_new(m[k].set, NULL, NULL);
        for (int pass = 0; pass < 2; pass++)
            cr_assert_eq(tl_backward(loss_of(&m[k], pass, -1, 1)), TL_OK);
        if (k)
            tl_optim_set_rows(m[k].optim, TL_ROWS_ALL);
        cr_assert_eq(tl_optim_step(m[k].optim, m[k].tape), TL_OK);
    }
    same(&m[0], &m[1], 1e-14);
    model_free(&m[0]);
    model_free(&m[1]);
}

/* An index outside, found by the step's run: neither table nor matrix has changed. */
Test(table_steps, a_failed_step_changes_nothing)
{
    model m = model_new(TL_F64), before = model_new(TL_F64);
    m.optim = tl_sgd_new(m.set, NULL, NULL);
    const int32_t idx[2] = {1, V};
    tl_tensor e = tl_gather(tl_use(m.tape, m.table), tl_input_i32(m.tape, tl_shape1(2), idx));
    tl_backward(tl_sum_all(tl_tanh(tl_matmul(e, tl_use(m.tape, m.w)))));
    cr_assert_eq(tl_optim_step(m.optim, m.tape), TL_ERANGE);
    same(&m, &before, 0);
    model_free(&m);
    model_free(&before);
}

/* Adam on the rows used: their m, v and values as the formula says with t the number of steps, all
 * others untouched; the matrix as with Adam. */
Test(table_steps, adam_of_the_rows_used)
{
    model m = model_new(TL_F64), whole = model_new(TL_F64);
    tl_adam_opts o = tl_adam_defaults();
    o.lr = 0.1;
    whole.optim = tl_adam_new(whole.set, &o, NULL);
    o.sparse_rows = 1;
    m.optim = tl_adam_new(m.set, &o, NULL);
    double p[V * E], g[V * E], mean[V * E] = {0}, square[V * E] = {0}, got[V * E];
    tl_param_get_f64(m.table, p, V * E);
    for (int k = 0; k < STEPS; k++) {
        int32_t idx[N];
        at(k, idx);
        tl_tensor loss = loss_of(&m, k, -1, 1), use = tl_use(m.tape, m.table), d;
        tl_grad(1, &loss, NULL, 1, &use, &d);
        cr_assert_eq(tl_read_f64(d, g, V * E), TL_OK);
        cr_assert_eq(tl_tape_reset(m.tape), TL_OK);
        for (int v = 0; v < V; v++) {
            int used = 0;
            for (int i = 0; i < N; i++)
                used |= idx[i] == v;
            for (int e = v * E; used && e < (v + 1) * E; e++) {
                mean[e] = o.beta1 * mean[e] + (1 - o.beta1) * g[e];
                square[e] = o.beta2 * square[e] + (1 - o.beta2) * g[e] * g[e];
                p[e] -= o.lr / (1 - pow(o.beta1, k + 1)) * mean[e] /
                        (sqrt(square[e] / (1 - pow(o.beta2, k + 1))) + o.eps);
            }
        }
        tl_backward(loss_of(&m, k, -1, 1));
        cr_assert_eq(tl_optim_step(m.optim, m.tape), TL_OK, "%s", tl_tape_error(m.tape));
        cr_assert(!has_scatter(&m));
        cr_assert_eq(tl_tape_reset(m.tape), TL_OK);
        tl_param_get_f64(m.table, got, V * E);
        assert_allclose(V * E, got, p, 1e-12, 1e-13);
    }
    tl_params *state = tl_optim_state(m.optim);
    tl_param_get_f64(tl_params_find(state, "table.m"), got, V * E);
    assert_allclose(V * E, got, mean, 1e-12, 1e-14);
    tl_param_get_f64(tl_params_find(state, "table.v"), got, V * E);
    assert_allclose(V * E, got, square, 1e-12, 1e-14);
    cr_assert_eq(tl_optim_steps(m.optim), STEPS);
    model_free(&m);
    model_free(&whole);
}

Test(table_steps, adam_of_rows_has_no_decay)
{
    model m = model_new(TL_F64);
    tl_err err = {0};
    tl_adam_opts o = tl_adamw_defaults();
    cr_assert(!o.sparse_rows);
    o.sparse_rows = 1;
    cr_assert_null(tl_adam_new(m.set, &o, &err));
    cr_assert(err.code == TL_EINVAL && strstr(err.message, "sparse_rows"), "%s", err.message);
    model_free(&m);
}

/* The work of a step does not grow with the table. */
Test(table_steps, no_memory_of_the_tables_size)
{
    enum { LARGE = 100000, WIDE = 8 };
    tl_tape *tape = check_tape(1);
    tl_params *set = tl_params_new(TL_F32);
    tl_param *table = tl_param_new(set, "table", tl_shape2(LARGE, WIDE), NULL);
    tl_optim *sgd = tl_sgd_new(set, NULL, NULL);
    const int32_t idx[3] = {5, LARGE - 1, 5};
    const tl_buf *value = table->store.value;
    for (int k = 0; k < 3; k++) {
        tl_tensor e = tl_gather(tl_use(tape, table), tl_input_i32(tape, tl_shape1(3), idx));
        tl_backward(tl_sum_all(tl_exp(e)));
        cr_assert_eq(tl_optim_step(sgd, tape), TL_OK);
        cr_assert(tl__run_stats(tape).slab_bytes < LARGE);
        tl_tape_reset(tape);
        tl_use(tape, table);
        cr_assert_eq(table->store.value, value);
    }
    tl_optim_free(sgd);
    tl_tape_free(tape);
    tl_params_free(set);
}
