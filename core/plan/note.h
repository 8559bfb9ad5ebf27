/* note.h -- what people are told of a plan: operations, names, where values lie. Written while the
 * instructions are, read by dump.c and core/profile.c; nothing that runs looks at it. Private. */
#ifndef TL_CORE_PLAN_NOTE_H
#define TL_CORE_PLAN_NOTE_H

#include "core/plan/plan.h"
#include "core/plan/steps.h"

/* tl_notes -- notes being taken. */
typedef struct tl_notes {
    tl_plan *p;
    tl_graph *g;
    uint32_t *called; /* by value: ordinal with the name, TL_NONE */
    uint32_t *buffer; /* by root: its number, TL_NONE */
    tl_list root;     /* by buffer */
    tl_list operand;  /* values of the instruction at hand */
} tl_notes;

/* tl__note_members -- copies what the members of the stretch are called into the plan, so that it
 * can be told when the tape is long reset. Failures are in g->code, here as below. */
TL_API void tl__note_members(tl_plan *p, tl_graph *g, const tl_tape *tape, const tl_stretch *s);

TL_API void tl__notes_open(tl_notes *n, tl_plan *p, tl_graph *g);
/* tl__note_operand -- value v is the next operand of the instruction being made. */
TL_API void tl__note_operand(tl_notes *n, uint32_t v);
/* tl__note_make -- the note of an instruction whose operands have been told. */
TL_API void tl__note_make(tl_notes *n, tl_instr *i, const tl_step *s);
/* tl__notes_close -- the table of buffers; base and offset by value, as in emit.c. */
TL_API void tl__notes_close(tl_notes *n, const uint32_t *base, const int64_t *offset);

/* tl__note_operations -- "2 add, sigmoid" to text; returns text. */
TL_API char *tl__note_operations(const tl_note *note, char *text, size_t size);
/* tl__note_scope -- the scope's path, "" where there is none. */
TL_API const char *tl__note_scope(const tl_plan *p, const tl_note *note);
/* tl__note_name -- an operand's name or its buffer's, NULL if nobody has named it. */
TL_API const char *tl__note_name(const tl_plan *p, tl_label l);
/* tl__note_maker -- the operation that makes a buffer, "carry" for a carry's room. */
TL_API const char *tl__note_maker(const tl_buffer *b);

#endif
