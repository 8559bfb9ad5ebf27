/* test_weights.c -- parts to a file and back, whole or not at all. */
#include "core/memory.h"
#include "core/node.h"
#include "core/safetensors.h"
#include "core/weights.h"
#include "tests/scratch.h"

#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>

TestSuite(weights, .init = scratch_open, .fini = scratch_close);

/* model -- a set of four parameters, filled with numbers that depend on seed. */
typedef struct model {
    tl_params *set;
    tl_param *w, *b, *none, *scalar;
} model;

static void set_to(tl_param *p, double seed)
{
    const int64_t n = tl_shape_count(tl_param_shape(p));
    double *x = calloc((size_t)n + 1, sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = sin(seed + (double)i) / 3;
    cr_assert_eq(tl_param_set_f64(p, x, n), TL_OK);
    free(x);
}

static model model_new(tl_dtype dtype, double seed)
{
    model m;
    tl_err err;
    m.set = tl_params_new(dtype);
    tl_params_scope_open(m.set, "lstm");
    m.w = tl_param_new(m.set, "weight_ih_l0", tl_shape2(8, 3), &err);
    m.b = tl_param_new(m.set, "bias_ih_l0", tl_shape1(8), &err);
    tl_params_scope_close(m.set);
    m.none = tl_param_new(m.set, "none", tl_shape2(0, 4), &err);
    m.scalar = tl_param_new(m.set, "scalar", tl_shape0(), &err);
    for (int i = 0; i < tl_params_count(m.set); i++)
        set_to(tl_params_at(m.set, i), seed + i);
    return m;
}

/* same -- whether both sets hold the same bits. */
static int same(const model *a, const model *b)
{
    for (int i = 0; i < tl_params_count(a->set); i++) {
        const tl_param *p = tl_params_at(a->set, i), *q = tl_params_at(b->set, i);
        const size_t bytes =
            (size_t)tl_shape_count(tl_param_shape(p)) * tl_dtype_size(tl_param_dtype(p));
        if (bytes > 0 && memcmp(p->store.value->data, q->store.value->data, bytes) != 0)
            return 0;
    }
    return 1;
}

static tl_weights_part part(const char *prefix, const model *m)
{
    return (tl_weights_part){prefix, m->set, NULL};
}

Test(weights, come_back_with_every_bit)
{
    for (int dtype = TL_F32; dtype <= TL_F64; dtype++) {
        model a = model_new((tl_dtype)dtype, 1), b = model_new((tl_dtype)dtype, 50);
        const char *path = scratch_path("w.safetensors");
        tl_err err;
        tl_weights_report report;
        tl_weights_part pa = part("", &a), pb = part("", &b);
        cr_assert(!same(&a, &b));
        cr_assert_eq(tl_weights_save(path, 1, &pa, NULL, &err), TL_OK, "%s", err.message);
        const uint64_t version = tl_param_version(b.w);
        cr_assert_eq(tl_weights_load(path, 1, &pb, NULL, NULL, &report, &err), TL_OK, "%s",
                     err.message);
        cr_assert(same(&a, &b));
        cr_assert_eq(tl_param_version(b.w), version + 1);
        cr_assert_eq(report.loaded, 4);
        cr_assert_eq(report.missing + report.unexpected + report.wrong + report.outside, 0);
        cr_assert_str_eq(report.text, "");
        cr_assert_eq(scratch_files(), 1);
        tl_params_free(a.set);
        tl_params_free(b.set);
    }
}

Test(weights, f32_and_f64_load_into_each_other)
{
    model narrow = model_new(TL_F32, 1), wide = model_new(TL_F64, 2), back = model_new(TL_F32, 3);
    const char *path = scratch_path("w.safetensors");
    tl_weights_part p[] = {part("", &narrow), part("", &wide), part("", &back)};
    float x[24];
    double y[24];
    cr_assert_eq(tl_weights_save(path, 1, &p[0], NULL, NULL), TL_OK);
    cr_assert_eq(tl_weights_load(path, 1, &p[1], NULL, NULL, NULL, NULL), TL_OK);
    tl_param_get_f32(narrow.w, x, 24);
    tl_param_get_f64(wide.w, y, 24);
    for (int i = 0; i < 24; i++)
        cr_assert_eq((double)x[i], y[i]);
    cr_assert_eq(tl_weights_save(path, 1, &p[1], NULL, NULL), TL_OK);
    cr_assert_eq(tl_weights_load(path, 1, &p[2], NULL, NULL, NULL, NULL), TL_OK);
    cr_assert(same(&narrow, &back));
    for (int i = 0; i < 3; i++)
        tl_params_free(i == 0 ? narrow.set : i == 1 ? wide.set : back.set);
}

/* A checkpoint is the model, the optimizer's set under a prefix, a carried state and numbers, in
 * one file. */
Test(weights, a_checkpoint_is_one_file)
{
    model a = model_new(TL_F32, 1), adam = model_new(TL_F32, 9);
    tl_state *h = tl_state_new(TL_F64, tl_shape2(2, 2));
    static const double h_values[4] = {0.25, -1, 3, 1e-300};
    cr_assert_eq(tl_state_set_f64(h, h_values, 4), TL_OK);
    tl_weights_part out[] = {part("", &a), part("adam.", &adam), {"memory.h", NULL, h}};
    tl_meta *meta = tl_meta_new();
    tl_meta_set_i64(meta, "step", 1234);
    tl_meta_set_u64(meta, "draws", UINT64_MAX);
    const char *path = scratch_path("run.safetensors");
    tl_err err;
    cr_assert_eq(tl_weights_save(path, 3, out, meta, &err), TL_OK, "%s", err.message);
    cr_assert_eq(tl_meta_count(meta), 2); /* the caller's own are not added to */

    model a2 = model_new(TL_F32, 2), adam2 = model_new(TL_F32, 3);
    tl_state *h2 = tl_state_new(TL_F64, tl_shape2(2, 2));
    tl_weights_part in[] = {part("", &a2), part("adam.", &adam2), {"memory.h", NULL, h2}};
    tl_meta *back = tl_meta_new();
    tl_meta_set(back, "mine", "stays");
    tl_weights_report report;
    cr_assert_eq(tl_weights_load(path, 3, in, NULL, back, &report, &err), TL_OK, "%s", err.message);
    cr_assert_eq(report.loaded, 9);
    cr_assert(same(&a, &a2) && same(&adam, &adam2));
    double x[4];
    int64_t step = 0;
    uint64_t draws = 0;
    cr_assert_eq(tl_state_get_f64(h2, x, 4), TL_OK);
    cr_assert_eq(memcmp(x, h_values, sizeof x), 0);
    cr_assert_eq(tl_meta_get_i64(back, "step", &step, &err), TL_OK);
    cr_assert_eq(tl_meta_get_u64(back, "draws", &draws, &err), TL_OK);
    cr_assert(step == 1234 && draws == UINT64_MAX);
    cr_assert_str_eq(tl_meta_get(back, "mine"), "stays");

    /* the optimizer's part alone: all other names are outside its prefix */
    cr_assert_eq(tl_weights_load(path, 1, &in[1], NULL, NULL, &report, &err), TL_OK, "%s",
                 err.message);
    cr_assert(report.loaded == 4 && report.outside == 5 && report.unexpected == 0);
    /* the model alone, under no prefix: then the rest is unexpected, unless it is left out */
    cr_assert_eq(tl_weights_load(path, 1, &in[0], NULL, NULL, &report, &err), TL_ENAME);
    cr_assert(report.loaded == 0 && report.unexpected == 5);
    static const tl_weights_rename without[] = {{"adam.", NULL}, {"memory.h", NULL}};
    tl_weights_opts o = tl_weights_defaults();
    o.nrenames = 2;
    o.renames = without;
    cr_assert_eq(tl_weights_load(path, 1, &in[0], &o, NULL, &report, &err), TL_OK, "%s",
                 err.message);
    cr_assert(report.loaded == 4 && report.outside == 5);

    tl_meta *only = tl_meta_new();
    cr_assert_eq(tl_weights_meta(path, only, &err), TL_OK, "%s", err.message);
    cr_assert_str_eq(tl_meta_get(only, "step"), "1234");
    cr_assert_str_eq(tl_meta_get(only, "format"), "pt");
    tl_meta_free(only);
    tl_meta_free(meta);
    tl_meta_free(back);
    tl_state_free(h);
    tl_state_free(h2);
    tl_params_free(a.set);
    tl_params_free(a2.set);
    tl_params_free(adam.set);
    tl_params_free(adam2.set);
}

Test(weights, an_i32_state_comes_back)
{
    static const int32_t values[3] = {INT32_MIN, 0, INT32_MAX};
    tl_state *s = tl_state_new(TL_I32, tl_shape1(3));
    memcpy(s->store.value->data, values, sizeof values);
    tl_weights_part p = {"counts", NULL, s};
    tl_err err;
    const char *path = scratch_path("w.safetensors");
    cr_assert_eq(tl_weights_save(path, 1, &p, NULL, &err), TL_OK, "%s", err.message);
    tl_state_zero(s);
    cr_assert_eq(tl_weights_load(path, 1, &p, NULL, NULL, NULL, &err), TL_OK, "%s", err.message);
    cr_assert_eq(memcmp(s->store.value->data, values, sizeof values), 0);
    tl_state *f = tl_state_new(TL_F32, tl_shape1(3));
    p.state = f;
    cr_assert_eq(tl_weights_load(path, 1, &p, NULL, NULL, NULL, &err), TL_EDTYPE);
    cr_assert_not_null(strstr(err.message, "counts is I32"), "%s", err.message);
    tl_state_free(s);
    tl_state_free(f);
}

/* ---- names ----------------------------------------------------------------------------------- */

Test(weights, missing_unexpected_and_wrong_names_are_reported)
{
    model a = model_new(TL_F32, 1), b = model_new(TL_F32, 2), old = model_new(TL_F32, 2);
    tl_param_new(a.set, "extra", tl_shape1(2), NULL);
    tl_param *more = tl_param_new(b.set, "more", tl_shape1(5), NULL);
    tl_weights_part pa = part("", &a), pb = part("", &b);
    const char *path = scratch_path("w.safetensors");
    tl_err err;
    tl_weights_report report;
    cr_assert_eq(tl_weights_save(path, 1, &pa, NULL, &err), TL_OK);
    cr_assert_eq(tl_weights_load(path, 1, &pb, NULL, NULL, &report, &err), TL_ENAME);
    cr_assert(report.loaded == 0 && report.missing == 1 && report.unexpected == 1 &&
              report.wrong == 0);
    cr_assert_not_null(strstr(report.text, "missing: more [5]\n"), "%s", report.text);
    cr_assert_not_null(strstr(report.text, "unexpected: extra\n"), "%s", report.text);
    cr_assert_not_null(strstr(err.message, path));
    cr_assert_not_null(strstr(err.message, "1 missing, 1 unexpected, 0 of another shape"), "%s",
                       err.message);
    cr_assert(same(&old, &b));

    tl_weights_opts o = tl_weights_defaults();
    o.strict = 0;
    cr_assert_eq(tl_weights_load(path, 1, &pb, &o, NULL, &report, &err), TL_OK, "%s", err.message);
    cr_assert(report.loaded == 4 && report.missing == 1 && report.unexpected == 1);
    cr_assert_eq(tl_param_version(more), 1);

    tl_params *c = tl_params_new(TL_F32);
    tl_param_new(c, "lstm.weight_ih_l0", tl_shape2(3, 8), NULL);
    tl_param *scalar = tl_param_new(c, "scalar", tl_shape0(), NULL);
    tl_weights_part pc = {"", c, NULL};
    cr_assert_eq(tl_weights_load(path, 1, &pc, &o, NULL, &report, &err), TL_ESHAPE,
                 "even when not strict");
    cr_assert_eq(report.wrong, 1);
    cr_assert_not_null(strstr(report.text, "lstm.weight_ih_l0 is [8,3] in the file, want [3,8]"),
                       "%s", report.text);
    cr_assert_eq(tl_param_version(scalar), 1, "nothing is loaded by half");
    tl_params_free(a.set);
    tl_params_free(b.set);
    tl_params_free(old.set);
    tl_params_free(c);
}

Test(weights, a_long_report_is_shortened)
{
    tl_params *set = tl_params_new(TL_F32);
    for (int i = 0; i < 500; i++) {
        char name[80];
        sprintf(name, "layer_%d.weight_of_some_length", i);
        tl_param_new(set, name, tl_shape1(1), NULL);
    }
    tl_weights_part p = {"", set, NULL};
    tl_weights_report report;
    tl_err err;
    cr_assert_eq(
        tl_weights_load(scratch_safetensors("{}", "", 0), 1, &p, NULL, NULL, &report, &err),
        TL_ENAME);
    cr_assert_eq(report.missing, 500);
    int lines = 0, more = 0;
    for (const char *c = report.text; *c; c++)
        lines += *c == '\n';
    const char *last = strstr(report.text, "and ");
    cr_assert_not_null(last);
    cr_assert_eq(sscanf(last, "and %d more\n", &more), 1);
    cr_assert_eq(lines - 1 + more, 500);
    tl_params_free(set);
}

static int upper(void *user, const char *name, char *out, size_t room)
{
    ++*(int *)user;
    if (name[0] == '_')
        return -1;
    if (name[0] != 'W')
        return 0;
    snprintf(out, room, "w");
    return 1;
}

Test(weights, names_are_changed_by_table_and_function)
{
    static const float data[4] = {1, 2, 3, 4};
    const char *path = scratch_safetensors(
        "{\"decoder.bias\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
        "\"W\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[4,8]},"
        "\"_junk\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[8,12]},"
        "\"decoders\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[12,16]}}",
        data, sizeof data);
    tl_params *set = tl_params_new(TL_F32);
    tl_param *bias = tl_param_new(set, "out.bias", tl_shape0(), NULL),
             *w = tl_param_new(set, "w", tl_shape0(), NULL);
    tl_param *d = tl_param_new(set, "decoders", tl_shape0(), NULL);
    tl_weights_part p = {"", set, NULL};
    static const tl_weights_rename table[] = {{"decoder", "not this"}, {"decoder.", "out."}};
    int calls = 0;
    tl_weights_opts o = tl_weights_defaults();
    o.nrenames = 2;
    o.renames = table;
    o.rename = upper;
    o.user = &calls;
    tl_err err;
    tl_weights_report report;
    cr_assert_eq(tl_weights_load(path, 1, &p, &o, NULL, &report, &err), TL_OK, "%s", err.message);
    cr_assert(report.loaded == 3 && report.outside == 1 && calls == 3);
    float x;
    cr_assert(tl_param_get_f32(bias, &x, 1) == TL_OK && x == 1);
    cr_assert(tl_param_get_f32(w, &x, 1) == TL_OK && x == 2);
    cr_assert(tl_param_get_f32(d, &x, 1) == TL_OK && x == 4);

    static const tl_weights_rename clash[] = {
        {"decoders", "w"}, {"_junk", NULL}, {"decoder.bias", NULL}};
    o.nrenames = 3;
    o.renames = clash;
    cr_assert_eq(tl_weights_load(path, 1, &p, &o, NULL, &report, &err), TL_ENAME);
    cr_assert_not_null(strstr(err.message, "would both be w"), "%s", err.message);
    tl_params_free(set);
}

Test(weights, parts_must_make_sense)
{
    model a = model_new(TL_F32, 1);
    tl_state *s = tl_state_new(TL_F32, tl_shape0());
    const char *path = scratch_path("w.safetensors");
    const tl_weights_part neither = {"", NULL, NULL}, both = {"", a.set, s};
    const tl_weights_part twice[] = {part("a.", &a), part("a.", &a)};
    tl_err err;
    cr_assert_eq(tl_weights_save(path, 1, &neither, NULL, &err), TL_EINVAL);
    cr_assert_eq(tl_weights_save(path, 1, &both, NULL, &err), TL_EINVAL);
    cr_assert_eq(tl_weights_save(path, 1, NULL, NULL, &err), TL_EINVAL);
    cr_assert_eq(tl_weights_save(NULL, 1, twice, NULL, &err), TL_EINVAL);
    cr_assert_eq(tl_weights_save(path, 2, twice, NULL, &err), TL_ENAME);
    cr_assert_not_null(strstr(err.message, "a.lstm.weight_ih_l0"), "%s", err.message);
    cr_assert_eq(scratch_files(), 0);
    cr_assert_eq(tl_weights_save(path, 1, twice, NULL, &err), TL_OK);
    cr_assert_eq(tl_weights_load(path, 2, twice, NULL, NULL, NULL, &err), TL_ENAME);
    cr_assert_eq(tl_weights_load(scratch_path("other"), 1, twice, NULL, NULL, NULL, &err), TL_EIO);
    tl_state_free(s);
    tl_params_free(a.set);
}

/* ---- damage ---------------------------------------------------------------------------------- */

Test(weights, a_damaged_file_changes_nothing)
{
    model a = model_new(TL_F32, 1), b = model_new(TL_F32, 2), old = model_new(TL_F32, 2);
    tl_weights_part pa = part("", &a), pb = part("", &b);
    const char *path = scratch_path("w.safetensors");
    tl_err err;
    tl_meta *meta = tl_meta_new();
    tl_meta_set(meta, "step", "1");
    size_t size;
    cr_assert_eq(tl_weights_save(path, 1, &pa, meta, &err), TL_OK);
    char *bytes = scratch_read(path, &size);
    tl_meta *back = tl_meta_new();
    for (size_t n = 0; n < size; n++) {
        scratch_write(path, bytes, n);
        cr_assert_eq(tl_weights_load(path, 1, &pb, NULL, back, NULL, &err), TL_EFORMAT,
                     "%zu of %zu bytes", n, size);
        cr_assert_not_null(strstr(err.message, path));
        cr_assert(same(&b, &old));
        cr_assert_eq(tl_meta_count(back), 0);
    }
    free(bytes);
    tl_meta_free(meta);
    tl_meta_free(back);
    tl_params_free(a.set);
    tl_params_free(b.set);
    tl_params_free(old.set);
}

Test(weights, a_pytorch_file_is_refused_with_the_command)
{
    model a = model_new(TL_F32, 1);
    tl_weights_part p = part("", &a);
    tl_err err;
    cr_assert_eq(chdir(scratch_directory), 0);
    scratch_write("lstm.pt", "PK\3\4\0\0\x08\x08\0\0\0\0\0\0\0\0", 16);
    cr_assert_eq(tl_weights_load("lstm.pt", 1, &p, NULL, NULL, NULL, &err), TL_EFORMAT);
    cr_assert_not_null(strstr(err.message, "python3 -c \""), "%s", err.message);
    cr_assert_not_null(strstr(err.message, "torch.load('lstm.pt'"), "%s", err.message);
    cr_assert_not_null(strstr(err.message, "'lstm.safetensors')\""), "%s", err.message);
    tl_params_free(a.set);
    cr_assert_eq(chdir("/"), 0);
}

Test(weights, a_later_version_is_refused)
{
    tl_err err;
    tl_meta *meta = tl_meta_new();
    cr_assert_eq(
        tl_weights_meta(scratch_safetensors("{\"__metadata__\":{\"tapeloop\":\"1\"}}", "", 0), meta,
                        &err),
        TL_OK);
    cr_assert_eq(
        tl_weights_meta(
            scratch_safetensors("{\"__metadata__\":{\"tapeloop\":\"2\",\"new\":\"x\"}}", "", 0),
            meta, &err),
        TL_EUNSUPPORTED);
    cr_assert_not_null(strstr(err.message, "version 2"), "%s", err.message);
    cr_assert_eq(
        tl_weights_meta(scratch_safetensors("{\"__metadata__\":{\"tapeloop\":\"x\"}}", "", 0), meta,
                        &err),
        TL_EFORMAT);
    cr_assert_eq(tl_meta_count(meta), 1);
    tl_meta_free(meta);
}

Test(weights, a_failed_save_leaves_the_old_file)
{
    model a = model_new(TL_F32, 1), b = model_new(TL_F32, 2);
    tl_weights_part pa = part("", &a), pb = part("", &b);
    const char *path = scratch_path("w.safetensors");
    tl_err err;
    size_t size, size_after;
    cr_assert_eq(tl_weights_save(scratch_path("no/such/directory/w"), 1, &pa, NULL, &err), TL_EIO);
    cr_assert_not_null(strstr(err.message, "No such file"), "%s", err.message);
    cr_assert_eq(tl_weights_save(path, 1, &pa, NULL, &err), TL_OK);
    char *before = scratch_read(path, &size);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit old, limit;
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    for (rlim_t most = 0; most < size; most += 16) { /* the disk is full after so many bytes */
        limit = old;
        limit.rlim_cur = most;
        cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        int code = tl_weights_save(path, 1, &pb, NULL, &err);
        cr_assert_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
        cr_assert_eq(code, TL_EIO);
    }
    char *after = scratch_read(path, &size_after);
    cr_assert_eq(size, size_after);
    cr_assert_eq(memcmp(before, after, size), 0);
    cr_assert_eq(scratch_files(), 1);
    free(before);
    free(after);
    tl_params_free(a.set);
    tl_params_free(b.set);
}

Test(weights, no_memory_changes_nothing)
{
    model a = model_new(TL_F32, 1), b = model_new(TL_F32, 2), old = model_new(TL_F32, 2);
    tl_weights_part pa = part("model.", &a), pb = part("model.", &b);
    const char *path = scratch_path("w.safetensors");
    tl_meta *meta = tl_meta_new();
    tl_meta_set(meta, "step", "1");
    tl_err err;
    for (long n = 1;; n++) {
        tl__fail_after(n);
        int code = tl_weights_save(path, 1, &pa, meta, &err);
        long used = tl__alloc_count();
        tl__fail_after(0);
        cr_assert_eq(scratch_files(), code == TL_OK);
        if (used < n)
            break;
        cr_assert_eq(code, TL_ENOMEM, "allocation %ld gave %d", n, code);
    }
    tl_meta *back = tl_meta_new();
    for (long n = 1;; n++) {
        tl__fail_after(n);
        int code = tl_weights_load(path, 1, &pb, NULL, back, NULL, &err);
        long used = tl__alloc_count();
        tl__fail_after(0);
        if (used < n) {
            cr_assert_eq(code, TL_OK);
            cr_assert(same(&a, &b));
            break;
        }
        cr_assert_eq(code, TL_ENOMEM, "allocation %ld gave %d", n, code);
        cr_assert(same(&b, &old));
        cr_assert_eq(tl_meta_count(back), 0);
    }
    cr_assert_str_eq(tl_meta_get(back, "step"), "1");
    tl_meta_free(meta);
    tl_meta_free(back);
    tl_params_free(a.set);
    tl_params_free(b.set);
    tl_params_free(old.set);
}
