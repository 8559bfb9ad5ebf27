/* effect.c -- what a tape does to the world: assignments, kept states, gradients; queued, then
 * committed together.
 *
 *   record ...    tl_assign(W, w1), tl_keep(h, hT), tl_backward(loss) queue
 *   tl_commit:    one run computes w1, hT and the gradients           may fail: nothing has changed
 *                 buffers that cannot be shared are copied            may fail: nothing has changed
 *                 stores take their new buffers, versions count up    cannot fail */
#include "core/grad.h"
#include "core/rows.h"
#include "core/run.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

int tl__check_store(tl_tape *tape, const tl_node *n, const tl_store *store, const char *what,
                    const char *target)
{
    if (n->dtype == store->dtype && tl_shape_equal(n->shape, store->shape))
        return TL_OK;
    char got[TL_SHAPE_TEXT], want[TL_SHAPE_TEXT];
    return tl_tape_fail(
        tape, n->dtype != store->dtype ? TL_EDTYPE : TL_ESHAPE, what, "got %s %s, but %s is %s %s",
        tl_dtype_name(n->dtype), tl_shape_text(n->shape, got, sizeof got), target,
        tl_dtype_name(store->dtype), tl_shape_text(store->shape, want, sizeof want));
}

/* check_effect -- t's node if it may be in an effect; NULL with the error recorded. */
static const tl_node *check_effect(tl_tensor t, const char *what)
{
    const tl_node *n = tl__node(t, what);
    if (!n)
        return NULL;
    tl_tape *tape = t.tape;
    char text[160];
    if (tape->frame != 0) {
        tl_tape_fail(tape, TL_EFRAME, what,
                     "not allowed inside an open scan: effects happen once, after the run");
        return NULL;
    }
    if (n->frame != 0) {
        tl_tape_fail(tape, TL_EFRAME, what, "got %s, a value of a scan's body; ask tl_scan_last",
                     tl__describe(tape, t.slot, text, sizeof text));
        return NULL;
    }
    return n;
}

/* queue -- one effect; a later one on the same store replaces the earlier. */
static void queue(tl_tape *tape, tl_effect effect, const char *what, const char *target)
{
    for (uint32_t i = 0; i < tape->neffects; i++)
        if (tape->effects[i].store == effect.store) {
            tape->effects[i] = effect;
            return;
        }
    if (tl__grow(&tape->effects, &tape->effects_capacity, tape->neffects + 1,
                 sizeof *tape->effects)) {
        tl_tape_fail(tape, TL_ENOMEM, what, "no memory to queue %s", target);
        return;
    }
    tape->effects[tape->neffects++] = effect;
}

/* queue_whole -- the store becomes t. */
static void queue_whole(tl_effect_kind kind, tl_store *store, tl_tensor t, const char *what,
                        const char *target)
{
    const tl_node *n = check_effect(t, what);
    if (n && tl__check_store(t.tape, n, store, what, target) == TL_OK)
        queue(t.tape, (tl_effect){kind, store, t.slot, TL_NONE}, what, target);
}

void tl_assign(tl_param *p, tl_tensor t)
{
    if (p)
        queue_whole(TL_ASSIGN, &p->store, t, "tl_assign", p->name);
    else if (t.tape)
        tl_tape_fail(t.tape, TL_EINVAL, "tl_assign", "got no parameter but NULL");
}

void tl_keep(tl_state *s, tl_tensor t)
{
    if (s)
        queue_whole(TL_KEEP, &s->store, t, "tl_keep", "the state");
    else if (t.tape)
        tl_tape_fail(t.tape, TL_EINVAL, "tl_keep", "got no state but NULL");
}

void tl_assign_rows(tl_param *p, tl_tensor idx, tl_tensor rows)
{
    static const char what[] = "tl_assign_rows";
    const tl_tensor in[2] = {idx, rows};
    if (!p || !tl__same_tape(what, 2, in))
        return;
    tl_tape *tape = idx.tape;
    const tl_node *i = check_effect(idx, what), *r = i ? check_effect(rows, what) : NULL;
    if (!r)
        return;
    const tl_shape table = p->store.shape;
    char text[3][TL_SHAPE_TEXT];
    int fits = i->shape.rank == 1 && table.rank >= 1 && r->shape.rank == table.rank &&
               r->shape.dim[0] == i->shape.dim[0];
    for (int a = 1; fits && a < table.rank; a++)
        fits = r->shape.dim[a] == table.dim[a];
    if (!fits)
        tl_tape_fail(tape, TL_ESHAPE, what,
                     "got indices %s, rows %s for %s %s, want [n], [n,...] for [V,...]",
                     tl_shape_text(i->shape, text[0], sizeof text[0]),
                     tl_shape_text(r->shape, text[1], sizeof text[1]), p->name,
                     tl_shape_text(table, text[2], sizeof text[2]));
    else if (i->dtype != TL_I32 || r->dtype != p->store.dtype)
        tl_tape_fail(tape, TL_EDTYPE, what, "got %s indices, %s rows, want i32, %s as %s",
                     tl_dtype_name(i->dtype), tl_dtype_name(r->dtype),
                     tl_dtype_name(p->store.dtype), p->name);
    else
        queue(tape, (tl_effect){TL_ASSIGN_ROWS, &p->store, rows.slot, idx.slot}, what, p->name);
}

/* owned_copy -- a reference to n's buffer if it is exactly its dense value and the library's own,
 * else a dense copy. NULL: no memory. */
static tl_buf *owned_copy(const tl_node *n)
{
    size_t size = tl_dtype_size(n->dtype), bytes = (size_t)tl_shape_count(n->shape) * size;
    if (!n->buf->borrowed && n->layout.offset == 0 && n->buf->bytes == bytes &&
        tl__layout_is_dense(&n->shape, &n->layout))
        return tl__buf_ref(n->buf);
    tl_buf *copy = tl__buf_new(bytes);
    if (copy)
        tl__copy_dense(n, copy->data);
    return copy;
}

/* count_wanted -- pending values that the user wants kept (the loss of a tl_backward among them):
 * they are computed along with the effects. */
static uint32_t count_wanted(const tl_tape *tape)
{
    uint32_t n = 0;
    for (uint32_t s = 0; s < tape->nnodes; s++)
        n += tape->nodes[s].want && tape->nodes[s].frame == 0 && tape->nodes[s].life == TL_PENDING;
    return n;
}

/* gather_roots -- slots that the commit runs: effects, queued gradients, then wanted values.
 * *stores is how many of them go into stores. */
static uint32_t gather_roots(const tl_tape *tape, uint32_t *roots, uint32_t *stores)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < tape->neffects; i++) {
        roots[n++] = tape->effects[i].slot;
        if (tape->effects[i].kind == TL_ASSIGN_ROWS)
            roots[n++] = tape->effects[i].idx;
    }
    for (uint32_t i = 0; i < tape->nusages; i++)
        if (tape->usages[i].queued && tape->usages[i].grad != TL_NONE)
            roots[n++] = tape->usages[i].grad;
    *stores = n;
    for (uint32_t s = 0; s < tape->nnodes; s++)
        if (tape->nodes[s].want && tape->nodes[s].frame == 0 && tape->nodes[s].life == TL_PENDING)
            roots[n++] = s;
    return n;
}

/* check_rows -- every index of an effect on rows is one of the table's; and the table has all of
 * its present version, so that the rows can be noted on top. */
static int check_rows(tl_tape *tape, const tl_effect *e, const tl_buf *idx)
{
    static const char what[] = "tl_assign_rows";
    const tl_node *n = &tape->nodes[e->idx];
    const int64_t V = e->store->shape.dim[0], count = n->shape.dim[0];
    const int32_t *v = idx->data;
    for (int64_t i = 0; i < count; i++)
        if (v[i] < 0 || v[i] >= V)
            return tl_tape_fail(tape, TL_ERANGE, what,
                                "got index %d at [%lld], want one in [0,%lld)", (int)v[i],
                                (long long)i, (long long)V);
    if (tl__rows_settle(e->store))
        return tl_tape_fail(tape, TL_ENOMEM, what, "no memory for a copy of the table");
    return TL_OK;
}

/* make_rows -- rows[i] of effect i, where it is one on rows; they take over buffers of fresh[]. */
static int make_rows(tl_tape *tape, tl_buf **fresh, tl_rows **rows)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < tape->neffects; i++, n++) {
        const tl_effect *e = &tape->effects[i];
        if (e->kind != TL_ASSIGN_ROWS)
            continue;
        const int64_t count = tape->nodes[e->idx].shape.dim[0], V = e->store->shape.dim[0];
        int code = check_rows(tape, e, fresh[n + 1]);
        if (code)
            return code;
        rows[i] = tl__rows_new(fresh[n + 1], fresh[n], count,
                               V > 0 ? e->store->value->bytes / (size_t)V : 0);
        if (!rows[i])
            return tl_tape_fail(tape, TL_ENOMEM, "tl_assign_rows", "no memory to note %lld rows",
                                (long long)count);
        fresh[n] = fresh[n + 1] = NULL;
        n++;
    }
    return TL_OK;
}

/* owner -- the parameter whose value an effect that assigns changes. */
static const tl_param *owner(const tl_effect *e)
{
    return (const tl_param *)(const void *)((const char *)e->store - offsetof(tl_param, store));
}

/* check_finite -- in anomaly mode: that no parameter becomes NaN or infinity. The operations may have
 * passed that on from a constant, a learning rate for instance. */
static int check_finite(tl_tape *tape, tl_buf *const *fresh)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < tape->neffects && tape->anomaly; i++, n++) {
        const tl_effect *e = &tape->effects[i];
        const int64_t count = tl_shape_count(tape->nodes[e->slot].shape);
        const size_t size = tl_dtype_size(e->store->dtype);
        for (int64_t k = 0; k < count && e->kind != TL_KEEP; k++) {
            const double x =
                tl__number_at(e->store->dtype, (const char *)fresh[n]->data + (size_t)k * size);
            if (!isfinite(x))
                return tl_tape_fail(
                    tape, TL_ENAN, "tl_commit",
                    "%s would become %g at element %lld of %s%lld: passed on from a "
                    "constant, such as a learning rate, or only moved",
                    owner(e)->name, x, (long long)k, e->kind == TL_ASSIGN_ROWS ? "the rows' " : "",
                    (long long)count);
        }
        n += e->kind == TL_ASSIGN_ROWS;
    }
    return TL_OK;
}

/* publish -- cannot fail. fresh[] are the new buffers, in the order of gather_roots; rows[] those
 * of make_rows. */
static void publish(tl_tape *tape, tl_buf **fresh, tl_rows **rows)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < tape->neffects; i++, n++) {
        tl_store *store = tape->effects[i].store;
        tl__rows_set(store, rows[i]);
        if (rows[i]) {
            n++;
        } else {
            tl__buf_unref(store->value);
            store->value = fresh[n];
        }
        store->version++;
    }
    tape->neffects = 0;
    for (uint32_t i = 0; i < tape->nusages; i++) {
        tl_usage *u = &tape->usages[i];
        if (u->clear)
            tl_param_clear_grad(u->param);
        if (u->queued && u->grad != TL_NONE) {
            tl_param_clear_grad(u->param);
            u->param->grad = fresh[n++];
        }
        u->grad = TL_NONE;
        u->queued = u->clear = 0;
    }
}

int tl_commit(tl_tape *tape)
{
    if (!tape)
        return TL_EINVAL;
    if (tape->code)
        return tape->code;
    if (tape->frame != 0)
        return tl_tape_fail(tape, TL_EFRAME, "tl_commit", "not allowed inside an open scan");
    uint32_t most = 2 * tape->neffects + tape->nusages + count_wanted(tape) + 1;
    tl_buf **fresh = tl__calloc(most, sizeof *fresh + sizeof(tl_rows *) + sizeof(uint32_t));
    if (!fresh)
        return tl_tape_fail(tape, TL_ENOMEM, "tl_commit", "no memory for %u effects", most);
    tl_rows **rows = (tl_rows **)(fresh + most);
    uint32_t *roots = (uint32_t *)(rows + most);
    uint32_t stores, n = gather_roots(tape, roots, &stores), done = 0;
    const tl_run_opts opts = {.commit = 1};
    int code = tl__run(tape, (int)n, roots, &opts);
    for (; code == TL_OK && done < stores; done++) {
        fresh[done] = owned_copy(&tape->nodes[roots[done]]);
        if (!fresh[done]) {
            code = tl_tape_fail(tape, TL_ENOMEM, "tl_commit", "no memory for a new value");
            break;
        }
    }
    if (code == TL_OK)
        code = check_finite(tape, fresh);
    if (code == TL_OK)
        code = make_rows(tape, fresh, rows);
    if (code == TL_OK) {
        publish(tape, fresh, rows);
    } else {
        for (uint32_t i = 0; i < tape->neffects; i++)
            tl__rows_free(rows[i]);
        while (done-- > 0)
            tl__buf_unref(fresh[done]);
    }
    tl__free(fresh);
    return code;
}
