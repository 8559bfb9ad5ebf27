/* plan.h -- a finished plan: instructions over buffers, with nothing of the tape in it but
 * ordinals. It does not change when it runs (execute.h has what does). Private.
 *
 *     base 0..   [leaf xs] [leaf W] [survivor loss]                bound or made at each run
 *     slab       [ scratch | buffers of block 0, re-used by liveness | bodies' buffers ]
 *
 *     block 0    CONTRACT  leaf, leaf -> slab+4096
 *                LOOP block 1, T = 100
 *     block 1    TILE ...  -> slab+65536 + p * 16384 */
#ifndef TL_CORE_PLAN_PLAN_H
#define TL_CORE_PLAN_PLAN_H

#include "core/contract.h"
#include "core/packs.h"
#include "core/plan/band.h"
#include "core/plan/graph.h"
#include "core/tile.h"

/* tl_operand -- an operand: bytes behind a base, plus a step for each position of the loops
 * around. */
typedef struct tl_operand {
    uint32_t base;
    uint32_t ncoef;
    int64_t offset;
    const int64_t *coef;
} tl_operand;

/* tl_label -- how an operand is called: by the node of this ordinal, or else by its buffer. */
typedef struct tl_label {
    uint32_t node, buffer; /* TL_NONE: has none */
} tl_label;

/* tl_place -- how an operand's elements lie behind its address, and the node it is; for watch.h. */
typedef struct tl_place {
    uint32_t node; /* ordinal, TL_NONE: a pass made it */
    tl_dtype dtype;
    tl_shape shape;
    int64_t stride[TL_MAX_RANK]; /* in elements */
} tl_place;

/* tl_note -- what people are told of an instruction; running does not look at it. (note.h) */
typedef struct tl_note {
    const tl_op **op; /* what it computes, in order */
    uint32_t nops;
    uint32_t node; /* ordinal whose scope it is in, TL_NONE */
    tl_dtype dtype;
    tl_shape shape; /* of its last result */
    int64_t summed; /* products: terms of each element */
    tl_origin origin;
    tl_label *label; /* of its operands */
    tl_place *place; /* of its operands, of plans that are watched (watch.h); else NULL */
    double flops, bytes;
} tl_note;

typedef enum tl_instr_kind {
    TL_INSTR_TILE,
    TL_INSTR_CONTRACT,
    TL_INSTR_CALL,
    TL_INSTR_IOTA,
    TL_INSTR_LOOP,
    TL_INSTR_BAND
} tl_instr_kind;

typedef struct tl_instr {
    tl_instr_kind kind;
    uint32_t node;      /* ordinal of the node it runs, TL_NONE */
    uint32_t noperands; /* inputs, then outputs */
    uint32_t block;     /* of a loop */
    tl_operand *operand;
    const tl_tile *tile;
    const tl_band *band;
    const tl_op *op;
    tl_attr attr; /* structural part; attr.r is the node's when run */
    /* of calls: inputs, then the output; data is filled in when run */
    tl_strided *array;
    const tl_contraction *product;
    uint32_t pack; /* base that it packs into, unless the binding has it ready; 0 */
    int accumulate;
    const tl_note *note;
    uint8_t shared;    /* each worker runs a part; else worker 0 runs it */
    uint8_t wait;      /* all workers meet before it */
    int64_t extent;    /* of the axis along which a tile is cut; the parts of a call */
    uint32_t clip;     /* bit k: the first axis of array k is the steps of a period or segment */
    uint32_t segments; /* it runs for each segment of these, plus one; 0: not so */
    uint8_t phase;     /* then before the loop (TL_PRE) or the adjoint (TL_POST) */
} tl_instr;

typedef struct tl_plan_block {
    uint32_t depth;
    int64_t T, period;  /* steps; of a period, 0: there are none */
    int reverse, alone; /* worker 0 runs it */
    uint32_t segments;  /* that it runs in, TL_NONE */
    uint8_t whole;      /* an adjoint that reads all steps, whatever the budget is */
    uint64_t draws;
    uint32_t ninstrs;
    uint32_t first; /* number of its first instruction among those of all blocks */
    /* what runs before a period, instr[0 .. steps), in every step, [steps .. trail), and after a
     * period, [trail .. ninstrs) */
    tl_instr *instr;
    uint32_t steps, trail;
    int has_time;
    tl_operand time;
} tl_plan_block;

/* tl_plan_segments -- a loop and its adjoint that run a segment of steps at a time (budget.c). The
 * states that are kept lie in the slab, the one after the last step behind the others. */
typedef struct tl_plan_segments {
    uint32_t ahead, back; /* blocks */
    int64_t size, count;  /* steps of one, how many */
    int64_t slots;
    tl_operand *state; /* what is kept */
    size_t *bytes;
    uint32_t nstate;
    size_t state_bytes;
    int64_t kept; /* where in the slab */
} tl_plan_segments;

typedef enum tl_base_kind {
    TL_BASE_SLAB,
    TL_BASE_WORKER, /* each thread's own scratch */
    TL_BASE_LEAF,
    TL_BASE_FRESH,
    TL_BASE_SCALAR,
    TL_BASE_PACK /* of a leaf's matrix: found with it, or made like a fresh one */
} tl_base_kind;

enum { TL_BASE_OF_SLAB = 0, TL_BASE_OF_WORKER = 1 }; /* the first two of any plan */

/* tl_base -- what offsets are counted from. */
typedef struct tl_base {
    tl_base_kind kind;
    uint32_t node;  /* leaf, scalar, pack: ordinal; TL_NONE: the scalar 0 */
    tl_dtype dtype; /* leaf, scalar */
    size_t bytes;   /* fresh, pack */
    tl_pack_spec spec;
} tl_base;

/* tl_survivor -- a value that the tape gets back. */
typedef struct tl_survivor {
    uint32_t node; /* ordinal */
    uint32_t base;
    tl_layout layout; /* in elements of its dtype, from the base */
} tl_survivor;

/* tl_buffer -- where values lie, for people. */
typedef struct tl_buffer {
    const tl_op *op; /* that makes it */
    uint32_t node;   /* ordinal it is called by, TL_NONE */
    uint32_t block;
    tl_dtype dtype;
    tl_shape shape;
    uint32_t base;
    int64_t offset;
    size_t bytes;
} tl_buffer;

/* tl_known -- a member of the stretch as it was called when the plan was made. A plan that is found
 * again keeps these names. */
typedef struct tl_known {
    const char *name; /* NULL: has none */
    const char *scope;
    uint32_t slot;
} tl_known;

typedef struct tl_plan {
    tl_arena arena;
    tl_base *base;
    uint32_t nbases;
    tl_plan_block *block;
    uint32_t nblocks;
    tl_plan_segments *segments;
    uint32_t nsegments;
    tl_survivor *survivor;
    uint32_t nsurvivors;
    size_t slab_bytes;
    size_t scratch_bytes; /* that each thread which runs it takes beside the slab */
    size_t local_bytes;   /* of it for values that each thread has to itself */
    size_t turn_bytes;    /* of it for the schedule of segments */
    int workers;          /* threads that it is worth running with */
    uint32_t most;        /* operands of an instruction */
    uint64_t ninstrs;
    tl_buffer *buffer;
    uint32_t nbuffers;
    tl_known *known; /* by ordinal */
} tl_plan;

/* tl__plan_make -- plans a stretch; NULL and the tape's error set on failure. */
TL_API tl_plan *tl__plan_make(tl_tape *tape, const tl_stretch *s);
TL_API void tl__plan_free(tl_plan *p);

/* tl__plan_layout -- offsets in the slab for the buffers of block 0 and all bodies: fills
 * offset[] by value; returns the slab's size. (layout_pass.c) */
TL_API size_t tl__plan_layout(tl_graph *g, size_t start, int64_t *offset);
/* tl__fresh_roots -- marks, by value, the roots that lie outside the slab: those that survive, and
 * packs of leaves. tl__is_leaf_pack -- whether v is one of these. */
TL_API uint8_t *tl__fresh_roots(tl_graph *g);
TL_API int tl__is_leaf_pack(const tl_graph *g, uint32_t v);
/* tl__root_bytes -- size of a root's buffer. */
TL_API size_t tl__root_bytes(const tl_graph *g, uint32_t root);

/* tl__emit -- turns the scheduled graph into instructions of p; failures are in g->code. */
TL_API void tl__emit(tl_plan *p, tl_graph *g);

/* tl__plan_text -- the plan as text: buffers, then one line an instruction; freed with tl__free.
 * NULL when memory is short. */
TL_API char *tl__plan_text(const tl_plan *p);

#endif
