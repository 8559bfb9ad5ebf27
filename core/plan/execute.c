/* execute.c -- runs the instructions of a plan. Nothing here asks the tape anything but attributes
 * that are bound when run.
 *
 *     address of an operand = base + offset + sum over the loops around of position * coef */
#include "core/plan/execute.h"

#include <stdio.h>
#include <string.h>

/* tl_worker -- one thread of a run. */
typedef struct tl_worker {
    tl_exec *x;
    int64_t position[TL_POSITIONS];
    int64_t time;      /* steps of this period */
    uint64_t draws;    /* of the steps before this one, in all loops around */
    char **data;       /* operands of a tile */
    tl_strided *array; /* operands of a call */
    void *registers;   /* of a tile */
    tl_tally *tally;   /* of the plan's first instruction, NULL: nobody counts */
} tl_worker;

static char *address(const tl_worker *w, const tl_operand *o)
{
    char *at = w->x->binding->address[o->base] + o->offset;
    for (uint32_t d = 0; d < o->ncoef; d++)
        at += w->position[d] * o->coef[d];
    return at;
}

static const tl_node *node_of(const tl_exec *x, uint32_t ordinal)
{
    return &x->nodes[x->member[ordinal].slot];
}

/* fail -- notes an instruction's error, with its time steps. */
static int fail(tl_worker *w, const tl_instr *i, uint32_t depth, int code, const char *message)
{
    tl_fault *f = &w->x->fault;
    f->code = code;
    f->op = i->op;
    f->node = i->node;
    f->depth = depth;
    memcpy(f->position, w->position, sizeof f->position);
    snprintf(f->message, sizeof f->message, "%s", message[0] ? message : tl_strerror(code));
    return code;
}

void tl__fault_text(const tl_fault *f, char *text, size_t size)
{
    size_t n = (size_t)snprintf(text, size, "%s", f->message);
    for (uint32_t d = 0; d < f->depth && n < size; d++)
        n += (size_t)snprintf(text + n, size - n, "%s%lld",
                              d ? ", " : " at t=", (long long)f->position[d]);
}

static int call(tl_worker *w, const tl_instr *i, uint32_t depth)
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
    int code = i->op->run(&c);
    return code ? fail(w, i, depth, code, c.message) : TL_OK;
}

static int run_band(tl_worker *w, const tl_instr *i, uint32_t depth)
{
    char message[360];
    const tl_band_part *part;
    for (uint32_t k = 0; k < i->noperands; k++)
        w->data[k] = address(w, &i->operand[k]);
    const int code = tl__band_run(i->band, w->data, w->registers, 0, i->band->rows, message, &part);
    if (code) {
        tl_instr failed = *i;
        failed.op = part->op;
        failed.node = part->node;
        return fail(w, &failed, depth, code, message);
    }
    tl__band_finish(i->band, w->data);
    return TL_OK;
}

static void iota(const tl_strided *out)
{
    for (int64_t k = 0; k < out->shape->dim[0]; k++)
        ((int32_t *)out->data)[k * out->stride[0]] = (int32_t)k;
}

static int run_instrs(tl_worker *w, const tl_plan_block *b, uint32_t from, uint32_t to);

/* run_step -- step p of a loop. */
static int run_step(tl_worker *w, const tl_plan_block *b, int64_t p)
{
    w->position[b->depth - 1] = p;
    if (b->has_time) {
        const int32_t t = (int32_t)p;
        memcpy(address(w, &b->time), &t, sizeof t);
    }
    return run_instrs(w, b, b->steps, b->trail);
}

/* run_period -- `n` steps from `first` on, with what comes before and after them. */
static int run_period(tl_worker *w, const tl_plan_block *b, int64_t first, int64_t n,
                      uint64_t draws)
{
    int64_t *position = &w->position[b->depth - 1];
    position[0] = position[TL_DEPTH] = first;
    w->time = n;
    int code = run_instrs(w, b, 0, b->steps);
    for (int64_t k = 0; k < n && code == TL_OK; k++) {
        const int64_t p = b->reverse ? first + n - 1 - k : first + k;
        w->draws = draws + (uint64_t)(b->reverse ? b->T - 1 - p : p) * b->draws;
        code = run_step(w, b, p);
    }
    position[0] = first;
    w->time = n;
    return code ? code : run_instrs(w, b, b->trail, b->ninstrs);
}

static int run_loop(tl_worker *w, const tl_plan_block *b)
{
    const uint64_t draws = w->draws;
    const int64_t P = b->period ? b->period : b->T > 0 ? b->T : 1, periods = (b->T + P - 1) / P;
    int code = TL_OK;
    for (int64_t k = 0; k < periods && code == TL_OK; k++) {
        const int64_t first = (b->reverse ? periods - 1 - k : k) * P;
        code = run_period(w, b, first, b->T - first < P ? b->T - first : P, draws);
    }
    w->draws = draws;
    return code;
}

/* clip -- shortens the first axis of some operands to the steps of this period. */
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

static int tile(tl_worker *w, const tl_instr *i)
{
    tl__tile_run(i->tile, w->data, w->registers);
    return TL_OK;
}

static int product(tl_worker *w, const tl_instr *i, uint32_t depth)
{
    const int code = tl__contraction_run(i->product, w->data[0], w->data[1], i->accumulate,
                                         w->data[2], w->time, 0, 1);
    return code ? fail(w, i, depth, code, "") : TL_OK;
}

static int run_instr(tl_worker *w, const tl_instr *i, uint32_t depth)
{
    if (i->pack && w->x->binding->ready[i->pack])
        return TL_OK;
    if (i->kind == TL_INSTR_TILE || i->kind == TL_INSTR_CONTRACT) {
        for (uint32_t k = 0; k < i->noperands; k++)
            w->data[k] = address(w, &i->operand[k]);
        return i->kind == TL_INSTR_TILE ? tile(w, i) : product(w, i, depth);
    }
    if (i->kind == TL_INSTR_BAND)
        return run_band(w, i, depth);
    memcpy(w->array, i->array, i->noperands * sizeof *w->array);
    for (uint32_t k = 0; k < i->noperands; k++)
        w->array[k].data = address(w, &i->operand[k]);
    tl_shape shape[3];
    if (i->clip)
        clip(w, i, shape);
    if (i->kind == TL_INSTR_CALL)
        return call(w, i, depth);
    iota(&w->array[0]);
    return TL_OK;
}

static int run_instrs(tl_worker *w, const tl_plan_block *b, uint32_t from, uint32_t to)
{
    tl_tally *tally = w->tally ? w->tally + b->first + from : NULL;
    uint64_t start = tally ? tl__profile_clock() : 0;
    int code = TL_OK;
    for (const tl_instr *i = b->instr + from, *end = b->instr + to; i < end && code == TL_OK; i++) {
        code = i->kind == TL_INSTR_LOOP ? run_loop(w, &w->x->plan->block[i->block])
                                        : run_instr(w, i, b->depth);
        if (tally)
            tl__tally(tally++, &start);
    }
    return code;
}

int tl__execute(tl_exec *x)
{
    const tl_plan *p = x->plan;
    tl_worker w = {.x = x, .draws = x->draws, .tally = x->tally};
    w.array = (tl_strided *)(void *)x->scratch;
    w.data = (char **)(void *)(w.array + p->most);
    w.registers = x->scratch + tl__operand_bytes(p->most);
    x->binding->address[0] = x->slab;
    return p->nblocks ? run_instrs(&w, &p->block[0], 0, p->block[0].ninstrs) : TL_OK;
}
