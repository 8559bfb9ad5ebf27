/* gemv.h -- products with at most three rows or columns. Private to gemm.c.
 *
 * Memory, not arithmetic, sets their pace, so nothing is packed. An element is the sum of W
 * chains, chain l over the k with k % W == l in ascending order, added up by halves: l and l +
 * W/2, then W/4, ... W is the number of lanes of a vector of this instruction set and type. That
 * order is the same whether the matrix lies contiguous along k (a lane of a register is a chain)
 * or across it (a row of W outputs a step of one chain of each), so bits do not depend on the
 * layout or on how many outputs there are. */
#ifndef TL_CORE_GEMV_H
#define TL_CORE_GEMV_H

#include "core/gemm.h"

enum { TL_GEMV_ROWS = 3 };

/* tl__gemv -- tl__gemm for m <= TL_GEMV_ROWS or n <= TL_GEMV_ROWS; m, n, k >= 1. */
TL_API int tl__gemv(tl_dtype dtype, int64_t m, int64_t n, int64_t k, tl_matrix a, tl_matrix b,
                    int accumulate, tl_matrix c);

#endif
