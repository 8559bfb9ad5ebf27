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

/* tl__emit_alloc -- zeroed memory that lives as long as the plan; NULL, and the failure noted, when
 * it is short. */
TL_API void *tl__emit_alloc(tl_emitter *e, size_t count, size_t size);

/* tl__emit_set -- operand k of an instruction is where v lies. tl__emit_scalar -- a constant that
 * is read as a number. */
TL_API void tl__emit_set(tl_emitter *e, tl_instr *to, uint32_t k, uint32_t v);
TL_API tl_operand tl__emit_scalar(tl_emitter *e, uint32_t v);

/* tl__emit_tile -- the instruction of a TILE step. */
TL_API void tl__emit_tile(tl_emitter *e, tl_instr *to, const tl_step *s);

#endif
