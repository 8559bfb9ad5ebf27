/* test_leaf.c -- inputs, constants, uses: what they copy, what they refuse. */
#include "tapeloop.h"

#include <criterion/criterion.h>
#include <string.h>

Test(leaf, an_input_is_copied_at_the_call)
{
    tl_tape *tape = tl_tape_new(NULL);
    float v[2] = {1, 2}, out[2];
    tl_tensor a = tl_input_f32(tape, tl_shape1(2), v);
    v[0] = 9;
    cr_assert_eq(tl_read_f32(tl_scale(a, 1.0), out, 2), TL_OK);
    cr_assert_eq(out[0], 1.0f);
    tl_tape_free(tape);
}

Test(leaf, a_borrowed_input_is_the_callers_array)
{
    tl_tape *tape = tl_tape_new(NULL);
    double v[2 + 8] = {1, 2}, out[2];
    tl_tensor a = tl_input_borrow(tape, TL_F64, tl_shape1(2), v);
    v[0] = 9;
    cr_assert_eq(tl_read_f64(tl_scale(a, 1.0), out, 2), TL_OK);
    cr_assert_eq(out[0], 9.0);
    tl_tape_free(tape);
}

Test(leaf, assigning_a_borrowed_input_copies_it)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_params *set = tl_params_new(TL_F64);
    tl_param *p = tl_param_new(set, "p", tl_shape1(2), NULL);
    double v[2 + 8] = {1, 2}, out[2];
    tl_assign(p, tl_input_borrow(tape, TL_F64, tl_shape1(2), v));
    cr_assert_eq(tl_commit(tape), TL_OK);
    v[0] = 9;
    cr_assert_eq(tl_param_get_f64(p, out, 2), TL_OK);
    cr_assert_eq(out[0], 1.0);
    tl_tape_free(tape);
    tl_params_free(set);
}

Test(leaf, bad_inputs_are_refused)
{
    tl_tape *tape = tl_tape_new(NULL);
    const float v[2] = {1, 2};
    tl_input_f32(tape, tl_shape1(-1), v);
    cr_assert_eq(tl_tape_status(tape), TL_ESHAPE);
    tl_tape_reset(tape);
    tl_input_f32(tape, tl_shape1(2), NULL);
    cr_assert_eq(tl_tape_status(tape), TL_EINVAL);
    tl_tape_reset(tape);
    tl_input_f32(tape, tl_shape_of_dims(9, (const int64_t[]){1, 1, 1, 1, 1, 1, 1, 1, 1}), v);
    cr_assert_eq(tl_tape_status(tape), TL_ESHAPE);
    tl_tape_reset(tape);
    tl_input_f32(tape, tl_shape2(INT64_C(1) << 40, INT64_C(1) << 40), v);
    cr_assert_eq(tl_tape_status(tape), TL_ESHAPE);
    tl_tape_free(tape);
}

Test(leaf, rank_eight_works)
{
    tl_tape *tape = tl_tape_new(NULL);
    const int64_t dim[8] = {1, 2, 1, 2, 1, 2, 1, 2};
    tl_tensor a = tl_ones(tape, TL_F64, tl_shape_of_dims(8, dim));
    cr_assert_eq(tl_item(tl_sum_all(tl_add(a, a))), 32.0);
    tl_tape_free(tape);
}

Test(leaf, a_wrong_binding_is_refused)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_params *set = tl_params_new(TL_F32);
    tl_param *p = tl_param_new(set, "encoder.w", tl_shape2(2, 3), NULL);
    tl_bind(tape, p, tl_zeros(tape, TL_F32, tl_shape2(3, 2)));
    cr_assert_eq(tl_tape_status(tape), TL_ESHAPE);
    cr_assert(strstr(tl_tape_error(tape), "encoder.w") && strstr(tl_tape_error(tape), "[3,2]") &&
                  strstr(tl_tape_error(tape), "[2,3]"),
              "%s", tl_tape_error(tape));
    tl_tape_reset(tape);
    tl_bind(tape, p, tl_zeros(tape, TL_F64, tl_shape2(2, 3)));
    cr_assert_eq(tl_tape_status(tape), TL_EDTYPE);
    tl_tape_free(tape);
    tl_params_free(set);
}

Test(leaf, a_use_inside_a_scan_belongs_to_the_outermost_frame)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_params *set = tl_params_new(TL_F32);
    tl_param *p = tl_param_new(set, "w", tl_shape1(2), NULL);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor w = tl_use(tape, p);
    tl_tensor h = tl_scan_carry(s, tl_zeros(tape, TL_F32, tl_shape1(2)));
    tl_scan_next(s, h, tl_add(h, w));
    tl_scan_close(s);
    cr_assert_eq(tl_use(tape, p).slot, w.slot);
    float out[2];
    cr_assert_eq(tl_read_f32(w, out, 2), TL_OK, "%s", tl_tape_error(tape));
    tl_tape_free(tape);
    tl_params_free(set);
}

Test(leaf, a_new_parameter_at_a_freed_ones_address_is_another_one)
{
    tl_tape *tape = tl_tape_new(NULL);
    for (int round = 0; round < 4; round++) {
        tl_params *set = tl_params_new(TL_F64);
        tl_param *p = tl_param_new(set, "p", tl_shape1(2), NULL);
        const double value[2] = {round, round};
        double out[2];
        cr_assert_eq(tl_param_set_f64(p, value, 2), TL_OK);
        cr_assert_eq(tl_read_f64(tl_use(tape, p), out, 2), TL_OK);
        cr_assert_eq(out[1], (double)round);
        tl_params_free(set);
    }
    tl_tape_free(tape);
}
