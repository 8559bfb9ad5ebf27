/* shape.h -- extents of tensors: construction, broadcasting, checked sizes, text.
 *
 * Plain values, no allocation, no tape. Strides and layouts of stored values are in layout.h. */
#ifndef TL_CORE_SHAPE_H
#define TL_CORE_SHAPE_H

#include "core/status.h"

TL_BEGIN_DECLS

#define TL_MAX_RANK 8

typedef enum tl_dtype { TL_F32 = 0, TL_F64 = 1, TL_I32 = 2 } tl_dtype;

/* tl_shape -- extents, outermost axis first; unused entries are 0. Rank 0 is a scalar. */
typedef struct tl_shape {
    int rank;
    int64_t dim[TL_MAX_RANK];
} tl_shape;

TL_API tl_shape tl_shape0(void);
TL_API tl_shape tl_shape1(int64_t a);
TL_API tl_shape tl_shape2(int64_t a, int64_t b);
TL_API tl_shape tl_shape3(int64_t a, int64_t b, int64_t c);
TL_API tl_shape tl_shape4(int64_t a, int64_t b, int64_t c, int64_t d);

/* tl_shape_of_dims -- rank extents from an array; rank above TL_MAX_RANK gives rank -1 (invalid).
 */
TL_API tl_shape tl_shape_of_dims(int rank, const int64_t *dim);

/* tl_shape_count -- number of elements, 1 for rank 0; -1 when it or 8 times it overflows int64,
 * when an extent is negative, or when the rank is outside [0, TL_MAX_RANK]. */
TL_API int64_t tl_shape_count(tl_shape s);

/* tl_shape_equal -- 1 or 0; 0 for ranks above TL_MAX_RANK. */
TL_API int tl_shape_equal(tl_shape a, tl_shape b);

/* tl_shape_broadcast -- the NumPy rule: aligned from the right, extents equal or 1. Returns TL_OK
 * and *out (NULL: not wanted), or TL_ESHAPE. */
TL_API int tl_shape_broadcast(tl_shape a, tl_shape b, tl_shape *out);

/* tl_dtype_size -- bytes of one element; tl_dtype_name -- "f32", "f64", "i32". */
TL_API size_t tl_dtype_size(tl_dtype d);
TL_API const char *tl_dtype_name(tl_dtype d);

/* tl_shape_text -- writes "[32,128]" to text and returns text. TL_SHAPE_TEXT is always enough. */
#define TL_SHAPE_TEXT 176
TL_API char *tl_shape_text(tl_shape s, char *text, size_t size);

/* tl__shape_axis -- turns an axis counted from the front (>= 0) or from the end (< 0) into one
 * counted from the front; -1 when it is out of range for this rank. */
TL_API int tl__shape_axis(int rank, int axis);
/* tl__first_axis -- the first axis longer than 1; -1: there is none. */
TL_API int tl__first_axis(const tl_shape *s);

/* tl__number_at -- the element that lies at an address, of any alignment. */
TL_API double tl__number_at(tl_dtype d, const void *at);

/* tl__mul_size -- a * b into *out; returns 0, or TL_ENOMEM on overflow. */
TL_API int tl__mul_size(size_t a, size_t b, size_t *out);

TL_END_DECLS
#endif
