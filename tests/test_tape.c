/* test_tape.c -- marks, scopes, modes, the sticky error. Stories about values are in test_life.c.
 */
#include "tapeloop.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

Test(tape, an_error_sticks_until_reset)
{
    tl_tape *tape = tl_tape_new(NULL);
    const float v[6] = {1, 2, 3, 4, 5, 6};
    tl_tensor a = tl_input_f32(tape, tl_shape2(2, 3), v);
    tl_tensor bad = tl_matmul(a, a);
    cr_assert_eq(tl_tape_status(tape), TL_ESHAPE);
    cr_assert_null(bad.tape);
    char first[500];
    strcpy(first, tl_tape_error(tape));
    tl_add(a, tl_input_i32(tape, tl_shape1(1), (const int32_t[]){1}));
    cr_assert_str_eq(tl_tape_error(tape), first);
    float out[6];
    cr_assert_eq(tl_read_f32(a, out, 6), TL_ESHAPE);
    cr_assert_eq(tl_commit(tape), TL_ESHAPE);
    cr_assert(isnan(tl_item(a)));
    cr_assert_eq(tl_tape_reset(tape), TL_OK);
    cr_assert_eq(tl_tape_status(tape), TL_OK);
    cr_assert_str_eq(tl_tape_error(tape), "");
    tl_tape_free(tape);
}

Test(tape, a_message_names_scope_operation_and_shapes)
{
    tl_tape *tape = tl_tape_new(NULL);
    float v[12] = {0};
    tl_scope_open(tape, "lstm");
    tl_scope_open(tape, "step");
    tl_matmul(tl_input_f32(tape, tl_shape2(3, 4), v), tl_input_f32(tape, tl_shape2(2, 6), v));
    const char *m = tl_tape_error(tape);
    cr_assert(strstr(m, "lstm/step: "), "%s", m);
    cr_assert(strstr(m, "matmul"), "%s", m);
    cr_assert(strstr(m, "[3,4]") && strstr(m, "[2,6]"), "%s", m);
    tl_tape_free(tape);
}

Test(tape, a_scope_with_a_slash_is_one)
{
    tl_tape *tape = tl_tape_new(NULL);
    const tl_tensor x = tl_ones(tape, TL_F32, tl_shape1(2));
    const char *const want[] = {"net/encoder/l0", "net", "net/encoder", "net/encoder/l0"};
    tl_tensor y[4];
    tl_scope_open(tape, "net");
    tl_scope_open(tape, "encoder/l0");
    y[0] = tl_tanh(x);
    tl_scope_close(tape);
    y[1] = tl_tanh(x);
    tl_scope_open(tape, "encoder");
    y[2] = tl_tanh(x);
    tl_scope_open(tape, "l0");
    y[3] = tl_tanh(x);
    for (int k = 0; k < 3; k++)
        tl_scope_close(tape);
    for (int k = 0; k < 4; k++)
        cr_expect_str_eq(tl_tensor_scope(y[k]), want[k]);
    cr_assert_eq(tl_tape_status(tape), TL_OK);
    cr_assert_str_eq(tl_tensor_scope(tl_tanh(x)), "");
    tl_tape_free(tape);
}

Test(tape, scopes_nest_and_close)
{
    tl_tape *tape = tl_tape_new(NULL);
    for (int round = 0; round < 3; round++) {
        tl_scope_open(tape, "a");
        tl_scope_open(tape, "b");
        tl_scope_close(tape);
        tl_scope_open(tape, "bb");
        tl_scope_close(tape);
        tl_scope_close(tape);
    }
    cr_assert_eq(tl_tape_status(tape), TL_OK);
    tl_scope_close(tape);
    cr_assert_eq(tl_tape_status(tape), TL_ESTATE);
    tl_tape_free(tape);
}

Test(tape, operands_of_two_tapes_are_an_error_on_both)
{
    tl_tape *a = tl_tape_new(NULL), *b = tl_tape_new(NULL);
    tl_tensor x = tl_scalar(a, TL_F32, 1.0), y = tl_scalar(b, TL_F32, 2.0);
    tl_add(x, y);
    cr_assert_eq(tl_tape_status(a), TL_ETAPE);
    cr_assert_eq(tl_tape_status(b), TL_ETAPE);
    tl_tape_free(a);
    tl_tape_free(b);
}

Test(tape, inert_operands_give_inert_results)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor none = {0}, x = tl_scalar(tape, TL_F32, 1.0);
    cr_assert_null(tl_tanh(none).tape);
    cr_assert_null(tl_detach(none).tape);
    cr_assert_eq(tl_tape_status(tape), TL_OK);
    cr_assert_eq(tl_eval(1, &none), TL_EINVAL);
    cr_assert_null(tl_add(none, x).tape); /* among others it is a mistake, and they have a tape */
    cr_assert_eq(tl_tape_status(tape), TL_EINVAL);
    cr_assert_eq(tl_shape_of(none).rank, 0);
    cr_assert_null(tl_scalar(NULL, TL_F32, 1.0).tape);
    tl_tape_free(tape);
    tl_tape_free(NULL);
}

Test(tape, draws_are_numbered_and_replay)
{
    tl_tape_opts opts = tl_tape_defaults();
    opts.seed = 7;
    tl_tape *tape = tl_tape_new(&opts);
    float a[8], b[8], c[8];
    uint64_t at = tl_draws(tape);
    cr_assert_eq(tl_read_f32(tl_randn(tape, TL_F32, tl_shape1(8)), a, 8), TL_OK);
    cr_assert_eq(tl_tape_reset(tape), TL_OK);
    cr_assert_eq(tl_read_f32(tl_randn(tape, TL_F32, tl_shape1(8)), b, 8), TL_OK);
    cr_assert_neq(memcmp(a, b, sizeof a), 0); /* the counter survives reset */
    tl_set_draws(tape, at);
    cr_assert_eq(tl_read_f32(tl_randn(tape, TL_F32, tl_shape1(8)), c, 8), TL_OK);
    cr_assert_eq(memcmp(a, c, sizeof a), 0);
    tl_tape_free(tape);
}

Test(tape, training_mode_is_on_at_first)
{
    tl_tape *tape = tl_tape_new(NULL);
    cr_assert(tl_is_train(tape));
    tl_train(tape, 0);
    cr_assert(!tl_is_train(tape));
    tl_tape_free(tape);
}

Test(tape, reset_inside_an_open_scan_or_no_grad_is_refused)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_no_grad_open(tape);
    cr_assert_eq(tl_tape_reset(tape), TL_ESTATE);
    tl_no_grad_close(tape);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    cr_assert_eq(tl_tape_reset(tape), TL_ESTATE);
    cr_assert_eq(tl_tape_release(tape, 0), TL_ESTATE);
    tl_scan_close(s);
    cr_assert_eq(tl_tape_reset(tape), TL_OK);
    cr_assert_eq(tl_tape_release(tape, 5), TL_EINVAL);
    tl_no_grad_close(tape);
    cr_assert_eq(tl_tape_status(tape), TL_ESTATE);
    tl_tape_free(tape);
}

/* ---- walking over what was recorded ---------------------------------------------------------- */

Test(tape, a_node_says_what_it_was_recorded_as)
{
    tl_tape *tape = tl_tape_new(NULL);
    const float v[6] = {1, 2, 3, 4, 5, 6};
    tl_input_f32(tape, tl_shape1(6), v);
    uint32_t mark = tl_tape_mark(tape);
    tl_scope_open(tape, "lstm");
    tl_scope_open(tape, "step");
    tl_tensor y = tl_name(tl_tanh(tl_tape_at(tape, 0)), "y");
    tl_scope_close(tape);
    tl_scope_close(tape);
    cr_assert_eq(tl_tape_nodes(tape), mark + 1);
    tl_tensor same = tl_tape_at(tape, mark);
    cr_assert(same.tape == y.tape && same.slot == y.slot && same.generation == y.generation);
    cr_assert_str_eq(tl_tensor_op(same), "tanh");
    cr_assert_str_eq(tl_tensor_name(same), "y");
    cr_assert_str_eq(tl_tensor_scope(same), "lstm/step");
    cr_assert_str_eq(tl_tensor_name(tl_tape_at(tape, 0)), "");
    cr_assert_str_eq(tl_tensor_scope(tl_tape_at(tape, 0)), "");
    tl_tape_reset(tape);
    cr_assert_str_eq(tl_tensor_op(y), "");
    cr_assert_str_eq(tl_tensor_name(y), "");
    cr_assert_str_eq(tl_tensor_scope(y), "");
    cr_assert_str_eq(tl_tensor_op((tl_tensor){0}), "");
    cr_assert_null(tl_tape_at(tape, 0).tape);
    cr_assert_null(tl_tape_at(NULL, 0).tape);
    tl_tape_free(tape);
}

Test(tape, a_closed_body_and_the_scan_itself_are_no_values)
{
    tl_tape *tape = tl_tape_new(NULL);
    const float v[6] = {1, 2, 3, 4, 5, 6};
    tl_tensor xs = tl_input_f32(tape, tl_shape1(6), v);
    tl_scan s = tl_scan_open(tape, 6, NULL);
    uint32_t in_body = tl_tape_mark(tape);
    tl_tensor y = tl_tanh(tl_scan_each(s, xs));
    cr_assert_str_eq(tl_tensor_op(tl_tape_at(tape, y.slot)), "tanh");
    cr_assert_str_eq(tl_tensor_scope(tl_tape_at(tape, y.slot)), "scan");
    tl_scan_close(s);
    tl_tensor all = tl_scan_stacked(s, y);
    for (uint32_t k = in_body; k < all.slot; k++)
        cr_assert_null(tl_tape_at(tape, k).tape, "node %u", k);
    cr_assert_eq(tl_tape_at(tape, all.slot).tape, tape);
    cr_assert_eq(tl_tape_status(tape), TL_OK);
    tl_tape_free(tape);
}
