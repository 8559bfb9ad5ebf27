/* test_check_array.c -- arrays between margins: the layouts are what they are called, and what is
 * written beside the elements is found. */
#include "ops/check_array.h"

#include "tests/check.h"

#include <string.h>

static const double values[6] = {1, 2, 3, 4, 5, 6};

/* opened -- a [2,3] of the values, or of three twice, laid out so. */
static tl_check_array opened(tl_dtype dtype, int lay)
{
    static const double rows[6] = {1, 2, 3, 1, 2, 3};
    tl_check_array a;
    cr_assert_eq(tl__check_array_open(&a, dtype, tl_shape2(2, 3), lay,
                                      lay == TL_LAY_REPEATED ? rows : values),
                 TL_OK);
    return a;
}

Test(check_array, strides_are_those_of_the_layout)
{
    static const int64_t stride[][2] = {{3, 1}, {1, 2}, {14, 2}, {-3, -1}, {0, 1}};
    for (int lay = 0; lay <= TL_LAY_REPEATED; lay++) {
        tl_check_array a = opened(TL_F64, lay);
        const tl_strided s = tl__check_array_strided(&a);
        cr_expect(s.stride[0] == stride[lay][0] && s.stride[1] == stride[lay][1], "layout %d", lay);
        cr_expect_eq(((double *)s.data)[s.stride[1] * 2], 3.0);
        tl__check_array_close(&a);
    }
}

Test(check_array, elements_come_back_and_nothing_is_beside_them)
{
    for (int type = TL_F32; type <= TL_I32; type++)
        for (int lay = 0; lay < TL_LAY_REPEATED; lay++) {
            double back[6];
            tl_check_array a = opened((tl_dtype)type, lay);
            tl__check_array_read(&a, back);
            assert_allclose(6, back, values, 0, 0);
            cr_expect(!tl__check_array_spilled(&a), "type %d, layout %d", type, lay);
            tl__check_array_close(&a);
        }
}

Test(check_array, a_byte_beside_the_elements_is_found)
{
    tl_check_array a = opened(TL_F32, TL_LAY_SLICED);
    memset(a.data + sizeof(float), 0, 1); /* the gap behind the first */
    cr_assert(tl__check_array_spilled(&a));
    tl__check_array_close(&a);
    a = opened(TL_F32, TL_LAY_DENSE);
    memset(a.data - 1, 0, 1);
    cr_assert(tl__check_array_spilled(&a));
    tl__check_array_close(&a);
}

Test(check_array, what_lies_outside_is_known)
{
    tl_check_array a = opened(TL_F64, TL_LAY_DENSE);
    const tl_shape s = tl_shape2(2, 3);
    cr_assert(tl__check_array_holds(&a, 0, &s, a.stride));
    cr_assert(!tl__check_array_holds(&a, 0, &s, (int64_t[]){1000, 1}));
    cr_assert(!tl__check_array_holds(&a, 0, &s, (int64_t[]){3, -1000}));
    cr_assert(!tl__check_array_holds(&a, -1000, &s, a.stride));
    tl__check_array_close(&a);
}

Test(check_array, layouts_are_tried_where_they_differ)
{
    const tl_shape row = tl_shape2(1, 3), all = tl_shape2(2, 3), none = tl_shape2(0, 3),
                   scalar = tl_shape0();
    char text[48];
    cr_assert(tl__check_lay_suits(TL_LAY_TURNED, &all) &&
              !tl__check_lay_suits(TL_LAY_TURNED, &row));
    cr_assert(tl__check_lay_suits(TL_LAY_SLICED, &row) &&
              !tl__check_lay_suits(TL_LAY_SLICED, &none));
    cr_assert(!tl__check_lay_suits(TL_LAY_FLIPPED, &scalar));
    cr_assert(!tl__check_lay_suits(TL_LAY_REPEATED, &row));
    cr_assert(tl__check_lay_suits(TL_LAY_REPEATED + 1, &row));
    cr_assert_str_eq(tl__check_lay_text(TL_LAY_TURNED, text, sizeof text), "transposed");
    cr_assert_str_eq(tl__check_lay_text(TL_LAY_REPEATED + 2, text, sizeof text),
                     "broadcast along axis 2");
}
