/* index.c -- picking rows by number, and adding them back.
 *
 * gather and scatter_add, each the adjoint of the other, for whole rows of a table; one_hot. Single
 * elements along an axis are in along.c. Order of additions is that of the indices, on one thread:
 * same bits always. */
#include "ops/index.h"

#include "core/attr_text.h"
#include "core/grad.h"
#include "core/space.h"
#include "ops/elementwise.h"
#include "ops/indices.h"
#include "ops/registry.h"

#include <string.h>

/* ---- rows ------------------------------------------------------------------------------------ */

/*  table [V,R...]   idx [I...]   rows [I...,R...]     rows[i...,:] = table[idx[i...],:]  */

static int gather_shape(tl_infer *q)
{
    tl_shape table = q->in[0], idx = q->in[1];
    char a[TL_SHAPE_TEXT], b[TL_SHAPE_TEXT];
    if (table.rank < 1 || idx.rank + table.rank - 1 > TL_MAX_RANK)
        return tl_infer_fail(
            q, TL_ESHAPE,
            "got table %s, indices %s, want [V,...], [...] and rank %d at most together",
            tl_shape_text(table, a, sizeof a), tl_shape_text(idx, b, sizeof b), TL_MAX_RANK);
    q->shape = idx;
    for (int j = 1; j < table.rank; j++)
        q->shape.dim[q->shape.rank++] = table.dim[j];
    return tl__index_wanted(q, 1);
}

/* Parts are the first axis of the indices. */
static int64_t gather_parts(tl_parts *q)
{
    q->axis = q->in[1].rank > 0 ? 0 : -1;
    return q->axis < 0 ? 1 : q->in[1].dim[0];
}

static int gather_run(tl_call *c)
{
    const tl_strided *table = &c->in[0], *idx = &c->in[1];
    int ni = idx->shape->rank, nr = table->shape->rank - 1;
    int64_t V = table->shape->dim[0], size = (int64_t)tl_dtype_size(table->dtype),
            step[TL_WALK_ARRAYS];
    tl_walk row = tl__walk(nr, table->shape->dim + 1, table->stride + 1, c->out.stride + ni, NULL);
    tl__walk_merge(&row);
    int64_t n = tl__walk_last(&row, step);
    int dense = row.rank == 0 && (n == 1 || (step[0] == 1 && step[1] == 1));
    tl_shape shape = *idx->shape;
    int64_t skip[2] = {0};
    if (c->hi && ni > 0) {
        shape.dim[0] = c->hi - c->lo;
        skip[0] = c->lo * idx->stride[0];
        skip[1] = c->lo * c->out.stride[0];
    }
    tl_walk w = tl__walk(ni, shape.dim, idx->stride, c->out.stride, NULL);
    for (int more = tl__walk_start(&w); more; more = tl__walk_next(&w)) {
        int32_t v = ((const int32_t *)idx->data)[skip[0] + w.offset[0]];
        if (tl__index_is_outside(v, V))
            return tl__index_fail(c, &w, v, V);
        const char *from = (const char *)table->data + v * table->stride[0] * size;
        char *to = (char *)c->out.data + (skip[1] + w.offset[1]) * size;
        if (dense)
            memcpy(to, from, (size_t)(n * size));
        else
            tl__copy_strided((size_t)size, nr, table->shape->dim + 1, from, table->stride + 1, to,
                             c->out.stride + ni);
    }
    return TL_OK;
}

/* With an axis on the indices alone the table is read more often; a table that changes from step to
 * step is another operation. */
static int gather_lead(tl_lead *q)
{
    return q->led == 2;
}

static tl_from gather_source(const tl_attr *a, const tl_shape *in, const tl_shape *out,
                             int64_t number)
{
    int64_t row = 1;
    (void)a, (void)out;
    for (int j = 1; j < in[0].rank; j++)
        row *= in[0].dim[j];
    return (tl_from){number / row, number % row, row};
}

static void gather_adjoint(tl_adj *a)
{
    a->d[0] = tl_scatter_add(a->g, a->in[1], a->in_shape[0].dim[0]);
}

static int scatter_add_shape(tl_infer *q)
{
    tl_shape src = q->in[0], idx = q->in[1];
    char a[TL_SHAPE_TEXT], b[TL_SHAPE_TEXT];
    int fits = idx.rank <= src.rank && src.rank - idx.rank < TL_MAX_RANK;
    for (int j = 0; fits && j < idx.rank; j++)
        fits = src.dim[j] == idx.dim[j];
    if (!fits)
        return tl_infer_fail(q, TL_ESHAPE, "got rows %s, indices %s, want [I...,...], [I...]",
                             tl_shape_text(src, a, sizeof a), tl_shape_text(idx, b, sizeof b));
    if (q->attr->i[0] < 0)
        return tl_infer_fail(q, TL_ERANGE, "got %lld rows, want 0 or more",
                             (long long)q->attr->i[0]);
    q->shape = tl_shape1(q->attr->i[0]);
    for (int j = idx.rank; j < src.rank; j++)
        q->shape.dim[q->shape.rank++] = src.dim[j];
    int code = tl__index_adds(q);
    return code ? code : tl__index_wanted(q, 1);
}

enum {
    BLOCK = 16
}; /* a fixed length for the vectorizer; elements of a row do not meet, so it changes no bit */

#define STAMP_ADD_ROW(T)                                                                           \
    static void add_row_##T(tl_walk w, const T *src, T *out)                                       \
    {                                                                                              \
        int64_t step[TL_WALK_ARRAYS], n = tl__walk_last(&w, step);                                 \
        for (int more = tl__walk_start(&w); more; more = tl__walk_next(&w)) {                      \
            const T *restrict x = src + w.offset[0];                                               \
            T *restrict y = out + w.offset[1];                                                     \
            int64_t i = 0;                                                                         \
            if (step[0] == 1 && step[1] == 1)                                                      \
                for (; i + BLOCK <= n; i += BLOCK)                                                 \
                    for (int j = 0; j < BLOCK; j++)                                                \
                        y[i + j] += x[i + j];                                                      \
            for (; i < n; i++)                                                                     \
                y[i * step[1]] += x[i * step[0]];                                                  \
        }                                                                                          \
    }

STAMP_ADD_ROW(float)
STAMP_ADD_ROW(double)

static int scatter_add_run(tl_call *c)
{
    const tl_strided *src = &c->in[0], *idx = &c->in[1];
    int ni = idx->shape->rank;
    int64_t V = c->out.shape->dim[0];
    tl__zero_strided(&c->out);
    tl_walk w = tl__walk(ni, idx->shape->dim, idx->stride, src->stride, NULL);
    tl_walk row = tl__walk(src->shape->rank - ni, src->shape->dim + ni, src->stride + ni,
                           c->out.stride + 1, NULL);
    tl__walk_merge(&row);
    for (int more = tl__walk_start(&w); more; more = tl__walk_next(&w)) {
        int32_t v = ((const int32_t *)idx->data)[w.offset[0]];
        if (tl__index_is_outside(v, V))
            return tl__index_fail(c, &w, v, V);
        if (c->out.dtype == TL_F32)
            add_row_float(row, (const float *)src->data + w.offset[1],
                          (float *)c->out.data + v * c->out.stride[0]);
        else
            add_row_double(row, (const double *)src->data + w.offset[1],
                           (double *)c->out.data + v * c->out.stride[0]);
    }
    return TL_OK;
}

static void scatter_add_adjoint(tl_adj *a)
{
    a->d[0] = tl_gather(a->g, a->in[1]);
}

static tl_tensor case_gather(const tl_tensor *in)
{
    return tl_gather(in[0], in[1]);
}

static tl_tensor case_scatter_add(const tl_tensor *in)
{
    return tl_scatter_add(in[0], in[1], 4);
}

static const tl_case gather_cases[] = {
    {2, {{2, {4, 3}}, {2, {2, 3}}}, {TL_ANY, TL_INDEX}, 4, case_gather},
    {2, {{1, {4}}, {1, {5}}}, {TL_ANY, TL_INDEX}, 4, case_gather}};
static const tl_case scatter_add_cases[] = {
    {2, {{3, {2, 3, 2}}, {2, {2, 3}}}, {TL_ANY, TL_INDEX}, 4, case_scatter_add}};

const tl_op tl_op_gather = {
    .name = "gather",
    .doc = "y[i,:] = table[idx[i],:]",
    .grad_doc = "dtable = scatter_add(g, idx)",
    .shape_doc = "[V,R...], i32 [I...] -> [I...,R...]",
    .kind = TL_GATHER,
    .nin = 2,
    .shape = gather_shape,
    .run = gather_run,
    .parts = gather_parts,
    .lead = gather_lead,
    .adjoint = gather_adjoint,
    .reads = TL_READS(1),
    .ncases = 2,
    .cases = gather_cases,
    .source = gather_source,
};

const tl_op tl_op_scatter_add = {
    .name = "scatter_add",
    .doc = "y = 0; y[idx[i],:] += src[i,:]",
    .grad_doc = "dsrc = gather(g, idx)",
    .shape_doc = "[I...,R...], i32 [I...] -> [V,R...]",
    .kind = TL_GATHER,
    .nin = 2,
    .shape = scatter_add_shape,
    .run = scatter_add_run,
    .adjoint = scatter_add_adjoint,
    .reads = TL_READS(1),
    .ncases = 1,
    .cases = scatter_add_cases,
    .attr_text = tl__text_rows,
};

tl_tensor tl_gather(tl_tensor table, tl_tensor idx)
{
    tl_tensor in[2] = {table, idx};
    return tl_record(&tl_op_gather, 2, in, NULL);
}

tl_tensor tl_scatter_add(tl_tensor src, tl_tensor idx, int64_t V)
{
    tl_tensor in[2] = {src, idx};
    tl_attr attr = {1, &V, 0, NULL};
    return tl_record(&tl_op_scatter_add, 2, in, &attr);
}

tl_tensor tl_embedding(tl_tensor w, tl_tensor idx, int64_t padding)
{
    tl_tensor in[2] = {w, idx};
    if (!tl__same_tape("embedding", 2, in))
        return tl__inert(w);
    if (padding < -1 || (tl_rank(w) > 0 && padding >= tl_dim(w, 0)))
        return tl_fail_tensor(w, TL_ERANGE, "embedding",
                              "got padding row %lld, want -1 or one in [0,%lld)",
                              (long long)padding, (long long)tl_dim(w, 0));
    tl_tensor rows = tl_gather(w, idx);
    if (padding < 0)
        return rows;
    tl_tensor is_real = tl_not_equal(idx, tl_scalar(w.tape, TL_I32, (double)padding));
    tl_shape s = tl_shape_of(idx);
    for (int j = 1; j < tl_rank(w); j++)
        s.dim[s.rank++] = 1;
    return tl_where(tl_reshape(is_real, s), rows, tl_detach(rows));
}

/* ---- one_hot --------------------------------------------------------------------------------- */

static int one_hot_shape(tl_infer *q)
{
    if (q->attr->i[0] < 0 || q->in[0].rank == TL_MAX_RANK)
        return tl_infer_fail(q, TL_ESHAPE,
                             "got %lld classes for rank %d, want 0 or more, and rank less than %d",
                             (long long)q->attr->i[0], q->in[0].rank, TL_MAX_RANK);
    q->shape.dim[q->shape.rank++] = q->attr->i[0];
    q->dtype = (tl_dtype)q->attr->i[1];
    return tl__index_wanted(q, 0);
}

static int one_hot_run(tl_call *c)
{
    const tl_strided *idx = &c->in[0];
    int ni = idx->shape->rank;
    int64_t K = c->out.shape->dim[ni], step = c->out.stride[ni];
    tl__zero_strided(&c->out);
    tl_walk w = tl__walk(ni, idx->shape->dim, idx->stride, c->out.stride, NULL);
    for (int more = tl__walk_start(&w); more; more = tl__walk_next(&w)) {
        int32_t v = ((const int32_t *)idx->data)[w.offset[0]];
        if (tl__index_is_outside(v, K))
            return tl__index_fail(c, &w, v, K);
        int64_t at = w.offset[1] + v * step;
        switch (c->out.dtype) {
        case TL_F32:
            ((float *)c->out.data)[at] = 1.0f;
            break;
        case TL_F64:
            ((double *)c->out.data)[at] = 1.0;
            break;
        case TL_I32:
            ((int32_t *)c->out.data)[at] = 1;
            break;
        }
    }
    return TL_OK;
}

static int one_hot_apart(const tl_attr *a, const tl_shape *in, int n)
{
    (void)a;
    return n <= in->rank;
}

static tl_tensor case_one_hot(const tl_tensor *in)
{
    return tl_one_hot(in[0], 4, TL_F32);
}

static const tl_case one_hot_cases[] = {{1, {{2, {2, 3}}}, {TL_INDEX}, 4, case_one_hot}};

const tl_op tl_op_one_hot = {
    .name = "one_hot",
    .doc = "y = 0; y[i,idx[i]] = 1",
    .grad_doc = "none",
    .shape_doc = "i32 [I...] -> [I...,K]",
    .kind = TL_GATHER,
    .nin = 1,
    .shape = one_hot_shape,
    .run = one_hot_run,
    .lead = tl_lead_same,
    .apart = one_hot_apart,
    .no_gradient = 1,
    .ncases = 1,
    .cases = one_hot_cases,
    .attr_text = tl__text_classes,
};

tl_tensor tl_one_hot(tl_tensor idx, int64_t K, tl_dtype dtype)
{
    int64_t i[2] = {K, dtype};
    tl_attr attr = {2, i, 0, NULL};
    return tl_record(&tl_op_one_hot, 1, &idx, &attr);
}
