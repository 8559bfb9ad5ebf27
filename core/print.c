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

/* printable -- whether there is what is to be printed, and where to. */
static int printable(const char *what, const void *tape, const FILE *file)
{
    if (tape && file)
        return TL_OK;
    return tl__fail(NULL, TL_EINVAL, "%s: no %s (NULL)", what, tape ? "file" : "tape");
}

/* put_out -- a text and what stands behind it to a file; the text is freed. */
static int put_out(const char *what, char *string, const char *end, FILE *file)
{
    int bad = fputs(string, file) < 0 || fputs(end, file) < 0;
    tl_string_free(string);
    return bad ? tl__fail(NULL, TL_EIO, "%s: writing failed", what) : TL_OK;
}

int tl_tensor_print(tl_tensor t, FILE *file)
{
    static const char what[] = "tl_tensor_print";
    if (!t.tape)
        return TL_EINVAL;
    const int code = printable(what, t.tape, file);
    char *string = code ? NULL : tl_tensor_text(t);
    if (!string)
        return code ? code : t.tape->code ? t.tape->code : TL_ENOMEM;
    return put_out(what, string, "\n", file);
}

tl_print_opts tl_print_defaults(void)
{
    tl_print_opts o = {.from = 0, .to = TL_NONE, .limit = 10000};
    return o;
}

int tl_tape_print(tl_tape *tape, const tl_print_opts *opts, FILE *file)
{
    static const char what[] = "tl_tape_print";
    const int code = printable(what, tape, file);
    char *string = code ? NULL : tl_tape_text(tape, opts);
    if (!string)
        return code ? code : tape->code ? tape->code : TL_ENOMEM;
    return put_out(what, string, "", file);
}

char *tl_plan_text(const tl_tape *tape)
{
    return tape ? tl__plan_dump(tape) : NULL;
}

int tl_plan_print(const tl_tape *tape, FILE *file)
{
    static const char what[] = "tl_plan_print";
    const int code = printable(what, tape, file);
    char *string = code ? NULL : tl_plan_text(tape);
    if (code)
        return code;
    if (!string)
        return tl__fail(NULL, TL_ESTATE, "%s: nothing was run on this tape, or memory is short",
                        what);
    return put_out(what, string, "", file);
}
