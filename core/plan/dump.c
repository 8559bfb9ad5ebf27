/* dump.c -- a plan as text, for people and for tests.
 *
 *     loop, 100 steps
 *       contract  contract  f32 [32,512] | 0+4096+p0*65536 2+0 0+131072
 *       tile      add, sigmoid, ...  f32 [32,128] | 0+131072 3+0 0+0+p0*16384
 *
 * Behind the bar the operands, inputs first: base, bytes behind it, bytes for each position of the
 * loops around. */
#include "core/plan/note.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct tl_text {
    char *text;
    uint32_t n, room;
    int failed;
} tl_text;

static TL_PRINTF(2, 3) void put(tl_text *t, const char *format, ...)
{
    char line[600];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (n < 0 || t->failed)
        return;
    n = n < (int)sizeof line ? n : (int)sizeof line - 1;
    if (tl__grow(&t->text, &t->room, t->n + (uint32_t)n + 1, 1)) {
        t->failed = 1;
        return;
    }
    memcpy(t->text + t->n, line, (size_t)n + 1);
    t->n += (uint32_t)n;
}

static void put_operand(tl_text *t, const tl_operand *o)
{
    put(t, " %u+%lld", o->base, (long long)o->offset);
    for (uint32_t d = 0; d < o->ncoef; d++)
        if (o->coef[d])
            put(t, "+p%u*%lld", d, (long long)o->coef[d]);
}

static void put_block(tl_text *t, const tl_plan *p, const tl_plan_block *b)
{
    static const char *const kinds[] = {"tile", "contract", "call", "iota", "loop"};
    for (uint32_t k = 0; k < b->ninstrs; k++) {
        const tl_instr *i = &b->instr[k];
        if (i->kind == TL_INSTR_LOOP) {
            const tl_plan_block *body = &p->block[i->block];
            put(t, "%*sloop, %lld steps%s\n", (int)(2 * b->depth), "", (long long)body->T,
                body->reverse ? ", last to first" : "");
            put_block(t, p, body);
            continue;
        }
        char text[400], shape[TL_SHAPE_TEXT];
        put(t, "%*s%-9s %s  %s %s%s |", (int)(2 * b->depth), "", kinds[i->kind],
            tl__note_operations(i->note, text, sizeof text), tl_dtype_name(i->note->dtype),
            tl_shape_text(i->note->shape, shape, sizeof shape),
            i->accumulate ? " accumulating" : "");
        for (uint32_t o = 0; o < i->noperands; o++)
            put_operand(t, &i->operand[o]);
        if (i->tile && tl__tile_rows(i->tile) > 1)
            put(t, " | %lld rows at a time", (long long)tl__tile_rows(i->tile));
        put(t, "\n");
    }
}

char *tl__plan_text(const tl_plan *p)
{
    static const char *const kinds[] = {"slab", "leaf", "survivor", "number"};
    tl_text t = {0};
    put(&t, "slab of %zu bytes, %llu instructions, %u survivors\n", p->slab_bytes,
        (unsigned long long)p->ninstrs, p->nsurvivors);
    for (uint32_t k = 0; k < p->nbases; k++)
        put(&t, "base %u: %s %s\n", k, kinds[p->base[k].kind],
            k ? tl_dtype_name(p->base[k].dtype) : "");
    if (p->nblocks)
        put_block(&t, p, &p->block[0]);
    if (t.failed) {
        tl__free(t.text);
        return NULL;
    }
    return t.text;
}
