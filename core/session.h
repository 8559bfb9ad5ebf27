/* session.h -- a program being run: arrays of its own, one step at a time.
 *
 *     tl_session *s = tl_session_new(p, &err);
 *     const int ix = tl_program_find(p, "x"), iy = tl_program_find(p, "y");
 *     float *x = tl_session_input(s, ix);
 *     for (;;) {
 *         x[0] = ...;
 *         if (tl_session_step(s) != TL_OK) ...tl_session_error(s)
 *         const float *y = tl_session_output(s, iy);
 *     }
 *
 * A step records nothing, looks nothing up and allocates nothing, except: the first one after a
 * parameter has changed takes room to pack it, and products of more than a few rows may do so for
 * operands that change with every step, from the blocks that the library keeps for re-use. One
 * thread at a time uses a session; sessions, of one program too, are independent. Values are
 * row-major; results have the same bits as the tape's where its plan is the same, else they are equal
 * to rounding (core/plan/README.md: passes that change the order of sums). */
#ifndef TL_CORE_SESSION_H
#define TL_CORE_SESSION_H

#include "core/program.h"

TL_BEGIN_DECLS

typedef struct tl_session tl_session;

/* tl_session_new -- inputs and states are what they were on the tape, outputs zeros. Its steps use
 * as many threads as tl_threads says now, fewer if the host lowers that later; they are started
 * here. NULL, and err filled, when the program is not closed (TL_ESTATE) or memory is short. */
TL_API tl_session *tl_session_new(tl_program *p, tl_err *err);
TL_API void tl_session_free(tl_session *s);

/* tl_session_program -- what it runs; NULL of NULL. */
TL_API const tl_program *tl_session_program(const tl_session *s);

/* tl_session_step -- runs the program once; all states move on together. Returns TL_OK or a code:
 * the states are then as before, the outputs undefined, and the session can go on. */
TL_API int tl_session_step(tl_session *s);

/* tl_session_reset -- states to their initial values; inputs and draws stay. */
TL_API void tl_session_reset(tl_session *s);

/* tl_session_input, _state, _output -- the array of named value i; NULL if it is none of the kind.
 *
 *   input    stays where it is; what is written is kept until it is written again
 *   state    its present value, which may be written; moves with each step: ask again
 *   output   of the last step, until the next one; the value may also be a state's, so writing
 *            or resetting states ends it, too */
TL_API void *tl_session_input(tl_session *s, int i);
TL_API void *tl_session_state(tl_session *s, int i);
TL_API const void *tl_session_output(const tl_session *s, int i);

/* tl_session_set_f32, _f64, _i32 -- copy count elements into the input or state of this name;
 * tl_session_get_* out of any named value. Errors: TL_ENAME, TL_EDTYPE, TL_ESHAPE for another
 * count, TL_EINVAL. */
TL_API int tl_session_set_f32(tl_session *s, const char *name, const float *data, int64_t count);
TL_API int tl_session_set_f64(tl_session *s, const char *name, const double *data, int64_t count);
TL_API int tl_session_set_i32(tl_session *s, const char *name, const int32_t *data, int64_t count);
TL_API int tl_session_get_f32(tl_session *s, const char *name, float *out, int64_t count);
TL_API int tl_session_get_f64(tl_session *s, const char *name, double *out, int64_t count);
TL_API int tl_session_get_i32(tl_session *s, const char *name, int32_t *out, int64_t count);

/* tl_session_draws, tl_session_set_draws -- the number of the next random draw, counted as on the
 * tape (tl_draws). All sessions of a program begin with the same: set them apart for different
 * numbers. */
TL_API uint64_t tl_session_draws(const tl_session *s);
TL_API void tl_session_set_draws(tl_session *s, uint64_t number);

/* tl_session_error -- the sentence of the last call that failed, "" if none did. */
TL_API const char *tl_session_error(const tl_session *s);

TL_END_DECLS
#endif
