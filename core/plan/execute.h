/* execute.h -- what a plan needs to run: where its bases are, and memory to work in. Private.
 *
 *     plan      instructions, offsets           one for all runs, never written
 *     binding   addresses of the bases          one for each run at a time
 *     exec      plan + binding + slab           the run itself */
#ifndef TL_CORE_PLAN_EXECUTE_H
#define TL_CORE_PLAN_EXECUTE_H

#include "core/plan/plan.h"
#include "core/plan/tally.h"
#include "core/team.h"

/* tl_binding -- of each base of a plan: where it is in this run. */
typedef struct tl_binding {
    char **address;
    tl_buf **fresh;   /* of those that are made for the run, and of packs */
    uint64_t *scalar; /* values of the scalars */
    uint8_t *ready;   /* packs that need not be made */
} tl_binding;

/* tl__binding_open -- room for the bases of p; TL_OK or TL_ENOMEM. tl__binding_close frees it, and
 * lets go of fresh buffers. */
TL_API int tl__binding_open(tl_binding *b, const tl_plan *p);
TL_API void tl__binding_close(tl_binding *b, const tl_plan *p);

/* tl__binding_scalar -- sets the value of a scalar base. */
TL_API void tl__binding_scalar(tl_binding *b, const tl_plan *p, uint32_t base, double value);

/* tl__binding_packs -- finds the packs of leaves with the leaves, or memory to make them in; the
 * leaves are nodes[member[ordinal].slot]. TL_OK or TL_ENOMEM. tl__binding_keep_packs -- after a
 * run: those that were made stay with the leaves. */
TL_API int tl__binding_packs(tl_binding *b, const tl_plan *p, const tl_node *nodes,
                             const tl_member *member);
TL_API void tl__binding_keep_packs(tl_binding *b, const tl_plan *p, const tl_node *nodes,
                                   const tl_member *member);

/* tl_fault -- where and why a run failed. */
typedef struct tl_fault {
    int code;
    const tl_op *op;
    uint32_t node; /* ordinal, TL_NONE */
    uint32_t depth;
    int is_segment;             /* it was computed for some steps, from position[0] on */
    int64_t position[TL_DEPTH]; /* of the loops around */
    char message[460];
} tl_fault;

typedef struct tl_exec {
    const tl_plan *plan;
    /* the node of ordinal k is nodes[member[k].slot]: attributes and draws that are bound when
     * run */
    const tl_node *nodes;
    const tl_member *member;
    const tl_binding *binding;
    int workers;     /* threads there is scratch for */
    char *slab;      /* plan->slab_bytes */
    char *scratch;   /* plan->scratch_bytes for each of the workers */
    uint64_t draws;  /* added to every draw's number */
    tl_tally *tally; /* of each instruction, NULL: nobody counts */
    /* of a tape in anomaly mode: every result is looked at (watch.h); NULL: none is */
    tl_tape *watched;
    tl_fault fault; /* filled when it fails */
} tl_exec;

/* tl__operand_bytes -- of a worker's scratch that hold the operands of one instruction. */
static inline size_t tl__operand_bytes(uint32_t most)
{
    return ((sizeof(tl_strided) + sizeof(char *)) * most + 63) / 64 * 64;
}

/* tl__plan_workers -- how many threads a run of the plan that starts now takes. */
TL_API int tl__plan_workers(const tl_plan *p);

/* tl__execute -- runs a plan whose bases are bound, with x->workers threads at most. Returns TL_OK,
 * or the code in x->fault. */
TL_API int tl__execute(tl_exec *x);

/* tl__fault_text -- the message with the time steps behind it, to text. */
TL_API void tl__fault_text(const tl_fault *f, char *text, size_t size);

#endif
