/* by_hand.h -- backpropagation through time as the textbooks write it: plain loops, double
 * precision, one sequence (one row of a batch).
 *
 * No tape, nothing of Tapeloop: the other route to the same numbers. Weights and gates lie as in
 * Tapeloop and PyTorch: w_ih [gH,I], w_hh [gH,H], b_ih [gH], b_hh [gH]; LSTM g = 4: i f g o; GRU g
 * = 3: r z n; plain RNN g = 1. */
#ifndef BY_HAND_H
#define BY_HAND_H

typedef enum hand_kind {
    HAND_RNN_TANH,
    HAND_RNN_RELU,
    HAND_LSTM,
    HAND_GRU,
    HAND_GRU_BEFORE
} hand_kind;

typedef struct hand_weights {
    int I, H;
    const double *w_ih, *w_hh, *b_ih, *b_hh;
} hand_weights;

/* hand_grads -- gradients of the weights; hand_backward adds to them, so that the rows of a batch
 * add up. */
typedef struct hand_grads {
    double *w_ih, *w_hh, *b_ih, *b_hh;
} hand_grads;

/* hand_run -- what the forward loop leaves for the backward loop. */
typedef struct hand_run {
    hand_kind kind;
    int T, I, H;
    const double *x; /* [T,I], the caller's */
    double *h;       /* [T+1,H]: h[0] is the initial state, h[t+1] the output of step t */
    double *c;       /* [T+1,H], LSTM only */
    double *gate;    /* [T,gH]: gates after their nonlinearity */
    double *inner; /* [T,H]: GRU, the recurrent part of n before it is reset: h W_hn' + b_hn (reset
                      after), unused otherwise */
} hand_run;

/* hand_blocks -- g: gates of this kind. */
int hand_blocks(hand_kind kind);

/* hand_forward -- runs T steps; h0 and c0 [H], NULL for zeros. Returns 0, or -1 when memory is
 * short. hand_run_free frees. */
int hand_forward(hand_run *run, hand_kind kind, const hand_weights *w, int T, const double *x,
                 const double *h0, const double *c0);
void hand_run_free(hand_run *run);

/* hand_backward -- from the last step to the first.
 *
 *   dy   [T,H]  direct gradient of the loss with respect to each output h_t
 *   dhT  [H]    further gradient of the final h, or NULL;  dcT of the final c, or NULL
 *   g           gradients of the weights, added to
 *   dx   [T,I]  set
 *   dh   [T,H]  set, or NULL: the total derivative dL/dh_t, through all later steps as well
 *   dc   [T,H]  the same of c, LSTM only, or NULL
 *   dh0, dc0    [H] set, or NULL
 *
 * Returns 0, or -1 when memory is short. */
int hand_backward(const hand_run *run, const hand_weights *w, const double *dy, const double *dhT,
                  const double *dcT, const hand_grads *g, double *dx, double *dh, double *dc,
                  double *dh0, double *dc0);

#endif
