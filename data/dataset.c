/* dataset.c -- datasets over arrays in memory: rows, sequences, windows, subsets. Batches of them
 * are in items.c. */
#include "data/dataset.h"

#include "core/memory.h"

#include <string.h>

/* source -- what the dataset functions of this file look at. */
typedef struct source {
    const char *x, *y;     /* y NULL: none */
    size_t x_size, y_size; /* bytes of one row: an item's, or a step's */
    int y_per_step;
    int64_t *start;           /* sequences: first step of each, n+1 entries */
    int64_t T, ahead, stride; /* windows */
    const tl_dataset *base;   /* subset */
    const int64_t *index;
} source;

static void source_close(void *user)
{
    source *s = user;
    tl__free(s->start);
    tl__free(s);
}

/* row_shape -- the shape behind the leading axis. */
static tl_shape row_shape(tl_shape s)
{
    return tl_shape_of_dims(s.rank - 1, s.dim + 1);
}

static size_t row_size(const tl_array *a)
{
    return (size_t)tl_shape_count(row_shape(a->shape)) * tl_dtype_size(a->dtype);
}

/* check_rows -- a there, with a leading axis of n entries (any if n < 0). */
static int check_rows(const char *what, const tl_array *a, int64_t n, tl_err *err)
{
    char text[TL_SHAPE_TEXT];
    if (!a)
        return tl__fail(err, TL_EINVAL, "dataset: no %s", what);
    if (a->shape.rank < 1 || tl_shape_count(a->shape) < 0)
        return tl__fail(err, TL_ESHAPE, "dataset: %s is %s, want a leading axis of items", what,
                        tl_shape_text(a->shape, text, sizeof text));
    if (!a->data && tl_shape_count(a->shape) > 0)
        return tl__fail(err, TL_EINVAL, "dataset: %s has no data", what);
    if (n >= 0 && a->shape.dim[0] != n)
        return tl__fail(err, TL_ESHAPE, "dataset: %s is %s, want %lld along its first axis", what,
                        tl_shape_text(a->shape, text, sizeof text), (long long)n);
    return TL_OK;
}

/* empty -- d as {0}, whatever was there; the error if there is no d. */
static int empty(tl_dataset *d, tl_err *err)
{
    if (!d)
        return tl__fail(err, TL_EINVAL, "dataset: none to fill (NULL)");
    *d = (tl_dataset){0};
    return TL_OK;
}

/* make -- d over x and y (NULL: none) with a fresh source in *s. */
static int make(tl_dataset *d, int64_t count, const tl_array *x, const tl_array *y, source **s,
                tl_err *err)
{
    *d = (tl_dataset){0};
    *s = tl__calloc(1, sizeof **s);
    if (!*s)
        return tl__fail(err, TL_ENOMEM, "dataset: no memory");
    (*s)->x = x->data;
    (*s)->x_size = row_size(x);
    *d = (tl_dataset){.count = count, .user = *s, .close = source_close};
    d->x = (tl_field){x->dtype, row_shape(x->shape), 0};
    if (y) {
        (*s)->y = y->data;
        (*s)->y_size = row_size(y);
        d->has_y = 1;
        d->y = (tl_field){y->dtype, row_shape(y->shape), 0};
    }
    return TL_OK;
}

/* copy -- n rows of `size` bytes from row `first` on. */
static void copy(void *to, const char *from, size_t size, int64_t first, int64_t n)
{
    if (to && size > 0 && n > 0)
        memcpy(to, from + (size_t)first * size, (size_t)n * size);
}

static int get_row(void *user, int64_t i, uint64_t seed, int64_t length, void *x, void *y,
                   tl_err *err)
{
    const source *s = user;
    (void)seed, (void)length, (void)err;
    copy(x, s->x, s->x_size, i, 1);
    copy(y, s->y, s->y_size, i, 1);
    return TL_OK;
}

int tl_dataset_arrays(tl_dataset *d, const tl_array *x, const tl_array *y, tl_err *err)
{
    source *s;
    int code = empty(d, err);
    if (code)
        return code;
    code = check_rows("x", x, -1, err);
    if (code == TL_OK && y)
        code = check_rows("y", y, x->shape.dim[0], err);
    if (code == TL_OK)
        code = make(d, x->shape.dim[0], x, y, &s, err);
    if (code == TL_OK)
        d->get = get_row;
    return code;
}

/* ---- sequences ------------------------------------------------------------------------------- */

static int64_t sequence_length(void *user, int64_t i, uint64_t seed, tl_err *err)
{
    const source *s = user;
    (void)seed, (void)err;
    return s->start[i + 1] - s->start[i];
}

static int get_sequence(void *user, int64_t i, uint64_t seed, int64_t length, void *x, void *y,
                        tl_err *err)
{
    const source *s = user;
    (void)seed, (void)err;
    copy(x, s->x, s->x_size, s->start[i], length);
    if (s->y_per_step)
        copy(y, s->y, s->y_size, s->start[i], length);
    else
        copy(y, s->y, s->y_size, i, 1);
    return TL_OK;
}

/* starts -- where each sequence begins; NULL and err when a length is negative or memory is
 * short. */
static int64_t *starts(int64_t n, const int64_t *length, tl_err *err)
{
    int64_t *start = tl__calloc((size_t)n + 1, sizeof *start);
    if (!start) {
        tl__fail(err, TL_ENOMEM, "dataset: no memory for %lld lengths", (long long)n);
        return NULL;
    }
    for (int64_t i = 0; i < n; i++)
        if (length[i] < 0 || __builtin_add_overflow(start[i], length[i], &start[i + 1])) {
            tl__fail(err, TL_ERANGE,
                     "dataset: length[%lld] is %lld, want 0 or more and a sum below 2^63",
                     (long long)i, (long long)length[i]);
            tl__free(start);
            return NULL;
        }
    return start;
}

int tl_dataset_sequences(tl_dataset *d, int64_t n, const int64_t *length, const tl_array *x,
                         const tl_array *y, int y_per_step, tl_err *err)
{
    tl_err local = {0};
    if (!err)
        err = &local;
    int code = empty(d, err);
    if (code)
        return code;
    if (n < 0 || (n > 0 && !length))
        return tl__fail(err, TL_EINVAL,
                        "dataset: got %lld sequences, want 0 or more and their lengths",
                        (long long)n);
    int64_t *start = starts(n, length, err);
    if (!start)
        return err->code;
    source *s = NULL;
    code = check_rows("x", x, start[n], err);
    if (code == TL_OK && y)
        code = check_rows("y", y, y_per_step ? start[n] : n, err);
    if (code == TL_OK)
        code = make(d, n, x, y, &s, err);
    if (code) {
        tl__free(start);
        return code;
    }
    s->start = start;
    s->y_per_step = y_per_step;
    d->y.per_step = y_per_step;
    d->length = sequence_length;
    d->get = get_sequence;
    return TL_OK;
}

/* ---- windows --------------------------------------------------------------------------------- */

static int64_t window_length(void *user, int64_t i, uint64_t seed, tl_err *err)
{
    (void)i, (void)seed, (void)err;
    return ((const source *)user)->T;
}

static int get_window(void *user, int64_t i, uint64_t seed, int64_t length, void *x, void *y,
                      tl_err *err)
{
    const source *s = user;
    (void)seed, (void)err;
    copy(x, s->x, s->x_size, i * s->stride, length);
    copy(y, s->x, s->x_size, i * s->stride + s->T - 1 + s->ahead, 1);
    return TL_OK;
}

int tl_dataset_windows(tl_dataset *d, const tl_array *series, int64_t T, int64_t ahead,
                       int64_t stride, tl_err *err)
{
    source *s;
    int code = empty(d, err);
    if (code)
        return code;
    code = check_rows("series", series, -1, err);
    if (code)
        return code;
    const int64_t n = series->shape.dim[0];
    if (T < 1 || ahead < 0 || stride < 1)
        return tl__fail(err, TL_EINVAL,
                        "windows: got T %lld, ahead %lld, stride %lld; want T, stride 1 or more, "
                        "ahead 0 or more",
                        (long long)T, (long long)ahead, (long long)stride);
    if (T > n || ahead > n - T)
        return tl__fail(
            err, TL_ERANGE,
            "windows: a series of %lld steps has no window of %lld with a target %lld ahead",
            (long long)n, (long long)T, (long long)ahead);
    code = make(d, (n - T - ahead) / stride + 1, series, series, &s, err);
    if (code)
        return code;
    s->T = T;
    s->ahead = ahead;
    s->stride = stride;
    d->length = window_length;
    d->get = get_window;
    return TL_OK;
}

/* ---- subset ---------------------------------------------------------------------------------- */

static int64_t subset_length(void *user, int64_t i, uint64_t seed, tl_err *err)
{
    const source *s = user;
    return s->base->length(s->base->user, s->index[i], seed, err);
}

static int get_subset(void *user, int64_t i, uint64_t seed, int64_t length, void *x, void *y,
                      tl_err *err)
{
    const source *s = user;
    return s->base->get(s->base->user, s->index[i], seed, length, x, y, err);
}

int tl_dataset_subset(tl_dataset *d, const tl_dataset *base, int64_t n, const int64_t *index,
                      tl_err *err)
{
    const int code = empty(d, err);
    if (code)
        return code;
    if (!base || !base->get || n < 0 || (n > 0 && !index))
        return tl__fail(err, TL_EINVAL, "subset: needs a dataset and the numbers of its items");
    for (int64_t i = 0; i < n; i++)
        if (index[i] < 0 || index[i] >= base->count)
            return tl__fail(err, TL_ERANGE,
                            "subset: index[%lld] is %lld, the dataset has %lld items", (long long)i,
                            (long long)index[i], (long long)base->count);
    source *s = tl__calloc(1, sizeof *s);
    if (!s)
        return tl__fail(err, TL_ENOMEM, "subset: no memory");
    s->base = base;
    s->index = index;
    *d = *base;
    d->count = n;
    d->user = s;
    d->length = base->length ? subset_length : NULL;
    d->get = get_subset;
    d->close = source_close;
    return TL_OK;
}

void tl_dataset_close(tl_dataset *d)
{
    if (d && d->close)
        d->close(d->user);
    if (d)
        *d = (tl_dataset){0};
}
