/* law.h -- what may be written instead of something else, bit for bit, and what is cheap to compute
 * again. Private. The laws are in ops/laws.c, since they speak of operations; who applies them are
 * simplify.c and recompute.c.
 *
 *     from   div one add one exp neg x        1 / (1 + exp(-x))
 *     to     sigmoid x
 *
 * Both sides are in Polish notation: an operation, then its operands. */
#ifndef TL_CORE_PLAN_LAW_H
#define TL_CORE_PLAN_LAW_H

#include "core/op.h"

typedef enum tl_term_kind {
    TL_TERM_END,
    TL_TERM_X, /* any value, the same at each place */
    TL_TERM_Y,
    TL_TERM_ONE, /* the constant 1, however shown */
    TL_TERM_UNARY,
    TL_TERM_BINARY
} tl_term_kind;

typedef struct tl_term {
    tl_term_kind kind;
    const tl_op *op; /* of the last two */
} tl_term;

typedef struct tl_law {
    tl_term from[8], to[5];
    int alone; /* only where nothing else reads what is inside: else that would be computed, too */
} tl_law;

/* tl__laws -- in the order in which they are tried. */
extern TL_API const tl_law tl__laws[];
extern TL_API const int tl__nlaws;

/* tl__is_cheap -- arithmetic that costs no more than reading its result from memory. */
TL_API int tl__is_cheap(const tl_op *op);

#endif
