/* clip.h -- limits on the gradients between tl_backward and a step, recorded like all else. */
#ifndef TL_OPTIM_CLIP_H
#define TL_OPTIM_CLIP_H

#include "core/grad.h"

TL_BEGIN_DECLS

/* tl_grad_norm -- the Euclidean norm of all gradients queued for the unfrozen parameters of params,
 * []; 0 if there are none. */
TL_API tl_tensor tl_grad_norm(tl_tape *tape, tl_params *params);

/* tl_clip_grad_norm -- scales all of these gradients by min(1, max_norm / (norm + 1e-6)); returns
 * the norm before, []: read it after the step. Errors: TL_ERANGE for a max_norm that is negative or
 * NaN; TL_ENOGRAD if there are none, as before tl_backward. Source: Pascanu et al. 2013, algorithm
 * 1. */
TL_API tl_tensor tl_clip_grad_norm(tl_tape *tape, tl_params *params, double max_norm);

/* tl_clip_grad_value -- every element into [-limit, limit]. Errors: TL_ERANGE for a limit that is
 * negative or NaN; TL_ENOGRAD likewise. All three: TL_EINVAL without params. */
TL_API void tl_clip_grad_value(tl_tape *tape, tl_params *params, double limit);

TL_END_DECLS
#endif
