/* share.c -- how threads share the instructions of a plan, and where they wait for one another.
 *
 *     every step of a loop      worker 0                 worker 1
 *       z += h U    [32,512]    rows 0..15               rows 16..31
 *       gates       [32,128]    rows 0..15               rows 16..31      no one waits: each reads
 *       next step               ...                      ...              what it wrote itself
 *
 * All workers run all instructions, each its share along one axis: the first that is longer than 1.
 * Inside a loop a worker goes on without waiting as long as it touches nothing that another one
 * has, so it is found out for every buffer which elements each instruction's share touches:
 *
 *     element e belongs to i = e / stride % extent     of the axis that is cut
 *
 * Two accesses with the same stride and extent belong to the same worker. Any other pair, of which
 * one writes, has a barrier between. Outside of loops, and before and after the steps of a period,
 * everybody waits before every instruction that is shared. What is not worth a share is worker 0's
 * alone; so is a loop whose steps would rather wait than work. Shares are cut by extents, so not a bit
 * depends on how many workers there are. */
#include "core/plan/plan.h"
#include "core/plan/steps.h"

#include "core/space.h"
#include "core/threads.h"

#include <math.h>
#include <string.h>

/* Nanoseconds, roughly, of AVX-512 at 3 GHz: a flop of a product, an element that one reads, an
 * operation on an element of a tile, an element of a call.
 *
 * WAIT    a barrier is 0.3 us when all come at once (bench_team), and they do not
 * WORTH   of an instruction outside of loops: it costs two waits at most
 * THREAD  of shared work in a run for each further thread: to wake one takes 20 us. An LSTM with T =
 *         50 on one thread and on two with a processor each, best of 60, us:
 *
 *             infer  B  8  H 32   105  119       train  B  8  H 16   123  114
 *                    B 16  H 16    78   59              B 16  H 16   216  170
 *                    B 16  H 32   199  120              B  8  H 32   236  173
 *                    B 16  H 64   606  332              B 16  H 64  1460  825
 *
 *         So two begin to pay at 100 us; where other programs want the processors, too, later. */
static const double FLOP = 0.01, READ = 0.05, OPERATION = 0.15, ELEMENT = 1;
static const double WAIT = 1e3, WORTH = 2e3, THREAD = 1e5;

/* tl_touch -- which elements of a buffer the workers touch: those of one cut; all by worker 0
 * (extent 0); or any (extent -1). */
typedef struct tl_touch {
    int64_t stride, extent;
} tl_touch;

enum { ALONE = 0, ANY = -1, NOBODY = -2 };
enum { OPERANDS = 4 }; /* of a call that is shared, at most */

typedef struct tl_root_state {
    tl_touch read, written; /* since the last wait */
} tl_root_state;

typedef struct tl_sharing {
    tl_graph *g;
    tl_root_state *root;
    uint32_t *touched, n; /* roots that are not as NOBODY left them */
    double shared;        /* work of the block's steps, ns */
    uint32_t waits;
} tl_sharing;

/* ---- what an instruction costs, in ns --------------------------------------------------------- */

static double count_of(const tl_graph *g, uint32_t v)
{
    if (g->val[v].op == &tl__op_pack)
        v = g->val[v].in[0];
    return (double)tl_shape_count(g->val[v].shape);
}

static double cost_of(const tl_graph *g, const tl_step *s)
{
    const tl_val *x = &g->val[s->val.at[0]];
    double n = (double)tl_shape_count(x->shape);
    if (s->kind == TL_STEP_CONTRACT) { /* (m k)(k n) / (m n) is k^2 */
        const double a = count_of(g, x->in[0]), b = count_of(g, x->in[1]);
        const double flops = n > 0 ? 2 * n * sqrt(a * b / n) * FLOP : 0, reads = (a + b) * READ;
        return flops > reads ? flops : reads;
    }
    if (s->kind == TL_STEP_CALL) /* of those that can be cut: they write all of it once */
        return n * ELEMENT;
    for (uint32_t k = 0; k < x->nin && s->kind == TL_STEP_BAND; k++)
        n = count_of(g, x->in[k]) > n ? count_of(g, x->in[k]) : n;
    return n * (double)s->val.n * OPERATION;
}

/* ---- cuts ------------------------------------------------------------------------------------ */

/* cut_product -- along the result's first axis longer than 1, or whichever suits. */
static void cut_product(tl_graph *g, tl_step *s, int anywhere)
{
    const uint32_t v = s->val.at[0];
    tl_contraction_def d;
    tl_attr labels;
    tl__contraction_define(g, v, &d, &labels);
    const int64_t *out = labels.i + labels.ni - g->val[v].shape.rank;
    s->label = TL_LABEL_NEVER;
    for (int a = 0; a < g->val[v].shape.rank && s->label == TL_LABEL_NEVER; a++)
        if (g->val[v].shape.dim[a] > 1)
            s->label = out[a];
    d.split = anywhere ? TL_LABEL_BEST : s->label;
    const tl_contraction *q = tl__contraction_new(&g->arena, &d);
    const int64_t got = q ? tl__contraction_split(q) : TL_LABEL_NONE;
    s->shared = got != TL_LABEL_NONE && (anywhere || got == s->label);
    s->label = s->shared ? d.split : TL_LABEL_NEVER;
}

/* cut_call -- in a loop only what reads nothing: others may fail, and of two that fail in different
 * steps it is the first that counts. */
static void cut_call(tl_graph *g, tl_step *s, int anywhere)
{
    const tl_val *x = &g->val[s->val.at[0]];
    const tl_attr attr = {x->ni, x->i, 0, NULL};
    tl_shape in[OPERANDS];
    if (!x->op->parts || x->clip || x->nin > OPERANDS || (!anywhere && x->nin > 0))
        return;
    for (uint32_t k = 0; k < x->nin; k++)
        in[k] = g->val[x->in[k]].shape;
    tl_parts q = {&attr, (int)x->nin, in, x->shape, x->dtype, -1};
    s->parts = x->op->parts(&q);
    s->axis = q.axis;
    s->shared = s->parts > 1 && (anywhere || s->axis >= 0);
}

static void cut(tl_graph *g, tl_step *s, int anywhere)
{
    s->shared = 0;
    if (s->kind == TL_STEP_CONTRACT)
        cut_product(g, s, anywhere);
    else if (s->kind == TL_STEP_TILE)
        s->shared = tl__iteration(&g->val[s->val.at[0]].shape).rank > 0;
    else if (s->kind == TL_STEP_BAND)
        s->shared = anywhere != 0;
    else if (s->kind == TL_STEP_CALL)
        cut_call(g, s, anywhere);
}

/* ---- what shares touch ----------------------------------------------------------------------- */

/* touch_of -- of an operand whose axis `axis` is cut: the elements belong to its index along it if
 * all else moves either within a stride or by whole cuts. */
static tl_touch touch_of(const tl_address *a, int rank, const int64_t *dim, const int64_t *stride,
                         int axis)
{
    const tl_touch any = {0, ANY};
    const int64_t s = stride[axis], d = dim[axis];
    if (s <= 0 || d <= 0)
        return any;
    int64_t inner = a->layout.offset % (s * d);
    for (int k = 0; k < rank; k++) {
        if (k == axis || dim[k] == 1 || stride[k] % (s * d) == 0)
            continue;
        if (stride[k] < 0)
            return any;
        inner += (dim[k] - 1) * stride[k];
    }
    for (uint32_t p = 0; p < TL_POSITIONS; p++)
        if (a->coef[p] % (s * d) != 0)
            return any;
    return inner >= 0 && inner < s ? (tl_touch){s, d} : any;
}

static tl_touch touch_of_tile(const tl_graph *g, const tl_step *s, uint32_t u,
                              const tl_shape *shape)
{
    const tl_shape dims = tl__iteration(shape);
    int64_t stride[TL_MAX_RANK];
    if (!s->shared || dims.rank == 0)
        return (tl_touch){0, ALONE};
    tl__iteration_strides(g, u, shape, stride);
    return touch_of(&g->val[u].address, dims.rank, dims.dim, stride, 0);
}

/* touch_of_product -- operand k (2: the result) of a product. */
static tl_touch touch_of_product(const tl_graph *g, const tl_step *s, uint32_t v, int k)
{
    const tl_val *x = &g->val[v];
    const int64_t *label = x->i;
    if (!s->shared)
        return (tl_touch){0, ALONE};
    if (k < 2 && x->packed >> k & 1)
        return (tl_touch){0, ANY};
    for (int p = 0; p < k; p++)
        label += 1 + label[0];
    const tl_val *y = k < 2 ? &g->val[x->in[k]] : x;
    for (int64_t a = 0; a < label[0]; a++)
        if (label[1 + a] == s->label)
            return touch_of(&y->address, y->shape.rank, y->shape.dim, y->address.layout.stride,
                            (int)a);
    return (tl_touch){0, ANY};
}

/* touch_of_result -- of a call. */
static tl_touch touch_of_result(const tl_graph *g, const tl_step *s, uint32_t v)
{
    const tl_val *x = &g->val[v];
    if (!s->shared)
        return (tl_touch){0, ALONE};
    return touch_of(&x->address, x->shape.rank, x->shape.dim, x->address.layout.stride, s->axis);
}

static int clashes(tl_touch a, tl_touch b)
{
    if (a.extent == NOBODY || b.extent == NOBODY)
        return 0;
    return a.extent == ANY || b.extent == ANY || a.extent != b.extent || a.stride != b.stride;
}

static tl_touch both(tl_touch a, tl_touch b)
{
    if (a.extent == NOBODY)
        return b;
    return clashes(a, b) ? (tl_touch){0, ANY} : a;
}

static void forget(tl_sharing *h)
{
    for (uint32_t k = 0; k < h->n; k++)
        h->root[h->touched[k]] = (tl_root_state){{0, NOBODY}, {0, NOBODY}};
    h->n = 0;
}

/* tl_look -- over the operands of a step: first whether it clashes, then what it leaves. */
typedef struct tl_look {
    int notes, clash;
} tl_look;

static void look(tl_sharing *h, tl_look *l, uint32_t u, tl_touch t, int writes)
{
    const tl_val *x = &h->g->val[u];
    if (!x->resolved || h->g->val[x->address.root].via == TL_BOUND)
        return;
    tl_root_state *r = &h->root[x->address.root];
    if (!l->notes) {
        l->clash |= clashes(t, r->written) || (writes && clashes(t, r->read));
        return;
    }
    if (r->read.extent == NOBODY && r->written.extent == NOBODY)
        h->touched[h->n++] = x->address.root;
    if (writes)
        r->written = both(r->written, t);
    else
        r->read = both(r->read, t);
}

static void look_at(tl_sharing *h, tl_look *l, const tl_step *s)
{
    tl_graph *g = h->g;
    const tl_touch alone = {0, ALONE};
    for (uint32_t k = 0; k < s->part.n; k++) /* of a band */
        look_at(h, l, &g->step[s->part.at[k]]);
    for (uint32_t k = 0; k < s->val.n && s->part.n == 0; k++) {
        const uint32_t v = s->val.at[k];
        const tl_val *x = &g->val[v];
        for (uint32_t i = 0; i < x->nin; i++)
            look(h, l, x->in[i],
                 s->kind == TL_STEP_TILE       ? touch_of_tile(g, s, x->in[i], &x->shape)
                 : s->kind == TL_STEP_CONTRACT ? touch_of_product(g, s, v, (int)i)
                                               : alone,
                 0);
        look(h, l, v,
             s->kind == TL_STEP_TILE       ? touch_of_tile(g, s, v, &x->shape)
             : s->kind == TL_STEP_CONTRACT ? touch_of_product(g, s, v, 2)
             : s->kind == TL_STEP_CALL     ? touch_of_result(g, s, v)
                                           : alone,
             1);
    }
}

/* visit -- a step in running order: waits if it clashes with what came since the last wait. */
static void visit(tl_sharing *h, tl_step *s)
{
    tl_look l = {0, 0};
    look_at(h, &l, s);
    if (l.clash && !s->wait) {
        s->wait = 1;
        h->waits++;
    }
    if (s->wait)
        forget(h);
    l.notes = 1;
    look_at(h, &l, s);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* has_loop -- bodies with loops in them wait before every instruction. */
static int has_loop(const tl_graph *g, const tl_block *b)
{
    for (uint32_t k = 0; k < b->nsteps; k++)
        if (g->step[b->steps[k]].kind == TL_STEP_LOOP)
            return 1;
    return 0;
}

/* share_freely -- a step outside of loops, or before or after those of a period. `former`: whether
 * the step before it was shared. */
static void share_freely(tl_graph *g, tl_step *s, int *former)
{
    if (s->kind == TL_STEP_JOIN) /* no instruction */
        return;
    s->wait = 1;
    if (s->kind == TL_STEP_LOOP) {
        *former = 1;
        return;
    }
    if (cost_of(g, s) >= WORTH || g->passes & TL_SHARE_ALL)
        cut(g, s, 1);
    s->wait = s->shared || *former;
    if (tl__is_leaf_pack(g, s->val.at[0])) { /* nobody else is where it reads and writes */
        s->wait = 0;
        *former |= s->shared;
        return;
    }
    *former = s->shared;
}

/* share_steps -- the steps of a loop; its alone flag. */
static void share_steps(tl_sharing *h, tl_block *b)
{
    tl_graph *g = h->g;
    for (uint32_t k = 0; k < b->nsteps; k++) {
        tl_step *s = &g->step[b->steps[k]];
        if (s->phase != TL_STEPS || s->kind == TL_STEP_JOIN)
            continue;
        cut(g, s, 0);
        h->shared += s->shared ? cost_of(g, s) : 0;
    }
    for (int turn = 0; turn < 2; turn++) /* a step follows the last one of the step before */
        for (uint32_t k = 0; k < b->nsteps; k++)
            if (g->step[b->steps[k]].phase == TL_STEPS && !g->code &&
                g->step[b->steps[k]].kind != TL_STEP_JOIN)
                visit(h, &g->step[b->steps[k]]);
    forget(h);
    b->alone = !(g->passes & TL_SHARE_ALL) && h->shared < 2 * h->waits * WAIT;
}

static void share_block(tl_graph *g, uint32_t block, tl_sharing *h)
{
    tl_block *b = &g->block[block];
    int former = 1;
    h->shared = 0;
    h->waits = 0;
    if (block != 0 && !has_loop(g, b)) {
        share_steps(h, b);
        for (uint32_t k = 0; k < b->nsteps; k++)
            if (g->step[b->steps[k]].phase != TL_STEPS)
                share_freely(g, &g->step[b->steps[k]], &former);
            else
                former = 1;
        return;
    }
    for (uint32_t k = 0; k < b->nsteps; k++)
        share_freely(g, &g->step[b->steps[k]], &former);
}

/* shared_work -- of a block and the loops in it. */
static double shared_work(const tl_graph *g, uint32_t block)
{
    const tl_block *b = &g->block[block];
    double work = 0;
    for (uint32_t k = 0; k < b->nsteps && !b->alone; k++) {
        const tl_step *s = &g->step[b->steps[k]];
        const double part = s->kind == TL_STEP_LOOP ? shared_work(g, g->val[s->val.at[0]].loop)
                            : s->shared             ? cost_of(g, s)
                                                    : 0;
        work += s->phase != TL_STEPS && b->period > 0 ? part / (double)b->period : part;
    }
    return work * (double)b->T;
}

int tl__pass_share(tl_graph *g)
{
    tl_sharing h = {.g = g,
                    .root = tl__graph_alloc(g, g->nvals + 1, sizeof *h.root),
                    .touched = tl__graph_alloc(g, g->nvals + 1, sizeof *h.touched)};
    double shared = 0;
    if (g->code)
        return 1;
    for (uint32_t v = 0; v < g->nvals; v++)
        h.root[v] = (tl_root_state){{0, NOBODY}, {0, NOBODY}};
    for (uint32_t b = 0; b < g->nblocks && !g->code; b++)
        share_block(g, b, &h);
    if (!g->code && g->nblocks)
        shared = shared_work(g, 0);
    if (g->passes & TL_SHARE_ALL || shared >= TL_THREADS_MAX * THREAD)
        return TL_THREADS_MAX;
    return 1 + (int)(shared / THREAD);
}
