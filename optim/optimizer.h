/* optimizer.h -- what all optimizers share: a rule per parameter, recorded on the tape and ending
 * in an assignment.
 *
 *     tl_optim *adam = tl_adam_new(params, NULL, &err);
 *     tl_backward(loss);
 *     tl_clip_grad_norm(tape, params, 1.0);
 *     if (tl_optim_step(adam, tape) != TL_OK) ...
 *     tl_tape_reset(tape);
 *
 * A rule is data, like a cell: names of the values it keeps per parameter, and an update that
 * records mathematics. sgd.h and adam.h are rules; one of your own gets the rest from here. */
#ifndef TL_OPTIM_OPTIMIZER_H
#define TL_OPTIM_OPTIMIZER_H

#include "optim/transform.h"

TL_BEGIN_DECLS

#define TL_RULE_SLOTS 4
#define TL_RULE_OPTS 128

typedef struct tl_optim tl_optim;

typedef struct tl_rule {
    const char *name;
    int nslots;
    const char
        *slot[TL_RULE_SLOTS]; /* "m", "v": kept per parameter, of its shape, zeros at first */

    /* Returns the new value of the parameter and replaces slot[].
     *   opts  the options given to tl_optim_new
     *   lr    learning rate of this step
     *   t     1 in the parameter's first step, then 2, ...
     *   p, g  value and gradient */
    tl_tensor (*update)(const void *opts, double lr, int64_t t, tl_tensor p, tl_tensor g,
                        tl_tensor *slot);
} tl_rule;

/* tl_optim_new -- an optimizer of all parameters in params, by this rule. opts[size] is copied,
 * size <= TL_RULE_OPTS. The rule must outlive it. */
TL_API tl_optim *tl_optim_new(tl_params *params, const tl_rule *rule, double lr, const void *opts,
                              size_t size, tl_err *err);
TL_API void tl_optim_free(tl_optim *optim);

/* tl_optim_step -- one step for every unfrozen parameter that has a gradient (tl_backward): records
 * the rule under no_grad, queues the assignments, clears the gradients, commits. Other queued
 * effects (kept states) are committed with it. Returns TL_OK or the tape's code; then no parameter
 * and no state of the optimizer has changed. Errors of its own: TL_ENOGRAD if no parameter has a
 * gradient; TL_ERANGE for a learning rate that is negative or not finite. */
TL_API int tl_optim_step(tl_optim *optim, tl_tape *tape);

/* tl_optim_lr, tl_optim_set_lr -- the learning rate; changing it costs nothing (it is no part of a
 * plan's key). */
TL_API double tl_optim_lr(const tl_optim *optim);
TL_API void tl_optim_set_lr(tl_optim *optim, double lr);

/* tl_optim_transform -- from now on each step first applies fn to the gradients of the parameters
 * whose name is like the pattern (NULL: all), in the order of these calls: tl_transform_grads. A
 * step comes after tl_clip_grad_norm: fn sees what that left, and what fn adds is not limited.
 * pattern and ctx must outlive the optimizer. A gradient that was transformed is a whole one, see
 * tl_optim_set_rows. Returns TL_OK; TL_EINVAL without optim, fn or the ctx it reads, TL_ENAME if
 * no parameter's name is like the pattern, TL_ENOMEM: then the step is as before. */
TL_API int tl_optim_transform(tl_optim *optim, const char *pattern, tl_grad_fn fn, void *ctx);

/* What a step does with tables, parameters whose gradient is rows that were looked up. */
enum {
    TL_ROWS_ALL,  /* all of a table is updated; the default */
    TL_ROWS_SAME, /* only the rows used are, when that is less work. For rules that change nothing
                     where g is zero: the same numbers */
    TL_ROWS_ONLY  /* only the rows used are: for other rules, another rule */
};

/* tl_optim_set_rows -- one of the above; anything else changes nothing. With the latter two the
 * rule's update has to be element by element, and is also called with n rows of the table, of its
 * gradient and of its slots. tl_sgd_new and tl_adam_new set what fits their options. Such a step
 * costs what its rows cost if the tape is reset before the table is used again, see
 * tl_assign_rows. */
TL_API void tl_optim_set_rows(tl_optim *optim, int rows);

/* tl_optim_state -- what the rule keeps, as a parameter set to be saved and loaded with the
 * weights: "<parameter>.m", ..., and "<parameter>.step", the number of steps taken. Owned by the
 * optimizer. */
TL_API tl_params *tl_optim_state(tl_optim *optim);

/* tl_optim_steps -- the largest number of steps any parameter has taken. */
TL_API int64_t tl_optim_steps(const tl_optim *optim);

TL_END_DECLS
#endif
