/* param.h -- what outlives a tape: parameters, their sets, and the states carried from one stretch
 * to the next.
 *
 * A stored value is an immutable buffer with a version number. tl_use records a leaf that holds the
 * version of that moment; a commit publishes a new buffer and counts the version up. So a tensor
 * that used W before a step still means that W after it. Reading a parameter set from many tapes is
 * free; a commit needs it alone. */
#ifndef TL_CORE_PARAM_H
#define TL_CORE_PARAM_H

#include "core/tape.h"

TL_BEGIN_DECLS

typedef struct tl_params tl_params;
typedef struct tl_param tl_param;
typedef struct tl_state tl_state;

/* tl_params_new -- an empty set whose parameters have this dtype (TL_F32 or TL_F64); NULL when
 * memory is short. */
TL_API tl_params *tl_params_new(tl_dtype dtype);
/* tl_params_free -- tapes that queued effects or gradients for the set are to be reset or freed
 * before. */
TL_API void tl_params_free(tl_params *set);

/* tl_param_new -- adds a parameter of zeros named by the set's open scopes and name
 * ("encoder.weight_ih_l0"). NULL, and err filled, when the name is taken or empty, the shape
 * invalid, or memory is short. The set owns it. */
TL_API tl_param *tl_param_new(tl_params *set, const char *name, tl_shape shape, tl_err *err);

/* tl_params_scope_open, _close -- prefixes the names of parameters made between them with "name.".
 */
TL_API void tl_params_scope_open(tl_params *set, const char *name);
TL_API void tl_params_scope_close(tl_params *set);

TL_API int tl_params_count(const tl_params *set);
TL_API tl_param *tl_params_at(const tl_params *set, int i);
TL_API tl_param *tl_params_find(const tl_params *set, const char *name);
TL_API tl_dtype tl_params_dtype(const tl_params *set);
/* tl_params_elements -- number of scalars in the whole set. */
TL_API int64_t tl_params_elements(const tl_params *set);

TL_API const char *tl_param_name(const tl_param *p);
TL_API tl_shape tl_param_shape(const tl_param *p);
TL_API tl_dtype tl_param_dtype(const tl_param *p);
TL_API uint64_t tl_param_version(const tl_param *p);

/* tl_param_get_f32, _f64; tl_param_set_f32, _f64 -- copy all elements out or in, row-major,
 * converting where the parameter's dtype is the other one. Setting makes a new version. count must
 * be the number of elements. */
TL_API int tl_param_get_f32(const tl_param *p, float *out, int64_t count);
TL_API int tl_param_get_f64(const tl_param *p, double *out, int64_t count);
TL_API int tl_param_set_f32(tl_param *p, const float *data, int64_t count);
TL_API int tl_param_set_f64(tl_param *p, const double *data, int64_t count);

/* tl_param_grad_f64 -- copies the stored gradient (left by a commit without an optimizer step);
 * TL_ESTATE if there is none. */
TL_API int tl_param_grad_f64(const tl_param *p, double *out, int64_t count);
TL_API void tl_param_clear_grad(tl_param *p);

/* tl_param_freeze -- a frozen parameter is a constant: tl_backward and steps leave it alone. */
TL_API void tl_param_freeze(tl_param *p, int frozen);
TL_API int tl_param_is_frozen(const tl_param *p);

/* tl_use -- the parameter's present value on this tape; the same tensor each time until a new
 * version. Inside a scan it resolves to the outermost frame. */
TL_API tl_tensor tl_use(tl_tape *tape, tl_param *p);

/* tl_use_all -- tl_use of every parameter of the set that is not frozen, in its order, for tl_grad,
 * tl_hvp and the like.
 *
 *   out[tl_params_count(set)]  receives them
 *
 * Returns how many there are; 0 after an error. */
TL_API int tl_use_all(tl_tape *tape, tl_params *set, tl_tensor *out);

/* tl_bind -- on this tape, from now to reset or tl_bind_clear, tl_use gives this tensor (same shape
 * and dtype) in the parameter's place: a layer computes with weights of your own, such as those that
 * an inner loop of training has come to.
 *
 *     tl_bind(tape, p, tl_sub(tl_use(tape, p), tl_scale(g, 0.1)));
 *     tl_backward(loss)        the gradient with respect to the stored value, through the tensor
 *     tl_grad(.., &t, ..)      with respect to the tensor itself
 *
 * Steps and tl_assign change the stored value, from the stored value. A parameter whose stored value
 * was not used gets no gradient. tl_use_stored -- the stored value, whatever is bound. */
TL_API void tl_bind(tl_tape *tape, tl_param *p, tl_tensor t);
TL_API void tl_bind_clear(tl_tape *tape, tl_param *p);
TL_API tl_tensor tl_use_stored(tl_tape *tape, tl_param *p);

/* tl_assign -- queues: at the next commit p becomes t. Later uses on this tape are recorded against
 * the new version after the commit. Assigning twice before a commit: the later one counts. */
TL_API void tl_assign(tl_param *p, tl_tensor t);

/* tl_assign_rows -- queues: at the next commit row idx[i] of p becomes rows[i]; the other rows
 * stay. Of equal indices the first counts.
 *
 *   p     [V,...]
 *   idx   [n]      i32, 0 <= idx[i] < V
 *   rows  [n,...]  of p's dtype
 *
 * Costs what the rows cost, if no tape holds p's former value when its new one is first used: reset
 * the tape between steps; else one copy of p. Of two assignments to one parameter before a commit
 * the later one counts.
 * Errors: TL_ESHAPE, TL_EDTYPE; TL_ERANGE, by the commit, for an index outside. */
TL_API void tl_assign_rows(tl_param *p, tl_tensor idx, tl_tensor rows);

/* tl_state_new -- storage for what a sequence carries over resets, zeros at first. */
TL_API tl_state *tl_state_new(tl_dtype dtype, tl_shape shape);
TL_API void tl_state_free(tl_state *s);
TL_API int tl_state_zero(tl_state *s);
TL_API tl_shape tl_state_shape(const tl_state *s);
TL_API tl_dtype tl_state_dtype(const tl_state *s);
TL_API int tl_state_get_f64(const tl_state *s, double *out, int64_t count);
TL_API int tl_state_set_f64(tl_state *s, const double *data, int64_t count);

/* tl_state_use -- the state's value on this tape, a constant for gradients: the cut of truncated
 * BPTT. */
TL_API tl_tensor tl_state_use(tl_tape *tape, tl_state *s);
/* tl_keep -- queues: at the next commit s becomes t. */
TL_API void tl_keep(tl_state *s, tl_tensor t);

TL_END_DECLS
#endif
