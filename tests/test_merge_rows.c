/* test_merge_rows.c -- rows of one index added up, against scatter_add; and which gradients are
 * rows. */
#include "ops/merge_rows.h"

#include "ops/ops.h"
#include "tests/check.h"

#include <stdlib.h>
#include <string.h>

enum { N = 300, E = 5, V = 40 };

/* The first of each index has the bits of scatter_add's row, the others are zero; rows may lie
 * anyhow. */
static void hold_equal(tl_dtype dtype, int transposed)
{
    tl_tape *tape = check_tape(1);
    tl_tensor src = transposed ? tl_transpose(check_random(tape, dtype, tl_shape2(E, N), 1), 0, 1)
                               : check_random(tape, dtype, tl_shape2(N, E), 1);
    int32_t idx[N], first[V];
    memset(first, 0xff, sizeof first);
    for (int i = 0; i < N; i++)
        idx[i] = (int32_t)(i * (int64_t)i % V);
    tl_tensor at = tl_input_i32(tape, tl_shape1(N), idx);
    double *merged = check_values(tl__merge_rows(src, at)),
           *sum = check_values(tl_scatter_add(src, at, V));
    cr_assert(merged && sum, "%s", tl_tape_error(tape));
    for (int i = 0; i < N; i++) {
        const int is_first = first[idx[i]] < 0;
        if (is_first)
            first[idx[i]] = i;
        for (int e = 0; e < E; e++) {
            const double want = is_first ? sum[idx[i] * E + e] : 0;
            cr_assert_eq(memcmp(&merged[i * E + e], &want, sizeof want), 0, "row %d", i);
        }
    }
    free(merged);
    free(sum);
    tl_tape_free(tape);
}

Test(merge_rows, the_bits_of_scatter_add)
{
    hold_equal(TL_F32, 0);
    hold_equal(TL_F64, 0);
    hold_equal(TL_F32, 1);
    hold_equal(TL_F64, 1);
}

/* Indices of any value, and rows of any rank. */
Test(merge_rows, any_index)
{
    const int32_t idx[5] = {INT32_MIN, INT32_MAX, 0, INT32_MAX, INT32_MIN};
    const double want[5] = {1 + 5, 2 + 4, 3, 0, 0}, src[5] = {1, 2, 3, 4, 5};
    tl_tape *tape = check_tape(1);
    tl_tensor at = tl_input_i32(tape, tl_shape1(5), idx);
    assert_tensor(tl__merge_rows(tl_input_f64(tape, tl_shape1(5), src), at), 5, want, 0, 0);
    assert_tensor(tl__merge_rows(tl_input_f64(tape, tl_shape3(5, 1, 1), src), at), 5, want, 0, 0);
    tl_tensor none = tl__merge_rows(tl_zeros(tape, TL_F64, tl_shape2(0, 2)),
                                    tl_zeros(tape, TL_I32, tl_shape1(0)));
    assert_tensor(none, 0, want, 0, 0);
    tl_tape_free(tape);
}

Test(merge_rows, what_does_not_fit)
{
    for (int k = 0; k < 4; k++) {
        tl_tape *tape = check_tape(1);
        tl__merge_rows(tl_zeros(tape, k == 0 ? TL_I32 : TL_F64, tl_shape2(3, 2)),
                       tl_zeros(tape, k == 1 ? TL_F64 : TL_I32,
                                k == 2   ? tl_shape1(2)
                                : k == 3 ? tl_shape2(3, 2)
                                         : tl_shape1(3)));
        assert_fails(tape, k < 2 ? TL_EDTYPE : TL_ESHAPE, "merge_rows: got");
        tl_tape_free(tape);
    }
}

/* Gradients of look-ups are rows, also of several and with other axes; nothing else is, nor what
 * has been computed already. */
Test(merge_rows, gradients_that_are_rows)
{
    tl_tape *tape = check_tape(1);
    tl_tensor w = check_random(tape, TL_F64, tl_shape2(V, E), 1), src, idx, g;
    tl_tensor i = tl_reshape(check_random(tape, TL_I32, tl_shape1(6), 2), tl_shape2(2, 3));
    tl_tensor one = tl_sum_all(tl_square(tl_gather(w, i)));
    tl_grad(1, &one, NULL, 1, &w, &g);
    cr_assert(tl__rows_of(g, &src, &idx));
    assert_same(tl_scatter_add(src, idx, V), g, 0, 0);
    cr_assert(!tl__rows_of(g, &src, &idx), "it has been computed");

    tl_tensor two = tl_add(tl_sum_all(tl_square(tl_gather(w, i))),
                           tl_sum_all(tl_square(tl_embedding(w, tl_reshape(i, tl_shape1(6)), 3))));
    tl_grad(1, &two, NULL, 1, &w, &g);
    cr_assert(tl__rows_of(g, &src, &idx));
    cr_assert_eq(tl_dim(idx, 0), 12);
    assert_same(tl_scatter_add(src, idx, V), g, 1e-14, 1e-14);

    tl_tensor tied = tl_add(two, tl_sum_all(tl_square(w)));
    tl_grad(1, &tied, NULL, 1, &w, &g);
    cr_assert(!tl__rows_of(g, &src, &idx));
    cr_assert(!tl__rows_of((tl_tensor){0}, &src, &idx));
    assert_ok(tape);
    tl_tape_free(tape);
}
