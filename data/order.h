/* order.h -- seeded permutations and splits. */
#ifndef TL_DATA_ORDER_H
#define TL_DATA_ORDER_H

#include "core/status.h"

TL_BEGIN_DECLS

/* tl_shuffle -- writes a permutation of 0..n-1 to order[n]: a function of (seed, epoch, n) alone,
 * all permutations equally likely. With order NULL it does nothing. Source: Fisher and Yates;
 * Durstenfeld 1964. */
TL_API void tl_shuffle(uint64_t seed, int64_t epoch, int64_t n, int64_t *order);

/* tl_split -- divides n items at random into parts of the given fractions.
 *
 *   fraction[nparts]  each in (0,1], sum at most 1 (+ 1e-9); what is left belongs to no part
 *   order[n]          receives a seeded permutation
 *   start[nparts+1]   receives the boundaries: part p is order[start[p]] ... order[start[p+1]-1]
 *
 * Boundaries are rounded to the nearest item, so the parts' sizes add up.
 * Errors: TL_EINVAL; TL_ERANGE when a part would be empty. */
TL_API int tl_split(uint64_t seed, int64_t n, int nparts, const double *fraction, int64_t *order,
                    int64_t *start, tl_err *err);

/* tl__split_starts -- the boundaries alone: those of a stream, in order. `what` names the items in
 * messages. */
TL_API int tl__split_starts(const char *what, int64_t n, int64_t least, int nparts,
                            const double *fraction, int64_t *start, tl_err *err);

/* tl__item_seed -- the seed of item i in this epoch: a function of the three alone. */
TL_API uint64_t tl__item_seed(uint64_t seed, int64_t epoch, int64_t i);

TL_END_DECLS
#endif
