/* execute.c -- runs the instructions of a plan. Nothing here asks the tape anything but attributes
 * that are bound when run.
 *
 *     address of an operand = base + offset + sum over the loops around of position * coef
 *
 * Several workers run all of it at the same time, each its shares, and meet where share.c says.
 * When one fails the others go on to the end without working, so that nobody waits in vain. The
 * error that counts is the first in the order of meetings, then of workers: a single thread finds
 * the same. */
#include "core/plan/execute.h"

#include "core/plan/revolve.h"
#include "core/plan/watch.h"

#include <stdio.h>
#include <string.h>

/* tl_shared_run -- what the workers of a run share. */
typedef struct tl_shared_run {
    tl_exec *x;
    tl_barrier barrier;
    atomic_flag noting;    /* somebody writes x->fault */
    atomic_ullong failure; /* its place, or NOWHERE */
} tl_shared_run;

#define NOWHERE UINT64_MAX

/* tl_worker -- one thread of a run. */
typedef struct tl_worker {
    tl_exec *x;
    tl_shared_run *run;
    int index, count; /* of how many; 0 of 1 in what worker 0 runs alone */
    uint64_t met;     /* meetings so far */
    int64_t position[TL_POSITIONS];
    int64_t time;      /* steps of this period or segment */
    uint64_t draws;    /* of the steps before this one, in all loops around */
    char **data;       /* operands of a tile */
    tl_strided *array; /* operands of a call */
    char *local;       /* values of its own */
    int64_t *turns;    /* the states that are kept (revolve.h) */
    void *registers;   /* of a tile */
    tl_tally *tally;   /* of the plan's first instruction, NULL: nobody counts */
} tl_worker;

static char *address(const tl_worker *w, const tl_operand *o)
{
    char *at =
        (o->base == TL_BASE_OF_WORKER ? w->local : w->x->binding->address[o->base]) + o->offset;
    for (uint32_t d = 0; d < o->ncoef; d++)
        at += w->position[d] * o->coef[d];
    return at;
}

static const tl_node *node_of(const tl_exec *x, uint32_t ordinal)
{
    return &x->nodes[x->member[ordinal].slot];
}

/* place_of -- where a worker is: who is there earlier has the smaller number. */
static uint64_t place_of(const tl_worker *w)
{
    return w->met << 8 | (uint64_t)w->index;
}

/* fail -- notes an error, with its time steps, unless an earlier one is known. */
static void fail(const tl_worker *w, const tl_instr *i, uint32_t depth, int code,
                 const char *message)
{
    tl_shared_run *run = w->run;
    while (atomic_flag_test_and_set_explicit(&run->noting, memory_order_acquire))
        ;
    if (place_of(w) < atomic_load_explicit(&run->failure, memory_order_relaxed)) {
        tl_fault *f = &w->x->fault;
        f->code = code;
        f->op = i->op;
        f->node = i->node;
        f->depth = i->segments ? 1 : depth;
        f->is_segment = i->segments != 0;
        memcpy(f->position, w->position, sizeof f->position);
        snprintf(f->message, sizeof f->message, "%s", message[0] ? message : tl_strerror(code));
        atomic_store_explicit(&run->failure, place_of(w), memory_order_relaxed);
    }
    atomic_flag_clear_explicit(&run->noting, memory_order_release);
}

/* has_failed -- this worker, or another one before the last meeting: so all come to the same answer
 * there. */
static int has_failed(const tl_worker *w)
{
    const uint64_t at = atomic_load_explicit(&w->run->failure, memory_order_relaxed);
    return at != NOWHERE && (at >> 8 < w->met || at == place_of(w));
}

static void meet(tl_worker *w)
{
    if (w->count == 1)
        return;
    tl__barrier_wait(&w->run->barrier, w->count);
    w->met++;
}

void tl__fault_text(const tl_fault *f, char *text, size_t size)
{
    size_t n = (size_t)snprintf(text, size, "%s", f->message);
    for (uint32_t d = 0; d < f->depth && n < size; d++)
        n += (size_t)snprintf(text + n, size - n, "%s%lld",
                              d               ? ", "
                              : f->is_segment ? " of the steps from t="
                                              : " at t=",
                              (long long)f->position[d]);
}

/* share_of -- the worker's part of `units` things. */
static int64_t share_of(const tl_worker *w, int64_t units, int next)
{
    return units * (w->index + next) / w->count;
}

static void call(tl_worker *w, const tl_instr *i, uint32_t depth)
{
    tl_call c = {.op = i->op};
    tl_attr attr = i->attr;
    const uint32_t nin = i->noperands - 1;
    if (i->node != TL_NONE) {
        const tl_node *n = node_of(w->x, i->node);
        attr.nr = n->attr.nr;
        attr.r = n->attr.r;
        c.seed = n->seed;
        c.draw = n->draw + w->draws;
    }
    c.attr = &attr;
    c.nin = (int)nin;
    c.in = w->array;
    c.out = w->array[nin];
    c.message[0] = '\0';
    if (i->shared) {
        c.lo = share_of(w, i->extent, 0);
        c.hi = share_of(w, i->extent, 1);
    }
    const int code = i->shared && c.lo == c.hi ? TL_OK : i->op->run(&c);
    if (code)
        fail(w, i, depth, code, c.message);
}

static void run_band(tl_worker *w, const tl_instr *i, uint32_t depth)
{
    char message[360];
    const tl_band *b = i->band;
    const tl_band_part *part;
    const int64_t units = (b->rows + b->unit - 1) / b->unit;
    int64_t lo = 0, hi = b->rows;
    for (uint32_t k = 0; k < i->noperands; k++)
        w->data[k] = address(w, &i->operand[k]);
    if (i->shared) {
        lo = share_of(w, units, 0) * b->unit;
        hi = share_of(w, units, 1) * b->unit;
        hi = hi < b->rows ? hi : b->rows;
    }
    const int code = lo < hi && !has_failed(w)
                         ? tl__band_run(b, w->data, w->registers, lo, hi, message, &part)
                         : TL_OK;
    if (code) {
        tl_instr failed = *i;
        failed.op = part->op;
        failed.node = part->node;
        fail(w, &failed, depth, code, message);
    }
    if (i->shared)
        meet(w);
    if (w->index == 0 && !has_failed(w))
        tl__band_finish(b, w->data);
}

static void iota(const tl_strided *out)
{
    for (int64_t k = 0; k < out->shape->dim[0]; k++)
        ((int32_t *)out->data)[k * out->stride[0]] = (int32_t)k;
}

static void run_instrs(tl_worker *w, const tl_plan_block *b, uint32_t from, uint32_t to);

/* run_step -- step p of a loop. */
static void run_step(tl_worker *w, const tl_plan_block *b, int64_t p)
{
    w->position[b->depth - 1] = p;
    if (b->has_time) {
        const int32_t t = (int32_t)p;
        memcpy(address(w, &b->time), &t, sizeof t);
    }
    run_instrs(w, b, b->steps, b->trail);
}

/* run_period -- `n` steps from `first` on, with what comes before and after them. */
static void run_period(tl_worker *w, const tl_plan_block *b, int64_t first, int64_t n,
                       uint64_t draws)
{
    int64_t *position = &w->position[b->depth - 1];
    position[0] = position[TL_DEPTH] = first;
    w->time = n;
    run_instrs(w, b, 0, b->steps);
    if (b->steps > 0)
        meet(w);
    for (int64_t k = 0; k < n; k++) {
        const int64_t p = b->reverse ? first + n - 1 - k : first + k;
        w->draws = draws + (uint64_t)(b->reverse ? b->T - 1 - p : p) * b->draws;
        run_step(w, b, p);
        if (w->count == 1 && has_failed(w))
            return;
    }
    position[0] = first;
    w->time = n;
    run_instrs(w, b, b->trail, b->ninstrs);
    if (b->steps == 0 && b->trail < b->ninstrs) /* else the next period begins with waiting */
        meet(w);
}

/* run_steps -- steps [from, to) of a loop; `from` begins a period. */
static void run_steps(tl_worker *w, const tl_plan_block *b, int64_t from, int64_t to)
{
    const uint64_t draws = w->draws;
    const int64_t P = b->period   ? b->period
                      : to > from ? to - from
                                  : 1,
                  periods = (to - from + P - 1) / P;
    const int count = w->count;
    if (b->alone && w->index > 0)
        return;
    w->count = b->alone ? 1 : count;
    for (int64_t k = 0; k < periods; k++) {
        const int64_t first = from + (b->reverse ? periods - 1 - k : k) * P;
        run_period(w, b, first, to - first < P ? to - first : P, draws);
        if (w->count == 1 && has_failed(w))
            break;
    }
    w->count = count;
    w->draws = draws;
}

/* clip -- shortens the first axis of some operands to the steps of this period or segment. */
static void clip(const tl_worker *w, const tl_instr *i, tl_shape *shape)
{
    for (uint32_t k = 0; k < i->noperands; k++) {
        if (!(i->clip >> k & 1))
            continue;
        shape[k] = *w->array[k].shape;
        shape[k].dim[0] = w->time;
        w->array[k].shape = &shape[k];
    }
}

static void tile(tl_worker *w, const tl_instr *i)
{
    const int64_t extent = i->clip ? w->time : i->extent;
    if (i->shared && w->count > 1)
        tl__tile_run_part(i->tile, w->data, w->registers, share_of(w, extent, 0),
                          share_of(w, extent, 1));
    else if (i->clip)
        tl__tile_run_part(i->tile, w->data, w->registers, 0, extent);
    else
        tl__tile_run(i->tile, w->data, w->registers);
}

static void product(tl_worker *w, const tl_instr *i, uint32_t depth)
{
    const int code =
        tl__contraction_run(i->product, w->data[0], w->data[1], i->accumulate, w->data[2], w->time,
                            i->shared ? w->index : 0, i->shared ? w->count : 1);
    if (code)
        fail(w, i, depth, code, "");
}

static void run_instr(tl_worker *w, const tl_instr *i, uint32_t depth)
{
    if ((!i->shared && w->index > 0) || (i->pack && w->x->binding->ready[i->pack]))
        return;
    if (i->kind == TL_INSTR_TILE || i->kind == TL_INSTR_CONTRACT) {
        for (uint32_t k = 0; k < i->noperands; k++)
            w->data[k] = address(w, &i->operand[k]);
        if (i->kind == TL_INSTR_TILE)
            tile(w, i);
        else
            product(w, i, depth);
        return;
    }
    if (i->kind == TL_INSTR_BAND) {
        run_band(w, i, depth);
        return;
    }
    memcpy(w->array, i->array, i->noperands * sizeof *w->array);
    for (uint32_t k = 0; k < i->noperands; k++)
        w->array[k].data = address(w, &i->operand[k]);
    tl_shape shape[8]; /* as many as clip has bits */
    if (i->clip)
        clip(w, i, shape);
    if (i->kind == TL_INSTR_CALL)
        call(w, i, depth);
    else
        iota(&w->array[0]);
}

/* watch_instr -- run_instr with a look at the operands before (the result may lie in the same
 * place) and at the result after. */
static void watch_instr(tl_worker *w, const tl_instr *i, uint32_t depth)
{
    tl_watch watch = {.tape = w->x->watched, .member = w->x->member, .note = i->note};
    const uint32_t n = i->noperands;
    const char *at[TL_WATCHED_MOST];
    for (uint32_t k = 0; k < n && k < TL_WATCHED_MOST; k++)
        at[k] = address(w, &i->operand[k < TL_WATCHED_MOST - 1 ? k : n - 1]);
    tl__watch_before(&watch, n, at);
    run_instr(w, i, depth);
    if (!has_failed(w) && tl__watch_after(&watch, depth, w->position))
        fail(w, &(tl_instr){.op = watch.op, .node = watch.node}, 0, TL_ENAN, watch.message);
}

/* ---- segments (budget.c) --------------------------------------------------------------------- */

/* run_moved -- what runs for a segment, before the loop or before its adjoint. */
static void run_moved(tl_worker *w, uint32_t segments, tl_phase phase)
{
    const tl_plan_block *b = &w->x->plan->block[0];
    for (uint32_t k = 0; k < b->ninstrs; k++) {
        const tl_instr *i = &b->instr[k];
        if (i->segments != segments + 1 || i->phase != phase)
            continue;
        tl_tally *tally = w->tally ? w->tally + b->first + k : NULL;
        uint64_t start = tally ? tl__profile_clock() : 0;
        meet(w);
        if (!has_failed(w))
            (w->x->watched ? watch_instr : run_instr)(w, i, b->depth);
        if (tally)
            tl__tally(tally, &start);
    }
}

/* run_segment -- the n-th one in the direction of the loop `ahead`, of it or of its adjoint, with
 * what is computed for it. */
static void run_segment(tl_worker *w, uint32_t segments, int64_t n, int is_back)
{
    const tl_plan_segments *s = &w->x->plan->segments[segments];
    const tl_plan_block *ahead = &w->x->plan->block[s->ahead],
                        *b = is_back ? &w->x->plan->block[s->back] : ahead;
    const int64_t first = (ahead->reverse ? s->count - 1 - n : n) * s->size,
                  last = ahead->T - first < s->size ? ahead->T : first + s->size;
    w->position[0] = w->position[TL_SEGMENT] = first;
    w->time = last - first;
    run_moved(w, segments, is_back ? TL_POST : TL_PRE);
    meet(w);
    run_steps(w, b, first, last);
    meet(w);
}

/* move_state -- keeps or restores the state of the loop. */
static void move_state(tl_worker *w, const tl_plan_segments *s, int64_t slot, int restores)
{
    char *kept = w->x->slab + s->kept + slot * (int64_t)s->state_bytes;
    for (uint32_t k = 0; k < s->nstate && w->index == 0; k++) {
        char *at = address(w, &s->state[k]);
        memcpy(restores ? at : kept, restores ? kept : at, s->bytes[k]);
        kept += (s->bytes[k] + 63) / 64 * 64;
    }
    meet(w);
}

/* run_turns -- the schedule until the loop has run for the first time; from there on if is_back.
 * What comes after the first time finds the state after the last step as it was. */
static void run_turns(tl_worker *w, uint32_t segments, int is_back)
{
    const tl_plan_segments *s = &w->x->plan->segments[segments];
    tl_revolve r = tl__revolve_open(s->count, s->slots, w->turns);
    int had_back = 0;
    for (;;) {
        const tl_turn t = tl__revolve_next(&r);
        had_back |= t.kind == TL_TURN_BACK;
        if (t.kind == TL_TURN_END || (had_back && !is_back))
            break;
        if (had_back != is_back)
            continue;
        if (t.kind == TL_TURN_KEEP || t.kind == TL_TURN_RESTORE)
            move_state(w, s, t.slot, t.kind == TL_TURN_RESTORE);
        for (int64_t n = t.at; t.kind == TL_TURN_RUN && n < t.to; n++)
            run_segment(w, segments, n, 0);
        if (t.kind == TL_TURN_BACK)
            run_segment(w, segments, t.at, 1);
    }
    move_state(w, s, s->slots, is_back);
}

static void run_loop(tl_worker *w, const tl_plan_block *b)
{
    if (b->segments == TL_NONE)
        run_steps(w, b, 0, b->T);
    else
        run_turns(w, b->segments, b == &w->x->plan->block[w->x->plan->segments[b->segments].back]);
}

static void run_instrs(tl_worker *w, const tl_plan_block *b, uint32_t from, uint32_t to)
{
    tl_tally *tally = w->tally ? w->tally + b->first + from : NULL;
    uint64_t start = tally ? tl__profile_clock() : 0;
    for (const tl_instr *i = b->instr + from, *end = b->instr + to; i < end; i++) {
        if (i->wait)
            meet(w);
        if (i->kind == TL_INSTR_LOOP)
            run_loop(w, &w->x->plan->block[i->block]);
        else if (i->segments)
            ; /* run_moved() */
        else if (!has_failed(w) || i->kind == TL_INSTR_BAND)
            (w->x->watched ? watch_instr : run_instr)(w, i, b->depth);
        if (tally)
            tl__tally(tally++, &start);
    }
}

/* work -- all of the plan, by one of the workers. */
static void work(void *context, int index, int count)
{
    tl_shared_run *run = context;
    tl_exec *x = run->x;
    const tl_plan *p = x->plan;
    char *scratch = x->scratch + (size_t)index * p->scratch_bytes;
    tl_worker w = {.x = x, .run = run, .index = index, .count = count, .draws = x->draws};
    w.array = (tl_strided *)(void *)scratch;
    w.data = (char **)(void *)(w.array + p->most);
    w.local = scratch + tl__operand_bytes(p->most);
    w.turns = (int64_t *)(void *)(w.local + p->local_bytes);
    w.registers = w.local + p->local_bytes + p->turn_bytes;
    w.tally = index == 0 ? x->tally : NULL;
    run_instrs(&w, &p->block[0], 0, p->block[0].ninstrs);
}

int tl__plan_workers(const tl_plan *p)
{
    const int most = tl_threads();
    return p->workers < most ? p->workers : most;
}

int tl__execute(tl_exec *x)
{
    tl_shared_run run = {.x = x, .noting = ATOMIC_FLAG_INIT, .failure = NOWHERE};
    x->binding->address[TL_BASE_OF_SLAB] = x->slab;
    if (x->plan->nblocks == 0)
        return TL_OK;
    if (x->workers > 1)
        tl__team_run(x->workers, work, &run);
    else
        work(&run, 0, 1);
    return atomic_load_explicit(&run.failure, memory_order_relaxed) == NOWHERE ? TL_OK
                                                                               : x->fault.code;
}
