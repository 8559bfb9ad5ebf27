/* anomaly.c -- anomaly mode: what to say of the first NaN or infinity, and when to say nothing.
 *
 * Every operation is looked at, so a NaN that an operation reads was made by none before it: it
 * came from outside, with an input, a parameter or a state, and was at most moved since then. Those
 * few operations are walked back (origin.c). */
#include "core/anomaly.h"

#include "core/origin.h"
#include "core/plan/watch.h"
#include "core/space.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int tl__anomaly_wanted(void)
{
    const char *text = getenv("TL_ANOMALY");
    return text && strcmp(text, "1") == 0;
}

void tl_anomaly(tl_tape *tape, int on)
{
    if (tape)
        tape->anomaly = on != 0;
}

int tl_is_anomaly(const tl_tape *tape)
{
    return tape && tape->anomaly;
}

/* ---- looking --------------------------------------------------------------------------------- */

/* offset_of -- bytes to the element of this row-major number. */
static int64_t offset_of(const tl_place *p, int64_t number)
{
    int64_t at = 0;
    for (int a = p->shape.rank; a-- > 0; number /= p->shape.dim[a])
        at += number % p->shape.dim[a] * p->stride[a];
    return at * (int64_t)tl_dtype_size(p->dtype);
}

static double element(const tl_seen *s, int64_t number)
{
    return tl__number_at(s->place->dtype, s->at + offset_of(s->place, number));
}

static void look(tl_seen *s, const tl_place *place, const char *at)
{
    *s = (tl_seen){.at = at, .place = place, .first = -1};
    s->count = tl_shape_count(place->shape);
    if (place->dtype == TL_I32)
        return;
    int any = 0;
    for (int64_t k = 0; k < s->count; k++) {
        const double x = element(s, k);
        if (isfinite(x)) {
            s->least = !any || x < s->least ? x : s->least;
            s->most = !any || x > s->most ? x : s->most;
            any = 1;
            continue;
        }
        s->nans += isnan(x);
        s->infinities += !isnan(x);
        s->first = s->first < 0 ? k : s->first;
    }
}

static int is_bad(const tl_seen *s)
{
    return s->first >= 0;
}

void tl__watch_before(tl_watch *w, uint32_t n, const char *const *at)
{
    const uint32_t seen = n < TL_WATCHED_MOST ? n : TL_WATCHED_MOST;
    w->n = w->note && w->note->place && seen > 0 ? seen - 1 : 0;
    w->is_whole = n == seen;
    if (!w->note || !w->note->place || n == 0)
        return;
    for (uint32_t k = 0; k < w->n; k++)
        look(&w->seen[k], &w->note->place[k], at[k]);
    w->seen[w->n] = (tl_seen){.at = at[seen - 1], .place = &w->note->place[n - 1], .first = -1};
}

/* ---- where it came from ---------------------------------------------------------------------- */

static uint32_t slot_of(const tl_watch *w, uint32_t ordinal)
{
    return ordinal == TL_NONE ? TL_NONE : w->member[ordinal].slot;
}

/* look_live -- looks at a live node; place is filled. */
static void look_live(const tl_node *n, tl_seen *s, tl_place *place)
{
    *place = (tl_place){.node = TL_NONE, .dtype = n->dtype, .shape = n->shape};
    memcpy(place->stride, n->layout.stride, sizeof place->stride);
    look(s, place,
         (const char *)n->buf->data + n->layout.offset * (int64_t)tl_dtype_size(n->dtype));
}

/* in_step -- the element of operand s that element r->first of a pointwise result is made of, if it
 * is not finite either; else the operand's first such element. *is_there says which. */
static int64_t in_step(const tl_watch *w, const tl_seen *s, int *is_there)
{
    const tl_seen *r = &w->seen[w->n];
    const tl_shape *from = &s->place->shape, *to = &r->place->shape;
    int64_t number = 0, rest = r->first, size = 1;
    *is_there = w->op->kind == TL_POINTWISE && from->rank <= to->rank;
    for (int a = to->rank - 1, b = from->rank - 1; *is_there && b >= 0; a--, b--) {
        const int64_t i = from->dim[b] == 1 ? 0 : rest % to->dim[a];
        *is_there = from->dim[b] == 1 || from->dim[b] == to->dim[a];
        number += i * size;
        size *= from->dim[b];
        rest /= to->dim[a];
    }
    *is_there = *is_there && !isfinite(element(s, number));
    return *is_there ? number : s->first;
}

/* source_of -- where element `number` of operand s was moved from. */
static tl_source source_of(const tl_watch *w, const tl_seen *s, int64_t number)
{
    const uint32_t slot = slot_of(w, s->place->node);
    if (slot == TL_NONE)
        return (tl_source){TL_NONE, -1};
    const int is_whole = tl_shape_equal(w->tape->nodes[slot].shape, s->place->shape);
    return tl__origin(w->tape, slot, is_whole ? number : -1, (tl_steps){w->depth, w->position});
}

/* is_given -- whether a value came from outside the tape. */
static int is_given(const tl_tape *tape, uint32_t slot)
{
    const tl_node *n = &tape->nodes[slot];
    return n->op == &tl_op_input || n->op == &tl_op_use || n->op == &tl_op_state;
}

/* ---- words ----------------------------------------------------------------------------------- */

static void put(tl_watch *w, const char *format, ...) TL_PRINTF(2, 3);
static void put(tl_watch *w, const char *format, ...)
{
    const size_t used = strlen(w->message);
    va_list args;
    va_start(args, format);
    vsnprintf(w->message + used, sizeof w->message - used, format, args);
    va_end(args);
}

static void put_index(tl_watch *w, const tl_shape *s, int64_t number)
{
    int64_t index[TL_MAX_RANK];
    for (int a = s->rank; a-- > 0; number /= s->dim[a])
        index[a] = number % s->dim[a];
    put(w, "[");
    for (int a = 0; a < s->rank; a++)
        put(w, "%s%lld", a ? "," : "", (long long)index[a]);
    put(w, "]");
}

/* put_name -- a value by its name, or by that of what it shows, else by its number and operation. */
static void put_name(tl_watch *w, uint32_t slot)
{
    const tl_node *nodes = w->tape->nodes;
    uint32_t s = slot;
    while (s != TL_NONE && !nodes[s].name && nodes[s].nin > 0 &&
           (nodes[s].op->kind == TL_VIEW || nodes[s].op == &tl_op_each))
        s = nodes[s].in[0];
    if (s != TL_NONE && nodes[s].name)
        put(w, "%.60s", nodes[s].name);
    else if (slot != TL_NONE)
        put(w, "%%%u (%s)", slot, nodes[slot].op->name);
    else
        put(w, "a value");
}

static void put_type(tl_watch *w, const tl_seen *s)
{
    char text[TL_SHAPE_TEXT];
    put(w, " %s %s", tl_dtype_name(s->place->dtype),
        tl_shape_text(s->place->shape, text, sizeof text));
}

static void put_bad(tl_watch *w, const tl_seen *s)
{
    put(w, ", %lld of %lld not finite, the first ", (long long)(s->nans + s->infinities),
        (long long)s->count);
    put_index(w, &s->place->shape, s->first);
}

/* put_place -- time steps, forward or adjoint and of what. */
static void put_place(tl_watch *w, uint32_t slot, uint32_t depth, const int64_t *position)
{
    const tl_tape *tape = w->tape;
    for (uint32_t d = 0; d < depth; d++)
        put(w, "%s%lld", d ? ", " : " at t=", (long long)position[d]);
    uint32_t of = slot == TL_NONE ? TL_NONE : tape->nodes[slot].of;
    if (of == TL_NONE) {
        put(w, ", forward");
        return;
    }
    int order = 0;
    const uint32_t first = of;
    for (; of != TL_NONE; of = tape->nodes[of].of)
        order++;
    put(w, ", adjoint of ");
    if (order > 1)
        put(w, "order %d, of ", order);
    put(w, "%s", tape->nodes[first].op->name);
    if (tape->nodes[first].name)
        put(w, " %.60s", tape->nodes[first].name);
    if (tape->scopes[tape->nodes[first].scope][0])
        put(w, " in %.60s", tape->scopes[tape->nodes[first].scope]);
}

static void put_operands(tl_watch *w)
{
    for (uint32_t k = 0; k < w->n; k++) {
        const tl_seen *s = &w->seen[k];
        put(w, k ? ", " : "; of ");
        put_name(w, slot_of(w, s->place->node));
        put_type(w, s);
        if (s->count > s->nans + s->infinities && s->place->dtype != TL_I32)
            put(w, " from %.3g to %.3g", s->least, s->most);
        if (is_bad(s))
            put(w, " and %lld not finite", (long long)(s->nans + s->infinities));
    }
}

/* element_of -- the number of the element of a live dense value that operand s shows where it is
 * not finite, preferably where the result is not either; -1. */
static int64_t element_of(const tl_watch *w, const tl_seen *s, const tl_node *n)
{
    const int64_t size = (int64_t)tl_dtype_size(n->dtype);
    int is_there;
    const int64_t number = in_step(w, s, &is_there);
    const char *at = s->at + offset_of(s->place, number), *data = n->buf->data;
    if (!tl__layout_is_dense(&n->shape, &n->layout) || at < data || at >= data + n->buf->bytes)
        return -1;
    const int64_t k = (at - data) / size - n->layout.offset;
    return k >= 0 && k < tl_shape_count(n->shape) ? k : -1;
}

/* put_origin -- what was not finite already, read through operand s. */
static void put_origin(tl_watch *w, const tl_seen *s, tl_source from)
{
    const tl_node *n = &w->tape->nodes[from.slot];
    const char *scope = w->tape->scopes[n->scope];
    put(w, ", %s ",
        n->op == &tl_op_use     ? "of parameter"
        : n->op == &tl_op_input ? "of input"
        : n->op == &tl_op_state ? "of state"
        : n->op == &tl_op_const ? "of constant"
                                : "of what was computed before,");
    put_name(w, from.slot);
    if (n->op == &tl_op_const)
        return;
    tl_seen seen;
    tl_place place;
    look_live(n, &seen, &place);
    const int64_t k = from.number < 0 ? element_of(w, s, n) : from.number;
    seen.first = k < 0 ? seen.first : k;
    put_type(w, &seen);
    if (scope[0])
        put(w, " (recorded in %.60s)", scope);
    put(w, ", which holds it already: element ");
    put_index(w, &n->shape, seen.first);
    put(w, ", %lld of %lld not finite", (long long)(seen.nans + seen.infinities),
        (long long)seen.count);
}

/* culprit -- the operand that brought it in; -1: none, the operation made it; -2: nothing to
 * report. *from is the value it came from, TL_NONE if not known. Operands that are not finite where
 * the result is not come first: tl_where may leave out the others. */
static int culprit(const tl_watch *w, tl_source *from)
{
    const tl_seen *r = &w->seen[w->n];
    int any = 0, nan = -1;
    *from = (tl_source){TL_NONE, -1};
    for (uint32_t i = 0; i < 2 * w->n; i++) {
        const uint32_t k = i % w->n;
        const tl_seen *s = &w->seen[k];
        int is_there;
        if (!is_bad(s))
            continue;
        any = 1;
        const int64_t number = in_step(w, s, &is_there);
        if (is_there != (i < w->n))
            continue;
        const tl_source source = source_of(w, s, number);
        if (source.slot != TL_NONE && is_given(w->tape, source.slot)) {
            *from = source;
            return (int)k;
        }
        if (s->nans && nan < 0) {
            nan = (int)k;
            *from = source;
        }
    }
    if (r->nans)
        return nan;
    return any ? -2 : -1;
}

/* is_moved -- whether the result is not finite because an operand is not, and was only moved. */
static int is_moved(const tl_watch *w)
{
    const tl_seen *r = &w->seen[w->n];
    if (!tl__moves(w->op))
        return 0;
    int any = w->op->kind != TL_ASSEMBLE || w->note->nops != 1 || !w->is_whole;
    for (uint32_t k = 0; k < w->n && !any; k++)
        any = r->nans ? w->seen[k].nans > 0 : is_bad(&w->seen[k]);
    return any;
}

int tl__watch_after(tl_watch *w, uint32_t depth, const int64_t *position)
{
    if (!w->note || !w->note->place || w->note->nops == 0)
        return 0;
    tl_seen *r = &w->seen[w->n];
    look(r, r->place, r->at);
    w->op = w->note->op[w->note->nops - 1];
    w->node = w->note->node;
    w->depth = depth;
    w->position = position;
    if (!is_bad(r) || is_moved(w))
        return 0;
    tl_source from;
    const int k = culprit(w, &from);
    if (k == -2)
        return 0;
    const uint32_t slot = slot_of(w, w->node);
    const int is_known = k >= 0 && from.slot != TL_NONE;
    put(w, "%s", r->nans ? "NaN" : "infinity");
    put_place(w, slot, depth, position);
    if (is_known)
        put_origin(w, &w->seen[k], from);
    put(w, "%s result ", is_known ? ";" : ":");
    put_name(w, slot);
    put_type(w, r);
    put_bad(w, r);
    put_operands(w);
    return 1;
}
