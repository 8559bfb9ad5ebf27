/* draw_scopes.c -- where boxes belong: the column of their outermost scope or step, the nested
 * scopes in it, and the row.
 *
 *     net               column
 *       [ x ]           row 0
 *      .-lstm-----.
 *      |  [ z ]   |     row 1      what a nested scope is made of stands above it,
 *      | [i] [f]  |     row 2      what is made of it below
 *      '----------'
 *       [ y ]           row 3
 *
 * Boxes of a nested scope follow one another in the order of recording, so no two of what is in a
 * scope can each want to stand above the other. */
#include "core/drawing.h"

#include <stdio.h>
#include <string.h>

/* body_of -- the scope of the scan that the box is a step of; NULL: of none. */
static const char *body_of(const tl_drawing *d, const tl_box *b)
{
    const tl_vertex *v = &d->vertices[b->root];
    const tl_tape *tape = d->tape;
    return v->t < 0 ? NULL : tape->scopes[tape->frames[tape->nodes[v->slot].frame].scope];
}

/* title_of -- the column a box belongs to: its step, or the outermost scope. A scan without a name
 * of its own ("net/scan") goes by the scope around it. */
static void title_of(const tl_drawing *d, const tl_box *b, char *title, size_t size)
{
    enum { MOST = 40 };
    const tl_vertex *v = &d->vertices[b->root];
    const char *scope = d->tape->scopes[d->tape->nodes[v->slot].scope];
    const char *body = body_of(d, b);
    int n = (int)strcspn(scope, "/");
    if (body) {
        const char *last = strrchr(body, '/');
        n = (int)(last && strcmp(last, "/scan") == 0 ? (size_t)(last - body) : strlen(body));
        const int cut = n > MOST ? n - MOST : 0;
        snprintf(title, size, "%s%.*s, t = %lld", cut ? "..." : "", n - cut, body + cut,
                 (long long)v->t);
    } else {
        snprintf(title, size, "%.*s%s", n < 60 ? n : 57, scope, n < 60 ? "" : "...");
    }
}

static int make_columns(tl_drawing *d)
{
    for (uint32_t k = 0; k < d->nboxes; k++) {
        tl_box *b = &d->boxes[k];
        char title[sizeof d->columns->title];
        if (b->mirror != TL_NONE) {
            b->column = d->boxes[b->mirror].column;
            continue;
        }
        title_of(d, b, title, sizeof title);
        tl__draw_plain(title);
        uint32_t c = d->ncolumns;
        for (uint32_t o = 0; o < d->ncolumns && title[0]; o++)
            c = strcmp(title, d->columns[o].title) ? c : o;
        if (!title[0] && d->ncolumns && !d->columns[d->ncolumns - 1].title[0])
            c = d->ncolumns - 1;
        if (c == d->ncolumns) {
            if (tl__grow(&d->columns, &d->columns_capacity, d->ncolumns + 1, sizeof *d->columns))
                return TL_ENOMEM;
            memset(&d->columns[d->ncolumns], 0, sizeof *d->columns);
            memcpy(d->columns[d->ncolumns++].title, title, sizeof title);
        }
        b->column = c;
    }
    return TL_OK;
}

/* inner -- the scope of a box behind what its column stands for: "lstm/gates". */
static const char *inner(const tl_drawing *d, const tl_box *b)
{
    const char *scope = d->tape->scopes[d->tape->nodes[d->vertices[b->root].slot].scope];
    const char *body = body_of(d, b);
    const size_t n =
        body && strncmp(scope, body, strlen(body)) == 0 ? strlen(body) : strcspn(scope, "/");
    return scope[n] == '/' ? scope + n + 1 : scope + n;
}

/* follow -- into the nested scope of a path's next name: the one that is open, or a new one. */
static int follow(tl_drawing *d, uint32_t k, const char *name, int n, uint32_t open, uint32_t *nest)
{
    char title[sizeof d->nests->title];
    snprintf(title, sizeof title, "%.*s%s", n < 60 ? n : 57, name, n < 60 ? "" : "...");
    tl__draw_plain(title);
    if (open != TL_NONE && strcmp(d->nests[open].title, title) == 0) {
        *nest = open;
        return TL_OK;
    }
    if (tl__grow(&d->nests, &d->nests_capacity, d->nnests + 1, sizeof *d->nests))
        return TL_ENOMEM;
    tl_nest *made = &d->nests[d->nnests];
    memset(made, 0, sizeof *made);
    memcpy(made->title, title, sizeof title);
    made->column = d->boxes[k].column;
    made->parent = *nest;
    made->first = k;
    *nest = d->nnests++;
    return TL_OK;
}

/* opened -- the nested scope in `parent` that box `before` of the same column lies in. */
static uint32_t opened(const tl_drawing *d, uint32_t before, uint32_t parent)
{
    uint32_t nest = before == TL_NONE ? TL_NONE : d->boxes[before].nest;
    while (nest != TL_NONE && d->nests[nest].parent != parent)
        nest = d->nests[nest].parent;
    return nest;
}

static int make_nests(tl_drawing *d)
{
    for (uint32_t k = 0; k < d->nboxes; k++) {
        tl_box *b = &d->boxes[k];
        b->nest = b->mirror == TL_NONE ? TL_NONE : d->boxes[b->mirror].nest;
        uint32_t before = TL_NONE;
        for (uint32_t o = 0; o < k; o++)
            before = d->boxes[o].column == b->column && d->boxes[o].mirror == TL_NONE ? o : before;
        int same = 1; /* as the box before */
        for (const char *at = inner(d, b); *at && b->mirror == TL_NONE;) {
            const int n = (int)strcspn(at, "/");
            const uint32_t parent = b->nest;
            const uint32_t open = same ? opened(d, before, parent) : TL_NONE;
            if (follow(d, k, at, n, open, &b->nest))
                return TL_ENOMEM;
            same = b->nest == open;
            d->nests[b->nest].last = k;
            at += n + (at[n] == '/');
        }
    }
    return TL_OK;
}

/* tl_piece -- a box or a nested scope, as one in a scope. */
typedef struct tl_piece {
    uint32_t nest, box; /* box only if nest is TL_NONE */
} tl_piece;

static uint32_t depth(const tl_drawing *d, uint32_t nest)
{
    uint32_t n = 0;
    for (; nest != TL_NONE; nest = d->nests[nest].parent)
        n++;
    return n;
}

/* part -- boxes a and b of one column: what a is part of, in the innermost scope that has both. */
static tl_piece part(const tl_drawing *d, uint32_t a, uint32_t b)
{
    uint32_t in_a = d->boxes[a].nest, in_b = d->boxes[b].nest, child = TL_NONE;
    while (depth(d, in_b) > depth(d, in_a))
        in_b = d->nests[in_b].parent;
    while (in_a != in_b) {
        if (depth(d, in_a) == depth(d, in_b))
            in_b = d->nests[in_b].parent;
        child = in_a;
        in_a = d->nests[in_a].parent;
    }
    return (tl_piece){child, a};
}

/* is_in -- whether forward box k is, or lies in, the item. */
static int is_in(const tl_drawing *d, uint32_t k, tl_piece i)
{
    if (i.nest == TL_NONE)
        return k == i.box;
    const tl_nest *n = &d->nests[i.nest];
    return k >= n->first && k <= n->last && d->boxes[k].column == n->column &&
           d->boxes[k].mirror == TL_NONE;
}

static uint32_t edge_row(const tl_drawing *d, tl_piece i, int is_last)
{
    if (i.nest == TL_NONE)
        return d->boxes[i.box].row;
    uint32_t row = d->boxes[d->nests[i.nest].first].row;
    for (uint32_t k = d->nests[i.nest].first; k <= d->nests[i.nest].last; k++)
        if (is_in(d, k, i) && (is_last ? d->boxes[k].row > row : d->boxes[k].row < row))
            row = d->boxes[k].row;
    return row;
}

static void move_down(tl_drawing *d, tl_piece i, uint32_t by)
{
    const uint32_t first = i.nest == TL_NONE ? i.box : d->nests[i.nest].first;
    const uint32_t last = i.nest == TL_NONE ? i.box : d->nests[i.nest].last;
    for (uint32_t k = first; k <= last; k++)
        d->boxes[k].row += is_in(d, k, i) ? by : 0;
}

/* press -- one line's wish; whether something had to move. What no scope holds is no higher than
 * what it is made of in other columns. */
static int press(tl_drawing *d, const tl_edge *e)
{
    const tl_box *a = &d->boxes[e->from], *b = &d->boxes[e->to];
    if (e->kind != TL_EDGE_FORWARD || (a->column != b->column && d->columns[b->column].title[0]))
        return 0;
    tl_piece above = {TL_NONE, e->from}, below = {TL_NONE, e->to};
    if (a->column == b->column) {
        above = part(d, e->from, e->to);
        below = part(d, e->to, e->from);
    }
    const uint32_t want = edge_row(d, above, 1) + (a->column == b->column);
    const uint32_t is = edge_row(d, below, 0);
    if (is < want)
        move_down(d, below, want - is);
    return is < want;
}

/* sink -- the item down to just above the first that uses it in its scope: what is needed late does
 * not widen the rows above. */
static void sink(tl_drawing *d, tl_piece i)
{
    uint32_t least = TL_NONE;
    for (uint32_t e = 0; e < d->nedges; e++) {
        const tl_edge *edge = &d->edges[e];
        if (edge->kind != TL_EDGE_FORWARD || !is_in(d, edge->from, i) || is_in(d, edge->to, i) ||
            d->boxes[edge->to].column != d->boxes[edge->from].column)
            continue;
        const tl_piece whole = part(d, edge->from, edge->to);
        const uint32_t row = edge_row(d, part(d, edge->to, edge->from), 0);
        if (whole.nest == i.nest && row < least)
            least = row;
    }
    const uint32_t bottom = edge_row(d, i, 1);
    if (least != TL_NONE && least > bottom + 1)
        move_down(d, i, least - 1 - bottom);
}

static void press_all(tl_drawing *d)
{
    int moved = 1;
    for (uint32_t pass = 0; moved && pass <= d->nboxes; pass++) {
        moved = 0;
        for (uint32_t e = 0; e < d->nedges; e++)
            moved |= press(d, &d->edges[e]);
    }
}

static void move_column(tl_drawing *d, uint32_t column, uint32_t by)
{
    for (uint32_t k = 0; k < d->nboxes; k++)
        d->boxes[k].row += d->boxes[k].column == column && d->boxes[k].mirror == TL_NONE ? by : 0;
}

/* is_source -- what many columns read: weights, and what no scope holds. */
static int is_source(const tl_drawing *d, const tl_box *b)
{
    return !d->columns[b->column].title[0] ||
           d->tape->nodes[d->vertices[b->root].slot].op->kind == TL_LEAF;
}

/* leave_row -- a column whose first boxes read such a thing begins a row lower. */
static void leave_row(tl_drawing *d, uint32_t column)
{
    for (uint32_t e = 0; e < d->nedges; e++) {
        const tl_box *a = &d->boxes[d->edges[e].from], *b = &d->boxes[d->edges[e].to];
        if (d->edges[e].kind == TL_EDGE_FORWARD && b->column == column && b->row == 0 &&
            a->row == 0 && a->column != column && is_source(d, a)) {
            move_column(d, column, 1);
            return;
        }
    }
}

/* lower_column -- the whole column down if there is room to have no line climb into it: a loss
 * stands beside the end of what it is of, steps stay side by side. */
static void lower_column(tl_drawing *d, uint32_t column)
{
    uint32_t by = 0, all = 0, end = 0;
    for (uint32_t e = 0; e < d->nedges; e++) {
        const tl_box *a = &d->boxes[d->edges[e].from], *b = &d->boxes[d->edges[e].to];
        if (d->edges[e].kind == TL_EDGE_FORWARD && b->column == column && a->column != column &&
            a->row > b->row + by)
            by = a->row - b->row;
    }
    for (uint32_t e = 0; e < d->nedges; e++) {
        const tl_box *a = &d->boxes[d->edges[e].from], *b = &d->boxes[d->edges[e].to];
        if (d->edges[e].kind == TL_EDGE_FORWARD && a->column == column && b->column != column &&
            d->columns[b->column].title[0] && a->row + by > b->row)
            return;
    }
    for (uint32_t k = 0; k < d->nboxes; k++) {
        const uint32_t last = d->boxes[k].mirror == TL_NONE ? d->boxes[k].row : 0;
        all = last > all ? last : all;
        end = d->boxes[k].column == column && last > end ? last : end;
    }
    if (end + by <= all)
        move_column(d, column, by);
}

static void make_rows(tl_drawing *d)
{
    press_all(d);
    for (uint32_t k = d->nboxes; k-- > 0;) {
        if (d->boxes[k].mirror != TL_NONE)
            continue;
        sink(d, (tl_piece){TL_NONE, k});
        for (uint32_t n = d->boxes[k].nest; n != TL_NONE; n = d->nests[n].parent)
            if (d->nests[n].first == k)
                sink(d, (tl_piece){n, k});
    }
    for (uint32_t c = 0; c < d->ncolumns; c++)
        if (d->columns[c].title[0])
            leave_row(d, c);
    press_all(d);
    for (uint32_t c = 0; c < d->ncolumns; c++)
        if (d->columns[c].title[0])
            lower_column(d, c);
    press_all(d);
    for (uint32_t k = 0; k < d->nboxes; k++) {
        tl_box *b = &d->boxes[k];
        b->row = b->mirror == TL_NONE ? b->row : d->boxes[b->mirror].row;
        d->nrows = b->row + 1 > d->nrows ? b->row + 1 : d->nrows;
    }
    for (uint32_t n = d->nnests; n-- > 0;) { /* inner ones first */
        tl_nest *s = &d->nests[n];
        s->top = edge_row(d, (tl_piece){n, s->first}, 0);
        s->bottom = edge_row(d, (tl_piece){n, s->first}, 1);
        for (uint32_t o = n + 1; o < d->nnests; o++) {
            const tl_nest *in = &d->nests[o];
            if (in->parent != n)
                continue;
            s->above = in->top == s->top && in->above > s->above ? in->above : s->above;
            s->below = in->bottom == s->bottom && in->below > s->below ? in->below : s->below;
        }
        s->above++;
        s->below++;
    }
}

int tl__draw_scopes(tl_drawing *d)
{
    if (make_columns(d) || make_nests(d))
        return TL_ENOMEM;
    make_rows(d);
    return TL_OK;
}
