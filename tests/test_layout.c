/* test_layout.c -- strides against the elements they name. */
#include "core/layout.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* Offsets of all elements in row-major order. */
static int64_t *offsets(const tl_shape *s, const tl_layout *l)
{
    int64_t n = tl_shape_count(*s);
    int64_t *out = malloc(((size_t)n + 1) * sizeof *out);
    for (int64_t e = 0; e < n; e++) {
        int64_t rest = e;
        out[e] = l->offset;
        for (int a = s->rank - 1; a >= 0; a--) {
            out[e] += rest % s->dim[a] * l->stride[a];
            rest /= s->dim[a];
        }
    }
    return out;
}

static int same_elements(tl_shape s, tl_layout l, tl_shape s1, tl_layout l1)
{
    cr_assert_eq(tl_shape_count(s), tl_shape_count(s1));
    int64_t *x = offsets(&s, &l), *y = offsets(&s1, &l1), n = tl_shape_count(s);
    int same = 1;
    for (int64_t e = 0; e < n; e++)
        same &= x[e] == y[e];
    free(x);
    free(y);
    return same;
}

Test(layout, dense_is_row_major)
{
    tl_shape s = tl_shape3(2, 3, 4);
    tl_layout l = tl__layout_dense(&s);
    int64_t *x = offsets(&s, &l);
    for (int64_t e = 0; e < 24; e++)
        cr_assert_eq(x[e], e);
    free(x);
    cr_assert(tl__layout_is_dense(&s, &l));
    l.offset = 5;
    cr_assert(tl__layout_is_dense(&s, &l));
    l.stride[1] = 5;
    cr_assert_not(tl__layout_is_dense(&s, &l));
}

Test(layout, dense_ignores_axes_of_one_and_empty_values)
{
    tl_shape s = tl_shape3(2, 1, 4), scalar = tl_shape0(), empty = tl_shape2(0, 3);
    tl_layout l = {.stride = {4, 99, 1}}, none = {.stride = {7, 7}};
    cr_assert(tl__layout_is_dense(&s, &l));
    cr_assert(tl__layout_is_dense(&scalar, &none));
    cr_assert(tl__layout_is_dense(&empty, &none));
    tl_shape turned = tl_shape2(4, 2);
    tl_layout t = {.stride = {1, 4}};
    cr_assert_not(tl__layout_is_dense(&turned, &t));
}

Test(layout, broadcast_repeats)
{
    tl_shape from = tl_shape2(3, 1), to = tl_shape3(2, 3, 4);
    tl_layout in = {.offset = 10, .stride = {-2, 1}}, out;
    tl__layout_broadcast(&from, &in, &to, &out);
    int64_t *x = offsets(&to, &out);
    for (int64_t e = 0; e < 24; e++)
        cr_assert_eq(x[e], 10 - 2 * (e / 4 % 3));
    free(x);
    tl_shape scalar = tl_shape0();
    tl_layout one = {.offset = 3};
    tl__layout_broadcast(&scalar, &one, &to, &out);
    x = offsets(&to, &out);
    for (int64_t e = 0; e < 24; e++)
        cr_assert_eq(x[e], 3);
    free(x);
}

Test(layout, reshape_of_dense_values)
{
    const tl_shape shapes[] = {tl_shape1(24),        tl_shape2(4, 6),        tl_shape2(6, 4),
                               tl_shape3(2, 3, 4),   tl_shape4(1, 24, 1, 1), tl_shape3(1, 4, 6),
                               tl_shape4(2, 2, 2, 3)};
    for (int i = 0; i < 7; i++)
        for (int j = 0; j < 7; j++) {
            tl_layout in = tl__layout_dense(&shapes[i]), out;
            in.offset = 7;
            cr_assert_eq(tl__layout_reshape(&shapes[i], &in, &shapes[j], &out), 0);
            cr_assert(same_elements(shapes[i], in, shapes[j], out));
        }
    tl_shape s1 = tl_shape3(1, 1, 1), s0 = tl_shape0();
    tl_layout in = {.offset = 4, .stride = {9, 9, 9}}, out;
    cr_assert_eq(tl__layout_reshape(&s1, &in, &s0, &out), 0);
    cr_assert_eq(out.offset, 4);
    cr_assert_eq(tl__layout_reshape(&s0, &in, &s1, &out), 0);
    cr_assert_eq(out.offset, 4);
}

/* Every shape of 24 elements from every layout of another: when strides are found they name the
 * same elements, and a case that is known to have some is found. */
Test(layout, reshape_of_strided_values)
{
    tl_shape s = tl_shape3(4, 2, 3), t;
    tl_layout gap = {.stride = {10, 3, 1}}, turned = {.stride = {1, 12, 4}},
              reversed = {.offset = 23, .stride = {-6, -3, -1}};
    tl_layout repeated = {.stride = {0, 0, 0}}, out;
    t = tl_shape2(4, 6);
    cr_assert_eq(tl__layout_reshape(&s, &gap, &t, &out), 0); /* columns 0..5 of rows of 10 */
    cr_assert(same_elements(s, gap, t, out));
    t = tl_shape4(2, 2, 2, 3);
    cr_assert_eq(tl__layout_reshape(&s, &gap, &t, &out), 0);
    cr_assert(same_elements(s, gap, t, out));
    t = tl_shape1(24);
    cr_assert_eq(tl__layout_reshape(&s, &gap, &t, &out), 1);
    t = tl_shape2(8, 3);
    cr_assert_eq(tl__layout_reshape(&s, &gap, &t, &out), 1);
    t = tl_shape2(4, 6);
    cr_assert_eq(tl__layout_reshape(&s, &turned, &t, &out), 0); /* 12 = 3 * 4 is a run */
    cr_assert(same_elements(s, turned, t, out));
    t = tl_shape1(24);
    cr_assert_eq(tl__layout_reshape(&s, &turned, &t, &out), 1);
    cr_assert_eq(tl__layout_reshape(&s, &reversed, &t, &out), 0);
    cr_assert(same_elements(s, reversed, t, out));
    cr_assert_eq(tl__layout_reshape(&s, &repeated, &t, &out), 0);
    cr_assert(same_elements(s, repeated, t, out));
    srand(1);
    for (int trial = 0; trial < 2000; trial++) {
        const tl_shape all[] = {tl_shape1(24),        tl_shape2(4, 6),       tl_shape2(6, 4),
                                tl_shape3(2, 3, 4),   tl_shape4(1, 8, 3, 1), tl_shape4(2, 1, 4, 3),
                                tl_shape4(2, 2, 2, 3)};
        tl_shape from = all[rand() % 7], to = all[rand() % 7];
        tl_layout in = tl__layout_dense(&from);
        for (int a = 0; a < from.rank; a++)
            in.stride[a] *= rand() % 3;
        if (tl__layout_reshape(&from, &in, &to, &out) == 0)
            cr_assert(same_elements(from, in, to, out));
    }
}

Test(layout, reshape_of_nothing)
{
    tl_shape from = tl_shape3(0, 2, 3), to = tl_shape2(5, 0);
    tl_layout in = {.stride = {7, 7, 7}}, out;
    cr_assert_eq(tl__layout_reshape(&from, &in, &to, &out), 0);
}
