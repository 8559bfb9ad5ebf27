/* scan_op.c -- what a loop is made of on the tape: the leaves of a body, the loop, its results, and
 * the view that holds a value in its step.
 *
 *     frame 0    xs   W   loop <--- last, stacked, summed
 *     body       carry   each(xs)   time   ...
 *
 * All but `stay` are recorded by scan.c and scan_result.c, and have their gradients from
 * scan_adjoint.c. */
#include "core/layout.h"
#include "core/scan_record.h"
#include "core/space.h"

/* The sweep hands gradients through these itself: see scan_adjoint.c. */
static void by_the_sweep(tl_adj *a)
{
    (void)a;
}

const tl_op tl_op_carry = {
    .name = "carry",
    .doc = "h, the value before the step",
    .grad_doc = "next of the adjoint scan's carry",
    .shape_doc = "-> as init",
    .kind = TL_LEAF,
    .adjoint = by_the_sweep,
};
const tl_op tl_op_each = {
    .name = "each",
    .doc = "xs[t]",
    .grad_doc = "dxs = stacked(g)",
    .shape_doc = "[T,...] -> [...]",
    .kind = TL_LEAF,
    .adjoint = by_the_sweep,
};
const tl_op tl_op_time = {
    .name = "time",
    .doc = "t",
    .grad_doc = "none",
    .shape_doc = "-> []",
    .kind = TL_LEAF,
    .no_gradient = 1,
};
const tl_op tl_op_loop = {
    .name = "scan",
    .doc = "runs a body T times",
    .grad_doc = "a scan of the body's adjoint, from the last step to the first",
    .shape_doc = "any -> none; results are last, stacked, summed",
    .kind = TL_LOOP,
    .adjoint = by_the_sweep,
};
const tl_op tl_op_last = {
    .name = "last",
    .doc = "the carry after all steps",
    .grad_doc = "init of the adjoint scan's carry",
    .shape_doc = "-> as the carry",
    .kind = TL_RESULT,
    .adjoint = by_the_sweep,
};
const tl_op tl_op_stacked = {
    .name = "stacked",
    .doc = "v of every step, [T,...]",
    .grad_doc = "dv = each(g)",
    .shape_doc = "[...] -> [T,...]",
    .kind = TL_RESULT,
    .adjoint = by_the_sweep,
};
const tl_op tl_op_summed = {
    .name = "summed",
    .doc = "sum over t of v",
    .grad_doc = "dv = g",
    .shape_doc = "[...] -> [...]",
    .kind = TL_RESULT,
    .adjoint = by_the_sweep,
};

/* The one thing to know of it is what is missing, `lead`: the planner computes nothing that hangs
 * on it for all steps at once. */
static int stay_view(const tl_attr *a, const tl_shape *from, const tl_layout *in,
                     const tl_shape *to, tl_layout *out)
{
    (void)a, (void)from, (void)to;
    *out = *in;
    return 0;
}

static void stay_adjoint(tl_adj *q)
{
    q->d[0] = q->g;
}

static tl_tensor stay_call(const tl_tensor *in)
{
    return tl__stay(in[0]);
}

static const tl_case stay_cases[] = {
    {1, {{2, {2, 3}}}, {TL_ANY}, 0, stay_call},
};

const tl_op tl_op_stay = {
    .name = "stay",
    .doc = "a, not to be computed before or after the loop it is in",
    .grad_doc = "da = g",
    .shape_doc = "[...] -> [...]",
    .kind = TL_VIEW,
    .nin = 1,
    .view = stay_view,
    .adjoint = stay_adjoint,
    .ncases = 1,
    .cases = stay_cases,
};

tl_tensor tl__stay(tl_tensor a)
{
    return tl_record(&tl_op_stay, 1, &a, NULL);
}
