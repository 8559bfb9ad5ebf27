/* test_file.c -- a file is there whole or not at all. */
#include "core/file.h"
#include "core/memory.h"
#include "tests/scratch.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

TestSuite(file, .init = scratch_open, .fini = scratch_close);

static int write_text(const char *path, const char *text, tl_err *err)
{
    tl_writer w;
    int code = tl__writer_open(&w, path, err);
    if (code)
        return code;
    code = tl__writer_put(&w, text, strlen(text), err);
    if (code == TL_OK)
        return tl__writer_commit(&w, err);
    tl__writer_cancel(&w);
    return code;
}

static void check_text(const char *path, const char *want)
{
    size_t size;
    tl_err err;
    char *text = tl__file_load(path, &size, &err);
    cr_assert_not_null(text, "%s", err.message);
    cr_assert_str_eq(text, want);
    cr_assert_eq(size, strlen(want));
    tl__free(text);
}

Test(file, a_commit_replaces_and_a_cancel_does_not)
{
    tl_err err;
    tl_writer w;
    const char *path = scratch_path("a");
    cr_assert_eq(write_text(path, "old", &err), TL_OK);
    cr_assert_eq(tl__writer_open(&w, path, &err), TL_OK);
    cr_assert_eq(tl__writer_put(&w, "half", 4, &err), TL_OK);
    check_text(path, "old");
    tl__writer_cancel(&w);
    check_text(path, "old");
    cr_assert_eq(write_text(path, "new", &err), TL_OK);
    check_text(path, "new");
    cr_assert_eq(write_text(path, "", &err), TL_OK);
    check_text(path, "");
    cr_assert_eq(scratch_files(), 1);
}

Test(file, mode_and_link_of_the_old_file_stay)
{
    tl_err err;
    struct stat st;
    const char *path = scratch_path("a"), *link = scratch_path("link");
    cr_assert_eq(write_text(path, "old", &err), TL_OK);
    cr_assert_eq(chmod(path, 0640), 0);
    cr_assert_eq(symlink("a", link), 0);
    cr_assert_eq(write_text(link, "new", &err), TL_OK);
    check_text(path, "new");
    cr_assert_eq(lstat(link, &st), 0);
    cr_assert(S_ISLNK(st.st_mode));
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0640);
}

Test(file, a_path_without_directory_works)
{
    tl_err err;
    cr_assert_eq(chdir(scratch_directory), 0);
    cr_assert_eq(write_text("plain", "text", &err), TL_OK, "%s", err.message);
    check_text("plain", "text");
    cr_assert_eq(chdir("/"), 0);
}

Test(file, failures_name_the_file_and_the_reason)
{
    tl_err err;
    tl_reader r;
    size_t size;
    const char *path = scratch_path("missing/a");
    cr_assert_eq(write_text(path, "x", &err), TL_EIO);
    cr_assert_not_null(strstr(err.message, path));
    cr_assert_not_null(strstr(err.message, "No such file"));
    cr_assert_eq(write_text(scratch_directory, "x", &err), TL_EIO);
    cr_assert_not_null(strstr(err.message, "not a regular file"));
    cr_assert_eq(write_text("", "x", &err), TL_EINVAL);
    cr_assert_null(tl__file_load(path, &size, &err));
    cr_assert_eq(err.code, TL_EIO);
    cr_assert_eq(tl__reader_open(&r, scratch_directory, &err), TL_EIO);
    cr_assert_eq(tl__reader_open(&r, NULL, &err), TL_EINVAL);
    cr_assert_eq(mkfifo(scratch_path("pipe"), 0600), 0);
    cr_assert_eq(tl__reader_open(&r, scratch_path("pipe"), &err), TL_EIO,
                 "a pipe must neither work nor wait");
    cr_assert_eq(scratch_files(), 1);
}

Test(file, a_disk_that_is_full_leaves_the_old_file)
{
    tl_err err;
    const char *path = scratch_path("a");
    cr_assert_eq(write_text(path, "old", &err), TL_OK);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit old, limit;
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = old;
    limit.rlim_cur = 5;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int code = write_text(path, "longer than five", &err);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    cr_assert_eq(code, TL_EIO);
    cr_assert_not_null(strstr(err.message, "too large"), "%s", err.message);
    check_text(path, "old");
    cr_assert_eq(scratch_files(), 1);
}

Test(file, a_directory_that_is_read_only_leaves_the_old_file)
{
    tl_err err;
    const char *path = scratch_path("a");
    cr_assert_eq(write_text(path, "old", &err), TL_OK);
    if (geteuid() == 0 && seteuid(65534) != 0) /* root may write anywhere */
        cr_skip_test("cannot become a user without rights");
    cr_assert_eq(write_text(path, "new", &err), TL_EIO);
    cr_assert(geteuid() != 65534 || seteuid(0) == 0);
    check_text(path, "old");
}

Test(file, reading_past_the_end_is_damage)
{
    tl_err err;
    tl_reader r;
    char bytes[4];
    const char *path = scratch_path("a");
    cr_assert_eq(write_text(path, "abc", &err), TL_OK);
    cr_assert_eq(tl__reader_open(&r, path, &err), TL_OK);
    cr_assert_eq(r.size, 3);
    cr_assert_eq(tl__reader_get(&r, 1, bytes, 2, &err), TL_OK);
    cr_assert_eq(memcmp(bytes, "bc", 2), 0);
    cr_assert_eq(tl__reader_get(&r, 1, bytes, 3, &err), TL_EFORMAT);
    tl__reader_close(&r);
}

Test(file, no_memory_is_an_error)
{
    tl_err err;
    size_t size;
    const char *path = scratch_path("a");
    cr_assert_eq(write_text(path, "old", &err), TL_OK);
    for (long n = 1; n <= 2; n++) {
        tl__fail_after(n);
        int code = write_text(path, "new", &err);
        tl__fail_after(0);
        cr_assert_eq(code, TL_ENOMEM);
    }
    tl__fail_after(1);
    cr_assert_null(tl__file_load(path, &size, &err));
    tl__fail_after(0);
    cr_assert_eq(err.code, TL_ENOMEM);
    check_text(path, "old");
}
