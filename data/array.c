/* array.c -- typed blocks of memory, the caller's or their own. */
#include "data/array.h"

#include "core/memory.h"
#include "core/op.h"

static tl_array look(tl_dtype dtype, tl_shape shape, const void *data)
{
    return (tl_array){dtype, shape, (void *)(uintptr_t)data, 0};
}

tl_array tl_array_f32(tl_shape shape, const float *data)
{
    return look(TL_F32, shape, data);
}

tl_array tl_array_f64(tl_shape shape, const double *data)
{
    return look(TL_F64, shape, data);
}

tl_array tl_array_i32(tl_shape shape, const int32_t *data)
{
    return look(TL_I32, shape, data);
}

int tl_array_resize(tl_array *a, tl_dtype dtype, tl_shape shape)
{
    int64_t count = tl_shape_count(shape);
    char text[TL_SHAPE_TEXT];
    if (!a)
        return tl__fail(NULL, TL_EINVAL, "tl_array_resize: no array (NULL)");
    if ((unsigned)dtype > TL_I32)
        return tl__fail(NULL, TL_EDTYPE,
                        "tl_array_resize: got element type %d, want TL_F32, TL_F64 or TL_I32",
                        (int)dtype);
    if (count < 0)
        return tl__fail(NULL, TL_ESHAPE, "tl_array_resize: invalid shape %s",
                        tl_shape_text(shape, text, sizeof text));
    size_t bytes = (size_t)count * tl_dtype_size(dtype);
    if (a->room < bytes || a->room == 0) {
        size_t room = bytes > 0 ? bytes : 1;
        void *data = tl__aligned_alloc(room);
        if (!data)
            return tl__fail(NULL, TL_ENOMEM, "tl_array_resize: no memory for %s",
                            tl_shape_text(shape, text, sizeof text));
        tl_array_close(a);
        a->data = data;
        a->room = room;
    }
    a->dtype = dtype;
    a->shape = shape;
    return TL_OK;
}

void tl_array_close(tl_array *a)
{
    if (!a)
        return;
    if (a->room > 0)
        tl__aligned_free(a->data);
    *a = (tl_array){0};
}

/* empty -- the error of an array that is not there. */
static tl_tensor empty(tl_tape *tape, const char *what)
{
    if (tape)
        tl_tape_fail(tape, TL_EINVAL, what, "the array is empty");
    return (tl_tensor){0};
}

tl_tensor tl_array_input(tl_tape *tape, const tl_array *a)
{
    if (!a || !a->data)
        return empty(tape, "tl_array_input");
    switch (a->dtype) {
    case TL_F32:
        return tl_input_f32(tape, a->shape, a->data);
    case TL_F64:
        return tl_input_f64(tape, a->shape, a->data);
    case TL_I32:
        return tl_input_i32(tape, a->shape, a->data);
    }
    return tl_input_borrow(tape, a->dtype, a->shape, a->data); /* refused: no such type */
}

tl_tensor tl_array_borrow(tl_tape *tape, const tl_array *a)
{
    if (!a || !a->data)
        return empty(tape, "tl_array_borrow");
    if (a->room == 0)
        return tl_array_input(tape,
                              a); /* the caller's memory may have nothing readable behind its end */
    return tl_input_borrow(tape, a->dtype, a->shape, a->data);
}
