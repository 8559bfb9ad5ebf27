/* contract.h -- contractions compiled: what labels, extents and strides mean is found out once, and
 * running is a product. Private. */
#ifndef TL_CORE_CONTRACT_H
#define TL_CORE_CONTRACT_H

#include "core/gemm.h"
#include "core/memory.h"

/* tl_contraction -- constant once made; any number of threads may run it. */
typedef struct tl_contraction tl_contraction;

/* The operand's data will be panels of tl__panels_pack. */
#define TL_CONTRACT_PACKED_A 1u
#define TL_CONTRACT_PACKED_B 2u

/* Labels that are none. */
#define TL_LABEL_NONE (-1)
#define TL_LABEL_BEST (-1) /* of split: whichever suits */
#define TL_LABEL_NEVER (-2)

/* tl_contraction_def -- what is to be computed; 0 is a, 1 is b, 2 the result. */
typedef struct tl_contraction_def {
    tl_dtype dtype;
    const tl_attr *labels; /* as in op.h */
    const tl_shape *shape[3];
    const int64_t *stride[3]; /* in elements; 0 repeats, not in the result */
    unsigned flags;
    /* A label that may be shorter when run: a block of time steps. It leads in the operands that
     * have it. TL_LABEL_NONE: there is none. */
    int64_t time;
    /* A label of the result along which shares are cut: TL_LABEL_BEST, TL_LABEL_NEVER. */
    int64_t split;
} tl_contraction_def;

/* tl__contraction_packing -- whether operand 0 or 1 may come packed: no batch axis, its other axes
 * merge into one of eight columns at least along which the result is contiguous, its summed ones
 * into another, and time is not among them. Then *how is the matrix to pack, k x n, its data NULL:
 * strides count from the operand's first element. A machine that does not read panels says no to
 * everything. */
TL_API int tl__contraction_packing(const tl_contraction_def *d, int operand, int64_t *k, int64_t *n,
                                   tl_matrix *how);

/* tl__contraction_new -- compiles; it lives in the arena. NULL when memory is short, or when the
 * dtype, a packed operand (one at most) or the place of time is not as said above. */
TL_API const tl_contraction *tl__contraction_new(tl_arena *arena, const tl_contraction_def *d);

/* tl__contraction_split -- the label that shares are cut along; TL_LABEL_NONE if share 0 is all. */
TL_API int64_t tl__contraction_split(const tl_contraction *q);

/* tl__contraction_run -- computes the part-th of `parts` shares: of an axis of extent d from
 * d part / parts to d (part + 1) / parts. Shares have nothing of the result in common, together are
 * all of it, and have the bits of the whole. accumulate adds into out instead of storing. time is
 * the extent of the time label now, from 1 to that compiled; ignored without one. Allocates only
 * for a summed operand whose axes do not merge, and for left operands that are packed. Returns
 * TL_OK or TL_ENOMEM. */
TL_API int tl__contraction_run(const tl_contraction *q, const void *a, const void *b,
                               int accumulate, void *out, int64_t time, int part, int parts);

/* tl__contract -- runs a TL_CONTRACTION (labels as in op.h) over strided operands, merging axes
 * into as few and large products as the strides allow; what cannot be merged is looped over, and
 * summed axes that do not merge are copied together first, so the bits of an element depend on the
 * labels and extents only. accumulate adds into out instead of storing. Returns TL_OK, TL_ENOMEM,
 * or TL_EDTYPE for i32. */
TL_API int tl__contract(const tl_attr *labels, const tl_strided *a, const tl_strided *b,
                        int accumulate, const tl_strided *out);

#endif
