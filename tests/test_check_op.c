/* test_check_op.c -- the public check of operations: each thing that a descriptor can say wrongly is
 * planted, and found by the check that is for it. */
#include "ops/check_op.h"

#include "core/grad.h"
#include "core/memory.h"
#include "core/space.h"
#include "ops/elementwise.h"
#include "ops/registry.h"
#include "tests/check.h"

#include <string.h>

static char report[CHECK_MESSAGE];
static tl_op planted; /* one test is one process */

static tl_tensor planted_call(const tl_tensor *in)
{
    return tl_record(&planted, 1, in, NULL);
}

static const tl_case planted_case = {1, {{2, {2, 3}}}, {TL_ANY}, 0, planted_call};

/* found -- the check fails with this code, and its report begins so. */
#define found(CODE, WORDS)                                                                         \
    do {                                                                                           \
        const int code = tl_check_op(&planted, NULL, report, sizeof report);                       \
        cr_assert_eq(code, CODE, "%d: %s", code, report);                                          \
        cr_assert_eq(strncmp(report, WORDS, strlen(WORDS)), 0, "got \"%s\", want \"%s\"", report,  \
                     WORDS);                                                                       \
    } while (0)

/* ---- pointwise: a cube ----------------------------------------------------------------------- */

static void cube_f64(int64_t n, void *out, const void *const *in)
{
    const double *a = in[0];
    double *y = out;
    for (int64_t i = 0; i < n; i++)
        y[i] = a[i] * a[i] * a[i];
}

static void cube_f32(int64_t n, void *out, const void *const *in)
{
    const float *a = in[0];
    float *y = out;
    for (int64_t i = 0; i < n; i++)
        y[i] = a[i] * a[i] * a[i];
}

/* wrong_f32 -- forgets to multiply where a is negative. */
static void wrong_f32(int64_t n, void *out, const void *const *in)
{
    const float *a = in[0];
    float *y = out;
    for (int64_t i = 0; i < n; i++)
        y[i] = a[i] < 0 ? a[i] : a[i] * a[i] * a[i];
}

/* placed_f64 -- depends on where an element stands. */
static void placed_f64(int64_t n, void *out, const void *const *in)
{
    cube_f64(n, out, in);
    if (n > 1)
        ((double *)out)[n - 1] += 1;
}

static tl_tile_fn cube_tile(const tl_dtype *in, tl_dtype out)
{
    (void)out;
    return *in == TL_F64 ? cube_f64 : cube_f32;
}

static tl_tile_fn wrong_tile(const tl_dtype *in, tl_dtype out)
{
    (void)out;
    return *in == TL_F64 ? cube_f64 : wrong_f32;
}

static tl_tile_fn f64_tile(const tl_dtype *in, tl_dtype out)
{
    (void)out;
    return *in == TL_F64 ? cube_f64 : NULL;
}

/* late_f64 -- reads its operand when the result is there already. */
static void late_f64(int64_t n, void *out, const void *const *in)
{
    const double *a = in[0];
    double *y = out;
    for (int64_t i = 0; i < n; i++) {
        y[i] = a[i] * a[i];
        y[i] *= a[i];
    }
}

static tl_tile_fn late_tile(const tl_dtype *in, tl_dtype out)
{
    (void)out;
    return *in == TL_F64 ? late_f64 : NULL;
}

static tl_tile_fn placed_tile(const tl_dtype *in, tl_dtype out)
{
    (void)out;
    return *in == TL_F64 ? placed_f64 : NULL;
}

static void cube_rule(tl_adj *q)
{
    q->d[0] = tl_scale(tl_mul(q->g, tl_mul(q->in[0], q->in[0])), 3);
}

/* A descriptor that is right, to be spoiled. */
static void plant_cube(void)
{
    planted = (tl_op){.name = "cube",
                      .doc = "a^3",
                      .grad_doc = "da = 3 g a^2",
                      .kind = TL_POINTWISE,
                      .shape = tl_infer_floating,
                      .tile = cube_tile,
                      .lead = tl_lead_same,
                      .adjoint = cube_rule,
                      .reads = TL_READS(0),
                      .ncases = 1,
                      .cases = &planted_case};
}

Test(check_op, what_is_right_is_right)
{
    plant_cube();
    found(TL_OK, "cube: right on 1 case, in f64 and f32");
    planted.tile = f64_tile;
    found(TL_OK, "cube: right on 1 case, in f64 alone");
    cr_assert_eq(tl_check_op(&tl_op_less, NULL, report, sizeof report), TL_OK, "%s", report);
    cr_assert_str_eq(report, "less: right on 3 cases, in f64, f32 and i32");
    cr_assert_eq(tl_check_op(&tl_op_cos, NULL, NULL, 0), TL_OK);
}

Test(check_op, a_kernel_for_f32_that_computes_something_else)
{
    plant_cube();
    planted.tile = wrong_tile;
    found(TL_EINVAL, "cube, case 0: f32, element [0,");
    cr_assert(strstr(report, " as of the f64 kernel; wrong in "), "%s", report);
    cr_assert(strstr(report, " of 6"), "%s", report);
    tl_check_opts o = tl_check_defaults();
    o.single = 100;
    cr_assert_eq(tl_check_op(&planted, &o, report, sizeof report), TL_OK, "%s", report);
}

Test(check_op, a_tile_that_depends_on_the_place)
{
    plant_cube();
    planted.tile = placed_tile;
    found(TL_EINVAL, "cube, case 0: tile, element [1,2]: got ");
    cr_assert(strstr(report, "wrong in 1 of 6"), "%s", report);
    planted.tile = late_tile;
    found(TL_EINVAL, "cube, case 0: tile, in place of operand 0, element [0,0]: got ");
}

/* ---- rules ----------------------------------------------------------------------------------- */

static void wrong_rule(tl_adj *q)
{
    cube_rule(q);
    q->d[0] = tl_scale(q->d[0], 1.0001);
}

static void detached_rule(tl_adj *q)
{
    q->d[0] = tl_scale(tl_mul(q->g, tl_detach(tl_mul(q->in[0], q->in[0]))), 3);
}

static void wide_rule(tl_adj *q)
{
    q->d[0] = tl_mul(tl_mul(q->g, tl_mul(q->in[0], q->in[0])),
                     tl_scalar(q->g.tape, TL_F64, 3)); /* of q->dtype, it should be */
}

static void wrong_in_f32_rule(tl_adj *q)
{
    cube_rule(q);
    q->d[0] = q->dtype == TL_F32 ? tl_scale(q->d[0], 2) : q->d[0];
}

/* 3 a^2 = 3 out / a */
static void quotient_rule(tl_adj *q)
{
    q->d[0] = tl_scale(tl_mul(q->g, tl_div(q->out, q->in[0])), 3);
}

Test(check_op, a_wrong_rule)
{
    plant_cube();
    planted.adjoint = wrong_rule;
    found(TL_ENOGRAD, "cube, case 0: order 1, input 0, element [0,0]: the gradient is ");
    planted.adjoint = detached_rule;
    found(TL_ENOGRAD, "cube, case 0: order 2, input 0, element [0,0]: the gradient is ");
    planted.adjoint = wide_rule;
    found(TL_ENOGRAD, "cube, case 0: the gradient in f32: mul: got f32 [2,3] and f64 []");
    planted.adjoint = wrong_in_f32_rule;
    found(TL_ENOGRAD, "cube, case 0: the gradient in f32, operand 0, element [0,0]: got ");
}

Test(check_op, what_reads_does_not_name)
{
    plant_cube();
    planted.reads = 0;
    found(TL_ENOGRAD, "cube, case 0: reads: the rule needs TL_READS(0), which `reads` does not "
                      "name: mul: operand 1 is the inert tensor");
    planted.adjoint = quotient_rule;
    found(TL_ENOGRAD, "cube, case 0: reads: the rule needs TL_READS(0) | TL_READS_OUT, which");
    planted.reads = TL_READS(0);
    found(TL_ENOGRAD, "cube, case 0: reads: the rule needs TL_READS_OUT, which");
    planted.reads = TL_READS(0) | TL_READS_OUT;
    found(TL_OK, "cube: right");
}

/* ---- whole arrays: 2 a, rows 0, 1, ... times 1, or times their number ------------------------ */

enum { RIGHT, NO_STRIDE, NO_RESULT_STRIDE, NO_REPEAT, SPILLS, HALF_PARTS, BY_ROW, FAILS };
static int flaw;

/* place -- of element k, row-major. */
static int64_t place(const tl_strided *a, int64_t k, int is_dense)
{
    int64_t at = 0, rest = k;
    for (int d = a->shape->rank - 1; d >= 0; rest /= a->shape->dim[d], d--)
        at += rest % a->shape->dim[d] * (flaw == NO_REPEAT && a->stride[d] == 0 ? 1 : a->stride[d]);
    return is_dense ? k : at;
}

static int twice_run(tl_call *c)
{
    const tl_strided *a = c->in;
    const int64_t n = tl_shape_count(*a->shape), row = n / a->shape->dim[0];
    int64_t lo = 0, hi = n;
    if (flaw == HALF_PARTS && c->hi)
        lo = c->lo, hi = c->hi;
    if (flaw == FAILS)
        return a->dtype == TL_F32 ? tl_call_fail(c, TL_ERANGE, "out of luck") : TL_OK;
    for (int64_t k = lo; k < hi; k++) {
        const int64_t from = place(a, k, flaw == NO_STRIDE),
                      to = place(&c->out, k, flaw == NO_RESULT_STRIDE);
        const double by = flaw == BY_ROW ? (double)(k / row) : 2;
        if (a->dtype == TL_F64)
            ((double *)c->out.data)[to] = by * ((double *)a->data)[from];
        else
            ((float *)c->out.data)[to] = (float)(by * (double)((float *)a->data)[from]);
        if (flaw == SPILLS && k == n - 1)
            memset((char *)c->out.data + (to + 1) * (int64_t)tl_dtype_size(a->dtype), 0, 1);
    }
    return TL_OK;
}

static int64_t two_parts(tl_parts *q)
{
    (void)q;
    return 2;
}

static void twice_rule(tl_adj *q)
{
    double row[2] = {0, 1};
    if (flaw == BY_ROW)
        q->d[0] = tl_mul(q->g, tl_cast(tl_input_f64(q->g.tape, tl_shape2(2, 1), row), q->dtype));
    else
        q->d[0] = tl_scale(q->g, 2);
}

static void plant_twice(int what)
{
    flaw = what;
    planted = (tl_op){.name = "twice",
                      .doc = "2 a",
                      .grad_doc = "da = 2 g",
                      .kind = TL_OTHER,
                      .shape = tl_infer_floating,
                      .run = twice_run,
                      .lead = tl_lead_same,
                      .adjoint = twice_rule,
                      .ncases = 1,
                      .cases = &planted_case};
}

Test(check_op, a_kernel_that_ignores_strides)
{
    plant_twice(RIGHT);
    found(TL_OK, "twice: right on 1 case, in f64 and f32");
    plant_twice(NO_STRIDE);
    found(TL_EINVAL, "twice, case 0: strides, operand 0 transposed, element [0,1]: got ");
    cr_assert(strstr(report, " as of a contiguous copy; wrong in 4 of 6"), "%s", report);
    plant_twice(NO_RESULT_STRIDE);
    found(TL_EINVAL, "twice, case 0: strides, result transposed, element [0,1]: got ");
    plant_twice(NO_REPEAT);
    found(TL_EINVAL, "twice, case 0: strides, operand 0 broadcast along axis 0, element [1,0]: ");
}

Test(check_op, a_kernel_that_writes_elsewhere_or_fails)
{
    plant_twice(SPILLS);
    found(TL_EINVAL, "twice, case 0: the kernel writes beside the elements of its result");
    plant_twice(HALF_PARTS);
    planted.parts = two_parts;
    found(TL_EINVAL, "twice, case 0: parts, 2 of them, element [0,2]: got nan, want ");
    cr_assert(strstr(report, " as all at once; wrong in 4 of 6"), "%s", report);
}

static int never(tl_lead *q)
{
    (void)q;
    return 0;
}

/* rows_apart -- of a kernel whose rows know their numbers, they are not. */
static int rows_apart(const tl_attr *a, const tl_shape *in, int n)
{
    (void)a, (void)in;
    return n == 1;
}

Test(check_op, rows_that_are_not_apart)
{
    plant_twice(RIGHT);
    planted.apart = rows_apart;
    found(TL_OK, "twice: right");
    plant_twice(BY_ROW);
    planted.lead = NULL;
    planted.apart = rows_apart;
    found(TL_EINVAL, "twice, case 0: apart, first 1 axes, element [1,0]: got ");
    cr_assert(strstr(report, " as of all rows together; wrong in 3 of 6"), "%s", report);
}

Test(check_op, a_lead_that_cannot_be)
{
    plant_twice(BY_ROW);
    found(TL_EINVAL, "twice, case 0: lead, one more leading axis on operand 0, element [0,1,0]: ");
    cr_assert(strstr(report, " as in a loop over the axis; wrong in "), "%s", report);
    planted.lead = never;
    found(TL_OK, "twice: right");
    planted.lead = NULL;
    found(TL_OK, "twice: right");
}

/* Without a shape rule an operation takes every element type. */
Test(check_op, an_element_type_that_nobody_thought_of)
{
    plant_twice(RIGHT);
    planted.shape = NULL;
    found(TL_EINVAL, "twice, case 0: i32, element [0,");
    cr_assert(strstr(report, "(a shape rule can refuse a type: tl_infer_floating)"), "%s", report);
}

static tl_tensor fails_call(const tl_tensor *in)
{
    return tl_record(&planted, 1, in, NULL);
}

Test(check_op, a_kernel_that_refuses)
{
    static const tl_case refused = {1, {{1, {3}}}, {TL_ANY}, 0, fails_call};
    plant_twice(FAILS);
    planted.no_gradient = 1;
    planted.adjoint = NULL;
    planted.cases = &refused;
    found(TL_EINVAL, "twice, case 0: f32, it fails: out of luck");
}

/* ---- views: the rows in reverse -------------------------------------------------------------- */

static int is_blind; /* to the strides of the operand */

static int reverse_view(const tl_attr *a, const tl_shape *from, const tl_layout *in,
                        const tl_shape *to, tl_layout *out)
{
    const tl_layout dense = tl__layout_dense(from);
    (void)a, (void)to;
    *out = is_blind ? dense : *in;
    out->offset = in->offset + out->stride[0] * (from->dim[0] - 1);
    out->stride[0] = -out->stride[0];
    return 0;
}

static void reverse_rule(tl_adj *q)
{
    q->d[0] = tl_record(&planted, 1, &q->g, NULL);
}

Test(check_op, views)
{
    planted = (tl_op){.name = "reverse",
                      .doc = "y[i] = a[n-1-i]",
                      .grad_doc = "da = reverse(g)",
                      .kind = TL_VIEW,
                      .view = reverse_view,
                      .adjoint = reverse_rule,
                      .ncases = 1,
                      .cases = &planted_case};
    found(TL_OK, "reverse: right on 1 case, in f64, f32 and i32");
    is_blind = 1;
    found(TL_EINVAL, "reverse, case 0: strides, operand 0 transposed, element [0,0]: got ");
    is_blind = 0;
    planted.lead = tl_lead_same; /* reverses the new axis */
    found(TL_EINVAL, "reverse, case 0: lead, one more leading axis on operand 0, element [0,0,0]:");
}

/* ---- descriptors and cases ------------------------------------------------------------------- */

static tl_tensor cos_call(const tl_tensor *in)
{
    return tl_cos(in[0]);
}

Test(check_op, what_cannot_be_checked)
{
    static const tl_case uncalled = {1, {{1, {3}}}, {TL_ANY}, 0, NULL},
                         elsewhere = {1, {{1, {3}}}, {TL_ANY}, 0, cos_call},
                         shapeless = {1, {{1, {-3}}}, {TL_ANY}, 0, planted_call};
    plant_cube();
    planted.cases = &uncalled;
    found(TL_EINVAL, "cube, case 0: want 1 to 4 operands, and a call");
    planted.cases = &elsewhere;
    found(TL_EINVAL, "cube, case 0: tl_check_op: the case does not record cube");
    planted.cases = &shapeless;
    found(TL_ESHAPE, "cube, case 0: operand 0 has an invalid or too large shape");
    planted.ncases = 0;
    found(TL_EINVAL, "cube: has no case to be checked on");
    plant_cube();
    planted.doc = "";
    found(TL_EINVAL, "cube: has no doc, or no grad_doc");
    planted.adjoint = NULL;
    found(TL_EINVAL, "cube: has no adjoint and does not say no_gradient");
    cr_assert_eq(tl_check_op(NULL, NULL, report, sizeof report), TL_EINVAL);
    cr_assert_str_eq(report, "an operation: there is no descriptor");
}

/* Allocations fail one after the other: never a verdict, never a crash. */
Test(check_op, a_lack_of_memory_is_an_error)
{
    plant_twice(RIGHT);
    planted.parts = two_parts;
    planted.apart = rows_apart;
    for (long n = 1; n < 100000; n += 1 + n / 8) {
        tl__fail_after(n);
        const int code = tl_check_op(&planted, NULL, report, sizeof report);
        tl__fail_after(0);
        if (code == TL_OK)
            return;
        cr_assert_eq(code, TL_ENOMEM, "%ld: %d, %s", n, code, report);
    }
    cr_assert_fail("never enough memory");
}
