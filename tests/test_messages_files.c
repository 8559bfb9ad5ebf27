/* test_messages_files.c -- every message of weights, metadata and the files they are in. */
#include "tests/messages.h"
#include "tests/scratch.h"

#include <sys/stat.h>

static tl_params *params; /* "W" f32 [2] */
static tl_state *state;   /* i32 [2] */

static void make_things(void)
{
    scratch_open();
    params = tl_params_new(TL_F32);
    cr_assert_not_null(tl_param_new(params, "W", tl_shape1(2), NULL));
    state = tl_state_new(TL_I32, tl_shape1(2));
}

static void free_things(void)
{
    tl_state_free(state);
    tl_params_free(params);
    scratch_close();
}

/* load_into -- writes a file "f" with this header and data, and loads it. */
static int load_into(const tl_weights_part *part, const char *header, const void *data,
                     size_t bytes, const tl_weights_opts *opts, tl_err *err)
{
    char file[2000];
    const uint64_t n = strlen(header);
    memcpy(file, &n, sizeof n);
    memcpy(file + 8, header, (size_t)n);
    memcpy(file + 8 + n, data, bytes);
    const char *path = scratch_path("f");
    scratch_write(path, file, 8 + (size_t)n + bytes);
    return tl_weights_load(path, 1, part, opts, NULL, NULL, err);
}

static const double zeros[8];

static int load(const char *header, size_t bytes, tl_err *err)
{
    const tl_weights_part part = {"", params, NULL};
    return load_into(&part, header, zeros, bytes, NULL, err);
}

static int load_bytes(const void *bytes, size_t size, tl_err *err)
{
    const tl_weights_part part = {"", params, NULL};
    const char *path = scratch_path("f");
    scratch_write(path, bytes, size);
    return tl_weights_load(path, 1, &part, NULL, NULL, NULL, err);
}

#define ENTRY(DTYPE, SHAPE, FROM, TO)                                                              \
    "{\"dtype\":\"" DTYPE "\",\"shape\":" SHAPE ",\"data_offsets\":[" FROM "," TO "]}"
#define GOOD "{\"W\":" ENTRY("F32", "[2]", "0", "8") "}"

/* ---- the file -------------------------------------------------------------------------------- */

RETURNS(no_name, tl_weights_meta("", NULL, err))
RETURNS(not_there, tl_weights_meta(scratch_path("none"), NULL, err))
RETURNS(a_directory, tl_weights_meta(scratch_directory, NULL, err))
RETURNS(empty_file, load_bytes("", 0, err))
RETURNS(short_file, load_bytes("abc", 3, err))
RETURNS(zip, load_bytes("PK\3\4 and more", 13, err))
RETURNS(pickle, load_bytes("\x80\2and more", 10, err))
RETURNS(numpy, load_bytes("\x93NUMPY and more", 15, err))
RETURNS(long_header, load_bytes("\xff\xff\xff\xff\xff\0\0\0{", 9, err))
RETURNS(cut_off, load_bytes("\x40\0\0\0\0\0\0\0{", 9, err))
RETURNS(no_brace, load_bytes("\1\0\0\0\0\0\0\0[", 9, err))
RETURNS(no_json, load("{\"W\":", 0, err))
RETURNS(no_object, load_bytes("\2\0\0\0\0\0\0\0{]", 10, err))

/* ---- the header ------------------------------------------------------------------------------ */

RETURNS(entry_no_object, load("{\"W\":3}", 0, err))
RETURNS(entry_dtype, load("{\"W\":" ENTRY("F7", "[2]", "0", "8") "}", 8, err))
RETURNS(entry_no_dtype, load("{\"W\":{}}", 8, err))
RETURNS(entry_no_shape, load("{\"W\":{\"dtype\":\"F32\"}}", 8, err))
RETURNS(entry_extent, load("{\"W\":" ENTRY("F32", "[-2]", "0", "8") "}", 8, err))
RETURNS(entry_large, load("{\"W\":" ENTRY("F32", "[4294967296,4294967296]", "0", "8") "}", 8, err))
RETURNS(entry_offsets, load("{\"W\":" ENTRY("F32", "[2]", "8", "0") "}", 8, err))
RETURNS(entry_bytes, load("{\"W\":" ENTRY("F32", "[3]", "0", "8") "}", 8, err))
RETURNS(hole, load("{\"W\":" ENTRY("F32", "[2]", "8", "16") "}", 16, err))
RETURNS(overlap,
        load("{\"W\":" ENTRY("F32", "[2]", "0", "8") ",\"U\":" ENTRY("F32", "[2]", "4", "12") "}",
             12, err))
RETURNS(behind_the_end, load(GOOD, 4, err))
RETURNS(bytes_follow, load(GOOD, 12, err))
RETURNS(meta_no_object, load("{\"__metadata__\":3}", 0, err))
RETURNS(meta_no_string, load("{\"__metadata__\":{\"step\":3}}", 0, err))

/* ---- weights and what is wanted -------------------------------------------------------------- */

RETURNS(report, load("{\"V\":" ENTRY("F32", "[2]", "0", "8") "}", 8, err))
RETURNS(wrong_shape, load("{\"W\":" ENTRY("F32", "[3]", "0", "12") "}", 12, err))
RETURNS(wrong_type, load("{\"W\":" ENTRY("I32", "[2]", "0", "8") "}", 8, err))
RETURNS(version_text,
        load("{\"__metadata__\":{\"tapeloop\":\"new\"},\"W\":" ENTRY("F32", "[2]", "0", "8") "}", 8,
             err))
RETURNS(version_later,
        load("{\"__metadata__\":{\"tapeloop\":\"99\"},\"W\":" ENTRY("F32", "[2]", "0", "8") "}", 8,
             err))

static int with_value(double value, const char *type, tl_err *err)
{
    const tl_weights_part part = {"", params, NULL};
    const double wide[] = {0, value};
    const float narrow[] = {0, (float)value};
    return strcmp(type, "F64") == 0
               ? load_into(&part, "{\"W\":" ENTRY("F64", "[2]", "0", "16") "}", wide, 16, NULL, err)
               : load_into(&part, GOOD, narrow, 8, NULL, err);
}

RETURNS(too_large, with_value(1e200, "F64", err))
RETURNS(not_a_number, with_value(CHECK_NAN, "F32", err))
RETURNS(infinite, with_value(CHECK_INF, "F32", err))
RETURNS(minus_infinite, with_value(-CHECK_INF, "F32", err))

static int rename_both(tl_tape *tape, tl_err *err)
{
    (void)tape;
    const tl_weights_part part = {"", params, NULL};
    const tl_weights_rename rename[] = {{"U", "W"}};
    tl_weights_opts o = tl_weights_defaults();
    o.nrenames = 1;
    o.renames = rename;
    return load_into(
        &part, "{\"W\":" ENTRY("F32", "[2]", "0", "8") ",\"U\":" ENTRY("F32", "[2]", "8", "16") "}",
        zeros, 16, &o, err);
}

static int load_same_names(tl_tape *tape, tl_err *err)
{
    (void)tape;
    const tl_weights_part parts[] = {{"", params, NULL}, {"", params, NULL}};
    load(GOOD, 8, err);
    return tl_weights_load(scratch_path("f"), 2, parts, NULL, NULL, NULL, err);
}

/* ---- saving ---------------------------------------------------------------------------------- */

static int save(const char *path, int n, const tl_weights_part *parts, const tl_meta *meta,
                tl_err *err)
{
    return tl_weights_save(path, n, parts, meta, err);
}

static int save_at(const char *path, tl_err *err)
{
    const tl_weights_part part = {"", params, NULL};
    return save(path, 1, &part, NULL, err);
}

RETURNS(save_no_name, save_at(NULL, err))
RETURNS(save_no_directory, save_at(scratch_path("none/f"), err))
RETURNS(save_over_directory, save_at(scratch_directory, err))
RETURNS(save_no_parts, save(scratch_path("g"), 1, NULL, NULL, err))

static int save_part(tl_weights_part part, tl_err *err)
{
    return save(scratch_path("g"), 1, &part, NULL, err);
}

RETURNS(save_neither, save_part((tl_weights_part){"a.", NULL, NULL}, err))
RETURNS(save_both, save_part((tl_weights_part){"a.", params, state}, err))
RETURNS(save_state_no_name, save_part((tl_weights_part){"", NULL, state}, err))
RETURNS(save_reserved, save_part((tl_weights_part){"__metadata__", NULL, state}, err))

static int save_same_names(tl_tape *tape, tl_err *err)
{
    (void)tape;
    const tl_weights_part parts[] = {{"", params, NULL}, {"W", NULL, state}};
    return save(scratch_path("g"), 2, parts, NULL, err);
}

static int save_bad_meta(tl_tape *tape, tl_err *err)
{
    (void)tape;
    const tl_weights_part part = {"", params, NULL};
    tl_meta *meta = tl_meta_new();
    tl_meta_set(meta, "title", "caf\xe9");
    int code = save(scratch_path("g"), 1, &part, meta, err);
    tl_meta_free(meta);
    return code;
}

/* ---- metadata -------------------------------------------------------------------------------- */

static tl_meta *meta_with(const char *key, const char *value)
{
    tl_meta *m = tl_meta_new();
    cr_assert_eq(tl_meta_set(m, key, value), TL_OK);
    return m;
}

static int meta_get(const char *key, char kind, tl_err *err)
{
    tl_meta *m = meta_with("step", "12.5 or so");
    int64_t i;
    uint64_t u;
    double f;
    int code = kind == 'i'   ? tl_meta_get_i64(m, key, &i, err)
               : kind == 'u' ? tl_meta_get_u64(m, key, &u, err)
                             : tl_meta_get_f64(m, key, &f, err);
    tl_meta_free(m);
    return code;
}

RETURNS(meta_missing, meta_get("epoch", 'i', err))
RETURNS(meta_i64, meta_get("step", 'i', err))
RETURNS(meta_u64, meta_get("step", 'u', err))
RETURNS(meta_f64, meta_get("step", 'f', err))
RETURNS(meta_no_key, tl_meta_set(NULL, "step", "1"))

static const row rows[] = {
    ROW(no_name, EINVAL, "no file name"),
    ROW(not_there, EIO, "~/none: cannot be opened: No such file or directory"),
    ROW(a_directory, EIO, "~: not a regular file"),
    ROW(empty_file, EFORMAT, "~/f: 0 bytes are no safetensors file"),
    ROW(short_file, EFORMAT, "~/f: 3 bytes are no safetensors file"),
    ROW(zip, EFORMAT,
        "~/f: a ZIP archive as torch.save writes it, not a safetensors file; this converts it: "
        "python3 -c \"import torch, safetensors.torch as s; s.save_file({k: v.contiguous().clone() "
        "for k, v in torch.load('~/f', map_location='cpu', weights_only=True).items()}, "
        "'~/f.safetensors')\""),
    ROW(pickle, EFORMAT,
        "~/f: a Python pickle as torch.save writes it, not a safetensors file; this converts it: "
        "python3 -c \"import torch, safetensors.torch as s; s.save_file({k: v.contiguous().clone() "
        "for k, v in torch.load('~/f', map_location='cpu', weights_only=True).items()}, "
        "'~/f.safetensors')\""),
    ROW(numpy, EFORMAT, "~/f: a NumPy array, not a safetensors file"),
    ROW(long_header, EFORMAT,
        "~/f: header of 1099511627775 bytes, at most 100000000 are legal: not a safetensors file"),
    ROW(cut_off, EFORMAT,
        "~/f: header of 64 bytes in a file of 9: cut off, or not a safetensors file"),
    ROW(no_brace, EFORMAT, "~/f: header does not start with {"),
    ROW(no_json, EFORMAT, "~/f: header, byte 5: unexpected token near end of file"),
    ROW(no_object, EFORMAT, "~/f: header, byte 2: string or '}' expected near ']'"),
    ROW(entry_no_object, EFORMAT, "~/f: tensor W: its entry is not an object"),
    ROW(entry_dtype, EFORMAT, "~/f: tensor W: dtype F7 is unknown"),
    ROW(entry_no_dtype, EFORMAT, "~/f: tensor W: dtype (none) is unknown"),
    ROW(entry_no_shape, EFORMAT, "~/f: tensor W: has no shape"),
    ROW(entry_extent, EFORMAT, "~/f: tensor W: an extent of its shape is no integer of 0 or more"),
    ROW(entry_large, EFORMAT, "~/f: tensor W: its shape has too many elements"),
    ROW(entry_offsets, EFORMAT, "~/f: tensor W: data_offsets are not two ascending integers"),
    ROW(entry_bytes, EFORMAT, "~/f: tensor W: has 8 bytes, its shape and dtype F32 want 12"),
    ROW(hole, EFORMAT, "~/f: tensor W: starts at byte 8 of the data, want 0: a hole"),
    ROW(overlap, EFORMAT, "~/f: tensor U: starts at byte 4 of the data, want 8: an overlap"),
    ROW(behind_the_end, EFORMAT, "~/f: tensor W: ends at byte 8 of the data, the file has 4"),
    ROW(bytes_follow, EFORMAT, "~/f: 4 bytes follow the last tensor"),
    ROW(meta_no_object, EFORMAT, "~/f: __metadata__ is not an object"),
    ROW(meta_no_string, EFORMAT, "~/f: metadata \"step\" is not a string"),
    ROW(report, ENAME,
        "~/f: 1 missing, 1 unexpected, 0 of another shape or type: unexpected: V; missing: W "
        "[2]"),
    ROW(wrong_shape, ESHAPE,
        "~/f: 0 missing, 0 unexpected, 1 of another shape or type: wrong shape: W is [3] in the "
        "file, want [2]"),
    ROW(wrong_type, EDTYPE,
        "~/f: 0 missing, 0 unexpected, 1 of another shape or type: wrong type: W is I32 in the "
        "file, want f32"),
    ROW(version_text, EFORMAT, "~/f: its version \"new\" is no number"),
    ROW(version_later, EUNSUPPORTED,
        "~/f: written in version 99 of the format, this library knows 1"),
    ROW(too_large, ERANGE, "~/f: W[1] is 1e+200, too large for f32"),
    ROW(not_a_number, ERANGE,
        "~/f: W[1] is NaN; to load such values all the same, set allow_nonfinite"),
    ROW(infinite, ERANGE,
        "~/f: W[1] is infinite; to load such values all the same, set allow_nonfinite"),
    ROW(minus_infinite, ERANGE,
        "~/f: W[1] is minus infinite; to load such values all the same, set allow_nonfinite"),
    ROW(save_no_name, EINVAL, "tl_weights_save: no file name"),
    ROW(save_no_directory, EIO, "~/none/f: cannot be written: No such file or directory"),
    ROW(save_over_directory, EIO, "~: not a regular file"),
    ROW(save_no_parts, EINVAL, "~/g: no parts"),
    ROW(save_neither, EINVAL, "~/g: part 0 \"a.\" needs either a set or a state"),
    ROW(save_both, EINVAL, "~/g: part 0 \"a.\" needs either a set or a state"),
    ROW(save_state_no_name, ENAME, "~/g: \"\" cannot be the name of a tensor in a file"),
    ROW(save_reserved, ENAME, "~/g: \"__metadata__\" cannot be the name of a tensor in a file"),
    ROW(meta_missing, ENAME, "the metadata have no \"epoch\""),
    ROW(meta_i64, EFORMAT, "metadata \"step\" is \"12.5 or so\", want an integer of 64 bits"),
    ROW(meta_u64, EFORMAT,
        "metadata \"step\" is \"12.5 or so\", want an unsigned integer of 64 bits"),
    ROW(meta_f64, EFORMAT,
        "metadata \"step\" is \"12.5 or so\", want a number written by tl_meta_set_f64"),
    ROW(meta_no_key, EINVAL, "tl_meta_set: needs a key and a value"),
    ROW(rename_both, ENAME, "~/f: W and U would both be W"),
    ROW(load_same_names, ENAME, "~/f: two of the values to load are named W"),
    ROW(save_same_names, ENAME, "~/g: two tensors would be named W"),
    ROW(save_bad_meta, ENAME, "~/g: metadata \"title\" is not UTF-8"),
};

static const left_out files_left_out[] = {
    {"byte %llu, %zu bytes too early", "the file would have to shrink while it is read"},
    {"is in place, but its directory", "a disk that fails in the last step"},
    {"header is not a JSON object", "a header that begins with { is an object or no JSON"},
    {"%s: %.100s is %s, want %s", "weights.c says so before, for all tensors together"},
    {"%s: %s: %s", "passes on errno"},
};

static const char *const here[] = {"file.c",    "safetensors.c", "weights.c",
                                   "convert.c", "meta.c",        NULL};

Test(messages_files, say_what_came_and_what_was_wanted)
{
    make_things();
    walk_rows(COUNT(rows), rows);
    cr_expect_eq(scratch_files(), 1); /* "f": what failed to be written left nothing */
    free_things();
}

Test(messages_files, no_message_without_a_row)
{
    make_things();
    walk_rows(COUNT(rows), rows);
    free_things();
    check_sources("core", 1, here, COUNT(files_left_out), files_left_out);
}
