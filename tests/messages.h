/* messages.h -- tables of error messages: what a user does wrong, and every word that is the
 * answer.
 *
 * A row provokes one failure through the public API. walk_rows() compares code and text, then
 * holds the tape to its promise: after a reset it computes as if nothing had happened.
 * check_sources() closes the tables: it reads the library's sources and fails for every message
 * that no row has shown and that is not left out with a reason. Lack of memory is left out as a
 * whole: test_nomem.c. Private to tests. */
#ifndef TL_TESTS_MESSAGES_H
#define TL_TESTS_MESSAGES_H

#include "tapeloop.h"
#include "tests/check.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* row -- provoke returns what the function that failed returned (a code, or err->code of one that
 * returns a pointer; the tape's status of one that records). Its message is the tape's, else
 * err's, else what is printed where an error has no other channel. In text, ~ stands for anything:
 * a directory, a slot. */
typedef struct row {
    const char *name;
    int (*provoke)(tl_tape *tape, tl_err *err);
    int code;
    const char *text;
} row;

#define ROW(NAME, CODE, TEXT)                                                                      \
    {                                                                                              \
#NAME, NAME, TL_##CODE, TEXT                                                               \
    }

/* left_out -- a format in the sources, or a part of it, that no row can show. */
typedef struct left_out {
    const char *format;
    const char *why;
} left_out;

enum { MESSAGES_MOST = 400, MESSAGE_TEXT = 600 };
static char messages_seen[MESSAGES_MOST][MESSAGE_TEXT];
static int nmessages_seen;

/* matches -- whether text is the pattern, in which ~ stands for anything. */
static int matches(const char *pattern, const char *text)
{
    if (*pattern == '~') {
        while (pattern[1] == '~')
            pattern++;
        do
            if (matches(pattern + 1, text))
                return 1;
        while (*text++);
        return 0;
    }
    return *pattern == *text && (!*text || matches(pattern + 1, text + 1));
}

/* printed -- the message in what the library printed: "tapeloop: <code's words>: <message>; called
 * from ...". */
static void printed(FILE *file, int code, char *text)
{
    char line[2 * MESSAGE_TEXT] = "", before[100];
    rewind(file);
    while (fgets(line, sizeof line, file) && !strstr(line, tl_strerror(code)))
        ;
    snprintf(before, sizeof before, "tapeloop: %s: ", tl_strerror(code));
    const size_t n = strncmp(line, before, strlen(before)) ? 0 : strlen(before);
    char *end = strstr(line + n, "; called from");
    line[end ? (size_t)(end - line) : strcspn(line, "\n")] = '\0';
    snprintf(text, MESSAGE_TEXT, "%s", line + n);
}

/* run_row -- fills text with the message and returns the code. */
static int run_row(const row *r, tl_tape *tape, char *text)
{
    fflush(stderr);
    FILE *file = tmpfile();
    cr_assert_not_null(file);
    const int real = dup(2);
    dup2(fileno(file), 2);
    tl_err err = {0};
    tl_set_on_error("print");
    const int code = r->provoke(tape, &err);
    tl_set_on_error(NULL);
    fflush(stderr);
    dup2(real, 2);
    close(real);
    if (tl_tape_status(tape) != TL_OK)
        snprintf(text, MESSAGE_TEXT, "%s", tl_tape_error(tape));
    else if (err.code != TL_OK)
        snprintf(text, MESSAGE_TEXT, "%s", err.message);
    else
        printed(file, code, text);
    fclose(file);
    return code;
}

/* still_good -- whether a tape computes and differentiates after a reset, whatever came before. */
static int still_good(tl_tape *tape)
{
    if (tl_tape_reset(tape) != TL_OK || tl_tape_nodes(tape) != 0 || tl_tape_error(tape)[0])
        return 0;
    const double two = 2;
    tl_tensor x = tl_input_f64(tape, tl_shape0(), &two), y = tl_mul(x, x), dx;
    const int code = tl_grad(1, &y, NULL, 1, &x, &dx);
    const int good = code == TL_OK && fabs(tl_item(y) - 4) < 1e-12 && fabs(tl_item(dx) - 4) < 1e-12;
    return tl_tape_reset(tape) == TL_OK && good;
}

/* walk_rows -- every row on a tape of its own, which goes on after the error. */
static inline void walk_rows(int n, const row *rows)
{
    unsetenv("TL_ON_ERROR");
    tl_tape *tape = check_tape(1);
    for (int i = 0; i < n; i++) {
        char text[MESSAGE_TEXT];
        const int code = run_row(&rows[i], tape, text);
        cr_expect(code == rows[i].code, "%s: code %d (%s), want %d", rows[i].name, code, text,
                  rows[i].code);
        cr_expect(matches(rows[i].text, text), "%s:\n  got  %s\n  want %s", rows[i].name, text,
                  rows[i].text);
        cr_expect(still_good(tape), "%s: the tape is of no use after it", rows[i].name);
        cr_assert(nmessages_seen < MESSAGES_MOST);
        snprintf(messages_seen[nmessages_seen++], MESSAGE_TEXT, "%s", text);
        tl_tape_free(tape);
        tape = check_tape(1);
    }
    tl_tape_free(tape);
}

/* ---- the sources ----------------------------------------------------------------------------- */

/* literal_of -- joins the string literals at *at, which is at a quote; moves *at behind them. */
static void literal_of(const char **at, char *out)
{
    const char *p = *at;
    int n = 0;
    while (*p == '"') {
        for (p++; *p && *p != '"'; p++) {
            if (*p == '\\' && p[1])
                p++;
            if (n < MESSAGE_TEXT - 1)
                out[n++] = *p;
        }
        p += *p == '"';
        *at = p;
        while (isspace((unsigned char)*p))
            p++;
    }
    out[n] = '\0';
}

/* pattern_of -- a printf format as a pattern: conversions become ~. */
static void pattern_of(const char *format, char *pattern)
{
    *pattern++ = '~';
    for (const char *f = format; *f; f++) {
        if (*f != '%') {
            *pattern++ = *f;
            continue;
        }
        if (*++f == '%') {
            *pattern++ = '%';
            continue;
        }
        f += strspn(f, "0123456789.*lzh");
        *pattern++ = '~';
    }
    *pattern++ = '~';
    *pattern = '\0';
}

/* failure_call -- the next call that reports a failure, from `from` on; NULL if there is none. */
static const char *failure_call(const char *from)
{
    static const char *const names[] = {"tl_tape_fail(", "tl_fail_tensor(", "tl_infer_fail(",
                                        "tl_call_fail(", "tl__fail(",       "tl__graph_fail("};
    const char *first = NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *p = strstr(from, names[i]);
        if (p && (!first || p < first))
            first = p;
    }
    return first;
}

static int is_known(const char *format, int n, const left_out *out)
{
    char pattern[2 * MESSAGE_TEXT];
    pattern_of(format, pattern);
    for (int i = 0; i < nmessages_seen; i++)
        if (matches(pattern, messages_seen[i]))
            return 1;
    for (int i = 0; i < n; i++)
        if (strstr(format, out[i].format))
            return 1;
    return 0;
}

/* check_source -- every format of a failure in one file was seen in a row, or is left out. Of the
 * literals of a call the longest is its format. */
static void check_source(const char *path, int n, const left_out *out)
{
    FILE *f = fopen(path, "rb");
    cr_assert_not_null(f, "%s", path);
    char *source = calloc(1, 1 << 20);
    cr_assert_not_null(source);
    cr_assert_lt(fread(source, 1, (1 << 20) - 1, f), (size_t)(1 << 20) - 1);
    fclose(f);
    for (const char *call = source; (call = failure_call(call)) != NULL;) {
        const char *end = strchr(call, ';'), *brace = strchr(call, '{');
        char format[MESSAGE_TEXT] = "", literal[MESSAGE_TEXT];
        int is_memory = 0;
        for (const char *p = call; *p && !(p >= end && *p == ';');) {
            is_memory |= strncmp(p, "TL_ENOMEM", 9) == 0;
            if (*p != '"') {
                p++;
                continue;
            }
            literal_of(&p, literal);
            is_memory |= strstr(literal, "no memory") != NULL;
            end = strchr(p, ';'); /* a literal may have held the one before */
            if (strlen(literal) > strlen(format))
                strcpy(format, literal);
        }
        const int is_definition =
            brace && end && brace < end && strstr(call, "const char *format") < brace;
        if (!is_memory && !is_definition && format[0])
            cr_expect(is_known(format, n, out), "%s: no row shows \"%s\"", path, format);
        call++;
    }
    free(source);
}

/* check_sources -- the .c files of a folder under $TL_SOURCE_ROOT: those that are named (only 1),
 * or all others. Without that variable the test is skipped. */
static inline void check_sources(const char *folder, int only, const char *const *names, int n,
                                 const left_out *out)
{
    const char *root = getenv("TL_SOURCE_ROOT");
    if (!root)
        cr_skip_test("TL_SOURCE_ROOT is not set");
    char path[1200];
    snprintf(path, sizeof path, "%s/%s", root, folder);
    DIR *d = opendir(path);
    cr_assert_not_null(d, "%s", path);
    for (const struct dirent *e; (e = readdir(d));) {
        const size_t length = strlen(e->d_name);
        int is_named = 0;
        for (int i = 0; names && names[i]; i++)
            is_named |= strcmp(names[i], e->d_name) == 0;
        if (length < 3 || strcmp(e->d_name + length - 2, ".c") || is_named != only)
            continue;
        snprintf(path, sizeof path, "%s/%s/%s", root, folder, e->d_name);
        check_source(path, n, out);
    }
    closedir(d);
}

/* RECORDS -- a row of statements that record. RETURNS -- of an expression that is a code. MAKES --
 * of one that is NULL, with err filled. */
#define RECORDS(NAME, ...)                                                                         \
    static int NAME(tl_tape *tape, tl_err *err)                                                    \
    {                                                                                              \
        (void)err;                                                                                 \
        __VA_ARGS__;                                                                               \
        return tl_tape_status(tape);                                                               \
    }
#define RETURNS(NAME, ...)                                                                         \
    static int NAME(tl_tape *tape, tl_err *err)                                                    \
    {                                                                                              \
        (void)tape, (void)err;                                                                     \
        return __VA_ARGS__;                                                                        \
    }
#define MAKES(NAME, ...)                                                                           \
    static int NAME(tl_tape *tape, tl_err *err)                                                    \
    {                                                                                              \
        (void)tape;                                                                                \
        cr_expect_null(__VA_ARGS__);                                                               \
        return err->code;                                                                          \
    }

/* of_the_other -- a row about what the second of two tapes says: the first one's error is dropped.
 */
static inline int of_the_other(tl_tape *tape, tl_tape *second, tl_err *err)
{
    cr_expect_eq(tl_tape_status(tape), TL_ETAPE);
    tl_tape_reset(tape);
    err->code = tl_tape_status(second);
    snprintf(err->message, sizeof err->message, "%s", tl_tape_error(second));
    tl_tape_reset(second);
    return err->code;
}

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

#endif
