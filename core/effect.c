/* effect.c -- what a tape does to the world: assignments, kept states, gradients; queued, then
 * committed together.
 *
 *   record ... tl_assign(W, w1), tl_keep(h, hT), tl_backward(loss)      queue
 *   tl_commit:  one run computes w1, hT and the gradients               may fail: nothing has
 * changed buffers that cannot be shared are copied                may fail: nothing has changed
 *               stores take their new buffers, versions count up        cannot fail
 */
#include "core/grad.h"
#include "core/node.h"
#include "core/run.h"

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

/* queue -- one effect; a later one on the same store replaces the earlier. */
static void queue(tl_effect_kind kind, tl_store *store, tl_tensor t, const char *what,
                  const char *target)
{
    const tl_node *n = tl__node(t, what);
    if (!n)
        return;
    tl_tape *tape = t.tape;
    char text[160];
    if (tape->frame != 0) {
        tl_tape_fail(tape, TL_EFRAME, what,
                     "not allowed inside an open scan: effects happen once, after the run");
        return;
    }
    if (n->frame != 0) {
        tl_tape_fail(tape, TL_EFRAME, what, "got %s, a value of a scan's body; ask tl_scan_last",
                     tl__describe(tape, t.slot, text, sizeof text));
        return;
    }
    if (tl__check_store(tape, n, store, what, target))
        return;
    for (uint32_t i = 0; i < tape->neffects; i++)
        if (tape->effects[i].store == store) {
            tape->effects[i].slot = t.slot;
            return;
        }
    if (tl__grow(&tape->effects, &tape->effects_capacity, tape->neffects + 1,
                 sizeof *tape->effects)) {
        tl_tape_fail(tape, TL_ENOMEM, what, "no memory to queue %s", target);
        return;
    }
    tape->effects[tape->neffects++] = (tl_effect){kind, store, t.slot};
}

void tl_assign(tl_param *p, tl_tensor t)
{
    if (p)
        queue(TL_ASSIGN, &p->store, t, "tl_assign", p->name);
}

void tl_keep(tl_state *s, tl_tensor t)
{
    if (s)
        queue(TL_KEEP, &s->store, t, "tl_keep", "the state");
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
    for (uint32_t i = 0; i < tape->neffects; i++)
        roots[n++] = tape->effects[i].slot;
    for (uint32_t i = 0; i < tape->nusages; i++)
        if (tape->usages[i].queued && tape->usages[i].grad != TL_NONE)
            roots[n++] = tape->usages[i].grad;
    *stores = n;
    for (uint32_t s = 0; s < tape->nnodes; s++)
        if (tape->nodes[s].want && tape->nodes[s].frame == 0 && tape->nodes[s].life == TL_PENDING)
            roots[n++] = s;
    return n;
}

/* publish -- cannot fail. fresh[] are the new buffers, in the order of gather_roots. */
static void publish(tl_tape *tape, tl_buf **fresh)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < tape->neffects; i++) {
        tl_store *store = tape->effects[i].store;
        tl__buf_unref(store->value);
        store->value = fresh[n++];
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
    uint32_t most = tape->neffects + tape->nusages + count_wanted(tape) + 1;
    tl_buf **fresh = tl__calloc(most, sizeof *fresh + sizeof(uint32_t));
    if (!fresh)
        return tl_tape_fail(tape, TL_ENOMEM, "tl_commit", "no memory for %u effects", most);
    uint32_t *roots = (uint32_t *)(fresh + most);
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
        publish(tape, fresh);
    else
        while (done-- > 0)
            tl__buf_unref(fresh[done]);
    tl__free(fresh);
    return code;
}
