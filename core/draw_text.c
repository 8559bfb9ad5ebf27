/* draw_text.c -- what stands in the boxes: formulas of the names in other boxes. */
#include "core/attr_text.h"
#include "core/drawing.h"
#include "core/space.h"
#include "core/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SUM = 1, PRODUCT = 2, ATOM = 3, DEEPEST = 8, WIDE = 44 };

/* phrase -- a formula that is being written. */
typedef struct phrase {
    const tl_drawing *d;
    char *text;
    size_t size;
    uint32_t box; /* whose formula it is */
    int depth;
} phrase;

TL_PRINTF(2, 3) static void put(phrase *p, const char *format, ...)
{
    const size_t used = strlen(p->text);
    va_list args;
    va_start(args, format);
    vsnprintf(p->text + used, p->size - used, format, args);
    va_end(args);
}

static void put_value(phrase *p, uint32_t slot, uint32_t vertex, int level);

/* put_name -- of a node; what a scan takes of each step is "x[t]" of its x. */
static void put_name(phrase *p, uint32_t slot)
{
    const tl_node *n = &p->d->tape->nodes[slot];
    if (n->name) {
        put(p, "%s", n->name);
    } else if (n->op == &tl_op_each) {
        put_name(p, n->in[0]);
        put(p, "[t]");
    } else {
        put(p, "%%%u", slot);
    }
}

/* put_other -- a vertex in a formula: a parameter without its module, which its own box has; the step
 * behind it if it is not the one of the column. */
static void put_other(phrase *p, uint32_t vertex)
{
    const tl_vertex *v = &p->d->vertices[vertex];
    const tl_node *n = &p->d->tape->nodes[v->slot];
    const char *dot = n->op == &tl_op_use && n->name ? strrchr(n->name, '.') : NULL;
    if (dot && dot[1])
        put(p, "%s", dot + 1);
    else
        put_name(p, v->slot);
    if (v->t >= 0 && v->t != p->d->vertices[p->d->boxes[p->box].root].t)
        put(p, "[%lld]", (long long)v->t);
}

/* is_zero -- what the gradient of a carry begins with. */
static int is_zero(const tl_drawing *d, uint32_t k)
{
    const tl_node *n = &d->tape->nodes[d->vertices[k].slot];
    const tl_node *in = n->nin ? &d->tape->nodes[n->in[0]] : n;
    return n->op == &tl_op_broadcast_to && in->op == &tl_op_const && in->attr.r[0] == 0;
}

/* is_delta -- whether a value of an adjoint box is the gradient that comes in: of other boxes,
 * added up, in another shape. */
static int is_delta(const tl_drawing *d, uint32_t k, uint32_t box, int depth)
{
    const tl_vertex *v = &d->vertices[k];
    const tl_node *n = &d->tape->nodes[v->slot];
    if (v->of == TL_NONE || depth > DEEPEST)
        return 0;
    if (v->box != box)
        return v->box != TL_NONE;
    if (v->nin == 0 || !(n->op == &tl_op_add || n->op == &tl_op_assemble ||
                         n->op == &tl_op_reshape || n->op == &tl_op_summed))
        return 0;
    for (uint32_t i = 0; i < v->nin; i++)
        if (!is_delta(d, d->in[v->first + i], box, depth + 1) && !is_zero(d, d->in[v->first + i]))
            return 0;
    return 1;
}

static void put_operand(phrase *p, const tl_vertex *v, uint32_t i, int level)
{
    const tl_node *n = &p->d->tape->nodes[v->slot];
    put_value(p, n->in[i], tl__draw_resolve(p->d, n->in[i], v->t), level);
}

static void put_infix(phrase *p, const tl_vertex *v, const char *sign, int own, int right,
                      int level)
{
    put(p, "%s", own < level ? "(" : "");
    put_operand(p, v, 0, own);
    put(p, "%s", sign);
    put_operand(p, v, 1, right);
    put(p, "%s", own < level ? ")" : "");
}

/* put_each -- the step's part of x, "x[2]"; in a body that is drawn as one: "x[t]". */
static void put_each(phrase *p, const tl_vertex *v)
{
    const tl_node *n = &p->d->tape->nodes[v->slot];
    put_name(p, n->in[0]);
    if (v->t >= 0)
        put(p, "[%lld]", (long long)v->t);
    else
        put(p, "[t]");
}

static void put_minus(phrase *p, const tl_vertex *v, int level)
{
    put(p, "%s-", level > SUM ? "(" : "");
    put_operand(p, v, 0, PRODUCT);
    put(p, "%s", level > SUM ? ")" : "");
}

/* put_product -- "a @ b'": ' where an operand's other axis is summed. */
static void put_product(phrase *p, const tl_vertex *v, int level)
{
    const int64_t *a = p->d->tape->nodes[v->slot].attr.i, *b = a + 1 + a[0], *o = b + 1 + b[0];
    int swap = 0;
    for (int64_t k = 0; k < b[0] && o[0] > 0; k++)
        swap |= b[1 + k] == o[1];
    for (int64_t k = 0; k < a[0] && o[0] > 0; k++)
        swap &= a[1 + k] != o[1];
    const int64_t *left = swap ? b : a, *right = swap ? a : b;
    const int flat = left[0] == 2 && right[0] == 2 && o[0] == 2;
    const int turn_left = flat && left[1] != o[1], turn_right = flat && right[2] != o[2];
    put(p, "%s", PRODUCT < level ? "(" : "");
    put_operand(p, v, swap ? 1 : 0, ATOM);
    put(p, "%s @ ", turn_left ? "\xe1\xb5\x80" : "");
    put_operand(p, v, swap ? 0 : 1, ATOM);
    put(p, "%s%s", turn_right ? "\xe1\xb5\x80" : "", PRODUCT < level ? ")" : "");
}

/* put_slice -- "z[2:4]": the axis that is sliced; one that is not the last has colons behind it. */
static void put_slice(phrase *p, const tl_vertex *v)
{
    const int64_t *i = p->d->tape->nodes[v->slot].attr.i;
    put_operand(p, v, 0, ATOM);
    put(p, "[%lld:%lld", (long long)i[1], (long long)(i[1] + i[2]));
    for (int64_t k = 1; k < i[0]; k++)
        put(p, ",:");
    put(p, "]");
}

static void put_call(phrase *p, const tl_vertex *v)
{
    const tl_node *n = &p->d->tape->nodes[v->slot];
    const char *name = strcmp(n->op->name, "sigmoid") ? n->op->name : "\xcf\x83";
    put(p, "%s", name);
    if (n->nin == 0)
        return;
    put(p, "(");
    for (uint32_t i = 0; i < n->nin && i < 4; i++) {
        put(p, "%s", i ? ", " : "");
        if (n->op->kind == TL_RESULT) /* of the value, or of the scan if that is one box */
            put_name(p, p->d->at[n->in[0]] == TL_NONE ? (uint32_t)n->attr.i[0] : n->in[0]);
        else
            put_operand(p, v, i, SUM);
    }
    put(p, n->nin > 4 ? ", ...)" : ")");
}

/* put_expression -- the operation of a vertex. */
static void put_expression(phrase *p, uint32_t k, int level)
{
    const tl_vertex *v = &p->d->vertices[k];
    const tl_op *op = p->d->tape->nodes[v->slot].op;
    if (++p->depth > DEEPEST || strlen(p->text) > WIDE)
        put(p, "...");
    else if (op == &tl_op_add)
        put_infix(p, v, level > SUM ? "+" : " + ", SUM, SUM, level);
    else if (strcmp(op->name, "sub") == 0)
        put_infix(p, v, level > SUM ? "-" : " - ", SUM, PRODUCT, level);
    else if (strcmp(op->name, "mul") == 0)
        put_infix(p, v, "\xc2\xb7", PRODUCT, PRODUCT, level);
    else if (strcmp(op->name, "div") == 0)
        put_infix(p, v, "/", PRODUCT, ATOM, level);
    else if (strcmp(op->name, "neg") == 0)
        put_minus(p, v, level);
    else if (op->kind == TL_CONTRACTION)
        put_product(p, v, level);
    else if (op == &tl_op_slice)
        put_slice(p, v);
    else if (op == &tl_op_each)
        put_each(p, v);
    else if (op == &tl_op_reshape || op == &tl_op_broadcast_to)
        put_operand(p, v, 0, level);
    else
        put_call(p, v);
    p->depth--;
}

static void put_value(phrase *p, uint32_t slot, uint32_t vertex, int level)
{
    const tl_node *n = &p->d->tape->nodes[slot];
    if (n->op == &tl_op_const) {
        put(p, "%g", n->attr.r[0]);
        return;
    }
    if (vertex == TL_NONE && n->op == &tl_op_stacked && n->of != TL_NONE) {
        put(p, "\xce\xb4"); /* that of every step */
        return;
    }
    if (vertex == TL_NONE) {
        put_name(p, slot);
        return;
    }
    const tl_vertex *v = &p->d->vertices[vertex];
    if (p->d->boxes[p->box].mirror != TL_NONE && is_delta(p->d, vertex, p->box, 0))
        put(p, "\xce\xb4");
    else if (v->box == TL_NONE || (v->of == TL_NONE && p->d->boxes[v->box].root == vertex))
        put_other(p, vertex);
    else
        put_expression(p, vertex, level);
}

/* cut -- a line that is too wide ends in "..."; between characters of UTF-8. */
static void cut(char *line)
{
    size_t at = 0;
    int n = 0;
    for (; line[at] && n < WIDE; n++)
        for (at++; ((unsigned char)line[at] & 0xc0) == 0x80;)
            at++;
    if (!line[at])
        return;
    while (at > 0 && (line[at - 1] == '.' || line[at - 1] == ' '))
        at--;
    memcpy(line + at, "...", 4);
}

void tl__draw_plain(char *text)
{
    const size_t size = strlen(text);
    for (size_t at = 0, n; at < size; at += n) {
        uint32_t code = 0;
        n = (size_t)tl__utf8_next(text + at, size - at, &code);
        if (n == 0 || code < 32 || code == 127 || code >= 0xfffe)
            text[at] = '?';
        n = n ? n : 1;
    }
}

static char *next_line(tl_box *b)
{
    return b->nlines < TL_BOX_LINES ? b->line[b->nlines++] : NULL;
}

static void put_title(const tl_drawing *d, uint32_t box)
{
    tl_box *b = &d->boxes[box];
    char *line = next_line(b);
    phrase p = {d, line, TL_BOX_TEXT, box, 0};
    put(&p, "%s", b->mirror == TL_NONE ? "" : "d");
    put_name(&p, d->vertices[b->root].slot);
    cut(line);
}

static void forward_lines(const tl_drawing *d, uint32_t box)
{
    tl_box *b = &d->boxes[box];
    const tl_node *n = &d->tape->nodes[d->vertices[b->root].slot];
    char shape[TL_SHAPE_TEXT];
    char *line = next_line(b);
    phrase p = {d, line, TL_BOX_TEXT, box, 0};
    if (n->op->kind == TL_LOOP)
        put(&p, "scan, %lld steps", (long long)d->tape->frames[n->attr.i[0]].T);
    else
        put_expression(&p, b->root, SUM);
    cut(line);
    if (n->op->kind != TL_LOOP)
        snprintf(next_line(b), TL_BOX_TEXT, "%s", tl_shape_text(n->shape, shape, sizeof shape));
}

/* leaf_behind -- what the end of a sweep is the gradient of; TL_NONE if that is not drawn. */
static uint32_t leaf_behind(const tl_drawing *d, const tl_vertex *v)
{
    const uint32_t goal = d->tape->nodes[v->slot].goal;
    return goal < d->tape->nnodes ? tl__draw_resolve(d, goal, d->vertices[v->of].t) : TL_NONE;
}

static uint32_t incoming(const tl_drawing *d, uint32_t box)
{
    uint32_t n = 0;
    for (uint32_t e = 0; e < d->nedges; e++)
        n += d->edges[e].to == box && d->edges[e].kind == TL_EDGE_ADJOINT;
    return n;
}

/* adjoint_line -- "-> h: g o": what goes from vertex k to box `to`; TL_NONE: the end. alone: the
 * line out of the box says where it goes. */
static void adjoint_line(const tl_drawing *d, uint32_t box, uint32_t k, uint32_t to, int alone)
{
    char *line = next_line(&d->boxes[box]);
    if (!line) {
        memcpy(d->boxes[box].line[TL_BOX_LINES - 1], "...", 4);
        return;
    }
    phrase p = {d, line, TL_BOX_TEXT, box, 0};
    const uint32_t leaf = to == TL_NONE ? leaf_behind(d, &d->vertices[k]) : TL_NONE;
    if (to != TL_NONE && d->boxes[to].mirror != TL_NONE && !alone) {
        put(&p, "\xe2\x86\x92 ");
        put_other(&p, d->boxes[to].root);
        put(&p, ": ");
    } else if (leaf != TL_NONE && leaf != d->boxes[box].root) {
        put(&p, "\xe2\x86\x92 ");
        put_other(&p, leaf);
        put(&p, ": ");
    }
    if (to == TL_NONE && d->tape->nodes[d->vertices[k].slot].op == &tl_op_stacked)
        put(&p, "of %u steps", incoming(d, box));
    else if (to == TL_NONE && is_delta(d, k, box, 0))
        put(&p, "sum of %u", incoming(d, box));
    else if (is_delta(d, k, box, 0))
        put(&p, "\xce\xb4");
    else
        put_expression(&p, k, SUM);
    cut(line);
    tl_box *b = &d->boxes[box];
    if (b->nlines > 2 && strcmp(line, b->line[b->nlines - 2]) == 0) {
        line[0] = '\0';
        b->nlines--;
        p.text = b->line[b->nlines - 1];
        put(&p, " (twice)");
    }
}

/* adjoint_lines -- one line for each value that leaves the box, to each box that it goes to. */
static void adjoint_lines(const tl_drawing *d, uint32_t box)
{
    uint32_t out = 0;
    for (uint32_t e = 0; e < d->nedges; e++)
        out += d->edges[e].from == box && d->edges[e].kind == TL_EDGE_ADJOINT;
    for (uint32_t k = 0; k < d->nvertices; k++)
        out += d->vertices[k].box == box && d->vertices[k].uses == 0;
    for (uint32_t k = 0; k < d->nvertices; k++) {
        if (d->vertices[k].box != box)
            continue;
        if (d->vertices[k].uses == 0)
            adjoint_line(d, box, k, TL_NONE, 0);
        for (uint32_t e = 0; e < d->nedges; e++) {
            int found = d->edges[e].from == box && d->edges[e].kind == TL_EDGE_ADJOINT;
            if (!found)
                continue;
            found = 0;
            for (uint32_t u = k + 1; u < d->nvertices && !found; u++)
                for (uint32_t i = 0; i < d->vertices[u].nin && !found; i++)
                    found = d->vertices[u].box == d->edges[e].to &&
                            d->in[d->vertices[u].first + i] == k;
            if (found)
                adjoint_line(d, box, k, d->edges[e].to, out == 1);
        }
    }
}

void tl__draw_texts(tl_drawing *d)
{
    for (uint32_t b = 0; b < d->nboxes; b++) {
        put_title(d, b);
        if (d->boxes[b].mirror == TL_NONE)
            forward_lines(d, b);
        else
            adjoint_lines(d, b);
        for (int i = 0; i < d->boxes[b].nlines; i++)
            tl__draw_plain(d->boxes[b].line[i]);
    }
}
