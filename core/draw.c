/* draw.c -- from the tape to boxes and edges.
 *
 * Vertices are made in an order in which operands come first; a scan drawn step by step has one for
 * each node of its body and step, and its carries, last values and residuals are looked through:
 * whoever reads h of step t is joined to what h was made of. */
#include "core/drawing.h"

#include "core/space.h"

#include <stdio.h>
#include <string.h>

tl_draw_opts tl_draw_defaults(void)
{
    tl_draw_opts o = {.to = TL_NONE, .limit = 400, .unroll = 8, .adjoint = 1};
    return o;
}

/* is_steps -- whether the frame is drawn step by step. */
static int is_steps(const tl_drawing *d, uint32_t frame)
{
    const tl_frame *f = &d->tape->frames[frame];
    return frame && f->parent == 0 && f->loop != TL_NONE && f->T > 0 && f->T <= d->opts.unroll;
}

/* step_of -- how many steps before t in the order of running. */
static int64_t step_of(const tl_frame *f, int64_t t)
{
    return f->reverse ? f->T - 1 - t : t;
}

/* is_stacked -- values of the steps of a scan that is drawn step by step. */
static int is_stacked(const tl_drawing *d, uint32_t slot)
{
    const tl_node *n = &d->tape->nodes[slot];
    return n->op == &tl_op_stacked && is_steps(d, (uint32_t)d->tape->nodes[n->in[0]].attr.i[0]);
}

/* is_gradient -- what an adjoint scan takes of a gradient that comes from behind the scan. */
static int is_gradient(const tl_drawing *d, const tl_node *n)
{
    return n->op == &tl_op_each && n->of != TL_NONE && is_steps(d, n->frame) &&
           d->tape->nodes[n->in[0]].of != TL_NONE;
}

uint32_t tl__draw_resolve(const tl_drawing *d, uint32_t slot, int64_t t)
{
    const tl_tape *tape = d->tape;
    for (;;) {
        const tl_node *n = &tape->nodes[slot];
        const tl_frame *f = &tape->frames[n->frame];
        if (n->frame && !is_steps(d, n->frame)) {
            while (f->parent && !is_steps(d, f->parent))
                f = &tape->frames[f->parent];
            if (f->loop == TL_NONE)
                return TL_NONE;
            slot = f->loop;
            continue;
        }
        if (n->op == &tl_op_carry) {
            const tl_carry *c = &f->carries[n->attr.i[0]];
            const int is_first = step_of(f, t) == 0;
            slot = is_first ? c->init : c->next;
            t = is_first ? -1 : t + (f->reverse ? 1 : -1);
            continue;
        }
        if (n->op == &tl_op_each && is_stacked(d, n->in[0])) {
            slot = (uint32_t)tape->nodes[n->in[0]].attr.i[0];
            continue;
        }
        if (is_gradient(d, n)) {
            slot = n->in[0];
            t = -1;
            continue;
        }
        if (n->op == &tl_op_last && is_steps(d, (uint32_t)tape->nodes[n->in[0]].attr.i[0])) {
            const tl_frame *body = &tape->frames[tape->nodes[n->in[0]].attr.i[0]];
            slot = body->carries[n->attr.i[0]].next;
            t = body->reverse ? 0 : body->T - 1;
            continue;
        }
        if (n->frame == 0)
            return d->at[slot];
        return d->at[slot] == TL_NONE ? TL_NONE
                                      : d->at[slot] + (uint32_t)step_of(f, t) * d->stride[slot];
    }
}

static int add_operand(tl_drawing *d, tl_vertex *v, uint32_t vertex)
{
    if (vertex == TL_NONE)
        return TL_OK;
    if (tl__grow(&d->in, &d->in_capacity, d->nin + 1, sizeof *d->in))
        return TL_ENOMEM;
    d->in[d->nin++] = vertex;
    v->nin++;
    return TL_OK;
}

/* add_steps_of -- what a result of a loop drawn step by step is made of: a value of every step. */
static int add_steps_of(tl_drawing *d, tl_vertex *v, const tl_node *result)
{
    const int64_t T = d->tape->frames[d->tape->nodes[result->in[0]].attr.i[0]].T;
    int code = TL_OK;
    for (int64_t t = 0; t < T && !code; t++)
        code = add_operand(d, v, tl__draw_resolve(d, (uint32_t)result->attr.i[0], t));
    return code;
}

static int add_operands(tl_drawing *d, tl_vertex *v)
{
    const tl_tape *tape = d->tape;
    const tl_node *n = &tape->nodes[v->slot];
    int code = TL_OK;
    v->first = d->nin;
    if (n->op->kind == TL_RESULT && is_steps(d, (uint32_t)tape->nodes[n->in[0]].attr.i[0]))
        return add_steps_of(d, v, n);
    for (uint32_t i = 0; i < n->nin && !code; i++) {
        const tl_node *in = &tape->nodes[n->in[i]];
        if (is_stacked(d, n->in[i]) && in->of != TL_NONE)
            code = add_steps_of(d, v, in); /* which is not drawn itself */
        else
            code = add_operand(d, v, tl__draw_resolve(d, n->in[i], v->t));
    }
    return code;
}

/* is_drawn -- constants stand in formulas; what is looked through has no vertex. */
static int is_drawn(const tl_drawing *d, uint32_t slot)
{
    const tl_tape *tape = d->tape;
    const tl_node *n = &tape->nodes[slot];
    if (n->op == &tl_op_const || n->op == &tl_op_carry || n->kept ||
        (n->of != TL_NONE && !d->opts.adjoint))
        return 0;
    if (n->op->kind == TL_LOOP)
        return !is_steps(d, (uint32_t)n->attr.i[0]);
    if (n->op->kind == TL_RESULT && is_steps(d, (uint32_t)tape->nodes[n->in[0]].attr.i[0]))
        return n->op != &tl_op_last &&
               !(n->op == &tl_op_stacked && n->of != TL_NONE && n->goal == TL_NONE);
    return !(n->op == &tl_op_each && is_stacked(d, n->in[0])) && !is_gradient(d, n);
}

static int add_vertex(tl_drawing *d, uint32_t slot, int64_t t)
{
    if (tl__grow(&d->vertices, &d->vertices_capacity, d->nvertices + 1, sizeof *d->vertices))
        return TL_ENOMEM;
    if (d->at[slot] == TL_NONE)
        d->at[slot] = d->nvertices;
    d->vertices[d->nvertices++] = (tl_vertex){.slot = slot, .t = t, .of = TL_NONE, .box = TL_NONE};
    return TL_OK;
}

static int add_steps(tl_drawing *d, const tl_frame *f)
{
    int code = TL_OK;
    for (int64_t k = 0; k < f->T && !code; k++) {
        const uint32_t first = d->nvertices;
        for (uint32_t i = 0; i < f->nnodes && !code; i++)
            if (is_drawn(d, f->nodes[i]))
                code = add_vertex(d, f->nodes[i], f->reverse ? f->T - 1 - k : k);
        for (uint32_t i = 0; i < f->nnodes; i++)
            d->stride[f->nodes[i]] = d->nvertices - first;
    }
    return code;
}

/* result_for -- v is the sum, or all, of gradients over steps drawn one by one, for a value from
 * outside: that value. TL_NONE: not such a result. */
static uint32_t result_for(const tl_drawing *d, const tl_vertex *v)
{
    const tl_node *n = &d->tape->nodes[v->slot];
    return n->op->kind == TL_RESULT && v->nin > 0 && n->goal < d->tape->nnodes
               ? tl__draw_resolve(d, n->goal, -1)
               : TL_NONE;
}

static int make_vertices(tl_drawing *d)
{
    const tl_tape *tape = d->tape;
    const uint32_t to = d->opts.to < tape->nnodes ? d->opts.to : tape->nnodes;
    int code = TL_OK;
    d->at = tl__calloc(2 * (size_t)tape->nnodes + 1, sizeof *d->at);
    if (!d->at)
        return TL_ENOMEM;
    d->stride = d->at + tape->nnodes;
    memset(d->at, 0xff, tape->nnodes * sizeof *d->at);
    for (uint32_t s = d->opts.from; s < to && !code; s++) {
        const tl_node *n = &tape->nodes[s];
        const int is_loop = n->op->kind == TL_LOOP && is_steps(d, (uint32_t)n->attr.i[0]);
        if (n->frame == 0 && is_loop && (n->of == TL_NONE || d->opts.adjoint))
            code = add_steps(d, &tape->frames[n->attr.i[0]]);
        else if (n->frame == 0 && is_drawn(d, s))
            code = add_vertex(d, s, -1);
    }
    for (uint32_t k = 0; k < d->nvertices && !code; k++)
        code = add_operands(d, &d->vertices[k]);
    for (uint32_t k = 0; k < d->nvertices; k++) {
        tl_vertex *v = &d->vertices[k];
        const uint32_t of = tape->nodes[v->slot].of;
        if (of != TL_NONE && of < tape->nnodes) {
            v->of = tl__draw_resolve(d, of, v->t);
            while (v->of != TL_NONE && d->vertices[v->of].of != TL_NONE)
                v->of = d->vertices[v->of].of; /* of second order: of what the first is of */
        }
    }
    for (uint32_t k = 0; k < d->nvertices; k++)
        if (tape->nodes[d->vertices[k].slot].of != TL_NONE && d->vertices[k].of == TL_NONE)
            d->vertices[k].of = result_for(d, &d->vertices[k]);
    return code;
}

/* count_uses -- and leaves out what a sweep recorded and then made otherwise: slices put back one
 * by one. */
static void count_uses(tl_drawing *d, uint8_t *dead)
{
    for (uint32_t k = d->nvertices; k-- > 0;) {
        tl_vertex *v = &d->vertices[k];
        const tl_node *n = &d->tape->nodes[v->slot];
        dead[k] = v->uses == 0 && n->of != TL_NONE && n->op == &tl_op_assemble && v->nin == 1 &&
                  d->vertices[d->in[v->first]].uses > 0;
        for (uint32_t i = 0; i < v->nin && !dead[k]; i++) {
            tl_vertex *o = &d->vertices[d->in[v->first + i]];
            const int same = (o->of == TL_NONE) == (v->of == TL_NONE);
            o->uses += (uint32_t)same;
        }
    }
}

static tl_box *add_box(tl_drawing *d, uint32_t root, uint32_t mirror)
{
    if (tl__grow(&d->boxes, &d->boxes_capacity, d->nboxes + 1, sizeof *d->boxes))
        return NULL;
    tl_box *b = &d->boxes[d->nboxes++];
    memset(b, 0, sizeof *b);
    b->root = root;
    b->mirror = mirror;
    return b;
}

/* host -- the box that a value can be part of: the one box that all its users lie in. */
static uint32_t host(const tl_drawing *d, uint32_t k, const uint32_t *user)
{
    const tl_vertex *v = &d->vertices[k];
    const tl_node *n = &d->tape->nodes[v->slot];
    const uint32_t u = user[k];
    const int is_leaf = n->op->kind == TL_LEAF && n->op != &tl_op_each;
    if (d->opts.detail || n->name || is_leaf || n->op->kind == TL_LOOP || u >= TL_NONE - 1 ||
        d->vertices[d->boxes[u].root].t != v->t)
        return TL_NONE;
    return d->tape->nodes[d->vertices[d->boxes[u].root].slot].scope == n->scope ||
                   n->op->kind == TL_RESULT
               ? u
               : TL_NONE;
}

/* make_forward -- from the last vertex to the first, so that users come before what they use.
 * user[k]: the one box that uses k; TL_NONE no one, TL_NONE - 1 several. */
static int make_forward(tl_drawing *d, uint32_t *user)
{
    memset(user, 0xff, d->nvertices * sizeof *user);
    for (uint32_t k = d->nvertices; k-- > 0;) {
        tl_vertex *v = &d->vertices[k];
        if (d->tape->nodes[v->slot].of != TL_NONE)
            continue;
        if (v->uses == 0 && !d->tape->nodes[v->slot].name && (v->t >= 0 || is_stacked(d, v->slot)))
            continue; /* recorded in a body and of no use there; or all steps, that are drawn */
        v->box = host(d, k, user);
        if (v->box == TL_NONE) {
            v->box = d->nboxes;
            if (!add_box(d, k, TL_NONE))
                return TL_ENOMEM;
        }
        for (uint32_t i = 0; i < v->nin; i++) {
            uint32_t *u = &user[d->in[v->first + i]];
            *u = *u == TL_NONE || *u == v->box ? v->box : TL_NONE - 1;
        }
    }
    for (uint32_t b = 0; b < d->nboxes / 2; b++) { /* back into the order of recording */
        const tl_box other = d->boxes[b];
        d->boxes[b] = d->boxes[d->nboxes - 1 - b];
        d->boxes[d->nboxes - 1 - b] = other;
    }
    for (uint32_t k = 0; k < d->nvertices; k++)
        if (d->vertices[k].box != TL_NONE)
            d->vertices[k].box = d->nboxes - 1 - d->vertices[k].box;
    return TL_OK;
}

/* make_adjoint -- one box for all that is of one forward box; `box` has room for it. */
static int make_adjoint(tl_drawing *d, uint32_t *box, const uint8_t *dead)
{
    const uint32_t nforward = d->nboxes;
    memset(box, 0xff, nforward * sizeof *box);
    for (uint32_t k = 0; k < d->nvertices; k++) {
        tl_vertex *v = &d->vertices[k];
        if (d->tape->nodes[v->slot].of == TL_NONE || v->of == TL_NONE || dead[k])
            continue;
        const uint32_t of = d->vertices[v->of].box;
        if (of == TL_NONE)
            continue;
        if (box[of] == TL_NONE) {
            box[of] = d->nboxes;
            if (!add_box(d, d->boxes[of].root, of))
                return TL_ENOMEM;
        }
        v->box = box[of];
    }
    return TL_OK;
}

static int add_edge(tl_drawing *d, uint32_t from, uint32_t to)
{
    if (from == to || from == TL_NONE || to == TL_NONE)
        return TL_OK;
    for (uint32_t e = d->nedges; e-- > 0;)
        if (d->edges[e].from == from && d->edges[e].to == to)
            return TL_OK;
    if (tl__grow(&d->edges, &d->edges_capacity, d->nedges + 1, sizeof *d->edges))
        return TL_ENOMEM;
    const int a = d->boxes[from].mirror != TL_NONE, b = d->boxes[to].mirror != TL_NONE;
    const tl_edge_kind kind = a != b ? TL_EDGE_READ : a ? TL_EDGE_ADJOINT : TL_EDGE_FORWARD;
    d->edges[d->nedges++] = (tl_edge){.from = from, .to = to, .kind = kind};
    return TL_OK;
}

static int make_edges(tl_drawing *d)
{
    int code = TL_OK;
    for (uint32_t k = 0; k < d->nvertices && !code; k++) {
        const tl_vertex *v = &d->vertices[k];
        for (uint32_t i = 0; i < v->nin && v->box != TL_NONE && !code; i++)
            code = add_edge(d, d->vertices[d->in[v->first + i]].box, v->box);
    }
    return code;
}

int tl__draw_open(tl_drawing *d, const tl_tape *tape, const tl_draw_opts *opts, const char *what,
                  tl_err *err)
{
    *d = (tl_drawing){.tape = tape, .opts = opts ? *opts : tl_draw_defaults()};
    if (!tape)
        return tl__fail(err, TL_EINVAL, "%s: no tape", what);
    int code = make_vertices(d);
    uint32_t *table = code ? NULL : tl__calloc((size_t)d->nvertices + 1, sizeof *table + 1);
    if (table) {
        uint8_t *dead = (uint8_t *)(table + d->nvertices + 1);
        count_uses(d, dead);
        code = make_forward(d, table);
        code = code ? code : make_adjoint(d, table, dead);
    } else {
        code = TL_ENOMEM;
    }
    tl__free(table);
    if (!code && d->opts.limit && d->nboxes > d->opts.limit)
        return tl__fail(err, TL_ERANGE,
                        "%s: %u boxes, want at most %u (draw a part, from .. to; fewer "
                        "steps; or change tl_draw_opts.limit)",
                        what, d->nboxes, d->opts.limit);
    code = code ? code : make_edges(d);
    code = code ? code : tl__draw_scopes(d);
    if (code)
        return tl__fail(err, code, "%s: no memory for a drawing of %u nodes", what, tape->nnodes);
    tl__draw_texts(d);
    return TL_OK;
}

int tl__draw_place(tl_drawing *d, const tl_tape *tape, const tl_draw_opts *opts, const char *what,
                   tl_err *err)
{
    int code = tl__draw_open(d, tape, opts, what, err);
    if (!code && tl__draw_layout(d))
        code = tl__fail(err, TL_ENOMEM, "%s: no memory to place %u boxes", what, d->nboxes);
    return code;
}

char *tl__draw_end(tl_drawing *d, tl_text *t, int code, const char *what, tl_err *err)
{
    tl__draw_close(d);
    char *text = code ? NULL : tl__text_end(t);
    if (!code && !text)
        tl__fail(err, TL_ENOMEM, "%s: no memory for the text", what);
    return text;
}

void tl__draw_close(tl_drawing *d)
{
    tl__free(d->vertices);
    tl__free(d->in);
    tl__free(d->at);
    tl__free(d->boxes);
    tl__free(d->edges);
    tl__free(d->columns);
    tl__free(d->nests);
    tl__free(d->rows);
}
