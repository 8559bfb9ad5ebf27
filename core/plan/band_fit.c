/* band_fit.c -- what can be a part of a band of N rows: values whose first axes are the rows.
 *
 *     [T,B,K]  N = T*B    rows T*B at distance K, if T and B are one run      fits
 *     [B,T,K] transposed  rows at two distances                               does not
 *     [K]      repeated   rows at distance 0: each reads the same             fits */
#include "core/plan/band_fit.h"

#include "core/space.h"

#include <string.h>

/* ---- rows ------------------------------------------------------------------------------------ */

/* row_axes -- how many first axes have N entries together; 0 if none have. */
static int row_axes(const tl_shape *s, int64_t N)
{
    int64_t n = 1;
    for (int a = 0; a < s->rank && n < N; a++) {
        n *= s->dim[a];
        if (n == N)
            return a + 1;
    }
    return 0;
}

/* one_run -- whether axes [first, last) are one run of elements; *step: its stride. */
static int one_run(const tl_shape *s, const int64_t *stride, int first, int last, int64_t *step)
{
    int64_t expected = -1;
    *step = 0;
    for (int a = last - 1; a >= first; a--) {
        if (s->dim[a] == 1)
            continue;
        if (expected < 0)
            *step = stride[a];
        else if (stride[a] != expected)
            return 0;
        expected = stride[a] * s->dim[a];
    }
    return 1;
}

/* is_rowed -- whether v, read in the given shape, has N rows at equal distances, its first axes. */
static int is_rowed(const tl_graph *g, uint32_t v, const tl_shape *shape, int64_t N, int64_t *step)
{
    int64_t stride[TL_MAX_RANK];
    const tl_shape s = tl__iteration(shape);
    const int axes = row_axes(&s, N);
    if (!axes || !g->val[v].resolved)
        return 0;
    tl__iteration_strides(g, v, shape, stride);
    return one_run(&s, stride, 0, axes, step);
}

static int is_plain(const tl_val *x)
{
    return x->resolved && !x->solo && !x->accumulate && x->after == TL_NONE &&
           x->phase == TL_STEPS && !x->clip;
}

static int tile_fits(const tl_graph *g, const tl_step *s, int64_t N)
{
    int64_t step;
    for (uint32_t k = 0; k < s->val.n; k++) {
        const tl_val *x = &g->val[s->val.at[k]];
        if (!tl__is_pointwise(x) || !is_plain(x) || !is_rowed(g, s->val.at[k], &x->shape, N, &step))
            return 0;
        for (uint32_t i = 0; i < x->nin; i++)
            if (tl__const_behind(g, x->in[i]) == TL_NONE &&
                !is_rowed(g, x->in[i], &x->shape, N, &step))
                return 0;
    }
    return 1;
}

static int call_fits(const tl_graph *g, const tl_val *x, uint32_t v, int64_t N)
{
    const tl_attr attr = {x->ni, x->i, 0, NULL};
    const tl_shape first = g->val[x->in[0]].shape;
    const int axes = row_axes(&first, N);
    int64_t step;
    if (!x->op->apart || x->numbers || !axes || x->nin > 3 || !x->op->apart(&attr, &first, axes))
        return 0;
    for (uint32_t k = 0; k <= x->nin; k++) {
        const tl_val *u = &g->val[k < x->nin ? x->in[k] : v];
        if (!u->resolved || u->shape.rank < axes ||
            memcmp(u->shape.dim, first.dim, (size_t)axes * sizeof *first.dim) != 0 ||
            !one_run(&u->shape, u->address.layout.stride, 0, axes, &step))
            return 0;
    }
    return 1;
}

int tl__band_sums(const tl_graph *g, const tl_val *x, int64_t N)
{
    if (x->op != &tl_op_sum || !is_plain(x) || !g->val[x->in[0]].resolved)
        return 0;
    const tl_val *a = &g->val[x->in[0]];
    const int rank = a->shape.rank, axes = row_axes(&a->shape, N);
    int64_t step, rest;
    for (int k = 0; k < rank; k++)
        if (a->shape.dim[k] != 1 && (x->i[0] >> (rank - 1 - k) & 1) != (k < axes))
            return 0;
    if (!axes || !one_run(&a->shape, a->address.layout.stride, 0, axes, &step) ||
        !one_run(&a->shape, a->address.layout.stride, axes, rank, &rest))
        return 0;
    const int64_t q = tl_shape_count(a->shape) / N;
    if (q == 1)
        return step == 1;
    return rest == 1 && one_run(&x->shape, x->address.layout.stride, 0, x->shape.rank, &rest) &&
           rest == 1;
}

int tl__band_fits(const tl_graph *g, uint32_t s, int64_t N)
{
    const tl_step *step = &g->step[s];
    const uint32_t v = step->val.at[0];
    const tl_val *x = &g->val[v];
    if (step->kind == TL_STEP_TILE)
        return tile_fits(g, step, N);
    if (step->kind != TL_STEP_CALL || !is_plain(x) || x->nin == 0)
        return 0;
    return tl__band_sums(g, x, N) || call_fits(g, x, v, N);
}

/* ---- edges ----------------------------------------------------------------------------------- */

/* reach -- from the first element of a row to its last; -1 if some step goes back. */
static int64_t reach(const tl_graph *g, uint32_t v, const tl_shape *shape, int64_t N)
{
    int64_t stride[TL_MAX_RANK], to = 0;
    const tl_shape s = tl__iteration(shape);
    tl__iteration_strides(g, v, shape, stride);
    for (int a = row_axes(&s, N); a < s.rank; a++) {
        if (stride[a] < 0)
            return -1;
        to += (s.dim[a] - 1) * stride[a];
    }
    return to;
}

int tl__band_aligned(const tl_graph *g, const tl_val *x, uint32_t u, uint32_t w, int64_t N)
{
    const tl_val *from = &g->val[w], *to = &g->val[u];
    const tl_shape *shape = tl__is_pointwise(x) ? &x->shape : &to->shape;
    const tl_step *maker = &g->step[from->step];
    int64_t written, read;
    if (from->address.root != to->address.root ||
        memcmp(from->address.coef, to->address.coef, sizeof to->address.coef) != 0 ||
        (maker->kind == TL_STEP_CALL && tl__band_sums(g, from, N)) ||
        !is_rowed(g, w, &from->shape, N, &written) || !is_rowed(g, u, shape, N, &read) ||
        read != written)
        return 0;
    const int64_t ends = reach(g, u, shape, N), from_end = reach(g, w, &from->shape, N),
                  shift = to->address.layout.offset - from->address.layout.offset;
    return shift >= 0 && ends >= 0 && from_end >= 0 && from_end < written && shift + ends < written;
}
