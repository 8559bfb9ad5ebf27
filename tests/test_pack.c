/* test_pack.c -- matrices packed once: where the plan packs, that no bit changes, that a pack lives
 * with the value it was made of. */
#include "core/gemm.h"
#include "core/grad.h"
#include "core/memory.h"
#include "core/node.h"
#include "core/packs.h"
#include "core/run.h"
#include "core/scan.h"
#include "core/space.h"
#include "ops/ops.h"
#include "tests/check.h"

#include <string.h>

enum { T = 5, B = 6, I = 9, H = 24 };

/* layers -- a tanh cell over xs with weights of a parameter set. */
static tl_tensor run_cell(tl_tape *tape, tl_tensor xs, tl_tensor w, tl_tensor u)
{
    const tl_tensor none = {0};
    tl_scan s = tl_scan_open(tape, T, NULL);
    tl_tensor h = tl_scan_carry(s, tl_zeros(tape, TL_F32, tl_shape2(B, H)));
    tl_tensor h1 = tl_tanh(tl_add(tl_linear(tl_scan_each(s, xs), w, none), tl_linear(h, u, none)));
    tl_scan_next(s, h, h1);
    tl_scan_close(s);
    return tl_scan_stacked(s, h1);
}

typedef struct model {
    tl_tape *tape;
    tl_params *set;
    tl_param *w, *u;
} model;

static model model_new(void)
{
    model m = {check_tape(1), tl_params_new(TL_F32), NULL, NULL};
    float w[H * I], u[H * H];
    for (int i = 0; i < H * I; i++)
        w[i] = 0.01f * (float)(i % 17 - 8);
    for (int i = 0; i < H * H; i++)
        u[i] = 0.01f * (float)(i % 13 - 6);
    m.w = tl_param_new(m.set, "w", tl_shape2(H, I), NULL);
    m.u = tl_param_new(m.set, "u", tl_shape2(H, H), NULL);
    cr_assert(m.w && m.u);
    cr_assert_eq(tl_param_set_f32(m.w, w, H * I), TL_OK);
    cr_assert_eq(tl_param_set_f32(m.u, u, H * H), TL_OK);
    return m;
}

static void model_free(model m)
{
    tl_tape_free(m.tape);
    tl_params_free(m.set);
}

/* forward -- the stacked states; the tape is reset after it. */
static void forward(model m, float *out)
{
    tl_tensor xs = check_random(m.tape, TL_F32, tl_shape3(T, B, I), 3);
    tl_tensor y = run_cell(m.tape, xs, tl_use(m.tape, m.w), tl_use(m.tape, m.u));
    cr_assert_eq(tl_read_f32(y, out, T * B * H), TL_OK, "%s", tl_tape_error(m.tape));
    cr_assert_eq(tl_tape_reset(m.tape), TL_OK);
}

static int count(const char *text, const char *words)
{
    int n = 0;
    for (; (text = strstr(text, words)); text++)
        n++;
    return n;
}

Test(pack, what_a_loop_shares_is_packed_before_it)
{
    tl__set_period_rows(384); /* all steps of these loops are one period */
    if (tl__panels_bytes(TL_F32, H, H) == 0)
        return; /* this machine reads no panels */
    model m = model_new();
    float y[T * B * H];
    forward(m, y);
    char *text = tl__plan_dump(m.tape);
    cr_assert_not_null(text);
    const char *loop = strstr(text, "loop, ");
    cr_assert_eq(count(text, "pack  f32"), 1, "the input product is made once: %s", text);
    cr_assert(loop && strstr(text, "pack  f32") < loop, "%s", text);
    tl__free(text);
    model_free(m);
}

Test(pack, not_a_bit_changes)
{
    const unsigned all = tl__passes();
    float got[2][T * B * H], grad[2][H * H];
    for (int k = 0; k < 2; k++) {
        tl__set_passes(k ? all : all & ~(unsigned)TL_PASS_PACK);
        model m = model_new();
        forward(m, got[k]);
        tl_tensor xs = check_random(m.tape, TL_F32, tl_shape3(T, B, I), 3), u, g;
        u = tl_use(m.tape, m.u);
        tl_tensor loss = tl_sum_all(tl_square(run_cell(m.tape, xs, tl_use(m.tape, m.w), u)));
        cr_assert_eq(tl_grad(1, &loss, NULL, 1, &u, &g), TL_OK);
        cr_assert_eq(tl_read_f32(g, grad[k], H * H), TL_OK, "%s", tl_tape_error(m.tape));
        model_free(m);
    }
    tl__set_passes(all);
    cr_assert_arr_eq(got[0], got[1], sizeof got[0]);
    cr_assert_arr_eq(grad[0], grad[1], sizeof grad[0]);
}

Test(pack, a_new_value_is_packed_anew_and_an_old_one_is_not)
{
    model m = model_new();
    float first[T * B * H], again[T * B * H], other[T * B * H], u[H * H];
    forward(m, first);
    tl_packs *packs = m.u->store.value->packs;
    if (tl__panels_bytes(TL_F32, H, H) > 0)
        cr_assert_not_null(packs, "the pack stays with the value");
    forward(m, again);
    cr_assert_eq(m.u->store.value->packs, packs);
    cr_assert_arr_eq(first, again, sizeof first);
    for (int i = 0; i < H * H; i++)
        u[i] = 0.02f * (float)(i % 11 - 5);
    cr_assert_eq(tl_param_set_f32(m.u, u, H * H), TL_OK);
    cr_assert_null(m.u->store.value->packs);
    forward(m, other);
    model n = model_new(); /* the same from the start */
    cr_assert_eq(tl_param_set_f32(n.u, u, H * H), TL_OK);
    forward(n, again);
    cr_assert_arr_eq(other, again, sizeof other);
    cr_assert_arr_neq(other, first, sizeof other);
    model_free(m);
    model_free(n);
}

Test(pack, packs_are_found_by_matrix_and_go_with_the_buffer)
{
    const tl_pack_spec a = {0, 2, 3, 3, 1}, b = {0, 3, 2, 1, 3};
    tl_buf *of = tl__buf_new(64), *x = tl__buf_new(64), *y = tl__buf_new(64);
    cr_assert_null(tl__packs_find(of, &a));
    tl__packs_put(of, &a, x);
    tl__packs_put(of, &b, y);
    tl__packs_put(of, &a, y); /* there is one already */
    tl_buf *found = tl__packs_find(of, &a);
    cr_assert_eq(found, x);
    cr_assert_eq(atomic_load(&x->refs), 3);
    tl__buf_unref(found);
    tl__buf_unref(of);
    cr_assert_eq(atomic_load(&x->refs), 1);
    cr_assert_eq(atomic_load(&y->refs), 1);
    tl__buf_unref(x);
    tl__buf_unref(y);
}

Test(pack, an_unrolled_loop_packs_once_too)
{
    const unsigned all = tl__passes();
    float got[2][B * H];
    for (int k = 0; k < 2; k++) {
        tl__set_passes(k ? all : all & ~(unsigned)TL_PASS_PACK);
        model m = model_new();
        tl_tensor h = check_random(m.tape, TL_F32, tl_shape2(B, H), 5), u = tl_use(m.tape, m.u);
        for (int t = 0; t < T; t++)
            h = tl_tanh(tl_linear(h, u, (tl_tensor){0}));
        cr_assert_eq(tl_read_f32(h, got[k], B * H), TL_OK);
        char *text = tl__plan_dump(m.tape);
        cr_assert_eq(count(text, "pack  f32"), k && tl__panels_bytes(TL_F32, H, H) > 0, "%s", text);
        tl__free(text);
        model_free(m);
    }
    tl__set_passes(all);
    cr_assert_arr_eq(got[0], got[1], sizeof got[0]);
}
