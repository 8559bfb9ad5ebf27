/* tape.h -- the tape: everything that is computed is recorded here first.
 *
 * A call such as tl_mul(a, b) records one node (operation, operands, shape) and returns its tensor;
 * the numbers come when somebody reads, evaluates or commits. One thread at a time uses a tape;
 * different tapes are independent.
 *
 * Errors are sticky: the first one stores a message, every later recording returns the inert
 * tensor, and evaluating, committing and stepping return its code and do nothing, until
 * tl_tape_reset. */
#ifndef TL_CORE_TAPE_H
#define TL_CORE_TAPE_H

#include "core/tensor.h"

TL_BEGIN_DECLS

typedef struct tl_tape_opts {
    uint64_t seed;    /* of the random draws, default 0 */
    uint32_t warn_at; /* warn once when this many nodes are on the tape without a reset, default
                         1,000,000; 0: never */
    uint32_t plans;   /* plans kept for re-use, default 64 */
} tl_tape_opts;

TL_API tl_tape_opts tl_tape_defaults(void);

/* tl_tape_new -- an empty tape, in training mode; NULL when memory is short. opts NULL: all
 * defaults. */
TL_API tl_tape *tl_tape_new(const tl_tape_opts *opts);

/* tl_tape_free -- ends the tape and all its tensors. Queued effects that were not committed are
 * dropped. */
TL_API void tl_tape_free(tl_tape *tape);

/* tl_tape_reset -- empties the tape for the next step and clears its error. Every tensor of it is
 * dead after. Refused with TL_ESTATE (and the tape left as it was) while effects are queued or a
 * frame or no_grad section is open, unless the tape has an error, in which case the queue is
 * dropped. */
TL_API int tl_tape_reset(tl_tape *tape);

/* tl_tape_mark, tl_tape_release -- release drops all that was recorded after the mark. Refused like
 * reset. TL_EINVAL for what is no mark: a number above that of the nodes; after tl_cut, which moves
 * the nodes, one from before it (0, the empty tape, always is one). */
TL_API uint32_t tl_tape_mark(const tl_tape *tape);
TL_API int tl_tape_release(tl_tape *tape, uint32_t mark);

/* tl_tape_status -- code of the sticky error, TL_OK if none. tl_tape_error -- its sentence, "" if
 * none. */
TL_API int tl_tape_status(const tl_tape *tape);
TL_API const char *tl_tape_error(const tl_tape *tape);

/* tl_tape_nodes -- how many nodes are recorded. */
TL_API uint32_t tl_tape_nodes(const tl_tape *tape);

/* tl_tape_at -- the value of one node, 0 <= number < tl_tape_nodes. Inert when there is none: a
 * scan, which has results only, or the body of a scan that is closed. To walk over what some code
 * records, take tl_tape_mark before it and tl_tape_nodes behind it. */
TL_API tl_tensor tl_tape_at(tl_tape *tape, uint32_t number);

/* tl_scope_open, _close -- names what is recorded between them, for messages and printing:
 * "lstm/step". */
TL_API void tl_scope_open(tl_tape *tape, const char *name);
TL_API void tl_scope_close(tl_tape *tape);

/* tl_no_grad_open, _close -- what is recorded between them is a constant for every gradient, and
 * its intermediate values are dropped as soon as they are used. Nests. */
TL_API void tl_no_grad_open(tl_tape *tape);
TL_API void tl_no_grad_close(tl_tape *tape);

/* tl_train -- on (the default): dropout and its kin draw; off: they pass through. */
TL_API void tl_train(tl_tape *tape, int on);
TL_API int tl_is_train(const tl_tape *tape);

/* tl_seed -- sets the seed of later draws. tl_draws, tl_set_draws -- the number of the next draw:
 * save it and set it again to go on with the same random numbers. It survives reset. */
TL_API void tl_seed(tl_tape *tape, uint64_t seed);
TL_API uint64_t tl_draws(const tl_tape *tape);
TL_API void tl_set_draws(tl_tape *tape, uint64_t number);

/* tl_commit -- runs the queued effects (assignments, kept states, gradients that no optimizer
 * consumed) as one plan with all they need, then publishes them together. A failed run publishes
 * nothing: no parameter changes, and the tape carries the error. */
TL_API int tl_commit(tl_tape *tape);

/* tl_input_* -- a tensor with a copy of the caller's array, row-major. */
TL_API tl_tensor tl_input_f32(tl_tape *tape, tl_shape shape, const float *data);
TL_API tl_tensor tl_input_f64(tl_tape *tape, tl_shape shape, const double *data);
TL_API tl_tensor tl_input_i32(tl_tape *tape, tl_shape shape, const int32_t *data);

/* tl_input_borrow -- the same without the copy: data must stay unchanged until reset or release,
 * and be readable for 64 bytes past its end (matrix kernels may touch them). */
TL_API tl_tensor tl_input_borrow(tl_tape *tape, tl_dtype dtype, tl_shape shape, const void *data);

/* tl_full, tl_zeros, tl_ones, tl_scalar -- constants; they take no memory. */
TL_API tl_tensor tl_full(tl_tape *tape, tl_dtype dtype, tl_shape shape, double value);
TL_API tl_tensor tl_zeros(tl_tape *tape, tl_dtype dtype, tl_shape shape);
TL_API tl_tensor tl_ones(tl_tape *tape, tl_dtype dtype, tl_shape shape);
TL_API tl_tensor tl_scalar(tl_tape *tape, tl_dtype dtype, double value);

TL_END_DECLS
#endif
