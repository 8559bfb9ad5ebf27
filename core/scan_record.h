/* scan_record.h -- what the reverse sweep, the planner and printing need of scans beyond scan.h.
 * Private. */
#ifndef TL_CORE_SCAN_RECORD_H
#define TL_CORE_SCAN_RECORD_H

#include "core/node.h"

/* tl_spot -- where recording goes: a frame and the scope named in it. */
typedef struct tl_spot {
    uint32_t frame, scope;
} tl_spot;

/* tl__spot_enter -- recording goes to the body of this frame, open or closed (frame 0: the scope
 * stays); returns the former place. */
TL_API tl_spot tl__spot_enter(tl_tape *tape, uint32_t frame);
TL_API void tl__spot_leave(tl_tape *tape, tl_spot former);

/* tl__scan_of -- the handle of a body. */
TL_API tl_scan tl__scan_of(tl_tape *tape, uint32_t frame);

/* tl__scan_frame -- the frame of a scan that is still there, open or closed; NULL with the error
 * recorded, silently when the tape has one already. */
tl_frame *tl__scan_frame(tl_scan s, const char *what);
/* tl__scan_operand -- t's node if it is on the scan's tape and may be read in `frame`; NULL with
 * the error recorded, silently when t is inert. */
const tl_node *tl__scan_operand(tl_scan s, tl_tensor t, uint32_t frame, const char *what);
/* tl__scan_carry_of -- index of the carry whose leaf t is; -1 with the error recorded. */
int64_t tl__scan_carry_of(tl_scan s, tl_tensor t, const char *what);
/* tl__scan_has_rows -- with lengths [B] (mask not TL_NONE), whether a value has B as its leading
 * axis; 0 with the error recorded. */
int tl__scan_has_rows(tl_tape *tape, uint32_t mask, const tl_shape *shape, const char *what);
/* tl__scan_masked -- v where the row takes part in this step, else `other` (inert: 0); in the
 * body. */
tl_tensor tl__scan_masked(tl_scan s, tl_tensor v, tl_tensor other);

/* tl__scan_stacked_raw -- a value of a closed body at every step, [T,...], without the zeros that
 * lengths put in; recorded in the loop's parent frame if it is not there already, never as a
 * constant for gradients. */
TL_API tl_tensor tl__scan_stacked_raw(tl_tape *tape, uint32_t frame, uint32_t slot);

/* tl__scan_result -- the node of one result (tl_op_last, _stacked, _summed) of a closed body, found
 * or recorded; key is the carry's index or the slot of the body's value. */
tl_tensor tl__scan_result(tl_scan s, const tl_op *op, uint32_t key, tl_dtype dtype, tl_shape shape);

/* tl__stay -- a, a view that the planner does not take out of the loop it is in, nor anything that
 * is computed from it. */
TL_API tl_tensor tl__stay(tl_tensor a);

/* tl__scan_want_residuals -- for a closed body in frame 0: records what its adjoint would ask for
 * and marks it: afterwards the nodes of frames[frame].results with `want` set are to stay. Bodies
 * inside it are asked along. Records only what is missing; to be called before the run starts.
 * Returns TL_OK or the sticky error. */
TL_API int tl__scan_want_residuals(tl_tape *tape, uint32_t frame);

#endif
