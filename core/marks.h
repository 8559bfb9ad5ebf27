/* marks.h -- the marks of a tape that was cut. tl_cut moves the nodes, so a number from before it is
 * no mark any more; of those after it a list says which they are. Private. */
#ifndef TL_CORE_MARKS_H
#define TL_CORE_MARKS_H

#include <stdint.h>

typedef struct tl_marks tl_marks;

/* tl__marks_new -- an empty list; NULL when memory is short. */
tl_marks *tl__marks_new(void);
/* Without a list (NULL: the tape was not cut) every number is a mark, and nothing is done. */
void tl__marks_free(tl_marks *m);
/* tl__marks_add -- one more, not below those before it. */
void tl__marks_add(tl_marks *m, uint32_t mark);
/* tl__marks_have -- whether it was added and not dropped since; 0, the empty tape, always is one. */
int tl__marks_have(const tl_marks *m, uint32_t mark);
/* tl__marks_drop -- forgets those above. */
void tl__marks_drop(tl_marks *m, uint32_t mark);

#endif
