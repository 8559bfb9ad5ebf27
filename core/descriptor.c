/* descriptor.c -- what an operation's block must have to be recorded. Those of the library have it;
 * these are for operations of one's own, before a missing function is called. */
#include "core/node.h"

const char *tl__op_fault(const tl_op *op, int nin)
{
    if (!op->name || !*op->name)
        return "has no name";
    if (!op->adjoint && !op->no_gradient)
        return "has no adjoint and does not say no_gradient";
    if (op->nin < 0)
        return "wants a negative number of operands";
    if (!op->shape && (nin > 1 || op->nin > 1))
        return "has no shape rule (only an operation of one operand needs none)";
    switch (op->kind) {
    case TL_POINTWISE:
        return op->tile ? NULL : "is pointwise and has no tile";
    case TL_VIEW:
        return op->view ? NULL : "is a view and has no view rule";
    case TL_LEAF:
    case TL_LOOP:
    case TL_RESULT:
        return "is of a kind that only the library records";
    case TL_CONTRACTION:
    case TL_REDUCTION:
    case TL_GATHER:
    case TL_RANDOM:
    case TL_ASSEMBLE:
    case TL_OTHER:
        return op->run ? NULL : "has no kernel: run is missing";
    }
    return "has an unknown kind";
}

int tl__op_recordable(tl_tape *tape, const tl_op *op, int nin)
{
    const char *fault = op ? tl__op_fault(op, op->nin > 0 ? op->nin : nin) : "is NULL";
    if (!fault && (op->nin == 0 || op->nin == nin))
        return 1;
    if (tape && !fault)
        tl_tape_fail(tape, TL_EINVAL, op->name, "got %d operands, want %d", nin, op->nin);
    else if (tape)
        tl_tape_fail(tape, TL_EINVAL, op && op->name ? op->name : "tl_record",
                     "the descriptor of this operation %s", fault);
    return 0;
}

int tl__op_has_tile(tl_tape *tape, const tl_op *op, const tl_infer *q)
{
    if (op->kind != TL_POINTWISE || (unsigned)q->dtype > TL_I32 || op->tile(q->in_dtype, q->dtype))
        return 1;
    tl_tape_fail(tape, TL_EDTYPE, op->name, "there is no kernel from %s to %s",
                 tl_dtype_name(q->in_dtype[0]), tl_dtype_name(q->dtype));
    return 0;
}

int tl__op_has_numbers(tl_tape *tape, const tl_op *op, const tl_attr *a)
{
    if (!a || (a->ni >= 0 && a->nr >= 0 && (a->i || !a->ni) && (a->r || !a->nr)))
        return 1;
    tl_tape_fail(
        tape, TL_EINVAL, op->name,
        "got attributes of ni %d (i %s), nr %d (r %s), want counts of 0 or more and arrays "
        "of that many",
        a->ni, a->i ? "given" : "NULL", a->nr, a->r ? "given" : "NULL");
    return 0;
}
