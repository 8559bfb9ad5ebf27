/* sum.h -- the tree of additions of core/sum.c for those who bring the numbers some at a time.
 * Private.
 *
 *     sum over N rows of q contiguous elements, in blocks of B rows
 *
 *     rows 0 .. B-1   --> partial sums 0  -.
 *     rows B .. 2B-1  --> partial sums 1  --+-- in order --> q sums: the bits of tl_op_sum
 *     ...                                  -'
 *
 * q = 1 is a row of N elements. */
#ifndef TL_CORE_SUM_H
#define TL_CORE_SUM_H

#include "core/tensor.h"

/* tl__sum_block -- B, a power of two. */
TL_API int64_t tl__sum_block(tl_dtype dtype, int64_t q);

/* tl__sum_partial -- adds rows [first, first + n) into partial[ceil(N/B), q]; rows must come in
 * order, and if q is 1, first must be a multiple of B and n too unless they are the last. stride:
 * elements between rows; 1 if q is 1. */
TL_API void tl__sum_partial(tl_dtype dtype, int64_t q, int64_t first, int64_t n, const void *in,
                            int64_t stride, void *partial);

/* tl__sum_finish -- sum[q] of partial[ceil(N/B), q]. */
TL_API void tl__sum_finish(tl_dtype dtype, int64_t q, int64_t N, const void *partial, void *sum);

#endif
