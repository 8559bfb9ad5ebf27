/* test_print.c -- tensors and tapes as text. */
#include "tapeloop.h"

#include <criterion/criterion.h>
#include <string.h>

Test(print, a_tensor_shows_type_shape_and_numbers)
{
    tl_tape *tape = tl_tape_new(NULL);
    const float v[6] = {1, 2, 3, 4, 5, 6.5f};
    char *text = tl_tensor_text(tl_input_f32(tape, tl_shape2(2, 3), v));
    cr_assert_str_eq(text, "f32 [2,3] [[1, 2, 3], [4, 5, 6.5]]");
    tl_string_free(text);
    text = tl_tensor_text(tl_name(tl_zeros(tape, TL_F64, tl_shape1(100)), "b"));
    cr_assert_str_eq(text, "b: f64 [100] [0, 0, 0, ..., 0, 0, 0]");
    tl_string_free(text);
    text = tl_tensor_text(tl_scalar(tape, TL_F64, 0.5));
    cr_assert_str_eq(text, "f64 [] 0.5");
    tl_string_free(text);
    cr_assert_null(tl_tensor_text((tl_tensor){0}));
    tl_tape_free(tape);
}

Test(print, a_tape_shows_formulas_scopes_and_bodies)
{
    tl_tape *tape = tl_tape_new(NULL);
    const float v[4] = {1, 2, 3, 4};
    tl_tensor x = tl_name(tl_input_f32(tape, tl_shape2(2, 2), v), "x");
    tl_scope_open(tape, "cell");
    tl_scan s = tl_scan_open(tape, 2, NULL);
    tl_tensor h = tl_name(tl_scan_carry(s, tl_zeros(tape, TL_F32, tl_shape1(2))), "h");
    tl_scan_next(s, h, tl_name(tl_tanh(tl_add(h, tl_scan_each(s, x))), "h1"));
    tl_scan_close(s);
    tl_scope_close(tape);
    tl_neg(tl_scan_last(s, h));
    char *text = tl_tape_text(tape, NULL);
    cr_assert(strstr(text, "x            = input"), "%s", text);
    cr_assert(strstr(text, "# cell"), "%s", text);
    cr_assert(strstr(text, "\n#\n"), "%s", text); /* here the scope ends */
    cr_assert(strstr(text, "scan over t = 0 .. 1 {"), "%s", text);
    cr_assert(strstr(text, "h1           = tanh(%"), "%s", text);
    cr_assert(strstr(text, ", then h1"), "%s", text);
    cr_assert(strstr(text, "each(x)"), "%s", text);
    cr_assert(strstr(text, "f32 [2,2]"), "%s", text);
    tl_string_free(text);
    tl_print_opts o = tl_print_defaults();
    o.from = tl_tape_mark(tape);
    tl_add(x, x);
    text = tl_tape_text(tape, &o);
    cr_assert(strstr(text, "add(x, x)") && !strstr(text, "input"), "%s", text);
    tl_string_free(text);
    tl_tape_free(tape);
}
