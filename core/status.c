/* status.c -- error codes as text, the one function every failure passes through, and the host's
 * hooks.
 *
 * The hooks are the only state of the process that a host sets; they are atomic, so that setting
 * one while another thread fails is harmless. */
#include "core/status.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

typedef enum { QUIET, PRINT, TRAP } on_error;

static _Atomic(tl_log_fn) log_fn;
static void *_Atomic log_user;
static atomic_int mode = QUIET;

const char *tl_strerror(int code)
{
    switch (code) {
#define TL_STATUS_CASE(name, value, text)                                                          \
    case value:                                                                                    \
        return text;
        TL_STATUS_LIST(TL_STATUS_CASE)
#undef TL_STATUS_CASE
    }
    return "unknown error";
}

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

const char *tl_version(void)
{
    return TEXT(TL_VERSION_MAJOR) "." TEXT(TL_VERSION_MINOR) "." TEXT(TL_VERSION_PATCH);
}

void tl_set_log(tl_log_fn fn, void *user)
{
    atomic_store(&log_fn, NULL); /* never the new function with the old user */
    atomic_store(&log_user, user);
    atomic_store(&log_fn, fn);
}

static int mode_of(const char *text)
{
    if (text && strcmp(text, "print") == 0)
        return PRINT;
    if (text && strcmp(text, "trap") == 0)
        return TRAP;
    return QUIET;
}

void tl_set_on_error(const char *text)
{
    atomic_store(&mode, mode_of(text));
}

/* The environment has the last word, also when it says "" (silence). */
static int mode_now(void)
{
    const char *text = getenv("TL_ON_ERROR");
    return text ? mode_of(text) : atomic_load(&mode);
}

/* caller -- names the first function outside the library on the stack. One that its program does
 * not export (-rdynamic does) has no name here: its address is given, for addr2line -e. In a
 * program that the library was linked into, the library's functions and the program's cannot be
 * told apart without names: there the innermost addresses are given. */
static void caller(char *text, size_t size)
{
    enum { DEPTH = 64, SHOWN = 5 };
    void *frame[DEPTH];
    Dl_info self = {0}, program = {0}, at;
    dladdr((void *)(uintptr_t)caller, &self);
    dladdr((void *)(uintptr_t)getauxval(AT_ENTRY), &program);
    int linked_in = self.dli_fbase == program.dli_fbase, shown = 0;
    size_t used = 0;
    text[0] = '\0';
    int n = backtrace(frame, DEPTH);
    for (int i = 2; i < n && used < size; i++) { /* this function and tl__fail are known */
        if (!dladdr((char *)frame[i] - 1, &at))
            continue;
        int ours = at.dli_fbase == self.dli_fbase;
        if (ours && (!linked_in || (at.dli_sname && strncmp(at.dli_sname, "tl_", 3) == 0)))
            continue;
        const char *object = at.dli_fname ? at.dli_fname : "?";
        const char *slash = strrchr(object, '/');
        const char *before = shown ? ", " : "; called from ";
        if (slash)
            object = slash + 1;
        if (at.dli_sname && !shown) {
            snprintf(text, size, "%s%s in %s", before, at.dli_sname, object);
            return;
        }
        if (shown && (!ours || shown == SHOWN))
            return;
        used += (size_t)snprintf(text + used, size - used, "%s%s+0x%zx", before, object,
                                 (size_t)((char *)frame[i] - (char *)at.dli_fbase));
        shown++;
        if (!ours)
            return;
    }
}

int tl__fail(tl_err *err, int code, const char *format, ...)
{
    int now = mode_now();
    if (!err && now == QUIET)
        return code;
    tl_err local;
    tl_err *e = err ? err : &local;
    va_list args;
    va_start(args, format);
    char message[sizeof e->message]; /* an argument may be the message that stood in *err before */
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    e->code = code;
    memcpy(e->message, message, sizeof message);
    if (now == QUIET)
        return code;
    char where[300];
    caller(where, sizeof where);
    fprintf(stderr, "tapeloop: %s: %s%s\n", tl_strerror(code), e->message, where);
    if (now == TRAP)
        raise(SIGTRAP);
    return code;
}

void tl__log(const char *format, ...)
{
    tl_log_fn fn = atomic_load(&log_fn);
    int now = fn ? QUIET : mode_now();
    if (!fn && now == QUIET)
        return;
    char line[500];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    for (char *c = line; *c; c++)
        if (*c == '\n')
            *c = ' ';
    if (fn)
        fn(atomic_load(&log_user), line);
    else
        fprintf(stderr, "tapeloop: %s\n", line);
}
