/* print.c -- tensors, tapes and plans as text. Reads the tape and changes nothing of it (a tensor's
 * value may be computed). */
#include "core/print.h"

#include "core/node.h"
#include "core/prose.h"
#include "core/run.h"
#include "core/space.h"

#include <string.h>

void tl_string_free(char *string)
{
    tl__free(string);
}

enum { EDGE = 3, LONG_AXIS = 8 };

static void put_element(tl_text *t, const tl_node *n, int64_t offset)
{
    const void *data = n->buf->data;
    if (n->dtype == TL_F32)
        tl__put(t, "%.6g", (double)((const float *)data)[offset]);
    else if (n->dtype == TL_F64)
        tl__put(t, "%.10g", ((const double *)data)[offset]);
    else
        tl__put(t, "%d", (int)((const int32_t *)data)[offset]);
}

static void put_axis(tl_text *t, const tl_node *n, int axis, int64_t offset)
{
    if (axis == n->shape.rank) {
        put_element(t, n, offset);
        return;
    }
    int64_t extent = n->shape.dim[axis];
    tl__put(t, "[");
    for (int64_t i = 0; i < extent; i++) {
        if (extent > LONG_AXIS && i == EDGE) {
            tl__put(t, ", ...");
            i = extent - EDGE;
        }
        tl__put(t, "%s", i ? ", " : "");
        put_axis(t, n, axis + 1, offset + i * n->layout.stride[axis]);
    }
    tl__put(t, "]");
}

char *tl_tensor_text(tl_tensor t)
{
    if (tl_eval(1, &t))
        return NULL;
    const tl_node *n = &t.tape->nodes[t.slot];
    tl_text out = {0};
    char shape[TL_SHAPE_TEXT];
    tl__put(&out, "%s%s%s %s ", n->name ? n->name : "", n->name ? ": " : "",
            tl_dtype_name(n->dtype), tl_shape_text(n->shape, shape, sizeof shape));
    put_axis(&out, n, 0, n->layout.offset);
    return tl__text_end(&out);
}

int tl_tensor_print(tl_tensor t, FILE *file)
{
    char *string = tl_tensor_text(t);
    if (!string)
        return t.tape && t.tape->code ? t.tape->code : TL_ENOMEM;
    int bad = fprintf(file, "%s\n", string) < 0;
    tl_string_free(string);
    return bad ? tl__fail(NULL, TL_EIO, "tl_tensor_print: writing failed") : TL_OK;
}

tl_print_opts tl_print_defaults(void)
{
    tl_print_opts o = {.from = 0, .to = TL_NONE};
    return o;
}

static void put_operand(tl_text *t, const tl_tape *tape, uint32_t slot)
{
    const tl_node *n = &tape->nodes[slot];
    if (n->op == &tl_op_const)
        tl__put(t, "%g", n->attr.r[0]);
    else if (n->name)
        tl__put(t, "%s", n->name);
    else
        tl__put(t, "%%%u", slot);
}

/* put_formula -- "mul(%3, w)", with the structural attributes behind the operands. */
static void put_formula(tl_text *t, const tl_tape *tape, const tl_node *n)
{
    const tl_op *op = n->op;
    if (op == &tl_op_const) {
        tl__put(t, "%g", n->attr.r[0]);
        return;
    }
    tl__put(t, "%s", op->name);
    if (op == &tl_op_carry) {
        const tl_carry *c = &tape->frames[n->frame].carries[n->attr.i[0]];
        tl__put(t, ", first ");
        put_operand(t, tape, c->init);
        if (c->next != TL_NONE) {
            tl__put(t, ", then ");
            put_operand(t, tape, c->next);
        }
        return;
    }
    if (n->nin == 0)
        return;
    tl__put(t, "(");
    for (uint32_t i = 0; i < n->nin; i++) {
        tl__put(t, "%s", i ? ", " : "");
        put_operand(t, tape, n->in[i]);
    }
    if (op == &tl_op_stacked || op == &tl_op_summed) {
        tl__put(t, ", ");
        put_operand(t, tape, (uint32_t)n->attr.i[0]);
    } else if (n->attr.ni > 0 && n->attr.ni <= 6) {
        tl__put(t, "; ");
        for (int i = 0; i < n->attr.ni; i++)
            tl__put(t, "%s%lld", i ? " " : "", (long long)n->attr.i[i]);
    }
    tl__put(t, ")");
}

static void put_node(tl_text *t, const tl_tape *tape, uint32_t slot, int indent)
{
    const tl_node *n = &tape->nodes[slot];
    tl_text line = {0};
    tl__put(&line, "%*s%%%-3u %-12s = ", indent, "", slot, n->name ? n->name : "");
    put_formula(&line, tape, n);
    if (line.failed) {
        t->failed = 1;
    } else {
        char shape[TL_SHAPE_TEXT];
        tl__put(t, "%-64s %s %s\n", line.data, tl_dtype_name(n->dtype),
                tl_shape_text(n->shape, shape, sizeof shape));
    }
    tl__free(line.data);
}

typedef struct printing {
    tl_text *out;
    const tl_tape *tape;
    uint32_t from, to;
    uint32_t scope; /* of the line before */
} printing;

static void put_line(printing *p, uint32_t slot, int indent);

static void put_loop(printing *p, const tl_frame *f, uint32_t slot, int indent)
{
    tl__put(p->out, "%*s%%%-3u scan over t = %s%lld%s {\n", indent, "", slot,
            f->reverse ? "" : "0 .. ", (long long)(f->T - 1), f->reverse ? " .. 0" : "");
    for (uint32_t i = 0; i < f->nnodes; i++)
        put_line(p, f->nodes[i], indent + 4);
    tl__put(p->out, "%*s}\n", indent, "");
}

static void put_line(printing *p, uint32_t slot, int indent)
{
    const tl_node *n = &p->tape->nodes[slot];
    if (n->op == &tl_op_const)
        return; /* shown where it is used */
    if (n->scope != p->scope) {
        p->scope = n->scope;
        const char *name = p->tape->scopes[n->scope];
        tl__put(p->out, "%*s#%s%s\n", indent, "", name[0] ? " " : "", name);
    }
    if (n->op->kind == TL_LOOP)
        put_loop(p, &p->tape->frames[n->attr.i[0]], slot, indent);
    else
        put_node(p->out, p->tape, slot, indent);
}

char *tl_tape_text(const tl_tape *tape, const tl_print_opts *opts)
{
    if (!tape)
        return NULL;
    tl_print_opts o = opts ? *opts : tl_print_defaults();
    tl_text out = {0};
    printing p = {&out, tape, o.from, o.to < tape->nnodes ? o.to : tape->nnodes, 0};
    tl__put(&out, "tape at step %llu: %u nodes%s%s\n", (unsigned long long)tape->steps,
            tape->nnodes, tape->code ? ", error: " : "", tape->message);
    for (uint32_t s = p.from; s < p.to; s++)
        if (tape->nodes[s].frame == 0)
            put_line(&p, s, 0);
    return tl__text_end(&out);
}

int tl_tape_print(const tl_tape *tape, const tl_print_opts *opts, FILE *file)
{
    char *string = tl_tape_text(tape, opts);
    if (!string)
        return TL_ENOMEM;
    int bad = fputs(string, file) < 0;
    tl_string_free(string);
    return bad ? tl__fail(NULL, TL_EIO, "tl_tape_print: writing failed") : TL_OK;
}

char *tl_plan_text(const tl_tape *tape)
{
    return tape ? tl__plan_dump(tape) : NULL;
}

int tl_plan_print(const tl_tape *tape, FILE *file)
{
    char *string = tl_plan_text(tape);
    if (!string)
        return tl__fail(NULL, TL_ESTATE,
                        "tl_plan_print: nothing was run on this tape, or memory is short");
    int bad = fputs(string, file) < 0;
    tl_string_free(string);
    return bad ? tl__fail(NULL, TL_EIO, "tl_plan_print: writing failed") : TL_OK;
}
