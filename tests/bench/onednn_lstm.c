#include "tests/bench/onednn_lstm.h"

#include <oneapi/dnnl/dnnl.h>
#include <stdlib.h>
#include <string.h>

/* tensor -- a oneDNN memory: either our array (handle set at each step) or its own. */
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

struct onednn_lstm {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_desc_t forward_pd, backward_pd;
    dnnl_primitive_t forward, backward;
    tensor t[SLOTS];
    tensor plain_wl, plain_wi, plain_dwl, plain_dwi; /* ours, row-major */
    dnnl_primitive_t to_wl, to_wi, to_wl_b, to_wi_b, from_dwl, from_dwi;
};

static int make(onednn_lstm *l, tensor *t, int own)
{
    return dnnl_memory_create(&t->mem, &t->md, l->engine,
                              own ? DNNL_MEMORY_ALLOCATE : DNNL_MEMORY_NONE);
}

static int describe(tensor *t, int n, const dnnl_dim_t *dims, dnnl_format_tag_t tag)
{
    dnnl_dims_t all = {0};
    memcpy(all, dims, (size_t)n * sizeof *dims);
    return dnnl_memory_desc_init_by_tag(&t->md, n, all, dnnl_f32, tag);
}

static int make_reorder(onednn_lstm *l, dnnl_primitive_t *p, const tensor *from, const tensor *to)
{
    dnnl_primitive_desc_t pd;
    int bad =
        dnnl_reorder_primitive_desc_create(&pd, &from->md, l->engine, &to->md, l->engine, NULL);
    if (bad)
        return bad;
    bad = dnnl_primitive_create(p, pd);
    dnnl_primitive_desc_destroy(pd);
    return bad;
}

static int run_reorder(onednn_lstm *l, dnnl_primitive_t p, const tensor *from, const tensor *to)
{
    const dnnl_exec_arg_t args[2] = {{DNNL_ARG_FROM, from->mem}, {DNNL_ARG_TO, to->mem}};
    return dnnl_primitive_execute(p, l->stream, 2, args);
}

static void query(tensor *t, dnnl_primitive_desc_t pd, dnnl_query_t what, int index)
{
    t->md = *dnnl_primitive_desc_query_md(pd, what, index);
}

static int build(onednn_lstm *l, int T, int B, int I, int H)
{
    const dnnl_dim_t x[] = {T, B, I}, y[] = {T, B, H}, s[] = {1, 1, B, H}, wl[] = {1, 1, I, 4, H},
                     wi[] = {1, 1, H, 4, H}, b[] = {1, 1, 4, H};
    tensor any_wl, any_wi, *t = l->t;
    int bad = dnnl_engine_create(&l->engine, dnnl_cpu, 0) ||
              dnnl_stream_create(&l->stream, l->engine, dnnl_stream_default_flags);
    bad = bad || describe(&t[X], 3, x, dnnl_tnc) || describe(&t[DX], 3, x, dnnl_tnc) ||
          describe(&t[Y], 3, y, dnnl_tnc) || describe(&t[DY], 3, y, dnnl_tnc) ||
          describe(&t[BIAS], 4, b, dnnl_ldgo) || describe(&t[DBIAS], 4, b, dnnl_ldgo);
    const int states[] = {H0, C0, HT, CT, DH0, DC0, DHT, DCT};
    for (int i = 0; i < 8; i++)
        bad = bad || describe(&t[states[i]], 4, s, dnnl_ldnc);
    bad = bad || describe(&any_wl, 5, wl, dnnl_format_tag_any) ||
          describe(&any_wi, 5, wi, dnnl_format_tag_any) ||
          describe(&l->plain_wl, 5, wl, dnnl_ldgoi) || describe(&l->plain_wi, 5, wi, dnnl_ldgoi) ||
          describe(&l->plain_dwl, 5, wl, dnnl_ldgoi) || describe(&l->plain_dwi, 5, wi, dnnl_ldgoi);
    if (bad)
        return bad;
    dnnl_rnn_desc_t d;
    bad = dnnl_lstm_forward_desc_init(&d, dnnl_forward_training, dnnl_unidirectional_left2right,
                                      &t[X].md, &t[H0].md, &t[C0].md, &any_wl.md, &any_wi.md,
                                      &t[BIAS].md, &t[Y].md, &t[HT].md, &t[CT].md, 0) ||
          dnnl_primitive_desc_create(&l->forward_pd, &d, NULL, l->engine, NULL) ||
          dnnl_primitive_create(&l->forward, l->forward_pd);
    if (bad)
        return bad;
    bad = dnnl_lstm_backward_desc_init(&d, dnnl_backward, dnnl_unidirectional_left2right, &t[X].md,
                                       &t[H0].md, &t[C0].md, &any_wl.md, &any_wi.md, &t[BIAS].md,
                                       &t[Y].md, &t[HT].md, &t[CT].md, &t[DX].md, &t[DH0].md,
                                       &t[DC0].md, &any_wl.md, &any_wi.md, &t[DBIAS].md, &t[DY].md,
                                       &t[DHT].md, &t[DCT].md, 0) ||
          dnnl_primitive_desc_create(&l->backward_pd, &d, NULL, l->engine, l->forward_pd) ||
          dnnl_primitive_create(&l->backward, l->backward_pd);
    if (bad)
        return bad;
    query(&t[WL], l->forward_pd, dnnl_query_weights_md, 0);
    query(&t[WI], l->forward_pd, dnnl_query_weights_md, 1);
    query(&t[WORK], l->forward_pd, dnnl_query_workspace_md, 0);
    query(&t[WL_B], l->backward_pd, dnnl_query_weights_md, 0);
    query(&t[WI_B], l->backward_pd, dnnl_query_weights_md, 1);
    query(&t[DWL], l->backward_pd, dnnl_query_diff_weights_md, 0);
    query(&t[DWI], l->backward_pd, dnnl_query_diff_weights_md, 1);
    for (int i = 0; i < SLOTS; i++)
        bad = bad ||
              make(l, &t[i], i != X && i != Y && i != DX && i != DY && i != BIAS && i != DBIAS);
    bad = bad || make(l, &l->plain_wl, 0) || make(l, &l->plain_wi, 0) ||
          make(l, &l->plain_dwl, 0) || make(l, &l->plain_dwi, 0) ||
          make_reorder(l, &l->to_wl, &l->plain_wl, &t[WL]) ||
          make_reorder(l, &l->to_wi, &l->plain_wi, &t[WI]) ||
          make_reorder(l, &l->to_wl_b, &l->plain_wl, &t[WL_B]) ||
          make_reorder(l, &l->to_wi_b, &l->plain_wi, &t[WI_B]) ||
          make_reorder(l, &l->from_dwl, &t[DWL], &l->plain_dwl) ||
          make_reorder(l, &l->from_dwi, &t[DWI], &l->plain_dwi);
    const int zeros[] = {H0, C0, DHT, DCT};
    for (int i = 0; i < 4 && !bad; i++) {
        void *p;
        bad = dnnl_memory_get_data_handle(t[zeros[i]].mem, &p);
        if (!bad)
            memset(p, 0, dnnl_memory_desc_get_size(&t[zeros[i]].md));
    }
    return bad;
}

onednn_lstm *onednn_lstm_new(int T, int B, int I, int H, const char **why)
{
    onednn_lstm *l = calloc(1, sizeof *l);
    if (!l || build(l, T, B, I, H)) {
        *why = l ? "oneDNN refused the primitive" : "no memory";
        onednn_lstm_free(l);
        return NULL;
    }
    return l;
}

void onednn_lstm_free(onednn_lstm *l)
{
    if (!l)
        return;
    dnnl_primitive_t p[] = {l->forward, l->backward, l->to_wl,    l->to_wi,
                            l->to_wl_b, l->to_wi_b,  l->from_dwl, l->from_dwi};
    for (size_t i = 0; i < sizeof p / sizeof *p; i++)
        if (p[i])
            dnnl_primitive_destroy(p[i]);
    for (int i = 0; i < SLOTS; i++)
        if (l->t[i].mem)
            dnnl_memory_destroy(l->t[i].mem);
    tensor *plain[] = {&l->plain_wl, &l->plain_wi, &l->plain_dwl, &l->plain_dwi};
    for (int i = 0; i < 4; i++)
        if (plain[i]->mem)
            dnnl_memory_destroy(plain[i]->mem);
    if (l->forward_pd)
        dnnl_primitive_desc_destroy(l->forward_pd);
    if (l->backward_pd)
        dnnl_primitive_desc_destroy(l->backward_pd);
    if (l->stream)
        dnnl_stream_destroy(l->stream);
    if (l->engine)
        dnnl_engine_destroy(l->engine);
    free(l);
}

static void zero(tensor *t)
{
    void *p = NULL;
    dnnl_memory_get_data_handle(t->mem, &p);
    memset(p, 0, dnnl_memory_desc_get_size(&t->md));
}

/* handle -- points a memory at one of our arrays; oneDNN does not write through those it reads. */
static void handle(tensor *t, const float *p)
{
    union {
        const float *in;
        void *out;
    } u = {.in = p};
    dnnl_memory_set_data_handle(t->mem, u.out);
}

int onednn_lstm_step(onednn_lstm *l, const float *x, const float *w_ih, const float *w_hh,
                     const float *bias, const float *dh, float *h, float *dx, float *dw_ih,
                     float *dw_hh, float *dbias)
{
    tensor *t = l->t;
    handle(&t[X], x);
    handle(&t[BIAS], bias);
    handle(&t[DY], dh);
    handle(&t[Y], h);
    handle(&t[DX], dx);
    handle(&t[DBIAS], dbias);
    handle(&l->plain_wl, w_ih);
    handle(&l->plain_wi, w_hh);
    handle(&l->plain_dwl, dw_ih);
    handle(&l->plain_dwi, dw_hh);
    memset(dbias, 0, dnnl_memory_desc_get_size(&t[DBIAS].md));
    zero(&t[DWL]);
    zero(&t[DWI]); /* oneDNN adds into the gradients of weights */
    const dnnl_exec_arg_t f[] = {
        {DNNL_ARG_SRC_LAYER, t[X].mem},     {DNNL_ARG_SRC_ITER, t[H0].mem},
        {DNNL_ARG_SRC_ITER_C, t[C0].mem},   {DNNL_ARG_WEIGHTS_LAYER, t[WL].mem},
        {DNNL_ARG_WEIGHTS_ITER, t[WI].mem}, {DNNL_ARG_BIAS, t[BIAS].mem},
        {DNNL_ARG_DST_LAYER, t[Y].mem},     {DNNL_ARG_DST_ITER, t[HT].mem},
        {DNNL_ARG_DST_ITER_C, t[CT].mem},   {DNNL_ARG_WORKSPACE, t[WORK].mem}};
    dnnl_exec_arg_t b[19];
    memcpy(b, f, sizeof f);
    b[3].memory = t[WL_B].mem;
    b[4].memory = t[WI_B].mem;
    const dnnl_exec_arg_t more[] = {
        {DNNL_ARG_DIFF_SRC_LAYER, t[DX].mem},     {DNNL_ARG_DIFF_SRC_ITER, t[DH0].mem},
        {DNNL_ARG_DIFF_SRC_ITER_C, t[DC0].mem},   {DNNL_ARG_DIFF_WEIGHTS_LAYER, t[DWL].mem},
        {DNNL_ARG_DIFF_WEIGHTS_ITER, t[DWI].mem}, {DNNL_ARG_DIFF_BIAS, t[DBIAS].mem},
        {DNNL_ARG_DIFF_DST_LAYER, t[DY].mem},     {DNNL_ARG_DIFF_DST_ITER, t[DHT].mem},
        {DNNL_ARG_DIFF_DST_ITER_C, t[DCT].mem}};
    memcpy(b + 10, more, sizeof more);
    int bad = run_reorder(l, l->to_wl, &l->plain_wl, &t[WL]) ||
              run_reorder(l, l->to_wi, &l->plain_wi, &t[WI]) ||
              dnnl_primitive_execute(l->forward, l->stream, 10, f) ||
              run_reorder(l, l->to_wl_b, &l->plain_wl, &t[WL_B]) ||
              run_reorder(l, l->to_wi_b, &l->plain_wi, &t[WI_B]) ||
              dnnl_primitive_execute(l->backward, l->stream, 19, b) ||
              run_reorder(l, l->from_dwl, &t[DWL], &l->plain_dwl) ||
              run_reorder(l, l->from_dwi, &t[DWI], &l->plain_dwi) || dnnl_stream_wait(l->stream);
    return bad;
}
