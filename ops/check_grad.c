/* check_grad.c -- builds the scalar of some order, asks the tape for its gradient, and takes
 * differences of it. */
#include "ops/check_grad.h"

#include "core/grad.h"
#include "core/memory.h"
#include "core/space.h"
#include "ops/check_draw.h"
#include "ops/elementwise.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* tl_wrong -- a derivative that is: which input, element or direction, and its two values. */
typedef struct tl_wrong {
    int input;
    int64_t place;
    double got, want, apart;
    int is_alone; /* only asked for without the others */
} tl_wrong;

/* tl_trial -- one function with its inputs drawn: all elements one after the other in x. */
typedef struct tl_trial {
    tl_function fn;
    void *ctx;
    int nin, nout;
    const tl_check_input *in;
    tl_check_opts o;
    tl_tape *tape;
    int64_t first[TL_CHECK_MOST + 1]; /* input i is x[first[i] .. first[i + 1]) */
    double *x, *v;                    /* v: the direction that is taken */
    struct {
        int64_t count, of;
        tl_wrong first, worst;
    } wrong; /* of one order */
    int64_t compared;
    double farthest; /* of all differences */
    char *report;
    size_t size;
} tl_trial;

tl_check_opts tl_check_defaults(void)
{
    return (tl_check_opts){.order = 2,
                           .directions = 0,
                           .step = 1e-4,
                           .atol = 1e-7,
                           .rtol = 1e-7,
                           .seed = 1,
                           .single = 1e-5};
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

/* ---- drawing --------------------------------------------------------------------------------- */

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
        w[i] = tl__check_draw(&r, TL_ANY, 0);
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

/* value_of -- records inputs and s0. */
static tl_tensor value_of(const tl_trial *t, tl_tensor *in)
{
    tl_tensor out[TL_CHECK_MOST] = {{0}}, sum = {0};
    for (int i = 0; i < t->nin; i++)
        in[i] = tl__check_input(t->tape, t->in[i].shape, t->in[i].domain, t->x + t->first[i]);
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
        if (tl__check_is_smooth(t->in[i].domain)) {
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

/* gradients -- of the scalar by all smooth inputs, to g at each one's place in x; `together` in one
 * call of tl_grad, else one by one, which asks the rules for single operands. */
static int gradients(const tl_trial *t, int order, int together, double *g)
{
    tl_tensor in[TL_CHECK_MOST], by[TL_CHECK_MOST], d[TL_CHECK_MOST];
    int place[TL_CHECK_MOST];
    fresh(t);
    const tl_tensor s = scalar(t, order, in);
    const int n = smooth(t, in, by, place);
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
    char index[TL_SHAPE_TEXT];
    snprintf(text, size, "element %s", tl__check_element(t->in[i].shape, k, index, sizeof index));
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
    const double tolerance = t->o.atol + t->o.rtol * scale;
    const int is_alone = fabs(got - want) <= tolerance && !(fabs(alone - want) <= fabs(got - want));
    const double apart = is_alone ? fabs(alone - want) : fabs(got - want);
    t->compared++;
    t->wrong.of++;
    t->farthest = apart > t->farthest ? apart : t->farthest;
    if (apart <= tolerance)
        return TL_OK;
    const tl_wrong it = {.input = i,
                         .place = k,
                         .got = is_alone ? alone : got,
                         .want = want,
                         .apart = isnan(apart) ? HUGE_VAL : apart,
                         .is_alone = is_alone};
    if (t->wrong.count++ == 0)
        t->wrong.first = t->wrong.worst = it;
    else if (it.apart > t->wrong.worst.apart)
        t->wrong.worst = it;
    return TL_OK;
}

/* say_wrong -- the first derivative of an order that is wrong, how many are, and the worst. */
static int say_wrong(const tl_trial *t, int order, double tolerance)
{
    const tl_wrong *it = &t->wrong.first, *worst = &t->wrong.worst;
    char at[TL_SHAPE_TEXT + 20], most[2 * TL_SHAPE_TEXT + 100] = "";
    if (worst->input != it->input || worst->place != it->place) {
        place_text(t, worst->input, worst->place, at, sizeof at);
        snprintf(most, sizeof most, ", worst at input %d, %s: %.12g for %.12g", worst->input, at,
                 worst->got, worst->want);
    }
    place_text(t, it->input, it->place, at, sizeof at);
    return tell(t, TL_ENOGRAD,
                "order %d, input %d, %s: the gradient is %.12g%s, differences give %.12g, apart by "
                "%.3g, tolerance %.3g; wrong in %lld of %lld%s",
                order, it->input, at, it->got, it->is_alone ? " (asked for alone)" : "", it->want,
                it->apart, tolerance, (long long)t->wrong.count, (long long)t->wrong.of, most);
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
            t->v[j] = tl__check_draw(&r, TL_ANY, 0);
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
    memset(&t->wrong, 0, sizeof t->wrong);
    int code = gradients(t, order, 1, g);
    code = code ? code : gradients(t, order, 0, g + count);
    for (int64_t k = 0; k < count; k++)
        scale = fabs(g[k]) > scale ? fabs(g[k]) : scale;
    for (int i = 0; i < t->nin && !code; i++)
        if (tl__check_is_smooth(t->in[i].domain))
            code = check_input(t, order, i, g, scale);
    tl__free(g);
    return code || !t->wrong.count ? code : say_wrong(t, order, t->o.atol + t->o.rtol * scale);
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
                tl__check_fill(t->o.seed + (uint64_t)i, t->in[i].domain, t->in[i].bound,
                               t->first[i], t->first[i + 1], t->x);
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
