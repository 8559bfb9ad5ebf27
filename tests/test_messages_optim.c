/* test_messages_optim.c -- every message of optimizers. */
#include "tests/messages.h"

static tl_params *fresh(void)
{
    static tl_params *set;
    tl_params_free(set);
    return set = tl_params_new(TL_F32);
}

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

static const row rows[] = {
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
