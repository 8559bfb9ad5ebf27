/* test_text.c -- a text as ids, from memory and file, cut into parts. */
#include "core/memory.h"
#include "data/text.h"
#include "tests/scratch.h"

#include <criterion/criterion.h>

TestSuite(text, .init = scratch_open, .fini = scratch_close);

static const char HELLO[] = "hello \xE2\x82\xAC";

Test(text, from_memory_and_from_a_file)
{
    static const int32_t ids[7] = {2, 1, 3, 3, 4, 0, 5};
    const char *path = scratch_path("hello.txt");
    tl_err err;
    scratch_write(path, HELLO, strlen(HELLO));
    for (int from_file = 0; from_file < 2; from_file++) {
        tl_text *t = from_file ? tl_text_load(path, NULL, NULL, &err)
                               : tl_text_new(HELLO, strlen(HELLO), NULL, NULL, &err);
        cr_assert_not_null(t, "%s", err.message);
        tl_stream s = tl_text_stream(t);
        cr_assert_eq(s.count, 7);
        cr_assert_eq(memcmp(s.ids, ids, sizeof ids), 0);
        cr_assert_eq(tl_vocab_size(tl_text_vocab(t)), 6);
        tl_text_free(t);
    }
    tl_vocab_opts bytes = tl_vocab_defaults();
    bytes.symbols = TL_BYTES;
    tl_text *t = tl_text_load(path, NULL, &bytes, &err);
    cr_assert_eq(tl_text_stream(t).count, 9);
    tl_text_free(t);
    tl_text_free(NULL);
}

Test(text, a_vocabulary_kept_gives_the_same_ids)
{
    tl_err err;
    tl_text *t = tl_text_new(HELLO, strlen(HELLO), NULL, NULL, &err);
    tl_text *u = tl_text_new("hole", 4, tl_text_vocab(t), NULL, &err);
    cr_assert_not_null(u, "%s", err.message);
    static const int32_t ids[4] = {2, 4, 3, 1};
    cr_assert_eq(memcmp(tl_text_stream(u).ids, ids, sizeof ids), 0);
    cr_assert_null(tl_text_new("help", 4, tl_text_vocab(t), NULL, &err));
    cr_assert_eq(err.code, TL_ENAME);
    cr_assert_not_null(strstr(err.message, "byte offset 3"), "%s", err.message);
    tl_text_free(t);
    cr_assert_eq(tl_vocab_size(tl_text_vocab(u)), 6, "u has a copy of the vocabulary");
    tl_text_free(u);
}

Test(text, errors_name_the_file)
{
    tl_err err;
    const char *path = scratch_path("bad.txt");
    scratch_write(path, "good\xFFtext", 9);
    cr_assert_null(tl_text_load(path, NULL, NULL, &err));
    cr_assert_eq(err.code, TL_EFORMAT);
    cr_assert_not_null(strstr(err.message, path));
    cr_assert_not_null(strstr(err.message, "byte offset 4"), "%s", err.message);
    scratch_write(path, "", 0);
    cr_assert_null(tl_text_load(path, NULL, NULL, &err));
    cr_assert_eq(err.code, TL_ERANGE);
    cr_assert_not_null(strstr(err.message, path));
    cr_assert_null(tl_text_load(scratch_path("missing"), NULL, NULL, &err));
    cr_assert_eq(err.code, TL_EIO);
}

Test(text, parts_follow_each_other)
{
    char text[1000];
    for (int i = 0; i < 1000; i++)
        text[i] = (char)('a' + i % 26);
    tl_err err;
    tl_text *t = tl_text_new(text, 1000, NULL, NULL, &err);
    static const double fraction[3] = {0.9, 0.05, 0.05}, tiny[2] = {0.999, 0.001},
                        many[2] = {0.9, 0.2};
    tl_stream part[3], all = tl_text_stream(t);
    cr_assert_eq(tl_text_split(t, 3, fraction, part, &err), TL_OK, "%s", err.message);
    cr_assert(part[0].ids == all.ids && part[0].count == 900);
    cr_assert(part[1].ids == all.ids + 900 && part[1].count == 50);
    cr_assert(part[2].ids == all.ids + 950 && part[2].count == 50);
    cr_assert_eq(tl_text_split(t, 2, tiny, part, &err), TL_ERANGE, "one symbol has no next one");
    cr_assert_eq(tl_text_split(t, 2, many, part, &err), TL_EINVAL);
    cr_assert_eq(tl_text_split(t, 0, many, part, &err), TL_EINVAL);
    cr_assert_eq(tl_text_split(NULL, 1, many, part, &err), TL_EINVAL);
    tl_text_free(t);
}

Test(text, no_memory_is_an_error)
{
    const char *path = scratch_path("hello.txt");
    scratch_write(path, HELLO, strlen(HELLO));
    tl_err err = {0};
    tl_text *first = tl_text_load(path, NULL, NULL, &err);
    for (int kept = 0; kept < 2; kept++)
        for (long n = 1;; n++) {
            tl__fail_after(n);
            tl_text *t = tl_text_load(path, kept ? tl_text_vocab(first) : NULL, NULL, &err);
            long used = tl__alloc_count();
            tl__fail_after(0);
            cr_assert_eq(t != NULL, used < n);
            tl_text_free(t);
            if (used < n)
                break;
            cr_assert_eq(err.code, TL_ENOMEM);
        }
    tl_text_free(first);
}
