/* dump.c -- a plan as text, for people and for tests: what lies where, and what runs.
 *
 *     plan: 3 instructions, slab of 12.5 KB, ...
 *     buffers
 *       b0    W_hh      input       f32 [512,128]       256.0 KB  leaf             #2
 *       b2  c           contract    f32 [32,512]         64.0 KB  slab+0           #2..#3
 *     loop, 100 steps  | #1
 *       contract  contract  f32 [32,512]  | #2 h[t] x W_hh -> b2 | lstm/step
 *       tile      3 sigmoid, ...  f32 [32,128]  | #3 b2, b2+128, c -> h[t+1], c in place | fused
 *
 * "shared": each thread runs a part; "waits": all threads meet before it; else one runs it.
 * Operands have the names they had on the tape when the plan was made; those without one are called
 * after their buffer. Numbers count instructions in the order of this text. */
#include "core/plan/note.h"
#include "core/prose.h"

#include <stdio.h>
#include <string.h>

typedef struct tl_life_span {
    uint32_t first, last;
} tl_life_span;

typedef struct tl_dump {
    tl_text text;
    const tl_plan *p;
    tl_life_span *span; /* by buffer; first > last: never touched */
    tl_life_span
        loop[TL_DEPTH + 1]; /* by depth: the loop around what is looked at, with its body */
    uint32_t n;             /* instructions so far */
} tl_dump;

/* ---- lives ----------------------------------------------------------------------------------- */

static uint32_t size_of(const tl_plan *p, const tl_plan_block *b)
{
    uint32_t n = b->ninstrs;
    for (uint32_t k = 0; k < b->ninstrs; k++)
        if (b->instr[k].kind == TL_INSTR_LOOP)
            n += size_of(p, &p->block[b->instr[k].block]);
    return n;
}

static void touch(tl_dump *d, uint32_t buffer, const tl_plan_block *b, uint32_t number)
{
    if (buffer == TL_NONE)
        return;
    const uint32_t depth = d->p->block[d->p->buffer[buffer].block].depth;
    const tl_life_span at = depth < b->depth ? d->loop[depth] : (tl_life_span){number, number};
    tl_life_span *s = &d->span[buffer];
    s->first = at.first < s->first ? at.first : s->first;
    s->last = at.last > s->last ? at.last : s->last;
}

/* find_spans -- what is read or written inside a loop lives through all of it, unless it is the
 * body's own. */
static void find_spans(tl_dump *d, const tl_plan_block *b)
{
    for (uint32_t k = 0; k < b->ninstrs; k++) {
        const tl_instr *i = &b->instr[k];
        const uint32_t number = d->n++;
        for (uint32_t o = 0; o < i->noperands; o++)
            touch(d, i->note->label[o].buffer, b, number);
        if (i->kind == TL_INSTR_LOOP) {
            const tl_plan_block *body = &d->p->block[i->block];
            d->loop[b->depth] = (tl_life_span){number, number + size_of(d->p, body)};
            find_spans(d, body);
        }
    }
}

/* ---- buffers --------------------------------------------------------------------------------- */

static const char *bytes_text(double bytes, char *text, size_t size)
{
    static const char *const unit[] = {"B", "KB", "MB", "GB"};
    int u = 0;
    for (; bytes >= 1024 && u < 3; u++)
        bytes /= 1024;
    snprintf(text, size, u ? "%.1f %s" : "%.0f %s", bytes, unit[u]);
    return text;
}

/* buffer_name -- its name, or its node's number on the tape, or nothing: made by a pass. */
static const char *buffer_name(const tl_plan *p, uint32_t k, char *text, size_t size)
{
    const char *name = tl__note_name(p, (tl_label){TL_NONE, k});
    text[0] = '\0';
    if (!name && p->buffer[k].node != TL_NONE)
        snprintf(text, size, "%%%u", p->known[p->buffer[k].node].slot);
    return name ? name : text;
}

/* letter_of -- a buffer's in the map. */
static char letter_of(const tl_plan *p, uint32_t k)
{
    static const char letter[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    return p->buffer[k].base == 0 ? letter[k % (sizeof letter - 1)] : ' ';
}

static const char *where(const tl_plan *p, const tl_buffer *b, char *text, size_t size)
{
    static const char *const kinds[] = {"slab",     "thread's own", "leaf",
                                        "survivor", "number",       "packed"};
    if (p->base[b->base].kind != TL_BASE_SLAB)
        return kinds[p->base[b->base].kind];
    snprintf(text, size, "slab+%lld", (long long)b->offset);
    return text;
}

static void put_buffer(tl_dump *d, uint32_t k)
{
    const tl_buffer *b = &d->p->buffer[k];
    const tl_life_span s = d->span[k];
    char name[16], type[TL_SHAPE_TEXT + 8], shape[TL_SHAPE_TEXT], bytes[24], place[32];
    snprintf(type, sizeof type, "%s %s", tl_dtype_name(b->dtype),
             tl_shape_text(b->shape, shape, sizeof shape));
    tl__put(&d->text, "  b%-4u %c %-18.40s %-11.11s %-20s %9s  %-14s #%u", k, letter_of(d->p, k),
            buffer_name(d->p, k, name, sizeof name), tl__note_maker(b), type,
            bytes_text((double)b->bytes, bytes, sizeof bytes), where(d->p, b, place, sizeof place),
            s.first);
    if (s.last > s.first)
        tl__put(&d->text, "..#%u", s.last);
    tl__put(&d->text, "\n");
}

/* put_map -- the slab from top to bottom, instructions from left to right, a letter for a buffer.
 */
static void put_map(tl_dump *d)
{
    enum { ROWS = 12, COLUMNS = 80 };
    const tl_plan *p = d->p;
    const uint32_t each = (d->n + COLUMNS - 1) / COLUMNS;
    const int64_t height = ((int64_t)p->slab_bytes + ROWS - 1) / ROWS;
    if (d->n < 2 || height == 0)
        return;
    tl__put(&d->text, "slab from top to bottom, %u instruction%s a column, letters as above\n",
            each, each > 1 ? "s" : "");
    for (int64_t row = 0; row < ROWS; row++) {
        char line[COLUMNS + 1];
        uint32_t column = 0;
        for (; column * each < d->n; column++) {
            int64_t most = 0;
            line[column] = '.';
            for (uint32_t k = 0; k < p->nbuffers; k++) {
                const tl_buffer *b = &p->buffer[k];
                const int64_t end = b->offset + (int64_t)b->bytes;
                const int64_t from = b->offset > row * height ? b->offset : row * height,
                              to = end < (row + 1) * height ? end : (row + 1) * height;
                if (b->base != 0 || to - from <= most || d->span[k].first >= (column + 1) * each ||
                    d->span[k].last < column * each)
                    continue;
                most = to - from;
                line[column] = letter_of(p, k);
            }
        }
        line[column] = '\0';
        tl__put(&d->text, "  %12lld %s\n", (long long)(row * height), line);
    }
}

/* ---- instructions ---------------------------------------------------------------------------- */

static int is_same_place(const tl_operand *a, const tl_operand *b)
{
    return a->base == b->base && a->offset == b->offset && a->ncoef == b->ncoef &&
           (a->ncoef == 0 || memcmp(a->coef, b->coef, a->ncoef * sizeof *a->coef) == 0);
}

/* put_operand -- "h[t+1]", "b2[t]+128": its name, the row by loops' positions (t, t2 inside it),
 * and the element there. */
static void put_operand(tl_dump *d, const tl_instr *i, uint32_t k)
{
    const tl_operand *o = &i->operand[k];
    const tl_label l = i->note->label[k];
    if (l.buffer == TL_NONE) {
        tl__put(&d->text, "number");
        return;
    }
    const tl_buffer *b = &d->p->buffer[l.buffer];
    const char *name = tl__note_name(d->p, l);
    int64_t rest = o->offset - b->offset;
    uint32_t moves = 0;
    tl__put(&d->text, name ? "%s" : "b%.0s%u", name ? name : "", l.buffer);
    for (uint32_t c = 0; c < o->ncoef; c++) {
        const int64_t step = o->coef[c], ahead = step > 0 && rest > 0 ? rest / step : 0;
        if (step == 0 || c == TL_SEGMENT)
            continue;
        tl__put(&d->text, moves++ ? ",t" : "[t");
        if (c > 0)
            tl__put(&d->text, "%u", c + 1);
        if (ahead > 0)
            tl__put(&d->text, "+%lld", (long long)ahead);
        rest -= ahead * step;
    }
    tl__put(&d->text, moves ? "]" : "");
    if (rest)
        tl__put(&d->text, "+%lld", (long long)(rest / (int64_t)tl_dtype_size(b->dtype)));
}

/* put_remark -- before one more remark on an instruction. */
static void put_remark(tl_dump *d, const char **between, const char *remark)
{
    tl__put(&d->text, "%s%s", *between, remark);
    *between = "; ";
}

/* put_fate -- what the passes have made of it. `alone`: no thread shares it. */
static void put_fate(tl_dump *d, const tl_instr *i, int alone)
{
    static const char *const origin[] = {"", "hoisted: all steps at once, before the loop",
                                         "moved out of the loop: the same in every step",
                                         "lifted: all steps at once, after the loop"};
    const char *between = " | ";
    if (i->note->origin != TL_ORIGIN_RECORDED)
        put_remark(d, &between, origin[i->note->origin]);
    if (i->note->nops > 1) {
        tl__put(&d->text, "%sfused %u operations", between, i->note->nops);
        between = "; ";
    }
    if (i->tile && tl__tile_rows(i->tile) > 1) {
        tl__put(&d->text, "%s%lld rows at a time", between, (long long)tl__tile_rows(i->tile));
        between = "; ";
    }
    if (i->shared && !alone)
        put_remark(d, &between, "shared");
    if (i->segments)
        put_remark(d, &between,
                   i->phase == TL_PRE ? "some steps at a time, before the loop"
                                      : "some steps at a time, before the adjoint");
    if (i->wait && !alone)
        put_remark(d, &between, "waits");
}

static void put_instr(tl_dump *d, const tl_instr *i, int indent, int alone)
{
    static const char *const kinds[] = {"tile", "contract", "call", "iota", "loop", "band"};
    const tl_note *note = i->note;
    char text[400], shape[TL_SHAPE_TEXT];
    tl__put(&d->text, "%*s%-9s %s  %s %s%s  | #%u ", indent, "", kinds[i->kind],
            tl__note_operations(note, text, sizeof text), tl_dtype_name(note->dtype),
            tl_shape_text(note->shape, shape, sizeof shape), i->accumulate ? " accumulating" : "",
            d->n);
    if (i->band)
        tl__put(&d->text, "%lld of %lld rows at a time", (long long)i->band->length,
                (long long)i->band->rows);
    const uint32_t nin = i->tile ? (uint32_t)tl__tile_inputs(i->tile) : i->noperands - 1;
    for (uint32_t k = 0; !i->band && k < i->noperands; k++) {
        if (k == nin)
            tl__put(&d->text, k ? " -> " : "-> ");
        else if (k > 0)
            tl__put(&d->text, i->kind == TL_INSTR_CONTRACT ? " x " : ", ");
        put_operand(d, i, k);
        for (uint32_t in = 0; k >= nin && in < nin; in++)
            if (is_same_place(&i->operand[k], &i->operand[in])) {
                tl__put(&d->text, " in place");
                break;
            }
    }
    const char *scope = tl__note_scope(d->p, note);
    if (scope[0])
        tl__put(&d->text, " | %s", scope);
    put_fate(d, i, alone);
    tl__put(&d->text, "\n");
}

static void put_segments(tl_dump *d, uint32_t block, const tl_plan_segments *s)
{
    tl__put(&d->text, ", %lld at a time", (long long)s->size);
    if (block == s->ahead)
        tl__put(&d->text, ", run again from %lld states", (long long)s->slots);
}

static void put_block(tl_dump *d, const tl_plan_block *b)
{
    const int indent = (int)(2 * b->depth), alone = b->alone || d->p->workers == 1;
    for (uint32_t k = 0; k < b->ninstrs; k++, d->n++) {
        const tl_instr *i = &b->instr[k];
        if (i->kind != TL_INSTR_LOOP) {
            put_instr(d, i, indent, alone);
            continue;
        }
        const tl_plan_block *body = &d->p->block[i->block];
        tl__put(&d->text, "%*sloop, %lld steps%s%s", indent, "", (long long)body->T,
                body->reverse ? ", last to first" : "",
                body->alone && !alone ? ", one thread" : "");
        if (body->segments != TL_NONE)
            put_segments(d, i->block, &d->p->segments[body->segments]);
        if (body->whole)
            tl__put(&d->text, ", all at once: no budget");
        tl__put(&d->text, "  | #%u\n", d->n++);
        put_block(d, body);
        d->n--; /* counted by the loop above */
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

char *tl__plan_text(const tl_plan *p)
{
    char slab[24], scratch[24];
    tl_dump d = {.p = p, .span = tl__alloc((p->nbuffers + 1) * sizeof *d.span)};
    if (!d.span)
        return NULL;
    for (uint32_t k = 0; k < p->nbuffers; k++)
        d.span[k] = (tl_life_span){TL_NONE, 0};
    if (p->nblocks)
        find_spans(&d, &p->block[0]);
    tl__put(&d.text, "plan: %llu instructions, slab of %s, %s of scratch a thread, %u survivors\n",
            (unsigned long long)p->ninstrs, bytes_text((double)p->slab_bytes, slab, sizeof slab),
            bytes_text((double)p->scratch_bytes, scratch, sizeof scratch), p->nsurvivors);
    tl__put(&d.text, "buffers%60s  where          live\n", "bytes");
    for (uint32_t k = 0; k < p->nbuffers; k++)
        put_buffer(&d, k);
    put_map(&d);
    tl__put(&d.text, "instructions\n");
    d.n = 0;
    if (p->nblocks)
        put_block(&d, &p->block[0]);
    tl__free(d.span);
    return tl__text_end(&d.text);
}
