/* drawtest.h -- what every drawing has to be. */
#ifndef TL_TESTS_DRAWTEST_H
#define TL_TESTS_DRAWTEST_H

#include "core/drawing.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static inline int apart(const tl_box *a, const tl_box *b)
{
    return a->x + a->w <= b->x || b->x + b->w <= a->x || a->y + a->h <= b->y || b->y + b->h <= a->y;
}

/* crosses -- whether an upright or level piece of a line lies inside the box. */
static inline int crosses(const tl_edge *e, const tl_box *b)
{
    const double near = 0.5;
    for (int i = 1; i < e->npoints; i++) {
        const double low_x = fmin(e->x[i - 1], e->x[i]), high_x = fmax(e->x[i - 1], e->x[i]);
        const double low_y = fmin(e->y[i - 1], e->y[i]), high_y = fmax(e->y[i - 1], e->y[i]);
        if (high_x > b->x + near && low_x < b->x + b->w - near && high_y > b->y + near &&
            low_y < b->y + b->h - near)
            return 1;
    }
    return 0;
}

/* hold_nests -- a scope's rectangle holds its boxes and scopes and no others, in both halves. */
static inline void hold_nests(const tl_drawing *d)
{
    for (uint32_t k = 0; k < d->nnests; k++)
        for (int half = 0; half < 2; half++) {
            const tl_nest *n = &d->nests[k];
            const tl_box r = {.x = n->x, .y = n->y[half], .w = n->w, .h = n->h[half]};
            int inside = 0;
            for (uint32_t b = 0; b < d->nboxes; b++) {
                const tl_box *box = &d->boxes[b];
                uint32_t in = box->nest;
                while (in != TL_NONE && in != k)
                    in = d->nests[in].parent;
                if ((box->mirror != TL_NONE) != half)
                    continue;
                inside += in == k;
                if (in == k)
                    cr_assert(box->x >= r.x && box->x + box->w <= r.x + r.w && box->y >= r.y &&
                                  box->y + box->h <= r.y + r.h,
                              "box %u sticks out of %s", b, n->title);
                else
                    cr_assert(r.h <= 0 || apart(&r, box), "box %u is no part of %s", b, n->title);
            }
            cr_assert_eq(inside > 0, r.h > 0, "%s is drawn where it has no box", n->title);
            if (inside == 0)
                continue;
            cr_assert(n->label[half] > r.x &&
                      n->label[half] + 5 * (double)strlen(n->title) < r.x + r.w);
            for (uint32_t o = 0; o < k; o++) {
                const tl_nest *m = &d->nests[o];
                const tl_box s = {.x = m->x, .y = m->y[half], .w = m->w, .h = m->h[half]};
                uint32_t up = n->parent;
                while (up != TL_NONE && up != o)
                    up = d->nests[up].parent;
                if (up == o)
                    cr_assert(s.x < r.x && s.y < r.y && s.x + s.w > r.x + r.w &&
                                  s.y + s.h > r.y + r.h,
                              "%s sticks out of %s", n->title, m->title);
                else
                    cr_assert(s.h <= 0 || apart(&r, &s), "%s lies on %s", n->title, m->title);
            }
        }
}

/* shared -- how far two lines run on top of each other. */
static inline double shared(const tl_edge *e, const tl_edge *o)
{
    double most = 0;
    for (int i = 1; i < e->npoints; i++)
        for (int k = 1; k < o->npoints; k++) {
            const int flat = fabs(e->y[i] - e->y[i - 1]) < 0.1;
            const double *a = flat ? e->x : e->y, *b = flat ? o->x : o->y;
            const double *at = flat ? e->y : e->x, *bt = flat ? o->y : o->x;
            const int along = fabs(bt[k] - bt[k - 1]) < 0.1 && fabs(at[i] - bt[k]) < 0.1;
            const double low = fmax(fmin(a[i], a[i - 1]), fmin(b[k], b[k - 1]));
            const double high = fmin(fmax(a[i], a[i - 1]), fmax(b[k], b[k - 1]));
            most = along ? fmax(most, high - low) : most;
        }
    return most;
}

/* hold_drawing -- what every drawing has to be. */
static inline void hold_drawing(const tl_tape *tape, const tl_draw_opts *opts)
{
    tl_drawing d;
    tl_err err;
    cr_assert_eq(tl__draw_open(&d, tape, opts, "drawing", &err), TL_OK, "%s", err.message);
    cr_assert_eq(tl__draw_layout(&d), TL_OK);
    for (uint32_t a = 0; a < d.nboxes; a++) {
        const tl_box *box = &d.boxes[a];
        cr_assert(box->x >= 0 && box->y >= 0 && box->x + box->w <= d.width &&
                      box->y + box->h <= d.height,
                  "box %u is off the page", a);
        cr_assert_eq(box->mirror == TL_NONE, box->y < d.middle, "box %u: wrong half", a);
        for (uint32_t b = 0; b < a; b++)
            cr_assert(apart(box, &d.boxes[b]), "box %u lies on box %u", a, b);
    }
    for (uint32_t k = 0; k < d.nvertices; k++) {
        const tl_vertex *v = &d.vertices[k];
        if (v->box == TL_NONE)
            continue;
        const int is_adjoint = d.boxes[v->box].mirror != TL_NONE;
        cr_assert_eq(is_adjoint, tape->nodes[v->slot].of != TL_NONE, "%%%u: wrong kind", v->slot);
        for (uint32_t i = 0; i < v->nin; i++) {
            const uint32_t from = d.vertices[d.in[v->first + i]].box;
            int n = 0;
            for (uint32_t e = 0; e < d.nedges; e++)
                n += d.edges[e].from == from && d.edges[e].to == v->box;
            cr_assert_eq(n, from != v->box && from != TL_NONE, "%u to %u: %d", from, v->box, n);
        }
    }
    hold_nests(&d);
    for (uint32_t e = 0; e < d.nedges; e++) {
        const tl_edge *edge = &d.edges[e];
        cr_assert_eq(edge->npoints > 0, edge->kind != TL_EDGE_READ);
        for (uint32_t b = 0; b < d.nboxes; b++)
            cr_assert(!crosses(edge, &d.boxes[b]), "line %u-%u goes through box %u", edge->from,
                      edge->to, b);
    }
    for (uint32_t e = 0; e < d.nedges; e++)
        for (uint32_t o = 0; o < e; o++) {
            const tl_edge *a = &d.edges[e], *b = &d.edges[o];
            const int is_net = a->kind == TL_EDGE_FORWARD ? a->from == b->from : a->to == b->to;
            if (a->kind == b->kind && !is_net)
                cr_assert_leq(shared(a, b), 1, "lines %u-%u and %u-%u lie on each other for %g",
                              a->from, a->to, b->from, b->to, shared(a, b));
        }
    tl__draw_close(&d);
}

#endif
