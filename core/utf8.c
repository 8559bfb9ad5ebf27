/* utf8.c -- UTF-8, strictly.   Source: RFC 3629, section 4. */
#include "core/utf8.h"

int tl__utf8_next(const char *text, size_t size, uint32_t *code)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800,
                                      0x10000}; /* of each length: less is overlong */
    const unsigned char *s = (const unsigned char *)text;
    unsigned first = s[0];
    if (first < 0x80) {
        *code = first;
        return 1;
    }
    int length = first >= 0xF0 && first < 0xF8   ? 4
                 : first >= 0xE0 && first < 0xF0 ? 3
                 : first >= 0xC0 && first < 0xE0 ? 2
                                                 : 0;
    if (length == 0 || (size_t)length > size)
        return 0;
    uint32_t c = first & (0x7Fu >> length);
    for (int i = 1; i < length; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3Fu);
    }
    if (c < least[length] || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
        return 0;
    *code = c;
    return length;
}

int tl__utf8_put(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
        return 0;
    int length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (int i = length - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)(0xF00u >> length | code); /* 110xxxxx, 1110xxxx, 11110xxx */
    return length;
}

size_t tl__utf8_check(const char *text, size_t size)
{
    size_t at = 0;
    uint32_t code;
    while (at < size) {
        int length = tl__utf8_next(text + at, size - at, &code);
        if (length == 0)
            return at;
        at += (size_t)length;
    }
    return size;
}
