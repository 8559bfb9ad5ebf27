/* test_verify_place.c -- tl_cell_verify says where: which parameter, time step, element and gate. */
#include "tests/verifytest.h"

#include <stdio.h>

static tl_tensor detached_parameter_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x,
                                         tl_tensor *state, const tl_tensor *aux)
{
    (void)cell, (void)aux;
    tl_tensor v[3] = {w[W], w[U], tl_detach(w[BIAS])};
    return state[0] = tl_tanh(sum_of_inputs(v, x, state[0]));
}

Test(verify_place, the_parameter_without_gradient_is_named)
{
    fails(cell_of(detached_parameter_step), TL_VERIFY_GRADIENT, "b [2]: tape 0, differences");
}

/* The lines of the check of gradients that failed: all of them have this name and, if t >= 0, this
 * time step or none. */
static void only_these_fail(const char *name, int64_t t)
{
    int failed = 0;
    for (int i = 0; i < report.nlines; i++) {
        const tl_verify_line *l = &report.lines[i];
        if (l->check != TL_VERIFY_GRADIENT || l->pass)
            continue;
        failed++;
        cr_assert(!name || !strcmp(l->name, name), "%s fails at %d", l->name, (int)l->t);
        cr_assert(t < 0 || l->t == t || l->t == -1, "%s fails at %d", l->name, (int)l->t);
    }
    cr_assert(failed > 0, "%s", text);
}

Test(verify_place, no_line_but_those_of_the_wrong_parameter_fails)
{
    tl_cell c = cell_of(detached_parameter_step);
    verify(&c, 2, 3, NULL, TL_ESTATE);
    only_these_fail("b", -1);
    tl_verify_report_close(&report);
}

/* An LSTM whose forget gate does not reach weight_ih, through a copy of the cell. */
static tl_tensor forgetful_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x,
                                tl_tensor *state, const tl_tensor *aux)
{
    const tl_cell *lstm = cell->user;
    const int64_t H = tl_dim(w[TL_W_IH], 0) / 4;
    const tl_tensor part[3] = {tl_slice(w[TL_W_IH], 0, 0, H),
                               tl_detach(tl_slice(w[TL_W_IH], 0, H, H)),
                               tl_slice(w[TL_W_IH], 0, 2 * H, 2 * H)};
    const tl_tensor v[4] = {tl_concat(3, part, 0), w[TL_W_HH], w[TL_B_IH], w[TL_B_HH]};
    return lstm->step(lstm, v, x, state, aux);
}

Test(verify_place, the_element_and_its_gate_are_named_and_the_wrong_ones_counted)
{
    tl_cell lstm = tl_lstm_cell(NULL), c = lstm;
    c.step = forgetful_step;
    c.user = &lstm;
    verify(&c, 2, 3, NULL, TL_ESTATE);
    only_these_fail("weight_ih", -1);
    for (int i = 0; i < report.nlines; i++) {
        const tl_verify_line *l = &report.lines[i];
        if (l->check != TL_VERIFY_GRADIENT || l->pass)
            continue;
        int row, column;
        cr_assert_eq(sscanf(l->place, "[%d,%d]", &row, &column), 2, "%s", l->place);
        cr_assert(strstr(l->place, "], gate block 1 (i f g o: f)"), "%s", l->place);
        cr_assert(row >= 3 && row < 6 && column < 2, "%s", l->place);
        cr_assert(l->elements == 12 * 2 && l->wrong == 3 * 2 && l->tape == 0);
    }
    cr_assert(strstr(report.message, "weight_ih [") && strstr(report.message, "; wrong in 6 of 24"),
              "%s", report.message);
    tl_verify_report_close(&report);

    /* samples are named by what they are samples of; names that do not fit are left out */
    tl_verify_opts o = tl_verify_defaults();
    o.samples = 2;
    c.gates = "a b";
    verify(&c, 2, 3, &o, TL_ESTATE);
    for (int i = report.first; i < report.nlines; i++) {
        const tl_verify_line *l = &report.lines[i];
        cr_assert(l->check != TL_VERIFY_GRADIENT || l->pass ||
                      (strstr(l->place, "gate block 1") && !strchr(l->place, '(')) ||
                      !strcmp(l->place, "along a random direction"),
                  "%s", l->place);
        cr_assert(l->check != TL_VERIFY_GRADIENT || strcmp(l->name, "weight_ih") ||
                  l->elements == 3);
    }
    tl_verify_report_close(&report);
}

/* b has no gradient in step 2: a scale of 1 in every step, but there as x - x + 1 detached. */
static void clock_begin(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *aux)
{
    (void)cell, (void)w;
    aux[0] = x;
}

static tl_tensor clock_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *state,
                            const tl_tensor *aux)
{
    (void)cell;
    /* here [1,1]: whether x_t is row 2 of x [T,B,I], which no other step's is */
    tl_tensor third = tl_index(tl_detach(aux[0]), 0, 2);
    const int axes[2] = {0, 1};
    tl_tensor off = tl_sum(tl_abs(tl_sub(tl_detach(x), third)), 2, axes, 0);
    tl_tensor here = tl_less(off, tl_scalar(x.tape, TL_F64, 1e-9));
    tl_tensor v[3] = {w[W], w[U], tl_where(here, tl_detach(w[BIAS]), w[BIAS])};
    return state[0] = tl_tanh(sum_of_inputs(v, x, state[0]));
}

Test(verify_place, a_gradient_that_is_wrong_in_one_step_is_found_there)
{
    tl_verify_opts o = tl_verify_defaults();
    tl_cell c = cell_of(clock_step);
    tl_cell_begin(&c, clock_begin, 1);
    o.B = 1; /* the mark is the whole batch's: of one row it does not mix rows */
    verify(&c, 2, 3, &o, TL_ESTATE);
    only_these_fail("b", 2);
    tl_verify_report_close(&report);
}
