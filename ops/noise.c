/* noise.c -- random draws on the tape, and what is made of them.
 *
 * Two operations draw; whatever else is random compares or transforms their numbers, so a draw is
 * replayed by its number alone. */
#include "ops/noise.h"

#include "core/memory.h"
#include "core/random.h"
#include "core/space.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "ops/registry.h"
#include "ops/walk.h"

#include <string.h>

static int draw_shape(tl_infer *q)
{
    return q->dtype != TL_I32 ? TL_OK : tl_infer_fail(q, TL_EDTYPE, "got i32, want f32 or f64");
}

/* Parts are the entries of the first axis: elements of a draw that follow one another. */
static int64_t draw_parts(tl_parts *q)
{
    q->axis = tl__first_axis(&q->shape);
    return q->axis < 0 ? 1 : q->shape.dim[q->axis];
}

/* draw_run -- fills the result in row-major order, through a buffer where it does not lie so. */
static int draw_run(tl_call *c,
                    void (*fill)(tl_dtype, uint64_t, uint64_t, int64_t, int64_t, void *))
{
    tl_shape shape = *c->out.shape;
    const int64_t *stride = c->out.stride, size = (int64_t)tl_dtype_size(c->out.dtype);
    const int axis = tl__first_axis(&shape);
    tl_layout l = {0}, dense = tl__layout_dense(&shape);
    memcpy(l.stride, stride, (size_t)shape.rank * sizeof *stride);
    const int is_dense = tl__layout_is_dense(&shape, &l);
    char *to = c->out.data;
    int64_t first = 0;
    if (c->hi && axis >= 0) {
        first = c->lo * dense.stride[axis];
        to += c->lo * stride[axis] * size;
        shape.dim[axis] = c->hi - c->lo;
    }
    const int64_t n = tl_shape_count(shape);
    if (is_dense) {
        fill(c->out.dtype, c->seed, c->draw, first, n, to);
        return TL_OK;
    }
    void *row_major = tl__aligned_alloc((size_t)(n * size));
    if (!row_major)
        return tl_call_fail(c, TL_ENOMEM, "no memory for %lld draws", (long long)n);
    fill(c->out.dtype, c->seed, c->draw, first, n, row_major);
    tl__copy_strided((size_t)size, shape.rank, shape.dim, row_major, dense.stride, to, stride);
    tl__aligned_free(row_major);
    return TL_OK;
}

static int uniform_run(tl_call *c)
{
    return draw_run(c, tl__uniform_fill);
}

static int normal_run(tl_call *c)
{
    return draw_run(c, tl__normal_fill);
}

const tl_op tl_op_uniform = {
    .name = "uniform",
    .doc = "u ~ uniform on [0,1)",
    .grad_doc = "none",
    .shape_doc = "-> [...]",
    .kind = TL_RANDOM,
    .shape = draw_shape,
    .run = uniform_run,
    .parts = draw_parts,
    .no_gradient = 1,
};

const tl_op tl_op_normal = {
    .name = "normal",
    .doc = "u ~ normal(0,1)",
    .grad_doc = "none",
    .shape_doc = "-> [...]",
    .kind = TL_RANDOM,
    .shape = draw_shape,
    .run = normal_run,
    .parts = draw_parts,
    .no_gradient = 1,
};

tl_tensor tl_rand(tl_tape *tape, tl_dtype dtype, tl_shape shape)
{
    return tl_record_source(tape, &tl_op_uniform, dtype, shape, NULL);
}

tl_tensor tl_randn(tl_tape *tape, tl_dtype dtype, tl_shape shape)
{
    return tl_record_source(tape, &tl_op_normal, dtype, shape, NULL);
}

/* ---- what is made of them -------------------------------------------------------------------- */

/* check_probability -- whether p is in [0,1]; NaN is not. */
static int check_probability(tl_tape *tape, const char *what, double p)
{
    if (p >= 0 && p <= 1)
        return 1;
    tl_tape_fail(tape, TL_ERANGE, what, "got probability %g, want one in [0,1]", p);
    return 0;
}

static int check_floating(tl_tape *tape, const char *what, tl_dtype dtype)
{
    if (dtype != TL_I32)
        return 1;
    tl_tape_fail(tape, TL_EDTYPE, what, "got i32, want f32 or f64");
    return 0;
}

tl_tensor tl_bernoulli(tl_tape *tape, tl_dtype dtype, tl_shape shape, double p)
{
    if (!tape || !check_probability(tape, "bernoulli", p) ||
        !check_floating(tape, "bernoulli", dtype))
        return tl__inert_on(tape);
    return tl_less(tl_rand(tape, dtype, shape), tl_scalar(tape, dtype, p));
}

/* rescale -- what kept elements are multiplied by; nothing is kept when p is 1. */
static double rescale(double p)
{
    return p < 1 ? 1 / (1 - p) : 0;
}

tl_tensor tl_dropout(tl_tensor x, double p)
{
    if (!tl__same_tape("dropout", 1, &x) || !check_probability(x.tape, "dropout", p) ||
        !check_floating(x.tape, "dropout", tl_dtype_of(x)))
        return tl__inert(x);
    if (!tl_is_train(x.tape) || p == 0)
        return x;
    tl_tensor keep = tl_bernoulli(x.tape, tl_dtype_of(x), tl_shape_of(x), 1 - p);
    return tl_where(keep, tl_scale(x, rescale(p)), tl_scalar(x.tape, tl_dtype_of(x), 0));
}

tl_tensor tl_dropout_mask(tl_tape *tape, tl_dtype dtype, tl_shape shape, double p)
{
    if (!tape || !check_probability(tape, "dropout_mask", p) ||
        !check_floating(tape, "dropout_mask", dtype))
        return tl__inert_on(tape);
    if (!tl_is_train(tape) || p == 0)
        return tl_ones(tape, dtype, shape);
    return tl_scale(tl_bernoulli(tape, dtype, shape, 1 - p), rescale(p));
}

tl_tensor tl_categorical(tl_tensor logits)
{
    if (!tl__same_tape("categorical", 1, &logits))
        return tl__inert(logits);
    char text[TL_SHAPE_TEXT];
    if (tl_dim(logits, -1) < 1)
        return tl_fail_tensor(logits, TL_ESHAPE, "categorical",
                              "got logits %s, want [...,K], K >= 1",
                              tl_shape_text(tl_shape_of(logits), text, sizeof text));
    if (!check_floating(logits.tape, "categorical", tl_dtype_of(logits)))
        return tl__inert(logits);
    /* argmax over k of z[k] - log(-log u[k]) has the distribution softmax(z) */
    tl_tensor u = tl_rand(logits.tape, tl_dtype_of(logits), tl_shape_of(logits));
    return tl_argmax(tl_sub(logits, tl_log(tl_neg(tl_log(u)))), -1);
}
