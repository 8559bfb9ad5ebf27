/* test_lay.c -- weights that lie as products read them: which are chosen, that bits stay, that new
 * versions are seen. */
#include "core/frozen.h"
#include "core/lay.h"
#include "core/scan.h"
#include "ops/ops.h"
#include "tests/programtest.h"

enum { I = 3, N = 20, T = 4 };

/* laid_count -- how many leaves the program of a session keeps turned. */
static int laid_count(const tl_session *s)
{
    const tl_program *p = tl_session_program(s);
    int n = 0;
    for (uint32_t k = 0; k < p->nleaves; k++)
        n += p->leaf[k].laid != NULL;
    return n;
}

/* expect -- outputs of a program over x and w have the tape's bits, with so many leaves laid. */
static void expect(tl_tape *tape, int count, int n, const tl_tensor *y)
{
    tl_program *p = tl_program_new(tape, NULL);
    static const char *const name[] = {"a", "b", "c"};
    for (int i = 0; i < n; i++)
        cr_assert_eq(tl_program_output(p, name[i], y[i]), TL_OK);
    tl_session *s = session_of(p);
    cr_assert_eq(laid_count(s), count);
    step(s);
    for (int i = 0; i < n; i++)
        agrees(s, name[i], y[i]);
    tl_session_free(s);
    tl_tape_free(tape);
}

Test(lay, a_matrix_that_products_read_across_is_turned)
{
    tl_tape *tape = check_tape(1);
    tl_tensor x = check_random(tape, TL_F64, tl_shape2(2, I), 1),
              w = check_random(tape, TL_F64, tl_shape2(N, I), 2);
    const tl_tensor y[] = {tl_matmul_t(x, 0, w, 1), tl_linear(tl_exp(x), w, (tl_tensor){0})};
    expect(tape, 1, 2, y);
    tape = check_tape(1); /* in a loop, too */
    w = check_random(tape, TL_F32, tl_shape2(N, N), 2);
    tl_scan scan = tl_scan_open(tape, T, NULL);
    tl_tensor h = tl_scan_carry(scan, tl_ones(tape, TL_F32, tl_shape2(1, N)));
    tl_scan_next(scan, h, tl_tanh(tl_matmul_t(h, 0, w, 1)));
    tl_scan_close(scan);
    tl_tensor last = tl_cast(tl_scan_last(scan, h), TL_F64);
    expect(tape, 1, 1, &last);
}

Test(lay, one_that_lies_right_or_is_read_otherwise_stays)
{
    tl_tape *tape = check_tape(1);
    tl_tensor x = check_random(tape, TL_F64, tl_shape2(2, I), 1),
              w = check_random(tape, TL_F64, tl_shape2(I, N), 2), y = tl_matmul(x, w);
    expect(tape, 0, 1, &y);
    for (int k = 0; k < 4; k++) {
        tape = check_tape(1);
        x = check_random(tape, TL_F64, tl_shape2(2, I), 1);
        w = check_random(tape, TL_F64, tl_shape2(N, I), 2);
        const tl_tensor other[] = {tl_matmul(tl_ones(tape, TL_F64, tl_shape2(2, N)), w), tl_exp(w),
                                   tl_transpose(w, 0, 1), tl_sum_all(w)};
        const tl_tensor both[] = {tl_matmul_t(x, 0, w, 1), other[k]};
        expect(tape, 0, 2, both);
    }
}

Test(lay, vectors_and_inputs_stay)
{
    tl_tape *tape = check_tape(1);
    tl_tensor x = check_random(tape, TL_F64, tl_shape2(2, I), 1),
              w = check_random(tape, TL_F64, tl_shape2(1, I), 2), y = tl_matmul_t(x, 0, w, 1);
    expect(tape, 0, 1, &y);
    tape = check_tape(1);
    x = check_random(tape, TL_F64, tl_shape2(2, I), 1);
    w = check_random(tape, TL_F64, tl_shape2(N, I), 2);
    tl_program *p = tl_program_new(tape, NULL);
    tl_program_input(p, "w", w);
    tl_program_output(p, "y", tl_matmul_t(x, 0, w, 1));
    tl_session *s = session_of(p);
    cr_assert_eq(laid_count(s), 0);
    tl_session_free(s);
    tl_tape_free(tape);
}

Test(lay, a_matrix_that_is_an_output_too_is_given_as_it_is)
{
    tl_tape *tape = check_tape(1);
    tl_tensor x = check_random(tape, TL_F64, tl_shape2(2, I), 1),
              w = check_random(tape, TL_F64, tl_shape2(N, I), 2);
    const tl_tensor y[] = {tl_matmul_t(x, 0, w, 1), w};
    expect(tape, 1, 2, y);
}

Test(lay, a_copy_is_made_again_for_each_version_and_once_for_all_sessions)
{
    tl_tape *tape = check_tape(1);
    tl_params *set = tl_params_new(TL_F64);
    tl_param *w = tl_param_new(set, "w", tl_shape2(N, I), NULL);
    tl_tensor x = check_random(tape, TL_F64, tl_shape2(2, I), 1),
              y = tl_matmul_t(x, 0, tl_use(tape, w), 1);
    tl_program *p = tl_program_new(tape, NULL);
    tl_program_output(p, "y", y);
    cr_assert_eq(tl_program_close(p, NULL), TL_OK);
    tl_session *s[2] = {tl_session_new(p, NULL), tl_session_new(p, NULL)};
    cr_assert_eq(laid_count(s[0]), 1);
    for (int k = 0; k < 3; k++) {
        double v[N * I];
        for (int i = 0; i < N * I; i++)
            v[i] = sin(i + k);
        tl_param_set_f64(w, v, N * I);
        tl_tensor now =
            tl_matmul_t(check_random(tape, TL_F64, tl_shape2(2, I), 1), 0, tl_use(tape, w), 1);
        step(s[k % 2]);
        agrees(s[k % 2], "y", now);
        cr_assert_not(tl__lay_is_old(p->leaf[0].laid ? p->leaf[0].laid : p->leaf[1].laid));
        step(s[!(k % 2)]);
        agrees(s[!(k % 2)], "y", now);
    }
    tl_session_free(s[0]);
    tl_session_free(s[1]);
    tl_program_free(p);
    tl_tape_free(tape);
    tl_params_free(set);
}

Test(lay, turning_is_a_transposition)
{
    static const int64_t size[][2] = {{2, 2}, {16, 16}, {17, 3}, {3, 33}, {40, 50}};
    for (size_t c = 0; c < sizeof size / sizeof *size; c++) {
        const int64_t n = size[c][0], k = size[c][1];
        float from[2000];
        for (int i = 0; i < 2000; i++)
            from[i] = (float)i;
        tl_laid l = {.dtype = TL_F32, .n = n, .k = k};
        l.copy = tl__buf_new((size_t)(n * k) * sizeof *from);
        tl__lay_turn(&l, from);
        const float *to = l.copy->data;
        const tl_layout layout = tl__lay_strides(n);
        for (int64_t i = 0; i < n; i++)
            for (int64_t p = 0; p < k; p++)
                cr_assert_eq((int)to[i * layout.stride[0] + p * layout.stride[1]],
                             (int)(i * k + p));
        tl__buf_unref(l.copy);
    }
}
