/* simplify.c -- writes down in fewer operations what gives the same bits.
 *
 *     before   n = neg(x)   e = exp(n)   d = 1 + e   s = 1 / d
 *     after    s = sigmoid(x)
 *
 *     before   neg(mul(neg(q), e))               an adjoint's signs
 *     after    mul(q, e)
 *
 * The laws are a table (law.h); here is what finds and applies them, in turns, until none holds any
 * more. Of a constant a plan knows only whether it is 1 (key.c). */
#include "core/plan/graph.h"
#include "core/plan/law.h"

#include "core/space.h"

enum { X, Y, VARIABLES, TURNS = 8 };

typedef struct tl_match {
    tl_graph *g;
    const tl_law *law;
    uint32_t root, bound[VARIABLES];
} tl_match;

static int is_one(const tl_graph *g, uint32_t v)
{
    const uint32_t c = tl__const_behind(g, v);
    return c != TL_NONE && g->val[c].one;
}

static int commutes(const tl_op *op)
{
    return op->form == TL_FORM_SUM || op->form == TL_FORM_PRODUCT;
}

/* match -- whether v is what the terms from t on say; the term behind it, or NULL. */
static const tl_term *match(tl_match *m, uint32_t v, const tl_term *t)
{
    const tl_val *x = &m->g->val[v], *root = &m->g->val[m->root];
    if (t->kind == TL_TERM_X || t->kind == TL_TERM_Y) {
        uint32_t *bound = &m->bound[t->kind == TL_TERM_X ? X : Y];
        if (*bound != TL_NONE && *bound != v)
            return NULL;
        *bound = v;
        return t + 1;
    }
    if (t->kind == TL_TERM_ONE)
        return is_one(m->g, v) ? t + 1 : NULL;
    const int inside = v != m->root;
    if (x->op != t->op || x->block != root->block ||
        (inside && m->law->alone && (x->uses != 1 || x->keep)))
        return NULL;
    if (t->kind == TL_TERM_UNARY)
        return match(m, x->in[0], t + 1);
    for (int side = 0; side <= commutes(x->op); side++) {
        const tl_match before = *m;
        const tl_term *next = match(m, x->in[side], t + 1);
        next = next ? match(m, x->in[1 - side], next) : NULL;
        if (next)
            return next;
        *m = before;
    }
    return NULL;
}

static uint32_t bound_to(const tl_match *m, const tl_term *t)
{
    return m->bound[t->kind == TL_TERM_X ? X : Y];
}

/* fits -- whether the new side has the shape of the old one: what it is, if it is no binary
 * operation, has that of its variable. */
static int fits(const tl_match *m)
{
    const tl_term *t = m->law->to;
    while (t->kind == TL_TERM_UNARY)
        t++;
    return t->kind == TL_TERM_BINARY ||
           tl_shape_equal(m->g->val[bound_to(m, t)].shape, m->g->val[m->root].shape);
}

static uint32_t build(tl_match *m, const tl_term **t);

/* operands -- of the term at *t, which is left behind; returns how many. */
static uint32_t operands(tl_match *m, const tl_term **t, uint32_t *in)
{
    const uint32_t n = (*t)++->kind == TL_TERM_BINARY ? 2 : 1;
    for (uint32_t k = 0; k < n; k++)
        in[k] = build(m, t);
    return n;
}

/* build -- the value that the terms from *t on describe. */
static uint32_t build(tl_match *m, const tl_term **t)
{
    if ((*t)->kind == TL_TERM_X || (*t)->kind == TL_TERM_Y)
        return bound_to(m, (*t)++);
    uint32_t in[2] = {TL_NONE, TL_NONE};
    const tl_op *op = (*t)->op;
    const uint32_t n = operands(m, t, in);
    const tl_val root = m->g->val[m->root];
    return m->g->code ? TL_NONE
                      : tl__graph_add(m->g, op, root.block, root.dtype, root.shape, n, in);
}

/* apply -- the root becomes the new side; *instead receives the value whose place it takes if that
 * is there already. */
static void apply(tl_match *m, uint32_t *instead)
{
    tl_graph *g = m->g;
    const tl_term *t = m->law->to;
    if (t->kind == TL_TERM_X) {
        *instead = m->bound[X];
        g->val[*instead].uses += g->val[m->root].uses;
        if (g->val[m->root].keep)
            tl__graph_show(g, m->root, *instead);
        return;
    }
    uint32_t *in = tl__graph_alloc(g, 2, sizeof *in);
    if (!in)
        return;
    const tl_op *op = t->op;
    const uint32_t n = operands(m, &t, in);
    if (g->code)
        return;
    tl_val *to = &g->val[m->root];
    to->op = op;
    to->nin = n;
    to->in = in;
}

/* simplify -- tries all laws on v; whether one held. */
static int simplify(tl_graph *g, uint32_t v, uint32_t *instead)
{
    for (int k = 0; k < tl__nlaws; k++) {
        tl_match m = {g, &tl__laws[k], v, {TL_NONE, TL_NONE}};
        const tl_term *end = match(&m, v, m.law->from);
        if (!end || end->kind != TL_TERM_END || !fits(&m))
            continue;
        apply(&m, instead);
        return 1;
    }
    return 0;
}

/* rename_all -- everybody reads what stands for a value now. */
static void rename_all(tl_graph *g, const uint32_t *name, uint32_t n)
{
    for (uint32_t v = 0; v < g->nvals; v++) {
        tl_val *x = &g->val[v];
        for (uint32_t k = 0; k < x->nin; k++)
            x->in[k] = x->in[k] < n ? name[x->in[k]] : x->in[k];
        if (x->op == &tl_op_stacked || x->op == &tl_op_summed)
            x->of = x->of < n ? name[x->of] : x->of;
    }
    for (uint32_t b = 0; b < g->nblocks; b++)
        for (uint32_t i = 0; i < g->block[b].ncarries; i++) {
            tl_gcarry *c = &g->block[b].carry[i];
            c->init = c->init < n ? name[c->init] : c->init;
            c->next = c->next < n ? name[c->next] : c->next;
        }
}

/* One turn; what it has made is looked at in the next one. */
static int simplify_all(tl_graph *g)
{
    tl__graph_mark(g);
    tl__graph_order(g);
    const uint32_t n = g->nvals;
    uint32_t *name = tl__graph_alloc(g, n + 1, sizeof *name);
    int changed = 0;
    if (g->code)
        return 0;
    for (uint32_t v = 0; v < n; v++)
        name[v] = v;
    for (uint32_t b = 0; b < g->nblocks; b++)
        for (uint32_t k = 0; k < g->block[b].norder && !g->code; k++) {
            const uint32_t v = g->block[b].order[k];
            tl_val *x = &g->val[v];
            if (!tl__is_pointwise(x))
                continue;
            for (uint32_t i = 0; i < x->nin; i++)
                x->in[i] = x->in[i] < n ? name[x->in[i]] : x->in[i];
            changed |= simplify(g, v, &name[v]);
        }
    if (changed && !g->code)
        rename_all(g, name, n);
    return changed;
}

void tl__pass_simplify(tl_graph *g)
{
    for (int turn = 0; turn < TURNS && !g->code && simplify_all(g); turn++)
        ;
}
