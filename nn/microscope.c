/* microscope.c -- the run: gradients with respect to states by probes, and how full the gates are.
 * microscope_jacobian.c has the Jacobians. */
#include "nn/microscope_look.h"

#include "core/grad.h"
#include "core/memory.h"
#include "core/scan.h"
#include "ops/ops.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

tl_microscope_opts tl_microscope_defaults(void)
{
    tl_microscope_opts o = {NULL, NULL, 0, 0.05, 0.95, 0.9, 60, 1};
    return o;
}

tl_tensor tl__look_inputs(tl_look *l, tl_tensor *w, tl_tensor *aux)
{
    const tl_microscope *m = l->m;
    tl_tape_reset(l->tape);
    tl_train(l->tape, 0);
    for (int k = 0; k < l->cell->nparams; k++)
        w[k] = tl_input_f64(l->tape, tl_cell_param_shape(l->cell, k, m->I, m->H), l->values[k]);
    tl_tensor x = tl_input_f64(l->tape, tl_shape3(m->T, m->B, m->I), l->x);
    if (l->cell->begin)
        l->cell->begin(l->cell, w, x, aux);
    return x;
}

/* The step, with e_t added to its states; an output that is a state is that sum. */
static tl_tensor probed_step(const tl_look *l, const tl_tensor *w, tl_tensor x, tl_tensor *state,
                             const tl_tensor *aux, const tl_tensor *e)
{
    const tl_cell *cell = l->cell;
    tl_tensor y = cell->step(cell, w, x, state, cell->begin ? aux : NULL), out = y;
    tl_shape want = tl_shape2(l->m->B, l->m->H), got = tl_shape_of(y);
    char text[2][TL_SHAPE_TEXT];
    if (tl_tape_status(l->tape) == TL_OK && !tl_shape_equal(got, want))
        tl_tape_fail(l->tape, TL_ESHAPE, cell->name, "step returned %s, want the output [B,H] = %s",
                     tl_tensor_ok(y) ? tl_shape_text(got, text[0], sizeof text[0]) : "no tensor",
                     tl_shape_text(want, text[1], sizeof text[1]));
    for (int k = 0; k < cell->nstates; k++) {
        tl_tensor after = tl_add(state[k], e[k]);
        if (y.slot == state[k].slot && y.generation == state[k].generation)
            out = after;
        state[k] = after;
    }
    return out;
}

static tl_tensor loss_of(const tl_look *l, tl_tensor y)
{
    if (l->o.loss)
        return l->o.loss(y, l->o.user);
    return tl_sum_all(l->o.all_steps ? y : tl_index(y, 0, l->m->T - 1));
}

/* ---- gates ----------------------------------------------------------------------------------- */

/* gates -- the sigmoids and tanhs that the step recorded. */
typedef struct gates {
    int n;
    tl_tensor at[TL_MICROSCOPE_GATES];
    int64_t each[TL_MICROSCOPE_GATES]; /* elements per step */
} gates;

static int is_gate(tl_tensor t)
{
    return tl_dtype_of(t) == TL_F64 &&
           (!strcmp(tl_tensor_op(t), "tanh") || !strcmp(tl_tensor_op(t), "sigmoid"));
}

/* alike -- how many gates before this one are called the same in the same scope. */
static int alike(const gates *found, int i)
{
    int n = 0;
    const char *name = tl_tensor_name(found->at[i]);
    for (int j = 0; j < i; j++)
        n += !strcmp(tl_tensor_scope(found->at[j]), tl_tensor_scope(found->at[i])) &&
             (name[0] ? !strcmp(tl_tensor_name(found->at[j]), name)
                      : !tl_tensor_name(found->at[j])[0] &&
                            !strcmp(tl_tensor_op(found->at[j]), tl_tensor_op(found->at[i])));
    return n;
}

/* fit -- how many bytes of UTF-8 text are at most `most`, no code point in two. */
static int fit(const char *text, size_t most)
{
    size_t n = strlen(text);
    if (n > most)
        for (n = most; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
            n--;
    return (int)n;
}

/* "f", "sigmoid 2"; with the scope inside that of the step, or the end of it: "top/sigmoid 2". */
static void name_gate(tl_microscope_gate *gate, const gates *found, int i, const char *scope)
{
    enum { SCOPE = 36, NAME = 40 };
    const char *name = tl_tensor_name(found->at[i]), *from = scope;
    char number[16] = "";
    int n = alike(found, i);
    if (n > 0 || !name[0])
        snprintf(number, sizeof number, " %d", n + 1);
    name = name[0] ? name : tl_tensor_op(found->at[i]);
    if (strlen(scope) > SCOPE)
        for (from += strlen(scope) - SCOPE; ((unsigned char)*from & 0xc0) == 0x80;)
            from++;
    snprintf(gate->name, sizeof gate->name, "%s%s%s%.*s%s", from > scope ? "..." : "", from,
             scope[0] ? "/" : "", fit(name, NAME), name, number);
}

/* find_gates -- among the nodes from `mark` on; inside is a tensor of the body, outside of scopes
 * that the step opens. */
static void find_gates(tl_look *l, uint32_t mark, tl_tensor inside, gates *found)
{
    const size_t outer = strlen(tl_tensor_scope(inside));
    int scoped = 0;
    for (uint32_t k = mark; k < tl_tape_nodes(l->tape) && found->n < TL_MICROSCOPE_GATES; k++) {
        tl_tensor t = tl_tape_at(l->tape, k);
        if (!is_gate(t))
            continue;
        scoped |= found->n && strcmp(tl_tensor_scope(t), tl_tensor_scope(found->at[0])) != 0;
        found->each[found->n] = tl_shape_count(tl_shape_of(t));
        found->at[found->n++] = t;
    }
    for (int i = 0; i < found->n; i++) {
        const char *scope = tl_tensor_scope(found->at[i]) + outer;
        l->m->gate[i].is_tanh = !strcmp(tl_tensor_op(found->at[i]), "tanh");
        name_gate(&l->m->gate[i], found, i, !scoped ? "" : scope[0] == '/' ? scope + 1 : scope);
    }
}

static int read_gates(tl_look *l, const gates *found, const tl_tensor *stacked)
{
    tl_microscope *m = l->m;
    int64_t most = 0;
    for (int i = 0; i < found->n; i++)
        most = found->each[i] > most ? found->each[i] : most;
    m->gate_numbers = tl__calloc((size_t)(2 * found->n * m->T) + 1, sizeof(double));
    double *a = tl__calloc((size_t)(m->T * most) + 1, sizeof *a);
    int code = m->gate_numbers && a ? TL_OK : TL_ENOMEM;
    for (int i = 0; i < found->n && code == TL_OK; i++) {
        tl_microscope_gate *gate = &m->gate[i];
        int64_t n = found->each[i];
        double low = gate->is_tanh ? -l->o.flat : l->o.low,
               high = gate->is_tanh ? l->o.flat : l->o.high;
        gate->low = m->gate_numbers + 2 * i * m->T;
        gate->high = gate->low + m->T;
        code = tl_read_f64(stacked[i], a, m->T * n);
        for (int64_t j = 0; j < m->T * n && code == TL_OK; j++) {
            gate->low[j / n] += a[j] < low ? 1 / (double)n : 0;
            gate->high[j / n] += a[j] > high ? 1 / (double)n : 0;
        }
        m->ngates = i + 1;
    }
    tl__free(a);
    return code;
}

/* ---- gradients ------------------------------------------------------------------------------- */

static int read_states(tl_look *l, const tl_tensor *grad, const tl_tensor *after)
{
    tl_microscope *m = l->m;
    int code = TL_OK;
    for (int k = 0; k < m->nstates && code == TL_OK; k++) {
        int64_t each = m->B * m->width[k];
        code = tl_read_f64(grad[k], m->grad[k], m->T * each);
        /* before step 0: zeros; before step t: after step t-1 */
        if (code == TL_OK)
            code = tl_read_f64(after[k], l->before[k] + each, m->T * each);
        for (int64_t t = 0; t < m->T && code == TL_OK; t++) {
            double sum = 0;
            for (int64_t j = t * each; j < (t + 1) * each; j++)
                sum += m->grad[k][j] * m->grad[k][j];
            m->norm[k][t] = sqrt(sum);
        }
    }
    return code;
}

static int look_at_gradients(tl_look *l)
{
    tl_microscope *m = l->m;
    int S = m->nstates;
    tl_tensor w[TL_CELL_PARAMS] = {{0}}, aux[TL_CELL_AUX] = {{0}}, probe[TL_CELL_STATES],
              e[TL_CELL_STATES], carry[TL_CELL_STATES], state[TL_CELL_STATES],
              want[2 * TL_CELL_STATES + TL_MICROSCOPE_GATES + 1];
    tl_tensor x = tl__look_inputs(l, w, aux);
    /* numbers that are zero, not constants: the planner may not take them out */
    for (int k = 0; k < S; k++)
        probe[k] = tl_input_f64(l->tape, tl_shape3(m->T, m->B, m->width[k]), m->grad[k]);

    tl_scan_opts so = tl_scan_defaults();
    so.name = "step";
    tl_scan s = tl_scan_open(l->tape, m->T, &so);
    for (int k = 0; k < S; k++) {
        tl_shape shape = tl_shape2(m->B, m->width[k]);
        state[k] = carry[k] = tl_scan_carry(s, tl_zeros(l->tape, TL_F64, shape));
        e[k] = tl_scan_each(s, probe[k]);
    }
    tl_tensor x_t = tl_scan_each(s, x);
    gates found = {0};
    uint32_t mark = tl_tape_mark(l->tape);
    tl_tensor y = probed_step(l, w, x_t, state, aux, e);
    if (tl_tape_status(l->tape) == TL_OK)
        find_gates(l, mark, x_t, &found);
    for (int k = 0; k < S; k++)
        tl_scan_next(s, carry[k], state[k]);
    tl_scan_close(s);

    tl_tensor loss = loss_of(l, tl_scan_stacked(s, y));
    tl_grad(1, &loss, NULL, S, probe, want);
    for (int k = 0; k < S; k++)
        want[S + k] = tl_scan_stacked(s, state[k]);
    for (int i = 0; i < found.n; i++)
        want[2 * S + i] = tl_scan_stacked(s, found.at[i]);
    want[2 * S + found.n] = loss;
    int code = tl_eval(2 * S + found.n + 1, want);
    if (code == TL_OK)
        code = tl_read_f64(loss, &m->loss, 1);
    if (code == TL_OK)
        code = read_states(l, want, want + S);
    return code == TL_OK ? read_gates(l, &found, want + 2 * S) : code;
}

/* ---- all ------------------------------------------------------------------------------------- */

/* The block: for each state grad, norm and before; radius and spectral norm. */
static double *divide(tl_look *l)
{
    tl_microscope *m = l->m;
    int64_t n = 2 * m->T;
    for (int k = 0; k < m->nstates; k++)
        n += (2 * m->T + 1) * m->B * m->width[k] + m->T;
    double *at = m->numbers = tl__calloc((size_t)n, sizeof *at);
    for (int k = 0; at && k < m->nstates; k++) {
        int64_t each = m->B * m->width[k];
        m->grad[k] = at;
        l->before[k] = at + m->T * each;
        m->norm[k] = l->before[k] + (m->T + 1) * each;
        at = m->norm[k] + m->T;
    }
    m->radius = at;
    m->spectral_norm = at ? at + m->T : NULL;
    return m->numbers;
}

int tl_microscope_run(const tl_cell *cell, int64_t I, int64_t H, int64_t T, int64_t B,
                      const double *const *values, const double *x, const tl_microscope_opts *opts,
                      tl_microscope *result, tl_err *err)
{
    tl_err local = {0};
    err = err ? err : &local;
    if (!result)
        return tl__fail(err, TL_EINVAL, "microscope: got no result to fill");
    memset(result, 0, sizeof *result);
    int code = tl_cell_check(cell, err);
    if (code != TL_OK)
        return code;
    tl_look l = {cell, result, opts ? *opts : tl_microscope_defaults(), values, x, NULL, {NULL}};
    int given = x && (values || cell->nparams == 0);
    for (int k = 0; given && k < cell->nparams; k++)
        given = values[k] != NULL;
    if (!given || I < 1 || H < 1 || T < 1 || B < 1 || l.o.iterations < 0)
        return tl__fail(err, TL_EINVAL,
                        "microscope %s: got I %lld, H %lld, T %lld, B %lld, %d iterations, numbers "
                        "%s; want sizes >= 1, iterations >= 0, x and all parameters given",
                        cell->name, (long long)I, (long long)H, (long long)T, (long long)B,
                        l.o.iterations, given ? "given" : "missing");
    result->cell = cell->name;
    result->I = I;
    result->H = H;
    result->T = T;
    result->B = B;
    result->low = l.o.low;
    result->high = l.o.high;
    result->flat = l.o.flat;
    result->nstates = cell->nstates;
    for (int k = 0; k < cell->nstates; k++) {
        result->state[k] = cell->state[k].name;
        result->width[k] = tl_cell_state_width(cell, k, I, H);
    }
    l.tape = tl_tape_new(NULL);
    code = l.tape && divide(&l) ? look_at_gradients(&l) : TL_ENOMEM;
    if (code == TL_OK && l.o.iterations > 0) {
        code = tl__look_jacobians(&l);
        result->jacobians = code == TL_OK;
    }
    if (l.tape && tl_tape_status(l.tape) != TL_OK)
        code = tl_tape_status(l.tape); /* an inert tensor's reader has another */
    if (code != TL_OK)
        tl__fail(err, code, "microscope %s: %s", cell->name,
                 l.tape && tl_tape_status(l.tape) != TL_OK ? tl_tape_error(l.tape)
                                                           : tl_strerror(code));
    tl_tape_free(l.tape);
    return code;
}

void tl_microscope_free(tl_microscope *m)
{
    if (!m)
        return;
    tl__free(m->numbers);
    tl__free(m->gate_numbers);
    memset(m, 0, sizeof *m);
}
