/* test_fuse.c -- which values share an instruction, read off the plan's text; and that sharing
 * changes no bit. */
#include "core/memory.h"
#include "core/run.h"
#include "core/scan.h"
#include "core/space.h"
#include "ops/ops.h"
#include "tests/check.h"

#include <stdlib.h>
#include <string.h>

static int count_of(const char *text, const char *words)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, words)) != NULL; p += strlen(words))
        n++;
    return n;
}

/* tiles_of -- how many tile instructions the plan of these values has; -1 after an error. */
static int tiles_of(tl_tape *tape, int n, const tl_tensor *t)
{
    if (tl_eval(n, t))
        return -1;
    char *text = tl__plan_dump(tape);
    int tiles = text ? count_of(text, "tile  ") : -1;
    tl__free(text);
    return tiles;
}

Test(fuse, a_chain_is_one_pass)
{
    tl_tape *tape = check_tape(1);
    tl_tensor a = check_random(tape, TL_F32, tl_shape2(9, 7), 1),
              b = check_random(tape, TL_F32, tl_shape1(7), 2);
    tl_tensor y = tl_mul(tl_tanh(tl_add_scalar(tl_mul(a, b), 0.5)), tl_sigmoid(a));
    cr_assert_eq(tiles_of(tape, 1, &y), 1, "%s", tl_tape_error(tape));
    tl_tape_free(tape);
}

Test(fuse, several_results_of_one_shape_are_one_pass)
{
    tl_tape *tape = check_tape(1);
    tl_tensor a = check_random(tape, TL_F64, tl_shape2(4, 6), 1),
              b = check_random(tape, TL_F64, tl_shape2(4, 6), 2);
    const tl_tensor y[] = {tl_add(a, b), tl_mul(a, b), tl_sin(tl_sub(a, b))};
    cr_assert_eq(tiles_of(tape, 3, y), 1);
    tl_tape_free(tape);
}

Test(fuse, a_product_between_cuts_the_chain)
{
    tl_tape *tape = check_tape(1);
    tl_tensor a = check_random(tape, TL_F64, tl_shape2(5, 5), 1);
    tl_tensor e = tl_exp(a), y = tl_add(tl_matmul(e, e), tl_tanh(e));
    cr_assert_eq(tiles_of(tape, 1, &y), 2);
    tl_tape_free(tape);
}

Test(fuse, a_transposed_reader_waits_for_the_whole_value)
{
    tl_tape *tape = check_tape(1);
    tl_tensor a = check_random(tape, TL_F64, tl_shape2(5, 5), 1);
    tl_tensor e = tl_exp(a), y = tl_add(e, tl_transpose(e, 0, 1));
    cr_assert_eq(tiles_of(tape, 1, &y), 2);
    double *x = check_values(a), *got = check_values(y);
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 5; j++)
            cr_assert(fabs(got[5 * i + j] - exp(x[5 * i + j]) - exp(x[5 * j + i])) < 1e-12);
    free(x);
    free(got);
    tl_tape_free(tape);
}

Test(fuse, axes_of_extent_one_do_not_matter)
{
    tl_tape *tape = check_tape(1);
    tl_tensor a = check_random(tape, TL_F64, tl_shape2(4, 6), 1);
    tl_tensor y = tl_tanh(tl_reshape(tl_exp(a), tl_shape3(4, 1, 6)));
    cr_assert_eq(tiles_of(tape, 1, &y), 1);
    tl_tape_free(tape);
}

Test(fuse, slices_of_a_sum_are_computed_where_they_are_read)
{
    tl_tape *tape = check_tape(1);
    enum { B = 3, H = 4 };
    tl_tensor x = check_random(tape, TL_F64, tl_shape2(B, 4 * H), 1),
              b = check_random(tape, TL_F64, tl_shape1(4 * H), 2);
    tl_no_grad_open(tape);
    tl_tensor z = tl_add(x, b);
    tl_tensor y =
        tl_mul(tl_sigmoid(tl_chunk(z, 4, 0)),
               tl_add(tl_tanh(tl_chunk(z, 4, 1)), tl_mul(tl_chunk(z, 4, 2), tl_chunk(z, 4, 3))));
    tl_no_grad_close(tape);
    cr_assert_eq(tiles_of(tape, 1, &y), 1);
    double *xv = check_values(x), *bv = check_values(b), *got = check_values(y);
    for (int r = 0; r < B; r++)
        for (int j = 0; j < H; j++) {
            double g[4];
            for (int k = 0; k < 4; k++)
                g[k] = xv[r * 4 * H + k * H + j] + bv[k * H + j];
            cr_assert(fabs(got[r * H + j] - (tanh(g[1]) + g[2] * g[3]) / (1 + exp(-g[0]))) < 1e-12);
        }
    free(xv);
    free(bv);
    free(got);
    tl_tape_free(tape);
}

Test(fuse, pieces_are_written_where_they_belong)
{
    tl_tape *tape = check_tape(1);
    tl_tensor a = check_random(tape, TL_F64, tl_shape2(3, 4), 1);
    const tl_tensor piece[] = {tl_exp(a), tl_sin(a),
                               tl_matmul(a, check_random(tape, TL_F64, tl_shape2(4, 4), 2))};
    tl_tensor y = tl_concat(3, piece, 1);
    cr_assert_eq(tl_eval(1, &y), TL_OK);
    char *text = tl__plan_dump(tape);
    cr_assert_eq(count_of(text, "copy"), 0, "%s", text);
    tl__free(text);
    tl_tape_free(tape);
}

enum { GROUPS = 120 };

Test(fuse, long_groups_are_cut_into_runs)
{
    tl_tape *tape = check_tape(1);
    tl_tensor y = check_random(tape, TL_F64, tl_shape1(100), 1);
    for (int k = 0; k < GROUPS; k++)
        y = k % 2 ? tl_sin(y) : tl_add_scalar(y, 0.1);
    double *x = check_values(y);
    int tiles = tiles_of(tape, 1, &y);
    cr_assert_neq(x, NULL);
    char *text = tl__plan_dump(tape);
    tiles = count_of(text, "tile  ");
    cr_assert(1 < tiles && tiles < 6, "%d tiles", tiles);
    tl__free(text);
    free(x);
    tl_tape_free(tape);
}

/* An LSTM as one writes it: the step is one product and one pass, the gates' wide sum never
 * touches memory, c and h stay in place. */
static tl_tensor lstm(tl_tape *tape, int64_t T, int64_t B, int64_t I, int64_t H, tl_tensor *last)
{
    tl_tensor xs = check_random(tape, TL_F32, tl_shape3(T, B, I), 1),
              w = check_random(tape, TL_F32, tl_shape2(4 * H, I), 2),
              u = check_random(tape, TL_F32, tl_shape2(4 * H, H), 3),
              b = check_random(tape, TL_F32, tl_shape1(4 * H), 4);
    tl_tensor zero = tl_zeros(tape, TL_F32, tl_shape2(B, H));
    tl_scan s = tl_scan_open(tape, T, NULL);
    tl_tensor h = tl_scan_carry(s, zero), c = tl_scan_carry(s, zero), x = tl_scan_each(s, xs);
    tl_tensor z = tl_add(tl_linear(x, w, b), tl_linear(h, u, b));
    tl_tensor i = tl_sigmoid(tl_chunk(z, 4, 0)), f = tl_sigmoid(tl_chunk(z, 4, 1));
    tl_tensor g = tl_tanh(tl_chunk(z, 4, 2)), o = tl_sigmoid(tl_chunk(z, 4, 3));
    tl_tensor c1 = tl_add(tl_mul(f, c), tl_mul(i, g)), h1 = tl_mul(o, tl_tanh(c1));
    tl_scan_next(s, h, h1);
    tl_scan_next(s, c, c1);
    tl_scan_close(s);
    if (last)
        *last = tl_scan_last(s, h);
    return last ? (tl_tensor){0} : tl_scan_stacked(s, h1);
}

/* body_of -- the lines of the plan's only loop. */
static char *body_of(tl_tape *tape)
{
    char *text = tl__plan_dump(tape), *loop = text ? strstr(text, "loop, ") : NULL,
         *from = loop ? strchr(loop, '\n') + 1 : NULL, *to = from;
    while (to && strncmp(to, "  ", 2) == 0)
        to = strchr(to, '\n') + 1;
    char *body = from ? calloc(1, (size_t)(to - from) + 1) : NULL;
    if (body)
        memcpy(body, from, (size_t)(to - from));
    tl__free(text);
    return body;
}

Test(fuse, a_step_of_an_lstm_is_one_product_and_one_pass)
{
    tl__set_period_rows(384); /* all steps of these loops are one period */
    for (int which = 0; which < 2; which++) {
        tl_tape *tape = check_tape(1);
        tl_tensor y;
        tl_no_grad_open(tape);
        if (which)
            y = lstm(tape, 6, 3, 4, 5, NULL);
        else
            lstm(tape, 6, 3, 4, 5, &y);
        tl_no_grad_close(tape);
        cr_assert_eq(tl_eval(1, &y), TL_OK, "%s", tl_tape_error(tape));
        char *body = body_of(tape);
        cr_assert_not_null(body);
        cr_assert_eq(count_of(body, "contract  contract"), 1, "%s", body);
        cr_assert_eq(count_of(body, "tile "), 1, "%s", body);
        cr_assert_eq(count_of(body, "\n"), 2, "%s", body);
        free(body);
        tl_tape_free(tape);
    }
}

Test(fuse, not_fusing_gives_the_same_bits)
{
    const unsigned all = tl__passes();
    tl_tape *one = check_tape(1), *other = check_tape(1);
    double *a = check_values(lstm(one, 7, 4, 5, 6, NULL));
    tl__set_passes(all & ~(unsigned)TL_PASS_FUSE);
    double *b = check_values(lstm(other, 7, 4, 5, 6, NULL));
    tl__set_passes(all);
    cr_assert(a && b);
    assert_allclose(7 * 4 * 6, a, b, 0, 0);
    free(a);
    free(b);
    tl_tape_free(one);
    tl_tape_free(other);
}
