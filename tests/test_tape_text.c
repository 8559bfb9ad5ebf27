/* test_tape_text.c -- a tape as text, whole: attributes in words, values, steps, the limit. */
#include "tapeloop.h"
#include "tests/check.h"

#include <criterion/criterion.h>
#include <string.h>

static const double four[4] = {1, 2, 3, 4};

static void prints(tl_tape *tape, const tl_print_opts *o, const char *want)
{
    char *text = tl_tape_text(tape, o);
    cr_assert_not_null(text);
    cr_assert_str_eq(text, want);
    tl_string_free(text);
}

/* plain -- loss = sum of tanh of a column of x w, and its gradient for w. */
static tl_tape *plain(void)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor x = tl_name(tl_input_f64(tape, tl_shape2(2, 2), four), "x"), g;
    tl_tensor w = tl_name(tl_input_f64(tape, tl_shape2(2, 2), four), "w");
    tl_tensor y = tl_name(tl_tanh(tl_slice(tl_matmul(x, w), 1, 0, 1)), "y");
    tl_tensor loss = tl_name(tl_sum_all(y), "loss");
    tl_grad(1, &loss, NULL, 1, &w, &g);
    tl_item(loss);
    return tape;
}

/* loop -- h' = tanh(h + x_t) in two steps. */
static tl_tape *loop(void)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor x = tl_name(tl_input_f64(tape, tl_shape2(2, 2), four), "x"), g;
    tl_scan s = tl_scan_open(tape, 2, NULL);
    tl_tensor h = tl_name(tl_scan_carry(s, tl_zeros(tape, TL_F64, tl_shape1(2))), "h");
    tl_scan_next(s, h, tl_name(tl_tanh(tl_add(h, tl_scan_each(s, x))), "h1"));
    tl_scan_close(s);
    tl_tensor loss = tl_name(tl_sum_all(tl_scan_last(s, h)), "loss");
    tl_grad(1, &loss, NULL, 1, &x, &g);
    return tape;
}

Test(tape_text, one_line_a_node_with_values)
{
    tl_tape *tape = plain();
    tl_print_opts o = tl_print_defaults();
    o.to = 7;
    o.values = TL_VALUES_LIVE;
    prints(tape, &o,
           "%0   x            = input                                        f64 [2,2]  live  = 1 "
           "2 3 4\n"
           "%1   w            = input                                        f64 [2,2]  live  = 1 "
           "2 3 4\n"
           "%2                = contract(x, w; ij,jk->ik)                    f64 [2,2]  dropped\n"
           "%3                = slice(%2; axis 1, 0:1)                       f64 [2,1]  dropped\n"
           "%4   y            = tanh(%3)                                     f64 [2,1]  live  = "
           "0.9999983369 1\n"
           "%5                = sum(y; axes 0,1)                             f64 [1,1]  dropped\n"
           "%6   loss         = reshape(%5)                                  f64 []  live  = "
           "1.999998337\n");
    o.values = TL_VALUES_EVALUATE;
    char *text = tl_tape_text(tape, &o);
    cr_assert(
        strstr(text, "contract(x, w; ij,jk->ik)                    f64 [2,2]  live  = 7 10 15 22"),
        "%s", text);
    tl_string_free(text);
    tl_tape_free(tape);
}

Test(tape_text, forward_and_adjoint_side_by_side)
{
    tl_tape *tape = plain();
    tl_print_opts o = tl_print_defaults();
    o.adjoint = 1;
    prints(
        tape, &o,
        "tape at step 0: 16 nodes\n"
        "forward, last to first                | adjoint\n"
        "%6 loss = reshape(%5)  []             | %8 = reshape(1)  [1,1]  -> %5\n"
        "%5 = sum(y; axes 0,1)  [1,1]          | %9 = broadcast_to(%8)  [2,1]  -> y\n"
        "%4 y = tanh(%3)  [2,1]                | %10 = mul(y, y)  [2,1]\n"
        "                                      | %12 = sub(1, %10)  [2,1]\n"
        "                                      | %13 = mul(%9, %12)  [2,1]  -> %3\n"
        "%3 = slice(%2; axis 1, 0:1)  [2,1]    | %14 = assemble(%13; at [0,0])  [2,2]  -> %2\n"
        "%2 = contract(x, w; ij,jk->ik)  [2,2] | %15 = contract(%14, x; ij,ik->kj)  [2,2]  -> w\n"
        "%1 w = input  [2,2]                   |\n"
        "%0 x = input  [2,2]                   |\n");
    o.values = TL_VALUES_EVALUATE;
    o.from = 5;
    o.to = 7;
    prints(tape, &o,
           "forward, last to first           | adjoint\n"
           "%6 loss = reshape(%5)  [] = 2    | %8 = reshape(1)  [1,1] = 1  -> %5\n"
           "%5 = sum(y; axes 0,1)  [1,1] = 2 | %9 = broadcast_to(%8)  [2,1] = 1 1  -> y\n");
    tl_tape_free(tape);
}

/* h' = h / 2 + x[t] from h = 8, x = 1 2 3: 5, 4.5, 5.25; dL/dx[t] = 1/4, 1/2, 1. */
Test(tape_text, values_of_every_step)
{
    static const char *const want[] = {"h1[0] = add(%5[0], %3[0])  [1] = 5 ",
                                       "h1[2] = add(%5[2], %3[2])  [1] = 5.25 ",
                                       "%3[1] = each(xs; t = 1)  [1] = 2 ",
                                       "h[2] = carry, h1[1]  [1] = 4.5 ",
                                       "dh1[2] = carry, first ",
                                       "  [1] = 0.25  -> h[1]"};
    const double first = 8, x[] = {1, 2, 3};
    tl_tape *tape = check_tape(1);
    const tl_tensor h0 = tl_input_f64(tape, tl_shape1(1), &first),
                    xs = tl_name(tl_input_f64(tape, tl_shape2(3, 1), x), "xs");
    const tl_scan s = tl_scan_open(tape, 3, NULL);
    const tl_tensor h = tl_name(tl_scan_carry(s, h0), "h"), x_t = tl_scan_each(s, xs),
                    h1 = tl_name(tl_add(tl_scale(h, 0.5), x_t), "h1");
    tl_scan_next(s, h, h1);
    tl_scan_close(s);
    const tl_tensor loss = tl_sum_all(tl_scan_last(s, h));
    tl_tensor g;
    tl_grad(1, &loss, NULL, 1, &xs, &g);
    tl_print_opts o = tl_print_defaults();
    o.adjoint = 1;
    o.unroll = 3;
    o.values = TL_VALUES_EVALUATE;
    char *text = tl_tape_text(tape, &o);
    for (int k = 0; k < 6; k++)
        cr_expect(strstr(text, want[k]), "%s: %s", want[k], text);
    tl_string_free(text);
    o.adjoint = 0;
    text = tl_tape_text(tape, &o);
    cr_expect(strstr(text, "f64 [1]  = 5.25\n") && strstr(text, "f64 [1]  = 4.5\n"), "%s", text);
    cr_expect(strstr(text, " nodes\n%0 "), "the heading of a whole tape: %s", text);
    tl_string_free(text);
    cr_assert_eq(tl_tape_status(tape), TL_OK);
    tl_tape_free(tape);
}

/* A run keeps more of a scan than was asked for, in case a gradient of the gradient wants it. */
Test(tape_text, what_a_run_keeps_is_no_row_until_it_is_used)
{
    tl_tape *tape = check_tape(1);
    tl_tensor x = check_random(tape, TL_F64, tl_shape1(3), 1), g;
    const tl_scan s = tl_scan_open(tape, 3, NULL);
    const tl_tensor h = tl_scan_carry(s, x);
    tl_scan_next(s, h, tl_tanh(tl_scale(h, 2)));
    tl_scan_close(s);
    const tl_tensor loss = tl_sum_all(tl_scan_last(s, h));
    tl_grad(1, &loss, NULL, 1, &x, &g);
    tl_print_opts o = tl_print_defaults();
    o.adjoint = 1;
    o.from = 0;
    o.to = 200;
    char *before = tl_tape_text(tape, &o);
    const uint32_t nodes = tl_tape_nodes(tape);
    cr_assert_eq(tl_eval(1, &g), TL_OK, "%s", tl_tape_error(tape));
    cr_assert_gt(tl_tape_nodes(tape), nodes);
    char *after = tl_tape_text(tape, &o);
    const char *const row = strchr(after, '\n');
    cr_assert_str_eq(row, strchr(before, '\n'));
    tl_string_free(before);
    tl_string_free(after);
    const tl_tensor sum = tl_sum_all(tl_square(g));
    tl_grad(1, &sum, NULL, 1, &x, &g);
    after = tl_tape_text(tape, &o);
    char text[20];
    snprintf(text, sizeof text, "%%%u = stacked(", nodes);
    cr_assert(strstr(after, text), "%s", after);
    tl_string_free(after);
    tl_tape_free(tape);
}

/* Two slices of z: the sweep joins their gradients, and what it made of each alone is left out. */
Test(tape_text, side_by_side_with_scopes_and_without_what_is_of_no_use)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor x = tl_name(tl_input_f64(tape, tl_shape1(4), four), "x"), g;
    tl_scope_open(tape, "net");
    tl_tensor z = tl_name(tl_neg(x), "\xce\xb6");
    tl_scope_open(tape, "gates");
    tl_tensor i = tl_name(tl_tanh(tl_slice(z, 0, 0, 2)), "i");
    tl_tensor f = tl_name(tl_tanh(tl_slice(z, 0, 2, 2)), "f");
    tl_scope_close(tape);
    tl_scope_close(tape);
    tl_tensor loss = tl_sum_all(tl_mul(i, f));
    tl_grad(1, &loss, NULL, 1, &x, &g);
    tl_print_opts o = tl_print_defaults();
    o.adjoint = 1;
    prints(tape, &o,
           "tape at step 0: 26 nodes\n"
           "forward, last to first          | adjoint\n"
           "%8 = reshape(%7)  []            | %10 = reshape(1)  [1]  -> %7\n"
           "%7 = sum(%6; axis 0)  [1]       | %11 = broadcast_to(%10)  [2]  -> %6\n"
           "%6 = mul(i, f)  [2]             | %12 = mul(%11, f)  [2]  -> i\n"
           "                                | %13 = mul(%11, i)  [2]  -> f\n"
           "# net/gates                     |\n"
           "%5 f = tanh(%4)  [2]            | %14 = mul(f, f)  [2]\n"
           "                                | %16 = sub(1, %14)  [2]\n"
           "                                | %17 = mul(%13, %16)  [2]  -> %4, \xce\xb6\n"
           "%4 = slice(\xce\xb6; axis 0, 2:4)  [2] |\n"
           "%3 i = tanh(%2)  [2]            | %19 = mul(i, i)  [2]\n"
           "                                | %21 = sub(1, %19)  [2]\n"
           "                                | %22 = mul(%12, %21)  [2]  -> %2, \xce\xb6\n"
           "%2 = slice(\xce\xb6; axis 0, 0:2)  [2] |\n"
           "# net                           |\n"
           "%1 \xce\xb6 = neg(x)  [4]              | %24 = assemble(%17, %22; at [2] [0])  [4]  -> "
           "\xce\xb6\n"
           "                                | %25 = neg(%24)  [4]  -> x\n"
           "#                               |\n"
           "%0 x = input  [4]               |\n");
    tl_tape_free(tape);
}

Test(tape_text, side_by_side_step_by_step)
{
    tl_tape *tape = loop();
    tl_print_opts o = tl_print_defaults();
    o.adjoint = 1;
    o.unroll = 2;
    prints(tape, &o,
           "tape at step 0: 25 nodes\n"
           "forward, last to first             | adjoint\n"
           "%12 loss = reshape(%11)  []        | %14 = reshape(1)  [1]  -> %11\n"
           "%11 = sum(%10; axis 0)  [1]        | %15 = broadcast_to(%14)  [2]  -> %10\n"
           "# scan                             |\n"
           "%10 = last(%9, h)  [2]             |\n"
           "%9 scan over t = 0 .. 1            | %23 scan over t = 1 .. 0\n"
           "                                   | %24 = stacked(%23, %22)  [2,2]  -> x\n"
           "  t = 1                            |\n"
           "    %8 h1[1] = tanh(%7[1])  [2]    | %17 = stacked(%9, h1)  [2,2]\n"
           "                                   |     %18[1] = each(%17; t = 1)  [2]\n"
           "                                   |     %19[1] = mul(%18[1], %18[1])  [2]\n"
           "                                   |     %21[1] = sub(1, %19[1])  [2]\n"
           "                                   |     %22[1] = mul(dh1[1], %21[1])  [2]  -> %7[1], "
           "h[1]\n"
           "    %7[1] = add(h[1], %6[1])  [2]  |\n"
           "    %6[1] = each(x; t = 1)  [2]    |\n"
           "    %5 h[1] = carry, h1[0]  [2]    |     %16 dh1[1] = carry, first %15  [2]  -> h1[1]\n"
           "    %2[1] = broadcast_to(0)  [2]   |\n"
           "  t = 0                            |\n"
           "    %8 h1[0] = tanh(%7[0])  [2]    |     %18[0] = each(%17; t = 0)  [2]\n"
           "                                   |     %19[0] = mul(%18[0], %18[0])  [2]\n"
           "                                   |     %21[0] = sub(1, %19[0])  [2]\n"
           "                                   |     %22[0] = mul(dh1[0], %21[0])  [2]  -> %7[0], "
           "h[0]\n"
           "    %7[0] = add(h[0], %6[0])  [2]  |\n"
           "    %6[0] = each(x; t = 0)  [2]    |\n"
           "    %5 h[0] = carry, first %4  [2] |     %16 dh1[0] = carry, %22[1]  [2]  -> h1[0]\n"
           "    %2[0] = broadcast_to(0)  [2]   |\n"
           "%4 = broadcast_to(0)  [2]          |\n"
           "#                                  |\n"
           "%0 x = input  [2,2]                |\n");
    o.unroll = -1;
    char *text = tl_tape_text(tape, &o);
    cr_assert(strstr(text, "scan over t = 0 .. 1 ") && !strstr(text, "h1 ="), "%s", text);
    tl_string_free(text);
    tl_tape_free(tape);
}

/* A line of more than 60 characters stands alone, what is of it below. */
Test(tape_text, side_by_side_with_long_lines)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor x = tl_name(tl_input_f64(tape, tl_shape1(4), four),
                          "a name of more than forty characters, without end"),
              g;
    tl_tensor y = tl_name(tl_exp(x), "y");
    tl_grad(1, &y, NULL, 1, &x, &g);
    tl_print_opts o = tl_print_defaults();
    o.adjoint = 1;
    o.to = 2;
    prints(
        tape, &o,
        "forward, last to first                                       | adjoint\n"
        "%1 y = exp(a name of more than forty characters, without end)  [4] |\n"
        "                                                             | %3 = broadcast_to(1)  [4]  "
        "-> y\n"
        "                                                             | %4 = mul(%3, y)  [4]  -> "
        "a name of more than forty characters, without end\n"
        "%0 a name of more than forty characters, without end = input  [4] |\n");
    tl_tape_free(tape);
}

Test(tape_text, bodies_once_step_by_step_or_in_one_line)
{
    tl_tape *tape = loop();
    tl_print_opts o = tl_print_defaults();
    o.unroll = 2;
    char *text = tl_tape_text(tape, &o);
    cr_assert(strstr(text, "  t = 0\n"), "%s", text);
    cr_assert(strstr(text, "h            = carry, first %4 "), "%s", text);
    cr_assert(strstr(text, "h            = carry, h1[0] "), "%s", text);
    cr_assert(strstr(text, "= each(x; t = 1)"), "%s", text);
    cr_assert(strstr(text, "h1           = tanh(%7[1])"), "%s", text);
    tl_string_free(text);
    o.unroll = 1; /* two steps are too many */
    text = tl_tape_text(tape, &o);
    cr_assert(!strstr(text, "t = 0\n") && strstr(text, ", then h1"), "%s", text);
    tl_string_free(text);
    o.unroll = -1;
    text = tl_tape_text(tape, &o);
    cr_assert(strstr(text, "scan over t = 0 .. 1 { 6 nodes, 1 carries }\n"), "%s", text);
    cr_assert(!strstr(text, "h1 "), "%s", text);
    tl_string_free(text);
    tl_tape_free(tape);
}

Test(tape_text, the_adjoint_of_a_body_stands_beside_the_body)
{
    tl_tape *tape = loop();
    tl_print_opts o = tl_print_defaults();
    o.adjoint = 1;
    char *text = tl_tape_text(tape, &o);
    const char *body = strstr(text, "    %8 h1 = tanh(%7)  [2] ");
    const char *carry = strstr(text, "|     %16 dh1 = carry, first %15, then %22  [2]  -> h1\n");
    cr_assert(body && carry && body < carry, "%s", text);
    cr_assert(strstr(text, "%9 scan over t = 0 .. 1                  | %23 scan over t = 1 .. 0\n"),
              "%s", text);
    cr_assert(strstr(text, "%22 = mul(dh1, %21)  [2]  -> %7, h\n"), "on to the step before: %s",
              text);
    tl_string_free(text);
    o.limit = 3;
    text = tl_tape_text(tape, &o);
    cr_assert(strstr(text, "... 15 more, left out: more than 3 lines"), "%s", text);
    tl_string_free(text);
    tl_tape_free(tape);
}

Test(tape_text, attributes_of_every_kind_are_words)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_tensor x = tl_name(tl_input_f64(tape, tl_shape2(2, 2), four), "x");
    const int32_t classes[2] = {0, 2};
    tl_tensor c = tl_name(tl_input_i32(tape, tl_shape1(2), classes), "c");
    tl_transpose(x, 0, 1);
    tl_flip(x, 0);
    tl_one_hot(c, 3, TL_F64);
    tl_cast(x, TL_F32);
    tl_check_range(c, 0, 9);
    tl_amax(x, 1, (const int[]){1}, 1);
    char *text = tl_tape_text(tape, NULL);
    static const char *want[] = {"permute(x; axes 1,0)",   "flip(x; axis 0)",
                                 "one_hot(c; 3 classes)",  "cast(x; to f32)",
                                 "check_range(c; 0 .. 9)", "amax(x; axis 1)"};
    for (size_t k = 0; k < sizeof want / sizeof *want; k++)
        cr_assert(strstr(text, want[k]), "no %s in\n%s", want[k], text);
    tl_string_free(text);
    tl_tape_free(tape);
}
