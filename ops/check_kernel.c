/* check_kernel.c -- what a descriptor says of its kernels, one check after the other. */
#include "ops/check_kernel.h"

#include "core/layout.h"
#include "core/memory.h"
#include "core/space.h"
#include "ops/check_array.h"
#include "ops/check_bench.h"
#include "ops/walk.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

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

/* rounding -- how far two ways to the same sums may be apart. */
static double rounding(const tl_bench *b)
{
    return b->dtype == TL_F64 ? 1e-12 : b->dtype == TL_F32 ? b->single : 0;
}

/* ---- the checks ------------------------------------------------------------------------------ */

static int check_tile(tl_bench *b, const char *type)
{
    char what[64];
    tl_job j = tl__bench_job(b);
    j.tile = 1;
    snprintf(what, sizeof what, "%stile, ", type);
    int code = tl__bench_run(b, &j, what, b->got);
    code = code ? code
                : tl__bench_same(b, j.shape, b->got, b->want, 0, what,
                                 "as among others: an element must not depend on n or its place");
    j.tile = 0;
    for (int i = 0; i < b->s->nin && !code; i++)
        if (tl_dtype_size(b->in_dtype[i]) == tl_dtype_size(b->dtype)) {
            j.in_place = i + 1;
            snprintf(what, sizeof what, "%stile, in place of operand %d, ", type, i);
            code = tl__bench_run(b, &j, what, b->got);
            code = code ? code
                        : tl__bench_same(b, j.shape, b->got, b->want, 0, what,
                                         "as in an array of its own");
        }
    return code;
}

/* common_axes -- how many of the first axes all operands and the result have in common. */
static int common_axes(const tl_specimen *s)
{
    int n = s->shape.rank;
    for (int i = 0; i < s->nin; i++) {
        n = s->in_shape[i].rank < n ? s->in_shape[i].rank : n;
        for (int a = 0; a < n; a++)
            n = s->in_shape[i].dim[a] == s->shape.dim[a] ? n : a;
    }
    return n;
}

/* row_of -- one entry of the first n axes, which are one axis then. */
static tl_shape row_of(tl_shape from, int n)
{
    tl_shape to = {.rank = 1 + from.rank - n, .dim = {1}};
    memcpy(to.dim + 1, from.dim + n, (size_t)(from.rank - n) * sizeof *to.dim);
    return to;
}

/* check_apart -- rows of the first n axes one by one, as bands take them. */
static int check_apart(tl_bench *b, const char *type, int n)
{
    const tl_specimen *s = b->s;
    const tl_shape axes = tl_shape_of_dims(n, s->shape.dim);
    const int64_t rows = tl_shape_count(axes);
    tl_shape shape[TL_CHECK_OPERANDS];
    double *in[TL_CHECK_OPERANDS];
    char what[64];
    int code = TL_OK;
    tl_job j = tl__bench_job(b);
    j.in_shape = shape;
    j.in = in;
    j.shape = row_of(s->shape, n);
    j.row_axes = &axes;
    for (int64_t row = 0; row < rows && !code; row++) {
        for (int i = 0; i < s->nin; i++) {
            shape[i] = row_of(s->in_shape[i], n);
            in[i] = b->in[i] + row * tl_shape_count(shape[i]);
        }
        j.first_row = row;
        snprintf(what, sizeof what, "%sapart, first %d axes, ", type, n);
        code = tl__bench_run(b, &j, what, b->got + row * tl_shape_count(j.shape));
    }
    return code ? code
                : tl__bench_same(b, s->shape, b->got, b->want, rounding(b), what,
                                 "as of all rows together");
}

static int check_rows(tl_bench *b, const char *type)
{
    const tl_specimen *s = b->s;
    int code = TL_OK;
    for (int n = common_axes(s); s->op->apart && n > 0 && !code; n--)
        if (s->op->apart(&s->attr, s->in_shape, n))
            code = check_apart(b, type, n);
    return code;
}

static int check_parts(tl_bench *b, const char *type)
{
    const tl_specimen *s = b->s;
    char what[64];
    tl_job j = tl__bench_job(b);
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
    const int code = tl__bench_run(b, &j, what, b->got);
    return code ? code : tl__bench_same(b, j.shape, b->got, b->want, 0, what, "as all at once");
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
    tl_job j = tl__bench_job(b);
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
        code = tl__bench_run(b, &j, what, copied);
        want = copied;
    }
    if (i < s->nin)
        lays[i] = lay;
    else
        j.out_lay = lay;
    j.lay = lays;
    code = code ? code : tl__bench_run(b, &j, what, b->got);
    return code ? code
                : tl__bench_same(b, j.shape, b->got, want, rounding(b), what,
                                 i < s->nin ? "as of a contiguous copy"
                                            : "as in a contiguous array");
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
    tl_shape to = {.rank = 1 + (aligns ? s->shape.rank : from.rank), .dim = {TL_BENCH_STEPS}};
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
    tl_shape shapes[TL_CHECK_OPERANDS],
        shape = {.rank = s->shape.rank + 1, .dim = {TL_BENCH_STEPS}};
    tl_attr attr = {q->ni, q->i, s->attr.nr, s->attr.r};
    char what[120] = "lead, one more leading axis on operand";
    double *in[TL_CHECK_OPERANDS];
    tl_job j = tl__bench_job(b);
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
    for (int64_t t = 0; t < TL_BENCH_STEPS && !code; t++) {
        for (int i = 0; i < s->nin; i++)
            if (q->led >> i & 1u)
                turn(b, i, t, b->moved[i]);
        code = tl__bench_run(b, &j, what, b->want + t * n);
    }
    for (int i = 0; i < s->nin; i++) {
        const int led = (int)(q->led >> i & 1u);
        shapes[i] = led ? led_shape(s, s->in_shape[i]) : s->in_shape[i];
        for (int64_t t = 0; led && t < TL_BENCH_STEPS; t++)
            turn(b, i, t, b->moved[i] + t * tl_shape_count(s->in_shape[i]));
    }
    j.attr = &attr;
    j.in_shape = shapes;
    j.shape = shape;
    code = code ? code : tl__bench_run(b, &j, what, b->got);
    return code ? code
                : tl__bench_same(b, shape, b->got, b->want, rounding(b), what,
                                 "as in a loop over the axis");
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
        code =
            q.ni < 0 || q.ni > most
                ? tl__bench_tell(b, TL_EINVAL, "lead: got %d attributes, want 0 to %d", q.ni, most)
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
    tl_job j = tl__bench_job(b);
    if (!tl__check_retyped(s, to, b->in_dtype, &b->dtype))
        return TL_OK;
    if (to != TL_F64)
        snprintf(type, sizeof type, "%s, ", tl_dtype_name(to));
    for (int i = 0; i < s->nin; i++)
        for (int64_t k = 0; k < tl_shape_count(s->in_shape[i]); k++)
            b->in[i][k] =
                s->in_dtype[i] == TL_F64 ? tl__check_rounded(s->in[i][k], to) : s->in[i][k];
    int code = tl__bench_run(b, &j, type, b->got);
    if (code == TL_EDTYPE && to != TL_F64)
        return TL_OK;
    *types |= 1u << to;
    if (to != TL_F64 && !code) {
        const tl_dtype dtype = b->dtype;
        tl__check_retyped(s, TL_F64, b->in_dtype, &b->dtype);
        code = tl__bench_run(b, &j, type, b->want);
        for (int64_t k = 0; k < tl_shape_count(s->shape) && dtype == TL_I32; k++)
            if (fabs(b->got[k] - b->want[k]) < 1)
                b->want[k] = b->got[k]; /* a fraction, cut off or rounded */
        tl__check_retyped(s, to, b->in_dtype, &b->dtype);
        code =
            code ? code
                 : tl__bench_same(b, s->shape, b->got, b->want, b->single, type,
                                  s->op->shape ? "as of the f64 kernel"
                                               : "as of the f64 kernel (a shape rule can refuse a "
                                                 "type: tl_infer_floating)");
    }
    const int is_pointwise = s->op->kind == TL_POINTWISE;
    code = code ? code : tl__bench_run(b, &j, type, b->want);
    code = code || !is_pointwise ? code : check_tile(b, type);
    if (to == TL_F64) {
        code = code ? code : check_lead(b); /* which takes b->want */
        code = code ? code : tl__bench_run(b, &j, type, b->want);
    }
    code = code || is_pointwise ? code : check_strides(b, type);
    code = code || is_pointwise ? code : check_rows(b, type);
    return code || is_pointwise || s->op->kind == TL_VIEW ? code : check_parts(b, type);
}

int tl__check_kernel(const tl_specimen *s, double single, unsigned *types, char *report,
                     size_t size)
{
    int64_t most = tl_shape_count(s->shape);
    for (int i = 0; i < s->nin; i++)
        most = tl_shape_count(s->in_shape[i]) > most ? tl_shape_count(s->in_shape[i]) : most;
    const size_t each = (size_t)(TL_BENCH_STEPS * most + 1);
    double *block = tl__alloc((size_t)(2 * s->nin + 2) * each * sizeof *block);
    tl_bench b = {.s = s, .single = single, .report = report, .size = size};
    if (!block)
        return tl__bench_tell(&b, TL_ENOMEM, "no memory for %lld numbers", (long long)most);
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
