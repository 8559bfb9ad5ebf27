/* verify.c -- the checks on a cell: the report and its lines, the first three checks, and all
 * together. verify_routes.c has loop and rows, verify_slopes.c gradients; verify_text.c prints. */
#include "nn/verify_check.h"

#include "core/memory.h"
#include "core/print.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST = 1 << 15 }; /* of every size: their products are counted in int64_t */

tl_verify_opts tl_verify_defaults(void)
{
    tl_verify_opts o = {5, 4, 1, 3e-5, 1e-6, 1e-10, 64, 0};
    return o;
}

const char *tl_verify_name(tl_verify_check check)
{
    static const char *const name[TL_VERIFY_CHECKS] = {"record", "carry",   "repeat",   "loop",
                                                       "rows",   "forward", "gradient", "second"};
    return (int)check >= 0 && check < TL_VERIFY_CHECKS ? name[check] : "unknown";
}

/* ---- lines ----------------------------------------------------------------------------------- */

void tl__verify_open(tl_verify *v, tl_verify_check check)
{
    v->report->ran[check] = 1;
    v->report->passed[check] = 1;
}

/* Adds a line to the report; the first one that failed gives the report its sentence. */
static void push(tl_verify *v, const tl_verify_line *line, const char *why)
{
    tl_verify_report *r = v->report;
    if (tl__grow(&r->lines, &v->capacity, (uint32_t)r->nlines + 1, sizeof *r->lines) != TL_OK) {
        v->code = TL_ENOMEM;
        return;
    }
    r->lines[r->nlines++] = *line;
    if (line->pass)
        return;
    r->passed[line->check] = 0;
    if (r->failed++ == 0) {
        r->first = r->nlines - 1;
        snprintf(r->message, sizeof r->message, "%s, check '%s': %s", r->cell,
                 tl_verify_name(line->check), why);
    }
}

static tl_verify_line line_of(tl_verify_check check, const char *name, int64_t t)
{
    tl_verify_line line;
    memset(&line, 0, sizeof line);
    line.check = check;
    line.t = t;
    snprintf(line.name, sizeof line.name, "%s", name);
    return line;
}

/* A failure that is not a difference of numbers. */
static void broken(tl_verify *v, tl_verify_check check, const char *name, int64_t t,
                   const char *why)
{
    tl_verify_line line = line_of(check, name, t);
    line.error = HUGE_VAL;
    push(v, &line, why);
}

double tl__verify_largest(int64_t n, const double *a)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        most = fabs(a[i]) > most ? fabs(a[i]) : most;
    return most;
}

tl_verify_place tl__verify_place_of(const tl_trial *t, int i, int whole)
{
    const tl_group *g = &t->group[i];
    const int P = t->cell->nparams, k = i < t->nplain ? i : i - t->nplain;
    tl_verify_place at = {.shape = g->shape,
                          .blocks = k < P ? tl_cell_param_blocks(t->cell, k) : 0};
    at.axis = g->timed && whole;
    if (g->timed && !whole) {
        at.shape.rank--;
        memmove(at.shape.dim, at.shape.dim + 1, (size_t)at.shape.rank * sizeof *at.shape.dim);
    }
    return at;
}

/* put_gate -- " (i f g o: f)": block b of so many, if the cell names them. */
static void put_gate(const tl_cell *cell, int blocks, int b, char *text, size_t size)
{
    const char *name = cell->gates;
    int n = 0, length = 0;
    text[0] = '\0';
    for (const char *s = name; s && *s; n++) {
        s += strspn(s, " ");
        if (n == b)
            name = s, length = (int)strcspn(s, " ");
        s += strcspn(s, " ");
        s += strspn(s, " ");
    }
    if (n == blocks)
        snprintf(text, size, " (%s: %.*s)", cell->gates, length, name);
}

/* put_place -- which element k of a line is: "[5,2], gate block 1 (i f g o: f)". */
static void put_place(const tl_cell *cell, const tl_verify_place *at, int64_t k, char *text,
                      size_t size)
{
    tl_shape index = at->shape;
    char element[64], gate[40];
    if (at->sample)
        k = at->sample[k];
    if (k < 0) {
        snprintf(text, size, "along a random direction");
        return;
    }
    for (int a = index.rank - 1; a >= 0; k /= at->shape.dim[a], a--)
        index.dim[a] = k % at->shape.dim[a];
    tl_shape_text(index, element, sizeof element);
    if (at->blocks < 2) {
        snprintf(text, size, "%s", element);
        return;
    }
    const int block = (int)(index.dim[at->axis] / (at->shape.dim[at->axis] / at->blocks));
    put_gate(cell, at->blocks, block, gate, sizeof gate);
    snprintf(text, size, "%s, gate block %d%s", element, block, gate);
}

/* One line: a[n] against b[n]. floor is the size below which differences do not count relative to
 * the line's own size. */
void tl__verify_compare(tl_verify *v, tl_verify_check check, const char *name, int64_t t, int64_t n,
                        const double *a, const double *b, double floor, const tl_verify_place *at)
{
    static const char *const route[TL_VERIFY_CHECKS][2] = {
        {"got", "want"},         {"after", "before"},       {"first", "second"},
        {"scan", "loop"},        {"in the batch", "alone"}, {"forward", "reverse"},
        {"tape", "differences"}, {"tape", "differences"},
    };
    tl_verify_line line = line_of(check, name, t);
    double scale =
               fmax(fmax(tl__verify_largest(n, a), tl__verify_largest(n, b)), fmax(floor, 1e-300)),
           worst = -1;
    double tolerance = check < TL_VERIFY_GRADIENT ? v->o.equal : v->o.tolerance;
    int64_t where = 0;
    line.elements = n;
    for (int64_t i = 0; i < n; i++) {
        double error = fabs(a[i] - b[i]) / scale;
        error = isnan(error) ? HUGE_VAL : error;
        line.wrong += !(error <= tolerance);
        if (error > worst) {
            worst = error;
            where = i;
            line.tape = a[i];
            line.other = b[i];
        }
    }
    if (at && n > 0)
        put_place(v->trial.cell, at, where, line.place, sizeof line.place);
    line.error = worst > 0 ? worst : 0;
    line.absolute = fabs(line.tape - line.other);
    line.pass = line.error <= tolerance;

    char when[48] = "", why[400];
    if (t >= 0)
        snprintf(when, sizeof when, " at t=%lld", (long long)t);
    snprintf(why, sizeof why,
             "%s%s%s%s: %s %.10g, %s %.10g, relative error %.1e, want at most %.0e; wrong in %lld "
             "of %lld",
             name, when, line.place[0] ? " " : "", line.place, route[check][0], line.tape,
             route[check][1], line.other, line.error, tolerance, (long long)line.wrong,
             (long long)n);
    push(v, &line, why);
}

/* Runs; a failure of the tape becomes a broken line. Returns whether it ran. */
int tl__verify_go(tl_verify *v, tl_verify_check check, const char *what, tl_trial *t,
                  const tl_trial_run *run)
{
    int code = tl__trial_go(t, run);
    if (code == TL_ENOMEM)
        v->code = code;
    if (code != TL_OK)
        broken(v, check, what, -1, tl_tape_error(t->tape));
    return code == TL_OK;
}

/* What a group is called in a line. */
const char *tl__verify_group(const tl_trial *t, int i, char *text, size_t size)
{
    int P = t->cell->nparams;
    snprintf(text, size, "%s%s", t->group[i].name, i > P && i < t->nplain ? " initial" : "");
    return text;
}

/* ---- record, carry, repeat ------------------------------------------------------------------- */

static int check_record(tl_verify *v)
{
    tl_trial_run run = {0};
    run.out = v->out[0];
    tl__verify_open(v, TL_VERIFY_RECORD);
    if (!tl__verify_go(v, TL_VERIFY_RECORD, "step", &v->trial, &run))
        return 0;
    tl_verify_line line = line_of(TL_VERIFY_RECORD, "step", -1);
    line.elements = v->trial.nout;
    line.pass = 1;
    for (int64_t i = 0; i < v->trial.nout; i++)
        line.pass &= isfinite(v->out[0][i]) != 0;
    push(v, &line, "outputs or states are not finite");
    return line.pass;
}

/* Whether after[t] equals what state k was before step t, for all t. */
static int is_old_state(const tl_verify *v, int k, const double *after)
{
    const tl_trial *t = &v->trial;
    const tl_group *initial = &t->group[t->cell->nparams + 1 + k];
    const double *state = v->out[0] + tl__trial_state(t, k);
    int64_t n = initial->each;
    return !memcmp(after, t->value + initial->at, (size_t)n * sizeof *after) &&
           !memcmp(after + n, state, (size_t)((t->T - 1) * n) * sizeof *after);
}

/* Looks at the numbers of check_record. */
static int check_carry(tl_verify *v)
{
    const tl_trial *t = &v->trial;
    tl__verify_open(v, TL_VERIFY_CARRY);
    for (int k = 0; k < t->cell->nstates; k++) {
        const char *name = t->cell->state[k].name;
        char why[200];
        tl_verify_line line = line_of(TL_VERIFY_CARRY, name, -1);
        line.elements = t->T * t->group[t->cell->nparams + 1 + k].each;
        line.pass =
            (v->o.unchanged >> k & 1) || !is_old_state(v, k, v->out[0] + tl__trial_state(t, k));
        snprintf(why, sizeof why, "the step hands state %s on unchanged", name);
        push(v, &line, why);
        if (t->group[t->cell->nparams + 1 + k].each != t->B * t->H)
            continue;
        line = line_of(TL_VERIFY_CARRY, "y", -1);
        line.elements = t->T * t->B * t->H;
        line.pass = (v->o.unchanged >> k & 1) || !is_old_state(v, k, v->out[0]);
        snprintf(why, sizeof why, "the output is state %s from before the step", name);
        push(v, &line, why);
    }
    return v->report->passed[TL_VERIFY_CARRY];
}

/* Of two listings of a tape, below their first lines: the first line of b that a does not have in
 * its place, without its indent, and the scope's heading above it; NULL if there is none. */
static const char *other_line(const char *a, const char *b, const char **scope)
{
    a += strcspn(a, "\n");
    b += strcspn(b, "\n");
    const char *line = b;
    *scope = "#";
    for (; *a && *a == *b; a++, b++)
        if (*b == '\n') {
            line = b + 1;
            line += strspn(line, " ");
            *scope = *line == '#' ? line : *scope;
        }
    return *a == *b ? NULL : line;
}

static int check_repeat(tl_verify *v)
{
    const tl_trial *t = &v->trial;
    tl_trial_run run = {0};
    run.out = v->out[1];
    tl__verify_open(v, TL_VERIFY_REPEAT);
    char *first = tl_tape_text(t->tape, NULL), *second = NULL, why[400];
    if (tl__verify_go(v, TL_VERIFY_REPEAT, "step", &v->trial, &run))
        second = tl_tape_text(t->tape, NULL);
    if (!first || !second) {
        v->code = v->report->failed ? v->code : TL_ENOMEM;
        tl_string_free(first);
        tl_string_free(second);
        return 0;
    }
    tl_verify_line line = line_of(TL_VERIFY_REPEAT, "step", -1);
    line.elements = t->nout;
    const char *scope, *node = other_line(first, second, &scope);
    int same = !memcmp(v->out[0], v->out[1], (size_t)t->nout * sizeof(double));
    line.pass = same && !node;
    snprintf(why, sizeof why,
             "the same program recorded twice gives different %s: the step keeps something from "
             "call to call%s%.*s%s%.*s",
             same ? "nodes" : "numbers", node ? "; the first node that differs, below \"" : "",
             node ? (int)strcspn(scope, "\n") : 0, scope, node ? "\": " : "",
             node ? (int)strcspn(node, "\n") : 0, node ? node : "");
    push(v, &line, why);
    tl_string_free(first);
    tl_string_free(second);
    return line.pass;
}

/* ---- all ------------------------------------------------------------------------------------- */

static void check_all(tl_verify *v)
{
    if (!check_record(v) || !check_carry(v) || !check_repeat(v))
        return;
    void (*const rest[])(tl_verify *) = {tl__verify_loop, tl__verify_rows, tl__verify_forward,
                                         tl__verify_gradient, tl__verify_second};
    for (size_t i = 0; i < sizeof rest / sizeof *rest && v->code == TL_OK; i++)
        rest[i](v);
}

/* One block for all vectors; each is long enough for outputs and for values. */
static double *scratch(tl_verify *v)
{
    size_t n = (size_t)(v->trial.size > v->trial.nout ? v->trial.size : v->trial.nout) +
               (size_t)v->o.samples + 1;
    double *block = tl__calloc(7 * n, sizeof *block + sizeof *v->sample);
    double **vector[7] = {&v->out[0], &v->out[1],    &v->grad[0], &v->grad[1],
                          &v->second, &v->direction, &v->value};
    for (int i = 0; block && i < 7; i++)
        *vector[i] = block + i * n;
    v->sample = block ? (int64_t *)(block + 7 * n) : NULL;
    return block;
}

int tl_cell_verify(const tl_cell *cell, int64_t I, int64_t H, const tl_verify_opts *opts,
                   tl_verify_report *report, tl_err *err)
{
    tl_err local = {0};
    tl_verify v;
    err = err ? err : &local;
    memset(&v, 0, sizeof v);
    v.o = opts ? *opts : tl_verify_defaults();
    if (!report)
        return tl__fail(err, TL_EINVAL, "verify: got no report");
    memset(report, 0, sizeof *report);
    report->first = -1;
    int code = tl_cell_check(cell, err);
    if (code != TL_OK)
        return code;
    if (I < 1 || H < 1 || v.o.T < 2 || v.o.B < 1 || v.o.samples < 1 || !(v.o.step > 0) ||
        I > MOST || H > MOST || v.o.T > MOST || v.o.B > MOST)
        return tl__fail(err, TL_EINVAL,
                        "verify %s: got I %lld, H %lld, T %lld, B %lld, %d samples, step %g; want "
                        "all >= 1, T >= 2, sizes up to %d, step > 0",
                        cell->name, (long long)I, (long long)H, (long long)v.o.T, (long long)v.o.B,
                        v.o.samples, v.o.step, MOST);
    report->cell = cell->name;
    report->I = I;
    report->H = H;
    report->T = v.o.T;
    report->B = v.o.B;
    report->tolerance = v.o.tolerance;
    report->equal = v.o.equal;
    report->step = v.o.step;
    report->seed = v.o.seed;
    v.report = report;
    v.rng.seed = v.o.seed;
    v.rng.stream = 2;

    tl_tape *tape = tl_tape_new(NULL);
    if (!tape)
        return tl__fail(err, TL_ENOMEM, "verify %s: out of memory", cell->name);
    code = tl__trial_open(&v.trial, tape, cell, I, H, v.o.T, v.o.B, v.o.seed, err);
    if (code != TL_OK) {
        tl_tape_free(tape);
        return code;
    }
    double *block = scratch(&v);
    v.code = block ? TL_OK : TL_ENOMEM;
    if (block)
        check_all(&v);
    tl__free(block);
    tl__trial_close(&v.trial);
    tl_tape_free(tape);

    if (v.code != TL_OK)
        return tl__fail(err, v.code, "verify %s: %s", cell->name, tl_strerror(v.code));
    report->pass = report->failed == 0;
    return report->pass ? TL_OK : tl__fail(err, TL_ESTATE, "%s", report->message);
}

void tl_verify_report_close(tl_verify_report *report)
{
    if (!report)
        return;
    tl__free(report->lines);
    memset(report, 0, sizeof *report);
    report->first = -1;
}
