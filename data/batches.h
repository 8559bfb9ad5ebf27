/* batches.h -- batch k of epoch e, as a pure function of where one is.
 *
 * Because a batch depends on its place alone, any thread may make it, in any order, and a run that
 * was stopped goes on exactly where it was. loader.h makes them ahead of time. */
#ifndef TL_DATA_BATCHES_H
#define TL_DATA_BATCHES_H

#include "core/meta.h"
#include "data/dataset.h"

TL_BEGIN_DECLS

/* tl_place -- a position in the data: all there is to save. */
typedef struct tl_place {
    uint64_t seed; /* of shuffling and of the items' own randomness */
    int64_t epoch; /* from 0 */
    int64_t index; /* of the next batch in the epoch */
} tl_place;

/* tl_place_save, tl_place_load -- a place as one metadata string, "seed epoch index". */
TL_API int tl_place_save(tl_place place, tl_meta *meta, const char *key);
TL_API int tl_place_load(tl_place *place, const tl_meta *meta, const char *key, tl_err *err);

/* tl_batch -- {0} at first; make it many times over and close it once.
 *
 *              dataset            sequences             text
 *     x        [B,item]           [T,B,item]            [T,B] i32
 *     y        [B,target]         [B,target] or         [T,B] i32, the next symbols
 *                                 [T,B,target]
 *     lengths                     [B] i32
 *     items    [B] numbers of the items (text: empty) */
typedef struct tl_batch {
    tl_array x, y, lengths; /* y or lengths empty (data NULL) if there are none */
    int64_t *items;
    uint32_t items_room;
    int64_t size;   /* B */
    int64_t steps;  /* T; 0 when the items are not sequences */
    tl_place place; /* index 0 is the first of an epoch: where to zero a carried state */
    int64_t count;  /* batches in the epoch */
} tl_batch;

TL_API void tl_batch_close(tl_batch *b);

/* tl_batch_items -- makes room for n item numbers and sets size; for makers of batches.
 * TL_ENOMEM. */
TL_API int tl_batch_items(tl_batch *b, int64_t n);

/* tl_batches -- a recipe. make fills batch from place alone (place and count are set before); it is
 * called from several threads at once, each with a batch of its own, and may re-use that batch's
 * arrays through tl_array_resize. Fill in the fields by hand for a recipe of your own. */
typedef struct tl_batches tl_batches;
struct tl_batches {
    int64_t count; /* batches in an epoch, 1 or more */
    void *user;
    int (*make)(const tl_batches *b, tl_place place, tl_batch *batch, tl_err *err);
    void (*free)(tl_batches *b); /* NULL: nothing to free */
};

TL_API void tl_batches_free(tl_batches *b);

/* tl_batches_make -- one batch, here and now. TL_ERANGE when place.index is not in [0, count) or
 * place.epoch is negative. */
TL_API int tl_batches_make(const tl_batches *b, tl_place place, tl_batch *batch, tl_err *err);

typedef struct tl_items_opts {
    int64_t batch;       /* B, default 32 */
    int shuffle;         /* a new order in each epoch, default 1 */
    int drop_last;       /* leave out the last batch if it is smaller than B, default 0 */
    int batch_first;     /* sequences as [B,T,...], default 0: [T,B,...] */
    int64_t steps;       /* T of every batch, default 0: of its longest. More is TL_ERANGE */
    double pad_x, pad_y; /* what stands behind a sequence's end, default 0 */
} tl_items_opts;

TL_API tl_items_opts tl_items_defaults(void);

/* tl_batches_of_items -- batches of a dataset's items, put together and padded; NULL and err on
 * failure. d must outlive it. */
TL_API tl_batches *tl_batches_of_items(const tl_dataset *d, const tl_items_opts *opts, tl_err *err);

/* tl_stream -- part of a text as ids. */
typedef struct tl_stream {
    const int32_t *ids;
    int64_t count;
} tl_stream;

typedef struct tl_stream_opts {
    int64_t batch; /* B rows, default 32 */
    int64_t steps; /* T, default 100 */
    int keep_last; /* also the last window of the rows, shorter than T; default 0 */
} tl_stream_opts;

TL_API tl_stream_opts tl_stream_defaults(void);

/* tl_batches_of_stream -- contiguous batches for truncated BPTT.
 *
 *     stream  a b c d e f g h i j k l m      B = 2, T = 3, rows of L = (count-1)/B symbols
 *     row 0   a b c|d e f                    batch 0: x = abc, y = bcd    batch 1: x = def, y = efg
 *     row 1   g h i|j k l                             x = ghi, y = hij             x = jkl, y = klm
 *
 * Row b of batch k goes on where row b of batch k-1 ended, so a state may be carried over; an epoch
 * starts at the rows' beginning again (zero the state where place.index is 0). x and y are [T,B].
 * The seed has no influence. The ids are not copied.
 * Errors: TL_EINVAL; TL_ERANGE when the stream is too short for one batch. */
TL_API tl_batches *tl_batches_of_stream(tl_stream s, const tl_stream_opts *opts, tl_err *err);

/* ---- inside the library ---------------------------------------------------------------------- */

/* tl__place_check -- TL_OK, or TL_ERANGE with a message, whether place is one of b's. */
TL_API int tl__place_check(const tl_batches *b, tl_place place, tl_err *err);

TL_END_DECLS
#endif
