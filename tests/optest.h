/* optest.h -- for tests of operations: a value against numbers, and a kernel on odd layouts against
 * itself on dense ones. */
#ifndef TL_TESTS_OPTEST_H
#define TL_TESTS_OPTEST_H

#include "ops/registry.h"
#include "tests/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* expect_array -- computes a tensor and holds shape and elements, row-major, against numbers.
 * expect, expect_i32 -- the numbers as arguments. */
#define expect_array(t, shape, want)                                                               \
    do {                                                                                           \
        tl_tensor expect_t = (t);                                                                  \
        assert_ok(tape);                                                                           \
        cr_assert(tl_shape_equal(tl_shape_of(expect_t), shape), "another shape");                  \
        assert_tensor(expect_t, tl_shape_count(shape), want, 1e-12, 1e-12);                        \
    } while (0)
#define expect(t, shape, ...)                                                                      \
    do {                                                                                           \
        const double expect_want[] = {__VA_ARGS__};                                                \
        expect_array(t, shape, expect_want);                                                       \
    } while (0)
#define expect_i32(t, shape, ...)                                                                  \
    do {                                                                                           \
        tl_tensor expect_index = (t);                                                              \
        cr_assert(tl_dtype_of(expect_index) == TL_I32, "another type");                            \
        expect(expect_index, shape, __VA_ARGS__);                                                  \
    } while (0)

/* expect_error -- the tape has this error, in these words; then it is reset for the next. */
#define expect_error(tape, code, words)                                                            \
    do {                                                                                           \
        assert_fails(tape, code, words);                                                           \
        tl_tape_reset(tape);                                                                       \
    } while (0)

/* ---- kernels on odd layouts ------------------------------------------------------------------ */

/* odd_array -- an array whose axes lie in reverse order with gaps, every second one backwards. */
typedef struct odd_array {
    unsigned char *memory; /* all 0x7f at first */
    size_t bytes;
    tl_strided view;
    tl_shape shape;
    int64_t stride[TL_MAX_RANK];
} odd_array;

static inline void odd_make(odd_array *o, tl_dtype dtype, tl_shape shape)
{
    int64_t step = 2, first = 0; /* gaps of one element */
    o->shape = shape;
    for (int a = 0; a < shape.rank; a++) {
        o->stride[a] = a % 2 ? -step : step;
        if (a % 2 && shape.dim[a] > 0)
            first += (shape.dim[a] - 1) * step;
        step *= shape.dim[a] + 1;
    }
    size_t size = tl_dtype_size(dtype);
    o->bytes = (size_t)step * size + size;
    o->memory = malloc(o->bytes);
    cr_assert_not_null(o->memory);
    memset(o->memory, 0x7f, o->bytes);
    o->view = (tl_strided){o->memory + first * (int64_t)size, dtype, &o->shape, o->stride};
}

/* each element of a dense array beside that of another layout */
static inline void odd_copy(const tl_strided *odd, void *dense, int to_dense)
{
    int64_t n = tl_shape_count(*odd->shape), size = (int64_t)tl_dtype_size(odd->dtype);
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = i, at = 0;
        for (int a = odd->shape->rank - 1; a >= 0; a--) {
            at += rest % odd->shape->dim[a] * odd->stride[a];
            rest /= odd->shape->dim[a];
        }
        char *x = (char *)odd->data + at * size, *y = (char *)dense + i * size;
        memcpy(to_dense ? y : x, to_dense ? x : y, (size_t)size);
    }
}

/* odd_free -- also checks that nothing was written beside the elements. */
static inline void odd_free(odd_array *o)
{
    size_t bytes = (size_t)tl_shape_count(o->shape) * tl_dtype_size(o->view.dtype), touched = 0;
    void *fresh = malloc(bytes + 1);
    cr_assert_not_null(fresh);
    memset(fresh, 0x7f, bytes);
    odd_copy(&o->view, fresh, 0);
    for (size_t i = 0; i < o->bytes; i++)
        touched += o->memory[i] != 0x7f;
    cr_assert_eq(touched, 0, "%d bytes beside the elements were written", (int)touched);
    free(fresh);
    free(o->memory);
}

/* run_dense -- an operation's kernel on dense arrays; returns its code. The shape rule is asked for
 * the result's shape. */
static inline int run_dense(const tl_op *op, const tl_attr *attr, int nin, const tl_dtype *dtype,
                            const tl_shape *shape, void *const *data, tl_shape *out_shape,
                            void *out, char *message)
{
    tl_infer q = {.op = op,
                  .nin = nin,
                  .in = shape,
                  .in_dtype = dtype,
                  .attr = attr,
                  .shape = shape[0],
                  .dtype = dtype[0]};
    cr_assert_eq(op->shape ? op->shape(&q) : TL_OK, TL_OK, "%s: %s", op->name, q.message);
    *out_shape = q.shape;
    tl_layout l[5];
    tl_strided in[4];
    for (int i = 0; i < nin; i++) {
        l[i] = tl__layout_dense(&shape[i]);
        in[i] = (tl_strided){data[i], dtype[i], &shape[i], l[i].stride};
    }
    l[4] = tl__layout_dense(out_shape);
    tl_call c = {.op = op,
                 .attr = attr,
                 .nin = nin,
                 .in = in,
                 .out = {out, q.dtype, out_shape, l[4].stride},
                 .seed = 7,
                 .draw = 3};
    int code = op->run(&c);
    if (message)
        strcpy(message, c.message);
    return code;
}

/* same_on_odd_layouts -- the kernel gives the same bits when operands and result lie oddly, and
 * writes nothing else. */
static inline void same_on_odd_layouts(const tl_op *op, const tl_attr *attr, int nin,
                                       const tl_dtype *dtype, const tl_shape *shape,
                                       void *const *data)
{
    static double dense[4096], again[4096];
    tl_shape out_shape;
    memset(dense, 0x55, sizeof dense);
    cr_assert_eq(run_dense(op, attr, nin, dtype, shape, data, &out_shape, dense, NULL), TL_OK);
    tl_infer q = {.op = op,
                  .nin = nin,
                  .in = shape,
                  .in_dtype = dtype,
                  .attr = attr,
                  .shape = shape[0],
                  .dtype = dtype[0]};
    if (op->shape)
        op->shape(&q);
    odd_array o[5];
    tl_strided in[4];
    for (int i = 0; i < nin; i++) {
        odd_make(&o[i], dtype[i], shape[i]);
        odd_copy(&o[i].view, data[i], 0);
        in[i] = o[i].view;
    }
    odd_make(&o[4], q.dtype, out_shape);
    tl_call c = {
        .op = op, .attr = attr, .nin = nin, .in = in, .out = o[4].view, .seed = 7, .draw = 3};
    cr_assert_eq(op->run(&c), TL_OK, "%s: %s", op->name, c.message);
    odd_copy(&o[4].view, again, 1);
    size_t bytes = (size_t)tl_shape_count(out_shape) * tl_dtype_size(q.dtype);
    cr_assert(bytes <= sizeof dense);
    cr_assert_eq(memcmp(dense, again, bytes), 0, "%s: other bits on other strides", op->name);
    for (int i = 0; i < nin; i++)
        odd_free(&o[i]);
    odd_free(&o[4]);
}

/* numbers -- n different numbers of both signs, the same each time. */
static inline void numbers(int64_t n, double *out)
{
    uint64_t s = 88172645463325252u;
    for (int64_t i = 0; i < n; i++) {
        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        out[i] = (double)(s >> 11) / 4503599627370496.0 - 1.0;
    }
}

#endif
