/* rnn_model.c -- PyTorch's arrays to parameters, gradients back. */
#include "tests/bench/rnn_model.h"

#include "tests/bench/user_cells.h"

#include <stdlib.h>
#include <string.h>

int64_t rnn_model_elements(const rnn_model *m, int k)
{
    return tl_shape_count(tl_param_shape(tl_params_at(m->set, k)));
}

static void scatter(const rnn_model *m, int k, float *out)
{
    int each = m->nparams / m->d->runs, run = k / each;
    const rnn_weights *w = &m->d->w;
    const float *from[] = {w->w_ih[run], w->w_hh[run], w->b_ih[run], w->b_hh[run]};
    if (m->user)
        user_cell_scatter(m->d, w, run, k % each, out);
    else
        memcpy(out, from[k % each], (size_t)rnn_model_elements(m, k) * sizeof *out);
}

void rnn_model_gather(const rnn_model *m, rnn_weights *d, int k, const float *grad)
{
    int each = m->nparams / m->d->runs, run = k / each;
    float *to[] = {d->w_ih[run], d->w_hh[run], d->b_ih[run], d->b_hh[run]};
    if (m->user)
        user_cell_gather(m->d, d, run, k % each, grad);
    else
        memcpy(to[k % each], grad, (size_t)rnn_model_elements(m, k) * sizeof *grad);
}

int rnn_model_open(rnn_model *m, const rnn_data *d, int user)
{
    tl_cell cell = user                  ? user_cell(d->cell)
                   : d->cell == RNN_LSTM ? tl_lstm_cell(NULL)
                                         : tl_gru_cell(NULL);
    tl_sequence_opts opts = tl_sequence_defaults();
    opts.layers = d->shape->L;
    opts.bidirectional = d->shape->D == 2;
    *m = (rnn_model){.d = d, .user = user};
    m->set = tl_params_new(TL_F32);
    m->seq = tl_sequence_new(m->set, "rnn", &cell, d->shape->I, d->shape->H, &opts, NULL);
    m->nparams = m->seq ? tl_params_count(m->set) : 0;
    for (int k = 0; k < m->nparams; k++) {
        m->value[k] = floats_new((size_t)rnn_model_elements(m, k));
        if (!m->value[k])
            return 1;
        scatter(m, k, m->value[k]);
    }
    rnn_model_renew(m);
    return !m->seq;
}

void rnn_model_close(rnn_model *m)
{
    for (int k = 0; k < m->nparams; k++)
        free(m->value[k]);
    tl_sequence_free(m->seq);
    tl_params_free(m->set);
}

void rnn_model_renew(rnn_model *m)
{
    for (int k = 0; k < m->nparams; k++) {
        tl_param *p = tl_params_at(m->set, k);
        tl_param_set_f32(p, m->value[k], rnn_model_elements(m, k));
        tl_param_clear_grad(p);
    }
}
