/* session.c -- runs a closed program: memory of its own, two bindings for even and odd runs.
 *
 *     memory   [ x | h even | h odd | y ... ]     slab   [ scratch | slab ] */
#include "core/session.h"

#include "core/frozen.h"
#include "core/rows.h"

#include <string.h>

/* tl_fetch -- a base whose address is a store's present value. */
typedef struct tl_fetch {
    uint32_t base;
    const tl_store *store;
} tl_fetch;

/* tl_held -- a base that is a leaf's matrix packed, and the buffer it was made of: NULL of an input
 * or state, which the plan packs in every run. */
typedef struct tl_held {
    uint32_t base;
    const tl_leaf *leaf;
    tl_buf *of, *pack;
} tl_held;

struct tl_session {
    tl_program *program;
    tl_exec exec;
    tl_binding binding[2];
    tl_fetch *fetch;
    uint32_t nfetches;
    tl_held *held;
    uint32_t nheld;
    char *memory;
    char *slab;
    int odd; /* the next run */
    uint64_t draws;
    tl_tallies tallies;
    tl_err err;
};

static char *leaf_address(const tl_session *s, const tl_leaf *leaf, int odd)
{
    if (leaf->port != TL_NONE)
        return s->memory + s->program->port[leaf->port].room.at[odd];
    return leaf->store ? tl__store_data(leaf->store) : (char *)leaf->constant->data + leaf->offset;
}

/* ---- making ---------------------------------------------------------------------------------- */

static void bind_bases(tl_session *s, int odd)
{
    const tl_program *p = s->program;
    tl_binding *to = &s->binding[odd];
    for (uint32_t k = 0; k < p->nleaves; k++)
        if (p->leaf[k].base != TL_NONE)
            to->address[p->leaf[k].base] = leaf_address(s, &p->leaf[k], odd);
    for (uint32_t k = 1; k < p->plan->nbases; k++) {
        const tl_base *b = &p->plan->base[k];
        if (b->kind == TL_BASE_FRESH)
            to->address[k] = s->memory + p->room[k].at[odd];
        else if (b->kind == TL_BASE_SCALAR)
            tl__binding_scalar(to, p->plan, k,
                               b->node == TL_NONE ? 0.0 : p->nodes[b->node].attr.r[0]);
    }
}

static int find_fetches(tl_session *s)
{
    const tl_program *p = s->program;
    s->fetch = tl__alloc((size_t)p->nleaves * sizeof *s->fetch);
    if (!s->fetch)
        return TL_ENOMEM;
    for (uint32_t k = 0; k < p->nleaves; k++)
        if (p->leaf[k].store && p->leaf[k].base != TL_NONE)
            s->fetch[s->nfetches++] = (tl_fetch){p->leaf[k].base, p->leaf[k].store};
    return TL_OK;
}

static int find_held(tl_session *s)
{
    const tl_program *p = s->program;
    const tl_plan *plan = p->plan;
    s->held = tl__calloc((size_t)plan->nbases, sizeof *s->held);
    if (!s->held)
        return TL_ENOMEM;
    for (uint32_t k = 1; k < plan->nbases; k++)
        for (uint32_t l = 0; l < p->nleaves && plan->base[k].kind == TL_BASE_PACK; l++)
            if (p->leaf[l].base != TL_NONE &&
                plan->base[p->leaf[l].base].node == plan->base[k].node)
                s->held[s->nheld++] = (tl_held){.base = k, .leaf = &p->leaf[l]};
    return TL_OK;
}

/* pack_of -- the leaf's matrix in buffer `of`: found there, or made and left there. NULL: no memory. */
static tl_buf *pack_of(const tl_session *s, const tl_held *h, tl_buf *of)
{
    const tl_base *base = &s->program->plan->base[h->base];
    const int64_t size = (int64_t)tl_dtype_size(base->dtype);
    tl_pack_spec spec = base->spec;
    spec.offset += h->leaf->offset / size;
    tl_buf *buf = tl__packs_find(of, &spec);
    if (buf)
        return buf;
    buf = tl__buf_new(base->bytes);
    if (!buf)
        return NULL;
    const tl_matrix from = {(char *)of->data + spec.offset * size, spec.rs, spec.cs};
    tl__panels_pack(base->dtype, spec.k, spec.n, from, buf->data);
    tl__packs_put(of, &spec, buf);
    return buf;
}

/* hold -- the packs of what leaves are now. Allocates when one has another buffer than before. */
static int hold(tl_session *s, const tl_binding *b)
{
    for (uint32_t k = 0; k < s->nheld; k++) {
        tl_held *h = &s->held[k];
        tl_buf *now = h->leaf->store ? h->leaf->store->value : h->leaf->constant;
        if (!h->pack || now != h->of) {
            tl_buf *made =
                now ? pack_of(s, h, now) : tl__buf_new(s->program->plan->base[h->base].bytes);
            if (!made)
                return TL_ENOMEM;
            tl__buf_unref(h->pack);
            tl__buf_unref(h->of);
            h->pack = made;
            h->of = tl__buf_ref(now);
        }
        b->address[h->base] = h->pack->data;
        b->ready[h->base] = now != NULL;
    }
    return TL_OK;
}

static void nothing(void *context, int worker, int workers)
{
    (void)context, (void)worker, (void)workers;
}

static int fill(tl_session *s)
{
    const tl_program *p = s->program;
    const tl_plan *plan = p->plan;
    s->memory = tl__aligned_alloc(p->bytes);
    const int workers = tl__plan_workers(plan);
    const size_t scratch = (size_t)workers * plan->scratch_bytes;
    s->slab = tl__aligned_alloc(plan->slab_bytes + scratch);
    if (!s->memory || !s->slab || find_fetches(s) || find_held(s) ||
        tl__binding_open(&s->binding[0], plan) || tl__binding_open(&s->binding[1], plan))
        return TL_ENOMEM;
    memset(s->memory, 0, p->bytes);
    bind_bases(s, 0);
    bind_bases(s, 1);
    if (hold(s, &s->binding[0]))
        return TL_ENOMEM;
    s->exec = (tl_exec){.plan = plan,
                        .nodes = p->nodes,
                        .member = p->member,
                        .workers = workers,
                        .scratch = s->slab,
                        .slab = s->slab + scratch};
    s->draws = p->draw;
    if (workers > 1) /* starts the threads, so that no step has to */
        tl__team_run(workers, nothing, NULL);
    for (uint32_t i = 0; i < p->nports; i++)
        if (p->port[i].kind == TL_PORT_INPUT && p->port[i].bytes)
            memcpy(s->memory + p->port[i].room.at[0], p->port[i].initial->data, p->port[i].bytes);
    tl_session_reset(s);
    return TL_OK;
}

tl_session *tl_session_new(tl_program *p, tl_err *err)
{
    static const char what[] = "tl_session_new";
    if (!p) {
        tl__fail(err, TL_EINVAL, "%s: no program (NULL)", what);
        return NULL;
    }
    if (p->tape || p->err.code) {
        tl__fail(err, TL_ESTATE, "%s: the program %s%s", what,
                 p->tape ? "is not closed; tl_program_close comes first" : "is of no use: ",
                 p->tape ? "" : p->err.message);
        return NULL;
    }
    tl_session *s = tl__calloc(1, sizeof *s);
    if (s) {
        atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
        s->program = p;
        tl__profile_enter();
    }
    if (!s || fill(s)) {
        tl_session_free(s);
        tl__fail(err, TL_ENOMEM, "%s: no memory for a session of %zu bytes", what,
                 p->bytes + p->plan->slab_bytes + p->plan->scratch_bytes);
        return NULL;
    }
    return s;
}

void tl_session_free(tl_session *s)
{
    if (!s)
        return;
    for (int odd = 0; odd < 2; odd++)
        tl__binding_close(&s->binding[odd], s->program->plan);
    tl__profile_close(&s->tallies);
    tl__profile_leave();
    for (uint32_t k = 0; k < s->nheld; k++) {
        tl__buf_unref(s->held[k].pack);
        tl__buf_unref(s->held[k].of);
    }
    tl__free(s->held);
    tl__aligned_free(s->memory);
    tl__aligned_free(s->slab);
    tl__free(s->fetch);
    tl__program_unref(s->program);
    tl__free(s);
}

const tl_program *tl_session_program(const tl_session *s)
{
    return s ? s->program : NULL;
}

/* ---- running --------------------------------------------------------------------------------- */

/* report -- a run's fault as the session's error: "program: scope: operation: why". */
static int report(tl_session *s)
{
    const tl_program *p = s->program;
    const tl_fault *f = &s->exec.fault;
    char text[sizeof f->message + 24 * TL_DEPTH];
    const char *scope = f->node == TL_NONE ? "" : p->plan->known[f->node].scope;
    tl__fault_text(f, text, sizeof text);
    return tl__fail(&s->err, f->code, "%s%s%s%s%s: %s", p->name, p->name[0] ? ": " : "", scope,
                    scope[0] ? ": " : "", f->op->name, text);
}

static void copy(const tl_session *s, const tl_transfer *t)
{
    const char *from = t->leaf == TL_NONE ? s->memory + t->from.at[s->odd]
                                          : leaf_address(s, &s->program->leaf[t->leaf], s->odd);
    tl__to_dense(&t->shape, &t->layout, t->dtype, from, s->memory + t->to.at[s->odd]);
}

/* execute -- the plan, timed while the profile is on. */
static int execute(tl_session *s)
{
    const tl_plan *plan = s->program->plan;
    s->exec.tally = tl__profile_begin(&s->tallies, plan);
    if (!s->exec.tally)
        return tl__execute(&s->exec);
    const uint64_t start = tl__profile_clock();
    const int code = tl__execute(&s->exec);
    const double seconds = 1e-9 * (double)(tl__profile_clock() - start);
    const tl_run_time time = {0, 0, seconds, s->exec.workers, 0};
    tl__profile_end(&s->tallies, plan, &time);
    return code;
}

/* settle -- all parameters have their present elements. */
static int settle(const tl_session *s)
{
    const tl_program *p = s->program;
    for (uint32_t k = 0; k < p->nleaves; k++)
        if (p->leaf[k].store && !tl__store_data(p->leaf[k].store))
            return TL_ENOMEM;
    return TL_OK;
}

int tl_session_step(tl_session *s)
{
    if (!s)
        return TL_EINVAL;
    const tl_program *p = s->program;
    const tl_binding *b = &s->binding[s->odd];
    if (settle(s))
        return tl__fail(&s->err, TL_ENOMEM, "%s: no memory for a copy of a parameter", p->name);
    for (uint32_t k = 0; k < s->nfetches; k++)
        b->address[s->fetch[k].base] = s->fetch[k].store->value->data;
    s->exec.binding = b;
    s->exec.draws = s->draws - p->draw;
    if (hold(s, b))
        return tl__fail(&s->err, TL_ENOMEM, "tl_session_step: no memory to pack the weights");
    if (execute(s))
        return report(s);
    for (uint32_t k = 0; k < p->ntransfers; k++)
        copy(s, &p->transfer[k]);
    s->draws += p->draws;
    s->odd = !s->odd;
    return TL_OK;
}

void tl_session_reset(tl_session *s)
{
    for (uint32_t i = 0; s && i < s->program->nports; i++) {
        const tl_port *port = &s->program->port[i];
        if (port->kind == TL_PORT_STATE && port->bytes)
            memcpy(s->memory + port->room.at[s->odd], port->initial->data, port->bytes);
    }
}

/* ---- values ---------------------------------------------------------------------------------- */

/* array_of -- where a named value lies now: what the next run reads, or the last one wrote. */
static char *array_of(const tl_session *s, const tl_port *port)
{
    return s->memory + port->room.at[port->kind == TL_PORT_OUTPUT ? !s->odd : s->odd];
}

static char *array_at(const tl_session *s, int i, tl_port_kind kind)
{
    if (!s || i < 0 || (uint32_t)i >= s->program->nports || s->program->port[i].kind != kind)
        return NULL;
    return array_of(s, &s->program->port[i]);
}

void *tl_session_input(tl_session *s, int i)
{
    return array_at(s, i, TL_PORT_INPUT);
}

void *tl_session_state(tl_session *s, int i)
{
    return array_at(s, i, TL_PORT_STATE);
}

const void *tl_session_output(const tl_session *s, int i)
{
    return array_at(s, i, TL_PORT_OUTPUT);
}

/* checked -- the named value, if count elements of this type can be copied; NULL and *code. */
static const tl_port *checked(tl_session *s, const char *what, const char *name, tl_dtype dtype,
                              const void *data, int64_t count, int *code)
{
    char text[TL_SHAPE_TEXT];
    const int i = tl_program_find(s->program, name);
    const tl_port *port = i < 0 ? NULL : &s->program->port[i];
    if (!port)
        *code = tl__fail(&s->err, TL_ENAME, "%s: the program has nothing named \"%s\"", what,
                         name ? name : "");
    else if (port->dtype != dtype)
        *code = tl__fail(&s->err, TL_EDTYPE, "%s: got %s for \"%s\", which is %s", what,
                         tl_dtype_name(dtype), name, tl_dtype_name(port->dtype));
    else if (port->count != count)
        *code = tl__fail(&s->err, TL_ESHAPE, "%s: got %lld elements, but \"%s\" is %s with %lld",
                         what, (long long)count, name,
                         tl_shape_text(port->shape, text, sizeof text), (long long)port->count);
    else if (!data && count > 0)
        *code = tl__fail(&s->err, TL_EINVAL, "%s: no array (NULL) for \"%s\"", what, name);
    else
        *code = TL_OK;
    return *code ? NULL : port;
}

static int set(tl_session *s, const char *what, const char *name, tl_dtype dtype, const void *data,
               int64_t count)
{
    if (!s)
        return TL_EINVAL;
    int code;
    const tl_port *port = checked(s, what, name, dtype, data, count, &code);
    if (port && port->kind == TL_PORT_OUTPUT)
        return tl__fail(&s->err, TL_EINVAL, "%s: \"%s\" is an output, want an input or a state",
                        what, name);
    if (port && port->bytes)
        memcpy(array_of(s, port), data, port->bytes);
    return code;
}

static int get(tl_session *s, const char *what, const char *name, tl_dtype dtype, void *out,
               int64_t count)
{
    if (!s)
        return TL_EINVAL;
    int code;
    const tl_port *port = checked(s, what, name, dtype, out, count, &code);
    if (port && port->bytes)
        memcpy(out, array_of(s, port), port->bytes);
    return code;
}

int tl_session_set_f32(tl_session *s, const char *name, const float *data, int64_t count)
{
    return set(s, "tl_session_set_f32", name, TL_F32, data, count);
}

int tl_session_set_f64(tl_session *s, const char *name, const double *data, int64_t count)
{
    return set(s, "tl_session_set_f64", name, TL_F64, data, count);
}

int tl_session_set_i32(tl_session *s, const char *name, const int32_t *data, int64_t count)
{
    return set(s, "tl_session_set_i32", name, TL_I32, data, count);
}

int tl_session_get_f32(tl_session *s, const char *name, float *out, int64_t count)
{
    return get(s, "tl_session_get_f32", name, TL_F32, out, count);
}

int tl_session_get_f64(tl_session *s, const char *name, double *out, int64_t count)
{
    return get(s, "tl_session_get_f64", name, TL_F64, out, count);
}

int tl_session_get_i32(tl_session *s, const char *name, int32_t *out, int64_t count)
{
    return get(s, "tl_session_get_i32", name, TL_I32, out, count);
}

uint64_t tl_session_draws(const tl_session *s)
{
    return s ? s->draws : 0;
}

void tl_session_set_draws(tl_session *s, uint64_t number)
{
    if (s)
        s->draws = number;
}

const char *tl_session_error(const tl_session *s)
{
    return s ? s->err.message : "no session";
}
