/* graph.h -- what the passes of the planner work on: the values of a stretch, and one block for
 * the tape and for each loop. Private.
 *
 *     block 0   v0 xs (bound)   v1 W (bound)   v2 loop ----.   v9 stacked (of v6, loop v2)
 *                                                          v
 *     block 1       v3 each(v0)   v4 carry   v5 contract(v3, v1)   v6 add(v4, v5)
 *
 * Values are named by their index; the first ones are the members of the stretch, in its order,
 * the others are made by passes. A value's block is where it is computed; its operands lie there
 * or in a block around. */
#ifndef TL_CORE_PLAN_GRAPH_H
#define TL_CORE_PLAN_GRAPH_H

#include "core/plan/stretch.h"

enum {
    TL_DEPTH = 6, /* loops inside loops at most */
    /* positions that an address may depend on: of the loop at each depth, then of the first step
     * of its period; last the first step of the segment (budget.c) */
    TL_SEGMENT = 2 * TL_DEPTH,
    TL_POSITIONS
};

/* tl_phase -- when a value of a body is computed: in every step, or once for all steps of a period
 * (period.c), before the first of them or after the last. */
typedef enum tl_phase { TL_STEPS, TL_PRE, TL_POST, TL_PHASES } tl_phase;

/* tl_via -- where a value's elements lie. Each but the first two is a place in the buffer of
 * another value, `base`. */
typedef enum tl_via {
    TL_OWN,      /* a buffer of its own */
    TL_BOUND,    /* a live value of the tape */
    TL_VIA_VIEW, /* by op->view */
    TL_VIA_SAME, /* exactly there; the shapes may differ in axes of extent 1 */
    /* entry row + pace * p of base's first axis, p the position of the loop around this value,
     * counted from the first step of its period if `within` */
    TL_VIA_ROW,
    TL_VIA_ROWS,  /* entries from row + pace * p on of base's first axis */
    TL_VIA_PIECE, /* in base from at[] on */
    TL_VIA_NONE   /* repeated along a new first axis */
} tl_via;

/* tl_origin -- what a pass has done to a value, for people. */
typedef enum tl_origin {
    TL_ORIGIN_RECORDED,
    TL_ORIGIN_HOISTED, /* of a body, computed before the loop for all steps */
    TL_ORIGIN_MOVED,   /* of a body, the same in every step: computed once before the loop */
    TL_ORIGIN_LIFTED   /* of a body, computed after the loop for all steps */
} tl_origin;

typedef struct tl_address {
    uint32_t root; /* the value that owns the buffer */
    tl_layout layout;
    int64_t coef[TL_POSITIONS]; /* elements per position */
} tl_address;

typedef struct tl_val {
    const tl_op *op;
    uint32_t
        /* ordinal whose attributes are bound when run and whose name messages carry; TL_NONE:
         * made by a pass */
        node;
    uint32_t block;
    tl_dtype dtype;
    tl_shape shape;
    uint32_t nin;
    uint32_t *in;
    uint32_t in_room; /* of a loop's list */
    int ni;           /* structural attributes */
    const int64_t *i;
    uint32_t loop;  /* of a TL_LOOP and its TL_RESULTs: the block */
    uint32_t of;    /* stacked, summed: value of the body; carry, last: number of the carry */
    uint32_t after; /* a value that must be there before this one is written, TL_NONE */
    uint32_t uses;  /* by needed values, carries and results */
    uint8_t keep, needed, solo, accumulate;
    uint8_t candidate; /* may be written into a carry's room */
    uint8_t material;  /* a constant that somebody reads from memory */
    uint8_t numbers;   /* has attributes that are bound when run */
    uint8_t one;       /* a constant that is 1 in every run */
    uint8_t resolved;
    uint8_t steady;  /* a leaf that will be the same in many runs */
    uint8_t origin;  /* tl_origin */
    uint8_t packed;  /* bit k: operand k of a product is a pack */
    uint8_t settled; /* values of a body lie in it */
    uint8_t phase;   /* tl_phase */
    uint8_t within;  /* TL_VIA_ROW: rows of a period */
    uint8_t clip; /* bit k: the first axis of operand k (of the result behind them) is the steps of
                       a period, of which the last may have fewer */
    uint8_t inside;    /* lies in registers or scratch: takes no room */
    uint32_t led;      /* of what was hoisted: bit k, operand k has the steps as its first axis */
    uint32_t segments; /* it is computed for one segment of these at a time, plus one; else 0 */
    /* storage */
    tl_via via;
    uint32_t base;
    int64_t row, pace;
    const int64_t *at;
    tl_shape as; /* the piece's shape: the value's own but for axes of extent 1 */
    tl_address address;
    /* instructions */
    uint32_t level, step;
} tl_val;

typedef struct tl_gcarry {
    uint32_t source, init, next;
    uint32_t room; /* where it lives, in the block around */
} tl_gcarry;

typedef struct tl_block {
    uint32_t parent, depth, loop;
    int64_t T, period;    /* steps; of a period, 0: there are none */
    int reverse, adjoint; /* adjoint: of another loop */
    int alone;            /* worker 0 runs it (share.c) */
    uint64_t draws;
    int64_t budget;    /* bytes, 0: none (budget.c) */
    uint8_t fits;      /* that and its adjoint need no segments */
    const char *scope; /* of its scan, the tape's */
    uint32_t segments; /* that it runs in, TL_NONE */
    tl_gcarry *carry;
    uint32_t ncarries, carries_capacity;
    uint32_t *order; /* needed values, topological */
    uint32_t norder;
    uint32_t *steps; /* instructions in running order */
    uint32_t nsteps;
} tl_block;

/* tl_segments -- a loop and its adjoint that run a segment of steps at a time. (budget.c) */
typedef struct tl_segments {
    uint32_t ahead, back; /* the blocks */
    int64_t size, slots;  /* steps of a segment, states that are kept */
    uint32_t *state;      /* roots of what `ahead` hands from step to step */
    uint32_t nstate;
} tl_segments;

typedef struct tl_step tl_step;

typedef struct tl_graph {
    tl_arena arena; /* of everything here */
    tl_val *val;
    uint32_t nvals, vals_capacity;
    tl_block *block;
    uint32_t nblocks, blocks_capacity;
    tl_step *step; /* steps.h */
    uint32_t nsteps, steps_capacity;
    tl_segments *segments;
    uint32_t nsegments;
    uint32_t *slot_block; /* scratch of building */
    unsigned passes;      /* that are on (core/run.h) */
    int code;             /* TL_OK, or why planning failed */
    char message[200];
} tl_graph;

/* tl__graph_build -- values and blocks of a stretch. Failures are in g->code, here as everywhere
 * below. */
TL_API void tl__graph_build(tl_graph *g, const tl_tape *tape, const tl_stretch *s);
TL_API void tl__graph_close(tl_graph *g);

/* tl__graph_fail -- notes the first failure; returns code. */
TL_API int tl__graph_fail(tl_graph *g, int code, const char *format, ...) TL_PRINTF(3, 4);
/* tl__graph_alloc -- zeroed memory that lives as long as the graph; NULL, and the failure noted,
 * when it is short. */
TL_API void *tl__graph_alloc(tl_graph *g, size_t count, size_t size);

/* tl__graph_add -- a new value with n operands (copied); TL_NONE after a failure. Pointers to
 * values are stale after it. */
TL_API uint32_t tl__graph_add(tl_graph *g, const tl_op *op, uint32_t block, tl_dtype dtype,
                              tl_shape shape, uint32_t n, const uint32_t *in);
/* tl__graph_const -- a rank-0 zero; tl__graph_copy -- the same elements, computed anew. */
TL_API uint32_t tl__graph_const(tl_graph *g, uint32_t block, tl_dtype dtype);
TL_API uint32_t tl__graph_copy(tl_graph *g, uint32_t v, uint32_t block, tl_shape shape);

/* tl__graph_show -- v becomes a view of all of u. */
TL_API void tl__graph_show(tl_graph *g, uint32_t v, uint32_t u);

/* tl__graph_mark -- dead code: `needed` and `uses` of all values anew, from those that survive. */
TL_API void tl__graph_mark(tl_graph *g);
/* tl__graph_order -- operands of the loops anew (whatever their bodies read from outside), then
 * every block's topological order. */
TL_API void tl__graph_order(tl_graph *g);

/* tl__graph_within -- whether block b is `outer` or inside it. */
TL_API int tl__graph_within(const tl_graph *g, uint32_t b, uint32_t outer);

/* Operations that only the planner records. */
extern TL_API const tl_op tl__op_copy, tl__op_room, tl__op_iota, tl__op_rows, tl__op_shown,
    tl__op_pack;

/* The passes, in the order in which they run; each is in the file of its name. */
TL_API void tl__pass_same(tl_graph *g);
TL_API void tl__pass_recompute(tl_graph *g);
TL_API void tl__pass_simplify(tl_graph *g);
TL_API void tl__pass_join(tl_graph *g);
TL_API void tl__pass_hoist(tl_graph *g);
TL_API void tl__pass_lift(tl_graph *g);
TL_API void tl__pass_sink(tl_graph *g);
TL_API void tl__pass_narrow(tl_graph *g);
TL_API void tl__pass_settle(tl_graph *g);
TL_API void tl__pass_period(tl_graph *g);
TL_API void tl__pass_lower(tl_graph *g);
TL_API void tl__pass_address(tl_graph *g);
TL_API void tl__pass_budget(tl_graph *g);
TL_API void tl__pass_pack(tl_graph *g);
TL_API void tl__pass_fuse(tl_graph *g);
TL_API void tl__pass_band(tl_graph *g);
TL_API void tl__pass_arrange(tl_graph *g);

/* tl__placeable -- v itself or a copy of it, computed in this block and free to be placed.
 * tl__place -- gives v, with what it adds into, its place. */
TL_API uint32_t tl__placeable(tl_graph *g, uint32_t v, uint32_t block);
TL_API void tl__place(tl_graph *g, uint32_t v, tl_via via, uint32_t base, int64_t row,
                      int64_t pace);

/* tl__is_carried -- whether v is a carry of the block, or what one becomes. */
static inline int tl__is_carried(const tl_graph *g, uint32_t block, uint32_t v)
{
    const tl_block *b = &g->block[block];
    for (uint32_t i = 0; i < b->ncarries; i++)
        if (b->carry[i].next == v || b->carry[i].source == v)
            return 1;
    return 0;
}

/* tl__become -- a result turns into a view of `base`, after the loop. */
TL_API void tl__become(tl_graph *g, uint32_t r, tl_via via, uint32_t base, int64_t row);

/* tl__lead_of -- asks v's operation for one more axis on the operands in `led`; the new
 * structural attributes are the graph's. 0 when it refuses. */
TL_API int tl__lead_of(tl_graph *g, uint32_t v, uint32_t led, int *ni, const int64_t **i);

/* tl__address_of -- resolves where v lies; may add a copy of what no view can show. */
TL_API const tl_address *tl__address_of(tl_graph *g, uint32_t v);

/* tl__through_views -- the value that v shows in the same row-major order, through views that
 * change no order. */
TL_API uint32_t tl__through_views(const tl_graph *g, uint32_t v);
/* tl__const_behind -- the constant that v shows, through any views; TL_NONE if it shows none. */
TL_API uint32_t tl__const_behind(const tl_graph *g, uint32_t v);

/* tl__home_of -- the value in whose place v lies as a product that adds into it; v itself if it
 * adds into nothing. */
static inline uint32_t tl__home_of(const tl_graph *g, uint32_t v)
{
    while (g->val[v].accumulate && g->val[v].via == TL_VIA_SAME)
        v = g->val[v].base;
    return v;
}

/* tl__is_computed -- whether v is made by an instruction, or its pieces are; else it is somebody
 * else's memory, or a view of it. */
TL_API int tl__is_computed(const tl_val *v);

static inline int tl__is_pointwise(const tl_val *v)
{
    return v->op->kind == TL_POINTWISE && v->nin > 0;
}

#endif
