/* test_view.c -- other orders of the same elements, taking apart and putting together. */
#include "core/grad.h"
#include "ops/ops.h"
#include "tests/optest.h"

static tl_tape *tape;

static void tape_open(void)
{
    tape = tl_tape_new(NULL);
}

static void tape_close(void)
{
    tl_tape_free(tape);
}

TestSuite(view, .init = tape_open, .fini = tape_close);

/* count -- 0, 1, 2, ... in a shape. */
static tl_tensor count(tl_shape s)
{
    double v[64];
    for (int i = 0; i < 64; i++)
        v[i] = i;
    return tl_input_f64(tape, s, v);
}

Test(view, permute_against_a_plain_loop)
{
    const int order[3] = {2, 0, 1}, negative[3] = {-1, 0, -2};
    double want[24];
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++)
            for (int k = 0; k < 4; k++)
                want[(k * 2 + i) * 3 + j] = (i * 3 + j) * 4 + k;
    tl_tensor a = count(tl_shape3(2, 3, 4));
    expect_array(tl_permute(a, 3, order), tl_shape3(4, 2, 3), want);
    expect_array(tl_permute(a, 3, negative), tl_shape3(4, 2, 3), want);
    expect(tl_transpose(count(tl_shape2(2, 3)), 0, -1), tl_shape2(3, 2), 0, 3, 1, 4, 2, 5);
}

Test(view, the_identity_records_nothing)
{
    const int order[2] = {0, 1};
    tl_tensor a = count(tl_shape2(2, 3));
    cr_assert_eq(tl_permute(a, 2, order).slot, a.slot);
    cr_assert_eq(tl_pad(a, 0, 0, 0).slot, a.slot);
    cr_assert_eq(tl_concat(1, &a, 0).slot, a.slot);
    cr_assert_eq(tl_part(a, 0, 1, 0).slot, a.slot);
}

/* With one more leading axis the same attributes permute what stands behind it. */
Test(view, permute_and_flip_take_a_leading_axis_unchanged)
{
    const int64_t swap[2] = {2, 1}, second = 2;
    const tl_attr attr = {2, swap, 0, NULL}, back = {1, &second, 0, NULL};
    const tl_shape small = tl_shape2(3, 4), large = tl_shape3(5, 3, 4);
    const tl_dtype f32 = TL_F32;
    tl_infer q = {.op = &tl_op_permute,
                  .nin = 1,
                  .in = &large,
                  .in_dtype = &f32,
                  .attr = &attr,
                  .shape = large};
    cr_assert_eq(tl_op_permute.shape(&q), TL_OK);
    cr_assert(tl_shape_equal(q.shape, tl_shape3(5, 4, 3)));
    tl_layout in = tl__layout_dense(&large), out;
    cr_assert_eq(tl_op_permute.view(&attr, &large, &in, &q.shape, &out), 0);
    cr_assert_eq(out.stride[0], 12);
    cr_assert_eq(out.stride[1], 1);
    cr_assert_eq(out.stride[2], 4);
    in = tl__layout_dense(&small);
    cr_assert_eq(tl_op_flip.view(&back, &small, &in, &small, &out), 0);
    cr_assert_eq(out.offset, 8);
    cr_assert_eq(out.stride[0], -4);
    cr_assert_eq(out.stride[1], 1);
    in = tl__layout_dense(&large);
    cr_assert_eq(tl_op_flip.view(&back, &large, &in, &large, &out), 0);
    cr_assert_eq(out.offset, 8);
    cr_assert_eq(out.stride[0], 12);
    cr_assert_eq(out.stride[1], -4);
}

Test(view, flip)
{
    tl_tensor a = count(tl_shape2(2, 3));
    expect(tl_flip(a, 0), tl_shape2(2, 3), 3, 4, 5, 0, 1, 2);
    expect(tl_flip(a, -1), tl_shape2(2, 3), 2, 1, 0, 5, 4, 3);
    expect(tl_flip(tl_flip(a, 0), 1), tl_shape2(2, 3), 5, 4, 3, 2, 1, 0);
    expect(tl_flip(count(tl_shape2(0, 3)), 0), tl_shape2(0, 3), 0);
}

Test(view, axes_of_one)
{
    tl_tensor a = count(tl_shape3(2, 1, 3));
    expect(tl_squeeze(a, 1), tl_shape2(2, 3), 0, 1, 2, 3, 4, 5);
    expect(tl_squeeze(a, -2), tl_shape2(2, 3), 0, 1, 2, 3, 4, 5);
    cr_assert(tl_shape_equal(tl_shape_of(tl_expand_dims(a, 0)), tl_shape4(1, 2, 1, 3)));
    cr_assert(tl_shape_equal(tl_shape_of(tl_expand_dims(a, 2)), tl_shape4(2, 1, 1, 3)));
    cr_assert(tl_shape_equal(tl_shape_of(tl_expand_dims(a, -1)), tl_shape4(2, 1, 3, 1)));
    expect(tl_expand_dims(tl_scalar(tape, TL_F64, 4), 0), tl_shape1(1), 4);
}

Test(view, parts_and_elements)
{
    tl_tensor z = count(tl_shape2(2, 6)), out[2];
    expect(tl_chunk(z, 3, 0), tl_shape2(2, 2), 0, 1, 6, 7);
    expect(tl_chunk(z, 3, 2), tl_shape2(2, 2), 4, 5, 10, 11);
    expect(tl_part(z, 0, 2, 1), tl_shape2(1, 6), 6, 7, 8, 9, 10, 11);
    expect(tl_index(z, 0, 1), tl_shape1(6), 6, 7, 8, 9, 10, 11);
    expect(tl_index(z, 1, -1), tl_shape1(2), 5, 11);
    tl_unbind(z, 2, out);
    expect(out[0], tl_shape1(6), 0, 1, 2, 3, 4, 5);
    expect(out[1], tl_shape1(6), 6, 7, 8, 9, 10, 11);
}

Test(view, concat_stack_pad)
{
    tl_tensor t[3] = {count(tl_shape2(2, 1)), count(tl_shape2(2, 2)), count(tl_shape2(2, 0))};
    expect(tl_concat(3, t, 1), tl_shape2(2, 3), 0, 0, 1, 1, 2, 3);
    tl_tensor u[2] = {count(tl_shape1(2)), count(tl_shape1(2))};
    expect(tl_concat(2, u, 0), tl_shape1(4), 0, 1, 0, 1);
    expect(tl_stack(2, u, 0), tl_shape2(2, 2), 0, 1, 0, 1);
    expect(tl_stack(2, u, -1), tl_shape2(2, 2), 0, 0, 1, 1);
    expect(tl_pad(t[1], 1, 1, 2), tl_shape2(2, 5), 0, 0, 1, 0, 0, 0, 2, 3, 0, 0);
    expect(tl_pad(t[1], -2, 0, 1), tl_shape2(3, 2), 0, 1, 2, 3, 0, 0);
}

Test(view, many_pieces_and_integers)
{
    tl_tensor t[20];
    double want[20];
    for (int i = 0; i < 20; i++) {
        t[i] = tl_scalar(tape, TL_F64, i);
        want[i] = i;
    }
    expect_array(tl_stack(20, t, 0), tl_shape1(20), want);
    const int32_t v[2] = {1, 2};
    tl_tensor k[2] = {tl_input_i32(tape, tl_shape1(2), v), tl_input_i32(tape, tl_shape1(2), v)};
    expect_i32(tl_concat(2, k, 0), tl_shape1(4), 1, 2, 1, 2);
    expect_i32(tl_flip(k[0], 0), tl_shape1(2), 2, 1);
}

/* The gradient of a permuted, flipped, cut and padded tensor puts each number back where it came
 * from. */
Test(view, gradients_find_the_way_back)
{
    const int order[3] = {1, 2, 0};
    tl_tensor a = count(tl_shape3(2, 3, 4)), d;
    tl_tensor y = tl_permute(tl_flip(a, 1), 3, order);
    tl_tensor seed = tl_permute(tl_flip(count(tl_shape3(2, 3, 4)), 1), 3, order);
    double want[24];
    for (int i = 0; i < 24; i++)
        want[i] = i;
    cr_assert_eq(tl_grad(1, &y, &seed, 1, &a, &d), TL_OK);
    expect_array(d, tl_shape3(2, 3, 4), want);

    tl_tensor z = count(tl_shape2(2, 6)), part[3], g;
    for (int k = 0; k < 3; k++)
        part[k] = tl_chunk(z, 3, k);
    y = tl_pad(tl_concat(3, part, -1), 0, 1, 1);
    seed = tl_pad(z, 0, 1, 1);
    cr_assert_eq(tl_grad(1, &y, &seed, 1, &z, &g), TL_OK);
    expect_array(g, tl_shape2(2, 6), want);
}

Test(view, messages)
{
    const int twice[2] = {1, -1}, one[1] = {0};
    tl_tensor a = count(tl_shape2(2, 6)), out[3];
    tl_permute(a, 2, twice);
    expect_error(tape, TL_ESHAPE, "permute: got axis -1 of [2,6] twice");
    tl_permute(count(tl_shape2(2, 6)), 1, one);
    expect_error(tape, TL_ESHAPE, "permute: got 1 axes for [2,6], want all 2");
    tl_transpose(count(tl_shape2(2, 6)), 0, 2);
    expect_error(tape, TL_ESHAPE, "transpose: got axis 2 for [2,6], want one in [-2,2)");
    tl_squeeze(count(tl_shape2(2, 6)), 0);
    expect_error(tape, TL_ESHAPE, "squeeze: got axis 0 of [2,6], want one of extent 1");
    tl_chunk(count(tl_shape2(2, 6)), 4, 0);
    expect_error(tape, TL_ESHAPE, "chunk: got axis -1 of [2,6], want an extent that 4 divides");
    tl_part(count(tl_shape2(2, 6)), 1, 3, 3);
    expect_error(tape, TL_ERANGE, "part: got part 3 of 3, want 0 to 2");
    tl_index(count(tl_shape2(2, 6)), 0, 2);
    expect_error(tape, TL_ERANGE, "index: got element 2 of axis 0 of [2,6], want one in [-2,2)");
    tl_unbind(count(tl_shape2(2, 6)), 3, out);
    cr_assert_not(out[0].tape);
    expect_error(tape, TL_ESHAPE, "unbind: got 3 tensors for [2,6]");
    tl_tensor t[2] = {count(tl_shape2(2, 6)), count(tl_shape2(3, 6))};
    tl_concat(2, t, 1);
    expect_error(tape, TL_ESHAPE,
                 "concat: got [2,6] and, as piece 1, [3,6], want equal extents but along the axis");
    t[0] = count(tl_shape1(2));
    t[1] = tl_zeros(tape, TL_F32, tl_shape1(2));
    tl_stack(2, t, 0);
    expect_error(tape, TL_EDTYPE, "stack: got f64 and, as piece 1, f32, want one type");
    tl_pad(count(tl_shape1(2)), 0, -1, 0);
    expect_error(tape, TL_ERANGE, "pad: got -1 and 0");
    tl_expand_dims(count(tl_shape1(2)), 3);
    expect_error(tape, TL_ESHAPE, "expand_dims: got axis 3 for [2], want one in [-2,2)");
}
