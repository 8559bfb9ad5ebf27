/* fuse.c -- groups pointwise values into steps that run in one pass over memory; everything else
 * becomes a step of its own.
 *
 *     level 0    a   b   c
 *     level 1    x = a+b   y = tanh x   z = y*c   -- one group
 *     level 2    w = x @ z   v = w+x              -- v is a group, w a step of its own
 *
 * The level of a pointwise value is that of the pointwise values it reads element by element in
 * the same extents, and one more than that of anything else it reads; a group is what has one
 * block, one level and one iteration space; of many elements only what reads one another or reads the
 * same, so that each group streams few arrays. Whatever leads from one group to another raises the
 * level, so groups never wait for one another in a circle. */
#include "core/plan/steps.h"

#include "core/space.h"

#include <string.h>

enum { MOST = 48, MANY = 4096 }; /* values of a group; elements */

void tl__list_add(tl_graph *g, tl_list *l, uint32_t x)
{
    if (l->n == l->room) {
        uint32_t room = l->room ? 2 * l->room : 4;
        uint32_t *at = tl__graph_alloc(g, room, sizeof *at);
        if (!at)
            return;
        if (l->n)
            memcpy(at, l->at, l->n * sizeof *at);
        l->at = at;
        l->room = room;
    }
    l->at[l->n++] = x;
}

uint32_t tl__step_add(tl_graph *g, tl_step_kind kind, uint32_t v)
{
    if (g->code)
        return TL_NONE;
    if (tl__grow(&g->step, &g->steps_capacity, g->nsteps + 1, sizeof *g->step)) {
        tl__graph_fail(g, TL_ENOMEM, "no memory for step %u of the plan", g->nsteps);
        return TL_NONE;
    }
    tl_step *s = &g->step[g->nsteps];
    memset(s, 0, sizeof *s);
    s->kind = kind;
    s->block = g->val[v].block;
    s->phase = g->val[v].phase;
    s->within = s->partial = TL_NONE;
    tl__list_add(g, &s->val, v);
    g->val[v].step = g->nsteps;
    return g->nsteps++;
}

void tl__step_depend(tl_graph *g, uint32_t s, uint32_t v)
{
    const tl_val *x = &g->val[v];
    if (x->block != g->step[s].block)
        return;
    if (x->step != TL_NONE) {
        const uint32_t whole = tl__step_whole(g, x->step);
        if (whole != s)
            tl__list_add(g, &g->step[s].before, whole);
        return;
    }
    for (uint32_t k = 0; k < x->nin; k++)
        tl__step_depend(g, s, g->val[v].in[k]);
    if (g->val[v].after != TL_NONE)
        tl__step_depend(g, s, g->val[v].after);
}

tl_shape tl__iteration(const tl_shape *s)
{
    tl_shape out = {0};
    for (int a = 0; a < s->rank; a++)
        if (s->dim[a] != 1)
            out.dim[out.rank++] = s->dim[a];
    return out;
}

void tl__iteration_strides(const tl_graph *g, uint32_t operand, const tl_shape *shape,
                           int64_t *stride)
{
    tl_layout l;
    const tl_val *u = &g->val[operand];
    tl__layout_broadcast(&u->shape, &u->address.layout, shape, &l);
    int n = 0;
    for (int a = 0; a < shape->rank; a++)
        if (shape->dim[a] != 1)
            stride[n++] = l.stride[a];
}

/* ---- levels ---------------------------------------------------------------------------------- */

static int is_fusible(const tl_graph *g, const tl_val *v, uint32_t src)
{
    const tl_val *u = &g->val[src];
    if (!tl__is_pointwise(u) || u->block != v->block || u->phase != v->phase ||
        u->segments != v->segments || u->solo || v->solo || !(g->passes & TL_PASS_FUSE))
        return 0;
    return tl_shape_equal(tl__iteration(&u->shape), tl__iteration(&v->shape));
}

/* reads_within -- whether v reads operand u element by element from the same group. */
static int reads_within(const tl_graph *g, const tl_val *v, uint32_t u)
{
    return is_fusible(g, v, tl__through_views(g, u)) &&
           tl_shape_count(g->val[u].shape) == tl_shape_count(v->shape);
}

static uint32_t level_of(const tl_graph *g, const tl_val *v)
{
    uint32_t level = 0;
    const int pointwise = tl__is_pointwise(v);
    for (uint32_t k = 0; k < v->nin; k++) {
        const tl_val *u = &g->val[v->in[k]];
        if (u->block != v->block || (pointwise && tl__const_behind(g, v->in[k]) != TL_NONE))
            continue;
        uint32_t l = u->level + (pointwise && !reads_within(g, v, v->in[k]));
        level = l > level ? l : level;
    }
    if (v->after != TL_NONE && g->val[v->after].level + 1 > level)
        level = g->val[v->after].level + 1;
    return level;
}

/* sink_levels -- a value that only pointwise ones of its own extents read moves to the first of
 * their levels: it is computed where it is read and never stored. */
static void sink_levels(tl_graph *g, const tl_block *b)
{
    uint32_t *lowest = tl__graph_alloc(g, g->nvals + 1, sizeof *lowest);
    uint8_t *bound = tl__graph_alloc(g, g->nvals + 1, 1);
    if (g->code)
        return;
    for (uint32_t k = b->norder; k-- > 0;) { /* users before operands */
        const uint32_t v = b->order[k];
        tl_val *x = &g->val[v];
        if (tl__is_pointwise(x) && !x->solo && !x->keep && !bound[v] && lowest[v] > x->level + 1)
            x->level = lowest[v] - 1;
        if (x->after != TL_NONE)
            bound[x->after] = 1;
        for (uint32_t i = 0; i < x->nin; i++) {
            const uint32_t u = tl__through_views(g, x->in[i]);
            if (!tl__is_pointwise(x) || !reads_within(g, x, x->in[i]))
                bound[x->in[i]] = bound[u] = 1;
            else if (lowest[u] == 0 || lowest[u] > x->level + 1)
                lowest[u] = x->level + 1;
        }
    }
}

/* ---- groups ---------------------------------------------------------------------------------- */

typedef struct tl_groups {
    uint32_t *table, size; /* hash table of the steps that still take values */
    uint32_t *kin;         /* by value: towards the one that stands for all its kin */
} tl_groups;

static uint32_t kin_of(tl_groups *t, uint32_t v)
{
    while (t->kin[v] != v)
        v = t->kin[v] = t->kin[t->kin[v]];
    return v;
}

/* find_kin -- pointwise values of one level that read one another, or the same. */
static void find_kin(tl_graph *g, tl_groups *t, const tl_block *b)
{
    uint32_t *reader = tl__graph_alloc(g, g->nvals + 1, sizeof *reader); /* plus one */
    for (uint32_t k = 0; reader && k < b->norder; k++) {
        const uint32_t v = b->order[k];
        const tl_val *x = &g->val[v];
        for (uint32_t i = 0; i < x->nin && tl__is_pointwise(x); i++) {
            const uint32_t u = tl__through_views(g, x->in[i]);
            if (tl__const_behind(g, u) != TL_NONE)
                continue;
            if (reads_within(g, x, x->in[i]) && g->val[u].level == x->level)
                t->kin[kin_of(t, v)] = kin_of(t, u);
            else if (reader[u] && g->val[reader[u] - 1].level == x->level)
                t->kin[kin_of(t, v)] = kin_of(t, reader[u] - 1);
            reader[u] = v + 1;
        }
    }
}

/* family_of -- what a value of many elements has in common with its group; others take all. */
static uint32_t family_of(const tl_graph *g, tl_groups *t, uint32_t v)
{
    return tl_shape_count(g->val[v].shape) > MANY ? kin_of(t, v) : TL_NONE;
}

static uint32_t hash_group(uint32_t level, uint32_t family, const tl_shape *s)
{
    uint64_t h = ((uint64_t)family << 32) + level + 1;
    for (int a = 0; a < s->rank; a++)
        h = (h * 0x9e3779b97f4a7c15u) ^ (uint64_t)s->dim[a] ^ (h >> 31);
    return (uint32_t)((h * 0x9e3779b97f4a7c15u) >> 32);
}

static void group(tl_graph *g, tl_groups *t, uint32_t v)
{
    const tl_val *x = &g->val[v];
    if (x->solo || !(g->passes & TL_PASS_FUSE)) {
        tl__step_add(g, TL_STEP_TILE, v);
        return;
    }
    const tl_shape shape = tl__iteration(&x->shape);
    const uint32_t family = family_of(g, t, v);
    uint32_t at = hash_group(x->level, family, &shape) & (t->size - 1);
    for (; t->table[at] != TL_NONE; at = (at + 1) & (t->size - 1)) {
        const tl_val *first = &g->val[g->step[t->table[at]].val.at[0]];
        if (first->block == x->block && first->phase == x->phase &&
            first->segments == x->segments && first->level == x->level &&
            family_of(g, t, g->step[t->table[at]].val.at[0]) == family &&
            tl_shape_equal(tl__iteration(&first->shape), shape))
            break;
    }
    if (t->table[at] != TL_NONE && g->step[t->table[at]].val.n < MOST) {
        tl__list_add(g, &g->step[t->table[at]].val, v);
        g->val[v].step = t->table[at];
        return;
    }
    t->table[at] = tl__step_add(g, TL_STEP_TILE, v);
}

static void make_step(tl_graph *g, tl_groups *t, uint32_t v)
{
    const tl_val *x = &g->val[v];
    switch (x->op->kind) {
    case TL_POINTWISE:
        if (x->nin > 0)
            group(g, t, v);
        else if (x->material)
            tl__step_add(g, TL_STEP_TILE, v);
        break;
    case TL_CONTRACTION:
        tl__step_add(g, TL_STEP_CONTRACT, v);
        break;
    case TL_ASSEMBLE:
        tl__step_add(g, TL_STEP_JOIN, v);
        break;
    case TL_LOOP:
        tl__step_add(g, TL_STEP_LOOP, v);
        break;
    case TL_REDUCTION:
    case TL_GATHER:
    case TL_RANDOM:
        tl__step_add(g, TL_STEP_CALL, v);
        break;
    case TL_OTHER:
        if (x->op == &tl__op_iota)
            tl__step_add(g, TL_STEP_IOTA, v);
        else if (x->op->run)
            tl__step_add(g, TL_STEP_CALL, v);
        break;
    default:
        break; /* views, leaves, results: somebody else's memory */
    }
}

/* find_materials -- constants that must lie in memory: results, and what is read otherwise than
 * as a number in a tile. */
static void find_materials(tl_graph *g)
{
    for (uint32_t v = 0; v < g->nvals; v++) {
        const tl_val *x = &g->val[v];
        if (!x->needed)
            continue;
        if (x->keep)
            g->val[x->address.root].material = 1;
        if (x->op->kind == TL_VIEW || x->op->kind == TL_LOOP) /* counts where it is read */
            continue;
        for (uint32_t k = 0; k < x->nin; k++)
            if (g->val[x->in[k]].resolved &&
                !(tl__is_pointwise(x) && tl__const_behind(g, x->in[k]) != TL_NONE))
                g->val[g->val[x->in[k]].address.root].material = 1;
    }
}

void tl__pass_fuse(tl_graph *g)
{
    tl_groups t = {NULL, 64, tl__graph_alloc(g, g->nvals + 1, sizeof *t.kin)};
    if (g->code)
        return;
    while (t.size < 2 * g->nvals)
        t.size *= 2;
    t.table = tl__graph_alloc(g, t.size, sizeof *t.table);
    if (!t.table)
        return;
    memset(t.table, 0xff, t.size * sizeof *t.table);
    for (uint32_t v = 0; v < g->nvals; v++)
        t.kin[v] = v;
    find_materials(g);
    for (uint32_t b = 0; b < g->nblocks && !g->code; b++) {
        for (uint32_t k = 0; k < g->block[b].norder; k++) {
            tl_val *x = &g->val[g->block[b].order[k]];
            x->level = level_of(g, x);
        }
        sink_levels(g, &g->block[b]);
        find_kin(g, &t, &g->block[b]);
    }
    for (uint32_t b = 0; b < g->nblocks; b++)
        for (uint32_t k = 0; k < g->block[b].norder && !g->code; k++) {
            uint32_t v = g->block[b].order[k];
            make_step(g, &t, v);
            if (g->val[v].step != TL_NONE && !g->code)
                g->step[g->val[v].step].place = k;
        }
    for (uint32_t s = 0; s < g->nsteps && !g->code; s++)
        for (uint32_t k = 0; k < g->step[s].val.n; k++) {
            const uint32_t v = g->step[s].val.at[k];
            for (uint32_t i = 0; i < g->val[v].nin; i++)
                tl__step_depend(g, s, g->val[v].in[i]);
            if (g->val[v].after != TL_NONE)
                tl__step_depend(g, s, g->val[v].after);
        }
}
