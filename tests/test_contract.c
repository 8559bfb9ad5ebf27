/* test_contract.c -- contractions with random labels and layouts against plain loops. */
#include "core/gemm.h"

#include "core/memory.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

static void push(operand *o, int64_t label, int64_t extent)
{
    o->label[o->shape.rank] = label;
    o->shape.dim[o->shape.rank++] = extent;
}

static void shuffle(operand *o)
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

static void lay_out(operand *o, tl_dtype d, int dense, int readable)
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

static double get(const operand *o, int64_t i)
{
    return o->x.dtype == TL_F64 ? ((const double *)o->x.data)[i]
                                : (double)((const float *)o->x.data)[i];
}

static void set(operand *o, int64_t i, double v)
{
    if (o->x.dtype == TL_F64)
        ((double *)o->x.data)[i] = v;
    else
        ((float *)o->x.data)[i] = (float)v;
}

static int64_t position(const operand *o, const int64_t *index)
{
    int64_t p = 0;
    for (int i = 0; i < o->shape.rank; i++)
        p += index[o->label[i]] * o->stride[i];
    return p;
}

/* Steps the index over the labels in `over` (bits); 0 after the last. */
static int next(int64_t *index, const int64_t *extent, unsigned over)
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

static unsigned labels_of(const operand *o)
{
    unsigned set = 0;
    for (int i = 0; i < o->shape.rank; i++)
        set |= 1u << o->label[i];
    return set;
}

static int contract(operand *a, operand *b, int add, operand *c)
{
    int64_t i[3 * (TL_MAX_RANK + 1)];
    int n = 0;
    operand *const all[3] = {a, b, c};
    for (int o = 0; o < 3; o++) {
        i[n++] = all[o]->shape.rank;
        for (int x = 0; x < all[o]->shape.rank; x++)
            i[n++] = all[o]->label[x];
    }
    tl_attr attr = {.ni = n, .i = i};
    return tl__contract(&attr, &a->x, &b->x, add, &c->x);
}

static void draw(operand *o)
{
    for (int64_t i = 0; i < o->size; i++)
        set(o, i - o->start, rand() % 2001 / 1000.0 - 1);
}

/* Random labels: each is batch, m, n or k. */
static void labels(operand *a, operand *b, operand *c, int64_t *extent)
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

static void drop(operand *o)
{
    tl__aligned_free(o->memory);
}

Test(contract, agrees_with_plain_loops)
{
    srand(5);
    for (int trial = 0; trial < 3000; trial++) {
        operand a = {0}, b = {0}, c = {0};
        int64_t extent[LABELS];
        labels(&a, &b, &c, extent);
        tl_dtype d = trial % 2 ? TL_F32 : TL_F64;
        lay_out(&a, d, trial % 3 == 0, 1);
        lay_out(&b, d, trial % 3 == 0, 1);
        lay_out(&c, d, trial % 3 == 0, 0);
        draw(&a);
        draw(&b);
        int add = rand() % 2;
        if (add)
            draw(&c);
        else
            for (int64_t i = 0; i < c.size; i++)
                set(&c, i - c.start, (double)NAN);
        unsigned outer = labels_of(&c), inner = (labels_of(&a) | labels_of(&b)) & ~outer;
        int64_t index[LABELS] = {0};
        int empty_outer = 0, empty_inner = 0;
        for (int l = 0; l < LABELS; l++) {
            if (outer >> l & 1)
                empty_outer |= extent[l] == 0;
            if (inner >> l & 1)
                empty_inner |= extent[l] == 0;
        }
        static double want[6 * 6 * 6 * 6 * 6 * 6]; /* all labels in the result */
        size_t n = 0;
        if (!empty_outer)
            do {
                double s = add ? get(&c, position(&c, index)) : 0;
                if (!empty_inner)
                    do
                        s += get(&a, position(&a, index)) * get(&b, position(&b, index));
                    while (next(index, extent, inner));
                cr_assert(n < sizeof want / sizeof *want);
                want[n++] = s;
            } while (next(index, extent, outer));
        cr_assert_eq(contract(&a, &b, add, &c), TL_OK);
        n = 0;
        memset(index, 0, sizeof index);
        if (!empty_outer)
            do {
                double v = get(&c, position(&c, index));
                cr_assert(fabs(v - want[n]) <= (d == TL_F64 ? 1e-12 : 2e-4),
                          "trial %d: %g, want %g", trial, v, want[n]);
                n++;
            } while (next(index, extent, outer));
        drop(&a);
        drop(&b);
        drop(&c);
    }
}

/* The same numbers in other layouts give the same bits. */
Test(contract, bits_do_not_depend_on_layouts)
{
    srand(6);
    for (int trial = 0; trial < 1500; trial++) {
        operand a = {0}, b = {0}, c = {0};
        int64_t extent[LABELS];
        labels(&a, &b, &c, extent);
        tl_dtype d = trial % 2 ? TL_F32 : TL_F64;
        operand a1 = a, b1 = b, c1 = c;
        lay_out(&a, d, 1, 0);
        lay_out(&b, d, 1, 0);
        lay_out(&c, d, 1, 0);
        lay_out(&a1, d, 0, 0);
        lay_out(&b1, d, 0, 0);
        lay_out(&c1, d, 0, 0);
        draw(&a);
        draw(&b);
        operand *const from[2] = {&a, &b}, *const to[2] = {&a1, &b1};
        for (int o = 0; o < 2; o++) {
            int64_t index[LABELS] = {0};
            do
                set(to[o], position(to[o], index), get(from[o], position(from[o], index)));
            while (tl_shape_count(from[o]->shape) > 0 && next(index, extent, labels_of(from[o])));
        }
        cr_assert_eq(contract(&a, &b, 0, &c), TL_OK);
        cr_assert_eq(contract(&a1, &b1, 0, &c1), TL_OK);
        int64_t index[LABELS] = {0};
        if (tl_shape_count(c.shape) > 0)
            do
                cr_assert(get(&c, position(&c, index)) == get(&c1, position(&c1, index)),
                          "trial %d", trial);
            while (next(index, extent, labels_of(&c)));
        drop(&a);
        drop(&b);
        drop(&c);
        drop(&a1);
        drop(&b1);
        drop(&c1);
    }
}

Test(contract, no_integers)
{
    operand a = {0}, b = {0}, c = {0};
    push(&a, 0, 2);
    push(&b, 0, 2);
    lay_out(&a, TL_I32, 1, 0);
    lay_out(&b, TL_I32, 1, 0);
    lay_out(&c, TL_I32, 1, 0);
    cr_assert_eq(contract(&a, &b, 0, &c), TL_EDTYPE);
    drop(&a);
    drop(&b);
    drop(&c);
}

/* Every allocation that can fail does, and gives the code. */
Test(contract, memory_runs_out_with_a_code)
{
    operand a = {0}, b = {0}, c = {0};
    push(&a, 0, 50);
    push(&a, 1, 40);
    push(&a, 2, 30);
    push(&b, 2, 30);
    push(&b, 1, 40);
    push(&b, 3, 50);
    push(&c, 0, 50);
    push(&c, 3, 50);
    lay_out(&a, TL_F32, 1, 0);
    lay_out(&b, TL_F32, 1, 0);
    lay_out(&c, TL_F32, 1, 0);
    draw(&a);
    draw(&b);
    int n = 1;
    for (;; n++) {
        tl__fail_after(n);
        int code = contract(&a, &b, 0, &c);
        if (code == TL_OK)
            break;
        cr_assert_eq(code, TL_ENOMEM);
        cr_assert(n < 10);
    }
    tl__fail_after(0);
    cr_assert(n > 1, "the summed axes of b do not merge, so it is copied");
    drop(&a);
    drop(&b);
    drop(&c);
}
