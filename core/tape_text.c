/* tape_text.c -- a tape as text, one line a node. */
#include "core/tape_text.h"

#include "core/scan_record.h"
#include "core/space.h"

int tl__listing_room(tl_listing *p)
{
    if (p->opts.limit && p->lines >= p->opts.limit) {
        p->omitted++;
        return 0;
    }
    p->lines++;
    return 1;
}

int tl__step_value(const tl_tape *tape, uint32_t slot, int64_t t, tl_node *value)
{
    const tl_node *n = &tape->nodes[slot];
    const tl_frame *f = &tape->frames[n->frame];
    for (uint32_t k = 0; k < f->nresults; k++) {
        const tl_node *r = &tape->nodes[f->results[k]];
        if (r->op != &tl_op_stacked || r->attr.i[0] != slot || r->life != TL_LIVE || !r->buf)
            continue;
        *value = *r;
        value->shape = n->shape;
        value->layout.offset += t * r->layout.stride[0];
        for (int a = 0; a < n->shape.rank; a++)
            value->layout.stride[a] = r->layout.stride[a + 1];
        return 1;
    }
    return 0;
}

/* list -- what tl_tape_text is writing, the scope and the step of the line before. */
typedef struct list {
    tl_listing *to;
    uint32_t scope;
    tl_instance at;
} list;

static void put_line(list *l, uint32_t slot, int indent);

static const char *life_text(const tl_node *n)
{
    if (n->op->kind == TL_LEAF && n->frame)
        return "";
    return n->life == TL_LIVE ? "  live" : n->life == TL_DROPPED ? "  dropped" : "";
}

static void put_node(list *l, uint32_t slot, int indent)
{
    const tl_tape *tape = l->to->tape;
    const tl_node *n = &tape->nodes[slot];
    tl_text line = {0};
    tl_text *t = &l->to->out;
    if (!tl__listing_room(l->to))
        return;
    tl__put(&line, "%*s%%%-3u %-12s = ", indent, "", slot, n->name ? n->name : "");
    tl__put_formula(&line, tape, n, l->at);
    if (line.failed) {
        t->failed = 1;
    } else {
        char shape[TL_SHAPE_TEXT];
        tl__put(t, "%-64s %s %s%s", line.data, tl_dtype_name(n->dtype),
                tl_shape_text(n->shape, shape, sizeof shape), life_text(n));
        tl_node step;
        const int is_step = n->frame != 0 && n->frame == l->at.frame;
        if (l->to->opts.values && (is_step ? tl__step_value(tape, slot, l->at.t, &step)
                                           : n->life == TL_LIVE && n->buf != NULL)) {
            tl__put(t, "  = ");
            tl__put_elements(t, is_step ? &step : n, 0);
        }
        tl__put(t, "\n");
    }
    tl__free(line.data);
}

static void put_loop(list *l, const tl_frame *f, uint32_t slot, int indent)
{
    tl_text *t = &l->to->out;
    const int64_t unroll = l->to->opts.unroll;
    const int steps = unroll > 0 && f->T <= unroll && l->at.frame == 0;
    if (!tl__listing_room(l->to))
        return;
    tl__put(t, "%*s%%%-3u scan over t = %s%lld%s {", indent, "", slot, f->reverse ? "" : "0 .. ",
            (long long)(f->T - 1), f->reverse ? " .. 0" : "");
    if (unroll < 0) {
        tl__put(t, " %u nodes, %u carries }\n", f->nnodes, f->ncarries);
        return;
    }
    tl__put(t, "\n");
    for (int64_t k = 0; k < (steps ? f->T : 1); k++) {
        if (steps) {
            l->at =
                (tl_instance){(uint32_t)(f - l->to->tape->frames), f->reverse ? f->T - 1 - k : k};
            if (tl__listing_room(l->to))
                tl__put(t, "%*st = %lld\n", indent + 2, "", (long long)l->at.t);
        }
        for (uint32_t i = 0; i < f->nnodes; i++)
            put_line(l, f->nodes[i], indent + 4);
    }
    if (steps)
        l->at = (tl_instance){0, 0};
    tl__put(t, "%*s}\n", indent, "");
}

static void put_line(list *l, uint32_t slot, int indent)
{
    const tl_tape *tape = l->to->tape;
    const tl_node *n = &tape->nodes[slot];
    if (n->op == &tl_op_const || n->kept)
        return; /* shown where it is used; of no use yet */
    if (n->scope != l->scope && !(l->to->opts.limit && l->to->lines >= l->to->opts.limit)) {
        l->scope = n->scope;
        const char *name = tape->scopes[n->scope];
        tl__put(&l->to->out, "%*s#%s%s\n", indent, "", name[0] ? " " : "", name);
    }
    if (n->op->kind == TL_LOOP)
        put_loop(l, &tape->frames[n->attr.i[0]], slot, indent);
    else
        put_node(l, slot, indent);
}

/* is_asked -- whether a node of frame 0 is to be shown: in two columns also one of the adjoint of
 * what is. */
static int is_asked(const tl_tape *tape, const tl_print_opts *o, uint32_t slot)
{
    const uint32_t of = tape->nodes[slot].of, s = o->adjoint && of != TL_NONE ? of : slot;
    return s >= o->from && s < o->to;
}

/* add_steps -- the values of a body at every step, where they are shown step by step: results that
 * the tape keeps, as a run does. Returns how many. */
static int add_steps(tl_tape *tape, const tl_print_opts *o, uint32_t frame, tl_tensor *all)
{
    int n = 0;
    tape->keeping = 1;
    for (uint32_t i = 0; i < tape->frames[frame].nnodes && !tape->code; i++) {
        const uint32_t slot = tape->frames[frame].nodes[i];
        const tl_node *v = &tape->nodes[slot];
        if (v->op->kind != TL_LOOP && v->op != &tl_op_const && v->shape.rank < TL_MAX_RANK &&
            tape->frames[frame].T <= o->unroll)
            all[n++] = tl__scan_stacked_raw(tape, frame, slot);
    }
    tape->keeping = 0;
    return n;
}

/* evaluate -- the values that are to be shown, all at once. */
static int evaluate(tl_tape *tape, const tl_print_opts *o)
{
    const uint32_t nnodes = tape->nnodes;
    tl_tensor *all = tl__calloc((size_t)nnodes + 1, sizeof *all);
    int n = 0;
    if (!all)
        return TL_ENOMEM;
    for (uint32_t s = 0; s < nnodes; s++) {
        const tl_node *v = &tape->nodes[s];
        if (v->frame != 0 || !is_asked(tape, o, s))
            continue;
        if (v->op->kind == TL_LOOP)
            n += add_steps(tape, o, (uint32_t)v->attr.i[0], all + n);
        else
            all[n++] = tl__at(tape, s);
    }
    const int code = tape->code ? tape->code : n ? tl_eval(n, all) : TL_OK;
    tl__free(all);
    return code;
}

char *tl_tape_text(tl_tape *tape, const tl_print_opts *opts)
{
    if (!tape)
        return NULL;
    tl_listing p = {.tape = tape, .opts = opts ? *opts : tl_print_defaults()};
    const uint32_t to = p.opts.to < tape->nnodes ? p.opts.to : tape->nnodes;
    const int is_whole = p.opts.from == 0 && to == tape->nnodes;
    p.opts.to = to;
    if (p.opts.values == TL_VALUES_EVALUATE && evaluate(tape, &p.opts))
        return NULL;
    if (is_whole || tape->code)
        tl__put(&p.out, "tape at step %llu: %u nodes%s%s\n", (unsigned long long)tape->steps,
                tape->nnodes, tape->code ? ", error: " : "", tape->message);
    if (p.opts.adjoint) {
        tl__put_columns(&p);
    } else {
        list l = {.to = &p};
        for (uint32_t s = p.opts.from; s < to; s++)
            if (tape->nodes[s].frame == 0)
                put_line(&l, s, 0);
    }
    if (p.omitted)
        tl__put(&p.out, "... %u more, left out: more than %u lines (tl_print_opts.limit)\n",
                p.omitted, p.opts.limit);
    return tl__text_end(&p.out);
}
