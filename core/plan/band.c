/* band.c -- lets steps run together, some rows at a time, so that what one stores the next one
 * finds in the cache: reductions at the end of pointwise chains and what follows from them.
 *
 *     before   CALL amax   TILE exp(z - max)   CALL sum   TILE divide     each over all of [N,K]
 *     after    BAND{amax, exp(z - max), sum, divide}                      each over some rows
 *
 * A step fits when each row of what it makes is made of the same rows of what it reads, or when it
 * sums the rows; the rows are as many of its first axes as have N entries together. An edge is
 * aligned when its reader reads row by row what is written row by row. As in fuse.c a level
 * decides: every other edge raises it, steps of one level that aligned edges connect become one, so
 * they never wait in a circle. First every step is as early as it can be, then those that fit are
 * as late as their readers allow. */
#include "core/plan/band.h"
#include "core/plan/band_fit.h"

#include "core/space.h"
#include "core/sum.h"

#include <string.h>

enum {
    LEAST = 1 << 20, /* bytes that a band's parts read and write at least: less stays in the cache
                         anyway */
    BYTES = 1 << 18, /* of the rows of one band */
    MOST_BYTES = 1 << 21,
    ROOMS = 8 /* numbers of rows that are tried */
};

static const tl_op op_partial = {.name = "partial sums",
                                 .doc = "of blocks of rows",
                                 .grad_doc = "none",
                                 .kind = TL_OTHER,
                                 .no_gradient = 1};

typedef struct tl_bands {
    tl_graph *g;
    uint32_t block;
    uint32_t *step, n; /* of the block, in an order in which they may run */
    int64_t N;
    int with_rows; /* whether sums of a single row of N elements fit */
    uint8_t *fits; /* by step */
    uint32_t *level, *cap, *group;
    uint32_t *stamp; /* by step: the reader that was asked last, plus one */
    uint8_t *aligned;
} tl_bands;

/* ---- levels ---------------------------------------------------------------------------------- */

static uint32_t behind_views(const tl_graph *g, uint32_t v)
{
    while (g->val[v].op->kind == TL_VIEW)
        v = g->val[v].in[0];
    return v;
}

/* is_single -- whether the sum x is of a single row of N elements. */
static int is_single(const tl_graph *g, const tl_val *x, int64_t N)
{
    return tl_shape_count(g->val[x->in[0]].shape) == N;
}

static uint8_t fits(const tl_bands *b, uint32_t s)
{
    const tl_val *x = &b->g->val[b->g->step[s].val.at[0]];
    if (!tl__band_fits(b->g, s, b->N))
        return 0;
    if (b->g->step[s].kind != TL_STEP_CALL || !tl__band_sums(b->g, x, b->N) ||
        !is_single(b->g, x, b->N))
        return 1;
    return b->with_rows && b->N >= 16 * tl__sum_block(x->dtype, 1);
}

/* look_back -- marks the steps that s reads row by row. */
static void look_back(tl_bands *b, uint32_t s)
{
    const tl_graph *g = b->g;
    const tl_step *step = &g->step[s];
    for (uint32_t k = 0; b->fits[s] && k < step->val.n; k++) {
        const tl_val *x = &g->val[step->val.at[k]];
        for (uint32_t i = 0; i < x->nin; i++) {
            const uint32_t w = behind_views(g, x->in[i]), p = g->val[w].step;
            if (p == TL_NONE || p == s || g->val[w].block != b->block)
                continue;
            if (b->stamp[p] != s + 1)
                b->aligned[p] = 1;
            b->stamp[p] = s + 1;
            b->aligned[p] =
                b->aligned[p] && b->fits[p] && tl__band_aligned(g, x, x->in[i], w, b->N);
        }
    }
}

static uint32_t raise_of(const tl_bands *b, uint32_t p, uint32_t s)
{
    return !(b->stamp[p] == s + 1 && b->aligned[p]);
}

static uint32_t group_of(const tl_bands *b, uint32_t s)
{
    while (b->group[s] != s)
        s = b->group[s];
    return s;
}

static void find_groups(tl_bands *b)
{
    const tl_graph *g = b->g;
    for (uint32_t k = 0; k < b->n; k++) {
        const uint32_t s = b->step[k];
        b->fits[s] = fits(b, s);
        b->level[s] = 0;
        b->cap[s] = TL_NONE;
        b->group[s] = s;
        b->stamp[s] = 0;
    }
    for (uint32_t k = 0; k < b->n; k++) { /* as early as can be */
        const uint32_t s = b->step[k];
        look_back(b, s);
        for (uint32_t i = 0; i < g->step[s].before.n; i++) {
            const uint32_t p = g->step[s].before.at[i], l = b->level[p] + raise_of(b, p, s);
            b->level[s] = l > b->level[s] ? l : b->level[s];
        }
    }
    for (uint32_t k = b->n; k-- > 0;) { /* as late as readers allow */
        const uint32_t s = b->step[k];
        look_back(b, s);
        if (b->fits[s] && b->cap[s] != TL_NONE)
            b->level[s] = b->cap[s];
        for (uint32_t i = 0; i < g->step[s].before.n; i++) {
            const uint32_t p = g->step[s].before.at[i], l = b->level[s] - raise_of(b, p, s);
            b->cap[p] = l < b->cap[p] ? l : b->cap[p];
        }
    }
    for (uint32_t k = 0; k < b->n; k++) {
        const uint32_t s = b->step[k];
        look_back(b, s);
        for (uint32_t i = 0; i < g->step[s].before.n; i++) {
            const uint32_t p = g->step[s].before.at[i];
            if (!raise_of(b, p, s) && b->level[p] == b->level[s])
                b->group[group_of(b, p)] = group_of(b, s);
        }
    }
}

/* ---- bands ----------------------------------------------------------------------------------- */

static int64_t bytes_of(const tl_graph *g, uint32_t v)
{
    const tl_val *x = &g->val[v];
    return tl_shape_count(x->shape) * (int64_t)tl_dtype_size(x->dtype);
}

/* traffic -- bytes that a step reads and writes; views and constants count as what they show. */
static int64_t traffic(const tl_graph *g, uint32_t s)
{
    int64_t bytes = 0;
    for (uint32_t k = 0; k < g->step[s].val.n; k++) {
        const tl_val *x = &g->val[g->step[s].val.at[k]];
        if (k + 1 == g->step[s].val.n)
            bytes += bytes_of(g, g->step[s].val.at[k]);
        for (uint32_t i = 0; i < x->nin; i++)
            if (g->val[behind_views(g, x->in[i])].step != s &&
                tl__const_behind(g, x->in[i]) == TL_NONE)
                bytes += bytes_of(g, behind_views(g, x->in[i]));
    }
    return bytes;
}

/* partial_of -- the room for the partial sums of step s. */
static uint32_t partial_of(tl_graph *g, uint32_t s, int64_t N)
{
    const tl_val x = g->val[g->step[s].val.at[0]];
    const int64_t q = tl_shape_count(g->val[x.in[0]].shape) / N, block = tl__sum_block(x.dtype, q);
    const tl_shape shape = tl_shape2((N + block - 1) / block, q);
    const uint32_t v = tl__graph_add(g, &op_partial, x.block, x.dtype, shape, 0, NULL);
    if (v == TL_NONE)
        return v;
    g->val[v].resolved = 1;
    g->val[v].address = (tl_address){.root = v, .layout = tl__layout_dense(&shape)};
    return v;
}

/* make_band -- one step of those that were found to be one. */
static void make_band(tl_bands *b, uint32_t leader, int64_t length)
{
    tl_graph *g = b->g;
    uint32_t made = TL_NONE, place = 0;
    for (uint32_t k = 0; k < b->n && !g->code; k++) {
        const uint32_t s = b->step[k];
        if (!b->fits[s] || group_of(b, s) != leader)
            continue;
        const uint32_t v = g->step[s].val.at[0];
        uint32_t first = 0;
        if (made == TL_NONE) {
            made = tl__step_add(g, TL_STEP_BAND, v);
            first = 1;
        }
        if (made == TL_NONE)
            return;
        g->val[v].step = s;
        for (uint32_t i = first; i < g->step[s].val.n; i++)
            tl__list_add(g, &g->step[made].val, g->step[s].val.at[i]);
        tl__list_add(g, &g->step[made].part, s);
        for (uint32_t i = 0; i < g->step[s].before.n; i++)
            tl__list_add(g, &g->step[made].before, g->step[s].before.at[i]);
        g->step[s].within = made;
        g->step[s].block = TL_NONE;
        place = g->step[s].place > place ? g->step[s].place : place;
        if (g->step[s].kind == TL_STEP_CALL && tl__band_sums(g, &g->val[v], b->N)) {
            const uint32_t partial = partial_of(g, s, b->N);
            g->step[s].partial = partial;
            if (partial != TL_NONE)
                tl__list_add(g, &g->step[made].val, partial);
        }
    }
    if (g->code || made == TL_NONE)
        return;
    g->step[made].place = place;
    g->step[made].rows = b->N;
    g->step[made].length = length;
}

/* redirect -- edges from and to parts are the band's. */
static void redirect(tl_bands *b)
{
    tl_graph *g = b->g;
    for (uint32_t s = 0; s < g->nsteps; s++) {
        tl_list *l = &g->step[s].before;
        uint32_t n = 0;
        for (uint32_t i = 0; i < l->n; i++) {
            const uint32_t p = tl__step_whole(g, l->at[i]);
            if (p != s)
                l->at[n++] = p;
        }
        l->n = n;
    }
}

/* length_of -- rows of a band for the group of `leader`; 0: it is not worth one, -1: its sums of a
 * single row make it too long. */
static int64_t length_of(const tl_bands *b, uint32_t leader)
{
    const tl_graph *g = b->g;
    int64_t bytes = 0, least = 1;
    uint32_t parts = 0;
    for (uint32_t k = 0; k < b->n; k++) {
        const uint32_t s = b->step[k];
        if (!b->fits[s] || group_of(b, s) != leader)
            continue;
        const tl_val *x = &g->val[g->step[s].val.at[0]];
        parts++;
        bytes += traffic(g, s);
        if (g->step[s].kind == TL_STEP_CALL && tl__band_sums(g, x, b->N) && is_single(g, x, b->N))
            least = tl__sum_block(x->dtype, 1);
    }
    const int64_t row = bytes / b->N + 1;
    int64_t length = least;
    if (parts < 2 || bytes < LEAST)
        return 0;
    if (least > 1 && least * row > MOST_BYTES)
        return -1;
    while (2 * length * row <=
           (least > 1 ? BYTES / 4 : BYTES)) /* divides a block of sums, or is a multiple of it */
        length *= 2;
    return length < b->N ? length : 0;
}

static int make_bands(tl_bands *b)
{
    int made = 0;
    find_groups(b);
    for (uint32_t k = 0; k < b->n && !b->g->code; k++) {
        const uint32_t s = b->step[k];
        if (!b->fits[s] || group_of(b, s) != s)
            continue;
        const int64_t length = length_of(b, s);
        if (length > 0) {
            make_band(b, s, length);
            made = 1;
        }
        if (length < 0 && b->with_rows && !made) {
            b->with_rows = 0;
            return make_bands(b);
        }
    }
    if (made)
        redirect(b);
    return made;
}

/* ---- the pass -------------------------------------------------------------------------------- */

/* sort -- the block's steps in an order in which they may run. */
static void sort(tl_bands *b)
{
    tl_graph *g = b->g;
    uint32_t *waits = tl__graph_alloc(g, g->nsteps + 1, sizeof *waits);
    tl_list *followers = tl__graph_alloc(g, g->nsteps + 1, sizeof *followers);
    b->step = tl__graph_alloc(g, g->nsteps + 1, sizeof *b->step);
    b->n = 0;
    if (g->code)
        return;
    for (uint32_t s = 0; s < g->nsteps && !g->code; s++) {
        if (g->step[s].block != b->block)
            continue;
        waits[s] = g->step[s].before.n;
        for (uint32_t i = 0; i < g->step[s].before.n; i++)
            tl__list_add(g, &followers[g->step[s].before.at[i]], s);
        if (waits[s] == 0)
            b->step[b->n++] = s;
    }
    for (uint32_t k = 0; k < b->n && !g->code; k++) {
        const tl_list *l = &followers[b->step[k]];
        for (uint32_t i = 0; i < l->n; i++)
            if (--waits[l->at[i]] == 0)
                b->step[b->n++] = l->at[i];
    }
}

static int64_t product(const tl_shape *s, int axes)
{
    int64_t n = 1;
    for (int a = 0; a < axes; a++)
        n *= s->dim[a];
    return n;
}

/* rows_of -- how many rows a step would like to be taken apart into; 0: it does not matter. The
 * first time those that work row by row are asked, then sums over rows. */
static int64_t rows_of(const tl_graph *g, uint32_t s, int turn)
{
    const tl_val *x = &g->val[g->step[s].val.at[0]];
    if (g->step[s].kind != TL_STEP_CALL || x->nin == 0 || x->op->kind != TL_REDUCTION ||
        !x->op->apart || 4 * bytes_of(g, x->in[0]) < LEAST)
        return 0;
    const tl_attr attr = {x->ni, x->i, 0, NULL};
    const tl_shape *shape = &g->val[x->in[0]].shape;
    int axes = shape->rank;
    if (turn == 0) {
        while (axes > 0 && !x->op->apart(&attr, shape, axes))
            axes--;
    } else {
        while (axes > 0 && !(x->i[0] >> (shape->rank - axes) & 1))
            axes--;
    }
    return product(shape, axes);
}

/* find_local -- what only the parts of one band read lies in scratch. */
static void find_local(tl_graph *g)
{
    uint8_t *outside = tl__graph_alloc(g, g->nvals + 1, 1);
    for (uint32_t v = 0; outside && v < g->nvals; v++) {
        const tl_val *x = &g->val[v];
        const uint32_t own = x->step == TL_NONE ? TL_NONE : g->step[x->step].within;
        if (!x->needed)
            continue;
        if (x->keep && x->resolved)
            outside[x->address.root] = 1;
        if (x->base != TL_NONE && x->op->kind != TL_VIEW)
            outside[x->base] = 1;
        for (uint32_t k = 0; k < x->nin && x->op->kind != TL_VIEW; k++) {
            if (!g->val[x->in[k]].resolved)
                continue;
            const uint32_t root = g->val[x->in[k]].address.root, maker = g->val[root].step;
            if (own == TL_NONE || maker == TL_NONE || g->step[maker].within != own)
                outside[root] = 1;
        }
    }
    for (uint32_t b = 1; outside && b < g->nblocks; b++)
        for (uint32_t i = 0; i < g->block[b].ncarries; i++)
            outside[g->val[tl__home_of(g, g->block[b].carry[i].next)].address.root] = 1;
    for (uint32_t v = 0; outside && v < g->nvals; v++) {
        tl_val *x = &g->val[v];
        if (x->needed && x->step != TL_NONE && g->step[x->step].within != TL_NONE &&
            x->via == TL_OWN && x->address.root == v && !x->candidate && !outside[v] &&
            g->step[x->step].partial == TL_NONE)
            x->inside = 1;
    }
}

static int reserve(tl_bands *b)
{
    tl_graph *g = b->g;
    const size_t n = (size_t)g->nsteps + 1;
    b->fits = tl__graph_alloc(g, n, 1);
    b->aligned = tl__graph_alloc(g, n, 1);
    b->level = tl__graph_alloc(g, n, sizeof *b->level);
    b->cap = tl__graph_alloc(g, n, sizeof *b->cap);
    b->group = tl__graph_alloc(g, n, sizeof *b->group);
    b->stamp = tl__graph_alloc(g, n, sizeof *b->stamp);
    return g->code;
}

/* comes_after -- marks the steps of the block that run after w by the edges there are. */
static void comes_after(const tl_bands *b, uint32_t w, uint8_t *after)
{
    memset(after, 0, b->g->nsteps);
    after[w] = 1;
    for (uint32_t k = 0; k < b->n; k++) { /* in order, so once is enough */
        const tl_list *l = &b->g->step[b->step[k]].before;
        for (uint32_t i = 0; i < l->n; i++)
            after[b->step[k]] |= after[l->at[i]];
    }
}

static int reads(const tl_graph *g, uint32_t s, uint32_t root)
{
    for (uint32_t k = 0; k < g->step[s].val.n; k++) {
        const tl_val *x = &g->val[g->step[s].val.at[k]];
        for (uint32_t i = 0; i < x->nin; i++)
            if (g->val[x->in[i]].resolved && g->val[x->in[i]].address.root == root)
                return 1;
    }
    return 0;
}

/* keep_carries -- edges from the readers of a carry to what is written over it (arrange.c), so that
 * no band has to come before and after that. */
static void keep_carries(tl_graph *g, uint32_t block)
{
    tl_bands b = {.g = g, .block = block};
    uint8_t *after = tl__graph_alloc(g, (size_t)g->nsteps + 1, 1);
    for (uint32_t i = 0; i < g->block[block].ncarries && !g->code; i++) {
        const tl_gcarry *c = &g->block[block].carry[i];
        const tl_val *next = &g->val[tl__home_of(g, c->next)];
        const uint32_t w = next->step;
        if (c->room == TL_NONE || !next->candidate || w == TL_NONE || g->step[w].block != block)
            continue; /* a carry of T + 1 rows is never written over */
        sort(&b);
        if (!g->code)
            comes_after(&b, w, after);
        for (uint32_t k = 0; k < b.n && !g->code; k++)
            if (!after[b.step[k]] && reads(g, b.step[k], g->val[c->room].address.root))
                tl__list_add(g, &g->step[w].before, b.step[k]);
    }
}

void tl__pass_band(tl_graph *g)
{
    int made = 0;
    for (uint32_t block = 0; block < g->nblocks && !g->code; block++) {
        int64_t tried[ROOMS];
        int n = 0;
        keep_carries(g, block);
        for (int turn = 0; turn < 2; turn++)
            for (uint32_t s = 0, steps = g->nsteps; s < steps && !g->code && n < ROOMS; s++) {
                const int64_t N = g->step[s].block == block ? rows_of(g, s, turn) : 0;
                int known = N < 2;
                for (int k = 0; k < n && !known; k++)
                    known = tried[k] == N;
                if (known)
                    continue;
                tl_bands b = {.g = g, .block = block, .N = N, .with_rows = 1};
                tried[n++] = N;
                sort(&b);
                if (!reserve(&b))
                    made |= make_bands(&b);
            }
    }
    if (made && !g->code)
        find_local(g);
}
