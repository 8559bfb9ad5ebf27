/* test_anomaly_moved.c -- anomaly mode names where a NaN was before it was moved: in a state,
 * looked up, put side by side, copied; an operation that moves and adds is what made it. */
#include "core/anomaly.h"
#include "core/node.h"
#include "core/scan.h"
#include "core/space.h"
#include "ops/ops.h"
#include "ops/registry.h"
#include "tests/check.h"

#include <stdlib.h>
#include <string.h>

enum { N = 4, V = 5, MOST = 40 };

static tl_tape *watched(void)
{
    tl_tape *tape = check_tape(1);
    tl_anomaly(tape, 1);
    return tape;
}

/* holding -- an input [a,b] that holds NaN at two places; -1: none. */
static tl_tensor holding(tl_tape *tape, const char *name, int64_t a, int64_t b, int first, int next)
{
    double x[MOST];
    for (int k = 0; k < a * b; k++)
        x[k] = k == first || k == next ? CHECK_NAN : 0.1 * (k + 1);
    return tl_name(tl_input_f64(tape, tl_shape2(a, b), x), name);
}

static tl_tensor indices(tl_tape *tape, int n, const int32_t *i)
{
    return tl_input_i32(tape, tl_shape1(n), i);
}

/* expect_origin -- t is an anomaly whose message has these words. The tape is reset. */
static void expect_origin(tl_tensor t, const char *words, const char *more)
{
    cr_expect_eq(tl_eval(1, &t), TL_ENAN);
    cr_expect(strstr(tl_tape_error(t.tape), words), "got  %s\nwant %s", tl_tape_error(t.tape),
              words);
    cr_expect(strstr(tl_tape_error(t.tape), more), "got  %s\nwant %s", tl_tape_error(t.tape), more);
    cr_expect_eq(tl_tape_reset(t.tape), TL_OK);
}

Test(anomaly_moved, nan_in_a_state)
{
    tl_tape *tape = watched();
    tl_state *state = tl_state_new(TL_F64, tl_shape2(2, N));
    double x[2 * N] = {0};
    x[6] = CHECK_NAN;
    cr_assert_eq(tl_state_set_f64(state, x, 2 * N), TL_OK);
    const tl_tensor h = tl_name(tl_state_use(tape, state), "h");
    expect_origin(tl_tanh(h),
                  "tanh: NaN, forward, of state h f64 [2,4], which holds it already: "
                  "element [1,2], 1 of 8 not finite; result",
                  "");
    const tl_tensor h1 = tl_tanh(tl_state_use(tape, state));
    tl_keep(state, h1);
    cr_assert_eq(tl_commit(tape), TL_ENAN);
    assert_fails(tape, TL_ENAN, "tanh: NaN, forward, of state %0 (state) f64 [2,4]");
    tl_tape_free(tape);
    tl_state_free(state);
}

Test(anomaly_moved, a_state_that_is_carried)
{
    tl_tape *tape = watched();
    tl_state *state = tl_state_new(TL_F64, tl_shape1(N));
    double x[N] = {0, CHECK_NAN};
    cr_assert_eq(tl_state_set_f64(state, x, N), TL_OK);
    const tl_tensor h0 = tl_name(tl_state_use(tape, state), "h");
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, h0);
    tl_scan_next(s, h, tl_tanh(h));
    tl_scan_close(s);
    expect_origin(tl_scan_last(s, h),
                  "tanh: NaN at t=0, forward, of state h f64 [4], which holds "
                  "it already: element [1]",
                  "");
    tl_tape_free(tape);
    tl_state_free(state);
}

Test(anomaly_moved, looked_up)
{
    tl_tape *tape = watched();
    const int32_t some[] = {0, 4, 1}, clean[] = {0, 2, 1};
    for (int k = 0; k < 3; k++) {
        tl_tensor table = holding(tape, "table", V, N, 3 * N + 1, 4 * N + 2);
        tl_tensor idx = indices(tape, 3, some),
                  rows = k == 0   ? tl_gather(table, idx)
                         : k == 1 ? tl_index_select(table, 0, idx)
                                  : tl_transpose(tl_index_select(tl_transpose(table, 0, 1), 1, idx),
                                                 0, 1);
        expect_origin(tl_exp(rows),
                      "exp: NaN, forward, of input table f64 [5,4], which holds it already: "
                      "element [4,2], 2 of 20 not finite",
                      "");
        table = holding(tape, "table", V, N, 3 * N + 1, 4 * N + 2);
        rows = tl_exp(tl_gather(table, indices(tape, 3, clean)));
        cr_expect_eq(tl_eval(1, &rows), TL_OK, "%s", tl_tape_error(tape));
        cr_expect_eq(tl_tape_reset(tape), TL_OK);
    }
    tl_tape_free(tape);
}

Test(anomaly_moved, looked_up_along_an_axis)
{
    tl_tape *tape = watched();
    const int32_t some[] = {1, 3};
    tl_tensor a = holding(tape, "a", 2, N, 2, 7),
              idx = tl_reshape(indices(tape, 2, some), tl_shape2(2, 1));
    expect_origin(tl_exp(tl_take_along(a, idx, 1)), "of input a f64 [2,4]", "element [1,3]");
    tl_tape_free(tape);
}

Test(anomaly_moved, side_by_side)
{
    tl_tape *tape = watched();
    tl_tensor part[3];
    for (int k = 0; k < 4; k++) { /* the first piece has NaN too, which nobody reads */
        part[0] = holding(tape, "a", 2, N, 5, -1);
        part[1] = holding(tape, "b", 2, N, -1, -1);
        part[2] = holding(tape, "c", 2, N, 6, -1);
        const tl_tensor all = tl_concat(3, part, 1);
        expect_origin(k == 0   ? tl_exp(tl_slice(all, 1, N, 2 * N))
                      : k == 1 ? tl_exp(tl_transpose(tl_slice(all, 1, N, 2 * N), 0, 1))
                      : k == 2 ? tl_exp(tl_slice(tl_pad(all, 0, 1, 2), 1, N, 2 * N))
                               : tl_sum_all(tl_slice(all, 1, 2 * N, N)),
                      "of input c f64 [2,4]", "element [1,2], 1 of 8");
    }
    tl_tape_free(tape);
}

/* copied -- a reshape of what is transposed takes a copy. */
Test(anomaly_moved, copied)
{
    tl_tape *tape = watched();
    const tl_tensor x = holding(tape, "x", 3, N, 6, -1);
    expect_origin(tl_log(tl_slice(tl_reshape(tl_transpose(x, 0, 1), tl_shape1(3 * N)), 0, 4, 6)),
                  "log: NaN, forward, of input x f64 [3,4]", "element [1,2], 1 of 12");
    tl_tape_free(tape);
}

/* is_source -- whether a case's elements come from where the operation says. */
static int is_source(const tl_op *op, const tl_case *c,
                     tl_from (*source)(const tl_attr *, const tl_shape *, const tl_shape *,
                                       int64_t))
{
    double table[MOST] = {0}, idx[MOST];
    tl_tape *tape = check_tape(1);
    const int64_t n = tl_shape_count(c->shape[0]), m = tl_shape_count(c->shape[1]);
    check_draw(1, TL_ANY, 0, n, n, table);
    check_draw(2, TL_INDEX, c->bound, m, m, idx);
    const tl_tensor in[] = {check_input(tape, TL_F64, c->shape[0], table),
                            check_input(tape, TL_I32, c->shape[1], idx)},
                    y = c->call(in);
    double *got = check_values(y);
    cr_assert_not_null(got, "%s", tl_tape_error(tape));
    int64_t right = 0;
    for (int64_t k = 0; k < tl_shape_count(tl_shape_of(y)); k++) {
        const tl_shape to = tl_shape_of(y);
        const tl_from f = source(&tape->nodes[y.slot].attr, c->shape, &to, k);
        const int64_t from = f.first + (int64_t)idx[f.index] * f.step;
        right += memcmp(&got[k], &table[from], sizeof *got) == 0;
    }
    const int is_right = tape->nodes[y.slot].op == op && right == tl_shape_count(tl_shape_of(y));
    free(got);
    tl_tape_free(tape);
    return is_right;
}

static tl_from turned(const tl_attr *a, const tl_shape *in, const tl_shape *out, int64_t number)
{
    tl_from f = tl_op_gather.source(a, in, out, number);
    f.first++;
    return f;
}

Test(anomaly_moved, each_gather_knows_where_its_elements_come_from)
{
    int known = 0;
    for (int i = 0; i < tl_ops_count(); i++) {
        const tl_op *op = tl_ops_at(i);
        for (int c = 0; op->source && c < op->ncases; c++, known++)
            cr_expect(is_source(op, &op->cases[c], op->source), "%s, case %d", op->name, c);
    }
    cr_expect_eq(known, 4);
    cr_expect_not(is_source(&tl_op_gather, &tl_op_gather.cases[0], turned));
}

/* A chain of moves, each of which copies. */
Test(anomaly_moved, again_and_again)
{
    tl_tape *tape = watched();
    const int32_t some[] = {2, 0};
    tl_tensor part[] = {holding(tape, "a", V, N, 0, 11), holding(tape, "b", V, N, 9, -1)};
    tl_tensor rows = tl_gather(tl_concat(2, part, 1), indices(tape, 2, some)); /* [2,8] */
    tl_tensor turned = tl_reshape(tl_transpose(rows, 0, 1), tl_shape2(N, 4));
    expect_origin(tl_exp(tl_slice(turned, 0, 2, 2)), "of input b f64 [5,4]", "element [2,1]");
    tl_tape_free(tape);
}

/* parts -- two inputs [T,1], side by side; a scan, or what comes after it, takes the logarithm of
 * the second: the first holds NaN too. */
static tl_tensor parts(tl_tape *tape, int reverse, int stacks)
{
    enum { T = 6 };
    const tl_tensor both[] = {holding(tape, "a", T, 1, 1, 4), holding(tape, "b", T, 1, 2, 4)},
                    xs = tl_concat(2, both, 1), h0 = tl_zeros(tape, TL_F64, tl_shape1(1));
    tl_scan_opts o = tl_scan_defaults();
    o.reverse = reverse;
    o.name = "walk";
    const tl_scan s = tl_scan_open(tape, T, &o);
    const tl_tensor second = tl_slice(tl_scan_each(s, xs), 0, 1, 1), h = tl_scan_carry(s, h0);
    if (!stacks)
        tl_scan_next(s, h, tl_add(tl_log(second), h));
    else
        tl_scan_next(s, h, tl_sin(h));
    tl_scan_close(s);
    if (!stacks)
        return tl_scan_last(s, h);
    return tl_log(tl_slice(tl_scan_stacked(s, second), 0, 3, 2));
}

Test(anomaly_moved, into_scans_and_out_of_them)
{
    tl_tape *tape = watched();
    expect_origin(parts(tape, 0, 0), "log: NaN at t=2, forward, of input b f64 [6,1]",
                  "element [2,0]");
    expect_origin(parts(tape, 1, 0), "log: NaN at t=4, forward, of input b f64 [6,1]",
                  "element [4,0]");
    expect_origin(parts(tape, 0, 1), "log: NaN, forward, of input b f64 [6,1]", "element [4,0]");
    expect_origin(parts(tape, 1, 1), "log: NaN, forward, of input b f64 [6,1]", "element [4,0]");
    tl_tape_free(tape);
}

/* The inner scan goes over the outer one's x_t. */
Test(anomaly_moved, into_nested_scans)
{
    tl_tape *tape = watched();
    const tl_tensor both[] = {holding(tape, "a", 3, N, 6, -1), holding(tape, "b", 3, N, 7, -1)},
                    xs = tl_stack(2, both, 2), h0 = tl_scalar(tape, TL_F64, 0);
    const tl_scan outer = tl_scan_open(tape, 3, NULL);
    const tl_tensor h = tl_scan_carry(outer, h0), x = tl_scan_each(outer, xs); /* [N,2] */
    const tl_scan inner = tl_scan_open(tape, N, NULL);
    const tl_tensor k = tl_scan_carry(inner, h), y = tl_scan_each(inner, x);
    tl_scan_next(inner, k, tl_add(k, tl_exp(tl_sum_all(tl_slice(y, 0, 1, 1)))));
    tl_scan_close(inner);
    tl_scan_next(outer, h, tl_scan_last(inner, k));
    tl_scan_close(outer);
    expect_origin(tl_scan_last(outer, h), "NaN at t=1, 3, forward, of input b f64 [3,4]",
                  "element [1,3], 1 of 12");
    tl_tape_free(tape);
}

/* ---- what moves and adds --------------------------------------------------------------------- */

static tl_tensor large(tl_tape *tape)
{
    return tl_name(tl_full(tape, TL_F64, tl_shape2(2, N), 1e308), "large");
}

Test(anomaly_moved, what_adds_while_it_moves_makes_its_own)
{
    tl_tape *tape = watched();
    const int32_t same[] = {1, 1};
    expect_origin(tl_exp(tl_neg(tl_scatter_add(large(tape), indices(tape, 2, same), V))),
                  "scatter_add: infinity, forward: result", "");
    const tl_tensor idx = tl_reshape(indices(tape, 2, same), tl_shape2(1, 2));
    expect_origin(
        tl_exp(tl_neg(tl_put_along(tl_slice(tl_slice(large(tape), 0, 0, 1), 1, 0, 2), idx, 1, 3))),
        "put_along: infinity, forward: result", "");
    const int64_t offset[2][TL_MAX_RANK] = {{0, 0}, {0, 2}};
    const tl_tensor both[] = {tl_exp(tl_log(large(tape))), tl_exp(tl_log(large(tape)))};
    expect_origin(tl_exp(tl_neg(tl_assemble(tl_shape2(2, 6), 2, both, offset))),
                  "infinity, forward: result", "");
    tl_tape_free(tape);
}

/* What tl_where does not take is not the origin, whichever comes first. */
Test(anomaly_moved, left_out)
{
    tl_tape *tape = watched();
    const int32_t which[N] = {0, 1, 1, 0};
    for (int k = 0; k < 2; k++) {
        const tl_tensor a = holding(tape, "a", 2, N, 0, -1), b = holding(tape, "b", 2, N, 4, -1),
                        mask = tl_cast(indices(tape, N, which), TL_F64);
        expect_origin(tl_where(mask, k ? b : a, k ? a : b),
                      k ? "where: NaN, forward, of input a f64 [2,4]"
                        : "where: NaN, forward, of input b f64 [2,4]",
                      k ? "element [0,0]" : "element [1,0]");
    }
    tl_tape_free(tape);
}

/* A sum over the steps of a scan is no move. */
Test(anomaly_moved, summed_over_time)
{
    tl_tape *tape = watched();
    const tl_tensor x = tl_exp(tl_log(large(tape)));
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, x), y = tl_tanh(h);
    tl_scan_next(s, h, y);
    tl_tensor sum = tl_mul(x, y);
    tl_scan_close(s);
    expect_origin(tl_tanh(tl_scan_summed(s, sum)), "infinity", "forward: result");
    tl_tape_free(tape);
}
