/* layout_pass.c -- packs the buffers of a plan into one slab: two share a place when no instruction
 * needs both.
 *
 *     instruction   0    1    2    3    4    5            slab
 *     a             [---------]                           a . . d d d
 *     b                  [---------]                      b b b b . .
 *     loop's own                   [----]                 . . . l l .
 *     d                            [---------]
 *
 * Buffers of a body live as long as the loop's instruction; among themselves they are laid out in
 * the same way. What a body reads or writes of outside lives through the whole loop. */
#include "core/plan/plan.h"
#include "core/plan/steps.h"

#include "core/space.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64, PAD = 64 };

typedef struct tl_span {
    uint32_t value; /* TL_NONE: the buffers of a body */
    uint32_t body;
    uint32_t first, last;
    size_t bytes;
} tl_span;

typedef struct tl_pack {
    tl_graph *g;
    uint32_t *first, *last; /* by root: instructions of its block between which it lives */
    uint8_t *touched;
    size_t *body_bytes; /* by block */
    int64_t *offset;    /* by value, within its block's part */
    int64_t *body_at;   /* by block: where its part begins in the part around */
} tl_pack;

size_t tl__root_bytes(const tl_graph *g, uint32_t root)
{
    const tl_val *x = &g->val[root];
    int64_t count = tl_shape_count(x->shape);
    return (size_t)(count > 0 ? count : 1) * tl_dtype_size(x->dtype);
}

static void touch(tl_pack *p, uint32_t root, uint32_t block, uint32_t at)
{
    tl_graph *g = p->g;
    const uint32_t home = g->val[root].block;
    if (g->val[root].via == TL_BOUND || g->val[root].inside)
        return;
    while (block != home) { /* up to the loop's instruction in the root's own block */
        at = p->g->step[g->val[g->block[block].loop].step].place;
        block = g->block[block].parent;
    }
    if (!p->touched[root] || at < p->first[root])
        p->first[root] = at;
    if (!p->touched[root] || at > p->last[root])
        p->last[root] = at;
    p->touched[root] = 1;
}

/* touch_step -- the buffer of value v, by step s. What is not of the steps of a loop alone lives
 * through all of them. */
static void touch_step(tl_pack *p, const tl_step *s, uint32_t v)
{
    const uint32_t root = p->g->val[v].address.root;
    touch(p, root, s->block, s->place);
    if (s->phase != TL_STEPS && p->g->val[root].block == s->block) {
        touch(p, root, s->block, 0);
        touch(p, root, s->block, p->g->block[s->block].nsteps);
    }
}

/* find_spans -- by now step.place is the position in running order. */
static void find_spans(tl_pack *p)
{
    tl_graph *g = p->g;
    for (uint32_t b = 0; b < g->nblocks; b++)
        for (uint32_t k = 0; k < g->block[b].nsteps; k++)
            g->step[g->block[b].steps[k]].place = k;
    for (uint32_t s = 0; s < g->nsteps; s++) {
        const tl_step *step = &g->step[s];
        for (uint32_t k = 0; step->within == TL_NONE && k < step->val.n; k++) {
            const tl_val *x = &g->val[step->val.at[k]];
            if (x->op->kind != TL_LOOP)
                touch_step(p, step, step->val.at[k]);
            for (uint32_t i = 0; i < x->nin; i++)
                if (g->val[x->in[i]].resolved)
                    touch_step(p, step, x->in[i]);
        }
    }
}

/* extend_segments -- what a loop touches that runs again beside its adjoint lives until then. */
static void extend_segments(tl_pack *p)
{
    tl_graph *g = p->g;
    for (uint32_t n = 0; n < g->nsegments; n++) {
        const uint32_t ahead = g->segments[n].ahead;
        const uint32_t at = g->step[g->val[g->block[g->segments[n].back].loop].step].place;
        for (uint32_t v = 0; v < g->nvals; v++) {
            const tl_val *x = &g->val[v];
            if (!x->needed || !tl__graph_within(g, x->block, ahead))
                continue;
            for (uint32_t i = 0; i <= x->nin; i++) {
                const tl_val *u = &g->val[i < x->nin ? x->in[i] : v];
                if (u->resolved && p->touched[u->address.root] &&
                    g->val[u->address.root].block == 0)
                    touch(p, u->address.root, 0, at);
            }
        }
    }
}

/* last_place -- of the instruction that body b runs in last. */
static uint32_t last_place(const tl_graph *g, uint32_t b)
{
    const uint32_t k = g->block[b].segments;
    const uint32_t last = k != TL_NONE ? g->segments[k].back : b;
    return g->step[g->val[g->block[last].loop].step].place;
}

static int by_size(const void *a, const void *b)
{
    const tl_span *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return x->value < y->value ? -1 : x->value > y->value;
}

static int by_first(const void *a, const void *b)
{
    const tl_span *x = a, *y = b;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return by_size(a, b);
}

/* A free stretch of the block's part. */
typedef struct tl_hole {
    size_t at, bytes;
} tl_hole;

typedef struct tl_holes {
    tl_hole *hole; /* by address */
    uint32_t n;
    size_t end;
} tl_holes;

/* take -- the smallest hole that fits, else the end. */
static size_t take(tl_holes *h, size_t bytes)
{
    uint32_t best = TL_NONE;
    for (uint32_t k = 0; k < h->n; k++)
        if (h->hole[k].bytes >= bytes &&
            (best == TL_NONE || h->hole[k].bytes < h->hole[best].bytes))
            best = k;
    if (best == TL_NONE) {
        size_t at = h->end;
        if (h->n > 0 &&
            h->hole[h->n - 1].at + h->hole[h->n - 1].bytes == h->end) /* grow the last hole */
            at = h->hole[--h->n].at;
        h->end = at + bytes;
        return at;
    }
    size_t at = h->hole[best].at;
    h->hole[best].at += bytes;
    h->hole[best].bytes -= bytes;
    if (h->hole[best].bytes == 0) {
        memmove(h->hole + best, h->hole + best + 1, (h->n - best - 1) * sizeof *h->hole);
        h->n--;
    }
    return at;
}

static void give(tl_holes *h, size_t at, size_t bytes)
{
    uint32_t k = 0, end = h->n; /* the first hole behind `at` */
    while (k < end) {
        const uint32_t middle = k + (end - k) / 2;
        if (h->hole[middle].at < at)
            k = middle + 1;
        else
            end = middle;
    }
    const int joins_left = k > 0 && h->hole[k - 1].at + h->hole[k - 1].bytes == at;
    const int joins_right = k < h->n && at + bytes == h->hole[k].at;
    if (joins_left && joins_right) {
        h->hole[k - 1].bytes += bytes + h->hole[k].bytes;
        memmove(h->hole + k, h->hole + k + 1, (h->n - k - 1) * sizeof *h->hole);
        h->n--;
    } else if (joins_left) {
        h->hole[k - 1].bytes += bytes;
    } else if (joins_right) {
        h->hole[k].at = at;
        h->hole[k].bytes += bytes;
    } else {
        memmove(h->hole + k + 1, h->hole + k, (h->n - k) * sizeof *h->hole);
        h->hole[k] = (tl_hole){at, bytes};
        h->n++;
    }
}

static size_t rounded(size_t bytes)
{
    return (bytes + PAD + ALIGN - 1) / ALIGN * ALIGN;
}

/* A heap of the spans that are in use; the one that ends first is on top. */
typedef struct tl_open {
    const tl_span *span;
    uint32_t *at, n;
} tl_open;

static int ends_earlier(const tl_open *o, uint32_t i, uint32_t j)
{
    const uint32_t x = o->span[o->at[i]].last, y = o->span[o->at[j]].last;
    return x != y ? x < y : o->at[i] < o->at[j];
}

static void exchange(tl_open *o, uint32_t i, uint32_t j)
{
    const uint32_t x = o->at[i];
    o->at[i] = o->at[j];
    o->at[j] = x;
}

static void open_push(tl_open *o, uint32_t k)
{
    uint32_t i = o->n++;
    o->at[i] = k;
    for (; i > 0 && ends_earlier(o, i, (i - 1) / 2); i = (i - 1) / 2)
        exchange(o, i, (i - 1) / 2);
}

static uint32_t open_pop(tl_open *o)
{
    const uint32_t top = o->at[0];
    o->at[0] = o->at[--o->n];
    for (uint32_t i = 0, child; (child = 2 * i + 1) < o->n; i = child) {
        child += child + 1 < o->n && ends_earlier(o, child + 1, child);
        if (!ends_earlier(o, child, i))
            break;
        exchange(o, i, child);
    }
    return top;
}

/* pack -- places the spans, which are sorted by their first instruction; returns the size of the
 * part. */
static size_t pack(tl_pack *p, tl_span *span, uint32_t n, int reuse)
{
    tl_graph *g = p->g;
    tl_holes h = {tl__graph_alloc(g, n + 1, sizeof *h.hole), 0, 0};
    tl_open open = {span, tl__graph_alloc(g, n + 1, sizeof *open.at), 0};
    size_t *at = tl__graph_alloc(g, n + 1, sizeof *at);
    if (g->code)
        return 0;
    for (uint32_t k = 0; k < n; k++) {
        while (reuse && open.n > 0 && span[open.at[0]].last < span[k].first) {
            const uint32_t done = open_pop(&open);
            give(&h, at[done], span[done].bytes);
        }
        at[k] = take(&h, span[k].bytes);
        open_push(&open, k);
        if (span[k].value != TL_NONE)
            p->offset[span[k].value] = (int64_t)at[k];
        else
            p->body_at[span[k].body] = (int64_t)at[k];
    }
    return h.end;
}

/* pack_block -- the buffers of block b; bodies inside it have their sizes already. */
static void pack_block(tl_pack *p, uint32_t b, const uint8_t *fresh, const uint32_t *count)
{
    tl_graph *g = p->g;
    tl_span *span = tl__graph_alloc(g, count[b] + 1, sizeof *span);
    uint32_t n = 0;
    if (!span)
        return;
    for (uint32_t v = 0; v < g->nvals; v++)
        if (g->val[v].block == b && p->touched[v] && !fresh[v])
            span[n++] = (tl_span){v, 0, p->first[v], p->last[v], rounded(tl__root_bytes(g, v))};
    for (uint32_t c = 1; c < g->nblocks; c++) {
        const uint32_t s = g->val[g->block[c].loop].step;
        if (g->block[c].parent == b && s != TL_NONE && p->body_bytes[c] > 0)
            span[n++] = (tl_span){TL_NONE, c, g->step[s].place, last_place(g, c), p->body_bytes[c]};
    }
    qsort(span, n, sizeof *span, by_first);
    /* workers run through the steps of a body without waiting: nothing is used twice there */
    p->body_bytes[b] = pack(p, span, n, b == 0 && (g->passes & TL_PASS_LAYOUT) != 0);
}

int tl__is_leaf_pack(const tl_graph *g, uint32_t v)
{
    const tl_val *x = &g->val[v];
    return x->op == &tl__op_pack && g->val[g->val[x->in[0]].address.root].via == TL_BOUND;
}

uint8_t *tl__fresh_roots(tl_graph *g)
{
    uint8_t *fresh = tl__graph_alloc(g, g->nvals + 1, 1);
    for (uint32_t v = 0; fresh && v < g->nvals; v++)
        if (tl__is_leaf_pack(g, v))
            fresh[v] = 1;
        else if (g->val[v].keep && g->val[v].resolved &&
                 g->val[g->val[v].address.root].via != TL_BOUND)
            fresh[g->val[v].address.root] = 1;
    return fresh;
}

size_t tl__plan_layout(tl_graph *g, size_t start, int64_t *offset)
{
    const size_t n = g->nvals + 1, nb = g->nblocks;
    tl_pack p = {.g = g,
                 .first = tl__graph_alloc(g, n, sizeof *p.first),
                 .last = tl__graph_alloc(g, n, sizeof *p.last),
                 .touched = tl__graph_alloc(g, n, 1),
                 .body_bytes = tl__graph_alloc(g, nb, sizeof *p.body_bytes),
                 .offset = offset,
                 .body_at = tl__graph_alloc(g, nb, sizeof *p.body_at)};
    const uint8_t *fresh = tl__fresh_roots(g);
    uint32_t *count = tl__graph_alloc(g, nb, sizeof *count);
    if (g->code)
        return 0;
    find_spans(&p);
    extend_segments(&p);
    for (uint32_t v = 0; v < g->nvals; v++)
        count[g->val[v].block]++;
    for (uint32_t b = 1; b < g->nblocks; b++)
        count[g->block[b].parent]++;
    for (uint32_t b = g->nblocks;
         b-- > 0 && !g->code;) /* bodies have larger numbers than the blocks around them */
        pack_block(&p, b, fresh, count);
    if (g->code)
        return 0;
    p.body_at[0] = (int64_t)start;
    for (uint32_t b = 1; b < g->nblocks; b++)
        p.body_at[b] += p.body_at[g->block[b].parent];
    for (uint32_t v = 0; v < g->nvals; v++)
        if (p.touched[v])
            offset[v] += p.body_at[g->val[v].block];
    return start + p.body_bytes[0];
}
