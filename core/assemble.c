/* assemble.c -- pieces put into zeros at their offsets; where they overlap they add. The
 * adjoint of slices, and concat's kernel.
 *
 *     zeros             0 0 0   0 0 0
 *     piece a at 0      a a a
 *     piece b at 2          b   b
 *     result            a a a+b b 0 0
 *
 * Attributes: {n, r, offset of piece 0 along axes 0 .. r-1 from the front, of piece 1, ...};
 * the shape is the node's own. Pieces are added in their order, so the result's bits are those
 * of adding n padded tensors one after the other. */
#include "core/attr_text.h"
#include "core/memory.h"
#include "core/node.h"
#include "core/space.h"

#include <string.h>

/* add_run -- n elements of a row; the innermost loop. */
static void add_run(tl_dtype dtype, int64_t n, const void *from, int64_t from_stride, void *to,
                    int64_t to_stride)
{
    if (dtype == TL_F32) {
        const float *x = from;
        float *y = to;
        for (int64_t i = 0; i < n; i++)
            y[i * to_stride] += x[i * from_stride];
    } else if (dtype == TL_F64) {
        const double *x = from;
        double *y = to;
        for (int64_t i = 0; i < n; i++)
            y[i * to_stride] += x[i * from_stride];
    } else {
        const int32_t *x = from;
        int32_t *y = to;
        for (int64_t i = 0; i < n; i++)
            y[i * to_stride] += x[i * from_stride];
    }
}

static void zero_run(size_t size, int64_t n, char *to, int64_t stride)
{
    if (stride == 1)
        memset(to, 0, (size_t)n * size);
    else
        for (int64_t i = 0; i < n; i++)
            memset(to + i * stride * (int64_t)size, 0, size);
}

/* place -- adds piece (NULL: writes zeros) into the block of `out` of extents dim that begins
 * at `to`, row by row. */
static void place(const tl_strided *out, const int64_t *dim, char *to, const tl_strided *piece)
{
    const int last = out->shape->rank - 1;
    const size_t size = tl_dtype_size(out->dtype);
    const int64_t n = last < 0 ? 1 : dim[last];
    int64_t rows = n > 0;
    for (int a = 0; a < last; a++)
        rows *= dim[a];
    for (int64_t row = 0; row < rows; row++) {
        int64_t rest = row, x = 0, y = 0;
        for (int a = last - 1; a >= 0; rest /= dim[a], a--) {
            y += rest % dim[a] * out->stride[a];
            x += piece ? rest % dim[a] * piece->stride[a] : 0;
        }
        char *here = to + y * (int64_t)size;
        const int64_t step = last < 0 ? 1 : out->stride[last];
        if (piece)
            add_run(out->dtype, n, (const char *)piece->data + x * (int64_t)size,
                    last < 0 ? 1 : piece->stride[last], here, step);
        else
            zero_run(size, n, here, step);
    }
}

static int assemble_run(tl_call *c)
{
    const tl_strided *out = &c->out;
    const int rank = out->shape->rank;
    const int64_t *offset = c->attr->i + 2;
    place(out, out->shape->dim, out->data, NULL);
    for (int p = 0; p < c->nin; p++, offset += rank) {
        int64_t at = 0;
        for (int a = 0; a < rank; a++)
            at += offset[a] * out->stride[a];
        place(out, c->in[p].shape->dim, (char *)out->data + at * (int64_t)tl_dtype_size(out->dtype),
              &c->in[p]);
    }
    return TL_OK;
}

/* Every piece must have got the axis; it starts at 0 of it. */
static int assemble_lead(tl_lead *q)
{
    const int64_t n = q->attr->i[0], r = q->attr->i[1];
    const int64_t room = (int64_t)(sizeof q->i / sizeof q->i[0]);
    if (n > 31 || q->led != (1u << n) - 1 || 2 + n * (r + 1) > room)
        return 0;
    q->ni = 0;
    q->i[q->ni++] = n;
    q->i[q->ni++] = r + 1;
    for (int64_t p = 0; p < n; p++) {
        q->i[q->ni++] = 0;
        for (int64_t a = 0; a < r; a++)
            q->i[q->ni++] = q->attr->i[2 + p * r + a];
    }
    return 1;
}

static void assemble_adjoint(tl_adj *q)
{
    const int rank = q->shape.rank;
    for (int p = 0; p < q->nin; p++) {
        const int64_t *offset = q->attr->i + 2 + (int64_t)p * rank;
        if (p < 32 && !(q->need >> p & 1))
            continue;
        q->d[p] = q->g;
        for (int a = 0; a < rank; a++)
            q->d[p] = tl_slice(q->d[p], a, offset[a], q->in_shape[p].dim[a]);
    }
}

static tl_tensor assemble_call(const tl_tensor *in)
{
    const int64_t offset[3][TL_MAX_RANK] = {{0, 0}, {1, 2}, {1, 0}};
    return tl_assemble(tl_shape2(3, 5), 3, in, offset);
}

static const tl_case assemble_cases[] = {
    {3, {{2, {2, 3}}, {2, {2, 2}}, {2, {1, 4}}}, {TL_ANY, TL_ANY, TL_ANY}, 0, assemble_call},
};

const tl_op tl_op_assemble = {
    .name = "assemble",
    .doc = "zeros with each piece added in at its offset",
    .grad_doc = "of a piece: its slice of g",
    .shape_doc = "pieces [...] -> as asked",
    .kind = TL_ASSEMBLE,
    .run = assemble_run,
    .lead = assemble_lead,
    .adjoint = assemble_adjoint,
    .ncases = 1,
    .cases = assemble_cases,
    .attr_text = tl__text_offsets,
};

void tl__assemble_offset(const tl_node *n, uint32_t piece, int64_t *offset)
{
    for (int a = 0; a < n->shape.rank; a++)
        offset[a] = n->attr.i[2 + (int64_t)piece * n->shape.rank + a];
}

/* fit -- whether piece p of n lies inside shape and is of the first one's dtype; the error is
 * the tape's. */
static int fit(tl_tensor t, int p, tl_dtype dtype, const tl_shape *shape, const int64_t *offset)
{
    const tl_shape s = tl_shape_of(t);
    char got[TL_SHAPE_TEXT], at[TL_SHAPE_TEXT], want[TL_SHAPE_TEXT];
    int inside = s.rank == shape->rank;
    if (tl_dtype_of(t) != dtype)
        return tl_tape_fail(t.tape, TL_EDTYPE, "assemble", "got %s as piece %d, want %s as piece 0",
                            tl_dtype_name(tl_dtype_of(t)), p, tl_dtype_name(dtype));
    for (int a = 0; inside && a < s.rank; a++)
        inside = offset[a] >= 0 && offset[a] <= shape->dim[a] - s.dim[a];
    if (inside)
        return TL_OK;
    return tl_tape_fail(t.tape, TL_ESHAPE, "assemble",
                        "got %s at %s as piece %d, want a part of %s",
                        tl_shape_text(s, got, sizeof got),
                        tl_shape_text(tl_shape_of_dims(shape->rank, offset), at, sizeof at), p,
                        tl_shape_text(*shape, want, sizeof want));
}

tl_tensor tl_assemble(tl_shape shape, int n, const tl_tensor *piece,
                      const int64_t (*offset)[TL_MAX_RANK])
{
    if (!tl__same_tape("assemble", n, piece))
        return tl__inert_of(n, piece);
    if (!offset)
        return tl_fail_tensor(piece[0], TL_EINVAL, "assemble", "no offsets (NULL), want %d", n);
    if (tl_shape_count(shape) < 0) {
        char text[TL_SHAPE_TEXT];
        return tl_fail_tensor(piece[0], TL_ESHAPE, "assemble", "invalid or too large shape %s",
                              tl_shape_text(shape, text, sizeof text));
    }
    const size_t each = (size_t)shape.rank, ni = 2 + (size_t)n * each;
    int64_t *i = tl__calloc(ni, sizeof *i);
    if (!i)
        return tl_fail_tensor(piece[0], TL_ENOMEM, "assemble", "no memory for %d offsets", n);
    i[0] = n;
    i[1] = shape.rank;
    int code = TL_OK;
    for (int p = 0; p < n && !code; p++) {
        code = fit(piece[p], p, tl_dtype_of(piece[0]), &shape, offset[p]);
        memcpy(i + 2 + (size_t)p * each, offset[p], each * sizeof *i);
    }
    const tl_attr attr = {(int)ni, i, 0, NULL};
    const tl_tensor t =
        code ? tl__inert_of(n, piece) : tl__record_shaped(&tl_op_assemble, n, piece, shape, &attr);
    tl__free(i);
    return t;
}
