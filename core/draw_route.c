/* draw_route.c -- lines between boxes, and with them the space between rows and columns.
 *
 *        column 0   |   column 1          gap 0
 *         [ a ]     |    [ b ]            row 0
 *           '---.   |      |              gap 1: tracks, one a net
 *               |   |    [ c ]            row 1
 *               |   |                     gap 2
 *            gutter 1: lanes, one a net
 *
 * A line goes down out of its box into the gap below, along a track, down where no box is in the
 * way or in the gutter, and along a track of the gap above the box it goes to. So it crosses no
 * box. All lines out of one box are one net and share tracks and lanes. The lower half is routed
 * like the upper one, from the box that a gradient goes to, and turned over. */
#include "core/drawing.h"

#include <math.h>
#include <stdlib.h>

enum { TRACK = 6, LANE = 6, ROOM = 8, MARGIN = 24, HEAD = 30, CLEAR = 5 };

/* tl_path -- how an edge goes. */
typedef struct tl_path {
    uint32_t net, end;      /* boxes */
    uint32_t leave, arrive; /* gaps */
    int down;               /* 0 no vertical between gaps, 1 at x in the column, 2 in a gutter */
    uint32_t gutter;        /* or the column of x */
    double x;
    int lane;
} tl_path;

/* tl_reach -- of a net in a gap. */
typedef struct tl_reach {
    double low, high;
    int track; /* -1: the net is not there, or does not turn */
} tl_reach;

/* tl_half -- what is routed at once. */
typedef struct tl_half {
    tl_drawing *d;
    tl_edge_kind kind;
    tl_path *path;   /* [nedges] */
    tl_reach *reach; /* [nboxes][nrows + 1] */
    int *lanes;      /* [ncolumns + 1] */
    double *gap;     /* [nrows + 1] heights, the rims of nested scopes among them: */
    double *ends;    /* [nrows + 1] above the tracks, of those that end with the row above */
    double *begins;  /* [nrows + 1] below the tracks, of those that begin with the row below */
    double *row;     /* [nrows + 1] d->rows of this half */
} tl_half;

static int is_here(const tl_half *q, uint32_t e)
{
    return q->d->edges[e].kind == q->kind;
}

/* ---- where lines come in ---------------------------------------------------------------------- */

static double from_left(const tl_drawing *d, const tl_path *p)
{
    const tl_box *b = &d->boxes[p->net];
    return b->column * 1e6 + b->x + b->out;
}

/* is_below -- whether a line coming in at port x is below one that leaves a box of the row above. */
static int is_below(const tl_half *q, uint32_t e, double x)
{
    const tl_drawing *d = q->d;
    const tl_box *b = &d->boxes[q->path[e].end];
    for (uint32_t k = 0; k < d->nboxes; k++) {
        const tl_box *a = &d->boxes[k];
        if (k != q->path[e].net && a->column == b->column && a->row + 1 == b->row &&
            (a->mirror == TL_NONE) == (q->kind == TL_EDGE_FORWARD) &&
            fabs(a->x + a->out - b->x - x) < 4)
            return 1;
    }
    return 0;
}

/* set_ports -- lines come in at the upper side in the order of where they come from, not straight
 * below another box's line. */
static void set_ports(tl_half *q)
{
    tl_drawing *d = q->d;
    for (uint32_t e = 0; e < d->nedges; e++) {
        int before = 0, all = 0;
        if (!is_here(q, e))
            continue;
        for (uint32_t o = 0; o < d->nedges; o++) {
            if (!is_here(q, o) || q->path[o].end != q->path[e].end)
                continue;
            const double a = from_left(d, &q->path[o]), b = from_left(d, &q->path[e]);
            all++;
            before += a < b || (!(b < a) && o < e);
        }
        const tl_box *b = &d->boxes[q->path[e].end];
        const double x = b->w * (before + 1) / (all + 1);
        d->edges[e].port = x;
        for (int k = 1; k < 7 && is_below(q, e, d->edges[e].port); k++) {
            const double other = x + 7 * (k / 2) * (k % 2 ? -1 : 1);
            d->edges[e].port = other > 3 && other < b->w - 3 ? other : d->edges[e].port;
        }
        const double straight = d->boxes[q->path[e].net].x + d->boxes[q->path[e].net].out - b->x;
        if (d->boxes[q->path[e].net].column == b->column && fabs(straight - d->edges[e].port) < 4 &&
            d->boxes[q->path[e].net].row + 1 == b->row)
            d->edges[e].port = straight;
    }
}

/* ---- where lines go down ---------------------------------------------------------------------- */

/* meets_end -- whether a line of another net leaves a box at x just above, or comes in just below. */
static int meets_end(const tl_half *q, uint32_t e, uint32_t column, double x, uint32_t from,
                     uint32_t to)
{
    const tl_drawing *d = q->d;
    for (uint32_t o = 0; o < d->nedges; o++) {
        const tl_box *a = &d->boxes[q->path[o].net], *b = &d->boxes[q->path[o].end];
        if (!is_here(q, o) || q->path[o].net == q->path[e].net)
            continue;
        if ((a->column == column && a->row + 1 == from && fabs(a->x + a->out - x) < LANE) ||
            (b->column == column && b->row == to && fabs(b->x + d->edges[o].port - x) < LANE))
            return 1;
    }
    return 0;
}

/* is_clear -- whether x of a column is free in rows [from, to): of boxes and of other nets. */
static int is_clear(const tl_half *q, uint32_t e, uint32_t column, double x, uint32_t from,
                    uint32_t to)
{
    const tl_drawing *d = q->d;
    for (uint32_t k = 0; k < d->nboxes; k++) {
        const tl_box *b = &d->boxes[k];
        if (b->column == column && b->row >= from && b->row < to &&
            (b->mirror == TL_NONE) == (q->kind == TL_EDGE_FORWARD) && x > b->x - CLEAR &&
            x < b->x + b->w + CLEAR)
            return 0;
    }
    if (meets_end(q, e, column, x, from, to))
        return 0;
    for (uint32_t k = 0; k < d->nnests; k++) { /* not along the side of one */
        const tl_nest *n = &d->nests[k];
        if (n->column == column && n->top < to && n->bottom >= from &&
            (fabs(x - n->x) < CLEAR || fabs(x - n->x - n->w) < CLEAR))
            return 0;
    }
    for (uint32_t o = 0; o < e; o++)
        if (is_here(q, o) && q->path[o].down == 1 && q->path[o].gutter == column &&
            q->path[o].net != q->path[e].net && fabs(q->path[o].x - x) < LANE &&
            q->path[o].leave < to && q->path[o].arrive >= from)
            return 0;
    return 1;
}

/* beside -- x in the column that is clear beside a box that is in the way, the nearest to where the
 * line comes in; -1: there is none. */
static double beside(const tl_half *q, uint32_t e, uint32_t column)
{
    const tl_drawing *d = q->d;
    const tl_path *p = &q->path[e];
    double best = -1;
    for (uint32_t k = 0; k < 8 * d->nboxes; k++) {
        const tl_box *b = &d->boxes[k / 8];
        const double off = CLEAR + 1 + LANE * (k % 8 / 2);
        const double x = k % 2 ? b->x + b->w + off : b->x - off;
        if (b->column != column || b->row < p->leave || b->row >= p->arrive || x < 0 ||
            x > d->columns[column].w || !is_clear(q, e, column, x, p->leave, p->arrive))
            continue;
        const tl_box *to = &d->boxes[p->end];
        const double in = to->x + d->edges[e].port;
        if (best < 0 || fabs(x - in) < fabs(best - in))
            best = x;
    }
    return best;
}

static void choose_way(tl_half *q, uint32_t e)
{
    const tl_drawing *d = q->d;
    tl_path *p = &q->path[e];
    const tl_box *a = &d->boxes[p->net], *b = &d->boxes[p->end];
    const double out = a->x + a->out, in = b->x + d->edges[e].port;
    p->leave = a->row + 1;
    p->arrive = b->row;
    if (p->arrive == p->leave)
        return;
    p->down = 1;
    if (p->arrive > p->leave && is_clear(q, e, b->column, in, p->leave, p->arrive)) {
        p->gutter = b->column;
        p->x = in;
    } else if (p->arrive > p->leave && is_clear(q, e, a->column, out, p->leave, p->arrive)) {
        p->gutter = a->column;
        p->x = out;
    } else if (p->arrive > p->leave && a->column == b->column &&
               (p->x = beside(q, e, b->column)) >= 0) {
        p->gutter = b->column;
    } else {
        p->down = 2;
        const int is_left = in < d->columns[b->column].w / 2;
        p->gutter = b->column > a->column || (b->column == a->column && is_left) ? b->column
                                                                                 : b->column + 1;
    }
}

static uint32_t first_gap(const tl_path *p)
{
    return p->leave < p->arrive ? p->leave : p->arrive;
}

static uint32_t last_gap(const tl_path *p)
{
    return p->leave < p->arrive ? p->arrive : p->leave;
}

/* set_lanes -- the first lane of the gutter in which no other net lies beside it. */
static void set_lanes(tl_half *q)
{
    const tl_drawing *d = q->d;
    for (uint32_t e = 0; e < d->nedges; e++) {
        tl_path *p = &q->path[e];
        if (!is_here(q, e) || p->down != 2)
            continue;
        for (int taken = 1; taken;) {
            taken = 0;
            for (uint32_t o = 0; o < e && !taken; o++) {
                const tl_path *s = &q->path[o];
                taken = is_here(q, o) && s->down == 2 && s->gutter == p->gutter &&
                        s->net != p->net && s->lane == p->lane && first_gap(s) <= last_gap(p) &&
                        first_gap(p) <= last_gap(s);
            }
            p->lane += taken;
        }
        if (p->lane + 1 > q->lanes[p->gutter])
            q->lanes[p->gutter] = p->lane + 1;
    }
}

/* set_columns -- gutters as wide as the fuller of both halves wants them. */
static void set_columns(tl_drawing *d, const int *lanes, const int *others)
{
    double x = MARGIN;
    for (uint32_t c = 0; c <= d->ncolumns; c++) {
        const int n = lanes[c] > others[c] ? lanes[c] : others[c];
        x += (n > 0 || (c > 0 && c < d->ncolumns) ? 2 * ROOM : ROOM) + LANE * n;
        if (c == d->ncolumns)
            break;
        d->columns[c].x = x;
        x += d->columns[c].w;
    }
    d->width = x + MARGIN;
    for (uint32_t k = 0; k < d->nboxes; k++)
        d->boxes[k].x += d->columns[d->boxes[k].column].x;
    for (uint32_t k = 0; k < d->nnests; k++)
        d->nests[k].x += d->columns[d->nests[k].column].x;
}

/* ---- along the gaps --------------------------------------------------------------------------- */

static double way_x(const tl_half *q, const tl_path *p)
{
    const tl_drawing *d = q->d;
    if (p->down == 1)
        return d->columns[p->gutter].x + p->x;
    const double left =
        p->gutter ? d->columns[p->gutter - 1].x + d->columns[p->gutter - 1].w : (double)MARGIN;
    return left + ROOM + LANE * p->lane + LANE / 2.0;
}

static tl_reach *reach_of(const tl_half *q, uint32_t net, uint32_t gap)
{
    return &q->reach[(size_t)net * (q->d->nrows + 1) + gap];
}

static void extend(const tl_half *q, uint32_t net, uint32_t gap, double x)
{
    tl_reach *r = reach_of(q, net, gap);
    r->low = fmin(r->low, x);
    r->high = fmax(r->high, x);
}

static void extend_all(const tl_half *q)
{
    const tl_drawing *d = q->d;
    for (size_t k = 0; k < (size_t)d->nboxes * (d->nrows + 1); k++)
        q->reach[k] = (tl_reach){HUGE_VAL, -HUGE_VAL, -1};
    for (uint32_t e = 0; e < d->nedges; e++) {
        const tl_path *p = &q->path[e];
        if (!is_here(q, e))
            continue;
        const tl_box *a = &d->boxes[p->net], *b = &d->boxes[p->end];
        extend(q, p->net, p->leave, a->x + a->out);
        extend(q, p->net, p->arrive, b->x + d->edges[e].port);
        if (p->down) {
            extend(q, p->net, p->leave, way_x(q, p));
            extend(q, p->net, p->arrive, way_x(q, p));
        }
    }
}

/* set_tracks -- the first track of the gap in which the net is alone where it reaches. */
static void set_tracks(tl_half *q, uint32_t gap)
{
    const tl_drawing *d = q->d;
    int most = 0;
    for (uint32_t k = 0; k < d->nboxes; k++) {
        tl_reach *r = reach_of(q, k, gap);
        if (!(r->high - r->low > 0.5))
            continue;
        int track = 0;
        for (int taken = 1; taken;) {
            taken = 0;
            for (uint32_t o = 0; o < k && !taken; o++) {
                const tl_reach *s = reach_of(q, o, gap);
                taken = s->track == track && s->low < r->high + LANE && r->low < s->high + LANE;
            }
            track += taken;
        }
        r->track = track;
        most = track + 1 > most ? track + 1 : most;
    }
    q->gap[gap] = q->ends[gap] + 2 * ROOM + TRACK * most + q->begins[gap];
}

static void set_rows(tl_half *q)
{
    const tl_drawing *d = q->d;
    double y = 0;
    for (uint32_t r = 0; r <= d->nrows; r++) {
        set_tracks(q, r);
        y += q->gap[r];
        q->row[r] = y;
        double high = 0;
        for (uint32_t k = 0; k < d->nboxes; k++)
            if (d->boxes[k].row == r &&
                (d->boxes[k].mirror == TL_NONE) == (q->kind == TL_EDGE_FORWARD))
                high = fmax(high, d->boxes[k].h);
        for (uint32_t k = 0; k < d->nboxes; k++)
            if (d->boxes[k].row == r &&
                (d->boxes[k].mirror == TL_NONE) == (q->kind == TL_EDGE_FORWARD))
                d->boxes[k].y = y + (high - d->boxes[k].h) / 2;
        y += high;
    }
}

static double track_y(const tl_half *q, uint32_t net, uint32_t gap)
{
    const int track = reach_of(q, net, gap)->track;
    return q->row[gap] - q->gap[gap] + q->ends[gap] + ROOM + TRACK * (track < 0 ? 0 : track) +
           TRACK / 2.0;
}

static void point(tl_edge *e, double x, double y)
{
    e->x[e->npoints] = x;
    e->y[e->npoints++] = y;
}

static void draw_line(const tl_half *q, uint32_t k)
{
    const tl_drawing *d = q->d;
    const tl_path *p = &q->path[k];
    const tl_box *a = &d->boxes[p->net], *b = &d->boxes[p->end];
    tl_edge *e = &d->edges[k];
    const double out = a->x + a->out, in = b->x + e->port;
    point(e, out, a->y + a->h);
    point(e, out, track_y(q, p->net, p->leave));
    if (p->down) {
        point(e, way_x(q, p), track_y(q, p->net, p->leave));
        point(e, way_x(q, p), track_y(q, p->net, p->arrive));
    }
    point(e, in, track_y(q, p->net, p->arrive));
    point(e, in, b->y);
}

/* set_nests -- the rectangles of nested scopes around their rows, if there is a box in them. */
static void set_nests(const tl_half *q)
{
    const tl_drawing *d = q->d;
    const int half = q->kind == TL_EDGE_ADJOINT;
    for (uint32_t k = 0; k < d->nboxes; k++) {
        uint32_t nest = (d->boxes[k].mirror != TL_NONE) == half ? d->boxes[k].nest : TL_NONE;
        for (; nest != TL_NONE; nest = d->nests[nest].parent) {
            tl_nest *n = &d->nests[nest];
            n->y[half] = q->row[n->top] - n->above * TL_DRAW_STRIP;
            n->h[half] =
                q->row[n->bottom + 1] - q->gap[n->bottom + 1] + n->below * TL_DRAW_RIM - n->y[half];
        }
    }
}

/* turn_over -- the lower half as a mirror image; lines run as gradients do. */
static void turn_over(tl_drawing *d, double from, double height)
{
    for (uint32_t k = 0; k < d->nboxes; k++)
        if (d->boxes[k].mirror != TL_NONE)
            d->boxes[k].y = from + height - d->boxes[k].y - d->boxes[k].h;
    for (uint32_t k = 0; k < d->nnests; k++)
        d->nests[k].y[1] = from + height - d->nests[k].y[1] - d->nests[k].h[1];
    for (uint32_t k = 0; k < d->nedges; k++) {
        tl_edge *e = &d->edges[k];
        for (int i = 0; e->kind == TL_EDGE_ADJOINT && i < (e->npoints + 1) / 2; i++) {
            const int j = e->npoints - 1 - i;
            const double x = e->x[i], y = from + height - e->y[i];
            e->x[i] = e->x[j];
            e->y[i] = from + height - e->y[j];
            e->x[j] = x;
            e->y[j] = y;
        }
    }
}

static void shift_down(tl_drawing *d, double by)
{
    for (uint32_t k = 0; k < d->nboxes; k++)
        d->boxes[k].y += d->boxes[k].mirror == TL_NONE ? by : 0;
    for (uint32_t k = 0; k < d->nnests; k++)
        d->nests[k].y[0] += by;
    for (uint32_t k = 0; k < d->nedges; k++)
        for (int i = 0; d->edges[k].kind == TL_EDGE_FORWARD && i < d->edges[k].npoints; i++)
            d->edges[k].y[i] += by;
}

static int open_half(tl_half *q, tl_drawing *d, tl_edge_kind kind)
{
    const size_t rows = (size_t)d->nrows + 1;
    *q = (tl_half){.d = d, .kind = kind};
    q->path = tl__calloc((size_t)d->nedges + 1, sizeof *q->path);
    q->reach = tl__calloc((size_t)d->nboxes * rows + 1, sizeof *q->reach);
    q->lanes = tl__calloc((size_t)d->ncolumns + 2, sizeof *q->lanes);
    q->gap = tl__calloc(3 * rows, sizeof *q->gap);
    if (!q->path || !q->reach || !q->lanes || !q->gap)
        return TL_ENOMEM;
    q->ends = q->gap + rows;
    q->begins = q->ends + rows;
    for (uint32_t k = 0; k < d->nnests; k++) {
        const tl_nest *n = &d->nests[k];
        q->begins[n->top] = fmax(q->begins[n->top], n->above * TL_DRAW_STRIP);
        q->ends[n->bottom + 1] = fmax(q->ends[n->bottom + 1], n->below * TL_DRAW_RIM);
    }
    q->row = d->rows + (kind == TL_EDGE_ADJOINT ? rows : 0);
    for (uint32_t e = 0; e < d->nedges; e++) {
        const int is_back = kind == TL_EDGE_ADJOINT;
        q->path[e].net = is_back ? d->edges[e].to : d->edges[e].from;
        q->path[e].end = is_back ? d->edges[e].from : d->edges[e].to;
    }
    set_ports(q);
    for (uint32_t e = 0; e < d->nedges; e++)
        if (is_here(q, e))
            choose_way(q, e);
    set_lanes(q);
    return TL_OK;
}

static void close_half(tl_half *q)
{
    tl__free(q->path);
    tl__free(q->reach);
    tl__free(q->lanes);
    tl__free(q->gap);
}

int tl__draw_route(tl_drawing *d)
{
    tl_half half[2] = {{0}, {0}};
    d->rows = tl__calloc(2 * ((size_t)d->nrows + 1), sizeof *d->rows);
    int code = d->rows ? TL_OK : TL_ENOMEM;
    code = code ? code : open_half(&half[0], d, TL_EDGE_FORWARD);
    code = code ? code : open_half(&half[1], d, TL_EDGE_ADJOINT);
    if (!code) {
        set_columns(d, half[0].lanes, half[1].lanes);
        for (int i = 0; i < 2; i++) {
            extend_all(&half[i]);
            set_rows(&half[i]);
            set_nests(&half[i]);
            for (uint32_t e = 0; e < d->nedges; e++)
                if (is_here(&half[i], e))
                    draw_line(&half[i], e);
        }
        int both = 0;
        for (uint32_t k = 0; k < d->nboxes; k++)
            both |= d->boxes[k].mirror != TL_NONE;
        const double upper = d->rows[d->nrows], lower = d->rows[2 * d->nrows + 1];
        shift_down(d, MARGIN + HEAD);
        d->middle = MARGIN + HEAD + upper;
        turn_over(d, d->middle, lower);
        d->height = d->middle + (both ? lower : 0) + MARGIN;
    }
    close_half(&half[0]);
    close_half(&half[1]);
    return code;
}
