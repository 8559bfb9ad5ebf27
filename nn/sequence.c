/* sequence.c -- layers and directions of a cell: parameters, the way through the layers, states in
 * PyTorch's arrangement. */
#include "nn/sequence.h"
#include "nn/locked_dropout.h"
#include "nn/recur.h"

#include "core/memory.h"
#include "ops/ops.h"

#include <stdio.h>
#include <string.h>

enum { MAX_LAYERS = 64, MAX_RUNS = 2 * MAX_LAYERS };

struct tl_sequence {
    tl_cell cell;
    tl_sequence_opts opts;
    tl_dtype dtype;
    int64_t I, H;
    int D;
    char *name;
    tl_param **param; /* [L][D][nparams] */
};

struct tl_sequence_memory {
    int nstates;
    tl_state *state[TL_CELL_STATES];
};

tl_sequence_opts tl_sequence_defaults(void)
{
    tl_sequence_opts o = {1, 0, 0, 0, 0, 0};
    return o;
}

tl_sequence_args tl_sequence_args_defaults(void)
{
    tl_sequence_args a;
    memset(&a, 0, sizeof a);
    return a;
}

static int64_t input_size(const tl_sequence *s, int layer)
{
    return layer ? s->D * s->H : s->I;
}

/* "weight_ih" of layer 1, backwards: "weight_ih_l1_reverse". */
static int make_param(tl_sequence *s, tl_params *set, int layer, int direction, int k, tl_err *err)
{
    const tl_cell *cell = &s->cell;
    char name[200];
    int n = snprintf(name, sizeof name, "%s_l%d%s", cell->param[k].name, layer,
                     direction ? "_reverse" : "");
    if (n >= (int)sizeof name)
        return tl__fail(err, TL_ENAME, "%s: parameter name %.40s... is too long", cell->name,
                        cell->param[k].name);
    tl_shape shape = tl_cell_param_shape(cell, k, input_size(s, layer), s->H);
    tl_param *p = tl_param_new(set, name, shape, err);
    if (!p)
        return err && err->code ? err->code : TL_ENOMEM;
    s->param[(layer * s->D + direction) * cell->nparams + k] = p;
    return tl_param_init(p, cell->param[k].init, s->opts.seed, tl_cell_param_blocks(cell, k), s->H,
                         shape.rank > 1 ? 0 : s->H, err);
}

static int make_params(tl_sequence *s, tl_params *set, tl_err *err)
{
    int code = TL_OK;
    for (int l = 0; l < s->opts.layers && code == TL_OK; l++)
        for (int d = 0; d < s->D && code == TL_OK; d++)
            for (int k = 0; k < s->cell.nparams && code == TL_OK; k++)
                code = make_param(s, set, l, d, k, err);
    return code;
}

tl_sequence *tl_sequence_new(tl_params *set, const char *name, const tl_cell *cell, int64_t I,
                             int64_t H, const tl_sequence_opts *opts, tl_err *err)
{
    tl_err local = {0};
    err = err ? err : &local;
    tl_sequence_opts o = opts ? *opts : tl_sequence_defaults();
    if (tl_cell_check(cell, err) != TL_OK)
        return NULL;
    if (!set || I < 1 || H < 1 || o.layers < 1 || o.layers > MAX_LAYERS ||
        !(o.dropout >= 0 && o.dropout < 1)) {
        tl__fail(err, TL_EINVAL,
                 "sequence %s: got set %s, I %lld, H %lld, %d layers, dropout %g; want a set, I "
                 "and H >= 1, 1 to %d "
                 "layers, dropout in [0,1)",
                 cell->name, set ? "given" : "NULL", (long long)I, (long long)H, o.layers,
                 o.dropout, MAX_LAYERS);
        return NULL;
    }
    int scoped = name && *name;
    tl_sequence *s = tl__calloc(1, sizeof *s);
    if (s) {
        s->cell = *cell;
        s->opts = o;
        s->dtype = tl_params_dtype(set);
        s->I = I;
        s->H = H;
        s->D = o.bidirectional ? 2 : 1;
        s->name = tl__strdup(scoped ? name : cell->name);
        s->param = tl__calloc((size_t)o.layers * s->D * cell->nparams + 1, sizeof *s->param);
    }
    if (!s || !s->name || !s->param) {
        tl__fail(err, TL_ENOMEM, "sequence %s: out of memory", cell->name);
        tl_sequence_free(s);
        return NULL;
    }
    if (scoped)
        tl_params_scope_open(set, name);
    int code = make_params(s, set, err);
    if (scoped)
        tl_params_scope_close(set);
    if (code != TL_OK) {
        tl_sequence_free(s);
        return NULL;
    }
    return s;
}

void tl_sequence_free(tl_sequence *s)
{
    if (!s)
        return;
    tl__free(s->param);
    tl__free(s->name);
    tl__free(s);
}

tl_param *tl_sequence_param(const tl_sequence *s, int layer, int direction, int k)
{
    if (!s || layer < 0 || layer >= s->opts.layers || direction < 0 || direction >= s->D || k < 0 ||
        k >= s->cell.nparams)
        return NULL;
    return s->param[(layer * s->D + direction) * s->cell.nparams + k];
}

const tl_cell *tl_sequence_cell(const tl_sequence *s)
{
    return s ? &s->cell : NULL;
}

int64_t tl_sequence_output_size(const tl_sequence *s)
{
    return s ? s->D * s->H : 0;
}

/* [L*D,B,width] of state k. */
static tl_shape state_shape(const tl_sequence *s, int k, int64_t B)
{
    return tl_shape3(s->opts.layers * s->D, B, tl_cell_state_width(&s->cell, k, s->I, s->H));
}

/* Zeros in place of initial states that were not given; shapes checked. */
static int initial_states(const tl_sequence *s, tl_tensor x, int64_t B, tl_tensor *initial)
{
    for (int k = 0; k < s->cell.nstates; k++) {
        tl_shape want = state_shape(s, k, B), got = tl_shape_of(initial[k]);
        char text[2][TL_SHAPE_TEXT];
        if (!initial[k].tape)
            initial[k] = tl_zeros(x.tape, s->dtype, want);
        else if (tl_tensor_ok(initial[k]) && !tl_shape_equal(got, want))
            return tl_tape_fail(x.tape, TL_ESHAPE, "sequence",
                                "got initial state %s %s, want [L*D,B,width] = %s",
                                s->cell.state[k].name, tl_shape_text(got, text[0], sizeof text[0]),
                                tl_shape_text(want, text[1], sizeof text[1]));
    }
    return TL_OK;
}

/* One layer in one direction. x [T,B,I]. */
static tl_recur_out run_layer(const tl_sequence *s, int layer, int direction, tl_tensor x,
                              const tl_tensor *initial, const tl_sequence_args *args)
{
    tl_tape *tape = x.tape;
    tl_tensor w[TL_CELL_PARAMS], first[TL_CELL_STATES];
    int run = layer * s->D + direction, nested = s->opts.layers * s->D > 1;
    for (int k = 0; k < s->cell.nparams; k++)
        w[k] = tl_use(tape, s->param[run * s->cell.nparams + k]);
    for (int k = 0; k < s->cell.nstates; k++)
        first[k] = tl_index(initial[k], 0, run);

    tl_recur r = {0};
    r.cell = &s->cell;
    r.H = s->H;
    r.w = w;
    r.x = x;
    r.init = first;
    r.lengths = args->lengths;
    r.reverse = direction;
    r.unroll = args->unroll;
    r.recompute = args->recompute;
    r.budget = args->budget;
    char name[32];
    snprintf(name, sizeof name, "l%d%s", layer, direction ? "_reverse" : "");
    if (nested)
        tl_scope_open(tape, name);
    tl_recur_out out = tl__recur(&r, args->every_state);
    if (nested)
        tl_scope_close(tape);
    return out;
}

static tl_sequence_out run_layers(const tl_sequence *s, tl_tensor x, const tl_tensor *initial,
                                  const tl_sequence_args *args)
{
    tl_tensor last[TL_CELL_STATES][MAX_RUNS], every[TL_CELL_STATES][MAX_RUNS];
    tl_sequence_out out = {0};
    int L = s->opts.layers, D = s->D;
    for (int l = 0; l < L && tl_tensor_ok(x); l++) {
        tl_tensor y[2];
        for (int d = 0; d < D; d++) {
            tl_recur_out r = run_layer(s, l, d, x, initial, args);
            y[d] = r.y;
            for (int k = 0; k < s->cell.nstates; k++) {
                last[k][l * D + d] = r.last[k];
                every[k][l * D + d] = r.every[k];
            }
        }
        x = D == 2 ? tl_concat(2, y, -1) : y[0]; /* [T,B,D*H] */
        if (l + 1 < L && s->opts.dropout > 0)
            x = s->opts.locked ? tl_locked_dropout(x, s->opts.dropout)
                               : tl_dropout(x, s->opts.dropout);
    }
    out.y = x;
    for (int k = 0; k < s->cell.nstates && tl_tensor_ok(x); k++) {
        out.state[k] = tl_stack(L * D, last[k], 0);
        if (args->every_state)
            out.every[k] = tl_stack(L * D, every[k], 0);
    }
    return out;
}

/* inert_out -- after an error: every tensor remembers it. */
static tl_sequence_out inert_out(tl_tensor none)
{
    tl_sequence_out out = {.y = none};
    for (int k = 0; k < TL_CELL_STATES; k++)
        out.state[k] = out.every[k] = none;
    return out;
}

tl_sequence_out tl_sequence_apply(const tl_sequence *s, tl_tensor x, const tl_sequence_args *args)
{
    tl_sequence_out out = {0};
    tl_sequence_args a = args ? *args : tl_sequence_args_defaults();
    if (!s || !tl__same_tape("sequence", 1, &x))
        return inert_out(tl__inert(x));
    tl_tape *tape = x.tape;
    tl_scope_open(tape, s->name);
    tl_shape got = tl_shape_of(x);
    if (got.rank != 3 || got.dim[2] != s->I || tl_dtype_of(x) != s->dtype) {
        char text[TL_SHAPE_TEXT];
        tl_tape_fail(tape, got.rank == 3 && got.dim[2] == s->I ? TL_EDTYPE : TL_ESHAPE, "sequence",
                     "got x %s %s, want [%s,%lld] %s", tl_shape_text(got, text, sizeof text),
                     tl_dtype_name(tl_dtype_of(x)), s->opts.batch_first ? "B,T" : "T,B",
                     (long long)s->I, tl_dtype_name(s->dtype));
        tl_scope_close(tape);
        return inert_out(tl__inert_on(tape));
    }
    if (s->opts.batch_first)
        x = tl_transpose(x, 0, 1);
    for (int k = 0; a.memory && k < s->cell.nstates; k++)
        if (a.initial[k].tape)
            tl_tape_fail(tape, TL_EINVAL, "sequence",
                         "got a memory and the initial state %s, want one of the two",
                         s->cell.state[k].name);
    if (a.memory)
        tl_sequence_memory_use(a.memory, tape, a.initial);
    if (tl_tensor_ok(x) && initial_states(s, x, tl_dim(x, 1), a.initial) == TL_OK)
        out = run_layers(s, x, a.initial, &a);
    if (a.memory)
        tl_sequence_memory_keep(a.memory, out.state);
    if (s->opts.batch_first)
        out.y = tl_transpose(out.y, 0, 1);
    tl_scope_close(tape);
    return tl_tape_status(tape) ? inert_out(tl__inert_on(tape)) : out;
}

tl_sequence_memory *tl_sequence_memory_new(const tl_sequence *s, int64_t B, tl_err *err)
{
    if (!s || B < 1) {
        tl__fail(err, TL_EINVAL, "sequence memory: got %s and B %lld, want a sequence and B >= 1",
                 s ? s->name : "NULL", (long long)B);
        return NULL;
    }
    tl_sequence_memory *m = tl__calloc(1, sizeof *m);
    int ok = m != NULL;
    if (ok)
        m->nstates = s->cell.nstates;
    for (int k = 0; ok && k < s->cell.nstates; k++)
        ok = (m->state[k] = tl_state_new(s->dtype, state_shape(s, k, B))) != NULL;
    if (!ok) {
        tl__fail(err, TL_ENOMEM, "sequence memory of %s: out of memory", s->name);
        tl_sequence_memory_free(m);
        return NULL;
    }
    return m;
}

void tl_sequence_memory_free(tl_sequence_memory *m)
{
    for (int k = 0; m && k < TL_CELL_STATES; k++)
        tl_state_free(m->state[k]);
    tl__free(m);
}

void tl_sequence_memory_zero(tl_sequence_memory *m)
{
    for (int k = 0; m && k < TL_CELL_STATES; k++)
        if (m->state[k])
            tl_state_zero(m->state[k]);
}

tl_state *tl_sequence_memory_state(const tl_sequence_memory *m, int k)
{
    return m && k >= 0 && k < TL_CELL_STATES ? m->state[k] : NULL;
}

void tl_sequence_memory_use(const tl_sequence_memory *m, tl_tape *tape, tl_tensor *initial)
{
    if (m && !initial)
        tl_tape_fail(tape, TL_EINVAL, "tl_sequence_memory_use", "no room for %d states (NULL)",
                     m->nstates);
    for (int k = 0; m && initial && k < m->nstates; k++)
        initial[k] = tl_state_use(tape, m->state[k]);
}

void tl_sequence_memory_keep(tl_sequence_memory *m, const tl_tensor *state)
{
    if (m && !state)
        tl__fail(NULL, TL_EINVAL, "tl_sequence_memory_keep: no states (NULL), want %d", m->nstates);
    for (int k = 0; m && state && k < m->nstates; k++)
        tl_keep(m->state[k], state[k]);
}
