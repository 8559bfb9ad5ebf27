/* test_read.c -- from tensors to the caller's numbers: types, counts, views, errors. */
#include "tapeloop.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static const float V[6] = {1, 2, 3, 4, 5, 6};

Test(read, views_come_out_in_row_major_order)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor a = tl_input_f32(tape, tl_shape2(2, 3), V);
    float out[6];
    cr_assert_eq(tl_read_f32(tl_transpose(a, 0, 1), out, 6), TL_OK);
    const float want[6] = {1, 4, 2, 5, 3, 6};
    cr_assert_eq(memcmp(out, want, sizeof want), 0);
    cr_assert_eq(tl_read_f32(tl_slice(a, 1, 1, 2), out, 4), TL_OK);
    const float part[4] = {2, 3, 5, 6};
    cr_assert_eq(memcmp(out, part, sizeof part), 0);
    cr_assert_eq(tl_read_f32(tl_ones(tape, TL_F32, tl_shape2(2, 2)), out, 4), TL_OK);
    cr_assert_eq(out[3], 1.0f);
    tl_tape_free(tape);
}

Test(read, type_and_count_must_fit)
{
    float f[6];
    double d[6];
    int32_t i[6];
    tl_tape *tape = tl_tape_new(NULL);
    cr_assert_eq(tl_read_f64(tl_input_f32(tape, tl_shape2(2, 3), V), d, 6), TL_EDTYPE);
    cr_assert(strstr(tl_tape_error(tape), "f32"), "%s", tl_tape_error(tape));
    tl_tape_reset(tape);
    cr_assert_eq(tl_read_i32(tl_input_f32(tape, tl_shape2(2, 3), V), i, 6), TL_EDTYPE);
    tl_tape_reset(tape);
    cr_assert_eq(tl_read_f32(tl_input_f32(tape, tl_shape2(2, 3), V), f, 5), TL_ESHAPE);
    cr_assert(strstr(tl_tape_error(tape), "[2,3]"), "%s", tl_tape_error(tape));
    tl_tape_reset(tape);
    cr_assert_eq(tl_read_f32(tl_input_f32(tape, tl_shape2(2, 3), V), NULL, 6), TL_ESHAPE);
    tl_tape_free(tape);
}

Test(read, item_wants_one_element)
{
    tl_tape *tape = tl_tape_new(NULL);
    cr_assert_eq(tl_item(tl_scalar(tape, TL_F64, 0.1)), 0.1);
    cr_assert_eq(tl_item(tl_input_i32(tape, tl_shape2(1, 1), (const int32_t[]){7})), 7.0);
    cr_assert(isnan(tl_item(tl_input_f32(tape, tl_shape1(2), V))));
    cr_assert_eq(tl_tape_status(tape), TL_ESHAPE);
    tl_tape_free(tape);
}

Test(read, empty_tensors_are_legal)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor a = tl_input_f32(tape, tl_shape2(0, 3), NULL);
    float out[3] = {7, 7, 7};
    cr_assert_eq(tl_read_f32(tl_tanh(a), out, 0), TL_OK, "%s", tl_tape_error(tape));
    cr_assert_eq(tl_item(tl_sum_all(a)), 0.0);
    tl_tape_free(tape);
}

Test(read, eval_of_several_runs_them_together)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor t[20];
    t[0] = tl_input_f32(tape, tl_shape2(2, 3), V);
    for (int i = 1; i < 20; i++)
        t[i] = tl_scale(t[i - 1], 0.5);
    cr_assert_eq(tl_eval(20, t), TL_OK);
    float out[6];
    cr_assert_eq(tl_read_f32(t[2], out, 6), TL_OK);
    cr_assert_eq(out[3], 1.0f);
    cr_assert_eq(tl_eval(0, NULL), TL_OK);
    tl_tape_free(tape);
}

Test(read, bodies_have_no_numbers)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_scan s = tl_scan_open(tape, 2, NULL);
    tl_tensor h = tl_scan_carry(s, tl_zeros(tape, TL_F32, tl_shape1(2)));
    cr_assert(isnan(tl_item(h)));
    cr_assert_eq(tl_tape_status(tape), TL_EFRAME);
    tl_tape_reset(tape);
    s = tl_scan_open(tape, 2, NULL);
    h = tl_scan_carry(s, tl_zeros(tape, TL_F32, tl_shape1(2)));
    tl_scan_next(s, h, tl_tanh(h));
    tl_scan_close(s);
    float out[2];
    cr_assert_eq(tl_read_f32(h, out, 2), TL_EFRAME);
    cr_assert(strstr(tl_tape_error(tape), "tl_scan_stacked"), "%s", tl_tape_error(tape));
    tl_tape_free(tape);
}

static void nothing(tl_custom *q)
{
    (void)q;
}

static int same(void *ctx, tl_tape *tape, int nin, const tl_tensor *in, int nout, tl_tensor *out)
{
    (void)ctx, (void)nin, (void)nout;
    out[0] = in[0];
    return tl_tape_status(tape);
}

/* What is asked of a tensor that an error left inert is answered with that error, whose message
 * stays on the tape. */
Test(read, after_an_error_the_first_cause_is_what_everyone_says)
{
    tl_tape *tape = tl_tape_new(NULL);
    const tl_tensor a = tl_ones(tape, TL_F64, tl_shape2(2, 3)),
                    bad = tl_add(a, tl_ones(tape, TL_F64, tl_shape1(4))),
                    y = tl_mean_all(tl_tanh(tl_linear(bad, a, (tl_tensor){0})));
    const tl_custom_rule rule = {"nothing", nothing, NULL};
    tl_tensor at = y, out[2] = {a, a};
    double x[6];
    float f[6];
    int32_t i[6];
    cr_expect(!y.tape && !tl_tensor_ok(y) && tl_rank(y) == 0);
    cr_expect_eq(tl_eval(1, &y), TL_ESHAPE);
    cr_expect_eq(tl_read_f64(y, x, 1), TL_ESHAPE);
    cr_expect_eq(tl_read_f32(y, f, 1), TL_ESHAPE);
    cr_expect_eq(tl_read_i32(y, i, 1), TL_ESHAPE);
    cr_expect(isnan(tl_item(y)));
    cr_expect_eq(tl_backward(y), TL_ESHAPE);
    cr_expect_eq(tl_grad(1, &y, NULL, 1, &a, out), TL_ESHAPE);
    cr_expect_eq(tl_eval(1, out), TL_ESHAPE);
    cr_expect_eq(tl_jvp(1, &a, &a, 1, &y, out), TL_ESHAPE);
    cr_expect_eq(tl_hvp(y, 1, &a, &a, out), TL_ESHAPE);
    cr_expect_eq(tl_eval(1, out), TL_ESHAPE);
    cr_expect_eq(tl_cut(tape, 1, &at, 0, NULL), TL_ESHAPE);
    out[0] = a;
    cr_expect_eq(tl_checkpoint(same, NULL, 1, &y, 1, out), TL_ESHAPE);
    cr_expect(!out[0].tape, "the output is inert, too");
    cr_expect_eq(tl_eval(1, out), TL_ESHAPE);
    out[0] = a;
    cr_expect_eq(tl_custom_grad(1, &a, 1, &y, &rule, out), TL_ESHAPE);
    cr_expect(!out[0].tape);
    tl_unbind(a, 2, out);
    cr_expect_eq(tl_eval(1, &out[0]), TL_ESHAPE);
    cr_expect_eq(tl_eval(1, &out[1]), TL_ESHAPE);
    cr_expect_eq(tl_commit(tape), TL_ESHAPE);
    cr_expect_str_eq(tl_tape_error(tape),
                     "add: got [2,3] and [4], want shapes that broadcast together");
    /* new leaves and scans on the tape know it, too */
    const tl_tensor leaf = tl_input_f32(tape, tl_shape2(2, 3), V);
    const tl_scan s = tl_scan_open(tape, 2, NULL);
    const tl_tensor h = tl_scan_carry(s, leaf), last = tl_scan_last(s, h);
    cr_expect_eq(tl_eval(1, &leaf), TL_ESHAPE);
    cr_expect_eq(tl_eval(1, &h), TL_ESHAPE);
    cr_expect_eq(tl_eval(1, &last), TL_ESHAPE);
    cr_expect_eq(tl_tape_reset(tape), TL_OK);
    const tl_tensor none = {0}, more[] = {tl_tanh(none), tl_concat(0, NULL, 0)};
    cr_expect_eq(tl_eval(1, &none), TL_EINVAL);
    cr_expect_eq(tl_eval(1, &more[0]), TL_EINVAL);
    cr_expect_eq(tl_eval(1, &more[1]), TL_EINVAL);
    cr_expect_eq(tl_tape_status(tape), TL_OK);
    tl_tape_free(tape);
}
