/* test_verify.c -- tl_cell_verify: passes what is right, and names what is planted. */
#include "core/grad.h"
#include "core/op.h"
#include "tests/verifytest.h"

static void passes(tl_cell cell)
{
    verify(&cell, 2, 3, NULL, TL_OK);
    for (int c = 0; c < TL_VERIFY_CHECKS; c++)
        cr_assert(report.ran[c] && report.passed[c], "%s", text);
    cr_assert(report.failed == 0 && report.first == -1 && !report.message[0]);
    cr_assert(strstr(text, "PASS"), "%s", text);
    tl_verify_report_close(&report);
}

/* ---- what is right --------------------------------------------------------------------------- */

Test(verify, rnn_passes)
{
    tl_rnn_opts o = tl_rnn_defaults();
    passes(tl_rnn_cell(NULL));
    o.relu = 1;
    passes(tl_rnn_cell(&o));
}

Test(verify, lstm_passes)
{
    passes(tl_lstm_cell(NULL));
}

Test(verify, gru_passes)
{
    tl_gru_opts o = tl_gru_defaults();
    passes(tl_gru_cell(NULL));
    o.reset_before = 1;
    passes(tl_gru_cell(&o));
}

/* h' = tanh(x W' + h U' + b) * m with a mask drawn in begin, noise drawn in each step, and a state
 * wider than H. */
static void noisy_begin(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *aux)
{
    (void)cell;
    aux[0] = tl_dropout_mask(x.tape, tl_dtype_of(x), tl_shape2(tl_dim(x, 1), tl_dim(w[U], 0)), 0.3);
}

static tl_tensor noisy_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *state,
                            const tl_tensor *aux)
{
    (void)cell;
    tl_tensor h = tl_tanh(sum_of_inputs(w, x, tl_chunk(state[0], 2, 0)));
    tl_tensor slow =
        tl_lerp(tl_chunk(state[0], 2, 1), h, tl_full(x.tape, TL_F64, tl_shape0(), 0.2));
    tl_tensor both[2] = {tl_mul(tl_dropout(h, 0.2), aux[0]), slow};
    state[0] = tl_concat(2, both, -1);
    return h;
}

Test(verify, a_cell_with_begin_draws_and_a_wide_state_passes)
{
    tl_cell c = cell_of(noisy_step);
    c.nstates = 0;
    tl_cell_state_add(&c, "both", "2H");
    tl_cell_begin(&c, noisy_begin, 1);
    passes(c);
}

Test(verify, other_sizes_and_sampled_elements_pass)
{
    tl_verify_opts o = tl_verify_defaults();
    tl_cell c = tl_gru_cell(NULL);
    o.T = 8;
    o.B = 1;
    o.samples = 4;
    verify(&c, 5, 6, &o, TL_OK);
    cr_assert(strstr(text, "t=7"), "%s", text);
    tl_verify_report_close(&report);
}

Test(verify, the_report_has_a_line_per_parameter_and_time_step)
{
    tl_cell c = tl_lstm_cell(NULL);
    verify(&c, 2, 3, NULL, TL_OK);
    for (int k = 0; k < c.nparams; k++)
        for (int64_t t = -1; t < report.T; t++) {
            int lines = 0;
            for (int i = 0; i < report.nlines; i++) {
                const tl_verify_line *l = &report.lines[i];
                if (l->check == TL_VERIFY_GRADIENT && l->t == t &&
                    !strcmp(l->name, c.param[k].name)) {
                    lines++;
                    cr_assert_eq(l->elements, tl_shape_count(tl_cell_param_shape(&c, k, 2, 3)));
                    cr_assert(l->error < 1e-7 && l->tape != 0);
                }
            }
            cr_assert_eq(lines, 1, "%s at %d", c.param[k].name, (int)t);
        }
    tl_verify_report_close(&report);
}

/* ---- planted wrong gradients ----------------------------------------------------------------- */

static tl_tensor detached_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x,
                               tl_tensor *state, const tl_tensor *aux)
{
    (void)cell, (void)aux;
    tl_tensor f = tl_sigmoid(tl_detach(state[0]));
    return state[0] = tl_mul(f, tl_tanh(sum_of_inputs(w, x, state[0])));
}

Test(verify, a_detached_path_is_caught)
{
    fails(cell_of(detached_step), TL_VERIFY_GRADIENT, "relative error");
}

/* wrong_square -- a a, whose adjoint says 3 a g (order 1 wrong), or detaches a (order 1 right,
 * order 2 wrong). */
static int square_shape(tl_infer *q)
{
    q->shape = q->in[0];
    q->dtype = q->in_dtype[0];
    return TL_OK;
}

static void square_f64(int64_t n, void *out, const void *const *in)
{
    const double *a = in[0];
    double *y = out;
    for (int64_t i = 0; i < n; i++)
        y[i] = a[i] * a[i];
}

static tl_tile_fn square_tile(const tl_dtype *in, tl_dtype out)
{
    return *in == TL_F64 && out == TL_F64 ? square_f64 : NULL;
}

static void tripled_adjoint(tl_adj *a)
{
    a->d[0] = tl_scale(tl_mul(a->g, a->in[0]), 3);
}

static void flat_adjoint(tl_adj *a)
{
    a->d[0] = tl_scale(tl_mul(a->g, tl_detach(a->in[0])), 2);
}

/* clang-format off */
#define SQUARE(NAME, GRAD_DOC, RULE)                                                               \
    {.name = NAME, .doc = "a a", .grad_doc = GRAD_DOC, .kind = TL_POINTWISE,                       \
     .shape = square_shape, .tile = square_tile, .lead = tl_lead_same, .adjoint = RULE,            \
     .reads = TL_READS(0)}
/* clang-format on */
static const tl_op tripled_square = SQUARE("tripled_square", "3 a g", tripled_adjoint);
static const tl_op flat_square = SQUARE("flat_square", "2 a g", flat_adjoint);

/* op_cell -- h' = op(tanh(z)); the operation is the cell's constant. */
static tl_tensor op_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *state,
                         const tl_tensor *aux)
{
    const tl_op *const *op = cell->user;
    (void)aux;
    tl_tensor z = tl_tanh(sum_of_inputs(w, x, state[0]));
    return state[0] = tl_record(*op, 1, &z, NULL);
}

static tl_cell op_cell(const tl_op **op)
{
    tl_cell c = cell_of(op_step);
    c.user = op;
    return c;
}

Test(verify, a_wrong_adjoint_is_caught)
{
    const tl_op *op = &tripled_square;
    fails(op_cell(&op), TL_VERIFY_GRADIENT, "tape");
}

Test(verify, an_adjoint_that_is_wrong_at_order_two_only_is_caught)
{
    const tl_op *op = &flat_square;
    fails(op_cell(&op), TL_VERIFY_SECOND, "tape");
}

/* ---- planted wrong masks --------------------------------------------------------------------- */

static tl_tensor mixing_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *state,
                             const tl_tensor *aux)
{
    (void)cell, (void)aux;
    const int rows = 0;
    tl_tensor h = state[0];
    tl_tensor centred = tl_sub(h, tl_mean(h, 1, &rows, 1));
    return state[0] = tl_tanh(sum_of_inputs(w, x, centred));
}

Test(verify, mixed_rows_are_caught)
{
    fails(cell_of(mixing_step), TL_VERIFY_ROWS, "in the batch");
}

/* Its own length mask, from a sum over time of the whole batch: padding comes through. */
static void scale_begin(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *aux)
{
    (void)cell, (void)w;
    const int axes[2] = {0, 2};
    aux[0] = tl_expand_dims(tl_sigmoid(tl_mean(x, 2, axes, 0)), 1);
}

static tl_tensor scale_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *state,
                            const tl_tensor *aux)
{
    (void)cell;
    return state[0] = tl_mul(aux[0], tl_tanh(sum_of_inputs(w, x, state[0])));
}

Test(verify, padding_that_comes_through_is_caught)
{
    tl_cell c = cell_of(scale_step);
    tl_cell_begin(&c, scale_begin, 1);
    fails(c, TL_VERIFY_ROWS, "nan");
}

/* A mask of its own that shuts row 0 out. */
static tl_tensor masking_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x,
                              tl_tensor *state, const tl_tensor *aux)
{
    (void)cell, (void)aux;
    double mask[16];
    for (int b = 0; b < 16; b++)
        mask[b] = b == 0 || b > 2;
    tl_tensor m = tl_input_f64(x.tape, tl_shape2(tl_dim(x, 0), 1), mask);
    tl_tensor h = tl_tanh(sum_of_inputs(w, x, state[0]));
    return state[0] = tl_add(tl_mul(m, h), tl_mul(tl_rsub_scalar(m, 1), tl_scale(state[0], 0.5)));
}

Test(verify, a_wrong_mask_is_caught)
{
    fails(cell_of(masking_step), TL_VERIFY_ROWS, "alone");
}

/* ---- planted stale carries ------------------------------------------------------------------- */

static tl_tensor kept;

static tl_tensor tensor_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *state,
                             const tl_tensor *aux)
{
    (void)cell, (void)aux;
    tl_tensor before = kept.tape ? kept : state[0];
    return kept = state[0] = tl_tanh(sum_of_inputs(w, x, before));
}

Test(verify, a_tensor_kept_from_the_last_call_is_caught)
{
    memset(&kept, 0, sizeof kept);
    fails(cell_of(tensor_step), TL_VERIFY_REPEAT, "");
}

/* Kept for one sequence only: right in its first step, and in the scan, which records no other. */
static void first_begin(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *aux)
{
    (void)cell, (void)w;
    memset(&kept, 0, sizeof kept);
    aux[0] = x;
}

static tl_tensor first_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *state,
                            const tl_tensor *aux)
{
    (void)cell, (void)aux;
    if (!kept.tape)
        kept = state[0];
    return state[0] = tl_tanh(sum_of_inputs(w, x, kept));
}

Test(verify, the_first_state_used_in_every_step_is_caught)
{
    tl_cell c = cell_of(first_step);
    tl_cell_begin(&c, first_begin, 1);
    fails(c, TL_VERIFY_LOOP, "scan");
}

static tl_tensor counting_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x,
                               tl_tensor *state, const tl_tensor *aux)
{
    (void)aux;
    int *calls = cell->user;
    return state[0] = tl_tanh(tl_scale(sum_of_inputs(w, x, state[0]), 1 + 0.1 * (*calls)++));
}

Test(verify, a_number_kept_from_the_last_call_is_caught)
{
    int calls = 0;
    tl_cell c = cell_of(counting_step);
    c.user = &calls;
    fails(c, TL_VERIFY_REPEAT, "from call to call");
}

/* A counter that starts anew with each sequence: right in the loop, stuck at 0 in the scan. */
static void position_begin(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *aux)
{
    (void)w;
    int *calls = cell->user;
    *calls = 0;
    aux[0] = x;
}

Test(verify, a_position_counted_in_c_is_caught)
{
    int calls = 0;
    tl_cell c = cell_of(counting_step);
    c.user = &calls;
    tl_cell_begin(&c, position_begin, 1);
    fails(c, TL_VERIFY_LOOP, "scan");
}

static tl_tensor old_output_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x,
                                 tl_tensor *state, const tl_tensor *aux)
{
    (void)cell, (void)aux;
    tl_tensor h = state[0];
    state[0] = tl_tanh(sum_of_inputs(w, x, h));
    return h;
}

Test(verify, the_old_state_as_output_is_caught)
{
    fails(cell_of(old_output_step), TL_VERIFY_CARRY, "output is state h from before the step");
}

static tl_tensor unchanged_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x,
                                tl_tensor *state, const tl_tensor *aux)
{
    (void)cell, (void)aux;
    return tl_tanh(sum_of_inputs(w, x, state[0]));
}

Test(verify, a_state_that_is_never_replaced_is_caught_unless_allowed)
{
    tl_cell c = cell_of(unchanged_step);
    fails(c, TL_VERIFY_CARRY, "state h on unchanged");
    tl_verify_opts o = tl_verify_defaults();
    o.unchanged = 1;
    verify(&c, 2, 3, &o, TL_OK);
    tl_verify_report_close(&report);
}

Test(verify, the_node_that_a_counter_changes_is_named)
{
    int calls = 0;
    tl_cell c = cell_of(counting_step);
    c.user = &calls;
    fails(c, TL_VERIFY_REPEAT, "differs, below \"# step");
    calls = 0;
    fails(c, TL_VERIFY_REPEAT, "= mul(");
}

/* ---- forward mode ---------------------------------------------------------------------------- */

/* Right in reverse mode, but not a function of g that could be differentiated: no tangent. */
static void lost_adjoint(tl_adj *a)
{
    a->d[0] = tl_scale(tl_mul(tl_detach(a->g), a->in[0]), 2);
}

static const tl_op lost_square = SQUARE("lost_square", "2 a g", lost_adjoint);

Test(verify, an_adjoint_without_a_tangent_is_caught)
{
    const tl_op *op = &lost_square;
    fails(op_cell(&op), TL_VERIFY_FORWARD, "forward 0, reverse");
}

/* ---- table for a paper ----------------------------------------------------------------------- */

Test(verify, the_table_has_every_check_as_text_and_as_latex)
{
    static char table[8192];
    tl_cell c = tl_lstm_cell(NULL);
    verify(&c, 2, 3, NULL, TL_OK);
    for (int latex = 0; latex < 2; latex++) {
        cr_assert_eq(tl_verify_table(&report, latex, table, sizeof table), table);
        for (int k = 0; k < TL_VERIFY_CHECKS; k++)
            cr_assert(strstr(table, tl_verify_name((tl_verify_check)k)), "%s", table);
        cr_assert(strstr(table, "seed 1, step of differences 3e-05; Tapeloop 0.1.0"), "%s", table);
        cr_assert(!latex == !strstr(table, "\\begin{tabular}"));
        cr_assert(!latex == !strstr(table, "\\cdot10^{-"));
    }
    cr_assert(!strstr(table, " weight_"), "an underscore that LaTeX does not take: %s", table);
    for (size_t size = 1; size < 300; size++)
        cr_assert_lt(strlen(tl_verify_table(&report, 1, table, size)), size);
    tl_verify_report_close(&report);
    cr_assert(strstr(tl_verify_table(&report, 0, table, sizeof table), "nothing"));
}
