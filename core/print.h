/* print.h -- tensors, tapes and plans as text. */
#ifndef TL_CORE_PRINT_H
#define TL_CORE_PRINT_H

#include "core/tape.h"

#include <stdio.h>

TL_BEGIN_DECLS

/* tl_tensor_text -- the value in nested brackets, long axes shortened to their first and last
 * three, computed if need be: "f32 [2,3] [[1, 2, 3], [4, 5, 6]]". The caller frees it with
 * tl_string_free; NULL after an error. */
TL_API char *tl_tensor_text(tl_tensor t);
TL_API int tl_tensor_print(tl_tensor t, FILE *file);

typedef struct tl_print_opts {
    uint32_t from; /* first node, a number of tl_tape_mark; default 0 */
    uint32_t to;   /* one behind the last, default: all */
} tl_print_opts;

TL_API tl_print_opts tl_print_defaults(void);

/* tl_tape_text -- one line a node: number, name, formula, dtype and shape; bodies of scans
 * indented; scopes as headings, "#" alone where they end.
 *
 *     %0  x        = input                          f32 [2,3]
 *     %9  scan over t = 0 .. 9 {
 *         %2  h    = carry, first %1, then %8       f32 [2,3]
 *         ...
 *     }
 *
 * Nothing is computed. Freed with tl_string_free; NULL when memory is short. */
TL_API char *tl_tape_text(const tl_tape *tape, const tl_print_opts *opts);
TL_API int tl_tape_print(const tl_tape *tape, const tl_print_opts *opts, FILE *file);

/* tl_plan_text -- the plan that this tape ran last: buffers with their place in memory and the
 * instructions between which they live, a map of the slab, then one line an instruction.
 *
 *     buffers                                              bytes  where           live
 *       b1    lstm.weight_hh_l0 use   f32 [512,128]     256.0 KB  leaf            #3..#5
 *     instructions
 *     loop, 64 steps  | #3
 *       contract  contract  f32 [32,512] accumulating  | #4 h[t] x lstm.weight_hh_l0 -> b7 | lstm/step
 *
 * Behind the bars: number, operands -> results, scope, what has become of it ("hoisted: all steps
 * at once, before the loop", "fused 21 operations"). Names are those of the tape when the plan was
 * made. Freed with tl_string_free; NULL when nothing ran or memory is short. */
TL_API char *tl_plan_text(const tl_tape *tape);
/* tl_plan_print -- the same to a file; TL_ESTATE when nothing ran or memory is short. */
TL_API int tl_plan_print(const tl_tape *tape, FILE *file);

TL_API void tl_string_free(char *text);

TL_END_DECLS
#endif
