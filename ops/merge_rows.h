/* merge_rows.h -- the gradient of a table as the rows it has, for optimizers that touch only those.
 * Private. */
#ifndef TL_OPS_MERGE_ROWS_H
#define TL_OPS_MERGE_ROWS_H

#include "core/tape.h"

TL_BEGIN_DECLS

/* tl__merge_rows -- rows of the same index added up, in their order: where i is the first of its
 * index, out[i,:] = sum of src[j,:] over all j with idx[j] = idx[i]; elsewhere 0. src [n,...],
 * idx [n] i32 of any values. No gradient. */
TL_API tl_tensor tl__merge_rows(tl_tensor src, tl_tensor idx);

/* tl__rows_of -- whether g [V,...] is a scatter_add, or a sum of such, that has not been computed
 * yet: then *src [n,...] and *idx [n] are what is scattered. */
TL_API int tl__rows_of(tl_tensor g, tl_tensor *src, tl_tensor *idx);

TL_END_DECLS
#endif
