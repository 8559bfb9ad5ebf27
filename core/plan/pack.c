/* pack.c -- a matrix that many products read is packed once for all of them.
 *
 *     before   loop, 100 steps:  z = contract(h, W)        W packed, or read badly, in each step
 *
 *     after    P = pack(W)                                 panels of columns, as kernels read them
 *              loop, 100 steps:  z = contract(h, P)
 *
 * W must be the same for all of a loop's steps, be read by several products outside of loops, or be
 * a leaf that will be the same in many runs (of a program). The pack of a value that the tape has
 * already is kept with that (core/packs.h), so the next run with the same weights does not pack at
 * all. Packing changes no bit of a product. */
#include "core/plan/graph.h"
#include "core/plan/steps.h"

#include "core/packs.h"

#include <string.h>

static int pack_run(tl_call *c)
{
    const int64_t *i = c->attr->i;
    const tl_matrix from = {c->in[0].data, i[3], i[4]};
    const int64_t hi = c->hi ? c->hi : tl__panels_count(c->out.dtype, i[2]);
    tl__panels_pack_part(c->out.dtype, i[1], i[2], from, c->out.data, c->lo, hi);
    return TL_OK;
}

static int64_t pack_parts(tl_parts *q)
{
    return tl__panels_count(q->dtype, q->attr->i[2]);
}

/* Attributes: as a tl_pack_spec; the offset is the operand's own. */
const tl_op tl__op_pack = {.name = "pack",
                           .doc = "a, in panels",
                           .grad_doc = "none",
                           .kind = TL_OTHER,
                           .run = pack_run,
                           .parts = pack_parts,
                           .no_gradient = 1};

void tl__contraction_define(const tl_graph *g, uint32_t v, tl_contraction_def *d, tl_attr *labels)
{
    const tl_val *x = &g->val[v];
    *labels = (tl_attr){x->ni, x->i, 0, NULL};
    *d = (tl_contraction_def){
        .dtype = x->dtype, .labels = labels, .time = TL_LABEL_NONE, .split = TL_LABEL_BEST};
    for (int k = 0; k < 3; k++) {
        uint32_t u = k < 2 ? x->in[k] : v;
        if (k < 2 && x->packed >> k & 1) {
            d->flags |= k ? TL_CONTRACT_PACKED_B : TL_CONTRACT_PACKED_A;
            u = g->val[u].in[0];
        }
        d->shape[k] = &g->val[u].shape;
        d->stride[k] = g->val[u].address.layout.stride;
    }
    const int64_t *a = x->i, *b = a + 1 + a[0]; /* labels of the operands, behind their counts */
    if (x->clip)
        d->time = x->clip & 1 ? a[1] : b[1];
}

typedef struct tl_packing {
    tl_graph *g;
    uint32_t *packs, n; /* values made here */
    uint32_t capacity;
} tl_packing;

/* tl_request -- operand k of a product as it could be packed. */
typedef struct tl_request {
    uint32_t value; /* the operand */
    tl_pack_spec spec;
} tl_request;

static int request(const tl_graph *g, uint32_t v, uint32_t k, tl_request *r)
{
    tl_contraction_def d;
    tl_attr labels;
    tl_matrix how;
    const uint32_t u = g->val[v].in[k];
    const tl_address *a = &g->val[u].address;
    for (uint32_t p = 0; p < TL_POSITIONS; p++)
        if (a->coef[p])
            return 0;
    tl__contraction_define(g, v, &d, &labels);
    r->value = u;
    if (!tl__contraction_packing(&d, (int)k, &r->spec.k, &r->spec.n, &how))
        return 0;
    r->spec.offset = a->layout.offset;
    r->spec.rs = how.rs;
    r->spec.cs = how.cs;
    return 1;
}

static int is_same(const tl_graph *g, uint32_t a, uint32_t b, const tl_pack_spec *x,
                   const tl_pack_spec *y)
{
    return g->val[a].address.root == g->val[b].address.root && memcmp(x, y, sizeof *x) == 0;
}

/* find -- the pack that serves a request already, TL_NONE. */
static uint32_t find(const tl_packing *p, const tl_request *r)
{
    for (uint32_t k = 0; k < p->n; k++) {
        const tl_val *x = &p->g->val[p->packs[k]];
        tl_pack_spec spec;
        memcpy(&spec, x->i, sizeof spec);
        if (is_same(p->g, x->in[0], r->value, &spec, &r->spec))
            return p->packs[k];
    }
    return TL_NONE;
}

static uint32_t make(tl_packing *p, const tl_request *r)
{
    tl_graph *g = p->g;
    const tl_dtype dtype = g->val[r->value].dtype;
    const size_t bytes = tl__panels_bytes(dtype, r->spec.k, r->spec.n);
    int64_t *i = tl__graph_alloc(g, sizeof r->spec / sizeof *i, sizeof *i);
    const uint32_t v =
        tl__graph_add(g, &tl__op_pack, g->val[r->value].block, dtype,
                      tl_shape1((int64_t)(bytes / tl_dtype_size(dtype))), 1, &r->value);
    if (!i || v == TL_NONE || p->n >= p->capacity)
        return TL_NONE;
    memcpy(i, &r->spec, sizeof r->spec);
    tl_val *x = &g->val[v];
    x->ni = (int)(sizeof r->spec / sizeof *i);
    x->i = i;
    x->needed = 1;
    tl__address_of(g, v);
    p->packs[p->n++] = v;
    return v;
}

static void use_pack(tl_packing *p, uint32_t v, uint32_t k, uint32_t pack)
{
    tl_graph *g = p->g;
    uint32_t *in = tl__graph_alloc(g, g->val[v].nin, sizeof *in);
    if (!in)
        return;
    memcpy(in, g->val[v].in, g->val[v].nin * sizeof *in);
    in[k] = pack;
    g->val[v].in = in;
    g->val[v].packed |= (uint8_t)(1u << k);
}

/* is_shared -- whether operand k of v is the same for all steps of the loop around v. */
static int is_shared(const tl_graph *g, uint32_t v, uint32_t k)
{
    const uint32_t block = g->val[v].block;
    return block != 0 && g->val[g->val[v].in[k]].block != block && g->block[block].T > 1;
}

/* is_steady -- whether a pack of operand k of v will serve the next runs. */
static int is_steady(const tl_graph *g, uint32_t v, uint32_t k)
{
    return g->val[g->val[g->val[v].in[k]].address.root].steady;
}

/* Two turns: what a loop shares is packed; then what products outside of one read several times, or
 * from a pack that is there. */
static void pack_product(tl_packing *p, uint32_t v, const uint8_t *again)
{
    tl_graph *g = p->g;
    for (uint32_t k = 0; k < 2 && !g->val[v].packed && !g->code; k++) {
        tl_request r;
        if (!request(g, v, k, &r))
            continue;
        uint32_t pack = find(p, &r);
        if (pack == TL_NONE &&
            (is_shared(g, v, k) || is_steady(g, v, k) || (again && again[v] >> k & 1)))
            pack = make(p, &r);
        if (pack != TL_NONE)
            use_pack(p, v, k, pack);
    }
}

/* find_repeated -- bit k of again[v]: another product outside of loops reads operand k of v in the
 * same way. */
static void find_repeated(tl_graph *g, uint8_t *again)
{
    enum { MOST = 256 };
    struct {
        uint32_t v, k;
        tl_request r;
    } seen[MOST];
    uint32_t n = 0;
    for (uint32_t v = 0; v < g->nvals; v++)
        for (uint32_t k = 0; k < 2; k++) {
            const tl_val *x = &g->val[v];
            tl_request r;
            if (!x->needed || x->op->kind != TL_CONTRACTION || x->packed || x->block != 0 ||
                !request(g, v, k, &r))
                continue;
            uint32_t s = 0;
            while (s < n && !is_same(g, seen[s].r.value, r.value, &seen[s].r.spec, &r.spec))
                s++;
            if (s < n) {
                again[v] |= (uint8_t)(1u << k);
                again[seen[s].v] |= (uint8_t)(1u << seen[s].k);
            } else if (n < MOST) {
                seen[n].v = v;
                seen[n].k = k;
                seen[n++].r = r;
            }
        }
}

void tl__pass_pack(tl_graph *g)
{
    const uint32_t n = g->nvals;
    tl_packing p = {.g = g, .packs = tl__graph_alloc(g, 2 * n + 1, sizeof *p.packs), 0, 2 * n + 1};
    uint8_t *again = tl__graph_alloc(g, n + 1, 1);
    if (g->code)
        return;
    for (int turn = 0; turn < 2; turn++) {
        if (turn)
            find_repeated(g, again);
        for (uint32_t v = 0; v < n && !g->code; v++)
            if (g->val[v].needed && g->val[v].op->kind == TL_CONTRACTION)
                pack_product(&p, v, turn ? again : NULL);
    }
}
