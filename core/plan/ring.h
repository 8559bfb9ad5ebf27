/* ring.h -- which arrays of a loop and its adjoint need the rows of one segment only. Private; of
 * budget.c. */
#ifndef TL_CORE_PLAN_RING_H
#define TL_CORE_PLAN_RING_H

#include "core/plan/plan.h"

/* Who touches a root: the loop, its adjoint, what lies around them, anything else. */
enum { TL_AHEAD = 1, TL_BACK = 2, TL_AROUND = 4, TL_OTHERS = 8 };

/* tl_pair -- a loop and its adjoint, and what is found out about them. */
typedef struct tl_pair {
    tl_graph *g;
    uint32_t ahead, back, n;
    int64_t T;
    const uint8_t *fresh;    /* by value: roots that survive */
    uint8_t *ring;           /* by value: a root that needs a segment's rows only */
    uint8_t *moves;          /* by value: computed for a segment at a time */
    uint8_t *later;          /* by value of block 0: bit 0 comes after ahead, bit 1 after back */
    uint8_t *writes, *reads; /* by value: a root's, who does */
    uint8_t *is_state;       /* by value: a root that `ahead` hands from step to step */
    int64_t row_bytes, state_bytes; /* of all rings a step, of all states */
} tl_pair;

/* tl__pair_look -- fills all of p behind `fresh`; whether the two can run in segments and gain by
 * it. */
TL_API int tl__pair_look(tl_pair *p);

/* tl__pair_leads -- whether operand k of x, in block 0, has the steps as its first axis. */
TL_API int tl__pair_leads(const tl_pair *p, const tl_val *x, uint32_t k);

/* tl__root_of -- of the buffer that v lies in, TL_NONE if it has none. */
static inline uint32_t tl__root_of(const tl_graph *g, uint32_t v)
{
    return g->val[v].resolved ? g->val[v].address.root : TL_NONE;
}

#endif
