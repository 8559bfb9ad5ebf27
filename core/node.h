/* node.h -- what the tape is made of. Private: tape, frame, grad, scan, plan and print look inside;
 * operations do not.
 *
 * A node has one result; its index is its slot. Operands always have smaller slots, so slot order
 * is topological. A scan is a TL_LOOP node without a value; each of its results (last, stacked,
 * summed) is a TL_RESULT node on it.
 *
 *   slot   0      1      2        3       4      5       6        7
 *   node   input  use W  carry    matmul  tanh   loop    last     stacked
 *   frame  0      0      1        1       1      0       0        0
 *                        '-- body of the loop --'  */
#ifndef TL_CORE_NODE_H
#define TL_CORE_NODE_H

#include "core/marks.h"
#include "core/memory.h"
#include "core/op.h"
#include "core/param.h"
#include "core/scan.h"

#define TL_NONE UINT32_MAX

typedef enum tl_life { TL_PENDING, TL_LIVE, TL_DROPPED } tl_life;

typedef struct tl_node {
    const tl_op *op;
    uint32_t *in; /* slots, in the tape's arena */
    uint32_t nin;
    tl_attr attr; /* arrays in the tape's arena */
    tl_shape shape;
    tl_dtype dtype;
    uint32_t frame;      /* that it belongs to */
    uint32_t scope;      /* index into tape->scopes */
    uint32_t of;         /* slot of the node whose gradient it is part of; TL_NONE: not a sweep's */
    uint32_t goal;       /* slot of the value that it is the gradient of, or adds to that; TL_NONE */
    const char *name;    /* interned, or NULL */
    uint8_t life;        /* tl_life */
    uint8_t want;        /* tl_want, or was read */
    uint8_t no_grad;     /* recorded inside tl_no_grad */
    uint8_t kept;        /* a result that a run keeps for a gradient to come, not asked for yet */
    uint64_t draw, seed; /* TL_RANDOM: number at the first iteration of all loops around it */
    tl_buf *buf;         /* when live (leaves: always) */
    tl_layout layout;    /* in buf */
    void *store;         /* of a `use` or `state` leaf: the tl_store it came from */
    tl_arena_mark arena; /* the tape's arena before this node */
    uint64_t version;    /* of that store when recorded */
} tl_node;

/* tl_carry -- one value handed from step to step. */
typedef struct tl_carry {
    uint32_t source; /* the carry leaf in the body */
    uint32_t init;   /* slot outside */
    uint32_t next; /* slot that is the carry after the step (body or capture), TL_NONE until set */
} tl_carry;

/* tl_frame -- a scan's body, open or closed. Frame 0 is the tape itself. */
typedef struct tl_frame {
    uint32_t parent;
    uint32_t depth; /* 0 for frame 0; number of loops around */
    uint32_t loop;  /* slot of the TL_LOOP node in parent; TL_NONE while open */
    uint8_t open;
    uint8_t reverse;
    uint8_t recompute; /* tl_scan_opts.recompute */
    uint8_t replays;   /* an adjoint's: draws are those of the scan it is the adjoint of */
    int64_t T;
    int64_t budget;  /* tl_scan_opts.budget; an adjoint's is that of its scan */
    uint32_t *nodes; /* slots of the body's nodes in topological order; may grow after close
                        (results of inner scans, masks). Frame 0 keeps no list: its nodes are those
                        with frame == 0, in slot order */
    uint32_t nnodes, nodes_capacity;
    tl_carry *carries;
    uint32_t ncarries, carries_capacity;
    uint32_t *results; /* slots of the TL_RESULT nodes asked for so far, in parent's list */
    uint32_t nresults, results_capacity;
    uint64_t draw0;      /* tape's counter when opened */
    uint64_t draws;      /* per iteration: K; known at close. If replays: -K, see replay.c */
    uint64_t moved;      /* what the numbers of draws start from here beyond what they started from
                            where they were recorded first; see replay.c */
    uint32_t time;       /* slot of the time leaf, TL_NONE if not asked for */
    uint32_t mask;       /* slot of the [B] mask in the body, TL_NONE without lengths */
    uint32_t first_slot; /* tape's node count when opened */
    uint32_t generation;
    uint32_t scope;       /* of the body */
    uint32_t outer_scope; /* restored at close */
} tl_frame;

typedef enum tl_effect_kind { TL_ASSIGN, TL_KEEP, TL_ASSIGN_ROWS } tl_effect_kind;

typedef struct tl_rows tl_rows; /* rows.h */

/* tl_store -- one stored value, of a parameter or a state. */
typedef struct tl_store {
    tl_dtype dtype;
    tl_shape shape;
    tl_buf *value;
    uint64_t version;        /* counts up with each new value */
    _Atomic(tl_rows *) rows; /* not in `value` yet; NULL: nothing. Read by tl__store_data */
} tl_store;

struct tl_param {
    tl_store store; /* first: a tl_param is a tl_store */
    tl_buf *grad;   /* stored gradient, or NULL */
    char *name;
    uint64_t serial; /* of this process's parameters: an address may be used again */
    int frozen;
    tl_params *set;
};

struct tl_state {
    tl_store store;
};

typedef struct tl_effect {
    tl_effect_kind kind;
    tl_store *store;
    uint32_t slot;
    uint32_t idx; /* of TL_ASSIGN_ROWS: which rows */
} tl_effect;

/* tl_usage -- a parameter as this tape knows it. */
typedef struct tl_usage {
    tl_param *param;
    uint64_t serial; /* of that parameter */
    uint32_t leaf;   /* of its stored value; TL_NONE */
    uint32_t bound;  /* what tl_use gives instead (tl_bind); TL_NONE */
    uint32_t grad;   /* slot of the gradient so far (queued plus stored); TL_NONE */
    uint8_t clear;   /* the stored gradient is to be dropped at commit */
    uint8_t queued;  /* grad is to be stored at commit unless a step consumes it first */
} tl_usage;

/* tl_tenant -- who had a slot before, for messages about handles kept too long. */
typedef struct tl_tenant {
    const char *name; /* or its operation's */
    uint64_t step;
    uint32_t scope;
    uint8_t was_cut; /* tl_cut ended it */
} tl_tenant;

typedef struct tl_plan_cache tl_plan_cache; /* plan/cache.h */

struct tl_tape {
    tl_tape_opts opts;
    tl_node *nodes;
    uint32_t *generations; /* of each slot ever used */
    tl_tenant *last;       /* each slot's previous one */
    tl_marks *marks;       /* since tl_cut; NULL: the tape was not cut */
    uint32_t nnodes, nodes_capacity, slots_capacity;
    tl_frame *frames;
    uint32_t nframes, frames_capacity;
    uint32_t frame;        /* the innermost open one */
    tl_arena arena;        /* of operands and attributes; released with nodes */
    tl_arena strings;      /* interned names and scopes; live as long as the tape */
    const char **interned; /* hash set of the strings */
    uint32_t ninterned, interned_capacity;
    char **scopes; /* "lstm/step" by index; 0 is "" */
    uint32_t nscopes, scopes_capacity;
    uint32_t *outer_scopes; /* by index: the one that it was opened in */
    uint32_t outer_scopes_capacity;
    uint32_t scope;
    tl_effect *effects;
    uint32_t neffects, effects_capacity;
    tl_usage *usages; /* sorted by first use */
    uint32_t nusages, usages_capacity;
    uint32_t no_grad; /* nesting depth */
    uint32_t of;      /* of what is recorded now: where the sweep is, TL_NONE outside of one */
    int train;
    uint64_t seed, draw;
    uint64_t steps; /* resets so far: "recorded at step 35" */
    uint32_t epoch; /* counts frames ever opened: tl_frame.generation = ++epoch */
    int warned;
    int code; /* sticky */
    char message[500];
    int anomaly; /* every result is looked at (anomaly.h) */
    int running; /* a plan is being run: recording is refused */
    int keeping; /* results of scans are asked for by a run (tl_node.kept) */
    tl_plan_cache *plans;
};

/* tl__node -- t's node, or NULL (with the sticky error recorded and named after `what`) when t is
 * dead; NULL silently when inert or the tape has an error. */
TL_API tl_node *tl__node(tl_tensor t, const char *what);
/* tl__at -- the tensor of a slot. */
TL_API tl_tensor tl__at(tl_tape *tape, uint32_t slot);
/* tl__peek -- the node behind a tensor, without any check of frames; NULL when inert or dead. */
TL_API const tl_node *tl__peek(tl_tensor t);
/* tl__operands_ok -- tl__same_tape, and every operand visible in the innermost frame; records the
 * error if not. */
TL_API int tl__operands_ok(const tl_op *op, int n, const tl_tensor *in);
/* tl__op_recordable -- whether a descriptor (NULL: no) has all that its kind must have, and the
 * operands are as many as it says. tl__op_has_numbers -- whether the attributes that an attr counts
 * are there. tl__op_has_tile -- whether a pointwise operation has a kernel for what its shape rule
 * answered. The sticky error if not. */
int tl__op_recordable(tl_tape *tape, const tl_op *op, int nin);
int tl__op_has_numbers(tl_tape *tape, const tl_op *op, const tl_attr *a);
int tl__op_has_tile(tl_tape *tape, const tl_op *op, const tl_infer *q);
/* tl__find_slot -- where a slot stands among n ascending ones, TL_NONE if it does not. */
TL_API uint32_t tl__find_slot(const uint32_t *list, uint32_t n, uint32_t slot);
/* tl__visible -- whether a value of frame f may be an operand in frame `in` (f is `in` or around
 * it). */
TL_API int tl__visible(const tl_tape *tape, uint32_t f, uint32_t in);
/* tl__moved -- tl_frame.moved of a frame and of all around it. */
TL_API uint64_t tl__moved(const tl_tape *tape, uint32_t frame);
/* tl__frame_enter -- makes `frame` (open or closed) the one that recording goes to; returns the
 * former, to be given to a second call that restores it. */
TL_API uint32_t tl__frame_enter(tl_tape *tape, uint32_t frame);
/* tl__record_leaf -- a leaf or result node with explicit shape; in may be NULL. The caller fills
 * store, buf, version through tl__node. */
TL_API tl_tensor tl__record_node(tl_tape *tape, const tl_op *op, uint32_t nin, const tl_tensor *in,
                                 tl_dtype dtype, tl_shape shape, const tl_attr *attr);
/* tl__frame_push -- a new frame inside the innermost one, all fields initialised (empty lists,
 * slots TL_NONE, open, draw0); recording goes to it. Returns its index, or TL_NONE (sticky error).
 * T, reverse, scope are the caller's to set. */
TL_API uint32_t tl__frame_push(tl_tape *tape);
/* tl__intern -- a copy of text that lives as long as the tape; NULL when memory is short (sticky).
 */
TL_API const char *tl__intern(tl_tape *tape, const char *text);
/* tl__usage -- p's entry, made if absent; NULL when memory is short. */
TL_API tl_usage *tl__usage(tl_tape *tape, tl_param *p);
/* tl__to_dense -- the elements of an array, row-major, to out. tl__copy_dense -- those of a live
 * node. */
TL_API void tl__to_dense(const tl_shape *shape, const tl_layout *layout, tl_dtype dtype,
                         const void *from, void *out);
TL_API void tl__copy_dense(const tl_node *n, void *out);
/* tl__check_store -- TL_OK if n has the store's dtype and shape; else the sticky error, `target`
 * being the store's name. */
TL_API int tl__check_store(tl_tape *tape, const tl_node *n, const tl_store *store, const char *what,
                           const char *target);
/* tl__stored_grad -- a leaf with p's stored gradient; inert if there is none. */
TL_API tl_tensor tl__stored_grad(tl_tape *tape, tl_param *p);
/* tl__release_allowed -- TL_OK, or why slots >= mark must stay; `what` is who asks. The refusal
 * itself is not sticky: the tape is as it was. */
TL_API int tl__release_allowed(const tl_tape *tape, uint32_t mark, const char *what);
/* tl__describe -- "h (recorded in lstm/step)" into text. */
TL_API const char *tl__describe(tl_tape *tape, uint32_t slot, char *text, size_t size);

#endif
