/* test_space.c -- views, choice and checks: values, layouts, messages. */
#include "core/space.h"

#include "core/grad.h"
#include "core/scan.h"
#include "tests/check.h"

#include <math.h>

#define VALUES(...) ((const double[]){__VA_ARGS__})

/* count_up -- 0, 1, 2, ... in f64. */
static tl_tensor count_up(tl_tape *tape, tl_shape shape)
{
    double values[128];
    for (int i = 0; i < 128; i++)
        values[i] = i;
    return tl_input_f64(tape, shape, values);
}

Test(space, add_broadcasts)
{
    tl_tape *tape = check_tape(1);
    const tl_tensor column = count_up(tape, tl_shape2(2, 1)), row = count_up(tape, tl_shape1(3));
    const tl_tensor sum = tl_add(column, row);
    cr_assert(tl_shape_equal(tl_shape_of(sum), tl_shape2(2, 3)));
    assert_tensor(sum, 6, VALUES(0, 1, 2, 1, 2, 3), 0, 0);
    tl_tape_free(tape);
}

Test(space, where_chooses_and_lets_no_nan_through)
{
    tl_tape *tape = check_tape(1);
    const tl_tensor c = tl_input_f64(tape, tl_shape1(3), (const double[]){1, 0, CHECK_NAN});
    const tl_tensor k = tl_input_i32(tape, tl_shape1(3), (const int32_t[]){0, -1, 0});
    const tl_tensor a = tl_input_f64(tape, tl_shape1(3), (const double[]){1, CHECK_NAN, 3});
    const tl_tensor b =
        tl_input_f64(tape, tl_shape1(3), (const double[]){CHECK_NAN, 20, CHECK_NAN});
    assert_tensor(tl_where(c, a, b), 3, VALUES(1, 20, 3), 0, 0);
    assert_tensor(tl_where(k, b, a), 3, VALUES(1, 20, 3), 0, 0);
    tl_tensor chosen = tl_where(c, a, b), g[2];
    const tl_tensor by[] = {a, b};
    tl_grad(1, &chosen, NULL, 2, by, g);
    assert_tensor(g[0], 3, VALUES(1, 0, 1), 0, 0);
    assert_tensor(g[1], 3, VALUES(0, 1, 0), 0, 0);
    assert_ok(tape);
    tl_tape_free(tape);
}

/* Every pair of condition and value type, at lengths around a vector's. */
Test(space, where_kernels)
{
    static const tl_dtype pair[][2] = {
        {TL_F32, TL_F32}, {TL_F64, TL_F64}, {TL_I32, TL_I32}, {TL_I32, TL_F32}, {TL_I32, TL_F64}};
    for (int p = 0; p < 5; p++)
        for (int n = 1; n < 70; n++) {
            double storage[4][70];
            char *data[4];
            for (int k = 0; k < 4; k++)
                data[k] = (char *)storage[k];
            const tl_dtype d[] = {pair[p][0], pair[p][1], pair[p][1]};
            for (int k = 0; k < 3; k++)
                for (int i = 0; i < n; i++) {
                    const int value = k ? 100 * k + i : i % 3 - 1;
                    if (d[k] == TL_F32)
                        ((float *)data[k])[i] = (float)value;
                    else if (d[k] == TL_F64)
                        ((double *)data[k])[i] = value;
                    else
                        ((int32_t *)data[k])[i] = value;
                }
            const void *in[] = {data[0], data[1], data[2]};
            tl_op_where.tile(d, d[1])(n, data[3], in);
            for (int i = 0; i < n; i++) {
                const double got = d[1] == TL_F32   ? (double)((float *)data[3])[i]
                                   : d[1] == TL_F64 ? ((double *)data[3])[i]
                                                    : ((int32_t *)data[3])[i];
                cr_assert_eq(got, i % 3 - 1 ? 100 + i : 200 + i, "pair %d, element %d of %d", p, i,
                             n);
            }
        }
}

Test(space, reshape_and_its_open_axis)
{
    tl_tape *tape = check_tape(1);
    const tl_tensor a = count_up(tape, tl_shape3(2, 3, 4));
    cr_assert(tl_shape_equal(tl_shape_of(tl_reshape(a, tl_shape2(-1, 6))), tl_shape2(4, 6)));
    cr_assert(tl_shape_equal(tl_shape_of(tl_reshape(a, tl_shape1(-1))), tl_shape1(24)));
    cr_assert_eq(tl_reshape(a, tl_shape3(2, 3, 4)).slot, a.slot);
    /* of what is not in row-major order in memory */
    const tl_tensor cut = tl_slice(a, 2, 1, 2);
    assert_tensor(tl_reshape(cut, tl_shape2(3, 4)), 12,
                  VALUES(1, 2, 5, 6, 9, 10, 13, 14, 17, 18, 21, 22), 0, 0);
    const tl_tensor none = tl_slice(a, 0, 0, 0);
    cr_assert(tl_shape_equal(tl_shape_of(tl_reshape(none, tl_shape2(-1, 5))), tl_shape2(0, 5)));
    assert_ok(tape);
    tl_reshape(a, tl_shape2(5, -1));
    assert_fails(tape, TL_ESHAPE, "reshape: got [2,3,4] of 24 elements, want [5,-1]");
    tl_tape_free(tape);
}

Test(space, broadcast_to_repeats)
{
    tl_tape *tape = check_tape(1);
    const tl_tensor a = count_up(tape, tl_shape2(2, 1));
    assert_tensor(tl_broadcast_to(a, tl_shape3(2, 2, 2)), 8, VALUES(0, 0, 1, 1, 0, 0, 1, 1), 0, 0);
    tl_broadcast_to(a, tl_shape2(3, 2));
    assert_fails(tape, TL_ESHAPE, "broadcast_to: got [2,1], want a shape that repeats to [3,2]");
    tl_tape_reset(tape);
    tl_broadcast_to(count_up(tape, tl_shape2(2, 3)), tl_shape1(3));
    assert_fails(tape, TL_ESHAPE, "broadcast_to");
    tl_tape_free(tape);
}

Test(space, slice_is_a_view_of_one_axis)
{
    tl_tape *tape = check_tape(1);
    const tl_tensor a = count_up(tape, tl_shape2(3, 4));
    assert_tensor(tl_slice(a, 0, 1, 2), 8, VALUES(4, 5, 6, 7, 8, 9, 10, 11), 0, 0);
    assert_tensor(tl_slice(a, -1, 1, 2), 6, VALUES(1, 2, 5, 6, 9, 10), 0, 0);
    assert_tensor(tl_slice(tl_slice(a, 0, 2, 1), 1, 3, 1), 1, VALUES(11), 0, 0);
    cr_assert_eq(tl_slice(a, 1, 0, 4).slot, a.slot);
    assert_ok(tape);
    tl_slice(a, 1, 3, 2);
    assert_fails(tape, TL_ERANGE,
                 "slice: got 2 elements from 3 on, want a part of axis 1 of [3,4]");
    tl_tape_reset(tape);
    tl_slice(count_up(tape, tl_shape1(3)), 1, 0, 1);
    assert_fails(tape, TL_ERANGE, "slice: got axis 1 of [3]");
    tl_tape_reset(tape);
    tl_slice(count_up(tape, tl_shape1(3)), 0, INT64_MAX, INT64_MAX);
    assert_fails(tape, TL_ERANGE, "slice");
    tl_tape_free(tape);
}

Test(space, check_range_passes_values_or_names_the_element)
{
    tl_tape *tape = check_tape(1);
    const tl_tensor k = tl_input_i32(tape, tl_shape1(3), (const int32_t[]){0, 5, 2});
    assert_tensor(tl_check_range(k, 0, 5), 3, VALUES(0, 5, 2), 0, 0);
    int32_t out[3];
    cr_assert_eq(tl_read_i32(tl_check_range(k, 0, 4), out, 3), TL_ERANGE);
    assert_fails(tape, TL_ERANGE, "got 5 as element 1, want 0 to 4");
    tl_tape_reset(tape);
    tl_check_range(count_up(tape, tl_shape1(3)), 0, 4);
    assert_fails(tape, TL_EDTYPE, "check_range: got f64, want i32");
    tl_tape_free(tape);
}

Test(space, a_value_of_a_closed_body_is_refused_by_views_too)
{
    tl_tape *tape = check_tape(1);
    const tl_scan s = tl_scan_open(tape, 2, NULL);
    const tl_tensor h = tl_scan_carry(s, count_up(tape, tl_shape1(3)));
    tl_scan_next(s, h, h);
    tl_scan_close(s);
    tl_reshape(h, tl_shape2(3, 1));
    assert_fails(tape, TL_EFRAME, "reshape");
    tl_tape_free(tape);
}
