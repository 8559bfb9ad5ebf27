/* test_effect.c -- what may be queued, and what is refused. Sequences of effects are in
 * test_life.c. */
#include "tapeloop.h"

#include <criterion/criterion.h>
#include <string.h>

Test(effect, an_assignment_of_another_shape_or_type_is_refused_by_name)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_params *set = tl_params_new(TL_F32);
    tl_param *p = tl_param_new(set, "w", tl_shape2(2, 3), NULL);
    tl_assign(p, tl_zeros(tape, TL_F32, tl_shape2(3, 2)));
    cr_assert_eq(tl_tape_status(tape), TL_ESHAPE);
    cr_assert(strstr(tl_tape_error(tape), "tl_assign: got f32 [3,2], but w is f32 [2,3]"), "%s",
              tl_tape_error(tape));
    tl_tape_reset(tape);
    tl_assign(p, tl_zeros(tape, TL_F64, tl_shape2(2, 3)));
    cr_assert_eq(tl_tape_status(tape), TL_EDTYPE);
    tl_tape_free(tape);
    tl_params_free(set);
}

Test(effect, effects_inside_a_scan_are_refused)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_params *set = tl_params_new(TL_F32);
    tl_param *p = tl_param_new(set, "w", tl_shape1(2), NULL);
    tl_scan_open(tape, 3, NULL);
    tl_assign(p, tl_use(tape, p));
    cr_assert_eq(tl_tape_status(tape), TL_EFRAME);
    cr_assert_eq(tl_tape_reset(tape), TL_OK); /* an error closes what was open */
    tl_scan_open(tape, 3, NULL);
    cr_assert_eq(tl_commit(tape), TL_EFRAME);
    tl_tape_free(tape);
    tl_params_free(set);
}

Test(effect, a_commit_of_nothing_is_fine)
{
    tl_tape *tape = tl_tape_new(NULL);
    cr_assert_eq(tl_commit(tape), TL_OK);
    cr_assert_eq(tl_commit(NULL), TL_EINVAL);
    tl_tape_free(tape);
}

Test(effect, a_constant_or_a_view_can_be_assigned)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_params *set = tl_params_new(TL_F32);
    tl_param *p = tl_param_new(set, "p", tl_shape2(3, 2), NULL);
    tl_state *s = tl_state_new(TL_F32, tl_shape1(2));
    const float v[6] = {1, 2, 3, 4, 5, 6};
    tl_tensor a = tl_input_f32(tape, tl_shape2(2, 3), v);
    tl_assign(p, tl_transpose(a, 0, 1));
    tl_keep(s, tl_ones(tape, TL_F32, tl_shape1(2)));
    cr_assert_eq(tl_commit(tape), TL_OK, "%s", tl_tape_error(tape));
    float out[6];
    double kept[2];
    cr_assert_eq(tl_param_get_f32(p, out, 6), TL_OK);
    cr_assert(out[0] == 1 && out[1] == 4 && out[5] == 6);
    cr_assert_eq(tl_state_get_f64(s, kept, 2), TL_OK);
    cr_assert(kept[0] == 1 && kept[1] == 1);
    tl_tape_free(tape);
    tl_state_free(s);
    tl_params_free(set);
}

Test(effect, a_state_reads_its_old_value_in_the_plan_that_writes_the_new_one)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_state *s = tl_state_new(TL_F64, tl_shape0()), *sum = tl_state_new(TL_F64, tl_shape0());
    for (int i = 0; i < 4; i++) {
        tl_tensor old = tl_state_use(tape, s);
        tl_keep(s, tl_add_scalar(old, 1.0));
        tl_keep(sum, tl_add(tl_state_use(tape, sum), old));
        cr_assert_eq(tl_commit(tape), TL_OK);
        tl_tape_reset(tape);
    }
    double v[2];
    tl_state_get_f64(s, &v[0], 1);
    tl_state_get_f64(sum, &v[1], 1);
    cr_assert(v[0] == 4 && v[1] == 0 + 1 + 2 + 3);
    tl_tape_free(tape);
    tl_state_free(s);
    tl_state_free(sum);
}
