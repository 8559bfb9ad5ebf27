/* indices.c -- what operations that pick elements by number ask of the numbers.
 *
 *     rows 4..7 of [2,4,5] run in a band, walk at [1,3]      row 5 = [1,1]      "at [1,1,3]" */
#include "ops/indices.h"

#include <string.h>

int tl__index_wanted(tl_infer *q, int which)
{
    return q->in_dtype[which] == TL_I32 ? TL_OK
                                        : tl_infer_fail(q, TL_EDTYPE, "got %s indices, want i32",
                                                        tl_dtype_name(q->in_dtype[which]));
}

int tl__index_adds(tl_infer *q)
{
    return q->in_dtype[0] != TL_I32 ? TL_OK
                                    : tl_infer_fail(q, TL_EDTYPE, "got i32, want f32 or f64");
}

int tl__index_fail(tl_call *c, const tl_walk *w, int32_t got, int64_t n)
{
    char text[TL_SHAPE_TEXT];
    tl_shape at = tl_shape_of_dims(w->rank, w->at);
    if (w->rank > 0)
        at.dim[0] += c->lo;
    if (c->row_axes) { /* the first axis is part of others */
        const tl_shape *axes = c->row_axes;
        int64_t row = c->first_row + at.dim[0];
        at.rank = w->rank - 1 + axes->rank;
        memcpy(at.dim + axes->rank, w->at + 1, (size_t)(w->rank - 1) * sizeof *at.dim);
        for (int a = axes->rank - 1; a >= 0; row /= axes->dim[a], a--)
            at.dim[a] = row % axes->dim[a];
    }
    tl_shape_text(at, text, sizeof text);
    return tl_call_fail(c, TL_ERANGE, "got index %d%s%s, want one in [0,%lld)", (int)got,
                        w->rank ? " at " : "", w->rank ? text : "", (long long)n);
}
