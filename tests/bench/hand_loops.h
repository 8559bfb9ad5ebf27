/* hand_loops.h -- plain C loops that the parts are measured against: what a compiler makes of the
 * obvious code for this processor. Arrays do not overlap. */
#ifndef TL_TESTS_BENCH_HAND_LOOPS_H
#define TL_TESTS_BENCH_HAND_LOOPS_H

#include <stddef.h>
#include <stdint.h>

/* hand_chain -- out = (a b + c) (a - c) / (1 + a a) + b/2 - |c|, n elements: eleven operations. */
void hand_chain(size_t n, const float *a, const float *b, const float *c, float *out);

/* hand_map -- out = in/2: reads and writes once. */
void hand_map(size_t n, const float *in, float *out);

/* hand_sgd, hand_adam -- step in place; adam with beta 0.9, 0.999, the corrections c1 = lr /
 * (1 - b1^t), c2 = 1 / sqrt(1 - b2^t). */
void hand_sgd(size_t n, float *p, const float *g, float lr);
void hand_adam(size_t n, float *p, const float *g, float *m, float *v, float c1, float c2);

/* hand_gather -- out[i,:] = table[idx[i],:], rows of E. hand_scatter_add -- table[idx[i],:] +=
 * scale src[i,:]. */
void hand_gather(size_t rows, size_t E, const float *table, const int32_t *idx, float *out);
void hand_scatter_add(size_t rows, size_t E, const float *src, const int32_t *idx, float scale,
                      float *table);

#endif
