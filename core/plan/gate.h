/* gate.h -- sums of products in a loop's body, taken apart, and values that lie side by side: what
 * join.c and join_back.c are made of. Private. */
#ifndef TL_CORE_PLAN_GATE_H
#define TL_CORE_PLAN_GATE_H

#include "core/plan/graph.h"

enum { TL_GATE_TERMS = 8, TL_GATES = 8 /* side by side at most */ };

/* tl_gate -- a sum with its terms:  x W + h U  +  b  +  r m */
typedef struct tl_gate {
    uint32_t root;
    uint32_t product[TL_GATE_TERMS], nproducts; /* of a value in the body and one outside of it */
    uint32_t shared[TL_GATE_TERMS], nshared;    /* from outside */
    uint32_t other[TL_GATE_TERMS], nothers;
    int full; /* more terms than these */
} tl_gate;

/* tl_row -- pieces of one shape along the last axis of `whole`. */
typedef struct tl_row {
    uint32_t whole, n;
    uint32_t piece[TL_GATES];
} tl_row;

typedef struct tl_join {
    tl_graph *g;
    uint32_t block;
    uint8_t *done;  /* by value: looked at as a part of a sum */
    uint32_t nvals; /* when the block's turn began */
    tl_row row[TL_GATES];
    uint32_t nrows;
} tl_join;

/* tl__label_last -- the label of the last axis of part k of a product: operand 0 or 1, or 2, the
 * result; -1 if that has no axis. tl__label_axis -- where a label stands in part k, -1: nowhere.
 * tl__product_same -- whether two products have the same labels and type. */
TL_API int64_t tl__label_last(const tl_val *x, int k);
TL_API int tl__label_axis(const tl_val *x, int k, int64_t label);
TL_API int tl__product_same(const tl_val *x, const tl_val *y);

/* tl__gates_of -- all sums of the block that have products, users before operands; returns how
 * many. */
TL_API uint32_t tl__gates_of(tl_join *j, tl_gate **gates);

/* tl__beside -- n values of one shape along an axis, in `block`; an equal one if there is. */
TL_API uint32_t tl__beside(tl_graph *g, uint32_t block, uint32_t n, const uint32_t *piece,
                           int axis);
/* tl__become_part -- v becomes the k-th part of `whole` along an axis; a copy of it if it is to be
 * kept: whoever reads that reads rows without gaps. */
TL_API void tl__become_part(tl_graph *g, uint32_t v, uint32_t whole, int axis, uint32_t k);
/* tl__product_like -- the product of a and b by the labels of another one. */
TL_API uint32_t tl__product_like(tl_graph *g, const tl_val *like, uint32_t a, uint32_t b,
                                 tl_shape shape);

/* tl__join_pays -- whether it is worth a copy of the weights that one product like x instead of n
 * saves n - 1 calls in each step, in each of `products` terms. A product that takes longer than its
 * call is as fast alone. */
TL_API int tl__join_pays(const tl_join *j, const tl_val *x, int64_t n, int64_t products);

/* tl__join_adjoints -- the second half of the pass, of one block (join_back.c). */
TL_API void tl__join_adjoints(tl_join *j);

#endif
