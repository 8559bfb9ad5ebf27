/* random.h -- counter-based random numbers (Philox 4x32-10): element i of draw d under seed s is a
 * pure function of (s, d, i). Private.
 *
 * Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3". */
#ifndef TL_CORE_RANDOM_H
#define TL_CORE_RANDOM_H

#include "core/shape.h"

/* tl__philox -- block `block` of draw `draw`: four 32-bit words. */
TL_API void tl__philox(uint64_t seed, uint64_t draw, uint64_t block, uint32_t out[4]);
/* tl__uniform_fill -- elements first .. first + n - 1 of a draw, f32 or f64 in [0,1): element i uses
 * 24 (f32) or 53 (f64) bits of its own. */
TL_API void tl__uniform_fill(tl_dtype dtype, uint64_t seed, uint64_t draw, int64_t first, int64_t n,
                             void *out);
/* tl__normal_fill -- standard normal, Box-Muller on pairs. */
TL_API void tl__normal_fill(tl_dtype dtype, uint64_t seed, uint64_t draw, int64_t first, int64_t n,
                            void *out);

/* tl_rng -- a sequential stream over the same numbers, for shuffling and initialising. */
typedef struct tl_rng {
    uint64_t seed, stream, position;
} tl_rng;
TL_API uint32_t tl__rng_u32(tl_rng *r);
TL_API uint64_t tl__rng_below(tl_rng *r, uint64_t n); /* uniform in [0,n), without bias; n >= 1 */
TL_API double tl__rng_uniform(tl_rng *r);             /* [0,1) */
TL_API double tl__rng_normal(tl_rng *r);

#endif
