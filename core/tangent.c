/* tangent.c -- the forward sweep over one frame.
 *
 * No operation has a rule for its tangent: the adjoint, applied twice, is one. The adjoint rule
 * gives d(u), the gradient of an operand for a gradient u of the result, linear in u; so the
 * gradient of <t, d(u)> with respect to u is the derivative applied to the operand's tangent t:
 *
 *     y = f(a)    adjoint  u -> J' u    its adjoint  t -> J t
 *
 * What the adjoint alone needed is read by nobody and not computed. */
#include "core/tangent.h"

#include "core/grad.h"
#include "core/space.h"
#include "core/sweep.h"

#include <string.h>

int tl__tangents_open(tl_tangents *l, tl_tape *tape, tl_tangents *up, size_t capacity)
{
    *l = (tl_tangents){.tape = tape, .up = up};
    const size_t each = sizeof(tl_tensor) + sizeof(uint32_t) + 1;
    l->d = capacity < TL_NONE ? tl__calloc(capacity + 1, each) : NULL;
    if (!l->d)
        return tl_tape_fail(tape, TL_ENOMEM, "tl_jvp", "no memory for %zu tangents", capacity);
    l->slot = (uint32_t *)(l->d + capacity + 1);
    l->marked = (uint8_t *)(l->slot + capacity + 1);
    return TL_OK;
}

void tl__tangents_close(tl_tangents *l)
{
    tl__free(l->d);
    l->d = NULL;
}

uint32_t tl__tangents_find(const tl_tangents *l, uint32_t slot)
{
    return tl__find_slot(l->slot, l->n, slot);
}

tl_tensor tl__tangent(const tl_tangents *l, uint32_t slot)
{
    for (; l; l = l->up) {
        const uint32_t p = tl__tangents_find(l, slot);
        if (p != TL_NONE)
            return l->d[p];
    }
    return (tl_tensor){0};
}

int tl__tangents_pass(const tl_node *n)
{
    if (n->no_grad || n->dtype == TL_I32 || n->op->kind == TL_LEAF)
        return 0;
    return n->op->kind == TL_LOOP || n->op->kind == TL_RESULT || !n->op->no_gradient;
}

/* operands -- what one node's rule is called with; room for all its operands. */
typedef struct operands {
    tl_tensor *in, *d, *t; /* value, gradient, tangent */
    tl_shape *shape;
    tl_dtype *dtype;
} operands;

/* again -- of operations that are linear by their kind: the same one of the tangents. */
static tl_tensor again(tl_tape *tape, const tl_node *n, const operands *o)
{
    for (uint32_t i = 0; i < n->nin; i++)
        if (!o->t[i].tape)
            o->t[i] = tl_zeros(tape, o->dtype[i], o->shape[i]);
    return tl__record_node(tape, n->op, n->nin, o->t, n->dtype, n->shape, &n->attr);
}

/* transposed -- the adjoint of the adjoint, summed over the operands that have a tangent. */
static tl_tensor transposed(tl_tape *tape, const tl_node *n, tl_tensor y, const operands *o)
{
    tl_adj a = {.nin = (int)n->nin, .shape = n->shape, .dtype = n->dtype, .attr = &n->attr};
    const uint32_t no_grad = tape->no_grad;
    tape->no_grad = 0; /* the adjoint is to be differentiated */
    const tl_tensor u = tl_zeros(tape, n->dtype, n->shape);
    a.g = u;
    a.in = o->in;
    a.d = o->d;
    a.in_shape = o->shape;
    a.in_dtype = o->dtype;
    for (uint32_t i = 0; i < n->nin; i++) {
        if (i < 31 && (n->op->reads & TL_READS(i)))
            o->in[i] = tl__at(tape, n->in[i]);
        if (i < 32 && o->t[i].tape)
            a.need |= 1u << i;
    }
    if (n->op->reads & TL_READS_OUT)
        a.out = y;
    n->op->adjoint(&a);
    for (uint32_t i = 0; i < n->nin && !tape->code; i++)
        if (o->d[i].tape && o->t[i].tape)
            o->d[i] = tl__fit_grad(n->op, i, o->d[i], o->dtype[i], o->shape[i]);
    tape->no_grad = no_grad;
    tl_tensor sum = {0};
    for (uint32_t i = 0; i < n->nin && !tape->code; i++) {
        tl_tensor part;
        if (!o->d[i].tape || !o->t[i].tape || tl_grad(1, &o->d[i], &o->t[i], 1, &u, &part))
            continue;
        sum = sum.tape ? tl_add(sum, part) : part;
    }
    return sum;
}

/* is_plain_view -- linear, and with the gradient of a view: those with one of their own (ops/custom.h)
 * have more operands, or numbers for it. */
static int is_plain_view(const tl_node *n)
{
    return n->op->kind == TL_VIEW && n->nin == 1 && n->attr.nr == 0;
}

/* node_tangent -- the tangent of a node from those of its operands; inert when none has one. */
static tl_tensor node_tangent(tl_tangents *l, uint32_t slot)
{
    tl_tape *tape = l->tape;
    const tl_node n = tape->nodes[slot]; /* a copy: recording moves the nodes */
    tl_tensor none = {0};
    const size_t each = 3 * sizeof(tl_tensor) + sizeof(tl_shape) + sizeof(tl_dtype);
    tl_tensor *memory = tl__calloc((size_t)n.nin + 1, each);
    if (!memory) {
        tl_tape_fail(tape, TL_ENOMEM, "tl_jvp", "no memory for %u operands", n.nin);
        return none;
    }
    operands o = {memory, memory + n.nin, memory + 2 * n.nin, NULL, NULL};
    o.shape = (tl_shape *)(memory + 3 * n.nin);
    o.dtype = (tl_dtype *)(o.shape + n.nin);
    int some = 0;
    for (uint32_t i = 0; i < n.nin; i++) {
        o.shape[i] = tape->nodes[n.in[i]].shape;
        o.dtype[i] = tape->nodes[n.in[i]].dtype;
        o.t[i] = tl__tangent(l, n.in[i]);
        some |= o.t[i].tape != NULL;
    }
    tl_tensor t = none;
    if (some && !n.op->nonlinear && (is_plain_view(&n) || n.op->kind == TL_ASSEMBLE))
        t = again(tape, &n, &o);
    else if (some && !n.op->adjoint)
        tl_tape_fail(tape, TL_ENOGRAD, n.op->name, "this operation has no gradient rule");
    else if (some && n.op->nonlinear)
        tl_tape_fail(
            tape, TL_EUNSUPPORTED, n.op->name,
            "its gradient is not linear in the one that comes in, so there is no tangent "
            "(tl_jvp, tl_hvp, TL_BY_COLUMNS); tl_grad of tl_grad and TL_BY_ROWS need none");
    else if (some)
        t = transposed(tape, &n, tl__at(tape, slot), &o);
    tl__free(memory);
    return t;
}

void tl__tangents_run(tl_tangents *l)
{
    tl_tape *tape = l->tape;
    for (uint32_t p = 0; p < l->n && !tape->code; p++) {
        const tl_node *n = &tape->nodes[l->slot[p]];
        if (!l->marked[p] || !tl__tangents_pass(n) || n->op->kind == TL_RESULT)
            continue;
        if (n->op->kind == TL_LOOP) {
            tl__tangent_scan(l, p);
            continue;
        }
        const tl_tensor t = node_tangent(l, l->slot[p]);
        if (t.tape)
            l->d[p] = l->d[p].tape ? tl_add(l->d[p], t) : t;
    }
}
