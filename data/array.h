/* array.h -- typed blocks of memory: what datasets are made from and batches are made of. */
#ifndef TL_DATA_ARRAY_H
#define TL_DATA_ARRAY_H

#include "core/tape.h"

TL_BEGIN_DECLS

/* tl_array -- elements in row-major order. {0} is empty. One that was made by tl_array_resize owns
 * its memory (room > 0) and has 64 readable bytes behind its end; one made by tl_array_f32 and its
 * kin looks at the caller's. */
typedef struct tl_array {
    tl_dtype dtype;
    tl_shape shape;
    void *data;  /* NULL: there is no array */
    size_t room; /* bytes owned */
} tl_array;

/* tl_array_f32, _f64, _i32 -- a look at the caller's memory, which must outlive it. */
TL_API tl_array tl_array_f32(tl_shape shape, const float *data);
TL_API tl_array tl_array_f64(tl_shape shape, const double *data);
TL_API tl_array tl_array_i32(tl_shape shape, const int32_t *data);

/* tl_array_resize -- makes the array own memory for this type and shape; contents undefined.
 * Re-uses what it owns. TL_EINVAL for NULL; TL_EDTYPE, TL_ESHAPE for what is invalid, TL_ENOMEM:
 * the array is then what it was. */
TL_API int tl_array_resize(tl_array *a, tl_dtype dtype, tl_shape shape);

/* tl_array_close -- frees what it owns; the array is empty after. */
TL_API void tl_array_close(tl_array *a);

/* tl_array_input -- a tensor with a copy of the elements. tl_array_borrow -- without the copy, only
 * of an array that owns its memory, which must stay unchanged until the tape is reset. An empty
 * array is TL_EINVAL on the tape. */
TL_API tl_tensor tl_array_input(tl_tape *tape, const tl_array *a);
TL_API tl_tensor tl_array_borrow(tl_tape *tape, const tl_array *a);

TL_END_DECLS
#endif
