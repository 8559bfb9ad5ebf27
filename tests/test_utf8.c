/* test_utf8.c -- strict UTF-8, against the definition by ranges and every code point. */
#include "core/utf8.h"

#include <criterion/criterion.h>
#include <string.h>

Test(utf8, every_code_point_comes_back)
{
    for (uint32_t code = 0; code < 0x110000; code++) {
        char text[4];
        uint32_t back = 0;
        int length = tl__utf8_put(code, text);
        if (code >= 0xD800 && code <= 0xDFFF) {
            cr_assert_eq(length, 0);
            continue;
        }
        cr_assert_eq(length, code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4);
        cr_assert_eq(tl__utf8_next(text, (size_t)length, &back), length);
        cr_assert_eq(back, code);
        if (length > 1) /* cut off */
            cr_assert_eq(tl__utf8_next(text, (size_t)length - 1, &back), 0);
    }
    char text[4];
    cr_assert_eq(tl__utf8_put(0x110000, text), 0);
}

/* valid_by_table -- RFC 3629, section 4: the ranges of the second byte. */
static int valid_by_table(const unsigned char *s)
{
    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xC2 || s[0] > 0xF4)
        return 0;
    int length = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    unsigned low = s[0] == 0xE0 ? 0xA0 : s[0] == 0xF0 ? 0x90 : 0x80;
    unsigned high = s[0] == 0xED ? 0x9F : s[0] == 0xF4 ? 0x8F : 0xBF;
    if (s[1] < low || s[1] > high)
        return 0;
    for (int i = 2; i < length; i++)
        if (s[i] < 0x80 || s[i] > 0xBF)
            return 0;
    return length;
}

Test(utf8, exactly_what_the_table_allows)
{
    static const unsigned char edge[] = {0x00, 0x7F, 0x80, 0x8F, 0x90,
                                         0x9F, 0xA0, 0xBF, 0xC0, 0xFF};
    for (unsigned first = 0; first < 256; first++)
        for (unsigned second = 0; second < 256; second++)
            for (unsigned i = 0; i < 100; i++) {
                const unsigned char s[4] = {(unsigned char)first, (unsigned char)second,
                                            edge[i / 10], edge[i % 10]};
                uint32_t code;
                cr_assert_eq(tl__utf8_next((const char *)s, 4, &code), valid_by_table(s),
                             "%02x %02x %02x %02x", s[0], s[1], s[2], s[3]);
            }
}

Test(utf8, check_finds_the_first_bad_byte)
{
    cr_assert_eq(tl__utf8_check("", 0), 0);
    cr_assert_eq(tl__utf8_check("a\xC3\xA4z", 4), 4);
    cr_assert_eq(tl__utf8_check("ab\xC3z", 4), 2);
    cr_assert_eq(tl__utf8_check("abc\xE2\x82", 5), 3);
}
