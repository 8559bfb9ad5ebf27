/* lay.h -- weights that lie as products read them. Private to programs.
 *
 *     h' = x W', W [n,k] as stored        [ n0: k0 k1 k2 .. ]      turned into panels at every
 *                                         [ n1: k0 k1 k2 .. ]      product, if read so
 *     a program's copy, [k,n]             [ k0: n0 n1 n2 .. ]      read where it lies
 *                                         [ k1: n0 n1 n2 .. ]
 *
 * At batch 1 turning costs several times the product. The copy is the program's, for all its
 * sessions, and is made again when the parameter has a new version. No bit of a product depends on
 * how its operands lie. */
#ifndef TL_CORE_LAY_H
#define TL_CORE_LAY_H

#include "core/node.h"
#include "core/plan/stretch.h"

#include <uv.h>

/* tl_laid -- a matrix [n,k] and its copy [k,n]. */
typedef struct tl_laid {
    const tl_store *store;        /* NULL: a constant */
    atomic_uint_fast64_t version; /* of the store, that is copied */
    tl_dtype dtype;
    int64_t n, k;
    tl_buf *copy;
} tl_laid;

/* tl__lay_wanted -- whether a leaf of the stretch is a matrix that nothing reads but products, and
 * some of these with their contiguous axis along its first one, none along its second. */
TL_API int tl__lay_wanted(const tl_tape *tape, const tl_stretch *s, uint32_t leaf);

/* tl__lay_strides -- how the copy of an [n,k] matrix is read as the matrix. */
TL_API tl_layout tl__lay_strides(int64_t n);

/* tl__lay_turn -- fills the copy from the matrix as stored. */
TL_API void tl__lay_turn(tl_laid *l, const void *from);

/* tl__lay_renew -- the same from the store's present value, unless another thread has done so. */
TL_API void tl__lay_renew(tl_laid *l, uv_mutex_t *lock);

/* tl__lay_is_old -- whether that has to be done before a run. */
static inline int tl__lay_is_old(const tl_laid *l)
{
    return l->store && atomic_load_explicit(&l->version, memory_order_acquire) != l->store->version;
}

#endif
