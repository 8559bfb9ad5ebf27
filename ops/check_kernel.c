/* check_kernel.c -- runs kernels on arrays of its own, without a tape: so that the layouts are those
 * that are asked for, and a kernel that writes beside its result does no harm. */
#include "ops/check_kernel.h"

#include "core/layout.h"
#include "core/memory.h"
#include "core/space.h"
#include "ops/check_array.h"
#include "ops/check_draw.h"
#include "ops/walk.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { STEPS = 3 }; /* of the loop that a leading axis is compared with */

/* tl_bench -- a specimen in one element type. Vectors hold STEPS times the largest array. */
typedef struct tl_bench {
    const tl_specimen *s;
    tl_dtype to; /* in place of f64 */
    tl_dtype in_dtype[TL_CHECK_OPERANDS], dtype;
    double *in[TL_CHECK_OPERANDS], *moved[TL_CHECK_OPERANDS]; /* as drawn; as a check wants them */
    double *want, *got;
    double single;
    char *report;
    size_t size;
} tl_bench;

static int tell(const tl_bench *b, int code, const char *format, ...) TL_PRINTF(3, 4);

static int tell(const tl_bench *b, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(b->report, b->size, format, args);
    va_end(args);
    return code;
}

double tl__check_rounded(double value, tl_dtype to)
{
    switch (to) {
    case TL_F32:
        return (double)(float)value;
    case TL_I32:
        return value < 0 ? floor(value) : ceil(value);
    case TL_F64:
        break;
    }
    return value;
}

int tl__check_retyped(const tl_specimen *s, tl_dtype to, tl_dtype *in, tl_dtype *out)
{
    int any = 0;
    for (int i = 0; i < s->nin; i++) {
        any |= s->in_dtype[i] == TL_F64;
        in[i] = s->in_dtype[i] == TL_F64 ? to : s->in_dtype[i];
    }
    *out = s->dtype == s->in_dtype[0] ? in[0] : s->dtype;
    if (to == TL_F64 || !s->op->shape)
        return to == TL_F64 || any;
    tl_infer q = {.op = s->op,
                  .nin = s->nin,
                  .in = s->in_shape,
                  .in_dtype = in,
                  .attr = &s->attr,
                  .shape = s->in_shape[0],
                  .dtype = in[0]};
    const int code = any ? s->op->shape(&q) : TL_EDTYPE;
    *out = q.dtype;
    return code == TL_OK;
}

/* ---- one run --------------------------------------------------------------------------------- */

/* run_tile -- n elements at a time, the operands spread to the result's shape. */
static int run_tile(const tl_specimen *s, const tl_check_array *in, tl_check_array *out, int64_t n)
{
    tl_dtype dtype[TL_CHECK_OPERANDS];
    tl_check_array flat[TL_CHECK_OPERANDS + 1] = {{.block = NULL}};
    const int64_t count = tl_shape_count(out->shape);
    const size_t size = tl_dtype_size(out->dtype);
    for (int i = 0; i < s->nin; i++)
        dtype[i] = in[i].dtype;
    const tl_tile_fn tile = s->op->tile(dtype, out->dtype);
    int code =
        tile ? tl__check_array_open(&flat[s->nin], out->dtype, out->shape, 0, NULL) : TL_EDTYPE;
    for (int i = 0; i < s->nin && !code; i++) {
        code = tl__check_array_open(&flat[i], dtype[i], out->shape, 0, NULL);
        tl_layout from = {0}, to;
        memcpy(from.stride, in[i].stride, sizeof from.stride);
        tl__layout_broadcast(&in[i].shape, &from, &out->shape, &to);
        if (!code)
            tl__copy_strided(tl_dtype_size(dtype[i]), out->shape.rank, out->shape.dim, in[i].data,
                             to.stride, flat[i].data, flat[i].stride);
    }
    for (int64_t k = 0; k < count && !code; k += n) {
        const void *at[TL_CHECK_OPERANDS];
        for (int i = 0; i < s->nin; i++)
            at[i] = flat[i].data + k * (int64_t)tl_dtype_size(dtype[i]);
        tile(count - k < n ? count - k : n, flat[s->nin].data + k * (int64_t)size, at);
    }
    if (!code)
        tl__copy_strided(size, out->shape.rank, out->shape.dim, flat[s->nin].data,
                         flat[s->nin].stride, out->data, out->stride);
    for (int i = 0; i <= s->nin; i++)
        tl__check_array_close(&flat[i]);
    return code;
}

/* run_view -- as the planner: where there are no strides for it, the operand is copied first. */
static int run_view(const tl_specimen *s, const tl_attr *attr, const tl_check_array *in,
                    tl_check_array *out, char *message, size_t room)
{
    const size_t size = tl_dtype_size(in->dtype);
    tl_check_array copy = {.block = NULL};
    tl_layout from = {0}, to = {0};
    const tl_check_array *base = in;
    int code = TL_OK;
    memcpy(from.stride, in->stride, sizeof from.stride);
    if (s->op->view(attr, &in->shape, &from, &out->shape, &to)) {
        code = tl__check_array_open(&copy, in->dtype, in->shape, 0, NULL);
        if (!code) {
            tl__copy_strided(size, in->shape.rank, in->shape.dim, in->data, in->stride, copy.data,
                             copy.stride);
            memcpy(from.stride, copy.stride, sizeof from.stride);
            if (s->op->view(attr, &in->shape, &from, &out->shape, &to)) {
                snprintf(message, room, "it has no strides for a contiguous operand");
                code = TL_EINVAL;
            }
        }
        base = &copy;
    }
    if (!code && !tl__check_array_holds(base, to.offset, &out->shape, to.stride)) {
        snprintf(message, room, "it lies outside of its operand");
        code = TL_EINVAL;
    }
    if (!code)
        tl__copy_strided(size, out->shape.rank, out->shape.dim,
                         base->data + to.offset * (int64_t)size, to.stride, out->data, out->stride);
    tl__check_array_close(&copy);
    return code;
}

/* run_kernel -- in parts if there are more than one. */
static int run_kernel(const tl_specimen *s, const tl_attr *attr, const tl_check_array *in,
                      tl_check_array *out, int64_t parts, char *message, size_t room)
{
    tl_strided operand[TL_CHECK_OPERANDS];
    tl_call c = {.op = s->op, .attr = attr, .nin = s->nin, .in = operand};
    int code = TL_OK;
    for (int i = 0; i < s->nin; i++)
        operand[i] = tl__check_array_strided(&in[i]);
    c.out = tl__check_array_strided(out);
    c.seed = s->seed;
    c.draw = s->draw;
    for (int64_t p = 0; p < parts && !code; p++) {
        c.lo = p;
        c.hi = parts > 1 ? p + 1 : 0;
        code = s->op->run(&c);
    }
    snprintf(message, room, "%s", c.message[0] ? c.message : code ? tl_strerror(code) : "");
    return code;
}

/* tl_job -- one run: on what, and how. */
typedef struct tl_job {
    const tl_attr *attr;
    const tl_shape *in_shape;
    double *const *in;
    const int *lay; /* of operands; NULL: contiguous */
    tl_shape shape;
    int out_lay;
    int64_t tile;  /* elements at a time; 0: all */
    int64_t parts; /* 0: one */
} tl_job;

/* job_of -- the specimen as it is. */
static tl_job job_of(const tl_bench *b)
{
    return (tl_job){
        .attr = &b->s->attr, .in_shape = b->s->in_shape, .in = b->in, .shape = b->s->shape};
}

/* run -- the job's result to y; `what` stands in front of what goes wrong. */
static int run(const tl_bench *b, const tl_job *j, const char *what, double *y)
{
    const tl_specimen *s = b->s;
    tl_check_array in[TL_CHECK_OPERANDS] = {{.block = NULL}}, out;
    char message[360] = "";
    int code = tl__check_array_open(&out, b->dtype, j->shape, j->out_lay, NULL), spilled = 0;
    for (int i = 0; i < s->nin && !code; i++)
        code = tl__check_array_open(&in[i], b->in_dtype[i], j->in_shape[i], j->lay ? j->lay[i] : 0,
                                    j->in[i]);
    const int64_t n = tl_shape_count(j->shape);
    if (!code)
        code = s->op->kind == TL_POINTWISE ? run_tile(s, in, &out, j->tile ? j->tile : n + !n)
               : s->op->kind == TL_VIEW    ? run_view(s, j->attr, in, &out, message, sizeof message)
                                        : run_kernel(s, j->attr, in, &out, j->parts ? j->parts : 1,
                                                     message, sizeof message);
    if (!code) {
        tl__check_array_read(&out, y);
        spilled = tl__check_array_spilled(&out);
    }
    for (int i = 0; i < s->nin; i++)
        tl__check_array_close(&in[i]);
    tl__check_array_close(&out);
    if (code == TL_ENOMEM || code == TL_EDTYPE)
        return tell(b, code, "%s%s", what, message[0] ? message : tl_strerror(code));
    if (code)
        return tell(b, TL_EINVAL, "%sit fails: %s", what, message);
    if (spilled)
        return tell(b, TL_EINVAL, "%sthe kernel writes beside the elements of its result", what);
    return TL_OK;
}

/* same -- y against what it should be, `why` said where it is not. apart: times the largest. */
static int same(const tl_bench *b, tl_shape shape, const double *got, const double *want,
                double apart, const char *what, const char *why)
{
    const int64_t n = tl_shape_count(shape);
    int64_t wrong = 0, first = -1;
    double largest = 0;
    for (int64_t k = 0; k < n; k++)
        largest = isfinite(want[k]) && fabs(want[k]) > largest ? fabs(want[k]) : largest;
    for (int64_t k = 0; k < n; k++) {
        const int equal = got[k] <= want[k] && got[k] >= want[k],
                  lost = isnan(got[k]) && isnan(want[k]);
        if (equal || lost || fabs(got[k] - want[k]) <= apart * largest)
            continue;
        first = wrong++ ? first : k;
    }
    char index[TL_SHAPE_TEXT];
    return wrong ? tell(b, TL_EINVAL, "%selement %s: got %.9g, want %.9g %s; wrong in %lld of %lld",
                        what, tl__check_element(shape, first, index, sizeof index),
                        isnan(got[first]) ? (double)NAN : got[first], want[first], why,
                        (long long)wrong, (long long)n)
                 : TL_OK;
}

/* rounding -- how far two ways to the same sums may be apart. */
static double rounding(const tl_bench *b)
{
    return b->dtype == TL_F64 ? 1e-12 : b->dtype == TL_F32 ? b->single : 0;
}

/* ---- the checks ------------------------------------------------------------------------------ */

static int check_tile(tl_bench *b, const char *type)
{
    char what[64];
    tl_job j = job_of(b);
    j.tile = 1;
    snprintf(what, sizeof what, "%stile, ", type);
    const int code = run(b, &j, what, b->got);
    return code ? code
                : same(b, j.shape, b->got, b->want, 0, what,
                       "as among others: an element must not depend on n or its place");
}

static int check_parts(tl_bench *b, const char *type)
{
    const tl_specimen *s = b->s;
    char what[64];
    tl_job j = job_of(b);
    tl_parts q = {.attr = &s->attr,
                  .nin = s->nin,
                  .in = s->in_shape,
                  .shape = s->shape,
                  .dtype = b->dtype,
                  .axis = -1};
    j.parts = s->op->parts ? s->op->parts(&q) : 1;
    if (j.parts <= 1)
        return TL_OK;
    snprintf(what, sizeof what, "%sparts, %lld of them, ", type, (long long)j.parts);
    const int code = run(b, &j, what, b->got);
    return code ? code : same(b, j.shape, b->got, b->want, 0, what, "as all at once");
}

/* repeat -- the elements of the first entry of an axis in all its entries. */
static void repeat(const tl_shape *shape, int axis, double *x)
{
    const tl_layout l = tl__layout_dense(shape);
    tl_walk w = tl__walk(shape->rank, shape->dim, l.stride, NULL, NULL);
    for (int more = tl__walk_start(&w); more; more = tl__walk_next(&w))
        x[w.offset[0]] = x[w.offset[0] - w.at[axis] * l.stride[axis]];
}

/* check_lay -- operand i (the result: nin) in one layout, the others contiguous. */
static int check_lay(tl_bench *b, const char *type, int i, int lay)
{
    const tl_specimen *s = b->s;
    char what[120], name[48];
    int lays[TL_CHECK_OPERANDS] = {0}, code = TL_OK;
    double *in[TL_CHECK_OPERANDS];
    const double *want = b->want;
    tl_job j = job_of(b);
    memcpy(in, b->in, sizeof in);
    j.in = in;
    tl__check_lay_text(lay, name, sizeof name);
    if (i == s->nin)
        snprintf(what, sizeof what, "%sstrides, result %s, ", type, name);
    else
        snprintf(what, sizeof what, "%sstrides, operand %d %s, ", type, i, name);
    if (i < s->nin && lay >= TL_LAY_REPEATED) {
        const size_t n = (size_t)tl_shape_count(s->in_shape[i]);
        in[i] = b->moved[i];
        memcpy(in[i], b->in[i], n * sizeof(double));
        repeat(&s->in_shape[i], lay - TL_LAY_REPEATED, in[i]);
        double *copied = b->got + tl_shape_count(s->shape);
        code = run(b, &j, what, copied);
        want = copied;
    }
    if (i < s->nin)
        lays[i] = lay;
    else
        j.out_lay = lay;
    j.lay = lays;
    code = code ? code : run(b, &j, what, b->got);
    return code ? code
                : same(b, j.shape, b->got, want, rounding(b), what,
                       i < s->nin ? "as of a contiguous copy" : "as in a contiguous array");
}

static int check_strides(tl_bench *b, const char *type)
{
    const tl_specimen *s = b->s;
    int code = TL_OK;
    for (int i = 0; i <= s->nin && !code; i++) {
        const tl_shape *shape = i < s->nin ? &s->in_shape[i] : &s->shape;
        const int most = i < s->nin ? TL_LAY_REPEATED + shape->rank : TL_LAY_REPEATED;
        for (int lay = TL_LAY_TURNED; lay < most && !code; lay++)
            if (tl__check_lay_suits(lay, shape))
                code = check_lay(b, type, i, lay);
    }
    return code;
}

/* ---- lead ------------------------------------------------------------------------------------ */

/* led_shape -- with the axis in front; of operations that align their operands, at the place of the
 * result's. */
static tl_shape led_shape(const tl_specimen *s, tl_shape from)
{
    const int aligns = s->op->kind == TL_POINTWISE || s->op == &tl_op_broadcast_to;
    tl_shape to = {.rank = 1 + (aligns ? s->shape.rank : from.rank), .dim = {STEPS}};
    for (int a = 1; a < to.rank; a++)
        to.dim[a] = a < to.rank - from.rank ? 1 : from.dim[a - (to.rank - from.rank)];
    return to;
}

/* turn -- operand i at step t: its elements moved on by t places. */
static void turn(const tl_bench *b, int i, int64_t t, double *to)
{
    const int64_t n = tl_shape_count(b->s->in_shape[i]);
    for (int64_t k = 0; k < n; k++)
        to[k] = b->in[i][(k + t) % n];
}

/* check_led -- with the axis on the operands in led. */
static int check_led(tl_bench *b, const tl_lead *q)
{
    const tl_specimen *s = b->s;
    const int64_t n = tl_shape_count(s->shape);
    tl_shape shapes[TL_CHECK_OPERANDS], shape = {.rank = s->shape.rank + 1, .dim = {STEPS}};
    tl_attr attr = {q->ni, q->i, s->attr.nr, s->attr.r};
    char what[120] = "lead, one more leading axis on operand";
    double *in[TL_CHECK_OPERANDS];
    tl_job j = job_of(b);
    int code = TL_OK;
    memcpy(shape.dim + 1, s->shape.dim, (size_t)s->shape.rank * sizeof *shape.dim);
    for (int i = 0; i < s->nin; i++) {
        const size_t used = strlen(what);
        const int led = (int)(q->led >> i & 1u);
        in[i] = led ? b->moved[i] : b->in[i];
        if (led)
            snprintf(what + used, sizeof what - used, " %d", i);
    }
    snprintf(what + strlen(what), sizeof what - strlen(what), ", ");
    j.in = in;
    for (int64_t t = 0; t < STEPS && !code; t++) {
        for (int i = 0; i < s->nin; i++)
            if (q->led >> i & 1u)
                turn(b, i, t, b->moved[i]);
        code = run(b, &j, what, b->want + t * n);
    }
    for (int i = 0; i < s->nin; i++) {
        const int led = (int)(q->led >> i & 1u);
        shapes[i] = led ? led_shape(s, s->in_shape[i]) : s->in_shape[i];
        for (int64_t t = 0; led && t < STEPS; t++)
            turn(b, i, t, b->moved[i] + t * tl_shape_count(s->in_shape[i]));
    }
    j.attr = &attr;
    j.in_shape = shapes;
    j.shape = shape;
    code = code ? code : run(b, &j, what, b->got);
    return code ? code
                : same(b, shape, b->got, b->want, rounding(b), what, "as in a loop over the axis");
}

/* check_lead -- all choices of operands for which the operation says that it can have the axis. */
static int check_lead(tl_bench *b)
{
    const tl_specimen *s = b->s;
    /* views have one operand for the planner: the others are for the rule */
    const uint32_t all = s->op->kind == TL_VIEW ? 1 : (1u << s->nin) - 1;
    const int most = (int)(sizeof((tl_lead *)0)->i / sizeof *((tl_lead *)0)->i);
    int code = TL_OK, fits = s->shape.rank < TL_MAX_RANK && s->attr.ni <= most;
    for (int i = 0; i < s->nin; i++)
        fits = fits && s->in_shape[i].rank < TL_MAX_RANK;
    if (!s->op->lead || !fits)
        return TL_OK;
    for (uint32_t led = s->op->kind == TL_ASSEMBLE ? all : 1; led <= all && !code; led++) {
        tl_lead q = {.attr = &s->attr, .nin = s->nin, .in = s->in_shape, .led = led};
        q.ni = s->attr.ni;
        if (q.ni)
            memcpy(q.i, s->attr.i, (size_t)q.ni * sizeof *q.i);
        if (!s->op->lead(&q))
            continue;
        code = q.ni < 0 || q.ni > most
                   ? tell(b, TL_EINVAL, "lead: got %d attributes, want 0 to %d", q.ni, most)
                   : check_led(b, &q);
    }
    return code;
}

/* ---- all ------------------------------------------------------------------------------------- */

/* check_type -- the kernel of one element type; others than f64 are compared with that one, on
 * numbers that both can have. */
static int check_type(tl_bench *b, tl_dtype to, unsigned *types)
{
    const tl_specimen *s = b->s;
    char type[16] = "";
    tl_job j = job_of(b);
    if (!tl__check_retyped(s, to, b->in_dtype, &b->dtype))
        return TL_OK;
    if (to != TL_F64)
        snprintf(type, sizeof type, "%s, ", tl_dtype_name(to));
    for (int i = 0; i < s->nin; i++)
        for (int64_t k = 0; k < tl_shape_count(s->in_shape[i]); k++)
            b->in[i][k] =
                s->in_dtype[i] == TL_F64 ? tl__check_rounded(s->in[i][k], to) : s->in[i][k];
    int code = run(b, &j, type, b->got);
    if (code == TL_EDTYPE && to != TL_F64)
        return TL_OK;
    *types |= 1u << to;
    if (to != TL_F64 && !code) {
        const tl_dtype dtype = b->dtype;
        tl__check_retyped(s, TL_F64, b->in_dtype, &b->dtype);
        code = run(b, &j, type, b->want);
        for (int64_t k = 0; k < tl_shape_count(s->shape) && dtype == TL_I32; k++)
            if (fabs(b->got[k] - b->want[k]) < 1)
                b->want[k] = b->got[k]; /* a fraction, cut off or rounded */
        tl__check_retyped(s, to, b->in_dtype, &b->dtype);
        code = code ? code
                    : same(b, s->shape, b->got, b->want, b->single, type, "as of the f64 kernel");
    }
    const int is_pointwise = s->op->kind == TL_POINTWISE;
    code = code ? code : run(b, &j, type, b->want);
    code = code || !is_pointwise ? code : check_tile(b, type);
    if (to == TL_F64) {
        code = code ? code : check_lead(b); /* which takes b->want */
        code = code ? code : run(b, &j, type, b->want);
    }
    code = code || is_pointwise ? code : check_strides(b, type);
    return code || is_pointwise || s->op->kind == TL_VIEW ? code : check_parts(b, type);
}

int tl__check_kernel(const tl_specimen *s, double single, unsigned *types, char *report,
                     size_t size)
{
    int64_t most = tl_shape_count(s->shape);
    for (int i = 0; i < s->nin; i++)
        most = tl_shape_count(s->in_shape[i]) > most ? tl_shape_count(s->in_shape[i]) : most;
    const size_t each = (size_t)(STEPS * most + 1);
    double *block = tl__alloc((size_t)(2 * s->nin + 2) * each * sizeof *block);
    tl_bench b = {.s = s, .single = single, .report = report, .size = size};
    if (!block)
        return tell(&b, TL_ENOMEM, "no memory for %lld numbers", (long long)most);
    for (int i = 0; i < s->nin; i++) {
        b.in[i] = block + (size_t)(2 * i) * each;
        b.moved[i] = b.in[i] + each;
    }
    b.want = block + (size_t)(2 * s->nin) * each;
    b.got = b.want + each;
    int code = check_type(&b, TL_F64, types);
    code = code ? code : check_type(&b, TL_F32, types);
    code = code ? code : check_type(&b, TL_I32, types);
    tl__free(block);
    return code;
}
