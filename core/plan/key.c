/* key.c -- numbers the members of a stretch and writes down all that a plan depends on, and
 * nothing else.
 *
 *     switches | node | node | leaf | node | loop: carries, body node, body node, ... | node | ...
 *
 *     node   op | dtype, rank, counts, flags | extents | structural attributes | operands
 *     leaf   0  | dtype, rank                | extents | strides
 *
 * A leaf is described where it is first read. Addresses, offsets, constants, draw numbers are
 * read again at each run; of a constant the key says whether it is 1, and nothing else. */
#include "core/machine.h"
#include "core/plan/stretch.h"
#include "core/space.h"

#include <string.h>

typedef struct tl_writer {
    tl_stretch *s;
    const tl_tape *tape;
    uint32_t failed;
} tl_writer;

/* room -- the next n words of the key, NULL when memory is short. */
static uint64_t *room(tl_writer *w, uint32_t n)
{
    tl_stretch *s = w->s;
    if (s->nkey + n > s->key_capacity &&
        tl__grow(&s->key, &s->key_capacity, s->nkey + n, sizeof *s->key)) {
        w->failed = 1;
        return NULL;
    }
    uint64_t *at = s->key + s->nkey;
    s->nkey += n;
    return at;
}

static uint32_t add_member(tl_writer *w, uint32_t slot, uint32_t flags)
{
    tl_stretch *s = w->s;
    if (s->nmembers == s->members_capacity &&
        tl__grow(&s->member, &s->members_capacity, s->nmembers + 1, sizeof *s->member)) {
        w->failed = 1;
        return 0;
    }
    s->member[s->nmembers] = (tl_member){slot, flags};
    s->ordinal[slot] = s->nmembers;
    return s->nmembers++;
}

/* has_ordinal -- ordinals of earlier turns are recognised by pointing at another member. */
static int has_ordinal(const tl_stretch *s, uint32_t slot)
{
    return s->ordinal[slot] < s->nmembers && s->member[s->ordinal[slot]].slot == slot;
}

static uint64_t head(const tl_node *n, uint32_t flags)
{
    return (uint64_t)n->dtype | (uint64_t)n->shape.rank << 4 | (uint64_t)flags << 8 |
           (uint64_t)(uint32_t)n->attr.ni << 16 | (uint64_t)n->nin << 32;
}

static void write_leaf(tl_writer *w, uint32_t slot)
{
    const tl_node *n = &w->tape->nodes[slot];
    const int rank = n->shape.rank;
    add_member(w, slot, TL_MEMBER_LEAF);
    uint64_t *at = room(w, 2 + 2 * (uint32_t)rank);
    if (!at)
        return;
    *at++ = 0;
    *at++ = (uint64_t)n->dtype | (uint64_t)rank << 4;
    for (int a = 0; a < rank; a++)
        *at++ = (uint64_t)n->shape.dim[a];
    for (int a = 0; a < rank; a++)
        *at++ = (uint64_t)n->layout.stride[a];
}

static void write_leaves(tl_writer *w, const tl_node *n)
{
    for (uint32_t k = 0; k < n->nin; k++)
        if (!has_ordinal(w->s, n->in[k]))
            write_leaf(w, n->in[k]);
}

static void write_body(tl_writer *w, uint32_t frame);

static void write_node(tl_writer *w, uint32_t slot, uint32_t flags)
{
    const tl_node *n = &w->tape->nodes[slot];
    const int rank = n->shape.rank, is_loop = n->op->kind == TL_LOOP;
    const uint32_t pairs = (n->nin + 1) / 2;
    if (n->op == &tl_op_const && n->attr.r[0] == 1.0)
        flags |= TL_MEMBER_ONE;
    write_leaves(w, n);
    add_member(w, slot, flags);
    uint64_t *at = room(w, 2 + (uint32_t)rank + (uint32_t)n->attr.ni + pairs);
    if (!at || w->failed)
        return;
    *at++ = (uint64_t)(uintptr_t)n->op;
    *at++ = head(n, flags);
    for (int a = 0; a < rank; a++)
        *at++ = (uint64_t)n->shape.dim[a];
    for (int k = 0; k < n->attr.ni; k++)
        *at++ = (uint64_t)n->attr.i[k];
    if (is_loop)
        at[-1] = 0; /* which frame: the body itself follows */
    else if (n->op == &tl_op_stacked || n->op == &tl_op_summed)
        at[-1] = w->s->ordinal[n->attr.i[0]];
    for (uint32_t k = 0; k < n->nin; k += 2) {
        uint64_t low = w->s->ordinal[n->in[k]],
                 high = k + 1 < n->nin ? w->s->ordinal[n->in[k + 1]] : TL_NONE;
        *at++ = low | high << 32;
    }
    if (is_loop)
        write_body(w, (uint32_t)n->attr.i[0]);
}

static void write_body(tl_writer *w, uint32_t frame)
{
    const tl_frame *f = &w->tape->frames[frame];
    for (uint32_t k = 0; k < f->nnodes && !w->failed; k++)
        write_node(w, f->nodes[k], 0);
    uint64_t *at = room(w, 4 + 2 * f->ncarries);
    if (!at || w->failed)
        return;
    *at++ = (uint64_t)f->T;
    *at++ = f->draws;
    *at++ = (uint64_t)f->budget;
    *at++ = (uint64_t)f->reverse | (uint64_t)f->replays << 1 | (uint64_t)f->ncarries << 32;
    for (uint32_t i = 0; i < f->ncarries; i++) {
        const tl_carry *c = &f->carries[i];
        *at++ = w->s->ordinal[c->source] | (uint64_t)w->s->ordinal[c->init] << 32;
        *at++ = w->s->ordinal[c->next];
    }
}

/* hash_words -- four independent lanes of multiply and shift, so that long keys hash at memory
 * speed. */
static uint64_t hash_words(const uint64_t *word, uint32_t n)
{
    static const uint64_t mix = 0x9e3779b97f4a7c15u;
    uint64_t h[4] = {mix, ~mix, mix << 1, ~mix << 1};
    uint32_t k = 0;
    for (; k + 4 <= n; k += 4)
        for (int j = 0; j < 4; j++) {
            h[j] = (h[j] ^ word[k + j]) * mix;
            h[j] ^= h[j] >> 29;
        }
    for (; k < n; k++) {
        h[0] = (h[0] ^ word[k]) * mix;
        h[0] ^= h[0] >> 29;
    }
    uint64_t all = n;
    for (int j = 0; j < 4; j++) {
        all = (all ^ h[j]) * mix;
        all ^= all >> 32;
    }
    return all;
}

int tl__key_write(tl_stretch *s, const tl_tape *tape)
{
    tl_writer w = {s, tape, 0};
    s->nmembers = s->nkey = 0;
    uint64_t *first = room(&w, 1);
    if (first)
        *first =
            tl__passes_of(tape) | (uint64_t)tl__isa() << 20 | (uint64_t)tl__period_rows() << 24;
    for (uint32_t k = 0; k < s->nlist && !w.failed; k++)
        write_node(&w, s->list[k], tl__stretch_keeps(s, s->list[k]) ? TL_MEMBER_KEEP : 0);
    s->hash = w.failed ? 0 : hash_words(s->key, s->nkey);
    return w.failed ? TL_ENOMEM : TL_OK;
}
