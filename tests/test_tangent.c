/* test_tangent.c -- the tangent of every operation of the library: against differences of its value
 * along a direction, against its adjoint, operand by operand, twice, and in f32.
 *
 *     J v = d/dh f(x + h v) at h = 0          <u, J v> = <J' u, v>
 *
 * test_registry has the tangent of a scalar of each operation (gradcheck.c); here the values
 * themselves are looked at, so an error cannot hide in a sum. */
#include "core/forward.h"
#include "ops/ops.h"
#include "ops/registry.h"
#include "tests/check.h"

#include <stdlib.h>

enum { OPERANDS = 4, MOST = 4096 };

/* trial -- one case with its operands and a direction drawn: operand i is x[first[i] ..
 * first[i + 1]), its direction v[] likewise. */
typedef struct trial {
    const tl_op *op;
    const tl_case *c;
    int number;
    tl_tape *tape;
    tl_dtype dtype;
    int64_t first[OPERANDS + 1];
    double x[MOST], v[MOST];
} trial;

/* recorded -- operands and result on the tape; in[by[k]] are the ones with a direction. */
typedef struct recorded {
    int n, by[OPERANDS];
    tl_tensor in[OPERANDS], smooth[OPERANDS], v[OPERANDS], y;
} recorded;

static int is_smooth(tl_domain domain)
{
    return domain != TL_INDEX && domain != TL_BINARY;
}

static void draw(trial *t, const tl_op *op, int number, uint64_t seed)
{
    t->op = op;
    t->c = &op->cases[number];
    t->number = number;
    t->dtype = TL_F64;
    for (int i = 0; i < t->c->nin; i++) {
        const int64_t count = tl_shape_count(t->c->shape[i]);
        t->first[i + 1] = t->first[i] + count;
        cr_assert(t->first[i + 1] <= MOST);
        check_draw(seed + (uint64_t)i, t->c->domain[i], t->c->bound, t->first[i + 1], count, t->x);
        check_draw(seed + 70 + (uint64_t)i, TL_INNER, 0, t->first[i + 1], count, t->v);
    }
}

/* put -- records the case at x + h v on an empty tape, with the same draws each time. */
static recorded put(const trial *t, double h)
{
    recorded r = {0};
    tl_tape_reset(t->tape);
    tl_set_draws(t->tape, 0);
    for (int i = 0; i < t->c->nin; i++) {
        double moved[MOST];
        const int smooth = is_smooth(t->c->domain[i]);
        for (int64_t k = t->first[i]; k < t->first[i + 1]; k++)
            moved[k - t->first[i]] = t->x[k] + (smooth ? h * t->v[k] : 0);
        r.in[i] = check_input(t->tape, t->c->domain[i] == TL_INDEX ? TL_I32 : t->dtype,
                              t->c->shape[i], moved);
        if (smooth) {
            r.v[r.n] = check_input(t->tape, t->dtype, t->c->shape[i], t->v + t->first[i]);
            r.smooth[r.n] = r.in[i];
            r.by[r.n++] = i;
        }
    }
    r.y = t->c->call(r.in);
    cr_assert_eq(tl_tape_status(t->tape), TL_OK, "%s, case %d: %s", t->op->name, t->number,
                 tl_tape_error(t->tape));
    return r;
}

static double *values(const trial *t, tl_tensor a)
{
    double *out = check_values(a);
    cr_assert_not_null(out, "%s, case %d: %s", t->op->name, t->number, tl_tape_error(t->tape));
    return out;
}

static void push(const trial *t, const recorded *r, tl_tensor *d)
{
    cr_assert_eq(tl_jvp(r->n, r->smooth, r->v, 1, &r->y, d), TL_OK, "%s, case %d: %s", t->op->name,
                 t->number, tl_tape_error(t->tape));
    cr_assert(tl_shape_equal(tl_shape_of(*d), tl_shape_of(r->y)), "%s", t->op->name);
    cr_assert_eq(tl_dtype_of(*d), tl_dtype_of(r->y), "%s", t->op->name);
}

static double largest(const double *a, int64_t n)
{
    double most = 1;
    for (int64_t k = 0; k < n; k++)
        most = fabs(a[k]) > most ? fabs(a[k]) : most;
    return most;
}

/* close_to -- n numbers within tol of the largest one. */
static void close_to(const trial *t, const char *what, int64_t n, const double *got,
                     const double *want, double tol)
{
    char text[CHECK_MESSAGE];
    cr_expect(check_allclose(n, got, want, 0, tol * largest(want, n), text), "%s, case %d, %s: %s",
              t->op->name, t->number, what, text);
}

/* for_each -- f on every case of every operation whose result is floating. */
static void for_each(void (*f)(const trial *t), int with_gradient)
{
    static trial t;
    t.tape = check_tape(7);
    int looked_at = 0;
    for (int i = 0; i < tl_ops_count(); i++) {
        const tl_op *op = tl_ops_at(i);
        for (int c = 0; op->no_gradient != with_gradient && !op->nonlinear && c < op->ncases; c++) {
            draw(&t, op, c, 11 * (uint64_t)i + (uint64_t)c);
            if (tl_dtype_of(put(&t, 0).y) == TL_I32)
                continue;
            f(&t);
            looked_at++;
        }
    }
    cr_assert(looked_at >= (with_gradient ? 50 : 3), "%d", looked_at);
    tl_tape_free(t.tape);
}

/* Four points, the error of order h^4. */
static void against_differences(const trial *t)
{
    const double h = 1e-4, at[4] = {-2 * h, -h, h, 2 * h}, weight[4] = {1, -8, 8, -1};
    recorded r = put(t, 0);
    const int64_t n = tl_shape_count(tl_shape_of(r.y));
    tl_tensor d;
    push(t, &r, &d);
    double *got = values(t, d), *want = calloc((size_t)n + 1, sizeof *want);
    cr_assert_not_null(want);
    for (int p = 0; p < 4; p++) {
        r = put(t, at[p]);
        double *y = values(t, r.y);
        for (int64_t k = 0; k < n; k++)
            want[k] += weight[p] * y[k] / (12 * h);
        free(y);
    }
    close_to(t, "differences", n, got, want, 1e-8);
    free(got), free(want);
}

Test(tangent, each_operation_against_differences)
{
    for_each(against_differences, 1);
}

/* dot -- <a, b> of two tensors; the sum of the sizes of its terms is added to *size. */
static double dot(const trial *t, tl_tensor a, tl_tensor b, double *size)
{
    double *x = values(t, a), *y = values(t, b), sum = 0;
    for (int64_t k = 0; k < tl_shape_count(tl_shape_of(a)); k++) {
        sum += x[k] * y[k];
        *size += fabs(x[k] * y[k]);
    }
    free(x), free(y);
    return sum;
}

static void against_the_adjoint(const trial *t)
{
    const recorded r = put(t, 0);
    const tl_tensor u = check_random(t->tape, TL_F64, tl_shape_of(r.y), 99);
    tl_tensor d, g[OPERANDS];
    push(t, &r, &d);
    cr_assert_eq(tl_vjp(1, &r.y, &u, r.n, r.smooth, g), TL_OK, "%s", tl_tape_error(t->tape));
    double size = 1, forward = dot(t, u, d, &size), reverse = 0;
    for (int k = 0; k < r.n; k++)
        reverse += dot(t, g[k], r.v[k], &size);
    cr_expect(fabs(forward - reverse) <= 1e-14 * size,
              "%s, case %d: <u, J v> %.17g, <J' u, v> %.17g", t->op->name, t->number, forward,
              reverse);
}

Test(tangent, each_operation_against_its_adjoint)
{
    for_each(against_the_adjoint, 1);
}

/* A rule is asked for single operands, too, and the sum over them is that of all. */
static void by_operand(const trial *t)
{
    const recorded r = put(t, 0);
    tl_tensor all, sum = {0};
    push(t, &r, &all);
    for (int k = 0; k < r.n; k++) {
        tl_tensor one;
        cr_assert_eq(tl_jvp(1, &r.smooth[k], &r.v[k], 1, &r.y, &one), TL_OK, "%s, operand %d: %s",
                     t->op->name, r.by[k], tl_tape_error(t->tape));
        sum = k ? tl_add(sum, one) : one;
    }
    double *want = values(t, all), *got = values(t, sum);
    close_to(t, "the sum over operands", tl_shape_count(tl_shape_of(all)), got, want, 1e-14);
    free(want), free(got);
}

Test(tangent, each_operand_alone)
{
    for_each(by_operand, 1);
}

/* d^2/dh^2 <u, f(x + h v)>, forward twice and backward twice. */
static void twice(const trial *t)
{
    const recorded r = put(t, 0);
    const tl_tensor u = check_random(t->tape, TL_F64, tl_shape_of(r.y), 98);
    tl_tensor d, d2, g[OPERANDS], along = {0}, g2[OPERANDS];
    push(t, &r, &d);
    cr_assert_eq(tl_jvp(r.n, r.smooth, r.v, 1, &d, &d2), TL_OK, "%s: %s", t->op->name,
                 tl_tape_error(t->tape));
    cr_assert_eq(tl_grad(1, &r.y, &u, r.n, r.smooth, g), TL_OK);
    for (int k = 0; k < r.n; k++) {
        const tl_tensor part = tl_sum_all(tl_mul(g[k], r.v[k]));
        along = k ? tl_add(along, part) : part;
    }
    cr_assert_eq(tl_grad(1, &along, NULL, r.n, r.smooth, g2), TL_OK);
    double size = 1, forward = dot(t, u, d2, &size), reverse = 0;
    for (int k = 0; k < r.n; k++)
        reverse += dot(t, g2[k], r.v[k], &size);
    cr_expect(fabs(forward - reverse) <= 1e-12 * size, "%s, case %d: forward %.17g, reverse %.17g",
              t->op->name, t->number, forward, reverse);
}

Test(tangent, twice_as_the_gradient_of_the_gradient)
{
    for_each(twice, 1);
}

/* In single precision: dtypes fit, and the numbers to its precision. */
static void single(const trial *t)
{
    static trial f;
    recorded r = put(t, 0);
    tl_tensor d;
    push(t, &r, &d);
    double *want = values(t, d);
    f = *t;
    f.dtype = TL_F32;
    const recorded s = put(&f, 0);
    push(&f, &s, &d);
    double *got = values(&f, d);
    close_to(&f, "f32", tl_shape_count(tl_shape_of(d)), got, want, 2e-4);
    free(want), free(got);
}

Test(tangent, in_single_precision)
{
    for_each(single, 1);
}

static void nothing(const trial *t)
{
    recorded r = put(t, 0);
    tl_tensor d;
    if (r.n == 0)
        return;
    push(t, &r, &d);
    double *got = values(t, d);
    for (int64_t k = 0; k < tl_shape_count(tl_shape_of(d)); k++)
        cr_expect_eq(got[k], 0.0, "%s", t->op->name);
    free(got);
}

Test(tangent, what_has_no_gradient_has_no_tangent)
{
    for_each(nothing, 0);
}
