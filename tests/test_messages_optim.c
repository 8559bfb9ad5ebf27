/* test_messages_optim.c -- every message of optimizers. */
#include "tests/messages.h"

static tl_params *fresh(void)
{
    static tl_params *set;
    tl_params_free(set);
    return set = tl_params_new(TL_F32);
}

/* step_of -- of an optimizer whose parameter has no gradient. */
static int step_of(tl_tape *tape)
{
    tl_params *set = tl_params_new(TL_F32);
    tl_param_new(set, "w", tl_shape1(2), NULL);
    tl_optim *sgd = tl_sgd_new(set, NULL, NULL);
    const int code = tl_optim_step(sgd, tape);
    tl_optim_free(sgd);
    tl_params_free(set);
    return code;
}

RETURNS(step_early, step_of(tape))
RECORDS(clip_early, tl_clip_grad_norm(tape, fresh(), 1))

static int sgd_bad(tl_tape *tape, tl_err *err)
{
    (void)tape;
    tl_sgd_opts o = tl_sgd_defaults();
    o.nesterov = 1;
    cr_expect_null(tl_sgd_new(fresh(), &o, err));
    return err->code;
}

static int adam_rows_decay(tl_tape *tape, tl_err *err)
{
    (void)tape;
    tl_adam_opts o = tl_adamw_defaults();
    o.sparse_rows = 1;
    cr_expect_null(tl_adam_new(fresh(), &o, err));
    return err->code;
}

static int adam_bad(tl_tape *tape, tl_err *err)
{
    (void)tape;
    tl_adam_opts o = tl_adam_defaults();
    o.beta2 = 1;
    cr_expect_null(tl_adam_new(fresh(), &o, err));
    return err->code;
}

static tl_tensor leave(const void *opts, double lr, int64_t t, tl_tensor p, tl_tensor g,
                       tl_tensor *slot)
{
    (void)opts, (void)lr, (void)t, (void)g, (void)slot;
    return p;
}

static tl_tensor grow(const void *opts, double lr, int64_t t, tl_tensor p, tl_tensor g,
                      tl_tensor *slot)
{
    (void)opts, (void)lr, (void)t, (void)p, (void)slot;
    return tl_expand_dims(g, 0);
}

static const tl_rule mine = {"mine", 1, {"m"}, leave};
static const tl_rule wrong = {"wrong", 0, {NULL}, grow};

MAKES(optim_no_params, tl_optim_new(NULL, &mine, 0.1, NULL, 0, err))
MAKES(optim_opts, tl_optim_new(fresh(), &mine, 0.1, NULL, TL_RULE_OPTS + 1, err))

static int optim_long_name(tl_tape *tape, tl_err *err)
{
    (void)tape;
    char name[600];
    memset(name, 'w', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    tl_params *set = fresh();
    cr_assert_not_null(tl_param_new(set, name, tl_shape1(2), err));
    cr_expect_null(tl_optim_new(set, &mine, 0.1, NULL, 0, err));
    return err->code;
}

/* optim_added_later -- the same name, found out in the step. */
static int optim_added_later(tl_tape *tape, tl_err *err)
{
    char name[600];
    memset(name, 'w', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    tl_params *set = fresh();
    tl_optim *o = tl_optim_new(set, &mine, 0.1, NULL, 0, err);
    cr_assert_not_null(tl_param_new(set, name, tl_shape1(2), err));
    int code = tl_optim_step(o, tape);
    tl_optim_free(o);
    return code;
}

static int optim_rule_shape(tl_tape *tape, tl_err *err)
{
    tl_params *set = fresh();
    tl_param *p = tl_param_new(set, "W", tl_shape1(2), err);
    tl_optim *o = tl_optim_new(set, &wrong, 0.1, NULL, 0, err);
    tl_backward(tl_sum_all(tl_use(tape, p)));
    int code = tl_optim_step(o, tape);
    tl_optim_free(o);
    return code;
}

MAKES(optim_no_opts, tl_optim_new(fresh(), &mine, 0.1, NULL, 8, err))

static int transform_no_number(tl_tape *tape, tl_err *err)
{
    (void)tape;
    tl_optim *o = tl_optim_new(fresh(), &mine, 0.1, NULL, 0, err);
    int code = tl_optim_transform(o, NULL, tl_grad_scaled, NULL);
    tl_optim_free(o);
    return code;
}

RETURNS(grads_no_number, tl_transform_grads(tape, fresh(), NULL, tl_grad_noisy, NULL))
RECORDS(scaled_no_number, tl_grad_scaled(NULL, tape, NULL, tl_zeros(tape, TL_F32, tl_shape1(2))))

/* ---- steps as functions ---------------------------------------------------------------------- */

static tl_tensor zeros(tl_tape *tape, int64_t n)
{
    return tl_zeros(tape, TL_F32, tl_shape1(n));
}

static tl_sgd_opts momentum(void)
{
    tl_sgd_opts o = tl_sgd_defaults();
    o.momentum = 0.9;
    return o;
}

static tl_adam_opts adam_with(double lr, double beta1, int sparse_rows)
{
    tl_adam_opts o = tl_adam_defaults();
    o.lr = lr;
    o.beta1 = beta1;
    o.sparse_rows = sparse_rows;
    return o;
}

static void adam_update(tl_tape *tape, tl_tensor g, int64_t t, tl_adam_opts o)
{
    const tl_tensor p = zeros(tape, 3);
    tl_adam_update(p, g, p, p, t, &o);
}

static const tl_tensor none;

RECORDS(update_g, tl_sgd_update(zeros(tape, 3), zeros(tape, 1), none, 1, NULL))
RECORDS(update_g_dtype,
        tl_sgd_update(zeros(tape, 3), tl_zeros(tape, TL_F64, tl_shape1(3)), none, 1, NULL))
RECORDS(update_m, tl_sgd_opts o = momentum();
        tl_sgd_update(zeros(tape, 3), zeros(tape, 3), none, 1, &o))
RECORDS(update_nesterov, tl_sgd_opts o = momentum(); o.nesterov = 1; o.dampening = 0.5;
        tl_sgd_update(zeros(tape, 3), zeros(tape, 3), zeros(tape, 3), 1, &o))
RECORDS(update_v,
        tl_adam_update(zeros(tape, 3), zeros(tape, 3), zeros(tape, 3), zeros(tape, 2), 1, NULL))
RECORDS(update_t, adam_update(tape, zeros(tape, 3), 0, tl_adam_defaults()))
RECORDS(update_lr, tl_sgd_update_lr(zeros(tape, 3), zeros(tape, 3), none, 1, zeros(tape, 2), NULL))
RECORDS(update_lr_none, tl_sgd_update_lr(zeros(tape, 3), zeros(tape, 3), none, 1, none, NULL))
RECORDS(update_rate, adam_update(tape, zeros(tape, 3), 1, adam_with(-1, 0.9, 0)))
RECORDS(update_beta, adam_update(tape, zeros(tape, 3), 1, adam_with(0.1, 1.5, 0)))
RECORDS(update_sparse, adam_update(tape, zeros(tape, 3), 1, adam_with(0.1, 0.9, 1)))

static int rate_of(double lr, tl_err *err)
{
    const tl_adam_opts o = adam_with(lr, 0.9, 0);
    cr_expect_null(tl_adam_new(fresh(), &o, err));
    return err->code;
}

RETURNS(adam_rate, rate_of(-1, err))
RETURNS(adam_rate_nan, rate_of(CHECK_NAN, err))

static int step_rate(tl_tape *tape, tl_err *err)
{
    tl_optim *o = tl_sgd_new(fresh(), NULL, err);
    tl_optim_set_lr(o, CHECK_INF);
    const int code = tl_optim_step(o, tape);
    tl_optim_free(o);
    return code;
}

static int rows_unknown(tl_tape *tape, tl_err *err)
{
    (void)tape;
    tl_optim *o = tl_sgd_new(fresh(), NULL, err);
    tl_optim_set_rows(o, 7);
    tl_optim_free(o);
    return TL_EINVAL;
}

/* ---- limits and patterns --------------------------------------------------------------------- */

RECORDS(clip_negative, tl_clip_grad_norm(tape, fresh(), -1))
RECORDS(clip_nan, tl_clip_grad_value(tape, fresh(), CHECK_NAN))
RECORDS(clip_no_params, tl_grad_norm(tape, NULL))

/* named -- a set of n parameters a, b, ... */
static tl_params *named(int n)
{
    tl_params *set = fresh();
    for (int i = 0; i < n; i++)
        cr_assert_not_null(tl_param_new(set, (char[]){(char)('a' + i), '\0'}, tl_shape1(2), NULL));
    return set;
}

static int transform_like(const char *pattern, int n)
{
    tl_optim *o = tl_sgd_new(named(n), NULL, NULL);
    const int code = tl_optim_transform(o, pattern, tl_grad_centred, NULL);
    tl_optim_free(o);
    return code;
}

RETURNS(transform_no_such, transform_like("encoder.*", 6))
RETURNS(transform_of_none, transform_like("encoder.*", 0))
RETURNS(freeze_no_such, tl_freeze_like(named(2), "encoder.*", 1))
RETURNS(freeze_no_params, tl_freeze_like(NULL, "*", 1))
RETURNS(grads_no_such, tl_transform_grads(tape, named(1), "c", tl_grad_centred, NULL))
RETURNS(grads_no_params, tl_transform_grads(tape, NULL, "c", tl_grad_centred, NULL))

static const row rows[] = {
    ROW(step_early, ENOGRAD,
        "sgd: no parameter has a gradient on this tape: did you forget tl_backward, or call it on "
        "another tape?"),
    ROW(clip_early, ENOGRAD,
        "tl_clip_grad_norm: no parameter has a gradient on this tape: tl_backward comes first"),
    ROW(sgd_bad, EINVAL,
        "sgd: got momentum 0, dampening 0, nesterov 1; want momentum >= 0, and with nesterov "
        "momentum > 0 and dampening 0"),
    ROW(adam_rows_decay, EINVAL,
        "adam: got sparse_rows with weight_decay 0.01, which is for all rows; want one of the two"),
    ROW(adam_bad, EINVAL, "adam: got beta1 0.9, beta2 1, eps 1e-08; want betas in [0,1), eps >= 0"),
    ROW(optim_no_params, EINVAL,
        "mine: got params NULL, rule given, 1 slots, 0 bytes of options (NULL); want both, with "
        "update, 0 to 4 slots, at most 128 bytes"),
    ROW(optim_opts, EINVAL,
        "mine: got params given, rule given, 1 slots, 129 bytes of options (NULL); want both, with "
        "update, 0 to 4 slots, at most 128 bytes"),
    ROW(optim_long_name, ENAME,
        "mine: parameter name wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww... is too long"),
    ROW(optim_added_later, ENAME,
        "step: mine: parameter name wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww... is too long"),
    ROW(optim_rule_shape, ESHAPE, "wrong: tl_assign: got f32 [1,2], but W is f32 [2]"),
    ROW(update_g, ESHAPE, "tl_sgd_update: g is f32 [1], want f32 [3] as p"),
    ROW(update_g_dtype, EDTYPE, "tl_sgd_update: g is f64 [3], want f32 [3] as p"),
    ROW(update_m, EINVAL, "tl_sgd_update: m is the inert tensor, want f32 [3]"),
    ROW(update_nesterov, EINVAL,
        "tl_sgd_update: sgd: got momentum 0.9, dampening 0.5, nesterov 1; want momentum >= 0, and "
        "with nesterov momentum > 0 and dampening 0"),
    ROW(update_v, ESHAPE, "tl_adam_update: v is f32 [2], want f32 [3] as p"),
    ROW(update_t, ERANGE, "tl_adam_update: got step 0, want 1 for the first"),
    ROW(update_lr, ESHAPE, "tl_sgd_update_lr: lr is f32 [2], want f32 [3] as p, or one element"),
    ROW(update_lr_none, EINVAL,
        "tl_sgd_update_lr: lr is the inert tensor, want f32 [3] or one element"),
    ROW(update_rate, ERANGE,
        "tl_adam_update: adam: got learning rate -1, want a finite one, 0 or more"),
    ROW(update_beta, EINVAL,
        "tl_adam_update: adam: got beta1 1.5, beta2 0.999, eps 1e-08; want betas in [0,1), eps >= "
        "0"),
    ROW(update_sparse, EINVAL,
        "tl_adam_update: got sparse_rows, which is for tl_adam_new; want all rows, or p, g, m and "
        "v gathered"),
    ROW(adam_rate, ERANGE, "adam: got learning rate -1, want a finite one, 0 or more"),
    ROW(adam_rate_nan, ERANGE, "adam: got learning rate nan, want a finite one, 0 or more"),
    ROW(step_rate, ERANGE, "step: sgd: got learning rate inf, want a finite one, 0 or more"),
    ROW(rows_unknown, EINVAL,
        "tl_optim_set_rows: got 7, want TL_ROWS_ALL, TL_ROWS_SAME or TL_ROWS_ONLY"),
    ROW(clip_negative, ERANGE, "tl_clip_grad_norm: got limit -1, want 0 or more"),
    ROW(clip_nan, ERANGE, "tl_clip_grad_value: got limit nan, want 0 or more"),
    ROW(clip_no_params, EINVAL, "tl_grad_norm: no parameters (NULL)"),
    ROW(transform_no_such, ENAME,
        "tl_optim_transform: no parameter is like \"encoder.*\"; there are a, b, c, d and 2 more"),
    ROW(transform_of_none, ENAME,
        "tl_optim_transform: no parameter is like \"encoder.*\"; there are none"),
    ROW(freeze_no_such, ENAME,
        "tl_freeze_like: no parameter is like \"encoder.*\"; there are a, b"),
    ROW(freeze_no_params, EINVAL, "tl_freeze_like: no parameters (NULL)"),
    ROW(grads_no_such, ENAME, "tl_transform_grads: no parameter is like \"c\"; there are a"),
    ROW(grads_no_params, EINVAL, "tl_transform_grads: no parameters (NULL)"),
    ROW(optim_no_opts, EINVAL,
        "mine: got params given, rule given, 1 slots, 8 bytes of options (NULL); want both, with "
        "update, 0 to 4 slots, at most 128 bytes"),
    ROW(transform_no_number, EINVAL,
        "tl_optim_transform: got ctx NULL, want the double that this function multiplies by"),
    ROW(grads_no_number, EINVAL,
        "tl_transform_grads: got ctx NULL, want the double that this function multiplies by"),
    ROW(scaled_no_number, EINVAL,
        "tl_grad_scaled: got ctx NULL, want the double that this function multiplies by"),
};

Test(messages_optim, say_what_came_and_what_was_wanted)
{
    walk_rows(COUNT(rows), rows);
    fresh();
}

Test(messages_optim, no_message_without_a_row)
{
    walk_rows(COUNT(rows), rows);
    fresh();
    check_sources("optim", 0, NULL, 0, NULL);
}
