/* optimizer.c -- applies a rule to every parameter that has a gradient, and commits. */
#include "optim/optimizer.h"

#include "core/memory.h"
#include "core/op.h"
#include "ops/index.h"
#include "ops/merge_rows.h"
#include "optim/operands.h"

#include <stdio.h>
#include <string.h>

/* What the rule keeps for one parameter. */
typedef struct tl_kept {
    tl_param *slot[TL_RULE_SLOTS];
    tl_param *step; /* [], number of steps taken */
} tl_kept;

/* One function that a step applies to gradients before the rule. */
typedef struct transform {
    const char *pattern;
    tl_grad_fn fn;
    void *ctx;
} transform;

struct tl_optim {
    tl_params *params;
    const tl_rule *rule;
    tl_params *state;
    tl_kept *kept; /* [nkept], of parameter 0, 1, ... of params */
    uint32_t nkept, capacity;
    transform *transforms; /* [ntransforms], in the order of their use */
    uint32_t ntransforms, transforms_capacity;
    double lr;
    int rows;                                   /* TL_ROWS_ALL, ... */
    double opts[TL_RULE_OPTS / sizeof(double)]; /* doubles: aligned for any options */
};

static tl_param *keep_new(tl_optim *o, const tl_param *p, const char *what, tl_shape shape,
                          tl_err *err)
{
    char name[512];
    int n = snprintf(name, sizeof name, "%s.%s", tl_param_name(p), what);
    if (n >= (int)sizeof name) {
        tl__fail(err, TL_ENAME, "%s: parameter name %.40s... is too long", o->rule->name, name);
        return NULL;
    }
    tl_param *kept =
        tl_params_find(o->state, name); /* made before by a call that ran out of memory half-way */
    return kept ? kept : tl_param_new(o->state, name, shape, err);
}

/* Makes what is kept for parameters that were added to the set since the last call. */
static int keep_all(tl_optim *o, tl_err *err)
{
    uint32_t n = (uint32_t)tl_params_count(o->params);
    if (n <= o->nkept)
        return TL_OK;
    if (tl__grow(&o->kept, &o->capacity, n, sizeof *o->kept) != TL_OK)
        return tl__fail(err, TL_ENOMEM, "%s: out of memory", o->rule->name);
    for (; o->nkept < n; o->nkept++) {
        const tl_param *p = tl_params_at(o->params, (int)o->nkept);
        tl_kept *k = &o->kept[o->nkept];
        memset(k, 0, sizeof *k);
        for (int i = 0; i < o->rule->nslots; i++)
            if (!(k->slot[i] = keep_new(o, p, o->rule->slot[i], tl_param_shape(p), err)))
                return err->code;
        if (!(k->step = keep_new(o, p, "step", tl_shape0(), err)))
            return err->code;
    }
    return TL_OK;
}

tl_optim *tl_optim_new(tl_params *params, const tl_rule *rule, double lr, const void *opts,
                       size_t size, tl_err *err)
{
    tl_err local = {0};
    err = err ? err : &local;
    const char *name = rule && rule->name ? rule->name : "optimizer";
    if (!params || !rule || !rule->update || rule->nslots < 0 || rule->nslots > TL_RULE_SLOTS ||
        size > TL_RULE_OPTS || (size > 0 && !opts)) {
        tl__fail(err, TL_EINVAL,
                 "%s: got params %s, rule %s, %d slots, %zu bytes of options%s; want both, with "
                 "update, 0 to %d slots, at most %d bytes",
                 name, params ? "given" : "NULL", rule ? "given" : "NULL", rule ? rule->nslots : 0,
                 size, opts ? "" : " (NULL)", TL_RULE_SLOTS, TL_RULE_OPTS);
        return NULL;
    }
    tl_optim *o = tl__calloc(1, sizeof *o);
    if (o) {
        o->params = params;
        o->rule = rule;
        o->lr = lr;
        if (size)
            memcpy(o->opts, opts, size);
        o->state = tl_params_new(tl_params_dtype(params));
    }
    if (!o || !o->state) {
        tl__fail(err, TL_ENOMEM, "%s: out of memory", name);
        tl_optim_free(o);
        return NULL;
    }
    if (keep_all(o, err) != TL_OK) {
        tl_optim_free(o);
        return NULL;
    }
    return o;
}

void tl_optim_free(tl_optim *o)
{
    if (!o)
        return;
    tl_params_free(o->state);
    tl__free(o->kept);
    tl__free(o->transforms);
    tl__free(o);
}

static int64_t steps_of(const tl_kept *k)
{
    double steps = 0;
    tl_param_get_f64(k->step, &steps, 1);
    return (int64_t)steps;
}

/* New value and new slots of the whole parameter. */
static void step_whole(tl_optim *o, tl_tape *tape, tl_param *p, const tl_kept *k, int64_t t,
                       tl_tensor g)
{
    tl_tensor slot[TL_RULE_SLOTS];
    for (int i = 0; i < o->rule->nslots; i++)
        slot[i] = tl_use(tape, k->slot[i]);
    tl_assign(p, o->rule->update(o->opts, o->lr, t, tl_use_stored(tape, p), g, slot));
    for (int i = 0; i < o->rule->nslots; i++)
        tl_assign(k->slot[i], slot[i]);
}

/* The same for the rows idx of a table, g being merged: of equal indices the first has the sum,
 * and the first is what is assigned. */
static void step_rows(tl_optim *o, tl_tape *tape, tl_param *p, const tl_kept *k, int64_t t,
                      tl_tensor g, tl_tensor idx)
{
    tl_tensor slot[TL_RULE_SLOTS], rows = tl_gather(tl_use_stored(tape, p), idx);
    for (int i = 0; i < o->rule->nslots; i++)
        slot[i] = tl_gather(tl_use(tape, k->slot[i]), idx);
    tl_assign_rows(p, idx, o->rule->update(o->opts, o->lr, t, rows, g, slot));
    for (int i = 0; i < o->rule->nslots; i++)
        tl_assign_rows(k->slot[i], idx, slot[i]);
}

/* Whether the step is one on rows, and then which. Several passes over n rows are less than one
 * over all V when n is less than half of it. */
static int takes_rows(const tl_optim *o, const tl_param *p, tl_tensor g, tl_tensor *src,
                      tl_tensor *idx)
{
    if (o->rows == TL_ROWS_ALL || !tl__rows_of(g, src, idx))
        return 0;
    return o->rows == TL_ROWS_ONLY || 2 * tl_dim(*idx, 0) < tl_param_shape(p).dim[0];
}

/* Records the step of one parameter: new value, new slots, step count; its gradient is consumed. */
static void step_param(tl_optim *o, tl_tape *tape, tl_param *p, const tl_kept *k, tl_tensor g)
{
    tl_tensor src, idx, none = {0};
    const int64_t t = steps_of(k) + 1;
    if (takes_rows(o, p, g, &src, &idx))
        step_rows(o, tape, p, k, t, tl__merge_rows(src, idx), idx);
    else
        step_whole(o, tape, p, k, t, g);
    tl_assign(k->step, tl_scalar(tape, tl_params_dtype(o->state), (double)t));
    tl_set_param_grad(tape, p, none);
}

int tl_optim_step(tl_optim *o, tl_tape *tape)
{
    if (!o || !tape)
        return TL_EINVAL;
    if (tl_tape_status(tape) != TL_OK)
        return tl_tape_status(tape);
    tl_err err = {0};
    if (tl__rate_fits(o->rule->name, o->lr, &err) || keep_all(o, &err))
        return tl_tape_fail(tape, err.code, "step", "%s", err.message);

    tl_scope_open(tape, o->rule->name);
    for (uint32_t i = 0; i < o->ntransforms; i++) {
        const transform *f = &o->transforms[i];
        tl_transform_grads(tape, o->params, f->pattern, f->fn, f->ctx);
    }
    tl_no_grad_open(tape);
    int stepped = 0;
    for (uint32_t i = 0; i < o->nkept; i++) {
        tl_param *p = tl_params_at(o->params, (int)i);
        tl_tensor g = tl_param_is_frozen(p) ? (tl_tensor){0} : tl_param_grad(tape, p);
        if (!g.tape)
            continue;
        step_param(o, tape, p, &o->kept[i], g);
        stepped++;
    }
    tl_no_grad_close(tape);
    tl_scope_close(tape);
    if (stepped == 0)
        return tl_tape_fail(tape, TL_ENOGRAD, o->rule->name,
                            "no parameter has a gradient on this tape: did you forget tl_backward, "
                            "or call it on another tape?");
    return tl_commit(tape);
}

double tl_optim_lr(const tl_optim *o)
{
    return o ? o->lr : 0;
}

void tl_optim_set_lr(tl_optim *o, double lr)
{
    if (o)
        o->lr = lr;
}

int tl_optim_transform(tl_optim *o, const char *pattern, tl_grad_fn fn, void *ctx)
{
    if (!o || !fn)
        return TL_EINVAL;
    const char *fault = tl__transform_fault(fn, ctx);
    char text[TL_NO_SUCH_TEXT];
    if (fault)
        return tl__fail(NULL, TL_EINVAL, "tl_optim_transform: %s", fault);
    if (tl__no_such(o->params, pattern, text))
        return tl__fail(NULL, TL_ENAME, "tl_optim_transform: %s", text);
    if (tl__grow(&o->transforms, &o->transforms_capacity, o->ntransforms + 1,
                 sizeof *o->transforms) != TL_OK)
        return TL_ENOMEM;
    o->transforms[o->ntransforms++] = (transform){pattern, fn, ctx};
    return TL_OK;
}

void tl_optim_set_rows(tl_optim *o, int rows)
{
    if (rows < TL_ROWS_ALL || rows > TL_ROWS_ONLY)
        tl__fail(NULL, TL_EINVAL,
                 "tl_optim_set_rows: got %d, want TL_ROWS_ALL, TL_ROWS_SAME or TL_ROWS_ONLY", rows);
    else if (o)
        o->rows = rows;
}

tl_params *tl_optim_state(tl_optim *o)
{
    return o ? o->state : NULL;
}

int64_t tl_optim_steps(const tl_optim *o)
{
    int64_t most = 0;
    for (uint32_t i = 0; o && i < o->nkept; i++) {
        int64_t steps = steps_of(&o->kept[i]);
        most = steps > most ? steps : most;
    }
    return most;
}
