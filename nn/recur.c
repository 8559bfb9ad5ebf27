/* recur.c -- one cell over time. scanned() and unrolled() are the same mathematics twice: the first
 * records the step once, the second T times, and everything that must hold of a scan is tested by
 * comparing them. */
#include "nn/recur.h"

#include "core/memory.h"
#include "core/scan.h"
#include "ops/ops.h"

#include <stdio.h>

/* The tensors of one step. */
typedef struct step_in {
    const tl_tensor *w;
    tl_tensor x;
    const tl_tensor *aux;
    const tl_tensor *w_probe, *state_probe; /* of this step, or NULL */
} step_in;

/* Calls the cell and holds it to its contract: y [B,H], states of unchanged shape. */
static tl_tensor step(const tl_recur *r, const step_in *in, tl_tensor *state)
{
    const tl_cell *cell = r->cell;
    tl_tape *tape = r->x.tape;
    tl_tensor w[TL_CELL_PARAMS] = {{0}}; /* past nparams: no tensors */
    tl_shape before[TL_CELL_STATES];
    for (int k = 0; k < cell->nparams; k++)
        w[k] = in->w_probe ? tl_add(in->w[k], in->w_probe[k]) : in->w[k];
    for (int k = 0; k < cell->nstates; k++) {
        before[k] = tl_shape_of(state[k]);
        if (in->state_probe)
            state[k] = tl_add(state[k], in->state_probe[k]);
    }

    tl_tensor y = cell->step(cell, w, in->x, state, in->aux);
    if (tl_tape_status(tape) != TL_OK)
        return tl__inert_on(tape);
    tl_shape want = tl_shape2(tl_dim(r->x, 1), r->H), got = tl_shape_of(y);
    char text[2][TL_SHAPE_TEXT];
    if (!tl_tensor_ok(y))
        return tl_fail_tensor(r->x, TL_ESHAPE, cell->name,
                              "step returned no tensor, want the output [B,H] = %s (an operand may "
                              "have been none: w has %d, state %d)",
                              tl_shape_text(want, text[1], sizeof text[1]), cell->nparams,
                              cell->nstates);
    if (!tl_shape_equal(got, want))
        return tl_fail_tensor(r->x, TL_ESHAPE, cell->name,
                              "step returned %s, want the output [B,H] = %s",
                              tl_shape_text(got, text[0], sizeof text[0]),
                              tl_shape_text(want, text[1], sizeof text[1]));
    for (int k = 0; k < cell->nstates; k++) {
        got = tl_shape_of(state[k]);
        if (!tl_tensor_ok(state[k]) || !tl_shape_equal(got, before[k]))
            return tl_fail_tensor(
                r->x, TL_ESHAPE, cell->name, "step left %s in state %s, want %s",
                tl_tensor_ok(state[k]) ? tl_shape_text(got, text[0], sizeof text[0]) : "no tensor",
                cell->state[k].name, tl_shape_text(before[k], text[1], sizeof text[1]));
    }
    return y;
}

/* name -- t, "h'" or "h3", unless it has a name. */
static void name(tl_tensor t, const char *state, const char *behind)
{
    char text[64];
    if (!tl_tensor_ok(t) || tl_tensor_name(t)[0])
        return;
    snprintf(text, sizeof text, "%s%s", state, behind);
    tl_name(t, text);
}

static tl_recur_out scanned(const tl_recur *r, const tl_tensor *aux, int every)
{
    const tl_cell *cell = r->cell;
    tl_scan_opts opts = tl_scan_defaults();
    opts.reverse = r->reverse;
    opts.lengths = r->lengths;
    opts.name = "step";
    opts.recompute = r->recompute;
    opts.budget = r->budget;
    tl_scan s = tl_scan_open(r->x.tape, tl_dim(r->x, 0), &opts);

    tl_tensor carry[TL_CELL_STATES], state[TL_CELL_STATES];
    tl_tensor w_probe[TL_CELL_PARAMS], state_probe[TL_CELL_STATES];
    for (int k = 0; k < cell->nstates; k++)
        state[k] = carry[k] = tl_name(tl_scan_carry(s, r->init[k]), cell->state[k].name);
    step_in in = {r->w, tl_scan_each(s, r->x), aux, NULL, NULL};
    for (int k = 0; r->w_probe && k < cell->nparams; k++)
        w_probe[k] = tl_scan_each(s, r->w_probe[k]);
    for (int k = 0; r->state_probe && k < cell->nstates; k++)
        state_probe[k] = tl_scan_each(s, r->state_probe[k]);
    in.w_probe = r->w_probe ? w_probe : NULL;
    in.state_probe = r->state_probe ? state_probe : NULL;

    tl_tensor y = step(r, &in, state);
    for (int k = 0; k < cell->nstates; k++) {
        name(state[k], cell->state[k].name, "'");
        tl_scan_next(s, carry[k], state[k]);
    }
    tl_scan_close(s);

    tl_recur_out out = {0};
    out.y = tl_scan_stacked(s, y);
    for (int k = 0; k < cell->nstates; k++) {
        out.last[k] = tl_scan_last(s, carry[k]);
        if (every)
            out.every[k] = tl_scan_stacked(s, state[k]);
    }
    return out;
}

/* One step of the loop: padding is cut off as scan.h says, x_t before the step, states and outputs
 * after it. */
static tl_tensor masked_step(const tl_recur *r, step_in *in, tl_tensor lengths, int64_t t,
                             tl_tensor *state, tl_tensor *shown)
{
    const tl_cell *cell = r->cell;
    tl_tape *tape = r->x.tape;
    tl_tensor old[TL_CELL_STATES];
    in->x = tl_index(r->x, 0, t);
    for (int k = 0; k < cell->nstates; k++)
        old[k] = state[k];
    if (!r->lengths.tape) {
        tl_tensor y = step(r, in, state);
        for (int k = 0; k < cell->nstates; k++)
            shown[k] = state[k];
        return y;
    }
    tl_tensor zero = tl_scalar(tape, tl_dtype_of(r->x), 0);
    tl_tensor inside =
        tl_expand_dims(tl_less(tl_scalar(tape, TL_I32, (double)t), lengths), -1); /* [B,1] */
    in->x = tl_where(inside, in->x, zero);
    tl_tensor y = step(r, in, state);
    for (int k = 0; k < cell->nstates; k++) {
        shown[k] = tl_where(inside, state[k], zero);
        state[k] = tl_where(inside, state[k], old[k]);
    }
    return tl_where(inside, y, zero);
}

static tl_recur_out unrolled(const tl_recur *r, const tl_tensor *aux, int every)
{
    const tl_cell *cell = r->cell;
    tl_tape *tape = r->x.tape;
    int64_t T = tl_dim(r->x, 0), B = tl_dim(r->x, 1);
    int columns = 1 + cell->nstates; /* y, then the states: each a row of T tensors */
    tl_recur_out out = {0};
    tl_tensor *shown = tl__calloc((size_t)T * columns + 1, sizeof *shown);
    if (!shown) {
        tl_tape_fail(tape, TL_ENOMEM, cell->name, "no memory to unroll %lld steps", (long long)T);
        return out;
    }

    tl_tensor lengths = r->lengths;
    if (lengths.tape) {
        tl_scope_open(tape, "lengths"); /* for the message of the run */
        lengths = tl_check_range(lengths, 0, T);
        tl_scope_close(tape);
    }
    tl_tensor w_probe[TL_CELL_PARAMS], state_probe[TL_CELL_STATES], after[TL_CELL_STATES];
    for (int k = 0; k < cell->nstates; k++)
        out.last[k] = r->init[k];
    for (int64_t i = 0; i < T; i++) {
        int64_t t = r->reverse ? T - 1 - i : i;
        step_in in = {r->w, r->x, aux, NULL, NULL};
        for (int k = 0; r->w_probe && k < cell->nparams; k++)
            w_probe[k] = tl_index(r->w_probe[k], 0, t);
        for (int k = 0; r->state_probe && k < cell->nstates; k++)
            state_probe[k] = tl_index(r->state_probe[k], 0, t);
        in.w_probe = r->w_probe ? w_probe : NULL;
        in.state_probe = r->state_probe ? state_probe : NULL;
        char number[24], scope[32];
        snprintf(number, sizeof number, "%lld", (long long)t + 1);
        snprintf(scope, sizeof scope, "step %s", number);
        tl_scope_open(tape, scope);
        shown[t] = masked_step(r, &in, lengths, t, out.last, after);
        for (int k = 0; k < cell->nstates; k++)
            name(out.last[k], cell->state[k].name, number);
        tl_scope_close(tape);
        for (int k = 0; k < cell->nstates; k++)
            shown[(1 + k) * T + t] = after[k];
    }
    tl_dtype dtype = tl_dtype_of(r->x);
    out.y = T > 0 ? tl_stack((int)T, shown, 0) : tl_zeros(tape, dtype, tl_shape3(0, B, r->H));
    for (int k = 0; k < cell->nstates && every; k++)
        out.every[k] = T > 0 ? tl_stack((int)T, shown + (1 + k) * T, 0)
                             : tl_zeros(tape, dtype, tl_shape3(0, B, tl_dim(r->init[k], 1)));
    tl__free(shown);
    return out;
}

tl_recur_out tl__recur(const tl_recur *r, int every)
{
    if (!tl_tensor_ok(r->x))
        return (tl_recur_out){0};
    tl_tensor aux[TL_CELL_AUX] = {{0}};
    if (r->cell->begin)
        r->cell->begin(r->cell, r->w, r->x, aux);
    const tl_tensor *shared = r->cell->begin ? aux : NULL;
    return r->unroll ? unrolled(r, shared, every) : scanned(r, shared, every);
}
