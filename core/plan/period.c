/* period.c -- products over all steps of a loop are made a period at a time, next to the steps
 * that need them, while their rows are in the cache.
 *
 *     before                                 after
 *       X = contract(xs, W)  [T,B,4H]          loop over T steps, periods of P
 *       loop over T steps                        before a period   X = contract(rows of xs, W)
 *         a = each(X) += contract(h, U)          every step        a = each(X) += contract(h, U)
 *         ... dz                                                   ... dz
 *       D = contract(stacked(dz), xs)            after a period    D += contract(rows of dz, rows of xs)
 *       E = contract(stacked(dz), W)                               rows of E = contract(rows of dz, W)
 *
 * What nobody else reads (X without settled gates, dz) then has P rows instead of T. P follows from
 * shapes alone, for tl__period_rows() rows of the product, and periods begin at multiples of P in
 * both directions; so sums over time have one order, whatever runs them. */
#include "core/plan/graph.h"

#include "core/space.h"

#include <string.h>

typedef struct tl_periods {
    tl_graph *g;
    uint32_t block;
    int64_t T, P;
    uint32_t n;      /* values when the block's turn began */
    uint32_t *moved; /* by value: operands of what is moved that show it */
    uint32_t *rows;  /* by value: its rows of this period, TL_NONE */
    uint8_t *kind;   /* by value: tl_move */
    uint8_t *later;  /* by value of the block around: needs the loop to have run */
} tl_periods;

typedef enum tl_move { STAYS, LEADS, KEEPS_TIME, SUMS_TIME, ADDS_UP } tl_move;

/* ---- what can be moved ----------------------------------------------------------------------- */

/* tl_labels -- of a contraction: result, then operands a and b. */
typedef struct tl_labels {
    int64_t n[3];
    const int64_t *label[3]; /* of a, b, result */
} tl_labels;

static tl_labels labels_of(const tl_val *x)
{
    tl_labels l;
    const int64_t *i = x->i;
    for (int k = 0; k < 3; k++) {
        l.n[k] = *i++;
        l.label[k] = i;
        i += l.n[k];
    }
    return l;
}

/* leads -- whether label t stands first in part k and nowhere else: 1; not at all: 0; else -1. */
static int leads(const tl_labels *l, int k, int64_t t)
{
    for (int64_t a = 1; a < l->n[k]; a++)
        if (l->label[k][a] == t)
            return -1;
    return l->n[k] > 0 && l->label[k][0] == t;
}

static int is_stacked(const tl_periods *p, uint32_t v)
{
    return p->g->val[v].op == &tl_op_stacked && p->g->val[v].loop == p->block;
}

/* time_of -- the label of the steps in product x, and which operands have it (bits); 0 bits when
 * it is no product over all steps. With sums the label is not in the result. */
static uint32_t time_of(const tl_periods *p, const tl_val *x, int sums, int64_t *label)
{
    const tl_labels l = labels_of(x);
    const int from = sums ? 0 : 2;
    if (l.n[from] == 0)
        return 0;
    *label = l.label[from][0];
    const int a = leads(&l, 0, *label), b = leads(&l, 1, *label), out = leads(&l, 2, *label);
    if (a < 0 || b < 0 || out != !sums || (sums && !(a && b)))
        return 0;
    const uint32_t led = (uint32_t)a | (uint32_t)b << 1;
    for (uint32_t k = 0; k < 2; k++)
        if ((led >> k & 1 && p->g->val[x->in[k]].shape.dim[0] != p->T) ||
            (p->later[x->in[k]] && !is_stacked(p, x->in[k])))
            return 0;
    return led;
}

static int is_product(const tl_periods *p, const tl_val *x)
{
    return x->needed && x->op->kind == TL_CONTRACTION && x->phase == TL_STEPS &&
           x->block == p->g->block[p->block].parent;
}

/* is_lead -- whether x is made before the loop and read there row by row only; settled gates that
 * lie in it are read after the loop. */
static int is_lead(const tl_periods *p, uint32_t v, const uint32_t *readers)
{
    const tl_val *x = &p->g->val[v];
    int64_t label;
    return is_product(p, x) && x->via == TL_OWN && !x->keep && !x->accumulate && x->nin == 2 &&
           readers[v] > 0 && (readers[v] == x->uses || x->settled) && time_of(p, x, 0, &label) != 0;
}

/* leads_elsewhere -- whether product v is what another loop with a budget begins its steps with. It
 * is made there then, where it can be made again. */
static int leads_elsewhere(const tl_periods *p, uint32_t v)
{
    const tl_graph *g = p->g;
    for (uint32_t u = 0; u < p->n; u++) {
        const tl_val *e = &g->val[u];
        if (e->needed && e->op == &tl_op_each && e->in[0] == v && e->block != p->block &&
            g->block[e->block].budget > 0 && !g->block[e->block].adjoint)
            return 1;
    }
    return 0;
}

/* is_trail -- whether x is made of what the loop stacks. A product that adds into another one is
 * moved with it. */
static tl_move is_trail(const tl_periods *p, const tl_val *x)
{
    int64_t label;
    uint32_t led = 0;
    int sums = 0;
    if (x->op == &tl_op_sum) {
        const tl_shape s = p->g->val[x->in[0]].shape;
        return x->needed && x->phase == TL_STEPS && x->via == TL_OWN &&
                       x->block == p->g->block[p->block].parent && is_stacked(p, x->in[0]) &&
                       s.rank > 1 && s.dim[0] == p->T && x->shape.dim[0] == 1 &&
                       (x->i[0] >> (s.rank - 1) & 1)
                   ? ADDS_UP
                   : STAYS;
    }
    if (!is_product(p, x))
        return STAYS;
    if (x->accumulate ? x->via != TL_VIA_SAME || p->kind[x->base] != KEEPS_TIME
                      : x->via != TL_OWN || x->nin != 2)
        return STAYS;
    for (; sums < 2 && !led; sums++)
        led = time_of(p, x, sums, &label);
    const int is_read =
        (led & 1 && is_stacked(p, x->in[0])) || (led & 2 && is_stacked(p, x->in[1]));
    if (!led || !is_read || (x->accumulate && sums == 2))
        return STAYS;
    return sums == 2 ? SUMS_TIME : KEEPS_TIME;
}

/* row_count -- rows that one step adds to the product. */
static int64_t row_count(const tl_periods *p, const tl_val *x, uint32_t led)
{
    const tl_shape s = p->g->val[x->in[led & 1 ? 0 : 1]].shape;
    int64_t n = 1;
    for (int a = 1; a + 1 < s.rank; a++)
        n *= s.dim[a];
    return n;
}

/* ---- moving ---------------------------------------------------------------------------------- */

static tl_shape with_first(int64_t n, tl_shape s)
{
    s.dim[0] = n;
    return s;
}

/* period_rows -- value u of outside, or a stacked one, as the products of a period read it. */
static uint32_t period_rows(tl_periods *p, uint32_t u)
{
    tl_graph *g = p->g;
    if (u < p->n && p->rows[u] != TL_NONE)
        return p->rows[u];
    const tl_val x = g->val[u];
    const tl_shape shape = with_first(p->P, x.shape);
    uint32_t r;
    const uint32_t body = is_stacked(p, u) ? x.of : TL_NONE;
    if (body != TL_NONE && x.via == TL_OWN && !x.keep && p->moved[u] == x.uses &&
        g->val[body].block == p->block && g->val[body].op != &tl_op_each &&
        !tl__is_carried(g, p->block, body)) {
        /* nobody else reads it: a room of P rows, written row by row */
        r = tl__graph_add(g, &tl__op_room, p->block, x.dtype, shape, 0, NULL);
        const uint32_t v = tl__placeable(g, body, p->block);
        if (r == TL_NONE || v == TL_NONE)
            return TL_NONE;
        tl__place(g, v, TL_VIA_ROW, r, 0, 1);
        g->val[tl__home_of(g, v)].within = 1;
        uint32_t *in = tl__graph_alloc(g, 1, sizeof *in);
        if (!in)
            return TL_NONE;
        *in = v;
        g->val[r].in = in; /* full when the last step has written its row */
        g->val[r].nin = 1;
    } else {
        /* of the loop itself: the loop must not wait for its own result */
        const uint32_t from = body != TL_NONE ? body : u;
        r = tl__graph_add(g, &tl__op_rows, p->block, x.dtype, shape, 1, &from);
        if (r == TL_NONE)
            return r;
        g->val[r].via = TL_VIA_ROWS;
        g->val[r].base = u;
        g->val[r].pace = 1;
    }
    if (u < p->n)
        p->rows[u] = r;
    return r;
}

/* period_product -- x for the steps of one period. */
static uint32_t period_product(tl_periods *p, uint32_t v, uint32_t led, int keeps_time,
                               tl_phase phase)
{
    tl_graph *g = p->g;
    const tl_val x = g->val[v];
    uint32_t in[3];
    for (uint32_t k = 0; k < 2; k++) {
        in[k] = led >> k & 1 ? period_rows(p, x.in[k]) : x.in[k];
        if (in[k] == TL_NONE)
            return TL_NONE;
    }
    const uint32_t w = tl__graph_add(g, x.op, p->block, x.dtype,
                                     keeps_time ? with_first(p->P, x.shape) : x.shape, 2, in);
    if (w == TL_NONE)
        return w;
    tl_val *to = &g->val[w];
    to->node = x.node;
    to->ni = x.ni;
    to->i = x.i;
    to->phase = (uint8_t)phase;
    to->clip = (uint8_t)(led | (uint32_t)keeps_time << 2);
    return w;
}

/* add_into -- product w adds into `base`, where it lies. */
static void add_into(tl_graph *g, uint32_t w, uint32_t base)
{
    uint32_t *in = tl__graph_alloc(g, 3, sizeof *in);
    if (!in)
        return;
    memcpy(in, g->val[w].in, 2 * sizeof *in);
    in[2] = base;
    g->val[w].in = in;
    g->val[w].nin = 3;
    g->val[w].accumulate = 1;
    g->val[w].via = TL_VIA_SAME;
    g->val[w].base = base;
}

/* show -- v is what the loop leaves in `room` (TL_NONE: in v's own memory), written by w. */
static void show(tl_periods *p, uint32_t v, uint32_t w, uint32_t room)
{
    tl_graph *g = p->g;
    uint32_t *in = tl__graph_alloc(g, 2, sizeof *in);
    if (!in)
        return;
    in[0] = g->block[p->block].loop;
    in[1] = room;
    tl_val *x = &g->val[v];
    x->op = &tl__op_shown;
    x->in = in;
    x->nin = room == TL_NONE ? 1 : 2;
    x->ni = 0;
    x->loop = p->block;
    x->of = w;
    x->accumulate = 0;
    if (room != TL_NONE) {
        x->via = TL_VIA_SAME;
        x->base = room;
        x->row = x->pace = 0;
    }
}

/* zeros -- a room in the block around that starts at zero. */
static uint32_t zeros(tl_periods *p, tl_dtype dtype, tl_shape shape)
{
    tl_graph *g = p->g;
    const uint32_t parent = g->block[p->block].parent;
    const uint32_t zero = tl__graph_const(g, parent, dtype);
    const uint32_t start = zero == TL_NONE ? TL_NONE : tl__graph_copy(g, zero, parent, shape);
    if (start == TL_NONE)
        return TL_NONE;
    const uint32_t room = tl__graph_add(g, &tl__op_room, parent, dtype, shape, 1, &start);
    if (room == TL_NONE)
        return TL_NONE;
    tl__place(g, start, TL_VIA_SAME, room, 0, 0);
    return room;
}

/* lead -- x moves before the steps of a period. If all who read it are the steps it has P rows;
 * otherwise (settled gates show it) it stays as a room of T rows. */
static void move_lead(tl_periods *p, uint32_t v, uint32_t readers)
{
    tl_graph *g = p->g;
    int64_t label;
    const tl_val x = g->val[v];
    const uint32_t w = period_product(p, v, time_of(p, &x, 0, &label), 1, TL_PRE);
    if (w == TL_NONE)
        return;
    const int is_private = readers == x.uses;
    if (!is_private) {
        tl__place(g, w, TL_VIA_ROWS, v, 0, 1);
        g->val[v].op = &tl__op_room;
        g->val[v].nin = 0;
    }
    for (uint32_t u = 0; u < p->n; u++) {
        tl_val *e = &g->val[u];
        if (!e->needed || e->op != &tl_op_each || e->block != p->block || e->in[0] != v)
            continue;
        uint32_t *in = tl__graph_alloc(g, 1, sizeof *in);
        if (!in)
            return;
        *in = w;
        e->in = in;
        e->via = TL_VIA_ROW;
        e->base = is_private ? w : v;
        e->pace = 1;
        e->within = (uint8_t)is_private;
    }
}

static void move_product(tl_periods *p, uint32_t v, tl_move move)
{
    tl_graph *g = p->g;
    int64_t label;
    const tl_val x = g->val[v];
    const int keeps_time = move == KEEPS_TIME;
    const uint32_t w =
        period_product(p, v, time_of(p, &x, !keeps_time, &label), keeps_time, TL_POST);
    if (w == TL_NONE)
        return;
    if (x.accumulate) {
        add_into(g, w, g->val[x.base].of);
        show(p, v, w, x.base);
    } else if (keeps_time) {
        tl__place(g, w, TL_VIA_ROWS, v, 0, 1);
        show(p, v, w, TL_NONE);
    } else {
        const uint32_t room = zeros(p, x.dtype, x.shape);
        if (room == TL_NONE)
            return;
        add_into(g, w, room);
        show(p, v, w, room);
    }
}

/* move_sum -- a sum over steps and rows: of each period, added up. */
static void move_sum(tl_periods *p, uint32_t v)
{
    tl_graph *g = p->g;
    const tl_val x = g->val[v];
    const uint32_t from = period_rows(p, x.in[0]), room = zeros(p, x.dtype, x.shape);
    if (from == TL_NONE || room == TL_NONE)
        return;
    const uint32_t part = tl__graph_add(g, x.op, p->block, x.dtype, x.shape, 1, &from);
    if (part == TL_NONE)
        return;
    g->val[part].node = x.node;
    g->val[part].ni = x.ni;
    g->val[part].i = x.i;
    g->val[part].phase = TL_POST;
    g->val[part].clip = 1;
    const uint32_t in[2] = {room, part};
    const uint32_t sum = tl__graph_add(g, &tl_op_add, p->block, x.dtype, x.shape, 2, in);
    if (sum == TL_NONE)
        return;
    g->val[sum].phase = TL_POST;
    tl__place(g, sum, TL_VIA_SAME, room, 0, 0);
    show(p, v, sum, room);
}

/* ---- the pass -------------------------------------------------------------------------------- */

/* find_later -- what of the block around comes after the loop. */
static void find_later(tl_periods *p)
{
    const tl_graph *g = p->g;
    const tl_block *around = &g->block[g->block[p->block].parent];
    const uint32_t loop = g->block[p->block].loop;
    for (uint32_t k = 0; k < around->norder; k++) {
        const tl_val *x = &g->val[around->order[k]];
        for (uint32_t i = 0; i < x->nin; i++)
            p->later[around->order[k]] |= x->in[i] == loop || p->later[x->in[i]];
    }
}

/* find -- what moves, and the length of a period. */
static void find(tl_periods *p, uint32_t *readers)
{
    tl_graph *g = p->g;
    int64_t rows = 1, label;
    for (uint32_t v = 0; v < p->n; v++)
        if (g->val[v].needed && g->val[v].op == &tl_op_each && g->val[v].block == p->block)
            readers[g->val[v].in[0]]++;
    for (uint32_t v = 0; v < p->n; v++) /* steps that hand out what they are given */
        if (g->val[v].needed && is_stacked(p, v) && g->val[g->val[v].of].op == &tl_op_each &&
            g->val[g->val[v].of].block == p->block)
            readers[g->val[g->val[v].of].in[0]] = 0;
    for (uint32_t v = 0; v < p->n; v++) {
        const tl_val *x = &g->val[v];
        uint32_t led = 0;
        p->kind[v] = (uint8_t)(is_lead(p, v, readers) ? LEADS : is_trail(p, x));
        if (p->kind[v] == KEEPS_TIME && leads_elsewhere(p, v))
            p->kind[v] = STAYS;
        if (p->kind[v] == LEADS || p->kind[v] == KEEPS_TIME)
            led = time_of(p, x, 0, &label);
        else if (p->kind[v] == SUMS_TIME)
            led = time_of(p, x, 1, &label);
        if (led) {
            const int64_t n = row_count(p, x, led);
            rows = n > rows ? n : rows;
        }
        for (uint32_t k = 0; k < 2; k++)
            if ((led >> k & 1 || (p->kind[v] == ADDS_UP && k == 0)) && is_stacked(p, x->in[k]))
                p->moved[x->in[k]]++;
    }
    p->P = tl__period_rows() / rows < 2 ? 2 : tl__period_rows() / rows;
}

static void period_block(tl_graph *g, uint32_t block)
{
    tl_periods p = {.g = g, .block = block, .T = g->block[block].T, .n = g->nvals};
    uint32_t *readers = tl__graph_alloc(g, p.n + 1, sizeof *readers);
    p.moved = tl__graph_alloc(g, p.n + 1, sizeof *p.moved);
    p.rows = tl__graph_alloc(g, p.n + 1, sizeof *p.rows);
    p.kind = tl__graph_alloc(g, p.n + 1, 1);
    p.later = tl__graph_alloc(g, p.n + 1, 1);
    if (g->code)
        return;
    find_later(&p);
    memset(p.rows, 0xff, (p.n + 1) * sizeof *p.rows);
    find(&p, readers);
    if (p.P >= p.T)
        return;
    for (uint32_t v = 0; v < p.n && !g->code; v++) {
        if (p.kind[v] == STAYS)
            continue;
        g->block[block].period = p.P;
        if (p.kind[v] == LEADS)
            move_lead(&p, v, readers[v]);
        else if (p.kind[v] == ADDS_UP)
            move_sum(&p, v);
        else
            move_product(&p, v, (tl_move)p.kind[v]);
    }
}

void tl__pass_period(tl_graph *g)
{
    const uint32_t nblocks = g->nblocks;
    for (uint32_t b = 1; b < nblocks && !g->code; b++) {
        tl__graph_mark(g);
        tl__graph_order(g);
        if (!g->code && g->val[g->block[b].loop].needed && g->block[b].T > 2)
            period_block(g, b);
    }
}
