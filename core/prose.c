/* prose.c -- a growing string. */
#include "core/prose.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void tl__put(tl_text *t, const char *format, ...)
{
    char line[1001];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    uint32_t length = n < 0                       ? 0
                      : (uint32_t)n < sizeof line ? (uint32_t)n
                                                  : (uint32_t)sizeof line - 1;
    if (t->failed || tl__grow(&t->data, &t->capacity, t->used + length + 1, 1)) {
        t->failed = 1;
        return;
    }
    memcpy(t->data + t->used, line, length + 1);
    t->used += length;
}

char *tl__text_end(tl_text *t)
{
    if (!t->failed)
        return t->data;
    tl__free(t->data);
    t->data = NULL;
    tl__fail(NULL, TL_ENOMEM, "print: no memory for the text");
    return NULL;
}
