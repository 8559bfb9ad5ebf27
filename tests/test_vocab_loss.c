/* test_vocab_loss.c -- the loss whose logits are never all there, against the one that has them. */
#include "ops/ops.h"

#include "core/memory.h"
#include "core/run.h"
#include "tests/check.h"

#include <math.h>
#include <stdlib.h>

enum { N = 7, H = 5, V = 23 };

/* operands -- h, w, b of a tape. */
typedef struct operands {
    tl_tensor h, w, b, c;
} operands;

static operands operands_of(tl_tape *tape, tl_dtype dtype)
{
    const int32_t c[N] = {0, 22, -1, 3, 3, -1, 16};
    return (operands){check_random(tape, dtype, tl_shape2(N, H), 1),
                      check_random(tape, dtype, tl_shape2(V, H), 2),
                      check_random(tape, dtype, tl_shape1(V), 3),
                      tl_input_i32(tape, tl_shape1(N), c)};
}

static tl_tensor whole(operands o, tl_tensor b)
{
    return tl_cross_entropy(tl_linear(o.h, o.w, b), o.c, -1);
}

/* curved -- a number that depends on all gradients. */
static tl_tensor curved(int n, const tl_tensor *g)
{
    tl_tensor sum = tl_sum_all(tl_square(g[0]));
    for (int i = 1; i < n; i++)
        sum = tl_add(sum, tl_sum_all(tl_mul(tl_square(g[i]), g[i])));
    return sum;
}

/* Every chunk, with and without bias: loss, gradients, gradients of a function of those. */
Test(vocab_loss, equals_the_whole_form)
{
    for (int64_t chunk = 1; chunk <= V + 1; chunk++)
        for (int bias = 0; bias < 2; bias++) {
            tl_tape *tape = check_tape(1);
            operands o = operands_of(tape, TL_F64);
            const tl_tensor b = bias ? o.b : (tl_tensor){0}, in[3] = {o.h, o.w, o.b};
            const int n = 2 + bias;
            tl_tensor loss[2] = {whole(o, b), tl_linear_cross_entropy(o.h, o.w, b, o.c, -1, chunk)};
            tl_tensor g[2][3], gg[2][3];
            for (int k = 0; k < 2; k++) {
                tl_grad(1, &loss[k], NULL, n, in, g[k]);
                tl_tensor y = curved(n, g[k]);
                tl_grad(1, &y, NULL, n, in, gg[k]);
            }
            assert_same(loss[1], loss[0], 1e-14, 1e-14);
            for (int i = 0; i < n; i++) {
                assert_same(g[1][i], g[0][i], 1e-12, 1e-13);
                assert_same(gg[1][i], gg[0][i], 1e-11, 1e-12);
            }
            assert_ok(tape);
            tl_tape_free(tape);
        }
}

/* positive -- the classes, those to be left out being 3. */
static tl_tensor positive(tl_tensor c)
{
    tl_tensor three = tl_scalar(c.tape, TL_I32, 3), zero = tl_scalar(c.tape, TL_I32, 0);
    return tl_where(tl_less(c, zero), three, c);
}

Test(vocab_loss, f32_and_rows_of_any_rank)
{
    tl_tape *tape = check_tape(1);
    operands o = operands_of(tape, TL_F32);
    tl_tensor h = tl_reshape(tl_slice(o.h, 0, 1, 6), tl_shape3(2, 3, H)),
              c = tl_reshape(tl_slice(o.c, 0, 1, 6), tl_shape2(2, 3));
    assert_same(tl_linear_cross_entropy(h, o.w, o.b, c, -1, 4),
                tl_cross_entropy(tl_linear(h, o.w, o.b), c, -1), 1e-6, 1e-6);
    /* a class may be the label that is left out: 3 is the class of two rows */
    assert_same(tl_linear_cross_entropy(o.h, o.w, o.b, tl_check_range(positive(o.c), 0, V), 3, 4),
                tl_cross_entropy(tl_linear(o.h, o.w, o.b), positive(o.c), 3), 1e-6, 1e-6);
    tl_tape_free(tape);
}

Test(vocab_loss, nothing_to_learn_from)
{
    const int32_t skipped[N] = {5, 5, 5, 5, 5, 5, 5};
    tl_tape *tape = check_tape(1);
    operands o = operands_of(tape, TL_F64);
    tl_tensor g, loss = tl_linear_cross_entropy(o.h, o.w, o.b,
                                                tl_input_i32(tape, tl_shape1(N), skipped), 5, 4);
    cr_assert_eq(tl_item(loss), 0);
    tl_grad(1, &loss, NULL, 1, &o.w, &g);
    assert_same(g, tl_zeros(tape, TL_F64, tl_shape2(V, H)), 0, 0);
    tl_tensor none = tl_zeros(tape, TL_F64, tl_shape2(0, H));
    cr_assert_eq(tl_item(tl_linear_cross_entropy(none, o.w, o.b, tl_slice(o.c, 0, 0, 0), -1, 4)),
                 0);
    assert_ok(tape);
    tl_tape_free(tape);
}

/* Logits far apart, of either sign and in any order of blocks, infinite ones and NaN: as the whole
 * form has it. */
Test(vocab_loss, extreme_logits)
{
    const double big[V] = {-1e30, 3, 1e30, 1e30, -7};
    for (int way = 0; way < 6; way++) {
        tl_tape *tape = check_tape(1);
        operands o = operands_of(tape, TL_F64);
        double b[V];
        for (int v = 0; v < V; v++)
            b[v] = way == 0   ? 1000.0 * (v - 11)
                   : way == 1 ? -1000.0 * (v - 11)
                   : way == 2 ? big[v]
                   : way == 3 ? -CHECK_INF
                   : way == 4 ? (v == 9 ? CHECK_NAN : 0)
                              : (v == 9  ? CHECK_INF
                                 : v < 4 ? -CHECK_INF
                                         : 0);
        o.b = tl_input_f64(tape, tl_shape1(V), b);
        tl_tensor loss[2] = {whole(o, o.b), tl_linear_cross_entropy(o.h, o.w, o.b, o.c, -1, 4)};
        tl_tensor g[2];
        assert_same(loss[1], loss[0], 1e-13, 1e-13);
        for (int k = 0; k < 2; k++)
            tl_grad(1, &loss[k], NULL, 1, &o.h, &g[k]);
        if (way < 3)
            assert_same(g[1], g[0], 1e-12, 1e-12);
        tl_tape_free(tape);
    }
}

Test(vocab_loss, a_class_outside)
{
    const int32_t c[N] = {0, 1, 2, V, 3, 4, 5};
    tl_tape *tape = check_tape(1);
    operands o = operands_of(tape, TL_F64);
    tl_item(tl_linear_cross_entropy(o.h, o.w, o.b, tl_input_i32(tape, tl_shape1(N), c), -1, 4));
    assert_fails(tape, TL_ERANGE, "cross_entropy");
    cr_assert(strstr(tl_tape_error(tape), "23"), "%s", tl_tape_error(tape));
    tl_tape_free(tape);
}

Test(vocab_loss, what_does_not_fit)
{
    for (int k = 0; k < 8; k++) {
        tl_tape *tape = check_tape(1);
        operands o = operands_of(tape, TL_F64);
        tl_tensor t[4] = {o.h, o.w, o.b, o.c};
        int64_t chunk = 4;
        int code = TL_ESHAPE;
        if (k < 4)
            t[k] = tl_slice(t[k], 0, 0, 2);
        else if (k < 7)
            t[k - 4] = tl_cast(t[k - 4], TL_F32);
        else
            chunk = -1;
        code = k < 4 ? TL_ESHAPE : k < 7 ? TL_EDTYPE : TL_ERANGE;
        cr_assert_null(tl_linear_cross_entropy(t[0], t[1], t[2], t[3], -1, chunk).tape);
        assert_fails(tape, code, "linear_cross_entropy: got");
        tl_tape_free(tape);
    }
    cr_assert_null(tl_linear_cross_entropy((tl_tensor){0}, (tl_tensor){0}, (tl_tensor){0},
                                           (tl_tensor){0}, -1, 0)
                       .tape);
}

/* No [N,V] array, forward or backward, in a slab or beside it. */
Test(vocab_loss, memory)
{
    enum { ROWS = 256, WIDTH = 8, CLASSES = 65536 };
    const size_t logits = (size_t)ROWS * CLASSES * sizeof(float);
    size_t bytes[2];
    for (int k = 0; k < 2; k++) {
        tl_tape *tape = check_tape(1);
        tl_params *set = tl_params_new(TL_F32);
        tl_param *w = tl_param_new(set, "w", tl_shape2(CLASSES, WIDTH), NULL);
        tl_tensor h = check_random(tape, TL_F32, tl_shape2(ROWS, WIDTH), 1),
                  c = tl_cast(tl_scale(tl_rand(tape, TL_F32, tl_shape1(ROWS)), 65000), TL_I32);
        tl_tensor none = {0}, u = tl_use(tape, w);
        tl_tensor loss = k ? tl_linear_cross_entropy(h, u, none, c, -1, 0)
                           : tl_cross_entropy(tl_linear(h, u, none), c, -1);
        cr_assert_eq(tl_backward(loss), TL_OK);
        cr_assert_eq(tl_commit(tape), TL_OK, "%s", tl_tape_error(tape));
        bytes[k] = tl__run_stats(tape).slab_bytes;
        tl_tape_free(tape);
        tl_params_free(set);
    }
    cr_assert(bytes[0] > logits, "%zu", bytes[0]);
    cr_assert(bytes[1] < logits / 3, "%zu of %zu", bytes[1], logits);
}
