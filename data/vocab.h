/* vocab.h -- which number a symbol has. A symbol is a byte or a character (a Unicode code point of
 * UTF-8 text).
 *
 * A model means nothing without its vocabulary: save both, or put the vocabulary's text into the
 * weights' metadata, and generated text will use the same ids. */
#ifndef TL_DATA_VOCAB_H
#define TL_DATA_VOCAB_H

#include "core/status.h"

TL_BEGIN_DECLS

typedef enum tl_symbols { TL_BYTES = 0, TL_CHARS = 1 } tl_symbols;

typedef struct tl_vocab tl_vocab;

typedef struct tl_vocab_opts {
    tl_symbols symbols; /* default TL_CHARS */
    int unknown;        /* all other symbols share an id (the last), default 0: they are errors */
    int64_t min_count;  /* what is seen less often has no id, default 1; above 1 needs unknown */
} tl_vocab_opts;

TL_API tl_vocab_opts tl_vocab_defaults(void);

/* tl_vocab_of_text -- the distinct symbols of a text, numbered in ascending order of their codes.
 * NULL and err on failure: TL_EFORMAT with the byte offset where characters are not valid UTF-8,
 * TL_EINVAL, TL_ENOMEM. */
TL_API tl_vocab *tl_vocab_of_text(const char *text, size_t size, const tl_vocab_opts *opts,
                                  tl_err *err);

/* tl_vocab_of_codes -- n given symbols, id = position: bytes 0..255 or code points. TL_ENAME if one
 * comes twice. */
TL_API tl_vocab *tl_vocab_of_codes(tl_symbols symbols, int unknown, int32_t n,
                                   const uint32_t *codes, tl_err *err);
TL_API void tl_vocab_free(tl_vocab *v);

/* tl_vocab_size -- number of ids, the unknown one included. tl_vocab_unknown -- its id, -1 if there
 * is none. */
TL_API int32_t tl_vocab_size(const tl_vocab *v);
TL_API int32_t tl_vocab_unknown(const tl_vocab *v);
TL_API tl_symbols tl_vocab_symbols(const tl_vocab *v);

/* tl_vocab_id -- the id of a code; the unknown id, or -1, when it has none. */
TL_API int32_t tl_vocab_id(const tl_vocab *v, uint32_t code);

/* tl_vocab_code -- the code of an id; TL_NO_CODE for the unknown id and for what is no id. */
#define TL_NO_CODE UINT32_MAX
TL_API uint32_t tl_vocab_code(const tl_vocab *v, int32_t id);

/* tl_vocab_encode -- text to ids[room]; ids NULL only counts.
 *
 * Returns the number of symbols, or a negative code: TL_EFORMAT (UTF-8, with byte offset), TL_ENAME
 * (symbol without an id, with byte offset), TL_ERANGE when room is too small. */
TL_API int64_t tl_vocab_encode(const tl_vocab *v, const char *text, size_t size, int32_t *ids,
                               int64_t room, tl_err *err);

/* tl_vocab_decode -- n ids to text[room], zero-terminated and, like snprintf, cut off at room;
 * returns the bytes needed without the zero; TL_EINVAL if n is negative or ids NULL. The unknown id
 * becomes U+FFFD (characters) or '?' (bytes), and so does what is no id. */
TL_API int64_t tl_vocab_decode(const tl_vocab *v, int64_t n, const int32_t *ids, char *text,
                               size_t room);

/* tl_vocab_text -- the vocabulary as one line of text, written like tl_vocab_decode. tl_vocab_parse
 * reads it back. */
TL_API int64_t tl_vocab_text(const tl_vocab *v, char *text, size_t room);
TL_API tl_vocab *tl_vocab_parse(const char *text, tl_err *err);

/* tl_vocab_save, tl_vocab_load -- that line in a file of its own, written atomically. */
TL_API int tl_vocab_save(const tl_vocab *v, const char *path, tl_err *err);
TL_API tl_vocab *tl_vocab_load(const char *path, tl_err *err);

TL_END_DECLS
#endif
