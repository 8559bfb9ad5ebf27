/* test_safetensors.c -- the format's reader against every way of damaging a file that we could
 * think of. */
#include "core/memory.h"
#include "core/safetensors.h"
#include "tests/scratch.h"

#include <criterion/criterion.h>

TestSuite(safetensors, .init = scratch_open, .fini = scratch_close);

/* put -- a file of this header and so many bytes of data. */
static const char *put(const char *header, size_t length, size_t data)
{
    const char *path = scratch_path("x.safetensors");
    char *bytes = calloc(8 + length + data, 1);
    uint64_t n = length;
    memcpy(bytes, &n, 8);
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < data; i++)
        bytes[8 + length + i] = (char)i;
    scratch_write(path, bytes, 8 + length + data);
    free(bytes);
    return path;
}

static int read_path(const char *path, tl_safetensors *s, tl_meta *meta, tl_err *err)
{
    tl_reader r;
    *s = (tl_safetensors){0};
    int code = tl__reader_open(&r, path, err);
    if (code == TL_OK)
        code = tl__safetensors_read(&r, s, meta, err);
    tl__reader_close(&r);
    return code;
}

static int read_text(const char *header, size_t data, tl_safetensors *s, tl_meta *meta, tl_err *err)
{
    return read_path(put(header, strlen(header), data), s, meta, err);
}

Test(safetensors, reads_what_the_format_allows)
{
    tl_safetensors s;
    tl_err err;
    tl_meta *meta = tl_meta_new();
    static const char header[] =
        "{\"b\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[8,20]},"
        "\"__metadata__\":{\"format\":\"pt\",\"\":\"no key\"},"
        "\"a\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8]},"
        "\"none\":{\"dtype\":\"F32\",\"shape\":[4,0,9],\"data_offsets\":[8,8]},"
        "\"deep\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1,3],\"data_offsets\":[20,23]}}   ";
    cr_assert_eq(read_text(header, 23, &s, meta, &err), TL_OK, "%s", err.message);
    cr_assert_eq(s.n, 4);
    cr_assert_str_eq(s.tensor[0].name, "a");
    cr_assert_eq(s.tensor[0].type, TL_STORED_F64);
    cr_assert_eq(s.tensor[0].shape.rank, 0);
    cr_assert_eq(s.tensor[0].count, 1);
    cr_assert_eq(s.tensor[0].at, 8 + strlen(header));
    cr_assert_str_eq(s.tensor[1].name, "none");
    cr_assert_eq(s.tensor[1].count, 0);
    cr_assert_str_eq(s.tensor[2].name, "b");
    cr_assert_eq(s.tensor[2].type, TL_STORED_BF16);
    cr_assert(tl_shape_equal(s.tensor[2].shape, tl_shape2(2, 3)));
    cr_assert_eq(s.tensor[2].at, 16 + strlen(header));
    cr_assert_eq(s.tensor[2].bytes, 12);
    cr_assert_str_eq(s.tensor[3].name, "deep");
    cr_assert_eq(s.tensor[3].shape.rank, -1);
    cr_assert_str_eq(tl_meta_get(meta, "format"), "pt");
    tl__safetensors_close(&s);
    cr_assert_eq(read_text("{}", 0, &s, NULL, &err), TL_OK);
    cr_assert_eq(s.n, 0);
    tl__safetensors_close(&s);
    tl_meta_free(meta);
}

#define ENTRY(name, dtype, shape, begin, end)                                                      \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" begin "," end   \
    "]}"

/* Headers that must be refused over 8 bytes of data, and a word of the reason. */
static const struct {
    const char *header, *reason;
} hostile[] = {
    {"", "{"},
    {"[]", "{"},
    {" {}", "{"},
    {"{", "header, byte"},
    {"{}x", "header, byte"},
    {"{}", "8 bytes follow"},
    {"{" ENTRY("a", "F32", "[2]", "0", "8") "," ENTRY("a", "F32", "[2]", "0", "8") "}",
     "duplicate"},
    {"{" ENTRY("a", "F32", "[1]", "0", "4") "}", "4 bytes follow"},
    {"{" ENTRY("a", "F32", "[1]", "4", "8") "}", "hole"},
    {"{" ENTRY("a", "F32", "[1]", "0", "4") "," ENTRY("b", "F32", "[1]", "0", "4") "}", "overlap"},
    {"{" ENTRY("a", "F32", "[2]", "0", "8") "," ENTRY("b", "F32", "[1]", "4", "8") "}", "overlap"},
    {"{" ENTRY("a", "U8", "[3]", "0", "3") "," ENTRY("b", "U8", "[4]", "4", "8") "}", "hole"},
    {"{" ENTRY("a", "F32", "[3]", "0", "12") "}", "the file has 8"},
    {"{" ENTRY("a", "F32", "[2]", "0", "7") "}", "want 8"},
    {"{" ENTRY("a", "F32", "[3]", "0", "8") "}", "want 12"},
    {"{" ENTRY("a", "F64", "[2]", "0", "8") "}", "want 16"},
    {"{" ENTRY("a", "F32", "[2]", "8", "0") "}", "data_offsets"},
    {"{" ENTRY("a", "F32", "[2]", "-8", "0") "}", "data_offsets"},
    {"{" ENTRY("a", "F32", "[2]", "0.0", "8.0") "}", "data_offsets"},
    {"{" ENTRY("a", "F32", "[2]", "\"0\"", "8") "}", "data_offsets"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", "data_offsets"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4,8]}}", "data_offsets"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":{}}}", "data_offsets"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", "data_offsets"},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", "no shape"},
    {"{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", "dtype"},
    {"{\"a\":[]}", "not an object"},
    {"{\"a\":null}", "not an object"},
    {"{" ENTRY("a", "f32", "[2]", "0", "8") "}", "dtype f32 is unknown"},
    {"{" ENTRY("a", "F31", "[2]", "0", "8") "}", "dtype F31 is unknown"},
    {"{" ENTRY("a", "", "[2]", "0", "8") "}", "unknown"},
    {"{" ENTRY("a", "F32", "[-2]", "0", "8") "}", "extent"},
    {"{" ENTRY("a", "F32", "[-1,-2]", "0", "8") "}", "extent"},
    {"{" ENTRY("a", "F32", "[2.0]", "0", "8") "}", "extent"},
    {"{" ENTRY("a", "F32", "[true]", "0", "8") "}", "extent"},
    {"{" ENTRY("a", "F32", "2", "0", "8") "}", "no shape"},
    {"{" ENTRY("a", "F32", "[4294967296,4294967296]", "0", "0") "}", "too many"},
    {"{" ENTRY("a", "F32", "[4294967296,4294967298]", "0", "8") "}", "too many"},
    {"{" ENTRY("a", "F32", "[0,4294967296,4294967296]", "0", "0") "}", "too many"},
    {"{" ENTRY("a", "F64", "[2305843009213693952]", "0", "0") "}", "too many"},
    {"{" ENTRY("a", "F32", "[99999999999999999999]", "0", "8") "}", "header, byte"},
    {"{" ENTRY("a", "U8", "[9223372036854775807]", "0", "9223372036854775807") "," //
     ENTRY("b", "U8", "[8]", "9223372036854775807", "9223372036854775815") "}",
     "header, byte"},
    {"{" ENTRY("a", "U8", "[9223372036854775807]", "0", "9223372036854775807") "}",
     "the file has 8"},
    {"{" ENTRY("a\\u0000b", "F32", "[2]", "0", "8") "}", "header, byte"},
    {"{" ENTRY("a\xFF", "F32", "[2]", "0", "8") "}", "decode"},
    {"{" ENTRY("a\xC0\x80", "F32", "[2]", "0", "8") "}", "decode"},
    {"{\"__metadata__\":[]," ENTRY("a", "F32", "[2]", "0", "8") "}", "__metadata__"},
    {"{\"__metadata__\":{\"x\":1}," ENTRY("a", "F32", "[2]", "0", "8") "}", "not a string"},
    {"{\"__metadata__\":{\"x\":\"1\",\"x\":\"2\"}," ENTRY("a", "F32", "[2]", "0", "8") "}",
     "duplicate"},
};

Test(safetensors, refuses_hostile_headers)
{
    tl_meta *meta = tl_meta_new();
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        tl_safetensors s;
        tl_err err = {0};
        int code = read_text(hostile[i].header, 8, &s, meta, &err);
        cr_assert_eq(code, TL_EFORMAT, "%s gave %d", hostile[i].header, code);
        cr_assert_eq(err.code, TL_EFORMAT);
        cr_assert_not_null(strstr(err.message, "x.safetensors"), "%s", err.message);
        cr_assert_not_null(strstr(err.message, hostile[i].reason), "%s gave: %s", hostile[i].header,
                           err.message);
        cr_assert(s.n == 0 && s.tensor == NULL);
        cr_assert_eq(tl_meta_count(meta), 0);
    }
    tl_meta_free(meta);
}

Test(safetensors, refuses_deep_nesting)
{
    enum { DEPTH = 200000 };
    static char header[3 * DEPTH + 200];
    size_t n = 0;
    n += (size_t)sprintf(header + n, "{\"a\":");
    for (int i = 0; i < DEPTH; i++)
        header[n++] = '[';
    for (int i = 0; i < DEPTH; i++)
        header[n++] = ']';
    header[n++] = '}';
    header[n] = '\0';
    tl_safetensors s;
    tl_err err;
    cr_assert_eq(read_text(header, 8, &s, NULL, &err), TL_EFORMAT);
    cr_assert_not_null(strstr(err.message, "depth"), "%s", err.message);
}

Test(safetensors, refuses_header_lengths_that_lie)
{
    static const uint64_t lengths[] = {
        0, 1, 9, 100000000, 100000001, UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 63, INT64_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        char bytes[16] = {0};
        memcpy(bytes, &lengths[i], 8);
        memcpy(bytes + 8, "{}", 2);
        tl_safetensors s;
        tl_err err;
        const char *path = scratch_path("x.safetensors");
        scratch_write(path, bytes, 10);
        cr_assert_eq(read_path(path, &s, NULL, &err), TL_EFORMAT, "%llu",
                     (unsigned long long)lengths[i]);
        cr_assert_not_null(strstr(err.message, path));
        cr_assert_eq(lengths[i] > 100000000, strstr(err.message, "at most 100000000") != NULL, "%s",
                     err.message);
    }
}

static size_t write_sample(const char *path, tl_meta *meta)
{
    static const double a[2] = {1.5, -2.25};
    static const float b[3] = {1, 2, 3};
    static const int32_t c = 7;
    const tl_stored_value values[] = {
        {"b", TL_F32, tl_shape1(3), b},
        {"a", TL_F64, tl_shape2(2, 1), a},
        {"empty", TL_F32, tl_shape2(0, 5), NULL},
        {"c \"quoted\"\n\xC3\xA4", TL_I32, tl_shape0(), &c},
    };
    tl_writer w;
    tl_err err;
    size_t size;
    cr_assert_eq(tl__writer_open(&w, path, &err), TL_OK);
    cr_assert_eq(tl__safetensors_write(&w, path, 4, values, meta, &err), TL_OK, "%s", err.message);
    cr_assert_eq(tl__writer_commit(&w, &err), TL_OK);
    free(scratch_read(path, &size));
    return size;
}

Test(safetensors, writes_what_it_reads)
{
    tl_meta *meta = tl_meta_new(), *back = tl_meta_new();
    tl_meta_set(meta, "line", "two\nlines \"quoted\" \xE2\x82\xAC");
    const char *path = scratch_path("x.safetensors");
    write_sample(path, meta);
    tl_safetensors s;
    tl_err err;
    cr_assert_eq(read_path(path, &s, back, &err), TL_OK, "%s", err.message);
    cr_assert_eq(s.n, 4);
    cr_assert_str_eq(s.tensor[0].name, "a"); /* f64 first */
    cr_assert_eq(s.tensor[0].at % 8, 0);
    cr_assert(tl_shape_equal(s.tensor[0].shape, tl_shape2(2, 1)));
    double a[2];
    tl_reader r;
    cr_assert_eq(tl__reader_open(&r, path, &err), TL_OK);
    cr_assert_eq(tl__reader_get(&r, s.tensor[0].at, a, sizeof a, &err), TL_OK);
    cr_assert(a[0] == 1.5 && a[1] == -2.25);
    tl__reader_close(&r);
    cr_assert_str_eq(s.tensor[3].name, "c \"quoted\"\n\xC3\xA4");
    cr_assert_str_eq(tl_meta_get(back, "line"), tl_meta_get(meta, "line"));
    tl__safetensors_close(&s);
    tl_meta_free(meta);
    tl_meta_free(back);
}

Test(safetensors, refuses_a_file_cut_anywhere)
{
    const char *path = scratch_path("x.safetensors");
    size_t size;
    write_sample(path, NULL);
    char *bytes = scratch_read(path, &size);
    for (size_t n = 0; n <= size + 1; n++) {
        tl_safetensors s;
        tl_err err;
        char *cut = calloc(size + 1, 1);
        memcpy(cut, bytes, n < size ? n : size);
        scratch_write(path, cut, n); /* n == size + 1: one byte too many */
        free(cut);
        int code = read_path(path, &s, NULL, &err);
        cr_assert_eq(code, n == size ? TL_OK : TL_EFORMAT, "%zu of %zu bytes", n, size);
        if (code)
            cr_assert_not_null(strstr(err.message, path), "%s", err.message);
        tl__safetensors_close(&s);
    }
    free(bytes);
}

Test(safetensors, survives_any_changed_byte)
{
    const char *path = scratch_path("x.safetensors");
    size_t size;
    write_sample(path, NULL);
    char *bytes = scratch_read(path, &size);
    static const char other[] = {0,   1,   ' ', '0', '9', '-',        '"',       '{',
                                 '}', '[', ']', ',', ':', (char)0x80, (char)0xFF};
    FILE *f = fopen(path, "r+b");
    cr_assert_not_null(f);
    setbuf(f, NULL);
    for (size_t i = 0; i < size; i++) {
        for (size_t k = 0; k < sizeof other; k++) {
            tl_safetensors s;
            tl_err err;
            fseek(f, (long)i, SEEK_SET);
            cr_assert_eq(fwrite(&other[k], 1, 1, f), 1);
            int code = read_path(path, &s, NULL, &err);
            cr_assert(code == TL_OK || code == TL_EFORMAT);
            for (int64_t t = 0; t < s.n; t++)
                cr_assert(s.tensor[t].at + s.tensor[t].bytes <= size);
            tl__safetensors_close(&s);
        }
        fseek(f, (long)i, SEEK_SET);
        cr_assert_eq(fwrite(&bytes[i], 1, 1, f), 1);
    }
    fclose(f);
    free(bytes);
}

Test(safetensors, other_formats_are_named)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *what;
    } files[] = {
        {"PK\3\4\0\0\x08\x08\0\0\0\0\0\0\0\0", 16, "torch.load"},
        {"PK\3\4", 4, "torch.load"},
        {"\x80\x02\x8A\x0Al\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19.", 15, "torch.load"},
        {"\x80\x04\x95", 3, "torch.load"},
        {"\x93NUMPY\1\0v\0{'descr'", 18, "NumPy"},
        {"\x1F\x8B\x08\0\0\0\0\0\0\3", 10, "gzip"},
        {"\x89HDF\r\n\x1A\n\0\0", 10, "HDF5"},
        {"GGUF\3\0\0\0\0\0", 10, "GGUF"},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const char *path = scratch_path("model.pt");
        tl_safetensors s;
        tl_err err;
        scratch_write(path, files[i].bytes, files[i].size);
        cr_assert_eq(read_path(path, &s, NULL, &err), TL_EFORMAT);
        cr_assert_not_null(strstr(err.message, path));
        cr_assert_not_null(strstr(err.message, files[i].what), "%s", err.message);
    }
    /* a header of 67 MB also begins with PK */
    const char *path = scratch_path("pk");
    scratch_write(path, "PK\3\4\0\0\0\0{", 9);
    tl_safetensors s;
    tl_err err;
    cr_assert_eq(read_path(path, &s, NULL, &err), TL_EFORMAT);
    cr_assert_not_null(strstr(err.message, "cut off"), "%s", err.message);
}

Test(safetensors, names_that_cannot_be_written_are_refused)
{
    static const float x = 1;
    static const char *const names[] = {"", "__metadata__", "\xFF", "a\xC3", NULL};
    const char *path = scratch_path("x.safetensors");
    tl_err err;
    for (int i = 0; i < 5; i++) {
        const tl_stored_value v = {names[i], TL_F32, tl_shape0(), &x};
        tl_writer w;
        cr_assert_eq(tl__writer_open(&w, path, &err), TL_OK);
        cr_assert_eq(tl__safetensors_write(&w, path, 1, &v, NULL, &err), TL_ENAME);
        tl__writer_cancel(&w);
    }
    const tl_stored_value twice[2] = {{"x", TL_F32, tl_shape0(), &x},
                                      {"x", TL_F32, tl_shape0(), &x}};
    tl_writer w;
    cr_assert_eq(tl__writer_open(&w, path, &err), TL_OK);
    cr_assert_eq(tl__safetensors_write(&w, path, 2, twice, NULL, &err), TL_ENAME);
    cr_assert_not_null(strstr(err.message, "two tensors"));
    tl__writer_cancel(&w);
    tl_meta *meta = tl_meta_new();
    tl_meta_set(meta, "x", "\xFF");
    cr_assert_eq(tl__writer_open(&w, path, &err), TL_OK);
    cr_assert_eq(tl__safetensors_write(&w, path, 1, twice, meta, &err), TL_ENAME);
    tl__writer_cancel(&w);
    tl_meta_free(meta);
    cr_assert_eq(scratch_files(), 0);
}

Test(safetensors, no_memory_while_reading)
{
    const char *path = scratch_path("x.safetensors");
    tl_meta *meta = tl_meta_new();
    tl_meta_set(meta, "k", "v");
    write_sample(path, meta);
    for (long n = 1;; n++) {
        tl_safetensors s;
        tl_err err = {0};
        tl_meta *into = tl_meta_new();
        tl__fail_after(n);
        int code = read_path(path, &s, into, &err);
        long used = tl__alloc_count();
        tl__fail_after(0);
        cr_assert_eq(tl_meta_count(into), code == TL_OK);
        tl_meta_free(into);
        tl__safetensors_close(&s);
        if (used < n) {
            cr_assert_eq(code, TL_OK);
            cr_assert_lt(5, n);
            break;
        }
        cr_assert_eq(code, TL_ENOMEM, "allocation %ld gave %d", n, code);
        cr_assert_eq(err.code, TL_ENOMEM);
    }
    tl_meta_free(meta);
}
