/* test_status.c -- codes, error records, hooks. */
#include "core/status.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

Test(status, every_code_has_its_sentence)
{
    cr_assert_str_eq(tl_strerror(0), "no error");
    cr_assert_str_eq(tl_strerror(TL_EUNSUPPORTED), "not supported");
    cr_assert_str_eq(tl_strerror(1), "unknown error");
    cr_assert_str_eq(tl_strerror(-1000), "unknown error");
    for (int code = -16; code < 0; code++)
        cr_assert_str_neq(tl_strerror(code), "unknown error");
}

Test(status, version_has_three_numbers)
{
    int major, minor, patch;
    cr_assert_eq(sscanf(tl_version(), "%d.%d.%d", &major, &minor, &patch), 3);
    cr_assert_eq(major, TL_VERSION_MAJOR);
    cr_assert_eq(minor, TL_VERSION_MINOR);
    cr_assert_eq(patch, TL_VERSION_PATCH);
}

Test(status, fail_fills_the_record_and_returns_the_code)
{
    tl_err err = {0};
    cr_assert_eq(tl__fail(&err, TL_EIO, "%s: %d bytes", "weights", 7), TL_EIO);
    cr_assert_eq(err.code, TL_EIO);
    cr_assert_str_eq(err.message, "weights: 7 bytes");
    cr_assert_eq(tl__fail(NULL, TL_ENAME, "nobody reads this"), TL_ENAME);
}

Test(status, a_message_may_quote_the_one_before)
{
    tl_err err = {0};
    tl__fail(&err, TL_EIO, "inner");
    tl__fail(&err, TL_EFORMAT, "outer: %s", err.message);
    cr_assert_str_eq(err.message, "outer: inner");
}

Test(status, a_long_message_is_cut)
{
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    tl_err err;
    tl__fail(&err, TL_EINVAL, "%s", text);
    cr_assert_eq(strlen(err.message), sizeof err.message - 1);
}

/* What the given function writes to stderr. */
static char *stderr_of(void (*fn)(void))
{
    static char text[4096];
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    fflush(stderr);
    int before = dup(2);
    dup2(ends[1], 2);
    fn();
    fflush(stderr);
    dup2(before, 2);
    close(ends[1]);
    ssize_t n = read(ends[0], text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    close(ends[0]);
    close(before);
    return text;
}

static void fail_once(void)
{
    tl__fail(NULL, TL_EIO, "no such file");
}

Test(status, silence_is_the_default)
{
    unsetenv("TL_ON_ERROR");
    cr_assert_str_eq(stderr_of(fail_once), "");
}

Test(status, print_shows_sentence_message_and_caller)
{
    unsetenv("TL_ON_ERROR");
    tl_set_on_error("print");
    const char *text = stderr_of(fail_once);
    cr_assert(strstr(text, tl_strerror(TL_EIO)), "%s", text);
    cr_assert(strstr(text, "no such file"), "%s", text);
    cr_assert(strstr(text, "called from"), "%s", text);
    tl_set_on_error(NULL);
    cr_assert_str_eq(stderr_of(fail_once), "");
}

Test(status, environment_has_the_last_word)
{
    setenv("TL_ON_ERROR", "print", 1);
    cr_assert(strstr(stderr_of(fail_once), "no such file"));
    tl_set_on_error("print");
    setenv("TL_ON_ERROR", "", 1);
    cr_assert_str_eq(stderr_of(fail_once), "");
}

Test(status, trap_raises_sigtrap, .signal = SIGTRAP)
{
    setenv("TL_ON_ERROR", "trap", 1);
    tl__fail(NULL, TL_EIO, "trapped");
}

static void take_line(void *user, const char *line)
{
    strcpy(user, line);
}

static void log_once(void)
{
    tl__log("two\nlines %d", 5);
}

Test(status, the_log_hook_gets_one_line)
{
    char line[600] = "";
    tl_set_log(take_line, line);
    log_once();
    cr_assert_str_eq(line, "two lines 5");
    tl_set_log(NULL, NULL);
    unsetenv("TL_ON_ERROR");
    cr_assert_str_eq(stderr_of(log_once), "");
    setenv("TL_ON_ERROR", "print", 1);
    cr_assert(strstr(stderr_of(log_once), "two lines 5"));
}
