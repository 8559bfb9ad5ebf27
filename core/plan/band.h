/* band.h -- instructions that run together, some rows at a time. Private.
 *
 *     rows 0..N of   z ----> amax ----> exp(z - max) ----> sum ----> divide ----> y
 *
 *     band 1  [====]  every part on these rows, then      what only the parts read lies in scratch,
 *     band 2  [====]  every part on the next ones         as long as a band
 *
 * A part is a tile, an operation each row of which is made of the same row of its operands, or a
 * sum over the rows (core/sum.h): that one adds into partial sums, and finishing adds those. */
#ifndef TL_CORE_PLAN_BAND_H
#define TL_CORE_PLAN_BAND_H

#include "core/op.h"
#include "core/tile.h"

typedef struct tl_band_part {
    const tl_tile *tile; /* or */
    const tl_op *op;
    tl_attr attr;
    uint32_t node;      /* of a call: ordinal, for messages */
    int is_sum;         /* over the rows; operands: array, partial sums, result */
    uint32_t first, n;  /* its operands among those of the band */
    tl_strided *array;  /* of a call: its operands on one band */
    tl_shape *shape;    /* their shapes: rows, then the axes that are no rows */
    tl_shape row_axes;  /* what the rows are: for the place of a bad index */
    int64_t row_stride; /* of a sum: elements between rows of the array */
    int64_t q;          /* of a sum: elements of the result */
} tl_band_part;

typedef struct tl_band {
    int64_t rows, length; /* of all; of a band */
    int64_t unit;         /* who runs a share of the rows begins at a multiple of it */
    uint32_t nparts, noperands;
    tl_band_part *part;
    int64_t *step;  /* by operand: bytes between rows, 0 for what each row reads */
    int64_t *local; /* by operand: where it lies in scratch, -1: it does not */
    size_t local_bytes, register_bytes;
} tl_band;

/* tl__band_scratch -- bytes that running takes, 64-byte aligned. */
TL_API size_t tl__band_scratch(const tl_band *b);

/* tl__band_run -- rows [lo, hi); data: element (0,0,...) of each operand, scratch: the caller's
 * own. Shares that begin at multiples of `unit` may run at the same time, and give the same bits.
 * Returns TL_OK, or a failed call's code: its message, and which part it was. */
TL_API int tl__band_run(const tl_band *b, char *const *data, void *scratch, int64_t lo, int64_t hi,
                        char message[360], const tl_band_part **failed);

/* tl__band_finish -- adds the partial sums, after all rows. */
TL_API void tl__band_finish(const tl_band *b, char *const *data);

#endif
