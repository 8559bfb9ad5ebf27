/* freeze.c -- closes a program: plans what leads from its inputs and states to its results, and
 * decides where every value lies in a session's memory.
 *
 * The planner is shown the tape as a program sees it: what has a name, and what has its value from
 * outside, is live; all else still has to run, whatever the tape has computed.
 *
 *     tape   x input   h zeros   W use    z live    y live    loss dropped
 *     view   live      live      live     runs      runs      runs */
#include "core/frozen.h"
#include "core/plan/stretch.h"

#include <string.h>

static const char what[] = "tl_program_close";

typedef struct tl_freezer {
    tl_program *p;
    tl_tape view; /* a copy with nodes of its own */
    tl_stretch stretch;
    uint32_t *roots;
    int nroots;
} tl_freezer;

static int no_memory(tl_program *p)
{
    return tl__fail(&p->err, TL_ENOMEM, "%s: no memory for the program", what);
}

/* take_error -- the tape's, or the view's, as the program's. */
static int take_error(tl_program *p, const tl_tape *from)
{
    return tl__fail(&p->err, from->code, "%s: %s", what, from->message);
}

static void *take(tl_program *p, size_t count, size_t size)
{
    size_t bytes;
    void *memory = tl__mul_size(count, size, &bytes) ? NULL : tl__arena_alloc(&p->arena, bytes);
    if (memory)
        memset(memory, 0, bytes);
    else
        no_memory(p);
    return memory;
}

/* ---- what the planner sees ------------------------------------------------------------------- */

/* find_initial -- what inputs and states are on the tape. */
static int find_initial(tl_freezer *f)
{
    tl_program *p = f->p;
    tl_tape *tape = p->tape;
    int missing = 0;
    for (uint32_t i = 0; i < p->nports; i++) {
        tl_port *port = &p->port[i];
        int code = tl__program_check(p, what, port->name, port->value);
        if (code == TL_OK && port->kind == TL_PORT_STATE)
            code = tl__program_check(p, what, port->name, port->next);
        if (code)
            return code;
        if (port->kind != TL_PORT_OUTPUT && tape->nodes[port->value.slot].life != TL_LIVE)
            f->roots[missing++] = port->value.slot;
    }
    const tl_run_opts opts = {.commit = 1};
    if (missing && tl__run(tape, missing, f->roots, &opts))
        return take_error(p, tape);
    for (uint32_t i = 0; i < p->nports; i++) {
        tl_port *port = &p->port[i];
        if (port->kind == TL_PORT_OUTPUT)
            continue;
        port->initial = tl__buf_new(port->bytes);
        if (!port->initial)
            return no_memory(p);
        tl__copy_dense(&tape->nodes[port->value.slot], port->initial->data);
    }
    return TL_OK;
}

/* port_of -- the input or state in this slot, TL_NONE. */
static uint32_t port_of(const tl_program *p, uint32_t slot)
{
    for (uint32_t i = 0; i < p->nports; i++)
        if (p->port[i].kind != TL_PORT_OUTPUT && p->port[i].value.slot == slot)
            return i;
    return TL_NONE;
}

static int make_view(tl_freezer *f)
{
    const tl_program *p = f->p;
    const tl_tape *tape = p->tape;
    tl_node *nodes = tl__alloc(tape->nnodes * sizeof *nodes);
    if (!nodes)
        return no_memory(f->p);
    memcpy(nodes, tape->nodes, tape->nnodes * sizeof *nodes);
    for (uint32_t slot = 0; slot < tape->nnodes; slot++) {
        tl_node *n = &nodes[slot];
        n->want = 0;
        if (n->op->kind != TL_LEAF)
            n->life = TL_DROPPED;
    }
    for (uint32_t i = 0; i < p->nports; i++) {
        const tl_port *port = &p->port[i];
        if (port->kind == TL_PORT_OUTPUT)
            continue;
        nodes[port->value.slot].life = TL_LIVE;
        nodes[port->value.slot].layout = tl__layout_dense(&port->shape);
    }
    f->view = *tape;
    f->view.nodes = nodes;
    f->view.plans = NULL;
    return TL_OK;
}

static void find_roots(tl_freezer *f)
{
    const tl_program *p = f->p;
    f->nroots = 0;
    for (uint32_t i = 0; i < p->nports; i++)
        if (p->port[i].kind != TL_PORT_INPUT)
            f->roots[f->nroots++] =
                p->port[i].kind == TL_PORT_STATE ? p->port[i].next.slot : p->port[i].value.slot;
}

/* note_steady -- what is the same from run to run, until a parameter changes. */
static void note_steady(tl_freezer *f)
{
    tl_stretch *s = &f->stretch;
    for (uint32_t m = 0; m < s->nmembers; m++)
        if ((s->member[m].flags & TL_MEMBER_LEAF) && port_of(f->p, s->member[m].slot) == TL_NONE)
            s->member[m].flags |= TL_MEMBER_STEADY;
}

/* make_plan -- of what the roots need; nothing but the roots stays. */
static int make_plan(tl_freezer *f)
{
    const tl_run_opts opts = {.commit = 1};
    tl_stretch *s = &f->stretch;
    if (tl__stretch_make(s, &f->view, f->nroots, f->roots, &opts))
        return take_error(f->p, &f->view);
    for (uint32_t m = 0; m < s->nmembers; m++)
        s->member[m].flags &= ~(uint32_t)TL_MEMBER_KEEP;
    for (int i = 0; i < f->nroots; i++)
        if (tl__stretch_has(s, f->roots[i]))
            s->member[s->ordinal[f->roots[i]]].flags |= TL_MEMBER_KEEP;
    note_steady(f);
    f->p->plan = tl__plan_make(&f->view, s);
    return f->p->plan ? TL_OK : take_error(f->p, &f->view);
}

/* ---- what a run asks of the tape ------------------------------------------------------------- */

/* keep_node -- of a member: attributes and draws. Its scope is among the plan's names. */
static int keep_node(tl_freezer *f, uint32_t m)
{
    tl_program *p = f->p;
    tl_node *n = &p->nodes[m];
    *n = f->view.nodes[f->stretch.member[m].slot];
    const size_t ni = (size_t)n->attr.ni, nr = (size_t)n->attr.nr;
    double *r = nr ? take(p, nr, sizeof *r) : NULL;
    int64_t *i = ni ? take(p, ni, sizeof *i) : NULL;
    if ((nr && !r) || (ni && !i))
        return TL_ENOMEM;
    if (nr)
        memcpy(r, n->attr.r, nr * sizeof *r);
    if (ni)
        memcpy(i, n->attr.i, ni * sizeof *i);
    n->attr = (tl_attr){n->attr.ni, i, n->attr.nr, r};
    n->in = NULL;
    n->nin = 0;
    n->name = NULL;
    n->buf = NULL;
    n->store = NULL;
    p->member[m] = (tl_member){m, f->stretch.member[m].flags};
    return TL_OK;
}

static int keep_nodes(tl_freezer *f)
{
    tl_program *p = f->p;
    p->nmembers = f->stretch.nmembers;
    p->nodes = take(p, (size_t)p->nmembers + 1, sizeof *p->nodes);
    p->member = take(p, (size_t)p->nmembers + 1, sizeof *p->member);
    if (!p->nodes || !p->member)
        return TL_ENOMEM;
    for (uint32_t m = 0; m < p->nmembers; m++) {
        if (keep_node(f, m))
            return p->err.code;
        const tl_node *n = &p->nodes[m];
        if (n->op->kind == TL_LEAF && n->frame == 0 && !(p->member[m].flags & TL_MEMBER_LEAF))
            return tl__fail(&p->err, TL_EUNSUPPORTED, "%s: %s has no value", what, n->op->name);
        if (n->op->kind == TL_RANDOM && n->draw < p->draw)
            p->draw = n->draw;
    }
    p->draws = f->view.draw > p->draw ? f->view.draw - p->draw : 0;
    return TL_OK;
}

/* ---- leaves ---------------------------------------------------------------------------------- */

/* constant_of -- a reference to the leaf's buffer, or a copy of the caller's array. */
static tl_buf *constant_of(const tl_node *n)
{
    if (!n->buf->borrowed)
        return tl__buf_ref(n->buf);
    tl_buf *copy = tl__buf_new(n->buf->bytes);
    if (copy && n->buf->bytes)
        memcpy(copy->data, n->buf->data, n->buf->bytes);
    return copy;
}

/* fill_leaf -- where its value comes from. */
static int fill_leaf(tl_freezer *f, tl_leaf *leaf)
{
    tl_program *p = f->p;
    const tl_node *n = &f->view.nodes[leaf->slot];
    leaf->port = port_of(p, leaf->slot);
    if (leaf->port != TL_NONE)
        return TL_OK;
    leaf->store = n->store;
    if (leaf->store)
        return TL_OK;
    leaf->offset = n->layout.offset * (int64_t)tl_dtype_size(n->dtype);
    leaf->constant = constant_of(n);
    return leaf->constant ? TL_OK : no_memory(p);
}

/* leaf_of -- the leaf in this slot, found or added; TL_NONE after an error. */
static uint32_t leaf_of(tl_freezer *f, uint32_t slot)
{
    tl_program *p = f->p;
    for (uint32_t k = 0; k < p->nleaves; k++)
        if (p->leaf[k].slot == slot)
            return k;
    if (tl__grow(&p->leaf, &p->leaves_capacity, p->nleaves + 1, sizeof *p->leaf)) {
        no_memory(p);
        return TL_NONE;
    }
    tl_leaf *leaf = &p->leaf[p->nleaves];
    *leaf = (tl_leaf){.slot = slot, .base = TL_NONE};
    return fill_leaf(f, leaf) ? TL_NONE : p->nleaves++;
}

static int find_leaves(tl_freezer *f)
{
    const tl_plan *plan = f->p->plan;
    for (uint32_t k = 1; k < plan->nbases; k++) {
        if (plan->base[k].kind != TL_BASE_LEAF)
            continue;
        const uint32_t leaf = leaf_of(f, f->stretch.member[plan->base[k].node].slot);
        if (leaf == TL_NONE)
            return f->p->err.code;
        f->p->leaf[leaf].base = k;
    }
    return TL_OK;
}

/* ---- rooms ----------------------------------------------------------------------------------- */

enum { LINE = 64 };

/* reserve -- bytes of a session's memory, aligned, with a line to read behind them. */
static size_t reserve(tl_program *p, size_t bytes)
{
    const size_t at = p->bytes;
    p->bytes += (bytes + LINE - 1) / LINE * LINE + LINE;
    return at;
}

static tl_room single(tl_program *p, size_t bytes)
{
    const size_t at = reserve(p, bytes);
    return (tl_room){{at, at}};
}

static tl_room pair(tl_program *p, size_t bytes)
{
    const size_t first = reserve(p, bytes);
    return (tl_room){{first, reserve(p, bytes)}};
}

static tl_room swapped(tl_room r)
{
    return (tl_room){{r.at[1], r.at[0]}};
}

static tl_room shifted(tl_room r, size_t bytes)
{
    return (tl_room){{r.at[0] + bytes, r.at[1] + bytes}};
}

/* survivor_of -- where the plan leaves the root in this slot; NULL if it is a leaf. */
static const tl_survivor *survivor_of(const tl_freezer *f, uint32_t slot)
{
    const tl_plan *plan = f->p->plan;
    if (!tl__stretch_has(&f->stretch, slot))
        return NULL;
    for (uint32_t k = 0; k < plan->nsurvivors; k++)
        if (plan->survivor[k].node == f->stretch.ordinal[slot])
            return &plan->survivor[k];
    return NULL;
}

/* is_written -- whether the plan itself can write the value where it belongs: it is row-major in
 * a buffer of its own. */
static int is_written(const tl_freezer *f, const tl_port *port, const tl_survivor *v)
{
    return v && f->p->plan->base[v->base].kind == TL_BASE_FRESH &&
           tl__layout_is_dense(&port->shape, &v->layout);
}

static size_t offset_of(const tl_port *port, const tl_survivor *v)
{
    return (size_t)v->layout.offset * tl_dtype_size(port->dtype);
}

/* overlaps -- whether a state before this one is written there. */
static int overlaps(const tl_freezer *f, const uint8_t *written, uint32_t i, const tl_survivor *v)
{
    const tl_program *p = f->p;
    const size_t at = offset_of(&p->port[i], v), end = at + p->port[i].bytes;
    for (uint32_t k = 0; k < i; k++) {
        if (!written[k])
            continue;
        const tl_survivor *u = survivor_of(f, p->port[k].next.slot);
        const size_t from = offset_of(&p->port[k], u);
        if (u->base == v->base && from < end && at < from + p->port[k].bytes)
            return 1;
    }
    return 0;
}

/* transfer -- a copy after the run, from the root in `slot` to a room. */
static int transfer(tl_freezer *f, uint32_t slot, tl_room to)
{
    tl_program *p = f->p;
    const tl_node *n = &f->view.nodes[slot];
    const tl_survivor *v = survivor_of(f, slot);
    tl_transfer *t = &p->transfer[p->ntransfers++];
    *t = (tl_transfer){.leaf = TL_NONE, .dtype = n->dtype, .shape = n->shape, .to = to};
    t->layout = v ? v->layout : n->layout;
    if (v && p->plan->base[v->base].kind == TL_BASE_FRESH) {
        t->from = p->room[v->base];
        return TL_OK;
    }
    t->leaf = leaf_of(f, v ? f->stretch.member[p->plan->base[v->base].node].slot : slot);
    return t->leaf == TL_NONE ? p->err.code : TL_OK;
}

/* place_bases -- rooms of what the plan writes; two where states are among it. */
static void place_bases(tl_freezer *f, uint8_t *written)
{
    tl_program *p = f->p;
    for (uint32_t i = 0; i < p->nports; i++) {
        if (p->port[i].kind != TL_PORT_STATE)
            continue;
        const tl_survivor *v = survivor_of(f, p->port[i].next.slot);
        written[i] = is_written(f, &p->port[i], v) && !overlaps(f, written, i, v);
    }
    for (uint32_t k = 1; k < p->plan->nbases; k++) {
        int states = 0;
        if (p->plan->base[k].kind != TL_BASE_FRESH)
            continue;
        for (uint32_t i = 0; i < p->nports; i++)
            states += written[i] && survivor_of(f, p->port[i].next.slot)->base == k;
        const size_t bytes = p->plan->base[k].bytes;
        p->room[k] = states ? pair(p, bytes) : single(p, bytes);
    }
}

static int place_state(tl_freezer *f, tl_port *port, int written)
{
    tl_program *p = f->p;
    if (written) {
        const tl_survivor *v = survivor_of(f, port->next.slot);
        port->room = swapped(shifted(p->room[v->base], offset_of(port, v)));
        return TL_OK;
    }
    if (port->next.slot == port->value.slot) { /* it does not change */
        port->room = single(p, port->bytes);
        return TL_OK;
    }
    port->room = pair(p, port->bytes);
    return transfer(f, port->next.slot, swapped(port->room));
}

static int place_output(tl_freezer *f, tl_port *port)
{
    const tl_survivor *v = survivor_of(f, port->value.slot);
    if (is_written(f, port, v)) {
        port->room = shifted(f->p->room[v->base], offset_of(port, v));
        return TL_OK;
    }
    port->room = single(f->p, port->bytes);
    return transfer(f, port->value.slot, port->room);
}

static int place_all(tl_freezer *f)
{
    tl_program *p = f->p;
    uint8_t *written = take(p, p->nports, sizeof *written);
    p->room = take(p, p->plan->nbases, sizeof *p->room);
    p->transfer = take(p, p->nports, sizeof *p->transfer);
    if (!written || !p->room || !p->transfer)
        return TL_ENOMEM;
    place_bases(f, written);
    int code = TL_OK;
    for (uint32_t i = 0; i < p->nports && code == TL_OK; i++) {
        tl_port *port = &p->port[i];
        if (port->kind == TL_PORT_INPUT)
            port->room = single(p, port->bytes);
        else
            code = port->kind == TL_PORT_STATE ? place_state(f, port, written[i])
                                               : place_output(f, port);
    }
    return code;
}

int tl__program_freeze(tl_program *p)
{
    tl_freezer f = {.p = p};
    if (p->tape->anomaly)
        return tl__fail(&p->err, TL_EUNSUPPORTED,
                        "%s: the tape is in anomaly mode, which programs do not have; switch it "
                        "off (tl_anomaly, TL_ANOMALY)",
                        what);
    f.roots = take(p, p->nports, sizeof *f.roots);
    int code = f.roots ? find_initial(&f) : TL_ENOMEM;
    if (code == TL_OK)
        code = make_view(&f);
    if (code == TL_OK) {
        find_roots(&f);
        code = make_plan(&f);
    }
    if (code == TL_OK)
        code = keep_nodes(&f);
    if (code == TL_OK)
        code = find_leaves(&f);
    if (code == TL_OK)
        code = place_all(&f);
    tl__stretch_close(&f.stretch);
    tl__free(f.view.nodes);
    return code;
}
