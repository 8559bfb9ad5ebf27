/* dump.c -- a plan as text, for people and for tests.
 *
 *     loop, 100 steps
 *       contract  contract  f32 [32,512] | 0+4096+p0*65536 2+0 0+131072
 *       tile      add, sigmoid, ...  f32 [32,128] | 0+131072 3+0 0+0+p0*16384
 *
 * Behind the bar the operands, inputs first: base, bytes behind it, bytes for each position of the
 * loops around. */
#include "core/plan/note.h"
#include "core/prose.h"

static void put_operand(tl_text *t, const tl_operand *o)
{
    tl__put(t, " %u+%lld", o->base, (long long)o->offset);
    for (uint32_t d = 0; d < o->ncoef; d++)
        if (o->coef[d])
            tl__put(t, "+p%u*%lld", d, (long long)o->coef[d]);
}

static void put_block(tl_text *t, const tl_plan *p, const tl_plan_block *b)
{
    static const char *const kinds[] = {"tile", "contract", "call", "iota", "loop"};
    for (uint32_t k = 0; k < b->ninstrs; k++) {
        const tl_instr *i = &b->instr[k];
        if (i->kind == TL_INSTR_LOOP) {
            const tl_plan_block *body = &p->block[i->block];
            tl__put(t, "%*sloop, %lld steps%s\n", (int)(2 * b->depth), "", (long long)body->T,
                    body->reverse ? ", last to first" : "");
            put_block(t, p, body);
            continue;
        }
        char text[400], shape[TL_SHAPE_TEXT];
        tl__put(t, "%*s%-9s %s  %s %s%s |", (int)(2 * b->depth), "", kinds[i->kind],
                tl__note_operations(i->note, text, sizeof text), tl_dtype_name(i->note->dtype),
                tl_shape_text(i->note->shape, shape, sizeof shape),
                i->accumulate ? " accumulating" : "");
        for (uint32_t o = 0; o < i->noperands; o++)
            put_operand(t, &i->operand[o]);
        if (i->tile && tl__tile_rows(i->tile) > 1)
            tl__put(t, " | %lld rows at a time", (long long)tl__tile_rows(i->tile));
        tl__put(t, "\n");
    }
}

char *tl__plan_text(const tl_plan *p)
{
    static const char *const kinds[] = {"slab", "leaf", "survivor", "number"};
    tl_text t = {0};
    tl__put(&t, "slab of %zu bytes, %llu instructions, %u survivors\n", p->slab_bytes,
            (unsigned long long)p->ninstrs, p->nsurvivors);
    for (uint32_t k = 0; k < p->nbases; k++)
        tl__put(&t, "base %u: %s %s\n", k, kinds[p->base[k].kind],
                k ? tl_dtype_name(p->base[k].dtype) : "");
    if (p->nblocks)
        put_block(&t, p, &p->block[0]);
    return tl__text_end(&t);
}
