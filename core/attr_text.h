/* attr_text.h -- structural attributes in words: what tl_op.attr_text points to. Private.
 *
 * Axes are shown from the front, as in the calls, given the shape of operand 0. All write a string
 * of at most `size` bytes with its end; what does not fit ends in "...". */
#ifndef TL_CORE_ATTR_TEXT_H
#define TL_CORE_ATTR_TEXT_H

#include "core/op.h"

/* tl__text_axes -- {mask}, as sum has it: "axes 0,2". */
TL_API void tl__text_axes(const tl_attr *a, const tl_shape *in, char *text, size_t size);
/* tl__text_axis -- {axis from the end}: "axis 1". */
TL_API void tl__text_axis(const tl_attr *a, const tl_shape *in, char *text, size_t size);
/* tl__text_order -- of permute: "axes 1,0". */
TL_API void tl__text_order(const tl_attr *a, const tl_shape *in, char *text, size_t size);
/* tl__text_range -- of slice, {axis from the end, start, count}: "axis 1, 4:8". */
TL_API void tl__text_range(const tl_attr *a, const tl_shape *in, char *text, size_t size);
/* tl__text_labels -- of contract: "bi,hi->bh". */
TL_API void tl__text_labels(const tl_attr *a, const tl_shape *in, char *text, size_t size);
/* tl__text_offsets -- of assemble: "at [0,0] [0,4]". */
TL_API void tl__text_offsets(const tl_attr *a, const tl_shape *in, char *text, size_t size);
/* tl__text_limits -- of check_range: "0 .. 9". */
TL_API void tl__text_limits(const tl_attr *a, const tl_shape *in, char *text, size_t size);
/* tl__text_dtype -- of cast: "to f64". */
TL_API void tl__text_dtype(const tl_attr *a, const tl_shape *in, char *text, size_t size);
/* tl__text_classes -- of one_hot: "5 classes". tl__text_rows -- of scatter_add: "5 rows". */
TL_API void tl__text_classes(const tl_attr *a, const tl_shape *in, char *text, size_t size);
TL_API void tl__text_rows(const tl_attr *a, const tl_shape *in, char *text, size_t size);

/* tl__attr_text -- the attributes of a node in words, by its operation's attr_text; numbers where
 * it has none; "" without attributes. Returns text. */
TL_API const char *tl__attr_text(const tl_op *op, const tl_attr *a, const tl_shape *in, char *text,
                                 size_t size);

#endif
