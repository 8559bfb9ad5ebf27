/* check_grad.c -- builds the scalar of some order, asks the tape for its gradient, and takes
 * differences of it. */
#include "ops/check_grad.h"

#include "core/grad.h"
#include "core/node.h"
#include "core/random.h"
#include "core/space.h"
#include "ops/elementwise.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* tl_trial -- one function with its inputs drawn: all elements one after the other in x. */
typedef struct tl_trial {
    tl_function fn;
    void *ctx;
    const tl_op *op; /* that must occur, or NULL */
    int nin, nout;
    const tl_check_input *in;
    tl_check_opts o;
    tl_tape *tape;
    int64_t first[TL_CHECK_MOST + 1]; /* input i is x[first[i] .. first[i + 1]) */
    double *x, *v;                    /* v: the direction that is taken */
    int64_t compared;
    double farthest; /* of all differences */
    char *report;
    size_t size;
} tl_trial;

tl_check_opts tl_check_defaults(void)
{
    return (tl_check_opts){
        .order = 2, .directions = 0, .step = 1e-4, .atol = 1e-7, .rtol = 1e-7, .seed = 1};
}

static int tell(const tl_trial *t, int code, const char *format, ...) TL_PRINTF(3, 4);

static int tell(const tl_trial *t, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (t->report && t->size)
        vsnprintf(t->report, t->size, format, args);
    va_end(args);
    return code;
}

static int is_smooth(const tl_check_input *in)
{
    return in->domain != TL_INDEX && in->domain != TL_BINARY;
}

/* ---- drawing --------------------------------------------------------------------------------- */

static double draw(tl_rng *r, tl_domain domain, int64_t bound)
{
    const double u = tl__rng_uniform(r);
    const int both = domain == TL_ANY || domain == TL_INNER;
    const double sign = both && !tl__rng_below(r, 2) ? -1 : 1;
    switch (domain) {
    case TL_ANY:
        return sign * (0.1 + 1.9 * u);
    case TL_POSITIVE:
        return 0.3 + 1.7 * u;
    case TL_UNIT:
    case TL_INNER:
        return sign * (0.1 + 0.8 * u);
    case TL_INDEX:
        return (double)tl__rng_below(r, (uint64_t)(bound > 0 ? bound : 1));
    case TL_BINARY:
        return (double)tl__rng_below(r, 2);
    }
    return u;
}

/* draw_input -- x of input i; no two elements of smooth inputs closer than 1e-3, as long as there
 * is room for that. */
static void draw_input(const tl_trial *t, int i)
{
    enum { TRIES = 100 };
    tl_rng r = {t->o.seed + (uint64_t)i, 0, 0};
    for (int64_t k = t->first[i]; k < t->first[i + 1]; k++) {
        int tie = 1;
        for (int tries = 0; tie && tries < TRIES; tries++) {
            t->x[k] = draw(&r, t->in[i].domain, t->in[i].bound);
            tie = 0;
            for (int64_t j = 0; is_smooth(&t->in[i]) && j < k && !tie; j++)
                tie = fabs(t->x[k] - t->x[j]) < 1e-3;
        }
    }
}

/* weights -- an input of this shape, drawn. */
static tl_tensor weights(const tl_trial *t, tl_shape shape, uint64_t number)
{
    const int64_t n = tl_shape_count(shape);
    double *w = tl__alloc((size_t)(n + 1) * sizeof *w);
    if (!w) {
        tl_tape_fail(t->tape, TL_ENOMEM, "tl_check_grad", "no memory for %lld weights",
                     (long long)n);
        return (tl_tensor){0};
    }
    tl_rng r = {t->o.seed + number, 0, 0};
    for (int64_t i = 0; i < n; i++)
        w[i] = draw(&r, TL_ANY, 0);
    const tl_tensor in = tl_input_f64(t->tape, shape, w);
    tl__free(w);
    return in;
}

/* ---- the scalar ------------------------------------------------------------------------------ */

/* curved -- sum over i of w_i (y_i + y_i^2 / 2), w drawn. */
static tl_tensor curved(const tl_trial *t, tl_tensor y, uint64_t number)
{
    const tl_shape s = tl_shape_of(y);
    const tl_tensor w = weights(t, s, number);
    const tl_tensor bent = tl_add(y, tl_scale(tl_mul(y, y), 0.5));
    return tl_reshape(tl_sum_keep(tl_mul(w, bent), (1u << s.rank) - 1), tl_shape0());
}

/* fresh -- an empty tape with the same draws ahead each time. */
static void fresh(const tl_trial *t)
{
    tl_tape_reset(t->tape);
    tl_set_draws(t->tape, 0);
}

static tl_tensor input(const tl_trial *t, int i)
{
    const double *x = t->x + t->first[i];
    if (t->in[i].domain != TL_INDEX)
        return tl_input_f64(t->tape, t->in[i].shape, x);
    const int64_t n = t->first[i + 1] - t->first[i];
    int32_t *whole = tl__alloc((size_t)(n + 1) * sizeof *whole);
    if (!whole) {
        tl_tape_fail(t->tape, TL_ENOMEM, "tl_check_grad", "no memory for %lld indices",
                     (long long)n);
        return (tl_tensor){0};
    }
    for (int64_t k = 0; k < n; k++)
        whole[k] = (int32_t)x[k];
    const tl_tensor in = tl_input_i32(t->tape, t->in[i].shape, whole);
    tl__free(whole);
    return in;
}

/* value_of -- records inputs and s0. */
static tl_tensor value_of(const tl_trial *t, tl_tensor *in)
{
    tl_tensor out[TL_CHECK_MOST] = {{0}}, sum = {0};
    for (int i = 0; i < t->nin; i++)
        in[i] = input(t, i);
    const int code = t->fn(t->ctx, t->tape, t->nin, in, t->nout, out);
    if (code)
        tl_tape_fail(t->tape, code, "tl_check_grad", "the function returned %d (%s)", code,
                     tl_strerror(code));
    for (int i = 0; i < t->nout && !tl_tape_status(t->tape); i++) {
        if (!tl_tensor_ok(out[i]) || out[i].tape != t->tape)
            tl_tape_fail(t->tape, TL_EINVAL, "tl_check_grad",
                         "the function left output %d unset, or set it to a tensor of another tape",
                         i);
        else if (tl_dtype_of(out[i]) != TL_I32) {
            const tl_tensor part = curved(t, out[i], 1000 + 16 * (uint64_t)i);
            sum = sum.tape ? tl_add(sum, part) : part;
        }
    }
    if (!sum.tape)
        tl_tape_fail(t->tape, TL_EDTYPE, "tl_check_grad",
                     "no output is f32 or f64: there is nothing to differentiate");
    return sum;
}

static int smooth(const tl_trial *t, const tl_tensor *in, tl_tensor *by, int *place)
{
    int n = 0;
    for (int i = 0; i < t->nin; i++)
        if (is_smooth(&t->in[i])) {
            place[n] = i;
            by[n++] = in[i];
        }
    return n;
}

/* scalar -- records inputs and the scalar of this order: 1 is s0, 2 is s1. */
static tl_tensor scalar(const tl_trial *t, int order, tl_tensor *in)
{
    const tl_tensor lower = value_of(t, in);
    if (order == 1)
        return lower;
    tl_tensor by[TL_CHECK_MOST], g[TL_CHECK_MOST], sum = {0};
    int place[TL_CHECK_MOST];
    const int n = smooth(t, in, by, place);
    tl_grad(1, &lower, NULL, n, by, g);
    for (int i = 0; i < n && !tl_tape_status(t->tape); i++) {
        const tl_tensor part = curved(t, g[i], 2000 + (uint64_t)i);
        sum = i ? tl_add(sum, part) : part;
    }
    return sum;
}

/* ---- both sides ------------------------------------------------------------------------------ */

/* moved -- the scalar with x[first .. first + n) moved by h along v. */
static double moved(const tl_trial *t, int order, int64_t first, int64_t n, double h)
{
    tl_tensor in[TL_CHECK_MOST];
    for (int64_t k = 0; k < n; k++)
        t->v[n + k] = t->x[first + k], t->x[first + k] += h * t->v[k];
    fresh(t);
    const double s = tl_item(scalar(t, order, in));
    memcpy(t->x + first, t->v + n, (size_t)n * sizeof *t->x);
    return s;
}

static double difference(const tl_trial *t, int order, int64_t first, int64_t n)
{
    const double h = t->o.step;
    const double near = moved(t, order, first, n, h) - moved(t, order, first, n, -h);
    const double far = moved(t, order, first, n, 2 * h) - moved(t, order, first, n, -2 * h);
    return (8 * near - far) / (12 * h);
}

static int occurs(const tl_tape *tape, const tl_op *op)
{
    for (uint32_t i = 0; i < tape->nnodes; i++)
        if (tape->nodes[i].op == op)
            return 1;
    return 0;
}

/* gradients -- of the scalar by all smooth inputs, to g at each one's place in x; `together` in one
 * call of tl_grad, else one by one, which asks the rules for single operands. */
static int gradients(const tl_trial *t, int order, int together, double *g)
{
    tl_tensor in[TL_CHECK_MOST], by[TL_CHECK_MOST], d[TL_CHECK_MOST];
    int place[TL_CHECK_MOST];
    fresh(t);
    const tl_tensor s = scalar(t, order, in);
    const int n = smooth(t, in, by, place);
    if (t->op && !tl_tape_status(t->tape) && !occurs(t->tape, t->op))
        return tell(t, TL_EINVAL, "the case does not record %s", t->op->name);
    if (together)
        tl_grad(1, &s, NULL, n, by, d);
    else
        for (int i = 0; i < n; i++)
            tl_grad(1, &s, NULL, 1, &by[i], &d[i]);
    for (int i = 0; i < n && !tl_tape_status(t->tape); i++)
        tl_read_f64(d[i], g + t->first[place[i]], t->first[place[i] + 1] - t->first[place[i]]);
    const int code = tl_tape_status(t->tape);
    return code ? tell(t, code, "%s", tl_tape_error(t->tape)) : TL_OK;
}

/* place_text -- "element [0,3]", or "direction 2". */
static void place_text(const tl_trial *t, int i, int64_t k, char *text, size_t size)
{
    if (t->o.directions > 0) {
        snprintf(text, size, "direction %lld", (long long)k);
        return;
    }
    tl_shape at = t->in[i].shape;
    for (int a = at.rank - 1; a >= 0; a--) {
        const int64_t extent = at.dim[a];
        at.dim[a] = k % extent;
        k /= extent;
    }
    char index[TL_SHAPE_TEXT];
    snprintf(text, size, "element %s", tl_shape_text(at, index, sizeof index));
}

/* compare -- one derivative of input i, along v: g and alone are what the tape has. */
static int compare(tl_trial *t, int order, int i, int64_t k, const double *g, double scale,
                   int64_t first, int64_t n)
{
    double got = 0, alone = 0;
    const double *second = g + t->first[t->nin];
    for (int64_t j = 0; j < n; j++) {
        got += t->v[j] * g[first + j];
        alone += t->v[j] * second[first + j];
    }
    const double want = difference(t, order, first, n);
    if (tl_tape_status(t->tape))
        return tell(t, tl_tape_status(t->tape), "%s", tl_tape_error(t->tape));
    const int is_alone = fabs(got - want) <= fabs(alone - want);
    const double apart = is_alone ? fabs(alone - want) : fabs(got - want);
    const double tolerance = t->o.atol + t->o.rtol * scale;
    t->compared++;
    t->farthest = apart > t->farthest ? apart : t->farthest;
    if (fabs(got - want) <= tolerance && fabs(alone - want) <= tolerance)
        return TL_OK;
    char text[TL_SHAPE_TEXT + 20];
    place_text(t, i, k, text, sizeof text);
    const int differs = fabs(got - want) <= tolerance;
    return tell(t, TL_ENOGRAD,
                "order %d, input %d, %s: the gradient is %.12g%s, differences give %.12g, apart by "
                "%.3g, tolerance %.3g",
                order, i, text, differs ? alone : got, differs ? " (asked for alone)" : "", want,
                apart, tolerance);
}

/* check_input -- all elements of input i, or the directions. */
static int check_input(tl_trial *t, int order, int i, const double *g, double scale)
{
    const int64_t first = t->first[i], n = t->first[i + 1] - first;
    int code = TL_OK;
    if (t->o.directions <= 0)
        t->v[0] = 1;
    for (int64_t k = 0; t->o.directions <= 0 && k < n && !code; k++)
        code = compare(t, order, i, k, g, scale, first + k, 1);
    tl_rng r = {t->o.seed + 3000 + (uint64_t)i, 0, 0};
    for (int k = 0; k < t->o.directions && n > 0 && !code; k++) {
        for (int64_t j = 0; j < n; j++)
            t->v[j] = draw(&r, TL_ANY, 0);
        code = compare(t, order, i, k, g, scale, first, n);
    }
    return code;
}

static int check_order(tl_trial *t, int order)
{
    const int64_t count = t->first[t->nin];
    double *g = tl__calloc((size_t)(2 * count + 2), sizeof *g), scale = 0;
    if (!g)
        return tell(t, TL_ENOMEM, "no memory for %lld derivatives", (long long)count);
    int code = gradients(t, order, 1, g);
    code = code ? code : gradients(t, order, 0, g + count);
    for (int64_t k = 0; k < count; k++)
        scale = fabs(g[k]) > scale ? fabs(g[k]) : scale;
    for (int i = 0; i < t->nin && !code; i++)
        if (is_smooth(&t->in[i]))
            code = check_input(t, order, i, g, scale);
    tl__free(g);
    return code;
}

/* same_again -- whether two evaluations give the same: else differences mean nothing. */
static int same_again(const tl_trial *t)
{
    const double once = moved(t, 1, 0, 0, 0), again = moved(t, 1, 0, 0, 0);
    if (tl_tape_status(t->tape))
        return tell(t, tl_tape_status(t->tape), "%s", tl_tape_error(t->tape));
    if (once < again || once > again)
        return tell(t, TL_EINVAL,
                    "the function computes something else when it is called again on the same "
                    "inputs: the scalar is %.12g, then %.12g",
                    once, again);
    return TL_OK;
}

/* run -- all orders of a trial whose function and options are set. */
static int run(tl_trial *t)
{
    for (int i = 0; i < t->nin; i++) {
        const int64_t n = tl_shape_count(t->in[i].shape);
        if (n < 0)
            return tell(t, TL_ESHAPE, "input %d has an invalid or too large shape", i);
        t->first[i + 1] = t->first[i] + n;
    }
    const int64_t count = t->first[t->nin];
    tl_tape_opts o = tl_tape_defaults();
    o.seed = t->o.seed;
    t->tape = tl_tape_new(&o);
    t->x = tl__calloc((size_t)(3 * count + 3), sizeof *t->x);
    int code = t->tape && t->x ? TL_OK : tell(t, TL_ENOMEM, "no memory for a tape");
    if (!code) {
        t->v = t->x + count + 1;
        for (int i = 0; i < t->nin; i++)
            if (t->in[i].values)
                memcpy(t->x + t->first[i], t->in[i].values,
                       (size_t)(t->first[i + 1] - t->first[i]) * sizeof *t->x);
            else
                draw_input(t, i);
        code = same_again(t);
    }
    for (int order = 1; order <= t->o.order && !code; order++)
        code = check_order(t, order);
    tl__free(t->x);
    tl_tape_free(t->tape);
    return code;
}

int tl_check_grad(tl_function fn, void *ctx, int nin, const tl_check_input *in, int nout,
                  const tl_check_opts *opts, char *report, size_t size)
{
    tl_trial t = {.fn = fn,
                  .ctx = ctx,
                  .nin = nin,
                  .nout = nout,
                  .in = in,
                  .o = opts ? *opts : tl_check_defaults(),
                  .report = report,
                  .size = size};
    if (!fn || !in || nin < 1 || nin > TL_CHECK_MOST || nout < 1 || nout > TL_CHECK_MOST)
        return tell(&t, TL_EINVAL,
                    "got %d inputs and %d outputs, want a function, and 1 to %d of each", nin, nout,
                    TL_CHECK_MOST);
    if (t.o.order < 1 || t.o.order > 2 || !(t.o.step > 0))
        return tell(&t, TL_EINVAL, "got order %d and step %g, want order 1 or 2 and a step above 0",
                    t.o.order, t.o.step);
    const int code = run(&t);
    return code ? code
                : tell(&t, TL_OK,
                       "right: %lld derivatives of orders 1 to %d, at most %.2g from differences",
                       (long long)t.compared, t.o.order, t.farthest);
}

/* ---- operations ------------------------------------------------------------------------------ */

/* run_case -- a case as a function. */
static int run_case(void *ctx, tl_tape *tape, int nin, const tl_tensor *in, int nout,
                    tl_tensor *out)
{
    const tl_case *c = ctx;
    (void)nin, (void)nout;
    out[0] = c->call(in);
    return tl_tape_status(tape);
}

/* missing -- what a descriptor lacks to be checked; NULL: nothing. */
static const char *missing(const tl_op *op)
{
    const tl_kind k = op->kind;
    const int is_outside = k == TL_LEAF || k == TL_LOOP || k == TL_RESULT;
    const char *fault = is_outside ? NULL : tl__op_fault(op, 0);
    if (fault)
        return fault;
    if (!op->doc || !*op->doc || !op->grad_doc || !*op->grad_doc)
        return "has no doc, or no grad_doc";
    if (op->adjoint && op->no_gradient)
        return "has an adjoint and says it has no gradient";
    if (op->ncases > 0 && !op->cases)
        return "has a number of cases, but no cases";
    return !is_outside && !op->no_gradient && op->ncases == 0 ? "has no case to be checked on"
                                                              : NULL;
}

static int check_case(const tl_op *op, int number, const tl_check_opts *opts, char *report,
                      size_t size)
{
    enum { MOST = sizeof op->cases->shape / sizeof op->cases->shape[0] };
    char text[400];
    tl_case c = op->cases[number];
    tl_check_input in[MOST];
    for (int i = 0; i < c.nin && i < MOST; i++)
        in[i] = (tl_check_input){c.shape[i], c.domain[i], c.bound, NULL};
    tl_trial t = {.fn = run_case,
                  .ctx = &c,
                  .op = op,
                  .nin = c.nin,
                  .nout = 1,
                  .in = in,
                  .o = opts ? *opts : tl_check_defaults(),
                  .report = text,
                  .size = sizeof text};
    const int counts = c.nin >= 1 && c.nin <= MOST && c.call;
    const int code =
        counts ? run(&t) : tell(&t, TL_EINVAL, "want 1 to %d operands, and a call", MOST);
    if (report && size && code)
        snprintf(report, size, "%s, case %d: %s", op->name, number, text);
    else if (report && size)
        snprintf(report, size, "%s, case %d: right", op->name, number);
    return code;
}

int tl_check_op(const tl_op *op, const tl_check_opts *opts, char *report, size_t size)
{
    const tl_trial t = {.report = report, .size = size};
    const char *fault = op ? missing(op) : "there is no descriptor";
    if (fault)
        return tell(&t, TL_EINVAL, "%s: %s", op && op->name ? op->name : "an operation", fault);
    int code = TL_OK;
    for (int c = 0; c < op->ncases && !op->no_gradient && !code; c++)
        code = check_case(op, c, opts, report, size);
    if (!code)
        tell(&t, TL_OK, "%s: right on %d cases", op->name, op->no_gradient ? 0 : op->ncases);
    return code;
}
