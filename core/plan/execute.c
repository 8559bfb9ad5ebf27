/* execute.c -- runs the instructions of a plan. Nothing here asks the tape anything but attributes
 * that are bound when run.
 *
 *     address of an operand = base + offset + sum over the loops around of position * coef */
#include "core/plan/plan.h"

#include "core/gemm.h"

#include <stdio.h>
#include <string.h>

typedef struct tl_executor {
    tl_plan *p;
    tl_tape *tape;
    const tl_stretch *s;
    char *slab;
    int64_t position[TL_DEPTH];
    uint64_t draws; /* of the steps before this one, in all loops around */
} tl_executor;

static char *address(const tl_executor *x, const tl_operand *o)
{
    char *at = x->p->address[o->base] + o->offset;
    for (uint32_t d = 0; d < o->ncoef; d++)
        at += x->position[d] * o->coef[d];
    return at;
}

/* fail -- an instruction's error, with scope and time. */
static int fail(tl_executor *x, const tl_instr *i, uint32_t depth, int code, const char *message)
{
    char at[24 * TL_DEPTH] = "";
    size_t n = 0;
    const uint32_t scope = x->tape->scope;
    for (uint32_t d = 0; d < depth; d++)
        n += (size_t)snprintf(at + n, sizeof at - n, "%s%lld",
                              d ? ", " : " at t=", (long long)x->position[d]);
    if (i->node != TL_NONE)
        x->tape->scope = x->tape->nodes[x->s->member[i->node].slot].scope;
    tl_tape_fail(x->tape, code, i->op->name, "%s%s", message[0] ? message : tl_strerror(code), at);
    x->tape->scope = scope;
    return code;
}

static int call(tl_executor *x, tl_instr *i, uint32_t depth)
{
    tl_call c;
    tl_attr attr = i->attr;
    const uint32_t nin = i->noperands - 1;
    c.op = i->op;
    c.seed = c.draw = 0;
    if (i->node != TL_NONE) {
        const tl_node *n = &x->tape->nodes[x->s->member[i->node].slot];
        attr.nr = n->attr.nr;
        attr.r = n->attr.r;
        c.seed = n->seed;
        c.draw = n->draw + x->draws;
    }
    c.attr = &attr;
    c.nin = (int)nin;
    c.in = i->array;
    c.out = i->array[nin];
    c.message[0] = '\0';
    int code = i->op->run(&c);
    return code ? fail(x, i, depth, code, c.message) : TL_OK;
}

static void iota(const tl_instr *i)
{
    const tl_strided *out = &i->array[0];
    for (int64_t k = 0; k < out->shape->dim[0]; k++)
        ((int32_t *)out->data)[k * out->stride[0]] = (int32_t)k;
}

static int run_block(tl_executor *x, const tl_plan_block *b);

static int run_loop(tl_executor *x, const tl_plan_block *b)
{
    const uint64_t draws = x->draws;
    int code = TL_OK;
    for (int64_t k = 0; k < b->T && code == TL_OK; k++) {
        const int64_t p = b->reverse ? b->T - 1 - k : k;
        x->position[b->depth - 1] = p;
        x->draws = draws + (uint64_t)k * b->draws;
        if (b->has_time) {
            const int32_t t = (int32_t)p;
            memcpy(address(x, &b->time), &t, sizeof t);
        }
        code = run_block(x, b);
    }
    x->draws = draws;
    return code;
}

static int run_block(tl_executor *x, const tl_plan_block *b)
{
    int code = TL_OK;
    for (tl_instr *i = b->instr, *end = i + b->ninstrs; i < end && code == TL_OK; i++) {
        if (i->kind == TL_INSTR_LOOP) {
            code = run_loop(x, &x->p->block[i->block]);
            continue;
        }
        if (i->kind == TL_INSTR_TILE) {
            for (uint32_t k = 0; k < i->noperands; k++)
                i->data[k] = address(x, &i->operand[k]);
            tl__tile_run(i->tile, i->data, x->slab);
            continue;
        }
        for (uint32_t k = 0; k < i->noperands; k++)
            i->array[k].data = address(x, &i->operand[k]);
        if (i->kind == TL_INSTR_CONTRACT) {
            code = tl__contract(&i->attr, &i->array[0], &i->array[1], i->accumulate, &i->array[2]);
            if (code)
                fail(x, i, b->depth, code, "");
        } else if (i->kind == TL_INSTR_CALL) {
            code = call(x, i, b->depth);
        } else {
            iota(i);
        }
    }
    return code;
}

int tl__execute(tl_plan *p, tl_tape *tape, const tl_stretch *s, char *slab)
{
    tl_executor x = {.p = p, .tape = tape, .s = s, .slab = slab};
    p->address[0] = slab;
    return p->nblocks ? run_block(&x, &p->block[0]) : TL_OK;
}
