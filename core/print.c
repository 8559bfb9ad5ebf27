/* print.c -- tensors as text, and the calls that print tapes (tape_text.c) and plans
 * (plan/dump.c). Reads the tape and changes nothing of it (a value may be computed). */
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
    tl_print_opts o = {.from = 0, .to = TL_NONE, .limit = 10000};
    return o;
}

int tl_tape_print(tl_tape *tape, const tl_print_opts *opts, FILE *file)
{
    char *string = tl_tape_text(tape, opts);
    if (!string)
        return tape && tape->code ? tape->code : TL_ENOMEM;
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
