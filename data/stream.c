/* stream.c -- contiguous batches of a stream of ids; the drawing is in batches.h. */
#include "core/memory.h"
#include "data/batches.h"

typedef struct rows {
    tl_batches batches; /* first: a tl_batches is a rows */
    tl_stream s;
    int64_t B, T;
    int64_t length; /* L: symbols of x in each row */
} rows;

tl_stream_opts tl_stream_defaults(void)
{
    return (tl_stream_opts){.batch = 32, .steps = 100};
}

static int make(const tl_batches *self, tl_place place, tl_batch *b, tl_err *err)
{
    const rows *r = (const rows *)self;
    const int64_t first = place.index * r->T, left = r->length - first,
                  T = left < r->T ? left : r->T;
    int code = tl_array_resize(&b->x, TL_I32, tl_shape2(T, r->B));
    if (code == TL_OK)
        code = tl_array_resize(&b->y, TL_I32, tl_shape2(T, r->B));
    if (code)
        return tl__fail(err, code, "no memory for [%lld,%lld] symbols", (long long)T,
                        (long long)r->B);
    tl_array_close(&b->lengths);
    b->size = r->B;
    b->steps = T;
    int32_t *x = b->x.data, *y = b->y.data;
    for (int64_t t = 0; t < T; t++)
        for (int64_t row = 0; row < r->B; row++) {
            const int32_t *from = r->s.ids + row * r->length + first + t;
            x[t * r->B + row] = from[0];
            y[t * r->B + row] = from[1];
        }
    return TL_OK;
}

static void rows_free(tl_batches *b)
{
    tl__free(b);
}

tl_batches *tl_batches_of_stream(tl_stream s, const tl_stream_opts *opts, tl_err *err)
{
    const tl_stream_opts o = opts ? *opts : tl_stream_defaults();
    if (o.batch < 1 || o.steps < 1 || !s.ids) {
        tl__fail(err, TL_EINVAL, "stream: got batch %lld, steps %lld%s; want both 1 or more",
                 (long long)o.batch, (long long)o.steps, s.ids ? "" : ", no ids");
        return NULL;
    }
    const int64_t length = (s.count - 1) / o.batch, full = length / o.steps,
                  rest = length % o.steps;
    const int64_t count = full + (o.keep_last && rest > 0);
    if (s.count < 2 || count < 1) {
        tl__fail(err, TL_ERANGE,
                 "stream: %lld symbols do not fill one batch of %lld rows and %lld steps",
                 (long long)s.count, (long long)o.batch, (long long)o.steps);
        return NULL;
    }
    rows *r = tl__calloc(1, sizeof *r);
    if (!r) {
        tl__fail(err, TL_ENOMEM, "stream: no memory");
        return NULL;
    }
    *r = (rows){
        {.count = count, .user = r, .make = make, .free = rows_free}, s, o.batch, o.steps, length};
    return &r->batches;
}
