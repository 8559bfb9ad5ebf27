/* check_op.h -- is an operation of one's own right? All that its descriptor says, on each of its
 * cases: what every operation of the library is held to. */
#ifndef TL_OPS_CHECK_OP_H
#define TL_OPS_CHECK_OP_H

#include "ops/check_grad.h"

TL_BEGIN_DECLS

/* tl_check_op -- whether a descriptor is complete, its rule fits its kernel, and the rest of what it
 * says is so. The cases must record it, on f64. In this order, until something is wrong:
 *
 *   descriptor  nothing is missing in it
 *   tile        TL_POINTWISE: an element has the same bits alone as among others, and where the
 *               result takes the place of an operand
 *   lead        if it has one: wherever it says yes, its attributes with one more leading axis on
 *               those operands compute what a loop over the axis does
 *   strides     the other kinds: with operands (and a result) that are transposed, sliced, flipped or
 *               broadcast, one at a time, the kernel computes what it does with contiguous copies,
 *               and writes nowhere else
 *   apart       if it has one: wherever it says yes, each row alone is computed as among all
 *   parts       if it has some: one after the other they give the bits of the whole
 *   f32, i32    for each element type that the shape rule and the kernel take in place of f64
 *               (TL_EDTYPE says no): the kernel equals that of f64 on the same numbers; tile, strides,
 *               apart and parts once more
 *   reads       the rule needs no operand, and not the result, that `reads` does not name: it would
 *               get it inert, and leave a gradient out
 *   gradient    tl_check_grad on the case, and in f32 against that
 *
 * Operations with no_gradient and cases are held to all but reads and gradient; those whose kernel
 * draws (TL_RANDOM), to the descriptor and the gradient alone.
 *
 *   opts    NULL: all defaults. `single` says how far f32 may be from f64
 *   report  one line, in any case: "cube: right on 1 case, in f64 and f32", or name and case, what
 *           was checked, which operand and element, what came and what should have: "cube, case 0:
 *           f32, element [0,1]: got 1.5, want 3.375 as of the f64 kernel; wrong in 12 of 12"
 *   return  TL_OK; TL_ENOGRAD if `reads` or the gradient is wrong; TL_EINVAL if something is missing
 *           in the descriptor, or is not so; else what the tape's error was
 *
 * A kernel runs on arrays with room around them; one that reads or writes far outside of its
 * operands may still bring the program down. */
TL_API int tl_check_op(const tl_op *op, const tl_check_opts *opts, char *report, size_t size);

TL_END_DECLS
#endif
