/* read.c -- from tensors to the caller's numbers. */
#include "core/node.h"
#include "core/run.h"

#include <math.h>
#include <string.h>

void tl__to_dense(const tl_shape *shape, const tl_layout *layout, tl_dtype dtype, const void *from,
                  void *out)
{
    size_t size = tl_dtype_size(dtype);
    int64_t count = tl_shape_count(*shape);
    const char *data = (const char *)from + layout->offset * (int64_t)size;
    if (tl__layout_is_dense(shape, layout)) {
        if (count > 0)
            memcpy(out, data, (size_t)count * size);
        return;
    }
    int64_t index[TL_MAX_RANK] = {0};
    char *to = out;
    for (int64_t i = 0; i < count; i++, to += size) {
        int64_t offset = 0;
        for (int a = 0; a < shape->rank; a++)
            offset += index[a] * layout->stride[a];
        memcpy(to, data + offset * (int64_t)size, size);
        for (int a = shape->rank; a-- > 0;) {
            if (++index[a] < shape->dim[a])
                break;
            index[a] = 0;
        }
    }
}

void tl__copy_dense(const tl_node *n, void *out)
{
    tl__to_dense(&n->shape, &n->layout, n->dtype, n->buf->data, out);
}

/* check_readable -- TL_OK, or the sticky error: values of bodies have no number of their own. */
static int check_readable(tl_tensor t, const char *what)
{
    const tl_node *n = tl__node(t, what);
    if (!n)
        return t.tape ? t.tape->code : tl__inert_code(t);
    char text[160];
    if (t.tape->frame != 0)
        return tl_tape_fail(
            t.tape, TL_EFRAME, what,
            "not allowed inside an open scan: the body has only been recorded, it runs later "
            "(tl_scan_close, then tl_scan_stacked gives the value of every step)");
    if (n->frame != 0)
        return tl_tape_fail(t.tape, TL_EFRAME, what,
                            "got %s, a value of a scan's body; ask tl_scan_stacked",
                            tl__describe(t.tape, t.slot, text, sizeof text));
    if (n->op->kind == TL_LOOP)
        return tl_tape_fail(t.tape, TL_EINVAL, what, "a scan has no value of its own");
    return TL_OK;
}

int tl_eval(int n, const tl_tensor *t)
{
    if (n == 0)
        return TL_OK;
    if (!tl__given("tl_eval", n, t))
        return TL_EINVAL;
    for (int i = 0; i < n; i++) {
        int code = check_readable(t[i], "tl_eval");
        if (code)
            return code;
    }
    if (!tl__same_tape("tl_eval", n, t))
        return t[0].tape->code;
    tl_tape *tape = t[0].tape;
    uint32_t few[16], *slots = few;
    if (n > 16) {
        slots = tl__alloc((size_t)n * sizeof *slots);
        if (!slots)
            return tl_tape_fail(tape, TL_ENOMEM, "tl_eval", "no memory for %d roots", n);
    }
    int missing = 0;
    for (int i = 0; i < n; i++) {
        tape->nodes[t[i].slot].want = 1;
        if (tape->nodes[t[i].slot].life != TL_LIVE)
            slots[missing++] = t[i].slot;
    }
    const tl_run_opts opts = {.commit = 0};
    int code = missing ? tl__run(tape, missing, slots, &opts) : TL_OK;
    if (slots != few)
        tl__free(slots);
    return code;
}

static int read_to(tl_tensor t, tl_dtype dtype, void *out, int64_t count, const char *what)
{
    int code = check_readable(t, what);
    if (code)
        return code;
    const tl_node *n = &t.tape->nodes[t.slot];
    char text[TL_SHAPE_TEXT];
    if (n->dtype != dtype)
        return tl_tape_fail(t.tape, TL_EDTYPE, what,
                            "got %s %s, want %s (tl_cast converts, tl_read_%s reads it)",
                            tl_dtype_name(n->dtype), tl_shape_text(n->shape, text, sizeof text),
                            tl_dtype_name(dtype), tl_dtype_name(n->dtype));
    if (count != tl_shape_count(n->shape) || (!out && count > 0))
        return tl_tape_fail(
            t.tape, TL_ESHAPE, what, "got room for %lld elements, shape %s has %lld",
            out ? (long long)count : 0LL, tl_shape_text(n->shape, text, sizeof text),
            (long long)tl_shape_count(n->shape));
    code = tl_eval(1, &t);
    if (code == TL_OK)
        tl__copy_dense(&t.tape->nodes[t.slot], out);
    return code;
}

int tl_read_f32(tl_tensor t, float *out, int64_t count)
{
    return read_to(t, TL_F32, out, count, "tl_read_f32");
}

int tl_read_f64(tl_tensor t, double *out, int64_t count)
{
    return read_to(t, TL_F64, out, count, "tl_read_f64");
}

int tl_read_i32(tl_tensor t, int32_t *out, int64_t count)
{
    return read_to(t, TL_I32, out, count, "tl_read_i32");
}

double tl_item(tl_tensor t)
{
    if (check_readable(t, "tl_item"))
        return (double)NAN;
    char text[TL_SHAPE_TEXT];
    const tl_node *n = &t.tape->nodes[t.slot];
    if (tl_shape_count(n->shape) != 1) {
        tl_tape_fail(t.tape, TL_ESHAPE, "tl_item", "got %s, want a single element",
                     tl_shape_text(n->shape, text, sizeof text));
        return (double)NAN;
    }
    if (tl_eval(1, &t))
        return (double)NAN;
    n = &t.tape->nodes[t.slot];
    union {
        float f32;
        double f64;
        int32_t i32;
    } value;
    tl__copy_dense(n, &value);
    return n->dtype == TL_F32   ? (double)value.f32
           : n->dtype == TL_F64 ? value.f64
                                : (double)value.i32;
}
