/* onednn_lstm.h -- oneDNN's fused LSTM primitive as the mark to compare with: forward and backward
 * of one layer. */
#ifndef TL_TESTS_BENCH_ONEDNN_LSTM_H
#define TL_TESTS_BENCH_ONEDNN_LSTM_H

typedef struct onednn_lstm onednn_lstm;

/* onednn_lstm_new -- one direction, f32, weights as ours: w_ih [4H,I], w_hh [4H,H], gates i f g o,
 * row-major; one bias [4H]. NULL, and the reason in *why, if the primitive cannot be made. */
onednn_lstm *onednn_lstm_new(int T, int B, int I, int H, const char **why);
void onednn_lstm_free(onednn_lstm *l);

/* onednn_lstm_step -- forward in training mode, then backward with the gradient dh [T,B,H] of all
 * outputs; reorders of weights into the primitive's own layout and of their gradients back are part
 * of it. Returns 0, or oneDNN's status. */
int onednn_lstm_step(onednn_lstm *l, const float *x, const float *w_ih, const float *w_hh,
                     const float *bias, const float *dh, float *h, float *dx, float *dw_ih,
                     float *dw_hh, float *dbias);

#endif
