/* steps.h -- the instructions of a plan while they are still values of the graph. Private.
 *
 *     values   contract   add  tanh  mul   loop
 *     steps    CONTRACT --> TILE{add, tanh, mul} --> LOOP
 *
 * An edge says that one step must come before another: because it makes what the other reads, or
 * because it reads what the other overwrites. */
#ifndef TL_CORE_PLAN_STEPS_H
#define TL_CORE_PLAN_STEPS_H

#include "core/contract.h"
#include "core/plan/graph.h"

typedef enum tl_step_kind {
    TL_STEP_TILE,
    TL_STEP_CONTRACT,
    TL_STEP_CALL,
    TL_STEP_IOTA,
    TL_STEP_LOOP,
    TL_STEP_JOIN,
    TL_STEP_BAND
} tl_step_kind;

typedef struct tl_list {
    uint32_t *at, n, room;
} tl_list;

struct tl_step {
    tl_step_kind kind;
    uint8_t phase; /* tl_phase, of its values */
    uint32_t block;
    tl_list val;    /* what it makes; topological order */
    tl_list before; /* steps that come first, with repetitions */
    uint32_t place; /* of its last value in the block's order: what comes early runs early */
    /* threads (share.c) */
    uint8_t shared; /* each worker runs a part; else worker 0 runs it */
    uint8_t wait;   /* all workers meet before it */
    int64_t label;  /* of a product: what its shares are cut along */
    int64_t parts;  /* of a call: what its shares are made of */
    int axis;       /* of its result along which they lie, -1 */
    /* bands (band.c) */
    uint32_t within;      /* the band that this is a part of, TL_NONE; then block is TL_NONE too */
    uint32_t partial;     /* of a sum over rows in a band: room for partial sums, TL_NONE */
    tl_list part;         /* of a band: the steps that it runs, in order */
    int64_t rows, length; /* of all, of a band */
};

/* tl__list_add -- in the graph's arena. */
TL_API void tl__list_add(tl_graph *g, tl_list *l, uint32_t x);
/* tl__step_add -- a new step that makes v; TL_NONE after a failure. */
TL_API uint32_t tl__step_add(tl_graph *g, tl_step_kind kind, uint32_t v);
/* tl__step_depend -- step s comes after whatever makes v in its block. */
TL_API void tl__step_depend(tl_graph *g, uint32_t s, uint32_t v);

/* tl__step_whole -- the step that runs s: its band, or s itself. */
static inline uint32_t tl__step_whole(const tl_graph *g, uint32_t s)
{
    return g->step[s].within == TL_NONE ? s : g->step[s].within;
}

/* tl__iteration -- the axes of a value that are not of extent 1, and strides of an operand along
 * them. */
TL_API tl_shape tl__iteration(const tl_shape *s);
TL_API void tl__iteration_strides(const tl_graph *g, uint32_t operand, const tl_shape *shape,
                                  int64_t *stride);

/* tl__pass_share -- decides all that; returns how many threads the plan is worth. */
TL_API int tl__pass_share(tl_graph *g);

/* tl__contraction_define -- product v with its operands where they lie; *labels is filled for it.
 * What it points at is stale when the graph gets a new value. */
TL_API void tl__contraction_define(const tl_graph *g, uint32_t v, tl_contraction_def *d,
                                   tl_attr *labels);

#endif
