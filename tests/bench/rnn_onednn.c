/* rnn_onednn.c -- oneDNN's fused LSTM and GRU (lbr_gru, "reset after"), the mark to compare with.
 *
 *     plain w_ih [L,D,gH,I] --reorder--> primitive's own layout --> forward --> y
 *     plain w_hh                         (backward has another)     backward --> dx, db
 *     plain dw   <--reorder------------- its gradients (added into, so cleared before)
 *
 * Gates stand in its order, i f c o and u r o; the rows of our arrays are put into that order once,
 * when opened. In training the reorders are part of a step, in inference they are made once. */
#include "tests/bench/rnn_impl.h"

#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* tensor -- a oneDNN memory: one of our arrays, or its own. */
typedef struct tensor {
    dnnl_memory_desc_t md;
    dnnl_memory_t mem;
} tensor;

enum {
    X,
    H0,
    C0,
    WL,
    WI,
    BIAS,
    Y,
    HT,
    CT,
    WORK,
    DX,
    DH0,
    DC0,
    DWL,
    DWI,
    DBIAS,
    DY,
    DHT,
    DCT,
    WL_B,
    WI_B,
    SLOTS
};
enum { PLAIN_WL, PLAIN_WI, PLAIN_DWL, PLAIN_DWI, PLAINS };
enum { MOST_ARGS = 24 };
enum { TO_WL, TO_WI, TO_WL_B, TO_WI_B, FROM_DWL, FROM_DWI, REORDERS };

typedef struct onednn_run {
    const rnn_data *d;
    rnn_pass pass;
    int bias_rows; /* 4: lbr_gru has u r o and the recurrent part of o */
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_desc_t forward_pd, backward_pd;
    dnnl_primitive_t forward, backward, reorder[REORDERS];
    tensor t[SLOTS], plain[PLAINS];
    float *w_ih, *w_hh, *bias, *y, *dx, *dw_ih, *dw_hh, *dbias; /* row-major, its order of gates */
    char message[160];
} onednn_run;

static void describe(tensor *t, int n, const dnnl_dim_t *dims, dnnl_format_tag_t tag, int *bad)
{
    dnnl_dims_t all = {0};
    memcpy(all, dims, (size_t)n * sizeof *dims);
    if (!*bad)
        *bad = dnnl_memory_desc_init_by_tag(&t->md, n, all, dnnl_f32, tag);
}

/* make -- data NULL: oneDNN allocates. It does not write through what it reads. */
static void make(onednn_run *r, tensor *t, const float *data, int *bad)
{
    union {
        const float *in;
        void *any;
    } u = {.in = data};
    if (!*bad)
        *bad = dnnl_memory_create(&t->mem, &t->md, r->engine, data ? u.any : DNNL_MEMORY_ALLOCATE);
}

static void zero(tensor *t)
{
    void *p = NULL;
    dnnl_memory_get_data_handle(t->mem, &p);
    memset(p, 0, dnnl_memory_desc_get_size(&t->md));
}

static void make_zeros(onednn_run *r, tensor *t, int *bad)
{
    make(r, t, NULL, bad);
    if (!*bad)
        zero(t);
}

static void make_reorder(onednn_run *r, int which, const tensor *from, const tensor *to, int *bad)
{
    dnnl_primitive_desc_t pd;
    if (!*bad)
        *bad =
            dnnl_reorder_primitive_desc_create(&pd, &from->md, r->engine, &to->md, r->engine, NULL);
    if (*bad)
        return;
    *bad = dnnl_primitive_create(&r->reorder[which], pd);
    dnnl_primitive_desc_destroy(pd);
}

static int run_reorder(onednn_run *r, int which, const tensor *from, const tensor *to)
{
    const dnnl_exec_arg_t args[2] = {{DNNL_ARG_FROM, from->mem}, {DNNL_ARG_TO, to->mem}};
    return dnnl_primitive_execute(r->reorder[which], r->stream, 2, args);
}

static void query(tensor *t, dnnl_primitive_desc_t pd, dnnl_query_t what, int index)
{
    t->md = *dnnl_primitive_desc_query_md(pd, what, index);
}

/* gate_from -- which of our blocks is oneDNN's block k. */
static int gate_from(rnn_cell cell, int k)
{
    static const int gru[] = {1, 0, 2, 2};
    return cell == RNN_LSTM ? k : gru[k];
}

/* copy_in, copy_out -- weights to oneDNN's order of gates, gradients back to ours. */
static void copy_in(onednn_run *r)
{
    const rnn_data *d = r->d;
    const rnn_case *c = d->shape;
    size_t H = (size_t)c->H, I = (size_t)c->I, g = (size_t)d->gates, rows = (size_t)r->bias_rows;
    for (size_t run = 0; run < (size_t)d->runs; run++)
        for (size_t k = 0; k < rows; k++) {
            size_t from = (size_t)gate_from(d->cell, (int)k);
            float *b = r->bias + (run * rows + k) * H;
            const float *ih = d->w.b_ih[run] + from * H, *hh = d->w.b_hh[run] + from * H;
            int both = d->cell == RNN_LSTM || k < 2;
            for (size_t h = 0; h < H; h++)
                b[h] = both ? ih[h] + hh[h] : k == 2 ? ih[h] : hh[h];
            if (k == g)
                continue;
            memcpy(r->w_ih + (run * g + k) * H * I, d->w.w_ih[run] + from * H * I,
                   H * I * sizeof(float));
            memcpy(r->w_hh + (run * g + k) * H * H, d->w.w_hh[run] + from * H * H,
                   H * H * sizeof(float));
        }
}

static void copy_out(const onednn_run *r, rnn_result *out)
{
    const rnn_data *d = r->d;
    const rnn_case *c = d->shape;
    size_t H = (size_t)c->H, I = (size_t)c->I, g = (size_t)d->gates, rows = (size_t)r->bias_rows;
    for (size_t run = 0; run < (size_t)d->runs; run++)
        for (size_t k = 0; k < rows; k++) {
            size_t to = (size_t)gate_from(d->cell, (int)k);
            const float *b = r->dbias + (run * rows + k) * H;
            if (d->cell == RNN_LSTM || k != 3)
                memcpy(out->d.b_ih[run] + to * H, b, H * sizeof(float));
            if (d->cell == RNN_LSTM || k != 2)
                memcpy(out->d.b_hh[run] + to * H, b, H * sizeof(float));
            if (k == g)
                continue;
            memcpy(out->d.w_ih[run] + to * H * I, r->dw_ih + (run * g + k) * H * I,
                   H * I * sizeof(float));
            memcpy(out->d.w_hh[run] + to * H * H, r->dw_hh + (run * g + k) * H * H,
                   H * H * sizeof(float));
        }
    memcpy(out->dx, r->dx, d->nx * sizeof(float));
}

/* make_primitives -- initial states are given, as zeros: left out, oneDNN 2.6.3 gives wrong
 * gradients of an LSTM's recurrent weights. */
static void make_primitives(onednn_run *r, const tensor *any_wl, const tensor *any_wi, int *bad)
{
    tensor *t = r->t;
    int train = r->pass == RNN_TRAIN, lstm = r->d->cell == RNN_LSTM;
    dnnl_prop_kind_t kind = train ? dnnl_forward_training : dnnl_forward_inference;
    dnnl_rnn_direction_t dir =
        r->d->shape->D == 2 ? dnnl_bidirectional_concat : dnnl_unidirectional_left2right;
    const dnnl_memory_desc_t *x = &t[X].md, *h0 = &t[H0].md, *c0 = &t[C0].md, *b = &t[BIAS].md,
                             *y = &t[Y].md, *hT = &t[HT].md, *cT = &t[CT].md, *wl = &any_wl->md,
                             *wi = &any_wi->md;
    dnnl_rnn_desc_t d;
    if (*bad)
        return;
    *bad = lstm ? dnnl_lstm_forward_desc_init(&d, kind, dir, x, h0, c0, wl, wi, b, y, hT, cT, 0)
                : dnnl_lbr_gru_forward_desc_init(&d, kind, dir, x, h0, wl, wi, b, y, hT, 0);
    *bad = *bad || dnnl_primitive_desc_create(&r->forward_pd, &d, NULL, r->engine, NULL) ||
           dnnl_primitive_create(&r->forward, r->forward_pd);
    if (*bad || !train)
        return;
    const dnnl_memory_desc_t *dx = &t[DX].md, *dh0 = &t[DH0].md, *dc0 = &t[DC0].md,
                             *db = &t[DBIAS].md, *dy = &t[DY].md, *dhT = &t[DHT].md,
                             *dcT = &t[DCT].md;
    *bad = lstm ? dnnl_lstm_backward_desc_init(&d, dnnl_backward, dir, x, h0, c0, wl, wi, b, y, hT,
                                               cT, dx, dh0, dc0, wl, wi, db, dy, dhT, dcT, 0)
                : dnnl_lbr_gru_backward_desc_init(&d, dnnl_backward, dir, x, h0, wl, wi, b, y, hT,
                                                  dx, dh0, wl, wi, db, dy, dhT, 0);
    *bad = *bad ||
           dnnl_primitive_desc_create(&r->backward_pd, &d, NULL, r->engine, r->forward_pd) ||
           dnnl_primitive_create(&r->backward, r->backward_pd);
}

static int build(onednn_run *r)
{
    const rnn_case *c = r->d->shape;
    const dnnl_dim_t L = c->L, D = c->D, g = r->d->gates;
    const dnnl_dim_t x[] = {c->T, c->B, c->I}, y[] = {c->T, c->B, D * c->H},
                     wl[] = {L, D, c->I, g, c->H}, wi[] = {L, D, c->H, g, c->H},
                     b[] = {L, D, r->bias_rows, c->H}, s[] = {L, D, c->B, c->H};
    int train = r->pass == RNN_TRAIN;
    tensor any_wl, any_wi, *t = r->t, *plain = r->plain;
    int bad = dnnl_engine_create(&r->engine, dnnl_cpu, 0) ||
              dnnl_stream_create(&r->stream, r->engine, dnnl_stream_default_flags);
    describe(&t[X], 3, x, dnnl_tnc, &bad);
    describe(&t[DX], 3, x, dnnl_tnc, &bad);
    describe(&t[Y], 3, y, dnnl_tnc, &bad);
    describe(&t[DY], 3, y, dnnl_tnc, &bad);
    describe(&t[BIAS], 4, b, dnnl_ldgo, &bad);
    describe(&t[DBIAS], 4, b, dnnl_ldgo, &bad);
    describe(&any_wl, 5, wl, dnnl_format_tag_any, &bad);
    describe(&any_wi, 5, wi, dnnl_format_tag_any, &bad);
    describe(&plain[PLAIN_WL], 5, wl, dnnl_ldgoi, &bad);
    describe(&plain[PLAIN_WI], 5, wi, dnnl_ldgoi, &bad);
    plain[PLAIN_DWL] = plain[PLAIN_WL];
    plain[PLAIN_DWI] = plain[PLAIN_WI];
    const int states[] = {H0, C0, HT, CT, DH0, DC0, DHT, DCT};
    for (size_t k = 0; k < sizeof states / sizeof *states; k++)
        describe(&t[states[k]], 4, s, dnnl_ldnc, &bad);
    make_primitives(r, &any_wl, &any_wi, &bad);
    if (bad)
        return bad;
    query(&t[WL], r->forward_pd, dnnl_query_weights_md, 0);
    query(&t[WI], r->forward_pd, dnnl_query_weights_md, 1);
    make(r, &t[X], r->d->x, &bad);
    make(r, &t[Y], r->y, &bad);
    make(r, &t[BIAS], r->bias, &bad);
    make(r, &t[WL], NULL, &bad);
    make(r, &t[WI], NULL, &bad);
    for (int k = 0; k < (train ? 8 : 4); k++)
        make_zeros(r, &t[states[k]], &bad);
    make(r, &plain[PLAIN_WL], r->w_ih, &bad);
    make(r, &plain[PLAIN_WI], r->w_hh, &bad);
    make_reorder(r, TO_WL, &plain[PLAIN_WL], &t[WL], &bad);
    make_reorder(r, TO_WI, &plain[PLAIN_WI], &t[WI], &bad);
    if (bad || !train)
        return bad;
    query(&t[WORK], r->forward_pd, dnnl_query_workspace_md, 0);
    query(&t[WL_B], r->backward_pd, dnnl_query_weights_md, 0);
    query(&t[WI_B], r->backward_pd, dnnl_query_weights_md, 1);
    query(&t[DWL], r->backward_pd, dnnl_query_diff_weights_md, 0);
    query(&t[DWI], r->backward_pd, dnnl_query_diff_weights_md, 1);
    make(r, &t[DX], r->dx, &bad);
    make(r, &t[DY], r->d->dy, &bad);
    make(r, &t[DBIAS], r->dbias, &bad);
    make(r, &plain[PLAIN_DWL], r->dw_ih, &bad);
    make(r, &plain[PLAIN_DWI], r->dw_hh, &bad);
    const int own[] = {WORK, WL_B, WI_B, DWL, DWI};
    for (size_t k = 0; k < sizeof own / sizeof *own; k++)
        make(r, &t[own[k]], NULL, &bad);
    make_reorder(r, TO_WL_B, &plain[PLAIN_WL], &t[WL_B], &bad);
    make_reorder(r, TO_WI_B, &plain[PLAIN_WI], &t[WI_B], &bad);
    make_reorder(r, FROM_DWL, &t[DWL], &plain[PLAIN_DWL], &bad);
    make_reorder(r, FROM_DWI, &t[DWI], &plain[PLAIN_DWI], &bad);
    return bad;
}

static void onednn_close(void *run)
{
    onednn_run *r = run;
    if (!r)
        return;
    for (int k = 0; k < REORDERS; k++)
        dnnl_primitive_destroy(r->reorder[k]);
    dnnl_primitive_destroy(r->forward);
    dnnl_primitive_destroy(r->backward);
    for (int k = 0; k < SLOTS; k++)
        dnnl_memory_destroy(r->t[k].mem);
    for (int k = 0; k < PLAINS; k++)
        dnnl_memory_destroy(r->plain[k].mem);
    dnnl_primitive_desc_destroy(r->forward_pd);
    dnnl_primitive_desc_destroy(r->backward_pd);
    dnnl_stream_destroy(r->stream);
    dnnl_engine_destroy(r->engine);
    float *const all[] = {r->w_ih, r->w_hh, r->bias, r->y, r->dx, r->dw_ih, r->dw_hh, r->dbias};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        free(all[k]);
    free(r);
}

static int load_weights(onednn_run *r)
{
    return run_reorder(r, TO_WL, &r->plain[PLAIN_WL], &r->t[WL]) ||
           run_reorder(r, TO_WI, &r->plain[PLAIN_WI], &r->t[WI]);
}

static void *onednn_open(const rnn_data *d, rnn_pass pass, const char **why)
{
    onednn_run *r = calloc(1, sizeof *r);
    *why = "no memory";
    if (!r)
        return NULL;
    r->d = d;
    r->pass = pass;
    r->bias_rows = 4;
    const rnn_case *c = d->shape;
    size_t H = (size_t)c->H, I = (size_t)c->I, runs = (size_t)d->runs,
           rows = runs * (size_t)d->gates * H, nb = runs * 4 * H;
    float **const all[] = {&r->w_ih, &r->w_hh,  &r->bias,  &r->y,
                           &r->dx,   &r->dw_ih, &r->dw_hh, &r->dbias};
    const size_t n[] = {rows * I, rows * H, nb, d->ny, d->nx, rows * I, rows * H, nb};
    int ok = c->L == 1 || c->I == c->D * c->H;
    if (!ok)
        *why = "its layers must read as many values as the first one";
    for (size_t k = 0; ok && k < sizeof n / sizeof *n; k++)
        ok = (*all[k] = k < 3 ? floats_new(n[k]) : floats_room(n[k])) != NULL; /* results later */
    if (ok) {
        copy_in(r);
        int bad = build(r);
        bad = bad || load_weights(r) || dnnl_stream_wait(r->stream);
        ok = !bad;
        *why = "oneDNN refused the primitive";
    }
    if (!ok) {
        onednn_close(r);
        return NULL;
    }
    return r;
}

static void onednn_prepare(void *run)
{
    (void)run;
}

static int backward(onednn_run *r, const dnnl_exec_arg_t *f, int nf)
{
    tensor *t = r->t;
    dnnl_exec_arg_t b[MOST_ARGS];
    memcpy(b, f, (size_t)nf * sizeof *b);
    const dnnl_exec_arg_t more[] = {
        {DNNL_ARG_WEIGHTS_LAYER, t[WL_B].mem},     {DNNL_ARG_WEIGHTS_ITER, t[WI_B].mem},
        {DNNL_ARG_DIFF_SRC_LAYER, t[DX].mem},      {DNNL_ARG_DIFF_SRC_ITER, t[DH0].mem},
        {DNNL_ARG_DIFF_WEIGHTS_LAYER, t[DWL].mem}, {DNNL_ARG_DIFF_WEIGHTS_ITER, t[DWI].mem},
        {DNNL_ARG_DIFF_BIAS, t[DBIAS].mem},        {DNNL_ARG_DIFF_DST_LAYER, t[DY].mem},
        {DNNL_ARG_DIFF_DST_ITER, t[DHT].mem},      {DNNL_ARG_DIFF_SRC_ITER_C, t[DC0].mem},
        {DNNL_ARG_DIFF_DST_ITER_C, t[DCT].mem}};
    int n = (int)(sizeof more / sizeof *more) - (r->d->cell == RNN_GRU ? 2 : 0);
    memcpy(b + nf - 2, more, (size_t)n * sizeof *more); /* over forward's weights, the last two */
    zero(&t[DBIAS]);
    zero(&t[DWL]);
    zero(&t[DWI]);
    return run_reorder(r, TO_WL_B, &r->plain[PLAIN_WL], &t[WL_B]) ||
           run_reorder(r, TO_WI_B, &r->plain[PLAIN_WI], &t[WI_B]) ||
           dnnl_primitive_execute(r->backward, r->stream, nf - 2 + n, b) ||
           run_reorder(r, FROM_DWL, &t[DWL], &r->plain[PLAIN_DWL]) ||
           run_reorder(r, FROM_DWI, &t[DWI], &r->plain[PLAIN_DWI]);
}

static void give(dnnl_exec_arg_t *args, int *n, int name, const tensor *t)
{
    args[(*n)++] = (dnnl_exec_arg_t){name, t->mem};
}

static int onednn_step(void *run, const char **why)
{
    onednn_run *r = run;
    tensor *t = r->t;
    int train = r->pass == RNN_TRAIN, n = 0;
    dnnl_exec_arg_t f[MOST_ARGS];
    give(f, &n, DNNL_ARG_SRC_LAYER, &t[X]);
    give(f, &n, DNNL_ARG_SRC_ITER, &t[H0]);
    give(f, &n, DNNL_ARG_BIAS, &t[BIAS]);
    give(f, &n, DNNL_ARG_DST_LAYER, &t[Y]);
    give(f, &n, DNNL_ARG_DST_ITER, &t[HT]);
    if (r->d->cell == RNN_LSTM) {
        give(f, &n, DNNL_ARG_SRC_ITER_C, &t[C0]);
        give(f, &n, DNNL_ARG_DST_ITER_C, &t[CT]);
    }
    if (train)
        give(f, &n, DNNL_ARG_WORKSPACE, &t[WORK]);
    give(f, &n, DNNL_ARG_WEIGHTS_LAYER, &t[WL]);
    give(f, &n, DNNL_ARG_WEIGHTS_ITER, &t[WI]);
    int bad = (train && load_weights(r)) || dnnl_primitive_execute(r->forward, r->stream, n, f) ||
              (train && backward(r, f, n)) || dnnl_stream_wait(r->stream);
    if (bad)
        *why = "oneDNN failed to execute";
    return bad;
}

static int onednn_read(void *run, rnn_result *out, const char **why)
{
    onednn_run *r = run;
    int bad = onednn_step(r, why);
    if (bad)
        return bad;
    memcpy(out->y, r->y, r->d->ny * sizeof(float));
    if (r->pass == RNN_TRAIN)
        copy_out(r, out);
    return 0;
}

const rnn_impl rnn_onednn = {"onednn",    onednn_open, onednn_prepare, onednn_step,
                             onednn_read, NULL,        onednn_close};

int onednn_product(int n, const float *a, const float *b, float *c)
{
    return dnnl_sgemm('N', 'N', n, n, n, 1, a, n, b, n, 0, c, n);
}
