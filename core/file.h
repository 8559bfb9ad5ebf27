/* file.h -- files that are either there whole or not at all. Private.
 *
 * Reading goes by position, and every length is checked against the file's size before it is used.
 * Writing goes to a temporary file beside the target, which a commit syncs and renames over it: a
 * crash or a full disk leaves the old file as it was. */
#ifndef TL_CORE_FILE_H
#define TL_CORE_FILE_H

#include "core/status.h"

/* tl_reader -- a regular file, open for reading. path is the caller's and must outlive it. */
typedef struct tl_reader {
    const char *path;
    int fd;
    uint64_t size;
} tl_reader;

/* tl__reader_open -- TL_EIO if the file is missing, unreadable, or not a regular file. */
TL_API int tl__reader_open(tl_reader *r, const char *path, tl_err *err);

/* tl__reader_get -- size bytes at position `at`; TL_EFORMAT when the file ends before. */
TL_API int tl__reader_get(const tl_reader *r, uint64_t at, void *out, size_t size, tl_err *err);
TL_API void tl__reader_close(tl_reader *r);

/* tl__file_load -- the whole file, followed by a zero byte that *size does not count; freed by
 * tl__free. NULL, and err filled, on failure. */
TL_API char *tl__file_load(const char *path, size_t *size, tl_err *err);

/* tl_writer -- a file being written. After open, exactly one of commit and cancel ends it. */
typedef struct tl_writer {
    char *path; /* the target, links resolved */
    char *temp; /* in the same directory */
    int fd;
} tl_writer;

TL_API int tl__writer_open(tl_writer *w, const char *path, tl_err *err);
TL_API int tl__writer_put(tl_writer *w, const void *data, size_t size, tl_err *err);

/* tl__writer_commit -- syncs, renames, syncs the directory. On failure the old file is what it was
 * (when only that last step failed, the new one is there, as the message says). */
TL_API int tl__writer_commit(tl_writer *w, tl_err *err);
TL_API void tl__writer_cancel(tl_writer *w);

#endif
