/* test_shape.c -- extents, broadcasting, overflow, text. */
#include "core/shape.h"

#include <criterion/criterion.h>
#include <string.h>

Test(shape, construction)
{
    cr_assert_eq(tl_shape0().rank, 0);
    tl_shape s = tl_shape4(2, 3, 4, 5);
    cr_assert_eq(s.rank, 4);
    for (int a = 0; a < 4; a++)
        cr_assert_eq(s.dim[a], a + 2);
    for (int a = 4; a < TL_MAX_RANK; a++)
        cr_assert_eq(s.dim[a], 0);
    cr_assert(tl_shape_equal(tl_shape3(1, 2, 3), tl_shape_of_dims(3, (const int64_t[]){1, 2, 3})));
    const int64_t nine[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    cr_assert_eq(tl_shape_of_dims(8, nine).rank, 8);
    cr_assert_eq(tl_shape_of_dims(9, nine).rank, -1);
    cr_assert_eq(tl_shape_of_dims(-1, nine).rank, -1);
    cr_assert_eq(tl_shape_of_dims(0, NULL).rank, 0);
}

Test(shape, equality_looks_at_rank_and_extents)
{
    cr_assert(tl_shape_equal(tl_shape0(), tl_shape0()));
    cr_assert_not(tl_shape_equal(tl_shape0(), tl_shape1(1)));
    cr_assert_not(tl_shape_equal(tl_shape2(2, 3), tl_shape2(3, 2)));
}

Test(shape, count)
{
    cr_assert_eq(tl_shape_count(tl_shape0()), 1);
    cr_assert_eq(tl_shape_count(tl_shape3(2, 3, 4)), 24);
    cr_assert_eq(tl_shape_count(tl_shape2(0, 7)), 0);
    cr_assert_eq(tl_shape_count(tl_shape2(-1, 7)), -1);
    cr_assert_eq(tl_shape_count(tl_shape1(INT64_MAX / 8)), INT64_MAX / 8);
    cr_assert_eq(tl_shape_count(tl_shape1(INT64_MAX / 8 + 1)), -1);
    cr_assert_eq(tl_shape_count(tl_shape2(INT64_C(1) << 31, INT64_C(1) << 31)), -1);
    cr_assert_eq(tl_shape_count(tl_shape3(INT64_C(1) << 40, INT64_C(1) << 40, 0)), -1,
                 "strides would overflow");
    cr_assert_eq(tl_shape_count((tl_shape){.rank = -1}), -1);
    cr_assert_eq(tl_shape_count((tl_shape){.rank = 9}), -1);
}

Test(shape, broadcast)
{
    struct {
        tl_shape a, b, out;
    } good[] = {
        {tl_shape0(), tl_shape2(2, 3), tl_shape2(2, 3)},
        {tl_shape1(3), tl_shape2(2, 3), tl_shape2(2, 3)},
        {tl_shape2(2, 1), tl_shape2(1, 3), tl_shape2(2, 3)},
        {tl_shape3(4, 1, 1), tl_shape2(2, 3), tl_shape3(4, 2, 3)},
        {tl_shape2(0, 3), tl_shape2(1, 3), tl_shape2(0, 3)},
        {tl_shape1(1), tl_shape1(0), tl_shape1(0)},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        tl_shape out;
        cr_assert_eq(tl_shape_broadcast(good[i].a, good[i].b, &out), TL_OK);
        cr_assert(tl_shape_equal(out, good[i].out));
        cr_assert_eq(tl_shape_broadcast(good[i].b, good[i].a, &out), TL_OK);
        cr_assert(tl_shape_equal(out, good[i].out));
    }
    tl_shape out;
    cr_assert_eq(tl_shape_broadcast(tl_shape1(2), tl_shape1(3), &out), TL_ESHAPE);
    cr_assert_eq(tl_shape_broadcast(tl_shape2(2, 3), tl_shape2(3, 3), &out), TL_ESHAPE);
    cr_assert_eq(tl_shape_broadcast(tl_shape1(0), tl_shape1(3), &out), TL_ESHAPE);
    cr_assert_eq(tl_shape_broadcast(tl_shape1(3), tl_shape1(1), NULL), TL_OK);
    const tl_shape invalid[] = {{TL_MAX_RANK + 1, {0}}, {-1, {0}}};
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(tl_shape_broadcast(invalid[i], tl_shape1(1), &out), TL_ESHAPE);
        cr_assert_eq(tl_shape_broadcast(tl_shape1(1), invalid[i], &out), TL_ESHAPE);
    }
    cr_assert(!tl_shape_equal(invalid[0], invalid[0]));
}

Test(shape, dtypes)
{
    cr_assert_eq(tl_dtype_size(TL_F32), 4);
    cr_assert_eq(tl_dtype_size(TL_F64), 8);
    cr_assert_eq(tl_dtype_size(TL_I32), 4);
    cr_assert_str_eq(tl_dtype_name(TL_F32), "f32");
    cr_assert_str_eq(tl_dtype_name(TL_F64), "f64");
    cr_assert_str_eq(tl_dtype_name(TL_I32), "i32");
}

Test(shape, text)
{
    char text[TL_SHAPE_TEXT];
    cr_assert_str_eq(tl_shape_text(tl_shape0(), text, sizeof text), "[]");
    cr_assert_str_eq(tl_shape_text(tl_shape2(32, 128), text, sizeof text), "[32,128]");
    int64_t most[TL_MAX_RANK];
    for (int a = 0; a < TL_MAX_RANK; a++)
        most[a] = INT64_MIN;
    tl_shape_text(tl_shape_of_dims(TL_MAX_RANK, most), text, sizeof text);
    cr_assert_eq(text[strlen(text) - 1], ']', "TL_SHAPE_TEXT is too small: %s", text);
    char small[6];
    cr_assert_str_eq(tl_shape_text(tl_shape2(32, 128), small, sizeof small), "[32,1");
}

Test(shape, axes_count_from_both_ends)
{
    cr_assert_eq(tl__shape_axis(3, 0), 0);
    cr_assert_eq(tl__shape_axis(3, 2), 2);
    cr_assert_eq(tl__shape_axis(3, 3), -1);
    cr_assert_eq(tl__shape_axis(3, -1), 2);
    cr_assert_eq(tl__shape_axis(3, -3), 0);
    cr_assert_eq(tl__shape_axis(3, -4), -1);
    cr_assert_eq(tl__shape_axis(0, 0), -1);
}

Test(shape, sizes_multiply_with_a_check)
{
    size_t out;
    cr_assert_eq(tl__mul_size(3, 5, &out), 0);
    cr_assert_eq(out, 15);
    cr_assert_eq(tl__mul_size(SIZE_MAX, 1, &out), 0);
    cr_assert_eq(tl__mul_size(SIZE_MAX / 2 + 1, 2, &out), TL_ENOMEM);
}
