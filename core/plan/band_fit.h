/* band_fit.h -- what can be a part of a band. Private. */
#ifndef TL_CORE_PLAN_BAND_FIT_H
#define TL_CORE_PLAN_BAND_FIT_H

#include "core/plan/steps.h"

/* tl__band_fits -- whether each of N rows that step s makes is made of the same row of what it
 * reads, or s sums the rows. */
TL_API int tl__band_fits(const tl_graph *g, uint32_t s, int64_t N);

/* tl__band_sums -- whether x is the sum over the first axes of its operand, N entries; the others
 * are contiguous. */
TL_API int tl__band_sums(const tl_graph *g, const tl_val *x, int64_t N);

/* tl__band_aligned -- whether operand u of x shows of each row of w, which is made by a part, what
 * lies in that row. */
TL_API int tl__band_aligned(const tl_graph *g, const tl_val *x, uint32_t u, uint32_t w, int64_t N);

#endif
