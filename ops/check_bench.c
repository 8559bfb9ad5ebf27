/* check_bench.c -- runs tiles, views and kernels on arrays between margins. */
#include "ops/check_bench.h"

#include "core/layout.h"
#include "core/memory.h"
#include "ops/check_array.h"
#include "ops/check_draw.h"
#include "ops/walk.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int tl__bench_tell(const tl_bench *b, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(b->report, b->size, format, args);
    va_end(args);
    return code;
}

/* run_tile -- the operands spread to the result's shape. */
static int run_tile(const tl_specimen *s, const tl_job *j, const tl_check_array *in,
                    tl_check_array *out)
{
    tl_dtype dtype[TL_CHECK_OPERANDS];
    tl_check_array flat[TL_CHECK_OPERANDS + 1] = {{.block = NULL}};
    const int64_t count = tl_shape_count(out->shape), n = j->tile ? j->tile : count + !count;
    const size_t size = tl_dtype_size(out->dtype);
    const tl_check_array *to = &flat[j->in_place ? j->in_place - 1 : s->nin];
    for (int i = 0; i < s->nin; i++)
        dtype[i] = in[i].dtype;
    const tl_tile_fn tile = s->op->tile(dtype, out->dtype);
    int code =
        tile ? tl__check_array_open(&flat[s->nin], out->dtype, out->shape, 0, NULL) : TL_EDTYPE;
    for (int i = 0; i < s->nin && !code; i++) {
        code = tl__check_array_open(&flat[i], dtype[i], out->shape, 0, NULL);
        tl_layout own = {0}, spread;
        memcpy(own.stride, in[i].stride, sizeof own.stride);
        tl__layout_broadcast(&in[i].shape, &own, &out->shape, &spread);
        if (!code)
            tl__copy_strided(tl_dtype_size(dtype[i]), out->shape.rank, out->shape.dim, in[i].data,
                             spread.stride, flat[i].data, flat[i].stride);
    }
    for (int64_t k = 0; k < count && !code; k += n) {
        const void *at[TL_CHECK_OPERANDS];
        for (int i = 0; i < s->nin; i++)
            at[i] = flat[i].data + k * (int64_t)tl_dtype_size(dtype[i]);
        tile(count - k < n ? count - k : n, to->data + k * (int64_t)size, at);
    }
    if (!code)
        tl__copy_strided(size, out->shape.rank, out->shape.dim, to->data, to->stride, out->data,
                         out->stride);
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
static int run_kernel(const tl_specimen *s, const tl_job *j, const tl_check_array *in,
                      tl_check_array *out, char *message, size_t room)
{
    const int64_t parts = j->parts ? j->parts : 1;
    tl_strided operand[TL_CHECK_OPERANDS];
    tl_call c = {.op = s->op,
                 .attr = j->attr,
                 .nin = s->nin,
                 .in = operand,
                 .row_axes = j->row_axes,
                 .first_row = j->first_row};
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

tl_job tl__bench_job(const tl_bench *b)
{
    return (tl_job){
        .attr = &b->s->attr, .in_shape = b->s->in_shape, .in = b->in, .shape = b->s->shape};
}

int tl__bench_run(const tl_bench *b, const tl_job *j, const char *what, double *y)
{
    const tl_specimen *s = b->s;
    tl_check_array in[TL_CHECK_OPERANDS] = {{.block = NULL}}, out;
    char message[360] = "";
    int code = tl__check_array_open(&out, b->dtype, j->shape, j->out_lay, NULL), spilled = 0;
    for (int i = 0; i < s->nin && !code; i++)
        code = tl__check_array_open(&in[i], b->in_dtype[i], j->in_shape[i], j->lay ? j->lay[i] : 0,
                                    j->in[i]);
    if (!code && s->op->kind == TL_POINTWISE)
        code = run_tile(s, j, in, &out);
    else if (!code && s->op->kind == TL_VIEW)
        code = run_view(s, j->attr, in, &out, message, sizeof message);
    else if (!code)
        code = run_kernel(s, j, in, &out, message, sizeof message);
    if (!code) {
        tl__check_array_read(&out, y);
        spilled = tl__check_array_spilled(&out);
    }
    for (int i = 0; i < s->nin; i++)
        tl__check_array_close(&in[i]);
    tl__check_array_close(&out);
    if (code == TL_ENOMEM || code == TL_EDTYPE)
        return tl__bench_tell(b, code, "%s%s", what, message[0] ? message : tl_strerror(code));
    if (code)
        return tl__bench_tell(b, TL_EINVAL, "%sit fails: %s", what, message);
    if (spilled)
        return tl__bench_tell(b, TL_EINVAL, "%sthe kernel writes beside the elements of its result",
                              what);
    return TL_OK;
}

int tl__bench_same(const tl_bench *b, tl_shape shape, const double *got, const double *want,
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
    return wrong ? tl__bench_tell(b, TL_EINVAL,
                                  "%selement %s: got %.9g, want %.9g %s; wrong in %lld of %lld",
                                  what, tl__check_element(shape, first, index, sizeof index),
                                  isnan(got[first]) ? (double)NAN : got[first], want[first], why,
                                  (long long)wrong, (long long)n)
                 : TL_OK;
}
