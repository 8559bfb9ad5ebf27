/* sum.c -- sums over axes, which stay with extent 1. Attribute: {axes}, bit k of it is axis k +
 * 1 from the end.
 *
 * The tree of additions depends on the shape and the axes only, never on strides, threads or
 * the instruction set. Neighbouring axes that are both summed (or both kept) count as one;
 * then, the innermost summed axis first,
 *
 *     a row,  [.., R]      element j goes to lane j % LANES, in blocks of 64 x LANES; lanes are
 *                          added in halves, blocks in order
 *     rows,   [.., R, Q]   each of Q columns adds its rows in order, in blocks of 64; blocks in
 *                          order
 *
 * Kernels (fold.h) add one block into a sum; what is not contiguous is packed first, block by
 * block. */
#include "core/sum.h"

#include "core/attr_text.h"
#include "core/fold.h"
#include "core/memory.h"
#include "core/op.h"
#include "core/space.h"

#include <string.h>

enum { ROWS = 64, LANE_BYTES = TL_FOLD_LANE_BYTES };

/* tl_axes -- some neighbouring axes as they lie in memory; those that are one run are made one. */
typedef struct tl_axes {
    int rank;
    int64_t dim[TL_MAX_RANK], stride[TL_MAX_RANK], count;
} tl_axes;

static tl_axes axes_of(int n, const int64_t *dim, const int64_t *stride)
{
    tl_axes a = {.count = 1};
    for (int i = 0; i < n; i++) {
        a.count *= dim[i];
        if (dim[i] == 1)
            continue;
        if (a.rank > 0 && a.stride[a.rank - 1] == dim[i] * stride[i]) {
            a.dim[a.rank - 1] *= dim[i];
            a.stride[a.rank - 1] = stride[i];
        } else {
            a.dim[a.rank] = dim[i];
            a.stride[a.rank++] = stride[i];
        }
    }
    return a;
}

/* offset_of -- where element index of the axes lies; its place along each of them to at (or
 * NULL). */
static int64_t offset_of(const tl_axes *a, int64_t index, int64_t *at)
{
    int64_t offset = 0;
    for (int i = a->rank - 1; i >= 0; index /= a->dim[i], i--) {
        offset += index % a->dim[i] * a->stride[i];
        if (at)
            at[i] = index % a->dim[i];
    }
    return offset;
}

/* is_run -- one axis at most; *stride is its. */
static int is_run(const tl_axes *a, int64_t *stride)
{
    *stride = a->rank == 1 ? a->stride[0] : 0;
    return a->rank <= 1;
}

/* copy_run -- n elements of 4 or 8 bytes at any distance. */
static void copy_run(size_t size, int64_t n, char *to, int64_t to_stride, const char *from,
                     int64_t from_stride)
{
    const int64_t t = to_stride * (int64_t)size, f = from_stride * (int64_t)size;
    if (size == 4)
        for (int64_t i = 0; i < n; i++)
            memcpy(to + i * t, from + i * f, 4);
    else
        for (int64_t i = 0; i < n; i++)
            memcpy(to + i * t, from + i * f, 8);
}

/* move -- count elements of the axes, from the first-th on, to or from a contiguous array. */
static void move(size_t size, const tl_axes *a, int64_t first, int64_t count, char *lying,
                 char *packed, int out)
{
    int64_t at[TL_MAX_RANK] = {0};
    const int last = a->rank - 1;
    const int64_t bytes = (int64_t)size, extent = last < 0 ? 1 : a->dim[last];
    const int64_t stride = last < 0 ? 0 : a->stride[last];
    char *here = lying + offset_of(a, first, at) * bytes;
    while (count > 0) {
        const int64_t left = extent - (last < 0 ? 0 : at[last]), n = left < count ? left : count;
        if (out)
            copy_run(size, n, here, stride, packed, 1);
        else
            copy_run(size, n, packed, 1, here, stride);
        packed += n * bytes;
        first += n;
        count -= n;
        if (count > 0)
            here = lying + offset_of(a, first, at) * bytes;
    }
}

static void set_zero(size_t size, char *sum)
{
    static const double zero = 0;
    if (size == 4)
        memcpy(sum, &zero, 4);
    else
        memcpy(sum, &zero, 8);
}

/* sum_row -- *sum = all of r. */
static void sum_row(const tl_fold *f, size_t size, const tl_axes *r, char *in, char *sum)
{
    char packed[ROWS * LANE_BYTES];
    const int64_t block = (int64_t)(sizeof packed / size);
    int64_t stride;
    const int direct = is_run(r, &stride) && stride == 1;
    set_zero(size, sum);
    for (int64_t i = 0; i < r->count; i += block) {
        const int64_t n = r->count - i < block ? r->count - i : block;
        if (!direct)
            move(size, r, i, n, in, packed, 0);
        f->row(n, direct ? in + i * (int64_t)size : packed, sum);
    }
}

/* sum_rows -- sum[j] = sum over r of the j-th column; sum is contiguous. */
static void sum_rows(const tl_fold *f, size_t size, const tl_axes *r, const tl_axes *q, char *in,
                     char *sum)
{
    enum { STRIP = LANE_BYTES / 8 };
    char packed[ROWS * STRIP * sizeof(double)];
    int64_t row, column;
    const int direct = is_run(r, &row) & is_run(q, &column) && (column == 1 || q->count == 1);
    memset(sum, 0, (size_t)q->count * size);
    for (int64_t i = 0; i < r->count; i += ROWS) {
        const int64_t n = r->count - i < ROWS ? r->count - i : ROWS;
        if (direct) {
            f->rows(n, q->count, in + i * row * (int64_t)size, row, sum, 0);
            continue;
        }
        for (int64_t j = 0; j < q->count; j += STRIP) {
            const int64_t m = q->count - j < STRIP ? q->count - j : STRIP;
            for (int64_t k = 0; k < n; k++)
                move(size, q, j, m, in + offset_of(r, i + k, NULL) * (int64_t)size,
                     packed + k * STRIP * (int64_t)size, 0);
            f->rows(n, m, packed, STRIP, sum + j * (int64_t)size, 0);
        }
    }
}

/* ---- some rows at a time --------------------------------------------------------------------- */

int64_t tl__sum_block(tl_dtype dtype, int64_t q)
{
    return q == 1 ? ROWS * (LANE_BYTES / (int64_t)tl_dtype_size(dtype)) : ROWS;
}

void tl__sum_partial(tl_dtype dtype, int64_t q, int64_t first, int64_t n, const void *in,
                     int64_t stride, void *partial)
{
    const tl_fold *f = tl__fold(dtype);
    const int64_t size = (int64_t)tl_dtype_size(dtype), block = tl__sum_block(dtype, q);
    const char *x = in;
    while (n > 0) {
        const int64_t at = first % block, m = block - at < n ? block - at : n;
        char *to = (char *)partial + first / block * q * size;
        if (at == 0)
            memset(to, 0, (size_t)(q * size));
        if (q == 1)
            f->row(m, x, to);
        else
            f->rows(m, q, x, stride, to, 1);
        first += m;
        n -= m;
        x += m * stride * size;
    }
}

void tl__sum_finish(tl_dtype dtype, int64_t q, int64_t N, const void *partial, void *sum)
{
    const tl_fold *f = tl__fold(dtype);
    const int64_t block = tl__sum_block(dtype, q);
    memset(sum, 0, (size_t)q * tl_dtype_size(dtype));
    f->rows((N + block - 1) / block, q, partial, q, sum, 1);
}

/* tl_fold_pass -- one group of neighbouring summed axes, [first, last), and the arrays between
 * which it is summed. */
typedef struct tl_fold_pass {
    const tl_fold *fold;
    size_t size;
    int rank, first, last;
    const int64_t *dim, *in_stride, *out_stride;
} tl_fold_pass;

static int fold_pass(const tl_fold_pass *p, char *in, char *out)
{
    const tl_axes r = axes_of(p->last - p->first, p->dim + p->first, p->in_stride + p->first);
    const tl_axes q = axes_of(p->rank - p->last, p->dim + p->last, p->in_stride + p->last);
    const tl_axes q_out = axes_of(p->rank - p->last, p->dim + p->last, p->out_stride + p->last);
    int64_t outer = 1, stride;
    for (int a = 0; a < p->first; a++)
        outer *= p->dim[a];
    const int in_place = is_run(&q_out, &stride) && (stride == 1 || q.count == 1);
    char *sums = NULL;
    if (!in_place && !(sums = tl__alloc((size_t)q.count * p->size)))
        return TL_ENOMEM;
    int64_t at[TL_MAX_RANK] = {0}, from = 0, to = 0; /* place among the axes before the group */
    for (int64_t o = 0; o < outer; o++) {
        char *x = in + from * (int64_t)p->size, *y = out + to * (int64_t)p->size;
        if (q.count == 1)
            sum_row(p->fold, p->size, &r, x, y);
        else
            sum_rows(p->fold, p->size, &r, &q, x, in_place ? y : sums);
        if (!in_place)
            move(p->size, &q_out, 0, q.count, y, sums, 1);
        for (int a = p->first - 1; a >= 0; a--) {
            from += p->in_stride[a];
            to += p->out_stride[a];
            if (++at[a] < p->dim[a])
                break;
            from -= at[a] * p->in_stride[a];
            to -= at[a] * p->out_stride[a];
            at[a] = 0;
        }
    }
    tl__free(sums);
    return TL_OK;
}

/* next_group -- the innermost run of axes still to be summed, as [*first, *last); 0 when there
 * is none. */
static int next_group(int rank, const int64_t *dim, uint32_t mask, int *first, int *last)
{
    int a = rank - 1;
    while (a >= 0 && (dim[a] == 1 || !(mask >> (rank - 1 - a) & 1)))
        a--;
    if (a < 0)
        return 0;
    *last = a + 1;
    while (a >= 0 && (dim[a] == 1 || mask >> (rank - 1 - a) & 1))
        a--;
    *first = a + 1;
    return 1;
}

static int sum_run(tl_call *c)
{
    const tl_strided *in = &c->in[0];
    const int rank = in->shape->rank;
    const uint32_t mask = (uint32_t)c->attr->i[0];
    tl_shape s = *in->shape;
    tl_layout from = {0};
    memcpy(from.stride, in->stride, (size_t)rank * sizeof(int64_t));
    char *data = in->data, *former = NULL;
    if (tl_shape_count(*c->out.shape) == 0)
        return TL_OK;
    for (;;) {
        tl_fold_pass p = {
            tl__fold(in->dtype), tl_dtype_size(in->dtype), rank, 0, 0, s.dim, from.stride,
            c->out.stride};
        tl_shape after = s;
        int first = 0, last = 0, again = 0,
            found = next_group(rank, s.dim, mask, &p.first, &p.last);
        for (int a = p.first; a < p.last; a++)
            after.dim[a] = 1;
        again = found && next_group(rank, after.dim, mask, &first, &last);
        const tl_layout between = tl__layout_dense(&after);
        char *to = c->out.data;
        if (again) {
            p.out_stride = between.stride;
            to = tl__alloc((size_t)tl_shape_count(after) * p.size);
        }
        const int code = to ? fold_pass(&p, data, to) : TL_ENOMEM;
        tl__free(former);
        former = again ? to : NULL;
        if (code) {
            tl__free(former);
            return tl_call_fail(c, code, "no memory for partial sums");
        }
        if (!again)
            return TL_OK;
        s = after;
        from = between;
        data = to;
    }
}

static int infer_sum(tl_infer *q)
{
    char text[TL_SHAPE_TEXT];
    const int64_t mask = q->attr->i[0];
    if (q->dtype == TL_I32)
        return tl_infer_fail(q, TL_EDTYPE, "got i32, want f32 or f64 (tl_cast converts)");
    if (mask >> q->shape.rank)
        return tl_infer_fail(q, TL_ERANGE, "got axes 0x%llx of %s, want bits 0 to %d at most",
                             (unsigned long long)mask, tl_shape_text(q->shape, text, sizeof text),
                             q->shape.rank - 1);
    for (int k = 0; k < q->shape.rank; k++)
        if (mask >> k & 1)
            q->shape.dim[q->shape.rank - 1 - k] = 1;
    return TL_OK;
}

int tl__mask_apart(const tl_attr *a, const tl_shape *in, int n)
{
    return a->i[0] >> (in->rank - n) == 0;
}

static void sum_adjoint(tl_adj *q)
{
    q->d[0] = tl_broadcast_to(q->g, q->in_shape[0]);
}

static tl_tensor sum_call_rows(const tl_tensor *in)
{
    return tl_sum_keep(in[0], 2);
}

static tl_tensor sum_call_ends(const tl_tensor *in)
{
    return tl_sum_keep(in[0], 1 | 4);
}

static const tl_case sum_cases[] = {
    {1, {{3, {2, 3, 4}}}, {TL_ANY}, 0, sum_call_rows},
    {1, {{3, {2, 3, 4}}}, {TL_ANY}, 0, sum_call_ends},
};

const tl_op tl_op_sum = {
    .name = "sum",
    .doc = "sum of a over some axes, which stay with extent 1",
    .grad_doc = "da = g, repeated",
    .shape_doc = "[...,n,...] -> [...,1,...]",
    .kind = TL_REDUCTION,
    .nin = 1,
    .shape = infer_sum,
    .run = sum_run,
    .lead = tl_lead_same,
    .apart = tl__mask_apart,
    .adjoint = sum_adjoint,
    .ncases = 2,
    .cases = sum_cases,
    .attr_text = tl__text_axes,
};

tl_tensor tl_sum_keep(tl_tensor a, uint32_t axes)
{
    const int64_t i[] = {axes};
    const tl_attr attr = {1, i, 0, NULL};
    return axes ? tl_record(&tl_op_sum, 1, &a, &attr) : a;
}

tl_tensor tl_sum_to(tl_tensor a, tl_shape shape)
{
    const tl_shape s = tl_shape_of(a);
    tl_shape both;
    uint32_t axes = 0;
    if (tl_shape_equal(s, shape) || !a.tape)
        return a;
    if (tl_shape_broadcast(s, shape, &both) || !tl_shape_equal(both, s)) {
        char got[TL_SHAPE_TEXT], want[TL_SHAPE_TEXT];
        return tl_fail_tensor(a, TL_ESHAPE, "sum_to", "got %s, want a shape that %s repeats to",
                              tl_shape_text(s, got, sizeof got),
                              tl_shape_text(shape, want, sizeof want));
    }
    for (int k = 0; k < s.rank; k++)
        if (k >= shape.rank || (shape.dim[shape.rank - 1 - k] == 1 && s.dim[s.rank - 1 - k] != 1))
            axes |= 1u << k;
    return tl_reshape(tl_sum_keep(a, axes), shape);
}
