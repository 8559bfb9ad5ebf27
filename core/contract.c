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
 * the order of the sum must not depend on strides.
 *
 * Labels that change when run, time and the one that shares are cut along, only merge as the outer
 * part of an axis: then a shorter label is a shorter axis, and a share an offset and a length. */
#include "core/contract.h"

#include <string.h>

enum { MOST = 2 * TL_MAX_RANK, A = 0, B = 1, C = 2 };

/* An axis: extent, what a step along it is in a, b and the result (0 where it does not occur), its
 * outermost label, and how many of its elements are one of that label. */
typedef struct axis {
    int64_t n, step[3], label, unit;
} axis;

typedef struct axes {
    int n;
    axis at[MOST];
} axes;

/* How an operand is copied so that its summed axes are one run: all its axes as they are, in the
 * order in which they then lie. */
typedef struct copying {
    int on;
    size_t bytes;
    axes from;
} copying;

/* Places of axes: those of the product, then the loops around it. */
enum { M, N, K, LOOP, NOWHERE = -1 };

/* The flag of a packed operand, and the place of its axis that is not summed. */
static const unsigned packed_flag[2] = {TL_CONTRACT_PACKED_A, TL_CONTRACT_PACKED_B};
static const int own_place[2] = {M, N};

struct tl_contraction {
    tl_dtype dtype;
    int64_t size;
    unsigned flags;
    int64_t time_label, split_label;
    int time, split; /* places of the axes whose outer part they are, or NOWHERE */
    int n;           /* places */
    axis at[LOOP + MOST];
    copying copy[2];
};

/* ---- labels into axes ------------------------------------------------------------------------ */

typedef struct classes {
    axes batch, m, n, k;
} classes;

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

static void drop(axes *x, int i)
{
    for (x->n--; i < x->n; i++)
        x->at[i] = x->at[i + 1];
}

static int64_t extent(const axes *x)
{
    int64_t n = 1;
    for (int i = 0; i < x->n; i++)
        n *= x->at[i].n;
    return n;
}

static void classify(const tl_contraction_def *d, classes *c)
{
    const int64_t *labels[3], *i = d->labels->i;
    int64_t rank[3];
    for (int o = 0; o < 3; o++) {
        rank[o] = *i++;
        labels[o] = i;
        i += rank[o];
    }
    c->batch.n = c->m.n = c->n.n = c->k.n = 0;
    for (int x = 0; x < rank[C]; x++) {
        int64_t label = labels[C][x];
        int a = find(label, rank[A], labels[A]), b = find(label, rank[B], labels[B]);
        int64_t step_a = a < 0 ? 0 : d->stride[A][a], step_b = b < 0 ? 0 : d->stride[B][b];
        axis y = {d->shape[C]->dim[x], {step_a, step_b, d->stride[C][x]}, label, 1};
        push(a < 0 ? &c->n : b < 0 ? &c->m : &c->batch, y);
    }
    for (int x = 0; x < rank[A]; x++) {
        int64_t label = labels[A][x];
        int b = find(label, rank[B], labels[B]);
        if (find(label, rank[C], labels[C]) < 0)
            push(&c->k, (axis){d->shape[A]->dim[x],
                               {d->stride[A][x], b < 0 ? 0 : d->stride[B][b], 0},
                               label,
                               1});
    }
}

static int follows(const axis *outer, const axis *inner)
{
    for (int o = 0; o < 3; o++)
        if (outer->step[o] != inner->step[o] * inner->n)
            return 0;
    return 1;
}

/* merge -- makes one axis of two whenever stepping over the inner one to its end is a step of
 * the outer one, everywhere. The order within a class of axes does not matter. */
static void merge(const tl_contraction_def *d, axes *x)
{
    for (int i = 0; i < x->n; i++)
        for (int j = 0; j < x->n; j++) {
            axis *outer = &x->at[i], *inner = &x->at[j];
            if (i == j || inner->n == 0 || inner->label == d->time || inner->label == d->split ||
                !follows(outer, inner))
                continue;
            outer->n *= inner->n;
            outer->unit *= inner->n;
            memcpy(outer->step, inner->step, sizeof outer->step);
            drop(x, j);
            i = -1; /* start again */
            break;
        }
}

static int one_run(const axes *k, int operand)
{
    for (int i = 0; i + 1 < k->n; i++)
        if (k->at[i].step[operand] != k->at[i + 1].n * k->at[i + 1].step[operand])
            return 0;
    return 1;
}

/* together -- plans the copy of an operand so that its summed axes are one run: its other axes
 * outside, the summed ones inside. Axes along which the operand does not move stay as they are. */
static int together(classes *c, int operand, size_t size, copying *plan)
{
    axes *const group[] = {&c->batch, operand == A ? &c->m : &c->n, &c->k};
    axis *origin[MOST];
    plan->on = 1;
    for (int g = 0; g < 3; g++)
        for (int i = 0; i < group[g]->n; i++) {
            axis *y = &group[g]->at[i];
            if (g < 2 && y->step[operand] == 0)
                continue;
            if (plan->from.n == MOST)
                return TL_ENOMEM;
            origin[plan->from.n] = y;
            push(&plan->from, *y);
        }
    int64_t step = 1;
    for (int i = plan->from.n - 1; i >= 0; i--) {
        origin[i]->step[operand] = step;
        step *= plan->from.at[i].n;
    }
    return tl__mul_size((size_t)step, size, &plan->bytes);
}

static axis summed(const axes *k)
{
    if (k->n == 0)
        return (axis){.n = 1, .unit = 1, .label = TL_LABEL_NONE};
    axis y = k->at[k->n - 1];
    y.n = extent(k);
    y.label = k->at[0].label;
    y.unit = k->at[0].n ? y.n / k->at[0].n : 1;
    return y;
}

/* longest -- takes the longest axis out of x; one of extent 1 when there is none. */
static axis longest(axes *x)
{
    int best = 0;
    if (x->n == 0)
        return (axis){.n = 1, .unit = 1, .label = TL_LABEL_NONE};
    for (int i = 1; i < x->n; i++)
        if (x->at[i].n > x->at[best].n)
            best = i;
    axis y = x->at[best];
    drop(x, best);
    return y;
}

/* ---- packed operands ------------------------------------------------------------------------- */

static int packs(const classes *c, const tl_contraction_def *d, int operand)
{
    enum { COLUMNS = 8 }; /* fewer are not worth a panel */
    const axes *mine = operand == A ? &c->m : &c->n;
    const int64_t k = extent(&c->k);
    if (c->batch.n > 0 || mine->n != 1 || mine->at[0].n < COLUMNS || mine->at[0].step[C] != 1 ||
        mine->at[0].label == d->time || k == 0 || !one_run(&c->k, operand))
        return 0;
    for (int i = 0; i < c->k.n; i++)
        if (c->k.at[i].label == d->time)
            return 0;
    return tl__panels_bytes(d->dtype, k, mine->at[0].n) > 0;
}

int tl__contraction_packing(const tl_contraction_def *d, int operand, int64_t *k, int64_t *n,
                            tl_matrix *how)
{
    classes c;
    classify(d, &c);
    axes *mine = operand == A ? &c.m : &c.n;
    merge(d, mine);
    if (!packs(&c, d, operand))
        return 0;
    axis inner = summed(&c.k), outer = longest(mine);
    *k = inner.n;
    *n = outer.n;
    *how = (tl_matrix){NULL, inner.step[operand], outer.step[operand]};
    return 1;
}

/* ---- compiling ------------------------------------------------------------------------------- */

static int place_of(const tl_contraction *q, int64_t label)
{
    for (int i = 0; label >= 0 && i < q->n; i++)
        if (q->at[i].label == label)
            return i;
    return NOWHERE;
}

/* best -- where to cut: a long batch; else the columns of the product (where the result is
 * contiguous), since each share then packs a part of the right operand of its own, unless they are
 * too few for both sides of the cut. */
static int best(const tl_contraction *q)
{
    enum { BATCH = 8, COLUMNS = 64 };
    int across = q->at[M].step[C] == 1 && q->at[N].step[C] != 1 ? M : N, place = across;
    for (int i = LOOP; i < q->n; i++)
        if (q->at[i].n / q->at[i].unit >= BATCH)
            return i;
    if (q->at[across].n < COLUMNS && q->at[M + N - across].n > q->at[across].n / 4)
        place = M + N - across;
    if (q->at[place].n / q->at[place].unit < 2)
        place = M + N - place;
    for (int i = LOOP; i < q->n && q->at[place].n / q->at[place].unit < 2; i++)
        place = i;
    return q->at[place].n / q->at[place].unit < 2 ? NOWHERE : place;
}

static int compile(const tl_contraction_def *d, tl_contraction *q)
{
    classes c;
    if (d->dtype != TL_F32 && d->dtype != TL_F64)
        return TL_EDTYPE;
    classify(d, &c);
    q->dtype = d->dtype;
    q->size = (int64_t)tl_dtype_size(d->dtype);
    q->flags = d->flags;
    for (int o = A; o <= B; o++) {
        q->copy[o].on = q->copy[o].from.n = 0;
        int code = TL_OK;
        if (!(d->flags & packed_flag[o]) && extent(&c.k) > 0 && !one_run(&c.k, o))
            code = together(&c, o, (size_t)q->size, &q->copy[o]);
        if (code)
            return code;
    }
    merge(d, &c.batch);
    merge(d, &c.m);
    merge(d, &c.n);
    for (int o = A; o <= B; o++)
        if ((d->flags & packed_flag[o]) && !packs(&c, d, o))
            return TL_EINVAL;
    if (d->flags == (TL_CONTRACT_PACKED_A | TL_CONTRACT_PACKED_B))
        return TL_EINVAL;
    for (int i = 1; i < c.k.n; i++)
        if (c.k.at[i].label == d->time)
            return TL_EINVAL;
    q->at[M] = longest(&c.m);
    q->at[N] = longest(&c.n);
    q->at[K] = summed(&c.k);
    q->n = LOOP;
    const axes *const loops[] = {&c.batch, &c.m, &c.n};
    for (int g = 0; g < 3; g++)
        for (int i = 0; i < loops[g]->n; i++)
            q->at[q->n++] = loops[g]->at[i];
    q->time_label = d->time;
    q->time = place_of(q, d->time);
    q->split = d->split == TL_LABEL_BEST ? best(q) : place_of(q, d->split);
    if (q->split == K)
        q->split = NOWHERE; /* not a label of the result */
    q->split_label = q->split == NOWHERE ? TL_LABEL_NONE : q->at[q->split].label;
    return TL_OK;
}

const tl_contraction *tl__contraction_new(tl_arena *arena, const tl_contraction_def *d)
{
    tl_contraction *q = tl__arena_alloc(arena, sizeof *q);
    return q && compile(d, q) == TL_OK ? q : NULL;
}

int64_t tl__contraction_split(const tl_contraction *q)
{
    return q->split_label;
}

/* ---- running --------------------------------------------------------------------------------- */

/* What a run knows beside the contraction: extents now. */
typedef struct running {
    const tl_contraction *q;
    int add;
    int64_t first; /* column of a packed operand */
    int64_t n[LOOP + MOST];
} running;

#define TIMES(T)                                                                                   \
    do {                                                                                           \
        const T *x = (const T *)(const void *)a, *y = (const T *)(const void *)b;                  \
        T *z = (T *)(void *)c;                                                                     \
        for (int64_t i = 0; i < n; i++) {                                                          \
            T xy = x[i * l->step[A]] * y[i * l->step[B]];                                          \
            z[i * l->step[C]] = add ? z[i * l->step[C]] + xy : xy;                                 \
        }                                                                                          \
    } while (0)

/* times -- the innermost loop when nothing is summed and nothing is m or n: element by element. */
static void times(tl_dtype dtype, const axis *l, int64_t n, const char *a, const char *b, int add,
                  char *c)
{
    if (dtype == TL_F64)
        TIMES(double);
    else
        TIMES(float);
}

/* The product, where the loops end. Operands are only read, though a tl_matrix does not say so. */
static int product(const running *r, char *a, char *b, char *c)
{
    const tl_contraction *q = r->q;
    const axis *m = &q->at[M], *n = &q->at[N], *k = &q->at[K];
    if (q->flags & TL_CONTRACT_PACKED_B)
        return tl__gemm_packed(q->dtype, n->n, r->n[M], r->first, r->n[N], r->n[K],
                               (tl_matrix){a, m->step[A], k->step[A]}, b, r->add,
                               (tl_matrix){c, m->step[C], 1});
    if (q->flags & TL_CONTRACT_PACKED_A) /* C' = B'A' */
        return tl__gemm_packed(q->dtype, m->n, r->n[N], r->first, r->n[M], r->n[K],
                               (tl_matrix){b, n->step[B], k->step[B]}, a, r->add,
                               (tl_matrix){c, n->step[C], 1});
    return tl__gemm(q->dtype, r->n[M], r->n[N], r->n[K], (tl_matrix){a, m->step[A], k->step[A]},
                    (tl_matrix){b, k->step[B], n->step[B]}, r->add,
                    (tl_matrix){c, m->step[C], n->step[C]});
}

static int loop(const running *r, int place, char *a, char *b, char *c)
{
    const tl_contraction *q = r->q;
    if (place == q->n)
        return product(r, a, b, c);
    const axis *l = &q->at[place];
    if (place + 1 == q->n && r->n[M] * r->n[N] * r->n[K] == 1 && !q->flags) {
        times(q->dtype, l, r->n[place], a, b, r->add, c);
        return TL_OK;
    }
    int code = TL_OK;
    for (int64_t i = 0; i < r->n[place] && !code; i++) {
        const int64_t at = i * q->size;
        code = loop(r, place + 1, a + at * l->step[A], b + at * l->step[B], c + at * l->step[C]);
    }
    return code;
}

/* copy -- elements of from, axis by axis, to where they are one run. n: extents now, as the axes
 * from the i-th on; step: what the i-th is in the copy. */
static void copy(const axes *x, int i, int operand, int64_t size, const int64_t *n,
                 const int64_t *step, const char *from, char *to)
{
    const int64_t ahead = x->at[i].step[operand] * size;
    if (i + 1 == x->n && ahead == size) {
        memcpy(to, from, (size_t)(n[i] * size));
        return;
    }
    for (int64_t l = 0; l < n[i]; l++, from += ahead, to += step[i])
        if (i + 1 < x->n)
            copy(x, i + 1, operand, size, n, step, from, to);
        else
            memcpy(to, from, (size_t)size);
}

/* gather -- copies an operand as planned; the label `split` goes over `count` from `start` on. */
static char *gather(const tl_contraction *q, int operand, const char *from, int64_t time,
                    int64_t start, int64_t count, tl_buf **buf)
{
    const copying *plan = &q->copy[operand];
    int64_t n[MOST], step[MOST], behind = q->size;
    *buf = tl__buf_new(plan->bytes);
    if (!*buf)
        return NULL;
    for (int i = plan->from.n - 1; i >= 0; i--) {
        const axis *y = &plan->from.at[i];
        step[i] = behind;
        behind *= y->n;
        n[i] = y->label == q->time_label ? time : y->n;
        if (y->label == q->split_label) {
            n[i] = count;
            from += start * y->step[operand] * q->size;
        }
    }
    copy(&plan->from, 0, operand, q->size, n, step, from, (*buf)->data);
    return (*buf)->data;
}

int tl__contraction_run(const tl_contraction *q, const void *a, const void *b, int accumulate,
                        void *out, int64_t time, int part, int parts)
{
    running r = {.q = q, .add = accumulate};
    char *at[3] = {(char *)(uintptr_t)a, (char *)(uintptr_t)b, out};
    int64_t start = 0, count = 0;
    if (q->split == NOWHERE && part > 0)
        return TL_OK;
    for (int i = 0; i < q->n; i++)
        r.n[i] = q->at[i].n;
    if (q->time != NOWHERE)
        r.n[q->time] = time * q->at[q->time].unit;
    if (q->split != NOWHERE) {
        const axis *y = &q->at[q->split];
        const int64_t d = r.n[q->split] / y->unit;
        start = d * part / parts;
        count = d * (part + 1) / parts - start;
        r.n[q->split] = count * y->unit;
        at[C] += start * y->unit * y->step[C] * q->size;
        for (int o = A; o <= B; o++) {
            const int packed = q->flags & packed_flag[o] ? 1 : 0;
            if (packed && q->split == own_place[o])
                r.first = start * y->unit;
            if (!packed && !q->copy[o].on)
                at[o] += start * y->unit * y->step[o] * q->size;
        }
    }
    for (int i = 0; i < q->n; i++)
        if (i != K && r.n[i] == 0)
            return TL_OK;
    tl_buf *copies[2] = {0};
    int code = TL_OK;
    for (int o = A; o <= B && !code; o++)
        if (q->copy[o].on && r.n[K] > 0) {
            at[o] = gather(q, o, at[o], time, start, count, &copies[o]);
            code = at[o] ? TL_OK : TL_ENOMEM;
        }
    if (!code)
        code = loop(&r, LOOP, at[A], at[B], at[C]);
    tl__buf_unref(copies[A]);
    tl__buf_unref(copies[B]);
    return code;
}

int tl__contract(const tl_attr *labels, const tl_strided *a, const tl_strided *b, int accumulate,
                 const tl_strided *out)
{
    const tl_contraction_def d = {.dtype = out->dtype,
                                  .labels = labels,
                                  .shape = {a->shape, b->shape, out->shape},
                                  .stride = {a->stride, b->stride, out->stride},
                                  .time = TL_LABEL_NONE,
                                  .split = TL_LABEL_NEVER};
    tl_contraction q;
    int code = compile(&d, &q);
    if (code)
        return code;
    return tl__contraction_run(&q, a->data, b->data, accumulate, out->data, 0, 0, 1);
}
