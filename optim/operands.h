/* operands.h -- what a step as a function is given, checked. Private to optim. */
#ifndef TL_OPTIM_OPERANDS_H
#define TL_OPTIM_OPERANDS_H

#include "core/tape.h"

/* tl_operand -- the gradient, or a value kept for p: of p's shape and dtype. */
typedef struct tl_operand {
    const char *name;
    tl_tensor t;
} tl_operand;

/* tl__operands_fit -- whether t >= 1, the n operands are like p, and *lr (NULL: a number) is one
 * element or one for each of p's; such a single element becomes a scalar. The sticky error if not; an
 * inert p gives 0 silently. */
int tl__operands_fit(const char *what, tl_tensor p, int n, const tl_operand *like, int64_t t,
                     tl_tensor *lr);

/* tl__rate_fits -- TL_OK for a learning rate that is finite and not negative; else the error. */
int tl__rate_fits(const char *what, double lr, tl_err *err);

#endif
