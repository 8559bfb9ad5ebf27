/* running.c -- cumsum: one operation that runs along an axis in either direction, since the adjoint
 * of the one is the other.
 *
 *     a     1 2 3 4      forwards  1 3 6 10      backwards  10 9 7 4 */
#include "ops/running.h"

#include "core/attr_text.h"
#include "core/grad.h"
#include "ops/axes.h"
#include "ops/registry.h"
#include "ops/walk.h"

/* attr.i = { axis from the end, 1 if from the end to the front } */

#define STAMP_CUMSUM(T)                                                                            \
    /* out[i] = in[0] + ... + in[i] of n elements */                                               \
    static void cumsum_##T(int64_t n, const T *in, int64_t in_step, T *out, int64_t out_step)      \
    {                                                                                              \
        T sum = 0;                                                                                 \
        for (int64_t i = 0; i < n; i++) {                                                          \
            sum += in[i * in_step];                                                                \
            out[i * out_step] = sum;                                                               \
        }                                                                                          \
    }

STAMP_CUMSUM(float)
STAMP_CUMSUM(double)

static int cumsum_run(tl_call *c)
{
    const tl_strided *in = &c->in[0];
    int axis = in->shape->rank - (int)c->attr->i[0];
    tl_walk others = tl__walk(in->shape->rank, in->shape->dim, in->stride, c->out.stride, NULL);
    int64_t n = in->shape->dim[axis], from = in->stride[axis], to = c->out.stride[axis];
    int64_t x = 0, y = 0; /* offsets of the first element */
    if (n == 0)
        return TL_OK;
    others.dim[axis] = 1;
    if (c->attr->i[1]) { /* the same loop over mirrored arrays */
        x = (n - 1) * from;
        y = (n - 1) * to;
        from = -from;
        to = -to;
    }
    for (int more = tl__walk_start(&others); more; more = tl__walk_next(&others))
        if (c->out.dtype == TL_F32)
            cumsum_float(n, (const float *)in->data + others.offset[0] + x, from,
                         (float *)c->out.data + others.offset[1] + y, to);
        else
            cumsum_double(n, (const double *)in->data + others.offset[0] + x, from,
                          (double *)c->out.data + others.offset[1] + y, to);
    return TL_OK;
}

static int cumsum_apart(const tl_attr *a, const tl_shape *in, int n)
{
    return in->rank - a->i[0] >= n;
}

static tl_tensor record(tl_tensor a, int64_t from_end, int64_t backwards)
{
    int64_t i[2] = {from_end, backwards};
    tl_attr attr = {2, i, 0, NULL};
    return tl_record(&tl_op_cumsum, 1, &a, &attr);
}

static void cumsum_adjoint(tl_adj *a)
{
    a->d[0] = record(a->g, a->attr->i[0], !a->attr->i[1]);
}

static tl_tensor cumsum_last(const tl_tensor *in)
{
    return tl_cumsum(in[0], -1);
}

static tl_tensor cumsum_first(const tl_tensor *in)
{
    return tl_cumsum(in[0], 0);
}

static const tl_case cumsum_cases[] = {
    {1, {{2, {3, 4}}}, {TL_ANY}, 0, cumsum_last},
    {1, {{3, {4, 2, 3}}}, {TL_ANY}, 0, cumsum_first},
};

const tl_op tl_op_cumsum = {
    .name = "cumsum",
    .doc = "y[i] = a[0] + ... + a[i] along an axis",
    .grad_doc = "da = the same sums of g from the end",
    .shape_doc = "[...,n,...] -> [...,n,...]",
    .kind = TL_OTHER,
    .nin = 1,
    .shape = tl_infer_floating,
    .run = cumsum_run,
    .lead = tl_lead_same,
    .apart = cumsum_apart,
    .adjoint = cumsum_adjoint,
    .ncases = 2,
    .cases = cumsum_cases,
    .attr_text = tl__text_axis,
};

tl_tensor tl_cumsum(tl_tensor a, int axis)
{
    uint32_t mask;
    if (!tl__axes_mask(a, "cumsum", 1, &axis, &mask))
        return tl__inert(a);
    return record(a, tl_rank(a) - tl__shape_axis(tl_rank(a), axis), 0);
}
