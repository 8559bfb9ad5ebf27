/* test_matmul.c -- contractions: shapes, labels, products against plain loops, gradients, one more
 * leading axis. */
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

TestSuite(matmul, .init = tape_open, .fini = tape_close);

static tl_tensor some(tl_shape s, double *keep)
{
    numbers(tl_shape_count(s), keep);
    for (int64_t i = 0; i < tl_shape_count(s); i++)
        keep[i] += s.rank + 0.01 * (double)s.dim[0];
    return tl_input_f64(tape, s, keep);
}

/* product -- c[i,j] = sum over k of a[i,k] b[k,j], element (i,j) of x at x[i*rs + j*cs]. */
static void product(int m, int n, int k, const double *a, int ars, int acs, const double *b,
                    int brs, int bcs, double *c)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double s = 0;
            for (int p = 0; p < k; p++)
                s += a[i * ars + p * acs] * b[p * brs + j * bcs];
            c[i * n + j] = s;
        }
}

Test(matmul, matrices)
{
    double a[15], b[20], at[15], bt[20], c[12];
    tl_tensor ta = some(tl_shape2(3, 5), a), tb = some(tl_shape2(5, 4), b);
    product(3, 4, 5, a, 5, 1, b, 4, 1, c);
    expect_array(tl_matmul(ta, tb), tl_shape2(3, 4), c);
    for (int i = 0; i < 15; i++)
        at[i % 5 * 3 + i / 5] = a[i];
    for (int i = 0; i < 20; i++)
        bt[i % 4 * 5 + i / 4] = b[i];
    tl_tensor tat = tl_input_f64(tape, tl_shape2(5, 3), at),
              tbt = tl_input_f64(tape, tl_shape2(4, 5), bt);
    expect_array(tl_matmul_t(tat, 1, tb, 0), tl_shape2(3, 4), c);
    expect_array(tl_matmul_t(ta, 0, tbt, 1), tl_shape2(3, 4), c);
    expect_array(tl_matmul_t(tat, 1, tbt, 1), tl_shape2(3, 4), c);
    expect_array(tl_matmul(tl_transpose(tat, 0, 1), tl_transpose(tbt, 0, 1)), tl_shape2(3, 4), c);
}

Test(matmul, vectors)
{
    double a[3], b[3], w[12], c[4];
    tl_tensor ta = some(tl_shape1(3), a), tb = some(tl_shape1(3), b), tw = some(tl_shape2(3, 4), w);
    expect(tl_matmul(ta, tb), tl_shape0(), a[0] * b[0] + a[1] * b[1] + a[2] * b[2]);
    expect(tl_dot(ta, tb), tl_shape0(), a[0] * b[0] + a[1] * b[1] + a[2] * b[2]);
    product(1, 4, 3, a, 0, 1, w, 4, 1, c);
    expect_array(tl_matmul(ta, tw), tl_shape1(4), c);
    expect_array(tl_matmul_t(tw, 1, ta, 0), tl_shape1(4), c);
    double outer[9];
    product(3, 3, 1, a, 1, 0, b, 0, 1, outer);
    expect_array(tl_outer(ta, tb), tl_shape2(3, 3), outer);
}

Test(matmul, leading_axes_broadcast)
{
    double a[2 * 1 * 3 * 4], b[5 * 4 * 2], c[2 * 5 * 3 * 2];
    tl_tensor ta = some(tl_shape4(2, 1, 3, 4), a), tb = some(tl_shape3(5, 4, 2), b);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 5; j++)
            product(3, 2, 4, a + i * 12, 4, 1, b + j * 8, 2, 1, c + (i * 5 + j) * 6);
    expect_array(tl_matmul(ta, tb), tl_shape4(2, 5, 3, 2), c);

    double x[2 * 3 * 4], w[4 * 2], y[2 * 3 * 2]; /* all of x's leading axes are rows */
    tl_tensor tx = some(tl_shape3(2, 3, 4), x), tw = some(tl_shape2(4, 2), w);
    product(6, 2, 4, x, 4, 1, w, 2, 1, y);
    expect_array(tl_matmul(tx, tw), tl_shape3(2, 3, 2), y);

    double p[2 * 3 * 4], q[2 * 4 * 2], r[2 * 3 * 2]; /* a batch */
    tl_tensor tp = some(tl_shape3(2, 3, 4), p), tq = some(tl_shape3(2, 4, 2), q);
    for (int i = 0; i < 2; i++)
        product(3, 2, 4, p + i * 12, 4, 1, q + i * 8, 2, 1, r + i * 6);
    expect_array(tl_matmul(tp, tq), tl_shape3(2, 3, 2), r);
}

Test(matmul, linear)
{
    double x[2 * 3 * 4], w[5 * 4], b[5], y[6 * 5];
    tl_tensor tx = some(tl_shape3(2, 3, 4), x), tw = some(tl_shape2(5, 4), w),
              tb = some(tl_shape1(5), b);
    product(6, 5, 4, x, 4, 1, w, 1, 4, y);
    expect_array(tl_linear(tx, tw, (tl_tensor){0}), tl_shape3(2, 3, 5), y);
    for (int i = 0; i < 30; i++)
        y[i] += b[i % 5];
    expect_array(tl_linear(tx, tw, tb), tl_shape3(2, 3, 5), y);
}

Test(matmul, contract_by_letters)
{
    double a[2 * 3 * 4], b[4 * 3 * 5], c[2 * 5];
    tl_tensor ta = some(tl_shape3(2, 3, 4), a), tb = some(tl_shape3(4, 3, 5), b);
    for (int i = 0; i < 2; i++)
        for (int n = 0; n < 5; n++) {
            c[i * 5 + n] = 0;
            for (int j = 0; j < 3; j++)
                for (int k = 0; k < 4; k++)
                    c[i * 5 + n] += a[(i * 3 + j) * 4 + k] * b[(k * 3 + j) * 5 + n];
        }
    expect_array(tl_contract(ta, tb, "ijk,kjn->in"), tl_shape2(2, 5), c);
    double t[10];
    for (int i = 0; i < 10; i++)
        t[i % 5 * 2 + i / 5] = c[i];
    expect_array(tl_contract(ta, tb, "Ijk,kjN->NI"), tl_shape2(5, 2), t);
}

Test(matmul, nothing_to_sum)
{
    tl_tensor y =
        tl_matmul(tl_zeros(tape, TL_F64, tl_shape2(2, 0)), tl_zeros(tape, TL_F64, tl_shape2(0, 3)));
    expect(y, tl_shape2(2, 3), 0, 0, 0, 0, 0, 0);
}

/* y = x w' + b with cotangent g:  dx = g w,  dw = g' x,  db = sum of g over rows */
Test(matmul, gradients_of_linear)
{
    double x[2 * 3 * 4], w[5 * 4], b[5], g[6 * 5], dx[24], dw[20], db[5] = {0};
    tl_tensor in[3] = {some(tl_shape3(2, 3, 4), x), some(tl_shape2(5, 4), w),
                       some(tl_shape1(5), b)},
              d[3];
    tl_tensor seed = some(tl_shape3(2, 3, 5), g), y = tl_linear(in[0], in[1], in[2]);
    cr_assert_eq(tl_grad(1, &y, &seed, 3, in, d), TL_OK);
    product(6, 4, 5, g, 5, 1, w, 4, 1, dx);
    product(5, 4, 6, g, 1, 5, x, 4, 1, dw);
    for (int i = 0; i < 30; i++)
        db[i % 5] += g[i];
    expect_array(d[0], tl_shape3(2, 3, 4), dx);
    expect_array(d[1], tl_shape2(5, 4), dw);
    expect_array(d[2], tl_shape1(5), db);
}

Test(matmul, gradients_where_an_operand_was_repeated)
{
    double a[4 * 3], b[5 * 3 * 2], g[5 * 4 * 2], da[12] = {0}, part[12];
    tl_tensor in[2] = {some(tl_shape3(1, 4, 3), a), some(tl_shape3(5, 3, 2), b)}, d[2];
    tl_tensor seed = some(tl_shape3(5, 4, 2), g), y = tl_matmul(in[0], in[1]);
    cr_assert_eq(tl_grad(1, &y, &seed, 2, in, d), TL_OK);
    double db[30];
    for (int i = 0; i < 5; i++) {
        product(4, 3, 2, g + i * 8, 2, 1, b + i * 6, 1, 2, part); /* g b' */
        for (int j = 0; j < 12; j++)
            da[j] += part[j];
        product(3, 2, 4, a, 1, 3, g + i * 8, 2, 1, db + i * 6); /* a' g */
    }
    expect_array(d[0], tl_shape3(1, 4, 3), da);
    expect_array(d[1], tl_shape3(5, 3, 2), db);
}

/* asks the shape rule what a contraction with these labels gives */
static int shape_of(const int64_t *labels, int n, const tl_shape *in, tl_shape *out)
{
    const tl_dtype dtype[2] = {TL_F32, TL_F32};
    const tl_attr attr = {n, labels, 0, NULL};
    tl_infer q = {.op = &tl_op_contract, .nin = 2, .in = in, .in_dtype = dtype, .attr = &attr};
    int code = tl_op_contract.shape(&q);
    *out = q.shape;
    return code;
}

Test(matmul, one_more_leading_axis)
{
    enum { K, M, N };
    const int64_t labels[] = {2, M, K, 2, K, N, 2, M, N};
    const tl_attr attr = {9, labels, 0, NULL};
    const tl_shape before[2] = {tl_shape2(3, 4), tl_shape2(4, 5)};
    const tl_shape lead_a[2] = {tl_shape3(7, 3, 4), tl_shape2(4, 5)};
    const tl_shape lead_b[2] = {tl_shape2(3, 4), tl_shape3(7, 4, 5)};
    const tl_shape lead_ab[2] = {tl_shape3(7, 3, 4), tl_shape3(7, 4, 5)};
    const tl_shape *after[4] = {NULL, lead_a, lead_b, lead_ab};
    for (uint32_t led = 1; led < 4; led++) {
        tl_lead q = {.attr = &attr, .nin = 2, .in = before, .led = led, .ni = 9};
        memcpy(q.i, labels, sizeof labels);
        cr_assert_eq(tl_op_contract.lead(&q), 1);
        tl_shape out;
        cr_assert_eq(shape_of(q.i, q.ni, after[led], &out), TL_OK);
        cr_assert(tl_shape_equal(out, tl_shape3(7, 3, 5)));
    }
    tl_lead none = {.attr = &attr, .nin = 2, .in = before, .led = 0, .ni = 9};
    cr_assert_eq(tl_op_contract.lead(&none), 0);
}

Test(matmul, messages)
{
    tl_tensor none = {0};
#define ZEROS(...) tl_zeros(tape, TL_F32, __VA_ARGS__)
    tl_matmul(ZEROS(tl_shape2(32, 100)), ZEROS(tl_shape2(128, 512)));
    expect_error(tape, TL_ESHAPE, "matmul: got [32,100] x [128,512], want [m,k] x [k,n]");
    tl_matmul_t(ZEROS(tl_shape2(100, 32)), 1, ZEROS(tl_shape3(2, 512, 128)), 1);
    expect_error(tape, TL_ESHAPE, "matmul_t: got [100,32] x [2,512,128], want [k,m] x [...,n,k]");
    tl_matmul(ZEROS(tl_shape3(2, 3, 4)), ZEROS(tl_shape3(3, 4, 5)));
    expect_error(tape, TL_ESHAPE, "matmul: got [2,3,4] x [3,4,5], want [...,m,k] x [...,k,n]");
    tl_matmul(ZEROS(tl_shape0()), ZEROS(tl_shape1(3)));
    expect_error(tape, TL_ESHAPE, "matmul: got [] x [3]");
    tl_linear(ZEROS(tl_shape3(35, 20, 100)), ZEROS(tl_shape2(512, 128)), ZEROS(tl_shape1(512)));
    expect_error(tape, TL_ESHAPE,
                 "linear: got x [35,20,100], w [512,128], b [512], want x [...,I], w [H,I], b [H]");
    tl_linear(ZEROS(tl_shape2(20, 128)), ZEROS(tl_shape1(128)), none);
    expect_error(tape, TL_ESHAPE, "linear: got x [20,128], w [128], b none, want");
    tl_dot(ZEROS(tl_shape1(3)), ZEROS(tl_shape1(4)));
    expect_error(tape, TL_ESHAPE, "dot: got [3] x [4], want [k] x [k]");
    tl_contract(ZEROS(tl_shape3(35, 20, 100)), ZEROS(tl_shape2(512, 128)), "tbi,hi->tbh");
    expect_error(tape, TL_ESHAPE, "contract: got [35,20,100] x [512,128], want [m0,m1,k] x [n,k]");
    tl_matmul(ZEROS(tl_shape2(3, 4)), tl_zeros(tape, TL_F64, tl_shape2(4, 5)));
    expect_error(tape, TL_EDTYPE, "got f32 x f64, want f32 x f32 or f64 x f64");
    const char *bad[] = {"ij,jk", "ij,jk->i",   "ii,ij->j", "ij,jk->ik ",
                         "",      "ij,jk->ikl", "i1,1j->ij"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tl_contract(ZEROS(tl_shape2(3, 4)), ZEROS(tl_shape2(4, 5)), bad[i]);
        expect_error(tape, TL_EINVAL, "contract: got labels");
    }
    cr_assert_not(tl_linear(none, none, none).tape);
}
