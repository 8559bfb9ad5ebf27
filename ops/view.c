/* view.c -- the same elements in another order, and tensors put side by side.
 *
 * Two view operations of its own, permute and flip; the rest is core's slice, reshape and assemble
 * with the right numbers. */
#include "ops/view.h"

#include "core/attr_text.h"
#include "core/memory.h"
#include "core/space.h"
#include "ops/registry.h"

#include <string.h>

/* axis_of -- the axis counted from the front, or -1 with the error recorded; rank is that of the
 * result where axes are put in. */
static int axis_of(tl_tensor a, const char *what, int rank, int axis)
{
    int front = tl__shape_axis(rank, axis);
    char text[TL_SHAPE_TEXT];
    if (front < 0)
        tl_fail_tensor(a, TL_ESHAPE, what, "got axis %d for %s, want one in [%d,%d)", axis,
                       tl_shape_text(tl_shape_of(a), text, sizeof text), -rank, rank);
    return front;
}

/* ---- permute --------------------------------------------------------------------------------- */

/* attr.i[k-1] = p: the k-th axis of the result from the end is the p-th of the operand from the
 * end. Axes before those listed stay where they are, so one more leading axis needs no change. */
static int source_of(const tl_attr *attr, int k)
{
    return k <= attr->ni ? (int)attr->i[k - 1] : k;
}

static int permute_shape(tl_infer *q)
{
    int rank = q->in[0].rank;
    for (int k = 1; k <= rank; k++)
        q->shape.dim[rank - k] = q->in[0].dim[rank - source_of(q->attr, k)];
    return TL_OK;
}

static int permute_view(const tl_attr *attr, const tl_shape *from, const tl_layout *in,
                        const tl_shape *to, tl_layout *out)
{
    (void)to;
    tl_layout l = {.offset = in->offset};
    for (int k = 1; k <= from->rank; k++)
        l.stride[from->rank - k] = in->stride[from->rank - source_of(attr, k)];
    *out = l;
    return 0;
}

static void permute_adjoint(tl_adj *a)
{
    int order[TL_MAX_RANK], rank = a->shape.rank; /* the inverse permutation */
    for (int k = 1; k <= rank; k++)
        order[rank - source_of(a->attr, k)] = rank - k;
    a->d[0] = tl_permute(a->g, rank, order);
}

static tl_tensor permute_case(const tl_tensor *in)
{
    int order[3] = {1, 2, 0};
    return tl_permute(in[0], 3, order);
}

static const tl_case permute_cases[] = {{1, {{3, {2, 3, 4}}}, {TL_ANY}, 0, permute_case}};

const tl_op tl_op_permute = {
    .name = "permute",
    .doc = "axes of a in another order",
    .grad_doc = "da = g in the inverse order",
    .shape_doc = "[m,n,...] -> [n,m,...]",
    .kind = TL_VIEW,
    .nin = 1,
    .shape = permute_shape,
    .view = permute_view,
    .lead = tl_lead_same,
    .adjoint = permute_adjoint,
    .ncases = 1,
    .cases = permute_cases,
    .attr_text = tl__text_order,
};

tl_tensor tl_permute(tl_tensor a, int n, const int *order)
{
    if (!tl__same_tape("permute", 1, &a))
        return tl__inert(a);
    int rank = tl_rank(a);
    char text[TL_SHAPE_TEXT];
    if (n != rank || (n > 0 && !order))
        return tl_fail_tensor(a, order ? TL_ESHAPE : TL_EINVAL, "permute",
                              "got %d axes%s for %s, want all %d", n, order ? "" : " (NULL)",
                              tl_shape_text(tl_shape_of(a), text, sizeof text), rank);
    int64_t source[TL_MAX_RANK];
    int moved = 0; /* how many axes from the end need to be listed */
    unsigned seen = 0;
    for (int j = 0; j < rank; j++) {
        int axis = axis_of(a, "permute", rank, order[j]);
        if (axis < 0)
            return tl__inert(a);
        if (seen >> axis & 1)
            return tl_fail_tensor(a, TL_ESHAPE, "permute", "got axis %d of %s twice", order[j],
                                  tl_shape_text(tl_shape_of(a), text, sizeof text));
        seen |= 1u << axis;
        source[rank - j - 1] = rank - axis;
        if (axis != j && moved == 0)
            moved = rank - j;
    }
    if (moved == 0)
        return a;
    tl_attr attr = {moved, source, 0, NULL};
    return tl_record(&tl_op_permute, 1, &a, &attr);
}

tl_tensor tl_transpose(tl_tensor a, int axis0, int axis1)
{
    if (!tl__same_tape("transpose", 1, &a))
        return tl__inert(a);
    int rank = tl_rank(a), order[TL_MAX_RANK];
    int i = axis_of(a, "transpose", rank, axis0);
    int j = i < 0 ? -1 : axis_of(a, "transpose", rank, axis1);
    if (j < 0)
        return tl__inert(a);
    for (int k = 0; k < rank; k++)
        order[k] = k == i ? j : k == j ? i : k;
    return tl_permute(a, rank, order);
}

/* ---- flip ------------------------------------------------------------------------------------ */

static int flip_view(const tl_attr *attr, const tl_shape *from, const tl_layout *in,
                     const tl_shape *to, tl_layout *out)
{
    (void)to;
    int axis = from->rank - (int)attr->i[0];
    *out = *in;
    if (from->dim[axis] > 0)
        out->offset += (from->dim[axis] - 1) * in->stride[axis];
    out->stride[axis] = -in->stride[axis];
    return 0;
}

static void flip_adjoint(tl_adj *a)
{
    a->d[0] = tl_flip(a->g, -(int)a->attr->i[0]);
}

static tl_tensor flip_case(const tl_tensor *in)
{
    return tl_flip(in[0], 0);
}

static const tl_case flip_cases[] = {{1, {{2, {4, 3}}}, {TL_ANY}, 0, flip_case}};

const tl_op tl_op_flip = {
    .name = "flip",
    .doc = "a in reverse order along one axis",
    .grad_doc = "da = flip g",
    .shape_doc = "[...] -> [...]",
    .kind = TL_VIEW,
    .nin = 1,
    .view = flip_view, /* shape and dtype are the operand's */
    .lead = tl_lead_same,
    .adjoint = flip_adjoint,
    .ncases = 1,
    .cases = flip_cases,
    .attr_text = tl__text_axis,
};

tl_tensor tl_flip(tl_tensor a, int axis)
{
    if (!tl__same_tape("flip", 1, &a))
        return tl__inert(a);
    int front = axis_of(a, "flip", tl_rank(a), axis);
    if (front < 0)
        return tl__inert(a);
    int64_t from_end = tl_rank(a) - front;
    tl_attr attr = {1, &from_end, 0, NULL};
    return tl_record(&tl_op_flip, 1, &a, &attr);
}

/* ---- axes of extent 1 ------------------------------------------------------------------------ */

static tl_shape without_axis(tl_shape s, int axis)
{
    s.rank--;
    for (int k = axis; k < s.rank; k++)
        s.dim[k] = s.dim[k + 1];
    s.dim[s.rank] = 0;
    return s;
}

tl_tensor tl_squeeze(tl_tensor a, int axis)
{
    if (!tl__same_tape("squeeze", 1, &a))
        return tl__inert(a);
    tl_shape s = tl_shape_of(a);
    char text[TL_SHAPE_TEXT];
    int front = axis_of(a, "squeeze", s.rank, axis);
    if (front < 0)
        return tl__inert(a);
    if (s.dim[front] != 1)
        return tl_fail_tensor(a, TL_ESHAPE, "squeeze", "got axis %d of %s, want one of extent 1",
                              axis, tl_shape_text(s, text, sizeof text));
    return tl_reshape(a, without_axis(s, front));
}

tl_tensor tl_expand_dims(tl_tensor a, int axis)
{
    if (!tl__same_tape("expand_dims", 1, &a))
        return tl__inert(a);
    tl_shape s = tl_shape_of(a);
    if (s.rank == TL_MAX_RANK)
        return tl_fail_tensor(a, TL_ESHAPE, "expand_dims", "got rank %d, want less than %d", s.rank,
                              TL_MAX_RANK);
    int front = axis_of(a, "expand_dims", s.rank + 1, axis);
    if (front < 0)
        return tl__inert(a);
    for (int k = s.rank; k > front; k--)
        s.dim[k] = s.dim[k - 1];
    s.dim[front] = 1;
    s.rank++;
    return tl_reshape(a, s);
}

/* ---- taking apart ---------------------------------------------------------------------------- */

static tl_tensor part(const char *what, tl_tensor a, int axis, int n, int k)
{
    if (!tl__same_tape(what, 1, &a))
        return tl__inert(a);
    int front = axis_of(a, what, tl_rank(a), axis);
    if (front < 0)
        return tl__inert(a);
    int64_t extent = tl_dim(a, front);
    char text[TL_SHAPE_TEXT];
    if (n < 1 || extent % n != 0)
        return tl_fail_tensor(a, TL_ESHAPE, what,
                              "got axis %d of %s, want an extent that %d divides", axis,
                              tl_shape_text(tl_shape_of(a), text, sizeof text), n);
    if (k < 0 || k >= n)
        return tl_fail_tensor(a, TL_ERANGE, what, "got part %d of %d, want 0 to %d", k, n, n - 1);
    return n == 1 ? a : tl_slice(a, front, extent / n * k, extent / n);
}

tl_tensor tl_part(tl_tensor a, int axis, int n, int k)
{
    return part("part", a, axis, n, k);
}

tl_tensor tl_chunk(tl_tensor z, int n, int k)
{
    return part("chunk", z, -1, n, k);
}

tl_tensor tl_index(tl_tensor a, int axis, int64_t k)
{
    if (!tl__same_tape("index", 1, &a))
        return tl__inert(a);
    tl_shape s = tl_shape_of(a);
    int front = axis_of(a, "index", s.rank, axis);
    if (front < 0)
        return tl__inert(a);
    int64_t extent = s.dim[front];
    char text[TL_SHAPE_TEXT];
    if (k < -extent || k >= extent)
        return tl_fail_tensor(a, TL_ERANGE, "index",
                              "got element %lld of axis %d of %s, want one in [%lld,%lld)",
                              (long long)k, axis, tl_shape_text(s, text, sizeof text),
                              (long long)-extent, (long long)extent);
    return tl_reshape(tl_slice(a, front, k < 0 ? k + extent : k, 1), without_axis(s, front));
}

void tl_unbind(tl_tensor a, int n, tl_tensor *out)
{
    char text[TL_SHAPE_TEXT];
    if (tl__same_tape("unbind", 1, &a) && (tl_rank(a) == 0 || tl_dim(a, 0) != n || (n > 0 && !out)))
        tl_fail_tensor(a, out ? TL_ESHAPE : TL_EINVAL, "unbind",
                       "got %d tensors%s for %s, want as many as the leading axis has", n,
                       out ? "" : " (NULL)", tl_shape_text(tl_shape_of(a), text, sizeof text));
    if (!out)
        return;
    for (int k = 0; k < n; k++)
        out[k] = tl_index(a, 0, k);
    for (int k = 0; k < n && !out[n - 1].tape; k++)
        out[k] = out[n - 1];
}

/* ---- putting together ------------------------------------------------------------------------ */

enum { FEW = 8 }; /* pieces handled without allocation */

/* check_pieces -- whether n tensors of one tape have t[0]'s dtype and shape, but for `axis` (-1: no
 * exception). */
static int check_pieces(const char *what, int n, const tl_tensor *t, int axis)
{
    if (!tl__same_tape(what, n, t))
        return 0;
    tl_shape first = tl_shape_of(t[0]);
    for (int i = 1; i < n; i++) {
        tl_shape s = tl_shape_of(t[i]), want = first;
        char text0[TL_SHAPE_TEXT], text1[TL_SHAPE_TEXT];
        if (axis >= 0 && axis < s.rank)
            want.dim[axis] = s.dim[axis];
        if (!tl_shape_equal(s, want)) {
            tl_fail_tensor(
                t[0], TL_ESHAPE, what, "got %s and, as piece %d, %s, want equal extents%s",
                tl_shape_text(first, text0, sizeof text0), i, tl_shape_text(s, text1, sizeof text1),
                axis >= 0 ? " but along the axis" : "");
            return 0;
        }
        if (tl_dtype_of(t[i]) != tl_dtype_of(t[0])) {
            tl_fail_tensor(t[0], TL_EDTYPE, what, "got %s and, as piece %d, %s, want one type",
                           tl_dtype_name(tl_dtype_of(t[0])), i, tl_dtype_name(tl_dtype_of(t[i])));
            return 0;
        }
    }
    return 1;
}

tl_tensor tl_concat(int n, const tl_tensor *t, int axis)
{
    if (!tl__same_tape("concat", n, t))
        return tl__inert_of(n, t);
    int front = axis_of(t[0], "concat", tl_rank(t[0]), axis);
    if (front < 0 || !check_pieces("concat", n, t, front))
        return tl__inert_of(n, t);
    if (n == 1)
        return t[0];
    int64_t few[FEW][TL_MAX_RANK] = {{0}}, (*offset)[TL_MAX_RANK] = few;
    if (n > FEW) {
        offset = tl__calloc((size_t)n, sizeof *offset);
        if (!offset)
            return tl_fail_tensor(t[0], TL_ENOMEM, "concat", "no memory for %d pieces", n);
    }
    tl_shape s = tl_shape_of(t[0]);
    s.dim[front] = 0;
    for (int i = 0; i < n; i++) {
        offset[i][front] = s.dim[front];
        s.dim[front] += tl_dim(t[i], front);
    }
    tl_tensor whole = tl_assemble(s, n, t, (const int64_t(*)[TL_MAX_RANK])offset);
    if (offset != few)
        tl__free(offset);
    return whole;
}

tl_tensor tl_stack(int n, const tl_tensor *t, int axis)
{
    if (!check_pieces("stack", n, t, -1))
        return tl__inert_of(n, t);
    if (tl_rank(t[0]) == TL_MAX_RANK)
        return tl_fail_tensor(t[0], TL_ESHAPE, "stack", "got rank %d, want less than %d",
                              tl_rank(t[0]), TL_MAX_RANK);
    if (axis_of(t[0], "stack", tl_rank(t[0]) + 1, axis) < 0)
        return tl__inert_of(n, t);
    tl_tensor few[FEW], *piece = few;
    if (n > FEW) {
        piece = tl__calloc((size_t)n, sizeof *piece);
        if (!piece)
            return tl_fail_tensor(t[0], TL_ENOMEM, "stack", "no memory for %d pieces", n);
    }
    for (int i = 0; i < n; i++)
        piece[i] = tl_expand_dims(t[i], axis);
    tl_tensor whole = tl_concat(n, piece, axis);
    if (piece != few)
        tl__free(piece);
    return whole;
}

tl_tensor tl_pad(tl_tensor a, int axis, int64_t before, int64_t after)
{
    if (!tl__same_tape("pad", 1, &a))
        return tl__inert(a);
    tl_shape s = tl_shape_of(a);
    int front = axis_of(a, "pad", s.rank, axis);
    if (front < 0)
        return tl__inert(a);
    const int64_t most = INT64_MAX / 8; /* so that the sum cannot overflow */
    if (before < 0 || after < 0 || before > most || after > most)
        return tl_fail_tensor(a, TL_ERANGE, "pad", "got %lld and %lld, want 0 to %lld",
                              (long long)before, (long long)after, (long long)most);
    if (before == 0 && after == 0)
        return a;
    int64_t offset[1][TL_MAX_RANK] = {{0}};
    offset[0][front] = before;
    s.dim[front] += before + after;
    return tl_assemble(s, 1, &a, (const int64_t(*)[TL_MAX_RANK])offset);
}
