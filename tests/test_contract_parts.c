/* test_contract_parts.c -- compiled contractions: cut into shares, run shorter than compiled, with
 * an operand packed before. */
#include "tests/contracttest.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static tl_contraction_def def_of(const operand *a, const operand *b, const operand *c,
                                 const tl_attr *attr)
{
    return (tl_contraction_def){.dtype = c->x.dtype,
                                .labels = attr,
                                .shape = {&a->shape, &b->shape, &c->shape},
                                .stride = {a->stride, b->stride, c->stride},
                                .time = TL_LABEL_NONE,
                                .split = TL_LABEL_BEST};
}

/* Puts a label in front, where the operand has it. */
static void lead(operand *o, int64_t label)
{
    for (int i = 1; i < o->shape.rank; i++)
        if (o->label[i] == label) {
            int64_t n = o->shape.dim[i];
            memmove(o->label + 1, o->label, (size_t)i * sizeof *o->label);
            memmove(o->shape.dim + 1, o->shape.dim, (size_t)i * sizeof *o->shape.dim);
            o->label[0] = label;
            o->shape.dim[0] = n;
        }
}

/* The same array with a label shorter. */
static operand shortened(const operand *o, int64_t label, int64_t extent)
{
    operand s = *o;
    for (int i = 0; i < s.shape.rank; i++)
        if (s.label[i] == label)
            s.shape.dim[i] = extent;
    return s;
}

/* Runs q part by part, each into an array of its own that holds 9 or NaN, and checks that every
 * element of the result gets its bits from one of them and the others leave it alone. */
static void check_parts(const tl_contraction *q, const void *a, const void *b, const operand *c,
                        const operand *want, const int64_t *extent, int add, int64_t time,
                        int parts, const char *what)
{
    size_t bytes = (size_t)c->size * tl_dtype_size(c->x.dtype);
    operand own[4];
    for (int p = 0; p < parts; p++) {
        own[p] = *c;
        own[p].memory = tl__aligned_alloc(bytes + 8);
        own[p].x.data = own[p].memory + c->start * (int64_t)tl_dtype_size(c->x.dtype);
        for (int64_t i = 0; i < c->size; i++)
            set(&own[p], i - c->start, add ? 9 : (double)NAN);
        cr_assert_eq(tl__contraction_run(q, a, b, add, own[p].x.data, time, p, parts), TL_OK);
    }
    int64_t index[LABELS] = {0};
    if (tl_shape_count(want->shape) > 0)
        do {
            int64_t at = position(c, index);
            int written = 0, right = 0;
            for (int p = 0; p < parts; p++) {
                double v = get(&own[p], at), w = get(want, at);
                written += add ? v != 9 : !isnan(v);
                right += v == w;
            }
            cr_assert(right >= 1 && (written == 1 || (add && written == 0)),
                      "%s, split %d: of %d parts %d write, %d rightly", what,
                      (int)tl__contraction_split(q), parts, written, right);
        } while (next(index, extent, labels_of(c)));
    for (int p = 0; p < parts; p++)
        tl__aligned_free(own[p].memory);
}

/* Whatever is cut, and with a label shorter than compiled, the bits of the plain call. */
Test(contract, parts_and_shorter_times_have_the_bits_of_the_whole)
{
    srand(11);
    tl_arena arena = {0};
    for (int trial = 0; trial < 1500; trial++) {
        operand a = {0}, b = {0}, c = {0};
        int64_t extent[LABELS], i[ATTR], time = trial % 3 ? rand() % LABELS : TL_LABEL_NONE;
        labels(&a, &b, &c, extent);
        lead(&a, time);
        lead(&b, time);
        lead(&c, time);
        tl_dtype d = trial % 2 ? TL_F32 : TL_F64;
        lay_out(&a, d, trial % 4 == 0, 1);
        lay_out(&b, d, trial % 4 == 0, 1);
        lay_out(&c, d, trial % 4 == 0, 0);
        draw(&a);
        draw(&b);
        int64_t now = time < 0 ? 0 : extent[time] == 0 ? 0 : 1 + rand() % extent[time];
        operand a1 = shortened(&a, time, now), b1 = shortened(&b, time, now),
                c1 = shortened(&c, time, now);
        if (time >= 0)
            extent[time] = now;
        int add = rand() % 2, split = rand() % (LABELS + 2) - 2;
        for (int64_t l = 0; l < c.size; l++)
            set(&c, l - c.start, 9);
        cr_assert_eq(contract(&a1, &b1, add, &c1), TL_OK);

        tl_attr attr = attr_of(&a, &b, &c, i);
        tl_contraction_def def = def_of(&a, &b, &c, &attr);
        def.time = time;
        def.split = split;
        tl_arena_mark mark = tl__arena_mark(&arena);
        const tl_contraction *q = tl__contraction_new(&arena, &def);
        cr_assert_not_null(q);
        for (int parts = 1; parts <= 4; parts++)
            check_parts(q, a.x.data, b.x.data, &c, &c1, extent, add, now, parts, "plain");
        tl__arena_release(&arena, mark);
        drop(&a);
        drop(&b);
        drop(&c);
    }
    tl__arena_close(&arena);
}

/* Compiles with operand `which` packed, if it may be, and checks parts. Returns whether. */
static int check_packed(operand *a, operand *b, operand *c, int64_t *extent, int which,
                        int64_t time, int64_t split)
{
    int64_t i[ATTR], k, n;
    tl_attr attr = attr_of(a, b, c, i);
    tl_contraction_def def = def_of(a, b, c, &attr);
    tl_matrix how;
    def.time = time;
    def.split = split;
    def.flags = which ? TL_CONTRACT_PACKED_B : TL_CONTRACT_PACKED_A;
    tl_arena arena = {0};
    const tl_contraction *q = tl__contraction_new(&arena, &def);
    if (!tl__contraction_packing(&def, which, &k, &n, &how)) {
        cr_assert_null(q);
        tl__arena_close(&arena);
        return 0;
    }
    cr_assert_not_null(q);
    void *panels = tl__aligned_alloc(tl__panels_bytes(c->x.dtype, k, n));
    how.data = which ? b->x.data : a->x.data;
    tl__panels_pack(c->x.dtype, k, n, how, panels);
    for (int add = 0; add < 2; add++) {
        for (int64_t l = 0; l < c->size; l++)
            set(c, l - c->start, 9);
        int64_t now = time < 0 ? 0 : (extent[time] + 1) / 2, whole = time < 0 ? 0 : extent[time];
        operand a1 = shortened(a, time, now), b1 = shortened(b, time, now),
                c1 = shortened(c, time, now);
        cr_assert_eq(contract(&a1, &b1, add, &c1), TL_OK);
        if (time >= 0)
            extent[time] = now;
        for (int parts = 1; parts <= 4; parts++)
            check_parts(q, which ? a->x.data : panels, which ? panels : b->x.data, c, &c1, extent,
                        add, now, parts, "packed");
        if (time >= 0)
            extent[time] = whole;
    }
    tl__aligned_free(panels);
    tl__arena_close(&arena);
    return 1;
}

/* z[t,b,g,h] = sum over i of x[t,b,i] w[g,h,i], either operand first: the weight comes packed. */
Test(contract, a_packed_operand_has_the_bits_of_a_plain_one)
{
    enum { STEP, ROW, GATE, UNIT, INPUT };
    if (tl__panels_bytes(TL_F32, 1, 1) == 0)
        return;
    srand(12);
    for (int trial = 0; trial < 200; trial++) {
        operand x = {0}, w = {0}, z = {0};
        int64_t extent[LABELS] = {1 + rand() % 4,  1 + rand() % 6,  1 + rand() % 4,
                                  3 + rand() % 30, 1 + rand() % 40, 1};
        push(&x, STEP, extent[STEP]);
        push(&x, ROW, extent[ROW]);
        push(&x, INPUT, extent[INPUT]);
        push(&w, GATE, extent[GATE]);
        push(&w, UNIT, extent[UNIT]);
        push(&w, INPUT, extent[INPUT]);
        push(&z, STEP, extent[STEP]);
        push(&z, ROW, extent[ROW]);
        push(&z, GATE, extent[GATE]);
        push(&z, UNIT, extent[UNIT]);
        tl_dtype d = trial % 2 ? TL_F32 : TL_F64;
        lay_out(&x, d, trial % 3 == 0, 1);
        lay_out(&w, d, 1, 1);
        lay_out(&z, d, 1, 0);
        draw(&x);
        draw(&w);
        int64_t time = trial % 4 ? STEP : TL_LABEL_NONE, split = rand() % 6 - 2;
        /* A cut inside the gates keeps them from being one axis; eight columns are the least. */
        int one = split != UNIT || extent[GATE] == 1;
        int may = one && extent[GATE] * extent[UNIT] >= 8;
        cr_assert_eq(check_packed(&x, &w, &z, extent, 1, time, split), may);
        cr_assert_eq(check_packed(&w, &x, &z, extent, 0, time, split), may);
        cr_assert_eq(check_packed(&x, &w, &z, extent, 0, time, split), 0, "x is on the other side");
        drop(&x);
        drop(&w);
        drop(&z);
    }
}

Test(contract, what_cannot_be_compiled_is_null)
{
    operand a = {0}, b = {0}, c = {0};
    int64_t i[ATTR];
    push(&a, 0, 4);
    push(&a, 1, 5);
    push(&b, 1, 5);
    push(&b, 2, 30);
    push(&c, 0, 4);
    push(&c, 2, 30);
    lay_out(&a, TL_I32, 1, 0);
    lay_out(&b, TL_I32, 1, 0);
    lay_out(&c, TL_I32, 1, 0);
    tl_attr attr = attr_of(&a, &b, &c, i);
    tl_contraction_def def = def_of(&a, &b, &c, &attr);
    tl_arena arena = {0};
    cr_assert_null(tl__contraction_new(&arena, &def));
    def.dtype = TL_F32;
    cr_assert_not_null(tl__contraction_new(&arena, &def));
    def.flags = TL_CONTRACT_PACKED_A;
    cr_assert_null(tl__contraction_new(&arena, &def));
    def.flags = TL_CONTRACT_PACKED_A | TL_CONTRACT_PACKED_B;
    cr_assert_null(tl__contraction_new(&arena, &def));
    def.flags = TL_CONTRACT_PACKED_B;
    def.time = 2;
    cr_assert_null(tl__contraction_new(&arena, &def));
    tl__fail_after(1);
    tl_arena fresh = {0};
    cr_assert_null(tl__contraction_new(&fresh, &def));
    tl__fail_after(0);
    tl__arena_close(&fresh);
    tl__arena_close(&arena);
    drop(&a);
    drop(&b);
    drop(&c);
}

/* The columns are cut when there are many, else the rows, else nothing. */
Test(contract, shares_are_cut_where_there_is_most)
{
    static const int64_t extents[][4] = {{32, 512, 2, 0}, {512, 8, 0, 0}, {1, 1, TL_LABEL_NONE, 0}};
    for (int trial = 0; trial < 3; trial++) {
        operand a = {0}, b = {0}, c = {0};
        int64_t i[ATTR];
        push(&a, 0, extents[trial][0]);
        push(&a, 1, 5);
        push(&b, 1, 5);
        push(&b, 2, extents[trial][1]);
        push(&c, 0, extents[trial][0]);
        push(&c, 2, extents[trial][1]);
        lay_out(&a, TL_F32, 1, 0);
        lay_out(&b, TL_F32, 1, 0);
        lay_out(&c, TL_F32, 1, 0);
        tl_attr attr = attr_of(&a, &b, &c, i);
        tl_contraction_def def = def_of(&a, &b, &c, &attr);
        tl_arena arena = {0};
        cr_assert_eq(tl__contraction_split(tl__contraction_new(&arena, &def)), extents[trial][2]);
        tl__arena_close(&arena);
        drop(&a);
        drop(&b);
        drop(&c);
    }
}
