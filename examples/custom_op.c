/* custom_op.c -- an operation of your own, and a gradient of your own.
 *
 * The operation is the logarithm of cosh, a loss that is quadratic near zero and linear far from it:
 * one block with kernels and a rule. tl_check_op says whether the rule is right; a wrong one, for
 * comparison, is found.
 *
 * The gradient is that of a fixed point z = tanh(w z + x), found by iterating. Through all
 * iterations it costs memory and time in their number; by the implicit function theorem
 *
 *     dz = (1 - z^2)(w dz + dx)     so     dx = g (1 - z^2) / (1 - w (1 - z^2))
 *
 * it needs z alone. Both give the same numbers. */
#include "tapeloop.h"

#include <math.h>
#include <stdio.h>

/* ---- an operation ---------------------------------------------------------------------------- */

/* log cosh(a) = |a| + log(1 + exp(-2|a|)) - log 2, which does not overflow. log 2 =
 * 0.69314718055994530942 */
static void log_cosh_f32(int64_t n, void *out, const void *const *in)
{
    const float *a = in[0];
    float *y = out;
    for (int64_t i = 0; i < n; i++)
        y[i] = fabsf(a[i]) + log1pf(expf(-2 * fabsf(a[i]))) - 0.69314718055994530942f;
}

static void log_cosh_f64(int64_t n, void *out, const void *const *in)
{
    const double *a = in[0];
    double *y = out;
    for (int64_t i = 0; i < n; i++)
        y[i] = fabs(a[i]) + log1p(exp(-2 * fabs(a[i]))) - 0.69314718055994530942;
}

static tl_tile_fn log_cosh_tile(const tl_dtype *in, tl_dtype out)
{
    (void)out;
    return in[0] == TL_F64 ? log_cosh_f64 : log_cosh_f32;
}

static void log_cosh_adjoint(tl_adj *q)
{
    q->d[0] = tl_mul(q->g, tl_tanh(q->in[0]));
}

static tl_tensor log_cosh_call(const tl_tensor *in);

static const tl_case log_cosh_cases[] = {
    {1, {{2, {3, 4}}}, {TL_ANY}, 0, log_cosh_call},
};

static const tl_op log_cosh_op = {
    .name = "log_cosh",
    .doc = "log(cosh(a))",
    .grad_doc = "da = g tanh(a)",
    .kind = TL_POINTWISE,
    .nin = 1,
    .shape = tl_infer_floating,
    .tile = log_cosh_tile,
    .lead = tl_lead_same,
    .adjoint = log_cosh_adjoint,
    .reads = TL_READS(0),
    .ncases = 1,
    .cases = log_cosh_cases,
};

static tl_tensor log_cosh(tl_tensor a)
{
    return tl_record(&log_cosh_op, 1, &a, NULL);
}

static tl_tensor log_cosh_call(const tl_tensor *in)
{
    return log_cosh(in[0]);
}

/* The same with a rule that is right at order 1 and wrong at order 2: tanh as a constant. */
static void wrong_adjoint(tl_adj *q)
{
    q->d[0] = tl_mul(q->g, tl_detach(tl_tanh(q->in[0])));
}

static const tl_op *wrong(void);

static tl_tensor wrong_call(const tl_tensor *in)
{
    return tl_record(wrong(), 1, in, NULL);
}

static const tl_op *wrong(void)
{
    static const tl_case cases[] = {{1, {{2, {3, 4}}}, {TL_ANY}, 0, wrong_call}};
    static tl_op op;
    op = log_cosh_op;
    op.name = "wrong_log_cosh";
    op.adjoint = wrong_adjoint;
    op.cases = cases;
    return &op;
}

static int check_operation(void)
{
    char report[400];
    const int code = tl_check_op(&log_cosh_op, NULL, report, sizeof report);
    printf("%s\n", report);
    const int found = tl_check_op(wrong(), NULL, report, sizeof report);
    printf("%s\n", report);
    return code == TL_OK && found == TL_ENOGRAD;
}

/* ---- a gradient ------------------------------------------------------------------------------ */

enum { ITERATIONS = 60 };

static const double w = 0.5;

static tl_tensor iterated(tl_tensor x)
{
    tl_tensor z = tl_tanh(x);
    for (int k = 0; k < ITERATIONS; k++)
        z = tl_tanh(tl_add(tl_scale(z, w), x));
    return z;
}

static void implicit_rule(tl_custom *q)
{
    const tl_tensor z = q->out[0], slope = tl_rsub_scalar(tl_square(z), 1);
    q->d[0] = tl_div(tl_mul(q->g[0], slope), tl_rsub_scalar(tl_scale(slope, w), 1));
}

static tl_tensor fixed_point(tl_tensor x)
{
    static const tl_custom_rule rule = {"fixed_point", implicit_rule, NULL};
    tl_no_grad_open(x.tape); /* nobody goes back through the iterations */
    const tl_tensor z = iterated(x);
    tl_no_grad_close(x.tape);
    tl_tensor result = {0};
    tl_custom_grad(1, &x, 1, &z, &rule, &result);
    return result;
}

static int check_gradient(void)
{
    enum { N = 4 };
    const double x[N] = {-1, -0.25, 0.5, 2};
    double unrolled[N], implicit[N], apart = 0;
    tl_tape *tape = tl_tape_new(NULL);
    const tl_tensor in = tl_input_f64(tape, tl_shape1(N), x);
    const tl_tensor y = iterated(in), z = fixed_point(in);
    tl_tensor dy, dz;
    tl_grad(1, &y, NULL, 1, &in, &dy);
    const uint32_t before = tl_tape_nodes(tape);
    tl_grad(1, &z, NULL, 1, &in, &dz);
    const uint32_t recorded = tl_tape_nodes(tape) - before;
    tl_read_f64(dy, unrolled, N);
    tl_read_f64(dz, implicit, N);
    for (int i = 0; i < N; i++) {
        printf("x %5.2f   dz/dx  unrolled %.15f  implicit %.15f\n", x[i], unrolled[i], implicit[i]);
        apart = fmax(apart, fabs(unrolled[i] - implicit[i]));
    }
    const int ok = tl_tape_status(tape) == TL_OK && apart < 1e-12;
    printf("%s; the implicit gradient is %u nodes\n",
           ok                     ? "the same"
           : tl_tape_status(tape) ? tl_tape_error(tape)
                                  : "not the same",
           (unsigned)recorded);
    tl_tape_free(tape);
    return ok;
}

int main(void)
{
    const int operation = check_operation(), gradient = check_gradient();
    return operation && gradient ? 0 : 1;
}
