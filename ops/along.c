/* along.c -- picking elements along an axis by number, and adding them back.
 *
 *     a [2,4]       5 6 7 8      idx [2,3]   3 0 0      take_along(a, idx, 1)   8 5 5
 *                   1 2 3 4                  1 1 2                              2 2 3
 *
 * take_along and put_along are each the adjoint of the other. Order of additions is that of the
 * indices, on one thread: same bits always. */
#include "ops/along.h"

#include "core/attr_text.h"
#include "core/grad.h"
#include "core/space.h"
#include "ops/indices.h"
#include "ops/registry.h"

/* want_alike -- equal shapes but for the axis. attr.i[0]: the axis counted from the end. */
static int want_alike(tl_infer *q)
{
    tl_shape a = q->in[0], idx = q->in[1];
    char ta[TL_SHAPE_TEXT], ti[TL_SHAPE_TEXT];
    int fits = a.rank == idx.rank && q->attr->i[0] <= a.rank, axis = a.rank - (int)q->attr->i[0];
    for (int j = 0; fits && j < a.rank; j++)
        fits = j == axis || a.dim[j] == idx.dim[j];
    return fits ? TL_OK
                : tl_infer_fail(
                      q, TL_ESHAPE, "got %s, indices %s, want equal extents but along axis %d",
                      tl_shape_text(a, ta, sizeof ta), tl_shape_text(idx, ti, sizeof ti), axis);
}

static int take_along_shape(tl_infer *q)
{
    q->shape = q->in[1];
    int code = want_alike(q);
    return code ? code : tl__index_wanted(q, 1);
}

static int take_along_run(tl_call *c)
{
    const tl_strided *a = &c->in[0], *idx = &c->in[1];
    int axis = a->shape->rank - (int)c->attr->i[0];
    int64_t n = a->shape->dim[axis], along = a->stride[axis], still[TL_MAX_RANK];
    for (int j = 0; j < a->shape->rank; j++)
        still[j] = j == axis ? 0 : a->stride[j];
    tl_walk w = tl__walk(idx->shape->rank, idx->shape->dim, idx->stride, c->out.stride, still);
    for (int more = tl__walk_start(&w); more; more = tl__walk_next(&w)) {
        int32_t v = ((const int32_t *)idx->data)[w.offset[0]];
        if (tl__index_is_outside(v, n))
            return tl__index_fail(c, &w, v, n);
        int64_t from = w.offset[2] + v * along, to = w.offset[1];
        switch (c->out.dtype) {
        case TL_F32:
            ((float *)c->out.data)[to] = ((const float *)a->data)[from];
            break;
        case TL_F64:
            ((double *)c->out.data)[to] = ((const double *)a->data)[from];
            break;
        case TL_I32:
            ((int32_t *)c->out.data)[to] = ((const int32_t *)a->data)[from];
            break;
        }
    }
    return TL_OK;
}

/* Both operands must have the axis: one index for all steps would have to be repeated first. */
static int along_lead(tl_lead *q)
{
    return q->led == 3;
}

static int along_apart(const tl_attr *a, const tl_shape *in, int n)
{
    return in->rank - a->i[0] >= n;
}

static tl_from take_along_source(const tl_attr *a, const tl_shape *in, const tl_shape *out,
                                 int64_t number)
{
    const int axis = out->rank - (int)a->i[0];
    int64_t inner = 1;
    for (int j = axis + 1; j < out->rank; j++)
        inner *= out->dim[j];
    const int64_t outer = number / (inner * out->dim[axis]);
    return (tl_from){number, outer * in[0].dim[axis] * inner + number % inner, inner};
}

static void take_along_adjoint(tl_adj *a)
{
    int from_end = (int)a->attr->i[0];
    a->d[0] =
        tl_put_along(a->g, a->in[1], -from_end, a->in_shape[0].dim[a->in_shape[0].rank - from_end]);
}

static int put_along_shape(tl_infer *q)
{
    tl_shape src = q->in[0], idx = q->in[1];
    char ts[TL_SHAPE_TEXT], ti[TL_SHAPE_TEXT];
    if (!tl_shape_equal(src, idx))
        return tl_infer_fail(q, TL_ESHAPE, "got %s, indices %s, want equal shapes",
                             tl_shape_text(src, ts, sizeof ts), tl_shape_text(idx, ti, sizeof ti));
    if (q->attr->i[1] < 0)
        return tl_infer_fail(q, TL_ERANGE, "got extent %lld, want 0 or more",
                             (long long)q->attr->i[1]);
    q->shape.dim[src.rank - q->attr->i[0]] = q->attr->i[1];
    int code = tl__index_adds(q);
    return code ? code : tl__index_wanted(q, 1);
}

static int put_along_run(tl_call *c)
{
    const tl_strided *src = &c->in[0], *idx = &c->in[1];
    int axis = src->shape->rank - (int)c->attr->i[0];
    int64_t n = c->out.shape->dim[axis], along = c->out.stride[axis], still[TL_MAX_RANK];
    for (int j = 0; j < src->shape->rank; j++)
        still[j] = j == axis ? 0 : c->out.stride[j];
    tl__zero_strided(&c->out);
    tl_walk w = tl__walk(src->shape->rank, src->shape->dim, idx->stride, src->stride, still);
    for (int more = tl__walk_start(&w); more; more = tl__walk_next(&w)) {
        int32_t v = ((const int32_t *)idx->data)[w.offset[0]];
        if (tl__index_is_outside(v, n))
            return tl__index_fail(c, &w, v, n);
        int64_t to = w.offset[2] + v * along;
        if (c->out.dtype == TL_F32)
            ((float *)c->out.data)[to] += ((const float *)src->data)[w.offset[1]];
        else
            ((double *)c->out.data)[to] += ((const double *)src->data)[w.offset[1]];
    }
    return TL_OK;
}

static void put_along_adjoint(tl_adj *a)
{
    a->d[0] = tl_take_along(a->g, a->in[1], -(int)a->attr->i[0]);
}

static tl_tensor case_take_along(const tl_tensor *in)
{
    return tl_take_along(in[0], in[1], 1);
}

static tl_tensor case_put_along(const tl_tensor *in)
{
    return tl_put_along(in[0], in[1], 0, 5);
}

static const tl_case take_along_cases[] = {
    {2, {{3, {2, 4, 3}}, {3, {2, 5, 3}}}, {TL_ANY, TL_INDEX}, 4, case_take_along},
    {2, {{2, {3, 5}}, {2, {3, 1}}}, {TL_ANY, TL_INDEX}, 5, case_take_along}};
static const tl_case put_along_cases[] = {
    {2, {{2, {3, 2}}, {2, {3, 2}}}, {TL_ANY, TL_INDEX}, 5, case_put_along}};

const tl_op tl_op_take_along = {
    .name = "take_along",
    .doc = "y[i,j] = a[i,idx[i,j]] along an axis",
    .grad_doc = "da = put_along(g, idx)",
    .shape_doc = "[...,n,...], i32 [...,k,...] -> [...,k,...]",
    .kind = TL_GATHER,
    .nin = 2,
    .shape = take_along_shape,
    .run = take_along_run,
    .lead = along_lead,
    .apart = along_apart,
    .adjoint = take_along_adjoint,
    .reads = TL_READS(1),
    .ncases = 2,
    .cases = take_along_cases,
    .attr_text = tl__text_axis,
    .source = take_along_source,
};

const tl_op tl_op_put_along = {
    .name = "put_along",
    .doc = "y = 0; y[i,idx[i,j]] += src[i,j] along an axis",
    .grad_doc = "dsrc = take_along(g, idx)",
    .shape_doc = "[...,k,...], i32 [...,k,...] -> [...,n,...]",
    .kind = TL_GATHER,
    .nin = 2,
    .shape = put_along_shape,
    .run = put_along_run,
    .lead = along_lead,
    .apart = along_apart,
    .adjoint = put_along_adjoint,
    .reads = TL_READS(1),
    .ncases = 1,
    .cases = put_along_cases,
    .attr_text = tl__text_axis,
};

/* record_along -- with the axis counted from the end, and the extent if it is not NULL. */
static tl_tensor record_along(const tl_op *op, tl_tensor a, tl_tensor idx, int axis,
                              const int64_t *extent)
{
    tl_tensor in[2] = {a, idx};
    if (!tl__same_tape(op->name, 2, in))
        return tl__inert(a);
    int rank = tl_rank(a), front = tl__shape_axis(rank, axis);
    char text[TL_SHAPE_TEXT];
    if (front < 0)
        return tl_fail_tensor(a, TL_ESHAPE, op->name, "got axis %d of %s, want one in [%d,%d)",
                              axis, tl_shape_text(tl_shape_of(a), text, sizeof text), -rank, rank);
    int64_t i[2] = {rank - front, extent ? *extent : 0};
    tl_attr attr = {extent ? 2 : 1, i, 0, NULL};
    return tl_record(op, 2, in, &attr);
}

tl_tensor tl_take_along(tl_tensor a, tl_tensor idx, int axis)
{
    return record_along(&tl_op_take_along, a, idx, axis, NULL);
}

tl_tensor tl_put_along(tl_tensor src, tl_tensor idx, int axis, int64_t extent)
{
    return record_along(&tl_op_put_along, src, idx, axis, &extent);
}
