/* function.h -- a function of tensors, as what takes one sees it. */
#ifndef TL_CORE_FUNCTION_H
#define TL_CORE_FUNCTION_H

#include "core/tape.h"

TL_BEGIN_DECLS

/* tl_function -- records a computation of in[nin] on the tape and sets all of out[nout]. It may be
 * called more than once and records the same each time. Returns TL_OK, or the code of its failure
 * (that of the tape, if that has one). */
typedef int (*tl_function)(void *ctx, tl_tape *tape, int nin, const tl_tensor *in, int nout,
                           tl_tensor *out);

TL_END_DECLS
#endif
