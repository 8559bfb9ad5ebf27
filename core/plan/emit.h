/* emit.h -- what the parts of emitting share. Private. */
#ifndef TL_CORE_PLAN_EMIT_H
#define TL_CORE_PLAN_EMIT_H

#include "core/plan/note.h"
#include "core/plan/plan.h"
#include "core/plan/steps.h"

/* tl_emitter -- a plan in the making. */
typedef struct tl_emitter {
    tl_plan *p;
    tl_graph *g;
    int64_t *offset;  /* by value: of roots in the slab */
    uint32_t *base;   /* by value: of roots elsewhere, TL_NONE */
    uint32_t *scalar; /* by value: base of a constant that is read as a number, TL_NONE */
    uint8_t *fresh;
    uint8_t *read_outside; /* by value: read by something that is not in its group */
    tl_notes notes;
} tl_emitter;

/* tl_group -- the step of a tile as the tile's compiler wants it. */
enum { TL_GROUP_ARRAYS = 256 }; /* inputs or outputs of a group: 48 values of 4 operands at most */

typedef struct tl_group {
    uint32_t nin, nout, nsteps;
    uint32_t in[TL_GROUP_ARRAYS]; /* the value read; a constant for scalars */
    uint8_t scalar[TL_GROUP_ARRAYS];
    uint32_t out[TL_GROUP_ARRAYS]; /* the value stored */
    tl_tile_array array[TL_GROUP_ARRAYS], result[TL_GROUP_ARRAYS];
    int64_t stride[2 * TL_GROUP_ARRAYS][TL_MAX_RANK];
    tl_tile_step step[64];
    int number
        /* by member: its value number; inputs are numbered last, so kept negative (-1 - index)
         * until then */
        [64];
} tl_group;

/* tl__emit_alloc -- zeroed memory that lives as long as the plan; NULL, and the failure noted, when
 * it is short. */
TL_API void *tl__emit_alloc(tl_emitter *e, size_t count, size_t size);

/* tl__emit_set -- operand k of an instruction is where v lies. tl__emit_scalar -- a constant that
 * is read as a number. */
TL_API void tl__emit_set(tl_emitter *e, tl_instr *to, uint32_t k, uint32_t v);
TL_API tl_operand tl__emit_scalar(tl_emitter *e, uint32_t v);

/* tl__emit_tile -- the instruction of a TILE step. */
TL_API void tl__emit_tile(tl_emitter *e, tl_instr *to, const tl_step *s);
/* tl__emit_group -- inputs, steps and outputs of a TILE step, in the graph's arena; NULL after a
 * failure. tl__emit_group_operands -- sets them as operands from `first` on. */
TL_API tl_group *tl__emit_group(tl_emitter *e, const tl_step *s);
TL_API void tl__emit_group_operands(tl_emitter *e, tl_instr *to, uint32_t first, const tl_group *t);

/* tl__emit_band -- the instruction of a BAND step. (emit_band.c) */
TL_API void tl__emit_band(tl_emitter *e, tl_instr *to, const tl_step *s);

#endif
