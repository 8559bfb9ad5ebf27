/* formula.c -- a node as the call it was. */
#include "core/formula.h"

#include "core/attr_text.h"
#include "core/space.h"

enum { SHORT = 8, EDGE = 3 };

void tl__put_operand(tl_text *t, const tl_tape *tape, uint32_t slot, tl_instance at)
{
    const tl_node *n = &tape->nodes[slot];
    if (n->op == &tl_op_const) {
        tl__put(t, "%g", n->attr.r[0]);
        return;
    }
    if (n->name)
        tl__put(t, "%s", n->name);
    else
        tl__put(t, "%%%u", slot);
    if (at.frame && n->frame == at.frame)
        tl__put(t, "[%lld]", (long long)at.t);
}

/* put_carry -- where a carry comes from: all steps, or the one that is meant. */
static void put_carry(tl_text *t, const tl_tape *tape, const tl_node *n, tl_instance at)
{
    const tl_frame *f = &tape->frames[n->frame];
    const tl_carry *c = &f->carries[n->attr.i[0]];
    const int one_step = at.frame && at.frame == n->frame;
    const int is_first = at.t == (f->reverse ? f->T - 1 : 0);
    if (!one_step || is_first) {
        tl__put(t, ", first ");
        tl__put_operand(t, tape, c->init, at);
    }
    if (c->next == TL_NONE || (one_step && is_first))
        return;
    tl__put(t, one_step ? ", " : ", then ");
    at.t -= f->reverse ? -1 : 1;
    tl__put_operand(t, tape, c->next, at);
}

void tl__put_formula(tl_text *t, const tl_tape *tape, const tl_node *n, tl_instance at)
{
    const tl_op *op = n->op;
    char text[160];
    if (op == &tl_op_const) {
        tl__put(t, "%g", n->attr.r[0]);
        return;
    }
    tl__put(t, "%s", op->name);
    if (op == &tl_op_carry) {
        put_carry(t, tape, n, at);
        return;
    }
    if (n->nin == 0)
        return;
    tl__put(t, "(");
    for (uint32_t i = 0; i < n->nin; i++) {
        tl__put(t, "%s", i ? ", " : "");
        tl__put_operand(t, tape, n->in[i], at);
    }
    if (op == &tl_op_each && at.frame && n->frame == at.frame)
        tl__put(t, "; t = %lld", (long long)at.t);
    if (op == &tl_op_stacked || op == &tl_op_summed) {
        tl__put(t, ", ");
        tl__put_operand(t, tape, (uint32_t)n->attr.i[0], at);
    } else if (op == &tl_op_last) {
        tl__put(t, ", ");
        tl__put_operand(t, tape,
                        tape->frames[tape->nodes[n->in[0]].attr.i[0]].carries[n->attr.i[0]].source,
                        at);
    } else if (tl__attr_text(op, &n->attr, &tape->nodes[n->in[0]].shape, text, sizeof text)[0]) {
        tl__put(t, "; %s", text);
    }
    tl__put(t, ")");
}

/* put_element -- number k in row-major order. */
static void put_element(tl_text *t, const tl_node *n, int64_t k, int digits)
{
    int64_t at = n->layout.offset;
    for (int a = n->shape.rank - 1; a >= 0; k /= n->shape.dim[a], a--)
        at += k % n->shape.dim[a] * n->layout.stride[a];
    const void *data = n->buf->data;
    if (n->dtype == TL_F32)
        tl__put(t, "%.*g", digits ? digits : 6, (double)((const float *)data)[at]);
    else if (n->dtype == TL_F64)
        tl__put(t, "%.*g", digits ? digits : 10, ((const double *)data)[at]);
    else
        tl__put(t, "%d", (int)((const int32_t *)data)[at]);
}

void tl__put_elements(tl_text *t, const tl_node *n, int digits)
{
    const int64_t count = tl_shape_count(n->shape);
    const int64_t front = digits ? 2 : EDGE, back = digits ? 1 : EDGE;
    for (int64_t k = 0; k < count; k++) {
        if (count > SHORT && k == front) {
            tl__put(t, " ...");
            k = count - back;
        }
        tl__put(t, "%s", k ? " " : "");
        put_element(t, n, k, digits);
    }
}
