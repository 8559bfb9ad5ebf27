/* columns.c -- a tape as text in two columns: the forward node, and what a sweep recorded when it
 * was at that node (tl_node.of), in the order of the backward pass.
 *
 * An arrow behind a gradient says of what it is the gradient, or a part of one: "-> c2" stands in the
 * lines of c3, and again in those of the h2 that c2 makes, and the lines of c2 add the two. Behind
 * that stand the operands that it goes on to as it is, those of a sum. */
#include "core/tape_text.h"

#include "core/space.h"

#include <string.h>

enum { NARROWEST = 22, WIDEST = 60, MOST = 3, DIGITS = 4 };

/* pairs -- what is being written. */
typedef struct pairs {
    tl_listing *to;
    uint32_t
        *start;     /* [nnodes + 2]; adjoint nodes of slot s: by[start[s]] up to by[start[s + 1]] */
    uint32_t *by;   /* [nnodes] */
    uint32_t *goes; /* [nnodes][MOST] forward nodes at which the sweep uses it; TL_NONE: no more */
    uint8_t *uses;  /* [nnodes] by other nodes; 2: or more */
    uint32_t scope;
    int64_t t;    /* step of the body that is written step by step; -1: of none */
    int width;    /* of the left column */
    int measures; /* nothing is written, width grows */
} pairs;

/* ---- what goes where -------------------------------------------------------------------------- */

static void add_use(pairs *p, uint32_t slot, uint32_t user)
{
    const tl_node *nodes = p->to->tape->nodes;
    const uint32_t of = nodes[user].of;
    uint32_t *goes = p->goes + (size_t)MOST * slot;
    if (nodes[slot].of == TL_NONE || of == TL_NONE || of == nodes[slot].of ||
        nodes[of].op->kind == TL_LOOP)
        return;
    for (int k = 0; k < MOST && goes[k] != of; k++)
        if (goes[k] == TL_NONE) {
            goes[k] = of;
            return;
        }
}

static void count_use(pairs *p, uint32_t slot, uint32_t user)
{
    (void)user;
    if (p->uses[slot] < 2)
        p->uses[slot]++;
}

/* is_shown -- constants stand where they are used; a slice that a sweep put back alone, and then
 * made otherwise together with others, is of no use to anyone; nor, so far, is what a run kept. */
static int is_shown(const pairs *p, uint32_t slot)
{
    const tl_node *n = &p->to->tape->nodes[slot];
    const int is_left = n->op == &tl_op_assemble && n->of != TL_NONE && n->nin == 1 &&
                        p->uses[slot] == 0 && p->uses[n->in[0]] > 1;
    return n->op != &tl_op_const && !is_left && !n->kept;
}

/* find_uses -- all of them, by the operands, the steps before, and the results of a scan. */
static void find_uses(pairs *p)
{
    const tl_tape *tape = p->to->tape;
    memset(p->goes, 0xff, (size_t)MOST * tape->nnodes * sizeof *p->goes);
    for (int pass = 0; pass < 2; pass++) {
        void (*const note)(pairs *, uint32_t, uint32_t) = pass ? add_use : count_use;
        for (uint32_t s = 0; s < tape->nnodes; s++) {
            const tl_node *n = &tape->nodes[s];
            for (uint32_t i = 0; i < n->nin && (!pass || is_shown(p, s)); i++)
                note(p, n->in[i], s);
            if (n->op == &tl_op_stacked || n->op == &tl_op_summed)
                note(p, (uint32_t)n->attr.i[0], s);
        }
        for (uint32_t f = 1; f < tape->nframes; f++)
            for (uint32_t k = 0; k < tape->frames[f].ncarries; k++)
                if (tape->frames[f].carries[k].next != TL_NONE)
                    note(p, tape->frames[f].carries[k].next, tape->frames[f].carries[k].source);
    }
}

/* sort -- adjoint nodes by what they are of, in the order of recording. */
static void sort(pairs *p)
{
    const tl_tape *tape = p->to->tape;
    const uint32_t n = tape->nnodes;
    for (uint32_t s = 0; s < n; s++)
        if (tape->nodes[s].of < n && is_shown(p, s))
            p->start[tape->nodes[s].of + 2]++;
    for (uint32_t s = 0; s < n; s++)
        p->start[s + 2] += p->start[s + 1];
    for (uint32_t s = 0; s < n; s++) /* start[of + 1] goes from its first to its end */
        if (tape->nodes[s].of < n && is_shown(p, s))
            p->by[p->start[tape->nodes[s].of + 1]++] = s;
}

/* ---- cells ------------------------------------------------------------------------------------ */

/* put_goes -- "-> c2, %57": what it is the gradient of, and where it goes on to unchanged. */
static void put_goes(tl_text *t, const pairs *p, uint32_t slot)
{
    const tl_tape *tape = p->to->tape;
    const uint32_t *goes = p->goes + (size_t)MOST * slot, goal = tape->nodes[slot].goal;
    if (goal >= tape->nnodes) /* no gradient, or one of what is gone */
        return;
    for (int k = -1; k < MOST && (k < 0 || goes[k] != TL_NONE); k++) {
        const uint32_t to = k < 0 ? goal : goes[k];
        if (k >= 0 && to == goal)
            continue;
        tl__put(t, "%s", k < 0 ? "  -> " : ", ");
        const uint32_t frame = p->t < 0 ? 0 : tape->nodes[to].frame;
        tl__put_operand(t, tape, to, (tl_instance){frame, p->t});
    }
}

/* put_cell -- "%7 y = tanh(%6)  [3]". */
static void put_cell(tl_text *t, const pairs *p, uint32_t slot)
{
    const tl_tape *tape = p->to->tape;
    const tl_node *n = &tape->nodes[slot];
    const tl_frame *f = &tape->frames[n->frame];
    char shape[TL_SHAPE_TEXT];
    tl__put(t, "%*s%%%u", 4 * (int)f->depth, "", slot);
    if (n->op->kind == TL_LOOP) {
        f = &tape->frames[n->attr.i[0]];
        tl__put(t, " scan over t = %s%lld%s", f->reverse ? "" : "0 .. ", (long long)(f->T - 1),
                f->reverse ? " .. 0" : "");
        return;
    }
    const int is_step = p->t >= 0 && f->depth == 1;
    tl__put(t, "%s%s", n->name ? " " : "", n->name ? n->name : "");
    if (is_step)
        tl__put(t, "[%lld]", (long long)p->t);
    tl__put(t, " = ");
    tl__put_formula(t, tape, n, (tl_instance){is_step ? n->frame : 0, p->t});
    tl__put(t, "  %s", tl_shape_text(n->shape, shape, sizeof shape));
    tl_node step;
    if (p->to->opts.values && (is_step ? tl__step_value(tape, slot, p->t, &step)
                                       : n->life == TL_LIVE && n->buf && n->frame == 0)) {
        tl__put(t, " = ");
        tl__put_elements(t, is_step ? &step : n, DIGITS);
    }
    put_goes(t, p, slot);
}

static int characters(const char *text)
{
    int n = 0;
    for (; text && *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

/* put_left -- the left column, with the bar behind it. */
static void put_left(pairs *p, const char *text)
{
    const int n = characters(text);
    if (p->measures)
        p->width = n > p->width ? n : p->width;
    else
        tl__put(&p->to->out, "%s%*s |", text ? text : "", n < p->width ? p->width - n : 0, "");
}

/* put_heading -- a line with nothing on the right, where the scope or the step changes. */
static void put_heading(pairs *p, tl_text *line)
{
    if (p->measures || tl__listing_room(p->to)) {
        put_left(p, line->data);
        tl__put(&p->to->out, "%s", p->measures ? "" : "\n");
    }
    p->to->out.failed |= line->failed;
    tl__free(line->data);
}

/* is_now -- an adjoint node belongs to every step of its body; one outside of bodies to the last. */
static int is_now(const pairs *p, uint32_t slot, int is_last)
{
    const tl_tape *tape = p->to->tape;
    return p->t < 0 || is_last || tape->frames[tape->nodes[slot].frame].depth > 0;
}

/* put_pair -- the lines of one forward node and its adjoint nodes. */
static void put_pair(pairs *p, uint32_t slot, int is_last)
{
    const tl_tape *tape = p->to->tape;
    const tl_node *n = &tape->nodes[slot];
    const uint32_t first = p->start[slot], last = p->start[slot + 1];
    if (!is_shown(p, slot) || (first == last && n->of != TL_NONE))
        return;
    if (n->scope != p->scope) {
        tl_text line = {0};
        p->scope = n->scope;
        tl__put(&line, "#%s%s", tape->scopes[n->scope][0] ? " " : "", tape->scopes[n->scope]);
        put_heading(p, &line);
    }
    tl_text left = {0};
    int lines = 0;
    put_cell(&left, p, slot);
    if (p->measures)
        put_left(p, left.data);
    if (!p->measures && characters(left.data) > p->width && first < last) {
        put_heading(p, &left); /* too long to have something beside it */
        lines = 1;
        left.data = NULL;
    }
    for (uint32_t k = first; !p->measures && k <= last; k++) {
        const int has_right = k < last && is_now(p, p->by[k], is_last);
        if ((!has_right && (k < last || lines > 0)))
            continue;
        lines++;
        if (!tl__listing_room(p->to))
            continue;
        put_left(p, lines == 1 ? left.data : NULL); /* NULL, too, if it is there already */
        if (has_right) {
            tl__put(&p->to->out, " ");
            put_cell(&p->to->out, p, p->by[k]);
        }
        tl__put(&p->to->out, "\n");
    }
    p->to->out.failed |= left.failed;
    tl__free(left.data);
}

/* ---- all of it -------------------------------------------------------------------------------- */

/* put_body -- last node first; a body in a body once. */
static void put_body(pairs *p, const tl_frame *f, int is_last)
{
    const tl_tape *tape = p->to->tape;
    for (uint32_t i = f->nnodes; i-- > 0;) {
        const tl_node *n = &tape->nodes[f->nodes[i]];
        put_pair(p, f->nodes[i], is_last);
        if (n->op->kind == TL_LOOP && n->of == TL_NONE)
            put_body(p, &tape->frames[n->attr.i[0]], is_last);
    }
}

static void put_steps(pairs *p, const tl_frame *f)
{
    for (int64_t k = f->T; k-- > 0;) {
        tl_text line = {0};
        p->t = f->reverse ? f->T - 1 - k : k;
        tl__put(&line, "  t = %lld", (long long)p->t);
        put_heading(p, &line);
        put_body(p, f, k == f->T - 1);
    }
    p->t = -1;
}

static void put_all(pairs *p)
{
    const tl_tape *tape = p->to->tape;
    const int64_t unroll = p->to->opts.unroll;
    p->scope = 0; /* that of no name */
    for (uint32_t s = p->to->opts.to; s-- > p->to->opts.from;) {
        const tl_node *n = &tape->nodes[s];
        if (n->frame != 0)
            continue; /* comes with its scan */
        put_pair(p, s, 1);
        if (n->op->kind != TL_LOOP || n->of != TL_NONE)
            continue;
        const tl_frame *f = &tape->frames[n->attr.i[0]];
        if (unroll > 0 && f->T <= unroll)
            put_steps(p, f);
        else if (unroll >= 0)
            put_body(p, f, 1);
    }
}

void tl__put_columns(tl_listing *l)
{
    const size_t n = l->tape->nnodes;
    pairs p = {.to = l, .t = -1, .width = NARROWEST, .measures = 1};
    p.start = tl__calloc((2 + MOST) * n + 2, sizeof *p.start);
    p.uses = tl__calloc(n + 1, 1);
    if (p.start && p.uses) {
        p.by = p.start + n + 2;
        p.goes = p.by + n;
        find_uses(&p);
        sort(&p);
        put_all(&p);
        p.measures = 0;
        p.width = p.width < WIDEST ? p.width : WIDEST;
        tl__put(&l->out, "%-*s | adjoint\n", p.width, "forward, last to first");
        put_all(&p);
    } else {
        l->out.failed = 1;
    }
    tl__free(p.start);
    tl__free(p.uses);
}
