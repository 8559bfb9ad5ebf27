/* tensor.h -- the handle of a value on a tape.
 *
 * 16 bytes, passed and returned by value; {0} is the inert tensor, which every function takes
 * without harm; as one operand beside others it is an error of their tape. One that a call returns
 * after an error has no tape either (tl_tensor_ok says 0); it remembers the code of the first error,
 * which tl_eval, tl_read_*, tl_backward and tl_grad return of it. A handle kept over tl_tape_reset or
 * tl_tape_release is recognised by its generation. */
#ifndef TL_CORE_TENSOR_H
#define TL_CORE_TENSOR_H

#include "core/shape.h"

TL_BEGIN_DECLS

typedef struct tl_tape tl_tape;

typedef struct tl_tensor {
    tl_tape *tape;
    uint32_t slot;
    uint32_t generation;
} tl_tensor;

/* tl_tensor_ok -- whether t names a value that is still on its tape. Never records an error. */
TL_API int tl_tensor_ok(tl_tensor t);

/* tl_shape_of, tl_dtype_of, tl_dim, tl_rank -- known as soon as the value is recorded. An inert or
 * dead tensor has rank 0, TL_F32. tl_dim takes axes from the front or (negative) from the end; 0
 * when out of range. */
TL_API tl_shape tl_shape_of(tl_tensor t);
TL_API tl_dtype tl_dtype_of(tl_tensor t);
TL_API int64_t tl_dim(tl_tensor t, int axis);
TL_API int tl_rank(tl_tensor t);

/* tl_tensor_op, tl_tensor_name, tl_tensor_scope -- what t was recorded as: its operation ("tanh"), its
 * tl_name, the scopes around it ("lstm/step"). "" where there is none, and of an inert or dead
 * tensor. The text lives as long as the tape. */
TL_API const char *tl_tensor_op(tl_tensor t);
TL_API const char *tl_tensor_name(tl_tensor t);
TL_API const char *tl_tensor_scope(tl_tensor t);

/* tl_name -- names a value for messages and printing; returns t. The text is copied. */
TL_API tl_tensor tl_name(tl_tensor t, const char *name);

/* tl_want -- keeps the value, once computed, until reset or release; returns t. */
TL_API tl_tensor tl_want(tl_tensor t);

/* tl_eval -- computes n values now. Returns TL_OK or the tape's sticky error; TL_EINVAL for {0}, for
 * NULL, or n negative. */
TL_API int tl_eval(int n, const tl_tensor *t);

/* tl_read_f32, _f64, _i32 -- computes t and copies its elements, row-major, to out[count]. count
 * must be the number of elements and the type the tensor's: anything else is TL_ESHAPE or
 * TL_EDTYPE. */
TL_API int tl_read_f32(tl_tensor t, float *out, int64_t count);
TL_API int tl_read_f64(tl_tensor t, double *out, int64_t count);
TL_API int tl_read_i32(tl_tensor t, int32_t *out, int64_t count);

/* tl_item -- the single element of t as a double, computed now; NaN after an error. */
TL_API double tl_item(tl_tensor t);

TL_END_DECLS
#endif
