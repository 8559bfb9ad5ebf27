/* weights.c -- parts to a file and back: names matched, values converted and checked, all published
 * at once.
 *
 *     parts --> wanted [name, store]  <-- matched by name -->  [name, type, position] <-- file
 *                          |                                         |
 *                          '------ fresh buffer <-- converted <------'
 *     ... and when all have one, every store gets its buffer.
 *
 * The file's format is in safetensors.c, conversion in convert.c. */
#include "core/weights.h"

#include "core/convert.h"
#include "core/rows.h"
#include "core/safetensors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char VERSION_KEY[] = "tapeloop"; /* metadata: version of what we write */
enum { VERSION = 1 };

/* wanted -- one value of the parts, under its name in the file. */
typedef struct wanted {
    char *name;
    tl_store *store;
    const tl_stored_tensor *from; /* what the file has for it */
    tl_buf *fresh;
} wanted;

typedef struct list {
    wanted *w;
    uint32_t n, room;
} list;

tl_weights_opts tl_weights_defaults(void)
{
    return (tl_weights_opts){.strict = 1};
}

static void list_close(list *l)
{
    for (uint32_t i = 0; i < l->n; i++) {
        tl__free(l->w[i].name);
        tl__buf_unref(l->w[i].fresh);
    }
    tl__free(l->w);
    *l = (list){0};
}

static int list_add(list *l, const char *prefix, const char *name, tl_store *store)
{
    size_t front = strlen(prefix), size = front + strlen(name) + 1;
    char *full = tl__alloc(size);
    if (!full || tl__grow(&l->w, &l->room, l->n + 1, sizeof *l->w)) {
        tl__free(full);
        return TL_ENOMEM;
    }
    memcpy(full, prefix, front);
    memcpy(full + front, name, size - front);
    l->w[l->n++] = (wanted){.name = full, .store = store};
    return TL_OK;
}

/* list_open -- all values of the parts, in their order. */
static int list_open(list *l, const char *path, int n, const tl_weights_part *parts, tl_err *err)
{
    *l = (list){0};
    int code = TL_OK;
    if (n < 0 || (n > 0 && !parts))
        code = tl__fail(err, TL_EINVAL, "%s: no parts", path);
    for (int p = 0; p < n && code == TL_OK; p++) {
        const tl_weights_part *part = &parts[p];
        const char *prefix = part->prefix ? part->prefix : "";
        if (!part->set == !part->state)
            code = tl__fail(err, TL_EINVAL, "%s: part %d \"%s\" needs either a set or a state",
                            path, p, prefix);
        else if (part->state)
            code = list_add(l, prefix, "", &part->state->store);
        for (int i = 0; i < tl_params_count(part->set) && code == TL_OK; i++) {
            tl_param *param = tl_params_at(part->set, i);
            code = list_add(l, prefix, param->name, &param->store);
        }
        if (code == TL_ENOMEM)
            tl__fail(err, code, "%s: no memory for the names", path);
    }
    if (code)
        list_close(l);
    return code;
}

/* ---- saving ---------------------------------------------------------------------------------- */

/* stamped -- the metadata to write: the user's and our version. "format" is what Python's loaders
 * look for. */
static tl_meta *stamped(const tl_meta *meta)
{
    tl_meta *all = tl__meta_union(meta, NULL);
    if (all && (tl_meta_set_i64(all, VERSION_KEY, VERSION) ||
                (!tl_meta_get(all, "format") && tl_meta_set(all, "format", "pt")))) {
        tl_meta_free(all);
        all = NULL;
    }
    return all;
}

static int write_list(const list *l, const char *path, const tl_meta *meta, tl_err *err)
{
    tl_meta *all = stamped(meta);
    tl_stored_value *values = tl__calloc((size_t)l->n + 1, sizeof *values);
    int code = TL_OK;
    if (!all || !values)
        code = tl__fail(err, TL_ENOMEM, "%s: no memory for the header", path);
    for (uint32_t i = 0; i < l->n && code == TL_OK; i++) {
        const tl_store *s = l->w[i].store;
        const void *data = tl__store_data(s);
        values[i] = (tl_stored_value){l->w[i].name, s->dtype, s->shape, data};
        if (!data)
            code = tl__fail(err, TL_ENOMEM, "%s: no memory for a copy of %s", path, l->w[i].name);
    }
    tl_writer file;
    if (code == TL_OK)
        code = tl__writer_open(&file, path, err);
    if (code == TL_OK) {
        code = tl__safetensors_write(&file, path, l->n, values, all, err);
        if (code == TL_OK)
            code = tl__writer_commit(&file, err);
        else
            tl__writer_cancel(&file);
    }
    tl__free(values);
    tl_meta_free(all);
    return code;
}

int tl_weights_save(const char *path, int n, const tl_weights_part *parts, const tl_meta *meta,
                    tl_err *err)
{
    if (!path || !path[0])
        return tl__fail(err, TL_EINVAL, "tl_weights_save: no file name");
    list l;
    int code = list_open(&l, path, n, parts, err);
    if (code == TL_OK)
        code = write_list(&l, path, meta, err);
    list_close(&l);
    return code;
}

/* ---- the report ------------------------------------------------------------------------------ */

/* tell -- adds a line while there is room for it and for the closing "and N more". */
static void tell(tl_weights_report *r, const char *format, ...) TL_PRINTF(2, 3);
static void tell(tl_weights_report *r, const char *format, ...)
{
    enum { CLOSING = 40 };
    size_t used = strlen(r->text), room = sizeof r->text - used - CLOSING;
    va_list args;
    va_start(args, format);
    int n = used + CLOSING < sizeof r->text ? vsnprintf(r->text + used, room, format, args) : -1;
    va_end(args);
    if (n < 0 || (size_t)n >= room)
        r->text[used] = '\0';
}

/* close_report -- says how many lines did not fit. */
static void close_report(tl_weights_report *r)
{
    int lines = 0;
    for (const char *c = r->text; *c; c++)
        lines += *c == '\n';
    int hidden = r->missing + r->unexpected + r->wrong - lines;
    size_t used = strlen(r->text);
    if (hidden > 0)
        snprintf(r->text + used, sizeof r->text - used, "and %d more\n", hidden);
}

/* one_line -- as many whole lines of text as fit into line[size], with "; " between them. */
static const char *one_line(const char *text, char *line, size_t size)
{
    static const char more[] = "; ...";
    size_t used = 0;
    line[0] = '\0';
    while (*text) {
        size_t n = strcspn(text, "\n");
        if (used + n + 2 + sizeof more > size) {
            memcpy(line + used, used ? more : more + 2, used ? sizeof more : sizeof more - 2);
            break;
        }
        used +=
            (size_t)snprintf(line + used, size - used, "%s%.*s", used ? "; " : "", (int)n, text);
        text += n + (text[n] == '\n');
    }
    return line;
}

/* ---- matching -------------------------------------------------------------------------------- */

static int by_name(const void *pa, const void *pb)
{
    const wanted *const *a = pa, *const *b = pb;
    return strcmp((*a)->name, (*b)->name);
}

static int name_against(const void *key, const void *pb)
{
    const wanted *const *b = pb;
    return strcmp(key, (*b)->name);
}

/* renamed -- the name under which a tensor of the file is looked for; NULL: left out. Longer
 * than room: cut, so found nowhere. */
static const char *renamed(const tl_weights_opts *o, const char *name, char *out, size_t room)
{
    for (int i = 0; i < o->nrenames; i++) {
        const char *from = o->renames[i].from, *to = o->renames[i].to;
        size_t length = from ? strlen(from) : 0;
        if (length == 0 || strncmp(name, from, length) != 0 ||
            (name[length] && from[length - 1] != '.'))
            continue;
        if (!to)
            return NULL;
        snprintf(out, room, "%s%s", to, name + length);
        return out;
    }
    int answer = o->rename ? o->rename(o->user, name, out, room) : 0;
    return answer < 0 ? NULL : answer > 0 ? out : name;
}

static int under_a_prefix(int n, const tl_weights_part *parts, const char *name)
{
    for (int p = 0; p < n; p++) {
        const char *prefix = parts[p].prefix ? parts[p].prefix : "";
        if (parts[p].state ? strcmp(name, prefix) == 0 : strncmp(name, prefix, strlen(prefix)) == 0)
            return 1;
    }
    return 0;
}

static int convertible(tl_dtype to, tl_stored from)
{
    int floating = from == TL_STORED_F16 || from == TL_STORED_BF16 || from == TL_STORED_F32 ||
                   from == TL_STORED_F64;
    return to == TL_I32 ? from == TL_STORED_I32 : floating;
}

/* check_fit -- counts and describes a tensor that does not fit what wants it; returns the code or
 * TL_OK. */
static int check_fit(const wanted *w, tl_weights_report *r)
{
    char got[TL_SHAPE_TEXT], want[TL_SHAPE_TEXT];
    const tl_stored_tensor *t = w->from;
    if (t->shape.rank < 0 || !tl_shape_equal(t->shape, w->store->shape)) {
        r->wrong++;
        tell(r, "wrong shape: %s is %s in the file, want %s\n", w->name,
             t->shape.rank < 0 ? "of too many axes" : tl_shape_text(t->shape, got, sizeof got),
             tl_shape_text(w->store->shape, want, sizeof want));
        return TL_ESHAPE;
    }
    if (!convertible(w->store->dtype, t->type)) {
        r->wrong++;
        tell(r, "wrong type: %s is %s in the file, want %s\n", w->name, t->type_name,
             tl_dtype_name(w->store->dtype));
        return TL_EDTYPE;
    }
    return TL_OK;
}

/* assign_names -- gives each wanted value its tensor in the file; sorted[] is the list in order of
 * names. */
static int assign_names(const char *path, wanted **sorted, uint32_t nsorted,
                        const tl_safetensors *s, int n, const tl_weights_part *parts,
                        const tl_weights_opts *o, tl_weights_report *r, tl_err *err)
{
    char room[1024];
    for (int64_t i = 0; i < s->n; i++) {
        const tl_stored_tensor *t = &s->tensor[i];
        const char *name = renamed(o, t->name, room, sizeof room);
        wanted **hit =
            name && nsorted ? bsearch(name, sorted, nsorted, sizeof *sorted, name_against) : NULL;
        if (hit && (*hit)->from)
            return tl__fail(err, TL_ENAME, "%s: %.100s and %.100s would both be %.100s", path,
                            (*hit)->from->name, t->name, name);
        if (hit) {
            (*hit)->from = t;
        } else if (name && under_a_prefix(n, parts, name)) {
            r->unexpected++;
            tell(r, "unexpected: %s\n", name);
        } else {
            r->outside++;
        }
    }
    return TL_OK;
}

static int match(const char *path, list *l, const tl_safetensors *s, int n,
                 const tl_weights_part *parts, const tl_weights_opts *o, tl_weights_report *r,
                 tl_err *err)
{
    wanted **sorted = tl__calloc((size_t)l->n + 1, sizeof *sorted);
    if (!sorted)
        return tl__fail(err, TL_ENOMEM, "%s: no memory for the names", path);
    for (uint32_t i = 0; i < l->n; i++)
        sorted[i] = &l->w[i];
    if (l->n > 1)
        qsort(sorted, l->n, sizeof *sorted, by_name);
    int code = TL_OK;
    for (uint32_t i = 1; i < l->n && code == TL_OK; i++)
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
            code = tl__fail(err, TL_ENAME, "%s: two of the values to load are named %.100s", path,
                            sorted[i]->name);
    if (code == TL_OK)
        code = assign_names(path, sorted, l->n, s, n, parts, o, r, err);
    tl__free(sorted);
    if (code)
        return code;
    int unfit = TL_OK;
    char text[TL_SHAPE_TEXT], lines[350];
    for (uint32_t i = 0; i < l->n; i++) {
        if (!l->w[i].from) {
            r->missing++;
            tell(r, "missing: %s %s\n", l->w[i].name,
                 tl_shape_text(l->w[i].store->shape, text, sizeof text));
            continue;
        }
        int fit = check_fit(&l->w[i], r);
        unfit = unfit ? unfit : fit;
    }
    close_report(r);
    if (!unfit && o->strict && r->missing + r->unexpected > 0)
        unfit = TL_ENAME;
    if (unfit)
        return tl__fail(
            err, unfit, "%s: %d missing, %d unexpected, %d of another shape or type: %s", path,
            r->missing, r->unexpected, r->wrong, one_line(r->text, lines, sizeof lines));
    return TL_OK;
}

/* ---- loading --------------------------------------------------------------------------------- */

static int check_version(const char *path, const tl_meta *meta, tl_err *err)
{
    int64_t version = 0;
    if (!tl_meta_get(meta, VERSION_KEY))
        return TL_OK;
    if (tl_meta_get_i64(meta, VERSION_KEY, &version, NULL) || version < 1)
        return tl__fail(err, TL_EFORMAT, "%s: its version \"%.40s\" is no number", path,
                        tl_meta_get(meta, VERSION_KEY));
    if (version > VERSION)
        return tl__fail(err, TL_EUNSUPPORTED,
                        "%s: written in version %lld of the format, this library knows %d", path,
                        (long long)version, VERSION);
    return TL_OK;
}

static int read_values(const tl_reader *file, list *l, const tl_weights_opts *o, tl_err *err)
{
    for (uint32_t i = 0; i < l->n; i++) {
        wanted *w = &l->w[i];
        if (!w->from)
            continue;
        w->fresh = tl__buf_new((size_t)w->from->count * tl_dtype_size(w->store->dtype));
        if (!w->fresh)
            return tl__fail(err, TL_ENOMEM, "%s: no memory for %s", file->path, w->name);
        int code =
            tl__convert(file, w->from, o->allow_nonfinite, w->store->dtype, w->fresh->data, err);
        if (code)
            return code;
    }
    return TL_OK;
}

/* publish -- nothing here can fail. */
static int publish(list *l)
{
    int loaded = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        wanted *w = &l->w[i];
        if (!w->fresh)
            continue;
        tl__rows_set(w->store, NULL);
        tl_buf *old = w->store->value;
        w->store->value = w->fresh;
        w->store->version++;
        w->fresh = old; /* released with the list */
        loaded++;
    }
    return loaded;
}

static int load(const tl_reader *file, int n, const tl_weights_part *parts,
                const tl_weights_opts *o, tl_meta *meta, tl_weights_report *report, tl_err *err)
{
    list l = {0};
    tl_safetensors s;
    int code = tl__safetensors_read(file, &s, meta, err);
    if (code == TL_OK)
        code = check_version(file->path, meta, err);
    if (code == TL_OK)
        code = list_open(&l, file->path, n, parts, err);
    if (code == TL_OK)
        code = match(file->path, &l, &s, n, parts, o, report, err);
    if (code == TL_OK)
        code = read_values(file, &l, o, err);
    if (code == TL_OK)
        report->loaded = publish(&l);
    list_close(&l);
    tl__safetensors_close(&s);
    return code;
}

/* load_whole -- with the metadata kept aside until all else has succeeded. */
static int load_whole(const char *path, int n, const tl_weights_part *parts,
                      const tl_weights_opts *o, tl_meta *meta, tl_weights_report *report,
                      tl_err *err)
{
    tl_reader file;
    int code = tl__reader_open(&file, path, err);
    if (code)
        return code;
    tl_meta *all = tl__meta_union(meta, NULL);
    code = all ? load(&file, n, parts, o, all, report, err)
               : tl__fail(err, TL_ENOMEM, "%s: no memory", path);
    if (code == TL_OK && meta)
        tl__meta_swap(meta, all);
    tl_meta_free(all);
    tl__reader_close(&file);
    return code;
}

int tl_weights_load(const char *path, int n, const tl_weights_part *parts,
                    const tl_weights_opts *opts, tl_meta *meta, tl_weights_report *report,
                    tl_err *err)
{
    const tl_weights_opts o = opts ? *opts : tl_weights_defaults();
    tl_weights_report local;
    if (!report)
        report = &local;
    *report = (tl_weights_report){0};
    return load_whole(path, n, parts, &o, meta, report, err);
}

int tl_weights_meta(const char *path, tl_meta *meta, tl_err *err)
{
    tl_weights_report report = {0};
    tl_weights_opts o = tl_weights_defaults();
    return load_whole(path, 0, NULL, &o, meta, &report, err);
}
