/* gradcheck.h -- the gradient of anything against differences, at orders 1 and 2.
 *
 *     s0(x) = sum over i of c_i (y_i + y_i^2 / 2),  y = call(x)           c, d random
 *     s1(x) = sum over k of d_k (g_k + g_k^2 / 2),  g = tl_grad of s0 by x
 *
 * The gradient that the tape records of s0, then of s1, is compared with differences of four
 * points. The scalar is curved, so the gradient that a rule receives depends on x, and an error
 * in how it uses it shows at order 2. Forward mode is held to the same numbers. */
#ifndef TL_TESTS_GRADCHECK_H
#define TL_TESTS_GRADCHECK_H

#include "core/op.h"

/* gradcheck -- checks one case in f64 up to `order` (1 or 2); op (or NULL) must occur among
 * what the call records. Returns 1, or 0 with the reason in message[400]. Operands from
 * TL_INDEX and TL_BINARY are not differentiated. */
int gradcheck(const tl_op *op, const tl_case *c, int order, uint64_t seed, char *message);

#endif
