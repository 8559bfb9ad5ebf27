/* schedule.h -- learning rates as functions of the step's number (0 is the first). No state,
 * nothing to save:
 *
 *     tl_optim_set_lr(adam, tl_schedule_cosine(step, 1e-3, 100, 5000, 1e-5)); */
#ifndef TL_OPTIM_SCHEDULE_H
#define TL_OPTIM_SCHEDULE_H

#include "core/status.h"

TL_BEGIN_DECLS

/* tl_schedule_constant -- lr, reached linearly in warmup steps: lr (step + 1) / warmup before them.
 * warmup 0: lr at once. */
TL_API double tl_schedule_constant(int64_t step, double lr, int64_t warmup);

/* tl_schedule_step -- lr factor^floor(step / every). every >= 1. */
TL_API double tl_schedule_step(int64_t step, double lr, int64_t every, double factor);

/* tl_schedule_cosine -- a linear warm-up to lr, then half a cosine down to low at step total; low
 * from there on.
 *
 *     low + (lr - low) (1 + cos(pi (step - warmup) / (total - warmup))) / 2
 *
 * Source: Loshchilov and Hutter 2017, eq. 5. */
TL_API double tl_schedule_cosine(int64_t step, double lr, int64_t warmup, int64_t total,
                                 double low);

TL_END_DECLS
#endif
