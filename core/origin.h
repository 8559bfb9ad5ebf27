/* origin.h -- where a value that is only moved was before: from an element of any value back to the
 * live one that it lies in. For core/anomaly.c. Private.
 *
 *     a [2,3] --.
 *                concat --> gather(., idx) --> slice [2,2]      element [1,0] is element [0,2] of b
 *     b [2,3] --'
 */
#ifndef TL_CORE_ORIGIN_H
#define TL_CORE_ORIGIN_H

#include "core/node.h"

/* tl_source -- an element of a live value. */
typedef struct tl_source {
    uint32_t slot;  /* TL_NONE: none is known */
    int64_t number; /* row-major; -1: not known */
} tl_source;

/* tl__moves -- whether results are operands' elements in other places, and no sums of them. */
TL_API int tl__moves(const tl_op *op);

/* tl_steps -- the time steps of the loops around, the outermost first. */
typedef struct tl_steps {
    uint32_t depth;
    const int64_t *at;
} tl_steps;

/* tl__origin -- of what element `number` (-1: any) of the value in this slot, NaN or infinite, is a
 * copy in these steps. Where the way of the element is not known (the last step of a scan, indices
 * that are gone), the first value on the way that holds something not finite. */
TL_API tl_source tl__origin(const tl_tape *tape, uint32_t slot, int64_t number, tl_steps steps);

#endif
