/* items.c -- batches of a dataset's items: picked by a shuffled order, put together, padded.
 *
 *     order of the epoch   5 2 7 | 0 6 1 | 4 3        batch = 3
 *     item 5  a b c        x [T,B]:  a d f
 *     item 2  d e                    b e g
 *     item 7  f g h i                c . h
 *                                    . . i            lengths 3 2 4 */
#include "data/batches.h"

#include "core/memory.h"
#include "data/order.h"

#include <string.h>
#include <uv.h>

/* order -- the permutation of one epoch, shared by the threads that make its batches. */
typedef struct order {
    uint64_t seed;
    int64_t epoch;
    int refs; /* under the lock; the cache's own included */
    int64_t item[];
} order;

typedef struct items {
    tl_batches batches; /* first: a tl_batches is an items */
    const tl_dataset *data;
    tl_items_opts o;
    uv_mutex_t lock;
    order *recent[2]; /* while one epoch ends the next is begun; [0] is the one used last */
} items;

tl_items_opts tl_items_defaults(void)
{
    return (tl_items_opts){.batch = 32, .shuffle = 1};
}

/* ---- order ----------------------------------------------------------------------------------- */

/* order_let_go -- under the lock. */
static void order_let_go(order *p)
{
    if (p && --p->refs == 0)
        tl__free(p);
}

/* order_open -- the order at place; NULL when memory is short. Ended by order_close. */
static order *order_open(items *s, tl_place place)
{
    uv_mutex_lock(&s->lock);
    order *p = NULL;
    int k = 0;
    for (; k < 2 && !p; k++)
        if (s->recent[k] && s->recent[k]->epoch == place.epoch && s->recent[k]->seed == place.seed)
            p = s->recent[k];
    if (!p) {
        p = tl__alloc(sizeof *p + (size_t)s->data->count * sizeof p->item[0]);
        if (p) {
            *p = (order){.seed = place.seed, .epoch = place.epoch, .refs = 1};
            tl_shuffle(place.seed, place.epoch, s->data->count, p->item);
            order_let_go(s->recent[1]);
            s->recent[1] = s->recent[0];
            s->recent[0] = p;
        }
    } else if (k == 2) {
        s->recent[1] = s->recent[0];
        s->recent[0] = p;
    }
    if (p)
        p->refs++;
    uv_mutex_unlock(&s->lock);
    return p;
}

static void order_close(items *s, order *p)
{
    uv_mutex_lock(&s->lock);
    order_let_go(p);
    uv_mutex_unlock(&s->lock);
}

/* pick -- numbers of the batch's items. */
static int pick(items *s, tl_place place, tl_batch *b, tl_err *err)
{
    const int64_t first = place.index * s->o.batch, left = s->data->count - first;
    if (tl_batch_items(b, left < s->o.batch ? left : s->o.batch))
        return tl__fail(err, TL_ENOMEM, "no memory for the items' numbers");
    for (int64_t r = 0; r < b->size; r++)
        b->items[r] = first + r;
    if (!s->o.shuffle)
        return TL_OK;
    order *p = order_open(s, place);
    if (!p)
        return tl__fail(err, TL_ENOMEM, "no memory for the order of %lld items",
                        (long long)s->data->count);
    memcpy(b->items, p->item + first, (size_t)b->size * sizeof b->items[0]);
    order_close(s, p);
    return TL_OK;
}

/* ---- putting together ------------------------------------------------------------------------ */

/* panel -- a field of the batch: where row r's step t lies. */
typedef struct panel {
    char *data;
    size_t element;   /* bytes of one item's entry, or of one step's */
    size_t row, step; /* bytes from row to row, from step to step */
    int64_t steps;    /* T; 1 without time */
} panel;

/* lay -- sizes array a for B rows (and T steps) of the field, and says where they lie. */
static int lay(tl_array *a, const tl_field *f, int over_time, int64_t B, int64_t T, int batch_first,
               panel *p, tl_err *err)
{
    char text[TL_SHAPE_TEXT];
    int64_t dim[TL_MAX_RANK] = {B, T};
    int lead = over_time ? 2 : 1;
    if (over_time && !batch_first) {
        dim[0] = T;
        dim[1] = B;
    }
    for (int i = 0; i < f->shape.rank; i++)
        dim[lead + i] = f->shape.dim[i];
    tl_shape shape = tl_shape_of_dims(lead + f->shape.rank, dim);
    int code = tl_array_resize(a, f->dtype, shape);
    if (code)
        return tl__fail(err, code, "no room for %s %s", tl_dtype_name(f->dtype),
                        tl_shape_text(shape, text, sizeof text));
    p->data = a->data;
    p->element = (size_t)tl_shape_count(f->shape) * tl_dtype_size(f->dtype);
    p->steps = over_time ? T : 1;
    p->row = over_time && batch_first ? p->element * (size_t)T : p->element;
    p->step = batch_first ? p->element : p->element * (size_t)B;
    return TL_OK;
}

/* fill -- n elements of the value. */
static void fill(tl_dtype dtype, char *to, size_t n, double value)
{
    for (size_t i = 0; i < n; i++)
        switch (dtype) {
        case TL_F32:
            ((float *)to)[i] = (float)value;
            break;
        case TL_F64:
            ((double *)to)[i] = value;
            break;
        case TL_I32:
            ((int32_t *)to)[i] = (int32_t)value;
            break;
        }
}

/* spread -- `length` steps, contiguous in from, into row r; padding behind. */
static void spread(const panel *p, const tl_field *f, const char *from, int64_t r, int64_t length,
                   double pad)
{
    char *row = p->data + (size_t)r * p->row;
    for (int64_t t = 0; t < p->steps; t++) {
        char *to = row + (size_t)t * p->step;
        if (t >= length)
            fill(f->dtype, to, p->element / tl_dtype_size(f->dtype), pad);
        else if (p->element > 0)
            memcpy(to, from + (size_t)t * p->element, p->element);
    }
}

/* measure -- lengths of all items; T is the longest, or what the options say. */
static int measure(const items *s, tl_place place, tl_batch *b, int64_t *T, tl_err *err)
{
    if (tl_array_resize(&b->lengths, TL_I32, tl_shape1(b->size)))
        return tl__fail(err, TL_ENOMEM, "no memory for the lengths");
    int32_t *length = b->lengths.data;
    *T = s->o.steps;
    for (int64_t r = 0; r < b->size; r++) {
        tl_err why = {0};
        const int64_t i = b->items[r];
        const int64_t n =
            s->data->length(s->data->user, i, tl__item_seed(place.seed, place.epoch, i), &why);
        if (n < 0)
            return tl__fail(err, (int)(n < INT32_MIN ? TL_EINVAL : n), "item %lld: its length: %s",
                            (long long)i, why.message[0] ? why.message : tl_strerror((int)n));
        if (n > INT32_MAX || (s->o.steps > 0 && n > s->o.steps))
            return tl__fail(err, TL_ERANGE, "item %lld: has %lld steps, at most %lld fit",
                            (long long)i, (long long)n,
                            (long long)(s->o.steps > 0 ? s->o.steps : INT32_MAX));
        length[r] = (int32_t)n;
        if (*T < n)
            *T = n;
    }
    return TL_OK;
}

/* gather -- fetches the items one by one. The user's function writes an item's steps one after the
 * other; where they are to lie apart they go through a scratch. */
static int gather(const items *s, tl_place place, tl_batch *b, const panel *x, const panel *y,
                  char *scratch, size_t x_scratch, tl_err *err)
{
    const tl_dataset *d = s->data;
    const int32_t *length = b->lengths.data;
    for (int64_t r = 0; r < b->size; r++) {
        tl_err why = {0};
        const int64_t i = b->items[r], n = length ? length[r] : 1;
        char *to_x = length ? scratch : x->data + (size_t)r * x->row;
        char *to_y = !d->has_y       ? NULL
                     : d->y.per_step ? scratch + x_scratch
                                     : y->data + (size_t)r * y->row;
        int code =
            d->get(d->user, i, tl__item_seed(place.seed, place.epoch, i), n, to_x, to_y, &why);
        if (code)
            return tl__fail(err, code < 0 ? code : TL_EINVAL, "item %lld: %s", (long long)i,
                            why.message[0] ? why.message : tl_strerror(code));
        if (length)
            spread(x, &d->x, to_x, r, n, s->o.pad_x);
        if (d->has_y && d->y.per_step)
            spread(y, &d->y, to_y, r, n, s->o.pad_y);
    }
    return TL_OK;
}

static int make(const tl_batches *self, tl_place place, tl_batch *b, tl_err *err)
{
    items *s = (items *)(uintptr_t)
        self; /* the cache of orders changes, under its lock; what is made does not */
    const tl_dataset *d = s->data;
    const int over_time = d->length != NULL;
    panel x = {0}, y = {0};
    int64_t T = 0;
    int code = pick(s, place, b, err);
    if (code == TL_OK && over_time)
        code = measure(s, place, b, &T, err);
    if (code == TL_OK)
        code = lay(&b->x, &d->x, over_time, b->size, T, s->o.batch_first, &x, err);
    if (code == TL_OK && d->has_y)
        code = lay(&b->y, &d->y, d->y.per_step, b->size, T, s->o.batch_first, &y, err);
    if (code)
        return code;
    if (!over_time)
        tl_array_close(&b->lengths);
    if (!d->has_y)
        tl_array_close(&b->y);
    b->steps = T;
    char *scratch = NULL;
    const size_t x_scratch = (x.element * (size_t)T + 63) / 64 * 64; /* y's part aligned as well */
    if (over_time) {
        scratch = tl__aligned_alloc(x_scratch + y.element * (size_t)T);
        if (!scratch)
            return tl__fail(err, TL_ENOMEM, "no memory for an item");
    }
    code = gather(s, place, b, &x, &y, scratch, x_scratch, err);
    tl__aligned_free(scratch);
    return code;
}

/* ---- the recipe ------------------------------------------------------------------------------ */

static void items_free(tl_batches *b)
{
    items *s = (items *)b;
    for (int k = 0; k < 2; k++)
        order_let_go(s->recent[k]);
    uv_mutex_destroy(&s->lock);
    tl__free(s);
}

static int check(const tl_dataset *d, const tl_items_opts *o, tl_err *err)
{
    if (!d || !d->get || d->count < 1 || d->count > INT64_MAX / 16)
        return tl__fail(err, TL_EINVAL, "items: the dataset is empty, or has no get");
    if (o->batch < 1 || o->steps < 0)
        return tl__fail(err, TL_EINVAL,
                        "items: got batch %lld, steps %lld; want batch 1 or more, steps 0 or more",
                        (long long)o->batch, (long long)o->steps);
    const int lead = d->length ? 2 : 1;
    char x[TL_SHAPE_TEXT], y[TL_SHAPE_TEXT];
    if (tl_shape_count(d->x.shape) < 0 || d->x.shape.rank + lead > TL_MAX_RANK ||
        (d->has_y && (tl_shape_count(d->y.shape) < 0 || d->y.shape.rank + lead > TL_MAX_RANK)))
        return tl__fail(
            err, TL_ESHAPE, "items: got items of x %s, y %s, want valid shapes of at most %d axes",
            tl_shape_text(d->x.shape, x, sizeof x),
            d->has_y ? tl_shape_text(d->y.shape, y, sizeof y) : "none", TL_MAX_RANK - lead);
    if (d->has_y && d->y.per_step && !d->length)
        return tl__fail(err, TL_EINVAL, "items: a target for each step wants items with a length");
    if (o->drop_last && d->count < o->batch)
        return tl__fail(err, TL_ERANGE, "items: %lld items do not fill one batch of %lld",
                        (long long)d->count, (long long)o->batch);
    return TL_OK;
}

tl_batches *tl_batches_of_items(const tl_dataset *d, const tl_items_opts *opts, tl_err *err)
{
    const tl_items_opts o = opts ? *opts : tl_items_defaults();
    if (check(d, &o, err))
        return NULL;
    items *s = tl__calloc(1, sizeof *s);
    if (!s || uv_mutex_init(&s->lock) != 0) {
        tl__free(s);
        tl__fail(err, TL_ENOMEM, "items: no memory");
        return NULL;
    }
    const int64_t full = d->count / o.batch, rest = d->count % o.batch;
    s->batches = (tl_batches){
        .count = full + (rest > 0 && !o.drop_last), .user = s, .make = make, .free = items_free};
    s->data = d;
    s->o = o;
    return &s->batches;
}
