/* packs.h -- matrices of a buffer packed for products, kept with the buffer. Private.
 *
 *     buffer of W   [ 128 x 512 as W_ih' ]  [ 512 x 128 as W_ih ]
 *
 * A published buffer does not change, so neither do its packs: inference packs a weight once;
 * training, where each step makes a new value, once a step. They go when the buffer goes. Many
 * tapes and threads may read one. */
#ifndef TL_CORE_PACKS_H
#define TL_CORE_PACKS_H

#include "core/memory.h"

/* tl_pack_spec -- which matrix, k x n: element (i,j) at offset + i*rs + j*cs, in elements. */
typedef struct tl_pack_spec {
    int64_t offset, k, n, rs, cs;
} tl_pack_spec;

/* tl__packs_find -- a reference to the pack of that matrix of `of`, or NULL. */
TL_API tl_buf *tl__packs_find(tl_buf *of, const tl_pack_spec *spec);

/* tl__packs_put -- keeps a reference to it; when memory is short it is not kept. */
TL_API void tl__packs_put(tl_buf *of, const tl_pack_spec *spec, tl_buf *pack);

/* tl__packs_drop -- lets go of all packs of a buffer that changes or goes. */
TL_API void tl__packs_drop(tl_buf *of);

#endif
