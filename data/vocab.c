/* vocab.c -- symbols and their ids. */
#include "data/vocab.h"

#include "core/file.h"
#include "core/memory.h"
#include "core/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CODES = 0x110000, PAGE = 256 }; /* a code is page * 256 + place in page */

static const char LINE_START[] = "tapeloop-vocabulary 1";

/* tl_vocab -- codes by id, and ids by code in pages that exist only where there are symbols. */
struct tl_vocab {
    tl_symbols symbols;
    int32_t n; /* symbols, without the unknown one */
    int unknown;
    uint32_t *code; /* [n] */
    int32_t
        *page[CODES / PAGE]; /* [PAGE] ids, -1 where there is none; NULL: no symbol in this page */
};

tl_vocab_opts tl_vocab_defaults(void)
{
    return (tl_vocab_opts){.symbols = TL_CHARS, .min_count = 1};
}

void tl_vocab_free(tl_vocab *v)
{
    if (!v)
        return;
    for (int p = 0; p < CODES / PAGE; p++)
        tl__free(v->page[p]);
    tl__free(v->code);
    tl__free(v);
}

static int page_open(tl_vocab *v, uint32_t p)
{
    if (v->page[p])
        return TL_OK;
    v->page[p] = tl__alloc(PAGE * sizeof *v->page[p]);
    if (!v->page[p])
        return TL_ENOMEM;
    for (int i = 0; i < PAGE; i++)
        v->page[p][i] = -1;
    return TL_OK;
}

/* is_code -- whether a symbol of this kind can have this code. */
static int is_code(tl_symbols symbols, uint32_t code)
{
    return symbols == TL_BYTES ? code < 256 : code < CODES && (code < 0xD800 || code > 0xDFFF);
}

tl_vocab *tl_vocab_of_codes(tl_symbols symbols, int unknown, int32_t n, const uint32_t *codes,
                            tl_err *err)
{
    if ((symbols != TL_BYTES && symbols != TL_CHARS) || n < 0 || n > CODES || (n > 0 && !codes) ||
        n + (unknown != 0) < 1) {
        tl__fail(err, TL_EINVAL, "vocabulary: got %d symbols, want at least one", n);
        return NULL;
    }
    tl_vocab *v = tl__calloc(1, sizeof *v);
    if (v)
        v->code = tl__calloc((size_t)n + 1, sizeof *v->code);
    if (!v || !v->code)
        goto no_memory;
    v->symbols = symbols;
    v->unknown = unknown != 0;
    for (v->n = 0; v->n < n; v->n++) {
        const uint32_t code = codes[v->n];
        if (!is_code(symbols, code)) {
            tl__fail(err, TL_ERANGE, "vocabulary: symbol %d has code %u, which is no %s", v->n,
                     code, symbols == TL_BYTES ? "byte" : "code point");
            tl_vocab_free(v);
            return NULL;
        }
        if (page_open(v, code / PAGE))
            goto no_memory;
        int32_t *id = &v->page[code / PAGE][code % PAGE];
        if (*id >= 0) {
            tl__fail(err, TL_ENAME, "vocabulary: symbols %d and %d have the same code %u", *id,
                     v->n, code);
            tl_vocab_free(v);
            return NULL;
        }
        *id = v->n;
        v->code[v->n] = code;
    }
    return v;
no_memory:
    tl__fail(err, TL_ENOMEM, "vocabulary: no memory");
    tl_vocab_free(v);
    return NULL;
}

int32_t tl_vocab_size(const tl_vocab *v)
{
    return v ? v->n + v->unknown : 0;
}

int32_t tl_vocab_unknown(const tl_vocab *v)
{
    return v && v->unknown ? v->n : -1;
}

tl_symbols tl_vocab_symbols(const tl_vocab *v)
{
    return v ? v->symbols : TL_BYTES;
}

int32_t tl_vocab_id(const tl_vocab *v, uint32_t code)
{
    const int32_t *page = v && code < CODES ? v->page[code / PAGE] : NULL;
    const int32_t id = page ? page[code % PAGE] : -1;
    return id >= 0 ? id : tl_vocab_unknown(v);
}

uint32_t tl_vocab_code(const tl_vocab *v, int32_t id)
{
    return v && id >= 0 && id < v->n ? v->code[id] : TL_NO_CODE;
}

/* ---- text to symbols and back ---------------------------------------------------------------- */

/* next -- the symbol at text[at]; its length, or 0 when it is not UTF-8. */
static int next(tl_symbols symbols, const char *text, size_t size, size_t at, uint32_t *code)
{
    if (symbols == TL_CHARS)
        return tl__utf8_next(text + at, size - at, code);
    *code = (unsigned char)text[at];
    return 1;
}

static int not_utf8(const char *text, size_t at, tl_err *err)
{
    return tl__fail(err, TL_EFORMAT,
                    "byte offset %zu: 0x%02X does not begin a valid UTF-8 character", at,
                    (unsigned char)text[at]);
}

tl_vocab *tl_vocab_of_text(const char *text, size_t size, const tl_vocab_opts *opts, tl_err *err)
{
    const tl_vocab_opts o = opts ? *opts : tl_vocab_defaults();
    if ((size > 0 && !text) || (o.min_count > 1 && !o.unknown)) {
        tl__fail(err, TL_EINVAL,
                 text ? "vocabulary: leaving out rare symbols wants an id for the unknown one"
                      : "vocabulary: no text");
        return NULL;
    }
    int64_t *count = tl__calloc(CODES, sizeof *count);
    uint32_t *codes = tl__alloc(CODES * sizeof *codes);
    tl_vocab *v = NULL;
    if (!count || !codes) {
        tl__fail(err, TL_ENOMEM, "vocabulary: no memory to count symbols");
        goto done;
    }
    uint32_t code;
    for (size_t at = 0; at < size;) {
        int length = next(o.symbols, text, size, at, &code);
        if (length == 0) {
            not_utf8(text, at, err);
            goto done;
        }
        count[code]++;
        at += (size_t)length;
    }
    int32_t n = 0;
    for (code = 0; code < CODES; code++)
        if (count[code] > 0 && count[code] >= o.min_count)
            codes[n++] = code;
    v = tl_vocab_of_codes(o.symbols, o.unknown, n, codes, err);
done:
    tl__free(count);
    tl__free(codes);
    return v;
}

int64_t tl_vocab_encode(const tl_vocab *v, const char *text, size_t size, int32_t *ids,
                        int64_t room, tl_err *err)
{
    if (!v || (size > 0 && !text))
        return tl__fail(err, TL_EINVAL, "tl_vocab_encode: no %s (NULL)", v ? "text" : "vocabulary");
    int64_t n = 0;
    uint32_t code;
    for (size_t at = 0; at < size; n++) {
        int length = next(v->symbols, text, size, at, &code);
        if (length == 0)
            return not_utf8(text, at, err);
        const int32_t id = tl_vocab_id(v, code);
        if (id < 0)
            return tl__fail(err, TL_ENAME,
                            "byte offset %zu: symbol %.*s (code %u) is not in the vocabulary of %d",
                            at, v->symbols == TL_CHARS && code >= ' ' ? length : 0, text + at, code,
                            tl_vocab_size(v));
        if (ids && n >= room)
            return tl__fail(err, TL_ERANGE, "tl_vocab_encode: the text has more than %lld symbols",
                            (long long)room);
        if (ids)
            ids[n] = id;
        at += (size_t)length;
    }
    return n;
}

int64_t tl_vocab_decode(const tl_vocab *v, int64_t n, const int32_t *ids, char *text, size_t room)
{
    int64_t need = 0;
    int full = room == 0 || !text;
    size_t used = 0;
    if (n < 0 || (n > 0 && !ids))
        return tl__fail(NULL, TL_EINVAL, "tl_vocab_decode: got %lld ids%s, want 0 or more",
                        (long long)n, ids ? "" : " (NULL)");
    for (int64_t i = 0; i < n; i++) {
        char symbol[4] = {'?', 0, 0, 0};
        int length = 1;
        const uint32_t code = tl_vocab_code(v, ids[i]);
        if (tl_vocab_symbols(v) == TL_CHARS)
            length = tl__utf8_put(code == TL_NO_CODE ? 0xFFFD : code, symbol);
        else if (code != TL_NO_CODE)
            symbol[0] = (char)code;
        need += length;
        if (full || used + (size_t)length >= room) {
            full = 1; /* never half a character */
            continue;
        }
        memcpy(text + used, symbol, (size_t)length);
        used += (size_t)length;
    }
    if (room > 0 && text)
        text[used] = '\0';
    return need;
}

/* ---- as a line of text ----------------------------------------------------------------------- */

/* "tapeloop-vocabulary 1 chars 0 3 10 32 97": version, kind of symbols, whether there is an unknown
 * id, number, codes. */
int64_t tl_vocab_text(const tl_vocab *v, char *text, size_t room)
{
    if (room > 0 && text)
        text[0] = '\0';
    if (!v)
        return 0;
    char word[80];
    int64_t used = 0;
    for (int32_t i = -1; i < v->n; i++) {
        int length = i < 0 ? snprintf(word, sizeof word, "%s %s %d %d", LINE_START,
                                      v->symbols == TL_BYTES ? "bytes" : "chars", v->unknown, v->n)
                           : snprintf(word, sizeof word, " %u", v->code[i]);
        if (text && (size_t)used < room)
            snprintf(text + used, room - (size_t)used, "%s", word);
        used += length;
    }
    return used;
}

/* word -- a space and a number below the limit at *at, which moves behind it; 0 when there is
 * none. */
static int word(const char **at, uint32_t limit, uint32_t *value)
{
    const char *c = *at;
    uint32_t x = 0;
    if (*c++ != ' ' || *c < '0' || *c > '9')
        return 0;
    for (; *c >= '0' && *c <= '9'; c++) {
        x = x * 10 + (uint32_t)(*c - '0');
        if (x >= limit)
            return 0;
    }
    *at = c;
    *value = x;
    return 1;
}

tl_vocab *tl_vocab_parse(const char *text, tl_err *err)
{
    uint32_t unknown = 0, n = 0, *codes = NULL;
    tl_vocab *v = NULL;
    const size_t start = sizeof LINE_START - 1;
    if (!text || strncmp(text, LINE_START, start) != 0) {
        tl__fail(err, TL_EFORMAT, "not a vocabulary: want \"%s ...\"", LINE_START);
        return NULL;
    }
    const char *at = text + start;
    const int bytes = strncmp(at, " bytes", 6) == 0;
    int good = bytes || strncmp(at, " chars", 6) == 0;
    at += good ? 6 : 0;
    good = good && word(&at, 2, &unknown) && word(&at, CODES + 1, &n);
    if (good) {
        codes = tl__calloc((size_t)n + 1, sizeof *codes);
        if (!codes) {
            tl__fail(err, TL_ENOMEM, "vocabulary: no memory for %u symbols", n);
            return NULL;
        }
    }
    for (uint32_t i = 0; good && i < n; i++)
        good = word(&at, CODES, &codes[i]);
    while (good && (*at == '\n' || *at == '\r'))
        at++;
    if (!good || *at)
        tl__fail(err, TL_EFORMAT, "damaged vocabulary at character %lld", (long long)(at - text));
    else
        v = tl_vocab_of_codes(bytes ? TL_BYTES : TL_CHARS, (int)unknown, (int32_t)n, codes, err);
    tl__free(codes);
    return v;
}

int tl_vocab_save(const tl_vocab *v, const char *path, tl_err *err)
{
    if (!v)
        return tl__fail(err, TL_EINVAL, "tl_vocab_save: no vocabulary (NULL)");
    const size_t size = (size_t)tl_vocab_text(v, NULL, 0) + 1;
    char *text = tl__alloc(size);
    if (!text)
        return tl__fail(err, TL_ENOMEM, "%s: no memory for the vocabulary", path);
    tl_vocab_text(v, text, size);
    text[size - 1] = '\n';
    tl_writer file;
    int code = tl__writer_open(&file, path, err);
    if (code == TL_OK) {
        code = tl__writer_put(&file, text, size, err);
        if (code == TL_OK)
            code = tl__writer_commit(&file, err);
        else
            tl__writer_cancel(&file);
    }
    tl__free(text);
    return code;
}

tl_vocab *tl_vocab_load(const char *path, tl_err *err)
{
    size_t size;
    tl_err why = {0};
    char *text = tl__file_load(path, &size, err);
    if (!text)
        return NULL;
    tl_vocab *v = NULL;
    if (strlen(text) != size)
        tl__fail(err, TL_EFORMAT, "%s: not a vocabulary: has a zero byte", path);
    else if (!(v = tl_vocab_parse(text, &why)))
        tl__fail(err, why.code, "%s: %s", path, why.message);
    tl__free(text);
    return v;
}
