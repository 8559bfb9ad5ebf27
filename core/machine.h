/* machine.h -- what this process runs on, found out once. Private. */
#ifndef TL_CORE_MACHINE_H
#define TL_CORE_MACHINE_H

#include "core/status.h"

typedef enum tl_isa { TL_ISA_BASE = 0, TL_ISA_AVX2 = 1, TL_ISA_AVX512 = 2, TL_ISAS = 3 } tl_isa;

/* tl__isa -- the best instruction set that processor and build have; TL_ISA=base|avx2|avx512 in the
 * environment lowers it (for tests). */
TL_API tl_isa tl__isa(void);
TL_API const char *tl__isa_name(tl_isa isa);

/* tl__machine_init -- makes the runtime once per process (uv_once): instruction set, BLIS with the
 * right kernel family. Called by whatever needs it. */
TL_API void tl__machine_init(void);

#endif
