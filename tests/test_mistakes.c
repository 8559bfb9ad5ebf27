/* test_mistakes.c -- twenty mistakes that everybody makes once, and the sentence each is answered
 * with: where (scope and operation), what came and what was wanted, and what to do about it.
 * examples/README.md lists them. */
#include "tapeloop.h"
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* mistake -- make returns the code of what refused; the sentence is the tape's unless make wrote it
 * to text. */
enum { TEXT = 2000 };
typedef struct mistake {
    const char *name;
    int (*make)(tl_tape *tape, char *text);
    int code;
    const char *says;
} mistake;

static tl_tensor zeros(tl_tape *tape, int64_t a, int64_t b)
{
    return tl_zeros(tape, TL_F32, tl_shape2(a, b));
}

static tl_tensor labels(tl_tape *tape, int64_t n, const int32_t *label)
{
    return tl_input_i32(tape, tl_shape1(n), label);
}

/* logged -- what do_it logged, in text. */
static void logged(tl_tape *tape, void (*do_it)(tl_tape *), char *text)
{
    fflush(stderr);
    FILE *file = tmpfile();
    cr_assert_not_null(file);
    const int real = dup(2);
    dup2(fileno(file), 2);
    tl_set_on_error("print");
    do_it(tape);
    tl_set_on_error(NULL);
    fflush(stderr);
    dup2(real, 2);
    close(real);
    rewind(file);
    const size_t n = fread(text, 1, TEXT - 1, file);
    text[n] = '\0';
    fclose(file);
}

/* ---- the tape -------------------------------------------------------------------------------- */

static void grow(tl_tape *tape)
{
    tl_scope_open(tape, "train");
    tl_tensor h = zeros(tape, 2, 3);
    for (int i = 0; i < 60; i++)
        h = tl_tanh(h);
    tl_scope_close(tape);
}

static int forgotten_reset(tl_tape *tape, char *text)
{
    (void)tape;
    tl_tape_opts opts = tl_tape_defaults();
    opts.warn_at = 50;
    tl_tape *small = tl_tape_new(&opts);
    logged(small, grow, text);
    tl_tape_free(small);
    return TL_OK;
}

static int kept_over_reset(tl_tape *tape, char *text)
{
    (void)text;
    tl_scope_open(tape, "lstm");
    tl_tensor h = tl_name(zeros(tape, 2, 3), "h");
    tl_scope_close(tape);
    tl_tape_reset(tape);
    tl_tanh(h);
    return tl_tape_status(tape);
}

static int two_tapes(tl_tape *tape, char *text)
{
    (void)text;
    tl_tape *other = tl_tape_new(NULL);
    tl_tensor w = tl_name(zeros(other, 2, 3), "w");
    tl_scope_open(tape, "decoder");
    tl_add(zeros(tape, 2, 3), w);
    tl_scope_close(tape);
    tl_tape_free(other);
    return tl_tape_status(tape);
}

static int read_in_loop(tl_tape *tape, char *text)
{
    (void)text;
    tl_scan_opts opts = tl_scan_defaults();
    opts.name = "rnn";
    tl_scan s = tl_scan_open(tape, 5, &opts);
    tl_tensor h = tl_scan_carry(s, tl_zeros(tape, TL_F32, tl_shape0()));
    tl_item(tl_tanh(h));
    return tl_tape_status(tape);
}

/* ---- shapes and types ------------------------------------------------------------------------ */

static int wrong_axis(tl_tape *tape, char *text)
{
    (void)text;
    tl_scope_open(tape, "attention");
    tl_softmax(zeros(tape, 32, 10), 2);
    tl_scope_close(tape);
    return tl_tape_status(tape);
}

static int weight_not_turned(tl_tape *tape, char *text)
{
    (void)text;
    tl_scope_open(tape, "output");
    tl_matmul(zeros(tape, 32, 100), zeros(tape, 512, 100));
    tl_scope_close(tape);
    return tl_tape_status(tape);
}

static int target_with_an_axis(tl_tape *tape, char *text)
{
    (void)text;
    tl_scope_open(tape, "loss");
    tl_mse(tl_zeros(tape, TL_F32, tl_shape1(32)), zeros(tape, 32, 1));
    tl_scope_close(tape);
    return tl_tape_status(tape);
}

static int two_types(tl_tape *tape, char *text)
{
    (void)text;
    tl_scope_open(tape, "loss");
    tl_mul(zeros(tape, 2, 3), tl_zeros(tape, TL_F64, tl_shape2(2, 3)));
    tl_scope_close(tape);
    return tl_tape_status(tape);
}

/* ---- data ------------------------------------------------------------------------------------ */

static int label_out_of_range(tl_tape *tape, char *text)
{
    (void)text;
    const int32_t label[3] = {0, 10, 2}; /* classes are counted from 0 */
    tl_scope_open(tape, "loss");
    tl_tensor loss = tl_cross_entropy(zeros(tape, 3, 10), labels(tape, 3, label), -1);
    tl_scope_close(tape);
    return tl_eval(1, &loss);
}

static int token_out_of_range(tl_tape *tape, char *text)
{
    (void)text;
    const int32_t token[3] = {0, 72, 73};
    tl_scope_open(tape, "embedding");
    tl_tensor e = tl_embedding(zeros(tape, 73, 8), labels(tape, 3, token), -1);
    tl_scope_close(tape);
    return tl_eval(1, &e);
}

/* a_sequence -- an LSTM of 4 units over x [T,2,3] with args. */
static int a_sequence(tl_tape *tape, int64_t T, const tl_sequence_args *args)
{
    tl_err err = {0};
    tl_params *params = tl_params_new(TL_F32);
    const tl_cell lstm = tl_lstm_cell(NULL);
    tl_sequence *seq = tl_sequence_new(params, "lstm", &lstm, 3, 4, NULL, &err);
    cr_assert_not_null(seq, "%s", err.message);
    tl_sequence_out out = tl_sequence_apply(seq, tl_zeros(tape, TL_F32, tl_shape3(T, 2, 3)), args);
    tl_eval(1, &out.y);
    const int code = tl_tape_status(tape);
    tl_sequence_free(seq);
    tl_params_free(params);
    return code;
}

static int lengths_beyond_T(tl_tape *tape, char *text)
{
    (void)text;
    const int32_t length[2] = {5, 6};
    tl_sequence_args args = tl_sequence_args_defaults();
    args.lengths = labels(tape, 2, length);
    return a_sequence(tape, 5, &args);
}

static int state_of_other_batch(tl_tape *tape, char *text)
{
    (void)text;
    tl_sequence_args args = tl_sequence_args_defaults();
    args.initial[0] = tl_zeros(tape, TL_F32, tl_shape3(1, 32, 4));
    return a_sequence(tape, 5, &args);
}

/* ---- the loop -------------------------------------------------------------------------------- */

static tl_scan rnn(tl_tape *tape, tl_tensor *h, int64_t units)
{
    tl_scan_opts opts = tl_scan_defaults();
    opts.name = "rnn";
    tl_scan s = tl_scan_open(tape, 5, &opts);
    *h = tl_name(tl_scan_carry(s, zeros(tape, 2, units)), "h");
    return s;
}

static int body_value_outside(tl_tape *tape, char *text)
{
    (void)text;
    tl_tensor h;
    tl_scan s = rnn(tape, &h, 4);
    tl_tensor y = tl_name(tl_tanh(h), "y");
    tl_scan_next(s, h, y);
    tl_scan_close(s);
    tl_sum_all(y); /* tl_scan_stacked(s, y) was meant */
    return tl_tape_status(tape);
}

static int no_next_value(tl_tape *tape, char *text)
{
    (void)text;
    tl_tensor h;
    tl_scan s = rnn(tape, &h, 4);
    tl_tanh(h);
    tl_scan_close(s);
    return tl_tape_status(tape);
}

static int carry_of_other_shape(tl_tape *tape, char *text)
{
    (void)text;
    tl_tensor h;
    tl_scan s = rnn(tape, &h, 1);
    tl_scan_next(s, h, tl_add(h, zeros(tape, 2, 4)));
    tl_scan_close(s);
    return tl_tape_status(tape);
}

/* ---- training -------------------------------------------------------------------------------- */

/* model -- one parameter and an optimizer. */
typedef struct model {
    tl_params *params;
    tl_param *w;
    tl_optim *adam;
} model;

static model model_new(void)
{
    model m = {.params = tl_params_new(TL_F32)};
    m.w = tl_param_new(m.params, "w", tl_shape2(2, 3), NULL);
    m.adam = tl_adam_new(m.params, NULL, NULL);
    return m;
}

static void model_free(model *m)
{
    tl_optim_free(m->adam);
    tl_params_free(m->params);
}

static int loss_of_many_numbers(tl_tape *tape, char *text)
{
    (void)text;
    model m = model_new();
    tl_scope_open(tape, "loss");
    tl_backward(tl_mul(tl_use(tape, m.w), tl_use(tape, m.w)));
    tl_scope_close(tape);
    const int code = tl_tape_status(tape);
    model_free(&m);
    return code;
}

static int loss_of_no_parameter(tl_tape *tape, char *text)
{
    (void)text;
    model m = model_new();
    tl_no_grad_open(tape);
    tl_scope_open(tape, "model");
    tl_tensor y = tl_tanh(tl_use(tape, m.w));
    tl_scope_close(tape);
    tl_no_grad_close(tape);
    tl_scope_open(tape, "loss");
    tl_backward(tl_name(tl_sum_all(y), "nll"));
    tl_scope_close(tape);
    const int code = tl_tape_status(tape);
    model_free(&m);
    return code;
}

/* The gradient is on one tape, the step is asked of another. */
static int step_on_other_tape(tl_tape *tape, char *text)
{
    model m = model_new();
    tl_tape *other = tl_tape_new(NULL);
    (void)text;
    tl_backward(tl_sum_all(tl_use(other, m.w)));
    const int code = tl_optim_step(m.adam, tape);
    tl_tape_free(other);
    model_free(&m);
    return code;
}

static model *trained;

static void reset_without_step(tl_tape *tape)
{
    tl_backward(tl_sum_all(tl_use(tape, trained->w)));
    tl_tape_reset(tape);
}

static int forgotten_step(tl_tape *tape, char *text)
{
    model m = model_new();
    trained = &m;
    tl_tape *another = tl_tape_new(NULL);
    (void)tape;
    logged(another, reset_without_step, text);
    const int code = tl_tape_reset(another);
    tl_tape_free(another);
    model_free(&m);
    return code;
}

/* ---- a step that is not a function of its arguments ------------------------------------------- */

static int calls;

static tl_tensor counting_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x,
                               tl_tensor *state, const tl_tensor *aux)
{
    (void)cell, (void)aux;
    tl_tensor z = tl_add(tl_linear(x, w[0], (tl_tensor){0}), state[0]);
    return state[0] = tl_tanh(tl_scale(z, 1.0 / ++calls));
}

static int side_effect_in_step(tl_tape *tape, char *text)
{
    (void)tape;
    tl_cell cell = tl_cell_make("counting", counting_step);
    tl_cell_param_add(&cell, "weight", "H,I", tl_init_recurrent());
    tl_cell_state_add(&cell, "h", "H");
    tl_verify_report report;
    tl_err err = {0};
    const int code = tl_cell_verify(&cell, 3, 4, NULL, &report, &err);
    snprintf(text, TEXT, "%s", report.message);
    tl_verify_report_close(&report);
    return code;
}

/* In each sentence stands where it was, what came, what was wanted, or what to do. */
static const mistake mistakes[] = {
    {"forgotten_reset", forgotten_reset, TL_OK,
     "tape has 50 nodes and only grows (the last is tanh in scope \"train\"): did you forget "
     "tl_tape_reset after each step, or tl_keep for a carried state?"},
    {"kept_over_reset", kept_over_reset, TL_EDEAD,
     "tanh: h, recorded in lstm at step 0, is gone: its tape was reset or released (carry values "
     "over with tl_keep, or read them before)"},
    {"two_tapes", two_tapes, TL_ETAPE,
     "decoder: add: operand 1 lives on another tape than operand 0 (record both on one, or read "
     "its numbers and take them in by tl_input_f32)"},
    {"read_in_loop", read_in_loop, TL_EFRAME,
     "rnn: tl_item: not allowed inside an open scan: the body has only been recorded, it runs "
     "later "
     "(tl_scan_close, then tl_scan_stacked gives the value of every step)"},
    {"wrong_axis", wrong_axis, TL_ESHAPE,
     "attention: softmax: got axis 2 of [32,10], want one in [-2,2)"},
    {"weight_not_turned", weight_not_turned, TL_ESHAPE,
     "output: matmul: got [32,100] x [512,100], want [m,k] x [k,n] (the second one turned would "
     "fit: tl_matmul_t)"},
    {"target_with_an_axis", target_with_an_axis, TL_ESHAPE,
     "loss: mse: got [32] and [32,1], want equal shapes (tl_reshape)"},
    {"two_types", two_types, TL_EDTYPE,
     "loss: mul: got f32 [2,3] and f64 [2,3], want equal element types (tl_cast converts)"},
    {"label_out_of_range", label_out_of_range, TL_ERANGE,
     "loss/cross_entropy: take_along: got index 10 at [1,0], want one in [0,10)"},
    {"token_out_of_range", token_out_of_range, TL_ERANGE,
     "embedding: gather: got index 73 at [2], want one in [0,73)"},
    {"lengths_beyond_T", lengths_beyond_T, TL_ERANGE,
     "lstm/lengths: check_range: got 6 as element 1, want 0 to 5"},
    {"state_of_other_batch", state_of_other_batch, TL_ESHAPE,
     "lstm: sequence: got initial state h [1,32,4], want [L*D,B,width] = [1,2,4]"},
    {"body_value_outside", body_value_outside, TL_EFRAME,
     "sum: operand 0, y (recorded in rnn), belongs to the body of scan \"rnn\"; outside it ask "
     "tl_scan_last, tl_scan_stacked or tl_scan_summed"},
    {"no_next_value", no_next_value, TL_ESTATE,
     "rnn: tl_scan_close: carry h (recorded in rnn) has no next value: tl_scan_next is missing"},
    {"carry_of_other_shape", carry_of_other_shape, TL_ESHAPE,
     "rnn: tl_scan_next: got [2,4], but carry h (recorded in rnn) is [2,1]; its initial value has "
     "the shape of every step"},
    {"loss_of_many_numbers", loss_of_many_numbers, TL_ESHAPE,
     "loss: tl_backward: the loss has shape [2,3], want a single number (take a sum or mean, or "
     "use tl_grad)"},
    {"loss_of_no_parameter", loss_of_no_parameter, TL_ENOGRAD,
     "loss: tl_backward: the loss, nll (recorded in loss), depends on none of the 1 unfrozen "
     "parameters used on this tape (was "
     "it recorded inside tl_no_grad, or of tensors that went through tl_detach or tl_state_use?)"},
    {"step_on_other_tape", step_on_other_tape, TL_ENOGRAD,
     "adam: no parameter has a gradient on this tape: did you forget tl_backward, or call it on "
     "another tape?"},
    {"forgotten_step", forgotten_step, TL_ESTATE,
     "tl_tape_reset: a gradient of tl_backward is queued; tl_commit (or an optimizer step) comes "
     "first"},
    {"side_effect_in_step", side_effect_in_step, TL_ESTATE,
     "counting, check 'repeat': the same program recorded twice gives different numbers: the step "
     "keeps something from call to call"},
};

Test(mistakes, each_has_its_sentence)
{
    const size_t n = sizeof mistakes / sizeof mistakes[0];
    cr_assert_eq(n, 20);
    for (size_t i = 0; i < n; i++) {
        char text[TEXT] = "";
        tl_tape *tape = check_tape(1);
        const int code = mistakes[i].make(tape, text);
        const char *got = text[0] ? text : tl_tape_error(tape);
        cr_expect(code == mistakes[i].code, "%s: code %d (%s)", mistakes[i].name, code, got);
        cr_expect(strstr(got, mistakes[i].says), "%s:\n  got  %s\n  want %s", mistakes[i].name, got,
                  mistakes[i].says);
        tl_tape_free(tape);
    }
}

/* listed -- examples/README.md, whole. */
static char *listed(void)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/examples/README.md", getenv("TL_SOURCE_ROOT"));
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s", path);
    char *text = calloc(1, 200000);
    cr_assert_not_null(text);
    cr_assert(fread(text, 1, 199999, file) > 0);
    fclose(file);
    return text;
}

/* The list that users read has the sentences that they meet. */
Test(mistakes, the_list_in_examples_is_complete)
{
    char *text = listed();
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++)
        cr_expect(strstr(text, mistakes[i].says), "%s is not listed:\n%s", mistakes[i].name,
                  mistakes[i].says);
    free(text);
}
