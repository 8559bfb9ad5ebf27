/* columns.c -- a tape as text in two columns: the forward node, and what a sweep recorded when it
 * was at that node (tl_node.of), in the order of the backward pass. */
#include "core/tape_text.h"

#include "core/space.h"

enum { LEFT = 56 };

/* put_cell -- "%7 y = tanh(%6)". */
static void put_cell(tl_text *t, const tl_tape *tape, uint32_t slot, int indent)
{
    const tl_node *n = &tape->nodes[slot];
    char shape[TL_SHAPE_TEXT];
    tl__put(t, "%*s%%%u", indent, "", slot);
    if (n->op->kind == TL_LOOP) {
        const tl_frame *f = &tape->frames[n->attr.i[0]];
        tl__put(t, " scan over t = %s%lld%s", f->reverse ? "" : "0 .. ", (long long)(f->T - 1),
                f->reverse ? " .. 0" : "");
        return;
    }
    tl__put(t, "%s%s = ", n->name ? " " : "", n->name ? n->name : "");
    tl__put_formula(t, tape, n, (tl_instance){0, 0});
    tl__put(t, "  %s", tl_shape_text(n->shape, shape, sizeof shape));
}

/* put_pair -- the line of one forward node, and those of its adjoint nodes; by[] has the adjoint
 * nodes sorted by what they are of, [first, last) those of this one. */
static void put_pair(tl_listing *p, uint32_t slot, const uint32_t *by, uint32_t first,
                     uint32_t last)
{
    tl_text left = {0};
    put_cell(&left, p->tape, slot, 4 * (int)p->tape->frames[p->tape->nodes[slot].frame].depth);
    for (uint32_t k = first; !left.failed && (k == first || k < last); k++) {
        if (!tl__listing_room(p))
            continue;
        tl__put(&p->out, "%-*s |", LEFT, k == first ? left.data : "");
        if (k < last) {
            const uint32_t depth = p->tape->frames[p->tape->nodes[by[k]].frame].depth;
            tl__put(&p->out, " ");
            put_cell(&p->out, p->tape, by[k], 4 * (int)depth);
        }
        tl__put(&p->out, "\n");
    }
    p->out.failed |= left.failed;
    tl__free(left.data);
}

/* is_shown -- constants stand where they are used. */
static int is_shown(const tl_tape *tape, uint32_t slot)
{
    return tape->nodes[slot].op != &tl_op_const;
}

void tl__put_columns(tl_listing *p)
{
    const tl_tape *tape = p->tape;
    const uint32_t n = tape->nnodes;
    uint32_t *start = tl__calloc(2 * (size_t)n + 2, sizeof *start); /* [n+1], then by[n] */
    if (!start) {
        p->out.failed = 1;
        return;
    }
    uint32_t *by = start + n + 1;
    for (uint32_t s = 0; s < n; s++)
        if (tape->nodes[s].of < n && is_shown(tape, s))
            start[tape->nodes[s].of + 1]++;
    for (uint32_t s = 0; s < n; s++)
        start[s + 1] += start[s];
    for (uint32_t s = n; s-- > 0;) /* from behind: start[of + 1] comes down to the first */
        if (tape->nodes[s].of < n && is_shown(tape, s))
            by[--start[tape->nodes[s].of + 1]] = s;
    /* now start[s + 1] is where those of s begin, and start[s + 2] where they end */
    tl__put(&p->out, "%-*s | adjoint\n", LEFT, "forward, last to first");
    for (uint32_t s = p->opts.to; s-- > p->opts.from;) {
        const uint32_t first = start[s + 1];
        uint32_t last = first;
        while (last < n && by[last] && tape->nodes[by[last]].of == s)
            last++;
        if (is_shown(tape, s) && (last > first || tape->nodes[s].of == TL_NONE))
            put_pair(p, s, by, first, last);
    }
    tl__free(start);
}
