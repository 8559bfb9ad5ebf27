/* leaf.c -- values that come from outside the tape: constants, inputs, parameters, states; and the
 * cut of gradients. */
#include "core/grad.h"
#include "core/rows.h"
#include "core/space.h"

#include <string.h>

const tl_op tl_op_const = {
    .name = "const",
    .doc = "c",
    .grad_doc = "none",
    .shape_doc = "-> [...]",
    .kind = TL_POINTWISE,
    .lead = tl_lead_same,
    .no_gradient = 1,
};
const tl_op tl_op_input = {
    .name = "input",
    .doc = "the caller's array",
    .grad_doc = "none",
    .shape_doc = "-> [...]",
    .kind = TL_LEAF,
    .no_gradient = 1,
};
const tl_op tl_op_use = {
    .name = "use",
    .doc = "a parameter's value",
    .grad_doc = "none",
    .shape_doc = "-> [...]",
    .kind = TL_LEAF,
    .no_gradient = 1,
};
const tl_op tl_op_state = {
    .name = "state",
    .doc = "a kept state's value",
    .grad_doc = "none",
    .shape_doc = "-> [...]",
    .kind = TL_LEAF,
    .no_gradient = 1,
};

static int detach_view(const tl_attr *a, const tl_shape *from, const tl_layout *in,
                       const tl_shape *to, tl_layout *out)
{
    (void)a, (void)from, (void)to;
    *out = *in;
    return 0;
}

static tl_tensor detach_call(const tl_tensor *in)
{
    return tl_detach(in[0]);
}

static const tl_case detach_cases[] = {
    {1, {{2, {3, 4}}}, {TL_ANY}, 0, detach_call},
};

const tl_op tl_op_detach = {
    .name = "detach",
    .doc = "a, a constant for gradients",
    .grad_doc = "none",
    .shape_doc = "[...] -> [...]",
    .kind = TL_VIEW,
    .nin = 1,
    .view = detach_view,
    .lead = tl_lead_same,
    .no_gradient = 1,
    .ncases = 1,
    .cases = detach_cases,
};

tl_tensor tl_detach(tl_tensor t)
{
    return tl_record(&tl_op_detach, 1, &t, NULL);
}

/* leaf_in -- records a leaf that is live from the start, in frame `frame`; takes over one reference
 * to buf. */
static tl_tensor leaf_in(tl_tape *tape, uint32_t frame, const tl_op *op, tl_dtype dtype,
                         tl_shape shape, tl_buf *buf)
{
    uint32_t former = tl__frame_enter(tape, frame);
    tl_tensor t = tl__record_node(tape, op, 0, NULL, dtype, shape, NULL);
    tl__frame_enter(tape, former);
    if (!t.tape) {
        tl__buf_unref(buf);
        return t;
    }
    tl_node *n = &tape->nodes[t.slot];
    n->buf = buf;
    n->layout = tl__layout_dense(&shape);
    n->life = TL_LIVE;
    return t;
}

/* input -- a leaf in the outermost frame with a copy of data, or borrowing it. */
static tl_tensor input(tl_tape *tape, tl_dtype dtype, tl_shape shape, const void *data, int borrow)
{
    if (!tape || tape->code)
        return tl__inert_on(tape);
    int64_t count = tl_shape_count(shape);
    char text[TL_SHAPE_TEXT];
    if (count < 0) {
        tl_tape_fail(tape, TL_ESHAPE, "tl_input", "invalid or too large shape %s",
                     tl_shape_text(shape, text, sizeof text));
        return tl__inert_on(tape);
    }
    if (!data && count > 0) {
        tl_tape_fail(tape, TL_EINVAL, "tl_input", "no data (NULL) for shape %s",
                     tl_shape_text(shape, text, sizeof text));
        return tl__inert_on(tape);
    }
    size_t bytes = (size_t)count * tl_dtype_size(dtype);
    tl_buf *buf = borrow ? tl__buf_borrow(data, bytes) : tl__buf_new(bytes);
    if (!buf) {
        tl_tape_fail(tape, TL_ENOMEM, "tl_input", "no memory for %s %s", tl_dtype_name(dtype),
                     tl_shape_text(shape, text, sizeof text));
        return tl__inert_on(tape);
    }
    if (!borrow && bytes)
        memcpy(buf->data, data, bytes);
    return leaf_in(tape, 0, &tl_op_input, dtype, shape, buf);
}

tl_tensor tl_input_f32(tl_tape *tape, tl_shape shape, const float *data)
{
    return input(tape, TL_F32, shape, data, 0);
}

tl_tensor tl_input_f64(tl_tape *tape, tl_shape shape, const double *data)
{
    return input(tape, TL_F64, shape, data, 0);
}

tl_tensor tl_input_i32(tl_tape *tape, tl_shape shape, const int32_t *data)
{
    return input(tape, TL_I32, shape, data, 0);
}

tl_tensor tl_input_borrow(tl_tape *tape, tl_dtype dtype, tl_shape shape, const void *data)
{
    return input(tape, dtype, shape, data, 1);
}

tl_tensor tl_scalar(tl_tape *tape, tl_dtype dtype, double value)
{
    const tl_attr attr = {0, NULL, 1, &value};
    return tl__record_node(tape, &tl_op_const, 0, NULL, dtype, tl_shape0(), &attr);
}

tl_tensor tl_full(tl_tape *tape, tl_dtype dtype, tl_shape shape, double value)
{
    char text[TL_SHAPE_TEXT];
    if (tl_shape_count(shape) < 0) {
        tl_tape_fail(tape, TL_ESHAPE, "tl_full", "invalid or too large shape %s",
                     tl_shape_text(shape, text, sizeof text));
        return tl__inert_on(tape);
    }
    tl_tensor c = tl_scalar(tape, dtype, value);
    return shape.rank == 0 ? c : tl_broadcast_to(c, shape);
}

tl_tensor tl_zeros(tl_tape *tape, tl_dtype dtype, tl_shape shape)
{
    return tl_full(tape, dtype, shape, 0.0);
}

tl_tensor tl_ones(tl_tape *tape, tl_dtype dtype, tl_shape shape)
{
    return tl_full(tape, dtype, shape, 1.0);
}

tl_usage *tl__usage(tl_tape *tape, tl_param *p)
{
    tl_usage *u = NULL;
    for (uint32_t i = 0; i < tape->nusages && !u; i++)
        if (tape->usages[i].param == p)
            u = &tape->usages[i];
    if (u && u->serial == p->serial)
        return u;
    if (!u) {
        if (tl__grow(&tape->usages, &tape->usages_capacity, tape->nusages + 1,
                     sizeof *tape->usages)) {
            tl_tape_fail(tape, TL_ENOMEM, "tl_use", "no memory to note parameter %s", p->name);
            return NULL;
        }
        u = &tape->usages[tape->nusages++];
    }
    *u = (tl_usage){
        .param = p, .serial = p->serial, .leaf = TL_NONE, .bound = TL_NONE, .grad = TL_NONE};
    return u;
}

/* store_leaf -- a leaf that holds the present version of a store. */
static tl_tensor store_leaf(tl_tape *tape, const tl_op *op, tl_store *store)
{
    if (tl__rows_settle(store)) {
        char text[TL_SHAPE_TEXT];
        tl_tape_fail(tape, TL_ENOMEM, op->name, "no memory for a copy of %s",
                     tl_shape_text(store->shape, text, sizeof text));
        return tl__inert_on(tape);
    }
    tl_tensor t = leaf_in(tape, 0, op, store->dtype, store->shape, tl__buf_ref(store->value));
    if (t.tape) {
        tape->nodes[t.slot].store = store;
        tape->nodes[t.slot].version = store->version;
    }
    return t;
}

/* usage_of -- p's entry; NULL, with the error recorded, without p. */
static tl_usage *usage_of(tl_tape *tape, tl_param *p, const char *what)
{
    if (!tape || tape->code)
        return NULL;
    if (!p)
        tl_tape_fail(tape, TL_EINVAL, what,
                     "got no parameter but NULL (tl_params_find gives that for a name that the set "
                     "does not have)");
    return p ? tl__usage(tape, p) : NULL;
}

/* stored -- the leaf of the present version. */
static tl_tensor stored(tl_tape *tape, tl_usage *u)
{
    tl_param *p = u->param;
    if (u->leaf != TL_NONE && tape->nodes[u->leaf].version == p->store.version)
        return tl__at(tape, u->leaf);
    const tl_tensor t = store_leaf(tape, &tl_op_use, &p->store);
    if (t.tape) {
        u->leaf = t.slot;
        tape->nodes[t.slot].name = tl__intern(tape, p->name);
    }
    return t;
}

tl_tensor tl_use(tl_tape *tape, tl_param *p)
{
    tl_usage *u = usage_of(tape, p, "tl_use");
    if (!u)
        return tl__inert_on(tape);
    return u->bound != TL_NONE ? tl__at(tape, u->bound) : stored(tape, u);
}

int tl_use_all(tl_tape *tape, tl_params *set, tl_tensor *out)
{
    int n = 0;
    if (tape && (!set || !out))
        tl_tape_fail(tape, TL_EINVAL, "tl_use_all", "got no %s but NULL",
                     set ? "room for tensors" : "set of parameters");
    for (int k = 0; tape && !tape->code && k < tl_params_count(set); k++)
        if (!tl_params_at(set, k)->frozen)
            out[n++] = tl_use(tape, tl_params_at(set, k));
    return tape && !tape->code ? n : 0;
}

tl_tensor tl_use_stored(tl_tape *tape, tl_param *p)
{
    tl_usage *u = usage_of(tape, p, "tl_use_stored");
    return u ? stored(tape, u) : tl__inert_on(tape);
}

void tl_bind(tl_tape *tape, tl_param *p, tl_tensor t)
{
    tl_usage *u = usage_of(tape, p, "tl_bind");
    if (!u)
        return;
    if (!t.tape) {
        tl_tape_fail(tape, TL_EINVAL, "tl_bind", "the tensor for %s is the inert tensor", p->name);
        return;
    }
    const tl_node *n = tl__node(t, "tl_bind");
    if (!n)
        return;
    if (t.tape != tape) {
        tl_tape_fail(tape, TL_ETAPE, "tl_bind", "the tensor for %s lives on another tape", p->name);
        return;
    }
    if (tl__check_store(tape, n, &p->store, "tl_bind", p->name))
        return;
    u->bound = t.slot;
}

void tl_bind_clear(tl_tape *tape, tl_param *p)
{
    tl_usage *u = usage_of(tape, p, "tl_bind_clear");
    if (u)
        u->bound = TL_NONE;
}

tl_tensor tl_state_use(tl_tape *tape, tl_state *s)
{
    if (tape && !tape->code && !s)
        tl_tape_fail(tape, TL_EINVAL, "tl_state_use", "got no state but NULL");
    if (!tape || tape->code)
        return tl__inert_on(tape);
    return store_leaf(tape, &tl_op_state, &s->store);
}

tl_tensor tl__stored_grad(tl_tape *tape, tl_param *p)
{
    if (!p->grad)
        return tl__inert_on(tape);
    return leaf_in(tape, 0, &tl_op_input, p->store.dtype, p->store.shape, tl__buf_ref(p->grad));
}
