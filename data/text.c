/* text.c -- a text as ids. */
#include "data/text.h"

#include "core/file.h"
#include "core/memory.h"
#include "data/order.h"

struct tl_text {
    tl_vocab *vocab;
    int32_t *ids;
    int64_t count;
};

static tl_vocab *copy_of(const tl_vocab *v, tl_err *err)
{
    const int32_t n = tl_vocab_size(v) - (tl_vocab_unknown(v) >= 0);
    uint32_t *codes = tl__alloc(((size_t)n + 1) * sizeof *codes);
    if (!codes) {
        tl__fail(err, TL_ENOMEM, "no memory for the vocabulary");
        return NULL;
    }
    for (int32_t i = 0; i < n; i++)
        codes[i] = tl_vocab_code(v, i);
    tl_vocab *copy =
        tl_vocab_of_codes(tl_vocab_symbols(v), tl_vocab_unknown(v) >= 0, n, codes, err);
    tl__free(codes);
    return copy;
}

void tl_text_free(tl_text *t)
{
    if (!t)
        return;
    tl_vocab_free(t->vocab);
    tl__free(t->ids);
    tl__free(t);
}

tl_text *tl_text_new(const char *text, size_t size, const tl_vocab *vocab,
                     const tl_vocab_opts *opts, tl_err *err)
{
    if (!text || size == 0) {
        tl__fail(err, TL_ERANGE, "the text is empty");
        return NULL;
    }
    tl_text *t = tl__calloc(1, sizeof *t);
    if (!t) {
        tl__fail(err, TL_ENOMEM, "no memory for the text");
        return NULL;
    }
    t->vocab = vocab ? copy_of(vocab, err) : tl_vocab_of_text(text, size, opts, err);
    t->count = t->vocab ? tl_vocab_encode(t->vocab, text, size, NULL, 0, err) : -1;
    if (t->count < 0)
        goto failed;
    t->ids = tl__alloc((size_t)t->count * sizeof *t->ids);
    if (!t->ids) {
        tl__fail(err, TL_ENOMEM, "no memory for %lld symbols", (long long)t->count);
        goto failed;
    }
    tl_vocab_encode(t->vocab, text, size, t->ids, t->count, err);
    return t;
failed:
    tl_text_free(t);
    return NULL;
}

tl_text *tl_text_load(const char *path, const tl_vocab *vocab, const tl_vocab_opts *opts,
                      tl_err *err)
{
    size_t size;
    tl_err why = {0};
    char *text = tl__file_load(path, &size, err);
    if (!text)
        return NULL;
    tl_text *t = tl_text_new(text, size, vocab, opts, &why);
    if (!t)
        tl__fail(err, why.code, "%s: %s", path, why.message);
    tl__free(text);
    return t;
}

const tl_vocab *tl_text_vocab(const tl_text *t)
{
    return t ? t->vocab : NULL;
}

tl_stream tl_text_stream(const tl_text *t)
{
    return t ? (tl_stream){t->ids, t->count} : (tl_stream){0};
}

int tl_text_split(const tl_text *t, int nparts, const double *fraction, tl_stream *part,
                  tl_err *err)
{
    if (!t || !part || nparts < 1)
        return tl__fail(err, TL_EINVAL, "tl_text_split: needs a text and at least one part");
    int64_t *start = tl__calloc((size_t)nparts + 1, sizeof *start);
    if (!start)
        return tl__fail(err, TL_ENOMEM, "tl_text_split: no memory");
    int code = tl__split_starts("symbols", t->count, 2, nparts, fraction, start, err);
    for (int p = 0; p < nparts && code == TL_OK; p++)
        part[p] = (tl_stream){t->ids + start[p], start[p + 1] - start[p]};
    tl__free(start);
    return code;
}
