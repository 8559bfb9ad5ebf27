/* test_prose.c -- a growing string: what is put, what is too long, what happens without memory. */
#include "core/prose.h"
#include "tests/check.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

Test(prose, pieces_stand_one_behind_the_other)
{
    tl_text t = {0};
    char want[5000] = "";
    for (int k = 0; k < 1000; k++) {
        tl__put(&t, "%d,", k);
        snprintf(want + strlen(want), 16, "%d,", k);
    }
    char *text = tl__text_end(&t);
    cr_assert_str_eq(text, want);
    tl__free(text);
}

Test(prose, a_long_piece_is_cut)
{
    tl_text t = {0};
    tl__put(&t, "%2000d", 7);
    char *text = tl__text_end(&t);
    cr_assert_eq(strlen(text), 1000);
    tl__free(text);
}

Test(prose, numbers_have_a_point_in_every_locale)
{
    if (!setlocale(LC_ALL, "de_DE.UTF-8") && !setlocale(LC_ALL, "fr_FR.UTF-8") &&
        !setlocale(LC_ALL, "ru_RU.UTF-8"))
        cr_skip_test("no locale with a decimal comma is installed");
    char here[16];
    tl_text t = {0};
    tl__put(&t, "%.2f %g", 0.25, 1.5);
    char *text = tl__text_end(&t);
    cr_assert_str_eq(text, "0.25 1.5");
    tl__free(text);
    snprintf(here, sizeof here, "%.1f", 0.5);
    cr_assert_str_eq(here, "0,5", "and the host's is what it was");
}

Test(prose, xml_has_no_way_to_break)
{
    static const char *const cases[][2] = {
        {"a<b> & \"c\" 'd'", "a&#60;b&#62; &#38; &#34;c&#34; &#39;d&#39;"},
        {"\xCE\xB4h \xE2\x82\xAC \xF0\x9D\x9C\xBA", "\xCE\xB4h \xE2\x82\xAC \xF0\x9D\x9C\xBA"},
        {"tab\tline\n\x01\x7F\xC2\x85.", "tab line    ."},
        {"cut \xCE", "cut \xEF\xBF\xBD"},
        {"\x80\xC0\xAF|\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD|"
                                      "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xEF\xBF\xBE\xEF\xBF\xBF", "\xEF\xBF\xBD\xEF\xBF\xBD"}, /* no characters of XML */
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        tl_text t = {0};
        tl__put(&t, "|");
        tl__put_xml(&t, strlen(cases[k][0]), cases[k][0]);
        char *text = tl__text_end(&t);
        cr_assert_str_eq(text + 1, cases[k][1]);
        tl__free(text);
    }
}

Test(prose, without_memory_there_is_no_text)
{
    tl_text t = {0};
    tl__put(&t, "first");
    tl__fail_after(1);
    for (int k = 0; k < 1000; k++)
        tl__put(&t, "more and more");
    tl__fail_after(0);
    tl__put(&t, "too late");
    cr_assert_null(tl__text_end(&t));
}
