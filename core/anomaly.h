/* anomaly.h -- where the first NaN comes from. */
#ifndef TL_CORE_ANOMALY_H
#define TL_CORE_ANOMALY_H

#include "core/tape.h"

TL_BEGIN_DECLS

/* tl_anomaly -- switches a tape's anomaly mode on or off; off at first, unless TL_ANOMALY=1 is in
 * the environment when the tape is made.
 *
 * While on, the first operation that makes NaN or infinity of finite operands, or NaN of
 * infinities, is an error of the tape, TL_ENAN. Nothing is committed after it. The message says the
 * operation, its scope, the time steps of the loops around (the outermost first), forward or
 * adjoint and of which operation, the result with the first element that is not finite and their
 * number, and the range of every operand:
 *
 *     decoder: log: infinity at t=17, forward: result y f64 [4], 1 of 4 not finite, the first [2];
 *     of p f64 [4] from 0 to 0.73
 *
 * An operation that reads NaN or infinity from an input, a parameter or a state names these and the
 * element instead, through whatever copied, looked up or put side by side what it reads. What adds
 * while it moves (tl_scatter_add, pieces that overlap) is an operation like the others. No error
 * are: constants (tl_full of -infinity) and what an operation passes on of their infinity, unless a
 * commit would bring it into a parameter; what is only moved, looked up or left out of a result by
 * tl_where or by a row's length in a scan (the operation that made it was one, though: log(0) is an
 * error wherever it goes).
 *
 * Everything runs as it was recorded, one operation after the other on one thread, and each result
 * and operand is read once more: several times slower, and sums may differ in rounding. Programs
 * (program.h) are not watched: tl_program_close refuses a tape in this mode, TL_EUNSUPPORTED. */
TL_API void tl_anomaly(tl_tape *tape, int on);
TL_API int tl_is_anomaly(const tl_tape *tape);

/* ---- inside the library ---------------------------------------------------------------------- */

/* tl__anomaly_wanted -- whether the environment asks for it. */
TL_API int tl__anomaly_wanted(void);

TL_END_DECLS
#endif
