/* tape_text.h -- tapes as text: the two forms of tl_tape_text (print.h). Private. */
#ifndef TL_CORE_TAPE_TEXT_H
#define TL_CORE_TAPE_TEXT_H

#include "core/formula.h"
#include "core/print.h"

/* tl_listing -- text that is being written, line by line, up to the limit. */
typedef struct tl_listing {
    tl_text out;
    tl_tape *tape;
    tl_print_opts opts; /* `to` within the tape */
    uint32_t lines;
    uint32_t omitted; /* nodes behind the limit */
} tl_listing;

/* tl__listing_room -- whether one more line may be written; counts it. */
TL_API int tl__listing_room(tl_listing *p);
/* tl__step_value -- a value of a body at step t as a node of its own: what its stacked result has
 * there, if that is live; 0 if not. */
TL_API int tl__step_value(const tl_tape *tape, uint32_t slot, int64_t t, tl_node *value);
/* tl__put_columns -- forward nodes left, last to first; what a sweep recorded of them right. */
TL_API void tl__put_columns(tl_listing *p);

#endif
