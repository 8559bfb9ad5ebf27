/* file.c -- reading by position, and writing that is all or nothing. */
#include "core/file.h"

#include "core/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int io_failed(tl_err *err, const char *path, const char *what)
{
    return tl__fail(err, TL_EIO, "%s: %s: %s", path, what, strerror(errno));
}

int tl__reader_open(tl_reader *r, const char *path, tl_err *err)
{
    *r = (tl_reader){path, -1, 0};
    if (!path || !path[0])
        return tl__fail(err, TL_EINVAL, "no file name");
    r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not make us wait */
    if (r->fd < 0)
        return io_failed(err, path, "cannot be opened");
    struct stat st;
    int code = TL_OK;
    if (fstat(r->fd, &st) != 0)
        code = io_failed(err, path, "cannot be examined");
    else if (!S_ISREG(st.st_mode))
        code = tl__fail(err, TL_EIO, "%s: not a regular file", path);
    else
        r->size = (uint64_t)st.st_size;
    if (code)
        tl__reader_close(r);
    return code;
}

int tl__reader_get(const tl_reader *r, uint64_t at, void *out, size_t size, tl_err *err)
{
    char *to = out;
    while (size > 0) {
        ssize_t n = pread(r->fd, to, size, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return io_failed(err, r->path, "cannot be read");
        if (n == 0)
            return tl__fail(err, TL_EFORMAT, "%s: ends at byte %llu, %zu bytes too early", r->path,
                            (unsigned long long)at, size);
        to += n;
        at += (uint64_t)n;
        size -= (size_t)n;
    }
    return TL_OK;
}

void tl__reader_close(tl_reader *r)
{
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
}

char *tl__file_load(const char *path, size_t *size, tl_err *err)
{
    tl_reader r;
    if (tl__reader_open(&r, path, err))
        return NULL;
    char *data = r.size < PTRDIFF_MAX ? tl__alloc((size_t)r.size + 1) : NULL;
    if (!data) {
        tl__fail(err, TL_ENOMEM, "%s: no memory for %llu bytes", path, (unsigned long long)r.size);
    } else if (tl__reader_get(&r, 0, data, (size_t)r.size, err)) {
        tl__free(data);
        data = NULL;
    } else {
        data[r.size] = '\0';
        *size = (size_t)r.size;
    }
    tl__reader_close(&r);
    return data;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void writer_close(tl_writer *w)
{
    if (w->fd >= 0)
        close(w->fd);
    tl__free(w->path);
    tl__free(w->temp);
    *w = (tl_writer){.fd = -1};
}

/* temp_open -- a new file beside the target: a rename is atomic only within one file system. */
static int temp_open(tl_writer *w, tl_err *err)
{
    size_t room = strlen(w->path) + 40;
    w->temp = tl__alloc(room);
    if (!w->temp)
        return tl__fail(err, TL_ENOMEM, "%s: no memory", w->path);
    for (int attempt = 0; attempt < 100; attempt++) {
        snprintf(w->temp, room, "%s.tmp-%ld-%d", w->path, (long)getpid(), attempt);
        w->fd = open(w->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (w->fd >= 0)
            return TL_OK;
        if (errno != EEXIST)
            break;
    }
    return io_failed(err, w->path, "cannot be written");
}

int tl__writer_open(tl_writer *w, const char *path, tl_err *err)
{
    *w = (tl_writer){.fd = -1};
    if (!path || !path[0])
        return tl__fail(err, TL_EINVAL, "no file name");
    char resolved[PATH_MAX];
    struct stat st;
    int old = realpath(path, resolved) != NULL && stat(resolved, &st) == 0;
    if (old && !S_ISREG(st.st_mode))
        return tl__fail(err, TL_EIO, "%s: not a regular file", path);
    w->path = tl__strdup(old ? resolved : path);
    int code = w->path ? temp_open(w, err) : tl__fail(err, TL_ENOMEM, "%s: no memory", path);
    if (code) {
        writer_close(w);
        return code;
    }
    if (old)
        (void)fchmod(w->fd, st.st_mode & 0777); /* keeps who may read it; not worth failing for */
    return TL_OK;
}

int tl__writer_put(tl_writer *w, const void *data, size_t size, tl_err *err)
{
    const char *from = data;
    while (size > 0) {
        ssize_t n = write(w->fd, from, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return io_failed(err, w->path, "cannot be written");
        from += n;
        size -= (size_t)n;
    }
    return TL_OK;
}

void tl__writer_cancel(tl_writer *w)
{
    if (w->temp && w->fd >= 0)
        unlink(w->temp);
    writer_close(w);
}

/* directory_open -- the directory of path, to be synced after the rename. */
static int directory_open(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char name[PATH_MAX];
    size_t length = slash == path ? 1 : (size_t)(slash - path);
    if (length >= sizeof name) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(name, path, length);
    name[length] = '\0';
    return open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int tl__writer_commit(tl_writer *w, tl_err *err)
{
    int code = TL_OK;
    int directory = directory_open(w->path);
    if (directory < 0 || fsync(w->fd) != 0 || rename(w->temp, w->path) != 0) {
        code = io_failed(err, w->path, "cannot be written");
        if (directory >= 0)
            close(directory);
        tl__writer_cancel(w);
        return code;
    }
    if (fsync(directory) != 0 && errno != EINVAL &&
        errno != ENOTSUP) /* those two: nothing to sync there */
        code = io_failed(err, w->path, "is in place, but its directory cannot be synced");
    close(directory);
    writer_close(w);
    return code;
}
