/* draw.h -- a tape as a drawing: SVG, Graphviz, LaTeX. */
#ifndef TL_CORE_DRAW_H
#define TL_CORE_DRAW_H

#include "core/tape.h"

TL_BEGIN_DECLS

typedef struct tl_draw_opts {
    uint32_t from;  /* first node, a number of tl_tape_mark; default 0 */
    uint32_t to;    /* one behind the last, default: all */
    uint32_t limit; /* most boxes; more of them are an error; default 400, 0: no limit */
    int detail;     /* 0 (default): what has no name and is used in one place is part of the formula
                       there; 1: every operation has its box */
    int64_t unroll; /* scans of up to so many steps are drawn step by step; default 8 */
    int adjoint;    /* with what tl_grad recorded; default 1 */
    int reads; /* tl_tape_dot: dotted lines from the values that the adjoint reads; default 0 */
} tl_draw_opts;

TL_API tl_draw_opts tl_draw_defaults(void);

/* tl_tape_svg -- the tape on one page, A4, lying or (if the drawing is that high) standing.
 *
 *     parameters | t = 0 | t = 1 | loss       columns: outermost scopes, steps of scans
 *     -----------+-------+-------+-----
 *     forward      x       x                  values flow down and to the right
 *                  h ----> h ----> loss
 *     adjoint      dh <--- dh <--- dloss      the mirror image: gradients flow down and to the left
 *
 * Scopes in these scopes are rectangles around their boxes, in both halves.
 *
 * Boxes: name, formula (of the names in other boxes), shape. A box of the lower half is all that
 * the sweep recorded at the nodes of the one above (tl_node.of); "-> c: g f" says that the gradient
 * g that came in goes on to c as g f; "h[1]" in a box of another step is h of step 1. Constants
 * stand in the formulas, values that the adjoint reads of the forward pass likewise: no line leads
 * there.
 *
 * tl_tape_dot -- the same boxes for Graphviz, scopes as nested clusters; with opts->reads, such
 * values are dotted lines. tl_tape_latex -- the drawing of tl_tape_svg in TikZ, a document of one
 * page that pdflatex takes as it is; letters beyond Latin 1 and Greek are question marks there.
 *
 * err may be NULL. Freed with tl_string_free; NULL after an error: TL_ENOMEM; TL_ERANGE, more boxes
 * than opts->limit. The tape is not changed. */
TL_API char *tl_tape_svg(const tl_tape *tape, const tl_draw_opts *opts, tl_err *err);
TL_API char *tl_tape_dot(const tl_tape *tape, const tl_draw_opts *opts, tl_err *err);
TL_API char *tl_tape_latex(const tl_tape *tape, const tl_draw_opts *opts, tl_err *err);

TL_END_DECLS
#endif
