/* test_convert.c -- elements of every stored type on their way into parameters. */
#include "core/convert.h"
#include "core/memory.h"
#include "core/weights.h"
#include "tests/scratch.h"

#include <criterion/criterion.h>
#include <math.h>

TestSuite(convert, .init = scratch_open, .fini = scratch_close);

Test(convert, half_floats_are_converted)
{
    static const uint16_t halves[4] = {0x3C00, 0xC000, 0x3F80, 0xC040}; /* f16 1 -2, bf16 1 -3 */
    const char *path =
        scratch_safetensors("{\"h\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]},"
                            "\"b\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[4,8]}}",
                            halves, sizeof halves);
    for (int dtype = TL_F32; dtype <= TL_F64; dtype++) {
        tl_params *set = tl_params_new((tl_dtype)dtype);
        tl_param *h = tl_param_new(set, "h", tl_shape1(2), NULL),
                 *b = tl_param_new(set, "b", tl_shape1(2), NULL);
        tl_weights_part p = {"", set, NULL};
        tl_err err;
        double x[2];
        cr_assert_eq(tl_weights_load(path, 1, &p, NULL, NULL, NULL, &err), TL_OK, "%s",
                     err.message);
        tl_param_get_f64(h, x, 2);
        cr_assert(x[0] == 1 && x[1] == -2);
        tl_param_get_f64(b, x, 2);
        cr_assert(x[0] == 1 && x[1] == -3);
        tl_params_free(set);
    }
}

Test(convert, values_that_are_not_finite_are_refused_by_place)
{
    static const float data[6] = {0, 1, 2, 3, NAN, INFINITY};
    const char *path = scratch_safetensors(
        "{\"w\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}}", data, sizeof data);
    tl_params *set = tl_params_new(TL_F32);
    tl_param *w = tl_param_new(set, "w", tl_shape2(2, 3), NULL);
    tl_weights_part p = {"", set, NULL};
    tl_err err;
    float x[6];
    cr_assert_eq(tl_weights_load(path, 1, &p, NULL, NULL, NULL, &err), TL_ERANGE);
    cr_assert_not_null(strstr(err.message, "w[1,1] is NaN"), "%s", err.message);
    cr_assert_eq(tl_param_version(w), 1);
    tl_weights_opts o = tl_weights_defaults();
    o.allow_nonfinite = 1;
    cr_assert_eq(tl_weights_load(path, 1, &p, &o, NULL, NULL, &err), TL_OK, "%s", err.message);
    tl_param_get_f32(w, x, 6);
    cr_assert_eq(memcmp(x, data, sizeof x), 0);

    static const double large[2] = {1e38, -1e39};
    path = scratch_safetensors("{\"w\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,16]}}",
                               large, sizeof large);
    tl_params *two = tl_params_new(TL_F32);
    tl_param_new(two, "w", tl_shape1(2), NULL);
    p.set = two;
    cr_assert_eq(tl_weights_load(path, 1, &p, &o, NULL, NULL, &err), TL_ERANGE,
                 "infinity was not in the file");
    cr_assert_not_null(strstr(err.message, "w[1] is -1e+39, too large for f32"), "%s", err.message);
    static const uint16_t half[2] = {0x3C00, 0xFC00};
    path = scratch_safetensors("{\"w\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]}}",
                               half, sizeof half);
    cr_assert_eq(tl_weights_load(path, 1, &p, NULL, NULL, NULL, &err), TL_ERANGE);
    cr_assert_not_null(strstr(err.message, "w[1] is minus infinite"), "%s", err.message);
    path = scratch_safetensors("{\"w\":{\"dtype\":\"I32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
                               large, 8);
    cr_assert_eq(tl_weights_load(path, 1, &p, NULL, NULL, NULL, &err), TL_EDTYPE);
    cr_assert_not_null(strstr(err.message, "w is I32 in the file, want f32"), "%s", err.message);
    tl_params_free(set);
    tl_params_free(two);
}

Test(convert, a_value_beyond_the_first_piece_is_found)
{
    enum { N = 200000 };
    tl_params *set = tl_params_new(TL_F64), *narrow = tl_params_new(TL_F32);
    tl_param *w = tl_param_new(set, "w", tl_shape2(N / 100, 100), NULL),
             *v = tl_param_new(narrow, "w", tl_shape2(N / 100, 100), NULL);
    double *x = calloc(N, sizeof *x);
    float *y = calloc(N, sizeof *y);
    for (int i = 0; i < N; i++)
        x[i] = i * 0.5;
    const char *path = scratch_path("w.safetensors");
    tl_weights_part p = {"", set, NULL}, q = {"", narrow, NULL};
    tl_err err;
    tl_param_set_f64(w, x, N);
    cr_assert_eq(tl_weights_save(path, 1, &p, NULL, NULL), TL_OK);
    cr_assert_eq(tl_weights_load(path, 1, &q, NULL, NULL, NULL, &err), TL_OK, "%s", err.message);
    tl_param_get_f32(v, y, N);
    for (int i = 0; i < N; i++)
        cr_assert_eq(y[i], (float)x[i]);
    x[N - 1] = (double)NAN;
    tl_param_set_f64(w, x, N);
    cr_assert_eq(tl_weights_save(path, 1, &p, NULL, NULL), TL_OK,
                 "what a failed run left may be saved and looked at");
    cr_assert_eq(tl_weights_load(path, 1, &q, NULL, NULL, NULL, &err), TL_ERANGE);
    cr_assert_not_null(strstr(err.message, "w[1999,99] is NaN"), "%s", err.message);
    free(x);
    free(y);
    tl_params_free(set);
    tl_params_free(narrow);
}
