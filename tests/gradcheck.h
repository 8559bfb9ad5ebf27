/* gradcheck.h -- the gradient of a case against differences, at orders 1 and 2, by tl_check_grad
 * (ops/check_grad.h has the scalars s0 and s1). Forward mode, which that leaves out since it asks
 * for the gradient of the gradient, is held to the same numbers. */
#ifndef TL_TESTS_GRADCHECK_H
#define TL_TESTS_GRADCHECK_H

#include "core/op.h"

/* gradcheck -- checks one case in f64 up to `order` (1 or 2); op (or NULL) must occur among
 * what the call records. Returns 1, or 0 with the reason in message[400]. Operands from
 * TL_INDEX and TL_BINARY are not differentiated; a derivative may be 1e-7 times the largest of its
 * order apart, or 1e-7 if that is below 1. */
int gradcheck(const tl_op *op, const tl_case *c, int order, uint64_t seed, char *message);

#endif
