/* select.c -- entries of any axis by number: index.c's rows between two permutations, which are
 * views.
 *
 *     a [P,n,Q] -> [n,P,Q] -> gather -> [I,P,Q] -> [P,I,Q] */
#include "ops/select.h"

#include "core/space.h"
#include "ops/index.h"
#include "ops/view.h"

/* move_axes -- the n axes that begin at `from` to begin at `to`, the others in order. */
static tl_tensor move_axes(tl_tensor a, int n, int from, int to)
{
    int order[TL_MAX_RANK], rank = tl_rank(a), other = 0;
    if (from == to || n == 0)
        return a;
    for (int j = 0; j < rank; j++)
        if (j >= to && j < to + n) {
            order[j] = from + j - to;
        } else {
            other += other == from ? n : 0;
            order[j] = other++;
        }
    return tl_permute(a, rank, order);
}

/* axis_of -- from the front, or -1 with the error recorded. */
static int axis_of(const char *what, tl_tensor a, int axis)
{
    int rank = tl_rank(a), front = tl__shape_axis(rank, axis);
    char text[TL_SHAPE_TEXT];
    if (front < 0)
        tl_fail_tensor(a, TL_ESHAPE, what, "got axis %d of %s, want one in [%d,%d)", axis,
                       tl_shape_text(tl_shape_of(a), text, sizeof text), -rank, rank);
    return front;
}

/* selected -- the shape of entries idx of this axis. */
static tl_shape selected(tl_shape a, int axis, tl_shape idx)
{
    tl_shape s = {0};
    for (int j = 0; j < a.rank; j++)
        if (j != axis)
            s.dim[s.rank++] = a.dim[j];
        else
            for (int k = 0; k < idx.rank; k++)
                s.dim[s.rank++] = idx.dim[k];
    return s;
}

/* want_indices -- whether idx is i32 and the result has a rank that there is. */
static int want_indices(const char *what, tl_tensor a, tl_tensor idx)
{
    char ta[TL_SHAPE_TEXT], ti[TL_SHAPE_TEXT];
    if (tl_dtype_of(idx) != TL_I32) {
        tl_fail_tensor(a, TL_EDTYPE, what, "got %s indices, want i32",
                       tl_dtype_name(tl_dtype_of(idx)));
        return 0;
    }
    if (tl_rank(a) - 1 + tl_rank(idx) > TL_MAX_RANK) {
        tl_fail_tensor(a, TL_ESHAPE, what, "got %s, indices %s, want rank %d at most together",
                       tl_shape_text(tl_shape_of(a), ta, sizeof ta),
                       tl_shape_text(tl_shape_of(idx), ti, sizeof ti), TL_MAX_RANK);
        return 0;
    }
    return 1;
}

tl_tensor tl_index_select(tl_tensor a, int axis, tl_tensor idx)
{
    tl_tensor in[2] = {a, idx};
    if (!tl__same_tape("index_select", 2, in))
        return tl__inert(a);
    int front = axis_of("index_select", a, axis);
    if (front < 0 || !want_indices("index_select", a, idx))
        return tl__inert(a);
    return move_axes(tl_gather(move_axes(a, 1, front, 0), idx), tl_rank(idx), 0, front);
}

tl_tensor tl_index_add(tl_tensor a, int axis, tl_tensor idx, tl_tensor src)
{
    tl_tensor in[3] = {a, idx, src};
    if (!tl__same_tape("index_add", 3, in))
        return tl__inert(a);
    int front = axis_of("index_add", a, axis);
    if (front < 0 || !want_indices("index_add", a, idx))
        return tl__inert(a);
    tl_dtype dtype = tl_dtype_of(a);
    tl_shape sa = tl_shape_of(a), ss = tl_shape_of(src),
             want = selected(sa, front, tl_shape_of(idx));
    char ta[TL_SHAPE_TEXT], ts[TL_SHAPE_TEXT], tw[TL_SHAPE_TEXT];
    if (!tl_shape_equal(ss, want))
        return tl_fail_tensor(a, TL_ESHAPE, "index_add", "got %s to add to %s, want %s",
                              tl_shape_text(ss, ts, sizeof ts), tl_shape_text(sa, ta, sizeof ta),
                              tl_shape_text(want, tw, sizeof tw));
    if (dtype == TL_I32 || tl_dtype_of(src) != dtype)
        return tl_fail_tensor(a, TL_EDTYPE, "index_add",
                              "got %s to add to %s, want f32 to f32 or f64 to f64",
                              tl_dtype_name(tl_dtype_of(src)), tl_dtype_name(dtype));
    tl_tensor rows = move_axes(src, tl_rank(idx), front, 0);
    return tl_add(a, move_axes(tl_scatter_add(rows, idx, sa.dim[front]), 1, 0, front));
}
