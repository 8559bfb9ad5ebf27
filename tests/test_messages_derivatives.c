/* test_messages_derivatives.c -- every message of forward mode and of what is made of it. */
#include "tests/messages.h"

static tl_tape *other; /* a second tape */

static tl_tensor zeros(tl_tape *tape, int64_t a, int64_t b)
{
    return tl_zeros(tape, TL_F32, tl_shape2(a, b));
}

/* push -- tl_jvp of one input along one tangent. */
static int push(tl_tensor out, tl_tensor in, tl_tensor tangent)
{
    tl_tensor d;
    return tl_jvp(1, &in, &tangent, 1, &out, &d);
}

static tl_tensor elsewhere(void)
{
    cr_assert_eq(tl_tape_reset(other), TL_OK);
    return tl_zeros(other, TL_F32, tl_shape2(2, 3));
}

RETURNS(jvp_inert, push(zeros(tape, 2, 3), (tl_tensor){0}, zeros(tape, 2, 3)))
RETURNS(jvp_tape, push(zeros(tape, 2, 3), elsewhere(), zeros(tape, 2, 3)))
RETURNS(jvp_index, push(tl_zeros(tape, TL_I32, tl_shape1(2)), zeros(tape, 2, 3), zeros(tape, 2, 3)))
RETURNS(jvp_tangent, push(zeros(tape, 2, 3), zeros(tape, 2, 3), zeros(tape, 3, 2)))

static int jvp_nonlinear(tl_tape *tape, tl_err *err)
{
    (void)err;
    const tl_tensor x = zeros(tape, 2, 3);
    return push(tl_scale(tl_grad_clip(x, -1, 1), 10), x, x);
}

static int vjp_without(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_tensor x = zeros(tape, 2, 3), g;
    return tl_vjp(1, &x, NULL, 1, &x, &g);
}

static int hvp_of(tl_tensor loss, tl_tensor in, tl_tensor v)
{
    tl_tensor hv;
    return tl_hvp(loss, 1, &in, &v, &hv);
}

RETURNS(hvp_loss, hvp_of(zeros(tape, 2, 3), zeros(tape, 2, 3), zeros(tape, 2, 3)))
RETURNS(hvp_v, hvp_of(tl_scalar(tape, TL_F32, 1), zeros(tape, 2, 3), zeros(tape, 3, 2)))

static int jvp_nowhere(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_tensor x = zeros(tape, 2, 3);
    return tl_jvp(1, &x, NULL, 1, &x, NULL);
}

static int jvp_by_nothing(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_tensor x = zeros(tape, 2, 3), d;
    return tl_jvp(1, NULL, NULL, 1, &x, &d);
}

RETURNS(hvp_nowhere, tl_hvp(tl_scalar(tape, TL_F32, 1), 1, &(tl_tensor){0}, NULL, NULL))
RECORDS(jacobian_by, tl_jacobian(zeros(tape, 2, 3), zeros(tape, 2, 3), (tl_jacobian_by)7))

static int jacobian_rank(tl_tape *tape, tl_err *err)
{
    (void)err;
    int64_t dim[TL_MAX_RANK];
    for (int i = 0; i < TL_MAX_RANK; i++)
        dim[i] = 1;
    tl_tensor y = tl_zeros(tape, TL_F32, tl_shape_of_dims(TL_MAX_RANK - 1, dim));
    tl_jacobian(y, zeros(tape, 2, 3), TL_BY_ROWS);
    return tl_tape_status(tape);
}

static const row rows[] = {
    ROW(jvp_inert, EINVAL, "tl_jvp: input 0 is the inert tensor"),
    ROW(jvp_tape, ETAPE, "tl_jvp: input 0 lives on another tape than output 0"),
    ROW(jvp_nonlinear, EUNSUPPORTED,
        "grad_clip: its gradient is not linear in the one that comes in, so there is no tangent "
        "(tl_jvp, tl_hvp, TL_BY_COLUMNS); tl_grad of tl_grad and TL_BY_ROWS need none"),
    ROW(jvp_index, EDTYPE, "tl_jvp: output 0, ~, is i32, want f32 or f64"),
    ROW(jvp_tangent, ESHAPE, "tl_jvp: tangent 0 is f32 [3,2], want f32 [2,3] as input 0"),
    ROW(vjp_without, EINVAL, "tl_vjp: no cotangents (NULL), want one for each of 1 outputs"),
    ROW(hvp_loss, ESHAPE, "tl_hvp: the loss has shape [2,3], want a single number"),
    ROW(hvp_v, ESHAPE, "tl_hvp: v 0 is f32 [3,2], want f32 [2,3] as input 0"),
    ROW(jvp_nowhere, EINVAL, "tl_jvp: no room for the tangents (NULL), want 1"),
    ROW(jvp_by_nothing, EINVAL, "tl_jvp: no inputs (NULL), want 1"),
    ROW(hvp_nowhere, EINVAL, "tl_hvp: no room for the products (NULL), want 1"),
    ROW(jacobian_by, EINVAL, "tl_jacobian: got by = 7, want TL_BY_ROWS or TL_BY_COLUMNS"),
    ROW(jacobian_rank, ESHAPE,
        "tl_jacobian: got output [1,1,1,1,1,1,1] and input [2,3], want ranks of 8 at most "
        "together"),
};

/* A message that is grad.c's as well is shown in test_messages_core. */
static const left_out here_left_out[] = {
    {"this operation has no gradient rule", "tl_record refuses such a descriptor"},
};

static const char *const here[] = {"forward.c", "tangent.c", "tangent_scan.c", NULL};

Test(messages_derivatives, say_what_came_and_what_was_wanted)
{
    other = check_tape(2);
    walk_rows(COUNT(rows), rows);
    tl_tape_free(other);
}

Test(messages_derivatives, no_message_without_a_row)
{
    other = check_tape(2);
    walk_rows(COUNT(rows), rows);
    tl_tape_free(other);
    check_sources("core", 1, here, COUNT(here_left_out), here_left_out);
}
