/* budget.c -- a loop with a budget, and its adjoint, run a segment of S steps at a time, so that what
 * the one stacks for the other has S rows instead of T.
 *
 *     loop      for t:  a, b, c stacked          [T,...]     [S,...]  these rows only
 *     mid       d = f(stacked(c))                [T,...]     [S,...]  row by row
 *     adjoint   for t:  reads a, b, d
 *
 *     run       loop  0..S | S..2S | ... T            state kept before some segments
 *               loop  T-S..T     mid   adjoint T-S..T
 *               loop  T-2S..T-S  mid   adjoint T-2S..T-S      from a kept state on
 *
 * Which states are kept is the schedule of revolve.c. The same instructions run in the same periods
 * on the same rows, so not a bit differs from the run without a budget; draws are numbered by step,
 * so they come again.
 *
 * An array has S rows if the steps of the two touch nothing of it but the row of their own step, and
 * whatever else touches it works row by row: that is then computed for a segment, too, before the
 * loop (pre) or between the two (mid). All is found out from addresses:
 *
 *     row p of [T,...]    offset + p R, R elements a row    becomes    offset + (p - first) R
 *
 * What the loop writes otherwise is its state (rooms of carries, sums), which is kept and brought
 * back, or whole arrays [T,...], which it writes again with the same. If something stands against
 * that (a state that the adjoint reads, an array that somebody else writes, too) the two run as
 * without a budget. */
#include "core/plan/revolve.h"
#include "core/plan/ring.h"

/* ---- how long a segment is ------------------------------------------------------------------- */

static int64_t common(int64_t a, int64_t b)
{
    int64_t x = a, y = b;
    while (y) {
        const int64_t z = x % y;
        x = y;
        y = z;
    }
    return a / x * b;
}

/* choose -- segment and states within the budget, so that the fewest steps run. 0: all of it fits,
 * nothing is to be done. One more state is kept: that after the last step. */
static int choose(tl_pair *p, tl_segments *s)
{
    tl_graph *g = p->g;
    const tl_block *a = &g->block[p->ahead], *b = &g->block[p->back];
    const int64_t budget = a->budget, state = p->state_bytes > 0 ? p->state_bytes : 1;
    const int64_t unit = common(a->period ? a->period : 2, b->period ? b->period : 2);
    const int64_t least = unit < p->T ? unit * p->row_bytes + 2 * state : p->T * p->row_bytes;
    double best = 0;
    if (p->T <= budget / p->row_bytes) {
        g->block[p->ahead].fits = g->block[p->back].fits = 1;
        return 0;
    }
    if (budget < least) {
        tl__graph_fail(
            g, TL_ERANGE,
            "%s: got a budget of %lld bytes for a scan of %lld steps, want at least %lld: %lld "
            "bytes for each of %lld steps (which share a product), %lld for each of two states",
            a->scope, (long long)budget, (long long)p->T, (long long)least, (long long)p->row_bytes,
            (long long)unit, (long long)state);
        return 0;
    }
    for (int64_t size = unit; size < p->T; size += unit * (1 + size / 64 / unit)) {
        const int64_t n = (p->T + size - 1) / size,
                      slots = (budget - size * p->row_bytes) / state - 1;
        if (slots < 1)
            break;
        const double steps = tl__revolve_runs(n, slots) * (double)size;
        if (best > 0 && steps >= best)
            continue;
        best = steps;
        s->size = size;
        s->slots = slots < n ? slots : n;
    }
    return best > 0;
}

/* ---- doing it -------------------------------------------------------------------------------- */

/* rows_here -- operand u, [T,...], as the rows of the segment. */
static uint32_t rows_here(tl_pair *p, uint32_t u, int64_t size)
{
    tl_graph *g = p->g;
    tl_shape shape = g->val[u].shape;
    shape.dim[0] = size;
    const uint32_t v = tl__graph_add(g, &tl__op_rows, 0, g->val[u].dtype, shape, 1, &u);
    if (v == TL_NONE)
        return v;
    tl_val *x = &g->val[v];
    x->via = TL_VIA_ROWS;
    x->base = u;
    x->address = g->val[u].address;
    x->address.coef[0] += x->address.layout.stride[0];
    x->resolved = x->needed = 1;
    return v;
}

/* lead_first -- what `ahead` reads is computed before it: PRE; all else after it: POST. */
static void set_phases(tl_pair *p)
{
    tl_graph *g = p->g;
    uint8_t *first = tl__graph_alloc(g, p->n + 1, 1); /* by root */
    if (!first)
        return;
    for (uint32_t r = 0; r < p->n; r++)
        first[r] = p->ring[r] && p->reads[r] & TL_AHEAD;
    for (uint32_t k = g->block[0].norder; k-- > 0;) {
        const uint32_t w = g->block[0].order[k];
        tl_val *x = &g->val[w];
        if (!p->moves[w])
            continue;
        x->phase = first[tl__root_of(p->g, w)] ? TL_PRE : TL_POST;
        for (uint32_t i = 0; i < x->nin; i++)
            if (tl__root_of(p->g, x->in[i]) != TL_NONE && x->phase == TL_PRE)
                first[tl__root_of(p->g, x->in[i])] = 1;
    }
}

/* shorten -- rings get a segment's rows, and addresses in them count from its first step. */
static void shorten(tl_pair *p, int64_t size)
{
    tl_graph *g = p->g;
    for (uint32_t v = 0; v < p->n; v++) {
        tl_val *x = &g->val[v];
        const uint32_t r = tl__root_of(p->g, v);
        if (r == TL_NONE || !p->ring[r])
            continue;
        if (x->block != 0)
            x->address.coef[TL_SEGMENT] = -x->address.coef[0];
        else if (v != r && x->shape.rank > 0 && x->shape.dim[0] == p->T)
            x->shape.dim[0] = size;
    }
    for (uint32_t r = 0; r < p->n; r++)
        if (p->ring[r])
            g->val[r].shape.dim[0] = size;
}

/* move -- the values of block 0 that are computed for a segment at a time. */
static void move(tl_pair *p, int64_t size, uint32_t segments)
{
    tl_graph *g = p->g;
    for (uint32_t w = 0; w < p->n && !g->code; w++) {
        if (!p->moves[w])
            continue;
        const tl_val x = g->val[w];
        uint32_t led = 0, *in = tl__graph_alloc(g, x.nin + 1, sizeof *in);
        for (uint32_t k = 0; in && k < x.nin; k++) {
            const uint32_t r = tl__root_of(p->g, x.in[k]);
            in[k] = x.in[k];
            if (!tl__pair_leads(p, &x, k))
                continue;
            led |= 1u << k;
            if (r != TL_NONE && p->ring[r])
                continue;
            in[k] = rows_here(p, x.in[k], size);
        }
        if (g->code)
            return;
        g->val[w].in = in;
        g->val[w].segments = segments;
        g->val[w].clip = (uint8_t)(led | 1u << x.nin);
    }
}

static void apply(tl_pair *p, tl_segments s)
{
    tl_graph *g = p->g;
    for (uint32_t r = 0; r < p->n; r++)
        s.nstate += p->is_state[r];
    s.state = tl__graph_alloc(g, s.nstate + 1, sizeof *s.state);
    if (!s.state)
        return;
    s.nstate = 0;
    for (uint32_t r = 0; r < p->n; r++)
        if (p->is_state[r])
            s.state[s.nstate++] = r;
    s.ahead = p->ahead;
    s.back = p->back;
    set_phases(p);
    move(p, s.size, g->nsegments + 1); /* while operands have T rows */
    shorten(p, s.size);
    g->block[p->ahead].segments = g->block[p->back].segments = g->nsegments;
    g->segments[g->nsegments++] = s;
}

/* can_be -- whether block b is a loop that could be one of two; `of`: the adjoint of which other. */
static int can_be(const tl_graph *g, uint32_t b, const tl_block *of)
{
    const tl_block *x = &g->block[b];
    return x->budget > 0 && x->parent == 0 && x->T > 2 && g->val[x->loop].needed &&
           x->segments == TL_NONE && x->adjoint == (of != NULL) &&
           (!of || (x->T == of->T && x->reverse != of->reverse));
}

/* pair_up -- finds block b the adjoint that reads most of it. */
static void pair_up(tl_graph *g, uint32_t b, const uint8_t *fresh)
{
    tl_pair best = {0};
    for (uint32_t c = 1; c < g->nblocks && !g->code; c++) {
        tl_pair p = {
            .g = g, .ahead = b, .back = c, .n = g->nvals, .T = g->block[b].T, .fresh = fresh};
        if (c != b && can_be(g, c, &g->block[b]) && tl__pair_look(&p) &&
            p.row_bytes > best.row_bytes)
            best = p;
    }
    tl_segments s = {0};
    if (!g->code && best.g && choose(&best, &s))
        apply(&best, s);
}

void tl__pass_budget(tl_graph *g)
{
    int any = 0;
    for (uint32_t b = 1; b < g->nblocks; b++)
        any |= can_be(g, b, NULL);
    if (!any || g->code)
        return;
    g->segments = tl__graph_alloc(g, g->nblocks, sizeof *g->segments);
    for (uint32_t b = 1; b < g->nblocks && !g->code; b++) {
        if (!can_be(g, b, NULL))
            continue;
        tl__graph_order(g);
        const uint8_t *fresh = tl__fresh_roots(g);
        if (!g->code)
            pair_up(g, b, fresh);
    }
}
