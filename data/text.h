/* text.h -- a text as one long row of ids, with its vocabulary. Batches of it are in batches.h. */
#ifndef TL_DATA_TEXT_H
#define TL_DATA_TEXT_H

#include "data/batches.h"
#include "data/vocab.h"

TL_BEGIN_DECLS

typedef struct tl_text tl_text;

/* tl_text_load -- from a file. tl_text_new -- from memory (copied). NULL and err on failure.
 *
 *   vocab  the vocabulary to use (copied), for instance of a trained model; NULL: made from this
 *          text as opts say
 *   opts   only when vocab is NULL; NULL: all defaults
 *
 * Errors: TL_EIO; TL_EFORMAT (UTF-8, with file and byte offset); TL_ENAME for a symbol without an
 * id; TL_ERANGE for an empty text; TL_ENOMEM. Four bytes for each symbol stay in memory. */
TL_API tl_text *tl_text_load(const char *path, const tl_vocab *vocab, const tl_vocab_opts *opts,
                             tl_err *err);
TL_API tl_text *tl_text_new(const char *text, size_t size, const tl_vocab *vocab,
                            const tl_vocab_opts *opts, tl_err *err);
TL_API void tl_text_free(tl_text *t);

TL_API const tl_vocab *tl_text_vocab(const tl_text *t);

/* tl_text_stream -- all of it; belongs to the text. */
TL_API tl_stream tl_text_stream(const tl_text *t);

/* tl_text_split -- cuts the stream into consecutive parts: for training, validation and test.
 *
 *   fraction[nparts]  each in (0,1], sum at most 1 (+ 1e-9)
 *
 * Errors: TL_EINVAL; TL_ERANGE when a part would have fewer than 2 symbols. */
TL_API int tl_text_split(const tl_text *t, int nparts, const double *fraction, tl_stream *part,
                         tl_err *err);

TL_END_DECLS
#endif
