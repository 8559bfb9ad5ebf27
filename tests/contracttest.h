/* contracttest.h -- operands of contractions with random labels, in memory of any layout. */
#ifndef TL_TESTS_CONTRACTTEST_H
#define TL_TESTS_CONTRACTTEST_H

#include "core/contract.h"
#include "core/memory.h"

#include <stdlib.h>

enum { LABELS = 6 };

/* An operand in its own memory, its axes in any order in it, with gaps, backwards or repeated. */
typedef struct operand {
    int64_t label[TL_MAX_RANK];
    tl_shape shape;
    int64_t stride[TL_MAX_RANK];
    char *memory;
    int64_t start, size; /* elements */
    tl_strided x;
} operand;

static inline void push(operand *o, int64_t label, int64_t extent)
{
    o->label[o->shape.rank] = label;
    o->shape.dim[o->shape.rank++] = extent;
}

static inline void shuffle(operand *o)
{
    for (int i = o->shape.rank - 1; i > 0; i--) {
        int j = rand() % (i + 1);
        int64_t l = o->label[i], n = o->shape.dim[i];
        o->label[i] = o->label[j];
        o->shape.dim[i] = o->shape.dim[j];
        o->label[j] = l;
        o->shape.dim[j] = n;
    }
}

static inline void lay_out(operand *o, tl_dtype d, int dense, int readable)
{
    int order[TL_MAX_RANK];
    int64_t step = 1, start = 0;
    for (int i = 0; i < o->shape.rank; i++)
        order[i] = i;
    for (int i = o->shape.rank - 1; i > 0 && !dense; i--) {
        int j = rand() % (i + 1), t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
    for (int i = o->shape.rank - 1; i >= 0; i--) {
        int axis = order[i];
        int way = dense ? 0 : rand() % 8;
        o->stride[axis] = step;
        if (way == 0 && !dense && readable) {
            o->stride[axis] = 0;
            continue;
        }
        if (way == 1)
            o->stride[axis] = step = step * 2; /* gaps */
        if (way == 2) {
            o->stride[axis] = -step;
            start += (o->shape.dim[axis] > 0 ? o->shape.dim[axis] - 1 : 0) * step;
        }
        step *= o->shape.dim[axis] > 0 ? o->shape.dim[axis] : 1;
    }
    o->start = start;
    o->size = step;
    o->memory = tl__aligned_alloc((size_t)(step + 1) * tl_dtype_size(d));
    o->x = (tl_strided){o->memory + start * (int64_t)tl_dtype_size(d), d, &o->shape, o->stride};
}

static inline double get(const operand *o, int64_t i)
{
    return o->x.dtype == TL_F64 ? ((const double *)o->x.data)[i]
                                : (double)((const float *)o->x.data)[i];
}

static inline void set(operand *o, int64_t i, double v)
{
    if (o->x.dtype == TL_F64)
        ((double *)o->x.data)[i] = v;
    else
        ((float *)o->x.data)[i] = (float)v;
}

static inline int64_t position(const operand *o, const int64_t *index)
{
    int64_t p = 0;
    for (int i = 0; i < o->shape.rank; i++)
        p += index[o->label[i]] * o->stride[i];
    return p;
}

/* Steps the index over the labels in `over` (bits); 0 after the last. */
static inline int next(int64_t *index, const int64_t *extent, unsigned over)
{
    for (int l = 0; l < LABELS; l++) {
        if (!(over >> l & 1))
            continue;
        if (++index[l] < extent[l])
            return 1;
        index[l] = 0;
    }
    return 0;
}

static inline unsigned labels_of(const operand *o)
{
    unsigned set = 0;
    for (int i = 0; i < o->shape.rank; i++)
        set |= 1u << o->label[i];
    return set;
}

enum { ATTR = 3 * (TL_MAX_RANK + 1) };

static inline tl_attr attr_of(const operand *a, const operand *b, const operand *c, int64_t *i)
{
    int n = 0;
    const operand *const all[3] = {a, b, c};
    for (int o = 0; o < 3; o++) {
        i[n++] = all[o]->shape.rank;
        for (int x = 0; x < all[o]->shape.rank; x++)
            i[n++] = all[o]->label[x];
    }
    return (tl_attr){.ni = n, .i = i};
}

static inline int contract(operand *a, operand *b, int add, operand *c)
{
    int64_t i[ATTR];
    tl_attr attr = attr_of(a, b, c, i);
    a->x.shape = &a->shape; /* copies of an operand have their own */
    b->x.shape = &b->shape;
    c->x.shape = &c->shape;
    return tl__contract(&attr, &a->x, &b->x, add, &c->x);
}

static inline void draw(operand *o)
{
    for (int64_t i = 0; i < o->size; i++)
        set(o, i - o->start, rand() % 2001 / 1000.0 - 1);
}

/* Random labels: each is batch, m, n or k. */
static inline void labels(operand *a, operand *b, operand *c, int64_t *extent)
{
    for (int l = 0; l < LABELS; l++) {
        extent[l] = rand() % 12 == 0 ? rand() % 2 : 1 + rand() % 6;
        int kind = rand() % 5; /* 4: no such label */
        if (kind == 0 || kind == 1 || kind == 3)
            push(a, l, extent[l]);
        if (kind == 0 || kind == 2 || kind == 3)
            push(b, l, extent[l]);
        if (kind < 3)
            push(c, l, extent[l]);
    }
    shuffle(a);
    shuffle(b);
    shuffle(c);
}

static inline void drop(operand *o)
{
    tl__aligned_free(o->memory);
}

#endif
