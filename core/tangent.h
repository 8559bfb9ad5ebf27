/* tangent.h -- the forward sweep: tangents of a frame's values, in the order in which these were
 * recorded. Private.
 *
 *     slot[]       W        x       matmul        tanh
 *     tangent    given      -     dW applied   (1 - y^2) d     first slot to last
 *
 * A level is one frame with all around it, as in sweep.h. At a scan, tangent_scan.c copies the body
 * and runs the next level over the copy. */
#ifndef TL_CORE_TANGENT_H
#define TL_CORE_TANGENT_H

#include "core/scan_record.h"

typedef struct tl_tangents tl_tangents;
struct tl_tangents {
    tl_tape *tape;
    tl_tangents *up; /* level of the frame around; NULL for the outermost */
    uint32_t n;
    uint32_t *slot;  /* [n] ascending */
    tl_tensor *d;    /* [n] tangents; inert: zero */
    uint8_t *marked; /* [n] whether it matters */
};

/* tl__tangents_open -- an empty level with room for `capacity` slots; fill slot[] and n, ascending.
 * Returns TL_OK or the sticky code. Close it in any case. */
int tl__tangents_open(tl_tangents *l, tl_tape *tape, tl_tangents *up, size_t capacity);
void tl__tangents_close(tl_tangents *l);
/* tl__tangents_find -- position of a slot, TL_NONE if it is not at this level. */
uint32_t tl__tangents_find(const tl_tangents *l, uint32_t slot);
/* tl__tangent -- the tangent of a slot of this level or one around it; inert when it is zero. */
tl_tensor tl__tangent(const tl_tangents *l, uint32_t slot);
/* tl__tangents_pass -- whether a node hands tangents on at all: not what was recorded as a
 * constant. */
int tl__tangents_pass(const tl_node *n);
/* tl__tangents_run -- tangents of all marked values, from those that are there. */
void tl__tangents_run(tl_tangents *l);
/* tl__tangent_scan -- those of the results of the loop at this position. */
void tl__tangent_scan(tl_tangents *l, uint32_t position);

#endif
