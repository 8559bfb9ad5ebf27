/* scan_adjoint.c -- the adjoint of a scan, which is again a scan: the adjoint of the body from the
 * last step to the first.
 *
 *     body                    h' = f(h, x_t, W)       last(h), stacked(y), summed(z)
 *     adjoint's body          dh' carried in, each(dys), dz added; the sweep over f; dh carried on
 *
 *     carry    starts as the gradient of last(h), becomes that of the leaf h, ends as the init's
 *     stacked  the gradient of an each leaf: that of xs
 *     summed   the gradient of a capture: a contribution to its own, so a weight's is no carry
 *
 * Since this records an ordinary scan, second order needs no further line; since it is called by
 * the sweep over whatever frame the scan lies in, neither do nested scans. */
#include "core/sweep.h"

#include "core/space.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* tl_back -- a carry of the body and its way back. */
typedef struct tl_back {
    uint32_t leaf; /* position of the carry leaf */
    uint32_t next; /* position of its next value */
    uint32_t init; /* slot outside */
    tl_tensor g;   /* gradient of its last value; later the init of d */
    tl_tensor d;   /* the adjoint scan's carry; inert when no gradient comes this way */
} tl_back;

/* tl_out -- a result of the adjoint scan: where it goes. */
typedef struct tl_out {
    uint32_t slot; /* xs or capture */
    tl_tensor g;   /* value in the adjoint's body */
    int is_stacked;
} tl_out;

/* ---- which values depend on an input --------------------------------------------------------- */

static int compare_slots(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* is_constant -- for tl__scan_want_residuals, where every outer value counts as an input but
 * these. */
static int is_constant(const tl_tape *tape, uint32_t slot)
{
    const tl_node *n = &tape->nodes[slot];
    while (n->op->kind == TL_VIEW)
        n = &tape->nodes[n->in[0]];
    return n->no_grad || n->dtype == TL_I32 || n->op == &tl_op_const;
}

static int depends_outside(const tl_sweep *w, uint32_t slot)
{
    return w->up ? tl__sweep_flags(w->up, slot) != 0 : !is_constant(w->tape, slot);
}

/* can_carry -- whether a leaf hands gradients on at all. */
static int can_carry(const tl_node *leaf)
{
    return !leaf->no_grad && leaf->dtype != TL_I32;
}

/* spread -- flags of the body's values; a fixpoint, since a carry depends on what its next value
 * depends on. */
static void spread(tl_sweep *w, uint32_t ncarries, const tl_back *back)
{
    tl_tape *tape = w->tape;
    for (uint32_t p = 0; p < w->n; p++) {
        const tl_node *n = &tape->nodes[w->slot[p]];
        if (n->frame != w->frame)
            w->flags[p] = TL_SWEEP_OUTSIDE;
        else if (n->op == &tl_op_each && can_carry(n) && depends_outside(w, n->in[0]))
            w->flags[p] = TL_SWEEP_WANTED;
    }
    for (uint32_t i = 0; i < ncarries; i++)
        if (can_carry(&tape->nodes[w->slot[back[i].leaf]]) && depends_outside(w, back[i].init))
            w->flags[back[i].leaf] = TL_SWEEP_WANTED;
    for (int changed = 1; changed;) {
        tl__sweep_spread(w);
        changed = 0;
        for (uint32_t i = 0; i < ncarries; i++)
            if (!w->flags[back[i].leaf] && w->flags[back[i].next] &&
                can_carry(&tape->nodes[w->slot[back[i].leaf]])) {
                w->flags[back[i].leaf] = TL_SWEEP_WANTED;
                changed = 1;
            }
    }
}

/* open_body -- the level of the body of the loop at `loop`: its nodes, and what it reads of
 * outside that depends on an input. *back receives its carries; free it in any case. */
static int open_body(tl_sweep *w, tl_tape *tape, tl_sweep *up, uint32_t loop, int asking,
                     tl_back **back)
{
    const tl_node *n = &tape->nodes[loop];
    const tl_frame *f = &tape->frames[n->attr.i[0]];
    *back = tl__calloc(f->ncarries + 1, sizeof **back);
    if (tl__sweep_open(w, tape, up, (uint32_t)n->attr.i[0], (size_t)f->nnodes + n->nin) || !*back)
        return tl_tape_fail(tape, TL_ENOMEM, "tl_grad", "no memory to sweep a body of %u nodes",
                            f->nnodes);
    w->body = 1;
    w->asking = asking;
    for (uint32_t i = f->ncarries; i < n->nin; i++)
        if (depends_outside(w, n->in[i]))
            w->slot[w->n++] = n->in[i];
    if (f->nnodes)
        memcpy(w->slot + w->n, f->nodes, f->nnodes * sizeof *f->nodes);
    w->n += f->nnodes;
    qsort(w->slot, w->n, sizeof *w->slot, compare_slots);
    uint32_t unique = 0;
    for (uint32_t p = 0; p < w->n; p++)
        if (p == 0 || w->slot[p] != w->slot[unique - 1])
            w->slot[unique++] = w->slot[p];
    w->n = unique;
    for (uint32_t i = 0; i < f->ncarries; i++)
        (*back)[i] = (tl_back){
            .leaf = tl__sweep_find(w, f->carries[i].source),
            .next = tl__sweep_find(w, f->carries[i].next),
            .init = f->carries[i].init,
        };
    spread(w, f->ncarries, *back);
    tl__primal_plan(w);
    return TL_OK;
}

/* ---- which carries bring a gradient back ----------------------------------------------------- */

/* reach_operands -- one backward pass of marks over the body. */
static void reach_operands(const tl_sweep *w, uint8_t *reached)
{
    for (uint32_t p = w->n; p-- > 0;) {
        const tl_node *n = &w->tape->nodes[w->slot[p]];
        for (uint32_t i = 0; reached[p] && (w->flags[p] & TL_SWEEP_THROUGH) && i < n->nin; i++) {
            uint32_t o = tl__sweep_find(w, n->in[i]);
            if (o != TL_NONE && w->flags[o])
                reached[o] = 1;
        }
    }
}

/* reach -- sets active[i] for carries whose leaf or last value has a gradient: a fixpoint against
 * the running order. */
static void reach(const tl_sweep *w, uint32_t ncarries, const tl_back *back, uint8_t *reached,
                  uint8_t *active)
{
    for (uint32_t i = 0; i < ncarries; i++) {
        active[i] = back[i].g.tape != NULL;
        if (active[i] && w->flags[back[i].next])
            reached[back[i].next] = 1;
    }
    for (int changed = 1; changed;) {
        reach_operands(w, reached);
        changed = 0;
        for (uint32_t i = 0; i < ncarries; i++) {
            if (active[i] || !reached[back[i].leaf])
                continue;
            active[i] = 1;
            changed = 1;
            if (w->flags[back[i].next])
                reached[back[i].next] = 1;
        }
    }
}

/* ---- the adjoint scan ------------------------------------------------------------------------ */

/* open_adjoint -- opens the adjoint scan in scope "<scope>'". */
static tl_scan open_adjoint(tl_tape *tape, uint32_t frame)
{
    char name[256];
    const tl_frame *f = &tape->frames[frame];
    snprintf(name, sizeof name, "%s'", tape->scopes[f->scope]);
    tl_scan_opts o = tl_scan_defaults();
    o.reverse = !f->reverse;
    o.name = name;
    o.recompute = f->recompute;
    o.budget = f->budget;
    const uint32_t scope = tape->scope;
    tape->scope = 0;
    tl_scan a = tl_scan_open(tape, f->T, &o);
    if (!tape->code) {
        tape->frames[a.frame].outer_scope = scope;
        tape->frames[a.frame].replays = 1;
        tl_frame *to = &tape->frames[a.frame];
        f = &tape->frames[frame];
        to->draws = (uint64_t)0 - f->draws;
        to->moved = f->moved + (uint64_t)(f->T - 1) * f->draws;
    }
    return a;
}

/* collect -- the gradients of last values go to back[].g; marks in reached[] the values of the
 * body whose stacked or summed result has one. */
static void collect(tl_sweep *w, tl_sweep *up, uint32_t loop, tl_back *back, uint8_t *reached)
{
    tl_tape *tape = w->tape;
    for (uint32_t c = up->first[loop]; c != TL_NONE; c = up->parts[c].next) {
        const tl_tensor g = up->parts[c].g;
        const tl_node *r = &tape->nodes[up->parts[c].from];
        const uint32_t key = (uint32_t)r->attr.i[0];
        if (r->op == &tl_op_last) {
            back[key].g = g; /* the only one: a second node of this result is a constant */
        } else {
            const uint32_t p = tl__sweep_find(w, key);
            reached[p] |= w->flags[p] != 0;
        }
    }
}

/* seed -- the gradients of results as the adjoint's body sees them. */
static void seed(tl_sweep *w, tl_sweep *up, uint32_t loop, uint32_t ncarries, const tl_back *back)
{
    tl_tape *tape = w->tape;
    for (uint32_t c = up->first[loop]; c != TL_NONE && !tape->code; c = up->parts[c].next) {
        const tl_node *r = &tape->nodes[up->parts[c].from];
        const uint32_t slot = (uint32_t)r->attr.i[0];
        if (r->op == &tl_op_last || !tl__sweep_flags(w, slot))
            continue;
        const int is_stacked = r->op == &tl_op_stacked;
        tl__sweep_add(w, slot,
                      is_stacked ? tl_scan_each(w->adjoint, up->parts[c].g) : up->parts[c].g,
                      TL_NONE);
    }
    for (uint32_t i = 0; i < ncarries; i++)
        if (back[i].d.tape)
            tl__sweep_add(w, w->slot[back[i].next], back[i].d, TL_NONE);
}

/* outputs -- what the adjoint scan is to be asked for: gradients of xs and captures. */
static uint32_t outputs(tl_sweep *w, tl_out *out)
{
    tl_tape *tape = w->tape;
    uint32_t n = 0;
    for (uint32_t p = 0; p < w->n && !tape->code; p++) {
        if (w->first[p] == TL_NONE)
            continue;
        if (tape->nodes[w->slot[p]].op == &tl_op_each &&
            tape->nodes[w->slot[p]].frame == w->frame) {
            tl_tensor g = tl__sweep_sum(w, p);
            out[n++] = (tl_out){tape->nodes[w->slot[p]].in[0], g, 1};
        } else if (w->flags[p] & TL_SWEEP_OUTSIDE) {
            tl__sweep_merge(w, p);
            for (uint32_t c = w->first[p]; c != TL_NONE; c = w->parts[c].next)
                out[n++] = (tl_out){w->slot[p], w->parts[c].g, 0};
        }
    }
    return n;
}

/* carry_back -- the adjoint scan's carry: of h it is called dh. */
static tl_tensor carry_back(tl_sweep *w, const tl_back *back)
{
    const uint32_t of = w->tape->of;
    w->tape->of = w->slot[back->leaf];
    tl_tensor d = tl_scan_carry(w->adjoint, back->g);
    w->tape->of = of;
    /* it is what the steps behind have for the value after the step */
    const char *next = w->tape->nodes[w->slot[back->next]].name,
               *name = w->tape->nodes[w->slot[back->leaf]].name;
    char text[80];
    if (!next && !name)
        return d;
    snprintf(text, sizeof text, next ? "d%s" : "d%s'", next ? next : name);
    return tl_name(d, text);
}

/* run_back -- the adjoint scan from open to close, and the gradients for the level above. */
static void run_back(tl_sweep *w, tl_sweep *up, uint32_t loop, uint32_t ncarries, tl_back *back,
                     const uint8_t *active)
{
    tl_tape *tape = w->tape;
    for (uint32_t i = 0; i < ncarries; i++) {
        const tl_node *leaf = &tape->nodes[w->slot[back[i].leaf]];
        if (active[i] && !back[i].g.tape)
            back[i].g = tl_zeros(tape, leaf->dtype, leaf->shape);
    }
    w->adjoint = open_adjoint(tape, w->frame);
    for (uint32_t i = 0; i < ncarries && !tape->code; i++)
        if (active[i])
            back[i].d = carry_back(w, &back[i]);
    seed(w, up, loop, ncarries, back);
    tl__sweep_run(w);
    for (uint32_t i = 0; i < ncarries && !tape->code; i++) {
        const tl_node *leaf = &tape->nodes[w->slot[back[i].leaf]];
        const tl_dtype dtype = leaf->dtype;
        const tl_shape shape = leaf->shape;
        if (!active[i])
            continue;
        tl_tensor d = tl__sweep_sum(w, back[i].leaf);
        tl_scan_next(w->adjoint, back[i].d, d.tape ? d : tl_zeros(tape, dtype, shape));
    }
    tl_out *out = tape->code ? NULL : tl__calloc((size_t)w->nparts + w->n + 1, sizeof *out);
    if (!out) {
        tl_tape_fail(tape, TL_ENOMEM, "tl_grad", "no memory for the results of an adjoint scan");
        return;
    }
    const uint32_t n = outputs(w, out);
    tl_scan_close(w->adjoint);
    for (uint32_t k = 0; k < n && !tape->code; k++) {
        tl_tensor g = out[k].is_stacked ? tl_scan_stacked(w->adjoint, out[k].g)
                                        : tl_scan_summed(w->adjoint, out[k].g);
        tl__sweep_add(up, out[k].slot, g, TL_NONE);
    }
    for (uint32_t i = 0; i < ncarries && !tape->code; i++)
        if (active[i] && tl__sweep_flags(up, back[i].init))
            tl__sweep_add(up, back[i].init, tl_scan_last(w->adjoint, back[i].d), TL_NONE);
    tl__free(out);
}

void tl__scan_adjoint(tl_sweep *up, uint32_t position)
{
    tl_sweep w;
    tl_back *back;
    tl_tape *tape = up->tape;
    const uint32_t slot = up->slot[position];
    if (open_body(&w, tape, up, slot, 0, &back) == TL_OK) {
        const uint32_t ncarries = tape->frames[w.frame].ncarries;
        uint8_t *reached = tl__calloc((size_t)w.n + ncarries + 1, 1);
        if (reached) {
            uint8_t *active = reached + w.n;
            collect(&w, up, position, back, reached);
            reach(&w, ncarries, back, reached, active);
            run_back(&w, up, position, ncarries, back, active);
        } else {
            tl_tape_fail(tape, TL_ENOMEM, "tl_grad", "no memory to sweep a body of %u nodes", w.n);
        }
        tl__free(reached);
    }
    tl__sweep_close(&w);
    tl__free(back);
}

/* ---- residuals ------------------------------------------------------------------------------- */

/* ask -- asks for what the adjoint of one loop at level `up` (NULL: in frame 0) reads. */
static void ask(tl_tape *tape, tl_sweep *up, uint32_t loop)
{
    tl_sweep w;
    tl_back *back;
    const int code = open_body(&w, tape, up, loop, 1, &back);
    for (uint32_t p = w.n; code == TL_OK && p-- > 0 && !tape->code;) {
        const tl_node n = tape->nodes[w.slot[p]];
        if (!(w.flags[p] & TL_SWEEP_THROUGH))
            continue;
        if (n.op->kind == TL_LOOP)
            ask(tape, &w, w.slot[p]);
        for (uint32_t i = 0; i < n.nin && i < 31; i++)
            if (n.op->reads & TL_READS(i))
                tl__primal(&w, n.in[i]);
        if (n.op->reads & TL_READS_OUT)
            tl__primal(&w, w.slot[p]);
    }
    tl__sweep_close(&w);
    tl__free(back);
}

int tl__scan_want_residuals(tl_tape *tape, uint32_t frame)
{
    const tl_frame *f = &tape->frames[frame];
    if (tape->code || f->parent != 0 || f->loop == TL_NONE || tape->nodes[f->loop].no_grad)
        return tape->code;
    tape->keeping = 1;
    ask(tape, NULL, f->loop);
    tape->keeping = 0;
    return tape->code;
}
