/* note.c -- what people are told of a plan.
 *
 *     instruction   contract  f32 [32,512]
 *     note          operations {contract}, 128 summed, hoisted, operands {xs, W_ih, buffer 3}
 *     buffer 3      made by contract, f32 [64,32,512], slab+4096
 *
 * Names are those of the stretch the plan was made for. A value without one is called after what
 * it is a view of, a carry's room after the carry. */
#include "core/plan/note.h"

#include "core/space.h"

#include <stdio.h>
#include <string.h>

static void *plan_alloc(tl_plan *p, tl_graph *g, size_t count, size_t size)
{
    size_t bytes;
    void *memory = tl__mul_size(count, size, &bytes) ? NULL : tl__arena_alloc(&p->arena, bytes);
    if (memory)
        memset(memory, 0, bytes);
    else
        tl__graph_fail(g, TL_ENOMEM, "no memory for the plan");
    return memory;
}

static const char *plan_text(tl_plan *p, tl_graph *g, const char *text)
{
    const size_t size = strlen(text) + 1;
    char *copy = plan_alloc(p, g, size, 1);
    return copy ? memcpy(copy, text, size) : NULL;
}

void tl__note_members(tl_plan *p, tl_graph *g, const tl_tape *tape, const tl_stretch *s)
{
    if (g->code)
        return;
    const char **scope = tl__graph_alloc(g, tape->nscopes, sizeof *scope);
    p->known = plan_alloc(p, g, s->nmembers + 1, sizeof *p->known);
    for (uint32_t m = 0; m < s->nmembers && !g->code; m++) {
        const tl_node *n = &tape->nodes[s->member[m].slot];
        if (!scope[n->scope])
            scope[n->scope] = plan_text(p, g, tape->scopes[n->scope]);
        p->known[m] = (tl_known){n->name ? plan_text(p, g, n->name) : NULL, scope[n->scope],
                                 s->member[m].slot};
    }
}

/* ---- names ----------------------------------------------------------------------------------- */

static int is_named(const tl_notes *n, uint32_t ordinal)
{
    return ordinal != TL_NONE && n->p->known[ordinal].name;
}

/* find_names -- by value: the ordinal that it is called by. */
static void find_names(tl_notes *n)
{
    tl_graph *g = n->g;
    for (uint32_t v = 0; v < g->nvals; v++)
        n->called[v] = g->val[v].node;
    for (uint32_t b = 1; b < g->nblocks; b++)
        for (uint32_t i = 0; i < g->block[b].ncarries; i++) {
            const tl_gcarry *c = &g->block[b].carry[i];
            if (c->room != TL_NONE)
                n->called[c->room] = g->val[c->source].node;
        }
    for (uint32_t v = 0; v < g->nvals; v++) { /* results are called after what they show, or it
                                                 after them */
        const tl_val *x = &g->val[v];
        if (!x->resolved || x->address.root == v)
            continue;
        if (is_named(n, x->node) && !is_named(n, n->called[x->address.root]) &&
            (x->op->kind == TL_RESULT || x->keep))
            n->called[x->address.root] = x->node;
    }
}

void tl__notes_open(tl_notes *n, tl_plan *p, tl_graph *g)
{
    *n = (tl_notes){p,
                    g,
                    tl__graph_alloc(g, g->nvals + 1, sizeof *n->called),
                    tl__graph_alloc(g, g->nvals + 1, sizeof *n->buffer),
                    {0},
                    {0}};
    if (g->code)
        return;
    memset(n->buffer, 0xff, (g->nvals + 1) * sizeof *n->buffer);
    find_names(n);
}

/* label_of -- a value that was not named is called as what it is a view of. */
static tl_label label_of(tl_notes *n, uint32_t v, int is_number)
{
    const tl_graph *g = n->g;
    const uint32_t root = g->val[v].address.root;
    while (!is_named(n, n->called[v]) && g->val[v].nin > 0 &&
           (g->val[v].op->kind == TL_VIEW || g->val[v].op == &tl_op_each))
        v = g->val[v].in[0];
    if (is_number)
        return (tl_label){n->called[v], TL_NONE};
    if (n->buffer[root] == TL_NONE) {
        n->buffer[root] = n->root.n;
        tl__list_add(n->g, &n->root, root);
    }
    if (!is_named(n, n->called[v]) && is_named(n, n->called[root]))
        v = root;
    return (tl_label){n->called[v], n->buffer[root]};
}

void tl__note_operand(tl_notes *n, uint32_t v)
{
    if (!n->g->code)
        tl__list_add(n->g, &n->operand, v);
}

/* ---- work ------------------------------------------------------------------------------------ */

static double count_of(const tl_val *v)
{
    return (double)tl_shape_count(v->shape);
}

/* bytes_of -- of the elements that v shows, each once. */
static double bytes_of(const tl_val *v)
{
    double n = (double)tl_dtype_size(v->dtype);
    for (int a = 0; a < v->shape.rank; a++)
        if (v->address.layout.stride[a] != 0 || v->shape.dim[a] == 0)
            n *= (double)v->shape.dim[a];
    return n;
}

/* summed_of -- terms of each element of a product. */
static int64_t summed_of(const tl_graph *g, const tl_val *v)
{
    const int64_t ra = v->i[0], rb = v->i[1 + ra], ro = v->i[2 + ra + rb];
    const int64_t *a = v->i + 1, *out = v->i + 3 + ra + rb;
    int64_t n = 1;
    for (int64_t x = 0; x < ra; x++) {
        int64_t o = 0;
        while (o < ro && out[o] != a[x])
            o++;
        n *= o == ro ? g->val[v->in[0]].shape.dim[x] : 1;
    }
    return n;
}

static double flops_of(const tl_graph *g, const tl_val *v)
{
    switch (v->op->kind) {
    case TL_CONTRACTION:
        return 2 * count_of(v) * (double)summed_of(g, v);
    case TL_POINTWISE:
        return v->nin > 0 && v->op != &tl__op_copy ? count_of(v) : 0;
    case TL_REDUCTION:
        return count_of(&g->val[v->in[0]]);
    default:
        return 0;
    }
}

/* moved_by -- bytes of the operands; of a table only as much as is picked. */
static double moved_by(const tl_notes *n, const tl_val *last, uint32_t noperands)
{
    const tl_graph *g = n->g;
    const double out = bytes_of(last);
    double bytes = last->accumulate ? out : 0;
    for (uint32_t k = 0; k < noperands; k++) {
        const uint32_t v = n->operand.at[k];
        double b = tl__const_behind(g, v) == TL_NONE ? bytes_of(&g->val[v]) : 0;
        bytes += last->op->kind == TL_GATHER && b > out ? out : b;
    }
    return bytes;
}

static void note_places(tl_notes *n, tl_note *note, uint32_t noperands)
{
    const tl_graph *g = n->g;
    note->place = plan_alloc(n->p, n->g, noperands + 1, sizeof *note->place);
    for (uint32_t k = 0; note->place && k < noperands; k++) {
        const tl_val *x = &g->val[n->operand.at[k]];
        tl_place *at = &note->place[k];
        *at = (tl_place){.node = x->node, .dtype = x->dtype, .shape = x->shape};
        memcpy(at->stride, x->address.layout.stride, sizeof at->stride);
    }
}

void tl__note_make(tl_notes *n, tl_instr *i, const tl_step *s)
{
    tl_graph *g = n->g;
    const uint32_t noperands = n->operand.n;
    n->operand.n = 0;
    if (g->code)
        return;
    tl_note *note = plan_alloc(n->p, g, 1, sizeof *note);
    const tl_op **op = plan_alloc(n->p, g, s->val.n, sizeof *op);
    tl_label *label = plan_alloc(n->p, g, noperands + 1, sizeof *label);
    if (g->code)
        return;
    const tl_val *last = &g->val[s->val.at[s->val.n - 1]];
    note->node = TL_NONE;
    for (uint32_t k = 0; k < s->val.n; k++) {
        const tl_val *x = &g->val[s->val.at[k]];
        op[k] = x->op;
        note->flops += flops_of(g, x);
        note->origin = x->origin ? x->origin : note->origin;
        if (note->node == TL_NONE)
            note->node = x->node;
    }
    for (uint32_t k = 0; k < noperands; k++) {
        const uint32_t v = n->operand.at[k];
        const int is_scratch = g->val[g->val[v].address.root].inside; /* no buffer, like a number */
        label[k] =
            label_of(n, v, is_scratch || n->p->base[i->operand[k].base].kind == TL_BASE_SCALAR);
    }
    if (g->passes & TL_WATCH)
        note_places(n, note, noperands);
    note->op = op;
    note->nops = s->val.n;
    note->label = label;
    note->dtype = last->dtype;
    note->shape = last->shape;
    note->summed = last->op->kind == TL_CONTRACTION ? summed_of(g, last) : 0;
    note->bytes = moved_by(n, last, noperands);
    i->note = note;
}

/* ---- buffers --------------------------------------------------------------------------------- */

void tl__notes_close(tl_notes *n, const uint32_t *base, const int64_t *offset)
{
    tl_graph *g = n->g;
    if (g->code)
        return;
    tl_plan *p = n->p;
    p->buffer = plan_alloc(p, g, n->root.n + 1, sizeof *p->buffer);
    if (!p->buffer)
        return;
    p->nbuffers = n->root.n;
    for (uint32_t k = 0; k < p->nbuffers; k++) {
        const uint32_t v = n->root.at[k];
        const tl_val *x = &g->val[v];
        p->buffer[k] = (tl_buffer){.op = x->op,
                                   .node = n->called[v],
                                   .block = x->block,
                                   .dtype = x->dtype,
                                   .shape = x->shape,
                                   .base = base[v] == TL_NONE ? 0 : base[v],
                                   .offset = base[v] == TL_NONE ? offset[v] : 0,
                                   .bytes = tl__root_bytes(g, v)};
    }
}

/* ---- text ------------------------------------------------------------------------------------ */

char *tl__note_operations(const tl_note *note, char *text, size_t size)
{
    size_t at = 0;
    text[0] = '\0';
    for (uint32_t k = 0; k < note->nops && at < size; k++) {
        uint32_t before = 0, n = 0;
        for (uint32_t j = 0; j < note->nops; j++) {
            before += j < k && note->op[j] == note->op[k];
            n += note->op[j] == note->op[k];
        }
        if (before)
            continue;
        at += (size_t)snprintf(text + at, size - at, at ? ", " : "");
        if (at < size && n > 1)
            at += (size_t)snprintf(text + at, size - at, "%u ", n);
        if (at < size)
            at += (size_t)snprintf(text + at, size - at, "%s", note->op[k]->name);
    }
    return text;
}

const char *tl__note_scope(const tl_plan *p, const tl_note *note)
{
    return note->node == TL_NONE ? "" : p->known[note->node].scope;
}

const char *tl__note_name(const tl_plan *p, tl_label l)
{
    if (l.node != TL_NONE && p->known[l.node].name)
        return p->known[l.node].name;
    if (l.buffer == TL_NONE || p->buffer[l.buffer].node == TL_NONE)
        return NULL;
    return p->known[p->buffer[l.buffer].node].name;
}

const char *tl__note_maker(const tl_buffer *b)
{
    return b->op == &tl__op_room ? "carry" : b->op->name;
}
