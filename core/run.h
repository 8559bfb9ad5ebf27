/* run.h -- brings values to life: from the tape to a plan to numbers. Private. */
#ifndef TL_CORE_RUN_H
#define TL_CORE_RUN_H

#include "core/node.h"

typedef struct tl_run_opts {
    int commit; /* values that only a later gradient could read are not kept */
} tl_run_opts;

/* tl__run -- computes the given slots (of frame 0) and all they need. On success the roots are
 * live, and so is what the rules of core/README.md keep; other nodes that ran are dropped. On
 * failure the tape's error is set and no node has changed. Returns TL_OK or the sticky code. */
TL_API int tl__run(tl_tape *tape, int nroots, const uint32_t *roots, const tl_run_opts *opts);

/* tl__plans_free -- drops all cached plans and the slab. */
TL_API void tl__plans_free(tl_tape *tape);

/* tl_pass -- switches of the passes, for debugging and tests; all on. Process-wide, part of the
 * plan's key. TL_PASSES=-fuse,-hoist in the environment. */
enum {
    TL_PASS_FUSE = 1,
    TL_PASS_HOIST = 2,
    TL_PASS_LAYOUT = 4,
    TL_PASS_SINK = 8,
    TL_PASS_PERIOD = 16,
    TL_PASS_REDUCE = 32,
    TL_PASS_PACK = 64,
    TL_PASS_SIMPLIFY = 128,
    TL_PASS_RECOMPUTE = 256,
    TL_PASS_JOIN = 512,
    TL_WATCH = 1 << 14,    /* notes say where operands lie; set for tapes in anomaly mode alone */
    TL_SHARE_ALL = 1 << 15 /* threads share whatever they can, however small; off, "+share" */
};
TL_API unsigned tl__passes(void);
TL_API void tl__set_passes(unsigned mask);
/* tl__passes_of -- those of a tape's plans: in anomaly mode none that joins or moves what was
 * recorded, so that each instruction is one node and runs in the step it was recorded for. */
TL_API unsigned tl__passes_of(const tl_tape *tape);

/* tl__period_rows -- how many rows the products of a period have, about (plan/period.c); 384 unless
 * TL_PERIOD_ROWS or the setter, for tests, say otherwise. Part of the plan's key. */
TL_API int64_t tl__period_rows(void);
TL_API void tl__set_period_rows(int64_t rows); /* 0: as at first */

/* tl_run_stats -- counts since the tape was made, for tests and benchmarks. */
typedef struct tl_run_stats {
    uint64_t runs, plans, hits; /* plans made, found in the cache */
    uint64_t instructions;      /* of the last plan */
    /* of the last run: look-up, planning (0 when found), execution */
    double key_seconds, plan_seconds, run_seconds;
    size_t slab_bytes;
} tl_run_stats;
TL_API tl_run_stats tl__run_stats(const tl_tape *tape);

/* tl__plan_dump -- the plan that ran last as text, one line an instruction; the caller frees it
 * with tl__free. NULL when nothing ran or memory is short. */
TL_API char *tl__plan_dump(const tl_tape *tape);

#endif
