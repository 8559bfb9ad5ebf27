/* prose.h -- a growing string. Private. */
#ifndef TL_CORE_PROSE_H
#define TL_CORE_PROSE_H

#include "core/memory.h"

/* tl_text -- zeros at first; after a failed allocation it swallows the rest. */
typedef struct tl_text {
    char *data;
    uint32_t used, capacity;
    int failed;
} tl_text;

/* tl__put -- appends; at most 1000 characters at once. Numbers have a point in every locale. */
TL_API void tl__put(tl_text *t, const char *format, ...) TL_PRINTF(2, 3);

/* tl__put_xml -- appends size bytes of text as XML has them: its own characters escaped, blanks for
 * control characters, U+FFFD for what is not UTF-8. */
TL_API void tl__put_xml(tl_text *t, size_t size, const char *text);

/* tl__text_end -- the string, to be freed with tl__free (or tl_string_free by the user); NULL, and
 * what there was freed, after a failed allocation. */
TL_API char *tl__text_end(tl_text *t);

#endif
