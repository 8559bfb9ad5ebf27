/* user_cells.c -- the two cells, and PyTorch's arrays to their matrices and back. */
#include "tests/bench/user_cells.h"

#include <string.h>

/* 1 / (1 + exp(-a)) */
static tl_tensor sigmoid(tl_tensor a)
{
    return tl_rdiv_scalar(tl_add_scalar(tl_exp(tl_neg(a)), 1), 1);
}

/* x W + h U + b */
static tl_tensor gate(tl_tensor x, tl_tensor h, tl_tensor W, tl_tensor U, tl_tensor b)
{
    return tl_add(tl_add(tl_matmul(x, W), tl_matmul(h, U)), b);
}

enum { W_i, W_f, W_g, W_o, U_i, U_f, U_g, U_o, B_i, B_f, B_g, B_o };

static tl_tensor lstm_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *state,
                           const tl_tensor *aux)
{
    (void)cell;
    (void)aux;
    tl_tensor h = state[0], c = state[1];
    tl_tensor i = sigmoid(gate(x, h, w[W_i], w[U_i], w[B_i]));
    tl_tensor f = sigmoid(gate(x, h, w[W_f], w[U_f], w[B_f]));
    tl_tensor g = tl_tanh(gate(x, h, w[W_g], w[U_g], w[B_g]));
    tl_tensor o = sigmoid(gate(x, h, w[W_o], w[U_o], w[B_o]));
    state[1] = tl_add(tl_mul(f, c), tl_mul(i, g));
    return state[0] = tl_mul(o, tl_tanh(state[1]));
}

enum { W_r, W_z, W_n, U_r, U_z, U_n, B_r, B_z, B_n, B_m };

static tl_tensor gru_step(const tl_cell *cell, const tl_tensor *w, tl_tensor x, tl_tensor *state,
                          const tl_tensor *aux)
{
    (void)cell;
    (void)aux;
    tl_tensor h = state[0];
    tl_tensor r = sigmoid(gate(x, h, w[W_r], w[U_r], w[B_r]));
    tl_tensor z = sigmoid(gate(x, h, w[W_z], w[U_z], w[B_z]));
    tl_tensor m = tl_add(tl_matmul(h, w[U_n]), w[B_m]);
    tl_tensor n = tl_tanh(tl_add(tl_add(tl_matmul(x, w[W_n]), w[B_n]), tl_mul(r, m)));
    return state[0] = tl_add(n, tl_mul(z, tl_sub(h, n)));
}

tl_cell user_cell(rnn_cell which)
{
    static const char *const lstm[] = {"W_i", "W_f", "W_g", "W_o", "U_i", "U_f",
                                       "U_g", "U_o", "b_i", "b_f", "b_g", "b_o"};
    static const char *const gru[] = {"W_r", "W_z", "W_n", "U_r", "U_z",
                                      "U_n", "b_r", "b_z", "b_n", "b_m"};
    const char *const *name = which == RNN_LSTM ? lstm : gru;
    int gates = rnn_cell_gates(which), n = which == RNN_LSTM ? 12 : 10;
    tl_cell cell = tl_cell_make("user_cell", which == RNN_LSTM ? lstm_step : gru_step);
    for (int k = 0; k < n; k++)
        tl_cell_param_add(&cell, name[k],
                          k < gates       ? "I,H"
                          : k < 2 * gates ? "H,H"
                                          : "H",
                          tl_init_recurrent());
    tl_cell_state_add(&cell, "h", "H");
    if (which == RNN_LSTM)
        tl_cell_state_add(&cell, "c", "H");
    return cell;
}

/* place -- where parameter k lies in PyTorch's arrays. */
typedef struct place {
    float *rows; /* [H,cols]; of a bias cols is 1 */
    size_t H, cols;
    const float *other; /* LSTM, bias: the second one, [H] */
    float *twin;        /* LSTM, bias: the same gradient again */
} place;

static place find(const rnn_data *d, const rnn_weights *w, int run, int k)
{
    const rnn_case *c = d->shape;
    int gates = d->gates;
    size_t H = (size_t)c->H, I = (size_t)rnn_case_input(c, run / c->D);
    if (k < gates)
        return (place){w->w_ih[run] + (size_t)k * H * I, H, I, NULL, NULL};
    if (k < 2 * gates)
        return (place){w->w_hh[run] + (size_t)(k - gates) * H * H, H, H, NULL, NULL};
    size_t at = (size_t)(k - 2 * gates) * H;
    if (d->cell == RNN_GRU && k == 3 * gates) /* n's second bias */
        return (place){w->b_hh[run] + 2 * H, H, 1, NULL, NULL};
    if (d->cell == RNN_GRU && k == 3 * gates - 1)
        return (place){w->b_ih[run] + at, H, 1, NULL, NULL};
    return (place){w->b_ih[run] + at, H, 1, w->b_hh[run] + at, w->b_hh[run] + at};
}

size_t user_cell_scatter(const rnn_data *d, const rnn_weights *w, int run, int k, float *out)
{
    place p = find(d, w, run, k);
    for (size_t h = 0; h < p.H; h++)
        for (size_t j = 0; j < p.cols; j++)
            out[j * p.H + h] = p.rows[h * p.cols + j] + (p.other ? p.other[h] : 0);
    return p.H * p.cols;
}

void user_cell_gather(const rnn_data *d, rnn_weights *w, int run, int k, const float *from)
{
    place p = find(d, w, run, k);
    for (size_t h = 0; h < p.H; h++)
        for (size_t j = 0; j < p.cols; j++)
            p.rows[h * p.cols + j] = from[j * p.H + h];
    if (p.twin)
        memcpy(p.twin, p.rows, p.H * sizeof(float));
}
