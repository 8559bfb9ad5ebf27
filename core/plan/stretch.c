/* stretch.c -- what one run computes, and which of it stays.
 *
 *     slot    0   1   2   3   4   5   6   7
 *     root                        *
 *     runs            x   x       x           marks move to the operands, downwards
 *     stays           s           s           5 is a root, 2 is read by 7, which is pending
 *
 * Whatever is not live runs, live values are leaves. Slots of a frame are in topological order, so
 * one pass from the largest root to the smallest marked slot finds all. */
#include "core/plan/stretch.h"

#include "core/scan_record.h"
#include "core/space.h"

#include <string.h>

void tl__stretch_close(tl_stretch *s)
{
    tl__free(s->mark);
    tl__free(s->ordinal);
    tl__free(s->member);
    tl__free(s->key);
    tl__free(s->list);
    *s = (tl_stretch){0};
}

/* grow_zeroed -- room for one entry a slot; new ones are 0. */
static int grow_zeroed(uint32_t **array, uint32_t *capacity, uint32_t need)
{
    const uint32_t before = *capacity;
    if (tl__grow(array, capacity, need, sizeof **array))
        return TL_ENOMEM;
    if (*capacity > before)
        memset(*array + before, 0, (*capacity - before) * sizeof **array);
    return TL_OK;
}

/* reserve -- arrays by slot for the whole tape. */
static int reserve(tl_stretch *s, const tl_tape *tape)
{
    return grow_zeroed(&s->mark, &s->slots_capacity, tape->nnodes) ||
                   grow_zeroed(&s->ordinal, &s->ordinals_capacity, tape->nnodes)
               ? TL_ENOMEM
               : TL_OK;
}

/* next_turn -- makes all marks old. */
static void next_turn(tl_stretch *s)
{
    s->turn = (s->turn + 1) & 0x7fffffffu;
    if (s->turn == 0) {
        memset(s->mark, 0, s->slots_capacity * sizeof *s->mark);
        s->turn = 1;
    }
}

static int is_live(const tl_node *n)
{
    return n->life == TL_LIVE;
}

/* find -- marks what the roots need; fills list[], ascending. */
static int find(tl_stretch *s, const tl_tape *tape, int nroots, const uint32_t *roots)
{
    uint32_t open = 0, top = 0;
    next_turn(s);
    s->nlist = s->loops = 0;
    for (int i = 0; i < nroots; i++) {
        if (is_live(&tape->nodes[roots[i]]) || tl__stretch_has(s, roots[i]))
            continue;
        s->mark[roots[i]] = s->turn << 1;
        top = roots[i] > top ? roots[i] : top;
        open++;
    }
    for (uint32_t slot = top + 1; open > 0 && slot-- > 0;) {
        if (!tl__stretch_has(s, slot))
            continue;
        const tl_node *n = &tape->nodes[slot];
        open--;
        if (tl__grow(&s->list, &s->list_capacity, s->nlist + 1, sizeof *s->list))
            return TL_ENOMEM;
        s->list[s->nlist++] = slot;
        s->loops += n->op->kind == TL_LOOP;
        for (uint32_t k = 0; k < n->nin; k++)
            if (!is_live(&tape->nodes[n->in[k]]) && !tl__stretch_has(s, n->in[k])) {
                s->mark[n->in[k]] = s->turn << 1;
                open++;
            }
    }
    for (uint32_t a = 0, b = s->nlist; a + 1 < b; a++) {
        uint32_t slot = s->list[--b];
        s->list[b] = s->list[a];
        s->list[a] = slot;
    }
    return TL_OK;
}

/* keep -- slot stays, if it runs and has a value. Constants are as cheap to make again as to
 * keep. */
static void keep(tl_stretch *s, const tl_tape *tape, uint32_t slot)
{
    if (tl__stretch_has(s, slot) && tape->nodes[slot].op->kind != TL_LOOP)
        s->mark[slot] |= 1u;
}

static void keep_reads(tl_stretch *s, const tl_tape *tape, uint32_t slot)
{
    const tl_node *n = &tape->nodes[slot];
    if (!n->op->adjoint)
        return;
    if (n->op->reads & TL_READS_OUT)
        keep(s, tape, slot);
    for (uint32_t k = 0; k < n->nin && k < 30; k++)
        if (n->op->reads & TL_READS(k))
            keep(s, tape, n->in[k]);
}

static void find_survivors(tl_stretch *s, const tl_tape *tape, int nroots, const uint32_t *roots,
                           int commit)
{
    for (uint32_t k = 0; k < s->nlist; k++) {
        const tl_node *n = &tape->nodes[s->list[k]];
        if (n->want || (n->shape.rank == 0 && n->op != &tl_op_const))
            keep(s, tape, s->list[k]);
        if (!commit && !n->no_grad)
            keep_reads(s, tape, s->list[k]);
    }
    for (uint32_t slot = s->nlist ? s->list[0] : tape->nnodes; slot < tape->nnodes; slot++) {
        const tl_node *n = &tape->nodes[slot];
        if (n->frame != 0 || n->life != TL_PENDING || tl__stretch_has(s, slot))
            continue;
        for (uint32_t k = 0; k < n->nin; k++)
            if (tape->nodes[n->in[k]].op != &tl_op_const)
                keep(s, tape, n->in[k]);
    }
    for (int i = 0; i < nroots; i++)
        keep(s, tape, roots[i]);
}

/* want_residuals -- has the scans that will run record what their adjoints read. One with a budget
 * keeps nothing of the kind: its gradient runs it again. */
static int want_residuals(const tl_stretch *s, tl_tape *tape)
{
    for (uint32_t k = 0; k < s->nlist; k++) {
        const tl_node *n = &tape->nodes[s->list[k]];
        if (n->op->kind != TL_LOOP || n->no_grad)
            continue;
        if (tape->frames[n->attr.i[0]].budget > 0)
            continue;
        int code = tl__scan_want_residuals(tape, (uint32_t)n->attr.i[0]);
        if (code)
            return code;
    }
    return TL_OK;
}

/* add_wanted -- results of scans that run anyway and are marked as wanted run too; they lie
 * behind everything they need. */
static int add_wanted(tl_stretch *s, const tl_tape *tape)
{
    uint32_t before = s->nlist;
    for (uint32_t k = 0; k < before; k++) {
        const tl_node *n = &tape->nodes[s->list[k]];
        if (n->op->kind != TL_LOOP)
            continue;
        const tl_frame *f = &tape->frames[n->attr.i[0]];
        for (uint32_t r = 0; r < f->nresults; r++) {
            uint32_t slot = f->results[r];
            if (!tape->nodes[slot].want || is_live(&tape->nodes[slot]) || tl__stretch_has(s, slot))
                continue;
            if (tl__grow(&s->list, &s->list_capacity, s->nlist + 1, sizeof *s->list))
                return TL_ENOMEM;
            s->mark[slot] = s->turn << 1;
            s->list[s->nlist++] = slot;
        }
    }
    /* Insertion sort: the new ones are few, and the rest is in order. */
    for (uint32_t k = before; k < s->nlist; k++) {
        uint32_t slot = s->list[k], at = k;
        for (; at > 0 && s->list[at - 1] > slot; at--)
            s->list[at] = s->list[at - 1];
        s->list[at] = slot;
    }
    return TL_OK;
}

int tl__stretch_make(tl_stretch *s, tl_tape *tape, int nroots, const uint32_t *roots,
                     const tl_run_opts *opts)
{
    static const char what[] = "run";
    if (reserve(s, tape) || find(s, tape, nroots, roots))
        return tl_tape_fail(tape, TL_ENOMEM, what, "no memory for the marks of %u nodes",
                            tape->nnodes);
    if (s->loops && !opts->commit) {
        int code = want_residuals(s, tape);
        if (code)
            return code;
        if (reserve(s, tape))
            return tl_tape_fail(tape, TL_ENOMEM, what, "no memory for the marks of %u nodes",
                                tape->nnodes);
    }
    if (s->loops && add_wanted(s, tape))
        return tl_tape_fail(tape, TL_ENOMEM, what, "no memory for the list of %u nodes", s->nlist);
    find_survivors(s, tape, nroots, roots, opts->commit);
    if (tl__key_write(s, tape))
        return tl_tape_fail(tape, TL_ENOMEM, what, "no memory for the key of %u nodes", s->nlist);
    return TL_OK;
}
