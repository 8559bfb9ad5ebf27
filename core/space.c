/* space.c -- the few operations that the tape, its reverse sweep and scan need: addition,
 * choice, and views of other strides.
 *
 * sum.c and assemble.c hold the two that move numbers between places; everything else is in
 * ops/. Kernels of this file are compiled as core/pointwise.h says.
 *
 * Attributes: reshape and broadcast_to have none, the target is the node's own shape (so a
 * leading axis changes nothing); slice {axis from the end, start, count}; check_range {lowest,
 * highest}. */
#include "core/space.h"

#include "core/attr_text.h"
#include "core/pointwise.h"

/* clang-format off */
TL_BINARY_OP(add, FLOATING, SUM, "a + b", a + b,
             "da = g, db = g", g, g,
             TL_ANY, TL_ANY, 0)

TL_BINARY_OP(less, NUMBERS, OTHER, "1 where a < b, else 0", v_one(a < b, a),
             "none", TL_INERT, TL_INERT,
             TL_ANY, TL_ANY, TL_NO_GRADIENT)
/* clang-format on */

/* where chooses by a condition of the values' own type, or by an i32 one (masks made of
 * lengths). It has three operands, so it is written out; NAME is own or index, C the
 * condition's type. */
#if defined(TL_KERNELS)

#define WHERE_TILE(NAME, C, T, LOAD, LOAD_PART)                                                    \
    void TL_THIS_TILE(where_##NAME, T)(int64_t n, void *out, const void *const *in);               \
    void TL_THIS_TILE(where_##NAME, T)(int64_t n, void *out, const void *const *in)                \
    {                                                                                              \
        enum { W = V_LANES_##T };                                                                  \
        v_element_##T *o = out;                                                                    \
        const v_element_##C *c = in[0];                                                            \
        const v_element_##T *a = in[1], *b = in[2];                                                \
        for (; n >= W; n -= W, o += W, c += W, a += W, b += W)                                     \
            v_store_##T(o, v_select(LOAD(c) != 0, v_load_##T(a), v_load_##T(b)));                  \
        if (n > 0)                                                                                 \
            v_store_part_##T(                                                                      \
                o, n,                                                                              \
                v_select(LOAD_PART(c, n) != 0, v_load_part_##T(a, n), v_load_part_##T(b, n)));     \
    }

/* load_wide -- as many i32 as a vector of f64 has lanes. */
static inline vi64 load_wide(const int32_t *p)
{
    typedef int32_t half __attribute__((vector_size(TL_VECTOR_BYTES / 2)));
    half v;
    memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, vi64);
}

static inline vi64 load_wide_part(const int32_t *p, int64_t n)
{
    int32_t lane[V_LANES_f64];
    for (int64_t i = 0; i < V_LANES_f64; i++)
        lane[i] = p[i < n ? i : 0];
    return load_wide(lane);
}

WHERE_TILE(own, f32, f32, v_load_f32, v_load_part_f32)
WHERE_TILE(own, f64, f64, v_load_f64, v_load_part_f64)
WHERE_TILE(own, i32, i32, v_load_i32, v_load_part_i32)
WHERE_TILE(index, i32, f32, v_load_i32, v_load_part_i32)
WHERE_TILE(index, i32, f64, load_wide, load_wide_part)

#else

#include "core/node.h"

static int infer_where(tl_infer *q)
{
    char text[3][TL_SHAPE_TEXT];
    if (q->in_dtype[1] != q->in_dtype[2] ||
        (q->in_dtype[0] != q->in_dtype[1] && q->in_dtype[0] != TL_I32))
        return tl_infer_fail(
            q, TL_EDTYPE, "got %s ? %s : %s, want two equal types and a condition of theirs or i32",
            tl_dtype_name(q->in_dtype[0]), tl_dtype_name(q->in_dtype[1]),
            tl_dtype_name(q->in_dtype[2]));
    q->dtype = q->in_dtype[1];
    if (tl_shape_broadcast(q->in[1], q->in[2], &q->shape) ||
        tl_shape_broadcast(q->in[0], q->shape, &q->shape))
        return tl_infer_fail(q, TL_ESHAPE, "got %s ? %s : %s, want shapes that broadcast together",
                             tl_shape_text(q->in[0], text[0], sizeof text[0]),
                             tl_shape_text(q->in[1], text[1], sizeof text[1]),
                             tl_shape_text(q->in[2], text[2], sizeof text[2]));
    return TL_OK;
}

#define WHERE_TILES(NAME, T)                                                                       \
    TL_EACH_ISA(TL_TILE_DECLARED, where_##NAME, T)                                                 \
    static const tl_tile_fn where_##NAME##_##T[] = {TL_EACH_ISA(TL_TILE_ENTRY, where_##NAME, T)};
WHERE_TILES(own, f32)
WHERE_TILES(own, f64)
WHERE_TILES(own, i32)
WHERE_TILES(index, f32)
WHERE_TILES(index, f64)

static tl_tile_fn where_tile(const tl_dtype *in, tl_dtype out)
{
    const tl_isa isa = tl__isa();
    if (out == TL_I32)
        return where_own_i32[isa];
    if (in[0] == TL_I32)
        return out == TL_F32 ? where_index_f32[isa] : where_index_f64[isa];
    return out == TL_F32 ? where_own_f32[isa] : where_own_f64[isa];
}

static void where_adjoint(tl_adj *q)
{
    const tl_tensor zero = tl_scalar(q->g.tape, q->dtype, 0);
    if (q->need & 2u)
        q->d[1] = tl_where(q->in[0], q->g, zero);
    if (q->need & 4u)
        q->d[2] = tl_where(q->in[0], zero, q->g);
}

static tl_tensor where_call(const tl_tensor *in)
{
    return tl_where(in[0], in[1], in[2]);
}

static const tl_case where_cases[] = {
    {3, {{2, {3, 4}}, {2, {3, 4}}, {2, {3, 4}}}, {TL_BINARY, TL_ANY, TL_ANY}, 0, where_call},
    {3, {{2, {3, 1}}, {1, {4}}, {0, {0}}}, {TL_INDEX, TL_ANY, TL_ANY}, 2, where_call},
};

const tl_op tl_op_where = {
    .name = "where",
    .doc = "a where c is not 0, else b",
    .grad_doc = "da = where(c, g, 0), db = where(c, 0, g)",
    .shape_doc = "[...], [...], [...] -> [...], broadcast",
    .kind = TL_POINTWISE,
    .nin = 3,
    .shape = infer_where,
    .tile = where_tile,
    .lead = tl_lead_same,
    .adjoint = where_adjoint,
    .reads = TL_READS(0),
    .ncases = 2,
    .cases = where_cases,
};

tl_tensor tl_where(tl_tensor cond, tl_tensor a, tl_tensor b)
{
    const tl_tensor in[] = {cond, a, b};
    return tl_record(&tl_op_where, 3, in, NULL);
}

/* ---- shape rules of pointwise operations ----------------------------------------------------- */

static int infer_broadcast(tl_infer *q, int i32_too)
{
    char a[TL_SHAPE_TEXT], b[TL_SHAPE_TEXT];
    q->shape = q->in[0];
    q->dtype = q->in_dtype[0];
    if (q->dtype == TL_I32 && !i32_too)
        return tl_infer_fail(q, TL_EDTYPE, "got i32 %s, want f32 or f64 (tl_cast converts)",
                             tl_shape_text(q->in[0], a, sizeof a));
    for (int i = 1; i < q->nin; i++) {
        if (q->in_dtype[i] != q->dtype)
            return tl_infer_fail(
                q, TL_EDTYPE, "got %s %s and %s %s, want equal element types (tl_cast converts)",
                tl_dtype_name(q->dtype), tl_shape_text(q->in[0], a, sizeof a),
                tl_dtype_name(q->in_dtype[i]), tl_shape_text(q->in[i], b, sizeof b));
        if (tl_shape_broadcast(q->shape, q->in[i], &q->shape))
            return tl_infer_fail(q, TL_ESHAPE, "got %s and %s, want shapes that broadcast together",
                                 tl_shape_text(q->in[0], a, sizeof a),
                                 tl_shape_text(q->in[i], b, sizeof b));
    }
    return TL_OK;
}

int tl_infer_floating(tl_infer *q)
{
    return infer_broadcast(q, 0);
}

int tl_infer_numbers(tl_infer *q)
{
    return infer_broadcast(q, 1);
}

/* ---- views ----------------------------------------------------------------------------------- */

tl_tensor tl__record_shaped(const tl_op *op, int nin, const tl_tensor *in, tl_shape shape,
                            const tl_attr *attr)
{
    if (!tl__operands_ok(op, nin, in))
        return tl__inert_of(nin, in);
    tl_tape *tape = in[0].tape;
    return tl__record_node(tape, op, (uint32_t)nin, in, tape->nodes[in[0].slot].dtype, shape, attr);
}

static int reshape_view(const tl_attr *a, const tl_shape *from, const tl_layout *in,
                        const tl_shape *to, tl_layout *out)
{
    (void)a;
    return tl__layout_reshape(from, in, to, out);
}

static void reshape_adjoint(tl_adj *q)
{
    q->d[0] = tl_reshape(q->g, q->in_shape[0]);
}

static tl_tensor reshape_call(const tl_tensor *in)
{
    return tl_reshape(in[0], tl_shape2(-1, 6));
}

static const tl_case reshape_cases[] = {
    {1, {{3, {2, 3, 4}}}, {TL_ANY}, 0, reshape_call},
};

const tl_op tl_op_reshape = {
    .name = "reshape",
    .doc = "the elements of a in row-major order, in another shape",
    .grad_doc = "da = reshape(g)",
    .shape_doc = "[...] -> as asked, as many elements",
    .kind = TL_VIEW,
    .nin = 1,
    .view = reshape_view,
    .lead = tl_lead_same,
    .adjoint = reshape_adjoint,
    .ncases = 1,
    .cases = reshape_cases,
};

tl_tensor tl_reshape(tl_tensor a, tl_shape shape)
{
    const tl_node *n = tl__node(a, "reshape");
    if (!n)
        return tl__inert(a);
    const int64_t count = tl_shape_count(n->shape);
    char got[TL_SHAPE_TEXT], want[TL_SHAPE_TEXT];
    int open = -1; /* the axis of extent -1 */
    int64_t rest = 1;
    tl_shape to = shape;
    for (int i = 0; i < to.rank && i < TL_MAX_RANK; i++)
        if (to.dim[i] == -1 && open < 0) {
            open = i;
            to.dim[i] = 1;
        }
    rest = tl_shape_count(to);
    if (open >= 0 && rest > 0 && count % rest == 0)
        to.dim[open] = count / rest;
    if (rest < 0 || (open >= 0 && rest == 0) || tl_shape_count(to) != count)
        return tl_fail_tensor(a, TL_ESHAPE, "reshape", "got %s of %lld elements, want %s",
                              tl_shape_text(n->shape, got, sizeof got), (long long)count,
                              tl_shape_text(shape, want, sizeof want));
    if (tl_shape_equal(n->shape, to))
        return a;
    return tl__record_shaped(&tl_op_reshape, 1, &a, to, NULL);
}

static int broadcast_view(const tl_attr *a, const tl_shape *from, const tl_layout *in,
                          const tl_shape *to, tl_layout *out)
{
    (void)a;
    tl__layout_broadcast(from, in, to, out);
    return 0;
}

/* The sweep sums g back to the operand's shape, as it does for everything that broadcasts. */
static void broadcast_adjoint(tl_adj *q)
{
    q->d[0] = q->g;
}

static tl_tensor broadcast_call(const tl_tensor *in)
{
    return tl_broadcast_to(in[0], tl_shape3(2, 3, 4));
}

static const tl_case broadcast_cases[] = {
    {1, {{2, {3, 1}}}, {TL_ANY}, 0, broadcast_call},
    {1, {{0, {0}}}, {TL_ANY}, 0, broadcast_call},
};

const tl_op tl_op_broadcast_to = {
    .name = "broadcast_to",
    .doc = "a, repeated along new axes and axes of extent 1",
    .grad_doc = "da = sum of g over what was repeated",
    .shape_doc = "[...] -> as asked, to which a repeats",
    .kind = TL_VIEW,
    .nin = 1,
    .view = broadcast_view,
    .lead = tl_lead_same,
    .adjoint = broadcast_adjoint,
    .ncases = 2,
    .cases = broadcast_cases,
};

tl_tensor tl_broadcast_to(tl_tensor a, tl_shape shape)
{
    const tl_node *n = tl__node(a, "broadcast_to");
    if (!n)
        return tl__inert(a);
    char got[TL_SHAPE_TEXT], want[TL_SHAPE_TEXT];
    tl_shape both;
    if (tl_shape_equal(n->shape, shape))
        return a;
    if (tl_shape_count(shape) < 0)
        return tl_fail_tensor(a, TL_ESHAPE, "broadcast_to", "invalid or too large shape %s",
                              tl_shape_text(shape, want, sizeof want));
    if (tl_shape_broadcast(n->shape, shape, &both) || !tl_shape_equal(both, shape))
        return tl_fail_tensor(
            a, TL_ESHAPE, "broadcast_to", "got %s, want a shape that repeats to %s",
            tl_shape_text(n->shape, got, sizeof got), tl_shape_text(shape, want, sizeof want));
    return tl__record_shaped(&tl_op_broadcast_to, 1, &a, shape, NULL);
}

static int infer_slice(tl_infer *q)
{
    q->shape.dim[q->shape.rank - q->attr->i[0]] = q->attr->i[2];
    return TL_OK;
}

static int slice_view(const tl_attr *a, const tl_shape *from, const tl_layout *in,
                      const tl_shape *to, tl_layout *out)
{
    (void)to;
    *out = *in;
    out->offset += a->i[1] * in->stride[from->rank - a->i[0]];
    return 0;
}

static void slice_adjoint(tl_adj *q)
{
    int64_t offset[1][TL_MAX_RANK] = {{0}};
    offset[0][q->shape.rank - q->attr->i[0]] = q->attr->i[1];
    q->d[0] = tl_assemble(q->in_shape[0], 1, &q->g, (const int64_t(*)[TL_MAX_RANK])offset);
}

static tl_tensor slice_call(const tl_tensor *in)
{
    return tl_slice(in[0], 1, 1, 2);
}

static const tl_case slice_cases[] = {
    {1, {{3, {2, 4, 3}}}, {TL_ANY}, 0, slice_call},
};

const tl_op tl_op_slice = {
    .name = "slice",
    .doc = "elements start .. start + count - 1 of one axis of a",
    .grad_doc = "da = g, zeros around it",
    .shape_doc = "[...,n,...] -> [...,count,...]",
    .kind = TL_VIEW,
    .nin = 1,
    .shape = infer_slice,
    .view = slice_view,
    .lead = tl_lead_same,
    .adjoint = slice_adjoint,
    .ncases = 1,
    .cases = slice_cases,
    .attr_text = tl__text_range,
};

tl_tensor tl_slice(tl_tensor a, int axis, int64_t start, int64_t count)
{
    const tl_node *n = tl__node(a, "slice");
    if (!n)
        return tl__inert(a);
    char got[TL_SHAPE_TEXT];
    const int front = tl__shape_axis(n->shape.rank, axis);
    if (front < 0)
        return tl_fail_tensor(a, TL_ERANGE, "slice", "got axis %d of %s, want one in [%d,%d)", axis,
                              tl_shape_text(n->shape, got, sizeof got), -n->shape.rank,
                              n->shape.rank);
    const int64_t extent = n->shape.dim[front];
    if (start < 0 || count < 0 || start > extent || count > extent - start)
        return tl_fail_tensor(
            a, TL_ERANGE, "slice", "got %lld elements from %lld on, want a part of axis %d of %s",
            (long long)count, (long long)start, axis, tl_shape_text(n->shape, got, sizeof got));
    const int64_t i[] = {n->shape.rank - front, start, count};
    const tl_attr attr = {3, i, 0, NULL};
    return count == extent ? a : tl_record(&tl_op_slice, 1, &a, &attr);
}

/* ---- checks ---------------------------------------------------------------------------------- */

static int infer_check(tl_infer *q)
{
    if (q->in_dtype[0] != TL_I32)
        return tl_infer_fail(q, TL_EDTYPE, "got %s, want i32", tl_dtype_name(q->in_dtype[0]));
    return TL_OK;
}

static int check_run(tl_call *c)
{
    const tl_shape *s = c->out.shape;
    const int32_t *in = c->in[0].data;
    int32_t *out = c->out.data;
    const int64_t lo = c->attr->i[0], hi = c->attr->i[1], count = tl_shape_count(*s);
    for (int64_t k = 0; k < count; k++) {
        int64_t rest = k, from = 0, to = 0;
        for (int a = s->rank - 1; a >= 0; rest /= s->dim[a], a--) {
            from += rest % s->dim[a] * c->in[0].stride[a];
            to += rest % s->dim[a] * c->out.stride[a];
        }
        if (in[from] < lo || in[from] > hi)
            return tl_call_fail(c, TL_ERANGE, "got %d as element %lld, want %lld to %lld", in[from],
                                (long long)k, (long long)lo, (long long)hi);
        out[to] = in[from];
    }
    return TL_OK;
}

static tl_tensor check_call(const tl_tensor *in)
{
    return tl_check_range(in[0], 0, 5);
}

static const tl_case check_cases[] = {
    {1, {{2, {3, 4}}}, {TL_INDEX}, 6, check_call},
};

const tl_op tl_op_check_range = {
    .name = "check_range",
    .doc = "a, an error when run unless lo <= a <= hi",
    .grad_doc = "none",
    .shape_doc = "[...] -> [...]",
    .kind = TL_OTHER,
    .nin = 1,
    .shape = infer_check,
    .run = check_run,
    .lead = tl_lead_same,
    .no_gradient = 1,
    .ncases = 1,
    .cases = check_cases,
    .attr_text = tl__text_limits,
};

tl_tensor tl_check_range(tl_tensor a, int64_t lo, int64_t hi)
{
    const int64_t i[] = {lo, hi};
    const tl_attr attr = {2, i, 0, NULL};
    return tl_record(&tl_op_check_range, 1, &a, &attr);
}

#endif
