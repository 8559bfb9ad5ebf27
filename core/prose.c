/* prose.c -- a growing string. */
#include "core/prose.h"
#include "core/utf8.h"

#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void tl__put(tl_text *t, const char *format, ...)
{
    char line[1001];
    va_list args;
    /* numbers with a point, whatever the host has set: 0,5 is no number in SVG, two in CSV */
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0), host = uselocale(plain);
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    uselocale(host);
    if (plain)
        freelocale(plain);
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

void tl__put_xml(tl_text *t, size_t size, const char *text)
{
    while (size > 0) {
        uint32_t code;
        int n = tl__utf8_next(text, size, &code);
        if (n == 0 || code == 0xFFFE || code == 0xFFFF)
            tl__put(t, "\xEF\xBF\xBD");
        else if (code < ' ' || (code >= 0x7F && code < 0xA0))
            tl__put(t, " ");
        else if (code < 0x80 && strchr("<>&\"'", (int)code))
            tl__put(t, "&#%d;", (int)code);
        else
            tl__put(t, "%.*s", n, text);
        text += n ? n : 1;
        size -= (size_t)(n ? n : 1);
    }
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
