/* tape_text.c -- a tape as text, one line a node. */
#include "core/tape_text.h"

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
        if (l->to->opts.values && n->life == TL_LIVE && n->buf) {
            tl__put(t, "  = ");
            tl__put_elements(t, n, 0);
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
    if (n->op == &tl_op_const)
        return; /* shown where it is used */
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

/* evaluate -- the values that are to be shown, all at once: in two columns, those of the adjoint of
 * what is shown too. */
static int evaluate(tl_tape *tape, const tl_print_opts *o)
{
    tl_tensor *all = tl__calloc((size_t)tape->nnodes + 1, sizeof *all);
    int n = 0;
    if (!all)
        return TL_ENOMEM;
    for (uint32_t s = 0; s < tape->nnodes; s++) {
        const uint32_t of = o->adjoint && tape->nodes[s].of != TL_NONE ? tape->nodes[s].of : s;
        if (of >= o->from && of < o->to && tape->nodes[s].frame == 0 &&
            tape->nodes[s].op->kind != TL_LOOP)
            all[n++] = tl__at(tape, s);
    }
    const int code = n ? tl_eval(n, all) : TL_OK;
    tl__free(all);
    return code;
}

char *tl_tape_text(tl_tape *tape, const tl_print_opts *opts)
{
    if (!tape)
        return NULL;
    tl_listing p = {.tape = tape, .opts = opts ? *opts : tl_print_defaults()};
    const uint32_t to = p.opts.to < tape->nnodes ? p.opts.to : tape->nnodes;
    p.opts.to = to;
    if (p.opts.values == TL_VALUES_EVALUATE && evaluate(tape, &p.opts))
        return NULL;
    if ((p.opts.from == 0 && to == tape->nnodes) || tape->code)
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
