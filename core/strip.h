/* strip.h -- the kernels of matrix products: a strip of a few rows of C, a panel of columns wide.
 * Private to gemm.c.
 *
 *             right, k x width            k runs down; a row of it is contiguous, ldb apart
 *            | ########################
 *     left   v
 *     # --> k  ########################
 *     #        ########################   C, `rows` x n in registers, n <= width
 *     #        ########################
 *
 * The left operand is read where it lies, one element at a time, by any two strides: nothing of it
 * is packed for the kernel's sake. An element of C is one chain of fused multiply-adds in the order
 * of k that starts from zero, and is stored or added to C once: its bits depend on neither the
 * number of rows, nor its place, nor the instruction set. These are also the bits of BLIS's kernels
 * for the same processors. */
#ifndef TL_CORE_STRIP_H
#define TL_CORE_STRIP_H

#include "core/machine.h"
#include "core/shape.h"

/* tl_strip -- what one call computes: C[i,j] (+)= sum over p < k of left[i,p] right[p,j]. Strides
 * are in elements. A kernel always reads whole panels of the right operand, and of C the n columns
 * that there are. */
typedef struct tl_strip {
    int64_t k;
    const void *left; /* (i,p) at i * rs + p * cs */
    int64_t rs, cs;
    const void *right; /* (p,j) at p * ldb + j % width + j / width * step */
    int64_t ldb, step;
    int64_t n;
    int add;
    void *c; /* (i,j) at i * ldc + j */
    int64_t ldc;
} tl_strip;

typedef void (*tl_strip_fn)(const tl_strip *s);

enum { TL_STRIP_ROWS = 12, TL_STRIP_DOWN = 4 };

/* tl_strips -- the kernels of an instruction set and type. With very few rows one panel has too few
 * chains to keep the units busy, so wide[rows] goes over panels[rows] of them at once; where
 * panels[rows] is 1 they are the same kernel.
 *
 * down[rows] has the columns of the right operand contiguous, (p,j) at p + j * ldb, cs = 1 and
 * n = width: for so few rows that packing such an operand costs more than the sums. pack makes a
 * panel of k rows of such columns. */
typedef struct tl_strips {
    int width, shift; /* columns of a panel, two vectors: 1 << shift */
    int rows;         /* the most a kernel has */
    tl_strip_fn one[TL_STRIP_ROWS + 1], wide[TL_STRIP_ROWS + 1];
    int panels[TL_STRIP_ROWS + 1];
    tl_strip_fn down[TL_STRIP_DOWN + 1];
    void (*pack)(int64_t k, const void *from, int64_t ldb, void *to);
} tl_strips;

/* tl__strips -- the kernels of this machine for f32 or f64; NULL where it has none. */
TL_API const tl_strips *tl__strips(tl_dtype dtype);

#endif
