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
/* tl_tensor_print -- that and a new line to a file. TL_EINVAL for an inert tensor or no file;
 * TL_EIO when writing failed; else TL_OK or the tape's code. */
TL_API int tl_tensor_print(tl_tensor t, FILE *file);

/* tl_print_values -- which values stand behind their nodes: up to eight elements whole, of more the
 * first and last three. */
typedef enum tl_print_values {
    TL_VALUES_NONE,
    TL_VALUES_LIVE,    /* those that are there */
    TL_VALUES_EVALUATE /* all that is shown, of bodies what is shown step by step (unroll); computed
                          where it is not there */
} tl_print_values;

typedef struct tl_print_opts {
    uint32_t from;          /* first node, a number of tl_tape_mark; default 0 */
    uint32_t to;            /* one behind the last, default: all */
    uint32_t limit;         /* most lines, then one that says what is left out; 0: none; default
                               10000 */
    tl_print_values values; /* default TL_VALUES_NONE */
    int64_t unroll; /* scans of up to so many steps step by step; 0: each body once (default);
                       -1: a scan is one line */
    int adjoint;    /* two columns: see below; default 0 */
} tl_print_opts;

TL_API tl_print_opts tl_print_defaults(void);

/* tl_tape_text -- the whole tape, with a line about it, or a part. One line a node: number, name,
 * operation with its attributes in words, dtype and shape, "live" or "dropped" if it ran; bodies of
 * scans indented; scopes as headings, "#" alone where they end.
 *
 *     %0   x            = input                          f32 [2,3]  live
 *     %4                = contract(x, W; ij,kj->ik)      f32 [2,4]
 *     %9   scan over t = 0 .. 9 {
 *         %5   h            = carry, first %1, then %8   f32 [2,3]
 *         ...
 *     }
 *
 * opts->adjoint: the backward pass beside what it goes back over. On the left every node of
 * from .. to, the last one first; on the right the nodes that tl_grad recorded when it was at that
 * one, in the order of recording, with an arrow from a gradient to what it is the gradient of, or a
 * part of it; behind a comma stand the nodes that get it as it is. A sum hands its gradient on like
 * that: nothing stands beside it. Values have four digits, of more than
 * eight elements the first two and the last are shown.
 *
 *     forward, last to first              | adjoint
 *     %7 y = tanh(%6)  [2]                | %12 = mul(y, y)  [2]
 *                                         | %13 = sub(1, %12)  [2]
 *                                         | %14 = mul(%11, %13)  [2]  -> %6
 *
 * Nothing is computed but what TL_VALUES_EVALUATE asks for. Freed with tl_string_free; NULL when
 * memory is short, or with the tape's error when computing failed. */
TL_API char *tl_tape_text(tl_tape *tape, const tl_print_opts *opts);
/* tl_tape_print -- the same to a file. TL_EINVAL without tape or file, TL_EIO, TL_ENOMEM, or the
 * tape's code. */
TL_API int tl_tape_print(tl_tape *tape, const tl_print_opts *opts, FILE *file);

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
/* tl_plan_print -- the same to a file; TL_EINVAL without tape or file, TL_ESTATE when nothing ran
 * or memory is short. */
TL_API int tl_plan_print(const tl_tape *tape, FILE *file);

TL_API void tl_string_free(char *text);

TL_END_DECLS
#endif
