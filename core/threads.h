/* threads.h -- how many threads a run may use.
 *
 * Results do not depend on it, not in a bit. The threads themselves are the team's, which is
 * private: made when first needed, asleep between runs, one team for the process. A run that
 * finds the team busy (another thread of the host runs a tape just now) does without it. */
#ifndef TL_CORE_THREADS_H
#define TL_CORE_THREADS_H

#include "core/status.h"

TL_BEGIN_DECLS

enum { TL_THREADS_MAX = 64 };

/* tl_set_threads -- how many threads a run may use, the calling one included; for the whole
 * process.
 *
 *   n       1..TL_THREADS_MAX; 0: as many as there are processors for this process
 *   return  TL_OK, or TL_EINVAL (nothing changes)
 *
 * Never waits: it holds for runs that start later, and a run that is on keeps its threads. May be
 * called from any thread at any time. */
TL_API int tl_set_threads(int n);

/* tl_threads -- how many threads a run that starts now may use. Until tl_set_threads is called,
 * TL_THREADS of the environment, read once: a whole number of at least 1 (more than
 * TL_THREADS_MAX means that); anything else there is as if it were not set, and then it is the
 * number of processors for this process. */
TL_API int tl_threads(void);

/* ---- inside the library ---------------------------------------------------------------------- */

/* tl__processors -- those this process may run on, when first asked; 1..TL_THREADS_MAX. */
TL_API int tl__processors(void);

TL_END_DECLS
#endif
