/* tile.h -- the pointwise machine: a chain of pointwise operations over strided arrays in one pass
 * of tiles that stay in L1. Private.
 *
 *     memory   a ----.      b ----.         values 0..nin-1 are the inputs, then the steps' results
 *                    v            v
 *     tile     [ load 2 rows ][in place]    inner stride 1: read where it is; others are loaded
 *                    '--> mul <---'
 *                          v  register      what nobody outside reads never touches memory
 *                         tanh ----> out    inner stride 1: written in place */
#ifndef TL_CORE_TILE_H
#define TL_CORE_TILE_H

#include "core/memory.h"
#include "core/op.h"

enum { TL_TILE_IN = 4 }; /* operands of one step at most */

typedef struct tl_tile_step {
    tl_tile_fn fn;
    tl_form form;   /* plain arithmetic of two operands may be joined with its reader */
    tl_dtype dtype; /* of the result */
    int nin;
    int in[TL_TILE_IN]; /* values */
} tl_tile_step;

typedef struct tl_tile_array {
    tl_dtype dtype;
    const int64_t *stride; /* of each axis of the iteration, in elements */
    int value;             /* outputs: what is stored */
    int alias;             /* outputs: the input that lies in the very same place, -1: none */
} tl_tile_array;

typedef struct tl_tile tl_tile;

/* tl__tile_new -- compiles a group; everything is copied into the arena. split: the axis, of the
 * rank given, that tl__tile_run_part cuts; -1: none. NULL when memory is short. */
TL_API tl_tile *tl__tile_new(tl_arena *arena, int rank, const int64_t *dim, int split, int nin,
                             const tl_tile_array *in, int nsteps, const tl_tile_step *step,
                             int nout, const tl_tile_array *out);

/* tl__tile_scratch -- bytes that running takes, 64-byte aligned. */
TL_API size_t tl__tile_scratch(const tl_tile *t);

/* tl__tile_run -- data: element (0,0,...) of each input, then of each output. scratch: the caller's
 * own, so several threads may run one tile. */
TL_API void tl__tile_run(const tl_tile *t, char *const *data, void *scratch);

/* tl__tile_run_part -- the same for [lo, hi) of the split axis, 0 <= lo <= hi <= its extent; data
 * as above. Parts write apart from one another, and any parts together give the bits of the
 * whole. Without a split axis, the whole when lo < hi. */
TL_API void tl__tile_run_part(const tl_tile *t, char *const *data, void *scratch, int64_t lo,
                              int64_t hi);

/* tl__tile_rows -- how many rows a tile takes together, for tests and dumps. */
TL_API int64_t tl__tile_rows(const tl_tile *t);
/* tl__tile_inputs -- how many of its arrays are inputs; outputs follow them. */
TL_API int tl__tile_inputs(const tl_tile *t);

#endif
