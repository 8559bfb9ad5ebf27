/* custom.c -- views whose gradient is another one than the value's.
 *
 *     operands   value   in_0 .. in_n-1        the value is a view of the first
 *                          ^                   the planner looks at no other operand of a view
 *     rule                 d_i
 *
 * The rule travels in the node's numbers (attr.r), as bytes: those are copied with the node, and are
 * no part of a plan's key. */
#include "ops/custom.h"

#include "core/layout.h"
#include "core/op.h"
#include "core/space.h"
#include "ops/elementwise.h"
#include "ops/registry.h"

#include <string.h>

enum {
    MOST_IN = 24,
    MOST_OUT = 16,
    NUMBERS = sizeof(tl_custom_rule) / sizeof(double), /* a rule as numbers */
    MORE = 16                                          /* of a ctx that is copied */
};

_Static_assert(sizeof(tl_custom_rule) % sizeof(double) == 0, "a rule is a whole number of numbers");

static int first_view(const tl_attr *a, const tl_shape *from, const tl_layout *in,
                      const tl_shape *to, tl_layout *out)
{
    (void)a, (void)from, (void)to;
    *out = *in;
    return 0;
}

static int infer_first(tl_infer *q)
{
    q->shape = q->in[0];
    q->dtype = q->in_dtype[0];
    return TL_OK;
}

/* ---- a rule of one's own --------------------------------------------------------------------- */

/* joined -- the outputs as one tensor: itself, or a vector in which they lie one after the other.
 */
static tl_tensor joined(int n, const tl_tensor *out)
{
    if (n == 1)
        return out[0];
    tl_tensor piece[MOST_OUT];
    int64_t offset[MOST_OUT][TL_MAX_RANK] = {{0}}, at = 0;
    for (int k = 0; k < n; k++) {
        const int64_t count = tl_shape_count(tl_shape_of(out[k]));
        piece[k] = tl_reshape(out[k], tl_shape1(count));
        offset[k][0] = at;
        at += count;
    }
    return tl_assemble(tl_shape1(at), n, piece, (const int64_t(*)[TL_MAX_RANK])offset);
}

/* parted -- the other way; i[] is {nout, rank, extents..., rank, extents...}. */
static void parted(tl_tensor all, const int64_t *i, tl_tensor *out)
{
    const int n = (int)*i++;
    if (n == 1) {
        out[0] = all;
        return;
    }
    int64_t at = 0;
    for (int k = 0; k < n; k++) {
        const tl_shape s = tl_shape_of_dims((int)i[0], i + 1);
        const int64_t count = tl_shape_count(s);
        out[k] = tl_reshape(tl_slice(all, 0, at, count), s);
        at += count;
        i += 1 + s.rank;
    }
}

/* fits -- whether a gradient has the operand's dtype and shape; the shape may be one that broadcasting
 * makes of it. */
static int fits(const tl_adj *a, const char *name, int i, tl_tensor d)
{
    char text[2][TL_SHAPE_TEXT];
    tl_shape both;
    const tl_shape got = tl_shape_of(d), want = a->in_shape[i + 1];
    const tl_dtype dtype = a->in_dtype[i + 1];
    if (tl_dtype_of(d) == dtype && tl_shape_broadcast(got, want, &both) == TL_OK &&
        tl_shape_equal(both, got))
        return 1;
    tl_tape_fail(d.tape, tl_dtype_of(d) == dtype ? TL_ESHAPE : TL_EDTYPE, name,
                 "the rule's gradient of input %d is %s %s, want %s %s", i,
                 tl_dtype_name(tl_dtype_of(d)), tl_shape_text(got, text[0], sizeof text[0]),
                 tl_dtype_name(dtype), tl_shape_text(want, text[1], sizeof text[1]));
    return 0;
}

static void custom_adjoint(tl_adj *a)
{
    tl_custom_rule rule;
    tl_tensor out[MOST_OUT], g[MOST_OUT], d[MOST_IN] = {{0}};
    double ctx[MORE];
    memcpy(&rule, a->attr->r, sizeof rule);
    if (a->attr->nr > NUMBERS) {
        memcpy(ctx, a->attr->r + NUMBERS, (size_t)(a->attr->nr - NUMBERS) * sizeof *ctx);
        rule.ctx = ctx;
    }
    parted(a->out, a->attr->i, out);
    parted(a->g, a->attr->i, g);
    tl_custom q = {.ctx = rule.ctx,
                   .nin = a->nin - 1,
                   .nout = (int)a->attr->i[0],
                   .in = a->in + 1,
                   .out = out,
                   .g = g,
                   .need = a->need >> 1,
                   .d = d};
    rule.adjoint(&q);
    for (int i = 0; i < q.nin; i++)
        if (d[i].tape && (q.need >> i & 1u) && fits(a, rule.name, i, d[i]))
            a->d[i + 1] = d[i];
}

/* The case: a square whose rule is the true one, of a value that is a constant for gradients. */
static void square_rule(tl_custom *q)
{
    q->d[0] = tl_scale(tl_mul(q->g[0], q->in[0]), 2);
}

static tl_tensor square_call(const tl_tensor *in)
{
    static const tl_custom_rule rule = {"square", square_rule, NULL};
    const tl_tensor square = tl_mul(in[0], in[0]);
    tl_tensor y = {0};
    tl_custom_grad(1, in, 1, &square, &rule, &y);
    return y;
}

static const tl_case custom_cases[] = {
    {1, {{2, {2, 3}}}, {TL_ANY}, 0, square_call},
};

const tl_op tl_op_custom = {
    .name = "custom",
    .doc = "a, with a gradient of the user's",
    .grad_doc = "of the operands behind a: what the rule records",
    .shape_doc = "[...] -> [...]",
    .kind = TL_VIEW,
    .shape = infer_first,
    .view = first_view,
    .lead = tl_lead_same,
    .adjoint = custom_adjoint,
    .reads = TL_READS_OUT | (TL_READS(MOST_IN + 1) - 2), /* all but the first */
    .ncases = 1,
    .cases = custom_cases,
};

int tl__custom_outputs(const char *what, int nout, const tl_tensor *out)
{
    for (int k = 0; k < nout; k++) {
        const tl_dtype got = tl_dtype_of(out[k]), first = tl_dtype_of(out[0]);
        if (got == TL_I32)
            return tl_tape_fail(out[k].tape, TL_EDTYPE, what, "output %d is i32, want f32 or f64",
                                k);
        if (got != first)
            return tl_tape_fail(out[k].tape, TL_EDTYPE, what,
                                "output %d is %s, want %s as output 0", k, tl_dtype_name(got),
                                tl_dtype_name(first));
    }
    return TL_OK;
}

/* check -- the tensors that tl_custom_grad was given. */
static int check(tl_tape *tape, int nin, const tl_tensor *in, int nout, const tl_tensor *out,
                 const tl_custom_rule *rule)
{
    static const char what[] = "tl_custom_grad";
    if (nin < 1 || nin > MOST_IN || nout > MOST_OUT || !in)
        return tl_tape_fail(tape, TL_EINVAL, what,
                            "got %d inputs and %d outputs, want 1 to %d and 1 to %d", nin, nout,
                            MOST_IN, MOST_OUT);
    if (!rule || !rule->adjoint || !rule->name)
        return tl_tape_fail(tape, TL_EINVAL, what,
                            "there is no rule, or it has no name or adjoint");
    if (!tl__same_tape(what, nout, out) || !tl__same_tape(what, nin, in))
        return tl_tape_status(tape)
                   ? tl_tape_status(tape)
                   : tl_tape_fail(tape, TL_EINVAL, what, "one of the tensors is the inert tensor");
    return tl__custom_outputs(what, nout, out);
}

int tl_custom_grad(int nin, const tl_tensor *in, int nout, const tl_tensor *out,
                   const tl_custom_rule *rule, tl_tensor *result)
{
    return tl__custom_grad(nin, in, nout, out, rule, 0, result);
}

int tl__custom_grad(int nin, const tl_tensor *in, int nout, const tl_tensor *out,
                    const tl_custom_rule *rule, int doubles, tl_tensor *result)
{
    const tl_tensor first = nout > 0 && out ? out[0] : (tl_tensor){0};
    tl_tape *tape = first.tape;
    if (!result)
        return TL_EINVAL;
    int code = tape ? tl_tape_status(tape) : tl__inert_code(first);
    code = code ? code : check(tape, nin, in, nout, out, rule);
    if (!code) {
        int64_t i[1 + MOST_OUT * (1 + TL_MAX_RANK)] = {nout};
        double r[NUMBERS + MORE];
        int ni = 1;
        for (int k = 0; k < nout && nout > 1; k++) {
            const tl_shape s = tl_shape_of(out[k]);
            i[ni++] = s.rank;
            for (int a = 0; a < s.rank; a++)
                i[ni++] = s.dim[a];
        }
        memcpy(r, rule, sizeof *rule);
        if (doubles > 0)
            memcpy(r + NUMBERS, rule->ctx, (size_t)doubles * sizeof *r);
        tl_tensor operand[1 + MOST_IN] = {joined(nout, out)};
        memcpy(operand + 1, in, (size_t)nin * sizeof *in);
        const tl_attr attr = {ni, i, NUMBERS + doubles, r};
        parted(tl_record(&tl_op_custom, 1 + nin, operand, &attr), i, result);
        code = tl_tape_status(tape);
    }
    for (int k = 0; k < nout && code; k++)
        result[k] = tl__inert(first);
    return code;
}

/* ---- ready-made ------------------------------------------------------------------------------ */

static void grad_scale_adjoint(tl_adj *a)
{
    a->d[0] = tl_scale(a->g, a->attr->r[0]);
}

/* The cases are those in which the gradient is the true one. */
static tl_tensor grad_scale_call(const tl_tensor *in)
{
    return tl_grad_scale(in[0], 1);
}

static const tl_case grad_scale_cases[] = {
    {1, {{2, {2, 3}}}, {TL_ANY}, 0, grad_scale_call},
};

const tl_op tl_op_grad_scale = {
    .name = "grad_scale",
    .doc = "a",
    .grad_doc = "da = g k",
    .shape_doc = "[...] -> [...]",
    .kind = TL_VIEW,
    .nin = 1,
    .shape = infer_first,
    .view = first_view,
    .lead = tl_lead_same,
    .adjoint = grad_scale_adjoint,
    .ncases = 1,
    .cases = grad_scale_cases,
};

tl_tensor tl_grad_scale(tl_tensor t, double k)
{
    const tl_attr attr = {0, NULL, 1, &k};
    return tl_record(&tl_op_grad_scale, 1, &t, &attr);
}

tl_tensor tl_grad_reverse(tl_tensor t)
{
    return tl_grad_scale(t, -1);
}

static void grad_clip_adjoint(tl_adj *a)
{
    a->d[0] = tl_clamp(a->g, a->attr->r[0], a->attr->r[1]);
}

static tl_tensor grad_clip_call(const tl_tensor *in)
{
    return tl_grad_clip(in[0], -1e30, 1e30);
}

static const tl_case grad_clip_cases[] = {
    {1, {{2, {2, 3}}}, {TL_ANY}, 0, grad_clip_call},
};

const tl_op tl_op_grad_clip = {
    .name = "grad_clip",
    .doc = "a",
    .grad_doc = "da = g, each element brought into [lo,hi]",
    .shape_doc = "[...] -> [...]",
    .kind = TL_VIEW,
    .nin = 1,
    .shape = infer_first,
    .view = first_view,
    .lead = tl_lead_same,
    .adjoint = grad_clip_adjoint,
    .nonlinear = 1,
    .ncases = 1,
    .cases = grad_clip_cases,
};

tl_tensor tl_grad_clip(tl_tensor t, double lo, double hi)
{
    if (!(lo <= hi))
        return tl_fail_tensor(t, TL_ERANGE, "grad_clip", "got [%g,%g], want lo <= hi", lo, hi);
    const double r[] = {lo, hi};
    const tl_attr attr = {0, NULL, 2, r};
    return tl_record(&tl_op_grad_clip, 1, &t, &attr);
}

static int infer_straight(tl_infer *q)
{
    char a[TL_SHAPE_TEXT], b[TL_SHAPE_TEXT];
    if (q->in_dtype[0] == TL_I32 || q->in_dtype[0] != q->in_dtype[1] ||
        !tl_shape_equal(q->in[0], q->in[1]))
        return tl_infer_fail(q, TL_ESHAPE,
                             "got the value %s %s for %s %s, want equal shapes, f32 or f64",
                             tl_dtype_name(q->in_dtype[0]), tl_shape_text(q->in[0], a, sizeof a),
                             tl_dtype_name(q->in_dtype[1]), tl_shape_text(q->in[1], b, sizeof b));
    return infer_first(q);
}

static void straight_adjoint(tl_adj *a)
{
    a->d[1] = a->g;
}

static tl_tensor straight_call(const tl_tensor *in)
{
    return tl_straight_through(in[0], in[0]);
}

static const tl_case straight_cases[] = {
    {1, {{2, {2, 3}}}, {TL_ANY}, 0, straight_call},
};

const tl_op tl_op_straight_through = {
    .name = "straight_through",
    .doc = "a",
    .grad_doc = "db = g, da = 0",
    .shape_doc = "[...], [...] -> [...]",
    .kind = TL_VIEW,
    .nin = 2,
    .shape = infer_straight,
    .view = first_view,
    .lead = tl_lead_same,
    .adjoint = straight_adjoint,
    .ncases = 1,
    .cases = straight_cases,
};

tl_tensor tl_straight_through(tl_tensor value, tl_tensor t)
{
    const tl_tensor in[] = {value, t};
    return tl_record(&tl_op_straight_through, 2, in, NULL);
}
