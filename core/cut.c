/* cut.c -- tl_cut: finds what stays, writes it anew, moves it to the front of the tape.
 *
 *     slot     0  1  2  3  4  5  6  7          marked: reachable from keep[] without passing at[]
 *     stays       W     at    y     z
 *     becomes     0     1     2     3
 *
 * The order of slots is kept, so it stays topological. Everything that can fail comes before the
 * first change of the tape. */
#include "core/cut.h"

#include "core/scan_record.h"
#include "core/space.h"

#include <string.h>

typedef struct tl_cutter {
    tl_tape *tape;
    uint32_t *to;    /* by slot: where it goes, TL_NONE: nowhere. While marking 0: stays */
    uint32_t *frame; /* by frame: the same */
    uint32_t *open;  /* slots whose operands are still to be marked */
    uint8_t *leaf;   /* by slot: is in at[] */
    uint32_t nopen, nkept;
    tl_node *node; /* those that stay, written anew */
    tl_buf **buf;  /* values of at[] by number, where they lay in larger buffers */
    tl_arena arena;
    tl_marks *marks; /* of the tape after it */
} tl_cutter;

static const char what[] = "tl_cut";

/* ---- what stays ------------------------------------------------------------------------------ */

static void mark(tl_cutter *c, uint32_t slot)
{
    if (slot == TL_NONE || c->to[slot] != TL_NONE)
        return;
    c->to[slot] = 0;
    if (!c->leaf[slot])
        c->open[c->nopen++] = slot;
}

static void mark_frame(tl_cutter *c, uint32_t frame)
{
    const tl_frame *f = &c->tape->frames[frame];
    c->frame[frame] = 0;
    for (uint32_t k = 0; k < f->nnodes; k++)
        mark(c, f->nodes[k]);
    for (uint32_t k = 0; k < f->nresults; k++)
        mark(c, f->results[k]);
    for (uint32_t k = 0; k < f->ncarries; k++) {
        mark(c, f->carries[k].source);
        mark(c, f->carries[k].init);
        mark(c, f->carries[k].next);
    }
}

static void mark_all(tl_cutter *c, int n, const tl_tensor *at, int nkeep, const tl_tensor *keep)
{
    tl_tape *tape = c->tape;
    memset(c->to, 0xff, tape->nnodes * sizeof *c->to);
    memset(c->frame, 0xff, tape->nframes * sizeof *c->frame);
    c->frame[0] = 0;
    for (int i = 0; i < n; i++)
        c->leaf[at[i].slot] = 1;
    for (int i = 0; i < n; i++)
        mark(c, at[i].slot);
    for (int i = 0; i < nkeep; i++)
        mark(c, keep[i].slot);
    while (c->nopen > 0) {
        const tl_node *o = &tape->nodes[c->open[--c->nopen]];
        for (uint32_t k = 0; k < o->nin; k++)
            mark(c, o->in[k]);
        if (o->op->kind == TL_LOOP)
            mark_frame(c, (uint32_t)o->attr.i[0]);
    }
    for (uint32_t slot = 0; slot < tape->nnodes; slot++)
        if (c->to[slot] != TL_NONE)
            c->to[slot] = c->nkept++;
    for (uint32_t f = 0, k = 0; f < tape->nframes; f++)
        if (c->frame[f] != TL_NONE)
            c->frame[f] = k++;
}

/* ---- writing it anew ------------------------------------------------------------------------- */

static uint32_t moved(const tl_cutter *c, uint32_t slot)
{
    return slot == TL_NONE ? TL_NONE : c->to[slot];
}

/* write_leaf -- a value of at[] as an input, in a buffer of its own. */
static int write_leaf(tl_cutter *c, const tl_node *from, tl_node *n)
{
    const size_t bytes = (size_t)tl_shape_count(n->shape) * tl_dtype_size(n->dtype);
    if (from->op->kind == TL_LEAF)
        return TL_OK;
    n->op = &tl_op_input;
    n->nin = 0;
    n->in = NULL;
    n->attr = (tl_attr){0};
    n->no_grad = 0;
    if (from->buf->bytes <= bytes && tl__layout_is_dense(&n->shape, &n->layout))
        return TL_OK;
    tl_buf *b = tl__buf_new(bytes);
    if (!b)
        return TL_ENOMEM;
    tl__copy_dense(from, b->data);
    n->layout = tl__layout_dense(&n->shape);
    c->buf[n - c->node] = b;
    return TL_OK;
}

/* write_arrays -- operands and attributes in the new arena, with the new numbers in them. */
static int write_arrays(tl_cutter *c, const tl_node *from, tl_node *n)
{
    const size_t ni = (size_t)n->attr.ni, nr = (size_t)n->attr.nr;
    const size_t bytes = nr * sizeof(double) + ni * sizeof(int64_t) + n->nin * sizeof(uint32_t);
    if (bytes == 0)
        return TL_OK;
    char *memory = tl__arena_alloc(&c->arena, bytes);
    if (!memory)
        return TL_ENOMEM;
    double *r = (double *)(void *)memory;
    int64_t *i = (int64_t *)(void *)(memory + nr * sizeof *r);
    n->in = (uint32_t *)(void *)(memory + nr * sizeof *r + ni * sizeof *i);
    if (nr)
        memcpy(r, from->attr.r, nr * sizeof *r);
    if (ni)
        memcpy(i, from->attr.i, ni * sizeof *i);
    for (uint32_t k = 0; k < n->nin; k++)
        n->in[k] = c->to[from->in[k]];
    if (n->op->kind == TL_LOOP)
        i[0] = c->frame[i[0]];
    else if (n->op == &tl_op_stacked || n->op == &tl_op_summed)
        i[0] = c->to[i[0]];
    n->attr = (tl_attr){(int)ni, i, (int)nr, r};
    return TL_OK;
}

static int write_all(tl_cutter *c)
{
    const tl_tape *tape = c->tape;
    for (uint32_t slot = 0; slot < tape->nnodes; slot++) {
        if (c->to[slot] == TL_NONE)
            continue;
        const tl_node *from = &tape->nodes[slot];
        tl_node *n = &c->node[c->to[slot]];
        *n = *from;
        n->arena = tl__arena_mark(&c->arena);
        n->frame = c->frame[n->frame];
        n->of = moved(c, n->of);
        n->goal = moved(c, n->goal);
        if ((c->leaf[slot] && write_leaf(c, from, n)) || write_arrays(c, from, n))
            return TL_ENOMEM;
    }
    return TL_OK;
}

/* ---- the change ------------------------------------------------------------------------------ */

/* move_nodes -- old handles die; a slot that had a value before names it in messages. */
static void move_nodes(tl_cutter *c)
{
    tl_tape *tape = c->tape;
    for (uint32_t slot = 0; slot < tape->nnodes; slot++) {
        const tl_node *n = &tape->nodes[slot];
        const uint32_t to = c->to[slot];
        tape->generations[slot]++;
        tape->last[slot] = (tl_tenant){n->name ? n->name : n->op->name, tape->steps, n->scope, 1};
        if (to == TL_NONE || c->buf[to])
            tl__buf_unref(n->buf);
        if (to != TL_NONE && c->buf[to])
            c->node[to].buf = c->buf[to];
    }
    memcpy(tape->nodes, c->node, c->nkept * sizeof *c->node);
    tape->nnodes = c->nkept;
    tl__arena_close(&tape->arena);
    tape->arena = c->arena;
    c->arena = (tl_arena){0};
}

static void renumber(const tl_cutter *c, tl_frame *f)
{
    f->parent = f->parent == TL_NONE ? TL_NONE : c->frame[f->parent];
    f->loop = moved(c, f->loop);
    f->time = moved(c, f->time);
    f->mask = moved(c, f->mask);
    for (uint32_t k = 0; k < f->nnodes; k++)
        f->nodes[k] = c->to[f->nodes[k]];
    for (uint32_t k = 0; k < f->nresults; k++)
        f->results[k] = c->to[f->results[k]];
    for (uint32_t k = 0; k < f->ncarries; k++) {
        tl_carry *y = &f->carries[k];
        *y = (tl_carry){moved(c, y->source), moved(c, y->init), moved(c, y->next)};
    }
}

/* move_frames -- the arrays of those that are gone are used again. before[slot] of a frame's first
 * slot are the nodes that stay before it. */
static void move_frames(tl_cutter *c, const uint32_t *before)
{
    tl_tape *tape = c->tape;
    uint32_t kept = 0;
    for (uint32_t k = 0; k < tape->nframes; k++) {
        if (c->frame[k] == TL_NONE)
            continue;
        const tl_frame f = tape->frames[k];
        tape->frames[k] = tape->frames[kept];
        tape->frames[kept] = f;
        renumber(c, &tape->frames[kept]);
        tape->frames[kept].first_slot = before[f.first_slot];
        kept++;
    }
    tape->nframes = kept;
}

static void move_usages(tl_cutter *c)
{
    tl_tape *tape = c->tape;
    for (uint32_t k = 0; k < tape->nusages; k++) {
        tl_usage *u = &tape->usages[k];
        u->leaf = moved(c, u->leaf);
        u->bound = moved(c, u->bound);
        u->grad = moved(c, u->grad);
    }
}

static void change(tl_cutter *c)
{
    tl_tape *tape = c->tape;
    uint32_t *before = c->open; /* not used any more */
    const uint32_t n = tape->nnodes;
    for (uint32_t slot = 0, k = 0; slot <= n; slot++) {
        before[slot] = k;
        k += slot < n && c->to[slot] != TL_NONE;
    }
    move_nodes(c);
    move_frames(c, before);
    move_usages(c);
    tl__marks_free(tape->marks);
    tape->marks = c->marks;
    c->marks = NULL;
}

/* ---- the call -------------------------------------------------------------------------------- */

static int check(tl_tape *tape, const char *list, int n, const tl_tensor *t)
{
    char text[160];
    for (int i = 0; i < n; i++) {
        if (t[i].tape != tape)
            return tl_tape_fail(tape, TL_EINVAL, what, "%s %d is %s", list, i,
                                t[i].tape ? "a tensor of another tape" : "the inert tensor");
        const tl_node *node = tl__node(t[i], what);
        if (!node)
            return tape->code;
        if (node->frame != 0)
            return tl_tape_fail(tape, TL_EFRAME, what,
                                "%s %d, %s, belongs to the body of a scan, want a value outside "
                                "(tl_scan_last, tl_scan_stacked)",
                                list, i, tl__describe(tape, t[i].slot, text, sizeof text));
    }
    return TL_OK;
}

static int open_cutter(tl_cutter *c, tl_tape *tape)
{
    *c = (tl_cutter){.tape = tape};
    const size_t n = (size_t)tape->nnodes + 1;
    c->to = tl__calloc(n, sizeof *c->to);
    c->frame = tl__calloc((size_t)tape->nframes + 1, sizeof *c->frame);
    c->open = tl__calloc(n, sizeof *c->open);
    c->leaf = tl__calloc(n, 1);
    c->marks = tl__marks_new();
    return c->to && c->frame && c->open && c->leaf && c->marks ? TL_OK : TL_ENOMEM;
}

static void close_cutter(tl_cutter *c, int done)
{
    for (uint32_t k = 0; !done && c->buf && k < c->nkept; k++)
        tl__buf_unref(c->buf[k]);
    tl__arena_close(&c->arena);
    tl__marks_free(c->marks);
    tl__free(c->to);
    tl__free(c->frame);
    tl__free(c->open);
    tl__free(c->leaf);
    tl__free(c->node);
    tl__free(c->buf);
}

int tl_cut(tl_tape *tape, int n, tl_tensor *at, int nkeep, tl_tensor *keep)
{
    if (!tape)
        return TL_EINVAL;
    if (tape->code)
        return tape->code;
    if (n < 0 || nkeep < 0 || (n && !at) || (nkeep && !keep))
        return tl_tape_fail(
            tape, TL_EINVAL, what,
            "got %d values in at[]%s and %d in keep[]%s, want 0 or more and lists of "
            "that many",
            n, at ? "" : " (NULL)", nkeep, keep ? "" : " (NULL)");
    int code = tl__release_allowed(tape, 0, what);
    if (code)
        return code;
    if (check(tape, "at", n, at) || check(tape, "keep", nkeep, keep) || tl_eval(n, at))
        return tape->code;
    tl_cutter c;
    code = open_cutter(&c, tape);
    if (code == TL_OK) {
        mark_all(&c, n, at, nkeep, keep);
        c.node = tl__calloc((size_t)c.nkept + 1, sizeof *c.node);
        c.buf = tl__calloc((size_t)c.nkept + 1, sizeof *c.buf);
        code = c.node && c.buf ? write_all(&c) : TL_ENOMEM;
    }
    if (code)
        tl_tape_fail(tape, code, what, "no memory to move what stays of %u nodes", tape->nnodes);
    else
        change(&c);
    for (int i = 0; !code && i < n + nkeep; i++) {
        tl_tensor *t = i < n ? &at[i] : &keep[i - n];
        *t = tl__at(tape, c.to[t->slot]);
    }
    close_cutter(&c, code == TL_OK);
    return code;
}
