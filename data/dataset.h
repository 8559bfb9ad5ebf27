/* dataset.h -- numbered items with a target: from arrays, from sequences of unequal length, or from
 * the user's own function.
 *
 * A dataset is a plain struct with a count and a function that fills in item i. It says nothing
 * about order or batches: that is batches.h. Its functions may be called from several threads at
 * once. */
#ifndef TL_DATA_DATASET_H
#define TL_DATA_DATASET_H

#include "data/array.h"

TL_BEGIN_DECLS

/* tl_field -- what one item has: elements of this type and shape, or, per_step, that many for every
 * step of a sequence. */
typedef struct tl_field {
    tl_dtype dtype;
    tl_shape shape;
    int per_step; /* of y; x of a sequence always is */
} tl_field;

/* tl_dataset -- fill in the fields by hand for a dataset of your own:
 *
 *     static int get(void *user, int64_t i, uint64_t seed, int64_t length, void *x, void *y,
 *                    tl_err *err);
 *     tl_dataset d = {.count = 1000, .get = get, .has_y = 1};
 *     d.x = (tl_field){TL_F32, tl_shape1(28), 0};
 *     d.y = (tl_field){TL_I32, tl_shape0(), 0};
 *
 * seed is a function of (loader's seed, epoch, i) alone: draw augmentation or whole made-up items
 * from it, and they will not depend on how many workers there are. get and length may be called
 * from several threads at once. */
typedef struct tl_dataset {
    int64_t count;
    tl_field x, y;
    int has_y; /* 0: items have no target, and get receives y NULL */
    void *user;

    /* steps of item i, 0 or more; negative: failed, err filled. NULL: items are not sequences */
    int64_t (*length)(void *user, int64_t i, uint64_t seed, tl_err *err);

    /* writes x [shape] or [length, shape], and y likewise if per_step; row-major. length is 1 for
     * what is no sequence. Returns TL_OK or a negative code with err filled, which reaches the
     * loader's caller when this batch is due, item number in front */
    int (*get)(void *user, int64_t i, uint64_t seed, int64_t length, void *x, void *y, tl_err *err);

    void (*close)(void *user); /* NULL: nothing to free */
} tl_dataset;

/* tl_dataset_arrays -- item i is x[i] with target y[i].
 *
 *   x  [N,...]  any type and item shape
 *   y  [N,...]  i32 labels or floating targets; NULL for none
 *
 * The arrays' elements are not copied and must outlive the dataset.
 * Errors: TL_ESHAPE when the counts differ, TL_EINVAL, TL_ENOMEM. */
TL_API int tl_dataset_arrays(tl_dataset *d, const tl_array *x, const tl_array *y, tl_err *err);

/* tl_dataset_sequences -- n sequences stored one after the other.
 *
 *   length [n]        steps of each, 0 or more
 *   x  [sum,...]      all steps of all sequences
 *   y  [n,...]        one target for each sequence; [sum,...], one for each step, if y_per_step;
 *                     NULL for none
 *
 * The arrays' elements are not copied and must outlive the dataset; the lengths are.
 * Errors: TL_ESHAPE, TL_ERANGE (negative length), TL_EINVAL, TL_ENOMEM. */
TL_API int tl_dataset_sequences(tl_dataset *d, int64_t n, const int64_t *length, const tl_array *x,
                                const tl_array *y, int y_per_step, tl_err *err);

/* tl_dataset_windows -- a time series [N,...] cut into overlapping windows.
 *
 *     item i:  x = series[i stride ... i stride + T - 1],  y = series[i stride + T - 1 + ahead]
 *
 * Items are sequences of T steps with one target; there are (N - T - ahead) / stride + 1 of them.
 * The series' elements are not copied.
 * Errors: TL_ERANGE when not one window fits, TL_EINVAL, TL_ENOMEM. */
TL_API int tl_dataset_windows(tl_dataset *d, const tl_array *series, int64_t T, int64_t ahead,
                              int64_t stride, tl_err *err);

/* tl_dataset_subset -- items index[0..n) of base, in that order; base and index must outlive it.
 * Item seeds are those of the subset's own numbers.
 * Errors: TL_ERANGE, TL_EINVAL, TL_ENOMEM. */
TL_API int tl_dataset_subset(tl_dataset *d, const tl_dataset *base, int64_t n, const int64_t *index,
                             tl_err *err);

/* tl_dataset_close -- frees what the functions above allocated; never the arrays. */
TL_API void tl_dataset_close(tl_dataset *d);

TL_END_DECLS
#endif
