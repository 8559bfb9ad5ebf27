/* safetensors.c -- the header of a safetensors file, in and out. */
#include "core/safetensors.h"

#include "core/memory.h"
#include "core/utf8.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the file's elements are taken as they are");

static const uint64_t HEADER_MAX = 100000000; /* of the specification */

/* Every element type of the format whose elements are whole bytes. */
static const struct {
    const char *name;
    tl_stored type;
    int size;
} types[] = {
    {"F32", TL_STORED_F32, 4},       {"F64", TL_STORED_F64, 8},
    {"F16", TL_STORED_F16, 2},       {"BF16", TL_STORED_BF16, 2},
    {"I32", TL_STORED_I32, 4},       {"I64", TL_STORED_I64, 8},
    {"BOOL", TL_STORED_OTHER, 1},    {"U8", TL_STORED_OTHER, 1},
    {"I8", TL_STORED_OTHER, 1},      {"I16", TL_STORED_OTHER, 2},
    {"U16", TL_STORED_OTHER, 2},     {"U32", TL_STORED_OTHER, 4},
    {"U64", TL_STORED_OTHER, 8},     {"F8_E4M3", TL_STORED_OTHER, 1},
    {"F8_E5M2", TL_STORED_OTHER, 1}, {"F8_E8M0", TL_STORED_OTHER, 1},
    {"C64", TL_STORED_OTHER, 8},
};
enum { TYPES = sizeof types / sizeof types[0] };

static const char *const type_names[] = {[TL_F32] = "F32", [TL_F64] = "F64", [TL_I32] = "I32"};

/* ---- other formats, by their first bytes ----------------------------------------------------- */

static int refuse_pytorch(const char *path, const char *what, tl_err *err)
{
    const char *file = strlen(path) < 60 && !strpbrk(path, "'\"\\$`") ? path : "model.pt";
    const char *dot = strrchr(file, '.');
    int stem = dot && dot > file && !strchr(dot, '/') ? (int)(dot - file) : (int)strlen(file);
    return tl__fail(
        err, TL_EFORMAT,
        "%.120s: %s, not a safetensors file; this converts it: python3 -c \"import torch, "
        "safetensors.torch as s; "
        "s.save_file({k: v.contiguous().clone() for k, v in torch.load('%s', map_location='cpu', "
        "weights_only=True).items()}, '%.*s.safetensors')\"",
        path, what, file, stem, file);
}

static int refuse_other(const char *path, const unsigned char *first, tl_err *err)
{
    static const struct {
        const char *magic;
        int length;
        const char *what;
    } known[] = {
        {"\x93NUMPY", 6, "a NumPy array"},
        {"\x1F\x8B", 2, "compressed with gzip"},
        {"\x89HDF", 4, "an HDF5 file"},
        {"GGUF", 4, "a GGUF file"},
    };
    if (memcmp(first, "PK\3\4", 4) == 0)
        return refuse_pytorch(path, "a ZIP archive as torch.save writes it", err);
    if (first[0] == 0x80 && first[1] >= 2 && first[1] <= 5)
        return refuse_pytorch(path, "a Python pickle as torch.save writes it", err);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (memcmp(first, known[i].magic, (size_t)known[i].length) == 0)
            return tl__fail(err, TL_EFORMAT, "%s: %s, not a safetensors file", path, known[i].what);
    return TL_OK;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* number -- a JSON integer in [0, 2^63); -1 for anything else. */
static int64_t number(const json_t *j)
{
    return json_is_integer(j) && json_integer_value(j) >= 0 ? json_integer_value(j) : -1;
}

static int bad(const char *path, const char *name, const char *why, tl_err *err)
{
    return tl__fail(err, TL_EFORMAT, "%s: tensor %.100s: %s", path, name, why);
}

static int read_type(tl_stored_tensor *t, const json_t *entry, const char *path, int *size,
                     tl_err *err)
{
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    for (int i = 0; type && i < TYPES; i++)
        if (strcmp(type, types[i].name) == 0) {
            t->type = types[i].type;
            snprintf(t->type_name, sizeof t->type_name, "%s", type);
            *size = types[i].size;
            return TL_OK;
        }
    return tl__fail(err, TL_EFORMAT, "%s: tensor %.100s: dtype %.40s is unknown", path, t->name,
                    type ? type : "(none)");
}

static int read_shape(tl_stored_tensor *t, const json_t *shape, const char *path, int size,
                      tl_err *err)
{
    if (!json_is_array(shape))
        return bad(path, t->name, "has no shape", err);
    size_t rank = json_array_size(shape);
    int zero = 0;
    int64_t count = 1;
    t->shape = (tl_shape){.rank = rank <= TL_MAX_RANK ? (int)rank : -1};
    for (size_t a = 0; a < rank; a++) {
        int64_t extent = number(json_array_get(shape, a));
        if (extent < 0)
            return bad(path, t->name, "an extent of its shape is no integer of 0 or more", err);
        if (a < TL_MAX_RANK)
            t->shape.dim[a] = extent;
        zero |= extent == 0;
        if (__builtin_mul_overflow(count, extent ? extent : 1, &count))
            return bad(path, t->name, "its shape has too many elements", err);
    }
    t->count = zero ? 0 : count;
    int64_t bytes;
    if (__builtin_mul_overflow(t->count, (int64_t)size, &bytes))
        return bad(path, t->name, "its shape has too many elements", err);
    t->bytes = (uint64_t)bytes;
    return TL_OK;
}

static int read_tensor(tl_stored_tensor *t, const char *name, const json_t *entry, const char *path,
                       tl_err *err)
{
    t->name = tl__strdup(name);
    if (!t->name)
        return tl__fail(err, TL_ENOMEM, "%s: no memory for the names", path);
    if (!json_is_object(entry))
        return bad(path, name, "its entry is not an object", err);
    int size = 0;
    int code = read_type(t, entry, path, &size, err);
    if (code == TL_OK)
        code = read_shape(t, json_object_get(entry, "shape"), path, size, err);
    if (code)
        return code;
    const json_t *offsets = json_object_get(entry, "data_offsets");
    int64_t begin = number(json_array_get(offsets, 0)), end = number(json_array_get(offsets, 1));
    if (json_array_size(offsets) != 2 || begin < 0 || end < begin)
        return bad(path, name, "data_offsets are not two ascending integers", err);
    if ((uint64_t)(end - begin) != t->bytes)
        return tl__fail(err, TL_EFORMAT,
                        "%s: tensor %.100s: has %lld bytes, its shape and dtype %s want %llu", path,
                        name, (long long)(end - begin), t->type_name, (unsigned long long)t->bytes);
    t->at = (uint64_t)begin;
    return TL_OK;
}

static int read_metadata(const json_t *j, const char *path, tl_meta *meta, tl_err *err)
{
    if (!json_is_object(j))
        return tl__fail(err, TL_EFORMAT, "%s: __metadata__ is not an object", path);
    for (void *i = json_object_iter((json_t *)j); i; i = json_object_iter_next((json_t *)j, i)) {
        const char *key = json_object_iter_key(i),
                   *value = json_string_value(json_object_iter_value(i));
        if (!value)
            return tl__fail(err, TL_EFORMAT, "%s: metadata \"%.100s\" is not a string", path, key);
        if (key[0] && tl_meta_set(meta, key, value))
            return tl__fail(err, TL_ENOMEM, "%s: no memory for the metadata", path);
    }
    return TL_OK;
}

static int by_position(const void *pa, const void *pb)
{
    const tl_stored_tensor *a = pa, *b = pb;
    if (a->at != b->at)
        return a->at < b->at ? -1 : 1;
    return a->bytes < b->bytes
               ? -1
               : a->bytes > b->bytes; /* an empty one before what starts at the same place */
}

/* place -- checks that the ranges cover the data once, from its first byte to its last, and makes
 * positions absolute. */
static int place(tl_safetensors *s, const char *path, uint64_t start, uint64_t size, tl_err *err)
{
    uint64_t end = 0;
    if (s->n > 1)
        qsort(s->tensor, (size_t)s->n, sizeof *s->tensor, by_position);
    for (int64_t i = 0; i < s->n; i++) {
        tl_stored_tensor *t = &s->tensor[i];
        if (t->at != end)
            return tl__fail(err, TL_EFORMAT,
                            "%s: tensor %.100s: starts at byte %llu of the data, want %llu: %s",
                            path, t->name, (unsigned long long)t->at, (unsigned long long)end,
                            t->at > end ? "a hole" : "an overlap");
        end += t->bytes; /* both below 2^63 */
        if (end > size)
            return tl__fail(err, TL_EFORMAT,
                            "%s: tensor %.100s: ends at byte %llu of the data, the file has %llu",
                            path, t->name, (unsigned long long)end, (unsigned long long)size);
        t->at += start;
    }
    if (end != size)
        return tl__fail(err, TL_EFORMAT, "%s: %llu bytes follow the last tensor", path,
                        (unsigned long long)(size - end));
    return TL_OK;
}

static int read_header(json_t *root, const char *path, tl_safetensors *s, tl_meta *meta,
                       tl_err *err)
{
    int code = TL_OK;
    s->tensor = tl__calloc(json_object_size(root) + 1, sizeof *s->tensor);
    if (!s->tensor)
        return tl__fail(err, TL_ENOMEM, "%s: no memory for the names", path);
    for (void *i = json_object_iter(root); i && code == TL_OK; i = json_object_iter_next(root, i)) {
        const char *name = json_object_iter_key(i);
        if (strcmp(name, "__metadata__") == 0)
            code = read_metadata(json_object_iter_value(i), path, meta, err);
        else
            code = read_tensor(&s->tensor[s->n++], name, json_object_iter_value(i), path, err);
    }
    return code;
}

/* read_json -- the header's N bytes as an object. */
static json_t *read_json(const tl_reader *r, uint64_t n, tl_err *err)
{
    char *text = tl__alloc((size_t)n);
    if (!text) {
        tl__fail(err, TL_ENOMEM, "%s: no memory for a header of %llu bytes", r->path,
                 (unsigned long long)n);
        return NULL;
    }
    json_t *root = NULL;
    json_error_t why;
    if (tl__reader_get(r, 8, text, (size_t)n, err) == TL_OK) {
        root = json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, &why);
        if (!root)
            tl__fail(err, TL_EFORMAT, "%s: header, byte %d: %s", r->path, why.position, why.text);
        else if (!json_is_object(root)) {
            tl__fail(err, TL_EFORMAT, "%s: header is not a JSON object", r->path);
            json_decref(root);
            root = NULL;
        }
    }
    tl__free(text);
    return root;
}

int tl__safetensors_read(const tl_reader *r, tl_safetensors *s, tl_meta *meta, tl_err *err)
{
    *s = (tl_safetensors){0};
    tl_err local = {0};
    if (!err)
        err = &local; /* its code is how failures come back from read_json */
    unsigned char first[9] = {0};
    size_t there = r->size < sizeof first ? (size_t)r->size : sizeof first;
    int code = tl__reader_get(r, 0, first, there, err);
    if (code)
        return code;
    if (there < sizeof first || first[8] != '{') {
        code = refuse_other(r->path, first, err);
        if (code)
            return code;
    }
    if (there < 8)
        return tl__fail(err, TL_EFORMAT, "%s: %llu bytes are no safetensors file", r->path,
                        (unsigned long long)r->size);
    uint64_t n;
    memcpy(&n, first, sizeof n);
    if (n > HEADER_MAX)
        return tl__fail(err, TL_EFORMAT,
                        "%s: header of %llu bytes, at most %llu are legal: not a safetensors file",
                        r->path, (unsigned long long)n, (unsigned long long)HEADER_MAX);
    if (n > r->size - 8)
        return tl__fail(
            err, TL_EFORMAT,
            "%s: header of %llu bytes in a file of %llu: cut off, or not a safetensors file",
            r->path, (unsigned long long)n, (unsigned long long)r->size);
    if (first[8] != '{')
        return tl__fail(err, TL_EFORMAT, "%s: header does not start with {", r->path);
    json_t *root = read_json(r, n, err);
    if (!root)
        return err->code;
    tl_meta *found = tl_meta_new(), *merged = NULL;
    code = found ? read_header(root, r->path, s, found, err) : TL_ENOMEM;
    json_decref(root);
    if (code == TL_OK)
        code = place(s, r->path, 8 + n, r->size - 8 - n, err);
    if (code == TL_OK && meta) {
        merged = tl__meta_union(meta, found);
        if (merged)
            tl__meta_swap(meta, merged);
        else
            code = TL_ENOMEM;
    }
    if (code == TL_ENOMEM)
        tl__fail(err, code, "%s: no memory for the header", r->path);
    tl_meta_free(found);
    tl_meta_free(merged);
    if (code)
        tl__safetensors_close(s);
    return code;
}

void tl__safetensors_close(tl_safetensors *s)
{
    for (int64_t i = 0; i < s->n; i++)
        tl__free(s->tensor[i].name);
    tl__free(s->tensor);
    *s = (tl_safetensors){0};
}

/* ---- writing --------------------------------------------------------------------------------- */

typedef struct text {
    char *data;
    uint32_t used, room;
} text;

static int text_add(const char *data, size_t size, void *to)
{
    text *t = to;
    if (size > HEADER_MAX || t->used + size > HEADER_MAX)
        return -1;
    if (tl__grow(&t->data, &t->room, t->used + (uint32_t)size, 1))
        return -1;
    memcpy(t->data + t->used, data, size);
    t->used += (uint32_t)size;
    return 0;
}

static int add_metadata(json_t *root, const tl_meta *meta, const char *path, tl_err *err)
{
    json_t *j = json_object();
    int failed = json_object_set_new(root, "__metadata__", j) != 0; /* root owns j from here on */
    for (int i = 0; i < tl_meta_count(meta) && !failed; i++) {
        const char *key = tl_meta_key(meta, i), *value = tl_meta_get(meta, key);
        if (tl__utf8_check(key, strlen(key)) < strlen(key) ||
            tl__utf8_check(value, strlen(value)) < strlen(value))
            return tl__fail(err, TL_ENAME, "%s: metadata \"%.100s\" is not UTF-8", path, key);
        failed = json_object_set_new(j, key, json_string(value)) != 0;
    }
    return failed ? tl__fail(err, TL_ENOMEM, "%s: no memory for the metadata", path) : TL_OK;
}

static int add_entry(json_t *root, const tl_stored_value *v, uint64_t *end, const char *path,
                     tl_err *err)
{
    if (!v->name || !v->name[0] || tl__utf8_check(v->name, strlen(v->name)) < strlen(v->name) ||
        strcmp(v->name, "__metadata__") == 0)
        return tl__fail(err, TL_ENAME, "%s: \"%.100s\" cannot be the name of a tensor in a file",
                        path, v->name ? v->name : "");
    if (json_object_get(root, v->name))
        return tl__fail(err, TL_ENAME, "%s: two tensors would be named %.100s", path, v->name);
    uint64_t begin = *end;
    *end += (uint64_t)tl_shape_count(v->shape) * tl_dtype_size(v->dtype);
    json_t *shape = json_array();
    int failed = !shape;
    for (int a = 0; a < v->shape.rank && !failed; a++)
        failed = json_array_append_new(shape, json_integer(v->shape.dim[a])) != 0;
    json_t *entry = failed
                        ? NULL
                        : json_pack("{s:s, s:O, s:[I, I]}", "dtype", type_names[v->dtype], "shape",
                                    shape, "data_offsets", (json_int_t)begin, (json_int_t)*end);
    json_decref(shape);
    if (!entry || json_object_set_new(root, v->name, entry) != 0)
        return tl__fail(err, TL_ENOMEM, "%s: no memory for the header", path);
    return TL_OK;
}

/* header_text -- length, JSON and the spaces that make the data start at a multiple of 8. */
static int header_text(json_t *root, text *t, const char *path, tl_err *err)
{
    uint64_t n = 0;
    int failed = text_add((const char *)&n, sizeof n, t) ||
                 json_dump_callback(root, text_add, t, JSON_COMPACT) != 0;
    while (!failed && t->used % 8 != 0)
        failed = text_add(" ", 1, t);
    if (failed)
        return tl__fail(err, TL_ENOMEM, "%s: no memory for the header, or it is too large", path);
    n = t->used - sizeof n;
    memcpy(t->data, &n, sizeof n);
    return TL_OK;
}

int tl__safetensors_write(tl_writer *w, const char *path, int64_t n, const tl_stored_value *values,
                          const tl_meta *meta, tl_err *err)
{
    json_t *root = json_object();
    if (!root)
        return tl__fail(err, TL_ENOMEM, "%s: no memory for the header", path);
    int code = tl_meta_count(meta) > 0 ? add_metadata(root, meta, path, err) : TL_OK;
    uint64_t end = 0;
    for (int wide = 1; wide >= 0; wide--)
        for (int64_t i = 0; i < n && code == TL_OK; i++)
            if ((values[i].dtype == TL_F64) == wide)
                code = add_entry(root, &values[i], &end, path, err);
    text t = {0};
    if (code == TL_OK)
        code = header_text(root, &t, path, err);
    json_decref(root);
    if (code == TL_OK)
        code = tl__writer_put(w, t.data, t.used, err);
    tl__free(t.data);
    for (int wide = 1; wide >= 0; wide--)
        for (int64_t i = 0; i < n && code == TL_OK; i++)
            if ((values[i].dtype == TL_F64) == wide)
                code = tl__writer_put(
                    w, values[i].data,
                    (size_t)tl_shape_count(values[i].shape) * tl_dtype_size(values[i].dtype), err);
    return code;
}
