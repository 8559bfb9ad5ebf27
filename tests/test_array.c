/* test_array.c -- blocks of memory, the caller's and their own, on their way to the tape. */
#include "core/memory.h"
#include "data/array.h"

#include <criterion/criterion.h>
#include <string.h>

static const float F[6] = {1, 2, 3, 4, 5, 6};
static const double D[2] = {0.5, -1e-300};
static const int32_t I[3] = {-1, 0, 7};

Test(array, each_type_reaches_the_tape)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_array f = tl_array_f32(tl_shape2(2, 3), F), d = tl_array_f64(tl_shape1(2), D),
             i = tl_array_i32(tl_shape1(3), I);
    float f_back[6];
    double d_back[2];
    int32_t i_back[3];
    tl_tensor t = tl_array_input(tape, &f);
    cr_assert(tl_shape_equal(tl_shape_of(t), tl_shape2(2, 3)));
    cr_assert_eq(tl_read_f32(t, f_back, 6), TL_OK, "%s", tl_tape_error(tape));
    cr_assert_eq(memcmp(f_back, F, sizeof F), 0);
    cr_assert_eq(tl_read_f64(tl_array_input(tape, &d), d_back, 2), TL_OK);
    cr_assert_eq(memcmp(d_back, D, sizeof D), 0);
    cr_assert_eq(tl_read_i32(tl_array_borrow(tape, &i), i_back, 3), TL_OK,
                 "the caller's memory is copied, not borrowed");
    cr_assert_eq(memcmp(i_back, I, sizeof I), 0);
    tl_tape_free(tape);
}

Test(array, a_borrowed_array_is_not_copied)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_array a = {0};
    float back[6];
    cr_assert_eq(tl_array_resize(&a, TL_F32, tl_shape1(6)), TL_OK);
    tl_tensor t = tl_array_borrow(tape, &a), copy = tl_array_input(tape, &a);
    memcpy(a.data, F, sizeof F);
    cr_assert_eq(tl_read_f32(t, back, 6), TL_OK);
    cr_assert_eq(memcmp(back, F, sizeof F), 0);
    memset(a.data, 0, sizeof F);
    cr_assert(tl_tensor_ok(copy));
    tl_tape_free(tape);
    tl_array_close(&a);
    cr_assert_null(a.data);
    tl_array_close(NULL);
}

Test(array, resizing_uses_what_it_has)
{
    tl_array a = {0};
    cr_assert_eq(tl_array_resize(&a, TL_F32, tl_shape2(4, 4)), TL_OK);
    void *data = a.data;
    cr_assert_eq((uintptr_t)data % 64, 0);
    cr_assert_eq(tl_array_resize(&a, TL_F64, tl_shape2(2, 4)), TL_OK);
    cr_assert_eq(a.data, data);
    cr_assert_eq(a.dtype, TL_F64);
    cr_assert_eq(tl_array_resize(&a, TL_I32, tl_shape2(0, 4)), TL_OK);
    cr_assert_eq(a.data, data);
    cr_assert_eq(tl_array_resize(&a, TL_F32, tl_shape1(-1)), TL_ESHAPE);
    tl__fail_after(1);
    cr_assert_eq(tl_array_resize(&a, TL_F32, tl_shape1(1000)), TL_ENOMEM);
    tl__fail_after(0);
    cr_assert(a.data == data && a.shape.rank == 2);
    tl_array_close(&a);
    cr_assert_eq(tl_array_resize(&a, TL_F32, tl_shape1(0)), TL_OK);
    cr_assert_not_null(a.data, "there is an array, of no elements");
    tl_array_close(&a);
}

Test(array, an_empty_array_is_an_error_on_the_tape)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_array none = {0};
    cr_assert_null(tl_array_input(tape, &none).tape);
    cr_assert_eq(tl_tape_status(tape), TL_EINVAL);
    cr_assert_not_null(strstr(tl_tape_error(tape), "tl_array_input"), "%s", tl_tape_error(tape));
    cr_assert_null(tl_array_input(NULL, &none).tape);
    tl_tape_free(tape);
}
