/* program.h -- a recorded stretch, frozen: named inputs, states and outputs, planned once and
 * replayed without recording, look-up or allocation (session.h).
 *
 *     tl_tensor x = tl_zeros(tape, TL_F32, tl_shape2(1, 32));        record once ...
 *     tl_tensor h = tl_zeros(tape, TL_F32, tl_shape2(1, 64));
 *     tl_tensor h1 = tl_tanh(tl_add(tl_linear(x, w, b), tl_linear(h, u, none)));
 *
 *     tl_program *p = tl_program_new(tape, "rnn");                   ... name ...
 *     tl_program_input(p, "x", x);
 *     tl_program_state(p, "h", h, h1);
 *     tl_program_output(p, "y", h1);
 *     int code = tl_program_close(p, &err);                          ... freeze
 *     tl_tape_reset(tape);
 *
 * A program is a function of its inputs and states:
 *
 *     x ----.                         named values are cut: how they came about is forgotten
 *     h --> [ all that leads to y and h1 ] --> y
 *      ^---------- next ----------------'
 *
 *   inputs     any values of the tape outside scans; what they are on the tape is what a session
 *              begins with. tl_input_* and tl_zeros are the usual ones
 *   states     the same, with the value they have at the next run
 *   parameters (and tl_state_use) are read anew at each run: a program follows training. The set
 *              outlives the program, and changes only while no session runs
 *   constants  other inputs of the tape are kept as they are
 *   weights    of products are kept packed beside that, once for all sessions and tapes: the first
 *              step after a parameter has changed packs it again
 *   draws      go on from run to run, as if the stretch were recorded again and again. A run takes
 *              as many numbers as the tape did from tl_program_new, or from the first draw that
 *              the program reads if that came before, to tl_program_close
 *
 * Whatever the tape has computed, kept or dropped by then makes no difference. Gradients recorded
 * by tl_grad are values like all others, so a whole training step is a program too. Effects
 * (tl_assign, tl_keep, tl_backward) are not part of it.
 *
 * Mistakes are sticky: the first one is kept, and tl_program_close returns it. Closed programs
 * never change: any number of threads may run sessions of one. */
#ifndef TL_CORE_PROGRAM_H
#define TL_CORE_PROGRAM_H

#include "core/param.h"

TL_BEGIN_DECLS

typedef struct tl_program tl_program;

/* tl_program_new -- an open program of what is, or will be, recorded on tape; name, which may be
 * NULL, stands in messages. NULL when memory is short. The tape must live until close. */
TL_API tl_program *tl_program_new(tl_tape *tape, const char *name);

/* tl_program_input, _state, _output -- give a value of the tape a name, unique in the program.
 *
 *   x, h      a value outside scans, neither input nor state already
 *   h1        what h is in the next run: the same shape and dtype
 *   y         any value outside scans, a named one too
 *
 * Errors: TL_ENAME, TL_ESHAPE, TL_EDTYPE, TL_EINVAL; TL_ETAPE, TL_EDEAD, TL_EFRAME for a tensor of
 * another tape, of an earlier step, or of a scan's body; TL_ESTATE after close; the tape's own. */
TL_API int tl_program_input(tl_program *p, const char *name, tl_tensor x);
TL_API int tl_program_state(tl_program *p, const char *name, tl_tensor h, tl_tensor h1);
TL_API int tl_program_output(tl_program *p, const char *name, tl_tensor y);

/* tl_program_close -- plans. Afterwards the tape may be reset or freed. Computes what inputs and
 * states are on the tape, where that is not done yet. Returns TL_OK, the first mistake, or why
 * planning failed, and fills err (which may be NULL). Errors: TL_EINVAL if there is neither output
 * nor state; TL_EFRAME inside an open scan. */
TL_API int tl_program_close(tl_program *p, tl_err *err);

/* tl_program_free -- sessions that are still there keep what they need. */
TL_API void tl_program_free(tl_program *p);

/* tl_program_count -- number of named values; their indices are those of the calls that named
 * them. tl_program_find -- the index of a name, TL_ENAME if there is none: ask once, before the
 * loop. tl_program_name, _shape, _dtype -- of one; NULL, rank -1 and TL_F32 out of range. */
TL_API int tl_program_count(const tl_program *p);
TL_API int tl_program_find(const tl_program *p, const char *name);
TL_API const char *tl_program_name(const tl_program *p, int i);
TL_API tl_shape tl_program_shape(const tl_program *p, int i);
TL_API tl_dtype tl_program_dtype(const tl_program *p, int i);

/* tl_program_text -- the plan of a closed program, as tl_plan_text writes it (print.h). Freed with
 * tl_string_free; NULL before it is closed, or when memory is short. */
TL_API char *tl_program_text(const tl_program *p);

TL_END_DECLS
#endif
