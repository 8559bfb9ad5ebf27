/* rows.h -- new values of a few rows of a store, from the commit to the moment when somebody reads
 * the store. Private.
 *
 *     store    value ---> [ V rows ]      held by the store, and by tapes that used this version
 *              rows  ---> idx [n], values [n,...]
 *
 * A commit only notes the rows. Whoever wants the store's value settles it first: in the buffer
 * itself when nobody else holds it, which is the case once the tape of the step has been reset,
 * else in a copy. So a tensor that was recorded before the step keeps its value, and a step on a
 * large table costs no more than its rows. Several threads may read one store: settling is done by
 * one of them. */
#ifndef TL_CORE_ROWS_H
#define TL_CORE_ROWS_H

#include "core/node.h"

/* tl__rows_new -- n rows of `size` bytes each for the indices in idx; takes over a reference to
 * both buffers if it succeeds. NULL when memory is short. */
tl_rows *tl__rows_new(tl_buf *idx, tl_buf *values, int64_t n, size_t size);
void tl__rows_free(tl_rows *rows);

/* tl__rows_set -- these are what is noted from now on, NULL: nothing. What was noted before is
 * forgotten: settle it before, or give the store another buffer. */
void tl__rows_set(tl_store *store, tl_rows *rows);

/* tl__rows_settle -- writes what is noted: const, since what the store means stays the same.
 * Returns TL_OK or TL_ENOMEM. */
int tl__rows_settle(const tl_store *store);

/* tl__store_data -- the elements of a store's present version; NULL when memory is short for
 * settling them. */
static inline void *tl__store_data(const tl_store *store)
{
    if (atomic_load_explicit(&store->rows, memory_order_acquire) && tl__rows_settle(store))
        return NULL;
    return store->value->data;
}

#endif
