/* check.c -- comparisons and random operands for the tests. */
#include "tests/check.h"

#include "ops/check_draw.h"

#include "core/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_close(double got, double want, double rtol, double atol)
{
    if (isnan(got) || isnan(want))
        return isnan(got) && isnan(want);
    if (isinf(got) || isinf(want))
        return got == want;
    return fabs(got - want) <= atol + rtol * fabs(want);
}

int check_allclose(int64_t n, const double *got, const double *want, double rtol, double atol,
                   char *message)
{
    int64_t wrong = 0;
    message[0] = '\0';
    for (int64_t i = 0; i < n; i++)
        if (!is_close(got[i], want[i], rtol, atol) && wrong++ == 0)
            snprintf(message, CHECK_MESSAGE,
                     "element %lld: got %.17g, want %.17g, apart by %.3g (rtol %g, atol %g)",
                     (long long)i, got[i], want[i], fabs(got[i] - want[i]), rtol, atol);
    const size_t used = strlen(message);
    if (wrong > 1)
        snprintf(message + used, CHECK_MESSAGE - used, "; %lld of %lld are wrong", (long long)wrong,
                 (long long)n);
    return wrong == 0;
}

int check_allclose_f32(int64_t n, const float *got, const float *want, double rtol, double atol,
                       char *message)
{
    double *both = malloc((size_t)(2 * n + 1) * sizeof *both);
    cr_assert_not_null(both);
    for (int64_t i = 0; i < n; i++) {
        both[i] = (double)got[i];
        both[n + i] = (double)want[i];
    }
    const int ok = check_allclose(n, both, both + n, rtol, atol, message);
    free(both);
    return ok;
}

double *check_values(tl_tensor t)
{
    const int64_t n = tl_shape_count(tl_shape_of(t));
    double *out = malloc((size_t)(n + 1) * sizeof *out);
    cr_assert_not_null(out);
    int code = TL_OK;
    switch (tl_dtype_of(t)) {
    case TL_F64:
        code = tl_read_f64(t, out, n);
        break;
    case TL_F32: {
        float *narrow = malloc((size_t)(n + 1) * sizeof *narrow);
        cr_assert_not_null(narrow);
        code = tl_read_f32(t, narrow, n);
        for (int64_t i = 0; i < n && !code; i++)
            out[i] = (double)narrow[i];
        free(narrow);
        break;
    }
    case TL_I32: {
        int32_t *whole = malloc((size_t)(n + 1) * sizeof *whole);
        cr_assert_not_null(whole);
        code = tl_read_i32(t, whole, n);
        for (int64_t i = 0; i < n && !code; i++)
            out[i] = whole[i];
        free(whole);
        break;
    }
    }
    if (code || !tl_tensor_ok(t)) {
        free(out);
        return NULL;
    }
    return out;
}

/* no_value -- the message for a tensor that could not be computed. */
static int no_value(tl_tensor t, char *message)
{
    snprintf(message, CHECK_MESSAGE, "%s", t.tape ? tl_tape_error(t.tape) : "the tensor is inert");
    return 0;
}

int check_tensor(tl_tensor t, int64_t n, const double *want, double rtol, double atol,
                 char *message)
{
    char text[TL_SHAPE_TEXT];
    double *got = check_values(t);
    if (!got)
        return no_value(t, message);
    const tl_shape s = tl_shape_of(t);
    int ok = tl_shape_count(s) == n;
    if (ok)
        ok = check_allclose(n, got, want, rtol, atol, message);
    else
        snprintf(message, CHECK_MESSAGE, "got shape %s, want %lld elements",
                 tl_shape_text(s, text, sizeof text), (long long)n);
    free(got);
    return ok;
}

int check_same(tl_tensor a, tl_tensor b, double rtol, double atol, char *message)
{
    char text[2][TL_SHAPE_TEXT];
    const tl_shape s = tl_shape_of(a), want = tl_shape_of(b);
    if (!tl_shape_equal(s, want) || tl_dtype_of(a) != tl_dtype_of(b)) {
        snprintf(message, CHECK_MESSAGE, "got %s %s, want %s %s", tl_dtype_name(tl_dtype_of(a)),
                 tl_shape_text(s, text[0], sizeof text[0]), tl_dtype_name(tl_dtype_of(b)),
                 tl_shape_text(want, text[1], sizeof text[1]));
        return 0;
    }
    double *values = check_values(b);
    if (!values)
        return no_value(b, message);
    const int ok = check_tensor(a, tl_shape_count(s), values, rtol, atol, message);
    free(values);
    return ok;
}

int check_fails(tl_tape *tape, int code, const char *words, char *message)
{
    const int got = tl_tape_status(tape);
    snprintf(message, CHECK_MESSAGE, "got %d \"%.150s\", want %d with \"%s\"", got,
             tl_tape_error(tape), code, words);
    return got == code && strstr(tl_tape_error(tape), words);
}

tl_tape *check_tape(uint64_t seed)
{
    tl_tape_opts o = tl_tape_defaults();
    o.seed = seed;
    tl_tape *tape = tl_tape_new(&o);
    cr_assert_not_null(tape);
    return tape;
}

tl_tensor check_input(tl_tape *tape, tl_dtype dtype, tl_shape shape, const double *values)
{
    const int64_t n = tl_shape_count(shape);
    void *data = malloc((size_t)(n + 1) * sizeof(double));
    cr_assert_not_null(data);
    for (int64_t i = 0; i < n; i++) {
        if (dtype == TL_F32)
            ((float *)data)[i] = (float)values[i];
        else if (dtype == TL_F64)
            ((double *)data)[i] = values[i];
        else
            ((int32_t *)data)[i] = (int32_t)values[i];
    }
    const tl_tensor t = dtype == TL_F32   ? tl_input_f32(tape, shape, data)
                        : dtype == TL_F64 ? tl_input_f64(tape, shape, data)
                                          : tl_input_i32(tape, shape, data);
    free(data);
    return t;
}

void check_draw(uint64_t seed, tl_domain domain, int64_t bound, int64_t total, int64_t n,
                double *values)
{
    tl__check_fill(seed, domain, bound, total - n, total, values);
}

tl_tensor check_random(tl_tape *tape, tl_dtype dtype, tl_shape shape, uint64_t seed)
{
    const int64_t n = tl_shape_count(shape);
    double *values = malloc((size_t)(n + 1) * sizeof *values);
    cr_assert_not_null(values);
    tl_rng r = {seed, 0, 0};
    for (int64_t i = 0; i < n; i++)
        values[i] = tl__check_draw(&r, dtype == TL_I32 ? TL_INDEX : TL_ANY, 10);
    const tl_tensor t = check_input(tape, dtype, shape, values);
    free(values);
    return t;
}

int check_first_cause(const tl_case *c)
{
    enum { MOST = sizeof c->shape / sizeof c->shape[0], ROOM = 256 };
    static const double x[ROOM];
    int right = 0;
    for (int is_inert = 0; is_inert < 2; is_inert++) {
        tl_tape *tape = check_tape(1);
        tl_tensor in[MOST];
        for (int i = 0; i < c->nin; i++) {
            cr_assert(tl_shape_count(c->shape[i]) <= ROOM);
            in[i] = check_input(tape, c->domain[i] == TL_INDEX ? TL_I32 : TL_F64, c->shape[i], x);
        }
        const tl_tensor bad = tl_fail_tensor(in[0], TL_ENAN, "planted", "the first cause");
        for (int i = 0; is_inert && i < c->nin; i++)
            in[i] = bad;
        const tl_tensor y = c->call(in);
        right += !y.tape && tl_eval(1, &y) == TL_ENAN &&
                 strcmp(tl_tape_error(tape), "planted: the first cause") == 0;
        tl_tape_free(tape);
    }
    return right == 2;
}
