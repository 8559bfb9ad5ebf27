/* install_op.c -- an operation of one's own with all that a descriptor may have beside a pointwise
 * one: built against the installed copy by test_install.sh, held to tl_check_op, put into a scan.
 *
 *     y[..., 2i] = a[..., i] k     y[..., 2i + 1] = b[..., i]
 *
 * examples/custom_op.c, built there too, has a pointwise one. */
#include "tapeloop.h"

#include <stdio.h>
#include <string.h>

static int zip_shape(tl_infer *q)
{
    char a[TL_SHAPE_TEXT], b[TL_SHAPE_TEXT];
    if (q->in[0].rank < 1 || !tl_shape_equal(q->in[0], q->in[1]) ||
        q->in_dtype[0] != q->in_dtype[1] || q->in_dtype[0] == TL_I32)
        return tl_infer_fail(q, TL_ESHAPE, "got %s and %s, want equal shapes of rank 1 or more",
                             tl_shape_text(q->in[0], a, sizeof a),
                             tl_shape_text(q->in[1], b, sizeof b));
    q->shape = q->in[0];
    q->shape.dim[q->shape.rank - 1] *= 2;
    q->dtype = q->in_dtype[0];
    return TL_OK;
}

/* copy_row -- n elements, each times k, to every other place. */
static void copy_row(const tl_strided *from, int64_t at, const tl_strided *to, int64_t place,
                     int64_t n, double k)
{
    const int64_t step = from->stride[from->shape->rank - 1],
                  apart = 2 * to->stride[to->shape->rank - 1];
    for (int64_t i = 0; i < n; i++)
        if (from->dtype == TL_F64)
            ((double *)to->data)[place + i * apart] = k * ((double *)from->data)[at + i * step];
        else
            ((float *)to->data)[place + i * apart] =
                (float)(k * (double)((float *)from->data)[at + i * step]);
}

static int zip_run(tl_call *c)
{
    const tl_shape *s = c->in[0].shape;
    const int last = s->rank - 1;
    int64_t rows = 1;
    for (int a = 0; a < last; a++)
        rows *= s->dim[a];
    if (!(c->attr->r[0] < 1e6))
        return tl_call_fail(c, TL_ERANGE, "got k = %g, want less than a million", c->attr->r[0]);
    for (int64_t row = 0; row < rows; row++) {
        int64_t rest = row, at[3] = {0};
        for (int a = last - 1; a >= 0; rest /= s->dim[a], a--) {
            at[0] += rest % s->dim[a] * c->in[0].stride[a];
            at[1] += rest % s->dim[a] * c->in[1].stride[a];
            at[2] += rest % s->dim[a] * c->out.stride[a];
        }
        copy_row(&c->in[0], at[0], &c->out, at[2], s->dim[last], c->attr->r[0]);
        copy_row(&c->in[1], at[1], &c->out, at[2] + c->out.stride[last], s->dim[last], 1);
    }
    return TL_OK;
}

/* half -- every other element of g, from `first` on. */
static tl_tensor half(tl_tensor g, int64_t first, tl_shape shape)
{
    tl_shape pairs = shape;
    pairs.dim[pairs.rank++] = 2;
    return tl_reshape(tl_slice(tl_reshape(g, pairs), -1, first, 1), shape);
}

static void zip_adjoint(tl_adj *q)
{
    if (q->need & 1u)
        q->d[0] = tl_scale(half(q->g, 0, q->in_shape[0]), q->attr->r[0]);
    if (q->need & 2u)
        q->d[1] = half(q->g, 1, q->in_shape[1]);
}

static int64_t zip_parts(tl_parts *q)
{
    (void)q;
    return 1;
}

static int zip_lead(tl_lead *q)
{
    return q->led == 3;
}

static void zip_text(const tl_attr *a, const tl_shape *in, char *text, size_t size)
{
    (void)a, (void)in;
    snprintf(text, size, "side by side");
}

static tl_tensor zip_call(const tl_tensor *in);

static const tl_case zip_cases[] = {
    {2, {{1, {3}}, {1, {3}}}, {TL_ANY, TL_ANY}, 0, zip_call},
    {2, {{3, {2, 3, 2}}, {3, {2, 3, 2}}}, {TL_ANY, TL_ANY}, 0, zip_call},
};

static const tl_op zip_op = {
    .name = "zip",
    .doc = "y[2i] = k a[i], y[2i+1] = b[i]",
    .grad_doc = "da = k g[2i], db = g[2i+1]",
    .shape_doc = "[...,n], [...,n] -> [...,2n]",
    .kind = TL_OTHER,
    .shape = zip_shape,
    .run = zip_run,
    .lead = zip_lead,
    .parts = zip_parts,
    .adjoint = zip_adjoint,
    .ncases = 2,
    .cases = zip_cases,
    .attr_text = zip_text,
};

static tl_tensor zip(tl_tensor a, tl_tensor b, double k)
{
    const tl_tensor in[] = {a, b};
    const tl_attr attr = {0, NULL, 1, &k};
    return tl_record(&zip_op, 2, in, &attr);
}

static tl_tensor zip_call(const tl_tensor *in)
{
    return zip(in[0], in[1], 3);
}

/* in_scan -- h' = tanh of every other element of zip(h, x_t): the gradient by x, in a loop. */
static int in_scan(void *ctx, tl_tape *tape, int nin, const tl_tensor *in, int nout, tl_tensor *out)
{
    (void)ctx, (void)nin, (void)nout;
    tl_scan s = tl_scan_open(tape, tl_dim(in[0], 0), NULL);
    const tl_tensor h = tl_scan_carry(s, in[1]), x = tl_scan_each(s, in[0]),
                    before = tl_slice(zip(x, x, 2), -1, 1, 2), /* moved out of the loop */
        y = zip(h, before, 0.5);
    tl_scan_next(s, h, tl_tanh(tl_add(tl_slice(y, -1, 0, 2), tl_slice(y, -1, 2, 2))));
    tl_scan_close(s);
    out[0] = tl_scan_last(s, h);
    return tl_tape_status(tape);
}

/* refuses -- whether an error of the kernel has the words that it gave. */
static int refuses(void)
{
    tl_tape *tape = tl_tape_new(NULL);
    const tl_tensor a = tl_ones(tape, TL_F64, tl_shape1(2)), y = zip(a, a, 2e6);
    const int code = tl_eval(1, &y);
    printf("%s\n", tl_tape_error(tape));
    const int is_right = code == TL_ERANGE && strstr(tl_tape_error(tape), "zip: got k = 2e+06");
    tl_tape_free(tape);
    return is_right;
}

int main(void)
{
    char report[400];
    const tl_check_input in[] = {{{2, {3, 2}}, TL_ANY, 0, NULL}, {{1, {2}}, TL_ANY, 0, NULL}};
    int failures = tl_check_op(&zip_op, NULL, report, sizeof report) != TL_OK;
    printf("%s\n", report);
    failures += tl_check_grad(in_scan, NULL, 2, in, 1, NULL, report, sizeof report) != TL_OK;
    printf("%s\n", report);
    return failures + !refuses();
}
