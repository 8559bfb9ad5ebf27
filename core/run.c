/* run.c -- from a request to numbers: find what runs, look its plan up or make it, bind it,
 * execute it, give the tape what survives.
 *
 *     stretch, key --> cache --hit--> bind --> execute --> publish
 *                        '-miss-> plan'
 *
 * Everything that can fail comes before publishing, so a failed run changes no node. */
#include "core/run.h"

#include "core/plan/cache.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- switches -------------------------------------------------------------------------------- */

static atomic_uint passes_mask; /* the switches that are off */
static atomic_int passes_known;

/* The names that TL_PASSES switches off: "-fuse,-hoist". */
static const struct {
    const char *name;
    unsigned bit;
} pass_names[] = {
    {"-fuse", TL_PASS_FUSE}, {"-hoist", TL_PASS_HOIST},       {"-layout", TL_PASS_LAYOUT},
    {"-sink", TL_PASS_SINK}, {"-period", TL_PASS_PERIOD},     {"-reduce", TL_PASS_REDUCE},
    {"-pack", TL_PASS_PACK}, {"-simplify", TL_PASS_SIMPLIFY}, {"-recompute", TL_PASS_RECOMPUTE},
    {"-join", TL_PASS_JOIN},
};
enum {
    PASSES = sizeof pass_names / sizeof *pass_names,
    ALL_PASSES = (1 << PASSES) - 1,
    SWITCHES = ALL_PASSES | TL_SHARE_ALL
};

static unsigned passes_of_environment(void)
{
    const char *text = getenv("TL_PASSES");
    unsigned mask = ALL_PASSES;
    for (int k = 0; text && k < PASSES; k++)
        if (strstr(text, pass_names[k].name))
            mask &= ~pass_names[k].bit;
    return text && strstr(text, "+share") ? mask | TL_SHARE_ALL : mask;
}

unsigned tl__passes(void)
{
    if (!atomic_load_explicit(&passes_known, memory_order_acquire))
        tl__set_passes(passes_of_environment());
    return SWITCHES & ~atomic_load_explicit(&passes_mask, memory_order_relaxed);
}

void tl__set_passes(unsigned mask)
{
    atomic_store_explicit(&passes_mask, SWITCHES & ~mask, memory_order_relaxed);
    atomic_store_explicit(&passes_known, 1, memory_order_release);
}

unsigned tl__passes_of(const tl_tape *tape)
{
    return tape->anomaly ? TL_PASS_LAYOUT | TL_WATCH : tl__passes();
}

static atomic_llong period_rows; /* 0: not known yet */

int64_t tl__period_rows(void)
{
    enum { ROWS = 384 };
    int64_t rows = atomic_load_explicit(&period_rows, memory_order_relaxed);
    if (rows == 0) {
        const char *text = getenv("TL_PERIOD_ROWS");
        rows = text ? strtoll(text, NULL, 10) : 0;
        rows = rows > 0 ? rows : ROWS;
        tl__set_period_rows(rows);
    }
    return rows;
}

void tl__set_period_rows(int64_t rows)
{
    atomic_store_explicit(&period_rows, rows, memory_order_relaxed);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- binding --------------------------------------------------------------------------------- */

static const tl_node *node_of(const tl_tape *tape, const tl_stretch *s, uint32_t ordinal)
{
    return &tape->nodes[s->member[ordinal].slot];
}

/* let_go -- the fresh buffers of a run that failed, or the run's own references after
 * publishing. */
static void let_go(tl_cached *e)
{
    for (uint32_t k = 0; k < e->plan->nbases; k++) {
        tl__buf_unref(e->binding.fresh[k]);
        e->binding.fresh[k] = NULL;
    }
}

static int bind(tl_cached *e, tl_tape *tape, const tl_stretch *s)
{
    const tl_plan *p = e->plan;
    tl_binding *to = &e->binding;
    for (uint32_t k = TL_BASE_OF_WORKER + 1; k < p->nbases; k++) {
        const tl_base *b = &p->base[k];
        if (b->kind == TL_BASE_LEAF) {
            const tl_node *n = node_of(tape, s, b->node);
            to->address[k] =
                (char *)n->buf->data + n->layout.offset * (int64_t)tl_dtype_size(b->dtype);
        } else if (b->kind == TL_BASE_SCALAR) {
            tl__binding_scalar(to, p, k,
                               b->node == TL_NONE ? 0.0 : node_of(tape, s, b->node)->attr.r[0]);
        } else if (b->kind == TL_BASE_FRESH) {
            to->fresh[k] = tl__buf_new(b->bytes);
            if (!to->fresh[k]) {
                let_go(e);
                return tl_tape_fail(tape, TL_ENOMEM, "run", "no memory for a value of %zu bytes",
                                    b->bytes);
            }
            to->address[k] = to->fresh[k]->data;
        }
    }
    if (tl__binding_packs(to, p, tape->nodes, s->member)) {
        let_go(e);
        return tl_tape_fail(tape, TL_ENOMEM, "run", "no memory to pack the operands of products");
    }
    return TL_OK;
}

/* publish -- cannot fail. Survivors become live, what else ran in frame 0 is dropped. */
static void publish(tl_cached *e, tl_tape *tape, const tl_stretch *s)
{
    const tl_plan *p = e->plan;
    tl__binding_keep_packs(&e->binding, p, tape->nodes, s->member);
    for (uint32_t k = 0; k < s->nlist; k++)
        tape->nodes[s->list[k]].life = TL_DROPPED;
    for (uint32_t k = 0; k < p->nsurvivors; k++) {
        const tl_survivor *v = &p->survivor[k];
        const tl_base *b = &p->base[v->base];
        tl_node *n = &tape->nodes[s->member[v->node].slot];
        tl_buf *buf = e->binding.fresh[v->base];
        n->layout = v->layout;
        if (b->kind == TL_BASE_LEAF) {
            const tl_node *leaf = node_of(tape, s, b->node);
            buf = leaf->buf;
            n->layout.offset += leaf->layout.offset;
        }
        n->buf = tl__buf_ref(buf);
        n->life = TL_LIVE;
    }
}

/* ---- running --------------------------------------------------------------------------------- */

static tl_cached *find_plan(tl_plan_cache *c, tl_tape *tape)
{
    tl_cached *e = tl__cache_find(c, &c->stretch);
    c->stats.plan_seconds = 0;
    if (e) {
        c->stats.hits++;
        return e;
    }
    const double start = now();
    tl_plan *p = tl__plan_make(tape, &c->stretch);
    e = p ? tl__cache_put(c, &c->stretch, p, tape->opts.plans) : NULL;
    if (p && !e) {
        tl_tape_fail(tape, TL_ENOMEM, "run", "no memory to keep a plan");
        tl__plan_free(p);
    }
    c->stats.plans += e != NULL;
    c->stats.plan_seconds = now() - start;
    return e;
}

/* report -- a run's fault as the tape's error, in the scope of the node. */
static int report(tl_tape *tape, const tl_stretch *s, const tl_fault *f)
{
    char text[sizeof f->message + 24 * TL_DEPTH];
    const uint32_t scope = tape->scope;
    tl__fault_text(f, text, sizeof text);
    if (f->node != TL_NONE)
        tape->scope = node_of(tape, s, f->node)->scope;
    tl_tape_fail(tape, f->code, f->op->name, "%s", text);
    tape->scope = scope;
    return f->code;
}

static int execute(tl_tape *tape, tl_plan_cache *c, tl_cached *e)
{
    const tl_plan *p = e->plan;
    const int workers = tape->anomaly ? 1 : tl__plan_workers(p);
    const size_t scratch = (size_t)workers * p->scratch_bytes, bytes = p->slab_bytes + scratch;
    char *slab = tl__cache_slab(c, bytes);
    if (!slab)
        return tl_tape_fail(tape, TL_ENOMEM, "run", "no memory for a slab of %zu bytes", bytes);
    tl_exec x = {.plan = p,
                 .nodes = tape->nodes,
                 .member = c->stretch.member,
                 .binding = &e->binding,
                 .workers = workers,
                 .scratch = slab,
                 .slab = slab + scratch,
                 .tally = tl__profile_begin(&e->tallies, p),
                 .watched = tape->anomaly ? tape : NULL};
    const double start = now();
    tape->running = 1;
    const int code = tl__execute(&x);
    tape->running = 0;
    c->stats.run_seconds = now() - start;
    c->stats.instructions = p->ninstrs;
    c->stats.slab_bytes = p->slab_bytes + p->scratch_bytes;
    if (x.tally) {
        const tl_run_time time = {c->stats.key_seconds, c->stats.plan_seconds, c->stats.run_seconds,
                                  workers, c->stats.plan_seconds > 0};
        tl__profile_end(&e->tallies, p, &time);
    }
    return code ? report(tape, &c->stretch, &x.fault) : TL_OK;
}

int tl__run(tl_tape *tape, int nroots, const uint32_t *roots, const tl_run_opts *opts)
{
    if (tape->code)
        return tape->code;
    tl_plan_cache *c = tl__cache_of(tape);
    if (!c)
        return tape->code;
    const double start = now();
    int code = tl__stretch_make(&c->stretch, tape, nroots, roots, opts);
    if (code || c->stretch.nlist == 0)
        return code;
    c->last = NULL;
    c->stats.runs++;
    c->stats.key_seconds = now() - start;
    tl_cached *e = find_plan(c, tape);
    if (!e)
        return tape->code;
    c->last = e->plan;
    code = bind(e, tape, &c->stretch);
    if (code)
        return code;
    code = execute(tape, c, e);
    if (code == TL_OK)
        publish(e, tape, &c->stretch);
    let_go(e);
    return code;
}

tl_run_stats tl__run_stats(const tl_tape *tape)
{
    return tape->plans ? tape->plans->stats : (tl_run_stats){0};
}

char *tl__plan_dump(const tl_tape *tape)
{
    return tape->plans && tape->plans->last ? tl__plan_text(tape->plans->last) : NULL;
}
