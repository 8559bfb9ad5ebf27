/* walk.h -- visits the elements of strided arrays in row-major order: the loop around the kernels
 * of this folder. Private.
 *
 *     tl_walk w = tl__walk(rank, dim, in_stride, out_stride, NULL);
 *     for (int more = tl__walk_start(&w); more; more = tl__walk_next(&w))
 *         out[w.offset[1]] = in[w.offset[0]]; */
#ifndef TL_OPS_WALK_H
#define TL_OPS_WALK_H

#include "core/op.h"

enum { TL_WALK_ARRAYS = 3 };

typedef struct tl_walk {
    int rank;
    int64_t dim[TL_MAX_RANK];
    int64_t at[TL_MAX_RANK]; /* the index that is visited */
    int64_t stride[TL_WALK_ARRAYS][TL_MAX_RANK];
    int64_t offset[TL_WALK_ARRAYS]; /* of that index, in each array */
} tl_walk;

/* tl__walk -- over extents dim[rank] of up to three arrays; NULL instead of strides: an array that
 * does not move. */
TL_API tl_walk tl__walk(int rank, const int64_t *dim, const int64_t *stride0,
                        const int64_t *stride1, const int64_t *stride2);

/* tl__walk_start -- to the first index; tl__walk_next -- to the next. 0 when there is none. */
TL_API int tl__walk_start(tl_walk *w);
TL_API int tl__walk_next(tl_walk *w);

/* tl__walk_merge -- drops axes of extent 1 and makes one of two neighbours that every array runs
 * through in one step: afterwards a dense array has one axis. Empty axes stay. */
TL_API void tl__walk_merge(tl_walk *w);

/* tl__walk_last -- takes the innermost axis out of w for a kernel that loops over it itself:
 * returns its extent (1 when there is no axis) and its stride in each array. */
TL_API int64_t tl__walk_last(tl_walk *w, int64_t stride[TL_WALK_ARRAYS]);

/* tl__copy_strided -- elements of `size` bytes (4 or 8), from one layout to another. */
TL_API void tl__copy_strided(size_t size, int rank, const int64_t *dim, const void *in,
                             const int64_t *in_stride, void *out, const int64_t *out_stride);

/* tl__zero_strided -- zeros. */
TL_API void tl__zero_strided(const tl_strided *out);

#endif
