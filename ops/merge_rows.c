/* merge_rows.c -- the gradient of a table as the rows it has.
 *
 *     g = scatter_add(src, idx)   [V,E]      zeros but for the rows that were looked up
 *
 *     src [n,E]   a b c d        merge_rows   a+c  b  0  d      values and moments of these rows are
 *     idx [n]     5 2 5 0                      5   2  5  0      all that a step has to look at
 *
 * Sums are made in the order of scatter_add, so they have its bits. */
#include "ops/merge_rows.h"

#include "core/memory.h"
#include "core/node.h"
#include "core/space.h"
#include "ops/index.h"
#include "ops/registry.h"
#include "ops/view.h"
#include "ops/walk.h"

#include <string.h>

/* ---- merging --------------------------------------------------------------------------------- */

static int merge_shape(tl_infer *q)
{
    char a[TL_SHAPE_TEXT], b[TL_SHAPE_TEXT];
    if (q->in[1].rank != 1 || q->in[0].rank < 1 || q->in[0].dim[0] != q->in[1].dim[0])
        return tl_infer_fail(q, TL_ESHAPE, "got rows %s, indices %s, want [n,...], [n]",
                             tl_shape_text(q->in[0], a, sizeof a),
                             tl_shape_text(q->in[1], b, sizeof b));
    if (q->in_dtype[0] == TL_I32 || q->in_dtype[1] != TL_I32)
        return tl_infer_fail(q, TL_EDTYPE, "got %s rows, %s indices, want f32 or f64, i32",
                             tl_dtype_name(q->in_dtype[0]), tl_dtype_name(q->in_dtype[1]));
    return TL_OK;
}

/* tl_firsts -- a hash table of positions: the first of each index. */
typedef struct tl_firsts {
    int64_t *at; /* position + 1, 0: free */
    uint64_t mask;
} tl_firsts;

static int firsts_open(tl_firsts *f, int64_t n)
{
    uint64_t room = 16;
    while (room < 2 * (uint64_t)n)
        room *= 2;
    f->mask = room - 1;
    f->at = tl__calloc((size_t)room, sizeof *f->at);
    return f->at ? TL_OK : TL_ENOMEM;
}

/* first_of -- the first position of the index at i, which is i itself if it is new. */
static int64_t first_of(tl_firsts *f, const int32_t *idx, int64_t stride, int64_t i)
{
    const int32_t v = idx[i * stride];
    uint64_t h = (uint64_t)(uint32_t)v * 0x9e3779b97f4a7c15u;
    for (h ^= h >> 32;; h++) {
        int64_t *at = &f->at[h & f->mask];
        if (*at == 0)
            *at = i + 1;
        if (idx[(*at - 1) * stride] == v)
            return *at - 1;
    }
}

#define STAMP_ADD(T)                                                                               \
    static void add_##T(tl_walk w, const T *src, T *out)                                           \
    {                                                                                              \
        int64_t step[TL_WALK_ARRAYS], n = tl__walk_last(&w, step);                                 \
        for (int more = tl__walk_start(&w); more; more = tl__walk_next(&w)) {                      \
            const T *restrict x = src + w.offset[0];                                               \
            T *restrict y = out + w.offset[1];                                                     \
            if (step[0] == 1 && step[1] == 1)                                                      \
                for (int64_t i = 0; i < n; i++)                                                    \
                    y[i] += x[i];                                                                  \
            else                                                                                   \
                for (int64_t i = 0; i < n; i++)                                                    \
                    y[i * step[1]] += x[i * step[0]];                                              \
        }                                                                                          \
    }

STAMP_ADD(float)
STAMP_ADD(double)

static int merge_run(tl_call *c)
{
    const tl_strided *src = &c->in[0], *idx = &c->in[1];
    const int64_t n = idx->shape->dim[0];
    tl_firsts f;
    if (firsts_open(&f, n))
        return tl_call_fail(c, TL_ENOMEM, "no memory for %lld indices", (long long)n);
    tl__zero_strided(&c->out);
    tl_walk row = tl__walk(src->shape->rank - 1, src->shape->dim + 1, src->stride + 1,
                           c->out.stride + 1, NULL);
    tl__walk_merge(&row);
    for (int64_t i = 0; i < n; i++) {
        const int64_t to = first_of(&f, idx->data, idx->stride[0], i);
        if (c->out.dtype == TL_F32)
            add_float(row, (const float *)src->data + i * src->stride[0],
                      (float *)c->out.data + to * c->out.stride[0]);
        else
            add_double(row, (const double *)src->data + i * src->stride[0],
                       (double *)c->out.data + to * c->out.stride[0]);
    }
    tl__free(f.at);
    return TL_OK;
}

static tl_tensor case_merge_rows(const tl_tensor *in)
{
    return tl__merge_rows(in[0], in[1]);
}

static const tl_case merge_rows_cases[] = {
    {2, {{2, {5, 3}}, {1, {5}}}, {TL_ANY, TL_INDEX}, 3, case_merge_rows},
};

const tl_op tl_op_merge_rows = {
    .name = "merge_rows",
    .doc = "y[i,:] = sum of src[j,:] over idx[j] = idx[i], if i is the first of them; else 0",
    .grad_doc = "none",
    .shape_doc = "[n,R...], i32 [n] -> [n,R...]",
    .kind = TL_GATHER,
    .nin = 2,
    .shape = merge_shape,
    .run = merge_run,
    .no_gradient = 1,
    .ncases = 1,
    .cases = merge_rows_cases,
};

tl_tensor tl__merge_rows(tl_tensor src, tl_tensor idx)
{
    const tl_tensor in[2] = {src, idx};
    return tl_record(&tl_op_merge_rows, 2, in, NULL);
}

/* ---- recognising ----------------------------------------------------------------------------- */

/* flat -- rows and indices of a scatter_add, the indices' axes made one. */
static void flat(tl_tensor rows, tl_tensor at, tl_tensor *src, tl_tensor *idx)
{
    const int64_t n = tl_shape_count(tl_shape_of(at));
    tl_shape s = tl_shape1(n);
    for (int a = tl_rank(at); a < tl_rank(rows); a++)
        s.dim[s.rank++] = tl_dim(rows, a);
    *src = tl_reshape(rows, s);
    *idx = tl_reshape(at, tl_shape1(n));
}

static int rows_of(tl_tensor g, int depth, tl_tensor *src, tl_tensor *idx)
{
    const tl_node *n = tl__peek(g);
    if (!n || n->life != TL_PENDING || n->want || depth == 0)
        return 0;
    const tl_node *a = n->nin > 0 ? &g.tape->nodes[n->in[0]] : NULL;
    if (n->op == &tl_op_scatter_add) {
        flat(tl__at(g.tape, n->in[0]), tl__at(g.tape, n->in[1]), src, idx);
        return 1;
    }
    if (n->op != &tl_op_add || !tl_shape_equal(a->shape, n->shape) ||
        !tl_shape_equal(g.tape->nodes[n->in[1]].shape, n->shape))
        return 0;
    const uint32_t in[2] = {n->in[0], n->in[1]};
    tl_tensor s[2], i[2];
    for (int k = 0; k < 2; k++)
        if (!rows_of(tl__at(g.tape, in[k]), depth - 1, &s[k], &i[k]))
            return 0;
    *src = tl_concat(2, s, 0);
    *idx = tl_concat(2, i, 0);
    return 1;
}

int tl__rows_of(tl_tensor g, tl_tensor *src, tl_tensor *idx)
{
    enum { DEEPEST = 16 };
    return rows_of(g, DEEPEST, src, idx);
}
