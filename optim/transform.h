/* transform.h -- functions of the gradients, between tl_backward and the rule, recorded like all
 * else. Limits by norm and value are in clip.h. */
#ifndef TL_OPTIM_TRANSFORM_H
#define TL_OPTIM_TRANSFORM_H

#include "core/grad.h"

TL_BEGIN_DECLS

/* tl_grad_fn -- returns what takes the place of the gradient g of p, of the same shape and dtype;
 * inert: p has no gradient and is left alone in this step. ctx is the caller's. */
typedef tl_tensor (*tl_grad_fn)(void *ctx, tl_tape *tape, tl_param *p, tl_tensor g);

/* tl_transform_grads -- applies fn, under no_grad, to the gradient of every unfrozen parameter of
 * params whose name is like the pattern (tl_name_like; NULL: all). Returns TL_OK or the tape's
 * code. Errors: TL_ESHAPE, TL_EDTYPE, when fn returns another shape or dtype; TL_ENAME if no
 * parameter's name is like the pattern; TL_EINVAL without params. */
TL_API int tl_transform_grads(tl_tape *tape, tl_params *params, const char *pattern, tl_grad_fn fn,
                              void *ctx);

/* Some to give there. *ctx is a double; ctx NULL is TL_EINVAL where it is used.
 *
 *   tl_grad_scaled    g c               c = *ctx; 1/n after n micro-batches: their average
 *   tl_grad_decayed   g + lambda p      lambda = *ctx; weight decay of chosen parameters
 *   tl_grad_noisy     g + sigma n       sigma = *ctx, n standard normal. Neelakantan et al. 2015
 *   tl_grad_centred   g - mean of g over all axes but the first; rank 2 and more, others stay.
 *                     ctx is not used. Yong et al. 2020, eq. 1 */
TL_API tl_tensor tl_grad_scaled(void *ctx, tl_tape *tape, tl_param *p, tl_tensor g);
TL_API tl_tensor tl_grad_decayed(void *ctx, tl_tape *tape, tl_param *p, tl_tensor g);
TL_API tl_tensor tl_grad_noisy(void *ctx, tl_tape *tape, tl_param *p, tl_tensor g);
TL_API tl_tensor tl_grad_centred(void *ctx, tl_tape *tape, tl_param *p, tl_tensor g);

/* tl_name_like -- 1 if the name is the pattern, in which * stands for any characters, also none:
 * "encoder.*", "*.bias_*". A pattern of NULL is like every name. */
TL_API int tl_name_like(const char *pattern, const char *name);

/* tl_freeze_like -- freezes (or thaws, frozen 0) the parameters whose name is like the pattern;
 * returns how many. TL_ENAME if there is no such parameter, TL_EINVAL without params: negative. See
 * tl_param_freeze. */
TL_API int tl_freeze_like(tl_params *params, const char *pattern, int frozen);

/* tl__no_such -- whether no name in the set is like the pattern; text gets the sentence, with some
 * names that are there. */
enum { TL_NO_SUCH_TEXT = 400 };
int tl__no_such(const tl_params *params, const char *pattern, char *text);

/* tl__transform_fault -- what is wrong with a function and its ctx; NULL: nothing. */
const char *tl__transform_fault(tl_grad_fn fn, const void *ctx);

TL_END_DECLS
#endif
