/* reduce.c -- operations that make axes go away.
 *
 * The maximum is the one primitive here (sums are core's). Its gradient goes to the first maximal
 * element, picked by first_max: a mask without a gradient of its own, so the rule is linear in g
 * and correct to any order. */
#include "ops/reduce.h"

#include "core/attr_text.h"
#include "core/grad.h"
#include "core/space.h"
#include "ops/axes.h"
#include "ops/elementwise.h"
#include "ops/registry.h"
#include "ops/walk.h"

#include <math.h>

/* ---- kernels --------------------------------------------------------------------------------- */

/* split_axes -- the axes that stay and those that go, as two walks over operand and result. */
static void split_axes(const tl_call *c, tl_walk *stay, tl_walk *go)
{
    const tl_shape *s = c->in[0].shape;
    uint32_t mask = (uint32_t)c->attr->i[0];
    *stay = tl__walk(0, NULL, NULL, NULL, NULL);
    *go = *stay;
    for (int a = 0; a < s->rank; a++) {
        tl_walk *w = tl__axes_has(mask, s->rank, a) ? go : stay;
        int64_t moves = s->dim[a] != 1;
        w->dim[w->rank] = s->dim[a];
        w->stride[0][w->rank] = moves * c->in[0].stride[a];
        w->stride[1][w->rank] = w == go && c->out.shape->dim[a] == 1 ? 0 : moves * c->out.stride[a];
        w->rank++;
    }
    tl__walk_merge(stay);
    tl__walk_merge(go);
}

/* The maximum is exact, so neither the order nor the width of the vectors can change a bit. NaN
 * stays once it came in. The inner loops have a fixed length for the vectorizer. */
#define MAX_OF(m, v) ((((v) <= (m)) | ((m) != (m))) ? (m) : (v))
enum { LANES = 16 };

#define STAMP_MAX(T)                                                                               \
    /* the greatest of x[0], x[step], ...; n >= 1 */                                               \
    static T max_row_##T(int64_t n, const T *x, int64_t step)                                      \
    {                                                                                              \
        int64_t i = 1;                                                                             \
        T m = x[0];                                                                                \
        if (step == 1 && n >= LANES) {                                                             \
            T lane[LANES];                                                                         \
            for (int j = 0; j < LANES; j++)                                                        \
                lane[j] = x[j];                                                                    \
            for (i = LANES; i + LANES <= n; i += LANES)                                            \
                for (int j = 0; j < LANES; j++)                                                    \
                    lane[j] = MAX_OF(lane[j], x[i + j]);                                           \
            for (int j = 0; j < LANES / 2; j++)                                                    \
                lane[j] = MAX_OF(lane[j], lane[j + LANES / 2]);                                    \
            for (int j = 0; j < LANES / 4; j++)                                                    \
                lane[j] = MAX_OF(lane[j], lane[j + LANES / 4]);                                    \
            m = lane[0];                                                                           \
            for (int j = 1; j < LANES / 4; j++)                                                    \
                m = MAX_OF(m, lane[j]);                                                            \
        }                                                                                          \
        for (; i < n; i++)                                                                         \
            m = MAX_OF(m, x[i * step]);                                                            \
        return m;                                                                                  \
    }                                                                                              \
    /* out[j] = the greater of out[j] and x[j] */                                                  \
    static void max_into_##T(int64_t n, const T *restrict x, T *restrict out)                      \
    {                                                                                              \
        int64_t i = 0;                                                                             \
        for (; i + LANES <= n; i += LANES)                                                         \
            for (int j = 0; j < LANES; j++)                                                        \
                out[i + j] = MAX_OF(out[i + j], x[i + j]);                                         \
        for (; i < n; i++)                                                                         \
            out[i] = MAX_OF(out[i], x[i]);                                                         \
    }                                                                                              \
    /* the greatest of the elements that go, at one index of those that stay */                    \
    static T max_here_##T(tl_walk *go, int64_t n, int64_t step, const T *x)                        \
    {                                                                                              \
        tl__walk_start(go);                                                                        \
        T m = max_row_##T(n, x, step);                                                             \
        while (tl__walk_next(go)) {                                                                \
            T v = max_row_##T(n, x + go->offset[0], step);                                         \
            m = MAX_OF(m, v);                                                                      \
        }                                                                                          \
        return m;                                                                                  \
    }                                                                                              \
    static void amax_##T(tl_walk stay, tl_walk go, const T *in, T *out)                            \
    {                                                                                              \
        int last = stay.rank - 1;                                                                  \
        if (last >= 0 && stay.stride[0][last] == 1 && stay.stride[1][last] == 1 &&                 \
            !(go.rank > 0 && go.stride[0][go.rank - 1] == 1)) { /* whole rows at a time */         \
            int64_t step[TL_WALK_ARRAYS], n = tl__walk_last(&stay, step);                          \
            for (int more = tl__walk_start(&stay); more; more = tl__walk_next(&stay)) {            \
                const T *x = in + stay.offset[0];                                                  \
                T *y = out + stay.offset[1];                                                       \
                tl__walk_start(&go);                                                               \
                for (int64_t j = 0; j < n; j++)                                                    \
                    y[j] = x[j];                                                                   \
                while (tl__walk_next(&go))                                                         \
                    max_into_##T(n, x + go.offset[0], y);                                          \
            }                                                                                      \
            return;                                                                                \
        }                                                                                          \
        int64_t step[TL_WALK_ARRAYS], n = tl__walk_last(&go, step);                                \
        for (int more = tl__walk_start(&stay); more; more = tl__walk_next(&stay))                  \
            out[stay.offset[1]] = max_here_##T(&go, n, step[0], in + stay.offset[0]);              \
    }                                                                                              \
    /* position of the first greatest of them; *at: its offset in the result */                    \
    static int64_t find_max_##T(tl_walk *go, int64_t n, const int64_t *step, const T *x,           \
                                int64_t *at)                                                       \
    {                                                                                              \
        T m = max_here_##T(go, n, step[0], x);                                                     \
        int64_t position = 0;                                                                      \
        for (int more = tl__walk_start(go); more; more = tl__walk_next(go), position += n)         \
            for (int64_t i = 0; i < n; i++) {                                                      \
                T v = x[go->offset[0] + i * step[0]];                                              \
                if ((v == m) | (v != v)) {                                                         \
                    *at = go->offset[1] + i * step[1];                                             \
                    return position + i;                                                           \
                }                                                                                  \
            }                                                                                      \
        return -1;                                                                                 \
    }

STAMP_MAX(float)
STAMP_MAX(double)

static int amax_run(tl_call *c)
{
    tl_walk stay, go;
    split_axes(c, &stay, &go);
    if (c->out.dtype == TL_F32)
        amax_float(stay, go, c->in[0].data, c->out.data);
    else
        amax_double(stay, go, c->in[0].data, c->out.data);
    return TL_OK;
}

/* places -- the walk and the step of what goes, for find_max. */
typedef struct places {
    tl_walk stay, go;
    int64_t n, step[TL_WALK_ARRAYS];
    int64_t at;
} places;

static places places_of(const tl_call *c)
{
    places p;
    split_axes(c, &p.stay, &p.go);
    p.n = tl__walk_last(&p.go, p.step);
    return p;
}

static int64_t find_max(const tl_call *c, places *p)
{
    if (c->in[0].dtype == TL_F32)
        return find_max_float(&p->go, p->n, p->step,
                              (const float *)c->in[0].data + p->stay.offset[0], &p->at);
    return find_max_double(&p->go, p->n, p->step, (const double *)c->in[0].data + p->stay.offset[0],
                           &p->at);
}

static int first_max_run(tl_call *c)
{
    places p = places_of(c);
    tl__zero_strided(&c->out);
    for (int more = tl__walk_start(&p.stay); more; more = tl__walk_next(&p.stay)) {
        find_max(c, &p);
        int64_t at = p.stay.offset[1] + p.at;
        if (c->out.dtype == TL_F32)
            ((float *)c->out.data)[at] = 1.0f;
        else
            ((double *)c->out.data)[at] = 1.0;
    }
    return TL_OK;
}

static int argmax_run(tl_call *c)
{
    places p = places_of(c);
    int32_t *out = c->out.data;
    for (int more = tl__walk_start(&p.stay); more; more = tl__walk_next(&p.stay))
        out[p.stay.offset[1]] = (int32_t)find_max(c, &p);
    return TL_OK;
}

/* ---- operations ------------------------------------------------------------------------------ */

/* extremum_shape -- what the three have in common: a floating operand, and something to choose
 * from. */
static int extremum_shape(tl_infer *q)
{
    const tl_shape *s = q->in;
    char text[TL_SHAPE_TEXT];
    if (q->in_dtype[0] == TL_I32)
        return tl_infer_fail(q, TL_EDTYPE, "got i32, want f32 or f64");
    for (int a = 0; a < s->rank; a++)
        if (tl__axes_has((uint32_t)q->attr->i[0], s->rank, a) && s->dim[a] == 0)
            return tl_infer_fail(q, TL_ESHAPE,
                                 "got %s, want one element at least along the reduced axes",
                                 tl_shape_text(*s, text, sizeof text));
    q->shape = tl__axes_shape(*s, (uint32_t)q->attr->i[0], 1);
    return TL_OK;
}

static int first_max_shape(tl_infer *q)
{
    int code = extremum_shape(q);
    q->shape = q->in[0];
    return code;
}

static int argmax_shape(tl_infer *q)
{
    int code = extremum_shape(q);
    q->dtype = TL_I32;
    for (int a = 0; a < q->in[0].rank; a++)
        if (code == TL_OK && q->in[0].dim[a] > INT32_MAX)
            return tl_infer_fail(q, TL_ESHAPE, "got an axis of %lld elements, want less than 2^31",
                                 (long long)q->in[0].dim[a]);
    return code;
}

static tl_tensor record(const tl_op *op, tl_tensor a, uint32_t mask)
{
    int64_t axes = mask;
    tl_attr attr = {1, &axes, 0, NULL};
    return tl_record(op, 1, &a, &attr);
}

static void amax_adjoint(tl_adj *a)
{
    a->d[0] = tl_mul(a->g, record(&tl_op_first_max, a->in[0], (uint32_t)a->attr->i[0]));
}

static tl_tensor amax_last(const tl_tensor *in)
{
    int axis = -1;
    return tl_amax(in[0], 1, &axis, 0);
}

static tl_tensor amax_outer(const tl_tensor *in)
{
    int axes[2] = {0, 2};
    return tl_amax(in[0], 2, axes, 1);
}

static const tl_case amax_cases[] = {
    {1, {{2, {3, 5}}}, {TL_ANY}, 0, amax_last},
    {1, {{3, {2, 3, 4}}}, {TL_ANY}, 0, amax_outer},
};

const tl_op tl_op_amax = {
    .name = "amax",
    .doc = "max of a over axes",
    .grad_doc = "da = g at the first maximum, 0 elsewhere",
    .shape_doc = "[...,n,...] -> [...,1,...]",
    .kind = TL_REDUCTION,
    .nin = 1,
    .shape = extremum_shape,
    .run = amax_run,
    .lead = tl_lead_same,
    .apart = tl__mask_apart,
    .adjoint = amax_adjoint,
    .reads = TL_READS(0),
    .ncases = 2,
    .cases = amax_cases,
    .attr_text = tl__text_axes,
};

static tl_tensor first_max_rows(const tl_tensor *in)
{
    return record(&tl_op_first_max, in[0], 1);
}

static tl_tensor argmax_rows(const tl_tensor *in)
{
    return record(&tl_op_argmax, in[0], 1);
}

static const tl_case first_max_cases[] = {
    {1, {{3, {2, 3, 4}}}, {TL_ANY}, 0, first_max_rows},
};

static const tl_case argmax_cases[] = {
    {1, {{3, {2, 3, 4}}}, {TL_ANY}, 0, argmax_rows},
};

const tl_op tl_op_first_max = {
    .name = "first_max",
    .doc = "1 at the first maximum of a over axes, 0 elsewhere",
    .grad_doc = "none",
    .shape_doc = "[...] -> [...]",
    .kind = TL_OTHER,
    .nin = 1,
    .shape = first_max_shape,
    .run = first_max_run,
    .lead = tl_lead_same,
    .no_gradient = 1,
    .ncases = 1,
    .cases = first_max_cases,
    .attr_text = tl__text_axes,
};

const tl_op tl_op_argmax = {
    .name = "argmax",
    .doc = "position of the first maximum of a along an axis",
    .grad_doc = "none",
    .shape_doc = "[...,n,...] -> i32 [...,1,...]",
    .kind = TL_REDUCTION,
    .nin = 1,
    .shape = argmax_shape,
    .run = argmax_run,
    .lead = tl_lead_same,
    .apart = tl__mask_apart,
    .no_gradient = 1,
    .ncases = 1,
    .cases = argmax_cases,
    .attr_text = tl__text_axes,
};

/* ---- what is called -------------------------------------------------------------------------- */

tl_tensor tl_sum(tl_tensor a, int naxes, const int *axes, int keepdims)
{
    uint32_t mask;
    if (!tl__axes_mask(a, "sum", naxes, axes, &mask))
        return tl__inert(a);
    return tl__axes_drop(mask ? tl_sum_keep(a, mask) : a, mask, keepdims);
}

tl_tensor tl_sum_all(tl_tensor a)
{
    if (!tl__same_tape("sum_all", 1, &a))
        return tl__inert(a);
    uint32_t mask = tl__axes_all(a);
    return tl__axes_drop(mask ? tl_sum_keep(a, mask) : a, mask, 0);
}

tl_tensor tl_mean(tl_tensor a, int naxes, const int *axes, int keepdims)
{
    uint32_t mask;
    if (!tl__axes_mask(a, "mean", naxes, axes, &mask))
        return tl__inert(a);
    return tl_scale(tl_sum(a, naxes, axes, keepdims), 1.0 / tl__axes_count(a, mask));
}

tl_tensor tl_mean_all(tl_tensor a)
{
    if (!tl__same_tape("mean_all", 1, &a))
        return tl__inert(a);
    return tl_scale(tl_sum_all(a), 1.0 / tl__axes_count(a, tl__axes_all(a)));
}

/* amax -- over a mask, axes kept. */
static tl_tensor amax(tl_tensor a, uint32_t mask)
{
    return mask ? record(&tl_op_amax, a, mask) : a;
}

tl_tensor tl_amax(tl_tensor a, int naxes, const int *axes, int keepdims)
{
    uint32_t mask;
    if (!tl__axes_mask(a, "amax", naxes, axes, &mask))
        return tl__inert(a);
    return tl__axes_drop(amax(a, mask), mask, keepdims);
}

tl_tensor tl_amin(tl_tensor a, int naxes, const int *axes, int keepdims)
{
    uint32_t mask;
    if (!tl__axes_mask(a, "amin", naxes, axes, &mask))
        return tl__inert(a);
    return tl__axes_drop(tl_neg(amax(tl_neg(a), mask)), mask, keepdims); /* min a = -max -a */
}

tl_tensor tl_argmax(tl_tensor a, int axis)
{
    uint32_t mask;
    if (!tl__axes_mask(a, "argmax", 1, &axis, &mask))
        return tl__inert(a);
    return tl__axes_drop(record(&tl_op_argmax, a, mask), mask, 0);
}

/* shift_of -- m = max a over the axes, a constant; 0 where it is not finite, so that a - m is not
 * inf - inf:
 *
 *     exp(a - m) / sum of exp(a - m)  and  m + log sum of exp(a - m)  do not depend on m, and so
 * need no gradient through it */
static tl_tensor shift_of(tl_tensor a, uint32_t mask)
{
    tl_tensor m = tl_detach(amax(a, mask));
    tl_tensor infinite = tl_scalar(a.tape, tl_dtype_of(a), HUGE_VAL);
    tl_tensor zero = tl_scalar(a.tape, tl_dtype_of(a), 0.0);
    return tl_where(tl_less(tl_abs(m), infinite), m, zero);
}

static tl_tensor sum_exp(tl_tensor shifted, uint32_t mask)
{
    return tl_sum_keep(tl_exp(shifted), mask);
}

tl_tensor tl_logsumexp(tl_tensor a, int naxes, const int *axes, int keepdims)
{
    uint32_t mask;
    if (!tl__axes_mask(a, "logsumexp", naxes, axes, &mask))
        return tl__inert(a);
    if (!mask)
        return a;
    tl_tensor m = shift_of(a, mask);
    return tl__axes_drop(tl_add(m, tl_log(sum_exp(tl_sub(a, m), mask))), mask, keepdims);
}

tl_tensor tl_softmax_over(tl_tensor a, int naxes, const int *axes)
{
    uint32_t mask;
    if (!tl__axes_mask(a, "softmax", naxes, axes, &mask))
        return tl__inert(a);
    tl_tensor e = tl_exp(tl_sub(a, shift_of(a, mask)));
    return tl_div(e, mask ? tl_sum_keep(e, mask) : e);
}

tl_tensor tl_softmax(tl_tensor a, int axis)
{
    return tl_softmax_over(a, 1, &axis);
}

tl_tensor tl_log_softmax_over(tl_tensor a, int naxes, const int *axes)
{
    uint32_t mask;
    if (!tl__axes_mask(a, "log_softmax", naxes, axes, &mask))
        return tl__inert(a);
    tl_tensor shifted = tl_sub(a, shift_of(a, mask));
    return tl_sub(shifted, tl_log(mask ? sum_exp(shifted, mask) : tl_exp(shifted)));
}

tl_tensor tl_log_softmax(tl_tensor a, int axis)
{
    return tl_log_softmax_over(a, 1, &axis);
}
