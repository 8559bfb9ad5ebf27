/* arrange.c -- the order in which the steps of a block run, and which carries are written in
 * place.
 *
 *     room c   [ c ]      step 3: f*c + i*g  --> c
 *     otherwise           step 3: f*c + i*g  --> c'   last step: copy c' --> c
 *
 * In place is allowed when every reader of the old c comes before (edges are added that say so), or
 * is the writing step itself and reads the very element it writes. */
#include "core/plan/steps.h"

#include "core/space.h"

#include <string.h>

typedef struct tl_arrangement {
    tl_graph *g;
    uint32_t block;
    uint32_t *step, n; /* of the block */
    uint32_t capacity;
    uint32_t *remap; /* by value: root that took over, TL_NONE */
} tl_arrangement;

/* reads_root -- whether step s reads from the buffer of `root`. */
static int reads_root(const tl_graph *g, uint32_t s, uint32_t root)
{
    const tl_step *step = &g->step[s];
    for (uint32_t k = 0; k < step->val.n; k++) {
        const tl_val *x = &g->val[step->val.at[k]];
        for (uint32_t i = 0; i < x->nin; i++) {
            const tl_val *u = &g->val[x->in[i]];
            if (u->resolved && u->address.root == root)
                return 1;
        }
    }
    return 0;
}

/* reads_same_element -- whether all that step s reads of the room is the element it writes for
 * m. */
static int reads_same_element(const tl_graph *g, uint32_t s, uint32_t room, uint32_t m)
{
    const tl_step *step = &g->step[s];
    int64_t written[TL_MAX_RANK], read[TL_MAX_RANK];
    const tl_shape shape = g->val[m].shape;
    const int rank = tl__iteration(&shape).rank;
    tl__iteration_strides(g, m, &shape, written);
    for (uint32_t k = 0; k < step->val.n; k++) {
        const tl_val *x = &g->val[step->val.at[k]];
        for (uint32_t i = 0; i < x->nin; i++) {
            const tl_val *u = &g->val[x->in[i]];
            if (!u->resolved || u->address.root != room)
                continue;
            tl__iteration_strides(g, x->in[i], &x->shape, read);
            if (u->address.layout.offset != 0 ||
                memcmp(read, written, (size_t)rank * sizeof *read) != 0)
                return 0;
        }
    }
    return 1;
}

/* reaches -- whether some reader of the room other than `from` runs after `from` by the edges
 * there are. */
static int reaches(tl_arrangement *d, uint32_t from, uint32_t room)
{
    tl_graph *g = d->g;
    uint8_t *after = tl__graph_alloc(g, g->nsteps, 1);
    int changed = 1;
    if (!after)
        return 1;
    after[from] = 1;
    while (changed) { /* bodies are small; steps are nearly in order, so two turns do */
        changed = 0;
        for (uint32_t k = 0; k < d->n; k++) {
            const tl_step *s = &g->step[d->step[k]];
            for (uint32_t i = 0; i < s->before.n && !after[d->step[k]]; i++)
                if (after[s->before.at[i]])
                    after[d->step[k]] = 1, changed = 1;
        }
    }
    for (uint32_t k = 0; k < d->n; k++)
        if (d->step[k] != from && after[d->step[k]] && reads_root(g, d->step[k], room))
            return 1;
    return 0;
}

static void add_step(tl_arrangement *d, uint32_t s)
{
    if (d->n < d->capacity)
        d->step[d->n++] = s;
}

/* write_after_readers -- edges from every reader of the room to step s. */
static void write_after_readers(tl_arrangement *d, uint32_t s, uint32_t room)
{
    for (uint32_t k = 0; k < d->n; k++)
        if (d->step[k] != s && reads_root(d->g, d->step[k], room))
            tl__list_add(d->g, &d->g->step[s].before, d->step[k]);
}

static void place_next(tl_arrangement *d, const tl_gcarry *c)
{
    tl_graph *g = d->g;
    const uint32_t m = tl__home_of(g, c->next), room = g->val[c->room].address.root,
                   s = g->val[m].step == TL_NONE ? TL_NONE : tl__step_whole(g, g->val[m].step);
    const int own = g->val[m].address.root == m;
    int safe = own && s != TL_NONE;
    if (safe && !g->val[m].accumulate) {
        if (reads_root(g, s, room))
            safe = g->step[s].kind == TL_STEP_TILE && reads_same_element(g, s, room, m);
        safe = safe && !reaches(d, s, room);
    }
    if (g->code)
        return;
    if (safe) {
        write_after_readers(d, s, room);
        d->remap[m] = room;
        return;
    }
    uint32_t copy = tl__graph_copy(g, c->next, d->block, g->val[m].shape);
    uint32_t last = copy == TL_NONE ? TL_NONE : tl__step_add(g, TL_STEP_TILE, copy);
    if (last == TL_NONE)
        return;
    tl_val *x = &g->val[copy];
    x->solo = x->needed = x->resolved = 1;
    x->via = TL_VIA_SAME;
    x->base = c->room;
    x->address = (tl_address){.root = room, .layout = tl__layout_dense(&x->shape)};
    g->step[last].place = TL_NONE - 1;
    tl__step_depend(g, last, c->next);
    write_after_readers(d, last, room);
    add_step(d, last);
}

/* A heap of steps that may run; on top is the first phase's, of these the smallest place. */
typedef struct tl_heap {
    const tl_step *step;
    uint32_t *at, n;
} tl_heap;

static int is_earlier(const tl_heap *h, uint32_t i, uint32_t j)
{
    static const uint8_t turn[TL_PHASES] = {[TL_PRE] = 0, [TL_STEPS] = 1, [TL_POST] = 2};
    const uint32_t x = h->at[i], y = h->at[j];
    if (h->step[x].phase != h->step[y].phase)
        return turn[h->step[x].phase] < turn[h->step[y].phase];
    return h->step[x].place != h->step[y].place ? h->step[x].place < h->step[y].place : x < y;
}

static void swap(tl_heap *h, uint32_t i, uint32_t j)
{
    uint32_t x = h->at[i];
    h->at[i] = h->at[j];
    h->at[j] = x;
}

static void push(tl_heap *h, uint32_t s)
{
    uint32_t i = h->n++;
    h->at[i] = s;
    for (; i > 0 && is_earlier(h, i, (i - 1) / 2); i = (i - 1) / 2)
        swap(h, i, (i - 1) / 2);
}

static uint32_t pop(tl_heap *h)
{
    const uint32_t top = h->at[0];
    h->at[0] = h->at[--h->n];
    for (uint32_t i = 0, child; (child = 2 * i + 1) < h->n; i = child) {
        child += child + 1 < h->n && is_earlier(h, child + 1, child);
        if (!is_earlier(h, child, i))
            break;
        swap(h, child, i);
    }
    return top;
}

/* sort -- topological, of the steps that may run the one whose values come first. */
static void sort(tl_arrangement *d)
{
    tl_graph *g = d->g;
    tl_block *b = &g->block[d->block];
    uint32_t *waits = tl__graph_alloc(g, g->nsteps + 1, sizeof *waits);
    tl_list *followers = tl__graph_alloc(g, g->nsteps + 1, sizeof *followers);
    tl_heap h = {g->step, tl__graph_alloc(g, d->n + 1, sizeof *h.at), 0};
    b->steps = tl__graph_alloc(g, d->n + 1, sizeof *b->steps);
    for (uint32_t k = 0; k < d->n && !g->code; k++) {
        const tl_step *s = &g->step[d->step[k]];
        waits[d->step[k]] = s->before.n;
        for (uint32_t i = 0; i < s->before.n; i++)
            tl__list_add(g, &followers[s->before.at[i]], d->step[k]);
    }
    if (g->code)
        return;
    for (uint32_t k = 0; k < d->n; k++)
        if (waits[d->step[k]] == 0)
            push(&h, d->step[k]);
    while (h.n > 0) {
        uint32_t s = pop(&h);
        b->steps[b->nsteps++] = s;
        for (uint32_t i = 0; i < followers[s].n; i++)
            if (--waits[followers[s].at[i]] == 0)
                push(&h, followers[s].at[i]);
    }
    if (b->nsteps != d->n)
        tl__graph_fail(g, TL_EUNSUPPORTED, "%u of %u steps wait for one another", d->n - b->nsteps,
                       d->n);
}

void tl__pass_arrange(tl_graph *g)
{
    uint32_t *remap = tl__graph_alloc(g, g->nvals + 1, sizeof *remap);
    if (!remap || g->code)
        return;
    memset(remap, 0xff, (g->nvals + 1) * sizeof *remap);
    const uint32_t nvals = g->nvals;
    for (uint32_t b = 0; b < g->nblocks && !g->code; b++) {
        tl_arrangement d = {.g = g, .block = b, .remap = remap};
        for (uint32_t s = 0; s < g->nsteps; s++)
            d.capacity += g->step[s].block == b;
        d.capacity += g->block[b].ncarries;
        d.step = tl__graph_alloc(g, d.capacity + 1, sizeof *d.step);
        if (!d.step)
            return;
        for (uint32_t s = 0; s < g->nsteps; s++)
            if (g->step[s].block == b)
                add_step(&d, s);
        for (uint32_t i = 0; i < g->block[b].ncarries && !g->code; i++) {
            const tl_gcarry c = g->block[b].carry[i];
            if (c.room != TL_NONE && g->val[tl__home_of(g, c.next)].candidate)
                place_next(&d, &c);
        }
        sort(&d);
    }
    for (uint32_t v = 0; v < g->nvals; v++)
        if (g->val[v].resolved && g->val[v].address.root < nvals &&
            remap[g->val[v].address.root] != TL_NONE)
            g->val[v].address.root = remap[g->val[v].address.root];
}
