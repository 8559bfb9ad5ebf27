/* fold.h -- kernels of sums over one block, which core/sum.c puts together. Private. */
#ifndef TL_CORE_FOLD_H
#define TL_CORE_FOLD_H

#include "core/tensor.h"

/* The lanes of a row's sum, together: four vectors of AVX-512. */
enum { TL_FOLD_LANE_BYTES = 256 };

/* tl_fold -- the two kernels of one element type, for contiguous elements.
 *
 *   row    *sum += x[0] + ... + x[n-1]
 *   rows   sum[j] += x[j] + x[stride + j] + ..., n of them, j < q; if it goes on,
 *          sum[j] = (sum[j] + x[j]) + x[stride + j] + ... */
typedef struct tl_fold {
    void (*row)(int64_t n, const void *from, void *sum);
    void (*rows)(int64_t n, int64_t q, const void *from, int64_t stride, void *sum, int goes_on);
} tl_fold;

/* tl__fold -- the kernels for f32 or f64 on this machine. */
TL_API const tl_fold *tl__fold(tl_dtype dtype);

#endif
