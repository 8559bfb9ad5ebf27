/* test_messages_nn.c -- every message of cells, layers and sequences. */
#include "tests/messages.h"

static tl_params *fresh(void)
{
    static tl_params *set;
    tl_params_free(set);
    return set = tl_params_new(TL_F32);
}

static tl_tensor f32(tl_tape *tape, int64_t a, int64_t b, int64_t c)
{
    return tl_zeros(tape, TL_F32, tl_shape3(a, b, c));
}

/* ---- cells ----------------------------------------------------------------------------------- */

static tl_tensor step(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *state,
                      const tl_tensor *aux)
{
    (void)cell, (void)x, (void)aux;
    return state[0] = tl_tanh(tl_add(state[0], w[0]));
}

/* good -- a cell "mine" with one parameter and one state. */
static tl_cell good(void)
{
    tl_cell cell = tl_cell_make("mine", step);
    tl_cell_param_add(&cell, "bias", "H", tl_init_constant(0));
    tl_cell_state_add(&cell, "h", "H");
    return cell;
}

static int check_many(int params, int states, tl_err *err)
{
    static const char *const name[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i",
                                       "j", "k", "l", "m", "n", "o", "p", "q", "r",
                                       "s", "t", "u", "v", "w", "x", "y", "z"};
    tl_cell cell = tl_cell_make("mine", step);
    for (int k = 0; k < params; k++)
        tl_cell_param_add(&cell, name[k], "H", tl_init_constant(0));
    for (int k = 0; k < states; k++)
        tl_cell_state_add(&cell, name[25 - k], "H");
    return tl_cell_check(&cell, err);
}

static int check_param(const char *name, const char *shape, tl_err *err)
{
    tl_cell cell = good();
    tl_cell_param_add(&cell, name, shape, tl_init_constant(0));
    return tl_cell_check(&cell, err);
}

static int check_width(const char *width, tl_err *err)
{
    tl_cell cell = good();
    tl_cell_state_add(&cell, "c", width);
    return tl_cell_check(&cell, err);
}

static int check_begin(tl_tape *tape, tl_err *err)
{
    (void)tape;
    tl_cell cell = good();
    tl_cell_begin(&cell, NULL, TL_CELL_AUX + 1);
    return tl_cell_check(&cell, err);
}

static int check_made(const char *name, tl_step_fn fn, tl_err *err)
{
    tl_cell cell = tl_cell_make(name, fn);
    return tl_cell_check(&cell, err);
}

RETURNS(cell_none, tl_cell_check(NULL, err))
RETURNS(cell_params, check_many(TL_CELL_PARAMS + 1, 1, err))
RETURNS(cell_states, check_many(1, TL_CELL_STATES + 1, err))
RETURNS(cell_rank, check_param("W", "H,H,H,H,H", err))
RETURNS(cell_shape, check_param("W", "4H x I", err))
RETURNS(cell_width, check_width("H,2", err))
RETURNS(cell_no_name, check_made(NULL, step, err))
RETURNS(cell_no_step, check_made("mine", NULL, err))
RETURNS(cell_no_state, check_made("mine", step, err))
RETURNS(cell_unnamed, check_param("", "H", err))
RETURNS(cell_twice, check_param("bias", "H", err))

/* ---- sequences ------------------------------------------------------------------------------- */

static tl_sequence *sequence(const tl_cell *cell, int64_t I, const tl_sequence_opts *o, tl_err *err)
{
    return tl_sequence_new(fresh(), "lstm", cell, I, 4, o, err);
}

static int sequence_bad(tl_tape *tape, tl_err *err)
{
    (void)tape;
    tl_sequence_opts o = tl_sequence_defaults();
    o.layers = 65;
    tl_cell cell = good();
    cr_expect_null(sequence(&cell, 3, &o, err));
    return err->code;
}

static int sequence_long_name(tl_tape *tape, tl_err *err)
{
    (void)tape;
    char name[300];
    memset(name, 'w', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    tl_cell cell = good();
    tl_cell_param_add(&cell, name, "H", tl_init_constant(0));
    cr_expect_null(sequence(&cell, 3, NULL, err));
    return err->code;
}

static int sequence_twice(tl_tape *tape, tl_err *err)
{
    (void)tape;
    tl_cell cell = good();
    tl_params *set = fresh();
    tl_sequence *first = tl_sequence_new(set, "lstm", &cell, 3, 4, NULL, err);
    cr_expect_null(tl_sequence_new(set, "lstm", &cell, 3, 4, NULL, err));
    tl_sequence_free(first);
    return err->code;
}

/* apply -- an LSTM of I = 3, H = 4 on x, with one changed argument. */
static int apply(const tl_cell *cell, tl_tensor x, const tl_sequence_args *args, int run)
{
    tl_sequence *s = sequence(cell, 3, NULL, NULL);
    tl_sequence_out out = tl_sequence_apply(s, x, args);
    if (run)
        tl_eval(1, &out.y);
    else
        cr_expect(!tl_tensor_ok(out.y));
    int code = tl_tape_status(x.tape);
    tl_sequence_free(s);
    return code;
}

static int apply_to(tl_tensor x)
{
    tl_cell cell = tl_lstm_cell(NULL);
    return apply(&cell, x, NULL, 0);
}

RETURNS(apply_width, apply_to(f32(tape, 5, 2, 7)))
RETURNS(apply_rank, apply_to(tl_zeros(tape, TL_F32, tl_shape2(5, 3))))
RETURNS(apply_dtype, apply_to(tl_zeros(tape, TL_F64, tl_shape3(5, 2, 3))))

static int apply_initial(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_cell cell = tl_lstm_cell(NULL);
    tl_sequence_args args = tl_sequence_args_defaults();
    args.initial[1] = f32(tape, 1, 2, 5);
    return apply(&cell, f32(tape, 5, 2, 3), &args, 0);
}

static int apply_lengths(tl_tape *tape, int64_t rows, int unroll)
{
    tl_cell cell = tl_lstm_cell(NULL);
    tl_sequence_args args = tl_sequence_args_defaults();
    args.lengths = tl_full(tape, TL_I32, tl_shape1(rows), 9);
    args.unroll = unroll;
    return apply(&cell, f32(tape, 5, 2, 3), &args, rows == 2);
}

RETURNS(apply_length_value, apply_lengths(tape, 2, 0))
RETURNS(apply_length_value_unrolled, apply_lengths(tape, 2, 1))
RETURNS(apply_length_rows, apply_lengths(tape, 3, 0))

static tl_tensor bad_output(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *state,
                            const tl_tensor *aux)
{
    (void)cell, (void)w, (void)state, (void)aux;
    return x;
}

/* no_output -- reads a parameter that the cell does not have. */
static tl_tensor no_output(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *state,
                           const tl_tensor *aux)
{
    (void)cell, (void)x, (void)aux;
    return state[0] = tl_tanh(w[1]);
}

static tl_tensor bad_state(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *state,
                           const tl_tensor *aux)
{
    (void)cell, (void)w, (void)aux;
    tl_tensor y = state[0];
    state[0] = x;
    return y;
}

static tl_tensor bad_product(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *state,
                             const tl_tensor *aux)
{
    (void)cell, (void)w, (void)aux;
    return tl_matmul(x, state[0]);
}

static int apply_step(tl_tape *tape, tl_step_fn fn)
{
    tl_cell cell = good();
    cell.step = fn;
    return apply(&cell, f32(tape, 5, 2, 3), NULL, 0);
}

RETURNS(step_output, apply_step(tape, bad_output))
RETURNS(step_nothing, apply_step(tape, no_output))
RETURNS(step_state, apply_step(tape, bad_state))
RETURNS(step_inside, apply_step(tape, bad_product))

static int memory_rows(tl_tape *tape, tl_err *err)
{
    (void)tape;
    tl_cell cell = good();
    tl_sequence *s = sequence(&cell, 3, NULL, err);
    cr_expect_null(tl_sequence_memory_new(s, 0, err));
    tl_sequence_free(s);
    return err->code;
}

static int memory_batch(tl_tape *tape, tl_err *err)
{
    tl_cell cell = good();
    tl_sequence *s = sequence(&cell, 3, NULL, err);
    tl_sequence_args args = tl_sequence_args_defaults();
    args.memory = tl_sequence_memory_new(s, 7, err);
    tl_sequence_apply(s, f32(tape, 5, 2, 3), &args);
    tl_sequence_memory_free(args.memory);
    tl_sequence_free(s);
    return tl_tape_status(tape);
}

static int memory_and_initial(tl_tape *tape, tl_err *err)
{
    tl_cell cell = good();
    tl_sequence *s = sequence(&cell, 3, NULL, err);
    tl_sequence_args args = tl_sequence_args_defaults();
    args.memory = tl_sequence_memory_new(s, 2, err);
    args.initial[0] = f32(tape, 1, 2, 4);
    tl_sequence_apply(s, f32(tape, 5, 2, 3), &args);
    tl_sequence_memory_free(args.memory);
    tl_sequence_free(s);
    return tl_tape_status(tape);
}

/* memory_nowhere -- the code of a mistake with the memory alone. */
static int memory_nowhere(tl_tape *tape, int is_use, tl_err *err)
{
    tl_cell cell = good();
    tl_sequence *s = sequence(&cell, 3, NULL, err);
    tl_sequence_memory *m = tl_sequence_memory_new(s, 2, err);
    if (is_use)
        tl_sequence_memory_use(m, tape, NULL);
    else
        tl_sequence_memory_keep(m, NULL);
    tl_sequence_memory_free(m);
    tl_sequence_free(s);
    return is_use ? tl_tape_status(tape) : TL_EINVAL;
}

RETURNS(memory_use_nowhere, memory_nowhere(tape, 1, err))
RETURNS(memory_keep_nothing, memory_nowhere(tape, 0, err))

/* ---- layers ---------------------------------------------------------------------------------- */

MAKES(embedding_bad, tl_embedding_layer_new(fresh(), "chars", 0, 8, NULL, err))
MAKES(embedding_no_set, tl_embedding_layer_new(NULL, "chars", 4, 8, NULL, err))
MAKES(norm_bad, tl_norm_layer_new(fresh(), "", 4, NULL, err))
MAKES(linear_bad, tl_linear_layer_new(fresh(), "out", 4, 0, NULL, err))

static int linear_tied(tl_tape *tape, tl_err *err)
{
    (void)tape;
    tl_params *set = fresh();
    tl_linear_opts o = tl_linear_defaults();
    o.tied = tl_param_new(set, "chars", tl_shape2(10, 8), err);
    cr_expect_null(tl_linear_layer_new(set, "out", 4, 10, &o, err));
    return err->code;
}

static int linear_input(tl_tape *tape, tl_err *err)
{
    tl_linear_layer *layer = tl_linear_layer_new(fresh(), "out", 4, 10, NULL, err);
    tl_linear_layer_apply(layer, f32(tape, 2, 3, 5));
    tl_linear_layer_free(layer);
    return tl_tape_status(tape);
}

static int embedding_index(tl_tape *tape, tl_err *err)
{
    tl_embedding_layer *layer = tl_embedding_layer_new(fresh(), "chars", 4, 8, NULL, err);
    tl_tensor y = tl_embedding_layer_apply(layer, tl_full(tape, TL_I32, tl_shape2(5, 2), 4));
    tl_embedding_layer_free(layer);
    return tl_eval(1, &y);
}

RECORDS(layer_norm_scale, tl_layer_norm(f32(tape, 2, 3, 4), tl_zeros(tape, TL_F32, tl_shape1(3)),
                                        (tl_tensor){0}, 1e-5))
RECORDS(attention_shapes,
        tl_attention(f32(tape, 2, 3, 4), f32(tape, 2, 3, 5), f32(tape, 2, 3, 4), (tl_tensor){0}))
RECORDS(attention_mask, tl_attention(f32(tape, 2, 3, 4), f32(tape, 2, 3, 4), f32(tape, 2, 3, 4),
                                     f32(tape, 2, 3, 4)))
RECORDS(attention_dtypes, tl_attention(f32(tape, 2, 3, 4), f32(tape, 2, 3, 4),
                                       tl_zeros(tape, TL_F64, tl_shape3(2, 3, 4)), (tl_tensor){0}))
RECORDS(layer_norm_eps, tl_layer_norm(f32(tape, 1, 2, 3), (tl_tensor){0}, (tl_tensor){0}, -1))
RECORDS(layer_norm_scalar,
        tl_layer_norm(tl_scalar(tape, TL_F32, 0), (tl_tensor){0}, (tl_tensor){0}, 1e-5))
RECORDS(locked_scalar, tl_locked_dropout(tl_scalar(tape, TL_F32, 0), 0.5))
RECORDS(locked_p, tl_locked_dropout(f32(tape, 2, 3, 4), 1.5))

static int init_with(tl_init init, int blocks, tl_err *err)
{
    tl_param *p = tl_param_new(fresh(), "W", tl_shape2(6, 2), err);
    return tl_param_init(p, init, 0, blocks, 0, 0, err);
}

RETURNS(init_no_param, tl_param_init(NULL, tl_init_fan_in(), 0, 1, 0, 0, err))
RETURNS(init_no_rule, init_with((tl_init){0}, 1, err))
RETURNS(init_blocks, init_with(tl_init_fan_in(), 4, err))
RETURNS(init_nan, init_with(tl_init_normal(0, CHECK_NAN), 1, err))
RETURNS(init_plus_block, init_with(tl_init_plus(tl_init_fan_in(), 2, 1), 2, err))

/* ---- verifying ------------------------------------------------------------------------------- */

static int verify(tl_step_fn fn, int64_t I, tl_err *err)
{
    tl_cell cell = good();
    cell.step = fn;
    tl_verify_report report;
    int code = tl_cell_verify(&cell, I, 4, NULL, &report, err);
    tl_verify_report_close(&report);
    return code;
}

static int verify_no_report(tl_tape *tape, tl_err *err)
{
    (void)tape;
    tl_cell cell = good();
    return tl_cell_verify(&cell, 3, 4, NULL, NULL, err);
}

RETURNS(verify_sizes, verify(step, 0, err))
RETURNS(verify_fails, verify(bad_output, 3, err))

RETURNS(verify_large, verify(step, (int64_t)1 << 40, err))

/* ---- looking --------------------------------------------------------------------------------- */

static int microscope(tl_step_fn fn, int64_t T, tl_err *err)
{
    static const double zeros[64];
    const double *values[TL_CELL_PARAMS];
    tl_cell cell = good();
    cell.step = fn;
    for (int k = 0; k < TL_CELL_PARAMS; k++)
        values[k] = zeros;
    tl_microscope m;
    int code = tl_microscope_run(&cell, 3, 4, T, 2, values, zeros, NULL, &m, err);
    tl_microscope_free(&m);
    return code;
}

static int microscope_no_result(tl_tape *tape, tl_err *err)
{
    (void)tape;
    tl_cell cell = good();
    return tl_microscope_run(&cell, 3, 4, 5, 2, NULL, NULL, NULL, NULL, err);
}

RETURNS(microscope_sizes, microscope(step, 0, err))
RETURNS(microscope_step, microscope(bad_product, 5, err))
RETURNS(microscope_output, microscope(bad_output, 5, err))

static const row rows[] = {
    ROW(check_begin, EINVAL, "cell mine: got more than TL_CELL_AUX tensors from begin"),
    ROW(cell_none, EINVAL, "cell: got none"),
    ROW(cell_params, EINVAL, "cell mine: got more than TL_CELL_PARAMS parameters"),
    ROW(cell_states, EINVAL, "cell mine: got more than TL_CELL_STATES states"),
    ROW(cell_rank, EINVAL, "cell mine, W: got more than TL_CELL_RANK axes: H,H,H,H,H"),
    ROW(cell_shape, EINVAL, "cell mine, W: got a shape that is not written like \"4H,I\": 4H x I"),
    ROW(cell_width, EINVAL, "cell mine, c: got a width that is not written like \"2H\": H,2"),
    ROW(cell_no_name, EINVAL, "cell (unnamed): got no name"),
    ROW(cell_no_step, EINVAL, "cell mine: got no step"),
    ROW(cell_no_state, EINVAL, "cell mine: got no state, want at least one"),
    ROW(cell_unnamed, EINVAL, "cell mine: got a parameter or state without name"),
    ROW(cell_twice, ENAME, "cell mine: bias is named twice"),
    ROW(sequence_bad, EINVAL,
        "sequence mine: got set given, I 3, H 4, 65 layers, dropout 0; want a set, I and H >= 1, 1 "
        "to 64 layers, dropout in [0,1)"),
    ROW(sequence_long_name, ENAME,
        "mine: parameter name wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww... is too long"),
    ROW(sequence_twice, ENAME, "tl_param_new: the set already has a parameter named lstm.bias_l0"),
    ROW(apply_width, ESHAPE, "lstm: sequence: got x [5,2,7] f32, want [T,B,3] f32"),
    ROW(apply_rank, ESHAPE, "lstm: sequence: got x [5,3] f32, want [T,B,3] f32"),
    ROW(apply_dtype, EDTYPE, "lstm: sequence: got x [5,2,3] f64, want [T,B,3] f32"),
    ROW(apply_initial, ESHAPE,
        "lstm: sequence: got initial state c [1,2,5], want [L*D,B,width] = [1,2,4]"),
    ROW(apply_length_value, ERANGE, "lstm/lengths: check_range: got 9 as element 0, want 0 to 5"),
    ROW(apply_length_value_unrolled, ERANGE,
        "lstm/lengths: check_range: got 9 as element 0, want 0 to 5"),
    ROW(apply_length_rows, ESHAPE,
        "lstm/step: tl_scan_carry: got [2,4] in a step of a scan with lengths [3], want [3,...]"),
    ROW(step_output, ESHAPE, "lstm/step: mine: step returned [2,3], want the output [B,H] = [2,4]"),
    ROW(step_nothing, ESHAPE,
        "lstm/step: mine: step returned no tensor, want the output [B,H] = [2,4] (an operand may "
        "have been none: w has 1, state 1)"),
    ROW(step_state, ESHAPE, "lstm/step: mine: step left [2,3] in state h, want [2,4]"),
    ROW(step_inside, ESHAPE, "lstm/step: matmul: got [2,3] x [2,4], want [m,k] x [k,n]"),
    ROW(memory_rows, EINVAL, "sequence memory: got lstm and B 0, want a sequence and B >= 1"),
    ROW(memory_and_initial, EINVAL,
        "lstm: sequence: got a memory and the initial state h, want one of the two"),
    ROW(memory_use_nowhere, EINVAL, "tl_sequence_memory_use: no room for 1 states (NULL)"),
    ROW(memory_keep_nothing, EINVAL, "tl_sequence_memory_keep: no states (NULL), want 1"),
    ROW(memory_batch, ESHAPE,
        "lstm: sequence: got initial state h [1,7,4], want [L*D,B,width] = [1,2,4]"),
    ROW(embedding_bad, EINVAL,
        "embedding layer: got set given, name chars, [0,8], padding -1; want all given, extents >= "
        "1, padding in [-1,V)"),
    ROW(embedding_no_set, EINVAL,
        "embedding layer: got set NULL, name chars, [4,8], padding -1; want all given, extents >= "
        "1, padding in [-1,V)"),
    ROW(norm_bad, EINVAL, "norm layer: got set given, name , N 4; want all given and N >= 1"),
    ROW(linear_bad, EINVAL,
        "linear layer: got set given, name out, [0,4]; want all given and extents >= 1"),
    ROW(linear_tied, ESHAPE, "linear layer out: got tied weight [10,8] f32, want [10,4] f32"),
    ROW(linear_input, ESHAPE,
        "linear: got x [2,3,5], w [10,4], b [10], want x [...,I], w [H,I], b [H]"),
    ROW(embedding_index, ERANGE, "gather: got index 4 at [0,0], want one in [0,4)"),
    ROW(layer_norm_scale, ESHAPE,
        "layer_norm: got x [2,3,4], w [3], b none, want x [...,N], w [N], b [N]"),
    ROW(attention_shapes, ESHAPE,
        "attention: got q [2,3,4], k [2,3,5], v [2,3,4], mask none, want [...,T,D], [...,S,D], "
        "[...,S,E], [T,S]; D, S >= 1"),
    ROW(attention_mask, ESHAPE,
        "attention: got q [2,3,4], k [2,3,4], v [2,3,4], mask [2,3,4], want [...,T,D], "
        "[...,S,D], [...,S,E], [T,S]; D, S >= 1"),
    ROW(attention_dtypes, EDTYPE,
        "attention: got q f32, k f32, v f64, mask none, want f32 or f64 all, the mask also i32"),
    ROW(layer_norm_eps, ERANGE, "layer_norm: got eps -1, want 0 or more"),
    ROW(layer_norm_scalar, ESHAPE,
        "layer_norm: got x [], w none, b none, want x [...,N], w [N], b [N]"),
    ROW(locked_scalar, ESHAPE, "locked_dropout: got a scalar, want [T,...]"),
    ROW(locked_p, ERANGE, "dropout_mask: got probability 1.5, want one in [0,1]"),
    ROW(init_no_param, EINVAL, "init: got no parameter"),
    ROW(init_no_rule, EINVAL, "init: got no rule"),
    ROW(init_blocks, EINVAL,
        "init of W: got 4 blocks and a value added to block 0, want a divisor of 6 and a block "
        "below it"),
    ROW(init_plus_block, EINVAL,
        "init of W: got 2 blocks and a value added to block 2, want a divisor of 6 and a block "
        "below it"),
    ROW(init_nan, ERANGE, "init of W: the rule, of 0 and nan, made element 0 nan"),
    ROW(microscope_no_result, EINVAL, "microscope: got no result to fill"),
    ROW(microscope_sizes, EINVAL,
        "microscope mine: got I 3, H 4, T 0, B 2, 60 iterations, numbers given; want sizes >= 1, "
        "iterations >= 0, x and all parameters given"),
    ROW(microscope_step, ESHAPE,
        "microscope mine: step: matmul: got [2,3] x [2,4], want [m,k] x [k,n]"),
    ROW(microscope_output, ESHAPE,
        "microscope mine: step: mine: step returned [2,3], want the output [B,H] = [2,4]"),
    ROW(verify_no_report, EINVAL, "verify: got no report"),
    ROW(verify_large, EINVAL,
        "verify mine: got I 1099511627776, H 4, T 5, B 4, 64 samples, step 3e-05; want all >= 1, T "
        ">= 2, sizes up to 32768, step > 0"),
    ROW(verify_sizes, EINVAL,
        "verify mine: got I 0, H 4, T 5, B 4, 64 samples, step 3e-05; want all >= 1, T >= 2, "
        "sizes up to 32768, step > 0"),
    ROW(verify_fails, ESTATE,
        "mine, check 'record': step: mine: step returned [4,3], want the output [B,H] = [4,4]"),
};

static const left_out nn_left_out[] = {
    {"embedding layer: %s", "passes on a failure of tl_param_set_f64: memory"},
    {"init of %s: %s", "the same"},
    {"verify %s: %s", "a failure within the checks other than theirs: memory"},
};

Test(messages_nn, say_what_came_and_what_was_wanted)
{
    walk_rows(COUNT(rows), rows);
    fresh();
}

Test(messages_nn, no_message_without_a_row)
{
    walk_rows(COUNT(rows), rows);
    fresh();
    check_sources("nn", 0, NULL, COUNT(nn_left_out), nn_left_out);
}
