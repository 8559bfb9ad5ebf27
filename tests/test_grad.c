/* test_grad.c -- tl_grad on the plain tape: what the sweep adds up, leaves out and refuses. Each
 * rule is checked by the registry's test, recurrence in test_scan_grad.c. */
#include "ops/ops.h"

#include "core/node.h"
#include "core/space.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { ROOM = 64 };

static tl_tensor input(tl_tape *tape, tl_shape shape, const double *v)
{
    return tl_input_f64(tape, shape, v);
}

/* holds -- t has n elements, these. */
static void holds(tl_tensor t, int n, const double *want)
{
    double got[ROOM];
    cr_assert_eq(tl_read_f64(t, got, n), TL_OK, "%s", t.tape ? tl_tape_error(t.tape) : "inert");
    for (int i = 0; i < n; i++)
        cr_assert(fabs(got[i] - want[i]) <= 1e-12 * (1 + fabs(want[i])),
                  "element %d: got %.17g, want %.17g", i, got[i], want[i]);
}

/* count_ops -- how many nodes of this operation lie in slots from .. to. */
static uint32_t count_ops(const tl_tape *tape, const tl_op *op, uint32_t from, uint32_t to)
{
    uint32_t n = 0;
    for (uint32_t s = from; s < to; s++)
        n += tape->nodes[s].op == op;
    return n;
}

Test(grad, a_product_and_its_second_gradient)
{
    tl_tape *tape = tl_tape_new(NULL);
    const double a[3] = {1, 2, 3};
    tl_tensor x = input(tape, tl_shape1(3), a), y = tl_mul(x, tl_mul(x, x)), g, gg;
    tl_grad(1, &y, NULL, 1, &x, &g);
    tl_grad(1, &g, NULL, 1, &x, &gg);
    holds(g, 3, (double[]){3, 12, 27});
    holds(gg, 3, (double[]){6, 12, 18});
    tl_tape_free(tape);
}

Test(grad, seeds_weigh_the_outputs)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor x = input(tape, tl_shape1(2), (const double[]){1, 2});
    tl_tensor out[2] = {tl_mul(x, x), tl_sum_all(x)}, g;
    tl_tensor seed[2] = {input(tape, tl_shape1(2), (const double[]){10, 100}),
                         tl_scalar(tape, TL_F64, 0.5)};
    cr_assert_eq(tl_grad(2, out, seed, 1, &x, &g), TL_OK);
    holds(g, 2, (double[]){20.5, 400.5});
    tl_tape_free(tape);
}

Test(grad, zeros_where_nothing_depends)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor x = input(tape, tl_shape2(1, 2), (const double[]){1, 2}), y = tl_exp(x),
              z = input(tape, tl_shape1(3), (const double[3]){0}), g[3];
    tl_tensor later = tl_sin(y), in[3] = {z, later, x};
    cr_assert_eq(tl_grad(1, &y, NULL, 3, in, g), TL_OK);
    holds(g[0], 3, (double[]){0, 0, 0});
    holds(g[1], 2, (double[]){0, 0});
    cr_assert_eq(tl_rank(g[1]), 2);
    holds(g[2], 2, (double[]){exp(1), exp(2)});
    tl_tape_free(tape);
}

Test(grad, intermediate_values_are_inputs_too_and_let_gradients_through)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor x = input(tape, tl_shape1(2), (const double[]){1, 2});
    tl_tensor y = tl_mul(x, x), z = tl_mul(y, y), in[3] = {y, x, z}, g[3];
    cr_assert_eq(tl_grad(1, &z, NULL, 3, in, g), TL_OK);
    holds(g[0], 2, (double[]){2, 8});
    holds(g[1], 2, (double[]){4, 32});
    holds(g[2], 2, (double[]){1, 1});
    tl_tape_free(tape);
}

Test(grad, the_gradients_may_be_written_over_the_inputs)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor in[2] = {input(tape, tl_shape1(1), (const double[]){3}),
                       input(tape, tl_shape1(1), (const double[]){5})};
    tl_tensor y = tl_mul(in[0], in[1]);
    cr_assert_eq(tl_grad(1, &y, NULL, 2, in, in), TL_OK);
    holds(in[0], 1, (double[]){5});
    holds(in[1], 1, (double[]){3});
    tl_tape_free(tape);
}

Test(grad, what_was_broadcast_is_summed_back)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor a = input(tape, tl_shape2(2, 1), (const double[]){1, 2}),
              b = input(tape, tl_shape1(3), (const double[]){3, 4, 5});
    tl_tensor y = tl_mul(a, b), in[2] = {a, b}, g[2];
    tl_grad(1, &y, NULL, 2, in, g);
    cr_assert(tl_shape_equal(tl_shape_of(g[0]), tl_shape2(2, 1)));
    cr_assert(tl_shape_equal(tl_shape_of(g[1]), tl_shape1(3)));
    holds(g[0], 2, (double[]){12, 12});
    holds(g[1], 3, (double[]){3, 3, 3});
    tl_tape_free(tape);
}

Test(grad, detached_and_no_grad_values_are_constants)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor x = input(tape, tl_shape1(1), (const double[]){3}), g, gc;
    tl_no_grad_open(tape);
    tl_tensor c = tl_mul(x, x);
    tl_no_grad_close(tape);
    tl_tensor y = tl_add(tl_mul(c, x), tl_mul(tl_detach(x), x));
    tl_grad(1, &y, NULL, 1, &x, &g);
    holds(g, 1, (double[]){12});
    tl_grad(1, &y, NULL, 1, &c, &gc); /* as an input it is what is asked for */
    holds(gc, 1, (double[]){3});
    tl_tape_free(tape);
}

Test(grad, a_gradient_recorded_without_gradient_is_a_constant)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor x = input(tape, tl_shape1(1), (const double[]){2}), y = tl_exp(tl_mul(x, x)), g, gg;
    tl_no_grad_open(tape);
    tl_grad(1, &y, NULL, 1, &x, &g);
    tl_no_grad_close(tape);
    tl_grad(1, &g, NULL, 1, &x, &gg);
    holds(gg, 1, (double[]){0});
    tl_tape_free(tape);
}

Test(grad, integers_end_the_gradient)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor x = input(tape, tl_shape1(2), (const double[]){1.7, 2.2}), g;
    tl_tensor y = tl_mul(x, tl_cast(tl_cast(x, TL_I32), TL_F64));
    cr_assert_eq(tl_grad(1, &y, NULL, 1, &x, &g), TL_OK, "%s", tl_tape_error(tape));
    holds(g, 2, (double[]){1, 2});
    tl_tape_free(tape);
}

Test(grad, slices_of_one_tensor_become_one_assemble)
{
    enum { T = 5 };
    tl_tape *tape = tl_tape_new(NULL);
    double v[2 * T];
    for (int i = 0; i < 2 * T; i++)
        v[i] = i + 1;
    tl_tensor xs = input(tape, tl_shape2(T, 2), v), y = tl_sum_all(tl_mul(xs, xs)), g;
    for (int t = 0; t < T; t++) {
        tl_tensor x = tl_slice(xs, 0, t, 1);
        y = tl_add(y, tl_sum_all(tl_mul(x, tl_mul(x, x))));
    }
    y = tl_add(y, tl_sum_all(tl_slice(xs, 0, 1, 2))); /* overlaps */
    uint32_t before = tl_tape_nodes(tape);
    tl_grad(1, &y, NULL, 1, &xs, &g);
    double want[2 * T];
    for (int i = 0; i < 2 * T; i++)
        want[i] = 2 * v[i] + 3 * v[i] * v[i] + (i >= 2 && i < 6 ? 1 : 0);
    holds(g, 2 * T, want);
    uint32_t most = 0;
    for (uint32_t s = before; s < tl_tape_nodes(tape); s++)
        if (tape->nodes[s].op == &tl_op_assemble && tape->nodes[s].nin > most)
            most = tape->nodes[s].nin;
    cr_assert_eq(most, T + 1);
    cr_assert_eq(count_ops(tape, &tl_op_assemble, before, tl_tape_nodes(tape)), T + 2);
    tl_tensor gg, s2 = tl_sum_all(tl_mul(g, xs));
    tl_grad(1, &s2, NULL, 1, &xs, &gg);
    for (int i = 0; i < 2 * T; i++)
        want[i] += 2 * v[i] + 6 * v[i] * v[i];
    holds(gg, 2 * T, want);
    tl_tape_free(tape);
}

Test(grad, ten_thousand_steps_are_linear)
{
    enum { T = 10000 };
    tl_tape *tape = tl_tape_new(NULL);
    static double v[T];
    for (int t = 0; t < T; t++)
        v[t] = 0.001 * (t % 100);
    tl_tensor xs = input(tape, tl_shape2(T, 1), v),
              w = input(tape, tl_shape1(1), (const double[]){0.5});
    tl_tensor h = tl_zeros(tape, TL_F64, tl_shape2(1, 1)), in[2] = {xs, w}, g[2];
    for (int t = 0; t < T; t++)
        h = tl_tanh(tl_add(tl_mul(h, w), tl_slice(xs, 0, t, 1)));
    uint32_t before = tl_tape_nodes(tape);
    tl_tensor y = tl_sum_all(h);
    cr_assert_eq(tl_grad(1, &y, NULL, 2, in, g), TL_OK, "%s", tl_tape_error(tape));
    cr_assert_lt(tl_tape_nodes(tape) - before, 16u * T);
    double state = 0, back = 1, dw = 0, got, hs[100], *last = v + T - 100;
    for (int t = 0; t < T - 100; t++)
        state = tanh(state * 0.5 + v[t]);
    const double start = state;
    for (int t = 0; t < 100; t++)
        hs[t] = state = tanh(state * 0.5 + last[t]);
    for (int t = 99; t >= 0; t--) { /* what lies further back is below 1e-30 */
        back *= 1 - hs[t] * hs[t];
        dw += back * (t ? hs[t - 1] : start);
        back *= 0.5;
    }
    cr_assert_eq(tl_read_f64(g[1], &got, 1), TL_OK, "%s", tl_tape_error(tape));
    cr_assert(fabs(got - dw) < 1e-12, "got %.17g, want %.17g", got, dw);
    tl_tape_free(tape);
}

/* ---- errors ---------------------------------------------------------------------------------- */

/* refused -- the tape's error has this code and its message these words. */
static void refused(tl_tape *tape, int code, const char *words)
{
    cr_assert_eq(tl_tape_status(tape), code, "%s", tl_tape_error(tape));
    cr_assert(strstr(tl_tape_error(tape), words), "\"%s\" is not in \"%s\"", words,
              tl_tape_error(tape));
    tl_tape_free(tape);
}

Test(grad, an_integer_input)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor x = input(tape, tl_shape1(1), (const double[]){1}),
              k = tl_input_i32(tape, tl_shape1(1), (const int32_t[]){1}), g = x;
    cr_assert_eq(tl_grad(1, &x, NULL, 1, &k, &g), TL_EDTYPE);
    cr_assert_null(g.tape);
    refused(tape, TL_EDTYPE, "tl_grad: input 0");
}

Test(grad, a_seed_of_another_shape)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor x = input(tape, tl_shape1(2), (const double[]){1, 2}),
              seed = tl_scalar(tape, TL_F64, 1), g;
    cr_assert_eq(tl_grad(1, &x, &seed, 1, &x, &g), TL_ESHAPE);
    refused(tape, TL_ESHAPE, "seed 0 is f64 [], want f64 [2] as output 0");
}

Test(grad, an_input_of_another_tape)
{
    tl_tape *tape = tl_tape_new(NULL), *other = tl_tape_new(NULL);
    tl_tensor x = input(tape, tl_shape1(1), (const double[]){1}),
              y = input(other, tl_shape1(1), (const double[]){1}), g;
    cr_assert_eq(tl_grad(1, &x, NULL, 1, &y, &g), TL_ETAPE);
    refused(other, TL_ETAPE, "input 0 lives on this tape");
    refused(tape, TL_ETAPE, "input 0 lives on another tape");
}

Test(grad, an_input_that_is_gone)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor old = input(tape, tl_shape1(1), (const double[]){1}), g;
    tl_tape_reset(tape);
    tl_tensor x = input(tape, tl_shape1(1), (const double[]){1});
    cr_assert_eq(tl_grad(1, &x, NULL, 1, &old, &g), TL_EDEAD);
    refused(tape, TL_EDEAD, "tl_grad");
}

Test(grad, an_input_of_a_closed_body)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor x = input(tape, tl_shape1(1), (const double[]){1}), g;
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, x);
    tl_scan_next(s, h, tl_exp(h));
    tl_scan_close(s);
    tl_tensor y = tl_scan_last(s, h);
    cr_assert_eq(tl_grad(1, &y, NULL, 1, &h, &g), TL_EFRAME);
    refused(tape, TL_EFRAME, "belongs to the body of scan \"scan\"");
}

Test(grad, nothing_to_do)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor x = input(tape, tl_shape1(1), (const double[]){1}), none = {0}, g;
    cr_assert_eq(tl_grad(1, &x, NULL, 0, NULL, NULL), TL_OK);
    cr_assert_eq(tl_grad(0, NULL, NULL, 1, &x, &g), TL_EINVAL);
    cr_assert_null(g.tape);
    cr_assert_eq(tl_grad(1, &none, NULL, 1, &x, &g), TL_EINVAL);
    cr_assert_eq(tl_tape_status(tape), TL_OK);
    tl_tape_free(tape);
}

Test(grad, an_operation_without_a_rule)
{
    static const tl_op op = {
        .name = "mystery", .doc = "a", .grad_doc = "none yet", .kind = TL_OTHER};
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor x = input(tape, tl_shape1(1), (const double[]){1});
    cr_assert_null(tl_record(&op, 1, &x, NULL).tape);
    refused(tape, TL_EINVAL, "mystery: the descriptor of this operation has no adjoint");
}

Test(grad, what_a_sweep_records_names_the_node_whose_gradient_it_is_part_of)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor x = input(tape, tl_shape1(3), (const double[]){1, 2, 3}), g;
    tl_tensor y = tl_tanh(x), sum = tl_sum_all(tl_mul(y, x));
    const uint32_t forward = tl_tape_mark(tape);
    tl_grad(1, &sum, NULL, 1, &x, &g);
    const uint32_t end = tl_tape_mark(tape);
    uint32_t last = TL_NONE, of_tanh = 0;
    for (uint32_t s = 0; s < forward; s++)
        cr_assert_eq(tape->nodes[s].of, TL_NONE);
    for (uint32_t s = forward; s < end; s++) {
        const uint32_t of = tape->nodes[s].of;
        cr_assert(of < forward && of <= last, "%%%u is of %%%u after %%%u", s, of, last);
        last = of;
        of_tanh += of == y.slot;
    }
    cr_assert_gt(of_tanh, 0);
    cr_assert_eq(tape->nodes[g.slot].of, x.slot); /* the two contributions added up */
    tl_tensor later = tl_neg(g);
    cr_assert_eq(tape->nodes[later.slot].of, TL_NONE);
    tl_grad(1, &later, NULL, 1, &y, &g);
    cr_assert_eq(tape->of, TL_NONE);
    tl_tape_free(tape);
}

Test(grad, so_do_nodes_in_the_body_of_an_adjoint_scan)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor xs = input(tape, tl_shape2(2, 2), (const double[]){1, 2, 3, 4}), g;
    tl_scan s = tl_scan_open(tape, 2, NULL);
    tl_tensor h = tl_scan_carry(s, tl_zeros(tape, TL_F64, tl_shape1(2)));
    tl_tensor z = tl_tanh(tl_add(h, tl_scan_each(s, xs)));
    tl_scan_next(s, h, z);
    tl_scan_close(s);
    tl_tensor sum = tl_sum_all(tl_scan_last(s, h));
    const uint32_t forward = tl_tape_mark(tape);
    tl_grad(1, &sum, NULL, 1, &xs, &g);
    uint32_t of_tanh = 0, of_carry = 0, loops = 0;
    for (uint32_t k = forward; k < tl_tape_mark(tape); k++) {
        const tl_node *n = &tape->nodes[k];
        cr_assert_lt(n->of, forward);
        of_tanh += n->of == z.slot && n->frame != 0;
        of_carry += n->of == h.slot && n->op == &tl_op_carry;
        loops += n->op == &tl_op_loop && tape->nodes[n->of].op == &tl_op_loop;
    }
    cr_assert_gt(of_tanh, 0);
    cr_assert_eq(of_carry, 1);
    cr_assert_eq(loops, 1);
    tl_tape_free(tape);
}
