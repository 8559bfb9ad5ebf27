/* test_param.c -- parameter sets, names, versions, conversion; states. */
#include "tapeloop.h"

#include <criterion/criterion.h>
#include <string.h>

Test(param, names_carry_their_scopes)
{
    tl_params *set = tl_params_new(TL_F32);
    tl_params_scope_open(set, "encoder");
    tl_params_scope_open(set, "rnn");
    tl_param *a = tl_param_new(set, "weight", tl_shape2(2, 3), NULL);
    tl_params_scope_close(set);
    tl_param *b = tl_param_new(set, "bias", tl_shape1(3), NULL);
    tl_params_scope_close(set);
    tl_param *c = tl_param_new(set, "scale", tl_shape0(), NULL);
    cr_assert_str_eq(tl_param_name(a), "encoder.rnn.weight");
    cr_assert_str_eq(tl_param_name(b), "encoder.bias");
    cr_assert_str_eq(tl_param_name(c), "scale");
    cr_assert_eq(tl_params_find(set, "encoder.bias"), b);
    cr_assert_null(tl_params_find(set, "bias"));
    cr_assert_eq(tl_params_count(set), 3);
    cr_assert_eq(tl_params_elements(set), 6 + 3 + 1);
    cr_assert_eq(tl_params_at(set, 2), c);
    cr_assert_null(tl_params_at(set, 3));
    tl_params_free(set);
}

Test(param, a_bad_parameter_is_refused_with_its_name)
{
    tl_params *set = tl_params_new(TL_F64);
    tl_err err;
    cr_assert_not_null(tl_param_new(set, "w", tl_shape1(2), &err));
    cr_assert_null(tl_param_new(set, "w", tl_shape1(2), &err));
    cr_assert_eq(err.code, TL_ENAME);
    cr_assert(strstr(err.message, "named w"), "%s", err.message);
    cr_assert_null(tl_param_new(set, "", tl_shape1(2), &err));
    cr_assert_eq(err.code, TL_ENAME);
    cr_assert_null(tl_param_new(set, "huge", tl_shape2(INT64_MAX / 2, 4), &err));
    cr_assert_eq(err.code, TL_ESHAPE);
    cr_assert_null(tl_param_new(set, "negative", tl_shape1(-1), &err));
    cr_assert_eq(err.code, TL_ESHAPE);
    cr_assert_null(tl_param_new(NULL, "w", tl_shape1(2), &err));
    cr_assert_eq(err.code, TL_EINVAL);
    cr_assert_eq(tl_params_count(set), 1);
    tl_params_free(set);
    cr_assert_null(tl_params_new(TL_I32));
}

Test(param, values_convert_and_count_versions)
{
    tl_params *set = tl_params_new(TL_F64);
    tl_param *w = tl_param_new(set, "w", tl_shape1(3), NULL);
    const float in[3] = {0.1f, -2.0f, 3.5f};
    double out[3];
    cr_assert_eq(tl_param_get_f64(w, out, 3), TL_OK);
    cr_assert_eq(out[1], 0.0);
    uint64_t version = tl_param_version(w);
    cr_assert_eq(tl_param_set_f32(w, in, 3), TL_OK);
    cr_assert_eq(tl_param_version(w), version + 1);
    cr_assert_eq(tl_param_get_f64(w, out, 3), TL_OK);
    cr_assert_eq(out[0], (double)0.1f);
    cr_assert_eq(tl_param_set_f32(w, in, 2), TL_ESHAPE);
    cr_assert_eq(tl_param_get_f64(w, out, 4), TL_ESHAPE);
    cr_assert_eq(tl_param_version(w), version + 1);
    tl_params_free(set);
}

Test(param, a_state_starts_at_zero_and_can_be_set_and_zeroed)
{
    tl_state *s = tl_state_new(TL_F32, tl_shape1(2));
    const double in[2] = {1.5, -2.5};
    double out[2];
    cr_assert_eq(tl_state_get_f64(s, out, 2), TL_OK);
    cr_assert(out[0] == 0.0 && out[1] == 0.0);
    cr_assert_eq(tl_state_set_f64(s, in, 2), TL_OK);
    cr_assert_eq(tl_state_get_f64(s, out, 2), TL_OK);
    cr_assert(out[0] == 1.5 && out[1] == -2.5);
    cr_assert_eq(tl_state_zero(s), TL_OK);
    cr_assert_eq(tl_state_get_f64(s, out, 2), TL_OK);
    cr_assert(out[0] == 0.0 && out[1] == 0.0);
    tl_state_free(s);
    cr_assert_null(tl_state_new(TL_F32, tl_shape1(-2)));
}

Test(param, null_is_harmless)
{
    tl_param_freeze(NULL, 1);
    tl_param_clear_grad(NULL);
    tl_params_free(NULL);
    tl_state_free(NULL);
    cr_assert_eq(tl_params_count(NULL), 0);
    cr_assert_eq(tl_param_version(NULL), 0);
    cr_assert_str_eq(tl_param_name(NULL), "");
    cr_assert_eq(tl_param_get_f32(NULL, NULL, 0), TL_EINVAL);
}
