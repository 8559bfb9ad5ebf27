/* status.h -- error codes, error records, and the hooks a host program may set.
 *
 * Two error channels and no third. On a tape the first failure is sticky (tape.h). Off the tape
 * (files, loaders, constructors) a function returns a negative code and fills an optional tl_err.
 * The library never exits, aborts, or prints unless TL_ON_ERROR asks it to. */
#ifndef TL_CORE_STATUS_H
#define TL_CORE_STATUS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define TL_BEGIN_DECLS extern "C" {
#define TL_END_DECLS }
#else
#define TL_BEGIN_DECLS
#define TL_END_DECLS
#endif

#if defined(__GNUC__)
#define TL_API __attribute__((visibility("default")))
#define TL_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define TL_API
#define TL_PRINTF(f, a)
#endif

#define TL_VERSION_MAJOR 0
#define TL_VERSION_MINOR 1
#define TL_VERSION_PATCH 0

TL_BEGIN_DECLS

/* Every error code, its value and its sentence, in one list. */
#define TL_STATUS_LIST(X)                                                                          \
    X(OK, 0, "no error")                                                                           \
    X(ENOMEM, -1, "out of memory")                                                                 \
    X(ESHAPE, -2, "shapes do not fit")                                                             \
    X(EDTYPE, -3, "element types do not fit")                                                      \
    X(ERANGE, -4, "value out of range")                                                            \
    X(EINVAL, -5, "invalid argument")                                                              \
    X(ETAPE, -6, "operands live on different tapes")                                               \
    X(EDEAD, -7, "tensor is no longer on its tape")                                                \
    X(EFRAME, -8, "tensor or call does not belong to this frame")                                  \
    X(ESTATE, -9, "call not allowed in this state")                                                \
    X(EIO, -10, "input or output failed")                                                          \
    X(EFORMAT, -11, "file is damaged or of another format")                                        \
    X(ENAME, -12, "name is missing, unknown, or used twice")                                       \
    X(ENOGRAD, -13, "no gradient is defined here")                                                 \
    X(ECANCELED, -14, "cancelled")                                                                 \
    X(EUNSUPPORTED, -15, "not supported")                                                          \
    X(ENAN, -16, "not a number, or infinite")

typedef enum tl_status {
#define TL_STATUS_ENUM(name, value, text) TL_##name = value,
    TL_STATUS_LIST(TL_STATUS_ENUM)
#undef TL_STATUS_ENUM
} tl_status;

/* tl_err -- what failed off the tape, filled by the function that returned the code. */
typedef struct tl_err {
    int code;
    char message[500]; /* one sentence that names the file or argument and the reason */
} tl_err;

/* tl_strerror -- the sentence that belongs to a code; "unknown error" for any other number. */
TL_API const char *tl_strerror(int code);

/* tl_version -- "major.minor.patch" of the library that is linked. */
TL_API const char *tl_version(void);

/* tl_alloc_fn -- replaces malloc, realloc and free: size 0 frees, memory NULL allocates. Must
 * return memory aligned for any C object, or NULL; must be thread-safe. */
typedef void *(*tl_alloc_fn)(void *user, void *memory, size_t size);

/* tl_set_allocator -- installs fn for all later allocations; NULL restores the C library's. To be
 * called before anything else of the library is used. */
TL_API void tl_set_allocator(tl_alloc_fn fn, void *user);

/* tl_log_fn -- receives warnings ("did you forget tl_tape_reset?"), one line without newline. */
typedef void (*tl_log_fn)(void *user, const char *line);

/* tl_set_log -- installs fn for warnings; NULL (the default) drops them unless TL_ON_ERROR is set.
 */
TL_API void tl_set_log(tl_log_fn fn, void *user);

/* tl_set_on_error -- "print" shows every error on stderr as it happens, with the calling function
 * (its address if the program does not export it: link with -rdynamic, or ask addr2line -e);
 * "trap" also raises SIGTRAP; NULL or "" is silence, the default. The environment variable
 * TL_ON_ERROR has the same meaning and the last word. */
TL_API void tl_set_on_error(const char *mode);

/* ---- inside the library ---------------------------------------------------------------------- */

/* tl__fail -- the one function through which every failure passes: set a breakpoint here. Fills err
 * (may be NULL) and returns code. */
TL_API int tl__fail(tl_err *err, int code, const char *format, ...) TL_PRINTF(3, 4);

/* tl__log -- hands a warning to the log hook. */
TL_API void tl__log(const char *format, ...) TL_PRINTF(1, 2);

TL_END_DECLS
#endif
