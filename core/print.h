/* print.h -- tensors and tapes as text. */
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

TL_API void tl_string_free(char *text);

TL_END_DECLS
#endif
