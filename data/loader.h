/* loader.h -- batches made ahead of time by worker threads.
 *
 * Which batches come, and in which order, is the same for any number of workers, 0 included: 0 is
 * the plain loop that makes each batch when it is asked for. The stream has no end: after an epoch
 * comes the next. */
#ifndef TL_DATA_LOADER_H
#define TL_DATA_LOADER_H

#include "data/batches.h"

TL_BEGIN_DECLS

typedef struct tl_loader tl_loader;

typedef struct tl_loader_opts {
    int workers;    /* threads, 0..256, default 1 */
    int prefetch;   /* batches made ahead, at most; raised to workers if less; default 4 */
    tl_place start; /* seed, epoch and index to start from, default {0,0,0} */
} tl_loader_opts;

TL_API tl_loader_opts tl_loader_defaults(void);

/* tl_loader_new -- starts the workers. b must outlive it. NULL and err on failure: TL_EINVAL,
 * TL_ERANGE (start), TL_ENOMEM, TL_EUNSUPPORTED when threads cannot be had. */
TL_API tl_loader *tl_loader_new(const tl_batches *b, const tl_loader_opts *opts, tl_err *err);

/* tl_loader_free -- stops the workers, in mid-epoch too; waits for the batches they are making. */
TL_API void tl_loader_free(tl_loader *l);

/* tl_loader_next -- the next batch, which belongs to the loader and stays as it is until the next
 * call of next, seek or free.
 *
 * If making it failed, returns that code with that message when its turn has come, *batch is NULL,
 * and the call after goes on with the batch after. TL_EINVAL without l or batch. A loader is used
 * by one thread at a time. */
TL_API int tl_loader_next(tl_loader *l, const tl_batch **batch, tl_err *err);

/* tl_loader_place -- where the next batch stands: save it, and tl_loader_seek or opts.start goes on
 * from there exactly. */
TL_API tl_place tl_loader_place(const tl_loader *l);

/* tl_loader_seek -- the next batch will be the one at place. Batches made ahead are thrown away.
 * Errors: TL_ERANGE (nothing has changed); TL_EUNSUPPORTED when workers cannot be started again:
 * the loader then goes on from place without them. */
TL_API int tl_loader_seek(tl_loader *l, tl_place place, tl_err *err);

/* tl_loader_count -- batches in an epoch. */
TL_API int64_t tl_loader_count(const tl_loader *l);

TL_END_DECLS
#endif
