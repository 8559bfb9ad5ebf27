/* scratch.h -- a directory for the files of one test, and small files in it. Private to tests. */
#ifndef TL_TESTS_SCRATCH_H
#define TL_TESTS_SCRATCH_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* scratch_open -- a fresh directory; each test runs in a process of its own, so one is enough. */
static char scratch_directory[200];

static inline void scratch_open(void)
{
    const char *top = getenv("TMPDIR");
    snprintf(scratch_directory, sizeof scratch_directory, "%s/tapeloop-XXXXXX",
             top && top[0] ? top : "/tmp");
    cr_assert_not_null(mkdtemp(scratch_directory));
}

/* scratch_path -- the path of a file in it, in one of four static buffers in turn. */
static inline const char *scratch_path(const char *name)
{
    static char path[4][512];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", scratch_directory, name);
    return path[turn];
}

/* scratch_files -- how many files there are: a failed write leaves none behind. */
static inline int scratch_files(void)
{
    int n = 0;
    DIR *d = opendir(scratch_directory);
    for (const struct dirent *e; d && (e = readdir(d));)
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

static inline void scratch_close(void)
{
    DIR *d = opendir(scratch_directory);
    for (const struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.')
            unlink(scratch_path(e->d_name));
    if (d)
        closedir(d);
    rmdir(scratch_directory);
}

static inline void scratch_write(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    cr_assert_not_null(f);
    cr_assert_eq(fwrite(data, 1, size, f), size);
    cr_assert_eq(fclose(f), 0);
}

/* scratch_read -- the whole file; freed by free. */
static inline char *scratch_read(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    cr_assert_not_null(f, "%s", path);
    fseek(f, 0, SEEK_END);
    *size = (size_t)ftell(f);
    rewind(f);
    char *data = malloc(*size + 1);
    cr_assert_not_null(data);
    cr_assert_eq(fread(data, 1, *size, f), *size);
    fclose(f);
    return data;
}

/* scratch_safetensors -- a file with this header and data; returns its path. */
static inline const char *scratch_safetensors(const char *header, const void *data, size_t size)
{
    const char *path = scratch_path("made.safetensors");
    size_t length = strlen(header);
    char *bytes = malloc(8 + length + size);
    uint64_t n = length;
    memcpy(bytes, &n, 8);
    memcpy(bytes + 8, header, length);
    memcpy(bytes + 8 + length, data, size);
    scratch_write(path, bytes, 8 + length + size);
    free(bytes);
    return path;
}

#endif
