/* test_sequence_error.c -- every way to get a sequence wrong: wrong tensors, wrong options, a step
 * that breaks its contract, no memory. */
#include "tests/sequencetest.h"

TestSuite(sequence_error, .init = sequencetest_open, .fini = sequencetest_close);

Test(sequence_error, wrong_tensors_are_named)
{
    tl_sequence *s = lstm_of(NULL);
    tl_sequence_args a = tl_sequence_args_defaults();
    tl_sequence_apply(s, tl_zeros(tape, TL_F64, tl_shape3(T, B, I + 1)), NULL);
    expect_error(tape, TL_ESHAPE, "[5,3,3]");
    tl_sequence_apply(s, tl_zeros(tape, TL_F64, tl_shape2(T, I)), NULL);
    expect_error(tape, TL_ESHAPE, "want [T,B,2] f64");
    tl_sequence_apply(s, tl_zeros(tape, TL_F32, tl_shape3(T, B, I)), NULL);
    expect_error(tape, TL_EDTYPE, "f32");
    a.initial[1] = tl_zeros(tape, TL_F64, tl_shape2(B, H));
    tl_sequence_apply(s, input(), &a);
    expect_error(tape, TL_ESHAPE, "initial state c [3,3], want [L*D,B,width] = [1,3,3]");
    const int32_t too_long[B] = {5, 6, 0};
    for (int unroll = 0; unroll < 2; unroll++) {
        a = tl_sequence_args_defaults();
        a.unroll = unroll;
        a.lengths = tl_input_i32(tape, tl_shape1(B), too_long);
        tl_tensor y = tl_sequence_apply(s, input(), &a).y;
        cr_assert_eq(tl_eval(1, &y), TL_ERANGE);
        expect_error(tape, TL_ERANGE, "6");
    }
    tl_tensor none = {0};
    cr_assert(!tl_sequence_apply(s, none, NULL).y.tape);
    cr_assert(!tl_sequence_apply(NULL, input(), NULL).y.tape);
    tl_sequence_free(s);
}

/* What comes out after an error says that error when it is asked for: of x, of a step before, of an
 * initial state. */
Test(sequence_error, results_remember_the_first_cause)
{
    tl_sequence *s = lstm_of(NULL);
    for (int k = 0; k < 4; k++) {
        tl_sequence_args a = tl_sequence_args_defaults();
        tl_tensor x = k == 0 ? tl_zeros(tape, TL_F64, tl_shape3(T, B, I + 1)) : input();
        a.unroll = k == 3;
        if (k == 1)
            x = tl_add(x, tl_zeros(tape, TL_F64, tl_shape1(7)));
        if (k >= 2)
            a.initial[1] = tl_zeros(tape, TL_F64, tl_shape2(B, H));
        const tl_sequence_out out = tl_sequence_apply(s, x, &a);
        const tl_tensor loss = tl_mean_all(tl_square(out.y));
        cr_expect_eq(tl_eval(1, &out.y), TL_ESHAPE, "%d", k);
        cr_expect_eq(tl_eval(1, &out.state[0]), TL_ESHAPE, "%d", k);
        cr_expect_eq(tl_backward(loss), TL_ESHAPE, "%d", k);
        cr_expect_eq(tl_tape_reset(tape), TL_OK);
    }
    tl_sequence_free(s);
}

static tl_tensor wide_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *state,
                           const tl_tensor *aux)
{
    (void)cell, (void)w, (void)aux;
    state[0] = tl_tanh(state[0]);
    return x;
}

static tl_tensor growing_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x,
                              tl_tensor *state, const tl_tensor *aux)
{
    (void)cell, (void)w, (void)aux;
    tl_tensor h = state[0], both[2] = {x, h};
    state[0] = tl_concat(2, both, -1);
    return h;
}

static tl_tensor empty_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *state,
                            const tl_tensor *aux)
{
    (void)cell, (void)w, (void)x, (void)aux, (void)state;
    tl_tensor none = {0};
    return none;
}

Test(sequence_error, a_step_that_breaks_its_contract_is_named)
{
    const tl_step_fn step[3] = {wide_step, growing_step, empty_step};
    const char *part[3] = {"step returned [3,2], want the output [B,H] = [3,3]",
                           "step left [3,5] in state h, want [3,3]", "step returned no tensor"};
    for (int i = 0; i < 6; i++) {
        tl_err err = {0};
        tl_params *own = tl_params_new(TL_F64);
        tl_cell cell = tl_cell_make("wrong", step[i % 3]);
        tl_cell_state_add(&cell, "h", "H");
        tl_sequence *s = tl_sequence_new(own, "s", &cell, I, H, NULL, &err);
        tl_sequence_args a = tl_sequence_args_defaults();
        a.unroll = i / 3;
        cr_assert_not_null(s, "%s", err.message);
        tl_sequence_apply(s, input(), &a);
        expect_error(tape, TL_ESHAPE, part[i % 3]);
        tl_sequence_free(s);
        tl_params_free(own);
    }
}

Test(sequence_error, wrong_options_are_refused)
{
    tl_err err = {0};
    tl_cell cell = tl_lstm_cell(NULL), wrong = tl_cell_make("wrong", NULL);
    tl_sequence_opts o = tl_sequence_defaults();
    cr_assert_null(tl_sequence_new(NULL, "s", &cell, I, H, NULL, &err));
    cr_assert_eq(err.code, TL_EINVAL);
    cr_assert_null(tl_sequence_new(set, "s", &wrong, I, H, NULL, NULL));
    cr_assert_null(tl_sequence_new(set, "s", &cell, 0, H, NULL, &err));
    o.layers = 0;
    cr_assert_null(tl_sequence_new(set, "s", &cell, I, H, &o, &err));
    cr_assert(strstr(err.message, "0 layers"), "%s", err.message);
    o = tl_sequence_defaults();
    o.dropout = 1;
    cr_assert_null(tl_sequence_new(set, "s", &cell, I, H, &o, &err));
    tl_sequence *s = lstm_of(NULL);
    cr_assert_null(tl_sequence_new(set, "lstm", &cell, I, H, NULL, &err));
    cr_assert(strstr(err.message, "lstm.weight_ih_l0"), "%s", err.message);
    cr_assert_null(tl_sequence_memory_new(s, 0, &err));
    cr_assert_null(tl_sequence_memory_new(NULL, 1, &err));
    tl_sequence_memory_zero(NULL);
    tl_sequence_memory_free(NULL);
    tl_sequence_free(NULL);
    tl_sequence_free(s);
}

/* Every allocation of the constructors fails once: an error with a sentence, and nothing is lost.
 * */
Test(sequence_error, constructors_survive_a_lack_of_memory)
{
    tl_cell cell = tl_lstm_cell(NULL);
    tl_sequence_opts o = tl_sequence_defaults();
    o.bidirectional = 1;
    int made = 0;
    for (long n = 1; !made; n++) {
        tl_err err = {0};
        tl_params *own = tl_params_new(TL_F64);
        tl__fail_after(n);
        tl_sequence *s = tl_sequence_new(own, "lstm", &cell, I, H, &o, &err);
        tl_sequence_memory *m = s ? tl_sequence_memory_new(s, B, &err) : NULL;
        made = m != NULL;
        tl__fail_after(0);
        cr_assert(made || (err.code == TL_ENOMEM && err.message[0]), "%ld: %s", n, err.message);
        cr_assert_lt(n, 1000);
        tl_sequence_memory_free(m);
        tl_sequence_free(s);
        tl_params_free(own);
    }
}
