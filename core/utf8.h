/* utf8.h -- code points in and out of UTF-8, strictly as RFC 3629 has it. Private. */
#ifndef TL_CORE_UTF8_H
#define TL_CORE_UTF8_H

#include "core/status.h"

/* tl__utf8_next -- the code point that starts at text[0], size > 0; returns its length 1..4, or 0
 * when these bytes are not valid (stray or missing continuation, overlong form, surrogate, above
 * U+10FFFF, cut off). */
TL_API int tl__utf8_next(const char *text, size_t size, uint32_t *code);

/* tl__utf8_put -- writes a code point and returns its length 1..4; 0 for what is not a code
 * point. */
TL_API int tl__utf8_put(uint32_t code, char out[4]);

/* tl__utf8_check -- the offset of the first byte that is not valid; size when all are. */
TL_API size_t tl__utf8_check(const char *text, size_t size);

#endif
