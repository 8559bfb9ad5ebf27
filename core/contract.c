/* contract.c -- a contraction with any labels as matrix products.
 *
 *     attn[b,h,q,d] = sum over s of p[b,h,q,s] v[b,h,s,d]
 *
 *     batch  b,h -> one loop     in a, b and the result
 *     m      q                   in a and the result
 *     n      d                   in b and the result
 *     k      s                   in a and b only
 *
 * Batch, m and n are merged into as few axes as the strides of all three allow; the longest of m
 * and of n go into the product, the others become loops like the batch. k is always one axis, in
 * the order of a's labels; an operand whose strides forbid that is copied together first, because
 * the order of the sum must not depend on strides. */
#include "core/gemm.h"
#include "core/memory.h"

#include <string.h>

enum { MOST = 2 * TL_MAX_RANK };

/* One label: extent, and what a step along it is in a, b and the result (0 where it does not
 * occur). */
typedef struct axis {
    int64_t n, a, b, c;
} axis;

typedef struct axes {
    int n;
    axis at[MOST];
} axes;

typedef struct contraction {
    tl_dtype dtype;
    char *a, *b, *c;
    axes batch, m, n, k;
} contraction;

static int find(int64_t label, int64_t rank, const int64_t *labels)
{
    for (int i = 0; i < rank; i++)
        if (labels[i] == label)
            return i;
    return -1;
}

static void push(axes *x, axis y)
{
    if (y.n != 1 && x->n < MOST)
        x->at[x->n++] = y;
}

static int64_t extent(const axes *x)
{
    int64_t n = 1;
    for (int i = 0; i < x->n; i++)
        n *= x->at[i].n;
    return n;
}

static contraction classify(const tl_attr *labels, const tl_strided *a, const tl_strided *b,
                            const tl_strided *out)
{
    contraction q = {.dtype = out->dtype, .a = a->data, .b = b->data, .c = out->data};
    const int64_t *i = labels->i;
    int64_t ra = *i++;
    const int64_t *la = i;
    i += ra;
    int64_t rb = *i++;
    const int64_t *lb = i;
    i += rb;
    int64_t ro = *i++;
    const int64_t *lo = i;
    for (int x = 0; x < ro; x++) {
        int in_a = find(lo[x], ra, la), in_b = find(lo[x], rb, lb);
        axis y = {out->shape->dim[x], in_a < 0 ? 0 : a->stride[in_a],
                  in_b < 0 ? 0 : b->stride[in_b], out->stride[x]};
        push(in_a < 0 ? &q.n : in_b < 0 ? &q.m : &q.batch, y);
    }
    for (int x = 0; x < ra; x++) {
        int in_b = find(la[x], rb, lb);
        if (find(la[x], ro, lo) >= 0)
            continue;
        push(&q.k, (axis){a->shape->dim[x], a->stride[x], in_b < 0 ? 0 : b->stride[in_b], 0});
    }
    return q;
}

/* merge -- makes one axis of two whenever stepping over the inner one to its end is a step of
 * the outer one, everywhere. The order within a class of axes does not matter. */
static void merge(axes *x)
{
    for (int i = 0; i < x->n; i++)
        for (int j = 0; j < x->n; j++) {
            axis *outer = &x->at[i], *inner = &x->at[j];
            if (i == j || outer->a != inner->a * inner->n || outer->b != inner->b * inner->n ||
                outer->c != inner->c * inner->n)
                continue;
            *outer = (axis){outer->n * inner->n, inner->a, inner->b, inner->c};
            for (int l = j; l + 1 < x->n; l++)
                x->at[l] = x->at[l + 1];
            x->n--;
            i = -1; /* start again */
            break;
        }
}

/* Steps along the summed axes in one operand. */
static int64_t *step_of(axis *x, int of_b)
{
    return of_b ? &x->b : &x->a;
}

static int one_run(axes *k, int of_b)
{
    for (int i = 0; i + 1 < k->n; i++)
        if (*step_of(&k->at[i], of_b) != k->at[i + 1].n * *step_of(&k->at[i + 1], of_b))
            return 0;
    return 1;
}

/* copy -- elements of from, axis by axis, one behind the other to `to`. */
static char *copy(const axes *x, int i, int of_b, size_t size, const char *from, char *to)
{
    if (i == x->n) {
        memcpy(to, from, size);
        return to + size;
    }
    axis y = x->at[i];
    int64_t step = *step_of(&y, of_b) * (int64_t)size;
    for (int64_t l = 0; l < y.n; l++)
        to = copy(x, i + 1, of_b, size, from + l * step, to);
    return to;
}

/* together -- copies an operand so that its summed axes are one run: its other axes outside, the
 * summed ones inside. Axes along which the operand does not move stay as they are. */
static int together(contraction *q, int of_b, tl_buf **buf)
{
    axes *group[4] = {&q->batch, of_b ? &q->n : &q->m, &q->k, NULL};
    axes all = {0};
    axis *origin[MOST];
    for (int g = 0; group[g]; g++)
        for (int i = 0; i < group[g]->n; i++) {
            axis *y = &group[g]->at[i];
            if (group[g] != &q->k && *step_of(y, of_b) == 0)
                continue;
            if (all.n == MOST)
                return TL_ENOMEM;
            origin[all.n] = y;
            push(&all, *y);
        }
    size_t size = tl_dtype_size(q->dtype);
    *buf = tl__buf_new((size_t)extent(&all) * size);
    if (!*buf)
        return TL_ENOMEM;
    copy(&all, 0, of_b, size, of_b ? q->b : q->a, (*buf)->data);
    int64_t step = 1;
    for (int i = all.n - 1; i >= 0; i--) {
        *step_of(origin[i], of_b) = step;
        step *= all.at[i].n;
    }
    *(of_b ? &q->b : &q->a) = (*buf)->data;
    return TL_OK;
}

/* longest -- takes the longest axis out of x; {1} when there is none. */
static axis longest(axes *x)
{
    int best = 0;
    if (x->n == 0)
        return (axis){.n = 1};
    for (int i = 1; i < x->n; i++)
        if (x->at[i].n > x->at[best].n)
            best = i;
    axis y = x->at[best];
    for (int i = best; i + 1 < x->n; i++)
        x->at[i] = x->at[i + 1];
    x->n--;
    return y;
}

#define TIMES(T)                                                                                   \
    do {                                                                                           \
        const T *x = (const T *)(const void *)a, *y = (const T *)(const void *)b;                  \
        T *z = (T *)(void *)c;                                                                     \
        for (int64_t i = 0; i < l.n; i++) {                                                        \
            T xy = x[i * l.a] * y[i * l.b];                                                        \
            z[i * l.c] = add ? z[i * l.c] + xy : xy;                                               \
        }                                                                                          \
    } while (0)

/* times -- the innermost loop when nothing is summed and nothing is m or n: element by element. */
static void times(tl_dtype dtype, axis l, const char *a, const char *b, int add, char *c)
{
    if (dtype == TL_F64)
        TIMES(double);
    else
        TIMES(float);
}

typedef struct product {
    tl_dtype dtype;
    int64_t whole_m, whole_n;
    axis m, n, k;
    int add;
    const axes *loops;
} product;

static int run(const product *p, int depth, char *a, char *b, char *c)
{
    if (depth == p->loops->n)
        return tl__gemm(p->dtype, p->m.n, p->n.n, p->k.n, (tl_matrix){a, p->m.a, p->k.a},
                        (tl_matrix){b, p->k.b, p->n.b}, p->add, (tl_matrix){c, p->m.c, p->n.c});
    axis l = p->loops->at[depth];
    if (depth + 1 == p->loops->n && p->m.n * p->n.n * p->k.n == 1 && p->whole_m == 1 &&
        p->whole_n == 1) {
        times(p->dtype, l, a, b, p->add, c);
        return TL_OK;
    }
    int64_t size = (int64_t)tl_dtype_size(p->dtype);
    for (int64_t i = 0; i < l.n; i++) {
        int code = run(p, depth + 1, a + i * l.a * size, b + i * l.b * size, c + i * l.c * size);
        if (code)
            return code;
    }
    return TL_OK;
}

int tl__contract(const tl_attr *labels, const tl_strided *a, const tl_strided *b, int accumulate,
                 const tl_strided *out)
{
    if (out->dtype != TL_F32 && out->dtype != TL_F64)
        return TL_EDTYPE;
    contraction q = classify(labels, a, b, out);
    if (extent(&q.batch) * extent(&q.m) * extent(&q.n) == 0)
        return TL_OK;

    int code = TL_OK;
    tl_buf *copies[2] = {0};
    int64_t sum = extent(&q.k);
    for (int of_b = 0; of_b < 2 && sum > 0 && !code; of_b++)
        if (!one_run(&q.k, of_b))
            code = together(&q, of_b, &copies[of_b]);
    if (!code) {
        axis k = {.n = sum};
        if (q.k.n > 0)
            k = (axis){sum, q.k.at[q.k.n - 1].a, q.k.at[q.k.n - 1].b, 0};
        product p = {.dtype = q.dtype,
                     .whole_m = extent(&q.m),
                     .whole_n = extent(&q.n),
                     .k = k,
                     .add = accumulate};
        merge(&q.batch);
        merge(&q.m);
        merge(&q.n);
        p.m = longest(&q.m);
        p.n = longest(&q.n);
        axes loops = q.batch;
        for (int i = 0; i < q.m.n; i++)
            push(&loops, q.m.at[i]);
        for (int i = 0; i < q.n.n; i++)
            push(&loops, q.n.at[i]);
        p.loops = &loops;
        code = run(&p, 0, q.a, q.b, q.c);
    }
    tl__buf_unref(copies[0]);
    tl__buf_unref(copies[1]);
    return code;
}
