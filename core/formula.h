/* formula.h -- a node as the call it was: "contract(x, W; ij,kj->ik)". Private. */
#ifndef TL_CORE_FORMULA_H
#define TL_CORE_FORMULA_H

#include "core/node.h"
#include "core/prose.h"

/* tl_instance -- which step of a body is meant: values of `frame` are those of step t; frame 0:
 * none is. */
typedef struct tl_instance {
    uint32_t frame;
    int64_t t;
} tl_instance;

/* tl__put_operand -- a node as an operand: its number if it is a constant, its name, or "%7"; with
 * "[t]" behind it if it is of the body meant. */
TL_API void tl__put_operand(tl_text *t, const tl_tape *tape, uint32_t slot, tl_instance at);
/* tl__put_formula -- the operation with its operands, structural attributes behind them. */
TL_API void tl__put_formula(tl_text *t, const tl_tape *tape, const tl_node *n, tl_instance at);
/* tl__put_elements -- the values of a live node, flat: up to eight whole, of more the first and
 * last three. digits other than 0: so many, and of more than eight the first two and the last. */
TL_API void tl__put_elements(tl_text *t, const tl_node *n, int digits);

#endif
