/* test_vocab.c -- ids of bytes and characters, kept, saved and loaded. */
#include "core/memory.h"
#include "data/vocab.h"
#include "tests/scratch.h"

#include <criterion/criterion.h>

TestSuite(vocab, .init = scratch_open, .fini = scratch_close);

static const char TEXT[] = "na\xC3\xAFve \xE2\x82\xAC \xF0\x9F\x8E\xB6 na"; /* naïve € 🎶 na */

static tl_vocab *of_text(const char *text, tl_symbols symbols, int unknown, int64_t min_count,
                         tl_err *err)
{
    tl_vocab_opts o = tl_vocab_defaults();
    o.symbols = symbols;
    o.unknown = unknown;
    o.min_count = min_count;
    return tl_vocab_of_text(text, strlen(text), &o, err);
}

Test(vocab, characters_are_numbered_in_order_of_their_codes)
{
    static const uint32_t codes[] = {' ', 'a', 'e', 'n', 'v', 0xEF, 0x20AC, 0x1F3B6};
    tl_err err;
    tl_vocab *v = of_text(TEXT, TL_CHARS, 0, 1, &err);
    cr_assert_not_null(v, "%s", err.message);
    cr_assert_eq(tl_vocab_size(v), 8);
    cr_assert_eq(tl_vocab_unknown(v), -1);
    for (int i = 0; i < 8; i++) {
        cr_assert_eq(tl_vocab_code(v, i), codes[i]);
        cr_assert_eq(tl_vocab_id(v, codes[i]), i);
    }
    cr_assert_eq(tl_vocab_id(v, 'x'), -1);
    cr_assert_eq(tl_vocab_id(v, UINT32_MAX), -1);
    cr_assert_eq(tl_vocab_code(v, 8), TL_NO_CODE);
    cr_assert_eq(tl_vocab_code(v, -1), TL_NO_CODE);
    tl_vocab_free(v);
    tl_vocab_free(NULL);
}

Test(vocab, text_comes_back)
{
    tl_err err;
    for (int symbols = TL_BYTES; symbols <= TL_CHARS; symbols++) {
        int32_t ids[64];
        char back[64];
        tl_vocab *v = of_text(TEXT, (tl_symbols)symbols, 0, 1, &err);
        const int64_t n = tl_vocab_encode(v, TEXT, strlen(TEXT), ids, 64, &err);
        cr_assert_eq(n, symbols == TL_CHARS ? 12 : 18);
        cr_assert_eq(tl_vocab_encode(v, TEXT, strlen(TEXT), NULL, 0, &err), n);
        cr_assert_eq(tl_vocab_decode(v, n, ids, back, sizeof back), (int64_t)strlen(TEXT));
        cr_assert_str_eq(back, TEXT);
        cr_assert_eq(tl_vocab_encode(v, TEXT, strlen(TEXT), ids, n - 1, &err), TL_ERANGE);
        tl_vocab_free(v);
    }
}

Test(vocab, decoding_never_cuts_a_character)
{
    tl_err err;
    tl_vocab *v = of_text("a\xE2\x82\xAC", TL_CHARS, 0, 1, &err);
    static const int32_t ids[3] = {0, 1, 0};
    static const char *const want[7] = {NULL,
                                        "",
                                        "a",
                                        "a",
                                        "a",
                                        "a\xE2\x82\xAC",
                                        "a\xE2\x82\xAC"
                                        "a"};
    for (size_t room = 0; room < 7; room++) {
        char text[8] = "zzzzzzz";
        cr_assert_eq(tl_vocab_decode(v, 3, ids, text, room), 5);
        if (room == 0)
            cr_assert_eq(text[0], 'z');
        else
            cr_assert_str_eq(text, want[room]);
    }
    tl_vocab_free(v);
}

Test(vocab, unknown_symbols)
{
    tl_err err;
    int32_t ids[4];
    char text[16];
    tl_vocab *v = of_text("ab", TL_CHARS, 0, 1, &err);
    cr_assert_eq(tl_vocab_encode(v, "ab\xC3\xA4", 4, ids, 4, &err), TL_ENAME);
    cr_assert_not_null(strstr(err.message, "byte offset 2: symbol \xC3\xA4 (code 228)"), "%s",
                       err.message);
    tl_vocab_free(v);
    v = of_text("ab", TL_CHARS, 1, 1, &err);
    cr_assert(tl_vocab_size(v) == 3 && tl_vocab_unknown(v) == 2);
    cr_assert_eq(tl_vocab_encode(v, "ab\xC3\xA4", 4, ids, 4, &err), 3);
    cr_assert(ids[0] == 0 && ids[1] == 1 && ids[2] == 2);
    cr_assert_eq(tl_vocab_decode(v, 3, ids, text, sizeof text), 5);
    cr_assert_str_eq(text, "ab\xEF\xBF\xBD");
    tl_vocab_free(v);
    v = of_text("ab", TL_BYTES, 1, 1, &err);
    cr_assert_eq(tl_vocab_decode(v, 3, ids, text, sizeof text), 3);
    cr_assert_str_eq(text, "ab?");
    tl_vocab_free(v);
    v = of_text("aaabbc", TL_CHARS, 1, 2, &err);
    cr_assert_eq(tl_vocab_size(v), 3);
    cr_assert_eq(tl_vocab_id(v, 'c'), 2);
    tl_vocab_free(v);
    cr_assert_null(of_text("aaabbc", TL_CHARS, 0, 2, &err), "rare symbols would have no id");
    cr_assert_eq(err.code, TL_EINVAL);
}

Test(vocab, invalid_utf8_is_named_by_offset)
{
    static const char *const bad[] = {"abc\xFF",     "abc\xC3", "abc\xED\xA0\x80",
                                      "abc\xC0\x80", "abc\x80", "abc\xF4\x90\x80\x80"};
    tl_err err;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert_null(of_text(bad[i], TL_CHARS, 0, 1, &err));
        cr_assert_eq(err.code, TL_EFORMAT);
        cr_assert_not_null(strstr(err.message, "byte offset 3"), "%s", err.message);
        tl_vocab *v = of_text(bad[i], TL_BYTES, 0, 1, &err);
        cr_assert_not_null(v, "bytes may be anything");
        tl_vocab_free(v);
        v = of_text("abc", TL_CHARS, 1, 1, &err);
        cr_assert_eq(tl_vocab_encode(v, bad[i], strlen(bad[i]), NULL, 0, &err), TL_EFORMAT,
                     "not even with an unknown id");
        tl_vocab_free(v);
    }
}

Test(vocab, zero_bytes_are_symbols_too)
{
    tl_err err;
    tl_vocab *v = tl_vocab_of_text("a\0b", 3, NULL, &err);
    cr_assert_eq(tl_vocab_size(v), 3);
    cr_assert_eq(tl_vocab_id(v, 0), 0);
    tl_vocab_free(v);
}

static int equal(const tl_vocab *a, const tl_vocab *b)
{
    if (tl_vocab_size(a) != tl_vocab_size(b) || tl_vocab_unknown(a) != tl_vocab_unknown(b) ||
        tl_vocab_symbols(a) != tl_vocab_symbols(b))
        return 0;
    for (int32_t i = 0; i < tl_vocab_size(a); i++)
        if (tl_vocab_code(a, i) != tl_vocab_code(b, i))
            return 0;
    return 1;
}

Test(vocab, comes_back_from_text_and_file)
{
    tl_err err;
    for (int kind = 0; kind < 4; kind++) {
        tl_vocab *v = of_text(TEXT, (tl_symbols)(kind % 2), kind / 2, 1, &err), *back;
        char text[300], cut[10];
        const int64_t size = tl_vocab_text(v, text, sizeof text);
        cr_assert_eq(size, (int64_t)strlen(text));
        cr_assert_eq(tl_vocab_text(v, cut, sizeof cut), size);
        cr_assert_eq(strlen(cut), sizeof cut - 1);
        back = tl_vocab_parse(text, &err);
        cr_assert_not_null(back, "%s", err.message);
        cr_assert(equal(v, back));
        tl_vocab_free(back);
        const char *path = scratch_path("vocab");
        cr_assert_eq(tl_vocab_save(v, path, &err), TL_OK, "%s", err.message);
        back = tl_vocab_load(path, &err);
        cr_assert_not_null(back, "%s", err.message);
        cr_assert(equal(v, back));
        tl_vocab_free(back);
        tl_vocab_free(v);
    }
}

Test(vocab, damaged_text_is_refused)
{
    static const char *const bad[] = {
        "",
        "tapeloop",
        "tapeloop-vocabulary 2 chars 0 1 65",
        "tapeloop-vocabulary 1",
        "tapeloop-vocabulary 1 words 0 1 65",
        "tapeloop-vocabulary 1 chars",
        "tapeloop-vocabulary 1 chars 2 1 65",
        "tapeloop-vocabulary 1 chars 0 2 65",
        "tapeloop-vocabulary 1 chars 0 1 65 66",
        "tapeloop-vocabulary 1 chars 0 2 65 65",
        "tapeloop-vocabulary 1 chars 0 1 -65",
        "tapeloop-vocabulary 1 chars 0 1 1114112",
        "tapeloop-vocabulary 1 chars 0 1 55296",
        "tapeloop-vocabulary 1 bytes 0 1 256",
        "tapeloop-vocabulary 1 chars 0 4294967297 65",
        "tapeloop-vocabulary 1 chars 0 1114113 65",
        "tapeloop-vocabulary 1 chars 0 1  65",
        "tapeloop-vocabulary 1 chars 0 1 65x",
        "tapeloop-vocabulary 1 chars 0 0",
    };
    tl_err err;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_null(tl_vocab_parse(bad[i], &err), "%s", bad[i]);
    cr_assert_null(tl_vocab_parse(NULL, &err));
    const char *path = scratch_path("vocab");
    scratch_write(path, "tapeloop-vocabulary 1 chars 0 1 65\0 66", 38);
    cr_assert_null(tl_vocab_load(path, &err));
    cr_assert_not_null(strstr(err.message, path));
    cr_assert_null(tl_vocab_load(scratch_path("missing"), &err));
    cr_assert_eq(err.code, TL_EIO);
    cr_assert_eq(tl_vocab_save(NULL, path, &err), TL_EINVAL);
}

Test(vocab, no_memory_is_an_error)
{
    tl_err err = {0};
    for (long n = 1;; n++) {
        tl__fail_after(n);
        tl_vocab *v = of_text(TEXT, TL_CHARS, 0, 1, &err),
                 *w = v ? tl_vocab_parse("tapeloop-vocabulary 1 chars 0 2 65 1000", &err) : NULL;
        long used = tl__alloc_count();
        tl__fail_after(0);
        if (!w)
            cr_assert_eq(err.code, TL_ENOMEM);
        cr_assert_eq(w != NULL, used < n);
        tl_vocab_free(v);
        tl_vocab_free(w);
        if (used < n)
            break;
    }
}
